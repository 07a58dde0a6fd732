/* The io contract (tests/io_contract.h) over TLS, by each library that is there, on each poller,
 * with peers of OpenSSL; versions 1.2 and 1.3. Built with -DWITH_OPENSSL and -DWITH_MBEDTLS where
 * these are; else it says that it is skipped. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "wshub_io_tls.h"
#ifdef WITH_OPENSSL
#include "wshub_io_openssl.h"
#endif
#ifdef WITH_MBEDTLS
#include "wshub_io_mbedtls.h"
#endif
#ifndef WITH_OPENSSL
TEST(tls_keeps_the_contract) {
    SKIP("OpenSSL, whose peers this needs, is not installed");
}
#else
#include "io_contract.h"
#include "tls_peer.h"

typedef struct tls_ctx {
    wshub_io_sock *net;
    wshub_io_tls *tls;
    uint16_t port;
    int listener;
    char address[64];
} tls_ctx;

static void *tls_dial(io_world *w) {
    return tls_peer_on(dial_port(((tls_ctx *)w->ctx)->port), tls_peer_ctx);
}
static void tls_say(io_world *w, void *peer, const char *bytes, size_t n) {
    tls_peer *p = (tls_peer *)peer;
    int i;
    if (!p->ssl) {
        EXPECT_INT(send(p->fd, bytes, n, MSG_NOSIGNAL), n);
        return;
    }
    for (i = 0; i < 100 && !tls_peer_shake(p); i++) w->step(w);
    EXPECT_INT(SSL_write(p->ssl, bytes, (int)n), n);
}
static size_t tls_hear(io_world *w, void *peer, char *buf, size_t cap, bool *ended) {
    (void)w;
    return ((tls_peer *)peer)->stalled ? 0 : tls_peer_hear((tls_peer *)peer, buf, cap, ended);
}
static void tls_hang_up(io_world *w, void *peer) {
    (void)w;
    tls_peer_free((tls_peer *)peer);
}
static void tls_half_close(io_world *w, void *peer) {
    tls_peer *p = (tls_peer *)peer;
    int i;
    for (i = 0; i < 100 && p->ssl && !tls_peer_shake(p); i++) w->step(w);
    if (p->ssl) EXPECT(SSL_shutdown(p->ssl) >= 0);
    EXPECT_INT(shutdown(p->fd, SHUT_WR), 0);
}
static void tls_reset(io_world *w, void *peer) {
    struct linger hard = {1, 0};
    EXPECT_INT(setsockopt(((tls_peer *)peer)->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    tls_hang_up(w, peer);
}
static int tls_silence(io_world *w, int ms) {
    wshub_io_sock *net = ((tls_ctx *)w->ctx)->net;
    wshub_io_sock_stats before, after;
    uint64_t end = wall_ms() + (uint64_t)ms, now;
    wshub_io_sock_stats_get(net, &before);
    while ((now = wall_ms()) < end)
        EXPECT_INT(wshub_io_sock_run_once(net, (int)(end - now)), WSHUB_OK);
    wshub_io_sock_stats_get(net, &after);
    return (int)(after.waits - before.waits);
}
static void tls_late(io_world *w, int ms) {
    (void)w;
    (void)usleep((useconds_t)ms * 1000);
}
static void tls_stall(io_world *w, void *peer, bool stalled) {
    (void)w;
    ((tls_peer *)peer)->stalled = stalled;
}
static void tls_step(io_world *w) {
    EXPECT_INT(wshub_io_sock_run_once(((tls_ctx *)w->ctx)->net, tls_peers ? 0 : 5), WSHUB_OK);
    tls_peers_shake();
}
static void *tls_accept(io_world *w) {
    int fd = accept(((tls_ctx *)w->ctx)->listener, NULL, NULL);
    return fd < 0 ? NULL : tls_peer_on(fd, NULL);
}

static void tls_contract(const tls_engine *engine, const wshub_io_sock_poller *poller,
                         int version) {
    static io_world w;
    static char name[64];
    wshub_tls_pair pair = {.cert = tls_server_cert, .key = tls_server_key};
    wshub_io_tls_stats stats;
    tls_ctx s;
    memset(&w, 0, sizeof w);
    memset(&s, 0, sizeof s);
    (void)snprintf(name, sizeof name, "%s, %x, %s", engine->name, (unsigned)version, poller->name);
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    s.listener = listen_apart(NULL, s.address);
    tls_peer_ctx = SSL_CTX_new(TLS_client_method());
    tls_peer_version = version;
    EXPECT_INT(
        wshub_io_sock_create(&(wshub_io_sock_desc){.poller = poller, .linger_ms = 200}, &s.net),
        WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(s.net, "127.0.0.1", 0, &s.port), WSHUB_OK);
    s.tls = tls_make(engine, &(wshub_io_tls_desc){
                                 .io = wshub_io_sock_io(s.net), .pairs = &pair, .pairs_count = 1});
    w = (io_world){.name = name,
                   .io = wshub_io_tls_io(s.tls),
                   .dial = tls_dial,
                   .say = tls_say,
                   .hear = tls_hear,
                   .hang_up = tls_hang_up,
                   .half_close = tls_half_close,
                   .reset = tls_reset,
                   .silence = tls_silence,
                   .late = tls_late,
                   .stall = tls_stall,
                   .step = tls_step,
                   .address = s.address,
                   .nowhere = "127.0.0.1:1",
                   .accept = tls_accept,
                   .takes_secure = true,
                   .secure = true,
                   .ctx = &s};
    io_contract(&w);
    wshub_io_tls_stats_get(s.tls, &stats);
    EXPECT_OP(stats.handshakes, >, 100);
    EXPECT_INT(stats.under_way, 0);
    wshub_io_tls_destroy(s.tls);
    wshub_io_sock_destroy(s.net);
    (void)close(s.listener);
    SSL_CTX_free(tls_peer_ctx);
}

static void tls_contracts(size_t engine, const wshub_io_sock_poller *poller) {
    const tls_engine *e = tls_engine_at(engine);
    if (!e) SKIP("that library of TLS is not installed");
    if (e->table->tls13) tls_contract(e, poller, TLS1_3_VERSION);
    if (!e->table->tls13 || test_stride(2) == 1) tls_contract(e, poller, TLS1_2_VERSION);
}

TEST(a_library_keeps_the_contract_on_the_best_poller) {
    tls_contracts(0, BEST);
}
TEST_WHOLE(a_library_keeps_the_contract_on_poll) {
    tls_contracts(0, wshub_io_poll_poller());
}
/* Over its shim, and by one library in its newest version: the other one kept it, too, and takes
 * longer. */
TEST_WHOLE(a_library_keeps_the_contract_on_kqueue) {
    const tls_engine *e = tls_engine_at(0);
    tls_contract(e, wshub_io_kqueue_poller(), e->table->tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
}
TEST(another_library_keeps_the_contract_on_the_best_poller) {
    tls_contracts(1, BEST);
}
TEST_WHOLE(another_library_keeps_the_contract_on_poll) {
    tls_contracts(1, wshub_io_poll_poller());
}
#endif
