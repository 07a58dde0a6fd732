/* Which channels a hub subscribes to, when, and how long they linger (BUS-1, BUS-4, BUS-5,
 * ROOM-6). */
#include "hubtest.h"
#include "told_bus.h"

TEST(every_connection_is_told_all_that_is_wanted) { /* BUS-1, BUS-5 */
    world w;
    told t;
    told_start(&w, &t, false);
    EXPECT_TOLD(&t, "");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* ");
    EXPECT_STR(w.log, ""); /* not up before it is acknowledged */
    wshub_io_fake_advance(w.net, 70);
    told_state(&w, &t, WSHUB_BUS_UP);
    told_state(&w, &t, WSHUB_BUS_DOWN);
    wshub_io_fake_advance(w.net, 30);
    EXPECT_INT(stats(&w).bus_down_ms, 100);
    t.full = true;
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "");
    t.full = false;
    wshub_io_fake_advance(w.net, 60); /* offered again without being asked */
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* ");
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_INT(stats(&w).bus_down_ms, 160);
    EXPECT_INT(stats(&w).bus_downs, 1);
    EXPECT_STR(w.log, "up down up ");
    world_stop(&w);
}

TEST(exact_subscriptions_are_batched_linger_and_come_back) { /* BUS-4 */
    world w;
    told t;
    char id[37], want[400];
    wshub_conn a;
    wshub_client ca;
    int i;
    told_start(&w, &t, true);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "+ws:broadcast ");
    told_state(&w, &t, WSHUB_BUS_UP);
    a = world_client(&w, "u", id);
    ca = world_handle(&w, id);
    EXPECT(strstr(t.log, "+ws:user:u ") && strstr(t.log, id));
    t.len = 0;
    t.log[0] = 0;
    /* in and out within a turn: nothing; the rest in one call */
    wshub_io_fake_hold(w.net, true);
    EXPECT_INT(wshub_client_join(w.hub, ca, wshub_str_z("x")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, ca, wshub_str_z("y")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(w.hub, ca, wshub_str_z("x")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, ca, wshub_str_z("z")), WSHUB_OK);
    t.calls = 0;
    wshub_io_fake_hold(w.net, false);
    EXPECT_TOLD(&t, "+ws:room:y +ws:room:z ");
    EXPECT_INT(t.calls, 1);
    /* left and joined again while it lingers: nothing */
    EXPECT_INT(wshub_client_leave(w.hub, ca, wshub_str_z("y")), WSHUB_OK);
    wshub_io_fake_advance(w.net, 4999);
    EXPECT_INT(wshub_client_join(w.hub, ca, wshub_str_z("y")), WSHUB_OK);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_TOLD(&t, "");
    EXPECT_INT(wshub_client_leave(w.hub, ca, wshub_str_z("y")), WSHUB_OK);
    wshub_io_fake_advance(w.net, 4999);
    EXPECT_TOLD(&t, "");
    wshub_io_fake_advance(w.net, 1);
    EXPECT_TOLD(&t, "-ws:room:y ");
    /* a connection later: all that is here, once */
    told_state(&w, &t, WSHUB_BUS_DOWN);
    EXPECT_INT(wshub_client_join(w.hub, ca, wshub_str_z("late")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    (void)snprintf(want, sizeof want,
                   "+ws:broadcast +ws:room:late +ws:room:z +ws:user:u +ws:client:%s +ws:room:%s ",
                   id, id);
    EXPECT(strstr(t.log, want) == t.log || strstr(t.log, "+ws:room:late +ws:room:z +ws:user:u "));
    EXPECT(strstr(t.log, id) && strstr(strstr(t.log, id) + 1, id));
    t.len = 0;
    t.log[0] = 0;
    told_state(&w, &t, WSHUB_BUS_UP);
    /* many: a bus that is full is asked again, and nothing is lost */
    t.full = true;
    for (i = 0; i < 3; i++) {
        char room[16];
        (void)snprintf(room, sizeof room, "r%d", i);
        EXPECT_INT(wshub_client_join(w.hub, ca, wshub_str_z(room)), WSHUB_OK);
        wshub_io_fake_advance(w.net, 1);
    }
    t.full = false;
    wshub_io_fake_advance(w.net, 100);
    EXPECT_TOLD(&t, "+ws:room:r0 +ws:room:r1 +ws:room:r2 ");
    wshub_io_fake_end(w.net, a);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT(strstr(t.log, "-ws:room:r2 ") && strstr(t.log, "-ws:user:u "));
    world_stop(&w);
}

static struct {
    size_t subscribed, unsubscribed;
    bool full;
    wshub_bus_owner owner;
} mute;
static wshub_err mute_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (owner) mute.owner = *owner;
    return WSHUB_OK;
}
static size_t mute_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return count;
}
static bool mute_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    mute.subscribed += count;
    return true;
}
static char mute_given_up[64]; /* the last channel */
static bool mute_unsubscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)snprintf(mute_given_up, sizeof mute_given_up, "%.*s", (int)channels[count - 1].name.len,
                   channels[count - 1].name.ptr);
    if (!mute.full) mute.unsubscribed += count;
    return !mute.full;
}

/* BUS-4, ROOM-6: in one turn and in many, with room on the bus or not */
TEST(channels_that_linger_are_no_more_than_rooms_max) {
    static const uint32_t limits[] = {30, 700, 3000};
    uint32_t k, way;
    for (k = 0; k < 3; k++) {
        for (way = 0; way < 3; way++) {
            world w;
            wshub_bus bus;
            char id[37], name[16];
            uint32_t i, peak = 0, max = limits[k];
            size_t before;
            memset(&mute, 0, sizeof mute);
            memset(&bus, 0, sizeof bus);
            bus.version = WSHUB_BUS_VERSION;
            bus.attach = mute_attach;
            bus.publish = mute_publish;
            bus.subscribe = mute_subscribe;
            bus.unsubscribe = mute_unsubscribe;
            world_start(&w,
                        DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = true,
                             .rooms_max = max),
                        FAKE(0));
            mute.owner.state(mute.owner.ctx, WSHUB_BUS_CONNECTED);
            mute.owner.state(mute.owner.ctx, WSHUB_BUS_UP);
            (void)world_client(&w, NULL, id);
            before = w.bytes;
            for (i = 0; i < 6000; i++) {
                (void)snprintf(name, sizeof name, "r%u", (unsigned)i);
                EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), wshub_str_z(name)),
                           WSHUB_OK);
                if (way != 1 || i % 16 == 0) wshub_io_fake_run(w.net);
                mute.full = way == 2 && i < 1000;
                EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, id), wshub_str_z(name)),
                           WSHUB_OK);
                if (stats(&w).bus_lingering > peak) peak = (uint32_t)stats(&w).bus_lingering;
            }
            wshub_io_fake_run(w.net);
            EXPECT(stats(&w).bus_lingering <= max);
            EXPECT(way == 2 || peak <= max + WSHUB_BUS_BATCH);
            EXPECT(w.bytes - before < (size_t)max * 400 + (way == 2 ? 2000u : 0u) * 100 + 200000);
            wshub_io_fake_advance(w.net, 5001);
            EXPECT_INT(stats(&w).bus_lingering, 0);
            /* broadcasts, its two rooms, its id twice */
            EXPECT_INT(mute.subscribed - mute.unsubscribed, 1 + 2 + 2);
            world_stop(&w);
        }
    }
}

static int no_memory_lines;
static void starving_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    no_memory_lines += l->code == WSHUB_LOG_NOMEM;
}
static wshub_err leaves_starving(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    world *w = (world *)user;
    (void)e;
    w->fail_all = true;
    EXPECT_INT(wshub_client_leave(hub, c, wshub_str_z("r")), WSHUB_OK);
    w->fail_all = false;
    EXPECT_INT(no_memory_lines, 0); /* it is told when the callback has ended, not inside it */
    return WSHUB_OK;
}

/* BUS-4: it cannot be noted for later, so it is given up at once */
TEST(a_channel_that_cannot_linger_for_want_of_memory_is_given_up_and_told) { /* BUS-4 */
    int inside;
    for (inside = 0; inside < 2; inside++) {
        world w;
        wshub_bus bus;
        wshub_conn c;
        char id[37];
        memset(&mute, 0, sizeof mute);
        memset(&bus, 0, sizeof bus);
        bus.version = WSHUB_BUS_VERSION;
        bus.attach = mute_attach;
        bus.publish = mute_publish;
        bus.subscribe = mute_subscribe;
        bus.unsubscribe = mute_unsubscribe;
        no_memory_lines = 0;
        mute_given_up[0] = 0;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_message = leaves_starving,
                         .on_log = starving_log, .bus = &bus, .bus_exact = true),
                    FAKE(0));
        mute.owner.state(mute.owner.ctx, WSHUB_BUS_CONNECTED);
        mute.owner.state(mute.owner.ctx, WSHUB_BUS_UP);
        c = world_client(&w, NULL, id);
        EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), wshub_str_z("r")), WSHUB_OK);
        wshub_io_fake_run(w.net);
        if (inside) {
            wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
        } else {
            w.fail_all = true;
            EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, id), wshub_str_z("r")), WSHUB_OK);
            w.fail_all = false;
        }
        EXPECT_INT(no_memory_lines, 1);
        EXPECT_STR(mute_given_up, "ws:room:r");
        EXPECT(!wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z("r")));
        world_stop(&w);
    }
}

/* BUS-5: more names than one call takes are subscribed to anew batch by batch, each name once, also
 * where the bus has no room in the middle, and what comes and goes meanwhile is neither forgotten
 * nor asked for twice. */
static struct {
    wshub_bus_owner owner;
    char names[4000][96];
    size_t count;
    size_t room; /* calls that are taken */
} kept;
static wshub_err kept_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    if (owner) kept.owner = *owner;
    return WSHUB_OK;
}
static bool kept_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    size_t i;
    (void)ctx;
    EXPECT(count > 0 && count <= WSHUB_BUS_BATCH);
    if (!kept.room) return false;
    kept.room--;
    for (i = 0; i < count; i++, kept.count++)
        (void)snprintf(kept.names[kept.count], sizeof kept.names[0], "%.*s",
                       (int)channels[i].name.len, channels[i].name.ptr);
    return true;
}
static bool kept_unsubscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    (void)count;
    return true;
}
static size_t times(const char *name) {
    size_t i, n = 0;
    for (i = 0; i < kept.count; i++) n += strcmp(kept.names[i], name) == 0;
    return n;
}

TEST(everything_is_subscribed_to_anew_in_batches_and_once) { /* BUS-4, BUS-5 */
    enum { ROOMS = 1100, CLIENTS = 300 };
    static const size_t rooms_taken[] = {SIZE_MAX, 0, 1, 2, 3};
    size_t way;
    for (way = 0; way < sizeof rooms_taken / sizeof *rooms_taken; way++) {
        world w;
        wshub_bus bus;
        char id[37], text[64];
        wshub_client client;
        int i;
        memset(&kept, 0, sizeof kept);
        memset(&bus, 0, sizeof bus);
        bus.version = WSHUB_BUS_VERSION;
        bus.attach = kept_attach;
        bus.publish = mute_publish;
        bus.subscribe = kept_subscribe;
        bus.unsubscribe = kept_unsubscribe;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = true,
                         .no_default_rooms = true, .rooms_per_client_max = ROOMS + 2,
                         .heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF),
                    FAKE(0));
        for (i = 0; i < CLIENTS; i++) (void)world_client(&w, i ? NULL : "u", i ? NULL : id);
        client = world_handle(&w, id);
        for (i = 0; i < ROOMS; i++) {
            (void)snprintf(text, sizeof text, "r%d", i);
            EXPECT_INT(wshub_client_join(w.hub, client, S(text)), WSHUB_OK);
        }

        /* So many calls find room at once, the others one a turn. */
        kept.room = rooms_taken[way];
        kept.owner.state(kept.owner.ctx, WSHUB_BUS_CONNECTED);
        EXPECT_INT(wshub_client_leave(w.hub, client, S("r0")), WSHUB_OK);
        EXPECT_INT(wshub_client_join(w.hub, client, S("fresh")), WSHUB_OK);
        for (i = 0; i < 12; i++) {
            if (way) kept.room = 1;
            wshub_io_fake_advance(w.net, 60);
        }
        for (i = 1; i < ROOMS; i++) {
            (void)snprintf(text, sizeof text, "ws:room:r%d", i);
            /* The last takes the place of the one that left, and may come by twice: that is once. */
            if (times(text) != 1) EXPECT(i == ROOMS - 1 && times(text) == 2);
        }
        EXPECT(times("ws:room:fresh") >=
               1); /* once anew, and once by itself if it came in between */
        EXPECT_INT(times("ws:user:u"), 1);
        EXPECT_INT(times("ws:broadcast"), 1);
        (void)snprintf(text, sizeof text, "ws:client:%s", id);
        EXPECT_INT(times(text), 1);
        (void)snprintf(text, sizeof text, "ws:room:%s", id);
        EXPECT_INT(times(text), 1);
        world_stop(&w);
    }
}
