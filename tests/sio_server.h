/* A server of Socket.IO on a fake io and a bus that keeps what it is given, and a few words to speak
 * to it: sockets come in and name their rooms, strangers publish. Includes everything. */
#ifndef SIO_SERVER_H
#define SIO_SERVER_H
#include "eio_site.h"
#include "wshub_dialect_socketio.h"

/* How the server subscribes; a sharded one asks its bus how many there are, too. */
#ifndef SIO_SERVER_MODE
#define SIO_SERVER_MODE WSHUB_SIO_BUS_PATTERNS
#endif

enum { KEPT_MAX = 64 };

/* A bus that keeps what is published, until it is forgotten. */
typedef struct kept_bus {
    wshub_bus_owner owner;
    struct {
        char *channel, *bytes; /* the channel is terminated */
        size_t channel_len, count;
    } kept[KEPT_MAX];
    size_t count;
    /* the question that is to be answered; NULL: none */
    void (*on_reply)(void *arg, const wshub_bus_reply *reply);
    void *asker;
} kept_bus;

UNUSED static wshub_err kept_attach(void *ctx, const wshub_bus_owner *owner) {
    if (owner) ((kept_bus *)ctx)->owner = *owner;
    return WSHUB_OK;
}
UNUSED static size_t kept_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    kept_bus *b = (kept_bus *)ctx;
    size_t i;
    for (i = 0; i < count && b->count < KEPT_MAX; i++, b->count++) {
        size_t len = msgs[i].channel.len, n = msgs[i].payload.len;
        char *block = (char *)malloc(len + 1 + n);
        EXPECT(block != NULL);
        memcpy(block, msgs[i].channel.ptr, len);
        block[len] = 0;
        memcpy(block + len + 1, msgs[i].payload.ptr, n);
        b->kept[b->count].channel = block;
        b->kept[b->count].channel_len = len;
        b->kept[b->count].bytes = block + len + 1;
        b->kept[b->count].count = n;
    }
    return count;
}
UNUSED static bool kept_change(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    (void)count;
    return true;
}
/* One question at a time, which kept_reply() answers. */
UNUSED static wshub_err kept_question(void *ctx, const wshub_str *argv, size_t argc,
                                      void (*on_reply)(void *arg, const wshub_bus_reply *reply),
                                      void *arg) {
    kept_bus *b = (kept_bus *)ctx;
    (void)argv;
    (void)argc;
    if (b->on_reply) return WSHUB_ERR_LIMIT;
    b->on_reply = on_reply;
    b->asker = arg;
    return WSHUB_OK;
}
UNUSED static void kept_reply(kept_bus *b, const wshub_bus_reply *reply) {
    void (*on_reply)(void *arg, const wshub_bus_reply *answer) = b->on_reply;
    b->on_reply = NULL;
    if (on_reply) on_reply(b->asker, reply);
}
UNUSED static void kept_forget(kept_bus *b) {
    while (b->count) free(b->kept[--b->count].channel);
}
UNUSED static wshub_bus kept_start(kept_bus *b) {
    wshub_bus bus;
    memset(b, 0, sizeof *b);
    memset(&bus, 0, sizeof bus);
    bus.ctx = b;
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = kept_attach;
    bus.publish = kept_publish;
    bus.subscribe = kept_change;
    bus.unsubscribe = kept_change;
    if (SIO_SERVER_MODE == WSHUB_SIO_BUS_PATTERNS) return bus;
    bus.publish_sharded = kept_publish;
    bus.subscribe_sharded = kept_change;
    bus.unsubscribe_sharded = kept_change;
    bus.request = kept_question;
    return bus;
}
UNUSED static void kept_up(kept_bus *b) {
    b->owner.state(b->owner.ctx, WSHUB_BUS_CONNECTED);
    b->owner.state(b->owner.ctx, WSHUB_BUS_UP);
}

/* ---- a server ---- */

typedef struct sio_server {
    eio_site s; /* of which only the world and the words are used */
    kept_bus bus;
    wshub_bus words;
    wshub_sio *sio;
} sio_server;

/* A socket is in the rooms that it has named: {"rooms":["a","b"]}. */
UNUSED static void sio_server_connected(wshub_sio *sio, wshub_client client, void *user) {
    wshub_sio_handshake h;
    wshub_iter iter = {0, 0};
    wshub_str room;
    char name[64];
    (void)user;
    EXPECT_INT(wshub_sio_handshake_of(sio, client, &h), WSHUB_OK);
    while (wshub_json_each(wshub_json_get(h.auth, "rooms"), &iter, &room)) {
        if (!wshub_json_copy(room, name, sizeof name, NULL))
            EXPECT_INT(wshub_client_join(wshub_sio_hub(sio), client, S(name)), WSHUB_OK);
    }
}

/* Serves `/` and `/admin`; its bus is up. hub: what differs from the default. */
UNUSED static void sio_server_start(sio_server *v, wshub_desc hub, const char *key) {
    static const char *const names[] = {"/", "/admin"};
    wshub_sio_namespace_desc space;
    wshub_sio_desc d;
    size_t i;
    memset(v, 0, sizeof *v);
    memset(&d, 0, sizeof d);
    memset(&space, 0, sizeof space);
    v->words = kept_start(&v->bus);
    hub.bus = &v->words;
    world_start(&v->s.w, hub, FAKE(.seed = 7));
    d.bus = true;
    d.bus_key = key;
    d.bus_mode = SIO_SERVER_MODE;
    d.engine.ping_interval_ms = 60000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &v->s.w;
    EXPECT_INT(wshub_sio_create(v->s.w.hub, &d, &v->sio), WSHUB_OK);
    space.on_connected = sio_server_connected;
    for (i = 0; i < 2; i++) {
        space.name = names[i];
        EXPECT_INT(wshub_sio_namespace_add(v->sio, &space, NULL), WSHUB_OK);
    }
    kept_up(&v->bus);
    wshub_io_fake_run(v->s.w.net);
}
UNUSED static void sio_server_stop(sio_server *v) {
    wshub *hub = v->s.w.hub;
    v->s.w.hub = NULL;
    kept_reply(&v->bus, NULL);
    wshub_destroy(hub);
    wshub_sio_destroy(v->sio);
    world_stop(&v->s.w);
    kept_forget(&v->bus);
}

/* A socket of a namespace ("" is `/`). out_id: 21 bytes; may be NULL. */
UNUSED static wshub_conn sio_server_joins(sio_server *v, const char *space, const char *auth,
                                          char *out_id) {
    wshub_conn c = eio_socket(&v->s, "EIO=4&transport=websocket");
    wshub_io_fake_frame f;
    char text[200];
    EXPECT(wshub_io_fake_next(v->s.w.net, c, &f) && f.payload.ptr[0] == '0');
    (void)snprintf(text, sizeof text, "40%s%s%s", space, space[0] ? "," : "", auth);
    wshub_io_fake_text(v->s.w.net, c, text);
    wshub_io_fake_run(v->s.w.net);
    memset(&f, 0, sizeof f);
    EXPECT(wshub_io_fake_next(v->s.w.net, c, &f) && f.payload.len > 30);
    if (out_id && f.payload.len > 30) {
        memcpy(out_id, f.payload.ptr + f.payload.len - 22, 20);
        out_id[20] = 0;
    }
    return c;
}

UNUSED static wshub_sio_stats sio_server_stats(const sio_server *v) {
    wshub_sio_stats st;
    wshub_sio_stats_get(v->sio, &st);
    return st;
}

/* Bytes that are written in hexadecimal, blanks between them or not. Returns how many. */
UNUSED static size_t sio_server_hex(const char *hex, char *out, size_t cap) {
    size_t count = 0;
    int high = -1, digit;
    for (; *hex; hex++) {
        const char *at = strchr("0123456789abcdef", *hex);
        if (!at) continue;
        digit = (int)(at - "0123456789abcdef");
        if (high < 0) {
            high = digit;
            continue;
        }
        EXPECT(count < cap);
        if (count < cap) out[count++] = (char)(high * 16 + digit);
        high = -1;
    }
    EXPECT(high < 0);
    return count;
}

/* Somebody publishes; the bytes lie in a block of their own, so that who reads on is seen. */
UNUSED static void sio_server_hears(sio_server *v, const char *channel, const char *bytes,
                                    size_t count) {
    char *exact = (char *)malloc(count ? count : 1);
    wshub_str payload;
    EXPECT(exact != NULL);
    if (count) memcpy(exact, bytes, count);
    payload.ptr = exact;
    payload.len = count;
    v->bus.owner.received(v->bus.owner.ctx, S(channel), payload);
    free(exact);
    wshub_io_fake_run(v->s.w.net);
}
#endif /* SIO_SERVER_H */
