/* A small HTTP server on the lower storey alone: paths are mounted, requests come as exchanges, and
 * of the hub's own words none is needed.
 *
 *     GET /          a page
 *     GET /hello     a greeting, for ?name=
 *     POST /length   how long the body was
 *     GET /numbers   one to ten million, a line each, as fast as the peer reads, and never held
 *     GET /wait      an answer that comes a second later, as in long polling
 *     anything else  404
 *
 * Build: cc http_server.c -O2 -I.. -I../backends -o http_server (in examples/)
 * Try:   ./http_server 8080, then curl http://127.0.0.1:8080/numbers | tail -1 */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>
#include <stdlib.h>

enum { LAST = 10000000, LINE = 10 /* of the longest number, with its end and a NUL */ };

/* Whatever is declined is answered by the hub: 404. */
static bool is(const wshub_http *http, const char *method) {
    return wshub_str_eq_z(http->method, method);
}

/* ---- /, and /hello, which looks into the query ---- */

static wshub_take on_page(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    static const char page[] = "<!doctype html><p>Ten million <a href=/numbers>numbers</a>.\n";
    wshub_reply reply = {.status = 200, .content_type = "text/html", .body = wshub_str_z(page)};
    (void)user;
    if (!is(http, "GET") && !is(http, "HEAD")) return WSHUB_TAKE_DECLINED;
    (void)wshub_http_reply(hub, exchange, &reply);
    return WSHUB_TAKE_DONE;
}

static wshub_take on_hello(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                           void *user) {
    char name[80] = "stranger", line[100];
    (void)user;
    (void)wshub_query_copy(http->query, "name", name, sizeof name, NULL); /* if it has one */
    (void)snprintf(line, sizeof line, "Hello, %s\n", name);
    (void)wshub_http_reply_text(hub, exchange, 200, wshub_str_z(line));
    return WSHUB_TAKE_DONE;
}

/* ---- /length: the body is asked for, and comes when it is whole ---- */

static wshub_take on_length(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                            void *user) {
    (void)hub, (void)exchange, (void)user;
    return is(http, "POST") ? WSHUB_TAKE_BODY : WSHUB_TAKE_DECLINED;
}

static void on_length_body(wshub *hub, wshub_exchange exchange, uint8_t *bytes, size_t count,
                           void *owner) {
    char text[24];
    (void)bytes, (void)owner;
    (void)snprintf(text, sizeof text, "%lu\n", (unsigned long)count);
    (void)wshub_http_reply_text(hub, exchange, 200, wshub_str_z(text));
}

/* ---- /numbers: a long answer, piece by piece ---- */

/* Goes on from the next number until the stream has enough for now, or all is said. The same
 * function is on_exchange_drained, which comes when there is room again. */
static void count_on(wshub *hub, wshub_exchange exchange, void *owner) {
    int *next = owner;
    while (*next <= LAST) {
        char piece[4096];
        size_t n = 0;
        int number = *next;
        while (number <= LAST && n + LINE < sizeof piece)
            n += (size_t)snprintf(piece + n, sizeof piece - n, "%d\n", number++);

        /* LIMIT: nothing of it was taken. Without memory the peer is waited for no longer. */
        wshub_err err = wshub_http_write(hub, exchange, piece, n);
        if (err == WSHUB_ERR_LIMIT) return;
        if (err) break;
        *next = number;
    }
    if (*next <= LAST || wshub_http_end(hub, exchange)) (void)wshub_http_drop(hub, exchange);
    free(next);
}

static void on_numbers_gone(wshub *hub, wshub_exchange exchange, wshub_cause cause, void *owner) {
    (void)hub, (void)exchange, (void)cause;
    free(owner);
}

static wshub_take on_numbers(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                             void *user) {
    wshub_reply reply = {.status = 200, .content_type = "text/plain"};
    int *next = is(http, "GET") ? malloc(sizeof *next) : NULL;
    (void)user;
    if (!is(http, "GET")) return WSHUB_TAKE_DECLINED;
    if (!next || wshub_http_begin(hub, exchange, &reply, WSHUB_LENGTH_UNKNOWN)) {
        free(next);
        return WSHUB_TAKE_DONE; /* and not answered: the hub says 500 */
    }
    *next = 1;
    (void)wshub_exchange_set_owner(hub, exchange, next);
    count_on(hub, exchange, next);
    return WSHUB_TAKE_DONE;
}

/* ---- /wait: the exchange is held, and a timer answers it ---- */

static void on_time(wshub *hub, void *arg) {
    wshub_str text = wshub_str_z("a second has passed\n");
    (void)wshub_http_reply_text(hub, *(wshub_exchange *)arg, 200, text); /* or nobody waits */
    free(arg);
}

static wshub_take on_wait(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_exchange *kept;
    (void)user;
    if (!is(http, "GET")) return WSHUB_TAKE_DECLINED;
    kept = malloc(sizeof *kept);
    if (kept) *kept = exchange;
    if (kept && !wshub_timer_start(hub, 1000, on_time, kept, NULL)) return WSHUB_TAKE_HELD;
    free(kept);
    return WSHUB_TAKE_DONE;
}

int main(int argc, char **argv) {
    static const wshub_mount_desc served[] = {
        {WSHUB_MOUNT_VERSION, .path = "/", .on_head = on_page},
        {WSHUB_MOUNT_VERSION, .path = "/hello", .on_head = on_hello},
        {WSHUB_MOUNT_VERSION, .path = "/length", .on_head = on_length, .on_body = on_length_body},
        {WSHUB_MOUNT_VERSION, .path = "/numbers", .on_head = on_numbers,
         .on_exchange_drained = count_on, .on_exchange_gone = on_numbers_gone},
        {WSHUB_MOUNT_VERSION, .path = "/wait", .on_head = on_wait}};
    wshub_io_sock *net;
    wshub *hub;
    size_t i;
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .no_dialect = true}, &hub))
        return 1; /* the io has shown why */
    for (i = 0; i < sizeof served / sizeof *served; i++)
        if (wshub_mount(hub, &served[i])) return puts(served[i].path), 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080), NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    (void)wshub_io_sock_serve(net, hub); /* until SIGTERM or SIGINT */
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return 0;
}
