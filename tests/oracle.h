/* Slow and obvious second implementations, written from the RFCs and apart from wshub.h, for
 * the tests that compare: UTF-8 (RFC 3629), JSON (RFC 8259), frame heads (RFC 6455 5.2), RESP. */
#ifndef ORACLE_H
#define ORACLE_H

/* One code point at the front. Returns its length in bytes; 0: there is none. */
static size_t oracle_rune(const uint8_t *p, size_t n, uint32_t *out) {
    uint32_t c, least;
    size_t len, i;
    if (n == 0) return 0;
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    if (p[0] >> 5 == 6)
        len = 2, c = p[0] & 31u, least = 0x80;
    else if (p[0] >> 4 == 14)
        len = 3, c = p[0] & 15u, least = 0x800;
    else if (p[0] >> 3 == 30)
        len = 4, c = p[0] & 7u, least = 0x10000;
    else
        return 0;
    if (n < len) return 0;
    for (i = 1; i < len; i++) {
        if (p[i] >> 6 != 2) return 0;
        c = c * 64 + (p[i] & 63u);
    }
    if (c < least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *out = c;
    return len;
}
__attribute__((unused)) static bool oracle_utf8(const uint8_t *p, size_t n) {
    while (n) {
        uint32_t c;
        size_t k = oracle_rune(p, n, &c);
        if (!k) return false;
        p += k;
        n -= k;
    }
    return true;
}
/* UTF-16 code units; SIZE_MAX: it is not UTF-8. */
__attribute__((unused)) static size_t oracle_utf16(const uint8_t *p, size_t n) {
    size_t units = 0;
    while (n) {
        uint32_t c;
        size_t k = oracle_rune(p, n, &c);
        if (!k) return SIZE_MAX;
        units += c > 0xFFFF ? 2 : 1;
        p += k;
        n -= k;
    }
    return units;
}

/* JSON by recursive descent. Each returns where the thing ends; NULL: it is none. */
typedef struct oracle_json {
    const uint8_t *end;
    int depth, deepest;
} oracle_json;
static const uint8_t *oracle_space(oracle_json *j, const uint8_t *p) {
    while (p < j->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}
static bool oracle_digit(const oracle_json *j, const uint8_t *p) {
    return p < j->end && *p >= '0' && *p <= '9';
}
static const uint8_t *oracle_string(oracle_json *j, const uint8_t *p) {
    if (p == j->end || *p++ != '"') return NULL;
    for (;;) {
        uint32_t c;
        size_t k;
        if (p == j->end) return NULL;
        if (*p == '"') return p + 1;
        if (*p == '\\') {
            if (++p == j->end) return NULL;
            if (*p == 'u') {
                int i;
                for (i = 1; i <= 4; i++) {
                    if (p + i >= j->end) return NULL;
                    if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f') ||
                          (p[i] >= 'A' && p[i] <= 'F')))
                        return NULL;
                }
                p += 5;
            } else if (strchr("\"\\/bfnrt", *p) && *p) {
                p++;
            } else {
                return NULL;
            }
            continue;
        }
        if (*p < 0x20) return NULL;
        k = oracle_rune(p, (size_t)(j->end - p), &c);
        if (!k) return NULL;
        p += k;
    }
}
static const uint8_t *oracle_number(oracle_json *j, const uint8_t *p) {
    if (p < j->end && *p == '-') p++;
    if (!oracle_digit(j, p)) return NULL;
    if (*p == '0')
        p++;
    else
        while (oracle_digit(j, p)) p++;
    if (p < j->end && *p == '.') {
        if (!oracle_digit(j, ++p)) return NULL;
        while (oracle_digit(j, p)) p++;
    }
    if (p < j->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < j->end && (*p == '+' || *p == '-')) p++;
        if (!oracle_digit(j, p)) return NULL;
        while (oracle_digit(j, p)) p++;
    }
    return p;
}
static const uint8_t *oracle_value(oracle_json *j, const uint8_t *p) {
    static const char *const words[] = {"true", "false", "null"};
    int i;
    p = oracle_space(j, p);
    if (p == j->end) return NULL;
    if (*p == '"') return oracle_string(j, p);
    if (*p == '-' || (*p >= '0' && *p <= '9')) return oracle_number(j, p);
    for (i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(j->end - p) >= n && memcmp(p, words[i], n) == 0) return p + n;
    }
    if (*p == '[' || *p == '{') {
        bool object = *p == '{';
        uint8_t close = object ? '}' : ']';
        if (++j->depth > j->deepest) return NULL;
        p = oracle_space(j, p + 1);
        if (p < j->end && *p == close) {
            j->depth--;
            return p + 1;
        }
        for (;;) {
            if (object) {
                p = oracle_string(j, oracle_space(j, p));
                if (!p) return NULL;
                p = oracle_space(j, p);
                if (p == j->end || *p++ != ':') return NULL;
            }
            p = oracle_value(j, p);
            if (!p) return NULL;
            p = oracle_space(j, p);
            if (p == j->end) return NULL;
            if (*p == close) {
                j->depth--;
                return p + 1;
            }
            if (*p++ != ',') return NULL;
        }
    }
    return NULL;
}
__attribute__((unused)) static bool oracle_is_json(const uint8_t *p, size_t n, int depth_max) {
    oracle_json j;
    j.end = p + n;
    j.depth = 0;
    j.deepest = depth_max;
    p = oracle_value(&j, p);
    return p && oracle_space(&j, p) == j.end;
}

/* A frame's head. As wshub_frame_read(): 1, 0 or -1. */
__attribute__((unused)) static int oracle_frame(const uint8_t *p, size_t n, wshub_frame *f) {
    size_t at = 2, i, wide;
    memset(f, 0, sizeof *f);
    if (n < 2) return 0;
    f->fin = p[0] >= 128;
    f->rsv = (uint8_t)(p[0] / 16 % 8);
    f->opcode = p[0] % 16;
    f->masked = p[1] >= 128;
    f->payload_bytes = p[1] % 128;
    wide = f->payload_bytes == 126 ? 2 : f->payload_bytes == 127 ? 8 : 0;
    if (n < at + wide) return 0;
    if (wide) {
        f->payload_bytes = 0;
        for (i = 0; i < wide; i++) f->payload_bytes = f->payload_bytes * 256 + p[at++];
        if (wide == 2 ? f->payload_bytes < 126 : f->payload_bytes < 65536 || f->payload_bytes >> 63)
            return -1;
    }
    if (f->masked) {
        if (n < at + 4) return 0;
        for (i = 0; i < 4; i++) f->mask[i] = p[at++];
    }
    f->head_bytes = (uint8_t)at;
    return 1;
}

/* RESP by recursive descent. Returns the length of the reply; 0: more is needed; -1: it is
 * none, or too deep or wide. */
__attribute__((unused)) static int64_t oracle_resp(const uint8_t *p, size_t n, int depth,
                                                   int64_t *elements) {
    const uint8_t *line = p;
    int64_t count, at, i;
    uint64_t number = 0;
    size_t len = 0;
    bool minus;
    while (len < n && p[len] != '\n') len++;
    if (len == n || len >= 65536) return len >= 65536 ? -1 : 0;
    if (len < 2 || p[len - 1] != '\r') return -1;
    at = (int64_t)len + 1;
    if (strchr("+-(,#_", p[0]) && p[0]) return at;
    if (!strchr(":$!=*~>%|", p[0]) || !p[0]) return -1;
    line++;
    minus = *line == '-';
    if (minus) line++;
    if (p + len - 1 - line < 1 || p + len - 1 - line > 19) return -1;
    for (; line < p + len - 1; line++) {
        if (*line < '0' || *line > '9') return -1;
        number = number * 10 + (uint64_t)(*line - '0');
    }
    if (number > (uint64_t)INT64_MAX + minus) return -1;
    count = number > INT64_MAX ? INT64_MIN : minus ? -(int64_t)number : (int64_t)number;
    if (p[0] == ':') return at;
    if (count < -1) return -1;
    if (count == -1) return at;
    if (strchr("$!=", p[0])) {
        if (count > 1000) return -2;
        if ((int64_t)n - at < count + 2) return 0;
        return p[at + count] == '\r' && p[at + count + 1] == '\n' ? at + count + 2 : -1;
    }
    if (count > 4096) return -1;
    if (p[0] == '%' || p[0] == '|') count *= 2;
    *elements += count + (p[0] == '|' || count == 0); /* what is said without an end has one */
    if (*elements > 4096 || (count && depth == 8)) return -1;
    if (p[0] == '|') count++; /* what it is a note to follows */
    for (i = 0; i < count; i++) {
        bool behind = p[0] == '|' && i == count - 1;
        int64_t k = oracle_resp(p + at, n - (size_t)at, behind ? depth : depth + 1, elements);
        if (k <= 0) return k;
        at += k;
    }
    return at;
}
#endif
