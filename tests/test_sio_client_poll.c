/* The client of Socket.IO by long-polling, and on its way to a WebSocket, against a server that is
 * played by hand: what it asks, to the byte, and what becomes of answers that are none. With our own
 * engine, cut everywhere: tests/test_eio_link.c; with Node's: tests/socketio_client.sh. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "sio_client_site.h"

#define OPENS(more)                                                                                \
    "0{\"sid\":\"E/1\",\"upgrades\":[\"websocket\"],\"pingInterval\":300,\"pingTimeout\":200" more \
    "}"
#define SID "&sid=E%2F1"
#define SEP "\x1E"

static wshub_conn gets, posts; /* the streams of polls and posts */

/* The next request on a stream is this one, `t` left out, and is taken. */
static void expect_request(wshub_conn c, const char *method, const char *query, const char *body) {
    char seen[4000], want[4000];
    wshub_str out;
    char *t, *end;
    wshub_io_fake_run(s.fake);
    out = wshub_io_fake_output(s.fake, c);
    (void)snprintf(seen, sizeof seen, "%.*s", (int)out.len, out.ptr);
    t = strstr(seen, "&t=");
    end = t ? strchr(t, ' ') : NULL;
    if (end) memmove(t, end, strlen(end) + 1);
    (void)snprintf(want, sizeof want,
                   "%s /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: server:3000\r\n",
                   method, query);
    if (body)
        (void)snprintf(want + strlen(want), sizeof want - strlen(want),
                       "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %u\r\n\r\n%s",
                       (unsigned)strlen(body), body);
    else
        (void)snprintf(want + strlen(want), sizeof want - strlen(want), "\r\n");
    EXPECT_STR(seen, want);
    wshub_io_fake_take(s.fake, c, out.len);
}
static void expect_poll(void) {
    expect_request(gets, "GET", SID, NULL);
}
static void expect_post(const char *body) {
    expect_request(posts, "POST", SID, body);
}
static void expect_silence(wshub_conn c) {
    wshub_io_fake_run(s.fake);
    EXPECT_INT(wshub_io_fake_output(s.fake, c).len, 0);
}
static void answer_as(wshub_conn c, const char *status, const char *body) {
    char text[12000];
    (void)snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %u\r\n\r\n%s", status,
                   (unsigned)strlen(body), body);
    site_say(&s, c, text);
    wshub_io_fake_run(s.fake);
}
static void answer(wshub_conn c, const char *body) {
    answer_as(c, "200 OK", body);
}
static wshub_conn take_stream(void) {
    wshub_conn c;
    wshub_io_fake_run(s.fake);
    c = site_dialled(&s, "server:3000");
    wshub_io_fake_answer(s.fake, c, true);
    return c;
}
/* Up to the first poll of a session that is open; its CONNECT is posted, on `posts`. */
static void open_as(const char *packet, wshub_eio_transports transports) {
    start();
    desc.transports = transports;
    begin();
    gets = take_stream();
    expect_request(gets, "GET", "", NULL);
    answer(gets, packet);
    expect_poll();
}
static void connect_as(const char *packet, wshub_eio_transports transports) {
    open_as(packet, transports);
    posts = take_stream();
    expect_post("40");
    answer(posts, "ok");
    answer(gets, "40{\"sid\":\"A\"}");
    EXPECT_STR(site_told(&s), "connected A\n");
    expect_poll();
}
#define POLLED OPENS(",\"maxPayload\":40"), WSHUB_EIO_POLLING_ONLY

TEST(packets_go_and_come_by_polling) {
    connect_as(POLLED);
    EXPECT_INT(wshub_sio_client_ws(client).id, 0);
    EXPECT_INT(emit("a", "1"), WSHUB_OK);
    EXPECT_INT(emit("b", NULL), WSHUB_OK);
    expect_post("42[\"a\",1]" SEP "42[\"b\"]");
    EXPECT_INT(emit("c", NULL), WSHUB_OK); /* one post at a time */
    expect_silence(posts);
    answer(gets, "2" SEP "42[\"e\",1]" SEP "6" SEP
                 "451-[\"f\",{\"_placeholder\":true,\"num\":0}]" SEP "bAP8=" SEP "42[\"g\"]");
    EXPECT_STR(site_told(&s), "event e 1\nevent f <00ff>\nevent g\n");
    expect_poll();
    answer(posts, "ok");
    expect_post("42[\"c\"]" SEP "3");
    answer(posts, "ok");
    expect_silence(posts);
    EXPECT_INT(wshub_sio_socket_disconnect(sock), WSHUB_OK);
    expect_post("41" SEP "1");
    EXPECT_STR(site_told(&s), "disconnected io client disconnect\n");
    EXPECT(wshub_sio_client_is_leaving(client));
    answer(gets, "6");
    EXPECT_STR(site_told(&s), "");
    answer(posts, "ok");
    EXPECT_STR(site_told(&s), "closed\n");
    EXPECT(wshub_io_fake_is_gone(s.fake, gets) && wshub_io_fake_is_gone(s.fake, posts));
    stop();
}

/* Nor do they when they wait for a post that is never answered. */
/* An answer that sets cookies, each a line. */
static void answer_setting(wshub_conn c, const char *fields, const char *body) {
    char status[6000];
    (void)snprintf(status, sizeof status, "200 OK\r\n%s", fields);
    status[strlen(status) - 2] = 0;
    answer_as(c, status, body);
}
/* The next request says these cookies, and is taken. NULL: it says none. */
static void expect_cookies(wshub_conn c, const char *want) {
    char seen[8000], *at, *end;
    wshub_str out;
    wshub_io_fake_run(s.fake);
    out = wshub_io_fake_output(s.fake, c);
    (void)snprintf(seen, sizeof seen, "%.*s", (int)out.len, out.ptr);
    EXPECT(out.len > 0);
    at = strstr(seen, "Cookie: ");
    EXPECT_INT(at != NULL, want != NULL);
    end = at ? strstr(at, "\r\n") : NULL;
    if (end) *end = 0;
    if (at && want) EXPECT_STR(at + 8, want);
    if (end) EXPECT(strstr(end + 1, "Cookie: ") == NULL);
    wshub_io_fake_take(s.fake, c, out.len);
}
/* A session whose first answer sets cookies: the first poll behind it says these. */
static void set_and_expect(const char *url, const char *fields, const char *want) {
    start();
    desc.transports = WSHUB_EIO_POLLING_ONLY;
    if (url) desc.ws.url = url;
    begin();
    wshub_io_fake_run(s.fake);
    gets = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, gets, true);
    expect_cookies(gets, NULL);
    answer_setting(gets, fields, OPENS(""));
    expect_cookies(gets, want);
    stop();
}

TEST(cookies_of_a_session_are_said_with_it) {
    set_and_expect(NULL, "Set-Cookie: SERVER=s1; path=/\r\n", "SERVER=s1");
    set_and_expect(NULL, "set-cookie: a=1\r\nX: y\r\nSet-Cookie:b=\"2 3\" ; HttpOnly\r\n",
                   "a=1; b=\"2 3\"");
    set_and_expect(NULL, "Set-Cookie: a=1\r\nSet-Cookie: b=\r\nSet-Cookie: a=2=3\r\n", "b=; a=2=3");
    /* Path, Secure and what takes one away */
    set_and_expect(NULL, "Set-Cookie: a=1; Path=/socket.io\r\n", "a=1");
    set_and_expect(NULL, "Set-Cookie: a=1; Path=/socket.io/\r\n", "a=1");
    set_and_expect(NULL, "Set-Cookie: a=1; Path=/sock\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a=1; Path=/socket.io/x\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a=1; Secure\r\n", NULL);
    set_and_expect("https://server:3000", "Set-Cookie: a=1; secure\r\n", "a=1");
    set_and_expect(NULL, "Set-Cookie: a=1\r\nSet-Cookie: a=; Max-Age=0\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a=1; max-age=-1\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n",
                   "a=1");
    set_and_expect(NULL, "Set-Cookie: a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT\r\n", "a=1");
    /* what is none, or could be taken for something else */
    set_and_expect(NULL, "Set-Cookie: a\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: =a\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a b=1\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a=1\t2\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie: a=\xC3\xA9\r\n", NULL);
    set_and_expect(NULL, "Set-Cookie:\r\n", NULL);
}

TEST(cookies_have_limits) {
    static char fields[8000], want[1000], value[WSHUB_EIO_COOKIES_BYTES_MAX + 1];
    int i;
    fields[0] = want[0] = 0;
    for (i = 0; i < WSHUB_EIO_COOKIES_MAX + 2; i++) {
        (void)snprintf(fields + strlen(fields), 40, "Set-Cookie: c%d=1\r\n", i);
        if (i < WSHUB_EIO_COOKIES_MAX)
            (void)snprintf(want + strlen(want), 40, "%sc%d=1", i ? "; " : "", i);
    }
    set_and_expect(NULL, fields, want);
    memset(value, 'v', sizeof value - 1);
    (void)snprintf(fields, sizeof fields, "Set-Cookie: a=1\r\nSet-Cookie: b=%s\r\n", value);
    set_and_expect(NULL, fields, "a=1");
}

TEST(cookies_go_along_to_the_websocket_and_are_forgotten_with_the_session) {
    wshub_conn ws;
    start();
    desc.transports = WSHUB_EIO_POLLING_FIRST;
    begin();
    gets = take_stream();
    expect_request(gets, "GET", "", NULL);
    answer_setting(gets, "Set-Cookie: SERVER=s1\r\n", OPENS(",\"upgrades\":[\"websocket\"]"));
    expect_cookies(gets, "SERVER=s1");
    ws = take_stream();
    posts = take_stream();
    expect_cookies(ws, "SERVER=s1");
    expect_cookies(posts, "SERVER=s1");
    answer_setting(posts, "Set-Cookie: SERVER=s2\r\n", "ok"); /* any answer may set another */
    answer(gets, "40{\"sid\":\"A\"}");
    expect_cookies(gets, "SERVER=s2");
    EXPECT_INT(wshub_sio_client_drop(client), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 5000);
    gets = take_stream();
    expect_cookies(gets, NULL);
    stop();
}

/* Out of memory a cookie that was there is said on, and the session lives or is lost as a whole. */
TEST(every_allocation_of_cookies_may_fail) {
    wshub_conn c;
    uint64_t nth;
    bool done = false;
    for (nth = 1; !done; nth++) {
        start();
        desc.transports = WSHUB_EIO_POLLING_FIRST;
        begin();
        gets = take_stream();
        expect_request(gets, "GET", "", NULL);
        s.fail_in = nth;
        answer_setting(gets, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", OPENS(""));
        done = s.fail_in > 0;
        s.fail_in = 0;
        wshub_io_fake_run(s.fake);
        while (wshub_io_fake_dialled(s.fake, &c, NULL)) {
            wshub_io_fake_answer(s.fake, c, true);
            wshub_io_fake_run(s.fake);
            EXPECT(wshub_io_fake_output(s.fake, c).len > 0);
        }
        EXPECT(wshub_sio_client_state_of(client) != WSHUB_SIO_CLIENT_IDLE);
        stop();
    }
    EXPECT_OP(nth, >, 5);
}

TEST(who_wants_no_cookies_or_says_its_own_has_no_others) {
    static const wshub_header own = {{"Cookie", 6}, {"mine=1", 6}};
    int which;
    for (which = 0; which < 2; which++) {
        start();
        desc.transports = WSHUB_EIO_POLLING_ONLY;
        desc.no_cookies = which == 0;
        desc.ws.headers = which ? &own : NULL;
        desc.ws.headers_count = (size_t)which;
        begin();
        gets = take_stream();
        expect_cookies(gets, which ? "mine=1" : NULL);
        answer_setting(gets, "Set-Cookie: SERVER=s1\r\n", OPENS(""));
        expect_cookies(gets, which ? "mine=1" : NULL);
        stop();
    }
}

TEST(pongs_do_not_pile_up) {
    char many[2001];
    uint64_t before;
    size_t i;
    for (i = 0; i < sizeof many - 1; i++) many[i] = i % 2 ? SEP[0] : '2';
    many[sizeof many - 2] = 0;
    connect_as(POLLED);
    EXPECT_INT(emit("a", "1"), WSHUB_OK);
    expect_post("42[\"a\",1]");
    answer(gets, many);
    expect_poll();
    before = s.bytes;
    for (i = 0; i < 10; i++) {
        answer(gets, many);
        expect_poll();
    }
    EXPECT_OP(s.bytes, <, before + 1000);
    answer(posts, "ok");
    expect_post("3");
    stop();
}

TEST(who_is_not_let_go_leaves_in_time) {
    connect_as(POLLED);
    EXPECT_INT(wshub_sio_socket_disconnect(sock), WSHUB_OK);
    expect_post("41" SEP "1");
    wshub_io_fake_advance(s.fake, 1999);
    EXPECT_STR(site_told(&s), "disconnected io client disconnect\n");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "closed\n");
    stop();
}

/* Whole packets, in order, as many as the server takes; one that it does not take goes alone. */
TEST(posts_are_cut_to_what_the_server_takes) {
    wshub_packet packet;
    wshub_span bytes = {(const uint8_t *)"\0\xFF\x10\x20", 4};
    wshub_str arg = wshub_str_z("{\"_placeholder\":true,\"num\":0}");
    connect_as(POLLED);
    EXPECT_INT(emit("a", "\"123456\""), WSHUB_OK); /* 16 bytes */
    EXPECT_INT(emit("b", "\"123456\""), WSHUB_OK);
    EXPECT_INT(emit("c", NULL), WSHUB_OK); /* 7: with all of them 41 */
    EXPECT_INT(emit("d", "\"12345678901234567890123456789012345\""), WSHUB_OK);
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("e");
    packet.args = &arg;
    packet.args_count = 1;
    packet.attachments = &bytes;
    packet.attachments_count = 1;
    EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_OK);
    expect_post("42[\"a\",\"123456\"]" SEP "42[\"b\",\"123456\"]");
    answer(posts, "ok");
    expect_post("42[\"c\"]");
    answer(posts, "ok");
    expect_post("42[\"d\",\"12345678901234567890123456789012345\"]");
    answer(posts, "ok");
    expect_post("451-[\"e\",{\"_placeholder\":true,\"num\":0}]");
    answer(posts, "ok");
    expect_post("bAP8QIA==");
    answer(posts, "ok");
    expect_silence(posts);
    stop();
}

/* What waits has a limit, and what is kept follows as soon as there is room. */
TEST(what_is_kept_follows_when_posts_are_answered) {
    connect_as(POLLED);
    desc.ws.unsent_bytes_max = 10;
    EXPECT_INT(emit("a", NULL), WSHUB_OK);
    EXPECT_INT(emit("b", NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_buffered(sock), 1);
    expect_post("42[\"a\"]");
    expect_silence(posts);
    answer(posts, "ok");
    EXPECT_INT(wshub_sio_socket_buffered(sock), 0);
    expect_post("42[\"b\"]");
    stop();
}

/* What a poll may be answered, and what is told of it; NULL: nothing. */
static const struct {
    const char *status, *body, *told;
} answers[] = {
    {"200 OK", "6", ""},
    {"200 OK", "0" SEP "3" SEP "42", ""},
    {"200 OK", "", "disconnected transport error again\n"},
    {"200 OK", "6" SEP, "disconnected transport error again\n"},
    {"200 OK", SEP "6", "disconnected transport error again\n"},
    {"200 OK", "42[\"e\"]" SEP "9" SEP "42[\"f\"]",
     "event e\ndisconnected transport error again\n"},
    {"200 OK", "42[\"\xFF\"]", "disconnected transport error again\n"},
    {"200 OK", "4", "disconnected parse error again\n"},
    {"200 OK", "42[\"e\"]" SEP "47" SEP "42[\"f\"]", "event e\ndisconnected parse error again\n"},
    {"200 OK", "bAAA=", "disconnected parse error again\n"},
    {"200 OK", "1", "disconnected transport close again\n"},
    {"200 OK", "42[\"e\"]" SEP "1" SEP "42[\"f\"]",
     "event e\ndisconnected transport close again\n"},
    {"204 None", "", "disconnected transport error again\n"},
    {"302 Found", "", "disconnected transport error again\n"},
    {"400 Bad Request", "{\"code\":1,\"message\":\"Session ID unknown\"}",
     "disconnected transport error again\n"},
    {"502 Bad Gateway", "<html>", "disconnected transport error again\n"},
    {"2000 OK", "6", "disconnected transport error again\n"},
};
TEST(an_answer_to_a_poll_is_packets_or_the_end) {
    char *again;
    size_t i;
    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        connect_as(POLLED);
        answer_as(gets, answers[i].status, answers[i].body);
        again = strstr(s.told, "reconnecting 1\n");
        EXPECT_INT(again != NULL, strstr(answers[i].told, "again") != NULL);
        if (again) *again = 0;
        if (strcmp(s.told, answers[i].told) != 0) printf("  %s\n", answers[i].body);
        EXPECT_STR(s.told, answers[i].told);
        stop();
    }
}

/* The first answer: a session, or why not. */
TEST(the_first_answer_opens_a_session) {
    static const struct {
        const char *status, *body, *told;
    } firsts[] = {
        {"200 OK", "40", "connect_error the server's first packet does not open a session again\n"},
        {"200 OK", "", "connect_error the server's first packet does not open a session again\n"},
        {"200 OK", "0{}", "connect_error the server's open packet is none again\n"},
        {"200 OK", "0{\"sid\":\"\\u0000\",\"pingInterval\":1,\"pingTimeout\":1}",
         "connect_error the server's open packet has no id of use again\n"},
        {"403 Forbidden", "{\"code\":4,\"message\":\"Forbidden\"}",
         "connect_error the server answers 403 again\n"},
        {"200", "<html>Log in to this network</html>",
         "connect_error the server's first packet does not open a session again\n"},
    };
    size_t i;
    for (i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        start();
        desc.transports = WSHUB_EIO_POLLING_ONLY;
        begin();
        gets = take_stream();
        expect_request(gets, "GET", "", NULL);
        answer_as(gets, firsts[i].status, firsts[i].body);
        EXPECT_INT(strncmp(s.told, firsts[i].told, strlen(firsts[i].told)), 0);
        EXPECT(strstr(s.told, "reconnecting 1\n") != NULL);
        if (strncmp(s.told, firsts[i].told, strlen(firsts[i].told)) != 0) printf("  %s\n", s.told);
        stop();
    }
}

TEST(a_post_is_taken_or_the_end) {
    static const char *const statuses[] = {"413 Too Large", "400 Bad Request", "500 Error"};
    size_t i;
    for (i = 0; i < 4; i++) {
        connect_as(POLLED);
        EXPECT_INT(ask("q", NULL, 5000), WSHUB_OK);
        expect_post("420[\"q\"]");
        if (i < 3)
            answer_as(posts, statuses[i], "");
        else
            wshub_io_fake_end(s.fake, posts);
        EXPECT_STR(site_told(&s), i < 3 ? "answer socket has been disconnected\n"
                                          "disconnected transport error again\nreconnecting 1\n"
                                        : "answer socket has been disconnected\n"
                                          "disconnected transport close again\nreconnecting 1\n");
        EXPECT(wshub_io_fake_is_gone(s.fake, gets));
        stop();
    }
}

/* wshub_ws_gone.raced: once, on a stream of its own, which no poll was on before. */
TEST(a_poll_that_is_lost_is_asked_again_only_where_it_may_have_crossed_the_end) {
    connect_as(POLLED);
    wshub_io_fake_end(s.fake, gets);
    EXPECT_STR(site_told(&s), "");
    gets = take_stream();
    expect_poll();
    answer(gets, "42[\"e\"]");
    EXPECT_STR(site_told(&s), "event e\n");
    gets = take_stream();
    expect_poll();
    wshub_io_fake_end(s.fake, gets);
    EXPECT_STR(site_told(&s), "disconnected transport close again\nreconnecting 1\n");
    wshub_io_fake_advance(s.fake, last_delay);
    gets = take_stream();
    expect_request(gets, "GET", "", NULL);
    stop();
}

/* A redirect is no answer to a poll or a post: it ends the session, nobody goes where it leads, and
 * what it sets is said to nobody. */
TEST(a_poll_does_not_follow_a_redirect) {
    static const wshub_header bearer = {{"Authorization", 13}, {"Bearer t", 8}};
    static const char *const codes[] = {"301", "302", "303", "307", "308"};
    char status[200], want[100];
    wshub_conn c;
    size_t i, step;
    for (i = 0; i < sizeof codes / sizeof *codes; i++) {
        (void)snprintf(
            status, sizeof status,
            "%s Elsewhere\r\nLocation: http://evil/socket.io/?EIO=4&transport=polling\r\n"
            "Set-Cookie: SERVER=evil",
            codes[i]);
        for (step = 0; step < 3; step++) { /* the first poll, a later one, a post */
            start();
            desc.transports = WSHUB_EIO_POLLING_ONLY;
            desc.ws.redirects_max = 3; /* of WebSockets */
            desc.ws.headers = &bearer;
            desc.ws.headers_count = 1;
            begin();
            gets = take_stream();
            expect_cookies(gets, NULL);
            if (step) {
                answer_setting(gets, "Set-Cookie: SERVER=s1\r\n", OPENS(""));
                expect_cookies(gets, "SERVER=s1");
                posts = take_stream();
                expect_cookies(posts, "SERVER=s1");
            }
            answer_as(step == 2 ? posts : gets, status, "");
            (void)snprintf(want, sizeof want, "connect_error the server answers %s again\n%s",
                           codes[i], "reconnecting 1\n");
            EXPECT_STR(site_told(&s),
                       step ? "connect_error transport error again\nreconnecting 1\n" : want);
            EXPECT(!wshub_io_fake_dialled(s.fake, &c, NULL));
            wshub_io_fake_advance(s.fake, last_delay);
            gets = take_stream(); /* of the server that was named */
            expect_cookies(gets, NULL);
            stop();
        }
    }
}
/* The WebSocket that a session moves to may be redirected; then its cookies stay behind. */
TEST(a_redirect_elsewhere_does_not_take_the_cookies_of_a_session_along) {
    static const char *const to[] = {"ws://other:81/x", "/x"};
    char text[200], seen[4000];
    wshub_conn ws;
    int i;
    for (i = 0; i < 2; i++) {
        start();
        desc.transports = WSHUB_EIO_POLLING_FIRST;
        desc.ws.redirects_max = 1;
        begin();
        gets = take_stream();
        expect_request(gets, "GET", "", NULL);
        answer_setting(gets, "Set-Cookie: SERVER=s1\r\n", OPENS(",\"upgrades\":[\"websocket\"]"));
        expect_cookies(gets, "SERVER=s1");
        ws = take_stream();
        expect_cookies(ws, "SERVER=s1");
        posts = take_stream();
        (void)snprintf(text, sizeof text,
                       "HTTP/1.1 307 x\r\nLocation: %s\r\nSet-Cookie: SERVER=s2\r\n\r\n", to[i]);
        site_say(&s, ws, text);
        wshub_io_fake_run(s.fake);
        ws = site_dialled(&s, i ? "server:3000" : "other:81");
        wshub_io_fake_answer(s.fake, ws, true);
        (void)snprintf(seen, sizeof seen, "%s", wshub_io_fake_output(s.fake, ws).ptr);
        EXPECT_HAS(seen, "GET /x HTTP/1.1\r\n");
        EXPECT_INT(strstr(seen, "Cookie: SERVER=s1\r\n") != NULL, i == 1);
        EXPECT(!strstr(seen, "s2"));
        stop();
    }
}

/* Servers and proxies that keep no stream. */
TEST(each_request_may_have_a_stream_of_its_own) {
    uint32_t i;
    connect_as(POLLED);
    for (i = 0; i < 5; i++) {
        site_say(&s, gets, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n42[\"e\"]");
        wshub_io_fake_half_close(s.fake, gets);
        EXPECT_STR(site_told(&s), "event e\n");
        gets = take_stream();
        expect_poll();
        EXPECT_INT(emit("a", NULL), WSHUB_OK);
        expect_post("42[\"a\"]");
        site_say(&s, posts, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
        EXPECT_INT(emit("b", NULL), WSHUB_OK);
        posts = take_stream();
        expect_post("42[\"b\"]");
        answer(posts, "ok");
        wshub_io_fake_end(s.fake, posts); /* while nothing is posted */
        EXPECT_INT(emit("c", NULL), WSHUB_OK);
        posts = take_stream();
        expect_post("42[\"c\"]");
        answer(posts, "ok");
    }
    EXPECT_STR(site_told(&s), "");
    /* Nobody is there any more when the end of such a stream is reported. */
    site_say(&s, gets, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1");
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "disconnected transport close again\nreconnecting 1\n");
    stop();
}

/* The stream of posts is let go before the server lets it go; a post at that very moment gets
 * another one. */
TEST(an_idle_stream_of_posts_is_let_go) {
    connect_as("0{\"sid\":\"E/1\",\"pingInterval\":30000,\"pingTimeout\":20000}",
               WSHUB_EIO_POLLING_ONLY);
    wshub_io_fake_hold(s.fake, true);
    wshub_io_fake_advance(s.fake, 3999);
    EXPECT(!wshub_io_fake_is_gone(s.fake, posts));
    wshub_io_fake_hold(s.fake, false);
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_INT(emit("a", NULL), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT(wshub_io_fake_is_gone(s.fake, posts));
    posts = take_stream();
    expect_post("42[\"a\"]");
    EXPECT_STR(site_told(&s), "");
    stop();
}

TEST(the_server_has_to_ping_who_polls) {
    connect_as(POLLED);
    wshub_io_fake_advance(s.fake, 499);
    answer(gets, "2");
    expect_post("3");
    expect_poll();
    wshub_io_fake_advance(s.fake, 499);
    answer(gets, "6");
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "disconnected ping timeout again\nreconnecting 1\n");
    stop();
}

TEST(what_a_poll_brings_has_limits) {
    start();
    desc.transports = WSHUB_EIO_POLLING_ONLY;
    desc.ws.message_bytes_max = 200;
    desc.payload_bytes_max = 1000;
    begin();
    gets = take_stream();
    expect_request(gets, "GET", "", NULL);
    answer_as(gets, "200 OK", OPENS(""));
    site_say(&s, gets, "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
    EXPECT_STR(site_told(&s), "connect_error transport error again\nreconnecting 1\n");
    stop();
    connect_as(POLLED);
    desc.ws.message_bytes_max = 10;
    answer(gets, "42[\"12345\"]");
    EXPECT_STR(site_told(&s), "event 12345\n");
    answer(gets, "42[\"1234567890\"]");
    EXPECT_STR(site_told(&s), "disconnected transport error again\nreconnecting 1\n");
    expect_post("1"); /* the server hears that it is left */
    stop();
}

/* ---- to a WebSocket ---- */

#define MOVES OPENS(""), WSHUB_EIO_POLLING_FIRST
static wshub_conn socket_conn;

/* The WebSocket is asked for beside the polls; its request is looked at, and answered if it is to
 * open. */
static void probe(bool opens) {
    char request[8192], accept[29];
    const char *want = "GET /socket.io/?EIO=4&transport=websocket" SID " HTTP/1.1\r\n";
    socket_conn = take_stream();
    if (opens) {
        site_accept(&s, socket_conn, "", "");
        return;
    }
    site_request(&s, socket_conn, request, accept);
    request[strlen(want)] = 0;
    EXPECT_STR(request, want);
}
static void expect_frame(const char *want) {
    wshub_io_fake_frame f;
    char seen[200] = "(nothing)";
    wshub_io_fake_run(s.fake);
    if (site_next(&s, socket_conn, &f))
        (void)snprintf(seen, sizeof seen, "%s%.*s", f.opcode == 2 ? "bytes " : "",
                       (int)f.payload.len, f.payload.ptr);
    EXPECT_STR(seen, want);
}
static void say_frame(const char *text) {
    site_frame(&s, socket_conn, 0x81, text, strlen(text));
    wshub_io_fake_run(s.fake);
}
/* Up to the probe; the order in which its streams are dialled is that of the probe and the posts. */
static void begin_move(bool opens) {
    open_as(MOVES);
    probe(opens);
    posts = take_stream();
    expect_post("40");
}

TEST(it_moves_when_nothing_is_under_way) {
    begin_move(true);
    expect_frame("2probe");
    answer(posts, "ok");
    answer(gets, "40{\"sid\":\"A\"}");
    EXPECT_STR(site_told(&s), "connected A\n");
    expect_poll();
    EXPECT_INT(emit("a", NULL), WSHUB_OK);
    expect_post("42[\"a\"]");
    say_frame("3probe");
    EXPECT_INT(emit("b", NULL), WSHUB_OK); /* waits from here on */
    answer(gets, "42[\"e\"]" SEP "2");
    EXPECT_STR(site_told(&s), "event e\n");
    expect_silence(gets);
    expect_silence(socket_conn);
    EXPECT_INT(wshub_sio_client_ws(client).id, 0);
    answer(posts, "ok");
    expect_frame("5");
    expect_frame("42[\"b\"]");
    expect_frame("3");
    EXPECT(wshub_sio_client_ws(client).id != 0);
    EXPECT(wshub_io_fake_is_gone(s.fake, gets) && wshub_io_fake_is_gone(s.fake, posts));
    say_frame("42[\"f\"]");
    EXPECT_STR(site_told(&s), "event f\n");
    EXPECT_INT(emit("c", NULL), WSHUB_OK);
    expect_frame("42[\"c\"]");
    wshub_io_fake_end(s.fake, socket_conn);
    EXPECT_STR(site_told(&s), "disconnected transport close again\nreconnecting 1\n");
    stop();
}

/* How a probe fails: refused, lost, or answered otherwise; all goes on by polling. */
TEST(a_probe_that_fails_changes_nothing) {
    static const char *const ways[] = {"refused", "lost",  "3",     "3prob", "3probes",
                                       "4x",      "bytes", "close", "never"};
    size_t i;
    for (i = 0; i < sizeof ways / sizeof *ways; i++) {
        begin_move(i > 0);
        if (i == 0) site_say(&s, socket_conn, "HTTP/1.1 400 x\r\n\r\n");
        if (i > 0) expect_frame("2probe");
        if (i == 1) wshub_io_fake_end(s.fake, socket_conn);
        if (i > 1 && i < 6) say_frame(ways[i]);
        if (i == 6) site_frame(&s, socket_conn, 0x82, "3probe", 6);
        if (i == 7) site_frame(&s, socket_conn, 0x88, NULL, 0);
        answer(posts, "ok");
        answer(gets, "40{\"sid\":\"A\"}");
        expect_poll();
        EXPECT_INT(emit("a", NULL), WSHUB_OK);
        expect_post("42[\"a\"]");
        if (i < 8) EXPECT_INT(wshub_sio_client_ws(client).id, 0);
        EXPECT_STR(site_told(&s), "connected A\n");
        stop();
    }
}

/* A server that lets the poll go by nothing: the probe's time is over, and polling goes on; and one
 * whose WebSocket ends while all is paused. */
TEST(a_move_that_does_not_end_is_given_up) {
    int i;
    for (i = 0; i < 2; i++) {
        open_as("0{\"sid\":\"E/1\",\"upgrades\":[\"websocket\"],\"pingInterval\":60000,"
                "\"pingTimeout\":60000}",
                WSHUB_EIO_POLLING_FIRST);
        probe(true);
        posts = take_stream();
        expect_post("40");
        answer(posts, "ok");
        expect_frame("2probe");
        say_frame("3probe");
        say_frame("3probe");                           /* said twice */
        if (i == 1) answer(gets, "40{\"sid\":\"A\"}"); /* that ends the poll */
        expect_silence(posts);
        if (i == 0) {
            wshub_io_fake_advance(s.fake, 19999);
            EXPECT(!wshub_io_fake_is_gone(s.fake, socket_conn));
            wshub_io_fake_advance(s.fake, 1);
            EXPECT(wshub_io_fake_is_gone(s.fake, socket_conn));
            answer(gets, "40{\"sid\":\"A\"}");
            expect_poll();
        } else {
            expect_frame("5"); /* nothing was under way: it has moved */
        }
        EXPECT_STR(site_told(&s), "connected A\n");
        stop();
    }
    begin_move(true); /* its CONNECT is under way all the time */
    expect_frame("2probe");
    say_frame("3probe");
    answer(gets, "6");
    expect_silence(gets);
    wshub_io_fake_end(s.fake, socket_conn);
    expect_poll();
    answer(posts, "ok");
    answer(gets, "40{\"sid\":\"A\"}");
    EXPECT_STR(site_told(&s), "connected A\n");
    stop();
}

TEST(it_may_leave_at_each_step_of_a_move) {
    int i;
    for (i = 0; i < 4; i++) {
        begin_move(true);
        answer(posts, "ok");
        answer(gets, "40{\"sid\":\"A\"}");
        expect_poll();
        if (i > 0) expect_frame("2probe");
        if (i > 1) say_frame("3probe");
        if (i > 2) {
            answer(gets, "6");
            expect_frame("5");
        }
        EXPECT_INT(wshub_sio_socket_disconnect(sock), WSHUB_OK);
        if (i < 3) {
            expect_post("41" SEP "1");
            answer(posts, "ok");
        } else {
            expect_frame("41");
            site_frame(&s, socket_conn, 0x88, NULL, 0);
            wshub_io_fake_end(s.fake, socket_conn);
        }
        EXPECT_STR(site_told(&s), "connected A\ndisconnected io client disconnect\nclosed\n");
        EXPECT(wshub_io_fake_is_gone(s.fake, socket_conn));
        stop();
    }
}

TEST(a_session_is_polled_through_a_proxy) {
    wshub_str out;
    start();
    desc.transports = WSHUB_EIO_POLLING_ONLY;
    desc.ws.proxy = "http://proxy:81";
    begin();
    wshub_io_fake_run(s.fake);
    gets = site_dialled(&s, "proxy:81");
    wshub_io_fake_answer(s.fake, gets, true);
    out = wshub_io_fake_output(s.fake, gets);
    EXPECT(strstr(out.ptr, "GET http://server:3000/socket.io/?EIO=4&transport=polling&t=") ==
           out.ptr);
    site_say(&s, gets, "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_STR(site_told(&s), "connect_error the proxy answers 407 again\nreconnecting 1\n");
    stop();
}
/* With TLS both lines of polling, and the WebSocket, ask it to CONNECT. */
TEST(a_session_over_tls_goes_through_a_proxy) {
    int polls;
    for (polls = 0; polls < 2; polls++) {
        wshub_str out;
        start();
        desc.transports = polls ? WSHUB_EIO_POLLING_ONLY : WSHUB_EIO_WEBSOCKET_ONLY;
        desc.ws.url = "https://server:3000";
        desc.ws.proxy = "http://u:p@proxy:81";
        begin();
        wshub_io_fake_run(s.fake);
        gets = site_dialled(&s, "proxy:81");
        EXPECT(!wshub_io_fake_dial(s.fake, gets)->secure);
        wshub_io_fake_answer(s.fake, gets, true);
        EXPECT_STR(wshub_io_fake_output(s.fake, gets).ptr,
                   "CONNECT server:3000 HTTP/1.1\r\nHost: server:3000\r\n"
                   "Proxy-Authorization: Basic dTpw\r\n\r\n");
        wshub_io_fake_take(s.fake, gets, 8192);
        site_say(&s, gets, "HTTP/1.1 200 ok\r\n\r\n");
        EXPECT(wshub_io_fake_dial(s.fake, gets) && wshub_io_fake_dial(s.fake, gets)->secure);
        wshub_io_fake_answer(s.fake, gets, true);
        out = wshub_io_fake_output(s.fake, gets);
        EXPECT(strstr(out.ptr, "GET /socket.io/?EIO=4&transport=") == out.ptr);
        EXPECT(!strstr(out.ptr, "Proxy-") && strstr(out.ptr, "Host: server:3000\r\n"));
        wshub_io_fake_end(s.fake, gets);
        EXPECT_HAS(site_told(&s), "reconnecting 1\n");
        stop();
    }
}

/* ---- callbacks that end everything (PITFALLS d15) ---- */

/* Answers the next request on a stream, if both are there. */
static void answer_if(wshub_conn c, const char *body) {
    wshub_str out;
    wshub_io_fake_run(s.fake);
    if (!c.id || wshub_io_fake_is_gone(s.fake, c)) return;
    out = wshub_io_fake_output(s.fake, c);
    if (!out.len) return;
    wshub_io_fake_take(s.fake, c, out.len);
    answer(c, body);
}
static wshub_conn stream_if(void) {
    wshub_conn c = {0};
    wshub_io_fake_run(s.fake);
    if (wshub_io_fake_dialled(s.fake, &c, NULL)) wshub_io_fake_answer(s.fake, c, true);
    return c;
}
/* A talk in which each callback is reached, by an answer that brings several packets; what borrows
 * descriptions gives them back inside the callback. */
static void whole_talk(const char *what, wshub_eio_transports transports) {
    start();
    acts = what;
    desc.transports = transports;
    desc.reconnect_delay_ms = 10;
    lend();
    begin();
    gets = stream_if();
    answer_if(gets, OPENS(""));
    if (client && sock) EXPECT_INT(ask("q", NULL, 100), WSHUB_OK);
    if (transports == WSHUB_EIO_POLLING_FIRST) (void)stream_if(); /* a WebSocket, never answered */
    posts = stream_if();
    answer_if(posts, "ok");
    answer_if(gets, "40{\"sid\":\"A\"}" SEP "421[\"e\",1]" SEP "42[\"f\"]" SEP "2");
    answer_if(posts, "ok");
    answer_if(gets, "430[]" SEP "42[\"g\"]");
    if (client && sock) (void)ask("q", NULL, 1);
    answer_if(posts, "ok");
    wshub_io_fake_advance(s.fake, 1);
    answer_if(posts, "ok");
    answer_if(gets, "47" SEP "42[\"h\"]"); /* the session is over inside an answer, and left */
    answer_if(posts, "ok");
    wshub_io_fake_advance(s.fake, 20);
    if (wshub_io_fake_dialled(s.fake, &gets, NULL)) wshub_io_fake_answer(s.fake, gets, false);
    wshub_io_fake_advance(s.fake, 40);
    gets = stream_if();
    answer_if(gets, OPENS(""));
    if (transports == WSHUB_EIO_POLLING_FIRST) (void)stream_if(); /* a WebSocket, never answered */
    posts = stream_if();
    answer_if(posts, "ok");
    answer_if(gets, "40{\"sid\":\"B\"}");
    if (sock && client) (void)wshub_sio_socket_disconnect(sock);
    answer_if(posts, "ok");
    wshub_io_fake_advance(s.fake, 3000);
}
TEST(everything_may_be_done_in_every_callback_of_who_polls) {
    static const char *const words[] = {"connected", "event",        "answer",      "connect_error",
                                        "closed",    "disconnected", "reconnecting"};
    static const char *const whats[] = {"destroy", "end",      "disconnect", "connect",
                                        "drop",    "shutdown", "emit"};
    char what[40];
    size_t i, j, way;
    for (way = WSHUB_EIO_POLLING_ONLY; way <= WSHUB_EIO_POLLING_FIRST; way++) {
        for (i = 0; i < sizeof words / sizeof words[0]; i++) {
            for (j = 0; j < sizeof whats / sizeof whats[0]; j++) {
                (void)snprintf(what, sizeof what, "%s %s", words[i], whats[j]);
                whole_talk(what, (wshub_eio_transports)way);
                EXPECT_STR(acts, NULL); /* it was reached */
                stop();
            }
        }
    }
}
