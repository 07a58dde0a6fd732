/* What TLS costs a server: CPU time of a fan-out of 1 KiB to 100 members, plain and by each
 * library in turn, and of whole handshakes. The peers are another process, so only the server is
 * counted. For mbedTLS also what its encryption alone costs. Medians of nine rounds, and quartiles
 * of the ratios, each of which is taken within a round.
 *
 *     make bench-tls        (OpenSSL is needed, for the peers)
 *     build/bench_tls [ROUNDS] */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>
/* what sock_peer.h and tls_peer.h take from the tests, without the tests */
#define HUBTEST_H
#define UNUSED __attribute__((unused))
#define EXPECT(x) ((x) ? (void)0 : (void)(perror(#x), abort()))
#define EXPECT_INT(got, want) EXPECT((long long)(got) == (long long)(want))
#define EXPECT_STR(got, want) EXPECT(strcmp(got, want) == 0)
#ifndef WITH_OPENSSL
int main(void) {
    (void)printf("bench-tls: skipped: OpenSSL is not installed\n");
    return 0;
}
#else
#include "wshub_io_openssl.h"
#ifdef WITH_MBEDTLS
#include "wshub_io_mbedtls.h"
#include <mbedtls/gcm.h>
#endif
#include "../tls_peer.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { PEERS = 100, ROUNDS_MAX = 99, MESSAGES = 300, HANDSHAKES = 100 };
static int joined, rounds = 9;
static uint64_t *heard; /* by all peers of this bench, in bytes; shared with them */

static void on_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
    joined++;
}
static double cpu_us(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return 1e6 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
/* Sorts them. */
static double median(double *v) {
    qsort(v, (size_t)rounds, sizeof *v, by_value);
    return v[rounds / 2];
}

/* A blocking peer, whose session, if any, is new. */
static SSL *peer_open(uint16_t port, SSL_CTX *ctx, int *out_fd) {
    SSL *ssl = ctx ? SSL_new(ctx) : NULL;
    *out_fd = dial_port(port);
    if (ssl && (SSL_set_fd(ssl, *out_fd) != 1 || SSL_connect(ssl) != 1)) _exit(1);
    return ssl;
}
static void peer_write(SSL *ssl, int fd, const char *bytes, size_t n) {
    if (ssl ? SSL_write(ssl, bytes, (int)n) != (int)n : send(fd, bytes, n, 0) != (ssize_t)n)
        _exit(1);
}
/* The child: members who read all that comes; or who only shake hands. */
static void peers(uint16_t port, bool secure, bool shake) {
    static const char auth[] = "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";
    static char buf[65536];
    SSL_CTX *ctx = secure ? SSL_CTX_new(TLS_client_method()) : NULL;
    int fds[PEERS];
    SSL *ssl[PEERS];
    int i, fd;
    for (i = 0; shake && i < HANDSHAKES; i++) {
        SSL *one = peer_open(port, ctx, &fd);
        SSL_free(one);
        (void)close(fd);
    }
    for (i = 0; !shake && i < PEERS; i++) {
        ssl[i] = peer_open(port, ctx, &fds[i]);
        peer_write(ssl[i], fds[i], up, sizeof up - 1);
        peer_write(ssl[i], fds[i], auth, sizeof auth - 1);
        (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    /* nothing is opened: that is the peers' own cost */
    while (!shake) {
        for (i = 0; i < PEERS; i++) {
            ssize_t n = recv(fds[i], buf, sizeof buf, 0);
            if (n == 0) _exit(0);
            if (n > 0) (void)__atomic_add_fetch(heard, (uint64_t)n, __ATOMIC_SEQ_CST);
        }
        (void)usleep(500);
    }
    _exit(0);
}

#ifdef WITH_MBEDTLS
/* What nobody gets below who encrypts by mbedTLS: plain sockets, and each message encrypted by the
 * key of the member whom it is for, by AES-128-GCM, which is what is agreed on. */
static mbedtls_gcm_context keys[PEERS];
static wshub_io below;
static int sealed_count;

static int64_t seal_and_send(void *ctx, wshub_conn conn, const wshub_span *spans, size_t count) {
    static unsigned char out[2048], iv[12], tag[16], record[13];
    wshub_span sealed = {out, spans[0].len};

    if (count != 1 || spans[0].len < 1000 || spans[0].len > sizeof out)
        return below.send(ctx, conn, spans, count); /* what comes before the messages */
    iv[0]++;
    EXPECT_INT(mbedtls_gcm_crypt_and_tag(&keys[(uint32_t)conn.id % PEERS], MBEDTLS_GCM_ENCRYPT,
                                         spans[0].len, iv, sizeof iv, record, sizeof record,
                                         spans[0].ptr, out, sizeof tag, tag),
               0);
    sealed_count++;
    return below.send(ctx, conn, &sealed, 1);
}
static const wshub_io *sealing_io(const wshub_io *io) {
    static const unsigned char key[16] = {1};
    static wshub_io over;
    int i;

    for (i = 0; i < PEERS; i++) {
        mbedtls_gcm_free(&keys[i]);
        mbedtls_gcm_init(&keys[i]);
        EXPECT_INT(mbedtls_gcm_setkey(&keys[i], MBEDTLS_CIPHER_ID_AES, key, 128), 0);
    }
    below = over = *io;
    over.send = seal_and_send;
    return &over;
}
#else
static const wshub_io *sealing_io(const wshub_io *io) {
    return io;
}
#endif

typedef struct bench {
    wshub_io_sock *net;
    wshub_io_tls *tls;
    wshub *hub;
    uint16_t port;
    pid_t child;
} bench;
static void bench_start(bench *b, const tls_engine *engine, bool shake, bool sealed) {
    wshub_tls_pair pair = {.cert = tls_server_cert, .key = tls_server_key};
    wshub_io_tls_desc td = {.pairs = &pair, .pairs_count = 1};
    wshub_desc d = {.on_authenticate = on_auth, .no_log = true};
    memset(b, 0, sizeof *b);
    joined = 0;
    *heard = 0;
    (void)wshub_io_auto_create(NULL, &b->net);
    (void)wshub_io_sock_listen(b->net, "127.0.0.1", 0, &b->port);
    b->child = fork();
    if (b->child == 0) peers(b->port, engine != NULL, shake);
    d.io = td.io = wshub_io_sock_io(b->net);
    if (engine) b->tls = tls_make(engine, &td);
    if (engine) d.io = wshub_io_tls_io(b->tls);
    if (sealed) d.io = sealing_io(d.io);
    (void)wshub_create(&d, &b->hub);
}
static void bench_end(bench *b) {
    wshub_destroy(b->hub);
    wshub_io_tls_destroy(b->tls);
    wshub_io_sock_destroy(b->net);
    (void)kill(b->child, SIGTERM);
    (void)waitpid(b->child, NULL, 0);
}
/* Waits until the peers have heard so much; or, if what a message is had been measured too early,
 * until they have heard nothing for two seconds. */
static void heard_so_much(uint64_t bytes) {
    uint64_t now, last = 0;
    int naps = 0;
    while ((now = __atomic_load_n(heard, __ATOMIC_SEQ_CST)) < bytes && naps++ < 10000) {
        if (now != last) naps = 0;
        last = now;
        (void)usleep(200);
    }
}
/* Waits until they hear no more. Returns how much it was. */
static uint64_t heard_all(void) {
    uint64_t now = 0, last;
    do {
        last = now;
        (void)usleep(100000);
        now = __atomic_load_n(heard, __ATOMIC_SEQ_CST);
    } while (!now || now != last);
    return now;
}
/* Microseconds of one delivery: of the turns that send, while nobody waits for what they say, as
 * waking somebody is paid for by who sends, and slow senders do it more often. */
static double fan_out(const tls_engine *engine, bool sealed) {
    static char text[1024];
    wshub_dest all = {0};
    wshub_msg msg = {.event = wshub_str_z("news")};
    wshub_stats st;
    bench b;
    double from, spent = 0;
    uint64_t before, each = 0;
    int i;
    memset(text, 'x', sizeof text);
    text[0] = text[1000] = '"';
    msg.data = wshub__str(text, 1001);
    bench_start(&b, engine, false, sealed);
    for (i = 0; i < 20000 && joined < PEERS; i++) (void)wshub_io_sock_run_once(b.net, 5);
    before = heard_all();
    for (i = 0; i < MESSAGES; i++) {
        from = cpu_us();
        (void)wshub_send(b.hub, &all, &msg);
        (void)wshub_io_sock_run_once(b.net, 0);
        if (i) spent += cpu_us() - from; /* the first one is for the caches */
        if (!i) each = heard_all() - before;
        if (i % 8 == 7) heard_so_much(before + each * (uint64_t)(i + 1));
    }
    wshub_stats_get(b.hub, &st);
    EXPECT_INT(st.queued_bytes, 0);
#ifdef WITH_MBEDTLS
    EXPECT_INT(sealed_count, sealed ? MESSAGES * PEERS : 0);
    sealed_count = 0;
#endif
    bench_end(&b);
    return spent / (MESSAGES - 1) / PEERS;
}
static double handshake(const tls_engine *engine) {
    wshub_io_tls_stats st;
    bench b;
    double from;
    int i;
    bench_start(&b, engine, true, false);
    from = cpu_us();
    for (i = 0; i < 20000; i++) {
        (void)wshub_io_sock_run_once(b.net, 5);
        wshub_io_tls_stats_get(b.tls, &st);
        if (st.handshakes >= HANDSHAKES) break;
    }
    from = (cpu_us() - from) / HANDSHAKES;
    bench_end(&b);
    return from;
}

#ifdef WITH_MBEDTLS
/* The fan-out of this library beside its floor, taken in each round. */
static void say_floor(const double *of, const double *floor) {
    double ratio[ROUNDS_MAX], alone[ROUNDS_MAX], middle;
    int i;

    for (i = 0; i < rounds; i++) {
        ratio[i] = of[i] / floor[i];
        alone[i] = floor[i];
    }
    middle = median(ratio);
    (void)printf("  mbedTLS's encryption and a plain delivery %.2f; we are %.2f of it "
                 "(%.2f to %.2f)\n",
                 median(alone), middle, ratio[rounds / 4], ratio[rounds * 3 / 4]);
}
#endif

int main(int argc, char **argv) {
    double plain[ROUNDS_MAX], secure[3][ROUNDS_MAX], shaken[3][ROUNDS_MAX];
    size_t e;
    double base;
    int r;
#ifdef WITH_MBEDTLS
    double least[ROUNDS_MAX], secure_then[ROUNDS_MAX]; /* not sorted */
#endif
    if (argc > 1) rounds = atoi(argv[1]);
    if (rounds < 1 || rounds > ROUNDS_MAX) rounds = 9;
    (void)signal(SIGPIPE, SIG_IGN);
    heard = (uint64_t *)mmap(NULL, sizeof *heard, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(heard != MAP_FAILED);
    for (r = 0; r < rounds; r++) {
        plain[r] = fan_out(NULL, false);
        for (e = 0; tls_engine_at(e); e++) {
            secure[e][r] = fan_out(tls_engine_at(e), false);
            shaken[e][r] = handshake(tls_engine_at(e));
        }
#ifdef WITH_MBEDTLS
        least[r] = fan_out(NULL, true);
        secure_then[r] = secure[e - 1][r]; /* mbedTLS is the last one */
#endif
    }
    base = median(plain);
    (void)printf("%d rounds; 1 KiB to %d members, us of CPU for each: plain %.2f\n", rounds, PEERS,
                 base);
    for (e = 0; tls_engine_at(e); e++) {
        double s = median(secure[e]);
        (void)printf("  %-8s %.2f, %.2f of plain; a handshake (P-256) %.0f us\n",
                     tls_engine_at(e)->name, s, s / base, median(shaken[e]));
    }
#ifdef WITH_MBEDTLS
    say_floor(secure_then, least);
#endif
    return 0;
}
#endif
