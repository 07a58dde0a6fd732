/* A small application behind a proxy that tells each who asks whom it takes it for, as
 * {"peer":...,"hop":...}: in answer to a request, and as the event `you` to each WebSocket that has
 * authenticated. fixture-behind HEADER: the name of the header that proxies at 127.0.0.1 write. Used
 * by tests/proxies.mjs. Prints `listening PORT MARKED` first, MARKED being the port where the PROXY
 * protocol is spoken, and `heads TAKEN STRANGERS MISSING BAD LATE` last; ends on SIGTERM or SIGINT. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>

static wshub_str about_text(const wshub_about *about, char *buf, size_t cap) {
    wshub_str text = {buf, 0};
    text.len = (size_t)snprintf(buf, cap, "{\"peer\":\"%.*s\",\"hop\":\"%.*s\"}",
                                (int)about->peer.len, about->peer.ptr ? about->peer.ptr : "",
                                (int)about->hop.len, about->hop.ptr ? about->hop.ptr : "");
    return text;
}

static bool on_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_about about;
    char buf[300];
    (void)user;
    memset(&about, 0, sizeof about);
    (void)wshub_conn_about(hub, http->conn, &about);
    return wshub_http_reply_json(hub, exchange, 200, about_text(&about, buf, sizeof buf)) ==
           WSHUB_OK;
}

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}

static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    wshub_about about;
    wshub_msg msg;
    char buf[300];
    (void)user;
    memset(&about, 0, sizeof about);
    memset(&msg, 0, sizeof msg);
    (void)wshub_client_about(hub, client, &about);
    msg.event = wshub_str_z("you");
    msg.data = about_text(&about, buf, sizeof buf);
    return wshub_client_send(hub, client, &msg);
}

int main(int argc, char **argv) {
    static const char *const proxies[] = {"127.0.0.1"};
    wshub_io_sock_place place;
    wshub_io_sock_stats stats;
    wshub_io_sock *net;
    wshub_desc d;
    wshub *hub;
    uint16_t port = 0, marked = 0;
    if (argc < 2 || wshub_io_auto_create(NULL, &net)) return 1;
    memset(&d, 0, sizeof d);
    d.io = wshub_io_sock_io(net);
    d.trusted_proxies = proxies;
    d.trusted_proxies_count = 1;
    d.forwarded_header = argv[1];
    d.no_log = true;
    d.on_request = on_request;
    d.on_authenticate = on_authenticate;
    d.on_connected = on_connected;
    if (wshub_create(&d, &hub)) return 1;
    memset(&place, 0, sizeof place);
    place.host = "127.0.0.1";
    place.proxy_protocol = true;
    place.proxies = proxies;
    place.proxies_count = 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", 0, &port) ||
        wshub_io_sock_listen_place(net, &place, &marked)) {
        (void)fprintf(stderr, "fixture-behind: %s\n", wshub_io_sock_error(net));
        return 1;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)printf("listening %u %u\n", (unsigned)port, (unsigned)marked);
    (void)wshub_io_sock_serve(net, hub);
    wshub_io_sock_stats_get(net, &stats);
    (void)printf("heads %lu %lu %lu %lu %lu\n", (unsigned long)stats.proxy_heads,
                 (unsigned long)stats.proxy_strangers, (unsigned long)stats.proxy_missing,
                 (unsigned long)stats.proxy_bad, (unsigned long)stats.proxy_late);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return 0;
}
