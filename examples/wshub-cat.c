/* wshub-cat: lines to a hub, a server of Socket.IO or any WebSocket, and what comes back as lines.
 *
 * Build: cc wshub-cat.c -I.. -I../backends -pthread -o wshub-cat (in examples/)
 *        for wss:// with -DWITH_OPENSSL -lssl -lcrypto or -DWITH_MBEDTLS -lmbedtls -lmbedx509
 *        -lmbedcrypto, for --deflate with -DWITH_ZLIB -lz
 * Try:   echo '{"event":"chat","data":{"text":"hi"}}' | ./wshub-cat ws://127.0.0.1:8080/ws --token x
 *
 * A line of standard input is a message. With --raw it is sent as it is, to any WebSocket; else the
 * hub's protocol is spoken, and a line is {"event":...,"data":...}, or with --event NAME the data
 * of that event: JSON with --json, else a text. What comes is printed a message a line, the same
 * way; --data prints the data alone. --exact prints and reads raw messages as {"text":...} or
 * {"hex":...}, so that each comes back byte for byte, whatever lies in it.
 *
 * With --socketio the server is one of Socket.IO, at http://HOST:PORT: a line is
 * {"event":...,"args":[...]}, or with --event NAME the one argument of that event. With "ack":K in it,
 * K any JSON, or with --ack, where K is the number of the line, the server is asked for an
 * acknowledgement, which is printed as {"ack":K,"args":[...]}, or {"ack":K,"error":...}. An event that
 * is printed with "id":N is answered by the line {"id":N,"args":[...]}. Bytes are {"$bin":"hex"}; an
 * object that has such a key has one more dollar in its line, so that each comes back byte for byte.
 * Where the server recovers, the last argument is its offset.
 *
 * It ends when the server closes, whatever standard input does; or, behind the end of the input,
 * when nothing has come for --quiet milliseconds (1000) and no acknowledgement is awaited. With --reconnect it comes back instead.
 * Exit status: 0 it ended in order (a Close with 1000, 1001 or without a code, a DISCONNECT, or ours),
 * 1 a line could not be read, sent or printed, or was not acknowledged, 2 the command line, 3 no connection, 4 refused, 5 the
 * connection was lost, 6 closed with another code. A terminal hands over lines of 4,095 bytes at
 * most, and loses the rest: paste longer ones by a file. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client_socketio.h"
#include "client_tls.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "sio_lines.h"
#include "tool_streams.h"

enum { LINE_BYTES_MAX = 16 << 20, UNSENT_MAX = 1 << 18, MANY = 64 };
enum { IN_ORDER, NOT_SENT, USAGE, NO_CONNECTION, REFUSED, LOST, CLOSED };

static wshub_io_sock *net;
static client_tls tls;
static wshub_ws_pool *pool;
static wshub_ext_client *client;
static wshub_ext_client_desc desc;
static wshub_ext_client_events events;
static wshub_header headers[MANY];
static wshub_str rooms[MANY];
static size_t rooms_count;
static const char *event_name, *on_name, *token;
static bool raw, json, exact, data_only, reconnect, ended, over, refused;
static uint32_t quiet_ms = 1000, answer_ms = 10000;
static uint64_t last_ms;   /* when something was sent or came */
static uint64_t let_in_ms; /* until when the hub has to let us in; 0: it has, or nobody is asked */
static int status;

/* --socketio */
static bool socketio, ask_all;
static wshub_sio_client *sio_client;
static wshub_sio_socket *sio_socket;
static wshub_sio_client_desc sio_desc;
static wshub_sio_socket_desc space_desc;
static unsigned long line_number, asked; /* asked: acknowledgements that are awaited */

static char *line; /* what has come of a line */
static size_t line_len, line_cap;

/* ---- out ---- */

static void put(const void *bytes, size_t count) {
    if (count) (void)fwrite(bytes, 1, count, stdout);
}
static void put_line_end(void) {
    (void)fputc('\n', stdout);
    last_ms = wshub_ws_now_ms(pool);
    if (ended || tool_streams_flush("wshub-cat")) return;
    if (errno != EPIPE) status = NOT_SENT;
    ended = true; /* nobody reads any more */
}
static void put_quoted(wshub_str text) {
    size_t len = wshub_json_quote(text, NULL, 0);
    char *quoted = (char *)malloc(len + 1);
    if (!quoted) exit(LOST);
    put(quoted, wshub_json_quote(text, quoted, len));
    free(quoted);
}
/* JSON as it came, but on one line: between its tokens there may be ends of lines, and what stands
 * behind one could be taken for a line of ours. */
static void put_json(wshub_str value) {
    while (value.len) {
        size_t n = 0;
        while (n < value.len && value.ptr[n] != '\n' && value.ptr[n] != '\r') n++;
        put(value.ptr, n);
        if (n < value.len) put(" ", 1), n++;
        value.ptr += n;
        value.len -= n;
    }
}
static void on_message(wshub_ext_client *c, wshub_ws_kind kind, uint8_t *bytes, size_t count,
                       void *user) {
    wshub_str text;
    size_t i;
    (void)c;
    (void)user;
    text.ptr = (const char *)bytes;
    text.len = count;
    if (!exact) {
        put(bytes, count);
    } else if (kind == WSHUB_WS_TEXT) {
        put("{\"text\":", 8);
        put_quoted(text);
        put("}", 1);
    } else {
        put("{\"hex\":\"", 8);
        for (i = 0; i < count; i++) (void)printf("%02x", bytes[i]);
        put("\"}", 2);
    }
    put_line_end();
}
static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    char *plain;
    size_t len;
    (void)c;
    (void)user;
    if (!data_only) {
        put("{\"event\":", 9);
        put_quoted(event->event);
        if (event->data.ptr) put(",\"data\":", 8);
        put_json(event->data);
        put("}", 1);
    } else if (!json && wshub_json_type(event->data) == WSHUB_JSON_STRING) {
        plain = (char *)malloc(event->data.len);
        if (!plain) exit(LOST);
        len = wshub_json_text(event->data, plain, event->data.len);
        put(plain, len);
        free(plain);
    } else {
        put_json(event->data);
    }
    put_line_end();
}
static void complain(const char *what, const char *text) {
    (void)fprintf(stderr, "wshub-cat: %s%s\n", what, text);
}

/* ---- coming and going ---- */

static void end(int with) {
    if (!ended && with != IN_ORDER) status = with; /* else a line may not have been sent */
    ended = true;
}
static void on_connected(wshub_ext_client *c, const wshub_ws_about *about, void *user) {
    (void)c;
    (void)about;
    (void)user;
    last_ms = wshub_ws_now_ms(pool);
    if (!raw)
        let_in_ms = last_ms + (desc.ws.connect_timeout_ms ? desc.ws.connect_timeout_ms : 20000);
}
static void on_connect_error(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                             void *user) {
    (void)c;
    (void)user;
    complain("no connection: ", gone->text);
    if (!again) end(gone->why == WSHUB_WS_END_STATUS ? REFUSED : NO_CONNECTION);
}
static void on_authenticated(wshub_ext_client *c, wshub_str id, wshub_str data, void *user) {
    (void)c;
    (void)id;
    (void)data;
    (void)user;
    last_ms = wshub_ws_now_ms(pool);
    let_in_ms = 0;
}
static void on_unauthenticated(wshub_ext_client *c, wshub_str message, void *user) {
    (void)c;
    (void)user;
    refused = true;
    (void)fprintf(stderr, "wshub-cat: refused: %.*s\n", (int)message.len, message.ptr);
}
static void on_disconnected(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                            void *user) {
    bool in_order = gone->code == 1000 || gone->code == 1001 || gone->code == 1005;
    (void)c;
    (void)user;
    let_in_ms = 0;
    if (again && !over) return;
    if (gone->why != WSHUB_WS_END_CLOSE) complain("lost: ", gone->text);
    end(refused ? REFUSED : gone->why != WSHUB_WS_END_CLOSE ? LOST : in_order ? IN_ORDER : CLOSED);
}

/* ---- Socket.IO: out ---- */

/* Prints what was put together, as a line. */
static void put_text(sio_text *text) {
    put(text->ptr, text->len);
    put_line_end();
    free(text->ptr);
}
/* With --data: a text as it is, any other one argument, or a list. */
static void put_args_alone(const wshub_str *args, size_t count, const wshub_span *bytes,
                           size_t bytes_count) {
    sio_text out = {NULL, 0, 0};
    if (count == 1 && !json && wshub_json_type(args[0]) == WSHUB_JSON_STRING) {
        sio_add(&out, args[0].ptr, args[0].len); /* as long as its text at least */
        out.len = wshub_json_text(args[0], out.ptr, out.len);
    } else if (count == 1) {
        sio_add_value(&out, args[0], bytes, bytes_count);
    } else {
        sio_add_args(&out, args, count, bytes, bytes_count);
    }
    put_text(&out);
}
static void sio_on_event(wshub_sio_socket *socket, const wshub_sio_event *event, void *user) {
    sio_text out = {NULL, 0, 0};
    char id[40];
    (void)socket;
    (void)user;
    if (on_name && !wshub_str_eq_z(event->name, on_name)) return;
    if (data_only) {
        put_args_alone(event->args, event->args_count, event->attachments,
                       event->attachments_count);
        return;
    }
    sio_add_z(&out, "{\"event\":");
    sio_add_quoted(&out, event->name);
    sio_add_z(&out, ",\"args\":");
    sio_add_args(&out, event->args, event->args_count, event->attachments,
                 event->attachments_count);
    (void)snprintf(id, sizeof id, ",\"id\":%llu", (unsigned long long)event->ack.id);
    if (event->ack.id) sio_add_z(&out, id);
    sio_add_z(&out, "}");
    put_text(&out);
}
/* An acknowledgement, or that there is none. user: what the line calls it, ours. */
static void sio_on_answer(wshub_sio_socket *socket, const wshub_sio_answers *answers, void *user) {
    sio_text out = {NULL, 0, 0};
    (void)socket;
    asked--;
    if (answers->error) status = NOT_SENT;
    if (data_only && !answers->error) {
        put_args_alone(answers->args, answers->args_count, answers->attachments,
                       answers->attachments_count);
        free(user);
        return;
    }
    sio_add_z(&out, "{\"ack\":");
    sio_add_z(&out, (const char *)user);
    free(user);
    sio_add_z(&out, answers->error ? ",\"error\":" : ",\"args\":");
    if (answers->error)
        sio_add_quoted(&out, wshub_str_z(answers->error));
    else
        sio_add_args(&out, answers->args, answers->args_count, answers->attachments,
                     answers->attachments_count);
    sio_add_z(&out, "}");
    put_text(&out);
}

/* ---- Socket.IO: coming and going ---- */

static void sio_on_connected(wshub_sio_socket *socket, wshub_str id, bool recovered, void *user) {
    (void)socket;
    (void)id;
    (void)recovered;
    (void)user;
    last_ms = wshub_ws_now_ms(pool);
}
static void sio_on_connect_error(wshub_sio_socket *socket, const wshub_sio_connect_error *error,
                                 void *user) {
    bool no = error->refused || (error->gone && error->gone->why == WSHUB_WS_END_STATUS);
    (void)socket;
    (void)user;
    (void)fprintf(stderr, "wshub-cat: %s: %.*s%s%.*s\n",
                  error->refused ? "refused" : "no connection", (int)error->message.len,
                  error->message.ptr, error->data.ptr ? " " : "", (int)error->data.len,
                  error->data.ptr ? error->data.ptr : "");
    if (!error->again) end(no ? REFUSED : NO_CONNECTION);
}
static void sio_on_disconnected(wshub_sio_socket *socket, const char *reason, bool again,
                                void *user) {
    bool in_order = strcmp(reason, "io server disconnect") == 0;
    (void)socket;
    (void)user;
    if (strcmp(reason, "io client disconnect") == 0) return; /* that was ours: sio_on_closed() */
    if (again && !over) return;
    if (!in_order) complain("lost: ", reason);
    end(in_order ? IN_ORDER : LOST);
}
/* All that was sent has left. */
static void sio_on_closed(wshub_sio_client *c, void *user) {
    (void)c;
    (void)user;
    end(IN_ORDER);
}

/* ---- Socket.IO: in ---- */

static wshub_err not_sent(const char *why) {
    complain("a line is not sent: ", why);
    status = NOT_SENT;
    return WSHUB_OK; /* it is said */
}
/* Emits, and asks if ack is something. */
static wshub_err sio_emit(const wshub_packet *packet, wshub_str ack) {
    char *name;
    wshub_err err;
    if (!ack.ptr) return wshub_sio_socket_emit(sio_socket, packet);
    name = (char *)malloc(ack.len + 1);
    if (!name) return WSHUB_ERR_NOMEM;
    memcpy(name, ack.ptr, ack.len);
    name[ack.len] = 0;
    err = wshub_sio_socket_ask(sio_socket, packet, answer_ms, sio_on_answer, name);
    if (err)
        free(name);
    else
        asked++;
    return err;
}
/* Takes the arguments of a line in full: a list, or none. */
static const char *sio_take_list(sio_args *args, wshub_str list) {
    wshub_iter iter = {0, 0};
    wshub_str value;
    const char *wrong = NULL;
    if (list.ptr && wshub_json_type(list) != WSHUB_JSON_ARRAY) return "`args` is no list";
    while (!wrong && list.ptr && wshub_json_each(list, &iter, &value))
        wrong = sio_args_take(args, value);
    return wrong;
}
/* {"event":...,"args":[...],"ack":...} or {"id":...,"args":[...]} */
static wshub_err sio_send_object(sio_args *args, wshub_str text, wshub_str ack) {
    wshub_str event = wshub_json_get(text, "event"), own = wshub_json_get(text, "ack");
    wshub_packet packet;
    wshub_sio_ack to = {0};
    const char *wrong = sio_take_list(args, wshub_json_get(text, "args"));
    char *name;
    wshub_err err;
    memset(&packet, 0, sizeof packet);
    if (!wrong) wrong = sio_args_done(args, &packet);
    if (wrong) return not_sent(wrong);
    if (wshub_json_uint(wshub_json_get(text, "id"), &to.id))
        return wshub_sio_socket_answer(sio_socket, to, &packet);
    if (wshub_json_type(event) != WSHUB_JSON_STRING) return not_sent("no `event`");
    name = (char *)malloc(event.len);
    if (!name) return WSHUB_ERR_NOMEM;
    packet.event.ptr = name;
    packet.event.len = wshub_json_text(event, name, event.len);
    err = sio_emit(&packet, own.ptr ? own : ack);
    free(name);
    return err;
}
/* The argument of the event of the command line. */
static wshub_err sio_send_argument(sio_args *args, wshub_str text, wshub_str ack) {
    wshub_packet packet;
    sio_text quoted = {NULL, 0, 0};
    const char *wrong;
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z(event_name);
    if (!json) {
        sio_add_quoted(&quoted, text);
        text.ptr = quoted.ptr;
        text.len = quoted.len;
    }
    wrong = sio_args_take(args, text);
    if (!wrong) wrong = sio_args_done(args, &packet);
    free(quoted.ptr);
    return wrong ? not_sent(wrong) : sio_emit(&packet, ack);
}
static wshub_err sio_send_line(wshub_str text) {
    static sio_args args;
    char number[24];
    wshub_str ack = {NULL, 0};
    (void)snprintf(number, sizeof number, "%lu", ++line_number);
    if (ask_all) ack = wshub_str_z(number);
    sio_args_begin(&args);
    return event_name ? sio_send_argument(&args, text, ack) : sio_send_object(&args, text, ack);
}

/* ---- in ---- */

static bool can_send_sio(void) {
    return wshub_sio_socket_state_of(sio_socket) == WSHUB_SIO_SOCKET_CONNECTED &&
           !wshub_sio_socket_buffered(sio_socket) && /* while it polls there is no WebSocket */
           wshub_ws_unsent(pool, wshub_sio_client_ws(sio_client)) < UNSENT_MAX;
}
static bool can_send(void) {
    wshub_ext_client_state state;
    bool there;
    if (socketio) return can_send_sio();
    state = wshub_ext_client_state_of(client);
    there = raw ? state >= WSHUB_EXT_CLIENT_UNAUTHORIZED && state < WSHUB_EXT_CLIENT_LEAVING
                : state == WSHUB_EXT_CLIENT_AUTHENTICATED;
    return there && wshub_ws_unsent(pool, wshub_ext_client_ws(client)) < UNSENT_MAX;
}
static wshub_err send_raw(wshub_ws_kind kind, const void *bytes, size_t count) {
    return wshub_ws_send(pool, wshub_ext_client_ws(client), kind, bytes, count);
}
/* {"text":...} or {"hex":...} as a message. */
static wshub_err send_exact(wshub_str object) {
    wshub_str text = wshub_json_get(object, "text"), hex = wshub_json_get(object, "hex");
    char *bytes = (char *)malloc(object.len + 1);
    wshub_err err = WSHUB_ERR_JSON;
    size_t len, i, n = 0;
    if (!bytes) return WSHUB_ERR_NOMEM;
    if (wshub_json_type(text) == WSHUB_JSON_STRING) {
        err = send_raw(WSHUB_WS_TEXT, bytes, wshub_json_text(text, bytes, object.len));
    } else if (wshub_json_type(hex) == WSHUB_JSON_STRING) {
        len = wshub_json_text(hex, bytes, object.len);
        for (i = 0; i + 1 < len; i += 2) {
            int high = sio_digit(bytes[i]), low = sio_digit(bytes[i + 1]);
            if (high < 0 || low < 0) break;
            bytes[n++] = (char)(high << 4 | low);
        }
        if (i == len) err = send_raw(WSHUB_WS_BINARY, bytes, n);
    }
    free(bytes);
    return err;
}
static wshub_err send_event(wshub_str text) {
    char name[WSHUB_NAME_BYTES_MAX + 1], *quoted = NULL;
    wshub_msg msg;
    wshub_err err;
    memset(&msg, 0, sizeof msg);
    msg.data = text;
    msg.event = wshub_str_z(event_name ? event_name : "");
    if (!event_name) {
        if (wshub_json_copy(wshub_json_get(text, "event"), name, sizeof name, &msg.event.len))
            return WSHUB_ERR_JSON;
        msg.event.ptr = name;
        msg.data = wshub_json_get(text, "data");
    } else if (!json) {
        msg.data.len = wshub_json_quote(text, NULL, 0);
        msg.data.ptr = quoted = (char *)malloc(msg.data.len + 1);
        if (!quoted) return WSHUB_ERR_NOMEM;
        (void)wshub_json_quote(text, quoted, msg.data.len);
    }
    err = wshub_ext_client_emit(client, &msg, false);
    free(quoted);
    return err;
}
static void send_line(void) {
    wshub_str text;
    wshub_err err;
    text.ptr = line ? line : "";
    text.len = line_len;
    if (socketio)
        err = sio_send_line(text);
    else if (exact)
        err = send_exact(text);
    else
        err = raw ? send_raw(WSHUB_WS_TEXT, text.ptr, text.len) : send_event(text);
    line_len = 0;
    last_ms = wshub_ws_now_ms(pool);
    if (!err) return;
    complain("a line is not sent: ", wshub_strerror(err));
    status = NOT_SENT;
}
/* Adds a piece to the line. */
static void add(const char *bytes, size_t count) {
    if (line_len + count > LINE_BYTES_MAX) {
        complain("a line is over 16 MiB", "");
        exit(NOT_SENT);
    }
    if (line_len + count + 1 > line_cap) {
        line_cap = (line_len + count + 1) * 2;
        line = (char *)realloc(line, line_cap);
        if (!line) exit(LOST);
    }
    memcpy(line + line_len, bytes, count);
    line_len += count;
}
static void read_input(void) {
    static char bytes[65536];
    ssize_t n = read(0, bytes, sizeof bytes), i, from = 0;
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    for (i = 0; i < n; i++) {
        if (bytes[i] != '\n') continue;
        add(bytes + from, (size_t)(i - from));
        send_line();
        from = i + 1;
    }
    if (n > 0) add(bytes + from, (size_t)(n - from));
    if (n > 0) return;
    if (n < 0) {
        complain("the input cannot be read: ", strerror(errno));
        status = NOT_SENT;
    }
    if (line_len) send_line(); /* the last one needs no end */
    over = true;
}

/* ---- the command line ---- */

static int usage(const char *why, const char *what) {
    if (why) (void)fprintf(stderr, "wshub-cat: %s%s\n", why, what);
    (void)fputs("usage: wshub-cat ws://HOST[:PORT]/PATH [options]\n"
                "       wshub-cat http://HOST[:PORT] --socketio [options]\n"
                "  --raw            any WebSocket: each line is a message\n"
                "  --exact          raw, each message as {\"text\":...} or {\"hex\":...}\n"
                "  --socketio       a server of Socket.IO; bytes are {\"$bin\":\"hex\"}\n"
                "  --namespace NAME of Socket.IO (/); --path PATH: of its mount (/socket.io/)\n"
                "  --query A=B      of Socket.IO: in the query\n"
                "  --transports L   of Socket.IO: polling, or polling,websocket (websocket)\n"
                "  --ack            of Socket.IO: ask for an acknowledgement of each line\n"
                "  --answer MS      of Socket.IO: how long one is awaited (10000)\n"
                "  --token T        authenticate with {\"type\":\"Bearer\",\"token\":T};\n"
                "                   Socket.IO: {\"token\":T}\n"
                "  --auth JSON      authenticate with this; Socket.IO: say it at CONNECT\n"
                "  --join ROOM      be in a room; may be repeated\n"
                "  --event NAME     lines are the data of this event\n"
                "  --on NAME        print this event only\n"
                "  --json           with --event: the data is JSON\n"
                "  --data           print the data of events alone\n"
                "  --header 'N: V'  one more field of the request; may be repeated\n"
                "  --protocol A,B   subprotocols\n"
                "  --proxy URL      http://[user:password@]host:port, asked to CONNECT\n"
                "  --deflate        offer permessage-deflate\n"
                "  --cacert FILE    wss: trust these roots (PEM), and no others\n"
                "  --cert FILE      wss: our own certificate; --key FILE: its key\n"
                "  --insecure       wss: do not verify who answers\n"
                "  --timeout MS     for a connection, and then to be authenticated (20000)\n"
                "  --quiet MS       how long nothing comes behind the end of the input (1000)\n"
                "  --reconnect      come back when the connection is lost\n",
                stderr);
    return USAGE;
}
static bool add_header(const char *text) {
    const char *colon = strchr(text, ':');
    wshub_header *header = &headers[desc.ws.headers_count];
    if (!colon || desc.ws.headers_count == MANY) return false;
    header->name.ptr = text;
    header->name.len = (size_t)(colon - text);
    header->value = wshub_str_z(colon + 1 + strspn(colon + 1, " "));
    desc.ws.headers = headers;
    desc.ws.headers_count++;
    return true;
}
/* {"type":"Bearer","token":T}; of Socket.IO the token alone */
static bool set_auth(void) {
    static char auth[8192];
    wshub_json_writer w;
    wshub_str done;
    if (!token) return true;
    wshub_json_begin(&w, auth, sizeof auth - 1);
    wshub_json_put_object(&w, NULL);
    if (!socketio) wshub_json_put_text(&w, "type", "Bearer");
    wshub_json_put_text(&w, "token", token);
    wshub_json_put_end(&w);
    desc.auth = auth;
    return wshub_json_done(&w, &done) == WSHUB_OK;
}
/* What carries a connection: as the list of Node's client. */
static bool set_transports(const char *list) {
    if (strcmp(list, "websocket") == 0) sio_desc.transports = WSHUB_EIO_WEBSOCKET_ONLY;
    if (strcmp(list, "polling") == 0) sio_desc.transports = WSHUB_EIO_POLLING_ONLY;
    if (strcmp(list, "polling,websocket") == 0) sio_desc.transports = WSHUB_EIO_POLLING_FIRST;
    return strcmp(list, "websocket") == 0 || sio_desc.transports;
}
static bool set_ms(const char *value, uint32_t *to) {
    char *stop;
    unsigned long n = strtoul(value, &stop, 10);
    *to = (uint32_t)n;
    return *value >= '0' && *value <= '9' && !*stop && n > 0 && n <= 86400000;
}
static bool flag(const char *name) {
    if (strcmp(name, "--raw") == 0) return raw = true;
    if (strcmp(name, "--exact") == 0) return raw = exact = true;
    if (strcmp(name, "--json") == 0) return json = true;
    if (strcmp(name, "--socketio") == 0) return socketio = true;
    if (strcmp(name, "--ack") == 0) return ask_all = true;
    if (strcmp(name, "--data") == 0) return data_only = true;
    if (strcmp(name, "--reconnect") == 0) return reconnect = true;
    if (strcmp(name, "--deflate") == 0) return client_codec() && (desc.ws.deflate = true);
    if (strcmp(name, "--insecure") == 0)
        return client_has_tls() && (desc.ws.verify = WSHUB_VERIFY_NONE) == WSHUB_VERIFY_NONE;
    return false;
}
static bool option(const char *name, const char *value) {
    if (strcmp(name, "--token") == 0) return (token = value) != NULL;
    if (strcmp(name, "--auth") == 0) return (desc.auth = value) != NULL;
    if (strcmp(name, "--event") == 0) return (event_name = value) != NULL;
    if (strcmp(name, "--on") == 0) return (on_name = value) != NULL;
    if (strcmp(name, "--header") == 0) return add_header(value);
    if (strcmp(name, "--protocol") == 0) return (desc.ws.protocols = value) != NULL;
    if (strcmp(name, "--proxy") == 0) return (desc.ws.proxy = value) != NULL;
    if (strcmp(name, "--cacert") == 0) return client_has_tls() && (tls.ca = value);
    if (strcmp(name, "--cert") == 0) return client_has_tls() && (tls.cert = value);
    if (strcmp(name, "--key") == 0) return client_has_tls() && (tls.key = value);
    if (strcmp(name, "--timeout") == 0) return set_ms(value, &desc.ws.connect_timeout_ms);
    if (strcmp(name, "--quiet") == 0) return set_ms(value, &quiet_ms);
    if (strcmp(name, "--answer") == 0) return set_ms(value, &answer_ms);
    if (strcmp(name, "--namespace") == 0) return (space_desc.name = value) != NULL;
    if (strcmp(name, "--path") == 0) return (sio_desc.path = value) != NULL;
    if (strcmp(name, "--query") == 0) return (sio_desc.query = value) != NULL;
    if (strcmp(name, "--transports") == 0) return set_transports(value);
    if (strcmp(name, "--join") != 0 || rooms_count == MANY) return false;
    rooms[rooms_count++] = wshub_str_z(value);
    return true;
}
/* What to say of an option that was not taken. */
static const char *needs(const char *name) {
    static const char *const of_tls[] = {"--cacert", "--cert", "--key", "--insecure"};
    size_t i;
    if (strcmp(name, "--deflate") == 0 && !client_codec()) return "built without zlib: ";
    for (i = 0; i < sizeof of_tls / sizeof *of_tls; i++) {
        if (strcmp(name, of_tls[i]) == 0 && !client_has_tls()) return "built without TLS: ";
    }
    return "bad option or value: ";
}
static int read_options(int argc, char **argv) {
    int i;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) return usage(NULL, "");
        if (argv[i][0] != '-') {
            desc.ws.url = argv[i];
        } else if (!flag(argv[i])) {
            if (i + 1 == argc || !option(argv[i], argv[i + 1]))
                return usage(needs(argv[i]), argv[i]);
            i++;
        }
    }
    return 0;
}

/* What the options come to. NULL: all is well; else what is wrong. */
static const char *settle_hub(void) {
    desc.no_reconnect = !reconnect;
    desc.auto_auth = !raw && !desc.auth;
    if (!raw && !desc.auth) desc.auth = "{}";
    events.connected = on_connected;
    events.connect_error = on_connect_error;
    events.authenticated = on_authenticated;
    events.unauthenticated = on_unauthenticated;
    events.disconnected = on_disconnected;
    events.event = on_event;
    if (raw) events.message = on_message;
    desc.events = &events;
    if (ask_all || space_desc.name || sio_desc.path || sio_desc.query)
        return "--ack, --namespace, --path and --query are for --socketio";
    return wshub_ext_client_desc_problem(&desc);
}
static const char *settle_sio(void) {
    static const wshub_sio_client_events client_events = {NULL, NULL, sio_on_closed};
    static wshub_sio_socket_events socket_events;
    socket_events.connected = sio_on_connected;
    socket_events.connect_error = sio_on_connect_error;
    socket_events.disconnected = sio_on_disconnected;
    socket_events.event = sio_on_event;
    space_desc.events = &socket_events;
    space_desc.auth = desc.auth;
    sio_desc.ws = desc.ws;
    sio_desc.events = &client_events;
    sio_desc.no_reconnect = !reconnect;
    sio_desc.buffer_bytes = 2 * LINE_BYTES_MAX;
    sio_desc.packet_bytes_max = LINE_BYTES_MAX;
    if (raw || rooms_count) return "--raw, --exact and --join are not for --socketio";
    if (wshub_sio_client_desc_problem(&sio_desc)) return wshub_sio_client_desc_problem(&sio_desc);
    return wshub_sio_socket_desc_problem(&space_desc);
}
static int settle_options(void) {
    const char *wrong = set_auth() ? NULL : "--token: too long";
    desc.ws.close_timeout_ms = 500; /* who closes and does not end is not waited for */
    desc.ws.message_bytes_max = LINE_BYTES_MAX;
    desc.ws.unsent_bytes_max = 2 * LINE_BYTES_MAX;
    if (!wrong) wrong = socketio ? settle_sio() : settle_hub();
    if (wrong) return usage("", wrong);
    if (desc.ws.verify == WSHUB_VERIFY_NONE)
        complain("WARNING: --insecure: whoever answers is believed, and may read and change all",
                 "");
    return 0;
}

/* What the poll waits for at most: to be let in, or behind the end of the input for the quiet time
 * to pass. */
static int patience(void) {
    int net_ms = wshub_io_sock_timeout(net), left;
    uint64_t now = wshub_ws_now_ms(pool), until = last_ms + quiet_ms;
    if (let_in_ms)
        until = let_in_ms;
    else if (!over || asked || !can_send())
        return net_ms;
    left = now >= until ? 0 : (int)(until - now);
    return net_ms < 0 || left < net_ms ? left : net_ms;
}
static void leave(void) {
    wshub_str none = {"", 0};
    if (socketio)
        (void)wshub_sio_socket_disconnect(sio_socket);
    else
        (void)wshub_ext_client_disconnect(client, 1000, none);
}
static void serve(void) {
    bool leaving = false;
    while (!ended) {
        struct pollfd fds[2] = {{0, POLLIN, 0}, {0, POLLIN, 0}};
        fds[0].fd = wshub_io_sock_fd(net);
        fds[1].fd = !over && can_send() ? 0 : -1;
        (void)poll(fds, 2, leaving ? wshub_io_sock_timeout(net) : patience());
        if (fds[1].revents) read_input();
        if (wshub_io_sock_run_once(net, 0)) return;
        if (let_in_ms && wshub_ws_now_ms(pool) >= let_in_ms) {
            complain("refused: it does not authenticate, so it may be no hub (--raw)", "");
            end(REFUSED);
        }
        if (!over || leaving || asked || !can_send()) continue;
        if (wshub_ws_now_ms(pool) < last_ms + quiet_ms) continue;
        leaving = true;
        leave();
    }
}

/* Makes the client that the options want. */
static wshub_err open_client(void) {
    wshub_err err;
    if (socketio) {
        err = wshub_sio_client_create(pool, &sio_desc, NULL, &sio_client);
        return err ? err : wshub_sio_socket_create(sio_client, &space_desc, NULL, &sio_socket);
    }
    err = wshub_ext_client_create(pool, &desc, NULL, &client);
    if (err) return err;
    (void)wshub_ext_client_subscribe(client, wshub_str_z(on_name ? on_name : "*"));
    if (rooms_count) (void)wshub_ext_client_join(client, rooms, rooms_count);
    return WSHUB_OK;
}

int main(int argc, char **argv) {
    wshub_ws_pool_desc d;
    int failed;
    tool_streams_open();
    failed = read_options(argc, argv);
    if (!failed) failed = settle_options();
    if (failed) return failed;
    (void)signal(SIGPIPE, SIG_IGN);
    if (wshub_io_auto_create(NULL, &net)) return NO_CONNECTION;
    if (!client_tls_open(&tls, wshub_io_sock_io(net))) return usage("TLS: ", tls.why);
    memset(&d, 0, sizeof d);
    d.io = tls.io;
    d.deflate = client_codec();
    if (wshub_ws_pool_create(&d, &pool)) return NO_CONNECTION;
    if (open_client()) return NO_CONNECTION;
    serve();
    wshub_ext_client_destroy(client);
    wshub_sio_client_destroy(sio_client);
    wshub_ws_pool_destroy(pool);
    client_tls_end(&tls);
    wshub_io_sock_destroy(net);
    free(line);
    return status;
}
