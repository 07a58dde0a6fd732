/* permessage-deflate (RFC 7692): an offer, and what comes behind it. The input's first byte says how
 * the second run cuts it, the second who is asked for what; then a line with an offer, then the bytes
 * of a stream. Both runs hear the same messages and answer the same; nobody holds more than the
 * limits allow, and every inflater and deflater is given back. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 200
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#include "../deflate_site.h"

static uint64_t heard;
static void on_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool text,
                       void *owner) {
    size_t i;
    (void)owner;
    MUST(!text || wshub_utf8_check(bytes, count));
    MUST(count <= 5000);
    for (i = 0; i < count; i++) heard = heard * 31 + bytes[i] + 1;
    heard = heard * 31 + text;
    if (wshub_conn_send(hub, conn, bytes, count, text)) heard++;
}

/* One run. Returns a number of all that was answered and heard. */
static uint64_t run(const uint8_t *data, size_t size, const char *offers, int how, size_t cut) {
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    site s;
    world w;
    wshub_conn c;
    uint64_t said = 0;
    wshub_str out;
    size_t i;

    memset(&s, 0, sizeof s);
    world_start(&w,
                DESC(.deflate = &table, .deflate_takeover = how & 1, .deflate_forget = how & 2,
                     .deflate_bytes_min = how & 4 ? 1 : 0, .payload_bytes_max = 5000,
                     .no_log = true),
                FAKE(0));
    w.unchecked = true; /* once, at the end */
    {
        wshub_mount_desc desc;
        memset(&desc, 0, sizeof desc);
        s.w = &w;
        desc.version = WSHUB_MOUNT_VERSION;
        desc.path = "/s";
        desc.user = &s;
        desc.message_bytes_max = 5000;
        desc.on_head = site_head;
        desc.on_message = on_message;
        MUST(wshub_mount(w.hub, &desc) == WSHUB_OK);
    }
    heard = 0;
    c = offer(&w, "/s", offers);
    for (i = 0; answered[i]; i++) said = said * 31 + (uint8_t)answered[i];
    for (i = 0; i < size && wshub_io_fake_is_open(w.net, c);) {
        uint8_t piece[4096];
        size_t n = cut && cut < size - i ? cut : size - i;
        if (n > sizeof piece) n = sizeof piece;
        memcpy(piece, data + i, n);
        wshub_io_fake_input(w.net, c, piece, n);
        MUST(w.bytes < 400000);
        i += n;
    }
    wshub_io_fake_run(w.net);
    out = wshub_io_fake_output(w.net, c);
    for (i = 0; i < out.len; i++) said = said * 31 + (uint8_t)out.ptr[i] + 1;
    checked(w.hub);
    world_stop(&w);
    MUST(!codec.deflaters && !codec.inflaters);
    MUST(w.bytes == 0 && test_failures == 0);
    return said * 31 + heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char offers[300] = "permessage-deflate";
    size_t n = 0, cut;
    int how;
    (void)test_register; /* tests register, targets do not */
    if (size < 2 || size > 4000) return 0;
    cut = 1 + data[0] % 40;
    how = data[1];
    data += 2;
    size -= 2;
    if (how & 8) { /* a line with an offer of its own: what a header may hold */
        while (n < size && n < sizeof offers - 1 && data[n] != '\n') n++;
        memcpy(offers, data, n);
        offers[n] = 0;
        for (cut += n; n-- > 0;) {
            if (offers[n] != '\t' && (offers[n] < ' ' || offers[n] > '~')) offers[n] = ' ';
        }
        n = strlen(offers);
        if (n < size) n++;
        data += n;
        size -= n;
    }
    MUST(run(data, size, offers, how, 0) == run(data, size, offers, how, cut));
    return 0;
}
