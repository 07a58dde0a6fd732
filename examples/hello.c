/* The smallest server with a page: everybody may come in and join any room, what one says all in the
 * lobby hear, and who asks is answered. The page is examples/page/index.html.
 *
 * Build: cc hello.c -I.. -I../backends -o hello (in examples/)
 * Try:   ./hello, then http://127.0.0.1:8080 in two windows */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_files.h"
#include <stdio.h>

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth, (void)user; /* auth->data is the client's own JSON: look, and decide now or later */
    wshub_auth_accept(hub, ask, NULL);
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user; /* here everybody may hear everything */
    wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
}
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_msg msg = {.event = e->event, .data = e->data};
    (void)user;
    if (e->id.ptr) return wshub_client_reply(hub, client, e->id, &msg); /* a question */
    return wshub_room_send(hub, wshub_str_z("lobby"), &msg, NULL, 0);
}
int main(void) {
    wshub_io_sock *net;
    wshub *hub;
    wshub_ext_files *page;
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                   .on_authenticate = on_authenticate,
                                   .on_join = on_join,
                                   .on_message = on_message},
                     &hub))
        return 1; /* the io has said why */
    if (wshub_ext_files_create(&(wshub_ext_files_desc){.folder = "page"}, &page))
        return perror("page"), 1;
    if (wshub_ext_files_mount(page, hub)) return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", 8080, NULL))
        return puts(wshub_io_sock_error(net)), 1;
    puts("http://127.0.0.1:8080");
    return wshub_io_sock_serve(net, hub) != WSHUB_OK; /* until SIGTERM or SIGINT */
}
