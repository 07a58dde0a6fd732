/* Arguments of Socket.IO as JSON in one line, and back. Bytes are {"$bin":"hex"}, at any depth; an
 * object of the application's that has such a key has one more dollar in its line ("$$bin" is "$bin",
 * "$$$bin" is "$$bin"), so whatever a peer says is recovered byte for byte. After wshub.h and
 * wshub_dialect_socketio.h. */
#ifndef SIO_LINES_H
#define SIO_LINES_H
#include <stdlib.h>
#include <string.h>

enum { SIO_ARGS_MAX = 256, SIO_BYTES_MAX = 99 };

/* Text that grows; memory that is not there ends the program. */
typedef struct sio_text {
    char *ptr;
    size_t len, cap;
} sio_text;

/* Arguments that were read: valid until the next ones are. Zero to begin with. */
typedef struct sio_args {
    wshub_str list[SIO_ARGS_MAX];
    wshub_span bytes[SIO_BYTES_MAX];
    size_t count, bytes_count;
    sio_text text, blob;       /* what list and bytes point into */
    size_t ends[SIO_ARGS_MAX]; /* of each argument in text */
    bool stands;               /* an object of the line's stands for bytes, as on the wire */
} sio_args;

static void sio_add(sio_text *to, const void *bytes, size_t count) {
    if (to->len + count + 1 > to->cap) {
        to->cap = (to->len + count + 1) * 2;
        to->ptr = (char *)realloc(to->ptr, to->cap);
        if (!to->ptr) abort();
    }
    if (count) memcpy(to->ptr + to->len, bytes, count);
    to->len += count;
    to->ptr[to->len] = 0;
}
static void sio_add_z(sio_text *to, const char *text) {
    sio_add(to, text, strlen(text));
}
static void sio_add_quoted(sio_text *to, wshub_str text) {
    size_t len = wshub_json_quote(text, NULL, 0);
    char *quoted = (char *)malloc(len + 1);
    if (!quoted) abort();
    (void)wshub_json_quote(text, quoted, len);
    sio_add(to, quoted, len);
    free(quoted);
}

/* How many dollars stand in front of `bin` in a key that is nothing else; 0: it is another one.
 *   key  raw, with its quotes */
static size_t sio_dollars(wshub_str key) {
    char *text = (char *)malloc(key.len + 1);
    size_t len, n = 0;
    if (!text) abort();
    len = wshub_json_text(key, text, key.len);
    while (n < len && text[n] == '$') n++;
    if (len != n + 3 || memcmp(text + n, "bin", 3) != 0) n = 0;
    free(text);
    return n;
}

/* ---- out ---- */

static void sio_add_bytes(sio_text *to, wshub_span bytes) {
    static const char digits[] = "0123456789abcdef";
    size_t i;
    sio_add_z(to, "{\"$bin\":\"");
    for (i = 0; i < bytes.len; i++) {
        char two[2];
        two[0] = digits[bytes.ptr[i] >> 4];
        two[1] = digits[bytes.ptr[i] & 15];
        sio_add(to, two, 2);
    }
    sio_add_z(to, "\"}");
}
/* Adds a value that has come with so many attachments. */
static void sio_add_value(sio_text *to, wshub_str json, const wshub_span *bytes, size_t count) {
    wshub_iter iter = {0, 0};
    wshub_str key, value;
    wshub_span some;
    const char *between = "";
    switch (wshub_json_peek(json)) {
    case WSHUB_JSON_ARRAY:
        sio_add_z(to, "[");
        for (; wshub_json_next(json, &iter, &value); between = ",") {
            sio_add_z(to, between);
            sio_add_value(to, value, bytes, count);
        }
        sio_add_z(to, "]");
        return;
    case WSHUB_JSON_OBJECT:
        if (wshub_sio_bytes(bytes, count, json, &some)) {
            sio_add_bytes(to, some);
            return;
        }
        sio_add_z(to, "{");
        for (; wshub_json_each_member(json, &iter, &key, &value); between = ",") {
            sio_add_z(to, between);
            sio_add_z(to, sio_dollars(key) ? "\"$" : "\"");
            sio_add(to, key.ptr + 1, key.len - 1);
            sio_add_z(to, ":");
            sio_add_value(to, value, bytes, count);
        }
        sio_add_z(to, "}");
        return;
    case WSHUB_JSON_NONE:
    case WSHUB_JSON_NULL:
    case WSHUB_JSON_BOOL:
    case WSHUB_JSON_NUMBER:
    case WSHUB_JSON_STRING: break;
    }
    sio_add(to, json.ptr, json.len);
}
/* Adds a list of arguments. */
static void sio_add_args(sio_text *to, const wshub_str *args, size_t args_count,
                         const wshub_span *bytes, size_t bytes_count) {
    size_t i;
    sio_add_z(to, "[");
    for (i = 0; i < args_count; i++) {
        if (i) sio_add_z(to, ",");
        sio_add_value(to, args[i], bytes, bytes_count);
    }
    sio_add_z(to, "]");
}

/* ---- in ---- */

static int sio_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
/* Takes bytes, for which an object stands in the text then. NULL: done; else what is wrong. */
static const char *sio_read_bytes(sio_args *to, wshub_str hex) {
    char number[60];
    size_t i, from = to->blob.len;
    if (to->bytes_count == SIO_BYTES_MAX) return "more than 99 times bytes";
    if (wshub_json_peek(hex) != WSHUB_JSON_STRING || hex.len % 2) return "$bin is no hex";
    for (i = 1; i + 2 < hex.len; i += 2) {
        int high = sio_digit(hex.ptr[i]), low = sio_digit(hex.ptr[i + 1]);
        char byte = (char)(high << 4 | low);
        if (high < 0 || low < 0) return "$bin is no hex";
        sio_add(&to->blob, &byte, 1);
    }
    to->bytes[to->bytes_count].len = to->blob.len - from;
    (void)snprintf(number, sizeof number, "{\"_placeholder\":true,\"num\":%u}",
                   (unsigned)to->bytes_count++);
    sio_add_z(&to->text, number);
    return NULL;
}
static const char *sio_read_value(sio_args *to, wshub_str json);
static const char *sio_read_object(sio_args *to, wshub_str json) {
    wshub_iter iter = {0, 0};
    wshub_str key, value;
    const char *between = "", *wrong = NULL;
    size_t from = to->text.len;
    bool is = false;

    sio_add_z(&to->text, "{");
    for (; !wrong && wshub_json_each_member(json, &iter, &key, &value); between = ",") {
        size_t dollars = sio_dollars(key);
        if (dollars == 1) { /* bytes, of which nothing else is said */
            if (*between || wshub_json_each_member(json, &iter, &key, &key))
                return "an object with $bin has another key";
            to->text.len = from;
            return sio_read_bytes(to, value);
        }
        if (wshub_json_is(key, "_placeholder") && wshub_json_bool(value, &is) && is)
            to->stands = true;
        sio_add_z(&to->text, between);
        if (dollars) { /* the first one goes, which may be written as an escape */
            sio_add_z(&to->text, "\"");
            sio_add(&to->text, key.ptr + (key.ptr[1] == '$' ? 2 : 7),
                    key.len - (key.ptr[1] == '$' ? 2 : 7));
        } else {
            sio_add(&to->text, key.ptr, key.len);
        }
        sio_add_z(&to->text, ":");
        wrong = sio_read_value(to, value);
    }
    sio_add_z(&to->text, "}");
    return wrong;
}
static const char *sio_read_value(sio_args *to, wshub_str json) {
    wshub_iter iter = {0, 0};
    wshub_str value;
    const char *between = "", *wrong = NULL;
    if (wshub_json_peek(json) == WSHUB_JSON_OBJECT) return sio_read_object(to, json);
    if (wshub_json_peek(json) != WSHUB_JSON_ARRAY) {
        sio_add(&to->text, json.ptr, json.len);
        return NULL;
    }
    sio_add_z(&to->text, "[");
    for (; !wrong && wshub_json_next(json, &iter, &value); between = ",") {
        sio_add_z(&to->text, between);
        wrong = sio_read_value(to, value);
    }
    sio_add_z(&to->text, "]");
    return wrong;
}

static void sio_args_begin(sio_args *to) {
    to->count = to->bytes_count = to->text.len = to->blob.len = 0;
    to->stands = false;
}
/* Takes one argument. NULL: done; else what is wrong with it. */
static const char *sio_args_take(sio_args *to, wshub_str json) {
    const char *wrong;
    if (to->count == SIO_ARGS_MAX) return "more than 256 arguments";
    if (wshub_json_type(json) == WSHUB_JSON_NONE) return "an argument is no JSON";
    wrong = sio_read_value(to, json);
    to->ends[to->count++] = to->text.len;
    return wrong;
}
/* Fills a packet with what was taken. NULL: done; else what is wrong with it. */
static const char *sio_args_done(sio_args *to, wshub_packet *packet) {
    size_t i, at = 0;
    if (to->stands && to->bytes_count) return "an object stands for bytes, beside bytes";
    for (i = 0; i < to->count; at = to->ends[i++]) {
        to->list[i].ptr = to->text.ptr + at;
        to->list[i].len = to->ends[i] - at;
    }
    for (i = at = 0; i < to->bytes_count; at += to->bytes[i++].len)
        to->bytes[i].ptr = (const uint8_t *)(to->blob.ptr ? to->blob.ptr : "") + at;
    packet->args = to->list;
    packet->args_count = to->count;
    packet->attachments = to->bytes;
    packet->attachments_count = to->bytes_count;
    return NULL;
}
#endif
