/* msgpack, as the adapters of Socket.IO have it on a bus (>>sio-msgpack of
 * wshub_dialect_socketio.h): what was recorded of notepack.io, byte for byte (the specification's
 * 4); what is cut, too deep, too much or no msgpack at all; and that whatever is written can be
 * read back, since a server of Node's ends itself where it cannot. */
#include "eio_site.h"
#include "texts.h"
#include "wshub_dialect_socketio.h"

#define SPANS_MAX 10

typedef struct value { /* what one was read to, or written */
    char *buf;
    size_t len, bytes_count;
    wshub_span spans[SPANS_MAX];
    bool ok, too_many;
} value;

/* Writes JSON, with just so much room: the length is the same with less. */
static value packed(wshub_str json, const wshub_span *spans, size_t spans_count) {
    value v = {0};
    wshub_sio__sink sink = {NULL, 0, 0};
    size_t again = 0, cap;
    v.ok = wshub_sio__pack_json(&sink, json, spans, spans_count, &v.bytes_count);
    v.len = sink.len;
    for (cap = v.len > 40 ? v.len - 3 : 0; v.ok && cap <= v.len; cap++) {
        free(v.buf);
        v.buf = (char *)malloc(cap + 1);
        v.buf[cap] = '!';
        memset(&sink, 0, sizeof sink);
        sink.buf = v.buf;
        sink.cap = cap;
        EXPECT(wshub_sio__pack_json(&sink, json, spans, spans_count, &again));
        EXPECT(sink.len == v.len && v.buf[cap] == '!');
    }
    return v;
}

/* Reads one whole value, in memory of its own length. */
static value unpacked(const char *bytes, size_t count) {
    value v = {0};
    char *copy = (char *)malloc(count ? count : 1);
    int pass;
    if (count) memcpy(copy, bytes, count);
    for (pass = 0; pass < 2; pass++) {
        wshub_sio__reader in;
        wshub_sio__unpacked out;
        size_t i;
        memset(&out, 0, sizeof out);
        in.at = (const uint8_t *)copy;
        in.end = in.at + count;
        out.text.cap = v.len;
        out.text.buf = v.buf = (char *)malloc(v.len + 1);
        v.buf[v.len] = 0;
        out.attachments = v.spans;
        out.attachments_max = SPANS_MAX;
        v.ok = wshub_sio__unpack_json(&in, &out) && in.at == in.end;
        v.too_many = out.too_many;
        v.bytes_count = out.attachments_count;
        if (pass == 1) EXPECT(out.text.len == v.len && v.buf[v.len] == 0);
        v.len = out.text.len;
        if (pass == 0) free(v.buf);
        for (i = 0; pass == 1 && i < v.bytes_count; i++) /* they are views of what goes now */
            v.spans[i].ptr = (const uint8_t *)bytes + (v.spans[i].ptr - (const uint8_t *)copy);
    }
    free(copy);
    return v;
}

static wshub_str text_of_value(const value *v) {
    wshub_str text;
    text.ptr = v->buf;
    text.len = v->len;
    return text;
}

/* Reads hexadecimal digits. */
static size_t from_hex(const char *hex, size_t digits, char *out) {
    size_t i;
    for (i = 0; i + 2 <= digits; i += 2) {
        char two[3] = {hex[i], hex[i + 1], 0};
        out[i / 2] = (char)strtoul(two, NULL, 16);
    }
    return digits / 2;
}

/* One line of the recordings. */
static void play(char *line) {
    static char bytes[4096], held[4096];
    char *field[5], *at = line;
    wshub_span spans[SPANS_MAX];
    size_t i, count, spans_count = 0, held_len = 0;
    value v;
    for (i = 0; i < 5; i++) {
        field[i] = at;
        at = strchr(at, '|');
        if (!at) at = field[i] + strlen(field[i]);
        if (*at) *at++ = 0;
    }
    count = from_hex(field[3], strlen(field[3]), bytes);
    for (at = field[4]; *at; at += *at == ',') {
        size_t digits = strcspn(at, ",");
        spans[spans_count].ptr = (const uint8_t *)held + held_len;
        spans[spans_count].len = *at == '-' ? 0 : from_hex(at, digits, held + held_len);
        held_len += spans[spans_count++].len;
        at += digits;
    }
    if (strchr("=>", *field[0])) {
        v = packed(wshub_str_z(field[2]), spans, spans_count);
        EXPECT(v.ok && v.bytes_count == spans_count);
        if (v.len != count || memcmp(v.buf, bytes, count) != 0) {
            (void)printf("  written otherwise: %s\n", field[1]);
            EXPECT(!"written as recorded");
        }
        free(v.buf);
    }
    if (strchr("=<!", *field[0])) {
        v = unpacked(bytes, count);
        EXPECT_INT(v.ok, *field[0] != '!');
        if (v.ok) EXPECT_STR(v.buf, field[2]);
        for (i = 0; v.ok && i < spans_count; i++)
            EXPECT(v.spans[i].len == spans[i].len &&
                   memcmp(v.spans[i].ptr, spans[i].ptr, spans[i].len) == 0);
        free(v.buf);
        for (i = 0; *field[0] != '!' && i < count; i++) { /* cut anywhere it is none */
            v = unpacked(bytes, i);
            EXPECT(!v.ok);
            free(v.buf);
        }
    }
}

TEST(msgpack_is_written_and_read_as_recorded) { /* 4, V:msgpack-encode, V:msgpack-decode */
    char *text = text_of("tests/socketio/msgpack.txt"), *at = text;
    int lines = 0;
    while (*at) {
        char *line = at;
        at += strcspn(at, "\n");
        if (*at) *at++ = 0;
        if (*line == '#') continue;
        play(line);
        lines++;
    }
    EXPECT_INT(lines, 83);
    free(text);
}

TEST(long_values_of_msgpack_have_heads_of_three_and_five_bytes) { /* 4, V:msgpack-encode */
    static const struct {
        size_t count;
        char open, item, part, close;
        const char *head;
        size_t head_len;
    } t[] = {
        {65535, '"', 'a', 0, '"', "\xDA\xFF\xFF", 3},
        {65536, '"', 'a', 0, '"', "\xDB\0\1\0\0", 5},
        {65535, '[', '0', ',', ']', "\xDC\xFF\xFF", 3},
        {65536, '[', '0', ',', ']', "\xDD\0\1\0\0", 5},
    };
    size_t i, k;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        char *json = (char *)malloc(2 * t[i].count + 2);
        wshub_str text = {json, 0};
        value v, back;
        json[text.len++] = t[i].open;
        for (k = 0; k < t[i].count; k++) {
            if (k && t[i].part) json[text.len++] = t[i].part;
            json[text.len++] = t[i].item;
        }
        json[text.len++] = t[i].close;
        v = packed(text, NULL, 0);
        EXPECT_INT(v.len, t[i].head_len + t[i].count);
        EXPECT(memcmp(v.buf, t[i].head, t[i].head_len) == 0);
        EXPECT(v.buf[v.len - 1] == (t[i].part ? 0 : 'a'));
        back = unpacked(v.buf, v.len);
        EXPECT(back.ok && wshub_str_eq(text_of_value(&back), text));
        free(back.buf);
        free(v.buf);
        free(json);
    }
}

TEST(json_becomes_msgpack_whatever_it_is_written_like) { /* 4 */
    static const struct {
        const char *json, *bytes;
        size_t count;
    } t[] = {
        {" [ 1 , { \"a\" : true } ] ", "\x92\1\x81\xA1\x61\xC3", 6},
        {"\"\\u00e9\\n\\\"\\\\\"", "\xA5\xC3\xA9\n\"\\", 6},
        {"\"\\ud83d\\ude00\"", "\xA4\xF0\x9F\x98\x80", 5},
        {"\"\\ud800\"", "\xA3\xEF\xBF\xBD", 4}, /* half a pair is no text */
        {"\"\\u0000\"", "\xA1\0", 2},
        {"1.0", "\1", 1}, /* as JavaScript has it, a whole number */
        {"-2e0", "\xFE", 1},
        {"-0.0", "\0", 1},
        {"18446744073709551615", "\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9},
        {"18446744073709551616", "\xCB\x43\xF0\0\0\0\0\0\0", 9},
        {"-9223372036854775808", "\xD3\x80\0\0\0\0\0\0\0", 9},
        {"-9223372036854775809", "\xD3\x80\0\0\0\0\0\0\0", 9}, /* the nearest that there is */
        {"-1e19", "\xCB\xC3\xE1\x58\xE4\x60\x91\x3D\0\0", 9},
        {"1e999", "\xC0", 1},                           /* no number here */
        {"{\"_placeholder\":true,\"num\":0}", NULL, 0}, /* without attachments it is data */
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        value v = packed(wshub_str_z(t[i].json), NULL, 0), back;
        EXPECT(v.ok);
        if (t[i].bytes && (v.len != t[i].count || memcmp(v.buf, t[i].bytes, v.len) != 0)) {
            (void)printf("  written otherwise: %s\n", t[i].json);
            EXPECT(!"as it should be written");
        }
        back = unpacked(v.buf, v.len);
        EXPECT(back.ok);
        if (!t[i].bytes) EXPECT_STR(back.buf, t[i].json);
        free(v.buf);
        free(back.buf);
    }
}

TEST(what_is_no_json_is_not_written_as_msgpack) { /* 4 */
    static const char *const bad[] = {"",    "[",        "]",     "{\"a\"}", "[}",   "{]",
                                      "\"",  "\"\\\"",   "\"a\\", "x",       "[1",   "tru",
                                      "[]]", "{\"a\":1", "nul",   "[\"a]",   "falsy"};
    char deep[2 * WSHUB_SIO__DEPTH + 3];
    size_t i, bytes_count = 0;
    value v;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t len = strlen(bad[i]);
        char *exact = (char *)malloc(len ? len : 1);
        wshub_sio__sink sink = {NULL, 0, 0};
        wshub_str json = {exact, len};
        if (len) memcpy(exact, bad[i], len);
        EXPECT(!wshub_sio__pack_json(&sink, json, NULL, 0, &bytes_count));
        free(exact);
    }
    memset(deep, '[', WSHUB_SIO__DEPTH);
    memset(deep + WSHUB_SIO__DEPTH, ']', WSHUB_SIO__DEPTH);
    deep[2 * WSHUB_SIO__DEPTH] = 0;
    v = packed(wshub_str_z(deep), NULL, 0);
    EXPECT_INT(v.ok, true);
    free(v.buf);
    memset(deep, '[', WSHUB_SIO__DEPTH + 1);
    memset(deep + WSHUB_SIO__DEPTH + 1, ']', WSHUB_SIO__DEPTH + 1);
    deep[2 * WSHUB_SIO__DEPTH + 2] = 0;
    EXPECT_INT(packed(wshub_str_z(deep), NULL, 0).ok, false);
}

TEST(objects_that_stand_for_bytes_become_them) { /* 4 */
    static const wshub_span spans[] = {{(const uint8_t *)"ab", 2}, {NULL, 0}};
    static const struct {
        const char *json, *bytes;
        size_t count, uses;
    } t[] = {
        {"[{\"_placeholder\":true,\"num\":1},{\"num\":0,\"_placeholder\":true,\"x\":[]}]",
         "\x92\xC4\0\xC4\2ab", 7, 2},
        {"[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}]",
         "\x92\xC4\2ab\xC4\2ab", 9, 2}, /* as often as it stands there */
        {"{\"_placeholder\":true,\"num\":2}", NULL, 0, 0},
        {"{\"_placeholder\":true,\"num\":0,\"num\":7}", NULL, 0, 0}, /* the last counts */
        {"{\"_placeholder\":true,\"num\":0,\"x\":{\"_placeholder\":true,\"num\":1}}", "\xC4\2ab", 4,
         1},
        {"{\"num\":7,\"_placeholde\\u0072\":true,\"num\":0}", "\xC4\2ab", 4, 1},
        {"{\"_placeholder\":false,\"num\":0}", NULL, 0, 0},
        {"{\"_placeholder\":1,\"num\":0}", NULL, 0, 0},
        {"{\"_placeholder\":true,\"num\":-1}", NULL, 0, 0},
        {"{\"_placeholder\":true}", NULL, 0, 0},
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        value v = packed(wshub_str_z(t[i].json), spans, 2), back;
        EXPECT(v.ok);
        EXPECT_INT(v.bytes_count, t[i].uses);
        if (t[i].bytes) EXPECT(v.len == t[i].count && memcmp(v.buf, t[i].bytes, v.len) == 0);
        back = unpacked(v.buf, v.len);
        EXPECT_INT(back.bytes_count, t[i].uses);
        if (!t[i].bytes) EXPECT_STR(back.buf, t[i].json);
        free(v.buf);
        free(back.buf);
    }
}

TEST(dates_and_what_old_writers_have_are_read) { /* 4, PITFALLS e14 */
#define PLACE(n) "{\"_placeholder\":true,\"num\":" #n "}"
    static const struct {
        const char *bytes;
        size_t count;
        const char *json;
    } t[] = {
        {"\xD6\xFF\xFF\xFF\xFF\xFF", 6, "\"2106-02-07T06:28:15.000Z\""},
        {"\xD6\xFF\x38\x6D\x43\x80", 6, "\"2000-01-01T00:00:00.000Z\""},
        {"\xD6\xFF\x38\xBC\x5D\x80", 6, "\"2000-03-01T00:00:00.000Z\""},
        {"\xD6\xFF\x38\xBC\x5D\x7F", 6, "\"2000-02-29T23:59:59.000Z\""},
        /* old: milliseconds, of type 0 */
        {"\xD7\0\0\0\0\0\0\0\x05\xDC", 10, "\"1970-01-01T00:00:01.500Z\""},
        {"\xD7\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10, "\"1969-12-31T23:59:59.999Z\""},
        {"\xD7\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10, "null"},
        {"\xD7\0\x80\0\0\0\0\0\0\0", 10, "null"},
        /* the first and the last there are, in seconds, and those beside them */
        {"\xC7\x0C\xFF\0\0\0\0\xFF\xFF\xF8\x24\x5C\xD4\xA4\0", 15, NULL},
        {"\xC7\x0C\xFF\0\0\0\0\0\0\x07\xDB\xA8\x21\x80\0", 15, "\"+275760-09-13T00:00:00.000Z\""},
        {"\xC7\x0C\xFF\0\0\0\0\0\0\x07\xDB\xA8\x21\x80\1", 15, "null"},
        {"\xC7\x0C\xFF\0\0\0\0\xFF\xFF\xF8\x24\x57\xDE\x80\0", 15,
         "\"-271821-04-20T00:00:00.000Z\""},
        {"\xC7\x0C\xFF\0\0\0\0\xFF\xFF\xFF\xF1\x86\x8B\x84\0", 15, "\"0000-01-01T00:00:00.000Z\""},
        /* less than a millisecond is cut off towards 1970 */
        {"\xC7\x0C\xFF\0\0\0\1\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 15,
         "\"1969-12-31T23:59:59.001Z\""},
        {"\xC7\x0C\xFF\0\0\0\1\0\0\0\0\0\0\0\1", 15, "\"1970-01-01T00:00:01.000Z\""},
        /* no dates: a type, and bytes */
        {"\xC7\x08\xFF\0\0\0\0\0\0\0\1", 11, "[-1," PLACE(0) "]"},
        {"\xC7\x04\xFF\0\0\0\0", 7, NULL},
        {"\xD4\xFFz", 3, "[-1," PLACE(0) "]"},
        {"\xD8\7abcdefghijklmnop", 18, "[7," PLACE(0) "]"},
        {"\xD5\0ab", 4, "[0," PLACE(0) "]"},
        {"\xC8\0\1\x80z", 5, "[-128," PLACE(0) "]"},
        {"\xC7\2\0ab", 5, PLACE(0)}, /* bytes, of old writers */
        {"\xC9\0\0\0\1\0a", 7, PLACE(0)},
        /* undefined */
        {"\x92\xD4\0\0\1", 5, "[null,1]"},
        {"\x82\xA1\x61\xD4\0\0\xA1\x62\2", 9, "{\"b\":2}"},
        {"\x82\xA1\x61\2\xA1\x62\xD4\0\0", 9, "{\"a\":2}"},
        {"\x81\xA1\x61\xD4\0\0", 6, "{}"},
        /* keys that are numbers, and none */
        {"\x82\xFF\1\xCD\1\0\2", 7, "{\"-1\":1,\"256\":2}"},
        {"\x81\xD3\x80\0\0\0\0\0\0\0\xC0", 11, "{\"-9223372036854775808\":null}"},
        {"\xD3\x80\0\0\0\0\0\0\0", 9, "-9223372036854775808"},
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        value v = unpacked(t[i].bytes, t[i].count);
        EXPECT(v.ok);
        if (t[i].json) EXPECT_STR(v.buf, t[i].json);
        EXPECT(wshub_json_check(text_of_value(&v), 0));
        free(v.buf);
    }
}

TEST(what_strangers_write_is_refused_before_it_costs_anything) { /* 4, PITFALLS e17 */
    static const struct {
        const char *bytes;
        size_t count;
    } t[] = {
        {"\xDD\xFF\xFF\xFF\xFF", 5},     /* four thousand million of nothing */
        {"\xDF\x7F\xFF\xFF\xFF\1\1", 7}, /* pairs */
        {"\xDC\0\3\1\1", 5},             /* one more than there are bytes */
        {"\x82\xA1\x61\1", 4},           /* half of two pairs */
        {"\xC6\xFF\xFF\xFF\xFF\1", 6},   /* bytes */
        {"\xDB\xFF\xFF\xFF\xFF\1", 6},   /* a text */
        {"\xC9\xFF\xFF\xFF\xFF\1\1", 7}, /* an EXT */
        {"\xC7\0", 2},                   /* which has no type */
        {"\xA1\xFF", 2},                 /* no UTF-8 */
        {"\xA2\xC3", 2},
        {"\xA3\xED\xA0\x80", 4}, /* half a pair */
        {"\x81\xC0\1", 3},       /* keys that are no text and no number */
        {"\x81\x90\1", 3},
        {"\x81\xC4\0\1", 4},
        {"\x81\xA1\xFF\1", 4},
        {"\x91\xC1", 2},
    };
    char deep[2 * WSHUB_SIO__DEPTH + 2], many[3 * SPANS_MAX + 8];
    size_t i, n = 0;
    value v;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        v = unpacked(t[i].bytes, t[i].count);
        EXPECT(!v.ok && !v.too_many);
        free(v.buf);
    }
    memset(deep, 0x91, sizeof deep);
    deep[WSHUB_SIO__DEPTH] = 1;
    v = unpacked(deep, WSHUB_SIO__DEPTH + 1);
    EXPECT(v.ok);
    free(v.buf);
    deep[WSHUB_SIO__DEPTH] = (char)0x91;
    deep[WSHUB_SIO__DEPTH + 1] = 1;
    v = unpacked(deep, WSHUB_SIO__DEPTH + 2);
    EXPECT(!v.ok);
    free(v.buf);

    many[n++] = (char)(0x90 + SPANS_MAX + 1);
    for (i = 0; i <= SPANS_MAX; i++) {
        many[n++] = (char)0xC4;
        many[n++] = 1;
        many[n++] = 'b';
    }
    v = unpacked(many, n);
    EXPECT(!v.ok && v.too_many);
    free(v.buf);
    many[0] = (char)(0x90 + SPANS_MAX);
    v = unpacked(many, n - 3);
    EXPECT(v.ok && v.bytes_count == SPANS_MAX);
    free(v.buf);
}

TEST(what_is_read_can_be_written_and_is_read_the_same_again) { /* 4: decode-back */
    unsigned round, read = 0;
    any_seed = 7;
    for (round = 0; round < 60000; round += test_stride(5)) {
        char bytes[64];
        size_t count = 1 + any_of(sizeof bytes - 1), i;
        value a, b, c, d;
        for (i = 0; i < count; i++) { /* mostly heads, which go on */
            static const char often[] =
                "\x91\x92\x93\x81\x82\xA1\xA2\xC0\xC4\xCB\xCF\xD3\xD6\xFF\1";
            bytes[i] = (char)(any_of(2) ? often[any_of(sizeof often - 1)] : (int)any_of(256));
        }
        while (count) { /* the longest front of it that is one */
            a = unpacked(bytes, count);
            if (a.ok) break;
            free(a.buf);
            count--;
        }
        if (!count) continue;
        read += count > 8;
        EXPECT(wshub_json_check(text_of_value(&a), 0));
        b = packed(text_of_value(&a), a.spans, a.bytes_count);
        EXPECT(b.ok);
        c = unpacked(b.buf, b.len);
        EXPECT(c.ok);
        EXPECT_INT(c.bytes_count, a.bytes_count);
        d = packed(text_of_value(&c), c.spans,
                   c.bytes_count); /* whole numbers look otherwise now */
        EXPECT(d.ok && d.len == b.len && memcmp(d.buf, b.buf, b.len) == 0);
        free(a.buf);
        free(b.buf);
        free(c.buf);
        free(d.buf);
    }
    EXPECT_OP(read, >, 1000);
}
