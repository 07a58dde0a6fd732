/* Clients (backends/wshub_ext_client.h) of a server that is anybody: a plain WebSocket and a client of a
 * hub on one pool, whose streams say what the input says. Whatever comes: each WebSocket has one
 * end, within its clocks, opened() before messages, text that is UTF-8; what a client is told comes
 * in turn (connected, authenticated, disconnected); memory stays within the limits, and in the end
 * nothing is left. Input: a byte of choices, then steps, each a byte and what it takes. A first byte
 * of 0xFF: the rest is a URL, whose parts are what RFC 3986 calls so. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 20
#endif
#define _GNU_SOURCE
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client.h"
#include "wshub_io_fake.h"
#include "deflate_runs.h"

enum { HUB = 1, CUT = 2, PROXY = 4, REDIRECTS = 8, RESOLVER = 16, SHORT = 32, PENDS = 64 };
enum { DEFLATE = 128 };
enum { MESSAGE_MAX = 5000, HELD_MAX = 300000 };

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

static int opened, ended, connected, authenticated;
static wshub_ask question;
static wshub_ext_client *client;
static uint64_t sum; /* of all that is shown, so that it is read */

static void see(const void *bytes, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) sum += ((const uint8_t *)bytes)[i];
}
static void on_opened(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_about *about, void *user) {
    (void)user;
    MUST(!opened++ && wshub_ws_state_of(pool, ws) == WSHUB_WS_OPEN);
    MUST(!about->protocol.ptr || wshub_str_eq_z(about->protocol, "chat"));
}
static void on_message(wshub_ws_pool *pool, wshub_ws ws, wshub_ws_kind kind, uint8_t *bytes,
                       size_t count, void *user) {
    (void)user;
    MUST(opened && !ended && count <= MESSAGE_MAX && wshub_ws_state_of(pool, ws) != WSHUB_WS_GONE);
    MUST(kind == WSHUB_WS_BINARY || wshub_utf8_check(bytes, count));
    see(bytes, count);
    memset(bytes, 0xA5, count); /* they are ours */
    if (count == 3) (void)wshub_ws_close(pool, ws, 1000, (wshub_str){"", 0});
    if (count == 4) (void)wshub_ws_drop(pool, ws);
    if (count == 5) (void)wshub_ws_send(pool, ws, WSHUB_WS_BINARY, bytes, count);
    if (count == 6) (void)wshub_ws_ping(pool, ws, "p", 1);
}
static void on_pong(wshub_ws_pool *pool, wshub_ws ws, const uint8_t *bytes, size_t count,
                    void *user) {
    (void)pool;
    (void)ws;
    (void)user;
    MUST(count <= 125);
    see(bytes, count);
}
static void on_ended(wshub_ws_pool *pool, wshub_ws ws, const wshub_ws_gone *gone, void *user) {
    (void)user;
    MUST(!ended++ && gone->opened == (opened > 0) && wshub_ws_state_of(pool, ws) == WSHUB_WS_GONE);
    MUST(gone->text && *gone->text && gone->why < WSHUB_WS_WHYS);
    MUST(wshub_utf8_check((const uint8_t *)gone->reason.ptr, gone->reason.len));
    MUST(!gone->opened || (gone->code >= 1000 && gone->code < 5000));
}
static const wshub_ws_events ws_events = {on_opened, on_message, on_pong, NULL, on_ended};

static void c_connected(wshub_ext_client *c, const wshub_ws_about *about, void *user) {
    (void)about;
    (void)user;
    MUST(c == client && !connected++);
}
static void c_authenticated(wshub_ext_client *c, wshub_str id, wshub_str data, void *user) {
    (void)user;
    MUST(c == client && connected && !authenticated++);
    see(id.ptr, id.len);
    see(data.ptr, data.len);
}
static void c_disconnected(wshub_ext_client *c, const wshub_ws_gone *gone, bool again, void *user) {
    (void)gone;
    (void)again;
    (void)user;
    MUST(c == client && connected == 1);
    connected = authenticated = 0;
}
static void c_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    (void)user;
    MUST(c == client && connected &&
         wshub_utf8_check((const uint8_t *)event->event.ptr, event->event.len));
    MUST(!event->data.ptr || wshub_json_check(event->data, WSHUB_JSON_DEPTH_MAX));
    if (wshub_str_eq_z(event->event, "end")) {
        client = NULL;
        wshub_ext_client_destroy(c);
    }
}
static wshub_ext_client_events c_events;

static void on_resolve(wshub_ws_pool *pool, wshub_ask ask, const char *name, void *user) {
    (void)pool;
    (void)user;
    MUST(*name);
    question = ask;
}

/* What takes a stream that is dialled. */
static wshub_conn streams[8];
static int streams_count;
static void answer_dials(wshub_io_fake *fake, bool ok) {
    wshub_conn c;
    while (wshub_io_fake_dialled(fake, &c, NULL)) {
        wshub_io_fake_answer(fake, c, ok);
        streams[streams_count++ % 8] = c;
    }
}
/* A valid answer to the last request of a stream, as far as there is one. */
static void accept_it(wshub_io_fake *fake, wshub_conn c, bool deflate) {
    wshub_str out = wshub_io_fake_output(fake, c), key;
    const char *at = out.len ? strstr(out.ptr, "Sec-WebSocket-Key: ") : NULL;
    char text[256], accept[28];
    if (!at) {
        wshub_io_fake_input(fake, c, "HTTP/1.1 200 OK\r\n\r\n", 19);
        return;
    }
    key.ptr = at + 19;
    key.len = 24;
    wshub_accept_key(key, accept);
    wshub_io_fake_take(fake, c, out.len);
    wshub_io_fake_input(
        fake, c, text,
        (size_t)snprintf(text, sizeof text,
                         "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade"
                         "\r\nSec-WebSocket-Accept: %.28s\r\n%s\r\n",
                         accept,
                         deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : ""));
}

static void steps(wshub_io_fake *fake, wshub_ws_pool *pool, wshub_ws ws, const uint8_t *p,
                  const uint8_t *end) {
    wshub_address addresses[8];
    wshub_msg msg;
    int i;
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("e");
    for (i = 0; i < 8; i++) MUST(wshub_address_read(wshub_str_z("10.0.0.1"), &addresses[i]));
    while (p < end) {
        uint8_t step = *p++;
        wshub_conn c = streams[step >> 5];
        size_t n;
        switch (step & 15) {
        case 0: /* bytes as they are */
        case 1:
        case 2:
            n = p < end ? *p++ : 0;
            if (n > (size_t)(end - p)) n = (size_t)(end - p);
            wshub_io_fake_input(fake, c, p, n);
            p += n;
            break;
        case 3: answer_dials(fake, true); break;
        case 4: answer_dials(fake, p < end && *p++ & 1); break;
        case 5: accept_it(fake, c, step & 16); break;
        case 6: wshub_io_fake_advance(fake, p < end ? *p++ * 100u : 1); break;
        case 7: wshub_io_fake_end(fake, c); break;
        case 8: wshub_io_fake_half_close(fake, c); break;
        case 9: (void)wshub_ws_send(pool, ws, WSHUB_WS_TEXT, "hello", 5); break;
        case 10: wshub_io_fake_window(fake, c, p < end ? *p++ : UINT64_MAX); break;
        case 11: (void)wshub_ws_resolved(pool, question, addresses, step >> 5); break;
        case 12: (void)wshub_ws_close(pool, ws, 1000, (wshub_str){"", 0}); break;
        case 13:
            if (client) (void)wshub_ext_client_emit(client, &msg, false);
            break;
        case 14:
            if (client) (void)wshub_ext_client_connect(client);
            break;
        case 15: wshub_io_fake_take(fake, c, 100000); break;
        }
        wshub_io_fake_run(fake);
    }
}

/* The parts of a URL are a whole again. */
static void read_url(const uint8_t *data, size_t size) {
    wshub_str text;
    wshub_ws_url url;
    char whole[9000];
    text.ptr = (const char *)data;
    text.len = size;
    if (!wshub_ws_url_read(text, &url)) return;
    MUST(url.host.len && url.port && url.target.ptr + url.target.len == text.ptr + text.len);
    (void)snprintf(whole, sizeof whole, "%s://%s%.*s%s:%u%s%.*s", url.secure ? "wss" : "ws",
                   url.v6 ? "[" : "", (int)url.host.len, url.host.ptr, url.v6 ? "]" : "", url.port,
                   url.slash ? "/" : "", (int)url.target.len, url.target.ptr);
    if (strlen(whole) <= 8192) MUST(wshub_ws_url_read(wshub_str_z(whole), &url));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wshub_io_fake_desc fake_desc;
    wshub_io_fake *fake;
    wshub_ws_pool_desc pool_desc;
    wshub_ws_pool *pool;
    wshub_ws_desc desc;
    wshub_ext_client_desc hub_desc;
    wshub_ws ws = {0};
    wshub_deflate table;
    runs codec;
    uint8_t how;
    if (!size) return 0;
    how = data[0];
    if (how == 0xFF) {
        read_url(data + 1, size - 1);
        return 0;
    }
    opened = ended = connected = authenticated = streams_count = 0;
    memset(streams, 0, sizeof streams);
    question.id = 0;
    memset(&fake_desc, 0, sizeof fake_desc);
    if (how & CUT) fake_desc.cut_bytes = 1;
    if (how & SHORT) fake_desc.take_bytes = 7;
    fake_desc.completion = (how & PENDS) != 0;
    MUST(wshub_io_fake_create(&fake_desc, &fake) == WSHUB_OK);
    memset(&pool_desc, 0, sizeof pool_desc);
    pool_desc.io = wshub_io_fake_io(fake);
    pool_desc.alloc = count_alloc;
    if (how & RESOLVER) pool_desc.resolve = on_resolve;
    table = runs_codec(&codec);
    if (how & DEFLATE) pool_desc.deflate = &table;
    MUST(wshub_ws_pool_create(&pool_desc, &pool) == WSHUB_OK);

    memset(&desc, 0, sizeof desc);
    desc.url = (how & PROXY) && (how & RESOLVER) ? "wss://h/p" : "ws://h/p"; /* TLS behind it */
    desc.events = &ws_events;
    desc.protocols = "chat";
    desc.message_bytes_max = MESSAGE_MAX;
    desc.unsent_bytes_max = 1000;
    if (how & PROXY) desc.proxy = "http://u:p@proxy:1";
    if (how & REDIRECTS) desc.redirects_max = 3;
    desc.deflate = (how & DEFLATE) != 0;
    desc.deflate_takeover = (how & CUT) != 0;
    desc.deflate_bytes_min = 1;
    MUST(wshub_ws_open(pool, &desc, &ws) == WSHUB_OK);
    client = NULL;
    if (how & HUB) {
        memset(&hub_desc, 0, sizeof hub_desc);
        hub_desc.ws = desc;
        hub_desc.events = &c_events;
        hub_desc.auth = "{}";
        hub_desc.buffer_bytes = 200;
        c_events.connected = c_connected;
        c_events.authenticated = c_authenticated;
        c_events.disconnected = c_disconnected;
        c_events.event = c_event;
        MUST(wshub_ext_client_create(pool, &hub_desc, NULL, &client) == WSHUB_OK);
        (void)wshub_ext_client_subscribe(client, wshub_str_z("*"));
        (void)wshub_ext_client_join(client, (const wshub_str[]){{"room", 4}}, 1);
    }
    wshub_io_fake_run(fake);
    steps(fake, pool, ws, data + 1, data + size);

    /* Whatever is still there has its end within its clocks: nobody answers any more. */
    if (client) wshub_ext_client_destroy(client);
    wshub_io_fake_advance(fake, 20000 + 120000 + 60000 + 2000 + 1000);
    MUST(ended == 1);
    wshub_ws_pool_destroy(pool);
    MUST(!held && !codec.deflaters && !codec.inflaters);
    wshub_io_fake_destroy(fake);
    return 0;
}
