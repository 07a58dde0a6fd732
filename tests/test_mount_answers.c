/* What a mount answers with, beside whole answers (test_reply.c): what on_answer adds to every
 * answer, refusals, dropped streams, and the upgrade to a WebSocket, now or later (CONN-1, CONN-2,
 * CONN-5). */
#include "mounted.h"

/* ---- on_answer ---- */

static void add_two(site *s, wshub *hub, wshub_headers *more) {
    (void)s, (void)hub;
    EXPECT_INT(wshub_headers_add(more, S("Access-Control-Allow-Origin"), S("*")), WSHUB_OK);
    EXPECT_INT(wshub_headers_add(more, S("Set-Cookie"), S("a=b")), WSHUB_OK);
    EXPECT_INT(wshub_headers_add(more, S("X-Empty"), nul()), WSHUB_OK);
}
#define TWO "Access-Control-Allow-Origin: *\r\nSet-Cookie: a=b\r\nX-Empty: \r\n"

TEST(what_a_mount_adds_stands_in_every_answer_under_it) { /* CONN-2 */
    static const char *const hosts[] = {"h"};
    static const struct {
        const char *ask;
        int status;
        bool asked; /* on_head */
    } t[] = {
        {WANT("/s"), 200, true},
        {"HEAD /s HTTP/1.1\r\nHost: h\r\n\r\n", 200, true},
        {WANT_WS("/s/up"), 101, true},
        /* and in the hub's own: */
        {WANT("/s/done"), 500, true},
        {POST("/s", "5"), 413, true},
        {"POST /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", 400, true},
        {WANT("/s/later"), 503, true},
        {"GET /s HTTP/1.1\r\nHost: other\r\n\r\n", 421, false},
        {"CONNECT /s HTTP/1.1\r\nHost: h\r\n\r\n", 501, false},
        {"GET /s HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400, false},
    };
    site s = {.name = "s", .take = WSHUB_TAKE_BODY, .at_body = do_answer, .at_answer = add_two},
         up = {.name = "up", .take = WSHUB_TAKE_DONE, .at_head = do_upgrade, .at_answer = add_two},
         done = {.name = "done", .take = WSHUB_TAKE_DONE, .at_answer = add_two},
         later = {.name = "later", .take = WSHUB_TAKE_HELD, .at_answer = add_two};
    size_t i;
    world w;
    world_start(&w,
                DESC(.allowed_hosts = hosts, .allowed_hosts_count = 1, .http_timeout_ms = 1000,
                     .http_body_bytes_max = 4),
                FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    MOUNT(&w, &up, .path = "/s/up");
    MOUNT(&w, &done, .path = "/s/done");
    MOUNT(&w, &later, .path = "/s/later");
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        char by[40], status[20];
        const char *out;
        wshub_conn c = said(&w, t[i].ask);
        wshub_io_fake_advance(w.net, 1000);
        out = sent(&w, c);
        (void)snprintf(status, sizeof status, "HTTP/1.1 %d ", t[i].status);
        EXPECT(strncmp(out, status, strlen(status)) == 0);
        EXPECT_HAS(out, "\r\n" TWO);
        (void)snprintf(by, sizeof by, "%d by ", t[i].status);
        EXPECT_HAS(w.log, by);
        EXPECT_INT(strstr(w.log, "head") != NULL, t[i].asked);
        forget_log(&w);
    }

    /* No head, no path, no mount. */
    (void)said(&w, "GET\r\n\r\n");
    EXPECT_LOG(&w, "");
    world_stop(&w);
}

static void add_bad(site *s, wshub *hub, wshub_headers *more) {
    /* clang-format off */
    static const struct { const char *name, *value; } t[] = {
        {"", "x"}, {"X Y", "x"}, {"X:", "x"}, {"X", "a\r\nb"}, {"X", "a\nb"},
        {"Content-Length", "1"}, {"transfer-encoding", "x"}, {"Connection", "close"},
        {"Upgrade", "x"}, {"Keep-Alive", "x"}, {"Trailer", "x"}, {"TE", "x"}, {"Date", "x"},
        {"Content-Type", "x"},
    };
    /* clang-format on */
    size_t i;
    (void)s, (void)hub;
    for (i = 0; i < sizeof t / sizeof *t; i++)
        EXPECT_INT(wshub_headers_add(more, S(t[i].name), S(t[i].value)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_headers_add(more, S("X"), wshub__str("a\0b", 3)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_headers_add(more, S("X"), wshub__str(NULL, 3)), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_headers_add(more, S("X-Good"), S("yes")), WSHUB_OK);
}

TEST(a_mount_can_add_nothing_that_frames_an_answer) { /* CONN-5 */
    site s = {.name = "s", .take = WSHUB_TAKE_DONE, .at_head = do_answer, .at_answer = add_bad};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, WANT("/s"));
    EXPECT_SENT(&w, c, "200", "GMT\r\nX-Good: yes\r\nContent-Length: 1\r\n\r\ns");
    world_stop(&w);
}

static void order_about(site *s, wshub *hub, wshub_headers *more) {
    wshub_reply r = plain_reply(200, "x");
    (void)more;
    EXPECT_INT(wshub_http_reply(hub, s->exchange, &r), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_refuse(hub, s->exchange, 400, "x"), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_upgrade(hub, s->exchange, NULL, NULL), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_drop(hub, s->exchange), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_exchange_set_owner(hub, s->exchange, hub), WSHUB_ERR_STATE);
    EXPECT(!wshub_exchange_owner(hub, s->exchange));
    EXPECT(wshub_exchange_http(hub, s->exchange) == s->http);
}

TEST(nothing_can_be_done_to_an_exchange_that_is_being_answered) { /* CONN-5 */
    site s = {.name = "s", .take = WSHUB_TAKE_DONE, .at_head = do_answer};
    world w;
    wshub_conn c;
    s.at_answer = order_about;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, WANT("/s") WANT_WS("/s"));
    EXPECT_LOG(&w, "head s;200 by s;head s;200 by s;");
    EXPECT_SENT(&w, c, "200", NULL);
    world_stop(&w);
}

static void answer_shut(site *s, wshub *hub, wshub_headers *more) {
    (void)more;
    do_shut_down(s, hub);
}
static void answer_destroyed(site *s, wshub *hub, wshub_headers *more) {
    (void)more;
    do_destroy(s, hub);
}
static void answer_left(site *s, wshub *hub, wshub_headers *more) {
    (void)more;
    do_leave(s, hub);
}
static void try_answer(site *s, wshub *hub) {
    wshub_err err = answer(hub, s->exchange, "x");
    site_note(s, err == WSHUB_OK ? "ok" : err == WSHUB_ERR_STALE ? "stale" : "other");
}
static void try_refuse(site *s, wshub *hub) {
    wshub_err err = wshub_http_refuse(hub, s->exchange, 400, "x");
    site_note(s, err == WSHUB_OK ? "ok" : err == WSHUB_ERR_STALE ? "stale" : "other");
}
static void try_upgrade(site *s, wshub *hub) {
    wshub_err err = wshub_http_upgrade(hub, s->exchange, NULL, NULL);
    site_note(s, err == WSHUB_OK ? "ok" : err == WSHUB_ERR_STALE ? "stale" : "other");
}

TEST(the_stream_or_the_hub_may_end_while_an_answer_is_asked_about) { /* BYE-2, CONN-2 */
    void (*const answers[])(site *, wshub *) = {try_answer, try_refuse, try_upgrade};
    int how, when;
    for (how = 0; how < 3; how++) {
        for (when = 0; when < 2; when++) {
            site s = {.name = "s", .take = WSHUB_TAKE_DONE};
            world w;
            wshub_conn c;
            world_start(&w, DESC(0), FAKE(0));
            MOUNT(&w, &s, .path = "/s");
            s.at_head = answers[how];
            s.at_answer = when ? answer_destroyed : answer_left;
            c = said(&w, WANT_WS("/s") WANT("/s"));
            if (how == 0)
                EXPECT_LOG(&w, when ? "head s;200 by s;stale s;gone 8 s;"
                                    : "head s;200 by s;stale s;gone 1 s;");
            if (how == 1)
                EXPECT_LOG(&w, when ? "head s;400 by s;stale s;gone 8 s;"
                                    : "head s;400 by s;stale s;gone 1 s;");
            if (how == 2)
                EXPECT_LOG(&w, when ? "head s;101 by s;stale s;gone 8 s;"
                                    : "head s;101 by s;stale s;gone 1 s;");
            EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);
            world_stop(&w);
        }
    }

    /* The 503 of the hub's own is asked about as well. */
    for (when = 0; when < 3; when++) {
        site s = {.name = "s", .take = WSHUB_TAKE_HELD};
        world w;
        wshub_conn c;
        world_start(&w, DESC(.http_timeout_ms = 1000), FAKE(0));
        MOUNT(&w, &s, .path = "/s");
        s.at_answer = when == 0 ? answer_left : when == 1 ? answer_destroyed : answer_shut;
        c = said(&w, WANT("/s"));
        wshub_io_fake_advance(w.net, 1000);
        EXPECT_LOG(&w, when == 0   ? "head s;503 by s;gone 1 s;"
                       : when == 1 ? "head s;503 by s;gone 8 s;"
                                   : "head s;503 by s;gone 4 s;");
        EXPECT_INT(wshub_io_fake_output(w.net, c).len > 0, when == 2);
        world_stop(&w);
    }
}

static void answer_starved(site *s, wshub *hub, wshub_headers *more) {
    (void)hub, (void)more;
    starve(s->w);
}

/* on_exchange_gone of the description. */
static void gone_of_desc(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner) {
    (void)hub, (void)exchange, (void)cause;
    world_note((world *)owner, "gone;");
}

TEST(what_nobody_takes_is_answered_with_what_its_first_mount_adds) { /* CONN-2 */
    static const struct {
        const char *ask, *status, *log;
    } t[] = {
        {"OPTIONS /s/up HTTP/1.1\r\nHost: h\r\n\r\n", "204", "head up;head s;204 by up;"},
        {WANT("/s/up"), "404", "head up;head s;404 by up;"},
        {WANT("/s/other"), "404", "head s;404 by s;"},
        {WANT("/"), "404", ""},
    };
    site s = {.name = "s", .at_answer = add_two}, up = {.name = "up", .at_answer = add_two};
    void (*const ends[])(site *, wshub *, wshub_headers *) = {answer_starved, answer_left,
                                                              answer_destroyed};
    wshub_conn c;
    size_t i;
    world w;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s/", .prefix = true);
    MOUNT(&w, &up, .path = "/s/up");
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        const char *out;
        c = said(&w, t[i].ask);
        wshub_io_fake_run(w.net);
        EXPECT_LOG(&w, t[i].log);
        out = sent(&w, c);
        EXPECT(strncmp(out + 9, t[i].status, 3) == 0);
        EXPECT_INT(strstr(out, "\r\n" TWO) != NULL, t[i].log[0] != 0);
    }
    world_stop(&w);

    /* Who has not taken it is not told of its end, however that comes about. */
    for (i = 0; i < sizeof ends / sizeof *ends; i++) {
        world_start(&w, DESC(.on_exchange_gone = gone_of_desc, .user = &w), FAKE(0));
        up.at_answer = ends[i];
        MOUNT(&w, &up, .path = "/s/up");
        (void)said(&w, WANT("/s/up"));
        mend(&w);
        if (w.hub) wshub_io_fake_run(w.net);
        EXPECT_LOG(&w, "head up;404 by up;");
        world_stop(&w);
    }
}

/* ---- refusals and dropped streams ---- */

TEST(a_mount_refuses_with_a_line_of_text_and_the_end) { /* CONN-2 */
    static char text[120 + 2];                          /* a byte more than a refusal may say */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    memset(text, 'x', sizeof text - 1);
    c = said(&w, WANT("/s"));
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 399, "x"), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 600, "x"), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 400, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 400, text), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 400, text + 1), WSHUB_OK);
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 400, "x"), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "400", text + 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_LOG(&w, "head s;400 by s;");
    EXPECT_INT(stats(&w).http_bad, 1);
    EXPECT_INT(stats(&w).upgrades_refused, 0);

    /* One who asked for a WebSocket is refused one. */
    c = said(&w, WANT_WS("/s"));
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 599, ""), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "599", "\r\n\r\n\n");
    EXPECT_INT(stats(&w).upgrades_refused, 1);
    world_stop(&w);
}

TEST(who_answers_while_the_body_is_read_is_not_told_of_an_end) { /* CONN-5 */
    static const char *const how[] = {"refused", "answered", "dropped"};
    int i;
    for (i = 0; i < 3; i++) {
        site s = {.name = "s", .take = WSHUB_TAKE_BODY};
        world w;
        wshub_conn c;
        world_start(&w, DESC(0), FAKE(0));
        MOUNT(&w, &s, .path = "/s");
        c = said(&w, POST("/s", "4") "12");
        if (i == 0) EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 409, how[i]), WSHUB_OK);
        if (i == 1) EXPECT_INT(answer(w.hub, s.exchange, how[i]), WSHUB_OK);
        if (i == 2) EXPECT_INT(wshub_http_drop(w.hub, s.exchange), WSHUB_OK);
        say(&w, c, "34" WANT("/s"));
        if (i == 0) EXPECT_SENT(&w, c, "409", how[i]);
        if (i == 1) EXPECT_SENT(&w, c, "200", "Connection: close");
        if (i == 2) EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        EXPECT_LOG(&w, i == 0 ? "head s;409 by s;" : i == 1 ? "head s;200 by s;" : "head s;");
        world_stop(&w);
    }
}

/* ---- upgrades ---- */

static const struct {
    const char *lines;
    int handshake;
} handshakes[] = {
    {UPGRADE_LINES, 101},
    {"", 0},
    {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
     426},
    {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400},
    {"Content-Length: 1\r\n" UPGRADE_LINES, 400},
    {"Upgrade: h2c\r\nConnection: Upgrade\r\n", 0},
};
static void see_handshake(site *s, wshub *hub) {
    (void)hub;
    EXPECT_INT(s->status, s->http->handshake);
    EXPECT_INT(s->http->handshake_problem != NULL,
               s->http->handshake != 0 && s->http->handshake != 101);
}

TEST(only_a_right_handshake_can_be_granted) { /* CONN-2, RFC 6455 4.2.1 */
    size_t i;
    world w;
    site s = {.name = "s", .take = WSHUB_TAKE_HELD, .at_head = see_handshake};
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    for (i = 0; i < sizeof handshakes / sizeof *handshakes; i++) {
        char ask[400];
        wshub_conn c;
        bool right = handshakes[i].handshake == 101;
        s.status = handshakes[i].handshake;
        (void)snprintf(ask, sizeof ask, "GET /s HTTP/1.1\r\nHost: h\r\n%s\r\n",
                       handshakes[i].lines);
        c = said(&w, ask);
        EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL),
                   right ? WSHUB_OK : WSHUB_ERR_STATE);
        if (!right) EXPECT_INT(answer(w.hub, s.exchange, "page"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        if (right)
            EXPECT_SENT(&w, c, "101", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        else
            EXPECT_SENT(&w, c, "200", "page");
    }
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(stats(&w).upgrades, 1);
    world_stop(&w);
}

TEST(an_upgrade_says_a_subprotocol_and_headers) { /* RFC 6455 4.2.2 */
    /* clang-format off */
    static const struct { const char *protocol; wshub_header header; wshub_err want; } t[] = {
        {"chat.v2", {{"X-Mine", 6}, {"1", 1}}, WSHUB_OK},
        {NULL,      {{"X-Mine", 6}, {NULL, 0}}, WSHUB_OK},
        {"",        {{"X-Mine", 6}, {"1", 1}}, WSHUB_ERR_PARAM},
        {"a b",     {{"X-Mine", 6}, {"1", 1}}, WSHUB_ERR_PARAM},
        {"chat",    {{"X\nY", 3},   {"1", 1}}, WSHUB_ERR_PARAM},
        {"chat",    {{"X", 1},      {"\r", 1}}, WSHUB_ERR_PARAM},
        {"chat",    {{"Upgrade", 7}, {"x", 1}}, WSHUB_ERR_PARAM},
        {"chat",    {{"Sec-WebSocket-", 14}, {"x", 1}}, WSHUB_ERR_PARAM},
        {"chat",    {{"sec-websocket-accept", 20}, {"x", 1}}, WSHUB_ERR_PARAM},
        {"chat",    {{"Sec-WebSocket", 13}, {"x", 1}}, WSHUB_OK},
        {"chat",    {{"Sec-WebSockets-", 15}, {"x", 1}}, WSHUB_OK},
    };
    /* clang-format on */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD};
    size_t i;
    world w;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        wshub_upgrade_answer up;
        wshub_conn c = said(&w, WANT_WS("/s")), ws = {0};
        memset(&up, 0, sizeof up);
        up.headers_count = 1;
        EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, &up, &ws), WSHUB_ERR_PARAM);
        up.headers = &t[i].header;
        if (t[i].protocol) up.protocol = S(t[i].protocol);
        EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, &up, &ws), t[i].want);
        EXPECT_INT(ws.id, t[i].want ? 0 : c.id);
        if (t[i].want) EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL), WSHUB_OK);
        wshub_io_fake_run(w.net);
        {
            const char *out = sent(&w, c);
            EXPECT_INT(strstr(out, "Sec-WebSocket-Protocol: chat.v2\r\nX-Mine: 1\r\n") != NULL,
                       i == 0);
            EXPECT_INT(strstr(out, "Protocol:") != NULL, t[i].protocol && !t[i].want);
        }
    }
    world_stop(&w);
}

static void said_before_upgrade(uint32_t cut, bool no_pause) {
    static const char frames[] = "\x81\x82\0\0\0\0hi\x82\x81\0\0\0\0b\x81\x83\0\0\0\0";
    site s = {.name = "s", .take = WSHUB_TAKE_HELD};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(.cut_bytes = cut, .no_pause = no_pause));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, WANT_WS("/s"));
    wshub_io_fake_input(w.net, c, frames, sizeof frames - 1);
    EXPECT_LOG(&w, "head s;");
    EXPECT(stats(&w).held_bytes > 0);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_LOG(&w, "101 by s;text hi to s;bytes b to s;");
    EXPECT_SENT(&w, c, "101", NULL);
    say(&w, c, "end");
    EXPECT_LOG(&w, "text end to s;");
    EXPECT_INT(stats(&w).held_bytes, 0);
    wshub_io_fake_send_close(w.net, c, 1000, "bye");
    EXPECT_LOG(&w, "closed 1000 bye by 1 s;");
    world_stop(&w);
}

TEST(what_is_said_before_a_late_upgrade_is_read_behind_it) { /* CONN-5, SEND-6 */
    uint32_t cut;
    for (cut = 0; cut < 4; cut++) {
        said_before_upgrade(cut, false);
        said_before_upgrade(cut, true);
    }
}

TEST(too_much_said_before_a_late_upgrade_ends_the_stream) { /* SEND-6 */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD};
    world w;
    wshub_conn c;
    world_start(&w, DESC(.payload_bytes_max = 64, .held_bytes_max = 8), FAKE(.no_pause = true));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, WANT_WS("/s"));
    say(&w, c, "12345678");
    EXPECT(wshub_io_fake_is_open(w.net, c));
    say(&w, c, "9");
    EXPECT_LOG(&w, "head s;gone 5 s;");
    EXPECT_INT(stats(&w).held_refused, 1);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL), WSHUB_ERR_STALE);
    world_stop(&w);
}

TEST(a_hub_that_ends_grants_no_upgrade) { /* BYE-2 */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD}, in = {.name = "in", .take = WSHUB_TAKE_DONE};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    MOUNT(&w, &in, .path = "/in");
    in.at_head = do_shut_down;
    c = said(&w, WANT_WS("/s"));
    (void)said(&w, WANT("/in"));
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL), WSHUB_ERR_CLOSED);
    EXPECT_INT(answer(w.hub, s.exchange, "sorry"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "200", "Connection: close");
    EXPECT_LOG(&w, "head s;head in;500 by in;200 by s;");
    world_stop(&w);
}
