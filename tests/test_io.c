/* The io contract on epoll, kqueue (over its shim), poll and the fake; and what only sockets have: listeners,
 * Unix sockets, IPv6, running out of descriptors, resets, waking, another loop. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
/* The name many.test has the addresses that a test gives it. */
static const char *names[3];
static int names_count;
static int test_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    struct addrinfo *first = NULL, **end = &first;
    int i, e;
    if (!host || strcmp(host, "many.test") != 0) return getaddrinfo(host, service, hints, out);
    for (i = 0; i < names_count; i++) {
        e = getaddrinfo(names[i], service, hints, end);
        if (e) return e;
        end = &(*end)->ai_next;
    }
    *out = first;
    return 0;
}
#define getaddrinfo(a, b, c, d) test_getaddrinfo(a, b, c, d)
#include "wshub_io_auto.h"
#undef getaddrinfo
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "io_contract.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

/* ---- sockets ---- */
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

static int dial_port(uint16_t port) {
    union { struct sockaddr any; struct sockaddr_in in; } a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, &a.any, sizeof a.in) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}
static int dial_path(const char *path) {
    union { struct sockaddr any; struct sockaddr_un un; } a;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    if (fd >= 0 && connect(fd, &a.any, sizeof a.un) == 0) return fd;
    if (fd >= 0) (void)close(fd);
    return -1;
}
static void *sock_dial(io_world *w) {
    const sock_ctx *s = (const sock_ctx *)w->ctx;
    sock_peer *p = (sock_peer *)calloc(1, sizeof *p);
    p->fd = s->path ? dial_path(s->path) : dial_port(s->port);
    EXPECT(p->fd >= 0);
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
static uint64_t wall_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static int sock_silence(io_world *w, int ms) {
    wshub_io_sock *net = ((sock_ctx *)w->ctx)->net;
    wshub_io_sock_stats before, after;
    uint64_t end = wall_ms() + (uint64_t)ms, now;
    wshub_io_sock_stats_get(net, &before);
    while ((now = wall_ms()) < end) EXPECT_INT(wshub_io_sock_run_once(net, (int)(end - now)), WSHUB_OK);
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

/* A listener of the test's own. local: a Unix socket of this name, else a port. */
static int listen_apart(const char *local, char *address) {
    union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_un un; } a;
    socklen_t n = sizeof a.in;
    int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    if (local) {
        a.un.sun_family = AF_UNIX;
        (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%s", local);
        (void)unlink(local);
        n = sizeof a.un;
    } else {
        a.in.sin_family = AF_INET;
        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    EXPECT_INT(bind(fd, &a.any, n), 0);
    EXPECT_INT(listen(fd, 16), 0);
    EXPECT_INT(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    if (local) {
        (void)snprintf(address, 64, "%s", local);
    } else {
        EXPECT_INT(getsockname(fd, &a.any, &n), 0);
        (void)snprintf(address, 64, "localhost:%d", ntohs(a.in.sin_port)); /* a name: resolved apart, ::1 refuses first */
    }
    return fd;
}

/* local: guests dial this Unix socket; path: peers dial that one. NULL: ports. */
static void sock_contract(const wshub_io_sock_poller *poller, const char *local, const char *path) {
    static io_world w;
    sock_ctx s;
    memset(&w, 0, sizeof w);
    memset(&s, 0, sizeof s);
    s.listener = listen_apart(local, s.address);
    w.address = s.address;
    w.nowhere = local ? "./build/nowhere.sock" : "127.0.0.1:1";
    w.accept = sock_accept;
    EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = poller, .linger_ms = 200}, &s.net), WSHUB_OK);
    s.path = path;
    w.soft = path != NULL;
    EXPECT_INT(path ? wshub_io_sock_listen_unix(s.net, path) : wshub_io_sock_listen(s.net, "127.0.0.1", 0, &s.port), WSHUB_OK);
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
TEST(epoll_keeps_the_contract) { sock_contract(wshub_io_epoll_poller(), NULL, NULL); }
#define BEST wshub_io_epoll_poller()
#else
#define BEST wshub_io_kqueue_poller()
#endif
TEST(poll_keeps_the_contract) { sock_contract(wshub_io_poll_poller(), NULL, NULL); }
TEST(kqueue_keeps_the_contract) { sock_contract(wshub_io_kqueue_poller(), "./build/guest.sock", NULL); }
TEST(unix_sockets_keep_the_contract) { sock_contract(BEST, "./build/guest.sock", "build/peers.sock"); }
TEST(unix_sockets_keep_the_contract_on_poll) { sock_contract(wshub_io_poll_poller(), NULL, "build/peers.sock"); }
TEST(unix_sockets_keep_the_contract_on_kqueue) { sock_contract(wshub_io_kqueue_poller(), NULL, "build/peers.sock"); }

/* ---- the fake ---- */
static void *fake_dial(io_world *w) {
    wshub_conn *c = (wshub_conn *)calloc(1, sizeof *c);
    *c = wshub_io_fake_open((wshub_io_fake *)w->ctx);
    wshub_io_fake_silent((wshub_io_fake *)w->ctx, *c, true); /* it ends when it is told to, as the others here */
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
    if (wshub_io_fake_dialled((wshub_io_fake *)w->ctx, &c, NULL)) wshub_io_fake_answer((wshub_io_fake *)w->ctx, c, false);
}
static void fake_hang_up(io_world *w, void *peer) {
    wshub_io_fake_end((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
    wshub_io_fake_forget((wshub_io_fake *)w->ctx, *(wshub_conn *)peer);
    free(peer);
}
static void fake_stall(io_world *w, void *peer, bool stalled) {
    wshub_io_fake_window((wshub_io_fake *)w->ctx, *(wshub_conn *)peer, stalled ? 250000 : UINT64_MAX);
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

/* ---- what only sockets have ---- */
TEST(listening_fails_with_one_clear_line) {
    wshub_io_sock *net, *other;
    uint16_t port;
    char path[] = "build/test.sock";
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &other), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(other, "127.0.0.1", port, NULL), WSHUB_ERR_IO);
    EXPECT(strstr(wshub_io_sock_error(other), "in use") && strstr(wshub_io_sock_error(other), "choose another port"));
    EXPECT_INT(wshub_io_sock_listen(other, "no.such.host.invalid", 0, NULL), WSHUB_ERR_PARAM);
    EXPECT(strstr(wshub_io_sock_error(other), "no such address"));
    EXPECT_INT(wshub_io_sock_listen(other, "192.0.2.1", 0, NULL), WSHUB_ERR_IO);
    (void)unlink(path);
    EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_ERR_IO); /* alive */
    EXPECT_INT(wshub_io_sock_listen(net, "::1", 0, NULL), WSHUB_OK); /* several listeners */
    wshub_io_sock_destroy(net);
    EXPECT(access(path, F_OK) != 0); /* removed at the end */
    {
        int dead = socket(AF_UNIX, SOCK_STREAM, 0); /* as a crashed server leaves it */
        union { struct sockaddr any; struct sockaddr_un un; } a;
        memset(&a, 0, sizeof a);
        a.un.sun_family = AF_UNIX;
        memcpy(a.un.sun_path, path, sizeof path);
        EXPECT_INT(bind(dead, &a.any, sizeof a.un), 0);
        (void)close(dead);
        EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_OK);
    }
    wshub_io_sock_destroy(other);
}

static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static const char up[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void talk(wshub_io_sock *net, int fd, const char *want) { /* upgrade, authenticate, wait for `want` */
    char buf[4096];
    size_t n = 0;
    int i;
    static const char auth[] = "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";
    EXPECT(send(fd, up, sizeof up - 1, MSG_NOSIGNAL) > 0);
    EXPECT(send(fd, auth, sizeof auth - 1, MSG_NOSIGNAL) > 0);
    for (i = 0; i < 200; i++) {
        ssize_t k;
        (void)wshub_io_sock_run_once(net, 5);
        k = recv(fd, buf + n, sizeof buf - 1 - n, MSG_DONTWAIT);
        if (k > 0) n += (size_t)k;
        buf[n] = 0;
        if (memmem(buf, n, want, strlen(want))) return;
    }
    EXPECT(!"an answer");
}

/* ---- what is known about a stream ---- */
static wshub_about told;
static char told_text[3][128];
static bool tell_about(wshub *hub, wshub_request request, const wshub_http *http, void *user) {
    wshub_reply r;
    (void)user;
    memset(&told, 0xEE, sizeof told);
    EXPECT_INT(wshub_conn_about(hub, http->conn, &told), WSHUB_OK);
    (void)snprintf(told_text[0], 128, "%.*s", told.listener.ptr ? (int)told.listener.len : 1, told.listener.ptr ? told.listener.ptr : "-");
    (void)snprintf(told_text[1], 128, "%.*s", (int)told.local.len, told.local.ptr);
    (void)snprintf(told_text[2], 128, "%.*s", (int)told.peer.len, told.peer.ptr);
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.close = true;
    EXPECT_INT(wshub_http_reply(hub, request, &r), WSHUB_OK);
    return true;
}
static void ask_about(wshub_io_sock *net, const struct sockaddr *to, socklen_t n) {
    static const char get[] = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";
    int i, fd = socket(to->sa_family, SOCK_STREAM, 0);
    memset(told_text, 0, sizeof told_text);
    EXPECT_INT(connect(fd, to, n), 0);
    EXPECT_INT(send(fd, get, sizeof get - 1, 0), (ssize_t)sizeof get - 1);
    for (i = 0; i < 200 && !told_text[1][0]; i++) (void)wshub_io_sock_run_once(net, 10);
    EXPECT(!told.secure && !told.alpn.ptr && !told.server_name.ptr && !told.peer_cert.ptr && !told.peer_verified);
    (void)close(fd);
}

TEST(a_stream_is_asked_for_its_listener_and_addresses) {
    static const char path[] = "build/about.sock";
    union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_un un; } a;
    char want[32], name[8];
    wshub_io_sock *net;
    wshub *hub;
    wshub_about none;
    uint16_t port = 0, plain = 0;
    int i;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_request = tell_about}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_place(net, &(wshub_io_sock_place){.name = "public", .host = "127.0.0.1"}, &port), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &plain), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_place(net, &(wshub_io_sock_place){.name = "admin", .path = path}, NULL), WSHUB_OK);

    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.in.sin_port = htons(port);
    ask_about(net, &a.any, sizeof a.in);
    (void)snprintf(want, sizeof want, "127.0.0.1:%u", (unsigned)port);
    EXPECT(strcmp(told_text[0], "public") == 0 && strcmp(told_text[1], want) == 0 && strncmp(told_text[2], "127.0.0.1:", 10) == 0);
    a.in.sin_port = htons(plain);
    ask_about(net, &a.any, sizeof a.in);
    EXPECT(strcmp(told_text[0], "-") == 0); /* that one has no name, whatever those beside it have */

    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    memcpy(a.un.sun_path, path, sizeof path);
    ask_about(net, &a.any, sizeof a.un);
    EXPECT(strcmp(told_text[0], "admin") == 0 && strcmp(told_text[1], path) == 0 && strcmp(told_text[2], "unix") == 0);

    /* A stream that is gone has no answer, and what was there stays. */
    memset(&none, 0, sizeof none);
    none.secure = true;
    EXPECT_INT(wshub_conn_about(hub, (wshub_conn){UINT64_C(77) << 32}, &none), WSHUB_ERR_STALE);
    EXPECT(none.secure);

    /* Names are kept once each, and are limited in number. */
    wshub_io_sock_unlisten(net);
    for (i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "n%d", i % 253);
        EXPECT_INT(wshub_io_sock_listen_place(net, &(wshub_io_sock_place){.name = name, .host = "127.0.0.1"}, NULL), WSHUB_OK);
        wshub_io_sock_unlisten(net);
    }
    EXPECT_INT(wshub_io_sock_listen_place(net, &(wshub_io_sock_place){.name = "more", .host = "127.0.0.1"}, NULL), WSHUB_ERR_PARAM);
    EXPECT(strstr(wshub_io_sock_error(net), "more"));
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

/* ---- IPv6 and Unix sockets ---- */
TEST(ipv6_and_unix_sockets_carry_clients) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port = 0;
    int fd;
    union { struct sockaddr any; struct sockaddr_in6 in6; struct sockaddr_un un; } a;
    char path[] = "build/test2.sock", text[64];
    wshub_iter it = {0, 0};
    wshub_client c;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
    if (wshub_io_sock_listen(net, "::1", 0, &port) == WSHUB_OK) {
        memset(&a, 0, sizeof a);
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_port = htons(port);
        a.in6.sin6_addr = in6addr_loopback;
        fd = socket(AF_INET6, SOCK_STREAM, 0);
        EXPECT_INT(connect(fd, &a.any, sizeof a.in6), 0);
        talk(net, fd, "\"connected\"");
        EXPECT(wshub_client_each(hub, &it, &c) && wshub_client_peer(hub, c, text, sizeof text) && strncmp(text, "[::1]:", 6) == 0); /* RFC 3986 3.2.2 */
        (void)close(fd);
    } else {
        (void)printf("  no IPv6 on this machine\n");
    }
    EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    memcpy(a.un.sun_path, path, sizeof path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_INT(connect(fd, &a.any, sizeof a.un), 0);
    talk(net, fd, "\"connected\"");
    (void)close(fd);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

static int errors_told;
static void tell(const char *line, void *user) {
    (void)user;
    EXPECT(strstr(line, "out of file descriptors") != NULL);
    errors_told++;
}

TEST(out_of_descriptors_it_sheds_pauses_and_goes_on) { /* LIMITS 2: EMFILE at accept */
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    struct rlimit old, low;
    int fds[100], first, i, n = 0, kept;
    wshub_io_sock_stats st;
    errors_told = 0;
    EXPECT_INT(wshub_io_auto_create(&(wshub_io_sock_desc){.on_error = tell}, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    first = dial_port(port);
    talk(net, first, "\"connected\"");
    for (i = 0; i < 30; i++) fds[i] = dial_port(port); /* wait in the backlog */
    kept = dup(0);
    (void)close(kept);
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)kept + 10;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (i = 0; i < 60; i++) (void)wshub_io_sock_run_once(net, 5);
    wshub_io_sock_stats_get(net, &st);
    EXPECT(st.shed >= 1 && st.accept_pauses >= 1 && st.accept_pauses < 20); /* no busy loop */
    EXPECT(errors_told >= 1 && errors_told <= 2);
    {
        static const char ping[] = "\x89\x81\0\0\0\0p";
        char buf[16];
        int k;
        EXPECT(send(first, ping, sizeof ping - 1, MSG_NOSIGNAL) > 0); /* those who are in are served */
        for (k = 0; k < 50 && recv(first, buf, sizeof buf, MSG_DONTWAIT) <= 0; k++) (void)wshub_io_sock_run_once(net, 5);
        EXPECT(k < 50);
    }
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (i = 0; i < 400 && n < 25; i++) {
        (void)wshub_io_sock_run_once(net, 10);
        wshub_io_sock_stats_get(net, &st);
        n = (int)st.accepted;
    }
    EXPECT(n >= 25);
    for (i = 0; i < 30; i++) (void)close(fds[i]);
    (void)close(first);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

static void aborting(int sig) {
    (void)sig;
    (void)printf("  SIGPIPE was raised\n");
    abort();
}

TEST(resets_raise_no_signal) { /* LIMITS 2: SIGPIPE */
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    int i, k;
    wshub_msg m;
    wshub_stats st;
    static char data[50002];
    void (*was)(int) = signal(SIGPIPE, aborting);
    memset(data, 'x', sizeof data);
    data[0] = data[50000] = '"';
    data[50001] = 0;
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("e");
    m.data = wshub_str_z(data);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    for (i = 0; i < 20; i++) {
        struct linger l = {1, 0};
        int fd = dial_port(port);
        talk(net, fd, "\"connected\"");
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        EXPECT_INT(wshub_all_send(hub, &m, NULL, 0), WSHUB_OK);
        if (i % 2) (void)wshub_io_sock_run_once(net, 0);
        (void)close(fd); /* a reset */
        for (k = 0; k < 5; k++) {
            (void)wshub_all_send(hub, &m, NULL, 0);
            (void)wshub_io_sock_run_once(net, 2);
        }
    }
    wshub_stats_get(hub, &st);
    EXPECT_INT(st.clients, 0);
    EXPECT_INT(st.conns, 0);
    (void)signal(SIGPIPE, was);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

static void ran(wshub *hub, void *arg) {
    (void)hub;
    *(bool *)arg = true;
}
static void *post_later(void *arg) {
    void **p = (void **)arg;
    (void)usleep(20000);
    EXPECT_INT(wshub_post((wshub *)p[0], ran, p[1]), WSHUB_OK);
    return NULL;
}

TEST(a_post_wakes_a_waiting_loop_and_another_loop_can_drive_it) {
    const wshub_io_sock_poller *pollers[3];
    int i;
    pollers[0] = BEST;
    pollers[1] = wshub_io_poll_poller();
    pollers[2] = wshub_io_kqueue_poller();
    for (i = 0; i < 3; i++) {
        wshub_io_sock *net;
        wshub *hub;
        bool done = false;
        void *arg[2];
        pthread_t t;
        EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = pollers[i]}, &net), WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net)}, &hub), WSHUB_OK);
        arg[0] = hub;
        arg[1] = &done;
        EXPECT_INT(pthread_create(&t, NULL, post_later, arg), 0);
        if (wshub_io_sock_fd(net) >= 0) { /* in somebody's own poll() */
            struct pollfd p;
            p.fd = wshub_io_sock_fd(net);
            p.events = POLLIN;
            EXPECT_INT(poll(&p, 1, 5000), 1);
            EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        } else {
            EXPECT_INT(wshub_io_sock_run_once(net, 5000), WSHUB_OK);
        }
        (void)pthread_join(t, NULL);
        (void)wshub_io_sock_run_once(net, 0);
        EXPECT(done);
        EXPECT_INT(wshub_io_sock_timeout(net), -1);
        wshub_destroy(hub);
        wshub_io_sock_destroy(net);
    }
}

/* ---- listeners are the operator's: every kind of thing at a path, and every kind of address ---- */
static int unix_socket(const char *path, int type, int backlog) { /* backlog < 0: bound, nobody listens */
    union { struct sockaddr any; struct sockaddr_un un; } a;
    int fd = socket(AF_UNIX, type, 0);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    EXPECT_INT(bind(fd, &a.any, sizeof a.un), 0);
    if (backlog >= 0) EXPECT_INT(listen(fd, backlog), 0);
    return fd;
}
static int fill_backlog(const char *path, int *fds, int most) { /* until nobody more is taken; how many that were */
    union { struct sockaddr any; struct sockaddr_un un; } a;
    int n = 0;
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    while (n < most) {
        fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fds[n++], &a.any, sizeof a.un) != 0) break;
    }
    return n;
}
static ino_t file_number(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 ? st.st_ino : 0;
}

enum { AT_NOTHING, AT_DEAD, AT_LIVE, AT_FULL, AT_DATAGRAM, AT_FILE, AT_FOLDER, AT_LINK_TO_DEAD, AT_LINK_TO_NOTHING, AT_OURS, AT_NO_FOLDER, AT_FILE_AS_FOLDER, AT_EMPTY, AT_NULL, AT_LONG, AT_FORBIDDEN, AT_KINDS };
static const struct {
    const char *name;
    int number; /* of the system's error; 0: it is served; -1: the path itself is refused */
    const char *hint;
} at_path[AT_KINDS] = {
    {"nothing", 0, ""}, {"a dead socket", 0, ""}, {"a live one", EADDRINUSE, "another program serves it"}, {"a live one with a full backlog", EADDRINUSE, "another program serves it"},
    {"a datagram socket", EADDRINUSE, "another program serves it"}, {"a file", EADDRINUSE, "no socket"}, {"a folder", EADDRINUSE, "no socket"}, {"a link to a dead socket", EADDRINUSE, "no socket"},
    {"a link to nothing", EADDRINUSE, "no socket"}, {"one of our own", EADDRINUSE, "another program serves it"}, {"a missing folder", ENOENT, "make its folder first"}, {"a file as folder", ENOTDIR, "make its folder first"},
    {"an empty path", -1, "empty"}, {"no path", -1, "empty"}, {"a path too long", -1, "too long"}, {"a folder not to be written", EACCES, "must let this program write"},
};

TEST(a_unix_path_is_served_or_refused_at_once_by_what_the_system_said) { /* kind 12 */
    static char too_long[200];
    int kind;
    memset(too_long, 'x', sizeof too_long - 1);
    (void)mkdir("build/at", 0777);
    for (kind = 0; kind < AT_KINDS; kind++) {
        const char *path = kind == AT_NO_FOLDER ? "build/at/none/s" : kind == AT_FILE_AS_FOLDER ? "build/at/file/s" : kind == AT_EMPTY ? "" : kind == AT_NULL ? NULL : kind == AT_LONG ? too_long : kind == AT_FORBIDDEN ? "build/at/shut/s" : "build/at/s";
        wshub_io_sock *net, *other = NULL;
        wshub_err err;
        int fds[300], n = 0, live = -1, i;
        ino_t before;
        uint64_t from;
        FILE *f;
        if (kind == AT_FORBIDDEN && geteuid() == 0) continue; /* nothing is forbidden to root */
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        switch (kind) {
        case AT_DEAD: (void)close(unix_socket(path, SOCK_STREAM, 1)); break;
        case AT_LIVE: live = unix_socket(path, SOCK_STREAM, 5); break;
        case AT_FULL:
            live = unix_socket(path, SOCK_STREAM, 0);
            n = fill_backlog(path, fds, 300);
            EXPECT(n < 300);
            break;
        case AT_DATAGRAM: live = unix_socket(path, SOCK_DGRAM, -1); break;
        case AT_FILE: case AT_FILE_AS_FOLDER:
            f = fopen(kind == AT_FILE ? path : "build/at/file", "w");
            EXPECT(f && fclose(f) == 0);
            break;
        case AT_FOLDER: EXPECT_INT(mkdir(path, 0777), 0); break;
        case AT_LINK_TO_DEAD:
            (void)close(unix_socket("build/at/dead", SOCK_STREAM, 1));
            EXPECT_INT(symlink("dead", path), 0);
            break;
        case AT_LINK_TO_NOTHING: EXPECT_INT(symlink("none", path), 0); break;
        case AT_OURS:
            EXPECT_INT(wshub_io_auto_create(NULL, &other), WSHUB_OK);
            EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_OK);
            break;
        case AT_FORBIDDEN: EXPECT_INT(mkdir("build/at/shut", 0555), 0); break;
        }
        before = path ? file_number(path) : 0;
        from = wall_ms();
        err = wshub_io_sock_listen_unix(net, path);
        EXPECT(wall_ms() - from < 500);
        EXPECT_INT(err, at_path[kind].number == 0 ? WSHUB_OK : at_path[kind].number < 0 ? WSHUB_ERR_PARAM : WSHUB_ERR_IO);
        if (err) {
            if (at_path[kind].number > 0) EXPECT(strstr(wshub_io_sock_error(net), strerror(at_path[kind].number)));
            EXPECT(strstr(wshub_io_sock_error(net), at_path[kind].hint) && strncmp(wshub_io_sock_error(net), "cannot listen on ", 17) == 0);
            if (test_failures) (void)printf("  at %s: %s\n", at_path[kind].name, wshub_io_sock_error(net));
        } else {
            int fd = dial_path(path);
            EXPECT(fd >= 0);
            (void)close(fd);
        }
        wshub_io_sock_destroy(net);
        if (path && err) EXPECT_INT(file_number(path), before); /* nothing that is not ours is touched */
        if (path && !err) EXPECT_INT(file_number(path), 0);
        wshub_io_sock_destroy(other);
        if (live >= 0) (void)close(live);
        for (i = 0; i < n; i++) (void)close(fds[i]);
        if (path && *path && unlink(path) != 0) (void)rmdir(path);
        (void)unlink("build/at/dead");
        (void)unlink("build/at/file");
        (void)rmdir("build/at/shut");
    }
    (void)rmdir("build/at");
}

/* What happens to a path while a server has it, and what its end may then remove. */
TEST(the_end_removes_a_socket_file_only_if_it_is_still_its_own) {
    enum { STAYS, REMOVED, SUCCESSOR, SUCCESSOR_GONE, BECAME_FILE, MOVED, CASES };
    int kind;
    for (kind = 0; kind < CASES; kind++) {
        static const char path[] = "build/own.sock";
        wshub_io_sock *net, *next = NULL;
        FILE *f;
        (void)unlink(path);
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
        if (kind != STAYS && kind != MOVED) EXPECT_INT(unlink(path), 0);
        if (kind == MOVED) EXPECT_INT(rename(path, "build/moved.sock"), 0);
        if (kind == SUCCESSOR || kind == SUCCESSOR_GONE) {
            EXPECT_INT(wshub_io_auto_create(NULL, &next), WSHUB_OK);
            EXPECT_INT(wshub_io_sock_listen_unix(next, path), WSHUB_OK);
            if (kind == SUCCESSOR_GONE) {
                wshub_io_sock_destroy(next);
                next = NULL;
                EXPECT_INT(file_number(path), 0);
            }
        }
        if (kind == BECAME_FILE) {
            f = fopen(path, "w");
            EXPECT(f && fclose(f) == 0);
        }
        wshub_io_sock_destroy(net);
        EXPECT_INT(file_number(path) != 0, kind == SUCCESSOR || kind == BECAME_FILE);
        if (next) {
            int fd = dial_path(path);
            EXPECT(fd >= 0);
            (void)close(fd);
            wshub_io_sock_destroy(next);
        }
        (void)unlink(path);
        (void)unlink("build/moved.sock");
    }
}

/* Servers that start at the same time over one dead socket: whoever is told OK can be reached. */
static const char raced[] = "build/raced.sock";
static pthread_barrier_t race_start, race_end;
static void *racer(void *arg) {
    wshub_io_sock *net;
    int round;
    for (round = 0; round < 100; round++) {
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        (void)pthread_barrier_wait(&race_start);
        *(bool *)arg = wshub_io_sock_listen_unix(net, raced) == WSHUB_OK;
        (void)pthread_barrier_wait(&race_end);
        (void)pthread_barrier_wait(&race_end); /* looked at */
        wshub_io_sock_destroy(net);
        (void)pthread_barrier_wait(&race_end);
    }
    return NULL;
}
TEST(of_servers_that_start_together_one_has_the_path) {
    pthread_t t[3];
    bool has[3];
    int i, round, served = 0;
    EXPECT_INT(pthread_barrier_init(&race_start, NULL, 4), 0);
    EXPECT_INT(pthread_barrier_init(&race_end, NULL, 4), 0);
    for (i = 0; i < 3; i++) EXPECT_INT(pthread_create(&t[i], NULL, racer, &has[i]), 0);
    for (round = 0; round < 100; round++) {
        int fd;
        (void)unlink(raced);
        (void)close(unix_socket(raced, SOCK_STREAM, 1));
        (void)pthread_barrier_wait(&race_start);
        (void)pthread_barrier_wait(&race_end);
        fd = dial_path(raced);
        EXPECT(has[0] + has[1] + has[2] <= 1);
        if (has[0] || has[1] || has[2]) {
            EXPECT(fd >= 0);
            served++;
        }
        if (fd >= 0) (void)close(fd);
        (void)pthread_barrier_wait(&race_end);
        (void)pthread_barrier_wait(&race_end);
    }
    EXPECT_INT(served, 100);
    for (i = 0; i < 3; i++) (void)pthread_join(t[i], NULL);
    (void)unlink(raced);
}

static bool reaches(const char *host, uint16_t port) {
    struct addrinfo hints, *a = NULL;
    char service[8];
    int fd;
    bool ok;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    EXPECT_INT(getaddrinfo(host, service, &hints, &a), 0);
    fd = socket(a->ai_family, SOCK_STREAM, 0);
    ok = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (fd >= 0) (void)close(fd);
    freeaddrinfo(a);
    return ok;
}

TEST(a_name_is_all_of_its_addresses) { /* every list of up to three of these, whatever its order */
    static const char *const addresses[] = {NULL, "127.0.0.1", "::1", "127.0.0.2", "192.0.2.1" /* not this machine's */};
    bool v6 = false;
    uint16_t p;
    wshub_io_sock *probe;
    int a, b, c;
    EXPECT_INT(wshub_io_auto_create(NULL, &probe), WSHUB_OK);
    v6 = wshub_io_sock_listen(probe, "::1", 0, &p) == WSHUB_OK;
    wshub_io_sock_destroy(probe);
    for (a = 1; a < 5; a++) {
        for (b = 0; b < 5; b++) {
            for (c = 0; c < (b ? 5 : 1); c++) {
                int list[3], i, fixed, distinct = 0;
                list[0] = a;
                list[1] = b;
                list[2] = c;
                for (i = 0; i < 3; i++) {
                    bool first = list[i] && (i == 0 || list[i] != list[0]) && (i < 2 || list[i] != list[1]);
                    distinct += first && list[i] != 4 && (list[i] != 2 || v6);
                }
                for (fixed = 0; fixed < 3; fixed++) { /* a port of the system's; one of ours; one that is taken at the last address */
                    wshub_io_sock *net;
                    uint16_t port = 0, got = 0;
                    wshub_err err;
                    int taken = -1;
                    names_count = 0;
                    for (i = 0; i < 3; i++) {
                        if (list[i]) names[names_count++] = addresses[list[i]];
                    }
                    if (fixed) { /* a free one */
                        (void)wshub_io_auto_create(NULL, &probe);
                        (void)wshub_io_sock_listen(probe, "127.0.0.1", 0, &port);
                        wshub_io_sock_destroy(probe);
                    }
                    if (fixed == 2) {
                        const char *last = names[names_count - 1];
                        union { struct sockaddr any; struct sockaddr_in in; } at;
                        if (strncmp(last, "127.", 4) != 0) continue;
                        memset(&at, 0, sizeof at);
                        at.in.sin_family = AF_INET;
                        at.in.sin_port = htons(port);
                        at.in.sin_addr.s_addr = inet_addr(last);
                        taken = socket(AF_INET, SOCK_STREAM, 0);
                        EXPECT_INT(bind(taken, &at.any, sizeof at.in), 0);
                        EXPECT_INT(listen(taken, 5), 0);
                    }
                    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
                    err = wshub_io_sock_listen(net, "many.test", port, &got);
                    EXPECT_INT(err, distinct && fixed != 2 ? WSHUB_OK : WSHUB_ERR_IO);
                    if (!err) {
                        EXPECT_INT(net->listeners_count, distinct);
                        EXPECT(fixed ? got == port : got != 0);
                        for (i = 0; i < names_count; i++) {
                            if (strcmp(names[i], "192.0.2.1") != 0 && (v6 || names[i][0] != ':')) EXPECT(reaches(names[i], got));
                        }
                    } else {
                        EXPECT_INT(net->listeners_count, 0); /* all or nothing */
                        EXPECT_INT(got, 0);
                        EXPECT(strstr(wshub_io_sock_error(net), strerror(fixed == 2 ? EADDRINUSE : EADDRNOTAVAIL)));
                    }
                    wshub_io_sock_destroy(net);
                    if (taken >= 0) (void)close(taken);
                }
            }
        }
    }
    names_count = 0;
}

TEST(there_are_so_many_listeners_and_no_more) {
    wshub_io_sock *net;
    uint16_t port = 0;
    int i;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < 15; i++) EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, NULL), WSHUB_OK);
    names[0] = "127.0.0.1";
    names[1] = "127.0.0.2";
    names_count = 2;
    EXPECT_INT(wshub_io_sock_listen(net, "many.test", 0, &port), WSHUB_ERR_IO); /* half of it is none of it */
    names_count = 0;
    EXPECT_INT(net->listeners_count, 15);
    EXPECT_INT(wshub_io_sock_listen_unix(net, "build/many.sock"), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_unix(net, "build/more.sock"), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, NULL), WSHUB_ERR_PARAM);
    EXPECT(strstr(wshub_io_sock_error(net), "as many listeners as can be"));
    wshub_io_sock_unlisten(net);
    EXPECT_INT(file_number("build/many.sock"), 0);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, NULL), WSHUB_OK);
    wshub_io_sock_destroy(net);
}

/* ---- who is attached, and when an io goes ---- */
TEST(an_io_has_one_hub_at_a_time) {
    int i;
    for (i = 0; i < 2; i++) {
        wshub_io_sock *net = NULL;
        wshub_io_fake *fake = NULL;
        wshub *a, *b = NULL;
        const wshub_io *io;
        if (i) EXPECT_INT(wshub_io_fake_create(NULL, &fake), WSHUB_OK);
        else EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        io = i ? wshub_io_fake_io(fake) : wshub_io_sock_io(net);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = io}, &a), WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = io}, &b), WSHUB_ERR_STATE);
        EXPECT(b == NULL && io->taken(io->ctx));
        wshub_destroy(a);
        EXPECT(!io->taken(io->ctx));
        EXPECT_INT(wshub_create(&(wshub_desc){.io = io}, &b), WSHUB_OK); /* one after the other */
        wshub_destroy(b);
        wshub_io_sock_destroy(net);
        wshub_io_fake_destroy(fake);
    }
}

static uint64_t quiet_settle(void *ctx) { return (void)ctx, WSHUB_NEVER; }
static void quiet_conn(void *ctx, wshub_conn c) { (void)ctx, (void)c; }
static void quiet_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) { (void)ctx, (void)c, (void)bytes, (void)n; }
static wshub_io_owner quiet_owner(void *ctx) {
    wshub_io_owner o;
    memset(&o, 0, sizeof o);
    o.ctx = ctx;
    o.opened = o.drained = o.closed = quiet_conn;
    o.received = quiet_received;
    o.settle = quiet_settle;
    return o;
}

TEST(listeners_rest_while_nobody_serves) {
    const wshub_io_sock_poller *pollers[3];
    int i, k;
    pollers[0] = BEST;
    pollers[1] = wshub_io_poll_poller();
    pollers[2] = wshub_io_kqueue_poller();
    for (i = 0; i < 3; i++) {
        wshub_io_sock *net;
        wshub *hub;
        uint16_t port;
        int fds[3], guest = 0;
        wshub_io_owner owner = quiet_owner(&guest);
        uint64_t from;
        EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = pollers[i]}, &net), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_io(net)->guest(net, &owner, true), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
        (void)wshub_io_sock_run_once(net, 0);
        (void)wshub_io_sock_run_once(net, 0);
        for (k = 0; k < 2; k++) { /* before there is a hub, and after it has gone */
            fds[k] = dial_port(port);
            EXPECT(fds[k] >= 0);
            (void)usleep(5000);
            from = wall_ms();
            EXPECT_INT(wshub_io_sock_run_once(net, 60), WSHUB_OK);
            EXPECT(wall_ms() - from >= 55);
            EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
            talk(net, fds[k], "\"connected\""); /* it waited, and is served */
            wshub_destroy(hub);
            (void)wshub_io_sock_run_once(net, 0);
            (void)close(fds[k]);
        }
        EXPECT_INT(wshub_io_sock_io(net)->guest(net, &owner, false), WSHUB_OK);
        wshub_io_sock_destroy(net);
    }
}

/* An io destroyed with its hub, from inside whichever callback there is, before or after the hub. */
enum { IN_TIMER, IN_AUTH, IN_MESSAGE, IN_OPENED, IN_GONE, IN_LOG, IN_REQUEST, IN_POST, IN_SHUTDOWN, IN_GUEST, IN_LOOP_OF_ONES_OWN, INSIDE };
static struct ending {
    wshub_io_sock *net;
    wshub *hub;
    int where, guest;
    bool io_first, done;
} end_it;
static void end_all(int where) {
    wshub_io_sock *net = end_it.net;
    wshub *hub = end_it.hub;
    if (end_it.where != where || end_it.done) return;
    end_it.done = true;
    if (end_it.io_first) wshub_io_sock_destroy(net);
    if (where == IN_GUEST) {
        wshub_io_owner owner = quiet_owner(&end_it.guest);
        EXPECT_INT(wshub_io_sock_io(net)->guest(net, &owner, false), WSHUB_OK);
    }
    wshub_destroy(hub);
    if (!end_it.io_first) wshub_io_sock_destroy(net);
}
static void end_timer(wshub *hub, void *arg) { (void)hub, end_all((int)(intptr_t)arg); }
static void end_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
    end_all(IN_AUTH);
}
static wshub_err end_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub, (void)c, (void)e, (void)user;
    end_all(IN_MESSAGE);
    return WSHUB_OK;
}
static void end_opened(wshub *hub, wshub_client c, void *user) { (void)hub, (void)c, (void)user, end_all(IN_OPENED); }
static void end_gone(wshub *hub, const wshub_gone *g, void *user) { (void)hub, (void)g, (void)user, end_all(IN_GONE); }
static void end_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub, (void)l, (void)user;
    if (end_it.hub) end_all(IN_LOG);
}
static bool end_request(wshub *hub, wshub_request r, const wshub_http *http, void *user) { return (void)hub, (void)r, (void)http, (void)user, end_all(IN_REQUEST), true; }
static void end_down(wshub *hub, void *user) { (void)hub, (void)user, end_all(IN_SHUTDOWN); }
static uint64_t end_settle(void *ctx) {
    (void)ctx;
    if (end_it.hub) end_all(IN_GUEST);
    return WSHUB_NEVER;
}
TEST(an_io_destroyed_in_a_callback_goes_when_nobody_is_inside) { /* kind 12; >>life */
    int where, first, run;
    for (where = 0; where < INSIDE; where++) {
        for (first = 0; first < 2; first++) {
            for (run = 0; run < 2; run++) {
                static const char get[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", auth[] = "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}", event[] = "\x81\x8d\0\0\0\0{\"event\":\"e\"}", bad[] = "\x83\x80\0\0\0\0";
                uint16_t port;
                int fd, i;
                wshub_io_owner guest = quiet_owner(&end_it.guest);
                memset(&end_it, 0, sizeof end_it);
                end_it.where = where;
                end_it.io_first = first;
                guest.settle = end_settle;
                EXPECT_INT(wshub_io_auto_create(NULL, &end_it.net), WSHUB_OK);
                EXPECT_INT(wshub_io_sock_listen(end_it.net, "127.0.0.1", 0, &port), WSHUB_OK);
                EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(end_it.net), .on_authenticate = end_auth, .on_message = end_message, .on_opened = end_opened,
                                                      .on_disconnected = end_gone, .on_log = end_log, .on_request = end_request, .on_shutdown = end_down, .shutdown_timeout_ms = 50}, &end_it.hub), WSHUB_OK);
                if (where == IN_GUEST) EXPECT_INT(wshub_io_sock_io(end_it.net)->guest(end_it.net, &guest, true), WSHUB_OK);
                fd = dial_port(port);
                if (where == IN_REQUEST) {
                    EXPECT(send(fd, get, sizeof get - 1, MSG_NOSIGNAL) > 0);
                } else {
                    EXPECT(send(fd, up, sizeof up - 1, MSG_NOSIGNAL) > 0 && send(fd, auth, sizeof auth - 1, MSG_NOSIGNAL) > 0);
                    EXPECT(send(fd, event, sizeof event - 1, MSG_NOSIGNAL) > 0);
                    if (where == IN_GONE || where == IN_LOG) EXPECT(send(fd, bad, sizeof bad - 1, MSG_NOSIGNAL) > 0);
                }
                if (where == IN_TIMER) EXPECT_INT(wshub_timer_start(end_it.hub, 10, end_timer, (void *)(intptr_t)IN_TIMER, NULL), WSHUB_OK);
                if (where == IN_POST) EXPECT_INT(wshub_post(end_it.hub, end_timer, (void *)(intptr_t)IN_POST), WSHUB_OK);
                if (where == IN_SHUTDOWN) EXPECT_INT(wshub_shutdown(end_it.hub), WSHUB_OK);
                if (where == IN_LOOP_OF_ONES_OWN) { /* not inside anything of the io's */
                    end_all(where);
                } else if (run) {
                    EXPECT_INT(wshub_io_sock_run(end_it.net), WSHUB_OK);
                } else {
                    for (i = 0; i < 300 && !end_it.done; i++) EXPECT_INT(wshub_io_sock_run_once(end_it.net, 5), WSHUB_OK);
                }
                EXPECT(end_it.done);
                if (!end_it.done) (void)printf("  callback %d was not called\n", where);
                (void)close(fd);
            }
        }
    }
}

/* ---- clocks ---- */
static void count_up(wshub *hub, void *arg) { (void)hub, ++*(int *)arg; }
TEST(a_loop_of_ones_own_that_has_other_work_is_told_how_long_from_now) { /* wshub_io_sock_timeout() */
    static const int own_work[] = {1, 7, 20, 45};
    int i;
    for (i = 0; i < 4; i++) {
        wshub_io_sock *net;
        wshub *hub;
        int fired = 0, last = 1000, rounds = 0;
        uint64_t from;
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net)}, &hub), WSHUB_OK);
        (void)usleep(30000); /* a timer counts from when it was started, not from the last turn */
        from = wall_ms();
        EXPECT_INT(wshub_timer_start(hub, 90, count_up, &fired, NULL), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        while (!fired && rounds++ < 200) {
            struct pollfd p = {wshub_io_sock_fd(net), POLLIN, 0};
            int said = wshub_io_sock_timeout(net), own = own_work[i];
            EXPECT(said >= 0 && said <= last);
            last = said;
            if (poll(&p, 1, said < own ? said : own) > 0 || said < own) EXPECT_INT(wshub_io_sock_run_once(net, 0), WSHUB_OK);
        }
        EXPECT_INT(fired, 1);
        EXPECT(wall_ms() - from >= 89 && wall_ms() - from < 1000);
        wshub_destroy(hub);
        wshub_io_sock_destroy(net);
    }
}

/* What was said before a stop is heard before anybody is judged, however the stop falls: inside the wait too, and with
 * more streams than one wait tells of. */
enum { STREAMS_MANY = 700 };
static struct stopped {
    wshub_io_sock *net;
    int fds[STREAMS_MANY], count;
    size_t got;
    bool armed;
    uint64_t said_at, judged;
} stopped;
static void stopped_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) { (void)ctx, (void)c, (void)bytes, stopped.got += n; }
static uint64_t stopped_settle(void *ctx) {
    const wshub_io *io = wshub_io_sock_io(stopped.net);
    uint64_t heard = io->heard_ms(io->ctx);
    (void)ctx;
    EXPECT(heard <= io->now_ms(io->ctx));
    if (!stopped.armed || heard < stopped.said_at) return stopped.armed ? 0 : WSHUB_NEVER;
    EXPECT_INT(stopped.got, stopped.count);
    stopped.judged++;
    stopped.armed = false;
    return WSHUB_NEVER;
}
static void stopped_say(int sig) {
    int i, was = errno;
    if (sig && !stopped.armed) {
        for (i = 0; i < stopped.count; i++) (void)!send(stopped.fds[i], "x", 1, MSG_NOSIGNAL);
        stopped.said_at = wall_ms() + 5;
        stopped.armed = true;
        (void)usleep(20000);
    }
    errno = was;
}
TEST(a_stopped_process_hears_before_it_judges) { /* LIVE-3 */
    const wshub_io_sock_poller *pollers[3];
    static const int counts[] = {1, 60, STREAMS_MANY};
    struct rlimit old, more;
    int i, k, n;
    pollers[0] = BEST;
    pollers[1] = wshub_io_poll_poller();
    pollers[2] = wshub_io_kqueue_poller();
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    more = old;
    more.rlim_cur = more.rlim_max < 2000 ? more.rlim_max : 2000;
    (void)setrlimit(RLIMIT_NOFILE, &more);
    for (i = 0; i < 9; i++) {
        wshub_io_owner owner = quiet_owner(NULL);
        const wshub_io *io;
        struct sigaction act, was;
        struct itimerval in = {{0, 0}, {0, 10000}};
        uint16_t port;
        memset(&stopped, 0, sizeof stopped);
        if (counts[i / 3] > 400 && more.rlim_cur < 2000) continue;
        EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = pollers[i % 3]}, &stopped.net), WSHUB_OK);
        io = wshub_io_sock_io(stopped.net);
        owner.received = stopped_received;
        owner.settle = stopped_settle;
        io->attach(io->ctx, &owner);
        EXPECT_INT(wshub_io_sock_listen(stopped.net, "127.0.0.1", 0, &port), WSHUB_OK);
        for (n = counts[i / 3]; stopped.count < n; stopped.count++) {
            stopped.fds[stopped.count] = dial_port(port);
            if (stopped.count % 50 == 0) (void)wshub_io_sock_run_once(stopped.net, 0);
        }
        for (k = 0; k < 50 && stopped.net->live < (uint32_t)n; k++) (void)wshub_io_sock_run_once(stopped.net, 1);
        EXPECT_INT(stopped.net->live, n);
        memset(&act, 0, sizeof act);
        act.sa_handler = stopped_say;
        EXPECT_INT(sigaction(SIGALRM, &act, &was), 0);
        EXPECT_INT(setitimer(ITIMER_REAL, &in, NULL), 0); /* it falls into the wait */
        for (k = 0; k < 50 && !stopped.judged; k++) (void)wshub_io_sock_run_once(stopped.net, 100);
        EXPECT_INT(stopped.judged, 1);
        (void)sigaction(SIGALRM, &was, NULL);
        io->attach(io->ctx, NULL);
        for (k = 0; k < n; k++) (void)close(stopped.fds[k]);
        wshub_io_sock_destroy(stopped.net);
    }
    (void)setrlimit(RLIMIT_NOFILE, &old);
}

/* Behind our end the peer is awaited without a clock while the owner is there, and so long when it has left. */
TEST(only_what_an_owner_leaves_behind_has_a_clock_of_the_ios) {
    int kind;
    for (kind = 0; kind < 4; kind++) { /* the hub's place or a guest's; a linger of 80 ms or none */
        bool as_guest = kind & 1, off = kind & 2;
        wshub_io_sock *net;
        const wshub_io *io;
        int ctx = 0, listener, fd = -1, i;
        char address[64], byte;
        uint16_t port;
        wshub_io_owner owner = quiet_owner(&ctx);
        wshub_conn c;
        uint64_t from;
        EXPECT_INT(wshub_io_auto_create(&(wshub_io_sock_desc){.linger_ms = off ? WSHUB_OFF : 80}, &net), WSHUB_OK);
        io = wshub_io_sock_io(net);
        EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
        listener = listen_apart(NULL, address);
        if (as_guest) {
            EXPECT_INT(io->guest(io->ctx, &owner, true), WSHUB_OK);
            EXPECT_INT(io->connect(io->ctx, &ctx, &(wshub_dial){.address = address}, &c), WSHUB_OK);
            for (i = 0; i < 100 && fd < 0; i++) {
                (void)wshub_io_sock_run_once(net, 5);
                fd = accept(listener, NULL, NULL);
            }
            (void)wshub_io_sock_run_once(net, 5);
        } else {
            io->attach(io->ctx, &owner);
            fd = dial_port(port);
            for (i = 0; i < 100 && !net->live; i++) (void)wshub_io_sock_run_once(net, 5);
            c.id = (uint64_t)net->conns[0].generation << 32;
        }
        EXPECT(fd >= 0);
        io->close(io->ctx, c, true);
        from = wall_ms();
        while (wall_ms() < from + 120) (void)wshub_io_sock_run_once(net, 20);
        EXPECT_INT(net->live, 1); /* its owner has the clock */
        EXPECT_INT(recv(fd, &byte, 1, 0), 0);
        EXPECT_INT(send(fd, "still", 5, MSG_NOSIGNAL), 5);
        (void)wshub_io_sock_run_once(net, 20);
        EXPECT_INT(net->live, 1);
        if (as_guest) EXPECT_INT(io->guest(io->ctx, &owner, false), WSHUB_OK);
        else io->attach(io->ctx, NULL);
        (void)wshub_io_sock_run_once(net, 0);
        EXPECT_INT(net->live, off ? 0 : 1);
        EXPECT(off || (wshub_io_sock_timeout(net) > 0 && wshub_io_sock_timeout(net) <= 80));
        from = wall_ms();
        while (net->live && wall_ms() < from + 1000) EXPECT_INT(wshub_io_sock_run_once(net, -1), WSHUB_OK);
        if (!off) EXPECT(wall_ms() - from >= 70 && wall_ms() - from < 500);
        EXPECT_INT(wshub_io_sock_timeout(net), -1);
        wshub_io_sock_destroy(net);
        (void)close(fd);
        (void)close(listener);
    }
}

TEST(the_spare_descriptor_is_had_again_when_another_took_it) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    struct rlimit old, low;
    int fds[6], i, top, holes[64], holes_count = 0;
    wshub_io_sock_stats st;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = yes}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    (void)wshub_io_sock_run_once(net, 0);
    for (i = 0; i < 6; i++) fds[i] = dial_port(port);
    top = dup(0);
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    (void)close(net->reserve); /* as if a thread had been faster */
    net->reserve = -1;
    low = old;
    low.rlim_cur = (rlim_t)top + 1;
    for (i = 0; i < top && holes_count < 64; i++) { /* all numbers below are in use */
        if (fcntl(i, F_GETFD) < 0) holes[holes_count++] = dup2(0, i);
    }
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (i = 0; i < 30; i++) (void)wshub_io_sock_run_once(net, 5);
    wshub_io_sock_stats_get(net, &st);
    EXPECT_INT(st.shed, 0); /* there is nothing to shed with */
    EXPECT(st.accept_pauses >= 1 && st.accept_pauses < 10 && net->reserve < 0);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    while (holes_count) (void)close(holes[--holes_count]);
    for (i = 0; i < 400 && net->live < 6; i++) (void)wshub_io_sock_run_once(net, 10);
    EXPECT_INT(net->live, 6);
    EXPECT(net->reserve >= 0);
    for (i = 0; i < 6; i++) (void)close(fds[i]);
    (void)close(top);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

/* ---- what only the fake has ---- */
static int again_count;
static void again(wshub *hub, void *arg) {
    again_count++;
    (void)wshub_timer_start(hub, 0, again, arg, NULL);
}
TEST(a_timer_of_nought_that_starts_itself_lets_time_pass_on_the_fake) {
    wshub_io_fake *f;
    wshub *hub;
    int fired = 0, before;
    EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(f)}, &hub), WSHUB_OK);
    again_count = 0;
    EXPECT_INT(wshub_timer_start(hub, 0, again, NULL, NULL), WSHUB_OK);
    wshub_io_fake_run(f);
    EXPECT(again_count > 0 && again_count < 100);
    EXPECT_INT(wshub_timer_start(hub, 5, count_up, &fired, NULL), WSHUB_OK);
    wshub_io_fake_advance(f, 4);
    EXPECT_INT(fired, 0);
    before = again_count;
    wshub_io_fake_advance(f, 1);
    EXPECT_INT(fired, 1);
    EXPECT(again_count > before);
    wshub_destroy(hub);
    wshub_io_fake_destroy(f);
}

TEST(after_a_stall_of_the_fake_input_comes_before_judgement) { /* LIVE-3, AUTH-1 */
    static const int stalls[] = {10, 999, 1000, 5000, 100000};
    int i, in_time;
    for (i = 0; i < 5; i++) {
        for (in_time = 0; in_time < 2; in_time++) {
            wshub_io_fake *f;
            wshub *hub;
            wshub_io_fake_frame m;
            wshub_conn c, late;
            EXPECT_INT(wshub_io_fake_create(NULL, &f), WSHUB_OK);
            EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(f), .on_authenticate = yes, .auth_timeout_ms = 1000}, &hub), WSHUB_OK);
            c = wshub_io_fake_connect(f, "/ws");
            wshub_io_fake_stall(f, true);
            wshub_io_fake_advance(f, 5);
            if (in_time) wshub_io_fake_text(f, c, "{\"event\":\"authenticate\"}");
            late = wshub_io_fake_open(f);
            wshub_io_fake_end(f, late);
            wshub_io_fake_advance(f, (uint64_t)stalls[i]);
            EXPECT(!wshub_io_fake_next(f, c, &m) && !wshub_io_fake_is_gone(f, late));
            wshub_io_fake_stall(f, false);
            EXPECT(wshub_io_fake_is_gone(f, late)); /* opened and closed, in this order */
            if (in_time) EXPECT(wshub_io_fake_next(f, c, &m) && m.opcode == 1 && memmem(m.payload.ptr, m.payload.len, "connected", 9));
            else EXPECT_INT(wshub_io_fake_next(f, c, &m), stalls[i] + 5 >= 1000); /* who said nothing is judged then, not later */
            wshub_destroy(hub);
            wshub_io_fake_destroy(f);
        }
    }
}
