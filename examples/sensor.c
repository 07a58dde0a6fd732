/* sensor: a device that says what it measures to a hub, and survives outages.
 *
 * Build: cc sensor.c -I.. -I../backends -pthread -o sensor (in examples/)
 * Try:   ./sensor beside ./hello, with http://127.0.0.1:8080 in a window; then stop hello and start it again
 *
 * It shows what a device needs of backends/wshub_ext_client.h and no more: one description, a timer,
 * and events that say how it goes. The readings of an outage are kept, up to buffer_bytes, and sent
 * once and in order when the hub is back; when there is no more room the newest is dropped and
 * counted, as the next one tells. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVERY_MS = 1000 };

static wshub_io_sock *net;
static wshub_ws_pool *pool;
static wshub_ext_client *client;
static wshub_ws_timer timer;
static int reading, dropped;

/* One reading: its number, what is measured, how many could not be kept. */
static void measure(void *ctx) {
    char text[200];
    wshub_json_writer w;
    wshub_msg msg;
    (void)ctx;
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("reading");
    msg.data_is_json = true;
    wshub_json_begin(&w, text, sizeof text);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_int(&w, "n", ++reading);
    wshub_json_put_double(&w, "degrees", 20.0 + reading % 10 / 10.0);
    if (dropped) wshub_json_put_int(&w, "dropped", dropped);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data) == WSHUB_OK) {
        if (wshub_ext_client_emit(client, &msg, false) == WSHUB_OK)
            dropped = 0;
        else
            dropped++;
    }
    wshub_ws_timer_start(pool, &timer, wshub_ws_now_ms(pool) + EVERY_MS);
}

static void on_authenticated(wshub_ext_client *c, wshub_str id, wshub_str data, void *user) {
    (void)c;
    (void)data;
    (void)user;
    (void)printf("connected as %.*s\n", (int)id.len, id.ptr);
    (void)fflush(stdout);
}
static void on_unauthenticated(wshub_ext_client *c, wshub_str message, void *user) {
    (void)c;
    (void)user;
    (void)printf("refused: %.*s\n", (int)message.len, message.ptr);
    wshub_io_sock_stop(net); /* who is refused is not wanted more the second time */
}
static void on_connect_error(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                             void *user) {
    (void)c;
    (void)user;
    (void)printf("no connection: %s\n", gone->text);
    (void)fflush(stdout);
    if (!again) wshub_io_sock_stop(net);
}
static void on_reconnecting(wshub_ext_client *c, uint32_t attempt, uint32_t delay_ms, void *user) {
    (void)user;
    (void)printf("attempt %u in %u ms, %u readings are kept\n", (unsigned)attempt,
                 (unsigned)delay_ms, (unsigned)wshub_ext_client_buffered(c));
    (void)fflush(stdout);
}

static void on_signal(int number) {
    (void)number;
    wshub_io_sock_stop(net);
}

int main(int argc, char **argv) {
    wshub_ws_pool_desc pool_desc;
    wshub_ext_client_events events;
    wshub_ext_client_desc desc;
    memset(&pool_desc, 0, sizeof pool_desc);
    memset(&events, 0, sizeof events);
    memset(&desc, 0, sizeof desc);
    events.authenticated = on_authenticated;
    events.unauthenticated = on_unauthenticated;
    events.connect_error = on_connect_error;
    events.reconnecting = on_reconnecting;
    desc.ws.url = argc > 1 ? argv[1] : "ws://127.0.0.1:8080/ws";
    desc.auth = argc > 2 ? argv[2] : "{\"name\":\"Sensor\"}";
    desc.events = &events;
    desc.buffer_bytes = 1 << 20; /* a device may be away for hours */
    desc.reconnect_delay_max_ms = 30000;
    if (wshub_ext_client_desc_problem(&desc))
        return (void)fprintf(stderr, "sensor: %s\n", wshub_ext_client_desc_problem(&desc)), 2;

    if (wshub_io_auto_create(NULL, &net)) return 1;
    pool_desc.io = wshub_io_sock_io(net);
    timer.fire = measure;
    if (wshub_ws_pool_create(&pool_desc, &pool) || wshub_ws_timer_add(pool, &timer)) return 1;
    if (wshub_ext_client_create(pool, &desc, NULL, &client)) return 1;
    wshub_ws_timer_start(pool, &timer, wshub_ws_now_ms(pool) + EVERY_MS);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)wshub_io_sock_run(net);

    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    wshub_ext_client_destroy(client);
    wshub_ws_pool_destroy(pool);
    wshub_io_sock_destroy(net);
    return 0;
}
