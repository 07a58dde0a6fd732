/* Answers that bear the id of what they answer (SEND-7): byte for byte, at once and later, through
 * a transformer, from another thread's side, and what an id may not be. */
#include "hubtest.h"

static wshub_str an_id; /* what the next event is answered with; ptr NULL: the event's own */

static wshub_err answer(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_msg m = {.event = S("sum"), .data = e->data};
    (void)user;
    return wshub_client_reply(hub, client, an_id.ptr ? an_id : e->id, &m);
}

static world w;
static wshub_conn conn;
static char name[37];

static void start(wshub_desc d) {
    an_id = nul();
    d.on_authenticate = accept_all;
    world_start(&w, d, FAKE(0));
    conn = world_client(&w, NULL, name);
}

/* An event with this id is answered with the same one, and nothing else is said. */
static void expect_same(const char *id) {
    char text[300], want[300];
    (void)snprintf(text, sizeof text, "{\"event\":\"add\", \"id\": %s , \"data\":5}", id);
    (void)snprintf(want, sizeof want, "{\"event\":\"sum\",\"data\":5,\"id\":%s}", id);
    wshub_io_fake_text(w.net, conn, text);
    EXPECT_TEXTS(&w, conn, want);
}

TEST(an_answer_bears_the_id_byte_for_byte) { /* SEND-7, MSG-7 */
    start(DESC(.on_message = answer));
    expect_same("7");
    expect_same("1e400");
    expect_same("123456789012345678901234567890");
    expect_same("\"a\\u0041 \\n\"");
    expect_same("{\"k\" : [1, {\"b\":null}]}");
    expect_same("null");
    expect_same("\"\"");
    world_stop(&w);
}

TEST(who_gave_no_id_gets_an_event_like_any_other) { /* SEND-7 */
    wshub_msg m = msg("sum", "1");
    wshub_str none = nul();
    start(DESC(.on_message = answer));
    wshub_io_fake_text(w.net, conn, "{\"event\":\"add\",\"data\":5}");
    EXPECT_TEXTS(&w, conn, "{\"event\":\"sum\",\"data\":5}");
    wshub_io_fake_text(w.net, conn, "{\"event\":\"add\",\"id\":3}");
    EXPECT_TEXTS(&w, conn, "{\"event\":\"sum\",\"id\":3}");
    none.len = 9; /* absent, whatever its length says */
    EXPECT_INT(wshub_client_reply(w.hub, world_handle(&w, name), none, &m), WSHUB_OK);
    m.event = S("");
    EXPECT_INT(wshub_client_reply(w.hub, world_handle(&w, name), S("8"), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, conn, "{\"event\":\"sum\",\"data\":1}",
                 "{\"event\":\"\",\"data\":1,\"id\":8}");
    world_stop(&w);
}

TEST(what_is_no_id_is_refused_and_nothing_is_sent) { /* SEND-7, MSG-9 */
    static const char *const bad[] = {"",   " ",        "{",         "1 2",  "\"",
                                      "01", "\"\xFF\"", "7,\"x\":1", "[[1]]"};
    wshub_msg m = msg("sum", "1");
    wshub_client me;
    size_t i;
    start(DESC(.json_depth_max = 2));
    me = world_handle(&w, name);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_INT(wshub_client_reply(w.hub, me, S(bad[i]), &m), WSHUB_ERR_JSON);
        EXPECT_INT(wshub_post_client_reply(w.hub, me, S(bad[i]), &m), WSHUB_ERR_JSON);
    }
    EXPECT_INT(wshub_client_reply(w.hub, me, wshub__str("1", (size_t)WSHUB_MSG_BYTES_MAX + 1), &m),
               WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_client_reply(w.hub, me, S("1"), NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_client_reply(w.hub, (wshub_client){0}, S("1"), &m), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, conn);
    EXPECT_INT(wshub_client_reply(w.hub, me, S("[1]"), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, conn, "{\"event\":\"sum\",\"data\":1,\"id\":[1]}");
    world_stop(&w);
}

TEST(an_answer_can_be_posted) { /* SEND-7 */
    wshub_msg m = msg("sum", "1");
    char id[] = "\"q\"";
    start(DESC(.no_pings = true));
    EXPECT_INT(wshub_post_client_reply(w.hub, world_handle(&w, name), S(id), &m), WSHUB_OK);
    EXPECT_INT(wshub_post_client_reply(w.hub, world_handle(&w, name), nul(), &m), WSHUB_OK);
    EXPECT_INT(wshub_post_client_reply(w.hub, world_handle(&w, name), S(id), NULL),
               WSHUB_ERR_PARAM);
    memset(id, 'x', 3); /* it has been copied */
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, conn, "{\"event\":\"sum\",\"data\":1,\"id\":\"q\"}",
                 "{\"event\":\"sum\",\"data\":1}");
    world_stop(&w);
}

TEST(the_transformer_neither_sees_nor_changes_an_id) { /* SEND-7, ENC-1, ENC-2, SEND-5 */
    wshub_msg secret = msg("secret", "\"x\""), plain = msg("plain", "2");
    wshub_client me;
    size_t i;
    kept_asks_count = 0;
    start(DESC(.on_connected = encrypt_all, .on_transform_out = keep_event));
    me = world_handle(&w, name);
    EXPECT_INT(wshub_client_reply(w.hub, me, S("1"), &plain), WSHUB_OK);
    EXPECT_INT(wshub_client_reply(w.hub, me, S("{\"id\":2}"), &plain), WSHUB_OK);
    EXPECT_INT(wshub_client_reply(w.hub, me, S("3"), &plain), WSHUB_OK);
    EXPECT_INT(wshub_client_send(w.hub, me, &plain), WSHUB_OK);
    EXPECT_INT(kept_asks_count, 4);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[3], &secret), WSHUB_OK);
    EXPECT_INT(wshub_ask_fail(w.hub, kept_asks[2]), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[1], &secret), WSHUB_OK);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, conn, "{\"event\":\"plain\",\"data\":2,\"id\":1}",
                 "{\"event\":\"secret\",\"data\":\"x\",\"id\":{\"id\":2}}",
                 "{\"event\":\"secret\",\"data\":\"x\"}");
    for (i = 0; i < 50; i++) /* what is asked and never answered is freed with its client */
        EXPECT_INT(wshub_client_reply(w.hub, me, S("\"long, to be counted\""), &plain), WSHUB_OK);
    EXPECT(stats(&w).transform_bytes > 50u * 20u);
    wshub_io_fake_end(w.net, conn);
    EXPECT_INT(stats(&w).transform_bytes, 0);
    world_stop(&w);
}

TEST(an_answer_counts_with_its_id_against_what_may_wait) { /* SEND-6, SEND-7 */
    wshub_msg m = msg("sum", "1");
    wshub_client me;
    char *id = json_string(3000);
    start(DESC(.backpressure_bytes_max = 4096));
    me = world_handle(&w, name);
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(wshub_client_reply(w.hub, me, S(id), &m), WSHUB_OK);
    EXPECT_INT(wshub_client_reply(w.hub, me, S(id), &m), WSHUB_ERR_DROPPED);
    EXPECT_INT(stats(&w).dropped_pressure, 1);
    world_stop(&w);
}

TEST(without_memory_an_answer_fails_and_nothing_else) { /* SEND-7 */
    wshub_msg m = msg("sum", "1");
    long at;
    for (at = 1; at < 6; at++) {
        wshub_err err;
        start(DESC(.on_connected = encrypt_all, .on_transform_out = keep_event));
        w.fail_at = at;
        err = wshub_client_reply(w.hub, world_handle(&w, name), S("1"), &m);
        w.fail_at = 0;
        EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
        EXPECT(err == WSHUB_ERR_NOMEM || at > 2);
        world_stop(&w);
    }
}
