/* The fixture server with Socket.IO (tests/fixture_sio.c): what is served where. Who comes in and goes,
 * middlewares, the engine's part, what the protocols' suites need, and the helper's flow. */
#ifndef FIXTURE_SIO_MOUNTS_H
#define FIXTURE_SIO_MOUNTS_H
#include "fixture_sio_table.h"

static bool on_redis; /* there are other servers */

/* ---- who comes and goes ---- */

static void on_connected(wshub_sio *sio, wshub_client c, void *user) {
    static char words[ROOM];
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, c));
    wshub_str id = wshub_client_id(wshub_sio_hub(sio), c);
    wshub_sio_handshake h;
    (void)user;
    if (!wshub_sio_handshake_of(sio, c, &h)) {
        (void)snprintf(words, sizeof words, ",\"%.*s\",\"%.*s\",%.*s,%s", (int)name.len, name.ptr,
                       (int)id.len, id.ptr, (int)h.auth.len, h.auth.ptr,
                       h.recovered ? "true" : "false");
        say_log("connection", words);
    }
    if (wshub_str_eq_z(name, "/abc")) {
        handshake_text(sio, c, words, sizeof words);
        (void)say_text(sio, c, "handshake", words);
    }
}
static void log_end(wshub_sio *sio, wshub_client c, const char *what, const char *reason,
                    bool with_rooms) {
    static char words[ROOM], rooms[ROOM / 2];
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, c));
    wshub_str id = wshub_client_id(wshub_sio_hub(sio), c);
    rooms[0] = 0;
    if (with_rooms) rooms_text(sio, c, rooms, sizeof rooms);
    (void)snprintf(words, sizeof words, ",\"%.*s\",\"%.*s\",\"%s\"%s%s", (int)name.len, name.ptr,
                   (int)id.len, id.ptr, reason, with_rooms ? "," : "", rooms);
    say_log(what, words);
}
static char going_name[300], going_id[40];
static void on_disconnecting(wshub_sio *sio, wshub_client c, const char *reason, void *user) {
    wshub_str id = wshub_client_id(wshub_sio_hub(sio), c);
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, c));
    (void)user;
    (void)snprintf(going_id, sizeof going_id, "%.*s", (int)id.len, id.ptr);
    (void)snprintf(going_name, sizeof going_name, "%.*s", (int)name.len, name.ptr);
    log_end(sio, c, "disconnecting", reason, true);
}
static void on_disconnected(wshub_sio *sio, wshub_client c, const char *reason, void *user) {
    char words[600];
    (void)sio, (void)c, (void)user;
    (void)snprintf(words, sizeof words, ",\"%s\",\"%s\",\"%s\"", going_name, going_id, reason);
    say_log("disconnect", words);
}
static void on_error(wshub_sio *sio, wshub_client c, const char *words, void *user) {
    log_end(sio, c, "error", words, false);
    (void)user;
}
static void on_session_closed(wshub_sio *sio, wshub_eio_reason reason, void *user) {
    char words[80];
    (void)sio, (void)user;
    (void)snprintf(words, sizeof words, ",\"%s\"", wshub_eio_reason_text(reason));
    say_log("close", words);
}
static void on_refused(wshub_eio *eio, wshub_eio_refusal code, const char *message, void *user) {
    char words[300];
    (void)eio, (void)user;
    (void)snprintf(words, sizeof words, ",%d,\"%.200s\"", (int)code, message);
    say_log("connection_error", words);
}

/* ---- middlewares ---- */

static wshub_str nothing(void) {
    wshub_str none = {NULL, 0};
    return none;
}
static void connect_root(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                         void *user) {
    char words[100];
    (void)user;
    if (h->http && !wshub_query_copy(h->http->query, "fail", words, sizeof words, NULL) && words[0])
        (void)wshub_sio_refuse(sio, ask, "Auth failed (main namespace)", nothing());
    else
        (void)wshub_sio_accept(sio, ask, NULL);
}
static bool truthy(wshub_str json) {
    bool yes;
    double number;
    if (!json.ptr) return false;
    if (wshub_json_bool(json, &yes)) return yes;
    if (wshub_json_type(json) == WSHUB_JSON_NULL) return false;
    if (wshub_json_type(json) == WSHUB_JSON_NUMBER)
        return !wshub_json_double(json, &number) && (number < 0 || number > 0);
    return json.len > 2 || wshub_json_type(json) != WSHUB_JSON_STRING;
}
static void connect_mw(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                       void *user) {
    (void)user;
    if (wshub_json_is(wshub_json_get(h->auth, "token"), "ok"))
        (void)wshub_sio_accept(sio, ask, NULL);
    else
        (void)wshub_sio_refuse(sio, ask, "not authorized",
                               truthy(wshub_json_get(h->auth, "data")) ? wshub_str_z("{\"code\":7}")
                                                                       : nothing());
}
typedef struct slow {
    struct slow *next;
    wshub_sio *sio;
    wshub_sio_ask_id ask;
} slow;
static slow *slows; /* that wait for their timer, which a hub that ends does not call */
static void slow_free(slow *s) {
    slow **link = &slows;
    while (*link != s) link = &(*link)->next;
    *link = s->next;
    free(s);
}
static void slow_accept(wshub *hub, void *arg) {
    slow *s = (slow *)arg;
    (void)hub;
    (void)wshub_sio_accept(s->sio, s->ask, NULL);
    slow_free(s);
}
static void connect_slow(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                         void *user) {
    slow *s = (slow *)malloc(sizeof *s);
    (void)h, (void)user;
    if (!s) exit(1);
    s->sio = sio;
    s->ask = ask;
    s->next = slows;
    slows = s;
    (void)wshub_timer_start(wshub_sio_hub(sio), 150, slow_accept, s, NULL);
}
static void connect_no(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                       void *user) {
    (void)h, (void)user;
    (void)wshub_sio_refuse(sio, ask, "Auth failed (custom namespace)", nothing());
}
static bool packet_pkt(wshub_sio *sio, wshub_client c, const wshub_sio_event *e, void *user) {
    (void)user;
    if (!wshub_str_eq_z(e->name, "bad")) return true;
    log_end(sio, c, "error", "blocked", false);
    return false;
}
static bool is_dyn(wshub_sio *sio, wshub_str name, void *user) {
    size_t i;
    (void)sio, (void)user;
    if (name.len < 6 || memcmp(name.ptr, "/dyn-", 5) != 0) return false;
    for (i = 5; i < name.len; i++)
        if (name.ptr[i] < '0' || name.ptr[i] > '9') return false;
    return true;
}

/* ---- the engine's part ---- */

typedef struct admit {
    wshub_eio *eio;
    wshub_exchange exchange;
} admit;
static void admit_due(wshub *hub, void *arg) {
    admit *a = (admit *)arg;
    (void)hub;
    (void)wshub_eio_admit(a->eio, a->exchange);
    free(a);
}
static bool allow_later(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                        void *user) {
    admit *a = (admit *)malloc(sizeof *a);
    (void)http, (void)user;
    if (!a) exit(1);
    a->eio = eio;
    a->exchange = exchange;
    (void)wshub_timer_start(wshub_eio_hub(eio), (uint64_t)opt.allow_delay, admit_due, a, NULL);
    return false;
}
static bool client_file(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                        void *user) {
    static char *words;
    static size_t len;
    wshub_reply reply;
    (void)user;
    if (http->path.len < 13 || memcmp(http->path.ptr + http->path.len - 13, "/socket.io.js", 13))
        return false;
    if (!words) {
        FILE *f = fopen(opt.client, "rb");
        if (!f) return false;
        words = (char *)malloc(4000000);
        len = words ? fread(words, 1, 4000000, f) : 0;
        (void)fclose(f);
    }
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    reply.content_type = "application/javascript; charset=utf-8";
    reply.body.ptr = words;
    reply.body.len = len;
    (void)wshub_http_reply(wshub_eio_hub(eio), exchange, &reply);
    return true;
}

static wshub_eio_cors cors;
static const char *origins[32];
static wshub_eio_desc engine_desc(const char *path) {
    wshub_eio_desc d;
    static char list[2000];
    char *at, *next;
    memset(&d, 0, sizeof d);
    d.path = path;
    d.ping_interval_ms = (uint32_t)opt.ping_interval;
    d.ping_timeout_ms = (uint32_t)opt.ping_timeout;
    d.upgrade_timeout_ms = (uint32_t)opt.upgrade_timeout;
    d.message_bytes_max = (uint32_t)opt.max_buffer;
    d.session_bytes_max = (uint32_t)opt.max_queue;
    d.no_upgrade = opt.no_upgrade;
    d.cookie = opt.cookie;
    d.on_refused = on_refused;
#ifdef FIXTURE_DEFLATE
    if (opt.http_compression) d.deflate = wshub_deflate_zlib();
#endif
    if (opt.transports) {
        d.no_polling = !strstr(opt.transports, "polling");
        d.no_websocket = !strstr(opt.transports, "websocket");
    }
    if (opt.allow_delay) d.allow = allow_later;
    if (opt.client) d.on_file = client_file;
    if (opt.cors) {
        cors.credentials = opt.credentials;
        cors.reflect = strcmp(opt.cors, "reflect") == 0;
        cors.origins = cors.reflect ? NULL : origins;
        cors.origins_count = 0;
        (void)snprintf(list, sizeof list, "%s", opt.cors);
        for (at = list; at && !cors.reflect; at = next) {
            next = strchr(at, ',');
            if (next) *next++ = 0;
            if (cors.origins_count < 32) origins[cors.origins_count++] = at;
        }
        d.cors = &cors;
    }
    return d;
}

static void eio_echo(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes, size_t count,
                     bool words, void *user) {
    (void)user;
    if (words && count == 6 && memcmp(bytes, "!close", 6) == 0) {
        (void)wshub_eio_close(eio, session);
    } else if (words && count == 11 && memcmp(bytes, "!send-close", 11) == 0) {
        (void)wshub_eio_send(eio, session, "x", 1, true);
        (void)wshub_eio_send(eio, session, "\1\2\3", 3, false);
        (void)wshub_eio_close(eio, session);
    } else {
        (void)wshub_eio_send(eio, session, bytes, count, words);
    }
}
static void eio_closed(wshub_eio *eio, wshub_eio_session session, wshub_eio_reason reason,
                       void *user) {
    char words[80];
    (void)eio, (void)session, (void)user;
    (void)snprintf(words, sizeof words, ",\"%s\"", wshub_eio_reason_text(reason));
    say_log("close", words);
}

/* ---- the protocol's suite ---- */

static void suite_connected(wshub_sio *sio, wshub_client c, void *user) {
    wshub_sio_handshake h;
    (void)user;
    if (!wshub_sio_handshake_of(sio, c, &h)) (void)say(sio, c, "auth", &h.auth, 1);
}
static void suite_asked(wshub_sio *sio, const wshub_sio_answers *answers, void *user) {
    later *l = (later *)user;
    wshub_packet packet = packet_of("emit-with-ack", answers->args, answers->args_count);
    packet.attachments = answers->attachments;
    packet.attachments_count = answers->attachments_count;
    if (!answers->error) (void)wshub_sio_send(sio, l->c, &packet);
    free(l);
}
static void suite_event(wshub_sio *sio, wshub_client c, const wshub_sio_event *e, void *user) {
    wshub_packet packet = packet_of("message-back", e->args, e->args_count);
    (void)user;
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    if (wshub_str_eq_z(e->name, "message")) (void)wshub_sio_send(sio, c, &packet);
    if (wshub_str_eq_z(e->name, "message-with-ack")) (void)wshub_sio_answer(sio, e->ack, &packet);
    if (wshub_str_eq_z(e->name, "emit-with-ack")) {
        act a;
        later *l;
        a.sio = sio;
        a.c = c;
        a.e = e;
        l = later_new(&a);
        packet.event = e->name;
        if (wshub_sio_ask(sio, c, &packet, 0, suite_asked, l)) free(l);
    }
}

/* ---- the suite of the client of Engine.IO ---- */

static bool client_allow(wshub_eio *to, wshub_exchange exchange, const wshub_http *http,
                         void *user) {
    char value[8];
    (void)user;
    if (wshub_query_copy(http->query, "deny", value, sizeof value, NULL) == WSHUB_ERR_ABSENT)
        return true;
    (void)wshub_eio_refuse(to, exchange, NULL);
    return false;
}
static void client_open(wshub_eio *to, wshub_eio_session session, void *user) {
    (void)user;
    (void)wshub_eio_send(to, session, "hi", 2, true);
}
static bool said(const uint8_t *bytes, size_t count, const char *what) {
    return count == strlen(what) && memcmp(bytes, what, count) == 0;
}
static void send_headers(wshub_eio *to, wshub_eio_session session) {
    static char words[ROOM];
    const wshub_http *post = wshub_eio_carrier(to);
    wshub_json_writer w;
    wshub_str out;
    if (!post) return;
    wshub_json_begin(&w, words, sizeof words);
    put_headers(&w, NULL, post);
    if (!wshub_json_done(&w, &out)) (void)wshub_eio_send(to, session, out.ptr, out.len, true);
}
static void client_message(wshub_eio *to, wshub_eio_session session, const uint8_t *bytes,
                           size_t count, bool is_text, void *user) {
    static const char utf8[] = "пойду спать всем спокойной ночи";
    if (is_text && said(bytes, count, "give binary"))
        (void)wshub_eio_send(to, session, "\0\1\2\3\4", 5, false);
    else if (is_text && said(bytes, count, "give utf8"))
        (void)wshub_eio_send(to, session, utf8, sizeof utf8 - 1, true);
    else if (is_text && said(bytes, count, "sendHeaders"))
        send_headers(to, session);
    else
        eio_echo(to, session, bytes, count, is_text, user);
}
static void client_answer(wshub_eio *to, wshub_eio_session session, bool first, wshub_headers *more,
                          void *user) {
    static const char *const cookies[] = {
        "1=1; Max-Age=86400", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict", "3=3; Max-Age=0"};
    char expires[80], date[30];
    size_t i;
    (void)session, (void)user;
    if (!first) return;
    for (i = 0; i < 3; i++)
        (void)wshub_headers_add(more, wshub_str_z("Set-Cookie"), wshub_str_z(cookies[i]));
    (void)wshub_http_date_write((int64_t)(wshub_wall_ms(wshub_eio_hub(to)) / 1000), date);
    (void)snprintf(expires, sizeof expires, "4=4; Expires=%.29s", date);
    (void)wshub_headers_add(more, wshub_str_z("Set-Cookie"), wshub_str_z(expires));
}
static wshub_err mount_client(wshub *hub, wshub_eio **out) {
    wshub_eio_desc d;
    memset(&d, 0, sizeof d);
    d.path = "/engine.io/";
    d.ping_interval_ms = 500;
    d.ping_timeout_ms = 20000;
    d.message_bytes_max = 100;
    d.allow = client_allow;
    d.on_open = client_open;
    d.on_message = client_message;
    d.on_answer = client_answer;
    d.on_close = eio_closed;
    return wshub_eio_create(hub, &d, out);
}

/* ---- mounts ---- */

static wshub_sio *sio_mount;
static wshub_eio *eio_mount;

static wshub_err add(wshub_sio *to, wshub_sio_namespace_desc d, const char *name) {
    d.name = name;
    d.user = (void *)(uintptr_t)name;
    if (!d.on_event) d.on_event = on_event;
    if (!d.on_connected) d.on_connected = on_connected;
    d.on_disconnecting = on_disconnecting;
    d.on_disconnected = on_disconnected;
    d.on_error = on_error;
    d.on_server_event = on_server_event;
    return wshub_sio_namespace_add(to, &d, NULL);
}
#define SPACE(...) ((wshub_sio_namespace_desc){__VA_ARGS__})

static wshub_err mount_sio(wshub *hub, const char *path) {
    static const char *const plain[] = {"/custom",         "/foo", "/valid", "/asd",
                                        "/timeout_socket", "/abc"};
    wshub_sio_desc d;
    wshub_err err;
    size_t i;
    memset(&d, 0, sizeof d);
    d.engine = engine_desc(path);
    d.connect_timeout_ms = (uint32_t)opt.connect_timeout;
    d.packet_bytes_max = (uint32_t)opt.max_packet;
    d.recovery_ms = (uint32_t)opt.recovery;
    d.keep_http = true;
    d.on_session_closed = on_session_closed;
    d.bus = on_redis;
    d.requests_timeout_ms = (uint32_t)opt.requests_timeout;
    if ((int)sio_mode() < 0) return WSHUB_ERR_PARAM;
    if (on_redis) {
        d.specific_responses = opt.specific_response;
        d.bus_key = opt.key;
        d.bus_mode = sio_mode();
    }
    err = wshub_sio_create(hub, &d, &sio_mount);
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_root), "/");
    for (i = 0; i < sizeof plain / sizeof plain[0] && !err; i++)
        err = add(sio_mount, SPACE(0), plain[i]);
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_mw), "/mw");
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_slow), "/slow");
    if (!err) err = add(sio_mount, SPACE(.on_packet = packet_pkt), "/pkt");
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_no), "/no");
    if (!err) err = add(sio_mount, SPACE(.matches = is_dyn), "/dyn-");
    return err;
}

static wshub_err mount_eio(wshub *hub, const char *path) {
    wshub_eio_desc d = engine_desc(path);
    d.on_message = eio_echo;
    d.on_close = eio_closed;
    return wshub_eio_create(hub, &d, &eio_mount);
}

static wshub_err mount_suite(wshub *hub, const char *name) {
    wshub_sio_desc d;
    wshub_err err;
    if (strcmp(name, "sio-client") == 0) {
        opt.ping_interval = 2000;
        opt.allow_delay = 10;
        opt.recovery = 120000;
        return mount_sio(hub, "/socket.io/");
    }
    if (strcmp(name, "eio-client") == 0) return mount_client(hub, &eio_mount);
    if (strcmp(name, "protocol") != 0) return WSHUB_ERR_PARAM;
    opt.ping_interval = 300;
    opt.ping_timeout = 200;
    opt.max_buffer = 1000000;
    opt.cors = "*";
    err = mount_eio(hub, "/engine.io/");
    memset(&d, 0, sizeof d);
    d.engine = engine_desc("/socket.io/");
    d.connect_timeout_ms = 1000;
    d.keep_http = true;
    if (!err) err = wshub_sio_create(hub, &d, &sio_mount);
    if (!err)
        err = add(sio_mount, SPACE(.on_event = suite_event, .on_connected = suite_connected), "/");
    if (!err)
        err = add(sio_mount, SPACE(.on_event = suite_event, .on_connected = suite_connected),
                  "/custom");
    return err;
}

/* ---- the helper's flow: who comes in, and which rooms, the raw application's callbacks say ---- */

static wshub_sio *helper_mount;
static void (*raw_authenticate)(wshub *, wshub_ask, const wshub_auth *, void *);
static void (*raw_join)(wshub *, wshub_ask, const wshub_join *, void *);

static bool of_helper(wshub_realm realm) {
    return helper_mount &&
           realm.id == wshub_sio_namespace_realm(helper_mount, wshub_sio_of(helper_mount, "/")).id;
}
static void helper_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    if (of_helper(auth->realm) && wshub_json_is(wshub_json_get(auth->data, "token"), "ok"))
        (void)wshub_auth_accept(hub, ask, NULL);
    else
        raw_authenticate(hub, ask, auth, user);
}
static void helper_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    bool ours = of_helper(join->realm);
    if (ours && !opt.helper_no_validator)
        fixture_join(hub, ask, join, user);
    else if (!ours && raw_join)
        raw_join(hub, ask, join, user);
    else
        (void)wshub_ask_reject(hub, ask);
}

static void helper_state(act *a) {
    static const char *const states[] = {"?", "unauthorized", "authenticating", "authenticated",
                                         "disconnected"};
    char words[120];
    (void)snprintf(words, sizeof words, "{\"id\":\"%.*s\",\"state\":\"%s\"}", (int)a->id.len,
                   a->id.ptr, states[wshub_client_state(wshub_sio_hub(a->sio), a->c)]);
    answer_text(a->sio, a->e->ack, words);
}
static void helper_send(act *a) {
    static char event[ROOM], destination[1000];
    wshub_str none = {NULL, 0}, what = a->e->args_count ? a->e->args[0] : none, to, topic;
    wshub_str payload = wshub_json_get(what, "payload");
    size_t len;
    to.ptr = destination;
    to.len =
        wshub_json_copy(wshub_json_get(what, "destination"), destination, sizeof destination, &len)
            ? 0
            : len;
    topic.ptr = event;
    topic.len =
        wshub_json_copy(wshub_json_get(payload, "topic"), event, sizeof event, &len) ? 0 : len;
    (void)wshub_sio_flow_send(a->sio, a->space, to, topic, wshub_json_get(payload, "data"));
    answer_text(a->sio, a->e->ack, "true");
}
static void helper_event(wshub_sio *sio, wshub_client c, const wshub_sio_event *e, void *user) {
    static act a;
    wshub *hub = wshub_sio_hub(sio);
    (void)user;
    a.sio = sio;
    a.c = c;
    a.e = e;
    a.space = wshub_sio_namespace_of(sio, c);
    a.id = wshub_client_id(hub, c);
    if (wshub_str_eq_z(e->name, "echo")) act_echo(&a);
    if (wshub_str_eq_z(e->name, "rooms")) act_rooms(&a);
    if (wshub_str_eq_z(e->name, "state")) helper_state(&a);
    if (wshub_client_state(hub, c) != WSHUB_CLIENT_AUTHENTICATED) return;
    if (wshub_str_eq_z(e->name, "send")) helper_send(&a);
    if (wshub_str_eq_z(e->name, "shutdown-helper")) wshub_sio_shutdown(sio);
}

static wshub_err mount_helper(wshub *hub, const char *path) {
    static char words[1000];
    static const char *rooms[32];
    wshub_sio_flow flow;
    wshub_sio_desc d;
    wshub_err err;
    char *at;
    memset(&flow, 0, sizeof flow);
    flow.auth_timeout_ms = (uint32_t)opt.helper_auth_timeout;
    flow.ping_interval_ms = (uint32_t)opt.helper_ping_interval;
    flow.open = opt.helper_open;
    flow.linger = opt.helper_linger;
    if (opt.helper_rooms) {
        (void)snprintf(words, sizeof words, "%s", opt.helper_rooms);
        for (at = strtok(words, ","); at && flow.default_rooms_count < 32; at = strtok(NULL, ","))
            rooms[flow.default_rooms_count++] = at;
        flow.default_rooms = rooms;
        flow.no_default_rooms = !flow.default_rooms_count;
    }
    memset(&d, 0, sizeof d);
    d.engine = engine_desc(path);
    d.connect_timeout_ms = (uint32_t)opt.connect_timeout;
    d.packet_bytes_max = (uint32_t)opt.max_packet;
    d.recovery_ms = (uint32_t)opt.recovery;
    d.keep_http = true;
    d.on_session_closed = on_session_closed;
    d.bus = on_redis;
    d.requests_timeout_ms = (uint32_t)opt.requests_timeout;
    if (on_redis) {
        d.specific_responses = opt.specific_response;
        d.bus_key = opt.helper_key ? opt.helper_key : opt.sio ? "socket.io-helper" : NULL;
    }
    err = wshub_sio_create(hub, &d, &helper_mount);
    return err ? err : add(helper_mount, SPACE(.on_event = helper_event, .flow = &flow), "/");
}
#endif /* FIXTURE_SIO_MOUNTS_H */
