/* A chat: names, rooms with members, the last lines of each room, who is typing. Its page lies in
 * examples/chat and is served by this program.
 *
 * Build and run: make run            Try: http://127.0.0.1:8080 in two windows
 *     build/chat [--page FOLDER] [--redis URL] [PORT]      examples/chat, one server alone, 8080
 * On https:      make run TLS=1      compiled with a library of TLS: --cert FILE --key FILE
 *
 * What a page says, with an id by which it finds the answer:
 *
 *     authenticate {name}              connected, by the hub
 *     enter {room, server, after}      entered {room, server, shared, text_max, gap, people, lines},
 *                                      or refused {message}; so are the others
 *     exit {room}                      done
 *     say {room, id, text}             done
 *     typing {room}                    nothing
 *
 * and what it hears besides: said {n, line: {room, id, name, text, at}}; came, went and typing
 * {room, id, name}; rooms [{room, people}, ...]; bus {up, down_ms}.
 *
 * No line is lost or doubled. The page gives each line an id of its own, and says it until it is
 * told `done`: an id that was here is not taken a second time. The server gives each line a number
 * (`n`), and a page that comes back names the last one it has (`after`): `entered` brings what came
 * behind it, and says whether some of that is kept no more (`gap`). A page that does not read is
 * closed, so that it comes back and asks, instead of missing single lines.
 *
 * Several servers on one Redis (examples/two_instances.sh) share lines, rooms and typing: a line is
 * published to all servers, this one included, and each keeps it and tells its own people. Numbers
 * and people are of one server; a page that comes back to another one gets all that is kept there,
 * and leaves out what it has by the lines' ids. All of it is in memory and ends with the server. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_ext_files.h"
#include "chat_tls.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* Nothing here grows without a limit. Lengths of texts are in UTF-16 units, as pages count; such a
 * unit has 3 bytes of UTF-8 at most, and 6 where JSON escapes it. */
enum {
    NAME_UNITS_MAX = 24,   /* of somebody, and of a room */
    TEXT_UNITS_MAX = 2000, /* of a line */
    HISTORY = 50,          /* lines that are kept of a room */
    ROOMS_MAX = 32,        /* the first is the lobby, which stays */
    PEOPLE_MAX = 200,      /* names of a room that who enters is told */
    IDS_MAX = 1024,        /* ids of lines that are remembered */
    NAME_BYTES = NAME_UNITS_MAX * 3 + 1,
    TEXT_BYTES = TEXT_UNITS_MAX * 3 + 1,
    ID_BYTES = 40,
    LINE_BYTES = TEXT_UNITS_MAX * 6 + 1024,
    ROOMS_BYTES = ROOMS_MAX * (NAME_BYTES * 2 + 32) + 512,
    ANSWER_BYTES = HISTORY * LINE_BYTES + PEOPLE_MAX * (NAME_BYTES * 2 + 80) + 1024
};

/* A room of the chat is a room of the hub with this in front: rooms of the hub are also named like
 * clients' ids, and no name that a stranger makes up may be one of those (ROOM-2). */
#define PREFIX "chat:"
#define PREFIX_BYTES (sizeof PREFIX - 1)
#define ROOM_BYTES (PREFIX_BYTES + NAME_BYTES)

struct line {
    uint64_t n; /* its number on this server */
    char *json; /* as it is told, terminated; NULL: none */
};
struct room {
    char full[ROOM_BYTES];      /* the hub's name of it; empty: no room */
    struct line lines[HISTORY]; /* a ring: the next one goes to `next` */
    size_t next;
    uint64_t last;      /* number of its last line */
    uint64_t forgotten; /* lines up to this number are not kept */
};
struct chat {
    struct room rooms[ROOMS_MAX];
    char ids[IDS_MAX][ID_BYTES]; /* of the last lines of all rooms: a ring, too */
    size_t ids_next;
    uint64_t numbers; /* the last number that was given to a line */
    bool shared;      /* there are other servers */
    bool telling;     /* a timer runs that will tell the rooms */
    char answer[ANSWER_BYTES];
};

/* ---- rooms and their lines ---- */

static wshub_str full_name(const struct room *room) {
    return wshub_str_z(room->full);
}
static wshub_str name_of(const struct room *room) {
    return wshub_str_z(room->full + PREFIX_BYTES);
}

static struct room *find_room(struct chat *chat, wshub_str full) {
    size_t i;
    for (i = 0; i < ROOMS_MAX; i++)
        if (full.len && wshub_str_eq(full, full_name(&chat->rooms[i]))) return &chat->rooms[i];
    return NULL;
}

/* Where a new room can go: a free place, or that of the room which has been silent for longest
 * among those that nobody is in. NULL: all rooms are in use. */
static struct room *place_for_room(struct chat *chat, wshub *hub) {
    struct room *best = NULL;
    size_t i;
    for (i = 0; i < ROOMS_MAX; i++) {
        struct room *room = &chat->rooms[i];
        if (!room->full[0]) return room;
        if (i == 0 || wshub_room_count(hub, full_name(room))) continue;
        if (!best || room->last < best->last) best = room;
    }
    return best;
}
static void free_room(struct room *room) {
    size_t i;
    for (i = 0; i < HISTORY; i++) free(room->lines[i].json);
    memset(room, 0, sizeof *room);
}

/* Keeps a line in place of the oldest. json is given: it is the room's to free from here on. */
static void keep_line(struct room *room, uint64_t n, char *json) {
    struct line *line = &room->lines[room->next];
    if (line->json) room->forgotten = line->n;
    free(line->json);
    line->json = json;
    line->n = room->last = n;
    room->next = (room->next + 1) % HISTORY;
}

static bool id_was_here(const struct chat *chat, const char *id) {
    size_t i;
    for (i = 0; i < IDS_MAX; i++)
        if (strcmp(chat->ids[i], id) == 0) return true;
    return false;
}
static void remember_id(struct chat *chat, const char *id) {
    (void)snprintf(chat->ids[chat->ids_next], ID_BYTES, "%s", id);
    chat->ids_next = (chat->ids_next + 1) % IDS_MAX;
}

/* ---- reading and writing ---- */

/* Copies a text that a page has sent. Returns what is wrong with it, NULL: nothing. */
static const char *read_text(wshub_str json, size_t units_max, char *buf, size_t cap) {
    wshub_err err = wshub_json_copy(json, buf, cap, NULL);
    if (err == WSHUB_ERR_LIMIT) return "that is too long";
    if (err || !buf[0]) return "there is no text in it"; /* or a NUL, which pages do not send */
    return wshub_utf8_units(wshub_str_z(buf)) > units_max ? "that is too long" : NULL;
}
/* The same for a name, which has one line. */
static const char *read_name(wshub_str json, char buf[NAME_BYTES]) {
    const char *wrong = read_text(json, NAME_UNITS_MAX, buf, NAME_BYTES), *c;
    for (c = buf; !wrong && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) wrong = "that is no name";
    return wrong;
}

/* The same for a room's, as the hub is to know it. */
static const char *read_room(wshub_str json, char full[ROOM_BYTES]) {
    memcpy(full, PREFIX, PREFIX_BYTES);
    return read_name(json, full + PREFIX_BYTES);
}

/* Answers with what is wrong with a message; NULL: nothing, it is done. */
static wshub_err answer(wshub *hub, wshub_client client, const wshub_event *e, const char *wrong) {
    char buf[256];
    wshub_msg msg = {.event = wshub_str_z(wrong ? "refused" : "done"), .data_is_json = true};
    wshub_json_writer w;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_text(&w, "message", wrong);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_client_reply(hub, client, e->id, &msg);
}

/* Tells a room that somebody came, went, or is typing. Typing is told on all servers; who is here,
 * by each server to its own people. Who has two windows has two ids, and one name. */
static wshub_err tell_who(wshub *hub, const struct room *room, wshub_str id, wshub_str name,
                          const char *event, bool everywhere) {
    wshub_msg msg = {.event = wshub_str_z(event), .data_is_json = true};
    char buf[NAME_BYTES * 4 + 128];
    wshub_json_writer w;
    wshub_err err;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "room", name_of(room));
    wshub_json_put_str(&w, "id", id);
    wshub_json_put_str(&w, "name", name);
    wshub_json_put_end(&w);
    err = wshub_json_done(&w, &msg.data);
    if (err) return err;
    return everywhere ? wshub_room_send(hub, full_name(room), &msg, &id, 1)
                      : wshub_room_send_here(hub, full_name(room), &msg, &id, 1);
}

/* ---- which rooms there are, and who is here, on this server ---- */

/* The list of rooms goes to everybody a moment later, and once, however many came and went. */
static void tell_rooms(wshub *hub, void *arg) {
    struct chat *chat = (struct chat *)arg;
    char buf[ROOMS_BYTES];
    wshub_msg msg = {.event = wshub_str_z("rooms"), .data_is_json = true};
    wshub_json_writer w;
    size_t i;
    chat->telling = false;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_array(&w, NULL);
    for (i = 0; i < ROOMS_MAX; i++) {
        const struct room *room = &chat->rooms[i];
        if (!room->full[0]) continue;
        wshub_json_put_object(&w, NULL);
        wshub_json_put_str(&w, "room", name_of(room));
        wshub_json_put_uint(&w, "people", wshub_room_count(hub, full_name(room)));
        wshub_json_put_end(&w);
    }
    wshub_json_put_end(&w);
    if (!wshub_json_done(&w, &msg.data)) (void)wshub_all_send_here(hub, &msg, NULL, 0);
}
static void rooms_changed(struct chat *chat, wshub *hub) {
    if (!chat->telling && !wshub_timer_start(hub, 200, tell_rooms, chat, NULL))
        chat->telling = true;
}

static struct room *make_room(struct chat *chat, wshub *hub, const char *full) {
    struct room *room = place_for_room(chat, hub);
    if (!room) return NULL;
    free_room(room);
    (void)snprintf(room->full, sizeof room->full, "%s", full);
    /* If there was such a room before, its lines are gone: who has some is told of a gap. */
    room->last = room->forgotten = chat->numbers;
    rooms_changed(chat, hub);
    return room;
}

/* The hub tells of all who come and go, whatever has ended them: this says it on. */
static void tell_presence(wshub *hub, const wshub_presence *p, const char *event, void *user) {
    struct chat *chat = (struct chat *)user;
    const struct room *room = find_room(chat, p->room);
    if (!room) return;
    rooms_changed(chat, hub);
    (void)tell_who(hub, room, p->client_id, p->user_id, event, false);
}
static void on_joined(wshub *hub, const wshub_presence *p, void *user) {
    tell_presence(hub, p, "came", user);
}
static void on_left(wshub *hub, const wshub_presence *p, void *user) {
    tell_presence(hub, p, "went", user);
}

/* ---- what pages say ---- */

static void put_people(wshub_json_writer *w, wshub *hub, wshub_str full) {
    wshub_iter it = {0};
    wshub_client c;
    int count = 0;
    wshub_json_put_array(w, "people");
    while (count++ < PEOPLE_MAX && wshub_room_each_member(hub, full, &it, &c)) {
        wshub_json_put_object(w, NULL);
        wshub_json_put_str(w, "id", wshub_client_id(hub, c));
        wshub_json_put_str(w, "name", wshub_client_user_id(hub, c));
        wshub_json_put_end(w);
    }
    wshub_json_put_end(w);
}
static void put_lines(wshub_json_writer *w, const struct room *room, uint64_t after) {
    size_t i;
    wshub_json_put_array(w, "lines");
    for (i = 0; i < HISTORY; i++) { /* from the oldest on */
        const struct line *line = &room->lines[(room->next + i) % HISTORY];
        if (line->json && line->n > after) wshub_json_put_raw(w, NULL, wshub_str_z(line->json));
    }
    wshub_json_put_end(w);
}

/* Says who is in a room, and what was said there since the page was here. It is in the room by now,
 * so that what is said from here on comes behind this, and nothing falls between the two. */
static wshub_err tell_entered(struct chat *chat, wshub *hub, wshub_client client,
                              const wshub_event *e, const struct room *room) {
    uint64_t after = 0;
    char server[64] = ""; /* whose number `after` is; empty: it is here for the first time */
    bool ours;
    wshub_msg msg = {.event = wshub_str_z("entered"), .data_is_json = true};
    wshub_json_writer w;

    /* Numbers of another server, or of this one before it was started anew, say nothing here. */
    (void)wshub_json_copy(wshub_json_get(e->data, "server"), server, sizeof server, NULL);
    ours = wshub_str_eq_z(wshub_server_id(hub), server);
    if (ours) (void)wshub_json_uint(wshub_json_get(e->data, "after"), &after);

    wshub_json_begin(&w, chat->answer, sizeof chat->answer);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "room", name_of(room));
    wshub_json_put_str(&w, "server", wshub_server_id(hub));
    wshub_json_put_bool(&w, "shared", chat->shared);
    wshub_json_put_int(&w, "text_max", TEXT_UNITS_MAX);
    wshub_json_put_bool(&w, "gap", server[0] && (!ours || after < room->forgotten));
    put_people(&w, hub, full_name(room));
    put_lines(&w, room, after);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_client_reply(hub, client, e->id, &msg);
}

/* Tells all servers, this one included, of a line: on_chat() gets it. Without id and text it tells
 * of the room alone. */
static wshub_err publish(wshub *hub, wshub_client client, const struct room *room, const char *id,
                         const char *text) {
    char buf[LINE_BYTES - 64]; /* on_chat() adds a number */
    wshub_json_writer w;
    wshub_str line;
    wshub_err err;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "room", name_of(room));
    wshub_json_put_text(&w, "id", id);
    wshub_json_put_str(&w, "name", wshub_client_user_id(hub, client));
    wshub_json_put_text(&w, "text", text);
    wshub_json_put_uint(&w, "at", wshub_wall_ms(hub));
    wshub_json_put_end(&w);
    err = wshub_json_done(&w, &line);
    return err ? err : wshub_app_publish(hub, wshub_str_z("chat"), line);
}

/* Enters a room, which is made if there is none of that name. */
static wshub_err enter(struct chat *chat, wshub *hub, wshub_client client, const wshub_event *e) {
    char full[ROOM_BYTES];
    const char *wrong = read_room(wshub_json_get(e->data, "room"), full);
    struct room *room;
    if (wrong) return answer(hub, client, e, wrong);

    room = find_room(chat, wshub_str_z(full));
    if (!room) {
        room = make_room(chat, hub, full);
        if (!room) return answer(hub, client, e, "there are too many rooms");
        (void)publish(hub, client, room, NULL, NULL);
    }

    if (wshub_client_join(hub, client, full_name(room)))
        return answer(hub, client, e, "you are in too many rooms");
    rooms_changed(chat, hub); /* or this one at least has yet to hear of them */
    return tell_entered(chat, hub, client, e, room);
}

/* The room that a message is about, if its client is in there; else NULL. */
static struct room *room_of(struct chat *chat, wshub *hub, wshub_client client,
                            const wshub_event *e) {
    char full[ROOM_BYTES];
    struct room *room = NULL;
    if (!read_room(wshub_json_get(e->data, "room"), full))
        room = find_room(chat, wshub_str_z(full));
    return room && wshub_client_in_room(hub, client, full_name(room)) ? room : NULL;
}

static wshub_err leave(struct chat *chat, wshub *hub, wshub_client client, const wshub_event *e) {
    struct room *room = room_of(chat, hub, client, e);
    if (room) (void)wshub_client_leave(hub, client, full_name(room)); /* else it is out already */
    return answer(hub, client, e, NULL);
}

static wshub_err say(struct chat *chat, wshub *hub, wshub_client client, const wshub_event *e) {
    struct room *room = room_of(chat, hub, client, e);
    char id[ID_BYTES], text[TEXT_BYTES];
    const char *wrong = read_text(wshub_json_get(e->data, "id"), ID_BYTES - 1, id, sizeof id);
    if (!wrong)
        wrong = read_text(wshub_json_get(e->data, "text"), TEXT_UNITS_MAX, text, TEXT_BYTES);
    if (!room) wrong = "you are not in that room";

    /* One that was here is said again because our answer was lost: here it is. */
    if (!wrong && !id_was_here(chat, id) && publish(hub, client, room, id, text))
        wrong = "the server could not take it";
    return answer(hub, client, e, wrong);
}

/* Nobody keeps this: who sees it lets it fade after some seconds. */
static wshub_err typing(struct chat *chat, wshub *hub, wshub_client client, const wshub_event *e) {
    struct room *room = room_of(chat, hub, client, e);
    if (!room) return WSHUB_OK;
    return tell_who(hub, room, wshub_client_id(hub, client), wshub_client_user_id(hub, client),
                    "typing", true);
}

static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    static const struct {
        const char *event;
        wshub_err (*obey)(struct chat *, wshub *, wshub_client, const wshub_event *);
    } orders[] = {{"enter", enter}, {"exit", leave}, {"say", say}, {"typing", typing}};
    size_t i;
    for (i = 0; i < sizeof orders / sizeof *orders; i++)
        if (wshub_str_eq_z(e->event, orders[i].event))
            return orders[i].obey((struct chat *)user, hub, client, e);
    return answer(hub, client, e, "nobody knows what that means");
}

/* ---- what servers say to each other ---- */

/* Gives a line its number on this server, keeps it, and tells it to those who are in its room. */
static wshub_err take_line(struct chat *chat, wshub *hub, struct room *room, const char *id,
                           wshub_str line) {
    char buf[LINE_BYTES], *json;
    wshub_msg msg = {.event = wshub_str_z("said"), .data_is_json = true};
    wshub_json_writer w;
    wshub_err err;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_uint(&w, "n", chat->numbers + 1);
    wshub_json_put_raw(&w, "line", line);
    wshub_json_put_end(&w);
    err = wshub_json_done(&w, &msg.data);
    if (err) return err;

    json = (char *)malloc(msg.data.len + 1);
    if (!json) return WSHUB_ERR_NOMEM;
    memcpy(json, msg.data.ptr, msg.data.len);
    json[msg.data.len] = 0;
    keep_line(room, ++chat->numbers, json);
    remember_id(chat, id);
    return wshub_room_send_here(hub, full_name(room), &msg, NULL, 0);
}

/* Hears of a line, or of a room that was made, from whichever server, this one included. What comes
 * over the bus has been written by whoever may write there, so it is looked at like anything else
 * from outside. */
static void on_chat(wshub *hub, const wshub_app_message *message, void *user) {
    struct chat *chat = (struct chat *)user;
    char full[ROOM_BYTES], id[ID_BYTES];
    struct room *room;
    if (read_room(wshub_json_get(message->bytes, "room"), full)) return;

    room = find_room(chat, wshub_str_z(full));
    if (!room) room = make_room(chat, hub, full);
    if (!room) return; /* there are too many: nobody here is in it */

    if (read_text(wshub_json_get(message->bytes, "id"), ID_BYTES - 1, id, sizeof id)) return;
    if (id_was_here(chat, id)) return; /* said to two servers, as one did not answer in time */
    (void)take_line(chat, hub, room, id, message->bytes);
}

/* What other servers said while the bus was down is lost: those who read here should know. */
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

/* ---- who comes and goes ---- */

/* Whoever says a name is that user. A real program would look at a token, now or later. */
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    char name[NAME_BYTES];
    const char *wrong = read_name(wshub_json_get(auth->data, "name"), name);
    wshub_identity who = {.user_id = wshub_str_z(name)};
    (void)user;
    if (wrong)
        (void)wshub_ask_reject(hub, ask);
    else if (wshub_auth_accept(hub, ask, &who))
        (void)wshub_ask_fail(hub, ask);
}

/* ---- the program ---- */

struct options {
    const char *page, *redis, *cert, *key;
    unsigned long port;
};
static bool read_options(int argc, char **argv, struct options *o) {
    int i;
    for (i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--page") == 0)
            o->page = argv[++i];
        else if (more && strcmp(argv[i], "--redis") == 0)
            o->redis = argv[++i];
        else if (more && strcmp(argv[i], "--cert") == 0)
            o->cert = argv[++i];
        else if (more && strcmp(argv[i], "--key") == 0)
            o->key = argv[++i];
        else
            o->port = strtoul(argv[i], NULL, 10);
    }
    return o->port > 0 && o->port <= 65535 && !o->cert == !o->key;
}

/* The page. Should a text ever get into it as HTML, no browser would run it. */
static int open_page(const char *folder, wshub_ext_files **out_page) {
    static const wshub_header headers[] = {
        {{"Content-Security-Policy", 23}, {"default-src 'self'", 18}},
        {{"Cache-Control", 13}, {"no-cache", 8}}}; /* asked for each time, sent if it is new */
    wshub_ext_files_desc desc = {.folder = folder, .headers = headers, .headers_count = 2};
    if (!wshub_ext_files_create(&desc, out_page)) return 0;
    (void)fprintf(stderr, "chat: no page in %s: %s (--page says where it is)\n", folder,
                  strerror(errno));
    return 1;
}

static int open_redis(const char *url, wshub_io_sock *net, wshub_bus_redis **out_redis) {
    wshub_bus_redis_desc desc = {.io = wshub_io_sock_io(net), .url = url};
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_err err = wshub_bus_redis_create(&desc, out_redis);
    if (!err) return 0;
    (void)wshub_bus_redis_desc_explain(&desc, err, why, sizeof why);
    (void)fprintf(stderr, "chat: %s\n", why);
    return 1;
}

static wshub_err open_hub(struct chat *chat, const struct options *o, const wshub_io *io,
                          const wshub_bus *bus, wshub **out_hub) {
    char here[2][40]; /* no page but ours may open a WebSocket to us */
    const char *origins[] = {here[0], here[1]};
    wshub_desc desc = {.io = io,
                       .bus = bus,
                       .user = chat,
                       .no_default_rooms = true,
                       .allowed_origins = origins,
                       .allowed_origins_count = 2,
                       .close_on_backpressure = true,
                       .on_authenticate = on_authenticate,
                       .on_message = on_message,
                       .on_joined = on_joined,
                       .on_left = on_left,
                       .on_bus = on_bus};
    wshub_err err;
    (void)snprintf(here[0], sizeof here[0], "%s://127.0.0.1:%lu", chat_scheme(o->cert), o->port);
    (void)snprintf(here[1], sizeof here[1], "%s://localhost:%lu", chat_scheme(o->cert), o->port);
    err = wshub_create(&desc, out_hub);
    if (err) return err;
    chat->shared = bus != NULL;
    (void)make_room(chat, *out_hub, PREFIX "lobby");
    return wshub_app_subscribe(*out_hub, wshub_str_z("chat"), on_chat, chat);
}

/* Runs until a signal, then says goodbye to everybody: close 1001. */
static int serve(const struct options *o, wshub_io_sock *net, wshub *hub) {
    if (wshub_io_sock_listen(net, "127.0.0.1", (uint16_t)o->port, NULL)) {
        (void)fprintf(stderr, "chat: %s\n", wshub_io_sock_error(net));
        return 1;
    }
    (void)printf("chat on %s://127.0.0.1:%lu (ctrl-c ends it)\n", chat_scheme(o->cert), o->port);
    (void)fflush(stdout);
    return wshub_io_sock_serve(net, hub) != WSHUB_OK;
}

int main(int argc, char **argv) {
    static struct chat chat;
    struct options o = {.page = "examples/chat", .port = 8080};
    sigset_t stop;
    wshub_io_sock *net;
    const wshub_io *io;
    wshub_bus_redis *redis = NULL;
    wshub_ext_files *page;
    wshub *hub;
    size_t i;
    int status;
    if (!read_options(argc, argv, &o))
        return fprintf(stderr, "usage: chat [--page FOLDER] [--redis URL] [PORT]\n"), 2;
    sigemptyset(&stop); /* blocked, they come to the call that serves and disturb nothing else */
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);

    if (open_page(o.page, &page) || wshub_io_auto_create(NULL, &net)) return 1;
    if ((io = chat_io(o.cert, o.key, net)) == NULL) return 2;
    if (o.redis && open_redis(o.redis, net, &redis)) return 2;
    if (open_hub(&chat, &o, io, redis ? wshub_bus_redis_bus(redis) : NULL, &hub))
        return 1; /* the hub has said why, through the io */
    if (wshub_ext_files_mount(page, hub)) return 1;

    status = serve(&o, net, hub);
    wshub_destroy(hub);
    wshub_bus_redis_destroy(redis);
    chat_io_end();
    wshub_io_sock_destroy(net);
    wshub_ext_files_destroy(page);
    for (i = 0; i < ROOMS_MAX; i++) free_room(&chat.rooms[i]);
    return status;
}
