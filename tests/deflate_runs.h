/* A codec for tests of what uses one, which needs no library: a message is pairs, a byte that says
 * how often the next one stands there. 0 begins the end of a message (00 00 ff ff, of which all is
 * left out), 255 is the last block. It writes down what it was asked for, and fails when told to. */
#ifndef DEFLATE_RUNS_H
#define DEFLATE_RUNS_H

typedef struct runs {
    int deflaters, inflaters; /* that there are */
    int resets;
    bool no_deflater, no_deflate, no_inflater, no_inflate;
    uint8_t bits; /* of the last that was made */
} runs;

typedef struct runs_stream {
    runs *to;
    wshub_alloc_fn alloc;
    void *alloc_user;
    uint8_t times, byte, end; /* end: bytes of the end that have come */
    bool half, last;          /* half: times has come, its byte has not */
} runs_stream;

static runs_stream *runs_new(runs *to, wshub_alloc_fn alloc, void *user, uint8_t bits) {
    runs_stream *s = (runs_stream *)alloc(user, NULL, 0, sizeof *s);
    if (!s) return NULL;
    memset(s, 0, sizeof *s);
    s->to = to;
    s->alloc = alloc;
    s->alloc_user = user;
    to->bits = bits;
    return s;
}
static void *runs_deflater(void *ctx, wshub_alloc_fn alloc, void *user, wshub_deflate_form form,
                           uint8_t bits) {
    runs *to = (runs *)ctx;
    runs_stream *s = to->no_deflater ? NULL : runs_new(to, alloc, user, bits);
    (void)form;
    to->deflaters += s != NULL;
    return s;
}
static void *runs_inflater(void *ctx, wshub_alloc_fn alloc, void *user, uint8_t bits) {
    runs *to = (runs *)ctx;
    runs_stream *s = to->no_inflater ? NULL : runs_new(to, alloc, user, bits);
    to->inflaters += s != NULL;
    return s;
}
static void runs_deflater_free(void *ctx, void *deflater) {
    runs_stream *s = (runs_stream *)deflater;
    ((runs *)ctx)->deflaters--;
    (void)s->alloc(s->alloc_user, s, sizeof *s, 0);
}
static void runs_inflater_free(void *ctx, void *inflater) {
    runs_stream *s = (runs_stream *)inflater;
    ((runs *)ctx)->inflaters--;
    (void)s->alloc(s->alloc_user, s, sizeof *s, 0);
}
static void runs_reset(void *ctx, void *stream) {
    runs_stream *s = (runs_stream *)stream;
    ((runs *)ctx)->resets++;
    s->times = s->end = 0;
    s->half = s->last = false;
}
static size_t runs_bound(void *ctx, void *deflater, size_t count) {
    (void)ctx;
    (void)deflater;
    return count * 2;
}
static wshub_err runs_deflate(void *ctx, void *deflater, const uint8_t *bytes, size_t count,
                              uint8_t *out, size_t *out_count) {
    size_t i, n = 0, times;
    (void)deflater;
    if (((runs *)ctx)->no_deflate) return WSHUB_ERR_APP;
    for (i = 0; i < count; i += times) {
        for (times = 1; i + times < count && times < 200 && bytes[i + times] == bytes[i]; times++) {
        }
        out[n++] = (uint8_t)times;
        out[n++] = bytes[i];
    }
    *out_count = n;
    return WSHUB_OK;
}
/* Takes one byte of input. False: it is bad. */
static bool runs_take(runs_stream *s, uint8_t byte) {
    static const uint8_t end[] = {0, 0, 0xFF, 0xFF};
    if (s->half) {
        s->half = false;
        s->byte = byte;
        return true;
    }
    s->last = byte == 255 && !s->end;
    if (s->last) return true;
    if (s->end || !byte) {
        if (byte != end[s->end]) return false;
        s->end = (uint8_t)((s->end + 1) % 4);
        return true;
    }
    s->times = byte;
    s->half = true;
    return true;
}
static wshub_err runs_inflate(void *ctx, void *inflater, wshub_inflating *at) {
    runs_stream *s = (runs_stream *)inflater;
    wshub_err err = ((runs *)ctx)->no_inflate ? WSHUB_ERR_NOMEM : WSHUB_OK;
    while (!err && (at->in_len || (s->times && !s->half)) &&
           (at->out_len || !s->times || s->half)) {
        if (s->times && !s->half) {
            *at->out++ = s->byte;
            at->out_len--;
            s->times--;
            continue;
        }
        if (!runs_take(s, *at->in)) err = WSHUB_ERR_APP;
        at->in++;
        at->in_len--;
    }
    at->whole = !s->half && !s->times && !s->end;
    at->last = s->last;
    return err;
}
static wshub_deflate runs_codec(runs *to) {
    wshub_deflate d;
    memset(&d, 0, sizeof d);
    memset(to, 0, sizeof *to);
    d.version = WSHUB_DEFLATE_VERSION;
    d.ctx = to;
    d.window_bits_min = 9;
    d.deflater = runs_deflater;
    d.deflater_free = runs_deflater_free;
    d.deflater_reset = runs_reset;
    d.bound = runs_bound;
    d.deflate = runs_deflate;
    d.inflater = runs_inflater;
    d.inflater_free = runs_inflater_free;
    d.inflater_reset = runs_reset;
    d.inflate = runs_inflate;
    return d;
}
#endif
