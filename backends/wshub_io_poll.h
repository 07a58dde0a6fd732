/* wshub_io_poll.h - the poll poller of wshub_io_sock.h
 *
 * [x] any POSIX system; wakes through a pipe
 * [x] Windows, by WSAPoll(); wakes through a datagram socket that is connected to itself. WSAPoll()
 *     tells the end of a peer for ever, asked for or not, and before Windows 10 2004 nothing of a
 *     connect that has failed: who is half-closed and not read, and who is dialling, is looked at
 *     by other means, every 10 to 160 ms while there is one
 * [ ] waiting is O(streams): on Linux 40 to 120 ns of a turn for each that is only there: 0.08 ms
 *     with 1,000 and 1 ms with 8,000, where epoll costs the same 3 us (make bench-pollers). For
 *     hundreds of streams, and where there is nothing better; no descriptor for another loop
 *     (wshub_io_sock_fd() is -1)
 * [ ] completion ports on Windows, which would not have that cost: to be measured on Windows first
 *
 * Include after wshub_io_sock.h. Pass wshub_io_poll_poller() as wshub_io_sock_desc.poller. */
#ifndef WSHUB_IO_POLL_H
#define WSHUB_IO_POLL_H
#ifndef WSHUB_IO_SOCK_H
#error "include wshub_io_sock.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif
/* Returns the table for wshub_io_sock_desc.poller; constant, valid for ever. Thread: any. */
WSHUB_API const wshub_io_sock_poller *wshub_io_poll_poller(void);
#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_POLL_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_POLL_IMPLEMENTATION)) &&                    \
    !defined(WSHUB__IO_POLL_DONE)
#define WSHUB__IO_POLL_DONE
#include <errno.h>
#include <stdlib.h>
#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>
#include <windows.h>
#else
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#endif

#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#ifdef _WIN32
typedef SOCKET wshub_io_poll__fd_type;
enum {
    WSHUB_IO_POLL__LOOK_MS = 10, /* what must be looked at is looked at so often, at first */
    WSHUB_IO_POLL__LOOK_MS_MAX = 160
};
#else
typedef int wshub_io_poll__fd_type;
#endif

typedef struct wshub_io_poll__p {
    struct pollfd *fds; /* [0]: what wakes us; dense */
    uint64_t *tags;
    int *where; /* by descriptor: its place in fds, 0: none */
    int count, cap, where_cap, turn;
    int pipe[2]; /* on Windows both are one socket */
#ifdef _WIN32
    int polled;   /* those that WSAPoll() is asked for; behind them are those that are looked at */
    int dialling; /* those that are watched for writing alone */
    int look_ms;  /* how long may be waited before these are looked at */
#endif
} wshub_io_poll__p;

/* ---- what wakes a wait ---- */

#ifdef _WIN32
/* A datagram socket that is connected to itself: nobody else can send to it, and what it is sent
 * while it is full is lost, as another is there. -1: the system has none. */
static int wshub_io_poll__own_socket(void) {
    struct sockaddr_in at;
    int bytes = sizeof at, fd = (int)socket(AF_INET, SOCK_DGRAM, 0);
    u_long one = 1;

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && bind((SOCKET)fd, (struct sockaddr *)&at, bytes) == 0 &&
        getsockname((SOCKET)fd, (struct sockaddr *)&at, &bytes) == 0 &&
        connect((SOCKET)fd, (struct sockaddr *)&at, bytes) == 0 &&
        ioctlsocket((SOCKET)fd, (long)FIONBIO, &one) == 0) {
        (void)SetHandleInformation((HANDLE)(intptr_t)fd, HANDLE_FLAG_INHERIT, 0);
        return fd;
    }
    if (fd >= 0) (void)closesocket((SOCKET)fd);
    return -1;
}

static bool wshub_io_poll__pipe(int ends[2]) {
    WSADATA about;

    if (WSAStartup(MAKEWORD(2, 2), &about) != 0) return false;
    ends[0] = ends[1] = wshub_io_poll__own_socket();
    if (ends[0] >= 0) return true;
    (void)WSACleanup();
    errno = EIO;
    return false;
}
static void wshub_io_poll__pipe_close(const int ends[2]) {
    if (ends[0] < 0) return;
    (void)closesocket((SOCKET)ends[0]);
    (void)WSACleanup();
}
static bool wshub_io_poll__pipe_read(int fd) {
    char junk[64];
    return recv((SOCKET)fd, junk, sizeof junk, 0) > 0;
}
static void wshub_io_poll__pipe_write(int fd) {
    (void)send((SOCKET)fd, "", 1, 0);
}
#else
/* An end of the pipe neither blocks nor is inherited. */
static bool wshub_io_poll__prepare(int fd) {
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL, 0) | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool wshub_io_poll__pipe(int ends[2]) {
    return pipe(ends) == 0 && wshub_io_poll__prepare(ends[0]) && wshub_io_poll__prepare(ends[1]);
}
static void wshub_io_poll__pipe_close(const int ends[2]) {
    if (ends[0] >= 0) (void)close(ends[0]);
    if (ends[1] >= 0) (void)close(ends[1]);
}
static bool wshub_io_poll__pipe_read(int fd) {
    char junk[64];
    return read(fd, junk, sizeof junk) > 0;
}
static void wshub_io_poll__pipe_write(int fd) {
    ssize_t put = write(fd, "", 1);
    (void)put; /* full means that a wake is under way */
}
#endif

/* ---- the list ---- */

static void wshub_io_poll__destroy(void *ctx) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)ctx;

    wshub_io_poll__pipe_close(poller->pipe);
    free(poller->fds);
    free(poller->tags);
    free(poller->where);
    free(poller);
}

/* Makes room for one descriptor more. False: out of memory; what has grown stays so. */
static bool wshub_io_poll__grow_list(wshub_io_poll__p *poller) {
    int cap = poller->cap ? poller->cap * 2 : 64;
    struct pollfd *fds;
    uint64_t *tags;

    if (poller->count < poller->cap) return true;
    fds = (struct pollfd *)realloc(poller->fds, (size_t)cap * sizeof *fds);
    if (!fds) return false;
    poller->fds = fds;
    tags = (uint64_t *)realloc(poller->tags, (size_t)cap * sizeof *tags);
    if (!tags) return false;
    poller->tags = tags;
    poller->cap = cap;
    return true;
}

/* Makes room for the place of a descriptor. False: out of memory. */
static bool wshub_io_poll__grow_where(wshub_io_poll__p *poller, int fd) {
    int cap = poller->where_cap ? poller->where_cap : 64;
    int *where;

    if (fd < poller->where_cap) return true;
    while (cap <= fd) cap *= 2;
    where = (int *)realloc(poller->where, (size_t)cap * sizeof *where);
    if (!where) return false;
    memset(where + poller->where_cap, 0, (size_t)(cap - poller->where_cap) * sizeof *where);
    poller->where = where;
    poller->where_cap = cap;
    return true;
}

#ifdef _WIN32
/* Two of the list change places. */
static void wshub_io_poll__swap(wshub_io_poll__p *poller, int a, int b) {
    struct pollfd fd = poller->fds[a];
    uint64_t tag = poller->tags[a];

    poller->fds[a] = poller->fds[b];
    poller->tags[a] = poller->tags[b];
    poller->fds[b] = fd;
    poller->tags[b] = tag;
    poller->where[poller->fds[a].fd] = a;
    poller->where[poller->fds[b].fd] = b;
}

/* From now on one is looked at. Returns where it stands. */
static int wshub_io_poll__look_from(wshub_io_poll__p *poller, int at) {
    if (at >= poller->polled) return at;
    wshub_io_poll__swap(poller, at, --poller->polled);
    poller->look_ms = WSHUB_IO_POLL__LOOK_MS;
    return poller->polled;
}

/* WSAPoll() is asked for it again, or for the first time. Returns where it stands. */
static int wshub_io_poll__poll_from(wshub_io_poll__p *poller, int at) {
    if (at < poller->polled) return at;
    wshub_io_poll__swap(poller, at, poller->polled);
    return poller->polled++;
}

/* Counts those that are watched for writing alone. */
static void wshub_io_poll__counts(wshub_io_poll__p *poller, unsigned had, unsigned want) {
    poller->dialling += want == WSHUB_IO_SOCK_WRITE;
    poller->dialling -= had == WSHUB_IO_SOCK_WRITE;
    poller->look_ms = WSHUB_IO_POLL__LOOK_MS;
}
#endif

/* Takes a descriptor out of the list; the last fills the gap. */
static void wshub_io_poll__unwatch(wshub_io_poll__p *poller, int fd) {
    int at = poller->where[fd];

    WSHUB_ASSERT(at < poller->count);
    WSHUB_ASSERT((int)poller->fds[at].fd == fd);
#ifdef _WIN32
    at = wshub_io_poll__look_from(poller, at);
#endif
    poller->where[fd] = 0;
    if (at == --poller->count) return;
    poller->fds[at] = poller->fds[poller->count];
    poller->tags[at] = poller->tags[poller->count];
    poller->where[poller->fds[at].fd] = at;
}

static bool wshub_io_poll__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)ctx;
    int at;

    if (fd < 0) return false;
    if (!had && (!wshub_io_poll__grow_list(poller) || !wshub_io_poll__grow_where(poller, fd)))
        return false;
#ifdef _WIN32
    wshub_io_poll__counts(poller, had, want);
#endif
    if (!want) {
        wshub_io_poll__unwatch(poller, fd);
        return true;
    }

    at = had ? poller->where[fd] : poller->count++;
    WSHUB_ASSERT(at < poller->count);
    WSHUB_ASSERT(poller->count <= poller->cap);
    poller->where[fd] = at;
    poller->tags[at] = tag;
    poller->fds[at].fd = (wshub_io_poll__fd_type)fd;
#ifdef _WIN32
    at = wshub_io_poll__poll_from(poller, at);
#endif
    poller->fds[at].events = (short)((want & WSHUB_IO_SOCK_READ ? POLLIN : 0) |
                                     (want & WSHUB_IO_SOCK_WRITE ? POLLOUT : 0));
    poller->fds[at].revents = 0;
    return true;
}

/* The list, and in its first place what wakes us. NULL: out of memory or descriptors. */
static void *wshub_io_poll__create(void) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)calloc(1, sizeof *poller);

    if (!poller) return NULL;
    poller->pipe[0] = poller->pipe[1] = -1;
    if (!wshub_io_poll__pipe(poller->pipe) ||
        !wshub_io_poll__watch(poller, poller->pipe[0], UINT64_MAX, 0, WSHUB_IO_SOCK_READ)) {
        wshub_io_poll__destroy(poller);
        return NULL;
    }
    return poller;
}

/* What the system says of a descriptor. Its end and its errors are told, asked for or not. */
static unsigned wshub_io_poll__ready(short told) {
    bool gone = (told & (POLLHUP | POLLERR | POLLNVAL)) != 0;

    return (gone || (told & POLLIN) ? (unsigned)WSHUB_IO_SOCK_READ : 0u) |
           (gone || (told & POLLOUT) ? (unsigned)WSHUB_IO_SOCK_WRITE : 0u) |
           (gone ? (unsigned)WSHUB_IO_SOCK_GONE : 0u);
}

#ifdef _WIN32
/* ---- Windows: WSAPoll() and its ways ---- */

enum { WSHUB_IO_POLL__ALL = WSHUB_IO_SOCK_READ | WSHUB_IO_SOCK_WRITE | WSHUB_IO_SOCK_GONE };

/* Whether connecting has failed, which WSAPoll() has told nobody before Windows 10 2004, but
 * select() always has. */
static bool wshub_io_poll__has_failed(SOCKET fd) {
    struct timeval none = {0, 0};
    fd_set set;

    set.fd_count = 1;
    set.fd_array[0] = fd;
    return select(0, NULL, NULL, &set, &none) > 0;
}

/* Looks at a connection whose peer sends no more: is it dead, or can it be written to? */
static unsigned wshub_io_poll__looked(struct pollfd one) {
    int e = 0, bytes = sizeof e;
    char byte;

    if (WSAPoll(&one, 1, 0) < 0 || (one.revents & (POLLERR | POLLNVAL))) return WSHUB_IO_POLL__ALL;
    if (getsockopt(one.fd, SOL_SOCKET, SO_ERROR, (char *)&e, &bytes) != 0 || e)
        return WSHUB_IO_POLL__ALL;
    if (recv(one.fd, &byte, 1, MSG_PEEK) < 0 && WSAGetLastError() != WSAEWOULDBLOCK)
        return WSHUB_IO_POLL__ALL;
    return one.revents & POLLOUT ? (unsigned)WSHUB_IO_SOCK_WRITE : 0u;
}

/* What is the case with one that WSAPoll() was asked for. *ended: becomes true where its
 * peer has ended, which nobody wants to know, and which WSAPoll() would tell for ever. */
static unsigned wshub_io_poll__polled(const struct pollfd *one, bool *ended) {
    bool dialled = one->events == POLLOUT && !one->revents;

    if (dialled && wshub_io_poll__has_failed(one->fd)) return WSHUB_IO_POLL__ALL;
    if ((one->revents & (POLLHUP | POLLERR | POLLNVAL)) != POLLHUP)
        return wshub_io_poll__ready(one->revents);

    if (one->events & POLLIN)
        return (unsigned)WSHUB_IO_SOCK_READ |
               (one->revents & POLLOUT ? (unsigned)WSHUB_IO_SOCK_WRITE : 0u);
    *ended = true;
    return wshub_io_poll__looked(*one);
}

/* How long may be waited: as long as there are some that must be looked at, not for long, though
 * longer each time that nothing was found. */
static int wshub_io_poll__patience(wshub_io_poll__p *poller, int timeout_ms) {
    int most = poller->look_ms;

    if (poller->polled == poller->count && !poller->dialling) return timeout_ms;
    if (timeout_ms >= 0 && timeout_ms <= most) return timeout_ms;
    poller->look_ms = most * 2 < WSHUB_IO_POLL__LOOK_MS_MAX ? most * 2 : WSHUB_IO_POLL__LOOK_MS_MAX;
    return most;
}

/* Who was found to have ended is looked at from now on. */
static void wshub_io_poll__look_at_ended(wshub_io_poll__p *poller) {
    int at;

    for (at = poller->polled - 1; at > 0; at--) {
        const struct pollfd *one = &poller->fds[at];
        bool hung = (one->revents & (POLLHUP | POLLERR | POLLNVAL)) == POLLHUP;
        if (hung && !(one->events & POLLIN)) (void)wshub_io_poll__look_from(poller, at);
    }
}

/* From another place each time, so that all get their turn. */
static int wshub_io_poll__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)ctx;
    int others = poller->count - 1, i, out = 0;
    bool ended = false;

    if (WSAPoll(poller->fds, (ULONG)poller->polled, wshub_io_poll__patience(poller, timeout_ms)) <
        0) {
        errno = EIO;
        return -1;
    }
    while (poller->fds[0].revents && wshub_io_poll__pipe_read(poller->pipe[0])) {
    }

    for (i = 0; i < others && out < cap; i++) {
        int at = 1 + (poller->turn + i) % others;
        unsigned ready = at < poller->polled ? wshub_io_poll__polled(&poller->fds[at], &ended)
                                             : wshub_io_poll__looked(poller->fds[at]);
        if (ready) {
            events[out].tag = poller->tags[at];
            events[out++].ready = ready;
        }
    }
    poller->turn = others > 0 ? (poller->turn + i) % others : 0;
    if (ended) wshub_io_poll__look_at_ended(poller);
    if (out) poller->look_ms = WSHUB_IO_POLL__LOOK_MS;
    return out;
}
#else
static int wshub_io_poll__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)ctx;
    int left = poll(poller->fds, (nfds_t)poller->count, timeout_ms), i, out = 0;
    int others = poller->count - 1;

    if (left < 0) return errno == EINTR ? 0 : -1;
    if (poller->fds[0].revents) {
        while (wshub_io_poll__pipe_read(poller->pipe[0])) {
        }
        left--;
    }

    /* From another place each time, so that all get their turn. */
    for (i = 0; i < others && left > 0 && out < cap; i++) {
        int at = 1 + (poller->turn + i) % others;
        if (!poller->fds[at].revents) continue;
        left--;
        events[out].tag = poller->tags[at];
        events[out].ready = wshub_io_poll__ready(poller->fds[at].revents);
        out++;
    }
    poller->turn = others > 0 ? (poller->turn + i) % others : 0;
    WSHUB_ASSERT(out <= cap);
    return out;
}
#endif

static void wshub_io_poll__wake(void *ctx) {
    wshub_io_poll__pipe_write(((wshub_io_poll__p *)ctx)->pipe[1]);
}

static int wshub_io_poll__fd(void *ctx) {
    (void)ctx;
    return -1;
}

WSHUB_API const wshub_io_sock_poller *wshub_io_poll_poller(void) {
    static const wshub_io_sock_poller poller = {WSHUB_POLLER_VERSION,  "poll",
                                                wshub_io_poll__create, wshub_io_poll__destroy,
                                                wshub_io_poll__watch,  wshub_io_poll__wait,
                                                wshub_io_poll__wake,   wshub_io_poll__fd};
    return &poller;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
