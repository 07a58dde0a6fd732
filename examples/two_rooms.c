/* Two rooms, who is in them, and answers: the next thing after hello.c. Whoever comes says a name; a
 * room hears who joins it and who leaves; and whoever asks who is in a room, also in the other one,
 * is answered. The page is examples/rooms/index.html.
 *
 * Build: cc two_rooms.c -I.. -I../backends -o two_rooms (in examples/)
 * Try:   ./two_rooms 8080, then http://127.0.0.1:8080 in two windows
 *
 *     a page says                              and hears
 *     authenticate {name}                      connected, by the hub
 *     join {rooms: ["tea"]}, leave             joined {room, name}, left: as all in that room do
 *     say {room, text}                         said {room, name, text}: the same
 *     who {room}, with an id                   who [name, ...], with that id */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_files.h"
#include <stdio.h>
#include <stdlib.h>

enum { NAME = 40, TEXT = 2000 };

static bool is_room(wshub_str name) {
    return wshub_str_eq_z(name, "tea") || wshub_str_eq_z(name, "coffee");
}

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

/* Of the rooms that it asks for a client gets those that there are. */
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    wshub_str granted[2];
    size_t count = 0;
    (void)user;
    for (size_t i = 0; i < join->rooms_count && count < 2; i++)
        if (is_room(join->rooms[i])) granted[count++] = join->rooms[i];
    (void)wshub_join_accept(hub, ask, granted, count);
}

/* Tells a room {room, name} or, with a text, {room, name, text}; text is JSON. */
static wshub_err tell(wshub *hub, const char *event, wshub_str room, wshub_str name,
                      wshub_str text) {
    char data[TEXT];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z(event)};
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "room", room);
    wshub_json_put_str(&w, "name", name);
    if (text.ptr) wshub_json_put_raw(&w, "text", text);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT; /* it does not fit */
    return wshub_room_send(hub, room, &msg, NULL, 0);
}

/* Presence, also of whoever closes a window or loses the network. Every client is in default rooms
 * as well, which are not ours to show. */
static void on_joined(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    if (is_room(p->room)) (void)tell(hub, "joined", p->room, p->user_id, (wshub_str){0});
}
static void on_left(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    if (is_room(p->room)) (void)tell(hub, "left", p->room, p->user_id, (wshub_str){0});
}

/* The answer to a question: the names in a room, to whoever has asked and with the question's id.
 * Sends reach all servers that share a bus; who is in a room each server knows of its own clients. */
static wshub_err answer_who(wshub *hub, wshub_client client, wshub_str id, wshub_str room) {
    char data[TEXT];
    wshub_json_writer w;
    wshub_iter iter = {0};
    wshub_client member;
    wshub_msg msg = {.event = wshub_str_z("who")};
    wshub_json_begin(&w, data, sizeof data);
    wshub_json_put_array(&w, NULL);
    while (wshub_room_each_member(hub, room, &iter, &member))
        wshub_json_put_str(&w, NULL, wshub_client_user_id(hub, member));
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_client_reply(hub, client, id, &msg);
}

/* What a client may not have is answered, with the id of the question if it was one. */
static wshub_err refuse(wshub *hub, wshub_client client, wshub_str id, const char *why) {
    wshub_msg msg = {.event = wshub_str_z("refused"), .data = wshub_str_z(why)};
    return wshub_client_reply(hub, client, id, &msg);
}

/* What is returned that is not WSHUB_OK is a line on standard error: for what fails on our side. */
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    char name[NAME];
    wshub_err err = wshub_json_copy(wshub_json_at(e->data, "/room"), name, sizeof name, NULL);
    wshub_str room = wshub_str_z(err ? NULL : name), text = wshub_json_at(e->data, "/text");
    (void)user;
    if (!is_room(room)) return refuse(hub, client, e->id, "\"no such room\"");
    if (wshub_str_eq_z(e->event, "who")) return answer_who(hub, client, e->id, room);
    if (wshub_str_eq_z(e->event, "say") && wshub_client_in_room(hub, client, room) && text.ptr)
        return tell(hub, "said", room, wshub_client_user_id(hub, client), text);
    return refuse(hub, client, e->id, "\"no such wish, or not in that room\"");
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    wshub_desc desc = {.on_authenticate = on_authenticate,
                       .on_join = on_join,
                       .on_joined = on_joined,
                       .on_left = on_left,
                       .on_message = on_message};
    wshub_io_sock *net;
    wshub *hub;
    wshub_ext_files *page;
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_create(&desc, &hub)) return 1; /* the io has shown why */
    if (wshub_ext_files_create(&(wshub_ext_files_desc){.folder = "rooms"}, &page))
        return perror("rooms"), 1;
    if (wshub_ext_files_mount(page, hub)) return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    printf("http://127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, hub); /* until SIGTERM or SIGINT */
    wshub_destroy(hub);
    wshub_ext_files_destroy(page);
    wshub_io_sock_destroy(net);
    return 0;
}
