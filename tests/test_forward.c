/* A request handed over to another hub of the program: wshub_http_forward() (CONN-5, SEND-6), two
 * hubs in one thread, in every order of their turns. Two threads: tests/test_threads.c. */
#include "hubtest.h"

/* What the hub THERE does with what it is asked, and what was told to it. */
typedef struct pair {
    world here, there;
    wshub_conn conn;         /* HERE */
    wshub_exchange asked;    /* HERE, the last one */
    wshub_exchange kept;     /* THERE, one that waits */
    wshub_conn there_conn;   /* THERE, as its http names it */
    wshub_err forwarded;     /* what the call returned */
    wshub_cause gone;        /* why `kept` was lost */
    int gone_count, drained; /* how often that was told */
    size_t left;             /* of what is written in pieces */
    bool keep;               /* THERE: answer later */
    char seen[400];          /* THERE: the request as it was read */
} pair;

static bool there_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    pair *p = (pair *)user;
    wshub_reply r;
    size_t i;
    int n = snprintf(p->seen, sizeof p->seen, "%.*s %.*s 1.%d", (int)http->method.len,
                     http->method.ptr, (int)http->target.len, http->target.ptr, http->minor);
    for (i = 0; i < http->headers_count && n < 300; i++)
        n += snprintf(p->seen + n, sizeof p->seen - (size_t)n, " %.*s=%.*s",
                      (int)http->headers[i].name.len, http->headers[i].name.ptr,
                      (int)http->headers[i].value.len, http->headers[i].value.ptr);
    (void)snprintf(p->seen + n, sizeof p->seen - (size_t)n, " [%.*s]",
                   (int)http->body.len < 40 ? (int)http->body.len : 40,
                   http->body.len ? http->body.ptr : "");
    p->kept = exchange;
    p->there_conn = http->conn;
    if (p->keep) return true;
    if (wshub_str_eq_z(http->path, "/none")) return false;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.content_type = "text/plain";
    r.body = wshub_str_z("from there");
    r.close = wshub_str_eq_z(http->path, "/close");
    if (wshub_http_reply(hub, exchange, &r)) (void)wshub_http_drop(hub, exchange);
    return true;
}
static void there_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *user) {
    pair *p = (pair *)user;
    (void)hub, (void)exchange;
    p->gone = cause;
    p->gone_count++;
}
static char piece[1000];
/* As much as there is room for. */
static void there_write(pair *p, wshub *hub, wshub_exchange exchange) {
    while (p->left) {
        size_t n = p->left < sizeof piece ? p->left : sizeof piece;
        if (wshub_http_write(hub, exchange, piece, n)) return;
        p->left -= n;
    }
    (void)wshub_http_end(hub, exchange);
}
static void there_drained(wshub *hub, wshub_exchange exchange, void *user) {
    pair *p = (pair *)user;
    p->drained++;
    there_write(p, hub, exchange);
}
static bool here_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    pair *p = (pair *)user;
    p->asked = exchange;
    if (wshub_str_eq_z(http->path, "/mine")) return false;
    p->forwarded = wshub_http_forward(hub, exchange, p->there.hub);
    return p->forwarded == WSHUB_OK;
}

static bool no_pause; /* the io HERE has none */
static void pair_start(pair *p, wshub_desc here, wshub_desc there) {
    memset(p, 0, sizeof *p);
    memset(piece, 'p', sizeof piece);
    here.on_request = here_request;
    here.user = p;
    there.on_request = there_request;
    there.on_exchange_gone = there_gone;
    there.on_exchange_drained = there_drained;
    there.user = p;
    world_start(&p->there, there, FAKE(.seed = 2));
    world_start(&p->here, here, FAKE(.seed = 1, .no_pause = no_pause));
    p->conn = wshub_io_fake_open(p->here.net);
}
static void pair_run(pair *p) { /* until nothing more happens: each look is one turn */
    int i;
    for (i = 0; i < 12; i++) {
        if (p->there.hub) wshub_io_fake_run(p->there.net);
        if (p->here.hub) wshub_io_fake_run(p->here.net);
    }
}
static void pair_end(world *w) {
    wshub *hub = w->hub;
    w->hub = NULL;
    wshub_destroy(hub);
}
static void pair_stop(pair *p) {
    if (p->here.hub) pair_end(&p->here);
    if (p->there.hub) pair_end(&p->there);
    wshub_io_fake_destroy(p->here.net);
    wshub_io_fake_destroy(p->there.net);
    EXPECT_INT(p->here.bytes, 0);
    EXPECT_INT(p->there.bytes, 0);
}
static void ask(pair *p, const char *text) {
    wshub_io_fake_input(p->here.net, p->conn, text, strlen(text));
}
/* Is this what the peer has heard, but for dates? It is taken. */
static bool heard(pair *p, const char *want) {
    static const char date[] = "Date: Sat, 31 Jan 2026 09:30:00 GMT\r\n";
    char got[2000];
    size_t n = 0, i = 0;
    wshub_str out = wshub_io_fake_output(p->here.net, p->conn);
    while (i < out.len && n + 1 < sizeof got) {
        if (out.len - i >= sizeof date - 1 && memcmp(out.ptr + i, date, sizeof date - 1) == 0)
            i += sizeof date - 1;
        else
            got[n++] = out.ptr[i++];
    }
    got[n] = 0;
    wshub_io_fake_take(p->here.net, p->conn, out.len);
    if (strcmp(got, want) == 0) return true;
    (void)printf("  got %s\n", got);
    return false;
}
#define OK_HEAD(n) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " n

TEST(a_request_is_answered_by_the_other_hub_as_if_it_had_come_there) { /* CONN-5 */
    pair p;
    wshub_session made_up;
    pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
    ask(&p, "GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_INT(p.forwarded, WSHUB_OK);
    EXPECT_INT(wshub_http_reply(p.here.hub, p.asked, &(wshub_reply){.status = 200}),
               WSHUB_ERR_STALE);
    pair_run(&p);
    EXPECT_STR(p.seen, "GET /a?b=c 1.1 Host=h X-One=1 []");
    EXPECT(heard(&p, OK_HEAD("10") "\r\n\r\nfrom there"));

    /* The stream goes on, with what comes behind, here or there. */
    ask(&p, "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            "HEAD /c HTTP/1.1\r\nHost: h\r\n\r\nGET /mine HTTP/1.1\r\nHost: h\r\n\r\n");
    pair_run(&p);
    EXPECT_STR(p.seen, "HEAD /c 1.1 Host=h []");
    EXPECT(heard(&p,
                 OK_HEAD("10") "\r\n\r\nfrom there" OK_HEAD(
                     "10") "\r\n\r\n"
                           "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                           "Content-Length: 10\r\n\r\nNot Found\n"));
    ask(&p, "PUT /d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody");
    pair_run(&p);
    EXPECT_STR(p.seen, "PUT /d 1.1 Host=h Content-Length=4 [body]");
    EXPECT(heard(&p, "HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD("10") "\r\n\r\nfrom there"));
    ask(&p, "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    pair_run(&p);
    EXPECT_STR(p.seen, "POST /e 1.1 Host=h Content-Length=0 []");
    EXPECT(heard(&p, OK_HEAD("10") "\r\n\r\nfrom there"));
    ask(&p, "OPTIONS /none HTTP/1.1\r\nHost: h\r\n\r\n");
    pair_run(&p);
    EXPECT(heard(&p, "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, "
                     "OPTIONS\r\n\r\n"));
    EXPECT(wshub_io_fake_is_open(p.here.net, p.conn));
    EXPECT_INT(stats(&p.there).conns, 0);

    /* Its stream there is no session's, whoever makes up a handle. */
    p.keep = true;
    ask(&p, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n");
    pair_run(&p);
    made_up.id = (p.there_conn.id >> 32 << 32) | wshub__conn_slot((uint32_t)p.there_conn.id);
    EXPECT_INT(wshub_session_heard(p.there.hub, made_up), WSHUB_ERR_STALE);
    EXPECT(!wshub_conn_session(p.there.hub, p.there_conn).id);
    pair_stop(&p);
}

TEST(a_stream_ends_behind_the_answer_where_either_hub_says_so) { /* CONN-5 */
    static const struct {
        const char *ask, *got;
    } rows[] = {
        {"GET /close HTTP/1.1\r\nHost: h\r\n\r\n",
         OK_HEAD("10") "\r\nConnection: close\r\n\r\nfrom there"},
        {"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
         OK_HEAD("10") "\r\nConnection: close\r\n\r\nfrom there"},
        {"GET /a HTTP/1.0\r\n\r\n", OK_HEAD("10") "\r\nConnection: close\r\n\r\nfrom there"},
    };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pair p;
        pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
        ask(&p, rows[i].ask);
        pair_run(&p);
        EXPECT(heard(&p, rows[i].got));
        EXPECT(!wshub_io_fake_is_open(p.here.net, p.conn));
        pair_stop(&p);
    }
}

TEST(pieces_cross_over_as_fast_as_the_peer_reads_and_no_faster) { /* SEND-6 */
    pair p;
    size_t got = 0;
    int i;
    pair_start(&p, DESC(.no_dialect = true, .http_answers_bytes_max = 5000),
               DESC(.no_dialect = true, .http_answers_bytes_max = 3000));
    p.keep = true;
    wshub_io_fake_window(p.here.net, p.conn, 0);
    ask(&p, "GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
    pair_run(&p);
    p.left = 1000000;
    EXPECT_INT(wshub_http_begin(p.there.hub, p.kept, &(wshub_reply){.status = 200}, 1000000),
               WSHUB_OK);
    there_write(&p, p.there.hub, p.kept);
    pair_run(&p);
    EXPECT_OP(p.left, >, 950000); /* the peer reads nothing: limits hold on both sides */
    EXPECT(stats(&p.here).queued_bytes < 90000);

    for (i = 0; i < 3000 && p.here.hub; i++) {
        wshub_str out;
        wshub_io_fake_window(p.here.net, p.conn, 4000);
        pair_run(&p);
        out = wshub_io_fake_output(p.here.net, p.conn);
        got += out.len;
        wshub_io_fake_take(p.here.net, p.conn, out.len);
        if (!p.left && !out.len) break;
    }
    EXPECT_INT(got, 1000000 + strlen("HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 09:30:00 "
                                     "GMT\r\nContent-Length: 1000000\r\n\r\n"));
    EXPECT_OP(p.drained, >, 2);
    EXPECT_INT(p.gone_count, 0);
    EXPECT(wshub_io_fake_is_open(p.here.net, p.conn));
    pair_stop(&p);
}

/* stages at which something ends */
enum { ASKED, READ, BEGUN, WRITTEN, STAGES };
static void to_stage(pair *p, int stage) {
    p->keep = true;
    ask(p, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    if (stage >= READ) pair_run(p);
    if (stage >= BEGUN)
        EXPECT_INT(wshub_http_begin(p->there.hub, p->kept, &(wshub_reply){.status = 200}, 100),
                   WSHUB_OK);
    if (stage >= WRITTEN) {
        EXPECT_INT(wshub_http_write(p->there.hub, p->kept, piece, 50), WSHUB_OK);
        pair_run(p);
    }
}

TEST(a_peer_that_leaves_is_told_there_once) { /* CONN-5 */
    int stage, half;
    for (stage = 0; stage < STAGES; stage++) {
        for (half = 0; half < 2; half++) {
            pair p;
            pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
            to_stage(&p, stage);
            if (half) {
                wshub_io_fake_half_close(p.here.net, p.conn); /* it still gets its answer */
                pair_run(&p);
                EXPECT_INT(p.gone_count, 0);
            }
            wshub_io_fake_end(p.here.net, p.conn);
            pair_run(&p);
            EXPECT_INT(p.gone_count, stage == ASKED && !half ? 0 : 1);
            if (p.gone_count) EXPECT_INT(p.gone, WSHUB_BY_PEER);
            EXPECT_INT(stats(&p.there).conns, 0);
            EXPECT(!p.there.hub->ends && !p.here.hub->ends);
            pair_stop(&p);
        }
    }
}

TEST(either_hub_may_end_first_at_any_stage) { /* BYE-2 */
    int stage, who;
    for (stage = 0; stage < STAGES; stage++) {
        for (who = 0; who < 2; who++) {
            pair p;
            pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
            to_stage(&p, stage);
            pair_end(who ? &p.here : &p.there);
            pair_run(&p);
            if (who == 0 && stage == ASKED) { /* it had not been read */
                EXPECT_OP(wshub_io_fake_output(p.here.net, p.conn).len, >, 12);
                EXPECT(memcmp(wshub_io_fake_output(p.here.net, p.conn).ptr, "HTTP/1.1 503", 12) ==
                       0);
            }
            if (who == 0) EXPECT(!wshub_io_fake_is_open(p.here.net, p.conn));
            if (who == 0 && stage > ASKED) EXPECT_INT(p.gone, WSHUB_BY_SHUTDOWN);
            if (who == 1 && stage > ASKED) EXPECT_INT(p.gone, WSHUB_BY_PEER);
            EXPECT_INT(p.gone_count, stage > ASKED);
            pair_stop(&p);
        }
    }
}

TEST(a_hub_without_room_or_that_stops_has_503_answered) { /* BYE-2 */
    int how;
    for (how = 0; how < 2; how++) {
        pair p;
        pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true, .conns_max = 1));
        if (how) {
            EXPECT_INT(wshub_shutdown(p.there.hub), WSHUB_OK);
        } else {
            (void)wshub_io_fake_open(p.there.net);
        }
        ask(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        pair_run(&p);
        EXPECT(heard(&p, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; "
                         "charset=utf-8\r\nContent-Length: 22\r\nConnection: close\r\n\r\n"
                         "nobody can answer now\n"));
        EXPECT_INT(stats(&p.here).http_bad, 1);
        EXPECT_INT(stats(&p.here).upgrades_refused, 0);
        pair_stop(&p);
    }
}

TEST(the_other_hubs_clock_and_limits_hold) { /* LIVE-3 */
    pair p;
    pair_start(&p, DESC(.no_dialect = true, .http_timeout_ms = 50),
               DESC(.no_dialect = true, .http_timeout_ms = 2000, .http_body_bytes_max = 3));
    p.keep = true;
    ask(&p, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    pair_run(&p);
    wshub_io_fake_advance(p.here.net, 1500); /* more than this hub's own */
    EXPECT(wshub_io_fake_output(p.here.net, p.conn).len == 0);
    wshub_io_fake_advance(p.there.net, 2001);
    pair_run(&p);
    EXPECT(heard(&p, "HTTP/1.1 503 Service Unavailable\r\nDate: Sat, 31 Jan 2026 09:30:02 GMT\r\n"
                     "Content-Length: 0\r\nConnection: close\r\n\r\n"));
    EXPECT_INT(p.gone, WSHUB_BY_TIMEOUT);
    p.conn = wshub_io_fake_open(p.here.net);
    ask(&p, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    pair_run(&p);
    EXPECT(memcmp(wshub_io_fake_output(p.here.net, p.conn).ptr, "HTTP/1.1 413", 12) == 0);
    pair_stop(&p);
}

static wshub_err head_err;
static wshub *head_to;
static wshub_exchange head_exchange;
static wshub_take forward_in_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                  void *user) {
    (void)user;
    head_exchange = exchange;
    head_err = wshub_http_forward(hub, exchange, head_to);
    if (head_err == WSHUB_OK) return WSHUB_TAKE_DONE;
    return http->body_bytes ? WSHUB_TAKE_BODY : WSHUB_TAKE_HELD;
}
static void keep_body(wshub *hub, wshub_exchange exchange, uint8_t *bytes, size_t count,
                      void *owner) {
    (void)hub, (void)exchange, (void)bytes, (void)count, (void)owner;
}

TEST(what_cannot_be_handed_over_is_refused_and_unchanged) { /* CONN-5 */
    static const char socket[] = "GET /m HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
                                 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wshub_mount_desc m;
    wshub_exchange none;
    pair p;
    pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
    memset(&m, 0, sizeof m);
    m.version = WSHUB_MOUNT_VERSION;
    m.path = "/m";
    m.on_head = forward_in_head;
    m.on_body = keep_body;
    EXPECT_INT(wshub_mount(p.here.hub, &m), WSHUB_OK);
    m.path = "/kept";
    m.keep_head = true;
    EXPECT_INT(wshub_mount(p.here.hub, &m), WSHUB_OK);

    head_to = p.there.hub;
    ask(&p, "GET /m HTTP/1.1\r\nHost: h\r\n\r\n"); /* at its head already */
    EXPECT_INT(head_err, WSHUB_OK);
    pair_run(&p);
    EXPECT(strncmp(p.seen, "GET /m", 6) == 0);
    EXPECT(heard(&p, OK_HEAD("10") "\r\n\r\nfrom there"));

    ask(&p, "POST /m HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"); /* a body unread */
    EXPECT_INT(head_err, WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_forward(p.here.hub, head_exchange, head_to),
               WSHUB_ERR_STATE); /* no head */
    EXPECT_INT(wshub_http_reply(p.here.hub, head_exchange, &(wshub_reply){.status = 204}),
               WSHUB_OK);
    EXPECT_INT(wshub_http_forward(p.here.hub, head_exchange, head_to), WSHUB_ERR_STALE);

    head_to = NULL;
    ask(&p, "POST /kept HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
    EXPECT_INT(wshub_http_forward(p.here.hub, head_exchange, p.there.hub),
               WSHUB_ERR_STATE); /* its body has been handed out */
    EXPECT_INT(wshub_http_reply(p.here.hub, head_exchange, &(wshub_reply){.status = 204}),
               WSHUB_OK);
    ask(&p, "GET /kept HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_INT(head_err, WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_forward(p.here.hub, head_exchange, p.here.hub), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_forward(p.here.hub, head_exchange, p.there.hub), WSHUB_OK); /* later */
    wshub_io_fake_run(p.here.net);
    pair_run(&p);

    head_to = p.there.hub;
    ask(&p, socket);
    EXPECT_INT(head_err, WSHUB_ERR_STATE);
    none.id = 0;
    EXPECT_INT(wshub_http_forward(p.here.hub, none, p.there.hub), WSHUB_ERR_STALE);
    pair_stop(&p);

    {
        void (*wake)(void *) = NULL;
        pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
        wake = p.there.hub->io.wake;
        p.there.hub->io.wake = NULL;
        ask(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT_INT(p.forwarded, WSHUB_ERR_NOWAKE);
        p.there.hub->io.wake = wake;
        wake = p.here.hub->io.wake;
        p.here.hub->io.wake = NULL;
        ask(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT_INT(p.forwarded, WSHUB_ERR_NOWAKE);
        p.here.hub->io.wake = wake;
        pair_stop(&p);
    }
}

TEST(whatever_memory_fails_the_peer_has_an_answer_or_an_end) { /* CONN-5 */
    int there, stage, failed = 0;
    long n;
    for (there = 0; there < 2; there++) {
        for (stage = 0; stage < 3; stage++) { /* 2: the peer does not read at first */
            for (n = 1; n < 40; n++) {
                pair p;
                wshub_str out;
                pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
                p.keep = stage > 0;
                if (stage == 2) wshub_io_fake_window(p.here.net, p.conn, 0);
                if (stage) { /* while it is answered */
                    ask(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
                    pair_run(&p);
                }
                (there ? &p.there : &p.here)->fail_at = n;
                if (stage) {
                    static char large[140000]; /* more than crosses over at once */
                    wshub_reply r = {.status = 200, .body = {large, sizeof large}};
                    if (wshub_http_reply(p.there.hub, p.kept, &r))
                        (void)wshub_http_drop(p.there.hub, p.kept);
                } else {
                    ask(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
                }
                pair_run(&p);
                failed += !p.here.fail_at && !p.there.fail_at;
                p.here.fail_at = p.there.fail_at = 0;
                wshub_io_fake_window(p.here.net, p.conn, 1000000);
                pair_run(&p);
                out = wshub_io_fake_output(p.here.net, p.conn);
                EXPECT((out.len > 12 && memcmp(out.ptr, "HTTP/1.1 ", 9) == 0) ||
                       !wshub_io_fake_is_open(p.here.net, p.conn));
                EXPECT(!p.there.hub->ends && !p.here.hub->ends);
                pair_stop(&p);
            }
        }
    }
    EXPECT_OP(failed, >, 20);
}

static wshub_exchange unread;
static wshub_take hold_unread(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                              void *user) {
    (void)hub, (void)http, (void)user;
    unread = exchange;
    return WSHUB_TAKE_HELD;
}

TEST(a_body_that_the_other_hub_does_not_want_waits_there_without_its_io) { /* CONN-5 */
    wshub_mount_desc m;
    pair p;
    pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
    memset(&m, 0, sizeof m);
    m.version = WSHUB_MOUNT_VERSION;
    m.path = "/m";
    m.on_head = hold_unread;
    EXPECT_INT(wshub_mount(p.there.hub, &m), WSHUB_OK);
    ask(&p, "POST /m HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    pair_run(&p);
    EXPECT_INT(wshub_http_reply(p.there.hub, unread, &(wshub_reply){.status = 204}), WSHUB_OK);
    pair_run(&p);
    EXPECT(heard(&p, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
    EXPECT(!wshub_io_fake_is_open(p.here.net, p.conn));
    pair_stop(&p);
}

TEST(a_503_for_the_other_hub_that_finds_no_memory_is_the_end_of_the_stream) { /* BYE-2, CONN-5 */
    int failed = 0;
    long n;
    for (n = 1; n < 8; n++) {
        pair p;
        pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
        EXPECT_INT(wshub_shutdown(p.there.hub), WSHUB_OK);
        ask(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        wshub_io_fake_run(p.there.net); /* which refuses it */
        p.here.hub->log->used = p.here.hub->log->cap;
        p.here.fail_at = n;
        pair_run(&p);
        failed += !p.here.fail_at;
        p.here.fail_at = 0;
        EXPECT(!wshub_io_fake_is_open(p.here.net, p.conn));
        EXPECT(!p.here.hub->ends);
        pair_stop(&p);
    }
    EXPECT_OP(failed, >, 0);
}

TEST(several_cross_over_at_once_and_end_in_any_order) { /* CONN-5 */
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    int order, i;
    for (order = 0; order < 6; order++) {
        pair p;
        wshub_conn conns[3];
        wshub_exchange kept[3];
        pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
        p.keep = true;
        for (i = 0; i < 3; i++) {
            conns[i] = p.conn = wshub_io_fake_open(p.here.net);
            ask(&p, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
            if (order % 2) pair_run(&p);
            kept[i] = p.kept;
        }
        if (order % 2) { /* one by one */
            for (i = 0; i < 3; i++) {
                int which = orders[order][i];
                EXPECT_INT(
                    wshub_http_reply(p.there.hub, kept[which], &(wshub_reply){.status = 204}),
                    WSHUB_OK);
                wshub_io_fake_run(p.there.net);
                if (i == 1) pair_run(&p);
            }
        } else { /* its peer leaves before it has been read THERE, and behind that */
            wshub_io_fake_end(p.here.net, conns[orders[order][0]]);
            pair_run(&p);
            EXPECT_INT(p.gone_count, 0);
            wshub_io_fake_end(p.here.net, conns[orders[order][1]]);
        }
        pair_run(&p);
        EXPECT_INT(p.gone_count, order % 2 ? 0 : 1);
        EXPECT_INT(p.there.hub->ends ? 1 : 0, order % 2 ? 0 : 1); /* the third waits on */
        for (i = 0; i < 3 && order % 2; i++) {
            p.conn = conns[i];
            EXPECT(heard(&p, "HTTP/1.1 204 No Content\r\n\r\n"));
        }
        pair_stop(&p);
    }
}

TEST(what_was_called_for_is_passed_over_where_its_end_was_faster) { /* CONN-5 */
    int how;
    for (how = 0; how < 4; how++) {
        pair p;
        pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
        p.keep = true;
        ask(&p, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
        pair_run(&p);
        wshub_io_fake_hold(p.here.net, true);
        EXPECT_INT(wshub_http_reply(p.there.hub, p.kept, &(wshub_reply){.status = 204}), WSHUB_OK);
        wshub_io_fake_run(p.there.net); /* answered, and not taken */
        if (how == 0) wshub_io_fake_end(p.here.net, p.conn);
        if (how == 1) pair_end(&p.here);
        if (how == 2) pair_end(&p.there);
        wshub_io_fake_hold(p.here.net, false);
        pair_run(&p);
        if (how >= 2) EXPECT(heard(&p, "HTTP/1.1 204 No Content\r\n\r\n"));
        EXPECT_INT(p.gone_count, 0); /* it has been answered, whatever became of that */
        pair_stop(&p);
    }
}

static wshub *ended;
static bool end_all(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    pair *p = (pair *)user;
    p->kept = exchange;
    if (!wshub_str_eq_z(http->path, "/end")) return true;
    ended = hub;
    p->there.unchecked = true;
    p->there.hub = NULL;
    wshub_destroy(hub);
    return true;
}

TEST(a_hub_may_be_destroyed_by_what_was_handed_to_it) { /* BYE-2 */
    pair p;
    wshub_conn first;
    pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
    p.there.hub->desc.on_request = end_all;
    first = p.conn;
    ask(&p, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    pair_run(&p);
    p.conn = wshub_io_fake_open(p.here.net);
    ask(&p, "GET /end HTTP/1.1\r\nHost: h\r\n\r\n");
    wshub_io_fake_end(p.here.net, first); /* both calls come in one turn */
    pair_run(&p);
    EXPECT(ended != NULL);
    EXPECT(!wshub_io_fake_is_open(p.here.net, p.conn));
    EXPECT_INT(p.gone_count, 2);
    pair_stop(&p);
}

TEST(a_stream_that_fails_while_another_hub_answers_is_dropped) { /* CONN-5 */
    pair p;
    no_pause = true;
    pair_start(&p, DESC(.no_dialect = true, .held_bytes_max = 100), DESC(.no_dialect = true));
    no_pause = false;
    to_stage(&p, WRITTEN);
    ask(&p, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    wshub_io_fake_input(p.here.net, p.conn, piece, sizeof piece); /* more than it may hold */
    pair_run(&p);
    EXPECT(!wshub_io_fake_is_open(p.here.net, p.conn));
    EXPECT_INT(p.gone, WSHUB_BY_PEER);
    EXPECT_INT(p.gone_count, 1);
    pair_stop(&p);
}

TEST(a_shutdown_here_waits_for_the_other_hubs_answer) { /* BYE-2 */
    int answers;
    for (answers = 0; answers < 2; answers++) {
        pair p;
        pair_start(&p, DESC(.no_dialect = true), DESC(.no_dialect = true));
        to_stage(&p, WRITTEN);
        EXPECT_INT(wshub_shutdown(p.here.hub), WSHUB_OK);
        pair_run(&p);
        EXPECT(!wshub_is_down(p.here.hub));
        if (answers) {
            wshub_str out;
            EXPECT_INT(wshub_http_write(p.there.hub, p.kept, piece, 50), WSHUB_OK);
            EXPECT_INT(wshub_http_end(p.there.hub, p.kept), WSHUB_OK);
            pair_run(&p);
            out = wshub_io_fake_output(p.here.net, p.conn);
            EXPECT(out.len > 100 && memcmp(out.ptr + out.len - 100, piece, 100) == 0);
        }
        wshub_io_fake_advance(p.here.net, 60000);
        pair_run(&p);
        EXPECT(wshub_is_down(p.here.hub));
        EXPECT_INT(p.gone_count, !answers);
        pair_stop(&p);
    }
}
