/* The fixture server: fixture_app.h on sockets. Prints `listening PORT` once it accepts
 * connections, logs to standard error, ends on SIGTERM or SIGINT within 4 s with status 0. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_auto.h"
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "wshub_bus_redis.h"
#if defined(FIXTURE_OPENSSL)
#include "wshub_io_openssl.h"
#elif defined(FIXTURE_MBEDTLS)
#include "wshub_io_mbedtls.h"
#endif
#ifdef FIXTURE_DEFLATE
#include "wshub_deflate_zlib.h"
#endif
#if defined(FIXTURE_MBEDTLS) || defined(FIXTURE_E2E)
#include "wshub_ext_e2e_mbedtls.h"
#endif
#include "fixture_app.h"
#include "fixture_tls.h"
#include "fixture_e2e.h"
#include <errno.h>
#include <signal.h>

static wshub_io_sock *net;

static void on_signal(int number) {
    (void)number;
    wshub_io_sock_stop(net);
}

static void on_hup(int number) {
    fixture_tls_on_hup(number);
    wshub_io_sock_stop(net);
}

static void on_error(const char *line, void *user) {
    (void)user;
    (void)fprintf(stderr, "fixture-server: %s\n", line);
}

static const wshub_io_sock_poller *poller_named(const char *name) { /* NULL: none */
    static const struct {
        const char *name;
        const wshub_io_sock_poller *(*poller)(void);
    } pollers[] = {
#ifdef __linux__
        {"epoll", wshub_io_epoll_poller},
#endif
        {"poll", wshub_io_poll_poller},
        {"kqueue", wshub_io_kqueue_poller},
    };
    size_t i;
    for (i = 0; i < sizeof pollers / sizeof *pollers; i++) {
        if (strcmp(name, pollers[i].name) == 0) return pollers[i].poller();
    }
    return NULL;
}

/* Waits for the subscriptions to be active. False: the broker is not there: it has refused two
 * attempts, or has not answered for a minute. */
static bool bus_ready(wshub_bus_redis *redis) {
    wshub_bus_redis_stats st;
    int i;
    for (i = 0; i < 6000; i++) {
        if (wshub_io_sock_run_once(net, 10)) return false;
        wshub_bus_redis_stats_get(redis, &st);
        if (st.state == WSHUB_BUS_UP) return true;
        if (st.attempts > 2) break;
    }
    (void)fprintf(stderr, "fixture-server: no Redis: %s\n", wshub_bus_redis_error(redis));
    return false;
}

int main(int argc, char **argv) {
    static fixture f;
    static fixture_tls tls;
    const wshub_io *io;
    wshub_io_sock_desc nd;
    wshub_bus_redis_desc rd;
    wshub_desc d;
    wshub_bus_local *local = NULL;
    wshub_bus_redis *redis = NULL;
    wshub_bus bus;
    uint16_t port = 0;
    bool secure;
    const char *why = fixture_parse(&f.opt, argc, argv);
    struct sigaction sa;
    memset(&nd, 0, sizeof nd);
    nd.on_error = on_error;
    if (!why && f.opt.backend) nd.poller = poller_named(f.opt.backend);
    if (!why && f.opt.backend && !nd.poller) why = "bad value for --backend: epoll, poll or kqueue";
    secure = !why && fixture_tls_wanted(&f.opt, &why);
    if (!why && f.opt.e2e && !E2E_BUILT_IN) why = "--e2e: not built in";
    if (why) {
        (void)fprintf(stderr, "fixture-server: %s\n", why);
        return 2;
    }
    f.log = true;
    if (wshub_io_auto_create(&nd, &net)) {
        (void)fprintf(stderr, "fixture-server: cannot start: %s\n", strerror(errno));
        return 1;
    }
    io = wshub_io_sock_io(net);
    if (secure && (why = fixture_tls_open(&tls, &f.opt, io)) != NULL) {
        (void)fprintf(stderr, "fixture-server: %s\n", why);
        return 2;
    }
    if (secure) io = fixture_tls_io(&tls);
    memset(&rd, 0, sizeof rd);
    rd.io = io;
    rd.url = f.opt.redis;
    rd.on_log = on_error;
    rd.no_heartbeat = true; /* a transcript has everything that is published */
    if (f.opt.redis && wshub_bus_redis_desc_problem(&rd)) {
        (void)fprintf(stderr, "fixture-server: bad value for --redis: %s\n",
                      wshub_bus_redis_desc_problem(&rd));
        return 2;
    }
    if (f.opt.redis ? wshub_bus_redis_create(&rd, &redis)
                    : wshub_bus_local_create(NULL, &local) || wshub_bus_local_seat(local, &bus)) {
        (void)fprintf(stderr, "fixture-server: out of memory\n");
        return 1;
    }
    if (redis) bus = *wshub_bus_redis_bus(redis);
    d = fixture_desc(&f, io);
    d.bus = &bus;
    if (!e2e_set(&f.opt, &d)) {
        (void)fprintf(stderr, "fixture-server: no randomness, or no memory, for keys\n");
        return 1;
    }
    if (wshub_create(&d, &f.hub)) {
        (void)fprintf(stderr, "fixture-server: bad value among the options: %s\n",
                      wshub_desc_problem(&d));
        return 2;
    }
    if (wshub_io_sock_listen(net, f.opt.host, (uint16_t)f.opt.port, &port)) {
        (void)fprintf(stderr, "fixture-server: %s\n", wshub_io_sock_error(net));
        return 1;
    }
    if (redis && !bus_ready(redis)) return 1;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_signal;
    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGINT, &sa, NULL);
    sa.sa_handler = on_hup;
    if (secure) (void)sigaction(SIGHUP, &sa, NULL);
    (void)printf("listening %u\n", (unsigned)port);
    (void)fflush(stdout);
    fixture_tls_serve(&tls, secure, net);
    wshub_io_sock_unlisten(net);
    (void)wshub_shutdown(f.hub);
    while (!wshub_is_down(f.hub)) {
        if (wshub_io_sock_run_once(net, 100)) break;
        /* a second signal only makes one of these return early */
        (void)wshub_io_sock_run_once(net, 0);
    }
    (void)signal(SIGTERM, SIG_IGN); /* one that comes now would find no loop to stop */
    (void)signal(SIGINT, SIG_IGN);
    wshub_destroy(f.hub);
    e2e_end();
    fixture_end(&f);
    wshub_bus_redis_destroy(redis);
    if (secure) fixture_tls_close(&tls);
    wshub_io_sock_destroy(net);
    wshub_bus_local_destroy(local);
    return 0;
}
