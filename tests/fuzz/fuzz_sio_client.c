/* The client of Socket.IO (backends/wshub_ext_client_socketio.h) of a server that is anybody: two
 * namespaces on one connection, by a WebSocket, polls, or both, of which frames, answers, or bytes
 * are what the input says. Whatever comes:
 * each socket is connected and disconnected in turn, events come only between, with arguments that
 * are JSON and bytes that are there; whoever asks is told once; limits hold, memory stays within
 * them, and in the end nothing is left. Input: a byte of choices, then steps, each a byte and what
 * it takes; letters and digits are steps too, so that a corpus can be read. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 20
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_io_fake.h"

enum { CUT = 1, SHORT = 2, PENDS = 4, HELPER = 8, ONE = 16, STAYS = 32, WEBSOCKET = 64 };
enum { MOVES = 128 }; /* without WEBSOCKET: a WebSocket is tried while it polls */
enum { PACKET_MAX = 5000, ATTACHMENTS_MAX = 3, ASKS_MAX = 4, DUES_MAX = 4, KEPT_MAX = 500 };
enum { HELD_MAX = 400000 };

static size_t held;
static void *count_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *p = NULL;
    (void)user;
    if (new_bytes) {
        p = malloc(new_bytes);
        MUST(p);
        if (ptr) memcpy(p, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    }
    free(ptr);
    held += new_bytes - old_bytes;
    MUST(held < HELD_MAX);
    return p;
}

/* A socket, as far as it was told. */
typedef struct seat {
    wshub_sio_socket *socket; /* NULL: ended */
    wshub_sio_socket_desc desc;
    bool connected, authenticated;
    int asked, told; /* acknowledgements */
    wshub_sio_ack last;
} seat;
static seat seats[2];
static wshub_sio_client *client;
enum { STREAMS = 8 };
static wshub_conn streams[STREAMS]; /* that were dialled, the oldest are forgotten */
static bool upgraded[STREAMS];
static int streams_count, line; /* line: the one that the server speaks on */
static uint8_t how;             /* the byte of choices */
static uint64_t sum;            /* of all that is shown, so that it is read */

static void see(const void *bytes, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) sum += ((const uint8_t *)bytes)[i];
}
static void see_json(wshub_str json) {
    MUST(wshub_json_check(json, WSHUB_JSON_DEPTH_MAX));
    see(json.ptr, json.len);
}

/* ---- orders ---- */

static void end_client(void) {
    wshub_sio_client *c = client;
    client = NULL;
    seats[0].socket = seats[1].socket = NULL;
    wshub_sio_client_destroy(c);
}
static wshub_packet packet_of(unsigned how, wshub_str *arg, wshub_span *bytes) {
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("e");
    *arg = wshub_str_z(how & 1 ? "[{\"_placeholder\":true,\"num\":0}]" : "\"text\"");
    bytes->ptr = (const uint8_t *)"bytes";
    bytes->len = how & 2 ? 5 : 0;
    packet.args = arg;
    packet.args_count = 1;
    packet.attachments = bytes;
    packet.attachments_count = how & 1;
    if (how & 4) packet.flags = WSHUB_PACKET_VOLATILE;
    return packet;
}
static void on_answer(wshub_sio_socket *socket, const wshub_sio_answers *answers, void *user) {
    seat *of = (seat *)user;
    size_t i;
    MUST(of->socket == socket && of->told < of->asked);
    of->told++;
    MUST(!answers->error || !answers->args_count);
    MUST(answers->error || of->connected);
    for (i = 0; i < answers->args_count; i++) see_json(answers->args[i]);
    for (i = 0; i < answers->attachments_count; i++)
        see(answers->attachments[i].ptr, answers->attachments[i].len);
}
static void on_handled(wshub_sio_socket *socket, const wshub_sio_event *event, void *user);
static void order(seat *of, unsigned what, unsigned how) {
    wshub_str event = wshub_str_z("!8h"), arg, room = wshub_str_z("room");
    wshub_span bytes;
    wshub_packet packet = packet_of(how, &arg, &bytes);
    if (!of->socket) return;
    switch ((what + 2) % 10) { /* '0' is the first */
    case 0: (void)wshub_sio_socket_emit(of->socket, &packet); break;
    case 1:
        if (!wshub_sio_socket_ask(of->socket, &packet, how & 8 ? WSHUB_OFF : 1000, on_answer, of))
            of->asked++;
        MUST(of->asked - of->told <= ASKS_MAX);
        break;
    case 2: (void)wshub_sio_socket_answer(of->socket, of->last, &packet); break;
    case 3: (void)wshub_sio_socket_connect(of->socket); break;
    case 4: (void)wshub_sio_socket_disconnect(of->socket); break;
    case 5: (void)wshub_sio_client_drop(client); break;
    case 6: (void)wshub_sio_socket_authenticate(of->socket); break;
    case 7: /* handlers, where the flow is not spoken */
        if (of->desc.helper)
            (void)wshub_sio_socket_join(of->socket, &room, 1);
        else
            (void)wshub_sio_socket_subscribe(of->socket, event, on_handled, of, how & 1);
        break;
    case 8:
        if (of->desc.helper)
            (void)wshub_sio_socket_leave(of->socket, &room, 1);
        else
            (void)wshub_sio_socket_unsubscribe(of->socket, event, how & 1 ? on_handled : NULL);
        break;
    default:
        if (how & 16) {
            end_client();
        } else if (how & 1) {
            wshub_sio_socket *s = of->socket;
            of->socket = NULL;
            of->connected = false;
            of->told = of->asked; /* they are told nothing more */
            wshub_sio_socket_destroy(s);
        } else {
            (void)wshub_sio_socket_shutdown(of->socket);
            of->connected = of->authenticated = false; /* and is not told of it */
            of->told = of->asked;
        }
    }
}

/* ---- what is told ---- */

static void on_connected(wshub_sio_socket *socket, wshub_str id, bool recovered, void *user) {
    seat *of = (seat *)user;
    (void)recovered;
    MUST(of->socket == socket && !of->connected);
    of->connected = true;
    see(id.ptr, id.len);
}
static void on_connect_error(wshub_sio_socket *socket, const wshub_sio_connect_error *error,
                             void *user) {
    seat *of = (seat *)user;
    MUST(of->socket == socket && !of->connected);
    MUST(error->message.ptr && !(error->refused && error->gone));
    see(error->message.ptr, error->message.len);
    if (error->data.ptr) see_json(error->data);
}
static void on_disconnected(wshub_sio_socket *socket, const char *reason, bool again, void *user) {
    seat *of = (seat *)user;
    MUST(of->socket == socket && of->connected && *reason);
    of->connected = of->authenticated = false;
    if (again) see(reason, strlen(reason));
}
/* An event, whose name may be an order: `!7x`. */
static void on_event(wshub_sio_socket *socket, const wshub_sio_event *event, void *user) {
    seat *of = (seat *)user;
    wshub_span bytes;
    size_t i;
    MUST(of->socket == socket && of->connected);
    MUST(wshub_utf8_check((const uint8_t *)event->name.ptr, event->name.len));
    MUST(event->attachments_count <= ATTACHMENTS_MAX && event->raw.len <= PACKET_MAX);
    for (i = 0; i < event->args_count; i++) {
        see_json(event->args[i]);
        if (wshub_sio_bytes(event->attachments, event->attachments_count, event->args[i], &bytes))
            see(bytes.ptr, bytes.len);
    }
    for (i = 0; i < event->attachments_count; i++)
        see(event->attachments[i].ptr, event->attachments[i].len);
    if (event->ack.id) of->last = event->ack;
    if (event->name.len == 3 && event->name.ptr[0] == '!')
        order(of, (unsigned char)event->name.ptr[1], (unsigned char)event->name.ptr[2]);
}
/* The event `!8h` also takes the handler away that it is told to. */
static void on_handled(wshub_sio_socket *socket, const wshub_sio_event *event, void *user) {
    on_event(socket, event, user);
}
static void on_authenticated(wshub_sio_socket *socket, wshub_str data, void *user) {
    seat *of = (seat *)user;
    MUST(of->socket == socket && of->connected && !of->authenticated);
    of->authenticated = true;
    if (data.ptr) see_json(data);
}
static void on_unauthenticated(wshub_sio_socket *socket, wshub_str message, void *user) {
    seat *of = (seat *)user;
    MUST(of->socket == socket && of->connected);
    of->authenticated = false;
    see(message.ptr, message.len);
}
static const wshub_sio_socket_events events = {
    NULL,     on_connected,     on_connect_error,  on_disconnected,
    on_event, on_authenticated, on_unauthenticated};
static void on_reconnecting(wshub_sio_client *c, uint32_t attempt, uint32_t delay_ms, void *user) {
    (void)user;
    MUST(c == client && attempt && delay_ms <= 2 * 1500);
}
static const wshub_sio_client_events client_events = {on_reconnecting, NULL, NULL};

/* ---- the server ---- */

static void put(wshub_io_fake *fake, const void *bytes, size_t count) {
    if (count) wshub_io_fake_input(fake, streams[line], bytes, count);
}
static void put_frame(wshub_io_fake *fake, int opcode, const void *bytes, size_t count) {
    uint8_t head[14];
    wshub_frame f;
    memset(&f, 0, sizeof f);
    f.fin = true;
    f.opcode = (uint8_t)opcode;
    f.payload_bytes = count;
    put(fake, head, wshub_frame_write(&f, head));
    put(fake, bytes, count);
}
/* A text: in a frame, or as the answer to a request. */
static void put_text(wshub_io_fake *fake, const void *bytes, size_t count) {
    char head[120];
    if (upgraded[line]) {
        put_frame(fake, 1, bytes, count);
        return;
    }
    put(fake, head,
        (size_t)snprintf(
            head, sizeof head,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %u\r\n\r\n",
            (unsigned)count));
    put(fake, bytes, count);
}
/* Does what a stream was sent hold this text? What comes is not terminated. */
static const char *said(wshub_io_fake *fake, const char *text) {
    wshub_str out = wshub_io_fake_output(fake, streams[line]);
    size_t n = strlen(text), i;
    for (i = 0; i + n <= out.len; i++)
        if (memcmp(out.ptr + i, text, n) == 0) return out.ptr + i;
    return NULL;
}
static void take_all(wshub_io_fake *fake) {
    wshub_io_fake_take(fake, streams[line], SIZE_MAX >> 1);
}
/* The first answer to a stream's first request: a valid handshake, or nothing yet. */
static void accept_it(wshub_io_fake *fake) {
    const char *at = said(fake, "Sec-WebSocket-Key: ");
    wshub_str key;
    char text[256], accept[28];
    if (!at) return;
    key.ptr = at + 19;
    key.len = 24;
    wshub_accept_key(key, accept);
    put(fake, text,
        (size_t)snprintf(text, sizeof text,
                         "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: "
                         "Upgrade\r\nSec-WebSocket-Accept: %.28s\r\n\r\n",
                         accept));
    upgraded[line] = true;
}
/* Takes the dials, and answers the first request of each. first: of a session's first stream, in
 * place of what opens it. */
static void serve(wshub_io_fake *fake, bool ok, const void *first, size_t count) {
    static const char opens[] =
        "0{\"sid\":\"E\",\"upgrades\":[\"websocket\"],\"pingInterval\":3000,"
        "\"pingTimeout\":2000,\"maxPayload\":100}";
    wshub_conn c;
    wshub_io_fake_run(fake);
    while (wshub_io_fake_dialled(fake, &c, NULL)) {
        line = streams_count++ % STREAMS;
        streams[line] = c;
        upgraded[line] = false;
        wshub_io_fake_answer(fake, c, ok);
        wshub_io_fake_run(fake);
        if (!ok) continue;
        accept_it(fake);
        if (said(fake, "sid=E") && upgraded[line])
            put_frame(fake, 1, "3probe", 6);
        else if (!said(fake, "POST") && !said(fake, "sid=E"))
            put_text(fake, first ? first : opens, first ? count : sizeof opens - 1);
        if (!said(fake, "POST")) take_all(fake);
    }
}
/* Takes what was sent, and says so to those who have posted. */
static void take(wshub_io_fake *fake) {
    int kept = line;
    for (line = 0; line < STREAMS; line++) {
        if (!upgraded[line] && said(fake, "POST /")) put_text(fake, "ok", 2);
        take_all(fake);
    }
    line = kept;
}

static void steps(wshub_io_fake *fake, const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        uint8_t step = *p++;
        size_t n = 0;
        if ((step & 15) < 6) { /* what takes bytes: up to a line's end, or as many as are left */
            const uint8_t *stop = (const uint8_t *)memchr(p, '\n', (size_t)(end - p));
            n = (size_t)((stop ? stop : end) - p);
        }
        switch (step & 15) {
        case 0: /* 'P', 'p', '0': a message */
        case 1: put_text(fake, p, n); break;
        case 2: put_frame(fake, 2, p, n); break; /* 'B': bytes */
        case 3: put(fake, p, n); break;          /* 'C': as they are */
        case 4: serve(fake, true, p, n); break;  /* 'D': in place of what opens a session */
        case 5: put_frame(fake, n ? *p & 15 : 8, p + (n > 0), n > 1 ? n - 1 : 0); break;
        case 6: serve(fake, true, NULL, 0); break; /* 'F', 'f' */
        case 7: serve(fake, false, NULL, 0); break;
        case 8: wshub_io_fake_advance(fake, p < end ? *p++ * 40u : 1); break;
        case 9: wshub_io_fake_end(fake, streams[line]); break;
        case 10: wshub_io_fake_half_close(fake, streams[line]); break;
        case 11: wshub_io_fake_window(fake, streams[line], p < end ? *p++ : UINT64_MAX); break;
        case 12: take(fake); break;
        case 13: line = p < end ? *p++ & 7 : 0; break; /* 'M': another stream */
        default:                                       /* 'N', 'O': an order */
            if (end - p >= 2) order(&seats[step & 1], p[0], p[1]);
            p += end - p >= 2 ? 2 : end - p;
            break;
        }
        p += n;
        if (n && p < end) p++; /* the line's end */
        wshub_io_fake_run(fake);
    }
}

static void open_sockets(void) {
    size_t i;
    memset(seats, 0, sizeof seats);
    for (i = 0; i < (how & ONE ? 1u : 2u); i++) {
        seats[i].desc.name = i ? "/b" : NULL;
        seats[i].desc.events = &events;
        seats[i].desc.auth = i ? "{\"a\":1}" : NULL;
        seats[i].desc.helper = seats[i].desc.auto_auth = (how & HELPER) != 0;
        seats[i].desc.retries = i ? 2 : 0; /* the second says events until they are answered */
        seats[i].desc.ack_timeout_ms = 700;
        MUST(wshub_sio_socket_create(client, &seats[i].desc, &seats[i], &seats[i].socket) ==
             WSHUB_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_io_fake_desc fake_desc;
    wshub_io_fake *fake;
    wshub_ws_pool_desc pool_desc;
    wshub_ws_pool *pool;
    wshub_sio_client_desc desc;
    size_t i;
    if (!size) return 0;
    how = data[0];
    memset(streams, 0, sizeof streams);
    memset(upgraded, 0, sizeof upgraded);
    streams_count = line = 0;
    memset(&fake_desc, 0, sizeof fake_desc);
    if (how & CUT) fake_desc.cut_bytes = 1;
    if (how & SHORT) fake_desc.take_bytes = 7;
    fake_desc.completion = (how & PENDS) != 0;
    MUST(wshub_io_fake_create(&fake_desc, &fake) == WSHUB_OK);
    memset(&pool_desc, 0, sizeof pool_desc);
    pool_desc.io = wshub_io_fake_io(fake);
    pool_desc.alloc = count_alloc;
    MUST(wshub_ws_pool_create(&pool_desc, &pool) == WSHUB_OK);

    memset(&desc, 0, sizeof desc);
    desc.ws.url = "http://h";
    desc.ws.message_bytes_max = PACKET_MAX;
    desc.transports = how & WEBSOCKET ? WSHUB_EIO_WEBSOCKET_ONLY
                      : how & MOVES   ? WSHUB_EIO_POLLING_FIRST
                                      : WSHUB_EIO_POLLING_ONLY;
    desc.payload_bytes_max = PACKET_MAX;
    desc.events = &client_events;
    desc.no_reconnect = (how & STAYS) != 0;
    desc.reconnect_delay_ms = 200;
    desc.reconnect_delay_max_ms = 1500;
    desc.join_timeout_ms = 4000;
    desc.buffer_bytes = KEPT_MAX;
    desc.attachments_max = ATTACHMENTS_MAX;
    desc.packet_bytes_max = PACKET_MAX;
    desc.early_bytes_max = 1000;
    desc.asks_max = ASKS_MAX;
    desc.unanswered_max = DUES_MAX;
    MUST(wshub_sio_client_create(pool, &desc, NULL, &client) == WSHUB_OK);
    open_sockets();
    wshub_io_fake_run(fake);
    steps(fake, data + 1, data + size);

    /* Nobody answers any more: whatever was connected is told its end within the clocks. */
    wshub_io_fake_advance(fake, 20000 + 5000 + 4000 + 2000);
    for (i = 0; i < 2 && client; i++) {
        MUST(!seats[i].connected);
        MUST(!seats[i].socket || wshub_sio_socket_buffered(seats[i].socket) <= KEPT_MAX);
    }
    if (client) end_client();
    wshub_ws_pool_destroy(pool);
    MUST(!held);
    wshub_io_fake_destroy(fake);
    return 0;
}
