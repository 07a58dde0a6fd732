/* Frames on a WebSocket, their heads, masks and close codes, whole and at every cut; fragments,
 * Ping and Pong, with memory and without (BYE-3, MSG-1; RFC 6455 5 to 7). */
#include "hubtest.h"

TEST(frame_heads_have_one_minimal_form) { /* RFC 6455 5.2 */
    /* clang-format off */
    static const uint64_t lengths[] = {
        0, 1, 125, 126, 127, 65535, 65536, UINT64_C(0x7FFFFFFF), UINT64_C(0x80000001),
        UINT64_C(0xFFFFFFFF), UINT64_C(0x100000000), UINT64_C(0x7FFFFFFFFFFFFFFF),
    };
    /* clang-format on */
    size_t i, k;
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        wshub_frame f, g;
        uint8_t buf[14];
        size_t n;
        memset(&f, 0, sizeof f);
        memset(&g, 0, sizeof g);
        f.payload_bytes = lengths[i];
        f.fin = true;
        f.masked = i % 2 == 0;
        f.opcode = 2;
        n = wshub_frame_write(&f, buf);
        for (k = 0; k < n; k++) EXPECT_INT(wshub_frame_read(buf, k, &g), 0);
        EXPECT_INT(wshub_frame_read(buf, n, &g), 1);
        EXPECT(g.payload_bytes == lengths[i] && g.fin && g.masked == f.masked && g.opcode == 2 &&
               g.head_bytes == n);
    }
    EXPECT_INT(wshub_frame_read((const uint8_t *)"\x82\x7E\x00\x7D", 4,
                                (wshub_frame[1]){{0, 0, 0, false, false, {0}, 0}}),
               -1);
    EXPECT_INT(wshub_frame_read((const uint8_t *)"\x82\x7F\0\0\0\0\0\0\xFF\xFF", 10,
                                (wshub_frame[1]){{0, 0, 0, false, false, {0}, 0}}),
               -1);
    EXPECT_INT(wshub_frame_read((const uint8_t *)"\x82\x7F\x80\0\0\0\0\1\0\0", 10,
                                (wshub_frame[1]){{0, 0, 0, false, false, {0}, 0}}),
               -1);
}

TEST(masking_is_the_same_at_every_offset_and_length) {
    uint8_t mask[4] = {1, 0x22, 0xF3, 0x44}, a[70], b[70];
    size_t n, i, offset;
    for (n = 0; n < 70; n++) {
        for (offset = 0; offset < 9; offset++) {
            for (i = 0; i < n; i++) a[i] = b[i] = (uint8_t)(i * 7);
            wshub_mask(a, n, mask, offset);
            for (i = 0; i < n; i++) b[i] = (uint8_t)(b[i] ^ mask[(i + offset) & 3]);
            EXPECT(memcmp(a, b, n) == 0);
        }
    }
}

TEST(close_codes_are_those_of_the_registry) { /* RFC 6455 7.4 */
    uint32_t c;
    for (c = 0; c < 65536; c++) {
        bool want =
            (c >= 1000 && c <= 1003) || (c >= 1007 && c <= 1014) || (c >= 3000 && c <= 4999);
        EXPECT(wshub__close_code_ok((uint16_t)c) == want);
    }
}

static wshub_err echo(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    return wshub_client_send(hub, c, &m);
}

/* Builds a frame in hex-like steps: opcode byte, mask flag and length byte as given, then a
 * masked payload. */
typedef struct wire {
    uint8_t b[70000];
    size_t n;
} wire;
static void put(wire *o, uint8_t first, uint64_t announced, int form, bool masked,
                const char *payload, size_t len) {
    static const uint8_t mask[4] = {9, 8, 7, 6};
    size_t i;
    uint8_t m = masked ? 0x80 : 0;
    o->b[o->n++] = first;
    if (form == 1) {
        o->b[o->n++] = (uint8_t)(m | announced);
    } else if (form == 2) {
        o->b[o->n++] = (uint8_t)(m | 126);
        o->b[o->n++] = (uint8_t)(announced >> 8);
        o->b[o->n++] = (uint8_t)announced;
    } else {
        o->b[o->n++] = (uint8_t)(m | 127);
        for (i = 0; i < 8; i++) o->b[o->n++] = (uint8_t)(announced >> (56 - 8 * i));
    }
    if (masked) {
        memcpy(o->b + o->n, mask, 4);
        o->n += 4;
    }
    if (len) memcpy(o->b + o->n, payload, len);
    if (masked) wshub_mask(o->b + o->n, len, mask, 0);
    o->n += len;
}
static void text(wire *o, uint8_t first, const char *s) {
    put(o, first, strlen(s), 1, true, s, strlen(s));
}
typedef void build(wire *o);
#define FRAMES(name, body)                                                                         \
    static void name(wire *o) {                                                                    \
        body;                                                                                      \
    }
FRAMES(f_ok, text(o, 0x81, "{\"event\":\"e\",\"data\":1}"))
FRAMES(f_fragments, text(o, 0x01, "{\"event\":"); text(o, 0x89, "p"); text(o, 0x00, "\"e\",\"da");
       text(o, 0x80, "ta\":1}"))
FRAMES(f_empty_fragments, text(o, 0x01, ""); text(o, 0x00, "{\"event\":\"e\",\"data\":1}");
       text(o, 0x80, ""))
FRAMES(f_utf8_cut, text(o, 0x01, "{\"event\":\"e\",\"data\":\"\xE6"); text(o, 0x00, "\xBC");
       text(o, 0x80, "\xA2\"}"))
FRAMES(f_unmasked, put(o, 0x81, 2, 1, false, "{}", 2))
FRAMES(f_rsv1, text(o, 0xC1, "{}"))
FRAMES(f_rsv2, text(o, 0xA1, "{}"))
FRAMES(f_rsv3, text(o, 0x91, "{}"))
FRAMES(f_op3, text(o, 0x83, "x"))
FRAMES(f_op7, text(o, 0x87, "x"))
FRAMES(f_op11, text(o, 0x8B, "x"))
FRAMES(f_op15, text(o, 0x8F, "x"))
FRAMES(f_ping_fragment, text(o, 0x09, "x"))
FRAMES(f_ping_126, put(o, 0x89, 126, 2, true, "", 0))
FRAMES(f_close_126, put(o, 0x88, 126, 2, true, "", 0))
FRAMES(f_cont_nothing, text(o, 0x80, "x"))
FRAMES(f_new_inside, text(o, 0x01, "{"); text(o, 0x81, "{}"))
FRAMES(f_binary_inside, text(o, 0x01, "{"); text(o, 0x82, "}"))
FRAMES(f_len16, put(o, 0x81, 125, 2, true, "", 0))
FRAMES(f_len64, put(o, 0x81, 65535, 3, true, "", 0))
FRAMES(f_len_top, put(o, 0x81, UINT64_C(0x8000000000000000), 3, true, "", 0))
FRAMES(f_len_huge, put(o, 0x81, UINT64_C(0x7FFFFFFFFFFFFFFF), 3, true, "", 0))
FRAMES(f_len_4g, put(o, 0x82, UINT64_C(0x100000001), 3, true, "", 0))
FRAMES(f_too_big, put(o, 0x81, 1001, 2, true, "", 0))
FRAMES(
    f_too_big_sum, put(o, 0x01, 600, 2, true, "", 0); {
        int i;
        for (i = 0; i < 600; i++) o->b[o->n++] = (uint8_t)("\x09\x08\x07\x06"[i & 3] ^ 'a');
    } put(o, 0x80, 401, 2, true, "", 0))
FRAMES(f_bad_utf8, text(o, 0x81, "{\"event\":\"\xFF\"}"))
FRAMES(f_open_utf8, text(o, 0x81, "{\"event\":\"\xE2\x82"))
FRAMES(f_open_utf8_empty_end, text(o, 0x01, "\xE2\x82"); text(o, 0x80, ""))
FRAMES(f_close_1, text(o, 0x88, "\x03"))
FRAMES(f_close_999, text(o, 0x88, "\x03\xE7"))
FRAMES(f_close_1005, text(o, 0x88, "\x03\xED"))
FRAMES(f_close_5000, text(o, 0x88, "\x13\x88"))
FRAMES(f_close_utf8, text(o, 0x88, "\x03\xE8\xFF"))
FRAMES(f_close_ok, text(o, 0x88, "\x0F\xA0yes"))
FRAMES(f_close_none, text(o, 0x88, ""))
FRAMES(f_ping_between_close, text(o, 0x89, "a"); text(o, 0x88, "\x03\xE8"); text(o, 0x89, "b"))

static const struct {
    const char *name;
    build *fn;
    int code;
    const char *first;
    /* clang-format off */
} cases[] = {
    {"whole", f_ok, 0, "{\"event\":\"e\",\"data\":1}"},
    {"fragments and a ping", f_fragments, 0, "p"},
    {"empty fragments", f_empty_fragments, 0, "{\"event\":\"e\",\"data\":1}"},
    {"a character cut by fragments", f_utf8_cut, 0, "{\"event\":\"e\",\"data\":\"\xE6\xBC\xA2\"}"},
    {"not masked", f_unmasked, 1002, ""},
    {"RSV1", f_rsv1, 1002, ""},
    {"RSV2", f_rsv2, 1002, ""},
    {"RSV3", f_rsv3, 1002, ""},
    {"opcode 3", f_op3, 1002, ""},
    {"opcode 7", f_op7, 1002, ""},
    {"opcode 11", f_op11, 1002, ""},
    {"opcode 15", f_op15, 1002, ""},
    {"a fragmented ping", f_ping_fragment, 1002, ""},
    {"a ping of 126", f_ping_126, 1002, ""},
    {"a close of 126", f_close_126, 1002, ""},
    {"continuation of nothing", f_cont_nothing, 1002, ""},
    {"text inside text", f_new_inside, 1002, ""},
    {"binary inside text", f_binary_inside, 1002, ""},
    {"16 bits for 125", f_len16, 1002, ""},
    {"64 bits for 65535", f_len64, 1002, ""},
    {"the top bit of a length", f_len_top, 1002, ""},
    {"2^63-1 bytes", f_len_huge, 1009, ""},
    {"4 GiB and 1", f_len_4g, 1009, ""},
    {"1001 of 1000", f_too_big, 1009, ""},
    {"600 and 401 of 1000", f_too_big_sum, 1009, ""},
    {"bad UTF-8", f_bad_utf8, 1007, ""},
    {"open UTF-8", f_open_utf8, 1007, ""},
    {"open UTF-8, empty end", f_open_utf8_empty_end, 1007, ""},
    {"a close of one byte", f_close_1, 1002, ""},
    {"close 999", f_close_999, 1002, ""},
    {"close 1005", f_close_1005, 1002, ""},
    {"close 5000", f_close_5000, 1002, ""},
    {"a reason that is no text", f_close_utf8, 1007, ""},
    {"close 4000", f_close_ok, 4000, ""},
    {"close without a code", f_close_none, -1, ""},
    {"nothing behind the close", f_ping_between_close, 1000, "a"},
};
/* clang-format on */

TEST(frames_lead_to_the_same_at_every_cut) { /* BYE-3 */
    static wire o;
    size_t i, k, runs = 0;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        o.n = 0;
        cases[i].fn(&o);
        for (k = 0; k <= o.n && k <= 80; k++) {
            world w;
            wshub_conn c;
            wshub_io_fake_frame f;
            int before = test_failures;
            world_start(
                &w,
                DESC(.on_authenticate = accept_all, .on_message = echo, .payload_bytes_max = 1000),
                FAKE(0));
            c = world_client(&w, NULL, NULL);
            if (k == 0) wshub_io_fake_set_cut(w.net, 1, 1);
            wshub_io_fake_input(w.net, c, o.b, k && k <= 80 ? k : o.n);
            if (k && k < o.n) wshub_io_fake_input(w.net, c, o.b + k, o.n - k);
            if (cases[i].first[0]) {
                EXPECT(wshub_io_fake_next(w.net, c, &f) &&
                       wshub_str_eq_z(f.payload, cases[i].first));
            }
            if (cases[i].code) {
                EXPECT_CLOSE(&w, c, cases[i].code > 0 ? cases[i].code : 0);
                EXPECT_SILENCE(&w, c);
                EXPECT_INT(stats(&w).clients, 0);
            } else {
                EXPECT(wshub_io_fake_is_open(w.net, c));
            }
            world_stop(&w);
            runs++;
            if (test_failures > before) {
                (void)printf("  %s, cut at %u\n", cases[i].name, (unsigned)k);
                break;
            }
        }
    }
    (void)printf("  %u sessions\n", (unsigned)runs);
}

TEST(an_announced_message_costs_nothing_before_it_comes) { /* RFC6455.md goal 5 */
    world w;
    wshub_conn c;
    size_t before;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, NULL, NULL);
    before = w.bytes;
    wshub_io_fake_input(w.net, c, "\x82\xFF\0\0\0\0\0\2\0\0\1\2\3\4x", 15);
    EXPECT_OP(w.bytes - before, <, sizeof(wshub__rx) + 32);
    world_stop(&w);
}

/* CVE-2026-48779: 0-byte and 1-byte fragments */
TEST(a_million_tiny_fragments_cost_what_they_hold) {
    world w;
    wshub_conn c;
    size_t before, i;
    wire *o = (wire *)calloc(1, sizeof *o);
    world_start(&w, DESC(.on_authenticate = accept_all, .message_timeout_ms = WSHUB_OFF), FAKE(0));
    c = world_client(&w, NULL, NULL);
    before = w.bytes;
    w.peak = 0;
    text(o, 0x01, "{");
    wshub_io_fake_input(w.net, c, o->b, o->n);
    for (o->n = 0, i = 0; i < 10000; i++) text(o, 0x00, "");
    for (i = 0; i < 100; i++) wshub_io_fake_input(w.net, c, o->b, o->n);
    EXPECT_OP(w.peak - before, <, 1024);
    for (o->n = 0, i = 0; i < 9000; i++) text(o, 0x00, "x");
    for (i = 0; i < 14; i++) wshub_io_fake_input(w.net, c, o->b, o->n);
    EXPECT_OP(w.peak - before, <=, 2 * 131072 + 1024);
    EXPECT(wshub_io_fake_is_open(w.net, c));
    wshub_io_fake_input(w.net, c, o->b, o->n); /* over the limit */
    EXPECT_CLOSE(&w, c, 1009);
    free(o);
    world_stop(&w);
}

TEST(while_the_peer_does_not_read_only_the_latest_ping_is_answered) { /* RFC6455.md goal 6 */
    world w;
    wshub_conn c;
    size_t before;
    int i;
    char p[16];
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = echo), FAKE(0));
    c = world_client(&w, NULL, NULL);
    wshub_io_fake_window(w.net, c, 0);
    wshub_io_fake_text(w.net, c, "{\"event\":\"m\",\"data\":\"block\"}");
    before = w.bytes;
    for (i = 0; i < 1000; i++) {
        (void)snprintf(p, sizeof p, "%d", i % 1000);
        wshub_io_fake_send(w.net, c, 9, true, p, strlen(p));
    }
    EXPECT_OP(w.bytes - before, <, 1024);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    EXPECT_TEXT(&w, c, "{\"event\":\"m\",\"data\":\"block\"}");
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 10 && wshub_str_eq_z(f.payload, "999"));
    EXPECT_SILENCE(&w, c);
    world_stop(&w);
}

static const uint8_t *lies_from, *lies_to;
static int in_place;
static wshub_err where(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    in_place += (const uint8_t *)e->data.ptr >= lies_from &&
                (const uint8_t *)e->data.ptr + e->data.len <= lies_to &&
                (const uint8_t *)e->event.ptr >= lies_from;
    return WSHUB_OK;
}

TEST(a_whole_message_is_delivered_where_it_lies) { /* DESIGN 4: no copy, no allocation */
    static wire o;
    world w;
    wshub_conn c;
    size_t before;
    in_place = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_message = where), FAKE(0));
    c = world_client(&w, NULL, NULL);
    o.n = 0;
    text(&o, 0x81, "{\"event\":\"a\",\"data\":[1,2]}");
    text(&o, 0x81, "{\"event\":\"\\u0062\",\"data\":\"\\u0062\"}");
    lies_from = o.b;
    lies_to = o.b + o.n;
    before = w.bytes;
    w.peak = 0;
    wshub_conn_received(w.hub, c, o.b, o.n);
    EXPECT_INT(in_place, 2);
    EXPECT(w.bytes == before && w.peak == 0);
    wshub_io_fake_run(w.net);
    world_stop(&w);
}

TEST(pings_that_wait_with_and_without_payload_and_memory) { /* RFC 6455 5.5.3 */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    wshub_msg m = msg("e", "1");
    size_t before;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, "u", NULL);
    before = w.bytes;
    for (i = 0; i < 3; i++) { /* empty; with a payload; with one that cannot be kept */
        wshub_io_fake_window(w.net, c, 0);
        EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
        wshub_io_fake_run(w.net);
        w.fail_at = i == 2 ? 1 : 0;
        wshub_io_fake_send(w.net, c, 9, true, "abc", i ? 3 : 0);
        w.fail_at = 0;
        wshub_io_fake_window(w.net, c, UINT64_MAX);
        wshub_io_fake_run(w.net);
        EXPECT_TEXT(&w, c, "{\"event\":\"e\",\"data\":1}");
        EXPECT(wshub_io_fake_next(w.net, c, &f) == (i < 2));
        if (i < 2) EXPECT(f.opcode == 10 && wshub_str_eq_z(f.payload, i ? "abc" : ""));
        EXPECT_INT(w.bytes, before);
    }
    world_stop(&w);
}

static int binaries_heard, texts_heard;
static wshub_err count_binary(wshub *hub, wshub_client c, const uint8_t *bytes, size_t count,
                              void *user) {
    (void)hub;
    (void)c;
    (void)user;
    EXPECT(count == 16 && bytes[15] == '}');
    binaries_heard++;
    return WSHUB_OK;
}
static wshub_err count_text(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)user;
    EXPECT(wshub_str_eq_z(e->event, "here"));
    texts_heard++;
    return WSHUB_OK;
}

TEST(what_comes_in_fragments_keeps_its_kind) { /* RFC 6455 5.4; MSG-1 */
    static const char text[] = "{\"event\":\"here\"}";
    int opcode, cut;
    world w;
    wshub_conn c;
    world_start(
        &w,
        DESC(.on_authenticate = accept_all, .on_message = count_text, .on_binary = count_binary),
        FAKE(0));
    c = world_client(&w, "u", NULL);
    binaries_heard = texts_heard = 0;
    for (opcode = 1; opcode <= 2; opcode++) {
        for (cut = 0; cut <= 16; cut++) {
            wshub_io_fake_send(w.net, c, (uint8_t)opcode, false, text, (size_t)cut);
            wshub_io_fake_send(w.net, c, 0, true, text + cut, 16 - (size_t)cut);
            EXPECT_INT(texts_heard, opcode == 1 ? cut + 1 : 17);
            EXPECT_INT(binaries_heard, opcode == 2 ? cut + 1 : 0);
        }
    }
    world_stop(&w);
}

TEST(pings_while_a_send_is_under_way) { /* RFC 6455 5.5.3: the latest need be answered */
    world w;
    wshub_conn c;
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(.completion = true, .take_bytes = 3));
    c = world_client(&w, "u", NULL);
    wshub_io_fake_window(w.net, c, 0);
    wshub_io_fake_send(w.net, c, 9, true, "a", 1);
    wshub_io_fake_send(w.net, c, 9, true, "b", 1);
    wshub_io_fake_send(w.net, c, 9, true, "c", 1);
    wshub_io_fake_window(w.net, c, UINT64_MAX);
    wshub_io_fake_run(w.net);
    while (wshub_io_fake_next(w.net, c, &f) && f.opcode != 10) {
    }
    EXPECT(f.opcode == 10 && wshub_str_eq_z(f.payload, "a"));
    EXPECT(wshub_io_fake_next(w.net, c, &f) && f.opcode == 10 && wshub_str_eq_z(f.payload, "c"));
    EXPECT_SILENCE(&w, c);
    world_stop(&w);
}

TEST(starved_frames) { /* Ping, Pong, Close: their absence harms nobody else */
    world w;
    wshub_conn c, d, e;
    wshub_io_fake_frame f;
    world_start(&w, DESC(.on_authenticate = accept_all, .idle_timeout_ms = 10000), FAKE(0));
    c = world_client(&w, "u", NULL);
    d = world_client(&w, "u", NULL);
    e = world_client(&w, "u", NULL);
    fill_log(&w);
    starve(&w);
    wshub_io_fake_send_close(w.net, c, 1000, "");   /* cannot be answered */
    wshub_io_fake_send(w.net, d, 9, true, "p", 1);  /* nor this */
    wshub_io_fake_send(w.net, e, 11, true, "p", 1); /* a breach, without its Close */
    mend(&w);
    EXPECT(!wshub_io_fake_is_open(w.net, c) && wshub_io_fake_is_open(w.net, d) &&
           !wshub_io_fake_is_open(w.net, e));
    EXPECT(!wshub_io_fake_next(w.net, d, &f));
    wshub_io_fake_advance(w.net, 4999);
    starve(&w);
    /* half the silence: a Ping that cannot be sent counts as sent */
    wshub_io_fake_advance(w.net, 1);
    mend(&w);
    EXPECT_INT(stats(&w).pings_sent, 0);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT(!wshub_io_fake_is_open(w.net, d));
    world_stop(&w);
}
