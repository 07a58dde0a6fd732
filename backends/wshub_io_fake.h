/* wshub_io_fake.h - a transport without a network, and a clock turned by hand: for unit tests
 *
 * [x] scripted streams: bytes in, bytes out, the peer's end, HTTP and WebSocket
 * [x] input cut into pieces, output taken in pieces, a window that closes (a peer that does not read)
 * [x] half-closes either way; peers that keep silent on our end
 * [x] virtual time: advancing goes from deadline to deadline, nothing sleeps; a process that is late
 * [x] guests and their outgoing connections, answered or refused by the test
 * [x] completion style sending (WSHUB_IO_PENDING), pausing, randomness that fails, all by seed
 * [ ] no sockets, no threads, no real time
 *
 * Needs ISO C99. Everything on one thread. Include it after wshub.h, in the file that has
 * WSHUB_IMPLEMENTATION, or define WSHUB_IO_FAKE_IMPLEMENTATION in a file of its own.
 *
 *     wshub_io_fake *f; wshub *hub; wshub_conn c; wshub_io_fake_frame m;
 *     wshub_io_fake_create(NULL, &f);
 *     wshub_create(&(wshub_desc){ .io = wshub_io_fake_io(f), .on_authenticate = yes }, &hub);
 *     c = wshub_io_fake_connect(f, "/ws");
 *     wshub_io_fake_text(f, c, "{\"event\":\"authenticate\"}");
 *     wshub_io_fake_next(f, c, &m);              // m.payload: {"event":"connected",...}
 *     wshub_io_fake_advance(f, 90001 + 30000);   // nobody spoke: close 4002
 *     wshub_destroy(hub); wshub_io_fake_destroy(f);
 *
 * A stream stays readable here after its end, until wshub_io_fake_forget(); so a test can look at what
 * was sent last. The self-check hook runs after every step. */
#ifndef WSHUB_IO_FAKE_H
#define WSHUB_IO_FAKE_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_fake wshub_io_fake;

/* zero: the default. Its size and version are passed beside it by wshub_io_fake_create(). */
#define WSHUB_IO_FAKE_DESC_VERSION 1
typedef struct wshub_io_fake_desc {
    uint64_t start_ms;           /* of the monotonic clock; 1000 */
    uint64_t wall_ms;            /* of the calendar; 2026-01-31T09:30:00.000Z */
    uint64_t seed;               /* of the randomness; 1 */
    uint32_t cut_bytes;          /* input arrives in pieces of so many bytes; whole */
    uint32_t take_bytes;         /* each send takes at most so many bytes; all */
    bool completion;             /* sends complete later, in pieces of take_bytes */
    bool no_pause;               /* leave wshub_io.pause NULL */
    bool no_wake;                /* leave wshub_io.wake NULL */
    bool no_heard;               /* leave wshub_io.heard_ms NULL */
    void (*on_step)(void *user); /* after every step (a report and its settle) */
    void *user;
} wshub_io_fake_desc;

/* How a send can go wrong. What was not taken can be sent in the next turn, as when a window opens
 * again. */
typedef enum wshub_io_fake_fault_kind {
    WSHUB_IO_FAKE_TAKES_NONE,
    WSHUB_IO_FAKE_TAKES_ONE, /* byte */
    WSHUB_IO_FAKE_TAKES_HALF,
    WSHUB_IO_FAKE_TAKES_MOST, /* all but a byte */
    WSHUB_IO_FAKE_PENDS,      /* WSHUB_IO_PENDING, completed in the next turn */
    WSHUB_IO_FAKE_BREAKS,     /* the stream is broken: it takes everything, closed() follows */
    WSHUB_IO_FAKE_FAULTS      /* how many there are */
} wshub_io_fake_fault_kind;

/* A frame that the hub sent. */
typedef struct wshub_io_fake_frame {
    uint8_t opcode;    /* 1 text, 2 binary, 8 close, 9 ping, 10 pong */
    wshub_str payload; /* view, valid until the next call on this stream */
    uint16_t code;     /* of a close; 0: none in it */
    wshub_str reason;
} wshub_io_fake_frame;

/* Makes a fake transport. desc: borrowed; NULL: defaults. Returns OK, NOMEM, PARAM. */
WSHUB_INLINE wshub_err wshub_io_fake_create(const wshub_io_fake_desc *desc,
                                            wshub_io_fake **out_fake);
/* What it calls, as wshub_create_versioned() of wshub.h. PARAM too: a description of another
 * header, of which nothing is read. */
WSHUB_API wshub_err wshub_io_fake_create_versioned(const wshub_io_fake_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_fake **out_fake);
WSHUB_INLINE wshub_err wshub_io_fake_create(const wshub_io_fake_desc *desc,
                                            wshub_io_fake **out_fake) {
    return wshub_io_fake_create_versioned(desc, sizeof *desc, WSHUB_IO_FAKE_DESC_VERSION, out_fake);
}
WSHUB_API void wshub_io_fake_destroy(wshub_io_fake *f);       /* after its hub; NULL: nothing */
WSHUB_API const wshub_io *wshub_io_fake_io(wshub_io_fake *f); /* valid as long as f */

/* Settles until nothing is left to do now. Called by every function below that reports something.
 */
WSHUB_API void wshub_io_fake_run(wshub_io_fake *f);
/* While held, reports are gathered into one turn: nothing settles until it is let go (and run). */
WSHUB_API void wshub_io_fake_hold(wshub_io_fake *f, bool hold);
/* Turns the clock on by ms, stopping at every deadline on the way. */
WSHUB_API void wshub_io_fake_advance(wshub_io_fake *f, uint64_t ms);
/* Stalls the process, as a SIGSTOP or a slow callback does: what peers do lies unread, time passes
 * and nothing settles. Let go, the late turn begins, as a loop's does, by settling before what lies
 * there is reported; heard_ms() stays at the beginning of the stall until then. */
WSHUB_API void wshub_io_fake_stall(wshub_io_fake *f, bool stalled);
/* Sets the monotonic clock to another time at once, as a suspend or a broken clock would. */
WSHUB_API void wshub_io_fake_jump(wshub_io_fake *f, uint64_t now_ms);
WSHUB_API uint64_t wshub_io_fake_now(const wshub_io_fake *f);
/* The clock's next deadline; WSHUB_NEVER: none. */
WSHUB_API uint64_t wshub_io_fake_deadline(const wshub_io_fake *f);
WSHUB_API void wshub_io_fake_set_random(wshub_io_fake *f, bool fails);
WSHUB_API void wshub_io_fake_set_cut(wshub_io_fake *f, uint32_t cut_bytes, uint32_t take_bytes);

/* Opens a stream. {0}: out of memory, or no hub. */
WSHUB_API wshub_conn wshub_io_fake_open(wshub_io_fake *f);
WSHUB_API void wshub_io_fake_input(wshub_io_fake *f, wshub_conn c, const void *bytes, size_t count);
WSHUB_API void wshub_io_fake_end(wshub_io_fake *f, wshub_conn c); /* the peer goes away: closed() */
/* The peer sends no more, and still takes what is sent: ended(), behind what lies unread. When we
 * have ended too: closed(). */
WSHUB_API void wshub_io_fake_half_close(wshub_io_fake *f, wshub_conn c);
/* A peer answers our end with its own at once. A silent one does not, until it is no longer silent
 * or ends by itself. */
WSHUB_API void wshub_io_fake_silent(wshub_io_fake *f, wshub_conn c, bool silent);
/* How many more bytes the peer takes from now on; UINT64_MAX: any number. */
WSHUB_API void wshub_io_fake_window(wshub_io_fake *f, wshub_conn c, uint64_t bytes);
WSHUB_API bool wshub_io_fake_is_open(const wshub_io_fake *f, wshub_conn c); /* what the hub sends
                                                                               still arrives */
WSHUB_API bool wshub_io_fake_is_gone(const wshub_io_fake *f, wshub_conn c); /* closed() has been
                                                                               told, or nobody is
                                                                               left to tell */
/* What has been sent and not yet taken by take or next, terminated. Valid until the next call on
 * this stream. */
WSHUB_API wshub_str wshub_io_fake_output(const wshub_io_fake *f, wshub_conn c);
WSHUB_API void wshub_io_fake_take(wshub_io_fake *f, wshub_conn c, size_t count);
WSHUB_API void wshub_io_fake_forget(wshub_io_fake *f, wshub_conn c); /* frees the number of an ended
                                                                        stream */
/* The next stream that a guest wants to open and nobody has answered yet. out_address (may be
 * NULL): where to; a view, valid until it is answered. False: there is none. */
WSHUB_API bool wshub_io_fake_dialled(wshub_io_fake *f, wshub_conn *out_conn,
                                     const char **out_address);
/* Answers it: it is open, and this side is its peer; or it has failed. */
WSHUB_API void wshub_io_fake_answer(wshub_io_fake *f, wshub_conn c, bool ok);
/* What its guest asked for: the name, whether it is to be secure, and how far it is verified. A view,
 * valid until it is answered. NULL: nobody dials on this stream. */
WSHUB_API const wshub_dial *wshub_io_fake_dial(const wshub_io_fake *f, wshub_conn c);
/* What wshub_io.about says of every stream that is opened from now on, also where this test opens it
 * as TLS would: the texts are borrowed as long as those streams are asked about. NULL: a peer `fake`
 * and no more, as at first. */
WSHUB_API void wshub_io_fake_set_about(wshub_io_fake *f, const wshub_about *about);
WSHUB_API uint64_t wshub_io_fake_sends(const wshub_io_fake *f); /* calls of wshub_io.send so far */
/* Makes one call of wshub_io.send go wrong, the nth from now (1: the next; 0: none). */
WSHUB_API void wshub_io_fake_fault(wshub_io_fake *f, uint64_t nth, wshub_io_fake_fault_kind how);

/* A WebSocket on top: opens, upgrades on path, checks the answer. {0}: refused. */
WSHUB_API wshub_conn wshub_io_fake_connect(wshub_io_fake *f, const char *path);
WSHUB_API void wshub_io_fake_text(wshub_io_fake *f, wshub_conn c, const char *text);
WSHUB_API void wshub_io_fake_send(wshub_io_fake *f, wshub_conn c, uint8_t opcode, bool fin,
                                  const void *bytes, size_t count);
WSHUB_API void wshub_io_fake_send_close(wshub_io_fake *f, wshub_conn c, uint16_t code,
                                        const char *reason);
/* The next frame the hub has sent. False: no whole frame is there. */
WSHUB_API bool wshub_io_fake_next(wshub_io_fake *f, wshub_conn c, wshub_io_fake_frame *out_frame);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_FAKE_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_FAKE_IMPLEMENTATION)) &&                    \
    !defined(WSHUB__IO_FAKE_DONE)
#define WSHUB__IO_FAKE_DONE
#include <stdlib.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_fake__bytes {
    uint8_t *ptr;
    size_t at, len, cap; /* at: taken so far */
} wshub_io_fake__bytes;

typedef struct wshub_io_fake__peer {
    uint64_t id;                           /* 0: free */
    wshub_io_fake__bytes out, in, pending; /* in: waits while paused; pending: spans of a completion
                                            */
    uint64_t window;
    bool blocked, paused, in_flight, listed, dialling;
    bool unopened;        /* came during a stall */
    bool half, half_told; /* the peer sends no more; the owner knows */
    bool silent, fin;     /* it does not answer our end; which is out */
    bool left;            /* the peer goes away, behind what lies unread */
    bool ending, closed;  /* closed() is due; has been told */
    uint8_t guest;        /* whose: 0: the attached owner's; i + 1: guest i's; 255: nobody's */
    wshub_dial dial;      /* of an outgoing one; its texts are in one block */
    char *texts;
    wshub_about about;
    uint64_t in_flight_bytes, in_flight_done;
    wshub_span *spans;
    size_t spans_count;
} wshub_io_fake__peer;

struct wshub_io_fake {
    wshub_io_fake_desc desc;
    wshub_io io;
    wshub_io_owner owner, guests[8]; /* a guest without settle: none */
    uint32_t guests_count;
    bool owned, hold, random_fails, awake, running;
    bool stalled, late; /* late: what came during the stall has not yet been reported */
    uint64_t heard;     /* meanwhile */
    wshub_about about;  /* of what is opened from now on */
    uint64_t now, wall, random, next, sends, masks, fault_in;
    wshub_io_fake_fault_kind fault;
    wshub_io_fake__peer *peers;
    uint32_t count, cap, generation;
    uint32_t *free_list;
    uint32_t free_count;
    uint32_t *todo; /* peers with something to report */
    uint32_t todo_count;
};

static bool wshub_io_fake__add(wshub_io_fake__bytes *b, const void *bytes, size_t n) {
    if (b->at && b->at == b->len) b->at = b->len = 0;
    if (b->len + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap : 256;
        uint8_t *p;
        while (cap < b->len + n + 1) cap *= 2;
        p = (uint8_t *)realloc(b->ptr, cap);
        if (!p) return false;
        b->ptr = p;
        b->cap = cap;
    }
    if (n) memcpy(b->ptr + b->len, bytes, n);
    b->len += n;
    b->ptr[b->len] = 0;
    return true;
}

static wshub_io_fake__peer *wshub_io_fake__peer_get(const wshub_io_fake *f, wshub_conn c) {
    uint32_t i = (uint32_t)c.id;
    return i < f->count && f->peers[i].id == c.id && c.id ? &f->peers[i] : NULL;
}

static void wshub_io_fake__list(wshub_io_fake *f, wshub_io_fake__peer *p) {
    f->awake = true;
    if (p->listed) return;
    p->listed = true;
    f->todo[f->todo_count++] = (uint32_t)p->id;
}

static const wshub_io_owner *wshub_io_fake__whose(const wshub_io_fake *f,
                                                  const wshub_io_fake__peer *p) {
    if (!p->guest) return f->owned ? &f->owner : NULL;
    return p->guest == 255 ? NULL : &f->guests[p->guest - 1];
}

static void wshub_io_fake__disown(wshub_io_fake *f, uint8_t guest) {
    uint32_t i;
    for (i = 0; i < f->count; i++) {
        if (!f->peers[i].id || f->peers[i].guest != guest) continue;
        f->peers[i].closed = true;
        f->peers[i].guest = 255;
    }
}

static void wshub_io_fake__attach(void *ctx, const wshub_io_owner *owner) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    f->owned = owner != NULL;
    if (owner) {
        f->owner = *owner;
        f->next = 0;
    } else {
        wshub_io_fake__disown(f, 0);
    }
}

static bool wshub_io_fake__taken(void *ctx) {
    return ((wshub_io_fake *)ctx)->owned;
}

static wshub_err wshub_io_fake__guest(void *ctx, const wshub_io_owner *owner, bool on) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    int i, place = -1;
    for (i = 0; i < 8; i++) {
        bool taken = f->guests[i].settle != NULL;
        if (!taken && on) place = i;
        if (taken && !on && f->guests[i].ctx == owner->ctx) place = i;
    }
    if (place < 0) return on ? WSHUB_ERR_LIMIT : WSHUB_OK;
    if (on) {
        f->guests[place] = *owner;
        f->guests_count++;
        f->next = 0;
    } else {
        memset(&f->guests[place], 0, sizeof f->guests[place]);
        f->guests_count--;
        wshub_io_fake__disown(f, (uint8_t)(place + 1));
    }
    return WSHUB_OK;
}

static int64_t wshub_io_fake__send(void *ctx, wshub_conn c, const wshub_span *spans, size_t count) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    uint64_t total = 0, room;
    size_t i;
    bool faulty = f->fault_in && --f->fault_in == 0;
    f->sends++;
    for (i = 0; i < count; i++) total += spans[i].len;
    if (!p || p->closed || p->ending || p->fin) return (int64_t)total;
    if (faulty && f->fault == WSHUB_IO_FAKE_BREAKS) {
        p->ending = true;
        wshub_io_fake__list(f, p);
        return (int64_t)total;
    }
    if (f->desc.completion || (faulty && f->fault == WSHUB_IO_FAKE_PENDS)) {
        p->spans = (wshub_span *)realloc(p->spans, (count ? count : 1) * sizeof *spans);
        if (!p->spans) return 0;
        memcpy(p->spans, spans, count * sizeof *spans);
        p->spans_count = count;
        p->in_flight = true;
        p->in_flight_bytes = total;
        p->in_flight_done = 0;
        wshub_io_fake__list(f, p);
        return WSHUB_IO_PENDING;
    }
    room = total < p->window ? total : p->window;
    if (f->desc.take_bytes && room > f->desc.take_bytes) room = f->desc.take_bytes;
    if (faulty) {
        uint64_t most = f->fault == WSHUB_IO_FAKE_TAKES_NONE   ? 0
                        : f->fault == WSHUB_IO_FAKE_TAKES_ONE  ? 1
                        : f->fault == WSHUB_IO_FAKE_TAKES_HALF ? total / 2
                                                               : total - 1;
        if (room > most) room = most;
    }
    if (p->window != UINT64_MAX) p->window -= room;
    total = room;
    for (i = 0; i < count && room; i++) {
        size_t n = spans[i].len < room ? spans[i].len : (size_t)room;
        (void)wshub_io_fake__add(&p->out, spans[i].ptr, n);
        room -= n;
    }
    for (i = 0, room = 0; i < count; i++) room += spans[i].len;
    if (total < room) {
        p->blocked = true;
        wshub_io_fake__list(f, p);
    }
    return (int64_t)total;
}

static void wshub_io_fake__close(void *ctx, wshub_conn c, bool flush) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    if (!p || p->closed) return;
    p->fin = true;
    p->paused = p->blocked = false;
    if (!flush || p->dialling || p->half || !p->silent) p->ending = true;
    wshub_io_fake__list(f, p);
}

static uint64_t wshub_io_fake__now(void *ctx) {
    return ((wshub_io_fake *)ctx)->now;
}
static uint64_t wshub_io_fake__heard(void *ctx) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    return f->late ? f->heard : f->now;
}
static uint64_t wshub_io_fake__wall(void *ctx) {
    return ((wshub_io_fake *)ctx)->wall;
}

static bool wshub_io_fake__random(void *ctx, uint8_t *bytes, size_t count) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    size_t i;
    if (f->random_fails) return false;
    for (i = 0; i < count; i++) { /* splitmix64: repeatable, which is what a test wants */
        uint64_t z = f->random += UINT64_C(0x9E3779B97F4A7C15);
        z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
        bytes[i] = (uint8_t)(z >> 56);
    }
    return true;
}

static void wshub_io_fake__wake(void *ctx) {
    ((wshub_io_fake *)ctx)->awake = true;
}

static void wshub_io_fake__pause(void *ctx, wshub_conn c, bool paused) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    if (!p || p->fin) return;
    p->paused = paused;
    wshub_io_fake__list(f, p);
}

static bool wshub_io_fake__about(void *ctx, wshub_conn c, wshub_about *out_about) {
    const wshub_io_fake__peer *p = wshub_io_fake__peer_get((wshub_io_fake *)ctx, c);
    memset(out_about, 0, sizeof *out_about);
    if (!p) return false;
    *out_about = p->about;
    return true;
}

static void wshub_io_fake__peer_free(wshub_io_fake__peer *p) {
    free(p->out.ptr);
    free(p->in.ptr);
    free(p->spans);
    free(p->texts);
    {
        bool listed = p->listed; /* a round may still lead through it */
        memset(p, 0, sizeof *p);
        p->listed = listed;
    }
}

WSHUB_API void wshub_io_fake_destroy(wshub_io_fake *f) {
    uint32_t i;
    if (!f) return;
    for (i = 0; i < f->count; i++) wshub_io_fake__peer_free(&f->peers[i]);
    free(f->peers);
    free(f->free_list);
    free(f->todo);
    free(f);
}

WSHUB_API const wshub_io *wshub_io_fake_io(wshub_io_fake *f) {
    return &f->io;
}

/* Once more for what is due now already, which need not be the same: a few times, since a timer of
 * nought that starts itself is always due. */
static void wshub_io_fake__settle(wshub_io_fake *f) {
    int i;
    for (i = 0; (f->owned || f->guests_count) && i < 16; i++) {
        uint64_t next = WSHUB_NEVER, at;
        int g;
        for (g = 0; g < 8 && f->guests_count; g++) {
            if (!f->guests[g].settle) continue;
            at = f->guests[g].settle(f->guests[g].ctx);
            if (at < next) next = at;
        }
        if (f->owned) {
            at = f->owner.settle(f->owner.ctx);
            if (at < next) next = at;
        }
        f->next = next;
        if (f->desc.on_step) f->desc.on_step(f->desc.user);
        if (f->next > f->now || f->late) break;
    }
}

static void wshub_io_fake__deliver(wshub_io_fake *f, wshub_conn c, uint8_t *bytes, size_t n) {
    wshub_io_fake__peer *p;
    size_t step = f->desc.cut_bytes ? f->desc.cut_bytes : n;
    size_t at = 0;
    while (at < n) {
        size_t k = n - at < step ? n - at : step;
        uint8_t *copy;
        p = wshub_io_fake__peer_get(f, c);
        if (!p || p->closed || p->ending || p->fin || p->dialling || !wshub_io_fake__whose(f, p))
            return;
        if (p->paused) {
            (void)wshub_io_fake__add(&p->in, bytes + at, n - at);
            return;
        }
        copy = (uint8_t *)malloc(k); /* of its own, so that a reader beyond its end is caught */
        if (!copy) return;
        memcpy(copy, bytes + at, k);
        wshub_io_fake__whose(f, p)->received(wshub_io_fake__whose(f, p)->ctx, c, copy, k);
        free(copy);
        at += k;
        if (!f->hold && !f->late && at < n) wshub_io_fake__settle(f);
    }
}

/* Reports what has become of one peer. True: something was reported. */
static bool wshub_io_fake__report(wshub_io_fake *f, uint32_t i) {
    wshub_io_fake__peer *p = &f->peers[i];
    wshub_conn c;
    const wshub_io_owner *o;
    c.id = p->id;
    o = wshub_io_fake__whose(f, p);
    if (!p->id || p->closed || !o) return false;
    if (p->unopened) {
        p->unopened = false;
        o->opened(o->ctx, c);
        return true;
    }
    if (p->in_flight && p->window) {
        uint64_t left = p->in_flight_bytes - p->in_flight_done, n = left, skip = p->in_flight_done,
                 k = 0;
        size_t s;
        if (f->desc.take_bytes && n > f->desc.take_bytes) n = f->desc.take_bytes;
        if (n > p->window) n = p->window;
        if (p->window != UINT64_MAX) p->window -= n;
        for (s = 0; s < p->spans_count && k < n; s++) { /* read now: the owner has promised that
                                                           they lie there */
            uint64_t len = p->spans[s].len, from = skip < len ? skip : len, take = len - from;
            skip -= from;
            if (take > n - k) take = n - k;
            if (take) (void)wshub_io_fake__add(&p->out, p->spans[s].ptr + from, (size_t)take);
            k += take;
        }
        p->in_flight_done += n;
        if (p->in_flight_done == p->in_flight_bytes) p->in_flight = false;
        o->sent(o->ctx, c, (size_t)n);
        return true;
    }
    if (p->ending) {
        p->closed = true;
        p->dialling = false;
        p->in_flight = false;
        o->closed(o->ctx, c);
        return true;
    }
    if (p->fin && (p->half || p->left || !p->silent)) { /* both sides have ended */
        p->ending = true;
        return true;
    }
    if (p->blocked && p->window) {
        p->blocked = false;
        o->drained(o->ctx, c);
        return true;
    }
    if (!p->paused && !p->dialling && p->in.len > p->in.at) {
        wshub_io_fake__bytes in = p->in;
        memset(&p->in, 0, sizeof p->in);
        wshub_io_fake__deliver(f, c, in.ptr + in.at, in.len - in.at);
        free(in.ptr);
        return true;
    }
    if (p->left) {
        p->ending = true;
        return true;
    }
    if (p->half && !p->half_told && !p->paused && !p->dialling) {
        p->half_told = true;
        if (o->ended)
            o->ended(o->ctx, c);
        else
            p->ending = true;
        return true;
    }
    return false;
}

WSHUB_API void wshub_io_fake_run(wshub_io_fake *f) {
    bool more = true;
    if (f->hold || f->running || f->stalled) return;
    f->running = true;
    while (more && (f->owned || f->guests_count)) {
        uint32_t i, count;
        more = false;
        f->awake = false;
        wshub_io_fake__settle(f);
        count = f->todo_count;
        for (i = 0; i < count; i++) { /* those listed meanwhile come next time round */
            f->peers[f->todo[i]].listed = false;
            if (wshub_io_fake__report(f, f->todo[i])) {
                more = true;
                if (f->peers[f->todo[i]].id)
                    wshub_io_fake__list(f, &f->peers[f->todo[i]]); /* look again */
            }
        }
        if (count) memmove(f->todo, f->todo + count, (f->todo_count - count) * sizeof *f->todo);
        f->todo_count -= count;
        if (f->awake && f->todo_count) more = true;
        if (f->late && !more) {
            f->late = false; /* now all is known, and deadlines can be judged */
            more = true;
        }
    }
    f->running = false;
}

WSHUB_API void wshub_io_fake_hold(wshub_io_fake *f, bool hold) {
    f->hold = hold;
    if (!hold) wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_stall(wshub_io_fake *f, bool stalled) {
    if (stalled && !f->stalled && !f->late) f->heard = f->now;
    if (stalled) f->late = true;
    f->stalled = stalled;
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_advance(wshub_io_fake *f, uint64_t ms) {
    uint64_t until = f->now + ms;
    wshub_io_fake_run(f);
    while ((f->owned || f->guests_count) && f->next <= until && f->now < until && !f->stalled &&
           !f->hold && !f->running) {
        uint64_t to = f->next > f->now ? f->next : f->now + 1; /* "soon", and still: time passes */
        f->wall += to - f->now;
        f->now = to;
        wshub_io_fake_run(f);
    }
    if (until > f->now) {
        f->wall += until - f->now;
        f->now = until;
    }
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_jump(wshub_io_fake *f, uint64_t now_ms) {
    f->now = now_ms;
    wshub_io_fake_run(f);
}
WSHUB_API uint64_t wshub_io_fake_now(const wshub_io_fake *f) {
    return f->now;
}
WSHUB_API uint64_t wshub_io_fake_deadline(const wshub_io_fake *f) {
    return f->next;
}
WSHUB_API void wshub_io_fake_set_random(wshub_io_fake *f, bool fails) {
    f->random_fails = fails;
}
WSHUB_API void wshub_io_fake_set_cut(wshub_io_fake *f, uint32_t cut_bytes, uint32_t take_bytes) {
    f->desc.cut_bytes = cut_bytes;
    f->desc.take_bytes = take_bytes;
}
WSHUB_API void wshub_io_fake_fault(wshub_io_fake *f, uint64_t nth, wshub_io_fake_fault_kind how) {
    f->fault_in = nth;
    f->fault = how;
}
WSHUB_API uint64_t wshub_io_fake_sends(const wshub_io_fake *f) {
    return f->sends;
}

/* A new stream, not yet reported. {0}: out of memory. */
static wshub_conn wshub_io_fake__new(wshub_io_fake *f) {
    wshub_conn c;
    uint32_t i;
    bool listed;
    c.id = 0;
    if (f->free_count) {
        i = f->free_list[--f->free_count];
    } else {
        if (f->count == f->cap) {
            uint32_t cap = f->cap ? f->cap * 2 : 16;
            wshub_io_fake__peer *peers =
                (wshub_io_fake__peer *)realloc(f->peers, cap * sizeof *peers);
            uint32_t *list;
            if (!peers) return c;
            f->peers = peers;
            list = (uint32_t *)realloc(f->free_list, cap * sizeof *list);
            if (!list) return c;
            f->free_list = list;
            list = (uint32_t *)realloc(f->todo, cap * 2 * sizeof *list); /* old and new entries of a
                                                                            round */
            if (!list) return c;
            f->todo = list;
            f->cap = cap;
        }
        i = f->count++;
        f->peers[i].listed = false;
    }
    listed = f->count > i && f->peers[i].listed;
    memset(&f->peers[i], 0, sizeof f->peers[i]);
    f->peers[i].listed = listed;
    c.id = (uint64_t)++f->generation << 32 | i;
    f->peers[i].id = c.id;
    f->peers[i].window = UINT64_MAX;
    f->peers[i].about = f->about;
    return c;
}

WSHUB_API wshub_conn wshub_io_fake_open(wshub_io_fake *f) {
    wshub_conn c;
    c.id = 0;
    if (!f->owned) return c;
    c = wshub_io_fake__new(f);
    if (!c.id) return c;
    if (f->late) {
        wshub_io_fake__peer_get(f, c)->unopened = true;
        wshub_io_fake__list(f, wshub_io_fake__peer_get(f, c));
    } else {
        f->owner.opened(f->owner.ctx, c);
    }
    wshub_io_fake_run(f);
    return c;
}

/* Keeps what a guest asked for, and lets the stream say so of itself. texts: room for both. */
static void wshub_io_fake__dial_keep(wshub_io_fake__peer *p, const wshub_dial *dial, char *texts) {
    size_t n = strlen(dial->address) + 1;
    p->texts = texts;
    p->dial = *dial;
    p->dial.address = (const char *)memcpy(texts, dial->address, n);
    if (dial->server_name)
        p->dial.server_name =
            (const char *)memcpy(texts + n, dial->server_name, strlen(dial->server_name) + 1);

    p->about.peer = wshub_str_z(p->dial.address);
    p->about.secure = dial->secure;
    if (dial->secure && dial->server_name) p->about.server_name = wshub_str_z(p->dial.server_name);
}

static wshub_err wshub_io_fake__connect(void *ctx, void *guest_ctx, const wshub_dial *dial,
                                        wshub_conn *out_conn) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *p;
    wshub_conn c;
    char *texts;
    uint8_t i, guest = 0;
    for (i = 0; i < 8; i++) {
        if (f->guests[i].settle && f->guests[i].ctx == guest_ctx) guest = (uint8_t)(i + 1);
    }
    if (!guest || !dial->address || !*dial->address) return WSHUB_ERR_PARAM;

    texts = (char *)malloc(strlen(dial->address) + 1 +
                           (dial->server_name ? strlen(dial->server_name) + 1 : 0));
    c.id = 0;
    if (texts) c = wshub_io_fake__new(f);
    if (!c.id) {
        free(texts);
        return WSHUB_ERR_NOMEM;
    }

    p = wshub_io_fake__peer_get(f, c);
    wshub_io_fake__dial_keep(p, dial, texts);
    p->guest = guest;
    p->dialling = true;
    *out_conn = c;
    return WSHUB_OK;
}
static const char *wshub_io_fake__error(void *ctx) {
    (void)ctx;
    return "cannot connect: the test says no";
}

WSHUB_API wshub_err wshub_io_fake_create_versioned(const wshub_io_fake_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_fake **out_fake) {
    wshub_io_fake *f;
    if (!out_fake || desc_bytes != sizeof *desc || version != WSHUB_IO_FAKE_DESC_VERSION)
        return WSHUB_ERR_PARAM;
    f = (wshub_io_fake *)calloc(1, sizeof *f);
    if (!f) return WSHUB_ERR_NOMEM;
    if (desc) f->desc = *desc;
    f->now = f->desc.start_ms ? f->desc.start_ms : 1000;
    f->wall = f->desc.wall_ms ? f->desc.wall_ms : UINT64_C(1769851800000);
    f->random = f->desc.seed ? f->desc.seed : 1;
    f->next = WSHUB_NEVER;
    wshub_io_fake_set_about(f, NULL);
    f->io.version = WSHUB_IO_VERSION;
    f->io.ctx = f;
    f->io.attach = wshub_io_fake__attach;
    f->io.taken = wshub_io_fake__taken;
    f->io.send = wshub_io_fake__send;
    f->io.close = wshub_io_fake__close;
    f->io.now_ms = wshub_io_fake__now;
    f->io.heard_ms = f->desc.no_heard ? NULL : wshub_io_fake__heard;
    f->io.wall_ms = wshub_io_fake__wall;
    f->io.random = wshub_io_fake__random;
    f->io.wake = f->desc.no_wake ? NULL : wshub_io_fake__wake;
    f->io.pause = f->desc.no_pause ? NULL : wshub_io_fake__pause;
    f->io.about = wshub_io_fake__about;
    f->io.guest = wshub_io_fake__guest;
    f->io.connect = wshub_io_fake__connect;
    f->io.error = wshub_io_fake__error;
    *out_fake = f;
    return WSHUB_OK;
}

WSHUB_API bool wshub_io_fake_dialled(wshub_io_fake *f, wshub_conn *out_conn,
                                     const char **out_address) {
    uint32_t i;
    for (i = 0; i < f->count; i++) {
        const wshub_io_fake__peer *p = &f->peers[i];
        if (!p->id || !p->dialling || p->ending || p->closed) continue;
        out_conn->id = p->id;
        if (out_address) *out_address = p->dial.address;
        return true;
    }
    return false;
}

WSHUB_API const wshub_dial *wshub_io_fake_dial(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    return p && p->dialling && !p->ending && !p->closed ? &p->dial : NULL;
}

WSHUB_API void wshub_io_fake_set_about(wshub_io_fake *f, const wshub_about *about) {
    memset(&f->about, 0, sizeof f->about);
    if (about)
        f->about = *about;
    else
        f->about.peer = wshub_str_z("fake");
}

WSHUB_API void wshub_io_fake_answer(wshub_io_fake *f, wshub_conn c, bool ok) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    const wshub_io_owner *o;
    if (!p || !p->dialling || p->closed || p->ending) return;
    p->dialling = false;
    if (!ok) {
        wshub_io_fake_end(f, c);
        return;
    }
    o = wshub_io_fake__whose(f, p);
    if (o) o->opened(o->ctx, c);
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_forget(wshub_io_fake *f, wshub_conn c) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    if (!p || !p->closed) return;
    wshub_io_fake__peer_free(p);
    f->free_list[f->free_count++] = (uint32_t)c.id;
}

WSHUB_API void wshub_io_fake_input(wshub_io_fake *f, wshub_conn c, const void *bytes,
                                   size_t count) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    uint8_t *copy;
    if (!p || p->closed || p->ending || p->fin || p->half || p->left || !count) return;
    if (p->in.len > p->in.at || f->late) { /* behind what waits */
        (void)wshub_io_fake__add(&p->in, bytes, count);
        wshub_io_fake__list(f, p);
        wshub_io_fake_run(f);
        return;
    }
    copy = (uint8_t *)malloc(count);
    if (!copy) return;
    memcpy(copy, bytes, count);
    wshub_io_fake__deliver(f, c, copy, count);
    free(copy);
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_end(wshub_io_fake *f, wshub_conn c) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    const wshub_io_owner *o;
    if (!p || p->closed) return;
    o = wshub_io_fake__whose(f, p);
    if (f->late) {
        p->left = true;
        wshub_io_fake__list(f, p);
    } else {
        p->closed = true;
        if (o) o->closed(o->ctx, c);
    }
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_half_close(wshub_io_fake *f, wshub_conn c) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    if (!p || p->closed || p->ending || p->dialling) return;
    p->half = true;
    wshub_io_fake__list(f, p);
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_silent(wshub_io_fake *f, wshub_conn c, bool silent) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    if (!p || p->closed) return;
    p->silent = silent;
    wshub_io_fake__list(f, p);
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_window(wshub_io_fake *f, wshub_conn c, uint64_t bytes) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    if (!p) return;
    p->window = bytes;
    wshub_io_fake__list(f, p); /* told in the run that follows */
    wshub_io_fake_run(f);
}

WSHUB_API bool wshub_io_fake_is_open(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    return p && !p->closed && !p->ending && !p->fin && !p->left;
}

WSHUB_API bool wshub_io_fake_is_gone(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    return !p || p->closed;
}

WSHUB_API wshub_str wshub_io_fake_output(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    wshub_str s;
    s.ptr = p && p->out.ptr ? (const char *)p->out.ptr + p->out.at : "";
    s.len = p ? p->out.len - p->out.at : 0;
    return s;
}

WSHUB_API void wshub_io_fake_take(wshub_io_fake *f, wshub_conn c, size_t count) {
    wshub_io_fake__peer *p = wshub_io_fake__peer_get(f, c);
    if (p) p->out.at += count < p->out.len - p->out.at ? count : p->out.len - p->out.at;
}

WSHUB_API wshub_conn wshub_io_fake_connect(wshub_io_fake *f, const char *path) {
    static const char tail[] =
        " HTTP/1.1\r\nHost: fake\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wshub_conn c = wshub_io_fake_open(f), none;
    wshub_str out;
    size_t n = strlen(path), end = 0;
    char *text;
    none.id = 0;
    if (!c.id) return none;
    text = (char *)malloc(4 + n + sizeof tail);
    if (!text) return none;
    memcpy(text, "GET ", 4);
    memcpy(text + 4, path, n);
    memcpy(text + 4 + n, tail, sizeof tail - 1);
    wshub_io_fake_input(f, c, text, 4 + n + sizeof tail - 1);
    free(text);
    out = wshub_io_fake_output(f, c);
    while (end + 4 <= out.len && memcmp(out.ptr + end, "\r\n\r\n", 4) != 0) end++;
    if (out.len < 12 || memcmp(out.ptr, "HTTP/1.1 101", 12) != 0 || end + 4 > out.len) return none;
    wshub_io_fake_take(f, c, end + 4);
    return c;
}

WSHUB_API void wshub_io_fake_send(wshub_io_fake *f, wshub_conn c, uint8_t opcode, bool fin,
                                  const void *bytes, size_t count) {
    wshub_frame h;
    uint8_t *text = (uint8_t *)malloc(count + 14);
    size_t n, i;
    if (!text) return;
    memset(&h, 0, sizeof h);
    h.fin = fin;
    h.opcode = opcode;
    h.masked = true;
    h.payload_bytes = count;
    f->masks += UINT64_C(0x9E3779B97F4A7C15);
    for (i = 0; i < 4; i++) h.mask[i] = (uint8_t)(f->masks >> (32 + 8 * i));
    n = wshub_frame_write(&h, text);
    if (count) memcpy(text + n, bytes, count);
    wshub_mask(text + n, count, h.mask, 0);
    wshub_io_fake_input(f, c, text, n + count);
    free(text);
}

WSHUB_API void wshub_io_fake_text(wshub_io_fake *f, wshub_conn c, const char *text) {
    wshub_io_fake_send(f, c, 1, true, text, strlen(text));
}

WSHUB_API void wshub_io_fake_send_close(wshub_io_fake *f, wshub_conn c, uint16_t code,
                                        const char *reason) {
    uint8_t payload[125];
    size_t n = reason ? strlen(reason) : 0;
    if (n > 123) n = 123;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (n) memcpy(payload + 2, reason, n);
    wshub_io_fake_send(f, c, 8, true, payload, code ? n + 2 : 0);
}

WSHUB_API bool wshub_io_fake_next(wshub_io_fake *f, wshub_conn c, wshub_io_fake_frame *out_frame) {
    wshub_str out = wshub_io_fake_output(f, c);
    wshub_frame h;
    if (wshub_frame_read((const uint8_t *)out.ptr, out.len, &h) != 1) return false;
    if (out.len - h.head_bytes < h.payload_bytes) return false;
    memset(out_frame, 0, sizeof *out_frame);
    out_frame->opcode = h.opcode;
    out_frame->payload.ptr = out.ptr + h.head_bytes;
    out_frame->payload.len = (size_t)h.payload_bytes;
    if (h.opcode == 8 && h.payload_bytes >= 2) {
        const uint8_t *p = (const uint8_t *)out_frame->payload.ptr;
        out_frame->code = (uint16_t)(p[0] << 8 | p[1]);
        out_frame->reason.ptr = out_frame->payload.ptr + 2;
        out_frame->reason.len = out_frame->payload.len - 2;
    }
    wshub_io_fake_take(f, c, h.head_bytes + (size_t)h.payload_bytes);
    return true;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
