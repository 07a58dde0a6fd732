/* wshub_io_sock.h - sockets for wshub, over a poller
 *
 * Listens, accepts, reads, sends, ends streams, and dials for guests such as the bus to Redis. It
 * keeps nothing of what is sent: the out-queue is its owner's, and this io says how much the system
 * took and later that there is room again. What differs between systems is only how one waits for
 * many descriptors at once; that is a poller's, a table of six functions.
 *
 * [x] TCP over IPv4 and IPv6, all addresses of a name, Unix sockets, several listeners, which can
 *     have names; SO_REUSEPORT on request; they rest while nobody is there to serve
 * [x] TCP_NODELAY; no signal is raised; descriptors close on exec
 * [x] a program's life in one call: serves until SIGTERM or SIGINT, which are taken by nothing else
 *     here, then stops listening, drains at a pace and shuts down with a deadline
 * [x] out of descriptors: a waiting peer is told so by an end, accepting rests, then goes on; one
 *     line a second says so
 * [x] wake from any thread, by a system call only where nothing of the loop runs; its descriptor
 *     can be driven by another loop
 * [x] ends are told apart: a peer that sends no more still hears us; ours goes out behind the last
 *     byte, and what the peer still says is read until it ends too
 * [x] nothing spins: a stream that nobody reads is watched for its death alone
 * [x] after a late turn (a stopped process, a slow callback) input is reported before deadlines are
 *     judged
 * [x] guests and their outgoing streams: every address of a name in turn, also where one is silent
 *     (250 ms each, then twice that, for as long as the guest waits); names are resolved in a
 *     thread of their own with glibc, macOS and Windows, elsewhere (or with
 *     WSHUB_IO_SOCK_NO_THREADS) in place, where they hold up the loop
 * [x] a stream can be asked for its listener's name and for both its addresses
 * [x] a stream can be handed over to another io of this kind, which another thread runs
 *     (wshub_conn_hand_over()); its listener's name, and whom its PROXY head named, go along
 * [x] the PROXY protocol, versions 1 and 2, on listeners so marked: whom a proxy speaks for
 * [x] log lines on standard error, each with its time and in one write, from the level on that the
 *     environment's WSHUB_LOG says; one that nobody takes is lost, and never waited for
 * [x] Windows, with mingw-w64 and wshub_io_poll.h: see below for what is not there
 * [ ] TLS: that is an io over this io; a wshub_dial that is to be secure is refused in words
 *
 * System   POSIX sockets, and one of wshub_io_epoll.h, wshub_io_kqueue.h, wshub_io_poll.h. Under
 *          plain -std=c99 define _GNU_SOURCE or _DEFAULT_SOURCE before the first include. Windows
 *          10 or later: link with -lws2_32.
 * Include  wshub.h, this, then the poller, which includes nothing by itself; or just
 *          wshub_io_auto.h, which does it all. The code is emitted where WSHUB_IMPLEMENTATION is
 *          defined, or WSHUB_IO_SOCK_IMPLEMENTATION for a file of its own.
 * Threads  One, that of its hub, for every function but these: wshub_io_sock_stop() and, through
 *          the hub, wshub_post* are for any thread.
 *
 * ---- how it is used ----
 *     wshub_io_sock *net;
 *     if (wshub_io_auto_create(NULL, &net)) return 1;
 *     if (wshub_create(&(wshub_desc){ .io = wshub_io_sock_io(net) }, &hub)) return 1;
 *     if (wshub_io_sock_listen(net, "127.0.0.1", 8080, NULL))
 *         return puts(wshub_io_sock_error(net)), 1;
 *     wshub_io_sock_serve(net, hub);     (until SIGTERM, SIGINT or wshub_io_sock_stop())
 *     wshub_destroy(hub);
 *     wshub_io_sock_destroy(net);
 *
 * A program that handles signals itself, or ends in another way, calls what that is made of:
 * wshub_io_sock_run(), wshub_io_sock_stop() in its handler, wshub_io_sock_unlisten(),
 * wshub_drain(), wshub_shutdown(), and wshub_io_sock_run_once() until wshub_is_down().
 *
 * ---- signals ----
 * They belong to the process, so who serves with them stands in a list that is the process's: the
 * one global of this file, and for the handler's sake alone. It is filled by wshub_io_sock_serve(),
 * from any number of threads, and holds nobody after the last of them has returned: SIGTERM and
 * SIGINT are then handled as they were before the first one came. A child that is forked meanwhile
 * has our handlers until it calls exec().
 *
 * ---- Windows ----
 * The same, but for this. A port that is listened on is ours alone (SO_EXCLUSIVEADDRUSE). There are
 * no Unix sockets: listening on one and dialling one is refused in words, and so is reuse_port; so
 * several hubs, each in its thread (CreateThread(), or pthread_create() of mingw-w64), have a port
 * each, or one that listens hands streams over to the others. wshub_io_sock_serve() takes Ctrl+C,
 * Ctrl+Break and the closing of the console in place of SIGTERM and SIGINT; a service calls
 * wshub_io_sock_stop() in its own handler. wshub_io_sock_fd() is -1. Log lines are written without
 * asking whether standard error takes them at once. Sockets are not limited by a number, so nothing
 * rests for want of descriptors.
 *
 * ---- the turn ----
 * wshub_io_sock_run() repeats: settle (closed() for what has ended, the guests' settle, the
 * owner's), wait until something is ready or somebody's time has come, report it (guests' streams
 * first, then accept, drained() and received()), settle again.
 *
 * ---- the PROXY protocol ----
 * A proxy that passes bytes on without reading them (TCP, or TLS that ends here) can say in front
 * of everything else in whose name it comes. As nothing in a stream tells such a head from somebody
 * who pretends, a listener is marked (wshub_io_sock_place.proxy_protocol), and then every stream
 * there has a head, from one of its proxies; whoever comes otherwise is closed and counted
 * (PROXY-5 to PROXY-7). wshub_about.peer is then whom the proxy names, wshub_about.hop the proxy.
 *
 * ---- the states of a stream ----
 * It is accepted OPEN, or INTRODUCING while its PROXY head is read, of which the owner knows
 * nothing; or it is DIALLING until it is connected. When its owner closes it with flush it is
 * ENDING: our FIN is out and what the peer says is read and thrown away until its own end comes;
 * the owner has the clock for that. If the owner leaves meanwhile it is LEFT, with linger_ms for a
 * clock. SHUT means that the socket is closed and closed() is owed, which the next settle tells. */
#ifndef WSHUB_IO_SOCK_H
#define WSHUB_IO_SOCK_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* One io. Made by wshub_io_sock_create(), ended by wshub_io_sock_destroy(). */
typedef struct wshub_io_sock wshub_io_sock;

/* ---- for who writes a poller ---- */

/* What a descriptor is watched for, and what it is found to be. */
enum {
    WSHUB_IO_SOCK_READ = 1, /* something can be read: bytes, the peer's end, a waiting connection */
    WSHUB_IO_SOCK_WRITE = 2, /* there is room to send; an outgoing one is connected or has failed */
    WSHUB_IO_SOCK_GONE = 4   /* an error, or the end of both directions */
};

/* What a wait has found out about one descriptor. */
typedef struct wshub_io_sock_event {
    uint64_t tag;   /* as it was given to watch() */
    unsigned ready; /* READ and WRITE as they are the case; where it is GONE: all three */
} wshub_io_sock_event;

/* Of wshub_io_sock_poller and wshub_io_sock_event. */
#define WSHUB_POLLER_VERSION 1

/* Waits for many descriptors at once. They are watched level-triggered: what is not served is told
 * again. p is what create() has returned. All entries are required; but for wake() they are called
 * on the io's thread. */
typedef struct wshub_io_sock_poller {
    uint32_t version; /* WSHUB_POLLER_VERSION; with another one it is refused */
    const char *name; /* for people, as in "epoll"; valid for ever */
    /* Makes a poller. NULL: the system refused, and errno says why. */
    void *(*create)(void);
    /* Ends it. Nothing is watched any more by then. */
    void (*destroy)(void *p);
    /* Changes what fd is watched for, from `had` to `want` (0: not at all): READ, WRITE, both, or
     * GONE alone, which is also told where it was not asked for. tag goes with it, any number but
     * UINT64_MAX. False: the system refused, errno says why, and it is watched as before. */
    bool (*watch)(void *p, int fd, uint64_t tag, unsigned had, unsigned want);
    /* Waits up to timeout_ms (-1: for ever; 0: not at all). Returns how many events were
     * written, at most cap; a wake or a signal ends the wait and is no event; -1: failed, errno
     * says why. Fewer than cap - 1 events are all there were; else what was left out comes
     * before what comes again. */
    int (*wait)(void *p, wshub_io_sock_event *events, int cap, int timeout_ms);
    /* Ends the wait that is under way, or the next one. Any thread, and in signal handlers. */
    void (*wake)(void *p);
    /* Returns a descriptor that is readable when wait() would return at once; -1: there is
     * none. */
    int (*fd)(void *p);
} wshub_io_sock_poller;

/* ---- making one ---- */

/* Of wshub_io_sock_desc and of every other struct of this header that a program fills or reads. */
#define WSHUB_IO_SOCK_DESC_VERSION 1

/* What an io of sockets is like. Zero is the default of every field. Its size and version are
 * passed beside it by wshub_io_sock_create(). */
typedef struct wshub_io_sock_desc {
    const wshub_io_sock_poller *poller; /* required, but for wshub_io_auto_create(); borrowed */
    uint32_t read_bytes;                /* 262144; the most that one report of received() brings */
    /* 2000, WSHUB_OFF: not at all; how long the peer's end is waited for behind ours where the
     * owner has left meanwhile. */
    uint32_t linger_ms;
    uint32_t conns_max; /* 1000000; who comes beyond that is closed at once */
    /* 3000; how long a PROXY head may take, from the connection on (PROXY-6): 1..600000. It cannot
     * be off, or a proxy could leave streams here for ever. */
    uint32_t proxy_timeout_ms;
    /* Listens with SO_REUSEPORT, so that several hubs share a port; not on Windows. */
    bool reuse_port;
    /* Told of what an operator has to mend: one line, a view until it returns, at most one a
     * second. NULL: it is a log line; wshub_io_sock_error() says the same. On the io's thread. */
    void (*on_error)(const char *text, void *user);
    void *user; /* for on_error */
    /* From which level on log lines go to standard error (wshub_io.log_level), whatever WSHUB_LOG
     * says. 0: as the environment's WSHUB_LOG says when the io is made: debug, info, warn, error,
     * or off; without it as the hub's description says. */
    wshub_log_level log_level;
    bool no_log; /* none goes there, whatever WSHUB_LOG says */
} wshub_io_sock_desc;

/* Makes an io of sockets, with nothing to listen on as yet.
 *   desc     borrowed
 *   out_net  the io; given to you, end it with wshub_io_sock_destroy()
 * Returns  OK; PARAM: wshub_io_sock_desc_problem() says which field; NOMEM; IO: the system refused,
 *          and errno says why. wshub_io_sock_desc_explain() puts all of it into words.
 * Thread   the one that it will belong to. */
WSHUB_INLINE wshub_err wshub_io_sock_create(const wshub_io_sock_desc *desc,
                                            wshub_io_sock **out_net);

/* Says in one line what wshub_io_sock_create() would refuse in a description, and what it should
 * be.
 *   desc     borrowed
 * Returns  NULL: nothing. Else a constant text that begins with the field's name.
 * Thread   any; pure. */
WSHUB_INLINE const char *wshub_io_sock_desc_problem(const wshub_io_sock_desc *desc);

/* Says why wshub_io_sock_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h; after IO also by errno, so call it at once.
 *   desc  borrowed
 *   err   what that returned; OK: it was not called yet
 *   buf   as there
 * Returns  as there.
 * Thread   any; pure. */
WSHUB_INLINE size_t wshub_io_sock_desc_explain(const wshub_io_sock_desc *desc, wshub_err err,
                                               char *buf, size_t cap);

/* What the three above call, as wshub_create_versioned() of wshub.h: with what the header that your
 * program includes says of the description.
 *   desc_bytes  sizeof(wshub_io_sock_desc)
 *   version     WSHUB_IO_SOCK_DESC_VERSION
 * Return   as those. */
WSHUB_API wshub_err wshub_io_sock_create_versioned(const wshub_io_sock_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_sock **out_net);
WSHUB_API const char *wshub_io_sock_desc_problem_versioned(const wshub_io_sock_desc *desc,
                                                           size_t desc_bytes, uint32_t version);
WSHUB_API size_t wshub_io_sock_desc_explain_versioned(const wshub_io_sock_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      wshub_err err, char *buf, size_t cap);

WSHUB_INLINE wshub_err wshub_io_sock_create(const wshub_io_sock_desc *desc,
                                            wshub_io_sock **out_net) {
    return wshub_io_sock_create_versioned(desc, sizeof *desc, WSHUB_IO_SOCK_DESC_VERSION, out_net);
}
WSHUB_INLINE const char *wshub_io_sock_desc_problem(const wshub_io_sock_desc *desc) {
    return wshub_io_sock_desc_problem_versioned(desc, sizeof *desc, WSHUB_IO_SOCK_DESC_VERSION);
}
WSHUB_INLINE size_t wshub_io_sock_desc_explain(const wshub_io_sock_desc *desc, wshub_err err,
                                               char *buf, size_t cap) {
    return wshub_io_sock_desc_explain_versioned(desc, sizeof *desc, WSHUB_IO_SOCK_DESC_VERSION, err,
                                                buf, cap);
}

/* Ends it, after its hub and its guests. NULL: nothing. In a callback it listens no more from
 * then on and is gone when the outermost call that serves has returned and its hub and guests
 * have left. Thread: its own. */
WSHUB_API void wshub_io_sock_destroy(wshub_io_sock *net);

/* Returns the table for wshub_desc.io, valid as long as net. It serves one hub at a time, a
 * second one is refused (STATE), and at most 16 guests. */
WSHUB_API const wshub_io *wshub_io_sock_io(wshub_io_sock *net);

/* ---- listening ---- */

/* Listens on a TCP port.
 *   host      an address, or a name: all its addresses that this machine has; NULL: all IPv4
 *             addresses, which anybody may reach; "::": all of IPv6 and, where the system does so,
 *             of IPv4. "" is refused, as that is what a variable leaves that nobody has set
 *   port      0: any that is free, the same for all addresses
 *   out_port  the port; may be NULL
 * Returns  OK; PARAM: no such address, or 16 listeners are there; IO: the system refused. After an
 *          error nothing more is listened to than before; wshub_io_sock_error() says what to do.
 * Thread   its own; any number of times, also before there is a hub: who connects then waits. */
WSHUB_API wshub_err wshub_io_sock_listen(wshub_io_sock *net, const char *host, uint16_t port,
                                         uint16_t *out_port);

/* Listens on a Unix socket (on Windows: PARAM). A socket file in its place that nobody serves is
 * replaced; one that is served, and any other file, is an error, told without waiting. When the
 * listener is closed the file is removed, if it is still the same.
 *   path  not empty, and not longer than the system takes (107 bytes on Linux); copied
 * Returns and thread as wshub_io_sock_listen(); NOMEM. */
WSHUB_API wshub_err wshub_io_sock_listen_unix(wshub_io_sock *net, const char *path);

/* A place to listen on. Zero: all IPv4 addresses, any port. */
typedef struct wshub_io_sock_place {
    /* What wshub_about.listener says of the streams that come in here, by which an application
     * tells its listeners apart; copied. NULL: none. At most 255 different ones in the life of
     * an io. */
    const char *name;
    const char *host; /* as wshub_io_sock_listen() takes it */
    uint16_t port;    /* the same */
    const char *path; /* a Unix socket instead, as wshub_io_sock_listen_unix() takes it */
    /* Each stream that comes in here begins with a PROXY head, of version 1 or 2: haproxy's
     * `send-proxy` and `send-proxy-v2`, nginx's `proxy_protocol on` in a stream block. What has
     * none is closed, whoever sends it (PROXY-5): a health check must send one, too (haproxy's
     * `check-send-proxy`). */
    bool proxy_protocol;
    /* proxy_protocol: required: from where proxies may come, proxies_count of them, as in
     * wshub_desc.trusted_proxies; copied. All others are closed at once. */
    const char *const *proxies;
    size_t proxies_count;
} wshub_io_sock_place;

/* Listens on a place that may have a name.
 *   place     borrowed; its texts are copied
 *   out_port  may be NULL; not written for a Unix socket
 * Returns and thread as wshub_io_sock_listen(); PARAM also for one name too many, and for proxies
 *          that are none; NOMEM. */
WSHUB_API wshub_err wshub_io_sock_listen_place(wshub_io_sock *net, const wshub_io_sock_place *place,
                                               uint16_t *out_port);

/* Closes all listeners. Streams that came in by them stay. Thread: its own; allowed in
 * callbacks. */
WSHUB_API void wshub_io_sock_unlisten(wshub_io_sock *net);

/* Returns one line on what went wrong last and what to do about it; "" if nothing did. A view,
 * valid until the next call into the io. */
WSHUB_API const char *wshub_io_sock_error(const wshub_io_sock *net);

/* ---- serving ---- */

/* Serves a hub for the life of a program: until SIGTERM or SIGINT, or wshub_io_sock_stop(); then
 * ends its service, by the defaults of wshub_io_sock_serve_desc.
 * Returns and thread as wshub_io_sock_serve_with(), where all is said. */
WSHUB_API wshub_err wshub_io_sock_serve(wshub_io_sock *net, wshub *hub);

/* How service ends. Zero is the default of every field. */
typedef struct wshub_io_sock_serve_desc {
    /* 500; how many clients a second are closed at the least, the oldest first, so that they do not
     * come back all at once elsewhere: 1..1000000. WSHUB_OFF: all at once. */
    uint32_t drain_per_second;
    /* 9000, since many who send SIGTERM kill after ten seconds; from the first signal on. By half
     * of it all clients are closed, at a faster pace where needed, and the other half is for their
     * answers and for the broker's. At its end it returns, whoever is left. WSHUB_OFF: there is
     * none, and draining takes as long as its pace says. */
    uint32_t deadline_ms;
    uint16_t code;      /* 1001; of the Close that drained clients get; 1012: "come back" */
    const char *reason; /* "Server shutting down"; its reason, as of wshub_drain(); borrowed */
    bool no_signals;    /* none is taken: only wshub_io_sock_stop() ends it */
} wshub_io_sock_serve_desc;

/* Serves as wshub_io_sock_serve(), and ends as it is told.
 *   hub   the one that net serves, itself or by a layer in between
 *   desc  borrowed; NULL: the defaults
 *
 * The first signal: it listens no more, drains (wshub_drain()), and when nobody is left shuts the
 * hub down (wshub_shutdown()), which closes what is no client's. The second one hurries: whoever is
 * left is closed at once. The third: it returns without waiting for answers. A wshub_io_sock_stop()
 * is a signal for this net alone; two of one turn count once.
 *
 * Signals are taken by this call alone. It lets SIGTERM and SIGINT through to its thread if they
 * were blocked there, also one that was pending, and takes them where they were ignored. When the
 * last such call of the process returns, both are handled, and in this thread blocked, as before;
 * but a handler that the program has set meanwhile stays. Whoever wants to clean up undisturbed
 * afterwards blocks both before the call. In several threads, each with a net and a hub of its own
 * (examples/cores.c), a signal is for all: for those who serve, and for those nets that were there
 * and whose call comes only now.
 *
 * If the application drains or shuts the hub down by itself it is the same without the deadline.
 * Afterwards the hub is as wshub_shutdown() leaves it: destroy it, then net. Guests of the io may
 * be there still.
 * Returns  OK: the hub is down or destroyed, or time or patience is over, which wshub_is_down()
 *          tells; PARAM: wshub_io_sock_error() says which field; STATE: net serves no hub, or this
 *          is a callback; IO: waiting failed.
 * Thread   its own; not in callbacks. */
WSHUB_API wshub_err wshub_io_sock_serve_with(wshub_io_sock *net, wshub *hub,
                                             const wshub_io_sock_serve_desc *desc);

/* Serves until wshub_io_sock_stop(), or until its hub is destroyed and its guests have left;
 * returns at once if there are none. Returns OK; IO: waiting failed. Thread: its own; not in
 * callbacks. */
WSHUB_API wshub_err wshub_io_sock_run(wshub_io_sock *net);

/* Waits up to timeout_ms (-1: until something happens) and serves what is ready. After a
 * wshub_io_sock_stop() it does not wait. Returns and thread as wshub_io_sock_run(). */
WSHUB_API wshub_err wshub_io_sock_run_once(wshub_io_sock *net, int timeout_ms);

/* Makes wshub_io_sock_run() return, the one under way or else the next; wshub_io_sock_serve() takes
 * it as a signal. Any thread, and in signal handlers, which a program takes away before it destroys
 * net. */
WSHUB_API void wshub_io_sock_stop(wshub_io_sock *net);

/* For another loop (examples/event_loop.c), which watches the descriptor for reading, asks
 * wshub_io_sock_timeout() right before each wait how long that may be, and calls
 * wshub_io_sock_run_once(net, 0) behind each. Returns -1: this poller (poll) has no descriptor, and
 * wshub_io_sock_run_once() has to do the waiting. Valid as long as net. */
WSHUB_API int wshub_io_sock_fd(const wshub_io_sock *net);

/* Says how long may be waited from now on, without carrying anything out: it knows of what the
 * program has sent, closed or published, and of the timers that it has started, since the last
 * turn, wherever that was.
 * Returns  milliseconds until something is due; 0: something waits for wshub_io_sock_run_once()
 *          now; -1: nothing before the descriptor is readable.
 * Thread   its own; callbacks too. */
WSHUB_API int wshub_io_sock_timeout(wshub_io_sock *net);

/* Returns what waits: "epoll", "kqueue", "poll". */
WSHUB_API const char *wshub_io_sock_poller_name(const wshub_io_sock *net);

/* What it has done since it was made. */
typedef struct wshub_io_sock_stats {
    uint64_t accepted;      /* connections taken from the system */
    uint64_t shed;          /* of those, and of others: closed at once for want of room */
    uint64_t accept_pauses; /* times that accepting rested, out of descriptors or memory */
    uint64_t reads, sends;  /* system calls */
    uint64_t waits;         /* turns */
    /* Of listeners with proxy_protocol (PROXY-7): heads that were taken, and streams closed for
     * one reason each. */
    uint64_t proxy_heads;     /* whole and right, also such as name nobody */
    uint64_t proxy_strangers; /* the peer is none of the place's proxies */
    uint64_t proxy_missing;   /* what came first is no PROXY head, or nothing came before its end */
    uint64_t proxy_bad;       /* it began as one, and is wrong, too long, or ended early */
    uint64_t proxy_late;      /* it was not whole within proxy_timeout_ms */
} wshub_io_sock_stats;

/* Writes all counters. */
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <afunix.h>
#include <io.h>
#include <process.h>
#include <windows.h>
#include <ntsecapi.h>
#else
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#endif
#ifndef WSHUB_ASSERT /* of its own .c file, without the implementation of wshub.h */
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
/* clang-format off */
#ifndef AI_PASSIVE
#error "POSIX is hidden: define _GNU_SOURCE or _DEFAULT_SOURCE before all includes, or -std=gnu99"
#endif
/* clang-format on */

/* Threads for the resolver. With glibc they are not in every program: before 2.34 they take
 * -pthread, and a static program has what it names itself. So pthread_create is named weakly
 * here, by a name of our own, which leaves the program's own untouched; it is NULL where there
 * is none. */
#if !defined(WSHUB_IO_SOCK_NO_THREADS) && defined(__GNUC__) &&                                     \
    (defined(__GLIBC__) || defined(__APPLE__) || defined(_WIN32))
#define WSHUB_IO_SOCK__THREADS 1
#ifndef _WIN32
#include <pthread.h>
#endif
#ifdef __GLIBC__
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

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* where it is not, there is SO_NOSIGPIPE */
#endif

/* Whether the poller tells GONE of the dead alone: on Windows it has asked the socket, whose error
 * is told only once. */
#ifdef _WIN32
#define WSHUB_IO_SOCK__GONE_IS_DEAD 1
#else
#define WSHUB_IO_SOCK__GONE_IS_DEAD 0
#endif
#ifdef __cplusplus
extern "C" {
#endif

enum {
    WSHUB_IO_SOCK__LISTENERS = 16,
    WSHUB_IO_SOCK__NAMES = 255,
    WSHUB_IO_SOCK__GUESTS = 16,
    WSHUB_IO_SOCK__NOBODY = 255,      /* as conn.guest: the owner has left */
    WSHUB_IO_SOCK__SCRATCH = 65536,   /* bytes of small spans that are copied together */
    WSHUB_IO_SOCK__SMALL = 4096,      /* a span is small that has fewer bytes, on average */
    WSHUB_IO_SOCK__IOVS = 64,         /* large spans that are gathered in one system call */
    WSHUB_IO_SOCK__EVENTS = 512,      /* in one wait */
    WSHUB_IO_SOCK__ACCEPTS = 64,      /* of one listener in a turn, so that streams get theirs */
    WSHUB_IO_SOCK__READS = 4,         /* of one stream in a turn, for the same reason */
    WSHUB_IO_SOCK__BACKLOG = 4096,    /* for listen(); the system may have a lower limit */
    WSHUB_IO_SOCK__PATIENCE_MS = 250, /* for one of several addresses (RFC 8305 5) */
    WSHUB_IO_SOCK__PROXIES = 1024,    /* ranges of one listener */
    WSHUB_IO_SOCK__REST_MS = 50,      /* accepting rests, at first; doubled each time */
    WSHUB_IO_SOCK__REST_MS_MAX = 1000
};

/* The tag of a listener, with its index in the low half. No stream's generation is that high. */
#define WSHUB_IO_SOCK__LISTENER_TAG UINT64_C(0xFFFFFFFE00000000)

/* What a stream is; see the top of this file. */
typedef enum wshub_io_sock__state {
    WSHUB_IO_SOCK__FREE,        /* no stream */
    WSHUB_IO_SOCK__DIALLING,    /* outgoing and not yet connected; without a socket in between */
    WSHUB_IO_SOCK__INTRODUCING, /* its PROXY head is read; it is nobody's yet */
    WSHUB_IO_SOCK__OPEN,
    WSHUB_IO_SOCK__ENDING, /* our end is out; read and thrown away until the peer's */
    WSHUB_IO_SOCK__LEFT,   /* the same, and its owner has left */
    WSHUB_IO_SOCK__SHUT    /* without a socket; closed() is owed */
} wshub_io_sock__state;

typedef union wshub_io_sock__address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage all;
    uint8_t bytes[sizeof(struct sockaddr_storage)];
} wshub_io_sock__address;

typedef struct wshub_io_sock__conn {
    int fd; /* -1: none */
    uint32_t generation;
    uint8_t state;    /* wshub_io_sock__state; written by wshub_io_sock__to() alone */
    uint8_t watched;  /* what the poller watches fd for */
    uint8_t listener; /* by which it came in: index + 1 of that one's name; 0: none */
    uint8_t guest;    /* whose it is. 0: the attached owner's; i + 1: guest i's; or NOBODY */
    bool paused;      /* the owner wants no bytes now */
    bool blocked;     /* a send was short: drained() is owed */
    bool ended;       /* the peer sends no more, and the owner knows */
    bool hung; /* paused, and both directions are over: what lies unread is all that is left */
    /* In the list of its state (FREE, INTRODUCING, LEFT, SHUT): index + 1; 0: the last. */
    uint32_t next;
    uint32_t prev; /* INTRODUCING, LEFT: the same, backwards */
    /* INTRODUCING: until when its head must be whole. LEFT: until when the peer's end is waited
     * for. */
    uint64_t due;
} wshub_io_sock__conn;

/* Streams of one state, all of which have the same time in it: the oldest is the next to be due.
 * Index + 1; 0: there are none. */
typedef struct wshub_io_sock__dues {
    uint32_t head, tail;
} wshub_io_sock__dues;

enum {
    WSHUB_IO_SOCK__SIGN = 12,         /* bytes by which the versions are told apart */
    WSHUB_IO_SOCK__V1_LINE = 107,     /* the longest head of version 1, CR LF included */
    WSHUB_IO_SOCK__V2_FIXED = 16,     /* of version 2 in front of the addresses */
    WSHUB_IO_SOCK__V2_ADDRESSES = 216 /* the longest of these, which are those of Unix sockets */
};

/* A PROXY head on its way. */
typedef struct wshub_io_sock__head {
    uint8_t bytes[WSHUB_IO_SOCK__V2_FIXED + WSHUB_IO_SOCK__V2_ADDRESSES];
    uint32_t count;   /* of bytes that have come; of version 2 with what is kept of it */
    uint32_t skipped; /* version 2: of what stands behind the addresses, and is passed over */
} wshub_io_sock__head;

/* What is known of a stream by its PROXY head. */
typedef struct wshub_io_sock__intro {
    wshub_io_sock__head *head; /* INTRODUCING; NULL */
    wshub_address peer;        /* whom it names; none: nobody */
} wshub_io_sock__intro;

/* From where the proxies of a place may come. */
typedef struct wshub_io_sock__proxies {
    uint32_t listeners; /* that have these */
    uint32_t count;
    wshub_address_range ranges[1]; /* count of them */
} wshub_io_sock__proxies;

typedef struct wshub_io_sock__listener {
    int fd;
    bool watched;
    uint8_t name; /* index + 1 among the names; 0: none */
    char *path;   /* of a Unix socket; NULL: TCP */
    dev_t dev;    /* which file is ours at this path, so that no other is removed: */
    ino_t ino;    /* this number is not given again as long as fd is open; 0: none */
    wshub_io_sock__proxies *proxies; /* whose PROXY heads are read; NULL: none has one */
} wshub_io_sock__listener;

/* A stream on its way here from another io, with what its peer has said and its listener's name
 * behind it, which is terminated. */
typedef struct wshub_io_sock__arrival {
    struct wshub_io_sock__arrival *next;
    int fd;
    bool ended;         /* the peer sends no more, as that io has found out */
    wshub_address peer; /* whom its PROXY head named; none: it had none */
    size_t count;       /* of bytes */
} wshub_io_sock__arrival;

/* An outgoing stream that is not there yet. While a thread resolves its name, `resolving` and
 * `orphan` are guarded by `lock`, and the thread alone writes problem, list and at. */
typedef struct wshub_io_sock__dial {
    struct wshub_io_sock__dial *next;
    wshub_io_sock *net;
    uint64_t conn;         /* for whom */
    struct addrinfo *list; /* where it may be; NULL: a Unix socket, or not yet resolved */
    struct addrinfo *at;   /* what is to be tried next */
    int problem;           /* what getaddrinfo() said; 0: nothing */
    uint64_t due;          /* by then another address is tried; 0: there is no other */
    uint32_t patience_ms;  /* for each address, in this round */
    bool again;            /* a silent one was left in this round: another round follows */
    bool lock, resolving;
    bool orphan; /* nobody waits for it any more: whoever resolves it frees it */
    char where[300], host[256], port[8];
} wshub_io_sock__dial;

struct wshub_io_sock {
    wshub_io_sock_desc desc;
    wshub_io io;
    void *poller;

    /* Any thread may write these and `stopping`; they stand apart from what the owner's alone does,
     * since a compiler may read small neighbours together. */
    bool woken;  /* wake() was called since the last settle began */
    bool asleep; /* it waits, or nothing of it runs and somebody's own loop may wait for it */
    bool arrivals_lock;               /* of these two: */
    bool arrivals_open;               /* there is an owner who takes them */
    wshub_io_sock__arrival *arrivals; /* the latest first */
    wshub_io_owner owner;             /* whom it serves, and its guests */
    bool stopping;                    /* stop() was called */

    wshub_io_owner guests[WSHUB_IO_SOCK__GUESTS]; /* one without settle: none */
    int guests_count;
    bool owned;      /* there is an owner */
    uint32_t owners; /* how many it has had */
    bool doomed;     /* to be destroyed once nobody is inside or attached */
    uint32_t depth;  /* of calls that serve */

    /* Signals. */
    wshub_io_sock *serving_next; /* in the list of those who serve with them */
    unsigned signals_seen;       /* of all that were taken in this process */

    /* Time. */
    uint64_t now;          /* stands still within a turn */
    uint64_t next;         /* when an owner wants to settle at the latest */
    uint64_t heard;        /* see wshub_io_sock__heard_up_to() */
    uint64_t sweep;        /* when the first wait of a sweep began */
    uint32_t sweep_events; /* of this sweep so far; 0: none is under way */
    uint64_t accept_again; /* accepting rests until then; 0: it does not */
    uint64_t accept_wait;  /* how long it rested last */
    uint64_t error_second; /* in which on_error was called last */

    /* Streams, by index. */
    wshub_io_sock__conn *conns;
    uint32_t used, cap, live; /* live: those that are not FREE */
    uint32_t free_head, shut_head;
    wshub_io_sock__dues introducing, left;
    wshub_io_sock__intro *intros; /* by index, intros_cap of them; NULL: no head has ever come */
    uint32_t intros_cap;
    wshub_io_sock__dial *dials;

    /* Listeners, and what they were ever called: streams outlive them. */
    wshub_io_sock__listener listeners[WSHUB_IO_SOCK__LISTENERS];
    int listeners_count;
    char **names;
    uint8_t names_count;

    /* Standard error. */
    bool log_there; /* it was open when this was made, and was then: */
    dev_t log_dev;
    ino_t log_ino;
    int terminal; /* a descriptor of our own, where it is a terminal; -1: none */
    dev_t terminal_is;
    bool log_torn;     /* the last line has come out in part */
    uint64_t log_lost; /* lines that nobody took since the last one */

    int urandom, reserve; /* reserve: a descriptor to give up for a moment when there are no more */
    uint8_t *buf;         /* what is read, read_bytes of it */
    uint8_t *scratch;     /* small spans, copied together */
    char about_local[128]; /* what about() has told last */
    char about_peer[128];
    char about_named[WSHUB_ADDRESS_BYTES];
    wshub_io_sock_stats stats;
    char error[512];
};

/* ---- what differs between systems: all of it, but for whole functions that Windows has none of.
 * Where the system's sockets have names and errors of their own, these functions have POSIX's. */

#ifdef _WIN32
/* Windows' errors of sockets, what POSIX calls them, and their text, which its strerror() has
 * not. */
static const struct {
    int windows, posix;
    const char *text;
} wshub_io_sock__sys_errors[] = {{WSAEWOULDBLOCK, EAGAIN, "try again"},
                                 {WSAEINTR, EINTR, "interrupted"},
                                 {WSAEACCES, EACCES, "permission denied"},
                                 {WSAEMFILE, EMFILE, "too many open sockets"},
                                 {WSAENOBUFS, ENOBUFS, "no buffer space"},
                                 {WSA_NOT_ENOUGH_MEMORY, ENOMEM, "out of memory"},
                                 {WSAEADDRINUSE, EADDRINUSE, "address already in use"},
                                 {WSAEADDRNOTAVAIL, EADDRNOTAVAIL, "no such address here"},
                                 {WSAEAFNOSUPPORT, EAFNOSUPPORT, "address family not supported"},
                                 {WSAEPROTONOSUPPORT, EPROTONOSUPPORT, "protocol not supported"},
                                 {WSAECONNREFUSED, ECONNREFUSED, "connection refused"},
                                 {WSAECONNRESET, ECONNRESET, "connection reset by peer"},
                                 {WSAECONNABORTED, ECONNABORTED, "connection aborted"},
                                 {WSAETIMEDOUT, ETIMEDOUT, "connection timed out"},
                                 {WSAENETUNREACH, ENETUNREACH, "network unreachable"},
                                 {WSAENETDOWN, ENETDOWN, "network is down"},
                                 {WSAEHOSTUNREACH, EHOSTUNREACH, "host unreachable"},
                                 {WSAENOTCONN, ENOTCONN, "not connected"},
                                 {WSAENOTSOCK, ENOTSOCK, "not a socket"},
                                 {WSASYSNOTREADY, EIO, "the network subsystem is not there"}};
enum {
    WSHUB_IO_SOCK__SYS_ERRORS =
        (int)(sizeof wshub_io_sock__sys_errors / sizeof wshub_io_sock__sys_errors[0])
};

/* An error of Windows by POSIX' number. */
static int wshub_io_sock__sys_error(int windows) {
    int i;

    if (!windows) return 0;
    for (i = 0; i < WSHUB_IO_SOCK__SYS_ERRORS; i++) {
        if (wshub_io_sock__sys_errors[i].windows == windows)
            return wshub_io_sock__sys_errors[i].posix;
    }
    return EIO;
}
static const char *wshub_io_sock__sys_text(int e) {
    int i;

    for (i = 0; i < WSHUB_IO_SOCK__SYS_ERRORS; i++) {
        if (wshub_io_sock__sys_errors[i].posix == e) return wshub_io_sock__sys_errors[i].text;
    }
    return strerror(e);
}

/* Passes on what a call has returned; where that has failed, errno says why. */
static int wshub_io_sock__sys_said(int returned) {
    if (returned < 0) errno = wshub_io_sock__sys_error(WSAGetLastError());
    return returned;
}

/* A SOCKET is a handle, and those have 32 significant bits also where pointers have 64; the one
 * that is none becomes -1. */
static int wshub_io_sock__sys_socket(int family, int type, int protocol) {
    return wshub_io_sock__sys_said((int)socket(family, type, protocol));
}
static int wshub_io_sock__sys_accept(int fd) {
    int one = wshub_io_sock__sys_said((int)accept((SOCKET)fd, NULL, NULL));
    if (one < 0 && errno == ECONNRESET) errno = ECONNABORTED;
    return one;
}
static int wshub_io_sock__sys_bind(int fd, const struct sockaddr *at, size_t bytes) {
    return wshub_io_sock__sys_said(bind((SOCKET)fd, at, (int)bytes));
}
static int wshub_io_sock__sys_listen(int fd, int backlog) {
    return wshub_io_sock__sys_said(listen((SOCKET)fd, backlog));
}
static int wshub_io_sock__sys_connect(int fd, const struct sockaddr *at, size_t bytes) {
    int n = wshub_io_sock__sys_said(connect((SOCKET)fd, at, (int)bytes));
    if (n < 0 && errno == EAGAIN) errno = EINPROGRESS;
    return n;
}
static int wshub_io_sock__sys_close(int fd) {
    return closesocket((SOCKET)fd);
}
static int wshub_io_sock__sys_shutdown(int fd) {
    return shutdown((SOCKET)fd, SD_SEND);
}
static ssize_t wshub_io_sock__sys_recv(int fd, void *to, size_t count, int flags) {
    int most = count > INT_MAX ? INT_MAX : (int)count;
    return wshub_io_sock__sys_said(recv((SOCKET)fd, (char *)to, most, flags));
}
static ssize_t wshub_io_sock__sys_send(int fd, const void *from, size_t count) {
    int most = count > INT_MAX ? INT_MAX : (int)count;
    return wshub_io_sock__sys_said(send((SOCKET)fd, (const char *)from, most, 0));
}
static int wshub_io_sock__sys_name(int fd, struct sockaddr *at, socklen_t *bytes) {
    return getsockname((SOCKET)fd, at, bytes);
}
static int wshub_io_sock__sys_peer(int fd, struct sockaddr *at, socklen_t *bytes) {
    return getpeername((SOCKET)fd, at, bytes);
}
static void wshub_io_sock__sys_set(int fd, int level, int name, int value) {
    (void)setsockopt((SOCKET)fd, level, name, (const char *)&value, sizeof value);
}

static uint64_t wshub_io_sock__sys_ticks(void) {
    LARGE_INTEGER now, each;
    (void)QueryPerformanceCounter(&now);
    (void)QueryPerformanceFrequency(&each);
    return (uint64_t)(now.QuadPart / each.QuadPart * 1000 +
                      now.QuadPart % each.QuadPart * 1000 / each.QuadPart);
}
static uint64_t wshub_io_sock__sys_date(void) {
    FILETIME at; /* in tenths of microseconds since 1601 */
    GetSystemTimeAsFileTime(&at);
    return ((uint64_t)at.dwHighDateTime << 32 | at.dwLowDateTime) / 10000 -
           UINT64_C(11644473600000);
}

/* What the io needs of the system from its beginning to its end. False: it is not there. */
static bool wshub_io_sock__sys_begin(void) {
    WSADATA about;
    int e = WSAStartup(MAKEWORD(2, 2), &about);
    if (e) errno = wshub_io_sock__sys_error(e);
    return e == 0;
}
static void wshub_io_sock__sys_end(void) {
    (void)WSACleanup();
}

/* Sockets are not limited by a number there, and randomness needs no descriptor. */
static int wshub_io_sock__sys_spare(void) {
    return -1;
}
static int wshub_io_sock__sys_urandom(void) {
    return 0;
}
static void wshub_io_sock__sys_give(int fd) {
    (void)fd;
}
#else
/* What is the same by another name costs nothing. */
#define wshub_io_sock__sys_text strerror
#define wshub_io_sock__sys_socket socket
#define wshub_io_sock__sys_accept(fd) accept(fd, NULL, NULL)
#define wshub_io_sock__sys_bind bind
#define wshub_io_sock__sys_listen listen
#define wshub_io_sock__sys_connect connect
#define wshub_io_sock__sys_close close
#define wshub_io_sock__sys_shutdown(fd) shutdown(fd, SHUT_WR)
#define wshub_io_sock__sys_recv recv
#define wshub_io_sock__sys_send(fd, from, count) send(fd, from, count, MSG_NOSIGNAL)
#define wshub_io_sock__sys_name getsockname
#define wshub_io_sock__sys_peer getpeername
#define wshub_io_sock__sys_begin() true
#define wshub_io_sock__sys_end() ((void)0)
#define wshub_io_sock__sys_spare() open("/dev/null", O_RDONLY | O_CLOEXEC)
#define wshub_io_sock__sys_urandom() open("/dev/urandom", O_RDONLY | O_CLOEXEC)
#define wshub_io_sock__sys_give(fd) ((void)close(fd))

static void wshub_io_sock__sys_set(int fd, int level, int name, int value) {
    (void)setsockopt(fd, level, name, &value, sizeof value);
}
static uint64_t wshub_io_sock__sys_clock(clockid_t which) {
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
#define wshub_io_sock__sys_ticks() wshub_io_sock__sys_clock(CLOCK_MONOTONIC)
#define wshub_io_sock__sys_date() wshub_io_sock__sys_clock(CLOCK_REALTIME)
#endif

/* ---- lines to standard error ---- */

#ifdef _WIN32
/* Without signals and without asking: a console or a pipe that nobody reads may keep us. */
static ssize_t wshub_io_sock__log_quietly(wshub_io_sock *net, const char *line, size_t bytes) {
    (void)net;
    return _write(2, line, (unsigned)bytes);
}
#else
/* What standard error is, as far as writing to it goes. */
typedef enum wshub_io_sock__log_kind {
    WSHUB_IO_SOCK__LOG_NONE, /* not to be written to */
    WSHUB_IO_SOCK__LOG_FILE, /* takes everything at once, or says why not */
    WSHUB_IO_SOCK__LOG_PIPE, /* can be asked whether it takes a line */
    WSHUB_IO_SOCK__LOG_SOCKET,
    WSHUB_IO_SOCK__LOG_TERMINAL
} wshub_io_sock__log_kind;

/* Looks at standard error anew with each line: programs put it elsewhere. A pipe or socket is
 * written to only if it is the one that was there when the io was made: a program may have closed
 * standard error since, and its number may be a peer's stream by now. */
static wshub_io_sock__log_kind wshub_io_sock__log_look(const wshub_io_sock *net, struct stat *is) {
    if (!net->log_there || fstat(STDERR_FILENO, is) != 0) return WSHUB_IO_SOCK__LOG_NONE;
    if (S_ISREG(is->st_mode)) return WSHUB_IO_SOCK__LOG_FILE;
    if (S_ISCHR(is->st_mode))
        return isatty(STDERR_FILENO) ? WSHUB_IO_SOCK__LOG_TERMINAL : WSHUB_IO_SOCK__LOG_FILE;
    if (is->st_dev != net->log_dev || is->st_ino != net->log_ino) return WSHUB_IO_SOCK__LOG_NONE;
    if (S_ISFIFO(is->st_mode)) return WSHUB_IO_SOCK__LOG_PIPE;
    return S_ISSOCK(is->st_mode) ? WSHUB_IO_SOCK__LOG_SOCKET : WSHUB_IO_SOCK__LOG_NONE;
}

/* A terminal that is slow or stopped takes part of a line and then blocks. O_NONBLOCK belongs to
 * what all programs on it share, the shell too, so we open it once more for ourselves. Returns -1:
 * that cannot be done. */
static int wshub_io_sock__terminal(wshub_io_sock *net, const struct stat *is) {
    char name[256];

    if (net->terminal >= 0 && net->terminal_is == is->st_rdev) return net->terminal;
    if (net->terminal >= 0) (void)close(net->terminal);
    net->terminal = ttyname_r(STDERR_FILENO, name, sizeof name) == 0
                        ? open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                        : -1;
    net->terminal_is = is->st_rdev;
    return net->terminal;
}

/* Writes a line to standard error if that takes it at once. Returns how many bytes it took; -1:
 * none. Pipes take lines as short as ours whole or not at all (POSIX: PIPE_BUF). */
static ssize_t wshub_io_sock__log_write(wshub_io_sock *net, const char *line, size_t bytes) {
    struct stat is;
    struct pollfd ready = {STDERR_FILENO, POLLOUT, 0};
    int fd = STDERR_FILENO;

    switch (wshub_io_sock__log_look(net, &is)) {
    case WSHUB_IO_SOCK__LOG_NONE: return -1;
    case WSHUB_IO_SOCK__LOG_FILE: break;
    case WSHUB_IO_SOCK__LOG_SOCKET: return send(fd, line, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WSHUB_IO_SOCK__LOG_TERMINAL:
        fd = wshub_io_sock__terminal(net, &is);
        if (fd >= 0) break;
        fd = STDERR_FILENO;
        if (poll(&ready, 1, 0) != 1 || ready.revents != POLLOUT) return -1;
        break;
    case WSHUB_IO_SOCK__LOG_PIPE: /* nobody at its other end: an error, not room */
        if (poll(&ready, 1, 0) != 1 || ready.revents != POLLOUT) return -1;
        break;
    }
    return write(fd, line, bytes);
}

/* Takes back a signal that our own write has raised, unless it was pending before. */
static void wshub_io_sock__log_unraise(const sigset_t *before, int number) {
    sigset_t now, one;

    (void)sigpending(&now);
    if (sigismember(before, number) || !sigismember(&now, number)) return;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, number);
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)
    {
        struct timespec none = {0, 0};
        (void)sigtimedwait(&one, NULL, &none);
    }
#else
    (void)sigwait(&one, &number);
#endif
}

/* The same without a signal: neither a pipe that breaks at this moment (SIGPIPE), nor a file that
 * has come to its limit (SIGXFSZ), nor a terminal that stops who writes from the background
 * (SIGTTOU) ends or stops the program. Of other threads the mask stays as it is. */
static ssize_t wshub_io_sock__log_quietly(wshub_io_sock *net, const char *line, size_t bytes) {
    sigset_t quiet, mask, before;
    ssize_t taken;

    (void)sigemptyset(&quiet);
    (void)sigaddset(&quiet, SIGPIPE);
    (void)sigaddset(&quiet, SIGXFSZ);
    (void)sigaddset(&quiet, SIGTTOU);
    (void)sigprocmask(SIG_BLOCK, &quiet, &mask);
    (void)sigpending(&before);

    taken = wshub_io_sock__log_write(net, line, bytes);

    wshub_io_sock__log_unraise(&before, SIGPIPE);
    wshub_io_sock__log_unraise(&before, SIGXFSZ);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    return taken;
}
#endif

/* One line with its time, in one write, so that lines of several threads and programs do not get
 * into each other. What was lost before is said behind it. */
static void wshub_io_sock__log(void *ctx, wshub_log_level level, const char *line) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    char text[400], time[24], lost[64] = "";
    int saved = errno, bytes;
    ssize_t taken;

    (void)level;
    wshub_iso_time(wshub_io_sock__sys_date(), time);
    if (net->log_lost)
        (void)snprintf(lost, sizeof lost, " (and %llu lines before it were lost)",
                       (unsigned long long)net->log_lost);
    bytes = snprintf(text, sizeof text, "%s%.24s %.*s%s\n", net->log_torn ? "\n" : "", time,
                     WSHUB_LOG_LINE_BYTES, line, lost);
    WSHUB_ASSERT(bytes > 0 && bytes < (int)sizeof text);

    taken = wshub_io_sock__log_quietly(net, text, (size_t)bytes);
    if (taken == bytes) {
        net->log_lost = 0;
    } else {
        net->log_lost++;
    }
    if (taken > 0) net->log_torn = taken < bytes;
    errno = saved;
}

/* Sets up what log lines need: before anything of ours is opened, since standard error may be
 * closed, and its number free. */
static void wshub_io_sock__log_begin(wshub_io_sock *net) {
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *said = getenv("WSHUB_LOG");
    unsigned level = net->desc.log_level;
    struct stat is;

    net->terminal = -1;
    if (fstat(2, &is) == 0) {
        net->log_there = true;
        net->log_dev = is.st_dev;
        net->log_ino = is.st_ino;
    }

    if (!level && said) {
        while (level < 4 && strcmp(said, levels[level]) != 0) level++;
        level = level < 4 ? level + WSHUB_LEVEL_DEBUG : 0;
        if (strcmp(said, "off") == 0) return;
        if (!level && *said && !net->desc.no_log)
            wshub_io_sock__log(net, WSHUB_LEVEL_WARN,
                               "warn IO: WSHUB_LOG: debug, info, warn, error or off");
    }
    if (net->desc.no_log) return;
    net->io.log = wshub_io_sock__log;
    net->io.log_level = (wshub_log_level)level;
}

/* Keeps a line on what the system has refused, by errno. hint: what to do about it; "": none. */
static wshub_err wshub_io_sock__fail(wshub_io_sock *net, const char *what, const char *where,
                                     const char *hint) {
    (void)snprintf(net->error, sizeof net->error, "%s %s: %s%s%s", what, where,
                   wshub_io_sock__sys_text(errno), *hint ? "; " : "", hint);
    return WSHUB_ERR_IO;
}

/* Keeps a line, and tells it to the application, at most one a second. */
static void wshub_io_sock__tell(wshub_io_sock *net, const char *text) {
    char line[WSHUB_LOG_LINE_BYTES];

    (void)snprintf(net->error, sizeof net->error, "%s", text);
    if (net->error_second == net->now / 1000) return;
    net->error_second = net->now / 1000;
    if (net->desc.on_error) {
        net->desc.on_error(text, net->desc.user);
    } else if (net->io.log && net->io.log_level <= WSHUB_LEVEL_WARN) {
        (void)snprintf(line, sizeof line, "warn IO: %.*s", (int)sizeof line - 10, text);
        net->io.log(net, WSHUB_LEVEL_WARN, line);
    }
}

/* Makes a descriptor one that does not block and is not inherited. False: errno says why. */
static bool wshub_io_sock__prepare(int fd) {
#ifdef _WIN32
    u_long one = 1;
    (void)SetHandleInformation((HANDLE)(intptr_t)fd, HANDLE_FLAG_INHERIT, 0);
    return wshub_io_sock__sys_said(ioctlsocket((SOCKET)fd, (long)FIONBIO, &one)) == 0;
#else
    int flags = fcntl(fd, F_GETFL, 0);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return false;
    flags = fcntl(fd, F_GETFD, 0);
    return flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0;
#endif
}

/* What a stream's socket needs; where it cannot be set, the stream works all the same. */
static void wshub_io_sock__tune(int fd, bool is_tcp) {
    if (is_tcp) wshub_io_sock__sys_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#ifdef SO_NOSIGPIPE
    wshub_io_sock__sys_set(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

/* What a socket has to say about the last attempt to use it. Returns 0: nothing. */
static int wshub_io_sock__pending_error(int fd) {
    int e = 0;
    socklen_t n = sizeof e;
#ifdef _WIN32
    if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_ERROR, (char *)&e, &n) != 0) e = WSAGetLastError();
    e = wshub_io_sock__sys_error(e);
#else
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0) e = errno;
#endif
    return e;
}

static void wshub_io_sock__unix_address(wshub_io_sock__address *at, const char *path) {
    memset(at, 0, sizeof *at);
    at->un.sun_family = AF_UNIX;
    WSHUB_ASSERT(strlen(path) < sizeof at->un.sun_path);
    memcpy(at->un.sun_path, path, strlen(path));
}

/* ---- streams: who they are, and the one door to their state ---- */

static wshub_io_sock__conn *wshub_io_sock__get(const wshub_io_sock *net, uint64_t id) {
    uint32_t i = (uint32_t)id;
    wshub_io_sock__conn *conn;

    WSHUB_ASSERT(net);
    if (i >= net->used) return NULL;
    conn = &net->conns[i];
    return conn->generation == (uint32_t)(id >> 32) && conn->state != WSHUB_IO_SOCK__FREE ? conn
                                                                                          : NULL;
}

static wshub_conn wshub_io_sock__id(const wshub_io_sock *net, const wshub_io_sock__conn *conn) {
    wshub_conn id;
    id.id = (uint64_t)conn->generation << 32 | (uint64_t)(conn - net->conns);
    return id;
}

/* Whom a stream's reports go to. NULL: nobody any more. */
static const wshub_io_owner *wshub_io_sock__whose(const wshub_io_sock *net,
                                                  const wshub_io_sock__conn *conn) {
    if (!conn->guest) return net->owned ? &net->owner : NULL;
    return conn->guest == WSHUB_IO_SOCK__NOBODY ? NULL : &net->guests[conn->guest - 1];
}

static void wshub_io_sock__dues_add(wshub_io_sock *net, wshub_io_sock__dues *dues,
                                    wshub_io_sock__conn *conn, uint32_t ms) {
    uint32_t i = (uint32_t)(conn - net->conns) + 1;

    WSHUB_ASSERT(i <= net->used);
    WSHUB_ASSERT(!dues->tail == !dues->head);
    conn->due = net->now + ms;
    conn->next = 0;
    conn->prev = dues->tail;
    if (conn->prev)
        net->conns[conn->prev - 1].next = i;
    else
        dues->head = i;
    dues->tail = i;
}
static void wshub_io_sock__dues_remove(wshub_io_sock *net, wshub_io_sock__dues *dues,
                                       const wshub_io_sock__conn *conn) {
    WSHUB_ASSERT(dues->head && dues->tail);
    if (conn->prev)
        net->conns[conn->prev - 1].next = conn->next;
    else
        dues->head = conn->next;
    if (conn->next)
        net->conns[conn->next - 1].prev = conn->prev;
    else
        dues->tail = conn->prev;
}

/* The first of these streams whose time has passed. NULL: none's has. */
static wshub_io_sock__conn *wshub_io_sock__due(const wshub_io_sock *net,
                                               const wshub_io_sock__dues *dues) {
    wshub_io_sock__conn *conn = dues->head ? &net->conns[dues->head - 1] : NULL;
    return conn && conn->due <= net->now ? conn : NULL;
}

/* When the first of these streams is due, or what is sooner. */
static uint64_t wshub_io_sock__due_by(const wshub_io_sock *net, const wshub_io_sock__dues *dues,
                                      uint64_t sooner) {
    uint64_t due = dues->head ? net->conns[dues->head - 1].due : WSHUB_NEVER;
    return due < sooner ? due : sooner;
}

/* What is known of a stream by its PROXY head. NULL: it had none. */
static wshub_io_sock__intro *wshub_io_sock__intro_of(const wshub_io_sock *net,
                                                     const wshub_io_sock__conn *conn) {
    uint32_t i = (uint32_t)(conn - net->conns);
    return i < net->intros_cap ? &net->intros[i] : NULL;
}

/* Makes room for what is known of a stream. NULL: out of memory. */
static wshub_io_sock__intro *wshub_io_sock__intro_reach(wshub_io_sock *net,
                                                        const wshub_io_sock__conn *conn) {
    wshub_io_sock__intro *intros;

    if (!wshub_io_sock__intro_of(net, conn)) {
        intros = (wshub_io_sock__intro *)realloc(net->intros, net->cap * sizeof *intros);
        if (!intros) return NULL;
        memset(intros + net->intros_cap, 0, (net->cap - net->intros_cap) * sizeof *intros);
        net->intros = intros;
        net->intros_cap = net->cap;
    }
    intros = wshub_io_sock__intro_of(net, conn);
    WSHUB_ASSERT(!intros->head && !intros->peer.kind);
    return intros;
}

/* Makes room for a head. False: out of memory. */
static bool wshub_io_sock__intro_begin(wshub_io_sock *net, const wshub_io_sock__conn *conn) {
    wshub_io_sock__intro *intro = wshub_io_sock__intro_reach(net, conn);
    if (intro) intro->head = (wshub_io_sock__head *)calloc(1, sizeof *intro->head);
    return intro && intro->head;
}

/* Of a stream that is to be free nothing is known any more. */
static void wshub_io_sock__intro_forget(const wshub_io_sock *net, const wshub_io_sock__conn *conn) {
    wshub_io_sock__intro *intro = wshub_io_sock__intro_of(net, conn);

    if (!intro) return;
    free(intro->head);
    memset(intro, 0, sizeof *intro);
}

static void wshub_io_sock__push(wshub_io_sock *net, uint32_t *head, wshub_io_sock__conn *conn) {
    WSHUB_ASSERT(*head <= net->used && *head != (uint32_t)(conn - net->conns) + 1);
    conn->next = *head;
    *head = (uint32_t)(conn - net->conns) + 1;
}

/* What is always so, between two changes. */
static void wshub_io_sock__check(const wshub_io_sock *net, const wshub_io_sock__conn *conn) {
    bool has_socket = conn->fd >= 0;
    bool is_behind = conn->state == WSHUB_IO_SOCK__ENDING || conn->state == WSHUB_IO_SOCK__LEFT;

    WSHUB_ASSERT(has_socket || !conn->watched);
    WSHUB_ASSERT(has_socket || conn->state != WSHUB_IO_SOCK__OPEN);
    WSHUB_ASSERT(has_socket || !is_behind);
    WSHUB_ASSERT(!has_socket || conn->state != WSHUB_IO_SOCK__SHUT);
    WSHUB_ASSERT(!has_socket || conn->state != WSHUB_IO_SOCK__FREE);
    WSHUB_ASSERT(!is_behind || (!conn->paused && !conn->blocked && !conn->hung));
    WSHUB_ASSERT(conn->guest <= WSHUB_IO_SOCK__GUESTS || conn->guest == WSHUB_IO_SOCK__NOBODY);
    WSHUB_ASSERT(conn->state != WSHUB_IO_SOCK__LEFT || conn->guest == WSHUB_IO_SOCK__NOBODY);
    WSHUB_ASSERT(conn->state != WSHUB_IO_SOCK__INTRODUCING || has_socket);
    WSHUB_ASSERT(conn->listener <= net->names_count);
    WSHUB_ASSERT(net->live <= net->used);
    (void)net;
    (void)has_socket;
    (void)is_behind;
}

/* The one door: changes a stream's state, and puts it on the list of those that are in it. */
static void wshub_io_sock__to(wshub_io_sock *net, wshub_io_sock__conn *conn,
                              wshub_io_sock__state to) {
#define WSHUB_IO_SOCK__BIT(state) (1u << WSHUB_IO_SOCK__##state)
    static const uint8_t follows[] = {
        WSHUB_IO_SOCK__BIT(DIALLING) | WSHUB_IO_SOCK__BIT(INTRODUCING) |
            WSHUB_IO_SOCK__BIT(OPEN),                        /* FREE */
        WSHUB_IO_SOCK__BIT(OPEN) | WSHUB_IO_SOCK__BIT(SHUT), /* DIALLING */
        WSHUB_IO_SOCK__BIT(OPEN) | WSHUB_IO_SOCK__BIT(SHUT), /* INTRODUCING */
        WSHUB_IO_SOCK__BIT(ENDING) | WSHUB_IO_SOCK__BIT(SHUT) |
            WSHUB_IO_SOCK__BIT(FREE),                        /* OPEN: FREE where it has moved */
        WSHUB_IO_SOCK__BIT(LEFT) | WSHUB_IO_SOCK__BIT(SHUT), /* ENDING */
        WSHUB_IO_SOCK__BIT(SHUT),                            /* LEFT */
        WSHUB_IO_SOCK__BIT(FREE)                             /* SHUT */
    };
#undef WSHUB_IO_SOCK__BIT
    wshub_io_sock__state from = (wshub_io_sock__state)conn->state;
    WSHUB_ASSERT(follows[from] >> to & 1u);
    (void)follows;

    if (from == WSHUB_IO_SOCK__FREE) net->live++;
    if (from == WSHUB_IO_SOCK__LEFT) wshub_io_sock__dues_remove(net, &net->left, conn);
    if (from == WSHUB_IO_SOCK__INTRODUCING)
        wshub_io_sock__dues_remove(net, &net->introducing, conn);
    conn->state = (uint8_t)to;
    switch (to) {
    case WSHUB_IO_SOCK__DIALLING:
    case WSHUB_IO_SOCK__OPEN:
    case WSHUB_IO_SOCK__ENDING: break;
    case WSHUB_IO_SOCK__INTRODUCING:
        wshub_io_sock__dues_add(net, &net->introducing, conn, net->desc.proxy_timeout_ms);
        break;
    case WSHUB_IO_SOCK__LEFT:
        wshub_io_sock__dues_add(net, &net->left, conn, net->desc.linger_ms);
        break;
    case WSHUB_IO_SOCK__SHUT: wshub_io_sock__push(net, &net->shut_head, conn); break;
    case WSHUB_IO_SOCK__FREE:
        wshub_io_sock__intro_forget(net, conn);
        wshub_io_sock__push(net, &net->free_head, conn);
        net->live--;
        break;
    }
    wshub_io_sock__check(net, conn);
}

/* A place that is free, or a new one. NULL: out of memory. */
static wshub_io_sock__conn *wshub_io_sock__place(wshub_io_sock *net) {
    wshub_io_sock__conn *conn, *conns;
    uint32_t cap = net->cap ? net->cap * 2 : 64;

    WSHUB_ASSERT(net->used <= net->cap);
    if (net->free_head) {
        conn = &net->conns[net->free_head - 1];
        WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__FREE);
        net->free_head = conn->next;
        return conn;
    }
    if (net->used < net->cap) return &net->conns[net->used++];

    conns = (wshub_io_sock__conn *)realloc(net->conns, cap * sizeof *conns);
    if (!conns) return NULL;
    memset(conns + net->cap, 0, (cap - net->cap) * sizeof *conns);
    net->conns = conns;
    net->cap = cap;
    return &net->conns[net->used++];
}

/* A new stream, OPEN or INTRODUCING on a socket, or DIALLING without one as yet (fd -1). NULL:
 * there are as many as there may be, or out of memory; the socket is not touched. */
static wshub_io_sock__conn *wshub_io_sock__new(wshub_io_sock *net, int fd,
                                               wshub_io_sock__state state) {
    wshub_io_sock__conn *conn;

    WSHUB_ASSERT((fd < 0) == (state == WSHUB_IO_SOCK__DIALLING));
    if (net->live >= net->desc.conns_max) return NULL;
    conn = wshub_io_sock__place(net);
    if (!conn) return NULL;
    if (state == WSHUB_IO_SOCK__INTRODUCING && !wshub_io_sock__intro_begin(net, conn)) {
        wshub_io_sock__push(net, &net->free_head, conn);
        return NULL;
    }

    if (++conn->generation >= UINT32_MAX - 1)
        conn->generation = 1; /* above are the tags of listeners */
    conn->fd = fd;
    conn->watched = conn->listener = conn->guest = 0;
    conn->paused = conn->blocked = conn->ended = conn->hung = false;
    conn->next = conn->prev = 0;
    if (state == WSHUB_IO_SOCK__INTRODUCING) conn->guest = WSHUB_IO_SOCK__NOBODY;
    wshub_io_sock__to(net, conn, state);
    return conn;
}

/* Has a stream's socket watched for `want`. False: the system refused. */
static bool wshub_io_sock__watch(wshub_io_sock *net, wshub_io_sock__conn *conn, unsigned want) {
    WSHUB_ASSERT(conn->fd >= 0);
    if (conn->watched == want) return true;
    if (!net->desc.poller->watch(net->poller, conn->fd, wshub_io_sock__id(net, conn).id,
                                 conn->watched, want))
        return false;
    conn->watched = (uint8_t)want;
    return true;
}

/* Closes a stream's socket, if it has one. Its state stays as it is. */
static void wshub_io_sock__drop(wshub_io_sock *net, wshub_io_sock__conn *conn) {
    if (conn->fd < 0) return;
    WSHUB_ASSERT(conn->state != WSHUB_IO_SOCK__FREE && conn->state != WSHUB_IO_SOCK__SHUT);
    (void)wshub_io_sock__watch(net, conn, 0);
    (void)wshub_io_sock__sys_close(conn->fd);
    conn->fd = -1;
    conn->watched = 0;
}

/* Closes a stream. closed() follows from the loop. */
static void wshub_io_sock__shut(wshub_io_sock *net, wshub_io_sock__conn *conn) {
    if (conn->state == WSHUB_IO_SOCK__SHUT) return;
    wshub_io_sock__drop(net, conn);
    wshub_io_sock__to(net, conn, WSHUB_IO_SOCK__SHUT);
}

/* What a connected stream is watched for follows from its state, here alone. What is
 * level-triggered and not served would be told again and again, so whoever is not read is not
 * watched for reading; and whoever is neither read nor waited for is watched for its death,
 * which would else not be noticed. A stream that cannot be watched is ended. */
static unsigned wshub_io_sock__wanted(const wshub_io_sock__conn *conn) {
    unsigned want = 0;

    if (conn->state != WSHUB_IO_SOCK__OPEN) return WSHUB_IO_SOCK_READ; /* for the peer's end */
    if (!conn->paused && !conn->ended) want |= WSHUB_IO_SOCK_READ;
    if (conn->blocked) want |= WSHUB_IO_SOCK_WRITE;
    if (!want && !conn->hung) want = WSHUB_IO_SOCK_GONE;
    return want;
}
static void wshub_io_sock__rewatch(wshub_io_sock *net, wshub_io_sock__conn *conn) {
    WSHUB_ASSERT(conn->state != WSHUB_IO_SOCK__FREE && conn->state != WSHUB_IO_SOCK__SHUT);
    if (!wshub_io_sock__watch(net, conn, wshub_io_sock__wanted(conn)))
        wshub_io_sock__shut(net, conn);
}

/* The last word about each stream that was shut. A report may shut more, and destroy the owner. */
static void wshub_io_sock__report_closed(wshub_io_sock *net) {
    while (net->shut_head) {
        wshub_io_sock__conn *conn = &net->conns[net->shut_head - 1];
        wshub_conn id = wshub_io_sock__id(net, conn);
        const wshub_io_owner *owner = wshub_io_sock__whose(net, conn);
        WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__SHUT);
        net->shut_head = conn->next;
        wshub_io_sock__to(net, conn, WSHUB_IO_SOCK__FREE);
        if (owner) owner->closed(owner->ctx, id);
    }
}

/* Drops the streams of an owner that leaves. Ends that are under way go on, within linger_ms:
 * nobody else is left who would have a clock for them. */
static void wshub_io_sock__disown(wshub_io_sock *net, uint8_t guest) {
    uint32_t i;

    WSHUB_ASSERT(guest <= WSHUB_IO_SOCK__GUESTS);
    for (i = 0; i < net->used; i++) {
        wshub_io_sock__conn *conn = &net->conns[i];
        if (conn->state == WSHUB_IO_SOCK__FREE || conn->guest != guest) continue;
        conn->guest = WSHUB_IO_SOCK__NOBODY;
        if (conn->state == WSHUB_IO_SOCK__ENDING && net->desc.linger_ms != WSHUB_OFF)
            wshub_io_sock__to(net, conn, WSHUB_IO_SOCK__LEFT);
        else
            wshub_io_sock__shut(net, conn);
    }
}

/* ---- listening: what an operator gives is served, or refused at once with what the system says */

#define WSHUB_IO_SOCK__MOST                                                                        \
    "an io has at most 16 listeners, and they are there; close some by wshub_io_sock_unlisten()"

static wshub_err wshub_io_sock__cannot_listen(wshub_io_sock *net, const char *where,
                                              const char *why) {
    (void)snprintf(net->error, sizeof net->error, "cannot listen on %.120s: %s", where, why);
    return WSHUB_ERR_PARAM;
}

/* Listeners are watched while somebody serves and accepting does not rest. Who connects meanwhile
 * waits in the system. */
static void wshub_io_sock__listeners_watch(wshub_io_sock *net) {
    bool on = net->owned && !net->accept_again;
    int i;

    for (i = 0; i < net->listeners_count; i++) {
        wshub_io_sock__listener *listener = &net->listeners[i];
        uint64_t tag = WSHUB_IO_SOCK__LISTENER_TAG | (uint64_t)i;
        unsigned had = listener->watched ? (unsigned)WSHUB_IO_SOCK_READ : 0u;
        unsigned want = on ? (unsigned)WSHUB_IO_SOCK_READ : 0u;
        if (had == want) continue;
        if (net->desc.poller->watch(net->poller, listener->fd, tag, had, want))
            listener->watched = on;
        else if (on) /* out of memory, say: once more a little later */
            net->accept_again = net->now + WSHUB_IO_SOCK__REST_MS;
    }
}

#ifdef _WIN32
/* There are no listeners that have a file. */
static bool wshub_io_sock__same_file(const char *path, dev_t dev, ino_t ino) {
    (void)path;
    (void)dev;
    (void)ino;
    return false;
}
static void wshub_io_sock__unlink(const wshub_io_sock__listener *listener) {
    (void)listener;
}
#else
/* Locks the folder of a Unix socket. What is then found out about the path stays so among those
 * who lock it: a dead socket is not somebody's by the time it is removed, and one that is bound
 * does not look dead before it listens. -1: it cannot be locked (soon), and what follows is
 * done without. */
static int wshub_io_sock__lock_folder(const char *path) {
    char folder[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    const struct timespec moment = {0, 1000000};
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    int fd, tries = 0;

    WSHUB_ASSERT(n < sizeof folder - 1);
    memcpy(folder, path, n);
    if (!n) folder[n++] = slash ? '/' : '.';
    folder[n] = 0;

    fd = open(folder, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
#ifdef LOCK_EX
    for (; tries < 100; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
        if (errno != EWOULDBLOCK && errno != EINTR) break;
        (void)nanosleep(&moment, NULL);
    }
#else
    (void)tries;
    (void)moment;
#endif
    (void)close(fd);
    return -1;
}
static void wshub_io_sock__unlock_folder(int fd) {
    int e = errno;
    if (fd >= 0) (void)close(fd);
    errno = e;
}

static bool wshub_io_sock__same_file(const char *path, dev_t dev, ino_t ino) {
    struct stat st;
    return ino && lstat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Removes the file of a Unix socket. One that is another's by now stays. */
static void wshub_io_sock__unlink(const wshub_io_sock__listener *listener) {
    int lock = wshub_io_sock__lock_folder(listener->path);
    if (wshub_io_sock__same_file(listener->path, listener->dev, listener->ino))
        (void)unlink(listener->path);
    wshub_io_sock__unlock_folder(lock);
}
#endif

/* What a listener is besides where it listens. */
typedef struct wshub_io_sock__mark {
    uint8_t name;                    /* index + 1 among the names; 0: none */
    wshub_io_sock__proxies *proxies; /* NULL: none */
} wshub_io_sock__mark;

/* A listener, or who is about to make some, has these no more. */
static void wshub_io_sock__proxies_leave(wshub_io_sock__proxies *proxies) {
    if (proxies && --proxies->listeners == 0) free(proxies);
}

/* Closes listeners, the last ones first, until `count` are left. */
static void wshub_io_sock__unlisten_to(wshub_io_sock *net, int count) {
    WSHUB_ASSERT(count >= 0 && count <= net->listeners_count);
    while (net->listeners_count > count) {
        wshub_io_sock__listener *listener = &net->listeners[--net->listeners_count];
        if (listener->watched)
            (void)net->desc.poller->watch(net->poller, listener->fd, 0, WSHUB_IO_SOCK_READ, 0);
        if (listener->path) wshub_io_sock__unlink(listener);
        free(listener->path);
        wshub_io_sock__proxies_leave(listener->proxies);
        (void)wshub_io_sock__sys_close(listener->fd);
    }
}
WSHUB_API void wshub_io_sock_unlisten(wshub_io_sock *net) {
    wshub_io_sock__unlisten_to(net, 0);
}

/* The number of a listener's name, index + 1, which is kept from now on. 0: out of memory, or
 * there are too many. */
static uint8_t wshub_io_sock__name_keep(wshub_io_sock *net, const char *name) {
    size_t n = strlen(name) + 1;
    char **list, *copy;
    uint8_t i;

    for (i = 0; i < net->names_count; i++) {
        if (strcmp(net->names[i], name) == 0) return (uint8_t)(i + 1);
    }
    if (net->names_count == WSHUB_IO_SOCK__NAMES) return 0;

    list = (char **)realloc(net->names, (net->names_count + 1u) * sizeof *list);
    if (!list) return 0;
    net->names = list;
    copy = (char *)malloc(n);
    if (!copy) return 0;
    list[net->names_count++] = (char *)memcpy(copy, name, n);
    return net->names_count;
}

/* Begins to listen with a socket that is bound. Returns 0, or what the system said. *l: which
 * file it is, where it has a path. */
static int wshub_io_sock__listen_begin(wshub_io_sock *net, wshub_io_sock__listener *listener) {
    uint64_t tag = WSHUB_IO_SOCK__LISTENER_TAG | (uint64_t)net->listeners_count;
#ifndef _WIN32
    struct stat st;

    if (listener->path && lstat(listener->path, &st) == 0) {
        listener->dev = st.st_dev;
        listener->ino = st.st_ino;
    }
#endif
    if (wshub_io_sock__sys_listen(listener->fd, WSHUB_IO_SOCK__BACKLOG) != 0) return errno;

    /* Before it listened it looked dead to another server, who may have taken the path. */
    if (listener->path && !wshub_io_sock__same_file(listener->path, listener->dev, listener->ino))
        return EADDRINUSE;

    listener->watched = net->owned && !net->accept_again;
    if (listener->watched &&
        !net->desc.poller->watch(net->poller, listener->fd, tag, 0, WSHUB_IO_SOCK_READ))
        return errno;
    return 0;
}

/* Takes a bound socket among the listeners. path: of a Unix socket, given if it succeeds.
 * False: errno says why; the socket is closed. */
static bool wshub_io_sock__listen_on(wshub_io_sock *net, int fd, char *path,
                                     const wshub_io_sock__mark *mark) {
    wshub_io_sock__listener *listener = &net->listeners[net->listeners_count];
    int e;

    WSHUB_ASSERT(net->listeners_count < WSHUB_IO_SOCK__LISTENERS);
    memset(listener, 0, sizeof *listener);
    listener->fd = fd;
    listener->path = path;
    listener->name = mark->name;
    listener->proxies = mark->proxies;
    e = wshub_io_sock__listen_begin(net, listener);
    if (!e) {
        if (mark->proxies) mark->proxies->listeners++;
        net->listeners_count++;
        return true;
    }

    if (path && wshub_io_sock__same_file(path, listener->dev, listener->ino)) (void)unlink(path);
    (void)wshub_io_sock__sys_close(fd);
    errno = e;
    return false;
}

/* A socket bound to an address. alone: this one leaves IPv4 to others of the list. -1: errno says
 * why. */
static int wshub_io_sock__bind(const wshub_io_sock *net, const struct addrinfo *a, uint16_t port,
                               int alone) {
    wshub_io_sock__address at;
    int e, fd = wshub_io_sock__sys_socket(a->ai_family, a->ai_socktype, a->ai_protocol);

    if (fd < 0) return -1;

    memset(&at, 0, sizeof at);
    memcpy(&at, a->ai_addr, a->ai_addrlen < sizeof at ? a->ai_addrlen : sizeof at);
    if (a->ai_family == AF_INET6) {
        at.v6.sin6_port = htons(port);
        wshub_io_sock__sys_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, alone);
    } else {
        at.v4.sin_port = htons(port);
    }

    /* TCP_NODELAY is inherited by who is accepted, where the system does so. */
#ifdef SO_EXCLUSIVEADDRUSE /* with Windows' SO_REUSEADDR others could take the port from under us */
    wshub_io_sock__sys_set(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
#else
    wshub_io_sock__sys_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
#endif
    wshub_io_sock__sys_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#ifdef SO_REUSEPORT
    if (net->desc.reuse_port) wshub_io_sock__sys_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
#else
    (void)net;
#endif
    if (wshub_io_sock__prepare(fd) && wshub_io_sock__sys_bind(fd, &at.any, a->ai_addrlen) == 0)
        return fd;

    e = errno;
    (void)wshub_io_sock__sys_close(fd);
    errno = e;
    return -1;
}

static uint16_t wshub_io_sock__port_of(int fd) {
    wshub_io_sock__address name;
    socklen_t n = sizeof name;
    memset(&name, 0, sizeof name);
    if (wshub_io_sock__sys_name(fd, &name.any, &n) != 0) return 0;
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
static bool wshub_io_sock__listen_all(wshub_io_sock *net, const struct addrinfo *list,
                                      const wshub_io_sock__mark *mark, uint16_t *port) {
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
        if (fd >= 0 && wshub_io_sock__listen_on(net, fd, NULL, mark)) {
            if (!*port) *port = wshub_io_sock__port_of(fd);
            continue;
        }

        /* An address that is another machine's is left out; anything else is an error. */
        e = errno;
        if (e != EADDRNOTAVAIL && e != EAFNOSUPPORT && e != EPROTONOSUPPORT) break;
    }
    if (!a && net->listeners_count > before) return true;

    wshub_io_sock__unlisten_to(net, before);
    errno = e;
    return false;
}

/* What may help when the system has refused a port. "": nothing that is known. */
static const char *wshub_io_sock__listen_hint(int e, uint16_t port) {
    if (e == EADDRINUSE) return "stop the program that has it or choose another port";
    if (e == EACCES || e == EPERM)
        return port && port < 1024 ? "ports below 1024 need a privilege; choose another"
                                   : "something on this system (a sandbox?) forbids it";
    if (e == EADDRNOTAVAIL) return "give an address that this machine has; for all of them none";
    if (e == EAFNOSUPPORT) return "this system has no addresses of that kind (IPv6?); give another";
    if (e == ENOBUFS) return "an io has at most 16 listeners, one for each address of a name";
    if (e == ENFILE) return "the whole system has no more open files (fs.file-max)";
    return e == EMFILE ? "raise the limit on open files (ulimit -n)" : "";
}

/* The addresses that a host has, to be bound. host NULL: all of IPv4. Returns what
 * getaddrinfo() says. */
static int wshub_io_sock__resolve_own(const char *host, uint16_t port, struct addrinfo **out_list) {
    struct addrinfo hints;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    memset(&hints, 0, sizeof hints);
    hints.ai_family = host ? AF_UNSPEC : AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    return getaddrinfo(host, service, &hints, out_list);
}

/* What is no host at all, though it looks as if it were meant to be one. NULL: it may be one. */
static const char *wshub_io_sock__host_problem(const char *host) {
    if (!host) return NULL;
    if (!*host)
        return "the address is empty; \"127.0.0.1\" is this machine alone, NULL every address that "
               "it has";
    if (strncmp(host, "unix:", 5) == 0 || strchr(host, '/'))
        return "that is no address; a Unix socket is listened on by wshub_io_sock_listen_unix(), "
               "or "
               "by `path` of wshub_io_sock_place, with its path alone";
    return NULL;
}

static wshub_err wshub_io_sock__listen_tcp(wshub_io_sock *net, const char *host, uint16_t port,
                                           const wshub_io_sock__mark *mark, uint16_t *out_port) {
    struct addrinfo *list = NULL;
    const char *shown = host ? host : "0.0.0.0", *problem = wshub_io_sock__host_problem(host);
    char where[128];
    int e, tries = 0;
    uint16_t got;
    bool ok;
    if (problem) return wshub_io_sock__cannot_listen(net, *host ? host : "\"\"", problem);
    (void)snprintf(where, sizeof where, strchr(shown, ':') ? "[%.100s]:%u" : "%.100s:%u", shown,
                   (unsigned)port);
    if (net->listeners_count == WSHUB_IO_SOCK__LISTENERS)
        return wshub_io_sock__cannot_listen(net, where, WSHUB_IO_SOCK__MOST);

    e = wshub_io_sock__resolve_own(host, port, &list);
    if (e) {
        (void)snprintf(net->error, sizeof net->error,
                       "cannot listen on %s: no such address (%s); give one of this machine's",
                       where, gai_strerror(e));
        return WSHUB_ERR_PARAM;
    }

    /* The port that the system chose for the first address may be taken at another one. */
    do {
        got = port;
        ok = wshub_io_sock__listen_all(net, list, mark, &got);
    } while (!ok && !port && errno == EADDRINUSE && tries++ < 8);
    e = errno;
    freeaddrinfo(list);
    errno = e;
    if (!ok)
        return wshub_io_sock__fail(net, "cannot listen on", where,
                                   wshub_io_sock__listen_hint(e, port));
    if (out_port) *out_port = got;
    return WSHUB_OK;
}

#ifdef _WIN32
static wshub_err wshub_io_sock__listen_unix(wshub_io_sock *net, const char *path,
                                            const wshub_io_sock__mark *mark) {
    (void)mark;
    return wshub_io_sock__cannot_listen(net, path && *path ? path : "a Unix socket",
                                        "there are none on Windows; listen on a port");
}
#else
/* Who has the path of a Unix socket? Asked without waiting: a full backlog is a live server
 * too, and a datagram socket is somebody's. Returns 0: nobody serves it; EADDRINUSE: somebody
 * does; or another error of the system's. */
static int wshub_io_sock__probe(const wshub_io_sock__address *at) {
    int e, fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0) return errno;
    if (!wshub_io_sock__prepare(fd)) {
        e = errno;
        (void)close(fd);
        return e;
    }

    e = connect(fd, &at->any, sizeof at->un) == 0 ? EADDRINUSE : errno;
    (void)close(fd);
    if (e == EAGAIN || e == EINPROGRESS || e == EPROTOTYPE) return EADDRINUSE;
    return e == ECONNREFUSED || e == ENOENT ? 0 : e;
}

/* Makes way at a path that is in use, by removing a socket that nobody serves. Returns 0: try
 * again; or what keeps it, and *out_hint what to do. */
static int wshub_io_sock__make_way(const wshub_io_sock__address *at, const char **out_hint) {
    struct stat st;
    int e;
    if (lstat(at->un.sun_path, &st) != 0)
        return errno == ENOENT ? 0 : errno; /* its owner has just removed it */
    if (!S_ISSOCK(st.st_mode)) {
        *out_hint = "there is a file of this name that is no socket; remove it or choose another "
                    "path";
        return EADDRINUSE;
    }
    e = wshub_io_sock__probe(at);
    if (e) {
        *out_hint = e == EADDRINUSE
                        ? "another program serves it; stop that one or choose another path"
                        : "there is a socket of this name, and nobody can tell whose";
        return e;
    }
    return unlink(at->un.sun_path) != 0 && errno != ENOENT ? errno : 0;
}

/* Binds to the path, over a dead socket if one lies there. Returns 0 or what the system said;
 * *out_hint: what to do. */
static int wshub_io_sock__bind_unix(int fd, const wshub_io_sock__address *at,
                                    const char **out_hint) {
    int tries, e;

    *out_hint = "";
    for (tries = 0; tries < 8; tries++) { /* others may come between who lock nothing */
        if (bind(fd, &at->any, sizeof at->un) == 0) return 0;
        e = errno;
        if (e == ENOENT || e == ENOTDIR) *out_hint = "make its folder first";
        if (e == EACCES || e == EPERM || e == EROFS)
            *out_hint = "the folder must let this program write";
        if (e != EADDRINUSE) return e;
        e = wshub_io_sock__make_way(at, out_hint);
        if (e) return e;
    }
    *out_hint = "other programs take it again and again; choose another path";
    return EADDRINUSE;
}

/* A Unix socket that listens at a path. path: a copy, given if it succeeds. Returns 0, or what the
 * system said, and *out_hint what to do. */
static int wshub_io_sock__listen_path(wshub_io_sock *net, char *path,
                                      const wshub_io_sock__mark *mark, const char **out_hint) {
    wshub_io_sock__address at;
    int e, lock = wshub_io_sock__lock_folder(path), fd = socket(AF_UNIX, SOCK_STREAM, 0);

    wshub_io_sock__unix_address(&at, path);
    e = fd >= 0 && wshub_io_sock__prepare(fd) ? wshub_io_sock__bind_unix(fd, &at, out_hint) : errno;
    if (e && fd >= 0) (void)close(fd);
    if (!e && !wshub_io_sock__listen_on(net, fd, path, mark)) e = errno; /* it has closed it */
    wshub_io_sock__unlock_folder(lock);
    return e;
}

static wshub_err wshub_io_sock__listen_unix(wshub_io_sock *net, const char *path,
                                            const wshub_io_sock__mark *mark) {
    const size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    const char *hint = "";
    char *copy, why[128];
    int e;

    if (!path || !*path)
        return wshub_io_sock__cannot_listen(net, "a Unix socket",
                                            "the path is empty; give one, as in /run/program.sock");
    if (strlen(path) > most) {
        (void)snprintf(why, sizeof why,
                       "the path is too long for a Unix socket, %lu bytes of at most %lu; choose a "
                       "shorter one",
                       (unsigned long)strlen(path), (unsigned long)most);
        return wshub_io_sock__cannot_listen(net, path, why);
    }
    if (net->listeners_count == WSHUB_IO_SOCK__LISTENERS)
        return wshub_io_sock__cannot_listen(net, path, WSHUB_IO_SOCK__MOST);

    copy = (char *)malloc(strlen(path) + 1);
    if (!copy) {
        (void)wshub_io_sock__cannot_listen(net, path, "out of memory");
        return WSHUB_ERR_NOMEM;
    }
    memcpy(copy, path, strlen(path) + 1);
    e = wshub_io_sock__listen_path(net, copy, mark, &hint);
    if (!e) return WSHUB_OK;

    free(copy);
    errno = e;
    return wshub_io_sock__fail(net, "cannot listen on", path, hint);
}
#endif

WSHUB_API wshub_err wshub_io_sock_listen(wshub_io_sock *net, const char *host, uint16_t port,
                                         uint16_t *out_port) {
    wshub_io_sock__mark none = {0, NULL};
    return wshub_io_sock__listen_tcp(net, host, port, &none, out_port);
}

WSHUB_API wshub_err wshub_io_sock_listen_unix(wshub_io_sock *net, const char *path) {
    wshub_io_sock__mark none = {0, NULL};
    return wshub_io_sock__listen_unix(net, path, &none);
}

/* What is wrong with the proxies of a place. NULL: nothing. */
static const char *wshub_io_sock__proxies_problem(const wshub_io_sock_place *place) {
    if (!place->proxy_protocol && (place->proxies || place->proxies_count))
        return "there are proxies, but no proxy_protocol, by which they would say whom they speak "
               "for; set both or neither";
    if (!place->proxy_protocol) return NULL;
    if (!place->proxies || !place->proxies_count)
        return "proxy_protocol needs a list of proxies and its proxies_count; anybody could say "
               "whatever he likes in front of a stream";
    return place->proxies_count > WSHUB_IO_SOCK__PROXIES
               ? "proxies: at most 1024 of them; name ranges, as in 10.0.0.0/8"
               : NULL;
}

/* Keeps the proxies of a place, which are held by one who is no listener yet. */
static wshub_err wshub_io_sock__proxies_keep(wshub_io_sock *net, const wshub_io_sock_place *place,
                                             wshub_io_sock__proxies **out) {
    const char *problem = wshub_io_sock__proxies_problem(place), *one;
    wshub_io_sock__proxies *kept;
    char why[200];
    size_t i;

    if (problem) return wshub_io_sock__cannot_listen(net, "this place", problem);
    if (!place->proxy_protocol) return WSHUB_OK;
    kept = (wshub_io_sock__proxies *)malloc(sizeof *kept +
                                            place->proxies_count * sizeof kept->ranges[0]);
    if (!kept) {
        (void)wshub_io_sock__cannot_listen(net, "this place", "out of memory");
        return WSHUB_ERR_NOMEM;
    }

    kept->listeners = 1;
    kept->count = (uint32_t)place->proxies_count;
    for (i = 0; i < place->proxies_count; i++) {
        one = place->proxies[i] ? place->proxies[i] : "(NULL)";
        if (wshub_address_range_read(wshub_str_z(one), &kept->ranges[i])) continue;
        free(kept);
        (void)snprintf(why, sizeof why,
                       "proxies[%lu] is \"%.60s\"; it must be an address without a port, a range "
                       "as in 10.0.0.0/8, or `unix`",
                       (unsigned long)i, one);
        return wshub_io_sock__cannot_listen(net, "this place", why);
    }
    *out = kept;
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_io_sock_listen_place(wshub_io_sock *net, const wshub_io_sock_place *place,
                                               uint16_t *out_port) {
    wshub_io_sock__mark mark = {0, NULL};
    wshub_err err = wshub_io_sock__proxies_keep(net, place, &mark.proxies);

    if (err) return err;
    mark.name = place->name ? wshub_io_sock__name_keep(net, place->name) : 0;
    if (place->name && !mark.name)
        err = wshub_io_sock__cannot_listen(
            net, place->name, "an io keeps at most 255 names of listeners; use them again");
    else if (place->path)
        err = wshub_io_sock__listen_unix(net, place->path, &mark);
    else
        err = wshub_io_sock__listen_tcp(net, place->host, place->port, &mark, out_port);
    wshub_io_sock__proxies_leave(mark.proxies);
    return err;
}

/* ---- dialling: outgoing streams until they are connected ---- */

static void wshub_io_sock__dial_free(wshub_io_sock__dial *dial) {
    if (dial->list) freeaddrinfo(dial->list);
    free(dial);
}

/* Finds the addresses of a name, which can take as long as the system likes. */
static void wshub_io_sock__resolve(wshub_io_sock__dial *dial, int flags) {
    struct addrinfo hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | flags;
    dial->problem = getaddrinfo(dial->host, dial->port, &hints, &dial->list);
    dial->at = dial->problem ? NULL : dial->list;
}

#if WSHUB_IO_SOCK__THREADS
static void wshub_io_sock__dial_lock(wshub_io_sock__dial *dial) {
    while (__atomic_test_and_set(&dial->lock, __ATOMIC_ACQUIRE)) { /* held for a few instructions */
    }
}
static void wshub_io_sock__dial_unlock(wshub_io_sock__dial *dial) {
    __atomic_clear(&dial->lock, __ATOMIC_RELEASE);
}

/* getaddrinfo() knows no deadline: it runs here, and whoever has no more patience leaves the
 * dial an orphan, which is freed here. As long as it is none the io is there to be woken. */
static void wshub_io_sock__resolve_for(wshub_io_sock__dial *dial) {
    bool orphan;

    wshub_io_sock__resolve(dial, 0);

    wshub_io_sock__dial_lock(dial);
    dial->resolving = false;
    orphan = dial->orphan;
    if (!orphan) dial->net->desc.poller->wake(dial->net->poller);
    wshub_io_sock__dial_unlock(dial);
    if (orphan) wshub_io_sock__dial_free(dial);
}

#ifdef _WIN32
static unsigned __stdcall wshub_io_sock__resolver(void *arg) {
    wshub_io_sock__resolve_for((wshub_io_sock__dial *)arg);
    return 0;
}

/* Resolves in a thread. False: there can be none. */
static bool wshub_io_sock__resolve_apart(wshub_io_sock__dial *dial) {
    uintptr_t thread;

    dial->resolving = true;
    thread = _beginthreadex(NULL, 0, wshub_io_sock__resolver, dial, 0, NULL);
    if (thread)
        (void)CloseHandle((HANDLE)thread);
    else
        dial->resolving = false;
    return thread != 0;
}
#else
static void *wshub_io_sock__resolver(void *arg) {
    wshub_io_sock__resolve_for((wshub_io_sock__dial *)arg);
    return NULL;
}

/* Resolves in a thread. False: there can be none. */
static bool wshub_io_sock__resolve_apart(wshub_io_sock__dial *dial) {
    pthread_t thread;
    pthread_attr_t attr;
    int e;
    if (!WSHUB_IO_SOCK__HAS_THREADS || pthread_attr_init(&attr) != 0) return false;

    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    dial->resolving = true;
    e = wshub_io_sock__pthread_create(&thread, &attr, wshub_io_sock__resolver, dial);
    if (e) dial->resolving = false;
    (void)pthread_attr_destroy(&attr);
    return e == 0;
}
#endif
#endif

/* Whether a thread is still resolving its name. gone: nobody waits for it any more, which the
 * thread is told; it may have freed the dial by the time this returns true. */
static bool wshub_io_sock__is_resolving(wshub_io_sock__dial *dial, bool gone) {
    bool resolving = false;
#if WSHUB_IO_SOCK__THREADS
    wshub_io_sock__dial_lock(dial);
    resolving = dial->resolving;
    dial->orphan = gone;
    wshub_io_sock__dial_unlock(dial);
#else
    (void)dial;
    (void)gone;
#endif
    return resolving;
}

/* All addresses have been tried: those that were silent once more, with twice the patience.
 * False: all have failed. */
static bool wshub_io_sock__round(wshub_io_sock__dial *dial) {
    if (!dial->again) return false;
    dial->again = false;
    dial->patience_ms *= 2;
    dial->at = dial->list;
    return true;
}

/* Begins to connect to an address. Returns 0: it is under way; or what the system said, and
 * there is no socket. */
static int wshub_io_sock__try_one(wshub_io_sock *net, wshub_io_sock__conn *conn,
                                  const struct addrinfo *a) {
    int e;

    WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__DIALLING && conn->fd < 0);
    conn->fd = wshub_io_sock__sys_socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (conn->fd >= 0 && wshub_io_sock__prepare(conn->fd)) {
        wshub_io_sock__tune(conn->fd, a->ai_family != AF_UNIX);
        if ((wshub_io_sock__sys_connect(conn->fd, a->ai_addr, a->ai_addrlen) == 0 ||
             errno == EINPROGRESS) &&
            wshub_io_sock__watch(net, conn, WSHUB_IO_SOCK_WRITE))
            return 0;
    }
    e = errno;
    wshub_io_sock__drop(net, conn);
    return e;
}

/* Begins to connect to the next address that lets itself be tried. One that is silent does not
 * hold up the others for longer than its patience. False: there is none left. */
static bool wshub_io_sock__try(wshub_io_sock *net, wshub_io_sock__conn *conn,
                               wshub_io_sock__dial *dial) {
    int e = 0;

    if (dial->problem) {
        (void)snprintf(net->error, sizeof net->error, "cannot connect to %.120s: %s", dial->where,
                       gai_strerror(dial->problem));
        return false;
    }
    while (dial->at || wshub_io_sock__round(dial)) {
        const struct addrinfo *a = dial->at;
        WSHUB_ASSERT(a);
        dial->at = a->ai_next;
        dial->due = dial->list->ai_next ? net->now + dial->patience_ms : 0;
        e = wshub_io_sock__try_one(net, conn, a);
        if (!e) return true;
    }
    if (e) {
        errno = e;
        (void)wshub_io_sock__fail(net, "cannot connect to", dial->where, "");
    }
    return false;
}

static wshub_io_sock__dial *wshub_io_sock__dial_of(const wshub_io_sock *net, uint64_t conn) {
    wshub_io_sock__dial *dial = net->dials;
    while (dial && dial->conn != conn) dial = dial->next;
    return dial;
}

/* Goes on with a dial whose name is resolved. False: all its addresses have failed, and its
 * stream is shut. */
static bool wshub_io_sock__dial_step(wshub_io_sock *net, wshub_io_sock__conn *conn,
                                     wshub_io_sock__dial *dial) {
    WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__DIALLING && !dial->orphan);
    if (conn->fd >= 0 && dial->due && net->now >= dial->due) { /* silent for too long */
        wshub_io_sock__drop(net, conn);
        dial->again = true;
    }
    if (conn->fd >= 0 || wshub_io_sock__try(net, conn, dial)) return true;
    wshub_io_sock__shut(net, conn);
    return false;
}

/* Names that have been resolved meanwhile are tried; what nobody waits for any more is let go. */
static void wshub_io_sock__dials_run(wshub_io_sock *net) {
    wshub_io_sock__dial **at = &net->dials, *d;

    while ((d = *at) != NULL) {
        wshub_io_sock__conn *conn = wshub_io_sock__get(net, d->conn);
        wshub_io_sock__dial *next = d->next;
        bool gone = !conn || conn->state != WSHUB_IO_SOCK__DIALLING;
        bool resolving = wshub_io_sock__is_resolving(d, gone);
        if (gone && resolving) { /* from here on it is its thread's */
            *at = next;
        } else if (gone || (!resolving && !wshub_io_sock__dial_step(net, conn, d))) {
            *at = next;
            wshub_io_sock__dial_free(d);
        } else {
            at = &d->next;
        }
    }
}

/* To a closed port of this machine a connection can, by chance, come from that very port: then TCP
 * connects it to itself, and whoever should listen there finds the port taken. */
static bool wshub_io_sock__met_itself(int fd) {
    wshub_io_sock__address a, b;
    socklen_t an = sizeof a, bn = sizeof b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (wshub_io_sock__sys_name(fd, &a.any, &an) != 0 ||
        wshub_io_sock__sys_peer(fd, &b.any, &bn) != 0)
        return false;
    return a.any.sa_family != AF_UNIX && an == bn && memcmp(a.bytes, b.bytes, (size_t)an) == 0;
}

/* An outgoing stream is connected, or has failed: then the next address of its name has its
 * turn. */
static void wshub_io_sock__dialled(wshub_io_sock *net, wshub_conn id, wshub_io_sock__conn *conn) {
    wshub_io_sock__dial *dial = wshub_io_sock__dial_of(net, id.id);
    const wshub_io_owner *owner = wshub_io_sock__whose(net, conn);
    int e = wshub_io_sock__pending_error(conn->fd);

    WSHUB_ASSERT(dial && owner);
    if (!e && wshub_io_sock__met_itself(conn->fd)) e = ECONNREFUSED;
    if (!e) {
        wshub_io_sock__to(net, conn, WSHUB_IO_SOCK__OPEN);
        wshub_io_sock__rewatch(net, conn);
        if (conn->state == WSHUB_IO_SOCK__OPEN) owner->opened(owner->ctx, id);
        return;
    }

    errno = e;
    (void)wshub_io_sock__fail(net, "cannot connect to", dial->where, "");
    wshub_io_sock__drop(net, conn);
    if (!wshub_io_sock__try(net, conn, dial)) wshub_io_sock__shut(net, conn);
}

/* Takes an address apart: `host:port` or `[v6]:port`. False: it is neither. */
static bool wshub_io_sock__dial_parse(wshub_io_sock__dial *dial, const char *address) {
    const char *colon = strrchr(address, ':'), *host = address, *port = colon ? colon + 1 : "";
    size_t n = colon ? (size_t)(colon - address) : 0;

    if (*address == '[') {
        if (n < 2 || colon[-1] != ']') return false;
        host++;
        n -= 2;
    }
    if (!n || n >= sizeof dial->host) return false;
    if (strlen(port) > 5 || strspn(port, "0123456789") != strlen(port)) return false;
    if (atoi(port) < 1 || atoi(port) > 65535) return false; /* NOLINT: at most five digits */

    memcpy(dial->host, host, n);
    memcpy(dial->port, port, strlen(port) + 1);
    return true;
}

/* Connects to a Unix socket, which the system does at once or not at all. */
static void wshub_io_sock__dial_unix(wshub_io_sock *net, wshub_io_sock__conn *conn,
                                     const char *path) {
    wshub_io_sock__address at;

    wshub_io_sock__unix_address(&at, path);
    conn->fd = wshub_io_sock__sys_socket(AF_UNIX, SOCK_STREAM, 0);
    if (conn->fd >= 0 && wshub_io_sock__prepare(conn->fd) &&
        wshub_io_sock__sys_connect(conn->fd, &at.any, sizeof at.un) == 0 &&
        wshub_io_sock__watch(net, conn, WSHUB_IO_SOCK_WRITE))
        return;
    (void)wshub_io_sock__fail(net, "cannot connect to", path, "");
    wshub_io_sock__shut(net, conn);
}

/* Connects to a host: at once if it is an address, behind a resolver if it is a name. */
static void wshub_io_sock__dial_tcp(wshub_io_sock *net, wshub_io_sock__conn *conn,
                                    wshub_io_sock__dial *dial) {
    wshub_io_sock__resolve(dial, AI_NUMERICHOST);
#if WSHUB_IO_SOCK__THREADS
    if (dial->problem && wshub_io_sock__resolve_apart(dial)) return;
#endif
    if (dial->problem) wshub_io_sock__resolve(dial, 0);
    if (!wshub_io_sock__try(net, conn, dial)) wshub_io_sock__shut(net, conn);
}

/* ---- owners: the hub, and guests beside it ---- */

/* Frees everything. Nobody is attached any more, and nobody inside. */
static void wshub_io_sock__free(wshub_io_sock *net) {
    uint32_t i;

    WSHUB_ASSERT(!net->depth && !net->owned && !net->guests_count);
    if (net->poller) {
        wshub_io_sock_unlisten(net);
        for (i = 0; i < net->used; i++) {
            if (net->conns[i].state != WSHUB_IO_SOCK__FREE)
                wshub_io_sock__shut(net, &net->conns[i]);
        }
        wshub_io_sock__dials_run(net);
        net->desc.poller->destroy(net->poller);
    }
    if (net->urandom >= 0) wshub_io_sock__sys_give(net->urandom);
    if (net->reserve >= 0) wshub_io_sock__sys_give(net->reserve);
    if (net->terminal >= 0) wshub_io_sock__sys_give(net->terminal);
    wshub_io_sock__sys_end();

    while (net->names_count) free(net->names[--net->names_count]);
    for (i = 0; i < net->intros_cap; i++) free(net->intros[i].head);
    free(net->intros);
    free(net->names);
    free(net->conns);
    free(net->buf);
    free(net->scratch);
    free(net);
}

/* Destroyed earlier, and now nobody is inside any more. net may be gone afterwards. */
static void wshub_io_sock__bury(wshub_io_sock *net) {
    if (net->doomed && !net->depth && !net->owned && !net->guests_count) wshub_io_sock__free(net);
}

static void wshub_io_sock__arrivals_lock(wshub_io_sock *net) {
#if defined(__GNUC__)
    while (__atomic_test_and_set(&net->arrivals_lock, __ATOMIC_ACQUIRE)) { /* for a few lines */
    }
#else
    (void)net;
#endif
}
static void wshub_io_sock__arrivals_unlock(wshub_io_sock *net) {
#if defined(__GNUC__)
    __atomic_clear(&net->arrivals_lock, __ATOMIC_RELEASE);
#else
    (void)net;
#endif
}

/* Takes all that have come, the first of them first, and says whether others may come. */
static wshub_io_sock__arrival *wshub_io_sock__arrivals_take(wshub_io_sock *net, bool open) {
    wshub_io_sock__arrival *latest, *first = NULL, *next;

    wshub_io_sock__arrivals_lock(net);
    net->arrivals_open = open;
    latest = net->arrivals;
    net->arrivals = NULL;
    wshub_io_sock__arrivals_unlock(net);

    for (; latest; latest = next) {
        next = latest->next;
        latest->next = first;
        first = latest;
    }
    return first;
}

/* The owner comes or goes. What has arrived for one that goes is closed. */
static void wshub_io_sock__arrivals_open(wshub_io_sock *net, bool open) {
    wshub_io_sock__arrival *arrival = wshub_io_sock__arrivals_take(net, open), *next;

    for (; arrival; arrival = next) {
        next = arrival->next;
        (void)wshub_io_sock__sys_close(arrival->fd);
        free(arrival);
    }
}

static void wshub_io_sock__attach(void *ctx, const wshub_io_owner *owner) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;

    wshub_io_sock__arrivals_open(net, owner != NULL);
    net->owned = owner != NULL;
    net->owners++;
    if (owner)
        net->owner = *owner;
    else
        wshub_io_sock__disown(net, 0);
    wshub_io_sock__listeners_watch(net);
    wshub_io_sock__bury(net);
}

static bool wshub_io_sock__taken(void *ctx) {
    return ((wshub_io_sock *)ctx)->owned;
}

/* The place of a guest (is_there), or a free one. -1: there is none. */
static int wshub_io_sock__guest_place(const wshub_io_sock *net, bool is_there,
                                      const void *guest_ctx) {
    int i;
    for (i = 0; i < WSHUB_IO_SOCK__GUESTS; i++) {
        bool taken = net->guests[i].settle != NULL;
        if (is_there ? taken && net->guests[i].ctx == guest_ctx : !taken) return i;
    }
    return -1;
}

static wshub_err wshub_io_sock__guest(void *ctx, const wshub_io_owner *owner, bool on) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    int place = wshub_io_sock__guest_place(net, !on, owner->ctx);

    if (place < 0) return on ? WSHUB_ERR_LIMIT : WSHUB_OK;

    if (on) {
        net->guests[place] = *owner;
        net->guests_count++;
        net->desc.poller->wake(net->poller); /* its first settle */
        return WSHUB_OK;
    }

    WSHUB_ASSERT(net->guests_count);
    memset(&net->guests[place], 0, sizeof net->guests[place]);
    net->guests_count--;
    wshub_io_sock__disown(net, (uint8_t)(place + 1));
    wshub_io_sock__bury(net);
    return WSHUB_OK;
}

/* ---- orders ---- */

/* Small spans, from `skip` bytes into the first on, copied together, which is cheaper than
 * gathering them. *out_asked: how much was offered to the system. */
static ssize_t wshub_io_sock__send_copied(wshub_io_sock *net, int fd, const wshub_span *spans,
                                          size_t count, size_t skip, size_t *out_asked) {
    size_t i, asked = 0;

    for (i = 0; i < count && asked < WSHUB_IO_SOCK__SCRATCH; i++, skip = 0) {
        size_t room = WSHUB_IO_SOCK__SCRATCH - asked, n = spans[i].len - skip;
        if (n > room) n = room;
        memcpy(net->scratch + asked, spans[i].ptr + skip, n);
        asked += n;
    }
    *out_asked = asked;
    return wshub_io_sock__sys_send(fd, net->scratch, asked);
}

/* Large spans, gathered. */
static ssize_t wshub_io_sock__send_gathered(int fd, const wshub_span *spans, size_t count,
                                            size_t skip, size_t *out_asked) {
#ifdef _WIN32
    WSABUF buffers[WSHUB_IO_SOCK__IOVS];
    DWORD i, taken = 0;

    *out_asked = 0;
    for (i = 0; i < count && i < WSHUB_IO_SOCK__IOVS; i++, skip = 0) {
        union {
            const uint8_t *from;
            char *to;
        } cast; /* WSABUF's base is not const */
        size_t n = spans[i].len - skip;
        cast.from = spans[i].ptr + skip;
        buffers[i].buf = cast.to;
        buffers[i].len = n > INT_MAX ? (ULONG)INT_MAX : (ULONG)n;
        *out_asked += buffers[i].len;
        if (buffers[i].len < n || *out_asked > INT_MAX) break;
    }
    if (i < count && i < WSHUB_IO_SOCK__IOVS) i++; /* the one that was cut is the last */
    return wshub_io_sock__sys_said(WSASend((SOCKET)fd, buffers, i, &taken, 0, NULL, NULL)) < 0
               ? -1
               : (ssize_t)taken;
#else
    struct iovec iov[WSHUB_IO_SOCK__IOVS];
    struct msghdr m;
    size_t i;
    *out_asked = 0;
    for (i = 0; i < count && i < WSHUB_IO_SOCK__IOVS; i++, skip = 0) {
        union {
            const uint8_t *from;
            void *to;
        } cast; /* iovec's base is not const */
        cast.from = spans[i].ptr + skip;
        iov[i].iov_base = cast.to;
        iov[i].iov_len = spans[i].len - skip;
        *out_asked += iov[i].iov_len;
    }

    memset(&m, 0, sizeof m);
    m.msg_iov = iov;
    m.msg_iovlen = (uint16_t)i; /* size_t, or int, as the system likes */
    return sendmsg(fd, &m, MSG_NOSIGNAL);
#endif
}

/* Offers spans to the system in one call, `left` bytes from `skip` into the first on. */
static ssize_t wshub_io_sock__send_some(wshub_io_sock *net, int fd, const wshub_span *spans,
                                        size_t count, size_t skip, size_t left, size_t *out_asked) {
    WSHUB_ASSERT(fd >= 0 && count && left && skip <= spans[0].len);
    net->stats.sends++;
    if (count == 1) {
        *out_asked = left;
        return wshub_io_sock__sys_send(fd, spans[0].ptr + skip, left);
    }
    if (left / count < WSHUB_IO_SOCK__SMALL)
        return wshub_io_sock__send_copied(net, fd, spans, count, skip, out_asked);
    return wshub_io_sock__send_gathered(fd, spans, count, skip, out_asked);
}

/* Whether a send has failed only for now: it is tried again when there is room. */
static bool wshub_io_sock__is_full(int e) {
    return e == EAGAIN || e == EWOULDBLOCK || e == ENOBUFS || e == ENOMEM;
}

static int64_t wshub_io_sock__send(void *ctx, wshub_conn conn, const wshub_span *spans,
                                   size_t count) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    wshub_io_sock__conn *found = wshub_io_sock__get(net, conn.id);
    size_t i, total = 0, done = 0, skip = 0, asked = 0;

    for (i = 0; i < count; i++) total += spans[i].len;
    if (!found || found->state != WSHUB_IO_SOCK__OPEN) return (int64_t)total;

    while (done < total) {
        ssize_t n =
            wshub_io_sock__send_some(net, found->fd, spans, count, skip, total - done, &asked);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && !wshub_io_sock__is_full(errno)) {
            wshub_io_sock__shut(net, found); /* a broken stream takes everything */
            return (int64_t)total;
        }
        if (n > 0) {
            done += (size_t)n;
            skip += (size_t)n;
        }

        /* The system took less than it was offered: it will say when there is room. */
        if (n < 0 || (size_t)n < asked) {
            found->blocked = true;
            wshub_io_sock__rewatch(net, found);
            return (int64_t)(found->state == WSHUB_IO_SOCK__SHUT ? total : done);
        }
        for (; count > 1 && skip >= spans[0].len; spans++, count--) skip -= spans[0].len;
    }
    return (int64_t)done;
}

/* Behind our end the peer's is waited for without a clock: the owner has one. When the peer has
 * ended already, or is gone, nothing is left to wait for. */
static void wshub_io_sock__close(void *ctx, wshub_conn conn, bool flush) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    wshub_io_sock__conn *found = wshub_io_sock__get(net, conn.id);

    if (!found || found->state == WSHUB_IO_SOCK__SHUT) return;
    if (flush && found->state == WSHUB_IO_SOCK__ENDING) return;
    if (!flush || found->state != WSHUB_IO_SOCK__OPEN || found->ended ||
        wshub_io_sock__sys_shutdown(found->fd) != 0) {
        wshub_io_sock__shut(net, found);
        return;
    }

    found->paused = found->blocked = found->hung = false;
    wshub_io_sock__to(net, found, WSHUB_IO_SOCK__ENDING);
    wshub_io_sock__rewatch(net, found);
}

static void wshub_io_sock__pause(void *ctx, wshub_conn conn, bool paused) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    wshub_io_sock__conn *found = wshub_io_sock__get(net, conn.id);
    if (!found || found->state != WSHUB_IO_SOCK__OPEN) return;
    found->paused = paused;
    found->hung = false;
    wshub_io_sock__rewatch(net, found);
}

/* Within a turn time stands still. Outside of one it is asked for by whoever calls the owner
 * from a loop of its own. */
static uint64_t wshub_io_sock__now(void *ctx) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    if (!net->depth) net->now = wshub_io_sock__sys_ticks();
    return net->now;
}
static uint64_t wshub_io_sock__heard(void *ctx) {
    return ((wshub_io_sock *)ctx)->heard;
}
static uint64_t wshub_io_sock__wall(void *ctx) {
    (void)ctx;
    return wshub_io_sock__sys_date();
}

static bool wshub_io_sock__random(void *ctx, uint8_t *bytes, size_t count) {
#ifdef _WIN32
    (void)ctx;
    WSHUB_ASSERT(count <= ULONG_MAX);
    return RtlGenRandom(bytes, (ULONG)count) != 0;
#else
    wshub_io_sock *net = (wshub_io_sock *)ctx;

    while (count) {
        ssize_t n = read(net->urandom, bytes, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        count -= (size_t)n;
    }
    return true;
#endif
}

/* Sets a flag that any thread may set. Returns what it was. */
static bool wshub_io_sock__exchange(bool *flag, bool value) {
#if defined(__GNUC__)
    return __atomic_exchange_n(flag, value, __ATOMIC_SEQ_CST);
#else
    bool was = *flag;
    *flag = value;
    return was;
#endif
}

#if defined(__GNUC__)
#define WSHUB_IO_SOCK__LOAD(at) __atomic_load_n(at, __ATOMIC_SEQ_CST)
#define WSHUB_IO_SOCK__STORE(at, value) __atomic_store_n(at, value, __ATOMIC_SEQ_CST)
#define WSHUB_IO_SOCK__ADD(at, n) ((void)__atomic_add_fetch(at, n, __ATOMIC_SEQ_CST))
#define WSHUB_IO_SOCK__SUB(at, n) ((void)__atomic_sub_fetch(at, n, __ATOMIC_SEQ_CST))
#else /* one thread that serves */
#define WSHUB_IO_SOCK__LOAD(at) (*(at))
#define WSHUB_IO_SOCK__STORE(at, value) ((void)(*(at) = (value)))
#define WSHUB_IO_SOCK__ADD(at, n) ((void)(*(at) += (n)))
#define WSHUB_IO_SOCK__SUB(at, n) ((void)(*(at) -= (n)))
#endif

/* One system call wakes for all who ask until the next settle has begun, and none where a turn is
 * under way, whose thread looks at `woken` before it sleeps. Each side writes its own flag before
 * it reads the other's, in one order for all threads, so that one of them sees what the other has
 * written. */
static void wshub_io_sock__wake(void *ctx) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    if (!wshub_io_sock__exchange(&net->woken, true) && WSHUB_IO_SOCK__LOAD(&net->asleep))
        net->desc.poller->wake(net->poller);
}

/* From here on wake() makes a system call. Returns whether somebody has called it without one. */
static bool wshub_io_sock__doze(wshub_io_sock *net) {
    WSHUB_IO_SOCK__STORE(&net->asleep, true);
    return WSHUB_IO_SOCK__LOAD(&net->woken);
}

/* A stream with all that goes along. NULL: out of memory. */
static wshub_io_sock__arrival *wshub_io_sock__pack(const wshub_io_sock *net,
                                                   const wshub_io_sock__conn *conn,
                                                   const wshub_span *spans, size_t count) {
    const char *name = conn->listener ? net->names[conn->listener - 1] : "";
    const wshub_io_sock__intro *intro = wshub_io_sock__intro_of(net, conn);
    wshub_io_sock__arrival *arrival;
    size_t i, total = 0;
    uint8_t *at;

    WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__OPEN && conn->fd >= 0 && !conn->guest);
    for (i = 0; i < count; i++) total += spans[i].len;
    arrival = (wshub_io_sock__arrival *)calloc(1, sizeof *arrival + total + strlen(name) + 1);
    if (!arrival) return NULL;

    arrival->fd = conn->fd;
    arrival->ended = conn->ended;
    if (intro) arrival->peer = intro->peer;
    arrival->count = total;
    at = (uint8_t *)(arrival + 1);
    for (i = 0; i < count; i++) {
        memcpy(at, spans[i].ptr, spans[i].len);
        at += spans[i].len;
    }
    memcpy(at, name, strlen(name) + 1);
    return arrival;
}

/* This io watches it no more by the time the other one hears of it, or two would. */
static wshub_err wshub_io_sock__hand_over(void *ctx, wshub_conn conn, const wshub_io *to,
                                          const wshub_span *spans, size_t count) {
    wshub_io_sock *net = (wshub_io_sock *)ctx, *there = (wshub_io_sock *)to->ctx;
    wshub_io_sock__conn *found = wshub_io_sock__get(net, conn.id);
    wshub_io_sock__arrival *arrival;
    bool open;

    if (!found || found->state != WSHUB_IO_SOCK__OPEN || found->guest) return WSHUB_ERR_STALE;
    arrival = wshub_io_sock__pack(net, found, spans, count);
    if (!arrival) return WSHUB_ERR_NOMEM;
    (void)wshub_io_sock__watch(net, found, 0);

    wshub_io_sock__arrivals_lock(there);
    open = there->arrivals_open;
    if (open) {
        arrival->next = there->arrivals;
        there->arrivals = arrival;
    }
    wshub_io_sock__arrivals_unlock(there);
    if (!open) {
        free(arrival);
        wshub_io_sock__rewatch(net, found);
        return WSHUB_ERR_STALE;
    }

    found->fd = -1;
    found->watched = 0;
    found->paused = found->blocked = found->hung = false;
    wshub_io_sock__to(net, found, WSHUB_IO_SOCK__FREE);
    there->io.wake(there);
    return WSHUB_OK;
}

/* The text of an address, as wshub_dial takes it: `v4:port`, `[v6]:port` (RFC 3986 3.2.2), or
 * the path of a Unix socket. is_given: somebody on this side has chosen it; a path that a peer
 * has bound itself to is not told, since it may have any bytes in it. */
static wshub_str wshub_io_sock__address_text(const wshub_io_sock__address *at, socklen_t at_len,
                                             bool is_given, char *text, size_t cap) {
    char host[96], port[8];
    wshub_str none = {NULL, 0};

    if (at->any.sa_family == AF_UNIX) {
        bool has_path = is_given && (size_t)at_len > offsetof(struct sockaddr_un, sun_path);
        (void)snprintf(text, cap, "%.*s", (int)sizeof at->un.sun_path,
                       has_path && at->un.sun_path[0] ? at->un.sun_path : "unix");
        return wshub_str_z(text);
    }
    if (getnameinfo(&at->any, at_len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return none;
    (void)snprintf(text, cap, at->any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return wshub_str_z(text);
}

/* The address at the other end of a socket. False: it is not known. */
static bool wshub_io_sock__peer_of(int fd, wshub_address *out) {
    wshub_io_sock__address at;
    socklen_t n = sizeof at;

    memset(&at, 0, sizeof at);
    if (wshub_io_sock__sys_peer(fd, &at.any, &n) != 0) return false;
    switch (at.any.sa_family) {
    case AF_INET: return wshub_address_of(&at.v4.sin_addr, 4, ntohs(at.v4.sin_port), out);
    case AF_INET6: return wshub_address_of(&at.v6.sin6_addr, 16, ntohs(at.v6.sin6_port), out);
    case AF_UNIX: return wshub_address_read(wshub_str_z("unix"), out);
    default: return false;
    }
}

static bool wshub_io_sock__about(void *ctx, wshub_conn conn, wshub_about *out_about) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    const wshub_io_sock__conn *found = wshub_io_sock__get(net, conn.id);
    const wshub_io_sock__intro *intro;
    wshub_io_sock__address at;
    socklen_t n = sizeof at;

    memset(out_about, 0, sizeof *out_about);
    memset(&at, 0, sizeof at);
    if (!found) return false;
    if (found->listener) out_about->listener = wshub_str_z(net->names[found->listener - 1]);

    /* Of a stream whose socket is gone, or not yet there, no address is known. */
    if (found->fd >= 0 && wshub_io_sock__sys_name(found->fd, &at.any, &n) == 0)
        out_about->local = wshub_io_sock__address_text(&at, n, !found->guest, net->about_local,
                                                       sizeof net->about_local);
    memset(&at, 0, sizeof at);
    n = sizeof at;
    if (found->fd >= 0 && wshub_io_sock__sys_peer(found->fd, &at.any, &n) == 0)
        out_about->peer = wshub_io_sock__address_text(&at, n, found->guest != 0, net->about_peer,
                                                      sizeof net->about_peer);

    /* Whom a proxy has named it is for. */
    intro = wshub_io_sock__intro_of(net, found);
    if (!intro || !intro->peer.kind) return true;
    out_about->hop = out_about->peer;
    (void)wshub_address_write(&intro->peer, net->about_named);
    out_about->peer = wshub_str_z(net->about_named);
    return true;
}

/* What is wrong with where a guest wants to go, kept as a line. False: nothing is. d: taken
 * apart. */
static bool wshub_io_sock__dial_refused(wshub_io_sock *net, const wshub_dial *dial, bool is_path,
                                        wshub_io_sock__dial *dialled) {
    if (dial->secure) {
        (void)snprintf(
            net->error, sizeof net->error,
            "cannot connect to %.120s: plain sockets have no TLS; put an io with TLS over "
            "this one, or do not ask for a secure stream",
            dialled->where);
        return true;
    }

#ifdef _WIN32
    if (is_path) {
        (void)snprintf(net->error, sizeof net->error,
                       "cannot connect to %.150s: there are no Unix sockets on Windows",
                       dialled->where);
        return true;
    }
#endif

    if (is_path ? strlen(dial->address) < sizeof((struct sockaddr_un *)0)->sun_path
                : wshub_io_sock__dial_parse(dialled, dialled->where))
        return false;
    (void)snprintf(net->error, sizeof net->error,
                   "cannot connect to %.150s: an address is host:port, [v6]:port or a path",
                   dialled->where);
    return true;
}

static wshub_err wshub_io_sock__connect(void *ctx, void *guest_ctx, const wshub_dial *dial,
                                        wshub_conn *out_conn) {
    wshub_io_sock *net = (wshub_io_sock *)ctx;
    const char *address = dial->address ? dial->address : "";
    bool is_path = *address == '/' || *address == '.';
    int guest = wshub_io_sock__guest_place(net, true, guest_ctx);
    wshub_io_sock__dial *dialled = (wshub_io_sock__dial *)calloc(1, sizeof *dialled);
    wshub_io_sock__conn *conn;

    if (!dialled) return WSHUB_ERR_NOMEM;
    (void)snprintf(dialled->where, sizeof dialled->where, "%.299s", address);
    if (guest < 0 || wshub_io_sock__dial_refused(net, dial, is_path, dialled)) {
        free(dialled);
        return WSHUB_ERR_PARAM;
    }
    conn = wshub_io_sock__new(net, -1, WSHUB_IO_SOCK__DIALLING);
    if (!conn) {
        free(dialled);
        return WSHUB_ERR_LIMIT;
    }

    conn->guest = (uint8_t)(guest + 1);
    *out_conn = wshub_io_sock__id(net, conn);
    dialled->net = net;
    dialled->patience_ms = WSHUB_IO_SOCK__PATIENCE_MS;
    dialled->conn = out_conn->id;
    dialled->next = net->dials;
    net->dials = dialled;
    if (is_path)
        wshub_io_sock__dial_unix(net, conn, address);
    else
        wshub_io_sock__dial_tcp(net, conn, dialled);
    net->desc.poller->wake(net->poller); /* what has failed already is told from the loop */
    return WSHUB_OK;
}

static const char *wshub_io_sock__last_error(void *ctx) {
    return ((wshub_io_sock *)ctx)->error;
}

/* ---- PROXY heads: in whose name a stream comes, before everything else (PROXY-5 to PROXY-7).
 * Pure functions over what has come of a head say what it is, and how much may be read next: never
 * a byte of what follows. haproxy's proxy-protocol.txt, sections 2.1 and 2.2. */

/* What has come of a head. */
typedef enum wshub_io_sock__word {
    WSHUB_IO_SOCK__WORD_PART,    /* there is more to come */
    WSHUB_IO_SOCK__WORD_NAMED,   /* it is whole, and names somebody */
    WSHUB_IO_SOCK__WORD_ITSELF,  /* it is whole, and the peer comes for itself */
    WSHUB_IO_SOCK__WORD_MISSING, /* it is no head */
    WSHUB_IO_SOCK__WORD_BAD      /* it is one that is wrong */
} wshub_io_sock__word;

static const uint8_t wshub_io_sock__v1_sign[6] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const uint8_t wshub_io_sock__v2_sign[WSHUB_IO_SOCK__SIGN] = {
    '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static bool wshub_io_sock__head_is_v2(const wshub_io_sock__head *head) {
    return head->count && head->bytes[0] == wshub_io_sock__v2_sign[0];
}

/* Of version 2, how many bytes follow the fixed ones, and how many of these are kept. */
static uint32_t wshub_io_sock__v2_length(const wshub_io_sock__head *head, uint32_t *out_kept) {
    uint32_t length = (uint32_t)head->bytes[14] << 8 | head->bytes[15];

    WSHUB_ASSERT(head->count >= WSHUB_IO_SOCK__V2_FIXED);
    *out_kept = WSHUB_IO_SOCK__V2_ADDRESSES;
    if (length < *out_kept) *out_kept = length;
    return length;
}

/* How many bytes of a head that is not whole may be taken next, all of which are its own, if they
 * are taken no further than to the end of a line (*out_line). *out_past: they are passed over. */
static size_t wshub_io_sock__head_next(const wshub_io_sock__head *head, bool *out_line,
                                       bool *out_past) {
    uint32_t kept, length;

    *out_line = *out_past = false;
    if (head->count < WSHUB_IO_SOCK__SIGN) return WSHUB_IO_SOCK__SIGN - head->count;
    if (!wshub_io_sock__head_is_v2(head)) {
        *out_line = true;
        return WSHUB_IO_SOCK__V1_LINE - head->count;
    }
    if (head->count < WSHUB_IO_SOCK__V2_FIXED) return WSHUB_IO_SOCK__V2_FIXED - head->count;
    length = wshub_io_sock__v2_length(head, &kept);
    if (head->count < WSHUB_IO_SOCK__V2_FIXED + kept)
        return WSHUB_IO_SOCK__V2_FIXED + kept - head->count;
    *out_past = true;
    return length - kept - head->skipped;
}

/* Takes what stands before the next blank off a text, and the blank; without one, all. */
static wshub_str wshub_io_sock__word_cut(wshub_str *text) {
    const char *at = text->len ? (const char *)memchr(text->ptr, ' ', text->len) : NULL;
    wshub_str word = *text;

    if (at) word.len = (size_t)(at - text->ptr);
    text->ptr = at ? at + 1 : NULL;
    text->len = at ? text->len - word.len - 1 : 0;
    return word;
}

/* Reads a port: digits without leading zeros. */
static bool wshub_io_sock__port_read(wshub_str text, uint16_t *out_port) {
    uint32_t port = 0;
    size_t i;

    if (text.len < 1 || text.len > 5 || (text.ptr[0] == '0' && text.len > 1)) return false;
    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *out_port = (uint16_t)port;
    return port <= 65535;
}

/* Reads an address of one family, and nothing but that: no port, brackets or zone. */
static bool wshub_io_sock__v1_address(wshub_str text, bool v6, wshub_address *out) {
    const char *colon = text.len ? (const char *)memchr(text.ptr, ':', text.len) : NULL;
    size_t behind = colon ? text.len - (size_t)(colon - text.ptr) - 1 : 0;

    if (v6 != (colon && memchr(colon + 1, ':', behind) != NULL) || (!v6 && colon)) return false;
    if (text.len && (text.ptr[0] == '[' || memchr(text.ptr, '%', text.len))) return false;
    return wshub_address_read(text, out) && out->kind != WSHUB_ADDRESS_UNIX;
}

/* Judges a head of version 1: `PROXY TCP4 src dst sport dport` CR LF. */
static wshub_io_sock__word wshub_io_sock__v1_judge(const wshub_io_sock__head *head,
                                                   wshub_address *out_peer) {
    const size_t sign = sizeof wshub_io_sock__v1_sign;
    wshub_str line, family, from, to, from_port, to_port;
    wshub_address there, peer;
    uint16_t port, to_number;
    bool v6;

    if (!memchr(head->bytes, '\n', head->count))
        return head->count < WSHUB_IO_SOCK__V1_LINE ? WSHUB_IO_SOCK__WORD_PART
                                                    : WSHUB_IO_SOCK__WORD_BAD;
    if (head->count < sign + 2 || head->bytes[head->count - 2] != '\r')
        return WSHUB_IO_SOCK__WORD_BAD;
    line.ptr = (const char *)head->bytes + sign;
    line.len = head->count - sign - 2;

    /* Behind UNKNOWN anything may stand. */
    family = wshub_io_sock__word_cut(&line);
    if (wshub_str_eq_z(family, "UNKNOWN")) return WSHUB_IO_SOCK__WORD_ITSELF;
    v6 = wshub_str_eq_z(family, "TCP6");
    if (!v6 && !wshub_str_eq_z(family, "TCP4")) return WSHUB_IO_SOCK__WORD_BAD;

    from = wshub_io_sock__word_cut(&line);
    to = wshub_io_sock__word_cut(&line);
    from_port = wshub_io_sock__word_cut(&line);
    to_port = wshub_io_sock__word_cut(&line);
    if (line.ptr || !wshub_io_sock__v1_address(from, v6, &peer) ||
        !wshub_io_sock__v1_address(to, v6, &there) || !wshub_io_sock__port_read(from_port, &port) ||
        !wshub_io_sock__port_read(to_port, &to_number))
        return WSHUB_IO_SOCK__WORD_BAD;
    peer.port = port;
    *out_peer = peer;
    return WSHUB_IO_SOCK__WORD_NAMED;
}

/* Judges the fixed bytes of version 2. *out_least: how many the addresses take at least. PART: they
 * are right, and name somebody; ITSELF: whatever follows is passed over. */
static wshub_io_sock__word wshub_io_sock__v2_fixed(const wshub_io_sock__head *head,
                                                   uint32_t *out_least) {
    uint8_t command = head->bytes[12], family = head->bytes[13];

    *out_least = 0;
    if (command == 0x20) return WSHUB_IO_SOCK__WORD_ITSELF; /* LOCAL: of whatever family */
    if (command != 0x21) return WSHUB_IO_SOCK__WORD_BAD;
    switch (family) {
    case 0x00: return WSHUB_IO_SOCK__WORD_ITSELF;               /* UNSPEC */
    case 0x11: *out_least = 12; break;                          /* TCP over IPv4 */
    case 0x21: *out_least = 36; break;                          /* TCP over IPv6 */
    case 0x31: *out_least = WSHUB_IO_SOCK__V2_ADDRESSES; break; /* a stream of Unix sockets */
    default: return WSHUB_IO_SOCK__WORD_BAD; /* datagrams, and what does not exist */
    }
    return WSHUB_IO_SOCK__WORD_PART;
}

/* Judges a head of version 2. What is wrong with its fixed bytes is said before more has come. */
static wshub_io_sock__word wshub_io_sock__v2_judge(const wshub_io_sock__head *head,
                                                   wshub_address *out_peer) {
    const uint8_t *at = head->bytes + WSHUB_IO_SOCK__V2_FIXED;
    uint32_t least, kept, length;
    wshub_io_sock__word word;

    if (head->count < WSHUB_IO_SOCK__V2_FIXED) return WSHUB_IO_SOCK__WORD_PART;
    word = wshub_io_sock__v2_fixed(head, &least);
    length = wshub_io_sock__v2_length(head, &kept);
    if (word == WSHUB_IO_SOCK__WORD_BAD || length < least) return WSHUB_IO_SOCK__WORD_BAD;
    if (head->count < WSHUB_IO_SOCK__V2_FIXED + kept || head->skipped < length - kept)
        return WSHUB_IO_SOCK__WORD_PART;
    if (word == WSHUB_IO_SOCK__WORD_ITSELF) return word;

    if (least == 12)
        (void)wshub_address_of(at, 4, (uint16_t)(at[8] << 8 | at[9]), out_peer);
    else if (least == 36)
        (void)wshub_address_of(at, 16, (uint16_t)(at[32] << 8 | at[33]), out_peer);
    else
        (void)wshub_address_read(wshub_str_z("unix"), out_peer);
    return WSHUB_IO_SOCK__WORD_NAMED;
}

/* Says what has come of a head. *out_peer: whom it names; else untouched. */
static wshub_io_sock__word wshub_io_sock__head_judge(const wshub_io_sock__head *head,
                                                     wshub_address *out_peer) {
    const size_t v1 = sizeof wshub_io_sock__v1_sign, v2 = sizeof wshub_io_sock__v2_sign;

    WSHUB_ASSERT(head->count <= sizeof head->bytes);
    if (wshub_io_sock__head_is_v2(head))
        return memcmp(head->bytes, wshub_io_sock__v2_sign, head->count < v2 ? head->count : v2) != 0
                   ? WSHUB_IO_SOCK__WORD_MISSING
                   : wshub_io_sock__v2_judge(head, out_peer);
    if (memcmp(head->bytes, wshub_io_sock__v1_sign, head->count < v1 ? head->count : v1) != 0)
        return WSHUB_IO_SOCK__WORD_MISSING;
    return head->count < v1 ? WSHUB_IO_SOCK__WORD_PART : wshub_io_sock__v1_judge(head, out_peer);
}

/* ---- streams that are introduced ---- */

/* Shows a line to who looks for why a stream was closed. */
static void wshub_io_sock__debug(wshub_io_sock *net, int fd, const char *why) {
    char line[WSHUB_LOG_LINE_BYTES], text[WSHUB_ADDRESS_BYTES] = "?";
    wshub_address peer;

    if (!net->io.log || net->io.log_level != WSHUB_LEVEL_DEBUG) return;
    if (wshub_io_sock__peer_of(fd, &peer)) (void)wshub_address_write(&peer, text);
    (void)snprintf(line, sizeof line, "debug IO %s: closed: %s", text, why);
    net->io.log(net->io.ctx, WSHUB_LEVEL_DEBUG, line);
}

/* May this peer introduce streams? One that has reset its connection meanwhile, as health checks
 * do, has no address any more: it may not, and is no stranger either. */
static bool wshub_io_sock__proxy_listed(wshub_io_sock *net, const wshub_io_sock__proxies *proxies,
                                        int fd) {
    wshub_address peer;
    uint32_t i;

    if (!wshub_io_sock__peer_of(fd, &peer)) return false;
    for (i = 0; i < proxies->count; i++) {
        if (wshub_address_in(&peer, &proxies->ranges[i])) return true;
    }
    net->stats.proxy_strangers++;
    wshub_io_sock__debug(net, fd, "none of the proxies of this listener");
    return false;
}

/* Closes a stream that was not introduced as it should be. Nobody has heard of it. */
static void wshub_io_sock__reject(wshub_io_sock *net, wshub_io_sock__conn *conn, uint64_t *counter,
                                  const char *why) {
    WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__INTRODUCING);
    ++*counter;
    wshub_io_sock__debug(net, conn->fd, why);
    wshub_io_sock__shut(net, conn);
}

/* Takes from the socket what is a head's for sure. Returns as recv(). */
static ssize_t wshub_io_sock__head_take(wshub_io_sock *net, int fd, wshub_io_sock__head *head) {
    bool line, past;
    size_t want = wshub_io_sock__head_next(head, &line, &past);
    uint8_t *to = past ? net->buf : head->bytes + head->count;
    const uint8_t *end;
    ssize_t n;

    WSHUB_ASSERT(want && (past || head->count + want <= sizeof head->bytes));
    if (past && want > net->desc.read_bytes) want = net->desc.read_bytes;
    net->stats.reads++;
    n = wshub_io_sock__sys_recv(fd, to, want, line ? MSG_PEEK : 0);
    if (line && n > 0) {
        /* Only as much of it as is the line's. */
        end = (const uint8_t *)memchr(to, '\n', (size_t)n);
        n = wshub_io_sock__sys_recv(fd, to, end ? (size_t)(end - to) + 1 : (size_t)n, 0);
    }
    if (n > 0 && past) head->skipped += (uint32_t)n;
    if (n > 0 && !past) head->count += (uint32_t)n;
    return n;
}

/* Its head is whole: from here on it is a stream like others, and its owner hears of it. */
static void wshub_io_sock__introduced(wshub_io_sock *net, wshub_io_sock__conn *conn,
                                      const wshub_address *peer) {
    wshub_io_sock__intro *intro = wshub_io_sock__intro_of(net, conn);
    wshub_conn id = wshub_io_sock__id(net, conn);

    WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__INTRODUCING && intro && intro->head);
    net->stats.proxy_heads++;
    free(intro->head);
    intro->head = NULL;
    intro->peer = *peer;
    if (!net->owned) { /* it has left meanwhile */
        wshub_io_sock__shut(net, conn);
        return;
    }
    conn->guest = 0;
    wshub_io_sock__to(net, conn, WSHUB_IO_SOCK__OPEN);
    net->owner.opened(net->owner.ctx, id);
}

/* Reads a head, as far as it has come. True: it is whole, and the stream its owner's. */
static bool wshub_io_sock__introduce(wshub_io_sock *net, wshub_io_sock__conn *conn) {
    wshub_io_sock__head *head = wshub_io_sock__intro_of(net, conn)->head;
    wshub_io_sock__word word = WSHUB_IO_SOCK__WORD_PART;
    wshub_address peer;
    ssize_t n;

    memset(&peer, 0, sizeof peer);
    while (word == WSHUB_IO_SOCK__WORD_PART) {
        n = wshub_io_sock__head_take(net, conn->fd, head);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
        if (n > 0) {
            word = wshub_io_sock__head_judge(head, &peer);
        } else {
            word = head->count ? WSHUB_IO_SOCK__WORD_BAD : WSHUB_IO_SOCK__WORD_MISSING;
        }
    }

    switch (word) {
    case WSHUB_IO_SOCK__WORD_PART: break;
    case WSHUB_IO_SOCK__WORD_MISSING:
        wshub_io_sock__reject(net, conn, &net->stats.proxy_missing,
                              "no PROXY head, and this listener has proxy_protocol");
        break;
    case WSHUB_IO_SOCK__WORD_BAD:
        wshub_io_sock__reject(net, conn, &net->stats.proxy_bad, "a PROXY head that is wrong");
        break;
    case WSHUB_IO_SOCK__WORD_NAMED:
    case WSHUB_IO_SOCK__WORD_ITSELF: wshub_io_sock__introduced(net, conn, &peer); return true;
    }
    return false;
}

/* ---- what is ready ---- */

/* The spare descriptor was given up, and somebody else had its number first: it is taken again as
 * soon as there is one. */
static void wshub_io_sock__reserve_again(wshub_io_sock *net) {
    if (net->reserve < 0) net->reserve = wshub_io_sock__sys_spare();
}

/* Out of descriptors or memory: the waiting peer is answered with an end instead of silence, then
 * accepting rests. */
static void wshub_io_sock__shed(wshub_io_sock *net, int listener) {
    int fd;

    if (net->reserve >= 0) {
        wshub_io_sock__sys_give(net->reserve);
        fd = wshub_io_sock__sys_accept(listener);
        if (fd >= 0) {
            (void)wshub_io_sock__sys_close(fd);
            net->stats.shed++;
        }
        net->reserve = wshub_io_sock__sys_spare();
    }

    net->accept_wait *= 2;
    if (!net->accept_wait) net->accept_wait = WSHUB_IO_SOCK__REST_MS;
    if (net->accept_wait > WSHUB_IO_SOCK__REST_MS_MAX)
        net->accept_wait = WSHUB_IO_SOCK__REST_MS_MAX;
    net->accept_again = net->now + net->accept_wait;
    net->stats.accept_pauses++;
    wshub_io_sock__listeners_watch(net);
    wshub_io_sock__tell(net, "out of file descriptors: new connections wait; raise the limit "
                             "(ulimit -n) or serve fewer");
}

/* Takes one connection from the system. -1: errno says why; ECONNABORTED: it was one that had gone
 * already, and the next may be a better one. */
static int wshub_io_sock__accept_fd(int listener) {
#if defined(__linux__) && defined(SOCK_NONBLOCK) && defined(_GNU_SOURCE)
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int fd = wshub_io_sock__sys_accept(listener);
    if (fd < 0 || wshub_io_sock__prepare(fd)) return fd;
    (void)wshub_io_sock__sys_close(fd);
    errno = ECONNABORTED;
    return -1;
#endif
}

/* A connection was taken. It becomes a stream, or is closed at once if there are too many. */
static void wshub_io_sock__accepted(wshub_io_sock *net, const wshub_io_sock__listener *listener,
                                    int fd) {
    wshub_io_sock__conn *conn;

    WSHUB_ASSERT(fd >= 0 && net->owned);
    net->accept_wait = 0;
    net->stats.accepted++;
    wshub_io_sock__reserve_again(net);
    if (listener->proxies && !wshub_io_sock__proxy_listed(net, listener->proxies, fd)) {
        (void)wshub_io_sock__sys_close(fd);
        return;
    }
    conn = wshub_io_sock__new(net, fd,
                              listener->proxies ? WSHUB_IO_SOCK__INTRODUCING : WSHUB_IO_SOCK__OPEN);
    if (!conn) {
        (void)wshub_io_sock__sys_close(fd);
        net->stats.shed++;
        return;
    }
    conn->listener = listener->name;
    wshub_io_sock__tune(fd, !listener->path);
    wshub_io_sock__rewatch(net, conn);
    if (listener->proxies) return; /* its owner hears of it behind its head */
    net->owner.opened(net->owner.ctx, wshub_io_sock__id(net, conn));
}

/* Takes who waits at a listener. A report may close it, and end the owner. */
static void wshub_io_sock__accept(wshub_io_sock *net, int index) {
    int n;

    WSHUB_ASSERT(index >= 0 && index < WSHUB_IO_SOCK__LISTENERS);
    for (n = 0; n < WSHUB_IO_SOCK__ACCEPTS && net->owned && index < net->listeners_count; n++) {
        const wshub_io_sock__listener *listener = &net->listeners[index];
        int fd = wshub_io_sock__accept_fd(listener->fd);
        if (fd >= 0) {
            wshub_io_sock__accepted(net, listener, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            wshub_io_sock__shed(net, listener->fd);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* The peer sends no more. Who wants to know goes on sending; for others, and behind our own
 * end, that is all. */
static void wshub_io_sock__ended(wshub_io_sock *net, wshub_conn id, wshub_io_sock__conn *conn) {
    const wshub_io_owner *owner = wshub_io_sock__whose(net, conn);

    if (conn->state != WSHUB_IO_SOCK__OPEN || !owner || !owner->ended) {
        wshub_io_sock__shut(net, conn);
        return;
    }
    WSHUB_ASSERT(!conn->ended);
    conn->ended = true;
    wshub_io_sock__rewatch(net, conn);
    owner->ended(owner->ctx, id);
}

/* Reads once and reports it. True: there may be more. */
static bool wshub_io_sock__read_once(wshub_io_sock *net, wshub_conn id) {
    wshub_io_sock__conn *conn = wshub_io_sock__get(net, id.id);
    const wshub_io_owner *owner;
    ssize_t n;

    if (!conn || conn->state == WSHUB_IO_SOCK__SHUT || conn->paused || conn->ended) return false;
    WSHUB_ASSERT(conn->fd >= 0);

    net->stats.reads++;
    n = wshub_io_sock__sys_recv(conn->fd, net->buf, net->desc.read_bytes, 0);
    if (n < 0 && errno == EINTR) return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (n < 0) {
        wshub_io_sock__shut(net, conn);
        return false;
    }
    if (n == 0) {
        wshub_io_sock__ended(net, id, conn);
        return false;
    }

    /* Behind our end it is thrown away. */
    owner = wshub_io_sock__whose(net, conn);
    if (conn->state == WSHUB_IO_SOCK__OPEN && owner)
        owner->received(owner->ctx, id, net->buf, (size_t)n);
    return (size_t)n == net->desc.read_bytes;
}

/* A stream that nobody reads is dead: after a reset, or when the peer had ended before, nothing
 * is left of it. Else what lies unread (of a Unix socket whose peer has closed) waits for the
 * owner, and the poller is asked for it no more, or it would tell of it again and again. */
static void wshub_io_sock__gone(wshub_io_sock *net, wshub_io_sock__conn *conn) {
    WSHUB_ASSERT(conn->state == WSHUB_IO_SOCK__OPEN && !conn->hung);
    if (WSHUB_IO_SOCK__GONE_IS_DEAD || wshub_io_sock__pending_error(conn->fd) || conn->ended) {
        wshub_io_sock__shut(net, conn);
        return;
    }
    conn->hung = true;
    wshub_io_sock__rewatch(net, conn);
}

/* A stream is ready. A report may close it. */
static void wshub_io_sock__ready(wshub_io_sock *net, wshub_conn id, wshub_io_sock__conn *conn,
                                 unsigned ready) {
    const wshub_io_owner *owner = wshub_io_sock__whose(net, conn);
    int turns = WSHUB_IO_SOCK__READS;

    wshub_io_sock__check(net, conn);
    if (conn->state == WSHUB_IO_SOCK__DIALLING) {
        wshub_io_sock__dialled(net, id, conn);
        return;
    }
    if (conn->state == WSHUB_IO_SOCK__INTRODUCING) {
        if (!wshub_io_sock__introduce(net, conn)) return;
        conn = wshub_io_sock__get(net, id.id); /* its owner may have dialled: they have moved */
        if (!conn || conn->state != WSHUB_IO_SOCK__OPEN) return;
        owner = wshub_io_sock__whose(net, conn);
    }
    if ((ready & WSHUB_IO_SOCK_GONE) && conn->watched == WSHUB_IO_SOCK_GONE) {
        wshub_io_sock__gone(net, conn);
        return;
    }
    if ((ready & WSHUB_IO_SOCK_WRITE) && conn->blocked) {
        conn->blocked = false;
        wshub_io_sock__rewatch(net, conn);
        if (conn->state == WSHUB_IO_SOCK__OPEN && owner) owner->drained(owner->ctx, id);
    }
    while ((ready & WSHUB_IO_SOCK_READ) && turns-- > 0 && wshub_io_sock__read_once(net, id)) {
    }
}

/* One event. guests: only if it is a guest's stream (true), or none (false). */
static void wshub_io_sock__event(wshub_io_sock *net, const wshub_io_sock_event *e, bool guests) {
    wshub_conn id;
    wshub_io_sock__conn *conn;
    bool is_guest;

    if ((e->tag & WSHUB_IO_SOCK__LISTENER_TAG) == WSHUB_IO_SOCK__LISTENER_TAG) {
        if (!guests) wshub_io_sock__accept(net, (int)(uint32_t)e->tag);
        return;
    }

    /* What was reported before it in this turn may have ended it. */
    id.id = e->tag;
    conn = wshub_io_sock__get(net, id.id);
    if (!conn || conn->state == WSHUB_IO_SOCK__SHUT) return;
    is_guest = conn->guest && conn->guest != WSHUB_IO_SOCK__NOBODY;
    if (is_guest == guests) wshub_io_sock__ready(net, id, conn, e->ready);
}

/* ---- the turn ---- */

/* A wait that began at `before` has reported n events. Everything that had arrived by then has
 * been reported if these were all there were; else once as many were served as there can be,
 * two a stream with kqueue, since what was left out comes first. */
static void wshub_io_sock__heard_up_to(wshub_io_sock *net, uint64_t before, uint32_t n) {
    WSHUB_ASSERT(before >= net->heard);
    if (!net->sweep_events) net->sweep = before;
    net->sweep_events += n;
    if (n < WSHUB_IO_SOCK__EVENTS - 1) {
        net->heard = before;
        net->sweep_events = 0;
    } else if (net->sweep_events / 2 > net->live + WSHUB_IO_SOCK__LISTENERS) {
        net->heard = net->sweep;
        net->sweep_events = 0;
    }
}

/* Settles all who are served, guests first. Returns when the first of them wants to again. */
static uint64_t wshub_io_sock__settle_owners(wshub_io_sock *net) {
    uint64_t next = WSHUB_NEVER, at;
    int i;

    for (i = 0; net->guests_count && i < WSHUB_IO_SOCK__GUESTS; i++) {
        if (!net->guests[i].settle) continue;
        at = net->guests[i].settle(net->guests[i].ctx);
        if (at < next) next = at;
    }
    if (net->owned) {
        at = net->owner.settle(net->owner.ctx);
        if (at < next) next = at;
    }
    return next;
}

/* A stream of what has arrived, with what is known of it; its owner has not heard of it yet. NULL:
 * there is no room or no memory. */
static wshub_io_sock__conn *wshub_io_sock__unpack(wshub_io_sock *net,
                                                  const wshub_io_sock__arrival *arrival) {
    const char *name = (const char *)(arrival + 1) + arrival->count;
    uint8_t listener = *name ? wshub_io_sock__name_keep(net, name) : 0;
    wshub_io_sock__intro *intro = NULL;
    wshub_io_sock__conn *conn;

    /* What decides how far a stream is trusted is not left out. */
    if (*name && !listener) return NULL;
    conn = wshub_io_sock__new(net, arrival->fd, WSHUB_IO_SOCK__OPEN);
    if (!conn) return NULL;
    conn->listener = listener;
    if (!arrival->peer.kind) return conn;

    intro = wshub_io_sock__intro_reach(net, conn);
    if (intro) {
        intro->peer = arrival->peer;
        return conn;
    }
    conn->fd = -1;
    wshub_io_sock__to(net, conn, WSHUB_IO_SOCK__FREE);
    return NULL;
}

/* A stream has come from another io: its owner is told all that it has not heard. A report may end
 * the stream, and the owner. */
static void wshub_io_sock__arrive(wshub_io_sock *net, wshub_io_sock__arrival *arrival) {
    wshub_io_sock__conn *conn = net->owned ? wshub_io_sock__unpack(net, arrival) : NULL;
    wshub_conn id;

    if (!conn) {
        (void)wshub_io_sock__sys_close(arrival->fd);
        net->stats.shed++;
        return;
    }
    id = wshub_io_sock__id(net, conn);
    wshub_io_sock__rewatch(net, conn);
    net->owner.opened(net->owner.ctx, id);

    conn = wshub_io_sock__get(net, id.id);
    if (conn && conn->state == WSHUB_IO_SOCK__OPEN && !conn->guest && arrival->count)
        net->owner.received(net->owner.ctx, id, (uint8_t *)(arrival + 1), arrival->count);
    conn = wshub_io_sock__get(net, id.id);
    if (conn && conn->state == WSHUB_IO_SOCK__OPEN && arrival->ended)
        wshub_io_sock__ended(net, id, conn);
}

static void wshub_io_sock__arrivals(wshub_io_sock *net) {
    wshub_io_sock__arrival *arrival = wshub_io_sock__arrivals_take(net, net->owned), *next;

    for (; arrival; arrival = next) {
        next = arrival->next;
        wshub_io_sock__arrive(net, arrival);
        free(arrival);
    }
}

/* Settles, and tells what has been shut by that, which has to be settled again: a few times, then
 * others have their turn. */
static void wshub_io_sock__settle(wshub_io_sock *net) {
    int rounds = 4;

    WSHUB_ASSERT(net->depth);
    (void)wshub_io_sock__exchange(&net->woken, false); /* who asks from here on gets another turn */
    wshub_io_sock__arrivals(net);
    if (net->dials) wshub_io_sock__dials_run(net);
    wshub_io_sock__report_closed(net);
    while ((net->owned || net->guests_count) && rounds-- > 0) {
        net->next = wshub_io_sock__settle_owners(net);
        if (!net->shut_head) break;
        wshub_io_sock__report_closed(net);
        net->next = 0;
    }
}

/* How long may be waited from `now` on, where owners want to settle at `next`; -1: for ever. */
static int wshub_io_sock__patience(const wshub_io_sock *net, uint64_t next, uint64_t now) {
    const wshub_io_sock__dial *dial;
    uint64_t wait;

    if (net->shut_head) return 0; /* to be told */

    if (!net->owned && !net->guests_count) next = WSHUB_NEVER;
    for (dial = net->dials; dial; dial = dial->next) {
        if (dial->due && dial->due < next) next = dial->due;
    }
    next = wshub_io_sock__due_by(net, &net->left, next);
    next = wshub_io_sock__due_by(net, &net->introducing, next);
    if (net->accept_again && net->accept_again < next) next = net->accept_again;
    if (next == WSHUB_NEVER) return -1;
    wait = next > now ? next - now : 0;
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

/* The earlier of a time and of when an owner wants to settle for what has come since it last
 * did. */
static uint64_t wshub_io_sock__owner_due(const wshub_io_owner *owner, uint64_t next) {
    uint64_t due = owner->due ? owner->due(owner->ctx) : WSHUB_NEVER;
    return due < next ? due : next;
}

/* Between turns the program may have done what no settle knows of yet, so owners are asked. */
WSHUB_API int wshub_io_sock_timeout(wshub_io_sock *net) {
    uint64_t now = wshub_io_sock__sys_ticks(), next = net->next;
    int i;

    if (WSHUB_IO_SOCK__LOAD(&net->woken)) return 0;
    if (net->owned) next = wshub_io_sock__owner_due(&net->owner, next);
    for (i = 0; net->guests_count && i < WSHUB_IO_SOCK__GUESTS; i++) {
        if (net->guests[i].settle) next = wshub_io_sock__owner_due(&net->guests[i], next);
    }
    return wshub_io_sock__patience(net, next, now);
}

/* Those whose time is over, and accepting after a rest. */
static void wshub_io_sock__clocks(wshub_io_sock *net) {
    wshub_io_sock__conn *conn;

    while ((conn = wshub_io_sock__due(net, &net->left)) != NULL) wshub_io_sock__shut(net, conn);
    while ((conn = wshub_io_sock__due(net, &net->introducing)) != NULL)
        wshub_io_sock__reject(net, conn, &net->stats.proxy_late, "its PROXY head took too long");

    if (!net->accept_again || net->now < net->accept_again) return;
    net->accept_again = 0;
    wshub_io_sock__reserve_again(net);
    wshub_io_sock__listeners_watch(net);
}

/* One wait, and what it brings. */
static wshub_err wshub_io_sock__serve(wshub_io_sock *net, int timeout_ms) {
    wshub_io_sock_event events[WSHUB_IO_SOCK__EVENTS];
    uint64_t before = wshub_io_sock__sys_ticks();
    int n, i, most = wshub_io_sock__patience(net, net->next, before);

    if (most >= 0 && (timeout_ms < 0 || most < timeout_ms)) timeout_ms = most;

    net->stats.waits++;
    if (wshub_io_sock__doze(net)) timeout_ms = 0;
    n = net->desc.poller->wait(net->poller, events, WSHUB_IO_SOCK__EVENTS, timeout_ms);
    WSHUB_IO_SOCK__STORE(&net->asleep, false);
    net->now = wshub_io_sock__sys_ticks();
    if (n < 0) return wshub_io_sock__fail(net, "waiting failed with", net->desc.poller->name, "");
    WSHUB_ASSERT(n <= WSHUB_IO_SOCK__EVENTS);

    for (i = 0; i < n && net->guests_count; i++) wshub_io_sock__event(net, &events[i], true);
    for (i = 0; i < n; i++) wshub_io_sock__event(net, &events[i], false);
    wshub_io_sock__heard_up_to(net, before, (uint32_t)n);
    wshub_io_sock__clocks(net);
    return WSHUB_OK;
}

/* ---- what holds between two turns ---- */

#if defined(WSHUB_SELF_CHECK) && !defined(NDEBUG)
enum { WSHUB_IO_SOCK__CHECKED = 256 }; /* places for streams up to which all are looked at */

/* How many streams are in a list, all of them in one state. */
static uint32_t wshub_io_sock__list_check(const wshub_io_sock *net, uint32_t head,
                                          wshub_io_sock__state state) {
    uint32_t count = 0;

    for (; head; head = net->conns[head - 1].next, count++) {
        WSHUB_ASSERT(head <= net->used && count < net->used);
        WSHUB_ASSERT(net->conns[head - 1].state == state);
    }
    return count;
}

/* The same of those with a clock, which are linked both ways, the soonest first. */
static uint32_t wshub_io_sock__dues_check(const wshub_io_sock *net, const wshub_io_sock__dues *dues,
                                          wshub_io_sock__state state) {
    uint32_t at = dues->head, before = 0;

    for (; at; before = at, at = net->conns[at - 1].next) {
        WSHUB_ASSERT(net->conns[at - 1].prev == before);
        WSHUB_ASSERT(!before || net->conns[before - 1].due <= net->conns[at - 1].due);
    }
    WSHUB_ASSERT(dues->tail == before);
    return wshub_io_sock__list_check(net, dues->head, state);
}

/* A stream belongs to somebody who is there, has a head or a dial if its state says so, and is
 * watched for what it waits for. */
static void wshub_io_sock__conn_check(const wshub_io_sock *net, const wshub_io_sock__conn *conn) {
    const wshub_io_sock__intro *intro = wshub_io_sock__intro_of(net, conn);
    unsigned state = conn->state;
    bool connected = conn->fd >= 0 && state != WSHUB_IO_SOCK__DIALLING;

    wshub_io_sock__check(net, conn);
    WSHUB_ASSERT(state != WSHUB_IO_SOCK__INTRODUCING || (intro && intro->head));
    WSHUB_ASSERT(!intro || !intro->head || state == WSHUB_IO_SOCK__INTRODUCING ||
                 state == WSHUB_IO_SOCK__SHUT);
    WSHUB_ASSERT(!intro || !intro->peer.kind || state != WSHUB_IO_SOCK__FREE);
    if (state == WSHUB_IO_SOCK__FREE) return;
    if (!conn->guest) WSHUB_ASSERT(net->owned);
    if (conn->guest && conn->guest != WSHUB_IO_SOCK__NOBODY)
        WSHUB_ASSERT(net->guests[conn->guest - 1].settle);
    WSHUB_ASSERT(!connected || conn->watched == wshub_io_sock__wanted(conn));
    WSHUB_ASSERT(!conn->ended || state == WSHUB_IO_SOCK__OPEN || state == WSHUB_IO_SOCK__SHUT);
    if (state == WSHUB_IO_SOCK__DIALLING)
        WSHUB_ASSERT(wshub_io_sock__dial_of(net, wshub_io_sock__id(net, conn).id));
}

/* Each stream is in the list of its state, guests and streams are counted. */
static void wshub_io_sock__check_all(const wshub_io_sock *net) {
    uint32_t i, in[WSHUB_IO_SOCK__SHUT + 1] = {0}, guests = 0;

    if (net->used > WSHUB_IO_SOCK__CHECKED) return;
    for (i = 0; i < net->used; i++) {
        wshub_io_sock__conn_check(net, &net->conns[i]);
        in[net->conns[i].state]++;
    }
    WSHUB_ASSERT(net->live == net->used - in[WSHUB_IO_SOCK__FREE]);
    WSHUB_ASSERT(wshub_io_sock__list_check(net, net->free_head, WSHUB_IO_SOCK__FREE) ==
                 in[WSHUB_IO_SOCK__FREE]);
    WSHUB_ASSERT(wshub_io_sock__list_check(net, net->shut_head, WSHUB_IO_SOCK__SHUT) ==
                 in[WSHUB_IO_SOCK__SHUT]);
    WSHUB_ASSERT(wshub_io_sock__dues_check(net, &net->left, WSHUB_IO_SOCK__LEFT) ==
                 in[WSHUB_IO_SOCK__LEFT]);
    WSHUB_ASSERT(wshub_io_sock__dues_check(net, &net->introducing, WSHUB_IO_SOCK__INTRODUCING) ==
                 in[WSHUB_IO_SOCK__INTRODUCING]);
    for (i = 0; i < WSHUB_IO_SOCK__GUESTS; i++) guests += net->guests[i].settle != NULL;
    WSHUB_ASSERT((uint32_t)net->guests_count == guests);
}
#else
static void wshub_io_sock__check_all(const wshub_io_sock *net) {
    (void)net;
}
#endif

/* Enters a call that serves: until it is left, its thread sees by itself that it is woken. */
static void wshub_io_sock__enter(wshub_io_sock *net) {
    net->depth++;
    WSHUB_IO_SOCK__STORE(&net->asleep, false);
}

/* Leaves a call that serves. net may be gone afterwards. */
static void wshub_io_sock__leave(wshub_io_sock *net) {
    WSHUB_ASSERT(net->depth);
    net->depth--;
    if (!net->depth) wshub_io_sock__check_all(net);

    /* Whoever has asked meanwhile is heard in the next turn, for which another loop may wait. */
    if (!net->depth && wshub_io_sock__doze(net)) net->desc.poller->wake(net->poller);
    wshub_io_sock__bury(net);
}

/* A turn: settle, wait, serve, settle. Where the last turn has settled and the program had no say
 * since (`settled`) it is not done again, unless there are guests, for whom the owner's settle may
 * have left something. A stop() never keeps one from serving: it has woken the poller, so that no
 * wait is long. */
static wshub_err wshub_io_sock__turn(wshub_io_sock *net, bool settled, int timeout_ms) {
    bool somebody = net->owned || net->guests_count;
    wshub_err err;

    wshub_io_sock__enter(net);
    if (!settled || net->guests_count) {
        net->now = wshub_io_sock__sys_ticks();
        wshub_io_sock__settle(net);
        if (somebody && !net->owned && !net->guests_count)
            timeout_ms = 0; /* the last one left in its settle */
    }

    err = wshub_io_sock__serve(net, timeout_ms);
    if (!err) wshub_io_sock__settle(net);
    wshub_io_sock__leave(net);
    return err;
}

WSHUB_API wshub_err wshub_io_sock_run_once(wshub_io_sock *net, int timeout_ms) {
    bool stopped = wshub_io_sock__exchange(&net->stopping, false);
    return wshub_io_sock__turn(net, false, stopped ? 0 : timeout_ms);
}

WSHUB_API wshub_err wshub_io_sock_run(wshub_io_sock *net) {
    wshub_err err = WSHUB_OK;
    bool settled = false;

    wshub_io_sock__enter(net);
    while (!err && !wshub_io_sock__exchange(&net->stopping, false) &&
           (net->owned || net->guests_count)) {
        err = wshub_io_sock__turn(net, settled, -1);
        settled = true;
    }
    wshub_io_sock__leave(net);
    return err;
}

WSHUB_API void wshub_io_sock_stop(wshub_io_sock *net) {
    (void)wshub_io_sock__exchange(&net->stopping, true);
    net->desc.poller->wake(net->poller);
}

/* ---- a program's life: signals, and the end of service ---- */

/* What a signal handler must find, and so the only global here. The list is changed under `lock`,
 * and read by handlers without it; `inside` tells when none of them can have hold any more of who
 * has left it. */
static struct {
    wshub_io_sock *first; /* who serves with signals */
    unsigned taken;       /* signals, in the life of the process */
    unsigned inside;      /* handlers that run at this moment */
    bool lock;
#ifndef _WIN32
    struct sigaction was[2]; /* how the program handled them before the first one came */
#endif
} wshub_io_sock__signals;

static void wshub_io_sock__signals_lock(void) {
    while (wshub_io_sock__exchange(&wshub_io_sock__signals.lock, true)) { /* a few system calls */
    }
}
static void wshub_io_sock__signals_unlock(void) {
    (void)wshub_io_sock__exchange(&wshub_io_sock__signals.lock, false);
}

/* Counts, and wakes all who serve. In any thread, at any place of the program. */
static void wshub_io_sock__signal_came(void) {
    wshub_io_sock *net;

    WSHUB_IO_SOCK__ADD(&wshub_io_sock__signals.inside, 1u);
    WSHUB_IO_SOCK__ADD(&wshub_io_sock__signals.taken, 1u);
    net = WSHUB_IO_SOCK__LOAD(&wshub_io_sock__signals.first);
    for (; net; net = WSHUB_IO_SOCK__LOAD(&net->serving_next)) net->desc.poller->wake(net->poller);
    WSHUB_IO_SOCK__SUB(&wshub_io_sock__signals.inside, 1u);
}

#ifdef _WIN32
/* The console's handler, in a thread of the system's own. When it has returned from what ends the
 * session, the process is ended, so it does not: main() does, or the system's patience. */
static BOOL WINAPI wshub_io_sock__on_signal(DWORD event) {
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT && event != CTRL_CLOSE_EVENT)
        return FALSE;
    wshub_io_sock__signal_came();
    if (event == CTRL_CLOSE_EVENT) Sleep(INFINITE);
    return TRUE;
}

static void wshub_io_sock__signals_handle(bool on) {
    (void)SetConsoleCtrlHandler(wshub_io_sock__on_signal, on);
}

/* Whom the console tells is no thread of ours: there is no mask. */
typedef int wshub_io_sock__mask;
static void wshub_io_sock__mask_open(wshub_io_sock__mask *was) {
    *was = 0;
}
static void wshub_io_sock__mask_back(const wshub_io_sock__mask *was) {
    (void)was;
}
#else
static const int wshub_io_sock__signal_numbers[2] = {SIGTERM, SIGINT};

static void wshub_io_sock__on_signal(int number) {
    int saved = errno;

    (void)number;
    wshub_io_sock__signal_came();
    errno = saved;
}

/* Takes the signals (on), or gives them back, but for a handler that the program has set
 * meanwhile. */
static void wshub_io_sock__signals_handle(bool on) {
    struct sigaction ours, now;
    int i;

    memset(&ours, 0, sizeof ours);
    ours.sa_handler = wshub_io_sock__on_signal;
    ours.sa_flags = SA_RESTART; /* other threads of the program are not to notice */
    (void)sigemptyset(&ours.sa_mask);
    for (i = 0; i < 2; i++) (void)sigaddset(&ours.sa_mask, wshub_io_sock__signal_numbers[i]);

    for (i = 0; i < 2; i++) {
        int number = wshub_io_sock__signal_numbers[i];
        if (on)
            (void)sigaction(number, &ours, &wshub_io_sock__signals.was[i]);
        else if (sigaction(number, NULL, &now) == 0 && now.sa_handler == wshub_io_sock__on_signal)
            (void)sigaction(number, &wshub_io_sock__signals.was[i], NULL);
    }
}

/* Lets the signals through to this thread. *was: what was let through before. */
typedef sigset_t wshub_io_sock__mask;
static void wshub_io_sock__mask_open(wshub_io_sock__mask *was) {
    sigset_t ours;
    int i;

    (void)sigemptyset(&ours);
    for (i = 0; i < 2; i++) (void)sigaddset(&ours, wshub_io_sock__signal_numbers[i]);
    (void)sigprocmask(SIG_UNBLOCK, &ours, was);
}
static void wshub_io_sock__mask_back(const wshub_io_sock__mask *was) {
    (void)sigprocmask(SIG_SETMASK, was, NULL);
}
#endif

/* Puts net on the list of those who serve; the first one takes the signals. */
static void wshub_io_sock__signals_take(wshub_io_sock *net) {
    wshub_io_sock__signals_lock();
    if (!wshub_io_sock__signals.first) wshub_io_sock__signals_handle(true);
    WSHUB_IO_SOCK__STORE(&net->serving_next, wshub_io_sock__signals.first);
    WSHUB_IO_SOCK__STORE(&wshub_io_sock__signals.first, net);
    wshub_io_sock__signals_unlock();
}

/* Takes net off the list; the last one gives the signals back. */
static void wshub_io_sock__signals_give(wshub_io_sock *net) {
    wshub_io_sock **at = &wshub_io_sock__signals.first;

    wshub_io_sock__signals_lock();
    while (*at != net) at = &(*at)->serving_next;
    WSHUB_IO_SOCK__STORE(at, net->serving_next);
    if (!wshub_io_sock__signals.first) wshub_io_sock__signals_handle(false);
    wshub_io_sock__signals_unlock();

    /* One that runs in another thread may be about to wake it, and net may be destroyed next. */
    while (WSHUB_IO_SOCK__LOAD(&wshub_io_sock__signals.inside)) {
    }
}

/* How far the end of service has come. */
typedef enum wshub_io_sock__stage {
    WSHUB_IO_SOCK__SERVING,
    WSHUB_IO_SOCK__DRAINS,    /* clients are closed at a pace */
    WSHUB_IO_SOCK__SHUTS_DOWN /* all are closed, and their answers awaited */
} wshub_io_sock__stage;

/* A serve under way. */
typedef struct wshub_io_sock__life {
    wshub_io_sock_serve_desc desc;
    wshub *hub;
    uint32_t owners; /* net's count while the hub is its owner */
    wshub_io_sock__stage stage;
    unsigned asked; /* how often it was told to end */
    uint64_t since; /* when that was, the first time */
} wshub_io_sock__life;

static bool wshub_io_sock__close_code_ok(uint16_t code) {
    if (code >= 3000) return code <= 4999;
    return code == 1000 || code == 1001 || code == 1003 || (code >= 1007 && code <= 1014);
}

/* What is wrong with a description whose defaults are filled in. NULL: nothing. */
static const char *wshub_io_sock__serve_problem(const wshub_io_sock_serve_desc *desc) {
    size_t n = strlen(desc->reason);

    if (desc->drain_per_second > 1000000 && desc->drain_per_second != WSHUB_OFF)
        return "drain_per_second: 1 to 1000000; WSHUB_OFF: all clients at once";
    if (!wshub_io_sock__close_code_ok(desc->code))
        return "code: one that a Close may have: 1001, 1012 for \"come back\", 3000 to 4999";
    if (n > WSHUB_CLOSE_REASON_MAX || !wshub_utf8_check((const uint8_t *)desc->reason, n))
        return "reason: UTF-8 of at most WSHUB_CLOSE_REASON_MAX (123) bytes";
    return NULL;
}

/* Checks what a serve is given, and fills in what is left out. */
static wshub_err wshub_io_sock__life_init(wshub_io_sock *net, wshub_io_sock__life *life, wshub *hub,
                                          const wshub_io_sock_serve_desc *desc) {
    const char *problem;

    memset(life, 0, sizeof *life);
    if (desc) life->desc = *desc;
    if (!life->desc.drain_per_second) life->desc.drain_per_second = 500;
    if (!life->desc.deadline_ms) life->desc.deadline_ms = 9000;
    if (!life->desc.code) life->desc.code = 1001;
    if (!life->desc.reason) life->desc.reason = "Server shutting down";
    life->hub = hub;
    life->owners = net->owners;

    problem = hub ? wshub_io_sock__serve_problem(&life->desc) : "hub: it is NULL, and required";
    if (problem) {
        (void)snprintf(net->error, sizeof net->error, "%s", problem);
        return WSHUB_ERR_PARAM;
    }
    if (net->owned && !net->depth) return WSHUB_OK;
    (void)snprintf(net->error, sizeof net->error, "cannot serve: %s",
                   net->depth ? "this is a callback of a call that serves already"
                              : "no hub is there; create it on wshub_io_sock_io() first");
    return WSHUB_ERR_STATE;
}

/* Looks whether somebody has said since that it is to end. */
static void wshub_io_sock__life_listen(wshub_io_sock *net, wshub_io_sock__life *life) {
    unsigned taken;

    if (wshub_io_sock__exchange(&net->stopping, false)) life->asked++;
    if (life->desc.no_signals) return;
    taken = WSHUB_IO_SOCK__LOAD(&wshub_io_sock__signals.taken);
    life->asked += taken - net->signals_seen;
    net->signals_seen = taken;
}

/* Begins to close clients, at a pace by which half of the deadline suffices. A drain that the
 * application has begun goes on. */
static void wshub_io_sock__life_drain(wshub_io_sock__life *life) {
    uint64_t pace = life->desc.drain_per_second, needed = 0;
    wshub_stats stats;

    if (wshub_is_draining(life->hub)) return;
    wshub_stats_get(life->hub, &stats);
    if (life->desc.deadline_ms != WSHUB_OFF)
        needed = stats.clients * 2000 / life->desc.deadline_ms + 1;
    if (pace < needed) pace = needed;
    if (pace > 1000000) pace = 1000000; /* OFF among them: more clients than that are not here */
    if (wshub_drain(life->hub, (uint32_t)pace, life->desc.code, wshub_str_z(life->desc.reason)))
        (void)wshub_shutdown(life->hub); /* out of memory for the reason */
}

/* Goes on with the end, as far as it was asked for and as its clock says. False: there is nothing
 * more to wait for. */
static bool wshub_io_sock__life_step(wshub_io_sock *net, wshub_io_sock__life *life) {
    bool hurries = life->asked > 1 || life->desc.drain_per_second == WSHUB_OFF, timed;
    uint64_t passed;

    if (wshub_is_down(life->hub)) return false;
    if (life->asked || wshub_is_draining(life->hub)) wshub_io_sock_unlisten(net);
    if (!life->asked) return true;

    if (life->stage == WSHUB_IO_SOCK__SERVING) {
        life->stage = WSHUB_IO_SOCK__DRAINS;
        life->since = net->now;
        if (!hurries) wshub_io_sock__life_drain(life);
    }
    timed = life->desc.deadline_ms != WSHUB_OFF;
    passed = net->now - life->since;
    if (life->stage == WSHUB_IO_SOCK__DRAINS &&
        (hurries || (timed && passed >= life->desc.deadline_ms / 2))) {
        life->stage = WSHUB_IO_SOCK__SHUTS_DOWN;
        (void)wshub_shutdown(life->hub);
    }
    return life->asked < 3 && !(timed && passed >= life->desc.deadline_ms);
}

/* For how long the next turn may wait, as far as the end is concerned; -1: for ever. */
static int wshub_io_sock__life_patience(const wshub_io_sock *net, const wshub_io_sock__life *life) {
    uint64_t deadline = life->desc.deadline_ms, due, now;

    if (life->stage == WSHUB_IO_SOCK__SERVING || deadline == WSHUB_OFF) return -1;
    due = life->since + (life->stage == WSHUB_IO_SOCK__DRAINS ? deadline / 2 : deadline);
    now = net->now;
    if (due <= now) return 0;
    return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

/* Turns until the hub is down or gone, or until nobody wants to wait any more. */
static wshub_err wshub_io_sock__live(wshub_io_sock *net, wshub_io_sock__life *life) {
    wshub_err err = WSHUB_OK;
    bool settled = false;

    net->now = wshub_io_sock__sys_ticks();
    while (!err && net->owned && net->owners == life->owners) {
        wshub_io_sock__life_listen(net, life);
        if (!wshub_io_sock__life_step(net, life)) break;
        settled = settled && !life->asked; /* the end has steps of its own between turns */
        err = wshub_io_sock__turn(net, settled, wshub_io_sock__life_patience(net, life));
        settled = true;
    }
    return err;
}

WSHUB_API wshub_err wshub_io_sock_serve_with(wshub_io_sock *net, wshub *hub,
                                             const wshub_io_sock_serve_desc *desc) {
    wshub_io_sock__life life;
    wshub_io_sock__mask mask;
    wshub_err err = wshub_io_sock__life_init(net, &life, hub, desc);
    bool signals = !life.desc.no_signals;

    if (err) return err;
    /* If it is destroyed meanwhile, it is gone when the signals are given back. */
    wshub_io_sock__enter(net);
    if (signals) {
        wshub_io_sock__signals_take(net);
        wshub_io_sock__mask_open(&mask);
    }

    err = wshub_io_sock__live(net, &life);

    if (signals) {
        wshub_io_sock__mask_back(&mask);
        wshub_io_sock__signals_give(net);
    }
    wshub_io_sock__leave(net);
    return err;
}

WSHUB_API wshub_err wshub_io_sock_serve(wshub_io_sock *net, wshub *hub) {
    return wshub_io_sock_serve_with(net, hub, NULL);
}

/* ---- making and ending one ---- */

WSHUB_API const char *wshub_io_sock_desc_problem_versioned(const wshub_io_sock_desc *desc,
                                                           size_t desc_bytes, uint32_t version) {
    static const char required[] =
        "poller: required; wshub_io_auto_create() takes the best there is";

    if (!desc) return required;
    if (desc_bytes != sizeof *desc || version != WSHUB_IO_SOCK_DESC_VERSION)
        return "wshub_io_sock_desc: the program was compiled with another wshub_io_sock.h than the "
               "file that has its implementation; compile both anew with the same one";
    if (!desc->poller) return required;
    if (desc->poller->version != WSHUB_POLLER_VERSION)
        return "poller: its table is of another wshub_io_sock.h; compile the poller anew with this "
               "one, and in a table of your own set version to WSHUB_POLLER_VERSION";
    if ((unsigned)desc->log_level > WSHUB_LEVEL_ERROR)
        return "log_level: must be WSHUB_LEVEL_DEBUG (1) to WSHUB_LEVEL_ERROR (4), or 0";
    if (desc->log_level && desc->no_log)
        return "no_log: there is a log_level too; set one or the other";
#ifdef _WIN32
    if (desc->reuse_port)
        return "reuse_port: Windows has no SO_REUSEPORT; let one hub listen, or several on ports "
               "of "
               "their own";
#endif
    if (desc->proxy_timeout_ms > 600000)
        return "proxy_timeout_ms: must be 1 to 600000; it cannot be off, or a proxy could leave "
               "streams here for ever";
    return NULL;
}

/* What the system said, and what may help. */
static size_t wshub_io_sock__explain_errno(int e, char *buf, size_t cap) {
    const char *hint = "is /dev mounted here?";
    char text[WSHUB_EXPLAIN_BYTES];

    if (e == EMFILE) hint = "raise the limit on open files (ulimit -n)";
    if (e == ENFILE) hint = "the whole system has no more open files (fs.file-max)";
    (void)snprintf(text, sizeof text,
                   "the system gives no poller, or no randomness by /dev/urandom: %s; %s",
                   wshub_io_sock__sys_text(e), hint);
    return wshub_explain(text, NULL, NULL, 0, buf, cap);
}

WSHUB_API size_t wshub_io_sock_desc_explain_versioned(const wshub_io_sock_desc *desc,
                                                      size_t desc_bytes, uint32_t version,
                                                      wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_io_sock_desc, poller, POINTER, NULL),
        WSHUB_FIELD(wshub_io_sock_desc, log_level, UINT, NULL),
        WSHUB_FIELD(wshub_io_sock_desc, no_log, BOOL, "log_level"),
        WSHUB_FIELD(wshub_io_sock_desc, proxy_timeout_ms, UINT, NULL),
    };
    bool known = desc && desc_bytes == sizeof *desc && version == WSHUB_IO_SOCK_DESC_VERSION;
    const char *problem;

    if (err == WSHUB_ERR_IO) return wshub_io_sock__explain_errno(errno, buf, cap);
    problem = wshub_io_sock_desc_problem_versioned(desc, desc_bytes, version);
    if (err && err != WSHUB_ERR_PARAM) problem = wshub_strerror(err);
    if (!problem && err) problem = "out_net: required, and NULL";
    return wshub_explain(problem, desc, fields, known ? sizeof fields / sizeof fields[0] : 0, buf,
                         cap);
}

static void wshub_io_sock__defaults(wshub_io_sock_desc *desc) {
    if (!desc->read_bytes) desc->read_bytes = 262144;
    if (!desc->linger_ms) desc->linger_ms = 2000;
    if (!desc->conns_max) desc->conns_max = 1000000;
    if (!desc->proxy_timeout_ms) desc->proxy_timeout_ms = 3000;
}

static void wshub_io_sock__table(wshub_io_sock *net) {
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
    net->io.hand_over = wshub_io_sock__hand_over;
}

WSHUB_API wshub_err wshub_io_sock_create_versioned(const wshub_io_sock_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_sock **out_net) {
    wshub_io_sock *net;
    int e;

    if (!out_net || wshub_io_sock_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    net = (wshub_io_sock *)calloc(1, sizeof *net);
    if (!net) return WSHUB_ERR_NOMEM;

    if (!wshub_io_sock__sys_begin()) {
        e = errno;
        free(net);
        errno = e;
        return WSHUB_ERR_IO;
    }
    net->desc = *desc;
    wshub_io_sock__defaults(&net->desc);
    wshub_io_sock__table(net);
    wshub_io_sock__log_begin(net);
    net->asleep = true;
    net->next = WSHUB_NEVER;
    net->signals_seen = WSHUB_IO_SOCK__LOAD(&wshub_io_sock__signals.taken);
    net->now = net->heard = wshub_io_sock__sys_ticks();
    net->buf = (uint8_t *)malloc(net->desc.read_bytes);
    net->scratch = (uint8_t *)malloc(WSHUB_IO_SOCK__SCRATCH);
    net->urandom = wshub_io_sock__sys_urandom();
    e = net->urandom < 0 ? errno : 0;
    net->reserve = wshub_io_sock__sys_spare();
    net->poller = desc->poller->create();
    if (!net->buf || !net->scratch || !net->poller || net->urandom < 0) {
        wshub_err err = !net->buf || !net->scratch ? WSHUB_ERR_NOMEM : WSHUB_ERR_IO;
        if (!e) e = errno; /* the poller's */
        wshub_io_sock__free(net);
        errno = e;
        return err;
    }
    *out_net = net;
    return WSHUB_OK;
}

WSHUB_API void wshub_io_sock_destroy(wshub_io_sock *net) {
    if (!net) return;
    net->doomed = true;
    wshub_io_sock_unlisten(net);
    wshub_io_sock__bury(net);
}

WSHUB_API const wshub_io *wshub_io_sock_io(wshub_io_sock *net) {
    return &net->io;
}
WSHUB_API const char *wshub_io_sock_error(const wshub_io_sock *net) {
    return net->error;
}
WSHUB_API const char *wshub_io_sock_poller_name(const wshub_io_sock *net) {
    return net->desc.poller->name;
}
WSHUB_API void wshub_io_sock_stats_get(const wshub_io_sock *net, wshub_io_sock_stats *out_stats) {
    *out_stats = net->stats;
}
WSHUB_API int wshub_io_sock_fd(const wshub_io_sock *net) {
    return net->desc.poller->fd(net->poller);
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
