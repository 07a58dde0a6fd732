/* Answers whose body is written piece by piece: how they are framed, that a cut one is not taken
 * for whole, who waits for whom and by which clock, and what becomes of requests behind them. */
#include "hubtest.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define DATE "\r\nDate: Sat, 31 Jan 2026 09:30:00 GMT"
#define CHUNKED "HTTP/1.1 200 OK" DATE "\r\nTransfer-Encoding: chunked\r\n\r\n"
#define TEN "HTTP/1.1 200 OK" DATE "\r\nContent-Length: 10\r\n\r\n"
#define ASK(method, path) method " " path " HTTP/1.1\r\nHost: h\r\n\r\n"

enum { LIMIT = 1000 }; /* http_answers_bytes_max of all these hubs */

static world w;
static wshub_conn peer;

/* What the mount does when it is asked. */
static struct {
    wshub_take take;
    wshub_err (*on_head)(wshub *hub, wshub_exchange exchange);
    void (*on_drained)(wshub *hub, wshub_exchange exchange);
} does;
static wshub_exchange asked; /* the last one */
static int drained, gone;
static wshub_cause gone_cause;

static wshub_take on_head(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)user;
    EXPECT_OP(http->path.len, >, 1);
    asked = exchange;
    if (does.on_head) EXPECT_INT(does.on_head(hub, exchange), WSHUB_OK);
    return does.take;
}

static void on_drained(wshub *hub, wshub_exchange exchange, void *owner) {
    EXPECT(owner == &does);
    drained++;
    if (does.on_drained) does.on_drained(hub, exchange);
}

static void on_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner) {
    EXPECT(owner == &does);
    EXPECT_INT(wshub_http_write(hub, exchange, "x", 1), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_end(hub, exchange), WSHUB_ERR_STALE);
    gone++;
    gone_cause = cause;
}

static void start_with(wshub_desc d, wshub_mount_desc m, wshub_io_fake_desc fd) {
    memset(&does, 0, sizeof does);
    does.take = WSHUB_TAKE_HELD;
    drained = gone = 0;
    asked.id = 0;
    d.http_answers_bytes_max = LIMIT;
    world_start(&w, d, fd);
    m.version = WSHUB_MOUNT_VERSION;
    m.path = "/";
    m.prefix = true;
    m.user = &does;
    m.on_head = on_head;
    m.on_exchange_gone = on_gone;
    if (!m.on_exchange_drained) m.on_exchange_drained = on_drained;
    EXPECT_INT(wshub_mount(w.hub, &m), WSHUB_OK);
    peer = wshub_io_fake_open(w.net);
}

static void start(void) {
    start_with(DESC(0), (wshub_mount_desc){0}, FAKE(0));
}

static void say(const char *text) {
    wshub_io_fake_input(w.net, peer, text, strlen(text));
}

static wshub_err begin(uint64_t length) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    return wshub_http_begin(w.hub, asked, &r, length);
}

static wshub_err put(const char *text) {
    return wshub_http_write(w.hub, asked, text, strlen(text));
}

static wshub_err end(void) {
    return wshub_http_end(w.hub, asked);
}

/* All that was sent is this, and it is taken. */
static void expect_sent(const char *want) {
    wshub_str out;
    wshub_io_fake_run(w.net);
    out = wshub_io_fake_output(w.net, peer);
    if (!wshub_str_eq_z(out, want)) {
        test_failures++;
        (void)printf("  %s: got %.*s\n    expected %s\n", test_name, (int)out.len, out.ptr, want);
    }
    wshub_io_fake_take(w.net, peer, out.len);
}

/* Writes until it is told to wait. Returns how many bytes were taken. */
static size_t fill(void) {
    char piece[100];
    size_t n = 0;
    wshub_err err;
    memset(piece, 'f', sizeof piece);
    while ((err = wshub_http_write(w.hub, asked, piece, sizeof piece)) == WSHUB_OK)
        n += sizeof piece;
    EXPECT_INT(err, WSHUB_ERR_LIMIT);
    return n;
}

/* ---- framing ---- */

TEST(a_body_of_known_length_is_sent_as_it_is_written) { /* CONN-5 */
    start();
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(10), WSHUB_OK);
    expect_sent(TEN);
    EXPECT_INT(put("01234"), WSHUB_OK);
    expect_sent("01234");
    EXPECT_INT(put(""), WSHUB_OK);
    EXPECT_INT(put("567"), WSHUB_OK);
    EXPECT_INT(put("89"), WSHUB_OK);
    EXPECT_INT(put("x"), WSHUB_ERR_PARAM); /* beyond what was announced: nothing of it is taken */
    EXPECT_INT(end(), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_ERR_STALE);
    expect_sent("56789");
    EXPECT(wshub_io_fake_is_open(w.net, peer));
    EXPECT_INT(gone, 0);
    world_stop(&w);
}

TEST(a_body_of_unknown_length_goes_in_chunks) { /* CONN-5, RFC 9112 7.1 */
    start();
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    expect_sent(CHUNKED);
    EXPECT_INT(put("a"), WSHUB_OK);
    EXPECT_INT(put(""), WSHUB_OK); /* a chunk of length 0 would end it */
    EXPECT_INT(put("0123456789abcdef0123456789"), WSHUB_OK);
    expect_sent("1\r\na\r\n1a\r\n0123456789abcdef0123456789\r\n");
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent("0\r\n\r\n");
    say(ASK("GET", "/b"));
    EXPECT_INT(begin(0), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent("HTTP/1.1 200 OK" DATE "\r\nContent-Length: 0\r\n\r\n");
    world_stop(&w);
}

TEST(the_size_of_a_chunk_is_written_without_leading_noughts) { /* RFC 9112 7.1 */
    static const struct {
        size_t n;
        const char *want;
    } cases[] = {{1, "1\r\n"},
                 {15, "f\r\n"},
                 {16, "10\r\n"},
                 {255, "ff\r\n"},
                 {256, "100\r\n"},
                 {65536, "10000\r\n"},
                 {1u << 28, "10000000\r\n"},
                 {1u << 30, "40000000\r\n"},
                 {0x89ABCDEF, "89abcdef\r\n"}};
    char to[WSHUB__CHUNK_SIZE_BYTES_MAX];
    size_t i;
    for (i = 0; i < COUNT(cases); i++)
        EXPECT(wshub_str_eq_z(wshub__str(to, wshub__chunk_size(cases[i].n, to)), cases[i].want));
}

TEST(to_http_1_0_a_body_of_unknown_length_ends_with_the_stream) { /* CONN-5, RFC 9112 6.3 */
    start();
    say("GET /a HTTP/1.0\r\n\r\n");
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    EXPECT_INT(put("as it is"), WSHUB_OK);
    expect_sent("HTTP/1.1 200 OK" DATE "\r\nConnection: close\r\n\r\nas it is");
    EXPECT(wshub_io_fake_is_open(w.net, peer));
    EXPECT_INT(put("!"), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent("!");
    EXPECT(!wshub_io_fake_is_open(w.net, peer));
    world_stop(&w);
}

TEST(answers_without_a_body_swallow_what_is_written) { /* CONN-5, RFC 9110 9.3.2, 6.4.1 */
    static const struct {
        const char *ask;
        int status;
        uint64_t length;
        const char *want;
    } cases[] = {{ASK("HEAD", "/a"), 200, 10, "200 OK" DATE "\r\nContent-Length: 10\r\n\r\n"},
                 {ASK("HEAD", "/a"), 200, WSHUB_LENGTH_UNKNOWN,
                  "200 OK" DATE "\r\nTransfer-Encoding: chunked\r\n\r\n"},
                 {ASK("GET", "/a"), 204, 10, "204 No Content" DATE "\r\n\r\n"},
                 {ASK("GET", "/a"), 304, WSHUB_LENGTH_UNKNOWN, "304 Not Modified" DATE "\r\n\r\n"}};
    size_t i, short_of;
    for (i = 0; i < COUNT(cases); i++) {
        for (short_of = 0; short_of < 2; short_of++) {
            char want[200];
            wshub_reply r;
            start();
            say(cases[i].ask);
            memset(&r, 0, sizeof r);
            r.status = cases[i].status;
            EXPECT_INT(wshub_http_begin(w.hub, asked, &r, cases[i].length), WSHUB_OK);
            EXPECT_INT(put(short_of ? "0123" : "0123456789"), WSHUB_OK);
            EXPECT_INT(put("0123456789"), cases[i].length == 10 ? WSHUB_ERR_PARAM : WSHUB_OK);
            EXPECT_INT(end(), WSHUB_OK);
            (void)snprintf(want, sizeof want, "HTTP/1.1 %s", cases[i].want);
            expect_sent(want);
            say(ASK("GET", "/next"));
            EXPECT_INT(begin(0), WSHUB_OK);
            world_stop(&w);
        }
    }
}

TEST(a_long_piece_is_one_chunk_in_one_copy) { /* CONN-5, SEND-6 */
    static char piece[200000];
    wshub_str out;
    start();
    memset(piece, 'p', sizeof piece);
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    expect_sent(CHUNKED);
    w.peak = w.bytes;
    EXPECT_INT(wshub_http_write(w.hub, asked, piece, sizeof piece), WSHUB_OK);
    EXPECT_OP(w.peak, <, w.bytes + sizeof piece); /* nowhere twice */
    EXPECT_INT(end(), WSHUB_OK);
    wshub_io_fake_run(w.net);
    out = wshub_io_fake_output(w.net, peer);
    EXPECT_INT(out.len, 7 + sizeof piece + 2 + 5);
    EXPECT(memcmp(out.ptr, "30d40\r\nppp", 10) == 0);
    EXPECT(memcmp(out.ptr + out.len - 8, "p\r\n0\r\n\r\n", 8) == 0);
    world_stop(&w);
}

/* ---- the contract ---- */

TEST(an_answer_is_begun_once_and_written_between_its_begin_and_its_end) { /* CONN-5 */
    wshub_reply r;
    start();
    say(ASK("GET", "/a"));
    memset(&r, 0, sizeof r);
    r.status = 200;
    EXPECT_INT(put("x"), WSHUB_ERR_STATE);
    EXPECT_INT(end(), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_begin(w.hub, asked, NULL, 1), WSHUB_ERR_PARAM);
    r.body = S("x");
    EXPECT_INT(wshub_http_begin(w.hub, asked, &r, 1), WSHUB_ERR_PARAM);
    r.body = nul();
    r.status = 199;
    EXPECT_INT(wshub_http_begin(w.hub, asked, &r, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_ERR_STATE);
    r.status = 200;
    EXPECT_INT(wshub_http_reply(w.hub, asked, &r), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_refuse(w.hub, asked, 500, "no"), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_upgrade(w.hub, asked, NULL, NULL), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_write(w.hub, asked, NULL, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_write(w.hub, asked, "x", (1u << 30) + 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_write(w.hub, asked, NULL, 0), WSHUB_OK);
    EXPECT(wshub_exchange_owner(w.hub, asked) == &does);
    EXPECT_INT(end(), WSHUB_OK);
    EXPECT_INT(begin(0), WSHUB_ERR_STALE);
    EXPECT_INT(put("x"), WSHUB_ERR_STALE);
    expect_sent(CHUNKED "0\r\n\r\n");
    world_stop(&w);
}

TEST(a_body_that_is_ended_short_of_its_length_drops_the_stream) { /* CONN-5 */
    start();
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(10), WSHUB_OK);
    EXPECT_INT(put("012345678"), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_ERR_PARAM);
    EXPECT_INT(end(), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, peer));
    EXPECT_INT(gone, 0); /* it was the application */
    world_stop(&w);
}

TEST(an_answer_that_has_begun_can_be_dropped) { /* CONN-5 */
    start();
    say(ASK("GET", "/a") ASK("GET", "/b"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    expect_sent(CHUNKED);
    EXPECT_INT(put("abc"), WSHUB_OK);
    EXPECT_INT(wshub_http_drop(w.hub, asked), WSHUB_OK);
    EXPECT_INT(put("abc"), WSHUB_ERR_STALE);
    expect_sent("");
    EXPECT(wshub_io_fake_is_gone(w.net, peer));
    EXPECT_INT(gone, 0);
    world_stop(&w);
}

static int answers;
static wshub_err answer_err[2];
static void on_answer(wshub *hub, wshub_exchange exchange, const wshub_http *http, int status,
                      wshub_headers *more, void *owner) {
    (void)http, (void)owner;
    answers++;
    EXPECT_INT(status, 200);
    EXPECT_INT(wshub_headers_add(more, S("X-More"), S("1")), WSHUB_OK);
    answer_err[0] = wshub_http_begin(hub, exchange, &(wshub_reply){.status = 200}, 0);
    answer_err[1] = wshub_http_write(hub, exchange, "x", 1);
    if (answers == 2) wshub_io_fake_end(w.net, peer);
}

TEST(what_a_mount_adds_is_in_the_head_of_a_long_answer_too) { /* CONN-5 */
    answers = 0;
    start_with(DESC(0), (wshub_mount_desc){.on_answer = on_answer}, FAKE(0));
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(0), WSHUB_OK);
    EXPECT_INT(answer_err[0], WSHUB_ERR_STATE);
    EXPECT_INT(answer_err[1], WSHUB_ERR_STATE);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent("HTTP/1.1 200 OK" DATE "\r\nX-More: 1\r\nContent-Length: 0\r\n\r\n");
    say(ASK("GET", "/b"));
    EXPECT_INT(begin(0), WSHUB_ERR_STALE); /* its peer has gone meanwhile */
    EXPECT_INT(answers, 2);
    wshub_io_fake_run(w.net);
    EXPECT_INT(gone, 1);
    world_stop(&w);
}

/* ---- who waits for whom ---- */

TEST(who_writes_more_than_the_peer_takes_is_told_to_wait_and_then_to_go_on) { /* SEND-6 */
    int io;
    for (io = 0; io < IO_KINDS; io++) {
        size_t taken, more;
        start_with(DESC(0), (wshub_mount_desc){0}, io_kind(io));
        say(ASK("GET", "/a"));
        wshub_io_fake_window(w.net, peer, 0);
        EXPECT_INT(begin(1000000), WSHUB_OK);
        taken = fill();
        EXPECT(taken > LIMIT - 300 && taken <= LIMIT + 100); /* the head counts too */
        EXPECT_INT(fill(), 0);
        EXPECT_INT(drained, 0);
        wshub_io_fake_window(w.net, peer, 500);
        EXPECT_INT(drained, 0);
        EXPECT_INT(wshub_http_write(w.hub, asked, "", 0), WSHUB_OK); /* asks for no room */
        wshub_io_fake_window(w.net, peer, UINT64_MAX);
        EXPECT_INT(drained, 1);
        wshub_io_fake_window(w.net, peer, 0);
        more = fill();
        EXPECT_OP(more, >, LIMIT - 100);
        wshub_io_fake_window(w.net, peer, UINT64_MAX);
        EXPECT_INT(drained, 2);
        EXPECT_INT(wshub_io_fake_output(w.net, peer).len,
                   strlen("HTTP/1.1 200 OK" DATE "\r\nContent-Length: 1000000\r\n\r\n") + taken +
                       more);
        wshub_io_fake_run(w.net);
        EXPECT_INT(drained, 2); /* once for each time */
        world_stop(&w);
    }
}

TEST(who_was_told_to_wait_within_a_turn_is_told_to_go_on_in_its_settle) { /* SEND-6 */
    start();
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    (void)fill();
    EXPECT_INT(drained, 0);
    wshub_io_fake_run(w.net);
    EXPECT_INT(drained, 1);
    world_stop(&w);
}

/* Writes pieces until it is told to wait, and ends behind the last of a hundred thousand
 * numbers. */
static long next_number;
static wshub_err count_on(wshub *hub, wshub_exchange exchange) {
    while (next_number < 100000) {
        char line[16];
        int n = snprintf(line, sizeof line, "%ld\n", next_number);
        wshub_err err = wshub_http_write(hub, exchange, line, (size_t)n);
        if (err) {
            EXPECT_INT(err, WSHUB_ERR_LIMIT);
            return WSHUB_OK;
        }
        next_number++;
    }
    EXPECT_INT(wshub_http_end(hub, exchange), WSHUB_OK);
    return WSHUB_OK;
}
static wshub_err count_begin(wshub *hub, wshub_exchange exchange) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    next_number = 0;
    EXPECT_INT(wshub_http_begin(hub, exchange, &r, WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    return count_on(hub, exchange);
}
static void count_more(wshub *hub, wshub_exchange exchange) {
    (void)count_on(hub, exchange);
}

/* Takes chunks off; returns how many bytes of body there were, or -1. */
static long unchunk(wshub_str in, char *body) {
    size_t at = 0;
    long total = 0;
    for (;;) {
        char *after;
        unsigned long n = strtoul(in.ptr + at, &after, 16);
        if (after[0] != '\r' || after[1] != '\n') return -1;
        at = (size_t)(after + 2 - in.ptr);
        if (at + n + 2 > in.len) return -1;
        memcpy(body + total, in.ptr + at, n);
        total += (long)n;
        if (memcmp(in.ptr + at + n, "\r\n", 2) != 0) return -1;
        at += n + 2;
        if (!n) return at == in.len ? total : -1;
    }
}

TEST(a_long_answer_is_never_held_whole_and_arrives_whole) { /* SEND-6, CONN-5 */
    static char body[700000];
    int io;
    for (io = 0; io < IO_KINDS; io++) {
        wshub_str out;
        size_t before, turns = 0;
        long n, number = 0;
        char *at = body;
        wshub_io_fake_desc fd = io_kind(io);
        fd.take_bytes = io == 3 ? 777 : 0;
        start_with(DESC(0), (wshub_mount_desc){0}, fd);
        does.on_head = count_begin;
        does.on_drained = count_more;
        before = w.bytes;
        w.peak = 0;
        say(ASK("GET", "/numbers"));
        while (next_number < 100000 && ++turns < 10000) wshub_io_fake_run(w.net);
        wshub_io_fake_run(w.net);
        EXPECT_OP(w.peak, <, before + 70000 + 10 * LIMIT);
        out = wshub_io_fake_output(w.net, peer);
        EXPECT(out.len > strlen(CHUNKED) && memcmp(out.ptr, CHUNKED, strlen(CHUNKED)) == 0);
        n = unchunk(wshub__str(out.ptr + strlen(CHUNKED), out.len - strlen(CHUNKED)), body);
        EXPECT_INT(n, 588890);
        while (number < 100000 && strtol(at, &at, 10) == number) number++;
        EXPECT_INT(number, 100000);
        EXPECT_INT(gone, 0);
        world_stop(&w);
    }
}

/* ---- clocks ---- */

static void start_clocks(uint32_t write_ms, uint32_t idle_ms) {
    start_with(DESC(.write_timeout_ms = write_ms, .idle_timeout_ms = idle_ms, .no_pings = true),
               (wshub_mount_desc){.answer_timeout_ms = 1000}, FAKE(0));
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    wshub_io_fake_run(w.net);
}

TEST(an_answer_that_is_not_continued_in_time_is_dropped) { /* LIVE-3 */
    start_clocks(WSHUB_OFF, WSHUB_OFF);
    wshub_io_fake_advance(w.net, 999);
    EXPECT_INT(put("x"), WSHUB_OK); /* each call begins it anew, */
    wshub_io_fake_advance(w.net, 999);
    EXPECT_INT(put(""), WSHUB_OK); /* also one that writes nothing */
    wshub_io_fake_advance(w.net, 999);
    EXPECT(wshub_io_fake_is_open(w.net, peer));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, peer));
    EXPECT_INT(gone, 1);
    EXPECT_INT(gone_cause, WSHUB_BY_TIMEOUT);
    world_stop(&w);
    EXPECT_INT(gone, 1);
}

TEST(an_answer_without_a_clock_may_take_any_time) { /* LIVE-3 */
    start_with(DESC(0), (wshub_mount_desc){.answer_timeout_ms = WSHUB_OFF}, FAKE(0));
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    wshub_io_fake_advance(w.net, 100000000);
    EXPECT_INT(put("x"), WSHUB_OK);
    wshub_io_fake_advance(w.net, 100000000);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent(CHUNKED "1\r\nx\r\n0\r\n\r\n");
    world_stop(&w);
}

TEST(who_waits_for_room_has_no_clock_but_the_peer_has) { /* LIVE-2, LIVE-3 */
    static const struct {
        uint32_t write_ms, idle_ms, drops_after;
    } cases[] = {{5000, WSHUB_OFF, 5000}, {WSHUB_OFF, 7000, 7000}, {9000, 3000, 3000}};
    size_t i;
    for (i = 0; i < COUNT(cases); i++) {
        start_clocks(cases[i].write_ms, cases[i].idle_ms);
        wshub_io_fake_window(w.net, peer, 0);
        wshub_io_fake_advance(w.net, 900); /* nobody expected anything of the peer yet */
        (void)fill();
        wshub_io_fake_run(w.net);
        wshub_io_fake_advance(w.net, cases[i].drops_after - 1);
        EXPECT(wshub_io_fake_is_open(w.net, peer));
        EXPECT_INT(gone, 0);
        wshub_io_fake_advance(w.net, 1);
        EXPECT(!wshub_io_fake_is_open(w.net, peer));
        EXPECT_INT(gone, 1);
        EXPECT_INT(gone_cause, WSHUB_BY_TIMEOUT);
        world_stop(&w);
    }
    start_clocks(WSHUB_OFF, WSHUB_OFF);
    wshub_io_fake_window(w.net, peer, 0);
    (void)fill();
    wshub_io_fake_advance(w.net, 100000000);
    EXPECT(wshub_io_fake_is_open(w.net, peer));
    wshub_io_fake_window(w.net, peer, UINT64_MAX);
    EXPECT_INT(drained, 1);
    wshub_io_fake_advance(w.net, 999); /* from here on it is the application's again */
    EXPECT_INT(gone, 0);
    wshub_io_fake_advance(w.net, 1);
    EXPECT_INT(gone, 1);
    world_stop(&w);
}

TEST(a_slow_reader_of_a_long_answer_is_not_silent) { /* LIVE-3 */
    int i;
    start_clocks(2000, 3000);
    wshub_io_fake_window(w.net, peer, 0);
    (void)fill();
    for (i = 0; i < 8; i++) {
        wshub_io_fake_window(w.net, peer, 100);
        wshub_io_fake_advance(w.net, 1900);
    }
    EXPECT(wshub_io_fake_is_open(w.net, peer));
    EXPECT_INT(gone, 0);
    EXPECT_INT(drained, 0);
    wshub_io_fake_window(w.net, peer, UINT64_MAX);
    EXPECT_INT(drained, 1);
    world_stop(&w);
}

/* ---- ends ---- */

TEST(of_a_peer_that_goes_in_the_middle_of_an_answer_the_mount_is_told_once) { /* CONN-5, BYE-1 */
    start();
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(10), WSHUB_OK);
    wshub_io_fake_end(w.net, peer);
    EXPECT_INT(gone, 1);
    EXPECT_INT(gone_cause, WSHUB_BY_PEER);
    EXPECT_INT(put("x"), WSHUB_ERR_STALE);
    EXPECT_INT(end(), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_drop(w.hub, asked), WSHUB_ERR_STALE);
    world_stop(&w);
    EXPECT_INT(gone, 1);
}

TEST(a_half_close_in_the_middle_of_an_answer_ends_it_only_where_the_mount_says_so) { /* LIVE-3 */
    start();
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    wshub_io_fake_half_close(w.net, peer);
    EXPECT_INT(put("x"), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent(CHUNKED "1\r\nx\r\n0\r\n\r\n");
    EXPECT(!wshub_io_fake_is_open(w.net, peer));
    world_stop(&w);

    start_with(DESC(0), (wshub_mount_desc){.half_close_ends = true}, FAKE(0));
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    wshub_io_fake_half_close(w.net, peer);
    EXPECT(wshub_io_fake_is_gone(w.net, peer));
    EXPECT_INT(gone, 1);
    EXPECT_INT(gone_cause, WSHUB_BY_PEER);
    world_stop(&w);
}

TEST(requests_behind_a_long_answer_wait_for_its_end) { /* CONN-5, SEND-6 */
    int io;
    for (io = 0; io < IO_KINDS; io++) {
        wshub_exchange first;
        start_with(DESC(0), (wshub_mount_desc){0}, io_kind(io));
        say(ASK("GET", "/a") ASK("GET", "/b"));
        first = asked;
        EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
        EXPECT_INT(put("x"), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(asked.id == first.id);
        EXPECT_INT(end(), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(asked.id != first.id);
        EXPECT_INT(begin(0), WSHUB_OK);
        EXPECT_INT(end(), WSHUB_OK);
        expect_sent(CHUNKED "1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK" DATE
                            "\r\nContent-Length: 0\r\n\r\n");
        world_stop(&w);
    }
}

TEST(behind_an_answer_that_waits_for_its_peer_no_request_is_taken) { /* SEND-6 */
    wshub_exchange first;
    start();
    say(ASK("GET", "/a") ASK("GET", "/b"));
    first = asked;
    wshub_io_fake_window(w.net, peer, 0);
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    (void)fill();
    EXPECT_INT(end(), WSHUB_OK); /* it need not wait to end */
    wshub_io_fake_run(w.net);
    EXPECT(asked.id == first.id);
    wshub_io_fake_window(w.net, peer, UINT64_MAX);
    EXPECT(asked.id != first.id);
    EXPECT_INT(drained, 0); /* of the first it is not told any more, and the second did not wait */
    EXPECT_INT(begin(0), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_OK);
    world_stop(&w);
}

TEST(too_much_behind_an_answer_cuts_it_and_says_so) { /* CONN-5, SEND-6 */
    char much[3000];
    start_with(DESC(.held_bytes_max = 2000), (wshub_mount_desc){0}, FAKE(.no_pause = true));
    say("GET /a HTTP/1.0\r\n\r\n");
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    memset(much, 'm', sizeof much);
    wshub_io_fake_input(w.net, peer, much, 1500);
    wshub_io_fake_input(w.net, peer, much, 1500);
    EXPECT(wshub_io_fake_is_gone(w.net, peer)); /* and no end in order before it */
    EXPECT_INT(gone, 1);
    EXPECT_INT(gone_cause, WSHUB_BY_PROTOCOL);
    world_stop(&w);
}

TEST(a_shutdown_lets_an_answer_be_finished_until_its_deadline) { /* BYE-2 */
    wshub_reply r;
    int late;
    for (late = 0; late < 2; late++) {
        start_with(DESC(.shutdown_timeout_ms = 5000), (wshub_mount_desc){0}, FAKE(0));
        say(ASK("GET", "/a"));
        EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
        EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_advance(w.net, 4999);
        EXPECT_INT(put("x"), WSHUB_OK);
        EXPECT(!wshub_is_down(w.hub));
        if (late) {
            wshub_io_fake_advance(w.net, 1);
            EXPECT(!wshub_io_fake_is_open(w.net, peer));
            EXPECT_INT(gone, 1);
            EXPECT_INT(gone_cause, WSHUB_BY_SHUTDOWN);
        } else {
            EXPECT_INT(end(), WSHUB_OK);
            expect_sent(CHUNKED "1\r\nx\r\n0\r\n\r\n");
            EXPECT(!wshub_io_fake_is_open(w.net, peer)); /* though it was not announced */
            EXPECT_INT(gone, 0);
        }
        EXPECT(wshub_is_down(w.hub));
        world_stop(&w);
    }
    start(); /* one that begins meanwhile announces it */
    say(ASK("GET", "/a"));
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    memset(&r, 0, sizeof r);
    r.status = 200;
    EXPECT_INT(wshub_http_begin(w.hub, asked, &r, 0), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent("HTTP/1.1 200 OK" DATE "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    world_stop(&w);
}

TEST(a_hub_that_is_destroyed_tells_of_the_answers_that_it_cuts) { /* BYE-1 */
    start();
    say(ASK("GET", "/a"));
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    world_stop(&w);
    EXPECT_INT(gone, 1);
    EXPECT_INT(gone_cause, WSHUB_BY_SHUTDOWN);
}

/* ---- inside callbacks ---- */

static wshub_err begin_unread(wshub *hub, wshub_exchange exchange) {
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    EXPECT_INT(wshub_http_begin(hub, exchange, &r, 3), WSHUB_OK);
    EXPECT_INT(wshub_http_write(hub, exchange, "abc", 3), WSHUB_OK);
    EXPECT(wshub_exchange_http(hub, exchange) != NULL);
    return WSHUB_OK;
}

TEST(an_answer_begun_while_its_head_is_offered_counts_whatever_the_mount_says) { /* CONN-5 */
    static const wshub_take takes[] = {WSHUB_TAKE_DECLINED, WSHUB_TAKE_BODY, WSHUB_TAKE_HELD,
                                       WSHUB_TAKE_DONE};
    size_t i;
    for (i = 0; i < COUNT(takes); i++) {
        start();
        does.take = takes[i];
        does.on_head = begin_unread;
        say("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\nGET /b HTTP/1.1\r\n");
        EXPECT_INT(end(), WSHUB_OK);
        expect_sent("HTTP/1.1 200 OK" DATE "\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
        EXPECT(!wshub_io_fake_is_open(w.net, peer)); /* what was its body is no request */
        world_stop(&w);
    }
}

static wshub_err begin_and_lose(wshub *hub, wshub_exchange exchange) {
    (void)begin_unread(hub, exchange);
    w.unchecked = true;
    wshub_io_fake_end(w.net, peer);
    w.unchecked = false;
    EXPECT_INT(wshub_http_end(hub, exchange), WSHUB_ERR_STALE);
    return WSHUB_OK;
}

TEST(of_an_answer_whose_peer_goes_while_its_head_is_offered_the_mount_is_told_once) { /* BYE-1 */
    size_t take;
    for (take = WSHUB_TAKE_DECLINED; take <= WSHUB_TAKE_DONE; take++) {
        start();
        does.take = (wshub_take)take;
        does.on_head = begin_and_lose;
        say(ASK("GET", "/a"));
        EXPECT_INT(gone, 1);
        world_stop(&w);
    }
}

TEST(an_answer_may_begin_while_the_body_of_its_request_is_read) { /* CONN-5 */
    start();
    does.take = WSHUB_TAKE_BODY;
    say("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\nGET /b ");
    EXPECT_INT(begin(2), WSHUB_OK);
    say("HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_INT(put("ok"), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent("HTTP/1.1 200 OK" DATE "\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    EXPECT(!wshub_io_fake_is_open(w.net, peer));
    world_stop(&w);
    start(); /* before the first byte of it has come */
    does.take = WSHUB_TAKE_BODY;
    say("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_INT(begin(0), WSHUB_OK);
    EXPECT_INT(end(), WSHUB_OK);
    expect_sent("HTTP/1.1 200 OK" DATE "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    world_stop(&w);
}

static void end_it(wshub *hub, wshub_exchange exchange) {
    EXPECT_INT(wshub_http_end(hub, exchange), WSHUB_OK);
}
static void drop_it(wshub *hub, wshub_exchange exchange) {
    EXPECT_INT(wshub_http_drop(hub, exchange), WSHUB_OK);
}
static void write_much(wshub *hub, wshub_exchange exchange) {
    static char piece[LIMIT + 1];
    memset(piece, 'm', sizeof piece);
    EXPECT_INT(wshub_http_write(hub, exchange, piece, sizeof piece), WSHUB_OK);
    EXPECT_INT(wshub_http_write(hub, exchange, piece, 1), WSHUB_ERR_LIMIT);
}
static void destroy_it(wshub *hub, wshub_exchange exchange) {
    (void)exchange;
    wshub_destroy(hub);
    w.hub = NULL;
}

TEST(whoever_is_told_to_go_on_may_do_anything) { /* BYE-1, SEND-6 */
    void (*const all[])(wshub *, wshub_exchange) = {end_it, drop_it, write_much, destroy_it};
    size_t i;
    for (i = 0; i < COUNT(all); i++) {
        start();
        does.on_drained = all[i];
        say(ASK("GET", "/a") ASK("GET", "/b"));
        wshub_io_fake_window(w.net, peer, 0);
        EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
        (void)fill();
        wshub_io_fake_window(w.net, peer, UINT64_MAX);
        EXPECT_OP(drained, >=, 1);
        EXPECT_INT(gone, i == 3);
        if (w.hub) {
            world_stop(&w);
        } else {
            wshub_io_fake_destroy(w.net);
            EXPECT_INT(w.bytes, 0);
        }
    }
}

TEST(a_peer_that_goes_while_its_answer_waits_is_told_of_as_gone_alone) { /* SEND-6, BYE-1 */
    int after;
    for (after = 0; after < 2; after++) {
        start_with(DESC(0), (wshub_mount_desc){0}, FAKE(0));
        say(ASK("GET", "/a"));
        wshub_io_fake_window(w.net, peer, 0);
        EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
        (void)fill();
        if (after) {
            wshub_io_fake_hold(w.net, true);
            wshub_io_fake_window(w.net, peer, UINT64_MAX);
        }
        wshub_io_fake_end(w.net, peer);
        if (after) wshub_io_fake_hold(w.net, false);
        EXPECT_INT(gone, 1);
        EXPECT_INT(drained, 0);
        world_stop(&w);
    }
}

TEST(a_half_close_while_an_answer_waits_changes_nothing) { /* LIVE-3, SEND-6 */
    start_with(DESC(0), (wshub_mount_desc){0}, FAKE(.no_pause = true));
    say(ASK("GET", "/a") "GET /b");
    wshub_io_fake_window(w.net, peer, 0);
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    (void)fill();
    say("HTTP/1.1\r\n"); /* nor does what it says meanwhile */
    EXPECT_INT(drained, 0);
    wshub_io_fake_half_close(w.net, peer);
    EXPECT_INT(drained, 0);
    wshub_io_fake_window(w.net, peer, UINT64_MAX);
    EXPECT_INT(drained, 1);
    EXPECT_INT(end(), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, peer));
    world_stop(&w);
}

static int drained_too;
static void hub_drained(wshub *hub, wshub_exchange exchange, void *owner) {
    (void)hub;
    EXPECT(exchange.id == kept_request.id && owner == &w);
    drained_too++;
}

TEST(on_request_answers_piece_by_piece_too) { /* CONN-2, SEND-6 */
    wshub_reply r;
    drained_too = 0;
    world_start(&w,
                DESC(.on_request = keep_request, .on_exchange_drained = hub_drained,
                     .http_answers_bytes_max = LIMIT),
                FAKE(0));
    peer = wshub_io_fake_open(w.net);
    say(GET);
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.content_type = "text/plain";
    asked = kept_request;
    EXPECT_INT(wshub_http_begin(w.hub, asked, &r, WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    (void)fill();
    wshub_io_fake_run(w.net);
    EXPECT_INT(drained_too, 1);
    EXPECT_INT(end(), WSHUB_OK);
    world_stop(&w);

    world_start(&w, DESC(.on_request = keep_request, .http_answers_bytes_max = LIMIT), FAKE(0));
    peer = wshub_io_fake_open(w.net); /* who does not want to be told tries again */
    say(GET);
    asked = kept_request;
    EXPECT_INT(begin(WSHUB_LENGTH_UNKNOWN), WSHUB_OK);
    (void)fill();
    wshub_io_fake_run(w.net);
    EXPECT_OP(fill(), >, 0);
    world_stop(&w);
}

/* ---- memory ---- */

TEST(each_allocation_of_a_long_answer_may_fail) { /* CONN-5: nothing is taken, or all */
    long nth;
    bool failed = true;
    for (nth = 1; failed && nth < 100; nth++) {
        static char piece[70000];
        wshub_err err;
        wshub__seg *held;
        int again;
        start();
        say(ASK("GET", "/a"));
        w.hub->log->used = w.hub->log->cap;
        w.fail_at = nth;
        for (again = 0; (err = begin(WSHUB_LENGTH_UNKNOWN)) != WSHUB_OK && again < 2; again++)
            EXPECT_INT(err, WSHUB_ERR_NOMEM);
        wshub_io_fake_run(w.net);
        memset(piece, 'p', sizeof piece);
        for (again = 0;
             (err = wshub_http_write(w.hub, asked, piece, sizeof piece)) != WSHUB_OK && again < 2;
             again++)
            EXPECT_INT(err, WSHUB_ERR_NOMEM);
        w.hub->log->used = w.hub->log->cap;
        held = w.hub->log; /* somebody holds it, so that the end needs another */
        held->refs++;
        for (again = 0; (err = end()) != WSHUB_OK && again < 2; again++)
            EXPECT_INT(err, WSHUB_ERR_NOMEM);
        EXPECT_INT(err, WSHUB_OK);
        wshub__seg_unref(w.hub, held);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_io_fake_output(w.net, peer).len,
                   strlen(CHUNKED) + 7 + sizeof piece + 2 + 5);
        EXPECT_INT(gone, 0);
        failed = w.fail_at == 0;
        w.fail_at = 0;
        world_stop(&w);
    }
    EXPECT_OP(nth, >, 4);
}
