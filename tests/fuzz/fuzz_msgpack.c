/* The reader and writer of msgpack: what is read as JSON is JSON, written again it is read the same,
 * and passing over it ends where reading it does; what is JSON is written as msgpack that says the
 * same; and the reader of broadcasts, with buffers that are too small for them and then are not. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 200
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_dialect_socketio.h"
#include "wshub_io_fake.h"

enum { BYTES_MAX = 10 };

/* What was read: its JSON in a block of exactly its length. */
typedef struct value {
    char *text;
    size_t len, used;
    wshub_span bytes[BYTES_MAX];
    size_t bytes_count;
} value;

/* Reads one value, first to learn how long it is. False: it is none, or has too many bytes. */
static bool read_value(const uint8_t *data, size_t size, value *v) {
    wshub_sio__reader in;
    wshub_sio__unpacked out;
    int round;
    memset(v, 0, sizeof *v);
    for (round = 0; round < 2; round++) {
        memset(&in, 0, sizeof in);
        memset(&out, 0, sizeof out);
        in.at = data;
        in.end = data + size;
        out.text.buf = v->text;
        out.text.cap = v->len;
        out.attachments = v->bytes;
        out.attachments_max = BYTES_MAX;
        if (!wshub_sio__unpack_json(&in, &out) || out.too_many) {
            MUST(!round);
            return false;
        }
        MUST(!round || out.text.len == v->len);
        v->len = out.text.len;
        if (!round) v->text = (char *)malloc(v->len ? v->len : 1);
        MUST(v->text);
    }
    v->used = (size_t)(in.at - data);
    v->bytes_count = out.attachments_count;
    MUST(v->bytes_count <= BYTES_MAX);
    return true;
}

/* Writes JSON, into a block of exactly its length. NULL: it cannot be written. */
static uint8_t *write_value(wshub_str json, const wshub_span *bytes, size_t count, size_t *out_len,
                            size_t *out_found) {
    wshub_sio__sink sink = {NULL, 0, 0};
    size_t found = 0, again = 0;
    if (!wshub_sio__pack_json(&sink, json, bytes, count, &found)) return NULL;
    *out_len = sink.cap = sink.len;
    sink.len = 0;
    sink.buf = (char *)malloc(sink.cap);
    MUST(sink.buf);
    MUST(wshub_sio__pack_json(&sink, json, bytes, count, &again));
    MUST(sink.len == sink.cap && again == found);
    *out_found = found;
    return (uint8_t *)sink.buf;
}

/* Writes what was read, and reads that. False: it cannot be written, or holds data that looks like
 * what stands for bytes. */
static bool again(const value *v, value *out) {
    wshub_str json;
    size_t len, found, i;
    uint8_t *packed;
    json.ptr = v->text;
    json.len = v->len;
    MUST(wshub_json_check(json, 0));
    if (!wshub_json_check(json, WSHUB_SIO__DEPTH)) return false;
    if (v->bytes_count && !wshub_sio__placeholders_ok(json, v->bytes_count)) return false;
    packed = write_value(json, v->bytes, v->bytes_count, &len, &found);
    if (!packed || found != v->bytes_count) {
        free(packed);
        return false;
    }
    MUST(read_value(packed, len, out) && out->used == len && out->bytes_count == v->bytes_count);
    for (i = 0; i < v->bytes_count; i++) {
        MUST(out->bytes[i].len == v->bytes[i].len);
        if (v->bytes[i].len) MUST(memcmp(out->bytes[i].ptr, v->bytes[i].ptr, v->bytes[i].len) == 0);
        out->bytes[i] = v->bytes[i]; /* theirs are gone with the block */
    }
    free(packed);
    return true;
}

/* What was read is written and read the same. A double that is a whole number becomes one: from then
 * on it is the same text. */
static void there_and_back(const value *v) {
    value second, third;
    if (!again(v, &second)) return;
    if (again(&second, &third)) {
        MUST(third.len == second.len && memcmp(third.text, second.text, second.len) == 0);
        free(third.text);
    }
    free(second.text);
}

static void broadcast(const uint8_t *data, size_t size) {
    static char text[65536];
    static wshub_str list[1024];
    wshub_span bytes[BYTES_MAX];
    wshub_sio__caster c;
    wshub_sio__cast small, cast;
    size_t text_len, list_count, i;
    bool ok;
    memset(&c, 0, sizeof c);
    c.in.at = data;
    c.in.end = data + size;
    c.out.attachments = bytes;
    c.out.attachments_max = BYTES_MAX;
    ok = wshub_sio__cast_read(&c, &small);
    text_len = c.out.text.len;
    list_count = c.list_count;
    if (!ok || text_len > sizeof text || list_count > 1024) return;
    memset(&c, 0, sizeof c);
    c.in.at = data;
    c.in.end = data + size;
    c.out.text.buf = text;
    c.out.text.cap = text_len;
    c.out.attachments = bytes;
    c.out.attachments_max = BYTES_MAX;
    c.list = list;
    c.list_cap = list_count;
    MUST(wshub_sio__cast_read(&c, &cast));
    MUST(c.out.text.len == text_len && c.list_count == list_count);
    MUST(cast.args + cast.args_count <= list_count || !cast.args_count);
    for (i = 0; i < cast.args_count; i++) MUST(wshub_json_check(list[cast.args + i], 0));
    for (i = 0; i < cast.rooms_count; i++)
        MUST(wshub_utf8_check((const uint8_t *)list[cast.rooms + i].ptr, list[cast.rooms + i].len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_sio__reader past;
    wshub_str json;
    value v;
    size_t len, found;
    uint8_t *packed;
    if (size > 8192) return 0;
    memset(&past, 0, sizeof past);
    past.at = data;
    past.end = data + size;
    if (read_value(data, size, &v)) {
        MUST(wshub_sio__read_past(&past) && past.at == data + v.used);
        there_and_back(&v);
    }
    free(v.text);
    broadcast(data, size);

    json.ptr = (const char *)data;
    json.len = size;
    if (!size || !wshub_json_check(json, 64)) return 0;
    packed = write_value(json, NULL, 0, &len, &found);
    if (!packed) return 0;
    MUST(read_value(packed, len, &v) && v.used == len);
    there_and_back(&v);
    free(v.text);
    free(packed);
    return 0;
}
