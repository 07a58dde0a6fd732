/* The hub's side of permessage-deflate (RFC 7692): what is agreed on, who is sent what, what is read
 * and refused (PITFALLS of others: parameters mixed up, contexts forgotten, bombs). With a codec of
 * stored blocks, so that no library is needed; zlib itself is tests/test_deflate_zlib.c's. */
#include "deflate_site.h"

#define PMD "permessage-deflate"
#define NOCT "; server_no_context_takeover"

/* ---- what is agreed on ---- */

/* What is answered to an offer, by a hub whose description has .deflate. */
static const char *answer_to(world *w, const char *extensions) {
    (void)offer(w, "/ws", extensions);
    return answered;
}

TEST(nothing_is_agreed_on_unless_it_was_asked_for_here) {
    world w;
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_STR(answer_to(&w, PMD), "");
    EXPECT_STR(answer_to(&w, PMD "; client_max_window_bits"), "");
    world_stop(&w);
}

TEST(what_is_offered_is_answered_as_it_can_be_kept) { /* RFC 7692 5, 7.1; RFC 6455 9.1 */
    static const struct {
        const char *offer, *answer;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"x", ""},
        {PMD, PMD NOCT},
        {" , ," PMD " ,", PMD NOCT},
        {PMD ";client_max_window_bits", PMD NOCT},
        {PMD " ; \t client_max_window_bits", PMD NOCT},
        {PMD "; client_max_window_bits=15", PMD NOCT "; client_max_window_bits=15"},
        {PMD "; client_max_window_bits=8", PMD NOCT "; client_max_window_bits=8"},
        {PMD "; client_max_window_bits=\"10\"", PMD NOCT "; client_max_window_bits=10"},
        {PMD "\t;\tclient_max_window_bits\t=\t9\t", PMD NOCT "; client_max_window_bits=9"},
        {PMD "; client_max_window_bits = 9", PMD NOCT "; client_max_window_bits=9"},
        {PMD "; server_max_window_bits=15", PMD NOCT "; server_max_window_bits=15"},
        {PMD "; server_max_window_bits=9", PMD NOCT "; server_max_window_bits=9"},
        {PMD "; server_no_context_takeover", PMD NOCT},
        {PMD "; client_no_context_takeover", PMD NOCT "; client_no_context_takeover"},
        {PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12;"
             " client_max_window_bits=11",
         PMD NOCT "; client_no_context_takeover; server_max_window_bits=12;"
                  " client_max_window_bits=11"},
        /* none that can be kept: the next one */
        {PMD "; server_max_window_bits=8", ""}, /* the codec keeps 9 */
        {PMD "; server_max_window_bits=8, " PMD, PMD NOCT},
        {PMD "; server_max_window_bits=8, " PMD "; server_max_window_bits=10",
         PMD NOCT "; server_max_window_bits=10"},
        {"x; y=\"1,2\", " PMD, ""}, /* a value in quotes is a token (RFC 6455 9.1) */
        {"x; y=\"z\"; v, " PMD, PMD NOCT},
        {PMD "; nobody_knows, " PMD, PMD NOCT},
        /* values that a parameter cannot have */
        {PMD "; server_max_window_bits", ""},
        {PMD "; server_max_window_bits=7", ""},
        {PMD "; server_max_window_bits=16", ""},
        {PMD "; server_max_window_bits=20", ""},
        {PMD "; server_max_window_bits=1:", ""},
        {PMD "; server_max_window_bits=1!", ""},
        {PMD "; server_max_window_bits=08", ""},
        {PMD "; server_max_window_bits=010", ""},
        {PMD "; server_max_window_bits=1e1", ""},
        {PMD "; server_max_window_bits=", ""},
        {PMD "; server_max_window_bits=\"\"", ""},
        {PMD "; server_max_window_bits=\"10", ""},
        {PMD "; client_max_window_bits=7", ""},
        {PMD "; client_max_window_bits=x", ""},
        {PMD "; server_no_context_takeover=1", ""},
        {PMD "; client_no_context_takeover=\"a\"", ""},
        {PMD "; client_no_context_takeover; client_no_context_takeover", ""},
        {PMD "; client_max_window_bits=10; client_max_window_bits=10", ""},
        /* what is none of it, or breaks the grammar */
        {"permessage-deflat", ""},
        {"x-webkit-deflate-frame", ""},
        {"permessage-bzip2, " PMD, PMD NOCT},
        {PMD ";", ""},
        {PMD "; =1", ""},
        {PMD " x", ""},
        {"=, " PMD, ""},
        {"\"" PMD "\"", ""},
    };
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    size_t i;
    world_start(&w, DESC(.deflate = &table), FAKE(0));
    memset(&table, 0, sizeof table); /* it was copied */
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_STR(answer_to(&w, cases[i].offer), cases[i].answer);
        if (strcmp(answered, cases[i].answer) != 0) (void)printf("  for %s\n", cases[i].offer);
    }
    EXPECT_INT(codec.opened, 0); /* who says nothing costs nothing */
    world_stop(&w);
}

TEST(what_is_wished_here_is_said_in_the_answer) { /* RFC 7692 7.1.1, 7.1.2 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    world_start(&w, DESC(.deflate = &table, .deflate_takeover = true), FAKE(0));
    EXPECT_STR(answer_to(&w, PMD), PMD);
    EXPECT_STR(answer_to(&w, PMD "; server_no_context_takeover"), PMD NOCT);
    EXPECT_STR(answer_to(&w, PMD "; client_no_context_takeover"),
               PMD "; client_no_context_takeover");
    world_stop(&w);
    world_start(&w, DESC(.deflate = &table, .deflate_forget = true, .deflate_window_bits = 11),
                FAKE(0));
    EXPECT_STR(answer_to(&w, PMD),
               PMD NOCT "; client_no_context_takeover; server_max_window_bits=11");
    EXPECT_STR(answer_to(&w, PMD "; server_max_window_bits=10"),
               PMD NOCT "; client_no_context_takeover; server_max_window_bits=10");
    world_stop(&w);
}

TEST(a_description_is_refused_that_names_no_whole_codec) {
    stored codec;
    wshub_deflate whole = stored_codec(&codec), d = whole;
    EXPECT_INT(wshub_io_fake_create(NULL, &refusal_net), WSHUB_OK);
    YES_DESC(.deflate = &whole, .deflate_takeover = true, .deflate_forget = true);
    NO_DESC("deflate_takeover", .deflate_takeover = true);
    NO_DESC("deflate_takeover", .deflate_forget = true);
    NO_DESC("deflate_window_bits", .deflate = &whole, .deflate_window_bits = 8);
    NO_DESC("deflate_window_bits", .deflate = &whole, .deflate_window_bits = 16);
    d.version = 2;
    NO_DESC("deflate", .deflate = &d);
    d = whole;
    d.window_bits_min = 7;
    NO_DESC("deflate", .deflate = &d);
    d.window_bits_min = 16;
    NO_DESC("deflate", .deflate = &d);
#define LACKS(field)                                                                               \
    do {                                                                                           \
        d = whole;                                                                                 \
        d.field = NULL;                                                                            \
        NO_DESC("deflate", .deflate = &d);                                                         \
    } while (0)
    LACKS(deflater);
    LACKS(deflater_free);
    LACKS(deflater_reset);
    LACKS(bound);
    LACKS(deflate);
    LACKS(inflater);
    LACKS(inflater_free);
    LACKS(inflater_reset);
    LACKS(inflate);
    wshub_io_fake_destroy(refusal_net);
}

/* ---- what is read ---- */

/* A mount whose WebSocket has agreed, and what it heard. */
static wshub_conn site_with(world *w, site *s, wshub_desc d, const char *extensions) {
    memset(s, 0, sizeof *s);
    world_start(w, d, FAKE(0));
    site_mount(w, s, "/s");
    return offer(w, "/s", extensions);
}

#define HI                                                                                         \
    "\0\2\0\xFD\xFF"                                                                               \
    "hi"                                                                                           \
    "\0" /* a stored block, and the beginning of an empty one */

TEST(a_compressed_message_is_heard_as_what_it_holds) { /* RFC 7692 7.2.2 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), PMD);
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
    wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), PMD);
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
    wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), PMD);
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
        wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), PMD);
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
    wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), NULL);
    frame_in(&w, c, 0xC1, HI, 8);
    EXPECT_CLOSE(&w, c, 1002);
    world_stop(&w);
}

TEST(whose_window_is_not_kept_costs_no_inflater_between_messages) { /* RFC 7692 7.1.1.2 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    world w;
    site s;
    wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), PMD "; client_no_context_takeover"),
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
    wshub_conn c = site_with(&w, &s, DESC(.deflate = &table, .log_level = WSHUB_LEVEL_DEBUG), PMD);
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
    wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), PMD);
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

/* ---- what is sent ---- */

static wshub_conn client_with(world *w, const char *extensions, char *id) {
    wshub_conn c = offer(w, "/ws", extensions);
    wshub_io_fake_frame f;
    wshub_io_fake_text(w->net, c, "{\"event\":\"authenticate\"}");
    EXPECT(wshub_io_fake_next(w->net, c, &f));
    if (id) {
        wshub_str v = wshub_json_get(wshub_json_get(f.payload, "data"), "id");
        (void)snprintf(id, 37, "%.36s", v.len == 38 ? v.ptr + 1 : "");
    }
    return c;
}

static char big[4096];
static const char *big_data(size_t n) { /* a JSON string of n bytes */
    memset(big, 'b', n);
    big[0] = big[n - 1] = '"';
    big[n] = 0;
    return big;
}

/* The next frame holds this event with big_data(n): plain, or compressed. */
static void expect_event(world *w, wshub_conn c, const char *event, size_t n, bool compressed) {
    static uint8_t want[10000];
    char text[8000];
    size_t count;
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    (void)snprintf(text, sizeof text, "{\"event\":\"%s\",\"data\":%s}", event, big_data(n));
    if (!compressed) {
        EXPECT_FRAME(w, c, 0x81, text, strlen(text));
        return;
    }
    (void)table.deflate(&codec, NULL, (const uint8_t *)text, strlen(text), want, &count);
    EXPECT_FRAME(w, c, 0xC1, want, count);
}

static void everybody(world *w, const char *event, size_t n) {
    wshub_msg m = msg(event, big_data(n));
    EXPECT_INT(wshub_all_send_here(w->hub, &m, NULL, 0), WSHUB_OK);
}

TEST(a_message_is_compressed_once_for_all_that_agreed) { /* SEND-5 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_conn c[6];
    world w;
    size_t i, turn;
    world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 6; i++)
        c[i] = client_with(&w,
                           i < 2    ? NULL
                           : i == 5 ? PMD "; server_max_window_bits=10"
                                    : PMD,
                           NULL);
    for (turn = 0; turn < 3; turn++) {
        codec.deflated = 0;
        everybody(&w, "a", 300);
        everybody(&w, "short", 20);
        everybody(&w, "b", 400);
        everybody(&w, "c", 400);
        wshub_io_fake_run(w.net);
        EXPECT_INT(codec.deflated, 6); /* two sizes of windows */
        for (i = 0; i < 6; i++) {
            expect_event(&w, c[i], "a", 300, i >= 2);
            expect_event(&w, c[i], "short", 20, false);
            expect_event(&w, c[i], "b", 400, i >= 2);
            expect_event(&w, c[i], "c", 400, i >= 2);
            EXPECT_SILENCE(&w, c[i]);
        }
    }
    EXPECT_INT(codec.deflaters, 2);
    EXPECT_INT(stats(&w).deflated, 18);
    EXPECT_OP(stats(&w).deflated_out, >, stats(&w).deflated_in);
    world_stop(&w);
    EXPECT_INT(codec.deflaters, 0);
}

TEST(nobody_plain_hears_it_and_still_it_is_written_once) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_conn c[3];
    world w;
    size_t i, turn;
    world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 3; i++) c[i] = client_with(&w, PMD, NULL);
    for (turn = 0; turn < 3; turn++) {
        everybody(&w, "a", 300);
        everybody(&w, "b", 300);
        everybody(&w, "c", 20);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 3; i++) {
            expect_event(&w, c[i], "a", 300, true);
            expect_event(&w, c[i], "b", 300, true);
            expect_event(&w, c[i], "c", 20, false);
        }
    }
    EXPECT_INT(codec.deflated, 6);
    world_stop(&w);
}

TEST(a_window_that_slides_has_each_message_for_itself) { /* RFC 7692 7.1.1.1 */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_conn c[4];
    world w;
    size_t i, turn;
    char id[37];
    world_start(&w,
                DESC(.deflate = &table, .deflate_takeover = true, .on_authenticate = accept_all),
                FAKE(0));
    for (i = 0; i < 4; i++)
        c[i] = client_with(&w,
                           i == 0   ? NULL
                           : i == 1 ? PMD "; server_no_context_takeover"
                                    : PMD,
                           i == 3 ? id : NULL);
    for (turn = 0; turn < 3; turn++) {
        everybody(&w, "a", 300);
        everybody(&w, "short", 20);
        everybody(&w, "b", 400);
        wshub_io_fake_run(w.net);
        for (i = 0; i < 4; i++) {
            expect_event(&w, c[i], "a", 300, i > 0);
            expect_event(&w, c[i], "short", 20, false);
            expect_event(&w, c[i], "b", 400, i > 0);
            EXPECT_SILENCE(&w, c[i]);
        }
    }
    EXPECT_INT(codec.deflated, 18);
    EXPECT_INT(codec.deflaters, 3);
    EXPECT_INT(codec.resets, 5); /* of the one that all share */

    /* What is dropped for who does not read has not passed its deflater. */
    codec.deflated = 0;
    wshub_io_fake_window(w.net, c[3], 0);
    for (i = 0; i < 5000; i++) {
        wshub_msg m = msg("a", big_data(300));
        (void)wshub_client_send(w.hub, world_handle(&w, id), &m);
    }
    EXPECT_OP(stats(&w).dropped_pressure, >, 0);
    EXPECT_INT(stats(&w).dropped_pressure + (uint64_t)codec.deflated, 5000);
    world_stop(&w);
    EXPECT_INT(codec.deflaters, 0);
}

TEST(what_is_not_to_be_compressed_is_not) { /* SEND-5, WSHUB_PACKET_NO_COMPRESS */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    bool slides;
    for (slides = false;; slides = true) {
        wshub_packet packet;
        wshub_dest all;
        wshub_str arg = S(big_data(300));
        wshub_conn c;
        world w;
        int i;
        codec.deflated = 0;
        world_start(
            &w, DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_all),
            FAKE(0));
        c = client_with(&w, PMD, NULL);
        memset(&packet, 0, sizeof packet);
        memset(&all, 0, sizeof all);
        all.kind = WSHUB_DEST_ALL;
        packet.event = S("p");
        packet.args = &arg;
        packet.args_count = 1;
        for (i = 0; i < 6; i++) {
            packet.flags = i % 2 ? WSHUB_PACKET_COMPRESS : WSHUB_PACKET_NO_COMPRESS;
            EXPECT_INT(wshub_packet_send_here(w.hub, &all, &packet), WSHUB_OK);
        }
        wshub_io_fake_run(w.net);
        for (i = 0; i < 6; i++) expect_event(&w, c, "p", 300, i % 2);
        EXPECT_INT(codec.deflated, 3);
        world_stop(&w);
        if (slides) break;
    }
}

TEST(the_websocket_of_a_mount_is_sent_so_too) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    bool slides;
    for (slides = false;; slides = true) {
        world w;
        site s;
        static char text[300];
        wshub_conn c;
        memset(text, 't', sizeof text);
        codec.deflated = 0;
        c = site_with(&w, &s, DESC(.deflate = &table, .deflate_takeover = slides), PMD);
        EXPECT_INT(wshub_conn_send(w.hub, c, text, 255, true), WSHUB_OK);
        EXPECT_INT(wshub_conn_send(w.hub, c, text, 256, false), WSHUB_OK);
        EXPECT_INT(wshub_conn_send(w.hub, c, NULL, 0, false), WSHUB_OK);
        EXPECT_INT(wshub_conn_send(w.hub, c, text, 300, true), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_FRAME(&w, c, 0x81, text, 255);
        {
            wshub_str payload = {NULL, 0};
            EXPECT_INT(frame_out(&w, c, &payload), 0xC2);
            EXPECT_INT(payload.len, 262);
            EXPECT_INT(frame_out(&w, c, &payload), 0x82);
            EXPECT_INT(frame_out(&w, c, &payload), 0xC1);
            EXPECT_INT(payload.len, 306);
        }
        EXPECT_INT(codec.deflated, 2);
        EXPECT_INT(codec.deflaters, 1);
        world_stop(&w);
        if (slides) break;
    }
}

/* ---- failures ---- */

TEST(what_cannot_be_compressed_is_sent_plain) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    int slides, how;
    for (slides = 0; slides < 2; slides++) {
        world w;
        site s;
        wshub_conn c, d;
        static char text[300];
        memset(text, 't', sizeof text);
        memset(&codec, 0, sizeof codec);
        d = site_with(
            &w, &s,
            DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_all),
            PMD);
        c = client_with(&w, PMD, NULL);
        for (how = 0; how < 3; how++) {
            codec.no_deflater = how == 0;
            codec.no_deflate = how == 1;
            everybody(&w, "a", 300);
            EXPECT_INT(wshub_conn_send(w.hub, d, text, 300, true), WSHUB_OK);
            wshub_io_fake_run(w.net);
            expect_event(&w, c, "a", 300, how == 2);
            if (how < 2) {
                EXPECT_FRAME(&w, d, 0x81, text, 300);
            } else {
                wshub_str payload = {NULL, 0};
                EXPECT_INT(frame_out(&w, d, &payload), 0xC1);
            }
        }
        world_stop(&w);
    }
}

TEST(without_memory_a_message_is_refused_and_the_stream_told) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    int how;
    for (how = 0; how < 2; how++) {
        world w;
        site s;
        wshub_conn c = site_with(&w, &s, DESC(.deflate = &table), PMD);
        codec.no_inflater = how == 0;
        codec.no_inflate = how == 1;
        frame_in(&w, c, 0xC1, HI, 8);
        EXPECT_CLOSE(&w, c, 1011);
        EXPECT_INT(stats(&w).inflate_refused, 0);
        codec.no_inflater = codec.no_inflate = false;
        world_stop(&w);
    }
}

static void accept_or_not(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    (void)wshub_auth_accept(hub, ask, &who);
}

/* One talk: two who agree, one of them with a window that slides where that is wished, hear and say
 * something. */
static void talk(world *w, bool slides, long fail_at) {
    static stored codec;
    wshub_deflate table = stored_codec(&codec);
    static char text[300];
    site s;
    wshub_conn c, d;
    int i;
    memset(text, 't', sizeof text);
    memset(&s, 0, sizeof s);
    world_start(
        w, DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_or_not),
        FAKE(0));
    s.later = true;
    site_mount(w, &s, "/s");
    fill_log(w);
    w->fail_at = fail_at;
    c = wshub_io_fake_open(w->net);
    (void)c;
    {
        static const char ask[] =
            "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        char request[512];
        (void)snprintf(request, sizeof request, ask, "/ws");
        wshub_io_fake_input(w->net, c, request, strlen(request));
        d = wshub_io_fake_open(w->net);
        (void)snprintf(request, sizeof request, ask, "/s");
        wshub_io_fake_input(w->net, d, request, strlen(request));
    }
    (void)wshub_http_upgrade(w->hub, s.kept, NULL, NULL);
    wshub_io_fake_text(w->net, c, "{\"event\":\"authenticate\"}");
    for (i = 0; i < 3; i++) {
        wshub_msg m = msg("a", big_data(i < 2 ? 3000 : 300));
        (void)wshub_all_send_here(w->hub, &m, NULL, 0);
    }
    (void)wshub_conn_send(w->hub, d, text, sizeof text, true);
    if (wshub_io_fake_is_open(w->net, d)) frame_in(w, d, 0x41, HI, 4);
    if (wshub_io_fake_is_open(w->net, d)) frame_in(w, d, 0x80, HI + 4, 4);
    wshub_io_fake_run(w->net);
    w->fail_at = 0;
    world_stop(w);
    EXPECT_INT(codec.deflaters, 0);
    EXPECT_INT(codec.inflaters, 0);
}

TEST(every_allocation_fails_once) { /* >>errors */
    long nth;
    int slides;
    for (slides = 0; slides < 2; slides++) {
        for (nth = 1; nth < 120; nth++) {
            world w;
            talk(&w, slides, nth);
        }
    }
}

/* ---- kinds ---- */

TEST(a_client_tells_the_kind_that_it_was_given) { /* wshub_client_kind() */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    wshub_kind_desc desc;
    wshub_kind kind;
    wshub_client client;
    world w;
    char id[37];
    int i;
    world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
    (void)client_with(&w, PMD, id);
    client = world_handle(&w, id);
    EXPECT_INT(wshub_client_kind(w.hub, client), 0);
    desc = wshub__json_kind;
    desc.name = "again";
    EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_OK);
    EXPECT_INT(wshub_client_set_kind(w.hub, client, kind), WSHUB_OK);
    EXPECT_INT(wshub_client_kind(w.hub, client), kind);
    EXPECT_INT(wshub_client_set_kind(w.hub, client, 0), WSHUB_OK);
    EXPECT_INT(wshub_client_kind(w.hub, client), 0);

    /* Where there can be no more, it is sent plain. */
    for (i = 0; i < WSHUB_KINDS_MAX; i++) {
        if (wshub_kind_add(w.hub, &desc, &kind)) break;
    }
    EXPECT_INT(wshub_client_set_kind(w.hub, client, kind), WSHUB_OK);
    EXPECT_INT(wshub_client_kind(w.hub, client), kind);
    world_stop(&w);
}

/* A kind that writes no frames. */
static wshub_err odd_encode(wshub *hub, wshub_kind kind, wshub_realm realm,
                            const wshub_packet *packet, wshub_writer *out, void *user) {
    const char *text = (const char *)user;
    uint8_t *to = wshub_writer_room(out, strlen(text));
    (void)hub;
    (void)kind;
    (void)realm;
    (void)packet;
    if (!to) return WSHUB_ERR_NOMEM;
    memcpy(to, text, strlen(text));
    wshub_writer_commit(out, strlen(text));
    return WSHUB_OK;
}

TEST(what_a_kind_writes_that_is_no_frame_stays_as_it_is) {
    static const char *const texts[] = {"\x81",
                                        "\x81\x05"
                                        "four",
                                        "\x81\x7E\x0F"};
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    size_t i;
    for (i = 0; i < 3; i++) {
        wshub_kind_desc desc;
        wshub_kind kind;
        world w;
        char id[37];
        wshub_conn c;
        world_start(&w, DESC(.deflate = &table, .on_authenticate = accept_all), FAKE(0));
        c = client_with(&w, PMD, id);
        memset(&desc, 0, sizeof desc);
        desc.name = "odd";
        desc.encode = odd_encode;
        desc.user = (void *)(uintptr_t)texts[i];
        EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_OK);
        EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, id), kind), WSHUB_OK);
        everybody(&w, "x", 20);
        wshub_io_fake_run(w.net);
        EXPECT_INT(wshub_io_fake_output(w.net, c).len, strlen(texts[i]));
        world_stop(&w);
    }
}

/* ---- answers ---- */

static wshub_deflate_form coding(const char *accepts) {
    wshub_header header = {wshub_str_z("Accept-Encoding"), wshub_str_z(accepts)};
    wshub_http http;
    memset(&http, 0, sizeof http);
    http.headers = &header;
    http.headers_count = accepts ? 1 : 0;
    return wshub_http_coding(&http);
}

TEST(a_request_says_which_codings_it_takes) { /* RFC 9110 12.5.3 */
    static const struct {
        const char *accepts;
        int form;
    } cases[] = {
        {NULL, 0},
        {"", 0},
        {"br", 0},
        {"gzip", WSHUB_DEFLATE_GZIP},
        {"GZip", WSHUB_DEFLATE_GZIP},
        {"x-gzip", WSHUB_DEFLATE_GZIP},
        {"deflate", WSHUB_DEFLATE_ZLIB},
        {"gzip, deflate, br", WSHUB_DEFLATE_GZIP},
        {"deflate, gzip;q=0.5", WSHUB_DEFLATE_ZLIB},
        {"deflate;q=0.9, gzip ; Q=1.0", WSHUB_DEFLATE_GZIP},
        {"*", WSHUB_DEFLATE_GZIP},
        {"gzip;q=0, *", WSHUB_DEFLATE_ZLIB},
        {"gzip;q=0", 0},
        {"gzip;q=0.000, deflate;q=0.001", WSHUB_DEFLATE_ZLIB},
        {"*;q=0", 0},
        {"identity, gzip;q=0.5", 0},
        {"identity;q=0.5, deflate;q=0.5", WSHUB_DEFLATE_ZLIB},
        {"identity;q=0.6, deflate;q=0.5", 0},
        {"identity;q=0, gzip;q=0", 0},
        {"gzip;q=2", 0},
        {"gzip;q=1.5", 0},
        {"gzip;q=0.12345", 0},
        {"gzip;q=", 0},
        {"gzip;q=x", 0},
        {"gzip;q=!", 0},
        {"gzip;q=0x", 0},
        {"gzip;r=1", 0},
        {"gzip;q", 0},
        {"gzip x", 0},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_INT(coding(cases[i].accepts), cases[i].form);
        if ((int)coding(cases[i].accepts) != cases[i].form)
            (void)printf("  for %s\n", cases[i].accepts);
    }
    EXPECT_STR(wshub_deflate_name(WSHUB_DEFLATE_GZIP), "gzip");
    EXPECT_STR(wshub_deflate_name(WSHUB_DEFLATE_ZLIB), "deflate");
    EXPECT(!wshub_deflate_name(WSHUB_DEFLATE_RAW));
}

TEST(bytes_are_compressed_as_a_whole) { /* wshub_deflate_whole() */
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    uint8_t *bytes;
    size_t cap, count;
    world w;
    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_OK);
    EXPECT_INT(count, 8);
    EXPECT(memcmp(bytes, HI, 8) == 0);
    (void)wshub_alloc(w.hub, bytes, cap, 0);
    codec.no_deflate = true;
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_ERR_APP);
    EXPECT(!bytes);
    w.fail_at = 2;
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_ERR_NOMEM);
    codec.no_deflater = true;
    EXPECT_INT(
        wshub_deflate_whole(w.hub, &table, WSHUB_DEFLATE_GZIP, "hi", 2, &bytes, &cap, &count),
        WSHUB_ERR_NOMEM);
    EXPECT_INT(codec.deflaters, 0);
    world_stop(&w);
}

/* A kind whose frame is long enough, with something behind it that is none. */
static wshub_err half_encode(wshub *hub, wshub_kind kind, wshub_realm realm,
                             const wshub_packet *packet, wshub_writer *out, void *user) {
    uint8_t *to = wshub_writer_frame(out, true, 300);
    (void)hub;
    (void)kind;
    (void)realm;
    (void)packet;
    (void)user;
    if (!to) return WSHUB_ERR_NOMEM;
    memset(to, 'h', 300);
    to = wshub_writer_room(out, 1);
    if (!to) return WSHUB_ERR_NOMEM;
    *to = 0x81;
    wshub_writer_commit(out, 1);
    return WSHUB_OK;
}

TEST(what_was_compressed_in_vain_is_forgotten) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    int slides;
    for (slides = 0; slides < 2; slides++) {
        static char long_text[80001];
        wshub_kind_desc desc;
        wshub_kind kind;
        world w;
        char id[37];
        wshub_msg m;
        wshub_str payload = {NULL, 0};
        wshub_conn c;
        world_start(
            &w, DESC(.deflate = &table, .deflate_takeover = slides, .on_authenticate = accept_all),
            FAKE(0));
        c = client_with(&w, PMD, id);
        memset(&desc, 0, sizeof desc);
        desc.name = "half";
        desc.encode = half_encode;
        EXPECT_INT(wshub_kind_add(w.hub, &desc, &kind), WSHUB_OK);
        EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, id), kind), WSHUB_OK);
        codec.resets = 0;
        everybody(&w, "x", 20);
        wshub_io_fake_run(w.net);
        EXPECT_INT(codec.resets, slides); /* the one that all share forgets before each */
        EXPECT_INT(frame_out(&w, c, &payload), 0x81);
        wshub_io_fake_take(w.net, c, 1);

        /* Much room is given back at once. */
        EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, id), 0), WSHUB_OK);
        memset(long_text, 'l', 80000);
        long_text[0] = long_text[79999] = '"';
        m = msg("l", long_text);
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(frame_out(&w, c, &payload), 0xC1);
        EXPECT_INT(w.hub->squeezed.cap, 0);
        world_stop(&w);
    }
}

/* What has been compressed and finds no room is sent plain or not at all, and what comes next does
 * not point back to it; what is no WebSocket is asked for no offer. */
TEST(what_has_no_room_behind_the_codec_is_as_if_it_had_not_been_compressed) { /* >>errors */
    static char text[300], long_text[80001];
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    long nth;
    int slides;
    memset(text, 't', sizeof text);
    memset(long_text, 'l', 80000);
    long_text[0] = long_text[79999] = '"';
    for (slides = 0; slides < 2; slides++) {
        for (nth = 1; nth < 12; nth++) {
            world w;
            site s;
            wshub_msg m = msg("l", long_text);
            wshub_conn plain, d = site_with(&w, &s,
                                            DESC(.deflate = &table, .deflate_takeover = slides,
                                                 .on_authenticate = accept_all),
                                            PMD);
            (void)client_with(&w, PMD, NULL);
            (void)client_with(&w, PMD, NULL);
            EXPECT_INT(wshub_conn_send(w.hub, d, text, 300, true), WSHUB_OK);
            everybody(&w, "a", 300);
            wshub_io_fake_run(w.net);

            fill_log(&w);
            w.fail_at = nth;
            (void)wshub_conn_send(w.hub, d, text, 300, true);
            w.fail_at = nth;
            (void)wshub_all_send_here(w.hub, &m, NULL, 0);
            w.fail_at = 0;
            wshub_io_fake_run(w.net);

            plain = wshub_io_fake_open(w.net);
            wshub_io_fake_input(w.net, plain, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 35);
            world_stop(&w);
            EXPECT_INT(codec.deflaters, 0);
        }
    }
}
