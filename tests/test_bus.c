/* The bus over the loop, and the emitter (BUS-1 to BUS-6, EMIT-1, SEND-3, SEND-4). Hubs on one loop hand each other briefs;
 * with ENVELOPES defined (build/test_bus_envelopes) they do not see that it is one, and write and read envelopes, as over
 * any other bus. */
#include "hubtest.h"

static wshub_str S(const char *text) { return wshub_str_z(text); }

typedef struct pair {
    wshub_loop *loop;
    world a, b;
} pair;

static void pair_bus(wshub *hub, wshub_bus_state s, uint64_t ms, void *user) {
    (void)hub;
    (void)ms;
    world_note((world *)user, s == WSHUB_BUS_UP ? "up " : "down ");
}

#ifdef ENVELOPES
static size_t plain_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) { return wshub__seat_publish(ctx, msgs, count); }
#define HIDE(bus) ((bus).publish = plain_publish)
#else
#define HIDE(bus) ((void)(bus))
#endif

static void pair_start(pair *p, bool exact) {
    wshub_bus bus;
    world *w;
    EXPECT_INT(wshub_loop_create(NULL, &p->loop), WSHUB_OK);
    for (w = &p->a; w; w = w == &p->a ? &p->b : NULL) {
        EXPECT_INT(wshub_loop_bus(p->loop, &bus), WSHUB_OK);
        HIDE(bus);
        world_start(w, DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = exact, .on_bus = pair_bus, .bus_queue_bytes_max = 1000, .bus_linger_ms = WSHUB_OFF,
                            .server_id = w == &p->a ? "A" : "B"), FAKE(.seed = w == &p->a ? 1 : 2));
    }
}
static void pair_run(pair *p) {
    int i;
    for (i = 0; i < 3; i++) {
        wshub_io_fake_run(p->a.net);
        wshub_io_fake_run(p->b.net);
    }
}
static void pair_stop(pair *p) {
    world_stop(&p->a);
    world_stop(&p->b);
    wshub_loop_destroy(p->loop);
}

static wshub_err send_to(wshub *hub, wshub_dest_kind kind, const char *name, const char *data) {
    wshub_dest d;
    wshub_msg m = msg("m", data);
    memset(&d, 0, sizeof d);
    d.kind = kind;
    d.name = wshub_str_z(name);
    return wshub_send(hub, &d, &m);
}

TEST(two_hubs_reach_each_others_clients_rooms_and_users) { /* SEND-3, SEND-4, BUS-1, BUS-4 */
    int exact;
    for (exact = 0; exact < 2; exact++) {
        pair p;
        char ia[37], ib[37];
        wshub_conn a, b;
        wshub_str ex;
        wshub_dest d;
        wshub_msg m = msg("m", "9");
        pair_start(&p, exact);
        a = world_client(&p.a, "ua", ia);
        b = world_client(&p.b, "ub", ib);
        EXPECT_INT(wshub_client_join(p.b.hub, world_handle(&p.b, ib), wshub_str_z("ws:odd*room?")), WSHUB_OK); /* BUS-6 */
        pair_run(&p);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_RESOLVE, "", "1"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_RESOLVE, ib, "2"), WSHUB_OK); /* as its own-id room */
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_CLIENT, ib, "3"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_USER, "ub", "4"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ROOM, "ws:odd*room?", "5"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ROOM, "ws:odd*", "6"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_RESOLVE, ia, "7"), WSHUB_OK);
        memset(&d, 0, sizeof d);
        ex = wshub_str_z(ib);
        d.exclude = &ex;
        d.exclude_count = 1;
        EXPECT_INT(wshub_send(p.a.hub, &d, &m), WSHUB_OK);
        pair_run(&p);
        EXPECT_TEXT(&p.a, a, "{\"event\":\"m\",\"data\":1}");
        EXPECT_TEXT(&p.a, a, "{\"event\":\"m\",\"data\":7}");
        EXPECT_TEXT(&p.a, a, "{\"event\":\"m\",\"data\":9}");
        EXPECT_SILENCE(&p.a, a);
        EXPECT_TEXT(&p.b, b, "{\"event\":\"m\",\"data\":1}");
        EXPECT_TEXT(&p.b, b, "{\"event\":\"m\",\"data\":2}");
        EXPECT_TEXT(&p.b, b, "{\"event\":\"m\",\"data\":3}");
        EXPECT_TEXT(&p.b, b, "{\"event\":\"m\",\"data\":4}");
        EXPECT_TEXT(&p.b, b, "{\"event\":\"m\",\"data\":5}");
        EXPECT_SILENCE(&p.b, b);
        EXPECT_INT(stats(&p.a).bus_published, 8);
        EXPECT_INT(stats(&p.b).bus_received, exact ? 6 : 8); /* the exact one hears only what it needs */
        wshub_io_fake_end(p.b.net, b);
        pair_run(&p);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ROOM, "ws:odd*room?", "8"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_USER, "ub", "8"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ROOM, ib, "8"), WSHUB_OK);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_CLIENT, ib, "8"), WSHUB_OK);
        pair_run(&p);
        EXPECT_INT(stats(&p.b).bus_received, exact ? 6 : 12);
        pair_stop(&p);
    }
}

TEST(while_the_bus_is_down_local_service_goes_on_and_the_newest_are_kept) { /* BUS-5 */
    pair p;
    wshub_conn a, b;
    int i, got = 0, first = -1;
    wshub_io_fake_frame f;
    pair_start(&p, false);
    a = world_client(&p.a, NULL, NULL);
    b = world_client(&p.b, NULL, NULL);
    pair_run(&p);
    wshub_loop_set_down(p.loop, true);
    pair_run(&p);
    for (i = 0; i < 100; i++) {
        char n[16];
        (void)snprintf(n, sizeof n, "%d", i);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ALL, "", n), WSHUB_OK);
        pair_run(&p);
    }
    while (wshub_io_fake_next(p.a.net, a, &f)) got++;
    EXPECT_INT(got, 100);
    EXPECT_SILENCE(&p.b, b);
    EXPECT(stats(&p.a).bus_dropped > 80);
    wshub_loop_set_down(p.loop, false);
    pair_run(&p);
    for (got = 0; wshub_io_fake_next(p.b.net, b, &f); got++) {
        int v = atoi(wshub_json_get(f.payload, "data").ptr);
        if (first < 0) first = v;
        EXPECT_INT(v, first + got); /* in order, none twice */
    }
    EXPECT_INT(first + got, 100);
    EXPECT_INT(got + (int)stats(&p.a).bus_dropped, 100);
    EXPECT(strcmp(p.a.log, "up down up ") == 0);
    pair_stop(&p);
}

static void nobody(void *ctx, wshub_str channel, wshub_str payload) {
    wshub_str *out = (wshub_str *)ctx;
    (void)snprintf((char *)(uintptr_t)out->ptr, 400, "%.*s %.*s", (int)channel.len, channel.ptr, (int)payload.len, payload.ptr);
}
static void nothing(void *ctx, wshub_bus_state s) {
    (void)ctx;
    (void)s;
}

TEST(envelopes_read_as_the_reference_writes_them) { /* BUS-2, EMIT-1; golden emitter.jsonl, pub-*.jsonl */
    static char seen[512];
    static const struct { wshub_dest_kind kind; const char *name, *data, *exclude, *want; } cases[] = {
        {WSHUB_DEST_CLIENT, "B", "{\"x\":1}", NULL, "ws:client:B {\"serverId\":\"emitter\",\"type\":\"client\",\"target\":\"B\",\"event\":\"m\",\"data\":{\"x\":1}}"},
        {WSHUB_DEST_USER, "same", "2", NULL, "ws:user:same {\"serverId\":\"emitter\",\"type\":\"user\",\"target\":\"same\",\"event\":\"m\",\"data\":2}"},
        {WSHUB_DEST_ROOM, "r\"1", "[3]", NULL, "ws:room:r\"1 {\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\\\"1\",\"event\":\"m\",\"data\":[3]}"},
        {WSHUB_DEST_ROOM, "r", "4", "A", "ws:room:r {\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\",\"event\":\"m\",\"data\":4,\"exclude\":[\"A\"]}"},
        {WSHUB_DEST_ROOM, "r", "4", "", "ws:room:r {\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\",\"event\":\"m\",\"data\":4,\"exclude\":[]}"},
        {WSHUB_DEST_ALL, "", "\"\xC3\xA9 \\\"quoted\\\"\"", NULL, "ws:broadcast {\"serverId\":\"emitter\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":\"\xC3\xA9 \\\"quoted\\\"\"}"},
        {WSHUB_DEST_ALL, "", NULL, NULL, "ws:broadcast {\"serverId\":\"emitter\",\"type\":\"broadcast\",\"event\":\"m\"}"},
        {WSHUB_DEST_RESOLVE, "r", "1", NULL, "ws:room:r {\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\",\"event\":\"m\",\"data\":1}"},
    };
    wshub_loop *loop;
    wshub_bus eb, ob;
    wshub_emitter *em;
    wshub_bus_owner owner;
    wshub_str to = {NULL, 0};
    wshub_bus_channel every = {{"*", 1}, true};
    size_t i;
    to.ptr = seen;
    memset(&owner, 0, sizeof owner);
    owner.ctx = &to;
    owner.received = nobody;
    owner.state = nothing;
    owner.wake = NULL;
    EXPECT_INT(wshub_loop_create(NULL, &loop), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(loop, &eb), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(loop, &ob), WSHUB_OK);
    EXPECT_INT(ob.attach(ob.ctx, &owner), WSHUB_OK);
    ob.pump(ob.ctx);
    EXPECT(ob.subscribe(ob.ctx, &every, 1));
    EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &eb, .bus_queue_bytes_max = 300}, &em), WSHUB_OK);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_dest d;
        wshub_msg m = msg("m", cases[i].data);
        wshub_str x = wshub_str_z(cases[i].exclude);
        memset(&d, 0, sizeof d);
        d.kind = cases[i].kind;
        d.name = wshub_str_z(cases[i].name);
        d.exclude = cases[i].exclude ? &x : NULL;
        d.exclude_count = cases[i].exclude && cases[i].exclude[0] ? 1 : 0;
        EXPECT_INT(wshub_emitter_send(em, &d, &m), WSHUB_OK);
        ob.pump(ob.ctx);
        if (strcmp(seen, cases[i].want) != 0) (void)printf("  got  %s\n  want %s\n", seen, cases[i].want);
        EXPECT(strcmp(seen, cases[i].want) == 0);
    }
    {
        wshub_msg m = msg("m", "1"), bad = msg("m", "{");
        int kept = 0;
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_JSON);
        EXPECT_INT(wshub_emitter_send(em, NULL, NULL), WSHUB_ERR_PARAM);
        wshub_loop_set_down(loop, true);
        while (kept < 100 && wshub_emitter_send(em, NULL, &m) == WSHUB_OK) kept++;
        EXPECT(kept > 2 && kept < 6); /* then LIMIT: nothing is lost unseen */
        wshub_loop_set_down(loop, false);
        seen[0] = 0;
        EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
        ob.pump(ob.ctx);
        EXPECT(seen[0]);
    }
    wshub_emitter_destroy(em);
    (void)ob.attach(ob.ctx, NULL);
    wshub_loop_destroy(loop);
}

TEST(what_is_no_envelope_is_counted_and_harms_nobody) { /* BUS-3; golden in-*.jsonl, every field of every type */
    static const struct { const char *payload, *got; } cases[] = {
        {"", ""}, {"nope", ""}, {"{", ""}, {"null", ""}, {"5", ""}, {"[]", ""}, {"{}", ""}, {"{\"serverId\":\"x\"}", ""}, {"{\"event\":\"m\"}", ""},
        {"{\"serverId\":1,\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}", ""}, {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":2,\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"event\":\"m\",\"data\":1}", ""}, {"{\"serverId\":\"x\",\"type\":\"BROADCAST\",\"event\":\"m\",\"data\":1}", ""}, {"{\"serverId\":\"x\",\"type\":7,\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"event\":\"m\",\"data\":1}", ""}, {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":\"\",\"event\":\"m\",\"data\":1}", ""}, {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":null,\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":[\"ws-default\"],\"event\":\"m\",\"data\":1}", ""}, {"{\"serverId\":\"x\",\"type\":\"\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"A\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}", ""}, {"{\"serverId\":\"\\u0041\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}", ""}, {" {\"type\":\"broadcast\",\"serverId\":\"A\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"\xFF\",\"data\":1}", ""},
        {"{\"serverId\":\"\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}", "{\"event\":\"m\",\"data\":1}"}, {"{\"serverId\":\"a\",\"type\":\"broadcast\",\"event\":\"m\"}", "{\"event\":\"m\"}"},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":null,\"exclude\":null}", "{\"event\":\"m\",\"data\":null}"},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"\",\"data\":1,\"exclude\":[1,{},\"z\"]}", "{\"event\":\"\",\"data\":1}"},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"type\":\"broadcast\",\"event\":\"a\",\"event\":\"\\u00e9\",\"data\":1,\"data\":1.0}", "{\"event\":\"\xC3\xA9\",\"data\":1.0}"},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"target\":\"nobody\",\"event\":\"m\",\"data\":3} ", "{\"event\":\"m\",\"data\":3}"},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":\"ws-default\",\"event\":\"m\",\"data\":\"\\ud800\"}", "{\"event\":\"m\",\"data\":\"\\ud800\"}"},
    };
    pair p;
    wshub_conn a;
    size_t i;
    pair_start(&p, false);
    a = world_client(&p.a, NULL, NULL);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub__bus_received(p.a.hub, wshub_str_z(strstr(cases[i].payload, "\\ud800") ? "ws:room:ws-default" : "ws:broadcast"), wshub_str_z(cases[i].payload));
        pair_run(&p);
        if (cases[i].got[0]) EXPECT_TEXT(&p.a, a, cases[i].got);
        EXPECT_SILENCE(&p.a, a);
    }
    EXPECT_INT(stats(&p.a).bus_self_echo, 3);
    EXPECT_INT(stats(&p.a).bus_received, sizeof cases / sizeof *cases);
    pair_stop(&p);
}

TEST(a_hub_with_a_bus_needs_an_io_that_wakes) {
    wshub_loop *loop;
    wshub_bus bus;
    wshub_io_fake *net;
    wshub *hub;
    EXPECT_INT(wshub_loop_create(NULL, &loop), WSHUB_OK);
    EXPECT_INT(wshub_loop_bus(loop, &bus), WSHUB_OK);
    EXPECT_INT(wshub_io_fake_create(&(wshub_io_fake_desc){.no_wake = true}, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net), .bus = &bus}, &hub), WSHUB_ERR_NOWAKE); /* the seat has been ended */
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(net)}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_post(hub, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_ask_fail(hub, (wshub_ask){0}), WSHUB_ERR_NOWAKE);
    wshub_destroy(hub);
    wshub_io_fake_destroy(net);
    wshub_loop_destroy(loop);
}

TEST(an_envelope_on_a_channel_that_does_not_fit_is_refused_unless_that_is_wanted) { /* BUS-3; golden in-channel.jsonl */
    static const struct { const char *channel, *type, *target; bool fits; } cases[] = {
        {"ws:broadcast", "broadcast", NULL, true}, {"ws:broadcast", "broadcast", "x", true}, {"ws:room:r", "broadcast", NULL, false},
        {"ws:room:", "broadcast", NULL, false}, {"ws:broadcast2", "broadcast", NULL, false}, {"ws:broadcas", "broadcast", NULL, false},
        {"ws:room:ws-default", "room", "ws-default", true}, {"ws:room:ws-defaul", "room", "ws-default", false},
        {"ws:room:ws-default2", "room", "ws-default", false}, {"ws:broadcast", "room", "ws-default", false},
        {"ws:user:ws-default", "room", "ws-default", false}, {"ws:user:ua", "user", "ua", true}, {"ws:user:b", "user", "ua", false},
        {"ws:client:ua", "user", "ua", false}, {"", "room", "ws-default", false},
    };
    int any;
    size_t i;
    for (any = 0; any < 2; any++) {
        pair p;
        wshub_conn a;
        world w;
        wshub_bus bus;
        uint64_t refused = 0;
        pair_start(&p, false);
        EXPECT_INT(wshub_loop_bus(p.loop, &bus), WSHUB_OK);
        world_start(&w, DESC(.on_authenticate = accept_all, .bus = &bus, .bus_any_channel = any == 1), FAKE(.seed = 9));
        a = world_client(&w, "ua", NULL);
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            char text[200];
            (void)snprintf(text, sizeof text, "{\"serverId\":\"x\",\"type\":\"%s\",%s%s%s\"event\":\"m\",\"data\":1}", cases[i].type,
                           cases[i].target ? "\"target\":\"" : "", cases[i].target ? cases[i].target : "", cases[i].target ? "\"," : "");
            wshub__bus_received(w.hub, wshub_str_z(cases[i].channel), wshub_str_z(text));
            wshub_io_fake_run(w.net);
            if (any || cases[i].fits) EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":1}");
            else refused++;
            EXPECT_SILENCE(&w, a);
            EXPECT_INT(stats(&w).bus_refused, refused);
        }
        world_stop(&w);
        pair_stop(&p);
    }
}

/* A bus that writes down what it is told, takes when it may, and is up or down as the test says. */
typedef struct told {
    wshub_bus_owner owner;
    char log[8192];
    size_t len;
    int calls;
    bool full;
} told;

static wshub_err told_attach(void *ctx, const wshub_bus_owner *owner) {
    told *t = (told *)ctx;
    if (owner) t->owner = *owner;
    return WSHUB_OK;
}
static void told_write(told *t, char sign, wshub_str s) {
    t->len += (size_t)snprintf(t->log + t->len, sizeof t->log - t->len, "%c%.*s ", sign, (int)s.len, s.ptr);
}
static size_t told_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) told_write((told *)ctx, '!', wshub_json_get(msgs[i].payload, "data"));
    return count;
}
static bool told_change(told *t, char sign, const wshub_bus_channel *channels, size_t count) {
    size_t i;
    EXPECT(count > 0 && count <= WSHUB_BUS_BATCH);
    if (t->full) return false;
    t->calls++;
    for (i = 0; i < count; i++) told_write(t, sign, channels[i].name);
    return true;
}
static bool told_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    return told_change((told *)ctx, '+', channels, count);
}
static bool told_unsubscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    return told_change((told *)ctx, '-', channels, count);
}
static void told_start(world *w, told *t, bool exact) {
    wshub_bus bus;
    memset(t, 0, sizeof *t);
    memset(&bus, 0, sizeof bus);
    bus.ctx = t;
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = told_attach;
    bus.publish = told_publish;
    bus.subscribe = told_subscribe;
    bus.unsubscribe = told_unsubscribe;
    world_start(w, DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = exact, .on_bus = pair_bus, .no_default_rooms = true), FAKE(.seed = 5));
}
static void told_state(world *w, told *t, wshub_bus_state state) {
    t->owner.state(t->owner.ctx, state);
    wshub_io_fake_run(w->net);
}
#define EXPECT_TOLD(t, want)                                                                               \
    do {                                                                                                   \
        if (strcmp((t)->log, want) != 0) {                                                                 \
            test_failures++;                                                                               \
            (void)printf("  %s:%d: told %s\n    expected %s\n", __FILE__, __LINE__, (t)->log, want);       \
        }                                                                                                  \
        (t)->len = 0;                                                                                      \
        (t)->log[0] = 0;                                                                                   \
    } while (0)

TEST(every_connection_is_told_all_that_is_wanted) { /* BUS-1, BUS-5 */
    world w;
    told t;
    told_start(&w, &t, false);
    EXPECT_TOLD(&t, "");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* ");
    EXPECT(strcmp(w.log, "") == 0); /* not up before it is acknowledged */
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
    EXPECT(strcmp(w.log, "up down up ") == 0);
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
    (void)snprintf(want, sizeof want, "+ws:broadcast +ws:room:late +ws:room:z +ws:user:u +ws:client:%s +ws:room:%s ", id, id);
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

/* ---- hubs of one process ---- */

TEST(what_a_hub_hears_from_another_is_what_was_said_whoever_is_excluded) { /* SEND-3, MSG-9 */
    static const char *const events[] = {"m", "\"q\\", "\xC3\xA9\n", "a longer name of an event than most of them have"};
    static const char *const datas[] = {"1", "{\"x\":[1,2,{\"y\":null}]}", "\"\\u00e9 \xC3\xA9\"", "[]"};
    pair p;
    wshub_conn a, b, c;
    char ia[37], ib[37], ic[37];
    wshub_str out[48], id;
    size_t e, n, i;
    pair_start(&p, false);
    a = world_client(&p.a, NULL, ia);
    b = world_client(&p.b, NULL, ib);
    c = world_client(&p.b, NULL, ic);
    pair_run(&p);
    id = wshub_str_z(ib);
    for (e = 0; e < 4; e++) {
        for (n = 0; n <= 41; n += n ? 10 : 1) { /* 0, 1, 11, 21, 31, 41: over 32 there is no brief */
            wshub_dest d;
            wshub_msg m = msg(events[e], datas[e]);
            char want[200];
            size_t len;
            wshub_io_fake_frame fa, fc;
            memset(&d, 0, sizeof d);
            d.kind = WSHUB_DEST_ROOM;
            d.name = S("ws-default");
            for (i = 0; i < n; i++) out[i] = i == n / 2 ? id : S("somebody");
            d.exclude = out;
            d.exclude_count = n;
            EXPECT_INT(wshub_send(p.a.hub, &d, &m), WSHUB_OK);
            pair_run(&p);
            (void)strcpy(want, "{\"event\":");
            len = strlen(want);
            len += wshub_json_quote(m.event, want + len, sizeof want - len);
            (void)snprintf(want + len, sizeof want - len, ",\"data\":%s}", datas[e]);
            EXPECT(wshub_io_fake_next(p.a.net, a, &fa) && wshub_str_eq_z(fa.payload, want));
            EXPECT(wshub_io_fake_next(p.b.net, c, &fc) && wshub_str_eq_z(fc.payload, want));
            if (!n) EXPECT_TEXT(&p.b, b, want);
            EXPECT_SILENCE(&p.b, b);
        }
    }
    EXPECT_INT(stats(&p.b).bus_bad + stats(&p.b).bus_refused + stats(&p.b).bus_discarded, 0);
    EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ROOM, "nobody is here", "1"), WSHUB_OK);
    EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_USER, "nor here", "1"), WSHUB_OK);
    pair_run(&p);
    EXPECT_INT(stats(&p.b).bus_discarded, 2);
    {
        uint64_t received = stats(&p.b).bus_received;
        p.b.hub->server_id = S("A"); /* two of one name hear nothing from each other */
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ALL, "", "1"), WSHUB_OK);
        pair_run(&p);
        EXPECT_SILENCE(&p.b, c);
        EXPECT_INT(stats(&p.b).bus_self_echo, 1);
        EXPECT_INT(stats(&p.b).bus_received, received + 1);
    }
    pair_stop(&p);
}

static void shout(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event, void *user) {
    char text[64];
    wshub_msg m;
    (void)client;
    (void)user;
    (void)snprintf(text, sizeof text, "[%.*s]", (int)event->data.len, event->data.ptr);
    memset(&m, 0, sizeof m);
    m.event = event->event;
    m.data = wshub_str_z(text);
    EXPECT_INT(wshub_transform_accept(hub, ask, &m), WSHUB_OK);
}
static void last_words(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event, void *user) {
    (void)ask;
    (void)client;
    (void)event;
    (void)user;
    wshub_destroy(hub);
}
static void on_loop(world *w, wshub_loop *loop, void (*transform)(wshub *, wshub_ask, wshub_client, const wshub_event *, void *)) {
    wshub_bus bus;
    EXPECT_INT(wshub_loop_bus(loop, &bus), WSHUB_OK);
    HIDE(bus);
    world_start(w, DESC(.on_authenticate = accept_all, .on_transform_out = transform, .bus = &bus), FAKE(.seed = transform ? 4 : 3));
}
TEST(a_hub_hears_others_through_its_transformer_which_may_end_it) { /* ENC-1 */
    wshub_loop *loop;
    world a, b;
    char id[37];
    wshub_conn c;
    EXPECT_INT(wshub_loop_create(NULL, &loop), WSHUB_OK);
    on_loop(&a, loop, NULL);
    on_loop(&b, loop, shout);
    c = world_client(&b, NULL, id);
    wshub__client_get(b.hub, world_handle(&b, id))->encrypted = true;
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", "17"), WSHUB_OK);
    wshub_io_fake_run(a.net);
    wshub_io_fake_run(b.net);
    EXPECT_TEXT(&b, c, "{\"event\":\"m\",\"data\":[17]}");
    b.hub->desc.on_transform_out = last_words;
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", "18"), WSHUB_OK);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", "19"), WSHUB_OK);
    wshub_io_fake_run(a.net);
    {
        wshub *hub = b.hub;
        b.hub = NULL;
        (void)wshub_settle(hub);
    }
    EXPECT_INT(b.bytes, 0);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", "20"), WSHUB_OK); /* nobody else is there */
    wshub_io_fake_run(a.net);
    wshub_io_fake_destroy(b.net);
    world_stop(&a);
    wshub_loop_destroy(loop);
}

#ifndef ENVELOPES
TEST(want_of_memory_between_hubs_loses_a_message_and_nothing_else) {
    static char big[100000]; /* more than a segment, and ever more: each frame of it takes memory */
    pair p;
    wshub_conn b;
    wshub_msg m;
    wshub_io_fake_frame f;
    int i;
    memset(big, '1', sizeof big);
    pair_start(&p, false);
    p.a.hub->desc.bus_queue_bytes_max = 1u << 20;
    b = world_client(&p.b, NULL, NULL);
    pair_run(&p);
    m = msg("m", "1");
    for (i = 0; i < 4; i++) { /* 1: no frame, so the envelope goes alone; 2: no place in the outbox; 3: no frame over there */
        m.data = wshub__str(big, 70000 + (size_t)i * 10000);
        p.a.fail_at = i == 3 ? 0 : i;
        EXPECT_INT(wshub_send(p.a.hub, NULL, &m), i == 2 ? WSHUB_ERR_NOMEM : WSHUB_OK);
        p.a.fail_at = 0;
        wshub_io_fake_run(p.a.net);
        p.b.fail_at = i == 3 ? 1 : 0;
        wshub_io_fake_run(p.b.net);
        p.b.fail_at = 0;
        EXPECT(wshub_io_fake_next(p.b.net, b, &f) == (i < 2));
        if (i < 2) EXPECT_INT(f.payload.len, 21 + m.data.len);
    }
    EXPECT_INT(stats(&p.b).bus_discarded, 1);
    EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_ALL, "", "2"), WSHUB_OK);
    pair_run(&p);
    EXPECT_TEXT(&p.b, b, "{\"event\":\"m\",\"data\":2}");
    pair_stop(&p);
}
#endif

TEST(what_a_loop_may_keep_is_counted_in_envelopes) { /* the brief beside one is no reason to drop it */
    static char text[701];
    wshub_loop *loop;
    wshub_loop_desc ld;
    world a, b;
    wshub_conn c;
    wshub_io_fake_frame f;
    memset(text, '1', sizeof text - 1);
    memset(&ld, 0, sizeof ld);
    ld.queue_bytes_max = 1000;
    EXPECT_INT(wshub_loop_create(&ld, &loop), WSHUB_OK);
    on_loop(&a, loop, NULL);
    on_loop(&b, loop, shout);
    c = world_client(&b, NULL, NULL);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", text), WSHUB_OK);
    wshub_io_fake_run(a.net);
    EXPECT_INT(wshub_loop_dropped(loop), 0);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", text), WSHUB_OK); /* two are too much */
    wshub_io_fake_run(a.net);
    EXPECT_INT(wshub_loop_dropped(loop), 1);
    wshub_io_fake_run(b.net);
    EXPECT(wshub_io_fake_next(b.net, c, &f) && f.payload.len == 21 + sizeof text - 1);
    EXPECT_SILENCE(&b, c);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", text), WSHUB_OK); /* what was heard makes room */
    wshub_io_fake_run(a.net);
    EXPECT_INT(wshub_loop_dropped(loop), 1);
    wshub_io_fake_run(b.net);
    EXPECT(wshub_io_fake_next(b.net, c, &f));
    world_stop(&a);
    world_stop(&b);
    wshub_loop_destroy(loop);
}

/* ---- seats ---- */
static struct { wshub_bus bus; int heard, leave_at, woken; bool in_state; } ears[3];
static void ear_received(void *ctx, wshub_str channel, wshub_str payload) {
    int i = *(int *)ctx;
    (void)channel;
    (void)payload;
    if (++ears[i].heard == ears[i].leave_at) (void)ears[i].bus.attach(ears[i].bus.ctx, NULL);
}
static void ear_state(void *ctx, wshub_bus_state state) {
    static const wshub_bus_channel every = {{"*", 1}, true};
    int i = *(int *)ctx;
    if (state != WSHUB_BUS_CONNECTED) return;
    EXPECT(ears[i].bus.subscribe(ears[i].bus.ctx, &every, 1));
    if (ears[i].in_state) (void)ears[i].bus.attach(ears[i].bus.ctx, NULL);
}
static void ear_wake(void *ctx) { ears[*(int *)ctx].woken++; }

TEST(who_leaves_the_loop_hears_nothing_more_wherever_he_stands) {
    static int numbers[3] = {0, 1, 2};
    static char text[400];
    wshub_loop *loop;
    wshub_loop_desc ld;
    world w;
    wshub__item items[64];
    int i;
    memset(&w, 0, sizeof w);
    memset(&ld, 0, sizeof ld);
    memset(ears, 0, sizeof ears);
    memset(text, 'x', sizeof text);
    ld.alloc = world_alloc;
    ld.alloc_user = &w;
    ld.queue_bytes_max = 4400;
    EXPECT_INT(wshub_loop_create(&ld, &loop), WSHUB_OK);
    for (i = 0; i < 3; i++) {
        wshub_bus_owner owner;
        memset(&owner, 0, sizeof owner);
        owner.ctx = &numbers[i];
        owner.received = ear_received;
        owner.state = ear_state;
        owner.wake = ear_wake;
        ears[i].in_state = i == 2;
        EXPECT_INT(wshub_loop_bus(loop, &ears[i].bus), WSHUB_OK);
        EXPECT_INT(ears[i].bus.attach(ears[i].bus.ctx, &owner), WSHUB_OK);
        EXPECT_INT(ears[i].woken, 1);
    }
    for (i = 0; i < 64; i++) {
        items[i].channel = S("c");
        items[i].payload = wshub__str(text, 40);
        items[i].brief = wshub__str(NULL, 0);
    }
    for (i = 0; i < 2; i++) ears[i].bus.pump(ears[i].bus.ctx);
    w.fail_at = 1; /* the list of the others, then the parcel */
    EXPECT_INT(wshub__seat_give(ears[0].bus.ctx, items, 64), 0);
    w.fail_at = 2;
    EXPECT_INT(wshub__seat_give(ears[0].bus.ctx, items, 64), 0);
    EXPECT_INT(wshub__seat_give(ears[0].bus.ctx, items, 10), 10); /* one parcel: a piece of memory, a wake */
    EXPECT_INT(ears[1].woken, 2);
    ears[1].bus.pump(ears[1].bus.ctx);
    EXPECT_INT(ears[1].heard, 10);
    EXPECT_INT(wshub__seat_give(ears[0].bus.ctx, items, 64), 64); /* four parcels, as each has at most a quarter of the limit */
    EXPECT_INT(ears[1].woken, 3);
    EXPECT_INT(wshub_loop_dropped(loop), 0);
    EXPECT_INT(wshub__seat_give(ears[0].bus.ctx, items, 40), 40);
    EXPECT(wshub_loop_dropped(loop) > 0 && wshub_loop_dropped(loop) <= 80); /* by those whose box is full: 1 and 2 */
    ears[2].bus.pump(ears[2].bus.ctx); /* leaves when it is told that it is connected */
    EXPECT_INT(ears[2].heard, 0);
    w.fail_at = 2; /* the parcel of the second call; what came before it is taken */
    EXPECT_INT(wshub__seat_give(ears[1].bus.ctx, items, 64), 0);
    ears[1].leave_at = 20;
    EXPECT_INT(wshub__seat_send((wshub__seat *)ears[0].bus.ctx, items, 1), 1); /* to one who has left, and does not look */
    ears[1].bus.pump(ears[1].bus.ctx); /* leaves in the middle of a parcel */
    EXPECT_INT(ears[1].heard, 20);
    EXPECT_INT(wshub__seat_send((wshub__seat *)ears[0].bus.ctx, items, 1), 1);
    i = ears[1].woken;
    EXPECT_INT(wshub__seat_give(ears[0].bus.ctx, items, 3), 3); /* alone */
    EXPECT_INT(ears[1].woken, i);
    (void)ears[0].bus.attach(ears[0].bus.ctx, NULL);
    wshub_loop_destroy(loop);
    EXPECT_INT(w.bytes, 0);
}

/* ---- a busy turn and an outage are different things (BUS-5, BYE-2, EMIT-1) ---- */

/* A bus that takes `cap` bytes until it has been flushed `flushes` times more, acknowledges and passes time by hand. What
 * it takes is numbered by its data. */
typedef struct slow {
    wshub_bus bus;
    wshub_bus_owner owner;
    size_t cap, held, flushes;
    long next, taken, gaps; /* the number that must come next, how many came, how many are missing between */
    uint64_t unacknowledged;
    uint32_t alarm_ms;
    bool left, shorted;
} slow;

static wshub_err slow_attach(void *ctx, const wshub_bus_owner *owner) {
    slow *s = (slow *)ctx;
    if (owner) s->owner = *owner;
    else s->left = true;
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
    if (s->owner.room) s->owner.room(s->owner.ctx);
    else s->owner.wake(s->owner.ctx);
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

TEST(a_busy_turn_over_a_bus_that_is_up_loses_nothing_whatever_the_sizes) { /* BUS-5: generated around every limit */
    static const size_t sizes[] = {1, 20, 63, QUEUE / 2, QUEUE - 130, QUEUE - 1, QUEUE, QUEUE + 1, 2 * QUEUE, BURST / 2};
    static const size_t caps[] = {1, 1000, QUEUE, BURST, SIZE_MAX};
    int seed;
    for (seed = 1; seed <= 300; seed++) {
        static slow s;
        world w;
        wshub_emitter *em = NULL;
        bool emits = seed % 2 == 0;
        long n = 0, turns;
        dice_state = (uint32_t)seed;
        memset(&w, 0, sizeof w);
        (void)slow_bus(&s, caps[dice(5)]);
        if (emits) EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &s.bus, .bus_queue_bytes_max = QUEUE, .bus_burst_bytes_max = BURST}, &em), WSHUB_OK);
        else world_start(&w, DESC(.on_authenticate = accept_all, .bus = &s.bus, .bus_queue_bytes_max = QUEUE, .bus_burst_bytes_max = BURST), FAKE(0));
        slow_state(&s, WSHUB_BUS_UP);
        for (turns = 0; turns < 4; turns++) {
            size_t waits = 0;
            s.flushes = dice(3); /* what the network takes within the turn, and then no more */
            for (;;) { /* as much as may wait, whatever has been taken; the first one however long */
                size_t bytes = waits || dice(4) ? sizes[dice(10)] : 3 * BURST;
                wshub_msg m = numbered(n, bytes);
                if (waits && waits + bytes + 150 > BURST) break;
                waits += bytes + 150;
                n++;
                EXPECT_INT(emits ? wshub_emitter_send(em, NULL, &m) : wshub_send(w.hub, NULL, &m), WSHUB_OK);
            }
            while (emits ? wshub_emitter_queued_bytes(em) > 0 : stats(&w).bus_queued_bytes > 0 || (w.hub && (wshub_io_fake_run(w.net), stats(&w).bus_queued_bytes > 0))) {
                long before = s.taken;
                slow_drain(&s); /* it leaves by itself, without a further send */
                if (!emits) wshub_io_fake_run(w.net);
                EXPECT(s.taken > before);
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
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = slow_bus(&s, 0), .bus_queue_bytes_max = QUEUE, .bus_burst_bytes_max = BURST, .on_log = dropped_log), FAKE(0));
    slow_state(&s, WSHUB_BUS_UP); /* up, and takes nothing: a broker that does not read */
    while (stats(&w).bus_dropped < 5) {
        m = numbered(n++, 1000);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    }
    EXPECT(stats(&w).bus_queued_bytes <= BURST && stats(&w).bus_queued_bytes > BURST - 1200);
    EXPECT_INT(stats(&w).bus_dropped_up, 5);
    EXPECT_INT(dropped_lines, 5);
    EXPECT(strstr(dropped_line, "bus_burst_bytes_max"));
    slow_state(&s, WSHUB_BUS_DOWN); /* now it is an outage */
    EXPECT(stats(&w).bus_queued_bytes <= QUEUE && stats(&w).bus_queued_bytes > QUEUE - 1200);
    EXPECT(strstr(dropped_line, "bus_queue_bytes_max"));
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
    EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, 0), .bus_queue_bytes_max = QUEUE, .bus_burst_bytes_max = BURST}, &em), WSHUB_OK);
    slow_state(&s, WSHUB_BUS_UP);
    for (n = 0; !refused; n += !refused) {
        m = numbered(n, 1000);
        refused = wshub_emitter_send(em, NULL, &m) == WSHUB_ERR_LIMIT;
    }
    EXPECT(wshub_emitter_queued_bytes(em) > BURST - 1200);
    EXPECT_INT(wshub_emitter_dropped(em), 0);
    slow_state(&s, WSHUB_BUS_DOWN);
    EXPECT(wshub_emitter_queued_bytes(em) <= QUEUE);
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
    for (way = 0; way < 6; way++) { /* acknowledged, never, kept and then taken, never taken, down, no such entry */
        static slow s;
        world w;
        wshub_msg m = msg("e", "0");
        unconfirmed_lines = dropped_lines = 0;
        (void)slow_bus(&s, way == 2 || way == 3 ? 0 : SIZE_MAX);
        if (way == 5) s.bus.pending = NULL;
        world_start(&w, DESC(.on_authenticate = accept_all, .bus = &s.bus, .on_log = dropped_log), FAKE(0));
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
        if (way == 3 || way == 4) EXPECT(strstr(dropped_line, "shutdown_timeout_ms"));
        EXPECT_INT(stats(&w).bus_queued_bytes, 0);
        world_stop(&w);
    }
    { /* the end without a shutdown hands over what it can, last words included */
        static slow s;
        world w;
        wshub_msg m = msg("e", "0");
        world_start(&w, DESC(.on_authenticate = accept_all, .bus = slow_bus(&s, SIZE_MAX)), FAKE(0));
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
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &s.bus, .bus_queue_bytes_max = 1000}, &em), WSHUB_OK);
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
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, 0), .bus_queue_bytes_max = 1000, .bus_burst_bytes_max = 999}, &em), WSHUB_ERR_PARAM);
        EXPECT(s.left);
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, 0), .json_depth_max = WSHUB_JSON_DEPTH_MAX + 1}, &em), WSHUB_ERR_PARAM);
        EXPECT(!em && s.left);
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = slow_bus(&s, SIZE_MAX)}, &em), WSHUB_OK);
        s.owner.late(s.owner.ctx); /* nobody had asked */
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
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &s.bus, .bus_queue_bytes_max = 32u << 20}, &em), WSHUB_OK);
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
    { /* the loop has nothing to wait for, up or down */
        static slow ear;
        wshub_loop *loop;
        wshub_bus bus;
        wshub_emitter *em;
        wshub_msg m = numbered(0, 200);
        int down;
        for (down = 0; down < 2; down++) {
            ear.left = true;
            EXPECT_INT(wshub_loop_create(NULL, &loop), WSHUB_OK);
            EXPECT_INT(wshub_loop_bus(loop, &bus), WSHUB_OK);
            HIDE(bus);
            EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &bus}, &em), WSHUB_OK);
            wshub_loop_set_down(loop, down);
            EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
            closed_calls = 0;
            wshub_emitter_close(em, 3000, on_emitter_closed, &ear);
            EXPECT_INT(closed_calls, 1);
            EXPECT_INT(closed_lost, down);
            wshub_loop_destroy(loop);
        }
    }
}

TEST(what_is_accepted_for_sending_is_read_by_every_equal_instance) { /* MSG-9, BUS-3: at every depth around every limit */
    static const uint32_t limits[] = {1, 2, 7, 1024, WSHUB_JSON_DEPTH_MAX};
    static char text[2 * (WSHUB_JSON_DEPTH_MAX + 4)];
    size_t i;
    for (i = 0; i < sizeof limits / sizeof *limits; i++) {
        wshub_loop *loop;
        wshub_bus bus[3];
        world w[2];
        wshub_emitter *em;
        uint32_t depth;
        int k;
        EXPECT_INT(wshub_loop_create(NULL, &loop), WSHUB_OK);
        for (k = 0; k < 3; k++) {
            EXPECT_INT(wshub_loop_bus(loop, &bus[k]), WSHUB_OK);
            HIDE(bus[k]);
        }
        for (k = 0; k < 2; k++) world_start(&w[k], DESC(.on_authenticate = accept_all, .bus = &bus[k], .json_depth_max = limits[i]), FAKE(.seed = (uint64_t)k + 1));
        EXPECT_INT(wshub_emitter_create(&(wshub_emitter_desc){.bus = &bus[2], .json_depth_max = limits[i]}, &em), WSHUB_OK);
        for (k = 0; k < 3; k++) {
            wshub_io_fake_run(w[0].net);
            wshub_io_fake_run(w[1].net);
        }
        for (depth = limits[i] > 2 ? limits[i] - 2 : 1; depth <= limits[i] + 2; depth++) {
            wshub_msg m = msg("e", "1");
            uint64_t bad[2], heard[2];
            bool accepted;
            int emits;
            memset(text, '[', depth);
            memset(text + depth, ']', depth);
            m.data = wshub__str(text, 2 * (size_t)depth);
            for (emits = 0; emits < 2; emits++) {
                for (k = 0; k < 2; k++) {
                    bad[k] = stats(&w[k]).bus_bad;
                    heard[k] = stats(&w[k]).bus_received;
                }
                accepted = (emits ? wshub_emitter_send(em, NULL, &m) : wshub_send(w[0].hub, NULL, &m)) == WSHUB_OK;
                EXPECT_INT(accepted, depth < limits[i]);
                for (k = 0; k < 3; k++) {
                    wshub_io_fake_run(w[0].net);
                    wshub_io_fake_run(w[1].net);
                }
                EXPECT_INT(stats(&w[1]).bus_received, heard[1] + accepted);
                EXPECT_INT(stats(&w[1]).bus_bad, bad[1]);
                EXPECT_INT(stats(&w[0]).bus_bad, bad[0]);
            }
        }
        wshub__bus_received(w[1].hub, S("ws:broadcast"), S("")); /* nothing, and what is no object, whatever its depth */
        wshub__bus_received(w[1].hub, S("ws:broadcast"), S("  \n"));
        wshub__bus_received(w[1].hub, S("ws:broadcast"), wshub__str(text, 2 * (size_t)(limits[i] + 1)));
        EXPECT_INT(stats(&w[1]).bus_bad, 3);
        wshub_emitter_destroy(em);
        for (k = 0; k < 2; k++) world_stop(&w[k]);
        wshub_loop_destroy(loop);
    }
}
