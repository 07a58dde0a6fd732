/* Authentication by a worker thread: the hub asks, a slow look-up answers from elsewhere, the hub
 * goes on serving meanwhile. What the worker may call are the wshub_post functions, and only those.
 *
 * Build: cc auth_later.c -I.. -I../backends -pthread -o auth_later (in examples/)
 * Try:   ./auth_later 8080, then on ws://127.0.0.1:8080/ws
 *        {"event":"authenticate","data":{"token":"secret:ada"}} */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

/* copied: the callback's texts end with the callback, an ask outlives it */
typedef struct question {
    struct question *next;
    wshub_ask ask;
    char token[128];
} question;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    question *first, *last;
    bool stop;
    wshub *hub;
} queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL, false, NULL};
static wshub_io_sock *net;

/* ---- the worker's thread ---- */
static void look_up(const question *q) {
    const char *name = strncmp(q->token, "secret:", 7) == 0 ? q->token + 7 : NULL;
    struct timespec slow = {0, 200 * 1000 * 1000}; /* a database far away */
    wshub_identity who = {.user_id = wshub_str_z(name),
                          .metadata = wshub_str_z("{\"role\":\"member\"}")};
    nanosleep(&slow, NULL);
    /* NOMEM or LIMIT: the client runs into its deadline (close 4001); gone meanwhile: the answer is
     * dropped */
    if (name)
        (void)wshub_post_auth_accept(queue.hub, q->ask, &who);
    else
        (void)wshub_post_ask_reject(queue.hub, q->ask);
}
static void *worker(void *arg) {
    (void)arg;
    for (;;) {
        question *q;
        pthread_mutex_lock(&queue.lock);
        while (!queue.first && !queue.stop) pthread_cond_wait(&queue.more, &queue.lock);
        q = queue.first;
        if (q && !(queue.first = q->next)) queue.last = NULL;
        pthread_mutex_unlock(&queue.lock);
        if (!q) return NULL; /* told to stop, and nothing is left */
        look_up(q);
        free(q);
    }
}

/* ---- the hub's thread ---- */
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    question *q = calloc(1, sizeof *q);
    wshub_str token = wshub_json_get(auth->data, "token");
    (void)user;
    if (!q || wshub_json_copy(token, q->token, sizeof q->token, NULL)) { /* none, or too long */
        free(q);
        (void)wshub_ask_reject(hub, ask);
        return;
    }
    q->ask = ask;
    pthread_mutex_lock(&queue.lock);
    if (queue.last)
        queue.last->next = q;
    else
        queue.first = q;
    queue.last = q;
    pthread_cond_signal(&queue.more);
    pthread_mutex_unlock(&queue.lock);
}
int main(int argc, char **argv) {
    sigset_t stop;
    pthread_t thread;
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = on_authenticate},
                     &queue.hub))
        return 1; /* the io has shown why */
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    sigemptyset(&stop); /* blocked, they come to the call that serves and disturb nothing else */
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    if (pthread_create(&thread, NULL, worker, NULL)) return 1;
    printf("ws://127.0.0.1:%u/ws\n", (unsigned)port);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, queue.hub); /* until SIGTERM or SIGINT */
    pthread_mutex_lock(&queue.lock);
    queue.stop = true;
    pthread_cond_signal(&queue.more);
    pthread_mutex_unlock(&queue.lock);
    pthread_join(thread, NULL); /* before the hub: nobody may post to one that is gone */
    wshub_destroy(queue.hub);
    wshub_io_sock_destroy(net);
    return 0;
}
