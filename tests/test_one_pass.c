/* What is looked at in one pass, or in words instead of bytes, finds what the slower way found,
 * which stands here beside it: the keys of a message, told apart before their strings are read;
 * messages in the usual form, and those that are taken in one step; what a mask shows of the bytes
 * it takes off; tokens and fields; the end of what is hashed; texts that need no escape (MSG-9,
 * RFC 6455 5.2, RFC 9110 5.5 and 5.6.2). */
#include "hubtest.h"

static uint64_t chance_state = 88172645463325252u;
static uint32_t chance(uint32_t n) {
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (uint32_t)(chance_state >> 20) % n;
}

/* ---- keys ---- */

static const uint8_t *slow_ws(const uint8_t *p, const uint8_t *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}

/* Reads every key as a string, decodes it, and compares it with each that is looked for. */
static wshub_json_result slow_fields(const uint8_t *p, size_t n, uint32_t depth_max,
                                     wshub_json_field *fields, size_t count) {
    const uint8_t *end = p + n, *behind, *value;
    bool first = true;

    p = slow_ws(p, end);
    if (p >= end) return WSHUB_JSON_BAD;
    if (*p != '{') {
        p = wshub__json_value(p, end, depth_max);
        return p && slow_ws(p, end) == end ? WSHUB_JSON_NO_OBJECT : WSHUB_JSON_BAD;
    }
    if (depth_max < 1) return WSHUB_JSON_BAD;
    for (p = slow_ws(p + 1, end); p < end && *p != '}'; first = false) {
        uint8_t key[300];
        size_t len, i;
        if (!first) {
            if (*p != ',') return WSHUB_JSON_BAD;
            p = slow_ws(p + 1, end);
        }
        if (p >= end || *p != '"') return WSHUB_JSON_BAD;
        behind = wshub__json_string(p + 1, end);
        if (!behind) return WSHUB_JSON_BAD;
        len = wshub_json_unescape(p + 1, (size_t)(behind - p) - 2, key, sizeof key);
        value = slow_ws(behind, end);
        if (value >= end || *value != ':') return WSHUB_JSON_BAD;
        value = slow_ws(value + 1, end);
        p = wshub__json_value(value, end, depth_max - 1);
        if (!p) return WSHUB_JSON_BAD;
        for (i = 0; i < count; i++) {
            if (strlen(fields[i].key) == len && memcmp(fields[i].key, key, len) == 0)
                fields[i].value = wshub__str(value, (size_t)(p - value));
        }
        p = slow_ws(p, end);
    }
    return p < end && slow_ws(p + 1, end) == end ? WSHUB_JSON_FIELDS : WSHUB_JSON_BAD;
}

static const char *const wanted[] = {"event", "data",     "id",    "even",        "",
                                     "a\"b",  "a\\b",     "\x01",  "a/b",         "id",
                                     "zzz",   "\xC3\xA9", "Event", "_placeholder"};
enum { WANTED = sizeof wanted / sizeof *wanted };

/* Both ways say the same of a text, for the first `count` of the keys from `from` on. Its bytes
 * lie at the very end of what is allocated, and begin at any alignment. */
static void same_fields(const uint8_t *text, size_t n, size_t from, size_t count) {
    wshub_json_field fast[WANTED], slow[WANTED];
    uint8_t *copy = (uint8_t *)malloc(n + 1);
    wshub_json_result a, b;
    size_t i;

    memset(fast, 0, sizeof fast);
    for (i = 0; i < count; i++) fast[i].key = wanted[(from + i) % WANTED];
    memcpy(slow, fast, sizeof slow);
    if (n) memcpy(copy + 1, text, n);
    a = wshub_json_fields(copy + 1, n, 5, fast, count);
    b = slow_fields(copy + 1, n, 5, slow, count);
    EXPECT_INT(a, b);
    for (i = 0; i < count && a == WSHUB_JSON_FIELDS; i++) {
        EXPECT(fast[i].value.ptr == slow[i].value.ptr);
        EXPECT(fast[i].value.len == slow[i].value.len);
    }
    free(copy);
}

TEST(keys_are_found_as_if_each_was_read_and_decoded) { /* MSG-9 */
    static const char *const parts[] = {"\"event\"",
                                        "\"data\"",
                                        "\"id\"",
                                        "\"even\"",
                                        "\"events\"",
                                        "\"\"",
                                        "\"a\\\"b\"",
                                        "\"a\\\\b\"",
                                        "\"a\\b\"",
                                        "\"a\"b\"",
                                        "\"\\u0065vent\"",
                                        "\"\x01\"",
                                        "\"\\u0001\"",
                                        "\"a/b\"",
                                        "\"a\\/b\"",
                                        "\"Event\"",
                                        "\"\xC3\xA9\"",
                                        "\"_placeholder\"",
                                        "\"event",
                                        "1",
                                        "\"x\"",
                                        "\"eve\\nnt\"",
                                        "{\"event\":2}",
                                        "[\"id\",{}]",
                                        "null",
                                        "tru"};
    static const char *const between[] = {":", " : ", "\n:\t", ",", "", "::"};
    uint32_t round, rounds = 60000 / test_stride(3);

    for (round = 0; round < rounds; round++) {
        uint8_t text[400];
        size_t n = 0, cut;
        uint32_t members = chance(5), m;
        text[n++] = '{';
        for (m = 0; m < members; m++) {
            const char *key = parts[chance(chance(4) ? 18 : 26)], *value = parts[chance(26)];
            const char *colon = between[chance(chance(8) ? 3 : 6)];
            n += (size_t)snprintf((char *)text + n, sizeof text - n, "%s%s%s%s",
                                  m && chance(30) ? "," : "", key, colon, value);
        }
        if (chance(20)) text[n++] = '}';
        if (chance(20) == 0) text[chance((uint32_t)n)] = (uint8_t)chance(256);
        cut = chance(6) ? n : chance((uint32_t)n + 1);
        same_fields(text, cut, chance(WANTED), chance(WANTED + 1));
    }
}

TEST(a_text_that_is_cut_anywhere_is_read_as_by_the_slow_way) { /* MSG-9 */
    static const char text[] = " { \"event\" : \"echo\" , \"data\":{\"id\":[1,2]},\"id\":7 , "
                               "\"event\":\"l\\u0061st\",\"_placeholder\":\"x\"} ";
    size_t n, from, at;
    for (n = 0; n < sizeof text; n++) {
        for (from = 0; from < WANTED; from++) same_fields((const uint8_t *)text, n, from, 4);
    }
    for (at = 0; at < sizeof text - 1; at++) { /* and with each other byte in each place */
        uint8_t other[sizeof text];
        uint32_t c;
        memcpy(other, text, sizeof text);
        for (c = 0; c < 256; c += test_stride(5)) {
            other[at] = (uint8_t)c;
            same_fields(other, sizeof text - 1, at % WANTED, 4);
        }
    }
}

/* ---- messages ---- */

/* What is read in the usual form is what looking for the keys finds. Returns whether it was. */
static bool same_message(const char *text, size_t n, uint32_t depth_max) {
    wshub_json_field fields[3] = {{"event", {NULL, 0}}, {"data", {NULL, 0}}, {"id", {NULL, 0}}};
    uint8_t *copy = (uint8_t *)malloc(n + 1);
    wshub_event event;
    bool usual;

    memset(&event, 0, sizeof event);
    if (n) memcpy(copy + 1, text, n); /* its end is the end of what is allocated */
    usual = wshub__json_read_usual(copy + 1, n, depth_max, &event);
    if (usual) {
        EXPECT_INT(wshub_json_fields(copy + 1, n, depth_max, fields, 3), WSHUB_JSON_FIELDS);
        EXPECT(event.event.ptr == fields[0].value.ptr + 1 && event.event.len > 0);
        EXPECT(event.event.len == fields[0].value.len - 2);
        EXPECT(!memchr(event.event.ptr, '\\', event.event.len));
        EXPECT(event.data.ptr == fields[1].value.ptr && event.data.len == fields[1].value.len);
        EXPECT(event.id.ptr == fields[2].value.ptr && event.id.len == fields[2].value.len);
    }
    free(copy);
    return usual;
}

TEST(a_message_in_the_usual_form_is_read_as_any_other) { /* MSG-2, MSG-3, MSG-9 */
    static const struct {
        const char *text;
        bool usual;
    } cases[] = {{"{\"event\":\"echo\",\"data\":\"x\"}", true},
                 {"{\"event\":\"e\",\"data\":[{\"event\":1},\"\\u0041\"],\"id\":17}", true},
                 {"{\"event\":\"a longer name than sixteen\",\"data\":null,\"id\":\"x\"}", true},
                 {"{\"event\":\"\xC3\xA9\",\"data\":12.5}", true},
                 {"{\"event\":\"\",\"data\":1}", false},
                 {"{\"event\":\"e\\n\",\"data\":1}", false},
                 {"{\"event\":\"e\"}", false},
                 {"{\"event\":\"e\",\"id\":17,\"data\":1}", false},
                 {"{\"event\":\"e\",\"data\":}", false},
                 {"{\"event\":\"e\",\"data\":1,\"id\":}", false},
                 {"{\"event\":\"e\",\"data\":1,\"data\":2}", false},
                 {"{\"event\":\"e\",\"data\":1,\"id\":1,\"id\":2}", false},
                 {"{\"event\":\"e\",\"data\":1}}", false},
                 {"{\"event\":\"e\",\"data\":1]", false},
                 {"{\"event\":\"e\",\"data\": 1}", false},
                 {"{\"event\":7,\"data\":1,\"id\":1}", false}};
    size_t i, n, at;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        EXPECT_INT(same_message(cases[i].text, strlen(cases[i].text), 5), cases[i].usual);
        for (n = 0; n < strlen(cases[i].text); n++) /* a part of one is none */
            EXPECT(!same_message(cases[i].text, n, 5) || !cases[i].usual);
        for (at = 0; at < n; at++) { /* each other byte in each place */
            uint32_t c;
            memcpy(text, cases[i].text, n);
            for (c = 0; c < 256; c += test_stride(5)) {
                text[at] = (char)c;
                (void)same_message(text, n, 5);
            }
        }
    }
    EXPECT(same_message("{\"event\":\"e\",\"data\":[]}", 23, 2));
    EXPECT(!same_message("{\"event\":\"e\",\"data\":[]}", 23, 1)); /* too deep */
}

TEST(a_short_text_is_looked_at_in_one_word) {
    size_t n, at;
    for (n = 0; n <= 40; n++) {
        uint8_t text[40];
        memset(text, 'a', sizeof text);
        if (n >= 4 && n <= 8) /* and nothing else is in it */
            EXPECT(wshub__short_word(text, n) == UINT64_C(0x6161616161616161));
        for (at = 0; at < n; at++) {
            text[at] = 0xC3;
            if (n >= 4 && n <= 8) EXPECT((wshub__short_word(text, n) & WSHUB__TOP_BITS) != 0);
            EXPECT(wshub__utf8_plain(text, n) <= at);
            EXPECT(!wshub_utf8_check(text, n));
            text[at] = 'a';
            EXPECT(wshub_utf8_check(text, n));
        }
    }
}

/* ---- masks ---- */

TEST(what_is_unmasked_shows_whether_it_is_ascii) {
    size_t at, n, k;
    uint32_t round;
    for (at = 0; at < 16; at++) {
        for (n = 0; n <= 64; n++) {
            for (round = 0; round < 6; round++) {
                uint8_t bytes[96], expected[96], mask[4];
                uint64_t offset = chance(9), seen;
                bool ascii = true;
                for (k = 0; k < sizeof bytes; k++)
                    bytes[k] = expected[k] = (uint8_t)chance(round ? 128 : 256);
                /* one that is not ASCII, in each place in turn */
                if (round == 5 && n) expected[at + chance((uint32_t)n)] = 0x80;
                for (k = 0; k < 4; k++) mask[k] = (uint8_t)chance(256);
                for (k = 0; k < n; k++) {
                    bytes[at + k] = (uint8_t)(expected[at + k] ^ mask[(offset + k) & 3]);
                    if (expected[at + k] >= 0x80) ascii = false;
                }
                seen = wshub__mask_seen(bytes + at, n, mask, offset);
                EXPECT(memcmp(bytes, expected, sizeof bytes) == 0);
                EXPECT(!(seen & WSHUB__TOP_BITS) == ascii);
            }
        }
    }
}

/* ---- heads ---- */

TEST(a_message_that_is_taken_in_one_step_is_one_that_the_slow_way_takes_too) { /* RFC 6455 5.2 */
    uint32_t first, second;
    wshub__conn conn;
    uint8_t bytes[6 + 125];

    memset(&conn, 0, sizeof conn);
    memset(bytes, 0x33, sizeof bytes);
    conn.state = WSHUB__CONN_OPEN;
    conn.message_bytes_max = conn.allowance = UINT32_MAX;
    for (first = 0; first < 256; first++) {
        for (second = 0; second < 256; second++) {
            wshub_frame frame;
            size_t n = 6 + (second & 0x7F);
            bytes[0] = (uint8_t)first;
            bytes[1] = (uint8_t)second;
            if (!wshub__ws_is_short(&conn, bytes, sizeof bytes)) continue;
            EXPECT_INT(wshub_frame_read(bytes, n, &frame), 1);
            EXPECT(wshub__frame_judge(&conn, &frame, bytes[1]) == NULL);
            EXPECT(frame.fin && frame.rsv == 0 && frame.opcode == WSHUB__OP_TEXT);
            EXPECT(frame.payload_bytes == (second & 0x7F) && frame.head_bytes == 6);

            EXPECT(wshub__ws_is_short(&conn, bytes, n));
            EXPECT(!wshub__ws_is_short(&conn, bytes, n - 1)); /* not there whole */
            EXPECT(!wshub__ws_is_short(&conn, bytes, 5));
        }
    }
    bytes[0] = 0x81;
    bytes[1] = 0x80 | 125;
    EXPECT(wshub__ws_is_short(&conn, bytes, sizeof bytes));
}

TEST(a_message_is_taken_in_one_step_only_where_nothing_stands_in_its_way) {
    static const uint8_t bytes[] = "\x81\x82mask!!";
    wshub__conn conn;
    wshub__rx rx;

    memset(&conn, 0, sizeof conn);
    memset(&rx, 0, sizeof rx);
    conn.state = WSHUB__CONN_OPEN;
    conn.message_bytes_max = conn.allowance = 2;
    EXPECT(wshub__ws_is_short(&conn, bytes, 8));

    conn.rx = &rx; /* something has arrived that is not whole, or has to wait */
    EXPECT(!wshub__ws_is_short(&conn, bytes, 8));
    conn.rx = NULL;
    conn.asked = true;
    EXPECT(!wshub__ws_is_short(&conn, bytes, 8));
    conn.asked = false;
    conn.message_bytes_max = 1;
    EXPECT(!wshub__ws_is_short(&conn, bytes, 8));
    conn.message_bytes_max = 2;
    conn.allowance = 1;
    EXPECT(!wshub__ws_is_short(&conn, bytes, 8));
    conn.allowance = 2;
    conn.state = WSHUB__CONN_CLOSING;
    EXPECT(!wshub__ws_is_short(&conn, bytes, 8));
    conn.state = WSHUB__CONN_HTTP;
    EXPECT(!wshub__ws_is_short(&conn, bytes, 8));
}

/* ---- tokens ---- */

TEST(a_byte_may_stand_in_a_token_where_rfc_9110_says_so) { /* 5.6.2 */
    uint32_t c;
    for (c = 0; c < 256; c++) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool sign = c && strchr("!#$%&'*+-.^_`|~", (int)c);
        EXPECT(wshub__http_token_char((uint8_t)c) == (letter || sign));
    }
}

TEST(each_byte_of_a_token_and_of_a_field_is_looked_at) { /* RFC 9110 5.5, 5.6.2 */
    size_t n, at;
    uint32_t c;

    EXPECT(!wshub__http_is_token(wshub__str("", 0)));
    EXPECT(wshub__http_is_clean((const uint8_t *)"", (const uint8_t *)""));
    for (n = 1; n <= 20; n++) {
        for (at = 0; at < n; at++) {
            uint8_t text[20];
            memset(text, 'a', sizeof text);
            for (c = 0; c < 256; c++) {
                text[at] = (uint8_t)c;
                EXPECT(wshub__http_is_token(wshub__str(text, n)) ==
                       wshub__http_token_char((uint8_t)c));
                EXPECT(wshub__http_is_clean(text, text + n) ==
                       ((c >= 0x20 || c == '\t') && c != 0x7F));
            }
        }
    }
}

/* ---- hashes ---- */

static void slow_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
    v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
    v[0] = v[0] << 32 | v[0] >> 32;
    v[2] += v[1];
    v[0] += v[3];
    v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
    v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
    v[2] = v[2] << 32 | v[2] >> 32;
}
/* SipHash-1-3, each word gathered byte by byte. */
static uint64_t slow_siphash(const uint64_t key[2], const uint8_t *p, size_t n) {
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t w = 0;
    size_t i;
    for (i = 0; i <= n; i++) {
        w |= (uint64_t)(i < n ? p[i] : 0) << 8 * (i % 8);
        if (i < n && i % 8 != 7) continue;
        if (i == n) w |= (uint64_t)(n & 0xFF) << 56;
        v[3] ^= w;
        slow_round(v);
        v[0] ^= w;
        w = 0;
    }
    v[2] ^= 0xFF;
    slow_round(v);
    slow_round(v);
    slow_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

TEST(a_hash_is_the_same_whichever_way_its_last_bytes_are_taken) {
    size_t at, n, k;
    for (at = 0; at < 16; at++) {
        for (n = 0; n <= 64; n++) {
            const uint64_t key[2] = {chance_state * 3, chance_state * 5};
            uint8_t *bytes = (uint8_t *)malloc(at + n + 1); /* nothing lies behind them */
            for (k = 0; k < at + n; k++) bytes[k] = (uint8_t)chance(256);
            EXPECT(wshub_siphash(key, bytes + at, n) == slow_siphash(key, bytes + at, n));
            free(bytes);
        }
    }
}

/* ---- quotes ---- */

TEST(what_needs_no_escape_is_quoted_as_what_needs_one_and_cut_in_the_same_places) {
    uint32_t round;
    for (round = 0; round < 20000; round++) {
        char text[70], buf[150], whole[500];
        size_t n = chance(65), cap = chance(80), len = 0, k, got;
        for (k = 0; k < n; k++) text[k] = (char)(chance(60) ? 0x20 + chance(0xE0) : chance(0x60));
        whole[len++] = '"';
        for (k = 0; k < n; k++) {
            uint8_t c = (uint8_t)text[k];
            const char *at = c ? strchr("\"\"\\\\\bb\tt\nn\ff\rr", c) : NULL;
            if (c == '"' || c == '\\' || (c < 0x20 && at))
                len += (size_t)snprintf(whole + len, 3, "\\%c", c < 0x20 ? at[1] : c);
            else if (c < 0x20)
                len += (size_t)snprintf(whole + len, 7, "\\u%04x", c);
            else
                whole[len++] = (char)c;
        }
        whole[len++] = '"';
        memset(buf, 'x', sizeof buf);
        got = wshub_json_quote(wshub__str(text, n), cap ? buf : NULL, cap);
        EXPECT_INT(got, len);
        EXPECT_INT(wshub_json_quoted_len(wshub__str(text, n)), len);
        EXPECT(memcmp(buf, whole, len < cap ? len : cap) == 0);
        EXPECT(buf[cap] == 'x');
    }
}
