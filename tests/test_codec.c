/* The pure functions against slow and obvious twins and the standards' own vectors. */
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "test.h"

static bool json_ok(const char *text) {
    return wshub_json_check(wshub_str_z(text), 0);
}

TEST(sha1_and_accept_key_are_those_of_the_standards) { /* FIPS 180-4 examples, RFC 6455 1.3 */
    uint8_t d[20];
    char accept[28], big[200];
    wshub_sha1((const uint8_t *)"abc", 3, d);
    EXPECT(memcmp(d, "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d", 20) == 0);
    wshub_sha1((const uint8_t *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, d);
    EXPECT(memcmp(d, "\x84\x98\x3e\x44\x1c\x3b\xd2\x6e\xba\xae\x4a\xa1\xf9\x51\x29\xe5\xe5\x46\x70\xf1", 20) == 0);
    memset(big, 'a', sizeof big);
    wshub_sha1((const uint8_t *)big, 64, d);
    EXPECT(memcmp(d, "\x00\x98\xba\x82\x4b\x5c\x16\x42\x7b\xd7\xa1\x12\x2a\x5a\x44\x2a\x25\xec\x64\x4d", 20) == 0);
    wshub_accept_key(wshub_str_z("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    EXPECT(memcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28) == 0);
}

TEST(base64_is_that_of_rfc_4648) {
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    size_t i;
    for (i = 0; i < 7; i++) {
        char out[16];
        size_t n = wshub_base64((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), out);
        EXPECT(n == strlen(pairs[i][1]) && memcmp(out, pairs[i][1], n) == 0);
    }
}

static bool slow_utf8(const uint8_t *p, size_t n) { /* decodes, then asks whether this was the one way to write it */
    size_t i = 0;
    while (i < n) {
        uint32_t cp = p[i], more = cp < 0x80 ? 0 : cp >= 0xF0 && cp < 0xF8 ? 3 : cp >= 0xE0 && cp < 0xF0 ? 2 : cp >= 0xC0 && cp < 0xE0 ? 1 : 9, k;
        if (more == 9 || i + more >= n) return false;
        if (more) cp &= 0x3Fu >> more;
        for (k = 1; k <= more; k++) {
            if ((p[i + k] & 0xC0) != 0x80) return false;
            cp = cp << 6 | (p[i + k] & 0x3Fu);
        }
        if ((more == 1 && cp < 0x80) || (more == 2 && cp < 0x800) || (more == 3 && cp < 0x10000)) return false;
        if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) return false;
        i += more + 1;
    }
    return true;
}

TEST(siphash_is_that_of_other_implementations) { /* SipHash-1-3, key 00 01 .. 0f, text 00 01 .. */
    static const struct { size_t count; uint64_t want; } cases[] = {
        {0, UINT64_C(0xabac0158050fc4dc)}, {1, UINT64_C(0xc9f49bf37d57ca93)}, {7, UINT64_C(0xd3927d989bb11140)},
        {8, UINT64_C(0x369095118d299a8e)}, {15, UINT64_C(0xd320d86d2a519956)}, {63, UINT64_C(0x9d199062b7bbb3a8)},
    };
    static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t text[63];
    size_t i;
    for (i = 0; i < sizeof text; i++) text[i] = (uint8_t)i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT(wshub__siphash(key, text, cases[i].count, 0) == cases[i].want);
        EXPECT(wshub__siphash(key, text, cases[i].count, 1) != cases[i].want);
    }
}

TEST(utf8_agrees_with_a_slow_decoder_on_every_short_sequence) { /* RFC 3629 */
    uint32_t a, b, c;
    int wrong = 0;
    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            for (c = 0; c < 256; c += 5) {
                uint8_t s[6];
                size_t n;
                s[0] = (uint8_t)a;
                s[1] = (uint8_t)b;
                s[2] = (uint8_t)c;
                s[3] = (uint8_t)(0x80 | (c & 0x3F));
                for (n = 1; n <= 4; n++) wrong += wshub_utf8_check(s, n) != slow_utf8(s, n);
            }
        }
    }
    EXPECT_INT(wrong, 0);
}

TEST(utf8_is_refused_at_its_first_bad_byte) { /* RFC6455.md goal 3 */
    static const struct { const char *bytes; size_t good; } cases[] = {
        {"ab\x80", 2}, {"ab\xC0\xAF", 2}, {"\xED\xA0\x80", 1}, {"\xE2\x82" "a", 2}, {"\xF4\x90\x80\x80", 1}, {"\xF8", 0}, {"\xE0\x9F", 1}, {"\xF0\x8F", 1},
        {"12345678\xFF", 8}, {"1234567\xC3(", 8},
    };
    size_t i, k;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t s = WSHUB__UTF8_OK;
        for (k = 0; k < strlen(cases[i].bytes); k++) {
            s = wshub__utf8_feed(s, (const uint8_t *)cases[i].bytes + k, 1);
            EXPECT((s == WSHUB__UTF8_BAD) == (k >= cases[i].good));
            if (s == WSHUB__UTF8_BAD) break;
        }
    }
}

TEST(json_takes_what_rfc_8259_says_and_nothing_else) { /* MSG-9 */
    static const char *const good[] = {"{}", "[]", "null", "true", "false", "0", "-0", "1", "-1.5e+10", "1E-2", "0.5", "\"\"", "\"\\u00e9\\ud83d\\ude00\\/\"", " [ 1 , 2 ] ", "{\"a\":[{}]}",
                                       "\t\r\n 1", "\"\xC3\xA9\"", "[[],[[]],{\"a\":{}}]", "\"\\ud800\"", "{\"a\":1,\"a\":2}", "123456789012345678901234567890", "\"\x7F\""};
    static const char *const bad[] = {"", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{\"a\" 1}", "{1:2}", "{a:1}", "'a'", "01", "+1", ".5", "1.", "1e", "0x10", "NaN", "Infinity", "-",
                                      "TRUE", "nul", "\"\\x41\"", "\"\\u12\"", "\"\\u00zz\"", "\"a\tb\"", "\"a\nb\"", "\"open", "\"a\\", "/*c*/1", "1//c", "\xC2\xA0" "1", "\xEF\xBB\xBF" "1", "1 2", "{} {}", "\"\xFF\"",
                                      "[1}", "{\"a\":1]", "--1", "1e+", "\"\xC3\"", "{\"a\"}", "{,}", "[\"a\" \"b\"]", "tru", "truex", "{\"a\":}"};
    size_t i;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        if (!json_ok(good[i])) (void)printf("  refused: %s\n", good[i]);
        EXPECT(json_ok(good[i]));
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (json_ok(bad[i])) (void)printf("  taken: %s\n", bad[i]);
        EXPECT(!json_ok(bad[i]));
    }
    EXPECT(!wshub_json_check(wshub__str("\"a\0b\"", 5), 0));
}

TEST(json_nesting_ends_at_the_limit) { /* MSG-9 */
    char text[5000];
    uint32_t depth;
    for (depth = 1; depth < 70; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        EXPECT(wshub_json_check(wshub__str(text, 2 * depth), depth));
        EXPECT(!wshub_json_check(wshub__str(text, 2 * depth), depth - 1 ? depth - 1 : 1) || depth == 1);
    }
    memset(text, '[', 1024);
    memset(text + 1024, ']', 1024);
    EXPECT(wshub_json_check(wshub__str(text, 2048), 0));
    memset(text, '[', 1025);
    memset(text + 1025, ']', 1025);
    EXPECT(!wshub_json_check(wshub__str(text, 2050), 0));
    memset(text, '[', 4999);
    EXPECT(!wshub_json_check(wshub__str(text, 4999), 0));
}

TEST(json_values_are_found_where_they_stand) {
    wshub_str o = wshub_str_z(" {\"a\":1.0, \"\\u0062\" : [1, {\"x\":2} ,\"s\"],\"a\":\"l\\u00e4st\",\"\":0} "), v;
    wshub_iter it = {0, 0};
    char buf[16];
    uint64_t n = 0;
    int count = 0;
    v = wshub_json_get(o, "a");
    EXPECT(wshub_str_eq_z(v, "\"l\\u00e4st\""));
    EXPECT_INT(wshub_json_text(v, buf, sizeof buf), 5);
    EXPECT(memcmp(buf, "l\xC3\xA4st", 5) == 0);
    EXPECT_INT(wshub_json_text(v, buf, 1), 5);
    EXPECT(wshub_json_text(wshub_str_z("5"), buf, 1) == SIZE_MAX);
    EXPECT(wshub_json_get(o, "zz").ptr == NULL && wshub_json_get(wshub_str_z("[1]"), "a").ptr == NULL);
    v = wshub_json_get(o, "b");
    EXPECT_INT(wshub_json_type(v), WSHUB_JSON_ARRAY);
    {
        wshub_str item;
        while (wshub_json_each(v, &it, &item)) count++;
    }
    EXPECT_INT(count, 3);
    EXPECT(wshub_json_uint(wshub_str_z("9007199254740991"), &n) && n == UINT64_C(9007199254740991));
    EXPECT(!wshub_json_uint(wshub_str_z("9007199254740992"), &n) && !wshub_json_uint(wshub_str_z("-1"), &n) && !wshub_json_uint(wshub_str_z("01"), &n) && !wshub_json_uint(wshub_str_z("1.0"), &n));
}

TEST(json_fields_are_found_whatever_their_keys) { /* MSG-9 */
    static const char text[] = "{\"\":1,\"\\u0061\":2,\"ab\":3,\"a\\u0000\":4,\"b\":[{}],\"\\u0061b\":5}";
    wshub_json_field f[4] = {{"", {NULL, 0}}, {"a", {NULL, 0}}, {"ab", {NULL, 0}}, {"c", {NULL, 0}}};
    char longer[600], deep[2 * WSHUB_JSON_DEPTH_MAX + 2];
    size_t n;
    EXPECT_INT(wshub_json_fields((const uint8_t *)text, sizeof text - 1, 3, f, 4), WSHUB_JSON_FIELDS);
    EXPECT(wshub_str_eq_z(f[0].value, "1") && wshub_str_eq_z(f[1].value, "2") && wshub_str_eq_z(f[2].value, "5"));
    EXPECT(f[3].value.ptr == NULL);
    EXPECT_INT(wshub_json_fields((const uint8_t *)text, sizeof text - 1, 2, f, 4), WSHUB_JSON_BAD); /* too deep */
    /* one with an escape that is longer than any that is looked for */
    n = (size_t)snprintf(longer, sizeof longer, "{\"\\u0061%0300d\":1}", 0);
    EXPECT_INT(wshub_json_fields((const uint8_t *)longer, n, 3, f, 4), WSHUB_JSON_FIELDS);
    EXPECT(wshub_json_find(wshub__str(longer, n), "a").ptr == NULL);
    /* a limit above the largest is the largest */
    memset(deep, '[', sizeof deep);
    EXPECT_INT(wshub_json_fields((const uint8_t *)deep, sizeof deep, UINT32_MAX, f, 4), WSHUB_JSON_BAD);
    EXPECT_INT(wshub_json_peek(wshub_str_z(" ")), WSHUB_JSON_NONE);
    EXPECT_INT(wshub_json_peek(wshub_str_z(" 1")), WSHUB_JSON_NUMBER);
}

TEST(json_quoting_and_unquoting_are_inverse) {
    uint32_t c;
    for (c = 0; c < 256; c++) {
        char in[3] = {'a', (char)c, 'b'}, quoted[32], back[32];
        size_t n = wshub_json_quote(wshub__str(in, 3), quoted, sizeof quoted), m;
        m = wshub_json_text(wshub__str(quoted, n), back, sizeof back);
        if (c >= 0x80) EXPECT(m == SIZE_MAX); /* no UTF-8, so no JSON */
        else EXPECT(m == 3 && memcmp(back, in, 3) == 0);
        EXPECT(c >= 0x80 || json_ok((quoted[n] = 0, quoted)));
    }
    {
        char q[8];
        EXPECT_INT(wshub_json_quote(wshub_str_z("\x01\""), q, 0), 10);
    }
}

TEST(frame_heads_have_one_minimal_form) { /* RFC 6455 5.2 */
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, UINT64_C(0x7FFFFFFF), UINT64_C(0x80000001), UINT64_C(0xFFFFFFFF), UINT64_C(0x100000000), UINT64_C(0x7FFFFFFFFFFFFFFF)};
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
        EXPECT(g.payload_bytes == lengths[i] && g.fin && g.masked == f.masked && g.opcode == 2 && g.head_bytes == n);
    }
    EXPECT_INT(wshub_frame_read((const uint8_t *)"\x82\x7E\x00\x7D", 4, (wshub_frame[1]){{0, 0, 0, false, false, {0}, 0}}), -1);
    EXPECT_INT(wshub_frame_read((const uint8_t *)"\x82\x7F\0\0\0\0\0\0\xFF\xFF", 10, (wshub_frame[1]){{0, 0, 0, false, false, {0}, 0}}), -1);
    EXPECT_INT(wshub_frame_read((const uint8_t *)"\x82\x7F\x80\0\0\0\0\1\0\0", 10, (wshub_frame[1]){{0, 0, 0, false, false, {0}, 0}}), -1);
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
        bool want = (c >= 1000 && c <= 1003) || (c >= 1007 && c <= 1014) || (c >= 3000 && c <= 4999);
        EXPECT(wshub__close_code_ok((uint16_t)c) == want);
    }
}

TEST(times_are_written_right) { /* AUTH-7 */
    static const struct { uint64_t ms; const char *text; } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"}, {UINT64_C(951782400000), "2000-02-29T00:00:00.000Z"}, {UINT64_C(951868799999), "2000-02-29T23:59:59.999Z"},
        {UINT64_C(951868800000), "2000-03-01T00:00:00.000Z"}, {UINT64_C(1769851800000), "2026-01-31T09:30:00.000Z"}, {UINT64_C(1798761599999), "2026-12-31T23:59:59.999Z"},
        {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"}, {UINT64_C(1735603200000), "2024-12-31T00:00:00.000Z"},
    };
    size_t i;
    char out[29];
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub__iso_time(cases[i].ms, out);
        EXPECT(memcmp(out, cases[i].text, 24) == 0);
    }
    { /* every day of 500 years, counted one after the other */
        static const int len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int year, month, day, wrong = 0;
        uint64_t ms = 0;
        for (year = 1970; year < 2470; year++) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for (month = 1; month <= 12; month++) {
                for (day = 1; day <= len[month - 1] + (month == 2 && leap); day++, ms += 86400000) {
                    char want[64];
                    (void)snprintf(want, sizeof want, "%04d-%02d-%02dT00:00:00.000Z", year, month, day);
                    wshub__iso_time(ms, out);
                    if (memcmp(out, want, 24) != 0) wrong++;
                }
            }
        }
        EXPECT_INT(wrong, 0);
    }
    wshub__http_date(UINT64_C(784111777000), out);
    EXPECT(memcmp(out, "Sun, 06 Nov 1994 08:49:37 GMT", 29) == 0);
}

TEST(errors_and_log_codes_have_texts) {
    EXPECT(strcmp(wshub_strerror(WSHUB_OK), "ok") == 0 && strcmp(wshub_strerror((wshub_err)-77), "unknown error") == 0);
    EXPECT(strstr(wshub_strerror(WSHUB_ERR_NOMEM), "memory") != NULL);
    EXPECT(strcmp(wshub_log_name(WSHUB_LOG_PROTO), "PROTO") == 0 && strcmp(wshub_log_name(WSHUB_LOG_COUNT), "?") == 0);
}

TEST(origins_match_whole_labels) { /* CSWSH: exact, or a star for whole labels */
    static const struct { const char *origin, *rule; bool ok; } cases[] = {
        {"https://a.com", "https://a.com", true}, {"HTTPS://A.com", "https://a.com", true}, {"http://a.com", "https://a.com", false}, {"https://a.com:8443", "https://a.com", false},
        {"https://a.com:8443", "https://a.com:8443", true}, {"https://a.com.evil.org", "https://a.com", false}, {"https://evila.com", "https://a.com", false}, {"null", "null", true}, {"null", "https://a.com", false},
        {"https://x.a.com", "https://*.a.com", true}, {"https://x.y.a.com", "https://*.a.com", true}, {"https://a.com", "https://*.a.com", false}, {"https://evila.com", "https://*.a.com", false},
        {"https://.a.com", "https://*.a.com", false}, {"https://x..a.com", "https://*.a.com", false}, {"https://evil.org/.a.com", "https://*.a.com", false}, {"https://u@x.a.com", "https://*.a.com", false},
        {"https://evil.org#.a.com", "https://*.a.com", false}, {"https://x.a.com:1", "https://*.a.com", false}, {"https://x.a.com:1", "https://*.a.com:1", true}, {"http://x.a.com", "https://*.a.com", false},
        {"https://[::1]", "https://[::1]", true}, {"", "https://a.com", false}, {"https://x.a.com.", "https://*.a.com", false}, {"https://evil.org%2f.a.com", "https://*.a.com", false},
        {"https://x.a.comx", "https://*.a.com", false}, {"https://evil.org\\.a.com", "https://*.a.com", false}, {"https://evil.org:80.a.com", "https://*.a.com", false},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (wshub__origin_match(wshub_str_z(cases[i].origin), wshub_str_z(cases[i].rule)) == cases[i].ok) continue;
        (void)printf("  %s against %s\n", cases[i].origin, cases[i].rule);
        EXPECT(!"an origin");
    }
}

TEST(index_agrees_with_a_plain_list) { /* open addressing with gaps closed */
    static wshub__name names[3000];
    static char texts[3000][8];
    wshub__mem m = wshub__mem_make(NULL, NULL);
    wshub__index ix;
    uint32_t i, round, x = 12345;
    bool in[3000] = {false};
    memset(&ix, 0, sizeof ix);
    ix.key[0] = 7;
    for (i = 0; i < 3000; i++) {
        (void)snprintf(texts[i], 8, "n%u", i / 2);
        names[i].ptr = texts[i];
        names[i].len = strlen(texts[i]) & WSHUB__NAME_LEN_MAX;
        names[i].kind = i % 2 ? WSHUB__KIND_ROOM : WSHUB__KIND_USER; /* the same name twice, of two kinds */
    }
    for (round = 0; round < 60000; round++) {
        x = x * 1664525 + 1013904223;
        i = (x >> 8) % 3000;
        EXPECT((wshub__index_find(&ix, names[i].kind, wshub_str_z(texts[i])) == &names[i]) == in[i]);
        if (in[i]) {
            wshub__index_remove(&ix, &names[i]);
        } else {
            EXPECT(wshub__index_reserve(&m, &ix));
            wshub__index_add(&ix, &names[i]);
        }
        in[i] = !in[i];
    }
    wshub__index_done(&m, &ix);
}

TEST(a_text_may_have_white_space_around_it) { /* found by tests/fuzz/fuzz_text.c */
    char buf[8];
    uint64_t n = 0;
    EXPECT_INT(wshub_json_type(wshub_str_z(" \n\"d\"\t ")), WSHUB_JSON_STRING);
    EXPECT_INT(wshub_json_text(wshub_str_z(" \n\"d\"\t "), buf, sizeof buf), 1);
    EXPECT_INT(buf[0], 'd');
    EXPECT(wshub_json_uint(wshub_str_z(" 12\r\n"), &n) && n == 12);
    EXPECT_INT(wshub_json_type(wshub_str_z("  ")), WSHUB_JSON_NONE);
    EXPECT_INT(wshub_json_text(wshub_str_z("  "), buf, sizeof buf), SIZE_MAX);
    EXPECT(!wshub_json_uint(wshub_str_z(" "), &n));
    EXPECT(!wshub_json_get((wshub_str){NULL, 3}, "a").ptr && !wshub_json_check((wshub_str){NULL, 3}, 0));
}
