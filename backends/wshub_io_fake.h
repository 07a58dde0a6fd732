/* wshub_io_fake.h - a transport without a network, and a clock turned by hand: for unit tests
 *
 * [x] scripted streams: bytes in, bytes out, the peer's end, HTTP and WebSocket
 * [x] input cut into pieces, output taken in pieces, a window that closes (a peer that does not
 *     read)
 * [x] half-closes either way; peers that keep silent on our end, or answer pings as browsers do
 * [x] virtual time: advancing goes from deadline to deadline, nothing sleeps; a process that is
 *     late
 * [x] guests and their outgoing streams, answered or refused by the test; TLS that is begun on one
 *     is answered like another dial, and its bytes are the owner's own
 * [x] what is known about a stream, TLS and certificates included, as the test says
 * [x] log lines are kept, to be looked at
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
 *     wshub_io_fake_pongs(f, c, true);           // it is there: its pings are answered
 *     wshub_io_fake_advance(f, 90001 + 30000);   // but its page says nothing (LIVE-1)
 *     wshub_io_fake_next(f, c, &m);              // m.opcode 8, m.code 4002
 *     wshub_destroy(hub); wshub_io_fake_destroy(f);
 *
 * ---- the turn ----
 * Whatever a test does to a stream is reported at once and then settled, until nothing is left to
 * do at this moment of virtual time; so when a function of this file returns, its consequences are
 * there to be looked at. Three things put that off: hold gathers reports into one turn; stall lets
 * time pass over a process that does not run; and inside a callback of the hub the turn that is
 * under way goes on.
 *
 * ---- who answers pings ----
 * A peer says what the test lets it say, and nothing else. So a hub whose clock is turned on by
 * more than idle_timeout_ms (60 s) drops it without a Close, as it drops a machine that lost its
 * power (LIVE-2). A test of what happens to a client that is there, only quiet, lets it answer
 * pings: wshub_io_fake_pongs().
 *
 * ---- the states of a stream ----
 * OPEN, or first DIALLING (a guest waits for the test's answer, and once more where it has TLS
 * begin), or UNTOLD (it came during a stall). When its owner closes it with flush it is ENDING
 * until its peer ends too, which it does at once unless it is silent; SHUT when closed() is owed;
 * GONE when that was told. It stays readable then, until wshub_io_fake_forget(), so that a test can
 * look at what was sent last. */
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
    uint64_t start_ms;         /* 1000; where the monotonic clock begins */
    uint64_t wall_ms;          /* 2026-01-31T09:30:00.000Z; where the calendar does, since 1970 */
    uint64_t seed;             /* 1; of the randomness that the hub gets */
    uint32_t cut_bytes;        /* whole; input arrives in pieces of so many bytes */
    uint32_t take_bytes;       /* all; each send takes at most so many bytes */
    bool completion;           /* sends complete later, in pieces of take_bytes */
    bool no_pause;             /* leave wshub_io.pause NULL */
    bool no_wake;              /* leave wshub_io.wake NULL */
    bool no_heard;             /* leave wshub_io.heard_ms NULL */
    bool no_log;               /* leave wshub_io.log NULL */
    bool no_secure;            /* leave wshub_io.secure NULL */
    wshub_log_level log_level; /* 0: as the hub's description says; wshub_io.log_level */
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
/* The same with a wall clock that is fast or slow: it goes on by wall_ms meanwhile, evenly. Both
 * below 2^32. */
WSHUB_API void wshub_io_fake_advance_apart(wshub_io_fake *f, uint64_t ms, uint64_t wall_ms);
/* Somebody sets the wall clock, forth or back by so much. Nothing runs, and no deadline moves. */
WSHUB_API void wshub_io_fake_set_wall(wshub_io_fake *f, int64_t by_ms);

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

/* ---- log lines ---- */

/* Returns the log lines that a hub without on_log has written since the last
 * wshub_io_fake_log_forget(), each with its line's end, without a time; terminated. Of more than
 * 64 KiB the oldest are forgotten. A view, valid until the next line. */
WSHUB_API wshub_str wshub_io_fake_log(const wshub_io_fake *f);

/* Forgets them. */
WSHUB_API void wshub_io_fake_log_forget(wshub_io_fake *f);

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

/* Returns whether the stream is open. Behind a Close of the hub's it is until the peer has answered
 * that too (wshub_io_fake_send_close()), or close_timeout_ms has passed; whether the hub has given
 * the client up is told by wshub_client_state(). */
WSHUB_API bool wshub_io_fake_is_open(const wshub_io_fake *f, wshub_conn c);

/* Returns whether closed() has been told, or nobody is left to tell. */
WSHUB_API bool wshub_io_fake_is_gone(const wshub_io_fake *f, wshub_conn c);
/* Whether a stream was handed over to another fake (wshub_conn_hand_over()), which reports it in
 * its next run, and how it is called there. It is gone here; what was sent by then can still be
 * read.
 * Returns  false: it was not, or has been forgotten; nothing is written. */
WSHUB_API bool wshub_io_fake_moved(const wshub_io_fake *f, wshub_conn c, wshub_io_fake **out_fake,
                                   wshub_conn *out_conn);

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

/* Finds a stream that a guest wants to open, or to have TLS begin on, and nobody has answered yet.
 * out_address: where to; a view, valid until it is answered; may be NULL. False: there is none. */
WSHUB_API bool wshub_io_fake_dialled(wshub_io_fake *f, wshub_conn *out_conn,
                                     const char **out_address);

/* Returns all that its guest asked for: the name, whether it is to be secure, how far it is
 * verified; where TLS is to begin, the address is that of before. A view, valid until it is
 * answered. NULL: nobody dials on this stream. */
WSHUB_API const wshub_dial *wshub_io_fake_dial(const wshub_io_fake *f, wshub_conn c);

/* Answers it. ok: it is open, and this side is its peer; else it has failed. What its guest gave to
 * wshub_io.secure as come already, it receives then, as if TLS had opened it. */
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

/* Whether the peer answers pings by itself from now on, as every browser does, while the stream is
 * open; at first it does not. A ping that it has answered is not among what next and output give.
 * Of a stream that wshub_io_fake_connect() opened, whose output is taken in whole frames. */
WSHUB_API void wshub_io_fake_pongs(wshub_io_fake *f, wshub_conn c, bool answers);

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
    WSHUB_IO_FAKE__LOG = 65536,  /* bytes of log lines that are kept */
    WSHUB_IO_FAKE__TEXT = 1,     /* opcodes (RFC 6455 5.2) */
    WSHUB_IO_FAKE__CLOSE = 8,
    WSHUB_IO_FAKE__PING = 9,
    WSHUB_IO_FAKE__PONG = 10
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
    bool pongs;                   /* it answers pings */
    bool in_flight;               /* a send pends: */
    wshub_span *spans;            /* its spans, */
    size_t spans_count;           /* */
    uint64_t flight_bytes, flown; /* how long they are, and what has been reported of them */
    wshub_about about;            /* what about() says */
    wshub_dial dial;              /* DIALLING: what was asked for */
    char *texts;                  /* of both */
    struct wshub_io_fake *moved;  /* GONE: the fake to which it was handed over; NULL: to none */
    uint64_t moved_id;            /* its name there */
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
    /* While the wall clock goes at a pace of its own: by pace_wall in pace_ms, of which pace_passed
     * have passed and pace_told are in the wall clock. pace_ms 0: it does not. */
    uint64_t pace_ms, pace_wall, pace_passed, pace_told;
    uint64_t next;          /* when an owner wants to settle at the latest */
    uint64_t random, masks; /* where both sequences are */
    bool random_fails;
    uint64_t sends, fault_in; /* fault_in: which send from now goes wrong; 0: none */
    wshub_io_fake_fault_kind fault;
    wshub_about about; /* of what is opened from now on */
    wshub_io_fake__bytes log;

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

static wshub_io_fake__peer *wshub_io_fake__get(const wshub_io_fake *fake, wshub_conn c) {
    uint32_t i = (uint32_t)c.id;
    return i < fake->count && fake->peers[i].id == c.id && c.id ? &fake->peers[i] : NULL;
}

/* Whom a stream's reports go to. NULL: nobody. */
static const wshub_io_owner *wshub_io_fake__whose(const wshub_io_fake *fake,
                                                  const wshub_io_fake__peer *peer) {
    if (!peer->guest) return fake->owned ? &fake->owner : NULL;
    return peer->guest == WSHUB_IO_FAKE__NOBODY ? NULL : &fake->guests[peer->guest - 1];
}

/* There is something to report of it, perhaps. */
static void wshub_io_fake__list(wshub_io_fake *fake, wshub_io_fake__peer *peer) {
    fake->awake = true;
    if (peer->listed) return;
    WSHUB_ASSERT(fake->todo_count < 2 * fake->cap);
    peer->listed = true;
    fake->todo[fake->todo_count++] = (uint32_t)peer->id;
}

/* The one door: changes a stream's state. */
static void wshub_io_fake__to(wshub_io_fake__peer *peer, wshub_io_fake__state to) {
#define WSHUB_IO_FAKE__BIT(state) (1u << WSHUB_IO_FAKE__##state)
    static const unsigned follows[] = {
        /* FREE */ WSHUB_IO_FAKE__BIT(UNTOLD) | WSHUB_IO_FAKE__BIT(DIALLING) |
            WSHUB_IO_FAKE__BIT(OPEN),
        /* UNTOLD */ WSHUB_IO_FAKE__BIT(OPEN) | WSHUB_IO_FAKE__BIT(GONE),
        /* DIALLING */ WSHUB_IO_FAKE__BIT(OPEN) | WSHUB_IO_FAKE__BIT(SHUT) |
            WSHUB_IO_FAKE__BIT(GONE),
        /* OPEN */ WSHUB_IO_FAKE__BIT(DIALLING) | WSHUB_IO_FAKE__BIT(ENDING) |
            WSHUB_IO_FAKE__BIT(SHUT) | WSHUB_IO_FAKE__BIT(GONE),
        /* ENDING */ WSHUB_IO_FAKE__BIT(SHUT) | WSHUB_IO_FAKE__BIT(GONE),
        /* SHUT */ WSHUB_IO_FAKE__BIT(GONE),
        /* GONE */ WSHUB_IO_FAKE__BIT(FREE)};
#undef WSHUB_IO_FAKE__BIT

    WSHUB_ASSERT(peer->id);
    WSHUB_ASSERT(follows[peer->state] >> to & 1u);
    (void)follows;
    peer->state = to;
    if (to == WSHUB_IO_FAKE__ENDING || to == WSHUB_IO_FAKE__SHUT)
        peer->paused = peer->blocked = false;
    if (to == WSHUB_IO_FAKE__GONE) peer->in_flight = false;
}

/* Makes room for one more stream. False: out of memory; what has grown stays so. */
static bool wshub_io_fake__grow(wshub_io_fake *fake) {
    uint32_t cap = fake->cap ? fake->cap * 2 : 16;
    wshub_io_fake__peer *peers;
    uint32_t *list;

    if (fake->count < fake->cap) return true;

    peers = (wshub_io_fake__peer *)realloc(fake->peers, cap * sizeof *peers);
    if (!peers) return false;
    fake->peers = peers;
    list = (uint32_t *)realloc(fake->free_list, cap * sizeof *list);
    if (!list) return false;
    fake->free_list = list;
    list = (uint32_t *)realloc(fake->todo, 2 * cap * sizeof *list);
    if (!list) return false;
    fake->todo = list;
    fake->cap = cap;
    return true;
}

/* A new stream, in one of the states that a stream begins in, and not yet reported. NULL: out of
 * memory. */
static wshub_io_fake__peer *wshub_io_fake__new(wshub_io_fake *fake, wshub_io_fake__state state) {
    wshub_io_fake__peer *peer;
    bool listed = false;

    if (fake->free_count) {
        peer = &fake->peers[fake->free_list[--fake->free_count]];
        listed = peer->listed; /* a round may still lead through it */
    } else {
        if (!wshub_io_fake__grow(fake)) return NULL;
        peer = &fake->peers[fake->count++];
    }

    memset(peer, 0, sizeof *peer);
    peer->listed = listed;
    peer->id = (uint64_t)++fake->generation << 32 | (uint64_t)(peer - fake->peers);
    peer->window = UINT64_MAX;
    peer->about = fake->about;
    wshub_io_fake__to(peer, state);
    return peer;
}

static void wshub_io_fake__free(wshub_io_fake__peer *peer) {
    free(peer->out.ptr);
    free(peer->in.ptr);
    free(peer->spans);
    free(peer->texts);
}

/* ---- the table: owners ---- */

/* Nobody is left to tell what becomes of their streams. */
static void wshub_io_fake__disown(wshub_io_fake *fake, uint8_t guest) {
    uint32_t i;
    for (i = 0; i < fake->count; i++) {
        wshub_io_fake__peer *peer = &fake->peers[i];
        if (!peer->id || peer->guest != guest) continue;
        if (peer->state != WSHUB_IO_FAKE__GONE) wshub_io_fake__to(peer, WSHUB_IO_FAKE__GONE);
        peer->guest = WSHUB_IO_FAKE__NOBODY;
    }
}

static void wshub_io_fake__attach(void *ctx, const wshub_io_owner *owner) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;

    fake->owned = owner != NULL;
    if (owner) {
        fake->owner = *owner;
        fake->next = 0;
    } else {
        wshub_io_fake__disown(fake, 0);
    }
}

static bool wshub_io_fake__taken(void *ctx) {
    return ((wshub_io_fake *)ctx)->owned;
}

/* The place of a guest (is_there), or a free one. -1: there is none. */
static int wshub_io_fake__guest_place(const wshub_io_fake *fake, bool is_there,
                                      const void *guest_ctx) {
    int i;
    for (i = 0; i < WSHUB_IO_FAKE__GUESTS; i++) {
        bool taken = fake->guests[i].settle != NULL;
        if (is_there ? taken && fake->guests[i].ctx == guest_ctx : !taken) return i;
    }
    return -1;
}

static wshub_err wshub_io_fake__guest(void *ctx, const wshub_io_owner *owner, bool on) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    int place = wshub_io_fake__guest_place(fake, !on, owner->ctx);

    if (place < 0) return on ? WSHUB_ERR_LIMIT : WSHUB_OK;
    if (on) {
        fake->guests[place] = *owner;
        fake->guests_count++;
        fake->next = 0;
        return WSHUB_OK;
    }

    WSHUB_ASSERT(fake->guests_count);
    memset(&fake->guests[place], 0, sizeof fake->guests[place]);
    fake->guests_count--;
    wshub_io_fake__disown(fake, (uint8_t)(place + 1));
    return WSHUB_OK;
}

/* ---- the table: orders about a stream ---- */

/* A send that completes later: its spans are read then, since the owner has promised that they lie
 * where they are. */
static int64_t wshub_io_fake__send_later(wshub_io_fake *fake, wshub_io_fake__peer *peer,
                                         const wshub_span *spans, size_t count, uint64_t total) {
    wshub_span *kept = (wshub_span *)realloc(peer->spans, (count ? count : 1) * sizeof *spans);

    WSHUB_ASSERT(!peer->in_flight);
    if (!kept) return 0;
    peer->spans = kept;
    memcpy(peer->spans, spans, count * sizeof *spans);
    peer->spans_count = count;
    peer->in_flight = true;
    peer->flight_bytes = total;
    peer->flown = 0;
    wshub_io_fake__list(fake, peer);
    return WSHUB_IO_PENDING;
}

/* How many of so many bytes a send takes, by window, take_bytes and fault. */
static uint64_t wshub_io_fake__room(const wshub_io_fake *fake, const wshub_io_fake__peer *peer,
                                    uint64_t total, bool faulty) {
    uint64_t room = total < peer->window ? total : peer->window, most = room;

    if (fake->desc.take_bytes && room > fake->desc.take_bytes) room = fake->desc.take_bytes;
    if (!faulty) return room;

    if (fake->fault == WSHUB_IO_FAKE_TAKES_NONE) most = 0;
    if (fake->fault == WSHUB_IO_FAKE_TAKES_ONE) most = 1;
    if (fake->fault == WSHUB_IO_FAKE_TAKES_HALF) most = total / 2;
    if (fake->fault == WSHUB_IO_FAKE_TAKES_MOST) most = total - 1;
    return room < most ? room : most;
}

static void wshub_io_fake__use_window(wshub_io_fake__peer *peer, uint64_t bytes) {
    WSHUB_ASSERT(bytes <= peer->window);
    if (peer->window != UINT64_MAX) peer->window -= bytes;
}

/* Bytes of spans reach the peer: so many, from `skip` on. */
static void wshub_io_fake__arrive(wshub_io_fake__peer *peer, const wshub_span *spans, size_t count,
                                  uint64_t skip, uint64_t bytes) {
    size_t i;

    for (i = 0; i < count && bytes; i++) {
        uint64_t from = skip < spans[i].len ? skip : spans[i].len, take = spans[i].len - from;
        skip -= from;
        if (take > bytes) take = bytes;
        if (take) (void)wshub_io_fake__add(&peer->out, spans[i].ptr + from, (size_t)take);
        bytes -= take;
    }
}

static int64_t wshub_io_fake__send(void *ctx, wshub_conn c, const wshub_span *spans, size_t count) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    bool faulty = fake->fault_in && --fake->fault_in == 0;
    uint64_t total = 0, room;
    size_t i;

    fake->sends++;
    for (i = 0; i < count; i++) total += spans[i].len;
    if (peer && peer->state == WSHUB_IO_FAKE__DIALLING) return 0;
    if (!peer || peer->state != WSHUB_IO_FAKE__OPEN) return (int64_t)total;

    if (faulty && fake->fault == WSHUB_IO_FAKE_BREAKS) {
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__SHUT);
        wshub_io_fake__list(fake, peer);
        return (int64_t)total;
    }
    if (fake->desc.completion || (faulty && fake->fault == WSHUB_IO_FAKE_PENDS))
        return wshub_io_fake__send_later(fake, peer, spans, count, total);

    room = wshub_io_fake__room(fake, peer, total, faulty);
    wshub_io_fake__use_window(peer, room);
    wshub_io_fake__arrive(peer, spans, count, 0, room);
    if (room < total) peer->blocked = true;
    if (room < total || peer->pongs) wshub_io_fake__list(fake, peer);
    return (int64_t)room;
}

/* Behind our end the peer's is waited for, unless it has come already or comes at once. */
static void wshub_io_fake__close(void *ctx, wshub_conn c, bool flush) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);

    if (!peer || peer->state == WSHUB_IO_FAKE__GONE || peer->state == WSHUB_IO_FAKE__SHUT) return;
    if (!flush || peer->state == WSHUB_IO_FAKE__DIALLING || peer->half || !peer->silent)
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__SHUT);
    else if (peer->state == WSHUB_IO_FAKE__OPEN)
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__ENDING);
    wshub_io_fake__list(fake, peer);
}

/* One that is ordered while TLS begins counts behind it. */
static void wshub_io_fake__pause(void *ctx, wshub_conn c, bool paused) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    if (!peer) return;
    if (peer->state != WSHUB_IO_FAKE__OPEN &&
        (peer->state != WSHUB_IO_FAKE__DIALLING || !peer->dial.secure))
        return;
    peer->paused = paused;
    wshub_io_fake__list(fake, peer);
}

static bool wshub_io_fake__about(void *ctx, wshub_conn c, wshub_about *out_about) {
    const wshub_io_fake__peer *peer = wshub_io_fake__get((wshub_io_fake *)ctx, c);
    memset(out_about, 0, sizeof *out_about);
    if (!peer) return false;
    *out_about = peer->about;
    return true;
}

/* To another fake, which reports it in its next run. What was sent so far stays with the old name,
 * for the test to read. */
static wshub_err wshub_io_fake__hand_over(void *ctx, wshub_conn c, const wshub_io *to,
                                          const wshub_span *spans, size_t count) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx, *there = (wshub_io_fake *)to->ctx;
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c), *moved;
    bool kept = true;
    size_t i;

    if (!peer || peer->state != WSHUB_IO_FAKE__OPEN || peer->guest || !there->owned)
        return WSHUB_ERR_STALE;
    WSHUB_ASSERT(!peer->in_flight && !peer->blocked);
    moved = wshub_io_fake__new(there, WSHUB_IO_FAKE__UNTOLD);
    if (!moved) return WSHUB_ERR_NOMEM;
    for (i = 0; i < count && kept; i++)
        kept = wshub_io_fake__add(&moved->in, spans[i].ptr, spans[i].len);
    if (kept && peer->in.len > peer->in.at)
        kept =
            wshub_io_fake__add(&moved->in, peer->in.ptr + peer->in.at, peer->in.len - peer->in.at);
    if (!kept) {
        wshub_io_fake__to(moved, WSHUB_IO_FAKE__GONE);
        return WSHUB_ERR_NOMEM;
    }

    moved->about = peer->about;
    moved->window = peer->window;
    moved->half = peer->half;
    moved->left = peer->left;
    moved->silent = peer->silent;
    moved->pongs = peer->pongs;
    wshub_io_fake__list(there, moved);
    peer->in.at = peer->in.len;
    peer->moved = there;
    peer->moved_id = moved->id;
    wshub_io_fake__to(peer, WSHUB_IO_FAKE__GONE);
    return WSHUB_OK;
}

/* Keeps what a guest asked for, and lets the stream say so of itself. texts: room for both. */
static void wshub_io_fake__dial_keep(wshub_io_fake__peer *peer, const wshub_dial *dial,
                                     char *texts) {
    size_t n = strlen(dial->address) + 1;

    peer->texts = texts;
    peer->dial = *dial;
    peer->dial.address = (const char *)memcpy(texts, dial->address, n);
    if (dial->server_name)
        peer->dial.server_name =
            (const char *)memcpy(texts + n, dial->server_name, strlen(dial->server_name) + 1);

    peer->about.peer = wshub_str_z(peer->dial.address);
    peer->about.secure = dial->secure;
    if (dial->secure && dial->server_name)
        peer->about.server_name = wshub_str_z(peer->dial.server_name);
}

static wshub_err wshub_io_fake__connect(void *ctx, void *guest_ctx, const wshub_dial *dial,
                                        wshub_conn *out_conn) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    int guest = wshub_io_fake__guest_place(fake, true, guest_ctx);
    wshub_io_fake__peer *peer;
    char *texts;
    size_t n;

    if (guest < 0 || !dial->address || !*dial->address) return WSHUB_ERR_PARAM;

    n = strlen(dial->address) + 1 + (dial->server_name ? strlen(dial->server_name) + 1 : 0);
    texts = (char *)malloc(n);
    peer = texts ? wshub_io_fake__new(fake, WSHUB_IO_FAKE__DIALLING) : NULL;
    if (!peer) {
        free(texts);
        return WSHUB_ERR_NOMEM;
    }
    wshub_io_fake__dial_keep(peer, dial, texts);
    peer->guest = (uint8_t)(guest + 1);
    out_conn->id = peer->id;
    return WSHUB_OK;
}

/* TLS is to begin: from here on it is as if it was dialled anew. */
static wshub_err wshub_io_fake__secure(void *ctx, wshub_conn c, const wshub_dial *dial,
                                       const uint8_t *bytes, size_t count) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    wshub_dial again;
    char *texts, *before;

    if (!dial->server_name) return WSHUB_ERR_PARAM;
    if (!peer || peer->state != WSHUB_IO_FAKE__OPEN || !peer->guest || peer->dial.secure)
        return WSHUB_ERR_STALE;
    WSHUB_ASSERT(!peer->blocked); /* the guest has nothing that waits */
    texts = (char *)malloc(strlen(peer->dial.address) + strlen(dial->server_name) + 2);
    if (!texts || !wshub_io_fake__add(&peer->in, bytes, count)) {
        free(texts);
        return WSHUB_ERR_NOMEM;
    }

    before = peer->texts;
    again = *dial;
    again.address = peer->dial.address;
    again.secure = true;
    wshub_io_fake__dial_keep(peer, &again, texts);
    free(before);
    wshub_io_fake__to(peer, WSHUB_IO_FAKE__DIALLING);
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
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    return fake->late ? fake->heard : fake->now;
}
static uint64_t wshub_io_fake__wall(void *ctx) {
    return ((wshub_io_fake *)ctx)->wall;
}

/* splitmix64: repeatable, which is what a test wants. */
static bool wshub_io_fake__random(void *ctx, uint8_t *bytes, size_t count) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    size_t i;

    if (fake->random_fails) return false;
    for (i = 0; i < count; i++) {
        uint64_t z = fake->random += UINT64_C(0x9E3779B97F4A7C15);
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
static uint64_t wshub_io_fake__settle_owners(wshub_io_fake *fake) {
    uint64_t next = WSHUB_NEVER, at;
    int i;

    for (i = 0; i < WSHUB_IO_FAKE__GUESTS && fake->guests_count; i++) {
        if (!fake->guests[i].settle) continue;
        at = fake->guests[i].settle(fake->guests[i].ctx);
        if (at < next) next = at;
    }
    if (fake->owned) {
        at = fake->owner.settle(fake->owner.ctx);
        if (at < next) next = at;
    }
    return next;
}

/* Settles, and once more for what is due by then, which need not be the same: a few times, since a
 * timer of nought that starts itself is always due. */
static void wshub_io_fake__settle(wshub_io_fake *fake) {
    int i;
    for (i = 0; (fake->owned || fake->guests_count) && i < WSHUB_IO_FAKE__SETTLES; i++) {
        fake->next = wshub_io_fake__settle_owners(fake);
        if (fake->desc.on_step) fake->desc.on_step(fake->desc.user);
        if (fake->next > fake->now || fake->late) break;
    }
}

/* Reports bytes, in pieces of cut_bytes, each in memory of its own, so that a reader beyond its
 * end is caught. A report may pause the stream, close it and end its owner. */
static void wshub_io_fake__deliver(wshub_io_fake *fake, wshub_conn c, const uint8_t *bytes,
                                   size_t n) {
    size_t step = fake->desc.cut_bytes ? fake->desc.cut_bytes : n, at = 0;

    while (at < n) {
        wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
        const wshub_io_owner *owner = peer ? wshub_io_fake__whose(fake, peer) : NULL;
        size_t k = n - at < step ? n - at : step;
        uint8_t *copy;
        if (owner && peer->state == WSHUB_IO_FAKE__DIALLING) { /* TLS is to begin in between */
            (void)wshub_io_fake__add(&peer->in, bytes + at, n - at);
            return;
        }
        if (!owner || peer->state != WSHUB_IO_FAKE__OPEN) return;
        if (peer->paused) {
            (void)wshub_io_fake__add(&peer->in, bytes + at, n - at);
            return;
        }

        copy = (uint8_t *)malloc(k);
        if (!copy) return;
        memcpy(copy, bytes + at, k);
        owner->received(owner->ctx, c, copy, k);
        free(copy);
        at += k;
        if (!fake->hold && !fake->late && at < n) wshub_io_fake__settle(fake);
    }
}

/* What was pending has left, or a part of it. */
static void wshub_io_fake__report_sent(wshub_io_fake *fake, wshub_io_fake__peer *peer,
                                       const wshub_io_owner *owner) {
    wshub_conn c = {peer->id};
    uint64_t n = peer->flight_bytes - peer->flown;

    WSHUB_ASSERT(peer->flown <= peer->flight_bytes);
    if (fake->desc.take_bytes && n > fake->desc.take_bytes) n = fake->desc.take_bytes;
    if (n > peer->window) n = peer->window;

    wshub_io_fake__use_window(peer, n);
    wshub_io_fake__arrive(peer, peer->spans, peer->spans_count, peer->flown, n);
    peer->flown += n;
    if (peer->flown == peer->flight_bytes) peer->in_flight = false;
    owner->sent(owner->ctx, c, (size_t)n);
}

/* What it said while it was paused or the process late. */
static void wshub_io_fake__report_input(wshub_io_fake *fake, wshub_io_fake__peer *peer) {
    wshub_conn c = {peer->id};
    wshub_io_fake__bytes in = peer->in;
    memset(&peer->in, 0, sizeof peer->in);
    wshub_io_fake__deliver(fake, c, in.ptr + in.at, in.len - in.at);
    free(in.ptr);
}

/* The peer sends no more. For an owner that does not want to know, that is all. */
static void wshub_io_fake__report_ended(wshub_io_fake__peer *peer, const wshub_io_owner *owner) {
    wshub_conn c = {peer->id};
    peer->half_told = true;
    if (owner->ended)
        owner->ended(owner->ctx, c);
    else
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__SHUT);
}

/* Finds the first whole ping in what was sent and not yet taken. Returns where it begins, its head
 * in *out_head; SIZE_MAX: there is none. */
static size_t wshub_io_fake__find_ping(const wshub_io_fake__peer *peer, wshub_frame *out_head) {
    const wshub_io_fake__bytes *out = &peer->out;
    size_t at = out->at;

    while (out->len > at && wshub_frame_read(out->ptr + at, out->len - at, out_head) == 1) {
        size_t rest = out->len - at - out_head->head_bytes;
        if (rest < out_head->payload_bytes) break;
        if (out_head->opcode == WSHUB_IO_FAKE__PING) return at;
        at += out_head->head_bytes + (size_t)out_head->payload_bytes;
    }
    return SIZE_MAX;
}

/* The peer answers a ping, which is gone then. False: there is none, or it does not answer. */
static bool wshub_io_fake__answer_ping(wshub_io_fake *fake, wshub_io_fake__peer *peer) {
    wshub_io_fake__bytes *out = &peer->out;
    wshub_conn c = {peer->id};
    uint8_t payload[125]; /* of a control frame at most (RFC 6455 5.5) */
    wshub_frame head;
    size_t at, n;

    at = peer->pongs ? wshub_io_fake__find_ping(peer, &head) : SIZE_MAX;
    if (at == SIZE_MAX) return false;

    n = (size_t)head.payload_bytes;
    WSHUB_ASSERT(n <= sizeof payload);
    if (n) memcpy(payload, out->ptr + at + head.head_bytes, n);
    out->len -= head.head_bytes + n;
    memmove(out->ptr + at, out->ptr + at + head.head_bytes + n, out->len - at + 1);
    wshub_io_fake_send(fake, c, WSHUB_IO_FAKE__PONG, true, payload, n);
    return true;
}

/* Reports one thing of what has become of a stream while it is open. False: there is nothing. */
static bool wshub_io_fake__report_open(wshub_io_fake *fake, wshub_io_fake__peer *peer,
                                       const wshub_io_owner *owner) {
    wshub_conn c = {peer->id};

    if (peer->blocked && peer->window) {
        peer->blocked = false;
        owner->drained(owner->ctx, c);
    } else if (!peer->paused && peer->in.len > peer->in.at) {
        wshub_io_fake__report_input(fake, peer);
    } else if (peer->left) {
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__SHUT);
    } else if (peer->half && !peer->half_told && !peer->paused) {
        wshub_io_fake__report_ended(peer, owner);
    } else {
        return wshub_io_fake__answer_ping(fake, peer);
    }
    return true;
}

/* Reports one thing of what has become of a stream. False: there is nothing. */
static bool wshub_io_fake__report(wshub_io_fake *fake, wshub_io_fake__peer *peer) {
    wshub_conn c = {peer->id};
    const wshub_io_owner *owner = wshub_io_fake__whose(fake, peer);

    if (!owner) return false;
    if (peer->in_flight && peer->window) {
        wshub_io_fake__report_sent(fake, peer, owner);
        return true;
    }

    switch (peer->state) {
    case WSHUB_IO_FAKE__FREE:
    case WSHUB_IO_FAKE__GONE: return false;
    case WSHUB_IO_FAKE__DIALLING: /* TLS was to begin with a peer that had gone by then? */
        if (!peer->left) return false;
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__SHUT);
        return true;
    case WSHUB_IO_FAKE__UNTOLD:
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__OPEN);
        owner->opened(owner->ctx, c);
        return true;
    case WSHUB_IO_FAKE__OPEN: return wshub_io_fake__report_open(fake, peer, owner);
    case WSHUB_IO_FAKE__ENDING:
        if (!peer->half && !peer->left && peer->silent) return false;
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__SHUT); /* both sides have ended */
        return true;
    case WSHUB_IO_FAKE__SHUT:
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__GONE);
        owner->closed(owner->ctx, c);
        return true;
    }
    return false;
}

/* Reports one thing of each who is listed; those listed meanwhile have their turn in the next
 * round. False: there was nothing. */
static bool wshub_io_fake__round(wshub_io_fake *fake) {
    uint32_t i, count = fake->todo_count;
    bool more = false;

    for (i = 0; i < count; i++) {
        uint32_t at = fake->todo[i];
        fake->peers[at].listed = false;
        if (!fake->peers[at].id || !wshub_io_fake__report(fake, &fake->peers[at])) continue;
        more = true;
        if (fake->peers[at].id) wshub_io_fake__list(fake, &fake->peers[at]); /* look again */
    }

    WSHUB_ASSERT(fake->todo_count >= count);
    if (count)
        memmove(fake->todo, fake->todo + count, (fake->todo_count - count) * sizeof *fake->todo);
    fake->todo_count -= count;
    return more;
}

WSHUB_API void wshub_io_fake_run(wshub_io_fake *fake) {
    bool more = true;

    if (fake->hold || fake->running || fake->stalled) return;
    fake->running = true;
    while (more && (fake->owned || fake->guests_count)) {
        fake->awake = false;
        wshub_io_fake__settle(fake);
        more = wshub_io_fake__round(fake);
        if (fake->awake && fake->todo_count) more = true;
        if (fake->late && !more) {
            fake->late = false; /* now all is known, and deadlines can be judged */
            more = true;
        }
    }
    fake->running = false;
}

WSHUB_API void wshub_io_fake_hold(wshub_io_fake *fake, bool hold) {
    fake->hold = hold;
    if (!hold) wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_stall(wshub_io_fake *fake, bool stalled) {
    if (stalled && !fake->stalled && !fake->late) fake->heard = fake->now;
    if (stalled) fake->late = true;
    fake->stalled = stalled;
    wshub_io_fake_run(fake);
}

/* How far the wall clock goes on in so many milliseconds. */
static uint64_t wshub_io_fake__wall_in(wshub_io_fake *fake, uint64_t ms) {
    uint64_t told = fake->pace_told, passed;

    if (!fake->pace_ms) return ms;
    passed = fake->pace_passed += ms;
    WSHUB_ASSERT(passed <= fake->pace_ms);
    fake->pace_told = passed * (fake->pace_wall / fake->pace_ms) +
                      passed * (fake->pace_wall % fake->pace_ms) / fake->pace_ms;
    return fake->pace_told - told;
}

static void wshub_io_fake__pass(wshub_io_fake *fake, uint64_t until) {
    fake->wall += wshub_io_fake__wall_in(fake, until - fake->now);
    fake->now = until;
}

WSHUB_API void wshub_io_fake_advance(wshub_io_fake *fake, uint64_t ms) {
    uint64_t until = fake->now + ms;

    wshub_io_fake_run(fake);
    while ((fake->owned || fake->guests_count) && fake->next <= until && fake->now < until &&
           !fake->stalled && !fake->hold && !fake->running) {
        wshub_io_fake__pass(fake, fake->next > fake->now ? fake->next
                                                         : fake->now + 1); /* "soon": time passes */
        wshub_io_fake_run(fake);
    }
    if (until > fake->now) wshub_io_fake__pass(fake, until);
    wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_advance_apart(wshub_io_fake *fake, uint64_t ms, uint64_t wall_ms) {
    wshub_io_fake_run(fake); /* what is due now has nothing to do with the pace */
    fake->pace_passed = fake->pace_told = 0;
    fake->pace_wall = wall_ms;
    fake->pace_ms = ms;
    wshub_io_fake_advance(fake, ms);
    fake->pace_ms = 0;
}

WSHUB_API void wshub_io_fake_set_wall(wshub_io_fake *fake, int64_t by_ms) {
    fake->wall += (uint64_t)by_ms;
}

WSHUB_API void wshub_io_fake_jump(wshub_io_fake *fake, uint64_t now_ms) {
    fake->now = now_ms;
    wshub_io_fake_run(fake);
}
WSHUB_API uint64_t wshub_io_fake_now(const wshub_io_fake *fake) {
    return fake->now;
}
WSHUB_API uint64_t wshub_io_fake_deadline(const wshub_io_fake *fake) {
    return fake->next;
}
WSHUB_API void wshub_io_fake_set_random(wshub_io_fake *fake, bool fails) {
    fake->random_fails = fails;
}
WSHUB_API void wshub_io_fake_set_cut(wshub_io_fake *fake, uint32_t cut_bytes, uint32_t take_bytes) {
    fake->desc.cut_bytes = cut_bytes;
    fake->desc.take_bytes = take_bytes;
}
WSHUB_API void wshub_io_fake_fault(wshub_io_fake *fake, uint64_t nth,
                                   wshub_io_fake_fault_kind how) {
    fake->fault_in = nth;
    fake->fault = how;
}
WSHUB_API uint64_t wshub_io_fake_sends(const wshub_io_fake *fake) {
    return fake->sends;
}

/* Keeps a log line. Without memory it is lost. */
static void wshub_io_fake__log(void *ctx, wshub_log_level level, const char *line) {
    wshub_io_fake *fake = (wshub_io_fake *)ctx;
    wshub_io_fake__bytes *log = &fake->log;

    (void)level;
    if (log->len > WSHUB_IO_FAKE__LOG) { /* the older half goes, up to the end of a line */
        size_t cut = log->len / 2;
        while (cut < log->len && log->ptr[cut - 1] != '\n') cut++;
        log->len -= cut;
        memmove(log->ptr, log->ptr + cut, log->len + 1);
    }
    if (wshub_io_fake__add(log, line, strlen(line))) (void)wshub_io_fake__add(log, "\n", 1);
}

WSHUB_API wshub_str wshub_io_fake_log(const wshub_io_fake *fake) {
    wshub_str text;
    text.ptr = fake->log.len ? (const char *)fake->log.ptr : "";
    text.len = fake->log.len;
    return text;
}

WSHUB_API void wshub_io_fake_log_forget(wshub_io_fake *fake) {
    fake->log.len = 0;
}

/* ---- making and ending one ---- */

WSHUB_API void wshub_io_fake_set_about(wshub_io_fake *fake, const wshub_about *about) {
    memset(&fake->about, 0, sizeof fake->about);
    if (about)
        fake->about = *about;
    else
        fake->about.peer = wshub_str_z("fake");
}

static void wshub_io_fake__table(wshub_io_fake *fake) {
    fake->io.version = WSHUB_IO_VERSION;
    fake->io.ctx = fake;
    fake->io.attach = wshub_io_fake__attach;
    fake->io.taken = wshub_io_fake__taken;
    fake->io.send = wshub_io_fake__send;
    fake->io.close = wshub_io_fake__close;
    fake->io.now_ms = wshub_io_fake__now;
    fake->io.heard_ms = fake->desc.no_heard ? NULL : wshub_io_fake__heard;
    fake->io.wall_ms = wshub_io_fake__wall;
    fake->io.random = wshub_io_fake__random;
    fake->io.wake = fake->desc.no_wake ? NULL : wshub_io_fake__wake;
    fake->io.pause = fake->desc.no_pause ? NULL : wshub_io_fake__pause;

    fake->io.about = wshub_io_fake__about;
    fake->io.guest = wshub_io_fake__guest;
    fake->io.connect = wshub_io_fake__connect;
    fake->io.error = wshub_io_fake__error;
    fake->io.log = fake->desc.no_log ? NULL : wshub_io_fake__log;
    fake->io.log_level = fake->desc.log_level;
    fake->io.hand_over = wshub_io_fake__hand_over;
    fake->io.secure = fake->desc.no_secure ? NULL : wshub_io_fake__secure;
}

WSHUB_API wshub_err wshub_io_fake_create_versioned(const wshub_io_fake_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_fake **out_fake) {
    wshub_io_fake *fake;

    if (!out_fake || desc_bytes != sizeof *desc || version != WSHUB_IO_FAKE_DESC_VERSION)
        return WSHUB_ERR_PARAM;
    fake = (wshub_io_fake *)calloc(1, sizeof *fake);
    if (!fake) return WSHUB_ERR_NOMEM;

    if (desc) fake->desc = *desc;
    fake->now = fake->desc.start_ms ? fake->desc.start_ms : 1000;
    fake->wall = fake->desc.wall_ms ? fake->desc.wall_ms : UINT64_C(1769851800000);
    fake->random = fake->desc.seed ? fake->desc.seed : 1;
    fake->next = WSHUB_NEVER;
    wshub_io_fake_set_about(fake, NULL);
    wshub_io_fake__table(fake);
    *out_fake = fake;
    return WSHUB_OK;
}

WSHUB_API void wshub_io_fake_destroy(wshub_io_fake *fake) {
    uint32_t i;
    if (!fake) return;
    for (i = 0; i < fake->count; i++) wshub_io_fake__free(&fake->peers[i]);
    free(fake->peers);
    free(fake->free_list);
    free(fake->todo);
    free(fake->log.ptr);
    free(fake);
}

WSHUB_API const wshub_io *wshub_io_fake_io(wshub_io_fake *fake) {
    return &fake->io;
}

/* ---- what peers do ---- */

WSHUB_API wshub_conn wshub_io_fake_open(wshub_io_fake *fake) {
    wshub_io_fake__peer *peer;
    wshub_conn c = {0};

    if (!fake->owned) return c;
    peer = wshub_io_fake__new(fake, fake->late ? WSHUB_IO_FAKE__UNTOLD : WSHUB_IO_FAKE__OPEN);
    if (!peer) return c;

    c.id = peer->id;
    if (fake->late)
        wshub_io_fake__list(fake, peer);
    else
        fake->owner.opened(fake->owner.ctx, c);
    wshub_io_fake_run(fake);
    return c;
}

WSHUB_API bool wshub_io_fake_dialled(wshub_io_fake *fake, wshub_conn *out_conn,
                                     const char **out_address) {
    uint32_t i;

    for (i = 0; i < fake->count; i++) {
        const wshub_io_fake__peer *peer = &fake->peers[i];
        if (!peer->id || peer->state != WSHUB_IO_FAKE__DIALLING) continue;
        out_conn->id = peer->id;
        if (out_address) *out_address = peer->dial.address;
        return true;
    }
    return false;
}

WSHUB_API const wshub_dial *wshub_io_fake_dial(const wshub_io_fake *fake, wshub_conn c) {
    const wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    return peer && peer->state == WSHUB_IO_FAKE__DIALLING ? &peer->dial : NULL;
}

WSHUB_API void wshub_io_fake_answer(wshub_io_fake *fake, wshub_conn c, bool ok) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    const wshub_io_owner *owner;

    if (!peer || peer->state != WSHUB_IO_FAKE__DIALLING) return;
    if (!ok) {
        wshub_io_fake_end(fake, c);
        return;
    }
    owner = wshub_io_fake__whose(fake, peer);
    WSHUB_ASSERT(owner); /* who leaves takes what it dials along */
    wshub_io_fake__to(peer, WSHUB_IO_FAKE__OPEN);
    wshub_io_fake__list(fake, peer);
    owner->opened(owner->ctx, c);
    wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_forget(wshub_io_fake *fake, wshub_conn c) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    bool listed;

    if (!peer || peer->state != WSHUB_IO_FAKE__GONE) return;
    wshub_io_fake__to(peer, WSHUB_IO_FAKE__FREE);
    wshub_io_fake__free(peer);
    listed = peer->listed; /* a round may still lead through it */
    memset(peer, 0, sizeof *peer);
    peer->listed = listed;
    fake->free_list[fake->free_count++] = (uint32_t)c.id;
}

WSHUB_API void wshub_io_fake_input(wshub_io_fake *fake, wshub_conn c, const void *bytes,
                                   size_t count) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);

    if (!peer || peer->half || peer->left || !count) return;
    if (peer->state != WSHUB_IO_FAKE__OPEN && peer->state != WSHUB_IO_FAKE__UNTOLD) return;
    if (peer->in.len > peer->in.at || fake->late) { /* behind what waits */
        (void)wshub_io_fake__add(&peer->in, bytes, count);
        wshub_io_fake__list(fake, peer);
    } else {
        wshub_io_fake__deliver(fake, c, (const uint8_t *)bytes, count);
    }
    wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_end(wshub_io_fake *fake, wshub_conn c) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    const wshub_io_owner *owner;

    if (!peer || peer->state == WSHUB_IO_FAKE__GONE) return;
    owner = wshub_io_fake__whose(fake, peer);
    if (fake->late) {
        peer->left = true;
        if (peer->state == WSHUB_IO_FAKE__DIALLING) wshub_io_fake__to(peer, WSHUB_IO_FAKE__SHUT);
        wshub_io_fake__list(fake, peer);
    } else {
        wshub_io_fake__to(peer, WSHUB_IO_FAKE__GONE);
        if (owner) owner->closed(owner->ctx, c);
    }
    wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_half_close(wshub_io_fake *fake, wshub_conn c) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    if (!peer || peer->state == WSHUB_IO_FAKE__DIALLING || peer->state >= WSHUB_IO_FAKE__SHUT)
        return;
    peer->half = true;
    wshub_io_fake__list(fake, peer);
    wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_silent(wshub_io_fake *fake, wshub_conn c, bool silent) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    if (!peer || peer->state == WSHUB_IO_FAKE__GONE) return;
    peer->silent = silent;
    wshub_io_fake__list(fake, peer);
    wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_pongs(wshub_io_fake *fake, wshub_conn c, bool answers) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    if (!peer || peer->state == WSHUB_IO_FAKE__GONE) return;
    peer->pongs = answers;
    wshub_io_fake__list(fake, peer);
    wshub_io_fake_run(fake);
}

WSHUB_API void wshub_io_fake_window(wshub_io_fake *fake, wshub_conn c, uint64_t bytes) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    if (!peer) return;
    peer->window = bytes;
    wshub_io_fake__list(fake, peer); /* told in the run that follows */
    wshub_io_fake_run(fake);
}

WSHUB_API bool wshub_io_fake_is_open(const wshub_io_fake *fake, wshub_conn c) {
    const wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    return peer && peer->state < WSHUB_IO_FAKE__ENDING && !peer->left;
}

WSHUB_API bool wshub_io_fake_is_gone(const wshub_io_fake *fake, wshub_conn c) {
    const wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    return !peer || peer->state == WSHUB_IO_FAKE__GONE;
}

WSHUB_API bool wshub_io_fake_moved(const wshub_io_fake *fake, wshub_conn c,
                                   wshub_io_fake **out_fake, wshub_conn *out_conn) {
    const wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    if (!peer || !peer->moved) return false;
    *out_fake = peer->moved;
    out_conn->id = peer->moved_id;
    return true;
}

WSHUB_API wshub_str wshub_io_fake_output(const wshub_io_fake *fake, wshub_conn c) {
    const wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    wshub_str s;
    s.ptr = peer && peer->out.ptr ? (const char *)peer->out.ptr + peer->out.at : "";
    s.len = peer ? peer->out.len - peer->out.at : 0;
    return s;
}

WSHUB_API void wshub_io_fake_take(wshub_io_fake *fake, wshub_conn c, size_t count) {
    wshub_io_fake__peer *peer = wshub_io_fake__get(fake, c);
    if (peer)
        peer->out.at += count < peer->out.len - peer->out.at ? count : peer->out.len - peer->out.at;
}

/* ---- a WebSocket on top ---- */

/* Sends the shortest upgrade that there is. False: out of memory. */
static bool wshub_io_fake__upgrade(wshub_io_fake *fake, wshub_conn c, const char *path) {
    static const char tail[] =
        " HTTP/1.1\r\nHost: fake\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    size_t n = strlen(path), len = 4 + n + sizeof tail - 1;
    char *text = (char *)malloc(len);

    if (!text) return false;
    memcpy(text, "GET ", 4);
    memcpy(text + 4, path, n);
    memcpy(text + 4 + n, tail, sizeof tail - 1);
    wshub_io_fake_input(fake, c, text, len);
    free(text);
    return true;
}

WSHUB_API wshub_conn wshub_io_fake_connect(wshub_io_fake *fake, const char *path) {
    static const char switching[] = "HTTP/1.1 101";
    wshub_conn c = wshub_io_fake_open(fake), none = {0};
    wshub_str out;
    size_t end = 0;

    if (!c.id || !wshub_io_fake__upgrade(fake, c, path)) return none;

    out = wshub_io_fake_output(fake, c);
    if (out.len < sizeof switching || memcmp(out.ptr, switching, sizeof switching - 1) != 0)
        return none;
    while (end + 4 <= out.len && memcmp(out.ptr + end, "\r\n\r\n", 4) != 0) end++;
    if (end + 4 > out.len) return none;
    wshub_io_fake_take(fake, c, end + 4);
    return c;
}

WSHUB_API void wshub_io_fake_send(wshub_io_fake *fake, wshub_conn c, uint8_t opcode, bool fin,
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
    fake->masks += UINT64_C(0x9E3779B97F4A7C15);
    for (i = 0; i < 4; i++) h.mask[i] = (uint8_t)(fake->masks >> (32 + 8 * i));

    n = wshub_frame_write(&h, text);
    if (count) memcpy(text + n, bytes, count);
    wshub_mask(text + n, count, h.mask, 0);
    wshub_io_fake_input(fake, c, text, n + count);
    free(text);
}

WSHUB_API void wshub_io_fake_text(wshub_io_fake *fake, wshub_conn c, const char *text) {
    wshub_io_fake_send(fake, c, WSHUB_IO_FAKE__TEXT, true, text, strlen(text));
}

WSHUB_API void wshub_io_fake_send_close(wshub_io_fake *fake, wshub_conn c, uint16_t code,
                                        const char *reason) {
    uint8_t payload[2 + WSHUB_CLOSE_REASON_MAX];
    size_t n = reason ? strlen(reason) : 0;
    if (n > WSHUB_CLOSE_REASON_MAX) n = WSHUB_CLOSE_REASON_MAX;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (n) memcpy(payload + 2, reason, n);
    wshub_io_fake_send(fake, c, WSHUB_IO_FAKE__CLOSE, true, payload, code ? n + 2 : 0);
}

WSHUB_API bool wshub_io_fake_next(wshub_io_fake *fake, wshub_conn c,
                                  wshub_io_fake_frame *out_frame) {
    wshub_str out = wshub_io_fake_output(fake, c);
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
    wshub_io_fake_take(fake, c, h.head_bytes + (size_t)h.payload_bytes);
    return true;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
