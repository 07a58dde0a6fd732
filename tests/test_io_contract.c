/* The io contract (tests/io_contract.h) on epoll, kqueue (over its shim), poll and the fake,
 * over TCP and Unix sockets; on Windows there are poll and the fake, and no Unix sockets. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#ifndef _WIN32
#include "wshub_io_kqueue.h"
#endif
#include "wshub_io_poll.h"
#include "io_contract.h"
#include "sock_peer.h"
#include <errno.h>

typedef struct sock_ctx {
    wshub_io_sock *net;
    uint16_t port;
    int listener;
    char address[64];
    const char *path; /* where peers dial; NULL: the port */
} sock_ctx;
typedef struct sock_peer {
    int fd;
    bool stalled;
} sock_peer;
static void *sock_dial(io_world *w) {
    const sock_ctx *s = (const sock_ctx *)w->ctx;
    sock_peer *p = (sock_peer *)calloc(1, sizeof *p);
    p->fd = s->path ? dial_path(s->path) : dial_port(s->port);
    EXPECT_OP(p->fd, >=, 0);
    return p;
}
static void sock_say(io_world *w, void *peer, const char *bytes, size_t n) {
    (void)w;
    EXPECT_INT(send(((sock_peer *)peer)->fd, bytes, n, MSG_NOSIGNAL), n);
}
static size_t sock_hear(io_world *w, void *peer, char *buf, size_t cap, bool *ended) {
    sock_peer *p = (sock_peer *)peer;
    ssize_t n;
    (void)w;
    if (p->stalled) return 0;
    n = recv(p->fd, buf, cap, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) *ended = true;
    return n > 0 ? (size_t)n : 0;
}
static void sock_hang_up(io_world *w, void *peer) {
    (void)w;
    (void)close(((sock_peer *)peer)->fd);
    free(peer);
}
static void sock_half_close(io_world *w, void *peer) {
    (void)w;
    EXPECT_INT(shutdown(((sock_peer *)peer)->fd, SHUT_WR), 0);
}
static void sock_reset(io_world *w, void *peer) {
    struct linger hard = {1, 0};
    EXPECT_INT(setsockopt(((sock_peer *)peer)->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    sock_hang_up(w, peer);
}
static int sock_silence(io_world *w, int ms) {
    wshub_io_sock *net = ((sock_ctx *)w->ctx)->net;
    wshub_io_sock_stats before, after;
    uint64_t end = wall_ms() + (uint64_t)ms, now;
    wshub_io_sock_stats_get(net, &before);
    while ((now = wall_ms()) < end)
        EXPECT_INT(wshub_io_sock_run_once(net, (int)(end - now)), WSHUB_OK);
    wshub_io_sock_stats_get(net, &after);
    return (int)(after.waits - before.waits);
}
static void sock_late(io_world *w, int ms) {
    (void)w;
    (void)usleep((useconds_t)ms * 1000);
}
static void sock_stall(io_world *w, void *peer, bool stalled) {
    (void)w;
    ((sock_peer *)peer)->stalled = stalled;
}
static void sock_step(io_world *w) {
    EXPECT_INT(wshub_io_sock_run_once(((sock_ctx *)w->ctx)->net, 5), WSHUB_OK);
}
static void *sock_accept(io_world *w) {
    int fd = accept(((sock_ctx *)w->ctx)->listener, NULL, NULL);
    sock_peer *p;
    if (fd < 0) return NULL;
    p = (sock_peer *)calloc(1, sizeof *p);
    p->fd = fd;
    return p;
}

/* local: guests dial this Unix socket; path: peers dial that one. NULL: ports. */
static void sock_contract(const wshub_io_sock_poller *poller, const char *local, const char *path) {
    static io_world w;
    sock_ctx s;
    memset(&w, 0, sizeof w);
    memset(&s, 0, sizeof s);
    s.listener = listen_apart(local, s.address);
    w.address = s.address;
    w.nowhere = local ? own_path("nowhere.sock") : "127.0.0.1:1";
    w.accept = sock_accept;
    EXPECT_INT(
        wshub_io_sock_create(&(wshub_io_sock_desc){.poller = poller, .linger_ms = 200}, &s.net),
        WSHUB_OK);
    s.path = path;
    w.soft = path != NULL;
    EXPECT_INT(path ? wshub_io_sock_listen_unix(s.net, path)
                    : wshub_io_sock_listen(s.net, "127.0.0.1", 0, &s.port),
               WSHUB_OK);
    w.name = poller->name;
    w.io = wshub_io_sock_io(s.net);
    w.ctx = &s;
    w.dial = sock_dial;
    w.say = sock_say;
    w.hear = sock_hear;
    w.hang_up = sock_hang_up;
    w.stall = sock_stall;
    w.step = sock_step;
    w.half_close = sock_half_close;
    w.reset = sock_reset;
    w.silence = sock_silence;
    w.late = sock_late;
    io_contract(&w);
    wshub_io_sock_destroy(s.net);
    (void)close(s.listener);
    if (local) (void)unlink(local);
}

#ifdef __linux__
TEST(epoll_keeps_the_contract) {
    sock_contract(wshub_io_epoll_poller(), NULL, NULL);
}
#endif

TEST(poll_keeps_the_contract) {
    sock_contract(wshub_io_poll_poller(), NULL, NULL);
}

#ifndef _WIN32
TEST(kqueue_keeps_the_contract) {
    sock_contract(wshub_io_kqueue_poller(), own_path("guest.sock"), NULL);
}

TEST(unix_sockets_keep_the_contract) {
    sock_contract(BEST, own_path("guest.sock"), own_path("peers.sock"));
}

TEST_WHOLE(unix_sockets_keep_the_contract_on_poll) {
    sock_contract(wshub_io_poll_poller(), NULL, own_path("peers.sock"));
}

TEST_WHOLE(unix_sockets_keep_the_contract_on_kqueue) {
    sock_contract(wshub_io_kqueue_poller(), NULL, own_path("peers.sock"));
}
#endif

static void *fake_dial(io_world *w) {
    wshub_conn *c = (wshub_conn *)calloc(1, sizeof *c);
    *c = wshub_io_fake_open((wshub_io_fake *)w->ctx);
    /* it ends when it is told to, as the others here */
    wshub_io_fake_silent((wshub_io_fake *)w->ctx, *c, true);
    return c;
}
static void fake_say(io_world *w, void *peer, const char *bytes, size_t n) {
    wshub_io_fake_input((wshub_io_fake *)w->ctx, *(wshub_conn *)peer, bytes, n);
}
static size_t fake_hear(io_world *w, void *peer, char *buf, size_t cap, bool *ended) {
    wshub_io_fake *f = (wshub_io_fake *)w->ctx;
    wshub_str out = wshub_io_fake_output(f, *(wshub_conn *)peer);
    size_t n = out.len < cap ? out.len : cap;
    if (n) memcpy(buf, out.ptr, n);
    wshub_io_fake_take(f, *(wshub_conn *)peer, n);
    *ended = n == 0 && !wshub_io_fake_is_open(f, *(wshub_conn *)peer);
    return n;
}
static void *fake_accept(io_world *w) {
    wshub_conn c, *p;
    if (!wshub_io_fake_dialled((wshub_io_fake *)w->ctx, &c, NULL)) return NULL;
    p = (wshub_conn *)calloc(1, sizeof *p);
    *p = c;
    wshub_io_fake_answer((wshub_io_fake *)w->ctx, c, true);
    return p;
}
static void fake_refuse(io_world *w) {
    wshub_conn c;
    if (wshub_io_fake_dialled((wshub_io_fake *)w->ctx, &c, NULL))
        wshub_io_fake_answer((wshub_io_fake *)w->ctx, c, false);
}
static void fake_hang_up(io_world *w, void *peer) {
    wshub_io_fake_end((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
    wshub_io_fake_forget((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
    free(peer);
}
static void fake_stall(io_world *w, void *peer, bool stalled) {
    wshub_io_fake_window((wshub_io_fake *)w->ctx, *(wshub_conn *)peer,
                         stalled ? 250000 : UINT64_MAX);
}
static void fake_half_close(io_world *w, void *peer) {
    wshub_io_fake_half_close((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
}
static int fake_silence(io_world *w, int ms) {
    int before = w->settled;
    wshub_io_fake_advance((wshub_io_fake *)w->ctx, (uint64_t)ms);
    return w->settled - before;
}
static void fake_late(io_world *w, int ms) {
    wshub_io_fake_stall((wshub_io_fake *)w->ctx, ms > 0);
    wshub_io_fake_advance((wshub_io_fake *)w->ctx, (uint64_t)ms);
}
static void fake_step(io_world *w) {
    wshub_io_fake_advance((wshub_io_fake *)w->ctx, 1);
}

TEST(the_fake_keeps_the_contract) {
    static io_world w;
    wshub_io_fake *f;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    w.name = "fake";
    w.io = wshub_io_fake_io(f);
    w.ctx = f;
    w.dial = fake_dial;
    w.say = fake_say;
    w.hear = fake_hear;
    w.hang_up = fake_hang_up;
    w.stall = fake_stall;
    w.step = fake_step;
    w.half_close = fake_half_close;
    w.reset = fake_hang_up;
    w.silence = fake_silence;
    w.late = fake_late;
    w.takes_secure = true;
    w.address = "broker:6379";
    w.nowhere = "nowhere:1";
    w.accept = fake_accept;
    w.refuse = fake_refuse;
    io_contract(&w);
    wshub_io_fake_destroy(f);
}
