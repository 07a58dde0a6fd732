/* Servers of Socket.IO on fake ios, over the Redis bus and a broker in memory: as many as a test
 * wants, and a few words to speak to them as clients do. Includes everything. */
#ifndef SIO_BROKER_H
#define SIO_BROKER_H
#include "sio_socket.h"
#include "wshub_bus_redis.h"
#include "broker.h"

typedef struct sio_node {
    eio_site s; /* of which only the world and the words are used */
    wshub_bus_redis *redis;
    wshub_sio *sio;
    broker *b;
    wshub_client last; /* who has come in last */
} sio_node;

/* A socket is in the rooms that it has named: {"rooms":["a",42]}. */
UNUSED static void sio_node_connected(wshub_sio *sio, wshub_client client, void *user) {
    wshub_sio_handshake h;
    wshub_iter iter = {0, 0};
    wshub_str room;
    ((sio_node *)user)->last = client;
    EXPECT_INT(wshub_sio_handshake_of(sio, client, &h), WSHUB_OK);
    while (wshub_json_each(wshub_json_get(h.auth, "rooms"), &iter, &room)) {
        if (wshub_json_type(room) == WSHUB_JSON_STRING) {
            room.ptr++;
            room.len -= 2;
        }
        EXPECT_INT(wshub_client_join(wshub_sio_hub(sio), client, room), WSHUB_OK);
    }
}

/* Time passes for all of them, the broker awake beside. */
UNUSED static void sio_nodes_run(sio_node *n, size_t count, uint64_t ms) {
    size_t i;
    int round;
    for (;; ms--) {
        for (round = 0; round < 6; round++) {
            for (i = 0; i < count; i++) {
                while (broker_step(n[i].b, n[i].s.w.net)) wshub_io_fake_run(n[i].s.w.net);
                wshub_io_fake_run(n[i].s.w.net);
            }
        }
        if (!ms) return;
        for (i = 0; i < count; i++) wshub_io_fake_advance(n[i].s.w.net, 1);
    }
}

/* url: of a node of a Cluster; NULL: the broker is none. */
UNUSED static void sio_node_start_at(sio_node *n, broker *b, wshub_sio_desc d, uint32_t seed,
                                     const char *url) {
    static const char *const names[] = {"/", "/admin"};
    world *w = &n->s.w;
    wshub_bus_redis_desc rd;
    wshub_sio_namespace_desc space;
    wshub_io_fake_desc fd = {.on_step = world_step, .user = w, .seed = seed};
    wshub_desc hub = {.alloc = world_alloc, .alloc_user = w, .user = w};
    size_t i;
    memset(n, 0, sizeof *n);
    n->b = b;
    EXPECT_INT(wshub_io_fake_create(&fd, &w->net), WSHUB_OK);
    memset(&rd, 0, sizeof rd);
    rd.io = hub.io = wshub_io_fake_io(w->net);
    rd.url = url ? url : "redis://broker";
    rd.cluster = url != NULL;
    rd.alloc = world_alloc;
    rd.alloc_user = w;
    rd.no_log = true;
    EXPECT_INT(wshub_bus_redis_create(&rd, &n->redis), WSHUB_OK);
    hub.bus = wshub_bus_redis_bus(n->redis);
    hub.on_authenticate = accept_all;
    hub.bus_linger_ms = WSHUB_OFF;
    hub.rooms_per_client_max = 200000;
    hub.no_log = true;
    EXPECT_INT(wshub_create(&hub, &w->hub), WSHUB_OK);
    d.bus = true;
    n->sio = sio_socket_serve(&n->s, d);
    for (i = 0; i < 2; i++) {
        memset(&space, 0, sizeof space);
        space.name = names[i];
        space.on_connected = sio_node_connected;
        space.user = n;
        EXPECT_INT(wshub_sio_namespace_add(n->sio, &space, NULL), WSHUB_OK);
    }
}

UNUSED static void sio_node_start(sio_node *n, broker *b, wshub_sio_desc d, uint32_t seed) {
    sio_node_start_at(n, b, d, seed, NULL);
}

UNUSED static void sio_node_stop(sio_node *n) {
    wshub *hub = n->s.w.hub;
    n->s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(n->sio);
    wshub_bus_redis_destroy(n->redis);
    wshub_io_fake_destroy(n->s.w.net);
    EXPECT_INT(n->s.w.bytes, 0);
}

/* A socket of a namespace. out_id: 21 bytes; may be NULL. */
UNUSED static wshub_conn sio_node_joins(sio_node *n, const char *space, const char *auth,
                                        char *out_id) {
    return sio_socket_joins(&n->s, space, auth, out_id);
}

/* Emits `event` with one argument to a room; "": to all. */
UNUSED static void sio_node_emit(sio_node *n, const char *room, const char *arg) {
    wshub_str args = wshub_str_z(arg);
    wshub_packet packet = {.event = wshub_str_z("m"), .args = &args, .args_count = 1};
    wshub_dest dest = {.kind = *room ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL};
    dest.name = wshub_str_z(room);
    EXPECT_INT(wshub_sio_emit(n->sio, wshub_sio_of(n->sio, "/"), &dest, &packet), WSHUB_OK);
}

UNUSED static wshub_bus_redis_stats sio_node_redis(const sio_node *n) {
    wshub_bus_redis_stats stats;
    wshub_bus_redis_stats_get(n->redis, &stats);
    return stats;
}
#endif
