/* Framing decides what a request is (CONN-5; RFC 9112 6): every combination of what can be said about a request's body is
 * sent with a body that reads like a request, and a small judge, written from RFC 9112 and not from the code, says how many
 * requests that is, what their bodies are and whether the stream ends. What is answered is read by a strict client. */
#include "hubtest.h"

/* ---- what a head can say ---- */

typedef enum says { NOTHING, RIGHT, SHORT, NOUGHT, HUGE_, EITHER, WRONG } says; /* EITHER: may be taken, may be refused */
typedef struct form {
    const char *lines; /* %N: the length of the body */
    says what;
} form;

/* Reads like a request, and is one where the head in front of it has no body. */
#define INNER "GET /inner HTTP/1.1\r\nHost: h\r\n\r\n"
#define INNER_LEN "32"
#define AFTER "GET /after HTTP/1.1\r\nHost: h\r\n\r\n"

static const form lengths[] = {
    {"", NOTHING},
    {"Content-Length: " INNER_LEN "\r\n", RIGHT},
    {"content-length:\t00" INNER_LEN " \r\n", RIGHT}, /* 1*DIGIT, white space around it is no part of the value */
    {"Content-Length: 4\r\n", SHORT},
    {"Content-Length: 0\r\n", NOUGHT},
    {"Content-Length: " INNER_LEN "\r\nContent-Length: " INNER_LEN "\r\n", EITHER},
    {"Content-Length: " INNER_LEN ", " INNER_LEN "\r\n", EITHER},
    {"Content-Length: 4\r\nX: y\r\nContent-Length: " INNER_LEN "\r\n", WRONG},
    {"Content-Length: " INNER_LEN "\r\nContent-Length: 0\r\n", WRONG},
    {"Content-Length: 0, " INNER_LEN "\r\n", WRONG},
    {"Content-Length: +" INNER_LEN "\r\n", WRONG},
    {"Content-Length: -1\r\n", WRONG},
    {"Content-Length: 0x20\r\n", WRONG},
    {"Content-Length:\r\n", WRONG},
    {"Content-Length: 3 2\r\n", WRONG},
    {"Content-Length: 18446744073709551648\r\n", WRONG}, /* 32 in 64 bits */
    {"Content-Length: 4294967328\r\n", HUGE_},           /* 32 in 32 bits */
};
static const form codings[] = {
    {"", NOTHING},
    {"Transfer-Encoding: chunked\r\n", RIGHT},
    {"transfer-encoding:\tChunked \r\n", RIGHT},
    {"Transfer-Encoding: chunked,\r\n", EITHER}, /* a list may have empty elements */
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", WRONG},
    {"Transfer-Encoding: chunked, chunked\r\n", WRONG},
    {"Transfer-Encoding: gzip\r\n", WRONG},
    {"Transfer-Encoding: gzip, chunked\r\n", WRONG}, /* a coding that is not spoken here */
    {"Transfer-Encoding: chunked, identity\r\n", WRONG},
    {"Transfer-Encoding: identity\r\n", WRONG},
    {"Transfer-Encoding: xchunked\r\n", WRONG},
    {"Transfer-Encoding: chunked;q=1\r\n", WRONG},
    {"Transfer-Encoding:\r\n", WRONG},
};
static const struct { const char *lines; bool close, upgrade, keep; } connections[] = {
    {"", false, false, false},
    {"Connection: close\r\n", true, false, false},
    {"Connection: keep-alive\r\n", false, false, true},
    {"Connection: Upgrade\r\n", false, true, false},
    {"Connection: keep-alive,\tUPGRADE\r\n", false, true, true},
    {"Connection: keep-alive\r\nConnection: , upgrade\r\n", false, true, true},
    {"Connection: x\r\nConnection: upgrade , Close\r\n", true, true, false},
    {"Connection: xclose, upgraded\r\n", false, false, false},
};
#define HANDSHAKE "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
static const struct { const char *lines; bool websocket; } upgrades[] = {
    {"", false},
    {"Upgrade: websocket\r\n" HANDSHAKE, true},
    {"Upgrade: h2c\r\n", false},
    {"Upgrade: h2c, WebSocket\r\n" HANDSHAKE, true},
    {"Upgrade: xwebsocket\r\n" HANDSHAKE, false},
};
static const char *const methods[] = {"GET", "POST", "HEAD", "OPTIONS", "PATCH"};
static const char *const targets[] = {"/api", "/ws", "http://h/ws", "http://ws/api"};

typedef struct head {
    size_t method, target, minor, connection, upgrade, length, coding;
    bool expect;
} head;

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- the judge: RFC 9112 6.3, RFC 9110 7.8 ---- */

enum { ONE = 1, REFUSED = 2, UPGRADED = 4 };

/* What may become of a request: given to the application with its body, refused with the end of the stream, or a WebSocket. */
static unsigned judge(const head *h, says *out_body) {
    says length = lengths[h->length].what, coding = codings[h->coding].what;
    bool to_ws = strstr(targets[h->target], "/ws") && !strstr(targets[h->target], "/api"), websocket = upgrades[h->upgrade].websocket;
    unsigned may = ONE;
    *out_body = coding != NOTHING ? coding : length;

    /* Transfer-Encoding goes before Content-Length; beside it, or from HTTP/1.0, it is an attempt at something. */
    if (coding == WRONG || (coding != NOTHING && (length != NOTHING || h->minor == 0))) return REFUSED;
    if (coding == NOTHING && (length == WRONG || length == HUGE_)) return REFUSED;
    if (*out_body == EITHER) may = ONE | REFUSED;

    /* Only then is it asked whether this is a request to upgrade. A body with one may be refused (CONN-5). */
    if (*out_body != NOTHING && *out_body != NOUGHT && websocket) may |= REFUSED;
    if (!to_ws || !websocket) return may;
    if (h->method != 0 || h->minor == 0 || !connections[h->connection].upgrade) return may | REFUSED; /* CONN-2: malformed */
    if (*out_body == RIGHT || *out_body == SHORT || *out_body == EITHER) return may | REFUSED;
    return connections[h->connection].close ? UPGRADED | REFUSED : UPGRADED;
}

/* ---- the client: reads answers, RFC 9112 6 again ---- */

typedef struct answer {
    int status;
    bool close, keep;
    wshub_str body;
} answer;

static bool same(const char *p, size_t n, const char *text) {
    size_t i;
    if (n != strlen(text)) return false;
    for (i = 0; i < n; i++) {
        char c = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] + 32) : p[i];
        if (c != text[i]) return false;
    }
    return true;
}
static bool listed(const char *p, size_t n, const char *token) {
    size_t from = 0, i;
    for (i = 0; i <= n; i++) {
        size_t a = from, b = i;
        if (i < n && p[i] != ',') continue;
        while (a < b && (p[a] == ' ' || p[a] == '\t')) a++;
        while (b > a && (p[b - 1] == ' ' || p[b - 1] == '\t')) b--;
        if (same(p + a, b - a, token)) return true;
        from = i + 1;
    }
    return false;
}

/* Reads one answer to a request of this method. Returns how long it is; 0: it is not whole; -1: it breaks a rule. */
static long answer_read(const char *p, size_t n, bool to_head, answer *out, const char **why) {
    const char *end = p, *line;
    int lengths_seen = 0, codings_seen = 0;
    bool upgrade = false, names_upgrade = false, bodyless;
    size_t length = 0, size;
    memset(out, 0, sizeof *out);
    for (; end + 4 <= p + n && memcmp(end, "\r\n\r\n", 4) != 0; end++) {}
    if (end + 4 > p + n) return 0;

    *why = "status line";
    if (n < 15 || memcmp(p, "HTTP/1.1 ", 9) != 0 || p[12] != ' ') return -1;
    out->status = atoi(p + 9);
    if (out->status < 100 || out->status > 599) return -1;

    line = strstr(p, "\r\n") + 2;
    while (line < end) {
        const char *eol = strstr(line, "\r\n"), *colon = (const char *)memchr(line, ':', (size_t)(eol - line)), *v;
        *why = "header field";
        if (!colon || colon == line) return -1;
        for (v = colon + 1; v < eol && (*v == ' ' || *v == '\t'); v++) {}
        if (same(line, (size_t)(colon - line), "content-length")) {
            size_t k;
            lengths_seen++;
            for (k = 0; v + k < eol; k++) {
                if (v[k] < '0' || v[k] > '9') return -1;
                length = length * 10 + (size_t)(v[k] - '0');
            }
            if (k == 0) return -1;
        }
        if (same(line, (size_t)(colon - line), "transfer-encoding")) codings_seen++;
        if (same(line, (size_t)(colon - line), "upgrade")) upgrade = true;
        if (same(line, (size_t)(colon - line), "connection")) {
            out->close = out->close || listed(v, (size_t)(eol - v), "close");
            out->keep = out->keep || listed(v, (size_t)(eol - v), "keep-alive");
            names_upgrade = names_upgrade || listed(v, (size_t)(eol - v), "upgrade");
        }
        line = eol + 2;
    }

    bodyless = out->status < 200 || out->status == 204 || out->status == 304;
    *why = "two lengths, or a coding that is not the hub's";
    if (lengths_seen > 1 || codings_seen) return -1;
    *why = "a length where there can be no body";
    if ((out->status < 200 || out->status == 204) && lengths_seen) return -1;
    *why = "a body whose end nobody knows";
    if (!bodyless && !lengths_seen) return -1;
    *why = "Upgrade that Connection does not name"; /* RFC 9110 7.8 */
    if (upgrade && !names_upgrade) return -1;
    *why = "a 426 that does not say to what"; /* RFC 9110 15.5.22 */
    if (out->status == 426 && !upgrade) return -1;

    size = (size_t)(end + 4 - p) + (bodyless || to_head ? 0 : length);
    if (size > n) return 0;
    out->body.ptr = end + 4;
    out->body.len = size - (size_t)(end + 4 - p);
    return (long)size;
}

/* ---- the application ---- */

typedef struct seen {
    char method[12], path[24], body[100];
    size_t body_len;
    wshub_request request;
} seen;
static seen requests[8];
static size_t requests_count, answered;
static int manner; /* 0: answers at once; 1: when everything has been said; 2: at once, and closes */

static void answer_to(wshub *hub, const seen *s) {
    wshub_reply r;
    char body[200];
    memset(&r, 0, sizeof r);
    r.status = 200;
    (void)snprintf(body, sizeof body, "HTTP/1.1 299 %s %s %u\r\n\r\n", s->method, s->path, (unsigned)s->body_len); /* reads like an answer */
    r.body = wshub_str_z(body);
    r.close = manner == 2;
    EXPECT_INT(wshub_http_reply(hub, s->request, &r), WSHUB_OK);
}
static bool on_request(wshub *hub, wshub_request request, const wshub_http *h, void *user) {
    seen *s = &requests[requests_count < COUNT(requests) ? requests_count : COUNT(requests) - 1];
    (void)user;
    requests_count++;
    (void)snprintf(s->method, sizeof s->method, "%.*s", (int)h->method.len, h->method.ptr);
    (void)snprintf(s->path, sizeof s->path, "%.*s", (int)h->path.len, h->path.ptr);
    s->body_len = h->body.len;
    if (h->body.len) memcpy(s->body, h->body.ptr, h->body.len < sizeof s->body ? h->body.len : sizeof s->body);
    s->request = request;
    if (manner != 1) answer_to(hub, s);
    return true;
}

/* ---- a stream ---- */

static world w;
static char stream[2000], output[8000];
static size_t stream_len, output_len, output_at;
static bool stream_open;

/* Says the stream in pieces (0: whole; 1: byte by byte; else in two pieces, the first so long) and keeps what comes of it. */
static void say(size_t cut) {
    wshub_conn c = wshub_io_fake_open(w.net);
    wshub_str out;
    requests_count = answered = 0;
    wshub_io_fake_set_cut(w.net, cut == 1, 0);
    if (cut > 1) {
        wshub_io_fake_input(w.net, c, stream, cut);
        wshub_io_fake_input(w.net, c, stream + cut, stream_len - cut);
    } else {
        wshub_io_fake_input(w.net, c, stream, stream_len);
    }
    while (manner == 1 && answered < requests_count && answered < COUNT(requests)) { /* one after the other, as they come */
        answer_to(w.hub, &requests[answered++]);
        wshub_io_fake_run(w.net);
    }
    out = wshub_io_fake_output(w.net, c);
    output_len = out.len < sizeof output - 1 ? out.len : sizeof output - 1;
    memcpy(output, out.ptr, output_len);
    output[output_len] = 0;
    output_at = 0;
    stream_open = wshub_io_fake_is_open(w.net, c);
    if (stream_open) wshub_io_fake_end(w.net, c);
    wshub_io_fake_forget(w.net, c);
}

/* The next answer that is no interim one. NULL, or what is wrong. */
static const char *next_answer(bool to_head, bool expects, answer *a) {
    const char *why = "";
    for (;;) {
        long n = answer_read(output + output_at, output_len - output_at, to_head, a, &why);
        if (n <= 0) return n ? why : "there is no answer";
        output_at += (size_t)n;
        if (a->status >= 200 || a->status == 101) return NULL;
        if (!expects || a->status != 100) return "an interim answer that nobody asked for";
    }
}

static const char *seen_is(size_t i, const char *method, const char *path, const char *body, size_t n) {
    const seen *s = &requests[i];
    if (i >= requests_count) return "a request was not seen";
    if (strcmp(s->method, method) != 0 || strcmp(s->path, path) != 0) return "another request was seen";
    if (s->body_len != n || (n && memcmp(s->body, body, n) != 0)) return "another body was seen";
    return NULL;
}

/* An ordinary request without a body that follows on this stream. */
static const char *follows(size_t i, const char *path, answer *a) {
    const char *why = seen_is(i, "GET", path, "", 0);
    if (!why) why = next_answer(false, false, a);
    if (!why && a->status != 200) why = "another status";
    if (!why && a->close != (manner == 2)) why = "the end is announced wrongly";
    return why;
}

static void render(const head *h) {
    int n = snprintf(stream, sizeof stream, "%s %s HTTP/1.%u\r\nHost: h\r\n%s%s%s%s%s\r\n", methods[h->method], targets[h->target], (unsigned)h->minor,
                     connections[h->connection].lines, upgrades[h->upgrade].lines, h->expect ? "Expect: 100-continue\r\n" : "",
                     lengths[h->length].lines, codings[h->coding].lines);
    bool chunked = codings[h->coding].what == RIGHT || codings[h->coding].what == EITHER;
    n += snprintf(stream + n, sizeof stream - (size_t)n, "%s" AFTER, chunked ? "4\r\nGET \r\n1C;x=y\r\n/inner HTTP/1.1\r\nHost: h\r\n\r\n\r\n0\r\nX: y\r\n\r\n" : INNER);
    stream_len = (size_t)n;
}

/* NULL, or what is wrong with what came of the stream. */
static const char *check(const head *h) {
    says body;
    unsigned may = judge(h, &body), is;
    bool to_head = strcmp(methods[h->method], "HEAD") == 0, ends;
    const char *path = strstr(targets[h->target], "/api") ? "/api" : "/ws", *why = NULL;
    size_t n = body == RIGHT || body == EITHER ? strlen(INNER) : body == SHORT ? 4 : 0;
    answer a;

    why = next_answer(to_head, h->expect && h->minor == 1 && n, &a);
    if (why) return why;
    is = a.status == 101 ? UPGRADED : requests_count ? ONE : REFUSED;
    if (!(is & may)) return is == ONE ? "it was taken" : is == REFUSED ? "it was refused" : "it became a WebSocket";

    if (is == UPGRADED) return requests_count ? "a request on a WebSocket" : NULL;
    if (is == REFUSED) {
        if (a.status < 400) return "refused by no error";
        if (!a.close || stream_open) return "refused, and the stream goes on";
        return output_at != output_len ? "bytes behind a refusal" : NULL;
    }

    why = seen_is(0, methods[h->method], path, INNER, n);
    if (why) return why;
    if (a.status != 200) return "another status";
    ends = connections[h->connection].close || manner == 2 || (h->minor == 0 && !(connections[h->connection].keep && a.keep));
    if (a.close != ends && (h->minor == 1 || a.close)) return "the end is announced wrongly";

    if (!ends && body == SHORT) { /* what is left of the inner one is no request */
        why = next_answer(false, false, &a);
        if (why) return why;
        if (a.status < 400 || !a.close || requests_count > 1) return "the rest of a body was taken for a request";
        ends = true;
    } else if (!ends) {
        size_t i = 1;
        if (n == 0) why = follows(i++, "/inner", &a);
        if (!why) why = follows(i++, "/after", &a);
        if (!why && requests_count != i) why = "more requests than there are";
        if (why) return why;
    } else if (requests_count != 1) {
        return "a request behind the end";
    }
    if (stream_open == ends) return ends ? "the end was announced and did not come" : "it ended unannounced";
    return output_at != output_len ? "bytes behind the answers" : NULL;
}

static void print_stream(void) {
    size_t i;
    for (i = 0; i < stream_len; i++) {
        if (stream[i] == '\r') (void)printf("\\r");
        else if (stream[i] == '\n') (void)printf("\\n");
        else (void)printf("%c", stream[i]);
    }
}

/* What is wrong is told once for each reason, since a broken rule breaks thousands. */
static unsigned runs, wrong;
static const char *reasons[32];
static bool told(const char *why) {
    size_t i;
    for (i = 0; i < COUNT(reasons) && reasons[i]; i++) {
        if (strcmp(reasons[i], why) == 0) return true;
    }
    if (i < COUNT(reasons)) reasons[i] = why;
    return i == COUNT(reasons);
}
static void tell(const char *why, size_t cut) {
    size_t i;
    wrong++;
    if (told(why)) return;
    (void)printf("  %s (cut %u, manner %d):\n    ", why, (unsigned)cut, manner);
    print_stream();
    (void)printf("\n    seen:");
    for (i = 0; i < requests_count && i < COUNT(requests); i++) (void)printf(" [%s %s %u]", requests[i].method, requests[i].path, (unsigned)requests[i].body_len);
    (void)printf(", %s, answered %.*s\n", stream_open ? "open" : "ended", (int)output_len, output);
}
static void run(const head *h, size_t cut) {
    const char *why;
    say(cut);
    runs++;
    why = check(h);
    if (why) tell(why, cut);
}

static size_t pieces; /* of a stream, cut in two, one in so many is cut everywhere */
static void run_all_cuts(head *h, size_t nth) {
    size_t k;
    manner = (int)(nth % 3);
    h->expect = nth / 3 % 4 == 0;
    render(h);
    run(h, 0);
    if (nth % 5 == 0) run(h, 1);
    if (nth % pieces) {
        run(h, 2 + nth * 7919 % (stream_len - 2));
        return;
    }
    for (k = 2; k < stream_len; k++) run(h, k);
}

static void start(void) {
    world_start(&w, DESC(.on_request = on_request), FAKE(0));
    runs = wrong = 0;
    memset(reasons, 0, sizeof reasons);
    pieces = getenv("WSHUB_EXCHANGE_ALL") ? 1 : 997;
}
static void stop(void) {
    (void)printf("  %u streams, %u wrong\n", runs, wrong);
    EXPECT_INT(wrong, 0);
    world_stop(&w);
}

TEST(framing_decides_what_a_request_is) { /* CONN-5, CONN-1, CONN-2 */
    head h;
    size_t nth = 0;
    start();
    memset(&h, 0, sizeof h);
    for (h.method = 0; h.method < COUNT(methods); h.method++)
    for (h.target = 0; h.target < COUNT(targets); h.target++)
    for (h.minor = 0; h.minor < 2; h.minor++)
    for (h.connection = 0; h.connection < COUNT(connections); h.connection++)
    for (h.upgrade = 0; h.upgrade < COUNT(upgrades); h.upgrade++)
    for (h.length = 0; h.length < COUNT(lengths); h.length++)
    for (h.coding = 0; h.coding < COUNT(codings); h.coding++) {
        if (h.target > 1 && (h.length > 4 || h.coding > 4)) continue; /* the target's form and the odd lengths know nothing of each other */
        run_all_cuts(&h, nth++);
    }
    stop();
}


/* ---- chunks (RFC 9112 7.1) ---- */

static const struct { const char *bytes; says what; const char *body; } chunked[] = {
    {"0\r\n\r\n", RIGHT, ""},
    {"5\r\nhello\r\n0\r\n\r\n", RIGHT, "hello"},
    {"1\r\nh\r\n04\r\nello\r\n000\r\n\r\n", RIGHT, "hello"},
    {"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", RIGHT, "01234567890123456789"},
    {"5;a\r\nhello\r\n0;b=\"c\"\r\n\r\n", RIGHT, "hello"},
    {"5;a=b;c=\"d;e\"\r\nhello\r\n0\r\n\r\n", RIGHT, "hello"},
    {"5 ;a\r\nhello\r\n0\r\n\r\n", EITHER, "hello"}, /* white space that should not be there */
    {"5 \r\nhello\r\n0\r\n\r\n", EITHER, "hello"},
    {"5\r\nhello\r\n0\r\nX: y\r\nX-Two: z\r\n\r\n", RIGHT, "hello"},
    {"5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: gzip\r\nHost: other\r\n\r\n", RIGHT, "hello"}, /* frames nothing there */
    {"5\r\nhello\r\n0\r\nGET /inner HTTP/1.1\r\n\r\n", EITHER, "hello"}, /* no header field, but not behind the end either */
    {"5\r\n0\r\n\r\n\r\n0\r\n\r\n", RIGHT, "0\r\n\r\n"},
    {"5\nhello\r\n0\r\n\r\n", WRONG, ""}, /* bare LF: some read the line's end there */
    {"5\r\nhello\n0\r\n\r\n", WRONG, ""},
    {"5\r\nhello\r\n0\n\r\n", WRONG, ""},
    {"5\r\nhello\r\n0\r\nX: y\n\r\n", WRONG, ""},
    {"5\r\nhello\r\n0\r\n\n", WRONG, ""},
    {"5;a\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"5;a\rb\r\nhello\r\n0\r\n\r\n", WRONG, ""}, /* bare CR */
    {"5\r\rhello\r\n0\r\n\r\n", WRONG, ""},
    {"5\r\nhello\r\n0\r\nX: y\rz\r\n\r\n", WRONG, ""},
    {"5\r\nhelloX\r\n0\r\n\r\n", WRONG, ""},
    {"5\r\nhell\r\n0\r\n\r\n", WRONG, ""},
    {"\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {";a\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"g\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"0x5\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"+5\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"-5\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {" 5\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"5,\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"100000005\r\nhello\r\n0\r\n\r\n", WRONG, ""},         /* 5 in 32 bits */
    {"10000000000000005\r\nhello\r\n0\r\n\r\n", WRONG, ""}, /* 5 in 64 bits */
    {"FFFFFFFF\r\nhello\r\n0\r\n\r\n", WRONG, ""},
    {"7FFFFFFF\r\nhello\r\n0\r\n\r\n", WRONG, ""},
};

TEST(a_chunked_body_ends_where_its_chunks_say) { /* CONN-5 */
    static const char *const heads[] = {
        "POST /api HTTP/1.1\r\nHost: h\r\n", "GET /api HTTP/1.1\r\nHost: h\r\n", "HEAD /api HTTP/1.1\r\nHost: h\r\n",
        "POST /api HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
    };
    size_t i, k, cut;
    start();
    for (i = 0; i < COUNT(chunked); i++)
    for (k = 0; k < COUNT(heads); k++)
    for (manner = 0; manner < 2; manner++) {
        stream_len = (size_t)snprintf(stream, sizeof stream, "%sTransfer-Encoding: chunked\r\n\r\n%s" AFTER, heads[k], chunked[i].bytes);
        for (cut = 0; cut < stream_len; cut++) {
            const char *why;
            char method[12];
            answer a;
            (void)snprintf(method, sizeof method, "%.*s", (int)strcspn(heads[k], " "), heads[k]);
            say(cut);
            runs++;
            why = next_answer(k == 2, false, &a);
            if (!why && a.status == 200) {
                why = seen_is(0, method, "/api", chunked[i].body, strlen(chunked[i].body));
                if (!why && chunked[i].what == WRONG) why = "it was taken";
                if (!why) why = follows(1, "/after", &a);
                if (!why && !stream_open) why = "it ended unannounced";
            } else if (!why) {
                if (chunked[i].what == RIGHT) why = "it was refused";
                else if (requests_count || a.status < 400 || !a.close || stream_open) why = "refused, and the stream goes on";
            }
            if (!why && output_at != output_len) why = "bytes behind the answers";
            if (why) tell(why, cut);
        }
    }
    stop();
}

/* ---- what else is no ordinary request ---- */

TEST(a_tunnel_is_refused) { /* RFC 9110 9.3.6: what a 2xx to CONNECT is followed by is no HTTP, so there is none */
    static const char *const connects[] = {"h:80", "/api", "/ws", "http://h/api", "h", "*"};
    size_t i, cut;
    start();
    for (i = 0; i < COUNT(connects); i++)
    for (manner = 0; manner < 2; manner++) {
        stream_len = (size_t)snprintf(stream, sizeof stream, "CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n" INNER, connects[i]);
        for (cut = 0; cut < stream_len; cut++) {
            const char *why;
            answer a;
            say(cut);
            runs++;
            why = next_answer(false, false, &a);
            if (!why && (requests_count || a.status < 400 || !a.close || stream_open)) why = "it was taken";
            if (!why && output_at != output_len) why = "bytes behind a refusal";
            if (why) tell(why, cut);
        }
    }
    stop();
}

TEST(an_expectation_is_met_or_refused) { /* RFC 9110 10.1.1 */
    static const struct { const char *lines; bool interim, may_refuse; } expects[] = {
        {"Expect: 100-continue\r\n", true, false},
        {"expect:\t100-Continue \r\n", true, false},
        {"Expect: 100-continue, x\r\n", true, true},
        {"Expect: 200-ok\r\n", false, true},
        {"Expect:\r\n", false, false},
    };
    static const char *const bodies[] = {"Content-Length: 32\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "Content-Length: 32\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"};
    size_t i, k, minor;
    start();
    for (i = 0; i < COUNT(expects); i++)
    for (k = 0; k < COUNT(bodies); k++)
    for (minor = 0; minor < 2; minor++)
    for (manner = 0; manner < 2; manner++) {
        const char *why = NULL, *rule = "", *body = k == 1 ? "20\r\n" INNER "\r\n0\r\n\r\n" : INNER;
        wshub_conn c;
        wshub_str out;
        answer a;
        long n;
        if (minor == 0 && k == 1) continue;
        stream_len = (size_t)snprintf(stream, sizeof stream, "POST /api HTTP/1.%u\r\nHost: h\r\n%s%s", (unsigned)minor, expects[i].lines, bodies[k]);
        c = wshub_io_fake_open(w.net);
        requests_count = answered = 0;
        wshub_io_fake_set_cut(w.net, 0, 0);
        wshub_io_fake_input(w.net, c, stream, stream_len);
        runs++;

        /* the head alone: an interim answer, or none, or a refusal; nothing is dispatched before its body is there */
        out = wshub_io_fake_output(w.net, c);
        n = out.len ? answer_read(out.ptr, out.len, false, &a, &rule) : 0;
        if (requests_count) why = "a request without its body";
        if (!why && out.len && n <= 0) why = n ? rule : "half an answer";
        if (!why && n > 0 && a.status >= 400) {
            if (!expects[i].may_refuse) why = "it was refused";
            else if (!a.close || wshub_io_fake_is_open(w.net, c)) why = "refused, and the stream goes on";
        } else if (!why && n > 0) {
            if (a.status != 100 || minor == 0 || !expects[i].interim) why = "an interim answer that nobody asked for"; /* never to HTTP/1.0 */
        } else if (!why && minor == 1 && expects[i].interim && !expects[i].may_refuse) {
            why = "the client was left waiting";
        }
        wshub_io_fake_take(w.net, c, SIZE_MAX);
        if (!why && wshub_io_fake_is_open(w.net, c)) {
            wshub_io_fake_input(w.net, c, body, strlen(body));
            if (manner == 1 && requests_count) answer_to(w.hub, &requests[0]);
            wshub_io_fake_run(w.net);
            out = wshub_io_fake_output(w.net, c);
            why = seen_is(0, "POST", "/api", INNER, strlen(INNER));
            if (!why && (answer_read(out.ptr, out.len, false, &a, &rule) != (long)out.len || a.status != 200)) why = "another answer";
        }
        output_len = (size_t)snprintf(output, sizeof output, "%.*s", (int)out.len, out.ptr);
        if (why) tell(why, 0);
        if (wshub_io_fake_is_open(w.net, c)) wshub_io_fake_end(w.net, c);
        wshub_io_fake_forget(w.net, c);
    }
    stop();
}

/* ---- answers ---- */

static wshub_request kept;
static bool keep_request(wshub *hub, wshub_request request, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    kept = request;
    return true;
}

TEST(what_frames_an_answer_is_the_hubs) { /* CONN-5: never doubled, so refused */
    static const struct { const char *name, *value; } framing[] = {
        {"Content-Length", "5"}, {"content-length", "2"}, {"CONTENT-LENGTH", ""}, {"Transfer-Encoding", "chunked"}, {"transfer-encoding", "gzip"},
        {"Connection", "close"}, {"connection", "keep-alive"}, {"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"upgrade", "h2c"},
    };
    static const int statuses[] = {200, 204, 304, 404, 503, 599};
    size_t i, k, at;
    start();
    w.hub->desc.on_request = keep_request;
    for (i = 0; i < COUNT(framing); i++)
    for (k = 0; k < COUNT(statuses); k++)
    for (at = 0; at < 3; at++) { /* at each place among others */
        wshub_conn c = wshub_io_fake_open(w.net);
        wshub_header h[3];
        wshub_reply r;
        wshub_str out;
        answer a;
        const char *why = NULL;
        size_t n;
        for (n = 0; n < 3; n++) {
            h[n].name = wshub_str_z(n == at ? framing[i].name : "X-Other");
            h[n].value = wshub_str_z(n == at ? framing[i].value : "y");
        }
        memset(&r, 0, sizeof r);
        r.status = statuses[k];
        r.headers = h;
        r.headers_count = 3;
        r.body = wshub_str_z("hello");
        wshub_io_fake_input(w.net, c, INNER, strlen(INNER));
        if (wshub_http_reply(w.hub, kept, &r) != WSHUB_ERR_PARAM) why = "it was taken";
        wshub_io_fake_run(w.net);
        if (!why && wshub_io_fake_output(w.net, c).len) why = "bytes of a refused answer";

        r.headers_count = 0; /* the request is still there to be answered */
        if (!why && wshub_http_reply(w.hub, kept, &r) != WSHUB_OK) why = "it can be answered no more";
        wshub_io_fake_run(w.net);
        out = wshub_io_fake_output(w.net, c);
        if (!why && answer_read(out.ptr, out.len, false, &a, &why) == (long)out.len) why = NULL;
        (void)snprintf(stream, sizeof stream, "%s: %s (%d)", framing[i].name, framing[i].value, statuses[k]);
        stream_len = strlen(stream);
        output_len = (size_t)snprintf(output, sizeof output, "%.*s", (int)out.len, out.ptr);
        if (why) tell(why, at);
        wshub_io_fake_end(w.net, c);
        wshub_io_fake_forget(w.net, c);
        runs++;
    }
    stop();
}

TEST(an_answer_has_a_body_only_where_there_may_be_one) { /* RFC 9112 6.3 */
    static const char *const asking[] = {"GET", "HEAD", "OPTIONS", "POST"};
    static const char *const on_wire[] = {"HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.0\r\n\r\n"};
    static const int statuses[] = {200, 201, 203, 204, 206, 299, 301, 304, 307, 400, 404, 405, 451, 500, 503, 599};
    size_t i, k, nth;
    int close, with_body, never;
    start();
    w.hub->desc.on_request = keep_request;
    w.hub->desc.http_timeout_ms = 1000;
    for (i = 0; i < COUNT(asking); i++)
    for (k = 0; k < COUNT(on_wire); k++)
    for (nth = 0; nth < COUNT(statuses); nth++)
    for (close = 0; close < 2; close++)
    for (with_body = 0; with_body < 2; with_body++)
    for (never = 0; never < (nth ? 1 : 2); never++) { /* or it is never answered */
        wshub_conn c = wshub_io_fake_open(w.net);
        wshub_reply r;
        wshub_str out;
        answer a;
        const char *why = "it is not whole";
        bool to_head = i == 1;
        int status = statuses[nth];
        long n;
        stream_len = (size_t)snprintf(stream, sizeof stream, "%s /x %s", asking[i], on_wire[k]);
        memset(&r, 0, sizeof r);
        r.status = status;
        r.close = close;
        r.content_type = "text/plain";
        r.body = wshub_str_z(with_body ? "HTTP/1.1 299 No\r\n\r\n" : "");
        wshub_io_fake_input(w.net, c, stream, stream_len);
        if (never) wshub_io_fake_advance(w.net, 1001);
        else EXPECT_INT(wshub_http_reply(w.hub, kept, &r), WSHUB_OK);
        wshub_io_fake_run(w.net);
        out = wshub_io_fake_output(w.net, c);
        memset(&a, 0, sizeof a);
        n = answer_read(out.ptr, out.len, to_head, &a, &why);
        runs++;
        if (n > 0 && (size_t)n != out.len) why = "bytes behind the answer";
        else if (n > 0 && a.status != (never ? 503 : status)) why = "another status";
        else if (n > 0 && wshub_io_fake_is_open(w.net, c) != !(close || k || never)) why = "the end came or did not";
        else if (n > 0 && a.close != (close || k || never)) why = "the end is announced wrongly";
        else if (n > 0) why = NULL;
        output_len = (size_t)snprintf(output, sizeof output, "%.*s", (int)out.len, out.ptr);
        if (why) tell(why, (size_t)status);
        if (wshub_io_fake_is_open(w.net, c)) wshub_io_fake_end(w.net, c);
        wshub_io_fake_forget(w.net, c);
    }
    stop();
}

/* Every refusal of the hub's own, read by the strict client: one answer, its end announced, and nothing behind it. */
static void refuse_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    (void)hub;
    (void)user;
    if (wshub_http_header(h, "X-Refuse").ptr) up->refuse = 426;
}
TEST(a_refusal_is_one_whole_answer_and_the_end) { /* CONN-2, CONN-3 */
    static const struct { const char *head; int status; } refused[] = {
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Refuse: 1\r\n" HANDSHAKE "\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://evil.example\r\n" HANDSHAKE "\r\n", 403},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"HEAD / HTTP/1.1\r\n\r\n", 400},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", 413},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 0},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", 400},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7FFFFFF\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n", 413},
        {"\x16\x03\x01\x02", 400},
        {"HE", 400},
        {"HEAD / HTTP/1.1\nHost: h\r\n\r\n", 400},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nX: ", 431},
        {"GET / HTTP/1.1\r\nHost: h\r\nX: ", 431},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", 400},
    };
    static const char *const before[] = {"", "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"}; /* says nothing about what follows */
    static const char *const origins[] = {"https://ok.example"};
    size_t i, k, cut;
    world_start(&w, DESC(.on_request = on_request, .http_head_bytes_max = 1000, .on_upgrade = refuse_upgrade, .allowed_origins = origins, .allowed_origins_count = 1), FAKE(0));
    runs = wrong = 0;
    memset(reasons, 0, sizeof reasons);
    manner = 0;
    for (i = 0; i < COUNT(refused); i++)
    for (k = 0; k < COUNT(before); k++) {
        const char *more = strstr(refused[i].head, "HTTP/") ? "" : "\r\n\r\n";
        bool to_head = strncmp(refused[i].head, "HEAD ", 5) == 0;
        int n = snprintf(stream, sizeof stream, "%s%s%s", before[k], refused[i].head, more);
        stream_len = (size_t)n;
        if (refused[i].status == 431) { /* a head without an end */
            memset(stream + n, 'x', sizeof stream - (size_t)n);
            stream_len = sizeof stream;
        }
        for (cut = 0; cut < stream_len; cut += cut > 300 ? 97 : 1) {
            const char *why = NULL;
            answer a;
            say(cut);
            runs++;
            if (k) why = next_answer(k == 1, false, &a);
            if (!why) why = next_answer(to_head, false, &a);
            if (!why && refused[i].status && a.status != refused[i].status) why = "another status";
            if (!why && (requests_count != (k ? 1 : 0) || a.status < 400 || !a.close || stream_open)) why = "refused, and the stream goes on";
            if (!why && output_at != output_len) why = "bytes behind a refusal";
            if (why) tell(why, cut);
        }
    }
    stop();
}

TEST(two_clocks_that_run_out_at_once_are_judged_one_after_the_other) { /* LIVE-3, CONN-3 */
    static const char *const said[] = {INNER "GET ", INNER "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", INNER "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"};
    size_t i;
    manner = 0;
    for (i = 0; i < COUNT(said); i++) { /* the answer is not read, and what follows does not come whole */
        wshub_conn c;
        world_start(&w, DESC(.on_request = on_request, .head_timeout_ms = 5000, .message_timeout_ms = 5000, .write_timeout_ms = 5000), FAKE(0));
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_window(w.net, c, 0);
        wshub_io_fake_input(w.net, c, said[i], strlen(said[i]));
        wshub_io_fake_advance(w.net, 4999);
        EXPECT(wshub_io_fake_is_open(w.net, c));
        wshub_io_fake_advance(w.net, 2);
        EXPECT(!wshub_io_fake_is_open(w.net, c));
        world_stop(&w);
    }
}

TEST(an_end_behind_an_answer_is_announced_in_it) { /* LIVE-3, BYE-2; RFC 9112 9.6 */
    static const char *const asked[] = {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n",
                                        ("GET /a HTTP/1.1\r\nHost: h\r\n\r\n" AFTER), "GET /no HTTP/1.1\r\nHost: h\r\n\r\n"};
    size_t i;
    int way, at_once, close;
    runs = wrong = 0;
    memset(reasons, 0, sizeof reasons);
    for (i = 0; i < COUNT(asked); i++)
    for (way = 0; way < 4; way++)         /* nothing further, shutdown, drain, the application's silence */
    for (at_once = 0; at_once < 2; at_once++) /* before or behind the request */
    for (close = 0; close < 2; close++) {
        const char *why = "half an answer";
        wshub_conn c;
        wshub_str out;
        wshub_reply r;
        answer a;
        bool held;
        world_start(&w, DESC(.on_request = keep_request, .http_timeout_ms = 1000, .shutdown_timeout_ms = 20000), FAKE(0));
        c = wshub_io_fake_open(w.net);
        (void)wshub_io_fake_connect(w.net, "/ws"); /* a client that keeps a drain going */
        kept.id = 0;
        if (!at_once) wshub_io_fake_input(w.net, c, asked[i], strlen(asked[i]));
        if (way == 1) (void)wshub_shutdown(w.hub);
        if (way == 2) (void)wshub_drain(w.hub, 1, 1001, wshub_str_z(""));
        if (at_once) wshub_io_fake_input(w.net, c, asked[i], strlen(asked[i]));
        wshub_io_fake_run(w.net);
        if (way == 3) wshub_io_fake_advance(w.net, 1001);
        memset(&r, 0, sizeof r);
        r.status = 200;
        r.close = close;
        held = kept.id != 0;
        if (held) (void)wshub_http_reply(w.hub, kept, &r); /* STALE where that is over */
        wshub_io_fake_run(w.net);
        out = wshub_io_fake_output(w.net, c);
        if (out.len && answer_read(out.ptr, out.len, false, &a, &why) > 0) {
            why = a.close == wshub_io_fake_is_open(w.net, c) ? "the end is announced wrongly" : NULL;
        } else if (!out.len) {
            why = way == 1 || !held ? NULL : "no answer"; /* a stream that asks nothing ends with the shutdown */
        }
        stream_len = (size_t)snprintf(stream, sizeof stream, "%s way %d, at once %d, close %d", asked[i], way, at_once, close);
        output_len = (size_t)snprintf(output, sizeof output, "%.*s", (int)out.len, out.ptr);
        stream_open = wshub_io_fake_is_open(w.net, c);
        requests_count = 0;
        runs++;
        if (why) tell(why, 0);
        world_stop(&w);
    }
    (void)printf("  %u streams, %u wrong\n", runs, wrong);
    EXPECT_INT(wrong, 0);
}

/* ---- what callbacks do in the middle of an exchange (BYE-1) ---- */

enum { AT_REQUEST, AT_UPGRADE, AT_LOG, AT_OPENED, AT_GONE, AT_COUNT };
static struct {
    int at, call, countdown; /* the so-manieth callback of this kind does it */
    bool reached, late, ends, busy;
    wshub_conn one, other;
    wshub_request held[16], now; /* asked and not yet answered; the one that is being asked */
    size_t held_count;
} re;

static wshub_err plain_answer(wshub *hub, wshub_request request, bool close) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = wshub_str_z("0123456789");
    r.close = close;
    return wshub_http_reply(hub, request, &r);
}
static void answer_other(wshub *hub, void *arg) {
    (void)arg;
    if (re.held_count) (void)plain_answer(hub, re.held[0], false);
}

#define DOINGS 26
static void do_it(wshub *hub, int n) {
    static const char frame[] = "\x89\x80\0\0\0\0";
    wshub_iter it;
    wshub_client c;
    wshub_reply r;
    memset(&it, 0, sizeof it);
    memset(&r, 0, sizeof r);
    switch (n) {
    case 0: (void)plain_answer(hub, re.now, false); break;
    case 1: (void)plain_answer(hub, re.now, true); break;
    case 2: EXPECT(wshub_http_reply(hub, re.now, &r) == (re.now.id ? WSHUB_ERR_PARAM : WSHUB_ERR_STALE)); break;
    case 3: answer_other(hub, NULL); break;
    case 4: (void)plain_answer(hub, re.held[0], true); break;
    case 5: wshub_io_fake_input(w.net, re.one, INNER, strlen(INNER)); break; /* an io that reports from inside */
    case 6: wshub_io_fake_input(w.net, re.one, "GET ", 4); break;
    case 7: wshub_io_fake_input(w.net, re.one, frame, sizeof frame - 1); break;
    case 8: wshub_io_fake_half_close(w.net, re.one); break;
    case 9: wshub_io_fake_end(w.net, re.one); break;
    case 10: wshub_io_fake_input(w.net, re.other, INNER AFTER, strlen(INNER AFTER)); break;
    case 11: wshub_io_fake_half_close(w.net, re.other); break;
    case 12: wshub_io_fake_end(w.net, re.other); break;
    case 13: wshub_io_fake_window(w.net, re.one, 0); break;
    case 14: wshub_io_fake_window(w.net, re.one, UINT64_MAX); break;
    case 15: wshub_conn_drained(hub, re.one); break;
    case 16: wshub_conn_drained(hub, re.other); break;
    case 17: EXPECT_INT(wshub_settle(hub), 0); break;
    case 18: (void)wshub_timer_start(hub, 0, answer_other, NULL, NULL); break;
    case 19: (void)wshub_post(hub, answer_other, NULL); break;
    case 20: while (wshub_client_each(hub, &it, &c)) (void)wshub_client_close(hub, c, 1000, wshub_str_z("")); break;
    case 21: (void)wshub_io_fake_connect(w.net, "/ws"); break;
    case 22: wshub_io_fake_input(w.net, wshub_io_fake_open(w.net), INNER, strlen(INNER)); break;
    case 23: (void)wshub_shutdown(hub); re.ends = true; break;
    case 24: (void)wshub_drain(hub, 1, 1001, wshub_str_z("")); re.ends = true; break;
    default: wshub_destroy(hub); w.hub = NULL; re.ends = true; break;
    }
}
static void in_callback(wshub *hub, int at) {
    if (re.busy || at != re.at || !w.hub || re.reached || re.countdown-- > 0) return;
    re.reached = re.busy = true;
    w.net->desc.on_step = NULL; /* in the middle of a callback the indexes need not agree */
    do_it(hub, re.call);
    w.net->desc.on_step = world_step;
    re.busy = false;
}

static bool re_request(wshub *hub, wshub_request request, const wshub_http *h, void *user) {
    (void)user;
    re.now = request;
    in_callback(hub, AT_REQUEST);
    re.now.id = 0;
    EXPECT(h->method.len && h->path.len && memchr(h->path.ptr, 0, h->path.len) == NULL); /* its texts are still there */
    EXPECT(h->body.len == 0 || (h->body.len == 3 && h->body.ptr[2] != 0)); /* so is its body */
    if (!w.hub) return true;
    if (h->conn.id == re.other.id || re.late) {
        if (re.held_count < COUNT(re.held)) re.held[re.held_count++] = request;
    } else {
        (void)plain_answer(hub, request, false);
    }
    return true;
}
static void re_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    (void)user;
    in_callback(hub, AT_UPGRADE);
    EXPECT(h->path.len == 3 && up->protocol == -1);
}
static void re_log(wshub *hub, const wshub_log *l, void *user) {
    (void)user;
    in_callback(hub, AT_LOG);
    EXPECT(l->text[0]);
}
static void re_opened(wshub *hub, wshub_client c, void *user) {
    (void)c;
    (void)user;
    in_callback(hub, AT_OPENED);
}
static void re_gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)user;
    in_callback(hub, AT_GONE);
    EXPECT_INT(g->id.len, 36);
}

#define UPGRADE_OF "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
static const struct { const char *bytes; bool to_head; unsigned window, wait; } exchanges[] = {
    {INNER AFTER, false, UINT32_MAX, 0},
    {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab." AFTER, false, UINT32_MAX, 0},
    {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\n.\r\n0\r\n\r\n" AFTER "GE", false, UINT32_MAX, 0},
    {"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" AFTER, true, UINT32_MAX, 0},
    {INNER "GET /bad HTTP/1.1\r\n\r\n" AFTER, false, UINT32_MAX, 0},
    {UPGRADE_OF HANDSHAKE "\r\n\x89\x80\0\0\0\0", false, UINT32_MAX, 6000},
    {UPGRADE_OF "\r\n" AFTER, false, UINT32_MAX, 0},
    {INNER INNER INNER INNER INNER, false, 30, 0}, /* answers over the limit */
    {INNER "GET /cu", false, UINT32_MAX, 6000},    /* a head that does not end in time */
    {INNER "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na", false, 0, 70000},
};

/* Whole answers only, in whatever state the stream was left. */
static const char *only_answers(wshub_conn c, bool to_head, size_t *count) {
    wshub_str out = wshub_io_fake_output(w.net, c);
    const char *why = "";
    answer a;
    while (out.len) {
        long n = answer_read(out.ptr, out.len, to_head, &a, &why);
        if (n <= 0) return n ? why : "half an answer";
        if (a.status == 101) return NULL;
        if (a.status != 100) ++*count;
        out.ptr += n;
        out.len -= (size_t)n;
    }
    return NULL;
}

static void one_exchange(size_t k, int io, int nth) {
    const char *why = NULL;
    size_t count = 0, len = strlen(exchanges[k].bytes), i;
    wshub *hub;
    if (k == 5) len += 4; /* its frame ends in zeros */
    re.reached = re.ends = re.busy = false;
    re.countdown = nth;
    re.held_count = 0;
    re.now.id = re.one.id = re.other.id = 0;
    re.busy = true;
    world_start(&w, DESC(.on_request = re_request, .on_upgrade = re_upgrade, .on_log = re_log, .on_opened = re_opened, .on_disconnected = re_gone, .http_answers_bytes_max = 200, .http_timeout_ms = 200000),
                FAKE(.completion = io == 1, .take_bytes = io == 1 ? 40 : 0, .no_pause = io == 2, .cut_bytes = io == 2));
    hub = w.hub;
    re.other = wshub_io_fake_open(w.net); /* has asked, is answered later, and has more to ask */
    wshub_io_fake_input(w.net, re.other, INNER AFTER, strlen(INNER AFTER));
    re.one = wshub_io_fake_open(w.net);
    re.busy = false;

    if (exchanges[k].window != UINT32_MAX) wshub_io_fake_window(w.net, re.one, exchanges[k].window);
    wshub_io_fake_input(w.net, re.one, exchanges[k].bytes, len);
    if (w.hub && exchanges[k].wait) wshub_io_fake_advance(w.net, exchanges[k].wait);
    for (i = 0; w.hub && i < re.held_count; i++) { /* also what comes only once these are answered */
        (void)plain_answer(w.hub, re.held[i], false);
        wshub_io_fake_run(w.net);
    }
    if (w.hub) wshub_io_fake_window(w.net, re.one, UINT64_MAX);
    for (i = 0; w.hub && i < re.held_count; i++) {
        (void)plain_answer(w.hub, re.held[i], false);
        wshub_io_fake_run(w.net);
    }

    /* The other's exchange does not suffer, unless it was ended. Nobody gets half an answer but who is cut off. */
    if (!re.ends && re.call != 12 && re.call != 4 && w.hub) {
        why = only_answers(re.other, false, &count);
        if (!why && count < 2) why = "the other stream was forgotten";
    }
    if (!why && !re.ends && re.call != 9 && !exchanges[k].wait && w.hub) why = only_answers(re.one, exchanges[k].to_head, &count);
    if (w.hub) wshub_io_fake_advance(w.net, 400000); /* whatever waits has an end */
    if (!why && w.hub && stats(&w).conns) why = "a stream without an end";
    stream_len = (size_t)snprintf(stream, sizeof stream, "exchange %u, callback %d (%d), call %d, late %d, io %d", (unsigned)k, re.at, nth, re.call, (int)re.late, io);
    output_len = 0;
    runs++;
    if (why) tell(why, 0);
    re.busy = true;
    if (w.hub) wshub_destroy(hub);
    w.hub = NULL;
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
}

TEST(an_exchange_survives_whatever_its_callbacks_do) { /* BYE-1, CONN-5, SEND-6 */
    unsigned met = 0, reached[AT_COUNT] = {0};
    size_t k;
    int io, nth, late;
    runs = wrong = 0;
    memset(reasons, 0, sizeof reasons);
    for (k = 0; k < COUNT(exchanges); k++)
    for (re.at = 0; re.at < AT_COUNT; re.at++)
    for (re.call = 0; re.call < DOINGS; re.call++)
    for (io = 0; io < 3; io++)
    for (late = 0; late < 2; late++)
    for (nth = 0; nth < 3; nth++) {
        re.late = late != 0;
        one_exchange(k, io, nth);
        if (!re.reached) break; /* there is no such callback here */
        met++;
        reached[re.at]++;
    }
    for (k = 0; k < AT_COUNT; k++) EXPECT(reached[k] > 0);
    (void)printf("  %u streams, %u with a callback that acts, %u wrong\n", runs, met, wrong);
    EXPECT_INT(wrong, 0);
}
