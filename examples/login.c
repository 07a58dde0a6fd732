/* Who somebody is, known at the upgrade: a form posts name and password, its answer sets a cookie,
 * and the page's WebSocket comes with that cookie, so that the client is accepted before it has said
 * a word. Programs come with a token instead, in a header or, if need be, in the query. Whoever
 * logs out loses the windows that are open, too.
 *
 * Build: cc login.c -I.. -I../backends -o login (in examples/)
 * Try:   ./login 8080, then http://127.0.0.1:8080 as ada, whose password is lovelace;
 *        any WebSocket program on ws://127.0.0.1:8080/ws?token=let-me-in, or with the header
 *        `Authorization: Bearer let-me-in` */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>
#include <stdlib.h>

enum { SESSIONS = 100, NAME = 32, ID = 33 /* 128 random bits as text, with its end */ };

/* ---- who is who: yours are in a database, and of passwords there only hashes ---- */

static const char *const users[][2] = {{"ada", "lovelace"}, {"grace", "hopper"}};
static const char *const tokens[][2] = {{"let-me-in", "robot"}};
static struct session { char id[ID], name[NAME]; } sessions[SESSIONS];
static unsigned newest;

static bool password_fits(const char *name, const char *password) {
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (!strcmp(users[i][0], name)) return !strcmp(users[i][1], password);
    return false;
}

/* The session of a request's cookie; NULL: it has none, or an old one. */
static struct session *session_of(const wshub_http *http) {
    wshub_str id = wshub_http_cookie(http, "session");
    for (size_t i = 0; id.len && i < SESSIONS; i++)
        if (wshub_str_eq_z(id, sessions[i].id)) return &sessions[i];
    return NULL;
}

/* Whoever logs in when all are taken ends the oldest one. */
static const struct session *session_open(wshub *hub, const char *name) {
    struct session *s = &sessions[newest++ % SESSIONS];
    uint8_t random[(ID - 1) / 2];
    wshub_random_bytes(hub, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(s->id + 2 * i, 3, "%02x", (unsigned)random[i]);
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    return s;
}

/* By its cookie, or by a token: `Authorization: Bearer ...`, a subprotocol of a page that cannot set
 * headers, or ?token=..., which is the last resort, as proxies write queries into their logs.
 * NULL: nobody. */
static const char *who_asks(const wshub_http *http) {
    const struct session *s = session_of(http);
    char token[100];
    if (s) return s->name;
    if (wshub_http_bearer(http, token, sizeof token, NULL) &&
        wshub_query_copy(http->query, "token", token, sizeof token, NULL))
        return NULL;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (!strcmp(tokens[i][0], token)) return tokens[i][1];
    return NULL;
}

/* ---- the WebSocket: asked about before it is there ---- */

static void on_upgrade(wshub *hub, const wshub_http *http, wshub_upgrade *upgrade, void *user) {
    const char *name = who_asks(http);
    wshub_identity who = {.user_id = wshub_str_z(name)};
    wshub_upgrade_answer answer = {.identity = &who};
    (void)user;
    if (name) /* if that fails the hub answers: 503 when it is full */
        (void)wshub_http_upgrade(hub, upgrade->exchange, &answer, NULL);
    else
        (void)wshub_http_refuse(hub, upgrade->exchange, 401, "log in first");
}

static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    (void)user;
    return wshub_client_join(hub, client, wshub_str_z("lobby"));
}

/* What somebody says, the lobby hears, with the name that we know and not one that is said. */
static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *event, void *user) {
    char text[2000];
    wshub_json_writer w;
    wshub_msg msg = {.event = wshub_str_z("said")};
    (void)user;
    wshub_json_begin(&w, text, sizeof text);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "name", wshub_client_user_id(hub, client));
    wshub_json_put_raw(&w, "text", event->data);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT; /* who says too much is not heard */
    return wshub_room_send(hub, wshub_str_z("lobby"), &msg, NULL, 0);
}

/* ---- the pages ---- */

static const char head[] =
    "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>login</title><style>body{font:16px sans-serif;max-width:30em;margin:1em auto;padding:0 "
    "1em}"
    "input,button{font:inherit;margin:.2em 0}p{color:#a00}</style>";
static const char form[] =
    "<h1>Who are you?</h1><form method=post action=/login>"
    "<input name=name placeholder=name autofocus><br>"
    "<input name=password type=password placeholder=password><br><button>Log in</button></form>";
static const char lobby[] =
    "<h1>Hello <span id=me></span></h1><form method=post action=/logout><button>Log out</button>"
    "</form><form id=say><input id=text autofocus> <button>Say it</button></form><pre id=log></pre>"
    "<script>\n"
    "const ws = new WebSocket(`ws${location.protocol.slice(4)}//${location.host}/ws`);\n"
    "ws.onmessage = message => {\n"
    "  const { event, data } = JSON.parse(message.data);\n"
    "  if (event === 'connected') me.textContent = data.userId;\n"
    "  if (event === 'said') log.append(`${data.name}: ${data.text}\\n`);\n"
    "};\n"
    "ws.onclose = () => location.reload(); // logged out elsewhere: back to the form\n"
    "setInterval(() => { if (ws.readyState === 1) ws.send('{\"event\":\"heartbeat\"}'); }, "
    "30000);\n"
    "say.onsubmit = event => {\n"
    "  event.preventDefault();\n"
    "  if (ws.readyState !== 1) return; // not there yet: the text is kept\n"
    "  ws.send(JSON.stringify({ event: 'say', data: text.value }));\n"
    "  text.value = '';\n"
    "};\n"
    "</script>";

static void reply_page(wshub *hub, wshub_exchange exchange, int status, const char *note,
                       const char *body) {
    char page[4096];
    int n = snprintf(page, sizeof page, "%s<p>%s</p>%s", head, note, body);
    wshub_header fresh = {wshub_str_z("Cache-Control"), wshub_str_z("no-store")};
    wshub_reply reply = {.status = status,
                         .content_type = "text/html",
                         .headers = &fresh,
                         .headers_count = 1,
                         .body = {page, (size_t)n}};
    (void)wshub_http_reply(hub, exchange, &reply);
}

/* Sends a browser to the page with another cookie. HttpOnly: no script reads it. SameSite: pages of
 * others cannot use it. Behind TLS add `; Secure`. */
static void reply_cookie(wshub *hub, wshub_exchange exchange, const char *id) {
    char cookie[120];
    wshub_header headers[] = {{wshub_str_z("Location"), wshub_str_z("/")},
                              {wshub_str_z("Set-Cookie"), {cookie, 0}}};
    wshub_reply reply = {.status = 303, .headers = headers, .headers_count = 2};
    headers[1].value.len = (size_t)snprintf(cookie, sizeof cookie,
                                            "session=%s; HttpOnly; SameSite=Strict; Path=/; "
                                            "Max-Age=%d",
                                            id, *id ? 86400 : 0);
    (void)wshub_http_reply(hub, exchange, &reply);
}

static void log_in(wshub *hub, wshub_exchange exchange, const wshub_http *http) {
    char name[NAME], password[100];
    if (wshub_query_copy(http->body, "name", name, sizeof name, NULL) ||
        wshub_query_copy(http->body, "password", password, sizeof password, NULL) ||
        !password_fits(name, password))
        reply_page(hub, exchange, 401, "No such name, or another password.", form);
    else
        reply_cookie(hub, exchange, session_open(hub, name)->id);
}

/* The cookie goes, and so does every WebSocket that came with that name. */
static void log_out(wshub *hub, wshub_exchange exchange, const wshub_http *http) {
    struct session *s = session_of(http);
    wshub_iter iter = {0};
    wshub_client client;
    while (s && wshub_user_each_client(hub, wshub_str_z(s->name), &iter, &client))
        (void)wshub_client_close(hub, client, 4000, wshub_str_z("logged out"));
    if (s) *s = (struct session){"", ""};
    reply_cookie(hub, exchange, "");
}

static bool on_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    bool post = wshub_str_eq_z(http->method, "POST");
    (void)user;
    if (post && wshub_str_eq_z(http->path, "/login"))
        log_in(hub, exchange, http);
    else if (post && wshub_str_eq_z(http->path, "/logout"))
        log_out(hub, exchange, http);
    else if (!post && wshub_str_eq_z(http->path, "/"))
        reply_page(hub, exchange, 200, "", session_of(http) ? lobby : form);
    else
        return false; /* 404 */
    return true;
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080);
    char here[40], local[40];
    const char *origins[] = {here,
                             local}; /* of our pages alone: any page's browser has the cookie */
    wshub_desc desc = {.on_upgrade = on_upgrade,
                       .on_connected = on_connected,
                       .on_message = on_message,
                       .on_request = on_request,
                       .allowed_origins = origins,
                       .allowed_origins_count = 2};
    wshub_io_sock *net;
    wshub *hub;
    (void)snprintf(here, sizeof here, "http://127.0.0.1:%u", (unsigned)port);
    (void)snprintf(local, sizeof local, "http://localhost:%u", (unsigned)port);
    if (wshub_io_auto_create(NULL, &net)) return perror("sockets"), 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_create(&desc, &hub)) return 1; /* the io has shown why */
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        return fprintf(stderr, "%s\n", wshub_io_sock_error(net)), 1;
    printf("%s\n", here);
    fflush(stdout);
    (void)wshub_io_sock_serve(net, hub); /* until SIGTERM or SIGINT */
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    return 0;
}
