/* An open WebSocket of backends/wshub_ext_client.h, in memory: frames both ways, ends, clocks, limits,
 * what waits, and what callbacks may do. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "client_site.h"

static site s;

/* What a server may not send, byte for byte, and what it is told (RFC 6455 5, 7.4, 8.1). */
static const struct {
    const char *hex, *told;
} bad[] = {
    {"8182aabbccdd", "ended protocol 1002\n"},         /* masked */
    {"c100", "ended protocol 1002\n"},                 /* RSV1 */
    {"a100", "ended protocol 1002\n"},                 /* RSV2 */
    {"9100", "ended protocol 1002\n"},                 /* RSV3 */
    {"8300", "ended protocol 1002\n"},                 /* a reserved kind */
    {"8b00", "ended protocol 1002\n"},                 /* of control frames too */
    {"0900", "ended protocol 1002\n"},                 /* a ping in pieces */
    {"897e0080", "ended protocol 1002\n"},             /* a long one */
    {"8000", "ended protocol 1002\n"},                 /* a continuation of nothing */
    {"010161810162", "ended protocol 1002\n"},         /* one message inside another */
    {"817e007d", "ended protocol 1002\n"},             /* 125 in two bytes more */
    {"827f000000000000ffff", "ended protocol 1002\n"}, /* 65535 in eight */
    {"827f8000000000000000", "ended protocol 1002\n"}, /* 2^63 */
    {"880103", "ended protocol 1002\n"},               /* half a code */
    {"880203e7", "ended protocol 1002\n"},             /* 999 */
    {"88020000", "ended protocol 1002\n"},             /* 0 */
    {"880203ed", "ended protocol 1002\n"},             /* 1005 */
    {"880203ee", "ended protocol 1002\n"},             /* 1006 */
    {"880203f7", "ended protocol 1002\n"},             /* 1015 */
    {"88020bb7", "ended protocol 1002\n"},             /* 2999 */
    {"88021388", "ended protocol 1002\n"},             /* 5000 */
    {"880303e8ff", "ended protocol 1007\n"},           /* a reason that is not UTF-8 */
    {"8101ff", "ended protocol 1007\n"},               /* text that is not */
    {"8102c080", "ended protocol 1007\n"},             /* overlong */
    {"0101c3800141", "ended protocol 1007\n"},         /* in pieces */
    {"827e03e9", "ended protocol 1009\n"},             /* 1001 bytes, refused at the head */
    {"827f0000000040000000", "ended protocol 1009\n"}, /* a gigabyte */
};
static size_t unhex(const char *hex, uint8_t *out) {
    size_t n = 0;
    unsigned byte;
    for (; *hex; hex += 2) {
        EXPECT(sscanf(hex, "%2x", &byte) == 1);
        out[n++] = (uint8_t)byte;
    }
    return n;
}
static void play_bad(size_t i, uint32_t cut) {
    wshub_ws_desc d;
    wshub_conn c;
    wshub_io_fake_frame f;
    uint8_t bytes[64];
    size_t n = unhex(bad[i].hex, bytes);
    memset(&d, 0, sizeof d);
    d.message_bytes_max = 1000;
    (void)site_connect(&s, &d, &c);
    wshub_io_fake_set_cut(s.fake, cut, 0);
    wshub_io_fake_input(s.fake, c, bytes, n);
    wshub_io_fake_input(s.fake, c, "\x81\x01x", 3); /* nothing more is read */
    wshub_io_fake_set_cut(s.fake, 0, 0);
    EXPECT(site_next(&s, c, &f) && f.opcode == 8 && f.code == atoi(bad[i].told + 15));
    if (strcmp(s.told, bad[i].told) != 0) printf("  %s\n", bad[i].hex);
    EXPECT_STR(site_told(&s), bad[i].told);
    wshub_io_fake_forget(s.fake, c);
}
TEST(a_frame_that_breaks_a_rule_ends_it) {
    size_t i;
    EXPECT(site_start(&s, false, NULL));
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        play_bad(i, 0);
        play_bad(i, 1);
    }
    site_stop(&s);
}

TEST(a_server_that_does_not_end_after_our_close_is_cut_off) {
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.close_timeout_ms = 500;
    ws = site_connect(&s, &d, &c);
    wshub_io_fake_silent(s.fake, c, true);
    site_frame(&s, c, 0xF1, "", 0);
    EXPECT_INT(wshub_ws_state_of(s.pool, ws), WSHUB_WS_CLOSING);
    wshub_io_fake_advance(s.fake, 499);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended protocol 1002\n");
    site_stop(&s);
}

/* d4: everything that comes, cut at each place, is the same. */
TEST(messages_are_the_same_however_they_are_cut) {
    static const char in[] =
        "\x81\x02hi\x01\x03"
        "abc\x89\x01p\x00\x00\x80\x02"
        "de\x82\x00\x81\x7E\x00\x82"
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678901234567890123456789012345678901234567890123456789\x8a\x00"
        "\x88\x05\x03\xE9"
        "bye";
    size_t len = sizeof in - 1, i;
    wshub_io_fake_frame f;
    wshub_conn c;
    EXPECT(site_start(&s, false, NULL));
    for (i = 0; i <= len; i++) {
        (void)site_connect(&s, NULL, &c);
        if (i) {
            wshub_io_fake_input(s.fake, c, in, i);
            wshub_io_fake_input(s.fake, c, in + i, len - i);
        } else {
            wshub_io_fake_set_cut(s.fake, 1, 0);
            wshub_io_fake_input(s.fake, c, in, len);
            wshub_io_fake_set_cut(s.fake, 0, 0);
        }
        EXPECT(site_next(&s, c, &f) && f.opcode == 10 && wshub_str_eq_z(f.payload, "p"));
        EXPECT(site_next(&s, c, &f) && f.opcode == 8 && f.code == 1001 && !f.reason.len);
        EXPECT(strstr(s.told, "text hi\ntext abcde\nbytes 0\ntext 0123456") == s.told);
        wshub_io_fake_half_close(s.fake, c);
        EXPECT(strstr(site_told(&s), "\nended close 1001 bye\n") != NULL);
        EXPECT(wshub_io_fake_is_gone(s.fake, c));
        wshub_io_fake_forget(s.fake, c);
    }
    site_stop(&s);
}

TEST(what_is_sent_is_masked_afresh_each_time) {
    wshub_conn c;
    wshub_ws ws;
    wshub_io_fake_frame f;
    wshub_str out;
    char masks[3][4];
    int i;
    static char big[70000];
    EXPECT(site_start(&s, false, NULL));
    ws = site_connect(&s, NULL, &c);
    for (i = 0; i < 3; i++) {
        EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "same", 4), WSHUB_OK);
        wshub_io_fake_run(s.fake);
        out = wshub_io_fake_output(s.fake, c);
        EXPECT(out.len == 10 && (uint8_t)out.ptr[0] == 0x81 && (uint8_t)out.ptr[1] == 0x84);
        memcpy(masks[i], out.ptr + 2, 4);
        EXPECT(i == 0 || memcmp(masks[i], masks[i - 1], 4) != 0);
        EXPECT(site_next(&s, c, &f) && wshub_str_eq_z(f.payload, "same"));
    }
    memset(big, 7, sizeof big);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_BINARY, big, sizeof big), WSHUB_OK);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "\xFF", 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ws_send(s.pool, ws, (wshub_ws_kind)8, "", 0), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ws_ping(s.pool, ws, big, 126), WSHUB_ERR_PARAM);
    wshub_io_fake_run(s.fake);
    EXPECT(site_next(&s, c, &f) && f.opcode == 2 && f.payload.len == sizeof big &&
           f.payload.ptr[69999] == 7);
    wshub_io_fake_set_random(s.fake, true);
    for (i = 0; i < 100; i++) (void)wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "", 0);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "", 0), WSHUB_ERR_RANDOM);
    site_stop(&s);
}

TEST(pings_of_ours_are_answered_and_no_others_are_told) {
    wshub_conn c;
    wshub_ws ws;
    wshub_io_fake_frame f;
    EXPECT(site_start(&s, false, NULL));
    ws = site_connect(&s, NULL, &c);
    site_frame(&s, c, 0x8A, "unasked", 7);
    EXPECT_STR(site_told(&s), "");
    EXPECT_INT(wshub_ws_ping(s.pool, ws, "mine", 4), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT(site_next(&s, c, &f) && f.opcode == 9 && wshub_str_eq_z(f.payload, "mine"));
    site_frame(&s, c, 0x8A, "mine", 4);
    site_frame(&s, c, 0x8A, "mine", 4);
    EXPECT_STR(site_told(&s), "pong mine\n");
    site_stop(&s);
}

/* d5: a million pings, and nobody reads: the latest pong alone is kept. */
TEST(pongs_do_not_pile_up) {
    wshub_conn c;
    wshub_ws ws;
    wshub_io_fake_frame f;
    uint64_t before;
    int i, pongs = 0;
    char last[8] = "";
    EXPECT(site_start(&s, false, NULL));
    ws = site_connect(&s, NULL, &c);
    wshub_io_fake_window(s.fake, c, 0);
    before = s.bytes;
    for (i = 0; i < 20000; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%d", i);
        site_frame(&s, c, 0x89, text, strlen(text));
    }
    EXPECT_OP(s.bytes - before, <, 8192);
    EXPECT_OP(wshub_ws_unsent(s.pool, ws), <, 4200);
    wshub_io_fake_window(s.fake, c, UINT64_MAX);
    while (site_next(&s, c, &f)) {
        pongs++;
        (void)snprintf(last, sizeof last, "%.*s", (int)f.payload.len, f.payload.ptr);
    }
    EXPECT_STR(last, "19999");
    EXPECT_OP(pongs, <, 1000);
    site_stop(&s);
}

/* ---- ends ---- */

TEST(we_close_in_order) {
    wshub_conn c;
    wshub_ws ws;
    wshub_io_fake_frame f;
    wshub_str none = {NULL, 0};
    EXPECT(site_start(&s, false, NULL));
    ws = site_connect(&s, NULL, &c);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "last", 4), WSHUB_OK);
    EXPECT_INT(wshub_ws_close(s.pool, ws, 999, none), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ws_close(s.pool, ws, 0, wshub_str_z("x")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ws_close(s.pool, ws, 1000, wshub_str_z("\xFF")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_ws_close(s.pool, ws, 4000, wshub_str_z("done")), WSHUB_OK);
    EXPECT_INT(wshub_ws_close(s.pool, ws, 1000, none), WSHUB_OK);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "x", 1), WSHUB_ERR_STATE);
    wshub_io_fake_run(s.fake);
    EXPECT(site_next(&s, c, &f) && wshub_str_eq_z(f.payload, "last"));
    EXPECT(site_next(&s, c, &f) && f.code == 4000 && wshub_str_eq_z(f.reason, "done"));
    site_frame(&s, c, 0x81, "crossed", 7); /* what comes before its Close is heard */
    site_frame(&s, c, 0x88, "\x0F\xA0", 2);
    EXPECT_STR(site_told(&s), "text crossed\n");
    EXPECT(wshub_io_fake_is_open(s.fake, c)); /* the server ends first */
    wshub_io_fake_half_close(s.fake, c);
    EXPECT_STR(site_told(&s), "ended close 4000\n");
    EXPECT_INT(wshub_ws_close(s.pool, ws, 1000, none), WSHUB_ERR_STALE);

    ws = site_connect(&s, NULL, &c); /* unanswered */
    EXPECT_INT(wshub_ws_close(s.pool, ws, 0, none), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 1999);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended close 1005\n");

    ws = site_open(&s, "ws://h/", NULL); /* not yet open */
    EXPECT_INT(wshub_ws_close(s.pool, ws, 1000, none), WSHUB_OK);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "ended cancelled\n");
    site_stop(&s);
}

TEST(a_stream_that_ends_without_a_close_is_lost) {
    wshub_conn c;
    wshub_ws ws;
    EXPECT(site_start(&s, false, NULL));
    (void)site_connect(&s, NULL, &c);
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "ended lost 1006\n");
    (void)site_connect(&s, NULL, &c);
    wshub_io_fake_half_close(s.fake, c);
    EXPECT_STR(site_told(&s), "ended lost 1006\n");
    ws = site_connect(&s, NULL, &c);
    EXPECT_INT(wshub_ws_drop(s.pool, ws), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "ended lost 1006\n");
    (void)site_connect(&s, NULL, &c);
    site_frame(&s, c, 0x88, "", 0); /* no code */
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "ended close 1005\n");
    ws = site_connect(&s, NULL, &c);
    EXPECT_INT(wshub_ws_forget(s.pool, ws), WSHUB_OK);
    EXPECT_INT(wshub_ws_state_of(s.pool, ws), WSHUB_WS_GONE);
    wshub_io_fake_run(s.fake);
    EXPECT(wshub_io_fake_is_gone(s.fake, c));
    EXPECT_STR(site_told(&s), "");
    site_stop(&s);
}

/* ---- clocks ---- */

/* d12: who only listens notices a dead line; a jump of the clock is silence only after a try. */
TEST(silence_is_asked_and_then_judged) {
    wshub_ws_desc d;
    wshub_conn c;
    wshub_io_fake_frame f;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.idle_timeout_ms = 1000;
    (void)site_connect(&s, &d, &c);
    wshub_io_fake_advance(s.fake, 499);
    EXPECT(!site_next(&s, c, &f));
    wshub_io_fake_advance(s.fake, 1);
    EXPECT(site_next(&s, c, &f) && f.opcode == 9);
    wshub_io_fake_advance(s.fake, 400);
    site_frame(&s, c, 0x81, "x", 1); /* any byte will do */
    wshub_io_fake_advance(s.fake, 999);
    EXPECT_STR(site_told(&s), "text x\n");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "ended lost 1006\n");

    (void)site_connect(&s, &d, &c);
    wshub_io_fake_jump(s.fake, wshub_io_fake_now(s.fake) + 600000);
    EXPECT_STR(site_told(&s), "");
    EXPECT(site_next(&s, c, &f) && f.opcode == 9);
    wshub_io_fake_advance(s.fake, 499);
    EXPECT_STR(site_told(&s), "");

    wshub_io_fake_stall(s.fake, true); /* a process that slept hears what lies there first */
    site_frame(&s, c, 0x8A, f.payload.ptr, f.payload.len);
    wshub_io_fake_advance(s.fake, 5000);
    wshub_io_fake_stall(s.fake, false);
    wshub_io_fake_advance(s.fake, 10);
    EXPECT_STR(site_told(&s), "");
    site_stop(&s);
}

/* That our ping has left is no sign of life, however the io tells it. Found by fuzzing. */
TEST(a_ping_that_has_left_is_no_answer) {
    wshub_io_fake_desc fake;
    wshub_conn c;
    memset(&fake, 0, sizeof fake);
    fake.take_bytes = 7;
    for (;;) {
        EXPECT(site_start(&s, false, &fake));
        (void)site_connect(&s, NULL, &c);
        wshub_io_fake_advance(s.fake, 61000);
        EXPECT_STR(site_told(&s), "drained\nended lost 1006\n");
        site_stop(&s);
        if (fake.completion) break;
        fake.completion = true;
    }
}

TEST(a_message_ends_or_is_refused) {
    wshub_ws_desc d;
    wshub_conn c;
    int i;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.message_timeout_ms = 1000;
    d.message_bytes_max = 100;
    (void)site_connect(&s, &d, &c);
    site_frame(&s, c, 0x01, "a", 1);
    for (i = 0; i < 9; i++) {
        wshub_io_fake_advance(s.fake, 100);
        site_frame(&s, c, 0x00, "b", 1);
    }
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 101);
    EXPECT_STR(site_told(&s), "ended protocol 1008\n");

    (void)site_connect(&s, &d, &c); /* fragments without bytes, without end */
    site_frame(&s, c, 0x02, "", 0);
    for (i = 0; i < 1000 && !s.told_len; i++) site_frame(&s, c, 0x00, "", 0);
    EXPECT_STR(site_told(&s), "ended protocol 1009\n");
    EXPECT_OP(i, <, 110);

    (void)site_connect(&s, &d, &c); /* at the limit, and one over it */
    site_frame(&s, c, 0x01,
               "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
    site_frame(&s, c, 0x80, "012345678901234567890123456789", 30);
    EXPECT(strstr(site_told(&s), "text 0123") != NULL);
    site_frame(&s, c, 0x01,
               "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
    site_frame(&s, c, 0x80, "0123456789012345678901234567890", 31);
    EXPECT_STR(site_told(&s), "ended protocol 1009\n");
    site_stop(&s);
}

/* ---- what waits ---- */

static void play_pressure(const wshub_io_fake_desc *fake) {
    static char text[3000];
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws;
    wshub_io_fake_frame f;
    int i, sent = 0;
    EXPECT(site_start(&s, false, fake));
    memset(&d, 0, sizeof d);
    d.unsent_bytes_max = 10000;
    ws = site_connect(&s, &d, &c);
    memset(text, 'a', sizeof text);
    wshub_io_fake_window(s.fake, c, 0);
    for (i = 0; i < 10; i++) {
        wshub_err err = wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, sizeof text);
        if (!err) sent++;
        EXPECT(err == WSHUB_OK || err == WSHUB_ERR_DROPPED);
        wshub_io_fake_run(s.fake);
    }
    EXPECT_INT(sent, 3);
    EXPECT_INT(wshub_ws_unsent(s.pool, ws), 3 * 3008);
    wshub_io_fake_window(s.fake, c, 100);
    wshub_io_fake_window(s.fake, c, UINT64_MAX);
    EXPECT_STR(site_told(&s), "drained\n");
    EXPECT_INT(wshub_ws_unsent(s.pool, ws), 0);
    while (site_next(&s, c, &f)) {
        sent--;
        EXPECT(f.payload.len == 3000 && memcmp(f.payload.ptr, text, 3000) == 0);
    }
    EXPECT_INT(sent, 0);
    site_stop(&s);
}
TEST(what_the_stream_does_not_take_waits_up_to_its_limit) {
    wshub_io_fake_desc fake;
    memset(&fake, 0, sizeof fake);
    play_pressure(NULL);
    fake.take_bytes = 7;
    play_pressure(&fake);
    fake.completion = true;
    play_pressure(&fake);
}

TEST(reading_can_rest) {
    wshub_conn c;
    wshub_ws ws;
    EXPECT(site_start(&s, false, NULL));
    ws = site_connect(&s, NULL, &c);
    EXPECT_INT(wshub_ws_pause(s.pool, ws, true), WSHUB_OK);
    site_frame(&s, c, 0x81, "x", 1);
    wshub_io_fake_advance(s.fake, 600000); /* and nobody is silent meanwhile */
    EXPECT_STR(site_told(&s), "");
    EXPECT_INT(wshub_ws_pause(s.pool, ws, false), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "text x\n");
    site_stop(&s);
}

/* What rests in the midst of a message is not a message that does not end (LIVE-3). */
TEST(reading_can_rest_inside_a_message) {
    wshub_str none = {NULL, 0};
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws;
    memset(&d, 0, sizeof d);
    d.message_timeout_ms = 1000;
    EXPECT(site_start(&s, false, NULL));
    ws = site_connect(&s, &d, &c);
    site_frame(&s, c, 0x01, "a", 1);
    wshub_io_fake_advance(s.fake, 600);
    EXPECT_INT(wshub_ws_pause(s.pool, ws, true), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 5000);
    EXPECT_INT(wshub_ws_pause(s.pool, ws, false), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 399);
    EXPECT_STR(site_told(&s), "");
    site_frame(&s, c, 0x80, "b", 1);
    EXPECT_STR(site_told(&s), "text ab\n");

    site_frame(&s, c, 0x01, "a", 1);
    EXPECT_INT(wshub_ws_pause(s.pool, ws, true), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 5000);
    EXPECT_INT(wshub_ws_close(s.pool, ws, 1000, none), WSHUB_OK); /* which reads on */
    wshub_io_fake_advance(s.fake, 999);
    site_frame(&s, c, 0x88, NULL, 0);
    wshub_io_fake_end(s.fake, c);
    EXPECT_STR(site_told(&s), "ended close 1000\n");
    site_stop(&s);
}

/* Neither is it one where the peer takes what waits for it meanwhile. */
TEST(reading_can_rest_inside_a_message_while_writing_goes_on) {
    static uint8_t text[3000];
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws;
    memset(&d, 0, sizeof d);
    memset(text, 'x', sizeof text);
    d.message_timeout_ms = 1000;
    EXPECT(site_start(&s, false, NULL));
    ws = site_connect(&s, &d, &c);
    wshub_io_fake_window(s.fake, c, 100);
    site_frame(&s, c, 0x01, "a", 1);
    EXPECT_INT(wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, text, sizeof text), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 600);
    EXPECT_INT(wshub_ws_pause(s.pool, ws, true), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 5000);
    wshub_io_fake_window(s.fake, c, UINT64_MAX);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "drained\n");
    EXPECT_INT(wshub_ws_pause(s.pool, ws, false), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 399);
    EXPECT_STR(site_told(&s), "");
    site_frame(&s, c, 0x80, "b", 1);
    EXPECT_STR(site_told(&s), "text ab\n");
    site_stop(&s);
}

/* ---- callbacks ---- */

static const char *when, *what;
static void act(site *on, wshub_ws ws, const char *event) {
    wshub_str none = {NULL, 0};
    if (strcmp(event, when) != 0) return;
    if (strcmp(what, "drop") == 0) (void)wshub_ws_drop(on->pool, ws);
    if (strcmp(what, "forget") == 0) (void)wshub_ws_forget(on->pool, ws);
    if (strcmp(what, "close") == 0) (void)wshub_ws_close(on->pool, ws, 1000, none);
    if (strcmp(what, "send") == 0) (void)wshub_ws_send(on->pool, ws, WSHUB_WS_TEXT, "x", 1);
    if (strcmp(what, "open") == 0) {
        when = "";
        (void)wshub_ws_forget(on->pool, ws);
        (void)site_open(on, "ws://h:99/", NULL);
    }
    if (strcmp(what, "destroy") == 0) {
        wshub_ws_pool *pool = on->pool;
        on->pool = NULL;
        wshub_ws_pool_destroy(pool);
    }
}
/* d15: from inside each callback anything may be done, the end of all included. */
TEST(a_callback_may_do_anything) {
    static const char *const events[] = {"opened", "message", "pong", "drained", "ended"};
    static const char *const acts[] = {"drop", "forget", "close", "send", "open", "destroy"};
    wshub_conn c;
    wshub_ws ws;
    size_t i, j;
    for (i = 0; i < 5; i++) {
        for (j = 0; j < 6; j++) {
            EXPECT(site_start(&s, false, NULL));
            s.on_event = act;
            when = events[i];
            what = acts[j];
            ws = site_open(&s, "ws://h/", NULL);
            c = site_dialled(&s, NULL);
            wshub_io_fake_answer(s.fake, c, true);
            site_accept(&s, c, "",
                        "\x81\x01"
                        "a\x01\x01"
                        "b\x89\x01"
                        "c\x80\x01"
                        "d\x81\x01"
                        "e");
            if (s.pool) {
                wshub_io_fake_window(s.fake, c, 0);
                (void)wshub_ws_ping(s.pool, ws, "p", 1);
                wshub_io_fake_run(s.fake);
                site_frame(&s, c, 0x8A, "p", 1);
                site_frame(&s, c, 0x8A, "p", 1);
                wshub_io_fake_window(s.fake, c, UINT64_MAX);
            }
            site_frame(&s, c, 0x88, "", 0);
            wshub_io_fake_advance(s.fake, 2000);
            wshub_io_fake_end(s.fake, c);
            wshub_io_fake_advance(s.fake, 30000);
            (void)site_told(&s);
            site_stop(&s);
        }
    }
}

/* What is told stays until the callback returns, whatever that ends. */
static const char *stay_when, *stay_what;
static unsigned stayed;
static void stays(wshub_ws_pool *pool, wshub_ws ws, const char *event, const void *told,
                  size_t count) {
    wshub_str none = {NULL, 0};
    char copy[200];
    if (strcmp(event, stay_when) != 0 || !count) return;
    memcpy(copy, told, count);
    if (strcmp(stay_what, "drop") == 0) (void)wshub_ws_drop(pool, ws);
    if (strcmp(stay_what, "forget") == 0) (void)wshub_ws_forget(pool, ws);
    if (strcmp(stay_what, "close") == 0) (void)wshub_ws_close(pool, ws, 1000, none);
    if (strcmp(stay_what, "destroy") == 0) {
        s.pool = NULL;
        wshub_ws_pool_destroy(pool);
    }
    EXPECT(memcmp(copy, told, count) == 0);
    stayed++;
}
static void stay_opened(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_about *about, void *user) {
    (void)user;
    stays(pool, ws, "opened", about->protocol.ptr, about->protocol.len);
}
static void stay_message(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind, uint8_t *bytes,
                         size_t count, void *user) {
    (void)user;
    stays(pool, ws, kind == WSHUB_WS_TEXT ? "message" : "bytes", bytes, count);
    memset(bytes, 'x', count); /* they are still ours */
}
static void stay_pong(wshub_ws_pool *pool, wshub_ws ws, const uint8_t *bytes, size_t count,
                      void *user) {
    (void)user;
    stays(pool, ws, "pong", bytes, count);
}
static void stay_ended(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone, void *user) {
    (void)user;
    stays(pool, ws, "reason", gone->reason.ptr, gone->reason.len);
    if (s.pool) stays(pool, ws, "text", gone->text, strlen(gone->text));
}
TEST(what_is_told_stays_until_its_callback_returns) {
    static const char *const whens[] = {"opened", "message", "bytes", "pong", "reason", "text"};
    static const char *const whats[] = {"drop", "forget", "close", "destroy"};
    static const wshub_ws_events events = {stay_opened, stay_message, stay_pong, NULL, stay_ended};
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws;
    size_t i, j;
    memset(&d, 0, sizeof d);
    d.url = "ws://h/";
    d.events = &events;
    d.protocols = "one";
    for (i = 0; i < sizeof whens / sizeof *whens; i++) {
        for (j = 0; j < sizeof whats / sizeof *whats; j++) {
            EXPECT(site_start(&s, false, NULL));
            stay_when = whens[i];
            stay_what = whats[j];
            stayed = 0;
            EXPECT_INT(wshub_ws_open(s.pool, &d, &ws), WSHUB_OK);
            wshub_io_fake_run(s.fake);
            c = site_dialled(&s, NULL);
            wshub_io_fake_answer(s.fake, c, true);
            site_accept(&s, c, "Sec-WebSocket-Protocol: one\r\n", "");
            if (s.pool) (void)wshub_ws_ping(s.pool, ws, "p", 1);
            wshub_io_fake_run(s.fake);
            site_frame(&s, c, 0x01, "in ", 3); /* in pieces, a pong between them */
            site_frame(&s, c, 0x8A, "p", 1);
            site_frame(&s, c, 0x80, "pieces", 6);
            site_frame(&s, c, 0x82, "in one", 6);
            site_frame(&s, c, 0x88, "\x03\xE8why", 5);
            wshub_io_fake_advance(s.fake, 2000);
            wshub_io_fake_end(s.fake, c);
            wshub_io_fake_advance(s.fake, 30000);
            EXPECT_INT(stayed, 1);
            site_stop(&s);
        }
    }
}

/* Its events are the application's again with ended(), or as soon as it is forgotten, which may be
 * while its stream is there, or inside one of them. */
typedef struct lent_events {
    wshub_ws_events events;
    wshub_ws_http_events http;
} lent_events;
static lent_events *lent;
static void forgets(wshub_ws_pool *pool, wshub_ws ws) {
    (void)wshub_ws_forget(pool, ws);
    free(lent);
    lent = NULL;
}
static void forget_message(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind, uint8_t *bytes,
                           size_t count, void *user) {
    (void)kind;
    (void)bytes;
    (void)count;
    (void)user;
    forgets(pool, ws);
}
static void forget_answered(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_answer *answer,
                            void *user) {
    (void)answer;
    (void)user;
    forgets(pool, ws);
}
static void forget_ended(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone, void *user) {
    (void)gone;
    (void)user;
    forgets(pool, ws);
}
TEST(events_are_not_looked_at_once_it_is_forgotten) {
    wshub_ws_request request;
    wshub_ws_desc d;
    wshub_conn c;
    wshub_ws ws;
    int http, at, how;
    memset(&request, 0, sizeof request);
    request.method = "GET";
    request.target = "/";
    for (http = 0; http < 2; http++) {
        for (at = 0; at < 6; at++) {
            for (how = 0; how < 3; how++) { /* the stream ends, is cut by us, or with the pool */
                EXPECT(site_start(&s, false, NULL));
                lent = (lent_events *)calloc(1, sizeof *lent);
                if (!lent) abort();
                lent->events.message = forget_message;
                lent->events.ended = forget_ended;
                lent->http.answered = forget_answered;
                lent->http.ended = forget_ended;
                memset(&d, 0, sizeof d);
                d.url = http ? "http://h/" : "ws://h/";
                d.events = &lent->events;
                EXPECT_INT(http ? wshub_ws_http_open(s.pool, &d, &lent->http, &ws)
                                : wshub_ws_open(s.pool, &d, &ws),
                           WSHUB_OK);
                if (http) EXPECT_INT(wshub_ws_http_request(s.pool, ws, &request), WSHUB_OK);
                if (at == 0) forgets(s.pool, ws);
                wshub_io_fake_run(s.fake);
                if (at > 0) {
                    c = site_dialled(&s, NULL);
                    if (at == 1) forgets(s.pool, ws);
                    wshub_io_fake_answer(s.fake, c, true);
                    if (at == 2) forgets(s.pool, ws);
                    if (at > 2 && http) site_say(&s, c, "HTTP/1.1 200 OK\r\n");
                    if (at > 2 && !http) site_accept(&s, c, "", "");
                    if (at == 3) forgets(s.pool, ws);
                    if (at == 4 && http)
                        site_say(&s, c, "Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
                    if (at == 4 && !http) site_say(&s, c, "\x81\x01x\x81\x01y");
                    if (at == 5 || how == 0) wshub_io_fake_end(s.fake, c);
                    if (how == 1) wshub_io_fake_advance(s.fake, 100000);
                }
                wshub_io_fake_run(s.fake);
                EXPECT(!lent);
                site_stop(&s);
            }
        }
    }
}

/* The timers of what stands on a pool fire in order, and are moved, stopped and removed as one likes. */
typedef struct timed {
    wshub_ws_timer timer;
    int n;
} timed;
static char fired[256];
static void on_fire(void *ctx) {
    timed *t = (timed *)ctx;
    size_t n = strlen(fired);
    (void)snprintf(fired + n, sizeof fired - n, "%d ", t->n);
    if (t->n == 7) wshub_ws_timer_start(s.pool, &t->timer, wshub_ws_now_ms(s.pool) + 50);
}
TEST(timers_fire_in_order) {
    timed t[12];
    uint64_t now;
    int i;
    EXPECT(site_start(&s, false, NULL));
    now = wshub_ws_now_ms(s.pool);
    memset(t, 0, sizeof t);
    for (i = 0; i < 12; i++) {
        t[i].timer.fire = on_fire;
        t[i].timer.ctx = &t[i];
        t[i].n = i;
        EXPECT_INT(wshub_ws_timer_add(s.pool, &t[i].timer), WSHUB_OK);
        wshub_ws_timer_start(s.pool, &t[i].timer, now + 1 + (uint64_t)(i * 7 % 12));
    }
    wshub_ws_timer_stop(s.pool, &t[2].timer);
    wshub_ws_timer_remove(s.pool, &t[11].timer);
    wshub_ws_timer_start(s.pool, &t[0].timer, now + 40);
    wshub_io_fake_advance(s.fake, 45);
    EXPECT_STR(fired, "7 9 4 6 1 8 3 10 5 0 ");
    wshub_io_fake_advance(s.fake, 10);
    EXPECT_STR(fired, "7 9 4 6 1 8 3 10 5 0 7 ");
    for (i = 0; i < 12; i++) wshub_ws_timer_remove(s.pool, &t[i].timer);
    site_stop(&s);
}

/* What is cancelled or put off does not fire any more, also if it was due in the same advance of the
 * clock, and before or behind the one that does so; what is removed may be gone at once. */
static timed *others[6];
static void on_cancel(void *ctx) {
    timed *t = (timed *)ctx;
    on_fire(ctx);
    wshub_ws_timer_stop(s.pool, &t->timer); /* itself, which is nothing */
    wshub_ws_timer_stop(s.pool, &others[1]->timer);
    wshub_ws_timer_remove(s.pool, &others[2]->timer);
    memset(others[2], 0xDD, sizeof *others[2]);
    wshub_ws_timer_start(s.pool, &others[3]->timer, wshub_ws_now_ms(s.pool) + 20);
    wshub_ws_timer_start(s.pool, &others[4]->timer, 1); /* from late to at once */
    wshub_ws_timer_stop(s.pool, &others[5]->timer);
    wshub_ws_timer_start(s.pool, &others[5]->timer, wshub_ws_now_ms(s.pool));
}
TEST(what_is_cancelled_does_not_fire_in_the_same_advance) {
    static const uint32_t order[][6] = {
        {1, 1, 1, 1, 1, 1}, {1, 2, 3, 4, 90, 5}, {1, 5, 4, 3, 90, 2}, {1, 9, 9, 9, 90, 9}};
    timed t[6];
    uint64_t now;
    size_t i, k;
    for (k = 0; k < sizeof order / sizeof *order; k++) {
        EXPECT(site_start(&s, false, NULL));
        now = wshub_ws_now_ms(s.pool);
        memset(t, 0, sizeof t);
        fired[0] = 0;
        for (i = 0; i < 6; i++) {
            others[i] = &t[i];
            t[i].timer.fire = i ? on_fire : on_cancel;
            t[i].timer.ctx = &t[i];
            t[i].n = (int)i;
            EXPECT_INT(wshub_ws_timer_add(s.pool, &t[i].timer), WSHUB_OK);
        }
        for (i = 0; i < 6; i++) wshub_ws_timer_start(s.pool, &t[i].timer, now + order[k][i]);
        wshub_io_fake_advance(s.fake, 10);
        EXPECT_STR(fired, "0 4 5 ");
        wshub_io_fake_advance(s.fake, 19);
        EXPECT_STR(fired, "0 4 5 3 ");
        wshub_io_fake_advance(s.fake, 100);
        EXPECT_STR(fired, "0 4 5 3 ");
        for (i = 0; i < 6; i++)
            if (i != 2) wshub_ws_timer_remove(s.pool, &t[i].timer);
        site_stop(&s);
    }
}

/* ---- memory ---- */

/* Every allocation fails once: whatever happens is told, and nothing is lost. */
static void every_allocation(const char *url) {
    uint64_t nth;
    bool done = false;
    for (nth = 1; !done && nth < 200; nth++) {
        wshub_ws_desc d;
        wshub_ws ws = {0};
        wshub_conn c = {0};
        wshub_header h = {{"Cookie", 6}, {"x", 1}};
        bool made;
        made = site_start(&s, false, NULL);
        if (!made) abort();
        s.fail_in = nth;
        memset(&d, 0, sizeof d);
        d.url = url;
        d.events = &site_events;
        d.user = &s;
        d.protocols = "a";
        d.headers = &h;
        d.headers_count = 1;
        d.proxy = "http://u:p@p";
        if (wshub_ws_open(s.pool, &d, &ws) == WSHUB_OK) {
            wshub_io_fake_run(s.fake);
            if (wshub_io_fake_dialled(s.fake, &c, NULL)) {
                wshub_io_fake_answer(s.fake, c, true);
                site_say(&s, c, "HTTP/1.1 200 x\r\n\r\n");
                if (wshub_io_fake_dial(s.fake, c)) wshub_io_fake_answer(s.fake, c, true);
                if (wshub_io_fake_output(s.fake, c).len > 100) {
                    site_accept(&s, c, "", "\x01\x01z");
                    (void)wshub_ws_send(s.pool, ws, WSHUB_WS_TEXT, "hello", 5);
                    site_frame(&s, c, 0x80, "y", 1);
                    site_say(&s, c, "\x89\x02p");
                    site_say(&s, c,
                             "q\x88\x05\x03\xE8"
                             "end");
                }
                wshub_io_fake_end(s.fake, c);
            }
            wshub_io_fake_run(s.fake);
            EXPECT(strstr(s.told, "ended ") != NULL);
            done = s.fail_in > 0;
            if (done) EXPECT(strstr(s.told, "opened\ntext zy\nended close 1000") != NULL);
        }
        s.fail_in = 0;
        (void)site_told(&s);
        site_stop(&s);
    }
    EXPECT(done);
}
TEST(every_allocation_may_fail) {
    every_allocation("ws://h/");
    every_allocation("wss://h/");
}

/* A WebSocket that is open and idle costs at most 600 bytes, its share of all tables included. */
TEST(an_idle_one_costs_at_most_600_bytes) {
    enum { MANY = 1000 };
    wshub_conn c;
    uint64_t before;
    int i;
    EXPECT(site_start(&s, false, NULL));
    before = s.bytes;
    for (i = 0; i < MANY; i++) (void)site_connect(&s, NULL, &c);
    EXPECT_OP((s.bytes - before) / MANY, <=, 600);
    printf("  %d bytes each, the struct %d\n", (int)((s.bytes - before) / MANY),
           (int)sizeof(wshub_ws__line));
    site_stop(&s);
}
