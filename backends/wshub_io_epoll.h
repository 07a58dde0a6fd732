/* wshub_io_epoll.h - the epoll poller of wshub_io_sock.h
 *
 * [x] Linux; waiting is O(ready); wakes through an eventfd
 * [ ] edge triggering (it saves at most a few percent, PERFORMANCE)
 *
 * Include after wshub_io_sock.h. Pass wshub_io_epoll_poller() as wshub_io_sock_desc.poller. */
#ifndef WSHUB_IO_EPOLL_H
#define WSHUB_IO_EPOLL_H
#ifndef WSHUB_IO_SOCK_H
#error "include wshub_io_sock.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif
/* Returns the table for wshub_io_sock_desc.poller; constant, valid for ever. Thread: any. */
WSHUB_API const wshub_io_sock_poller *wshub_io_epoll_poller(void);
#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_EPOLL_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_EPOLL_IMPLEMENTATION)) &&                   \
    !defined(WSHUB__IO_EPOLL_DONE)
#define WSHUB__IO_EPOLL_DONE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_epoll__p {
    int fd, wake;
} wshub_io_epoll__p;

static void *wshub_io_epoll__create(void) {
    struct epoll_event e;
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)malloc(sizeof *p);
    if (!p) return NULL;
    memset(&e, 0, sizeof e);
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    e.events = EPOLLIN;
    e.data.u64 = UINT64_MAX;
    if (p->fd < 0 || p->wake < 0 || epoll_ctl(p->fd, EPOLL_CTL_ADD, p->wake, &e) != 0) {
        if (p->fd >= 0) (void)close(p->fd);
        if (p->wake >= 0) (void)close(p->wake);
        free(p);
        return NULL;
    }
    return p;
}

static void wshub_io_epoll__destroy(void *ctx) {
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)ctx;
    (void)close(p->fd);
    (void)close(p->wake);
    free(p);
}

static bool wshub_io_epoll__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)ctx;
    struct epoll_event e;
    memset(&e, 0, sizeof e);
    e.events = (want & WSHUB_IO_SOCK_READ ? (uint32_t)EPOLLIN : 0u) |
               (want & WSHUB_IO_SOCK_WRITE ? (uint32_t)EPOLLOUT : 0u);
    e.data.u64 = tag;
    return epoll_ctl(p->fd,
                     !had   ? EPOLL_CTL_ADD
                     : want ? EPOLL_CTL_MOD
                            : EPOLL_CTL_DEL,
                     fd, &e) == 0;
}

static int wshub_io_epoll__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)ctx;
    struct epoll_event list[512];
    int i, n = epoll_wait(p->fd, list, cap < 512 ? cap : 512, timeout_ms), out = 0;
    if (n < 0) return errno == EINTR ? 0 : -1;
    for (i = 0; i < n; i++) {
        uint32_t e = list[i].events;
        if (list[i].data.u64 == UINT64_MAX) {
            uint64_t count;
            ssize_t got = read(p->wake, &count, sizeof count);
            (void)got;
            continue;
        }
        events[out].tag = list[i].data.u64;
        events[out].ready =
            (e & (EPOLLIN | EPOLLHUP | EPOLLERR) ? (unsigned)WSHUB_IO_SOCK_READ : 0u) |
            (e & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? (unsigned)WSHUB_IO_SOCK_WRITE : 0u) |
            (e & (EPOLLHUP | EPOLLERR) ? (unsigned)WSHUB_IO_SOCK_GONE : 0u); /* asked for or not */
        out++;
    }
    return out;
}

static void wshub_io_epoll__wake(void *ctx) {
    uint64_t one = 1;
    ssize_t put = write(((wshub_io_epoll__p *)ctx)->wake, &one, sizeof one);
    (void)put; /* full means that a wake is under way */
}

static int wshub_io_epoll__fd(void *ctx) {
    return ((wshub_io_epoll__p *)ctx)->fd;
}

WSHUB_API const wshub_io_sock_poller *wshub_io_epoll_poller(void) {
    static const wshub_io_sock_poller poller = {WSHUB_POLLER_VERSION,   "epoll",
                                                wshub_io_epoll__create, wshub_io_epoll__destroy,
                                                wshub_io_epoll__watch,  wshub_io_epoll__wait,
                                                wshub_io_epoll__wake,   wshub_io_epoll__fd};
    return &poller;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
