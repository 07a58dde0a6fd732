/* What is read of compressed messages (RFC 7692) and refused, and the limits that hold for what they
 * hold (PITFALLS of others: contexts forgotten, bombs). With a codec of stored blocks. */

#include "deflate_site.h"

/* ---- what is read ---- */

TEST(a_compressed_message_is_heard_as_what_it_holds) { /* RFC 7692 7.2.2 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), PMD);
    frame_in(&w, c, 0xC1, HI, 8);
    EXPECT_INT(s.messages, 1);
    EXPECT_STR(s.last, "hi");
    EXPECT(s.last_text);
    frame_in(&w, c, 0xC2, HI, 8);
    EXPECT_INT(s.messages, 2);
    EXPECT(!s.last_text);

    /* Of nothing (7.2.3.6), plain in between, and one that ends in a last block (7.2.3.4). */
    frame_in(&w, c, 0xC1, "\0", 1);
    EXPECT_INT(s.messages, 3);
    EXPECT_INT(s.last_bytes, 0);
    frame_in(&w, c, 0x81, "plain", 5);
    EXPECT_STR(s.last, "plain");
    frame_in(&w, c, 0xC1,
             "\1\2\0\xFD\xFF"
             "ho",
             7);
    EXPECT_STR(s.last, "ho");
    frame_in(&w, c, 0xC1,
             "\1\2\0\xFD\xFF"
             "ha\0",
             8);
    EXPECT_STR(s.last, "ha");
    EXPECT_INT(s.messages, 6);
    EXPECT_INT(stats(&w).inflated, 5);
    EXPECT_INT(stats(&w).inflated_in, 8 + 8 + 1 + 7 + 8);
    EXPECT_INT(stats(&w).inflated_out, 8);
    EXPECT_INT(codec.inflaters, 1); /* the stream's, for its peer's window */
    world_stop(&w);
    EXPECT_INT(codec.inflaters, 0);
}

TEST(fragments_of_it_come_with_other_frames_between) { /* RFC 7692 6.1, 7.2.1 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_str payload;
    world w;
    site s;
    wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), PMD);
    frame_in(&w, c, 0x41, HI, 3);
    frame_in(&w, c, 0x00, HI + 3, 0);
    frame_in(&w, c, 0x89, "p", 1);
    frame_in(&w, c, 0x00, HI + 3, 3);
    EXPECT_INT(s.messages, 0);
    frame_in(&w, c, 0x80, HI + 6, 2);
    EXPECT_INT(s.messages, 1);
    EXPECT_STR(s.last, "hi");
    EXPECT_INT(frame_out(&w, c, &payload), 0x8A);

    /* A last one that is empty. */
    frame_in(&w, c, 0x41, HI, 8);
    frame_in(&w, c, 0x80, "", 0);
    EXPECT_INT(s.messages, 2);
    EXPECT_STR(s.last, "hi");
    world_stop(&w);
}

/* What is sent breaks a rule, and the stream ends with that code. */
static void breaks(uint8_t first, const char *bytes, size_t count, uint8_t next, uint16_t code) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), PMD);
    frame_in(&w, c, first, bytes, count);
    if (next) frame_in(&w, c, next, HI, 8);
    EXPECT_INT(s.messages, 0);
    EXPECT_CLOSE(&w, c, code);
    EXPECT_INT(stats(&w).inflate_refused, code == 1007 && count ? 1 : 0);
    world_stop(&w);
    EXPECT_INT(codec.inflaters, 0);
}

TEST(what_breaks_a_rule_ends_the_stream) { /* RFC 7692 6; RFC 6455 5.2 */
    breaks(0xA1, HI, 8, 0, 1002);          /* RSV2, RSV3, and with RSV1 */
    breaks(0x91, HI, 8, 0, 1002);
    breaks(0xE1, HI, 8, 0, 1002);
    breaks(0xC9, HI, 8, 0, 1002); /* RSV1 on a control frame */
    breaks(0xC8, "", 0, 0, 1002);
    breaks(0xCA, HI, 8, 0, 1002); /* a pong that nobody asked for is none the less one */
    breaks(0xCA, "", 0, 0, 1002);
    breaks(0xC0, HI, 8, 0, 1002);
    breaks(0x41, HI, 3, 0xC0, 1002); /* and on a continuation */
    breaks(0x01, "a", 1, 0xC0, 1002);
    breaks(0xC1, "\7", 1, 0, 1007); /* no block */
    breaks(0xC1,
           "\0\2\0\xFD\xFF"
           "h",
           6, 0, 1007); /* cut in its middle */
    breaks(0xC1, HI, 7, 0, 1007);
    breaks(0x41, "\7", 1, 0, 1007); /* before it is whole */
}

TEST(a_text_is_utf_8_behind_the_codec) { /* RFC 6455 8.1; RFC 7692 5.1 */
    static const char *const bad[] = {"\0\2\0\xFD\xFF"
                                      "\xC3\x28\0",
                                      "\0\2\0\xFD\xFF"
                                      "a\xC3\0"};
    size_t i;
    for (i = 0; i < 2; i++) {
        stored codec;
        wshub_deflate table = stored_codec(&codec);
        world w;
        site s;
        wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), PMD);
        frame_in(&w, c, 0xC2, bad[i], 8); /* bytes may be anything */
        EXPECT_INT(s.messages, 1);
        frame_in(&w, c, i ? 0xC1 : 0x41, bad[i], 8);
        EXPECT_INT(s.messages, 1);
        EXPECT_CLOSE(&w, c, 1007);
        world_stop(&w);
    }
}

TEST(rsv1_is_refused_where_nothing_was_agreed_on) { /* RFC 6455 5.2 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), NULL);
    frame_in(&w, c, 0xC1, HI, 8);
    EXPECT_CLOSE(&w, c, 1002);
    world_stop(&w);
}

TEST(whose_window_is_not_kept_costs_no_inflater_between_messages) { /* RFC 7692 7.1.1.2 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), PMD "; client_no_context_takeover"),
               d;
    d = offer(&w, "/s", PMD "; client_no_context_takeover; client_max_window_bits=9");
    frame_in(&w, c, 0xC1, HI, 8);
    frame_in(&w, c, 0xC1, HI, 8);
    EXPECT_INT(codec.opened, 1); /* the hub's, as large as any may need */
    EXPECT_INT(codec.bits, 15);
    frame_in(&w, c, 0x41, HI, 3);
    frame_in(&w, d, 0x41, HI, 3);
    EXPECT_INT(codec.inflaters, 2);
    frame_in(&w, c, 0x80, HI + 3, 5);
    frame_in(&w, d, 0x80, HI + 3, 5);
    EXPECT_INT(codec.inflaters, 1);
    EXPECT_INT(s.messages, 4);
    frame_in(&w, d, 0x41, HI, 3); /* it ends inside one */
    world_stop(&w);
    EXPECT_INT(codec.inflaters, 0);
}

/* ---- limits ---- */

/* A stored message of n times `x`. */
static size_t stored_text(uint8_t *to, size_t n) {
    stored codec;
    size_t made;
    uint8_t *bytes = (uint8_t *)malloc(n);
    wshub_deflate table = stored_codec(&codec);
    if (!bytes) return 0;
    memset(bytes, 'x', n);
    (void)table.deflate(table.ctx, NULL, bytes, n, to, &made);
    free(bytes);
    return made;
}

TEST(a_message_counts_by_what_it_holds) { /* BYE-3 */
    static uint8_t text[200000];
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    size_t n;
    wshub_conn c =
        site_agreed(&w, &s, DESC(.deflate = &table, .log_level = WSHUB_LEVEL_DEBUG), PMD);
    n = stored_text(text, 131072);
    EXPECT_OP(n, >, 131072);
    frame_in(&w, c, 0xC1, text, n);
    EXPECT_INT(s.messages, 1);
    EXPECT_INT(s.last_bytes, 131072);
    n = stored_text(text, 131073);
    frame_in(&w, c, 0xC1, text, n);
    EXPECT_INT(s.messages, 1);
    EXPECT_INT(stats(&w).inflate_refused, 1);
    EXPECT_HAS(wshub_io_fake_log(w.net).ptr, "payload_bytes_max");
    EXPECT_CLOSE(&w, c, 1009);

    /* Fragments of it together; a frame that is longer than any of it could be, at its head. */
    c = offer(&w, "/s", PMD);
    frame_in(&w, c, 0x41, text, 100000);
    frame_in(&w, c, 0x00, text + 100000, n - 100000);
    EXPECT_CLOSE(&w, c, 1009);
    c = offer(&w, "/s", PMD);
    wshub_io_fake_input(w.net, c, "\xC1\xFF\0\0\0\0\0\2\x80\0\0\0\0\0", 14);
    EXPECT_CLOSE(&w, c, 1009);
    world_stop(&w);
}

TEST(who_has_much_inflated_lets_others_have_their_turn) { /* LIVE-3: no turn without an end */
    static uint8_t text[1][131200];
    static uint8_t all[20 * 131300];
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    size_t n = stored_text(text[0], 131072), at = 0;
    wshub_conn c = site_agreed(&w, &s, DESC(.deflate = &table), PMD);
    int i, before = 0;
    for (i = 0; i < 20; i++) {
        memcpy(all + at, "\xC2\xFF\0\0\0\0\0\0\0\0\0\0\0\0", 14);
        all[at + 7] = (uint8_t)(n >> 16);
        all[at + 8] = (uint8_t)(n >> 8);
        all[at + 9] = (uint8_t)n;
        memcpy(all + at + 14, text[0], n);
        at += n + 14;
    }
    wshub_io_fake_input(w.net, c, all, at);
    wshub_io_fake_run(w.net);
    for (i = 0; s.messages < 20 && i < 5; i++) {
        EXPECT_OP(s.messages, >, before);
        EXPECT_OP(s.messages, <=, before + 9);
        before = s.messages;
        wshub_io_fake_advance(w.net, 1);
    }
    EXPECT_INT(s.messages, 20);
    EXPECT_INT(i, 2);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    frame_in(&w, c, 0xC1, HI, 8);
    EXPECT_INT(s.messages, 21);
    world_stop(&w);
}

TEST(before_it_is_accepted_a_client_has_less) { /* AUTH-1 */
    static uint8_t text[20000];
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    wshub_conn c;
    size_t n;
    world_start(&w, DESC(.deflate = &table), FAKE(0));
    c = offer(&w, "/ws", PMD);
    n = stored_text(text, 8193);
    frame_in(&w, c, 0xC1, text, n);
    EXPECT_CLOSE(&w, c, 1008);
    c = offer(&w, "/ws", PMD);
    n = stored_text(text, 12000);
    frame_in(&w, c, 0xC1, text, n); /* at its head */
    EXPECT_CLOSE(&w, c, 1008);
    EXPECT_INT(stats(&w).inflate_refused, 1);
    world_stop(&w);
}
