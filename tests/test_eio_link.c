/* Sessions of Engine.IO that this side opens (backends/wshub_ext_client_engineio.h) against our own
 * engine, both on one fake io, whose streams are joined by hand in pieces of any size: what is
 * echoed comes back once and in order, whatever carries it, and wherever what carries it is cut. */
#include "eio_site.h"
#include "wshub_ext_client_engineio.h"

static eio_site s;
static wshub_ws_pool *pool;
static wshub_eio_link *session;
static wshub_eio_link_desc desc;
static wshub_ws_desc to;
static char told[400];       /* what the session has told but messages, each with a `;` */
static uint32_t sent, heard; /* messages */
static uint32_t more;        /* that are said inside the callbacks */
static const char *acts;     /* "word what": done inside that callback, once */

/* ---- streams that are joined ---- */

enum { STREAMS = 200 };
static struct {
    wshub_conn here, there; /* ours, and the engine's */
    char front[100];        /* what we have said first */
    size_t passed;          /* bytes */
} streams[STREAMS];
static size_t streams_count;
static size_t cut_at; /* so many bytes of a WebSocket's stream pass; 0: all */
static bool was_cut;
static bool once; /* a stream of polls or posts ends behind an answer, whatever was asked since */

/* Moves up to `most` bytes one way. */
static size_t move(size_t at, wshub_conn from, wshub_conn to_conn, size_t most) {
    static char copy[70000];
    wshub_str out = wshub_io_fake_output(s.w.net, from);
    size_t n = out.len < most ? out.len : most, front;
    if (n > sizeof copy) n = sizeof copy;
    if (!n) return 0;
    memcpy(copy, out.ptr, n);
    wshub_io_fake_take(s.w.net, from, n);
    front = strlen(streams[at].front);
    if (from.id == streams[at].here.id)
        (void)snprintf(streams[at].front + front, sizeof streams[at].front - front, "%.*s", (int)n,
                       copy);
    streams[at].passed += n;
    if (cut_at && streams[at].passed > cut_at && strstr(streams[at].front, "websocket")) {
        wshub_io_fake_end(s.w.net, from);
        wshub_io_fake_end(s.w.net, to_conn);
        was_cut = true;
        return n;
    }
    wshub_io_fake_input(s.w.net, to_conn, copy, n);
    return n;
}
/* One step: each stream moves up to `most` bytes each way. Returns how many in all. */
static size_t step(size_t most) {
    wshub_conn c;
    size_t i, moved = 0;
    wshub_io_fake_run(s.w.net);
    while (wshub_io_fake_dialled(s.w.net, &c, NULL) && streams_count < STREAMS) {
        memset(&streams[streams_count], 0, sizeof streams[0]);
        streams[streams_count].here = c;
        streams[streams_count++].there = wshub_io_fake_open(s.w.net);
        wshub_io_fake_answer(s.w.net, c, true);
    }
    for (i = 0; i < streams_count; i++) {
        wshub_conn a = streams[i].here, b = streams[i].there;
        size_t answered;
        moved += move(i, a, b, most) + (answered = move(i, b, a, most));
        if (once && answered && !strstr(streams[i].front, "websocket")) {
            wshub_io_fake_take(s.w.net, a, wshub_io_fake_output(s.w.net, a).len);
            wshub_io_fake_end(s.w.net, a);
            wshub_io_fake_end(s.w.net, b);
        }
        if (wshub_io_fake_is_gone(s.w.net, a) && !wshub_io_fake_is_gone(s.w.net, b))
            wshub_io_fake_end(s.w.net, b);
        if (wshub_io_fake_is_gone(s.w.net, b) && !wshub_io_fake_is_gone(s.w.net, a))
            wshub_io_fake_end(s.w.net, a);
    }
    wshub_io_fake_run(s.w.net);
    return moved;
}
static void pump(size_t most) {
    uint32_t n = 0;
    while (step(most) && n++ < 100000) continue;
    EXPECT_OP(n, <, 100000);
}

/* ---- messages that can be told from each other ---- */

static size_t write_one(uint32_t n, char out[300], wshub_ws_kind *kind) {
    size_t len = (size_t)snprintf(out, 300, "4%u %.*s", n, (int)(n % 90),
                                  "\xC3\xA9 and more: "
                                  "0123456789012345678901234567890123456789012345678901234567890"
                                  "1234567890123456789012345");
    *kind = n % 3 == 2 ? WSHUB_WS_BINARY : WSHUB_WS_TEXT;
    if (*kind == WSHUB_WS_BINARY) {
        memcpy(out + len, "\x1E\x00\xFF", 3);
        len += 3;
    } else if (n % 90 == 1) {
        out[--len] = 0; /* no half of a character */
    }
    return len;
}
static wshub_err say(void) {
    char text[300];
    wshub_ws_kind kind;
    size_t len = write_one(sent, text, &kind);
    wshub_err err = wshub_eio_link_send(session, kind, text, len);
    if (!err) sent++;
    return err;
}
/* What a description points to, with `lends`: it is the application's again as soon as the session is
 * destroyed, also inside a callback of that. */
static bool lends;
static struct {
    wshub_eio_link_events events;
    wshub_ws_desc to;
    char url[40], path[20], query[20];
} lent;
static void take_back(void) {
    memset(&lent, 0xDD, sizeof lent);
}
static void act(const char *word) {
    size_t n = strlen(word);
    const char *what = acts ? acts + n + 1 : "";
    wshub_eio_link *link = session;
    if (!acts || strncmp(acts, word, n) != 0 || acts[n] != ' ') return;
    acts = NULL;
    if (strcmp(what, "destroy") == 0) {
        session = NULL;
        wshub_eio_link_destroy(link);
        take_back();
    }
    if (strcmp(what, "close") == 0) (void)wshub_eio_link_close(link);
    if (strcmp(what, "drop") == 0) (void)wshub_eio_link_drop(link);
    if (strcmp(what, "send") == 0) (void)say();
}
static void tell(const char *word, const char *text) {
    size_t n = strlen(told);
    (void)snprintf(told + n, sizeof told - n, "%s%s%s;", word, *text ? " " : "", text);
    act(word);
}
static void on_opened(wshub_eio_link *link, void *user) {
    EXPECT(link == session && user == &s);
    tell("opened", "");
}
static void on_message(wshub_eio_link *link, wshub_ws_kind kind, uint8_t *bytes, size_t count,
                       void *user) {
    char want[300];
    wshub_ws_kind want_kind;
    size_t len = write_one(heard, want, &want_kind), skip = want_kind == WSHUB_WS_TEXT ? 1 : 0;
    (void)link;
    (void)user;
    EXPECT_INT(kind, want_kind);
    EXPECT_INT(count, len - skip);
    EXPECT(count == len - skip && memcmp(bytes, want + skip, count) == 0);
    memset(bytes, 'x', count); /* they are ours */
    heard++;
    if (more && more--) (void)say();
    act("message");
}
static void on_drained(wshub_eio_link *link, void *user) {
    (void)link;
    (void)user;
    act("drained");
}
static void on_over(wshub_eio_link *link, const wshub_eio_over *over, void *user) {
    (void)link;
    (void)user;
    EXPECT(over->text && *over->text);
    tell("over", over->reason);
}
static void on_closed(wshub_eio_link *link, void *user) {
    (void)link;
    (void)user;
    tell("closed", "");
}
static const wshub_eio_link_events events = {on_opened, on_message, on_drained,
                                             on_over,   on_closed,  NULL};

/* The same for an owner that has a timer already. */
static wshub_ws_timer clock_of_owner;
static void on_owners_timer(void *ctx) {
    wshub_eio_link_tick((wshub_eio_link *)ctx);
}
static void on_clock(wshub_eio_link *link, void *user) {
    (void)user;
    clock_of_owner.ctx = link;
    wshub_ws_timer_start(pool, &clock_of_owner, wshub_eio_link_due_ms(link));
}
static const wshub_eio_link_events events_with_clock = {on_opened, on_message, on_drained,
                                                        on_over,   on_closed,  on_clock};

static void start(wshub_eio_transports transports, wshub_eio_desc d) {
    wshub_ws_pool_desc pd;
    if (!d.ping_interval_ms) d.ping_interval_ms = 10000;
    eio_start(&s, d, DESC(0), FAKE(0));
    memset(&pd, 0, sizeof pd);
    pd.io = wshub_io_fake_io(s.w.net);
    pd.alloc = world_alloc;
    pd.alloc_user = &s.w;
    EXPECT_INT(wshub_ws_pool_create(&pd, &pool), WSHUB_OK);
    memset(&desc, 0, sizeof desc);
    memset(&to, 0, sizeof to);
    to.url = "http://127.0.0.1:80";
    desc.ws = &to;
    desc.path = "/socket.io";
    desc.events = &events;
    desc.transports = transports;
    streams_count = sent = heard = more = 0;
    cut_at = 0;
    was_cut = once = false;
    acts = NULL;
    told[0] = 0;
    session = NULL;
}
/* Each of the three ways twice: with a timer of its own, and with its owner's. */
enum { WAYS = 3 };
static void start_way(size_t way, wshub_eio_desc d) {
    start((wshub_eio_transports)(way % WAYS), d);
    if (way < WAYS) return;
    memset(&clock_of_owner, 0, sizeof clock_of_owner);
    clock_of_owner.fire = on_owners_timer;
    EXPECT_INT(wshub_ws_timer_add(pool, &clock_of_owner), WSHUB_OK);
    desc.events = &events_with_clock;
}
static void begin(void) {
    wshub_eio_link_desc asked = desc;
    if (lends) {
        lent.events = *desc.events;
        lent.to = to;
        (void)snprintf(lent.url, sizeof lent.url, "%s", to.url);
        (void)snprintf(lent.path, sizeof lent.path, "%s", desc.path);
        (void)snprintf(lent.query, sizeof lent.query, "a=b");
        lent.to.url = lent.url;
        asked.events = &lent.events;
        asked.ws = &lent.to;
        asked.path = lent.path;
        asked.query = lent.query;
    }
    EXPECT_INT(wshub_eio_link_open(pool, &asked, &s, &session), WSHUB_OK);
}
static void stop(void) {
    wshub_eio_link_destroy(session);
    session = NULL;
    wshub_ws_timer_remove(pool, &clock_of_owner);
    wshub_ws_pool_destroy(pool);
    eio_stop(&s);
}
#define EXPECT_TOLD(want)                                                                          \
    do {                                                                                           \
        EXPECT_STR(told, want);                                                                    \
        told[0] = 0;                                                                               \
    } while (0)

/* ---- what is echoed ---- */

TEST(what_is_sent_comes_once_and_in_order_whatever_carries_it) {
    static const size_t pieces[] = {100000, 64, 7, 2, 1};
    size_t i, way;
    uint32_t n;
    for (way = 0; way < 3; way++) {
        for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            start((wshub_eio_transports)way, EIO(0));
            begin();
            EXPECT_INT(say(), WSHUB_ERR_STATE); /* not open yet */
            while (!told[0]) (void)step(pieces[i]);
            EXPECT_TOLD("opened;");
            more = 50; /* and as many from callbacks */
            for (n = 0; n < 100; n++) {
                EXPECT_INT(say(), WSHUB_OK);
                if (n % 4 == 0) (void)step(pieces[i]);
            }
            pump(pieces[i]);
            wshub_io_fake_advance(s.w.net, 200); /* a poll is let go while it moves */
            pump(pieces[i]);
            EXPECT_INT(heard, sent);
            EXPECT_INT(heard, 150);
            EXPECT_INT(wshub_eio_link_ws(session).id != 0, way != WSHUB_EIO_POLLING_ONLY);
            EXPECT_INT(wshub_eio_transport_of(s.eio, s.last),
                       way == WSHUB_EIO_POLLING_ONLY ? WSHUB_EIO_POLLING : WSHUB_EIO_WEBSOCKET);
            EXPECT_INT(session->polled != NULL, way == WSHUB_EIO_POLLING_ONLY);
            EXPECT_INT(wshub_eio_link_unsent(session), 0);
            EXPECT_INT(wshub_eio_link_close(session), WSHUB_OK);
            EXPECT_INT(wshub_eio_link_close(session), WSHUB_ERR_STATE);
            EXPECT_INT(say(), WSHUB_ERR_STATE);
            pump(pieces[i]);
            EXPECT_TOLD("closed;");
            EXPECT_STR(s.reasons, "transport close;");
            stop();
        }
    }
}

/* What was sent right before it leaves arrives. */
TEST(who_leaves_has_said_all) {
    size_t way;
    uint32_t n;
    for (way = 0; way < 2 * WAYS; way++) {
        start_way(way, EIO(0));
        begin();
        pump(1000);
        for (n = 0; n < 100; n++) EXPECT_INT(say(), WSHUB_OK);
        EXPECT_INT(wshub_eio_link_close(session), WSHUB_OK);
        pump(1000);
        EXPECT_TOLD("opened;closed;");
        EXPECT_STR(s.reasons, "transport close;");
        stop();
    }
}

/* PITFALLS d16: many that wait are cut to what the server takes in one post; one that is too large
 * for it goes alone, and is refused. */
TEST(a_post_is_no_larger_than_the_server_takes) {
    static char big[3000];
    uint32_t n;
    start(WSHUB_EIO_POLLING_ONLY, EIO(0));
    begin();
    pump(1000);
    for (n = 0; n < 3000; n++) EXPECT_INT(say(), WSHUB_OK);
    pump(100000);
    EXPECT_INT(heard, 3000);
    EXPECT_TOLD("opened;");
    memset(big, 'b', sizeof big);
    big[0] = '4';
    EXPECT_INT(wshub_eio_link_send(session, WSHUB_WS_TEXT, big, sizeof big), WSHUB_OK);
    pump(1000);
    EXPECT_TOLD("over transport error;");
    stop();
}

/* maxPayload is 1000 here: packets of 600 and 399 bytes and what parts them. */
TEST(a_post_is_filled_to_what_the_server_takes) {
    static char text[600];
    size_t over;
    for (over = 0; over < 2; over++) {
        start(WSHUB_EIO_POLLING_ONLY, EIO(0));
        begin();
        pump(1000);
        memset(text, 'b', sizeof text);
        text[0] = '4';
        EXPECT_INT(wshub_eio_link_send(session, WSHUB_WS_TEXT, text, 600), WSHUB_OK);
        EXPECT_INT(wshub_eio_link_send(session, WSHUB_WS_TEXT, text, 399 + over), WSHUB_OK);
        wshub_io_fake_run(s.w.net);
        EXPECT_INT(session->polled->posted, over ? 600 : 1000);
        stop();
    }
}

/* ---- the move ---- */

/* The probe's stream ends behind each byte of it: polling goes on, or, if the session had moved, it
 * is over; nothing comes twice, and nothing is left out. */
TEST(a_move_may_fail_at_each_byte) {
    uint32_t moved = 0, stayed = 0, i;
    size_t cut;
    for (cut = 1; cut == 1 || was_cut; cut += test_stride(3)) {
        start(WSHUB_EIO_POLLING_FIRST, EIO(0));
        cut_at = cut;
        begin();
        for (i = 0; i < 60 && !strstr(told, "over"); i++) {
            (void)step(11);
            if (i % 5 == 4) (void)say();
        }
        pump(100);
        wshub_io_fake_advance(s.w.net, 1000);
        pump(100);
        if (strstr(told, "over")) {
            EXPECT_STR(told, "opened;over transport close;");
            EXPECT_OP(heard, <=, sent);
            moved++;
        } else {
            cut_at = 0;
            EXPECT_INT(say(), WSHUB_OK);
            pump(100);
            EXPECT_STR(told, "opened;");
            EXPECT_INT(heard, sent);
            EXPECT_INT(wshub_eio_link_ws(session).id == 0, was_cut);
            stayed++;
        }
        stop();
    }
    EXPECT(moved > 5 && stayed > 5);
}

TEST(a_server_that_offers_none_is_polled) {
    start(WSHUB_EIO_POLLING_FIRST, EIO(.no_upgrade = true));
    begin();
    pump(1000);
    EXPECT_INT(say(), WSHUB_OK);
    pump(1000);
    EXPECT_INT(heard, 1);
    EXPECT_INT(wshub_eio_link_ws(session).id, 0);
    EXPECT_TOLD("opened;");
    stop();
}

/* As some proxies do, which do not say so. */
TEST(streams_that_end_behind_each_answer_are_polled_on) {
    size_t way;
    uint32_t n;
    for (way = 0; way < 2; way++) {
        start(way ? WSHUB_EIO_POLLING_FIRST : WSHUB_EIO_POLLING_ONLY, EIO(0));
        once = true;
        begin();
        pump(100000);
        wshub_io_fake_advance(s.w.net, 100); /* a poll is let go while the session moves */
        pump(100000);
        EXPECT_TOLD("opened;");
        EXPECT_INT(streams_count, way ? 3 : 2); /* what opened it, a poll, the WebSocket */
        for (n = 0; n < 30; n++) {
            EXPECT_INT(say(), WSHUB_OK);
            if (n % 3) continue;
            pump(100000);
            EXPECT_INT(heard, sent);
        }
        pump(100000);
        EXPECT_INT(heard, 30);
        EXPECT_INT(wshub_eio_link_ws(session).id != 0, way);
        stop();
    }
}

/* What is under way when its stream ends may have been heard: it is not said twice. */
TEST(a_post_that_crosses_the_end_of_its_stream_ends_the_session) {
    start(WSHUB_EIO_POLLING_ONLY, EIO(0));
    begin();
    pump(100000);
    EXPECT_TOLD("opened;");
    EXPECT_INT(say(), WSHUB_OK);
    pump(100000); /* the line for posts is there */
    EXPECT_INT(say(), WSHUB_OK);
    wshub_io_fake_run(s.w.net); /* the post is under way */
    EXPECT_INT(say(), WSHUB_OK);
    once = true;
    (void)step(100000);
    (void)step(100000);
    EXPECT_TOLD("over transport close;");
    EXPECT_OP(heard, <, 3);
    stop();
}

/* ---- the heartbeat ---- */

TEST(pings_are_answered_whatever_carries_them) {
    size_t way;
    uint32_t i;
    for (way = 0; way < 2 * WAYS; way++) {
        start_way(way, EIO(.ping_interval_ms = 400));
        begin();
        pump(1000);
        for (i = 0; i < 100; i++) {
            wshub_io_fake_advance(s.w.net, 50);
            pump(1000);
        }
        EXPECT_TOLD("opened;");
        EXPECT_INT(s.closed, 0);
        wshub_io_fake_advance(s.w.net, 299); /* nothing is carried any more */
        EXPECT_TOLD("");
        wshub_io_fake_advance(s.w.net, 401);
        EXPECT_TOLD("over ping timeout;");
        stop();
    }
}

/* ---- ends ---- */

TEST(the_server_closes_it) {
    size_t way;
    for (way = 0; way < 2 * WAYS; way++) {
        start_way(way, EIO(0));
        begin();
        pump(1000);
        wshub_io_fake_advance(s.w.net, 200);
        pump(1000);
        EXPECT_INT(wshub_eio_close(s.eio, s.last), WSHUB_OK);
        pump(1000);
        EXPECT_TOLD("opened;over transport close;");
        stop();
    }
}

TEST(it_is_dropped_without_a_word) {
    size_t way;
    for (way = 0; way < 2 * WAYS; way++) {
        start_way(way, EIO(0));
        begin();
        EXPECT_INT(wshub_eio_link_drop(session), WSHUB_ERR_STATE);
        pump(1000);
        EXPECT_INT(wshub_eio_link_drop(session), WSHUB_OK);
        EXPECT_INT(say(), WSHUB_ERR_STATE);
        EXPECT_TOLD("opened;"); /* not from inside an order */
        pump(1000);
        EXPECT_TOLD("over transport close;");
        EXPECT_INT(wshub_eio_link_close(session), WSHUB_ERR_STATE);
        EXPECT_INT(s.closed, 1);
        stop();
    }
}

TEST(nobody_takes_the_connection) {
    wshub_conn c;
    size_t way;
    for (way = 0; way < 2 * WAYS; way++) {
        start_way(way, EIO(0));
        begin();
        wshub_io_fake_run(s.w.net);
        EXPECT(wshub_io_fake_dialled(s.w.net, &c, NULL));
        wshub_io_fake_answer(s.w.net, c, false);
        EXPECT_TOLD("over transport close;");
        stop();
        start_way(way, EIO(0));
        to.connect_timeout_ms = 700;
        begin();
        wshub_io_fake_advance(s.w.net, 700);
        EXPECT(strncmp(told, "over ", 5) == 0);
        stop();
        start_way(way, EIO(0)); /* a path that is not served */
        desc.path = "/other/";
        begin();
        pump(1000);
        EXPECT_TOLD("over transport error;");
        stop();
    }
}

/* A talk in which each callback is reached; whoever is still there goes on. */
static void whole_talk(size_t way, const char *what) {
    uint32_t i;
    start_way(way, EIO(0));
    acts = what;
    lends = true;
    begin();
    lends = false;
    for (i = 0; i < 40; i++) {
        (void)step(40);
        if (session) (void)say();
    }
    pump(1000);
    if (strstr(what, "over ")) (void)wshub_eio_close(s.eio, s.last);
    pump(1000);
    if (session && strstr(what, "closed ")) (void)wshub_eio_link_close(session);
    pump(1000);
    wshub_io_fake_advance(s.w.net, 3000);
    pump(1000);
}
TEST(everything_may_be_done_in_every_callback) {
    static const char *const words[] = {"opened", "message", "drained", "over", "closed"};
    static const char *const whats[] = {"destroy", "close", "drop", "send"};
    char what[40];
    size_t i, j, way;
    for (way = 0; way < 2 * WAYS; way++) {
        for (i = 0; i < 5; i++) {
            for (j = 0; j < 4; j++) {
                if (i == 2 && way % WAYS == 0) continue; /* the fake takes all: nothing waits */
                (void)snprintf(what, sizeof what, "%s %s", words[i], whats[j]);
                whole_talk(way, what);
                if (acts) printf("  %u %s\n", (unsigned)way, what);
                EXPECT_STR(acts, NULL); /* it was reached */
                stop();
            }
        }
    }
}

TEST(destroyed_at_every_step) {
    size_t way, n, i;
    for (way = 0; way < 3; way++) {
        for (n = 0; n < 60; n++) {
            start((wshub_eio_transports)way, EIO(0));
            begin();
            for (i = 0; i < n; i++) {
                (void)step(30);
                if (i % 3 == 0) (void)say();
            }
            stop();
        }
    }
}

/* The client's memory ends at each allocation: it says so, and leaves nothing behind. */
static uint64_t fail_in;
static void *failing_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    if (new_bytes && fail_in && !--fail_in) return NULL;
    return world_alloc(user, ptr, old_bytes, new_bytes);
}
TEST(memory_may_end_at_each_allocation) {
    wshub_ws_pool_desc pd;
    size_t way, n, i;
    bool whole;
    for (way = 0; way < 3; way++) {
        whole = false;
        for (n = 1; n < 400 && !whole; n++) {
            start((wshub_eio_transports)way, EIO(0));
            wshub_ws_pool_destroy(pool);
            memset(&pd, 0, sizeof pd);
            pd.io = wshub_io_fake_io(s.w.net);
            pd.alloc = failing_alloc;
            pd.alloc_user = &s.w;
            fail_in = 0;
            EXPECT_INT(wshub_ws_pool_create(&pd, &pool), WSHUB_OK);
            fail_in = n;
            if (!wshub_eio_link_open(pool, &desc, &s, &session)) {
                for (i = 0; i < 30; i++) {
                    (void)step(200);
                    (void)say();
                }
                wshub_io_fake_advance(s.w.net, 300);
                pump(1000);
                EXPECT(strstr(told, "over") != NULL || heard == sent);
                (void)wshub_eio_link_close(session);
                pump(1000);
                wshub_io_fake_advance(s.w.net, 3000);
                EXPECT(strstr(told, "over") != NULL || strstr(told, "closed") != NULL);
                whole = fail_in > 0;
            }
            fail_in = 0;
            stop();
        }
        EXPECT(whole && n > 10);
    }
}

/* ---- descriptions ---- */

TEST(what_a_description_must_not_say_is_named) {
    wshub_eio_link *link;
    wshub_eio_link_desc d;
    start(WSHUB_EIO_POLLING_ONLY, EIO(0));
    EXPECT(!wshub_eio_link_problem(&desc));
    EXPECT(wshub_eio_link_problem(NULL) != NULL);
#define WRONG(field, value, text)                                                                  \
    d = desc;                                                                                      \
    d.field = value;                                                                               \
    EXPECT(wshub_eio_link_problem(&d) &&                                                           \
           strncmp(wshub_eio_link_problem(&d), text, strlen(text)) == 0);                          \
    EXPECT_INT(wshub_eio_link_open(pool, &d, NULL, &link), WSHUB_ERR_PARAM)
    WRONG(ws, NULL, "ws.url");
    WRONG(events, NULL, "events");
    WRONG(path, "x", "path");
    WRONG(path, "/x?", "path");
    WRONG(query, "a b", "url");
    WRONG(transports, (wshub_eio_transports)3, "transports");
    WRONG(payload_bytes_max, (1u << 30) + 1, "payload_bytes_max");
    to.url = "ftp://x";
    EXPECT(strncmp(wshub_eio_link_problem(&desc), "ws.url", 6) == 0);
    to.url = "https://x/";
    to.proxy = "http://p";
    EXPECT(!wshub_eio_link_problem(&desc));
    to.proxy = "p";
    EXPECT(strncmp(wshub_eio_link_problem(&desc), "proxy", 5) == 0);
    to.proxy = NULL;
    EXPECT(!wshub_eio_link_problem(&desc));
    to.url = "http://127.0.0.1:80";
    begin();
    pump(1000);
    EXPECT_INT(wshub_eio_link_send(session, WSHUB_WS_TEXT, "", 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_link_send(session, WSHUB_WS_TEXT, "2", 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_link_send(session, WSHUB_WS_TEXT, "4a\x1E", 3), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_link_send(session, WSHUB_WS_TEXT, "4\xFF", 2), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_link_send(session, (wshub_ws_kind)9, "4", 1), WSHUB_ERR_PARAM);
    EXPECT_TOLD("opened;");
    stop();
}
