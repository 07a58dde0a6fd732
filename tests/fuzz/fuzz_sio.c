/* The readers of the two protocols, alone: a packet of Socket.IO, of which what stands for bytes is
 * found again by the slow way; a payload of Engine.IO; base64, and back. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 200
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_dialect_socketio.h"
#include "wshub_io_fake.h"

/* Does every object that stands for bytes have them? Each is looked at whole, wherever it is. */
static bool slowly_ok(wshub_str json, size_t attachments) {
    wshub_str key, value;
    wshub_iter iter = {0, 0};
    uint64_t number;
    bool is;
    if (wshub_json_type(json) == WSHUB_JSON_OBJECT) {
        value = wshub_json_get(json, "_placeholder");
        if (value.ptr && wshub_json_bool(value, &is) && is &&
            (!wshub_json_uint(wshub_json_get(json, "num"), &number) || number >= attachments))
            return false;
        while (wshub_json_each_member(json, &iter, &key, &value)) {
            if (!slowly_ok(value, attachments)) return false;
        }
    } else if (wshub_json_type(json) == WSHUB_JSON_ARRAY) {
        while (wshub_json_each(json, &iter, &value)) {
            if (!slowly_ok(value, attachments)) return false;
        }
    }
    return true;
}

static void packet(wshub_str text) {
    wshub_sio_packet read;
    const char *wrong = wshub_sio__read(text, 10, &read);
    wshub_sio__out out;
    char *again;
    size_t len;
    if (wrong) {
        MUST(wrong[0]);
        return;
    }
    MUST(read.attachments <= 10 && read.id.len <= WSHUB_SIO__ID_DIGITS);
    MUST(read.space.len >= 1 && read.space.ptr[0] == '/');
    if (read.json.len) {
        MUST(wshub_json_check(read.json, WSHUB_SIO__DEPTH));
        if (read.attachments) MUST(slowly_ok(read.json, read.attachments));
    }
    if (read.attachments) return;

    /* Written again it is read the same. */
    memset(&out, 0, sizeof out);
    out.type = read.type;
    out.space = read.space;
    out.id = read.id;
    out.json = read.json;
    len = wshub_sio__text_len(&out);
    again = (char *)malloc(len);
    MUST(again);
    MUST(wshub_sio__text_write(&out, again) == again + len && again[0] == '4');
    text.ptr = again + 1;
    text.len = len - 1;
    MUST(!wshub_sio__read(text, 10, &read));
    MUST(read.type == out.type && wshub_str_eq(read.space, out.space) &&
         wshub_str_eq(read.id, out.id) && wshub_str_eq(read.json, out.json));
    free(again);
}

/* JSON alone: the walk over it and the slow way agree, also where it does not. */
static void placeholders(wshub_str json) {
    size_t most;
    if (!wshub_json_check(json, 32)) return;
    for (most = 1; most < 3; most++)
        MUST(wshub_sio__placeholders_ok(json, most) == slowly_ok(json, most));
}

static void base64(const uint8_t *data, size_t size) {
    size_t len = wshub_eio_binary_len(size);
    char *text = (char *)malloc(len);
    uint8_t *back = (uint8_t *)malloc(len);
    MUST(text && back);
    wshub_eio_binary_write(data, size, text);
    MUST(text[0] == 'b');
    MUST(wshub_eio__b64_read(text + 1, len - 1, back) == size);
    MUST(!size || memcmp(back, data, size) == 0);
    MUST(wshub_eio__b64_read((const char *)data, size < len ? size : len, back) <= size);
    free(text);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_str payload = {(const char *)data, size}, text;
    size_t seen = 0, packets = 0;
    if (size > 1500) return 0;
    while (wshub_eio__payload_next(&payload, &text)) {
        wshub_eio__packet one;
        MUST(text.ptr >= (const char *)data && text.ptr + text.len <= (const char *)data + size);
        seen += text.len;
        packets++;
        if (wshub_eio__packet_read(text, &one) && one.type == '4') packet(one.data);
    }
    MUST(seen + packets == size + 1); /* all of it, once */
    text.ptr = (const char *)data;
    text.len = size;
    packet(text);
    placeholders(text);
    base64(data, size);
    return 0;
}
