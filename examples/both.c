/* One application, two dialects: who speaks JSON over a plain WebSocket and who comes with the
 * client of Socket.IO are in one room, and the application does not ask which is which. The page
 * examples/both/index.html has one of each, side by side.
 *
 * Build: cc both.c -I.. -I../backends -o both_server (in examples/)
 * Try:   ./both_server 8080, then http://127.0.0.1:8080
 *
 * The page uses the client of Socket.IO where it finds one: `npm install socket.io-client` in this
 * folder puts it there, or say as a second argument in which folder socket.io.min.js is. Without it
 * the page has one of its own, in thirty lines.
 *
 *     over the WebSocket                     with Socket.IO              and hears
 *     authenticate {name}                    io({ auth: { name } })      came, all do: the name
 *     {"event":"say","data":"hi"}            emit('say', 'hi')           said, all do: {name, text}
 *     {"event":"show","data":"iVBORw..."}    emit('show', bytes)         shown, all do: {name, png}
 *     {"event":"who","id":1}                 emit('who', names => ...)   as the answer: [name, ...]
 *
 * What is the same on either wire is said in backends/wshub_dialect_socketio.h: an event's only
 * argument is its data, bytes are base64, an acknowledgement is an answer with the id. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_dialect_socketio.h"
#include "wshub_ext_files.h"
#include <stdio.h>
#include <stdlib.h>

enum { NAME = 40, DATA = 100000 };

/* ---- who comes in: the one thing that each dialect has its own way for ---- */

/* Yours would look at a token. The name becomes the user's id. */
static bool read_name(wshub_str json, char name[NAME]) {
    return !wshub_json_copy(wshub_json_get(json, "name"), name, NAME, NULL) && *name;
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    char name[NAME];
    (void)user;
    if (read_name(auth->data, name))
        (void)wshub_auth_accept(hub, ask, &(wshub_identity){.user_id = wshub_str_z(name)});
    else
        (void)wshub_ask_reject(hub, ask);
}
static void on_connect(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *handshake,
                       void *user) {
    char name[NAME];
    (void)user;
    if (read_name(handshake->auth, name))
        (void)wshub_sio_accept(sio, ask, &(wshub_identity){.user_id = wshub_str_z(name)});
    else
        (void)wshub_sio_refuse(sio, ask, "a name of 39 bytes at most is needed", (wshub_str){0});
}

/* ---- from here on a client is a client ---- */

static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    (void)user;
    return wshub_client_join(hub, client, wshub_str_z("lobby"));
}

/* Tells the lobby {name, key: value}, or the name alone; value is JSON. */
static wshub_err tell(wshub *hub, const char *event, wshub_str name, const char *key,
                      wshub_str value) {
    static char data[DATA];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z(event)};
    wshub_json_begin(&w, data, sizeof data);
    if (key) wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, key ? "name" : NULL, name);
    if (key) wshub_json_put_raw(&w, key, value);
    if (key) wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT; /* it does not fit */
    return wshub_room_send(hub, wshub_str_z("lobby"), &msg, NULL, 0);
}

static void on_joined(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    if (wshub_str_eq_z(p->room, "lobby")) (void)tell(hub, "came", p->user_id, NULL, (wshub_str){0});
}
static void on_left(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    if (wshub_str_eq_z(p->room, "lobby")) (void)tell(hub, "left", p->user_id, NULL, (wshub_str){0});
}

/* The names in the lobby, to whoever has asked: an answer with the message's id, or what a callback
 * behind emit() is called with. */
static wshub_err answer_who(wshub *hub, wshub_client client, wshub_str id) {
    char data[2000];
    wshub_json_writer w;
    wshub_iter iter = {0};
    wshub_client member;
    wshub_msg msg = {.event = wshub_str_z("who")};
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_array(&w, NULL);
    while (wshub_room_each_member(hub, wshub_str_z("lobby"), &iter, &member))
        wshub_json_put_str(&w, NULL, wshub_client_user_id(hub, member));
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_client_reply(hub, client, id, &msg);
}

/* What a client may not have is answered; what fails on our side is returned, and logged. */
static wshub_err refuse(wshub *hub, wshub_client client, wshub_str id) {
    wshub_msg msg = {.event = wshub_str_z("refused"), .data = wshub_str_z("null")};
    return wshub_client_reply(hub, client, id, &msg);
}

/* Bytes that came with Socket.IO are a text in base64 here. */
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_str name = wshub_client_user_id(hub, client);
    (void)user;
    if (wshub_str_eq_z(e->event, "who") && e->id.ptr) return answer_who(hub, client, e->id);
    if (wshub_json_type(e->data) != WSHUB_JSON_STRING) return refuse(hub, client, e->id);
    if (wshub_str_eq_z(e->event, "say")) return tell(hub, "said", name, "text", e->data);
    if (wshub_str_eq_z(e->event, "show")) return tell(hub, "shown", name, "png", e->data);
    return refuse(hub, client, e->id);
}

/* ---- the program ---- */

/* The namespace `/` is given the realm in which JSON clients are: the hub's first. It has no
 * on_event, so that events come to on_message. */
static wshub_err add_socketio(wshub *hub, wshub_sio **out_sio) {
    static const wshub_realm first = {0};
    wshub_sio_namespace_desc space = {.realm = &first, .on_connect = on_connect};
    wshub_err err = wshub_sio_create(hub, NULL, out_sio);
    return err ? err : wshub_sio_namespace_add(*out_sio, &space, NULL);
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    wshub_ext_files_desc pages = {.folder = "both"},
                         script = {.folder = "node_modules/socket.io-client/dist",
                                   .path = "/client/"};
    wshub_desc desc = {.on_authenticate = on_authenticate,
                       .on_connected = on_connected,
                       .on_joined = on_joined,
                       .on_left = on_left,
                       .on_message = on_message};
    wshub_ext_files *page, *client = NULL;
    wshub_io_sock *net;
    wshub_sio *sio;
    wshub *hub;
    if (argc > 2) script.folder = argv[2];
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_create(&desc, &hub)) return 1; /* the io has shown why */
    if (add_socketio(hub, &sio)) return 1;   /* as is said here */
    if (wshub_ext_files_create(&pages, &page)) return perror("both"), 1;
    if (wshub_ext_files_mount(page, hub)) return 1;
    if (wshub_ext_files_create(&script, &client)) /* then it is not there */
        printf("no %s: the page has a client of its own\n", script.folder);
    else if (wshub_ext_files_mount(client, hub))
        return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    printf("http://127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, hub); /* until SIGTERM or SIGINT */
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    wshub_ext_files_destroy(client);
    wshub_ext_files_destroy(page);
    wshub_io_sock_destroy(net);
    return 0;
}
