/* Servers of Socket.IO for the tests of their bus: one on a bus that writes down what it is given,
 * and two on a bus of this process. */
#ifndef SIO_BUS_SITE_H
#define SIO_BUS_SITE_H
#include "sio_socket.h"
#include "wshub_bus_local.h"

/* ---- a bus that writes down what it is given ---- */

typedef struct slate {
    wshub_bus_owner owner;
    char subs[800];              /* `+channel ` and `-channel ` */
    char letters[1600];          /* the same, of those on which servers ask and answer */
    char channel[200], hex[800]; /* of what was published last */
    char bytes[400];
    size_t count; /* of its bytes */
    int published;
} slate;

UNUSED static wshub_err slate_attach(void *ctx, const wshub_bus_owner *owner) {
    if (owner) ((slate *)ctx)->owner = *owner;
    return WSHUB_OK;
}
UNUSED static size_t slate_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    slate *b = (slate *)ctx;
    size_t i;
    wshub_str payload = msgs[count - 1].payload;
    b->published += (int)count;
    for (i = 0; i < count;
         i++) { /* what we publish Node can read: it ends itself where it cannot */
        static char text[4096];
        static wshub_span spans[10];
        wshub_sio__reader in;
        wshub_sio__unpacked out;
        if (!memchr(msgs[i].channel.ptr, '#', msgs[i].channel.len)) continue;
        memset(&out, 0, sizeof out);
        out.text.buf = text;
        out.text.cap = sizeof text;
        out.attachments = spans;
        out.attachments_max = 10;
        in.at = (const uint8_t *)msgs[i].payload.ptr;
        in.end = in.at + msgs[i].payload.len;
        EXPECT(wshub_sio__unpack_json(&in, &out) && in.at == in.end);
    }
    (void)snprintf(b->channel, sizeof b->channel, "%.*s", (int)msgs[count - 1].channel.len,
                   msgs[count - 1].channel.ptr);
    b->hex[0] = 0;
    for (i = 0; i < payload.len && i < sizeof b->bytes; i++)
        (void)snprintf(b->hex + 2 * i, 3, "%02x", (unsigned)(uint8_t)payload.ptr[i]);
    b->count = i;
    memcpy(b->bytes, payload.ptr, i);
    return count;
}
UNUSED static void slate_note(slate *b, char sign, const wshub_bus_channel *channels,
                              size_t count) {
    size_t i, len;
    for (i = 0; i < count; i++) {
        if (channels[i].name.len > 2 && memcmp(channels[i].name.ptr, "ws:", 3) == 0) continue;
        {
            char name[100];
            bool letter;
            (void)snprintf(name, sizeof name, "%.*s", (int)channels[i].name.len,
                           channels[i].name.ptr);
            letter = strstr(name, "-request#") || strstr(name, "-response#");
            if (letter && strstr(name, "-response#") &&
                strchr(strchr(strchr(name, '#') + 1, '#') + 1, '#'))
                memcpy(name + strlen(name) - 7, "uidABC", 6); /* any six characters */
            len = strlen(letter ? b->letters : b->subs);
            (void)snprintf((letter ? b->letters : b->subs) + len,
                           (letter ? sizeof b->letters : sizeof b->subs) - len, "%c%s%s ", sign,
                           name, channels[i].pattern == letter ? " (?)" : "");
        }
    }
}
UNUSED static bool slate_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    slate_note((slate *)ctx, '+', channels, count);
    return true;
}
UNUSED static bool slate_unsubscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    slate_note((slate *)ctx, '-', channels, count);
    return true;
}
UNUSED static wshub_bus slate_bus(slate *b) {
    wshub_bus bus;
    memset(b, 0, sizeof *b);
    memset(&bus, 0, sizeof bus);
    bus.ctx = b;
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = slate_attach;
    bus.publish = slate_publish;
    bus.subscribe = slate_subscribe;
    bus.unsubscribe = slate_unsubscribe;
    return bus;
}
UNUSED static void slate_up(slate *b) {
    sio_socket_bus_up(&b->owner);
}

/* ---- a server on a bus ---- */

typedef struct server {
    eio_site s; /* of which only the world and the words are used */
    wshub_sio *sio;
    int errors;
} server;

UNUSED static bool rooms_asked(wshub_sio *sio, wshub_str name, void *user) {
    (void)sio;
    (void)user;
    return name.len > 2 && name.ptr[1] == 'n';
}

UNUSED static void serve(server *v, wshub_bus *bus, wshub_sio_desc d, uint32_t seed) {
    static const char *const names[] = {"/", "/admin", "/a#b"};
    wshub_sio_namespace_desc space;
    size_t i;
    memset(v, 0, sizeof *v);
    world_start(&v->s.w,
                DESC(.bus = bus, .on_authenticate = accept_all, .bus_linger_ms = WSHUB_OFF),
                FAKE(.seed = seed));
    v->sio = sio_socket_serve(&v->s, d);
    for (i = 0; i < 4; i++) {
        memset(&space, 0, sizeof space);
        space.on_connected = sio_socket_rooms;
        if (i < 3) space.name = names[i];
        if (i == 3) space.matches = rooms_asked;
        EXPECT_INT(wshub_sio_namespace_add(v->sio, &space, NULL), WSHUB_OK);
    }
}
UNUSED static void unserve(server *v) {
    sio_socket_unserve(&v->s, v->sio);
}

UNUSED static void says(server *v, wshub_conn c, const char *text) {
    wshub_io_fake_text(v->s.w.net, c, text);
    wshub_io_fake_run(v->s.w.net);
}
/* A socket of a namespace. out_id: 21 bytes; may be NULL. */
UNUSED static wshub_conn joins(server *v, const char *space, const char *auth, char *out_id) {
    return sio_socket_joins(&v->s, space, auth, out_id);
}
UNUSED static void hears(server *v, wshub_conn c, const char *want) {
    EXPECT_TEXT(&v->s.w, c, want);
}
UNUSED static void hears_bytes(server *v, wshub_conn c, const char *want, size_t count) {
    wshub_io_fake_frame f;
    memset(&f, 0, sizeof f);
    EXPECT(wshub_io_fake_next(v->s.w.net, c, &f));
    EXPECT(f.opcode == 2 && f.payload.len == count && memcmp(f.payload.ptr, want, count) == 0);
}
UNUSED static wshub_sio_stats sio_stats(const server *v) {
    return sio_socket_stats(v->sio);
}

/* What of a line stands between two marks. */
UNUSED static size_t list_of(char *text, const char *mark, wshub_str *out) {
    size_t n = 0;
    for (text = strtok(text, mark); text; text = strtok(NULL, mark)) out[n++] = wshub_str_z(text);
    return n;
}

/* ---- two servers on a bus of this process ---- */

typedef struct servers {
    wshub_bus_local *local;
    server a, b;
} servers;

UNUSED static void servers_start(servers *two, wshub_sio_desc d) {
    wshub_bus bus;
    EXPECT_INT(wshub_bus_local_create(NULL, &two->local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(two->local, &bus), WSHUB_OK);
    serve(&two->a, &bus, d, 1);
    EXPECT_INT(wshub_bus_local_seat(two->local, &bus), WSHUB_OK);
    serve(&two->b, &bus, d, 2);
}
UNUSED static void servers_run(servers *two) {
    int i;
    for (i = 0; i < 3; i++) {
        wshub_io_fake_run(two->a.s.w.net);
        wshub_io_fake_run(two->b.s.w.net);
    }
}
UNUSED static void servers_stop(servers *two) {
    unserve(&two->a);
    unserve(&two->b);
    wshub_bus_local_destroy(two->local);
}

static const wshub_str one_arg = {"1", 1};
UNUSED static wshub_packet event_of(const char *name) {
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    packet.event = S(name);
    packet.args = &one_arg;
    packet.args_count = 1;
    return packet;
}
UNUSED static wshub_err emits(server *v, const char *space, const wshub_dest *dest,
                              const wshub_packet *packet) {
    return wshub_sio_emit(v->sio, wshub_sio_of(v->sio, space), dest, packet);
}
#endif
