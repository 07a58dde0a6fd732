/* A dialect of your own on the public functions alone: lines of text on /lines, beside the JSON
 * messages on /ws in the same hub. Its clients are in a realm of their own, where no name meets one
 * of a JSON client; what they say reaches other instances over Redis, if there is one.
 *
 *     a client says                             and hears
 *     auth ada             who it is            hello 3f1c...        it is in; this is its id
 *     join tea, leave tea  a room               no WHY               something was refused
 *     say tea hello        to that room         said tea ada hello
 *     tell 3f1c... psst    to one client        whispered 3f1c... ada psst
 *
 * Build: cc dialect_lines.c -I.. -I../backends -o dialect_lines (in examples/)
 * Try:   ./dialect_lines 8080 [redis-url], then such lines on ws://127.0.0.1:8080/lines */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include <stdio.h>
#include <stdlib.h>

enum { LINE = 1000, QUOTED = 6 * LINE + 2 }; /* bytes; as JSON, where each may be \u0000 */

/* What a client of ours is: its dialect, kind of wire and realm. The last argument of callbacks. */
typedef wshub_client_desc lines;

/* Takes the first word of a line; what is behind the blank is left of it. */
static wshub_str take_word(wshub_str *line) {
    const char *blank = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
    wshub_str word = {line->ptr, blank ? (size_t)(blank - line->ptr) : line->len};
    line->ptr += word.len + (blank != NULL);
    line->len -= word.len + (blank != NULL);
    return word;
}

/* ---- out: an event is its name, a blank and its text ---- */
static wshub_err encode(wshub *hub, wshub_kind kind, wshub_realm realm, const wshub_packet *packet,
                        wshub_writer *out, void *user) {
    size_t name = packet->event.len;
    size_t text = packet->args_count == 1 ? wshub_json_text(packet->args[0], NULL, 0) : SIZE_MAX;
    uint8_t *to;
    (void)hub, (void)kind, (void)realm, (void)user;
    if (!packet->event.ptr || text == SIZE_MAX || packet->attachments_count || packet->id.ptr)
        return WSHUB_ERR_PARAM; /* a line says one text and nothing else */
    to = wshub_writer_frame(out, true, name + 1 + text);
    if (!to) return WSHUB_ERR_NOMEM;
    memcpy(to, packet->event.ptr, name);
    to[name] = ' ';
    (void)wshub_json_text(packet->args[0], (char *)to + name + 1, text);
    return WSHUB_OK;
}

/* An event with a text of at most LINE bytes; data: where its JSON is put. */
static wshub_msg line_of(const char *event, wshub_str text, char data[QUOTED]) {
    return (wshub_msg){wshub_str_z(event), {data, wshub_json_quote(text, data, QUOTED)}, true};
}

static void say_no(wshub *hub, wshub_client client, const char *why) {
    char data[QUOTED];
    wshub_msg msg = line_of("no", wshub_str_z(why), data);
    (void)wshub_client_tell(hub, client, &msg);
}
static wshub_err accepted(wshub *hub, wshub_client client, const wshub_acceptance *what,
                          void *user) {
    char data[QUOTED];
    wshub_msg msg = line_of("hello", wshub_client_id(hub, client), data);
    (void)what, (void)user;
    return wshub_client_welcome(hub, client, &msg);
}

/* ---- in: a word, a blank and the rest, which a room is told, or one client ---- */
static void speak(wshub *hub, const lines *l, wshub_client client, wshub_dest_kind to,
                  wshub_str name, wshub_str text) {
    char line[LINE], data[QUOTED];
    wshub_str from = wshub_client_user_id(hub, client);
    wshub_dest dest = {.kind = to, .name = name, .realm = l->realm};
    int n = snprintf(line, LINE, "%.*s %.*s %.*s", (int)name.len, name.ptr, (int)from.len, from.ptr,
                     (int)text.len, text.ptr);
    wshub_msg msg = line_of(to == WSHUB_DEST_ROOM ? "said" : "whispered", wshub_str_z(line), data);
    if (n >= LINE || wshub_send(hub, &dest, &msg)) say_no(hub, client, "too long");
}

/* What somebody says who is in, in clear. */
static void on_event(wshub *hub, wshub_client client, const wshub_event *event, void *user) {
    char text[LINE];
    wshub_str rest = {text, wshub_json_text(event->data, text, LINE)}, name;
    if (rest.len > LINE) return; /* a transformer has made something else of it */
    name = take_word(&rest);
    if (wshub_str_eq_z(event->event, "leave")) {
        (void)wshub_client_leave(hub, client, name);
    } else if (wshub_str_eq_z(event->event, "say") && wshub_client_in_room(hub, client, name)) {
        speak(hub, user, client, WSHUB_DEST_ROOM, name, rest);
    } else if (wshub_str_eq_z(event->event, "tell") && name.len) {
        speak(hub, user, client, WSHUB_DEST_CLIENT, name, rest);
    } else if (!wshub_str_eq_z(event->event, "join") || !wshub_client_may_join(hub, client, name) ||
               wshub_client_ask_join(hub, client, &name, 1)) {
        say_no(hub, client, "not that");
    }
}

static void on_line(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count, bool is_text,
                    void *user) {
    char data[QUOTED];
    wshub_heard heard = wshub_conn_heard(hub, conn, count);
    wshub_str rest = {(const char *)bytes, is_text ? count : 0}, word = take_word(&rest);
    wshub_event event = {.event = word, .data = line_of("", rest, data).data};
    (void)user;
    if (heard.state == WSHUB_CLIENT_AUTHENTICATED) {
        (void)wshub_client_receive(hub, heard.client, &event); /* decrypted, then on_event */
    } else if (heard.state != WSHUB_CLIENT_DISCONNECTED &&
               (!wshub_str_eq_z(word, "auth") ||
                wshub_client_authenticate(hub, heard.client, event.data))) {
        say_no(hub, heard.client, "not now");
    }
}

/* Whoever may open a WebSocket becomes a client, which has auth_timeout_ms to say who it is. */
static wshub_take on_head(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)http;
    return wshub_client_upgrade(hub, exchange, user);
}

/* ---- to other instances and from them, on a channel that is named as whom it is for: who
 * publishes, which kind of destination that is, an event, its JSON ---- */
static wshub_err publish(wshub *hub, wshub_realm realm, const wshub_dest *dest,
                         const wshub_packet *packet, void *user) {
    char payload[LINE + QUOTED];
    wshub_str id = wshub_server_id(hub), event = packet->event;
    int n;
    (void)realm;
    if (dest->exclude_count || dest->rooms_count || dest->except_rooms_count ||
        packet->args_count != 1)
        return WSHUB_ERR_PARAM; /* there are no words for that */
    n = snprintf(payload, sizeof payload, "%.*s %d %.*s %.*s", (int)id.len, id.ptr, (int)dest->kind,
                 (int)event.len, event.ptr, (int)packet->args->len, packet->args->ptr);
    if (n >= (int)sizeof payload) return WSHUB_ERR_LIMIT;
    return wshub_bus_publish(hub, ((const lines *)user)->dialect, dest->name,
                             (wshub_str){payload, (size_t)n});
}

static void on_bus(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    wshub_str who = take_word(&payload), kind = take_word(&payload), event = take_word(&payload);
    wshub_dest dest = {.name = channel, .realm = ((const lines *)user)->realm};
    wshub_msg msg = {event, payload, false};
    if (wshub_str_eq(who, wshub_server_id(hub))) return; /* BUS-3: our own */
    if (kind.len == 1) dest.kind = (wshub_dest_kind)(*kind.ptr - '0');
    if (!dest.kind || wshub_send_here(hub, &dest, &msg))
        wshub_client_report(hub, (wshub_client){0}, WSHUB_LOG_BUS_BAD, 1, "lines", channel);
}

static wshub_err lines_open(wshub *hub, lines *l) {
    wshub_dialect table = {WSHUB_DIALECT_VERSION, .name = "lines",    .accepted = accepted,
                           .event = on_event,     .publish = publish, .on_bus = on_bus,
                           .bus_prefix = "lines:"};
    wshub_mount_desc mount = {WSHUB_MOUNT_VERSION, .path = "/lines",   .message_bytes_max = LINE,
                              .user = l,           .on_head = on_head, .on_message = on_line};
    wshub_realm_desc realm = {WSHUB_REALM_VERSION, .name = "lines"};
    wshub_err err = wshub_dialect_add(hub, &table, l, &l->dialect);
    realm.dialect = l->dialect;
    if (!err) err = wshub_kind_add(hub, &(wshub_kind_desc){encode, "lines", l}, &l->kind);
    if (!err) err = wshub_realm_create(hub, &realm, &l->realm);
    return err ? err : wshub_mount(hub, &mount);
}

/* ---- the application, of both dialects ---- */
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    char name[64];
    bool told = !wshub_json_copy(auth->data, name, sizeof name, NULL) && *name;
    wshub_identity who = {.user_id = wshub_str_z(told ? name : NULL)};
    (void)user;
    if (!told || wshub_auth_accept(hub, ask, &who)) (void)wshub_ask_reject(hub, ask);
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    (void)wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
}

int main(int argc, char **argv) {
    static lines l;
    wshub_io_sock *net;
    wshub *hub;
    wshub_bus_redis *redis = NULL;
    wshub_bus_redis_desc broker = {.url = argc > 2 ? argv[2] : NULL};
    wshub_desc desc = {.on_authenticate = on_authenticate, .on_join = on_join};
    char why[WSHUB_EXPLAIN_BYTES];
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    broker.io = desc.io = wshub_io_sock_io(net);
    if (broker.url && wshub_bus_redis_create(&broker, &redis))
        return wshub_bus_redis_desc_explain(&broker, WSHUB_ERR_NOMEM, why, sizeof why), puts(why),
               1;
    if (redis) desc.bus = wshub_bus_redis_bus(redis);
    if (wshub_create(&desc, &hub) || lines_open(hub, &l)) return 1; /* the io has shown why */
    if (wshub_io_sock_listen(net, "127.0.0.1", (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080), NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    (void)wshub_io_sock_serve(net, hub); /* until a signal */
    wshub_destroy(hub);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    return 0;
}
