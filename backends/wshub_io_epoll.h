/* wshub_io_epoll.h - the epoll poller of wshub_io_sock.h
 *
 * [x] Linux; a wait costs what is ready, whatever the number of streams; wakes through an eventfd
 * [x] its descriptor can be watched by another loop
 * [ ] edge triggering: it would save a few percent at most, and a stream that is served in part
 *     would have to be remembered here
 *
 * System   Linux.
 * Include  behind wshub_io_sock.h; pass wshub_io_epoll_poller() as wshub_io_sock_desc.poller.
 *          Or take wshub_io_auto.h, which does both.
 * Threads  that of its io; a wake may come from any. */
#ifndef WSHUB_IO_EPOLL_H
#define WSHUB_IO_EPOLL_H
#ifndef WSHUB_IO_SOCK_H
#error "include wshub_io_sock.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* Returns the table of this poller, valid for ever. Any thread. */
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

#define WSHUB_IO_EPOLL__WAKE UINT64_MAX /* the tag of the eventfd, which no stream has */
enum { WSHUB_IO_EPOLL__EVENTS = 512 };  /* in one wait */

typedef struct wshub_io_epoll__p {
    int fd;
    int wake; /* an eventfd: readable once somebody has woken */
} wshub_io_epoll__p;

static void wshub_io_epoll__destroy(void *ctx) {
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)ctx;
    if (p->fd >= 0) (void)close(p->fd);
    if (p->wake >= 0) (void)close(p->wake);
    free(p);
}

static void *wshub_io_epoll__create(void) {
    struct epoll_event e;
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)malloc(sizeof *p);
    if (!p) return NULL;

    memset(&e, 0, sizeof e);
    e.events = EPOLLIN;
    e.data.u64 = WSHUB_IO_EPOLL__WAKE;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd >= 0 && p->wake >= 0 && epoll_ctl(p->fd, EPOLL_CTL_ADD, p->wake, &e) == 0) return p;
    wshub_io_epoll__destroy(p);
    return NULL;
}

static bool wshub_io_epoll__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)ctx;
    struct epoll_event e;
    int how = EPOLL_CTL_MOD;
    if (!had) how = EPOLL_CTL_ADD;
    if (!want) how = EPOLL_CTL_DEL;

    /* Errors and the end of both directions are always told, so GONE asks for nothing. */
    memset(&e, 0, sizeof e);
    if (want & WSHUB_IO_SOCK_READ) e.events |= (uint32_t)EPOLLIN;
    if (want & WSHUB_IO_SOCK_WRITE) e.events |= (uint32_t)EPOLLOUT;
    e.data.u64 = tag;
    return epoll_ctl(p->fd, how, fd, &e) == 0;
}

static unsigned wshub_io_epoll__ready(uint32_t events) {
    unsigned ready = 0;
    if (events & (uint32_t)(EPOLLIN | EPOLLHUP | EPOLLERR)) ready |= WSHUB_IO_SOCK_READ;
    if (events & (uint32_t)(EPOLLOUT | EPOLLHUP | EPOLLERR)) ready |= WSHUB_IO_SOCK_WRITE;
    if (events & (uint32_t)(EPOLLHUP | EPOLLERR)) ready |= WSHUB_IO_SOCK_GONE;
    return ready;
}

/* epoll tells of those first that have waited longest: what did not fit comes before what comes
 * again. */
static int wshub_io_epoll__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_epoll__p *p = (wshub_io_epoll__p *)ctx;
    struct epoll_event list[WSHUB_IO_EPOLL__EVENTS];
    int most = cap < WSHUB_IO_EPOLL__EVENTS ? cap : (int)WSHUB_IO_EPOLL__EVENTS;
    int i, n = epoll_wait(p->fd, list, most, timeout_ms), out = 0;
    if (n < 0) return errno == EINTR ? 0 : -1;

    for (i = 0; i < n; i++) {
        if (list[i].data.u64 == WSHUB_IO_EPOLL__WAKE) {
            uint64_t count;
            ssize_t got = read(p->wake, &count, sizeof count);
            (void)got; /* nothing means that another wait has taken it */
            continue;
        }
        events[out].tag = list[i].data.u64;
        events[out].ready = wshub_io_epoll__ready(list[i].events);
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
