/* A client that reads answers strictly, by RFC 9112, and an application that notes what it was
 * asked; shared by test_exchange.c and test_reply.c. */
#ifndef STRICT_H
#define STRICT_H
#include "hubtest.h"

/* Reads like a request, and is one where the head in front of it has no body. */
#define INNER "GET /inner HTTP/1.1\r\nHost: h\r\n\r\n"

#define INNER_LEN "32"
#define AFTER "GET /after HTTP/1.1\r\nHost: h\r\n\r\n"
#define HANDSHAKE "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

typedef struct head {
    size_t method, target, minor, connection, upgrade, length, coding;
    bool expect;
} head;

#define COUNT(a) (sizeof(a) / sizeof *(a))

typedef struct answer {
    int status;
    bool close, keep;
    wshub_str body;
} answer;

UNUSED static bool same(const char *p, size_t n, const char *text) {
    size_t i;
    if (n != strlen(text)) return false;
    for (i = 0; i < n; i++) {
        char c = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] + 32) : p[i];
        if (c != text[i]) return false;
    }
    return true;
}

UNUSED static bool listed(const char *p, size_t n, const char *token) {
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

/* Reads one answer to a request of this method. Returns how long it is; 0: it is not whole; -1:
 * it breaks a rule. */
UNUSED static long answer_read(const char *p, size_t n, bool to_head, answer *out,
                               const char **why) {
    const char *end = p, *line;
    int lengths_seen = 0, codings_seen = 0;
    bool upgrade = false, names_upgrade = false, bodyless;
    size_t length = 0, size;
    memset(out, 0, sizeof *out);
    for (; end + 4 <= p + n && memcmp(end, "\r\n\r\n", 4) != 0; end++) {
    }
    if (end + 4 > p + n) return 0;

    *why = "status line";
    if (n < 15 || memcmp(p, "HTTP/1.1 ", 9) != 0 || p[12] != ' ') return -1;
    out->status = atoi(p + 9);
    if (out->status < 100 || out->status > 599) return -1;

    line = strstr(p, "\r\n") + 2;
    while (line < end) {
        const char *eol = strstr(line, "\r\n"),
                   *colon = (const char *)memchr(line, ':', (size_t)(eol - line)), *v;
        *why = "header field";
        if (!colon || colon == line) return -1;
        for (v = colon + 1; v < eol && (*v == ' ' || *v == '\t'); v++) {
        }
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

typedef struct seen {
    char method[12], path[24], body[100];
    size_t body_len;
    wshub_exchange request;
} seen;

UNUSED static seen seen_requests[8];
UNUSED static size_t seen_count, answered;

/* 0: answers at once; 1: when everything has been said; 2: at once, and closes */
UNUSED static int manner;

UNUSED static void answer_to(wshub *hub, const seen *s) {
    wshub_reply r;
    char body[200];
    memset(&r, 0, sizeof r);
    r.status = 200;
    /* reads like an answer */
    (void)snprintf(body, sizeof body, "HTTP/1.1 299 %s %s %u\r\n\r\n", s->method, s->path,
                   (unsigned)s->body_len);
    r.body = wshub_str_z(body);
    r.close = manner == 2;
    EXPECT_INT(wshub_http_reply(hub, s->request, &r), WSHUB_OK);
}

UNUSED static bool note_request(wshub *hub, wshub_exchange request, const wshub_http *h,
                                void *user) {
    seen *s =
        &seen_requests[seen_count < COUNT(seen_requests) ? seen_count : COUNT(seen_requests) - 1];
    (void)user;
    seen_count++;
    (void)snprintf(s->method, sizeof s->method, "%.*s", (int)h->method.len, h->method.ptr);
    (void)snprintf(s->path, sizeof s->path, "%.*s", (int)h->path.len, h->path.ptr);
    s->body_len = h->body.len;
    if (h->body.len)
        memcpy(s->body, h->body.ptr, h->body.len < sizeof s->body ? h->body.len : sizeof s->body);
    s->request = request;
    if (manner != 1) answer_to(hub, s);
    return true;
}

UNUSED static world served;
UNUSED static char stream[2000], output[8000];
UNUSED static size_t stream_len, output_len, output_at;
UNUSED static bool stream_open;

/* Says the stream in pieces (0: whole; 1: byte by byte; else in two pieces, the first so long)
 * and keeps what comes of it. */
UNUSED static void say(size_t cut) {
    wshub_conn c = wshub_io_fake_open(served.net);
    wshub_str out;
    seen_count = answered = 0;
    wshub_io_fake_set_cut(served.net, cut == 1, 0);
    if (cut > 1) {
        wshub_io_fake_input(served.net, c, stream, cut);
        wshub_io_fake_input(served.net, c, stream + cut, stream_len - cut);
    } else {
        wshub_io_fake_input(served.net, c, stream, stream_len);
    }
    /* one after the other, as they come */
    while (manner == 1 && answered < seen_count && answered < COUNT(seen_requests)) {
        answer_to(served.hub, &seen_requests[answered++]);
        wshub_io_fake_run(served.net);
    }
    out = wshub_io_fake_output(served.net, c);
    output_len = out.len < sizeof output - 1 ? out.len : sizeof output - 1;
    memcpy(output, out.ptr, output_len);
    output[output_len] = 0;
    output_at = 0;
    stream_open = wshub_io_fake_is_open(served.net, c);
    if (stream_open) wshub_io_fake_end(served.net, c);
    wshub_io_fake_forget(served.net, c);
}

/* The next answer that is no interim one. NULL, or what is wrong. */
UNUSED static const char *next_answer(bool to_head, bool expects, answer *a) {
    const char *why = "";
    for (;;) {
        long n = answer_read(output + output_at, output_len - output_at, to_head, a, &why);
        if (n <= 0) return n ? why : "there is no answer";
        output_at += (size_t)n;
        if (a->status >= 200 || a->status == 101) return NULL;
        if (!expects || a->status != 100) return "an interim answer that nobody asked for";
    }
}

UNUSED static void print_stream(void) {
    size_t i;
    for (i = 0; i < stream_len; i++) {
        if (stream[i] == '\r')
            (void)printf("\\r");
        else if (stream[i] == '\n')
            (void)printf("\\n");
        else
            (void)printf("%c", stream[i]);
    }
}

/* What is wrong is told once for each reason, since a broken rule breaks thousands. */
UNUSED static unsigned runs, wrong;

UNUSED static const char *reasons[32];

UNUSED static bool told_reason(const char *why) {
    size_t i;
    for (i = 0; i < COUNT(reasons) && reasons[i]; i++) {
        if (strcmp(reasons[i], why) == 0) return true;
    }
    if (i < COUNT(reasons)) reasons[i] = why;
    return i == COUNT(reasons);
}

UNUSED static void tell(const char *why, size_t cut) {
    size_t i;
    wrong++;
    if (told_reason(why)) return;
    (void)printf("  %s (cut %u, manner %d):\n    ", why, (unsigned)cut, manner);
    print_stream();
    (void)printf("\n    seen:");
    for (i = 0; i < seen_count && i < COUNT(seen_requests); i++)
        (void)printf(" [%s %s %u]", seen_requests[i].method, seen_requests[i].path,
                     (unsigned)seen_requests[i].body_len);
    (void)printf(", %s, answered %.*s\n", stream_open ? "open" : "ended", (int)output_len, output);
}

UNUSED static size_t pieces; /* of a stream, cut in two, one in so many is cut everywhere */

UNUSED static void start(void) {
    world_start(&served, DESC(.on_request = note_request), FAKE(0));
    runs = wrong = 0;
    memset(reasons, 0, sizeof reasons);
    pieces = getenv("WSHUB_EXCHANGE_ALL") ? 1 : 997;
}

UNUSED static void stop(void) {
    (void)printf("  %u streams, %u wrong\n", runs, wrong);
    EXPECT_INT(wrong, 0);
    world_stop(&served);
}

#endif
