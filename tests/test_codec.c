/* The pure functions for UTF-8, SHA-1, Base64, times and texts, against slow and obvious twins
 * and the standards' own vectors (RFC 3629, FIPS 180-4, RFC 4648, AUTH-7). */
#include "hubtest.h"

TEST(sha1_and_accept_key_are_those_of_the_standards) { /* FIPS 180-4 examples, RFC 6455 1.3 */
    uint8_t d[20];
    char accept[28], big[200];
    wshub_sha1((const uint8_t *)"abc", 3, d);
    EXPECT(
        memcmp(d,
               "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d",
               20) == 0);
    wshub_sha1((const uint8_t *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, d);
    EXPECT(
        memcmp(d,
               "\x84\x98\x3e\x44\x1c\x3b\xd2\x6e\xba\xae\x4a\xa1\xf9\x51\x29\xe5\xe5\x46\x70\xf1",
               20) == 0);
    memset(big, 'a', sizeof big);
    wshub_sha1((const uint8_t *)big, 64, d);
    EXPECT(
        memcmp(d,
               "\x00\x98\xba\x82\x4b\x5c\x16\x42\x7b\xd7\xa1\x12\x2a\x5a\x44\x2a\x25\xec\x64\x4d",
               20) == 0);
    wshub_accept_key(wshub_str_z("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    EXPECT(memcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28) == 0);
}

TEST(base64_is_that_of_rfc_4648) {
    /* clang-format off */
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < 7; i++) {
        char out[16];
        size_t n = wshub_base64((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), out);
        EXPECT(n == strlen(pairs[i][1]) && memcmp(out, pairs[i][1], n) == 0);
    }
}

/* decodes, then asks whether this was the one way to write it */
static bool slow_utf8(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint32_t cp = p[i],
                 more = cp < 0x80                 ? 0
                        : cp >= 0xF0 && cp < 0xF8 ? 3
                        : cp >= 0xE0 && cp < 0xF0 ? 2
                        : cp >= 0xC0 && cp < 0xE0 ? 1
                                                  : 9,
                 k;
        if (more == 9 || i + more >= n) return false;
        if (more) cp &= 0x3Fu >> more;
        for (k = 1; k <= more; k++) {
            if ((p[i + k] & 0xC0) != 0x80) return false;
            cp = cp << 6 | (p[i + k] & 0x3Fu);
        }
        if ((more == 1 && cp < 0x80) || (more == 2 && cp < 0x800) || (more == 3 && cp < 0x10000))
            return false;
        if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) return false;
        i += more + 1;
    }
    return true;
}

TEST(siphash_is_that_of_other_implementations) { /* SipHash-1-3, key 00 01 .. 0f, text 00 01 .. */
    static const struct {
        size_t count;
        uint64_t want;
        /* clang-format off */
    } cases[] = {
        {0, UINT64_C(0xabac0158050fc4dc)},  {1, UINT64_C(0xc9f49bf37d57ca93)},
        {7, UINT64_C(0xd3927d989bb11140)},  {8, UINT64_C(0x369095118d299a8e)},
        {15, UINT64_C(0xd320d86d2a519956)}, {63, UINT64_C(0x9d199062b7bbb3a8)},
    };
    /* clang-format on */
    static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t text[63];
    size_t i;
    for (i = 0; i < sizeof text; i++) text[i] = (uint8_t)i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT(wshub__siphash(key, text, cases[i].count, 0) == cases[i].want);
        EXPECT(wshub_siphash(key, text, cases[i].count) == cases[i].want);
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
    static const struct {
        const char *bytes;
        size_t good;
        /* clang-format off */
    } cases[] = {
        {"ab\x80", 2},
        {"ab\xC0\xAF", 2},
        {"\xED\xA0\x80", 1},
        {"\xE2\x82"
         "a",
         2},
        {"\xF4\x90\x80\x80", 1},
        {"\xF8", 0},
        {"\xE0\x9F", 1},
        {"\xF0\x8F", 1},
        {"12345678\xFF", 8},
        {"1234567\xC3(", 8},
    };
    /* clang-format on */
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

TEST(json_fields_are_found_whatever_their_keys) { /* MSG-9 */
    static const char text[] =
        "{\"\":1,\"\\u0061\":2,\"ab\":3,\"a\\u0000\":4,\"b\":[{}],\"\\u0061b\":5}";
    wshub_json_field f[4] = {
        {"", {NULL, 0}}, {"a", {NULL, 0}}, {"ab", {NULL, 0}}, {"c", {NULL, 0}}};
    char longer[600], deep[2 * WSHUB_JSON_DEPTH_MAX + 2];
    size_t n;
    EXPECT_INT(wshub_json_fields((const uint8_t *)text, sizeof text - 1, 3, f, 4),
               WSHUB_JSON_FIELDS);
    EXPECT(wshub_str_eq_z(f[0].value, "1") && wshub_str_eq_z(f[1].value, "2") &&
           wshub_str_eq_z(f[2].value, "5"));
    EXPECT(f[3].value.ptr == NULL);
    /* too deep */
    EXPECT_INT(wshub_json_fields((const uint8_t *)text, sizeof text - 1, 2, f, 4), WSHUB_JSON_BAD);
    /* one with an escape that is longer than any that is looked for */
    n = (size_t)snprintf(longer, sizeof longer, "{\"\\u0061%0300d\":1}", 0);
    EXPECT_INT(wshub_json_fields((const uint8_t *)longer, n, 3, f, 4), WSHUB_JSON_FIELDS);
    EXPECT(wshub_json_find(wshub__str(longer, n), "a").ptr == NULL);
    /* a limit above the largest is the largest */
    memset(deep, '[', sizeof deep);
    EXPECT_INT(wshub_json_fields((const uint8_t *)deep, sizeof deep, UINT32_MAX, f, 4),
               WSHUB_JSON_BAD);
    EXPECT_INT(wshub_json_peek(wshub_str_z(" ")), WSHUB_JSON_NONE);
    EXPECT_INT(wshub_json_peek(wshub_str_z(" 1")), WSHUB_JSON_NUMBER);
}

TEST(times_are_written_right) { /* AUTH-7 */
    static const struct {
        uint64_t ms;
        const char *text;
        /* clang-format off */
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {UINT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {UINT64_C(951868799999), "2000-02-29T23:59:59.999Z"},
        {UINT64_C(951868800000), "2000-03-01T00:00:00.000Z"},
        {UINT64_C(1769851800000), "2026-01-31T09:30:00.000Z"},
        {UINT64_C(1798761599999), "2026-12-31T23:59:59.999Z"},
        {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
        {UINT64_C(1735603200000), "2024-12-31T00:00:00.000Z"},
    };
    /* clang-format on */
    size_t i;
    char out[29];
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        wshub_iso_time(cases[i].ms, out);
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
                    (void)snprintf(want, sizeof want, "%04d-%02d-%02dT00:00:00.000Z", year, month,
                                   day);
                    wshub_iso_time(ms, out);
                    if (memcmp(out, want, 24) != 0) wrong++;
                }
            }
        }
        EXPECT_INT(wrong, 0);
    }
}

TEST(errors_and_log_codes_have_texts) {
    EXPECT(strcmp(wshub_strerror(WSHUB_OK), "ok") == 0 &&
           strcmp(wshub_strerror((wshub_err)-77), "unknown error") == 0);
    EXPECT_HAS(wshub_strerror(WSHUB_ERR_NOMEM), "memory");
    EXPECT(strcmp(wshub_log_name(WSHUB_LOG_PROTO), "PROTO") == 0 &&
           strcmp(wshub_log_name(WSHUB_LOG_COUNT), "?") == 0);
}

TEST(texts_of_errors_and_logs) {
    int e;
    EXPECT_STR(wshub_strerror(WSHUB_OK), "ok");
    for (e = -1; e >= -15; e--) EXPECT_OP(strlen(wshub_strerror((wshub_err)e)), >, 10);
    EXPECT(strlen(wshub_strerror((wshub_err)-999)) > 0 &&
           strlen(wshub_strerror((wshub_err)77)) > 0);
    for (e = 0; e < WSHUB_LOG_COUNT; e++)
        EXPECT_OP(strlen(wshub_log_name((wshub_log_code)e)), >, 3);
    EXPECT(strcmp(wshub_log_name(WSHUB_LOG_COUNT), "?") == 0 &&
           strcmp(wshub_log_name((wshub_log_code)-1), "?") == 0);
}
