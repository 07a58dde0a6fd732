/* The fixture server with Socket.IO: beside the raw dialect on --path, mounts of the application
 * that the black-box drivers of Socket.IO talk to (--sio), of the helper's flow (--sio-helper), of
 * Engine.IO alone with an echo (--eio), and of what the protocols' public suites need (--sio-suite). What is not there yet says so. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_bus_redis.h"
#include "wshub_io_auto.h"
#include "wshub_dialect_socketio.h"
#if defined(FIXTURE_OPENSSL)
#include "wshub_io_openssl.h"
#elif defined(FIXTURE_MBEDTLS)
#include "wshub_io_mbedtls.h"
#endif
#ifdef FIXTURE_DEFLATE
#include "wshub_deflate_zlib.h"
#endif
#ifdef FIXTURE_HIREDIS
#include "wshub_bus_hiredis.h"
#include "hiredis_loop.h"
static wshub_bus_hiredis *hiredis; /* instead of this library's own client (--sio-hiredis) */
#endif
#include "fixture_app.h"
#include "fixture_tls.h"
#include <errno.h>
#include <signal.h>
#include "fixture_sio_mounts.h"

static wshub_io_sock *net;
static volatile sig_atomic_t stopped;

/* What the loop does once. False: it has failed. */
static bool loop_step(int ms) {
#ifdef FIXTURE_HIREDIS
    if (hiredis) return hiredis_loop_step(net);
#endif
    return wshub_io_sock_run_once(net, ms) == WSHUB_OK;
}

/* A mount's path without its slash is none, and is answered so without a word, as Node does. */
static bool (*raw_request)(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user);
static bool on_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_reply reply;
    if (raw_request && raw_request(hub, exchange, http, user)) return true;
    memset(&reply, 0, sizeof reply);
    reply.status = 404;
    (void)wshub_http_reply(hub, exchange, &reply);
    return true;
}

/* The raw application's comings and goings are told of its own clients, and of no mount's. */
static wshub_err (*raw_connected)(wshub *, wshub_client, void *);
static void (*raw_disconnected)(wshub *, const wshub_gone *, void *);
static wshub_err only_raw_connected(wshub *hub, wshub_client client, void *user) {
    return wshub_client_realm(hub, client).id ? WSHUB_OK : raw_connected(hub, client, user);
}
static void only_raw_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    if (!gone->realm.id) raw_disconnected(hub, gone, user);
}

/* Waits for the subscriptions to be active. False: the broker is not there. */
static bool bus_ready(const wshub_bus_redis *redis) {
    wshub_bus_redis_stats st;
    int i;
    for (i = 0; i < 200; i++) {
        if (!loop_step(10)) return false;
        wshub_bus_redis_stats_get(redis, &st);
        if (st.state == WSHUB_BUS_UP) return true;
    }
    (void)fprintf(stderr, "fixture-sio: no Redis: %s\n", wshub_bus_redis_error(redis));
    return false;
}

/* The bus: Redis, or one of this process. False: it has been said why not. */
static bool bus_make(const char *url, const wshub_io *io, wshub_bus_redis **redis,
                     wshub_bus_local **local, wshub_bus *out) {
    wshub_bus_redis_desc d;
    if (!url) return !wshub_bus_local_create(NULL, local) && !wshub_bus_local_seat(*local, out);
    memset(&d, 0, sizeof d);
    d.io = io;
    d.url = url;
    d.no_heartbeat = true; /* a transcript has everything that is published */
    d.cluster = opt.redis_cluster;
#ifdef FIXTURE_HIREDIS
    if (opt.hiredis) {
        wshub_bus_hiredis_desc over;
        memset(&over, 0, sizeof over);
        over.redis = d;
        over.attach = watch_attach;
        if (!wshub_bus_hiredis_create(&over, &hiredis)) *out = *wshub_bus_hiredis_bus(hiredis);
        return hiredis != NULL;
    }
#endif
    if (wshub_bus_redis_desc_problem(&d) || wshub_bus_redis_create(&d, redis)) {
        (void)fprintf(stderr, "fixture-sio: bad value for --redis\n");
        return false;
    }
    *out = *wshub_bus_redis_bus(*redis);
    return true;
}

static void on_signal(int number) {
    (void)number;
    stopped = 1;
    wshub_io_sock_stop(net);
}
static void on_hup(int number) {
    fixture_tls_on_hup(number);
    wshub_io_sock_stop(net);
}
static void listen_to_signals(bool secure) {
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_signal;
    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGINT, &sa, NULL);
    sa.sa_handler = on_hup;
    if (secure) (void)sigaction(SIGHUP, &sa, NULL);
}

int main(int argc, char **argv) {
    static fixture f;
    wshub_desc d;
    wshub_bus_local *local = NULL;
    wshub_bus_redis *redis = NULL;
    const wshub_bus_redis *seen;
    wshub_bus bus;
    static fixture_tls tls;
    const wshub_io *io;
    bool secure;
    uint16_t port = 0;
    const char *why = sio_parse(&argc, argv);
    wshub_err err = WSHUB_OK;
    if (!why) why = fixture_parse(&f.opt, argc, argv);
    if (!why && opt.suite && strcmp(opt.suite, "protocol") != 0 &&
        strcmp(opt.suite, "sio-client") != 0 && strcmp(opt.suite, "eio-client") != 0)
        why = "bad value for --sio-suite, or not built in";
    secure = !why && fixture_tls_wanted(&f.opt, &why);
    if (why) {
        (void)fprintf(stderr, "fixture-sio: %s\n", why);
        return 2;
    }
    f.log = true;
    if (wshub_io_auto_create(NULL, &net)) {
        (void)fprintf(stderr, "fixture-sio: cannot start: %s\n", strerror(errno));
        return 1;
    }
    io = wshub_io_sock_io(net);
    if (secure && (why = fixture_tls_open(&tls, &f.opt, io)) != NULL) {
        (void)fprintf(stderr, "fixture-sio: %s\n", why);
        return 2;
    }
    if (secure) io = fixture_tls_io(&tls);
    if (!bus_make(f.opt.redis, io, &redis, &local, &bus)) return f.opt.redis ? 2 : 1;
    seen = redis;
#ifdef FIXTURE_HIREDIS
    if (hiredis) seen = wshub_bus_hiredis_redis(hiredis);
#endif
    on_redis = seen != NULL;
    d = fixture_desc(&f, io);
    d.bus = &bus;
#ifdef FIXTURE_DEFLATE
    if (opt.deflate) {
        d.deflate = wshub_deflate_zlib();
        d.deflate_bytes_min = 1024;
    }
#endif
    d.shutdown_timeout_ms = 1500; /* for peers that do not answer our Close */
    raw_request = d.on_request;
    d.on_request = on_request;
    raw_connected = d.on_connected;
    raw_disconnected = d.on_disconnected;
    if (raw_connected) d.on_connected = only_raw_connected;
    if (raw_disconnected) d.on_disconnected = only_raw_disconnected;
    raw_authenticate = d.on_authenticate;
    raw_join = d.on_join;
    if (opt.helper) d.on_authenticate = helper_authenticate;
    if (opt.helper) d.on_join = helper_join;
    if (wshub_create(&d, &f.hub)) {
        (void)fprintf(stderr, "fixture-sio: bad value among the options: %s\n",
                      wshub_desc_problem(&d));
        return 2;
    }
    if (opt.sio) err = mount_sio(f.hub, opt.sio);
    if (!err && opt.helper) err = mount_helper(f.hub, opt.helper);
    if (!err && opt.eio) err = mount_eio(f.hub, opt.eio);
    if (!err && opt.suite) err = mount_suite(f.hub, opt.suite);
    if (err) {
        (void)fprintf(stderr, "fixture-sio: bad value among the options of Socket.IO\n");
        return 2;
    }
    if (wshub_io_sock_listen(net, f.opt.host, (uint16_t)f.opt.port, &port)) {
        (void)fprintf(stderr, "fixture-sio: %s\n", wshub_io_sock_error(net));
        return 1;
    }
    if (seen && !bus_ready(seen)) return 1;
    listen_to_signals(secure);
    (void)printf("listening %u\n", (unsigned)port);
    (void)fflush(stdout);
#ifdef FIXTURE_HIREDIS
    while (hiredis && !stopped && loop_step(0)) {
    }
#endif
    if (!stopped) fixture_tls_serve(&tls, secure, net);
    wshub_io_sock_unlisten(net);
    if (helper_mount) wshub_sio_shutdown(helper_mount);
    if (sio_mount) wshub_sio_shutdown(sio_mount);
    if (eio_mount) wshub_eio_shutdown(eio_mount);
    (void)wshub_shutdown(f.hub);
    while (!wshub_is_down(f.hub) && loop_step(50)) {
    }
    (void)signal(SIGTERM, SIG_IGN); /* one that comes now would find no loop to stop */
    (void)signal(SIGINT, SIG_IGN);
    wshub_destroy(f.hub);
    while (slows) slow_free(slows);
    wshub_sio_destroy(helper_mount);
    wshub_sio_destroy(sio_mount);
    wshub_eio_destroy(eio_mount);
    wshub_bus_redis_destroy(redis);
#ifdef FIXTURE_HIREDIS
    wshub_bus_hiredis_destroy(hiredis);
#endif
    if (secure) fixture_tls_close(&tls);
    wshub_bus_local_destroy(local);
    wshub_io_sock_destroy(net);
    return 0;
}
