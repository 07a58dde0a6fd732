/* The client of Socket.IO by long-polling and on its way to a WebSocket, of a server that is
 * anybody: answers that are framed rightly with any body, and any bytes. Whatever comes: a socket is
 * told in turn (connected, events, disconnected), events are JSON, memory stays within the limits,
 * and in the end nothing is left. Input: a byte of choices, then steps, each a byte and what it
 * takes. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 200
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_io_fake.h"

enum { ALONE = 1, CUT = 2, PROXY = 4, SHORT = 8, PENDS = 16, SMALL = 32, SECURE = 64 };
enum { PAYLOAD_MAX = 5000, HELD_MAX = 300000, STREAMS = 8 };

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

static wshub_sio_client *client;
static wshub_sio_socket *sock;
static bool connected;

static void on_connected(wshub_sio_socket *of, wshub_str id, bool recovered, void *user) {
    (void)recovered;
    (void)user;
    MUST(of == sock && !connected && wshub_utf8_check((const uint8_t *)id.ptr, id.len));
    connected = true;
}
static void on_disconnected(wshub_sio_socket *of, const char *reason, bool again, void *user) {
    (void)again;
    (void)user;
    MUST(of == sock && connected && *reason);
    connected = false;
}
static void on_connect_error(wshub_sio_socket *of, const wshub_sio_connect_error *error,
                             void *user) {
    (void)user;
    MUST(of == sock && !connected);
    MUST(wshub_utf8_check((const uint8_t *)error->message.ptr, error->message.len));
}
static void on_event(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    size_t i;
    (void)user;
    MUST(of == sock && connected);
    for (i = 0; i < event->args_count; i++)
        MUST(wshub_json_check(event->args[i], WSHUB_JSON_DEPTH_MAX));
    for (i = 0; i < event->attachments_count; i++) MUST(event->attachments[i].len <= PAYLOAD_MAX);
    if (wshub_str_eq_z(event->name, "drop")) (void)wshub_sio_client_drop(client);
    if (wshub_str_eq_z(event->name, "leave")) (void)wshub_sio_socket_disconnect(of);
    if (wshub_str_eq_z(event->name, "end")) {
        wshub_sio_client_destroy(client);
        client = NULL;
    }
}
static const wshub_sio_socket_events events = {
    NULL, on_connected, on_connect_error, on_disconnected, on_event, NULL, NULL};

/* The streams that it has dialled, by their number. */
static wshub_conn streams[STREAMS];
static unsigned streams_count;
static void answer_dials(wshub_io_fake *fake, bool ok) {
    wshub_conn c;
    while (wshub_io_fake_dialled(fake, &c, NULL)) {
        wshub_io_fake_answer(fake, c, ok);
        streams[streams_count++ % STREAMS] = c;
    }
}
/* Whatever a server has set: a request says its cookies in one field, which is within its limit. */
static void cookies_are_right(const char *request) {
    const char *at = request ? strstr(request, "\r\nCookie: ") : NULL;
    size_t n;
    if (!at) return;
    at += 10;
    n = strcspn(at, "\r");
    MUST(n && n <= WSHUB_EIO_COOKIES_BYTES_MAX);
    for (; n; n--) MUST(at[n - 1] >= ' ' && (uint8_t)at[n - 1] < 127);
    MUST(!strstr(at, "\r\nCookie: ") || strstr(at, "\r\n\r\n") < strstr(at, "\r\nCookie: "));
}
/* A valid answer to the last request of a stream: a 101 if that wants a WebSocket, else a 200 of
 * these bytes, with a length, in a chunk, or up to the end. */
static void answer(wshub_io_fake *fake, wshub_conn c, unsigned how, const uint8_t *body,
                   size_t count) {
    static const char *const framings[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %u\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: %u\r\n\r\n"};
    wshub_str out = wshub_io_fake_output(fake, c), key;
    const char *at = out.len ? strstr(out.ptr, "Sec-WebSocket-Key: ") : NULL;
    char text[256], accept[28];
    int n;
    cookies_are_right(out.len ? out.ptr : NULL);
    if (at) {
        key.ptr = at + 19;
        key.len = 24;
        wshub_accept_key(key, accept);
        n = snprintf(text, sizeof text,
                     "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %.28s\r\n\r\n",
                     accept);
        wshub_io_fake_take(fake, c, out.len);
        wshub_io_fake_input(fake, c, text, (size_t)n);
        return;
    }
    wshub_io_fake_take(fake, c, out.len);
    n = snprintf(text, sizeof text, framings[how & 3], (unsigned)count);
    wshub_io_fake_input(fake, c, text, (size_t)n);
    wshub_io_fake_input(fake, c, body, count);
    if ((how & 3) == 1) wshub_io_fake_input(fake, c, "\r\n0\r\n\r\n", 7);
    if ((how & 3) == 3) wshub_io_fake_half_close(fake, c);
}

static void steps(wshub_io_fake *fake, const uint8_t *p, const uint8_t *end) {
    static const char open_packet[] =
        "0{\"sid\":\"E\",\"upgrades\":[\"websocket\"],\"pingInterval\":300,\"pingTimeout\":200,"
        "\"maxPayload\":60}";
    wshub_packet packet;
    wshub_span span = {(const uint8_t *)"bytes", 5};
    wshub_str arg = wshub_str_z("{\"_placeholder\":true,\"num\":0}");
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("e");
    packet.args = &arg;
    packet.args_count = packet.attachments_count = 1;
    packet.attachments = &span;
    while (p < end) {
        uint8_t step = *p++, how = step >> 3 & 3;
        wshub_conn c = streams[step >> 5];
        size_t n = 0;
        if ((step & 7) < 3) {
            n = p < end ? *p++ : 0;
            if (n > (size_t)(end - p)) n = (size_t)(end - p);
        }
        switch (step & 7) {
        case 0: wshub_io_fake_input(fake, c, p, n); break;
        case 1: answer(fake, c, how, p, n); break;
        case 2: { /* a frame of text or bytes, short */
            uint8_t head[2];
            if (n > 125) n = 125;
            head[0] = how & 1 ? 0x82 : 0x81;
            head[1] = (uint8_t)n;
            wshub_io_fake_input(fake, c, head, 2);
            wshub_io_fake_input(fake, c, p, n);
            break;
        }
        case 3: answer_dials(fake, how < 3); break;
        case 4: answer(fake, c, how, (const uint8_t *)open_packet, sizeof open_packet - 1); break;
        case 5: wshub_io_fake_advance(fake, p < end ? *p++ * 10u : 1); break;
        case 6:
            if (how == 0) wshub_io_fake_end(fake, c);
            if (how == 1) wshub_io_fake_half_close(fake, c);
            if (how == 2) wshub_io_fake_window(fake, c, p < end ? *p++ : UINT64_MAX);
            if (how == 3) wshub_io_fake_take(fake, c, 100000);
            break;
        case 7:
            if (client && how < 2) (void)wshub_sio_socket_emit(sock, &packet);
            if (client && how == 2) (void)wshub_sio_socket_disconnect(sock);
            if (client && how == 3) (void)wshub_sio_socket_connect(sock);
            break;
        }
        p += n;
        wshub_io_fake_run(fake);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static wshub_sio_client_desc desc;
    static wshub_sio_socket_desc space;
    wshub_io_fake_desc fake_desc;
    wshub_io_fake *fake;
    wshub_ws_pool_desc pool_desc;
    wshub_ws_pool *pool;
    uint8_t how;
    if (!size) return 0;
    how = data[0];
    streams_count = 0;
    memset(streams, 0, sizeof streams);
    connected = false;
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
    memset(&space, 0, sizeof space);
    desc.ws.url = how & SECURE ? "https://h" : "http://h";
    desc.ws.connect_timeout_ms = 5000;
    desc.ws.message_bytes_max = how & SMALL ? 50 : PAYLOAD_MAX;
    desc.ws.unsent_bytes_max = 1000;
    if (how & PROXY) desc.ws.proxy = "http://u:p@proxy:1";
    desc.transports = how & ALONE ? WSHUB_EIO_POLLING_ONLY : WSHUB_EIO_POLLING_FIRST;
    desc.payload_bytes_max = PAYLOAD_MAX;
    desc.packet_bytes_max = desc.early_bytes_max = desc.buffer_bytes = PAYLOAD_MAX;
    desc.join_timeout_ms = 2000;
    space.events = &events;
    MUST(wshub_sio_client_create(pool, &desc, NULL, &client) == WSHUB_OK);
    MUST(wshub_sio_socket_create(client, &space, NULL, &sock) == WSHUB_OK);
    wshub_io_fake_run(fake);
    steps(fake, data + 1, data + size);

    /* Nobody answers any more: what was connected is not for long. */
    wshub_io_fake_advance(fake, 1000);
    wshub_io_fake_advance(fake, 1000);
    MUST(!client || !connected);
    wshub_sio_client_destroy(client);
    wshub_io_fake_run(fake);
    wshub_ws_pool_destroy(pool);
    MUST(!held);
    wshub_io_fake_destroy(fake);
    return 0;
}
