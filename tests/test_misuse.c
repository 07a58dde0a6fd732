/* The public functions with arguments they refuse: each says so, and nothing is changed. */
#include "hubtest.h"

static void no_timer(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}

TEST(arguments_that_are_refused) {
    world w;
    char id[37];
    wshub_client c, gone;
    wshub_conn conn, other;
    wshub_msg ok = msg("e", "1"), bad = msg("e", "1");
    wshub_str room, x[2];
    wshub_dest to = {0};
    wshub_iter it;
    wshub_ask ask;
    wshub_client found;
    wshub_identity who;
    char text[10];
    memset(&who, 0, sizeof who);
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_join), FAKE(0));
    conn = world_client(&w, "u", id);
    c = world_handle(&w, id);
    other = world_client(&w, NULL, id);
    gone = world_handle(&w, id);
    wshub_io_fake_end(w.net, other);
    EXPECT(c.id && gone.id && gone.id != c.id);
    /* messages */
    EXPECT_INT(wshub_client_send(w.hub, c, NULL), WSHUB_ERR_PARAM);
    bad.event = nul();
    EXPECT_INT(wshub_client_send(w.hub, c, &bad), WSHUB_ERR_PARAM);
    bad.event = too_long();
    EXPECT_INT(wshub_all_send_here(w.hub, &bad, NULL, 0), WSHUB_ERR_PARAM);
    bad.event = S("\xC0\x80");
    EXPECT_INT(wshub_user_send_here(w.hub, S("u"), &bad), WSHUB_ERR_PARAM);
    bad = msg("e", "[");
    EXPECT_INT(wshub_room_send_here(w.hub, S("r"), &bad, NULL, 0), WSHUB_ERR_JSON);
    bad = msg("e", "");
    bad.data_is_json = true;
    EXPECT_INT(wshub_client_send(w.hub, c, &bad), WSHUB_ERR_JSON);
    bad.data.len = (size_t)WSHUB_MSG_BYTES_MAX + 1;
    EXPECT_INT(wshub_client_send(w.hub, c, &bad), WSHUB_ERR_LIMIT);
    /* to the byte */
    EXPECT_INT(wshub_client_join(w.hub, c, wshub__str(long_name, WSHUB_NAME_BYTES_MAX)), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, c, wshub__str(long_name, WSHUB_NAME_BYTES_MAX + 1)),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_room_count(w.hub, wshub__str(long_name, WSHUB_NAME_BYTES_MAX)), 1);
    /* just so much may be: here nobody is there for whom it would be read */
    bad.data.len = WSHUB_MSG_BYTES_MAX;
    EXPECT_INT(wshub_room_send_here(w.hub, S("empty room"), &bad, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, gone, &ok), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_send_binary(w.hub, c, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(
        wshub_client_send_binary(w.hub, c, (const uint8_t *)"x", (size_t)WSHUB_MSG_BYTES_MAX + 1),
        WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_client_send_binary(w.hub, gone, (const uint8_t *)"x", 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_send_binary(w.hub, c, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_all_send_here(w.hub, &ok, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_room_send_here(w.hub, too_long(), &ok, NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_user_send_here(w.hub, S("\xFF"), &ok), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_user_send_here(w.hub, nul(), &ok), WSHUB_OK); /* nobody */
    memset(&to, 0, sizeof to);
    EXPECT_INT(wshub_send(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    bad = msg("", "1");
    EXPECT_INT(wshub_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    bad = msg("e", NULL);
    EXPECT_INT(wshub_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    to.kind = (wshub_dest_kind)7;
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.kind = WSHUB_DEST_CLIENT;
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.name = S("\xFF");
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.name = S(id);
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_OK); /* he is gone; others might have him */
    to.kind = WSHUB_DEST_RESOLVE;
    EXPECT_INT(wshub_send(w.hub, &to, &ok), WSHUB_OK);
    /* clients */
    EXPECT_INT(wshub_client_close(w.hub, c, 999, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 1005, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 0, S("why")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 1000, wshub__str(long_name, 124)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, c, 1000, S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_close(w.hub, gone, 1000, nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_join(w.hub, c, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_join(w.hub, c, too_long()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_join(w.hub, gone, S("r")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_leave(w.hub, c, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_leave(w.hub, c, S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_leave(w.hub, gone, S("r")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_leave(w.hub, c, S("nowhere")), WSHUB_OK);
    EXPECT_INT(wshub_client_encrypt(w.hub, gone), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_set_user_ptr(w.hub, gone, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_set_metadata(w.hub, gone, nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, S("{")), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, S("[1]")), WSHUB_OK);
    EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "[1]"));
    w.fail_at = 1;
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, S("[1,2,3,4,5,6,7,8]")), WSHUB_ERR_NOMEM);
    w.fail_at = 0;
    EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "[1]")); /* all or nothing */
    EXPECT_INT(wshub_client_set_metadata(w.hub, c, nul()), WSHUB_OK);
    EXPECT(!wshub_client_metadata(w.hub, c).ptr && !wshub_client_metadata(w.hub, gone).ptr);
    EXPECT_INT(wshub_client_peer(w.hub, c, text, 0), 0);
    EXPECT(wshub_client_peer(w.hub, gone, text, sizeof text) == 0 && text[0] == 0);
    EXPECT(wshub_client_peer(w.hub, c, text, sizeof text) == 4 && strcmp(text, "fake") == 0);
    EXPECT(wshub_client_peer(w.hub, c, text, 4) == 0 && text[0] == 0); /* nothing is cut */
    w.hub->io.about = NULL;
    EXPECT_INT(wshub_client_peer(w.hub, c, text, sizeof text), 0);
    EXPECT(!wshub_client_id(w.hub, gone).ptr && !wshub_client_user_id(w.hub, gone).ptr &&
           !wshub_client_user_ptr(w.hub, gone) && !wshub_client_is_encrypted(w.hub, gone) &&
           !wshub_client_is_pressured(w.hub, gone));
    EXPECT(wshub_client_queued_bytes(w.hub, gone) == 0 &&
           wshub_client_state(w.hub, gone) == WSHUB_CLIENT_DISCONNECTED &&
           !wshub_client_in_room(w.hub, gone, S("r")));
    EXPECT_INT(wshub_client_find(w.hub, S("nobody"), &found), WSHUB_ERR_STALE);
    /* walks */
    memset(&it, 0, sizeof it);
    EXPECT(!wshub_client_each_room(w.hub, gone, &it, &room));
    EXPECT(wshub_client_in_room(w.hub, c, wshub_client_id(w.hub, c)) &&
           wshub_client_in_room(w.hub, c, S("ws-default")) &&
           !wshub_client_in_room(w.hub, c, S("no such room")));
    memset(&it, 0, sizeof it);
    it.phase = 1;
    it.pos = 99; /* they have left meanwhile */
    EXPECT(wshub_client_each_room(w.hub, c, &it, &room));
    it.pos = 99;
    EXPECT(wshub_room_each_member(w.hub, S("ws-default"), &it, &found) && found.id == c.id);
    it.pos = 99;
    EXPECT(wshub_room_each(w.hub, &it, &room));
    it.pos = 99;
    it.phase = 1;
    EXPECT(wshub_user_each(w.hub, &it, &room) && wshub_str_eq_z(room, "u"));
    EXPECT(!wshub_user_each(w.hub, &it, &room));
    memset(&it, 0, sizeof it);
    EXPECT(wshub_room_count(w.hub, S("nothing")) == 0 &&
           wshub_user_count(w.hub, S("nobody")) == 0 &&
           !wshub_room_each_member(w.hub, S("nothing"), &it, &found) &&
           !wshub_user_each_client(w.hub, S("nobody"), &it, &found));
    /* questions */
    kept_asks_count = 0;
    wshub_io_fake_text(w.net, conn, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    EXPECT_INT(kept_asks_count, 1);
    x[0] = S("a");
    x[1] = nul();
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[0], nul(), nul()), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], x, 2), WSHUB_ERR_PARAM);
    x[1] = S("");
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], x, 2), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], x, 1), WSHUB_OK);
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], x, 1), WSHUB_ERR_STALE);
    ask = kept_asks[0];
    EXPECT_INT(wshub_ask_reject(w.hub, ask), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ask_fail(w.hub, ask), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_transform_accept(w.hub, ask, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_handshake_accept(w.hub, ask, nul(), nul()), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_auth_accept(w.hub, ask, &who), WSHUB_ERR_STALE);
    wshub_io_fake_text(w.net, conn, "{\"event\":\"join\",\"data\":{\"rooms\":[\"b\"]}}");
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[1], NULL, 0), WSHUB_OK); /* none of them */
    /* time, the end */
    EXPECT_INT(wshub_timer_start(w.hub, 1, NULL, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_timer_start(w.hub, UINT64_MAX, no_timer, NULL, NULL), WSHUB_ERR_PARAM);
    {
        wshub_timer t, u = {0};
        EXPECT_INT(wshub_timer_start(w.hub, 5, no_timer, NULL, &t), WSHUB_OK);
        EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_OK);
        EXPECT_INT(wshub_timer_stop(w.hub, t), WSHUB_ERR_STALE);
        EXPECT_INT(wshub_timer_stop(w.hub, u), WSHUB_ERR_STALE);
        w.hub->io.wake = NULL; /* an io that cannot be woken settles by itself */
        EXPECT_INT(wshub_timer_start(w.hub, 5, no_timer, NULL, NULL), WSHUB_OK);
    }
    EXPECT_INT(wshub_drain(w.hub, 0, 1001, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1000001, 1001, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 0, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 1006, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 1001, wshub__str(long_name, 124)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_drain(w.hub, 1, 1001, S("\xFF")), WSHUB_ERR_PARAM);
    w.fail_at = 1;
    EXPECT_INT(wshub_drain(w.hub, 1, 1001, S("bye")), WSHUB_ERR_NOMEM);
    w.fail_at = 0;
    memset(&w.hub->drain_reason, 0, sizeof w.hub->drain_reason);
    EXPECT_INT(wshub_drain(w.hub, 1, 1012, S("bye")), WSHUB_OK);
    EXPECT_INT(wshub_drain(w.hub, 1, 1012, S("bye")), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK); /* without being woken either */
    EXPECT(wshub_user(w.hub) == &w && wshub_server_id(w.hub).len == 36);
    {
        uint64_t before = wshub_now_ms(w.hub);
        wshub_io_fake_advance(w.net, 5);
        (void)wshub_settle(w.hub);
        EXPECT_INT(wshub_now_ms(w.hub), before + 5);
    }
    world_stop(&w);
}

TEST(an_io_need_not_know_whose_it_is) { /* wshub_io.taken NULL: the application sees to it */
    wshub_io io;
    wshub *hub = NULL;
    wshub_desc d;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    io = *wshub_io_fake_io(refusal_net);
    io.taken = NULL;
    memset(&d, 0, sizeof d);
    d.io = &io;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    wshub_destroy(hub);
    wshub_io_fake_destroy(refusal_net);
}
