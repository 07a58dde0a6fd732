/* Backpressure: what is dropped, who is closed, what limits what, and what the application is
 * told of it (SEND-6). */
#include "hubtest.h"
#include "pages.h"

static void pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t queued, void *user) {
    EXPECT(wshub_client_is_pressured(hub, c) == (what != WSHUB_PRESSURE_OFF));
    EXPECT(queued <= 1000 && wshub_client_queued_bytes(hub, c) == queued);
    world_note((world *)user, what == WSHUB_PRESSURE_ON    ? "on "
                              : what == WSHUB_PRESSURE_OFF ? "off "
                                                           : "drop ");
}

TEST(a_slow_client_loses_whole_messages_and_others_none) { /* SEND-6 */
    world w;
    char id[2][37];
    wshub_conn slow, fast;
    wshub_msg m =
        msg("m", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"");
    wshub_io_fake_frame f;
    int i, dropped = 0, got = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_pressure = pressure,
                     .backpressure_bytes_max = 1000),
                FAKE(0));
    slow = world_client(&w, NULL, id[0]);
    fast = world_client(&w, NULL, id[1]);
    wshub_io_fake_window(w.net, slow, 150); /* cuts the second message in its middle */
    for (i = 0; i < 50; i++) {
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
        dropped += wshub_client_send(w.hub, world_handle(&w, id[0]), &m) == WSHUB_ERR_DROPPED;
        EXPECT(wshub_client_queued_bytes(w.hub, world_handle(&w, id[0])) <= 1000);
        if (i % 7 == 0) wshub_io_fake_run(w.net);
    }
    wshub_io_fake_run(w.net);
    EXPECT_OP(dropped, >, 40);
    EXPECT(strncmp(w.log, "on drop ", 8) == 0 && !strstr(w.log, "off"));
    while (wshub_io_fake_next(w.net, fast, &f)) got++;
    EXPECT_INT(got, 50);
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (got = 0; wshub_io_fake_next(w.net, slow, &f); got++) EXPECT_INT(f.payload.len, 93);
    EXPECT_INT(wshub_io_fake_output(w.net, slow).len, 0);
    EXPECT(got > 8 && got < 15);
    EXPECT_STR(w.log + w.log_len - 4, "off ");
    EXPECT_INT(stats(&w).dropped_pressure, 100 - got);
    world_stop(&w);
}

static void gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    world_note((world *)user, g->cause == WSHUB_BY_BACKPRESSURE ? "gone " : "other ");
}

TEST(a_slow_client_is_closed_if_so_set) { /* SEND-6 */
    world w;
    wshub_conn slow;
    wshub_msg m =
        msg("m", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"");
    int i;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_disconnected = gone,
                     .backpressure_bytes_max = 1000, .close_on_backpressure = true),
                FAKE(0));
    slow = world_client(&w, NULL, NULL);
    (void)world_client(&w, NULL, NULL);
    wshub_io_fake_window(w.net, slow, 0);
    for (i = 0; i < 11; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, slow));
    EXPECT_STR(w.log, "gone ");
    EXPECT_INT(stats(&w).clients, 1);
    world_stop(&w);
}

/* the limit is for what the stream does not take */
TEST(a_burst_that_the_stream_takes_is_not_dropped) {
    world w;
    wshub_conn c;
    wshub_msg m =
        msg("m", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"");
    wshub_io_fake_frame f;
    int i, got = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 1000), FAKE(0));
    c = world_client(&w, NULL, NULL);
    for (i = 0; i < 500; i++) EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    while (wshub_io_fake_next(w.net, c, &f)) got++;
    EXPECT_INT(got, 500);
    world_stop(&w);
}

TEST(all_queues_together_have_a_limit) { /* segment_bytes_max, with no limit of each */
    static uint8_t big[50000];
    world w;
    wshub_conn slow, fast;
    char a[37], b[37];
    int i;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .backpressure_bytes_max = WSHUB_OFF,
                     .segment_bytes_max = 1500000),
                FAKE(0));
    slow = world_client(&w, "u", a);
    fast = world_client(&w, "u", b);
    wshub_io_fake_window(w.net, slow, 0);
    for (i = 0; i < 60; i++) {
        wshub_err err = wshub_client_send_binary(w.hub, world_handle(&w, a), big, sizeof big);
        EXPECT(err == (i < 20 ? WSHUB_OK : err == WSHUB_OK ? WSHUB_OK : WSHUB_ERR_DROPPED));
        wshub_io_fake_run(w.net);
        /* who reads is served */
        EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, b), big, 10), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    EXPECT(stats(&w).dropped_pressure > 10 && stats(&w).segment_bytes < 1700000);
    (void)fast;
    world_stop(&w);
}

static uint64_t frame_bytes(uint64_t payload) {
    return payload + (payload < 126 ? 2 : payload < 65536 ? 4 : 10);
}
typedef struct reader { /* as SEND-6 has it */
    wshub_conn conn;
    char id[37];
    uint64_t window, owed; /* what its stream takes still; what that has not taken */
    uint32_t accepted, heard, dropped;
    bool closed;
} reader;
static void takes(reader *r) {
    uint64_t n = r->owed < r->window ? r->owed : r->window;
    r->owed -= n;
    if (r->window != UINT64_MAX) r->window -= n;
}
static bool is_sent(reader *r, uint64_t bytes, uint64_t max, bool closes) {
    if (r->closed) return false;
    takes(r);
    if (r->owed && r->owed + bytes > max) {
        r->dropped++;
        r->closed = closes;
        return false;
    }
    r->owed += bytes;
    r->accepted++;
    takes(r);
    return true;
}
static void count_heard(world *w, reader *r) {
    wshub_io_fake_frame f;
    while (wshub_io_fake_next(w->net, r->conn, &f)) r->heard += f.opcode == 1;
}

TEST(a_message_is_dropped_for_what_waits_before_it_never_for_its_length) { /* SEND-6 */
    static const uint32_t limits[] = {1, 60, 1000, 70000, 1u << 20};
    uint32_t round;
    for (round = 1; round <= 120; round++) {
        world w;
        reader r[3];
        uint32_t max = limits[round % 5], i, step, drops = 0;
        bool closes = round % 3 == 0;
        any_seed = round * 2654435761u;
        memset(r, 0, sizeof r);
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .backpressure_bytes_max = max,
                         .close_on_backpressure = closes),
                    FAKE(0));
        for (i = 0; i < 3; i++) {
            r[i].conn = world_client(&w, NULL, r[i].id);
            r[i].window = UINT64_MAX;
        }
        for (step = 0; step < 60; step++) {
            uint32_t what = any_of(8), who = any_of(2);
            size_t n = 2 + any_of(3) * (any_of(40) + (any_of(2) ? max / 2 : max)) % 300000;
            wshub_msg m = msg("m", json_string(n));
            uint64_t bytes = frame_bytes(n + 21);
            if (what == 0) {              /* the third always reads */
                wshub_io_fake_run(w.net); /* what was sent met the old one */
                r[who].window = any_of(3) ? any_of(3) * n : UINT64_MAX;
                wshub_io_fake_window(w.net, r[who].conn, r[who].window);
                takes(&r[who]);
            } else if (what == 1) {
                wshub_io_fake_run(w.net);
                for (i = 0; i < 3; i++) {
                    takes(&r[i]);
                    EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, r[i].id)),
                               r[i].closed ? 0 : r[i].owed);
                    count_heard(&w, &r[i]);
                }
            } else if (what < 5) {
                wshub_client c = world_handle(&w, r[who].id);
                wshub_err err = wshub_client_send(w.hub, c, &m);
                bool sent = is_sent(&r[who], bytes, max, closes);
                EXPECT_INT(err, sent                               ? WSHUB_OK
                                : c.id && err == WSHUB_ERR_DROPPED ? WSHUB_ERR_DROPPED
                                                                   : WSHUB_ERR_STALE);
            } else { /* all, two or three times on end: gathered */
                for (i = any_of(3) + 1; i; i--) {
                    EXPECT_INT(wshub_room_send_here(w.hub, wshub_str_z("ws-default"), &m, NULL, 0),
                               WSHUB_OK);
                    (void)is_sent(&r[0], bytes, max, closes);
                    (void)is_sent(&r[1], bytes, max, closes);
                    (void)is_sent(&r[2], bytes, max, closes);
                }
            }
        }
        wshub_io_fake_run(w.net);
        for (i = 0; i < 3; i++) {
            if (!r[i].closed) wshub_io_fake_window(w.net, r[i].conn, UINT64_MAX);
            wshub_io_fake_run(w.net);
            count_heard(&w, &r[i]);
            EXPECT(wshub_io_fake_is_open(w.net, r[i].conn) == !r[i].closed);
            if (!r[i].closed) EXPECT_INT(r[i].heard, r[i].accepted);
            drops += r[i].dropped;
        }
        EXPECT_INT(stats(&w).dropped_pressure, drops);
        EXPECT(r[2].accepted > 0 && !r[2].dropped);
        EXPECT(stats(&w).lagging_bytes <= 65536);
        world_stop(&w);
    }
}

TEST(whoever_takes_all_is_sent_a_message_of_any_length_on_every_way) { /* SEND-6 */
    static const uint32_t limits[] = {1, 100, 65536};
    uint32_t i, completion, way;
    for (completion = 0; completion < 2; completion++) {
        for (i = 0; i < 3; i++) {
            for (way = 0; way < 6; way++) {
                world w;
                reader r;
                wshub_io_fake_frame f;
                size_t n = limits[i] + 70000;
                wshub_msg m = msg("m", json_string(n)), small = msg("s", "1");
                wshub_dest to = {.kind = WSHUB_DEST_ALL};
                memset(&r, 0, sizeof r);
                world_start(&w,
                            DESC(.on_authenticate = accept_all, .backpressure_bytes_max = limits[i],
                                 .close_on_backpressure = way % 2 == 0),
                            FAKE(.completion = completion != 0));
                r.conn = world_client(&w, "u", r.id);
                wshub_io_fake_run(w.net);
                switch (way) {
                case 0:
                    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, r.id), &m), WSHUB_OK);
                    break;
                case 1:
                    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, r.id),
                                                        (const uint8_t *)m.data.ptr, n),
                               WSHUB_OK);
                    break;
                case 2:
                    EXPECT_INT(wshub_user_send_here(w.hub, wshub_str_z("u"), &m), WSHUB_OK);
                    break;
                case 3:
                    EXPECT_INT(wshub_room_send_here(w.hub, wshub_str_z("ws-default"), &m, NULL, 0),
                               WSHUB_OK);
                    break;
                case 4: /* gathered behind a small one */
                    EXPECT_INT(wshub_all_send_here(w.hub, &small, NULL, 0), WSHUB_OK);
                    wshub_io_fake_run(w.net);
                    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
                    EXPECT(wshub_io_fake_next(w.net, r.conn, &f));
                    break;
                default: EXPECT_INT(wshub_send(w.hub, &to, &m), WSHUB_OK); break;
                }
                wshub_io_fake_run(w.net);
                EXPECT(wshub_io_fake_next(w.net, r.conn, &f) &&
                       f.payload.len == n + (way == 1 ? 0 : 21));
                EXPECT_INT(stats(&w).dropped_pressure, 0);
                EXPECT(wshub_io_fake_is_open(w.net, r.conn));
                /* it had one of its own, which is gone */
                EXPECT_INT(stats(&w).segment_bytes, 65536);
                world_stop(&w);
            }
        }
    }
}

TEST(what_a_completion_io_has_taken_does_not_wait) { /* SEND-6; what lies behind it does */
    world w;
    char id[37];
    wshub_msg m = msg("m", json_string(5000));
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 100),
                FAKE(.completion = true));
    c = world_client(&w, NULL, id);
    wshub_io_fake_run(w.net);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    world_stop(&w);
}

/* SEND-6: others are not affected; segment_bytes_max is for laggards */
TEST(what_is_sent_to_one_touches_no_limit_of_another) {
    world w;
    char a[37], b[37];
    wshub_conn slow;
    wshub_msg big = msg("b", json_string(3000000)), small = msg("s", "1");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .segment_bytes_max = 1u << 20), FAKE(0));
    (void)world_client(&w, NULL, a);
    slow = world_client(&w, NULL, b);
    wshub_io_fake_window(w.net, slow, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &small), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_client_is_pressured(w.hub, world_handle(&w, b)));
    for (i = 0; i < 20; i++) { /* before the large one has left, and behind it */
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, a), &big), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &small), WSHUB_OK);
        if (i % 2) wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &small), WSHUB_OK);
    }
    EXPECT_INT(stats(&w).dropped_pressure, 0);
    EXPECT(stats(&w).lagging_bytes <= 65536);
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    wshub_io_fake_run(w.net);
    world_stop(&w);
}

static int drop_lines, drop_told;
static void drop_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    (void)user;
    drop_lines += l->code == WSHUB_LOG_DROPPED;
}
static void drop_tell(wshub *hub, wshub_client c, wshub_pressure what, size_t n, void *user) {
    (void)hub;
    (void)c;
    (void)n;
    (void)user;
    drop_told += what == WSHUB_PRESSURE_DROPPED;
}

TEST(what_is_dropped_is_logged_by_whatever_callbacks_there_are) {
    int k;
    for (k = 0; k < 4; k++) {
        world w;
        wshub_conn c;
        char id[37];
        wshub_msg m = msg("e", "\"0123456789\"");
        int i;
        drop_lines = drop_told = 0;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 100,
                         .on_log = k & 1 ? drop_log : NULL,
                         .on_pressure = k & 2 ? drop_tell : NULL),
                    FAKE(0));
        c = world_client(&w, NULL, id);
        wshub_io_fake_window(w.net, c, 0);
        for (i = 0; i < 10; i++) {
            (void)wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0);
            wshub_io_fake_run(w.net);
        }
        EXPECT(stats(&w).dropped_pressure > 0);
        EXPECT_INT(drop_lines > 0, k & 1);
        EXPECT_INT(drop_told > 0, k >> 1);
        world_stop(&w);
    }
}

static wshub_client the_client(world *w) {
    wshub_iter it = {0, 0};
    wshub_client c = {0};
    EXPECT(wshub_client_each(w->hub, &it, &c));
    return c;
}
static int told_level, told_twice;
static void on_pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t n, void *user) {
    (void)hub;
    (void)c;
    (void)n;
    (void)user;
    if (what == WSHUB_PRESSURE_DROPPED) return;
    if (told_level == (what == WSHUB_PRESSURE_ON)) told_twice++;
    told_level = what == WSHUB_PRESSURE_ON;
}

/* SEND-6: whatever a turn brings, on and off are told in turns and end with what is. */
TEST(what_is_told_of_pressure_ends_with_what_is) {
    static const size_t sizes[] = {60, 502, 3002};
    uint32_t seed, dice;
    int n, i;
    for (seed = 1; seed <= 200; seed++) {
        world w;
        wshub_conn c;
        wshub_client client;
        told_level = told_twice = 0;
        dice = seed * 2654435761u;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_pressure = on_pressure,
                         .backpressure_bytes_max = 1000),
                    io_kind((int)(seed % IO_KINDS)));
        c = world_client(&w, "u", NULL);
        client = the_client(&w);
        for (n = 0; n < 20; n++) {
            wshub_io_fake_hold(w.net, true);
            for (i = 0; i < 4; i++) {
                dice = dice * 1664525u + 1013904223u;
                switch (dice >> 24 & 3) {
                case 0:
                case 1: {
                    wshub_msg m = large(sizes[(dice >> 20 & 15) % 3]);
                    (void)wshub_client_send(w.hub, client, &m); /* or it is dropped */
                    break;
                }
                case 2:
                    /* all, and a little */
                    wshub_io_fake_window(w.net, c,
                                         (dice >> 20 & 15) < 8
                                             ? stats(&w).queued_bytes + (dice >> 20 & 7)
                                             : dice >> 12 & 1023);
                    /* it may be said within a turn, or in vain */
                    if (seed % IO_KINDS != 1) wshub_conn_drained(w.hub, c);
                    break;
                default: wshub_io_fake_send(w.net, c, 9, true, "hello", 5);
                }
            }
            wshub_io_fake_hold(w.net, false);
            wshub_io_fake_run(w.net);
            EXPECT_INT(told_level, wshub_client_is_pressured(w.hub, client));
            EXPECT_INT(told_twice, 0);
            if (told_twice) break;
        }
        world_stop(&w);
    }
}

/* SEND-6: a WebSocket that inherits the answers its stream still owes has begun full. */
TEST(pressure_that_is_over_had_begun) {
    int kind;
    for (kind = 0; kind < IO_KINDS; kind++) {
        world w;
        wshub_conn c = start_http(&w, DESC(.on_pressure = on_pressure), kind, false);
        told_level = told_twice = 0;
        says(&w, c, GET_PAGE);
        says(&w, c, UPGRADE);
        EXPECT_INT(stats(&w).clients, 1);
        EXPECT_INT(told_level, 1);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        EXPECT_INT(told_level, 0);
        EXPECT_INT(told_twice, 0);
        world_stop(&w);
    }
}

static wshub_conn first, second;
static uint64_t the_first;
static int of_others, leaves_at, told;
static void on_pressure_leave(wshub *hub, wshub_client c, wshub_pressure what, size_t n,
                              void *user) {
    char text[] = UPGRADE;
    (void)what;
    (void)n;
    (void)user;
    if (c.id != the_first) of_others++;
    if (++told != leaves_at) return;
    wshub_conn_closed(hub, first);
    wshub_conn_opened(hub, second);
    wshub_conn_received(hub, second, (uint8_t *)text, sizeof text - 1);
}

/* SEND-6: a callback ends the client it is told of, and another takes the place: that one owes
 * nothing. */
TEST(pressure_is_told_of_who_owes_and_not_of_who_has_its_place) {
    for (leaves_at = 1; leaves_at <= 2; leaves_at++) {
        world w;
        wshub_client c;
        wshub_msg m = large(100);
        int i;
        world_start(&w, DESC(.on_pressure = on_pressure_leave, .backpressure_bytes_max = 100),
                    FAKE(0));
        first = wshub_io_fake_connect(w.net, "/ws");
        second.id = first.id + (UINT64_C(9) << 40);
        c = the_client(&w);
        the_first = c.id;
        of_others = told = 0;
        wshub_io_fake_window(w.net, first, 0);
        for (i = 0; i < 3; i++) (void)wshub_client_send(w.hub, c, &m);
        wshub_io_fake_run(w.net);
        EXPECT_INT(told, leaves_at);
        EXPECT_INT(of_others, 0);
        wshub_conn_closed(w.hub, second);
        world_stop(&w);
    }
}
