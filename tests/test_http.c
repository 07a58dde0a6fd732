/* HTTP on a stream: what is answered to what, whole and at every cut; heads that are slow,
 * large or broken, and memory that ends (CONN-2, CONN-3; RFC 9112). */
#include "hubtest.h"

TEST(names_are_compared_without_regard_to_case) { /* RFC 9110 5.1 */
    EXPECT(wshub__same("Host", "Host", 4) && wshub__same("hOsT", "HoSt", 4));
    EXPECT(!wshub__same("Host", "Hose", 4) && !wshub__same("@", "`", 1));
    EXPECT(wshub__same(NULL, NULL, 0)); /* nothing is nothing */
}

static bool on_request(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    wshub_reply reply;
    (void)user;
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    reply.content_type = "text/plain";
    reply.body = h->body.len ? h->body : h->path;
    if (wshub_str_eq_z(h->path, "/no")) return false;
    if (wshub_str_eq_z(h->path, "/never")) return true;
    if (wshub_str_eq_z(h->path, "/close")) reply.close = true;
    EXPECT_INT(wshub_http_reply(hub, r, &reply), WSHUB_OK);
    EXPECT_INT(wshub_http_reply(hub, r, &reply), WSHUB_ERR_STALE);
    EXPECT_OP(h->path.len, >, 0); /* its texts are still there */
    return true;
}
#define UPGRADE_HEAD                                                                               \
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "                              \
    "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
static const struct {
    const char *request;
    int status;
    const char *body;
    /* clang-format off */
} cases[] = {
    {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/a"},
    {"\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/a"},
    {"\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
    {"GET /no HTTP/1.1\r\nHost: h\r\n\r\n", 404, "Not Found"},
    {"GET http://h:80/abs?q HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/abs"},
    {"GET ws://h HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/"},
    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 200, "*"},
    {"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
    {"GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
    {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.0\r\n\r\n", 200, "/a"},
    {"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505, ""},
    {"GET /a HTTP/11\r\nHost: h\r\n\r\n", 400, ""},
    {"GET /a\r\nHost: h\r\n\r\n", 400, ""},
    {"G@T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\n\r\n", 400, ""}, /* no Host */
    {"GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h h\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h:x\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200, "/a"},
    /* blank before the colon */
    {"GET /a HTTP/1.1\r\nHost: h\r\nX : 1\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h\r\nX: 1\r\n folded\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h\rX: 1\r\n\r\n", 400, ""}, /* bare CR */
    {"GET /a HTTP/1.1\nHost: h\n\n", 400, ""},             /* bare LF */
    {"GET /a HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n", 413, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
     "chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n",
     200, "abcde"},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400,
     ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", 413, ""},
    {UPGRADE_HEAD "\r\n", 101, ""},
    {UPGRADE_HEAD "Origin: https://ok.example\r\n\r\n", 101, ""},
    {UPGRADE_HEAD "Origin: https://evil.example\r\n\r\n", 403, ""},
    {UPGRADE_HEAD "Content-Length: 1\r\n\r\nx", 400, ""},
    {UPGRADE_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
    {UPGRADE_HEAD "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400, ""},
    {UPGRADE_HEAD "Sec-WebSocket-Protocol: a, b\r\n\r\n", 101, ""},
    {UPGRADE_HEAD "Sec-WebSocket-Protocol: a@b\r\n\r\n", 400, ""},
    {"GET /ws?x=1 HTTP/1.1\r\nHost: h\r\nConnection:keep-alive,\tUPGRADE \r\nUpgrade:\tfoo, "
     "WebSocket\t\r\nSec-WebSocket-Version:13\r\nSec-WebSocket-Key: "
     "dGhlIHNhbXBsZSBub25jZQ==\t\r\n\r\n",
     101, ""},
    {"GET /ws HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
     "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUpgrade: "
     "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
     "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\nSec-WebSocket-Version: 013\r\nSec-WebSocket-Key: "
     "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     426, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     426, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
     400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
     "dGhlIHNhbXBsZSBub25j!Q==\r\n\r\n",
     400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
     400, ""},
};
/* clang-format on */
static const char *const origins[] = {"https://ok.example", "https://*.sub.example"};

TEST(requests_get_their_answer_at_every_cut) { /* CONN-2; RFC6455.md goal 1 */
    size_t i, k, n, runs = 0;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        n = strlen(cases[i].request);
        /* in two pieces, cut at k; k = n: whole; and once byte by byte */
        for (k = 0; k <= n; k++) {
            world w;
            wshub_conn c;
            wshub_str out;
            world_start(&w,
                        DESC(.on_request = on_request, .allowed_origins = origins,
                             .allowed_origins_count = 2),
                        FAKE(.cut_bytes = k == 0));
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, cases[i].request, k ? k : n);
            if (k && k < n) wshub_io_fake_input(w.net, c, cases[i].request + k, n - k);
            out = wshub_io_fake_output(w.net, c);
            if (out.len < 12 || atoi(out.ptr + 9) != cases[i].status ||
                (out.len >= strlen(cases[i].body) && !strstr(out.ptr, cases[i].body))) {
                (void)printf("  cut at %u: %s\n  got %.*s\n", (unsigned)k, cases[i].request,
                             (int)out.len, out.ptr);
                EXPECT(!"this answer");
                k = n;
            }
            if (cases[i].status == 426)
                EXPECT(strstr(out.ptr, "Sec-WebSocket-Version: 13") &&
                       strstr(out.ptr, "Upgrade: websocket"));
            EXPECT(
                wshub_io_fake_is_open(w.net, c) ==
                    (cases[i].status == 101 || cases[i].status == 200 || cases[i].status == 404) ||
                strstr(cases[i].request, "HTTP/1.0"));
            world_stop(&w);
            runs++;
        }
    }
    (void)printf("  %u requests\n", (unsigned)runs);
}

TEST(requests_follow_each_other_on_one_stream) { /* keep-alive and pipelining */
    world w;
    wshub_conn c;
    wshub_str out;
    world_start(&w, DESC(.on_request = on_request), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c,
                        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: "
                        "h\r\nContent-Length: 2\r\n\r\nzwHEAD /3 HTTP/1.1\r\nHost: h\r\n\r\nGET "
                        "/close HTTP/1.1\r\nHost: h\r\n\r\nGET /5 HTTP/1.1\r\n",
                        150);
    out = wshub_io_fake_output(w.net, c);
    EXPECT(strstr(out.ptr, "/1HTTP/1.1 200") && strstr(out.ptr, "zwHTTP/1.1 200") &&
           strstr(out.ptr, "Content-Length: 2\r\n\r\nHTTP") &&
           strstr(out.ptr, "Connection: close"));
    EXPECT(!strstr(out.ptr, "/5") && !wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

TEST(a_slow_or_large_head_is_cut_off) { /* CONN-3 */
    world w;
    wshub_conn c;
    int i;
    static char big[17000];
    world_start(&w, DESC(.head_timeout_ms = 1000), FAKE(0));
    c = wshub_io_fake_open(w.net);
    for (i = 0; i < 9; i++) { /* one byte each 100 ms moves no deadline */
        wshub_io_fake_input(w.net, c, &"GET / HTTP"[i], 1);
        wshub_io_fake_advance(w.net, 100);
        EXPECT(wshub_io_fake_is_open(w.net, c));
    }
    wshub_io_fake_advance(w.net, 99);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    memset(big, 'a', sizeof big);
    memcpy(big, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 28);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, big, sizeof big);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "431 Request");
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "GET / HTTP/1.1\r\nHost: h\r\n", 25);
    for (i = 0; i < 101; i++) wshub_io_fake_input(w.net, c, "X: y\r\n", 6);
    wshub_io_fake_input(w.net, c, "\r\n", 2);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "431 Request");
    world_stop(&w);
}

TEST(a_full_hub_says_503) { /* CONN-2 */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.clients_max = 1), FAKE(0));
    EXPECT(wshub_io_fake_connect(w.net, "/ws").id);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, UPGRADE_HEAD "\r\n", sizeof UPGRADE_HEAD + 1);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "503 Service Unavailable");
    world_stop(&w);
}

/* wshub__http_parse() alone: what looks for the end of a head would not let these through */
TEST(heads_that_end_before_their_end) {
    static const char head[] = "GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n";
    wshub_header headers[4];
    wshub_http h;
    const char *why;
    size_t i;
    char text[sizeof head];
    int status;
    for (i = 0; i < sizeof head - 1; i++) {
        uint8_t *cut = (uint8_t *)malloc(i + 1);
        memcpy(cut, head, i);
        EXPECT_INT(wshub__http_parse(cut, i, headers, 4, &h, &why), 400);
        free(cut);
    }
    for (i = 0; i < sizeof head - 1; i++) { /* LF that is none */
        if (head[i] != '\n') continue;
        memcpy(text, head, sizeof head);
        text[i] = 'x';
        EXPECT_INT(wshub__http_parse((uint8_t *)text, sizeof head - 1, headers, 4, &h, &why), 400);
    }
    memcpy(text, "GET /a HTTP/1.1\r\nHost: h\r\n\r\nmore", 32);
    EXPECT_INT(wshub__http_parse((uint8_t *)text, 32, headers, 4, &h, &why), 400);
    memset(&h, 0, sizeof h);
    EXPECT(!wshub__http_authority(&h).ptr); /* no target, and no Host */
    EXPECT(!wshub__http_host_ok(wshub__str("a\0", 2)));
    EXPECT(wshub__http_host_ok(nul()));
    EXPECT(!wshub__http_is_token(nul()) && !wshub__http_is_token(wshub__str("\0", 1)));
    for (status = 90; status < 600; status++) EXPECT_OP(strlen(wshub__http_phrase(status)), >, 1);
    {
        uint64_t left = 0;
        uint32_t digits = 0, overhead = 0;
        EXPECT_INT(wshub__chunk_byte(WSHUB__CHUNK_DATA, 'x', &left, &digits, &overhead),
                   WSHUB__CHUNK_BAD);
        EXPECT_INT(wshub__chunk_byte(WSHUB__CHUNK_DONE, 'x', &left, &digits, &overhead),
                   WSHUB__CHUNK_BAD);
        EXPECT_INT(wshub__chunk_byte(WSHUB__CHUNK_BAD, 'x', &left, &digits, &overhead),
                   WSHUB__CHUNK_BAD);
    }
    EXPECT(wshub__origin_match(S("https://*x"), S("https://*x")) &&
           !wshub__origin_match(S("https://ax"), S("https://*x")));
    EXPECT(!wshub__origin_match(S("https://a..b.x"), S("https://*.x")) &&
           wshub__origin_match(S("https://a.b.x"), S("https://*.x")) &&
           !wshub__origin_match(S("a"), S("b")) && wshub__origin_match(S("x"), S("x")));
    {
        char iso[24];
        wshub_iso_time(0, iso);
        EXPECT(memcmp(iso, "1970-01-01T00:00:00.000Z", 24) == 0);
        wshub_iso_time(UINT64_C(951782399999), iso);
        EXPECT(memcmp(iso, "2000-02-28T23:59:59.999Z", 24) == 0);
        wshub_iso_time(UINT64_C(951782400000), iso);
        EXPECT(memcmp(iso, "2000-02-29T00:00:00.000Z", 24) == 0);
        wshub_iso_time(UINT64_C(4107542400000), iso); /* 2100 is no leap year */
        EXPECT(memcmp(iso, "2100-03-01T00:00:00.000Z", 24) == 0);
        wshub_iso_time(UINT64_C(253402300799999), iso);
        EXPECT(memcmp(iso, "9999-12-31T23:59:59.999Z", 24) == 0);
        wshub_iso_time(UINT64_MAX, iso); /* a broken calendar: some text, no more than that */
        EXPECT(memcmp(iso, "9999-", 5) == 0 && iso[23] == 'Z');
    }
}

/* Repeats a scenario with the log full and the n-th allocation failing, for every n. */
static void every_starved(void (*scenario)(world *w)) {
    long n;
    bool reached = true;
    for (n = 1; n < 60 && reached; n++) {
        world w;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        fill_log(&w);
        w.fail_at = n;
        scenario(&w);
        reached = w.fail_at == 0;
        w.fail_at = 0;
        wshub_io_fake_run(w.net);
        EXPECT(wshub_io_fake_connect(w.net, "/ws").id); /* it serves the next */
        world_stop(&w);
    }
    EXPECT(n < 60 && n > 2);
}
static void s_request(world *w) {
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, GET, sizeof GET - 1);
}
static void s_upgrade(world *w) {
    static const char up[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                             "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                             "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, up, sizeof up - 1);
}
static void s_body(world *w) {
    static const char post[] = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n";
    static const char body[4000];
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, post, sizeof post - 1);
    wshub_io_fake_input(w->net, c, body, sizeof body);
}
static void s_bad_request(world *w) {
    wshub_conn c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, c, "\n", 1);
}

TEST(starved_http) {
    every_starved(s_request);
    every_starved(s_upgrade);
    every_starved(s_body);
    every_starved(s_bad_request);
}

TEST(hosts_that_are_served) { /* DNS rebinding: other names are answered 421, and counted */
    /* clang-format off */
    static const char *const bad[] = {
        "", "a/b", "http://a", "a b", ".a", "a..b", "*.", "*.[::1]", "a:", "a:0", "a:99999",
        "[::1", "*a", "*ab",
    };
    /* clang-format on */
    static const struct {
        const char *rule, *head;
        bool ok;
        /* clang-format off */
    } table[] = {
        {"localhost", "Host: localhost", true},
        {"localhost", "Host: LOCALHOST:8080", true},
        {"localhost", "Host: localhost:", true},
        {"localhost", "Host: evil.test", false},
        {"localhost", "Host: localhost.evil.test", false},
        {"localhost", "Host: xlocalhost", false},
        {"localhost", "Host:", false},
        {"localhost", "X: y", false},
        {"localhost:8080", "Host: localhost:8080", true},
        {"localhost:8080", "Host: localhost", false},
        {"localhost:8080", "Host: localhost:80", false},
        {"127.0.0.1", "Host: 127.0.0.1:9", true},
        {"127.0.0.1", "Host: 127.0.0.10", false},
        {"[::1]", "Host: [::1]", true},
        {"[::1]", "Host: [::1]:80", true},
        {"[::1]:80", "Host: [::1]:80", true},
        {"[::1]:80", "Host: [::1]", false},
        {"[::1]", "Host: [::2]", false},
        {"*.a.test", "Host: x.a.test", true},
        {"*.a.test", "Host: x.y.a.test:443", true},
        {"*.a.test", "Host: a.test", false},
        {"*.a.test", "Host: .a.test", false},
        {"*.a.test", "Host: ..a.test", false},
        {"*.a.test", "Host: xa.test", false},
        {"*.a.test:81", "Host: x.a.test:81", true},
        {"*.a.test:81", "Host: x.a.test", false},
        {"1", "Host: 1", true},
        {"80", "Host: 80", true},
    };
    /* clang-format on */
    size_t i;
    int k;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!is_refused((wshub_desc){.allowed_hosts = &bad[i], .allowed_hosts_count = 1},
                        "allowed_hosts")) {
            test_failures++;
            (void)printf("  `%s` is taken\n", bad[i]);
        }
    }
    wshub_io_fake_destroy(refusal_net);
    for (i = 0; i < sizeof table / sizeof *table; i++) {
        /* a page, an upgrade; the same as a target that names another host than Host does */
        for (k = 0; k < 3; k++) {
            bool bare = strcmp(table[i].head, "X: y") == 0,
                 absolute = k == 2 && strlen(table[i].head) > 6 && !bare;
            const char *two[] = {"nobody.test", NULL};
            char ask[400], target[80];
            world w;
            wshub_conn c;
            wshub_str out;
            two[1] = table[i].rule;
            (void)snprintf(target, sizeof target, "%s%s/%s", absolute ? "http://" : "",
                           absolute ? table[i].head + 6 : "", k ? "ws" : "");
            (void)snprintf(
                ask, sizeof ask, "GET %s HTTP/1.%d\r\n%s\r\n%s\r\n", target, bare ? 0 : 1,
                absolute ? "Host: nobody.test" : table[i].head,
                k && !bare ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
                             "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           : "");
            world_start(&w, DESC(.allowed_hosts = two, .allowed_hosts_count = 2), FAKE(0));
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, ask, strlen(ask));
            wshub_io_fake_run(w.net);
            out = wshub_io_fake_output(w.net, c);
            EXPECT(out.len > 12 && memcmp(out.ptr + 9,
                                          !table[i].ok ? "421"
                                          : k          ? "101"
                                                       : "404",
                                          3) == 0);
            /* the host is refused, whatever was wanted of it */
            if (!table[i].ok) EXPECT_INT(stats(&w).upgrades_refused, 0);
            if (test_failures && (out.len < 12 || memcmp(out.ptr + 9,
                                                         !table[i].ok ? "421"
                                                         : k          ? "101"
                                                                      : "404",
                                                         3) != 0))
                (void)printf("  %s | %s\n  %.*s\n", table[i].rule, ask,
                             (int)(out.len < 40 ? out.len : 40), out.ptr);
            EXPECT_INT(stats(&w).hosts_refused, table[i].ok ? 0 : 1);
            world_stop(&w);
        }
    }
    { /* of an absolute form the host ends with the text, too, or with the query */
        /* clang-format off */
        static const char *const one[] = {
            "h"}, *const targets[] = {"http://h", "http://h?q", "http://h/", "http://g",
            "http://g?h", "http://g/h",
        };
        /* clang-format on */
        for (i = 0; i < 6; i++) {
            char ask[80];
            world w;
            wshub_conn c;
            (void)snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", targets[i]);
            world_start(&w, DESC(.allowed_hosts = one, .allowed_hosts_count = 1), FAKE(0));
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, ask, strlen(ask));
            EXPECT(memcmp(wshub_io_fake_output(w.net, c).ptr + 9, i < 3 ? "404" : "421", 3) == 0);
            world_stop(&w);
        }
    }
    { /* `*` is about the server, whose name is in Host */
        static const char *const one[] = {"h"};
        static const char star[] = "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n";
        world w;
        wshub_conn c;
        world_start(&w, DESC(.allowed_hosts = one, .allowed_hosts_count = 1), FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, star, sizeof star - 1);
        EXPECT(memcmp(wshub_io_fake_output(w.net, c).ptr + 9, "204", 3) == 0);
        world_stop(&w);
    }
}
