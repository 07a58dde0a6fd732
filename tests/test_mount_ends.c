/* How exchanges and a mount's WebSockets end without the application's doing: told once, in settle,
 * with the cause (BYE-1, LIVE-3); out of memory at every allocation; while the hub ends; and from
 * inside each other's callbacks. */
#include "mounted.h"

/* ---- causes ---- */

/* What it is whose end is told. */
typedef enum stage { READ, HELD, OPEN, STAGES } stage;
/* clang-format off */
static const struct { wshub_take take; const char *path, *ask; } stages[STAGES] = {
    {WSHUB_TAKE_BODY, "/s", POST("/s", "400") "12"},
    {WSHUB_TAKE_HELD, "/s", WANT("/s")},
    {WSHUB_TAKE_DONE, "/s", WANT_WS("/s")},
};
/* clang-format on */
static wshub_desc with_limits(void) {
    return DESC(.http_timeout_ms = 4000, .message_timeout_ms = 4000, .idle_timeout_ms = 60000,
                .payload_bytes_max = 64, .held_bytes_max = 8, .shutdown_timeout_ms = 1000,
                .close_timeout_ms = 500);
}
static wshub_conn begin(world *w, site *s, stage at) {
    wshub_conn c;
    s->take = stages[at].take;
    s->at_head = at == OPEN ? do_upgrade : NULL;
    MOUNT(w, s, .path = stages[at].path);
    c = said(w, stages[at].ask);
    wshub_io_fake_take(w->net, c, SIZE_MAX);
    forget_log(w);
    return c;
}

typedef enum way { BY_END, BY_HALF, BY_TIME, BY_BREACH, BY_WANT, BY_STOP, BY_DESTROY, WAYS } way;

TEST(every_end_is_told_once_with_its_cause) { /* BYE-1, BYE-2, BYE-3, LIVE-2, LIVE-3 */
    /* clang-format off */
    static const char *const told[STAGES][WAYS] = {
        {"gone 1 s;", "gone 1 s;", "gone 4 s;", "400 by s;gone 5 s;", "gone 7 s;", "gone 8 s;", "gone 8 s;"},
        {"gone 1 s;", "",          "503 by s;gone 4 s;", "gone 5 s;",  "gone 7 s;", "gone 8 s;", "gone 8 s;"},
        {"closed 1006  by 1 s;", "closed 1006  by 1 s;", "closed 1006  by 4 s;",
         "closed 1002 frame is not masked by 5 s;", "closed 1011  by 7 s;",
         "closed 1001  by 8 s;", "closed 1001  by 8 s;"},
    };
    /* clang-format on */
    int at, how;
    for (at = 0; at < STAGES; at++) {
        for (how = 0; how < WAYS; how++) {
            site s = {.name = "s"};
            world w;
            wshub_conn c;
            world_start(&w, with_limits(), FAKE(.no_pause = true));
            c = begin(&w, &s, (stage)at);
            switch ((way)how) {
            case BY_END: wshub_io_fake_end(w.net, c); break;
            case BY_HALF: wshub_io_fake_half_close(w.net, c); break;
            case BY_TIME: wshub_io_fake_advance(w.net, at == OPEN ? 60000 : 4000); break;
            case BY_BREACH:
                if (at == READ) { /* another, whose body comes in chunks */
                    (void)wshub_http_drop(w.hub, s.exchange);
                    c = said(&w, "POST /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "1\r\nx");
                    forget_log(&w);
                    say(&w, c, "y");
                } else if (at == HELD) {
                    say(&w, c, "12345678");
                    say(&w, c, "9");
                } else {
                    say(&w, c, "\x81\x01x");
                }
                break;
            case BY_WANT:
                w.fail_all = true;
                if (at == READ) wshub_io_fake_input(w.net, c, json_string(300), 300);
                if (at == HELD) say(&w, c, "1");
                if (at == OPEN) wshub_io_fake_send(w.net, c, 1, false, "12", 2);
                w.fail_all = false;
                break;
            case BY_STOP:
                EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
                wshub_io_fake_run(w.net);
                wshub_io_fake_advance(w.net, 1000);
                break;
            case BY_DESTROY: do_destroy(&s, w.hub); break;
            case WAYS: break;
            }
            EXPECT_LOG(&w, told[at][how]);
            EXPECT_INT(s.gone, told[at][how][0] != 0);
            if (w.hub) wshub_io_fake_end(w.net, c);
            if (at == HELD && how == BY_HALF) EXPECT_LOG(&w, "gone 1 s;");
            EXPECT_INT(s.gone, 1);
            world_stop(&w);
            EXPECT_INT(s.gone, 1);
        }
    }
}

TEST(requests_of_on_request_are_told_of_too) { /* CONN-2 */
    static site s;
    int tells;
    for (tells = 0; tells < 2; tells++) {
        world w;
        wshub_conn c;
        memset(&s, 0, sizeof s);
        s.name = "request";
        s.w = &w;
        world_start(&w,
                    DESC(.on_request = keep_request, .on_exchange_gone = tells ? site_gone : NULL,
                         .user = &s),
                    FAKE(0));
        c = said(&w, WANT("/any"));
        EXPECT(wshub_exchange_owner(w.hub, kept_request) == &s);
        wshub_io_fake_end(w.net, c);
        EXPECT_LOG(&w, tells ? "gone 1 request;" : "");
        c = said(&w, WANT("/any"));
        EXPECT_INT(answer(w.hub, kept_request, "x"), WSHUB_OK);
        wshub_io_fake_end(w.net, c);
        EXPECT_LOG(&w, "");
        world_stop(&w);
    }
}

TEST(ends_of_one_turn_are_told_in_their_order) { /* BYE-1 */
    site a = {.name = "a", .take = WSHUB_TAKE_HELD}, b = {.name = "b", .take = WSHUB_TAKE_HELD},
         c = {.name = "c", .take = WSHUB_TAKE_DONE, .at_head = do_upgrade};
    wshub_conn on_a, on_b, on_c;
    world w;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &a, .path = "/a");
    MOUNT(&w, &b, .path = "/b");
    MOUNT(&w, &c, .path = "/c");
    on_a = said(&w, WANT("/a"));
    on_b = said(&w, WANT("/b"));
    on_c = wshub_io_fake_connect(w.net, "/c");
    forget_log(&w);
    wshub_io_fake_hold(w.net, true);
    wshub_io_fake_end(w.net, on_c);
    wshub_io_fake_end(w.net, on_a);
    wshub_io_fake_end(w.net, on_b);
    EXPECT_LOG(&w, "");
    wshub_io_fake_hold(w.net, false);
    EXPECT_LOG(&w, "closed 1006  by 1 c;gone 1 a;gone 1 b;");
    world_stop(&w);
}

TEST(the_reason_of_a_close_is_told_as_far_as_there_is_memory) { /* BYE-1 */
    site s = {.name = "s"};
    world w;
    wshub_conn c;
    world_start(&w, with_limits(), FAKE(0));
    c = begin(&w, &s, OPEN);
    w.fail_all = true;
    wshub_io_fake_send_close(w.net, c, 4001, "why");
    w.fail_all = false;
    EXPECT_LOG(&w, "closed 4001  by 1 s;");
    world_stop(&w);
}

/* ---- memory ---- */

/* Everything that mounts do, in one go; what cannot be done for want of memory is not. */
static void everything(world *w, site *page, site *form, site *late, site *socket) {
    static wshub_header header = {{"X-More", 6}, {"1", 1}};
    wshub_upgrade_answer up = {{"chat", 4}, &header, 1, NULL, NULL};
    wshub_conn c;
    if (site_mount(w, page, (wshub_mount_desc){.path = "/page", .allow = "GET"}) ||
        site_mount(w, form, (wshub_mount_desc){.path = "/form", .keep_head = true}) ||
        site_mount(w, late, (wshub_mount_desc){.path = "/late", .keep_head = true}) ||
        site_mount(w, socket, (wshub_mount_desc){.path = "/socket"}))
        return;
    c = wshub_io_fake_open(w->net);
    say(w, c, WANT("/page") "OPTIONS /page HTTP/1.1\r\nHost: h\r\n\r\n" POST("/form", "5") "12");
    say(w, c, "345" WANT("/late"));
    if (wshub_io_fake_is_open(w->net, c)) (void)answer(w->hub, late->exchange, "late");
    wshub_io_fake_run(w->net);
    c = wshub_io_fake_open(w->net);
    say(w, c, WANT("/late"));
    wshub_io_fake_advance(w->net, 1000);
    c = wshub_io_fake_open(w->net);
    say(w, c,
        "POST /form HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n");
    c = wshub_io_fake_open(w->net);
    say(w, c, WANT_WS("/socket"));
    (void)wshub_http_upgrade(w->hub, socket->exchange, &up, NULL);
    wshub_io_fake_run(w->net);
    wshub_io_fake_text(w->net, c, "hello");
    wshub_io_fake_send(w->net, c, 1, false, "hel", 3);
    wshub_io_fake_send(w->net, c, 0, true, "lo", 2);
    wshub_io_fake_send_close(w->net, c, 1000, "bye");
}
static void add_one(site *s, wshub *hub, wshub_headers *more) {
    wshub_err err = wshub_headers_add(more, S("X-Long-Enough-To-Grow-A-Buffer"), S("yes"));
    (void)s, (void)hub;
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
}
static void answer_or_not(site *s, wshub *hub) {
    wshub_err err = answer(hub, s->exchange, s->name);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
}

TEST(mounts_do_without_memory_at_every_allocation) { /* CONN-3, BYE-1 */
    long nth;
    bool spent = false;
    int full;
    for (full = 0; full < 2; full++) {
        for (nth = 1, spent = false; !spent; nth++) {
            site page = {.name = "page", .take = WSHUB_TAKE_DONE},
                 form = {.name = "form", .take = WSHUB_TAKE_BODY},
                 late = {.name = "late", .take = WSHUB_TAKE_HELD},
                 socket = {.name = "socket", .take = WSHUB_TAKE_HELD};
            world w;
            page.at_head = form.at_body = answer_or_not;
            page.at_answer = form.at_answer = late.at_answer = socket.at_answer = add_one;
            world_start(&w, DESC(.http_timeout_ms = 1000, .on_authenticate = accept_all), FAKE(0));
            if (full) fill_log(&w); /* so that every answer needs a segment */
            w.fail_at = nth;
            everything(&w, &page, &form, &late, &socket);
            spent = w.fail_at != 0;
            w.fail_at = 0;
            world_stop(&w);
            if (nth > 1000) break;
        }
        EXPECT(nth > 20 && nth < 1000);
    }
}

TEST(an_answer_that_finds_no_room_in_the_log_is_not_sent) { /* CONN-2 */
    int timeout;
    long nth;
    for (timeout = 0; timeout < 2; timeout++) {
        bool spent = false;
        int failed = 0;
        for (nth = 1; !spent && nth < 20; nth++) {
            site s = {.name = "s", .take = WSHUB_TAKE_HELD};
            world w;
            wshub_conn c;
            bool open;
            world_start(&w, DESC(.http_timeout_ms = 1000, .on_authenticate = accept_all), FAKE(0));
            MOUNT(&w, &s, .path = "/s");
            fill_log(&w);
            c = said(&w, WANT_WS("/s"));
            w.fail_at = nth;
            if (timeout)
                wshub_io_fake_advance(w.net, 1000);
            else
                failed += wshub_http_upgrade(w.hub, s.exchange, NULL, NULL) == WSHUB_ERR_NOMEM;
            spent = w.fail_at != 0;
            w.fail_at = 0;
            wshub_io_fake_run(w.net);
            open = wshub_io_fake_is_open(w.net, c);
            if (timeout) failed += s.gone && s.cause == WSHUB_BY_MEMORY;
            EXPECT(open == !timeout); /* an upgrade can be answered otherwise */
            world_stop(&w);
        }
        /* The log's segment, and the memory in which an answer is made: a 101 that says no more than
         * it must needs none of that. */
        EXPECT(spent && failed >= (timeout ? 2 : 1));
    }
}

static void add_without_memory(site *s, wshub *hub, wshub_headers *more) {
    (void)hub;
    s->w->fail_all = true;
    EXPECT_INT(wshub_headers_add(more, S("X"), S("y")), WSHUB_ERR_NOMEM);
    s->w->fail_all = false;
    /* it does not get better by itself */
    EXPECT_INT(wshub_headers_add(more, S("X"), S("y")), WSHUB_ERR_NOMEM);
}

static void spend_memory(site *s, wshub *hub) {
    (void)hub;
    s->w->fail_all = true;
}

TEST(a_head_that_was_not_answered_ends_once_where_its_500_finds_no_memory) { /* CONN-2, BYE-1 */
    site s = {.name = "s", .take = WSHUB_TAKE_DONE, .at_head = spend_memory};
    world w;
    wshub_conn c;
    world_start(&w, DESC(.http_timeout_ms = 1000), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    w.unchecked = true;
    c = said(&w, WANT("/s"));
    w.fail_all = w.unchecked = false;
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(s.gone, 1);
    EXPECT_INT(s.cause, WSHUB_BY_MEMORY);
    EXPECT_INT(wshub_http_drop(w.hub, s.exchange), WSHUB_ERR_STALE);
    world_stop(&w); /* and nothing of it is left */
}

TEST(an_answer_that_misses_a_header_is_not_sent) { /* CONN-2 */
    site s = {.name = "s", .take = WSHUB_TAKE_HELD, .at_answer = add_without_memory};
    world w;
    wshub_conn c;
    world_start(&w, DESC(.http_timeout_ms = 1000), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    c = said(&w, WANT_WS("/s"));
    EXPECT_INT(answer(w.hub, s.exchange, "x"), WSHUB_ERR_NOMEM);
    EXPECT_INT(wshub_http_upgrade(w.hub, s.exchange, NULL, NULL), WSHUB_ERR_NOMEM);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(wshub_io_fake_output(w.net, c).len, 0);

    /* It can be answered yet, if the mount does without. */
    s.at_answer = NULL;
    EXPECT_INT(answer(w.hub, s.exchange, "x"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SENT(&w, c, "200", NULL);

    /* A refusal drops the stream, and so does the hub's 503. */
    s.at_answer = add_without_memory;
    say(&w, c, WANT("/s"));
    EXPECT_INT(wshub_http_refuse(w.hub, s.exchange, 400, "x"), WSHUB_ERR_NOMEM);
    wshub_io_fake_run(w.net);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    forget_log(&w);
    c = said(&w, WANT("/s"));
    wshub_io_fake_advance(w.net, 1000);
    EXPECT_LOG(&w, "head s;503 by s;gone 7 s;");
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

/* ---- inside each other ---- */

TEST(the_hub_may_be_destroyed_in_every_callback) { /* BYE-2 */
    int what;
    for (what = 0; what < 12; what++) {
        site s = {.name = "s", .take = WSHUB_TAKE_HELD}, held = {.name = "held"};
        world w;
        wshub_conn c;
        world_start(&w, DESC(0), FAKE(0));
        held.take = WSHUB_TAKE_HELD;
        MOUNT(&w, &held, .path = "/held");
        MOUNT(&w, &s, .path = "/s");
        (void)said(&w, WANT("/held"));
        forget_log(&w);
        if (what < 4) { /* on_head, whatever it then says */
            s.take = (wshub_take)what;
            s.at_head = do_destroy;
            (void)said(&w, POST("/s", "2") "ab");
            EXPECT_LOG(&w, what ? "head s;gone 8 held;gone 8 s;" : "head s;gone 8 held;");
        } else if (what < 6) { /* on_body, answered before or not */
            s.take = WSHUB_TAKE_BODY;
            s.at_body = do_destroy;
            (void)said(&w, what == 4 ? POST("/s", "2") "ab" : WANT("/s"));
            EXPECT_LOG(&w, what == 4 ? "head s;body ab to s;gone 8 held;gone 8 s;"
                                     : "head s;body  to s;gone 8 held;gone 8 s;");
        } else if (what < 8) { /* on_exchange_gone, in settle and while it ends already */
            s.at_gone = do_destroy_once;
            c = said(&w, WANT("/s"));
            if (what == 6)
                wshub_io_fake_end(w.net, c);
            else
                do_destroy(&s, w.hub);
            EXPECT_LOG(&w,
                       what == 6 ? "head s;gone 1 s;gone 8 held;" : "head s;gone 8 held;gone 8 s;");
        } else { /* of a WebSocket: on_message, on_conn_closed, each alone */
            s.take = WSHUB_TAKE_DONE;
            s.at_head = do_upgrade;
            s.at_message = do_destroy_once;
            s.at_closed = do_destroy_once;
            c = said(&w, WANT_WS("/s"));
            forget_log(&w);
            if (what == 8) wshub_io_fake_text(w.net, c, "m");
            if (what == 9) wshub_io_fake_end(w.net, c);
            if (what == 10) wshub_io_fake_send_close(w.net, c, 1000, "");
            if (what == 11) {
                wshub_io_fake_send(w.net, c, 1, false, "m", 1);
                wshub_io_fake_send(w.net, c, 0, true, "n", 1);
            }
            if (what == 8) EXPECT_LOG(&w, "text m to s;gone 8 held;closed 1001  by 8 s;");
            if (what == 9) EXPECT_LOG(&w, "closed 1006  by 1 s;gone 8 held;");
            if (what == 10) EXPECT_LOG(&w, "closed 1000  by 1 s;gone 8 held;");
            if (what == 11) EXPECT_LOG(&w, "text mn to s;gone 8 held;closed 1001  by 8 s;");
        }
        EXPECT(!w.hub);
        world_stop(&w);
    }
}

TEST(the_peer_may_leave_while_its_request_is_looked_at) { /* BYE-1 */
    int what;
    for (what = 0; what < 6; what++) {
        site s = {.name = "s", .take = (wshub_take)(what % 4)}, all = {.name = "all"};
        world w;
        world_start(&w, DESC(0), FAKE(0));
        all.take = WSHUB_TAKE_BODY;
        MOUNT(&w, &s, .path = "/s", .keep_head = what == 3);
        MOUNT(&w, &all, .path = "/", .prefix = true);
        s.at_head = do_leave;
        if (what >= 4) {
            s.take = WSHUB_TAKE_BODY;
            s.at_head = NULL;
            s.at_body = do_leave;
        }
        (void)said(&w, what == 4 ? POST("/s", "2") "ab" WANT("/s") : WANT("/s") WANT("/s"));

        /* Who declined is not told; nobody else is asked. */
        if (what == 0) EXPECT_LOG(&w, "head s;");
        if (what > 0 && what < 4) EXPECT_LOG(&w, "head s;gone 1 s;");
        if (what == 4) EXPECT_LOG(&w, "head s;body ab to s;gone 1 s;");
        if (what == 5) EXPECT_LOG(&w, "head s;body  to s;gone 1 s;");
        world_stop(&w);
    }
}

static const site *other; /* than the one whose end is told */
static void answer_the_other(site *s, wshub *hub) {
    (void)s;
    EXPECT_INT(answer(hub, other->exchange, "by the other"), WSHUB_OK);
}
static void drop_the_other(site *s, wshub *hub) {
    (void)s;
    EXPECT_INT(wshub_http_drop(hub, other->exchange), WSHUB_OK);
}

TEST(one_exchange_is_answered_or_dropped_inside_the_end_of_another) { /* BYE-1 */
    int drops;
    for (drops = 0; drops < 2; drops++) {
        site a = {.name = "a", .take = WSHUB_TAKE_HELD}, b = {.name = "b"};
        world w;
        wshub_conn on_a, on_b;
        world_start(&w, DESC(0), FAKE(0));
        b.take = WSHUB_TAKE_HELD;
        MOUNT(&w, &a, .path = "/a");
        MOUNT(&w, &b, .path = "/b");
        on_a = said(&w, WANT("/a"));
        on_b = said(&w, WANT("/b"));
        other = &b;
        a.at_gone = drops ? drop_the_other : answer_the_other;
        forget_log(&w);
        wshub_io_fake_end(w.net, on_a);
        EXPECT_LOG(&w, drops ? "gone 1 a;" : "gone 1 a;200 by b;");
        EXPECT_INT(wshub_io_fake_is_open(w.net, on_b), !drops);
        world_stop(&w);
    }
}

/* More of the same stream is reported inside the callback, once. */
static void answer_and_feed(site *s, wshub *hub) {
    uint8_t more[] = POST("/s", "1") "3";
    do_answer(s, hub);
    if (!s->gone++) wshub_conn_received(hub, s->conn, more, sizeof more - 1);
}

TEST(who_goes_on_reading_in_a_callback_reads_in_order) { /* CONN-5 */
    site s = {.name = "s", .take = WSHUB_TAKE_BODY};
    world w;
    wshub_conn c;
    world_start(&w, DESC(0), FAKE(0));
    MOUNT(&w, &s, .path = "/s");
    s.at_body = answer_and_feed;
    c = said(&w, POST("/s", "1") "1" POST("/s", "1") "2");
    EXPECT_LOG(&w, "head s;body 1 to s;200 by s;head s;body 2 to s;200 by s;head s;body 3 to "
                   "s;200 by s;");
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}
