/* The fixture client of Socket.IO: backends/wshub_ext_client_socketio.h as a program. Commands on
 * standard input, one JSON object a line; what happens on standard output, the same. Bytes are
 * {"$bin":"hex"}. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client_socketio.h"
#include "fixture_text.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum { SPACES = 16, ATTACHMENTS = 99, ARGS = 256, LINE_MAX_BYTES = 4 << 20 };

static wshub_io_sock *net;
static wshub_ws_pool *pool;
static wshub_sio_client *client;
static wshub_sio_client_desc desc;
static bool helper, auto_auth, leaving, no_connect;

/* A namespace, what is subscribed to in it (names with their quotes, joined), and its events that
 * may be answered. */
typedef struct space {
    wshub_sio_socket *socket;
    wshub_sio_socket_desc desc;
    text wanted;
} space;
static space spaces[SPACES];
static size_t spaces_count;
static struct {
    space *of;
    wshub_sio_ack ack;
} asked[4096];
static size_t asked_count;

/* ---- what is printed ---- */

static text out;
static void print_on(const space *of, const char *what) {
    text_put(&out, "{\"on\":%q", wshub_str_z(what));
    if (of && spaces_count > 1) text_put(&out, ",\"nsp\":%q", wshub_sio_socket_name(of->socket));
}
static void print_line(void) {
    text_z(&out, "}\n");
    (void)fwrite(out.ptr, 1, out.len, stdout);
    (void)fflush(stdout);
    out.len = 0;
}
static void print_hex(wshub_span bytes) {
    char two[3];
    size_t i;
    text_z(&out, "{\"$bin\":\"");
    for (i = 0; i < bytes.len; i++) {
        (void)snprintf(two, sizeof two, "%02x", bytes.ptr[i]);
        text_z(&out, two);
    }
    text_z(&out, "\"}");
}
/* A value, in which bytes stand where placeholders do. */
static void print_value(wshub_str json, const wshub_span *spans, size_t count) {
    wshub_iter it = {0, 0};
    wshub_str key, value;
    wshub_span bytes;
    bool some = false;
    if (count && wshub_sio_bytes(spans, count, json, &bytes)) {
        print_hex(bytes);
    } else if (count && wshub_json_type(json) == WSHUB_JSON_ARRAY) {
        for (; wshub_json_each(json, &it, &value); some = true) {
            text_z(&out, some ? "," : "[");
            print_value(value, spans, count);
        }
        text_z(&out, some ? "]" : "[]");
    } else if (count && wshub_json_type(json) == WSHUB_JSON_OBJECT) {
        for (; wshub_json_each_member(json, &it, &key, &value); some = true) {
            text_put(&out, some ? ",%s:" : "{%s:", key);
            print_value(value, spans, count);
        }
        text_z(&out, some ? "}" : "{}");
    } else {
        text_str(&out, json);
    }
}
static void print_args(const wshub_str *args, size_t count, const wshub_span *spans, size_t n) {
    size_t i;
    text_z(&out, ",\"args\":[");
    for (i = 0; i < count; i++) {
        if (i) text_z(&out, ",");
        print_value(args[i], spans, n);
    }
    text_z(&out, "]");
}

/* ---- what happens ---- */

static void on_connected(wshub_sio_socket *socket, wshub_str id, bool recovered, void *user) {
    (void)socket;
    print_on((space *)user, "connect");
    text_put(&out, ",\"id\":%q,\"recovered\":%s", id, wshub_str_z(recovered ? "true" : "false"));
    print_line();
}
static void on_connect_error(wshub_sio_socket *socket, const wshub_sio_connect_error *error,
                             void *user) {
    (void)socket;
    print_on((space *)user, "connect_error");
    text_put(&out, ",\"message\":%q", error->message);
    if (error->data.ptr) text_put(&out, ",\"data\":%s", error->data);
    print_line();
}
static void on_disconnected(wshub_sio_socket *socket, const char *reason, bool again, void *user) {
    (void)socket;
    (void)again;
    print_on((space *)user, "disconnect");
    text_put(&out, ",\"reason\":%q", wshub_str_z(reason));
    print_line();
}
/* Where a name stands among those that are subscribed to; NULL: it is not. */
static char *wanted_at(const space *of, const text *quoted) {
    return of->wanted.len ? strstr(of->wanted.ptr, quoted->ptr) : NULL;
}
static bool is_wanted(const space *of, wshub_str event) {
    text quoted = {0}, all = {0};
    bool is;
    text_put(&quoted, "\n%q\n", event);
    text_put(&all, "\n%q\n", wshub_str_z("*"));
    is = wanted_at(of, &quoted) || wanted_at(of, &all);
    free(quoted.ptr);
    free(all.ptr);
    return is;
}
static void on_event(wshub_sio_socket *socket, const wshub_sio_event *event, void *user) {
    space *of = (space *)user;
    (void)socket;
    if (!is_wanted(of, event->name)) return;
    print_on(of, "event");
    text_put(&out, ",\"event\":%q", event->name);
    print_args(event->args, event->args_count, event->attachments, event->attachments_count);
    if (event->ack.id && asked_count < sizeof asked / sizeof asked[0]) {
        asked[asked_count].of = of;
        asked[asked_count++].ack = event->ack;
        text_put(&out, ",\"ack\":%u", (unsigned long)asked_count);
    }
    print_line();
}
static void on_authenticated(wshub_sio_socket *socket, wshub_str data, void *user) {
    wshub_str id = wshub_json_get(data, "id");
    (void)socket;
    print_on((space *)user, "authenticated");
    text_put(&out, ",\"id\":%s", id.ptr ? id : wshub_str_z("null"));
    print_line();
}
static void on_unauthenticated(wshub_sio_socket *socket, wshub_str message, void *user) {
    (void)socket;
    print_on((space *)user, "unauthenticated");
    text_put(&out, ",\"message\":%q", message);
    print_line();
}
static const wshub_sio_socket_events events = {
    NULL,     on_connected,     on_connect_error,  on_disconnected,
    on_event, on_authenticated, on_unauthenticated};
static void on_reconnecting(wshub_sio_client *c, uint32_t attempt, uint32_t delay_ms, void *user) {
    (void)c;
    (void)user;
    print_on(NULL, "reconnecting");
    text_put(&out, ",\"attempt\":%u,\"delay\":%u", (unsigned long)attempt, (unsigned long)delay_ms);
    print_line();
}
static const wshub_sio_client_events client_events = {on_reconnecting, NULL, NULL};

/* Who asked: the number of the command, and where. */
typedef struct question {
    space *of;
    wshub_str id;
} question;
static void on_answer(wshub_sio_socket *socket, const wshub_sio_answers *answers, void *user) {
    question *q = (question *)user;
    (void)socket;
    print_on(q->of, "ack");
    text_put(&out, ",\"id\":%s", q->id);
    if (answers->error)
        text_put(&out, ",\"error\":%q", wshub_str_z(answers->error));
    else
        print_args(answers->args, answers->args_count, answers->attachments,
                   answers->attachments_count);
    print_line();
    free(q);
}

/* ---- commands ---- */

static const char *failed(wshub_err err) {
    return err ? wshub_strerror(err) : NULL;
}
/* Decodes a string; false: it is none. */
static bool copy_text(wshub_str raw, text *to) {
    to->len = 0;
    text_add(to, "", 0);
    if (wshub_json_type(raw) != WSHUB_JSON_STRING) return false;
    text_add(to, raw.ptr, raw.len);
    to->len = wshub_json_text(raw, to->ptr, to->cap - 1);
    to->ptr[to->len] = 0;
    return true;
}

/* What a command says: arguments in which bytes became placeholders. */
static text said, blob;
static size_t ends[ARGS], ends_count;
static wshub_span spans[ATTACHMENTS + 1];
static size_t starts[ATTACHMENTS + 1], spans_count;

static bool say_bytes(wshub_str hex) {
    char number[64];
    size_t i;
    if (hex.len % 2 || spans_count > ATTACHMENTS) return false;
    starts[spans_count] = blob.len;
    spans[spans_count].len = (hex.len - 2) / 2;
    for (i = 1; i + 2 < hex.len; i += 2) {
        unsigned byte;
        char c;
        if (sscanf(hex.ptr + i, "%2x", &byte) != 1) return false;
        c = (char)byte;
        text_add(&blob, &c, 1);
    }
    (void)snprintf(number, sizeof number, "{\"_placeholder\":true,\"num\":%u}",
                   (unsigned)spans_count++);
    text_z(&said, number);
    return true;
}
static bool say_value(wshub_str json) {
    wshub_iter it = {0, 0};
    wshub_str key, value = wshub_json_get(json, "$bin");
    bool some = false, ok = true;
    if (wshub_json_type(value) == WSHUB_JSON_STRING) return say_bytes(value);
    if (wshub_json_type(json) == WSHUB_JSON_ARRAY) {
        for (; ok && wshub_json_each(json, &it, &value); some = true) {
            text_z(&said, some ? "," : "[");
            ok = say_value(value);
        }
        text_z(&said, some ? "]" : "[]");
    } else if (wshub_json_type(json) == WSHUB_JSON_OBJECT) {
        for (; ok && wshub_json_each_member(json, &it, &key, &value); some = true) {
            text_put(&said, some ? ",%s:" : "{%s:", key);
            ok = say_value(value);
        }
        text_z(&said, some ? "}" : "{}");
    } else {
        text_str(&said, json);
    }
    return ok;
}
/* Makes a packet of `args`. False: they are no list, or no bytes. */
static bool packet_of(wshub_str args, wshub_packet *packet) {
    static wshub_str list[ARGS];
    wshub_iter it = {0, 0};
    wshub_str value;
    size_t i, from = 0;
    said.len = blob.len = ends_count = spans_count = 0;
    text_add(&said, "", 0);
    text_add(&blob, "", 0);
    if (args.ptr && wshub_json_type(args) != WSHUB_JSON_ARRAY) return false;
    while (args.ptr && wshub_json_each(args, &it, &value)) {
        if (ends_count == ARGS || !say_value(value)) return false;
        ends[ends_count++] = said.len;
    }
    for (i = 0; i < ends_count; from = ends[i++]) {
        list[i].ptr = said.ptr + from;
        list[i].len = ends[i] - from;
    }
    for (i = 0; i < spans_count; i++) spans[i].ptr = (const uint8_t *)blob.ptr + starts[i];
    packet->args = list;
    packet->args_count = ends_count;
    packet->attachments = spans;
    packet->attachments_count = spans_count;
    return true;
}

static const char *do_emit(space *of, wshub_str line) {
    static text event;
    wshub_str ack = wshub_json_get(line, "ack");
    uint64_t timeout = WSHUB_OFF;
    wshub_packet packet;
    bool fleeting = false;
    question *q;
    wshub_err err;
    memset(&packet, 0, sizeof packet);
    if (!copy_text(wshub_json_get(line, "event"), &event)) return "no `event`";
    if (!packet_of(wshub_json_get(line, "args"), &packet)) return "`args` is no list";
    packet.event = text_get(&event);
    (void)wshub_json_bool(wshub_json_get(line, "volatile"), &fleeting);
    if (fleeting) packet.flags = WSHUB_PACKET_VOLATILE;
    if (helper && wshub_sio_socket_state_of(of->socket) != WSHUB_SIO_SOCKET_CONNECTED)
        return "Invalid socket client state to emit";
    if (!ack.ptr) {
        err = wshub_sio_socket_emit(of->socket, &packet);
        return fleeting && err == WSHUB_ERR_STATE ? NULL : failed(err);
    }
    (void)wshub_json_uint(wshub_json_get(line, "timeout"), &timeout);
    if (timeout != WSHUB_OFF && (!timeout || timeout > 86400000)) return "no such `timeout`";
    q = (question *)calloc(1, sizeof *q + ack.len);
    if (!q) abort();
    q->of = of;
    q->id.ptr = (char *)(q + 1);
    q->id.len = ack.len;
    memcpy(q + 1, ack.ptr, ack.len);
    err = wshub_sio_socket_ask(of->socket, &packet, (uint32_t)timeout, on_answer, q);
    if (err) free(q);
    return fleeting && err == WSHUB_ERR_STATE ? NULL : failed(err);
}
static const char *do_ack(wshub_str line) {
    uint64_t n = 0;
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    if (!wshub_json_uint(wshub_json_get(line, "ack"), &n) || !n || n > asked_count ||
        !asked[n - 1].of)
        return "unknown ack";
    if (!packet_of(wshub_json_get(line, "args"), &packet)) return "`args` is no list";
    if (wshub_sio_socket_answer(asked[n - 1].of->socket, asked[n - 1].ack, &packet))
        return "unknown ack";
    asked[n - 1].of = NULL;
    return NULL;
}
static const char *do_rooms(space *of, wshub_str line, bool join) {
    static text names[256];
    static wshub_str rooms[256];
    wshub_str list = wshub_json_get(line, "rooms"), item;
    wshub_iter it = {0, 0};
    size_t n = 0;
    if (!helper) return "needs --helper";
    if (wshub_json_type(list) != WSHUB_JSON_ARRAY) return "no `rooms`";
    while (wshub_json_each(list, &it, &item)) {
        if (n == 256 || !copy_text(item, &names[n])) return "a room is no string";
        rooms[n] = text_get(&names[n]);
        n++;
    }
    if (!n) return NULL;
    return failed(join ? wshub_sio_socket_join(of->socket, rooms, n)
                       : wshub_sio_socket_leave(of->socket, rooms, n));
}
static const char *do_subscribe(space *of, wshub_str line, bool on) {
    static text event;
    text quoted = {0};
    char *at;
    if (!copy_text(wshub_json_get(line, "event"), &event)) return "no `event`";
    text_put(&quoted, "\n%q\n", text_get(&event));
    at = wanted_at(of, &quoted);
    if (on && !at) text_str(&of->wanted, text_get(&quoted));
    if (!on && at) {
        memmove(at, at + quoted.len, strlen(at + quoted.len) + 1);
        of->wanted.len -= quoted.len;
    }
    free(quoted.ptr);
    return NULL;
}
static void print_state(space *of) {
    static const char *const names[] = {"unauthorized", "authenticating", "authenticated"};
    bool connected = wshub_sio_socket_state_of(of->socket) == WSHUB_SIO_SOCKET_CONNECTED;
    print_on(of, "state");
    text_put(&out, ",\"connected\":%s", wshub_str_z(connected ? "true" : "false"));
    if (helper)
        text_put(&out, ",\"state\":%q", wshub_str_z(names[wshub_sio_socket_auth_of(of->socket)]));
    if (connected)
        text_put(&out, ",\"id\":%q", wshub_sio_socket_id(of->socket));
    else
        text_z(&out, ",\"id\":null");
    text_put(&out, ",\"buffered\":%u", (unsigned long)wshub_sio_socket_buffered(of->socket));
    print_line();
}
static void leave(void) {
    size_t i;
    leaving = true;
    for (i = 0; i < spaces_count; i++) (void)wshub_sio_socket_disconnect(spaces[i].socket);
}
static space *space_of(wshub_str line) {
    wshub_str raw = wshub_json_get(line, "nsp");
    static text name;
    size_t i;
    if (!raw.ptr) return &spaces[0];
    for (i = 0; copy_text(raw, &name) && i < spaces_count; i++)
        if (wshub_str_eq(wshub_sio_socket_name(spaces[i].socket), text_get(&name)))
            return &spaces[i];
    return NULL;
}

/* Carries out a command, but for what it prints. NULL: done; else what is wrong with it. */
static const char *carry_out(space *of, wshub_str line, wshub_str name) {
    if (!of) return "unknown namespace";
    if (wshub_str_eq_z(name, "connect")) return failed(wshub_sio_socket_connect(of->socket));
    if (wshub_str_eq_z(name, "disconnect")) return failed(wshub_sio_socket_disconnect(of->socket));
    if (wshub_str_eq_z(name, "drop")) return wshub_sio_client_drop(client) ? "not connected" : NULL;
    if (wshub_str_eq_z(name, "state") || wshub_str_eq_z(name, "quit")) return NULL;
    if (wshub_str_eq_z(name, "emit")) return do_emit(of, line);
    if (wshub_str_eq_z(name, "ack")) return do_ack(line);
    if (wshub_str_eq_z(name, "subscribe")) return do_subscribe(of, line, true);
    if (wshub_str_eq_z(name, "unsubscribe")) return do_subscribe(of, line, false);
    if (wshub_str_eq_z(name, "join")) return do_rooms(of, line, true);
    if (wshub_str_eq_z(name, "leave")) return do_rooms(of, line, false);
    if (!wshub_str_eq_z(name, "auth")) return "unknown command";
    if (!helper) return "needs --helper";
    (void)wshub_sio_socket_authenticate(of->socket); /* where it makes no sense: nothing */
    return NULL;
}
static void command(wshub_str line) {
    static text name;
    bool named =
        wshub_json_type(line) == WSHUB_JSON_OBJECT && copy_text(wshub_json_get(line, "do"), &name);
    space *of = named ? space_of(line) : NULL;
    const char *why = named ? carry_out(of, line, text_get(&name)) : "no object with a `do`";
    print_on(NULL, why ? "error" : "ok");
    if (named)
        text_put(&out, ",\"do\":%q", text_get(&name));
    else
        text_z(&out, ",\"do\":null");
    if (why) text_put(&out, ",\"message\":%q", wshub_str_z(why));
    print_line();
    if (why) return;
    if (wshub_str_eq_z(text_get(&name), "state")) print_state(of);
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
        if (!leaving && line.len) command(text_get(&line));
        line.len = 0;
        from = i + 1;
    }
    text_add(&line, bytes + from, (size_t)(n - from));
    if (line.len > LINE_MAX_BYTES) line.len = 0;
}

/* ---- the command line ---- */

static int usage(const char *why, const char *what) {
    (void)fprintf(stderr, "fixture-sio-client: %s%.200s\n", why, what);
    return 2;
}
static bool flag(const char *name) {
    if (strcmp(name, "--sio") == 0) return true;
    if (strcmp(name, "--helper") == 0) return helper = true;
    if (strcmp(name, "--no-connect") == 0) return no_connect = true;
    if (strcmp(name, "--auto-auth") == 0) return auto_auth = true;
    if (strcmp(name, "--no-reconnect") == 0) return desc.no_reconnect = true;
    if (strcmp(name, "--no-cookies") == 0) return desc.no_cookies = true;
    return false;
}
static const char *list = "/", *auth;
static uint32_t retries, ack_timeout_ms;
static bool transports(const char *value) {
    static const char *const lists[] = {"websocket", "polling", "polling,websocket"};
    size_t i = 0;
    while (i < 3 && strcmp(value, lists[i]) != 0) i++;
    desc.transports = (wshub_eio_transports)i;
    return i < 3;
}
/* An option with a value. 0: bad value; 1: done; -1: unknown. */
static int option(const char *name, char *value) {
    uint32_t *to = NULL;
    char *end;
    unsigned long n;
    if (strcmp(name, "--url") == 0) return (desc.ws.url = value) != NULL;
    if (strcmp(name, "--path") == 0) return (desc.path = value) != NULL;
    if (strcmp(name, "--query") == 0) return (desc.query = value) != NULL;
    if (strcmp(name, "--nsp") == 0) return *(list = value) != 0;
    if (strcmp(name, "--auth") == 0)
        return wshub_json_type(wshub_str_z(auth = value)) == WSHUB_JSON_OBJECT;
    if (strcmp(name, "--transports") == 0) return transports(value);
    if (strcmp(name, "--connect-timeout") == 0) to = &desc.ws.connect_timeout_ms;
    if (strcmp(name, "--reconnect-delay") == 0) to = &desc.reconnect_delay_ms;
    if (strcmp(name, "--reconnect-max") == 0) to = &desc.reconnect_delay_max_ms;
    if (strcmp(name, "--retries") == 0) to = &retries;
    if (strcmp(name, "--ack-timeout") == 0) to = &ack_timeout_ms;
    if (!to) return -1;
    if (*value < '0' || *value > '9' || strlen(value) > 8) return 0;
    n = strtoul(value, &end, 10);
    if (*end || !n || n > 86400000) return 0;
    *to = (uint32_t)n;
    return 1;
}
static int read_options(int argc, char **argv) {
    int i, took;
    for (i = 1; i < argc; i++) {
        if (flag(argv[i])) continue;
        took = i + 1 < argc ? option(argv[i], argv[i + 1]) : -1;
        if (took < 0) return usage("unknown option, or one without its value: ", argv[i]);
        if (!took) return usage("bad value for ", argv[i]);
        i++;
    }
    if (!desc.ws.url) return usage("--url is required", "");
    desc.events = &client_events;
    if (wshub_sio_client_desc_problem(&desc))
        return usage("", wshub_sio_client_desc_problem(&desc));
    return 0;
}
/* Makes a socket for each name of the list. */
static bool make_spaces(void) {
    static char names[4096];
    char *at = names, *comma;
    (void)snprintf(names, sizeof names, "%s", list);
    for (; at && spaces_count < SPACES; at = comma ? comma + 1 : NULL) {
        space *of = &spaces[spaces_count];
        comma = strchr(at, ',');
        if (comma) *comma = 0;
        of->desc.name = at;
        of->desc.events = &events;
        of->desc.auth = auth;
        of->desc.no_connect = no_connect;
        of->desc.helper = helper;
        of->desc.auto_auth = helper && auto_auth;
        of->desc.retries = retries;
        of->desc.ack_timeout_ms = ack_timeout_ms;
        if (wshub_sio_socket_create(client, &of->desc, of, &of->socket)) return false;
        spaces_count++;
    }
    return true;
}
/* Until it has left: what is ready of the net and of standard input. */
static void serve(void) {
    while (!leaving || wshub_sio_client_state_of(client) != WSHUB_SIO_CLIENT_IDLE ||
           wshub_sio_client_is_leaving(client)) {
        struct pollfd fds[2] = {{0, POLLIN, 0}, {0, POLLIN, 0}};
        fds[0].fd = wshub_io_sock_fd(net);
        fds[1].fd = leaving ? -1 : 0;
        (void)poll(fds, 2, wshub_io_sock_timeout(net));
        if (fds[1].revents) read_input();
        if (wshub_io_sock_run_once(net, 0)) return;
    }
}
int main(int argc, char **argv) {
    wshub_ws_pool_desc pd;
    int status = read_options(argc, argv);
    if (status) return status;
    (void)signal(SIGPIPE, SIG_IGN);
    memset(&pd, 0, sizeof pd);
    if (wshub_io_auto_create(NULL, &net)) return usage("no io", "");
    pd.io = wshub_io_sock_io(net);
    if (wshub_ws_pool_create(&pd, &pool) || wshub_sio_client_create(pool, &desc, NULL, &client))
        return usage("no client", "");
    if (!make_spaces()) return usage("bad value for ", "--nsp");
    serve();
    wshub_sio_client_destroy(client);
    wshub_ws_pool_destroy(pool);
    wshub_io_sock_destroy(net);
    return 0;
}
