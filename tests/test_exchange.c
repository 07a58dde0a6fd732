/* Framing decides what a request is (CONN-5; RFC 9112 6): every combination of what can be said
 * about a request's body is sent with a body that reads like a request, and a small judge,
 * written from RFC 9112 and not from the code, says how many requests that is, what their
 * bodies are and whether the stream ends. What is answered is read by a strict client. */
#include "hubtest.h"
#include "strict.h"

/* EITHER: may be taken, may be refused */
typedef enum says { NOTHING, RIGHT, SHORT, NOUGHT, HUGE_, EITHER, WRONG } says;
typedef struct form {
    const char *lines; /* %N: the length of the body */
    says what;
} form;
static const form lengths[] = {
    {"", NOTHING},
    {"Content-Length: " INNER_LEN "\r\n", RIGHT},
    /* 1*DIGIT, white space around it is no part of the value */
    {"content-length:\t00" INNER_LEN " \r\n", RIGHT},
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

/* clang-format off */
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
/* clang-format on */

/* clang-format off */
static const struct { const char *lines; bool websocket; } upgrades[] = {
    {"", false},
    {"Upgrade: websocket\r\n" HANDSHAKE, true},
    {"Upgrade: h2c\r\n", false},
    {"Upgrade: h2c, WebSocket\r\n" HANDSHAKE, true},
    {"Upgrade: xwebsocket\r\n" HANDSHAKE, false},
};
/* clang-format on */
static const char *const methods[] = {"GET", "POST", "HEAD", "OPTIONS", "PATCH"};
static const char *const targets[] = {"/api", "/ws", "http://h/ws", "http://ws/api"};
enum { ONE = 1, REFUSED = 2, UPGRADED = 4 };

/* What may become of a request: given to the application with its body, refused with the end of
 * the stream, or a WebSocket. */
static unsigned judge(const head *h, says *out_body) {
    says length = lengths[h->length].what, coding = codings[h->coding].what;
    bool to_ws = strstr(targets[h->target], "/ws") && !strstr(targets[h->target], "/api"),
         websocket = upgrades[h->upgrade].websocket;
    unsigned may = ONE;
    *out_body = coding != NOTHING ? coding : length;

    /* Transfer-Encoding goes before Content-Length; beside it, or from HTTP/1.0, it is an
     * attempt at something. */
    if (coding == WRONG || (coding != NOTHING && (length != NOTHING || h->minor == 0)))
        return REFUSED;
    if (coding == NOTHING && (length == WRONG || length == HUGE_)) return REFUSED;
    if (*out_body == EITHER) may = ONE | REFUSED;

    /* Only then is it asked whether this is a request to upgrade. A body with one may be
     * refused (CONN-5). */
    if (*out_body != NOTHING && *out_body != NOUGHT && websocket) may |= REFUSED;
    if (!to_ws || !websocket) return may;
    /* CONN-2: malformed */
    if (h->method != 0 || h->minor == 0 || !connections[h->connection].upgrade)
        return may | REFUSED;
    if (*out_body == RIGHT || *out_body == SHORT || *out_body == EITHER) return may | REFUSED;
    return connections[h->connection].close ? UPGRADED | REFUSED : UPGRADED;
}
static const char *seen_is(size_t i, const char *method, const char *path, const char *body,
                           size_t n) {
    const seen *s = &seen_requests[i];
    if (i >= seen_count) return "a request was not seen";
    if (strcmp(s->method, method) != 0 || strcmp(s->path, path) != 0)
        return "another request was seen";
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
    int n = snprintf(stream, sizeof stream, "%s %s HTTP/1.%u\r\nHost: h\r\n%s%s%s%s%s\r\n",
                     methods[h->method], targets[h->target], (unsigned)h->minor,
                     connections[h->connection].lines, upgrades[h->upgrade].lines,
                     h->expect ? "Expect: 100-continue\r\n" : "", lengths[h->length].lines,
                     codings[h->coding].lines);
    bool chunked = codings[h->coding].what == RIGHT || codings[h->coding].what == EITHER;
    n += snprintf(
        stream + n, sizeof stream - (size_t)n, "%s" AFTER,
        chunked ? "4\r\nGET \r\n1C;x=y\r\n/inner HTTP/1.1\r\nHost: h\r\n\r\n\r\n0\r\nX: y\r\n\r\n"
                : INNER);
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
    is = a.status == 101 ? UPGRADED : seen_count ? ONE : REFUSED;
    if (!(is & may))
        return is == ONE       ? "it was taken"
               : is == REFUSED ? "it was refused"
                               : "it became a WebSocket";

    if (is == UPGRADED) return seen_count ? "a request on a WebSocket" : NULL;
    if (is == REFUSED) {
        if (a.status < 400) return "refused by no error";
        if (!a.close || stream_open) return "refused, and the stream goes on";
        return output_at != output_len ? "bytes behind a refusal" : NULL;
    }

    why = seen_is(0, methods[h->method], path, INNER, n);
    if (why) return why;
    if (a.status != 200) return "another status";
    ends = connections[h->connection].close || manner == 2 ||
           (h->minor == 0 && !(connections[h->connection].keep && a.keep));
    if (a.close != ends && (h->minor == 1 || a.close)) return "the end is announced wrongly";

    if (!ends && body == SHORT) { /* what is left of the inner one is no request */
        why = next_answer(false, false, &a);
        if (why) return why;
        if (a.status < 400 || !a.close || seen_count > 1)
            return "the rest of a body was taken for a request";
        ends = true;
    } else if (!ends) {
        size_t i = 1;
        if (n == 0) why = follows(i++, "/inner", &a);
        if (!why) why = follows(i++, "/after", &a);
        if (!why && seen_count != i) why = "more requests than there are";
        if (why) return why;
    } else if (seen_count != 1) {
        return "a request behind the end";
    }
    if (stream_open == ends)
        return ends ? "the end was announced and did not come" : "it ended unannounced";
    return output_at != output_len ? "bytes behind the answers" : NULL;
}
static void run(const head *h, size_t cut) {
    const char *why;
    say(cut);
    runs++;
    why = check(h);
    if (why) tell(why, cut);
}
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

TEST(framing_decides_what_a_request_is) { /* CONN-5, CONN-1, CONN-2 */
    head h;
    size_t nth = 0, stride = test_stride(29);
    start();
    memset(&h, 0, sizeof h);
    for (h.method = 0; h.method < COUNT(methods); h.method++)
        for (h.target = 0; h.target < COUNT(targets); h.target++)
            for (h.minor = 0; h.minor < 2; h.minor++)
                for (h.connection = 0; h.connection < COUNT(connections); h.connection++)
                    for (h.upgrade = 0; h.upgrade < COUNT(upgrades); h.upgrade++)
                        for (h.length = 0; h.length < COUNT(lengths); h.length++)
                            for (h.coding = 0; h.coding < COUNT(codings); h.coding++) {
                                /* the target's form and the odd lengths know nothing of each
                                 * other */
                                if (h.target > 1 && (h.length > 4 || h.coding > 4)) continue;
                                if (nth++ % stride == 0) run_all_cuts(&h, nth - 1);
                            }
    stop();
}

static const struct {
    const char *bytes;
    says what;
    const char *body;
    /* clang-format off */
} chunked[] = {
    {"0\r\n\r\n", RIGHT, ""},
    {"5\r\nhello\r\n0\r\n\r\n", RIGHT, "hello"},
    {"1\r\nh\r\n04\r\nello\r\n000\r\n\r\n", RIGHT, "hello"},
    {"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", RIGHT, "01234567890123456789"},
    {"5;a\r\nhello\r\n0;b=\"c\"\r\n\r\n", RIGHT, "hello"},
    {"5;a=b;c=\"d;e\"\r\nhello\r\n0\r\n\r\n", RIGHT, "hello"},
    {"5 ;a\r\nhello\r\n0\r\n\r\n", EITHER, "hello"}, /* white space that should not be there */
    {"5 \r\nhello\r\n0\r\n\r\n", EITHER, "hello"},
    {"5\r\nhello\r\n0\r\nX: y\r\nX-Two: z\r\n\r\n", RIGHT, "hello"},
    /* frames nothing there */
    {"5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: gzip\r\nHost: other\r\n\r\n",
     RIGHT, "hello"},
    /* no header field, but not behind the end either */
    {"5\r\nhello\r\n0\r\nGET /inner HTTP/1.1\r\n\r\n", EITHER, "hello"},
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
/* clang-format on */

TEST(a_chunked_body_ends_where_its_chunks_say) { /* CONN-5 */
    static const char *const heads[] = {
        "POST /api HTTP/1.1\r\nHost: h\r\n",
        "GET /api HTTP/1.1\r\nHost: h\r\n",
        "HEAD /api HTTP/1.1\r\nHost: h\r\n",
        "POST /api HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
    };
    size_t i, k, cut;
    start();
    for (i = 0; i < COUNT(chunked); i++)
        for (k = 0; k < COUNT(heads); k++)
            for (manner = 0; manner < 2; manner++) {
                stream_len = (size_t)snprintf(stream, sizeof stream,
                                              "%sTransfer-Encoding: chunked\r\n\r\n%s" AFTER,
                                              heads[k], chunked[i].bytes);
                for (cut = 0; cut < stream_len; cut++) {
                    const char *why;
                    char method[12];
                    answer a;
                    (void)snprintf(method, sizeof method, "%.*s", (int)strcspn(heads[k], " "),
                                   heads[k]);
                    say(cut);
                    runs++;
                    why = next_answer(k == 2, false, &a);
                    if (!why && a.status == 200) {
                        why = seen_is(0, method, "/api", chunked[i].body, strlen(chunked[i].body));
                        if (!why && chunked[i].what == WRONG) why = "it was taken";
                        if (!why) why = follows(1, "/after", &a);
                        if (!why && !stream_open) why = "it ended unannounced";
                    } else if (!why) {
                        if (chunked[i].what == RIGHT)
                            why = "it was refused";
                        else if (seen_count || a.status < 400 || !a.close || stream_open)
                            why = "refused, and the stream goes on";
                    }
                    if (!why && output_at != output_len) why = "bytes behind the answers";
                    if (why) tell(why, cut);
                }
            }
    stop();
}

/* RFC 9110 9.3.6: what a 2xx to CONNECT is followed by is no HTTP, so there is none */
TEST(a_tunnel_is_refused) {
    static const char *const connects[] = {"h:80", "/api", "/ws", "http://h/api", "h", "*"};
    size_t i, cut;
    start();
    for (i = 0; i < COUNT(connects); i++)
        for (manner = 0; manner < 2; manner++) {
            stream_len = (size_t)snprintf(
                stream, sizeof stream, "CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n" INNER, connects[i]);
            for (cut = 0; cut < stream_len; cut++) {
                const char *why;
                answer a;
                say(cut);
                runs++;
                why = next_answer(false, false, &a);
                if (!why && (seen_count || a.status < 400 || !a.close || stream_open))
                    why = "it was taken";
                if (!why && output_at != output_len) why = "bytes behind a refusal";
                if (why) tell(why, cut);
            }
        }
    stop();
}

TEST(an_expectation_is_met_or_refused) { /* RFC 9110 10.1.1 */
    /* clang-format off */
    static const struct { const char *lines; bool interim, may_refuse; } expects[] = {
        {"Expect: 100-continue\r\n", true, false},
        {"expect:\t100-Continue \r\n", true, false},
        {"Expect: 100-continue, x\r\n", true, true},
        {"Expect: 200-ok\r\n", false, true},
        {"Expect:\r\n", false, false},
    };
    /* clang-format on */
    static const char *const bodies[] = {
        "Content-Length: 32\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n",
        "Content-Length: 32\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"};
    size_t i, k, minor;
    start();
    for (i = 0; i < COUNT(expects); i++)
        for (k = 0; k < COUNT(bodies); k++)
            for (minor = 0; minor < 2; minor++)
                for (manner = 0; manner < 2; manner++) {
                    const char *why = NULL, *rule = "",
                               *body = k == 1 ? "20\r\n" INNER "\r\n0\r\n\r\n" : INNER;
                    wshub_conn c;
                    wshub_str out;
                    answer a;
                    long n;
                    if (minor == 0 && k == 1) continue;
                    stream_len = (size_t)snprintf(stream, sizeof stream,
                                                  "POST /api HTTP/1.%u\r\nHost: h\r\n%s%s",
                                                  (unsigned)minor, expects[i].lines, bodies[k]);
                    c = wshub_io_fake_open(served.net);
                    seen_count = answered = 0;
                    wshub_io_fake_set_cut(served.net, 0, 0);
                    wshub_io_fake_input(served.net, c, stream, stream_len);
                    runs++;

                    /* the head alone: an interim answer, or none, or a refusal; nothing is
                     * dispatched before its body is there */
                    out = wshub_io_fake_output(served.net, c);
                    n = out.len ? answer_read(out.ptr, out.len, false, &a, &rule) : 0;
                    if (seen_count) why = "a request without its body";
                    if (!why && out.len && n <= 0) why = n ? rule : "half an answer";
                    if (!why && n > 0 && a.status >= 400) {
                        if (!expects[i].may_refuse)
                            why = "it was refused";
                        else if (!a.close || wshub_io_fake_is_open(served.net, c))
                            why = "refused, and the stream goes on";
                    } else if (!why && n > 0) {
                        /* never to HTTP/1.0 */
                        if (a.status != 100 || minor == 0 || !expects[i].interim)
                            why = "an interim answer that nobody asked for";
                    } else if (!why && minor == 1 && expects[i].interim && !expects[i].may_refuse) {
                        why = "the client was left waiting";
                    }
                    wshub_io_fake_take(served.net, c, SIZE_MAX);
                    if (!why && wshub_io_fake_is_open(served.net, c)) {
                        wshub_io_fake_input(served.net, c, body, strlen(body));
                        if (manner == 1 && seen_count) answer_to(served.hub, &seen_requests[0]);
                        wshub_io_fake_run(served.net);
                        out = wshub_io_fake_output(served.net, c);
                        why = seen_is(0, "POST", "/api", INNER, strlen(INNER));
                        if (!why &&
                            (answer_read(out.ptr, out.len, false, &a, &rule) != (long)out.len ||
                             a.status != 200))
                            why = "another answer";
                    }
                    output_len =
                        (size_t)snprintf(output, sizeof output, "%.*s", (int)out.len, out.ptr);
                    if (why) tell(why, 0);
                    if (wshub_io_fake_is_open(served.net, c)) wshub_io_fake_end(served.net, c);
                    wshub_io_fake_forget(served.net, c);
                }
    stop();
}
