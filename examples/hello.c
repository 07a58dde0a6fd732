/* The smallest server: everybody may come in, and whatever one says, all hear.
 *
 * Build: cc hello.c -I.. -I../backends -o hello     Try: ./hello, then any WebSocket client on
 * ws://127.0.0.1:8080/ws: {"event":"authenticate"}, then {"event":"say","data":"hello"} */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user; /* auth->data is the client's own JSON: look, and decide now or later */
    wshub_auth_accept(hub, ask, NULL);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    (void)client, (void)user;
    return wshub_all_send(hub, &(wshub_msg){.event = e->event, .data = e->data}, NULL, 0);
}
int main(void) {
    wshub_io_sock *net;
    wshub *hub;
    if (wshub_io_auto_create(NULL, &net)) return 1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                   .on_authenticate = on_authenticate,
                                   .on_message = on_message},
                     &hub))
        return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", 8080, NULL))
        return puts(wshub_io_sock_error(net)), 1;
    puts("ws://127.0.0.1:8080/ws");
    return wshub_io_sock_serve(net, hub) != WSHUB_OK; /* until SIGTERM or SIGINT */
}
