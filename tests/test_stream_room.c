/* Bodies that are written where they are sent from (wshub_http_room()), and writers who wait for
 * their turn (wshub_http_wait()): nothing is copied or lost, whatever comes in between, and whoever
 * waits is told to go on (CONN-5, SEND-6). */
#include "mounted.h"

static world w;
static site s;
static wshub_conn peer;
static int drained;

static void on_drained(wshub *hub, wshub_exchange exchange, void *owner) {
    (void)hub;
    (void)owner;
    EXPECT_INT(exchange.id, s.exchange.id);
    drained++;
}

/* A request is held; its answer has begun, and its head is taken. */
static void start(const char *ask, uint64_t length) {
    wshub_reply r;
    memset(&s, 0, sizeof s);
    s.take = WSHUB_TAKE_HELD;
    drained = 0;
    world_start(&w, DESC(.http_answers_bytes_max = 1000), FAKE(0));
    MOUNT(&w, &s, .path = "/a", .on_exchange_drained = on_drained);
    peer = said(&w, ask);
    memset(&r, 0, sizeof r);
    r.status = 200;
    EXPECT_INT(wshub_http_begin(w.hub, s.exchange, &r, length), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_take(w.net, peer, wshub_io_fake_output(w.net, peer).len);
}

static uint8_t *room(size_t n) {
    uint8_t *bytes = NULL;
    EXPECT_INT(wshub_http_room(w.hub, s.exchange, n, &bytes), WSHUB_OK);
    EXPECT(bytes != NULL);
    return bytes;
}

static void expect_sent(const char *want) {
    wshub_str out;
    wshub_io_fake_run(w.net);
    out = wshub_io_fake_output(w.net, peer);
    EXPECT(wshub_str_eq_z(out, want));
    if (!wshub_str_eq_z(out, want)) (void)printf("  %.*s\n", (int)out.len, out.ptr);
    wshub_io_fake_take(w.net, peer, out.len);
}

TEST(what_is_written_into_the_room_is_sent_from_there) { /* CONN-5 */
    uint8_t *bytes;
    start(WANT("/a"), 30);
    bytes = room(20);
    memcpy(bytes, "0123456789", 10); /* and less than there is room for */
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, bytes, 10), WSHUB_OK);
    EXPECT(bytes == wshub__log_end(w.hub->log) - 10); /* it is not moved */
    bytes = room(20);
    memcpy(bytes, "abcdefghijklmnopqrst", 20);
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, bytes, 20), WSHUB_OK);
    EXPECT_INT(wshub_http_end(w.hub, s.exchange), WSHUB_OK);
    expect_sent("0123456789abcdefghijklmnopqrst");
    world_stop(&w);
}

TEST(chunks_are_framed_around_what_lies_in_the_room) { /* RFC 9112 7.1 */
    uint8_t *bytes;
    start(WANT("/a"), WSHUB_LENGTH_UNKNOWN);
    bytes = room(300);
    memset(bytes, 'x', 300);
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, bytes, 3), WSHUB_OK);
    bytes = room(16);
    memcpy(bytes, "0123456789abcdef", 16);
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, bytes, 16), WSHUB_OK);
    EXPECT_INT(wshub_http_end(w.hub, s.exchange), WSHUB_OK);
    expect_sent("3\r\nxxx\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    world_stop(&w);
}

TEST(room_that_is_not_used_is_forgotten_and_what_comes_in_between_harms_nothing) { /* CONN-5 */
    static char theirs[20000];
    wshub_reply r;
    uint8_t *bytes, kept[8];
    size_t i;
    start(WANT("/a"), 8 * 40);
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = wshub__str(theirs, sizeof theirs);
    for (i = 0; i < 40; i++) {
        wshub_conn other;
        (void)room(WSHUB_HTTP_ROOM_MAX);
        bytes = room(8);
        memset(bytes, (int)('a' + i % 26), 8);
        memcpy(kept, bytes, 8);
        EXPECT_INT(wshub_http_write(w.hub, s.exchange, bytes, 8), WSHUB_OK);
        other = said(&w, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n"); /* 404 by the same log */
        (void)room(WSHUB_HTTP_ROOM_MAX);
        wshub_io_fake_run(w.net);
        EXPECT_OP(wshub_io_fake_output(w.net, peer).len, >=, 8);
        EXPECT(memcmp(wshub_io_fake_output(w.net, peer).ptr, kept, 8) == 0);
        wshub_io_fake_take(w.net, peer, 8);
        wshub_io_fake_end(w.net, other);
    }
    EXPECT_INT(wshub_http_end(w.hub, s.exchange), WSHUB_OK);
    world_stop(&w);
}

TEST(room_is_given_as_a_piece_would_be_taken) { /* SEND-6 */
    uint8_t *bytes = NULL;
    wshub_exchange none = {0};
    start(WANT("/a"), 5000);
    EXPECT_INT(wshub_http_room(w.hub, s.exchange, 0, &bytes), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_room(w.hub, s.exchange, WSHUB_HTTP_ROOM_MAX + 1, &bytes),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_room(w.hub, s.exchange, 1, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_room(w.hub, none, 1, &bytes), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_http_wait(w.hub, none), WSHUB_ERR_STALE);
    wshub_io_fake_window(w.net, peer, 0);
    bytes = room(1001);
    memset(bytes, 'x', 1001);
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, bytes, 1001), WSHUB_OK);
    EXPECT_INT(wshub_http_room(w.hub, s.exchange, 1, &bytes), WSHUB_ERR_LIMIT);
    EXPECT_INT(drained, 0);
    wshub_io_fake_window(w.net, peer, 10000);
    EXPECT_INT(drained, 1);
    w.fail_all = true;
    w.hub->log->used = w.hub->log->cap;
    w.hub->log->refs++; /* somebody holds what is in it */
    EXPECT_INT(wshub_http_room(w.hub, s.exchange, 1, &bytes), WSHUB_ERR_NOMEM);
    w.hub->log->refs--;
    w.fail_all = false;
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, room(1), 1), WSHUB_OK);
    world_stop(&w);
}

TEST(a_body_that_is_not_sent_has_room_too) { /* CONN-5, RFC 9110 9.3.2 */
    uint8_t *bytes;
    start("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", 5000);
    for (bytes = NULL; !bytes || wshub_http_wait(w.hub, s.exchange) == WSHUB_ERR_STATE;) {
        bytes = room(1000);
        if (wshub_http_write(w.hub, s.exchange, bytes, 1000) != WSHUB_OK) break;
    }
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, bytes, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_http_end(w.hub, s.exchange), WSHUB_OK);
    expect_sent("");
    world_stop(&w);
}

TEST(who_waits_is_told_when_all_has_left) { /* SEND-6 */
    start(WANT("/a"), 300);
    EXPECT_INT(wshub_http_wait(w.hub, s.exchange), WSHUB_ERR_STATE); /* nothing is unsent */
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, "0123456789", 10), WSHUB_OK);
    EXPECT_INT(wshub_http_wait(w.hub, s.exchange), WSHUB_OK);
    EXPECT_INT(wshub_http_wait(w.hub, s.exchange), WSHUB_OK); /* once is twice */
    EXPECT_INT(drained, 0);
    wshub_io_fake_run(w.net);
    EXPECT_INT(drained, 1);
    wshub_io_fake_window(w.net, peer, 5);
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, "0123456789", 10), WSHUB_OK);
    EXPECT_INT(wshub_http_wait(w.hub, s.exchange), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(drained, 1);
    EXPECT_INT(wshub_http_write(w.hub, s.exchange, "more", 4), WSHUB_OK); /* one may go on */
    wshub_io_fake_window(w.net, peer, 100);
    EXPECT_INT(drained, 2);
    EXPECT_INT(wshub_http_wait(w.hub, s.exchange), WSHUB_ERR_STATE);
    expect_sent("01234567890123456789more");
    world_stop(&w);
}

TEST(before_an_answer_there_is_no_room_and_no_wait) { /* CONN-5 */
    uint8_t *bytes;
    memset(&s, 0, sizeof s);
    s.take = WSHUB_TAKE_HELD;
    world_start(&w, DESC(.no_pings = true), FAKE(0));
    MOUNT(&w, &s, .path = "/a");
    peer = said(&w, WANT("/a"));
    EXPECT_INT(wshub_http_room(w.hub, s.exchange, 1, &bytes), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_http_wait(w.hub, s.exchange), WSHUB_ERR_STATE);
    world_stop(&w);
}
