/* Hubs that hear each other over a bus: clients, rooms and users of other instances, envelopes,
 * subscriptions (BUS-1 to BUS-4, SEND-3, SEND-4, MSG-9). Hubs on a local bus hand each other
 * briefs; with ENVELOPES defined (test_bus_envelopes.c, test_outbox_envelopes.c) they do not see that it is one, and
 * write and read envelopes, as over any other bus. */
#include "hubtest.h"
#include "bus_pair.h"

TEST(two_hubs_reach_each_others_clients_rooms_and_users) { /* SEND-3, SEND-4, BUS-1, BUS-4 */
    int exact;
    for (exact = 0; exact < 2; exact++) {
        pair p;
        char ia[37], ib[37];
        wshub_conn a, b;
        wshub_str ex;
        wshub_dest d = {0};
        wshub_msg m = msg("m", "9");
        pair_start(&p, exact);
        a = world_client(&p.a, "ua", ia);
        b = world_client(&p.b, "ub", ib);
        /* BUS-6 */
        EXPECT_INT(wshub_client_join(p.b.hub, world_handle(&p.b, ib), wshub_str_z("ws:odd*room?")),
                   WSHUB_OK);
        pair_run(&p);
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_RESOLVE, "", "1"), WSHUB_OK);
        /* as its own-id room */
        EXPECT_INT(send_to(p.a.hub, WSHUB_DEST_RESOLVE, ib, "2"), WSHUB_OK);
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
        /* the exact one hears only what it needs */
        EXPECT_INT(stats(&p.b).bus_received, exact ? 6 : 8);
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
    wshub_bus_local_set_down(p.local, true);
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
    wshub_bus_local_set_down(p.local, false);
    pair_run(&p);
    for (got = 0; wshub_io_fake_next(p.b.net, b, &f); got++) {
        int v = atoi(wshub_json_get(f.payload, "data").ptr);
        if (first < 0) first = v;
        EXPECT_INT(v, first + got); /* in order, none twice */
    }
    EXPECT_INT(first + got, 100);
    EXPECT_INT(got + (int)stats(&p.a).bus_dropped, 100);
    EXPECT_STR(p.a.log, "up down up ");
    pair_stop(&p);
}

static void nobody(void *ctx, wshub_str channel, wshub_str payload) {
    wshub_str *out = (wshub_str *)ctx;
    (void)snprintf((char *)(uintptr_t)out->ptr, 400, "%.*s %.*s", (int)channel.len, channel.ptr,
                   (int)payload.len, payload.ptr);
}
static void nothing(void *ctx, wshub_bus_state s) {
    (void)ctx;
    (void)s;
}

/* BUS-2, EMIT-1; golden emitter.jsonl, pub-*.jsonl */
TEST(envelopes_read_as_the_reference_writes_them) {
    static char seen[512];
    static const struct {
        wshub_dest_kind kind;
        const char *name, *data, *exclude, *want;
        /* clang-format off */
    } cases[] = {
        {WSHUB_DEST_CLIENT, "B", "{\"x\":1}", NULL,
         "ws:client:B "
         "{\"serverId\":\"emitter\",\"type\":\"client\",\"target\":\"B\",\"event\":\"m\",\"data\":{"
         "\"x\":1}}"},
        {WSHUB_DEST_USER, "same", "2", NULL,
         "ws:user:same "
         "{\"serverId\":\"emitter\",\"type\":\"user\",\"target\":\"same\",\"event\":\"m\",\"data\":"
         "2}"},
        {WSHUB_DEST_ROOM, "r\"1", "[3]", NULL,
         "ws:room:r\"1 "
         "{\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\\\"1\",\"event\":\"m\","
         "\"data\":[3]}"},
        {WSHUB_DEST_ROOM, "r", "4", "A",
         "ws:room:r "
         "{\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\",\"event\":\"m\",\"data\":4,"
         "\"exclude\":[\"A\"]}"},
        {WSHUB_DEST_ROOM, "r", "4", "",
         "ws:room:r "
         "{\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\",\"event\":\"m\",\"data\":4,"
         "\"exclude\":[]}"},
        {WSHUB_DEST_ALL, "", "\"\xC3\xA9 \\\"quoted\\\"\"", NULL,
         "ws:broadcast "
         "{\"serverId\":\"emitter\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":\"\xC3\xA9 "
         "\\\"quoted\\\"\"}"},
        {WSHUB_DEST_ALL, "", NULL, NULL,
         "ws:broadcast {\"serverId\":\"emitter\",\"type\":\"broadcast\",\"event\":\"m\"}"},
        {WSHUB_DEST_RESOLVE, "r", "1", NULL,
         "ws:room:r "
         "{\"serverId\":\"emitter\",\"type\":\"room\",\"target\":\"r\",\"event\":\"m\",\"data\":"
         "1}"},
    };
    /* clang-format on */
    wshub_bus_local *local;
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
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &eb), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &ob), WSHUB_OK);
    EXPECT_INT(ob.attach(ob.ctx, &owner), WSHUB_OK);
    ob.pump(ob.ctx);
    EXPECT(ob.subscribe(ob.ctx, &every, 1));
    EXPECT_INT(
        wshub_emitter_create(&(wshub_emitter_desc){.bus = &eb, .bus_queue_bytes_max = 300}, &em),
        WSHUB_OK);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_dest d = {0};
        wshub_msg m = msg("m", cases[i].data);
        wshub_str x = wshub_str_z(cases[i].exclude);
        memset(&d, 0, sizeof d);
        d.kind = cases[i].kind;
        d.name = wshub_str_z(cases[i].name);
        d.exclude = cases[i].exclude ? &x : NULL;
        d.exclude_count = cases[i].exclude && cases[i].exclude[0] ? 1 : 0;
        EXPECT_INT(wshub_emitter_send(em, &d, &m), WSHUB_OK);
        ob.pump(ob.ctx);
        if (strcmp(seen, cases[i].want) != 0)
            (void)printf("  got  %s\n  want %s\n", seen, cases[i].want);
        EXPECT_STR(seen, cases[i].want);
    }
    {
        wshub_msg m = msg("m", "1"), bad = msg("m", "{");
        int kept = 0;
        EXPECT_INT(wshub_emitter_send(em, NULL, &bad), WSHUB_ERR_JSON);
        EXPECT_INT(wshub_emitter_send(em, NULL, NULL), WSHUB_ERR_PARAM);
        wshub_bus_local_set_down(local, true);
        while (kept < 100 && wshub_emitter_send(em, NULL, &m) == WSHUB_OK) kept++;
        EXPECT(kept > 2 && kept < 6); /* then LIMIT: nothing is lost unseen */
        wshub_bus_local_set_down(local, false);
        seen[0] = 0;
        EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
        ob.pump(ob.ctx);
        EXPECT(seen[0]);
    }
    wshub_emitter_destroy(em);
    (void)ob.attach(ob.ctx, NULL);
    wshub_bus_local_destroy(local);
}

/* BUS-3; golden in-*.jsonl, every field of every type */
TEST(what_is_no_envelope_is_counted_and_harms_nobody) {
    static const struct {
        const char *payload, *got;
        /* clang-format off */
    } cases[] = {
        {"", ""},
        {"nope", ""},
        {"{", ""},
        {"null", ""},
        {"5", ""},
        {"[]", ""},
        {"{}", ""},
        {"{\"serverId\":\"x\"}", ""},
        {"{\"event\":\"m\"}", ""},
        {"{\"serverId\":1,\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":2,\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"BROADCAST\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":7,\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":\"\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":null,\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":[\"ws-default\"],\"event\":\"m\","
         "\"data\":1}",
         ""},
        {"{\"serverId\":\"x\",\"type\":\"\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"A\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"\\u0041\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}", ""},
        {" {\"type\":\"broadcast\",\"serverId\":\"A\",\"event\":\"m\",\"data\":1}", ""},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"\xFF\",\"data\":1}", ""},
        {"{\"serverId\":\"\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":1}",
         "{\"event\":\"m\",\"data\":1}"},
        {"{\"serverId\":\"a\",\"type\":\"broadcast\",\"event\":\"m\"}", "{\"event\":\"m\"}"},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"m\",\"data\":null,\"exclude\":"
         "null}",
         "{\"event\":\"m\",\"data\":null}"},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"event\":\"\",\"data\":1,\"exclude\":[1,{},"
         "\"z\"]}",
         "{\"event\":\"\",\"data\":1}"},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"type\":\"broadcast\",\"event\":\"a\",\"event\":"
         "\"\\u00e9\",\"data\":1,\"data\":1.0}",
         "{\"event\":\"\xC3\xA9\",\"data\":1.0}"},
        {"{\"serverId\":\"x\",\"type\":\"broadcast\",\"target\":\"nobody\",\"event\":\"m\","
         "\"data\":3} ",
         "{\"event\":\"m\",\"data\":3}"},
        {"{\"serverId\":\"x\",\"type\":\"room\",\"target\":\"ws-default\",\"event\":\"m\",\"data\":"
         "\"\\ud800\"}",
         "{\"event\":\"m\",\"data\":\"\\ud800\"}"},
    };
    /* clang-format on */
    pair p;
    wshub_conn a;
    size_t i;
    pair_start(&p, false);
    a = world_client(&p.a, NULL, NULL);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub__bus_received(p.a.hub,
                            wshub_str_z(strstr(cases[i].payload, "\\ud800") ? "ws:room:ws-default"
                                                                            : "ws:broadcast"),
                            wshub_str_z(cases[i].payload));
        pair_run(&p);
        if (cases[i].got[0]) EXPECT_TEXT(&p.a, a, cases[i].got);
        EXPECT_SILENCE(&p.a, a);
    }
    EXPECT_INT(stats(&p.a).bus_self_echo, 3);
    EXPECT_INT(stats(&p.a).bus_received, sizeof cases / sizeof *cases);
    pair_stop(&p);
}

/* BUS-3; golden in-channel.jsonl */
TEST(an_envelope_on_a_channel_that_does_not_fit_is_refused_unless_that_is_wanted) {
    static const struct {
        const char *channel, *type, *target;
        bool fits;
        /* clang-format off */
    } cases[] = {
        {"ws:broadcast", "broadcast", NULL, true},
        {"ws:broadcast", "broadcast", "x", true},
        {"ws:room:r", "broadcast", NULL, false},
        {"ws:room:", "broadcast", NULL, false},
        {"ws:broadcast2", "broadcast", NULL, false},
        {"ws:broadcas", "broadcast", NULL, false},
        {"ws:room:ws-default", "room", "ws-default", true},
        {"ws:room:ws-defaul", "room", "ws-default", false},
        {"ws:room:ws-default2", "room", "ws-default", false},
        {"ws:broadcast", "room", "ws-default", false},
        {"ws:user:ws-default", "room", "ws-default", false},
        {"ws:user:ua", "user", "ua", true},
        {"ws:user:b", "user", "ua", false},
        {"ws:client:ua", "user", "ua", false},
        {"", "room", "ws-default", false},
    };
    /* clang-format on */
    int any;
    size_t i;
    for (any = 0; any < 2; any++) {
        pair p;
        wshub_conn a;
        world w;
        wshub_bus bus;
        uint64_t refused = 0;
        pair_start(&p, false);
        EXPECT_INT(wshub_bus_local_seat(p.local, &bus), WSHUB_OK);
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .bus = &bus, .bus_any_channel = any == 1),
                    FAKE(.seed = 9));
        a = world_client(&w, "ua", NULL);
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            char text[200];
            (void)snprintf(text, sizeof text,
                           "{\"serverId\":\"x\",\"type\":\"%s\",%s%s%s\"event\":\"m\",\"data\":1}",
                           cases[i].type, cases[i].target ? "\"target\":\"" : "",
                           cases[i].target ? cases[i].target : "", cases[i].target ? "\"," : "");
            wshub__bus_received(w.hub, wshub_str_z(cases[i].channel), wshub_str_z(text));
            wshub_io_fake_run(w.net);
            if (any || cases[i].fits)
                EXPECT_TEXT(&w, a, "{\"event\":\"m\",\"data\":1}");
            else
                refused++;
            EXPECT_SILENCE(&w, a);
            EXPECT_INT(stats(&w).bus_refused, refused);
        }
        world_stop(&w);
        pair_stop(&p);
    }
}

TEST(an_envelope_to_no_destination_that_there_is_is_counted_and_dropped) { /* BUS-3 */
    static const char *const to[] = {
        "\"type\":\"nobody\"",
        "\"type\":\"\"",
        "\"type\":1",
        "\"type\":\"room\"",
        "\"type\":\"room\",\"target\":\"\"",
        "\"type\":\"user\",\"target\":1",
    };
    pair p;
    wshub_conn a;
    size_t i;
    pair_start(&p, false);
    a = world_client(&p.a, "ua", NULL);
    pair_run(&p);
    for (i = 0; i < sizeof to / sizeof *to; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "{\"serverId\":\"x\",%s,\"event\":\"m\",\"data\":1}",
                       to[i]);
        wshub__bus_received(p.a.hub, S("ws:broadcast"), wshub_str_z(text));
        wshub_io_fake_run(p.a.net);
        EXPECT_INT(stats(&p.a).bus_discarded, i + 1);
        EXPECT_SILENCE(&p.a, a);
    }
    pair_stop(&p);
}

TEST(what_a_hub_hears_from_another_is_what_was_said_whoever_is_excluded) { /* SEND-3, MSG-9 */
    static const char *const events[] = {"m", "\"q\\", "\xC3\xA9\n",
                                         "a longer name of an event than most of them have"};
    static const char *const datas[] = {"1", "{\"x\":[1,2,{\"y\":null}]}", "\"\\u00e9 \xC3\xA9\"",
                                        "[]"};
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
        /* 0, 1, 11, 21, 31, 41: over 32 there is no brief */
        for (n = 0; n <= 41; n += n ? 10 : 1) {
            wshub_dest d = {0};
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

static void shout(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                  void *user) {
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
static void last_words(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                       void *user) {
    (void)ask;
    (void)client;
    (void)event;
    (void)user;
    wshub_destroy(hub);
}
static void on_local(world *w, wshub_bus_local *local,
                     void (*transform)(wshub *, wshub_ask, wshub_client, const wshub_event *,
                                       void *)) {
    wshub_bus bus;
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    HIDE(bus);
    world_start(w, DESC(.on_authenticate = accept_all, .on_transform_out = transform, .bus = &bus),
                FAKE(.seed = transform ? 4 : 3));
}

TEST(a_hub_hears_others_through_its_transformer_which_may_end_it) { /* ENC-1 */
    wshub_bus_local *local;
    world a, b;
    char id[37];
    wshub_conn c;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    on_local(&a, local, NULL);
    on_local(&b, local, shout);
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
    wshub_bus_local_destroy(local);
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
    /* 1: no frame, so the envelope goes alone; 2: no place in the outbox; 3: no frame over
     * there */
    for (i = 0; i < 4; i++) {
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

/* the brief beside one is no reason to drop it */
TEST(what_a_seat_may_keep_is_counted_in_envelopes) {
    static char text[701];
    wshub_bus_local *local;
    wshub_bus_local_desc ld;
    world a, b;
    wshub_conn c;
    wshub_io_fake_frame f;
    memset(text, '1', sizeof text - 1);
    memset(&ld, 0, sizeof ld);
    ld.queue_bytes_max = 1000;
    EXPECT_INT(wshub_bus_local_create(&ld, &local), WSHUB_OK);
    on_local(&a, local, NULL);
    on_local(&b, local, shout);
    c = world_client(&b, NULL, NULL);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", text), WSHUB_OK);
    wshub_io_fake_run(a.net);
    EXPECT_INT(wshub_bus_local_dropped(local), 0);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", text), WSHUB_OK); /* two are too much */
    wshub_io_fake_run(a.net);
    EXPECT_INT(wshub_bus_local_dropped(local), 1);
    wshub_io_fake_run(b.net);
    EXPECT(wshub_io_fake_next(b.net, c, &f) && f.payload.len == 21 + sizeof text - 1);
    EXPECT_SILENCE(&b, c);
    EXPECT_INT(send_to(a.hub, WSHUB_DEST_ALL, "", text), WSHUB_OK); /* what was heard makes room */
    wshub_io_fake_run(a.net);
    EXPECT_INT(wshub_bus_local_dropped(local), 1);
    wshub_io_fake_run(b.net);
    EXPECT(wshub_io_fake_next(b.net, c, &f));
    world_stop(&a);
    world_stop(&b);
    wshub_bus_local_destroy(local);
}

/* MSG-9, BUS-3: at every depth around every limit */
TEST(what_is_accepted_for_sending_is_read_by_every_equal_instance) {
    static const uint32_t limits[] = {1, 2, 7, 1024, WSHUB_JSON_DEPTH_MAX};
    static char text[2 * (WSHUB_JSON_DEPTH_MAX + 4)];
    size_t i;
    for (i = 0; i < sizeof limits / sizeof *limits; i++) {
        wshub_bus_local *local;
        wshub_bus bus[3];
        world w[2];
        wshub_emitter *em;
        uint32_t depth;
        int k;
        EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
        for (k = 0; k < 3; k++) {
            EXPECT_INT(wshub_bus_local_seat(local, &bus[k]), WSHUB_OK);
            HIDE(bus[k]);
        }
        for (k = 0; k < 2; k++)
            world_start(
                &w[k],
                DESC(.on_authenticate = accept_all, .bus = &bus[k], .json_depth_max = limits[i]),
                FAKE(.seed = (uint64_t)k + 1));
        EXPECT_INT(wshub_emitter_create(
                       &(wshub_emitter_desc){.bus = &bus[2], .json_depth_max = limits[i]}, &em),
                   WSHUB_OK);
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
                accepted = (emits ? wshub_emitter_send(em, NULL, &m)
                                  : wshub_send(w[0].hub, NULL, &m)) == WSHUB_OK;
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
        /* nothing, and what is no object, whatever its depth */
        wshub__bus_received(w[1].hub, S("ws:broadcast"), S(""));
        wshub__bus_received(w[1].hub, S("ws:broadcast"), S("  \n"));
        wshub__bus_received(w[1].hub, S("ws:broadcast"),
                            wshub__str(text, 2 * (size_t)(limits[i] + 1)));
        EXPECT_INT(stats(&w[1]).bus_bad, 3);
        wshub_emitter_destroy(em);
        for (k = 0; k < 2; k++) world_stop(&w[k]);
        wshub_bus_local_destroy(local);
    }
}

TEST(what_a_bus_may_bring) { /* BUS-3; limits of the outbox */
    world w;
    wshub_bus_local *local;
    wshub_bus bus;
    wshub_conn c;
    wshub_dest to = {0};
    char id[37];
    static char big[3000];
    wshub_msg m = msg("e", "1"), huge;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    world_start(&w,
                DESC(.on_authenticate = accept_all, .bus = &bus, .bus_queue_bytes_max = 2000,
                     .bus_queue_ms_max = WSHUB_OFF),
                FAKE(0));
    c = world_client(&w, "u", id);
    wshub__bus_received(w.hub, S("ws:room:xs-default"),
                        S("{\"serverId\":\"s\",\"type\":\"room\",\"target\":\"ws-default\","
                          "\"event\":\"e\",\"data\":1}"));
    EXPECT_INT(stats(&w).bus_refused, 1); /* as long, another name */
    w.fail_at = 1;
    wshub__bus_received(
        w.hub, S("ws:broadcast"),
        S("{\"serverId\":\"s\",\"type\":\"broadcast\",\"event\":\"e\",\"data\":1}"));
    w.fail_at = 0;
    EXPECT_INT(stats(&w).bus_bad, 1);
    EXPECT_SILENCE(&w, c);
    wshub_bus_local_set_down(local, true);
    wshub_io_fake_run(w.net);
    memset(big, ' ', sizeof big);
    big[0] = '1';
    huge = msg("e", "1");
    huge.data = wshub__str(big, sizeof big);
    memset(&to, 0, sizeof to);
    /* over the whole queue: delivered here, dropped there */
    EXPECT_INT(wshub_send(w.hub, NULL, &huge), WSHUB_OK);
    EXPECT_INT(stats(&w).bus_dropped, 1);
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    wshub_io_fake_advance(w.net, 60000); /* kept however long */
    EXPECT(stats(&w).bus_queued_bytes > 0);
    w.fail_at = 1;
    {
        wshub__delivery fan;
        wshub__delivery_init(&fan, m.event, m.data);
        EXPECT_INT(wshub__publish(w.hub, &(wshub_dest){.kind = WSHUB_DEST_ALL}, &m, &fan),
                   WSHUB_ERR_NOMEM);
        wshub__delivery_done(w.hub, &fan);
    }
    w.fail_at = 0;
    world_stop(&w);
    wshub_bus_local_destroy(local);
}
