/* The smallest server: everybody may come in, join rooms whose names start with `public-`, and what a client
 * sends as {"event":"say","data":{"room":R,"text":T}} goes to the members of that room.
 *
 * Build: cc hello.c -I.. -I../backends -o hello     Try: ./hello, then examples/chat.html or any WebSocket
 * client on ws://127.0.0.1:8080/ws: {"event":"authenticate"} */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user; /* look at auth->data, the client's own JSON, and decide: now or later */
    wshub_auth_accept(hub, ask, NULL);
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    char room[256];
    size_t n = wshub_json_text(wshub_json_get(e->data, "room"), room, sizeof room);
    wshub_msg msg = {.event = e->event, .data = e->data, .data_is_json = true};
    (void)client, (void)user;
    if (n > sizeof room) return WSHUB_ERR_PARAM;
    return wshub_send(hub, &(wshub_dest){.kind = WSHUB_DEST_ROOM, .name = {room, n}}, &msg);
}

int main(void) {
    wshub_io_sock *net;
    wshub *hub;
    if (wshub_io_auto_create(NULL, &net)) return 1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = on_authenticate,
                                   .on_join = on_join, .on_message = on_message}, &hub)) return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", 8080, NULL)) return puts(wshub_io_sock_error(net)), 1;
    puts("ws://127.0.0.1:8080/ws");
    wshub_io_sock_run(net);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return 0;
}
