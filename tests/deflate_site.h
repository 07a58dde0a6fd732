/* For the tests of compression: a codec that needs no library, WebSockets opened with an offer, and
 * frames with their reserved bits. The codec writes stored blocks of RFC 1951 and reads these
 * alone; it writes down how often it was asked for what, and fails when it is told to. */
#ifndef DEFLATE_SITE_H
#define DEFLATE_SITE_H
#include "socket_site.h"

typedef struct stored {
    int deflaters, inflaters; /* that there are */
    int opened, resets, deflated, inflated;
    bool no_deflater, no_inflater, no_deflate, no_inflate; /* that fails, for want of memory */
    uint8_t bits;                                          /* of the last that was made */
} stored;

typedef struct stored_stream {
    stored *to;
    wshub_alloc_fn alloc;
    void *alloc_user;
    uint8_t head[5];
    size_t head_len, left; /* of the block that is being read */
    bool last, ended;
} stored_stream;

static void *stored_new(void *ctx, wshub_alloc_fn alloc, void *user, uint8_t bits) {
    stored_stream *s = (stored_stream *)alloc(user, NULL, 0, sizeof *s);
    if (!s) return NULL;
    memset(s, 0, sizeof *s);
    s->to = (stored *)ctx;
    s->alloc = alloc;
    s->alloc_user = user;
    s->to->bits = bits;
    s->to->opened++;
    return s;
}
static void *stored_deflater(void *ctx, wshub_alloc_fn alloc, void *user, wshub_deflate_form form,
                             uint8_t bits) {
    stored *to = (stored *)ctx;
    void *s = to->no_deflater ? NULL : stored_new(ctx, alloc, user, bits);
    (void)form;
    to->deflaters += s != NULL;
    return s;
}
static void stored_drop(stored_stream *s) {
    s->alloc(s->alloc_user, s, sizeof *s, 0);
}
static void stored_deflater_free(void *ctx, void *deflater) {
    ((stored *)ctx)->deflaters--;
    stored_drop((stored_stream *)deflater);
}
static void stored_reset(void *ctx, void *s) {
    ((stored *)ctx)->resets++;
    memset(((stored_stream *)s)->head, 0, 5);
    ((stored_stream *)s)->head_len = ((stored_stream *)s)->left = 0;
    ((stored_stream *)s)->last = ((stored_stream *)s)->ended = false;
}
static size_t stored_bound(void *ctx, void *deflater, size_t count) {
    (void)ctx;
    (void)deflater;
    return count + (count / 65535 + 1) * 5 + 1;
}
static wshub_err stored_deflate(void *ctx, void *deflater, const uint8_t *bytes, size_t count,
                                uint8_t *out, size_t *out_count) {
    uint8_t *at = out;
    (void)deflater;
    if (((stored *)ctx)->no_deflate) return WSHUB_ERR_APP;
    ((stored *)ctx)->deflated++;
    while (count) {
        size_t n = count < 65535 ? count : 65535;
        at[0] = 0;
        at[1] = (uint8_t)n;
        at[2] = (uint8_t)(n >> 8);
        at[3] = (uint8_t)~n;
        at[4] = (uint8_t)(~n >> 8);
        memcpy(at + 5, bytes, n);
        at += n + 5;
        bytes += n;
        count -= n;
    }
    *at++ = 0; /* of the empty block; the rest of it is left out */
    *out_count = (size_t)(at - out);
    return WSHUB_OK;
}
static void *stored_inflater(void *ctx, wshub_alloc_fn alloc, void *user, uint8_t bits) {
    stored *to = (stored *)ctx;
    void *s = to->no_inflater ? NULL : stored_new(ctx, alloc, user, bits);
    to->inflaters += s != NULL;
    return s;
}
static void stored_inflater_free(void *ctx, void *inflater) {
    ((stored *)ctx)->inflaters--;
    stored_drop((stored_stream *)inflater);
}
static wshub_err stored_inflate(void *ctx, void *inflater, wshub_inflating *at) {
    stored_stream *s = (stored_stream *)inflater;
    ((stored *)ctx)->inflated++;
    if (((stored *)ctx)->no_inflate) return WSHUB_ERR_NOMEM;
    while (at->in_len && (at->out_len || !s->left)) {
        if (s->left) {
            *at->out++ = *at->in;
            at->out_len--;
            s->left--;
        } else {
            s->head[s->head_len++] = *at->in;
            s->ended = false;
            if (s->head[0] > 1) return WSHUB_ERR_APP;
            if (s->head_len == 5) {
                s->left = (size_t)(s->head[1] | s->head[2] << 8);
                if ((s->head[1] ^ s->head[3]) != 255 || (s->head[2] ^ s->head[4]) != 255)
                    return WSHUB_ERR_APP;
                s->last = s->head[0] == 1;
                s->head_len = 0;
            }
        }
        at->in++;
        at->in_len--;
        if (!s->left && !s->head_len) s->ended = s->last;
    }
    at->whole = !s->left && !s->head_len;
    at->last = s->ended && at->whole;
    return WSHUB_OK;
}

UNUSED static wshub_deflate stored_codec(stored *to) {
    wshub_deflate d;
    memset(&d, 0, sizeof d);
    memset(to, 0, sizeof *to);
    d.version = WSHUB_DEFLATE_VERSION;
    d.ctx = to;
    d.window_bits_min = 9;
    d.deflater = stored_deflater;
    d.deflater_free = stored_deflater_free;
    d.deflater_reset = stored_reset;
    d.bound = stored_bound;
    d.deflate = stored_deflate;
    d.inflater = stored_inflater;
    d.inflater_free = stored_inflater_free;
    d.inflater_reset = stored_reset;
    d.inflate = stored_inflate;
    return d;
}

/* `hi` as such a message: a stored block, and the beginning of an empty one. */
#define HI                                                                                         \
    "\0\2\0\xFD\xFF"                                                                               \
    "hi"                                                                                           \
    "\0"

/* ---- WebSockets that offer ---- */

#define PMD "permessage-deflate"
#define NOCT "; server_no_context_takeover"

/* What the last 101 said of extensions; "": nothing. */
UNUSED static char answered[256];

/* Opens a WebSocket with this field; what was answered is in `answered`. */
UNUSED static wshub_conn offer(world *w, const char *path, const char *extensions) {
    wshub_conn c = wshub_io_fake_open(w->net);
    static const char field[] = "\r\nSec-WebSocket-Extensions: ";
    char text[2048];
    wshub_str out;
    const char *head, *end;
    (void)snprintf(text, sizeof text,
                   "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "%s%s%s\r\n",
                   path, extensions ? field + 2 : "", extensions ? extensions : "",
                   extensions ? "\r\n" : "");
    wshub_io_fake_input(w->net, c, text, strlen(text));
    out = wshub_io_fake_output(w->net, c);
    (void)snprintf(text, sizeof text, "%.*s", (int)(out.len < 1000 ? out.len : 1000), out.ptr);
    end = strstr(text, "\r\n\r\n");
    EXPECT(end && strncmp(text, "HTTP/1.1 101", 12) == 0);
    if (!end) return c;
    head = strstr(text, field);
    answered[0] = 0;
    if (head && head < end)
        (void)snprintf(answered, sizeof answered, "%.*s", (int)strcspn(head + strlen(field), "\r"),
                       head + strlen(field));
    wshub_io_fake_take(w->net, c, (size_t)(end + 4 - text));
    return c;
}

/* A mount whose WebSocket has agreed, and what it heard. */
UNUSED static wshub_conn site_agreed(world *w, site *s, wshub_desc d, const char *extensions) {
    memset(s, 0, sizeof *s);
    world_start(w, d, FAKE(0));
    site_mount(w, s, "/s");
    return offer(w, "/s", extensions);
}

/* Sends a frame whose first byte is `first`, masked. */
UNUSED static void frame_in(world *w, wshub_conn c, uint8_t first, const void *bytes,
                            size_t count) {
    uint8_t *text = (uint8_t *)malloc(count + 14);
    static const uint8_t mask[4] = {1, 2, 3, 4};
    wshub_frame f;
    size_t n;
    if (!text) return;
    memset(&f, 0, sizeof f);
    f.fin = first >> 7;
    f.rsv = first >> 4 & 7;
    f.opcode = first & 15;
    f.masked = true;
    memcpy(f.mask, mask, 4);
    f.payload_bytes = count;
    n = wshub_frame_write(&f, text);
    if (count) memcpy(text + n, bytes, count);
    wshub_mask(text + n, count, mask, 0);
    wshub_io_fake_input(w->net, c, text, n + count);
    free(text);
}

/* Takes the next frame that came: its first byte; 0: none has. Its payload is a view. */
UNUSED static uint8_t frame_out(world *w, wshub_conn c, wshub_str *out_payload) {
    wshub_str out = wshub_io_fake_output(w->net, c);
    wshub_io_fake_frame f;
    uint8_t first = out.len ? (uint8_t)out.ptr[0] : 0;
    if (!wshub_io_fake_next(w->net, c, &f)) return 0;
    *out_payload = f.payload;
    return first;
}

/* The next frame has this first byte, and this payload. */
#define EXPECT_FRAME(w, c, want_first, want, want_count)                                           \
    do {                                                                                           \
        wshub_str test_p = {NULL, 0};                                                              \
        EXPECT_INT(frame_out(w, c, &test_p), want_first);                                          \
        EXPECT_INT(test_p.len, want_count);                                                        \
        EXPECT(test_p.len == (want_count) && memcmp(test_p.ptr, want, want_count) == 0);           \
    } while (0)
#endif
