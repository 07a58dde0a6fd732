/* An io of one's own: the hub over plain poll(). Copy this to carry the hub on another loop,
 * another transport, another system.
 *
 * Build: cc custom_io.c -I.. -o custom_io (in examples/)
 * Try:   ./custom_io 8080, then any WebSocket program on ws://127.0.0.1:8080/ws
 *
 * An io gives the hub a table of orders (send, close, clocks, randomness) and calls its reports
 * (opened, received, ended, drained, closed); then, once before it waits, settle. An order calls no
 * report: what a send or a close finds out is told from the loop. closed() is the last word about a
 * stream, once. Within a turn time stands still.
 *
 * What is missing here may be missing: wake (wshub_post* is refused then), pause, about, guests. */
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

typedef struct stream {
    enum { FREE, OPEN, PEER_ENDED, WE_ENDED, GONE } state; /* GONE: closed() is owed */
    int fd;
    bool blocked;   /* a send was short: drained() is owed */
    uint32_t reuse; /* tells streams of the same number apart */
} stream;

static struct my_io {
    stream streams[STREAMS];
    int listener;
    wshub_io_owner owner; /* the hub */
    bool owned;
    uint64_t now;
    uint64_t heard; /* when the last wait began: what had come by then has been told */
} my;

static wshub_conn handle(const stream *s) {
    return (wshub_conn){(uint64_t)s->reuse << 32 | (uint64_t)(s - my.streams)};
}
static uint64_t clock_ms(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the orders of the hub ---- */

static void my_attach(void *ctx, const wshub_io_owner *owner) {
    (void)ctx;
    my.owned = owner != NULL;
    if (owner) my.owner = *owner;
    for (stream *s = my.streams; !owner && s < my.streams + STREAMS; s++) {
        if (s->state != FREE) s->state = GONE; /* nobody is left who would be told */
    }
}
static bool my_taken(void *ctx) {
    return (void)ctx, my.owned;
}

/* Says how much it took; the hub keeps the rest until drained(). A broken stream takes
 * everything. */
static int64_t my_send(void *ctx, wshub_conn conn, const wshub_span *spans, size_t count) {
    stream *s = &my.streams[(uint32_t)conn.id];
    int64_t done = 0;
    (void)ctx;
    for (size_t k = 0; k < count && !s->blocked; k++) {
        ssize_t all = (ssize_t)spans[k].len, n = all;
        if (s->state != GONE) n = send(s->fd, spans[k].ptr, spans[k].len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) s->state = GONE, n = all;
        if (n > 0) done += n;
        s->blocked = n < all;
    }
    return done;
}

/* flush: our end goes out behind what was sent, and the peer's is read for; the hub has the
 * clock for that and closes without flush when it takes too long. */
static void my_close(void *ctx, wshub_conn conn, bool flush) {
    stream *s = &my.streams[(uint32_t)conn.id];
    (void)ctx;
    s->blocked = false;
    if (flush && s->state == OPEN && shutdown(s->fd, SHUT_WR) == 0)
        s->state = WE_ENDED;
    else if (!flush || s->state != WE_ENDED)
        s->state = GONE;
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
/* One line, shown at once; standard error is not buffered. */
static void my_log(void *ctx, wshub_log_level level, const char *line) {
    (void)ctx, (void)level;
    fprintf(stderr, "%s\n", line);
}
static const wshub_io my_table = {.version = WSHUB_IO_VERSION,
                                  .attach = my_attach,
                                  .taken = my_taken,
                                  .send = my_send,
                                  .close = my_close,
                                  .now_ms = my_now,
                                  .heard_ms = my_heard,
                                  .wall_ms = my_wall,
                                  .random = my_random,
                                  .log = my_log};

/* ---- the reports to the hub ---- */

static void accept_one(void) {
    int fd = accept4(my.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    stream *s = my.streams;
    if (fd < 0) return;
    while (s < my.streams + STREAMS && s->state != FREE) s++;
    if (s == my.streams + STREAMS) { /* full */
        close(fd);
        return;
    }
    *s = (stream){.state = OPEN, .fd = fd, .reuse = s->reuse + 1};
    my.owner.opened(my.owner.ctx, handle(s));
}

static void read_one(stream *s) {
    uint8_t buf[65536];
    ssize_t n = recv(s->fd, buf, sizeof buf, 0);
    if (n > 0 && s->state == OPEN) {
        my.owner.received(my.owner.ctx, handle(s), buf, (size_t)n);
    } else if (n == 0 && s->state == OPEN) { /* it sends no more, and may still read */
        s->state = PEER_ENDED;
        my.owner.ended(my.owner.ctx, handle(s));
    } else if (n == 0 || (n < 0 && errno != EAGAIN)) {
        s->state = GONE;
    }
}

static void serve_one(stream *s, short ready) {
    if (s->state == PEER_ENDED && (ready & ~POLLOUT)) s->state = GONE; /* nor can it hear us now */
    if ((ready & POLLOUT) && s->blocked) {
        s->blocked = false;
        my.owner.drained(my.owner.ctx, handle(s));
    }
    if ((ready & ~POLLOUT) && (s->state == OPEN || s->state == WE_ENDED)) read_one(s);
}

/* The last word about all who are gone. Returns whether there were any. */
static bool bury(void) {
    bool any = false;
    for (stream *s = my.streams; s < my.streams + STREAMS; s++) {
        if (s->state != GONE) continue;
        any = true;
        s->state = FREE;
        close(s->fd);
        if (my.owned) my.owner.closed(my.owner.ctx, handle(s));
    }
    return any;
}

/* Waits until `until` for what is ready, and reports it. What is watched follows from the
 * states. */
static void wait_and_serve(uint64_t until) {
    struct pollfd fds[STREAMS + 1];
    uint64_t before = clock_ms(CLOCK_MONOTONIC), ms = until > before ? until - before : 0;
    for (int i = 0; i < STREAMS; i++) {
        const stream *s = &my.streams[i];
        fds[i] = (struct pollfd){.fd = s->state == FREE ? -1 : s->fd};
        if (s->state == OPEN || s->state == WE_ENDED) fds[i].events |= POLLIN;
        if (s->blocked) fds[i].events |= POLLOUT;
    }
    fds[STREAMS] = (struct pollfd){.fd = my.listener, .events = POLLIN};
    int ready = poll(fds, STREAMS + 1, until == WSHUB_NEVER ? -1 : ms > 60000 ? 60000 : (int)ms);
    my.now = clock_ms(CLOCK_MONOTONIC);
    if (ready < 0) return; /* a signal */

    for (int i = 0; i < STREAMS && my.owned; i++) { /* a report may end the hub */
        if (fds[i].revents) serve_one(&my.streams[i], fds[i].revents);
    }
    if (fds[STREAMS].revents && my.owned) accept_one();
    my.heard = before; /* poll() tells of all that are ready */
}

/* ---- the program ---- */

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user;
    wshub_auth_accept(hub, ask, NULL);
}
static volatile sig_atomic_t stop;
static void on_signal(int number) {
    (void)number, stop = 1;
}
static int listen_at(uint16_t port) {
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 16) ? -1 : fd;
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    wshub_desc desc = {.io = &my_table, .on_authenticate = on_authenticate};
    wshub *hub;
    my.now = my.heard = clock_ms(CLOCK_MONOTONIC);
    my.listener = listen_at(port);
    if (my.listener < 0) return perror("listen"), 1;
    if (wshub_create(&desc, &hub)) return 1; /* my_log() has been told why */
    signal(SIGTERM, on_signal);
    printf("ws://127.0.0.1:%u/ws\n", (unsigned)port);
    fflush(stdout);

    while (!stop && my.owned) {
        uint64_t next = my.owner.settle(my.owner.ctx);
        wait_and_serve(bury() ? 0 : next); /* what was buried is to be settled */
    }
    if (my.owned) wshub_destroy(hub);
    bury();
    return 0;
}
