/* HTTP at hand (HTTP-1 to HTTP-3): the same text as a query, as cookies, as a list, as tags, as a
 * date, as a range and as a field of a request. What is found lies inside of it, walks end, what is
 * decoded is what a slow twin decodes, and what is written is read as it was. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 300
#endif
#include "fuzz.h"
#include <strings.h>
#define WSHUB_IMPLEMENTATION
#include "wshub.h"

static bool inside(wshub_str part, wshub_str whole) {
    if (!part.ptr) return part.len == 0;
    return part.ptr >= whole.ptr && part.len <= whole.len &&
           (size_t)(part.ptr - whole.ptr) <= whole.len - part.len;
}
static bool has(wshub_str s, char c) {
    return s.len && memchr(s.ptr, c, s.len);
}

/* What wshub_percent_decode() is to give, written by somebody else: an escape is looked up among
 * all that there are. */
static size_t slowly(wshub_str text, bool plus, char *out) {
    static const char upper[] = "0123456789ABCDEF", lower[] = "0123456789abcdef";
    size_t i = 0, n = 0;
    unsigned a, b;
    while (i < text.len) {
        bool found = false;
        for (a = 0; a < 16 && text.ptr[i] == '%' && i + 2 < text.len && !found; a++)
            for (b = 0; b < 16 && !found; b++)
                if ((text.ptr[i + 1] == upper[a] || text.ptr[i + 1] == lower[a]) &&
                    (text.ptr[i + 2] == upper[b] || text.ptr[i + 2] == lower[b])) {
                    out[n++] = (char)(a * 16 + b);
                    found = true;
                }
        if (!found) out[n++] = plus && text.ptr[i] == '+' ? ' ' : text.ptr[i];
        i += found ? 3 : 1;
    }
    return n;
}

static void decode(wshub_str s) {
    char *slow = (char *)malloc(s.len + 1), *fast = (char *)malloc(s.len + 1);
    size_t n, m, cap;
    int plus;
    MUST(slow && fast);
    for (plus = 0; plus < 2; plus++) {
        n = slowly(s, plus, slow);
        MUST(n <= s.len);
        MUST(wshub_percent_decode(s, plus, NULL, 0) == n);
        cap = n / 2;
        fast[cap] = '~';
        MUST(wshub_percent_decode(s, plus, fast, cap) == n);
        MUST(memcmp(fast, slow, cap) == 0 && fast[cap] == '~');
        if (s.len) memcpy(fast, s.ptr, s.len);
        m = wshub_percent_decode(wshub__str(fast, s.len), plus, fast, s.len); /* in place */
        MUST(m == n && memcmp(fast, slow, n) == 0);
    }
    free(slow);
    free(fast);
}

/* The value of the first piece of a name is what wshub_query_copy() gives for it. */
static void query_copied(wshub_str s, wshub_str name) {
    char *key = (char *)malloc(name.len + 1), *want = (char *)malloc(s.len + 1),
         *got = (char *)malloc(s.len + 1), *other = (char *)malloc(s.len + 1);
    wshub_iter it = {0, 0};
    wshub_str found, value = {NULL, 0};
    size_t key_len = slowly(name, true, key), n = 0, len = 0;
    wshub_err err;
    key[key_len] = 0;
    if (strlen(key) == key_len) { /* which can be asked for */
        for (;;) {
            MUST(wshub_query_each(s, &it, &found, &value)); /* it is there */
            if (slowly(found, true, other) == key_len && memcmp(other, key, key_len) == 0) break;
        }
        n = slowly(value, true, want);
        err = wshub_query_copy(s, key, got, s.len + 1, &len);
        if (n && memchr(want, 0, n)) {
            MUST(err == WSHUB_ERR_PARAM);
        } else {
            MUST(err == WSHUB_OK && len == n && memcmp(got, want, n) == 0 && got[n] == 0);
            MUST(wshub_query_copy(s, key, got, n, NULL) == WSHUB_ERR_LIMIT);
        }
    }
    free(key);
    free(want);
    free(got);
    free(other);
}

/* Goes through a text cut at a sign: there are as many pieces as a plain count says, the signs
 * stand in none of them, and all is there. */
static void pieces(wshub_str s, bool cookies) {
    wshub_iter it = {0, 0};
    wshub_str name, value;
    size_t i, begin = 0, want = 0, got = 0;
    char sign = cookies ? ';' : '&';
    const char *last = s.ptr;
    for (i = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] != sign) continue;
        if (cookies ? i > begin && memchr(s.ptr + begin, '=', i - begin) != NULL : i > begin)
            want++;
        begin = i + 1;
    }
    while (cookies ? wshub_cookie_each(s, &it, &name, &value)
                   : wshub_query_each(s, &it, &name, &value)) {
        MUST(++got <= want);
        MUST(inside(name, s) && inside(value, s) && name.ptr >= last);
        MUST(!has(name, sign) && !has(name, '=') && !has(value, sign));
        MUST(!value.ptr || value.ptr > name.ptr + name.len - (name.len ? 1 : 0));
        MUST(!cookies || value.ptr);
        last = value.ptr ? value.ptr + value.len : name.ptr + name.len;
        if (!cookies && got <= 4) query_copied(s, name);
    }
    MUST(got == want);
}

static void items(wshub_str s) {
    wshub_iter it = {0, 0};
    wshub_str item;
    size_t steps = 0;
    while (wshub_http_each_item(s, &it, &item)) {
        MUST(++steps <= s.len && inside(item, s) && item.len);
        MUST(item.ptr[0] != ' ' && item.ptr[item.len - 1] != '\t');
        MUST(!has(item, ',') || has(item, '"'));
    }
}

static void date(wshub_str s) {
    int64_t at = 7, again;
    char buf[30];
    if (!wshub_http_date_read(s, &at)) {
        MUST(at == 7);
        return;
    }
    MUST(wshub_http_date_write(at, buf) == 29 && strlen(buf) == 29);
    MUST(wshub_http_date_read(wshub_str_z(buf), &again) && again == at);
    if (s.len == 29 && s.ptr[3] == ',') MUST(memcmp(buf, s.ptr, 29) == 0); /* one way to write it */
}

static void tags(wshub_str s) {
    static const char known[] = "\"x\"";
    char *list = (char *)malloc(s.len + 8);
    wshub_str x = wshub_str_z(known), both;
    bool strong = wshub_http_etag_match(s, x, false), weak = wshub_http_etag_match(s, x, true);
    MUST(!strong || weak);
    MUST(!wshub_http_etag_match(x, s, false) || wshub_str_eq(s, x));
    if (wshub_http_etag_match(s, s, false) && !(s.len && has(s, '*'))) { /* one strong tag */
        MUST(s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"');
        MUST(!memchr(s.ptr + 1, '"', s.len - 2));
    }
    memcpy(list, "\"x\", ", 5); /* in front of anything it is found */
    if (s.len) memcpy(list + 5, s.ptr, s.len);
    both = wshub__str(list, s.len + 5);
    MUST(wshub_http_etag_match(both, x, false));
    free(list);
}

static void one_range(wshub_range r, uint64_t length) {
    char text[72], asked[72];
    size_t n;
    MUST(r.length == length && (r.status == 200 || r.status == 206 || r.status == 416));
    MUST(r.first <= length && r.count <= length - r.first);
    MUST(r.status != 200 || (r.first == 0 && r.count == length));
    MUST(r.status != 206 || r.count > 0);
    MUST(r.status != 416 || (r.count == 0 && length > 0));
    n = wshub_http_range_write(&r, text);
    MUST(n < sizeof text && strlen(text) == n && (n > 0) == (r.status != 200));
    if (r.status == 206) { /* asked for as it was answered it is the same */
        memcpy(asked, text, n + 1);
        asked[5] = '=';
        *strchr(asked, '/') = 0;
        r = wshub_http_range_read(wshub_str_z(asked), length);
        MUST(wshub_http_range_write(&r, asked) == n && strcmp(asked, text) == 0);
    }
}

/* What a list of ranges asks of ten bytes, by looking at each of them: which of the ten it names. 0:
 * nothing, and the list is right; -1: it is none; else a bit a byte. *out_ranges: how many of them
 * name something. */
static int ten_bytes(wshub_str s, int *out_ranges) {
    char text[200], *at, *next;
    int bytes = 0, any = 0;
    *out_ranges = 0;
    if (s.len < 6 || s.len >= sizeof text || memchr(s.ptr, 0, s.len)) return -1;
    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    for (at = text; at < text + 6; at++) *at = (char)(*at | (*at >= 'A' && *at <= 'Z' ? 32 : 0));
    if (strncmp(text, "bytes=", 6) != 0) return -1;
    for (at = text + 6; at; at = next) {
        size_t digits, more;
        double first = -1, last = -1; /* which are exact where it matters */
        int i, named = 0;
        next = strchr(at, ',');
        if (next) *next++ = 0;
        at += strspn(at, " \t");
        while (*at && strchr(" \t", at[strlen(at) - 1])) at[strlen(at) - 1] = 0;
        if (!*at) continue;
        digits = strspn(at, "0123456789");
        if (at[digits] != '-') return -1;
        more = strspn(at + digits + 1, "0123456789");
        if (at[digits + 1 + more] || (!digits && !more)) return -1;
        if (digits) first = strtod(at, NULL);
        if (more) last = strtod(at + digits + 1, NULL);
        if (digits && more && last < first) return -1;
        any++;
        for (i = 0; i < 10; i++)
            if (digits ? i >= first && (!more || i <= last) : i >= 10 - last) named |= 1 << i;
        if (named) ++*out_ranges;
        bytes |= named;
    }
    return any ? bytes : -1;
}

static void ranges_of_ten(wshub_str s) {
    wshub_range r = wshub_http_range_read(s, 10);
    int ranges, bytes, i;
    if (s.len > 120) return; /* numbers that a double tells apart */
    bytes = ten_bytes(s, &ranges);
    if (bytes < 0 || ranges > 1) {
        MUST(r.status == 200);
    } else if (bytes == 0) {
        MUST(r.status == 416);
    } else {
        MUST(r.status == 206);
        for (i = 0; i < 10; i++)
            MUST((bytes >> i & 1) == ((uint64_t)i >= r.first && (uint64_t)i < r.first + r.count));
    }
}

/* The token of `Bearer token`, in whatever case; NULL: it is none. */
static wshub_str token_slowly(wshub_str s) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~+/";
    char text[1600];
    size_t at = 6, end;
    memset(text, 0, sizeof text);
    if (s.len) memcpy(text, s.ptr, s.len); /* of a field: without NUL, and trimmed */
    if (strncasecmp(text, "bearer ", 7) != 0) return wshub__str(NULL, 0);
    at += strspn(text + at, " \t");
    end = at + strspn(text + at, letters);
    if (end == at || end + strspn(text + end, "=") != s.len) return wshub__str(NULL, 0);
    return wshub__str(s.ptr + at, s.len - at);
}
/* What base64url without padding says: each byte by all of its bits. Returns how many bytes; 0: it
 * is none, or says nothing, or has a NUL. */
static size_t base64url_slowly(wshub_str s, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t i, n = s.len * 6 / 8;
    if (s.len % 4 == 1) return 0;
    memset(out, 0, n + 1);
    for (i = 0; i < s.len * 6; i++) {
        const char *digit = (const char *)memchr(digits, s.ptr[i / 6], 64);
        if (!digit) return 0;
        if ((digit - digits) >> (5 - i % 6) & 1) out[i / 8] = (char)(out[i / 8] | 0x80 >> i % 8);
    }
    return out[n] || memchr(out, 0, n) ? 0 : n;
}

/* A token is that of Authorization, or else what the first such subprotocol says; it is copied
 * whole, and ends where it says. */
static void bearer(const wshub_http *http, wshub_str s) {
    char *token = (char *)malloc(s.len + 2), *slow = (char *)malloc(s.len + 2);
    wshub_str value = wshub_http_header(http, "Authorization"), want = token_slowly(value);
    size_t n = 0, from, to;
    const char *item;
    wshub_err err;
    MUST(token && slow);
    for (from = 0; !want.ptr && from < value.len; from = to + 1) {
        for (to = from; to < value.len && value.ptr[to] != ',';) to++;
        item = value.ptr + from;
        for (n = to - from; n && strchr(" \t", *item); n--) item++;
        while (n && strchr(" \t", item[n - 1])) n--;
        if (n < 17 || strncasecmp(item, "base64url.bearer.", 17) != 0) continue;
        n = base64url_slowly(wshub__str(item + 17, n - 17), slow);
        if (n) want = wshub__str(slow, n);
        break;
    }
    n = 0;
    err = wshub_http_bearer(http, token, s.len + 1, &n);
    MUST(err == (want.ptr ? WSHUB_OK : WSHUB_ERR_ABSENT));
    if (want.ptr) {
        MUST(n == want.len && memcmp(token, want.ptr, n) == 0 && strlen(token) == n);
        MUST(wshub_http_bearer(http, token, n, NULL) == WSHUB_ERR_LIMIT);
    }
    free(token);
    free(slow);
}

/* As the value of fields of a request, if it can be one. */
static void request(wshub_str s) {
    static const char *const names[] = {"Cookie",        "Range",
                                        "If-Range",      "If-None-Match",
                                        "If-Match",      "If-Modified-Since",
                                        "Authorization", "Sec-WebSocket-Protocol"};
    const wshub_str etag = wshub_str_z("\"x\"");
    wshub_header headers[10];
    wshub_http http;
    char *head = (char *)malloc(s.len * 8 + 400);
    size_t n = (size_t)sprintf(head, "GET / HTTP/1.1\r\nHost: h\r\n"), i;
    const char *why;
    wshub_str whole, value;
    wshub_iter it = {0, 0};
    int status;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        n += (size_t)sprintf(head + n, "%s: ", names[i]);
        if (s.len) memcpy(head + n, s.ptr, s.len);
        n += s.len;
        n += (size_t)sprintf(head + n, "\r\n");
    }
    n += (size_t)sprintf(head + n, "\r\n");
    whole = wshub__str(head, n);
    if (wshub__http_parse((const uint8_t *)head, n, headers, 10, &http, &why) == 0) {
        bearer(&http, s);
        value = wshub_http_cookie(&http, "a");
        MUST(inside(value, whole) && !has(value, ';') && !has(value, '\r'));
        one_range(wshub_http_range(&http, 10, etag, 784111777), 10);
        status = wshub_http_condition(&http, etag, 784111777);
        MUST(status == 0 || status == 304 || status == 412);
        if (wshub_http_etag_match(wshub_http_header(&http, "If-Match"), etag, false))
            MUST(status == 304); /* which If-None-Match names then, too */
        else
            MUST(status == 412);
        for (i = 0; wshub_http_each_header(&http, "RANGE", &it, &value); i++)
            MUST(inside(value, whole));
        MUST(i <= http.headers_count);
    }
    free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint64_t lengths[] = {0, 1, 10, UINT64_C(5000000000), UINT64_MAX};
    wshub_str s = wshub__str(data, size);
    size_t i;
    if (size > 1500) return 0;
    decode(s);
    pieces(s, false);
    pieces(s, true);
    items(s);
    date(s);
    tags(s);
    for (i = 0; i < 5; i++) one_range(wshub_http_range_read(s, lengths[i]), lengths[i]);
    ranges_of_ten(s);
    request(s);
    return 0;
}
