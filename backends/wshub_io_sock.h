/* wshub_io_sock.h - sockets for wshub, over a poller
 *
 * [x] TCP over IPv4 and IPv6, all addresses of a name, Unix sockets, several listeners, SO_REUSEPORT on request; they rest
 *     while nobody is there to serve
 * [x] TCP_NODELAY; no signal is raised or handled; descriptors close on exec
 * [x] out of descriptors: shed, pause, go on; one line a second
 * [x] wake from any thread; its descriptor can be driven by another loop
 * [x] ends are told apart: a peer that sends no more still hears us; ours goes out behind the last byte, and what the
 *     peer still says is read until it ends too
 * [x] nothing spins: a stream that nobody reads is watched for its death alone
 * [x] after a late turn (a stopped process, a slow callback) input is reported before deadlines are judged
 * [x] guests and their outgoing connections: every address of a name in turn, also where one is silent (250 ms each, then
 *     twice that, for as long as the guest waits); names are resolved in a
 *     thread of their own with glibc and macOS, elsewhere (or with WSHUB_IO_SOCK_NO_THREADS) in place
 * [x] a stream can be asked for its listener's name and for both its addresses
 * [ ] TLS (an io over this io; a secure wshub_dial is refused), Windows
 *
 * Needs POSIX sockets and one of wshub_io_epoll.h, wshub_io_kqueue.h, wshub_io_poll.h, which include
 * nothing: include wshub.h, this, then the poller; or just wshub_io_auto.h, which does it. Under plain
 * -std=c99 define _GNU_SOURCE or _DEFAULT_SOURCE before the first include.
 * One thread, that of its hub; wshub_io_sock_stop() and wshub_post* are for any. */
#ifndef WSHUB_IO_SOCK_H
#define WSHUB_IO_SOCK_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_sock wshub_io_sock;

enum { WSHUB_IO_SOCK_READ = 1, WSHUB_IO_SOCK_WRITE = 2, WSHUB_IO_SOCK_GONE = 4 };
typedef struct wshub_io_sock_event {
    uint64_t tag;
    unsigned ready; /* WSHUB_IO_SOCK_READ | _WRITE; an error, or the end of both directions: those
                       and _GONE */
} wshub_io_sock_event;

/* Of wshub_io_sock_poller, and of what it hands over. */
#define WSHUB_POLLER_VERSION 1

/* The waiting, which is all that differs between systems. Descriptors are watched level-triggered.
 */
typedef struct wshub_io_sock_poller {
    uint32_t version; /* WSHUB_POLLER_VERSION: it is refused where it was compiled against another
                         wshub_io_sock.h */
    const char *name;
    void *(*create)(void); /* NULL: the system refused, errno says why */
    void (*destroy)(void *p);
    /* Changes what fd is watched for, from `had` to `want` (0: not watched): READ, WRITE, both, or
     * GONE alone: neither, but for an error or the end of both directions. False: the system
     * refused. */
    bool (*watch)(void *p, int fd, uint64_t tag, unsigned had, unsigned want);
    /* Waits up to timeout_ms (-1: for ever). Returns how many events; a wake alone is none. Fewer
     * than cap - 1: these are all; else what was left out comes before what comes again. */
    int (*wait)(void *p, wshub_io_sock_event *events, int cap, int timeout_ms);
    void (*wake)(void *p); /* any thread, and in signal handlers */
    int (*fd)(void *p);    /* readable when something is ready; -1: this poller has none */
} wshub_io_sock_poller;

/* zero: the default. Its size and version are passed beside it by wshub_io_sock_create(). */
#define WSHUB_IO_SOCK_DESC_VERSION 1
typedef struct wshub_io_sock_desc {
    const wshub_io_sock_poller *poller; /* required, but for wshub_io_auto_create() */
    uint32_t read_bytes;                /* 262144; one read at most */
    uint32_t linger_ms; /* 2000; for the peer's FIN behind ours, once the owner has left; WSHUB_OFF:
                           none */
    uint32_t conns_max; /* 1000000 */
    bool reuse_port;    /* SO_REUSEPORT: several hubs on one port */
    void (*on_error)(const char *text, void *user); /* one line; at most one a second of a kind */
    void *user;
} wshub_io_sock_desc;

typedef struct wshub_io_sock_stats {
    uint64_t accepted, shed, accept_pauses, reads, sends, waits;
} wshub_io_sock_stats;

/* Makes it. desc: borrowed. Returns OK; PARAM: wshub_io_sock_desc_problem() says which; NOMEM; IO:
 * the system refused (errno says why). */
WSHUB_INLINE wshub_err wshub_io_sock_create(const wshub_io_sock_desc *desc,
                                            wshub_io_sock **out_net);
/* One line on what wshub_io_sock_create() would refuse, and what it should be. NULL: nothing. */
WSHUB_INLINE const char *wshub_io_sock_desc_problem(const wshub_io_sock_desc *desc);
/* What these two call, as wshub_create_versioned() of wshub.h: with what the header that your
 * program includes says of the description. */
WSHUB_API wshub_err wshub_io_sock_create_versioned(const wshub_io_sock_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_sock **out_net);
WSHUB_API const char *wshub_io_sock_desc_problem_versioned(const wshub_io_sock_desc *desc,
                                                           size_t desc_bytes, uint32_t version);
WSHUB_INLINE wshub_err wshub_io_sock_create(const wshub_io_sock_desc *desc,
                                            wshub_io_sock **out_net) {
    return wshub_io_sock_create_versioned(desc, sizeof *desc, WSHUB_IO_SOCK_DESC_VERSION, out_net);
}
WSHUB_INLINE const char *wshub_io_sock_desc_problem(const wshub_io_sock_desc *desc) {
    return wshub_io_sock_desc_problem_versioned(desc, sizeof *desc, WSHUB_IO_SOCK_DESC_VERSION);
}

/* Ends it, after its hub and its guests. NULL: nothing. Allowed in callbacks, as wshub_destroy()
 * is: it listens no more from then on, and is gone when the outermost call that serves has returned
 * and its hub and guests have left. */
WSHUB_API void wshub_io_sock_destroy(wshub_io_sock *net);
/* For wshub_desc.io; valid as long as net. It serves one hub at a time: a second one is refused
 * (STATE). */
WSHUB_API const wshub_io *wshub_io_sock_io(wshub_io_sock *net);

/* Listens. host: address or name, NULL or "": all IPv4 addresses, "::": all. Of a name all
 * addresses that this machine has. port 0: any, the same for all, told in out_port (may be NULL).
 * Returns OK; IO or PARAM, and nothing is listened to: see wshub_io_sock_error(). May be called
 * several times, also before there is a hub: who connects waits for it. */
WSHUB_API wshub_err wshub_io_sock_listen(wshub_io_sock *net, const char *host, uint16_t port,
                                         uint16_t *out_port);
/* On a Unix socket. One in its place whom nobody serves is removed; one that is served, or any
 * other file, is an error, told without waiting. At the end the file is removed if it is still this
 * one. Errors as above. */
WSHUB_API wshub_err wshub_io_sock_listen_unix(wshub_io_sock *net, const char *path);

/* A place to listen on. zero: the default */
typedef struct wshub_io_sock_place {
    const char
        *name; /* what wshub_about.listener says of the streams that come in here, by which an
                         application tells its listeners apart; copied. NULL: none. At most 255
                         different ones in the life of an io */
    const char *host; /* as wshub_io_sock_listen() takes it */
    uint16_t port;    /* the same; 0: any */
    const char *path; /* instead of the two: as wshub_io_sock_listen_unix() takes it */
} wshub_io_sock_place;
/* Listens there, as wshub_io_sock_listen() or wshub_io_sock_listen_unix() do, and with the same
 * errors; PARAM: also one name too many. place: borrowed. out_port (may be NULL) is not written for
 * a Unix socket. */
WSHUB_API wshub_err wshub_io_sock_listen_place(wshub_io_sock *net, const wshub_io_sock_place *place,
                                               uint16_t *out_port);
WSHUB_API void wshub_io_sock_unlisten(wshub_io_sock *net); /* closes all listeners; streams stay */
/* One line on what went wrong last and what to do about it; "" if nothing did. */
WSHUB_API const char *wshub_io_sock_error(const wshub_io_sock *net);

/* Serves until wshub_io_sock_stop(), or until its hub is destroyed and its guests have left. */
WSHUB_API wshub_err wshub_io_sock_run(wshub_io_sock *net);
/* Waits up to timeout_ms (-1: until something happens) and serves what is ready. */
WSHUB_API wshub_err wshub_io_sock_run_once(wshub_io_sock *net, int timeout_ms);
/* Makes run return. Any thread, and in signal handlers; a program takes its handlers away before it
 * destroys net. */
WSHUB_API void wshub_io_sock_stop(wshub_io_sock *net);
/* For another loop: watch this for reading and call wshub_io_sock_run_once(net, 0) then, and at the
 * latest wshub_io_sock_timeout() milliseconds later (-1: no need). -1: this poller has no
 * descriptor. */
WSHUB_API int wshub_io_sock_fd(const wshub_io_sock *net);
WSHUB_API int wshub_io_sock_timeout(wshub_io_sock *net);
WSHUB_API const char *wshub_io_sock_poller_name(const wshub_io_sock *net);
WSHUB_API void wshub_io_sock_stats_get(const wshub_io_sock *net, wshub_io_sock_stats *out_stats);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_SOCK_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_SOCK_IMPLEMENTATION)) &&                    \
    !defined(WSHUB__IO_SOCK_DONE)
#define WSHUB__IO_SOCK_DONE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifndef AI_PASSIVE
#error                                                                                             \
    "POSIX is hidden: define _GNU_SOURCE or _DEFAULT_SOURCE before the first include, or use -std=gnu99"
#endif
#if !defined(WSHUB_IO_SOCK_NO_THREADS) && defined(__GNUC__) &&                                     \
    (defined(__GLIBC__) || defined(__APPLE__))
#define WSHUB_IO_SOCK__THREADS 1
#include <pthread.h>
#ifdef __GLIBC__ /* not in every program: before 2.34 it takes -pthread, and a static one has what \
                  * it names itself. Our own name for it is weak; the program's pthread_create is                                              \
                  * not touched. */
static __typeof__(pthread_create) wshub_io_sock__pthread_create
    __attribute__((weakref("pthread_create")));
#define WSHUB_IO_SOCK__HAS_THREADS (wshub_io_sock__pthread_create != NULL)
#else
#define wshub_io_sock__pthread_create pthread_create
#define WSHUB_IO_SOCK__HAS_THREADS 1
#endif
#else
#define WSHUB_IO_SOCK__THREADS 0
#endif
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#define WSHUB_IO_SOCK__COLD __attribute__((noinline, cold, optimize("O1"))) /* compiles sooner */
#else
#define WSHUB_IO_SOCK__COLD
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* SO_NOSIGPIPE does it there */
#endif
#ifdef __cplusplus
extern "C" {
#endif

enum {
    WSHUB_IO_SOCK__FREE,
    WSHUB_IO_SOCK__DIALLING, /* outgoing, not yet connected */
    WSHUB_IO_SOCK__OPEN,
    WSHUB_IO_SOCK__LINGER,
    WSHUB_IO_SOCK__CLOSED
};
enum { WSHUB_IO_SOCK__LISTENERS = 16, WSHUB_IO_SOCK__SCRATCH = 65536, WSHUB_IO_SOCK__EVENTS = 512 };
enum { WSHUB_IO_SOCK__GUESTS = 16, WSHUB_IO_SOCK__NOBODY = 255 };
#define WSHUB_IO_SOCK__LISTENER_TAG UINT64_C(0xFFFFFFFE00000000)

typedef union wshub_io_sock__address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage all;
} wshub_io_sock__address;

typedef struct wshub_io_sock__conn {
    int fd;
    uint32_t generation;
    uint8_t state, watched;
    uint8_t listener; /* where it came in: index + 1 of that one's name; 0: nowhere, or unnamed */
    uint8_t guest;    /* whose it is: 0: the attached owner's; i + 1: guest i's; NOBODY: reports go
                      nowhere */
    bool paused;
    bool blocked; /* a send was short: drained() is owed */
    bool ended;   /* the peer sends no more, and the owner knows */
    bool hung;    /* paused, and both directions are over: what lies unread is all that is left */
    uint32_t next, prev; /* free, left behind or closed: index + 1 */
    uint64_t due;        /* left behind in its end: until then */
} wshub_io_sock__conn;

typedef struct wshub_io_sock__listener {
    int fd;
    bool watched;
    uint8_t name; /* index + 1 among the names; 0: none */
    char *path;   /* of a Unix socket; NULL: TCP */
    dev_t dev;    /* which file there is ours: */
    ino_t ino;    /* its number is not given again as long as fd is open; 0: none */
} wshub_io_sock__listener;

/* an outgoing connection that is not there yet */
typedef struct wshub_io_sock__dial {
    struct wshub_io_sock__dial *next;
    wshub_io_sock *net;
    uint64_t conn;              /* 0: nobody waits for it any more */
    struct addrinfo *list, *at; /* where it may be; what is to be tried next */
    int problem;                /* of getaddrinfo */
    uint64_t due; /* of several addresses this one has been given its time then; 0: the only one */
    uint32_t patience_ms; /* for each, in this round */
    bool again; /* one of this round has been left though it had not failed: another round follows
                 */
    bool lock, resolving, orphan; /* guarded by lock while a thread is at it */
    char where[300], host[256], port[8];
} wshub_io_sock__dial;

struct wshub_io_sock {
    wshub_io_sock_desc desc;
    wshub_io io;
    wshub_io_owner owner, guests[WSHUB_IO_SOCK__GUESTS]; /* a guest without settle: none */
    int guests_count;
    wshub_io_sock__dial *dials;
    bool owned, stopping, woken;
    bool doomed; /* to be destroyed once nobody is inside or attached */
    void *poller;
    uint64_t now, next, accept_again, accept_wait, error_second;
    uint64_t heard, sweep; /* see wshub_io_sock__heard_up_to(); when the first wait of a sweep began
                            */
    uint32_t sweep_events, depth; /* depth: of calls that serve */
    int urandom, reserve;
    wshub_io_sock__conn *conns;
    uint32_t used, cap, live, free_head, linger_head, linger_tail, closed_head;
    wshub_io_sock__listener listeners[WSHUB_IO_SOCK__LISTENERS];
    int listeners_count;
    char **names; /* of listeners, each once; they stay, since streams outlive listeners */
    uint8_t names_count, name;              /* name: of what is being listened to now; index + 1 */
    char about_local[128], about_peer[128]; /* what about() has told last */
    uint8_t *buf, *scratch;
    wshub_io_sock_stats stats;
    char error[256];
};

static uint64_t wshub_io_sock__clock(clockid_t which) {
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

WSHUB_IO_SOCK__COLD static wshub_err wshub_io_sock__fail(wshub_io_sock *net, const char *what,
                                                         const char *where, const char *hint) {
    (void)snprintf(net->error, sizeof net->error, "%s %s: %s%s%s", what, where, strerror(errno),
                   *hint ? "; " : "", hint);
    return WSHUB_ERR_IO;
}

WSHUB_IO_SOCK__COLD static bool wshub_io_sock__prepare(int fd) { /* not blocking, not inherited */
    int flags = fcntl(fd, F_GETFL, 0);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return false;
    flags = fcntl(fd, F_GETFD, 0);
    return flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0;
}

static wshub_io_sock__conn *wshub_io_sock__get(const wshub_io_sock *net, uint64_t id) {
    uint32_t i = (uint32_t)id;
    wshub_io_sock__conn *c;
    if (i >= net->used) return NULL;
    c = &net->conns[i];
    return c->generation == (uint32_t)(id >> 32) && c->state != WSHUB_IO_SOCK__FREE ? c : NULL;
}

static wshub_conn wshub_io_sock__id(const wshub_io_sock *net, const wshub_io_sock__conn *c) {
    wshub_conn id;
    id.id = (uint64_t)c->generation << 32 | (uint64_t)(c - net->conns);
    return id;
}

static bool wshub_io_sock__watch(wshub_io_sock *net, wshub_io_sock__conn *c, unsigned want) {
    if (c->watched == want) return true;
    if (!net->desc.poller->watch(net->poller, c->fd, wshub_io_sock__id(net, c).id,
                                 c->watched, /* NOLINT:
                                                                                                  net
                                                                                                  is
                                                                                                  there
                                                                                                */
                                 want))
        return false;
    c->watched = (uint8_t)want;
    return true;
}

/* The list of those who were left behind in their end, the oldest first. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__linger_add(wshub_io_sock *net,
                                                          wshub_io_sock__conn *c) {
    uint32_t i = (uint32_t)(c - net->conns) + 1;
    c->due = net->now + net->desc.linger_ms;
    c->next = 0;
    c->prev = net->linger_tail;
    if (c->prev)
        net->conns[c->prev - 1].next = i;
    else
        net->linger_head = i;
    net->linger_tail = i;
}
WSHUB_IO_SOCK__COLD static void wshub_io_sock__linger_remove(wshub_io_sock *net,
                                                             wshub_io_sock__conn *c) {
    if (c->prev)
        net->conns[c->prev - 1].next = c->next;
    else
        net->linger_head = c->next;
    if (c->next)
        net->conns[c->next - 1].prev = c->prev;
    else
        net->linger_tail = c->prev;
}

/* Closes the socket and puts the stream on the list of those whose end is to be reported. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__shut(wshub_io_sock *net, wshub_io_sock__conn *c) {
    if (c->state == WSHUB_IO_SOCK__CLOSED) return;
    if (c->state == WSHUB_IO_SOCK__LINGER && c->guest == WSHUB_IO_SOCK__NOBODY)
        wshub_io_sock__linger_remove(net, c);
    if (c->fd >= 0) {
        (void)wshub_io_sock__watch(net, c, 0);
        (void)close(c->fd);
    }
    c->fd = -1;
    c->watched = 0;
    c->state = WSHUB_IO_SOCK__CLOSED;
    c->next = net->closed_head; /* NOLINT: whoever has a stream has its io */
    net->closed_head = (uint32_t)(c - net->conns) + 1;
}

/* What a stream is watched for follows from its state, here alone. What is level-triggered and not
 * served would be reported again and again, so whoever is not read is not watched for reading; and
 * whoever is neither read nor waited for is watched for its death, which would else not be noticed.
 * A stream that cannot be watched is ended. */
static void wshub_io_sock__rewatch(wshub_io_sock *net, wshub_io_sock__conn *c) {
    unsigned want = 0;
    if (c->state == WSHUB_IO_SOCK__OPEN) {
        if (!c->paused && !c->ended) want |= WSHUB_IO_SOCK_READ;
        if (c->blocked) want |= WSHUB_IO_SOCK_WRITE;
        if (!want && !c->hung) want = WSHUB_IO_SOCK_GONE;
    } else if (c->state == WSHUB_IO_SOCK__LINGER) {
        want = WSHUB_IO_SOCK_READ;
    }
    if (!wshub_io_sock__watch(net, c, want)) wshub_io_sock__shut(net, c);
}

/* Whom a stream's reports go to. NULL: nobody any more. */
static const wshub_io_owner *wshub_io_sock__whose(const wshub_io_sock *net,
                                                  const wshub_io_sock__conn *c) {
    if (!c->guest) return net->owned ? &net->owner : NULL;
    return c->guest == WSHUB_IO_SOCK__NOBODY ? NULL : &net->guests[c->guest - 1];
}

WSHUB_IO_SOCK__COLD static void wshub_io_sock__report_closed(wshub_io_sock *net) {
    while (net->closed_head) {
        uint32_t i = net->closed_head - 1;
        wshub_io_sock__conn *c = &net->conns[i];
        const wshub_io_owner *o;
        wshub_conn id = wshub_io_sock__id(net, c);
        net->closed_head = c->next;
        c->state = WSHUB_IO_SOCK__FREE;
        c->next = net->free_head;
        net->free_head = i + 1;
        net->live--;
        o = wshub_io_sock__whose(net, c);
        if (o) o->closed(o->ctx, id);
    }
}

/* Drops the streams of an owner that leaves. Polite ends that are under way go on, within
 * linger_ms: nobody else is left who would have a clock for them. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__disown(wshub_io_sock *net, uint8_t guest) {
    uint32_t i;
    for (i = 0; i < net->used; i++) {
        wshub_io_sock__conn *c = &net->conns[i];
        if (c->state == WSHUB_IO_SOCK__FREE || c->guest != guest) continue;
        if (c->state == WSHUB_IO_SOCK__LINGER && net->desc.linger_ms != WSHUB_OFF)
            wshub_io_sock__linger_add(net, c);
        else
            wshub_io_sock__shut(net, c);
        c->guest = WSHUB_IO_SOCK__NOBODY;
    }
}

WSHUB_IO_SOCK__COLD static void wshub_io_sock__free(wshub_io_sock *net);

/* Destroyed earlier, and now nobody is inside any more. net may be gone afterwards. */
static void wshub_io_sock__bury(wshub_io_sock *net) {
    if (net->doomed && !net->depth && !net->owned && !net->guests_count) wshub_io_sock__free(net);
}

/* Listeners are watched while somebody serves and accepting does not rest. What is not watched
 * waits in the system. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__listeners_watch(wshub_io_sock *net) {
    bool on = net->owned && !net->accept_again;
    int i;
    for (i = 0; i < net->listeners_count; i++) {
        wshub_io_sock__listener *l = &net->listeners[i];
        if (l->watched == on) continue;
        if (net->desc.poller->watch(net->poller, l->fd, WSHUB_IO_SOCK__LISTENER_TAG | (uint64_t)i,
                                    on ? 0u : (unsigned)WSHUB_IO_SOCK_READ,
                                    on ? (unsigned)WSHUB_IO_SOCK_READ : 0u))
            l->watched = on;
        else if (on) /* out of memory, say: once more a little later */
            net->accept_again = net->now + 50;
    }
}

WSHUB_IO_SOCK__COLD static void wshub_io_sock__attach(void *ctx, const wshub_io_owner *owner) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    net->owned = owner != NULL;
    if (owner)
        net->owner = *owner;
    else
        wshub_io_sock__disown(net, 0);
    wshub_io_sock__listeners_watch(net);
    wshub_io_sock__bury(net);
}
WSHUB_IO_SOCK__COLD static bool wshub_io_sock__taken(void *ctx) {
    return ((wshub_io_sock *)ctx)->owned;
}

WSHUB_IO_SOCK__COLD static wshub_err wshub_io_sock__guest(void *ctx, const wshub_io_owner *owner,
                                                          bool on) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    int i, place = -1;
    for (i = 0; i < WSHUB_IO_SOCK__GUESTS; i++) {
        bool taken = net->guests[i].settle != NULL;
        if (!taken && on) place = i;
        if (taken && !on && net->guests[i].ctx == owner->ctx) place = i;
    }
    if (place < 0) return on ? WSHUB_ERR_LIMIT : WSHUB_OK;
    if (on)
        net->guests[place] = *owner;
    else
        memset(&net->guests[place], 0, sizeof net->guests[place]);
    net->guests_count += on ? 1 : -1;
    if (on)
        net->desc.poller->wake(net->poller); /* its first settle */
    else
        wshub_io_sock__disown(net, (uint8_t)(place + 1));
    wshub_io_sock__bury(net);
    return WSHUB_OK;
}

/* Spans from `skip` bytes into the first on. Small ones are copied together, which is cheaper than
 * gathering them; *asked says how much was offered to the system. */
static ssize_t wshub_io_sock__send_some(wshub_io_sock *net, int fd, const wshub_span *spans,
                                        size_t count, size_t skip, size_t left, size_t *asked) {
    size_t i;
    if (count == 1) {
        *asked = left;
        return send(fd, spans[0].ptr + skip, left, MSG_NOSIGNAL);
    }
    *asked = 0;
    if (left / count < 4096) {
        for (i = 0; i < count && *asked < WSHUB_IO_SOCK__SCRATCH; i++, skip = 0) {
            size_t room = WSHUB_IO_SOCK__SCRATCH - *asked, n = spans[i].len - skip;
            if (n > room) n = room;
            memcpy(net->scratch + *asked, spans[i].ptr + skip, n);
            *asked += n;
        }
        return send(fd, net->scratch, *asked, MSG_NOSIGNAL);
    } else {
        struct iovec iov[64];
        struct msghdr m;
        memset(&m, 0, sizeof m);
        for (i = 0; i < count && i < 64; i++, skip = 0) {
            union {
                const uint8_t *from;
                void *to;
            } cast; /* iovec's base is not const */
            cast.from = spans[i].ptr + skip;
            iov[i].iov_base = cast.to;
            iov[i].iov_len = spans[i].len - skip;
            *asked += iov[i].iov_len;
        }
        m.msg_iov = iov;
        m.msg_iovlen = i;
        return sendmsg(fd, &m, MSG_NOSIGNAL);
    }
}

static int64_t wshub_io_sock__send(void *ctx, wshub_conn conn, const wshub_span *spans,
                                   size_t count) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    wshub_io_sock__conn *c = wshub_io_sock__get(net, conn.id);
    size_t i, total = 0, done = 0, skip = 0, asked = 0;
    for (i = 0; i < count; i++) total += spans[i].len;
    if (!c || c->state != WSHUB_IO_SOCK__OPEN) return (int64_t)total;
    while (done < total) {
        ssize_t n = wshub_io_sock__send_some(net, c->fd, spans, count, skip, total - done, &asked);
        net->stats.sends++;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS &&
            errno != ENOMEM) {
            wshub_io_sock__shut(net, c); /* closed() follows from the loop */
            return (int64_t)total;
        }
        if (n > 0) {
            done += (size_t)n;
            skip += (size_t)n;
        }
        if (n < 0 || (size_t)n < asked) {
            c->blocked = true;
            wshub_io_sock__rewatch(net, c);
            if (c->state == WSHUB_IO_SOCK__CLOSED) return (int64_t)total;
            break;
        }
        while (count > 1 && skip >= spans[0].len) {
            skip -= spans[0].len;
            spans++;
            count--;
        }
    }
    return (int64_t)done;
}

/* Behind our end the peer's is waited for without a clock: the owner has one. When the peer has
 * ended already, or is gone, nothing is left to wait for. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__close(void *ctx, wshub_conn conn, bool flush) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    wshub_io_sock__conn *c = wshub_io_sock__get(net, conn.id);
    if (!c || c->state == WSHUB_IO_SOCK__CLOSED) return;
    if (flush && c->state == WSHUB_IO_SOCK__LINGER) return;
    if (!flush || c->state == WSHUB_IO_SOCK__DIALLING || shutdown(c->fd, SHUT_WR) != 0 ||
        c->ended) {
        wshub_io_sock__shut(net, c);
        return;
    }
    c->state = WSHUB_IO_SOCK__LINGER;
    c->paused = c->blocked = c->hung = false;
    wshub_io_sock__rewatch(net, c);
}

/* Within a turn time stands still. Outside of one it is asked for by whoever calls the owner from a
 * loop of its own. */
static uint64_t wshub_io_sock__now(void *ctx) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    if (!net->depth) net->now = wshub_io_sock__clock(CLOCK_MONOTONIC);
    return net->now;
}
static uint64_t wshub_io_sock__heard(void *ctx) {
    return ((wshub_io_sock *)ctx)->heard;
}
WSHUB_IO_SOCK__COLD static uint64_t wshub_io_sock__wall(void *ctx) {
    (void)ctx;
    return wshub_io_sock__clock(CLOCK_REALTIME);
}
WSHUB_IO_SOCK__COLD static bool wshub_io_sock__random(void *ctx, uint8_t *bytes, size_t count) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    while (count) {
        ssize_t n = read(net->urandom, bytes, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        count -= (size_t)n;
    }
    return true;
}
/* One system call wakes for all who ask until the next settle has begun. Returns whether one was
 * made already. */
static bool wshub_io_sock__woken(wshub_io_sock *net, bool now) {
#if defined(__GNUC__)
    return __atomic_exchange_n(&net->woken, now, __ATOMIC_ACQ_REL);
#else
    bool was = net->woken;
    net->woken = now;
    return was;
#endif
}
WSHUB_IO_SOCK__COLD static void wshub_io_sock__wake(void *ctx) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    if (!wshub_io_sock__woken(net, true)) net->desc.poller->wake(net->poller);
}
WSHUB_IO_SOCK__COLD static void wshub_io_sock__pause(void *ctx, wshub_conn conn, bool paused) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    wshub_io_sock__conn *c = wshub_io_sock__get(net, conn.id);
    if (!c || c->state != WSHUB_IO_SOCK__OPEN) return;
    c->paused = paused;
    c->hung = false;
    wshub_io_sock__rewatch(net, c);
}

/* The text of an address, as wshub_dial takes it: `v4:port`, `[v6]:port` (RFC 3986 3.2.2), or the path
 * of a Unix socket. is_ours: this side is bound by an operator; a path that a peer has bound is not
 * told, since it may have any bytes in it. */
WSHUB_IO_SOCK__COLD static wshub_str wshub_io_sock__address_text(const wshub_io_sock__address *at,
                                                                 socklen_t at_len, bool is_ours,
                                                                 char *text, size_t cap) {
    char host[96], port[8];
    bool v6 = at->any.sa_family == AF_INET6;
    wshub_str none = {NULL, 0};
    if (at->any.sa_family == AF_UNIX) {
        bool has_path = is_ours && at_len > offsetof(struct sockaddr_un, sun_path);
        (void)snprintf(text, cap, "%.*s", (int)sizeof at->un.sun_path,
                       has_path && at->un.sun_path[0] ? at->un.sun_path : "unix");
        return wshub_str_z(text);
    }
    if (getnameinfo(&at->any, at_len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return none;
    (void)snprintf(text, cap, v6 ? "[%s]:%s" : "%s:%s", host, port);
    return wshub_str_z(text);
}

WSHUB_IO_SOCK__COLD static bool wshub_io_sock__about(void *ctx, wshub_conn conn,
                                                     wshub_about *out_about) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    const wshub_io_sock__conn *c = wshub_io_sock__get(net, conn.id);
    wshub_io_sock__address at;
    socklen_t n = sizeof at;
    memset(out_about, 0, sizeof *out_about);
    if (!c) return false;
    if (c->listener) out_about->listener = wshub_str_z(net->names[c->listener - 1]);

    /* Of a stream whose socket is gone, or not yet there, no address is known. */
    memset(&at, 0, sizeof at);
    if (c->fd >= 0 && getsockname(c->fd, &at.any, &n) == 0)
        out_about->local = wshub_io_sock__address_text(&at, n, !c->guest, net->about_local,
                                                       sizeof net->about_local);
    memset(&at, 0, sizeof at);
    n = sizeof at;
    if (c->fd >= 0 && getpeername(c->fd, &at.any, &n) == 0)
        out_about->peer = wshub_io_sock__address_text(&at, n, c->guest != 0, net->about_peer,
                                                      sizeof net->about_peer);
    return true;
}

WSHUB_IO_SOCK__COLD static wshub_io_sock__conn *wshub_io_sock__new(wshub_io_sock *net) {
    wshub_io_sock__conn *c;
    if (net->live >= net->desc.conns_max) return NULL;
    if (net->free_head) {
        c = &net->conns[net->free_head - 1];
        net->free_head = c->next;
    } else {
        if (net->used == net->cap) {
            uint32_t cap = net->cap ? net->cap * 2 : 64;
            c = (wshub_io_sock__conn *)realloc(net->conns, cap * sizeof *c);
            if (!c) return NULL;
            memset(c + net->cap, 0, (cap - net->cap) * sizeof *c);
            net->conns = c;
            net->cap = cap;
        }
        c = &net->conns[net->used++];
    }
    if (++c->generation >= UINT32_MAX - 1) c->generation = 1;
    c->watched = c->guest = c->listener = 0;
    c->paused = c->blocked = c->ended = c->hung = false;
    c->next = c->prev = 0;
    net->live++;
    return c;
}

/* ---- outgoing connections ---- */

WSHUB_IO_SOCK__COLD static void wshub_io_sock__dial_free(wshub_io_sock__dial *d) {
    if (d->list) freeaddrinfo(d->list);
    free(d);
}

WSHUB_IO_SOCK__COLD static void wshub_io_sock__resolve(wshub_io_sock__dial *d, int flags) {
    struct addrinfo hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | flags;
    d->problem = getaddrinfo(d->host, d->port, &hints, &d->list);
    d->at = d->problem ? NULL : d->list;
}

#if WSHUB_IO_SOCK__THREADS
WSHUB_IO_SOCK__COLD static void wshub_io_sock__dial_lock(wshub_io_sock__dial *d) {
    while (__atomic_test_and_set(&d->lock, __ATOMIC_ACQUIRE)) { /* held for a few instructions */
    }
}
WSHUB_IO_SOCK__COLD static void wshub_io_sock__dial_unlock(wshub_io_sock__dial *d) {
    __atomic_clear(&d->lock, __ATOMIC_RELEASE);
}
/* getaddrinfo() knows no deadline: it runs here, and whoever has no more patience leaves it an
 * orphan. */
WSHUB_IO_SOCK__COLD static void *wshub_io_sock__resolver(void *arg) {
    wshub_io_sock__dial *d = (wshub_io_sock__dial *)arg;
    bool orphan;
    wshub_io_sock__resolve(d, 0);
    wshub_io_sock__dial_lock(d);
    d->resolving = false;
    orphan = d->orphan;
    if (!orphan) d->net->desc.poller->wake(d->net->poller);
    wshub_io_sock__dial_unlock(d);
    if (orphan) wshub_io_sock__dial_free(d);
    return NULL;
}
WSHUB_IO_SOCK__COLD static bool wshub_io_sock__resolve_apart(wshub_io_sock__dial *d) {
    pthread_t thread;
    pthread_attr_t attr;
    int e;
    if (!WSHUB_IO_SOCK__HAS_THREADS || pthread_attr_init(&attr) != 0) return false;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    d->resolving = true;
    e = wshub_io_sock__pthread_create(&thread, &attr, wshub_io_sock__resolver, d);
    if (e) d->resolving = false;
    (void)pthread_attr_destroy(&attr);
    return e == 0;
}
#endif

enum { WSHUB_IO_SOCK__PATIENCE_MS = 250 }; /* RFC 8305 5 */

/* All addresses have been tried: those that were silent once more, with twice the patience. False:
 * all have failed. */
WSHUB_IO_SOCK__COLD static bool wshub_io_sock__round(wshub_io_sock__dial *d) {
    if (!d->again) return false;
    d->again = false;
    d->patience_ms *= 2;
    d->at = d->list;
    return true;
}

/* Begins to connect to the next address that lets itself be tried. One that is silent does not hold
 * up the others for longer than its patience. False: there is none. */
WSHUB_IO_SOCK__COLD static bool wshub_io_sock__try(wshub_io_sock *net, wshub_io_sock__conn *c,
                                                   wshub_io_sock__dial *d) {
    int one = 1, e = 0;
    if (d->problem) {
        (void)snprintf(net->error, sizeof net->error, "cannot connect to %.120s: %s", d->where,
                       gai_strerror(d->problem));
        return false;
    }
    while (d->at || wshub_io_sock__round(d)) {
        struct addrinfo *a = d->at;
        d->at = a->ai_next;
        c->fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (c->fd >= 0 && wshub_io_sock__prepare(c->fd)) {
            if (a->ai_family != AF_UNIX)
                (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
#ifdef SO_NOSIGPIPE
            (void)setsockopt(c->fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
            if (connect(c->fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS) {
                d->due = d->list->ai_next ? net->now + d->patience_ms : 0;
                if (wshub_io_sock__watch(net, c, WSHUB_IO_SOCK_WRITE)) return true;
            }
        }
        e = errno;
        if (c->fd >= 0) (void)close(c->fd);
        c->fd = -1;
    }
    if (e) {
        errno = e;
        (void)wshub_io_sock__fail(net, "cannot connect to", d->where, "");
    }
    return false;
}

WSHUB_IO_SOCK__COLD static wshub_io_sock__dial *wshub_io_sock__dial_of(const wshub_io_sock *net,
                                                                       uint64_t conn) {
    wshub_io_sock__dial *d = net->dials;
    while (d && d->conn != conn) d = d->next;
    return d;
}

/* Names that have been resolved meanwhile are tried; what nobody waits for any more is let go. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__dials_run(wshub_io_sock *net) {
    wshub_io_sock__dial **at = &net->dials, *d;
    while ((d = *at) != NULL) {
        wshub_io_sock__conn *c = wshub_io_sock__get(net, d->conn);
        wshub_io_sock__dial *next = d->next;
        bool resolving = false, gone = !c || c->state != WSHUB_IO_SOCK__DIALLING;
#if WSHUB_IO_SOCK__THREADS
        wshub_io_sock__dial_lock(d);
        resolving = d->resolving;
        d->orphan = gone;
        wshub_io_sock__dial_unlock(d);
#endif
        if (gone && resolving) { /* from here on it is its thread's, which may have freed it by now
                                  */
            *at = next;
            continue;
        }
        if (!gone && !resolving && c->fd >= 0 && d->due && net->now >= d->due) {
            (void)wshub_io_sock__watch(net, c, 0);
            (void)close(c->fd);
            c->fd = -1;
            c->watched = 0;
            d->again = true;
        }
        if (!gone && !resolving && c->fd < 0 && !wshub_io_sock__try(net, c, d)) {
            wshub_io_sock__shut(net, c); /* closed() follows from the loop */
            gone = true;
        }
        if (!gone) {
            at = &d->next;
            continue;
        }
        *at = next;
        wshub_io_sock__dial_free(d);
    }
}

/* To a closed port of this machine a connection can, by chance, come from that very port: then TCP
 * connects it to itself, and whoever should listen there finds the port taken. */
WSHUB_IO_SOCK__COLD static bool wshub_io_sock__met_itself(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_storage all;
        uint8_t bytes[sizeof(struct sockaddr_storage)];
    } a, b;
    socklen_t an = sizeof a, bn = sizeof b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (getsockname(fd, &a.any, &an) != 0 || getpeername(fd, &b.any, &bn) != 0) return false;
    return a.any.sa_family != AF_UNIX && an == bn && memcmp(a.bytes, b.bytes, an) == 0;
}

/* An outgoing connection is there, or has failed: then the next address of its name has its turn.
 */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__dialled(wshub_io_sock *net, wshub_conn id,
                                                       wshub_io_sock__conn *c) {
    wshub_io_sock__dial *d = wshub_io_sock__dial_of(net, id.id);
    const wshub_io_owner *o = wshub_io_sock__whose(net, c);
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0) e = errno;
    if (!e && wshub_io_sock__met_itself(c->fd)) e = ECONNREFUSED;
    if (!e) {
        c->state = WSHUB_IO_SOCK__OPEN;
        wshub_io_sock__rewatch(net, c);
        if (o) o->opened(o->ctx, id);
        return;
    }
    errno = e;
    (void)wshub_io_sock__fail(net, "cannot connect to", d ? d->where : "it", "");
    (void)wshub_io_sock__watch(net, c, 0);
    (void)close(c->fd);
    c->fd = -1;
    c->watched = 0;
    if (!d || !wshub_io_sock__try(net, c, d)) wshub_io_sock__shut(net, c);
}

WSHUB_IO_SOCK__COLD static wshub_err
wshub_io_sock__connect(void *ctx, void *guest_ctx, const wshub_dial *dial, wshub_conn *out_conn) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    const char *address = dial->address ? dial->address : "";
    const char *colon = strrchr(address, ':'), *host = address;
    bool local = *address == '/' || *address == '.', v6 = *address == '[';
    size_t host_len = colon ? (size_t)(colon - address) : 0;
    wshub_io_sock__dial *d;
    wshub_io_sock__conn *c;
    int i, guest = -1;
    for (i = 0; i < WSHUB_IO_SOCK__GUESTS; i++) {
        if (net->guests[i].settle && net->guests[i].ctx == guest_ctx) guest = i;
    }
    if (dial->secure) {
        (void)snprintf(
            net->error, sizeof net->error,
            "cannot connect to %.120s: plain sockets have no TLS; put an io with TLS over "
            "this one, or do not ask for a secure stream",
            address);
        return WSHUB_ERR_PARAM;
    }
    if (v6) {
        host++;
        host_len -= host_len > 1 && colon[-1] == ']' ? 2 : host_len;
    }
    if (guest < 0 || (local ? strlen(address) >= sizeof((struct sockaddr_un *)0)->sun_path
                            : !host_len || host_len >= sizeof d->host || strlen(colon + 1) > 5 ||
                                  strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
                                  atoi(colon + 1) < 1 ||      /* NOLINT: at most five digits */
                                  atoi(colon + 1) > 65535)) { /* NOLINT */
        (void)snprintf(net->error, sizeof net->error,
                       "cannot connect to %.150s: an address is host:port, [v6]:port or a path",
                       address);
        return WSHUB_ERR_PARAM;
    }
    d = (wshub_io_sock__dial *)calloc(1, sizeof *d);
    c = d ? wshub_io_sock__new(net) : NULL;
    if (!c) {
        free(d);
        return d ? WSHUB_ERR_LIMIT : WSHUB_ERR_NOMEM;
    }
    c->fd = -1;
    c->state = WSHUB_IO_SOCK__DIALLING;
    c->guest = (uint8_t)(guest + 1);
    *out_conn = wshub_io_sock__id(net, c);
    d->net = net;
    d->patience_ms = WSHUB_IO_SOCK__PATIENCE_MS;
    d->conn = out_conn->id;
    d->next = net->dials;
    net->dials = d;
    (void)snprintf(d->where, sizeof d->where, "%.299s", address);
    if (local) {
        union {
            struct sockaddr any;
            struct sockaddr_un un;
        } a;
        memset(&a, 0, sizeof a);
        a.un.sun_family = AF_UNIX;
        memcpy(a.un.sun_path, address, strlen(address));
        c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (c->fd >= 0 && wshub_io_sock__prepare(c->fd) &&
            connect(c->fd, &a.any, sizeof a.un) == 0 &&
            wshub_io_sock__watch(net, c, WSHUB_IO_SOCK_WRITE))
            return WSHUB_OK;
        (void)wshub_io_sock__fail(net, "cannot connect to", address, "");
        wshub_io_sock__shut(net, c);
    } else {
        memcpy(d->host, host, host_len);
        memcpy(d->port, colon + 1, strlen(colon + 1) + 1);
        wshub_io_sock__resolve(d, AI_NUMERICHOST);
#if WSHUB_IO_SOCK__THREADS
        if (d->problem && wshub_io_sock__resolve_apart(d)) return WSHUB_OK;
#endif
        if (d->problem) wshub_io_sock__resolve(d, 0);
        if (!wshub_io_sock__try(net, c, d)) wshub_io_sock__shut(net, c);
    }
    net->desc.poller->wake(net->poller); /* what is closed already is told from the loop */
    return WSHUB_OK;
}

WSHUB_IO_SOCK__COLD static const char *wshub_io_sock__last_error(void *ctx) {
    return ((wshub_io_sock *)ctx)->error;
}

WSHUB_IO_SOCK__COLD WSHUB_API const char *
wshub_io_sock_desc_problem_versioned(const wshub_io_sock_desc *desc, size_t desc_bytes,
                                     uint32_t version) {
    if (!desc) return "poller: required; wshub_io_auto_create() takes the best there is";
    if (desc_bytes != sizeof *desc || version != WSHUB_IO_SOCK_DESC_VERSION)
        return "wshub_io_sock_desc: the program was compiled with another wshub_io_sock.h than the "
               "file that has its implementation; compile both anew with the same one";
    if (!desc->poller) return "poller: required; wshub_io_auto_create() takes the best there is";
    if (desc->poller->version != WSHUB_POLLER_VERSION)
        return "poller: its table is of another wshub_io_sock.h; compile the poller anew with this "
               "one, and in a table of your own set version to WSHUB_POLLER_VERSION";
    return NULL;
}

WSHUB_IO_SOCK__COLD WSHUB_API wshub_err wshub_io_sock_create_versioned(
    const wshub_io_sock_desc *desc, size_t desc_bytes, uint32_t version, wshub_io_sock **out_net) {
    wshub_io_sock *net;
    if (!out_net || wshub_io_sock_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    net = (wshub_io_sock *)calloc(1, sizeof *net);
    if (!net) return WSHUB_ERR_NOMEM;
    net->desc = *desc;
    if (!net->desc.read_bytes) net->desc.read_bytes = 262144;
    if (!net->desc.linger_ms) net->desc.linger_ms = 2000;
    if (!net->desc.conns_max) net->desc.conns_max = 1000000;
    net->buf = (uint8_t *)malloc(net->desc.read_bytes);
    net->scratch = (uint8_t *)malloc(WSHUB_IO_SOCK__SCRATCH);
    net->urandom = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    net->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    net->poller = desc->poller->create();
    net->next = WSHUB_NEVER;
    net->now = net->heard = wshub_io_sock__clock(CLOCK_MONOTONIC);
    if (!net->buf || !net->scratch || !net->poller || net->urandom < 0) {
        wshub_err err = !net->buf || !net->scratch ? WSHUB_ERR_NOMEM : WSHUB_ERR_IO;
        wshub_io_sock__free(net);
        return err;
    }
    net->io.version = WSHUB_IO_VERSION;
    net->io.ctx = net;
    net->io.attach = wshub_io_sock__attach;
    net->io.taken = wshub_io_sock__taken;
    net->io.send = wshub_io_sock__send;
    net->io.close = wshub_io_sock__close;
    net->io.now_ms = wshub_io_sock__now;
    net->io.heard_ms = wshub_io_sock__heard;
    net->io.wall_ms = wshub_io_sock__wall;
    net->io.random = wshub_io_sock__random;
    net->io.wake = wshub_io_sock__wake;
    net->io.pause = wshub_io_sock__pause;
    net->io.about = wshub_io_sock__about;
    net->io.guest = wshub_io_sock__guest;
    net->io.connect = wshub_io_sock__connect;
    net->io.error = wshub_io_sock__last_error;
    *out_net = net;
    return WSHUB_OK;
}

/* While the folder of a path is locked, what is found out about the path stays so among those who
 * lock it: a dead socket is not somebody's by the time it is removed, and one that is bound does
 * not look dead before it listens. -1: it cannot be locked (soon), and what follows is done
 * without. */
WSHUB_IO_SOCK__COLD static int wshub_io_sock__lock_folder(const char *path) {
    char folder[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    int fd, tries;
    if (n >= sizeof folder) return -1;
    memcpy(folder, path, n);
    if (!n) folder[n++] = slash ? '/' : '.';
    folder[n] = 0;
    fd = open(folder, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
#ifdef LOCK_EX
    for (tries = 0; tries < 100; tries++) {
        const struct timespec moment = {0, 1000000};
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
        if (errno != EWOULDBLOCK && errno != EINTR) break;
        (void)nanosleep(&moment, NULL);
    }
#else
    (void)tries;
#endif
    (void)close(fd);
    return -1;
}
WSHUB_IO_SOCK__COLD static void wshub_io_sock__unlock_folder(int fd) {
    int e = errno;
    if (fd >= 0) (void)close(fd);
    errno = e;
}

static bool wshub_io_sock__same_file(const char *path, dev_t dev, ino_t ino) {
    struct stat st;
    return ino && lstat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Closes listeners until `count` are left. A file that is another's by now stays. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__unlisten_to(wshub_io_sock *net, int count) {
    while (net->listeners_count > count) {
        wshub_io_sock__listener *l = &net->listeners[--net->listeners_count];
        if (l->watched) (void)net->desc.poller->watch(net->poller, l->fd, 0, WSHUB_IO_SOCK_READ, 0);
        if (l->path) {
            int lock = wshub_io_sock__lock_folder(l->path);
            if (wshub_io_sock__same_file(l->path, l->dev, l->ino)) (void)unlink(l->path);
            wshub_io_sock__unlock_folder(lock);
        }
        free(l->path);
        (void)close(l->fd);
    }
}
WSHUB_IO_SOCK__COLD WSHUB_API void wshub_io_sock_unlisten(wshub_io_sock *net) {
    wshub_io_sock__unlisten_to(net, 0);
}

WSHUB_IO_SOCK__COLD static void wshub_io_sock__free(wshub_io_sock *net) {
    if (net->poller) {
        uint32_t i;
        wshub_io_sock_unlisten(net);
        for (i = 0; i < net->used; i++) {
            if (net->conns[i].state != WSHUB_IO_SOCK__FREE)
                wshub_io_sock__shut(net, &net->conns[i]);
        }
        wshub_io_sock__dials_run(net);
        net->desc.poller->destroy(net->poller);
    }
    if (net->urandom >= 0) (void)close(net->urandom);
    if (net->reserve >= 0) (void)close(net->reserve);
    while (net->names_count) free(net->names[--net->names_count]);
    free(net->names);
    free(net->conns);
    free(net->buf);
    free(net->scratch);
    free(net);
}

WSHUB_IO_SOCK__COLD WSHUB_API void wshub_io_sock_destroy(wshub_io_sock *net) {
    if (!net) return;
    net->doomed = true;
    if (net->poller) wshub_io_sock_unlisten(net);
    wshub_io_sock__bury(net);
}

WSHUB_IO_SOCK__COLD WSHUB_API const wshub_io *wshub_io_sock_io(wshub_io_sock *net) {
    return &net->io;
}
WSHUB_IO_SOCK__COLD WSHUB_API const char *wshub_io_sock_error(const wshub_io_sock *net) {
    return net->error;
}
WSHUB_IO_SOCK__COLD WSHUB_API const char *wshub_io_sock_poller_name(const wshub_io_sock *net) {
    return net->desc.poller->name;
}
WSHUB_IO_SOCK__COLD WSHUB_API void wshub_io_sock_stats_get(const wshub_io_sock *net,
                                                           wshub_io_sock_stats *out_stats) {
    *out_stats = net->stats;
}
WSHUB_IO_SOCK__COLD WSHUB_API int wshub_io_sock_fd(const wshub_io_sock *net) {
    return net->desc.poller->fd(net->poller);
}

/* ---- listening: what an operator gives is served, or refused at once by what the system said ----
 */

WSHUB_IO_SOCK__COLD static wshub_err
wshub_io_sock__cannot_listen(wshub_io_sock *net, const char *where, const char *why) {
    (void)snprintf(net->error, sizeof net->error, "cannot listen on %.120s: %s", where, why);
    return WSHUB_ERR_PARAM;
}

/* Takes a bound socket among the listeners. False: errno says why; the socket is closed. */
WSHUB_IO_SOCK__COLD static bool wshub_io_sock__listen_on(wshub_io_sock *net, int fd, char *path) {
    wshub_io_sock__listener *l = &net->listeners[net->listeners_count];
    uint64_t tag = WSHUB_IO_SOCK__LISTENER_TAG | (uint64_t)net->listeners_count;
    struct stat st;
    int e;
    memset(l, 0, sizeof *l);
    l->fd = fd;
    l->name = net->name;
    l->path = path;
    if (path && lstat(path, &st) == 0) {
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    if (listen(fd, 4096) != 0) { /* NOLINT: errno is another's than below */
        e = errno;
    } else if (path && !wshub_io_sock__same_file(path, l->dev, l->ino)) {
        e = EADDRINUSE; /* before it listened it looked dead to another server, who has taken the
                           path */
    } else if (net->owned && !net->accept_again &&
               !net->desc.poller->watch(net->poller, fd, tag, 0, WSHUB_IO_SOCK_READ)) {
        e = errno;
    } else {
        l->watched = net->owned && !net->accept_again;
        net->listeners_count++;
        return true;
    }
    if (path && wshub_io_sock__same_file(path, l->dev, l->ino)) (void)unlink(path);
    (void)close(fd);
    errno = e;
    return false;
}

/* A socket bound to an address. alone: of several, this one leaves IPv4 to the others. -1: errno
 * says why. */
WSHUB_IO_SOCK__COLD static int
wshub_io_sock__bind(const wshub_io_sock *net, const struct addrinfo *a, uint16_t port, int alone) {
    wshub_io_sock__address at;
    int one = 1, e, fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (fd < 0) return -1;
    memset(&at, 0, sizeof at);
    memcpy(&at, a->ai_addr, a->ai_addrlen < sizeof at ? a->ai_addrlen : sizeof at);
    if (a->ai_family == AF_INET6) {
        at.v6.sin6_port = htons(port);
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof alone);
    } else {
        at.v4.sin_port = htons(port);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
#ifdef SO_REUSEPORT
    if (net->desc.reuse_port) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
#else
    (void)net;
#endif
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited where the system
                                                                         does so */
    if (wshub_io_sock__prepare(fd) && bind(fd, &at.any, a->ai_addrlen) == 0) return fd;
    e = errno;
    (void)close(fd);
    errno = e;
    return -1;
}

static uint16_t wshub_io_sock__port_of(int fd) {
    wshub_io_sock__address name;
    socklen_t n = sizeof name;
    memset(&name, 0, sizeof name);
    if (getsockname(fd, &name.any, &n) != 0) return 0;
    return ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port);
}

/* Whether an address of the list has come before: some systems name one twice. */
static bool wshub_io_sock__repeated(const struct addrinfo *list, const struct addrinfo *a) {
    for (; list != a; list = list->ai_next) {
        if (list->ai_addrlen == a->ai_addrlen &&
            memcmp(list->ai_addr, a->ai_addr, a->ai_addrlen) == 0)
            return true;
    }
    return false;
}

/* Listens on every address of the list that this machine has, or on none. *port 0: becomes the
 * first one's, and that of all. False: errno says why. */
WSHUB_IO_SOCK__COLD static bool
wshub_io_sock__listen_all(wshub_io_sock *net, const struct addrinfo *list, uint16_t *port) {
    const struct addrinfo *a;
    int before = net->listeners_count, e = EADDRNOTAVAIL;
    for (a = list; a; a = a->ai_next) {
        int fd;
        if (wshub_io_sock__repeated(list, a)) continue;
        if (net->listeners_count == WSHUB_IO_SOCK__LISTENERS) {
            e = ENOBUFS;
            break;
        }
        fd = wshub_io_sock__bind(net, a, *port, list->ai_next != NULL);
        if (fd >= 0 && wshub_io_sock__listen_on(net, fd, NULL)) {
            if (!*port) *port = wshub_io_sock__port_of(fd);
            continue;
        }
        e = errno;
        if (e != EADDRNOTAVAIL && e != EAFNOSUPPORT && e != EPROTONOSUPPORT) break;
    }
    if (!a && net->listeners_count > before) return true;
    wshub_io_sock__unlisten_to(net, before);
    errno = e;
    return false;
}

WSHUB_IO_SOCK__COLD WSHUB_API wshub_err wshub_io_sock_listen(wshub_io_sock *net, const char *host,
                                                             uint16_t port, uint16_t *out_port) {
    struct addrinfo hints, *list = NULL;
    char service[8], where[128];
    const char *shown = host && *host ? host : "0.0.0.0";
    int e, tries = 0;
    uint16_t got;
    bool ok;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    (void)snprintf(where, sizeof where, strchr(shown, ':') ? "[%.100s]:%u" : "%.100s:%u", shown,
                   (unsigned)port);
    if (net->listeners_count == WSHUB_IO_SOCK__LISTENERS)
        return wshub_io_sock__cannot_listen(net, where, "there are as many listeners as can be");
    memset(&hints, 0, sizeof hints);
    hints.ai_family = host && *host ? AF_UNSPEC : AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    e = getaddrinfo(host && *host ? host : NULL, service, &hints, &list);
    if (e) {
        (void)snprintf(net->error, sizeof net->error,
                       "cannot listen on %s: no such address (%s); give one of this machine's",
                       where, gai_strerror(e));
        return WSHUB_ERR_PARAM;
    }
    do { /* the port that the system chose for the first address may be taken at another */
        got = port;
        ok = wshub_io_sock__listen_all(net, list, &got);
    } while (!ok && !port && errno == EADDRINUSE && tries++ < 8);
    e = errno;
    freeaddrinfo(list);
    errno = e;
    if (!ok) {
        return wshub_io_sock__fail(
            net, "cannot listen on", where,
            errno == EADDRINUSE ? "stop the program that has it or choose another port"
            : errno == EACCES   ? "ports below 1024 need a privilege; choose another"
            : errno == EMFILE   ? "raise the limit on open files (ulimit -n)"
                                : "");
    }
    if (out_port) *out_port = got;
    return WSHUB_OK;
}

/* Who has the path of a Unix socket? Asked without waiting: a full backlog is a live server too.
 * Returns 0: nobody serves it; EADDRINUSE: somebody does; another error of the system's. */
WSHUB_IO_SOCK__COLD static int wshub_io_sock__probe(const wshub_io_sock__address *at) {
    int e = 0, fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) return errno;
    if (!wshub_io_sock__prepare(fd))
        e = errno; /* NOLINT: another's than below */
    else if (connect(fd, &at->any, sizeof at->un) == 0 || errno == EAGAIN || errno == EINPROGRESS ||
             errno == EPROTOTYPE) /* a datagram socket, and somebody has it */
        e = EADDRINUSE;
    else if (errno != ECONNREFUSED && errno != ENOENT)
        e = errno;
    (void)close(fd);
    return e;
}

/* Binds to the path, over a dead socket if one lies there. Returns 0 or what the system said;
 * *out_hint: what to do. */
WSHUB_IO_SOCK__COLD static int wshub_io_sock__bind_unix(int fd, const wshub_io_sock__address *at,
                                                        const char **out_hint) {
    int tries;
    *out_hint = "";
    for (tries = 0; tries < 8; tries++) { /* others may come between who lock nothing */
        struct stat st;
        int e = 0;
        if (bind(fd, &at->any, sizeof at->un) == 0) return 0;
        if (errno == ENOENT || errno == ENOTDIR) *out_hint = "make its folder first";
        if (errno == EACCES || errno == EPERM || errno == EROFS)
            *out_hint = "the folder must let this program write";
        if (errno != EADDRINUSE) return errno;
        if (lstat(at->un.sun_path, &st) != 0) {
            if (errno != ENOENT) return errno;
            continue; /* its owner has just removed it */
        }
        if (!S_ISSOCK(st.st_mode)) {
            *out_hint = "there is a file of this name that is no socket";
            return EADDRINUSE;
        }
        e = wshub_io_sock__probe(at);
        if (e) {
            *out_hint =
                e == EADDRINUSE ? "another program serves it" : "there is a socket of this name";
            return e;
        }
        if (unlink(at->un.sun_path) != 0 && errno != ENOENT) return errno;
    }
    *out_hint = "others take it again and again";
    return EADDRINUSE;
}

WSHUB_IO_SOCK__COLD WSHUB_API wshub_err wshub_io_sock_listen_unix(wshub_io_sock *net,
                                                                  const char *path) {
    wshub_io_sock__address at;
    const char *hint = "";
    char *copy;
    int fd, lock, e;
    if (!path || !*path)
        return wshub_io_sock__cannot_listen(net, "a Unix socket", "the path is empty");
    if (strlen(path) >= sizeof at.un.sun_path)
        return wshub_io_sock__cannot_listen(net, path, "the path is too long for a Unix socket");
    if (net->listeners_count == WSHUB_IO_SOCK__LISTENERS)
        return wshub_io_sock__cannot_listen(net, path, "there are as many listeners as can be");
    memset(&at, 0, sizeof at);
    at.un.sun_family = AF_UNIX;
    memcpy(at.un.sun_path, path, strlen(path));
    copy = (char *)malloc(strlen(path) + 1); /* of the path, for the end */
    if (!copy) return WSHUB_ERR_NOMEM;
    memcpy(copy, path, strlen(path) + 1);

    lock = wshub_io_sock__lock_folder(path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    e = fd >= 0 && wshub_io_sock__prepare(fd) ? wshub_io_sock__bind_unix(fd, &at, &hint) : errno;
    if (e && fd >= 0) (void)close(fd);
    if (!e && !wshub_io_sock__listen_on(net, fd, copy)) e = errno; /* it has closed it */
    wshub_io_sock__unlock_folder(lock);
    if (!e) return WSHUB_OK;
    free(copy);
    errno = e;
    return wshub_io_sock__fail(net, "cannot listen on", path, hint);
}

/* The number of a listener's name, index + 1, which is kept from now on. 0: out of memory, or there
 * are too many. */
WSHUB_IO_SOCK__COLD static uint8_t wshub_io_sock__name_keep(wshub_io_sock *net, const char *name) {
    size_t n = strlen(name) + 1;
    char **list, *copy;
    uint8_t i;
    for (i = 0; i < net->names_count; i++) {
        if (strcmp(net->names[i], name) == 0) return (uint8_t)(i + 1);
    }
    if (net->names_count == 255) return 0;

    list = (char **)realloc(net->names, (net->names_count + 1u) * sizeof *list);
    if (!list) return 0;
    net->names = list;
    copy = (char *)malloc(n);
    if (!copy) return 0;
    list[net->names_count++] = (char *)memcpy(copy, name, n);
    return net->names_count;
}

WSHUB_IO_SOCK__COLD WSHUB_API wshub_err wshub_io_sock_listen_place(wshub_io_sock *net,
                                                                   const wshub_io_sock_place *place,
                                                                   uint16_t *out_port) {
    wshub_err err;
    net->name = place->name ? wshub_io_sock__name_keep(net, place->name) : 0;
    if (place->name && !net->name)
        return wshub_io_sock__cannot_listen(net, place->name, "no more names can be kept");

    err = place->path ? wshub_io_sock_listen_unix(net, place->path)
                      : wshub_io_sock_listen(net, place->host, place->port, out_port);
    net->name = 0;
    return err;
}

WSHUB_IO_SOCK__COLD static void wshub_io_sock__tell(wshub_io_sock *net, const char *text) {
    (void)snprintf(net->error, sizeof net->error, "%s", text);
    if (net->error_second == net->now / 1000 || !net->desc.on_error) return;
    net->error_second = net->now / 1000;
    net->desc.on_error(text, net->desc.user);
}

/* Out of descriptors: the waiting peer is answered with an end instead of silence, then accepting
 * rests. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__shed(wshub_io_sock *net, int listener) {
    int fd;
    if (net->reserve >= 0) {
        (void)close(net->reserve);
        net->reserve = -1;
        fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            (void)close(fd);
            net->stats.shed++;
        }
        net->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    net->accept_wait = net->accept_wait ? net->accept_wait * 2 : 50;
    if (net->accept_wait > 1000) net->accept_wait = 1000;
    net->accept_again = net->now + net->accept_wait;
    net->stats.accept_pauses++;
    wshub_io_sock__listeners_watch(net);
    wshub_io_sock__tell(net, "out of file descriptors: new connections wait; raise the limit "
                             "(ulimit -n) or serve fewer");
}

WSHUB_IO_SOCK__COLD static void wshub_io_sock__accept(wshub_io_sock *net, int index) {
    int n, one = 1;
    for (n = 0; n < 64 && net->owned && index < net->listeners_count; n++) {
        int listener = net->listeners[index].fd, fd;
        wshub_io_sock__conn *c;
#if defined(__linux__) && defined(SOCK_NONBLOCK) && defined(_GNU_SOURCE)
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
        fd = accept(listener, NULL, NULL);
        if (fd >= 0 && !wshub_io_sock__prepare(fd)) {
            (void)close(fd);
            continue;
        }
#endif
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                wshub_io_sock__shed(net, listener);
            if (errno == EINTR || errno == ECONNABORTED) continue;
            return;
        }
        net->accept_wait = 0;
        net->stats.accepted++;
        c = wshub_io_sock__new(net);
        if (!c) {
            (void)close(fd);
            net->stats.shed++;
            continue;
        }
        if (!net->listeners[index].path)
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
#ifdef SO_NOSIGPIPE
        (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
        c->fd = fd;
        c->listener = net->listeners[index].name;
        c->state = WSHUB_IO_SOCK__OPEN;
        wshub_io_sock__rewatch(net, c);
        net->owner.opened(net->owner.ctx, wshub_io_sock__id(net, c));
    }
}

/* The peer sends no more. Who wants to know goes on sending; for others, and behind our own end,
 * that is all. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__ended(wshub_io_sock *net, wshub_conn id,
                                                     wshub_io_sock__conn *c) {
    const wshub_io_owner *o = wshub_io_sock__whose(net, c);
    if (c->state != WSHUB_IO_SOCK__OPEN || !o || !o->ended) {
        wshub_io_sock__shut(net, c);
        return;
    }
    c->ended = true;
    wshub_io_sock__rewatch(net, c);
    o->ended(o->ctx, id);
}

static void wshub_io_sock__read(wshub_io_sock *net, wshub_conn id) {
    int turns;
    for (turns = 0; turns < 4; turns++) { /* one stream may not starve the others */
        wshub_io_sock__conn *c = wshub_io_sock__get(net, id.id);
        const wshub_io_owner *o;
        ssize_t n;
        if (!c || c->state == WSHUB_IO_SOCK__CLOSED || c->paused || c->ended) return;
        o = wshub_io_sock__whose(net, c);
        net->stats.reads++;
        n = recv(c->fd, net->buf, net->desc.read_bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n < 0) {
            wshub_io_sock__shut(net, c);
            return;
        }
        if (n == 0) {
            wshub_io_sock__ended(net, id, c);
            return;
        }
        if (c->state == WSHUB_IO_SOCK__OPEN && o) o->received(o->ctx, id, net->buf, (size_t)n);
        if ((size_t)n < net->desc.read_bytes) return;
    }
}

/* A stream that nobody reads is dead: after a reset, or when the peer had ended before, nothing is
 * left of it. Else what lies unread (of a Unix socket whose peer has closed) waits for the owner,
 * out of the poller. */
WSHUB_IO_SOCK__COLD static void wshub_io_sock__gone(wshub_io_sock *net, wshub_io_sock__conn *c) {
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0) e = errno;
    if (e || c->ended) {
        wshub_io_sock__shut(net, c);
        return;
    }
    c->hung = true;
    wshub_io_sock__rewatch(net, c);
}

/* One event. guests: only if it is a guest's stream (true), or none (false). */
static void wshub_io_sock__event(wshub_io_sock *net, const wshub_io_sock_event *e, bool guests) {
    wshub_conn id;
    wshub_io_sock__conn *c;
    const wshub_io_owner *o;
    if ((e->tag & WSHUB_IO_SOCK__LISTENER_TAG) == WSHUB_IO_SOCK__LISTENER_TAG) {
        if (!guests) wshub_io_sock__accept(net, (int)(uint32_t)e->tag);
        return;
    }
    id.id = e->tag;
    c = wshub_io_sock__get(net, id.id);
    if (!c || c->state == WSHUB_IO_SOCK__CLOSED ||
        (c->guest && c->guest != WSHUB_IO_SOCK__NOBODY) != guests)
        return;
    if (c->state == WSHUB_IO_SOCK__DIALLING) {
        wshub_io_sock__dialled(net, id, c);
        return;
    }
    if ((e->ready & WSHUB_IO_SOCK_GONE) && c->watched == WSHUB_IO_SOCK_GONE) {
        wshub_io_sock__gone(net, c);
        return;
    }
    if ((e->ready & WSHUB_IO_SOCK_WRITE) && c->blocked) {
        c->blocked = false;
        wshub_io_sock__rewatch(net, c);
        o = wshub_io_sock__whose(net, c);
        if (c->state == WSHUB_IO_SOCK__OPEN && o) o->drained(o->ctx, id);
    }
    if (e->ready & WSHUB_IO_SOCK_READ) wshub_io_sock__read(net, id);
}

/* A wait that began at `before` has reported n events. Everything that had arrived by then has been
 * reported if these were all there were; else once as many were served as there can be, since what
 * was left out comes first. */
static void wshub_io_sock__heard_up_to(wshub_io_sock *net, uint64_t before, uint32_t n) {
    if (!net->sweep_events) net->sweep = before;
    net->sweep_events += n;
    if (n < WSHUB_IO_SOCK__EVENTS - 1) {
        net->heard = before;
        net->sweep_events = 0;
    } else if (net->sweep_events / 2 > net->live + WSHUB_IO_SOCK__LISTENERS) { /* kqueue: two a
                                                                                  stream */
        net->heard = net->sweep;
        net->sweep_events = 0;
    }
}

static void wshub_io_sock__settle(wshub_io_sock *net) {
    int i, g;
    (void)wshub_io_sock__woken(net, false); /* what is asked for from here on needs another turn */
    if (net->dials) wshub_io_sock__dials_run(net);
    wshub_io_sock__report_closed(net);
    for (i = 0; (net->owned || net->guests_count) && i < 4; i++) {
        uint64_t next = WSHUB_NEVER, at;
        for (g = 0; net->guests_count && g < WSHUB_IO_SOCK__GUESTS; g++) {
            if (!net->guests[g].settle) continue;
            at = net->guests[g].settle(net->guests[g].ctx);
            if (at < next) next = at;
        }
        if (net->owned) {
            at = net->owner.settle(net->owner.ctx);
            if (at < next) next = at;
        }
        net->next = next;
        if (!net->closed_head) break;
        wshub_io_sock__report_closed(net);
        net->next = 0;
    }
}

/* How long may be waited from `now` on; -1: for ever. */
static int wshub_io_sock__patience(const wshub_io_sock *net, uint64_t now) {
    uint64_t next = net->owned || net->guests_count ? net->next : WSHUB_NEVER, wait;
    const wshub_io_sock__dial *d;
    if (net->closed_head) return 0; /* to be told */
    for (d = net->dials; d; d = d->next) {
        if (d->due && d->due < next) next = d->due;
    }
    if (net->linger_head && net->conns[net->linger_head - 1].due < next)
        next = net->conns[net->linger_head - 1].due;
    if (net->accept_again && net->accept_again < next) next = net->accept_again;
    if (next == WSHUB_NEVER) return -1;
    wait = next > now ? next - now : 0;
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

WSHUB_API int wshub_io_sock_timeout(wshub_io_sock *net) {
    return wshub_io_sock__patience(net, wshub_io_sock__clock(CLOCK_MONOTONIC));
}

/* Whether stop() has been called since it was asked last. */
static bool wshub_io_sock__stopped(wshub_io_sock *net) {
#if defined(__GNUC__)
    return __atomic_exchange_n(&net->stopping, false, __ATOMIC_ACQ_REL);
#else
    bool was = net->stopping;
    net->stopping = false;
    return was;
#endif
}

/* One wait, and what it brings. */
static wshub_err wshub_io_sock__serve(wshub_io_sock *net, int timeout_ms) {
    wshub_io_sock_event events[WSHUB_IO_SOCK__EVENTS];
    uint64_t before = wshub_io_sock__clock(CLOCK_MONOTONIC);
    int n, i, most = wshub_io_sock__patience(net, before);
    if (most >= 0 && (timeout_ms < 0 || most < timeout_ms)) timeout_ms = most;
    net->stats.waits++;
    n = net->desc.poller->wait(net->poller, events, WSHUB_IO_SOCK__EVENTS, timeout_ms);
    net->now = wshub_io_sock__clock(CLOCK_MONOTONIC);
    if (n < 0) return wshub_io_sock__fail(net, "waiting failed with", net->desc.poller->name, "");

    for (i = 0; i < n && net->guests_count; i++) wshub_io_sock__event(net, &events[i], true);
    for (i = 0; i < n; i++) wshub_io_sock__event(net, &events[i], false);
    wshub_io_sock__heard_up_to(net, before, (uint32_t)n);

    while (net->linger_head && net->conns[net->linger_head - 1].due <= net->now)
        wshub_io_sock__shut(net, &net->conns[net->linger_head - 1]);
    if (net->accept_again && net->now >= net->accept_again) {
        net->accept_again = 0;
        if (net->reserve < 0)
            net->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC); /* somebody had it first */
        wshub_io_sock__listeners_watch(net);
    }
    return WSHUB_OK;
}

static void wshub_io_sock__leave(wshub_io_sock *net) { /* net may be gone afterwards */
    net->depth--;
    wshub_io_sock__bury(net);
}

/* A turn: settle, wait, serve. A stop() never keeps one from serving: it has woken the poller, so
 * that no wait is long. */
static wshub_err wshub_io_sock__turn(wshub_io_sock *net, int timeout_ms) {
    bool somebody = net->owned || net->guests_count;
    wshub_err err;
    net->depth++;
    net->now = wshub_io_sock__clock(CLOCK_MONOTONIC);
    wshub_io_sock__settle(net);
    if (somebody && !net->owned && !net->guests_count)
        timeout_ms = 0; /* the last one left in its settle */
    err = wshub_io_sock__serve(net, timeout_ms);
    if (!err) wshub_io_sock__settle(net);
    wshub_io_sock__leave(net);
    return err;
}

WSHUB_API wshub_err wshub_io_sock_run_once(wshub_io_sock *net, int timeout_ms) {
    return wshub_io_sock__turn(net, wshub_io_sock__stopped(net) ? 0 : timeout_ms);
}

WSHUB_API wshub_err wshub_io_sock_run(wshub_io_sock *net) {
    wshub_err err = WSHUB_OK;
    net->depth++;
    while (!err && !wshub_io_sock__stopped(net) && (net->owned || net->guests_count))
        err = wshub_io_sock__turn(net, -1);
    wshub_io_sock__leave(net);
    return err;
}

WSHUB_IO_SOCK__COLD WSHUB_API void wshub_io_sock_stop(wshub_io_sock *net) {
#if defined(__GNUC__)
    __atomic_store_n(&net->stopping, true, __ATOMIC_RELEASE);
#else
    net->stopping = true;
#endif
    net->desc.poller->wake(net->poller);
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
