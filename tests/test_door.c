/* The door of a dialect's mount, wshub_client_upgrade(): what is asked of who comes in is what is
 * asked on wshub_desc.path (CONN-1, CONN-2, AUTH-8), whichever way the answer comes, and whatever
 * the application or the dialect does meanwhile. */
#include "mounted.h"

#define ASKS(lines) "GET /words HTTP/1.1\r\nHost: h\r\n" UPGRADE_LINES lines "\r\n"
#define ORIGINS .allowed_origins = pages, .allowed_origins_count = 1
static const char *const pages[] = {"https://page.example"};

/* A dialect with a door. */
static struct words {
    site site; /* its mount */
    uint32_t dialect;
    wshub_kind kind;
    wshub_client_desc who;
    bool nobody;           /* WebSockets come in without a client */
    wshub_err accept;      /* what `accepted` returns behind its welcome */
    bool splits;           /* and the welcome does not lie behind the 101 */
    wshub_client welcomed; /* last */
    void (*at_open)(wshub *hub, wshub_conn conn);
    wshub_take took; /* what the door has said */
} words;

/* What on_upgrade does, and what it was asked about. */
static struct app {
    void (*acts)(wshub *hub, wshub_upgrade *up);
    wshub_exchange exchange;
    wshub_upgrade_answer answer;
    wshub_identity ann;
    wshub_err err;
    wshub_client opened;
    void (*at_opened)(wshub *hub, wshub_client client);
} app;

static wshub_err encode(wshub *hub, wshub_kind kind, wshub_realm realm, const wshub_packet *packet,
                        wshub_writer *out, void *user) {
    uint8_t *to = wshub_writer_frame(out, true, packet->event.len);
    (void)hub, (void)kind, (void)realm, (void)user;
    if (!to) return WSHUB_ERR_NOMEM;
    memcpy(to, packet->event.ptr, packet->event.len);
    return WSHUB_OK;
}
static wshub_err accepted(wshub *hub, wshub_client client, const wshub_acceptance *what,
                          void *user) {
    wshub_msg m = msg("welcome", NULL);
    wshub_err err;
    (void)what, (void)user;
    words.welcomed = client;
    err = wshub_client_welcome(hub, client, &m);
    return err ? err : words.accept;
}
static void door(site *s, wshub *hub) {
    s->take = words.took = wshub_client_upgrade(hub, s->exchange, words.nobody ? NULL : &words.who);
}
static void on_conn_opened(wshub *hub, wshub_conn conn, void *owner) {
    site_note((site *)owner, "open");
    if (words.at_open) words.at_open(hub, conn);
}

static void on_upgrade(wshub *hub, const wshub_http *http, wshub_upgrade *up, void *user) {
    EXPECT_INT(http->handshake, 101);
    world_note((world *)user, "asked;");
    app.exchange = up->exchange;
    if (app.acts) app.acts(hub, up);
}
static void on_opened(wshub *hub, wshub_client client, void *user) {
    world_note((world *)user, "opened;");
    app.opened = client;
    if (app.at_opened) app.at_opened(hub, client);
}
static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    char text[60];
    wshub_str id = wshub_client_user_id(hub, client);
    (void)snprintf(text, sizeof text, "connected %.*s;", (int)id.len, id.len ? id.ptr : "");
    world_note((world *)user, text);
    return WSHUB_OK;
}
static void on_exchange_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner) {
    char text[60];
    EXPECT_INT(wshub_http_upgrade(hub, exchange, NULL, NULL), WSHUB_ERR_STALE);
    (void)snprintf(text, sizeof text, "no answer %d;", (int)cause);
    world_note((world *)owner, text);
}
static void on_exchange_drained(wshub *hub, wshub_exchange exchange, void *owner) {
    (void)hub, (void)exchange;
    world_note((world *)owner, "room;");
}
#define CALLS                                                                                      \
    .on_upgrade = on_upgrade, .on_opened = on_opened, .on_connected = on_connected,                \
    .on_exchange_gone = on_exchange_gone, .on_exchange_drained = on_exchange_drained

static void words_world(world *w, wshub_desc d) {
    wshub_dialect table = DIALECT(.name = "words", .accepted = accepted);
    wshub_kind_desc kind = {encode, "words", NULL};
    memset(&words, 0, sizeof words);
    memset(&app, 0, sizeof app);
    app.ann.user_id = S("ann");
    words.site.name = "words";
    words.site.at_head = door;
    world_start(w, d, FAKE(0));
    EXPECT_INT(wshub_dialect_add(w->hub, &table, NULL, &words.dialect), WSHUB_OK);
    EXPECT_INT(wshub_kind_add(w->hub, &kind, &words.kind), WSHUB_OK);
    words.who.dialect = words.dialect;
    words.who.kind = words.kind;
    MOUNT(w, &words.site, .path = "/words", .on_conn_opened = on_conn_opened);
    forget_log(w);
}

/* What is sent begins with this status, and has that in it. */
static void expect_answer(world *w, wshub_conn c, const char *status, const char *part) {
    const char *out = sent(w, c);
    EXPECT(strlen(out) > 12 && memcmp(out + 9, status, 3) == 0);
    EXPECT_HAS(out, part);
}

/* The 101 is taken; what follows are frames. */
static void take_101(world *w, wshub_conn c, const char *part) {
    wshub_str out = wshub_io_fake_output(w->net, c);
    const char *end = out.len ? strstr(out.ptr, "\r\n\r\n") : NULL;
    EXPECT(end && strncmp(out.ptr, "HTTP/1.1 101 ", 13) == 0);
    if (!end) return;
    if (part) EXPECT_HAS(out.ptr, part);
    wshub_io_fake_take(w->net, c, (size_t)(end - out.ptr) + 4);
}

/* ---- what the hub itself checks ---- */

TEST(a_dialects_door_asks_for_the_origin_as_the_hubs_own_path_does) { /* CONN-2 */
    static const struct {
        const char *lines;
        const char *status;
    } t[] = {{"", "101"},
             {"Origin: https://page.example\r\n", "101"},
             {"Origin: https://evil.example\r\n", "403"},
             {"Origin: null\r\n", "403"}};
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        wshub_conn c;
        char text[400];
        words_world(&w, DESC(CALLS, ORIGINS));
        (void)snprintf(text, sizeof text, ASKS("%s"), t[i].lines);
        c = said(&w, text);
        if (*t[i].status == '1') {
            EXPECT_LOG(&w, "head words;asked;101 by words;open words;opened;");
            EXPECT_SENT(&w, c, "101", NULL);
            EXPECT_INT(stats(&w).clients, 1);
            EXPECT_INT(wshub_client_kind(w.hub, wshub_conn_client(w.hub, c)), words.kind);
        } else {
            EXPECT_LOG(&w, "head words;403 by words;");
            EXPECT_SENT(&w, c, "403", "this origin may not connect\n");
            EXPECT_INT(stats(&w).clients, 0);
            EXPECT_INT(stats(&w).upgrades_refused, 1);
        }
        world_stop(&w);
    }
}

TEST(who_upgrades_by_hand_can_ask_for_the_origin) { /* CONN-2 */
    static const wshub_header origins[] = {{{"origin", 6}, {"https://page.example", 20}},
                                           {{"Origin", 6}, {"https://evil.example", 20}}};
    int i;
    for (i = 0; i < 2; i++) {
        wshub_http http;
        world w;
        memset(&http, 0, sizeof http);
        if (i)
            words_world(&w, DESC(CALLS, ORIGINS));
        else
            words_world(&w, DESC(CALLS));
        EXPECT(wshub_origin_allowed(w.hub, &http)); /* a program */
        http.headers = origins;
        http.headers_count = 1;
        EXPECT(wshub_origin_allowed(w.hub, &http));
        http.headers = origins + 1;
        EXPECT_INT(wshub_origin_allowed(w.hub, &http), !i);
        world_stop(&w);
    }
}

TEST(a_dialects_door_refuses_what_is_no_handshake) { /* CONN-1, CONN-2 */
    static const struct {
        const char *text, *status, *part;
    } t[] = {
        {"GET /words HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "426", ""},
        {"GET /words HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", "400", ""},
        {ASKS("Sec-WebSocket-Protocol: a b\r\n"), "400", "malformed Sec-WebSocket-Protocol\n"},
        {WANT("/words"), "404", ""}, /* it is offered on */
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        wshub_conn c;
        words_world(&w, DESC(CALLS, .on_request = note_request));
        c = said(&w, t[i].text);
        expect_answer(&w, c, t[i].status, t[i].part);
        EXPECT(!strstr(w.log, "asked"));
        EXPECT_INT(strstr(w.log, "request;") != NULL, *t[i].status == '4' && t[i].status[2] == '4');
        EXPECT_INT(words.took, WSHUB_TAKE_DECLINED);
        world_stop(&w);
    }
}

TEST(a_dialects_door_has_room_for_clients_max) { /* CONN-2, BYE-2 */
    world w;
    wshub_conn c;
    words_world(&w, DESC(CALLS, .clients_max = 1));
    (void)said(&w, ASKS(""));
    c = said(&w, ASKS(""));
    EXPECT_SENT(&w, c, "503", "too many clients\n");
    words.nobody = true; /* who brings none needs no room */
    c = said(&w, ASKS(""));
    EXPECT_SENT(&w, c, "101", NULL);
    wshub_shutdown(w.hub);
    c = said(&w, ASKS(""));
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

TEST(a_door_to_nowhere_is_the_dialects_fault) { /* CONN-2 */
    static const char *const why[] = {"kind", "dialect", "id", "realm", "taken"};
    size_t i;
    for (i = 0; i < sizeof why / sizeof *why; i++) {
        world w;
        wshub_conn c;
        words_world(&w, DESC(CALLS));
        words.who.id = S("one");
        if (i == 0) words.who.kind = 9;
        if (i == 1) words.who.dialect = 9;
        if (i == 2) words.who.id.len = 0;
        if (i == 3) words.who.realm.id = 99;
        if (i == 4) (void)said(&w, ASKS(""));
        forget_log(&w);
        c = said(&w, ASKS(""));
        EXPECT_SENT(&w, c, "500", "WebSocket upgrade failed\n");
        EXPECT_INT(stats(&w).app_failures, i < 3);
        EXPECT_INT(stats(&w).clients, i == 4);
        EXPECT_INT(strstr(w.log, "asked") != NULL, i >= 3);
        world_stop(&w);
    }
}

/* ---- what on_upgrade says ---- */

static void refuses(wshub *hub, wshub_upgrade *up) {
    (void)hub;
    up->refuse = 401;
}
static void refuses_by_hand(wshub *hub, wshub_upgrade *up) {
    EXPECT_INT(wshub_http_refuse(hub, up->exchange, 418, "no tea"), WSHUB_OK);
}
static void selects(wshub *hub, wshub_upgrade *up) {
    (void)hub;
    EXPECT_INT(up->protocols_count, 1); /* AUTH-8: the token is not offered */
    up->protocol = 0;
    up->user_ptr = &app;
}
static void knows(wshub *hub, wshub_upgrade *up) {
    app.answer.identity = &app.ann;
    app.err = wshub_http_upgrade(hub, up->exchange, &app.answer, NULL);
}
static void later(wshub *hub, wshub_upgrade *up) {
    (void)hub;
    up->later = true;
}

TEST(on_upgrade_is_asked_at_a_dialects_door) { /* CONN-2, AUTH-8 */
    static const struct {
        void (*acts)(wshub *hub, wshub_upgrade *up);
        const char *status, *part, *log;
    } t[] = {
        {NULL, "101", "", "head words;asked;101 by words;open words;opened;"},
        {refuses, "401", "refused by the application\n", "head words;asked;401 by words;"},
        {refuses_by_hand, "418", "no tea\n", "head words;asked;418 by words;"},
        {selects, "101", "Sec-WebSocket-Protocol: b\r\n",
         "head words;asked;101 by words;open words;opened;"},
        {knows, "101", "", "head words;asked;101 by words;open words;opened;connected ann;"},
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        wshub_conn c;
        static int mine;
        words_world(&w, DESC(CALLS, ORIGINS, .auth_timeout_ms = 100));
        app.acts = t[i].acts;
        words.who.user_ptr = &mine;
        c = said(&w, ASKS("Sec-WebSocket-Protocol: base64url.bearer.authorization.dA, b\r\n"));
        EXPECT_LOG(&w, t[i].log);
        if (*t[i].status == '1') {
            wshub_client client = wshub_conn_client(w.hub, c);
            take_101(&w, c, t[i].part);
            EXPECT(wshub_client_user_ptr(w.hub, client) ==
                   (t[i].acts == selects ? (void *)&app : (void *)&mine));
            EXPECT_INT(wshub_client_state(w.hub, client),
                       t[i].acts == knows ? WSHUB_CLIENT_AUTHENTICATED : WSHUB_CLIENT_UNAUTHORIZED);
            if (t[i].acts == knows) EXPECT_TEXT(&w, c, "welcome");
            EXPECT_SILENCE(&w, c);
            wshub_io_fake_text(w.net, c, "hi");
            EXPECT_LOG(&w, "text hi to words;"); /* its mount hears it */
            wshub_io_fake_advance(w.net, 101);   /* AUTH-1 */
            EXPECT_INT(stats(&w).clients, t[i].acts == knows);
        } else {
            expect_answer(&w, c, t[i].status, t[i].part);
            EXPECT_INT(stats(&w).clients, 0);
        }
        world_stop(&w);
    }
}

TEST(nobody_is_accepted_at_a_door_where_any_page_may_connect) { /* AUTH-8, CONN-2 */
    world w;
    wshub_conn c;
    words_world(&w, DESC(CALLS));
    app.acts = knows;
    c = said(&w, ASKS(""));
    EXPECT_INT(app.err, WSHUB_ERR_STATE);
    EXPECT_SENT(&w, c, "500", NULL);
    world_stop(&w);
    words_world(&w, DESC(CALLS, ORIGINS));
    words.nobody = true; /* and nobody where there is no client */
    app.acts = knows;
    c = said(&w, ASKS(""));
    EXPECT_INT(app.err, WSHUB_ERR_PARAM);
    EXPECT_SENT(&w, c, "500", NULL);
    world_stop(&w);
}

TEST(a_door_may_be_answered_later_and_remembers_who_it_is_for) { /* AUTH-8, AUTH-2 */
    int i;
    for (i = 0; i < 4; i++) {
        world w;
        wshub_conn c;
        char id[8] = "the-one";
        words_world(&w, DESC(CALLS, ORIGINS, .http_timeout_ms = 10));
        app.acts = later;
        if (i != 2) words.who.id = wshub_str_z(id);
        words.nobody = i == 3;
        c = said(&w, ASKS("X-Token: t0p\r\n"));
        memset(id, 'x', sizeof id); /* it was copied */
        EXPECT_INT(words.took, WSHUB_TAKE_HELD);
        EXPECT_LOG(&w, "head words;asked;");
        EXPECT(wshub_str_eq_z(
            wshub_http_header(wshub_exchange_http(w.hub, app.exchange), "x-token"), "t0p"));
        wshub_io_fake_text(w.net, c, "early"); /* it is read behind the answer */
        wshub_io_fake_advance(w.net, 14999);   /* three times auth_timeout_ms */
        EXPECT_LOG(&w, "");
        if (i == 0) {
            wshub_io_fake_advance(w.net, 2);
            EXPECT_SENT(&w, c, "503", NULL);
            EXPECT_LOG(&w, "503 by words;no answer 4;");
        } else {
            if (i < 3) app.answer.identity = &app.ann;
            EXPECT_INT(wshub_http_upgrade(w.hub, app.exchange, &app.answer, NULL), WSHUB_OK);
            wshub_io_fake_run(w.net);
            EXPECT_LOG(&w, i < 3 ? "101 by words;open words;opened;connected ann;"
                                   "text early to words;"
                                 : "101 by words;open words;text early to words;");
            take_101(&w, c, NULL);
            if (i < 3) EXPECT_TEXT(&w, c, "welcome");
            EXPECT_INT(wshub_client_id(w.hub, words.welcomed).len, i == 3 ? 0 : i == 1 ? 7 : 36);
            if (i == 1) EXPECT(wshub_str_eq_z(wshub_client_id(w.hub, words.welcomed), "the-one"));
            EXPECT(wshub_conn_owner(w.hub, c) == &words.site);
        }
        world_stop(&w);
    }
}

TEST(a_door_waits_for_ever_where_authentication_does) { /* AUTH-2, AUTH-8 */
    world w;
    wshub_conn c;
    words_world(&w, DESC(CALLS, .auth_timeout_ms = WSHUB_OFF - 2, .idle_timeout_ms = WSHUB_OFF));
    app.acts = later;
    c = said(&w, ASKS(""));
    wshub_io_fake_advance(w.net, 100000000);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

/* While it is asked, an exchange is the application's: it says whose it is, and hears of its end;
 * whose the WebSocket is the mount has said before. */
static void *app_owner, *asked_owner;
static void later_and_mine(wshub *hub, wshub_upgrade *up) {
    asked_owner = wshub_exchange_owner(hub, up->exchange);
    EXPECT_INT(wshub_exchange_set_owner(hub, up->exchange, app_owner), WSHUB_OK);
    up->later = true;
}
static void door_of_another(site *s, wshub *hub) {
    EXPECT_INT(wshub_exchange_set_owner(hub, s->exchange, s + 1), WSHUB_OK);
    door(s, hub);
}

TEST(an_exchange_at_the_door_is_the_applications) { /* AUTH-8 */
    int i;
    for (i = 0; i < 2; i++) {
        world w, other;
        wshub_conn c;
        site sites[2];
        memset(&other, 0, sizeof other);
        memset(sites, 0, sizeof sites);
        words_world(&w, DESC(CALLS, ORIGINS));
        sites[0].name = "first";
        sites[0].at_head = door_of_another;
        sites[1].name = "second";
        sites[1].w = &w;
        MOUNT(&w, &sites[0], .path = "/doors", .prefix = true, .on_conn_opened = on_conn_opened);
        app.acts = later_and_mine;
        app_owner = &other;
        c = said(&w, "GET /doors/1 HTTP/1.1\r\nHost: h\r\n" UPGRADE_LINES "\r\n");
        EXPECT(asked_owner == &w);
        EXPECT_LOG(&w, "head first;asked;");
        if (i == 0) {
            wshub_io_fake_end(w.net, c);
            EXPECT_STR(other.log, "no answer 1;");
            EXPECT_LOG(&w, "");
        } else {
            EXPECT_INT(wshub_http_upgrade(w.hub, app.exchange, NULL, NULL), WSHUB_OK);
            EXPECT_LOG(&w, "101 by second;open second;opened;");
            wshub_io_fake_run(w.net);
            wshub_io_fake_text(w.net, c, "hi");
            EXPECT_LOG(&w, "text hi to second;");
        }
        world_stop(&w);
    }
}

static void streams(wshub *hub, wshub_upgrade *up) {
    wshub_reply r = plain_reply(403, "");
    static char bytes[70000];
    EXPECT_INT(wshub_http_begin(hub, up->exchange, &r, WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    EXPECT_INT(wshub_http_write(hub, up->exchange, bytes, sizeof bytes), WSHUB_OK);
    EXPECT_INT(wshub_http_write(hub, up->exchange, bytes, 1), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_http_upgrade(hub, up->exchange, NULL, NULL), WSHUB_ERR_STATE);
}

TEST(an_answer_in_pieces_at_the_door_is_the_applications) { /* AUTH-8, SEND-6 */
    int i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        words_world(&w, DESC(CALLS, .http_answers_bytes_max = 65536));
        app.acts = streams;
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_window(w.net, c, 100);
        say(&w, c, ASKS(""));
        EXPECT_LOG(&w, "head words;asked;403 by words;");
        if (i == 0) {
            wshub_io_fake_window(w.net, c, UINT64_MAX);
            wshub_io_fake_run(w.net);
            EXPECT_LOG(&w, "room;");
            EXPECT_INT(wshub_http_end(w.hub, app.exchange), WSHUB_OK);
            EXPECT_LOG(&w, "");
        } else {
            wshub_io_fake_end(w.net, c);
            EXPECT_LOG(&w, "no answer 1;");
        }
        world_stop(&w);
    }
}

/* ---- what happens meanwhile ---- */

static void drops_later(wshub *hub, wshub_upgrade *up) {
    EXPECT_INT(wshub_http_drop(hub, up->exchange), WSHUB_OK);
    up->later = true;
}
static void asks_again(wshub *hub, wshub_upgrade *up) {
    EXPECT_INT(wshub_client_upgrade(hub, up->exchange, NULL), WSHUB_TAKE_DONE);
}
static void destroys(wshub *hub, wshub_upgrade *up) {
    wshub_destroy(hub);
    up->later = true;
}
static void answers_before(site *s, wshub *hub) {
    EXPECT_INT(answer(hub, s->exchange, "no door"), WSHUB_OK);
    door(s, hub);
}
static void holds_before(site *s, wshub *hub) {
    (void)hub;
    s->take = WSHUB_TAKE_HELD;
}
static void asks_in_answer(site *s, wshub *hub, wshub_headers *more) {
    (void)more;
    EXPECT_INT(wshub_client_upgrade(hub, s->exchange, NULL), WSHUB_TAKE_DONE);
}

TEST(the_door_is_opened_once_and_inside_on_head) { /* CONN-1 */
    world w;
    wshub_conn c;
    words_world(&w, DESC(CALLS));
    app.acts = drops_later;
    c = said(&w, ASKS(""));
    EXPECT_STR(sent(&w, c), "");
    EXPECT_LOG(&w, "head words;asked;");

    app.acts = asks_again;
    words.site.at_answer = asks_in_answer;
    c = said(&w, ASKS(""));
    EXPECT_SENT(&w, c, "101", NULL);
    EXPECT_LOG(&w, "head words;asked;101 by words;open words;opened;");

    words.site.at_head = answers_before;
    c = said(&w, ASKS(""));
    EXPECT_SENT(&w, c, "200", "no door");
    EXPECT_INT(words.took, WSHUB_TAKE_DONE);
    EXPECT_LOG(&w, "head words;200 by words;");

    words.site.at_head = holds_before;
    words.site.at_answer = NULL;
    c = said(&w, ASKS(""));
    EXPECT_INT(wshub_client_upgrade(w.hub, words.site.exchange, &words.who), WSHUB_TAKE_DONE);
    EXPECT_LOG(&w, "head words;");
    EXPECT_INT(wshub_http_upgrade(w.hub, words.site.exchange, NULL, NULL), WSHUB_OK); /* by hand */
    EXPECT_LOG(&w, "101 by words;open words;");
    EXPECT(!wshub_conn_client(w.hub, c).id);
    EXPECT_INT(wshub_client_upgrade(w.hub, words.site.exchange, NULL), WSHUB_TAKE_DONE); /* stale */
    world_stop(&w);
}

TEST(a_hub_may_end_while_a_door_is_asked_at) { /* BYE-2 */
    world w;
    wshub_conn c;
    words_world(&w, DESC(CALLS));
    app.acts = destroys;
    c = wshub_io_fake_open(w.net);
    w.hub = NULL;
    say(&w, c, ASKS(""));
    EXPECT_LOG(&w, "head words;asked;no answer 8;");
    world_stop(&w);
}

static void ends_it(wshub *hub, wshub_conn conn) {
    EXPECT_INT(wshub_client_end(hub, wshub_conn_client(hub, conn), WSHUB_BY_APP, 0, nul()),
               WSHUB_OK);
}
static void closes_it(wshub *hub, wshub_client client) {
    EXPECT_INT(wshub_client_close(hub, client, 4500, S("out")), WSHUB_OK);
}
static void accepts_it(wshub *hub, wshub_client client) {
    EXPECT_INT(wshub_client_accept(hub, client, &app.ann), WSHUB_OK);
}

TEST(whoever_ends_while_it_is_told_of_is_not_told_of_further) { /* BYE-1, AUTH-7 */
    int i;
    for (i = 0; i < 3; i++) {
        world w;
        words_world(&w, DESC(CALLS, ORIGINS));
        if (i < 2) app.acts = knows;
        if (i == 0) words.at_open = ends_it;
        if (i == 1) app.at_opened = closes_it;
        if (i == 2) app.at_opened = accepts_it; /* and on_connected is told once */
        (void)said(&w, ASKS(""));
        EXPECT_LOG(&w, i == 0   ? "head words;asked;101 by words;open words;"
                       : i == 1 ? "head words;asked;101 by words;open words;opened;closed 4500 out "
                                  "by 2 words;"
                                : "head words;asked;101 by words;open words;opened;connected ann;");
        world_stop(&w);
    }
}

TEST(what_was_queued_for_who_is_not_accepted_is_taken_back) { /* AUTH-8, AUTH-7 */
    world w;
    wshub_conn c;
    words_world(&w, DESC(CALLS, ORIGINS));
    app.acts = knows;
    words.accept = WSHUB_ERR_APP; /* its welcome lies apart from the 101, in the log of its kind */
    c = said(&w, ASKS(""));
    EXPECT_INT(app.err, WSHUB_ERR_APP);
    EXPECT(strncmp(sent(&w, c), "HTTP/1.1 500 ", 13) == 0);
    EXPECT_INT(stats(&w).clients, 0);
    EXPECT_INT(stats(&w).queued_bytes, 0);
    world_stop(&w);
}

TEST(a_door_that_wants_memory_lets_nobody_in) { /* AUTH-8, CONN-2 */
    int n, refused = 0;
    bool done = false;
    for (n = 1; n < 40 && !done; n++) {
        world w;
        wshub_conn c;
        words_world(&w, DESC(CALLS, ORIGINS));
        app.acts = later;
        words.who.id = S("one");
        c = wshub_io_fake_open(w.net);
        w.fail_at = n;
        say(&w, c, ASKS(""));
        done = w.fail_at > 0;
        w.fail_at = 0;
        if (words.took != WSHUB_TAKE_HELD || !wshub_io_fake_is_open(w.net, c)) {
            const char *out = sent(&w, c);
            EXPECT(!done);
            EXPECT(!*out || strncmp(out, "HTTP/1.1 500 ", 13) == 0);
            refused++;
        } else {
            EXPECT_INT(wshub_http_upgrade(w.hub, app.exchange, NULL, NULL), WSHUB_OK);
        }
        EXPECT_INT(stats(&w).clients,
                   wshub_io_fake_is_open(w.net, c) && words.took == WSHUB_TAKE_HELD);
        world_stop(&w);
    }
    EXPECT(refused >= 2 && done);
}

static void stop_at_answer(site *s, wshub *hub, wshub_headers *more) {
    (void)s, (void)more;
    EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
}

TEST(who_waits_at_a_door_is_refused_when_the_service_ends) { /* AUTH-8, BYE-2 */
    int i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        words_world(&w, DESC(CALLS));
        app.acts = later;
        c = said(&w, ASKS(""));
        if (i == 0) {
            EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
            wshub_io_fake_run(w.net);
            EXPECT_SENT(&w, c, "503", "shutting down\n");
            EXPECT_LOG(&w, "head words;asked;503 by words;no answer 8;");
        } else { /* it is being refused just then, and that is enough */
            words.site.at_answer = stop_at_answer;
            EXPECT_INT(wshub_http_refuse(w.hub, app.exchange, 401, "no"), WSHUB_OK);
            wshub_io_fake_run(w.net);
            EXPECT_SENT(&w, c, "401", "no\n");
            EXPECT_LOG(&w, "head words;asked;401 by words;");
        }
        world_stop(&w);
    }
}

/* While a mount is asked for headers of the 101 nobody is there yet; what it does then counts. */
static int meddles;
static void meddle(site *s, wshub *hub, wshub_headers *more) {
    wshub_iter it = {0, 0};
    wshub_client client;
    (void)more;
    if (s->status != 101) return;
    EXPECT(!wshub_client_each(hub, &it, &client));
    if (meddles == 1) EXPECT_INT(wshub_shutdown(hub), WSHUB_OK);
    if (meddles == 2) wshub_conn_closed(hub, s->conn);
    if (meddles == 3) wshub_destroy(hub);
}

TEST(a_client_is_there_when_nothing_can_fail_any_more) { /* AUTH-8, BYE-1, BYE-2 */
    int i;
    for (i = 0; i < 8; i++) {
        world w;
        wshub_conn c;
        words_world(&w, DESC(CALLS, ORIGINS));
        words.site.at_answer = meddle;
        words.nobody = i >= 4;
        if (i < 4) app.acts = knows;
        meddles = i % 4;
        c = wshub_io_fake_open(w.net);
        if (meddles == 3) w.hub = NULL;
        say(&w, c, ASKS(""));
        if (meddles == 0) {
            EXPECT_LOG(&w, i ? "head words;asked;101 by words;open words;"
                             : "head words;asked;101 by words;open words;opened;connected ann;");
        } else if (meddles == 1) {
            EXPECT_LOG(&w, "head words;asked;101 by words;503 by words;");
            EXPECT_SENT(&w, c, "503", "shutting down\n");
        } else {
            EXPECT(strncmp(w.log, "head words;asked;101 by words;", 30) == 0);
            EXPECT(!strstr(w.log, "open"));
        }
        world_stop(&w);
    }
}
