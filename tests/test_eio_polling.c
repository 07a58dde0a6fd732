/* Packets, polls and posts of Engine.IO (wshub_dialect_engineio.h), as they mean the same over both
 * transports; the end of a session, and its heartbeat by a clock turned by hand. */

#include "eio_site.h"

static eio_site s;

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
        eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, p->post);
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, body);
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, c, "GET", EIO_POLL, "", NULL);
    EXPECT_ANSWER(&s, c, 200, want);

    /* Bytes come as base64, read leniently, and go so. What is wrong ends the session, and what
     * stood before that has been heard. */
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT,
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT,
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4x");
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, body);
    EXPECT_ANSWER(&s, c, 200, "ok");
    body[1000] = 'x';
    body[1001] = 0;
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "POST", EIO_POLL, EIO_TEXT, body);
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4!close");
    EXPECT_ANSWER(&s, c, 200, "ok");
    EXPECT_ANSWER(&s, p, 200, "1");
    EXPECT_STR(s.reasons, "forced close;");
    eio_stop(&s);

    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_open(&s);
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4!close");
    EXPECT_ANSWER(&s, c, 200, "ok");
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4late"); /* nobody listens any more */
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4!send-close");
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "4!send-close");
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

/* Nobody would answer it later: its clock would find a poll in the hands of a session that ends. */
TEST(a_poll_that_finds_no_memory_for_what_waits_is_told_of_the_end) { /* 2.4 */
    static char big[90000];
    long n;
    for (n = 1; n < 12; n++) {
        wshub_conn p;
        eio_start(&s, EIO(.message_bytes_max = 100000, .ping_interval_ms = 60000), DESC(0),
                  FAKE(0));
        (void)eio_open(&s);
        memset(big, 'x', sizeof big);
        EXPECT_INT(wshub_eio_send(s.eio, s.last, big, sizeof big, true), WSHUB_OK);
        EXPECT_INT(wshub_eio_close(s.eio, s.last), WSHUB_OK);

        p = wshub_io_fake_open(s.w.net);
        s.w.fail_at = n;
        eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
        s.w.fail_at = 0;
        wshub_io_fake_advance(s.w.net, 31000); /* the end's own clock */
        EXPECT_INT(s.closed, 1);
        eio_stop(&s);
    }
}

/* What a poll has taken and could not be answered with is gone: the session ends with it, at once,
 * and does not wait for a pong that nobody could be asked for. */
TEST(a_poll_that_cannot_be_answered_ends_its_session) { /* 2.4 */
    static char big[90000];
    int held, lost = 0;
    long n;
    memset(big, 'x', sizeof big);
    for (held = 0; held < 2; held++) {
        for (n = 1; n < 14; n++) {
            eio_answer a;
            wshub_conn p;
            eio_start(&s, EIO(.message_bytes_max = 100000, .ping_interval_ms = 60000), DESC(0),
                      FAKE(0));
            (void)eio_open(&s);
            p = wshub_io_fake_open(s.w.net);
            if (held) eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
            EXPECT_INT(wshub_eio_send(s.eio, s.last, big, sizeof big, true), WSHUB_OK);
            s.w.fail_at = n;
            if (!held) eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
            wshub_io_fake_run(s.w.net);
            s.w.fail_at = 0;
            a = eio_look(&s, p);
            if (!s.closed && a.body.len != sizeof big + 1) { /* then it waits still */
                p = wshub_io_fake_open(s.w.net);
                eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
                a = eio_look(&s, p);
                EXPECT_INT(a.body.len, sizeof big + 1);
            }
            lost += s.closed;
            eio_stop(&s);
        }
    }
    EXPECT(lost > 2);
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
    eio_ask(&s, c, "POST", EIO_POLL, EIO_TEXT, "3");
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
