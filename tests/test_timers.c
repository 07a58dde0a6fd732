/* Timers of the application: in order, stopped, of nought, beside a process that is late, and
 * ending their hub (LIVE-3). */
#include "hubtest.h"

static void tick(wshub *hub, void *arg) {
    world_note((world *)wshub_user(hub), (const char *)arg);
}

TEST(timers_fire_in_order_and_can_be_stopped) {
    world w;
    wshub_timer t, u;
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(wshub_timer_start(w.hub, 20, tick, (void *)(uintptr_t) "c", NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 10, tick, (void *)(uintptr_t) "a", NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 10, tick, (void *)(uintptr_t) "b", NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 15, tick, (void *)(uintptr_t) "X", &t), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 0, tick, (void *)(uintptr_t) "0", &u), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 0, NULL, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_OK);
    EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_ERR_STALE);
    wshub_io_fake_advance(w.net, 30);
    EXPECT_STR(w.log, "0abc");
    EXPECT_INT(wshub_timer_stop(w.hub, u), WSHUB_ERR_STALE);
    world_stop(&w);
}

static int ticks, ticks_turn;
static void tick_again(wshub *hub, void *arg) {
    ticks++;
    ticks_turn++;
    EXPECT_INT(wshub_timer_start(hub, 0, tick_again, arg, NULL), WSHUB_OK);
}

TEST(a_timer_of_nought_runs_once_a_turn) { /* LIVE-3 */
    world w;
    int i, many;
    for (many = 1; many < 4; many++) {
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        wshub_io_fake_hold(w.net, true);
        for (i = 0; i < many; i++)
            EXPECT_INT(wshub_timer_start(w.hub, 0, tick_again, NULL, NULL), WSHUB_OK);
        for (i = 0; i < 50; i++) {
            uint64_t next;
            ticks_turn = 0;
            next = wshub_settle(w.hub);
            EXPECT_INT(ticks_turn, many);
            /* the next turn comes at once, and it is one */
            EXPECT_OP(next, <=, wshub_io_fake_now(w.net));
        }
        world_stop(&w);
    }
}

static void destroy_it(wshub *hub, void *arg) {
    ((world *)arg)->hub = NULL;
    wshub_destroy(hub);
}

TEST(a_timer_that_ends_the_hub_comes_before_whoever_is_late) { /* nobody is judged any more */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .auth_timeout_ms = 700), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    EXPECT_INT(w.hub->deadlines.count, 1);
    EXPECT_INT(
        wshub_timer_start(w.hub, w.hub->deadlines.items[0].at - w.hub->now, destroy_it, &w, NULL),
        WSHUB_OK);
    wshub_io_fake_advance(w.net, 60000);
    EXPECT(!w.hub && wshub_io_fake_is_gone(w.net, c));
    world_stop(&w);
}

static int timers_fired, behind;
static void fire(wshub *hub, void *arg) {
    (void)hub;
    ++*(int *)arg;
}

/* LIVE-3: the numbers by which a turn tells its own timers from older ones come round; a timer
 * that has waited for as many others as there are numbers runs all the same, holds up none, and
 * wants no turn after turn. */
TEST(a_timer_runs_however_many_have_run_meanwhile) {
    /* clang-format off */
    static const uint32_t meanwhile[] = {
        0, 1000, 0x7FFFFFFFu, 0x80000000u, 0x80000001u, 0xC0000000u, 0xFFFFFFF0u, 0xFFFFFFFFu,
    };
    /* clang-format on */
    int kind, i, n, at_once;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (i = 0; i < 8; i++) {
            world w;
            timers_fired = behind = at_once = 0;
            world_start(&w, DESC(.on_authenticate = accept_all), io_kind(kind));
            EXPECT_INT(wshub_timer_start(w.hub, 3600000, fire, &timers_fired, NULL), WSHUB_OK);
            /* as if so many had been started and had run */
            w.hub->timer_deadlines.orders += meanwhile[i];
            wshub_io_fake_advance(w.net, 3600001);
            EXPECT_INT(wshub_timer_start(w.hub, 10, fire, &behind, NULL), WSHUB_OK);
            wshub_io_fake_advance(w.net, 5000);
            for (n = 0; n < 10; n++) at_once += wshub_settle(w.hub) <= wshub_io_fake_now(w.net);
            EXPECT_INT(timers_fired, 1);
            EXPECT_INT(behind, 1);
            EXPECT_INT(at_once, 0);
            world_stop(&w);
        }
    }
}

static void count_up(wshub *hub, void *arg) {
    (void)hub, ++*(int *)arg;
}
static int again_count;
static void again(wshub *hub, void *arg) {
    again_count++;
    (void)wshub_timer_start(hub, 0, again, arg, NULL);
}

TEST(a_timer_of_nought_that_starts_itself_lets_time_pass_on_the_fake) {
    wshub_io_fake *f;
    wshub *hub;
    int fired = 0, before;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(f)}, &hub), WSHUB_OK);
    again_count = 0;
    EXPECT_INT(wshub_timer_start(hub, 0, again, NULL, NULL), WSHUB_OK);
    wshub_io_fake_run(f);
    EXPECT(again_count > 0 && again_count < 100);
    EXPECT_INT(wshub_timer_start(hub, 5, count_up, &fired, NULL), WSHUB_OK);
    wshub_io_fake_advance(f, 4);
    EXPECT_INT(fired, 0);
    before = again_count;
    wshub_io_fake_advance(f, 1);
    EXPECT_INT(fired, 1);
    EXPECT_OP(again_count, >, before);
    wshub_destroy(hub);
    wshub_io_fake_destroy(f);
}
