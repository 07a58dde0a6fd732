/* Sending: one send a stream and turn, in order, exclusions, what senders are told, fan-outs to
 * those who have just gone or have much, binary messages, and want of memory (SEND-1 to
 * SEND-6). */
#include "hubtest.h"

TEST(a_turn_sends_once_to_each_stream_and_in_order) { /* SEND-5; DESIGN 3 */
    world w;
    char id[3][37], want[64];
    wshub_conn c[3];
    uint64_t before;
    int i, k;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 3; i++) c[i] = world_client(&w, i ? "same" : "a", id[i]);
    before = wshub_io_fake_sends(w.net);
    for (i = 0; i < 100; i++) {
        char n[16];
        wshub_msg m;
        (void)snprintf(n, sizeof n, "%d", i);
        m = msg("m", n);
        switch (i % 4) {
        case 0: EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK); break;
        case 1:
            EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
            break;
        case 2: EXPECT_INT(wshub_user_send_here(w.hub, S("same"), &m), WSHUB_OK); break;
        default: EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[1]), &m), WSHUB_OK); break;
        }
    }
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_io_fake_sends(w.net) - before, 3);
    for (k = 0; k < 3; k++) {
        for (i = 0; i < 100; i++) {
            if ((i % 4 == 2 && k == 0) || (i % 4 == 3 && k != 1)) continue;
            (void)snprintf(want, sizeof want, "{\"event\":\"m\",\"data\":%d}", i);
            EXPECT_TEXT(&w, c[k], want);
        }
        EXPECT_SILENCE(&w, c[k]);
    }
    world_stop(&w);
}

TEST(exclusions_of_any_number_are_honoured) { /* SEND-1 */
    world w;
    char id[50][37];
    wshub_conn c[50];
    wshub_str list[50];
    wshub_msg m = msg("m", "1");
    int i, n;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 50; i++) {
        c[i] = world_client(&w, NULL, id[i]);
        list[i] = S(id[i]);
    }
    for (n = 0; n <= 50; n += 10) {
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, list, (size_t)n), WSHUB_OK);
        EXPECT_INT(wshub_all_send_here(w.hub, &m, list, (size_t)n), WSHUB_OK);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 50; i++) {
            wshub_io_fake_frame f;
            int got = 0;
            while (wshub_io_fake_next(w.net, c[i], &f)) got++;
            EXPECT_INT(got, i < n ? 0 : 2);
        }
    }
    world_stop(&w);
}

TEST(senders_are_told_what_is_wrong) {
    world w;
    char id[37];
    wshub_msg m = msg("m", "1"), bad = msg("m", "{"), noevent = msg("m", "1"),
              nodata = msg("m", "1"), badevent = msg("\xFF", "1");
    wshub_dest d = {0};
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, NULL, id);
    noevent.event.ptr = NULL;
    nodata.data.ptr = NULL;
    EXPECT_INT(wshub_all_send_here(w.hub, &bad, NULL, 0), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_all_send_here(w.hub, &noevent, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_all_send_here(w.hub, &badevent, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_all_send_here(w.hub, NULL, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 3), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_send(w.hub, NULL, &nodata), WSHUB_ERR_PARAM); /* SEND-3 */
    nodata.event = S("");
    EXPECT_INT(wshub_send(w.hub, NULL, &nodata), WSHUB_ERR_PARAM);
    memset(&d, 0, sizeof d);
    d.kind = WSHUB_DEST_ROOM;
    EXPECT_INT(wshub_send(w.hub, &d, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_room_send_here(w.hub, S("nobody here"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("\xC0")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1005, S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 999, S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, S("\xFF")), WSHUB_ERR_PARAM);
    world_stop(&w);
}

TEST(binary_messages_go_both_ways_when_asked_for) {
    world w;
    wshub_conn c;
    char id[37];
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, id), (const uint8_t *)"\0\1\2", 3),
               WSHUB_OK);
    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, id), NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 2 && f.payload.len == 3);
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 2 && f.payload.len == 0);
    world_stop(&w);
}

TEST(absent_data_is_absent_whatever_its_length_says) {
    world w;
    wshub_conn c;
    wshub_msg m = msg("m", NULL);
    char id[37];
    world_start(&w, DESC(.on_authenticate = accept_all, .on_transform_out = NULL), FAKE(0));
    c = world_client(&w, "u", id);
    m.data.len = 5;
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c, "{\"event\":\"m\"}");
    EXPECT_TEXT(&w, c, "{\"event\":\"m\"}");
    world_stop(&w);
}

/* BYE-1: in the turn in which their streams ended they are in their rooms still */
TEST(a_fan_out_while_some_have_just_gone) {
    world w;
    wshub_conn c[40];
    wshub_msg m = msg("m", "1");
    int i, gone_each;
    for (gone_each = 1; gone_each <= 9; gone_each += 4) {
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        for (i = 0; i < 40; i++) c[i] = world_client(&w, "u", NULL);
        for (i = 0; i < 40; i += gone_each + 1) wshub_conn_closed(w.hub, c[i]);
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        EXPECT_INT(wshub_user_send_here(w.hub, S("u"), &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 40; i++) {
            if (i % (gone_each + 1) == 0) continue;
            EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&w, c[i], "{\"event\":\"m\",\"data\":1}");
            EXPECT_SILENCE(&w, c[i]);
        }
        EXPECT_INT(stats(&w).queued_bytes, 0);
        world_stop(&w);
    }
}

/* SEND-6: who is behind keeps order and limit */
TEST(a_fan_out_to_those_who_have_much_and_those_who_have_nothing) {
    world w;
    wshub_conn c[4];
    char id[4][37];
    wshub_msg all = msg("all", "1"), one = msg("one", "2");
    int i, k;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 80), FAKE(0));
    for (i = 0; i < 4; i++) c[i] = world_client(&w, "u", id[i]);
    wshub_io_fake_window(w.net, c[1], 0); /* reads nothing */
    wshub_io_fake_hold(w.net, true);
    /* in one turn: 0 also gets his own in between, so his frames do not lie side by side */
    for (k = 0; k < 2; k++) {
        EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &all, NULL, 0), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[0]), &one), WSHUB_OK);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id[2]), &one), WSHUB_OK);
    }
    /* over eighty bytes for 0: he is sent some first */
    EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &all, NULL, 0), WSHUB_OK);
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    /* 1 is pressured now, and full */
    EXPECT_INT(wshub_room_send_here(w.hub, S("ws-default"), &all, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 4; i++) {
        for (k = 0; k < (i == 1 ? 0 : 2); k++) {
            EXPECT_TEXT(&w, c[i], "{\"event\":\"all\",\"data\":1}");
            if (i != 3) EXPECT_TEXT(&w, c[i], "{\"event\":\"one\",\"data\":2}");
        }
        if (i == 1) continue;
        EXPECT_TEXT(&w, c[i], "{\"event\":\"all\",\"data\":1}");
        EXPECT_TEXT(&w, c[i], "{\"event\":\"all\",\"data\":1}");
        EXPECT_SILENCE(&w, c[i]);
    }
    EXPECT_INT(stats(&w).dropped_pressure, 1); /* eighty bytes are three of them */
    wshub_io_fake_window(w.net, c[1], UINT64_MAX);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c[1], "{\"event\":\"all\",\"data\":1}");
    world_stop(&w);
}

TEST(starved_sends) {
    world w;
    wshub_conn c, d;
    char id[37];
    wshub_msg m = msg("e", "1");
    wshub_reply r;
    world_start(
        &w,
        DESC(.on_authenticate = accept_all, .on_request = keep_request, .http_timeout_ms = 1000),
        FAKE(0));
    c = world_client(&w, "u", id);
    (void)world_client(&w, "u", NULL);
    fill_log(&w);
    starve(&w);
    /* nobody got it, and it was tried once */
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_ERR_NOMEM);
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_ERR_NOMEM);
    EXPECT(!wshub__log_room(w.hub, UINT32_MAX / 2)); /* whatever memory there is */
    mend(&w);
    starve(&w);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_NOMEM);
    mend(&w);
    starve(&w);
    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, id), (const uint8_t *)"x",
                                        WSHUB_MSG_BYTES_MAX),
               WSHUB_ERR_NOMEM);
    mend(&w);
    /* an answer and a refusal over HTTP */
    d = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, d, GET, sizeof GET - 1);
    memset(&r, 0, sizeof r);
    r.status = 200;
    {
        long n; /* whatever fails while it is put together or queued: the question stays open */
        for (n = 1; n < 20; n++) {
            w.hub->log->used = w.hub->log->cap;
            w.fail_at = n;
            if (wshub_http_reply(w.hub, kept_request, &r) != WSHUB_ERR_NOMEM) break;
        }
        EXPECT(n > 2 && n < 20);
        w.fail_at = 0;
        wshub_io_fake_run(w.net);
        EXPECT(wshub_io_fake_is_open(w.net, d));
        wshub_io_fake_input(w.net, d, GET, sizeof GET - 1);
    }
    wshub_io_fake_advance(w.net, 999);
    fill_log(&w);
    starve(&w);
    wshub_io_fake_advance(w.net, 1); /* the 503 cannot be said: the stream is dropped */
    mend(&w);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, d));
    /* a Close that cannot be said: dropped too */
    fill_log(&w);
    starve(&w);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, nul()), WSHUB_OK);
    mend(&w);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

TEST(the_shortest_names_reach_all_instances_and_here_says_so) { /* SEND-1, SEND-3 */
    world w;
    char id[37];
    wshub_conn c;
    wshub_msg m = msg("m", "1"), without = msg("m", NULL);
    wshub_str out;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, "u", id);
    out = S(id);
    EXPECT_INT(wshub_user_send(w.hub, S("u"), &m), WSHUB_OK);
    EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_all_send(w.hub, &m, &out, 1), WSHUB_OK);
    EXPECT_INT(wshub_room_send(w.hub, S(""), &m, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_all_send(w.hub, &without, NULL, 0), WSHUB_ERR_PARAM); /* SEND-3 */
    EXPECT_INT(wshub_all_send_here(w.hub, &without, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, c, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, c, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, c, "{\"event\":\"m\"}");
    EXPECT_SILENCE(&w, c);
    world_stop(&w);
}
