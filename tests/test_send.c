/* Rooms, routing, queues and backpressure (ROOM-1 to ROOM-6, SEND-1 to SEND-6). */
#include "hubtest.h"

static wshub_str S(const char *z) {
    return wshub_str_z(z);
}

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
        case 0: EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK); break;
        case 1: EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK); break;
        case 2: EXPECT_INT(wshub_user_send(w.hub, S("same"), &m), WSHUB_OK); break;
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
        EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, list, (size_t)n), WSHUB_OK);
        EXPECT_INT(wshub_all_send(w.hub, &m, list, (size_t)n), WSHUB_OK);
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
    wshub_msg m = msg("m", "1"), bad = msg("m", "{"), noevent = msg("m", "1"), nodata = msg("m", "1"), badevent = msg("\xFF", "1");
    wshub_dest d;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, NULL, id);
    noevent.event.ptr = NULL;
    nodata.data.ptr = NULL;
    EXPECT_INT(wshub_all_send(w.hub, &bad, NULL, 0), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_all_send(w.hub, &noevent, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_all_send(w.hub, &badevent, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_all_send(w.hub, NULL, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 3), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_send(w.hub, NULL, &nodata), WSHUB_ERR_PARAM); /* SEND-3 */
    nodata.event = S("");
    EXPECT_INT(wshub_send(w.hub, NULL, &nodata), WSHUB_ERR_PARAM);
    memset(&d, 0, sizeof d);
    d.kind = WSHUB_DEST_ROOM;
    EXPECT_INT(wshub_send(w.hub, &d, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_room_send(w.hub, S("nobody here"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("\xC0")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1005, S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 999, S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 1000, S("\xFF")), WSHUB_ERR_PARAM);
    world_stop(&w);
}

static void pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t queued, void *user) {
    EXPECT(wshub_client_is_pressured(hub, c) == (what != WSHUB_PRESSURE_OFF));
    EXPECT(queued <= 1000 && wshub_client_queued_bytes(hub, c) == queued);
    world_note((world *)user, what == WSHUB_PRESSURE_ON ? "on " : what == WSHUB_PRESSURE_OFF ? "off " : "drop ");
}

TEST(a_slow_client_loses_whole_messages_and_others_none) { /* SEND-6 */
    world w;
    char id[2][37];
    wshub_conn slow, fast;
    wshub_msg m = msg("m", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"");
    wshub_io_fake_frame f;
    int i, dropped = 0, got = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_pressure = pressure, .backpressure_bytes_max = 1000), FAKE(0));
    slow = world_client(&w, NULL, id[0]);
    fast = world_client(&w, NULL, id[1]);
    wshub_io_fake_window(w.net, slow, 150); /* cuts the second message in its middle */
    for (i = 0; i < 50; i++) {
        EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
        dropped += wshub_client_send(w.hub, world_handle(&w, id[0]), &m) == WSHUB_ERR_DROPPED;
        EXPECT(wshub_client_queued_bytes(w.hub, world_handle(&w, id[0])) <= 1000);
        if (i % 7 == 0) wshub_io_fake_run(w.net);
    }
    wshub_io_fake_run(w.net);
    EXPECT(dropped > 40);
    EXPECT(strncmp(w.log, "on drop ", 8) == 0 && !strstr(w.log, "off"));
    while (wshub_io_fake_next(w.net, fast, &f)) got++;
    EXPECT_INT(got, 50);
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (got = 0; wshub_io_fake_next(w.net, slow, &f); got++) EXPECT_INT(f.payload.len, 93);
    EXPECT_INT(wshub_io_fake_output(w.net, slow).len, 0);
    EXPECT(got > 8 && got < 15);
    EXPECT(strcmp(w.log + w.log_len - 4, "off ") == 0);
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
    wshub_msg m = msg("m", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = gone, .backpressure_bytes_max = 1000, .close_on_backpressure = true), FAKE(0));
    slow = world_client(&w, NULL, NULL);
    (void)world_client(&w, NULL, NULL);
    wshub_io_fake_window(w.net, slow, 0);
    for (i = 0; i < 11; i++) EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, slow));
    EXPECT(strcmp(w.log, "gone ") == 0);
    EXPECT_INT(stats(&w).clients, 1);
    world_stop(&w);
}

TEST(a_burst_that_the_stream_takes_is_not_dropped) { /* the limit is for what the stream does not take */
    world w;
    wshub_conn c;
    wshub_msg m = msg("m", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"");
    wshub_io_fake_frame f;
    int i, got = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .backpressure_bytes_max = 1000), FAKE(0));
    c = world_client(&w, NULL, NULL);
    for (i = 0; i < 500; i++) EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    while (wshub_io_fake_next(w.net, c, &f)) got++;
    EXPECT_INT(got, 500);
    world_stop(&w);
}

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
        EXPECT_INT(wshub_room_send(w.hub, S("ws-default"), &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
    }
    EXPECT(stats(&w).queued_bytes > 100 * 200 * 4096);
    EXPECT(w.bytes - before < 2 * 200 * 4200);
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
    EXPECT(w.peak < 2500000); /* 32 MB passed by */
    wshub_io_fake_window(w.net, slow, UINT64_MAX);
    for (i = 0; i < 1000; i++) EXPECT_TEXT(&w, slow, "{\"event\":\"s\",\"data\":1}");
    world_stop(&w);
}

TEST(room_names_are_counted_in_utf16_units) { /* ROOM-1 */
    static const struct { const char *unit; int times; bool ok; } cases[] = {
        {"x", 256, true}, {"x", 257, false}, {"\xC3\xA9", 256, true}, {"\xC3\xA9", 257, false}, {"\xE6\xBC\xA2", 256, true}, {"\xE6\xBC\xA2", 257, false},
        {"\xF0\x9F\x98\x80", 128, true}, {"\xF0\x9F\x98\x80", 129, false}, {"x", 1, true}, {"x", 0, false},
    };
    world w;
    wshub_conn c;
    char id[37];
    size_t i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all), FAKE(0));
    c = world_client(&w, NULL, id);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[1100] = "", text[1300];
        int k;
        for (k = 0; k < cases[i].times; k++) strcat(name, cases[i].unit);
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\"]}}", name);
        wshub_io_fake_text(w.net, c, text);
        EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), S(name)) == cases[i].ok);
        EXPECT_INT(wshub_room_count(w.hub, S(name)), cases[i].ok);
    }
    world_stop(&w);
}

TEST(rooms_have_limits_with_names) { /* ROOM-6 */
    world w;
    wshub_conn c;
    char id[37], text[4000], name[16];
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all, .rooms_per_client_max = 10, .rooms_per_message_max = 4, .rooms_max = 11), FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}}");
    EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), S("d")) && !wshub_client_in_room(w.hub, world_handle(&w, id), S("e")));
    EXPECT_INT(stats(&w).joins_refused, 2);
    for (i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "r%d", i);
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\"]}}", name);
        wshub_io_fake_text(w.net, c, text);
        EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), S(name)) == (i < 3)); /* 3 default, 4, and these */
    }
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("x")), WSHUB_ERR_LIMIT);
    (void)world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("x")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("y")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("z")), WSHUB_ERR_LIMIT); /* rooms_max */
    world_stop(&w);
}

static wshub_ask asks[32];
static int asks_count;
static void keep_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)hub;
    (void)join;
    (void)user;
    asks[asks_count++] = ask;
}
TEST(joins_not_yet_answered_do_not_pile_up) {
    world w;
    wshub_conn c;
    int i;
    wshub_str r = {"late", 4};
    char id[37];
    asks_count = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_join), FAKE(0));
    c = world_client(&w, NULL, id);
    for (i = 0; i < 100; i++) wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    EXPECT_INT(asks_count, 16);
    EXPECT_INT(wshub_join_accept(w.hub, asks[3], &r, 1), WSHUB_OK);
    EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), r));
    EXPECT_INT(wshub_join_accept(w.hub, asks[3], &r, 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ask_fail(w.hub, asks[4]), WSHUB_OK);
    wshub_io_fake_end(w.net, c);
    EXPECT_INT(wshub_join_accept(w.hub, asks[5], &r, 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_room_count(w.hub, r), 0);
    world_stop(&w);
}

TEST(iterations_survive_what_is_done_in_them) {
    world w;
    char id[20][37], name[16];
    wshub_iter it;
    wshub_client c;
    wshub_str r;
    int i, n;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "u%d", i / 2);
        (void)world_client(&w, name, id[i]);
        (void)wshub_client_join(w.hub, world_handle(&w, id[i]), S("big"));
        (void)wshub_client_join(w.hub, world_handle(&w, id[i]), S(name));
    }
    memset(&it, 0, sizeof it);
    for (n = 0; wshub_client_each(w.hub, &it, &c); n++) EXPECT(wshub_str_eq_z(wshub_client_id(w.hub, c), id[n])); /* oldest first */
    EXPECT_INT(n, 20);
    memset(&it, 0, sizeof it);
    for (n = 0; wshub_user_each(w.hub, &it, &r); n++) EXPECT_INT(wshub_user_count(w.hub, r), 2);
    EXPECT_INT(n, 10);
    memset(&it, 0, sizeof it);
    for (n = 0; wshub_room_each(w.hub, &it, &r); n++) EXPECT(wshub_room_count(w.hub, r) > 0);
    EXPECT_INT(n, 3 + 10 + 20); /* big and two defaults, ten, own-id rooms */
    EXPECT_INT(n, (int)stats(&w).rooms);
    memset(&it, 0, sizeof it);
    for (n = 0; wshub_room_each_member(w.hub, S("big"), &it, &c); n++) {
        EXPECT_INT(wshub_client_leave(w.hub, c, S("big")), WSHUB_OK);
        if (n % 3 == 0) EXPECT_INT(wshub_client_close(w.hub, c, 1000, S("")), WSHUB_OK);
    }
    EXPECT_INT(n, 20);
    EXPECT_INT(wshub_room_count(w.hub, S("big")), 0);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).clients, 13);
    memset(&it, 0, sizeof it);
    EXPECT(wshub_client_each(w.hub, &it, &c));
    {
        wshub_iter rooms = {0, 0};
        while (wshub_client_each_room(w.hub, c, &rooms, &r)) EXPECT_INT(wshub_client_leave(w.hub, c, r), WSHUB_OK);
        memset(&rooms, 0, sizeof rooms);
        EXPECT(!wshub_client_each_room(w.hub, c, &rooms, &r));
    }
    world_stop(&w);
}

TEST(binary_messages_go_both_ways_when_asked_for) {
    world w;
    wshub_conn c;
    char id[37];
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, id), (const uint8_t *)"\0\1\2", 3), WSHUB_OK);
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
    EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c, "{\"event\":\"m\"}");
    EXPECT_TEXT(&w, c, "{\"event\":\"m\"}");
    world_stop(&w);
}
