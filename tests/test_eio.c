/* Engine.IO (wshub_dialect_engineio.h): single requests as recorded from Node's server, limits,
 * descriptions, what a session tells of itself, failing allocations. The rules are those of the
 * protocol's version 4, by their numbers in the header's manual. What goes on within a session:
 * tests/test_eio_polling.c, tests/test_eio_upgrade.c; heads: tests/test_eio_heads.c. */

#include "eio_site.h"

static eio_site s;

/* ---- single requests ---- */

typedef struct request {
    const char *name, *method, *query, *lines, *body;
    int status;
    const char *answer; /* NULL: an open packet */
    const char *line;   /* of the answer's head; NULL: none in particular */
} request;

static const request refusals[] = {
    {"no version", "GET", "transport=polling", "", NULL, 400,
     "{\"code\":5,\"message\":\"Unsupported protocol version\"}", "Content-Type: application/json"},
    {"another version", "GET", "EIO=3&transport=polling", "", NULL, 400,
     "{\"code\":5,\"message\":\"Unsupported protocol version\"}", NULL},
    {"a long version", "GET", "EIO=4444444&transport=polling", "", NULL, 400,
     "{\"code\":5,\"message\":\"Unsupported protocol version\"}", NULL},
    {"no transport", "GET", "EIO=4", "", NULL, 400,
     "{\"code\":0,\"message\":\"Transport unknown\"}", NULL},
    {"no query", "GET", "/socket.io/", "", NULL, 400,
     "{\"code\":0,\"message\":\"Transport unknown\"}", NULL},
    {"a bad transport", "GET", "EIO=4&transport=abc", "", NULL, 400,
     "{\"code\":0,\"message\":\"Transport unknown\"}", NULL},
    {"a name of every object", "GET", "EIO=4&transport=__proto__", "", NULL, 400,
     "{\"code\":0,\"message\":\"Transport unknown\"}", NULL},
    {"webtransport", "GET", "EIO=4&transport=webtransport", "", NULL, 400,
     "{\"code\":0,\"message\":\"Transport unknown\"}", NULL},
    {"the wrong method", "POST", "EIO=4&transport=polling", EIO_TEXT, "", 400,
     "{\"code\":2,\"message\":\"Bad handshake method\"}", NULL},
    {"PUT", "PUT", "EIO=4&transport=polling", "", "", 400,
     "{\"code\":2,\"message\":\"Bad handshake method\"}", NULL},
    {"OPTIONS without cors", "OPTIONS", "EIO=4&transport=polling",
     "Origin: http://o\r\nAccess-Control-Request-Method: POST\r\n", NULL, 400,
     "{\"code\":2,\"message\":\"Bad handshake method\"}", NULL},
    {"websocket without upgrade", "GET", "EIO=4&transport=websocket", "", NULL, 400,
     "{\"code\":3,\"message\":\"Bad request\"}", NULL},
    {"unknown sid", "GET", "EIO=4&transport=polling&sid=nope", "", NULL, 400,
     "{\"code\":1,\"message\":\"Session ID unknown\"}", NULL},
    {"a sid as long as one", "GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", "", NULL,
     400, "{\"code\":1,\"message\":\"Session ID unknown\"}", NULL},
    {"unknown sid of a post", "POST", "EIO=4&transport=polling&sid=nope", EIO_TEXT, "4x", 400,
     "{\"code\":1,\"message\":\"Session ID unknown\"}", NULL},
    {"another transport", "GET", "EIO=4&transport=websocket&sid={sid}", "", NULL, 400,
     "{\"code\":3,\"message\":\"Bad request\"}", NULL},
    {"another version of a session", "GET", "EIO=3&transport=polling&sid={sid}", "", NULL, 400,
     "{\"code\":3,\"message\":\"Bad request\"}", NULL},
    {"a method that none has", "PUT", EIO_POLL, "", "", 500, "", NULL},
};

TEST(what_is_not_as_it_should_be_is_refused_as_node_words_it) { /* 2.1 */
    size_t i;
    for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const request *r = &refusals[i];
        wshub_conn c;
        eio_answer a;
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = eio_open(&s);
        eio_ask(&s, c, r->method, r->query, r->lines, r->body);
        a = eio_look(&s, c);
        EXPECT_INT(a.status, r->status);
        if (!wshub_str_eq_z(a.body, r->answer)) {
            EXPECT(wshub_str_eq_z(a.body, r->answer));
            (void)printf("    %s: %.*s\n", r->name, (int)a.body.len, a.body.ptr);
        }
        if (r->line) EXPECT(eio_has_line(&a, r->line));
        EXPECT_INT(s.refused, r->status != 500); /* it has told why */
        EXPECT_INT(s.closed, 0);
        eio_stop(&s);
    }
}

static const request openings[] = {
    {"plain", "GET", "EIO=4&transport=polling", "", NULL, 200, NULL, "cache-control: no-store"},
    {"the last of a name", "GET", "EIO=3&EIO=4&transport=abc&transport=polling", "", NULL, 200,
     NULL, "Content-Type: text/plain; charset=UTF-8"},
    {"encoded", "GET", "%45IO=%34&transport=poll%69ng&t=abc.0", "", NULL, 200, NULL, NULL},
    {"an empty sid", "GET", "EIO=4&transport=polling&sid=", "", NULL, 200, NULL, NULL},
    {"a longer path", "GET", "/socket.io/foo?EIO=4&transport=polling", "", NULL, 200, NULL, NULL},
};

TEST(sessions_open_by_polling) { /* 2.1, 2.2 */
    static const char open[] = "\",\"upgrades\":[\"websocket\"],\"pingInterval\":400,"
                               "\"pingTimeout\":300,\"maxPayload\":1000}";
    size_t i;
    for (i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        const request *r = &openings[i];
        wshub_conn c;
        eio_answer a;
        eio_start(&s, EIO(.path = "/socket.io/"), DESC(0), FAKE(0));
        c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, r->method, r->query, r->lines, r->body);
        a = eio_look(&s, c);
        EXPECT_INT(a.status, 200);
        EXPECT(a.body.len == 111 && wshub_str_eq_z(wshub__str(a.body.ptr + 29, 82), open));
        if (r->line) EXPECT(eio_has_line(&a, r->line));
        EXPECT_INT(s.opened, 1);
        eio_stop(&s);
        EXPECT_INT(s.closed, 1); /* with its hub */
    }
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    {
        wshub_conn c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, "GET", "/socket.io?EIO=4&transport=polling", "", NULL);
        EXPECT_INT(eio_look(&s, c).status, 404); /* the slash is part of the path */
    }
    eio_stop(&s);
}

/* ---- WebSockets that are refused ---- */

static const request upgrades[] = {
    {"no transport", "GET", "EIO=4", "", NULL, 400, "Transport unknown", "Connection: close"},
    {"unknown sid", "GET", "EIO=4&transport=websocket&sid=nope", "", NULL, 400,
     "Session ID unknown", "Content-Type: text/html"},
    {"POST", "POST", "EIO=4&transport=websocket", "", NULL, 400, "Bad handshake method", NULL},
    {"no version", "GET", "transport=websocket", "", NULL, 400, "Unsupported protocol version",
     NULL},
    {"polling", "GET", "EIO=4&transport=polling", "", NULL, 400, "Bad request", NULL},
};

TEST(websockets_are_refused_with_a_text_before_there_is_one) { /* 2.1, 2.10 */
    size_t i;
    for (i = 0; i < sizeof upgrades / sizeof upgrades[0]; i++) {
        const request *r = &upgrades[i];
        wshub_conn c;
        eio_answer a;
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, r->method, r->query, EIO_UPGRADE, r->body);
        a = eio_look(&s, c);
        EXPECT_INT(a.status, r->status);
        EXPECT(wshub_str_eq_z(a.body, r->answer));
        if (r->line) EXPECT(eio_has_line(&a, r->line));
        wshub_io_fake_run(s.w.net);
        EXPECT(!wshub_io_fake_is_open(s.w.net, c));
        EXPECT_INT(s.refused, 1);
        eio_stop(&s);
    }
}

TEST(transports_that_are_off_are_unknown) { /* 2.1, 2.2 */
    static const char unknown[] = "{\"code\":0,\"message\":\"Transport unknown\"}";
    wshub_conn c;
    eio_answer a;
    eio_start(&s, EIO(.no_polling = true), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    EXPECT_ANSWER(&s, c, 400, unknown);
    (void)eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT_INT(s.opened, 1);
    eio_stop(&s);

    eio_start(&s, EIO(.no_websocket = true), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    a = eio_look(&s, c);
    EXPECT_INT(a.body.len, 100); /* no upgrades */
    eio_take(&s, c, &a);
    eio_ask(&s, c, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_ANSWER(&s, c, 400, "Transport unknown");
    eio_stop(&s);

    eio_start(&s, EIO(.no_upgrade = true), DESC(0), FAKE(0));
    c = eio_open(&s);
    {
        wshub_io_fake_frame f;
        wshub_conn u = eio_socket(&s, EIO_UP);
        EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 8);
    }
    EXPECT_INT(s.closed, 0);
    eio_stop(&s);
}

/* ---- limits ---- */

TEST(sessions_are_limited_in_number_and_in_what_waits) {
    static char text[3000];
    wshub_eio_stats figures;
    wshub_conn c, d;
    eio_start(&s, EIO(.sessions_max = 1, .session_bytes_max = 2000), DESC(0), FAKE(0));
    c = eio_open(&s);
    d = wshub_io_fake_open(s.w.net);
    eio_ask(&s, d, "GET", "EIO=4&transport=polling", "", NULL);
    EXPECT_ANSWER(&s, d, 503, "{\"code\":4,\"message\":\"Too many sessions\"}");
    eio_ask(&s, d, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_ANSWER(&s, d, 503, "Too many sessions");
    memset(text, 'x', sizeof text);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, text, 1500, true), WSHUB_OK);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, text, 1500, true), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(s.w.net);
    EXPECT_STR(s.reasons, "transport error;");
    wshub_eio_stats_get(s.eio, &figures);
    EXPECT_INT(figures.sessions, 0);
    EXPECT_INT(figures.polling, 0);
    EXPECT_INT(figures.opened, 1);
    EXPECT_INT(figures.overflown, 1);
    EXPECT_INT(figures.refused, 2);
    c = eio_open(&s); /* there is room again */
    EXPECT_INT(s.opened, 2);
    (void)c;
    eio_stop(&s);

    eio_start(&s, EIO(.session_bytes_max = 2000), DESC(0), FAKE(0));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    wshub_io_fake_window(s.w.net, c, 0);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, text, 1500, true), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, text, 1500, false), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(s.w.net);
    EXPECT_STR(s.reasons, "transport error;");
    eio_stop(&s);
}

TEST(what_is_no_message_is_refused_to_the_application) {
    wshub_conn c;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    (void)c;
    EXPECT_INT(wshub_eio_send(s.eio, s.last, NULL, 1, true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "\xFF", 1, true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "", SIZE_MAX / 2, false), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_eio_send(s.eio, (wshub_eio_session){0}, "x", 1, true), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_eio_send(s.eio, (wshub_eio_session){77}, "x", 1, true), WSHUB_ERR_STALE);
    eio_stop(&s);
}

TEST(descriptions_that_are_half_right_are_refused_with_a_text) {
    static const wshub_eio_cors no_list = {.origins_count = 1};
    static const struct {
        wshub_eio_desc desc;
        const char *says;
    } cases[] = {
        {{.path = "x"}, "path:"},
        {{.ping_interval_ms = WSHUB_OFF}, "ping_interval_ms:"}, /* their sum would wrap */
        {{.ping_timeout_ms = WSHUB_OFF - 28000}, "ping_interval_ms:"},
        {{.ping_interval_ms = INT32_MAX - 19999}, "ping_interval_ms:"},
        {{.message_bytes_max = 2u << 30}, "message_bytes_max:"},
        {{.session_bytes_max = 2u << 30}, "session_bytes_max:"},
        {{.no_polling = true, .no_websocket = true}, "no_polling"},
        {{.cors = &no_list}, "cors:"},
        {{.cookie = "a b"}, "cookie"},
        {{.cookie = "io", .cookie_rest = "\n"}, "cookie"},
    };
    wshub_eio *eio = NULL;
    world w;
    size_t i;
    world_start(&w, DESC(0), FAKE(0));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *says = wshub_eio_desc_problem(&cases[i].desc);
        EXPECT(says && strncmp(says, cases[i].says, strlen(cases[i].says)) == 0);
        EXPECT_INT(wshub_eio_create(w.hub, &cases[i].desc, &eio), WSHUB_ERR_PARAM);
    }
    EXPECT(!wshub_eio_desc_problem(NULL));
    EXPECT(!wshub_eio_desc_problem(&EIO(.ping_interval_ms = INT32_MAX - 20000)));
    EXPECT_INT(wshub_eio_create(NULL, NULL, &eio), WSHUB_ERR_PARAM);
    EXPECT(eio == NULL);
    world_stop(&w);
}

/* ---- what a session is ---- */

TEST(a_session_tells_what_it_is_while_it_is_there) {
    int token = 0;
    wshub_eio_session gone;
    wshub_iter it = {0, 0};
    wshub_conn c;
    eio_start(&s, EIO(.kind_polling = 0), DESC(0), FAKE(0));
    c = eio_open(&s);
    EXPECT(wshub_str_eq_z(wshub_eio_sid(s.eio, s.last), s.sid));
    EXPECT(wshub_str_eq_z(wshub_eio_http(s.eio, s.last)->query, "EIO=4&transport=polling"));
    EXPECT(wshub_str_eq_z(wshub_http_header(wshub_eio_http(s.eio, s.last), "host"), "h"));
    EXPECT_INT(wshub_eio_issued_ms(s.eio, s.last), wshub_wall_ms(s.w.hub));
    wshub_eio_forget_http(s.eio, s.last);
    EXPECT(!wshub_eio_http(s.eio, s.last) && !wshub_eio_issued_ms(s.eio, s.last));
    EXPECT_INT(wshub_eio_address(s.eio, s.last).len, 0);
    EXPECT(wshub_eio_hub_session(s.eio, s.last).id != 0);
    EXPECT_INT(wshub_eio_kind(s.eio, s.last), 0);
    wshub_eio_set_session_user(s.eio, s.last, &token);
    EXPECT(wshub_eio_session_user(s.eio, s.last) == &token);
    EXPECT(wshub_eio_each(s.eio, &it, &gone) && gone.id == s.last.id);
    EXPECT(!wshub_eio_each(s.eio, &it, &gone));
    EXPECT(wshub_eio_user(s.eio) == &s && wshub_eio_hub(s.eio) == s.w.hub);
    gone = s.last;
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "1");
    EXPECT(!wshub_eio_sid(s.eio, gone).ptr && !wshub_eio_http(s.eio, gone));
    EXPECT(!wshub_eio_hub_session(s.eio, gone).id && !wshub_eio_session_user(s.eio, gone));
    EXPECT_INT((int)wshub_eio_transport_of(s.eio, gone), 0);
    EXPECT_INT(wshub_eio_kind(s.eio, gone), 0);
    wshub_eio_set_session_user(s.eio, gone, &token);
    wshub_eio_forget_http(s.eio, gone);
    eio_stop(&s);
}

TEST(a_shutdown_says_nothing_and_ends_all) { /* 3.4 io.close() */
    wshub_io_fake_frame f;
    wshub_conn c, p, u;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    u = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, u, &f));
    wshub_eio_shutdown(s.eio);
    wshub_io_fake_run(s.w.net);
    EXPECT_STR(s.reasons, "server shutting down;server shutting down;");
    EXPECT_ANSWER(&s, p, 200, "1");
    EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 8);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    EXPECT_ANSWER(&s, c, 503, "{\"code\":4,\"message\":\"Server shutting down\"}");
    eio_stop(&s);
}

/* ---- anything may fail, anything may be cut ---- */

/* A session's life: polling, an upgrade, messages both ways, an end. Whatever fails in between. */
static void life(void) {
    wshub_conn c = wshub_io_fake_open(s.w.net), p = wshub_io_fake_open(s.w.net), u;
    eio_answer a;
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    a = eio_look(&s, c);
    if (a.status != 200) return;
    memcpy(s.sid, a.body.ptr + 9, 20);
    eio_take(&s, c, &a);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT,
            "4one\x1E"
            "bAQID");
    wshub_io_fake_forget(s.w.net, p);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", EIO_UP, EIO_UPGRADE, NULL);
    a = eio_look(&s, u);
    if (a.status == 101) {
        eio_take(&s, u, &a);
        wshub_io_fake_text(s.w.net, u, "2probe");
        wshub_io_fake_advance(s.w.net, 150);
        if (wshub_eio_each(s.eio, &(wshub_iter){0, 0}, &s.last))
            (void)wshub_eio_send(s.eio, s.last, "two", 3, true);
        wshub_io_fake_text(s.w.net, u, "5");
        wshub_io_fake_text(s.w.net, u, "4three");
        wshub_io_fake_advance(s.w.net, 500);
        wshub_io_fake_text(s.w.net, u, "3");
    }
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4!send-close");
    wshub_io_fake_advance(s.w.net, 1500);
}

TEST(whatever_finds_no_memory_ends_in_order) { /* no allocation is asked for in vain twice */
    long n;
    for (n = 0; n < 200; n++) {
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        s.w.fail_at = n;
        life();
        s.w.fail_at = 0;
        EXPECT_INT(s.opened, s.closed + (int)0);
        {
            wshub_eio_stats figures;
            wshub_eio_stats_get(s.eio, &figures);
            EXPECT_INT(figures.sessions, 0);
            EXPECT_INT(figures.polling, 0);
        }
        eio_stop(&s);
    }
}

TEST(engines_that_find_no_memory_are_none) {
    wshub_eio *eio = NULL;
    world w;
    long n;
    wshub_eio_desc d = {.alloc = world_alloc};
    world_start(&w, DESC(0), FAKE(0));
    d.alloc_user = &w;
    for (n = 1; !eio; n++) {
        w.fail_at = n;
        if (n > 20) break;
        if (wshub_eio_create(w.hub, &d, &eio)) EXPECT(eio == NULL);
    }
    w.fail_at = 0;
    EXPECT(eio != NULL && n > 2);
    {
        wshub *hub = w.hub;
        w.hub = NULL;
        wshub_destroy(hub);
    }
    wshub_eio_destroy(eio);
    wshub_eio_destroy(NULL);
    world_stop(&w);
}
