/* What compression costs a fan-out: a message of 1 KiB to 1,000 WebSockets over loopback that have
 * agreed on permessage-deflate, beside the same number of bytes, as they are once compressed, sent
 * plain to 1,000 that have not. CPU time of this process for the send and its settle, kernel
 * included; what the peers read is not counted. The two take turns.  build/bench_deflate [ROUNDS] */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#if defined(__has_include)
#if __has_include(<zlib.h>)
#include "wshub_deflate_zlib.h"
#define WITH_ZLIB 1
#endif
#endif
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifndef WITH_ZLIB
int main(void) {
    (void)printf("  skipped: zlib is not installed\n");
    return 0;
}
#else

enum { PEERS = 1000, EVERY = 20 };

typedef struct side {
    wshub_io_sock *net;
    wshub *hub;
    int peers[PEERS];
    double best, sum;
} side;

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}

static double cpu_us(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Reads what is there of all peers. Returns how many bytes. */
static size_t drain(side *s) {
    static char bytes[65536];
    size_t sum = 0;
    int i;
    for (i = 0; i < PEERS; i++) {
        ssize_t n;
        while ((n = recv(s->peers[i], bytes, sizeof bytes, MSG_DONTWAIT)) > 0) sum += (size_t)n;
    }
    return sum;
}

static void begin(side *s, const wshub_deflate *deflate) {
    static const char hello[] =
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";
    struct sockaddr_in at;
    wshub_desc d;
    uint16_t port = 0;
    int i;
    memset(&d, 0, sizeof d);
    memset(&at, 0, sizeof at);
    if (wshub_io_auto_create(NULL, &s->net)) exit(1);
    d.io = wshub_io_sock_io(s->net);
    d.deflate = deflate;
    d.on_authenticate = on_authenticate;
    d.no_log = true;
    if (wshub_create(&d, &s->hub) || wshub_io_sock_listen(s->net, "127.0.0.1", 0, &port)) exit(1);
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < PEERS; i++) {
        s->peers[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(s->peers[i], (struct sockaddr *)(void *)&at, sizeof at)) exit(1);
        if (send(s->peers[i], hello, sizeof hello - 1, 0) < 0) exit(1);
        (void)wshub_io_sock_run_once(s->net, 0);
    }
    for (i = 0; i < 50; i++) (void)wshub_io_sock_run_once(s->net, 1);
    (void)drain(s);
    s->best = 1e9;
}

/* EVERY messages, each a turn. Returns the bytes that a peer got of one. */
static size_t one_round(side *s, const char *data) {
    double took = 0;
    size_t got = 0;
    int i;
    for (i = 0; i < EVERY; i++) {
        wshub_msg m;
        double t0;
        memset(&m, 0, sizeof m);
        m.event = wshub_str_z("news");
        m.data = wshub_str_z(data);
        t0 = cpu_us();
        (void)wshub_all_send_here(s->hub, &m, NULL, 0);
        (void)wshub_io_sock_run_once(s->net, 0);
        took += cpu_us() - t0;
        got += drain(s);
    }
    took /= EVERY;
    if (took < s->best) s->best = took;
    s->sum += took;
    return got / EVERY / PEERS;
}

int main(int argc, char **argv) {
    static side coded, plain;
    static char data[2000], small[2000];
    int rounds = argc > 1 ? atoi(argv[1]) : 15, i;
    size_t n = 0, bytes, head;
    n += (size_t)snprintf(data, sizeof data, "{\"list\":[");
    for (i = 0; n < 1000; i++)
        n += (size_t)snprintf(data + n, sizeof data - n,
                              "%s{\"id\":%d,\"price\":%d.%02d,\"side\":\"%s\"}", i ? "," : "",
                              i * 7919 % 10007, i * 31 % 97, i * 17 % 100, i % 3 ? "buy" : "sell");
    (void)snprintf(data + n, sizeof data - n, "]}");
    begin(&coded, wshub_deflate_zlib());
    begin(&plain, NULL);
    bytes = one_round(&coded, data);
    (void)one_round(&coded, data);
    (void)memset(small, 'x', sizeof small);
    head = sizeof "{\"event\":\"news\",\"data\":}" - 1 + 4;
    small[0] = small[bytes - head - 1] = '"';
    small[bytes - head] = 0;
    (void)one_round(&plain, small);
    coded.best = plain.best = 1e9;
    coded.sum = plain.sum = 0;
    for (i = 0; i < rounds; i++) {
        (void)one_round(&coded, data);
        (void)one_round(&plain, small);
    }
    (void)printf("%d bytes, %d compressed, to %d: %.1f us; as many bytes plain: %.1f us\n",
                 (int)strlen(data), (int)bytes, PEERS, coded.best, plain.best);
    (void)printf("ratio of the least %.3f, of the means %.3f\n", coded.best / plain.best,
                 coded.sum / plain.sum);
    return 0;
}
#endif
