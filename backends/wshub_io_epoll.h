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

#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define WSHUB_IO_EPOLL__WAKE UINT64_MAX /* instead of a tag: somebody has called wake() */
#define WSHUB_IO_EPOLL__BATCH 512       /* events that are asked for at once */

typedef struct wshub_io_epoll__p {
    int fd, wake;
} wshub_io_epoll__p;

/* An epoll, and a counter that wakes it. NULL: the system has none left. */
static void *wshub_io_epoll__create(void) {
    struct epoll_event event;
    wshub_io_epoll__p *poller = (wshub_io_epoll__p *)malloc(sizeof *poller);

    if (!poller) return NULL;
    memset(&event, 0, sizeof event);
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    poller->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.events = EPOLLIN;
    event.data.u64 = WSHUB_IO_EPOLL__WAKE;

    if (poller->fd < 0 || poller->wake < 0 ||
        epoll_ctl(poller->fd, EPOLL_CTL_ADD, poller->wake, &event) != 0) {
        if (poller->fd >= 0) (void)close(poller->fd);
        if (poller->wake >= 0) (void)close(poller->wake);
        free(poller);
        return NULL;
    }
    return poller;
}

static void wshub_io_epoll__destroy(void *ctx) {
    wshub_io_epoll__p *poller = (wshub_io_epoll__p *)ctx;

    (void)close(poller->fd);
    (void)close(poller->wake);
    free(poller);
}

static bool wshub_io_epoll__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_epoll__p *poller = (wshub_io_epoll__p *)ctx;
    struct epoll_event event;

    WSHUB_ASSERT(tag != WSHUB_IO_EPOLL__WAKE);
    memset(&event, 0, sizeof event);
    event.events = (want & WSHUB_IO_SOCK_READ ? (uint32_t)EPOLLIN : 0u) |
                   (want & WSHUB_IO_SOCK_WRITE ? (uint32_t)EPOLLOUT : 0u);
    event.data.u64 = tag;
    return epoll_ctl(poller->fd,
                     !had   ? EPOLL_CTL_ADD
                     : want ? EPOLL_CTL_MOD
                            : EPOLL_CTL_DEL,
                     fd, &event) == 0;
}

/* What the system says of a descriptor. Its end and its errors are told, asked for or not. */
static unsigned wshub_io_epoll__ready(uint32_t told) {
    bool gone = (told & (EPOLLHUP | EPOLLERR)) != 0;

    return (gone || (told & EPOLLIN) ? (unsigned)WSHUB_IO_SOCK_READ : 0u) |
           (gone || (told & EPOLLOUT) ? (unsigned)WSHUB_IO_SOCK_WRITE : 0u) |
           (gone ? (unsigned)WSHUB_IO_SOCK_GONE : 0u);
}

static int wshub_io_epoll__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_epoll__p *poller = (wshub_io_epoll__p *)ctx;
    struct epoll_event list[WSHUB_IO_EPOLL__BATCH];
    int most = cap < WSHUB_IO_EPOLL__BATCH ? cap : WSHUB_IO_EPOLL__BATCH;
    int i, count = epoll_wait(poller->fd, list, most, timeout_ms), out = 0;

    if (count < 0) return errno == EINTR ? 0 : -1;
    for (i = 0; i < count; i++) {
        /* Only woken: the counter is taken back to 0. */
        if (list[i].data.u64 == WSHUB_IO_EPOLL__WAKE) {
            uint64_t wakes;
            ssize_t got = read(poller->wake, &wakes, sizeof wakes);
            (void)got;
            continue;
        }
        events[out].tag = list[i].data.u64;
        events[out].ready = wshub_io_epoll__ready(list[i].events);
        out++;
    }
    WSHUB_ASSERT(out <= cap);
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
