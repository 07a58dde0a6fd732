/* HTTP on a stream (CONN-1 to CONN-3): what is answered to what, whole and at every cut. */
#include "hubtest.h"

static bool on_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
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
    EXPECT(h->path.len > 0); /* its texts are still there */
    return true;
}

#define UP "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
static const struct { const char *request; int status; const char *body; } cases[] = {
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
    {"GET /a HTTP/1.1\r\n\r\n", 400, ""},                                  /* no Host */
    {"GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h h\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h:x\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200, "/a"},
    {"GET /a HTTP/1.1\r\nHost: h\r\nX : 1\r\n\r\n", 400, ""},             /* blank before the colon */
    {"GET /a HTTP/1.1\r\nHost: h\r\nX: 1\r\n folded\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h\rX: 1\r\n\r\n", 400, ""},                /* bare CR */
    {"GET /a HTTP/1.1\nHost: h\n\n", 400, ""},                            /* bare LF */
    {"GET /a HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400, ""},
    {"GET /a HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n", 413, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n", 200, "abcde"},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501, ""},
    {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", 413, ""},
    {UP "\r\n", 101, ""},
    {UP "Origin: https://ok.example\r\n\r\n", 101, ""},
    {UP "Origin: https://evil.example\r\n\r\n", 403, ""},
    {UP "Content-Length: 1\r\n\r\nx", 400, ""},
    {UP "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
    {UP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400, ""},
    {UP "Sec-WebSocket-Protocol: a, b\r\n\r\n", 101, ""},
    {UP "Sec-WebSocket-Protocol: a@b\r\n\r\n", 400, ""},
    {"GET /ws?x=1 HTTP/1.1\r\nHost: h\r\nConnection:keep-alive,\tUPGRADE \r\nUpgrade:\tfoo, WebSocket\t\r\nSec-WebSocket-Version:13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\t\r\n\r\n", 101, ""},
    {"GET /ws HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 013\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n", 400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n\r\n", 400, ""},
    {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400, ""},
};

static const char *const origins[] = {"https://ok.example", "https://*.sub.example"};

TEST(requests_get_their_answer_at_every_cut) { /* CONN-2; RFC6455.md goal 1 */
    size_t i, k, n, runs = 0;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        n = strlen(cases[i].request);
        for (k = 0; k <= n; k++) { /* in two pieces, cut at k; k = n: whole; and once byte by byte */
            world w;
            wshub_conn c;
            wshub_str out;
            world_start(&w, DESC(.on_request = on_request, .allowed_origins = origins, .allowed_origins_count = 2), FAKE(.cut_bytes = k == 0));
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, c, cases[i].request, k ? k : n);
            if (k && k < n) wshub_io_fake_input(w.net, c, cases[i].request + k, n - k);
            out = wshub_io_fake_output(w.net, c);
            if (out.len < 12 || atoi(out.ptr + 9) != cases[i].status || (out.len >= strlen(cases[i].body) && !strstr(out.ptr, cases[i].body))) {
                (void)printf("  cut at %u: %s\n  got %.*s\n", (unsigned)k, cases[i].request, (int)out.len, out.ptr);
                EXPECT(!"this answer");
                k = n;
            }
            if (cases[i].status == 426) EXPECT(strstr(out.ptr, "Sec-WebSocket-Version: 13") && strstr(out.ptr, "Upgrade: websocket"));
            EXPECT(wshub_io_fake_is_open(w.net, c) == (cases[i].status == 101 || cases[i].status == 200 || cases[i].status == 404) || strstr(cases[i].request, "HTTP/1.0"));
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
    wshub_io_fake_input(w.net, c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nzwHEAD /3 HTTP/1.1\r\nHost: h\r\n\r\nGET /close HTTP/1.1\r\nHost: h\r\n\r\nGET /5 HTTP/1.1\r\n", 150);
    out = wshub_io_fake_output(w.net, c);
    EXPECT(strstr(out.ptr, "/1HTTP/1.1 200") && strstr(out.ptr, "zwHTTP/1.1 200") && strstr(out.ptr, "Content-Length: 2\r\n\r\nHTTP") && strstr(out.ptr, "Connection: close"));
    EXPECT(!strstr(out.ptr, "/5") && !wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

static wshub_request kept;
static bool keep_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    kept = r;
    return true;
}

TEST(an_answer_may_come_later_or_never) {
    world w;
    wshub_conn c, d;
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 204;
    world_start(&w, DESC(.on_request = keep_request, .http_timeout_ms = 1000), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n", 56);
    wshub_io_fake_advance(w.net, 500);
    EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);
    EXPECT_INT(wshub_http_reply(w.hub, kept, &r), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "204 No Content"));
    r.status = 99;
    EXPECT_INT(wshub_http_reply(w.hub, kept, &r), WSHUB_ERR_PARAM);
    r.status = 200;
    {
        wshub_header bad = {{"X", 1}, {"a\r\nb", 4}};
        r.headers = &bad;
        r.headers_count = 1;
        EXPECT_INT(wshub_http_reply(w.hub, kept, &r), WSHUB_ERR_PARAM);
    }
    wshub_io_fake_advance(w.net, 1000); /* nobody answers the second */
    EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "503 Service Unavailable"));
    d = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, d, "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n", 28);
    wshub_io_fake_end(w.net, d);
    r.headers_count = 0;
    EXPECT_INT(wshub_http_reply(w.hub, kept, &r), WSHUB_ERR_STALE);
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
    EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "431 Request"));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "GET / HTTP/1.1\r\nHost: h\r\n", 25);
    for (i = 0; i < 101; i++) wshub_io_fake_input(w.net, c, "X: y\r\n", 6);
    wshub_io_fake_input(w.net, c, "\r\n", 2);
    EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "431 Request"));
    world_stop(&w);
}

static int choose;
static void on_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    (void)hub;
    (void)h;
    EXPECT_INT(up->protocols_count, 2);
    up->protocol = choose;
    if (choose == 9) up->refuse = 403;
    up->user_ptr = user;
}

TEST(the_application_chooses_the_subprotocol_and_may_refuse) {
    static const char up[] = UP "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n";
    world w;
    for (choose = -1; choose < 10; choose += choose == 1 ? 8 : 1) {
        wshub_conn c;
        const char *out;
        world_start(&w, DESC(.on_upgrade = on_upgrade), FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, up, sizeof up - 1);
        out = wshub_io_fake_output(w.net, c).ptr;
        if (choose == -1) EXPECT(strstr(out, " 101 ") && !strstr(out, "WebSocket-Protocol"));
        if (choose == 0) EXPECT(strstr(out, "Sec-WebSocket-Protocol: chat\r\n"));
        if (choose == 1) EXPECT(strstr(out, "Sec-WebSocket-Protocol: superchat\r\n"));
        if (choose == 9) EXPECT(strstr(out, " 403 "));
        world_stop(&w);
    }
}

TEST(a_full_hub_says_503) { /* CONN-2 */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.clients_max = 1), FAKE(0));
    EXPECT(wshub_io_fake_connect(w.net, "/ws").id);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, UP "\r\n", sizeof UP + 1);
    EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "503 Service Unavailable"));
    world_stop(&w);
}

TEST(want_of_memory_for_one_stream_does_not_reach_the_next) { /* what a stream gathers it gathers in a place lent by the hub */
    static const char get[] = "GET /other HTTP/1.1\r\nHost: h\r\n\r\n", post[] = "POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", frame[] = "\x01\x83\0\0\0\0abc";
    const struct { const char *bytes; size_t count, cut; bool upgraded; } ways[] = {
        {get, sizeof get - 1, 9, false}, {post, sizeof post - 1, 9, false}, {post, sizeof post - 1, sizeof post - 1, false}, {frame, sizeof frame - 1, 7, true}, {frame, sizeof frame - 1, 1, true}};
    size_t i;
    long nth;
    for (i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (nth = 1; nth < 6; nth++) { /* the nth allocation while the first stream is read fails */
            world w;
            wshub_conn a, b;
            world_start(&w, DESC(.payload_bytes_max = 1000), FAKE(0));
            a = ways[i].upgraded ? wshub_io_fake_connect(w.net, "/ws") : wshub_io_fake_open(w.net);
            w.fail_at = nth;
            wshub_io_fake_input(w.net, a, ways[i].bytes, ways[i].cut);
            w.fail_at = 0;
            b = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, b, get, 9);
            wshub_io_fake_input(w.net, b, get + 9, sizeof get - 10);
            EXPECT(strstr(wshub_io_fake_output(w.net, b).ptr, " 404 ") != NULL);
            b = wshub_io_fake_connect(w.net, "/ws");
            wshub_io_fake_send(w.net, b, 1, false, "ju", 2);
            wshub_io_fake_send(w.net, b, 0, true, "nk", 2);
            EXPECT(strstr(wshub_io_fake_output(w.net, b).ptr, "Invalid message format") != NULL);
            world_stop(&w);
        }
    }
}

TEST(an_upgrade_that_wants_memory_is_refused_as_one) { /* CONN-2 */
    static const char up[] = UP "\r\n";
    long nth;
    int refused = 0;
    for (nth = 1; nth < 12; nth++) {
        world w;
        wshub_conn c;
        const char *out;
        world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
        c = wshub_io_fake_open(w.net);
        w.fail_at = nth;
        wshub_io_fake_input(w.net, c, up, sizeof up - 1);
        w.fail_at = 0;
        out = wshub_io_fake_output(w.net, c).ptr;
        if (strstr(out, " 500 ")) {
            refused++;
            EXPECT_INT(stats(&w).upgrades_refused, 1);
            EXPECT(strstr(out, "WebSocket upgrade failed\n"));
        } else {
            EXPECT_INT(stats(&w).upgrades_refused, 0);
        }
        world_stop(&w);
    }
    EXPECT(refused > 0);
}
