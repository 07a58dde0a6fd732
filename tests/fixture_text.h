/* Small texts for the fixtures and the player of transcripts: one that grows, strings out of JSON. */
#ifndef FIXTURE_TEXT_H
#define FIXTURE_TEXT_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    char *ptr;
    size_t len, cap;
} text;

static void text_add(text *t, const char *bytes, size_t n) {
    if (t->len + n + 1 > t->cap) {
        t->cap = (t->len + n + 1) * 2;
        t->ptr = (char *)realloc(t->ptr, t->cap);
        if (!t->ptr) abort();
    }
    if (n) memcpy(t->ptr + t->len, bytes, n);
    t->len += n;
    t->ptr[t->len] = 0;
}
__attribute__((unused)) static void text_z(text *t, const char *s) {
    text_add(t, s, strlen(s));
}
__attribute__((unused)) static void text_str(text *t, wshub_str s) {
    text_add(t, s.ptr, s.len);
}
static void text_quote(text *t, wshub_str s) {
    size_t n = wshub_json_quote(s, NULL, 0);
    char *q = (char *)malloc(n);
    if (!q) abort();
    (void)wshub_json_quote(s, q, n);
    text_add(t, q, n);
    free(q);
}
/* Appends by a format: %s a wshub_str as it is, %q quoted as JSON, %u an unsigned long. */
static void text_put(text *t, const char *format, ...) {
    const char *p;
    char digits[24];
    va_list args;
    va_start(args, format);
    for (p = format; *p; p++) {
        if (*p != '%') {
            text_add(t, p, 1);
        } else if (*++p == 's') {
            wshub_str s = va_arg(args, wshub_str);
            text_add(t, s.ptr, s.len);
        } else if (*p == 'q') {
            text_quote(t, va_arg(args, wshub_str));
        } else {
            unsigned long n = va_arg(args, unsigned long);
            text_add(t, digits, (size_t)snprintf(digits, sizeof digits, "%lu", n));
        }
    }
    va_end(args);
}
__attribute__((unused)) static wshub_str text_get(const text *t) {
    wshub_str s;
    s.ptr = t->ptr ? t->ptr : "";
    s.len = t->len;
    return s;
}

__attribute__((unused)) static wshub_str fixture_none(void) {
    wshub_str s;
    s.ptr = NULL;
    s.len = 0;
    return s;
}
/* The string under a key, decoded, to be freed; ptr NULL: lacking. */
__attribute__((unused)) static wshub_str fixture_string(wshub_str data, const char *key) {
    wshub_str raw = wshub_json_get(data, key), s = fixture_none();
    char *buf;
    if (wshub_json_type(raw) != WSHUB_JSON_STRING) return s;
    buf = (char *)malloc(raw.len);
    if (!buf) abort();
    s.ptr = buf;
    s.len = wshub_json_text(raw, buf, raw.len);
    return s;
}
__attribute__((unused)) static void fixture_free(wshub_str s) {
    union {
        const char *from;
        void *to;
    } u;
    u.from = s.ptr;
    free(u.to);
}
__attribute__((unused)) static bool fixture_is(wshub_str s, const char *prefix) { /* begins with */
    return s.ptr && s.len >= strlen(prefix) && memcmp(s.ptr, prefix, strlen(prefix)) == 0;
}
/* By UTF-8 bytes, for qsort(). */
__attribute__((unused)) static int fixture_compare(const void *a, const void *b) {
    const wshub_str *x = (const wshub_str *)a, *y = (const wshub_str *)b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = n ? memcmp(x->ptr, y->ptr, n) : 0;
    return c ? c : (x->len > y->len) - (x->len < y->len);
}
#endif
