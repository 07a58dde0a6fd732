/* The JSON writer (MSG-9): calls in any order with any arguments. The second opinion keeps a list
 * of what was put and a stack of what is open; what it takes is written, read back piece by piece
 * and the same; what it refuses is refused with that error, and nothing behind it counts. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 100
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "oracle.h"

enum { OBJECT, ARRAY, END, TEXT, INT, UINT, DOUBLE, BOOL, NOTHING, RAW, KINDS };
typedef struct call {
    int kind;
    char key[20], bytes[40]; /* key: with_key */
    size_t len;
    bool with_key;
    uint64_t number;
    double fraction;
} call;
static call calls[80];
static size_t count;

static const uint8_t *in;
static size_t left;
static uint8_t take(void) {
    if (!left) return 0;
    left--;
    return *in++;
}

/* ---- the calls ---- */

static void read_calls(void) {
    size_t i;
    for (count = 0; left && count < sizeof calls / sizeof *calls; count++) {
        call *c = &calls[count];
        uint8_t what = take(), n;
        memset(c, 0, sizeof *c);
        c->kind = what % KINDS;
        c->with_key = what / KINDS % 2;
        for (n = c->with_key ? take() % 8 : 0, i = 0; i < n; i++) c->key[i] = (char)take();
        if (c->kind == TEXT || c->kind == RAW) {
            for (c->len = take() % 32, i = 0; i < c->len; i++) c->bytes[i] = (char)take();
        } else if (c->kind >= INT && c->kind <= BOOL) {
            for (i = 0; i < 8; i++) c->number = c->number << 8 | take();
            memcpy(&c->fraction, &c->number, sizeof c->fraction);
        }
    }
}

static void run(wshub_json_writer *w, char *buf, size_t cap) {
    size_t i;
    wshub_json_begin(w, buf, cap);
    for (i = 0; i < count; i++) {
        const call *c = &calls[i];
        const char *key = c->with_key ? c->key : NULL;
        wshub_str bytes = wshub__str(c->bytes, c->len);
        switch (c->kind) {
        case OBJECT: wshub_json_put_object(w, key); break;
        case ARRAY: wshub_json_put_array(w, key); break;
        case END: wshub_json_put_end(w); break;
        case TEXT: wshub_json_put_str(w, key, bytes); break;
        case INT: wshub_json_put_int(w, key, (int64_t)c->number); break;
        case UINT: wshub_json_put_uint(w, key, c->number); break;
        case DOUBLE: wshub_json_put_double(w, key, c->fraction); break;
        case BOOL: wshub_json_put_bool(w, key, c->number & 1); break;
        case NOTHING: wshub_json_put_null(w, key); break;
        default: wshub_json_put_raw(w, key, bytes); break;
        }
    }
}

/* ---- what is right ---- */

/* Which errors the calls may end with: a bit 0 for PARAM, 1 for JSON; 0: none. */
static int wrong(void) {
    int open[100], depth = 0, errors = 0;
    size_t i, outermost = 0;
    for (i = 0; i < count && !errors; i++) {
        const call *c = &calls[i];
        bool in_object = depth && open[depth - 1] == OBJECT;
        if (c->kind == END) {
            errors = depth == 0;
            depth--;
            continue;
        }
        if (c->with_key != in_object || (depth == 0 && outermost++)) errors |= 1;
        if (in_object && !oracle_utf8((const uint8_t *)c->key, strlen(c->key))) errors |= 1;
        if (c->kind == TEXT && !oracle_utf8((const uint8_t *)c->bytes, c->len)) errors |= 1;
        if (c->kind == DOUBLE && !(c->fraction - c->fraction >= 0)) errors |= 1;
        if (c->kind == RAW && !oracle_is_json((const uint8_t *)c->bytes, c->len, 64)) errors |= 2;
        if (c->kind == OBJECT || c->kind == ARRAY) {
            errors |= depth == WSHUB_JSON_WRITER_DEPTH_MAX;
            open[depth++] = c->kind;
        }
    }
    return errors ? errors : depth || !outermost;
}

/* Does the value say what the calls from *at on have put? Goes behind them. */
static void reads_back(wshub_str value, size_t *at);
static void inner_read(wshub_str value, size_t *at, bool object) {
    wshub_iter it = {0, 0};
    wshub_str key = {NULL, 0}, inner;
    char name[24];
    size_t n;
    while (object ? wshub_json_each_member(value, &it, &key, &inner)
                  : wshub_json_each(value, &it, &inner)) {
        const call *c = &calls[*at];
        MUST(*at < count && c->kind != END);
        n = object ? wshub_json_text(key, name, sizeof name) : 0;
        MUST(!object || (n == strlen(c->key) && memcmp(name, c->key, n) == 0));
        reads_back(inner, at);
    }
    MUST(*at < count && calls[*at].kind == END);
    ++*at;
}
static void reads_back(wshub_str value, size_t *at) {
    const call *c = &calls[(*at)++];
    char text[64];
    double number;
    wshub_json_kind kind = wshub_json_type(value);
    switch (c->kind) {
    case OBJECT:
        MUST(kind == WSHUB_JSON_OBJECT);
        inner_read(value, at, true);
        break;
    case ARRAY:
        MUST(kind == WSHUB_JSON_ARRAY);
        inner_read(value, at, false);
        break;
    case TEXT:
        MUST(kind == WSHUB_JSON_STRING && wshub_json_text(value, text, sizeof text) == c->len);
        MUST(memcmp(text, c->bytes, c->len) == 0);
        break;
    case INT:
    case UINT:
        (void)snprintf(text, sizeof text, c->kind == INT ? "%lld" : "%llu",
                       (unsigned long long)c->number);
        MUST(wshub_str_eq_z(value, text));
        break;
    case DOUBLE:
        MUST(kind == WSHUB_JSON_NUMBER && wshub_json_double(value, &number) == WSHUB_OK);
        MUST(!(number < c->fraction) && !(number > c->fraction));
        break;
    case BOOL: MUST(wshub_str_eq_z(value, c->number & 1 ? "true" : "false")); break;
    case NOTHING: MUST(wshub_str_eq_z(value, "null")); break;
    default: /* as it is, but for white space around it */
        MUST(value.len <= c->len && memmem(c->bytes, c->len, value.ptr, value.len));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char whole[16384];
    char *tight;
    wshub_json_writer w;
    wshub_str text = {whole, 1}, again;
    wshub_err err;
    int errors;
    size_t at = 0, cap;
    in = data;
    left = size;
    read_calls();
    errors = wrong();
    run(&w, whole, sizeof whole);
    err = wshub_json_done(&w, &text);
    MUST(errors ? (err == WSHUB_ERR_PARAM && errors & 1) || (err == WSHUB_ERR_JSON && errors & 2)
                : err == WSHUB_OK);
    MUST((text.ptr != NULL) == !errors);
    MUST(wshub_json_done(&w, &again) == err && again.ptr == text.ptr);
    if (errors) return 0;
    MUST(oracle_is_json((const uint8_t *)text.ptr, text.len, 130));
    reads_back(text, &at);
    MUST(at == count);

    cap = size ? data[size - 1] % (text.len + 1) : 0; /* as much of it as fits, and its length */
    tight = (char *)malloc(cap + 1);
    MUST(tight);
    tight[cap] = '~';
    run(&w, cap ? tight : NULL, cap);
    MUST(wshub_json_done(&w, &again) == (cap < text.len ? WSHUB_ERR_LIMIT : WSHUB_OK));
    MUST(w.len == text.len && memcmp(tight, text.ptr, cap) == 0 && tight[cap] == '~');
    free(tight);
    return 0;
}
