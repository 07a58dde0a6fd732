/* A small application behind a proxy: says on standard output what it has seen, one line of
 * JSON a request, and answers with the same. Used by tests/proxies.mjs. Prints `listening PORT`
 * first; ends on SIGTERM or SIGINT. The last part of the path chooses how it answers: `late`
 * 30 ms later, `big` with 300 KB, `close` and the end of the stream, `none` not at all (404 by
 * the hub); anything else at once. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static wshub_io_sock *net;
static int owed; /* answers that a timer has yet to give */

typedef struct answer {
    wshub_exchange request;
    size_t len;
    bool close;
    char text[2048]; /* and what fills a big page, behind it */
} answer;

static void on_signal(int number) {
    (void)number;
    wshub_io_sock_stop(net);
}

/* FNV-1a: enough to tell bodies apart. */
static uint32_t hash(wshub_str s) {
    uint32_t h = 2166136261u;
    size_t i;
    for (i = 0; i < s.len; i++) h = (h ^ (uint8_t)s.ptr[i]) * 16777619u;
    return h;
}

/* Quotes for JSON; what is not plain becomes `.`. */
static const char *quoted(wshub_str s, char *buf, size_t cap) {
    size_t i;
    for (i = 0; i < s.len && i + 1 < cap; i++) buf[i] = s.ptr[i];
    for (s.len = 0; s.len < i; s.len++) {
        char c = buf[s.len];
        if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') buf[s.len] = '.';
    }
    buf[i] = 0;
    return buf;
}

static bool ends_with(wshub_str s, const char *tail) {
    size_t n = strlen(tail);
    return s.len >= n && memcmp(s.ptr + s.len - n, tail, n) == 0;
}

static void give(wshub *hub, void *arg) {
    answer *a = (answer *)arg;
    wshub_reply r;
    memset(&r, 0, sizeof r);
    r.status = 200;
    r.content_type = "application/json";
    r.body.ptr = a->text;
    r.body.len = a->len;
    r.close = a->close;
    (void)wshub_http_reply(hub, a->request, &r); /* STALE where the peer has left meanwhile */
    free(a);
    owed--;
}

static bool on_request(wshub *hub, wshub_exchange request, const wshub_http *h, void *user) {
    char method[32], target[512], id[80];
    wshub_str from_proxy = wshub_http_header(h, "X-Proxy-Id");
    size_t more = ends_with(h->path, "/big") ? 300000 : 0;
    answer *a;
    (void)user;
    a = (answer *)malloc(sizeof *a + more);
    if (!a) return false;
    owed++;
    a->request = request;
    a->close = ends_with(h->path, "/close");
    a->len = (size_t)snprintf(
        a->text, sizeof a->text,
        "{\"id\":\"%s\",\"method\":\"%s\",\"target\":\"%s\",\"body\":%u,\"hash\":%u}",
        quoted(from_proxy, id, sizeof id), quoted(h->method, method, sizeof method),
        quoted(h->target, target, sizeof target), (unsigned)h->body.len, (unsigned)hash(h->body));
    (void)printf("%s\n", a->text);
    if (ends_with(h->path, "/none")) {
        free(a);
        owed--;
        return false;
    }
    memset(a->text + a->len, ' ', more);
    a->len += more;
    if (!ends_with(h->path, "/late"))
        give(hub, a);
    else if (wshub_timer_start(hub, 30, give, a, NULL))
        give(hub, a);
    return true;
}

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}

int main(void) {
    wshub_desc d;
    wshub *hub;
    uint16_t port = 0;
    if (wshub_io_auto_create(NULL, &net)) return 1;
    memset(&d, 0, sizeof d);
    d.io = wshub_io_sock_io(net);
    d.on_request = on_request;
    d.on_authenticate = on_authenticate;
    if (wshub_create(&d, &hub)) return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", 0, &port)) {
        (void)fprintf(stderr, "fixture-http: %s\n", wshub_io_sock_error(net));
        return 1;
    }
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)printf("listening %u\n", (unsigned)port);
    (void)wshub_io_sock_run(net);
    while (owed && wshub_io_sock_run_once(net, 10) == WSHUB_OK) {
    }
    (void)signal(SIGTERM, SIG_IGN); /* one that comes now would find no loop to stop */
    (void)signal(SIGINT, SIG_IGN);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return 0;
}
