/* A WebSocket echo on streams alone: whatever a peer sends it hears again, text or bytes. A mount
 * serves the path; the rest of wshub.h is not touched.
 *
 * Who does not read what it is told is not listened to either: over OWED_BYTES that it has not
 * taken the echo reads on only when all has left. So a peer costs little, however much it sends,
 * and nothing is lost: TCP tells it to wait.
 *
 * Build: cc ws_echo.c -I.. -I../backends -o ws_echo (in examples/)
 * Try:   ./ws_echo 8080, then any WebSocket program on ws://127.0.0.1:8080/echo */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>
#include <stdlib.h>

/* Together less than backpressure_bytes_max (1 MiB): no answer is ever DROPPED. */
enum { MESSAGE_BYTES = 512 * 1024, OWED_BYTES = 64 * 1024 };
static wshub_io_sock *net;

/* A request's head is there. http->handshake: 101, if it asks for a WebSocket as it should; else
 * what to refuse it with; 0: it asks for none. */
static wshub_take on_head(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *mine) {
    wshub_err err;
    (void)mine;
    if (!wshub_origin_allowed(hub, http)) /* of a page that allowed_origins does not name */
        err = wshub_http_refuse(hub, exchange, 403, "this origin may not connect");
    else if (http->handshake == 101)
        err = wshub_http_upgrade(hub, exchange, NULL, NULL);
    else if (http->handshake)
        err = wshub_http_refuse(hub, exchange, http->handshake, http->handshake_problem);
    else
        err = wshub_http_refuse(hub, exchange, 426, "a WebSocket is served here");
    return err ? WSHUB_TAKE_DECLINED : WSHUB_TAKE_DONE; /* out of memory, or ending: 404 */
}

static void on_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool text,
                       void *owner) {
    (void)owner;
    if (wshub_conn_send(hub, conn, bytes, count, text)) /* out of memory: an echo does not skip */
        (void)wshub_conn_close(hub, conn, 1011, wshub_str_z("out of memory"));
    else if (wshub_conn_queued_bytes(hub, conn) > OWED_BYTES)
        (void)wshub_conn_pause_until_drained(hub, conn);
}

static void on_conn_closed(wshub *hub, wshub_conn conn, uint16_t code, wshub_str reason,
                           wshub_cause cause, void *owner) {
    (void)hub, (void)conn, (void)cause, (void)owner;
    printf("closed: %u %.*s\n", (unsigned)code, (int)reason.len, reason.ptr ? reason.ptr : "");
    fflush(stdout);
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    wshub_mount_desc echo = {.version = WSHUB_MOUNT_VERSION,
                             .path = "/echo",
                             .message_bytes_max = MESSAGE_BYTES,
                             .on_head = on_head,
                             .on_message = on_message,
                             .on_conn_closed = on_conn_closed};
    wshub *hub;
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_err err;
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net)}, &hub))
        return 1; /* the io has shown why */
    err = wshub_mount(hub, &echo);
    if (err) return wshub_mount_explain(&echo, err, why, sizeof why), puts(why), 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    printf("ws://127.0.0.1:%u/echo\n", (unsigned)port);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, hub); /* until SIGTERM or SIGINT */
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return 0;
}
