/* wshub_io_tls.h - TLS for wshub: an io over any io, by a library of your choice
 *
 * What is the same for every library of TLS: streams and their ends, what waits to leave, clocks,
 * limits, counters. It needs no library itself. wshub_io_openssl.h and wshub_io_mbedtls.h are
 * engines for it, each with a function that makes such an io; include one of those.
 *
 * [x] server and client, over sockets, in memory, over any io; several loops, each with its own
 * [x] certificates and keys from files or memory, chains; more of them by server name
 * [x] ALPN: `http/1.1`, which a client that offers others has to offer too
 * [x] sessions are resumed by tickets, whose keys loops and processes may share; only under the
 *     name and the rule for client certificates that they were made for
 * [x] client certificates: asked for, required, shown by wshub_conn_about()
 * [x] all of it read again without dropping anybody (wshub_io_tls_reload())
 * [x] a clock for handshakes, a limit on how many are under way; who says nothing costs no state of
 *     the library
 * [x] ends: close_notify goes out behind the last byte; a stream that ends without the peer's is
 *     counted as truncated, and closed() follows, never ended()
 * [x] nothing of what has arrived waits in the library; a paused stream's rest is kept, and told
 *     without a further event
 * [x] a record that was written once is never written again: what the io below did not take is
 *     kept as it is
 * [x] TLS begun on a stream that was dialled in the clear (wshub_io.secure), behind a proxy say
 * [ ] handing a stream to another thread's io: this table has no hand_over, so that
 *     wshub_conn_hand_over() returns WSHUB_ERR_PARAM, and the request is to be answered here
 *
 * System   what the io below and the engine need.
 * Include  wshub.h, then an engine, which includes this.
 * Threads  One, that of its hub, for every function but those that say otherwise.
 *
 * ---- how it is used ----
 *     wshub_tls_pair pair = { .cert = "fullchain.pem", .key = "privkey.pem" };
 *     wshub_io_openssl_create(&(wshub_io_tls_desc){ .io = wshub_io_sock_io(net), .pairs = &pair,
 *                                                   .pairs_count = 1 }, &tls);
 *     wshub_create(&(wshub_desc){ .io = wshub_io_tls_io(tls) }, &hub);
 *     wshub_io_sock_listen(net, NULL, 8443, NULL);
 *     wshub_io_sock_serve(net, hub);
 *     wshub_destroy(hub);
 *     wshub_io_tls_destroy(tls);
 *     wshub_io_sock_destroy(net);
 *
 * ---- memory ----
 * Of a stream that is idle this layer keeps one record of about 200 bytes, and the library its
 * session. Buffers are the io's, one each, and not the stream's: 64 KiB for what is opened, 16 KiB
 * to join small spans, and what a turn's records need. A stream has a buffer of its own only while
 * the io below takes less than it was given, while it is paused with bytes that came before, or
 * while its TLS is to begin (wshub_io.secure), with at most 64 KiB that came too early.
 *
 * ---- the states of a stream ----
 * DIALLING until the io below has opened it; HELLO while the handshake goes on, of which an owner
 * knows nothing (but for the name that a guest was given); OPEN; HALF when the peer's close_notify
 * has come, which is ended() to the owner. ENDING: the owner has closed it, and what is owed is on
 * its way, our close_notify behind it. FAILED: our alert is out, and a short clock runs. GONE:
 * closed below, of which closed() is awaited. A stream of a listener in the clear, or dialled so,
 * is PLAIN, and everything of it is passed on, until its owner has TLS begin on it: HELLO. */
#ifndef WSHUB_IO_TLS_H
#define WSHUB_IO_TLS_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* One io. Made by a function of an engine, ended by wshub_io_tls_destroy(). */
typedef struct wshub_io_tls wshub_io_tls;

/* ---- what it is made from ---- */

/* A certificate and its key. Each text is the path of a file of PEM, or PEM itself, which is told
 * by its beginning, `-----BEGIN`. */
typedef struct wshub_tls_pair {
    /* For which server name, compared without case; `*.example.org` stands for one label. NULL: for
     * all that have no other. */
    const char *name;
    const char *cert; /* the chain, leaf first */
    const char *key;  /* its key: RSA, P-256 or P-384; not locked */
} wshub_tls_pair;

/* What a server wants of its clients. */
typedef enum wshub_tls_clients {
    WSHUB_TLS_CLIENTS_ANY = 0, /* nothing is asked */
    WSHUB_TLS_CLIENTS_ASK, /* who has a certificate shows it; wshub_about says what it is worth */
    WSHUB_TLS_CLIENTS_REQUIRE /* who has none that is trusted is refused */
} wshub_tls_clients;

/* How many bytes one key for tickets has: 16 that name it, 32 for authenticity, 32 for secrecy. */
#define WSHUB_TLS_TICKET_KEY_BYTES 80
/* Of wshub_io_tls_desc and every other struct that a program fills or reads here. */
#define WSHUB_IO_TLS_DESC_VERSION 1u

/* What such an io is like. Zero is the default of every field. */
typedef struct wshub_io_tls_desc {
    const wshub_io *io; /* required: the io below; borrowed, it has no other owner */
    /* The server's certificates; the first is for every name that no other is for. None: this io
     * only dials, and who comes in is closed, but for plain_listener. Copied. */
    const wshub_tls_pair *pairs;
    size_t pairs_count;
    /* Chooses by a server name ("" if none was said): the index of a pair, or -1: an alert,
     * unrecognized_name. NULL: by the names of the pairs. It must not call into an io or a hub. */
    int (*on_name)(wshub_str name, void *user);
    wshub_tls_clients clients; /* what is asked of clients */
    const char *client_roots;  /* ASK, REQUIRE: required, and refused without them; whom a client's
                                  chain must lead to; PEM, or a path */
    /* Whom this side trusts when it dials; PEM, or a path, read at once. NULL: whom the system
     * trusts, read when somebody dials. */
    const char *roots;
    const wshub_tls_pair *own; /* what this side shows when it dials and is asked. NULL: nothing */
    /* 12; or 13: TLS 1.2 or 1.3 is the oldest that is spoken. */
    uint32_t version_min;
    /* Keys of tickets, WSHUB_TLS_TICKET_KEY_BYTES each, secret and random: the first makes tickets,
     * all open them. Loops and processes that are given the same resume each other's sessions.
     * Copied. NULL: one of its own, by the io's randomness. */
    const uint8_t *ticket_keys;
    size_t ticket_keys_count; /* 0..8 */
    bool no_tickets;          /* sessions are not resumed */
    uint32_t handshake_ms;    /* 10000; from the connection, or wshub_io.secure, to the handshake's
                                 end: 1..600000 */
    uint32_t handshakes_max;  /* 10000; who comes while so many are under way is closed */
    uint32_t linger_ms;  /* 1000; how long the peer's end is awaited behind an alert: 1..600000 */
    uint32_t unsent_max; /* 1048576; bytes of records that wait for one stream, beside those of
                                 one send(); beyond it is closed: 65536..1 GiB */
    const char *plain_listener; /* the listener of this name (wshub_about.listener) stays in the
                                   clear; copied. NULL: none does */
    /* Told why a stream's TLS failed: one line, a view. It must not call into an io or a hub. NULL:
     * the counters and wshub_io_tls_error() say it. */
    void (*on_error)(const char *text, void *user);
    void *user; /* for on_name and on_error */
} wshub_io_tls_desc;

/* Why the TLS of a stream failed: name, as of the counter, and what it means. */
#define WSHUB_TLS_FAILURES(X)                                                                      \
    X(NOT_TLS, not_tls, "the peer does not speak TLS")                                             \
    X(VERSION, version, "no version of TLS in common")                                             \
    X(AGREE, agree, "nothing in common: ciphers, curves, or the protocol (ALPN)")                  \
    X(EXPIRED, expired, "a certificate is not valid at this time")                                 \
    X(NAME, name, "the certificate is not for this name")                                          \
    X(UNTRUSTED, untrusted, "the certificate leads to nobody who is trusted")                      \
    X(NO_CERT, no_cert, "the peer shows no certificate")                                           \
    X(ALERT, alert, "the peer refused, by an alert")                                               \
    X(RECORD, record, "a record or message that TLS does not allow")                               \
    X(LATE, late, "the handshake took longer than handshake_ms")                                   \
    X(CUT, cut, "the stream ended within the handshake")                                           \
    X(MEMORY, memory, "out of memory")                                                             \
    X(UNSENT, unsent, "more waits to be sent than unsent_max")
/* WSHUB_TLS_FAIL_NOT_TLS and its relatives. */
typedef enum wshub_tls_failure {
#define WSHUB__X(name, counter, text) WSHUB_TLS_FAIL_##name,
    WSHUB_TLS_FAILURES(WSHUB__X)
#undef WSHUB__X
        WSHUB_TLS_FAIL_COUNT /* how many there are */
} wshub_tls_failure;

/* What it has done since it was made. */
typedef struct wshub_io_tls_stats {
    uint64_t handshakes; /* that were completed */
    uint64_t resumed;    /* of those: by a ticket */
    uint64_t under_way;  /* now */
    uint64_t shed;       /* closed at once, beyond handshakes_max or for want of memory */
    uint64_t truncated;  /* streams that ended without close_notify */
    uint64_t reloads;    /* wshub_io_tls_reload() that succeeded */
    /* What failed, by WSHUB_TLS_FAIL_: in handshakes and after. */
    uint64_t failed[WSHUB_TLS_FAIL_COUNT];
} wshub_io_tls_stats;

/* ---- for who writes an engine ---- */

/* What one call of an engine may read, and where it writes: bytes of the io below. */
typedef struct wshub_tls_wire {
    const uint8_t *in;       /* arrived; taken by wshub_tls_take() */
    size_t in_len;           /* how many have not been taken yet */
    uint8_t *out;            /* to be sent; written by wshub_tls_put() */
    size_t out_len, out_cap; /* how many were written, and fit */
} wshub_tls_wire;

/* Why a call failed: an engine fills it whenever it returns FAILED or NULL. */
typedef struct wshub_tls_fault {
    wshub_tls_failure kind; /* by which it is counted */
    char text[200];         /* one line, in the library's words */
} wshub_tls_fault;

/* What an engine makes its context from, beside the description, and keeps: it lives as long as
 * the context does. */
typedef struct wshub_tls_site {
    char **names; /* of the pairs, "" where there is none */
    size_t names_count;
    int (*on_name)(wshub_str name, void *user); /* as in the description */
    void *user;                                 /* and its last argument */
    uint8_t *ticket_keys; /* ticket_keys_count of WSHUB_TLS_TICKET_KEY_BYTES */
    size_t ticket_keys_count;
    wshub_tls_clients clients; /* whether they have to show certificates */
    uint32_t version_min;      /* 12 or 13 */
    void *context;             /* the engine's */
    size_t refs;               /* streams that use it, and the io */
} wshub_tls_site;

/* Whom a client wants to talk to. */
typedef struct wshub_tls_wanted {
    const char *name;    /* as a certificate bears it: without a dot at its end */
    bool address;        /* the name is an address: it is not sent, and compared with IP entries */
    wshub_verify verify; /* how far its certificate is looked at */
} wshub_tls_wanted;

/* What a session knows when its handshake is done; views, as long as the session, cert until the
 * next call of facts() to the same engine's context. */
typedef struct wshub_tls_facts {
    wshub_str alpn, server_name; /* agreed, and asked for; ptr NULL: none */
    wshub_span cert;             /* the peer's, DER */
    bool verified, resumed;      /* the peer's certificate holds; by a ticket */
} wshub_tls_facts;

#define WSHUB_TLS_ENGINE_VERSION 1u /* it rises when the table below changes */
/* What an engine's calls return beside counts: bytes are missing; the peer has said that it ends;
 * the fault says why. */
enum { WSHUB_TLS_MORE = 0, WSHUB_TLS_ENDED = -1, WSHUB_TLS_FAILED = -2 };

/* A library of TLS. It never waits and never calls the net: it takes from the wire and puts there,
 * where all is taken. */
typedef struct wshub_tls_engine {
    uint32_t version; /* WSHUB_TLS_ENGINE_VERSION */
    const char *name; /* "OpenSSL", "mbedTLS" */
    bool tls13;       /* whether it speaks TLS 1.3 */
    /* Reads certificates and keys. client: for dialling, else for serving. NULL: fault says why. */
    void *(*context)(const wshub_io_tls_desc *desc, const wshub_tls_site *site, bool client,
                     wshub_tls_fault *fault);
    void (*context_free)(void *context); /* none of its sessions is there any more */
    /* Begins a session. wanted NULL: the server's side. */
    void *(*begin)(void *context, wshub_tls_wire *wire, const wshub_tls_wanted *wanted,
                   wshub_tls_fault *fault);
    void (*end)(void *session); /* frees it; nothing is written */
    /* Goes on with the handshake. Returns 1: it is done; MORE; FAILED. */
    int (*handshake)(void *session, wshub_tls_fault *fault);
    /* Opens at most one record; cap is at least 16384. Returns bytes; MORE: the wire is empty;
     * ENDED: close_notify; FAILED. */
    int64_t (*read)(void *session, uint8_t *bytes, size_t cap, wshub_tls_fault *fault);
    /* Writes a record of 1 to 16384 bytes. Returns count, or FAILED. */
    int64_t (*write)(void *session, const uint8_t *bytes, size_t count, wshub_tls_fault *fault);
    void (*close)(void *session);                             /* writes close_notify */
    void (*facts)(void *session, wshub_tls_facts *out_facts); /* once the handshake is done */
    /* From now on the session belongs to another io, of another thread: its wire and its context.
     * NULL: it cannot. */
    void (*move)(void *session, wshub_tls_wire *wire, void *context);
} wshub_tls_engine;

/* Takes at most count bytes that have arrived. Returns how many; 0: there are none. */
WSHUB_API size_t wshub_tls_take(wshub_tls_wire *wire, uint8_t *bytes, size_t count);
/* Takes count bytes to be sent. False: out of memory, and none was taken. */
WSHUB_API bool wshub_tls_put(wshub_tls_wire *wire, const uint8_t *bytes, size_t count);
/* Fills a fault. */
WSHUB_API void wshub_tls_fail(wshub_tls_fault *fault, wshub_tls_failure kind, const char *text);
/* Which pair is for a server name. -1: none may be. */
WSHUB_API int wshub_tls_choose(const wshub_tls_site *site, wshub_str name);
/* Whether a name of a certificate, whose wildcard stands for one label, is for a server name. */
WSHUB_API bool wshub_tls_fits(wshub_str pattern, wshub_str name);
/* Reads PEM from a file, or takes it from the text itself. *out_pem: terminated, to be given to
 * wshub_tls_pem_free(). False: fault says why. */
WSHUB_API bool wshub_tls_pem(const char *text_or_path, char **out_pem, wshub_tls_fault *fault);
WSHUB_API void wshub_tls_pem_free(char *pem);

/* ---- the io ---- */

/* Makes an io over another one.
 *   desc     borrowed
 *   engine   the library; valid for ever
 *   out_tls  the io; given to you, end it with wshub_io_tls_destroy()
 *   why      may be NULL; where it fails: one line that says so, at most why_cap - 1 bytes
 * Returns  OK; PARAM: a field, which the line names; or certificates, keys or roots that cannot be
 *          used; NOMEM; IO: no randomness.
 * Thread   the one that it will belong to. */
WSHUB_API wshub_err wshub_io_tls_create_versioned(const wshub_io_tls_desc *desc, size_t desc_bytes,
                                                  uint32_t version, const wshub_tls_engine *engine,
                                                  wshub_io_tls **out_tls, char *why,
                                                  size_t why_cap);
/* Ends it, after its hub and its guests, and before the io below. NULL: nothing. Thread: its own;
 * not in callbacks. */
WSHUB_API void wshub_io_tls_destroy(wshub_io_tls *tls);
/* Returns the table for wshub_desc.io, valid as long as tls. */
WSHUB_API const wshub_io *wshub_io_tls_io(wshub_io_tls *tls);
/* Reads all certificates, keys and roots again: new handshakes get the new ones, with version_min,
 * clients and on_name as they are now; streams that are there keep theirs. The limits and clocks
 * stay as they were.
 *   desc  borrowed; io is not looked at. ticket_keys NULL: the keys stay
 * Returns  OK; PARAM or NOMEM: all is as it was, and wshub_io_tls_error() says why.
 * Thread   its own; callbacks too. Cost: the files are read. */
WSHUB_API wshub_err wshub_io_tls_reload(wshub_io_tls *tls, const wshub_io_tls_desc *desc);
/* Returns one line on what failed last; "" if nothing did. A view, valid until the next call. */
WSHUB_API const char *wshub_io_tls_error(const wshub_io_tls *tls);
/* Writes all counters. */
WSHUB_API void wshub_io_tls_stats_get(const wshub_io_tls *tls, wshub_io_tls_stats *out_stats);
/* Returns what a failure is called, and what it means; constant texts; "" for what is none. */
WSHUB_API const char *wshub_tls_failure_name(wshub_tls_failure failure);
WSHUB_API const char *wshub_tls_failure_help(wshub_tls_failure failure);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_TLS_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_TLS_IMPLEMENTATION)) &&                     \
    !defined(WSHUB__IO_TLS_DONE)
#define WSHUB__IO_TLS_DONE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef WSHUB_ASSERT /* of its own .c file, without the implementation of wshub.h */
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define WSHUB_IO_TLS__RECORD 16384u /* RFC 8446 5.1: the most that one holds */
#define WSHUB_IO_TLS__PLAIN 65536u
#define WSHUB_IO_TLS__AHEAD 65536u /* records that are made before the io below is asked */
#define WSHUB_IO_TLS__GUESTS 16u
#define WSHUB_IO_TLS__HEAD 6u /* a record's head, and the first byte of what it holds */
#define WSHUB_IO_TLS__PEM_MAX (1u << 24)

typedef enum wshub_io_tls__state {
    WSHUB_IO_TLS__DIALLING,
    WSHUB_IO_TLS__PLAINLY,
    WSHUB_IO_TLS__HELLO,
    WSHUB_IO_TLS__OPEN,
    WSHUB_IO_TLS__HALF,
    WSHUB_IO_TLS__ENDING,
    WSHUB_IO_TLS__FAILED,
    WSHUB_IO_TLS__GONE,
    WSHUB_IO_TLS__STATES
} wshub_io_tls__state;

/* Bytes on their way; `at` of them are done with. */
typedef struct wshub_io_tls__bytes {
    uint8_t *ptr;
    size_t at, len, cap;
} wshub_io_tls__bytes;

/* An owner of ours: the attached one, or a guest; its address is the ctx that the io below has. */
typedef struct wshub_io_tls__side {
    wshub_io_tls *tls;
    wshub_io_owner owner;
    bool on;
} wshub_io_tls__side;

typedef struct wshub_io_tls__stream wshub_io_tls__stream;
typedef struct wshub_io_tls__queue { /* streams in the order of their deadlines */
    wshub_io_tls__stream *first, *last;
} wshub_io_tls__queue;

struct wshub_io_tls__stream {
    wshub_conn conn;
    wshub_io_tls__side *side;
    wshub_tls_site *site; /* what the session was made from; NULL: there is none */
    void *session;
    char *name;                 /* a client's: whom it wants */
    char *said;                 /* a client's: why it has failed, for closed(); NULL: it has not */
    wshub_io_tls__bytes in;     /* arrived, and not opened since it is paused, or TLS begins */
    wshub_io_tls__bytes out;    /* records that the io below has not taken */
    wshub_io_tls__bytes flight; /* that it has taken and not sent: it reads them there */
    size_t pends; /* bytes of the owner's own, in the clear, that the io below sends yet */
    uint64_t deadline;
    wshub_io_tls__queue *queue; /* it is in this one */
    wshub_io_tls__stream *before, *after;
    wshub_io_tls__stream *next; /* of those that are owed a report, or are dead */
    uint8_t head[WSHUB_IO_TLS__HEAD];
    uint8_t head_len;
    uint8_t state;  /* wshub_io_tls__state */
    uint8_t verify; /* a client's */
    bool client, secure;
    bool told;       /* its owner knows of it, and gets closed() */
    bool paused;     /* by its owner */
    bool blocked;    /* a send was short: drained() is owed */
    bool left;       /* in the clear: its owner has ended it */
    bool owed;       /* it is in the list of those whose bytes wait to be opened, or who begin */
    bool fin;        /* the io below has told of its end: while bytes waited, or in the clear */
    bool flushed;    /* ENDING: the io below was told */
    bool peer_ended; /* its close_notify has come, or, behind ours, the end below */
    bool dead;
};

struct wshub_io_tls {
    wshub_io io; /* the table, for our owners */
    wshub_io below;
    const wshub_tls_engine *engine;
    wshub_io_tls_desc desc; /* numbers and callbacks; no texts */
    char *plain_listener;
    wshub_tls_site *server, *client; /* NULL: does not serve; has not dialled yet */
    char *roots, *own_cert, *own_key;
    wshub_io_tls__side sides[1 + WSHUB_IO_TLS__GUESTS]; /* the first is the attached owner */
    wshub_io_tls__stream **streams;                     /* by the low half of a conn */
    size_t streams_cap;
    wshub_io_tls__queue shaking, lingering;
    wshub_io_tls__stream *owed, *dead;
    wshub_tls_wire wire;
    uint8_t *plain;     /* what was opened */
    uint8_t *joined;    /* small spans, for one record */
    uint32_t depth;     /* reports that we are inside of */
    uint8_t secret[16]; /* in front of what another loop hands over */
    wshub_io_tls_stats stats;
    bool error_ours; /* what failed last failed here, not below */
    char error[448];
};

/* ---- bytes ---- */

static void wshub_io_tls__bytes_free(wshub_io_tls__bytes *b) {
    free(b->ptr);
    memset(b, 0, sizeof *b);
}

/* Makes room for more behind what is there. */
static bool wshub_io_tls__bytes_room(wshub_io_tls__bytes *b, size_t more) {
    size_t cap = b->len + more;
    uint8_t *p;

    WSHUB_ASSERT(b->at <= b->len && b->len <= b->cap);
    if (cap <= b->cap) return true;
    if (b->cap && cap < b->cap * 2) cap = b->cap * 2;
    p = (uint8_t *)realloc(b->ptr, cap);
    if (!p) return false;
    b->ptr = p;
    b->cap = cap;
    return true;
}
static bool wshub_io_tls__bytes_add(wshub_io_tls__bytes *b, const uint8_t *bytes, size_t count) {
    if (!wshub_io_tls__bytes_room(b, count)) return false;
    memcpy(b->ptr + b->len, bytes, count);
    b->len += count;
    return true;
}

WSHUB_API size_t wshub_tls_take(wshub_tls_wire *wire, uint8_t *bytes, size_t count) {
    size_t n = count < wire->in_len ? count : wire->in_len;

    if (!n) return 0;
    WSHUB_ASSERT(wire->in);
    memcpy(bytes, wire->in, n);
    wire->in += n;
    wire->in_len -= n;
    return n;
}
WSHUB_API bool wshub_tls_put(wshub_tls_wire *wire, const uint8_t *bytes, size_t count) {
    size_t cap = wire->out_len + count;
    uint8_t *p;

    WSHUB_ASSERT(wire->out_len <= wire->out_cap);
    if (cap > wire->out_cap) {
        if (cap < 2 * wire->out_cap) cap = 2 * wire->out_cap;
        if (cap < 4096) cap = 4096;
        p = (uint8_t *)realloc(wire->out, cap);
        if (!p) return false;
        wire->out = p;
        wire->out_cap = cap;
    }
    memcpy(wire->out + wire->out_len, bytes, count);
    wire->out_len += count;
    return true;
}
WSHUB_API void wshub_tls_fail(wshub_tls_fault *fault, wshub_tls_failure kind, const char *text) {
    fault->kind = kind;
    (void)snprintf(fault->text, sizeof fault->text, "%s", text);
}

#define WSHUB__X(name, counter, text) #counter,
static const char *const wshub_tls__failure_names[] = {WSHUB_TLS_FAILURES(WSHUB__X)};
#undef WSHUB__X
#define WSHUB__X(name, counter, text) text,
static const char *const wshub_tls__failure_helps[] = {WSHUB_TLS_FAILURES(WSHUB__X)};
#undef WSHUB__X
WSHUB_API const char *wshub_tls_failure_name(wshub_tls_failure failure) {
    return (unsigned)failure < WSHUB_TLS_FAIL_COUNT ? wshub_tls__failure_names[failure] : "";
}
WSHUB_API const char *wshub_tls_failure_help(wshub_tls_failure failure) {
    return (unsigned)failure < WSHUB_TLS_FAIL_COUNT ? wshub_tls__failure_helps[failure] : "";
}

/* ---- names, PEM, addresses ---- */

static bool wshub_io_tls__same(const char *a, const char *b, size_t count) {
    size_t i;

    for (i = 0; i < count; i++) {
        char x = a[i], y = b[i];
        if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
        if (x != y) return false;
    }
    return true;
}

WSHUB_API bool wshub_tls_fits(wshub_str pattern, wshub_str name) {
    size_t n = pattern.len, label = 0;

    if (!n || !name.len) return false;
    if (pattern.ptr[0] != '*') return n == name.len && wshub_io_tls__same(pattern.ptr, name.ptr, n);
    while (label < name.len && name.ptr[label] != '.') label++;
    return n > 2 && label > 0 && name.len - label == n - 1 &&
           wshub_io_tls__same(pattern.ptr + 1, name.ptr + label, n - 1);
}

WSHUB_API int wshub_tls_choose(const wshub_tls_site *site, wshub_str name) {
    size_t i;
    int wild = 0;

    if (name.len && name.ptr[name.len - 1] == '.') name.len--;
    if (site->on_name) {
        int chosen;
        if (!name.ptr) name.ptr = "";
        chosen = site->on_name(name, site->user);
        return chosen >= 0 && (size_t)chosen < site->names_count ? chosen : -1;
    }
    for (i = 0; i < site->names_count; i++) {
        wshub_str pattern;
        pattern.ptr = site->names[i];
        pattern.len = strlen(site->names[i]);
        if (!wshub_tls_fits(pattern, name)) continue;
        if (site->names[i][0] != '*') return (int)i;
        if (!wild) wild = (int)i;
    }
    return wild;
}

static char *wshub_io_tls__copy(const char *text) {
    size_t n = strlen(text) + 1;
    char *copy = (char *)malloc(n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

/* A file's bytes, terminated; at most PEM_MAX. */
static char *wshub_io_tls__file(FILE *f) {
    wshub_io_tls__bytes b;
    size_t n;

    memset(&b, 0, sizeof b);
    do {
        if (b.len > WSHUB_IO_TLS__PEM_MAX || !wshub_io_tls__bytes_room(&b, 8193)) {
            wshub_io_tls__bytes_free(&b);
            return NULL;
        }
        n = fread(b.ptr + b.len, 1, 8192, f);
        b.len += n;
    } while (n);
    b.ptr[b.len] = 0;
    return (char *)b.ptr;
}

WSHUB_API bool wshub_tls_pem(const char *text_or_path, char **out_pem, wshub_tls_fault *fault) {
    FILE *f;
    *out_pem = NULL;
    fault->kind = WSHUB_TLS_FAIL_MEMORY;
    if (strstr(text_or_path, "-----BEGIN")) {
        *out_pem = wshub_io_tls__copy(text_or_path);
    } else {
        f = fopen(text_or_path, "rb");
        if (!f) {
            fault->kind = WSHUB_TLS_FAIL_UNTRUSTED;
            (void)snprintf(fault->text, sizeof fault->text, "cannot read the file %.150s",
                           text_or_path);
            return false;
        }
        *out_pem = wshub_io_tls__file(f);
        (void)fclose(f);
    }

    if (!*out_pem)
        wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory, or a file too long");
    return *out_pem != NULL;
}

/* Overwrites a secret that is about to be freed: no compiler leaves that out. */
static void wshub_io_tls__wipe(void *secret, size_t bytes) {
    volatile uint8_t *p = (volatile uint8_t *)secret;
    while (bytes--) *p++ = 0;
}

/* It may have been a key. */
WSHUB_API void wshub_tls_pem_free(char *pem) {
    if (pem) wshub_io_tls__wipe(pem, strlen(pem));
    free(pem);
}

/* The host of `host:port` or `[v6]:port`, without a dot at its end; NULL: no memory. A path has
 * none: "". */
static char *wshub_io_tls__host(const char *address) {
    const char *from = address, *to = strrchr(address, ':');
    char *host;
    size_t n;

    if (*address == '/' || *address == '.') return wshub_io_tls__copy("");
    if (!to) to = address + strlen(address);
    if (*from == '[') {
        from++;
        to = strchr(from, ']') ? strchr(from, ']') : to;
    }
    n = (size_t)(to - from);
    host = (char *)malloc(n + 1);
    if (!host) return NULL;
    memcpy(host, from, n);
    host[n] = 0;
    return host;
}
/* A name as certificates bear it. */
static char *wshub_io_tls__wanted_name(const wshub_dial *dial) {
    char *name = dial->server_name ? wshub_io_tls__copy(dial->server_name)
                                   : wshub_io_tls__host(dial->address);
    size_t n = name ? strlen(name) : 0;
    if (n && name[n - 1] == '.') name[n - 1] = 0;
    return name;
}
/* No name of the DNS has a colon, or ends in a label of digits alone. */
static bool wshub_io_tls__is_address(const char *name) {
    const char *last = strrchr(name, '.');
    if (strchr(name, ':')) return true;
    last = last ? last + 1 : name;
    return *last && last[strspn(last, "0123456789")] == 0;
}

/* ---- sites: what sessions are made from ---- */

static void wshub_io_tls__site_free(wshub_io_tls *tls, wshub_tls_site *site) {
    size_t i;

    if (!site) return;
    WSHUB_ASSERT(site->refs > 0);
    if (--site->refs) return;
    if (site->context) tls->engine->context_free(site->context);
    for (i = 0; site->names && i < site->names_count; i++) free(site->names[i]);
    free(site->names);
    if (site->ticket_keys)
        wshub_io_tls__wipe(site->ticket_keys, site->ticket_keys_count * WSHUB_TLS_TICKET_KEY_BYTES);
    free(site->ticket_keys);
    free(site);
}

static bool wshub_io_tls__site_names(wshub_tls_site *site, const wshub_io_tls_desc *desc) {
    size_t i;

    site->names = (char **)calloc(desc->pairs_count + 1, sizeof *site->names);
    if (!site->names) return false;
    site->names_count = desc->pairs_count;
    for (i = 0; i < desc->pairs_count; i++) {
        site->names[i] = wshub_io_tls__copy(desc->pairs[i].name ? desc->pairs[i].name : "");
        if (!site->names[i]) return false;
    }
    return true;
}

/* Keys for tickets: those given, those of before, or one that is random. */
static wshub_err wshub_io_tls__site_keys(wshub_io_tls *tls, wshub_tls_site *site,
                                         const wshub_io_tls_desc *desc) {
    const uint8_t *given = desc->ticket_keys;
    size_t count = desc->ticket_keys_count, bytes;

    if (desc->no_tickets) return WSHUB_OK;
    if (!count && tls->server && tls->server->ticket_keys_count) {
        given = tls->server->ticket_keys;
        count = tls->server->ticket_keys_count;
    }
    bytes = (count ? count : 1) * WSHUB_TLS_TICKET_KEY_BYTES;
    site->ticket_keys = (uint8_t *)malloc(bytes);
    if (!site->ticket_keys) return WSHUB_ERR_NOMEM;
    site->ticket_keys_count = count ? count : 1;
    if (count) memcpy(site->ticket_keys, given, bytes);
    if (!count && !tls->below.random(tls->below.ctx, site->ticket_keys, bytes)) return WSHUB_ERR_IO;
    return WSHUB_OK;
}

static wshub_err wshub_io_tls__site_make(wshub_io_tls *tls, const wshub_io_tls_desc *desc,
                                         bool client, wshub_tls_site **out_site,
                                         wshub_tls_fault *fault) {
    wshub_tls_site *site = (wshub_tls_site *)calloc(1, sizeof *site);
    wshub_err err = WSHUB_ERR_NOMEM;
    wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory");
    if (!site) return err;

    site->refs = 1;
    site->on_name = desc->on_name;
    site->user = desc->user;
    site->clients = desc->clients;
    site->version_min = desc->version_min ? desc->version_min : 12;

    if (client || (wshub_io_tls__site_names(site, desc) &&
                   (err = wshub_io_tls__site_keys(tls, site, desc)) == WSHUB_OK)) {
        site->context = tls->engine->context(desc, site, client, fault);
        err = fault->kind == WSHUB_TLS_FAIL_MEMORY ? WSHUB_ERR_NOMEM : WSHUB_ERR_PARAM;
    }
    if (!site->context) {
        wshub_io_tls__site_free(tls, site);
        return err;
    }

    *out_site = site;
    return WSHUB_OK;
}

/* What dialling needs is made when somebody dials: the roots of a system are many. */
static wshub_err wshub_io_tls__dials(wshub_io_tls *tls, wshub_tls_fault *fault) {
    wshub_io_tls_desc desc = tls->desc;
    wshub_tls_pair own;

    if (tls->client) return WSHUB_OK;
    own.name = NULL;
    own.cert = tls->own_cert;
    own.key = tls->own_key;
    desc.roots = tls->roots;
    desc.own = tls->own_cert ? &own : NULL;
    return wshub_io_tls__site_make(tls, &desc, true, &tls->client, fault);
}

/* ---- streams ---- */

/* Which changes of a state there are: from it (the row) to others (bits). */
static void wshub_io_tls__to(wshub_io_tls__stream *s, wshub_io_tls__state to) {
#define WSHUB_IO_TLS__BIT(x) (1u << WSHUB_IO_TLS__##x)
    static const unsigned may[WSHUB_IO_TLS__STATES] = {
        /* DIALLING */ WSHUB_IO_TLS__BIT(PLAINLY) | WSHUB_IO_TLS__BIT(HELLO) |
            WSHUB_IO_TLS__BIT(GONE),
        /* PLAINLY */ WSHUB_IO_TLS__BIT(HELLO) | WSHUB_IO_TLS__BIT(GONE),
        /* HELLO */ WSHUB_IO_TLS__BIT(OPEN) | WSHUB_IO_TLS__BIT(FAILED) | WSHUB_IO_TLS__BIT(GONE),
        /* OPEN */ WSHUB_IO_TLS__BIT(HALF) | WSHUB_IO_TLS__BIT(ENDING) | WSHUB_IO_TLS__BIT(FAILED) |
            WSHUB_IO_TLS__BIT(GONE),
        /* HALF */ WSHUB_IO_TLS__BIT(ENDING) | WSHUB_IO_TLS__BIT(FAILED) | WSHUB_IO_TLS__BIT(GONE),
        /* ENDING */ WSHUB_IO_TLS__BIT(GONE),
        /* FAILED */ WSHUB_IO_TLS__BIT(GONE),
        /* GONE */ 0,
    };
#undef WSHUB_IO_TLS__BIT
    WSHUB_ASSERT(may[s->state] & (1u << to));
    (void)may; /* without assertions */
    s->state = (uint8_t)to;
}

static wshub_io_tls__stream *wshub_io_tls__find(const wshub_io_tls *tls, wshub_conn conn) {
    size_t at = (size_t)(uint32_t)conn.id;
    wshub_io_tls__stream *s = at < tls->streams_cap ? tls->streams[at] : NULL;
    return s && s->conn.id == conn.id ? s : NULL;
}

/* The same for an owner, which knows only of those that it was told of, or dialled. */
static wshub_io_tls__stream *wshub_io_tls__known(const wshub_io_tls *tls, wshub_conn conn) {
    wshub_io_tls__stream *s = wshub_io_tls__find(tls, conn);
    return s && s->told ? s : NULL;
}

/* Room in the table for a number. */
static bool wshub_io_tls__table_room(wshub_io_tls *tls, wshub_conn conn) {
    size_t at = (size_t)(uint32_t)conn.id, cap = tls->streams_cap ? tls->streams_cap : 64;
    wshub_io_tls__stream **p;

    if (at < tls->streams_cap) return true;
    while (cap <= at) cap *= 2;
    p = (wshub_io_tls__stream **)realloc(tls->streams, cap * sizeof *p);
    if (!p) return false;
    memset(p + tls->streams_cap, 0, (cap - tls->streams_cap) * sizeof *p);
    tls->streams = p;
    tls->streams_cap = cap;
    return true;
}

static wshub_io_tls__stream *wshub_io_tls__add(wshub_io_tls__side *side, wshub_conn conn,
                                               wshub_io_tls__stream *s) {
    wshub_io_tls *tls = side->tls;

    if (!s) s = (wshub_io_tls__stream *)calloc(1, sizeof *s);
    if (!s || !wshub_io_tls__table_room(tls, conn)) {
        if (s) free(s->name);
        free(s);
        return NULL;
    }
    WSHUB_ASSERT(!tls->streams[(uint32_t)conn.id]);
    s->conn = conn;
    s->side = side;
    tls->streams[(uint32_t)conn.id] = s;
    return s;
}

/* Clocks. All in one queue wait equally long, so who comes last is due last. */
static void wshub_io_tls__unqueue(wshub_io_tls__stream *s) {
    wshub_io_tls__queue *q = s->queue;

    if (!q) return;
    if (s->before) s->before->after = s->after;
    if (s->after) s->after->before = s->before;
    if (q->first == s) q->first = s->after;
    if (q->last == s) q->last = s->before;
    s->before = s->after = NULL;
    s->queue = NULL;
}
static void wshub_io_tls__enqueue(wshub_io_tls *tls, wshub_io_tls__queue *q,
                                  wshub_io_tls__stream *s, uint32_t ms) {
    WSHUB_ASSERT(!s->dead && s->state != WSHUB_IO_TLS__GONE);
    wshub_io_tls__unqueue(s);
    s->deadline = tls->below.now_ms(tls->below.ctx) + ms;
    WSHUB_ASSERT(!q->last || q->last->deadline <= s->deadline);
    s->queue = q;
    s->before = q->last;
    if (q->last) q->last->after = s;
    q->last = s;
    if (!q->first) q->first = s;
}

/* What a stream needs only while it talks. */
static void wshub_io_tls__release(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (s->session) tls->engine->end(s->session);
    if (s->site) wshub_io_tls__site_free(tls, s->site);
    s->session = NULL;
    s->site = NULL;
    wshub_io_tls__bytes_free(&s->in);
}

static void wshub_io_tls__shaken(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (s->queue == &tls->shaking) {
        WSHUB_ASSERT(tls->stats.under_way > 0);
        tls->stats.under_way--;
    }
    wshub_io_tls__unqueue(s);
}

/* Takes it out of the table; it is freed when nobody can be looking at it any more. */
static void wshub_io_tls__forget(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    WSHUB_ASSERT(tls->streams[(uint32_t)s->conn.id] == s && !s->dead);
    tls->streams[(uint32_t)s->conn.id] = NULL;
    wshub_io_tls__shaken(tls, s);
    wshub_io_tls__release(tls, s);
    s->dead = true;
    if (s->state != WSHUB_IO_TLS__GONE) wshub_io_tls__to(s, WSHUB_IO_TLS__GONE);
    if (s->owed) return; /* that list finds it */
    s->next = tls->dead;
    tls->dead = s;
}
static void wshub_io_tls__bury(wshub_io_tls *tls) {
    while (tls->dead) {
        wshub_io_tls__stream *s = tls->dead;
        tls->dead = s->next;
        wshub_io_tls__bytes_free(&s->out);
        wshub_io_tls__bytes_free(&s->flight);
        free(s->name);
        free(s->said);
        free(s);
    }
}

/* Whether it was in the clear, and its handshake has not begun: it does when the io below has sent
 * all that was said before. */
static bool wshub_io_tls__begins(const wshub_io_tls__stream *s) {
    return s->client && s->state == WSHUB_IO_TLS__HELLO && !s->session;
}

/* ---- what holds between two calls ---- */

#if defined(WSHUB_SELF_CHECK) && !defined(NDEBUG)
enum { WSHUB_IO_TLS__CHECKED = 256 }; /* places for streams up to which all are looked at */

/* A stream has what its state says: a session while it talks, a clock while somebody owes us
 * something, bytes that wait to be opened only while they are read. */
static void wshub_io_tls__stream_check(const wshub_io_tls *tls, const wshub_io_tls__stream *s) {
    unsigned state = s->state;
    bool talks = state == WSHUB_IO_TLS__OPEN || state == WSHUB_IO_TLS__HALF;

    WSHUB_ASSERT(!s->dead && s->side->tls == tls && s->side->on);
    WSHUB_ASSERT(!s->client || s->secure);
    WSHUB_ASSERT(s->client || state != WSHUB_IO_TLS__DIALLING || !s->secure);
    WSHUB_ASSERT(!s->secure || state != WSHUB_IO_TLS__PLAINLY);
    WSHUB_ASSERT((s->session != NULL) == (s->site != NULL));
    WSHUB_ASSERT(!s->session || talks || state == WSHUB_IO_TLS__HELLO);
    WSHUB_ASSERT(!talks || s->session);
    WSHUB_ASSERT(s->told || state >= WSHUB_IO_TLS__ENDING || state == WSHUB_IO_TLS__HELLO);
    WSHUB_ASSERT((s->queue == &tls->shaking) == (state == WSHUB_IO_TLS__HELLO));
    WSHUB_ASSERT(s->queue != &tls->lingering || state == WSHUB_IO_TLS__FAILED ||
                 state == WSHUB_IO_TLS__ENDING);
    WSHUB_ASSERT(state != WSHUB_IO_TLS__FAILED || s->queue == &tls->lingering);
    WSHUB_ASSERT(state != WSHUB_IO_TLS__ENDING || s->told || s->queue == &tls->lingering);
    WSHUB_ASSERT(!s->in.len || talks || wshub_io_tls__begins(s));
    WSHUB_ASSERT(!s->pends || state == WSHUB_IO_TLS__PLAINLY || state == WSHUB_IO_TLS__GONE ||
                 wshub_io_tls__begins(s));
    WSHUB_ASSERT(s->in.at <= s->in.len && s->out.at <= s->out.len && s->flight.at <= s->flight.len);
    WSHUB_ASSERT(!s->flushed || state >= WSHUB_IO_TLS__ENDING);
}

/* Who waits for a clock, the soonest first. Returns how many. */
static uint32_t wshub_io_tls__queue_check(const wshub_io_tls__queue *q) {
    const wshub_io_tls__stream *s, *before = NULL;
    uint32_t count = 0;

    for (s = q->first; s; before = s, s = s->after, count++) {
        WSHUB_ASSERT(s->queue == q && s->before == before);
        WSHUB_ASSERT(!before || before->deadline <= s->deadline);
    }
    WSHUB_ASSERT(q->last == before);
    return count;
}

/* All of an io. What one stream has written does not lie in the wire when another's turn comes. */
static void wshub_io_tls__check(const wshub_io_tls *tls) {
    const wshub_io_tls__stream *owed;
    uint32_t waiting = 0, owing = 0;
    size_t i;

    WSHUB_ASSERT(!tls->wire.out_len && !tls->wire.in_len);
    if (tls->streams_cap > WSHUB_IO_TLS__CHECKED) return;
    for (i = 0; i < tls->streams_cap; i++) {
        const wshub_io_tls__stream *s = tls->streams[i];
        if (!s) continue;
        WSHUB_ASSERT((uint32_t)s->conn.id == i);
        wshub_io_tls__stream_check(tls, s);
        waiting += s->queue != NULL;
        owing += s->owed;
    }
    WSHUB_ASSERT(wshub_io_tls__queue_check(&tls->shaking) == tls->stats.under_way);
    WSHUB_ASSERT(tls->stats.under_way + wshub_io_tls__queue_check(&tls->lingering) == waiting);
    for (owed = tls->owed; owed; owed = owed->next) {
        WSHUB_ASSERT(owed->owed);
        if (!owed->dead) owing--;
    }
    WSHUB_ASSERT(!owing);
}
#else
static void wshub_io_tls__check(const wshub_io_tls *tls) {
    (void)tls;
}
#endif

static void wshub_io_tls__leave(wshub_io_tls *tls) {
    WSHUB_ASSERT(tls->depth > 0);
    if (--tls->depth) return;
    wshub_io_tls__bury(tls);
    wshub_io_tls__check(tls);
}

static void wshub_io_tls__owe(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (s->owed) return;
    s->owed = true;
    s->next = tls->owed;
    tls->owed = s;
}

/* ---- out ---- */

static bool wshub_io_tls__waits(const wshub_io_tls__stream *s) {
    return s->out.len || s->flight.len;
}

/* The io below has taken all of a buffer by reference: it is the stream's until it has left. */
static void wshub_io_tls__fly(wshub_io_tls__stream *s, uint8_t *ptr, size_t at, size_t len,
                              size_t cap) {
    WSHUB_ASSERT(!s->flight.len && at < len);
    s->flight.ptr = ptr;
    s->flight.at = at;
    s->flight.len = len;
    s->flight.cap = cap;
}

/* Gives the records of this call to the io below. What it does not take the stream keeps. False:
 * no memory, or too much. */
static bool wshub_io_tls__push(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    wshub_tls_wire *w = &tls->wire;
    size_t len = w->out_len, took = 0;
    wshub_span span;
    int64_t n;

    w->out_len = 0;
    if (!len) return true;
    if (!wshub_io_tls__waits(s)) {
        span.ptr = w->out;
        span.len = len;
        n = tls->below.send(tls->below.ctx, s->conn, &span, 1);
        if (n == WSHUB_IO_PENDING) {
            wshub_io_tls__fly(s, w->out, 0, len, w->out_cap);
            w->out = NULL;
            w->out_cap = 0;
            return true;
        }
        WSHUB_ASSERT(n >= 0 && (size_t)n <= len);
        took = (size_t)n;
    } else if (s->out.len - s->out.at + len > tls->desc.unsent_max) {
        return false;
    }
    return took == len || wshub_io_tls__bytes_add(&s->out, w->out + took, len - took);
}

/* Goes on with what waits. True: nothing does any more. */
static bool wshub_io_tls__resume(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    wshub_span span;
    int64_t n;

    if (s->flight.len) return false;
    if (!s->out.len) return true;
    span.ptr = s->out.ptr + s->out.at;
    span.len = s->out.len - s->out.at;
    n = tls->below.send(tls->below.ctx, s->conn, &span, 1);
    if (n == WSHUB_IO_PENDING) {
        wshub_io_tls__fly(s, s->out.ptr, s->out.at, s->out.len, s->out.cap);
        memset(&s->out, 0, sizeof s->out);
        return false;
    }
    WSHUB_ASSERT(n >= 0 && (size_t)n <= span.len);
    s->out.at += (size_t)n;
    if (s->out.at < s->out.len) return false;
    wshub_io_tls__bytes_free(&s->out);
    return true;
}

/* ---- ends ---- */

/* Closes it below, at once. */
static void wshub_io_tls__drop(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (s->state == WSHUB_IO_TLS__GONE) return;
    wshub_io_tls__shaken(tls, s);
    wshub_io_tls__to(s, WSHUB_IO_TLS__GONE);
    wshub_io_tls__release(tls, s);
    tls->below.close(tls->below.ctx, s->conn, false);
}

static void wshub_io_tls__say(wshub_io_tls *tls, wshub_io_tls__stream *s, const char *text) {
    wshub_about about;
    int n = 0;

    memset(&about, 0, sizeof about);
    if (tls->below.about) (void)tls->below.about(tls->below.ctx, s->conn, &about);
    if (s->name && *s->name) {
        (void)snprintf(tls->error, sizeof tls->error, "TLS with %.100s: %s", s->name, text);
    } else {
        if (about.peer.ptr) n = (int)(about.peer.len < 100 ? about.peer.len : 100);
        (void)snprintf(tls->error, sizeof tls->error, "TLS with %.*s: %s", n,
                       about.peer.ptr ? about.peer.ptr : "", text);
    }
    tls->error_ours = true;
    if (s->client && !s->said) s->said = wshub_io_tls__copy(tls->error);
    if (tls->desc.on_error) tls->desc.on_error(tls->error, tls->desc.user);
}

/* Inside closed() error() says why this stream failed, whatever has failed meanwhile. */
static void wshub_io_tls__say_again(wshub_io_tls *tls, const wshub_io_tls__stream *s) {
    if (!s->said) return;
    (void)snprintf(tls->error, sizeof tls->error, "%s", s->said);
    tls->error_ours = true;
}

/* It failed: our alert, if there is one, leaves, and a short clock runs for the peer's end. */
static void wshub_io_tls__fail(wshub_io_tls *tls, wshub_io_tls__stream *s,
                               const wshub_tls_fault *fault) {
    char text[300];
    bool sent;

    if (s->state >= WSHUB_IO_TLS__ENDING) return;
    (void)snprintf(text, sizeof text, "%s: %s", wshub_tls_failure_help(fault->kind), fault->text);
    if (!fault->text[0])
        (void)snprintf(text, sizeof text, "%s", wshub_tls_failure_help(fault->kind));
    tls->stats.failed[fault->kind]++;
    wshub_io_tls__say(tls, s, text);
    sent = tls->wire.out_len > 0;
    if (!sent || !wshub_io_tls__push(tls, s) || wshub_io_tls__waits(s)) {
        tls->wire.out_len = 0;
        wshub_io_tls__drop(tls, s);
        return;
    }
    wshub_io_tls__shaken(tls, s);
    wshub_io_tls__to(s, WSHUB_IO_TLS__FAILED);
    wshub_io_tls__release(tls, s);
    wshub_io_tls__enqueue(tls, &tls->lingering, s, tls->desc.linger_ms);
    tls->below.close(tls->below.ctx, s->conn, true);
}
static void wshub_io_tls__fail_as(wshub_io_tls *tls, wshub_io_tls__stream *s,
                                  wshub_tls_failure kind) {
    wshub_tls_fault fault;
    fault.kind = kind;
    fault.text[0] = 0;
    wshub_io_tls__fail(tls, s, &fault);
}

/* What a call of the engine has written leaves. False: the stream has failed. */
static bool wshub_io_tls__emit(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (wshub_io_tls__push(tls, s)) return true;
    wshub_io_tls__fail_as(tls, s,
                          wshub_io_tls__waits(s) ? WSHUB_TLS_FAIL_UNSENT : WSHUB_TLS_FAIL_MEMORY);
    return false;
}

/* ENDING: our close_notify, and the end below when it has left. */
static void wshub_io_tls__finish(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (s->flushed || wshub_io_tls__waits(s)) return;
    s->flushed = true;
    tls->below.close(tls->below.ctx, s->conn, true);
}

/* Both sides have ended: its owner hears that it is closed, and what waits leaves without it, as
 * long as there is progress. Its number is taken until the io below says closed, too. */
static void wshub_io_tls__part(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    const wshub_io_owner *o = &s->side->owner;
    WSHUB_ASSERT(s->told && s->peer_ended);
    if (s->state == WSHUB_IO_TLS__ENDING)
        wshub_io_tls__enqueue(tls, &tls->lingering, s, tls->desc.linger_ms);
    s->told = false;
    if (s->side->on) o->closed(o->ctx, s->conn);
}

/* Our end: close_notify behind all that was sent. */
static void wshub_io_tls__end(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    WSHUB_ASSERT(s->session && !tls->wire.out_len);
    tls->engine->close(s->session);
    if (!wshub_io_tls__emit(tls, s)) return;
    wshub_io_tls__to(s, WSHUB_IO_TLS__ENDING);
    wshub_io_tls__release(tls, s);
    wshub_io_tls__finish(tls, s);
    if (!s->flushed && s->peer_ended) wshub_io_tls__owe(tls, s); /* its owner: closed() */
}

/* The peer says no more. */
static void wshub_io_tls__half(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    const wshub_io_owner *o = &s->side->owner;

    if (s->state != WSHUB_IO_TLS__OPEN) return;
    wshub_io_tls__to(s, WSHUB_IO_TLS__HALF);
    s->peer_ended = true;
    if (o->ended) {
        if (s->side->on) o->ended(o->ctx, s->conn);
        return;
    }
    wshub_io_tls__end(tls, s);
    wshub_io_tls__part(tls, s);
}
/* The io below has ended and said no close_notify. */
static void wshub_io_tls__cut(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (s->state == WSHUB_IO_TLS__HELLO) {
        wshub_io_tls__fail_as(tls, s, WSHUB_TLS_FAIL_CUT);
    } else if (s->state == WSHUB_IO_TLS__OPEN) {
        tls->stats.truncated++;
        wshub_io_tls__drop(tls, s);
    }
}

/* ---- in ---- */

/* One step of the handshake with what is there to read. */
static int64_t wshub_io_tls__call(wshub_io_tls *tls, wshub_io_tls__stream *s, wshub_span *in) {
    wshub_tls_fault fault;
    int64_t n;

    WSHUB_ASSERT(s->session && s->state == WSHUB_IO_TLS__HELLO);
    WSHUB_ASSERT(!tls->wire.out_len);
    fault.text[0] = 0;
    tls->wire.in = in->ptr;
    tls->wire.in_len = in->len;
    n = tls->engine->handshake(s->session, &fault);
    in->ptr = tls->wire.in;
    in->len = tls->wire.in_len;
    tls->wire.in_len = 0;
    if (n == WSHUB_TLS_FAILED) {
        wshub_io_tls__fail(tls, s, &fault);
    } else if (!wshub_io_tls__emit(tls, s)) {
        n = WSHUB_TLS_FAILED;
    }
    return n;
}

/* Opens records, as many as one report may bring. Returns what the last call said; an alert that
 * it wrote lies in the wire. */
static int64_t wshub_io_tls__open_some(wshub_io_tls *tls, wshub_io_tls__stream *s, wshub_span *in,
                                       size_t *out_len, wshub_tls_fault *fault) {
    int64_t n = 1;

    WSHUB_ASSERT(s->session && !tls->wire.out_len);
    *out_len = 0;
    fault->text[0] = 0;
    while (n > 0 && WSHUB_IO_TLS__PLAIN - *out_len >= WSHUB_IO_TLS__RECORD) {
        tls->wire.in = in->ptr;
        tls->wire.in_len = in->len;
        n = tls->engine->read(s->session, tls->plain + *out_len, WSHUB_IO_TLS__RECORD, fault);
        WSHUB_ASSERT(n <= (int64_t)WSHUB_IO_TLS__RECORD);
        in->ptr = tls->wire.in;
        in->len = tls->wire.in_len;
        tls->wire.in_len = 0;
        if (n > 0) *out_len += (size_t)n;
        if (n != WSHUB_TLS_FAILED && !wshub_io_tls__emit(tls, s)) break;
    }
    return n;
}

/* Reports what was opened; before a failure what came ahead of it. Returns n, or FAILED. */
static int64_t wshub_io_tls__deliver(wshub_io_tls *tls, wshub_io_tls__stream *s, size_t len,
                                     int64_t n, const wshub_tls_fault *fault) {
    const wshub_io_owner *o = &s->side->owner;
    uint8_t alert[128];
    size_t alert_len = 0;

    if (n == WSHUB_TLS_FAILED && tls->wire.out_len <= sizeof alert) {
        alert_len = tls->wire.out_len;
        if (alert_len) memcpy(alert, tls->wire.out, alert_len);
    }
    if (n == WSHUB_TLS_FAILED) tls->wire.out_len = 0;
    if (len && s->side->on) o->received(o->ctx, s->conn, tls->plain, len);
    if (n != WSHUB_TLS_FAILED || s->dead || s->state != WSHUB_IO_TLS__OPEN) return n;
    if (alert_len) (void)wshub_tls_put(&tls->wire, alert, alert_len);
    wshub_io_tls__fail(tls, s, fault);
    return n;
}

/* Keeps what a paused stream has not opened. */
static void wshub_io_tls__stash(wshub_io_tls *tls, wshub_io_tls__stream *s, wshub_span in) {
    wshub_io_tls__bytes kept;

    if (s->in.len && in.ptr == s->in.ptr + s->in.len - in.len) { /* it lies there already */
        s->in.at = s->in.len - in.len;
        return;
    }
    memset(&kept, 0, sizeof kept);
    if (!wshub_io_tls__bytes_add(&kept, in.ptr, in.len)) {
        wshub_io_tls__fail_as(tls, s, WSHUB_TLS_FAIL_MEMORY);
        return;
    }
    wshub_io_tls__bytes_free(&s->in);
    s->in = kept;
}

/* Reports what the input holds, until there is no more or the owner wants no more. */
static void wshub_io_tls__read_on(wshub_io_tls *tls, wshub_io_tls__stream *s, wshub_span *in) {
    wshub_tls_fault fault;
    int64_t n = 1;
    size_t len;

    while (n > 0 && s->state == WSHUB_IO_TLS__OPEN && !s->paused) {
        n = wshub_io_tls__open_some(tls, s, in, &len, &fault);
        n = wshub_io_tls__deliver(tls, s, len, n, &fault);
        if (!s->dead && n == WSHUB_TLS_ENDED) wshub_io_tls__half(tls, s);
    }
}

static void wshub_io_tls__wanted(const wshub_io_tls__stream *s, wshub_tls_wanted *out_wanted) {
    out_wanted->name = s->name;
    out_wanted->address = wshub_io_tls__is_address(s->name);
    out_wanted->verify = (wshub_verify)s->verify;
}

/* Makes the session of a stream, of what is there now: all may have been read again since it was
 * dialled, or came in. */
static bool wshub_io_tls__begin(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    wshub_tls_site *site;
    wshub_tls_wanted wanted;
    wshub_tls_fault fault;

    WSHUB_ASSERT(!s->session && !tls->wire.out_len);
    if (s->client && wshub_io_tls__dials(tls, &fault)) {
        wshub_io_tls__fail(tls, s, &fault);
        return false;
    }
    site = s->client ? tls->client : tls->server;
    if (!site) {
        tls->stats.shed++; /* as whoever comes in from now on */
        wshub_io_tls__drop(tls, s);
        return false;
    }
    if (s->client) wshub_io_tls__wanted(s, &wanted);
    s->session = tls->engine->begin(site->context, &tls->wire, s->client ? &wanted : NULL, &fault);
    if (!s->session) {
        wshub_io_tls__fail(tls, s, &fault);
        return false;
    }
    s->site = site;
    site->refs++;
    return true;
}

/* Whether bytes may begin a ClientHello (RFC 8446 4.1.2, 5.1), as far as they go. */
static bool wshub_io_tls__hello(const uint8_t *b, size_t n) {
    if (n > 0 && b[0] != 22) return false;
    if (n > 1 && b[1] != 3) return false;
    if (n > 2 && b[2] > 4) return false;
    if (n > 4 && (b[3] > 64 || (b[3] == 64 && b[4]) || (!b[3] && b[4] < 4))) return false;
    return n <= 5 || b[5] == 1;
}

/* Gathers a server's first bytes. True: its session is there, and has read them. */
static bool wshub_io_tls__head(wshub_io_tls *tls, wshub_io_tls__stream *s, wshub_span *in) {
    WSHUB_ASSERT(!s->client && s->head_len < sizeof s->head);
    while (s->head_len < sizeof s->head && in->len) {
        s->head[s->head_len++] = *in->ptr++;
        in->len--;
    }

    if (!wshub_io_tls__hello(s->head, s->head_len)) {
        bool http = s->head[0] >= 'A' && s->head[0] <= 'Z';
        wshub_tls_fault fault;
        wshub_tls_fail(&fault, WSHUB_TLS_FAIL_NOT_TLS, http ? "plain HTTP on a TLS port" : "");
        wshub_io_tls__fail(tls, s, &fault);
        return false;
    }

    if (s->head_len < sizeof s->head) return false;
    if (wshub_io_tls__begin(tls, s)) {
        wshub_span head;
        head.ptr = s->head;
        head.len = sizeof s->head;
        return wshub_io_tls__call(tls, s, &head) == WSHUB_TLS_MORE;
    }
    return false;
}

/* Goes on with a handshake; behind it the stream is its owner's. */
static void wshub_io_tls__shake(wshub_io_tls *tls, wshub_io_tls__stream *s, wshub_span *in) {
    const wshub_io_owner *o = &s->side->owner;
    wshub_tls_facts facts;

    WSHUB_ASSERT(s->state == WSHUB_IO_TLS__HELLO);
    if (!s->session && !s->client && !wshub_io_tls__head(tls, s, in)) return;
    if (!s->session && s->client && !wshub_io_tls__begin(tls, s)) return;
    if (wshub_io_tls__call(tls, s, in) != 1) return;
    wshub_io_tls__shaken(tls, s);
    wshub_io_tls__to(s, WSHUB_IO_TLS__OPEN);
    s->blocked = false; /* its owner may send: opened() says so */
    tls->stats.handshakes++;
    memset(&facts, 0, sizeof facts);
    tls->engine->facts(s->session, &facts);
    if (facts.resumed) tls->stats.resumed++;
    s->told = true;
    if (s->paused) tls->below.pause(tls->below.ctx, s->conn, true); /* from now on */
    if (s->side->on) o->opened(o->ctx, s->conn);
}

static void wshub_io_tls__feed(wshub_io_tls *tls, wshub_io_tls__stream *s, wshub_span in) {
    if (s->state == WSHUB_IO_TLS__HELLO) wshub_io_tls__shake(tls, s, &in);
    wshub_io_tls__read_on(tls, s, &in);
    if (s->state == WSHUB_IO_TLS__OPEN && in.len) {
        wshub_io_tls__stash(tls, s, in);
    } else {
        wshub_io_tls__bytes_free(&s->in);
        if (s->fin) wshub_io_tls__cut(tls, s);
    }
}

/* Those who go on being heard, and have bytes here, or begin. */
static void wshub_io_tls__pay(wshub_io_tls *tls) {
    while (tls->owed) {
        wshub_io_tls__stream *s = tls->owed;
        WSHUB_ASSERT(s->owed);
        tls->owed = s->next;
        s->owed = false;
        if (s->dead) {
            s->next = tls->dead;
            tls->dead = s;
        } else if (s->state == WSHUB_IO_TLS__ENDING && s->peer_ended && s->told) {
            wshub_io_tls__part(tls, s);
        } else if (wshub_io_tls__begins(s) ? !s->pends
                                           : !s->paused && s->state == WSHUB_IO_TLS__OPEN) {
            wshub_span in;
            in.ptr = s->in.ptr ? s->in.ptr + s->in.at : s->head;
            in.len = s->in.len - s->in.at;
            wshub_io_tls__feed(tls, s, in);
        }
    }
}

/* ---- reports of the io below ---- */

static wshub_io_tls__side *wshub_io_tls__enter(void *ctx) {
    wshub_io_tls__side *side = (wshub_io_tls__side *)ctx;
    side->tls->depth++;
    return side;
}

static bool wshub_io_tls__in_the_clear(wshub_io_tls *tls, wshub_conn conn) {
    wshub_about about;
    size_t n;

    if (!tls->plain_listener || !tls->below.about) return false;
    n = strlen(tls->plain_listener);
    return tls->below.about(tls->below.ctx, conn, &about) && about.listener.ptr &&
           about.listener.len == n && memcmp(about.listener.ptr, tls->plain_listener, n) == 0;
}

/* From here on there is a handshake, and its clock runs. */
static void wshub_io_tls__greet(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    wshub_io_tls__to(s, WSHUB_IO_TLS__HELLO);
    wshub_io_tls__enqueue(tls, &tls->shaking, s, tls->desc.handshake_ms);
    tls->stats.under_way++;
}

/* Somebody comes in. */
static void wshub_io_tls__accept(wshub_io_tls__side *side, wshub_conn conn) {
    wshub_io_tls *tls = side->tls;
    bool clear = wshub_io_tls__in_the_clear(tls, conn);
    wshub_io_tls__stream *s = NULL;

    if (clear || (tls->server && tls->stats.under_way < tls->desc.handshakes_max))
        s = wshub_io_tls__add(side, conn, NULL);
    if (!s) {
        tls->stats.shed++;
        tls->below.close(tls->below.ctx, conn, false);
        return;
    }
    if (clear) {
        wshub_io_tls__to(s, WSHUB_IO_TLS__PLAINLY);
        s->told = true;
        side->owner.opened(side->owner.ctx, conn);
        return;
    }
    s->secure = true;
    wshub_io_tls__greet(tls, s);
}

static void wshub_io_tls__opened(void *ctx, wshub_conn conn) {
    wshub_io_tls__side *side = wshub_io_tls__enter(ctx);
    wshub_io_tls *tls = side->tls;
    wshub_io_tls__stream *s = wshub_io_tls__find(tls, conn);
    wshub_span none;

    none.ptr = NULL;
    none.len = 0;
    if (!s) {
        wshub_io_tls__accept(side, conn);
    } else if (s->state == WSHUB_IO_TLS__DIALLING && !s->secure) {
        wshub_io_tls__to(s, WSHUB_IO_TLS__PLAINLY);
        side->owner.opened(side->owner.ctx, conn);
    } else if (s->state == WSHUB_IO_TLS__DIALLING) {
        wshub_io_tls__greet(tls, s);
        wshub_io_tls__shake(tls, s, &none);
    }
    wshub_io_tls__leave(tls);
}

static void wshub_io_tls__received(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count) {
    wshub_io_tls__side *side = wshub_io_tls__enter(ctx);
    wshub_io_tls *tls = side->tls;
    wshub_io_tls__stream *s = wshub_io_tls__find(tls, conn);
    wshub_span in;

    in.ptr = bytes;
    in.len = count;
    if (s && s->state == WSHUB_IO_TLS__PLAINLY) {
        side->owner.received(side->owner.ctx, conn, bytes, count);
    } else if (s && wshub_io_tls__begins(s) && s->in.len + count > WSHUB_IO_TLS__PLAIN) {
        wshub_io_tls__fail_as(tls, s, WSHUB_TLS_FAIL_RECORD); /* nobody has asked it yet */
    } else if (s && (s->in.len || wshub_io_tls__begins(s))) { /* behind what waits */
        if (!wshub_io_tls__bytes_add(&s->in, bytes, count))
            wshub_io_tls__fail_as(tls, s, WSHUB_TLS_FAIL_MEMORY);
        else if (!s->paused)
            wshub_io_tls__owe(tls, s);
    } else if (s && (s->state == WSHUB_IO_TLS__HELLO || s->state == WSHUB_IO_TLS__OPEN)) {
        wshub_io_tls__feed(tls, s, in);
    }
    wshub_io_tls__leave(tls);
}

static void wshub_io_tls__ended(void *ctx, wshub_conn conn) {
    wshub_io_tls__side *side = wshub_io_tls__enter(ctx);
    wshub_io_tls *tls = side->tls;
    wshub_io_tls__stream *s = wshub_io_tls__find(tls, conn);

    if (s && s->state == WSHUB_IO_TLS__PLAINLY) {
        s->fin = true;
        if (side->owner.ended)
            side->owner.ended(side->owner.ctx, conn);
        else
            wshub_io_tls__drop(tls, s);
    } else if (s && (s->in.len || wshub_io_tls__begins(s))) {
        s->fin = true;
    } else if (s && s->state == WSHUB_IO_TLS__ENDING) {
        s->peer_ended = true;
        if (s->told) wshub_io_tls__part(tls, s);
    } else if (s) {
        wshub_io_tls__cut(tls, s);
    }
    wshub_io_tls__leave(tls);
}

/* There is room below: what waits leaves, then the owner hears of it. */
static void wshub_io_tls__room(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    const wshub_io_owner *o = &s->side->owner;

    if (s->state == WSHUB_IO_TLS__ENDING && !s->told) /* there was progress */
        wshub_io_tls__enqueue(tls, &tls->lingering, s, tls->desc.linger_ms);
    if (s->state != WSHUB_IO_TLS__PLAINLY && !wshub_io_tls__resume(tls, s)) return;
    if (s->state == WSHUB_IO_TLS__ENDING) wshub_io_tls__finish(tls, s);
    if (!s->blocked || s->state == WSHUB_IO_TLS__HELLO || s->state >= WSHUB_IO_TLS__ENDING) return;
    s->blocked = false;
    if (s->side->on) o->drained(o->ctx, s->conn);
}
static void wshub_io_tls__drained(void *ctx, wshub_conn conn) {
    wshub_io_tls__side *side = wshub_io_tls__enter(ctx);
    wshub_io_tls__stream *s = wshub_io_tls__find(side->tls, conn);
    if (s) wshub_io_tls__room(side->tls, s);
    wshub_io_tls__leave(side->tls);
}

static void wshub_io_tls__sent(void *ctx, wshub_conn conn, size_t count) {
    wshub_io_tls__side *side = wshub_io_tls__enter(ctx);
    wshub_io_tls__stream *s = wshub_io_tls__find(side->tls, conn);

    if (s && (s->pends || s->state == WSHUB_IO_TLS__PLAINLY)) {
        WSHUB_ASSERT(count <= s->pends);
        s->pends -= count;
        if (!s->pends && wshub_io_tls__begins(s)) wshub_io_tls__owe(side->tls, s);
        if (side->on) side->owner.sent(side->owner.ctx, conn, count);
    } else if (s && s->flight.len) {
        s->flight.at += count;
        WSHUB_ASSERT(s->flight.at <= s->flight.len);
        if (s->flight.at == s->flight.len) {
            wshub_io_tls__bytes_free(&s->flight);
            wshub_io_tls__room(side->tls, s);
        }
    }
    wshub_io_tls__leave(side->tls);
}

static void wshub_io_tls__closed(void *ctx, wshub_conn conn) {
    wshub_io_tls__side *side = wshub_io_tls__enter(ctx);
    wshub_io_tls *tls = side->tls;
    wshub_io_tls__stream *s = wshub_io_tls__find(tls, conn);

    if (s) {
        bool told = s->told;
        if (s->state == WSHUB_IO_TLS__DIALLING) tls->error_ours = false;
        if (s->state == WSHUB_IO_TLS__HELLO) wshub_io_tls__fail_as(tls, s, WSHUB_TLS_FAIL_CUT);
        if (s->state == WSHUB_IO_TLS__OPEN) tls->stats.truncated++;
        wshub_io_tls__say_again(tls, s);
        wshub_io_tls__forget(tls, s);
        if (told && side->on) side->owner.closed(side->owner.ctx, conn);
    }
    wshub_io_tls__leave(tls);
}

/* ---- time ---- */

static void wshub_io_tls__judge(wshub_io_tls *tls) {
    const wshub_io *io = &tls->below;
    uint64_t heard = io->heard_ms ? io->heard_ms(io->ctx) : io->now_ms(io->ctx);
    wshub_io_tls__stream *s;

    while ((s = tls->shaking.first) != NULL && s->deadline <= heard)
        wshub_io_tls__fail_as(tls, s, WSHUB_TLS_FAIL_LATE);
    while ((s = tls->lingering.first) != NULL && s->deadline <= heard) wshub_io_tls__drop(tls, s);
}

/* When this layer itself wants to be called. */
static uint64_t wshub_io_tls__next(const wshub_io_tls *tls) {
    uint64_t next = WSHUB_NEVER;

    if (tls->owed) return 0;
    if (tls->shaking.first) next = tls->shaking.first->deadline;
    if (tls->lingering.first && tls->lingering.first->deadline < next)
        next = tls->lingering.first->deadline;
    /* due by now, but not heard yet: at once, when what is ready has been reported */
    return next <= tls->below.now_ms(tls->below.ctx) ? 0 : next;
}

static uint64_t wshub_io_tls__settle(void *ctx) {
    wshub_io_tls__side *side = wshub_io_tls__enter(ctx);
    wshub_io_tls *tls = side->tls;
    uint64_t next = WSHUB_NEVER, ours;

    wshub_io_tls__pay(tls);
    wshub_io_tls__judge(tls);
    if (side->on) next = side->owner.settle(side->owner.ctx);
    ours = wshub_io_tls__next(tls);
    wshub_io_tls__leave(tls);
    return ours < next ? ours : next;
}
static uint64_t wshub_io_tls__due(void *ctx) {
    const wshub_io_tls__side *side = (const wshub_io_tls__side *)ctx;
    uint64_t next = WSHUB_NEVER, ours = wshub_io_tls__next(side->tls);
    if (side->on && side->owner.due) next = side->owner.due(side->owner.ctx);
    return ours < next ? ours : next;
}

/* ---- orders of our owners ---- */

static void wshub_io_tls__below_owner(wshub_io_tls__side *side, wshub_io_owner *out) {
    memset(out, 0, sizeof *out);
    out->ctx = side;
    out->opened = wshub_io_tls__opened;
    out->received = wshub_io_tls__received;
    out->ended = wshub_io_tls__ended;
    out->drained = wshub_io_tls__drained;
    out->sent = wshub_io_tls__sent;
    out->closed = wshub_io_tls__closed;
    out->settle = wshub_io_tls__settle;
    out->due = wshub_io_tls__due;
}

/* Says goodbye as far as that goes at once. */
static void wshub_io_tls__goodbye(wshub_io_tls *tls, wshub_io_tls__stream *s) {
    if (!s->session || s->state < WSHUB_IO_TLS__OPEN || wshub_io_tls__waits(s)) return;
    tls->engine->close(s->session);
    (void)wshub_io_tls__push(tls, s);
}

/* An owner has left: the io below closes its streams. */
static void wshub_io_tls__left(wshub_io_tls *tls, wshub_io_tls__side *side) {
    size_t i;

    side->on = false;
    for (i = 0; i < tls->streams_cap; i++) {
        wshub_io_tls__stream *s = tls->streams[i];
        if (s && s->side == side && !wshub_io_tls__waits(s)) wshub_io_tls__goodbye(tls, s);
        if (s && s->side == side) (void)wshub_io_tls__resume(tls, s);
    }
}
static void wshub_io_tls__left_behind(wshub_io_tls *tls, wshub_io_tls__side *side) {
    size_t i;

    tls->depth++;
    for (i = 0; i < tls->streams_cap; i++) {
        if (tls->streams[i] && tls->streams[i]->side == side)
            wshub_io_tls__forget(tls, tls->streams[i]);
    }
    wshub_io_tls__leave(tls);
}

static void wshub_io_tls__attach(void *ctx, const wshub_io_owner *owner) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    wshub_io_tls__side *side = &tls->sides[0];
    wshub_io_owner below;

    if (owner) {
        side->owner = *owner;
        side->on = true;
        wshub_io_tls__below_owner(side, &below);
        tls->below.attach(tls->below.ctx, &below);
    } else if (side->on) {
        wshub_io_tls__left(tls, side);
        tls->below.attach(tls->below.ctx, NULL);
        wshub_io_tls__left_behind(tls, side);
    }
}
static bool wshub_io_tls__taken(void *ctx) {
    const wshub_io_tls *tls = (const wshub_io_tls *)ctx;
    return tls->sides[0].on || (tls->below.taken && tls->below.taken(tls->below.ctx));
}

static wshub_io_tls__side *wshub_io_tls__guest_of(wshub_io_tls *tls, const void *guest_ctx) {
    size_t i;
    for (i = 1; i <= WSHUB_IO_TLS__GUESTS; i++) {
        if (tls->sides[i].on && tls->sides[i].owner.ctx == guest_ctx) return &tls->sides[i];
    }
    return NULL;
}
static wshub_err wshub_io_tls__guest(void *ctx, const wshub_io_owner *owner, bool on) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    wshub_io_tls__side *side = wshub_io_tls__guest_of(tls, owner->ctx);
    wshub_io_owner below;
    wshub_err err;
    size_t i;

    for (i = 1; on && !side && i <= WSHUB_IO_TLS__GUESTS; i++) {
        if (!tls->sides[i].on) side = &tls->sides[i];
    }
    if (!side) return on ? WSHUB_ERR_LIMIT : WSHUB_OK;
    wshub_io_tls__below_owner(side, &below);
    if (!on) wshub_io_tls__left(tls, side);
    err = tls->below.guest(tls->below.ctx, &below, on);
    if (!on) {
        wshub_io_tls__left_behind(tls, side);
    } else if (!err) {
        side->owner = *owner;
        side->on = true;
    }
    return err;
}

/* As dials(), and error() tells why not. */
static wshub_err wshub_io_tls__dials_or_says(wshub_io_tls *tls) {
    wshub_tls_fault fault;
    wshub_err err = wshub_io_tls__dials(tls, &fault);

    if (!err) return WSHUB_OK;
    (void)snprintf(tls->error, sizeof tls->error, "TLS: cannot dial: %s", fault.text);
    tls->error_ours = true;
    return err == WSHUB_ERR_PARAM ? WSHUB_ERR_IO : err;
}

static wshub_err wshub_io_tls__connect(void *ctx, void *guest_ctx, const wshub_dial *dial,
                                       wshub_conn *out_conn) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    wshub_io_tls__side *side = wshub_io_tls__guest_of(tls, guest_ctx);
    wshub_io_tls__stream *s;
    wshub_dial plain;
    wshub_err err;

    if (!side || !dial->address) return WSHUB_ERR_PARAM;
    if (dial->secure && (err = wshub_io_tls__dials_or_says(tls)) != WSHUB_OK) return err;
    s = (wshub_io_tls__stream *)calloc(1, sizeof *s);
    if (!s) return WSHUB_ERR_NOMEM;
    s->secure = s->client = dial->secure;
    s->verify = (uint8_t)dial->verify;
    s->told = true;
    if (dial->secure && !(s->name = wshub_io_tls__wanted_name(dial))) {
        free(s);
        return WSHUB_ERR_NOMEM;
    }
    plain = *dial;
    plain.secure = false;
    plain.server_name = NULL;
    tls->error_ours = false;
    err = tls->below.connect(tls->below.ctx, side, &plain, out_conn);
    if (err) {
        free(s->name);
        free(s);
        return err;
    }
    if (wshub_io_tls__add(side, *out_conn, s)) return WSHUB_OK;
    tls->below.close(tls->below.ctx, *out_conn, false);
    return WSHUB_ERR_NOMEM;
}

/* The handshake begins in the next settle, so that no order reports. */
static wshub_err wshub_io_tls__secure(void *ctx, wshub_conn conn, const wshub_dial *dial,
                                      const uint8_t *bytes, size_t count) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    wshub_io_tls__stream *s = wshub_io_tls__known(tls, conn);
    wshub_err err;

    if (!dial->server_name) return WSHUB_ERR_PARAM;
    if (!s || s->state != WSHUB_IO_TLS__PLAINLY || s->left || s->side == &tls->sides[0])
        return WSHUB_ERR_STALE;
    err = wshub_io_tls__dials_or_says(tls);
    if (err) return err;

    s->name = wshub_io_tls__wanted_name(dial);
    if (!s->name || (count && !wshub_io_tls__bytes_add(&s->in, bytes, count))) {
        free(s->name);
        s->name = NULL;
        return WSHUB_ERR_NOMEM;
    }
    s->secure = s->client = true;
    s->verify = (uint8_t)dial->verify;
    s->blocked = false;
    wshub_io_tls__greet(tls, s);
    if (s->paused) tls->below.pause(tls->below.ctx, conn, false); /* until the handshake is done */
    wshub_io_tls__owe(tls, s);
    return WSHUB_OK;
}

/* The next record's bytes: a large span's own, or small ones joined. Moves *at and *off along. */
static wshub_span wshub_io_tls__gather(wshub_io_tls *tls, const wshub_span *spans, size_t count,
                                       size_t *at, size_t *off) {
    wshub_span r;
    size_t have = 0;

    WSHUB_ASSERT(*at < count && *off <= spans[*at].len);
    r.ptr = spans[*at].ptr + *off;
    r.len = spans[*at].len - *off;
    if (r.len >= WSHUB_IO_TLS__RECORD || *at + 1 == count) {
        if (r.len > WSHUB_IO_TLS__RECORD) r.len = WSHUB_IO_TLS__RECORD;
        *off += r.len;
    } else {
        while (*at < count && have < WSHUB_IO_TLS__RECORD) {
            size_t n = spans[*at].len - *off, room = WSHUB_IO_TLS__RECORD - have;
            if (n > room) n = room;
            if (n) memcpy(tls->joined + have, spans[*at].ptr + *off, n);
            have += n;
            *off += n;
            if (*off < spans[*at].len) break;
            ++*at;
            *off = 0;
        }
        r.ptr = tls->joined;
        r.len = have;
    }
    if (*at < count && *off == spans[*at].len) {
        ++*at;
        *off = 0;
    }
    return r;
}

/* Makes records of spans until the io below takes no more. Returns how much of them went in; -1:
 * the stream has failed. */
static int64_t wshub_io_tls__seal(wshub_io_tls *tls, wshub_io_tls__stream *s,
                                  const wshub_span *spans, size_t count) {
    size_t at = 0, off = 0;
    int64_t took = 0;
    wshub_tls_fault fault;

    WSHUB_ASSERT(s->session && !wshub_io_tls__waits(s));
    WSHUB_ASSERT(!tls->wire.out_len); /* or another stream's would leave here */
    while (at < count) {
        wshub_span r = wshub_io_tls__gather(tls, spans, count, &at, &off);
        if (r.len && tls->engine->write(s->session, r.ptr, r.len, &fault) < 0) {
            wshub_io_tls__fail(tls, s, &fault);
            return -1;
        }
        took += (int64_t)r.len;
        if (at < count && tls->wire.out_len < WSHUB_IO_TLS__AHEAD) continue;
        if (!wshub_io_tls__emit(tls, s)) return -1;
        if (wshub_io_tls__waits(s)) break;
    }
    return took;
}

static int64_t wshub_io_tls__send(void *ctx, wshub_conn conn, const wshub_span *spans,
                                  size_t count) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    wshub_io_tls__stream *s = wshub_io_tls__known(tls, conn);
    int64_t all = 0, took = 0;
    size_t i;

    for (i = 0; i < count; i++) all += (int64_t)spans[i].len;
    if (!s || s->state >= WSHUB_IO_TLS__ENDING) return all;
    if (s->state == WSHUB_IO_TLS__PLAINLY) {
        took = tls->below.send(tls->below.ctx, conn, spans, count);
        if (took == WSHUB_IO_PENDING)
            s->pends = (size_t)all;
        else if (took < all)
            s->blocked = true;
        return took;
    }
    if (s->session && s->state != WSHUB_IO_TLS__HELLO && !wshub_io_tls__waits(s))
        took = wshub_io_tls__seal(tls, s, spans, count);
    if (took < 0) return all;
    if (took < all) s->blocked = true;
    return took;
}

static void wshub_io_tls__close(void *ctx, wshub_conn conn, bool flush) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    wshub_io_tls__stream *s = wshub_io_tls__known(tls, conn);

    if (!s || s->state == WSHUB_IO_TLS__GONE) return;
    s->blocked = false;
    if (s->state == WSHUB_IO_TLS__PLAINLY) {
        s->left = true;
        tls->below.close(tls->below.ctx, conn, flush);
    } else if (flush && (s->state == WSHUB_IO_TLS__OPEN || s->state == WSHUB_IO_TLS__HALF)) {
        wshub_io_tls__end(tls, s);
        /* the peer's end has to be seen meanwhile */
        if (!s->flushed && s->paused && s->state == WSHUB_IO_TLS__ENDING)
            tls->below.pause(tls->below.ctx, conn, false);
    } else if (!flush || s->state < WSHUB_IO_TLS__ENDING) {
        wshub_io_tls__goodbye(tls, s);
        wshub_io_tls__drop(tls, s);
    }
}

static void wshub_io_tls__pause(void *ctx, wshub_conn conn, bool paused) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    wshub_io_tls__stream *s = wshub_io_tls__known(tls, conn);

    if (!s || s->state >= WSHUB_IO_TLS__ENDING) return;
    s->paused = paused;
    if (s->state == WSHUB_IO_TLS__HELLO) return; /* its handshake goes on */
    tls->below.pause(tls->below.ctx, conn, paused);
    if (!paused && s->in.len) wshub_io_tls__owe(tls, s);
}

static bool wshub_io_tls__about(void *ctx, wshub_conn conn, wshub_about *out_about) {
    wshub_io_tls *tls = (wshub_io_tls *)ctx;
    const wshub_io_tls__stream *s = wshub_io_tls__known(tls, conn);
    wshub_tls_facts facts;

    memset(out_about, 0, sizeof *out_about);
    if (!s) return false;
    if (tls->below.about && !tls->below.about(tls->below.ctx, conn, out_about)) return false;
    if (!s->secure) return true;
    out_about->secure = true;
    if (!s->session || s->state == WSHUB_IO_TLS__HELLO) return true;
    memset(&facts, 0, sizeof facts);
    tls->engine->facts(s->session, &facts);
    out_about->alpn = facts.alpn;
    out_about->server_name = facts.server_name;
    out_about->peer_cert = facts.cert;
    out_about->peer_verified = facts.verified;
    if (s->name) {
        out_about->server_name.ptr = s->name;
        out_about->server_name.len = strlen(s->name);
    }
    return true;
}

static uint64_t wshub_io_tls__now(void *ctx) {
    const wshub_io *io = &((wshub_io_tls *)ctx)->below;
    return io->now_ms(io->ctx);
}
static uint64_t wshub_io_tls__wall(void *ctx) {
    const wshub_io *io = &((wshub_io_tls *)ctx)->below;
    return io->wall_ms(io->ctx);
}
static uint64_t wshub_io_tls__heard(void *ctx) {
    const wshub_io *io = &((wshub_io_tls *)ctx)->below;
    return io->heard_ms(io->ctx);
}
static bool wshub_io_tls__random(void *ctx, uint8_t *bytes, size_t count) {
    const wshub_io *io = &((wshub_io_tls *)ctx)->below;
    return io->random(io->ctx, bytes, count);
}
static void wshub_io_tls__wake(void *ctx) {
    const wshub_io *io = &((wshub_io_tls *)ctx)->below;
    io->wake(io->ctx);
}
static void wshub_io_tls__log(void *ctx, wshub_log_level level, const char *line) {
    const wshub_io *io = &((wshub_io_tls *)ctx)->below;
    io->log(io->ctx, level, line);
}
static const char *wshub_io_tls__last_error(void *ctx) {
    const wshub_io_tls *tls = (const wshub_io_tls *)ctx;
    if (tls->error_ours || !tls->below.error) return tls->error;
    return tls->below.error(tls->below.ctx);
}

/* ---- making and ending one ---- */

static void wshub_io_tls__table(wshub_io_tls *tls) {
    wshub_io *io = &tls->io;
    const wshub_io *below = &tls->below;

    io->version = WSHUB_IO_VERSION;
    io->ctx = tls;
    io->attach = wshub_io_tls__attach;
    io->send = wshub_io_tls__send;
    io->close = wshub_io_tls__close;
    io->now_ms = wshub_io_tls__now;
    io->wall_ms = wshub_io_tls__wall;
    io->random = wshub_io_tls__random;
    io->taken = wshub_io_tls__taken;
    io->about = wshub_io_tls__about;
    io->error = wshub_io_tls__last_error;
    if (below->heard_ms) io->heard_ms = wshub_io_tls__heard;
    if (below->wake) io->wake = wshub_io_tls__wake;
    if (below->pause) io->pause = wshub_io_tls__pause;
    if (below->guest) io->guest = wshub_io_tls__guest;
    if (below->guest && below->connect) io->connect = wshub_io_tls__connect;
    if (below->guest && below->connect) io->secure = wshub_io_tls__secure;
    if (below->log) io->log = wshub_io_tls__log;
    io->log_level = below->log_level;
}

static const char *wshub_io_tls__numbers_problem(const wshub_io_tls_desc *d) {
    if (d->version_min && d->version_min != 12 && d->version_min != 13)
        return "version_min: must be 12 or 13, for TLS 1.2 or 1.3, or 0";
    if (d->handshake_ms > 600000)
        return "handshake_ms: must be 1 to 600000; it cannot be off, or a peer that says nothing "
               "could stay for ever";
    if (d->linger_ms > 600000) return "linger_ms: must be 1 to 600000, or 0";
    if (d->unsent_max && (d->unsent_max < 65536 || d->unsent_max > 1u << 30))
        return "unsent_max: must be 65536 to 1073741824, or 0";
    if (d->ticket_keys_count > 8) return "ticket_keys_count: must be 0 to 8";
    if (!d->ticket_keys != !d->ticket_keys_count)
        return "ticket_keys: goes with ticket_keys_count; give both or neither";
    return NULL;
}

static const char *wshub_io_tls__desc_problem(const wshub_io_tls_desc *d,
                                              const wshub_tls_engine *engine) {
    size_t i;
    if (d->version_min == 13 && !engine->tls13) return "version_min: this library has no TLS 1.3";
    if (!d->pairs != !d->pairs_count)
        return "pairs: a list needs its pairs_count, and the other way round";
    for (i = 0; i < d->pairs_count; i++) {
        if (!d->pairs[i].cert || !d->pairs[i].key) return "pairs: each needs cert and key";
    }
    if (d->own && (!d->own->cert || !d->own->key)) return "own: needs cert and key";
    if ((unsigned)d->clients > WSHUB_TLS_CLIENTS_REQUIRE)
        return "clients: must be WSHUB_TLS_CLIENTS_ANY, _ASK or _REQUIRE";
    if (d->clients && !d->client_roots)
        return "client_roots: required where clients is ASK or REQUIRE";
    if (d->client_roots && !d->clients)
        return "client_roots: nobody is asked for a certificate until clients is ASK or REQUIRE";
    return wshub_io_tls__numbers_problem(d);
}

static const char *wshub_io_tls__problem(const wshub_io_tls_desc *d, size_t desc_bytes,
                                         uint32_t version, const wshub_tls_engine *engine) {
    if (!d) return "desc: required";
    if (desc_bytes != sizeof *d || version != WSHUB_IO_TLS_DESC_VERSION)
        return "wshub_io_tls_desc: the program was compiled with another wshub_io_tls.h than the "
               "file that has its implementation; compile both anew with the same one";
    if (!engine || engine->version != WSHUB_TLS_ENGINE_VERSION)
        return "engine: its table is of another wshub_io_tls.h; compile both anew";
    if (!d->io) return "io: required; wshub_io_sock_io() gives one";
    if (d->io->version != WSHUB_IO_VERSION) return "io: its table is of another wshub.h";
    return wshub_io_tls__desc_problem(d, engine);
}

static void wshub_io_tls__defaults(wshub_io_tls_desc *d) {
    if (!d->handshake_ms) d->handshake_ms = 10000;
    if (!d->handshakes_max) d->handshakes_max = 10000;
    if (!d->linger_ms) d->linger_ms = 1000;
    if (!d->unsent_max) d->unsent_max = 1u << 20;
}

/* Keeps what is needed when somebody dials. */
static bool wshub_io_tls__keep(wshub_io_tls *tls, const wshub_io_tls_desc *d) {
    char *roots = d->roots ? wshub_io_tls__copy(d->roots) : NULL;
    char *cert = d->own ? wshub_io_tls__copy(d->own->cert) : NULL;
    char *key = d->own ? wshub_io_tls__copy(d->own->key) : NULL;

    if ((d->roots && !roots) || (d->own && (!cert || !key))) {
        free(roots);
        free(cert);
        wshub_tls_pem_free(key);
        return false;
    }
    free(tls->roots);
    free(tls->own_cert);
    wshub_tls_pem_free(tls->own_key);
    tls->roots = roots;
    tls->own_cert = cert;
    tls->own_key = key;
    return true;
}

static void wshub_io_tls__free(wshub_io_tls *tls) {
    wshub_io_tls__site_free(tls, tls->server);
    wshub_io_tls__site_free(tls, tls->client);
    free(tls->plain_listener);
    free(tls->roots);
    free(tls->own_cert);
    wshub_tls_pem_free(tls->own_key);
    free(tls->streams);
    free(tls->wire.out);
    free(tls->plain);
    free(tls->joined);
    free(tls);
}

/* Reads what a description names: for serving, and for dialling what is its own; the roots of a
 * system wait for who dials. */
static wshub_err wshub_io_tls__sites(wshub_io_tls *tls, const wshub_io_tls_desc *d,
                                     wshub_tls_site **out_server, wshub_tls_site **out_client,
                                     wshub_tls_fault *fault) {
    wshub_err err = WSHUB_OK;
    if (d->pairs_count) err = wshub_io_tls__site_make(tls, d, false, out_server, fault);
    if (!err && (d->roots || d->own))
        err = wshub_io_tls__site_make(tls, d, true, out_client, fault);
    return err;
}

static wshub_err wshub_io_tls__fill(wshub_io_tls *tls, const wshub_io_tls_desc *d,
                                    wshub_tls_fault *fault) {
    size_t i;

    tls->desc = *d;
    wshub_io_tls__defaults(&tls->desc);
    tls->below = *d->io;
    for (i = 0; i <= WSHUB_IO_TLS__GUESTS; i++) tls->sides[i].tls = tls;
    wshub_io_tls__table(tls);
    tls->plain = (uint8_t *)malloc(WSHUB_IO_TLS__PLAIN);
    tls->joined = (uint8_t *)malloc(WSHUB_IO_TLS__RECORD);
    if (d->plain_listener) tls->plain_listener = wshub_io_tls__copy(d->plain_listener);
    wshub_tls_fail(fault, WSHUB_TLS_FAIL_MEMORY, "out of memory");
    if (!tls->plain || !tls->joined || (d->plain_listener && !tls->plain_listener) ||
        !wshub_io_tls__keep(tls, d))
        return WSHUB_ERR_NOMEM;
    if (!tls->below.random(tls->below.ctx, tls->secret, sizeof tls->secret)) return WSHUB_ERR_IO;
    return wshub_io_tls__sites(tls, d, &tls->server, &tls->client, fault);
}

WSHUB_API wshub_err wshub_io_tls_create_versioned(const wshub_io_tls_desc *desc, size_t desc_bytes,
                                                  uint32_t version, const wshub_tls_engine *engine,
                                                  wshub_io_tls **out_tls, char *why,
                                                  size_t why_cap) {
    const char *problem = wshub_io_tls__problem(desc, desc_bytes, version, engine);
    wshub_io_tls *tls = NULL;
    wshub_tls_fault fault;
    wshub_err err = WSHUB_ERR_PARAM;
    fault.text[0] = 0;

    if (!problem && !out_tls) problem = "out_tls: required, and NULL";
    if (!problem) {
        tls = (wshub_io_tls *)calloc(1, sizeof *tls);
        err = WSHUB_ERR_NOMEM;
        if (tls) {
            tls->engine = engine;
            err = wshub_io_tls__fill(tls, desc, &fault);
        }
        problem = fault.text[0] ? fault.text : wshub_strerror(err);
    }

    if (!err) {
        *out_tls = tls;
        problem = "";
    } else if (tls) {
        wshub_io_tls__free(tls);
    }
    if (why && why_cap) (void)snprintf(why, why_cap, "%s", problem);
    return err;
}

WSHUB_API void wshub_io_tls_destroy(wshub_io_tls *tls) {
    size_t i;

    if (!tls) return;
    WSHUB_ASSERT(!tls->depth);
    wshub_io_tls__attach(tls, NULL);
    for (i = 1; i <= WSHUB_IO_TLS__GUESTS; i++) {
        if (tls->sides[i].on) (void)wshub_io_tls__guest(tls, &tls->sides[i].owner, false);
    }
    wshub_io_tls__pay(tls); /* all in that list are dead by now */
    wshub_io_tls__bury(tls);
    wshub_io_tls__free(tls);
}

WSHUB_API const wshub_io *wshub_io_tls_io(wshub_io_tls *tls) {
    return &tls->io;
}

WSHUB_API wshub_err wshub_io_tls_reload(wshub_io_tls *tls, const wshub_io_tls_desc *desc) {
    const char *problem = wshub_io_tls__desc_problem(desc, tls->engine);
    wshub_tls_site *server = NULL, *client = NULL;
    wshub_tls_fault fault;
    wshub_err err = WSHUB_ERR_PARAM;

    fault.text[0] = 0;
    if (!problem) {
        err = wshub_io_tls__sites(tls, desc, &server, &client, &fault);
        if (!err && !wshub_io_tls__keep(tls, desc)) err = WSHUB_ERR_NOMEM;
        problem = fault.text[0] ? fault.text : wshub_strerror(err);
    }
    if (err) {
        if (server) wshub_io_tls__site_free(tls, server);
        if (client) wshub_io_tls__site_free(tls, client);
        (void)snprintf(tls->error, sizeof tls->error, "%s", problem);
        tls->error_ours = true;
        return err;
    }
    wshub_io_tls__site_free(tls, tls->server);
    wshub_io_tls__site_free(tls, tls->client);
    tls->server = server;
    tls->client = client; /* NULL: made anew by who dials next */
    tls->desc.version_min = desc->version_min;
    tls->stats.reloads++;
    return WSHUB_OK;
}

WSHUB_API const char *wshub_io_tls_error(const wshub_io_tls *tls) {
    return tls->error;
}
WSHUB_API void wshub_io_tls_stats_get(const wshub_io_tls *tls, wshub_io_tls_stats *out_stats) {
    *out_stats = tls->stats;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
