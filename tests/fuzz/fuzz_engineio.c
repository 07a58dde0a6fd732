/* An engine and a server of Socket.IO: the bytes are requests, payloads, frames and packets, whole
 * or in pieces, of sessions that poll, move and have WebSockets, with clocks that turn, memory that
 * fails and an application that sends, answers and closes what it is told of. Its first byte says
 * how long pieces are, whether recovery is on, and which allocation fails. Nothing is held at the
 * end. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 20
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_dialect_socketio.h"
#include "wshub_io_fake.h"

enum { CONNS = 4, BODY = 200 };

static size_t held;
static long fail_in;
static int depth;
static wshub *hub;
static wshub_io_fake *net;
static wshub_sio *sio;
static wshub_conn conns[CONNS];
static bool framed[CONNS];
static char sid[21], pid[21];
static wshub_sio_ask_id ask_kept;
static wshub_sio_ack ack_kept;
static uint8_t choice;

static void *alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p;
    (void)user;
    if (new_bytes == 0) {
        held -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (fail_in && --fail_in == 0) return NULL;
    p = malloc(new_bytes);
    MUST(p);
    if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(ptr);
    held += new_bytes;
    held -= old_bytes;
    return p;
}

/* ---- the application: by what was said last, it does one thing or another ---- */

static void answered(wshub_sio *of, const wshub_sio_answers *a, void *user) {
    size_t i;
    (void)of, (void)user;
    for (i = 0; i < a->args_count; i++) MUST(wshub_json_check(a->args[i], 0));
    for (i = 0; i < a->answers_count; i++) MUST(wshub_json_check(a->answers[i].args, 0));
}
static void on_connect(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *handshake,
                       void *user) {
    wshub_str none = {NULL, 0};
    (void)user;
    MUST(wshub_json_type(handshake->auth) == WSHUB_JSON_OBJECT);
    if (choice % 3 == 0)
        ask_kept = ask;
    else if (choice % 3 == 1)
        (void)wshub_sio_accept(of, ask, NULL);
    else
        (void)wshub_sio_refuse(of, ask, "no", none);
}
static void on_connected(wshub_sio *of, wshub_client client, void *user) {
    (void)user;
    (void)wshub_client_join(hub, client, wshub_str_z("all"));
    if (choice % 16 == 9) (void)wshub_sio_disconnect(of, client, choice & 64);
}
static void on_event(wshub_sio *of, wshub_client client, const wshub_sio_event *e, void *user) {
    wshub_dest dest;
    wshub_packet packet;
    wshub_span bytes;
    size_t i;
    (void)user;
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ROOM;
    dest.name = wshub_str_z("all");
    memset(&packet, 0, sizeof packet);
    packet.event = e->name;
    packet.args = e->args;
    packet.args_count = e->args_count;
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    for (i = 0; i < e->args_count; i++) {
        MUST(wshub_json_check(e->args[i], 0));
        (void)wshub_sio_bytes(e->attachments, e->attachments_count, e->args[i], &bytes);
    }
    switch (choice % 8) {
    case 0: ack_kept = e->ack; break;
    case 1: (void)wshub_sio_ask(of, client, &packet, 100, answered, NULL); break;
    case 2:
        (void)wshub_sio_ask_all(of, wshub_sio_namespace_of(of, client), &dest, &packet, 100,
                                answered, NULL);
        break;
    case 3: (void)wshub_sio_disconnect(of, client, choice & 64); break;
    case 4: (void)wshub_sio_answer(of, e->ack, &packet); break;
    case 5: (void)wshub_sio_emit(of, wshub_sio_of(of, "/"), &dest, &packet); break;
    case 6: (void)wshub_sio_accept(of, ask_kept, NULL); break;
    default: (void)wshub_sio_send(of, client, &packet); break;
    }
    (void)wshub_sio_answer(of, ack_kept, &packet);
}
static bool on_matches(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)user;
    return name.len > 1 && name.ptr[1] == 'n';
}
static void on_error(wshub_sio *of, wshub_client client, const char *text, void *user) {
    (void)user;
    MUST(text[0]);
    if (choice % 4 == 1) (void)wshub_sio_disconnect(of, client, true);
}
static void on_authenticate(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth, (void)user;
    memset(&who, 0, sizeof who);
    if (choice & 2)
        (void)wshub_auth_accept(h, ask, &who);
    else
        (void)wshub_ask_reject(h, ask);
}
static void on_join(wshub *h, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    (void)wshub_join_accept(h, ask, join->rooms, join->rooms_count);
}

/* ---- the peers ---- */

/* What was sent is looked at for ids, and let go. */
static void listen(unsigned n) {
    wshub_str out = wshub_io_fake_output(net, conns[n]);
    const char *at = out.ptr ? strstr(out.ptr, "0{\"sid\":\"") : NULL;
    if (at && strlen(at) >= 29 && at[-1] != '4') memcpy(sid, at + 9, 20);
    at = out.ptr ? strstr(out.ptr, "\"pid\":\"") : NULL;
    if (at && strlen(at) >= 27) memcpy(pid, at + 7, 20);
    wshub_io_fake_take(net, conns[n], SIZE_MAX);
}
static void request(unsigned n, const char *method, const char *query, const char *lines,
                    const uint8_t *body, size_t len) {
    char text[1400];
    bool named = query[strlen(query) - 1] == '='; /* `sid=` */
    int k;
    if (!wshub_io_fake_is_open(net, conns[n]) || framed[n]) {
        wshub_io_fake_end(net, conns[n]);
        wshub_io_fake_forget(net, conns[n]);
        conns[n] = wshub_io_fake_open(net);
        framed[n] = false;
    }
    k = snprintf(text, sizeof text, "%s /socket.io/?%s%s HTTP/1.1\r\nHost: h\r\n%s", method, query,
                 named ? sid : "", lines);
    if (method[0] == 'P')
        k += snprintf(text + k, sizeof text - (size_t)k, "Content-Length: %u\r\n", (unsigned)len);
    k += snprintf(text + k, sizeof text - (size_t)k, "\r\n");
    wshub_io_fake_input(net, conns[n], text, (size_t)k);
    if (method[0] == 'P') wshub_io_fake_input(net, conns[n], body, len);
}
/* A step: its first byte is what happens, the second how much of what follows belongs to it. */
#define POLLING "EIO=4&transport=polling&sid="
#define MOVES "EIO=4&transport=websocket&sid="
#define ASKS                                                                                       \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
static void step(uint8_t what, const uint8_t *bytes, size_t len) {
    static const unsigned times[] = {1, 100, 300, 1000, 2000, 31000};
    unsigned n = what >> 6;
    char text[BODY + 80];
    choice = len ? bytes[0] : what;
    switch (what % 16) {
    case 0: request(n, "GET", "EIO=4&transport=polling", "", NULL, 0); break;
    case 1: /* a WebSocket of its own */
        request(n, "GET",
                what & 32 ? "EIO=4&transport=websocket&b64=1" : "EIO=4&transport=websocket", ASKS,
                NULL, 0);
        framed[n] = true;
        break;
    case 2:
    case 3: request(n, "GET", POLLING, "", NULL, 0); break;
    case 4:
    case 5:
    case 6: request(n, "POST", POLLING, "", bytes, len); break;
    case 7:
        request(n, "GET", MOVES, ASKS, NULL, 0);
        framed[n] = true;
        break;
    case 8:
    case 9:
    case 10: wshub_io_fake_send(net, conns[n], 1, true, bytes, len); break;
    case 11: wshub_io_fake_send(net, conns[n], 2, what & 32, bytes, len); break;
    case 12: wshub_io_fake_input(net, conns[n], bytes, len); break;
    case 13: wshub_io_fake_end(net, conns[n]); break;
    case 14:
        (void)snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"offset\":\"%.*s\"}", pid, (int)len,
                       len ? (const char *)bytes : "");
        if (memchr(text, 0, strlen(text)) == NULL) wshub_io_fake_text(net, conns[n], text);
        break;
    default: wshub_io_fake_advance(net, times[choice % 6]); break;
    }
    listen(n);
}

static void begin(uint8_t how) {
    static const wshub_sio_flow flow = {.auth_timeout_ms = 900, .ping_interval_ms = 700};
    static const uint32_t cuts[] = {0, 0, 1, 7};
    wshub_sio_namespace_desc d;
    wshub_sio_desc server;
    wshub_io_fake_desc fd;
    wshub_desc desc;
    memset(&fd, 0, sizeof fd);
    memset(&desc, 0, sizeof desc);
    memset(&server, 0, sizeof server);
    memset(&d, 0, sizeof d);
    fd.cut_bytes = cuts[how & 3];
    fd.completion = how & 4;
    MUST(wshub_io_fake_create(&fd, &net) == WSHUB_OK);
    desc.io = wshub_io_fake_io(net);
    desc.alloc = alloc;
    desc.on_authenticate = on_authenticate;
    desc.on_join = on_join;
    MUST(wshub_create(&desc, &hub) == WSHUB_OK);
    server.engine.alloc = alloc;
    server.engine.ping_interval_ms = 900;
    server.engine.ping_timeout_ms = 900;
    server.engine.upgrade_timeout_ms = 500;
    server.engine.message_bytes_max = 150;
    server.engine.session_bytes_max = 4000;
    server.recovery_ms = how & 8 ? 3000 : 0;
    server.recovery_packets_max = 3;
    server.connect_timeout_ms = 2500;
    server.attachments_timeout_ms = 500;
    server.attachments_max = 3;
    server.acks_per_socket_max = 2;
    server.sockets_per_session_max = 3;
    server.namespaces_max = 2;
    server.answers_bytes_max = 500;
    MUST(wshub_sio_create(hub, &server, &sio) == WSHUB_OK);
    d.on_connected = on_connected;
    d.on_event = on_event;
    d.on_error = on_error;
    MUST(wshub_sio_namespace_add(sio, &d, NULL) == WSHUB_OK);
    d.name = "/a";
    d.on_connect = on_connect;
    MUST(wshub_sio_namespace_add(sio, &d, NULL) == WSHUB_OK);
    d.matches = on_matches;
    d.on_connect = NULL;
    MUST(wshub_sio_namespace_add(sio, &d, NULL) == WSHUB_OK);
    d.name = "/f";
    d.matches = NULL;
    d.on_event = NULL;
    d.flow = &flow;
    MUST(wshub_sio_namespace_add(sio, &d, NULL) == WSHUB_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_eio_stats figures;
    wshub_sio_stats st;
    size_t at;
    if (size < 4 || size > 1500) return 0;
    memset(conns, 0, sizeof conns);
    memset(framed, 0, sizeof framed);
    memset(sid, 0, sizeof sid);
    memset(pid, 0, sizeof pid);
    memset(&ask_kept, 0, sizeof ask_kept);
    memset(&ack_kept, 0, sizeof ack_kept);
    fail_in = depth = 0;
    begin(data[0]);
    fail_in = data[0] & 16 ? 1 + data[1] : 0;
    for (at = 2; at + 1 < size;) {
        size_t len = data[at + 1] % BODY;
        if (len > size - at - 2) len = size - at - 2;
        step(data[at], data + at + 2, len);
        MUST(!wshub_self_check(hub));
        at += 2 + len;
    }
    fail_in = 0;
    for (at = 0; at < CONNS; at++) wshub_io_fake_end(net, conns[at]);
    request(0, "GET", "EIO=4&transport=polling", "", NULL,
            0); /* a clock that found no memory runs */
    wshub_io_fake_advance(net, 40000);
    MUST(!wshub_self_check(hub));
    wshub_eio_stats_get(wshub_sio_engine(sio), &figures);
    wshub_sio_stats_get(sio, &st);
    MUST(figures.sessions == 0 && figures.polling == 0);
    MUST(st.sockets == 0 && st.acks_pending == 0);
    MUST(st.recovery_sessions == 0 || (data[0] & 16)); /* without memory the next turn forgets */
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    wshub_io_fake_destroy(net);
    MUST(held == 0);
    return 0;
}
