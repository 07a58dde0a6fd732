/* A server of Socket.IO on a fake io and a bus that keeps what it is given, and a few words to speak
 * to it: sockets come in and name their rooms, strangers publish. Includes everything. */
#ifndef SIO_SERVER_H
#define SIO_SERVER_H
#include "sio_socket.h"

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
    sio_socket_bus_up(&b->owner);
}

/* ---- a server ---- */

typedef struct sio_server {
    eio_site s; /* of which only the world and the words are used */
    kept_bus bus;
    wshub_bus words;
    wshub_sio *sio;
} sio_server;

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
    v->sio = sio_socket_serve(&v->s, d);
    space.on_connected = sio_socket_rooms;
    for (i = 0; i < 2; i++) {
        space.name = names[i];
        EXPECT_INT(wshub_sio_namespace_add(v->sio, &space, NULL), WSHUB_OK);
    }
    kept_up(&v->bus);
    wshub_io_fake_run(v->s.w.net);
}
UNUSED static void sio_server_stop(sio_server *v) {
    kept_reply(&v->bus, NULL);
    sio_socket_unserve(&v->s, v->sio);
    kept_forget(&v->bus);
}

/* A socket of a namespace ("" is `/`). out_id: 21 bytes; may be NULL. */
UNUSED static wshub_conn sio_server_joins(sio_server *v, const char *space, const char *auth,
                                          char *out_id) {
    return sio_socket_joins(&v->s, space, auth, out_id);
}

UNUSED static wshub_sio_stats sio_server_stats(const sio_server *v) {
    return sio_socket_stats(v->sio);
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
