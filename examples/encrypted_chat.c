/* A chat whose messages are encrypted from the page to this program: each page agrees on keys of its
 * own, by its browser's WebCrypto, and hears what others say in them. Needs mbedTLS (Debian:
 * libmbedtls-dev). The page, examples/encrypted/index.html, shows what goes over the wire, and asks
 * for new keys at a click. Browsers have WebCrypto on https and on this machine (localhost) alone.
 *
 * Build: cc encrypted_chat.c -I.. -I../backends -lmbedcrypto -o encrypted_chat (in examples/)
 * Try:   ./encrypted_chat 8080, then http://127.0.0.1:8080 in two windows
 *
 *     a page says                              and hears
 *     authenticate {name, publicKey}           connected {.., serverPublicKey, salt}, in the clear
 *     say "text"                               said {name, text}: all
 *     rekey {publicKey}                        keys {serverPublicKey, salt}, under the old ones */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_files.h"
#include "wshub_ext_e2e_mbedtls.h"
#include <stdio.h>
#include <stdlib.h>

enum { NAME = 40, TEXT = 300000 };

/* Who is who: yours would look at a token. The name becomes the user's id. */
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    char name[NAME];
    wshub_err err = wshub_json_copy(wshub_json_at(auth->data, "/name"), name, sizeof name, NULL);
    (void)user;
    if (err || !*name)
        (void)wshub_ask_reject(hub, ask);
    else
        (void)wshub_auth_accept(hub, ask, &(wshub_identity){.user_id = wshub_str_z(name)});
}

/* The four callbacks of encryption; user is what desc.user is below. */
static void on_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    wshub_ext_e2e_handshake(user, hub, ask, hs);
}
static void on_out(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                   void *user) {
    wshub_ext_e2e_out(user, hub, ask, client, event);
}
static void on_in(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                  void *user) {
    wshub_ext_e2e_in(user, hub, ask, client, event);
}
static void on_disconnecting(wshub *hub, const wshub_gone *gone, void *user) {
    wshub_ext_e2e_gone(user, hub, gone->client);
}

/* Tells everybody, each in keys of their own, who has said what; text is JSON. */
static wshub_err tell(wshub *hub, wshub_str name, wshub_str text) {
    static char data[TEXT + 8 * NAME];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("said")};
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "name", name);
    wshub_json_put_raw(&w, "text", text);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_all_send(hub, &msg, NULL, 0);
}

static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    if (wshub_str_eq_z(e->event, "rekey"))
        return wshub_ext_e2e_rekey(user, hub, client, wshub_json_at(e->data, "/publicKey"),
                                   wshub_str_z("keys"));
    if (wshub_str_eq_z(e->event, "say") && e->data.ptr)
        return tell(hub, wshub_client_user_id(hub, client), e->data);
    return WSHUB_ERR_APP;
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    wshub_desc desc = {.on_authenticate = on_authenticate,
                       .require_encryption = true,
                       .on_handshake = on_handshake,
                       .on_transform_out = on_out,
                       .on_transform_in = on_in,
                       .on_disconnecting = on_disconnecting,
                       .on_message = on_message,
                       .payload_bytes_max = 2 * TEXT};
    wshub_io_sock *net;
    wshub *hub;
    wshub_ext_e2e *e2e;
    wshub_ext_files *page;
    if (wshub_ext_e2e_create(NULL, &e2e)) return 1;
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    desc.io = wshub_io_sock_io(net);
    desc.user = e2e;
    if (wshub_create(&desc, &hub)) return 1; /* the io has shown why */
    if (wshub_ext_files_create(&(wshub_ext_files_desc){.folder = "encrypted"}, &page))
        return perror("encrypted"), 1;
    if (wshub_ext_files_mount(page, hub)) return 1;
    if (wshub_ext_files_mount(page, hub)) return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    printf("http://127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, hub); /* until SIGTERM or SIGINT */
    wshub_destroy(hub);
    wshub_ext_files_destroy(page);
    wshub_ext_e2e_destroy(e2e);
    wshub_io_sock_destroy(net);
    return 0;
}
