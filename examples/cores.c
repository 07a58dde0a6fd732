/* A hub on each core. Every thread has an io of its own on the same port, so that the system
 * spreads the connections, and a hub of its own, which needs no lock; one in-process bus joins
 * them, so that what is sent on one reaches the clients of all.
 *
 * Build: cc cores.c -O2 -I.. -I../backends -pthread -o cores (in examples/)
 * Try:   ./cores [PORT [THREADS]], by default 8080 and one a core; then, in two windows, any
 *        WebSocket program on ws://127.0.0.1:8080/ws: {"event":"authenticate"} */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_auto.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 64 };
static struct core {
    wshub_io_sock *net;
    wshub *hub;
    pthread_t thread;
    int number;
} cores[MOST];
static int count;

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    char data[32];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("joined")};
    (void)client;
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_int(&w, "core", ((struct core *)user)->number);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_all_send(hub, &msg, NULL, 0);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_msg msg = {.event = e->event, .data = e->data};
    (void)client, (void)user;
    return wshub_all_send(hub, &msg, NULL, 0); /* everybody, on all cores */
}
static void *run(void *arg) {
    struct core *c = arg;
    (void)wshub_io_sock_serve(c->net, c->hub); /* a signal is for all threads */
    return NULL;
}
static int open_core(struct core *c, wshub_bus_local *local, uint16_t port) {
    wshub_bus bus;
    wshub_io_sock_desc shared = {.reuse_port = true};
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_err err = wshub_io_auto_create(&shared, &c->net);
    if (err) return wshub_io_auto_explain(&shared, err, why, sizeof why), puts(why), -1;
    err = wshub_bus_local_seat(local, &bus); /* a seat: it ends with its hub */
    if (err) return puts(wshub_bus_local_explain(err)), -1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(c->net),
                                   .bus = &bus,
                                   .user = c,
                                   .on_authenticate = on_authenticate,
                                   .on_connected = on_connected,
                                   .on_message = on_message},
                     &c->hub))
        return -1; /* the io has shown why */
    if (wshub_io_sock_listen(c->net, "127.0.0.1", port, NULL)) {
        (void)fprintf(stderr, "%s\n", wshub_io_sock_error(c->net));
        return -1;
    }
    return 0;
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    long wanted = argc > 2 ? atol(argv[2]) : sysconf(_SC_NPROCESSORS_ONLN);
    wshub_bus_local *local;
    wshub_err err;
    sigset_t stop;
    int i;
    if (port == 0 || wanted < 1 || wanted > MOST)
        return fprintf(stderr, "cores [PORT [THREADS]]: 1 to %d threads\n", MOST), 1;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL); /* in all threads, but where one serves */
    err = wshub_bus_local_create(NULL, &local);
    if (err) return puts(wshub_bus_local_explain(err)), 1;
    for (count = 0; count < (int)wanted; count++) {
        cores[count].number = count;
        if (open_core(&cores[count], local, port)) return 1;
    }
    (void)printf("ws://127.0.0.1:%u/ws on %d threads\n", (unsigned)port, count);
    (void)fflush(stdout);
    for (i = 0; i < count; i++)
        if (pthread_create(&cores[i].thread, NULL, run, &cores[i])) return 1;
    for (i = 0; i < count; i++) (void)pthread_join(cores[i].thread, NULL);
    for (i = 0; i < count; i++) {
        wshub_destroy(cores[i].hub);
        wshub_io_sock_destroy(cores[i].net);
    }
    wshub_bus_local_destroy(local);
    return 0;
}
