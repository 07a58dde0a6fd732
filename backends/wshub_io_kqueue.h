/* wshub_io_kqueue.h - the kqueue poller of wshub_io_sock.h
 *
 * [x] macOS, FreeBSD, OpenBSD, NetBSD, DragonFly; waiting is O(ready); wakes through EVFILT_USER
 * [x] EV_EOF with data still pending: the data is read first, the end is what recv() says
 * [ ] systems without EVFILT_USER: take wshub_io_poll.h there
 *
 * Tested on Linux over a shim of kqueue() and kevent() (tests/shim), not yet on the systems
 * themselves.
 * Include after wshub_io_sock.h. Pass wshub_io_kqueue_poller() as wshub_io_sock_desc.poller. */
#ifndef WSHUB_IO_KQUEUE_H
#define WSHUB_IO_KQUEUE_H
#ifndef WSHUB_IO_SOCK_H
#error "include wshub_io_sock.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif
/* Returns the table for wshub_io_sock_desc.poller; constant, valid for ever. Thread: any. */
WSHUB_API const wshub_io_sock_poller *wshub_io_kqueue_poller(void);
#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_KQUEUE_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_KQUEUE_IMPLEMENTATION)) &&                  \
    !defined(WSHUB__IO_KQUEUE_DONE)
#define WSHUB__IO_KQUEUE_DONE
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/event.h>
#include <time.h>
#include <unistd.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_io_kqueue__p {
    int fd;
    uint64_t *tags; /* by descriptor: udata is a pointer, too small for a tag on 32 bits */
    int tags_cap;
} wshub_io_kqueue__p;

static void *wshub_io_kqueue__create(void) {
    struct kevent e;
    wshub_io_kqueue__p *p = (wshub_io_kqueue__p *)calloc(1, sizeof *p);
    if (!p) return NULL;
    p->fd = kqueue();
    EV_SET(&e, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
    if (p->fd < 0 || kevent(p->fd, &e, 1, NULL, 0, NULL) != 0) {
        if (p->fd >= 0) (void)close(p->fd);
        free(p);
        return NULL;
    }
    return p;
}

static void wshub_io_kqueue__destroy(void *ctx) {
    wshub_io_kqueue__p *p = (wshub_io_kqueue__p *)ctx;
    (void)close(p->fd);
    free(p->tags);
    free(p);
}

static bool wshub_io_kqueue__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_kqueue__p *p = (wshub_io_kqueue__p *)ctx;
    struct kevent e[3];
    int n = 0;
    if (fd >= p->tags_cap) {
        int cap = p->tags_cap ? p->tags_cap : 64;
        uint64_t *tags;
        while (cap <= fd) cap *= 2;
        tags = (uint64_t *)realloc(p->tags, (size_t)cap * sizeof *tags);
        if (!tags) return false;
        p->tags = tags;
        p->tags_cap = cap;
    }
    p->tags[fd] = tag;
    if ((had ^ want) & WSHUB_IO_SOCK_READ) {
        EV_SET(&e[n], (uintptr_t)fd, EVFILT_READ, want & WSHUB_IO_SOCK_READ ? EV_ADD : EV_DELETE, 0,
               0, NULL);
        n++;
    }
    if ((had ^ want) & (WSHUB_IO_SOCK_WRITE | WSHUB_IO_SOCK_GONE)) {
        if (had & (WSHUB_IO_SOCK_WRITE | WSHUB_IO_SOCK_GONE)) {
            EV_SET(&e[n], (uintptr_t)fd, EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
            n++;
        }
        if (want & (WSHUB_IO_SOCK_WRITE | WSHUB_IO_SOCK_GONE)) { /* its end shows there; room, told
                                                                    once, is passed over */
            EV_SET(&e[n], (uintptr_t)fd, EVFILT_WRITE,
                   want & WSHUB_IO_SOCK_GONE ? EV_ADD | EV_CLEAR : EV_ADD, 0, 0, NULL);
            n++;
        }
    }
    return n == 0 || kevent(p->fd, e, n, NULL, 0, NULL) == 0;
}

static int wshub_io_kqueue__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_kqueue__p *p = (wshub_io_kqueue__p *)ctx;
    struct kevent list[512];
    struct timespec t;
    int i, n, out = 0;
    t.tv_sec = timeout_ms / 1000;
    t.tv_nsec = timeout_ms % 1000 * 1000000L;
    n = kevent(p->fd, NULL, 0, list, cap < 512 ? cap : 512, timeout_ms < 0 ? NULL : &t);
    if (n < 0) return errno == EINTR ? 0 : -1;
    for (i = 0; i < n; i++) {
        if (list[i].filter == EVFILT_USER || (list[i].flags & EV_ERROR)) continue;
        if (list[i].filter == EVFILT_WRITE && (list[i].flags & (EV_CLEAR | EV_EOF)) == EV_CLEAR)
            continue;
        events[out].tag = p->tags[list[i].ident];
        events[out].ready = list[i].filter == EVFILT_READ ? (unsigned)WSHUB_IO_SOCK_READ
                            : list[i].flags & EV_EOF
                                ? (unsigned)WSHUB_IO_SOCK_WRITE | (unsigned)WSHUB_IO_SOCK_GONE
                                : (unsigned)WSHUB_IO_SOCK_WRITE;
        out++;
    }
    return out;
}

static void wshub_io_kqueue__wake(void *ctx) {
    struct kevent e;
    EV_SET(&e, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    (void)kevent(((wshub_io_kqueue__p *)ctx)->fd, &e, 1, NULL, 0, NULL);
}

static int wshub_io_kqueue__fd(void *ctx) {
    return ((wshub_io_kqueue__p *)ctx)->fd;
}

WSHUB_API const wshub_io_sock_poller *wshub_io_kqueue_poller(void) {
    static const wshub_io_sock_poller poller = {WSHUB_POLLER_VERSION,    "kqueue",
                                                wshub_io_kqueue__create, wshub_io_kqueue__destroy,
                                                wshub_io_kqueue__watch,  wshub_io_kqueue__wait,
                                                wshub_io_kqueue__wake,   wshub_io_kqueue__fd};
    return &poller;
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
