/* A stream handed over to another hub of the program with its request: wshub_conn_hand_over()
 * (CONN-6), two hubs in one thread, each on a fake of its own. Sockets and threads:
 * tests/test_loops.c. */
#include "mounted.h"

/* What HERE says in on_leaving, beside handing over. */
typedef enum way { GO, ANSWER, WAIT, BEGIN_FIRST, IN_ANSWER, DESTROY } way;

typedef struct pair {
    world here, there;
    wshub_conn conn; /* HERE */
    wshub_exchange asked;
    const wshub_io *to; /* NULL: the io THERE */
    bool to_nobody;
    way how;
    wshub_err handed, before; /* what handing over returned; and inside on_head */
    wshub_take take;
    int leaving, gone;
    wshub_cause cause;
    char owner; /* its address is the owner of what is leaving */
} pair;

static void hand(pair *p, wshub *hub, wshub_exchange exchange) {
    const wshub_io *to = p->to || p->to_nobody ? p->to : wshub_io_fake_io(p->there.net);
    p->handed = wshub_conn_hand_over(hub, exchange, to);
}
static pair *now_in; /* whose on_head runs: `owner` does not lead there */

static wshub_take here_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                            void *user) {
    pair *p = (pair *)user;
    wshub_take take;
    now_in = p;
    p->asked = exchange;
    if (wshub_str_eq_z(http->path, "/m/mine")) {
        EXPECT_INT(answer(hub, exchange, "mine"), WSHUB_OK);
        return WSHUB_TAKE_DONE;
    }
    EXPECT_INT(wshub_exchange_set_owner(hub, exchange, &p->owner), WSHUB_OK);
    p->before = wshub_conn_hand_over(hub, exchange, wshub_io_fake_io(p->there.net));
    take = p->take;
    return take;
}
static void here_leaving(wshub *hub, wshub_exchange exchange, void *owner) {
    pair *p = now_in;
    wshub_reply r = plain_reply(200, "");
    EXPECT(owner == &p->owner);
    p->leaving++;
    EXPECT(wshub_exchange_http(hub, exchange) != NULL); /* also without keep_head */
    if (p->how == WAIT) return;
    if (p->how == BEGIN_FIRST) {
        r.body = wshub_str_z("");
        EXPECT_INT(wshub_http_begin(hub, exchange, &r, 4), WSHUB_OK);
    }
    if (p->how == ANSWER || p->how == IN_ANSWER) {
        EXPECT_INT(answer(hub, exchange, "not here"), WSHUB_OK);
        if (p->how == IN_ANSWER) return;
    }
    hand(p, hub, exchange);
    if (p->how == BEGIN_FIRST) {
        EXPECT_INT(wshub_http_write(hub, exchange, "four", 4), WSHUB_OK);
        EXPECT_INT(wshub_http_end(hub, exchange), WSHUB_OK);
    }
    if (p->how == DESTROY) {
        p->here.hub = NULL;
        wshub_destroy(hub);
    }
}
static void here_answer(wshub *hub, wshub_exchange exchange, const wshub_http *http, int status,
                        wshub_headers *more, void *owner) {
    (void)http, (void)status, (void)more, (void)owner;
    if (now_in && now_in->how == IN_ANSWER) hand(now_in, hub, exchange);
}
static void here_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner) {
    (void)hub, (void)exchange;
    EXPECT(owner == &now_in->owner);
    now_in->gone++;
    now_in->cause = cause;
}

/* THERE says what it was asked, with the body; or grants a WebSocket. */
static wshub_take there_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                             void *user) {
    wshub_upgrade_answer a;
    (void)user;
    memset(&a, 0, sizeof a);
    if (http->handshake != 101) return WSHUB_TAKE_BODY;
    EXPECT_INT(wshub_http_upgrade(hub, exchange, &a, NULL), WSHUB_OK);
    return WSHUB_TAKE_DONE;
}
static void there_body(wshub *hub, wshub_exchange exchange, uint8_t *bytes, size_t count,
                       void *owner) {
    const wshub_http *http = wshub_exchange_http(hub, exchange);
    char text[200];
    (void)owner;
    (void)snprintf(text, sizeof text, "%.*s[%.*s]", (int)http->target.len, http->target.ptr,
                   (int)count, count ? (const char *)bytes : "");
    EXPECT_INT(answer(hub, exchange, text), WSHUB_OK);
}
static void there_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool text,
                          void *owner) {
    (void)owner;
    EXPECT_INT(wshub_conn_send(hub, conn, bytes, count, text), WSHUB_OK);
}

static void pair_start(pair *p, bool keep_head, bool no_leaving, wshub_io_fake_desc fake) {
    wshub_mount_desc m;
    memset(p, 0, sizeof *p);
    memset(&m, 0, sizeof m);
    p->take = WSHUB_TAKE_LEAVING;
    m.version = WSHUB_MOUNT_VERSION;
    m.path = "/m/";
    m.prefix = true;
    m.user = p;
    world_start(&p->there, DESC(.no_dialect = true), FAKE(.seed = 2));
    m.on_head = there_head;
    m.on_body = there_body;
    m.on_message = there_message;
    EXPECT_INT(wshub_mount(p->there.hub, &m), WSHUB_OK);
    world_start(&p->here, DESC(.no_dialect = true), fake);
    m.keep_head = keep_head;
    m.on_head = here_head;
    m.on_body = NULL;
    m.on_message = NULL;
    m.on_answer = here_answer;
    m.on_exchange_gone = here_gone;
    m.on_leaving = no_leaving ? NULL : here_leaving;
    EXPECT_INT(wshub_mount(p->here.hub, &m), WSHUB_OK);
    now_in = p;
    p->conn = wshub_io_fake_open(p->here.net);
}
#define PAIR(p) pair_start(&(p), false, false, FAKE(.seed = 1))
static void hub_end(world *w) {
    wshub *hub = w->hub;
    w->hub = NULL;
    wshub_destroy(hub);
}
static void pair_stop(pair *p) {
    if (p->here.hub) hub_end(&p->here);
    if (p->there.hub) hub_end(&p->there);
    wshub_io_fake_destroy(p->here.net);
    wshub_io_fake_destroy(p->there.net);
    EXPECT_INT(p->here.bytes, 0);
    EXPECT_INT(p->there.bytes, 0);
    now_in = NULL;
}
/* The peer says this, wherever its stream is. */
static void peer_says(pair *p, const char *text, size_t count) {
    wshub_io_fake *fake = p->here.net;
    wshub_conn conn = p->conn;
    while (wshub_io_fake_moved(fake, conn, &fake, &conn)) {
    }
    wshub_io_fake_input(fake, conn, text, count);
    wshub_io_fake_run(p->there.net);
}
/* All that the peer has heard: bodies of 200 in <>, other heads and frames as they are. */
static const char *peer_heard(pair *p) {
    static char got[4000];
    size_t n = 0;
    int turn;
    for (turn = 0; turn < 2; turn++) {
        wshub_io_fake *fake = p->here.net;
        wshub_conn conn = p->conn;
        wshub_str out;
        size_t i;
        if (turn && !wshub_io_fake_moved(fake, conn, &fake, &conn)) break;
        out = wshub_io_fake_output(fake, conn);
        for (i = 0; i < out.len;) {
            const char *end = NULL;
            size_t k;
            if (out.len - i > 9 && memcmp(out.ptr + i, "HTTP/1.1 ", 9) == 0) {
                for (k = i; k + 4 <= out.len && !end; k++) {
                    if (memcmp(out.ptr + k, "\r\n\r\n", 4) == 0) end = out.ptr + k + 4;
                }
                n += (size_t)snprintf(got + n, sizeof got - n, " %.3s:", out.ptr + i + 9);
                if (end) i = (size_t)(end - out.ptr);
                if (end) continue;
            }
            got[n++] = out.ptr[i++];
        }
    }
    got[n] = 0;
    return got;
}
#define SAYS(p, text) peer_says(&(p), text, sizeof(text) - 1)
#define FIRST "GET /m/1 HTTP/1.1\r\nHost: h\r\n\r\n"
#define BODY "POST /m/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKS                                                                                     \
    "POST /m/3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0"  \
    "\r\n\r\n"
#define MINE "GET /m/mine HTTP/1.1\r\nHost: h\r\n\r\n"

TEST(a_stream_that_is_handed_over_is_read_on_there_for_every_cut) { /* CONN-6, CONN-5 */
    static const struct {
        const char *says, *hears;
    } cases[] = {
        {FIRST, " 200:/m/1[]"},
        {BODY, " 200:/m/2[hello]"},
        {CHUNKS, " 200:/m/3[abcde]"},
        {FIRST BODY CHUNKS MINE, " 200:/m/1[] 200:/m/2[hello] 200:/m/3[abcde] 200:/m/mine[]"},
        {MINE MINE BODY FIRST, " 200:mine 200:mine 200:/m/2[hello] 200:/m/1[]"},
        {"\r\n" FIRST "\r\n" FIRST, " 200:/m/1[] 200:/m/1[]"},
    };
    size_t i, cut;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i].says);
        for (cut = 0; cut <= n; cut++) {
            pair p;
            PAIR(p);
            peer_says(&p, cases[i].says, cut);
            peer_says(&p, cases[i].says + cut, n - cut);
            EXPECT_STR(peer_heard(&p), cases[i].hears);
            EXPECT_INT(p.before, WSHUB_ERR_STATE);
            EXPECT_INT(p.handed, WSHUB_OK);
            EXPECT_INT(p.leaving, 1);
            EXPECT_INT(p.gone, 0);
            EXPECT(wshub_io_fake_is_gone(p.here.net, p.conn));
            pair_stop(&p);
        }
    }
}

TEST(a_stream_that_is_handed_over_byte_by_byte) { /* CONN-6 */
    pair p;
    size_t i;
    pair_start(&p, true, false, FAKE(.seed = 1, .no_pause = true));
    for (i = 0; i < sizeof MINE BODY - 1; i++) peer_says(&p, MINE BODY + i, 1);
    EXPECT_STR(peer_heard(&p), " 200:mine 200:/m/2[hello]");
    pair_stop(&p);
}

TEST(what_was_read_and_waits_here_goes_along_and_is_counted_there) { /* CONN-6 */
    pair p;
    wshub_stats here, there;
    PAIR(p);
    wshub_io_fake_hold(p.here.net, true); /* all of this in one turn */
    SAYS(p, BODY);
    SAYS(p, FIRST);
    wshub_io_fake_hold(p.here.net, false);
    wshub_io_fake_run(p.there.net);
    EXPECT_STR(peer_heard(&p), " 200:/m/2[hello] 200:/m/1[]");
    wshub_stats_get(p.here.hub, &here);
    wshub_stats_get(p.there.hub, &there);
    EXPECT_INT(here.http_requests, 0);
    EXPECT_INT(there.http_requests, 2);
    EXPECT_INT(here.conns, 0);
    EXPECT_INT(here.conns_opened, 1);
    EXPECT_INT(here.conns_closed, 1);
    EXPECT_INT(here.held_bytes, 0);
    EXPECT_INT(there.conns, 1);
    pair_stop(&p);
}

TEST(a_handshake_is_handed_over_and_its_websocket_is_there) { /* CONN-6 */
    static const char all[] = WANT_WS("/m/ws") "\x81\x82\x00\x00\x00\x00hi";
    size_t cut;
    for (cut = 0; cut < sizeof all; cut++) {
        pair p;
        wshub_conn there = {0};
        wshub_io_fake *fake;
        wshub_str out;
        PAIR(p);
        peer_says(&p, all, cut);
        peer_says(&p, all + cut, sizeof all - 1 - cut);
        EXPECT(wshub_io_fake_moved(p.here.net, p.conn, &fake, &there));
        EXPECT(fake == p.there.net);
        out = wshub_io_fake_output(fake, there);
        EXPECT(out.len > 20 && memcmp(out.ptr, "HTTP/1.1 101", 12) == 0);
        EXPECT(out.len > 20 && memcmp(out.ptr + out.len - 4, "\x81\x02hi", 4) == 0);
        pair_stop(&p);
    }
}

TEST(what_was_answered_before_leaves_before_the_stream_does) { /* CONN-6 */
    pair p;
    PAIR(p);
    wshub_io_fake_window(p.here.net, p.conn, 10);
    SAYS(p, MINE FIRST);
    EXPECT_INT(p.leaving, 0);
    EXPECT(!wshub_io_fake_is_gone(p.here.net, p.conn));

    /* Nothing can be done to it meanwhile. */
    EXPECT_INT(answer(p.here.hub, p.asked, "no"), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_forward(p.here.hub, p.asked, p.there.hub), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_conn_hand_over(p.here.hub, p.asked, wshub_io_of(p.there.hub)),
               WSHUB_ERR_STATE);
    SAYS(p, BODY);
    EXPECT_INT(p.leaving, 0);

    wshub_io_fake_window(p.here.net, p.conn, UINT64_MAX);
    wshub_io_fake_run(p.there.net);
    EXPECT_INT(p.leaving, 1);
    EXPECT_STR(peer_heard(&p), " 200:mine 200:/m/1[] 200:/m/2[hello]");
    EXPECT_INT(wshub_conn_hand_over(p.here.hub, p.asked, wshub_io_of(p.there.hub)),
               WSHUB_ERR_STALE);
    pair_stop(&p);

    /* The same where sends complete later. */
    pair_start(&p, true, false, FAKE(.seed = 1, .completion = true, .take_bytes = 7));
    SAYS(p, MINE FIRST);
    EXPECT_STR(peer_heard(&p), " 200:mine 200:/m/1[]");
    pair_stop(&p);
}

TEST(a_request_that_cannot_leave_any_more_is_told_of_or_dropped) { /* CONN-6, LIVE-3 */
    pair p;
    PAIR(p);
    wshub_io_fake_window(p.here.net, p.conn, 10);
    SAYS(p, MINE FIRST);
    wshub_io_fake_end(p.here.net, p.conn);
    EXPECT_INT(p.gone, 1);
    EXPECT_INT(p.cause, WSHUB_BY_PEER);
    EXPECT_INT(p.leaving, 0);
    pair_stop(&p);

    PAIR(p);
    wshub_io_fake_window(p.here.net, p.conn, 10);
    SAYS(p, MINE FIRST);
    EXPECT_INT(wshub_http_drop(p.here.hub, p.asked), WSHUB_OK);
    wshub_io_fake_run(p.here.net);
    EXPECT(wshub_io_fake_is_gone(p.here.net, p.conn));
    EXPECT_INT(p.gone, 0);
    EXPECT_INT(p.leaving, 0);
    pair_stop(&p);

    /* Its clock runs out. */
    PAIR(p);
    wshub_io_fake_window(p.here.net, p.conn, 10);
    SAYS(p, MINE FIRST);
    wshub_io_fake_advance(p.here.net, 600000);
    EXPECT_INT(p.gone, 1);
    EXPECT_INT(p.leaving, 0);
    pair_stop(&p);

    /* Its hub ends. */
    PAIR(p);
    wshub_io_fake_window(p.here.net, p.conn, 10);
    SAYS(p, MINE FIRST);
    hub_end(&p.here);
    EXPECT_INT(p.gone, 1);
    EXPECT_INT(p.cause, WSHUB_BY_SHUTDOWN);
    pair_stop(&p);
}

TEST(a_request_that_is_not_handed_over_is_answered_here) { /* CONN-6 */
    pair p;
    PAIR(p);
    p.how = ANSWER;
    SAYS(p, FIRST MINE);
    EXPECT_INT(p.handed, WSHUB_ERR_STALE); /* it had been answered */
    EXPECT_STR(peer_heard(&p), " 200:not here 200:mine");
    pair_stop(&p);

    PAIR(p);
    p.how = WAIT;
    SAYS(p, FIRST MINE);
    EXPECT_STR(peer_heard(&p), "");
    EXPECT_INT(wshub_conn_hand_over(p.here.hub, p.asked, wshub_io_of(p.there.hub)),
               WSHUB_ERR_STATE); /* only when it is told */
    EXPECT_INT(answer(p.here.hub, p.asked, "late"), WSHUB_OK);
    wshub_io_fake_run(p.here.net);
    EXPECT_STR(peer_heard(&p), " 200:late 200:mine");
    pair_stop(&p);

    /* An answer has begun, or on_answer is being asked. */
    PAIR(p);
    p.how = BEGIN_FIRST;
    SAYS(p, FIRST);
    EXPECT_INT(p.handed, WSHUB_ERR_STATE);
    EXPECT_STR(peer_heard(&p), " 200:four");
    pair_stop(&p);
    PAIR(p);
    p.how = IN_ANSWER;
    SAYS(p, FIRST);
    EXPECT_INT(p.handed, WSHUB_ERR_STATE);
    EXPECT_STR(peer_heard(&p), " 200:not here");
    pair_stop(&p);

    /* Without on_leaving it is held. */
    pair_start(&p, true, true, FAKE(.seed = 1));
    SAYS(p, FIRST);
    EXPECT_INT(answer(p.here.hub, p.asked, "held"), WSHUB_OK);
    wshub_io_fake_run(p.here.net);
    EXPECT_STR(peer_heard(&p), " 200:held");
    pair_stop(&p);
}

static wshub_err no_memory(void *ctx, wshub_conn conn, const wshub_io *to, const wshub_span *spans,
                           size_t count) {
    (void)ctx, (void)conn, (void)to, (void)spans, (void)count;
    return WSHUB_ERR_NOMEM;
}

TEST(a_stream_goes_only_to_another_io_of_its_kind_that_has_a_hub) { /* CONN-6 */
    pair p;
    wshub_io other;
    int i;
    for (i = 0; i < 7; i++) {
        PAIR(p);
        p.how = WAIT;
        SAYS(p, MINE);
        other = *wshub_io_of(p.there.hub);
        p.how = GO;
        p.to = &other;
        if (i == 0) p.to = NULL, p.to_nobody = true;
        if (i == 1) p.to = wshub_io_of(p.here.hub);
        if (i == 2) other.hand_over = NULL;
        if (i == 3) other.hand_over = no_memory;
        if (i == 4) p.here.hub->io.hand_over = NULL;
        if (i == 5) p.here.hub->io.hand_over = other.hand_over = no_memory;
        if (i == 6) hub_end(&p.there);
        SAYS(p, FIRST);
        EXPECT_INT(p.handed, i < 5 ? WSHUB_ERR_PARAM : i == 5 ? WSHUB_ERR_NOMEM : WSHUB_ERR_STALE);
        EXPECT_INT(p.leaving, 1);
        EXPECT_INT(answer(p.here.hub, p.asked, "no"), WSHUB_OK); /* nothing has changed */
        wshub_io_fake_run(p.here.net);
        EXPECT_STR(peer_heard(&p), " 200:mine 200:no");
        pair_stop(&p);
    }
}

TEST(a_stream_of_another_hub_is_not_handed_over) { /* CONN-6: wshub_http_forward() */
    pair p, q;
    PAIR(q);
    PAIR(p);
    p.how = WAIT;
    SAYS(p, FIRST);
    now_in = &q;
    EXPECT_INT(wshub_http_forward(p.here.hub, p.asked, q.here.hub), WSHUB_OK);
    wshub_io_fake_run(q.here.net);
    EXPECT_INT(q.leaving, 1);
    EXPECT_INT(q.handed, WSHUB_ERR_PARAM);
    EXPECT_INT(answer(q.here.hub, q.asked, "forwarded"), WSHUB_OK);
    wshub_io_fake_run(q.here.net);
    wshub_io_fake_run(p.here.net);
    EXPECT_STR(peer_heard(&p), " 200:forwarded");
    pair_stop(&p);
    pair_stop(&q);
}

TEST(a_peer_that_has_ended_gets_its_answer_there) { /* CONN-6, LIVE-3 */
    pair p;
    wshub_io_fake *fake;
    wshub_conn there = {0};
    PAIR(p);
    wshub_io_fake_hold(p.here.net, true);
    SAYS(p, FIRST);
    wshub_io_fake_half_close(p.here.net, p.conn);
    wshub_io_fake_hold(p.here.net, false);
    wshub_io_fake_run(p.there.net);
    EXPECT_STR(peer_heard(&p), " 200:/m/1[]");
    EXPECT(wshub_io_fake_moved(p.here.net, p.conn, &fake, &there));
    EXPECT(wshub_io_fake_is_gone(fake, there));
    pair_stop(&p);
}

TEST(a_hub_may_end_when_it_has_handed_a_stream_over) { /* CONN-6 */
    pair p;
    PAIR(p);
    p.how = DESTROY;
    SAYS(p, FIRST BODY);
    EXPECT_INT(p.handed, WSHUB_OK);
    EXPECT_STR(peer_heard(&p), " 200:/m/1[] 200:/m/2[hello]");
    pair_stop(&p);

    /* The other before it has heard of it. */
    PAIR(p);
    p.how = GO;
    wshub_io_fake_input(p.here.net, p.conn, FIRST, sizeof FIRST - 1);
    EXPECT_INT(p.handed, WSHUB_OK);
    hub_end(&p.there);
    pair_stop(&p);
}

TEST(without_memory_a_stream_that_would_leave_ends) { /* CONN-6 */
    pair p;
    unsigned n;
    for (n = 1; n < 12; n++) {
        PAIR(p);
        p.here.fail_at = n;
        SAYS(p, FIRST BODY);
        p.here.fail_at = 0;
        EXPECT(p.handed == WSHUB_OK || p.leaving == 0);
        EXPECT(wshub_io_fake_is_gone(p.here.net, p.conn) || *peer_heard(&p));
        pair_stop(&p);
    }
}
