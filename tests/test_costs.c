/* What things may cost and hold: large messages against a model of SEND-6, exclusion and membership against plain lists,
 * what is held before and after the largest of each thing. */
#include "hubtest.h"

static uint32_t seed;
static uint32_t rnd(uint32_t n) { /* 0 .. n-1 */
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}
static char *json_string(size_t n) { /* a JSON string of n bytes in all, n from 2 on; one buffer */
    static char *buf;
    static size_t cap;
    if (n + 1 > cap) {
        cap = n + 1;
        buf = (char *)realloc(buf, cap);
        if (!buf) abort();
    }
    memset(buf, 'x', n);
    buf[0] = buf[n - 1] = '"';
    buf[n] = 0;
    return buf;
}
static uint64_t frame_bytes(uint64_t payload) {
    return payload + (payload < 126 ? 2 : payload < 65536 ? 4 : 10);
}

/* ---- SEND-6: the limit is on what waits, not on a message ---- */

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
        seed = round * 2654435761u;
        memset(r, 0, sizeof r);
        world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = max, .close_on_backpressure = closes), FAKE(0));
        for (i = 0; i < 3; i++) {
            r[i].conn = world_client(&w, NULL, r[i].id);
            r[i].window = UINT64_MAX;
        }
        for (step = 0; step < 60; step++) {
            uint32_t what = rnd(8), who = rnd(2);
            size_t n = 2 + rnd(3) * (rnd(40) + (rnd(2) ? max / 2 : max)) % 300000;
            wshub_msg m = msg("m", json_string(n));
            uint64_t bytes = frame_bytes(n + 21);
            if (what == 0) { /* the third always reads */
                wshub_io_fake_run(w.net); /* what was sent met the old one */
                r[who].window = rnd(3) ? rnd(3) * n : UINT64_MAX;
                wshub_io_fake_window(w.net, r[who].conn, r[who].window);
                takes(&r[who]);
            } else if (what == 1) {
                wshub_io_fake_run(w.net);
                for (i = 0; i < 3; i++) {
                    takes(&r[i]);
                    EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, r[i].id)), r[i].closed ? 0 : r[i].owed);
                    count_heard(&w, &r[i]);
                }
            } else if (what < 5) {
                wshub_client c = world_handle(&w, r[who].id);
                wshub_err err = wshub_client_send(w.hub, c, &m);
                bool sent = is_sent(&r[who], bytes, max, closes);
                EXPECT_INT(err, sent ? WSHUB_OK : c.id && err == WSHUB_ERR_DROPPED ? WSHUB_ERR_DROPPED : WSHUB_ERR_STALE);
            } else { /* all, two or three times on end: gathered */
                for (i = rnd(3) + 1; i; i--) {
                    EXPECT_INT(wshub_room_send(w.hub, wshub_str_z("ws-default"), &m, NULL, 0), WSHUB_OK);
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
                wshub_dest to = {WSHUB_DEST_ALL, {NULL, 0}, NULL, 0};
                memset(&r, 0, sizeof r);
                world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = limits[i], .close_on_backpressure = way % 2 == 0), FAKE(.completion = completion != 0));
                r.conn = world_client(&w, "u", r.id);
                wshub_io_fake_run(w.net);
                switch (way) {
                case 0: EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, r.id), &m), WSHUB_OK); break;
                case 1: EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, r.id), (const uint8_t *)m.data.ptr, n), WSHUB_OK); break;
                case 2: EXPECT_INT(wshub_user_send(w.hub, wshub_str_z("u"), &m), WSHUB_OK); break;
                case 3: EXPECT_INT(wshub_room_send(w.hub, wshub_str_z("ws-default"), &m, NULL, 0), WSHUB_OK); break;
                case 4: /* gathered behind a small one */
                    EXPECT_INT(wshub_all_send(w.hub, &small, NULL, 0), WSHUB_OK);
                    wshub_io_fake_run(w.net);
                    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
                    EXPECT(wshub_io_fake_next(w.net, r.conn, &f));
                    break;
                default: EXPECT_INT(wshub_send(w.hub, &to, &m), WSHUB_OK); break;
                }
                wshub_io_fake_run(w.net);
                EXPECT(wshub_io_fake_next(w.net, r.conn, &f) && f.payload.len == n + (way == 1 ? 0 : 21));
                EXPECT_INT(stats(&w).dropped_pressure, 0);
                EXPECT(wshub_io_fake_is_open(w.net, r.conn));
                EXPECT_INT(stats(&w).segment_bytes, 65536); /* it had one of its own, which is gone */
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
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 100), FAKE(.completion = true));
    c = world_client(&w, NULL, id);
    wshub_io_fake_run(w.net);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    world_stop(&w);
}

TEST(no_queue_passes_two_gib_whatever_the_limits) { /* WSHUB__QUEUE_MAX: the one place is wshub__queue_push() */
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("m", json_string(400));
    wshub__conn *conn;
    uint32_t owed;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = WSHUB_OFF), FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    conn = wshub__conn_at(w.hub, (uint32_t)c.id);
    owed = conn->queued;
    conn->queued = WSHUB__QUEUE_MAX - 10; /* as if so much waited */
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    EXPECT(!wshub__out_frame(w.hub, conn, 9, m.data.ptr, 100));
    EXPECT(wshub__out_frame(w.hub, conn, 9, NULL, 0)); /* what fits is taken */
    conn->queued = owed + 2;
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    EXPECT_INT(stats(&w).queued_bytes, 0);
    world_stop(&w);
}

TEST(what_is_sent_to_one_touches_no_limit_of_another) { /* SEND-6: others are not affected; segment_bytes_max is for laggards */
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
