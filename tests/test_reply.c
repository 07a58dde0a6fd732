/* Answers to requests: what frames them is the hub's, when they may have a body, answers that
 * are refused, late, or given in the midst of callbacks (CONN-2, CONN-3, CONN-5; RFC 9112 6.3,
 * RFC 9110 15). */
#include "hubtest.h"
#include "strict.h"

TEST(what_frames_an_answer_is_the_hubs) { /* CONN-5: never doubled, so refused */
    static const struct {
        const char *name, *value;
        /* clang-format off */
    } framing[] = {
        {"Content-Length", "5"},       {"content-length", "2"},
        {"CONTENT-LENGTH", ""},        {"Transfer-Encoding", "chunked"},
        {"transfer-encoding", "gzip"}, {"Connection", "close"},
        {"connection", "keep-alive"},  {"Connection", "Upgrade"},
        {"Upgrade", "websocket"},      {"upgrade", "h2c"},
    };
    /* clang-format on */
    static const int statuses[] = {200, 204, 304, 404, 503, 599};
    size_t i, k, at;
    start();
    served.hub->desc.on_request = keep_request;
    for (i = 0; i < COUNT(framing); i++)
        for (k = 0; k < COUNT(statuses); k++)
            for (at = 0; at < 3; at++) { /* at each place among others */
                wshub_conn c = wshub_io_fake_open(served.net);
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
                wshub_io_fake_input(served.net, c, INNER, strlen(INNER));
                if (wshub_http_reply(served.hub, kept_request, &r) != WSHUB_ERR_PARAM)
                    why = "it was taken";
                wshub_io_fake_run(served.net);
                if (!why && wshub_io_fake_output(served.net, c).len)
                    why = "bytes of a refused answer";

                r.headers_count = 0; /* the request is still there to be answered */
                if (!why && wshub_http_reply(served.hub, kept_request, &r) != WSHUB_OK)
                    why = "it can be answered no more";
                wshub_io_fake_run(served.net);
                out = wshub_io_fake_output(served.net, c);
                if (!why && answer_read(out.ptr, out.len, false, &a, &why) == (long)out.len)
                    why = NULL;
                (void)snprintf(stream, sizeof stream, "%s: %s (%d)", framing[i].name,
                               framing[i].value, statuses[k]);
                stream_len = strlen(stream);
                output_len = (size_t)snprintf(output, sizeof output, "%.*s", (int)out.len, out.ptr);
                if (why) tell(why, at);
                wshub_io_fake_end(served.net, c);
                wshub_io_fake_forget(served.net, c);
                runs++;
            }
    stop();
}

TEST(an_answer_has_a_body_only_where_there_may_be_one) { /* RFC 9112 6.3 */
    static const char *const asking[] = {"GET", "HEAD", "OPTIONS", "POST"};
    static const char *const on_wire[] = {"HTTP/1.1\r\nHost: h\r\n\r\n",
                                          "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                                          "HTTP/1.0\r\n\r\n"};
    /* clang-format off */
    static const int statuses[] = {
        200, 201, 203, 204, 206, 299, 301, 304, 307, 400, 404, 405, 451, 500, 503, 599,
    };
    /* clang-format on */
    size_t i, k, nth;
    int close, with_body, never;
    start();
    served.hub->desc.on_request = keep_request;
    served.hub->fallback.desc.answer_timeout_ms = 1000;
    for (i = 0; i < COUNT(asking); i++)
        for (k = 0; k < COUNT(on_wire); k++)
            for (nth = 0; nth < COUNT(statuses); nth++)
                for (close = 0; close < 2; close++)
                    for (with_body = 0; with_body < 2; with_body++)
                        for (never = 0; never < (nth ? 1 : 2);
                             never++) { /* or it is never answered */
                            wshub_conn c = wshub_io_fake_open(served.net);
                            wshub_reply r;
                            wshub_str out;
                            answer a;
                            const char *why = "it is not whole";
                            bool to_head = i == 1;
                            int status = statuses[nth];
                            long n;
                            stream_len = (size_t)snprintf(stream, sizeof stream, "%s /x %s",
                                                          asking[i], on_wire[k]);
                            memset(&r, 0, sizeof r);
                            r.status = status;
                            r.close = close;
                            r.content_type = "text/plain";
                            r.body = wshub_str_z(with_body ? "HTTP/1.1 299 No\r\n\r\n" : "");
                            wshub_io_fake_input(served.net, c, stream, stream_len);
                            if (never)
                                wshub_io_fake_advance(served.net, 1001);
                            else
                                EXPECT_INT(wshub_http_reply(served.hub, kept_request, &r),
                                           WSHUB_OK);
                            wshub_io_fake_run(served.net);
                            out = wshub_io_fake_output(served.net, c);
                            memset(&a, 0, sizeof a);
                            n = answer_read(out.ptr, out.len, to_head, &a, &why);
                            runs++;
                            if (n > 0 && (size_t)n != out.len)
                                why = "bytes behind the answer";
                            else if (n > 0 && a.status != (never ? 503 : status))
                                why = "another status";
                            else if (n > 0 &&
                                     wshub_io_fake_is_open(served.net, c) != !(close || k || never))
                                why = "the end came or did not";
                            else if (n > 0 && a.close != (close || k || never))
                                why = "the end is announced wrongly";
                            else if (n > 0)
                                why = NULL;
                            output_len = (size_t)snprintf(output, sizeof output, "%.*s",
                                                          (int)out.len, out.ptr);
                            if (why) tell(why, (size_t)status);
                            if (wshub_io_fake_is_open(served.net, c))
                                wshub_io_fake_end(served.net, c);
                            wshub_io_fake_forget(served.net, c);
                        }
    stop();
}

/* Every refusal of the hub's own, read by the strict client: one answer, its end announced, and
 * nothing behind it. */
static void refuse_upgrade(wshub *hub, const wshub_http *h, wshub_upgrade *up, void *user) {
    (void)hub;
    (void)user;
    if (wshub_http_header(h, "X-Refuse").ptr) up->refuse = 426;
}

TEST(a_refusal_is_one_whole_answer_and_the_end) { /* CONN-2, CONN-3 */
    static const struct {
        const char *head;
        int status;
        /* clang-format off */
    } refused[] = {
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
         "websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: "
         "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         426},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Refuse: "
         "1\r\n" HANDSHAKE "\r\n",
         426},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
         "websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
         400},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: "
         "https://evil.example\r\n" HANDSHAKE "\r\n",
         403},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"HEAD / HTTP/1.1\r\n\r\n", 400},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", 413},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 0},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", 400},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7FFFFFF\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n",
         413},
        {"\x16\x03\x01\x02", 400},
        {"HE", 400},
        {"HEAD / HTTP/1.1\nHost: h\r\n\r\n", 400},
        {"HEAD / HTTP/1.1\r\nHost: h\r\nX: ", 431},
        {"GET / HTTP/1.1\r\nHost: h\r\nX: ", 431},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", 400},
    };
    /* clang-format on */
    /* says nothing about what follows */
    static const char *const before[] = {"", "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n",
                                         "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"};
    static const char *const origins[] = {"https://ok.example"};
    size_t i, k, cut;
    world_start(&served,
                DESC(.on_request = note_request, .http_head_bytes_max = 1000,
                     .on_upgrade = refuse_upgrade, .allowed_origins = origins,
                     .allowed_origins_count = 1),
                FAKE(0));
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
            for (cut = 0; cut<stream_len; cut += cut> 300 ? 97 : 1) {
                const char *why = NULL;
                answer a;
                say(cut);
                runs++;
                if (k) why = next_answer(k == 1, false, &a);
                if (!why) why = next_answer(to_head, false, &a);
                if (!why && refused[i].status && a.status != refused[i].status)
                    why = "another status";
                if (!why &&
                    (seen_count != (k ? 1 : 0) || a.status < 400 || !a.close || stream_open))
                    why = "refused, and the stream goes on";
                if (!why && output_at != output_len) why = "bytes behind a refusal";
                if (why) tell(why, cut);
            }
        }
    stop();
}

TEST(two_clocks_that_run_out_at_once_are_judged_one_after_the_other) { /* LIVE-3, CONN-3 */
    static const char *const said[] = {
        INNER "GET ", INNER "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
        INNER "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"};
    size_t i;
    manner = 0;
    /* the answer is not read, and what follows does not come whole */
    for (i = 0; i < COUNT(said); i++) {
        wshub_conn c;
        world_start(&served,
                    DESC(.on_request = note_request, .head_timeout_ms = 5000,
                         .message_timeout_ms = 5000, .write_timeout_ms = 5000),
                    FAKE(0));
        c = wshub_io_fake_open(served.net);
        wshub_io_fake_window(served.net, c, 0);
        wshub_io_fake_input(served.net, c, said[i], strlen(said[i]));
        wshub_io_fake_advance(served.net, 4999);
        EXPECT(wshub_io_fake_is_open(served.net, c));
        wshub_io_fake_advance(served.net, 2);
        EXPECT(!wshub_io_fake_is_open(served.net, c));
        world_stop(&served);
    }
}

TEST(an_end_behind_an_answer_is_announced_in_it) { /* LIVE-3, BYE-2; RFC 9112 9.6 */
    static const char *const asked[] = {
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n",
        ("GET /a HTTP/1.1\r\nHost: h\r\n\r\n" AFTER), "GET /no HTTP/1.1\r\nHost: h\r\n\r\n"};
    size_t i;
    int way, at_once, close;
    runs = wrong = 0;
    memset(reasons, 0, sizeof reasons);
    for (i = 0; i < COUNT(asked); i++)
        /* nothing further, shutdown, drain, the application's silence */
        for (way = 0; way < 4; way++)
            for (at_once = 0; at_once < 2; at_once++) /* before or behind the request */
                for (close = 0; close < 2; close++) {
                    const char *why = "half an answer";
                    wshub_conn c;
                    wshub_str out;
                    wshub_reply r;
                    answer a;
                    bool held;
                    world_start(&served,
                                DESC(.on_request = keep_request, .http_timeout_ms = 1000,
                                     .shutdown_timeout_ms = 20000),
                                FAKE(0));
                    c = wshub_io_fake_open(served.net);
                    (void)wshub_io_fake_connect(served.net,
                                                "/ws"); /* a client that keeps a drain going */
                    kept_request.id = 0;
                    if (!at_once) wshub_io_fake_input(served.net, c, asked[i], strlen(asked[i]));
                    if (way == 1) (void)wshub_shutdown(served.hub);
                    if (way == 2) (void)wshub_drain(served.hub, 1, 1001, wshub_str_z(""));
                    if (at_once) wshub_io_fake_input(served.net, c, asked[i], strlen(asked[i]));
                    wshub_io_fake_run(served.net);
                    if (way == 3) wshub_io_fake_advance(served.net, 1001);
                    memset(&r, 0, sizeof r);
                    r.status = 200;
                    r.close = close;
                    held = kept_request.id != 0;
                    /* STALE where that is over */
                    if (held) (void)wshub_http_reply(served.hub, kept_request, &r);
                    wshub_io_fake_run(served.net);
                    out = wshub_io_fake_output(served.net, c);
                    if (out.len && answer_read(out.ptr, out.len, false, &a, &why) > 0) {
                        why = a.close == wshub_io_fake_is_open(served.net, c)
                                  ? "the end is announced wrongly"
                                  : NULL;
                    } else if (!out.len) {
                        /* a stream that asks nothing ends with the shutdown */
                        why = way == 1 || !held ? NULL : "no answer";
                    }
                    stream_len =
                        (size_t)snprintf(stream, sizeof stream, "%s way %d, at once %d, close %d",
                                         asked[i], way, at_once, close);
                    output_len =
                        (size_t)snprintf(output, sizeof output, "%.*s", (int)out.len, out.ptr);
                    stream_open = wshub_io_fake_is_open(served.net, c);
                    seen_count = 0;
                    runs++;
                    if (why) tell(why, 0);
                    world_stop(&served);
                }
    (void)printf("  %u streams, %u wrong\n", runs, wrong);
    EXPECT_INT(wrong, 0);
}

enum { AT_REQUEST, AT_UPGRADE, AT_LOG, AT_OPENED, AT_GONE, AT_COUNT };
static struct {
    int at, call, countdown; /* the so-manieth callback of this kind does it */
    bool reached, late, ends, busy;
    wshub_conn one, other;
    wshub_exchange held[16], now; /* asked and not yet answered; the one that is being asked */
    size_t held_count;
} re;
static wshub_err plain_answer(wshub *hub, wshub_exchange request, bool close) {
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
/* The same answer in pieces. */
static void answer_in_pieces(wshub *hub, wshub_exchange request) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    if (wshub_http_begin(hub, request, &r, 10)) return;
    if (wshub_http_write(hub, request, "01234", 5) == WSHUB_ERR_LIMIT) {
        EXPECT_INT(wshub_http_drop(hub, request), WSHUB_OK); /* who does not want to wait */
        re.ends = true;
        return;
    }
    EXPECT_INT(wshub_http_write(hub, request, "56789", 5), WSHUB_OK);
    EXPECT_INT(wshub_http_end(hub, request), WSHUB_OK);
}
#define DOINGS 27
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
    case 2:
        EXPECT(wshub_http_reply(hub, re.now, &r) ==
               (re.now.id ? WSHUB_ERR_PARAM : WSHUB_ERR_STALE));
        break;
    case 3: answer_other(hub, NULL); break;
    case 4: (void)plain_answer(hub, re.held[0], true); break;
    /* an io that reports from inside */
    case 5: wshub_io_fake_input(served.net, re.one, INNER, strlen(INNER)); break;
    case 6: wshub_io_fake_input(served.net, re.one, "GET ", 4); break;
    case 7: wshub_io_fake_input(served.net, re.one, frame, sizeof frame - 1); break;
    case 8: wshub_io_fake_half_close(served.net, re.one); break;
    case 9: wshub_io_fake_end(served.net, re.one); break;
    case 10: wshub_io_fake_input(served.net, re.other, INNER AFTER, strlen(INNER AFTER)); break;
    case 11: wshub_io_fake_half_close(served.net, re.other); break;
    case 12: wshub_io_fake_end(served.net, re.other); break;
    case 13: wshub_io_fake_window(served.net, re.one, 0); break;
    case 14: wshub_io_fake_window(served.net, re.one, UINT64_MAX); break;
    case 15: wshub_conn_drained(hub, re.one); break;
    case 16: wshub_conn_drained(hub, re.other); break;
    case 17: EXPECT_INT(wshub_settle(hub), 0); break;
    case 18: (void)wshub_timer_start(hub, 0, answer_other, NULL, NULL); break;
    case 19: (void)wshub_post(hub, answer_other, NULL); break;
    case 20:
        while (wshub_client_each(hub, &it, &c))
            (void)wshub_client_close(hub, c, 1000, wshub_str_z(""));
        break;
    case 21: (void)wshub_io_fake_connect(served.net, "/ws"); break;
    case 22:
        wshub_io_fake_input(served.net, wshub_io_fake_open(served.net), INNER, strlen(INNER));
        break;
    case 23:
        (void)wshub_shutdown(hub);
        re.ends = true;
        break;
    case 24:
        (void)wshub_drain(hub, 1, 1001, wshub_str_z(""));
        re.ends = true;
        break;
    case 25: answer_in_pieces(hub, re.now); break;
    default:
        wshub_destroy(hub);
        served.hub = NULL;
        re.ends = true;
        break;
    }
}
static void in_callback(wshub *hub, int at) {
    if (re.busy || at != re.at || !served.hub || re.reached || re.countdown-- > 0) return;
    re.reached = re.busy = true;
    served.unchecked = true; /* in the middle of a callback the indexes need not agree */
    do_it(hub, re.call);
    served.unchecked = false;
    re.busy = false;
}
static bool re_request(wshub *hub, wshub_exchange request, const wshub_http *h, void *user) {
    (void)user;
    re.now = request;
    in_callback(hub, AT_REQUEST);
    re.now.id = 0;
    /* its texts are still there */
    EXPECT(h->method.len && h->path.len && memchr(h->path.ptr, 0, h->path.len) == NULL);
    EXPECT(h->body.len == 0 || (h->body.len == 3 && h->body.ptr[2] != 0)); /* so is its body */
    if (!served.hub) return true;
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
static const struct {
    const char *bytes;
    bool to_head;
    unsigned window, wait;
    /* clang-format off */
} exchanges[] = {
    {INNER AFTER, false, UINT32_MAX, 0},
    {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab." AFTER, false, UINT32_MAX, 0},
    {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
     "chunked\r\n\r\n2\r\nab\r\n1\r\n.\r\n0\r\n\r\n" AFTER "GE",
     false, UINT32_MAX, 0},
    {"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" AFTER, true, UINT32_MAX, 0},
    {INNER "GET /bad HTTP/1.1\r\n\r\n" AFTER, false, UINT32_MAX, 0},
    {UPGRADE_OF HANDSHAKE "\r\n\x89\x80\0\0\0\0", false, UINT32_MAX, 6000},
    {UPGRADE_OF "\r\n" AFTER, false, UINT32_MAX, 0},
    {INNER INNER INNER INNER INNER, false, 30, 0}, /* answers over the limit */
    {INNER "GET /cu", false, UINT32_MAX, 6000},    /* a head that does not end in time */
    {INNER "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na", false, 0, 70000},
};
/* clang-format on */

/* Whole answers only, in whatever state the stream was left. */
static const char *only_answers(wshub_conn c, bool to_head, size_t *count) {
    wshub_str out = wshub_io_fake_output(served.net, c);
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
    world_start(&served,
                DESC(.on_request = re_request, .on_upgrade = re_upgrade, .on_log = re_log,
                     .on_opened = re_opened, .on_disconnected = re_gone,
                     .http_answers_bytes_max = 200, .http_timeout_ms = 200000),
                FAKE(.completion = io == 1, .take_bytes = io == 1 ? 40 : 0, .no_pause = io == 2,
                     .cut_bytes = io == 2));
    hub = served.hub;
    /* has asked, is answered later, and has more to ask */
    re.other = wshub_io_fake_open(served.net);
    wshub_io_fake_input(served.net, re.other, INNER AFTER, strlen(INNER AFTER));
    re.one = wshub_io_fake_open(served.net);
    re.busy = false;

    if (exchanges[k].window != UINT32_MAX)
        wshub_io_fake_window(served.net, re.one, exchanges[k].window);
    wshub_io_fake_input(served.net, re.one, exchanges[k].bytes, len);
    if (served.hub && exchanges[k].wait) wshub_io_fake_advance(served.net, exchanges[k].wait);
    /* also what comes only once these are answered */
    for (i = 0; served.hub && i < re.held_count; i++) {
        (void)plain_answer(served.hub, re.held[i], false);
        wshub_io_fake_run(served.net);
    }
    if (served.hub) wshub_io_fake_window(served.net, re.one, UINT64_MAX);
    for (i = 0; served.hub && i < re.held_count; i++) {
        (void)plain_answer(served.hub, re.held[i], false);
        wshub_io_fake_run(served.net);
    }

    /* The other's exchange does not suffer, unless it was ended. Nobody gets half an answer but
     * who is cut off. */
    if (!re.ends && re.call != 12 && re.call != 4 && served.hub) {
        why = only_answers(re.other, false, &count);
        if (!why && count < 2) why = "the other stream was forgotten";
    }
    if (!why && !re.ends && re.call != 9 && !exchanges[k].wait && served.hub)
        why = only_answers(re.one, exchanges[k].to_head, &count);
    if (served.hub) wshub_io_fake_advance(served.net, 400000); /* whatever waits has an end */
    if (!why && served.hub && stats(&served).conns) why = "a stream without an end";
    stream_len = (size_t)snprintf(stream, sizeof stream,
                                  "exchange %u, callback %d (%d), call %d, late %d, io %d",
                                  (unsigned)k, re.at, nth, re.call, (int)re.late, io);
    output_len = 0;
    runs++;
    if (why) tell(why, 0);
    re.busy = true;
    if (served.hub) wshub_destroy(hub);
    served.hub = NULL;
    wshub_io_fake_destroy(served.net);
    EXPECT_INT(served.bytes, 0);
}

TEST(an_exchange_survives_whatever_its_callbacks_do) { /* BYE-1, CONN-5, SEND-6 */
    unsigned met = 0, reached[AT_COUNT] = {0}, turn = 0, stride = test_stride(5);
    size_t k;
    int io, nth, late;
    runs = wrong = 0;
    memset(reasons, 0, sizeof reasons);
    for (k = 0; k < COUNT(exchanges); k++)
        for (re.at = 0; re.at < AT_COUNT; re.at++)
            for (re.call = 0; re.call < DOINGS; re.call++)
                for (io = 0; io < 3; io++)
                    for (late = 0; late < 2; late++)
                        for (nth = turn++ % stride ? 3 : 0; nth < 3; nth++) {
                            re.late = late != 0;
                            one_exchange(k, io, nth);
                            if (!re.reached) break; /* there is no such callback here */
                            met++;
                            reached[re.at]++;
                        }
    for (k = 0; k < AT_COUNT; k++) EXPECT_OP(reached[k], >, 0);
    (void)printf("  %u streams, %u with a callback that acts, %u wrong\n", runs, met, wrong);
    EXPECT_INT(wrong, 0);
}

static wshub_exchange kept_requests[4];
static int kept_requests_count;
static bool keep_requests(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    (void)hub;
    (void)h;
    (void)user;
    kept_requests[kept_requests_count++ % 4] = r;
    return true;
}

TEST(http_answers_that_are_refused) {
    world w;
    wshub_conn c, d;
    wshub_reply r;
    wshub_header h = {{"X", 1}, {"v", 1}};
    wshub_exchange odd;
    static const char *const bad_values[] = {"a\rb", "a\nb", "\n"};
    size_t i;
    world_start(&w, DESC(.on_request = keep_requests), FAKE(0));
    kept_requests_count = 0;
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, GET, sizeof GET - 1);
    EXPECT_INT(kept_requests_count, 1);
    memset(&r, 0, sizeof r);
    r.status = 200;
    odd.id = kept_requests[0].id + (UINT64_C(1) << 32);
    EXPECT_INT(wshub_http_reply(w.hub, odd, &r), WSHUB_ERR_STALE);
    odd.id = UINT32_MAX;
    EXPECT_INT(wshub_http_reply(w.hub, odd, &r), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], NULL), WSHUB_ERR_PARAM);
    r.status = 199;
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    r.status = 600;
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    r.status = 200;
    r.headers_count = 1;
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    r.headers = &h;
    h.name = S("X Y");
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    h.name = nul();
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    h.name = S("X");
    for (i = 0; i < 3; i++) {
        h.value = S(bad_values[i]);
        EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
        r.content_type = bad_values[i];
        h.value = S("v");
        EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
        r.content_type = NULL;
    }
    h.value = wshub__str("\0", 1);
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    h.value = S("v");
    r.body.len = 1;
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    r.body.len = 0;
    r.content_type = "text/plain"; /* once is enough */
    h.name = S("content-type");
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_PARAM);
    h.name = S("X");
    w.fail_at = 1;
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_NOMEM); /* and stays open */
    w.fail_at = 0;
    r.content_type = NULL;
    r.status = 304;
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(strstr(wshub_io_fake_output(w.net, c).ptr, "304 Not Modified") &&
           !strstr(wshub_io_fake_output(w.net, c).ptr, "Content-Length") &&
           strstr(wshub_io_fake_output(w.net, c).ptr, "\r\nX: v\r\n"));
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_ERR_STALE);
    /* an answer while the hub shuts down is the last on its stream */
    d = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, d, GET, sizeof GET - 1);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_run(w.net);
    r.status = 200;
    EXPECT_INT(wshub_http_reply(w.hub, kept_requests[1], &r), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, d));
    world_stop(&w);
}

/* RFC 9110 15.5.22: 426 names Upgrade, also in Connection; the stream stays */
TEST(a_page_may_ask_for_an_upgrade_and_go_on) {
    world w;
    wshub_conn c;
    wshub_reply r;
    wshub_header h = {{"X", 1}, {"v", 1}};
    int close;
    for (close = 0; close < 2; close++) {
        wshub_str out;
        world_start(&w, DESC(.on_request = keep_requests), FAKE(0));
        kept_requests_count = 0;
        c = wshub_io_fake_open(w.net);
        wshub_io_fake_input(w.net, c, GET, sizeof GET - 1);
        memset(&r, 0, sizeof r);
        r.status = 426;
        r.close = close != 0;
        r.content_type = "text/plain";
        r.headers = &h;
        r.headers_count = 1;
        EXPECT_INT(wshub_http_reply(w.hub, kept_requests[0], &r), WSHUB_OK);
        wshub_io_fake_run(w.net);
        out = wshub_io_fake_output(w.net, c);
        EXPECT(strstr(out.ptr, close ? "\r\nConnection: Upgrade, close\r\n"
                                     : "\r\nConnection: Upgrade\r\n") &&
               strstr(out.ptr, "\r\nUpgrade: websocket\r\n"));
        EXPECT(wshub_io_fake_is_open(w.net, c) == !close);
        world_stop(&w);
    }
}

static bool reply_and_deny(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    wshub_reply reply;
    (void)h;
    (void)user;
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    reply.body = S("here");
    EXPECT_INT(wshub_http_reply(hub, r, &reply), WSHUB_OK);
    return false;
}

TEST(an_answer_counts_even_if_the_request_is_then_denied) {
    world w;
    wshub_conn c;
    wshub_str out;
    world_start(&w, DESC(.on_request = reply_and_deny), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    out = wshub_io_fake_output(w.net, c);
    EXPECT(out.len > 20 && memcmp(out.ptr, "HTTP/1.1 200 OK", 15) == 0 &&
           memcmp(out.ptr + out.len - 4, "here", 4) == 0);
    world_stop(&w);
}

TEST(an_answer_may_come_later_or_never) {
    world w;
    wshub_conn c, d;
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 204;
    world_start(&w, DESC(.on_request = keep_request, .http_timeout_ms = 1000), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c,
                        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n", 56);
    wshub_io_fake_advance(w.net, 500);
    EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);
    EXPECT_INT(wshub_http_reply(w.hub, kept_request, &r), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "204 No Content");
    r.status = 99;
    EXPECT_INT(wshub_http_reply(w.hub, kept_request, &r), WSHUB_ERR_PARAM);
    r.status = 200;
    {
        wshub_header bad = {{"X", 1}, {"a\r\nb", 4}};
        r.headers = &bad;
        r.headers_count = 1;
        EXPECT_INT(wshub_http_reply(w.hub, kept_request, &r), WSHUB_ERR_PARAM);
    }
    wshub_io_fake_advance(w.net, 1000); /* nobody answers the second */
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "503 Service Unavailable");
    d = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, d, "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n", 28);
    wshub_io_fake_end(w.net, d);
    r.headers_count = 0;
    EXPECT_INT(wshub_http_reply(w.hub, kept_request, &r), WSHUB_ERR_STALE);
    world_stop(&w);
}

static wshub_conn first, second;
static wshub_exchange inner;
static int inner_requests;
static bool on_request_leave(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    char text[] = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)user;
    if (wshub_str_eq_z(h->path, "/inner")) {
        inner_requests++;
        inner = r;
        return true;
    }
    wshub_conn_closed(hub, first);
    wshub_conn_opened(hub, second);
    wshub_conn_received(hub, second, (uint8_t *)text, sizeof text - 1);
    return false;
}

/* CONN-3: a request is declined in whose callback its stream ends and another asks in its
 * place: the 404 is not for that. */
TEST(a_request_is_declined_and_not_who_has_its_place) {
    uint64_t generation;
    for (generation = 1; generation < 5; generation++) {
        world w;
        wshub_reply a;
        char text[] = "GET /outer HTTP/1.1\r\nHost: a\r\n\r\n";
        memset(&a, 0, sizeof a);
        a.status = 200;
        a.body = wshub_str_z("hello");
        world_start(&w, DESC(.on_request = on_request_leave), FAKE(0));
        inner_requests = 0;
        first.id = (UINT64_C(7) << 32) | 5;
        second.id = first.id + (generation << 40);
        wshub_conn_opened(w.hub, first);
        wshub_conn_received(w.hub, first, (uint8_t *)text, sizeof text - 1);
        EXPECT_INT(inner_requests, 1);
        EXPECT_INT(wshub_http_reply(w.hub, inner, &a), WSHUB_OK);
        wshub_conn_closed(w.hub, second);
        world_stop(&w);
    }
}
