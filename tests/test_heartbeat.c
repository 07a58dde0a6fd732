/* Heartbeats, Pings and idle timeouts: a silent peer is found, a live one is kept, and what
 * counts as a word of life (LIVE-1, LIVE-2, AUTH-1). */
#include "hubtest.h"
#include "pages.h"

TEST(a_silent_client_is_closed_by_the_sweep_behind_the_timeout) { /* LIVE-1 */
    world w;
    wshub_conn c;
    uint64_t t0;
    world_start(&w,
                DESC(.heartbeat_interval_ms = 1000, .heartbeat_timeout_ms = 2500,
                     .on_authenticate = accept_all),
                FAKE(0));
    t0 = wshub_io_fake_now(w.net);
    wshub_io_fake_advance(w.net, 300);
    c = world_client(&w, NULL, NULL);
    wshub_io_fake_send(w.net, c, 9, true, "x", 1); /* a ping is no activity (LIVE-2) */
    wshub_io_fake_advance(w.net, 2600);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, t0 + 3000 - wshub_io_fake_now(w.net));
    {
        wshub_io_fake_frame f;
        EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 10);
    }
    EXPECT_CLOSE(&w, c, 4002);
    world_stop(&w);
}

TEST(pings_keep_a_live_peer_and_silence_drops_a_dead_one) { /* LIVE-2 */
    world w;
    wshub_conn a, b, s;
    wshub_io_fake_frame f;
    int i;
    world_start(&w,
                DESC(.idle_timeout_ms = 1000, .heartbeat_timeout_ms = WSHUB_OFF,
                     .on_authenticate = accept_all),
                FAKE(0));
    a = world_client(&w, NULL, NULL);
    b = world_client(&w, NULL, NULL);
    s = wshub_io_fake_open(w.net);
    for (i = 0; i < 10; i++) {
        wshub_io_fake_advance(w.net, 500);
        EXPECT(wshub_io_fake_next(w.net, a, &f) && f.opcode == 9);
        wshub_io_fake_send(w.net, a, 10, true, "", 0);
        EXPECT(wshub_io_fake_is_open(w.net, a));
        EXPECT(wshub_io_fake_is_open(w.net, b) == (i == 0));
    }
    EXPECT(!wshub_io_fake_is_open(w.net, s)); /* an idle HTTP stream too */
    EXPECT_INT(stats(&w).idle_timeouts, 2);
    world_stop(&w);
}

/* LIMITS 2: a jump of over one interval counts as one */
TEST(jumps_of_the_clock_throw_nobody_out) {
    /* clang-format off */
    static const int64_t jumps[] = {
        3600000, -3600000, 4294967296, 2147483648, 4283280000, -1000, INT64_MAX / 2,
    };
    /* clang-format on */
    world w;
    wshub_conn c;
    size_t i;
    world_start(&w, DESC(.idle_timeout_ms = WSHUB_OFF, .on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, NULL, NULL);
    for (i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        wshub_io_fake_jump(w.net, (uint64_t)((int64_t)wshub_io_fake_now(w.net) + jumps[i]));
        wshub_io_fake_text(w.net, c, "{\"event\":\"heartbeat\"}");
        EXPECT(wshub_io_fake_is_open(w.net, c));
    }
    wshub_io_fake_advance(w.net, 121000);
    EXPECT_CLOSE(&w, c, 4002);
    world_stop(&w);
}

static wshub_err binary_fails(wshub *hub, wshub_client c, const uint8_t *bytes, size_t count,
                              void *user) {
    (void)hub;
    (void)c;
    (void)bytes;
    (void)user;
    return count == 1 ? WSHUB_ERR_APP : WSHUB_OK;
}

TEST(timeouts_that_are_off) { /* LIVE-1, LIVE-2 */
    world w;
    wshub_conn c;
    wshub_msg m = msg("e", "1");
    world_start(&w,
                DESC(.on_authenticate = accept_all, .on_binary = binary_fails,
                     .write_timeout_ms = WSHUB_OFF, .heartbeat_timeout_ms = WSHUB_OFF,
                     .no_pings = true, .idle_timeout_ms = 100000),
                FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_advance(w.net, 60000); /* half of the silence, and no Ping */
    wshub_io_fake_send(w.net, c, 2, true, "x", 1);
    wshub_io_fake_send(w.net, c, 2, true, "xy", 2);
    wshub_io_fake_send(w.net, c, 2, true, "", 0);
    EXPECT_INT(stats(&w).app_failures, 1);
    wshub_io_fake_advance(w.net, 99999);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_advance(w.net, 1);
    EXPECT(!wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).pings_sent, 0);
    EXPECT_INT(stats(&w).idle_timeouts, 1);
    world_stop(&w);
}

static void nothing_due(bool pings) {
    world w;
    wshub_conn c;
    wshub_msg m = msg("e", "1");
    world_start(&w,
                DESC(.on_authenticate = accept_all, .write_timeout_ms = 10000,
                     .heartbeat_timeout_ms = WSHUB_OFF, .idle_timeout_ms = 60000,
                     .no_pings = !pings),
                FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_advance(w.net, 30000); /* pinged */
    EXPECT_INT(stats(&w).pings_sent, pings);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_window(w.net, c, UINT64_MAX); /* the write's deadline is set and has gone again */
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 10000);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    EXPECT_INT(stats(&w).pings_sent, pings);
    world_stop(&w);
}

TEST(a_timer_that_finds_nothing_due) {
    nothing_due(true);
    nothing_due(false);
}

TEST(a_ping_that_is_due_while_blocked_leaves_when_it_drains) { /* LIVE-2 */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    wshub_msg m = msg("m", "1");
    bool pinged = false;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .idle_timeout_ms = 1000,
                     .write_timeout_ms = 60000, .heartbeat_timeout_ms = WSHUB_OFF),
                FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    wshub_io_fake_advance(w.net, 700); /* half of it is over */
    EXPECT_INT(stats(&w).pings_sent, 0);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_io_fake_run(w.net);
    while (wshub_io_fake_next(w.net, c, &f)) pinged = pinged || f.opcode == 9;
    EXPECT(pinged && stats(&w).pings_sent == 1);
    says_pong(&w, c);
    wshub_io_fake_advance(w.net, 400);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    world_stop(&w);
}

TEST(a_pong_is_a_heartbeat_if_so_set) { /* LIVE-2 */
    int by_pong, i;
    for (by_pong = 0; by_pong < 2; by_pong++) {
        world w;
        wshub_conn c;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .heartbeat_by_pong = by_pong,
                         .idle_timeout_ms = 1000, .heartbeat_interval_ms = 500,
                         .heartbeat_timeout_ms = 3000),
                    FAKE(0));
        c = world_client(&w, "u", NULL);
        for (i = 0; i < 100 && wshub_io_fake_is_open(w.net, c); i++) {
            wshub_io_fake_frame f;
            wshub_io_fake_advance(w.net, 100);
            while (wshub_io_fake_next(w.net, c, &f)) {
                if (f.opcode == 9) says_pong(&w, c);
            }
        }
        EXPECT_INT(stats(&w).heartbeat_timeouts, by_pong ? 0 : 1);
        world_stop(&w);
    }
}

static void asks_late(wshub *hub, wshub_ask ask, const wshub_auth *a, void *user) {
    (void)hub, (void)ask, (void)a, (void)user;
}

/* AUTH-1: the time for that is what it is, however slowly it reads */
TEST(what_is_taken_is_no_heartbeat_of_who_is_not_accepted) {
    world w;
    wshub_conn c;
    char data[3000];
    int i;
    wshub_client unaccepted;
    wshub_iter it = {0, 0};
    wshub_msg m;
    memset(data, '1', sizeof data - 1);
    data[sizeof data - 1] = 0;
    m = msg("m", data);
    world_start(
        &w, DESC(.on_authenticate = asks_late, .heartbeat_by_pong = true, .auth_timeout_ms = 1000),
        FAKE(0));
    c = wshub_io_fake_connect(w.net, "/ws");
    EXPECT(wshub_client_each(w.hub, &it, &unaccepted));
    wshub_io_fake_window(w.net, c, 0);
    EXPECT_INT(wshub_client_send(w.hub, unaccepted, &m), WSHUB_OK);
    for (i = 0; i < 15; i++) {
        wshub_io_fake_window(w.net, c, 100);
        wshub_io_fake_advance(w.net, 100);
    }
    EXPECT_INT(stats(&w).auth_timeouts, 1);
    world_stop(&w);
}

/* LIVE-1, LIVE-2: with pongs for heartbeats, before the idle timeout */
TEST(who_was_asked_and_is_silent_has_missed_its_heartbeat) {
    world w;
    wshub_conn c;
    world_start(&w,
                DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true,
                     .idle_timeout_ms = 10000, .heartbeat_interval_ms = 100,
                     .heartbeat_timeout_ms = 6000),
                FAKE(0));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_advance(w.net, 5900);
    EXPECT_INT(stats(&w).pings_sent, 1);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 0);
    wshub_io_fake_advance(w.net, 300);
    EXPECT_INT(stats(&w).heartbeat_timeouts, 1);
    EXPECT_INT(stats(&w).idle_timeouts, 0);
    EXPECT(!wshub_io_fake_is_open(w.net, c) || stats(&w).clients == 0);
    world_stop(&w);
}

/* AUTH-1, LIVE-2: before acceptance, and behind our Close */
TEST(a_pong_is_no_heartbeat_of_who_is_no_client) {
    int control;
    for (control = 9; control <= 10; control++) {
        world w;
        wshub_conn c;
        int i;
        char id[37];
        world_start(
            &w,
            DESC(.on_authenticate = asks_late, .heartbeat_by_pong = true, .auth_timeout_ms = 1000),
            FAKE(0));
        c = wshub_io_fake_connect(w.net, "/ws");
        for (i = 0; i < 15; i++) {
            wshub_io_fake_send(w.net, c, (uint8_t)control, true, "", 0);
            wshub_io_fake_advance(w.net, 100);
        }
        EXPECT_INT(stats(&w).auth_timeouts, 1); /* no pong puts that off */
        world_stop(&w);
        world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true), FAKE(0));
        c = world_client(&w, "u", id);
        EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, id), 4000, wshub_str_z("")),
                   WSHUB_OK);
        wshub_io_fake_run(w.net);
        wshub_io_fake_send(w.net, c, (uint8_t)control, true, "", 0);
        EXPECT_INT(stats(&w).pongs_received, control == 10 ? 1 : 0);
        EXPECT_CLOSE(&w, c, 4000);
        world_stop(&w);
    }
}

/* LIVE-2: its ping waits behind the message, so it cannot answer one; what it takes is as good. */
TEST(a_listener_that_takes_a_message_slowly_is_heard_by_what_it_takes) {
    static const int gaps[] = {1, 5, 20};
    int kind, g, s;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (g = 0; g < 3; g++) {
            world w;
            wshub_conn c;
            wshub_msg m = large(300002);
            world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true),
                        io_kind(kind));
            c = world_client(&w, "u", NULL);
            wshub_io_fake_window(w.net, c, 0);
            EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
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

/* LIVE-1, LIVE-3: no heartbeat fits into the middle of a message, which has a clock of its own
 * (CONN-3 has a head's). */
TEST(a_message_on_its_way_is_no_silence) {
    static const uint8_t head[14] = {0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0xFB, 0xD0, 0, 0, 0, 0};
    static const size_t steps[] = {500, 1000, 5000};
    static uint8_t body[130000];
    int kind, s;
    memset(body, 'x', sizeof body);
    for (kind = 0; kind < IO_KINDS; kind++) {
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
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (every = 5; every <= 25; every += 10) {
            world w;
            wshub_conn c;
            int s;
            world_start(&w, DESC(.on_authenticate = accept_all, .heartbeat_by_pong = true),
                        io_kind(kind));
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

/* LIVE-2, LIVE-3: who has not been asked, since we stood still when it was time, is asked
 * before it is judged. */
TEST(who_was_not_asked_is_not_judged_idle) {
    static const uint32_t idles[] = {10000, 60000};
    int kind, i, s, n;
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (i = 0; i < 2; i++) {
            for (s = 1; s <= 8; s++) { /* half the timeout to four of them */
                world w;
                wshub_conn c;
                world_start(&w, DESC(.on_authenticate = accept_all, .idle_timeout_ms = idles[i]),
                            io_kind(kind));
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
    for (kind = 0; kind < IO_KINDS; kind++) {
        for (stall = 10; stall <= 90; stall += 10) {
            world w;
            wshub_conn c;
            world_start(&w,
                        DESC(.on_authenticate = accept_all, .idle_timeout_ms = 60000,
                             .heartbeat_timeout_ms = 31000, .heartbeat_interval_ms = 60000,
                             .heartbeat_by_pong = true),
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
