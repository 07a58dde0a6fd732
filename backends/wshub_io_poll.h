/* wshub_io_poll.h - the poll poller of wshub_io_sock.h
 *
 * [x] any POSIX system; wakes through a pipe
 * [ ] waiting is O(streams): for hundreds of them, and where there is nothing better; no descriptor
 *     for another loop (wshub_io_sock_fd() is -1)
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
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_poll__p {
    struct pollfd *fds; /* [0]: the pipe; dense */
    uint64_t *tags;
    int *where; /* by descriptor: its place in fds, 0: none */
    int count, cap, where_cap, turn;
    int pipe[2];
} wshub_io_poll__p;

/* An end of the pipe neither blocks nor is inherited. */
static bool wshub_io_poll__prepare(int fd) {
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL, 0) | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static void wshub_io_poll__destroy(void *ctx) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)ctx;

    if (poller->pipe[0] >= 0) (void)close(poller->pipe[0]);
    if (poller->pipe[1] >= 0) (void)close(poller->pipe[1]);
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

/* Takes a descriptor out of the list; the last fills the gap. */
static void wshub_io_poll__unwatch(wshub_io_poll__p *poller, int fd) {
    int at = poller->where[fd];

    WSHUB_ASSERT(at < poller->count);
    WSHUB_ASSERT(poller->fds[at].fd == fd);
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
    if (!want) {
        wshub_io_poll__unwatch(poller, fd);
        return true;
    }

    at = had ? poller->where[fd] : poller->count++;
    WSHUB_ASSERT(at < poller->count);
    WSHUB_ASSERT(poller->count <= poller->cap);
    poller->where[fd] = at;
    poller->tags[at] = tag;
    poller->fds[at].fd = fd;
    poller->fds[at].events = (short)((want & WSHUB_IO_SOCK_READ ? POLLIN : 0) |
                                     (want & WSHUB_IO_SOCK_WRITE ? POLLOUT : 0));
    poller->fds[at].revents = 0;
    return true;
}

/* The list, and in its first place a pipe that wakes us. NULL: out of memory or descriptors. */
static void *wshub_io_poll__create(void) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)calloc(1, sizeof *poller);

    if (!poller) return NULL;
    poller->pipe[0] = poller->pipe[1] = -1;
    if (pipe(poller->pipe) != 0 || !wshub_io_poll__prepare(poller->pipe[0]) ||
        !wshub_io_poll__prepare(poller->pipe[1]) ||
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

static int wshub_io_poll__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_poll__p *poller = (wshub_io_poll__p *)ctx;
    int left = poll(poller->fds, (nfds_t)poller->count, timeout_ms), i, out = 0;
    int others = poller->count - 1;

    if (left < 0) return errno == EINTR ? 0 : -1;
    if (poller->fds[0].revents) {
        char junk[64];
        while (read(poller->pipe[0], junk, sizeof junk) > 0) {
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

static void wshub_io_poll__wake(void *ctx) {
    ssize_t put = write(((wshub_io_poll__p *)ctx)->pipe[1], "", 1);
    (void)put; /* full means that a wake is under way */
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
