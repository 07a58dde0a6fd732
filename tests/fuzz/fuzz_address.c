/* Addresses, ranges, and whom a proxy speaks for (PROXY-1 to PROXY-3). The same text as an
 * address, as a range, and as the value of a header, behind what its client had sent. What is
 * read is what the system reads, what is written is read as it was, and nothing to the left of
 * what a trusted proxy has written changes what comes out. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 300
#endif
#include "fuzz.h"
#include <arpa/inet.h>
#define WSHUB_IMPLEMENTATION
#include "wshub.h"

static bool is_there(wshub_str s, char c) {
    return s.len && memchr(s.ptr, c, s.len);
}

/* Read without port, brackets and zone it is what inet_pton() says. */
static void bare(wshub_str s) {
    char text[100];
    uint8_t want[16];
    wshub_address a;
    bool v4, v6, got = wshub__address_bare(s, false, 0, &a);
    if (s.len >= sizeof text || is_there(s, 0)) {
        MUST(!got);
        return;
    }
    if (s.len) memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    memcpy(want, wshub__mapped, 12);
    v4 = inet_pton(AF_INET, text, want + 12) == 1;
    v6 = !v4 && inet_pton(AF_INET6, text, want) == 1;
    MUST(got == (v4 || v6));
    MUST(!got || memcmp(a.bytes, want, 16) == 0);
    MUST(!got || (a.kind == WSHUB_ADDRESS_V4) == (memcmp(want, wshub__mapped, 12) == 0));
}

static void whole(wshub_str s) {
    wshub_address a, again;
    char text[WSHUB_ADDRESS_BYTES];
    size_t n;
    if (!wshub_address_read(s, &a)) return;
    n = wshub_address_write(&a, text);
    MUST(n && n < sizeof text && strlen(text) == n);
    MUST(wshub_address_read(wshub_str_z(text), &again));
    MUST(wshub_address_eq(&a, &again) && a.port == again.port);
}

static void range(wshub_str s) {
    wshub_address_range r;
    wshub_address a;
    uint32_t i;
    if (!wshub_address_range_read(s, &r)) return;
    MUST(r.bits <= 128 && r.first.kind != WSHUB_ADDRESS_NONE && !r.first.port);
    MUST(wshub_address_in(&r.first, &r));
    for (i = 0; i < 128 && r.first.kind != WSHUB_ADDRESS_UNIX; i++) {
        a = r.first;
        a.bytes[i / 8] ^= (uint8_t)(0x80 >> i % 8);
        MUST(wshub_address_in(&a, &r) == (i >= r.bits));
    }
}

static wshub_address client_of(const char *header, wshub_str value, wshub_str *out_bad) {
    static wshub_address_range ranges[2];
    wshub_header field;
    wshub__proxies proxies;
    wshub_http http;
    wshub_address hop;
    memset(&http, 0, sizeof http);
    MUST(wshub_address_range_read(wshub_str_z("10.0.0.0/8"), &ranges[0]));
    MUST(wshub_address_range_read(wshub_str_z("fd00::/8"), &ranges[1]));
    proxies.ranges = ranges;
    proxies.count = 2;
    proxies.header = wshub_str_z(header);
    MUST(wshub_address_read(wshub_str_z("10.0.0.2:1"), &hop));
    field.name = proxies.header;
    field.value = wshub__http_trim(value); /* as a head gives it */
    http.headers = &field;
    http.headers_count = 1;
    return wshub__forwarded_client(&proxies, &http, hop, out_bad);
}

/* What a client sends, and what its proxy adds behind it. */
static void forwarded(wshub_str s) {
    static const char *const headers[] = {"Forwarded", "X-Forwarded-For"},
                             *const added[] = {", for=\"203.0.113.7:1\";proto=https",
                                               ", 203.0.113.7:1"};
    char *text = (char *)malloc(s.len + 100);
    int i;
    MUST(text);
    for (i = 0; i < 2; i++) {
        size_t n = strlen(added[i]);
        wshub_address got = client_of(headers[i], s, &(wshub_str){0}), want;
        wshub_str bad;
        MUST(got.kind == WSHUB_ADDRESS_V4 || got.kind == WSHUB_ADDRESS_V6);
        if (s.len) memcpy(text, s.ptr, s.len);
        memcpy(text + s.len, added[i], n);
        got = client_of(headers[i], wshub__str(text, s.len + n), &bad);
        MUST(wshub_address_read(wshub_str_z("203.0.113.7"), &want));
        MUST(wshub_address_eq(&got, &want) && !got.port && !bad.ptr);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_str s = wshub__str(data, size);
    if (size > 1500) return 0;
    bare(s);
    whole(s);
    range(s);
    forwarded(s);
    return 0;
}
