/* What tests with servers of Socket.IO share, whatever bus these are on: how such a server stands up
 * and ends, a socket that comes in over a WebSocket and names its rooms. Includes the fake io, the
 * site of Engine.IO and the dialect. */
#ifndef SIO_SOCKET_H
#define SIO_SOCKET_H
#include "eio_site.h"
#include "wshub_dialect_socketio.h"

#define SIO(...) ((wshub_sio_desc){__VA_ARGS__})

/* The server on the site's hub, with no ping within a test and the memory of the site's world. */
UNUSED static wshub_sio *sio_socket_serve(eio_site *s, wshub_sio_desc d) {
    wshub_sio *sio = NULL;
    d.engine.ping_interval_ms = 60000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s->w;
    EXPECT_INT(wshub_sio_create(s->w.hub, &d, &sio), WSHUB_OK);
    return sio;
}

/* The hub, the server, and then the io: that order is allowed, and nothing is left. */
UNUSED static void sio_socket_unserve(eio_site *s, wshub_sio *sio) {
    wshub *hub = s->w.hub;
    s->w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s->w);
}

/* The bus is connected, and up. */
UNUSED static void sio_socket_bus_up(const wshub_bus_owner *owner) {
    owner->state(owner->ctx, WSHUB_BUS_CONNECTED);
    owner->state(owner->ctx, WSHUB_BUS_UP);
}

/* on_connected: the socket is in the rooms that it has named: {"rooms":["a",42]}. */
UNUSED static void sio_socket_rooms(wshub_sio *sio, wshub_client client, void *user) {
    wshub_sio_handshake h;
    wshub_iter iter = {0, 0};
    wshub_str room;
    (void)user;
    EXPECT_INT(wshub_sio_handshake_of(sio, client, &h), WSHUB_OK);
    while (wshub_json_each(wshub_json_get(h.auth, "rooms"), &iter, &room)) {
        char name[WSHUB_NAME_BYTES_MAX + 1];
        if (!wshub_json_copy(room, name, sizeof name, NULL)) room = S(name);
        EXPECT_INT(wshub_client_join(wshub_sio_hub(sio), client, room), WSHUB_OK);
    }
}

/* A socket of a namespace ("" is `/`) at a WebSocket of its own. out_id: 21 bytes; may be NULL. */
UNUSED static wshub_conn sio_socket_joins(eio_site *s, const char *space, const char *auth,
                                          char *out_id) {
    wshub_conn c = eio_socket(s, "EIO=4&transport=websocket");
    wshub_io_fake_frame f;
    char text[200];
    EXPECT(wshub_io_fake_next(s->w.net, c, &f) && f.payload.ptr[0] == '0');
    (void)snprintf(text, sizeof text, "40%s%s%s", space, space[0] ? "," : "", auth);
    wshub_io_fake_text(s->w.net, c, text);
    wshub_io_fake_run(s->w.net);

    /* Its id stands last in what it is answered. */
    memset(&f, 0, sizeof f);
    EXPECT(wshub_io_fake_next(s->w.net, c, &f) && f.payload.len > 30);
    if (out_id && f.payload.len > 30) {
        memcpy(out_id, f.payload.ptr + f.payload.len - 22, 20);
        out_id[20] = 0;
    }
    return c;
}

UNUSED static wshub_sio_stats sio_socket_stats(wshub_sio *sio) {
    wshub_sio_stats st;
    wshub_sio_stats_get(sio, &st);
    return st;
}

/* Bytes that are written in hexadecimal, blanks between them or not, up to what is neither. Returns
 * how many. */
UNUSED static size_t sio_socket_hex(const char *hex, char *out, size_t cap) {
    static const char digits[] = "0123456789abcdef";
    size_t count = 0;
    int high = -1;
    for (; *hex && strchr("0123456789abcdef ", *hex); hex++) {
        if (*hex == ' ') continue;
        if (high < 0) {
            high = (int)(strchr(digits, *hex) - digits);
            continue;
        }
        EXPECT(count < cap);
        if (count < cap) out[count++] = (char)(high * 16 + (int)(strchr(digits, *hex) - digits));
        high = -1;
    }
    EXPECT(high < 0);
    return count;
}
#endif /* SIO_SOCKET_H */
