/* The bus to a real Redis over TLS (rediss://, valkeys://), for hubs and for an emitter, by each
 * library that is there; and brokers who do not prove who they are. Skips aloud without
 * redis-server with TLS, or without a library. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_io_tls.h"
#ifdef WITH_OPENSSL
#include "wshub_io_openssl.h"
#endif
#ifdef WITH_MBEDTLS
#include "wshub_io_mbedtls.h"
#endif
#ifndef WITH_OPENSSL
TEST(redis_over_tls) {
    SKIP("OpenSSL is not installed");
}
#else
#include "tls_peer.h"
#include "redis_server.h"

/* A text as a file in the server's folder. */
static void put(const redis_server *r, const char *name, const char *text) {
    char path[160];
    FILE *f;
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    f = fopen(path, "w");
    EXPECT(f && fwrite(text, 1, strlen(text), f) == strlen(text));
    if (f) (void)fclose(f);
}

/* A redis-server with a port for TLS beside its own. False: it has no TLS. */
static bool secure_redis(redis_server *r, const char *cert, const char *key, int *out_port) {
    static char port[16];
    memset(r, 0, sizeof *r);
    r->port = free_port();
    *out_port = free_port();
    (void)snprintf(r->dir, sizeof r->dir, "build/redis-tls-%d-%d", (int)getpid(), r->port);
    (void)mkdir(r->dir, 0700);
    (void)snprintf(r->url, sizeof r->url, "redis://127.0.0.1:%d", r->port);
    (void)snprintf(port, sizeof port, "%d", *out_port);
    put(r, "cert.pem", cert);
    put(r, "key.pem", key);
    r->extra[0] = "--tls-port";
    r->extra[1] = port;
    r->extra[2] = "--tls-cert-file";
    r->extra[3] = "cert.pem";
    r->extra[4] = "--tls-key-file";
    r->extra[5] = "key.pem";
    r->extra[6] = "--tls-auth-clients";
    r->extra[7] = "no";
    redis_spawn(r);
    return redis_ready(r, 5000);
}

typedef struct node {
    wshub_io_sock *net;
    wshub_io_tls *tls;
    wshub_bus_redis *redis;
    wshub *hub;
    wshub_emitter *emitter;
    int heard;
} node;

static void on_app(wshub *hub, const wshub_app_message *message, void *user) {
    (void)hub;
    if (wshub_str_eq_z(message->bytes, "news")) ((node *)user)->heard++;
}
static void node_open(node *n, const tls_engine *engine, const char *form, int port, bool hub) {
    char url[64];
    wshub_bus_redis_desc rd = {.url = url, .tls = true, .user = n};
    wshub_io_tls_desc td = {.roots = tls_root_cert};
    memset(n, 0, sizeof *n);
    (void)snprintf(url, sizeof url, form, port);
    EXPECT_INT(wshub_io_auto_create(NULL, &n->net), WSHUB_OK);
    td.io = wshub_io_sock_io(n->net);
    n->tls = tls_make(engine, &td);
    rd.io = wshub_io_tls_io(n->tls);
    EXPECT_INT(wshub_bus_redis_create(&rd, &n->redis), WSHUB_OK);
    if (hub) {
        wshub_desc d = {
            .io = rd.io, .bus = wshub_bus_redis_bus(n->redis), .on_authenticate = accept_all};
        EXPECT_INT(wshub_create(&d, &n->hub), WSHUB_OK);
        EXPECT_INT(wshub_app_subscribe(n->hub, wshub_str_z("tls"), on_app, n), WSHUB_OK);
    } else {
        wshub_emitter_desc ed = {.bus = wshub_bus_redis_bus(n->redis)};
        EXPECT_INT(wshub_emitter_create(&ed, &n->emitter), WSHUB_OK);
    }
}
static void node_close(node *n) {
    if (n->hub) wshub_destroy(n->hub);
    if (n->emitter) wshub_emitter_destroy(n->emitter);
    wshub_bus_redis_destroy(n->redis);
    wshub_io_tls_destroy(n->tls);
    wshub_io_sock_destroy(n->net);
}
static wshub_bus_redis_stats node_stats(const node *n) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(n->redis, &st);
    return st;
}
/* Until both are up. */
static bool nodes_up(node *a, node *b) {
    int i;
    for (i = 0; i < 1000; i++) {
        (void)wshub_io_sock_run_once(a->net, 2);
        (void)wshub_io_sock_run_once(b->net, 2);
        if (node_stats(a).state == WSHUB_BUS_UP && node_stats(b).state == WSHUB_BUS_UP) return true;
    }
    return false;
}

TEST(hubs_and_an_emitter_speak_to_redis_over_tls) {
    redis_server r;
    static node a, b, em;
    size_t e;
    int port, i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    if (!secure_redis(&r, tls_server_cert, tls_server_key, &port)) {
        redis_end(&r);
        SKIP("redis-server has no TLS");
    }
    for (e = 0; tls_engine_at(e); e++) {
        wshub_dest all = {0};
        wshub_msg msg = {.event = wshub_str_z("news"), .data = wshub_str_z("1")};
        node_open(&a, tls_engine_at(e), "rediss://127.0.0.1:%d", port, true);
        node_open(&b, tls_engine_at(e), "valkeys://localhost:%d", port, true);
        node_open(&em, tls_engine_at(e), "rediss://127.0.0.1:%d", port, false);
        EXPECT(nodes_up(&a, &b) && nodes_up(&em, &a));
        EXPECT_INT(wshub_app_publish(a.hub, wshub_str_z("tls"), wshub_str_z("news")), WSHUB_OK);
        for (i = 0; i < 60000 && !b.heard; i++) {
            (void)wshub_io_sock_run_once(a.net, 2);
            (void)wshub_io_sock_run_once(b.net, 2);
        }
        EXPECT_INT(b.heard, 1);
        EXPECT_INT(wshub_emitter_send(em.emitter, &all, &msg), WSHUB_OK);
        for (i = 0;
             i < 60000 && (node_stats(&em).pending || wshub_emitter_queued_bytes(em.emitter)); i++)
            (void)wshub_io_sock_run_once(em.net, 2);
        EXPECT_INT(node_stats(&em).pending, 0);
        node_close(&em);
        node_close(&b);
        node_close(&a);
    }
    redis_end(&r);
}

static void refused(const char *cert, const char *key, const char *form, const char *why) {
    redis_server r;
    static node n;
    size_t e;
    int port, i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    if (!secure_redis(&r, cert, key, &port)) {
        redis_end(&r);
        SKIP("redis-server has no TLS");
    }
    for (e = 0; tls_engine_at(e); e++) {
        node_open(&n, tls_engine_at(e), form, port, true);
        for (i = 0; i < 60000 && !strstr(wshub_bus_redis_error(n.redis), why); i++)
            (void)wshub_io_sock_run_once(n.net, 2);
        EXPECT_HAS(wshub_bus_redis_error(n.redis), why);
        EXPECT(node_stats(&n).state != WSHUB_BUS_UP);
        node_close(&n);
    }
    redis_end(&r);
}
TEST(a_broker_whose_certificate_has_expired_is_refused) {
    refused(tls_expired_cert, tls_expired_key, "rediss://127.0.0.1:%d", "not valid at this time");
}
TEST(a_broker_with_another_name_is_refused) {
    refused(tls_other_cert, tls_other_key, "rediss://localhost:%d", "not for this name");
}
TEST(a_broker_that_vouches_for_itself_is_refused) {
    refused(tls_self_cert, tls_self_key, "rediss://localhost:%d", "nobody who is trusted");
}
#endif
