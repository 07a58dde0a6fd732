/* Lines of HTTP of backends/wshub_ext_client.h, in memory: requests one after the other, answers
 * however they are framed and cut, what is no answer, clocks, proxies, ends inside callbacks. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "client_site.h"

static site s;           /* of the test that runs */
static const char *acts; /* what is done inside the next answered(): "ask", "drop", ... */
static size_t counted;   /* bytes of the body that was told last */

static wshub_err ask(wshub_ws line, const char *method, const char *target, const char *body) {
    wshub_ws_request r;
    memset(&r, 0, sizeof r);
    r.method = method;
    r.target = target;
    r.body = body;
    r.body_bytes = body ? strlen(body) : 0;
    if (body) r.type = "text/plain;charset=UTF-8";
    r.timeout_ms = 5000;
    return wshub_ws_http_request(s.pool, line, &r);
}
static void on_answered(wshub_ws_pool *pool, wshub_ws line, const wshub_ws_answer *a, void *user) {
    const char *what = acts ? acts : "";
    char text[300];
    EXPECT(user == &s && pool == s.pool);
    counted = a->body_bytes;
    (void)snprintf(text, sizeof text, "%d%s%.*s%s %.*s", a->status, a->type.ptr ? " " : "",
                   (int)a->type.len, a->type.ptr ? a->type.ptr : "", a->last ? " last" : "",
                   (int)(a->body_bytes > 200 ? 0 : a->body_bytes), (const char *)a->body);
    memset(a->body, 'x', a->body_bytes); /* it is ours */
    site_tell(&s, "answered", text, strlen(text));
    acts = NULL;
    if (strcmp(what, "ask") == 0)
        EXPECT_INT(ask(line, "GET", "/next", NULL), a->last ? WSHUB_ERR_STATE : WSHUB_OK);
    if (strcmp(what, "drop") == 0) EXPECT_INT(wshub_ws_drop(pool, line), WSHUB_OK);
    if (strcmp(what, "forget") == 0) EXPECT_INT(wshub_ws_forget(pool, line), WSHUB_OK);
    if (strcmp(what, "destroy") == 0) wshub_ws_pool_destroy(pool);
}
static const wshub_ws_http_events events = {on_answered, site_ended};

static wshub_ws open_line(const char *url, const wshub_ws_desc *d) {
    wshub_ws_desc desc;
    wshub_ws line = {0};
    memset(&desc, 0, sizeof desc);
    if (d) desc = *d;
    desc.url = url;
    desc.user = &s;
    EXPECT_INT(wshub_ws_http_open(s.pool, &desc, &events, &line), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    return line;
}
static void expect_request(wshub_conn c, const char *want) {
    wshub_str out;
    wshub_io_fake_run(s.fake);
    out = wshub_io_fake_output(s.fake, c);
    EXPECT_STR(out.ptr, want);
    wshub_io_fake_take(s.fake, c, out.len);
}
/* A line whose stream is there, and which has asked for `/`. */
static wshub_ws asked(const wshub_ws_desc *d, wshub_conn *out_conn) {
    wshub_ws line = open_line("http://h", d);
    *out_conn = site_dialled(&s, "h:80");
    EXPECT_INT(wshub_ws_state_of(s.pool, line), WSHUB_WS_CONNECTING);
    wshub_io_fake_answer(s.fake, *out_conn, true);
    EXPECT_INT(wshub_ws_state_of(s.pool, line), WSHUB_WS_OPEN);
    EXPECT_INT(ask(line, "GET", "/", NULL), WSHUB_OK);
    expect_request(*out_conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    return line;
}

/* ---- requests ---- */

TEST(requests_go_one_after_the_other_on_one_stream) {
    static const wshub_header more[] = {{{"Authorization", 13}, {"Bearer t", 8}}};
    wshub_ws_desc d;
    wshub_ws line;
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.headers = more;
    d.headers_count = 1;
    line = open_line("http://example.org:81/ignored?x", &d);
    EXPECT_INT(ask(line, "GET", "/a?b=c", NULL), WSHUB_OK); /* before its stream is there */
    EXPECT_INT(ask(line, "GET", "/d", NULL), WSHUB_ERR_STATE);
    c = site_dialled(&s, "example.org:81");
    wshub_io_fake_answer(s.fake, c, true);
    expect_request(
        c, "GET /a?b=c HTTP/1.1\r\nHost: example.org:81\r\nAuthorization: Bearer t\r\n\r\n");
    EXPECT_INT(ask(line, "GET", "/d", NULL), WSHUB_ERR_STATE);
    site_say(&s, c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_STR(site_told(&s), "answered 200 text/plain hi\n");
    EXPECT_INT(ask(line, "POST", "/p", "body"), WSHUB_OK);
    expect_request(c, "POST /p HTTP/1.1\r\nHost: example.org:81\r\nAuthorization: Bearer t\r\n"
                      "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 4\r\n\r\nbody");
    acts = "ask";
    site_say(&s, c, "HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_STR(site_told(&s), "answered 204 \n");
    expect_request(c,
                   "GET /next HTTP/1.1\r\nHost: example.org:81\r\nAuthorization: Bearer t\r\n\r\n");
    site_say(&s, c,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n"
             "0\r\nT: x\r\n\r\n");
    EXPECT_STR(site_told(&s), "answered 200 abcde\n");
    EXPECT_INT(wshub_ws_send(s.pool, line, WSHUB_WS_TEXT, "x", 1), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_ws_ping(s.pool, line, "x", 1), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_ws_pause(s.pool, line, true), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_ws_close(s.pool, line, 0, wshub_str_z("")), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "ended cancelled\n");
    EXPECT_INT(ask(line, "GET", "/", NULL), WSHUB_ERR_STALE);
    EXPECT(wshub_io_fake_is_gone(s.fake, c));
    site_stop(&s);
}

/* A redirect is an answer like others: who has asked decides, with the head before it. */
TEST(a_line_does_not_follow_a_redirect) {
    wshub_ws_desc d;
    wshub_conn c, other;
    wshub_ws line;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.redirects_max = 5; /* not used */
    line = asked(&d, &c);
    site_say(&s, c, "HTTP/1.1 302 x\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n");
    EXPECT_STR(site_told(&s), "answered 302 \n");
    EXPECT_INT(ask(line, "GET", "/next", NULL), WSHUB_OK);
    expect_request(c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT(!wshub_io_fake_dialled(s.fake, &other, NULL));
    site_stop(&s);
}

TEST(what_a_line_and_a_request_must_not_say) {
    static const struct {
        const char *method, *target, *type;
    } bad[] = {{NULL, "/", NULL},    {"GET", NULL, NULL},    {"", "/", NULL},
               {"G T", "/", NULL},   {"HEAD", "/", NULL},    {"CONNECT", "/", NULL},
               {"GET", "", NULL},    {"GET", "x", NULL},     {"GET", "/a b", NULL},
               {"GET", "/\n", NULL}, {"GET", "/\xC3", NULL}, {"POST", "/", "a\r\nb: c"}};
    static const char *const urls[] = {"ws://a",     "wss://a",     "http:/a", "http://",
                                       "http://u@a", "http://a/#f", "ftp://a"};
    wshub_ws_request r;
    wshub_ws_desc d;
    wshub_ws line;
    wshub_conn c;
    size_t i;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    for (i = 0; i < sizeof urls / sizeof *urls; i++) {
        d.url = urls[i];
        EXPECT(wshub_ws_http_problem(&d) && strncmp(wshub_ws_http_problem(&d), "url:", 4) == 0);
        EXPECT_INT(wshub_ws_http_open(s.pool, &d, &events, &line), WSHUB_ERR_PARAM);
    }
    d.url = "https://a";
    EXPECT(!wshub_ws_http_problem(&d));
    EXPECT_INT(wshub_ws_http_open(s.pool, &d, NULL, &line), WSHUB_ERR_PARAM);
    d.proxy = "http://p";
    EXPECT(!wshub_ws_http_problem(&d));
    line = open_line("http://h", NULL);
    memset(&r, 0, sizeof r);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        r.method = bad[i].method;
        r.target = bad[i].target;
        r.type = bad[i].type;
        EXPECT_INT(wshub_ws_http_request(s.pool, line, &r), WSHUB_ERR_PARAM);
    }
    r.type = NULL;
    r.method = "POST";
    r.target = "/";
    r.body_bytes = 1;
    EXPECT_INT(wshub_ws_http_request(s.pool, line, &r), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ws_http_request(s.pool, line, NULL), WSHUB_ERR_PARAM);
    r.body_bytes = 0; /* a POST of nothing says so */
    EXPECT_INT(wshub_ws_http_request(s.pool, line, &r), WSHUB_OK);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    expect_request(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    line = site_connect(&s, NULL, &c); /* a WebSocket is no line */
    EXPECT_INT(wshub_ws_http_request(s.pool, line, &r), WSHUB_ERR_STATE);
    site_stop(&s);
}

/* ---- answers, each whole, in single bytes, and cut at each place ---- */

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKS OK "Transfer-Encoding: chunked\r\n\r\n"
static const struct {
    const char *answer, *told;
    bool ends; /* and then the stream ends */
} answers[] = {
    {OK "Content-Length: 5\r\n\r\nhello", "answered 200 hello\n", false},
    {OK "content-length: 0\r\n\r\n", "answered 200 \n", false},
    {"HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nno", "answered 404 no\n", false},
    {"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "answered 304 \n", false},
    {"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\n" OK "Content-Length: 1\r\n\r\na",
     "answered 200 a\n", false},
    {CHUNKS "0\r\n\r\n", "answered 200 \n", false},
    {CHUNKS "A\r\n0123456789\r\n00001 \r\nx\r\n0;last\r\nA: b\r\n\r\n",
     "answered 200 0123456789x\n", false},
    {OK "\r\nall of it", "answered 200 last all of it\nended lost\n", true},
    {OK "Connection: x, Close\r\nContent-Length: 2\r\n\r\nhi", "answered 200 last hi\nended lost\n",
     false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "answered 200 last hi\nended lost\n", false},
    {"HTTP/1.0 200 OK\r\n\r\nhi", "answered 200 last hi\nended lost\n", true},
    /* what is none */
    {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "ended answer\n",
     false},
    {OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: 2, 2\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: -1\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: +1\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: 0x1\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: \r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: 18446744073709551617\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: 1048577\r\n\r\n", "ended answer\n", false},
    {OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "ended answer\n", false},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "ended answer\n", false},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "ended answer\n",
     false},
    {OK "Transfer-Encoding: identity\r\n\r\n", "ended answer\n", false},
    {"HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "ended answer\n", false},
    {CHUNKS "\r\n", "ended answer\n", false},
    {CHUNKS "x\r\n", "ended answer\n", false},
    {CHUNKS "-1\r\n", "ended answer\n", false},
    {CHUNKS "0x1\r\n", "ended answer\n", false},
    {CHUNKS "1 1\r\n", "ended answer\n", false},
    {CHUNKS "100000000\r\n", "ended answer\n", false},
    {CHUNKS "1\n", "ended answer\n", false},
    {CHUNKS "1\r\nab\r\n", "ended answer\n", false},
    {CHUNKS "1\r\na\n", "ended answer\n", false},
    {CHUNKS "0\r\nno field\r\n", "ended answer\n", false},
    {CHUNKS "0\r\n bad: x\r\n", "ended answer\n", false},
    {"HTTP/2 200\r\n\r\n", "ended answer\n", false},
    {"HTTP/1.1 099 x\r\n\r\n", "ended answer\n", false},
    {"HTTP/1.1 200 OK\nContent-Length: 1\n\n", "ended answer\n", false},
    {"SSH-2.0-x\r\n", "ended answer\n", false},
    {OK " folded: x\r\n\r\n", "ended answer\n", false},
    /* what does not come to its end */
    {"", "ended closed\n", true},
    {OK "Content-Le", "ended closed\n", true},
    {OK "Content-Length: 5\r\n\r\nhell", "ended closed\n", true},
    {CHUNKS "5\r\nhello\r\n", "ended closed\n", true},
    {CHUNKS "5\r\nhello\r\n0\r\n", "ended closed\n", true},
    {"HTTP/1.1 100 x\r\n\r\n", "ended closed\n", true},
};
/* Plays one, the first `cut` bytes alone; 0: in single bytes. */
static void play_answer(size_t n, size_t cut) {
    const char *text = answers[n].answer;
    size_t len = strlen(text), i;
    wshub_conn c;
    wshub_ws line = asked(NULL, &c);
    if (cut) {
        wshub_io_fake_input(s.fake, c, text, cut);
        if (cut < len) wshub_io_fake_input(s.fake, c, text + cut, len - cut);
    }
    for (i = 0; !cut && i < len; i++) wshub_io_fake_input(s.fake, c, text + i, 1);
    if (answers[n].ends) wshub_io_fake_half_close(s.fake, c);
    wshub_io_fake_run(s.fake);
    if (strcmp(s.told, answers[n].told) != 0) printf("  cut %u: %s\n", (unsigned)cut, text);
    EXPECT_STR(site_told(&s), answers[n].told);
    (void)wshub_ws_forget(s.pool, line);
    wshub_io_fake_run(s.fake);
    wshub_io_fake_forget(s.fake, c);
}
TEST(an_answer_is_read_or_refused_however_it_is_cut) {
    size_t i, cut;
    EXPECT(site_start(&s, false, NULL));
    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        for (cut = 0; cut <= strlen(answers[i].answer); cut++) play_answer(i, cut);
    }
    site_stop(&s);
}

/* Endless things: heads, notes in front of the answer, bodies of each framing, lines of chunks. */
TEST(what_does_not_end_is_ended_at_its_limit) {
    static const struct {
        const char *front, *again;
        size_t most; /* so many of `again` are too many */
    } endless[] = {{OK "X: ", "a", 16384},
                   {OK, "a: b\r\n", 2731},
                   {"", "HTTP/1.1 100 x\r\n\r\n", 1000},
                   {OK "\r\n", "0123456789", 101},
                   {CHUNKS, "a\r\n0123456789\r\n", 101},
                   {CHUNKS "3E8\r\n", "0123456789", 101},
                   {CHUNKS "0;", "x", 300},
                   {CHUNKS "0\r\n", "a: b\r\n", 3000},
                   {CHUNKS "0\r\nA: ", "b", 16384}};
    wshub_ws_desc d;
    uint64_t before;
    wshub_conn c;
    size_t i, n;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.message_bytes_max = 1000;
    for (i = 0; i < sizeof endless / sizeof *endless; i++) {
        before = s.bytes;
        (void)asked(&d, &c);
        site_say(&s, c, endless[i].front);
        for (n = 0; n <= endless[i].most && !wshub_io_fake_is_gone(s.fake, c); n++) {
            site_say(&s, c, endless[i].again);
            EXPECT(s.bytes < before + 60000);
        }
        if (!s.told_len || n > endless[i].most) printf("  %u\n", (unsigned)i);
        EXPECT(n <= endless[i].most);
        EXPECT_STR(site_told(&s), "ended answer\n");
        wshub_io_fake_forget(s.fake, c);
    }
    site_stop(&s);
}

TEST(a_body_comes_up_to_its_limit) {
    static char body[1001];
    wshub_ws_desc d;
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.message_bytes_max = 1000;
    memset(body, 'b', 1000);
    (void)asked(&d, &c);
    site_say(&s, c, OK "Content-Length: 1000\r\n\r\n");
    site_say(&s, c, body);
    EXPECT_STR(site_told(&s), "answered 200 \n");
    EXPECT_INT(counted, 1000);
    site_stop(&s);
}

/* ---- what nobody has asked for ---- */

TEST(bytes_behind_an_answer_end_the_line) {
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    (void)asked(NULL, &c);
    site_say(&s, c, OK "Content-Length: 1\r\n\r\na" OK "Content-Length: 1\r\n\r\nb");
    EXPECT_STR(site_told(&s), "answered 200 a\nended answer\n");
    (void)asked(NULL, &c);
    acts = "ask"; /* asked meanwhile: who could tell them apart */
    site_say(&s, c, OK "Content-Length: 1\r\n\r\na" OK "Content-Length: 1\r\n\r\nb");
    EXPECT_STR(site_told(&s), "answered 200 a\nended answer\n");
    (void)open_line("http://h", NULL);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 408 x\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended answer\n");
    site_stop(&s);
}

TEST(a_last_answer_is_the_last_one) {
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    (void)asked(NULL, &c);
    acts = "ask"; /* is refused */
    site_say(&s, c, OK "Connection: close\r\nContent-Length: 1\r\n\r\na" OK);
    EXPECT_STR(site_told(&s), "answered 200 last a\nended lost\n");
    EXPECT(wshub_io_fake_is_gone(s.fake, c));
    site_stop(&s);
}

TEST(an_answer_before_the_whole_request_is_the_last_one) {
    static char body[5000];
    wshub_ws line;
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    line = open_line("http://h", NULL);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    wshub_io_fake_window(s.fake, c, 100);
    memset(body, 'b', sizeof body - 1);
    EXPECT_INT(ask(line, "POST", "/", body), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT(wshub_ws_unsent(s.pool, line) > 4000);
    site_say(&s, c, "HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_STR(site_told(&s), "answered 413 last \nended lost\n");
    site_stop(&s);
}

/* ---- clocks ---- */

TEST(stream_answer_and_idleness_have_their_clocks) {
    wshub_ws_desc d;
    wshub_ws line;
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.connect_timeout_ms = 1000;
    d.idle_timeout_ms = 3000;
    (void)open_line("http://h", &d); /* no stream */
    c = site_dialled(&s, NULL);
    wshub_io_fake_advance(s.fake, 999);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended timeout\n");

    (void)asked(&d, &c); /* no whole answer: 5000 */
    site_say(&s, c, OK "Content-Length: 2\r\n\r\na");
    wshub_io_fake_advance(s.fake, 4999);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended timeout\n");

    line = asked(&d, &c); /* nothing is asked */
    site_say(&s, c, OK "Content-Length: 0\r\n\r\n");
    wshub_io_fake_advance(s.fake, 2999);
    EXPECT_INT(ask(line, "GET", "/", NULL), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 4000);
    site_say(&s, c, OK "Content-Length: 0\r\n\r\n");
    EXPECT_STR(site_told(&s), "answered 200 \nanswered 200 \n");
    wshub_io_fake_advance(s.fake, 2999);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended lost\n");

    (void)open_line("http://h", &d); /* and never was */
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    wshub_io_fake_advance(s.fake, 3000);
    EXPECT_STR(site_told(&s), "ended lost\n");
    site_stop(&s);
}

/* A second before the server ends an idle stream we do, so that no request crosses its end. */
TEST(the_server_says_how_long_it_keeps_a_stream) {
    static const struct {
        const char *field;
        uint32_t ms;
    } cases[] = {{"timeout=5", 4000},   {"max=7, Timeout=2", 1000},
                 {"timeout=1", 0},      {"timeout=0", 0},
                 {"timeout=99", 60000}, {"timeout=9999999999999", 60000},
                 {"timeout", 60000},    {"timeout=", 0},
                 {"", 60000},           {"x", 60000}};
    char text[200];
    wshub_conn c;
    size_t i;
    EXPECT(site_start(&s, false, NULL));
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)asked(NULL, &c);
        wshub_io_fake_hold(s.fake, true);
        (void)snprintf(text, sizeof text, OK "Keep-Alive: %s\r\nContent-Length: 0\r\n\r\n",
                       cases[i].field);
        site_say(&s, c, text);
        wshub_io_fake_hold(s.fake, false);
        if (cases[i].ms) {
            wshub_io_fake_advance(s.fake, cases[i].ms - 1);
            EXPECT_STR(site_told(&s), "answered 200 \n");
            wshub_io_fake_advance(s.fake, 1);
            EXPECT_STR(site_told(&s), "ended lost\n");
        } else {
            EXPECT_STR(site_told(&s), "answered 200 \nended lost\n");
        }
    }
    site_stop(&s);
}

/* Without a limit of ours a server that keeps it for weeks is believed. */
TEST(a_stream_that_is_kept_for_weeks_is_kept_for_weeks) {
    wshub_ws_desc d;
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.idle_timeout_ms = WSHUB_OFF;
    (void)asked(&d, &c);
    site_say(&s, c, OK "Keep-Alive: timeout=4294969\r\nContent-Length: 0\r\n\r\n");
    wshub_io_fake_advance(s.fake, 86400000); /* 2^32 ms are 49 days */
    EXPECT_STR(site_told(&s), "answered 200 \n");
    site_stop(&s);
}

/* ---- ends ---- */

TEST(a_stream_that_is_cut_does_not_end_a_body) {
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    (void)asked(NULL, &c);
    site_say(&s, c, OK "\r\nall of");
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "ended closed\n");
    site_stop(&s);
}

TEST(a_stream_that_ends_while_nothing_is_asked) {
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    (void)asked(NULL, &c);
    site_say(&s, c, OK "Content-Length: 0\r\n\r\n");
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "answered 200 \nended lost\n");
    (void)open_line("http://h", NULL);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, false);
    EXPECT_STR(site_told(&s), "ended connect\n");
    site_stop(&s);
}

/* RFC 9112 9.3.1: a server may end a stream without having said so, and a request cross that. */
TEST(a_request_may_cross_the_end_of_its_stream) {
    static const struct {
        const char *before, *answer; /* to a request before; to the one that the end meets */
        uint64_t after_ms;
        const char *want;
    } rows[] = {{"Content-Length: 0\r\n\r\n", "", 0, "ended closed raced\n"},
                {"Content-Length: 0\r\n\r\n", "", 1999, "ended closed raced\n"},
                {"Content-Length: 0\r\n\r\n", "", 2000, "ended closed\n"},
                {NULL, "", 0, "ended closed\n"},
                {"Content-Length: 0\r\n\r\n", "H", 0, "ended closed\n"},
                {"Content-Length: 0\r\n\r\n", "HTTP/1.1 103 x\r\n\r\n", 0, "ended closed\n"},
                {"Content-Length: 0\r\n\r\n", OK "Content-Length: 2\r\n\r\n", 0, "ended closed\n"}};
    char whole[200];
    size_t i, how;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (how = 0; how < 2; how++) { /* by its end, and torn off */
            wshub_ws line;
            wshub_conn c;
            EXPECT(site_start(&s, false, NULL));
            line = asked(NULL, &c);
            if (rows[i].before) {
                (void)snprintf(whole, sizeof whole, "%s%s", OK, rows[i].before);
                site_say(&s, c, whole);
                EXPECT_STR(site_told(&s), "answered 200 \n");
                EXPECT_INT(ask(line, "GET", "/", NULL), WSHUB_OK);
                wshub_io_fake_run(s.fake);
            }
            if (*rows[i].answer) site_say(&s, c, rows[i].answer);
            wshub_io_fake_advance(s.fake, rows[i].after_ms);
            if (how)
                wshub_io_fake_end(s.fake, c);
            else
                wshub_io_fake_half_close(s.fake, c);
            EXPECT_STR(site_told(&s), rows[i].want);
            site_stop(&s);
        }
    }
}

TEST(a_line_may_be_ended_inside_its_answer) {
    static const char *const ways[] = {"drop", "forget", "destroy"};
    wshub_conn c;
    size_t i;
    for (i = 0; i < 3; i++) {
        EXPECT(site_start(&s, false, NULL));
        (void)asked(NULL, &c);
        acts = ways[i];
        site_say(&s, c, CHUNKS "1\r\na\r\n0\r\n\r\n" OK "Content-Length: 1\r\n\r\nb");
        EXPECT_STR(site_told(&s), i ? "answered 200 a\n" : "answered 200 a\nended cancelled\n");
        if (i == 2) s.pool = NULL;
        site_stop(&s);
    }
}

TEST(a_proxy_is_sent_the_requests_themselves) {
    wshub_ws_desc d;
    wshub_ws line;
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.proxy = "http://u:p@proxy:8080";
    line = open_line("http://[::1]:81/", &d);
    EXPECT_INT(ask(line, "GET", "/x?y", NULL), WSHUB_OK);
    c = site_dialled(&s, "proxy:8080");
    wshub_io_fake_answer(s.fake, c, true);
    expect_request(c, "GET http://[::1]:81/x?y HTTP/1.1\r\nHost: [::1]:81\r\n"
                      "Proxy-Authorization: Basic dTpw\r\n\r\n");
    site_say(&s, c, OK "Content-Length: 1\r\n\r\na");
    EXPECT_STR(site_told(&s), "answered 200 a\n");
    EXPECT_INT(ask(line, "POST", "/", "b"), WSHUB_OK);
    expect_request(c, "POST http://[::1]:81/ HTTP/1.1\r\nHost: [::1]:81\r\n"
                      "Proxy-Authorization: Basic dTpw\r\n"
                      "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 1\r\n\r\nb");
    site_say(&s, c, "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest x\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended proxy 407\n");

    (void)asked(NULL, &c); /* of a server it is an answer like others */
    site_say(&s, c, "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_STR(site_told(&s), "answered 407 \n");
    site_stop(&s);
}

/* Of https a proxy sees the name of the server, and nothing of what is asked. */
TEST(https_goes_through_a_proxy_by_connect) {
    wshub_io_fake_desc fake;
    const wshub_dial *dial;
    wshub_ws_desc d;
    wshub_ws line;
    wshub_conn c;
    uint32_t cut;
    memset(&fake, 0, sizeof fake);
    memset(&d, 0, sizeof d);
    d.proxy = "http://u:p@proxy:8080";
    for (cut = 0; cut < 40; cut++) {
        fake.cut_bytes = cut;
        EXPECT(site_start(&s, false, &fake));
        line = open_line("https://h", &d);
        EXPECT_INT(ask(line, "GET", "/x?y", NULL), WSHUB_OK);
        c = site_dialled(&s, "proxy:8080");
        EXPECT(!wshub_io_fake_dial(s.fake, c)->secure);
        wshub_io_fake_answer(s.fake, c, true);
        expect_request(c, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"
                          "Proxy-Authorization: Basic dTpw\r\n\r\n");
        site_say(&s, c, "HTTP/1.1 200 ok\r\nA: b\r\n\r\n");
        dial = wshub_io_fake_dial(s.fake, c);
        EXPECT(dial && dial->secure && strcmp(dial->server_name, "h") == 0);
        expect_request(c, "");
        wshub_io_fake_answer(s.fake, c, true);
        expect_request(c, "GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n");
        site_say(&s, c, OK "Content-Length: 1\r\n\r\na");
        EXPECT_STR(site_told(&s), "answered 200 a\n");
        EXPECT_INT(ask(line, "GET", "/z", NULL), WSHUB_OK);
        expect_request(c, "GET /z HTTP/1.1\r\nHost: h\r\n\r\n");
        site_say(&s, c, "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n"); /* the server's */
        EXPECT_STR(site_told(&s), "answered 407 \n");
        site_stop(&s);
    }
    EXPECT(site_start(&s, false, NULL));
    (void)open_line("https://h", &d); /* it is not asked for anything yet */
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest x\r\n\r\n");
    EXPECT_STR(site_told(&s), "ended proxy 407\n");
    (void)open_line("https://h", &d);
    c = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, c, true);
    site_say(&s, c, "HTTP/1.1 200 ok\r\n\r\n");
    wshub_io_fake_answer(s.fake, c, false);
    EXPECT_STR(site_told(&s), "ended tls\n");
    site_stop(&s);
}

TEST(a_name_is_resolved_and_its_addresses_raced) {
    wshub_address addresses[2];
    wshub_ws line;
    wshub_conn c;
    EXPECT(site_start(&s, true, NULL));
    line = open_line("http://name", NULL);
    EXPECT_INT(ask(line, "GET", "/", NULL), WSHUB_OK);
    EXPECT_STR(s.name, "name");
    EXPECT(wshub_address_read(wshub_str_z("::1"), &addresses[0]));
    EXPECT(wshub_address_read(wshub_str_z("127.0.0.1"), &addresses[1]));
    EXPECT_INT(wshub_ws_resolved(s.pool, s.question, addresses, 2), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    c = site_dialled(&s, "[::1]:80");
    wshub_io_fake_answer(s.fake, c, false);
    c = site_dialled(&s, "127.0.0.1:80");
    wshub_io_fake_answer(s.fake, c, true);
    expect_request(c, "GET / HTTP/1.1\r\nHost: name\r\n\r\n");
    site_stop(&s);
}

/* ---- memory, completions, streams that take little ---- */

static void one_talk(const wshub_io_fake_desc *fake, uint64_t fail_in) {
    wshub_ws_desc d;
    wshub_ws line = {0};
    wshub_conn c = {0};
    const char *address;
    wshub_str out;
    if (!site_start(&s, false, fake)) abort();
    s.fail_in = fail_in;
    memset(&d, 0, sizeof d);
    d.url = "http://h";
    d.user = &s;
    if (!wshub_ws_http_open(s.pool, &d, &events, &line) && !ask(line, "POST", "/", "some body")) {
        wshub_io_fake_run(s.fake);
        if (wshub_io_fake_dialled(s.fake, &c, &address)) {
            wshub_io_fake_answer(s.fake, c, true);
            out = wshub_io_fake_output(s.fake, c);
            if (out.len)
                EXPECT_STR(out.ptr, "POST / HTTP/1.1\r\nHost: h\r\n"
                                    "Content-Type: text/plain;charset=UTF-8\r\n"
                                    "Content-Length: 9\r\n\r\nsome body");
            site_say(&s, c, CHUNKS "4;x\r\nbody\r\n0\r\nA: b\r\n\r\n");
        }
    }
    wshub_io_fake_run(s.fake);
    if (!s.fail_in) EXPECT(s.told_len == 0 || strstr(s.told, "ended") || !fail_in);
}
TEST(an_allocation_that_fails_ends_the_line_in_order) {
    uint64_t n;
    bool whole = false;
    for (n = 1; n < 100 && !whole; n++) {
        one_talk(NULL, n);
        whole = s.fail_in > 0; /* so many are not made */
        EXPECT_INT(whole, strcmp(s.told, "answered 200 body\n") == 0);
        site_stop(&s);
    }
    EXPECT(whole && n > 5);
}
TEST(streams_that_complete_or_take_little_make_no_difference) {
    wshub_io_fake_desc fake;
    uint32_t take;
    for (take = 0; take < 3; take++) {
        memset(&fake, 0, sizeof fake);
        fake.completion = take == 0;
        fake.take_bytes = take;
        fake.cut_bytes = take;
        one_talk(&fake, 0);
        EXPECT_STR(site_told(&s), "answered 200 body\n");
        site_stop(&s);
    }
}
