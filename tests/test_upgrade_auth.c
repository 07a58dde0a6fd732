/* Authentication at the upgrade (AUTH-8): who is accepted with the 101, at once or later, who is
 * refused, what is said meanwhile, and what can happen while the answer is out. */
#include "mounted.h"

#define ASKS(lines) "GET /ws?token=t0p HTTP/1.1\r\nHost: h\r\n" UPGRADE_LINES lines "\r\n"
#define JOIN "{\"event\":\"join\",\"data\":{\"rooms\":[\"r\"]}}"
#define ORIGINS .allowed_origins = pages, .allowed_origins_count = 1
static const char *const pages[] = {"https://page.example"};

/* What on_upgrade does, and what it saw. */
static struct door {
    bool answers, later; /* with `answer`; it will be answered */
    int refuses;         /* with this status and `text` */
    const char *text;
    void (*acts)(wshub *hub); /* before anything else */
    wshub_upgrade_answer answer;
    wshub_identity who;
    wshub_exchange exchange; /* it was asked about */
    wshub_err err;           /* of its answer */
    char offered[100];       /* subprotocols, each with a `;` */
} door;

static void on_upgrade(wshub *hub, const wshub_http *http, wshub_upgrade *up, void *user) {
    size_t i, n = 0;
    EXPECT_INT(http->handshake, 101);
    world_note((world *)user, "asked;");
    door.exchange = up->exchange;
    for (i = 0; i < up->protocols_count; i++)
        n += (size_t)snprintf(door.offered + n, sizeof door.offered - n, "%.*s;",
                              (int)up->protocols[i].len, up->protocols[i].ptr);
    if (door.acts) door.acts(hub);
    if (door.answers) door.err = wshub_http_upgrade(hub, up->exchange, &door.answer, NULL);
    if (door.refuses) door.err = wshub_http_refuse(hub, up->exchange, door.refuses, door.text);
    up->later = door.later;
}

static void (*at_opened)(wshub *hub, wshub_client client);
static wshub_client opened_last;
static void on_opened(wshub *hub, wshub_client client, void *user) {
    opened_last = client;
    world_note((world *)user, "opened;");
    if (at_opened) at_opened(hub, client);
}
static void (*at_connected)(wshub *hub, wshub_client client);
static wshub_err connected_err;
static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    wshub_str id = wshub_client_user_id(hub, client);
    char text[60];
    (void)snprintf(text, sizeof text, "connected %.*s;", (int)id.len, id.len ? id.ptr : "");
    world_note((world *)user, text);
    if (at_connected) at_connected(hub, client);
    return connected_err;
}
static void on_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    char text[60];
    (void)hub;
    (void)snprintf(text, sizeof text, "gone %d;", (int)gone->state);
    world_note((world *)user, text);
}
static void on_exchange_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner) {
    char text[60];
    EXPECT_INT(exchange.id == door.exchange.id, 1);
    EXPECT_INT(wshub_http_upgrade(hub, exchange, NULL, NULL), WSHUB_ERR_STALE);
    (void)snprintf(text, sizeof text, "no answer %d;", (int)cause);
    world_note((world *)owner, text);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *event, void *user) {
    char text[80];
    (void)hub;
    (void)client;
    (void)snprintf(text, sizeof text, "says %.*s;", (int)event->event.len, event->event.ptr);
    world_note((world *)user, text);
    return WSHUB_OK;
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    world_note((world *)user, "authenticate;");
    accept_all(hub, ask, auth, user);
}
#define CALLS                                                                                      \
    .on_upgrade = on_upgrade, .on_opened = on_opened, .on_connected = on_connected,                \
    .on_disconnected = on_disconnected, .on_exchange_gone = on_exchange_gone,                      \
    .on_message = on_message, .on_authenticate = on_authenticate, .on_join = join_all

/* A door that says who it is: user `ann`. */
static void door_ann(void) {
    memset(&door, 0, sizeof door);
    door.who.user_id = S("ann");
    door.answer.identity = &door.who;
    at_opened = NULL;
    at_connected = NULL;
    connected_err = WSHUB_OK;
}
static void door_open(void) {
    door_ann();
    door.answers = true;
}
static void door_later(void) {
    door_ann();
    door.later = true;
}
static wshub_err answer_now(world *w) {
    return wshub_http_upgrade(w->hub, door.exchange, &door.answer, NULL);
}

/* The 101 is taken; what follows are frames. */
static void take_101(world *w, wshub_conn c, const char *part) {
    wshub_str out = wshub_io_fake_output(w->net, c);
    const char *end = strstr(out.ptr, "\r\n\r\n");
    EXPECT(strncmp(out.ptr, "HTTP/1.1 101 ", 13) == 0);
    EXPECT(end != NULL);
    if (!end) return;
    if (part) EXPECT_HAS(out.ptr, part);
    wshub_io_fake_take(w->net, c, (size_t)(end - out.ptr) + 4);
}
/* The next frame is `connected`, of this user, NULL: of none. id: its id, 37 bytes. */
static void take_connected(world *w, wshub_conn c, const char *user, char *id) {
    wshub_io_fake_frame f;
    wshub_str data, v;
    char want[40];
    EXPECT(wshub_io_fake_next(w->net, c, &f));
    EXPECT(wshub_str_eq_z(wshub_json_get(f.payload, "event"), "\"connected\""));
    data = wshub_json_get(f.payload, "data");
    v = wshub_json_get(data, "userId");
    (void)snprintf(want, sizeof want, "\"%s\"", user ? user : "");
    EXPECT(user ? wshub_str_eq_z(v, want) : !v.ptr);
    v = wshub_json_get(data, "id");
    if (id) (void)snprintf(id, 37, "%.36s", v.len == 38 ? v.ptr + 1 : "");
}

/* ---- at once ---- */

TEST(who_is_accepted_at_the_upgrade_is_a_client_with_the_101) { /* AUTH-8, AUTH-7, MSG-5 */
    static const wshub_header more = {{"Set-Cookie", 10}, {"sid=2", 5}};
    static const char *const rooms[] = {"lobby"};
    static int mine;
    world w;
    wshub_conn c;
    wshub_client client;
    char id[37];
    door_open();
    door.who.metadata = S("{\"n\":1}");
    door.answer.headers = &more;
    door.answer.headers_count = 1;
    door.answer.protocol = S("chat");
    door.answer.owner = &mine;
    world_start(&w, DESC(CALLS, ORIGINS, .default_rooms = rooms, .default_rooms_count = 1),
                FAKE(0));
    c = said(&w, ASKS("Sec-WebSocket-Protocol: chat\r\n"));
    EXPECT_INT(door.err, WSHUB_OK);
    EXPECT_LOG(&w, "asked;opened;connected ann;");
    take_101(&w, c, "Sec-WebSocket-Protocol: chat\r\nSet-Cookie: sid=2\r\n");
    take_connected(&w, c, "ann", id);
    EXPECT_SILENCE(&w, c);
    client = world_handle(&w, id);
    EXPECT_INT(wshub_client_state(w.hub, client), WSHUB_CLIENT_AUTHENTICATED);
    EXPECT(wshub_client_user_ptr(w.hub, client) == &mine);
    EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, client), "{\"n\":1}"));
    EXPECT(wshub_client_in_room(w.hub, client, S("lobby")));
    EXPECT(wshub_client_in_room(w.hub, client, S(id)));
    EXPECT_INT(stats(&w).users, 1);
    EXPECT_INT(stats(&w).auth_accepted, 1);
    EXPECT_INT(stats(&w).upgrades, 1);

    /* It need not ask any more, and nobody is asked if it does. */
    wshub_io_fake_text(w.net, c, AUTH);
    EXPECT_TEXT(&w, c, "{\"event\":\"error\",\"data\":{\"message\":\"Already authenticated\"}}");
    wshub_io_fake_text(w.net, c, "{\"event\":\"hi\"}");
    EXPECT_LOG(&w, "says hi;");
    wshub_io_fake_advance(w.net, 6000); /* no clock of AUTH-1 runs */
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(wshub_http_upgrade(w.hub, door.exchange, NULL, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_accept(w.hub, client, NULL), WSHUB_ERR_STATE);
    world_stop(&w);
}

TEST(a_101_and_connected_leave_in_one_send) { /* SEND-5, AUTH-7, AUTH-8 */
    int when; /* accepted: 0 with the upgrade, 1 later, 2 by a message right behind the upgrade */
    for (when = 0; when < 3; when++) {
        char bytes[400];
        size_t n = (size_t)snprintf(bytes, sizeof bytes, "%s", ASKS(""));
        uint64_t before;
        world w;
        wshub_conn c;
        if (when == 0) door_open();
        if (when == 1) door_later();
        if (when == 2) memset(&door, 0, sizeof door);
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        before = wshub_io_fake_sends(w.net);

        /* Where it asks by a message, that comes in the same piece: one frame, its mask all zeros. */
        if (when == 2) {
            bytes[n++] = (char)0x81;
            bytes[n++] = (char)(0x80 | (sizeof AUTH - 1));
            memset(bytes + n, 0, 4);
            memcpy(bytes + n + 4, AUTH, sizeof AUTH - 1);
            n += 4 + sizeof AUTH - 1;
        }
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, bytes, n);
        if (when == 1) {
            EXPECT_SILENCE(&w, c);
            EXPECT_INT(answer_now(&w), WSHUB_OK);
            wshub_io_fake_run(w.net);
        }
        EXPECT_INT(wshub_io_fake_sends(w.net) - before, 1);
        take_101(&w, c, NULL);
        take_connected(&w, c, when == 2 ? "u" : "ann", NULL);
        EXPECT_SILENCE(&w, c);
        world_stop(&w);
    }
}

TEST(an_identity_may_be_of_nobody_in_particular) { /* AUTH-8, AUTH-7 */
    static const struct {
        const char *user, *metadata;
        wshub_err err;
        const char *status;
    } t[] = {{NULL, NULL, WSHUB_OK, "101"},
             {"", NULL, WSHUB_OK, "101"},
             {"\xFF", NULL, WSHUB_ERR_PARAM, "500"},
             {"ann", "{", WSHUB_ERR_JSON, "500"}};
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        wshub_conn c;
        door_open();
        door.who.user_id = t[i].user ? S(t[i].user) : nul();
        if (t[i].metadata) door.who.metadata = S(t[i].metadata);
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        c = said(&w, ASKS(""));
        EXPECT_INT(door.err, t[i].err);
        EXPECT_INT(stats(&w).users, 0);
        EXPECT_INT(stats(&w).clients, t[i].err ? 0 : 1);
        if (t[i].err) {
            EXPECT_SENT(&w, c, "500", "WebSocket upgrade failed\n");
            EXPECT_LOG(&w, "asked;");
        } else {
            take_101(&w, c, NULL);
            take_connected(&w, c, t[i].user, NULL);
        }
        world_stop(&w);
    }
}

TEST(who_is_refused_gets_a_status_and_a_text) { /* AUTH-8, CONN-2 */
    world w;
    wshub_conn c;
    door_ann();
    door.refuses = 401;
    door.text = "log in first";
    world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
    c = said(&w, ASKS(""));
    EXPECT_INT(door.err, WSHUB_OK);
    EXPECT_SENT(&w, c, "401", "\r\n\r\nlog in first\n");
    EXPECT_LOG(&w, "asked;");
    EXPECT_INT(stats(&w).upgrades_refused, 1);
    EXPECT_INT(stats(&w).clients, 0);

    /* An answer that failed is no answer: it may say something else. */
    door.answers = true;
    door.answer.protocol = S("a b");
    c = said(&w, ASKS(""));
    EXPECT_SENT(&w, c, "401", "\r\n\r\nlog in first\n");

    /* Or leave it to be said later. */
    door.refuses = 0;
    door.later = true;
    c = said(&w, ASKS(""));
    EXPECT_INT(door.err, WSHUB_ERR_PARAM);
    EXPECT_STR(sent(&w, c), "");
    EXPECT_INT(wshub_http_refuse(w.hub, door.exchange, 403, "no"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "403", "\r\n\r\nno\n");
    EXPECT_LOG(&w, "asked;asked;");
    world_stop(&w);
}

TEST(without_a_list_of_origins_nobody_is_accepted_at_the_upgrade) { /* AUTH-8, CONN-2 */
    static const char *const any[] = {"*"};
    world w;
    wshub_conn c;
    door_open();
    world_start(&w, DESC(CALLS), FAKE(0));
    wshub_io_fake_log_forget(w.net);
    c = said(&w, ASKS(""));
    EXPECT_INT(door.err, WSHUB_ERR_STATE);
    EXPECT_SENT(&w, c, "500", "WebSocket upgrade failed\n");
    EXPECT_HAS(wshub_io_fake_log(w.net).ptr, "ORIGINS_OPEN");
    world_stop(&w);

    /* Any page may be said to be right, and then one of a list. */
    world_start(&w, DESC(CALLS, .allowed_origins = any, .allowed_origins_count = 1), FAKE(0));
    c = said(&w, ASKS("Origin: https://other.example\r\n"));
    take_101(&w, c, NULL);
    world_stop(&w);
    world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
    c = said(&w, ASKS("Origin: https://other.example\r\n"));
    EXPECT_SENT(&w, c, "403", NULL);
    EXPECT_LOG(&w, "");
    c = said(&w, ASKS("Origin: https://page.example\r\n"));
    take_101(&w, c, NULL);
    world_stop(&w);
}

TEST(a_mount_accepts_nobody_by_itself) { /* AUTH-8 */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD};
    world w;
    wshub_conn c;
    door_open();
    world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, WANT_WS("/s"));
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, &door.answer, NULL), WSHUB_ERR_PARAM);
    door.answer.identity = NULL;
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, &door.answer, NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "101", NULL);
    world_stop(&w);
}

/* ---- tokens ---- */

TEST(a_token_is_never_selected_and_never_logged) { /* AUTH-8, PITFALLS a23 */
    static const char *const lines[] = {
        "Sec-WebSocket-Protocol: chat, base64url.bearer.c2VjcmV0, superlongprotocol\r\n",
        "Sec-WebSocket-Protocol: Base64URL.Bearer.c2VjcmV0, chat\r\n",
        "Sec-WebSocket-Protocol: base64url.bearer.c2VjcmV0\r\nSec-WebSocket-Protocol: chat\r\n"};
    char text[600];
    size_t i;
    for (i = 0; i < 2 * sizeof lines / sizeof *lines; i++) {
        world w;
        wshub_conn c;
        const char *log;
        bool accepts = i % 2 == 0;
        door_open();
        door.answers = accepts;
        door.refuses = accepts ? 0 : 403;
        door.text = "no";
        door.answer.protocol = S("chat");
        world_start(&w, DESC(CALLS, ORIGINS, .log_level = WSHUB_LEVEL_DEBUG), FAKE(0));
        (void)snprintf(text, sizeof text,
                       "GET /ws?token=c2VjcmV0 HTTP/1.1\r\nHost: h\r\n" UPGRADE_LINES
                       "Authorization: Bearer c2VjcmV0\r\n%s\r\n",
                       lines[i / 2]);
        c = said(&w, text);
        EXPECT_STR(door.offered, i < 2 ? "chat;superlongprotocol;" : "chat;");
        EXPECT(!strstr(wshub_io_fake_output(w.net, c).ptr, "c2VjcmV0"));
        if (accepts) take_101(&w, c, "Sec-WebSocket-Protocol: chat\r\n");
        wshub_io_fake_end(w.net, c);
        log = wshub_io_fake_log(w.net).ptr;
        EXPECT(strlen(log) > 0 && !strstr(log, "c2VjcmV0") && !strstr(log, "token"));
        world_stop(&w);
    }
    {
        world w;
        door_open();
        door.answer.protocol = S("base64url.bearer.c2VjcmV0");
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        (void)said(&w, ASKS("Sec-WebSocket-Protocol: base64url.bearer.c2VjcmV0\r\n"));
        EXPECT_INT(door.err, WSHUB_ERR_PARAM);
        EXPECT_STR(door.offered, "");
        world_stop(&w);
    }
}

/* ---- later ---- */

static void answer_posted(wshub *hub, void *arg) {
    world_note((world *)arg, "answers;");
    EXPECT_INT(wshub_http_upgrade(hub, door.exchange, &door.answer, NULL), WSHUB_OK);
}

TEST(what_is_said_before_a_late_answer_is_dispatched_behind_acceptance) { /* AUTH-8, CONN-5 */
    static const char both[] = ASKS("Cookie: sid=7\r\n") "\x81\x8D\0\0\0\0{\"event\":\"a\"}";
    uint32_t cut;
    for (cut = 0; cut < 8; cut++) {
        world w;
        wshub_conn c;
        char id[37];
        door_later();
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(.cut_bytes = cut / 2, .no_pause = cut % 2 == 0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, both, sizeof both - 1);
        wshub_io_fake_text(w.net, c, JOIN);
        EXPECT_LOG(&w, "asked;");
        EXPECT_STR(sent(&w, c), "");
        EXPECT_INT(stats(&w).clients, 0);
        EXPECT(wshub_str_eq_z(wshub_http_cookie(wshub_exchange_http(w.hub, door.exchange), "sid"),
                              "7"));
        wshub_io_fake_advance(w.net, 14000);

        /* From another thread, where a function is posted. */
        EXPECT_INT(wshub_post(w.hub, answer_posted, &w), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_LOG(&w, "answers;opened;connected ann;says a;");
        take_101(&w, c, NULL);
        take_connected(&w, c, "ann", id);
        EXPECT(wshub_client_in_room(w.hub, world_handle(&w, id), S("r")));
        EXPECT_INT(stats(&w).held_bytes, 0);
        EXPECT_INT(answer_now(&w), WSHUB_ERR_STALE);
        world_stop(&w);
    }
}

TEST(a_late_answer_may_be_nobody_yet_who_then_has_the_limits_of_all) { /* AUTH-8, AUTH-1, MSG-6 */
    world w;
    wshub_conn c;
    door_later();
    door.answer.identity = NULL;
    world_start(&w, DESC(CALLS), FAKE(0));
    c = said(&w, ASKS(""));
    wshub_io_fake_text(w.net, c, JOIN);
    EXPECT_INT(answer_now(&w), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_LOG(&w, "asked;opened;");
    take_101(&w, c, NULL);
    EXPECT_TEXT(&w, c, "{\"event\":\"error\",\"data\":{\"message\":\"Not authenticated\"}}");
    wshub_io_fake_advance(w.net, 5000); /* from the 101 on */
    EXPECT_CLOSE(&w, c, 4001);
    world_stop(&w);
}

TEST(more_than_a_stranger_may_say_is_not_held_for_a_late_answer) { /* AUTH-8, LIMITS */
    int i;
    for (i = 0; i < 4; i++) {
        world w;
        wshub_conn c;
        char text[200];
        door_later();
        memset(text, 'x', sizeof text);
        world_start(&w,
                    DESC(CALLS, ORIGINS, .preauth_bytes_max = i == 3 ? 8192 : 100,
                         .held_bytes_max = i == 3 ? 60 : 4096, .payload_bytes_max = 60),
                    FAKE(.no_pause = true));
        c = said(&w, ASKS(""));
        wshub_io_fake_log_forget(w.net);
        wshub_io_fake_input(w.net, c, text, i == 0 ? 101 : 50);
        if (i) EXPECT(wshub_io_fake_is_open(w.net, c));
        if (i) wshub_io_fake_input(w.net, c, text, i == 1 ? 50 : 51);
        if (i == 1) {
            EXPECT(wshub_io_fake_is_open(w.net, c));
            EXPECT_LOG(&w, "asked;");
        } else { /* in whatever pieces */
            EXPECT_LOG(&w, "asked;no answer 5;");
            EXPECT_INT(stats(&w).held_refused, 1);
            EXPECT_INT(answer_now(&w), WSHUB_ERR_STALE);
        }
        world_stop(&w);
    }
}

TEST(others_who_wait_have_the_limit_of_what_is_held) { /* AUTH-8, SEND-6 */
    static char text[300];
    wshub_reply begun = plain_reply(200, "");
    world w;
    wshub_conn asks, gets, talks;
    wshub_exchange late;
    door_later();
    memset(text, 'x', sizeof text);
    world_start(&w,
                DESC(CALLS, ORIGINS, .preauth_bytes_max = 100, .held_bytes_max = 4096,
                     .on_request = keep_request, .on_transform_in = keep_event),
                FAKE(.no_pause = true));
    asks = said(&w, ASKS(""));
    late = door.exchange;
    EXPECT_INT(wshub_http_begin(w.hub, late, &begun, 5), WSHUB_OK);
    gets = said(&w, GET);
    door.later = false;
    at_connected = NULL;
    talks = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, talks, AUTH);
    EXPECT_INT(wshub_client_encrypt(w.hub, opened_last), WSHUB_OK);
    wshub_io_fake_text(w.net, talks, "{\"event\":\"a\"}"); /* with the transformer */
    wshub_io_fake_send(w.net, talks, 2, true, text, sizeof text);
    wshub_io_fake_input(w.net, asks, text, sizeof text);
    wshub_io_fake_input(w.net, gets, text, sizeof text);
    EXPECT(wshub_io_fake_is_open(w.net, talks));
    EXPECT(wshub_io_fake_is_open(w.net, asks));
    EXPECT(wshub_io_fake_is_open(w.net, gets));
    EXPECT_INT(stats(&w).held_refused, 0);
    EXPECT_OP(stats(&w).held_bytes, >, 900);
    EXPECT_INT(wshub_http_drop(w.hub, late), WSHUB_OK);
    EXPECT_INT(wshub_http_drop(w.hub, kept_request), WSHUB_OK);
    world_stop(&w);
}

TEST(a_peer_that_leaves_before_a_late_answer_is_told_of_once) { /* AUTH-8, BYE-1 */
    world w;
    wshub_conn c;
    door_later();
    world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
    c = said(&w, ASKS(""));
    wshub_io_fake_end(w.net, c);
    EXPECT_LOG(&w, "asked;no answer 1;");
    EXPECT(!wshub_exchange_http(w.hub, door.exchange));
    EXPECT_INT(answer_now(&w), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_refuse(w.hub, door.exchange, 403, "no"), WSHUB_ERR_STALE);
    EXPECT_INT(stats(&w).clients, 0);
    world_stop(&w);
}

TEST(a_late_answer_has_as_long_as_a_question_has) { /* AUTH-8, AUTH-2 */
    static const uint32_t timeouts[] = {100, UINT32_MAX - 1};
    size_t i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        door_later();
        world_start(&w, DESC(CALLS, ORIGINS, .auth_timeout_ms = timeouts[i]), FAKE(0));
        c = said(&w, ASKS(""));
        wshub_io_fake_advance(w.net, 299);
        EXPECT_STR(sent(&w, c), "");
        wshub_io_fake_advance(w.net, 1);
        if (i) { /* where three times as long is more than can be said, it is as long as can be */
            wshub_io_fake_advance(w.net, UINT32_MAX - 302);
            EXPECT_STR(sent(&w, c), "");
            wshub_io_fake_advance(w.net, 1);
        }
        EXPECT_SENT(&w, c, "503", NULL);
        EXPECT_LOG(&w, "asked;no answer 4;");
        EXPECT_INT(answer_now(&w), WSHUB_ERR_STALE);
        world_stop(&w);
    }
}

TEST(a_hub_that_ends_gives_no_late_answer) { /* AUTH-8, BYE-2 */
    int how;
    for (how = 0; how < 2; how++) {
        world w;
        wshub_conn c;
        door_later();
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        c = said(&w, ASKS(""));
        if (how == 0) {
            EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
            EXPECT_INT(answer_now(&w), WSHUB_ERR_STALE);
            EXPECT_INT(wshub_http_refuse(w.hub, door.exchange, 503, "later"), WSHUB_ERR_STALE);
            wshub_io_fake_run(w.net);
            EXPECT_SENT(&w, c, "503", "shutting down\n");
            EXPECT_LOG(&w, "asked;no answer 8;");
        }
        EXPECT_INT(stats(&w).clients, 0);
        world_stop(&w); /* destroyed meanwhile: nothing leaks */
    }
}

TEST(a_hub_that_is_full_when_the_answer_comes_says_so) { /* AUTH-8, CONN-2 */
    world w;
    wshub_conn c, d;
    wshub_exchange late;
    door_later();
    world_start(&w, DESC(CALLS, ORIGINS, .clients_max = 1), FAKE(0));
    c = said(&w, ASKS(""));
    late = door.exchange;
    door.later = false;
    door.answers = true;
    d = said(&w, ASKS(""));
    take_101(&w, d, NULL);
    EXPECT_INT(wshub_http_upgrade(w.hub, late, &door.answer, NULL), WSHUB_ERR_LIMIT);
    EXPECT_STR(sent(&w, c), "");
    wshub_io_fake_end(w.net, d);
    EXPECT_INT(wshub_http_upgrade(w.hub, late, &door.answer, NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    take_101(&w, c, NULL);
    world_stop(&w);
}

/* ---- what happens inside the callbacks ---- */

/* As many clients as there are: the callback has let others in. */
static void act_fill(wshub *hub) {
    hub->desc.clients_max = (uint32_t)hub->clients.live;
}

TEST(the_last_place_may_be_taken_while_on_upgrade_is_asked) { /* AUTH-8, CONN-2 */
    world w;
    wshub_conn c;
    door_open();
    door.acts = act_fill;
    world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
    c = said(&w, ASKS(""));
    EXPECT_SENT(&w, c, "503", "too many clients\n");
    EXPECT_INT(stats(&w).clients, 0);
    world_stop(&w);
}

static void act_shutdown(wshub *hub) {
    EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
}
static void act_destroy(wshub *hub) {
    wshub_destroy(hub);
}
static void act_drop(wshub *hub) {
    EXPECT_INT(wshub_http_drop(hub, door.exchange), WSHUB_OK);
}

TEST(what_on_upgrade_does_meanwhile_counts) { /* AUTH-8, BYE-2 */
    world w;
    wshub_conn c;
    door_open();
    door.acts = act_shutdown;
    world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
    c = said(&w, ASKS(""));
    EXPECT_INT(door.err, WSHUB_ERR_CLOSED);
    EXPECT_SENT(&w, c, "503", "shutting down\n");
    world_stop(&w);

    for (door.later = false;; door.later = true) {
        bool later = door.later;
        door_open();
        door.later = later;
        door.acts = act_drop;
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        c = said(&w, ASKS(""));
        EXPECT_INT(door.err, WSHUB_ERR_STALE);
        EXPECT_STR(sent(&w, c), "");
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        EXPECT_LOG(&w, "asked;");
        world_stop(&w);

        door.answers = false;
        door.acts = act_destroy;
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        c = wshub_io_fake_open(w.net);
        w.hub = NULL;
        say(&w, c, ASKS(""));
        world_stop(&w);
        if (later) break;
    }
}

static void close_it(wshub *hub, wshub_client client) {
    EXPECT_INT(wshub_client_close(hub, client, 4500, S("out")), WSHUB_OK);
}
static void destroy_it(wshub *hub, wshub_client client) {
    (void)client;
    wshub_destroy(hub);
}

TEST(a_client_may_be_closed_while_it_is_told_of) { /* AUTH-8, BYE-1 */
    int i;
    for (i = 0; i < 4; i++) {
        world w;
        wshub_conn c;
        door_open();
        if (i % 2) {
            at_connected = i < 2 ? close_it : destroy_it;
        } else {
            at_opened = i < 2 ? close_it : destroy_it;
        }
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        c = wshub_io_fake_open(w.net);
        if (i >= 2) w.hub = NULL;
        say(&w, c, ASKS(""));
        if (i < 2) {
            take_101(&w, c, NULL);
            take_connected(&w, c, "ann", NULL);
            EXPECT_CLOSE(&w, c, 4500);
            EXPECT_LOG(&w, i ? "asked;opened;connected ann;gone 3;" : "asked;opened;gone 3;");
        }
        world_stop(&w);
    }
}

TEST(a_failure_that_on_connected_reports_changes_nothing) { /* AUTH-8, AUTH-7 */
    world w;
    wshub_conn c;
    door_open();
    connected_err = WSHUB_ERR_APP;
    world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
    c = said(&w, ASKS(""));
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).app_failures, 1);
    EXPECT_INT(stats(&w).authenticated, 1);
    world_stop(&w);
}

/* ---- keys ---- */

static wshub_ask keys_ask;
static bool keys_now;
static void on_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    char text[100];
    wshub_str who;
    keys_ask = ask;
    if (keys_now) EXPECT_INT(wshub_handshake_accept(hub, ask, S("pub"), S("salt")), WSHUB_OK);
    who = hs->user_id.ptr ? hs->user_id : S("nobody");
    (void)snprintf(text, sizeof text, "keys of %.*s: %.*s;", (int)who.len, who.ptr,
                   (int)hs->data.len, hs->data.ptr);
    world_note((world *)user, text);
}
static void out_as_is(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    (void)user;
    EXPECT_INT(wshub_transform_accept(hub, ask, NULL), WSHUB_OK);
}
#define KEYS "{\"event\":\"authenticate\",\"data\":{\"key\":\"k\"}}"
#define ENCRYPTED                                                                                  \
    .require_encryption = true, .on_handshake = on_handshake, .on_transform_out = out_as_is

TEST(where_keys_are_wanted_authenticate_brings_them_alone) { /* AUTH-8, AUTH-5, AUTH-6, MSG-6 */
    int now;
    for (now = 0; now < 2; now++) {
        world w;
        wshub_conn c;
        char id[37];
        wshub_io_fake_frame f;
        door_open();
        door.who.metadata = S("{\"n\":1}");
        keys_now = now == 1;
        world_start(&w, DESC(CALLS, ORIGINS, ENCRYPTED), FAKE(0));
        c = said(&w, ASKS(""));
        EXPECT_LOG(&w, "asked;opened;");
        take_101(&w, c, NULL);
        EXPECT_SILENCE(&w, c);
        wshub_io_fake_text(w.net, c, JOIN); /* it is a stranger yet */
        EXPECT_TEXT(&w, c, "{\"event\":\"error\",\"data\":{\"message\":\"Not authenticated\"}}");
        wshub_io_fake_text(w.net, c, KEYS);
        if (!now) {
            EXPECT_LOG(&w, "keys of ann: {\"key\":\"k\"};");
            EXPECT_SILENCE(&w, c);
            EXPECT_INT(stats(&w).authenticated, 0);
            EXPECT_INT(wshub_handshake_accept(w.hub, keys_ask, S("pub"), S("salt")), WSHUB_OK);
            wshub_io_fake_run(w.net);
            EXPECT_LOG(&w, "connected ann;");
        } else {
            EXPECT_LOG(&w, "connected ann;keys of ann: {\"key\":\"k\"};");
        }
        EXPECT(wshub_io_fake_next(w.net, c, &f));
        EXPECT(strstr(f.payload.ptr, "\"serverPublicKey\":\"pub\"") != NULL);
        (void)snprintf(id, sizeof id, "%.36s",
                       wshub_json_get(wshub_json_get(f.payload, "data"), "id").ptr + 1);
        EXPECT(wshub_client_is_encrypted(w.hub, world_handle(&w, id)));
        EXPECT(wshub_str_eq_z(wshub_client_metadata(w.hub, world_handle(&w, id)), "{\"n\":1}"));
        EXPECT_INT(stats(&w).users, 1);
        world_stop(&w);
    }
}

TEST(keys_have_their_clock_and_may_be_refused) { /* AUTH-8, AUTH-1, AUTH-2, AUTH-5 */
    static const char *const users[] = {NULL, "", "ann"};
    size_t i;
    for (i = 0; i < 5; i++) {
        world w;
        wshub_conn c;
        wshub_desc d = DESC(CALLS, ORIGINS, ENCRYPTED, .auth_timeout_ms = 100);
        door_open();
        if (i < 3) door.who.user_id = users[i] ? S(users[i]) : nul();
        keys_now = false;
        if (i == 4) d.on_handshake = NULL;
        world_start(&w, d, FAKE(0));
        c = said(&w, ASKS(""));
        take_101(&w, c, NULL);
        if (i < 3) {
            wshub_io_fake_advance(w.net, 90);
            wshub_io_fake_text(w.net, c, KEYS);
            EXPECT_HAS(w.log, i == 2 ? "keys of ann:" : i == 1 ? "keys of :" : "keys of nobody:");
            wshub_io_fake_advance(w.net, 299);
            EXPECT(wshub_io_fake_is_open(w.net, c));
            if (i == 0) {
                wshub_io_fake_advance(w.net, 1);
                EXPECT_CLOSE(&w, c, 4001);
            } else {
                EXPECT_INT(wshub_ask_reject(w.hub, keys_ask), WSHUB_OK);
                wshub_io_fake_run(w.net);
                EXPECT_TEXT(&w, c,
                            "{\"event\":\"error\",\"data\":{\"message\":"
                            "\"Encryption handshake failed\"}}");
                EXPECT_CLOSE(&w, c, 4004);
            }
        } else if (i == 3) { /* it brings none */
            wshub_io_fake_advance(w.net, 100);
            EXPECT_CLOSE(&w, c, 4001);
        } else { /* nobody takes them */
            wshub_io_fake_text(w.net, c, KEYS);
            EXPECT_CLOSE(&w, c, 4004);
        }
        EXPECT_INT(stats(&w).clients, 0);
        world_stop(&w);
    }
}

/* ---- a client that is accepted without having asked ---- */

static wshub_client opened;
static void keep_opened(wshub *hub, wshub_client client) {
    (void)hub;
    opened = client;
}

TEST(a_client_may_be_accepted_that_has_not_asked) { /* AUTH-8 */
    static const wshub_identity bad = {{"\xFF", 1}, {NULL, 0}}, ann = {{"ann", 3}, {NULL, 0}};
    int keys;
    for (keys = 0; keys < 2; keys++) {
        world w;
        wshub_conn c;
        wshub_desc d = DESC(CALLS, ORIGINS, ENCRYPTED);
        door_ann();
        at_opened = keep_opened;
        keys_now = true;
        d.require_encryption = keys;
        world_start(&w, d, FAKE(0));
        c = wshub_io_fake_connect(w.net, "/ws");
        EXPECT_INT(wshub_client_accept(w.hub, opened, &bad), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_client_accept(w.hub, opened, keys ? &ann : NULL), WSHUB_OK);
        EXPECT_INT(wshub_client_accept(w.hub, opened, NULL), WSHUB_ERR_STATE);
        wshub_io_fake_run(w.net);
        if (keys) {
            EXPECT_LOG(&w, "asked;opened;");
            wshub_io_fake_text(w.net, c, KEYS);
            EXPECT_LOG(&w, "connected ann;keys of ann: {\"key\":\"k\"};");
        } else {
            EXPECT_LOG(&w, "asked;opened;connected ;");
            take_connected(&w, c, NULL, NULL);
        }
        wshub_io_fake_end(w.net, c);
        EXPECT_INT(wshub_client_accept(w.hub, opened, NULL), WSHUB_ERR_STALE);
        world_stop(&w);
    }
}

/* ---- out of memory ---- */

/* Each allocation of an upgrade that is accepted fails, at once and later, with and without
 * something queued in front of it: all or nothing. */
static int starved_upgrade(bool later, bool keys, int behind, int n) {
    world w;
    wshub_conn c;
    bool done;
    wshub_desc d = DESC(CALLS, ORIGINS, ENCRYPTED, .on_request = keep_request);
    d.require_encryption = keys;
    door_ann();
    keys_now = true;
    world_start(&w, d, FAKE(0));
    (void)world_client(&w, NULL, NULL); /* has warmed up what stays */
    forget_log(&w);
    door.answers = !later;
    door.later = later;
    if (!keys) door.who.metadata = S("{\"n\":1}");
    c = wshub_io_fake_open(w.net);
    if (behind) { /* answers that are not taken stand in front, in one piece with it or not */
        int answers = behind == 3 ? 2 : 1;
        wshub_io_fake_window(w.net, c, 3);
        while (answers-- > 0) {
            say(&w, c, GET);
            EXPECT_INT(answer(w.hub, kept_request, "first"), WSHUB_OK);
            wshub_io_fake_run(w.net);
            if (behind > 1) w.hub->log->used = w.hub->log->cap;
        }
    }
    if (!later) w.fail_at = n;
    say(&w, c, ASKS(""));
    if (later) {
        wshub_err err;
        EXPECT_STR(w.log, "asked;");
        w.fail_at = n;
        err = answer_now(&w);
        done = w.fail_at > 0;
        w.fail_at = 0;
        EXPECT_INT(err, done ? WSHUB_OK : err == WSHUB_ERR_NOMEM ? WSHUB_ERR_NOMEM : WSHUB_OK);
        if (err) { /* it can be answered yet */
            EXPECT_LOG(&w, "asked;");
            EXPECT_INT(stats(&w).users, 0);
            EXPECT_INT(answer_now(&w), WSHUB_OK);
        }
        wshub_io_fake_run(w.net);
    } else {
        done = w.fail_at > 0;
        w.fail_at = 0;
    }
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_io_fake_run(w.net);
    {
        const char *out = sent(&w, c), *first = strstr(out, "first");
        if (behind && wshub_io_fake_is_open(w.net, c)) EXPECT(first != NULL);
        if (strstr(out, " 101 ")) {
            EXPECT(!strstr(out, " 500 "));
            if (wshub_io_fake_is_open(w.net, c))
                EXPECT_INT(strstr(out, "\"connected\"") != NULL, !keys);
            EXPECT_INT(stats(&w).users, !keys);
            EXPECT_INT(strstr(w.log, "connected ann;") != NULL, !keys);
        } else {
            EXPECT(!done && !later);
            EXPECT_INT(stats(&w).users, 0);
            EXPECT(!strstr(w.log, "opened"));
            EXPECT(!strstr(out, "\"connected\""));
            if (*out && !(behind && !strstr(out, " 500 ")))
                EXPECT_HAS(out, "WebSocket upgrade failed\n");
        }
    }
    world_stop(&w);
    return done;
}

TEST(an_upgrade_that_wants_memory_accepts_nobody) { /* AUTH-8, CONN-2 */
    int how, n;
    for (how = 0; how < 16; how++) {
        for (n = 1; n < 60 && !starved_upgrade(how & 1, how & 2, how >> 2, n); n++) {
        }
        EXPECT(n > 2 && n < 60);
    }
}

TEST(a_client_that_cannot_be_accepted_is_what_it_was) { /* AUTH-8, AUTH-7 */
    int n;
    bool done = false;
    for (n = 1; n < 40 && !done; n++) {
        world w;
        wshub_err err;
        door_ann();
        at_opened = keep_opened;
        door.who.metadata = S("{\"n\":1}");
        world_start(&w, DESC(CALLS, ORIGINS), FAKE(0));
        (void)wshub_io_fake_connect(w.net, "/ws");
        w.fail_at = n;
        err = wshub_client_accept(w.hub, opened, &door.who);
        done = w.fail_at > 0;
        w.fail_at = 0;
        if (err) {
            EXPECT_INT(err, WSHUB_ERR_NOMEM);
            EXPECT_LOG(&w, "asked;opened;");
            EXPECT_INT(stats(&w).users, 0);
            EXPECT_INT(wshub_client_state(w.hub, opened), WSHUB_CLIENT_UNAUTHORIZED);
            EXPECT_INT(wshub_client_accept(w.hub, opened, &door.who), WSHUB_OK);
        }
        wshub_io_fake_run(w.net);
        EXPECT_INT(stats(&w).users, 1);
        world_stop(&w);
    }
    EXPECT(n > 3 && done);
}

TEST(keys_that_want_memory_are_refused) { /* AUTH-8, AUTH-4 */
    int n, refused = 0;
    bool done = false;
    for (n = 1; n < 40 && !done; n++) {
        world w;
        wshub_conn c;
        wshub_io_fake_frame f;
        static uint32_t taken[70000];
        uint32_t count = 0;
        door_open();
        keys_now = false;
        world_start(&w, DESC(CALLS, ORIGINS, ENCRYPTED), FAKE(0));
        c = said(&w, ASKS(""));
        take_101(&w, c, NULL);
        forget_log(&w);
        while (w.hub->asks.free_head != WSHUB__NONE ||
               w.hub->asks.used < w.hub->asks.pages_count * WSHUB__PAGE) {
            EXPECT(wshub__pool_take(&w.hub->mem, &w.hub->asks, &taken[count]));
            count++;
        }
        w.fail_at = n;
        wshub_io_fake_text(w.net, c, KEYS);
        done = w.fail_at > 0;
        w.fail_at = 0;
        while (count) wshub__pool_free(&w.hub->asks, taken[--count]);
        if (!strstr(w.log, "keys of ann")) {
            refused++;
            EXPECT(!done);
            if (wshub_io_fake_next(w.net, c, &f) && f.opcode == 1) {
                EXPECT_HAS(f.payload.ptr, "Authentication error");
                EXPECT_CLOSE(&w, c, 4003);
            }
        }
        world_stop(&w);
    }
    EXPECT(refused >= 3 && done);
}

/* ---- an end that comes meanwhile ---- */

static void act_stop(wshub *hub) {
    EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
}
static void count_shutdown(wshub *hub, void *user) {
    (void)hub;
    world_note((world *)user, "down;");
}

TEST(open_handshakes_end_with_the_service) { /* AUTH-8, BYE-2 */
    int how;
    for (how = 0; how < 4; how++) { /* a shutdown, a drain, one from inside on_upgrade; no memory */
        world w;
        wshub_conn c, held;
        wshub_exchange plain;
        wshub_desc d = DESC(CALLS, ORIGINS, .on_request = keep_request);
        d.on_shutdown = count_shutdown;
        door_later();
        world_start(&w, d, FAKE(0));
        held = said(&w, GET); /* who has asked for no WebSocket gets its answer */
        plain = kept_request;
        if (how == 2) door.acts = act_stop;
        c = said(&w, ASKS(""));
        EXPECT_LOG(&w, "asked;");
        if (how == 3) w.fail_all = true;
        if (how == 1)
            EXPECT_INT(wshub_drain(w.hub, 10, 1001, nul()), WSHUB_OK);
        else
            EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
        w.fail_all = false;
        wshub_io_fake_run(w.net);
        if (how < 3) {
            EXPECT_SENT(&w, c, "503", "shutting down\n");
            EXPECT_INT(stats(&w).upgrades_refused, 1);
        } else {
            EXPECT_STR(sent(&w, c), "");
        }
        wshub_io_fake_end(w.net, c);
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        EXPECT_INT(wshub_http_upgrade(w.hub, door.exchange, NULL, NULL), WSHUB_ERR_STALE);
        EXPECT_LOG(&w, how == 2 ? "" : how == 3 ? "no answer 7;" : "no answer 8;");
        kept_request = plain;
        EXPECT_INT(answer(w.hub, kept_request, "late"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_SENT(&w, held, "200", "late");
        wshub_io_fake_end(w.net, held);
        wshub_io_fake_advance(w.net, 1);
        EXPECT_LOG(&w, "down;");
        world_stop(&w);
    }
}
