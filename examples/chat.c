/* A chat with rooms, users and presence, and the page to it, served by the hub's own HTTP callback.
 *
 * Build and run: make run     Try: http://127.0.0.1:8080 in two windows
 * Several on one Redis: build/chat 8080 redis://127.0.0.1:6379 (examples/two_instances.sh shows
 * what happens then when Redis goes away)
 *
 * The client says `say` {room,text} and `here` {room}; it hears `said`, `people` (who is in the
 * room), `came` and `went`. Who somebody is stands in the client's metadata; rooms are the hub's
 * own. Chats on one Redis share their rooms: wshub_send() reaches the members on every
 * instance. `bus` {up,down_ms} tells of a gap between them. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "chat_page.h" /* examples/chat.html as text; made by the Makefile */
#include <signal.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 64, LIST_MAX = 200 };
static wshub_io_sock *net;

/* A client is in one of these at a time; its user pointer points at the room's place here. */
static const char *rooms[] = {"lobby", "garden", "workshop"};

static wshub_str name_of(wshub *hub, wshub_client client) { /* the JSON string under "name" */
    return wshub_json_get(wshub_client_metadata(hub, client), "name");
}

/* Sends {"room":…,"id":…,"name":…[,"text":…]} to a room, wherever its members are connected. name and
 * text are JSON already. */
static void tell(wshub *hub, const char *event, wshub_str room, wshub_str id, wshub_str name,
                 wshub_str text) {
    char data[4096];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z(event), .data_is_json = true};
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "room", room);
    wshub_json_put_str(&w, "id", id);
    wshub_json_put_raw(&w, "name", name);
    if (text.ptr) wshub_json_put_raw(&w, "text", text);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return; /* too long a text */
    (void)wshub_send(hub, &(wshub_dest){.kind = WSHUB_DEST_ROOM, .name = room}, &msg);
}

static void tell_people(wshub *hub, wshub_str room) { /* who is here, to those who are here */
    char data[LIST_MAX * (NAME_MAX_BYTES * 6 + 3) + 1700];
    int count = 0;
    wshub_iter it = {0};
    wshub_client c;
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("people"), .data_is_json = true};
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "room", room);
    wshub_json_put_array(&w, "names");
    while (count++ < LIST_MAX && wshub_room_each_member(hub, room, &it, &c))
        wshub_json_put_raw(&w, NULL, name_of(hub, c));
    wshub_json_put_end(&w);
    wshub_json_put_end(&w);
    if (!wshub_json_done(&w, &msg.data)) (void)wshub_room_send_here(hub, room, &msg, NULL, 0);
}

static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    char meta[NAME_MAX_BYTES * 6 + 16], plain[NAME_MAX_BYTES];
    wshub_str name = wshub_json_get(auth->data, "name");
    size_t n = wshub_json_text(name, plain, sizeof plain);
    wshub_json_writer w;
    wshub_identity who = {.user_id = {plain, n}};
    (void)user;
    wshub_json_begin(&w, meta, sizeof meta);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_raw(&w, "name", name);
    wshub_json_put_end(&w);
    if (n == 0 || n > sizeof plain || wshub_json_done(&w, &who.metadata))
        (void)wshub_ask_reject(hub, ask); /* a real program would look at a token, now or later */
    else if (wshub_auth_accept(hub, ask, &who) != WSHUB_OK)
        (void)wshub_ask_fail(hub, ask);
}

static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    wshub_client client = join->client;
    size_t r = 0;
    (void)user;
    while (r < 3 && !wshub_str_eq_z(join->rooms[0], rooms[r])) r++;
    if (r == 3 || wshub_join_accept(hub, ask, join->rooms, 1) != WSHUB_OK) {
        (void)wshub_ask_reject(hub, ask); /* harmless if it has been answered */
        return;
    }
    (void)wshub_client_set_user_ptr(hub, client, &rooms[r]);
    tell(hub, "came", wshub_str_z(rooms[r]), wshub_client_id(hub, client), name_of(hub, client),
         (wshub_str){0});
    for (r = 0; r < 3; r++)
        tell_people(hub, wshub_str_z(rooms[r])); /* one may have been left for this */
}

static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    char room[1024];
    wshub_str text = wshub_json_get(e->data, "text"), name = {room, 0};
    size_t n = wshub_json_text(wshub_json_get(e->data, "room"), room, sizeof room);
    (void)user;
    if (n == 0 || n > sizeof room) return WSHUB_ERR_PARAM;
    name.len = n;
    if (!wshub_client_in_room(hub, client, name)) return WSHUB_OK; /* one speaks where one is */
    if (wshub_str_eq_z(e->event, "here")) tell_people(hub, name);
    if (wshub_str_eq_z(e->event, "say") && wshub_json_type(text) == WSHUB_JSON_STRING) {
        tell(hub, "said", name, wshub_client_id(hub, client), name_of(hub, client), text);
    }
    return WSHUB_OK;
}

static void on_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    char name[NAME_MAX_BYTES * 6 + 2];
    size_t n = wshub_json_quote(gone->user_id, name, sizeof name);
    const char **room = gone->user_ptr;
    (void)user;
    if (!room || n > sizeof name) return;
    tell(hub, "went", wshub_str_z(*room), gone->id, (wshub_str){name, n}, (wshub_str){0});
    tell_people(hub, wshub_str_z(*room));
}

/* What other instances said while the bus was down is lost: those who read here should know. */
static void on_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    char data[64];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("bus")};
    (void)user;
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_bool(&w, "up", state == WSHUB_BUS_UP);
    wshub_json_put_uint(&w, "down_ms", down_ms);
    wshub_json_put_end(&w);
    if (!wshub_json_done(&w, &msg.data)) (void)wshub_all_send_here(hub, &msg, NULL, 0);
}

static bool on_request(wshub *hub, wshub_exchange request, const wshub_http *http, void *user) {
    wshub_reply page = {.status = 200,
                        .content_type = "text/html; charset=utf-8",
                        .body = {chat_page, sizeof chat_page - 1}};
    (void)user;
    if (!wshub_str_eq_z(http->path, "/")) return false; /* 404 */
    return wshub_http_reply(hub, request, &page) == WSHUB_OK;
}

int main(int argc, char **argv) {
    sigset_t stop;
    wshub *hub;
    wshub_bus_redis *redis = NULL;
    char why[WSHUB_EXPLAIN_BYTES];
    unsigned port = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 8080;
    if (port == 0 || port > 65535)
        return fprintf(stderr, "usage: %s [port [redis-url]]\n", argv[0]), 2;
    sigemptyset(&stop); /* blocked, they come to the call that serves and disturb nothing else */
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    if (wshub_io_auto_create(NULL, &net)) return 1;
    if (argc > 2) {
        wshub_bus_redis_desc rd = {.io = wshub_io_sock_io(net), .url = argv[2]};
        wshub_err err = wshub_bus_redis_create(&rd, &redis);
        (void)wshub_bus_redis_desc_explain(&rd, err, why, sizeof why);
        if (err) return fprintf(stderr, "chat: %s\n", why), 2;
    }
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                   .bus = redis ? wshub_bus_redis_bus(redis) : NULL,
                                   .on_authenticate = on_authenticate,
                                   .on_join = on_join,
                                   .on_message = on_message,
                                   .on_disconnected = on_disconnected,
                                   .on_request = on_request,
                                   .on_bus = on_bus},
                     &hub))
        return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", (uint16_t)port, NULL))
        return fprintf(stderr, "chat: %s\n", wshub_io_sock_error(net)), 1;
    printf("chat on http://127.0.0.1:%u (ctrl-c ends it)\n", port);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, hub); /* says goodbye when it is told to end: close 1001 */
    wshub_destroy(hub);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    return 0;
}
