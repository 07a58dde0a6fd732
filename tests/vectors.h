/* Reads the transcripts that tests/socketio/import.py has written (its head says what the marks
 * mean), and the words that tests of Engine.IO and of Socket.IO play them by: frames and requests
 * whose bytes arrive in pieces, arguments in which bytes are written as {"$bin":"0102"}. */
#ifndef VECTORS_H
#define VECTORS_H
#include "eio_site.h"
#include "texts.h"

enum { VEC_LINES = 64, VEC_CASES = 160 };

typedef struct vec_line {
    char mark;
    char *text; /* terminated; bytes where the mark says so */
    size_t len;
} vec_line;

typedef struct vec_case {
    char *name;
    vec_line lines[VEC_LINES];
    size_t count;
} vec_case;

typedef struct vec_file {
    char *text, *room; /* what the file says, and the lines that it stands for */
    vec_case *cases;
    size_t count;
} vec_file;

UNUSED static int vec_digit(char c) {
    const char *digits = "0123456789abcdef0123456789ABCDEF", *at = strchr(digits, c);
    return c && at ? (int)(at - digits) % 16 : -1;
}

/* The bytes of a text in hexadecimal. Returns how many. */
UNUSED static size_t vec_bytes(const char *hex, size_t len, char *out) {
    size_t i;
    for (i = 0; i + 1 < len; i += 2)
        out[i / 2] = (char)(vec_digit(hex[i]) * 16 + vec_digit(hex[i + 1]));
    return len / 2;
}

/* A text without its escapes. Returns how long it is. */
static size_t vec_unescape(const char *text, size_t len, char *out) {
    size_t i, n = 0;
    for (i = 0; i < len; i++) {
        if (text[i] != '%') {
            out[n++] = text[i];
        } else if (text[i + 1] == '(') { /* %(x*900); x may be of several bytes */
            const char *star = strchr(text + i + 3, '*');
            long times = strtol(star + 1, NULL, 10);
            size_t one = (size_t)(star - (text + i + 2));
            for (; times > 0; times--) {
                memcpy(out + n, text + i + 2, one);
                n += one;
            }
            i = (size_t)(strchr(star, ')') - text);
        } else {
            n += vec_bytes(text + i + 1, 2, out + n);
            i += 2;
        }
    }
    return n;
}

static void vec_add(vec_case *c, char mark, const char *text, size_t len, char **room) {
    vec_line *line = &c->lines[c->count++];
    EXPECT_OP(c->count, <=, VEC_LINES);
    line->mark = mark;
    line->text = *room;
    line->len = vec_unescape(text, len, *room);
    if (mark == '+' || mark == '-') line->len = vec_bytes(line->text, line->len, line->text);
    line->text[line->len] = 0;
    *room += line->len + 1;
}

/* Reads a file of so many cases. */
UNUSED static void vec_read(vec_file *f, const char *path, size_t want) {
    char *p, *room;
    memset(f, 0, sizeof *f);
    f->text = text_of(path);
    f->room = room = (char *)malloc(TEXT_MAX);
    f->cases = (vec_case *)calloc(VEC_CASES, sizeof *f->cases);
    if (!f->text || !f->room || !f->cases) exit(1);
    for (p = f->text; *p;) {
        char *end = strchr(p, '\n');
        if (!end) break;
        *end = 0;
        if (p[0] == '#' && f->count < VEC_CASES)
            f->cases[f->count++].name = p + 2;
        else if (p[0] && f->count)
            vec_add(&f->cases[f->count - 1], p[0], end > p + 2 ? p + 2 : "",
                    end > p + 2 ? (size_t)(end - p) - 2 : 0, &room);
        p = end + 1;
    }
    EXPECT_INT(f->count, want);
}
UNUSED static void vec_free(vec_file *f) {
    free(f->text);
    free(f->room);
    free(f->cases);
}

/* What is expected has come; else it is said of which case, and how it was played. */
static bool vec_same(const char *name, const char *how, const char *got, const char *want) {
    if (strcmp(got, want) == 0) return true;
    test_failures++;
    (void)printf("  %s: %s (%s)\n    got      %.1500s\n    expected %.1500s\n", test_name, name,
                 how, got, want);
    return false;
}

/* ---- bytes on their way ---- */

/* Bytes of a client that are yet to be said. */
typedef struct vec_said {
    char bytes[200000];
    size_t len;
} vec_said;

static void vec_put(vec_said *s, const char *bytes, size_t len) {
    EXPECT_OP(s->len + len, <, sizeof s->bytes);
    memcpy(s->bytes + s->len, bytes, len);
    s->len += len;
}

/* A frame, masked. */
UNUSED static void vec_put_frame(vec_said *s, int opcode, const char *bytes, size_t len) {
    static const char mask[4] = {1, 2, 3, 4};
    char head[14];
    size_t n = 0, i, at;
    head[n++] = (char)(0x80 | opcode);
    if (len < 126) {
        head[n++] = (char)(0x80 | (int)len);
    } else {
        head[n++] = (char)0xFE;
        head[n++] = (char)(len >> 8);
        head[n++] = (char)(len & 255);
    }
    memcpy(head + n, mask, 4);
    vec_put(s, head, n + 4);
    at = s->len;
    vec_put(s, bytes, len);
    for (i = 0; i < len; i++) s->bytes[at + i] = (char)(s->bytes[at + i] ^ mask[i % 4]);
}

/* How bytes arrive: VEC_WHOLE, VEC_SINGLY, or in two pieces, the first of which has so many. */
enum { VEC_WHOLE = -1, VEC_SINGLY = -2 };

UNUSED static void vec_say(wshub_io_fake *net, wshub_conn c, vec_said *s, long cut) {
    size_t at = 0, piece;
    while (at < s->len) {
        piece = s->len - at;
        if (cut == VEC_SINGLY) piece = 1;
        if (cut > 0 && at == 0 && (size_t)cut < piece) piece = (size_t)cut;
        wshub_io_fake_input(net, c, s->bytes + at, piece);
        at += piece;
    }
    wshub_io_fake_run(net);
    s->len = 0;
}

/* ---- bytes in arguments ---- */

/* Where an object ends that is known to be JSON. */
UNUSED static const char *vec_object_end(const char *p, const char *end) {
    bool text = false;
    int depth = 0;
    for (; p < end; p++) {
        if (*p == '"') text = !text;
        if (text && *p == '\\') p++;
        if (text) continue;
        if (*p == '{') depth++;
        if (*p == '}' && --depth == 0) return p + 1;
    }
    return end;
}

UNUSED static size_t vec_hex(wshub_span bytes, char *out) {
    size_t i;
    for (i = 0; i < bytes.len; i++) (void)sprintf(out + 2 * i, "%02x", bytes.ptr[i]);
    return 2 * bytes.len;
}
#endif
