/* bridge: what is said in a room of one hub is said in that room of another hub too, both ways.
 *
 * Build: cc bridge.c -I.. -I../backends -pthread -o bridge (in examples/)
 * Try:   ./bridge home ws://127.0.0.1:8080/ws work ws://127.0.0.1:8081/ws lobby say, between two
 *        hubs such as ./hello; stop one of them and start it again
 *
 * It is a client of both. What it hears on one side it says on the other, in an envelope,
 *
 *     {"via":["home"],"data":what was said}
 *
 * where `via` names the hubs that have had it. A message never goes where it has been: its own words,
 * which a hub may send back, go no further, and neither does what two bridges, or bridges in a ring,
 * would hand each other for ever. While one hub is away, what the other one says is kept, up to
 * buffer_bytes, and said once and in order when it is back. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_BYTES = 1 << 20, HUBS_MAX = 16 };

/* One end of the bridge: a hub, by the name that stands in `via`, and our client of it. */
typedef struct side {
    const char *name;
    struct side *other;
    wshub_ext_client *client;
    wshub_ext_client_desc desc;
    unsigned lost; /* messages that there was no room to keep */
} side;
static side sides[2];
static wshub_io_sock *net;

static void say(const side *of, const char *what, const char *more) {
    (void)printf("%s: %s%s\n", of->name, what, more);
    (void)fflush(stdout);
}

/* ---- carrying ---- */

/* Writes the envelope for a message that was heard at `from`. PARAM: it was at the other side
 * already, or at too many hubs; else as wshub_json_done() says. */
static wshub_err wrap(const side *from, wshub_str heard, char *buf, size_t cap, wshub_str *out) {
    wshub_str via = wshub_json_get(heard, "via"), inner = wshub_json_get(heard, "data"), hub;
    wshub_json_writer w;
    wshub_iter iter = {0, 0};
    int hubs = 0;

    wshub_json_begin(&w, buf, cap);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_array(&w, "via");
    if (wshub_json_type(via) == WSHUB_JSON_ARRAY) {
        while (wshub_json_each(via, &iter, &hub)) {
            if (wshub_json_is(hub, from->other->name) || ++hubs > HUBS_MAX) return WSHUB_ERR_PARAM;
            wshub_json_put_raw(&w, NULL, hub);
        }
        heard = inner;
    }
    wshub_json_put_text(&w, NULL, from->name);
    wshub_json_put_end(&w);
    if (heard.ptr) wshub_json_put_raw(&w, "data", heard);
    wshub_json_put_end(&w);
    return wshub_json_done(&w, out);
}

/* A message of one side is said on the other. Its event is the same. */
static void on_event(wshub_ext_client *client, const wshub_event *event, void *user) {
    const side *from = (const side *)user;
    size_t cap = event->data.len + 4096; /* the names of so many hubs fit */
    char *buf = (char *)malloc(cap);
    wshub_msg msg;
    wshub_err err;
    (void)client;

    memset(&msg, 0, sizeof msg);
    msg.event = event->event;
    err = buf ? wrap(from, event->data, buf, cap, &msg.data) : WSHUB_ERR_NOMEM;
    if (!err) err = wshub_ext_client_emit(from->other->client, &msg, false);
    free(buf);
    if (err && err != WSHUB_ERR_PARAM && !from->other->lost++)
        say(from->other, "a message is lost: ", wshub_strerror(err));
}

/* ---- coming and going ---- */

static void on_authenticated(wshub_ext_client *client, wshub_str id, wshub_str data, void *user) {
    side *of = (side *)user;
    char lost[60] = "";
    (void)client, (void)id, (void)data;
    if (of->lost) (void)snprintf(lost, sizeof lost, ", %u messages were lost", of->lost);
    of->lost = 0;
    say(of, "connected", lost);
}
static void on_disconnected(wshub_ext_client *client, const wshub_ws_gone *gone, bool again,
                            void *user) {
    (void)client;
    say((const side *)user, again ? "away: " : "gone: ", gone->text);
    if (!again) wshub_io_sock_stop(net); /* refused: a bridge with one end is none */
}
static void on_connect_error(wshub_ext_client *client, const wshub_ws_gone *gone, bool again,
                             void *user) {
    (void)client, (void)again;
    say((const side *)user, "no connection: ", gone->text);
}
static const wshub_ext_client_events events = {.connect_error = on_connect_error,
                                               .authenticated = on_authenticated,
                                               .disconnected = on_disconnected,
                                               .event = on_event};

/* Is in the room from now on, after each outage too. Returns NULL, or what is wrong. */
static const char *open_side(side *of, wshub_ws_pool *pool, const char *url, const char *room,
                             const char *event) {
    wshub_str in = wshub_str_z(room);
    const char *auth = getenv("BRIDGE_AUTH"); /* a command line can be read by everybody */

    of->desc.ws.url = url;
    of->desc.events = &events;
    of->desc.auth = auth ? auth : "{}";
    of->desc.buffer_bytes = KEPT_BYTES;
    if (wshub_ext_client_desc_problem(&of->desc)) return wshub_ext_client_desc_problem(&of->desc);
    if (wshub_ext_client_create(pool, &of->desc, of, &of->client) ||
        wshub_ext_client_join(of->client, &in, 1) ||
        wshub_ext_client_subscribe(of->client, wshub_str_z(event)))
        return "no such room or event";
    return NULL;
}

static void on_signal(int number) {
    (void)number;
    wshub_io_sock_stop(net);
}

int main(int argc, char **argv) {
    wshub_ws_pool_desc desc = {.io = NULL};
    wshub_ws_pool *pool;
    const char *wrong = NULL;
    int i;
    if (argc != 7 || strcmp(argv[1], argv[3]) == 0 || strlen(argv[1]) + strlen(argv[3]) > 200)
        return (void)fprintf(stderr, "usage: bridge NAME URL NAME URL ROOM EVENT\n"), 2;
    if (wshub_io_auto_create(NULL, &net)) return 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_ws_pool_create(&desc, &pool)) return 1;

    for (i = 0; i < 2 && !wrong; i++) {
        sides[i].name = argv[1 + 2 * i];
        sides[i].other = &sides[1 - i];
        wrong = open_side(&sides[i], pool, argv[2 + 2 * i], argv[5], argv[6]);
    }
    if (wrong) return (void)fprintf(stderr, "bridge: %s: %s\n", argv[2 * i], wrong), 2;
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)wshub_io_sock_run(net);

    for (i = 0; i < 2; i++) wshub_ext_client_destroy(sides[i].client);
    wshub_ws_pool_destroy(pool);
    wshub_io_sock_destroy(net);
    return 0;
}
