/* Rooms and users: names, limits, who is asked, membership against plain lists, own-id rooms,
 * and joins that find no memory (ROOM-1 to ROOM-6, SEND-1). */
#include "hubtest.h"

TEST(room_names_are_counted_in_utf16_units) { /* ROOM-1 */
    static const struct {
        const char *unit;
        int times;
        bool ok;
        /* clang-format off */
    } cases[] = {
        {"x", 256, true},
        {"x", 257, false},
        {"\xC3\xA9", 256, true},
        {"\xC3\xA9", 257, false},
        {"\xE6\xBC\xA2", 256, true},
        {"\xE6\xBC\xA2", 257, false},
        {"\xF0\x9F\x98\x80", 128, true},
        {"\xF0\x9F\x98\x80", 129, false},
        {"x", 1, true},
        {"x", 0, false},
    };
    /* clang-format on */
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
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\"]}}",
                       name);
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
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_join = join_all, .rooms_per_client_max = 10,
                     .rooms_per_message_max = 4, .rooms_max = 11),
                FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_text(
        w.net, c,
        "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}}");
    EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), S("d")) &&
           !wshub_client_in_room(w.hub, world_handle(&w, id), S("e")));
    EXPECT_INT(stats(&w).joins_refused, 2);
    for (i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "r%d", i);
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\"]}}",
                       name);
        wshub_io_fake_text(w.net, c, text);
        /* 3 default, 4, and these */
        EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), S(name)) == (i < 3));
    }
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("x")), WSHUB_ERR_LIMIT);
    (void)world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("x")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("y")), WSHUB_OK);
    /* rooms_max */
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("z")), WSHUB_ERR_LIMIT);
    world_stop(&w);
}

static wshub_ask asks[32];
static int asks_count;
static void keep_ask_to_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
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
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_ask_to_join), FAKE(0));
    c = world_client(&w, NULL, id);
    for (i = 0; i < 100; i++)
        wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
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

TEST(refused_joins_are_counted_one_by_one) { /* ROOM-1, ROOM-2, ROOM-6 */
    static const struct {
        const char *text;
        uint64_t refused;
        /* clang-format off */
    } cases[] = {
        {"{\"event\":\"join\"}", 1},
        {"{\"event\":\"join\",\"data\":{\"rooms\":5}}", 1},
        {"{\"event\":\"join\",\"data\":{\"rooms\":[]}}", 1},
        {"{\"event\":\"leave\",\"data\":7}", 1},
        {"{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}", 0},
        {"{\"event\":\"leave\",\"data\":{\"rooms\":[\"a\",\"b\"]}}", 0},
    };
    /* clang-format on */
    world w;
    wshub_conn c;
    size_t i;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all), FAKE(0));
    c = world_client(&w, "u", NULL);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = stats(&w).joins_refused;
        wshub_io_fake_text(w.net, c, cases[i].text);
        if (stats(&w).joins_refused - before != cases[i].refused)
            (void)printf("  %s\n", cases[i].text);
        EXPECT_INT(stats(&w).joins_refused - before, cases[i].refused);
    }
    world_stop(&w);
}

static char first_id[37], second_id[37];
static wshub_err join_me(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)e;
    (void)user;
    EXPECT_INT(wshub_client_join(hub, c, S(first_id)), WSHUB_OK);
    return wshub_str_eq_z(e->event, "fail") ? WSHUB_ERR_APP : WSHUB_OK;
}

TEST(an_own_id_room_with_two_members) {
    world w;
    wshub_conn a, b;
    wshub_msg m = msg("both", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = join_me), FAKE(0));
    a = world_client(&w, "u", first_id);
    b = world_client(&w, "u", second_id);
    wshub_io_fake_text(w.net, b, "{\"event\":\"go\"}");
    wshub_io_fake_text(w.net, b, "{\"event\":\"fail\"}"); /* joining twice is joining once; MSG-8 */
    EXPECT_INT(stats(&w).app_failures, 1);
    EXPECT_INT(wshub_room_send_here(w.hub, S(first_id), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, a, "{\"event\":\"both\",\"data\":1}");
    EXPECT_TEXT(&w, b, "{\"event\":\"both\",\"data\":1}");
    world_stop(&w);
}

/* AUTH-7, ROOM-4: whom the application puts into it before its owner is accepted is joined there */
TEST(an_own_id_room_in_which_somebody_is_already) {
    world w;
    wshub_conn a, b;
    wshub_client owner, other;
    wshub_iter it = {0, 0};
    wshub_msg m = msg("both", "1");
    int itself;
    for (itself = 0; itself < 2; itself++) { /* it may be the owner itself */
        world_start(&w, DESC(.on_authenticate = accept_all, .no_default_rooms = true), FAKE(0));
        b = world_client(&w, "u", second_id);
        a = wshub_io_fake_connect(w.net, "/ws");
        memset(&it, 0, sizeof it);
        EXPECT(wshub_client_each(w.hub, &it, &other) && wshub_client_each(w.hub, &it, &owner));
        (void)snprintf(first_id, sizeof first_id, "%.36s", wshub_client_id(w.hub, owner).ptr);
        EXPECT_INT(wshub_client_join(w.hub, other, S(first_id)), WSHUB_OK);
        if (itself) EXPECT_INT(wshub_client_join(w.hub, owner, S(first_id)), WSHUB_OK);
        wshub_io_fake_text(w.net, a, AUTH);
        EXPECT_INT(wshub_room_count(w.hub, S(first_id)), 2);
        EXPECT(wshub_client_in_room(w.hub, owner, S(first_id)));
        EXPECT_INT(wshub_room_send_here(w.hub, S(first_id), &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_TEXT(&w, b, "{\"event\":\"both\",\"data\":1}");
        EXPECT_SILENCE(&w, b);
        world_stop(&w);
    }
}

TEST(the_first_room_granted_is_looked_at_too) { /* ROOM-2 */
    world w;
    char id[37];
    wshub_str rooms[2];
    wshub_conn c;
    kept_asks_count = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_join), FAKE(0));
    c = world_client(&w, "u", id);
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\"]}}");
    EXPECT_INT(kept_asks_count, 1);
    rooms[0] = S("");
    rooms[1] = S("b");
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], rooms, 2), WSHUB_ERR_PARAM);
    /* still to be answered */
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], rooms + 1, 1), WSHUB_OK);
    EXPECT_INT(wshub_room_count(w.hub, S("b")), 1);
    world_stop(&w);
}

TEST(users_and_rooms_that_cannot_grow) {
    world w;
    wshub_conn c;
    char id[37];
    long n;
    int i;
    for (n = 1; n < 30; n++) {
        bool reached;
        world_start(&w, DESC(.on_authenticate = keep_auth), FAKE(0));
        kept_asks_count = 0;
        /* the fifth session makes its user's table grow, and the rooms' */
        for (i = 0; i < 5; i++) {
            wshub_identity who;
            memset(&who, 0, sizeof who);
            who.user_id = S("u");
            who.metadata = S("{}");
            c = wshub_io_fake_connect(w.net, "/ws");
            wshub_io_fake_text(w.net, c, AUTH);
            if (i == 0) wshub_io_fake_window(w.net, c, 0);
            if (i == 4) {
                wshub_err err;
                w.hub->log->used = w.hub->log->cap;
                w.fail_at = n;
                err = wshub_auth_accept(w.hub, kept_asks[i], &who);
                reached = w.fail_at == 0;
                w.fail_at = 0;
                EXPECT_INT(err, reached ? WSHUB_ERR_NOMEM : WSHUB_OK);
                if (reached) EXPECT_INT(wshub_user_count(w.hub, S("u")), 4);
                if (reached) EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[i], &who), WSHUB_OK);
            } else {
                EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[i], &who), WSHUB_OK);
            }
        }
        EXPECT_INT(wshub_user_count(w.hub, S("u")), 5);
        EXPECT_INT(wshub_room_count(w.hub, S("ws-default")), 5);
        world_stop(&w);
        if (!reached) break;
    }
    EXPECT(n > 4 && n < 30);
    /* an own-id room that becomes a real one, with its owner in it */
    for (n = 1; n < 30; n++) {
        wshub_err err;
        bool reached;
        char second[37];
        world_start(&w, DESC(.on_authenticate = accept_all, .rooms_per_client_max = 3), FAKE(0));
        (void)world_client(&w, "u", id);
        (void)world_client(&w, "u", second);
        EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, second), S("x")), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, second), S("ws-default")), WSHUB_OK);
        w.fail_at = n;
        err = wshub_client_join(w.hub, world_handle(&w, second), S(id));
        reached = w.fail_at == 0;
        w.fail_at = 0;
        EXPECT_INT(err, reached ? WSHUB_ERR_NOMEM : WSHUB_OK);
        EXPECT_INT(wshub_room_count(w.hub, S(id)), reached ? 1 : 2);
        world_stop(&w);
        if (!reached) break;
    }
    EXPECT(n > 1 && n < 30);
}

TEST(own_rooms_are_asked_for_by_nobody_else) {
    world w;
    char a[37], b[37], text[200];
    wshub_conn conns[2];
    wshub_msg m = msg("private", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all), FAKE(0));
    conns[0] = world_client(&w, NULL, a);
    conns[1] = world_client(&w, NULL, b);
    (void)snprintf(text, sizeof text,
                   "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\",\"%s\",\"lobby\"]}}", a, b);
    wshub_io_fake_text(w.net, conns[1], text);
    EXPECT_INT(wshub_room_count(w.hub, S(a)), 1);
    EXPECT_INT(wshub_room_count(w.hub, S(b)), 1);
    EXPECT_INT(wshub_room_count(w.hub, S("lobby")), 1);
    EXPECT_INT(wshub_room_send_here(w.hub, S(a), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, conns[0], "{\"event\":\"private\",\"data\":1}");
    EXPECT_SILENCE(&w, conns[1]);
    /* the application may (ROOM-4) */
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, b), S(a)), WSHUB_OK);
    EXPECT_INT(wshub_room_count(w.hub, S(a)), 2);
    (void)snprintf(text, sizeof text, "{\"event\":\"leave\",\"data\":{\"rooms\":[\"%s\"]}}", a);
    wshub_io_fake_text(w.net, conns[1], text); /* and who was put there may leave */
    EXPECT_INT(wshub_room_count(w.hub, S(a)), 1);
    world_stop(&w);
}

TEST(exclusion_and_membership_are_what_plain_lists_say) { /* SEND-1, ROOM-3 to ROOM-5 */
    enum { CLIENTS = 12, ROOMS = 90 };
    uint32_t round;
    for (round = 1; round <= 12; round++) {
        world w;
        wshub_conn conn[CLIENTS];
        char id[CLIENTS][37], name[16];
        static bool in[CLIENTS][ROOMS];
        wshub_str ids[2 * CLIENTS + 2];
        uint32_t step, i, k;
        any_seed = round * 40503u + 7;
        memset(in, 0, sizeof in);
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(.on_step = NULL));
        for (i = 0; i < CLIENTS; i++) conn[i] = world_client(&w, "u", id[i]);
        for (step = 0; step < 1500; step++) {
            /* three are in many */
            uint32_t who = any_of(4) ? any_of(3) : any_of(CLIENTS), r = any_of(ROOMS);
            wshub_client c = world_handle(&w, id[who]);
            /* grows beyond the table's threshold and falls below it again */
            bool filling = step / 300 % 2 == 0;
            (void)snprintf(name, sizeof name, "r%u", (unsigned)r);
            if (any_of(10) < 8) {
                bool join = filling ? any_of(10) < 8 : any_of(10) < 2;
                EXPECT_INT(
                    (join ? wshub_client_join : wshub_client_leave)(w.hub, c, wshub_str_z(name)),
                    WSHUB_OK);
                in[who][r] = join;
            } else {
                size_t n = any_of(2 * CLIENTS + 2), before[CLIENTS];
                bool left_out[CLIENTS] = {false};
                wshub_msg m = msg("m", "1");
                bool all = any_of(3) == 0;
                for (i = 0; i < n; i++) {
                    k = any_of(CLIENTS + 1);
                    ids[i] = k < CLIENTS ? wshub_str_z(id[k]) : wshub_str_z("nobody");
                    if (k < CLIENTS) left_out[k] = true;
                }
                /* they run out: those of old are wiped out */
                if (w.hub->mark > 50 && w.hub->mark < 1000) w.hub->mark = UINT32_MAX - 50;
                for (i = 0; i < CLIENTS; i++) before[i] = wshub_io_fake_output(w.net, conn[i]).len;
                if (all)
                    EXPECT_INT(wshub_all_send_here(w.hub, &m, ids, n), WSHUB_OK);
                else
                    EXPECT_INT(wshub_room_send_here(w.hub, wshub_str_z(name), &m, ids, n),
                               WSHUB_OK);
                wshub_io_fake_run(w.net);
                for (i = 0; i < CLIENTS; i++)
                    EXPECT_INT(wshub_io_fake_output(w.net, conn[i]).len > before[i],
                               (all || in[i][r]) && !left_out[i]);
            }
            EXPECT_INT(wshub_client_in_room(w.hub, c, wshub_str_z(name)), in[who][r]);
            if (step % 50 == 0) {
                EXPECT(wshub_self_check(w.hub) == NULL);
                for (i = 0; i < CLIENTS; i++) {
                    wshub_str room;
                    wshub_iter it = {0, 0};
                    size_t seen = 0, want = 3;
                    while (wshub_client_each_room(w.hub, world_handle(&w, id[i]), &it, &room))
                        seen++;
                    for (k = 0; k < ROOMS; k++) want += in[i][k];
                    EXPECT_INT(seen, want);
                }
            }
        }
        world_stop(&w);
    }
}

/* ROOM-4: all or nothing, at every threshold of a client's list */
TEST(joins_that_find_no_memory_change_nothing) {
    world w;
    char id[37], name[16];
    int i;
    long n;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&w, NULL, id);
    for (i = 0; i < 80; i++) {
        (void)snprintf(name, sizeof name, "r%d", i);
        for (n = 1; n < 20; n++) {
            wshub_err err;
            w.fail_at = n;
            err = wshub_client_join(w.hub, world_handle(&w, id), wshub_str_z(name));
            w.fail_at = 0;
            EXPECT(wshub_self_check(w.hub) == NULL);
            if (err == WSHUB_OK) break;
            EXPECT_INT(err, WSHUB_ERR_NOMEM);
            EXPECT(!wshub_client_in_room(w.hub, world_handle(&w, id), wshub_str_z(name)));
        }
    }
    /* leaving wants no memory; what it would give back with some stays */
    for (i = 0; i < 80; i++) {
        (void)snprintf(name, sizeof name, "r%d", i);
        w.fail_all = true;
        EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, id), wshub_str_z(name)), WSHUB_OK);
        w.fail_all = false;
        EXPECT(wshub_self_check(w.hub) == NULL);
    }
    world_stop(&w);
}
