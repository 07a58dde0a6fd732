/* The fixture client: the client of backends/wshub_ext_client.h as a program. Commands on standard
 * input, one JSON object a line; what happens on standard output, the same. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client.h"
#ifdef FIXTURE_OPENSSL
#define WITH_OPENSSL
#endif
#ifdef FIXTURE_MBEDTLS
#define WITH_MBEDTLS
#endif
#ifdef FIXTURE_DEFLATE
#define WITH_ZLIB
#endif
#include "examples/client_tls.h"
#include "fixture_text.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { MANY = 32, LINE_MAX_BYTES = 4 << 20 };

static wshub_io_sock *net;
static client_tls tls;
static wshub_ws_pool *pool;
static wshub_ext_client *client;
static wshub_ext_client_desc desc;
static wshub_header headers[MANY];
static bool plain, auto_auth, leaving;
static const char *auth;

/* ---- what is printed ---- */

static text out;

static void print_z(const char *piece) {
    text_z(&out, piece);
}
static void print_quoted(wshub_str s) {
    text_quote(&out, s);
}
static void print_line(void) {
    print_z("}\n");
    (void)fwrite(out.ptr, 1, out.len, stdout);
    (void)fflush(stdout);
    out.len = 0;
}
static void print_on(const char *what) {
    text_put(&out, "{\"on\":%q", wshub_str_z(what));
}
static void print_number(const char *key, uint64_t n) {
    text_put(&out, ",%q:%u", wshub_str_z(key), (unsigned long)n);
}
static void print_text(const char *key, wshub_str value) {
    text_put(&out, ",%q:%q", wshub_str_z(key), value);
}
static void print_hex(const char *key, const uint8_t *bytes, size_t count) {
    char two[3];
    size_t i;
    text_put(&out, ",%q:\"", wshub_str_z(key));
    for (i = 0; i < count; i++) {
        (void)snprintf(two, sizeof two, "%02x", bytes[i]);
        print_z(two);
    }
    print_z("\"");
}

/* ---- what happens ---- */

static void on_connected(wshub_ext_client *c, const wshub_ws_about *about, void *user) {
    char where[WSHUB_ADDRESS_BYTES] = "";
    wshub_address address;
    (void)user;
    if (wshub_address_read(about->address, &address)) {
        address.port = 0;
        (void)wshub_address_write(&address, where);
    }
    print_on("connect");
    if (about->protocol.ptr) print_text("protocol", about->protocol);
    if (about->deflate) print_z(",\"deflate\":true");
    print_text("address", wshub_str_z(where));
    print_line();
    if (auto_auth)
        (void)wshub_ext_client_authenticate(c, auth ? wshub_str_z(auth) : (wshub_str){NULL, 0});
}
static void on_connect_error(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                             void *user) {
    (void)c;
    (void)again;
    (void)user;
    print_on("connect_error");
    print_text("kind", wshub_str_z(wshub_ws_why_name(gone->why)));
    print_text("message", wshub_str_z(gone->text));
    if (gone->status) print_number("status", (uint64_t)gone->status);
    print_line();
}
static void on_authenticated(wshub_ext_client *c, wshub_str id, wshub_str data, void *user) {
    (void)c;
    (void)data;
    (void)user;
    print_on("authenticated");
    print_text("id", id);
    print_line();
}
static void on_unauthenticated(wshub_ext_client *c, wshub_str message, void *user) {
    (void)c;
    (void)user;
    print_on("unauthenticated");
    print_text("message", message);
    print_line();
}
static void on_disconnected(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                            void *user) {
    (void)c;
    (void)again;
    (void)user;
    print_on("disconnect");
    print_number("code", gone->code);
    if (gone->reason.len) print_text("text", gone->reason);
    print_line();
}
static void on_reconnecting(wshub_ext_client *c, uint32_t attempt, uint32_t delay_ms, void *user) {
    (void)c;
    (void)user;
    print_on("reconnecting");
    print_number("attempt", attempt);
    print_number("delay", delay_ms);
    print_line();
}
static void on_gave_up(wshub_ext_client *c, uint32_t attempts, void *user) {
    (void)c;
    (void)user;
    print_on("gave_up");
    print_number("attempts", attempts);
    print_line();
}
static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    (void)c;
    (void)user;
    print_on("event");
    print_text("event", event->event);
    print_z(",\"args\":[");
    if (event->data.ptr) text_str(&out, event->data);
    print_z("]");
    print_line();
}
static void on_message(wshub_ext_client *c, wshub_ws_kind kind, uint8_t *bytes, size_t count,
                       void *user) {
    wshub_str s;
    (void)c;
    (void)user;
    s.ptr = (const char *)bytes;
    s.len = count;
    print_on("message");
    if (kind == WSHUB_WS_TEXT)
        print_text("text", s);
    else
        print_hex("hex", bytes, count);
    print_line();
}
static void on_pong(wshub_ext_client *c, const uint8_t *bytes, size_t count, void *user) {
    (void)c;
    (void)user;
    print_on("pong");
    print_hex("hex", bytes, count);
    print_line();
}
static wshub_ext_client_events events;

/* ---- names ---- */

/* A question whose answer is on its way: after a delay, or from a thread. */
typedef struct question {
    wshub_ws_timer timer;
    wshub_ask ask;
    char name[256];
    wshub_address list[WSHUB_WS_ADDRESSES_MAX];
    size_t count;
} question;
static const char *given[MANY]; /* NAME=A,B */
static size_t given_count;
static uint32_t given_delay;
static int answers[2] = {-1, -1}; /* a pipe of pointers, from threads */

static void answer(void *ctx) {
    question *q = (question *)ctx;
    wshub_ws_timer_remove(pool, &q->timer);
    (void)wshub_ws_resolved(pool, q->ask, q->list, q->count);
    free(q);
}
static void *look_up(void *ctx) {
    question *q = (question *)ctx;
    struct addrinfo hints, *list = NULL, *at;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(q->name, NULL, &hints, &list) != 0) list = NULL;
    for (at = list; at && q->count < WSHUB_WS_ADDRESSES_MAX; at = at->ai_next) {
        bool v6 = at->ai_family == AF_INET6;
        const char *bytes = (const char *)at->ai_addr + (v6 ? 8 : 4);
        if (!v6 && at->ai_family != AF_INET) continue;
        if (wshub_address_of(bytes, v6 ? 16 : 4, 0, &q->list[q->count])) q->count++;
    }
    if (list) freeaddrinfo(list);
    (void)!write(answers[1], &q, sizeof q); /* a pointer is written whole */
    return NULL;
}
static void on_resolve(wshub_ws_pool *p, wshub_ask ask, const char *name, void *user) {
    question *q = (question *)calloc(1, sizeof *q);
    size_t i, len = strlen(name);
    char *item, *next, copy[2048];
    pthread_t thread;
    (void)user;
    if (!q) abort();
    q->ask = ask;
    q->timer.fire = answer;
    q->timer.ctx = q;
    (void)snprintf(q->name, sizeof q->name, "%s", name);
    for (i = 0; i < given_count; i++) {
        if (strncmp(given[i], name, len) != 0 || given[i][len] != '=') continue;
        (void)snprintf(copy, sizeof copy, "%s", given[i] + len + 1);
        for (item = copy; item && *item; item = next) {
            next = strchr(item, ',');
            if (next) *next++ = 0;
            if (q->count < WSHUB_WS_ADDRESSES_MAX &&
                wshub_address_read(wshub_str_z(item), &q->list[q->count]))
                q->count++;
        }
        if (wshub_ws_timer_add(p, &q->timer)) abort();
        wshub_ws_timer_start(p, &q->timer, wshub_ws_now_ms(p) + given_delay);
        return;
    }
    if (pthread_create(&thread, NULL, look_up, q) != 0) abort();
    (void)pthread_detach(thread);
}

/* ---- commands ---- */

static bool copy_text(wshub_str raw, text *to) {
    size_t n;
    to->len = 0;
    if (wshub_json_type(raw) != WSHUB_JSON_STRING) return false;
    n = wshub_json_text(raw, NULL, 0);
    text_add(to, "", 0);
    while (to->cap < n + 1) {
        size_t had = to->len;
        text_add(to, raw.ptr, raw.len); /* grows it */
        to->len = had;
    }
    (void)wshub_json_text(raw, to->ptr, n);
    to->len = n;
    to->ptr[n] = 0;
    return true;
}
static const char *failed(wshub_err err) {
    return err ? wshub_strerror(err) : NULL;
}
static bool is_connected(void) {
    wshub_ext_client_state state = wshub_ext_client_state_of(client);
    return state >= WSHUB_EXT_CLIENT_UNAUTHORIZED && state <= WSHUB_EXT_CLIENT_AUTHENTICATED;
}
static bool unhex(wshub_str raw, text *to) {
    static const char digits[] = "0123456789abcdef";
    text hex = {0};
    size_t i;
    bool ok = copy_text(raw, &hex) && hex.len % 2 == 0;
    to->len = 0;
    text_add(to, "", 0);
    for (i = 0; ok && i < hex.len; i += 2) {
        const char *a = strchr(digits, hex.ptr[i] | 32), *b = strchr(digits, hex.ptr[i + 1] | 32);
        char byte;
        ok = a && b && *a && *b;
        if (!ok) break;
        byte = (char)((a - digits) * 16 + (b - digits));
        text_add(to, &byte, 1);
    }
    free(hex.ptr);
    return ok;
}

static const char *do_rooms(wshub_str line, bool join) {
    static text names[1024];
    static wshub_str rooms[1024];
    wshub_str list = wshub_json_get(line, "rooms"), item;
    wshub_iter it = {0, 0};
    size_t n = 0;
    if (wshub_json_type(list) != WSHUB_JSON_ARRAY) return "no `rooms`";
    while (wshub_json_each(list, &it, &item)) {
        if (n == 1024 || !copy_text(item, &names[n])) return "a room is no string";
        rooms[n] = text_get(&names[n]);
        n++;
    }
    if (!n) return NULL;
    return failed(join ? wshub_ext_client_join(client, rooms, n)
                       : wshub_ext_client_leave(client, rooms, n));
}
static const char *do_emit(wshub_str line) {
    static text event;
    wshub_str args = wshub_json_get(line, "args"), item, more;
    wshub_iter it = {0, 0};
    wshub_msg msg;
    bool fleeting = false;
    memset(&msg, 0, sizeof msg);
    if (!copy_text(wshub_json_get(line, "event"), &event)) return "no `event`";
    if (wshub_json_get(line, "ack").ptr) return "no acknowledgements here";
    if (args.ptr && wshub_json_type(args) != WSHUB_JSON_ARRAY) return "`args` is no list";
    if (args.ptr && wshub_json_each(args, &it, &item)) {
        msg.data = item;
        if (wshub_json_each(args, &it, &more)) return "`args` holds the data or nothing";
    }
    (void)wshub_json_bool(wshub_json_get(line, "volatile"), &fleeting);
    msg.event = text_get(&event);
    msg.data_is_json = true;
    {
        wshub_err err = wshub_ext_client_emit(client, &msg, fleeting);
        return fleeting && (err == WSHUB_ERR_STATE || err == WSHUB_ERR_DROPPED) ? NULL
                                                                                : failed(err);
    }
}
static const char *do_subscribe(wshub_str line, bool on) {
    static text event;
    wshub_err err;
    if (!copy_text(wshub_json_get(line, "event"), &event)) return "no `event`";
    err = on ? wshub_ext_client_subscribe(client, text_get(&event))
             : wshub_ext_client_unsubscribe(client, text_get(&event));
    return err == WSHUB_ERR_ABSENT ? NULL : failed(err);
}
static const char *do_send(wshub_str line) {
    static text bytes;
    wshub_str raw = wshub_json_get(line, "text"), hex = wshub_json_get(line, "hex");
    if (raw.ptr ? !copy_text(raw, &bytes) : !unhex(hex, &bytes)) return "neither `text` nor `hex`";
    if (!is_connected()) return "not connected";
    return failed(wshub_ws_send(pool, wshub_ext_client_ws(client),
                                raw.ptr ? WSHUB_WS_TEXT : WSHUB_WS_BINARY, bytes.ptr, bytes.len));
}
static const char *do_ping(wshub_str line) {
    static text bytes;
    wshub_str hex = wshub_json_get(line, "hex");
    bytes.len = 0;
    text_add(&bytes, "", 0);
    if (hex.ptr && !unhex(hex, &bytes)) return "`hex` is none";
    if (bytes.len > 125) return "at most 125 bytes";
    if (!is_connected()) return "not connected";
    return failed(wshub_ws_ping(pool, wshub_ext_client_ws(client), bytes.ptr, bytes.len));
}
static const char *do_close(wshub_str line) {
    static text reason;
    wshub_str raw = wshub_json_get(line, "text"), code = wshub_json_get(line, "code");
    int64_t number = 1000;
    reason.len = 0;
    text_add(&reason, "", 0);
    if (raw.ptr && !copy_text(raw, &reason)) return "`text` is no string";
    if (code.ptr && wshub_json_int(code, 1000, 4999, &number)) return "no such code";
    if (reason.len > WSHUB_CLOSE_REASON_MAX) return "`text` is too long";
    if ((number > 1003 && number < 1007) || (number > 1014 && number < 3000)) return "no such code";
    return failed(wshub_ext_client_disconnect(client, (uint16_t)number, text_get(&reason)));
}
static const char *do_auth(wshub_str line) {
    wshub_str data = wshub_json_get(line, "data");
    if (!data.ptr && auth) data = wshub_str_z(auth);
    return wshub_ext_client_state_of(client) == WSHUB_EXT_CLIENT_UNAUTHORIZED
               ? failed(wshub_ext_client_authenticate(client, data))
               : "not connected, or not unauthorized";
}
static void print_state(void) {
    wshub_ext_client_state state = wshub_ext_client_state_of(client);
    print_on("state");
    text_put(&out, ",\"connected\":%s", wshub_str_z(is_connected() ? "true" : "false"));
    if (!plain)
        print_text("state",
                   wshub_str_z(state == WSHUB_EXT_CLIENT_AUTHENTICATED    ? "authenticated"
                               : state == WSHUB_EXT_CLIENT_AUTHENTICATING ? "authenticating"
                                                                          : "unauthorized"));
    print_z(",\"id\":null");
    print_number("buffered", wshub_ext_client_buffered(client));
    print_line();
}
static void leave(void) {
    leaving = true;
    (void)wshub_ext_client_disconnect(client, 1000, (wshub_str){"", 0});
}

/* Carries out a command. NULL: done; else what is wrong with it. */
static const char *carry_out(wshub_str line, wshub_str name) {
    if (wshub_str_eq_z(name, "connect"))
        return is_connected() ? "connected" : failed(wshub_ext_client_connect(client));
    if (wshub_str_eq_z(name, "disconnect"))
        return failed(wshub_ext_client_disconnect(client, 1000, (wshub_str){"", 0}));
    if (wshub_str_eq_z(name, "drop")) return wshub_ext_client_drop(client) ? "not connected" : NULL;
    if (wshub_str_eq_z(name, "state") || wshub_str_eq_z(name, "quit")) return NULL;
    if (plain) {
        if (wshub_str_eq_z(name, "send")) return do_send(line);
        if (wshub_str_eq_z(name, "ping")) return do_ping(line);
        if (wshub_str_eq_z(name, "close")) return do_close(line);
        return "unknown";
    }
    if (wshub_str_eq_z(name, "auth")) return do_auth(line);
    if (wshub_str_eq_z(name, "join")) return do_rooms(line, true);
    if (wshub_str_eq_z(name, "leave")) return do_rooms(line, false);
    if (wshub_str_eq_z(name, "emit")) return do_emit(line);
    if (wshub_str_eq_z(name, "subscribe")) return do_subscribe(line, true);
    if (wshub_str_eq_z(name, "unsubscribe")) return do_subscribe(line, false);
    return "unknown";
}
static void command(wshub_str line) {
    static text name;
    bool named =
        wshub_json_type(line) == WSHUB_JSON_OBJECT && copy_text(wshub_json_get(line, "do"), &name);
    const char *why = named ? carry_out(line, text_get(&name)) : "no object with a `do`";
    print_on(why ? "error" : "ok");
    print_z(",\"do\":");
    if (named)
        print_quoted(text_get(&name));
    else
        print_z("null");
    if (why) print_text("message", wshub_str_z(why));
    print_line();
    if (why || !named) return;
    if (wshub_str_eq_z(text_get(&name), "state")) print_state();
    if (wshub_str_eq_z(text_get(&name), "quit")) leave();
}

/* Reads what is there of standard input. */
static void read_input(void) {
    static text line;
    char bytes[65536];
    ssize_t n = read(0, bytes, sizeof bytes), i, from = 0;
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        if (line.len) command(text_get(&line));
        line.len = 0;
        leave();
        return;
    }
    for (i = 0; i < n; i++) {
        if (bytes[i] != '\n') continue;
        text_add(&line, bytes + from, (size_t)(i - from));
        if (!leaving) command(text_get(&line));
        line.len = 0;
        from = i + 1;
    }
    text_add(&line, bytes + from, (size_t)(n - from));
    if (line.len > LINE_MAX_BYTES) line.len = 0;
}

/* ---- the command line ---- */

static int usage(const char *why, const char *what) {
    const char *p;
    (void)fprintf(stderr, "fixture-client: %s", why);
    for (p = what; p && *p; p++) (void)fputc(*p >= ' ' && *p <= '~' ? *p : '?', stderr);
    (void)fputc('\n', stderr);
    return 2;
}
/* A number of an option. False: it is none. */
static bool number_of(const char *value, uint32_t most, uint32_t *to) {
    char *end;
    unsigned long n;
    if (*value < '0' || *value > '9' || strlen(value) > 10) return false;
    n = strtoul(value, &end, 10);
    if (*end || n > most) return false;
    *to = (uint32_t)n;
    return true;
}
/* A time that is off where it is 0. */
static bool time_of(const char *value, uint32_t *to) {
    if (!number_of(value, 86400000, to)) return false;
    if (!*to) *to = WSHUB_OFF;
    return true;
}
static bool header_of(char *value) {
    char *colon = strchr(value, ':'), *p;
    if (!colon || desc.ws.headers_count == MANY) return false;
    headers[desc.ws.headers_count].name.ptr = value;
    headers[desc.ws.headers_count].name.len = (size_t)(colon - value);
    for (p = colon + 1; *p == ' '; p++) {
    }
    headers[desc.ws.headers_count].value = wshub_str_z(p);
    desc.ws.headers = headers;
    desc.ws.headers_count++;
    return true;
}
static bool resolve_of(const char *value) {
    const char *at = strchr(value, '=');
    wshub_address address;
    if (!at || at == value || given_count == MANY || strlen(at) > 2000) return false;
    given[given_count++] = value;
    for (at++; *at;) {
        const char *comma = strchr(at, ',');
        wshub_str item = wshub_str_z(at);
        if (comma) item.len = (size_t)(comma - at);
        if (!wshub_address_read(item, &address)) return false;
        at += item.len + (comma ? 1 : 0);
    }
    return true;
}
static bool flag(const char *name) {
    if (strcmp(name, "--plain") == 0) return plain = true;
    if (strcmp(name, "--no-connect") == 0) return desc.no_connect = true;
    if (strcmp(name, "--auto-auth") == 0) return auto_auth = true;
    if (strcmp(name, "--no-reconnect") == 0) return desc.no_reconnect = true;
    if (strcmp(name, "--deflate") == 0) return desc.ws.deflate = true;
    if (strcmp(name, "--tls-insecure") == 0) {
        desc.ws.verify = WSHUB_VERIFY_NONE;
        return true;
    }
    return false;
}
/* An option with a value. 0: bad value; 1: done; -1: unknown. */
static int option(const char *name, char *value) {
    uint32_t *to = NULL;
    if (strcmp(name, "--url") == 0) return (desc.ws.url = value) != NULL;
    if (strcmp(name, "--auth") == 0) return wshub_json_check(wshub_str_z(auth = value), 0);
    if (strcmp(name, "--protocol") == 0) return (desc.ws.protocols = value) != NULL;
    if (strcmp(name, "--header") == 0) return header_of(value);
    if (strcmp(name, "--tls-ca") == 0) return (tls.ca = value) != NULL;
    if (strcmp(name, "--tls-cert") == 0) return (tls.cert = value) != NULL;
    if (strcmp(name, "--tls-key") == 0) return (tls.key = value) != NULL;
    if (strcmp(name, "--resolve") == 0) return resolve_of(value);
    if (strcmp(name, "--resolve-delay") == 0) return number_of(value, 86400000, &given_delay);
    if (strcmp(name, "--idle-timeout") == 0) return time_of(value, &desc.ws.idle_timeout_ms);
    if (strcmp(name, "--heartbeat") == 0) return time_of(value, &desc.heartbeat_ms);
    if (strcmp(name, "--reconnect-tries") == 0)
        return number_of(value, 1000000000, &desc.reconnect_tries);
    if (strcmp(name, "--max-message") == 0) to = &desc.ws.message_bytes_max;
    if (strcmp(name, "--close-timeout") == 0) to = &desc.ws.close_timeout_ms;
    if (strcmp(name, "--connect-timeout") == 0) to = &desc.ws.connect_timeout_ms;
    if (strcmp(name, "--attempt-delay") == 0) to = &desc.ws.attempt_delay_ms;
    if (strcmp(name, "--reconnect-delay") == 0) to = &desc.reconnect_delay_ms;
    if (strcmp(name, "--reconnect-max") == 0) to = &desc.reconnect_delay_max_ms;
    if (strcmp(name, "--buffer") == 0) to = &desc.buffer_bytes;
    if (!to) return -1;
    return number_of(value, 1u << 26, to) && *to > 0;
}
static int read_options(int argc, char **argv) {
    int i, took;
    for (i = 1; i < argc; i++) {
        const char *name = argv[i];
        if ((strcmp(name, "--deflate") == 0 && !client_codec()) ||
            (strncmp(name, "--tls-", 6) == 0 && !client_has_tls()))
            return usage("not built in: ", name);
        if (flag(name)) continue;
        if (strcmp(name, "--sio") == 0) return usage("no Socket.IO here: ", name);
        took = i + 1 < argc ? option(name, argv[i + 1]) : -1;
        if (took < 0) return usage("unknown option, or one without its value: ", name);
        if (!took) return usage("bad value for ", name);
        i++;
    }
    if (!desc.ws.url) return usage("--url is required", "");
    if (strncmp(desc.ws.url, "wss:", 4) == 0 && !client_has_tls())
        return usage("not built in: TLS, for ", desc.ws.url);
    desc.auto_auth = auto_auth;
    desc.backoff_from_open = true;
    desc.events = &events;
    if (wshub_ext_client_desc_problem(&desc))
        return usage("", wshub_ext_client_desc_problem(&desc));
    return 0;
}

static void set_events(void) {
    events.connected = on_connected;
    events.connect_error = on_connect_error;
    events.disconnected = on_disconnected;
    events.reconnecting = on_reconnecting;
    events.gave_up = on_gave_up;
    if (plain) {
        events.message = on_message;
        events.pong = on_pong;
        return;
    }
    events.authenticated = on_authenticated;
    events.unauthenticated = on_unauthenticated;
    events.event = on_event;
}

/* Until it has left: what is ready of the net, of the resolver's threads, of standard input. */
static void serve(void) {
    question *q;
    while (!leaving || wshub_ext_client_state_of(client) != WSHUB_EXT_CLIENT_IDLE) {
        struct pollfd fds[3] = {{0, POLLIN, 0}, {0, POLLIN, 0}, {0, POLLIN, 0}};
        fds[0].fd = wshub_io_sock_fd(net);
        fds[1].fd = answers[0];
        fds[2].fd = leaving ? -1 : 0;
        (void)poll(fds, 3, wshub_io_sock_timeout(net));
        if (fds[1].revents && read(answers[0], &q, sizeof q) == (ssize_t)sizeof q) {
            (void)wshub_ws_resolved(pool, q->ask, q->list, q->count);
            free(q);
        }
        if (fds[2].revents) read_input();
        if (wshub_io_sock_run_once(net, 0)) return;
    }
}

int main(int argc, char **argv) {
    wshub_ws_pool_desc d;
    int status;
    (void)signal(SIGPIPE, SIG_IGN);
    status = read_options(argc, argv);
    if (status) return status;
    set_events();
    if (pipe(answers) != 0 || wshub_io_auto_create(NULL, &net)) return 1;
    if (!client_tls_open(&tls, wshub_io_sock_io(net))) return usage("TLS: ", tls.why);
    memset(&d, 0, sizeof d);
    d.io = tls.io;
    d.deflate = client_codec();
    d.resolve = on_resolve;
    if (wshub_ws_pool_create(&d, &pool)) return 1;
    if (wshub_ext_client_create(pool, &desc, NULL, &client)) return 1;
    serve();
    wshub_ext_client_destroy(client);
    wshub_ws_pool_destroy(pool);
    client_tls_end(&tls);
    wshub_io_sock_destroy(net);
    free(out.ptr);
    return 0;
}
