/* JSON: what is taken and what is refused, how values are found in a text, quoted, unquoted and
 * copied, and that nothing comes out of what is no JSON (MSG-9; RFC 8259). */
#include "hubtest.h"

static bool json_ok(const char *text) {
    return wshub_json_check(wshub_str_z(text), 0);
}

TEST(json_takes_what_rfc_8259_says_and_nothing_else) { /* MSG-9 */
    /* clang-format off */
    static const char *const good[] = {
        "{}", "[]", "null", "true", "false", "0", "-0", "1", "-1.5e+10", "1E-2", "0.5", "\"\"",
        "\"\\u00e9\\ud83d\\ude00\\/\"", " [ 1 , 2 ] ", "{\"a\":[{}]}", "\t\r\n 1", "\"\xC3\xA9\"",
        "[[],[[]],{\"a\":{}}]", "\"\\ud800\"", "{\"a\":1,\"a\":2}",
        "123456789012345678901234567890", "\"\x7F\"",
    };
    static const char *const bad[] = {
        "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{\"a\" 1}", "{1:2}",
        "{a:1}", "'a'", "01", "+1", ".5", "1.", "1e", "0x10", "NaN", "Infinity", "-", "TRUE",
        "nul", "\"\\x41\"", "\"\\u12\"", "\"\\u00zz\"", "\"a\tb\"", "\"a\nb\"", "\"open", "\"a\\",
        "/*c*/1", "1//c", "\xC2\xA0" "1", "\xEF\xBB\xBF" "1", "1 2", "{} {}", "\"\xFF\"", "[1}",
        "{\"a\":1]", "--1", "1e+", "\"\xC3\"", "{\"a\"}", "{,}", "[\"a\" \"b\"]", "tru", "truex",
        "{\"a\":}",
    };
    /* clang-format on */
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

/* Where a string ends, byte by byte; 0: it is none. What comes behind its quote does not matter. */
static size_t string_end(const uint8_t *text, size_t n) {
    size_t i;
    for (i = 1; i < n; i++) {
        if (text[i] == '"') return i + 1;
        if (text[i] < 0x20) return 0;
        if (text[i] == '\\' && (++i == n || !strchr("\"\\/bfnrt", text[i]) || !text[i])) return 0;
    }
    return 0;
}

/* Strings are looked at by sixteen and eight bytes: each byte stands at each place of each length,
 * alone and with another in front of it that is as special. */
TEST(a_byte_in_a_string_means_the_same_at_every_place) { /* MSG-9; RFC 8259 7 */
    static const uint8_t before[] = {'a', 0x80, 0xFF, '\\', '"', 0x1F};
    uint8_t text[48];
    size_t n, at, k;
    uint32_t c;
    for (n = 2; n < sizeof text; n++) {
        for (at = 1; at + 1 < n; at++) {
            for (c = 0; c < 256; c++) {
                for (k = 0; k < sizeof before; k++) {
                    const uint8_t *end;
                    memset(text, 'x', n);
                    text[0] = text[n - 1] = '"';
                    if (at > 1) text[at - 1] = before[k];
                    text[at] = (uint8_t)c;
                    if (c == 'u' && at > 1 && before[k] == '\\') continue; /* has a test above */
                    end = wshub__json_string(text + 1, text + n);
                    EXPECT_INT(end ? (size_t)(end - text) : 0, string_end(text, n));
                }
            }
        }
    }
}

TEST(json_nesting_ends_at_the_limit) { /* MSG-9 */
    char text[5000];
    uint32_t depth;
    for (depth = 1; depth < 70; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        EXPECT(wshub_json_check(wshub__str(text, 2 * depth), depth));
        EXPECT(!wshub_json_check(wshub__str(text, 2 * depth), depth - 1 ? depth - 1 : 1) ||
               depth == 1);
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
    wshub_str o = wshub_str_z(
                  " {\"a\":1.0, \"\\u0062\" : [1, {\"x\":2} ,\"s\"],\"a\":\"l\\u00e4st\",\"\":0} "),
              v;
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
    EXPECT(wshub_json_get(o, "zz").ptr == NULL &&
           wshub_json_get(wshub_str_z("[1]"), "a").ptr == NULL);
    v = wshub_json_get(o, "b");
    EXPECT_INT(wshub_json_type(v), WSHUB_JSON_ARRAY);
    {
        wshub_str item;
        while (wshub_json_each(v, &it, &item)) count++;
    }
    EXPECT_INT(count, 3);
    EXPECT(wshub_json_uint(wshub_str_z("9007199254740991"), &n) && n == UINT64_C(9007199254740991));
    EXPECT(!wshub_json_uint(wshub_str_z("9007199254740992"), &n) &&
           !wshub_json_uint(wshub_str_z("-1"), &n) && !wshub_json_uint(wshub_str_z("01"), &n) &&
           !wshub_json_uint(wshub_str_z("1.0"), &n));
}

TEST(json_quoting_and_unquoting_are_inverse) {
    uint32_t c;
    for (c = 0; c < 256; c++) {
        char in[3] = {'a', (char)c, 'b'}, quoted[32], back[32];
        size_t n = wshub_json_quote(wshub__str(in, 3), quoted, sizeof quoted), m;
        m = wshub_json_text(wshub__str(quoted, n), back, sizeof back);
        if (c >= 0x80)
            EXPECT(m == SIZE_MAX); /* no UTF-8, so no JSON */
        else
            EXPECT(m == 3 && memcmp(back, in, 3) == 0);
        EXPECT(c >= 0x80 || json_ok((quoted[n] = 0, quoted)));
    }
    {
        char q[8];
        EXPECT_INT(wshub_json_quote(wshub_str_z("\x01\""), q, 0), 10);
    }
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
    EXPECT(!wshub_json_get((wshub_str){NULL, 3}, "a").ptr &&
           !wshub_json_check((wshub_str){NULL, 3}, 0));
}

TEST(codec_at_its_ends) {
    static const char doc[] =
        " {\"a\\u0041\":[1,-2.5e+3,true,false,null,\"\\\"\\\\\\/"
        "\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\\uD800\"],\"b\":{\"c\":{}}, \"a\":\"x\"} ";
    static const struct {
        const char *in;
        const char *out;
        /* clang-format off */
    } texts[] = {
        {"\"\\uD83D\\uDE00\"", "\xF0\x9F\x98\x80"},
        {"\"\\uD800\"", "\xEF\xBF\xBD"},
        {"\"\\uDC00\"", "\xEF\xBF\xBD"},
        {"\"\\uD800x\"", "\xEF\xBF\xBDx"},
        {"\"\\uD800xxxxxx\"", "\xEF\xBF\xBDxxxxxx"},
        {"\"\\uD800\\nxxxx\"", "\xEF\xBF\xBD\nxxxx"},
        {"\"\\uD800\\u0041\"", "\xEF\xBF\xBD"
                               "A"},
        {"\"\\uD800\\uE000\"", "\xEF\xBF\xBD\xEE\x80\x80"},
        {"\"\\uD800\\uD800\"", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\"\\uE000\"", "\xEE\x80\x80"},
        {"\"\\uFFFF\"", "\xEF\xBF\xBF"},
        {"\"\\u007F\"", "\x7F"},
        {"\"\\u0080\"", "\xC2\x80"},
        {"\"\\u07FF\"", "\xDF\xBF"},
        {"\"\\u0800\"", "\xE0\xA0\x80"},
    };
    /* clang-format on */
    static const struct {
        const char *text;
        int64_t n;
        /* clang-format off */
    } numbers[] = {
        {"0", 0},
        {" 7\t", 7},
        {"9007199254740991", INT64_C(9007199254740991)},
        {"9007199254740992", -1},
        {"12345678901234567", -1},
        {"01", -1},
        {"00", -1},
        {"-1", -1},
        {"1.0", -1},
        {"1e3", -1},
        {"", -1},
        {" ", -1},
        {"1a", -1},
        {"1/", -1},
        {"1:", -1},
        {"\"1\"", -1},
    };
    /* clang-format on */
    wshub_iter it;
    wshub_str v;
    char buf[600], accept[28], odd[2000];
    size_t i, k, n = sizeof doc - 1;
    uint64_t number;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        k = wshub_json_text(S(texts[i].in), buf, sizeof buf);
        EXPECT(k == strlen(texts[i].out) && memcmp(buf, texts[i].out, k) == 0);
    }
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        bool ok = wshub_json_uint(S(numbers[i].text), &number);
        EXPECT(ok == (numbers[i].n >= 0) && (!ok || number == (uint64_t)numbers[i].n));
    }
    EXPECT(!wshub_json_uint(nul(), &number));
    EXPECT_INT(wshub_json_text(nul(), buf, 1), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\""), buf, 1), SIZE_MAX);
    /* escapes that end too early are no JSON */
    EXPECT_INT(wshub_json_text(S("\"\\\""), buf, 9), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\"\\u00\""), buf, 9), SIZE_MAX);
    /* and nothing is read beyond them */
    EXPECT_INT(wshub_json_unescape((const uint8_t *)"\\", 1, (uint8_t *)buf, 9), 1);
    EXPECT_INT(wshub_json_unescape((const uint8_t *)"\\u00", 4, (uint8_t *)buf, 9), 1);
    EXPECT_INT(wshub_json_text(S("x\""), buf, 1), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\"x"), buf, 1), SIZE_MAX);
    EXPECT_INT(wshub_json_text(S("\"abc\""), buf, 1), 3); /* what it would take */
    EXPECT_INT(wshub_json_quote(S("a\x01\b\t\n\f\r\"\\"), buf, 3), 23);
    EXPECT_INT(wshub_json_quote(S(""), NULL, 0), 2);
    /* no text of the grammar: the walkers say no, and stay inside */
    for (i = 0; i <= n; i++) {
        char *cut = (char *)malloc(i + 1);
        memcpy(cut, doc, i);
        EXPECT(wshub_json_check(wshub__str(cut, i), 0) == (i >= n - 1)); /* the last is a blank */
        for (k = 0; k < 256; k += 5) {
            if (i) cut[i - 1] = (char)k;
            /* the hub's own, of what may be no JSON after all */
            v = wshub_json_find(wshub__str(cut, i), "aA");
            EXPECT(!v.ptr || (v.ptr > cut && v.ptr + v.len <= cut + i));
            memset(&it, 0, sizeof it);
            while (wshub_json_next(wshub__str(cut, i), &it, &v)) EXPECT(v.ptr + v.len <= cut + i);
            v = wshub_json_get(wshub__str(cut, i), "aA");
            EXPECT(!v.ptr || (v.ptr > cut && v.ptr + v.len <= cut + i));
            (void)wshub_json_get(wshub__str(cut, i), "b");
            (void)wshub_json_type(wshub__str(cut, i));
            (void)wshub_json_text(wshub__str(cut, i), buf, sizeof buf);
            memset(&it, 0, sizeof it);
            while (wshub_json_each(wshub__str(cut, i), &it, &v)) {
            }
            if (i > 12) {
                memset(&it, 0, sizeof it);
                while (wshub_json_each(wshub__str(cut + 12, i - 12), &it, &v))
                    EXPECT(v.ptr + v.len <= cut + i);
            }
        }
        free(cut);
    }
    EXPECT(!wshub_json_get(S("{}"), NULL).ptr && !wshub_json_get(nul(), "a").ptr &&
           !wshub_json_get(S("{\"a\" :"), "a").ptr && !wshub_json_get(S("{\"a\""), "a").ptr &&
           !wshub_json_get(S("{\"a"), "a").ptr);
    EXPECT(wshub_str_eq_z(wshub_json_get(S("{\"\":1,\"a\":2}"), ""), "1") &&
           !wshub_json_get(S("{\"\":1,\"a\":2"), "").ptr);
    memset(&it, 0, sizeof it);
    EXPECT(!wshub_json_each(nul(), &it, &v));
    EXPECT(!wshub_json_next(nul(), &it, &v));
    it.pos = 99;
    EXPECT(!wshub_json_each(S("[1]"), &it, &v));
    EXPECT_INT(wshub_json_type(nul()), WSHUB_JSON_NONE);
    EXPECT_INT(wshub_json_type(S(" ")), WSHUB_JSON_NONE);
    EXPECT_INT(wshub_json_type(wshub__str("\0", 1)), WSHUB_JSON_NONE);
    EXPECT(!wshub_json_uint(wshub__str("1\0", 2), &number) && !wshub_json_uint(wshub__str("\0"
                                                                                          "1",
                                                                                          2),
                                                                               &number));
    EXPECT(!wshub_json_check(nul(), 0) && wshub_json_check(S("[[]]"), 100000) &&
           !wshub_json_check(S("[[]]"), 1));
    /* a key of 300 bytes behind an escape, longer than is decoded */
    n = (size_t)snprintf(odd, sizeof odd, "{\"\\u0061");
    memset(odd + n, 'a', 299);
    (void)snprintf(odd + n + 299, sizeof odd - n - 299, "\":1}");
    memset(buf, 'a', 300);
    buf[300] = 0;
    EXPECT(!wshub_json_get(S(odd), buf).ptr);
    wshub_accept_key(nul(), accept);
    wshub_accept_key(S("short"), accept);
    EXPECT(memcmp(accept, "jlW3MljkoWdqjqBXMZKyh5+nvOQ=", 0) == 0);
    EXPECT(wshub_str_eq(nul(), S("")) && !S(NULL).ptr && wshub_str_eq_z(nul(), ""));
    {
        wshub_json_field f;
        memset(&f, 0, sizeof f);
        f.key = "a";
        /* no level at all */
        EXPECT_INT(wshub_json_fields((const uint8_t *)"{}", 2, 0, &f, 1), WSHUB_JSON_BAD);
        EXPECT_INT(wshub_json_fields((const uint8_t *)"{} x", 4, 9, &f, 1), WSHUB_JSON_BAD);
        {
            static const char keys[] =
                "{\"\":1,\"\\u0061aaaaaaaaaaaaaaaaa\":2,\"aaaaaaaaaaaaaaaaa\":3}";
            memset(&f, 0, sizeof f);
            f.key = "a";
            EXPECT_INT(wshub_json_fields((const uint8_t *)keys, sizeof keys - 1, 9, &f, 1),
                       WSHUB_JSON_FIELDS);
        }
        EXPECT(!f.value.ptr); /* an empty key, and keys longer than any that is looked for */
        /* digits up to the very end */
        EXPECT(wshub_json_check(S("1"), 0) && wshub_json_check(S("-12"), 0) &&
               !wshub_json_check(S("-"), 0) && !wshub_json_check(S("1."), 0) &&
               !wshub_json_check(S("1e"), 0));
        EXPECT(!wshub__envelope_is_from(S("{\"serverId\":\"abc"), S("abc")) &&
               !wshub__envelope_is_from(S("{"), S("abc")) &&
               !wshub__envelope_is_from(S("{\"serverId\":\"abcd\""), S("abc")) &&
               !wshub__envelope_is_from(S("{\"serverId\":\"abc\""), S("abd")) &&
               !wshub__envelope_is_from(S("{\"ServerId\":\"abc\""), S("abc")) &&
               wshub__envelope_is_from(S("{\"serverId\":\"abc\""), S("abc")));
        EXPECT_INT(wshub_json_fields((const uint8_t *)"{\"a\":1} ", 8, 9, &f, 1),
                   WSHUB_JSON_FIELDS);
    }
}

/* clang-format off */
static const char *const texts[] = {
    "{\"a\":1,\"b\":[1,\"x\\u00fcy\",{\"c\":null}],\"a\":\"\\ud83d\\ude00\"}",
    "[1,-2.5e+3,\"\",{},[],true,false,null]", " {\"\\u0061\" : { \"b\" : [ ] } } ",
    "\"q\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "-12", "[[[[[[\"deep\"]]]]]]", "{}", "[]",
};
/* clang-format on */
static void read_all(wshub_str t) { /* what the readers give out, they give out of JSON */
    static const char *const keys[] = {"a", "b", "c", ""};
    bool ok = wshub_json_check(t, WSHUB_JSON_DEPTH_MAX);
    wshub_iter it = {0, 0};
    wshub_str v;
    char buf[64];
    int64_t n;
    size_t i, len;
    EXPECT((wshub_json_type(t) == WSHUB_JSON_NONE) == !ok);
    for (i = 0; i < 4; i++) {
        v = wshub_json_get(t, keys[i]);
        EXPECT(!v.ptr ||
               (ok && wshub_json_check(v, 0) && v.ptr > t.ptr && v.ptr + v.len < t.ptr + t.len));
    }
    while (wshub_json_each(t, &it, &v))
        EXPECT(ok && wshub_json_check(v, 0) && v.ptr > t.ptr && v.ptr + v.len < t.ptr + t.len);
    EXPECT(wshub_json_text(t, NULL, 0) == SIZE_MAX ||
           (ok && wshub_json_type(t) == WSHUB_JSON_STRING));
    EXPECT((wshub_json_text(t, NULL, 0) == SIZE_MAX) ==
           (wshub_json_copy(t, buf, sizeof buf, &len) == WSHUB_ERR_JSON));
    EXPECT(wshub_json_int(t, INT64_MIN, INT64_MAX, &n) == WSHUB_ERR_JSON ||
           (ok && wshub_json_type(t) == WSHUB_JSON_NUMBER));
}

/* every cut, and every byte of every text replaced by every byte */
/* Of each length, with each byte that needs an escape, and one that needs none, at each place. */
TEST(how_long_a_text_is_between_quotes_does_not_depend_on_how_it_is_read) {
    static const struct {
        char byte;
        size_t more;
    } bytes[] = {{'"', 1}, {'\\', 1}, {'\n', 1}, {1, 5}, {'\x7f', 0}, {'\xdc', 0}};
    char text[40];
    size_t len, at, i;

    for (len = 1; len <= sizeof text; len++) {
        for (at = 0; at < len; at++) {
            for (i = 0; i < sizeof bytes / sizeof *bytes; i++) {
                memset(text, 'a', len);
                text[at] = bytes[i].byte;
                EXPECT_INT(wshub_json_quoted_len(wshub__str(text, len)), len + 2 + bytes[i].more);
            }
        }
    }
}

TEST(fields_that_ask_for_one_key_all_get_its_value) { /* MSG-9: the last of equal keys counts */
    static const char text[] = "{\"eb\":1,\"ea\":2,\"ea\":3}";
    wshub_json_field fields[4];
    size_t i;

    memset(fields, 0, sizeof fields);
    fields[0].key = "ea";
    fields[1].key = "eb";
    fields[2].key = "ea";
    fields[3].key = "ea";
    EXPECT_INT(wshub_json_fields((const uint8_t *)text, sizeof text - 1, 9, fields, 4),
               WSHUB_JSON_FIELDS);
    for (i = 0; i < 4; i++) EXPECT(wshub_str_eq_z(fields[i].value, i == 1 ? "1" : "3"));
}

TEST(nothing_comes_out_of_what_is_no_json) {
    size_t i, at;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strlen(texts[i]), k;
        for (at = 0; at <= n; at++) {
            char *cut = (char *)malloc(n + 8);
            memcpy(cut, texts[i], at);
            read_all(wshub__str(cut, at));
            memcpy(cut, texts[i], n);
            memcpy(cut + n, " x", 2);
            read_all(wshub__str(cut, n + 2));
            for (k = 0; at < n && k < 256; k++) {
                cut[at] = (char)k;
                read_all(wshub__str(cut, n));
            }
            free(cut);
        }
    }
}

TEST(what_does_not_fit_says_so) {
    static const struct {
        const char *text;
        int64_t min, max;
        int says; /* 0, or the error */
        int64_t n;
        /* clang-format off */
    } t[] = {
        {"0", 0, 0, 0, 0},
        {"-0", 0, 9, 0, 0},
        {"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX},
        {"9223372036854775808", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0},
        {"99999999999999999999999999999999999999999", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0},
        {"-99999999999999999999999", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0},
        {"18446744073709551616", INT64_MIN, INT64_MAX, WSHUB_ERR_LIMIT, 0},
        {"11", 0, 10, WSHUB_ERR_LIMIT, 0},
        {"-1", 0, 10, WSHUB_ERR_LIMIT, 0},
        {" 7 ", 0, 10, 0, 7},
        {"-7", -7, 10, 0, -7},
        {"1.0", 0, 10, WSHUB_ERR_JSON, 0},
        {"1e1", 0, 10, WSHUB_ERR_JSON, 0},
        {"01", 0, 10, WSHUB_ERR_JSON, 0},
        {"-01", -9, 10, WSHUB_ERR_JSON, 0},
        {"-", 0, 10, WSHUB_ERR_JSON, 0},
        {"", 0, 10, WSHUB_ERR_JSON, 0},
        {"+1", 0, 10, WSHUB_ERR_JSON, 0},
        {"\"1\"", 0, 10, WSHUB_ERR_JSON, 0},
        {"1 2", 0, 99, WSHUB_ERR_JSON, 0},
        {"99999999999999999999x", 0, 99, WSHUB_ERR_JSON, 0},
    };
    /* clang-format on */
    uint64_t u = 77;
    int64_t n;
    size_t i, len = 77;
    char buf[4];
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        n = 77;
        EXPECT_INT(wshub_json_int(S(t[i].text), t[i].min, t[i].max, &n), t[i].says);
        EXPECT_INT(n, t[i].says ? 77 : t[i].n);
    }
    EXPECT_INT(wshub_json_int(wshub__str(NULL, 0), 0, 9, &n), WSHUB_ERR_JSON);
    EXPECT(!wshub_json_uint(S("9007199254740992"), &u) && !wshub_json_uint(S(" -0"), &u) &&
           u == 77);
    EXPECT_INT(wshub_json_copy(S("\"abc\""), buf, 4, &len), WSHUB_OK);
    EXPECT(len == 3 && strcmp(buf, "abc") == 0);
    EXPECT_INT(wshub_json_copy(S("\"abcd\""), buf, 4, &len), WSHUB_ERR_LIMIT);
    /* 4 bytes of UTF-8 and the terminator */
    EXPECT_INT(wshub_json_copy(S("\"\\u00e4\\u00f6\""), buf, 4, &len), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_json_copy(S("\"\\u0000\""), buf, 4, &len), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_json_copy(S("\"a\\u000"), buf, 4, &len), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_json_copy(S("7"), buf, 4, &len), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_json_copy(S("\"\""), buf, 0, &len), WSHUB_ERR_LIMIT);
    EXPECT(len == 3 && strcmp(buf, "abc") == 0); /* a failed call changes nothing */
    {
        char roomy[16];
        /* a backslash, and letters */
        EXPECT_INT(wshub_json_copy(S("\"\\\\u0000\""), roomy, sizeof roomy, NULL), WSHUB_OK);
        EXPECT(strcmp(roomy, "\\u0000") == 0);
        EXPECT_INT(wshub_json_copy(S("\"\\n\\u0001\""), roomy, sizeof roomy, NULL), WSHUB_OK);
    }
}

/* MSG-9: what data travels in is one, so at json_depth_max 1 data is flat */
TEST(a_level_of_nesting_is_a_level) {
    /* clang-format off */
    static const char *const flat[] = {
        "1", "\"x\"", "null", " true "}, *const not_flat[] = {"{}", "[]", " {\"a\":1}", "[1", "x",
        "\"x",
    };
    /* clang-format on */
    world w;
    size_t i;
    world_start(&w, DESC(.json_depth_max = 1), FAKE(0));
    for (i = 0; i < 4; i++) {
        wshub_msg m = msg("e", flat[i]);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    }
    for (i = 0; i < 6; i++) {
        wshub_msg m = msg("e", not_flat[i]);
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_ERR_JSON);
    }
    world_stop(&w);
}
