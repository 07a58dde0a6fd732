/* socketio_bot: a bot in a chat on a server of Socket.IO, Node's or one of wshub.
 *
 * Build: cc socketio_bot.c -I.. -I../backends -pthread -o socketio_bot (in examples/)
 * Try:   ./socketio_bot http://127.0.0.1:8080 beside `make run-socketio`; say `bot: time` there
 *
 * It comes in as "add user" wants it, which says by an acknowledgement whether it may, and answers
 * who speaks to it: `bot: time`, `bot: echo TEXT`, `bot: seen`. It comes back after an outage, and is
 * somebody again: what it has said before is forgotten by the server, so it comes in anew each time
 * it is connected. And whoever asks it something, whatever event that is, gets an answer, since
 * somebody waits for it. The chat's words are those of examples/socketio_chat.c. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client_socketio.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { TEXT = 500, ANSWER_MS = 5000 };

static wshub_io_sock *net;
static const char *name = "bot";
static unsigned seen; /* messages of others, since it was started */

static void note(const char *what, wshub_str more) {
    (void)printf("%s%.*s\n", what, (int)more.len, more.len ? more.ptr : "");
    (void)fflush(stdout);
}
/* A text as JSON, in a buffer. */
static wshub_str quote(const char *text, char *buf, size_t cap) {
    wshub_json_writer w;
    wshub_str json = {"null", 4};
    wshub_json_begin(&w, buf, cap);
    wshub_json_put_text(&w, NULL, text);
    (void)wshub_json_done(&w, &json);
    return json;
}
/* Says a line to all others. It is not kept for later: an answer after an outage is none. */
static void say(wshub_sio_socket *socket, const char *text) {
    char buf[6 * TEXT + 2];
    wshub_str line = quote(text, buf, sizeof buf);
    wshub_packet packet = {.event = wshub_str_z("new message"),
                           .args = &line,
                           .args_count = 1,
                           .flags = WSHUB_PACKET_VOLATILE};
    wshub_err err = wshub_sio_socket_emit(socket, &packet);
    if (err) note("not said: ", wshub_str_z(wshub_strerror(err)));
}

/* ---- coming in ---- */

/* The server says null, or what is wrong with the name. */
static void on_added(wshub_sio_socket *socket, const wshub_sio_answers *answers, void *user) {
    wshub_str first = {"", 0};
    (void)socket, (void)user;
    if (answers->args_count) first = answers->args[0];
    if (answers->error) {
        note("the server does not say whether it may come in: ", wshub_str_z(answers->error));
    } else if (wshub_json_type(first) == WSHUB_JSON_STRING) {
        note("it may not come in: ", first);
        wshub_io_sock_stop(net);
    } else {
        note("it is in as ", wshub_str_z(name));
    }
}
static void on_connected(wshub_sio_socket *socket, wshub_str id, bool recovered, void *user) {
    char buf[6 * TEXT + 2];
    wshub_str called = quote(name, buf, sizeof buf);
    wshub_packet packet = {.event = wshub_str_z("add user"), .args = &called, .args_count = 1};
    (void)user;
    note("connected as ", id);
    if (recovered) return; /* the server still knows it */
    (void)wshub_sio_socket_ask(socket, &packet, ANSWER_MS, on_added, NULL);
}
static void on_connect_error(wshub_sio_socket *socket, const wshub_sio_connect_error *error,
                             void *user) {
    (void)socket, (void)user;
    note("no connection: ", error->message);
    if (!error->again) wshub_io_sock_stop(net);
}
/* Put out by the server it is not wanted, and does not come back. */
static void on_disconnected(wshub_sio_socket *socket, const char *reason, bool again, void *user) {
    (void)socket, (void)user;
    note("disconnected: ", wshub_str_z(reason));
    if (!again) wshub_io_sock_stop(net);
}

/* ---- answering ---- */

/* What somebody has said: {username, message}. */
static void on_message(wshub_sio_socket *socket, wshub_str said) {
    char text[TEXT], line[TEXT + 40];
    size_t len = strlen(name);
    time_t now = time(NULL);
    if (wshub_json_copy(wshub_json_get(said, "message"), text, sizeof text, NULL)) return;
    seen++;
    if (strncmp(text, name, len) != 0 || strncmp(text + len, ": ", 2) != 0) return;

    if (strcmp(text + len + 2, "time") == 0)
        (void)strftime(line, sizeof line, "it is %H:%M", gmtime(&now));
    else if (strncmp(text + len + 2, "echo ", 5) == 0)
        (void)snprintf(line, sizeof line, "%s", text + len + 7);
    else if (strcmp(text + len + 2, "seen") == 0)
        (void)snprintf(line, sizeof line, "%u messages", seen);
    else
        (void)snprintf(line, sizeof line, "I know `time`, `echo TEXT` and `seen`");
    say(socket, line);
}
static void on_event(wshub_sio_socket *socket, const wshub_sio_event *event, void *user) {
    char buf[6 * TEXT + 2];
    wshub_str answer = quote(name, buf, sizeof buf);
    wshub_packet packet = {.args = &answer, .args_count = 1};
    (void)user;
    if (wshub_str_eq_z(event->name, "new message") && event->args_count)
        on_message(socket, event->args[0]);
    if (!event->ack.id) return;
    note("asked: ", event->name);
    (void)wshub_sio_socket_answer(socket, event->ack, &packet); /* who it is, whatever was asked */
}
static const wshub_sio_socket_events events = {.connected = on_connected,
                                               .connect_error = on_connect_error,
                                               .disconnected = on_disconnected,
                                               .event = on_event};

static void on_signal(int number) {
    (void)number;
    wshub_io_sock_stop(net);
}

int main(int argc, char **argv) {
    wshub_sio_client_desc server = {.reconnect_delay_max_ms = 30000};
    wshub_sio_socket_desc chat = {.events = &events};
    wshub_ws_pool_desc desc = {.io = NULL};
    wshub_ws_pool *pool;
    wshub_sio_client *client;
    wshub_sio_socket *socket;
    server.ws.url = argc > 1 ? argv[1] : "http://127.0.0.1:8080";
    if (argc > 2 && strlen(argv[2]) < TEXT) name = argv[2];
    if (wshub_sio_client_desc_problem(&server))
        return (void)fprintf(stderr, "%s\n", wshub_sio_client_desc_problem(&server)), 2;
    if (wshub_io_auto_create(NULL, &net)) return 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_ws_pool_create(&desc, &pool)) return 1;
    if (wshub_sio_client_create(pool, &server, NULL, &client)) return 1;
    if (wshub_sio_socket_create(client, &chat, NULL, &socket)) return 1;
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)wshub_io_sock_run(net);

    wshub_sio_client_destroy(client); /* its socket too */
    wshub_ws_pool_destroy(pool);
    wshub_io_sock_destroy(net);
    return 0;
}
