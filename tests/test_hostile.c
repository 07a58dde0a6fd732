/* Hostile peers (LIMITS 1 and 2): who sends without reading, who sends crumbs, who is slow at
 * every stage, who wants all rooms; and every setting at its ends. What must hold: memory has a
 * bound that a setting names, everybody else is served, and time ends what does not end itself. */
#define _GNU_SOURCE
#include "hubtest.h"
#ifdef __unix__
#include <sys/mman.h>
#include <unistd.h>
#endif

static const char upgrade[] =
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static wshub_err echo(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    (void)wshub_client_send(hub, c, &m);
    return WSHUB_OK;
}
static void served(world *w) { /* somebody else */
    wshub_conn c = world_client(w, "honest", NULL);
    wshub_io_fake_text(w->net, c, "{\"event\":\"e\",\"data\":1}");
    EXPECT_TEXT(w, c, "{\"event\":\"e\",\"data\":1}");
    wshub_io_fake_end(w->net, c);
    wshub_io_fake_forget(w->net, c);
}

/* Input without keeping it: the report itself, as an io makes it. */
static void report(world *w, wshub_conn c, const uint8_t *frame, size_t n) {
    uint8_t copy[64];
    memcpy(copy, frame, n);
    wshub_conn_received(w->hub, c, copy, n);
}

TEST(a_million_bad_messages_and_no_reading) { /* CVE-2025-21605 */
    static const uint8_t bad[] = {0x81, 0x81, 0, 0, 0, 0, '{'};
    world w;
    wshub_conn c;
    int i, many = 1000000 / (int)test_stride(20);
    size_t before;
    world_start(
        &w, DESC(.on_authenticate = accept_all, .on_message = echo, .backpressure_bytes_max = 4096),
        FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws"); /* unknown: a few, then the end */
    wshub_io_fake_window(w.net, c, 0);
    before = w.bytes;
    for (i = 0; i < 1000; i++) report(&w, c, bad, sizeof bad);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, c) || stats(&w).protocol_errors == 1);
    EXPECT_OP(w.peak, <, before + 70000);
    wshub_io_fake_advance(w.net, 60000); /* LIVE-3: an end is bounded by want of progress */
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    served(&w);
    c = world_client(&w, "mallory", NULL); /* known: what it does not read is dropped */
    wshub_io_fake_window(w.net, c, 0);
    before = w.peak;
    for (i = 0; i < many; i++) {
        report(&w, c, bad, sizeof bad);
        if (i % 100 == 0) (void)wshub_settle(w.hub);
    }
    wshub_io_fake_run(w.net);
    EXPECT_OP(w.peak, <, before + 70000);
    EXPECT(stats(&w).queued_bytes <= 4096 && stats(&w).dropped_pressure > (uint64_t)many * 9 / 10 &&
           stats(&w).msg_invalid == (uint64_t)many + 16);
    served(&w);
    world_stop(&w);
}

TEST(a_million_crumbs) { /* CVE-2026-48779: fragments of one byte, and of none */
    /* clang-format off */
    static const uint8_t first[] = {
        0x01, 0x81, 0, 0, 0, 0, '"'}, one[] = {0x00, 0x81, 0, 0, 0, 0, 'x'}, none[] = {0x00, 0x80,
        0, 0, 0, 0}, ping[] = {0x89, 0x80, 0, 0, 0, 0,
    };
    /* clang-format on */
    world w;
    wshub_conn c;
    int i, many = 1000000 / (int)test_stride(5);
    size_t before;
    world_start(
        &w, DESC(.on_authenticate = accept_all, .on_message = echo, .payload_bytes_max = 100000),
        FAKE(0));
    c = world_client(&w, "mallory", NULL);
    before = w.bytes;
    report(&w, c, first, sizeof first);
    for (i = 0; i < many; i++) report(&w, c, none, sizeof none);
    EXPECT(w.peak < before + 2000 && wshub_io_fake_is_open(w.net, c));
    for (i = 0; i < many; i++) {
        report(&w, c, one, sizeof one);
        if (i == 99998) EXPECT_INT(stats(&w).protocol_errors, 0);
    }
    EXPECT_INT(stats(&w).protocol_errors, 1); /* at the byte that is one too many */
    EXPECT_OP(w.peak, <, before + 2 * 131072 + 70000);
    wshub_io_fake_run(w.net);
    served(&w);
    c = world_client(&w, "mallory", NULL); /* Pings, unread: the latest is answered */
    wshub_io_fake_window(w.net, c, 0);
    before = w.peak;
    for (i = 0; i < many; i++) {
        report(&w, c, ping, sizeof ping);
        if (i % 100 == 0) (void)wshub_settle(w.hub);
    }
    EXPECT_OP(w.peak, <=, before + 2000);
    served(&w);
    world_stop(&w);
}

/* slowloris: one byte every second moves no deadline but that of silence */
TEST(slow_at_every_stage) {
    /* clang-format off */
    static const uint8_t frame[] = {
        0x81, 0x80 | 126, 0, 200, 0, 0, 0, 0}, part[] = {0x01, 0x81, 0, 0, 0, 0,
        'x'}, close_head[] = {0x88, 0x80 | 120, 0, 0, 0, 0,
    };
    /* clang-format on */
    static const char post[] = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n",
                      chunked[] =
                          "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;";
    static const struct {
        const char *what;
        const void *begin;
        size_t n;
        int stage;
        unsigned ends_ms;
        uint8_t crumb;
        /* clang-format off */
    } t[] = {
        {"nothing at all", "", 0, 0, 5000, 0},
        {"a request line", "GET /", 5, 0, 5000, 'x'},
        {"header fields", "GET / HTTP/1.1\r\nHost: h\r\nX: ", 27, 0, 5000, 'y'},
        {"a body", post, sizeof post - 1, 0, 30000, 'z'},
        {"chunks", chunked, sizeof chunked - 1, 0, 30000, 'x'},
        {"before authenticate", "", 0, 1, 5000, 0},
        {"a frame's head", frame, 3, 2, 30000, 0},
        {"a payload", frame, 8, 2, 30000, 'x'},
        {"the rest of a message", part, 7, 2, 30000, 0},
        {"the rest of a Close", close_head, 6, 2, 30000, 3},
        {"reading", "", 0, 3, 60000, 0},
        {"an answer to our Close", "", 0, 4, 5000, 0},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        wshub_conn c;
        char id[37];
        unsigned ms;
        wshub_msg m = msg("e", "1");
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_message = echo,
                         .heartbeat_timeout_ms = WSHUB_OFF),
                    FAKE(0));
        c = t[i].stage == 0   ? wshub_io_fake_open(w.net)
            : t[i].stage == 1 ? wshub_io_fake_connect(w.net, "/ws")
                              : world_client(&w, "slow", id);
        if (t[i].n) wshub_io_fake_input(w.net, c, t[i].begin, t[i].n);
        if (t[i].stage == 3) {
            wshub_io_fake_window(w.net, c, 0);
            EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
            wshub_io_fake_run(w.net);
        }
        if (t[i].stage == 4) {
            EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, S("")), WSHUB_OK);
            wshub_io_fake_run(w.net);
        }
        for (ms = 0; ms < 200000 && wshub_io_fake_is_open(w.net, c) &&
                     stats(&w).protocol_errors == 0 && stats(&w).auth_timeouts == 0;
             ms += 500) {
            wshub_io_fake_advance(w.net, 500);
            if (ms % 1000 == 0 && t[i].crumb && t[i].stage != 1)
                wshub_io_fake_input(w.net, c, &t[i].crumb, 1);
            /* alive it is */
            if (ms % 1000 == 0 && t[i].stage >= 3) wshub_io_fake_send(w.net, c, 9, true, "", 0);
        }
        if (ms < t[i].ends_ms || ms > t[i].ends_ms + 1000)
            (void)printf("  slow in %s: ended after %u ms, expected %u\n", t[i].what, ms,
                         t[i].ends_ms);
        EXPECT(ms >= t[i].ends_ms && ms <= t[i].ends_ms + 1000);
        wshub_io_fake_advance(w.net, 10000); /* whatever Close was said, the stream is gone */
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        served(&w);
        world_stop(&w);
    }
}

TEST(a_hundred_thousand_half_open_streams) {
    enum { N = 100000 };
    world w;
    int i;
    wshub_conn c;
    size_t begun;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = echo), FAKE(0));
    c = wshub_io_fake_open(w.net);
    begun = w.bytes;
    for (i = 0; i < N; i++) {
        c = wshub_io_fake_open(w.net);
        if (i % 3 == 1) wshub_io_fake_input(w.net, c, "GET /ws HT", 10);
        if (i % 3 == 2) wshub_io_fake_input(w.net, c, upgrade, sizeof upgrade - 1);
    }
    EXPECT_OP((w.bytes - begun) / N, <, 700);
    served(&w);
    wshub_io_fake_advance(w.net, 5000);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_INT(stats(&w).conns, 0);
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT(wshub_self_check(w.hub) == NULL);
    world_stop(&w);
}

TEST(rooms_users_and_clients_run_out) { /* ROOM-6; exhaustion */
    world w;
    wshub_conn c;
    char id[37], text[200];
    int i;
    wshub_str room;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_join = join_all, .on_message = echo,
                     .rooms_max = 10, .users_max = 5, .clients_max = 20, .rooms_per_client_max = 8,
                     .rooms_per_message_max = 4),
                FAKE(0));
    c = world_client(&w, "u", id);
    for (i = 0; i < 100; i++) {
        (void)snprintf(
            text, sizeof text,
            "{\"event\":\"join\",\"data\":{\"rooms\":[\"a%d\",\"b%d\",\"c%d\",\"d%d\",\"e%d\"]}}",
            i, i, i, i, i);
        wshub_io_fake_text(w.net, c, text);
    }
    /* one of each message, and all names but five */
    EXPECT_INT(stats(&w).joins_refused, 100 + 400 - 5);
    {
        wshub_iter it;
        int rooms = 0;
        memset(&it, 0, sizeof it);
        while (wshub_client_each_room(w.hub, world_handle(&w, id), &it, &room)) rooms++;
        EXPECT_INT(rooms, 8);
    }
    /* the sixth user is not taken: LIMIT leaves the question open, and its time runs out */
    for (i = 0; i < 10; i++) {
        wshub_conn other = wshub_io_fake_connect(w.net, "/ws");
        (void)other;
    }
    EXPECT_INT(stats(&w).clients, 11);
    for (i = 0; i < 20; i++) (void)wshub_io_fake_connect(w.net, "/ws");
    EXPECT_INT(stats(&w).clients, 20); /* the rest got 503 */
    EXPECT_INT(stats(&w).upgrades_refused, 11);
    wshub_io_fake_advance(w.net, 20000);
    EXPECT_INT(stats(&w).clients, 1);
    EXPECT(stats(&w).rooms <= 11);
    world_stop(&w);
}

TEST(a_hundred_thousand_rooms_of_a_hundred_thousand_clients) { /* CVE-2020-36406 */
    enum { N = 100000 };
    world w;
    int i;
    char id[37], name[16];
    wshub_client c;
    world_start(&w, DESC(.on_authenticate = accept_all, .rooms_per_client_max = N + 10), FAKE(0));
    (void)world_client(&w, "u", id);
    c = world_handle(&w, id);
    for (i = 0; i < N; i++) {
        (void)snprintf(name, sizeof name, "room%d", i);
        EXPECT_INT(wshub_client_join(w.hub, c, S(name)), WSHUB_OK);
    }
    /* and as many clients, each in a room of its own and in those all are in */
    for (i = 1; i < N; i++) {
        wshub_conn conn = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, conn, upgrade, sizeof upgrade - 1);
        wshub_io_fake_text(w.net, conn, "{\"event\":\"authenticate\"}");
        wshub_io_fake_take(w.net, conn, SIZE_MAX);
    }
    EXPECT_INT(stats(&w).authenticated, N);
    EXPECT_INT(stats(&w).rooms, 2 * N + 2);
    EXPECT(wshub_self_check(w.hub) == NULL);
    EXPECT_INT(wshub_client_close(w.hub, c, 1000, S("")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).rooms, N - 1 + 2);
    world_stop(&w);
}

static void accept_or_reject(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_err err = wshub_auth_accept(hub, ask, &(wshub_identity){.user_id = {"u", 1}});
    (void)auth;
    (void)user;
    if (err) EXPECT_INT(err, WSHUB_ERR_LIMIT); /* the default rooms are more than it may be in */
    if (err) EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_OK);
}

TEST(every_limit_at_its_ends) { /* CVE-2025-32049: no setting means "without bound" by mistake */
    /* clang-format off */
    static const size_t fields[] = {
        offsetof(wshub_desc, auth_timeout_ms), offsetof(wshub_desc, heartbeat_interval_ms),
        offsetof(wshub_desc, heartbeat_timeout_ms), offsetof(wshub_desc, idle_timeout_ms),
        offsetof(wshub_desc, message_timeout_ms), offsetof(wshub_desc, write_timeout_ms),
        offsetof(wshub_desc, close_timeout_ms), offsetof(wshub_desc, http_timeout_ms),
        offsetof(wshub_desc, shutdown_timeout_ms), offsetof(wshub_desc, payload_bytes_max),
        offsetof(wshub_desc, backpressure_bytes_max), offsetof(wshub_desc, conns_max),
        offsetof(wshub_desc, clients_max), offsetof(wshub_desc, http_head_bytes_max),
        offsetof(wshub_desc, http_headers_max), offsetof(wshub_desc, http_body_bytes_max),
        offsetof(wshub_desc, json_depth_max), offsetof(wshub_desc, preauth_messages_max),
        offsetof(wshub_desc, preauth_bytes_max), offsetof(wshub_desc, rooms_per_client_max),
        offsetof(wshub_desc, rooms_per_message_max), offsetof(wshub_desc, rooms_max),
        offsetof(wshub_desc, users_max), offsetof(wshub_desc, asks_per_client_max),
        offsetof(wshub_desc, encrypted_batch_max), offsetof(wshub_desc, bus_queue_bytes_max),
        offsetof(wshub_desc, bus_queue_ms_max), offsetof(wshub_desc, bus_burst_bytes_max),
        offsetof(wshub_desc, bus_linger_ms), offsetof(wshub_desc, post_bytes_max),
    };
    static const uint32_t values[] = {
        0, 1, 2, 255, 256, 1u << 20, 1u << 30, UINT32_MAX - 1, UINT32_MAX,
    };
    /* clang-format on */
    size_t i, k, ran = 0;
    for (i = 0; i < sizeof fields / sizeof *fields; i++) {
        for (k = 0; k < sizeof values / sizeof *values; k++) {
            world w;
            wshub_desc d;
            wshub_conn c;
            wshub_msg m = msg("e", "[1,[2]]");
            memset(&d, 0, sizeof d);
            d.on_authenticate = accept_or_reject;
            d.on_join = join_all;
            d.on_message = echo;
            memcpy((char *)&d + fields[i], &values[k], 4);
            memset(&w, 0, sizeof w);
            EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
            d.io = wshub_io_fake_io(w.net);
            d.alloc = world_alloc;
            d.alloc_user = &w;
            if (wshub_desc_problem(&d)) {
                EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_ERR_PARAM);
                wshub_io_fake_destroy(w.net);
                continue;
            }
            ran++;
            EXPECT_INT(wshub_create(&d, &w.hub), WSHUB_OK);
            c = wshub_io_fake_open(w.net); /* a whole session, whatever becomes of it */
            wshub_io_fake_input(w.net, c, upgrade, sizeof upgrade - 1);
            wshub_io_fake_take(w.net, c, SIZE_MAX);
            wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\",\"data\":{\"user\":\"u\"}}");
            wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\"]}}");
            wshub_io_fake_text(w.net, c, "{\"event\":\"x\",\"data\":[[[[[[[[1]]]]]]]]}");
            EXPECT(wshub_all_send_here(w.hub, &m, NULL, 0) == WSHUB_OK || i == 16);
            (void)wshub_post(w.hub, NULL, NULL);
            EXPECT(wshub_self_check(w.hub) == NULL);
            EXPECT_OP(w.peak, <, 400000); /* a large limit costs nothing before it is used */
            wshub_io_fake_advance(w.net, 100000);
            EXPECT(wshub_self_check(w.hub) == NULL);
            wshub_io_fake_end(w.net, c);
            EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
            wshub_io_fake_advance(w.net, 10);
            world_stop(&w);
        }
    }
    EXPECT_OP(ran, >, 200);
}

TEST(clocks_that_jump) { /* LIMITS: -1 h, +1 h, 49.7 days, 2^31, 2^32, 2^63 */
    static const uint64_t starts[] = {1000, UINT64_C(4294967295) - 500, UINT64_C(1) << 31,
                                      UINT64_C(1) << 62, UINT64_MAX - 100000};
    /* clang-format off */
    static const int64_t jumps[] = {
        -3600000, 3600000, INT64_C(4294967296), INT64_C(1) << 31, INT64_C(1) << 62, INT64_MAX, -1,
        0,
    };
    /* clang-format on */
    size_t s, k;
    for (s = 0; s < sizeof starts / sizeof *starts; s++) {
        for (k = 0; k < sizeof jumps / sizeof *jumps; k++) {
            world w;
            wshub_conn c;
            wshub_io_fake_frame f;
            int i;
            memset(&f, 0, sizeof f);
            world_start(&w, DESC(.on_authenticate = accept_all, .on_message = echo),
                        FAKE(.start_ms = starts[s]));
            c = world_client(&w, "u", NULL);
            wshub_io_fake_jump(w.net, wshub_io_fake_now(w.net) + (uint64_t)jumps[k]);
            wshub_io_fake_run(w.net);
            /* a jump of more than an interval counts as one */
            EXPECT(wshub_io_fake_is_open(w.net, c));
            wshub_io_fake_text(w.net, c, "{\"event\":\"e\",\"data\":1}");
            /* half an interval of silence: a Ping */
            while (wshub_io_fake_next(w.net, c, &f) && f.opcode == 9) {
            }
            EXPECT(f.opcode == 1 && wshub_str_eq_z(f.payload, "{\"event\":\"e\",\"data\":1}"));
            /* and time goes on: who is silent is gone in the end */
            for (i = 0; i < 6 && wshub_io_fake_is_open(w.net, c); i++) {
                wshub_io_fake_advance(w.net, 10000);
            }
            EXPECT(!wshub_io_fake_is_open(w.net, c) || wshub_io_fake_now(w.net) < 70000);
            world_stop(&w);
        }
    }
}

#ifdef __unix__
TEST(nothing_is_read_or_written_past_a_page) { /* OSV-2021-437: unmasking in words */
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n, at;
    uint8_t *three = (uint8_t *)mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            *end, *begin;
    static const uint8_t mask[4] = {1, 2, 3, 4};
    char text[40];
    uint8_t digest[20];
    EXPECT(three != MAP_FAILED);
    EXPECT_INT(mprotect(three, page, PROT_NONE), 0);
    EXPECT_INT(mprotect(three + 2 * page, page, PROT_NONE), 0);
    begin = three + page;
    end = three + 2 * page;
    for (n = 0; n <= 80; n++) {
        for (at = 0; at < 9; at++) { /* up to the end of the page, and from its beginning */
            uint8_t *p = at ? begin + (at - 1) : end - n;
            memset(p, 'a', n);
            wshub_mask(p, n, mask, at);
            wshub_mask(p, n, mask, at);
            EXPECT(wshub_utf8_check(p, n));
            (void)wshub__siphash((const uint64_t[2]){1, 2}, p, n, 0);
            wshub_sha1(p, n, digest);
            if (n < 2) continue;
            p[0] = p[n - 1] = '"';
            EXPECT(wshub_json_check(wshub__str(p, n), 0));
            EXPECT_INT(wshub_json_text(wshub__str(p, n), text, sizeof text), n - 2);
            p[n - 1] = 'a';
            EXPECT(!wshub_json_check(wshub__str(p, n), 0));
            p[n - 1] = 0xE2; /* a character that would go on */
            EXPECT(!wshub_utf8_check(p, n));
        }
    }
    (void)munmap(three, 3 * page);
}
#endif
