/* An HTTP proxy on real sockets that is asked to CONNECT, and served step by step by the test: it
 * leads to whatever port of this machine it is asked for, and does what a test wants of a bad one. */
#ifndef CONNECT_PROXY_H
#define CONNECT_PROXY_H
#include "sock_peer.h"

enum { PROXY_STREAMS = 8, PROXY_HEAD = 1024 };

typedef struct proxy_stream {
    int client, server; /* -1: there is none */
    char head[PROXY_HEAD];
    size_t head_len;
} proxy_stream;
typedef struct connect_proxy {
    int listener;
    char url[96];       /* with its credentials */
    const char *answer; /* what it says; one that begins with 200 is meant so. NULL: nothing */
    size_t piece;       /* at most so many bytes go on at once; 0: as they come */
    proxy_stream of[PROXY_STREAMS];
    int asked;              /* how often, by now */
    char first[PROXY_HEAD]; /* the first request */
    size_t passed[2];       /* bytes from clients, and to them */
    bool clear_text;        /* something that is not TLS went to the server */
} connect_proxy;

static void proxy_start(connect_proxy *p, const char *answer) {
    char address[64];
    int i;
    memset(p, 0, sizeof *p);
    p->listener = listen_apart(NULL, address);
    (void)snprintf(p->url, sizeof p->url, "http://us%%65r:p%%40ss@%s/", address);
    p->answer = answer;
    for (i = 0; i < PROXY_STREAMS; i++) p->of[i].client = p->of[i].server = -1;
}
static void proxy_drop(proxy_stream *s) {
    if (s->client >= 0) (void)close(s->client);
    if (s->server >= 0) (void)close(s->server);
    s->client = s->server = -1;
    s->head_len = 0;
}
static void proxy_stop(connect_proxy *p) {
    int i;
    for (i = 0; i < PROXY_STREAMS; i++) proxy_drop(&p->of[i]);
    (void)close(p->listener);
}

/* Reads its request, byte by byte, so that none of TLS's is taken. */
static void proxy_ask(connect_proxy *p, proxy_stream *s) {
    const char *colon;
    while (s->head_len + 1 < sizeof s->head &&
           recv(s->client, s->head + s->head_len, 1, MSG_DONTWAIT) == 1) {
        s->head[++s->head_len] = 0;
        if (s->head_len < 4 || strcmp(s->head + s->head_len - 4, "\r\n\r\n") != 0) continue;
        if (!p->asked++) memcpy(p->first, s->head, sizeof p->first);
        colon = strchr(s->head, ':');
        if (!p->answer || !colon) return;
        if (strstr(p->answer, " 200 ")) s->server = dial_port((uint16_t)atoi(colon + 1));
        EXPECT_INT(send(s->client, p->answer, strlen(p->answer), MSG_NOSIGNAL),
                   (long long)strlen(p->answer));
        return;
    }
}
/* Hands bytes on. False: one side has gone. */
static bool proxy_pass(connect_proxy *p, int from, int to, bool back) {
    char buf[4096];
    size_t cap = p->piece ? p->piece : sizeof buf;
    ssize_t n = recv(from, buf, cap, MSG_DONTWAIT);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (!back && !p->passed[0] && buf[0] != 22) p->clear_text = true;
    p->passed[back] += (size_t)n;
    return send(to, buf, (size_t)n, MSG_NOSIGNAL) == n;
}
static void proxy_step(connect_proxy *p) {
    int i, fd = accept(p->listener, NULL, NULL);
    for (i = 0; i < PROXY_STREAMS; i++) {
        proxy_stream *s = &p->of[i];
        if (fd >= 0 && s->client < 0) {
            s->client = fd;
            fd = -1;
        }
        if (s->client < 0) continue;
        if (s->server < 0)
            proxy_ask(p, s);
        else if (!proxy_pass(p, s->client, s->server, false) ||
                 !proxy_pass(p, s->server, s->client, true))
            proxy_drop(s);
    }
    EXPECT_OP(fd, <, 0); /* there was a place */
}
#endif
