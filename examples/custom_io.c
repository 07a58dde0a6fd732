/* An io of one's own: the hub over plain poll() and blocking accept(), in some hundred and sixty lines. Copy this to
 * carry the hub on another loop, another transport, another system.
 *
 * Build: cc custom_io.c -I.. -o custom_io     Try: ./custom_io 8080, then ws://127.0.0.1:8080/ws
 *
 * An io gives the hub a table of orders (send, close, clocks, randomness) and calls its reports: opened, received,
 * ended (the peer sends no more, and may still read), drained, closed. Then, once before it waits, settle. It has no
 * wake, so wshub_post* is refused. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS = 64 };
static struct my_io {
    struct pollfd fds[STREAMS + 1]; /* the last one listens; fd -1: free */
    uint32_t reuse[STREAMS];        /* tells streams with the same number apart */
    bool peer_ended[STREAMS];       /* it sends no more, and the hub knows */
    bool we_ended[STREAMS]; /* our end is out: what the peer still says is not for the hub */
    bool gone[STREAMS];     /* to be reported as closed */
    wshub_io_owner owner;
    bool owned;
    uint64_t now, heard; /* time stands still in a turn; when the last wait began: what had come by
                            then has been told */
} my;

static wshub_conn handle(uint32_t i) {
    return (wshub_conn){(uint64_t)my.reuse[i] << 32 | i};
}
static void my_attach(void *ctx, const wshub_io_owner *owner) {
    (void)ctx;
    my.owned = owner != NULL;
    if (owner) my.owner = *owner;
}
static bool my_taken(void *ctx) {
    return (void)ctx, my.owned;
}
static int64_t my_send(void *ctx, wshub_conn conn, const wshub_span *spans, size_t count) {
    uint32_t i = (uint32_t)conn.id;
    int64_t done = 0;
    (void)ctx;
    for (size_t k = 0; k < count; k++) {
        ssize_t n = my.gone[i] ? (ssize_t)spans[k].len
                               : send(my.fds[i].fd, spans[k].ptr, spans[k].len,
                                      MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            my.gone[i] = true, n = (ssize_t)spans[k].len; /* broken: closed() will tell */
        if (n > 0) done += n;
        if (n < (ssize_t)spans[k].len) {
            my.fds[i].events |= POLLOUT; /* drained() when there is room */
            break;
        }
    }
    return done;
}
static void my_close(void *ctx, wshub_conn conn, bool flush) {
    uint32_t i = (uint32_t)conn.id;
    (void)ctx;
    if (flush) shutdown(my.fds[i].fd, SHUT_WR);
    if (!flush || my.peer_ended[i]) my.gone[i] = true; /* both sides have ended */
    my.we_ended[i] = true;
    my.fds[i].events = POLLIN; /* read on to the peer's end; the hub closes without flush when that
                                  takes too long */
}
static uint64_t clock_ms(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static uint64_t my_now(void *ctx) {
    return (void)ctx, my.now;
}
static uint64_t my_heard(void *ctx) {
    return (void)ctx, my.heard;
}
static uint64_t my_wall(void *ctx) {
    return (void)ctx, clock_ms(CLOCK_REALTIME);
}
static bool my_random(void *ctx, uint8_t *bytes, size_t count) {
    FILE *f = fopen("/dev/urandom", "rb");
    bool ok = f && fread(bytes, 1, count, f) == count;
    (void)ctx;
    if (f) fclose(f);
    return ok;
}

static void accept_one(void) {
    int fd = accept(my.fds[STREAMS].fd, NULL, NULL);
    uint32_t i = 0;
    while (i < STREAMS && my.fds[i].fd >= 0) i++;
    if (fd < 0) return;
    if (i == STREAMS) {
        close(fd);
        return;
    }
    my.fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
    my.peer_ended[i] = my.we_ended[i] = my.gone[i] = false;
    my.reuse[i]++;
    my.owner.opened(my.owner.ctx, handle(i));
}
static void serve_one(uint32_t i) {
    uint8_t buf[65536];
    if (my.fds[i].revents & POLLOUT) {
        my.fds[i].events &= ~POLLOUT;
        my.owner.drained(my.owner.ctx, handle(i));
    }
    if (my.fds[i].revents & ~POLLOUT) {
        ssize_t n =
            my.gone[i] || my.peer_ended[i] ? -1 : recv(my.fds[i].fd, buf, sizeof buf, MSG_DONTWAIT);
        if (my.peer_ended[i]) { /* it had ended, and now it cannot hear us either */
            my.gone[i] = true;
        } else if (n > 0) {
            if (!my.we_ended[i]) my.owner.received(my.owner.ctx, handle(i), buf, (size_t)n);
        } else if (n == 0 && !my.we_ended[i]) {
            my.peer_ended[i] = true;
            my.fds[i].events &= ~POLLIN; /* it would be readable for ever */
            my.owner.ended(my.owner.ctx, handle(i));
        } else if (n == 0 || errno != EAGAIN) {
            my.gone[i] = true;
        }
    }
}

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user;
    wshub_auth_accept(hub, ask, NULL);
}
static volatile sig_atomic_t stop;
static void on_signal(int number) {
    (void)number, stop = 1;
}

int main(int argc, char **argv) {
    wshub_io io = {.version = WSHUB_IO_VERSION,
                   .attach = my_attach,
                   .taken = my_taken,
                   .send = my_send,
                   .close = my_close,
                   .now_ms = my_now,
                   .heard_ms = my_heard,
                   .wall_ms = my_wall,
                   .random = my_random};
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 8080)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    wshub *hub;
    my.now = my.heard = clock_ms(CLOCK_MONOTONIC);
    for (int i = 0; i < STREAMS; i++) my.fds[i].fd = -1;
    my.fds[STREAMS] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
    setsockopt(my.fds[STREAMS].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(my.fds[STREAMS].fd, (struct sockaddr *)&at, sizeof at) ||
        listen(my.fds[STREAMS].fd, 16))
        return perror("listen"), 1;
    if (wshub_create(&(wshub_desc){.io = &io, .on_authenticate = on_authenticate}, &hub)) return 1;
    signal(SIGTERM, on_signal);
    printf("ws://127.0.0.1:%u/ws\n", (unsigned)ntohs(at.sin_port));
    fflush(stdout);
    while (!stop) {
        uint64_t next = my.owner.settle(my.owner.ctx), before;
        for (uint32_t i = 0; i < STREAMS; i++) { /* the last word about each, not from inside an
                                                    order */
            if (my.fds[i].fd < 0 || !my.gone[i]) continue;
            close(my.fds[i].fd);
            my.fds[i].fd = -1;
            my.owner.closed(my.owner.ctx, handle(i));
            next = 0; /* settle again */
        }
        before = clock_ms(CLOCK_MONOTONIC);
        int ready = poll(my.fds, STREAMS + 1,
                         next == WSHUB_NEVER ? -1
                         : next > before     ? (int)(next - before)
                                             : 0);
        my.now = clock_ms(CLOCK_MONOTONIC);
        if (ready < 0) continue;
        if (my.fds[STREAMS].revents) accept_one();
        for (uint32_t i = 0; i < STREAMS; i++) {
            if (my.fds[i].fd >= 0 && my.fds[i].revents) serve_one(i);
        }
        my.heard = before; /* poll() tells of all that are ready */
    }
    wshub_destroy(hub);
    return 0;
}
