/* What waits for the bus: limits by bytes and by age, what has to go, ends that wait for the
 * broker's word, emitters (BUS-5, BYE-2, EMIT-1). */
#include "hubtest.h"
#include "bus_pair.h"
#include "told_bus.h"

TEST(what_waits_too_long_for_the_bus_is_dropped_and_counted) { /* BUS-5: by bytes and by age */
    world w;
    told t;
    told_start(&w, &t, false);
    w.hub->desc.bus_queue_ms_max = 2000;
    EXPECT_INT(send_to(w.hub, WSHUB_DEST_ALL, "", "1"), WSHUB_OK);
    wshub_io_fake_advance(w.net, 1500);
    EXPECT_INT(send_to(w.hub, WSHUB_DEST_ALL, "", "2"), WSHUB_OK);
    EXPECT(stats(&w).bus_queued_bytes > 100);
    wshub_io_fake_advance(w.net, 500); /* the hub wakes for it by itself */
    EXPECT_INT(stats(&w).bus_dropped, 1);
    wshub_io_fake_advance(w.net, 1000);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    t.len = 0;
    t.log[0] = 0;
    EXPECT_INT(send_to(w.hub, WSHUB_DEST_ALL, "", "3"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, ""); /* after resubscription, not before */
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_TOLD(&t, "!2 !3 ");
    EXPECT_INT(stats(&w).bus_queued_bytes, 0);
    EXPECT_INT(stats(&w).bus_dropped, 1);
    world_stop(&w);
}

/* A bus that takes `cap` bytes until it has been flushed `flushes` times more, acknowledges and
 * passes time by hand. What it takes is numbered by its data. */
typedef struct slow {
    wshub_bus bus;
    wshub_bus_owner owner;
    size_t cap, held, flushes;
    /* the number that must come next, how many came, how many are missing between */
    long next, taken, gaps;
    uint64_t unacknowledged;
    uint32_t alarm_ms;
    bool left, shorted;
} slow;
static wshub_err slow_attach(void *ctx, const wshub_bus_owner *owner) {
    slow *s = (slow *)ctx;
    if (owner)
        s->owner = *owner;
    else
        s->left = true;
    return WSHUB_OK;
}
static size_t slow_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    slow *s = (slow *)ctx;
    size_t i;
    EXPECT(!s->left);
    for (i = 0; i < count && s->held < s->cap; i++) {
        long n = atol(wshub_json_get(msgs[i].payload, "data").ptr);
        EXPECT(n >= s->next); /* in order, none twice */
        s->gaps += n - s->next;
        s->next = n + 1;
        s->taken++;
        s->unacknowledged++;
        s->held += msgs[i].payload.len;
    }
    s->shorted = i < count;
    return i;
}
static bool slow_channels(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    return count > 0;
}
static void slow_flush(void *ctx) {
    slow *s = (slow *)ctx;
    if (!s->flushes) return;
    s->flushes--;
    s->held = 0;
}
static uint64_t slow_pending(void *ctx) {
    return ((slow *)ctx)->unacknowledged;
}
static void slow_alarm(void *ctx, uint32_t ms) {
    ((slow *)ctx)->alarm_ms = ms;
}
static const wshub_bus *slow_bus(slow *s, size_t cap) {
    memset(s, 0, sizeof *s);
    s->cap = cap;
    s->bus.ctx = s;
    s->bus.version = WSHUB_BUS_VERSION;
    s->bus.attach = slow_attach;
    s->bus.publish = slow_publish;
    s->bus.subscribe = s->bus.unsubscribe = slow_channels;
    s->bus.flush = slow_flush;
    s->bus.pending = slow_pending;
    s->bus.alarm = slow_alarm;
    return &s->bus;
}
static void slow_state(slow *s, wshub_bus_state state) {
    s->held = 0;
    if (state == WSHUB_BUS_UP) s->owner.state(s->owner.ctx, WSHUB_BUS_CONNECTED);
    if (state == WSHUB_BUS_DOWN) s->unacknowledged = 0; /* unknown, and its own to count */
    s->owner.state(s->owner.ctx, state);
}

/* The network has taken what was held; the owner is told as it asked to be. */
static void slow_drain(slow *s) {
    s->held = 0;
    if (s->owner.room)
        s->owner.room(s->owner.ctx);
    else
        s->owner.wake(s->owner.ctx);
}
static void slow_acknowledge(slow *s) {
    s->unacknowledged = 0;
    slow_drain(s);
}

/* data of so many bytes whose number is n */
static wshub_msg numbered(long n, size_t bytes) {
    static char text[1 << 20];
    wshub_msg m = msg("e", "1");
    size_t at = (size_t)snprintf(text, 32, "%ld", n);
    if (bytes < at) bytes = at;
    memset(text + at, ' ', bytes - at);
    m.data = wshub__str(text, bytes);
    return m;
}
static uint32_t dice_state;
static uint32_t dice(uint32_t most) { /* 0 to most - 1 */
    dice_state = dice_state * 1664525u + 1013904223u;
    return (dice_state >> 8) % most;
}
enum { QUEUE = 4000, BURST = 60000 };

/* BUS-5: generated around every limit */
TEST(a_busy_turn_over_a_bus_that_is_up_loses_nothing_whatever_the_sizes) {
    /* clang-format off */
    static const size_t sizes[] = {
        1, 20, 63, QUEUE / 2, QUEUE - 130, QUEUE - 1, QUEUE, QUEUE + 1, 2 * QUEUE, BURST / 2,
    };
    /* clang-format on */
    static const size_t caps[] = {1, 1000, QUEUE, BURST, SIZE_MAX};
    int seed;
    for (seed = 1; seed <= 300; seed += (int)test_stride(3)) {
        static slow s;
        world w;
        wshub_emitter *em = NULL;
        bool emits = seed % 2 == 0;
        long n = 0, turns;
        dice_state = (uint32_t)seed;
        memset(&w, 0, sizeof w);
        (void)slow_bus(&s, caps[dice(5)]);
        if (emits)
            EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &s.bus,
                                                                  .bus_queue_bytes_max = QUEUE,
                                                                  .bus_burst_bytes_max = BURST},
                                            &em),
                       WSHUB_OK);
        else
            world_start(&w,
                        DESC(.on_authenticate = accept_all, .bus = &s.bus,
                             .bus_queue_bytes_max = QUEUE, .bus_burst_bytes_max = BURST),
                        FAKE(0));
        slow_state(&s, WSHUB_BUS_UP);
        for (turns = 0; turns < 4; turns++) {
            size_t waits = 0;
            s.flushes = dice(3); /* what the network takes within the turn, and then no more */
            /* as much as may wait, whatever has been taken; the first one however long */
            for (;;) {
                size_t bytes = waits || dice(4) ? sizes[dice(10)] : 3 * BURST;
                wshub_msg m = numbered(n, bytes);
                if (waits && waits + bytes + 150 > BURST) break;
                waits += bytes + 150;
                n++;
                EXPECT_INT(emits ? wshub_emitter_send(em, NULL, &m) : wshub_send(w.hub, NULL, &m),
                           WSHUB_OK);
            }
            while (
                emits ? wshub_emitter_queued_bytes(em) > 0
                      : stats(&w).bus_queued_bytes > 0 ||
                            (w.hub && (wshub_io_fake_run(w.net), stats(&w).bus_queued_bytes > 0))) {
                long before = s.taken;
                slow_drain(&s); /* it leaves by itself, without a further send */
                if (!emits) wshub_io_fake_run(w.net);
                EXPECT_OP(s.taken, >, before);
                if (s.taken == before) break;
            }
        }
        EXPECT_INT(s.taken, n);
        EXPECT_INT(s.gaps, 0);
        if (emits) {
            EXPECT_INT(wshub_emitter_dropped(em), 0);
            wshub_emitter_destroy(em);
        } else {
            EXPECT_INT(stats(&w).bus_dropped, 0);
            EXPECT_INT(stats(&w).bus_published, n);
            world_stop(&w);
        }
        EXPECT(s.left);
    }
}

static uint64_t dropped_lines, unconfirmed_lines;
static char dropped_line[200];
static void dropped_log(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    if (line->code == WSHUB_LOG_BUS_DROPPED) {
        dropped_lines++;
        (void)snprintf(dropped_line, sizeof dropped_line, "%s", line->text);
    }
    if (line->code == WSHUB_LOG_BUS_UNCONFIRMED) unconfirmed_lines++;
}

TEST(what_has_to_go_is_the_oldest_counted_and_told_by_the_name_of_its_limit) { /* BUS-5 */
    static slow s;
    world w;
    wshub_emitter *em;
    wshub_msg m;
    long n = 0;
    int refused = 0;
    dropped_lines = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .bus = slow_bus(&s, 0),
                     .bus_queue_bytes_max = QUEUE, .bus_burst_bytes_max = BURST,
                     .on_log = dropped_log),
                FAKE(0));
    slow_state(&s, WSHUB_BUS_UP); /* up, and takes nothing: a broker that does not read */
    while (stats(&w).bus_dropped < 5) {
        m = numbered(n++, 1000);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    }
    EXPECT(stats(&w).bus_queued_bytes <= BURST && stats(&w).bus_queued_bytes > BURST - 1200);
    EXPECT_INT(stats(&w).bus_dropped_up, 5);
    EXPECT_INT(dropped_lines, 5);
    EXPECT_HAS(dropped_line, "bus_burst_bytes_max");
    slow_state(&s, WSHUB_BUS_DOWN); /* now it is an outage */
    EXPECT(stats(&w).bus_queued_bytes <= QUEUE && stats(&w).bus_queued_bytes > QUEUE - 1200);
    EXPECT_HAS(dropped_line, "bus_queue_bytes_max");
    EXPECT_INT(stats(&w).bus_dropped_up, 5);
    m = numbered(n, QUEUE); /* no message is longer than an outage keeps */
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    m = numbered(n++, 20);
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    s.cap = SIZE_MAX;
    slow_state(&s, WSHUB_BUS_UP);
    wshub_io_fake_run(w.net);
    EXPECT_INT(s.next, n); /* the newest have arrived, in order */
    EXPECT_INT(s.taken + (long)stats(&w).bus_dropped, n + 1);
    s.unacknowledged = 0;
    world_stop(&w);
    /* an emitter keeps what it has, and says no: nobody but its caller could tell */
    EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, 0),
                                                          .bus_queue_bytes_max = QUEUE,
                                                          .bus_burst_bytes_max = BURST},
                                    &em),
               WSHUB_OK);
    slow_state(&s, WSHUB_BUS_UP);
    for (n = 0; !refused; n += !refused) {
        m = numbered(n, 1000);
        refused = wshub_emitter_send(em, NULL, &m) == WSHUB_ERR_LIMIT;
    }
    EXPECT_OP(wshub_emitter_queued_bytes(em), >, BURST - 1200);
    EXPECT_INT(wshub_emitter_dropped(em), 0);
    slow_state(&s, WSHUB_BUS_DOWN);
    EXPECT_OP(wshub_emitter_queued_bytes(em), <=, QUEUE);
    m = numbered(n, QUEUE);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_ERR_LIMIT);
    s.cap = SIZE_MAX;
    slow_state(&s, WSHUB_BUS_UP);
    EXPECT_INT(s.next, n);
    EXPECT_INT(s.taken + (long)wshub_emitter_dropped(em), n);
    wshub_emitter_destroy(em);
    wshub_emitter_destroy(NULL);
}

TEST(shutdown_waits_for_the_brokers_word_up_to_its_deadline) { /* BYE-2 */
    int way;
    /* acknowledged, never, kept and then taken, never taken, down, no such entry */
    for (way = 0; way < 6; way++) {
        static slow s;
        world w;
        wshub_msg m = msg("e", "0");
        unconfirmed_lines = dropped_lines = 0;
        (void)slow_bus(&s, way == 2 || way == 3 ? 0 : SIZE_MAX);
        if (way == 5) s.bus.pending = NULL;
        world_start(&w, DESC(.on_authenticate = accept_all, .bus = &s.bus, .on_log = dropped_log),
                    FAKE(0));
        slow_state(&s, WSHUB_BUS_UP);
        if (way == 4) slow_state(&s, WSHUB_BUS_DOWN);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
        EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_is_down(w.hub), way == 5);
        wshub_io_fake_advance(w.net, 4990);
        EXPECT_INT(wshub_is_down(w.hub), way == 5);
        if (way == 2) {
            s.cap = SIZE_MAX;
            slow_drain(&s);
            wshub_io_fake_run(w.net);
            EXPECT(!wshub_is_down(w.hub));
        }
        if (way == 0 || way == 2) slow_acknowledge(&s);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_is_down(w.hub), way == 0 || way == 2 || way == 5);
        wshub_io_fake_advance(w.net, 10);
        EXPECT(wshub_is_down(w.hub) && s.left);
        EXPECT_INT(stats(&w).bus_unconfirmed, way == 1);
        EXPECT_INT(unconfirmed_lines, way == 1);
        EXPECT_INT(stats(&w).bus_dropped, way == 3 || way == 4);
        if (way == 3 || way == 4) EXPECT_HAS(dropped_line, "shutdown_timeout_ms");
        EXPECT_INT(stats(&w).bus_queued_bytes, 0);
        world_stop(&w);
    }
    { /* the end without a shutdown hands over what it can, last words included */
        static slow s;
        world w;
        wshub_msg m = msg("e", "0");
        world_start(&w, DESC(.on_authenticate = accept_all, .bus = slow_bus(&s, SIZE_MAX)),
                    FAKE(0));
        slow_state(&s, WSHUB_BUS_UP);
        wshub_io_fake_hold(w.net, true);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
        EXPECT_INT(s.taken, 0);
        world_stop(&w);
        EXPECT_INT(s.taken, 1);
    }
}

static int closed_calls;
static uint64_t closed_lost;
static void on_emitter_closed(uint64_t lost, void *arg) {
    EXPECT(((slow *)arg)->left); /* its bus may be destroyed now */
    closed_calls++;
    closed_lost = lost;
}

TEST(an_emitter_closes_when_all_is_acknowledged_or_its_time_is_over) { /* EMIT-1, BYE-2 */
    int way;
    for (way = 0; way < 8; way++) {
        static slow s;
        wshub_emitter *em;
        wshub_msg m;
        int i;
        closed_calls = 0;
        (void)slow_bus(&s, way == 3 || way == 4 ? 0 : SIZE_MAX);
        if (way == 6) s.bus.alarm = NULL;
        EXPECT_INT(wshub_emitter_create(
                       &(wshub_emitter_desc){.bus = &s.bus, .bus_queue_bytes_max = 1000}, &em),
                   WSHUB_OK);
        if (way != 5) slow_state(&s, WSHUB_BUS_UP);
        for (i = 0; i < 3; i++) {
            m = numbered(i, 200);
            EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
        }
        if (way == 0) s.unacknowledged = 0; /* nothing to wait for */
        wshub_emitter_close(em, 3000, on_emitter_closed, &s);
        if (way == 0 || way == 6) {
            EXPECT_INT(closed_calls, 1);
            EXPECT_INT(closed_lost, way == 0 ? 0 : 3);
            continue;
        }
        EXPECT_INT(closed_calls, 0);
        EXPECT_INT(s.alarm_ms, 3000);
        EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_ERR_STATE);
        wshub_emitter_close(em, 1, NULL, NULL); /* once is enough */
        EXPECT_INT(s.alarm_ms, 3000);
        if (way == 1) slow_acknowledge(&s);
        if (way == 2) s.owner.late(s.owner.ctx);
        if (way == 3) { /* kept; taken when there is room; then acknowledged */
            s.cap = SIZE_MAX;
            slow_drain(&s);
            EXPECT_INT(closed_calls, 0);
            slow_acknowledge(&s);
        }
        if (way == 4) s.owner.late(s.owner.ctx);
        if (way == 5) { /* the broker comes in time */
            slow_state(&s, WSHUB_BUS_UP);
            EXPECT_INT(closed_calls, 0);
            slow_acknowledge(&s);
        }
        if (way == 7) wshub_emitter_destroy(em); /* cut short */
        EXPECT_INT(closed_calls, 1);
        EXPECT_INT(closed_lost, way == 2 || way == 4 || way == 7 ? 3 : 0);
        EXPECT_INT(s.taken, way == 4 ? 0 : 3);
    }
    {
        static slow s;
        wshub_emitter *em = NULL;
        wshub_emitter_close(NULL, 0, NULL, NULL);
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, 0),
                                                              .bus_queue_bytes_max = 1000,
                                                              .bus_burst_bytes_max = 999},
                                        &em),
                   WSHUB_ERR_PARAM);
        EXPECT(s.left);
        EXPECT_INT(
            wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, 0),
                                                       .json_depth_max = WSHUB_JSON_DEPTH_MAX + 1},
                                 &em),
            WSHUB_ERR_PARAM);
        EXPECT(!em && s.left);
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, SIZE_MAX)}, &em),
                   WSHUB_OK);
        s.owner.late(s.owner.ctx);               /* nobody had asked */
        wshub_emitter_close(em, 10, NULL, NULL); /* nobody is told */
        EXPECT(s.left);
    }
    { /* a bus that has a clock and delivers what it takes: closed once all of it is taken; what a busy turn may keep is
         never less than what an outage may */
        static slow s;
        wshub_emitter *em;
        wshub_msg m = numbered(0, 200);
        (void)slow_bus(&s, 0);
        s.bus.pending = NULL;
        EXPECT_INT(wshub_emitter_create(
                       &(wshub_emitter_desc){.bus = &s.bus, .bus_queue_bytes_max = 32u << 20}, &em),
                   WSHUB_OK);
        EXPECT_INT(em->burst_bytes_max, 32u << 20);
        slow_state(&s, WSHUB_BUS_UP);
        EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
        closed_calls = 0;
        wshub_emitter_close(em, 3000, on_emitter_closed, &s);
        EXPECT_INT(closed_calls, 0);
        s.cap = SIZE_MAX;
        slow_drain(&s);
        EXPECT_INT(closed_calls, 1);
        EXPECT_INT(closed_lost, 0);
    }
    { /* the local bus has nothing to wait for, up or down */
        static slow ear;
        wshub_bus_local *local;
        wshub_bus bus;
        wshub_emitter *em;
        wshub_msg m = numbered(0, 200);
        int down;
        for (down = 0; down < 2; down++) {
            ear.left = true;
            EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
            EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
            HIDE(bus);
            EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &bus}, &em), WSHUB_OK);
            wshub_bus_local_set_down(local, down);
            EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
            closed_calls = 0;
            wshub_emitter_close(em, 3000, on_emitter_closed, &ear);
            EXPECT_INT(closed_calls, 1);
            EXPECT_INT(closed_lost, down);
            wshub_bus_local_destroy(local);
        }
    }
}
