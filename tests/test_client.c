/* The plain WebSocket client of backends/wshub_ext_client.h, in memory: URLs, the handshake, frames
 * both ways, ends, clocks, and what each order and callback may do. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "client_site.h"

static site s; /* of the test that runs */

/* ---- URLs ---- */

static const struct {
    const char *text, *host, *target;
    int port; /* 0: it is none */
    bool secure, v6, slash;
} urls[] = {
    {"ws://a", "a", "", 80, false, false, true},
    {"WSS://A.b-c_d./", "A.b-c_d.", "/", 443, true, false, false},
    {"ws://a:81?x=%20&y", "a", "?x=%20&y", 81, false, false, true},
    {"wss://[2001:db8::1]:65535/p?q?r/", "2001:db8::1", "/p?q?r/", 65535, true, true, false},
    {"ws://[::1]", "::1", "", 80, false, true, true},
    {"ws://127.0.0.1/a//b", "127.0.0.1", "/a//b", 80, false, false, false},
    {"ws://x/'\"<>\\^`{|}", "x", "/'\"<>\\^`{|}", 80, false, false, false},
    {"", 0, 0, 0, 0, 0, 0},
    {"ws:", 0, 0, 0, 0, 0, 0},
    {"ws://", 0, 0, 0, 0, 0, 0},
    {"ws:///p", 0, 0, 0, 0, 0, 0},
    {"ws:/a", 0, 0, 0, 0, 0, 0},
    {"http://a", 0, 0, 0, 0, 0, 0},
    {"wsx://a", 0, 0, 0, 0, 0, 0},
    {" ws://a", 0, 0, 0, 0, 0, 0},
    {"ws://a ", 0, 0, 0, 0, 0, 0},
    {"ws://a/b c", 0, 0, 0, 0, 0, 0},
    {"ws://a/\x01", 0, 0, 0, 0, 0, 0},
    {"ws://a/\xC3\xA9", 0, 0, 0, 0, 0, 0},
    {"ws://\xC3\xA9/", 0, 0, 0, 0, 0, 0},
    {"ws://a#f", 0, 0, 0, 0, 0, 0},
    {"ws://a/#", 0, 0, 0, 0, 0, 0},
    {"ws://u@a", 0, 0, 0, 0, 0, 0},
    {"ws://u:p@a", 0, 0, 0, 0, 0, 0},
    {"ws://@a", 0, 0, 0, 0, 0, 0},
    {"ws://a:", 0, 0, 0, 0, 0, 0},
    {"ws://a:0", 0, 0, 0, 0, 0, 0},
    {"ws://a:65536", 0, 0, 0, 0, 0, 0},
    {"ws://a:123456", 0, 0, 0, 0, 0, 0},
    {"ws://a:8x", 0, 0, 0, 0, 0, 0},
    {"ws://a:+8", 0, 0, 0, 0, 0, 0},
    {"ws://::1/", 0, 0, 0, 0, 0, 0},
    {"ws://[::1", 0, 0, 0, 0, 0, 0},
    {"ws://[::1]x", 0, 0, 0, 0, 0, 0},
    {"ws://[::1%25lo]/", 0, 0, 0, 0, 0, 0},
    {"ws://[127.0.0.1]/", 0, 0, 0, 0, 0, 0},
    {"ws://[]/", 0, 0, 0, 0, 0, 0},
    {"ws://1.2.3/", 0, 0, 0, 0, 0, 0},
    {"ws://256.1.1.1/", 0, 0, 0, 0, 0, 0},
    {"ws://a..b/", 0, 0, 0, 0, 0, 0},
    {"ws://.a/", 0, 0, 0, 0, 0, 0},
    {"ws://a%41/", 0, 0, 0, 0, 0, 0},
    {"ws://a,b/", 0, 0, 0, 0, 0, 0},
};
TEST(a_url_is_read_strictly) {
    wshub_ws_url u;
    char label[80] = "ws://", long_url[8300];
    size_t i;
    for (i = 0; i < sizeof urls / sizeof *urls; i++) {
        bool ok = wshub_ws_url_read(wshub_str_z(urls[i].text), &u);
        if (ok != (urls[i].port != 0)) printf("  %s\n", urls[i].text);
        EXPECT_INT(ok, urls[i].port != 0);
        if (!ok || !urls[i].port) continue;
        EXPECT(wshub_str_eq_z(u.host, urls[i].host) && wshub_str_eq_z(u.target, urls[i].target));
        EXPECT(u.port == urls[i].port && u.secure == urls[i].secure);
        EXPECT(u.v6 == urls[i].v6 && u.slash == urls[i].slash);
        EXPECT_INT(u.port_said, u.port != (u.secure ? 443 : 80));
    }
    memset(label + 5, 'a', 64);
    EXPECT(!wshub_ws_url_read(wshub_str_z(label), &u) || label[68] == 0); /* 64: alone it may be */
    memset(long_url, 'a', sizeof long_url);
    memcpy(long_url, "ws://a/", 7);
    long_url[8192] = 0;
    EXPECT(wshub_ws_url_read(wshub_str_z(long_url), &u));
    long_url[8192] = 'a';
    long_url[8193] = 0;
    EXPECT(!wshub_ws_url_read(wshub_str_z(long_url), &u));
}

TEST(what_a_description_must_not_say_is_named) {
    static const wshub_header bad[] = {
        {{"Host", 4}, {"x", 1}},      {{"sec-websocket-KEY", 17}, {"x", 1}},
        {{"", 0}, {"x", 1}},          {{"a b", 3}, {"x", 1}},
        {{"a", 1}, {"x\r\nb: c", 7}}, {{"Content-Length", 14}, {"0", 1}}};
    static const char *const proxies[] = {"http://",    "https://a",  "a:80",      "http://a:0",
                                          "http://u@a", "http://a/b", "http://a b"};
    static const char *const lists[] = {"", ",", "a,", "a,,b", "a b", "a,b, a", "a;b"};
    wshub_ws_desc d;
    wshub_ws ws;
    size_t i;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.url = "ws://a/";
    EXPECT(strstr(wshub_ws_desc_problem(&d), "events:") != NULL);
    d.events = &site_events;
    EXPECT(!wshub_ws_desc_problem(&d));
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        d.headers = &bad[i];
        d.headers_count = 1;
        EXPECT(wshub_ws_desc_problem(&d) && strstr(wshub_ws_desc_problem(&d), "headers:"));
        EXPECT_INT(wshub_ws_open(s.pool, &d, &ws), WSHUB_ERR_PARAM);
    }
    d.headers_count = 0; /* forgotten, say: they would be left out in silence */
    EXPECT_HAS(wshub_ws_desc_problem(&d), "headers: a list needs its headers_count");
    d.headers = NULL;
    d.headers_count = 1;
    EXPECT_HAS(wshub_ws_desc_problem(&d), "headers: a list needs its headers_count");
    d.headers_count = 0;
    for (i = 0; i < sizeof proxies / sizeof *proxies; i++) {
        d.proxy = proxies[i];
        EXPECT(wshub_ws_desc_problem(&d) && strstr(wshub_ws_desc_problem(&d), "proxy:"));
    }
    d.proxy = "http://a";
    d.url = "wss://a/";
    EXPECT(!wshub_ws_desc_problem(&d));
    d.proxy = NULL;
    for (i = 0; i < sizeof lists / sizeof *lists; i++) {
        d.protocols = lists[i];
        EXPECT(wshub_ws_desc_problem(&d) && strstr(wshub_ws_desc_problem(&d), "protocols:"));
    }
    d.protocols = "a, b";
    d.message_bytes_max = 1u << 31;
    EXPECT(strstr(wshub_ws_desc_problem(&d), "message_bytes_max:") != NULL);
    EXPECT_INT(wshub_ws_open_versioned(s.pool, &d, sizeof d - 1, WSHUB_WS_VERSION, &ws),
               WSHUB_ERR_PARAM);
    site_stop(&s);
}

/* ---- the handshake ---- */

TEST(the_request_is_as_rfc_6455_wants_it) {
    static const wshub_header more[] = {{{"Authorization", 13}, {"Bearer t", 8}},
                                        {{"X-Empty", 7}, {"", 0}}};
    wshub_ws_desc d;
    char request[8192], accept[29];
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.headers = more;
    d.headers_count = 2;
    d.protocols = "chat, super";
    (void)site_open(&s, "ws://example.org:81?a=b", &d);
    c = site_dialled(&s, "example.org:81");
    wshub_io_fake_answer(s.fake, c, true);
    site_request(&s, c, request, accept);
    memset(strstr(request, "Key: ") + 5, '.', 24); /* random */
    EXPECT_STR(request, "GET /?a=b HTTP/1.1\r\nHost: example.org:81\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: ........................\r\n"
                        "Sec-WebSocket-Protocol: chat, super\r\n"
                        "Authorization: Bearer t\r\nX-Empty: \r\n\r\n");
    (void)site_open(&s, "ws://[::1]:80/x", NULL);
    c = site_dialled(&s, "[::1]:80");
    wshub_io_fake_answer(s.fake, c, true);
    site_request(&s, c, request, accept);
    EXPECT(strstr(request, "GET /x HTTP/1.1\r\nHost: [::1]\r\n") != NULL);
    site_stop(&s);
}

/* What is answered, `A` standing for the right accept value, and what becomes of it (d1 to d3, RFC
 * 6455 4.1). `good` is the head up to what is looked at. */
#define START "HTTP/1.1 101 x\r\n"
#define UP "Upgrade: websocket\r\n"
#define CON "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Accept: A\r\n"
static const struct {
    const char *head, *told;
} answers[] = {
    {START UP CON KEY "\r\n", "opened\n"},
    {"HTTP/1.1 101\r\nupgrade: WebSocket\r\nCONNECTION: keep-alive, Upgrade\r\n"
     "sec-websocket-accept:A \r\n\r\n",
     "opened\n"},
    {START UP CON KEY "Sec-WebSocket-Protocol: b\r\n\r\n", "opened b\n"},
    {START UP "Connection: x\r\nConnection: upgrade\r\n" KEY "\r\n", "opened\n"},
    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" START UP CON KEY "\r\n", "opened\n"},
    {START UP CON KEY "Sec-WebSocket-Protocol: B\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "Sec-WebSocket-Protocol: a, b\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "Sec-WebSocket-Protocol: c\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "Sec-WebSocket-Protocol: \r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n",
     "ended handshake\n"},
    {START UP CON KEY "Sec-WebSocket-Extensions: x-foo\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY KEY "\r\n", "ended handshake\n"},
    {START UP CON "Sec-WebSocket-Accept: x\r\n\r\n", "ended handshake\n"},
    {START UP CON "Sec-WebSocket-Accept: a\r\n\r\n", "ended handshake\n"}, /* in lower case */
    {START UP CON "\r\n", "ended handshake\n"},
    {START CON KEY "\r\n", "ended handshake\n"},
    {START UP KEY "\r\n", "ended handshake\n"},
    {START UP UP CON KEY "\r\n", "ended handshake\n"},
    {START "Upgrade: websocket/13\r\n" CON KEY "\r\n", "ended handshake\n"},
    {START UP "Connection: Upgraded\r\n" KEY "\r\n", "ended handshake\n"},
    {"HTTP/1.0 101 x\r\n" UP CON KEY "\r\n", "ended handshake\n"},
    {"HTTP/1.2 101 x\r\n" UP CON KEY "\r\n", "ended handshake\n"},
    {"http/1.1 101 x\r\n" UP CON KEY "\r\n", "ended handshake\n"},
    {"HTTP/1.1  101 x\r\n" UP CON KEY "\r\n", "ended handshake\n"},
    {"HTTP/1.1 101x\r\n" UP CON KEY "\r\n", "ended handshake\n"},
    {START UP CON KEY "bad name: x\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "bad : x\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY ": x\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY " folded\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "none\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "x: \x01\r\n\r\n", "ended handshake\n"},
    {START UP CON KEY "x: a\rb\r\n\r\n", "ended handshake\n"},
    {"HTTP/1.1 101 x\n" UP CON KEY "\r\n", "ended handshake\n"},
    {"SSH-2.0-x\r\n", "ended handshake\n"},
    {"\x15\x03\x01", "ended handshake\n"},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", "ended status 404\n"},
    {"HTTP/1.0 503 x\r\n\r\n", "ended status 503\n"},
    {"HTTP/1.1 200 OK\r\n" UP CON KEY "\r\n", "ended status 200\n"},
    {"HTTP/1.1 302 x\r\nLocation: ws://b/\r\n\r\n", "ended status 302\n"},
};

/* Plays one of them, in pieces of `cut` bytes; 0: whole. */
static void play_answer(size_t n, size_t cut) {
    char accept[29], text[1024], *at;
    wshub_ws_desc d;
    wshub_conn c;
    size_t i, len;
    memset(&d, 0, sizeof d);
    d.protocols = "a, b";
    (void)site_open(&s, "ws://h/", &d);
    c = site_dialled(&s, "h:80");
    wshub_io_fake_answer(s.fake, c, true);
    site_request(&s, c, NULL, accept);
    (void)snprintf(text, sizeof text, "%s", answers[n].head);
    at = strstr(text, "ccept: A\r");
    if (!at) at = strstr(text, "ccept:A ");
    if (at) {
        at = strchr(at, 'A');
        memmove(at + 28, at + 1, strlen(at + 1) + 1);
        memcpy(at, accept, 28);
        at = strstr(at, "ccept: A\r"); /* twice */
        if (at) {
            at = strchr(at, 'A');
            memmove(at + 28, at + 1, strlen(at + 1) + 1);
            memcpy(at, accept, 28);
        }
    } else if ((at = strstr(text, "ccept: a")) != NULL) {
        memmove(at + 7 + 28, at + 8, strlen(at + 8) + 1);
        for (i = 0; i < 28; i++)
            at[7 + i] = (char)(accept[i] >= 'A' && accept[i] <= 'Z' ? accept[i] + 32 : accept[i]);
    }
    len = strlen(text);
    for (i = 0; i < len; i += cut ? cut : len)
        wshub_io_fake_input(s.fake, c, text + i, !cut ? len : len - i < cut ? len - i : cut);
    if (strcmp(s.told, answers[n].told) != 0) printf("  cut %u: %s\n", (unsigned)cut, text);
    EXPECT_STR(site_told(&s), answers[n].told);
    wshub_io_fake_end(s.fake, c);
    (void)site_told(&s);
    wshub_io_fake_forget(s.fake, c);
}
TEST(an_answer_is_judged_to_the_letter_however_it_is_cut) {
    size_t i;
    EXPECT(site_start(&s, false, NULL));
    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        play_answer(i, 0);
        play_answer(i, 1);
        play_answer(i, 7);
    }
    site_stop(&s);
}

/* d1: five kilobytes are a head; sixteen and a hundred fields are the end of it. */
TEST(a_head_is_read_up_to_its_limits) {
    static char head[40000];
    wshub_conn c;
    size_t i;
    EXPECT(site_start(&s, false, NULL));
    (void)site_open(&s, "ws://h/", NULL);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    memcpy(head, "X: ", 3);
    memset(head + 3, 'y', 5000);
    memcpy(head + 5003, "\r\n", 3);
    {
        static char more[41000], accept[29];
        site_request(&s, c, NULL, accept);
        (void)snprintf(more, sizeof more, START UP CON "%sSec-WebSocket-Accept: %s\r\n\r\n", head,
                       accept);
        site_say(&s, c, more);
    }
    EXPECT_STR(site_told(&s), "opened\n");

    (void)site_open(&s, "ws://h/", NULL); /* endless */
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, START);
    for (i = 0; i < 17000 && !s.told_len; i++) wshub_io_fake_input(s.fake, c, "a", 1);
    EXPECT_INT(i, 16384 - sizeof START + 2);
    EXPECT_STR(site_told(&s), "ended handshake\n");

    (void)site_open(&s, "ws://h/", NULL); /* too many */
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    head[0] = 0;
    for (i = 0; i < 101; i++) memcpy(head + i * 6, "a: b\r\n", 7);
    site_say(&s, c, START);
    site_say(&s, c, head);
    site_say(&s, c, "\r\n");
    EXPECT_STR(site_told(&s), "ended handshake\n");

    (void)site_open(&s, "ws://h/", NULL); /* 1xx for ever */
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    for (i = 0; i < 2000 && !s.told_len; i++) site_say(&s, c, "HTTP/1.1 100 x\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended handshake\n");
    site_stop(&s);
}

TEST(what_comes_in_the_read_of_the_101_is_kept) {
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    (void)site_open(&s, "ws://h/", NULL);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_accept(&s, c, "", "\x81\x02hi\x81\x03you\x88\x02\x03\xE8");
    EXPECT_STR(site_told(&s), "opened\ntext hi\ntext you\n");
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "ended close 1000\n");
    site_stop(&s);
}

/* ---- names and addresses ---- */

static void addresses(wshub_address *out, const char *list) {
    char text[100], *at;
    size_t n = 0;
    (void)snprintf(text, sizeof text, "%s", list);
    for (at = strtok(text, ","); at; at = strtok(NULL, ","))
        EXPECT(wshub_address_read(wshub_str_z(at), &out[n++]));
}

/* d9: the next after 250 ms, or at once when one fails; the losers are closed. */
TEST(addresses_are_raced_as_rfc_8305_says) {
    wshub_address a[3];
    wshub_conn c1, c2, c3;
    EXPECT(site_start(&s, true, NULL));
    (void)site_open(&s, "ws://name:81/", NULL);
    EXPECT_STR(s.name, "name");
    EXPECT(!wshub_io_fake_dialled(s.fake, &c1, NULL));
    addresses(a, "::1,10.0.0.1,10.0.0.2");
    EXPECT_INT(wshub_ws_resolved(s.pool, s.question, a, 3), WSHUB_OK);
    EXPECT_INT(wshub_ws_resolved(s.pool, s.question, a, 3), WSHUB_ERR_STALE);
    c1 = site_dialled(&s, "[::1]:81");
    wshub_io_fake_advance(s.fake, 249);
    EXPECT(!wshub_io_fake_dialled(s.fake, &c2, NULL) || c2.id == c1.id);
    wshub_io_fake_answer(s.fake, c1, false); /* refused */
    c2 = site_dialled(&s, "10.0.0.1:81");
    wshub_io_fake_advance(s.fake, 250);
    wshub_io_fake_answer(s.fake, c2, true); /* late, and still in time */
    EXPECT(wshub_io_fake_output(s.fake, c2).len > 0);
    if (wshub_io_fake_dialled(s.fake, &c3, NULL)) EXPECT(wshub_io_fake_is_gone(s.fake, c3));
    site_accept(&s, c2, "", "");
    EXPECT_STR(site_told(&s), "opened\n");

    (void)site_open(&s, "ws://name:81/", NULL); /* all fail */
    EXPECT_INT(wshub_ws_resolved(s.pool, s.question, a, 2), WSHUB_OK);
    wshub_io_fake_answer(s.fake, site_dialled(&s, "[::1]:81"), false);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_answer(s.fake, site_dialled(&s, "10.0.0.1:81"), false);
    EXPECT_STR(site_told(&s), "ended connect\n");

    (void)site_open(&s, "ws://name:81/", NULL); /* none */
    EXPECT_INT(wshub_ws_resolved(s.pool, s.question, a, 0), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "ended resolve\n");
    site_stop(&s);
}

/* d10: the answer finds nobody. */
TEST(a_resolver_that_answers_too_late_finds_nobody) {
    wshub_address a[1];
    wshub_ask late;
    wshub_ws ws;
    EXPECT(site_start(&s, true, NULL));
    addresses(a, "10.0.0.1");
    (void)site_open(&s, "ws://name/", NULL);
    late = s.question;
    wshub_io_fake_advance(s.fake, 20000);
    EXPECT_STR(site_told(&s), "ended timeout\n");
    EXPECT_INT(wshub_ws_resolved(s.pool, late, a, 1), WSHUB_ERR_STALE);
    ws = site_open(&s, "ws://name/", NULL); /* in the same place */
    EXPECT_INT(wshub_ws_resolved(s.pool, late, a, 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ws_forget(s.pool, ws), WSHUB_OK);
    EXPECT_INT(wshub_ws_resolved(s.pool, s.question, a, 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_ws_resolved(s.pool, (wshub_ask){0}, a, 1), WSHUB_ERR_STALE);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "");
    site_stop(&s);
}

TEST(one_deadline_is_over_everything) {
    wshub_ws_desc d;
    wshub_conn c;
    wshub_address a[1];
    EXPECT(site_start(&s, true, NULL));
    memset(&d, 0, sizeof d);
    d.connect_timeout_ms = 1000;
    addresses(a, "10.0.0.1");
    (void)site_open(&s, "ws://name/", &d);
    wshub_io_fake_advance(s.fake, 400);
    (void)wshub_ws_resolved(s.pool, s.question, a, 1);
    wshub_io_fake_advance(s.fake, 400);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 1"); /* a byte now and then buys no time */
    wshub_io_fake_advance(s.fake, 199);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended timeout\n");
    EXPECT(wshub_io_fake_is_gone(s.fake, c));

    (void)site_open(&s, "ws://name/", &d);
    (void)wshub_ws_resolved(s.pool, s.question, a, 1);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "ended closed\n");
    site_stop(&s);
}

TEST(wss_is_dialled_as_secure_with_its_name) {
    wshub_conn c;
    const wshub_dial *dial;
    wshub_ws_desc d;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.verify = WSHUB_VERIFY_CHAIN;
    (void)site_open(&s, "wss://example.org/", &d);
    c = site_dialled(&s, "example.org:443");
    dial = wshub_io_fake_dial(s.fake, c);
    EXPECT(dial && dial->secure && dial->verify == WSHUB_VERIFY_CHAIN);
    if (dial) EXPECT_STR(dial->server_name, "example.org");
    wshub_io_fake_answer(s.fake, c, false);
    EXPECT(strstr(site_told(&s), "ended ") != NULL);
    site_stop(&s);
}

/* c11: Host is as it was given; an io with TLS leaves the dot out (tests/test_tls_server.c). */
TEST(a_dot_at_the_end_of_a_name_is_said_as_it_was_given) {
    char request[8192], accept[29];
    wshub_conn c;
    const wshub_dial *dial;
    EXPECT(site_start(&s, false, NULL));
    (void)site_open(&s, "wss://example.org./", NULL);
    c = site_dialled(&s, "example.org.:443");
    dial = wshub_io_fake_dial(s.fake, c);
    EXPECT(dial && dial->secure);
    if (dial) EXPECT_STR(dial->server_name, "example.org.");
    wshub_io_fake_answer(s.fake, c, true);
    site_request(&s, c, request, accept);
    EXPECT_HAS(request, "\r\nHost: example.org.\r\n");
    site_stop(&s);
}

/* ---- the proxy, redirects ---- */

/* d7, d8: HTTP/1.1 with Host, IPv6 in brackets; its credentials go to it alone. */
TEST(a_proxy_is_asked_by_connect) {
    wshub_ws_desc d;
    wshub_conn c;
    char request[8192], accept[29], text[512];
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.proxy = "http://us%65r:p%40ss@10.0.0.9:3128/";
    (void)site_open(&s, "ws://[::1]:80/x", &d);
    c = site_dialled(&s, "10.0.0.9:3128");
    wshub_io_fake_answer(s.fake, c, true);
    EXPECT_STR(wshub_io_fake_output(s.fake, c).ptr,
               "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n"
               "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n");
    wshub_io_fake_take(s.fake, c, 8192);
    site_say(&s, c, "HTTP/1.0 200 ok\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n");
    site_request(&s, c, request, accept);
    EXPECT(strstr(request, "GET /x HTTP/1.1\r\nHost: [::1]\r\n") == request);
    EXPECT(!strstr(request, "Proxy") && !strstr(request, "dXNl"));
    (void)snprintf(text, sizeof text, START UP CON "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    site_say(&s, c, text);
    EXPECT_STR(site_told(&s), "opened\n");

    (void)site_open(&s, "ws://h/", &d);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c,
             "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"r\"\r\n"
             "Content-Length: 500\r\n\r\n<html>");
    EXPECT_STR(site_told(&s), "ended proxy 407\n");
    EXPECT_STR(s.gone_text, "the proxy answers 407 and asks for Basic realm=\"r\"");
    (void)site_open(&s, "ws://h/", &d);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 101 x\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended proxy 101\n");
    (void)site_open(&s, "ws://h/", &d);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "nonsense");
    EXPECT_STR(site_told(&s), "ended proxy\n");
    site_stop(&s);
}

/* Opens wss://h/x through a proxy, which has the CONNECT, and nothing else. */
static wshub_ws asks_proxy(const wshub_ws_desc *d, wshub_conn *out_conn) {
    wshub_ws ws = site_open(&s, "wss://h/x", d);
    *out_conn = site_dialled(&s, "p:3128");
    EXPECT(!wshub_io_fake_dial(s.fake, *out_conn)->secure);
    wshub_io_fake_answer(s.fake, *out_conn, true);
    EXPECT_STR(wshub_io_fake_output(s.fake, *out_conn).ptr,
               "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"
               "Proxy-Authorization: Basic dTpw\r\n\r\n");
    wshub_io_fake_take(s.fake, *out_conn, 8192);
    return ws;
}
/* The proxy lets it through: TLS is asked for, and nothing goes out before it has begun. */
static void asks_tls(wshub_conn c, const char *answer) {
    const wshub_dial *dial;
    site_say(&s, c, answer);
    dial = wshub_io_fake_dial(s.fake, c);
    EXPECT(dial && dial->secure && dial->verify == WSHUB_VERIFY_CHAIN);
    if (dial) EXPECT_STR(dial->server_name, "h");
    wshub_io_fake_run(s.fake);
    EXPECT_INT(wshub_io_fake_output(s.fake, c).len, 0);
    EXPECT_STR(site_told(&s), "");
}
static wshub_ws_desc proxied(void) {
    wshub_ws_desc d;
    memset(&d, 0, sizeof d);
    d.proxy = "http://u:p@p:3128";
    d.verify = WSHUB_VERIFY_CHAIN;
    return d;
}

TEST(tls_begins_behind_the_proxy_s_answer) {
    static const char *const through[] = {"HTTP/1.1 200 ok\r\n\r\n",
                                          "HTTP/1.1 103 x\r\n\r\nHTTP/1.0 299 ok\r\nA: b\r\n\r\n"};
    wshub_io_fake_desc fake;
    wshub_ws_desc d = proxied();
    char request[8192], accept[29], text[512];
    wshub_conn c;
    uint32_t cut, how, pends;
    memset(&fake, 0, sizeof fake);
    for (cut = 0; cut < 50; cut++) {
        for (how = 0; how < 2; how++) {
            for (pends = 0; pends < 2; pends++) {
                fake.cut_bytes = cut;
                fake.completion = pends;
                EXPECT(site_start(&s, false, &fake));
                (void)asks_proxy(&d, &c);
                asks_tls(c, through[how]);
                wshub_io_fake_answer(s.fake, c, true);
                site_request(&s, c, request, accept);
                EXPECT(strstr(request, "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade:") == request);
                EXPECT(!strstr(request, "Proxy") && !strstr(request, "dTpw"));
                (void)snprintf(text, sizeof text,
                               START UP CON "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi", accept);
                site_say(&s, c, text); /* what lies behind the 101 is kept */
                EXPECT_STR(site_told(&s), "opened\ntext hi\n");
                site_stop(&s);
            }
        }
    }
}
/* A proxy may cut anywhere: what came with its answer is TLS's, who opens it here as it is. */
TEST(what_comes_with_the_proxy_s_answer_is_kept) {
    wshub_io_fake_desc fake;
    wshub_ws_desc d = proxied();
    wshub_conn c;
    uint32_t cut;
    memset(&fake, 0, sizeof fake);
    for (cut = 0; cut < 60; cut++) {
        fake.cut_bytes = cut;
        EXPECT(site_start(&s, false, &fake));
        (void)asks_proxy(&d, &c);
        asks_tls(c, "HTTP/1.1 200 ok\r\n\r\nHTTP/1.1 404 no\r\n\r\n");
        wshub_io_fake_answer(s.fake, c, true);
        EXPECT_STR(site_told(&s), "ended status 404\n");
        site_stop(&s);
    }
}
TEST(what_fails_behind_a_proxy_says_where) {
    wshub_io_fake_desc fake;
    wshub_ws_desc d = proxied();
    wshub_conn c;
    wshub_ws ws;
    memset(&fake, 0, sizeof fake);
    EXPECT(site_start(&s, false, NULL));
    /* nobody is there */
    (void)site_open(&s, "wss://h/x", &d);
    wshub_io_fake_answer(s.fake, site_dialled(&s, "p:3128"), false);
    EXPECT_STR(site_told(&s), "ended connect\n");
    /* it refuses, is none, says nothing but its head's beginning, or too much of it */
    (void)asks_proxy(&d, &c);
    site_say(&s, c, "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest\r\n\r\nbody");
    EXPECT_STR(site_told(&s), "ended proxy 407\n");
    EXPECT_STR(s.gone_text, "the proxy answers 407 and asks for Digest");
    (void)asks_proxy(&d, &c);
    site_say(&s, c, "\x15\x03\x03");
    EXPECT_STR(site_told(&s), "ended proxy\n");
    (void)asks_proxy(&d, &c);
    site_say(&s, c, "HTTP/1.1 200 ok\r\nA: ");
    while (!s.told_len) site_say(&s, c, "0123456789012345678901234567890123456789");
    EXPECT_STR(site_told(&s), "ended proxy\n");
    EXPECT_STR(s.gone_text, "the head of the answer is too long");
    /* it goes, or hangs */
    (void)asks_proxy(&d, &c);
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "ended closed\n");
    (void)asks_proxy(&d, &c);
    wshub_io_fake_advance(s.fake, 20000);
    EXPECT_STR(site_told(&s), "ended timeout\n");
    /* TLS fails, or hangs, under the same deadline; or it is given up */
    (void)asks_proxy(&d, &c);
    asks_tls(c, "HTTP/1.1 200 ok\r\n\r\n");
    wshub_io_fake_answer(s.fake, c, false);
    EXPECT_STR(site_told(&s), "ended tls\n");
    (void)asks_proxy(&d, &c);
    wshub_io_fake_advance(s.fake, 12000);
    asks_tls(c, "HTTP/1.1 200 ok\r\n\r\n");
    wshub_io_fake_advance(s.fake, 7999);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended timeout\n");
    ws = asks_proxy(&d, &c);
    asks_tls(c, "HTTP/1.1 200 ok\r\n\r\n");
    EXPECT_INT(wshub_ws_state_of(s.pool, ws), WSHUB_WS_CONNECTING);
    EXPECT_INT(wshub_ws_close(s.pool, ws, 1000, (wshub_str){"", 0}), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "ended cancelled\n");
    EXPECT(wshub_io_fake_is_gone(s.fake, c));
    /* an answer to what has not been asked: what is left of it would go out encrypted */
    (void)site_open(&s, "wss://h/x", &d);
    c = site_dialled(&s, "p:3128");
    wshub_io_fake_window(s.fake, c, 5);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 200 ok\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended proxy\n");
    EXPECT_STR(s.gone_text, "the proxy answers before it has been asked");
    site_stop(&s);
    /* an io that cannot: nothing is dialled */
    fake.no_secure = true;
    EXPECT(site_start(&s, false, &fake));
    (void)site_open(&s, "wss://h/x", &d);
    EXPECT(!wshub_io_fake_dialled(s.fake, &c, NULL));
    EXPECT_STR(site_told(&s), "ended tls\n");
    EXPECT_HAS(s.gone_text, "proxy: this io cannot begin TLS");
    d.redirects_max = 1;
    (void)site_open(&s, "ws://h/x", &d);
    c = site_dialled(&s, "p:3128");
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 200 ok\r\n\r\nHTTP/1.1 301 x\r\nLocation: wss://h/y\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended redirect 301\n");
    EXPECT_HAS(s.gone_text, "cannot begin TLS");
    site_stop(&s);
}
/* What error() says is of something else, unless it is IO: then nothing but that tells more. */
static wshub_err refusal;
static const char *refusal_text;
static wshub_err refuses(void *ctx, wshub_conn conn, const wshub_dial *dial, const uint8_t *bytes,
                         size_t count) {
    (void)ctx;
    (void)conn;
    (void)dial;
    (void)bytes;
    (void)count;
    return refusal;
}
static const char *refuses_text(void *ctx) {
    (void)ctx;
    return refusal_text;
}
TEST(an_io_that_refuses_tls_is_named_by_its_error) {
    static const struct {
        wshub_err err;
        const char *said, *told, *text; /* NULL: the error's own */
    } all[] = {{WSHUB_ERR_IO, "no roots", "ended tls\n", "no roots"},
               {WSHUB_ERR_IO, "", "ended tls\n", NULL},
               {WSHUB_ERR_STALE, "of another", "ended tls\n", NULL},
               {WSHUB_ERR_PARAM, "of another", "ended tls\n", NULL},
               {WSHUB_ERR_NOMEM, "of another", "ended memory\n", "out of memory"}};
    wshub_ws_desc d = proxied();
    wshub_conn c;
    size_t i;
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        EXPECT(site_start(&s, false, NULL));
        s.pool->io.secure = refuses;
        s.pool->io.error = refuses_text;
        refusal = all[i].err;
        refusal_text = all[i].said;
        (void)asks_proxy(&d, &c);
        site_say(&s, c, "HTTP/1.1 200 ok\r\n\r\n");
        EXPECT_STR(site_told(&s), all[i].told);
        EXPECT_STR(s.gone_text, all[i].text ? all[i].text : wshub_strerror(all[i].err));
        EXPECT(wshub_io_fake_is_gone(s.fake, c));
        site_stop(&s);
    }
}
TEST(a_redirect_behind_a_proxy_asks_it_again) {
    wshub_ws_desc d = proxied();
    wshub_conn c, c2;
    int secure;
    d.redirects_max = 1;
    for (secure = 0; secure < 3; secure++) { /* ws to wss, wss to wss, wss to ws */
        EXPECT(site_start(&s, false, NULL));
        if (secure) {
            (void)asks_proxy(&d, &c);
            asks_tls(c, "HTTP/1.1 200 ok\r\n\r\n");
        } else {
            (void)site_open(&s, "ws://h/x", &d);
            c = site_dialled(&s, "p:3128");
        }
        wshub_io_fake_answer(s.fake, c, true);
        if (!secure) site_say(&s, c, "HTTP/1.1 200 ok\r\n\r\n");
        site_say(&s, c,
                 secure < 2 ? "HTTP/1.1 302 x\r\nLocation: https://h/y\r\n\r\n"
                            : "HTTP/1.1 302 x\r\nLocation: http://h/y\r\n\r\n");
        if (secure == 2) {
            EXPECT_STR(site_told(&s), "ended redirect 302\n");
            EXPECT(!wshub_io_fake_dialled(s.fake, &c2, NULL));
        } else {
            c2 = site_dialled(&s, "p:3128");
            EXPECT(wshub_io_fake_is_gone(s.fake, c));
            wshub_io_fake_answer(s.fake, c2, true);
            EXPECT_HAS(wshub_io_fake_output(s.fake, c2).ptr, "CONNECT h:443 HTTP/1.1\r\n");
            wshub_io_fake_take(s.fake, c2, 8192);
            asks_tls(c2, "HTTP/1.1 200 ok\r\n\r\n");
            wshub_io_fake_answer(s.fake, c2, true);
            site_accept(&s, c2, "", "");
            EXPECT_STR(site_told(&s), "opened\n");
        }
        site_stop(&s);
    }
}

/* d6: where a redirect of ws://h:81/a/b?c leads; NULL: nowhere. */
static const struct {
    const char *location, *dialled, *get;
    bool secrets;
} redirects[] = {
    {"/x?y#z", "h:81", "GET /x?y ", true},
    {"x", "h:81", "GET /a/x ", true},
    {"//other/x", "other:80", "GET /x ", false},
    {"http://h:81/x", "h:81", "GET /x ", true},
    {"ws://h/x", "h:80", "GET /x ", false},
    {"HTTPS://h:81", "h:81", "GET / ", false},
    {"", NULL, NULL, false},
    {"ftp://h/", NULL, NULL, false},
    {"http://u:p@h/", NULL, NULL, false},
    {"http://h:0/", NULL, NULL, false},
};
TEST(a_redirect_is_followed_if_asked_for_without_credentials_elsewhere) {
    static const wshub_header secrets[] = {{{"COOKIE", 6}, {"a=b", 3}},
                                           {{"X", 1}, {"kept", 4}},
                                           {{"authorization", 13}, {"Bearer t", 8}}};
    wshub_ws_desc d;
    wshub_conn c, c2;
    char text[256], request[8192], accept[29];
    size_t i;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.redirects_max = 1;
    d.headers = secrets;
    d.headers_count = 3;
    for (i = 0; i < sizeof redirects / sizeof *redirects; i++) {
        wshub_ws ws = site_open(&s, "ws://h:81/a/b?c", &d);
        c = site_dialled(&s, "h:81");
        wshub_io_fake_answer(s.fake, c, true);
        (void)snprintf(text, sizeof text, "HTTP/1.1 307 x\r\nLocation: %s\r\n\r\nbody",
                       redirects[i].location);
        site_say(&s, c, text);
        if (!redirects[i].dialled) {
            EXPECT_STR(site_told(&s), "ended redirect 307\n");
            continue;
        }
        c2 = site_dialled(&s, redirects[i].dialled);
        EXPECT(wshub_io_fake_is_gone(s.fake, c));
        wshub_io_fake_answer(s.fake, c2, true);
        site_request(&s, c2, request, accept);
        EXPECT(strncmp(request, redirects[i].get, strlen(redirects[i].get)) == 0);
        EXPECT_INT(strstr(request, "Bearer") != NULL, redirects[i].secrets);
        EXPECT_INT(strstr(request, "a=b") != NULL, redirects[i].secrets);
        EXPECT(strstr(request, "X: kept\r\n\r\n") || strstr(request, "X: kept\r\nauth"));
        site_say(&s, c2, text); /* in a circle */
        EXPECT_STR(site_told(&s), "ended redirect 307\n");
        EXPECT_INT(wshub_ws_state_of(s.pool, ws), WSHUB_WS_GONE);
    }
    (void)site_open(&s, "wss://h/", &d);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 301 x\r\nLocation: ws://h/\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended redirect 301\n");
    site_stop(&s);
}

/* Who is given credentials: the origin that the application has named (scheme, host, port), whatever
 * a redirect writes, and nobody else; nor anybody again behind somebody else. What an answer sets as a
 * cookie on the way is said to nobody. */
static const struct {
    const char *url;
    const char *hops[3]; /* where each answer leads; "dialled" follows for each */
    const char *dialled[3];
    bool kept; /* at the last one */
} hops[] = {
    {"ws://h/a", {"http://H/b"}, {"H:80"}, true},
    {"ws://h/a", {"ws://h:80/b"}, {"h:80"}, true},
    {"ws://h:80/a", {"//h/b"}, {"h:80"}, true},
    {"ws://Host.Example:81/a", {"WS://hOST.eXAMPLE:81/b"}, {"hOST.eXAMPLE:81"}, true},
    {"wss://h/a", {"https://H:443/b"}, {"H:443"}, true},
    {"wss://h:443/a", {"//h"}, {"h:443"}, true},
    {"wss://h:8443/a", {"HTTPS://h:8443/b"}, {"h:8443"}, true},
    {"ws://[::1]/a", {"http://[::1]:80/b"}, {"[::1]:80"}, true},
    {"ws://h/a", {"/b", "c", "?d"}, {"h:80", "h:80", "h:80"}, true},
    {"ws://h/a", {"wss://h/b"}, {"h:443"}, false},
    {"ws://h:443/a", {"wss://h:443/b"}, {"h:443"}, false},
    {"ws://h/a", {"ws://h:8080/b"}, {"h:8080"}, false},
    {"ws://h/a", {"ws://h./b"}, {"h.:80"}, false},
    {"ws://h/a", {"ws://hh/b"}, {"hh:80"}, false},
    {"ws://hh/a", {"ws://h/b"}, {"h:80"}, false},
    {"ws://h.example/a", {"ws://example/b"}, {"example:80"}, false},
    {"wss://h/a", {"wss://h:444/b"}, {"h:444"}, false},
    {"ws://127.0.0.1/a", {"ws://127.0.0.2/b"}, {"127.0.0.2:80"}, false},
    {"ws://a/", {"ws://b/", "ws://a/"}, {"b:80", "a:80"}, false},
    {"ws://a/", {"ws://b/", "/x", "ws://a/"}, {"b:80", "b:80", "a:80"}, false},
    {"ws://a/", {"wss://a/", "wss://a/x"}, {"a:443", "a:443"}, false},
};
static const wshub_header credentials[] = {{{"CookiE", 6}, {"session=s3cret", 14}},
                                           {{"Proxy-Authorization", 19}, {"Basic s3cret", 12}},
                                           {{"Cookies", 7}, {"kept", 4}},
                                           {{"AUTHORIZATION", 13}, {"Bearer s3cret", 13}},
                                           {{"X", 1}, {"Cookie: kept", 12}}};
TEST(credentials_are_for_the_origin_that_was_named) {
    wshub_ws_desc d;
    wshub_conn c;
    char text[300], request[8192], accept[29];
    size_t i, hop;
    memset(&d, 0, sizeof d);
    d.redirects_max = 3;
    d.headers = credentials;
    d.headers_count = sizeof credentials / sizeof *credentials;
    for (i = 0; i < sizeof hops / sizeof *hops; i++) {
        EXPECT(site_start(&s, false, NULL));
        (void)site_open(&s, hops[i].url, &d);
        c = site_dialled(&s, NULL);
        wshub_io_fake_answer(s.fake, c, true);
        site_request(&s, c, request, accept);
        EXPECT_HAS(request, "CookiE: session=s3cret\r\nProxy-Authorization: Basic s3cret\r\n");
        EXPECT_HAS(request, "AUTHORIZATION: Bearer s3cret\r\n");
        for (hop = 0; hop < 3 && hops[i].hops[hop]; hop++) {
            (void)snprintf(text, sizeof text,
                           "HTTP/1.1 30%d x\r\nSet-Cookie: set=s3t; Path=/\r\nLocation: %s\r\n\r\n",
                           hop == 1 ? 8 : 2, hops[i].hops[hop]);
            site_say(&s, c, text);
            c = site_dialled(&s, hops[i].dialled[hop]);
            EXPECT_INT(wshub_io_fake_dial(s.fake, c)->secure,
                       strstr(hops[i].dialled[hop], "443") || strstr(hops[i].dialled[hop], "444"));
            wshub_io_fake_answer(s.fake, c, true);
            site_request(&s, c, request, accept);
            EXPECT_HAS(request, "Cookies: kept\r\n");
            EXPECT_HAS(request, "X: Cookie: kept\r\n");
            EXPECT(!strstr(request, "s3t"));
        }
        if (!hops[i].kept == !!strstr(request, "s3cret")) printf("  %s\n", hops[i].url);
        EXPECT_INT(strstr(request, "session=s3cret") != NULL, hops[i].kept);
        EXPECT_INT(strstr(request, "Basic s3cret") != NULL, hops[i].kept);
        EXPECT_INT(strstr(request, "Bearer s3cret") != NULL, hops[i].kept);
        site_stop(&s);
    }
}
TEST(no_redirect_leads_out_of_tls) {
    static const char *const out[] = {"ws://h/", "http://h/", "HTTP://h/", "ws://h:443/",
                                      "WS://x/"};
    wshub_ws_desc d;
    wshub_conn c;
    char text[200];
    size_t i, first;
    memset(&d, 0, sizeof d);
    d.redirects_max = 5;
    for (i = 0; i < sizeof out / sizeof *out; i++) {
        for (first = 0; first < 2; first++) { /* asked for, or led to */
            EXPECT(site_start(&s, false, NULL));
            (void)site_open(&s, first ? "ws://h/" : "wss://h/", &d);
            c = site_dialled(&s, NULL);
            wshub_io_fake_answer(s.fake, c, true);
            if (first) {
                site_say(&s, c, "HTTP/1.1 301 x\r\nLocation: https://h/\r\n\r\n");
                c = site_dialled(&s, "h:443");
                wshub_io_fake_answer(s.fake, c, true);
            }
            (void)snprintf(text, sizeof text, "HTTP/1.1 301 x\r\nLocation: %s\r\n\r\n", out[i]);
            site_say(&s, c, text);
            EXPECT_STR(site_told(&s), "ended redirect 301\n");
            EXPECT_STR(s.gone_text, "redirected from wss to ws");
            EXPECT(!wshub_io_fake_dialled(s.fake, &c, NULL));
            site_stop(&s);
        }
    }
}
/* A proxy's credentials are its own, whoever is reached through it; a server's are not the proxy's. */
TEST(a_proxy_keeps_its_credentials_over_a_redirect_and_no_server_has_them) {
    wshub_ws_desc d;
    wshub_conn c;
    char request[8192], accept[29];
    int hop;
    memset(&d, 0, sizeof d);
    d.proxy = "http://u:p@p:3128";
    d.redirects_max = 1;
    d.headers = credentials;
    d.headers_count = sizeof credentials / sizeof *credentials;
    EXPECT(site_start(&s, false, NULL));
    (void)site_open(&s, "ws://h/x", &d);
    for (hop = 0; hop < 2; hop++) {
        c = site_dialled(&s, "p:3128");
        wshub_io_fake_answer(s.fake, c, true);
        EXPECT_STR(wshub_io_fake_output(s.fake, c).ptr,
                   hop ? "CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n"
                         "Proxy-Authorization: Basic dTpw\r\n\r\n"
                       : "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n"
                         "Proxy-Authorization: Basic dTpw\r\n\r\n");
        wshub_io_fake_take(s.fake, c, 8192);
        site_say(&s, c, "HTTP/1.1 200 ok\r\n\r\n");
        site_request(&s, c, request, accept);
        EXPECT(!strstr(request, "dTpw"));
        EXPECT_INT(strstr(request, "s3cret") != NULL, !hop);
        site_say(&s, c, "HTTP/1.1 302 x\r\nLocation: ws://other/\r\n\r\n");
    }
    EXPECT_STR(site_told(&s), "ended redirect 302\n");
    site_stop(&s);
}
TEST(a_redirect_without_memory_says_so) {
    wshub_ws_desc d;
    wshub_conn c;
    memset(&d, 0, sizeof d);
    d.redirects_max = 1;
    EXPECT(site_start(&s, false, NULL));
    (void)site_open(&s, "ws://h/a", &d);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 302 x\r\nLocation: /b\r\n\r");
    s.fail_in = 1;
    site_say(&s, c, "\n");
    EXPECT_STR(site_told(&s), "ended memory\n");
    site_stop(&s);
}

/* What was answered on the way is not told of the end, and the io keeps what it has not sent as long
 * as it needs it. */
TEST(a_redirect_that_was_followed_leaves_nothing_behind) {
    wshub_io_fake_desc slow;
    wshub_ws_desc d;
    wshub_conn c;
    int pends;
    memset(&slow, 0, sizeof slow);
    slow.completion = true;
    memset(&d, 0, sizeof d);
    d.redirects_max = 1;
    for (pends = 0; pends < 2; pends++) {
        EXPECT(site_start(&s, false, pends ? &slow : NULL));
        (void)site_open(&s, "ws://h:81/a", &d);
        c = site_dialled(&s, "h:81");
        wshub_io_fake_hold(s.fake, true);
        wshub_io_fake_answer(s.fake, c, true);
        wshub_io_fake_window(s.fake, c, 0); /* an answer before the request has left */
        wshub_io_fake_hold(s.fake, false);
        site_say(&s, c, "HTTP/1.1 307 x\r\nLocation: /b\r\n\r\n");
        c = site_dialled(&s, "h:81");
        wshub_io_fake_answer(s.fake, c, true);
        site_accept(&s, c, "", "");
        site_frame(&s, c, 0x88, "\x03\xE8", 2);
        wshub_io_fake_end(s.fake, c);
        EXPECT_STR(site_told(&s), "opened\nended close 1000\n");
        site_stop(&s);
    }
}

/* ---- timers (LIVE-3) ---- */

static wshub_ws_timer twice[2];
static unsigned fired, others;
static void again_at_once(void *ctx) {
    fired++;
    EXPECT_OP(fired, <, 1000); /* in one turn: the loop would stand still */
    if (fired < 1000) wshub_ws_timer_start(s.pool, (wshub_ws_timer *)ctx, 1);
}
static void other_one(void *ctx) {
    (void)ctx;
    others++;
}
TEST(a_timer_that_starts_itself_at_once_lets_the_loop_breathe) {
    EXPECT(site_start(&s, false, NULL));
    memset(twice, 0, sizeof twice);
    fired = others = 0;
    twice[0].fire = again_at_once;
    twice[0].ctx = &twice[0];
    twice[1].fire = other_one;
    EXPECT_INT(wshub_ws_timer_add(s.pool, &twice[0]), WSHUB_OK);
    EXPECT_INT(wshub_ws_timer_add(s.pool, &twice[1]), WSHUB_OK);
    wshub_ws_timer_start(s.pool, &twice[0], 1);
    wshub_ws_timer_start(s.pool, &twice[1], wshub_io_fake_now(s.fake)); /* due as well */
    wshub_io_fake_run(s.fake);
    EXPECT_OP(fired, >, 1); /* in turns of its own */
    EXPECT_INT(others, 1);  /* which does not keep others from theirs */
    wshub_ws_timer_remove(s.pool, &twice[0]);
    wshub_ws_timer_remove(s.pool, &twice[1]);
    site_stop(&s);
}
