/* The chat that everybody has begun with who knows Socket.IO: a name, one room, who came and who
 * left, how many there are, who is typing. Its page lies in examples/socketio_chat and talks to this
 * program by the client script of Socket.IO, unmodified.
 *
 * Build and run: make run-socketio     Try: http://127.0.0.1:8080 in two windows
 *     build/socketio_chat [--client FILE] [--page FOLDER] [PORT]
 *
 * The script is not here: `npm install socket.io-client` puts it into node_modules, where it is
 * looked for. While it is not there the page says so.
 *
 * What a page says; an acknowledgement, where it asks for one, is what is wrong, or null:
 *
 *     "add user", name         hears: "login", {numUsers}
 *     "new message", text
 *     "typing", "stop typing"
 *
 * and what it hears of others: "user joined", "user left", {username, numUsers}; "new message",
 * {username, message}; "typing", "stop typing", {username}. The same as in the chat that comes with
 * Socket.IO for Node, so that a page that was written for that one finds its server here. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_dialect_socketio.h"
#include "wshub_ext_files.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* Lengths are in UTF-16 units, as pages count; such a unit has 3 bytes of UTF-8 at most, and 6 where
 * JSON escapes it. */
enum {
    NAME_UNITS_MAX = 24,
    TEXT_UNITS_MAX = 2000,
    TEXT_BYTES = TEXT_UNITS_MAX * 3 + 1,
    JSON_BYTES = (NAME_UNITS_MAX + TEXT_UNITS_MAX) * 6 + 200,
    SCRIPT_BYTES = 1 << 20
};

struct chat {
    wshub_sio *sio;
    wshub_sio_namespace everybody;
    const char *script; /* the file of the client script */
    uint32_t people;    /* who have a name */
};

/* The name of a socket, as JSON: its metadata. ptr NULL: it has not said it yet. */
static wshub_str name_of(const struct chat *chat, wshub_client client) {
    return wshub_client_metadata(wshub_sio_hub(chat->sio), client);
}

/* Is this a text of one unit at least, and so many at most? Returns what is wrong; NULL: nothing. */
static const char *text_problem(wshub_str json, size_t units_max) {
    char text[TEXT_BYTES];
    wshub_err err = wshub_json_copy(json, text, sizeof text, NULL);
    if (err == WSHUB_ERR_LIMIT) return "that is too long";
    if (err || !text[0]) return "there is no text in it";
    return wshub_utf8_units(wshub_str_z(text)) > units_max ? "that is too long" : NULL;
}

/* ---- telling ---- */

/* An event with one argument, or none: to one socket, and to all others. */
static void tell(struct chat *chat, wshub_client client, const char *event, wshub_str json) {
    wshub_packet packet = {.event = wshub_str_z(event), .args = &json, .args_count = 1};
    (void)wshub_sio_send(chat->sio, client, &packet);
}
static void tell_others(struct chat *chat, wshub_client client, const char *event, wshub_str json,
                        uint32_t flags) {
    wshub_str self = wshub_client_id(wshub_sio_hub(chat->sio), client);
    wshub_dest others = {.kind = WSHUB_DEST_ALL, .exclude = &self, .exclude_count = 1};
    wshub_packet packet = {
        .event = wshub_str_z(event), .args = &json, .args_count = 1, .flags = flags};
    (void)wshub_sio_emit(chat->sio, chat->everybody, &others, &packet);
}

/* {username, numUsers}, without the name in what one is told of oneself. */
static wshub_str put_people(char *buf, size_t cap, const struct chat *chat, wshub_str name) {
    wshub_json_writer w;
    wshub_str json;
    wshub_json_begin(&w, buf, cap);
    wshub_json_put_object(&w, NULL);
    if (name.ptr) wshub_json_put_raw(&w, "username", name);
    wshub_json_put_uint(&w, "numUsers", chat->people);
    wshub_json_put_end(&w);
    (void)wshub_json_done(&w, &json); /* a name fits */
    return json;
}
/* {username, message}, without the message where nothing is said. */
static wshub_str put_said(char *buf, size_t cap, wshub_str name, wshub_str message) {
    wshub_json_writer w;
    wshub_str json;
    wshub_json_begin(&w, buf, cap);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_raw(&w, "username", name);
    if (message.ptr) wshub_json_put_raw(&w, "message", message);
    wshub_json_put_end(&w);
    (void)wshub_json_done(&w, &json); /* both were measured */
    return json;
}

/* ---- what pages say ---- */

static const char *add_user(struct chat *chat, wshub_client client, wshub_str name) {
    wshub_str nobody = {NULL, 0};
    char buf[JSON_BYTES];
    const char *wrong = text_problem(name, NAME_UNITS_MAX);
    if (!wrong && name_of(chat, client).ptr) wrong = "you have a name";
    if (wrong) return wrong;
    if (wshub_client_set_metadata(wshub_sio_hub(chat->sio), client, name))
        return "the server could not take it";

    chat->people++;
    tell(chat, client, "login", put_people(buf, sizeof buf, chat, nobody));
    tell_others(chat, client, "user joined", put_people(buf, sizeof buf, chat, name), 0);
    return NULL;
}

static const char *new_message(struct chat *chat, wshub_client client, wshub_str text) {
    wshub_str name = name_of(chat, client);
    char buf[JSON_BYTES];
    const char *wrong = text_problem(text, TEXT_UNITS_MAX);
    if (!name.ptr) wrong = "say your name first";
    if (!wrong) tell_others(chat, client, "new message", put_said(buf, sizeof buf, name, text), 0);
    return wrong;
}

/* It is worth nothing a second later: whoever has something unread yet does not get it. */
static const char *tell_typing(struct chat *chat, wshub_client client, const char *event) {
    wshub_str name = name_of(chat, client), nothing = {NULL, 0};
    char buf[JSON_BYTES];
    if (name.ptr)
        tell_others(chat, client, event, put_said(buf, sizeof buf, name, nothing),
                    WSHUB_PACKET_VOLATILE);
    return NULL;
}
static const char *typing(struct chat *chat, wshub_client client, wshub_str nothing) {
    (void)nothing;
    return tell_typing(chat, client, "typing");
}
static const char *stop_typing(struct chat *chat, wshub_client client, wshub_str nothing) {
    (void)nothing;
    return tell_typing(chat, client, "stop typing");
}

/* What somebody says who asks for an acknowledgement is acknowledged; to others that is nothing. */
static void acknowledge(wshub_sio *sio, const wshub_sio_event *e, const char *wrong) {
    char buf[100];
    wshub_json_writer w;
    wshub_str json;
    wshub_packet packet = {.args = &json, .args_count = 1};
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_text(&w, NULL, wrong);
    if (!wshub_json_done(&w, &json)) (void)wshub_sio_answer(sio, e->ack, &packet);
}

static void on_event(wshub_sio *sio, wshub_client client, const wshub_sio_event *e, void *user) {
    static const struct {
        const char *event;
        const char *(*obey)(struct chat *, wshub_client, wshub_str);
    } orders[] = {{"add user", add_user},
                  {"new message", new_message},
                  {"typing", typing},
                  {"stop typing", stop_typing}};
    wshub_str first = {NULL, 0};
    size_t i;
    if (e->args_count) first = e->args[0];
    for (i = 0; i < sizeof orders / sizeof *orders; i++) {
        if (!wshub_str_eq_z(e->name, orders[i].event)) continue;
        acknowledge(sio, e, orders[i].obey((struct chat *)user, client, first));
        return;
    }
    acknowledge(sio, e, "nobody knows what that means");
}

/* Whatever has ended it: it is still somebody here, and the others are told. */
static void on_disconnecting(wshub_sio *sio, wshub_client client, const char *reason, void *user) {
    struct chat *chat = (struct chat *)user;
    wshub_str name = name_of(chat, client);
    char buf[JSON_BYTES];
    (void)sio, (void)reason;
    if (!name.ptr) return;
    chat->people--;
    tell_others(chat, client, "user left", put_people(buf, sizeof buf, chat, name), 0);
}

/* ---- the client script ---- */

/* Reads it each time, so that it may be installed, or replaced, while the server runs. */
static size_t read_script(const char *path, char *buf, size_t cap) {
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(buf, 1, cap, file) : 0;
    if (file) (void)fclose(file);
    return len < cap ? len : 0;
}

static bool on_file(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http, void *user) {
    static char script[SCRIPT_BYTES];
    const struct chat *chat = (const struct chat *)wshub_sio_user((wshub_sio *)user);
    wshub_header fresh = {wshub_str_z("Cache-Control"), wshub_str_z("no-cache")};
    wshub_reply reply = {.status = 200,
                         .content_type = "text/javascript; charset=utf-8",
                         .headers = &fresh,
                         .headers_count = 1};
    if (!wshub_str_eq_z(http->path, "/socket.io/socket.io.js")) return false;
    reply.body.ptr = script;
    reply.body.len = read_script(chat->script, script, sizeof script);
    if (!reply.body.len) reply.status = 404;
    (void)wshub_http_reply(wshub_eio_hub(eio), exchange, &reply);
    return true;
}

/* ---- the program ---- */

struct options {
    const char *page, *script;
    unsigned long port;
};
static bool read_options(int argc, char **argv, struct options *o) {
    int i;
    for (i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--page") == 0)
            o->page = argv[++i];
        else if (more && strcmp(argv[i], "--client") == 0)
            o->script = argv[++i];
        else
            o->port = strtoul(argv[i], NULL, 10);
    }
    return o->port > 0 && o->port <= 65535;
}

/* Should a text ever get into the page as HTML, no browser would run it. */
static int open_page(const char *folder, wshub_ext_files **out_page) {
    static const wshub_header headers[] = {
        {{"Content-Security-Policy", 23}, {"default-src 'self'", 18}},
        {{"Cache-Control", 13}, {"no-cache", 8}}};
    wshub_ext_files_desc desc = {.folder = folder, .headers = headers, .headers_count = 2};
    if (!wshub_ext_files_create(&desc, out_page)) return 0;
    (void)fprintf(stderr, "socketio_chat: no page in %s: %s (--page says where it is)\n", folder,
                  strerror(errno));
    return 1;
}

/* A hub without clients of its own, whose WebSockets and polls pages of ours alone may open. */
static wshub_err open_hub(const wshub_io *io, unsigned long port, wshub **out_hub) {
    char here[2][40];
    const char *origins[] = {here[0], here[1]};
    wshub_desc desc = {
        .io = io, .no_dialect = true, .allowed_origins = origins, .allowed_origins_count = 2};
    (void)snprintf(here[0], sizeof here[0], "http://127.0.0.1:%lu", port);
    (void)snprintf(here[1], sizeof here[1], "http://localhost:%lu", port);
    return wshub_create(&desc, out_hub);
}

static wshub_err open_chat(struct chat *chat, wshub *hub) {
    wshub_sio_desc server = {.engine = {.on_file = on_file}, .user = chat};
    wshub_sio_namespace_desc everybody = {
        .on_event = on_event, .on_disconnecting = on_disconnecting, .user = chat};
    wshub_err err = wshub_sio_create(hub, &server, &chat->sio);
    return err ? err : wshub_sio_namespace_add(chat->sio, &everybody, &chat->everybody);
}

/* Runs until a signal. */
static int serve(const struct options *o, wshub_io_sock *net, wshub *hub) {
    FILE *script = fopen(o->script, "rb");
    if (wshub_io_sock_listen(net, "127.0.0.1", (uint16_t)o->port, NULL))
        return (void)fprintf(stderr, "socketio_chat: %s\n", wshub_io_sock_error(net)), 1;
    if (script)
        (void)fclose(script);
    else
        (void)printf("no client script in %s: npm install socket.io-client, or --client FILE\n",
                     o->script);
    (void)printf("socketio_chat on http://127.0.0.1:%lu (ctrl-c ends it)\n", o->port);
    (void)fflush(stdout);
    return wshub_io_sock_serve(net, hub) != WSHUB_OK;
}

int main(int argc, char **argv) {
    static struct chat chat;
    struct options o = {.page = "examples/socketio_chat",
                        .script = "node_modules/socket.io-client/dist/socket.io.min.js",
                        .port = 8080};
    sigset_t stop;
    wshub_io_sock *net;
    wshub_ext_files *page;
    wshub *hub;
    int status;
    if (!read_options(argc, argv, &o)) {
        (void)fprintf(stderr, "usage: socketio_chat [--client FILE] [--page FOLDER] [PORT]\n");
        return 2;
    }
    chat.script = o.script;
    sigemptyset(&stop); /* blocked, they come to the call that serves and disturb nothing else */
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);

    if (open_page(o.page, &page) || wshub_io_auto_create(NULL, &net)) return 1;
    if (open_hub(wshub_io_sock_io(net), o.port, &hub)) return 1; /* it has said why, by the io */
    if (wshub_ext_files_mount(page, hub) || open_chat(&chat, hub)) return 1;

    status = serve(&o, net, hub);
    wshub_destroy(hub);
    wshub_sio_destroy(chat.sio);
    wshub_io_sock_destroy(net);
    wshub_ext_files_destroy(page);
    return status;
}
