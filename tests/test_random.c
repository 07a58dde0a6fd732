/* Random sessions by seed: clients that speak well, badly, in pieces and not at all; an
 * application that joins, leaves, sends, closes, encrypts and answers late from inside its
 * callbacks; windows, pauses, time, failing allocations. After every step the self-check; at
 * the end nothing is left. A failing seed replays with WSHUB_SEED=N build/test_random. */
#include "hubtest.h"

static uint64_t rnd_state;
/* where they are given, they decide instead (tests/fuzz/fuzz_hub.c) */
static const uint8_t *rnd_bytes;
static size_t rnd_left;
static uint32_t rnd(uint32_t n) {
    if (rnd_left) {
        rnd_left--;
        return *rnd_bytes++ % n;
    }
    rnd_state = rnd_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rnd_state >> 33) % n;
}

static wshub_ask asks[64];
static wshub_exchange requests[16];
static int opened, gone;
static uint64_t all_opened, all_out, all_in;

static wshub_client anyone(wshub *hub) {
    wshub_iter it = {0, 0};
    wshub_client c = {0}, pick = {0};
    uint32_t skip = rnd(6);
    while (wshub_client_each(hub, &it, &c)) {
        pick = c;
        if (!skip--) break;
    }
    return pick;
}

static void meddle(wshub *hub) { /* what an application does, wherever it stands */
    static const char *const rooms[] = {"a", "b", "c", "ws-default"};
    wshub_client c = anyone(hub);
    wshub_str room = wshub_str_z(rooms[rnd(4)]), id = wshub_client_id(hub, c);
    wshub_msg m = msg("m", "{\"x\":[1,2,3]}");
    wshub_dest d = {0};
    wshub_identity who;
    wshub_reply r;
    memset(&d, 0, sizeof d);
    memset(&who, 0, sizeof who);
    memset(&r, 0, sizeof r);
    r.status = 200;
    if (rnd(2)) who.user_id = wshub_str_z(rooms[rnd(4)]);
    switch (rnd(22)) {
    case 0: (void)wshub_client_join(hub, c, room); break;
    case 1: (void)wshub_client_leave(hub, c, room); break;
    case 2: (void)wshub_room_send_here(hub, room, &m, &id, id.ptr ? rnd(2) : 0); break;
    case 3: (void)wshub_all_send_here(hub, &m, NULL, 0); break;
    case 4: (void)wshub_client_send(hub, c, &m); break;
    case 5:
        d.name = room;
        (void)wshub_send(hub, &d, &m);
        break;
    case 6:
        d.name = id;
        (void)wshub_send(hub, &d, &m);
        break;
    case 7:
        if (rnd(8) == 0) (void)wshub_client_close(hub, c, 1000, room);
        break;
    case 8: (void)wshub_client_encrypt(hub, c); break;
    case 9:
    case 10:
    case 11: (void)wshub_auth_accept(hub, asks[rnd(64)], &who); break;
    case 12: (void)wshub_ask_reject(hub, asks[rnd(64)]); break;
    case 13: (void)wshub_ask_fail(hub, asks[rnd(64)]); break;
    case 14: (void)wshub_join_accept(hub, asks[rnd(64)], &room, 1); break;
    case 15:
    case 16: (void)wshub_transform_accept(hub, asks[rnd(64)], rnd(2) ? &m : NULL); break;
    case 17: (void)wshub_handshake_accept(hub, asks[rnd(64)], room, room); break;
    case 18: (void)wshub_http_reply(hub, requests[rnd(16)], &r); break;
    case 19:
        if (id.ptr) (void)wshub_client_join(hub, anyone(hub), id);
        break;
    case 20:
        if (id.ptr) (void)wshub_client_leave(hub, c, id);
        break;
    default: (void)wshub_client_set_metadata(hub, c, wshub_str_z("{}")); break;
    }
}
static void keep(wshub *hub, wshub_ask ask) {
    asks[rnd(64)] = ask;
    while (rnd(3) == 0) meddle(hub);
}
static void r_auth(wshub *hub, wshub_ask ask, const wshub_auth *a, void *user) {
    (void)a;
    (void)user;
    if (rnd(2)) (void)wshub_auth_accept(hub, ask, NULL);
    keep(hub, ask);
}
static void r_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)h;
    (void)user;
    if (rnd(2)) (void)wshub_handshake_accept(hub, ask, wshub_str_z("k"), wshub_str_z("s"));
    keep(hub, ask);
}
static void r_join(wshub *hub, wshub_ask ask, const wshub_join *j, void *user) {
    (void)user;
    if (rnd(2)) (void)wshub_join_accept(hub, ask, j->rooms, j->rooms_count);
    keep(hub, ask);
}
static void r_transform(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                        void *user) {
    (void)c;
    (void)e;
    (void)user;
    if (rnd(2)) (void)wshub_transform_accept(hub, ask, NULL);
    keep(hub, ask);
}
static wshub_err r_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    (void)wshub_client_send(hub, c, &m);
    while (rnd(2)) meddle(hub);
    return rnd(9) ? WSHUB_OK : WSHUB_ERR_APP;
}
static void r_opened(wshub *hub, wshub_client c, void *user) {
    (void)c;
    (void)user;
    opened++;
    if (rnd(4) == 0) meddle(hub);
}
static void r_gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)user;
    EXPECT(g->id.len == 36 && g->state != WSHUB_CLIENT_DISCONNECTED);
    gone++;
    if (rnd(3) == 0) meddle(hub);
}
static void r_pressure(wshub *hub, wshub_client c, wshub_pressure p, size_t n, void *user) {
    (void)c;
    (void)p;
    (void)n;
    (void)user;
    if (rnd(3) == 0) meddle(hub);
}
static bool r_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    static char page[5000];
    wshub_reply reply;
    (void)h;
    (void)user;
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    reply.body.ptr = page;
    reply.body.len = rnd(3) ? rnd(50) : rnd(sizeof page);
    reply.close = rnd(9) == 0;
    requests[rnd(16)] = r;
    if (rnd(2)) (void)wshub_http_reply(hub, r, &reply);
    return rnd(3) != 0;
}

static void speak(world *w, wshub_conn c) {
    /* clang-format off */
    static const char *const texts[] = {
        "{\"event\":\"authenticate\",\"data\":{\"t\":1}}", "{\"event\":\"authenticate\"}",
        "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\"]}}",
        "{\"event\":\"leave\",\"data\":{\"rooms\":[\"a\",\"ws-default\"]}}",
        "{\"event\":\"m\",\"data\":\"0123456789012345678901234567890123456789\"}",
        "{\"event\":\"heartbeat\"}", "junk", "null", "{\"event\":5}",
        "{\"e\\u0076ent\":\"x\\\\y\",\"data\":[]}",
    };
    /* clang-format on */
    uint8_t bytes[300];
    uint32_t i, n;
    switch (rnd(60)) {
    case 0:
        n = 1 + rnd(40);
        for (i = 0; i < n; i++) bytes[i] = (uint8_t)rnd(256);
        wshub_io_fake_input(w->net, c, bytes, n);
        break;
    case 1: wshub_io_fake_send(w->net, c, (uint8_t)rnd(16), rnd(4) != 0, texts[0], rnd(10)); break;
    case 2: wshub_io_fake_send(w->net, c, 9, true, "ping", 4); break;
    case 3:
        wshub_io_fake_send_close(w->net, c, (uint16_t)(rnd(2) ? 1000 : rnd(5000)), "bye");
        break;
    case 4: wshub_io_fake_end(w->net, c); break;
    case 5: wshub_io_fake_window(w->net, c, rnd(3) ? rnd(100) : UINT64_MAX); break;
    case 6: wshub_io_fake_send(w->net, c, 1, false, "{\"event\":", 9); break;
    case 7: wshub_io_fake_send(w->net, c, 0, true, "\"m\"}", 4); break;
    case 8: wshub_io_fake_send(w->net, c, 2, true, texts[4], strlen(texts[4])); break;
    case 9: wshub_io_fake_take(w->net, c, 100000); break;
    default: wshub_io_fake_text(w->net, c, texts[rnd(10)]); break;
    }
}

/* HTTP, wherever the stream stands: pipelines, bodies of both framings, upgrades with bodies,
 * half-closes. */
static void ask(world *w, wshub_conn c) {
    static const char *const words[] = {
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nGET ",
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\nContent-Length: 2\r\n\r\nab",
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"};
    uint32_t n = 1 + rnd(6);
    for (; n; n--) {
        const char *word = words[rnd(7)];
        size_t len = strlen(word);
        wshub_io_fake_input(w->net, c, word, rnd(8) ? len : 1 + rnd((uint32_t)len));
    }
    if (rnd(4) == 0) wshub_io_fake_half_close(w->net, c);
    if (rnd(4) == 0) wshub_io_fake_silent(w->net, c, rnd(2));
}

static void session(uint64_t seed) {
    world w;
    wshub_conn conns[24];
    wshub_bus_local *local;
    wshub_bus bus;
    uint32_t i, n = 0, steps;
    rnd_state = seed * 2654435761u;
    (void)rnd(2);
    memset(asks, 0, sizeof asks);
    memset(requests, 0, sizeof requests);
    opened = gone = 0;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    world_start(&w,
                DESC(.bus = &bus, .bus_exact = rnd(2), .on_authenticate = r_auth,
                     .on_handshake = r_handshake, .on_join = r_join, .on_message = r_message,
                     .on_transform_out = r_transform,
                     .on_transform_in = rnd(2) ? r_transform : NULL, .on_opened = r_opened,
                     .on_disconnected = r_gone, .on_pressure = r_pressure, .on_request = r_request,
                     .require_encryption = rnd(3) == 0, .close_on_backpressure = rnd(3) == 0,
                     .backpressure_bytes_max = 200 + rnd(2000), .encrypted_batch_max = 1 + rnd(3),
                     .payload_bytes_max = 400, .auth_timeout_ms = 500, .heartbeat_interval_ms = 300,
                     .heartbeat_timeout_ms = 2000, .idle_timeout_ms = 1500,
                     .message_timeout_ms = 700, .write_timeout_ms = 900, .close_timeout_ms = 200,
                     .http_timeout_ms = 600, .http_answers_bytes_max = 1000,
                     .transform_timeout_ms = 800, .rooms_per_client_max = 5,
                     .rooms_max = 6 + rnd(5), .clients_max = 12, .asks_per_client_max = 3),
                FAKE(.seed = seed, .cut_bytes = rnd(3) ? 0 : 1 + rnd(5),
                     .take_bytes = rnd(3) ? 0 : 1 + rnd(60), .completion = rnd(4) == 0,
                     .no_pause = rnd(2)));
    for (steps = 150 + rnd(250); steps; steps--) {
        if (rnd(30) == 0) w.fail_at = 1 + (long)rnd(20);
        switch (rnd(12)) {
        case 0:
            if (n < 24) {
                conns[n] = rnd(4) ? wshub_io_fake_connect(w.net, "/ws") : wshub_io_fake_open(w.net);
                if (conns[n].id && rnd(4))
                    wshub_io_fake_text(w.net, conns[n], "{\"event\":\"authenticate\",\"data\":{}}");
                if (conns[n].id) n++;
            }
            break;
        case 1: wshub_io_fake_advance(w.net, rnd(rnd(10) ? 60 : 1000)); break;
        case 2:
            meddle(w.hub);
            wshub_io_fake_run(w.net);
            break;
        case 3: wshub_io_fake_hold(w.net, rnd(4) == 0); break;
        case 4: wshub_io_fake_hold(w.net, false); break;
        case 5:
            if (n && rnd(2))
                ask(&w, conns[n - 1]); /* the newest is likely to speak HTTP still */
            else if (n)
                ask(&w, conns[rnd(n)]);
            break;
        case 6:
            if (rnd(20) == 0) wshub_bus_local_set_down(local, rnd(2));
            /* a stopped process, and that it goes on */
            else if (rnd(8) == 0)
                wshub_io_fake_stall(w.net, rnd(4) == 0);
            break;
        default:
            for (i = rnd(5); n && i; i--) speak(&w, conns[rnd(n)]);
            break;
        }
        for (i = 0; i < n; i++) {
            if (!wshub_io_fake_is_open(w.net, conns[i]) && rnd(2)) {
                wshub_io_fake_forget(w.net, conns[i]);
                conns[i] = conns[--n];
            }
        }
    }
    w.fail_at = 0;
    wshub_io_fake_stall(w.net, false);
    wshub_io_fake_hold(w.net, false);
    if (rnd(2)) { /* liveness: with nothing more said, everybody is gone by their deadlines */
        for (i = 0; i < n; i++) wshub_io_fake_window(w.net, conns[i], UINT64_MAX);
        /* a silent transformer is given transform_timeout_ms for each message that waits */
        wshub_io_fake_advance(w.net, 30000);
        EXPECT_INT(stats(&w).clients, 0);
        EXPECT_INT(stats(&w).conns, 0);
        EXPECT_INT(stats(&w).rooms + stats(&w).users + stats(&w).queued_bytes, 0);
        EXPECT_INT(opened, gone);
    } else if (rnd(2)) {
        (void)wshub_shutdown(w.hub);
        wshub_io_fake_advance(w.net, 6000);
        EXPECT(wshub_is_down(w.hub));
    }
    all_opened += (uint64_t)opened;
    all_out += stats(&w).messages_out;
    all_in += stats(&w).messages_in;
    world_stop(&w);
    EXPECT_INT(opened, gone); /* each open reported is closed once */
    wshub_bus_local_destroy(local);
}

TEST(random_sessions_leave_nothing_behind) {
    const char *one = getenv("WSHUB_SEED"), *many = getenv("WSHUB_SEEDS");
    uint64_t seed, last = many ? strtoull(many, NULL, 10) : 1500 / test_stride(3);
    if (one) {
        session(strtoull(one, NULL, 10));
        return;
    }
    for (seed = 1; seed <= last; seed++) {
        int before = test_failures;
        session(seed);
        if (test_failures == before) continue;
        (void)printf("  replay: WSHUB_SEED=%llu build/test_random\n", (unsigned long long)seed);
        break;
    }
    (void)printf("  %llu seeds: %llu clients, %llu messages in, %llu out\n",
                 (unsigned long long)(seed - 1), (unsigned long long)all_opened,
                 (unsigned long long)all_in, (unsigned long long)all_out);
    EXPECT(all_opened > last * 5 && all_in > last * 20 && all_out > last * 20);
}
