/* Frames, closes, fragments, text and messages that are wrong, and what becomes of them: each
 * with the close code or reply and the log code it must have, whole and at every cut. The
 * expectations are written from RFC 6455, RFC 8259 and >>rules of wshub.h, not from the code (LIMITS: bad
 * inputs). */
#include "hubtest.h"
#include "court.h"

static void frame_of(bytes *o, uint8_t first, bool masked, int form, uint64_t announced,
                     const void *payload, size_t len) {
    static const uint8_t mask[4] = {9, 200, 7, 6};
    uint8_t m = masked ? 0x80 : 0, b[10];
    size_t i, at = o->n;
    b[0] = first;
    b[1] = (uint8_t)(m | (form == 1 ? announced : form == 2 ? 126 : 127));
    if (form == 2) {
        b[2] = (uint8_t)(announced >> 8);
        b[3] = (uint8_t)announced;
    } else if (form == 3) {
        for (i = 0; i < 8; i++) b[2 + i] = (uint8_t)(announced >> (56 - 8 * i));
    }
    add(o, b, form == 1 ? 2 : form == 2 ? 4 : 10);
    if (masked) add(o, mask, 4);
    at = o->n;
    add(o, payload, len);
    for (i = 0; masked && i < len; i++) o->b[at + i] ^= mask[i % 4];
}
static void frame(bytes *o, uint8_t first, const void *payload, size_t len) {
    frame_of(o, first, true, len < 126 ? 1 : len < 65536 ? 2 : 3, len, payload, len);
}

/* RFC 6455 5: what a server makes of one frame whose payload are blanks. inside: of a
 * fragmented text. */
static const char *frame_law(unsigned first, bool masked, uint64_t len, bool inside,
                             const char **log) {
    unsigned op = first & 15, fin = first & 128, rsv = first & 0x70;
    *log = "PROTO";
    if (rsv || (op >= 3 && op <= 7) || op >= 11) return "close 1002";
    if (!masked) return "close 1002";
    if (op >= 8 && (!fin || len > 125)) return "close 1002";
    if (op == 0 && !inside) return "close 1002";
    if ((op == 1 || op == 2) && inside) return "close 1002";
    if (op < 8 && len + (inside ? 1 : 0) > 2000) return "close 1009";
    *log = "";
    if (op == 9) return "pong";
    if (op == 10) return "";
    if (op == 8) {
        if (len) *log = "PROTO"; /* one byte, or the code 0x2020 */
        return len ? "close 1002" : "close 1005";
    }
    if (!fin) return "";
    *log = "MSG_INVALID";
    return "error Invalid message format";
}

TEST(frames_of_every_kind) { /* RFC 6455 5.2, 5.4, 5.5; BYE-3 */
    /* clang-format off */
    static const uint64_t sizes[] = {
        0, 1, 2, 125, 126, 1999, 2000, 2001, 65535, 65536, UINT64_C(0x7FFFFFFF),
        UINT64_C(0x80000000), UINT64_C(0x80000001), UINT64_C(0xFFFFFFFF), UINT64_C(0x100000000),
        UINT64_C(0x100000001), UINT64_C(0x7FFFFFFFFFFFFFFF),
    };
    /* clang-format on */
    static char blanks[2001];
    static bytes o;
    unsigned first, k, masked, inside, nth = 0, stride = test_stride(13);
    memset(blanks, ' ', sizeof blanks);
    court_opens(NULL, 0);
    for (first = 0; first < 256; first++) {
        for (k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            for (masked = 0; masked < 2; masked++) {
                for (inside = 0; inside < 2; inside++) {
                    const char *log, *want = frame_law(first, masked, sizes[k], inside, &log);
                    bool whole = (!strncmp(want, "close", 5) && sizes[k] > 125) || sizes[k] > 2000
                                     ? false
                                     : true;
                    /* that those are refused is seen at the small sizes */
                    if (k > 4 && (first & 0x70)) continue;
                    if (k > 4 && (!masked || (first & 15) > 2)) continue;
                    if (nth++ % stride) continue;
                    o.n = 0;
                    if (inside) frame(&o, 1, " ", 1);
                    frame_of(&o, (uint8_t)first, masked,
                             sizes[k] < 126     ? 1
                             : sizes[k] < 65536 ? 2
                                                : 3,
                             sizes[k], blanks, whole ? (size_t)sizes[k] : 0);
                    hear(KNOWN, &o, want, log);
                }
            }
        }
    }
    for (k = 0; k < 126; k++) { /* not the shortest form of a length */
        o.n = 0;
        frame_of(&o, 0x81, true, 2, k, blanks, 0);
        hear(OPENED, &o, "close 1002", "PROTO");
    }
    for (k = 0; k < 65536; k += k < 300 || k > 65300 ? 7 : 997) {
        o.n = 0;
        frame_of(&o, 0x82, true, 3, k, blanks, 0);
        hear(OPENED, &o, "close 1002", "PROTO");
    }
    for (k = 0; k < 64; k++) { /* the top bit must be 0 */
        o.n = 0;
        frame_of(&o, 0x81, true, 3, UINT64_C(1) << 63 | UINT64_C(1) << k, blanks, 0);
        hear(OPENED, &o, "close 1002", "PROTO");
    }
    o.n = 0;
    frame_of(&o, 0x81, true, 3, UINT64_MAX, blanks, 0);
    hear(OPENED, &o, "close 1002", "PROTO");
    court_closes();
}

TEST(closes_of_every_code) { /* RFC 6455 7.4 */
    static bytes o;
    unsigned code, i;
    /* clang-format off */
    static const char *const reasons[] = {
        "\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80", "\x80", "ok\xE2\x82",
        "\xF0\x80\x80\x80",
    };
    /* clang-format on */
    char want[32];
    uint8_t p[130];
    court_opens(NULL, 0);
    for (code = 0; code < 65536; code += code < 5100 ? 1 : 1009) {
        bool ok = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                  (code >= 3000 && code <= 4999);
        if (code > 20 && code < 990 && code % 50) continue;
        if (code > 1030 && code < 2980 && code % 50) continue;
        if (code > 3020 && code < 4980 && code % 50) continue;
        p[0] = (uint8_t)(code >> 8);
        p[1] = (uint8_t)code;
        p[2] = 'r';
        for (i = 2; i < 4; i++) {
            o.n = 0;
            frame(&o, 0x88, p, i);
            (void)snprintf(want, sizeof want, "close %u", ok ? code : 1002);
            hear(OPENED, &o, want, ok ? "" : "PROTO");
        }
    }
    for (i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        o.n = 0;
        p[0] = 3;
        p[1] = 0xE8;
        memcpy(p + 2, reasons[i], strlen(reasons[i]));
        frame(&o, 0x88, p, 2 + strlen(reasons[i]));
        hear(OPENED, &o, "close 1007", "PROTO");
        frame(&o, 0x89, "x", 1); /* and what follows a Close is not looked at */
        frame(&o, 0xF3, "x", 1);
        hear(OPENED, &o, "close 1007", "PROTO");
    }
    memset(p + 2, 'r', 123);
    o.n = 0;
    frame(&o, 0x88, p, 125);
    hear(OPENED, &o, "close 1000", "");
    o.n = 0;
    frame(&o, 0x88, "\x03", 1);
    hear(OPENED, &o, "close 1002", "PROTO");
    court_closes();
}

TEST(messages_in_fragments) { /* RFC 6455 5.4 */
    static const char *const text = "{\"event\":\"e\",\"data\":\"\xE6\xBC\xA2\"}";
    static bytes o;
    size_t i, k, n = strlen(text);
    court_opens(NULL, 0);
    for (i = 0; i <= n; i++) {
        for (k = i; k <= n; k += 5) {
            o.n = 0; /* three fragments, control frames between them */
            frame(&o, 0x01, text, i);
            frame(&o, 0x89, "", 0);
            frame(&o, 0x00, text + i, k - i);
            frame(&o, 0x8A, "x", 1);
            frame(&o, 0x80, text + k, n - k);
            hear(KNOWN, &o, "pong; event e", "");
        }
        o.n = 0; /* a Close between them ends it */
        frame(&o, 0x01, text, i);
        frame(&o, 0x88, "\x03\xE8", 2);
        frame(&o, 0x80, text + i, n - i);
        hear(KNOWN, &o, "close 1000", "");
        o.n = 0; /* another message between them does not fit */
        frame(&o, 0x01, text, i);
        frame(&o, 0x81, text, n);
        hear(KNOWN, &o, "close 1002", "PROTO");
        o.n = 0; /* and when it is over, it is over */
        frame(&o, 0x01, text, i);
        frame(&o, 0x80, text + i, n - i);
        frame(&o, 0x80, "x", 1);
        hear(KNOWN, &o, "event e; close 1002", "PROTO");
    }
    {
        static char big[2001];
        memset(big, ' ', sizeof big);
        for (i = 0; i < 2; i++) { /* 2,000 bytes in all, and one more */
            o.n = 0;
            frame(&o, 0x01, big, 1000);
            frame(&o, 0x00, big, 600);
            frame(&o, 0x00, big, 0);
            frame(&o, 0x80, big, 400 + i);
            hear(KNOWN, &o, i ? "close 1009" : "error Invalid message format",
                 i ? "PROTO" : "MSG_INVALID");
        }
        /* bytes before the client is accepted: 8,192 in all; a piece at a time */
        for (i = 0; i < 2; i++) {
            o.n = 0;
            for (k = 0; k < 4; k++) frame(&o, 0x81, big, 2000);
            frame(&o, 0x81, big, 192 + i);
            hear(OPENED, &o,
                 i ? "error Invalid message format; error Invalid message format; error Invalid "
                     "message format; error Invalid message format; close 1008"
                   : "error Invalid message format; error Invalid message format; error Invalid "
                     "message format; error Invalid message format; error Invalid message format",
                 i ? "MSG_INVALID MSG_INVALID MSG_INVALID MSG_INVALID PROTO"
                   : "MSG_INVALID MSG_INVALID MSG_INVALID MSG_INVALID MSG_INVALID");
        }
    }
    court_closes();
}

TEST(text_that_is_not_utf8) { /* RFC 3629; BYE-3, MSG-2 */
    static bytes o, whole;
    unsigned a, b, k;
    uint8_t p[8];
    court_opens(NULL, 0);
    for (a = 0; a < 256; a++) {
        /* two bytes and what the RFC's table says of them, blanks behind */
        for (b = 0; b < 256; b += b < 0x70 ? 0x37 : 0x0F) {
            bool two = a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF;
            if ((a < 0x80 && b < 0x80) || two) continue; /* that is UTF-8 */
            p[0] = (uint8_t)a;
            p[1] = (uint8_t)b;
            p[2] = p[3] = ' ';
            o.n = 0;
            frame(&o, 0x81, p, 4);
            hear(KNOWN, &o, "close 1007", "PROTO");
            o.n = 0; /* as binary: read like text, no breach of the protocol */
            frame(&o, 0x82, p, 4);
            hear(KNOWN, &o, "error Invalid message format", "MSG_INVALID");
        }
    }
    {
        /* clang-format off */
        static const char *const bad[] = {
            "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xEF\xBF", "\xE1\x80",
            "\xE1\x80\xC0", "\xE1\xC0\x80", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80",
            "\xFC\x84\x80\x80\x80\x80", "\xFE", "\xFF", "\xF1\x80\x80", "\xF1\x80", "\xF1", "\xC2",
            "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xF1\x80\x80\xC0", "\xF1\x80\xC0\x80",
            "\xF1\xC0\x80\x80", "\xED\xA0\xBD\xED\xB8\x80", "\xE2\x28\xA1", "\xF0\x28\x8C\xBC",
        };
        /* clang-format on */
        for (a = 0; a < sizeof bad / sizeof *bad; a++) {
            size_t n = strlen(bad[a]);
            for (b = 0; b < 20; b++) { /* at every place relative to a word of eight bytes */
                whole.n = 0;
                addz(&whole, "{\"event\":\"e\",\"data\":\"");
                for (k = 0; k < b; k++) addz(&whole, "a");
                add(&whole, bad[a], n);
                addz(&whole, "\"}");
                o.n = 0;
                frame(&o, 0x81, whole.b, whole.n);
                if (b % 4 == 0)
                    hear(KNOWN, &o, "close 1007", "PROTO");
                else
                    once(KNOWN, &o, o.n, "close 1007", "PROTO");
            }
            for (k = 0; k <= n; k++) { /* cut by a fragment, one of them empty */
                o.n = 0;
                frame(&o, 0x01, bad[a], k);
                frame(&o, 0x00, "", 0);
                frame(&o, 0x80, bad[a] + k, n - k);
                hear(KNOWN, &o, "close 1007", "PROTO");
            }
        }
    }
    court_closes();
}

static void said(stage from, const char *text, size_t n, const char *want, const char *log) {
    static bytes o;
    o.n = 0;
    frame(&o, 0x81, text, n);
    hear(from, &o, want, log);
}

TEST(texts_that_are_not_json) { /* RFC 8259; MSG-2, MSG-9 */
    static const char *const bad[] = {
        "",
        " ",
        "\t\r\n",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "{]",
        "[}",
        "[[]",
        "{{}}",
        "{}{}",
        "{} {}",
        "[]]",
        "[1 2]",
        "[1,]",
        "[,1]",
        "[,]",
        "[1,,2]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":,}",
        "{:1}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{null:1}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,,\"b\":2}",
        "{\"a\":1;\"b\":2}",
        "{\"a\":1",
        "{\"a\":",
        "{\"a\"",
        "{\"a",
        "{\"event\":\"e\"",
        "{\"event\":\"e\",",
        "{\"event\":\"e\"}x",
        "{\"event\":\"e\"}}",
        "x{\"event\":\"e\"}",
        "\xEF\xBB\xBF{\"event\":\"e\"}",
        "// c\n{}",
        "/**/{}",
        "{/**/}",
        "#{}",
        "<a/>",
        "nul",
        "nulL",
        "NULL",
        "nulll",
        "tru",
        "True",
        "truee",
        "fals",
        "FALSE",
        "falsey",
        "undefined",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        ".1",
        "-.1",
        "1.e1",
        "1e",
        "1e+",
        "1E-",
        "1e1.0",
        "1.2.3",
        "0x1",
        "1_000",
        "1,000",
        "1 1",
        "--1",
        "1-",
        "1e1e1",
        "\xD9\xA1",
        "[01]",
        "[1.]",
        "[.1]",
        "[-]",
        "[+1]",
        "[1e]",
        "[0x1]",
        "[1a]",
        "[NaN]",
        "[truefalse]",
        "[\"a\" \"b\"]",
        "[\"a\",\"b\"",
        "[\"a",
        "\"a",
        "'a'",
        "\"a\"b\"",
        "\"\\\"",
        "\"\\",
        "\"\\x\"",
        "\"\\a\"",
        "\"\\0\"",
        "\"\\'\"",
        "\"\\U0041\"",
        "\"\\u\"",
        "\"\\u0\"",
        "\"\\u00\"",
        "\"\\u004\"",
        "\"\\u004g\"",
        "\"\\u00g1\"",
        "\"\\u0g41\"",
        "\"\\ug041\"",
        "\"\\u 041\"",
        "\"\\u-041\"",
        "\"\\uD83D\\u\"",
        "\"\\uD83D\\uDE0\"",
        "\"a\tb\"",
        "\"a\nb\"",
        "\"a\rb\"",
        "\"\x01\"",
        "\"\x1F\"",
        "\"aaaaaaa\x01\"",
        "\"aaaaaaaaa\x1F"
        "aaaaaaaa\"",
        "{\"a\x02\":1}",
        "{\"\\q\":1}",
        "{\"event\":\"e\",\"data\":\"\\x\"}",
        "{\"event\":\"\\x\"}",
        "{\"event\":\"e\",\"data\":[1,2}",
        "{\"event\":\"e\",\"data\":{\"a\":[}}",
        "{\"event\":\"e\" \"data\":1}",
        "{\"event\":\"e\",\"data\":tru}",
        "{\"event\":\"e\",\"data\":01}",
        "{\"event\":\"e\",\"data\":1.}",
        "{\"event\":e}",
        "{\"event\":\"e\",}",
        "{,\"event\":\"e\"}",
        "{\"event\"=\"e\"}",
        "{\"event\":\"e\";}",
        "{\"event\":\"e\",\"id\":}",
        "{\"event\":\"e\",\"id\":-}",
        "\v{}",
        "\f{}",
        "{}\f",
        "\xC2\xA0{}",
        "{}\xC2\xA0",
        "\xE2\x80\xA8{}",
        "{\xC2\xA0}",
        "[\xC2\xA0]",
        "[1\f]",
        "[\v1]",
        "[\"a\",\v1]",
        "{\"a\"\f:1}",
        "*",
        "&",
        "?",
        "\\",
        "\\u0041",
        "\\n",
        "a",
        "abc",
        "[abc]",
        "[a,b]",
        "{\"a\":b}",
        "()",
        "[()]",
        "{\"a\":()}",
        "[1:2]",
        "[\"a\":1]",
        "{\"a\",\"b\"}",
        "{[]:1}",
        "{{}:1}",
        "{true:1}",
        "{\"a\":1}\x7F",
        "1}",
        "true]",
        "null,",
        "\"a\",",
        "[],",
        "{},",
        "]{",
        "}{",
        ",[]",
        ":[]",
        "[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]",
        "{\"event\":\"e\",\"data\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
        "\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}}}}}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
        "\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    };
    static const char good[] = "{\"event\":\"e\",\"id\":[-0.5e+3,{\"k\":null}],\"data\":{\"a\":["
                               "true,false,\"\\u0041\\n\"]}}";
    size_t i, c;
    char text[120];
    court_opens(NULL, 0);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) { /* in any state */
        said(OPENED, bad[i], strlen(bad[i]), "error Invalid message format", "MSG_INVALID");
        said(KNOWN, bad[i], strlen(bad[i]), "error Invalid message format", "MSG_INVALID");
    }
    said(KNOWN, "\0", 1, "error Invalid message format", "MSG_INVALID");
    said(KNOWN, "{}\0", 3, "error Invalid message format", "MSG_INVALID");
    said(KNOWN, "{\"event\":\"e\0\"}", 14, "error Invalid message format", "MSG_INVALID");
    for (i = 0; i < sizeof good - 1; i++) /* every beginning of it is none */
        said(KNOWN, good, i, "error Invalid message format", "MSG_INVALID");
    said(KNOWN, good, sizeof good - 1, "event e", "");
    for (c = 0; c < 32; c++) { /* no control character inside a string */
        for (i = 0; i < 12; i++) {
            (void)snprintf(text, sizeof text, "{\"event\":\"e\",\"data\":\"123456789012\"}");
            text[21 + i] = (char)c;
            said(KNOWN, text, 35, "error Invalid message format", "MSG_INVALID");
        }
    }
    for (c = 1; c < 128; c++) { /* no letter where the grammar has a sign */
        static const size_t places[] = {0, 1, 8, 9, 11, 12};
        for (i = 0; i < sizeof places / sizeof *places; i++) {
            (void)snprintf(text, sizeof text, "{\"event\":\"\",\"data\":1}");
            if (strchr(" \t\r\n", (int)c) || text[places[i]] == (char)c ||
                (places[i] == 9 && c == '0'))
                continue;
            if ((places[i] == 1 || places[i] == 9) && c == '"') continue;
            text[places[i]] = (char)c;
            said(KNOWN, text, strlen(text), "error Invalid message format", "MSG_INVALID");
        }
    }
    court_closes();
}

TEST(envelopes_of_every_type) { /* MSG-3 to MSG-7: each field of each JSON type */
    /* clang-format off */
    static const char *const values[] = {
        "null", "true", "false", "0", "-1.5e3", "\"\"", "\"x\"", "[]", "[1]", "[\"event\"]", "{}",
        "{\"event\":\"e\"}", "\"\\u0000\"", "\"\\uD800\"", "1e999", "\"__proto__\"", "[[],{}]",
        "\"authenticate\"", "\"join\"",
    };
    static const char *const events[] = {
        "e", "authenticate", "join", "leave", "heartbeat", "connected", "error", "constructor",
    };
    /* clang-format on */
    size_t i, k, m, from;
    char text[300], want[200];
    court_opens(NULL, 0);
    for (from = OPENED; from <= KNOWN; from++) {
        /* a whole message, then `event`, of that type */
        for (i = 0; i < sizeof values / sizeof *values; i++) {
            bool string = values[i][0] == '"' && values[i][1] != '"';
            const char *none = from == OPENED ? "error Not authenticated" : "event e";
            if (strcmp(values[i], "{\"event\":\"e\"}") == 0)
                said((stage)from, values[i], strlen(values[i]), none, "");
            else
                said((stage)from, values[i], strlen(values[i]), "", "MSG_IGNORED");
            (void)snprintf(text, sizeof text, "{\"event\":%s}", values[i]);
            if (!string) {
                said((stage)from, text, strlen(text), "", "MSG_IGNORED");
            } else if (i == 17) {
                said((stage)from, text, strlen(text),
                     from == OPENED ? "event connected" : "error Already authenticated", "");
            } else if (i == 18 && from == KNOWN) {
                said((stage)from, text, strlen(text), "", "JOIN_REFUSED");
            } else if (from == OPENED) {
                said((stage)from, text, strlen(text), "error Not authenticated", "");
            }
            for (k = 0; k < sizeof values / sizeof *values; k++) { /* of equal keys the last */
                (void)snprintf(text, sizeof text, "{\"event\":%s,\"id\":%s,\"event\":\"e\"}",
                               values[i], values[k]);
                said((stage)from, text, strlen(text), none, "");
                (void)snprintf(text, sizeof text, "{\"event\":\"e\",\"id\":%s,\"\\u0065vent\":%s}",
                               values[k], values[i]);
                if (!string) said((stage)from, text, strlen(text), "", "MSG_IGNORED");
            }
            for (m = 0; m < sizeof events / sizeof *events; m++) {
                (void)snprintf(text, sizeof text, "{\"data\":%s,\"event\":\"%s\"}", values[i],
                               events[m]);
                if (m == 4) {
                    want[0] = 0; /* MSG-4 */
                } else if (m == 1) {
                    (void)snprintf(want, sizeof want, "%s",
                                   from == OPENED ? "event connected"
                                                  : "error Already authenticated");
                } else if (from == OPENED) {
                    (void)snprintf(want, sizeof want, "error Not authenticated");
                } else if (m == 2 || m == 3 || m == 5 || m == 6) {
                    want[0] = 0; /* the last two are what servers alone say */
                } else {
                    (void)snprintf(want, sizeof want, "event %s", events[m]);
                }
                said((stage)from, text, strlen(text), want,
                     from == OPENED     ? ""
                     : m == 2 || m == 3 ? "JOIN_REFUSED"
                     : m == 5 || m == 6 ? "MSG_IGNORED"
                                        : "");
            }
        }
    }
    court_closes();
}

TEST(rooms_that_are_refused) { /* ROOM-1, ROOM-3, ROOM-6 */
    static const struct {
        const char *rooms, *log;
        /* clang-format off */
    } t[] = {
        {"null", "JOIN_REFUSED"},
        {"true", "JOIN_REFUSED"},
        {"0", "JOIN_REFUSED"},
        {"\"r\"", "JOIN_REFUSED"},
        {"{}", "JOIN_REFUSED"},
        {"{\"0\":\"r\"}", "JOIN_REFUSED"},
        {"[]", "JOIN_REFUSED"},
        {"[null]", "JOIN_REFUSED"},
        {"[1,true,{},[\"r\"]]", "JOIN_REFUSED"},
        {"[\"\"]", "JOIN_REFUSED"},
        {"[\"ws:\"]", "JOIN_REFUSED"},
        {"[\"ws:client:x\"]", "JOIN_REFUSED"},
        {"[\"\\u0077s:x\"]", "JOIN_REFUSED"},
        {"[\"ws\\u003a\"]", "JOIN_REFUSED"},
        {"[\"r\"]", ""},
        {"[\"ws\"]", ""},
        {"[\"Ws:x\"]", ""},
        {"[\" ws:x\"]", ""},
        {"[\"wsx:\"]", ""},
        {"[\"*\",\"?\",\"[a]\",\"\\r\\n\"]", ""},
        {"[\"\\u0000\"]", ""},
        {"[\"a\",\"b\",\"c\",\"d\"]", ""},
        {"[\"a\",\"b\",\"c\",\"d\",\"e\"]", "JOIN_REFUSED"},
        {"[\"a\",\"b\",\"c\",\"d\",\"\"]", ""},
        {"[\"a\",\"a\",\"a\",\"a\",\"a\"]", "JOIN_REFUSED"},
        {"[[],{},\"a\",1,\"b\",null,\"c\",\"d\"]", ""},
    };
    /* clang-format on */
    size_t i;
    char text[2000];
    court_opens(NULL, 0);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":%s}}",
                       t[i].rooms);
        said(KNOWN, text, strlen(text), "", t[i].log);
        (void)snprintf(text, sizeof text,
                       "{\"event\":\"join\",\"data\":{\"rooms\":1,\"rooms\":%s}}", t[i].rooms);
        said(KNOWN, text, strlen(text), "", t[i].log);
        said(OPENED, text, strlen(text), "error Not authenticated", "");
    }
    for (i = 250; i < 262; i++) { /* 256 code units of UTF-16, whatever they take in UTF-8 */
        static const char *const units[] = {"a", "\xC3\xA9", "\xE6\xBC\xA2", "\\u00e9"};
        size_t k, u;
        for (u = 0; u < 5; u++) {
            size_t at =
                (size_t)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"");
            for (k = 0; k < i; k += u == 4 ? 2 : 1)
                at += (size_t)snprintf(text + at, sizeof text - at, "%s",
                                       u == 4 ? "\xF0\x9F\x98\x80" : units[u]);
            at += (size_t)snprintf(text + at, sizeof text - at, "\"]}}");
            said(KNOWN, text, at, "", (u == 4 ? (i + 1) / 2 * 2 : i) <= 256 ? "" : "JOIN_REFUSED");
        }
    }
    court_closes();
}
