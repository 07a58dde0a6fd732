/* The hub inside a loop that you have already, of a game or a toolkit: here poll() waits for
 * standard input, and for the hub as for one descriptor more. Each line that is typed goes to
 * everybody; what they say is printed. The end of the input ends the hub in order.
 *
 * Three calls are all of it: wshub_io_sock_fd() is to be watched, wshub_io_sock_timeout() says right
 * before the wait how long it may be, what was sent just now included, and behind it
 * wshub_io_sock_run_once(net, 0) serves what has come. (Who wants no descriptor more, but to open
 * sockets himself, writes an io: custom_io.c.)
 *
 * Build: cc event_loop.c -I.. -I../backends -o event_loop (in examples/)
 * Try:   ./event_loop 8080, then any WebSocket program on ws://127.0.0.1:8080/ws:
 *        {"event":"authenticate"}, then {"event":"say","data":"hello"}; and type lines here */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <poll.h>
#include <stdio.h>

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user;
    wshub_auth_accept(hub, ask, NULL);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *event, void *user) {
    char text[500];
    wshub_err err = wshub_json_copy(event->data, text, sizeof text, NULL);
    (void)hub, (void)client, (void)user;
    if (!err) printf("heard: %s\n", text), fflush(stdout);
    return err; /* what is no text, or a long one, is a line in the log */
}

static void say(wshub *hub, const char *line) {
    char text[3100];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("said")};
    wshub_json_begin(&w, text, sizeof text);
    wshub_json_put_text(&w, NULL, line);
    if (!wshub_json_done(&w, &msg.data)) (void)wshub_all_send(hub, &msg, NULL, 0);
}

/* Reads a line and says it. Returns false: the input has ended. */
static bool serve_input(wshub *hub) {
    char line[500];
    ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
    if (n <= 0) return false;
    line[line[n - 1] == '\n' ? n - 1 : n] = 0;
    say(hub, line);
    return true;
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    wshub_desc desc = {.on_authenticate = on_authenticate, .on_message = on_message};
    wshub_io_sock *net;
    wshub *hub;
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_create(&desc, &hub)) return 1; /* the io has shown why */
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    printf("ws://127.0.0.1:%u/ws\n", (unsigned)port);
    fflush(stdout);

    if (wshub_io_sock_fd(net) < 0) /* with poll() as its poller there is nothing to watch */
        return fprintf(stderr, "%s has no descriptor\n", wshub_io_sock_poller_name(net)), 1;
    struct pollfd watched[] = {{.fd = wshub_io_sock_fd(net), .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
    while (!wshub_is_down(hub)) {
        if (poll(watched, 2, wshub_io_sock_timeout(net)) < 0) continue; /* a signal */
        if (watched[1].revents && !serve_input(hub)) {
            watched[1].fd = -1; /* not watched any more */
            wshub_io_sock_unlisten(net);
            (void)wshub_shutdown(hub); /* everybody is closed; then it is down */
        }
        /* Also where only a clock has run out. */
        if (wshub_io_sock_run_once(net, 0))
            return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    }
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return 0;
}
