/* Posts from other threads: what is refused at the door, and a hub that one of them destroys
 * (STYLE 6, LIMITS). */
#include "hubtest.h"

TEST(posts_are_checked_at_the_door) {
    static const char bad_utf8[] = "\xFF", no_json[] = "{\"a\":";
    world w;
    wshub_ask ask = {UINT64_C(1) << 32};
    wshub_client c = {UINT64_C(1) << 32};
    wshub_dest to = {0};
    wshub_identity who;
    wshub_msg m = msg("e", no_json);
    wshub_str names[2], many[3];
    uint64_t held;
    world_start(&w, DESC(.post_bytes_max = 5000), FAKE(0));
    held = w.bytes;
    EXPECT_INT(wshub_post_send(w.hub, NULL, &m), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_post_client_send(w.hub, c, &m), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &m), WSHUB_ERR_JSON);
    m = msg(bad_utf8, "1");
    EXPECT_INT(wshub_post_send(w.hub, NULL, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_client_send(w.hub, c, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &m), WSHUB_ERR_PARAM);
    m = msg("e", "1");
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_ROOM;
    to.name = S(bad_utf8);
    EXPECT_INT(wshub_post_send(w.hub, &to, &m), WSHUB_ERR_PARAM);
    who.user_id = S(bad_utf8);
    who.metadata = S("1");
    EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_ERR_PARAM);
    who.user_id = S("u");
    who.metadata = S(no_json);
    EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_post_handshake_accept(w.hub, ask, S(bad_utf8), S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_handshake_accept(w.hub, ask, S(""), S(bad_utf8)), WSHUB_ERR_PARAM);
    names[0] = S("a");
    names[1] = S("");
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, names, 2), WSHUB_ERR_PARAM);
    names[1] = S(bad_utf8);
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, names, 2), WSHUB_ERR_PARAM);
    /* lengths whose sum wraps, and counts */
    many[0] = many[1] = many[2] = wshub__str("", SIZE_MAX / 2 + 1);
    {
        wshub__post p = wshub__post_make(WSHUB__POST_JOIN, 0);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 2, NULL, 0), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 3, many, 1), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, SIZE_MAX / sizeof(wshub_str), NULL, 0),
                   WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, NULL, 0, many, SIZE_MAX), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 1, many, SIZE_MAX), WSHUB_ERR_LIMIT);
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 300, NULL, 0), WSHUB_ERR_LIMIT);
        /* their list alone, with what it is in */
        EXPECT_INT(wshub__post_put(w.hub, &p, many, 5000 / sizeof(wshub_str), NULL, 0),
                   WSHUB_ERR_LIMIT);
    }
    EXPECT_INT(w.bytes, held);
    EXPECT_INT(w.hub->posted_bytes, 0);
    /* each fits, together they do not; what is carried out makes room */
    {
        static char big[3000];
        memset(big, '1', sizeof big);
        who.user_id = S("u");
        who.metadata = wshub__str(big, sizeof big);
        EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_OK);
        EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_ERR_LIMIT);
        wshub_io_fake_run(w.net);
        EXPECT_INT(w.hub->posted_bytes, 0);
        EXPECT_INT(wshub_post_auth_accept(w.hub, ask, &who), WSHUB_OK);
    }
    world_stop(&w);
}

static void no_timer(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}

TEST(posts_that_are_refused) {
    world w;
    char id[37];
    wshub_client c;
    wshub_conn conn;
    wshub_msg ok = msg("e", "1"), bad = msg("e", "1");
    wshub_dest to = {0};
    wshub_ask ask = {0};
    wshub_str room = S("a");
    memset(&to, 0, sizeof to);
    world_start(&w, DESC(.on_authenticate = accept_all, .post_bytes_max = 1000), FAKE(0));
    conn = world_client(&w, "u", id);
    c = world_handle(&w, id);
    EXPECT_INT(wshub_post(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_send(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    bad.event = nul();
    EXPECT_INT(wshub_post_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_client_send(w.hub, c, &bad), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &bad), WSHUB_ERR_PARAM);
    bad.event = S("");
    EXPECT_INT(wshub_post_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    bad = msg("e", NULL);
    EXPECT_INT(wshub_post_send(w.hub, NULL, &bad), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_client_send(w.hub, c, NULL), WSHUB_ERR_PARAM);
    to.exclude_count = 1;
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.exclude_count = 0;
    to.kind = (wshub_dest_kind)9;
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.kind = WSHUB_DEST_ROOM; /* SEND-4: several rooms are this hub's alone, as in wshub_send() */
    to.rooms = &room;
    to.rooms_count = 1;
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    to.name = room;
    to.rooms_count = 0;
    to.except_rooms = &room;
    to.except_rooms_count = 1;
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close(w.hub, c, 1006, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close(w.hub, c, 0, S("x")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close(w.hub, c, 1000, too_long()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close_id(w.hub, S(id), 1006, nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_close_id(w.hub, S(id), 1000, S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, NULL, 3), WSHUB_ERR_PARAM);
    bad.data = too_long();
    EXPECT_INT(wshub_post_client_send(w.hub, c, &bad), WSHUB_ERR_JSON);
    bad.data_is_json = true;
    EXPECT_INT(wshub_post_client_send(w.hub, c, &bad), WSHUB_ERR_LIMIT); /* post_bytes_max */
    w.fail_at = 1;
    EXPECT_INT(wshub_post_client_send(w.hub, c, &ok), WSHUB_ERR_NOMEM);
    EXPECT_INT(w.hub->posted_bytes, 0);
    w.fail_at = 0;
    /* what is stale by then is silent */
    EXPECT_INT(wshub_post_auth_accept(w.hub, ask, NULL), WSHUB_OK);
    EXPECT_INT(wshub_post_handshake_accept(w.hub, ask, nul(), nul()), WSHUB_OK);
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, NULL), WSHUB_OK);
    ok.data_is_json = true;
    EXPECT_INT(wshub_post_transform_accept(w.hub, ask, &ok), WSHUB_OK);
    EXPECT_INT(wshub_post_ask_reject(w.hub, ask), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_post_ask_fail(w.hub, ask), WSHUB_OK);
    EXPECT_INT(wshub_post_join_accept(w.hub, ask, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_post_close_id(w.hub, S(""), 1000, S("")), WSHUB_OK);
    EXPECT_INT(wshub_post_close_id(w.hub, S("nobody"), 1000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, conn);
    EXPECT_INT(wshub_post_send(w.hub, NULL, &ok), WSHUB_OK); /* to all */
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_ROOM;
    to.name = S(id);
    EXPECT_INT(wshub_post_send(w.hub, &to, &ok), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, conn, "{\"event\":\"e\",\"data\":1}");
    EXPECT_TEXT(&w, conn, "{\"event\":\"e\",\"data\":1}");
    EXPECT_INT(wshub_post_close(w.hub, c, 0, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_CLOSE(&w, conn, 0);
    w.hub->io.wake = NULL;
    EXPECT_INT(wshub_post(w.hub, no_timer, NULL), WSHUB_ERR_NOWAKE);
    world_stop(&w);
}

static void destroy_it(wshub *hub, void *arg) {
    (void)arg;
    wshub_destroy(hub);
    wshub_destroy(hub); /* twice is once */
}
static int ran;
static void count_it(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
    ran++;
}

TEST(a_hub_that_a_post_destroys_runs_no_further_post) {
    world w;
    world_start(&w, DESC(0), FAKE(0));
    ran = 0;
    EXPECT_INT(wshub_post(w.hub, count_it, NULL), WSHUB_OK);
    EXPECT_INT(wshub_post(w.hub, destroy_it, NULL), WSHUB_OK);
    EXPECT_INT(wshub_post(w.hub, count_it, NULL), WSHUB_OK);
    {
        wshub *hub = w.hub;
        w.hub = NULL;
        (void)hub;
    }
    wshub_io_fake_run(w.net);
    EXPECT_INT(ran, 1);
    world_stop(&w);
}

/* ---- answers to handshakes (AUTH-8) ---- */

static wshub_exchange asked_last;
static void ask_later(wshub *hub, const wshub_http *http, wshub_upgrade *up, void *user) {
    (void)hub, (void)http, (void)user;
    asked_last = up->exchange;
    up->later = true;
}
static const char *const pages[] = {"https://page.example"};
static const char asks[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Sec-WebSocket-Protocol: chat\r\n\r\n";
static wshub_conn ask_upgrade(world *w) {
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, asks, sizeof asks - 1);
    EXPECT_INT(wshub_io_fake_output(w->net, c).len, 0);
    return c;
}

TEST(a_handshake_is_granted_from_elsewhere) { /* AUTH-8, AUTH-7 */
    static int mine;
    int i;
    for (i = 0; i < 4; i++) {
        world w;
        wshub_conn c;
        wshub_iter it = {0, 0};
        wshub_client client = {0};
        wshub_str out;
        char name[8] = "ann";
        wshub_header more[2] = {{{"X-One", 5}, {"1", 1}}, {{"X-Two", 5}, {"", 0}}};
        wshub_identity who = {{name, 3}, {"{\"n\":1}", 7}};
        wshub_upgrade_answer answer = {{"chat", 4}, more, 2, &mine, &who};
        if (i == 1) answer.identity = NULL;
        if (i == 2) who = (wshub_identity){{NULL, 0}, {NULL, 0}}; /* nobody in particular */
        if (i == 2) answer.headers_count = 0;
        world_start(
            &w, DESC(.on_upgrade = ask_later, .allowed_origins = pages, .allowed_origins_count = 1),
            FAKE(0));
        c = ask_upgrade(&w);
        EXPECT_INT(wshub_post_http_upgrade(w.hub, asked_last, i == 3 ? NULL : &answer), WSHUB_OK);
        memset(name, 'x', sizeof name); /* it was copied */
        EXPECT_INT(wshub_post_http_refuse(w.hub, asked_last, 403, "too late"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        out = wshub_io_fake_output(w.net, c);
        EXPECT_HAS(out.ptr, "HTTP/1.1 101 ");
        EXPECT(!strstr(out.ptr, "too late"));
        EXPECT_INT(strstr(out.ptr, "Sec-WebSocket-Protocol: chat\r\n") != NULL, i != 3);
        EXPECT_INT(strstr(out.ptr, "X-One: 1\r\nX-Two: \r\n") != NULL, i < 2);
        EXPECT(wshub_client_each(w.hub, &it, &client));
        EXPECT(wshub_client_user_ptr(w.hub, client) == (i == 3 ? NULL : (void *)&mine));
        EXPECT_INT(wshub_client_state(w.hub, client) == WSHUB_CLIENT_AUTHENTICATED, i % 2 == 0);
        EXPECT_INT(wshub_str_eq_z(wshub_client_user_id(w.hub, client), "ann"), i == 0);
        EXPECT_INT(wshub_str_eq_z(wshub_client_metadata(w.hub, client), "{\"n\":1}"), i == 0);
        world_stop(&w);
    }
}

TEST(a_handshake_is_refused_from_elsewhere) { /* AUTH-8, AUTH-2 */
    world w;
    wshub_conn c;
    char text[16] = "log in first";
    world_start(&w, DESC(.on_upgrade = ask_later), FAKE(0));
    c = ask_upgrade(&w);
    EXPECT_INT(wshub_post_http_refuse(w.hub, asked_last, 401, text), WSHUB_OK);
    memset(text, 'x', sizeof text);
    wshub_io_fake_run(w.net);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 401 ");
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "\r\n\r\nlog in first\n");
    EXPECT_INT(stats(&w).upgrades_refused, 1);

    /* A grant that fails there is lost, and the question runs out of its time. */
    c = ask_upgrade(&w);
    EXPECT_INT(wshub_post_http_upgrade(
                   w.hub, asked_last,
                   &(wshub_upgrade_answer){.identity = &(wshub_identity){{"ann", 3}, {NULL, 0}}}),
               WSHUB_OK); /* where any page may connect nobody is accepted so */
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);
    wshub_io_fake_advance(w.net, 15001);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 503 ");
    world_stop(&w);
}

TEST(answers_to_handshakes_are_checked_at_the_door) { /* AUTH-8 */
    static const wshub_header bad = {{"Connection", 10}, {"close", 5}};
    static char long_text[130];
    world w;
    wshub_upgrade_answer answer;
    wshub_identity who = {{"\xFF", 1}, {NULL, 0}};
    memset(&answer, 0, sizeof answer);
    memset(long_text, 'x', sizeof long_text - 1);
    world_start(&w, DESC(.on_upgrade = ask_later, .post_bytes_max = 1000), FAKE(0));
    (void)ask_upgrade(&w);
    answer.identity = &who;
    EXPECT_INT(wshub_post_http_upgrade(w.hub, asked_last, &answer), WSHUB_ERR_PARAM);
    who.user_id = nul();
    who.metadata = S("{");
    EXPECT_INT(wshub_post_http_upgrade(w.hub, asked_last, &answer), WSHUB_ERR_JSON);
    answer.identity = NULL;
    answer.headers = &bad;
    answer.headers_count = 1;
    EXPECT_INT(wshub_post_http_upgrade(w.hub, asked_last, &answer), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_http_refuse(w.hub, asked_last, 399, "x"), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_http_refuse(w.hub, asked_last, 600, "x"), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_http_refuse(w.hub, asked_last, 400, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_http_refuse(w.hub, asked_last, 400, long_text), WSHUB_ERR_PARAM);
    w.fail_at = 1;
    EXPECT_INT(wshub_post_http_refuse(w.hub, asked_last, 400, "x"), WSHUB_ERR_NOMEM);
    EXPECT_INT(w.hub->posted_bytes, 0);
    world_stop(&w);
}
