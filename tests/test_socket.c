/* What is sent over the WebSockets of mounts (>>sockets), within which limits, what is told of that,
 * and who is not read while it does not read (SEND-5, SEND-6, LIVE-3; RFC 6455 5.6). */
#include "socket_site.h"

/* ---- what is sent ---- */

TEST(a_message_goes_whole_in_one_frame_as_text_or_binary) { /* RFC 6455 5.2, 5.6 */
    static const size_t lengths[] = {0, 1, 125, 126, 65535, 65536, 150000};
    size_t i, sent = 0;
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        wshub_io_fake_frame f;
        size_t before = wshub_conn_queued_bytes(w.hub, conn);
        EXPECT_INT(wshub_conn_send(w.hub, conn, lengths[i] ? fill() : NULL, lengths[i], i % 2),
                   WSHUB_OK);
        EXPECT_INT(before, 0);
        EXPECT_OP(wshub_conn_queued_bytes(w.hub, conn), >=, lengths[i] + 2);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_conn_queued_bytes(w.hub, conn), 0);
        sent += wshub_io_fake_output(w.net, conn).len;
        EXPECT(wshub_io_fake_next(w.net, conn, &f));
        EXPECT_INT(f.opcode, i % 2 ? 1 : 2);
        EXPECT_INT(f.payload.len, lengths[i]);
        EXPECT(memcmp(f.payload.ptr, filler, lengths[i]) == 0);
        EXPECT_INT(wshub_io_fake_output(w.net, conn).len, 0);
    }
    EXPECT_INT(stats(&w).messages_out, i);
    EXPECT_INT(stats(&w).bytes_out, sent);
    EXPECT_INT(s.drained, 0); /* all left at once */
    world_stop(&w);
}

TEST(what_is_sent_in_a_turn_leaves_in_order_in_one_send) { /* SEND-5 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    uint64_t sends = wshub_io_fake_sends(w.net);
    EXPECT_INT(send_text(&w, conn, "one"), WSHUB_OK);
    EXPECT_INT(send_text(&w, conn, "two"), WSHUB_OK);
    EXPECT_INT(send_text(&w, conn, "three"), WSHUB_OK);
    EXPECT_SILENCE(&w, conn);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, conn, "one");
    EXPECT_TEXT(&w, conn, "two");
    EXPECT_TEXT(&w, conn, "three");
    EXPECT_INT(wshub_io_fake_sends(w.net) - sends, 1);
    world_stop(&w);
}

TEST(what_no_peer_could_take_is_refused) { /* RFC 6455 8.1: a text is UTF-8 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    EXPECT_INT(wshub_conn_send(w.hub, conn, "\xC3", 1, true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_send(w.hub, conn, "a\xED\xA0\x80", 4, true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_send(w.hub, conn, NULL, 1, true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_send(w.hub, conn, NULL, 1, false), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_send(w.hub, conn, "x", WSHUB_MSG_BYTES_MAX + 1, false), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_conn_send(w.hub, conn, NULL, WSHUB_MSG_BYTES_MAX, false), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_conn_queued_bytes(w.hub, conn), 0);
    EXPECT_INT(wshub_conn_send(w.hub, conn, "\xC3", 1, false), WSHUB_OK);
    EXPECT_INT(wshub_conn_send(w.hub, conn, NULL, 0, true), WSHUB_OK);
    EXPECT_INT(stats(&w).messages_out, 2);
    world_stop(&w);
}

TEST(a_send_without_memory_changes_nothing_and_says_so) { /* SEND-6, >>errors */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    int failed = 0;
    long nth;
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_text(&w, conn, "first"), WSHUB_OK);
    for (nth = 1; nth < 4; nth++) {
        size_t queued = wshub_conn_queued_bytes(w.hub, conn);
        wshub_err err;
        w.hub->log->used = w.hub->log->cap; /* another segment, and so another span */
        w.fail_at = nth;
        err = send_text(&w, conn, "more");
        w.fail_at = 0;
        EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
        EXPECT_INT(wshub_conn_queued_bytes(w.hub, conn), queued + (err ? 0 : 6));
        failed += err == WSHUB_ERR_NOMEM;
    }
    EXPECT_INT(failed, 2); /* the segment, and the span */
    EXPECT_INT(stats(&w).dropped_memory, 2);
    EXPECT_INT(stats(&w).messages_out, 2);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_TEXTS(&w, conn, "first", "more");
    world_stop(&w);
}

/* ---- limits, and what is told of them ---- */

TEST(who_owes_nothing_is_sent_a_message_of_any_length) { /* SEND-6 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(
        &w, &s,
        DESC(.on_log = keep_line, .allowed_origins_count = 0, .backpressure_bytes_max = 1000),
        FAKE(0));
    int i;
    w.log_len = 0;
    for (i = 0; i < 5; i++) EXPECT_INT(send_bytes(&w, conn, 100000), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(arrived(&w, conn, 100000), 5);
    EXPECT_INT(s.drained, 0);

    /* Who takes nothing is sent the same once, and then no more. */
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_bytes(&w, conn, 100000), WSHUB_OK);
    EXPECT_INT(send_bytes(&w, conn, 1), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(w.net);
    EXPECT_INT(send_bytes(&w, conn, 1), WSHUB_ERR_DROPPED);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).dropped_pressure, 2);
    EXPECT_STR(w.log, "D;D;");

    /* Most of it is not all of it. */
    wshub_io_fake_window(w.net, conn, 99500);
    EXPECT_INT(s.drained, 0);
    EXPECT_INT(send_bytes(&w, conn, 100), WSHUB_OK); /* what waits is within the limit again */
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(s.drained, 1);
    EXPECT_INT(wshub_conn_queued_bytes(w.hub, conn), 0);
    EXPECT_INT(stats(&w).messages_out, 7);
    EXPECT_INT(s.closed, 0);
    world_stop(&w);
}

TEST(what_waits_may_reach_the_limit_and_not_pass_it) { /* SEND-6 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(.backpressure_bytes_max = 1000), FAKE(0));
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_bytes(&w, conn, 500), WSHUB_OK); /* and a head of 4 */
    EXPECT_INT(send_bytes(&w, conn, 493), WSHUB_ERR_DROPPED);
    EXPECT_INT(send_bytes(&w, conn, 492), WSHUB_OK);
    EXPECT_INT(wshub_conn_queued_bytes(w.hub, conn), 1000);
    EXPECT_INT(wshub_conn_send(w.hub, conn, NULL, 0, true), WSHUB_ERR_DROPPED);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(arrived(&w, conn, 492), 1);
    EXPECT_INT(s.drained, 1);
    world_stop(&w);
}

TEST(what_waits_for_all_together_has_a_limit_too) { /* SEND-6: segment_bytes_max */
    site s = {0};
    world w;
    wshub_conn slow = site_start(
        &w, &s, DESC(.backpressure_bytes_max = WSHUB_OFF, .segment_bytes_max = 500000), FAKE(0));
    wshub_conn fast = wshub_io_fake_connect(w.net, "/s");
    int i, dropped = 0;
    wshub_io_fake_window(w.net, slow, 0);
    for (i = 0; i < 20; i++) {
        dropped += send_bytes(&w, slow, 50000) == WSHUB_ERR_DROPPED;
        EXPECT_INT(send_bytes(&w, fast, 50000), WSHUB_OK); /* who reads is served */
        wshub_io_fake_run(w.net);
    }
    EXPECT(dropped > 8 && dropped < 16);
    EXPECT_INT(arrived(&w, fast, 50000), 20);
    EXPECT_INT(stats(&w).dropped_pressure, dropped);
    world_stop(&w);
}

TEST(over_the_limit_a_socket_ends_where_that_is_set) { /* SEND-6 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(
        &w, &s, DESC(.backpressure_bytes_max = 1000, .close_on_backpressure = true), FAKE(0));
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_bytes(&w, conn, 2000), WSHUB_OK);
    EXPECT_INT(send_bytes(&w, conn, 1), WSHUB_ERR_DROPPED);
    expect_all(&w, conn, WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, conn));
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 1006);
    EXPECT_INT(s.cause, WSHUB_BY_BACKPRESSURE);
    EXPECT_INT(s.drained, 0);
    EXPECT_INT(stats(&w).dropped_pressure, 1);
    world_stop(&w);
}

static void drop_for_other(site *s, wshub_conn conn) {
    (void)conn;
    EXPECT_INT(wshub_conn_queued_bytes(s->w->hub, s->other), 2004);
    EXPECT_INT(send_bytes(s->w, s->other, 900), WSHUB_OK); /* what is on its way does not wait */
    EXPECT_INT(send_bytes(s->w, s->other, 900), WSHUB_ERR_DROPPED);
    EXPECT_INT(send_bytes(s->w, s->other, 900), WSHUB_ERR_DROPPED);
}
static void pause_other(site *s, wshub_conn conn) {
    if (conn.id == s->other.id) return;
    EXPECT_INT(wshub_conn_queued_bytes(s->w->hub, s->other), 2004);
    EXPECT_INT(wshub_conn_pause_until_drained(s->w->hub, s->other), WSHUB_OK);
}

/* A completion io holds all that one is owed. What another says comes before the word that this has
 * left, in one turn: no flush sees that anything waits. */
static void all_on_its_way(world *w, site *s) {
    wshub_conn speaker =
        site_start(w, s, DESC(.backpressure_bytes_max = 1000), FAKE(.completion = true));
    s->other = wshub_io_fake_connect(w->net, "/s");
    owe(w, s->other, 2000);
    wshub_io_fake_stall(w->net, true);
    wshub_io_fake_text(w->net, speaker, "now");
    wshub_io_fake_window(w->net, s->other, UINT64_MAX);
    wshub_io_fake_stall(w->net, false);
    EXPECT_OP(s->messages, >, 0);
}

TEST(a_drop_is_followed_by_on_drained_also_where_all_was_on_its_way) { /* SEND-6 */
    site s = {.at_message = drop_for_other};
    world w;
    all_on_its_way(&w, &s);
    EXPECT_INT(s.drained, 1);
    EXPECT_INT(arrived(&w, s.other, 900), 1);
    EXPECT_INT(stats(&w).dropped_pressure, 2);
    world_stop(&w);
}

static void send_again(site *s, wshub_conn conn) {
    if (s->drained < 3) EXPECT_INT(send_bytes(s->w, conn, 100), WSHUB_OK);
}
static void end_other(site *s, wshub_conn conn) {
    (void)conn;
    wshub_conn_closed(s->w->hub, s->other);
}

/* Two WebSockets that both had to wait, of which the newer is told first. */
static void two_wait(world *w, site *s, wshub_conn *a, wshub_conn *b) {
    *a = site_start(w, s, DESC(0), FAKE(0));
    *b = wshub_io_fake_connect(w->net, "/s");
    wshub_io_fake_window(w->net, *a, 0);
    wshub_io_fake_window(w->net, *b, 0);
    EXPECT_INT(send_bytes(w, *a, 100), WSHUB_OK);
    EXPECT_INT(send_bytes(w, *b, 100), WSHUB_OK);
    wshub_io_fake_run(w->net);
    s->drained = 0;
}
static void both_take(world *w, wshub_conn a, wshub_conn b) {
    wshub_io_fake_hold(w->net, true);
    wshub_io_fake_window(w->net, a, UINT64_MAX);
    wshub_io_fake_window(w->net, b, UINT64_MAX);
    wshub_io_fake_hold(w->net, false);
}

TEST(on_drained_may_send_end_others_end_itself_or_destroy_the_hub) { /* SEND-6 */
    static const struct {
        action at_drained;
        int drained, closed;
        wshub_cause cause;
    } cases[] = {
        {send_again, 2, 0, (wshub_cause)0}, /* what was sent left at once, which is not told */
        {end_other, 1, 1, WSHUB_BY_PEER},   /* the other would be told next, and is gone by then */
        {end_own, 2, 2, WSHUB_BY_PEER},
        {destroy, 1, 2, WSHUB_BY_SHUTDOWN},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        site s = {.at_drained = cases[i].at_drained};
        wshub_conn newer;
        world w;
        two_wait(&w, &s, &s.other, &newer);
        both_take(&w, s.other, newer);
        EXPECT_INT(s.drained, cases[i].drained);
        EXPECT_INT(s.closed, cases[i].closed);
        EXPECT_INT(s.cause, cases[i].cause);
        world_stop(&w);
    }
}

TEST(what_drains_and_waits_again_in_a_turn_is_told_when_it_has_drained) { /* SEND-6 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(.backpressure_bytes_max = 1000), FAKE(0));
    owe(&w, conn, 1000);
    wshub_io_fake_hold(w.net, true);
    wshub_io_fake_window(w.net, conn, 1004); /* all of it, and nothing more */
    EXPECT_INT(send_bytes(&w, conn, 900), WSHUB_ERR_DROPPED);
    wshub_io_fake_hold(w.net, false);
    EXPECT_INT(s.drained, 1);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(s.drained, 1);
    world_stop(&w);
}

TEST(without_on_drained_drops_are_counted_and_logged_alone) { /* SEND-6 */
    wshub_mount_desc desc;
    site s = {0};
    world w;
    wshub_conn conn;
    world_start(&w, DESC(.on_log = keep_line, .backpressure_bytes_max = 1000), FAKE(0));
    w.log_len = 0;
    memset(&desc, 0, sizeof desc);
    desc.version = WSHUB_MOUNT_VERSION;
    desc.path = "/s";
    desc.on_head = site_head;
    desc.user = &s;
    EXPECT_INT(wshub_mount(w.hub, &desc), WSHUB_OK);
    conn = wshub_io_fake_connect(w.net, "/s");
    wshub_io_fake_window(w.net, conn, 0);
    EXPECT_INT(send_bytes(&w, conn, 2000), WSHUB_OK);
    EXPECT_INT(send_bytes(&w, conn, 1), WSHUB_ERR_DROPPED);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_STR(w.log, "D;");
    EXPECT_INT(stats(&w).dropped_pressure, 1);
    EXPECT_INT(send_bytes(&w, conn, 1), WSHUB_OK);
    world_stop(&w);
}

static bool answer_much(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)http;
    (void)user;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.body = wshub__str(fill(), 5000);
    EXPECT_INT(wshub_http_reply(hub, exchange, &r), WSHUB_OK);
    return true;
}

TEST(answers_that_still_wait_behind_an_upgrade_count_and_are_told) { /* SEND-6 */
    static const char asks[] = GET "GET /s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                                   "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                                   "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    site s = {.later = true};
    world w;
    wshub_conn conn;
    world_start(&w, DESC(.on_request = answer_much, .backpressure_bytes_max = 1000), FAKE(0));
    site_mount(&w, &s, "/s");
    conn = wshub_io_fake_open(w.net);
    wshub_io_fake_window(w.net, conn, 0);
    wshub_io_fake_input(w.net, conn, asks, sizeof asks - 1);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.kept, NULL, NULL), WSHUB_OK);
    EXPECT_INT(send_text(&w, conn, "x"), WSHUB_ERR_DROPPED);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(s.drained, 1);
    EXPECT_INT(send_text(&w, conn, "x"), WSHUB_OK);

    /* What drains before it is a WebSocket is told to nobody. */
    conn = wshub_io_fake_open(w.net);
    wshub_io_fake_window(w.net, conn, 0);
    wshub_io_fake_input(w.net, conn, asks, sizeof asks - 1);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.kept, NULL, NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_INT(s.drained, 1);
    world_stop(&w);
}

/* ---- pausing ---- */

/* Echoes, and does not read on while the peer does not read. */
static void echo(site *s, wshub_conn conn) {
    EXPECT_INT(wshub_conn_send(s->w->hub, conn, filler, s->last_bytes, false), WSHUB_OK);
    EXPECT_INT(wshub_conn_pause_until_drained(s->w->hub, conn), WSHUB_OK);
}

TEST(who_does_not_read_is_not_read_until_it_has) { /* SEND-6 */
    int kind, i;
    for (kind = 0; kind < IO_KINDS; kind++) {
        site s = {.at_message = echo};
        world w;
        wshub_conn conn = site_start(
            &w, &s, DESC(.backpressure_bytes_max = 1000, .held_bytes_max = 100000), io_kind(kind));
        (void)fill();
        for (i = 0; i < 3; i++) wshub_io_fake_send(w.net, conn, 2, true, filler, 5000);
        EXPECT_INT(s.messages, 3); /* a reader is not paused */
        wshub_io_fake_window(w.net, conn, 0);
        for (i = 0; i < 10; i++) wshub_io_fake_send(w.net, conn, 2, true, filler, 5000);
        EXPECT_INT(s.messages, 4); /* whose answer waits; the others are not read */
        EXPECT_INT(stats(&w).dropped_pressure, 0);
        EXPECT_OP(wshub_conn_queued_bytes(w.hub, conn), <=, 5004);
        EXPECT(stats(&w).held_bytes > 0 || kind == 3);
        wshub_io_fake_window(w.net, conn, 5004); /* one answer: one message more */
        EXPECT_INT(s.messages, 5);
        wshub_io_fake_window(w.net, conn, UINT64_MAX);
        wshub_io_fake_run(w.net);
        EXPECT_INT(s.messages, 13);
        EXPECT_INT(stats(&w).held_bytes, 0);
        EXPECT_INT(arrived(&w, conn, 5000), 13);
        EXPECT_INT(s.closed, 0);
        world_stop(&w);
    }
}

TEST(a_pause_ends_also_where_all_was_on_its_way) { /* SEND-6 */
    site s = {.at_message = pause_other};
    world w;
    all_on_its_way(&w, &s);
    wshub_io_fake_text(w.net, s.other, "read");
    EXPECT_INT(s.messages, 2);
    EXPECT_INT(s.drained, 1);
    world_stop(&w);
}

TEST(where_nothing_is_owed_nothing_is_paused) { /* SEND-6 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    EXPECT_INT(wshub_conn_pause_until_drained(w.hub, conn), WSHUB_OK);
    wshub_io_fake_text(w.net, conn, "a");
    EXPECT_INT(s.messages, 1);
    EXPECT_INT(send_text(&w, conn, "b"), WSHUB_OK);
    EXPECT_INT(wshub_conn_pause_until_drained(w.hub, conn), WSHUB_OK); /* it takes all of it */
    wshub_io_fake_text(w.net, conn, "c");
    EXPECT_INT(s.messages, 2);
    EXPECT_INT(s.drained, 0);
    world_stop(&w);
}

TEST(a_message_that_we_do_not_read_on_is_not_late) { /* LIVE-3 */
    site s = {0};
    world w;
    wshub_conn conn =
        site_start(&w, &s, DESC(.message_timeout_ms = 1000, .write_timeout_ms = 60000), FAKE(0));
    wshub_io_fake_window(w.net, conn, 0);
    wshub_io_fake_send(w.net, conn, 1, false, "be", 2); /* its clock runs */
    EXPECT_INT(send_text(&w, conn, "x"), WSHUB_OK);
    EXPECT_INT(wshub_conn_pause_until_drained(w.hub, conn), WSHUB_OK);
    wshub_io_fake_send(w.net, conn, 0, true, "gun", 3);
    wshub_io_fake_advance(w.net, 20000);
    EXPECT_INT(s.closed, 0);
    EXPECT_INT(s.messages, 0);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_INT(s.messages, 1);
    EXPECT_STR(s.last, "begun");

    /* Read again, it is bound to end in the time that it has from then on. */
    wshub_io_fake_window(w.net, conn, 0);
    wshub_io_fake_send(w.net, conn, 1, false, "be", 2);
    EXPECT_INT(send_text(&w, conn, "x"), WSHUB_OK);
    EXPECT_INT(wshub_conn_pause_until_drained(w.hub, conn), WSHUB_OK);
    wshub_io_fake_advance(w.net, 900);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    wshub_io_fake_advance(w.net, 999);
    EXPECT_INT(s.closed, 0);
    wshub_io_fake_advance(w.net, 1);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 1008);
    EXPECT_INT(stats(&w).message_timeouts, 1);
    world_stop(&w);
}

TEST(who_takes_nothing_while_paused_is_dropped_in_time) { /* LIVE-3 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(.write_timeout_ms = 5000), FAKE(0));
    owe_and_pause(&w, conn);
    wshub_io_fake_text(w.net, conn, "held");
    wshub_io_fake_advance(w.net, 4999);
    EXPECT_INT(s.closed, 0);
    wshub_io_fake_advance(w.net, 1);
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 1006);
    EXPECT_INT(s.cause, WSHUB_BY_TIMEOUT);
    EXPECT_INT(stats(&w).write_timeouts, 1);
    world_stop(&w);
}

TEST(a_paused_socket_that_is_closed_is_read_to_its_peers_close) { /* RFC 6455 7.1.2 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    owe_and_pause(&w, conn);
    wshub_io_fake_text(w.net, conn, "held");
    wshub_io_fake_send_close(w.net, conn, 4321, "");
    EXPECT_INT(s.closed, 0); /* its Close waits behind what is not read */
    EXPECT_INT(wshub_conn_close(w.hub, conn, 4000, nul()), WSHUB_OK);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_TEXT(&w, conn, "x");
    EXPECT_CLOSE(&w, conn, 4000);
    EXPECT_INT(s.messages, 0);
    EXPECT_INT(s.code, 4000);
    EXPECT_INT(s.cause, WSHUB_BY_APP);
    world_stop(&w);
}

TEST(a_peer_that_ends_while_it_is_paused_has_ended_behind_what_it_said) { /* LIVE-3 */
    site s = {0};
    world w;
    wshub_conn conn = site_start(&w, &s, DESC(0), FAKE(0));
    owe_and_pause(&w, conn);
    wshub_io_fake_text(w.net, conn, "last words");
    wshub_io_fake_half_close(w.net, conn);
    EXPECT_INT(s.closed, 0);
    wshub_io_fake_window(w.net, conn, UINT64_MAX);
    EXPECT_STR(s.last, "last words");
    EXPECT_INT(s.closed, 1);
    EXPECT_INT(s.code, 1006);
    EXPECT_INT(s.cause, WSHUB_BY_PEER);
    world_stop(&w);
}
