/* Which log lines are written, to whom, and what they say (LOG-1 to LOG-3): levels and who chooses
 * them, the line that is shown, whom it names, and for each thing that is refused, each limit that
 * is met and each thing that is ignored, the line that says so. When lines are told is in
 * test_logs.c; what standard error makes of them in test_io_log.c. */
#include "mounted.h"
#include "wshub_bus_redis.h"

/* ---- levels ---- */

static int told_levels; /* a bit for each level that on_log was given */
static void keep_level(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    told_levels |= 1 << line->level;
}

/* One line of each level. */
static void write_levels(wshub *hub) {
    wshub__enter(hub);
    wshub__log(hub, WSHUB_LOG_IGNORED, wshub__nobody(), "", nul());
    wshub__log(hub, WSHUB_LOG_OWED, wshub__nobody(), "", nul());
    wshub__log(hub, WSHUB_LOG_DROPPED, wshub__nobody(), "", nul());
    wshub__log(hub, WSHUB_LOG_NOMEM, wshub__nobody(), "", nul());
    wshub__leave(hub);
}

static bool logged(const world *w, const char *text) {
    return strstr(wshub_io_fake_log(w->net).ptr, text) != NULL;
}

static int lines_of(const world *w) {
    const char *p = wshub_io_fake_log(w->net).ptr;
    int n = 0;
    for (; *p; p++) n += *p == '\n';
    return n;
}

TEST(each_level_is_written_from_the_one_on_that_is_chosen) { /* LOG-1 */
    enum { D = WSHUB_LEVEL_DEBUG, I = WSHUB_LEVEL_INFO, W = WSHUB_LEVEL_WARN };
    enum { E = WSHUB_LEVEL_ERROR, NONE = 9 };
    static const struct {
        bool on_log, no_log, io_none;
        int desc, io, want; /* want: from which level on */
    } cases[] = {
        {false, false, false, 0, 0, W},   {false, false, false, D, 0, D},
        {false, false, false, E, 0, E},   {false, false, false, 0, D, D},
        {false, false, false, E, I, I},   {false, false, false, D, E, E},
        {false, true, false, 0, 0, NONE}, {false, true, false, 0, D, NONE},
        {false, false, true, D, 0, NONE}, {true, false, false, 0, 0, I},
        {true, false, false, D, 0, D},    {true, false, false, W, 0, W},
        {true, false, false, 0, D, I},    {true, false, true, E, 0, E},
    };
    size_t i;
    int k;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world w;
        world_start(&w,
                    DESC(.on_log = cases[i].on_log ? keep_level : NULL, .no_log = cases[i].no_log,
                         .log_level = (wshub_log_level)cases[i].desc),
                    FAKE(.no_log = cases[i].io_none, .log_level = (wshub_log_level)cases[i].io));
        wshub_io_fake_log_forget(w.net);
        told_levels = 0;
        write_levels(w.hub);
        for (k = WSHUB_LEVEL_DEBUG; k <= WSHUB_LEVEL_ERROR; k++) {
            char begin[16];
            bool want = k >= cases[i].want;
            (void)snprintf(begin, sizeof begin, "%s ", wshub_log_level_name((wshub_log_level)k));
            EXPECT_INT(told_levels >> k & 1, want && cases[i].on_log);
            EXPECT_INT(logged(&w, begin), want && !cases[i].on_log);
        }
        EXPECT_INT(stats(&w).log_suppressed, 0); /* what nobody wants is not held back */
        world_stop(&w);
    }
}

TEST(levels_have_names) { /* LOG-1 */
    EXPECT_STR(wshub_log_level_name(WSHUB_LEVEL_DEBUG), "debug");
    EXPECT_STR(wshub_log_level_name(WSHUB_LEVEL_INFO), "info");
    EXPECT_STR(wshub_log_level_name(WSHUB_LEVEL_WARN), "warn");
    EXPECT_STR(wshub_log_level_name(WSHUB_LEVEL_ERROR), "error");
    EXPECT_STR(wshub_log_level_name((wshub_log_level)0), "?");
    EXPECT_STR(wshub_log_level_name((wshub_log_level)5), "?");
}

TEST(a_level_that_is_none_and_two_words_at_once_are_refused) { /* LOG-1 */
    static const struct {
        bool no_log, on_log;
        int level;
        const char *field;
    } cases[] = {
        {false, false, 5, "log_level: "}, {false, false, -1, "log_level: "},
        {true, true, 0, "no_log: "},      {true, false, 3, "no_log: "},
        {true, false, 0, NULL},           {false, true, 4, NULL},
    };
    wshub_io_fake *net;
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_desc d = DESC(.io = wshub_io_fake_io(net), .no_log = cases[i].no_log,
                            .log_level = (wshub_log_level)cases[i].level);
        const char *problem;
        if (cases[i].on_log) d.on_log = keep_level;
        problem = wshub_desc_problem(&d);
        EXPECT((problem != NULL) == (cases[i].field != NULL));
        if (problem && cases[i].field) EXPECT(strstr(problem, cases[i].field) == problem);
    }
    wshub_io_fake_destroy(net);
}

/* Whoever has chosen no level sees one word of what is refused below it. */
TEST(the_first_refusal_that_is_not_shown_is_told_once) { /* LOG-1 */
    static const wshub_log_level levels[] = {(wshub_log_level)0, WSHUB_LEVEL_WARN};
    size_t i, k;
    for (i = 0; i < 4; i++) {
        world w;
        world_start(&w, DESC(.log_level = levels[i & 1]), FAKE(.log_level = levels[i >> 1]));
        wshub_io_fake_log_forget(w.net);
        for (k = 0; k < 3; k++) { /* what passes by itself is no refusal, nor is debug */
            wshub__log(w.hub, WSHUB_LOG_TIMEOUT, wshub__nobody(), "x", nul());
            wshub__log(w.hub, WSHUB_LOG_OWED, wshub__nobody(), "x", nul());
            wshub__log(w.hub, WSHUB_LOG_REFUSED, wshub__nobody(), "x", nul());
        }
        wshub__log_leave(w.hub);
        EXPECT_INT(lines_of(&w), 0);
        (void)wshub_io_fake_text(w.net, wshub_io_fake_connect(w.net, "/ws"), "rubbish");
        EXPECT_INT(lines_of(&w), i == 0);
        if (!i) EXPECT(logged(&w, ": hidden (WSHUB_LOG=debug shows all): message is not JSON\n"));
        (void)wshub_io_fake_text(w.net, wshub_io_fake_connect(w.net, "/ws"), "rubbish");
        EXPECT_INT(lines_of(&w), i == 0);
        w.hub->log_quiet = i == 0;
        w.hub->destroying = true; /* behind the end nothing is told, this neither */
        wshub__log(w.hub, WSHUB_LOG_PROTO, wshub__nobody(), "x", nul());
        EXPECT_INT(w.hub->lines_count, 0);
        w.hub->destroying = false;
        world_stop(&w);
    }
}

/* ---- the line ---- */

TEST(a_line_is_written_as_the_io_shows_it) { /* LOG-2 */
    static const char text[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "8901234567890123456789012345678901234567";
    static const char who[] = "012345678901234567890123456789012345678901234567890123456789012";
    char out[WSHUB_LOG_LINE_BYTES];
    wshub_log line;
    int code;
    memset(&line, 0, sizeof line);
    line.code = WSHUB_LOG_DROPPED;
    line.level = WSHUB_LEVEL_WARN;
    line.text = "what";
    line.who = "";
    wshub_log_line(&line, out);
    EXPECT_STR(out, "warn DROPPED: what");
    line.who = "me";
    line.suppressed = 17;
    wshub_log_line(&line, out);
    EXPECT_STR(out, "warn DROPPED me: what (and 17 more)");

    /* The longest of all fits. */
    EXPECT_INT(strlen(text), 128);
    EXPECT_INT(strlen(who), 63);
    line.text = text;
    line.who = who;
    line.suppressed = UINT64_MAX;
    for (code = 0; code < WSHUB_LOG_COUNT; code++) {
        line.code = (wshub_log_code)code;
        line.level = WSHUB_LEVEL_DEBUG;
        memset(out, 'x', sizeof out);
        wshub_log_line(&line, out);
        EXPECT(memchr(out, 0, sizeof out) != NULL);
        EXPECT_HAS(out, " (and 18446744073709551615 more)");
    }
}

static char told_who[64];
static void keep_who(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    (void)user;
    (void)snprintf(told_who, sizeof told_who, "%s", line->who);
}
static bool no_about(void *ctx, wshub_conn conn, wshub_about *out) {
    (void)ctx;
    (void)conn;
    memset(out, 0, sizeof *out);
    return false;
}

TEST(a_line_names_the_client_or_the_peers_address) { /* LOG-2 */
    world w;
    wshub_about about;
    wshub_conn c;
    char id[37];
    memset(&about, 0, sizeof about);
    about.peer = S("203.0.113.9:5\n \\x");
    world_start(&w, DESC(.on_log = keep_who, .on_authenticate = accept_all), FAKE(0));
    wshub_io_fake_set_about(w.net, &about);

    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "RUBBISH\r\n\r\n", 11);
    EXPECT_STR(told_who, "203.0.113.9:5\\x0a\\x20\\x5cx");
    c = world_client(&w, NULL, id);
    wshub_io_fake_text(w.net, c, "rubbish");
    EXPECT_STR(told_who, id);

    /* Where nothing is known nobody is named. */
    wshub__log(w.hub, WSHUB_LOG_PROTO, world_handle(&w, id), "", nul());
    wshub_io_fake_end(w.net, c);
    EXPECT_STR(told_who, id);
    wshub__log(w.hub, WSHUB_LOG_PROTO, (wshub_client){w.hub->now << 32 | 77}, "", nul());
    wshub__log_leave(w.hub);
    EXPECT_STR(told_who, "");
    strcpy(told_who, "x");
    wshub__log_of(w.hub, WSHUB_LOG_PROTO, wshub__nobody(), c, "", nul()); /* it has ended */
    wshub_io_fake_forget(w.net, c);
    wshub__log_leave(w.hub);
    w.hub->io.about = no_about;
    strcpy(told_who, "x");
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "RUBBISH\r\n\r\n", 11);
    EXPECT_STR(told_who, "");
    w.hub->io.about = NULL;
    strcpy(told_who, "x");
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "RUBBISH\r\n\r\n", 11);
    EXPECT_STR(told_who, "");
    strcpy(told_who, "x");
    wshub__log_of(w.hub, WSHUB_LOG_PROTO, wshub__nobody(), (wshub_conn){WSHUB__LENT | 1}, "",
                  nul());
    wshub__log_leave(w.hub);
    EXPECT_STR(told_who, "");
    world_stop(&w);
}

TEST(the_fake_keeps_lines_up_to_a_bound) { /* LOG-1 */
    world w;
    int i;
    world_start(&w, DESC(.log_level = WSHUB_LEVEL_DEBUG), FAKE(0));
    wshub_io_fake_log_forget(w.net);
    EXPECT_INT(wshub_io_fake_log(w.net).len, 0);
    EXPECT(*wshub_io_fake_log(w.net).ptr == 0);
    for (i = 0; i < 5000; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "debug IGNORED: number %d", i);
        wshub_io_fake_io(w.net)->log(w.net, WSHUB_LEVEL_DEBUG, line);
        EXPECT_OP(wshub_io_fake_log(w.net).len, <, 65536 + 64);
    }
    EXPECT(logged(&w, "debug IGNORED: number 4999\n"));
    EXPECT(!logged(&w, "number 0\n"));
    EXPECT(strncmp(wshub_io_fake_log(w.net).ptr, "debug ", 6) == 0); /* whole lines are left */
    wshub_io_fake_log_forget(w.net);
    EXPECT(!logged(&w, "debug"));
    world_stop(&w);
}

static int redis_lines;
static void count_redis(const char *line, void *user) {
    (void)line;
    (void)user;
    redis_lines++;
}

TEST(a_bus_without_on_log_has_the_io_say_what_failed) { /* LOG-1 */
    static const struct {
        bool on_log, no_log, io_none;
        int level;
        bool want;
    } cases[] = {
        {false, false, false, 0, true}, {false, false, false, WSHUB_LEVEL_WARN, true},
        {true, false, false, 0, false}, {false, true, false, 0, false},
        {false, false, true, 0, false}, {false, false, false, WSHUB_LEVEL_ERROR, false},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_io_fake *net;
        wshub_bus_redis *redis;
        wshub *hub;
        wshub_conn c;
        const char *said;
        EXPECT_INT(wshub_io_fake_create(&FAKE(.no_log = cases[i].io_none,
                                              .log_level = (wshub_log_level)cases[i].level),
                                        &net),
                   WSHUB_OK);
        EXPECT_INT(wshub_bus_redis_create(
                       &(wshub_bus_redis_desc){.io = wshub_io_fake_io(net),
                                               .url = "redis://me:SECRET@brok\xC3\xA9r",
                                               .no_log = cases[i].no_log,
                                               .on_log = cases[i].on_log ? count_redis : NULL},
                       &redis),
                   WSHUB_OK);
        EXPECT_INT(wshub_create(&DESC(.io = wshub_io_fake_io(net),
                                      .bus = wshub_bus_redis_bus(redis), .no_log = true),
                                &hub),
                   WSHUB_OK);
        redis_lines = 0;
        wshub_io_fake_run(net);
        while (wshub_io_fake_dialled(net, &c, NULL)) wshub_io_fake_answer(net, c, false);
        wshub_io_fake_advance(net, 5000);
        said = wshub_io_fake_log(net).ptr;
        EXPECT_INT(strncmp(said, "warn REDIS: ", 12) == 0, cases[i].want);
        EXPECT_INT(strstr(said, "brok??r") != NULL, cases[i].want); /* printable ASCII */
        EXPECT(!strstr(said, "SECRET"));
        EXPECT_INT(*said != 0, cases[i].want);
        EXPECT_INT(redis_lines > 0, cases[i].on_log);
        wshub_destroy(hub);
        wshub_bus_redis_destroy(redis);
        wshub_io_fake_destroy(net);
    }
}

/* ---- bad inputs, and the line that each gets ---- */

static wshub_exchange held_exchange;
static bool hold_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)hub;
    (void)http;
    (void)user;
    held_exchange = exchange;
    return true;
}
static void reject(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_OK);
}
static const char *const pages[] = {"https://here.example"};
static const char *const hosts[] = {"h", "fake"};
static wshub_desc strict(void) {
    return DESC(.log_level = WSHUB_LEVEL_DEBUG, .allowed_origins = pages,
                .allowed_origins_count = 1, .allowed_hosts = hosts, .allowed_hosts_count = 2,
                .on_authenticate = accept_all, .on_request = hold_request, .http_headers_max = 6,
                .http_head_bytes_max = 400, .http_body_bytes_max = 5, .payload_bytes_max = 90,
                .preauth_messages_max = 3, .preauth_bytes_max = 80);
}

TEST(what_a_request_was_refused_for_is_said) { /* CONN-2, CONN-3, LOG-2 */
    static const struct {
        const char *request, *line;
    } cases[] = {
        {"GET /ws HTTP/1.1\r\nHost: h\r\nOrigin: https://there.example\r\n" UPGRADE_LINES "\r\n",
         "debug REFUSED fake: refused: not in allowed_origins: https://there.example\n"
         "info UPGRADE_REFUSED fake: upgrade refused: this origin may not connect\n"},
        {"GET /ws HTTP/1.1\r\nHost: other\r\n" UPGRADE_LINES "\r\n",
         "debug REFUSED fake: refused: not in allowed_hosts: other\n"
         "info HTTP_BAD fake: bad HTTP request: this host is not served here\n"},
        {"GET /a HTTP/1.1\r\nHost: other\r\n\r\n",
         "debug REFUSED fake: refused: not in allowed_hosts: other\n"
         "info HTTP_BAD fake: bad HTTP request: this host is not served here\n"},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 12\r\n\r\n",
         "info UPGRADE_REFUSED fake: upgrade refused: "},
        {"GET /a HTTP/1.1\r\nHost: h\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n\r\n",
         "debug LIMIT fake: limit met: http_headers_max 6\n"
         "info HTTP_BAD fake: bad HTTP request: too many header fields\n"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n",
         "debug LIMIT fake: limit met: http_body_bytes_max 5\n"
         "info HTTP_BAD fake: bad HTTP request: body too large\n"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n",
         "debug LIMIT fake: limit met: http_body_bytes_max 5\n"
         "info HTTP_BAD fake: bad HTTP request: body too large\n"},
        {"BAD\r\n\r\n", "info HTTP_BAD fake: bad HTTP request: malformed request line\n"},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world w;
        wshub_conn c;
        world_start(&w, strict(), FAKE(0));
        wshub_io_fake_log_forget(w.net);
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, cases[i].request, strlen(cases[i].request));
        if (!logged(&w, cases[i].line)) {
            test_failures++;
            (void)printf("  %s: got %s  expected %s", test_name, wshub_io_fake_log(w.net).ptr,
                         cases[i].line);
        }
        world_stop(&w);
    }
}

TEST(a_head_that_is_too_long_says_which_limit_it_met) { /* CONN-3 */
    char head[600] = "GET /a HTTP/1.1\r\nHost: h\r\nX: ";
    world w;
    wshub_conn c;
    memset(head + strlen(head), 'x', 450);
    world_start(&w, strict(), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, head, strlen(head));
    EXPECT(logged(&w, "debug LIMIT fake: limit met: http_head_bytes_max 400\n"));
    world_stop(&w);
}

TEST(what_a_message_was_ignored_or_refused_for_is_said) { /* MSG-2 to MSG-7, AUTH-4, ROOM-1 */
    static const struct {
        bool early; /* before authentication */
        const char *text, *line;
    } cases[] = {
        {true, "{\"event\":\"say\"}", "debug IGNORED WHO: ignored: an event before `connected`\n"},
        {false, "{\"event\":\"authenticate\"}",
         "debug IGNORED WHO: ignored: `authenticate` a second time\n"},
        {false, "rubbish", "info MSG_INVALID WHO: message is not JSON\n"},
        {false, "[1]", "info MSG_IGNORED WHO: message without a usable event: it is no object\n"},
        {false, "{\"event\":5}",
         "info MSG_IGNORED WHO: message without a usable event: no string in `event`\n"},
        {false, "{\"event\":\"error\"}",
         "info MSG_IGNORED WHO: message without a usable event: one that servers alone send\n"},
        {false, "{\"event\":\"say\"}",
         "warn UNHEARD WHO: event that nobody hears: no on_message\n"},
        {false, "{\"event\":\"join\",\"data\":{\"rooms\":[\"ws:x\",\"a\"]}}",
         "debug REFUSED WHO: refused: a room name that begins with ws: (ROOM-1): ws:x\n"
         "warn JOIN_REFUSED WHO: join or leave refused: no on_join\n"},
        {false, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\",\"b\",\"c\"]}}",
         "debug LIMIT WHO: limit met: rooms_per_message_max\n"
         "warn JOIN_REFUSED WHO: join or leave refused: too many rooms in one message\n"},
        {false,
         "{\"event\":\"say\",\"data\":\"1234567890123456789012345678901234567890123456789012345678"
         "90123456789012345678\"}",
         "debug LIMIT WHO: limit met: payload_bytes_max 90\n"
         "info PROTO WHO: protocol error: message too big\n"
         "debug CLOSED WHO: client closed: protocol, code 1009: message too big\n"},
        {true,
         "{\"event\":\"say\",\"data\":"
         "\"123456789012345678901234567890123456789012345678901234567\"}",
         "debug LIMIT WHO: limit met: preauth_bytes_max 80\n"},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world w;
        wshub_desc d = strict();
        wshub_conn c;
        char want[400], id[37] = "";
        const char *from = cases[i].line;
        size_t n = 0;
        d.rooms_per_message_max = 2;
        world_start(&w, d, FAKE(0));
        if (cases[i].early) {
            wshub_iter it = {0, 0};
            wshub_client client;
            c = wshub_io_fake_connect(w.net, "/ws");
            EXPECT(wshub_client_each(w.hub, &it, &client));
            (void)snprintf(id, sizeof id, "%.36s", wshub_client_id(w.hub, client).ptr);
        } else {
            c = world_client(&w, NULL, id);
        }
        wshub_io_fake_log_forget(w.net);
        wshub_io_fake_text(w.net, c, cases[i].text);
        while (*from && n + 40 < sizeof want) {
            if (strncmp(from, "WHO", 3) == 0)
                n += (size_t)snprintf(want + n, sizeof want - n, "%s", id), from += 3;
            else
                want[n++] = *from++;
        }
        want[n] = 0;
        if (!logged(&w, want)) {
            test_failures++;
            (void)printf("  %s: got %s  expected %s", test_name, wshub_io_fake_log(w.net).ptr,
                         want);
        }
        world_stop(&w);
    }
}

TEST(too_many_messages_before_authentication_name_their_limit) { /* AUTH-1 */
    world w;
    wshub_conn c;
    int i;
    world_start(&w, DESC(.log_level = WSHUB_LEVEL_DEBUG, .preauth_messages_max = 2), FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    for (i = 0; i < 3; i++) wshub_io_fake_text(w.net, c, "{\"event\":\"say\"}");
    EXPECT(logged(&w, ": limit met: preauth_messages_max 2\n"));
    EXPECT(logged(&w, ": protocol error: too much before authentication\n"));
    world_stop(&w);
}

TEST(why_somebody_did_not_authenticate_is_said) { /* AUTH-1 to AUTH-5 */
    world w;
    world_start(&w, DESC(.log_level = WSHUB_LEVEL_DEBUG), FAKE(0));
    (void)world_client(&w, NULL, NULL);
    EXPECT(logged(&w, ": authentication did not succeed: Authentication failed: no "
                      "on_authenticate\n"));
    (void)wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_advance(w.net, 5001);
    EXPECT(logged(&w, ": refused: not a word of authentication within auth_timeout_ms\n"));
    EXPECT(logged(&w, ": client closed: authentication, code 4001: Authentication timeout\n"));
    world_stop(&w);

    world_start(&w, DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = keep_auth), FAKE(0));
    (void)world_client(&w, NULL, NULL);
    wshub_io_fake_advance(w.net, 15001);
    EXPECT(logged(&w, ": no answer: on_authenticate has not answered within "
                      "15000 ms; closed\n"));
    world_stop(&w);

    world_start(&w, DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = reject), FAKE(0));
    (void)world_client(&w, NULL, NULL);
    EXPECT(logged(&w, ": authentication did not succeed: Authentication failed: the "
                      "application's answer\n"));
    world_stop(&w);

    world_start(&w,
                DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = accept_all,
                     .require_encryption = true),
                FAKE(0));
    (void)world_client(&w, NULL, NULL);
    EXPECT(logged(&w, ": authentication did not succeed: Encryption required: no on_handshake\n"));
    world_stop(&w);
}

/* Nobody waits for an answer about rooms, so nobody would miss it: it is told as late as one about
 * who a client is, once, and can be given still. */
TEST(an_on_join_that_does_not_answer_is_told) { /* ROOM-2 */
    static const char *const late[] = {": no answer: on_join has not answered within 15000 ms; "
                                       "nobody joined\n"};
    static const char join[] = "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}";
    wshub_str room = wshub_str_z("a");
    wshub_conn c;
    world w;

    kept_asks_count = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_join), FAKE(0));
    c = world_client(&w, NULL, NULL);
    wshub_io_fake_text(w.net, c, join);
    wshub_io_fake_advance(w.net, 10000);
    wshub_io_fake_text(w.net, c, join); /* its own clock */
    wshub_io_fake_advance(w.net, 4999);
    EXPECT(!logged(&w, *late));
    wshub_io_fake_advance(w.net, 2);
    EXPECT(logged(&w, *late));
    wshub_io_fake_log_forget(w.net);
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], &room, 1), WSHUB_OK);
    wshub_io_fake_advance(w.net, 9990);
    EXPECT(!logged(&w, *late));
    wshub_io_fake_advance(w.net, 20);
    EXPECT(logged(&w, *late));
    wshub_io_fake_log_forget(w.net);
    wshub_io_fake_advance(w.net, 20000);
    EXPECT(!logged(&w, *late));
    world_stop(&w);
}

/* A database that hangs leaves a question for each moment, of which each has its time: they are all
 * looked at once a second. */
TEST(questions_about_rooms_are_not_all_looked_at_each_moment) { /* ROOM-2 */
    static const char join[] = "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}";
    wshub_conn c;
    world w;
    int i;

    kept_asks_count = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_join = keep_join), FAKE(0));
    c = world_client(&w, NULL, NULL);
    for (i = 0; i < 10; i++) {
        wshub_io_fake_text(w.net, c, join);
        wshub_io_fake_advance(w.net, 10);
    }
    wshub_io_fake_advance(w.net, 14900);
    EXPECT_OP(w.hub->joins_due, >, w.hub->now); /* the first one's time is over */
    EXPECT_OP(w.hub->joins_due - w.hub->now, >=, 900);
    wshub_io_fake_log_forget(w.net);
    wshub_io_fake_advance(w.net, 1001);
    EXPECT(logged(&w, ": no answer: on_join has not answered within 15000 ms"));
    EXPECT_INT(w.hub->joins_due, 0); /* of all */
    world_stop(&w);
}

/* Not of a client that is being closed, whose peer does not answer that, nor sooner than a clock
 * can say. */
TEST(an_on_join_that_nobody_waits_for_any_more_is_not_told) { /* ROOM-2 */
    static const char join[] = "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}";
    static const uint32_t timeouts[] = {100, UINT32_MAX - 1};
    size_t i;

    for (i = 0; i < 2; i++) {
        wshub_iter iter = {0};
        wshub_client client;
        wshub_conn c;
        world w;

        kept_asks_count = 0;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_join = keep_join,
                         .auth_timeout_ms = timeouts[i]),
                    FAKE(0));
        c = world_client(&w, NULL, NULL);
        wshub_io_fake_text(w.net, c, join);
        EXPECT_INT(kept_asks_count, 1);
        EXPECT(wshub_client_each(w.hub, &iter, &client));
        if (i == 0)
            EXPECT_INT(wshub_client_close(w.hub, client, 1000, wshub_str_z("bye")), WSHUB_OK);
        wshub_io_fake_advance(w.net, 1000);
        EXPECT(wshub_io_fake_is_open(w.net, c)); /* not gone yet, in either case */
        EXPECT(!logged(&w, ": no answer: on_join"));
        world_stop(&w);
    }
}

/* What a beginner would look for in vain is told without a level that he has not heard of. */
TEST(what_could_be_an_oversight_is_told_by_default) { /* AUTH-2, AUTH-5, MSG-7 */
    wshub_identity bad = {.metadata = {"{", 1}}, nameless = {.user_id = {"\xFF", 1}};
    wshub_str room = {"\xFF", 1};
    wshub_msg no_json = msg("e", "hello");
    wshub_conn c;
    world w;

    world_start(&w, DESC(0), FAKE(0)); /* the word that matters is not cut off */
    (void)world_client(&w, NULL, NULL);
    EXPECT(logged(&w, ": hidden (WSHUB_LOG=debug shows all): authentication did not succeed: "
                      "Authentication failed: no on_authenticate\n"));
    world_stop(&w);

    /* An answer that is refused, and then none. */
    kept_asks_count = 0;
    world_start(&w, DESC(.on_authenticate = keep_auth, .on_join = keep_join), FAKE(0));
    c = world_client(&w, NULL, NULL);
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], &bad), WSHUB_ERR_JSON);
    EXPECT(logged(&w, ": answer refused: on_authenticate: metadata is not JSON\n"));
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], &nameless), WSHUB_ERR_PARAM);
    EXPECT(logged(&w, ": answer refused: on_authenticate: user_id is no UTF-8, or too long\n"));
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[0], NULL, 0), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[0], nul(), nul()), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[0], NULL), WSHUB_ERR_STATE);
    EXPECT(logged(&w, ": answer refused: on_authenticate: the question is of another kind than the "
                      "answer\n"));
    wshub_io_fake_advance(w.net, 15001);
    EXPECT(logged(&w, ": no answer: on_authenticate has not answered within "
                      "15000 ms; closed\n"));
    EXPECT_CLOSE(&w, c, 4001);

    /* A question to join. */
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    w.fail_all = true;
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[1], NULL), WSHUB_ERR_NOMEM);
    w.fail_all = false;
    EXPECT(logged(&w, ": answer refused: on_authenticate: out of memory; nothing was changed\n"));
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[1], NULL), WSHUB_OK);
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[2], NULL), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_join_accept(w.hub, kept_asks[2], &room, 1), WSHUB_ERR_PARAM);
    EXPECT(logged(&w, ": answer refused: on_join: a room's name is no UTF-8, or too long\n"));

    /* An event for which there is nobody. */
    wshub_io_fake_text(w.net, c, "{\"event\":\"say\"}");
    EXPECT(logged(&w, ": event that nobody hears: no on_message\n"));
    EXPECT_INT(stats(&w).msg_unhandled, 1);
    world_stop(&w);

    /* Keys, and what a transformer makes of a message. */
    kept_asks_count = 0;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_handshake = keep_handshake,
                     .on_transform_out = keep_event, .require_encryption = true),
                FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[0], room, nul()), WSHUB_ERR_PARAM);
    EXPECT(logged(&w, ": answer refused: on_handshake: a key or salt is no UTF-8\n"));
    w.fail_all = true;
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[0], nul(), nul()), WSHUB_ERR_NOMEM);
    w.fail_all = false;
    EXPECT(logged(&w, ": answer refused: on_handshake: out of memory; nothing was changed\n"));
    EXPECT_INT(wshub_handshake_accept(w.hub, kept_asks[0], nul(), nul()), WSHUB_OK);
    EXPECT_INT(wshub_all_send(w.hub, &(wshub_msg){.event = S("e"), .data = S("1")}, NULL, 0),
               WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_transform_accept(w.hub, kept_asks[1], &no_json), WSHUB_ERR_JSON);
    EXPECT(logged(&w, ": answer refused: on_transform_out: its event is no name, or its data is "
                      "not JSON\n"));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    wshub_io_fake_advance(w.net, 15001);
    EXPECT(logged(&w, ": no answer: on_handshake has not answered within "
                      "15000 ms; closed\n"));
    world_stop(&w);
}

static void join_some(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    if (wshub_str_eq_z(join->rooms[0], "later")) return;
    if (wshub_str_eq_z(join->rooms[0], "leave"))
        EXPECT_INT(wshub_client_close(hub, join->client, 0, nul()), WSHUB_OK);
    (void)wshub_join_accept(hub, ask, join->rooms, 1);
}

/* A page hears nothing of rooms that it was not let into. */
TEST(rooms_that_were_not_granted_are_named_among_debug_lines) { /* ROOM-2 */
    static const wshub_log_level levels[] = {WSHUB_LEVEL_DEBUG, WSHUB_LEVEL_INFO};
    int i;
    for (i = 0; i < 2; i++) {
        world w;
        wshub_conn c;
        world_start(
            &w, DESC(.log_level = levels[i], .on_authenticate = accept_all, .on_join = join_some),
            FAKE(0));
        c = world_client(&w, NULL, NULL);
        wshub_io_fake_text(w.net, c,
                           "{\"event\":\"join\",\"data\":{\"rooms\":[\"lobby\",\"loby\"]}}");
        EXPECT_INT(logged(&w, ": refused: on_join did not grant: loby\n"), i == 0);
        EXPECT(!logged(&w, "grant: lobby"));
        wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"later\"]}}");
        wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"leave\"]}}");
        EXPECT(!logged(&w, "grant: le") && !logged(&w, "grant: la")); /* gone, or still asked */
        world_stop(&w);
    }
}

/* A room's name that was misspelt, on the side of the application. */
TEST(a_room_in_which_nobody_is_is_named_among_debug_lines) { /* SEND-1 */
    static const wshub_log_level levels[] = {WSHUB_LEVEL_DEBUG, WSHUB_LEVEL_INFO};
    int i;
    for (i = 0; i < 2; i++) {
        wshub_str rooms[2] = {S("tea"), S("coffee")}, self;
        wshub_dest loby = {.kind = WSHUB_DEST_ROOM, .name = S("loby2")},
                   both = {.kind = WSHUB_DEST_ROOM, .rooms = rooms, .rooms_count = 2};
        wshub_msg m = msg("e", "1");
        char id[37];
        world w;

        world_start(&w, DESC(.log_level = levels[i], .on_authenticate = accept_all), FAKE(0));
        (void)world_client(&w, NULL, id);
        self = S(id);
        EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("lobby")), WSHUB_OK);
        EXPECT_INT(wshub_room_send(w.hub, S("loby"), &m, NULL, 0), WSHUB_OK);
        EXPECT_INT(logged(&w, "debug IGNORED: ignored: nobody here is in that room: loby\n"), !i);
        EXPECT_INT(wshub_room_send_here(w.hub, S("loby1"), &m, NULL, 0), WSHUB_OK);
        EXPECT_INT(logged(&w, "in that room: loby1\n"), !i);
        EXPECT_INT(wshub_send_here(w.hub, &loby, &m), WSHUB_OK);
        EXPECT_INT(logged(&w, "in that room: loby2\n"), !i);
        wshub_io_fake_log_forget(w.net);

        EXPECT_INT(wshub_room_send(w.hub, S("lobby"), &m, NULL, 0), WSHUB_OK);
        EXPECT_INT(wshub_room_send(w.hub, S("lobby"), &m, &self, 1),
                   WSHUB_OK); /* but nobody else */
        EXPECT_INT(wshub_send_here(w.hub, &both, &m), WSHUB_OK);
        EXPECT_INT(wshub_user_send(w.hub, S("who"), &m), WSHUB_OK);
        EXPECT(!logged(&w, "in that room"));
        world_stop(&w);
    }
}

static bool refused_by(world *w, const char *text) {
    bool found = logged(w, text);
    if (!found)
        (void)printf("  %s: got %s  expected %s\n", test_name, wshub_io_fake_log(w->net).ptr, text);
    return found;
}

TEST(limits_on_how_many_there_may_be_are_named) { /* CONN-2, ROOM-6 */
    world w;
    wshub_conn c;
    char id[37];
    world_start(&w,
                DESC(.log_level = WSHUB_LEVEL_DEBUG, .conns_max = 2, .clients_max = 1,
                     .users_max = 1, .rooms_max = 3, .rooms_per_client_max = 5,
                     .asks_per_client_max = 1, .on_authenticate = accept_all, .on_join = keep_join),
                FAKE(0));
    c = world_client(&w, NULL, id);
    (void)wshub_io_fake_connect(w.net, "/ws");
    EXPECT(refused_by(&w, "debug LIMIT fake: limit met: clients_max 1\n"));
    (void)wshub_io_fake_open(w.net);
    (void)wshub_io_fake_open(w.net);
    EXPECT(refused_by(&w, ": limit met: conns_max 2\ndebug REFUSED"));
    kept_asks_count = 0;
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"a\"]}}");
    wshub_io_fake_text(w.net, c, "{\"event\":\"join\",\"data\":{\"rooms\":[\"b\"]}}");
    EXPECT(refused_by(&w, ": limit met: asks_per_client_max 1\n"));
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("a")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("b")), WSHUB_ERR_LIMIT);
    wshub_io_fake_run(w.net);
    EXPECT(refused_by(&w, ": limit met: rooms_max 3\n"));
    world_stop(&w);

    world_start(&w,
                DESC(.log_level = WSHUB_LEVEL_DEBUG, .users_max = 1, .rooms_per_client_max = 4,
                     .on_authenticate = keep_auth),
                FAKE(0));
    kept_asks_count = 0;
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], &(wshub_identity){.user_id = S("u")}),
               WSHUB_OK);
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[1], &(wshub_identity){.user_id = S("v")}),
               WSHUB_ERR_LIMIT);
    wshub_io_fake_run(w.net);
    EXPECT(refused_by(&w, ": limit met: users_max 1\n"));
    {
        wshub_iter it = {0, 0};
        wshub_client first;
        EXPECT(wshub_client_each(w.hub, &it, &first));
        EXPECT_INT(wshub_client_join(w.hub, first, S("one")), WSHUB_OK);
        EXPECT_INT(wshub_client_join(w.hub, first, S("two")), WSHUB_ERR_LIMIT);
        wshub_io_fake_run(w.net);
    }
    EXPECT(refused_by(&w, ": limit met: rooms_per_client_max 4\n"));
    world_stop(&w);
}

TEST(what_waits_too_long_or_too_much_names_its_limit) { /* LIVE-1, LIVE-2, SEND-6 */
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m;
    static char big[300];
    memset(big, '1', sizeof big - 1);
    world_start(&w,
                DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = accept_all,
                     .backpressure_bytes_max = 400),
                FAKE(0));
    c = world_client(&w, NULL, id);
    m = msg("e", big);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(w.net);
    EXPECT(refused_by(&w, ": limit met: backpressure_bytes_max 400\n"));
    EXPECT(refused_by(&w, ": message dropped for a slow client\n"));
    wshub_io_fake_advance(w.net, 60001);
    EXPECT(refused_by(&w, ": limit met: write_timeout_ms 60000\n"));
    EXPECT(refused_by(&w, ": client closed: timeout, code 1006\n"));
    world_stop(&w);

    world_start(
        &w,
        DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = accept_all, .segment_bytes_max = 1),
        FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(w.net);
    EXPECT(refused_by(&w, ": limit met: segment_bytes_max 1\n"));
    world_stop(&w);

    world_start(&w,
                DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = accept_all,
                     .message_timeout_ms = 7, .heartbeat_timeout_ms = 100,
                     .heartbeat_interval_ms = 50),
                FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_send(w.net, c, 1, false, "x", 1);
    wshub_io_fake_advance(w.net, 8);
    EXPECT(refused_by(&w, ": limit met: message_timeout_ms 7\n"));
    c = world_client(&w, NULL, id);
    wshub_io_fake_advance(w.net, 200);
    EXPECT(refused_by(&w, ": limit met: heartbeat_timeout_ms 100\n"));
    EXPECT(refused_by(&w, ": client closed: timeout, code 4002: Heartbeat timeout\n"));
    world_stop(&w);

    world_start(&w,
                DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = keep_auth,
                     .idle_timeout_ms = 50, .no_pings = true),
                FAKE(0));
    c = world_client(&w, NULL, NULL);
    wshub_io_fake_advance(w.net, 51);
    EXPECT(refused_by(&w, ": limit met: idle_timeout_ms 50\n"));
    world_stop(&w);
}

TEST(a_drop_that_nobody_is_to_be_told_of_is_counted) { /* LOG-1, SEND-6 */
    int k;
    for (k = 0; k < 2; k++) {
        world w;
        wshub_conn c;
        char id[37], big[300];
        wshub_msg m;
        memset(big, '1', sizeof big - 1);
        big[sizeof big - 1] = 0;
        m = msg("e", big);
        world_start(
            &w,
            DESC(.no_log = k != 0, .on_authenticate = accept_all, .backpressure_bytes_max = 400),
            FAKE(0));
        c = world_client(&w, NULL, id);
        wshub_io_fake_log_forget(w.net);
        wshub_io_fake_window(w.net, c, 0);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_ERR_DROPPED);
        wshub_io_fake_run(w.net);
        EXPECT_INT(lines_of(&w), !k);
        EXPECT_INT(stats(&w).dropped_pressure, 1);
        world_stop(&w);
    }
}

TEST(input_beyond_what_may_wait_and_answers_not_taken_name_their_limit) { /* ENC-1, SEND-6 */
    world w;
    wshub_conn c;
    int i;
    static char body[3000];
    memset(body, 'b', sizeof body);
    world_start(&w,
                DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_request = hold_request,
                     .held_bytes_max = 100, .http_answers_bytes_max = 1000),
                FAKE(.no_pause = true));
    c = wshub_io_fake_open(w.net);
    for (i = 0; i < 8; i++) wshub_io_fake_input(w.net, c, GET, strlen(GET));
    EXPECT(refused_by(&w, ": limit met: held_bytes_max 100\n"));

    c = wshub_io_fake_open(w.net);
    wshub_io_fake_window(w.net, c, 0);
    for (i = 0; i < 2; i++) {
        wshub_io_fake_input(w.net, c, GET, strlen(GET));
        (void)wshub_http_reply(w.hub, held_exchange,
                               &(wshub_reply){.status = 200, .body = {body, sizeof body}});
        wshub_io_fake_run(w.net);
    }
    EXPECT(refused_by(&w, "debug LIMIT fake: limit met: http_answers_bytes_max 1000\n"));

    /* A second answer has no effect, and that is said. */
    for (i = 0; i < 2; i++) {
        wshub_reply r = {.status = 200};
        wshub_io_fake_log_forget(w.net);
        if (i)
            EXPECT(wshub_http_begin(w.hub, held_exchange, &r, 1) != WSHUB_OK);
        else
            EXPECT(wshub_http_reply(w.hub, held_exchange, &r) != WSHUB_OK);
        EXPECT(refused_by(&w, "debug IGNORED: ignored: a second answer, or one to a request "
                              "that is gone\n"));
    }
    world_stop(&w);
}

TEST(late_answers_and_messages_to_who_is_gone_are_ignored_aloud) { /* AUTH-3, SEND-2 */
    world w;
    wshub_conn c;
    wshub_client gone;
    char id[37];
    wshub_msg m = msg("e", "1");
    size_t i;
    world_start(&w, DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = keep_auth), FAKE(0));
    kept_asks_count = 0;
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, AUTH);
    EXPECT_INT(wshub_auth_accept(w.hub, kept_asks[0], NULL), WSHUB_OK);
    for (i = 0; i < 6; i++) {
        wshub_ask ask = kept_asks[0];
        wshub_io_fake_log_forget(w.net);
        if (i == 0) EXPECT_INT(wshub_auth_accept(w.hub, ask, NULL), WSHUB_ERR_STALE);
        if (i == 1) EXPECT_INT(wshub_handshake_accept(w.hub, ask, S(""), S("")), WSHUB_ERR_STALE);
        if (i == 2) EXPECT_INT(wshub_join_accept(w.hub, ask, NULL, 0), WSHUB_ERR_STALE);
        if (i == 3) EXPECT_INT(wshub_transform_accept(w.hub, ask, NULL), WSHUB_ERR_STALE);
        if (i == 4) EXPECT_INT(wshub_ask_reject(w.hub, ask), WSHUB_ERR_STALE);
        if (i == 5) EXPECT_INT(wshub_ask_fail(w.hub, ask), WSHUB_ERR_STALE);
        EXPECT(refused_by(&w, "debug IGNORED: ignored: answer to a question that is gone"));
    }
    world_stop(&w);

    world_start(&w, DESC(.log_level = WSHUB_LEVEL_DEBUG, .on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, NULL, id);
    gone = world_handle(&w, id);
    wshub_io_fake_send_close(w.net, c, 1001, "what the peer says is not shown");
    EXPECT(refused_by(&w, ": client closed: by its peer, code 1001\n"));
    EXPECT_INT(wshub_client_send(w.hub, gone, &m), WSHUB_ERR_STALE);
    EXPECT(refused_by(&w, "debug IGNORED: ignored: message to a client that is gone\n"));
    c = world_client(&w, NULL, id);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 4009, S("told")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(refused_by(&w, ": client closed: by the application, code 4009: told\n"));
    world_stop(&w);
}

/* ---- nothing that is nobody's business ---- */

TEST(no_payload_no_token_and_no_query_is_ever_in_a_line) { /* LOG-2 */
    static const char *const said[] = {
        "SECRET",
        "{\"event\":\"SECRET\"}",
        "{\"event\":\"\",\"data\":\"SECRET\"}",
        "{\"event\":\"authenticate\",\"data\":{\"token\":\"SECRET\"}}",
        "{\"event\":\"authenticate\",\"data\":{\"token\":\"SECRET\"}}",
        "[\"SECRET\"]",
        "{\"event\":\"error\",\"data\":\"SECRET\"}",
        "{\"event\":\"say\",\"data\":\"SECRET\"}",
        "{\"event\":\"join\",\"data\":\"SECRET\"}",
        "{\"event\":\"join\",\"id\":\"SECRET\"}",
    };
    static const char *const asked[] = {
        "GET /a?SECRET HTTP/1.1\r\nHost: other\r\n\r\n",
        "GET /ws?token=SECRET HTTP/1.1\r\nHost: h\r\nOrigin: https://there.example\r\n"
        "Cookie: SECRET\r\nAuthorization: Bearer SECRET\r\n" UPGRADE_LINES "\r\n",
        "GET /ws?token=SECRET HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: SECRET, "
        ";\r\n" UPGRADE_LINES "\r\n",
        "SECRET\r\n\r\n",
        "POST /a?SECRET HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nSECRET!",
        "GET /a HTTP/1.1\r\nHost: h\r\nSECRET\r\n\r\n",
    };
    world w;
    size_t i, k;
    for (k = 0; k < 3; k++) {
        wshub_desc d = strict();
        wshub_conn c;
        d.on_authenticate = k ? reject : accept_all;
        d.preauth_messages_max = k == 2 ? 2 : 100;
        d.preauth_bytes_max = 10000;
        world_start(&w, d, FAKE(0));
        c = wshub_io_fake_connect(w.net, "/ws");
        EXPECT(c.id);
        for (i = 0; i < sizeof said / sizeof said[0]; i++) wshub_io_fake_text(w.net, c, said[i]);
        wshub_io_fake_send(w.net, c, 3, true, "SECRET", 6);
        c = world_client(&w, NULL, NULL);
        wshub_io_fake_send_close(w.net, c, 4999, "SECRET");
        for (i = 0; i < sizeof asked / sizeof asked[0]; i++) {
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, asked[i], strlen(asked[i]));
        }
        wshub_io_fake_advance(w.net, 100000);
        EXPECT(lines_of(&w) > 12);
        EXPECT(!logged(&w, "SECRET"));
        world_stop(&w);
    }
}
