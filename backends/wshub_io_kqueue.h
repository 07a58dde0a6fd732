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

#define WSHUB_IO_KQUEUE__BATCH 512 /* events that are asked for at once */

typedef struct wshub_io_kqueue__p {
    int fd;
    uint64_t *tags; /* by descriptor: udata is a pointer, too small for a tag on 32 bits */
    int tags_cap;
} wshub_io_kqueue__p;

/* A kqueue, with an event of our own that wakes it. NULL: the system has none left. */
static void *wshub_io_kqueue__create(void) {
    struct kevent change;
    wshub_io_kqueue__p *poller = (wshub_io_kqueue__p *)calloc(1, sizeof *poller);

    if (!poller) return NULL;
    poller->fd = kqueue();
    EV_SET(&change, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
    if (poller->fd < 0 || kevent(poller->fd, &change, 1, NULL, 0, NULL) != 0) {
        if (poller->fd >= 0) (void)close(poller->fd);
        free(poller);
        return NULL;
    }
    return poller;
}

static void wshub_io_kqueue__destroy(void *ctx) {
    wshub_io_kqueue__p *poller = (wshub_io_kqueue__p *)ctx;

    (void)close(poller->fd);
    free(poller->tags);
    free(poller);
}

/* Makes room for the tag of a descriptor. False: out of memory, nothing changed. */
static bool wshub_io_kqueue__reach(wshub_io_kqueue__p *poller, int fd) {
    int cap = poller->tags_cap ? poller->tags_cap : 64;
    uint64_t *tags;

    if (fd < poller->tags_cap) return true;
    while (cap <= fd) cap *= 2;
    tags = (uint64_t *)realloc(poller->tags, (size_t)cap * sizeof *tags);
    if (!tags) return false;
    poller->tags = tags;
    poller->tags_cap = cap;
    return true;
}

/* One filter for reading and one for writing: of each, what changes is said. */
static bool wshub_io_kqueue__watch(void *ctx, int fd, uint64_t tag, unsigned had, unsigned want) {
    wshub_io_kqueue__p *poller = (wshub_io_kqueue__p *)ctx;
    const unsigned writing = (unsigned)WSHUB_IO_SOCK_WRITE | (unsigned)WSHUB_IO_SOCK_GONE;
    struct kevent changes[3];
    int n = 0;

    if (!wshub_io_kqueue__reach(poller, fd)) return false;
    poller->tags[fd] = tag;
    if ((had ^ want) & WSHUB_IO_SOCK_READ) {
        EV_SET(&changes[n], (uintptr_t)fd, EVFILT_READ,
               want & WSHUB_IO_SOCK_READ ? EV_ADD : EV_DELETE, 0, 0, NULL);
        n++;
    }

    /* The end of a socket shows in the filter for writing. Where that alone is asked for, room is
     * told once, and passed over (wshub_io_kqueue__wait). */
    if (((had ^ want) & writing) && (had & writing)) {
        EV_SET(&changes[n], (uintptr_t)fd, EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
        n++;
    }
    if (((had ^ want) & writing) && (want & writing)) {
        EV_SET(&changes[n], (uintptr_t)fd, EVFILT_WRITE,
               want & WSHUB_IO_SOCK_GONE ? EV_ADD | EV_CLEAR : EV_ADD, 0, 0, NULL);
        n++;
    }
    return n == 0 || kevent(poller->fd, changes, n, NULL, 0, NULL) == 0;
}

/* What an event says of its descriptor. 0: nothing that was asked for. */
static unsigned wshub_io_kqueue__ready(const struct kevent *event) {
    bool end = (event->flags & EV_EOF) != 0;

    if (event->filter == EVFILT_USER || (event->flags & EV_ERROR)) return 0;
    if (event->filter == EVFILT_READ) return (unsigned)WSHUB_IO_SOCK_READ;
    if ((event->flags & EV_CLEAR) && !end) return 0; /* room, where only the end is waited for */
    return end ? (unsigned)WSHUB_IO_SOCK_WRITE | (unsigned)WSHUB_IO_SOCK_GONE
               : (unsigned)WSHUB_IO_SOCK_WRITE;
}

static int wshub_io_kqueue__wait(void *ctx, wshub_io_sock_event *events, int cap, int timeout_ms) {
    wshub_io_kqueue__p *poller = (wshub_io_kqueue__p *)ctx;
    struct kevent list[WSHUB_IO_KQUEUE__BATCH];
    struct timespec timeout;
    int most = cap < WSHUB_IO_KQUEUE__BATCH ? cap : WSHUB_IO_KQUEUE__BATCH, i, count, out = 0;

    timeout.tv_sec = timeout_ms / 1000;
    timeout.tv_nsec = timeout_ms % 1000 * 1000000L;
    count = kevent(poller->fd, NULL, 0, list, most, timeout_ms < 0 ? NULL : &timeout);
    if (count < 0) return errno == EINTR ? 0 : -1;

    for (i = 0; i < count; i++) {
        unsigned ready = wshub_io_kqueue__ready(&list[i]);
        if (!ready) continue;
        events[out].tag = poller->tags[list[i].ident];
        events[out].ready = ready;
        out++;
    }
    return out;
}

static void wshub_io_kqueue__wake(void *ctx) {
    struct kevent change;

    EV_SET(&change, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    (void)kevent(((wshub_io_kqueue__p *)ctx)->fd, &change, 1, NULL, 0, NULL);
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
