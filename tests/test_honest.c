/* Peers that do nothing wrong, in an odd order or slowly, or beside a process that is late, are not cut; and what the
 * application is told is told of the right one, in order (LIVE-2, LIVE-3, SEND-6, CONN-3, AUTH-5). Each over every kind
 * of io, and over timings. */
#include "hubtest.h"

enum { KINDS = 4 };
static wshub_io_fake_desc io_kind(int kind) {
    wshub_io_fake_desc fd;
    memset(&fd, 0, sizeof fd);
    fd.completion = kind == 1;
    fd.no_pause = kind == 2;
    fd.cut_bytes = kind == 3 ? 1 : 0;
    return fd;
}

static char page[300000];
static size_t page_bytes;
static int requests;
static bool on_request(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
    wshub_reply a;
    (void)user;
    requests++;
    memset(&a, 0, sizeof a);
    memset(page, 'p', sizeof page);
    a.status = 200;
    a.body = wshub__str(page, wshub_str_eq_z(h->path, "/page") ? page_bytes : 5);
    EXPECT_INT(wshub_http_reply(hub, r, &a), WSHUB_OK);
    return true;
}
#define PAGE "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
#define SMALL "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"
#define UPGRADE "GET /ws HTTP/1.1\r\nHost: fake\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static wshub_conn start_http(world *w, wshub_desc d, int kind, bool reads) {
    wshub_conn c;
    requests = 0;
    page_bytes = 200000;
    if (!d.on_request) d.on_request = on_request;
    world_start(w, d, io_kind(kind));
    c = wshub_io_fake_open(w->net);
    if (!reads) wshub_io_fake_window(w->net, c, 0);
    return c;
}
static void says(world *w, wshub_conn c, const char *text) {
    wshub_io_fake_input(w->net, c, text, strlen(text));
}
static void answer_pings(world *w, wshub_conn c) {
    wshub_io_fake_frame f;
    while (wshub_io_fake_next(w->net, c, &f)) {
        if (f.opcode == 9) wshub_io_fake_send(w->net, c, 10, true, "", 0);
    }
}
static wshub_msg large(size_t bytes) { /* an event whose data is a string of so many */
    static char data[300002];
    wshub_msg m = msg("large", "1");
    memset(data, 'x', sizeof data);
    data[0] = data[bytes - 1] = '"';
    m.data = wshub__str(data, bytes);
    return m;
}
static wshub_client the_client(world *w) {
    wshub_iter it = {0, 0};
    wshub_client c = {0};
    EXPECT(wshub_client_each(w->hub, &it, &c));
    return c;
}

/* ---- who reads slowly ---- */

/* LIVE-2: its ping waits behind the message, so it cannot answer one; what it takes is as good. */
TEST(a_listener_that_takes_a_message_slowly_is_heard_by_what_it_takes) {
    static const int gaps[] = {1, 5, 20};
    int kind, g, s;
    for (kind = 0; kind < KINDS; kind++) {
        for (g = 0; g < 3; g++) {
            world w;
            wshub_conn c;
            wshub_msg m = large(300002);
            world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true), io_kind(kind));
            c = world_client(&w, "u", NULL);
            wshub_io_fake_window(w.net, c, 0);
            EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
            wshub_io_fake_run(w.net);
            for (s = 0; s < 280; s += gaps[g]) {
                wshub_io_fake_advance(w.net, 1000 * (uint64_t)gaps[g]);
                wshub_io_fake_window(w.net, c, 1000 * (uint64_t)gaps[g]);
            }
            EXPECT(wshub_io_fake_is_open(w.net, c));
            EXPECT_INT(stats(&w).heartbeat_timeouts, 0);
            world_stop(&w);
        }
    }
}

/* LIVE-2, LIVE-3: a part of the message taken at any time counts as a sign of life then. */
TEST(progress_of_a_message_is_counted_alike_by_every_io) {
    int kind, at;
    for (kind = 0; kind < KINDS; kind++) {
        for (at = 45; at <= 55; at += 5) {
            world w;
            wshub_conn c;
            wshub_msg m = large(100002);
            world_start(&w, DESC(.on_authenticate = accept_all, .no_pings = true), io_kind(kind));
            c = world_client(&w, "u", NULL);
            wshub_io_fake_window(w.net, c, 0);
            EXPECT_INT(wshub_all_send(w.hub, &m, NULL, 0), WSHUB_OK);
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
    for (kind = 0; kind < KINDS; kind++) {
        for (at = 45; at <= 55; at += 5) {
            for (whole = 0; whole < 2; whole++) {
                world w;
                wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, false);
                says(&w, c, PAGE);
                EXPECT_INT(requests, 1);
                wshub_io_fake_advance(w.net, 1000 * (uint64_t)at);
                wshub_io_fake_window(w.net, c, whole ? UINT64_MAX : 1000);
                wshub_io_fake_advance(w.net, 20000);
                wshub_io_fake_window(w.net, c, UINT64_MAX);
                says(&w, c, SMALL);
                EXPECT_INT(requests, 2);
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
    for (kind = 0; kind < KINDS; kind++) {
        for (r = 0; r < 3; r++) {
            world w;
            wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, false);
            bool asked = false;
            says(&w, c, PAGE "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
            for (s = 0; s < 120 && !asked && wshub_io_fake_is_open(w.net, c); s++) {
                wshub_io_fake_advance(w.net, 1000);
                wshub_io_fake_window(w.net, c, rates[r]);
                asked = strstr(wshub_io_fake_output(w.net, c).ptr, "100 Continue") != NULL;
            }
            EXPECT(asked);
            if (asked) says(&w, c, "hello");
            EXPECT_INT(requests, 2);
            world_stop(&w);
        }
    }
}

/* SEND-6, LIVE-3: not listening to who owes is our doing, but who takes nothing for ever is found by the idle timeout. */
TEST(who_takes_nothing_is_found_without_a_write_timeout) {
    int kind, pages;
    for (kind = 0; kind < KINDS; kind++) {
        for (pages = 1; pages <= 4; pages++) {
            world w;
            wshub_conn c = start_http(&w, DESC(.write_timeout_ms = WSHUB_OFF), kind, false);
            int i;
            page_bytes = sizeof page;
            for (i = 0; i < pages; i++) says(&w, c, PAGE);
            wshub_io_fake_advance(w.net, 3600 * 1000);
            EXPECT_INT(stats(&w).conns, 0);
            world_stop(&w);
        }
    }
}

/* ---- who speaks slowly, or oddly ---- */

/* LIVE-1, LIVE-3: no heartbeat fits into the middle of a message, which has a clock of its own (CONN-3 has a head's). */
TEST(a_message_on_its_way_is_no_silence) {
    static const uint8_t head[14] = {0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0xFB, 0xD0, 0, 0, 0, 0};
    static const size_t steps[] = {500, 1000, 5000};
    static uint8_t body[130000];
    int kind, s;
    memset(body, 'x', sizeof body);
    for (kind = 0; kind < KINDS; kind++) {
        for (s = 0; s < 3; s++) {
            world w;
            wshub_conn c;
            size_t at;
            world_start(&w, DESC(.on_authenticate = accept_all), io_kind(kind));
            if (kind == 3) wshub_io_fake_set_cut(w.net, 100, 0);
            c = world_client(&w, "u", NULL);
            wshub_io_fake_input(w.net, c, head, sizeof head);
            for (at = 0; at < sizeof body; at += steps[s]) {
                wshub_io_fake_advance(w.net, steps[s]); /* 1,000 bytes a second */
                wshub_io_fake_input(w.net, c, body + at, steps[s]);
            }
            EXPECT_INT(stats(&w).heartbeat_timeouts, 0);
            EXPECT_INT(stats(&w).message_timeouts, 0);
            EXPECT_INT(stats(&w).messages_in, 2);
            world_stop(&w);
        }
    }
}

/* LIVE-2: it is never pinged, since it is never silent, and so it has no pong to send. */
TEST(a_listener_that_pings_by_itself_is_heard) {
    int kind, every;
    for (kind = 0; kind < KINDS; kind++) {
        for (every = 5; every <= 25; every += 10) {
            world w;
            wshub_conn c;
            int s;
            world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true), io_kind(kind));
            c = world_client(&w, "u", NULL);
            for (s = 0; s < 400; s += every) {
                wshub_io_fake_advance(w.net, 1000 * (uint64_t)every);
                wshub_io_fake_send(w.net, c, 9, true, "x", 1);
                answer_pings(&w, c);
            }
            EXPECT_INT(stats(&w).heartbeat_timeouts, 0);
            world_stop(&w);
        }
    }
}

/* CONN-3: not from the opening, which may be long ago. */
TEST(the_clock_of_a_head_runs_from_its_first_byte) {
    int kind, wait;
    for (kind = 0; kind < KINDS; kind++) {
        for (wait = 500; wait <= 4900; wait += 1100) {
            world w;
            wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, true);
            wshub_io_fake_advance(w.net, (uint64_t)wait);
            says(&w, c, "GET /small HTTP/1.1\r\n");
            wshub_io_fake_advance(w.net, 4900);
            says(&w, c, "Host: a\r\n\r\n");
            EXPECT_INT(requests, 1);
            world_stop(&w);
        }
    }
}

/* CONN-3: an empty line before a request begins no head, however it is cut. */
TEST(an_empty_line_in_two_pieces_starts_no_clock) {
    int kind, wait, apart;
    for (kind = 0; kind < KINDS; kind++) {
        for (wait = 1000; wait <= 41000; wait += 8000) {
            for (apart = 0; apart < 2; apart++) {
                world w;
                wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, true);
                says(&w, c, SMALL);
                says(&w, c, apart ? "\r" : "\r\n");
                if (apart) says(&w, c, "\n");
                wshub_io_fake_advance(w.net, (uint64_t)wait);
                says(&w, c, SMALL);
                EXPECT_INT(requests, 2);
                world_stop(&w);
            }
        }
    }
}

/* CONN-3, SEND-6: nor where the request behind it is held back, since answers before it are owed. */
TEST(an_empty_line_in_two_pieces_starts_no_clock_behind_owed_answers) {
    int kind, i, s;
    for (kind = 0; kind < KINDS; kind++) {
        for (i = 0; i < 4; i++) {
            bool apart = i & 1, later = i & 2; /* the request comes when the line has been looked at */
            world w;
            wshub_conn c = start_http(&w, DESC(.on_authenticate = accept_all), kind, false);
            page_bytes = sizeof page;
            says(&w, c, PAGE);
            wshub_io_fake_hold(w.net, true);
            says(&w, c, apart ? "\r" : "\r\n");
            if (apart) says(&w, c, "\n");
            if (!later) says(&w, c, SMALL);
            wshub_io_fake_hold(w.net, false);
            for (s = 0; s < 28; s++) {
                if (later && s == 24) says(&w, c, SMALL);
                wshub_io_fake_advance(w.net, 1000);
                wshub_io_fake_window(w.net, c, 20000);
            }
            EXPECT_INT(requests, 2);
            EXPECT(wshub_io_fake_is_open(w.net, c));
            world_stop(&w);
        }
    }
}

/* ---- beside a process that is late ---- */

/* LIVE-2, LIVE-3: who has not been asked, since we stood still when it was time, is asked before it is judged. */
TEST(who_was_not_asked_is_not_judged_idle) {
    static const uint32_t idles[] = {10000, 60000};
    int kind, i, s, n;
    for (kind = 0; kind < KINDS; kind++) {
        for (i = 0; i < 2; i++) {
            for (s = 1; s <= 8; s++) { /* half the timeout to four of them */
                world w;
                wshub_conn c;
                world_start(&w, DESC(.on_authenticate = accept_all, .idle_timeout_ms = idles[i]), io_kind(kind));
                c = world_client(&w, "u", NULL);
                wshub_io_fake_advance(w.net, 1000);
                wshub_io_fake_stall(w.net, true);
                wshub_io_fake_advance(w.net, idles[i] / 2 * (uint64_t)s);
                wshub_io_fake_stall(w.net, false);
                for (n = 0; n < 30; n++) {
                    answer_pings(&w, c);
                    wshub_io_fake_advance(w.net, 100);
                }
                EXPECT_INT(stats(&w).idle_timeouts, 0);
                world_stop(&w);
            }
        }
    }
}

/* LIVE-2, LIVE-3: the same of a pong that is to count as a heartbeat. */
TEST(who_was_not_asked_has_missed_no_heartbeat) {
    int kind, stall, n;
    for (kind = 0; kind < KINDS; kind++) {
        for (stall = 10; stall <= 90; stall += 10) {
            world w;
            wshub_conn c;
            world_start(&w,
                        DESC(.on_authenticate = accept_all, .idle_timeout_ms = 60000, .heartbeat_timeout_ms = 31000,
                             .heartbeat_interval_ms = 60000, .heartbeat_by_pong = true),
                        io_kind(kind));
            c = world_client(&w, "u", NULL);
            for (n = 0; n < 240; n++) {
                answer_pings(&w, c);
                wshub_io_fake_advance(w.net, 500);
            }
            answer_pings(&w, c);
            wshub_io_fake_stall(w.net, true);
            wshub_io_fake_advance(w.net, 1000 * (uint64_t)stall);
            wshub_io_fake_stall(w.net, false);
            for (n = 0; n < 120; n++) {
                answer_pings(&w, c);
                wshub_io_fake_advance(w.net, 500);
            }
            EXPECT_INT(stats(&w).heartbeat_timeouts, 0);
            EXPECT_INT(stats(&w).idle_timeouts, 0);
            world_stop(&w);
        }
    }
}

static int fired, behind;
static void fire(wshub *hub, void *arg) {
    (void)hub;
    ++*(int *)arg;
}
/* LIVE-3: the numbers by which a turn tells its own timers from older ones come round; a timer that has waited for as
 * many others as there are numbers runs all the same, holds up none, and wants no turn after turn. */
TEST(a_timer_runs_however_many_have_run_meanwhile) {
    static const uint32_t meanwhile[] = {0, 1000, 0x7FFFFFFFu, 0x80000000u, 0x80000001u, 0xC0000000u, 0xFFFFFFF0u, 0xFFFFFFFFu};
    int kind, i, n, at_once;
    for (kind = 0; kind < KINDS; kind++) {
        for (i = 0; i < 8; i++) {
            world w;
            fired = behind = at_once = 0;
            world_start(&w, DESC(.on_authenticate = accept_all), io_kind(kind));
            EXPECT_INT(wshub_timer_start(w.hub, 3600000, fire, &fired, NULL), WSHUB_OK);
            w.hub->timer_heap.orders += meanwhile[i]; /* as if so many had been started and had run */
            wshub_io_fake_advance(w.net, 3600001);
            EXPECT_INT(wshub_timer_start(w.hub, 10, fire, &behind, NULL), WSHUB_OK);
            wshub_io_fake_advance(w.net, 5000);
            for (n = 0; n < 10; n++) at_once += wshub_settle(w.hub) <= wshub_io_fake_now(w.net);
            EXPECT_INT(fired, 1);
            EXPECT_INT(behind, 1);
            EXPECT_INT(at_once, 0);
            world_stop(&w);
        }
    }
}

/* ---- what is told ---- */

typedef enum reply { ACCEPTS, REJECTS, FAILS, CLOSES, LATER, REPLIES } reply;
static reply answer;
static int shakes;
static void on_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)user;
    shakes++;
    switch (answer) {
    case ACCEPTS: EXPECT_INT(wshub_handshake_accept(hub, ask, wshub__str("k", 1), wshub__str(NULL, 0)), WSHUB_OK); break;
    case REJECTS: EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_OK); break;
    case FAILS: EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_OK); break;
    case CLOSES: EXPECT_INT(wshub_client_close(hub, h->client, 4000, wshub__str("", 0)), WSHUB_OK); break;
    case LATER: break;
    case REPLIES: break;
    }
    EXPECT(wshub_str_eq_z(h->user_id, "somebody"));
    EXPECT(wshub_str_eq_z(h->data, "{\"user\":\"somebody\"}"));
    EXPECT_INT(h->id.len, 36);
}
static void pass_on(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e, void *user) {
    (void)c;
    (void)e;
    (void)user;
    (void)wshub_transform_accept(hub, ask, NULL);
}
/* AUTH-5: what on_handshake is given lives until it returns, whatever is answered in it. */
TEST(what_a_handshake_is_given_outlives_the_answer) {
    int kind, i;
    for (kind = 0; kind < KINDS; kind++) {
        for (i = 0; i < REPLIES; i++) {
            world w;
            answer = (reply)i;
            shakes = 0;
            world_start(&w,
                        DESC(.on_authenticate = accept_all, .on_handshake = on_handshake, .require_encryption = true,
                             .on_transform_out = pass_on),
                        io_kind(kind));
            (void)world_client(&w, "somebody", NULL);
            EXPECT_INT(shakes, 1);
            world_stop(&w);
        }
    }
}

static int told_level, told_twice;
static void on_pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t n, void *user) {
    (void)hub;
    (void)c;
    (void)n;
    (void)user;
    if (what == WSHUB_PRESSURE_DROPPED) return;
    if (told_level == (what == WSHUB_PRESSURE_ON)) told_twice++;
    told_level = what == WSHUB_PRESSURE_ON;
}
/* SEND-6: whatever a turn brings, on and off are told in turns and end with what is. */
TEST(what_is_told_of_pressure_ends_with_what_is) {
    static const size_t sizes[] = {60, 502, 3002};
    uint32_t seed, dice;
    int n, i;
    for (seed = 1; seed <= 200; seed++) {
        world w;
        wshub_conn c;
        wshub_client client;
        told_level = told_twice = 0;
        dice = seed * 2654435761u;
        world_start(&w, DESC(.on_authenticate = accept_all, .on_pressure = on_pressure, .backpressure_bytes_max = 1000),
                    io_kind((int)(seed % KINDS)));
        c = world_client(&w, "u", NULL);
        client = the_client(&w);
        for (n = 0; n < 20; n++) {
            wshub_io_fake_hold(w.net, true);
            for (i = 0; i < 4; i++) {
                dice = dice * 1664525u + 1013904223u;
                switch (dice >> 24 & 3) {
                case 0:
                case 1: {
                    wshub_msg m = large(sizes[(dice >> 20 & 15) % 3]);
                    (void)wshub_client_send(w.hub, client, &m); /* or it is dropped */
                    break;
                }
                case 2:
                    wshub_io_fake_window(w.net, c, (dice >> 20 & 15) < 8 ? stats(&w).queued_bytes + (dice >> 20 & 7) /* all, and a little */
                                                                         : dice >> 12 & 1023);
                    if (seed % KINDS != 1) wshub_conn_drained(w.hub, c); /* it may be said within a turn, or in vain */
                    break;
                default: wshub_io_fake_send(w.net, c, 9, true, "hello", 5);
                }
            }
            wshub_io_fake_hold(w.net, false);
            wshub_io_fake_run(w.net);
            EXPECT_INT(told_level, wshub_client_is_pressured(w.hub, client));
            EXPECT_INT(told_twice, 0);
            if (told_twice) break;
        }
        world_stop(&w);
    }
}

/* SEND-6: a WebSocket that inherits the answers its stream still owes has begun full. */
TEST(pressure_that_is_over_had_begun) {
    int kind;
    for (kind = 0; kind < KINDS; kind++) {
        world w;
        wshub_conn c = start_http(&w, DESC(.on_pressure = on_pressure), kind, false);
        told_level = told_twice = 0;
        says(&w, c, PAGE);
        says(&w, c, UPGRADE);
        EXPECT_INT(stats(&w).clients, 1);
        EXPECT_INT(told_level, 1);
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        EXPECT_INT(told_level, 0);
        EXPECT_INT(told_twice, 0);
        world_stop(&w);
    }
}

/* ---- told of the right one ---- */

static wshub_conn first, second;
static uint64_t the_first;
static int of_others, leaves_at, told;
static void on_pressure_leave(wshub *hub, wshub_client c, wshub_pressure what, size_t n, void *user) {
    char text[] = UPGRADE;
    (void)what;
    (void)n;
    (void)user;
    if (c.id != the_first) of_others++;
    if (++told != leaves_at) return;
    wshub_conn_closed(hub, first);
    wshub_conn_opened(hub, second);
    wshub_conn_received(hub, second, (uint8_t *)text, sizeof text - 1);
}
/* SEND-6: a callback ends the client it is told of, and another takes the place: that one owes nothing. */
TEST(pressure_is_told_of_who_owes_and_not_of_who_has_its_place) {
    for (leaves_at = 1; leaves_at <= 2; leaves_at++) {
        world w;
        wshub_client c;
        wshub_msg m = large(100);
        int i;
        world_start(&w, DESC(.on_pressure = on_pressure_leave, .backpressure_bytes_max = 100), FAKE(0));
        first = wshub_io_fake_connect(w.net, "/ws");
        second.id = first.id + (UINT64_C(9) << 40);
        c = the_client(&w);
        the_first = c.id;
        of_others = told = 0;
        wshub_io_fake_window(w.net, first, 0);
        for (i = 0; i < 3; i++) (void)wshub_client_send(w.hub, c, &m);
        wshub_io_fake_run(w.net);
        EXPECT_INT(told, leaves_at);
        EXPECT_INT(of_others, 0);
        wshub_conn_closed(w.hub, second);
        world_stop(&w);
    }
}

static wshub_request inner;
static int inner_requests;
static bool on_request_leave(wshub *hub, wshub_request r, const wshub_http *h, void *user) {
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
/* CONN-3: a request is declined in whose callback its stream ends and another asks in its place: the 404 is not for that. */
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
