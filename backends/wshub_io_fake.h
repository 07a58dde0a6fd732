/* wshub_io_fake.h - a transport without a network, and a clock turned by hand: for unit tests
 *
 * [x] scripted streams: bytes in, bytes out, the peer's end, HTTP and WebSocket
 * [x] input cut into pieces, output taken in pieces, a window that closes (a peer that does not
 *     read)
 * [x] half-closes either way; peers that keep silent on our end
 * [x] virtual time: advancing goes from deadline to deadline, nothing sleeps; a process that is
 *     late
 * [x] guests and their outgoing streams, answered or refused by the test
 * [x] what is known about a stream, TLS and certificates included, as the test says
 * [x] completion style sending (WSHUB_IO_PENDING), pausing, sends and randomness that fail; all of
 *     it repeatable, by seed
 * [ ] no sockets, no threads, no real time
 *
 * System   ISO C99.
 * Include  behind wshub.h, in the file that has WSHUB_IMPLEMENTATION, or define
 *          WSHUB_IO_FAKE_IMPLEMENTATION in a file of its own.
 * Threads  One for everything: the fake, its hub, the test.
 *
 * ---- how it is used ----
 *     wshub_io_fake *f; wshub *hub; wshub_conn c; wshub_io_fake_frame m;
 *     wshub_io_fake_create(NULL, &f);
 *     wshub_create(&(wshub_desc){ .io = wshub_io_fake_io(f), .on_authenticate = yes }, &hub);
 *     c = wshub_io_fake_connect(f, "/ws");
 *     wshub_io_fake_text(f, c, "{\"event\":\"authenticate\"}");
 *     wshub_io_fake_next(f, c, &m);              // m.payload: {"event":"connected",...}
 *     wshub_io_fake_advance(f, 90001 + 30000);   // nobody spoke: close 4002
 *     wshub_destroy(hub); wshub_io_fake_destroy(f);
 *
 * ---- the turn ----
 * Whatever a test does to a stream is reported at once and then settled, until nothing is left to
 * do at this moment of virtual time; so when a function of this file returns, its consequences are
 * there to be looked at. Three things put that off: hold gathers reports into one turn; stall lets
 * time pass over a process that does not run; and inside a callback of the hub the turn that is
 * under way goes on.
 *
 * ---- the states of a stream ----
 * OPEN, or first DIALLING (a guest waits for the test's answer), or UNTOLD (it came during a
 * stall). When its owner closes it with flush it is ENDING until its peer ends too, which it does
 * at once unless it is silent; SHUT when closed() is owed; GONE when that was told. It stays
 * readable then, until wshub_io_fake_forget(), so that a test can look at what was sent last. */
#ifndef WSHUB_IO_FAKE_H
#define WSHUB_IO_FAKE_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* One transport. Made by wshub_io_fake_create(), ended by wshub_io_fake_destroy(). */
typedef struct wshub_io_fake wshub_io_fake;

/* ---- making one ---- */

/* Of wshub_io_fake_desc and of every other struct of this header that a test fills or reads. */
#define WSHUB_IO_FAKE_DESC_VERSION 1

/* What a fake is like. Zero is the default of every field. Its size and version are passed
 * beside it by wshub_io_fake_create(). */
typedef struct wshub_io_fake_desc {
    uint64_t start_ms;   /* 1000; where the monotonic clock begins */
    uint64_t wall_ms;    /* 2026-01-31T09:30:00.000Z; where the calendar does, since 1970 */
    uint64_t seed;       /* 1; of the randomness that the hub gets */
    uint32_t cut_bytes;  /* whole; input arrives in pieces of so many bytes */
    uint32_t take_bytes; /* all; each send takes at most so many bytes */
    bool completion;     /* sends complete later, in pieces of take_bytes */
    bool no_pause;       /* leave wshub_io.pause NULL */
    bool no_wake;        /* leave wshub_io.wake NULL */
    bool no_heard;       /* leave wshub_io.heard_ms NULL */
    /* Called after every settle, as for wshub_self_check(). NULL: nothing is. */
    void (*on_step)(void *user);
    void *user; /* for on_step */
} wshub_io_fake_desc;

/* Makes a fake transport, without a stream.
 *   desc      borrowed; NULL: all defaults
 *   out_fake  given to you, end it with wshub_io_fake_destroy()
 * Returns  OK, NOMEM; PARAM: no out_fake, or a description of another header, of which nothing is
 *          read. */
WSHUB_INLINE wshub_err wshub_io_fake_create(const wshub_io_fake_desc *desc,
                                            wshub_io_fake **out_fake);

/* What it calls, as wshub_create_versioned() of wshub.h: with what the header that your program
 * includes says of the description.
 *   desc_bytes  sizeof(wshub_io_fake_desc)
 *   version     WSHUB_IO_FAKE_DESC_VERSION
 * Returns  as wshub_io_fake_create(). */
WSHUB_API wshub_err wshub_io_fake_create_versioned(const wshub_io_fake_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_fake **out_fake);

WSHUB_INLINE wshub_err wshub_io_fake_create(const wshub_io_fake_desc *desc,
                                            wshub_io_fake **out_fake) {
    return wshub_io_fake_create_versioned(desc, sizeof *desc, WSHUB_IO_FAKE_DESC_VERSION, out_fake);
}

/* Ends it, after its hub and its guests. NULL: nothing. */
WSHUB_API void wshub_io_fake_destroy(wshub_io_fake *f);

/* Returns the table for wshub_desc.io, valid as long as f. It serves one hub at a time, and at
 * most 8 guests. */
WSHUB_API const wshub_io *wshub_io_fake_io(wshub_io_fake *f);

/* ---- turns and time ---- */

/* Reports and settles until nothing is left to do now. Every function that does something to a
 * stream or to the clock calls it; a test does when it has called the hub directly. */
WSHUB_API void wshub_io_fake_run(wshub_io_fake *f);

/* Gathers reports into one turn: while held nothing settles, and letting go runs. */
WSHUB_API void wshub_io_fake_hold(wshub_io_fake *f, bool hold);

/* Turns the clock on by ms, stopping and running at every deadline on the way. While held,
 * stalled or inside a callback time just passes. */
WSHUB_API void wshub_io_fake_advance(wshub_io_fake *f, uint64_t ms);

/* Stalls the process, as a SIGSTOP or a slow callback does: what peers do lies unread, time
 * passes and nothing settles. Let go, the late turn begins, as a loop's does, by settling
 * before what lies there is reported; heard_ms() stays at the beginning of the stall until
 * then. */
WSHUB_API void wshub_io_fake_stall(wshub_io_fake *f, bool stalled);

/* Sets the monotonic clock to another time at once, as a suspend or a broken clock would, and
 * runs. */
WSHUB_API void wshub_io_fake_jump(wshub_io_fake *f, uint64_t now_ms);

/* Returns the monotonic clock. */
WSHUB_API uint64_t wshub_io_fake_now(const wshub_io_fake *f);

/* Returns when its owners want to settle next; WSHUB_NEVER: not before something happens. */
WSHUB_API uint64_t wshub_io_fake_deadline(const wshub_io_fake *f);

/* ---- what can go wrong ---- */

/* How a send can go wrong. What was not taken can be sent in the next turn, as when a window opens
 * again. */
typedef enum wshub_io_fake_fault_kind {
    WSHUB_IO_FAKE_TAKES_NONE, /* no byte */
    WSHUB_IO_FAKE_TAKES_ONE,  /* one */
    WSHUB_IO_FAKE_TAKES_HALF, /* half of them */
    WSHUB_IO_FAKE_TAKES_MOST, /* all but one */
    WSHUB_IO_FAKE_PENDS,      /* WSHUB_IO_PENDING, completed in the next turn */
    WSHUB_IO_FAKE_BREAKS,     /* the stream is broken: it takes everything, closed() follows */
    WSHUB_IO_FAKE_FAULTS      /* how many there are */
} wshub_io_fake_fault_kind;

/* Makes one call of wshub_io.send go wrong, in the way that `how` says.
 *   nth  which one from now: 1 is the next; 0: none */
WSHUB_API void wshub_io_fake_fault(wshub_io_fake *f, uint64_t nth, wshub_io_fake_fault_kind how);

/* Returns how often wshub_io.send was called so far. */
WSHUB_API uint64_t wshub_io_fake_sends(const wshub_io_fake *f);

/* Lets wshub_io.random fail from now on, or no longer. */
WSHUB_API void wshub_io_fake_set_random(wshub_io_fake *f, bool fails);

/* Changes cut_bytes and take_bytes of the description from now on; 0: whole, all. */
WSHUB_API void wshub_io_fake_set_cut(wshub_io_fake *f, uint32_t cut_bytes, uint32_t take_bytes);

/* ---- streams: this side is the peer. What names no stream is passed over ---- */

/* Opens a stream to the hub. Returns {0}: out of memory, or there is no hub. */
WSHUB_API wshub_conn wshub_io_fake_open(wshub_io_fake *f);

/* The peer sends bytes, borrowed. They wait while the owner pauses; behind an end they are
 * lost. */
WSHUB_API void wshub_io_fake_input(wshub_io_fake *f, wshub_conn c, const void *bytes, size_t count);

/* The peer goes away: closed(), behind what lies unread if the process is late. */
WSHUB_API void wshub_io_fake_end(wshub_io_fake *f, wshub_conn c);

/* The peer sends no more, and still takes what is sent: ended(), behind what lies unread. When
 * we have ended too: closed(). */
WSHUB_API void wshub_io_fake_half_close(wshub_io_fake *f, wshub_conn c);

/* Whether the peer leaves our end unanswered, from now on. At first it answers with its own at
 * once. */
WSHUB_API void wshub_io_fake_silent(wshub_io_fake *f, wshub_conn c, bool silent);

/* How many more bytes the peer takes from now on; UINT64_MAX, as at first: any number. */
WSHUB_API void wshub_io_fake_window(wshub_io_fake *f, wshub_conn c, uint64_t bytes);

/* Returns whether what the hub sends still arrives. */
WSHUB_API bool wshub_io_fake_is_open(const wshub_io_fake *f, wshub_conn c);

/* Returns whether closed() has been told, or nobody is left to tell. */
WSHUB_API bool wshub_io_fake_is_gone(const wshub_io_fake *f, wshub_conn c);

/* Returns what has been sent and not yet taken by take or next; terminated. A view, valid until
 * the next call on this stream. */
WSHUB_API wshub_str wshub_io_fake_output(const wshub_io_fake *f, wshub_conn c);

/* Takes count bytes of the output, or all if it is less. */
WSHUB_API void wshub_io_fake_take(wshub_io_fake *f, wshub_conn c, size_t count);

/* Lets go of a stream that is gone: its number is given to another. */
WSHUB_API void wshub_io_fake_forget(wshub_io_fake *f, wshub_conn c);

/* What wshub_io.about says of every stream that is opened from now on, as TLS would say it.
 * about: copied, but its texts and bytes are borrowed for as long as those streams are asked
 * about. NULL: a peer `fake` and no more, as at first. */
WSHUB_API void wshub_io_fake_set_about(wshub_io_fake *f, const wshub_about *about);

/* ---- streams that guests open: this side is whom they dial ---- */

/* Finds a stream that a guest wants to open and nobody has answered yet. out_address: where to;
 * a view, valid until it is answered; may be NULL. False: there is none. */
WSHUB_API bool wshub_io_fake_dialled(wshub_io_fake *f, wshub_conn *out_conn,
                                     const char **out_address);

/* Returns all that its guest asked for: the name, whether it is to be secure, how far it is
 * verified. A view, valid until it is answered. NULL: nobody dials on this stream. */
WSHUB_API const wshub_dial *wshub_io_fake_dial(const wshub_io_fake *f, wshub_conn c);

/* Answers it. ok: it is open, and this side is its peer; else it has failed. */
WSHUB_API void wshub_io_fake_answer(wshub_io_fake *f, wshub_conn c, bool ok);

/* ---- a WebSocket on top ---- */

/* A frame that the hub sent. */
typedef struct wshub_io_fake_frame {
    uint8_t opcode;    /* 1 text, 2 binary, 8 close, 9 ping, 10 pong */
    wshub_str payload; /* a view, valid until the next call on this stream */
    uint16_t code;     /* of a close; 0: none in it */
    wshub_str reason;  /* of a close; a view as payload is */
} wshub_io_fake_frame;

/* Opens a stream, upgrades it on path and takes the answer. Returns {0}: refused. */
WSHUB_API wshub_conn wshub_io_fake_connect(wshub_io_fake *f, const char *path);

/* Sends a text message in one frame. */
WSHUB_API void wshub_io_fake_text(wshub_io_fake *f, wshub_conn c, const char *text);

/* Sends a frame, masked, of any kind: also one that breaks the rules.
 *   opcode  0..15
 *   fin     it is the last of its message
 *   bytes   its payload, count of them; borrowed */
WSHUB_API void wshub_io_fake_send(wshub_io_fake *f, wshub_conn c, uint8_t opcode, bool fin,
                                  const void *bytes, size_t count);

/* Sends a Close. code 0: an empty one. reason: NULL: none; cut to 123 bytes. */
WSHUB_API void wshub_io_fake_send_close(wshub_io_fake *f, wshub_conn c, uint16_t code,
                                        const char *reason);

/* Takes the next frame that the hub has sent, into *out_frame. False: no whole frame is there. */
WSHUB_API bool wshub_io_fake_next(wshub_io_fake *f, wshub_conn c, wshub_io_fake_frame *out_frame);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_FAKE_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_FAKE_IMPLEMENTATION)) &&                    \
    !defined(WSHUB__IO_FAKE_DONE)
#define WSHUB__IO_FAKE_DONE
#include <stdlib.h>
#ifndef WSHUB_ASSERT /* of its own .c file, without the implementation of wshub.h */
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

enum {
    WSHUB_IO_FAKE__GUESTS = 8,
    WSHUB_IO_FAKE__NOBODY = 255, /* as peer.guest: the owner has left */
    WSHUB_IO_FAKE__SETTLES = 16, /* in a row, at one moment */
    WSHUB_IO_FAKE__TEXT = 1,     /* opcodes (RFC 6455 5.2) */
    WSHUB_IO_FAKE__CLOSE = 8
};

/* What a stream is; see the top of this file. */
typedef enum wshub_io_fake__state {
    WSHUB_IO_FAKE__FREE,     /* no stream */
    WSHUB_IO_FAKE__UNTOLD,   /* opened() is owed */
    WSHUB_IO_FAKE__DIALLING, /* the test has not yet answered */
    WSHUB_IO_FAKE__OPEN,
    WSHUB_IO_FAKE__ENDING, /* our end is out; what the peer says is thrown away */
    WSHUB_IO_FAKE__SHUT,   /* closed() is owed */
    WSHUB_IO_FAKE__GONE    /* closed() was told, or nobody is left to tell */
} wshub_io_fake__state;

typedef struct wshub_io_fake__bytes {
    uint8_t *ptr;
    size_t at, len, cap; /* at: taken so far */
} wshub_io_fake__bytes;

typedef struct wshub_io_fake__peer {
    uint64_t id;                  /* 0: free */
    wshub_io_fake__state state;   /* written by wshub_io_fake__to() alone */
    wshub_io_fake__bytes out;     /* what was sent to it */
    wshub_io_fake__bytes in;      /* what it has said and the owner has not yet got */
    uint64_t window;              /* how many bytes it still takes */
    uint8_t guest;                /* whose. 0: the owner's; i + 1: guest i's; or NOBODY */
    bool listed;                  /* among those with something to report */
    bool paused;                  /* the owner wants no bytes now */
    bool blocked;                 /* a send was short: drained() is owed */
    bool half;                    /* it sends no more */
    bool half_told;               /* and the owner knows */
    bool left;                    /* it goes away, behind what lies unread */
    bool silent;                  /* it does not answer our end */
    bool in_flight;               /* a send pends: */
    wshub_span *spans;            /* its spans, */
    size_t spans_count;           /* */
    uint64_t flight_bytes, flown; /* how long they are, and what has been reported of them */
    wshub_about about;            /* what about() says */
    wshub_dial dial;              /* DIALLING: what was asked for */
    char *texts;                  /* of both */
} wshub_io_fake__peer;

struct wshub_io_fake {
    wshub_io_fake_desc desc;
    wshub_io io;
    wshub_io_owner owner;
    wshub_io_owner guests[WSHUB_IO_FAKE__GUESTS]; /* one without settle: none */
    uint32_t guests_count;
    bool owned;   /* there is an owner */
    bool hold;    /* reports are gathered */
    bool running; /* a run is under way, and we are inside a callback of it */
    bool awake;   /* something may have to be reported */
    bool stalled; /* the process does not run */
    bool late;    /* what came during a stall has not yet been reported; until then: */
    uint64_t heard;
    uint64_t now, wall;
    uint64_t next;          /* when an owner wants to settle at the latest */
    uint64_t random, masks; /* where both sequences are */
    bool random_fails;
    uint64_t sends, fault_in; /* fault_in: which send from now goes wrong; 0: none */
    wshub_io_fake_fault_kind fault;
    wshub_about about; /* of what is opened from now on */

    wshub_io_fake__peer *peers;
    uint32_t count, cap, generation;
    uint32_t *free_list; /* places in peers */
    uint32_t free_count;
    uint32_t *todo; /* peers with something to report, those of this round and of the next */
    uint32_t todo_count;
};

/* ---- streams: who they are, and the one door to their state ---- */

/* Adds bytes, terminated behind the last one. False: out of memory. */
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

static wshub_io_fake__peer *wshub_io_fake__get(const wshub_io_fake *f, wshub_conn c) {
    uint32_t i = (uint32_t)c.id;
    return i < f->count && f->peers[i].id == c.id && c.id ? &f->peers[i] : NULL;
}

/* Whom a stream's reports go to. NULL: nobody. */
static const wshub_io_owner *wshub_io_fake__whose(const wshub_io_fake *f,
                                                  const wshub_io_fake__peer *p) {
    if (!p->guest) return f->owned ? &f->owner : NULL;
    return p->guest == WSHUB_IO_FAKE__NOBODY ? NULL : &f->guests[p->guest - 1];
}

/* There is something to report of it, perhaps. */
static void wshub_io_fake__list(wshub_io_fake *f, wshub_io_fake__peer *p) {
    f->awake = true;
    if (p->listed) return;
    WSHUB_ASSERT(f->todo_count < 2 * f->cap);
    p->listed = true;
    f->todo[f->todo_count++] = (uint32_t)p->id;
}

/* The one door: changes a stream's state. */
static void wshub_io_fake__to(wshub_io_fake__peer *p, wshub_io_fake__state to) {
#define WSHUB_IO_FAKE__BIT(state) (1u << WSHUB_IO_FAKE__##state)
    static const unsigned follows[] = {
        /* FREE */ WSHUB_IO_FAKE__BIT(UNTOLD) | WSHUB_IO_FAKE__BIT(DIALLING) |
            WSHUB_IO_FAKE__BIT(OPEN),
        /* UNTOLD */ WSHUB_IO_FAKE__BIT(OPEN) | WSHUB_IO_FAKE__BIT(GONE),
        /* DIALLING */ WSHUB_IO_FAKE__BIT(OPEN) | WSHUB_IO_FAKE__BIT(SHUT) |
            WSHUB_IO_FAKE__BIT(GONE),
        /* OPEN */ WSHUB_IO_FAKE__BIT(ENDING) | WSHUB_IO_FAKE__BIT(SHUT) | WSHUB_IO_FAKE__BIT(GONE),
        /* ENDING */ WSHUB_IO_FAKE__BIT(SHUT) | WSHUB_IO_FAKE__BIT(GONE),
        /* SHUT */ WSHUB_IO_FAKE__BIT(GONE),
        /* GONE */ WSHUB_IO_FAKE__BIT(FREE)};
#undef WSHUB_IO_FAKE__BIT
    WSHUB_ASSERT(p->id);
    WSHUB_ASSERT(follows[p->state] >> to & 1u);
    p->state = to;
    if (to == WSHUB_IO_FAKE__ENDING || to == WSHUB_IO_FAKE__SHUT) p->paused = p->blocked = false;
    if (to == WSHUB_IO_FAKE__GONE) p->in_flight = false;
}

/* Makes room for one more stream. False: out of memory; what has grown stays so. */
static bool wshub_io_fake__grow(wshub_io_fake *f) {
    uint32_t cap = f->cap ? f->cap * 2 : 16;
    wshub_io_fake__peer *peers;
    uint32_t *list;
    if (f->count < f->cap) return true;

    peers = (wshub_io_fake__peer *)realloc(f->peers, cap * sizeof *peers);
    if (!peers) return false;
    f->peers = peers;
    list = (uint32_t *)realloc(f->free_list, cap * sizeof *list);
    if (!list) return false;
    f->free_list = list;
    list = (uint32_t *)realloc(f->todo, 2 * cap * sizeof *list);
    if (!list) return false;
    f->todo = list;
    f->cap = cap;
    return true;
}

/* A new stream, in one of the states that a stream begins in, and not yet reported. NULL: out of
 * memory. */
static wshub_io_fake__peer *wshub_io_fake__new(wshub_io_fake *f, wshub_io_fake__state state) {
    wshub_io_fake__peer *p;
    bool listed = false;
    if (f->free_count) {
        p = &f->peers[f->free_list[--f->free_count]];
        listed = p->listed; /* a round may still lead through it */
    } else {
        if (!wshub_io_fake__grow(f)) return NULL;
        p = &f->peers[f->count++];
    }

    memset(p, 0, sizeof *p);
    p->listed = listed;
    p->id = (uint64_t)++f->generation << 32 | (uint64_t)(p - f->peers);
    p->window = UINT64_MAX;
    p->about = f->about;
    wshub_io_fake__to(p, state);
    return p;
}

static void wshub_io_fake__free(wshub_io_fake__peer *p) {
    free(p->out.ptr);
    free(p->in.ptr);
    free(p->spans);
    free(p->texts);
}

/* ---- the table: owners ---- */

/* Nobody is left to tell what becomes of their streams. */
static void wshub_io_fake__disown(wshub_io_fake *f, uint8_t guest) {
    uint32_t i;
    for (i = 0; i < f->count; i++) {
        wshub_io_fake__peer *p = &f->peers[i];
        if (!p->id || p->guest != guest) continue;
        if (p->state != WSHUB_IO_FAKE__GONE) wshub_io_fake__to(p, WSHUB_IO_FAKE__GONE);
        p->guest = WSHUB_IO_FAKE__NOBODY;
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

/* The place of a guest (is_there), or a free one. -1: there is none. */
static int wshub_io_fake__guest_place(const wshub_io_fake *f, bool is_there,
                                      const void *guest_ctx) {
    int i;
    for (i = 0; i < WSHUB_IO_FAKE__GUESTS; i++) {
        bool taken = f->guests[i].settle != NULL;
        if (is_there ? taken && f->guests[i].ctx == guest_ctx : !taken) return i;
    }
    return -1;
}

static wshub_err wshub_io_fake__guest(void *ctx, const wshub_io_owner *owner, bool on) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    int place = wshub_io_fake__guest_place(f, !on, owner->ctx);
    if (place < 0) return on ? WSHUB_ERR_LIMIT : WSHUB_OK;
    if (on) {
        f->guests[place] = *owner;
        f->guests_count++;
        f->next = 0;
        return WSHUB_OK;
    }

    WSHUB_ASSERT(f->guests_count);
    memset(&f->guests[place], 0, sizeof f->guests[place]);
    f->guests_count--;
    wshub_io_fake__disown(f, (uint8_t)(place + 1));
    return WSHUB_OK;
}

/* ---- the table: orders about a stream ---- */

/* A send that completes later: its spans are read then, since the owner has promised that they lie
 * where they are. */
static int64_t wshub_io_fake__send_later(wshub_io_fake *f, wshub_io_fake__peer *p,
                                         const wshub_span *spans, size_t count, uint64_t total) {
    wshub_span *kept = (wshub_span *)realloc(p->spans, (count ? count : 1) * sizeof *spans);
    WSHUB_ASSERT(!p->in_flight);
    if (!kept) return 0;
    p->spans = kept;
    memcpy(p->spans, spans, count * sizeof *spans);
    p->spans_count = count;
    p->in_flight = true;
    p->flight_bytes = total;
    p->flown = 0;
    wshub_io_fake__list(f, p);
    return WSHUB_IO_PENDING;
}

/* How many of so many bytes a send takes, by window, take_bytes and fault. */
static uint64_t wshub_io_fake__room(const wshub_io_fake *f, const wshub_io_fake__peer *p,
                                    uint64_t total, bool faulty) {
    uint64_t room = total < p->window ? total : p->window, most = room;
    if (f->desc.take_bytes && room > f->desc.take_bytes) room = f->desc.take_bytes;
    if (!faulty) return room;

    if (f->fault == WSHUB_IO_FAKE_TAKES_NONE) most = 0;
    if (f->fault == WSHUB_IO_FAKE_TAKES_ONE) most = 1;
    if (f->fault == WSHUB_IO_FAKE_TAKES_HALF) most = total / 2;
    if (f->fault == WSHUB_IO_FAKE_TAKES_MOST) most = total - 1;
    return room < most ? room : most;
}

static void wshub_io_fake__use_window(wshub_io_fake__peer *p, uint64_t bytes) {
    WSHUB_ASSERT(bytes <= p->window);
    if (p->window != UINT64_MAX) p->window -= bytes;
}

/* Bytes of spans reach the peer: so many, from `skip` on. */
static void wshub_io_fake__arrive(wshub_io_fake__peer *p, const wshub_span *spans, size_t count,
                                  uint64_t skip, uint64_t bytes) {
    size_t i;
    for (i = 0; i < count && bytes; i++) {
        uint64_t from = skip < spans[i].len ? skip : spans[i].len, take = spans[i].len - from;
        skip -= from;
        if (take > bytes) take = bytes;
        if (take) (void)wshub_io_fake__add(&p->out, spans[i].ptr + from, (size_t)take);
        bytes -= take;
    }
}

static int64_t wshub_io_fake__send(void *ctx, wshub_conn c, const wshub_span *spans, size_t count) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    bool faulty = f->fault_in && --f->fault_in == 0;
    uint64_t total = 0, room;
    size_t i;
    f->sends++;
    for (i = 0; i < count; i++) total += spans[i].len;
    if (!p || p->state != WSHUB_IO_FAKE__OPEN) return (int64_t)total;

    if (faulty && f->fault == WSHUB_IO_FAKE_BREAKS) {
        wshub_io_fake__to(p, WSHUB_IO_FAKE__SHUT);
        wshub_io_fake__list(f, p);
        return (int64_t)total;
    }
    if (f->desc.completion || (faulty && f->fault == WSHUB_IO_FAKE_PENDS))
        return wshub_io_fake__send_later(f, p, spans, count, total);

    room = wshub_io_fake__room(f, p, total, faulty);
    wshub_io_fake__use_window(p, room);
    wshub_io_fake__arrive(p, spans, count, 0, room);
    if (room < total) {
        p->blocked = true;
        wshub_io_fake__list(f, p);
    }
    return (int64_t)room;
}

/* Behind our end the peer's is waited for, unless it has come already or comes at once. */
static void wshub_io_fake__close(void *ctx, wshub_conn c, bool flush) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    if (!p || p->state == WSHUB_IO_FAKE__GONE || p->state == WSHUB_IO_FAKE__SHUT) return;
    if (!flush || p->state == WSHUB_IO_FAKE__DIALLING || p->half || !p->silent)
        wshub_io_fake__to(p, WSHUB_IO_FAKE__SHUT);
    else if (p->state == WSHUB_IO_FAKE__OPEN)
        wshub_io_fake__to(p, WSHUB_IO_FAKE__ENDING);
    wshub_io_fake__list(f, p);
}

static void wshub_io_fake__pause(void *ctx, wshub_conn c, bool paused) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    if (!p || p->state != WSHUB_IO_FAKE__OPEN) return;
    p->paused = paused;
    wshub_io_fake__list(f, p);
}

static bool wshub_io_fake__about(void *ctx, wshub_conn c, wshub_about *out_about) {
    const wshub_io_fake__peer *p = wshub_io_fake__get((wshub_io_fake *)ctx, c);
    memset(out_about, 0, sizeof *out_about);
    if (!p) return false;
    *out_about = p->about;
    return true;
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
    int guest = wshub_io_fake__guest_place(f, true, guest_ctx);
    wshub_io_fake__peer *p;
    char *texts;
    size_t n;
    if (guest < 0 || !dial->address || !*dial->address) return WSHUB_ERR_PARAM;

    n = strlen(dial->address) + 1 + (dial->server_name ? strlen(dial->server_name) + 1 : 0);
    texts = (char *)malloc(n);
    p = texts ? wshub_io_fake__new(f, WSHUB_IO_FAKE__DIALLING) : NULL;
    if (!p) {
        free(texts);
        return WSHUB_ERR_NOMEM;
    }
    wshub_io_fake__dial_keep(p, dial, texts);
    p->guest = (uint8_t)(guest + 1);
    out_conn->id = p->id;
    return WSHUB_OK;
}

static const char *wshub_io_fake__error(void *ctx) {
    (void)ctx;
    return "cannot connect: the test says no";
}

/* ---- the table: clocks and randomness ---- */

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

/* splitmix64: repeatable, which is what a test wants. */
static bool wshub_io_fake__random(void *ctx, uint8_t *bytes, size_t count) {
    wshub_io_fake *f = (wshub_io_fake *)ctx;
    size_t i;
    if (f->random_fails) return false;
    for (i = 0; i < count; i++) {
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

/* ---- the turn ---- */

/* Settles all owners once, guests first. Returns when the first of them wants to again. */
static uint64_t wshub_io_fake__settle_owners(wshub_io_fake *f) {
    uint64_t next = WSHUB_NEVER, at;
    int i;
    for (i = 0; i < WSHUB_IO_FAKE__GUESTS && f->guests_count; i++) {
        if (!f->guests[i].settle) continue;
        at = f->guests[i].settle(f->guests[i].ctx);
        if (at < next) next = at;
    }
    if (f->owned) {
        at = f->owner.settle(f->owner.ctx);
        if (at < next) next = at;
    }
    return next;
}

/* Settles, and once more for what is due by then, which need not be the same: a few times, since a
 * timer of nought that starts itself is always due. */
static void wshub_io_fake__settle(wshub_io_fake *f) {
    int i;
    for (i = 0; (f->owned || f->guests_count) && i < WSHUB_IO_FAKE__SETTLES; i++) {
        f->next = wshub_io_fake__settle_owners(f);
        if (f->desc.on_step) f->desc.on_step(f->desc.user);
        if (f->next > f->now || f->late) break;
    }
}

/* Reports bytes, in pieces of cut_bytes, each in memory of its own, so that a reader beyond its
 * end is caught. A report may pause the stream, close it and end its owner. */
static void wshub_io_fake__deliver(wshub_io_fake *f, wshub_conn c, const uint8_t *bytes, size_t n) {
    size_t step = f->desc.cut_bytes ? f->desc.cut_bytes : n, at = 0;
    while (at < n) {
        wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
        const wshub_io_owner *o = p ? wshub_io_fake__whose(f, p) : NULL;
        size_t k = n - at < step ? n - at : step;
        uint8_t *copy;
        if (!o || p->state != WSHUB_IO_FAKE__OPEN) return;
        if (p->paused) {
            (void)wshub_io_fake__add(&p->in, bytes + at, n - at);
            return;
        }

        copy = (uint8_t *)malloc(k);
        if (!copy) return;
        memcpy(copy, bytes + at, k);
        o->received(o->ctx, c, copy, k);
        free(copy);
        at += k;
        if (!f->hold && !f->late && at < n) wshub_io_fake__settle(f);
    }
}

/* What was pending has left, or a part of it. */
static void wshub_io_fake__report_sent(wshub_io_fake *f, wshub_io_fake__peer *p,
                                       const wshub_io_owner *o) {
    wshub_conn c = {p->id};
    uint64_t n = p->flight_bytes - p->flown;
    WSHUB_ASSERT(p->flown <= p->flight_bytes);
    if (f->desc.take_bytes && n > f->desc.take_bytes) n = f->desc.take_bytes;
    if (n > p->window) n = p->window;

    wshub_io_fake__use_window(p, n);
    wshub_io_fake__arrive(p, p->spans, p->spans_count, p->flown, n);
    p->flown += n;
    if (p->flown == p->flight_bytes) p->in_flight = false;
    o->sent(o->ctx, c, (size_t)n);
}

/* What it said while it was paused or the process late. */
static void wshub_io_fake__report_input(wshub_io_fake *f, wshub_io_fake__peer *p) {
    wshub_conn c = {p->id};
    wshub_io_fake__bytes in = p->in;
    memset(&p->in, 0, sizeof p->in);
    wshub_io_fake__deliver(f, c, in.ptr + in.at, in.len - in.at);
    free(in.ptr);
}

/* The peer sends no more. For an owner that does not want to know, that is all. */
static void wshub_io_fake__report_ended(wshub_io_fake__peer *p, const wshub_io_owner *o) {
    wshub_conn c = {p->id};
    p->half_told = true;
    if (o->ended)
        o->ended(o->ctx, c);
    else
        wshub_io_fake__to(p, WSHUB_IO_FAKE__SHUT);
}

/* Reports one thing of what has become of a stream while it is open. False: there is nothing. */
static bool wshub_io_fake__report_open(wshub_io_fake *f, wshub_io_fake__peer *p,
                                       const wshub_io_owner *o) {
    wshub_conn c = {p->id};
    if (p->blocked && p->window) {
        p->blocked = false;
        o->drained(o->ctx, c);
    } else if (!p->paused && p->in.len > p->in.at) {
        wshub_io_fake__report_input(f, p);
    } else if (p->left) {
        wshub_io_fake__to(p, WSHUB_IO_FAKE__SHUT);
    } else if (p->half && !p->half_told && !p->paused) {
        wshub_io_fake__report_ended(p, o);
    } else {
        return false;
    }
    return true;
}

/* Reports one thing of what has become of a stream. False: there is nothing. */
static bool wshub_io_fake__report(wshub_io_fake *f, wshub_io_fake__peer *p) {
    wshub_conn c = {p->id};
    const wshub_io_owner *o = wshub_io_fake__whose(f, p);
    if (!o) return false;
    if (p->in_flight && p->window) {
        wshub_io_fake__report_sent(f, p, o);
        return true;
    }

    switch (p->state) {
    case WSHUB_IO_FAKE__FREE:
    case WSHUB_IO_FAKE__DIALLING:
    case WSHUB_IO_FAKE__GONE: return false;
    case WSHUB_IO_FAKE__UNTOLD:
        wshub_io_fake__to(p, WSHUB_IO_FAKE__OPEN);
        o->opened(o->ctx, c);
        return true;
    case WSHUB_IO_FAKE__OPEN: return wshub_io_fake__report_open(f, p, o);
    case WSHUB_IO_FAKE__ENDING:
        if (!p->half && !p->left && p->silent) return false;
        wshub_io_fake__to(p, WSHUB_IO_FAKE__SHUT); /* both sides have ended */
        return true;
    case WSHUB_IO_FAKE__SHUT:
        wshub_io_fake__to(p, WSHUB_IO_FAKE__GONE);
        o->closed(o->ctx, c);
        return true;
    }
    return false;
}

/* Reports one thing of each who is listed; those listed meanwhile have their turn in the next
 * round. False: there was nothing. */
static bool wshub_io_fake__round(wshub_io_fake *f) {
    uint32_t i, count = f->todo_count;
    bool more = false;
    for (i = 0; i < count; i++) {
        uint32_t at = f->todo[i];
        f->peers[at].listed = false;
        if (!f->peers[at].id || !wshub_io_fake__report(f, &f->peers[at])) continue;
        more = true;
        if (f->peers[at].id) wshub_io_fake__list(f, &f->peers[at]); /* look again */
    }

    WSHUB_ASSERT(f->todo_count >= count);
    if (count) memmove(f->todo, f->todo + count, (f->todo_count - count) * sizeof *f->todo);
    f->todo_count -= count;
    return more;
}

WSHUB_API void wshub_io_fake_run(wshub_io_fake *f) {
    bool more = true;
    if (f->hold || f->running || f->stalled) return;
    f->running = true;
    while (more && (f->owned || f->guests_count)) {
        f->awake = false;
        wshub_io_fake__settle(f);
        more = wshub_io_fake__round(f);
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

static void wshub_io_fake__pass(wshub_io_fake *f, uint64_t until) {
    f->wall += until - f->now;
    f->now = until;
}

WSHUB_API void wshub_io_fake_advance(wshub_io_fake *f, uint64_t ms) {
    uint64_t until = f->now + ms;
    wshub_io_fake_run(f);
    while ((f->owned || f->guests_count) && f->next <= until && f->now < until && !f->stalled &&
           !f->hold && !f->running) {
        wshub_io_fake__pass(f, f->next > f->now ? f->next : f->now + 1); /* "soon": time passes */
        wshub_io_fake_run(f);
    }
    if (until > f->now) wshub_io_fake__pass(f, until);
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

/* ---- making and ending one ---- */

WSHUB_API void wshub_io_fake_set_about(wshub_io_fake *f, const wshub_about *about) {
    memset(&f->about, 0, sizeof f->about);
    if (about)
        f->about = *about;
    else
        f->about.peer = wshub_str_z("fake");
}

static void wshub_io_fake__table(wshub_io_fake *f) {
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
    wshub_io_fake__table(f);
    *out_fake = f;
    return WSHUB_OK;
}

WSHUB_API void wshub_io_fake_destroy(wshub_io_fake *f) {
    uint32_t i;
    if (!f) return;
    for (i = 0; i < f->count; i++) wshub_io_fake__free(&f->peers[i]);
    free(f->peers);
    free(f->free_list);
    free(f->todo);
    free(f);
}

WSHUB_API const wshub_io *wshub_io_fake_io(wshub_io_fake *f) {
    return &f->io;
}

/* ---- what peers do ---- */

WSHUB_API wshub_conn wshub_io_fake_open(wshub_io_fake *f) {
    wshub_io_fake__peer *p;
    wshub_conn c = {0};
    if (!f->owned) return c;
    p = wshub_io_fake__new(f, f->late ? WSHUB_IO_FAKE__UNTOLD : WSHUB_IO_FAKE__OPEN);
    if (!p) return c;

    c.id = p->id;
    if (f->late)
        wshub_io_fake__list(f, p);
    else
        f->owner.opened(f->owner.ctx, c);
    wshub_io_fake_run(f);
    return c;
}

WSHUB_API bool wshub_io_fake_dialled(wshub_io_fake *f, wshub_conn *out_conn,
                                     const char **out_address) {
    uint32_t i;
    for (i = 0; i < f->count; i++) {
        const wshub_io_fake__peer *p = &f->peers[i];
        if (!p->id || p->state != WSHUB_IO_FAKE__DIALLING) continue;
        out_conn->id = p->id;
        if (out_address) *out_address = p->dial.address;
        return true;
    }
    return false;
}

WSHUB_API const wshub_dial *wshub_io_fake_dial(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    return p && p->state == WSHUB_IO_FAKE__DIALLING ? &p->dial : NULL;
}

WSHUB_API void wshub_io_fake_answer(wshub_io_fake *f, wshub_conn c, bool ok) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    const wshub_io_owner *o;
    if (!p || p->state != WSHUB_IO_FAKE__DIALLING) return;
    if (!ok) {
        wshub_io_fake_end(f, c);
        return;
    }
    o = wshub_io_fake__whose(f, p);
    WSHUB_ASSERT(o); /* who leaves takes what it dials along */
    wshub_io_fake__to(p, WSHUB_IO_FAKE__OPEN);
    o->opened(o->ctx, c);
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_forget(wshub_io_fake *f, wshub_conn c) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    bool listed;
    if (!p || p->state != WSHUB_IO_FAKE__GONE) return;
    wshub_io_fake__to(p, WSHUB_IO_FAKE__FREE);
    wshub_io_fake__free(p);
    listed = p->listed; /* a round may still lead through it */
    memset(p, 0, sizeof *p);
    p->listed = listed;
    f->free_list[f->free_count++] = (uint32_t)c.id;
}

WSHUB_API void wshub_io_fake_input(wshub_io_fake *f, wshub_conn c, const void *bytes,
                                   size_t count) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    if (!p || p->half || p->left || !count) return;
    if (p->state != WSHUB_IO_FAKE__OPEN && p->state != WSHUB_IO_FAKE__UNTOLD) return;
    if (p->in.len > p->in.at || f->late) { /* behind what waits */
        (void)wshub_io_fake__add(&p->in, bytes, count);
        wshub_io_fake__list(f, p);
    } else {
        wshub_io_fake__deliver(f, c, (const uint8_t *)bytes, count);
    }
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_end(wshub_io_fake *f, wshub_conn c) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    const wshub_io_owner *o;
    if (!p || p->state == WSHUB_IO_FAKE__GONE) return;
    o = wshub_io_fake__whose(f, p);
    if (f->late) {
        p->left = true;
        if (p->state == WSHUB_IO_FAKE__DIALLING) wshub_io_fake__to(p, WSHUB_IO_FAKE__SHUT);
        wshub_io_fake__list(f, p);
    } else {
        wshub_io_fake__to(p, WSHUB_IO_FAKE__GONE);
        if (o) o->closed(o->ctx, c);
    }
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_half_close(wshub_io_fake *f, wshub_conn c) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    if (!p || p->state == WSHUB_IO_FAKE__DIALLING || p->state >= WSHUB_IO_FAKE__SHUT) return;
    p->half = true;
    wshub_io_fake__list(f, p);
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_silent(wshub_io_fake *f, wshub_conn c, bool silent) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    if (!p || p->state == WSHUB_IO_FAKE__GONE) return;
    p->silent = silent;
    wshub_io_fake__list(f, p);
    wshub_io_fake_run(f);
}

WSHUB_API void wshub_io_fake_window(wshub_io_fake *f, wshub_conn c, uint64_t bytes) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    if (!p) return;
    p->window = bytes;
    wshub_io_fake__list(f, p); /* told in the run that follows */
    wshub_io_fake_run(f);
}

WSHUB_API bool wshub_io_fake_is_open(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    return p && p->state < WSHUB_IO_FAKE__ENDING && !p->left;
}

WSHUB_API bool wshub_io_fake_is_gone(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    return !p || p->state == WSHUB_IO_FAKE__GONE;
}

WSHUB_API wshub_str wshub_io_fake_output(const wshub_io_fake *f, wshub_conn c) {
    const wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    wshub_str s;
    s.ptr = p && p->out.ptr ? (const char *)p->out.ptr + p->out.at : "";
    s.len = p ? p->out.len - p->out.at : 0;
    return s;
}

WSHUB_API void wshub_io_fake_take(wshub_io_fake *f, wshub_conn c, size_t count) {
    wshub_io_fake__peer *p = wshub_io_fake__get(f, c);
    if (p) p->out.at += count < p->out.len - p->out.at ? count : p->out.len - p->out.at;
}

/* ---- a WebSocket on top ---- */

/* Sends the shortest upgrade that there is. False: out of memory. */
static bool wshub_io_fake__upgrade(wshub_io_fake *f, wshub_conn c, const char *path) {
    static const char tail[] =
        " HTTP/1.1\r\nHost: fake\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    size_t n = strlen(path), len = 4 + n + sizeof tail - 1;
    char *text = (char *)malloc(len);
    if (!text) return false;
    memcpy(text, "GET ", 4);
    memcpy(text + 4, path, n);
    memcpy(text + 4 + n, tail, sizeof tail - 1);
    wshub_io_fake_input(f, c, text, len);
    free(text);
    return true;
}

WSHUB_API wshub_conn wshub_io_fake_connect(wshub_io_fake *f, const char *path) {
    static const char switching[] = "HTTP/1.1 101";
    wshub_conn c = wshub_io_fake_open(f), none = {0};
    wshub_str out;
    size_t end = 0;
    if (!c.id || !wshub_io_fake__upgrade(f, c, path)) return none;

    out = wshub_io_fake_output(f, c);
    if (out.len < sizeof switching || memcmp(out.ptr, switching, sizeof switching - 1) != 0)
        return none;
    while (end + 4 <= out.len && memcmp(out.ptr + end, "\r\n\r\n", 4) != 0) end++;
    if (end + 4 > out.len) return none;
    wshub_io_fake_take(f, c, end + 4);
    return c;
}

WSHUB_API void wshub_io_fake_send(wshub_io_fake *f, wshub_conn c, uint8_t opcode, bool fin,
                                  const void *bytes, size_t count) {
    wshub_frame h;
    uint8_t *text = (uint8_t *)malloc(count + 14); /* the longest head */
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
    wshub_io_fake_send(f, c, WSHUB_IO_FAKE__TEXT, true, text, strlen(text));
}

WSHUB_API void wshub_io_fake_send_close(wshub_io_fake *f, wshub_conn c, uint16_t code,
                                        const char *reason) {
    uint8_t payload[2 + WSHUB_CLOSE_REASON_MAX];
    size_t n = reason ? strlen(reason) : 0;
    if (n > WSHUB_CLOSE_REASON_MAX) n = WSHUB_CLOSE_REASON_MAX;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (n) memcpy(payload + 2, reason, n);
    wshub_io_fake_send(f, c, WSHUB_IO_FAKE__CLOSE, true, payload, code ? n + 2 : 0);
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
    if (h.opcode == WSHUB_IO_FAKE__CLOSE && h.payload_bytes >= 2) {
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
