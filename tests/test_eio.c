/* Engine.IO (wshub_dialect_engineio.h): requests as recorded from Node's server, sessions that
 * poll, move and end in every way, clocks turned by hand, limits, failing allocations. The rules
 * are those of the protocol's version 4, by their numbers in the header's manual. */
#include "eio_site.h"

static eio_site s;

/* ---- single requests ---- */

typedef struct request {
    const char *name, *method, *query, *lines, *body;
    int status;
    const char *answer; /* NULL: an open packet */
    const char *line;   /* of the answer's head; NULL: none in particular */
} request;

#define TEXT "Content-Type: text/plain;charset=UTF-8\r\n"

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
    {"the wrong method", "POST", "EIO=4&transport=polling", TEXT, "", 400,
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
    {"unknown sid of a post", "POST", "EIO=4&transport=polling&sid=nope", TEXT, "4x", 400,
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

/* ---- packets, of both transports ---- */

typedef struct packets {
    const char *post;   /* a body; or one text message of a WebSocket, where it has no separator */
    const char *answer; /* what comes back; NULL: nothing */
    const char *reason; /* why it has closed; "": it is open */
} packets;

static const packets said[] = {
    {"4hello", "4hello", ""},
    {"4", "4", ""},
    {"4h\xC3\xA9\xE2\x82\xAC", "4h\xC3\xA9\xE2\x82\xAC", ""},
    {"3", NULL, ""}, /* nobody has asked */
    {"6", NULL, ""},
    {"0", NULL, ""},
    {"5", NULL, ""},
    {"", NULL, "parse error;"},
    {"abc", NULL, "parse error;"},
    {"7", NULL, "parse error;"},
    {"9x", NULL, "parse error;"},
    {"2", NULL, "transport error;"},
    {"2probe", NULL, "transport error;"},
    {"1", NULL, "transport close;"},
};

TEST(packets_mean_the_same_over_polling_and_websocket) { /* 2.3, 2.4, 2.5 */
    size_t i;
    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
        const packets *p = &said[i];
        wshub_io_fake_frame f;
        wshub_conn c;
        bool came;

        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = eio_open(&s);
        eio_ask(&s, c, "POST", EIO_POLL, TEXT, p->post);
        EXPECT_ANSWER(&s, c, 200, "ok");
        EXPECT_STR(s.reasons, p->reason);
        eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
        if (p->reason[0])
            EXPECT_ANSWER(&s, c, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
        else if (p->answer)
            EXPECT_ANSWER(&s, c, 200, p->answer);
        else
            EXPECT_HELD(&s, c);
        eio_stop(&s);

        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = eio_socket(&s, "EIO=4&transport=websocket");
        EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.payload.ptr[0] == '0');
        wshub_io_fake_text(s.w.net, c, p->post);
        EXPECT_STR(s.reasons, p->reason);
        came = wshub_io_fake_next(s.w.net, c, &f);
        if (p->reason[0]) {
            EXPECT(came && f.opcode == 8 && f.code == 0); /* an empty Close */
        } else {
            EXPECT(came == (p->answer != NULL));
            if (came) EXPECT(wshub_str_eq_z(f.payload, p->answer));
        }
        eio_stop(&s);
    }
}

TEST(payloads_of_any_number_of_packets_are_read_in_order) { /* 2.3, PITFALLS e6 */
    char body[1000], want[1000];
    size_t n = 0;
    int i;
    wshub_conn c;

    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    for (i = 0; i < 300; i++) {
        if (i) body[n++] = 0x1E;
        body[n++] = '4';
        body[n++] = (char)('a' + i % 26);
    }
    body[n] = 0;
    memcpy(want, body, n + 1);
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, body);
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 200, want);

    /* Bytes come as base64, read leniently, and go so. What is wrong ends the session, and what
     * stood before that has been heard. */
    eio_ask(&s, c, "POST", EIO_POLL, TEXT,
            "4x\x1E"
            "bAQIDBA==\x1E"
            "b@@@\x1E"
            "bAQ-_");
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 200,
                  "4x\x1E"
                  "bAQIDBA==\x1E"
                  "b\x1E"
                  "bAQ+/");
    eio_ask(&s, c, "POST", EIO_POLL, TEXT,
            "4x\x1Ezz\x1E"
            "4never");
    EXPECT_ANSWER(&s, c, 200, "ok");
    EXPECT_STR(s.reasons, "parse error;");
    eio_stop(&s);
}

TEST(bytes_go_as_text_over_a_websocket_where_that_is_asked_for) { /* 2.3 */
    wshub_io_fake_frame f;
    wshub_conn c;
    int b64;
    for (b64 = 0; b64 < 2; b64++) {
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = eio_socket(&s, b64 ? "EIO=4&transport=websocket&b64=1" : "EIO=4&transport=websocket");
        EXPECT(wshub_io_fake_next(s.w.net, c, &f));
        wshub_io_fake_send(s.w.net, c, 2, true, "\1\2\3", 3);
        wshub_io_fake_text(s.w.net, c, "bAQIDBA==");
        EXPECT(wshub_io_fake_next(s.w.net, c, &f));
        EXPECT_INT(f.opcode, b64 ? 1 : 2);
        EXPECT(wshub_str_eq_z(f.payload, b64 ? "bAQID" : "\1\2\3"));
        EXPECT(wshub_io_fake_next(s.w.net, c, &f));
        EXPECT(wshub_str_eq_z(f.payload, b64 ? "bAQIDBA==" : "\1\2\3\4"));
        eio_stop(&s);
    }
}

/* ---- polls and posts ---- */

TEST(a_poll_is_held_until_something_waits) { /* 2.4 */
    wshub_conn c, p;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    EXPECT_HELD(&s, p);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "a", 1, true), WSHUB_OK);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "b", 1, true), WSHUB_OK);
    EXPECT_HELD(&s, p); /* all that a turn says is one answer */
    wshub_io_fake_run(s.w.net);
    EXPECT_ANSWER(&s, p, 200,
                  "4a\x1E"
                  "4b");
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "", 0, true), WSHUB_OK);
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 200, "4");
    EXPECT_INT(wshub_eio_transport_of(s.eio, s.last), WSHUB_EIO_POLLING);
    eio_stop(&s);
}

TEST(two_polls_or_two_posts_at_a_time_end_their_session) { /* 2.4, PITFALLS e4 */
    wshub_conn c, p, q;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    (void)eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    q = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    eio_ask(&s, q, "GET", EIO_POLL "&t=2", "", NULL);
    EXPECT_ANSWER(&s, p, 200, "1");
    EXPECT_ANSWER(&s, q, 400, "");
    EXPECT_STR(s.reasons, "transport error;");
    eio_stop(&s);

    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "POST", EIO_POLL, "Content-Length: 10\r\n", NULL);
    wshub_io_fake_input(s.w.net, p, "4abc", 4);
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4x");
    EXPECT_ANSWER(&s, c, 400, "");
    wshub_io_fake_run(s.w.net);
    EXPECT(!wshub_io_fake_is_open(s.w.net, p)); /* dropped, unanswered */
    EXPECT_STR(s.reasons, "transport error;");
    eio_stop(&s);
}

TEST(who_drops_a_held_poll_or_a_post_has_gone) { /* 2.4 */
    int way;
    for (way = 0; way < 4; way++) {
        wshub_conn p;
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        (void)eio_open(&s);
        p = wshub_io_fake_open(s.w.net);
        if (way & 1) {
            eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
        } else {
            eio_ask(&s, p, "POST", EIO_POLL, "Content-Length: 10\r\n", NULL);
            wshub_io_fake_input(s.w.net, p, "4abc", 4);
        }
        if (way & 2)
            wshub_io_fake_end(s.w.net, p);
        else
            wshub_io_fake_half_close(s.w.net, p);
        wshub_io_fake_run(s.w.net);
        EXPECT_STR(s.reasons, "transport error;");
        p = wshub_io_fake_open(s.w.net);
        eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
        EXPECT_ANSWER(&s, p, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
        eio_stop(&s);
    }
}

TEST(a_body_that_is_too_long_costs_no_session) { /* 2.4 */
    char body[1100];
    wshub_conn c, p;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    memset(body, 'x', sizeof body);
    body[0] = '4';
    body[1000] = 0;
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, body);
    EXPECT_ANSWER(&s, c, 200, "ok");
    body[1000] = 'x';
    body[1001] = 0;
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "POST", EIO_POLL, TEXT, body);
    EXPECT_INT(eio_look(&s, p).status, 413);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "POST", EIO_POLL, "Transfer-Encoding: chunked\r\n", NULL);
    wshub_io_fake_input(s.w.net, p, "3E9\r\n", 5);
    wshub_io_fake_input(s.w.net, p, body, 1001);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(eio_look(&s, p).status, 413);
    EXPECT_STR(s.reasons, "");
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "POST", EIO_POLL, "Transfer-Encoding: chunked\r\n", NULL);
    wshub_io_fake_input(s.w.net, p, "3\r\n4he\r\n3\r\nllo\r\n0\r\n\r\n", 21);
    EXPECT_ANSWER(&s, p, 200, "ok");
    eio_ask(&s, p, "POST", EIO_POLL, "Content-Type: application/octet-stream; charset=x\r\n", "4a");
    EXPECT_ANSWER(&s, p, 200, "ok"); /* with a parameter it is a text */
    eio_ask(&s, p, "POST", EIO_POLL, "Content-Type: application/octet-stream\r\n", "4a");
    EXPECT_ANSWER(&s, p, 400, "");
    EXPECT_STR(s.reasons, "transport error;");
    eio_stop(&s);
}

/* ---- the end, from here ---- */

TEST(a_session_that_is_closed_is_brought_what_waits_and_its_end) { /* 2.4, 2.5 */
    wshub_io_fake_frame f;
    wshub_conn c, p;

    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4!close");
    EXPECT_ANSWER(&s, c, 200, "ok");
    EXPECT_ANSWER(&s, p, 200, "1");
    EXPECT_STR(s.reasons, "forced close;");
    eio_stop(&s);

    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4!close");
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4late"); /* nobody listens any more */
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 200,
                  "6\x1E"
                  "1");
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
    EXPECT_STR(s.reasons, "forced close;");
    eio_stop(&s);

    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4!send-close");
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 200,
                  "4x\x1E"
                  "bAQID");
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 200,
                  "6\x1E"
                  "1");
    eio_stop(&s);

    /* Nobody comes: it is given up. */
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4!send-close");
    wshub_io_fake_advance(s.w.net, 29999);
    EXPECT_INT(stats(&s.w).queued_bytes, 8 - 1);
    wshub_io_fake_advance(s.w.net, 2);
    EXPECT_INT(stats(&s.w).queued_bytes, 0);
    eio_stop(&s);

    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f));
    wshub_io_fake_text(s.w.net, c, "4!send-close");
    EXPECT_TEXT(&s.w, c, "4x");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.opcode == 2 && f.payload.len == 3);
    EXPECT_CLOSE(&s.w, c, 0);
    EXPECT_STR(s.reasons, "forced close;");
    eio_stop(&s);

    /* What is too long ends it by a code alone, as Node's server does (2.5). */
    eio_start(&s, EIO(.message_bytes_max = 100), DESC(0), FAKE(0));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f));
    wshub_io_fake_text(s.w.net, c, json_string(150));
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.opcode == 8);
    EXPECT_INT(f.code, 1009);
    EXPECT_INT(f.reason.len, 0);
    eio_stop(&s);
}

TEST(a_websocket_that_ends_ends_its_session) { /* 2.5, 3.4 */
    static const char *const reasons[] = {"transport close;", "transport close;",
                                          "transport error;", "transport error;"};
    wshub_io_fake_frame f;
    int way;
    for (way = 0; way < 4; way++) {
        char large[1100];
        wshub_conn c;
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = eio_socket(&s, "EIO=4&transport=websocket");
        EXPECT(wshub_io_fake_next(s.w.net, c, &f));
        memset(large, '4', sizeof large);
        if (way == 0) wshub_io_fake_end(s.w.net, c);
        if (way == 1) wshub_io_fake_send_close(s.w.net, c, 1000, "");
        if (way == 2) wshub_io_fake_send(s.w.net, c, 1, true, "4\xFF", 2);
        if (way == 3) wshub_io_fake_send(s.w.net, c, 1, true, large, sizeof large);
        wshub_io_fake_run(s.w.net);
        EXPECT_STR(s.reasons, reasons[way]);
        EXPECT_INT(s.closed, 1);
        eio_stop(&s);
    }
}

/* ---- heartbeat ---- */

TEST(silence_ends_a_session_and_a_pong_keeps_it) { /* 2.7, PITFALLS e3 */
    wshub_stats before;
    wshub_conn c, p;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    before = stats(&s.w);
    c = eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    wshub_io_fake_advance(s.w.net, 399);
    EXPECT_HELD(&s, p);
    wshub_io_fake_advance(s.w.net, 1);
    EXPECT_ANSWER(&s, p, 200, "2");
    wshub_io_fake_advance(s.w.net, 200);
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "3");
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    wshub_io_fake_advance(s.w.net, 399); /* from the pong */
    EXPECT_HELD(&s, p);
    wshub_io_fake_advance(s.w.net, 1);
    EXPECT_ANSWER(&s, p, 200, "2");
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    wshub_io_fake_advance(s.w.net, 299);
    EXPECT_STR(s.reasons, "");
    wshub_io_fake_advance(s.w.net, 1);
    EXPECT_STR(s.reasons, "ping timeout;");
    EXPECT_ANSWER(&s, p, 200, "1");
    EXPECT_INT(stats(&s.w).queued_bytes, before.queued_bytes);
    eio_stop(&s);
}

TEST(something_else_than_a_pong_is_worth_one_more_time_to_wait) { /* 2.7 */
    wshub_io_fake_frame f;
    wshub_conn c;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f));
    wshub_io_fake_advance(s.w.net, 150);
    wshub_io_fake_text(s.w.net, c, "3"); /* unasked: it changes no clock */
    wshub_io_fake_advance(s.w.net, 250);
    EXPECT_TEXT(&s.w, c, "2");
    wshub_io_fake_advance(s.w.net, 200);
    wshub_io_fake_text(s.w.net, c, "4a");
    EXPECT_TEXT(&s.w, c, "4a");
    wshub_io_fake_advance(s.w.net, 200);
    wshub_io_fake_text(s.w.net, c, "4b"); /* and only once */
    EXPECT_TEXT(&s.w, c, "4b");
    EXPECT_STR(s.reasons, "");
    wshub_io_fake_advance(s.w.net, 100);
    EXPECT_STR(s.reasons, "ping timeout;");
    eio_stop(&s);
}

TEST(the_pong_has_its_time_from_when_the_ping_can_have_left) { /* 2.7, PITFALLS e11 */
    static char text[400000];
    wshub_io_fake_frame f;
    wshub_conn c;
    int i;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f));
    memset(text, 'x', sizeof text);
    wshub_io_fake_window(s.w.net, c, 0);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, text, sizeof text, true), WSHUB_OK);
    for (i = 0; i < 20; i++) { /* it comes slowly, and the ping behind it */
        wshub_io_fake_advance(s.w.net, 200);
        wshub_io_fake_window(s.w.net, c, 10000);
    }
    EXPECT_STR(s.reasons, "");
    wshub_io_fake_window(s.w.net, c, UINT64_MAX);
    wshub_io_fake_advance(s.w.net, 600);
    EXPECT_STR(s.reasons, "ping timeout;");
    eio_stop(&s);
}

/* ---- the upgrade ---- */

#define EIO_UP "EIO=4&transport=websocket&sid={sid}"

TEST(a_session_moves_to_a_websocket_with_all_that_waits) { /* 2.6, PITFALLS e1, e2 */
    wshub_io_fake_frame f;
    wshub_conn c, p, u;
    int i;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    u = eio_socket(&s, EIO_UP);
    EXPECT_SILENCE(&s.w, u);
    wshub_io_fake_text(s.w.net, u, "2probe");
    EXPECT_TEXT(&s.w, u, "3probe");
    for (i = 0; i < 3; i++) { /* every poll that comes is let go */
        EXPECT_HELD(&s, p);
        wshub_io_fake_advance(s.w.net, 100);
        EXPECT_ANSWER(&s, p, 200, "6");
        if (i < 2) eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    }
    EXPECT_INT(wshub_eio_transport_of(s.eio, s.last), WSHUB_EIO_POLLING);

    /* What waits goes along, in order, as frames. */
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "one", 3, true), WSHUB_OK);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "\1\2\3\4", 4, false), WSHUB_OK);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "", 0, true), WSHUB_OK);
    wshub_io_fake_text(s.w.net, u, "5");
    EXPECT_TEXT(&s.w, u, "4one");
    EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 2 &&
           wshub_str_eq_z(f.payload, "\1\2\3\4"));
    EXPECT_TEXT(&s.w, u, "4");
    EXPECT_SILENCE(&s.w, u);
    EXPECT_INT(wshub_eio_transport_of(s.eio, s.last), WSHUB_EIO_WEBSOCKET);
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 400, "{\"code\":3,\"message\":\"Bad request\"}");
    wshub_io_fake_text(s.w.net, u, "4there");
    EXPECT_TEXT(&s.w, u, "4there");

    /* A second WebSocket of the same session is none. */
    p = eio_socket(&s, EIO_UP);
    EXPECT(wshub_io_fake_next(s.w.net, p, &f) && f.opcode == 8);
    EXPECT_STR(s.reasons, "");

    /* The heartbeat begins anew. */
    wshub_io_fake_advance(s.w.net, 400);
    EXPECT_TEXT(&s.w, u, "2");
    eio_stop(&s);
    EXPECT_STR(s.reasons, "server shutting down;");
}

TEST(an_upgrade_that_comes_to_nothing_leaves_its_session_polling) { /* 2.6 */
    int way;
    for (way = 0; way < 6; way++) {
        wshub_io_fake_frame f;
        wshub_conn c, p, u;
        eio_start(&s, EIO(.ping_interval_ms = 5000), DESC(0), FAKE(0));
        c = eio_open(&s);
        p = wshub_io_fake_open(s.w.net);
        eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
        u = eio_socket(&s, EIO_UP);
        if (way & 1) {
            wshub_io_fake_text(s.w.net, u, "2probe");
            EXPECT_TEXT(&s.w, u, "3probe");
        }
        if (way / 2 == 0) wshub_io_fake_text(s.w.net, u, "4early");
        if (way / 2 == 1) wshub_io_fake_end(s.w.net, u);
        if (way / 2 == 2) {
            wshub_io_fake_advance(s.w.net, 499);
            EXPECT_SILENCE(&s.w, u);
            wshub_io_fake_advance(s.w.net, 1);
        }
        wshub_io_fake_run(s.w.net);
        if (way / 2 != 1) EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 8);
        if (eio_look(&s, p).status) { /* the tick has let it go */
            EXPECT_ANSWER(&s, p, 200, "6");
            eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
        }
        wshub_io_fake_advance(s.w.net, 300);
        EXPECT_HELD(&s, p); /* no tick goes on */
        eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4goes on");
        EXPECT_ANSWER(&s, p, 200, "4goes on");
        EXPECT_STR(s.reasons, "");
        u = eio_socket(&s, EIO_UP); /* and may try again; without a probe, too */
        wshub_io_fake_text(s.w.net, u, "5");
        EXPECT_INT(wshub_eio_transport_of(s.eio, s.last), WSHUB_EIO_WEBSOCKET);
        eio_stop(&s);
    }
}

TEST(a_poll_that_is_held_when_its_session_moves_is_let_go) { /* 2.6 */
    wshub_conn p, u;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    (void)eio_open(&s);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    u = eio_socket(&s, EIO_UP);
    wshub_io_fake_text(s.w.net, u, "5");
    EXPECT_ANSWER(&s, p, 200, "6");
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "x", 1, true), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXT(&s.w, u, "4x");
    eio_stop(&s);
}

TEST(a_session_that_ends_while_it_moves_ends_both) { /* 2.6 */
    wshub_io_fake_frame f;
    int way;
    for (way = 0; way < 3; way++) {
        wshub_conn c, u;
        eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
        c = eio_open(&s);
        u = eio_socket(&s, EIO_UP);
        wshub_io_fake_text(s.w.net, u, "2probe");
        EXPECT_TEXT(&s.w, u, "3probe");
        if (way == 0) eio_ask(&s, c, "POST", EIO_POLL, TEXT, "1");
        if (way == 1) EXPECT_INT(wshub_eio_close(s.eio, s.last), WSHUB_OK);
        if (way == 2) wshub_eio_shutdown(s.eio);
        wshub_io_fake_run(s.w.net);
        EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.opcode == 8);
        EXPECT_INT(s.closed, 1);
        wshub_io_fake_advance(s.w.net, 1000); /* no clock of it is left */
        eio_stop(&s);
    }
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

/* ---- headers ---- */

TEST(subprotocols_are_echoed_unless_they_carry_a_token) { /* 2.5 */
    wshub_conn c;
    eio_answer a;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=websocket",
            EIO_UPGRADE "Sec-WebSocket-Protocol: foo, bar\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT(a.status == 101 && eio_has_line(&a, "Sec-WebSocket-Protocol: foo"));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=websocket",
            EIO_UPGRADE "Sec-WebSocket-Protocol: base64url.bearer.authorization.dG9rZW4\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT_INT(a.status, 101);
    EXPECT(!eio_has_line(&a, "Sec-WebSocket-Protocol: base64url.bearer.authorization.dG9rZW4"));
    EXPECT_INT(s.opened, 2);
    eio_stop(&s);
}

typedef struct origin {
    const char *const *origins;
    size_t count;
    bool credentials;
    const char *from;     /* NULL: no Origin */
    const char *lines[3]; /* that every answer has */
    const char *never;    /* and none has */
} origin;

static const char *const any[] = {"*"}, *const one[] = {"http://one.example"},
                         *const two[] = {"http://a.example", "http://b.example"};
static const origin origins[] = {
    {any,
     1,
     true,
     "http://o.example",
     {"Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true", NULL},
     "Vary: Origin"},
    {one,
     1,
     false,
     "http://evil.example",
     {"Access-Control-Allow-Origin: http://one.example", "Vary: Origin", NULL},
     "Access-Control-Allow-Origin: http://evil.example"},
    {two,
     2,
     false,
     "http://b.example",
     {"Access-Control-Allow-Origin: http://b.example", "Vary: Origin", NULL},
     "Access-Control-Allow-Credentials: true"},
    {two,
     2,
     false,
     "http://evil.example",
     {"Vary: Origin", NULL, NULL},
     "Access-Control-Allow-Origin: http://evil.example"},
    {two, 2, false, NULL, {"Vary: Origin", NULL, NULL}, "Access-Control-Allow-Origin: "},
    {NULL,
     0,
     false,
     "http://any.example",
     {"Access-Control-Allow-Origin: http://any.example", "Vary: Origin", NULL},
     NULL},
};

/* Good answers, refusals and 101: which page may read them is said in each (PITFALLS e5). */
TEST(every_answer_says_which_pages_may_read_it) { /* 2.9 */
    static const char *const queries[] = {"EIO=4&transport=polling", "EIO=4&transport=abc",
                                          "EIO=4&transport=websocket"};
    size_t i, q, k;
    for (i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        const origin *o = &origins[i];
        wshub_eio_cors cors = {
            .origins = o->origins, .origins_count = o->count, .credentials = o->credentials};
        for (q = 0; q < 3; q++) {
            char lines[400];
            wshub_conn c;
            eio_answer a;
            eio_start(&s, EIO(.cors = &cors), DESC(0), FAKE(0));
            c = wshub_io_fake_open(s.w.net);
            (void)snprintf(lines, sizeof lines, "%s%s%s%s", q == 2 ? EIO_UPGRADE : "",
                           o->from ? "Origin: " : "", o->from ? o->from : "",
                           o->from ? "\r\n" : "");
            eio_ask(&s, c, "GET", queries[q], lines, NULL);
            a = eio_look(&s, c);
            EXPECT_INT(a.status, q == 0 ? 200 : q == 1 ? 400 : 101);
            for (k = 0; k < 3; k++)
                if (o->lines[k]) EXPECT(eio_has_line(&a, o->lines[k]));
            if (o->never) EXPECT(!eio_has_line(&a, o->never));
            eio_stop(&s);
        }
    }
}

TEST(preflights_are_answered) { /* 2.9 */
    wshub_eio_cors cors = {.origins = two,
                           .origins_count = 2,
                           .methods = "GET,POST",
                           .headers = "x-a",
                           .expose = "x-b",
                           .max_age_s = 600};
    wshub_conn c;
    eio_answer a;
    eio_start(&s, EIO(.cors = &cors), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "OPTIONS", "EIO=4&transport=polling",
            "Origin: http://a.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT_INT(a.status, 204);
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Origin: http://a.example"));
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Methods: GET,POST"));
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Headers: x-a"));
    EXPECT(eio_has_line(&a, "Access-Control-Max-Age: 600"));
    EXPECT(eio_has_line(&a, "Access-Control-Expose-Headers: x-b"));
    eio_stop(&s);

    memset(&cors, 0, sizeof cors);
    eio_start(&s, EIO(.cors = &cors), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "OPTIONS", "EIO=4&transport=polling",
            "Origin: http://a\r\nAccess-Control-Request-Headers: content-type,x-a\r\n", NULL);
    a = eio_look(&s, c);
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE"));
    EXPECT(eio_has_line(&a, "Access-Control-Allow-Headers: content-type,x-a"));
    EXPECT(eio_has_line(&a, "Vary: Access-Control-Request-Headers"));
    eio_stop(&s);
}

TEST(a_cookie_is_set_where_a_session_opens_by_polling) { /* 2.9 */
    char line[200];
    wshub_conn c;
    eio_answer a;
    int way;
    for (way = 0; way < 2; way++) {
        eio_start(&s,
                  EIO(.cookie = way ? "sess" : "io",
                      .cookie_rest = way ? "Max-Age=86400; Path=/; SameSite=Strict" : NULL),
                  DESC(0), FAKE(0));
        c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
        a = eio_look(&s, c);
        (void)snprintf(line, sizeof line,
                       way ? "Set-Cookie: sess=%.20s; Max-Age=86400; Path=/; SameSite=Strict"
                           : "Set-Cookie: io=%.20s; Path=/; HttpOnly; SameSite=Lax",
                       a.body.ptr + 9);
        EXPECT(eio_has_line(&a, line));
        eio_stop(&s);
    }
}

TEST(a_text_may_follow_the_open_packet) { /* 2.8 initialPacket */
    wshub_io_fake_frame f;
    wshub_conn c;
    eio_answer a;
    eio_start(&s, EIO(.initial = "hi"), DESC(0), FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    a = eio_look(&s, c);
    EXPECT(a.body.len == 115 && memcmp(a.body.ptr + 110,
                                       "}\x1E"
                                       "4hi",
                                       5) == 0);
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.payload.ptr[0] == '0');
    EXPECT_TEXT(&s.w, c, "4hi");
    eio_stop(&s);
}

/* ---- who may come in ---- */

static wshub_exchange asked;
static int allow_way; /* 0: yes; 1: no, at once; 2: later */
static bool allow(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)user;
    EXPECT(http->path.len > 0);
    asked = exchange;
    if (allow_way == 1) EXPECT_INT(wshub_eio_refuse(eio, exchange, "nope"), WSHUB_OK);
    return allow_way == 0;
}

static char carried[40]; /* the type of what has brought the last message */
static void see_carrier(eio_site *site, wshub_eio_session session, const char *text, size_t len) {
    const wshub_http *http = wshub_eio_carrier(site->eio);
    wshub_str type = http ? wshub_http_header(http, "Content-Type") : S("none");
    (void)session, (void)text, (void)len;
    (void)snprintf(carried, sizeof carried, "%.*s", (int)type.len, type.ptr);
}

TEST(who_is_told_a_message_may_ask_what_has_brought_it) { /* 2.4 */
    wshub_conn c;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    s.at_message = see_carrier;
    c = eio_open(&s);
    eio_ask(&s, c, "POST", EIO_POLL, "Content-Type: text/plain\r\n", "4x");
    EXPECT_ANSWER(&s, c, 200, "ok");
    EXPECT_STR(carried, "text/plain");
    EXPECT(!wshub_eio_carrier(s.eio));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    wshub_io_fake_text(s.w.net, c, "4x");
    wshub_io_fake_run(s.w.net);
    EXPECT_STR(carried, "none");
    eio_stop(&s);
}

/* The head by which the last session was opened is whole, whenever that was allowed. */
static void expect_head(const char *query) {
    const wshub_http *http = wshub_eio_http(s.eio, s.last);
    char target[200];
    (void)snprintf(target, sizeof target, "/socket.io/?%s", query);
    EXPECT(http && wshub_str_eq_z(http->query, query));
    EXPECT(http && wshub_str_eq_z(http->path, "/socket.io/"));
    EXPECT(http && wshub_str_eq_z(http->target, target));
    EXPECT(http && wshub_str_eq_z(wshub_http_header(http, "Host"), "h"));
}

TEST(whether_a_session_may_be_is_answered_at_once_or_later) { /* 2.1 */
    wshub_io_fake_frame f;
    wshub_conn c, u;
    eio_start(&s, EIO(.allow = allow), DESC(0), FAKE(0));
    allow_way = 0;
    c = eio_open(&s);
    expect_head("EIO=4&transport=polling");
    allow_way = 1;
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    EXPECT_ANSWER(&s, c, 403, "{\"code\":4,\"message\":\"nope\"}");
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_ANSWER(&s, u, 400, "nope");

    allow_way = 2;
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    EXPECT_HELD(&s, c);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_OK);
    expect_head("EIO=4&transport=polling");
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(eio_look(&s, c).status, 200);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_eio_refuse(s.eio, asked, NULL), WSHUB_ERR_STALE);
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_INT(wshub_eio_refuse(s.eio, asked, NULL), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_ANSWER(&s, u, 400, "Forbidden");
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    {
        eio_answer a = eio_look(&s, u);
        EXPECT_INT(a.status, 101);
        eio_take(&s, u, &a);
    }
    expect_head("EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, u, &f) && f.payload.ptr[0] == '0');

    /* Whoever goes meanwhile is not there any more. */
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=polling", "", NULL);
    wshub_io_fake_end(s.w.net, u);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(wshub_eio_admit(s.eio, asked), WSHUB_ERR_STALE);
    EXPECT_INT(s.opened, 3);
    eio_stop(&s);
}

TEST(pages_of_other_origins_open_no_session) { /* CONN-2 */
    static const char *const allowed[] = {"http://good.example"};
    wshub_conn c, u;
    eio_start(&s, EIO(.path = NULL), DESC(.allowed_origins = allowed, .allowed_origins_count = 1),
              FAKE(0));
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "Origin: http://evil.example\r\n", NULL);
    EXPECT_ANSWER(&s, c, 403, "{\"code\":4,\"message\":\"Forbidden\"}");
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", "EIO=4&transport=websocket",
            EIO_UPGRADE "Origin: http://evil.example\r\n", NULL);
    EXPECT_ANSWER(&s, u, 400, "Forbidden");
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "Origin: http://good.example\r\n", NULL);
    EXPECT_INT(s.opened, 1);
    c = eio_open(&s); /* who is no page says nothing */
    u = wshub_io_fake_open(s.w.net);
    eio_ask(&s, u, "GET", EIO_UP, EIO_UPGRADE "Origin: http://evil.example\r\n", NULL);
    EXPECT_ANSWER(&s, u, 400, "Forbidden");
    eio_stop(&s);
}

static bool file(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)user;
    if (!wshub_str_eq_z(http->path, "/socket.io/client.js")) return false;
    asked = exchange;
    if (!http->query.ptr)
        EXPECT_INT(wshub_http_reply_text(wshub_eio_hub(eio), exchange, 200, wshub_str_z("js")),
                   WSHUB_OK);
    return true;
}

TEST(files_below_the_path_are_the_applications) { /* 2.8 serveClient */
    wshub_conn c;
    eio_start(&s, EIO(.on_file = file), DESC(0), FAKE(0));
    c = eio_open(&s);
    eio_ask(&s, c, "GET", "/socket.io/client.js", "", NULL);
    EXPECT_ANSWER(&s, c, 200, "js");
    eio_ask(&s, c, "GET", "/socket.io/client.js?later", "", NULL);
    EXPECT_HELD(&s, c);
    EXPECT_INT(wshub_http_reply_text(s.w.hub, asked, 200, wshub_str_z("js")), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_ANSWER(&s, c, 200, "js");
    eio_ask(&s, c, "GET", "/socket.io/none.js", "", NULL);
    EXPECT_ANSWER(&s, c, 400, "{\"code\":0,\"message\":\"Transport unknown\"}");
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
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "1");
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
    eio_ask(&s, c, "POST", EIO_POLL, TEXT,
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
    eio_ask(&s, c, "POST", EIO_POLL, TEXT, "4!send-close");
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
