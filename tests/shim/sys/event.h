/* kqueue() and kevent() on Linux, over epoll, as far as wshub_io_kqueue.h needs them and as the manual page
 * says: a filter for each (ident, filter), EV_ADD, EV_DELETE (ENOENT for what is not there), EV_CLEAR,
 * EV_EOF with the data that is still pending in `data`, EVFILT_USER with NOTE_TRIGGER from any thread,
 * removal when the descriptor is closed. For tests only. */
#ifndef WSHUB_TEST_SHIM_EVENT_H
#define WSHUB_TEST_SHIM_EVENT_H
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER (-11)
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR 0x0020
#define EV_ERROR 0x4000
#define EV_EOF 0x8000
#define NOTE_TRIGGER 0x01000000

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned int fflags;
    intptr_t data;
    void *udata;
};
#define EV_SET(kev, a, b, c, d, e, f) \
    do {                              \
        (kev)->ident = (a);           \
        (kev)->filter = (b);          \
        (kev)->flags = (c);           \
        (kev)->fflags = (d);          \
        (kev)->data = (e);            \
        (kev)->udata = (f);           \
    } while (0)

/* which filters each descriptor has, in one queue a process: enough for the tests */
typedef struct shim_queue {
    int ep, user;
    unsigned char filters[65536]; /* 1: read, 2: write, 4: write with EV_CLEAR, which here stands alone */
} shim_queue;
static shim_queue *shim_queues[64]; /* by epoll descriptor modulo 64 */

static int kqueue(void) {
    shim_queue *q = (shim_queue *)calloc(1, sizeof *q);
    struct epoll_event e;
    if (!q) return -1;
    q->ep = epoll_create1(EPOLL_CLOEXEC);
    q->user = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    memset(&e, 0, sizeof e);
    e.events = EPOLLIN;
    e.data.fd = q->user;
    (void)epoll_ctl(q->ep, EPOLL_CTL_ADD, q->user, &e);
    if (shim_queues[q->ep % 64]) { /* its descriptor was closed, which ended it */
        (void)close(shim_queues[q->ep % 64]->user);
        free(shim_queues[q->ep % 64]);
    }
    shim_queues[q->ep % 64] = q;
    return q->ep;
}

static uint32_t shim_events(unsigned char filters) {
    return (filters & 1 ? EPOLLIN : 0u) | (filters & 2 ? EPOLLOUT : 0u) | (filters & 4 ? EPOLLOUT | EPOLLET : 0u);
}

static int shim_change(shim_queue *q, const struct kevent *k) {
    struct epoll_event e;
    unsigned char bit, drop, had, now;
    int r;
    if (k->filter == EVFILT_USER) {
        uint64_t one = 1;
        if (k->fflags & NOTE_TRIGGER) return write(q->user, &one, sizeof one) == sizeof one || errno == EAGAIN ? 0 : -1;
        return 0;
    }
    if (k->ident >= sizeof q->filters) {
        errno = EBADF;
        return -1;
    }
    drop = k->filter == EVFILT_READ ? 1 : 6;
    bit = k->filter == EVFILT_READ ? 1 : k->flags & EV_CLEAR ? 4 : 2;
    had = q->filters[k->ident];
    memset(&e, 0, sizeof e);
    e.data.fd = (int)k->ident;
    if (had) { /* closing a descriptor removes its filters; a new one may have the number now */
        e.events = shim_events(had);
        if (epoll_ctl(q->ep, EPOLL_CTL_MOD, (int)k->ident, &e) != 0) had = 0;
    }
    if ((k->flags & EV_DELETE) && !(had & drop)) {
        q->filters[k->ident] = had;
        errno = ENOENT;
        return -1;
    }
    now = (unsigned char)(k->flags & EV_DELETE ? had & ~drop : had | bit);
    e.events = shim_events(now);
    r = epoll_ctl(q->ep, !had ? EPOLL_CTL_ADD : now ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, (int)k->ident, &e);
    if (r == 0) q->filters[k->ident] = now;
    return r;
}

static int kevent(int kq, const struct kevent *changes, int nchanges, struct kevent *events, int nevents, const struct timespec *timeout) {
    shim_queue *q = shim_queues[kq % 64];
    struct epoll_event list[512];
    int i, n, out = 0;
    for (i = 0; i < nchanges; i++) {
        if (shim_change(q, &changes[i]) == 0) continue;
        if (nevents == 0) return -1;
        events[out] = changes[i];
        events[out].flags = EV_ERROR;
        events[out++].data = errno;
    }
    if (nevents == 0 || out) return out;
    n = epoll_wait(q->ep, list, nevents < 512 ? nevents : 512,
                   timeout ? (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000) : -1);
    if (n < 0) return -1;
    for (i = 0; i < n && out < (nevents > 1 ? nevents - 1 : nevents); i++) { /* the rest comes next time */
        int fd = list[i].data.fd;
        uint32_t e = list[i].events;
        if (fd == q->user) {
            uint64_t junk;
            ssize_t got = read(fd, &junk, sizeof junk);
            (void)got;
            EV_SET(&events[out], 0, EVFILT_USER, EV_CLEAR, NOTE_TRIGGER, 0, NULL);
            out++;
            continue;
        }
        if ((q->filters[fd] & 1) && (e & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))) {
            int pending = 0;
            char peek;
            unsigned short flags = 0;
            (void)ioctl(fd, FIONREAD, &pending);
            if ((e & (EPOLLHUP | EPOLLERR)) || (pending == 0 && recv(fd, &peek, 1, MSG_PEEK | MSG_DONTWAIT) == 0)) flags = EV_EOF;
            EV_SET(&events[out], (uintptr_t)fd, EVFILT_READ, flags, 0, pending, NULL);
            out++;
        }
        if ((q->filters[fd] & 6) && (e & (EPOLLOUT | EPOLLHUP | EPOLLERR))) {
            unsigned short flags = (unsigned short)((e & (EPOLLHUP | EPOLLERR) ? EV_EOF : 0) | (q->filters[fd] & 4 ? EV_CLEAR : 0));
            EV_SET(&events[out], (uintptr_t)fd, EVFILT_WRITE, flags, 0, 1, NULL);
            out++;
        }
    }
    return out;
}
#endif
