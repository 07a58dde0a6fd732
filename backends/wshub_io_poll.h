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

static bool wshub_io_poll__grow(wshub_io_poll__p *p, int fd) {
    if (p->count == p->cap) {
        int cap = p->cap ? p->cap * 2 : 64;
        struct pollfd *fds = (struct pollfd *)realloc(p->fds, (size_t)cap * sizeof *fds);
        uint64_t *tags;
        if (!fds) return false;
        p->fds = fds;
        tags = (uint64_t *)realloc(p->tags, (size_t)cap * sizeof *tags);
        if (!tags) return false;
        p->tags = tags;
        p->cap = cap;
    }
    if (fd >= p->where_cap) {
        int cap = p->where_cap ? p->where_cap : 64;
        int *where;
        while (cap <= fd) cap *= 2;
        where = (int *)realloc(p->where, (size_t)cap * sizeof *where);
        if (!where) return false;
        memset(where + p->where_cap, 0, (size_t)(cap - p->where_cap) * sizeof *where);
        p->where = where;
        p->where_cap = cap;
    }
    return true;
}

static bool wshub_io_poll__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_poll__p *p = (wshub_io_poll__p *)ctx;
    int at;
    if (fd < 0 || (!had && !wshub_io_poll__grow(p, fd))) return false;
    at = had ? p->where[fd] : p->count++;
    if (!want) {
        p->where[fd] = 0;
        if (at != --p->count) {
            p->fds[at] = p->fds[p->count];
            p->tags[at] = p->tags[p->count];
            p->where[p->fds[at].fd] = at;
        }
        return true;
    }
    p->where[fd] = at;
    p->tags[at] = tag;
    p->fds[at].fd = fd;
    p->fds[at].events = (short)((want & WSHUB_IO_SOCK_READ ? POLLIN : 0) |
                                (want & WSHUB_IO_SOCK_WRITE ? POLLOUT : 0));
    p->fds[at].revents = 0;
    return true;
}

static void *wshub_io_poll__create(void) {
    wshub_io_poll__p *p = (wshub_io_poll__p *)calloc(1, sizeof *p);
    if (!p) return NULL;
    p->pipe[0] = p->pipe[1] = -1;
    if (pipe(p->pipe) != 0 || !wshub_io_poll__prepare(p->pipe[0]) ||
        !wshub_io_poll__prepare(p->pipe[1]) ||
        !wshub_io_poll__watch(p, p->pipe[0], UINT64_MAX, 0, WSHUB_IO_SOCK_READ)) {
        wshub_io_poll__destroy(p);
        return NULL;
    }
    return p;
}

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
    for (i = 0; i < others && n > 0 && out < cap; i++) { /* from another place each time, so that
                                                            all get their turn */
        int at = 1 + (p->turn + i) % others;
        short r = p->fds[at].revents;
        if (!r) continue;
        n--;
        events[out].tag = p->tags[at];
        events[out].ready =
            (r & (POLLIN | POLLHUP | POLLERR | POLLNVAL) ? (unsigned)WSHUB_IO_SOCK_READ : 0u) |
            (r & (POLLOUT | POLLHUP | POLLERR | POLLNVAL) ? (unsigned)WSHUB_IO_SOCK_WRITE : 0u) |
            (r & (POLLHUP | POLLERR | POLLNVAL) ? (unsigned)WSHUB_IO_SOCK_GONE : 0u); /* asked for
                                                                                         or not */
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
