/* Socket.IO on several loops of one process, which listen on one port: every event of a socket is
 * sent back to it, and an acknowledgement says which loop has it. tests/socketio_loops.mjs speaks
 * to it with the client from npm.
 *   build/fixture-loops [LOOPS]   prints `listening PORT`; at its end how many requests were handed
 *   over from loop to loop */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_dialect_engineio.h"
#include "wshub_dialect_socketio.h"
#include <pthread.h>
#include <signal.h>

#define LOOPS_MAX 64

static struct loop {
    wshub_io_sock *net;
    wshub *hub;
    wshub_sio *sio;
    pthread_t thread;
    int number;
} loops[LOOPS_MAX];

static void on_event(wshub_sio *sio, wshub_client client, const wshub_sio_event *e, void *user) {
    wshub_str id = wshub_client_id(wshub_sio_hub(sio), client);
    wshub_dest self = {.kind = WSHUB_DEST_CLIENT, .name = id};
    wshub_packet packet = {.event = e->name, .args = e->args, .args_count = e->args_count};
    char number[8];
    wshub_str arg = {number,
                     (size_t)snprintf(number, sizeof number, "%d", ((struct loop *)user)->number)};
    wshub_packet answer = {.args = &arg, .args_count = 1};
    (void)wshub_sio_emit(sio, wshub_sio_of(sio, "/"), &self, &packet);
    (void)wshub_sio_answer(sio, e->ack, &answer);
}

static void *serve(void *arg) {
    struct loop *l = (struct loop *)arg;
    (void)wshub_io_sock_serve(l->net, l->hub);
    return NULL;
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 4, i;
    unsigned long long elsewhere = 0;
    wshub_eio_group *group;
    uint16_t port = 0;
    sigset_t stop;

    if (count < 1 || count > LOOPS_MAX || wshub_eio_group_create(&group)) return 2;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGINT);
    (void)sigaddset(&stop, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL); /* in all threads, but where one serves */
    for (i = 0; i < count; i++) {
        struct loop *l = &loops[i];
        wshub_io_sock_desc shared = {.reuse_port = true};
        wshub_sio_desc server = {.engine = {.group = group}};
        wshub_sio_namespace_desc all = {.on_event = on_event, .user = l};
        l->number = i;
        if (wshub_io_auto_create(&shared, &l->net) ||
            wshub_create(&(wshub_desc){.io = wshub_io_sock_io(l->net), .no_dialect = true},
                         &l->hub) ||
            wshub_sio_create(l->hub, &server, &l->sio) ||
            wshub_sio_namespace_add(l->sio, &all, NULL) ||
            wshub_io_sock_listen(l->net, "127.0.0.1", port, &port))
            return 1;
    }
    for (i = 0; i < count; i++) {
        if (pthread_create(&loops[i].thread, NULL, serve, &loops[i])) return 1;
    }
    (void)printf("listening %u\n", (unsigned)port);
    (void)fflush(stdout);
    for (i = 0; i < count; i++) (void)pthread_join(loops[i].thread, NULL);

    for (i = 0; i < count; i++) {
        wshub_eio_stats stats;
        wshub_eio_stats_get(wshub_sio_engine(loops[i].sio), &stats);
        elsewhere += stats.elsewhere;
        wshub_destroy(loops[i].hub);
        wshub_sio_destroy(loops[i].sio);
        wshub_io_sock_destroy(loops[i].net);
    }
    wshub_eio_group_destroy(group);
    (void)printf("elsewhere %llu\n", elsewhere);
    return 0;
}
