/* What TLS costs a server: CPU time of a fan-out of 1 KiB to 100 members, plain and by each
 * library in turn, and of whole handshakes. The peers are another process, so only the server is
 * counted. For
 * mbedTLS also what its encryption alone costs. Medians of nine rounds.
 *
 *     make bench-tls        (OpenSSL is needed, for the peers) */
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
#include <sys/resource.h>
#include <sys/wait.h>

enum { PEERS = 100, ROUNDS = 9, MESSAGES = 300, HANDSHAKES = 100 };
static int joined;

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
static double median(double *v) {
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
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
    struct pollfd fds[PEERS];
    SSL *ssl[PEERS];
    int i, fd;
    for (i = 0; shake && i < HANDSHAKES; i++) {
        SSL *one = peer_open(port, ctx, &fd);
        SSL_free(one);
        (void)close(fd);
    }
    for (i = 0; !shake && i < PEERS; i++) {
        ssl[i] = peer_open(port, ctx, &fds[i].fd);
        fds[i].events = POLLIN;
        peer_write(ssl[i], fds[i].fd, up, sizeof up - 1);
        peer_write(ssl[i], fds[i].fd, auth, sizeof auth - 1);
        (void)fcntl(fds[i].fd, F_SETFL, O_NONBLOCK);
    }
    while (!shake && poll(fds, PEERS, 5000) > 0) {
        for (i = 0; i < PEERS; i++) {
            /* nothing is opened: that is the peers' own cost */
            if (fds[i].revents && recv(fds[i].fd, buf, sizeof buf, 0) == 0) _exit(0);
        }
    }
    _exit(0);
}

typedef struct bench {
    wshub_io_sock *net;
    wshub_io_tls *tls;
    wshub *hub;
    uint16_t port;
    pid_t child;
} bench;
static void bench_start(bench *b, const tls_engine *engine, bool shake) {
    wshub_tls_pair pair = {.cert = tls_server_cert, .key = tls_server_key};
    wshub_io_tls_desc td = {.pairs = &pair, .pairs_count = 1};
    wshub_desc d = {.on_authenticate = on_auth, .no_log = true};
    memset(b, 0, sizeof *b);
    joined = 0;
    (void)wshub_io_auto_create(NULL, &b->net);
    (void)wshub_io_sock_listen(b->net, "127.0.0.1", 0, &b->port);
    b->child = fork();
    if (b->child == 0) peers(b->port, engine != NULL, shake);
    d.io = td.io = wshub_io_sock_io(b->net);
    if (engine) b->tls = tls_make(engine, &td);
    if (engine) d.io = wshub_io_tls_io(b->tls);
    (void)wshub_create(&d, &b->hub);
}
static void bench_end(bench *b) {
    wshub_destroy(b->hub);
    wshub_io_tls_destroy(b->tls);
    wshub_io_sock_destroy(b->net);
    (void)kill(b->child, SIGTERM);
    (void)waitpid(b->child, NULL, 0);
}
/* Microseconds of one delivery. */
static double fan_out(const tls_engine *engine) {
    static char text[1024];
    wshub_dest all = {0};
    wshub_msg msg = {.event = wshub_str_z("news")};
    wshub_stats st;
    bench b;
    double from;
    int i;
    memset(text, 'x', sizeof text);
    text[0] = text[1000] = '"';
    msg.data = wshub__str(text, 1001);
    bench_start(&b, engine, false);
    for (i = 0; i < 20000 && joined < PEERS; i++) (void)wshub_io_sock_run_once(b.net, 5);
    from = cpu_us();
    for (i = 0; i < MESSAGES; i++) {
        (void)wshub_send(b.hub, &all, &msg);
        (void)wshub_io_sock_run_once(b.net, 0);
        do wshub_stats_get(b.hub, &st);
        while (st.queued_bytes > 100 * 65536 && wshub_io_sock_run_once(b.net, 5) == WSHUB_OK);
    }
    from = (cpu_us() - from) / MESSAGES / PEERS;
    bench_end(&b);
    return from;
}
static double handshake(const tls_engine *engine) {
    wshub_io_tls_stats st;
    bench b;
    double from;
    int i;
    bench_start(&b, engine, true);
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
/* Microseconds of encrypting such a message and nothing else, by AES-128-GCM, which is agreed on. */
static double sealing(void) {
    static unsigned char text[1029], out[1029], iv[12], tag[16], record[13];
    mbedtls_gcm_context gcm;
    double from;
    int i, count = MESSAGES * PEERS;

    mbedtls_gcm_init(&gcm);
    if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, iv, 128)) abort();
    from = cpu_us();
    for (i = 0; i < count; i++) {
        iv[0] = (unsigned char)i;
        if (mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, sizeof text, iv, sizeof iv, record,
                                      sizeof record, text, out, sizeof tag, tag))
            abort();
    }
    from = (cpu_us() - from) / count;
    mbedtls_gcm_free(&gcm);
    return from;
}
/* The same fan-out beside what a plain delivery and that come to, taken in each round. */
static void say_mbedtls(const double *of, const double *plain, const double *seal) {
    double ratio[ROUNDS], alone[ROUNDS];
    int i;

    for (i = 0; i < ROUNDS; i++) {
        ratio[i] = of[i] / (plain[i] + seal[i]);
        alone[i] = seal[i];
    }
    (void)printf("  mbedTLS's encryption alone %.2f; a delivery is %.2f of plain and that\n",
                 median(alone), median(ratio));
}
#endif

int main(void) {
    double plain[ROUNDS], secure[3][ROUNDS], shaken[3][ROUNDS];
    size_t r, e;
    double base;
#ifdef WITH_MBEDTLS
    double seal[ROUNDS], plain_then[ROUNDS], secure_then[ROUNDS]; /* not sorted */
#endif
    (void)signal(SIGPIPE, SIG_IGN);
    for (r = 0; r < ROUNDS; r++) {
        plain[r] = fan_out(NULL);
        for (e = 0; tls_engine_at(e); e++) {
            secure[e][r] = fan_out(tls_engine_at(e));
            shaken[e][r] = handshake(tls_engine_at(e));
        }
#ifdef WITH_MBEDTLS
        seal[r] = sealing();
        plain_then[r] = plain[r];
        secure_then[r] = secure[e - 1][r]; /* mbedTLS is the last one */
#endif
    }
    base = median(plain);
    (void)printf("1 KiB to %d members, us of CPU for each: plain %.2f\n", PEERS, base);
    for (e = 0; tls_engine_at(e); e++) {
        double s = median(secure[e]);
        (void)printf("  %-8s %.2f, %.2f of plain; a handshake (P-256) %.0f us\n",
                     tls_engine_at(e)->name, s, s / base, median(shaken[e]));
    }
#ifdef WITH_MBEDTLS
    say_mbedtls(secure_then, plain_then, seal);
#endif
    return 0;
}
#endif
