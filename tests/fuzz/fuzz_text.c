/* UTF-8, JSON, envelopes, room names, quoting: against the slow implementations of
 * tests/oracle.h. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 800
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "oracle.h"

/* An object is written anew from its members, which are found again by the path of their keys; its
 * last member is what its key names. Numbers come back as they were. */
static void members_and_numbers(wshub_str s) {
    char text[8192], name[260], path[530];
    wshub_json_writer w;
    wshub_iter it = {0, 0};
    wshub_str key, value, last = {NULL, 0}, all, found;
    double number, again;
    size_t n, at = 0, i;
    MUST(wshub_json_at(s, "").ptr);
    wshub_json_begin(&w, text, sizeof text);
    wshub_json_put_object(&w, NULL);
    while (wshub_json_each_member(s, &it, &key, &value)) {
        MUST(wshub_json_type(key) == WSHUB_JSON_STRING && wshub_json_check(value, 20));
        n = wshub_json_text(key, name, sizeof name - 1);
        if (n > 256) continue;
        name[n] = 0;
        if (strlen(name) != n) continue; /* a NUL */
        MUST(wshub_json_is(key, name));
        wshub_json_put_raw(&w, name, value);
        last = value;
        for (i = at = 0; i < n; i++) {
            if (i == 0) path[at++] = '/';
            if (name[i] == '~' || name[i] == '/') path[at++] = '~';
            path[at++] = name[i] == '~' ? '0' : name[i] == '/' ? '1' : name[i];
        }
        if (n == 0) path[at++] = '/';
        path[at] = 0;
        if (wshub_json_get(s, name).ptr == value.ptr) {
            found = wshub_json_at(s, path);
            MUST(found.ptr == value.ptr && found.len == value.len);
        }
    }
    wshub_json_put_end(&w);
    MUST(wshub_json_done(&w, &all) == (w.len > sizeof text ? WSHUB_ERR_LIMIT : WSHUB_OK));
    if (all.ptr) MUST(oracle_is_json((const uint8_t *)all.ptr, all.len, 21));
    if (last.ptr && wshub_json_double(last, &number) == WSHUB_OK) {
        wshub_json_begin(&w, text, sizeof text);
        wshub_json_put_double(&w, NULL, number);
        MUST(wshub_json_done(&w, &all) == WSHUB_OK &&
             oracle_is_json((const uint8_t *)all.ptr, all.len, 1));
        MUST(wshub_json_double(all, &again) == WSHUB_OK && !(again < number) && !(again > number));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_str s = {(const char *)data, size}, value, text;

    bool utf8 = oracle_utf8(data, size), json;
    char *quoted, *back;
    size_t n, k, cut;
    uint32_t state = 0;
    wshub_iter it = {0, 0};
    if (size > 4096) return 0;
    MUST(wshub_utf8_check(data, size) == utf8);
    for (cut = 0; cut <= size && size < 64; cut++) { /* in two pieces at any place */
        state = wshub__utf8_feed(WSHUB__UTF8_OK, data, cut);
        MUST((state != WSHUB__UTF8_BAD &&
              wshub__utf8_feed(state, data + cut, size - cut) == WSHUB__UTF8_OK) == utf8);
    }
    json = oracle_is_json(data, size, 20);
    MUST(wshub_json_check(s, 20) == json);
    if (json) { /* every walk stays inside */
        value = wshub_json_get(s, "a");
        MUST(!value.ptr || (value.ptr >= s.ptr && value.ptr + value.len <= s.ptr + s.len &&
                            oracle_is_json((const uint8_t *)value.ptr, value.len, 20)));
        members_and_numbers(s);
        while (wshub_json_each(s, &it, &value))
            MUST(oracle_is_json((const uint8_t *)value.ptr, value.len, 20));
        if (wshub_json_type(s) == WSHUB_JSON_STRING) {
            back = (char *)malloc(size);
            n = wshub_json_text(s, back, size);
            MUST(n <= size && oracle_utf8((const uint8_t *)back, n));
            free(back);
        }
    }
    {
        /* BUS-3: what is read as an envelope is an object with two strings, and lies inside; whose
         * it is can be asked of anything, and a sender without a name has said nothing. */
        wshub__envelope e;
        (void)wshub__envelope_is_from(s, wshub_str_z("a"));
        if (wshub__envelope_read(s, 20, &e)) {
            const wshub_str parts[6] = {e.server_id, e.type, e.target, e.event, e.data, e.exclude};
            MUST(json && wshub_json_type(s) == WSHUB_JSON_OBJECT);
            for (n = 0; n < 6; n++)
                MUST(!parts[n].ptr ||
                     (parts[n].ptr > s.ptr && parts[n].ptr + parts[n].len < s.ptr + s.len &&
                      oracle_is_json((const uint8_t *)parts[n].ptr, parts[n].len, 20)));
            MUST(wshub_json_type(e.server_id) == WSHUB_JSON_STRING &&
                 wshub_json_type(e.event) == WSHUB_JSON_STRING);
        } else {
            MUST(!json || wshub_json_type(wshub_json_get(s, "serverId")) != WSHUB_JSON_STRING ||
                 wshub_json_type(wshub_json_get(s, "event")) != WSHUB_JSON_STRING);
        }
    }
    if (utf8) { /* what is quoted is JSON and reads as it was */
        n = wshub_json_quote(s, NULL, 0);
        quoted = (char *)malloc(n);
        MUST(wshub_json_quote(s, quoted, n) == n && oracle_is_json((const uint8_t *)quoted, n, 1));
        back = (char *)malloc(size + 1);
        text.ptr = quoted;
        text.len = n;
        k = wshub_json_text(text, back, size);
        MUST(k == size && memcmp(back, data, size) == 0);
        free(back);
        free(quoted);
        MUST(wshub_utf8_units(s) == oracle_utf16(data, size));
    }
    return 0;
}
