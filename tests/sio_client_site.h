/* A client of Socket.IO in memory, whose server a test plays by hand in short scripts. */
#ifndef SIO_CLIENT_SITE_H
#define SIO_CLIENT_SITE_H
#include "client_site.h"

static site s;
static wshub_sio_client *client;
static wshub_sio_socket *sock,
    *sibling;                  /* sibling: of "connect sibling" and "disconnect sibling" */
static wshub_conn line;        /* the client's stream */
static const char *acts;       /* "word what": done inside that callback, once */
static wshub_sio_ack last_ack; /* of the event that was told last */
static uint32_t last_delay;
static wshub_sio_client_desc desc;
static wshub_sio_socket_desc space;
/* Copies of the two with all that they point to, if lend() was called: given back as soon as what
 * borrows them is destroyed, also inside its callbacks. */
static struct lent_desc {
    wshub_sio_client_desc desc;
    wshub_sio_client_events events;
    char url[40], path[20], query[20];
} * lent_desc;
static struct lent_space {
    wshub_sio_socket_desc space;
    wshub_sio_socket_events events;
    char name[20], auth[40], asked[40]; /* asked: what a callback may answer */
} * lent_space;
#define OPEN_PACKET                                                                                \
    "0{\"sid\":\"E\",\"upgrades\":[],\"pingInterval\":300,\"pingTimeout\":200,\"maxPayload\":"     \
    "1000}"

static wshub_err emit_as(wshub_sio_socket *to, const char *event, const char *json,
                         uint32_t flags) {
    wshub_packet packet;
    wshub_str arg = wshub_str_z(json);
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z(event);
    packet.args = &arg;
    packet.args_count = json ? 1 : 0;
    packet.flags = flags;
    return wshub_sio_socket_emit(to, &packet);
}
UNUSED static wshub_err emit(const char *event, const char *json) {
    return emit_as(sock, event, json, 0);
}

static void give_back(bool of_client) {
    if (lent_space) memset(lent_space, 0xDD, sizeof *lent_space);
    free(lent_space);
    lent_space = NULL;
    if (!of_client) return;
    if (lent_desc) memset(lent_desc, 0xDD, sizeof *lent_desc);
    free(lent_desc);
    lent_desc = NULL;
}

static void act(const char *word) {
    size_t n = strlen(word);
    const char *what = acts ? acts + n + 1 : "";
    wshub_sio_client *c = client;
    if (!acts || strncmp(acts, word, n) != 0 || acts[n] != ' ') return;
    acts = NULL;
    if (strcmp(what, "destroy") == 0) {
        client = NULL;
        wshub_sio_client_destroy(c);
        give_back(true);
    } else if (strcmp(what, "end") == 0) {
        wshub_sio_socket_destroy(sock);
        sock = NULL;
        give_back(false);
    } else if (strcmp(what, "connect") == 0) {
        EXPECT_INT(wshub_sio_socket_connect(sock), WSHUB_OK);
    } else if (strcmp(what, "disconnect") == 0) {
        EXPECT_INT(wshub_sio_socket_disconnect(sock), WSHUB_OK);
    } else if (strcmp(what, "connect sibling") == 0) {
        EXPECT_INT(wshub_sio_socket_connect(sibling), WSHUB_OK);
    } else if (strcmp(what, "disconnect sibling") == 0) {
        EXPECT_INT(wshub_sio_socket_disconnect(sibling), WSHUB_OK);
    } else if (strcmp(what, "shutdown") == 0) {
        EXPECT_INT(wshub_sio_socket_shutdown(sock), WSHUB_OK);
    } else if (strcmp(what, "drop") == 0) {
        (void)wshub_sio_client_drop(client);
    } else if (strcmp(what, "emit") == 0) {
        EXPECT_INT(emit("late", "0"), WSHUB_OK);
    }
}
/* Tells a line, with the namespace in front if it is not the first, and acts. */
static void say_line(const wshub_sio_socket *of, const char *word, const char *text) {
    char name[300] = "";
    wshub_str n = of ? wshub_sio_socket_name(of) : wshub_str_z("/");
    if (n.len > 1) (void)snprintf(name, sizeof name, "%.*s ", (int)n.len, n.ptr);
    (void)snprintf(name + strlen(name), sizeof name - strlen(name), "%s", word);
    site_tell(&s, name, text, strlen(text));
    act(word);
}
/* Arguments, bytes as hex. */
static void put_args(char *to, size_t cap, const wshub_str *args, size_t count,
                     const wshub_span *attachments, size_t attachments_count) {
    size_t i, j, n = strlen(to);
    wshub_span bytes;
    for (i = 0; i < count; i++) {
        if (wshub_sio_bytes(attachments, attachments_count, args[i], &bytes)) {
            n += (size_t)snprintf(to + n, cap - n, " <");
            for (j = 0; j < bytes.len; j++)
                n += (size_t)snprintf(to + n, cap - n, "%02x", bytes.ptr[j]);
            n += (size_t)snprintf(to + n, cap - n, ">");
        } else {
            n += (size_t)snprintf(to + n, cap - n, " %.*s", (int)args[i].len, args[i].ptr);
        }
    }
}

static void on_connected(wshub_sio_socket *of, wshub_str id, bool recovered, void *user) {
    char text[100];
    EXPECT(user == &s);
    EXPECT_INT(wshub_sio_socket_state_of(of), WSHUB_SIO_SOCKET_CONNECTED);
    (void)snprintf(text, sizeof text, "%.*s%s", (int)id.len, id.ptr, recovered ? " again" : "");
    say_line(of, "connected", text);
}
/* What is told is the same when the callback has done what it does. */
static void put_error(char text[300], const wshub_sio_connect_error *error) {
    (void)snprintf(text, 300, "%.*s%s%.*s%s%s", (int)error->message.len, error->message.ptr,
                   error->data.ptr ? " " : "", (int)error->data.len,
                   error->data.ptr ? error->data.ptr : "", error->again ? " again" : "",
                   error->refused ? " refused" : "");
}
static void on_connect_error(wshub_sio_socket *of, const wshub_sio_connect_error *error,
                             void *user) {
    char text[300], still[300];
    (void)user;
    put_error(text, error);
    say_line(of, "connect_error", text);
    put_error(still, error);
    EXPECT_STR(still, text);
    if (error->gone) EXPECT(error->gone->text && strlen(error->gone->text) < 300);
}
static void on_disconnected(wshub_sio_socket *of, const char *reason, bool again, void *user) {
    char text[100];
    (void)user;
    EXPECT_INT(wshub_sio_socket_id(of).len, 0);
    (void)snprintf(text, sizeof text, "%s%s", reason, again ? " again" : "");
    say_line(of, "disconnected", text);
}
static void put_event(char text[1000], const wshub_sio_event *event) {
    (void)snprintf(text, 1000, "%.*s", (int)event->name.len, event->name.ptr);
    put_args(text, 1000, event->args, event->args_count, event->attachments,
             event->attachments_count);
    if (event->ack.id) (void)snprintf(text + strlen(text), 1000 - strlen(text), " ?");
}
static void on_event(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    char text[1000], still[1000];
    (void)user;
    put_event(text, event);
    last_ack = event->ack;
    say_line(of, "event", text);
    put_event(still, event);
    EXPECT_STR(still, text);
}
static void on_authenticated(wshub_sio_socket *of, wshub_str data, void *user) {
    char text[100];
    (void)user;
    (void)snprintf(text, sizeof text, "%.*s", (int)data.len, data.ptr ? data.ptr : "");
    say_line(of, "authenticated", text);
}
static void on_unauthenticated(wshub_sio_socket *of, wshub_str message, void *user) {
    char text[300];
    (void)user;
    (void)snprintf(text, sizeof text, "%.*s", (int)message.len, message.ptr);
    say_line(of, "unauthenticated", text);
}
static wshub_sio_socket_events events = {
    NULL,     on_connected,     on_connect_error,  on_disconnected,
    on_event, on_authenticated, on_unauthenticated};
static void on_reconnecting(wshub_sio_client *c, uint32_t attempt, uint32_t delay_ms, void *user) {
    char text[24];
    (void)c;
    EXPECT(user == &s);
    last_delay = delay_ms;
    (void)snprintf(text, sizeof text, "%u", attempt);
    say_line(NULL, "reconnecting", text);
}
static void on_gave_up(wshub_sio_client *c, uint32_t attempts, void *user) {
    char text[24];
    (void)c;
    (void)user;
    (void)snprintf(text, sizeof text, "%u", attempts);
    say_line(NULL, "gave_up", text);
}
static void on_closed(wshub_sio_client *c, void *user) {
    (void)user;
    EXPECT(!wshub_sio_client_is_leaving(c));
    say_line(NULL, "closed", "");
}
static const wshub_sio_client_events client_events = {on_reconnecting, on_gave_up, on_closed};

static void put_answer(char text[500], const wshub_sio_answers *answers) {
    (void)snprintf(text, 500, "%s", answers->error ? answers->error : "");
    put_args(text, 500, answers->args, answers->args_count, answers->attachments,
             answers->attachments_count);
}
UNUSED static void on_answer(wshub_sio_socket *of, const wshub_sio_answers *answers, void *user) {
    char text[500], still[500];
    (void)user;
    put_answer(text, answers);
    say_line(of, "answer", text);
    put_answer(still, answers);
    EXPECT_STR(still, text);
}
UNUSED static wshub_err ask(const char *event, const char *json, uint32_t timeout_ms) {
    wshub_packet packet;
    wshub_str arg = wshub_str_z(json);
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z(event);
    packet.args = &arg;
    packet.args_count = json ? 1 : 0;
    return wshub_sio_socket_ask(sock, &packet, timeout_ms, on_answer, NULL);
}

static size_t from_hex(const char *hex, size_t len, uint8_t *out) {
    size_t i;
    unsigned byte;
    for (i = 0; i + 1 < len; i += 2) {
        (void)sscanf(hex + i, "%2x", &byte);
        out[i / 2] = (uint8_t)byte;
    }
    return len / 2;
}
/* Plays the server: lines `< text` and `<< hex` are sent; `> text`, `>> hex` and `>|` (a Close) are
 * what the client must say next, and `.` that it says nothing. */
static void play(const char *script) {
    wshub_io_fake_frame f;
    uint8_t bytes[1000];
    char seen[2000];
    wshub_io_fake_run(s.fake);
    while (*script) {
        const char *end = strchr(script, '\n');
        size_t n = end ? (size_t)(end - script) : strlen(script);
        bool binary = n > 1 && script[1] == script[0];
        const char *text = script + (binary ? 3 : 2);
        size_t len = n > (binary ? 3u : 2u) ? n - (binary ? 3 : 2) : 0;
        if (script[0] == '<') {
            if (binary)
                site_frame(&s, line, 0x82, bytes, from_hex(text, len, bytes));
            else
                site_frame(&s, line, 0x81, text, len);
        } else if (!site_next(&s, line, &f)) {
            if (script[0] != '.') EXPECT_STR("(nothing)", script);
        } else {
            if (binary) {
                len = from_hex(text, len, bytes);
                text = (const char *)bytes;
            }
            (void)snprintf(seen, sizeof seen, "%.*s", (int)f.payload.len, f.payload.ptr);
            if (n == 2 && script[1] == '|') {
                EXPECT_INT(f.opcode, 8);
            } else if (script[0] == '.' || f.opcode != (binary ? 2 : 1) || f.payload.len != len ||
                       memcmp(f.payload.ptr, text, len) != 0) {
                EXPECT_STR(seen, script);
            }
        }
        script += n + (end != NULL);
    }
}
/* Answers the dial; the session is opened by the packet. NULL: not. */
static void serve(const char *open_packet) {
    wshub_io_fake_run(s.fake);
    line = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, line, true);
    site_accept(&s, line, "", "");
    if (open_packet) site_frame(&s, line, 0x81, open_packet, strlen(open_packet));
}
static void start(void) {
    EXPECT(site_start(&s, false, NULL));
    memset(&desc, 0, sizeof desc);
    memset(&space, 0, sizeof space);
    desc.ws.url = "http://server:3000";
    desc.events = &client_events;
    space.events = &events;
    events.auth = NULL;
    acts = NULL;
    client = NULL;
    sock = NULL;
    line.id = 0;
}
/* Has begin() use descriptions that are gone with what borrows them. */
UNUSED static void lend(void) {
    lent_desc = (struct lent_desc *)malloc(sizeof *lent_desc);
    lent_space = (struct lent_space *)malloc(sizeof *lent_space);
    if (!lent_desc || !lent_space) abort();
    lent_desc->desc = desc;
    lent_desc->events = *desc.events;
    lent_desc->desc.events = &lent_desc->events;
    (void)snprintf(lent_desc->url, sizeof lent_desc->url, "%s", desc.ws.url);
    lent_desc->desc.ws.url = lent_desc->url;
    lent_desc->desc.path = strcpy(lent_desc->path, "/socket.io");
    lent_desc->desc.query = strcpy(lent_desc->query, "a=b");
    lent_space->space = space;
    lent_space->events = *space.events;
    lent_space->space.events = &lent_space->events;
    lent_space->space.name = strcpy(lent_space->name, space.name ? space.name : "/");
    lent_space->space.auth = strcpy(lent_space->auth, "{\"token\":1}");
    (void)strcpy(lent_space->asked, "{}");
}
static void begin(void) {
    EXPECT_INT(wshub_sio_client_create(s.pool, lent_desc ? &lent_desc->desc : &desc, &s, &client),
               WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_create(client, lent_space ? &lent_space->space : &space, &s, &sock),
               WSHUB_OK);
}
/* A client that is connected to `/`. */
UNUSED static void connect_one(void) {
    start();
    begin();
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}");
    EXPECT_STR(site_told(&s), "connected A\n");
}
static void stop(void) {
    wshub_sio_client_destroy(client);
    client = NULL;
    give_back(true);
    site_stop(&s);
}
#endif
