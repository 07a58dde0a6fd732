/* wshub_deflate_zlib.h: compression by zlib, for permessage-deflate and for answers of HTTP.
 *
 * After wshub.h; link with -lz. zlib from 1.2.8 on, or zlib-ng built to be compatible with it:
 *     #define WSHUB_IMPLEMENTATION
 *     #include "wshub.h"
 *     #include "wshub_deflate_zlib.h"
 *
 *     wshub_desc desc = {.io = io, .deflate = wshub_deflate_zlib()};
 *
 * That is all: whoever offers permessage-deflate is sent what has 256 bytes or more compressed
 * (wshub_desc.deflate_bytes_min), and may send so. What it costs, and what is chosen by
 * deflate_takeover, deflate_forget and deflate_window_bits, stands in wshub.h (>>api-deflate). The
 * same table compresses answers: wshub_files_desc.deflate, wshub_eio_desc.deflate.
 *
 * Level 6 and memory level 8, which are zlib's own, or as wshub_deflate_zlib_make() is told. A
 * deflater takes 2^(window_bits + 2) + 2^(memory_level + 9) bytes and 6 KiB: 262 KiB and 6, less
 * with a smaller window or memory level. An inflater takes 7 KiB, and its window of 2^window_bits
 * bytes with the first message that is not inflated in one go.
 *
 * A window of 8 bits: zlib has none of less than 9, and refuses 8. But in the one of 9 it never
 * points back further than 512 - 262 bytes, so it keeps one of 8 (tests/test_deflate_zlib.c proves
 * it). zlib-ng is not known to, and a peer that asks it for 8 bits is answered without compression.
 */
#ifndef WSHUB_DEFLATE_ZLIB_H
#define WSHUB_DEFLATE_ZLIB_H

#ifndef WSHUB_H
#error "include wshub.h first"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* How hard is tried. Zero it before you fill it; it is the ctx of the table, and must outlive
 * whoever uses that. */
typedef struct wshub_deflate_zlib_way {
    int level;        /* 1, the quickest, to 9; 0: 6 */
    int memory_level; /* 1 to 9; 0: 8 */
} wshub_deflate_zlib_way;

/* The codec with zlib's own levels. Its table is constant; any thread. */
WSHUB_API const wshub_deflate *wshub_deflate_zlib(void);
/* Fills in a table with levels of your own.
 *   way        borrowed as long as the table is used; NULL: zlib's own
 *   out_table  to be given to a wshub_desc
 * Returns  OK; PARAM: no such level. Thread: any. Cost: O(1). */
WSHUB_API wshub_err wshub_deflate_zlib_make(const wshub_deflate_zlib_way *way,
                                            wshub_deflate *out_table);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_DEFLATE_ZLIB_H */

/* ============================================================================================== */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_DEFLATE_ZLIB_IMPLEMENTATION)) &&               \
    !defined(WSHUB_DEFLATE_ZLIB_IMPLEMENTED)
#define WSHUB_DEFLATE_ZLIB_IMPLEMENTED

#include <string.h>
#include <zlib.h>

#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* A deflater or inflater. */
typedef struct wshub_deflate_zlib__stream {
    z_stream z;
    wshub_alloc_fn alloc;
    void *alloc_user;
    bool raw;   /* a deflater: of messages, none of which is the end */
    bool ended; /* an inflater: right behind a block that says it is the last */
} wshub_deflate_zlib__stream;

/* zlib gives back without saying how many bytes there were: that stands before them. The size of
 * what is aligned like anything. */
typedef union wshub_deflate_zlib__block {
    size_t bytes;
    long double longest;
    void *pointer;
} wshub_deflate_zlib__block;

static voidpf wshub_deflate_zlib__alloc(voidpf ctx, uInt items, uInt bytes_each) {
    const wshub_deflate_zlib__stream *stream = (const wshub_deflate_zlib__stream *)ctx;
    size_t bytes = (size_t)items * bytes_each + sizeof(wshub_deflate_zlib__block);
    wshub_deflate_zlib__block *block =
        (wshub_deflate_zlib__block *)stream->alloc(stream->alloc_user, NULL, 0, bytes);

    if (!block) return NULL;
    block->bytes = bytes;
    return block + 1;
}

static void wshub_deflate_zlib__free(voidpf ctx, voidpf ptr) {
    const wshub_deflate_zlib__stream *stream = (const wshub_deflate_zlib__stream *)ctx;
    wshub_deflate_zlib__block *block = (wshub_deflate_zlib__block *)ptr - 1;

    (void)stream->alloc(stream->alloc_user, block, block->bytes, 0);
}

static wshub_deflate_zlib__stream *wshub_deflate_zlib__new(wshub_alloc_fn alloc, void *alloc_user) {
    wshub_deflate_zlib__stream *stream =
        (wshub_deflate_zlib__stream *)alloc(alloc_user, NULL, 0, sizeof *stream);

    if (!stream) return NULL;
    memset(stream, 0, sizeof *stream);
    stream->alloc = alloc;
    stream->alloc_user = alloc_user;
    stream->z.zalloc = wshub_deflate_zlib__alloc;
    stream->z.zfree = wshub_deflate_zlib__free;
    stream->z.opaque = stream;
    return stream;
}

static void wshub_deflate_zlib__drop(wshub_deflate_zlib__stream *stream) {
    (void)stream->alloc(stream->alloc_user, stream, sizeof *stream, 0);
}

/* ---- deflating ---- */

static void *wshub_deflate_zlib__deflater(void *ctx, wshub_alloc_fn alloc, void *alloc_user,
                                          wshub_deflate_form form, uint8_t window_bits) {
    const wshub_deflate_zlib_way *way = (const wshub_deflate_zlib_way *)ctx;
    wshub_deflate_zlib__stream *stream = wshub_deflate_zlib__new(alloc, alloc_user);
    int bits = window_bits < 9 ? 9 : window_bits;

    WSHUB_ASSERT(window_bits >= 8 && window_bits <= 15);
    if (!stream) return NULL;
    if (form == WSHUB_DEFLATE_RAW) bits = -bits;
    if (form == WSHUB_DEFLATE_GZIP) bits += 16;
    if (deflateInit2(&stream->z, way && way->level ? way->level : 6, Z_DEFLATED, bits,
                     way && way->memory_level ? way->memory_level : 8,
                     Z_DEFAULT_STRATEGY) == Z_OK) {
        stream->raw = form == WSHUB_DEFLATE_RAW;
        return stream;
    }
    wshub_deflate_zlib__drop(stream);
    return NULL;
}

static void wshub_deflate_zlib__deflater_free(void *ctx, void *deflater) {
    wshub_deflate_zlib__stream *stream = (wshub_deflate_zlib__stream *)deflater;
    (void)ctx;
    (void)deflateEnd(&stream->z);
    wshub_deflate_zlib__drop(stream);
}

static void wshub_deflate_zlib__deflater_reset(void *ctx, void *deflater) {
    (void)ctx;
    (void)deflateReset(&((wshub_deflate_zlib__stream *)deflater)->z);
}

/* deflateBound() reckons with an end: that of a message is an empty block more. */
static size_t wshub_deflate_zlib__bound(void *ctx, void *deflater, size_t count) {
    wshub_deflate_zlib__stream *stream = (wshub_deflate_zlib__stream *)deflater;
    (void)ctx;
    return (size_t)deflateBound(&stream->z, (uLong)count) + 16;
}

/* In one call, with room for all of it: so nothing depends on how much room there was. */
static wshub_err wshub_deflate_zlib__deflate(void *ctx, void *deflater, const uint8_t *bytes,
                                             size_t count, uint8_t *out, size_t *out_count) {
    static const uint8_t tail[] = {0, 0, 0xFF, 0xFF};
    wshub_deflate_zlib__stream *stream = (wshub_deflate_zlib__stream *)deflater;
    z_stream *z = &stream->z;
    size_t room = wshub_deflate_zlib__bound(ctx, deflater, count);
    int did;

    if (room > UINT32_MAX) return WSHUB_ERR_APP;
    if (stream->raw && !count) { /* zlib flushes nothing twice */
        *out = 0;
        *out_count = 1;
        return WSHUB_OK;
    }

    z->next_in = (Bytef *)(uintptr_t)bytes; /* which older ones take without const */
    z->avail_in = (uInt)count;
    z->next_out = out;
    z->avail_out = (uInt)room;
    did = deflate(z, stream->raw ? Z_SYNC_FLUSH : Z_FINISH);
    *out_count = room - z->avail_out;
    if (z->avail_in || !z->avail_out || did != (stream->raw ? Z_OK : Z_STREAM_END))
        return WSHUB_ERR_APP;
    if (!stream->raw) return WSHUB_OK;
    if (*out_count < 5 || memcmp(out + *out_count - 4, tail, 4) != 0) return WSHUB_ERR_APP;
    *out_count -= 4;
    return WSHUB_OK;
}

/* ---- inflating ---- */

static void *wshub_deflate_zlib__inflater(void *ctx, wshub_alloc_fn alloc, void *alloc_user,
                                          uint8_t window_bits) {
    wshub_deflate_zlib__stream *stream = wshub_deflate_zlib__new(alloc, alloc_user);

    (void)ctx;
    WSHUB_ASSERT(window_bits >= 8 && window_bits <= 15);
    if (!stream) return NULL;
    if (inflateInit2(&stream->z, -(int)window_bits) == Z_OK) return stream;
    wshub_deflate_zlib__drop(stream);
    return NULL;
}

static void wshub_deflate_zlib__inflater_free(void *ctx, void *inflater) {
    wshub_deflate_zlib__stream *stream = (wshub_deflate_zlib__stream *)inflater;
    (void)ctx;
    (void)inflateEnd(&stream->z);
    wshub_deflate_zlib__drop(stream);
}

static void wshub_deflate_zlib__inflater_reset(void *ctx, void *inflater) {
    wshub_deflate_zlib__stream *stream = (wshub_deflate_zlib__stream *)inflater;
    (void)ctx;
    stream->ended = false;
    (void)inflateReset(&stream->z);
}

/* One step. Behind a last block zlib wants a new stream: it begins one and keeps the window. */
static int wshub_deflate_zlib__step(wshub_deflate_zlib__stream *stream, wshub_inflating *at) {
    z_stream *z = &stream->z;
    size_t in = at->in_len < (1u << 30) ? at->in_len : 1u << 30,
           out = at->out_len < (1u << 30) ? at->out_len : 1u << 30;
    int did;

    z->next_in = (Bytef *)(uintptr_t)at->in;
    z->avail_in = (uInt)in;
    z->next_out = at->out;
    z->avail_out = (uInt)out;
    did = inflate(z, Z_SYNC_FLUSH);
    at->in += in - z->avail_in;
    at->in_len -= in - z->avail_in;
    at->out += out - z->avail_out;
    at->out_len -= out - z->avail_out;
    if (z->avail_in != in) stream->ended = false;
    if (did == Z_STREAM_END) {
        stream->ended = true;
        if (inflateResetKeep(z) != Z_OK) did = Z_DATA_ERROR;
    }
    return did;
}

static wshub_err wshub_deflate_zlib__inflate(void *ctx, void *inflater, wshub_inflating *at) {
    wshub_deflate_zlib__stream *stream = (wshub_deflate_zlib__stream *)inflater;
    int did;

    (void)ctx;
    do {
        did = wshub_deflate_zlib__step(stream, at);
    } while (did == Z_STREAM_END && at->in_len && at->out_len);
    at->whole = stream->ended || (stream->z.data_type & 128) != 0;
    at->last = stream->ended;
    if (did == Z_MEM_ERROR) return WSHUB_ERR_NOMEM;
    return did == Z_OK || did == Z_STREAM_END || did == Z_BUF_ERROR ? WSHUB_OK : WSHUB_ERR_APP;
}

/* ---- the table ---- */

/* clang-format off */
#define WSHUB_DEFLATE_ZLIB__TABLE(bits)                                                            \
    {WSHUB_DEFLATE_VERSION, NULL, bits, wshub_deflate_zlib__deflater,                              \
     wshub_deflate_zlib__deflater_free, wshub_deflate_zlib__deflater_reset,                        \
     wshub_deflate_zlib__bound, wshub_deflate_zlib__deflate, wshub_deflate_zlib__inflater,         \
     wshub_deflate_zlib__inflater_free, wshub_deflate_zlib__inflater_reset,                        \
     wshub_deflate_zlib__inflate}
/* clang-format on */

WSHUB_API const wshub_deflate *wshub_deflate_zlib(void) {
    static const wshub_deflate known = WSHUB_DEFLATE_ZLIB__TABLE(8);
    static const wshub_deflate next = WSHUB_DEFLATE_ZLIB__TABLE(9); /* zlib-ng */

    return strstr(zlibVersion(), "ng") ? &next : &known;
}

WSHUB_API wshub_err wshub_deflate_zlib_make(const wshub_deflate_zlib_way *way,
                                            wshub_deflate *out_table) {
    if (way && (way->level < 0 || way->level > 9 || way->memory_level < 0 || way->memory_level > 9))
        return WSHUB_ERR_PARAM;
    *out_table = *wshub_deflate_zlib();
    out_table->ctx = (void *)(uintptr_t)way;
    return WSHUB_OK;
}

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_DEFLATE_ZLIB_IMPLEMENTATION */
