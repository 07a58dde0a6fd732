/* client_loop: a client of a hub inside a loop that you have already. This one has a clock of its
 * own, which ticks ten times a second, and reads lines; each line goes to the hub, and what the hub
 * says is printed. Nothing in it blocks, whatever the network does: a name is resolved by a thread
 * of the io's, connecting and sending only begin, and lines of an outage are kept.
 *
 * Build: cc client_loop.c -I.. -I../backends -pthread -o client_loop (in examples/)
 * Try:   ./client_loop ws://localhost:8080/ws, beside ./hello; type lines, stop hello, type more
 *
 * Three calls are all of it, as for a hub (event_loop.c): wshub_io_sock_fd() is one descriptor more
 * to be watched, wshub_io_sock_timeout() says right before the wait how long it may be, and behind
 * it wshub_io_sock_run_once(net, 0) serves what is ready and returns. At the end of its input it
 * leaves in order, and says how late its own clock has ever been. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 100, LINE = 1000 };

static wshub_ext_client *client;
static uint64_t next_tick_ms, latest_ms;
static unsigned ticks;

/* ---- what this program does beside ---- */

static uint64_t clock_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static void tick(void) {
    uint64_t now_ms = clock_ms();
    if (now_ms < next_tick_ms) return;
    if (ticks++ && now_ms - next_tick_ms > latest_ms) latest_ms = now_ms - next_tick_ms;
    next_tick_ms = now_ms + TICK_MS; /* yours would draw a frame, or turn a motor */
}

/* A line is said, now or when the hub is there. */
static void say(const char *line) {
    char text[6 * LINE + 2]; /* where each byte is escaped */
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("say")};
    wshub_err err;
    wshub_json_begin(&w, text, sizeof text);
    wshub_json_put_text(&w, NULL, line);
    err = wshub_json_done(&w, &msg.data);
    if (!err) err = wshub_ext_client_emit(client, &msg, false);
    if (err) (void)fprintf(stderr, "client_loop: not said: %s\n", wshub_strerror(err));
}
/* Reads what there is of standard input, and says whole lines. Returns false: it has ended. */
static bool read_lines(void) {
    static char line[LINE];
    static size_t len;
    char *end;
    ssize_t n = read(STDIN_FILENO, line + len, sizeof line - 1 - len);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    len += (size_t)n;
    line[len] = 0;

    while ((end = memchr(line, '\n', len)) != NULL) {
        *end++ = 0;
        say(line);
        len -= (size_t)(end - line);
        memmove(line, end, len + 1);
    }
    if (len && (n == 0 || len == sizeof line - 1)) { /* the last one, or as much as fits */
        say(line);
        len = 0;
    }
    return n > 0;
}

/* ---- what the client tells ---- */

static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    (void)c, (void)user;
    (void)printf("%.*s %.*s\n", (int)event->event.len, event->event.ptr, (int)event->data.len,
                 event->data.ptr ? event->data.ptr : "");
    (void)fflush(stdout);
}
static void on_reconnecting(wshub_ext_client *c, uint32_t attempt, uint32_t delay_ms, void *user) {
    (void)user;
    (void)printf("away: attempt %u in %u ms, %u lines are kept\n", (unsigned)attempt,
                 (unsigned)delay_ms, (unsigned)wshub_ext_client_buffered(c));
    (void)fflush(stdout);
}

/* ---- the loop ---- */

/* How long poll() may wait: for the clock of the program, and for the client's. */
static int patience(wshub_io_sock *net) {
    uint64_t now_ms = clock_ms();
    int client_ms = wshub_io_sock_timeout(net);
    int ours_ms = next_tick_ms > now_ms ? (int)(next_tick_ms - now_ms) : 0;
    return client_ms < 0 || ours_ms < client_ms ? ours_ms : client_ms;
}
static void loop(wshub_io_sock *net) {
    struct pollfd watched[] = {{.fd = wshub_io_sock_fd(net), .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
    bool leaving = false;

    while (!leaving || wshub_ext_client_state_of(client) != WSHUB_EXT_CLIENT_IDLE) {
        (void)poll(watched, 2, patience(net));

        /* Each call returns at once, so the clock is never late for the client's sake. */
        if (wshub_io_sock_run_once(net, 0)) return;
        tick();
        if (watched[1].revents && !read_lines()) watched[1].fd = -1;

        /* At the end of the input it leaves when everything is said. */
        if (watched[1].fd < 0 && !leaving && !wshub_ext_client_buffered(client)) {
            leaving = true;
            (void)wshub_ext_client_disconnect(client, 1000, wshub_str_z("bye"));
        }
    }
}

int main(int argc, char **argv) {
    static const wshub_ext_client_events events = {.event = on_event,
                                                   .reconnecting = on_reconnecting};
    wshub_ext_client_desc desc = {.events = &events, .auth = "{}"};
    wshub_ws_pool_desc pool_desc = {.io = NULL};
    wshub_str lobby = wshub_str_z("lobby");
    wshub_io_sock *net;
    wshub_ws_pool *pool;
    desc.ws.url = argc > 1 ? argv[1] : "ws://localhost:8080/ws";
    if (wshub_ext_client_desc_problem(&desc))
        return (void)fprintf(stderr, "client_loop: %s\n", wshub_ext_client_desc_problem(&desc)), 2;
    (void)signal(SIGPIPE, SIG_IGN);
    if (wshub_io_auto_create(NULL, &net) || wshub_io_sock_fd(net) < 0) return 1;
    pool_desc.io = wshub_io_sock_io(net);
    if (wshub_ws_pool_create(&pool_desc, &pool)) return 1;
    if (wshub_ext_client_create(pool, &desc, NULL, &client)) return 1;
    (void)wshub_ext_client_join(client, &lobby, 1);
    (void)wshub_ext_client_subscribe(client, wshub_str_z("say"));

    (void)fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    loop(net);
    (void)printf("%u ticks, the latest by %u ms\n", ticks, (unsigned)latest_ms);

    wshub_ext_client_destroy(client);
    wshub_ws_pool_destroy(pool);
    wshub_io_sock_destroy(net);
    return 0;
}
