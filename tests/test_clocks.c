/* Deadlines measure silence or want of progress, never the length of honest work, and after a
 * late turn what has arrived is read before anybody is judged (LIVE-3, CONN-3). Each over every
 * kind of io, met and missed, on time and behind a stopped process. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "pages.h"

TEST(a_write_without_progress_ends) {
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("e", "\"0123456789\"");
    int i;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .write_timeout_ms = 1000,
                     .heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = WSHUB_OFF),
                FAKE(0));
    c = world_client(&w, NULL, id);
    wshub_io_fake_window(w.net, c, 0);
    for (i = 0; i < 10; i++)
        EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 5; i++) { /* a little progress is progress */
        wshub_io_fake_advance(w.net, 900);
        EXPECT(wshub_io_fake_is_open(w.net, c));
        wshub_io_fake_window(w.net, c, 3);
    }
    wshub_io_fake_advance(w.net, 999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).write_timeouts, 1);
    world_stop(&w);
}

TEST(a_message_must_be_finished_in_time) { /* slowloris in a frame */
    static const char *const starts[] = {"\x81", "\x81\x90\1\2\3\4abc", "\x01\x80\1\2\3\4"};
    static const size_t lens[] = {1, 9, 6};
    size_t i;
    for (i = 0; i < 3; i++) {
        world w;
        wshub_conn c;
        world_start(&w, DESC(.on_authenticate = accept_all, .message_timeout_ms = 1000), FAKE(0));
        c = world_client(&w, NULL, NULL);
        wshub_io_fake_input(w.net, c, starts[i], lens[i]);
        wshub_io_fake_advance(w.net, 999);
        EXPECT(wshub_io_fake_is_open(w.net, c));
        EXPECT_SILENCE(&w, c);
        wshub_io_fake_advance(w.net, 1);
        EXPECT_CLOSE(&w, c, 1008);
        world_stop(&w);
    }
}

/* LIVE: write_timeout_ms is without progress */
TEST(progress_of_a_send_under_way_begins_its_time_anew) {
    world w;
    wshub_conn c;
    char id[37];
    wshub_msg m = msg("event", "\"some text\"");
    world_start(
        &w,
        DESC(.on_authenticate = accept_all, .on_disconnected = keep_gone, .write_timeout_ms = 1000),
        FAKE(.completion = true));
    c = world_client(&w, "u", id);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, world_handle(&w, id), &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 999);
    wshub_io_fake_window(w.net, c, 5);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    last_gone.times = 0;
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(last_gone.times, 1);
    EXPECT_INT(last_gone.cause, WSHUB_BY_TIMEOUT);
    world_stop(&w);
}

typedef struct clock_case {
    const char *name;
    void (*prepare)(world *w, wshub_conn *c);
    void (*honest)(world *w, wshub_conn c); /* what the peer does in time */
    uint32_t ms;                            /* when it would be judged, from then */
} clock_case;
static void at_upgraded(world *w, wshub_conn *c) {
    *c = wshub_io_fake_connect(w->net, "/ws");
}
static void at_client(world *w, wshub_conn *c) {
    *c = world_client(w, "u", NULL);
}
static void at_half_head(world *w, wshub_conn *c) {
    *c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, *c, "GET /small HTTP/1.1\r\nHo", 23);
}
static void at_half_body(world *w, wshub_conn *c) {
    *c = wshub_io_fake_open(w->net);
    wshub_io_fake_input(w->net, *c,
                        "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab", 55);
}
static void at_half_message(world *w, wshub_conn *c) {
    at_client(w, c);
    wshub_io_fake_send(w->net, *c, 1, false, "{\"event\"", 8);
}
static void at_blocked(world *w, wshub_conn *c) {
    at_client(w, c);
    wshub_io_fake_window(w->net, *c, 0);
    {
        wshub_msg m = msg("m", "1");
        EXPECT_INT(wshub_all_send_here(w->hub, &m, NULL, 0), WSHUB_OK);
    }
    wshub_io_fake_run(w->net);
}
static void at_closing(world *w, wshub_conn *c) {
    char id[37];
    *c = world_client(w, "u", id);
    EXPECT_INT(wshub_client_close(w->hub, world_handle(w, id), 1000, wshub__str(NULL, 0)),
               WSHUB_OK);
    wshub_io_fake_run(w->net);
}
static void says_authenticate(world *w, wshub_conn c) {
    wshub_io_fake_text(w->net, c, "{\"event\":\"authenticate\"}");
}
static void says_heartbeat(world *w, wshub_conn c) {
    wshub_io_fake_text(w->net, c, "{\"event\":\"heartbeat\"}");
}
static void says_rest_of_head(world *w, wshub_conn c) {
    wshub_io_fake_input(w->net, c, "st: h\r\n\r\n", 9);
}
static void says_rest_of_body(world *w, wshub_conn c) {
    wshub_io_fake_input(w->net, c, "cd", 2);
}
static void says_rest_of_message(world *w, wshub_conn c) {
    wshub_io_fake_send(w->net, c, 0, true, ":\"m\"}", 5);
}
static void says_close(world *w, wshub_conn c) {
    wshub_io_fake_send_close(w->net, c, 1000, "");
}
static void reads(world *w, wshub_conn c) {
    wshub_io_fake_window(w->net, c, UINT64_MAX);
}
static const clock_case clocks[] = {
    {"authentication", at_upgraded, says_authenticate, 700},
    {"heartbeat", at_client, says_heartbeat, 1000},
    {"silence", at_client, says_pong, 800},
    {"a head", at_half_head, says_rest_of_head, 600},
    {"a body", at_half_body, says_rest_of_body, 500},
    {"a message", at_half_message, says_rest_of_message, 500},
    {"writing", at_blocked, reads, 400},
    {"the peer's Close", at_closing, says_close, 300},
};
static bool is_cut(world *w) { /* has any deadline cut anybody? */
    wshub_stats s = stats(w);
    return s.auth_timeouts + s.heartbeat_timeouts + s.idle_timeouts + s.write_timeouts +
               s.message_timeouts !=
           0;
}

/* One deadline, by turns met in time and missed, on time and behind a process that stood still. */
static void judged(const clock_case *k, bool honest, bool stalled, uint32_t stall_ms) {
    world w;
    wshub_conn c = {0};
    bool silence = k->prepare == at_client && k->honest == says_pong, open;
    int before = test_failures;
    uint64_t requests;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_request = serve_pages, .on_message = NULL,
                     .auth_timeout_ms = 700, .head_timeout_ms = 600, .heartbeat_interval_ms = 100,
                     .heartbeat_timeout_ms = k->honest == says_heartbeat ? 950 : WSHUB_OFF,
                     .idle_timeout_ms = silence ? 800 : WSHUB_OFF, .message_timeout_ms = 500,
                     .write_timeout_ms = 400, .close_timeout_ms = 300),
                FAKE(0));
    k->prepare(&w, &c);
    wshub_io_fake_advance(w.net, k->ms - 50);
    EXPECT(wshub_io_fake_is_open(w.net, c) && !is_cut(&w));
    requests = stats(&w).http_requests;
    if (stalled) wshub_io_fake_stall(w.net, true);
    if (honest) k->honest(&w, c); /* in time; behind a stall it lies unread */
    wshub_io_fake_advance(w.net, stall_ms);
    if (stalled) wshub_io_fake_stall(w.net, false);
    if (!stalled) wshub_io_fake_run(w.net);
    open = wshub_io_fake_is_open(w.net, c);
    if (k->prepare == at_closing) {
        EXPECT(!open || !honest); /* its end is what it was waited for */
        wshub_io_fake_advance(w.net, 400);
        EXPECT(wshub_io_fake_is_gone(w.net, c));
    } else if (honest) {
        EXPECT(open && !is_cut(&w));
        if (k->prepare == at_half_head || k->prepare == at_half_body)
            EXPECT_INT(stats(&w).http_requests, requests + 1);
    } else {
        wshub_io_fake_advance(w.net, 200); /* found at the latest one sweep behind */
        EXPECT(!wshub_io_fake_is_open(w.net, c) || is_cut(&w));
    }
    if (test_failures != before)
        (void)printf("  in: %s, %s, %s by %u\n", k->name, honest ? "met" : "missed",
                     stalled ? "stalled" : "on time", (unsigned)stall_ms);
    world_stop(&w);
}

TEST(peers_are_judged_by_what_has_been_heard_of_them) { /* LIVE-3 */
    size_t i;
    for (i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        judged(&clocks[i], true, false, 60);
        judged(&clocks[i], false, false, 60);
        judged(&clocks[i], true, true, 60);
        judged(&clocks[i], false, true, 60);
        judged(&clocks[i], true, true, 300000);
        judged(&clocks[i], false, true, 300000);
    }
}

/* LIVE-3: time is granted for every 4096 bytes of a message or body */
TEST(a_slow_sender_is_not_a_silent_one) {
    static char piece[5000];
    int ws, i;
    memset(piece, ' ', sizeof piece);
    for (ws = 0; ws < 2; ws++) {
        world w;
        wshub_conn c;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .on_request = serve_pages,
                         .message_timeout_ms = 1000),
                    FAKE(0));
        if (ws) {
            c = world_client(&w, "u", NULL);
            wshub_io_fake_send(w.net, c, 1, false, "{\"event\":\"m\"", 12);
        } else {
            c = wshub_io_fake_open(w.net);
            wshub_io_fake_input(
                w.net, c, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n", 56);
        }
        for (i = 0; i < 10; i++) {
            wshub_io_fake_advance(w.net, 990);
            EXPECT(wshub_io_fake_is_open(w.net, c));
            if (ws)
                wshub_io_fake_send(w.net, c, 0, false, piece, sizeof piece);
            else
                wshub_io_fake_input(w.net, c, piece, sizeof piece);
        }
        if (!ws) EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 200");
        for (i = 0; i < 20 && ws; i++) { /* crumbs are no progress */
            wshub_io_fake_advance(w.net, 100);
            wshub_io_fake_send(w.net, c, 0, false, " ", 1);
        }
        if (ws) EXPECT_INT(stats(&w).message_timeouts, 1);
        world_stop(&w);
    }
}

/* LIVE-3: while an inbound transformer is asked; it has its own clock (ENC-2) */
TEST(who_is_not_listened_to_is_not_silent) {
    world w;
    wshub_conn c;
    wshub_desc d = ends_desc();
    char id[37];
    d.heartbeat_timeout_ms = 500;
    d.transform_timeout_ms = 5000;
    world_start(&w, d, FAKE(0));
    c = world_client(&w, "u", id);
    EXPECT_INT(wshub_client_encrypt(w.hub, world_handle(&w, id)), WSHUB_OK);
    wshub_io_fake_text(w.net, c, "{\"event\":\"x\"}");
    says_heartbeat(&w, c);
    wshub_io_fake_advance(w.net, 4999);
    EXPECT(wshub_io_fake_is_open(w.net, c) && !is_cut(&w));
    EXPECT_INT(stats(&w).dropped_transform, 0);
    /* the application does not answer: that message is lost, the client is heard again */
    wshub_io_fake_advance(w.net, 1);
    EXPECT_INT(stats(&w).dropped_transform, 1);
    EXPECT_INT(stats(&w).held_bytes, 0);
    wshub_io_fake_advance(w.net, 400);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 400);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 1);
    world_stop(&w);
}

/* ENC-2, LIVE-3: a dialect may hand over an event while another message is on its way, which has its
 * whole time once its client is listened to again. */
TEST(a_message_begun_has_its_time_once_its_client_is_heard_again) { /* LIVE-3 */
    world w;
    wshub_conn c;
    wshub_event e;
    wshub_desc d = ends_desc();
    char id[37];
    d.heartbeat_timeout_ms = WSHUB_OFF;
    d.idle_timeout_ms = WSHUB_OFF;
    d.message_timeout_ms = 1000;
    d.transform_timeout_ms = 5000;
    world_start(&w, d, FAKE(0));
    c = world_client(&w, "u", id);
    EXPECT_INT(wshub_client_encrypt(w.hub, world_handle(&w, id)), WSHUB_OK);
    wshub_io_fake_send(w.net, c, 1, false, "{\"event\":\"m\"", 12);
    memset(&e, 0, sizeof e);
    e.event = wshub_str_z("x");
    EXPECT_INT(wshub_client_receive(w.hub, world_handle(&w, id), &e), WSHUB_OK);
    wshub_io_fake_advance(w.net, 4999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1); /* nobody has answered */
    EXPECT_INT(stats(&w).dropped_transform, 1);
    wshub_io_fake_advance(w.net, 999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).message_timeouts, 1);
    world_stop(&w);
}

/* CONN-3: an io may say so of a stream that has said nothing yet */
TEST(room_that_nobody_waited_for_changes_no_deadline) {
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_request = serve_pages, .head_timeout_ms = 500), FAKE(0));
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_advance(w.net, 400);
    wshub_conn_drained(w.hub, c);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 101);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

/* LIVE-3: told in one turn, in any order: what can go goes first */
TEST(a_deadline_of_writing_that_comes_with_the_room_finds_it) {
    world w;
    wshub_conn c;
    wshub_msg m = msg("m", "1");
    world_start(
        &w,
        DESC(.on_authenticate = accept_all, .write_timeout_ms = 400, .idle_timeout_ms = WSHUB_OFF),
        FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 390);
    wshub_io_fake_hold(w.net, true);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_conn_drained(w.hub, c); /* as loops do: reports first, then the turn */
    wshub_io_fake_advance(w.net, 20);
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).write_timeouts, 0);
    EXPECT_TEXT(&w, c, "{\"event\":\"m\",\"data\":1}");
    world_stop(&w);
}

/* LIVE-2, LIVE-3: a part of the message taken at any time counts as a sign of life then. */
TEST(progress_of_a_message_is_counted_alike_by_every_io) {
    int kind, at;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (at = 45; at <= 55; at += 5) {
            world w;
            wshub_conn c;
            wshub_msg m = large(100002);
            world_start(&w, DESC(.on_authenticate = accept_all, .no_pings = true), io_kind(kind));
            c = world_client(&w, "u", NULL);
            wshub_io_fake_window(w.net, c, 0);
            EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
            wshub_io_fake_run(w.net);
            wshub_io_fake_advance(w.net, 1000 * (uint64_t)at);
            wshub_io_fake_window(w.net, c, 1000);
            wshub_io_fake_advance(w.net, 20000);
            EXPECT(wshub_io_fake_is_open(w.net, c));
            EXPECT_INT(stats(&w).idle_timeouts, 0);
            world_stop(&w);
        }
    }
}

/* LIVE-3: of an answer, a part or the last of it. The next request comes in time behind that. */
TEST(progress_of_an_answer_is_counted_alike_by_every_io) {
    int kind, at, whole;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (at = 45; at <= 55; at += 5) {
            for (whole = 0; whole < 2; whole++) {
                world w;
                wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, false);
                says(&w, c, GET_PAGE);
                EXPECT_INT(pages_asked, 1);
                wshub_io_fake_advance(w.net, 1000 * (uint64_t)at);
                wshub_io_fake_window(w.net, c, whole ? UINT64_MAX : 1000);
                wshub_io_fake_advance(w.net, 20000);
                wshub_io_fake_window(w.net, c, UINT64_MAX);
                says(&w, c, GET_SMALL);
                EXPECT_INT(pages_asked, 2);
                EXPECT_INT(stats(&w).idle_timeouts, 0);
                world_stop(&w);
            }
        }
    }
}

/* LIVE-3: the body waits for our 100, which waits behind an answer that its peer takes, slowly. */
TEST(who_expects_a_100_may_wait_for_it_behind_an_answer) {
    static const uint64_t rates[] = {2500, 4000, 20000};
    int kind, r, s;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (r = 0; r < 3; r++) {
            world w;
            wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, false);
            bool asked = false;
            says(
                &w, c,
                GET_PAGE
                "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
            for (s = 0; s < 120 && !asked && wshub_io_fake_is_open(w.net, c); s++) {
                wshub_io_fake_advance(w.net, 1000);
                wshub_io_fake_window(w.net, c, rates[r]);
                asked = strstr(wshub_io_fake_output(w.net, c).ptr, "100 Continue") != NULL;
            }
            EXPECT(asked);
            if (asked) says(&w, c, "hello");
            EXPECT_INT(pages_asked, 2);
            world_stop(&w);
        }
    }
}

/* SEND-6, LIVE-3: not listening to who owes is our doing, but who takes nothing for ever is
 * found by the idle timeout. */
TEST(who_takes_nothing_is_found_without_a_write_timeout) {
    int kind, pages;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (pages = 1; pages <= 4; pages++) {
            world w;
            wshub_conn c = start_http(&w, DESC(.write_timeout_ms = WSHUB_OFF), kind, false);
            int i;
            page_bytes = sizeof page_body;
            for (i = 0; i < pages; i++) says(&w, c, GET_PAGE);
            wshub_io_fake_advance(w.net, 3600 * 1000);
            EXPECT_INT(stats(&w).conns, 0);
            world_stop(&w);
        }
    }
}

/* CONN-3: not from the opening, which may be long ago. */
TEST(the_clock_of_a_head_runs_from_its_first_byte) {
    int kind, wait;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (wait = 500; wait <= 4900; wait += 1100) {
            world w;
            wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, true);
            wshub_io_fake_advance(w.net, (uint64_t)wait);
            says(&w, c, "GET /small HTTP/1.1\r\n");
            wshub_io_fake_advance(w.net, 4900);
            says(&w, c, "Host: a\r\n\r\n");
            EXPECT_INT(pages_asked, 1);
            world_stop(&w);
        }
    }
}

/* CONN-3: an empty line before a request begins no head, however it is cut. */
TEST(an_empty_line_in_two_pieces_starts_no_clock) {
    int kind, wait, apart;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (wait = 1000; wait <= 41000; wait += 8000) {
            for (apart = 0; apart < 2; apart++) {
                world w;
                wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, true);
                says(&w, c, GET_SMALL);
                says(&w, c, apart ? "\r" : "\r\n");
                if (apart) says(&w, c, "\n");
                wshub_io_fake_advance(w.net, (uint64_t)wait);
                says(&w, c, GET_SMALL);
                EXPECT_INT(pages_asked, 2);
                world_stop(&w);
            }
        }
    }
}

/* CONN-3, SEND-6: nor where the request behind it is held back, since answers before it are
 * owed. */
TEST(an_empty_line_in_two_pieces_starts_no_clock_behind_owed_answers) {
    int kind, i, s;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (i = 0; i < 4; i++) {
            /* the request comes when the line has been looked at */
            bool apart = i & 1, later = i & 2;
            world w;
            wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, false);
            page_bytes = sizeof page_body;
            says(&w, c, GET_PAGE);
            wshub_io_fake_hold(w.net, true);
            says(&w, c, apart ? "\r" : "\r\n");
            if (apart) says(&w, c, "\n");
            if (!later) says(&w, c, GET_SMALL);
            wshub_io_fake_hold(w.net, false);
            for (s = 0; s < 28; s++) {
                if (later && s == 24) says(&w, c, GET_SMALL);
                wshub_io_fake_advance(w.net, 1000);
                wshub_io_fake_window(w.net, c, 20000);
            }
            EXPECT_INT(pages_asked, 2);
            EXPECT(wshub_io_fake_is_open(w.net, c));
            world_stop(&w);
        }
    }
}

TEST(after_a_stall_of_the_fake_input_comes_before_judgement) { /* LIVE-3, AUTH-1 */
    static const int stalls[] = {10, 999, 1000, 5000, 100000};
    int i, in_time;
    for (i = 0; i < 5; i++) {
        for (in_time = 0; in_time < 2; in_time++) {
            wshub_io_fake *f;
            wshub *hub;
            wshub_io_fake_frame m;
            wshub_conn c, late;
            EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
            EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(f),
                                                  .on_authenticate = accept_all,
                                                  .auth_timeout_ms = 1000},
                                    &hub),
                       WSHUB_OK);
            c = wshub_io_fake_connect(f, "/ws");
            wshub_io_fake_stall(f, true);
            wshub_io_fake_advance(f, 5);
            if (in_time) wshub_io_fake_text(f, c, "{\"event\":\"authenticate\"}");
            late = wshub_io_fake_open(f);
            wshub_io_fake_end(f, late);
            wshub_io_fake_advance(f, (uint64_t)stalls[i]);
            EXPECT(!wshub_io_fake_next(f, c, &m) && !wshub_io_fake_is_gone(f, late));
            wshub_io_fake_stall(f, false);
            EXPECT(wshub_io_fake_is_gone(f, late)); /* opened and closed, in this order */
            if (in_time)
                EXPECT(wshub_io_fake_next(f, c, &m) && m.opcode == 1 &&
                       memmem(m.payload.ptr, m.payload.len, "connected", 9));
            /* who said nothing is judged then, not later */
            else
                EXPECT_INT(wshub_io_fake_next(f, c, &m), stalls[i] + 5 >= 1000);
            wshub_destroy(hub);
            wshub_io_fake_destroy(f);
        }
    }
}
