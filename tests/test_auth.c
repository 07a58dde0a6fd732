/* Authentication and the handshake about keys: its time, what may be said before it, what is
 * told of whom, answers that fail half way (AUTH-1 to AUTH-7). */
#include "hubtest.h"

TEST(auth_times_out_when_the_client_says_nothing) { /* AUTH-1 */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.auth_timeout_ms = 100, .on_authenticate = accept_all), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_advance(w.net, 50);
    wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}"); /* activity moves nothing */
    wshub_io_fake_advance(w.net, 49);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT_CLOSE(&w, c, 4001);
    EXPECT_INT(stats(&w).auth_timeouts, 1);
    world_stop(&w);
}

static wshub_ask asked;
static void never(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)hub;
    (void)auth;
    (void)user;
    asked = ask;
}

TEST(auth_times_out_at_three_times_the_limit_and_a_late_answer_is_stale) { /* AUTH-2, AUTH-3 */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.auth_timeout_ms = 100, .on_authenticate = never), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_advance(w.net, 90);
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    wshub_io_fake_advance(w.net, 299);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT_CLOSE(&w, c, 4001);
    EXPECT_INT(wshub_auth_accept(w.hub, asked, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ask_reject(w.hub, asked), WSHUB_ERR_STALE);
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_INT(wshub_handshake_accept(w.hub, asked, wshub_str_z("k"), wshub_str_z("s")),
               WSHUB_ERR_STATE);
    EXPECT_INT(wshub_join_accept(w.hub, asked, NULL, 0), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_auth_accept(w.hub, asked, NULL), WSHUB_OK);
    EXPECT_INT(wshub_auth_accept(w.hub, asked, NULL), WSHUB_ERR_STALE); /* twice */
    world_stop(&w);
}

TEST(before_acceptance_messages_and_bytes_are_few) { /* LIMITS 2; CVE-2025-21605 */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    int i, errors = 0;
    char big[9000];
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_window(w.net, c, 0); /* reads nothing */
    for (i = 0; i < 100000 && wshub_io_fake_is_open(w.net, c); i++)
        wshub_io_fake_text(w.net, c, "junk");
    EXPECT_INT(i > 20, 1);
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT_OP(w.peak, <, 400000);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    while (wshub_io_fake_next(w.net, c, &f)) errors += f.opcode == 1;
    EXPECT_INT(errors, 1); /* one outstanding error reply */
    EXPECT_INT(f.opcode, 8);
    EXPECT_INT(f.code, 1008);
    memset(big, 'x', sizeof big);
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_send(w.net, c, 1, true, big, sizeof big);
    EXPECT_CLOSE(&w, c, 1008);
    c = wshub_io_fake_connect(w.net, "/ws");
    /* 8193 bytes, as announced: none of them is taken */
    wshub_io_fake_input(w.net, c, "\x81\xFE\x20\x01\0\0\0\0", 8);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

TEST(the_time_of_connected_is_the_calendars_to_the_millisecond) { /* AUTH-7 */
    static const struct {
        uint64_t wall;
        const char *want;
        /* clang-format off */
    } cases[] = {
        {1, "1970-01-01T00:00:00.001Z"},
        {UINT64_C(951827696789), "2000-02-29T12:34:56.789Z"},
        {UINT64_C(1709251199999), "2024-02-29T23:59:59.999Z"},
        {UINT64_C(1735689600000), "2025-01-01T00:00:00.000Z"},
        {UINT64_C(4107542399012), "2100-02-28T23:59:59.012Z"},
        {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        wshub_conn c;
        wshub_io_fake_frame f;
        wshub_str t;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(.wall_ms = cases[i].wall));
        c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
        EXPECT(wshub_io_fake_next(w.net, c, &f));
        t = wshub_json_get(wshub_json_get(f.payload, "data"), "time");
        EXPECT(t.len == 26 && memcmp(t.ptr + 1, cases[i].want, 24) == 0);
        if (t.len == 26 && memcmp(t.ptr + 1, cases[i].want, 24) != 0)
            (void)printf("  %.*s\n", (int)t.len, t.ptr);
        world_stop(&w);
    }
}

TEST(fragments_before_authentication_count_together) { /* LIMITS: preauth_bytes_max */
    static char part[600];
    world w;
    wshub_conn c;
    memset(part, ' ', sizeof part);
    world_start(&w, DESC(.on_authenticate = accept_all, .preauth_bytes_max = 1000), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_send(w.net, c, 1, false, part, 600);
    wshub_io_fake_send(w.net, c, 0, false, part, 400); /* to the byte */
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_send(w.net, c, 0, false, part, 1);
    EXPECT_CLOSE(&w, c, 1008);
    world_stop(&w);
}

/* All slots for questions are taken, and there is no memory for more. */
static void take_asks(world *w, uint32_t *taken, uint32_t *count) {
    wshub__pool *asks = &w->hub->asks;
    *count = 0;
    while (asks->free_head != WSHUB__NONE || asks->used < asks->pages_count * WSHUB__PAGE) {
        EXPECT(wshub__pool_take(&w->hub->mem, asks, &taken[*count]));
        (*count)++;
    }
    w->fail_at = 1;
}
static void give_asks(world *w, const uint32_t *taken, uint32_t count) {
    w->fail_at = 0;
    while (count) wshub__pool_free(&w->hub->asks, taken[--count]);
}

TEST(no_room_for_another_question) {
    static uint32_t taken[70000];
    uint32_t count;
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("e", "1");
    kept_asks_count = 0;
    world_start(&w,
                DESC(.on_authenticate = keep_auth, .on_handshake = keep_handshake,
                     .on_join = join_all, .on_transform_in = keep_event,
                     .on_transform_out = keep_event, .require_encryption = true),
                FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_INT(kept_asks_count, 1);
    take_asks(&w, taken, &count);
    /* the question stays */
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_NOMEM);
    give_asks(&w, taken, count);
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    EXPECT_INT(kept_asks_count, 2);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[1], S("\xFF"), nul()), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[1], nul(), S("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[1], nul(), nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    {
        wshub_io_fake_frame f;
        wshub_str v;
        EXPECT(wshub_io_fake_next(w.net, c, &f) && !strstr(f.payload.ptr, "serverPublicKey"));
        v = wshub_json_get(wshub_json_get(f.payload, "data"), "id");
        (void)snprintf(id, sizeof id, "%.36s", v.ptr + 1);
    }
    EXPECT_INT(wshub_client_send_binary(w.hub, world_handle(&w, id), (const uint8_t *)"x", 1),
               WSHUB_ERR_CLEAR);
    wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}"); /* never transformed */
    EXPECT_INT(kept_asks_count, 2);
    take_asks(&w, taken, &count);
    /* the message cannot be kept for the transformer */
    wshub_io_fake_text(w.net, c, "{\"event\":\"lost\"}");
    give_asks(&w, taken, count);
    take_asks(&w, taken, &count);
    w.fail_at = 2;
    /* it can, but the question cannot be asked */
    wshub_io_fake_text(w.net, c, "{\"event\":\"lost\"}");
    give_asks(&w, taken, count);
    take_asks(&w, taken, &count);
    w.fail_at = 3; /* text and node, but no question */
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    give_asks(&w, taken, count);
    EXPECT_INT(stats(&w).dropped_transform, 1);
    EXPECT_INT(kept_asks_count, 2);
    world_stop(&w);
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = join_all), FAKE(0));
    c = world_client(&w, "u", id);
    take_asks(&w, taken, &count);
    w.fail_at = 2; /* the names, but no question */
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    give_asks(&w, taken, count);
    EXPECT_INT(stats(&w).joins_refused, 1);
    w.fail_at = 1; /* not even these */
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    w.fail_at = 0;
    EXPECT_INT(stats(&w).joins_refused, 2);
    world_stop(&w);
}

static char handshake_user[8];
static void see_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    (void)user;
    (void)snprintf(handshake_user, sizeof handshake_user, "%s",
                   !hs->user_id.ptr  ? "none"
                   : hs->user_id.len ? "some"
                                     : "empty");
    EXPECT_INT(wshub_handshake_accept(hub, ask, S("k"), S("s")), WSHUB_OK);
}
static wshub_identity whom;
static void accept_whom(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    static const struct {
        const char *user, *metadata;
        wshub_err err;
    } bad[] = {{"\xFF", NULL, WSHUB_ERR_PARAM},
               {"u", "{", WSHUB_ERR_JSON},
               {"u", "\"\xFF\"", WSHUB_ERR_JSON}};
    size_t i;
    (void)auth;
    (void)user;
    for (i = 0; i < 3; i++) {
        wshub_identity who;
        memset(&who, 0, sizeof who);
        who.user_id = S(bad[i].user);
        if (bad[i].metadata) who.metadata = S(bad[i].metadata);
        EXPECT_INT(wshub_auth_accept(hub, ask, &who), bad[i].err);
    }
    EXPECT_INT(wshub_auth_accept(hub, ask, &whom), WSHUB_OK);
}
static char gone_user[8];
static void see_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)user;
    (void)snprintf(gone_user, sizeof gone_user, "%s",
                   !gone->user_id.ptr  ? "none"
                   : gone->user_id.len ? "some"
                                       : "empty");
}

TEST(users_absent_empty_and_named) { /* AUTH-5, AUTH-7 */
    static const char *const names[] = {NULL, "", "name"}, *const words[] = {"none", "empty",
                                                                             "some"};
    size_t i;
    for (i = 0; i < 3; i++) {
        world w;
        wshub_conn c;
        wshub_io_fake_frame f;
        memset(&whom, 0, sizeof whom);
        whom.user_id = S(names[i]);
        world_start(&w,
                    DESC(.on_authenticate = accept_whom, .on_handshake = see_handshake,
                         .on_disconnected = see_gone, .require_encryption = true),
                    FAKE(0));
        c = wshub_io_fake_connect(w.net, "/ws");
        wshub_io_fake_text(w.net, c, AUTH);
        EXPECT_STR(handshake_user, words[i]);
        EXPECT(wshub_io_fake_next(w.net, c, &f));
        EXPECT(!strstr(f.payload.ptr, "userId") == (i == 0));
        EXPECT_INT(stats(&w).users, i == 2);
        wshub_io_fake_end(w.net, c);
        EXPECT_STR(gone_user, words[i]);
        world_stop(&w);
    }
}

static const char up_ws[] =
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static void accept_all_or_fail(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    wshub_err err;
    (void)user;
    memset(&who, 0, sizeof who);
    who.user_id = wshub_str_eq_z(wshub_json_get(auth->data, "user"), "\"u\"") ? S("u") : S("other");
    err = wshub_auth_accept(hub, ask, &who);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
    if (err) EXPECT(wshub_client_state(hub, auth->client) == WSHUB_CLIENT_AUTHENTICATING);
}

/* Accepted while its answer to the upgrade is unsent and others have written behind it: the
 * place in its queue is memory. */
TEST(starved_acceptance_leaves_the_client_as_it_was) { /* AUTH-7 */
    int n;
    bool done = false;
    for (n = 1; n < 30 && !done; n++) {
        world w;
        wshub_conn c, d;
        wshub_io_fake_frame f;
        world_start(&w, DESC(.on_authenticate = accept_all_or_fail), FAKE(0));
        d = world_client(&w, "other", NULL);
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_window(w.net, c, 0);
        wshub_io_fake_input(w.net, c, up_ws, sizeof up_ws - 1);
        wshub_io_fake_send(w.net, d, 9, true, "between", 7);
        w.fail_at = n;
        wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\",\"data\":{\"user\":\"u\"}}");
        done = w.fail_at > 0;
        w.fail_at = 0;
        EXPECT_INT(stats(&w).authenticated, done ? 2 : 1);
        EXPECT_INT(stats(&w).users, done ? 2 : 1);
        EXPECT_INT(stats(&w).rooms, done ? 4 : 3);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        wshub_io_fake_run(w.net);
        (void)wshub_io_fake_next(w.net, c, &f);
        world_stop(&w);
    }
    EXPECT(n > 4 && n < 30);
}

static void accept_as_empty(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    who.user_id = S("");
    EXPECT_INT(wshub_auth_accept(hub, ask, &who), WSHUB_OK);
}
static void gone_as_empty(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    EXPECT(g->user_id.ptr && g->user_id.len == 0);
    world_note((world *)user, "gone");
}

TEST(a_user_of_no_name_is_told_and_no_user) { /* AUTH-7, BYE-1 */
    world w;
    wshub_conn c;
    char id[37];
    wshub_str user;
    world_start(&w, DESC(.on_authenticate = accept_as_empty, .on_disconnected = gone_as_empty),
                FAKE(0));
    c = world_client(&w, NULL, id);
    user = wshub_client_user_id(w.hub, world_handle(&w, id));
    EXPECT(user.ptr && user.len == 0);
    EXPECT_INT(stats(&w).users, 0);
    wshub_io_fake_end(w.net, c);
    EXPECT_STR(w.log, "gone");
    world_stop(&w);
}

TEST(nobody_decides) { /* AUTH-3: without on_authenticate everybody is rejected */
    world w;
    wshub_conn c;
    wshub_client client;
    wshub_iter it = {0, 0};
    wshub_msg m = msg("m", "1");
    world_start(&w, DESC(0), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_TEXT(&w, c, "{\"event\":\"error\",\"data\":{\"message\":\"Authentication failed\"}}");
    EXPECT_CLOSE(&w, c, 4003);
    world_stop(&w);
    world_start(&w, DESC(.backpressure_bytes_max = 1, .close_on_backpressure = true), FAKE(0));
    /* the error is more than this client may be owed: it is gone before its Close */
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_window(w.net, c, 0);
    EXPECT(wshub_client_each(w.hub, &it, &client));
    /* it owes nothing, so that is sent, and waits */
    EXPECT_INT(wshub_client_send(w.hub, client, &m), WSHUB_OK);
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT(!wshub_io_fake_is_open(w.net, c) && wshub_io_fake_output(w.net, c).len == 0);
    world_stop(&w);
}

static wshub_ask open_ask;
static void keep_open(wshub *hub, wshub_ask a, const wshub_auth *x, void *user) {
    (void)user;
    open_ask = a;
    EXPECT_INT(wshub_client_set_metadata(hub, x->client, S("\"before\"")), WSHUB_OK);
}
static void keep_keys(wshub *hub, wshub_ask a, const wshub_handshake *h, void *user) {
    (void)hub;
    (void)a;
    (void)h;
    (void)user;
}
static void pass(wshub *hub, wshub_ask a, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    (void)user;
    (void)wshub_transform_accept(hub, a, NULL);
}

/* every allocation of it fails once, with and without keys to agree */
TEST(an_accept_that_fails_changes_nothing) {
    int keys;
    for (keys = 0; keys < 2; keys++) {
        long nth;
        int done = 0;
        for (nth = 1; nth < 40 && !done; nth++) {
            world w;
            wshub_client c = {0};
            wshub_iter it = {0, 0};
            wshub_identity who = {S("ann"), S("{\"role\":\"admin\"}")};
            wshub_err err;
            world_start(&w,
                        DESC(.on_authenticate = keep_open, .on_handshake = keys ? keep_keys : NULL,
                             .on_transform_out = pass, .require_encryption = keys != 0),
                        FAKE(0));
            wshub_io_fake_text(w.net, wshub_io_fake_connect(w.net, "/ws"),
                               "{\"event\":\"authenticate\"}");
            EXPECT(wshub_client_each(w.hub, &it, &c));
            w.fail_at = nth;
            err = wshub_auth_accept(w.hub, open_ask, &who);
            w.fail_at = 0;
            if (err) {
                EXPECT_INT(err, WSHUB_ERR_NOMEM);
                EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "\"before\""));
                EXPECT_INT(wshub_client_state(w.hub, c), WSHUB_CLIENT_AUTHENTICATING);
                EXPECT_INT(wshub_user_count(w.hub, S("ann")), 0);
                EXPECT_INT(wshub_room_count(w.hub, S("ws-default")), 0);
                /* the question is open still */
                EXPECT_INT(wshub_auth_accept(w.hub, open_ask, &who), WSHUB_OK);
            } else {
                done = nth > 2;
            }
            EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, c), "{\"role\":\"admin\"}"));
            EXPECT_INT(wshub_user_count(w.hub, S("ann")), keys ? 0 : 1);
            world_stop(&w);
        }
        EXPECT(done);
    }
}

typedef enum reply { ACCEPTS, REJECTS, FAILS, CLOSES, LATER, REPLIES } reply;
static reply answer;
static int shakes;
static void on_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)user;
    shakes++;
    switch (answer) {
    case ACCEPTS:
        EXPECT_INT(wshub_handshake_accept(hub, ask, wshub__str("k", 1), wshub__str(NULL, 0)),
                   WSHUB_OK);
        break;
    case REJECTS: EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_OK); break;
    case FAILS: EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_OK); break;
    case CLOSES:
        EXPECT_INT(wshub_client_close(hub, h->client, 4000, wshub__str("", 0)), WSHUB_OK);
        break;
    case LATER: break;
    case REPLIES: break;
    }
    EXPECT(wshub_str_eq_z(h->user_id, "somebody"));
    EXPECT(wshub_str_eq_z(h->data, "{\"user\":\"somebody\"}"));
    EXPECT_INT(h->id.len, 36);
}
static void pass_on(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    (void)user;
    (void)wshub_transform_accept(hub, ask, NULL);
}

/* AUTH-5: what on_handshake is given lives until it returns, whatever is answered in it. */
TEST(what_a_handshake_is_given_outlives_the_answer) {
    int kind, i;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (i = 0; i < REPLIES; i++) {
            world w;
            answer = (reply)i;
            shakes = 0;
            world_start(&w,
                        DESC(.on_authenticate = accept_all, .on_handshake = on_handshake,
                             .require_encryption = true, .on_transform_out = pass_on),
                        io_kind(kind));
            (void)world_client(&w, "somebody", NULL);
            EXPECT_INT(shakes, 1);
            world_stop(&w);
        }
    }
}

static bool accepts_long; /* whether the answer found memory */
static void accept_long(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    static char name[2000];
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(name, '"', sizeof name); /* each is written as two */
    memset(&who, 0, sizeof who);
    who.user_id = wshub__str(name, sizeof name);
    accepts_long = wshub_auth_accept(hub, ask, &who) == WSHUB_OK;
    if (!accepts_long) EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_OK);
}

TEST(connected_says_the_longest_user_id_or_nothing) { /* AUTH-4, AUTH-7 */
    long n;
    int said = 0, failed = 0;
    for (n = 0; n < 30; n++) {
        world w;
        wshub_conn c;
        wshub_io_fake_frame f;
        world_start(&w, DESC(.on_authenticate = accept_long), FAKE(0));
        c = wshub_io_fake_connect(w.net, "/ws");
        accepts_long = false;
        w.fail_at = n;
        wshub_io_fake_text(w.net, c, AUTH);
        w.fail_at = 0;
        if (accepts_long) {
            wshub_str data;
            said++;
            EXPECT(wshub_io_fake_next(w.net, c, &f));
            data = wshub_json_get(f.payload, "data");
            EXPECT_INT(wshub_json_get(data, "userId").len, 2 + 2 * 2000);
            EXPECT(wshub_json_get(data, "time").ptr != NULL);
            EXPECT_INT(stats(&w).authenticated, 1);
        } else {
            failed++;
            EXPECT_INT(stats(&w).authenticated, 0);
            EXPECT_INT(stats(&w).users, 0);
        }
        world_stop(&w);
    }
    EXPECT(said > 0 && failed > 0);
}

TEST(what_a_stranger_was_sent_comes_before_connected) { /* SEND-2, SEND-5, AUTH-7 */
    world w;
    wshub_conn c;
    wshub_client client = {0};
    wshub_iter iter = {0, 0};
    wshub_msg m = msg("early", "1"), n = msg("later", "2");
    int i;
    kept_asks_count = 0;
    world_start(&w, DESC(.on_authenticate = keep_auth, .no_default_rooms = true), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    wshub_io_fake_run(w.net);
    EXPECT(wshub_client_each(w.hub, &iter, &client));
    EXPECT_INT(wshub_client_join(w.hub, client, S("lobby")), WSHUB_OK);

    /* All in one turn: sends to a room are gathered, and still keep their order. */
    for (i = 0; i < 3; i++)
        EXPECT_INT(wshub_room_send_here(w.hub, S("lobby"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    EXPECT_INT(wshub_room_send_here(w.hub, S("lobby"), &n, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 3; i++) EXPECT_TEXT(&w, c, "{\"event\":\"early\",\"data\":1}");
    {
        wshub_io_fake_frame f;
        EXPECT(wshub_io_fake_next(w.net, c, &f));
        EXPECT(f.payload.len > 20 && memcmp(f.payload.ptr, "{\"event\":\"connected\"", 20) == 0);
    }
    EXPECT_TEXT(&w, c, "{\"event\":\"later\",\"data\":2}");
    world_stop(&w);
}
