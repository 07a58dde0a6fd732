/* wshub_io_poll.h - the poll poller of wshub_io_sock.h
 *
 * [x] any POSIX system; wakes through a pipe
 * [x] when more is ready than fits, all get their turn
 * [ ] a wait costs what is watched, ready or not: for hundreds of streams, and where there is
 *     nothing better
 * [ ] a descriptor for another loop: wshub_io_sock_fd() is -1
 *
 * System   POSIX.
 * Include  behind wshub_io_sock.h; pass wshub_io_poll_poller() as wshub_io_sock_desc.poller.
 *          Or take wshub_io_auto.h, which does both where there is neither epoll nor kqueue.
 * Threads  that of its io; a wake may come from any. */
#ifndef WSHUB_IO_POLL_H
#define WSHUB_IO_POLL_H
#ifndef WSHUB_IO_SOCK_H
#error "include wshub_io_sock.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* Returns the table of this poller, valid for ever. Any thread. */
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
#ifndef WSHUB_ASSERT /* of its own .c file, without the implementation of wshub.h */
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_poll__p {
    struct pollfd *fds; /* dense; [0] is the end of the pipe that is read */
    uint64_t *tags;     /* of each of them */
    int count, cap;     /* of both lists */
    int *where;         /* by descriptor: its place in fds; 0: none */
    int where_cap;
    int turn;    /* where the next walk through what is ready begins */
    int pipe[2]; /* what is written to the second one wakes */
} wshub_io_poll__p;

static bool wshub_io_poll__prepare(int fd) {
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL, 0) | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static void wshub_io_poll__destroy(void *ctx) {
    wshub_io_poll__p *p = (wshub_io_poll__p *)ctx;
    if (p->pipe[0] >= 0) (void)close(p->pipe[0]);
    if (p->pipe[1] >= 0) (void)close(p->pipe[1]);
    free(p->fds);
    free(p->tags);
    free(p->where);
    free(p);
}

/* Makes room for one more in the dense lists. False: out of memory. */
static bool wshub_io_poll__grow_lists(wshub_io_poll__p *p) {
    int cap = p->cap ? p->cap * 2 : 64;
    struct pollfd *fds;
    uint64_t *tags;
    if (p->count < p->cap) return true;

    fds = (struct pollfd *)realloc(p->fds, (size_t)cap * sizeof *fds);
    if (!fds) return false;
    p->fds = fds;
    tags = (uint64_t *)realloc(p->tags, (size_t)cap * sizeof *tags);
    if (!tags) return false;
    p->tags = tags;
    p->cap = cap;
    return true;
}

/* Makes room for a descriptor in the index. False: out of memory. */
static bool wshub_io_poll__grow_index(wshub_io_poll__p *p, int fd) {
    int cap = p->where_cap ? p->where_cap : 64;
    int *where;
    if (fd < p->where_cap) return true;

    while (cap <= fd) cap *= 2;
    where = (int *)realloc(p->where, (size_t)cap * sizeof *where);
    if (!where) return false;
    memset(where + p->where_cap, 0, (size_t)(cap - p->where_cap) * sizeof *where);
    p->where = where;
    p->where_cap = cap;
    return true;
}

/* Takes a descriptor out of the lists; the last one moves into its place. */
static void wshub_io_poll__remove(wshub_io_poll__p *p, int fd) {
    int at = p->where[fd];
    p->where[fd] = 0;
    if (at == --p->count) return;
    p->fds[at] = p->fds[p->count];
    p->tags[at] = p->tags[p->count];
    p->where[p->fds[at].fd] = at;
}

static bool wshub_io_poll__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_poll__p *p = (wshub_io_poll__p *)ctx;
    short events = 0;
    int at;
    if (fd < 0) return false; /* poll() would pass over it in silence */
    if (!had && !(wshub_io_poll__grow_lists(p) && wshub_io_poll__grow_index(p, fd))) return false;
    WSHUB_ASSERT(!had || (p->where[fd] < p->count && p->fds[p->where[fd]].fd == fd));
    if (!want) {
        wshub_io_poll__remove(p, fd);
        return true;
    }

    /* Errors and the end of both directions are always told, so GONE asks for nothing. */
    if (want & WSHUB_IO_SOCK_READ) events |= POLLIN;
    if (want & WSHUB_IO_SOCK_WRITE) events |= POLLOUT;
    at = had ? p->where[fd] : p->count++;
    p->where[fd] = at;
    p->tags[at] = tag;
    p->fds[at].fd = fd;
    p->fds[at].events = events;
    p->fds[at].revents = 0;
    return true;
}

static void *wshub_io_poll__create(void) {
    wshub_io_poll__p *p = (wshub_io_poll__p *)calloc(1, sizeof *p);
    if (!p) return NULL;
    p->pipe[0] = p->pipe[1] = -1;
    if (pipe(p->pipe) == 0 && wshub_io_poll__prepare(p->pipe[0]) &&
        wshub_io_poll__prepare(p->pipe[1]) &&
        wshub_io_poll__watch(p, p->pipe[0], UINT64_MAX, 0, WSHUB_IO_SOCK_READ))
        return p;
    wshub_io_poll__destroy(p);
    return NULL;
}

static unsigned wshub_io_poll__ready(short events) {
    unsigned ready = 0;
    if (events & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) ready |= WSHUB_IO_SOCK_READ;
    if (events & (POLLOUT | POLLHUP | POLLERR | POLLNVAL)) ready |= WSHUB_IO_SOCK_WRITE;
    if (events & (POLLHUP | POLLERR | POLLNVAL)) ready |= WSHUB_IO_SOCK_GONE;
    return ready;
}

/* A walk begins where the last one ended, so that what did not fit comes before what comes
 * again. */
static int wshub_io_poll__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_poll__p *p = (wshub_io_poll__p *)ctx;
    int n = poll(p->fds, (nfds_t)p->count, timeout_ms), i, out = 0, others = p->count - 1;
    if (n < 0) return errno == EINTR ? 0 : -1;
    if (p->fds[0].revents) {
        char junk[64];
        while (read(p->pipe[0], junk, sizeof junk) > 0) {
        }
        n--;
    }

    for (i = 0; i < others && n > 0 && out < cap; i++) {
        int at = 1 + (p->turn + i) % others;
        if (!p->fds[at].revents) continue;
        n--;
        events[out].tag = p->tags[at];
        events[out].ready = wshub_io_poll__ready(p->fds[at].revents);
        out++;
    }
    p->turn = others > 0 ? (p->turn + i) % others : 0;
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
