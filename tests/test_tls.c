/* TLS in memory, by each library that is there: both ends over fakes, on which every allocation of
 * the layer fails, every send goes wrong in every way, and input is cut and ended everywhere. Built
 * with -DWITH_OPENSSL and -DWITH_MBEDTLS where these are; else it says that it is skipped. */
#define _GNU_SOURCE
#include "hubtest.h"
#if !defined(WITH_OPENSSL) && !defined(WITH_MBEDTLS)
TEST(two_ends_in_memory) {
    SKIP("neither OpenSSL nor mbedTLS is installed");
}
#else
#include "tls_pair.h"

/* Runs a test by each way. */
static tls_way way;
#define EACH_WAY(id, whole)                                                                        \
    static void each_##id(void);                                                                   \
    TEST_CASE(id, whole) {                                                                         \
        size_t i;                                                                                  \
        for (i = 0; tls_way_at(i, &way); i++) {                                                    \
            int before = test_failures;                                                            \
            each_##id();                                                                           \
            if (test_failures > before) (void)printf("  by %s\n", way.name);                       \
        }                                                                                          \
    }                                                                                              \
    static void each_##id(void)

static pair the_pair_of_ends;
static pair *fresh(const wshub_io_fake_desc *fake) {
    pair *p = &the_pair_of_ends;
    memset(p, 0, sizeof *p);
    EXPECT(pair_start(p, &way, fake));
    return p;
}
static void talk(pair *p, size_t want) {
    EXPECT(pair_dial(p, want));
    pair_finish(p);
    pair_went_well(p);
}

EACH_WAY(talk_in_memory, false) {
    pair *p = fresh(NULL);
    EXPECT(
        !p->server.io->hand_over); /* so wshub_conn_hand_over() refuses (tests/test_hand_over.c) */
    talk(p, 1);
    talk(p, 30000);
    p->server.pauses = p->client.pauses = true;
    talk(p, 150000); /* more than one report brings: the rest is kept */
    EXPECT_INT(p->server.tls->stats.handshakes, 3);
    pair_stop(p);
}

/* c1: behind more than a paused owner has been told of comes the end: it hears all of it first, then
 * the end, or, where there was no close_notify, that the stream is closed. */
EACH_WAY(what_waits_is_told_before_the_end, false) {
    int cut;
    for (cut = 0; cut < 2; cut++) {
        pair *p = fresh(NULL);
        p->server.pauses = true;
        p->server.echoes = false;
        p->client.first = 10;
        EXPECT(pair_dial(p, 150000));
        pair_pump(p);
        p->client.say_len = p->client.want;
        pair_say(&p->client);
        if (!cut) p->client.io->close(p->client.io->ctx, p->client.conn, true);
        while (pair_carry(&p->client, &p->server, &p->to_server, &p->carried[0])) {
        }
        if (cut) wshub_io_fake_half_close(p->server.net, p->server.conn);
        EXPECT(p->server.paused && p->server.got_len < p->client.want);
        EXPECT(!p->server.ended && !p->server.closed);
        pair_finish(p);
        pair_holds(p);
        EXPECT_INT(p->server.got_len, p->client.want);
        EXPECT_INT(p->server.ended, !cut);
        EXPECT_INT(p->server.tls->stats.truncated, cut);
        pair_stop(p);
    }
}

/* Whatever the pieces in which bytes come and go, the ends hear the same. */
EACH_WAY(pieces_of_any_size, false) {
    static const uint32_t sizes[] = {1, 2, 5, 6, 7, 600};
    wshub_io_fake_desc fake;
    size_t i;
    for (i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        pair *p;
        memset(&fake, 0, sizeof fake);
        fake.cut_bytes = fake.take_bytes = sizes[i / 2];
        fake.completion = i & 1;
        p = fresh(&fake);
        p->server.pauses = i & 2;
        talk(p, i / 2 > 4 ? 40000 : 500);
        pair_stop(p);
    }
}

/* One allocation after the other fails on one side; each time both ends come to an end, and the
 * next talk goes well. */
static long out_of_memory(bool client) {
    long at, failed = 0;
    for (at = 1; at < 10000; at++) {
        pair *p = &the_pair_of_ends;
        memset(p, 0, sizeof *p);
        (client ? &p->client : &p->server)->counted = true;
        p->server.pauses = p->client.pauses = true; /* so that bytes are kept */
        memset(&allocs, 0, sizeof allocs);
        allocs.fail_at = at;
        if (pair_start(p, &way, NULL)) {
            if (pair_dial(p, 150000)) pair_finish(p);
            pair_holds(p);
            failed += p->client.got_len != p->client.want;
            if (allocs.count < at) {
                pair_went_well(p);
                at = 10000;
            }
            allocs.fail_at = 0;
            talk(p, 20000);
            pair_stop(p);
        }
    }
    return failed;
}
EACH_WAY(every_allocation_of_a_server_fails, false) {
    EXPECT_OP(out_of_memory(false), >, 3);
}
EACH_WAY(every_allocation_of_a_client_fails, false) {
    EXPECT_OP(out_of_memory(true), >, 3);
}

/* The same of OpenSSL's own while it reads certificates and keys, some of them, as there are
 * thousands: an io that was made all the same has all that it was given, and talks go well. */
static void inner_out_of_memory(bool client, long step) {
    long at;
    for (at = 1; at < 100000; at += step) {
        pair *p = &the_pair_of_ends;
        memset(p, 0, sizeof *p);
        (client ? &p->client : &p->server)->counted = true;
        memset(&allocs, 0, sizeof allocs);
        memset(&inner, 0, sizeof inner);
        inner.on = true;
        inner.fail_at = at;
        if (pair_start(p, &way, NULL)) {
            if (pair_dial(p, 3000)) pair_finish(p);
            pair_holds(p);
            if (inner.count < at) at = 100000;
            talk(p, 3000);
            pair_stop(p);
        }
    }
    inner.on = false;
}
EACH_WAY(allocations_of_the_library_fail, false) {
    long step = getenv("WSHUB_FAULTS_ALL") ? 1 : 293;
    if (strcmp(way.name, "mbedTLS") == 0) return; /* it asks the C library itself */
    (void)fresh(NULL);                            /* what OpenSSL makes once, and never again */
    talk(&the_pair_of_ends, 10);
    pair_stop(&the_pair_of_ends);
    inner_out_of_memory(false, step);
    inner_out_of_memory(true, step);
}

/* Every send of one side's io below goes wrong in one way. Nobody notices where it only took less;
 * where the stream broke, both end. */
static void sends_go_wrong(bool client, wshub_io_fake_fault_kind how) {
    pair *p = fresh(NULL);
    const pair_end *e = client ? &p->client : &p->server;
    uint64_t nth = 0, before;
    p->trusting = true;
    do {
        before = wshub_io_fake_sends(e->net);
        wshub_io_fake_fault(e->net, ++nth, how);
        EXPECT(pair_dial(p, 20000));
        pair_finish(p);
        if (how == WSHUB_IO_FAKE_BREAKS)
            pair_holds(p);
        else
            pair_went_well(p);
    } while (wshub_io_fake_sends(e->net) - before >= nth);
    EXPECT_OP(nth, >, 4);
    pair_stop(p);
}
EACH_WAY(every_send_goes_wrong_in_every_way, false) {
    int how;
    for (how = 0; how < WSHUB_IO_FAKE_FAULTS; how++) {
        sends_go_wrong(false, (wshub_io_fake_fault_kind)how);
        sends_go_wrong(true, (wshub_io_fake_fault_kind)how);
    }
}

/* How far apart the places are that a test looks at, since each costs a handshake. All of them:
 * WSHUB_FAULTS_ALL=1 build/check/test_tls every_byte, a minute or two. */
static size_t stride(void) {
    if (getenv("WSHUB_FAULTS_ALL")) return 1;
    return strcmp(way.name, "mbedTLS") == 0 ? 197 : 61;
}

/* What the client asks the server to do within its records (RFC 8446 4.6.3). */
static void update_keys(pair *p) {
#ifdef WITH_OPENSSL
    wshub_io_tls__stream *s = wshub_io_tls__find(p->client.tls, p->client.conn);
    if (s && s->session && strcmp(way.name, "OpenSSL, TLS 1.3") == 0)
        EXPECT_INT(SSL_key_update(((wshub_io_openssl__session *)s->session)->ssl,
                                  SSL_KEY_UPDATE_REQUESTED),
                   1);
#else
    (void)p;
#endif
}
static void say_more(pair *p) {
    if (!p->client.opened || p->client.closed) return;
    update_keys(p);
    p->client.say_len = p->client.want;
    pair_say(&p->client);
}

/* Carries all, also what completes later. */
static void pump_on(pair *p) {
    int i;
    for (i = 0; i < 300; i++) {
        pair_pump(p);
        wshub_io_fake_run(p->client.net);
        wshub_io_fake_run(p->server.net);
    }
}
/* c2, c3: while what the server sends waits, the client asks for new keys and says more, three times.
 * Their answer leaves behind what waits, which is sent as it was made, and then all the rest. */
EACH_WAY(keys_change_while_a_send_waits, false) {
    static const wshub_io_fake_desc fakes[] = {{0}, {.completion = true, .take_bytes = 700}};
    size_t i, step;
    for (i = 0; i < 2; i++) {
        pair *p = fresh(&fakes[i]);
        const wshub_io_tls__stream *s;
        p->client.first = 10;
        EXPECT(pair_dial(p, 60000));
        pump_on(p);
        EXPECT_INT(p->client.got_len, 10);
        s = wshub_io_tls__find(p->server.tls, p->server.conn);
        wshub_io_fake_window(p->server.net, p->server.conn, 3); /* within a record's head */
        for (step = 1; step < 4; step++) {
            update_keys(p);
            p->client.say_len = step * 20000;
            pair_say(&p->client);
            pump_on(p);
            EXPECT_INT(p->server.got_len, step * 20000); /* it is heard meanwhile */
            EXPECT(s && wshub_io_tls__waits(s));
        }
        EXPECT_INT(p->client.got_len, 10);
        EXPECT_OP(p->server.said, <, p->server.say_len);
        wshub_io_fake_window(p->server.net, p->server.conn, UINT64_MAX);
        pump_on(p);
        pair_finish(p);
        pair_went_well(p);
        pair_stop(p);
    }
}

/* The bytes to one side come in two parts, at every place. */
static void cut_at_every_byte(bool to_server) {
    pair *p = fresh(NULL);
    size_t *limit = to_server ? &p->to_server : &p->to_client;
    size_t at, all = 1;
    p->trusting = true;
    p->client.first = 10; /* and ten behind new keys */
    for (at = 0; at <= all; at += stride()) {
        EXPECT(pair_dial(p, 20));
        *limit = at;
        pair_pump(p);
        say_more(p);
        pair_pump(p);
        *limit = SIZE_MAX;
        pair_pump(p);
        if (p->client.say_len == 10) say_more(p); /* it was not open before */
        pair_finish(p);
        pair_went_well(p);
        all = p->carried[!to_server];
    }
    pair_stop(p);
    EXPECT_OP(all, >, 100);
}
EACH_WAY(input_is_cut_at_every_byte, false) {
    cut_at_every_byte(true);
    cut_at_every_byte(false);
}

/* One side's connection ends, half or wholly, behind every byte: within the handshake that is a
 * failure, behind it a truncation, and an end only behind close_notify, which is the last. */
static void judge_cut(const pair *p, const pair_end *e, bool whole) {
    const wshub_io_tls_stats *before = &p->before[e->dials];
    wshub_io_tls_stats st;
    wshub_io_tls_stats_get(e->tls, &st);
    EXPECT_INT(e->ended, whole && !e->dials);
    EXPECT_INT(st.truncated - before->truncated, !whole && e->opened);
    EXPECT_INT(st.failed[WSHUB_TLS_FAIL_CUT] - before->failed[WSHUB_TLS_FAIL_CUT],
               !whole && !e->opened);
    if (whole) pair_went_well(p);
}
static void end_at_every_byte(bool of_client, bool half) {
    pair *p = fresh(NULL);
    const pair_end *e = of_client ? &p->server : &p->client;
    size_t *limit = of_client ? &p->to_server : &p->to_client;
    size_t at, all = 1;
    p->trusting = true;
    for (at = 0; at <= all; at += stride()) {
        EXPECT(pair_dial(p, 20));
        *limit = at;
        pair_pump(p);
        if (p->carried[!of_client] < at) { /* it has ended by itself */
            all = p->carried[!of_client];
        } else {
            all = at + stride();
            if (half)
                wshub_io_fake_half_close(e->net, e->conn);
            else
                wshub_io_fake_end(e->net, e->conn);
        }
        pair_finish(p);
        pair_holds(p);
        judge_cut(p, e, p->server.ended && p->client.got_len == 20);
    }
    pair_stop(p);
    EXPECT_OP(all, >, 100);
}
EACH_WAY(input_ends_at_every_byte, false) {
    end_at_every_byte(true, true);
    end_at_every_byte(true, false);
    end_at_every_byte(false, true);
    end_at_every_byte(false, false);
}

/* ---- TLS that begins on a stream that was dialled in the clear ---- */

static void late(bool on) {
    pair_late = on;
    pair_answer = "200";
}
EACH_WAY(tls_begins_behind_a_word_in_the_clear, false) {
    static const uint32_t sizes[] = {0, 1, 2, 5, 600};
    wshub_io_fake_desc fake;
    size_t i;
    late(true);
    for (i = 0; i < 4 * sizeof sizes / sizeof sizes[0]; i++) {
        pair *p;
        memset(&fake, 0, sizeof fake);
        fake.cut_bytes = fake.take_bytes = sizes[i / 4];
        fake.completion = i & 1;
        p = fresh(&fake);
        p->client.pauses = i & 2;
        talk(p, 500);
        talk(p, i / 4 ? 500 : 150000); /* again, by a ticket */
        EXPECT_INT(p->client.tls->stats.handshakes, 2);
        pair_stop(p);
    }
    late(false);
}
/* The handshake needs no leave of a paused owner, who is told of nothing but its end until it goes
 * on: what the server says, and how it ends, waits. */
EACH_WAY(a_pause_goes_on_behind_tls, false) {
    int rests, ends, turn;
    late(true);
    for (rests = 1; rests <= 3; rests++) {
        for (ends = 0; ends < 2; ends++) {
            pair *p = fresh(NULL);
            p->client.rests = rests;
            EXPECT(pair_dial(p, 500));
            for (turn = 0; turn < 50; turn++) {
                (void)pair_carry(&p->client, &p->server, &p->to_server, &p->carried[0]);
                (void)pair_carry(&p->server, &p->client, &p->to_client, &p->carried[1]);
            }
            EXPECT_INT(p->client.opened, 1);
            EXPECT_INT(p->client.got_len, rests < 3 ? 0 : 500);
            EXPECT_INT(p->client.paused, rests < 3);
            if (ends) wshub_io_fake_half_close(p->client.net, p->client.conn);
            pair_finish(p);
            pair_went_well(p);
            pair_stop(p);
        }
    }
    late(false);
}
/* TLS has been asked for while all but three bytes of the word in the clear are on their way yet. */
static pair *begins_behind_what_pends(void) {
    wshub_io_fake_desc fake;
    pair *p;
    memset(&fake, 0, sizeof fake);
    fake.completion = true;
    late(true);
    pair_answer = NULL;
    p = fresh(&fake);
    wshub_io_fake_hold(p->client.net, true);
    EXPECT(pair_dial(p, 500));
    wshub_io_fake_window(p->client.net, p->client.conn, 3);
    wshub_io_fake_hold(p->client.net, false);
    wshub_io_fake_input(p->client.net, p->client.conn, "200", 3);
    return p;
}
/* What was said in the clear leaves first, however long it pends. */
EACH_WAY(what_pends_in_the_clear_leaves_ahead_of_tls, false) {
    pair *p = begins_behind_what_pends();
    EXPECT(!p->client.clear);
    EXPECT_STR(wshub_io_fake_output(p->client.net, p->client.conn).ptr, "CON");
    wshub_io_fake_window(p->client.net, p->client.conn, UINT64_MAX);
    EXPECT(strncmp(wshub_io_fake_output(p->client.net, p->client.conn).ptr, "CONNECT\x16\x03", 9) ==
           0);
    wshub_io_fake_take(p->client.net, p->client.conn, 7);
    pair_finish(p);
    pair_went_well(p);
    pair_stop(p);
    late(false);
}
/* Nobody may speak before it is asked: what comes with the answer, or before all has left, is looked
 * at by TLS, and is not told to the owner. */
EACH_WAY(what_comes_with_the_answer_is_for_tls, false) {
    static const char *const answers[] = {"200HTTP/1.1 200 ok\r\n\r\n", "200\x15\x03\x03\x01",
                                          "200x"};
    wshub_io_fake_desc fake;
    size_t i, cut;
    for (i = 0; i < 3; i++) {
        for (cut = 0; cut < 6; cut++) {
            pair *p;
            memset(&fake, 0, sizeof fake);
            fake.cut_bytes = (uint32_t)cut;
            late(true);
            pair_answer = answers[i];
            p = fresh(&fake);
            EXPECT(pair_dial(p, 500));
            wshub_io_fake_half_close(p->client.net, p->client.conn);
            pair_finish(p);
            pair_holds(p);
            EXPECT_INT(p->client.opened, 0);
            EXPECT_INT(p->client.got_len, 0);
            EXPECT_HAS(p->client.error, "TLS with localhost: ");
            EXPECT_INT(p->client.tls->stats.handshakes, 0);
            late(true);
            talk(p, 500);
            pair_stop(p);
        }
    }
    late(false);
}
/* While the word in the clear pends, no more is kept than TLS could read at once. */
EACH_WAY(what_comes_too_early_is_not_kept_for_ever, false) {
    static uint8_t much[1000];
    pair *p = begins_behind_what_pends();
    size_t i;
    for (i = 0; i < 200 && !p->client.closed; i++)
        wshub_io_fake_input(p->client.net, p->client.conn, much, sizeof much);
    EXPECT_INT(p->client.closed, 1);
    EXPECT_OP(i, <, 70);
    pair_finish(p);
    pair_holds(p);
    pair_stop(p);
    late(false);
}
/* The clock of the handshake runs from there on. */
EACH_WAY(tls_that_does_not_begin_is_late, false) {
    pair *p;
    late(true);
    p = fresh(NULL);
    EXPECT(pair_dial(p, 500));
    wshub_io_fake_advance(p->client.net, 9999);
    EXPECT_INT(p->client.closed, 0);
    wshub_io_fake_advance(p->client.net, 1001);
    EXPECT_INT(p->client.closed, 1);
    EXPECT_INT(p->client.tls->stats.failed[WSHUB_TLS_FAIL_LATE], 1);
    pair_finish(p);
    pair_holds(p);
    pair_stop(p);
    late(false);
}
EACH_WAY(what_goes_wrong_behind_a_word_in_the_clear, false) {
    int how;
    late(true);
    EXPECT_OP(out_of_memory(true), >, 3);
    for (how = 0; how < WSHUB_IO_FAKE_FAULTS; how++)
        sends_go_wrong(true, (wshub_io_fake_fault_kind)how);
    cut_at_every_byte(true);
    cut_at_every_byte(false);
    end_at_every_byte(false, true);
    end_at_every_byte(false, false);
    late(false);
}
/* It is for streams that a guest has dialled: a server's in the clear stays so. */
EACH_WAY(who_came_in_stays_in_the_clear, false) {
    wshub_dial dial = {.server_name = "localhost"};
    wshub_about about;
    wshub_conn c;
    pair *p = fresh(NULL);
    memset(&about, 0, sizeof about);
    about.listener = wshub_str_z("clear");
    wshub_io_fake_set_about(p->server.net, &about);
    c = wshub_io_fake_open(p->server.net);
    EXPECT_INT(p->server.opened, 1);
    EXPECT_INT(p->server.io->secure(p->server.io->ctx, c, &dial, NULL, 0), WSHUB_ERR_STALE);
    wshub_io_fake_end(p->server.net, c);
    pair_stop(p);
}
#endif
