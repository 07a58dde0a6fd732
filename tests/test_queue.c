/* Queues and the segments they lie in: spans, laggards that are copied out, segments that leave
 * in any order (SEND-6; DESIGN 4). */
#include "hubtest.h"

TEST(a_hundred_laggards_of_one_room_cost_one_backlog) { /* DESIGN 4 */
    world w;
    static wshub_conn c[100];
    static char data[4100];
    wshub_msg m;
    size_t before;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 100; i++) {
        c[i] = world_client(&w, NULL, NULL);
        wshub_io_fake_window(w.net, c[i], 0);
    }
    memset(data, 'x', sizeof data);
    data[0] = data[4098] = '"';
    data[4099] = 0;
    m = msg("m", data);
    before = w.bytes;
    for (i = 0; i < 200; i++) {
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    EXPECT(stats(&w).queued_bytes > 100 * 200 * 4096);
    EXPECT_OP(w.bytes - before, <, 2 * 200 * 4200);
    world_stop(&w);
}

TEST(one_laggard_pins_little_of_much) { /* copied out, not 64 KiB for each 30 bytes */
    world w;
    wshub_conn slow;
    static char data[30100];
    wshub_msg big, small = msg("s", "1");
    char id[2][37];
    int i;
    memset(data, 'x', sizeof data);
    data[0] = data[30098] = '"';
    data[30099] = 0;
    big = msg("b", data);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    slow = world_client(&w, NULL, id[0]);
    (void)world_client(&w, NULL, id[1]);
    wshub_io_fake_window(w.net, slow, 0);
    w.peak = 0;
    for (i = 0; i < 1000; i++) {
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[0]), &small), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[1]), &big), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    EXPECT_OP(w.peak, <, 2500000); /* 32 MB passed by */
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (i = 0; i < 1000; i++) EXPECT_TEXT(&w, slow, "{\"event\":\"s\",\"data\":1}");
    world_stop(&w);
}

TEST(a_fan_out_over_the_end_of_a_segment) { /* what waits lies in one, the next frame in another */
    static char big[40000];
    world w;
    wshub_conn c[3];
    wshub_msg m = msg("m", "1");
    wshub_io_fake_frame f;
    int i, k;
    memset(big, 'x', sizeof big);
    big[0] = big[sizeof big - 1] = '"';
    m.data = wshub__str(big, sizeof big);
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 3; i++) c[i] = world_client(&w, "u", NULL);
    for (k = 0; k < 3; k++)
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 3; k++)
            EXPECT(wshub_io_fake_next(w.net, c[i], &f) && f.payload.len == sizeof big + 21);
        EXPECT_SILENCE(&w, c[i]);
    }
    world_stop(&w);
}

/* Slow clients that hold little of many segments are copied out, so shared memory stays near
 * what is owed. */
TEST(laggards_do_not_keep_segments) { /* PERFORMANCE: shared segments */
    static uint8_t big[60000];
    int completion, fails;
    for (completion = 0; completion < 2; completion++) {
        for (fails = 0; fails < 2; fails++) {
            world w;
            wshub_conn fast, slow[40];
            char ids[40][37];
            wshub_client fast_client;
            char id[37];
            int i, latest = 0;
            world_start(&w, DESC(.on_authenticate = accept_all),
                        FAKE(.completion = completion != 0));
            fast = world_client(&w, "u", id);
            fast_client = world_handle(&w, id);
            for (i = 0; i < 40; i++) {
                slow[i] = world_client(&w, "s", ids[i]);
                wshub_io_fake_window(w.net, slow[i], 0);
            }
            /* each slow client is owed 2 KB that lies between 60 KB of the fast one */
            for (i = 0; i < 40; i++) {
                if (i == 35) wshub_io_fake_window(w.net, slow[0], UINT64_MAX);
                EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, ids[i]), big, 2000),
                           WSHUB_OK);
                /* whoever holds most of one keeps it */
                if (i % 8 == 5)
                    EXPECT_INT(
                        wshub_client_send_binary(w.hub, world_handle(&w, ids[i]), big, 50000),
                        WSHUB_OK);
                EXPECT_INT(wshub_client_send_binary(w.hub, fast_client, big, sizeof big), WSHUB_OK);
                /* in the newest */
                EXPECT_INT(
                    wshub_client_send_binary(w.hub, world_handle(&w, ids[i ? 1 : 0]), big, 10),
                    WSHUB_OK);
                w.fail_all = i > 15 && fails;
                wshub_io_fake_run(w.net);
                w.fail_all = false;
            }
            wshub_io_fake_run(w.net);
            (void)wshub_settle(w.hub);
            if (!completion && !fails) EXPECT(stats(&w).segment_bytes <= (1u << 20) + 3 * 65536);
            for (i = 0; i < 40; i++) wshub_io_fake_window(w.net, slow[i], UINT64_MAX);
            wshub_io_fake_run(w.net);
            for (i = 0; i < 40; i++) { /* and what is owed arrives */
                wshub_io_fake_frame f;
                EXPECT(wshub_io_fake_next(w.net, slow[i], &f) && f.opcode == 2 &&
                       f.payload.len == 2000);
                if (i % 8 == 5)
                    EXPECT(wshub_io_fake_next(w.net, slow[i], &f) && f.payload.len == 50000);
                while (i < 2 && wshub_io_fake_next(w.net, slow[i], &f))
                    EXPECT(f.payload.len == 10 && ++latest <= 40);
            }
            EXPECT_INT(latest, 40);
            EXPECT_INT(stats(&w).queued_bytes, 0);
            (void)fast;
            world_stop(&w);
        }
    }
}

TEST(a_queue_of_many_spans) { /* sends to others lie between them, so they do not merge */
    world w;
    wshub_conn slow, other;
    char a[37], b[37], text[60];
    int i;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    slow = world_client(&w, "u", a);
    other = world_client(&w, "u", b);
    (void)other;
    wshub_io_fake_window(w.net, slow, 0);
    for (i = 0; i < 100; i++) {
        char data[12];
        (void)snprintf(data, sizeof data, "%d", i);
        m = msg("e", data);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, a), &m), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &m), WSHUB_OK);
    }
    wshub_io_fake_run(w.net);
    for (; i < 120; i++) { /* half a message at a time leaves, others come behind */
        char data[12];
        int k;
        for (k = 0; k < (i < 110 ? 4 : 14); k++) wshub_io_fake_window(w.net, slow, 12);
        (void)snprintf(data, sizeof data, "%d", i);
        m = msg("e", data);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, a), &m), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, b), &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (i = 0; i < 120; i++) {
        (void)snprintf(text, sizeof text, "{\"event\":\"e\",\"data\":%d}", i);
        EXPECT_TEXT(&w, slow, text);
    }
    EXPECT_INT(stats(&w).queued_bytes, 0);
    world_stop(&w);
}

TEST(segments_leave_in_any_order) {
    static uint8_t big[40000];
    world w;
    wshub_conn c[4];
    char ids[4][37];
    static const int order[4] = {1, 2, 0, 3};
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 4; i++) {
        c[i] = world_client(&w, "u", ids[i]);
        wshub_io_fake_window(w.net, c[i], 0);
    }
    for (i = 0; i < 4; i++)
        EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, ids[i]), big, sizeof big),
                   WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 4; i++) {
        wshub_io_fake_window(w.net, c[order[i]], UINT64_MAX);
        wshub_io_fake_run(w.net);
    }
    EXPECT_INT(stats(&w).queued_bytes, 0);
    EXPECT(stats(&w).segment_bytes <= 65536 * 2);
    world_stop(&w);
}

/* WSHUB__QUEUE_MAX: the one place is wshub__queue_push() */
TEST(no_queue_passes_two_gib_whatever_the_limits) {
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("m", json_string(400));
    wshub__conn *conn;
    uint32_t owed;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = WSHUB_OFF),
                FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    conn = wshub__conn_get(w.hub, c);
    owed = conn->queued;
    conn->queued = WSHUB__QUEUE_MAX - 10; /* as if so much waited */
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    EXPECT(!wshub__out_frame(w.hub, conn, 9, m.data.ptr, 100));
    EXPECT(wshub__out_frame(w.hub, conn, 9, NULL, 0)); /* what fits is taken */

    /* nor where an io has taken all of it */
    conn->queued = conn->inflight = WSHUB__QUEUE_MAX - 10;
    EXPECT(!wshub__out_fits(w.hub, conn, 100));
    EXPECT(wshub__out_fits(w.hub, conn, 10));
    conn->inflight = 0;
    conn->queued = owed + 2;
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    EXPECT_INT(stats(&w).queued_bytes, 0);
    world_stop(&w);
}

/* SEND-6: segment_bytes is no more than what is held, in time */
TEST(a_laggard_is_copied_out_of_what_it_holds_little_of) {
    world w;
    wshub_conn slow;
    wshub__conn *conn;
    char id[37];
    uint32_t i;
    uint64_t before, lags;
    wshub_str out;
    wshub_msg little = msg("m", "1"), much = msg("m", json_string(40000));
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    slow = world_client(&w, NULL, id);
    (void)world_client(&w, NULL, NULL);
    wshub_io_fake_window(w.net, slow, 0);
    out = wshub_str_z(id);
    /* a little for the one among much for the other, and under 1 MiB: nothing is copied yet */
    for (i = 0; i < 12; i++) {
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &little), WSHUB_OK);
        EXPECT_INT(wshub_all_send_here(w.hub, &much, &out, 1), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    before = stats(&w).segment_bytes;
    lags = stats(&w).lagging_bytes;
    EXPECT(before > 300000 && before < 1u << 20);
    conn = wshub__conn_at(w.hub, wshub__client_get(w.hub, world_handle(&w, id))->conn);
    /* only how much is held has changed since it was last looked after */
    w.hub->compacted[0] = w.hub->stats.queued_bytes;
    w.hub->compacted[1] = before;
    wshub__out_compact(w.hub);
    EXPECT_INT(stats(&w).segment_bytes, before);
    w.hub->compacted[1] = before + 1;
    /* it has caught up, and has been sent more which has not been offered yet: it lags no more */
    conn->pressured = false;
    wshub__out_compact(w.hub);
    conn->pressured = true;
    EXPECT(stats(&w).segment_bytes < 150000);
    EXPECT(stats(&w).lagging_bytes < lags);
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (i = 0; i < 12; i++) EXPECT_TEXT(&w, slow, "{\"event\":\"m\",\"data\":1}");
    EXPECT_INT(wshub_client_queued_bytes(w.hub, world_handle(&w, id)), 0);
    world_stop(&w);
}
