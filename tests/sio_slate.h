/* A server of Socket.IO on a bus that writes down what it says, looks at it as a server of Node's
 * would, and is asked what a test lets it answer; with a few words to play other servers. Includes
 * everything. */
#ifndef SIO_SLATE_H
#define SIO_SLATE_H
#include "sio_socket.h"
#include "wshub_bus_local.h"

/* ---- a bus that writes down what it is given, and a broker that counts when it is told to ---- */

enum { ASKED_MAX = 8, OUT_BYTES = 40000 };

typedef struct slate {
    wshub_bus_owner owner;
    char out[OUT_BYTES]; /* `channel payload` of all that servers have said; msgpack as hex */
    int published;
    struct {
        void (*on_reply)(void *arg, const wshub_bus_reply *reply);
        void *arg;
    } asked[ASKED_MAX];
    size_t asked_count;
    char question[200];
    wshub_err refuses; /* requests */
} slate;

static wshub_err slate_attach(void *ctx, const wshub_bus_owner *owner) {
    slate *b = (slate *)ctx;
    size_t i;
    if (owner) {
        b->owner = *owner;
        return WSHUB_OK;
    }
    for (i = 0; i < b->asked_count; i++) b->asked[i].on_reply(b->asked[i].arg, NULL);
    b->asked_count = 0;
    return WSHUB_OK;
}

/* Would a server of Node's end itself for it? It reads what it is sent without looking. */
static void node_lives(wshub_str channel, wshub_str payload) {
    static char text[OUT_BYTES];
    static wshub_span spans[16];
    wshub_str json = payload;
    uint64_t type = 99;
    bool request;
    char name[200];
    (void)snprintf(name, sizeof name, "%.*s", (int)channel.len, channel.ptr);
    request = strstr(name, "-request#") != NULL;
    if (payload.ptr[0] != '{') {
        wshub_sio__reader in = {(const uint8_t *)payload.ptr, NULL};
        wshub_sio__unpacked out;
        memset(&out, 0, sizeof out);
        out.text.buf = text;
        out.text.cap = sizeof text;
        out.attachments = spans;
        out.attachments_max = 16;
        in.end = in.at + payload.len;
        EXPECT(wshub_sio__unpack_json(&in, &out) && in.at == in.end);
        json.ptr = text;
        json.len = out.text.len;
    }
    EXPECT(wshub_json_type(json) ==
           (request || strstr(name, "-response#") ? WSHUB_JSON_OBJECT : WSHUB_JSON_ARRAY));
    (void)wshub_json_uint(wshub_json_get(json, "type"), &type);
    if (!request) return;
    EXPECT_OP(type, <, 8);
    if (type == 2 || type == 3 || type == 4 || type == 5 || type == 7) {
        EXPECT(wshub_json_type(wshub_json_at(json, "/opts/rooms")) == WSHUB_JSON_ARRAY);
        EXPECT(wshub_json_type(wshub_json_at(json, "/opts/except")) == WSHUB_JSON_ARRAY);
    }
    if (type == 2 || type == 3)
        EXPECT(wshub_json_type(wshub_json_get(json, "rooms")) == WSHUB_JSON_ARRAY);
    if (type == 6) EXPECT(wshub_json_type(wshub_json_at(json, "/data/0")) == WSHUB_JSON_STRING);
    if (type == 7) EXPECT(wshub_json_is(wshub_json_at(json, "/packet/nsp"), "/"));
}

static size_t slate_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    slate *b = (slate *)ctx;
    size_t i, k;
    for (i = 0; i < count; i++) {
        char *at = b->out + strlen(b->out), *end = b->out + sizeof b->out;
        if (!memchr(msgs[i].channel.ptr, '#', msgs[i].channel.len)) continue;
        b->published++;
        node_lives(msgs[i].channel, msgs[i].payload);
        at += snprintf(at, (size_t)(end - at), "%.*s ", (int)msgs[i].channel.len,
                       msgs[i].channel.ptr);
        if (msgs[i].payload.ptr[0] == '{') {
            (void)snprintf(at, (size_t)(end - at), "%.*s\n", (int)msgs[i].payload.len,
                           msgs[i].payload.ptr);
            continue;
        }
        for (k = 0; k < msgs[i].payload.len && at + 4 < end; k++, at += 2)
            (void)snprintf(at, 3, "%02x", (unsigned)(uint8_t)msgs[i].payload.ptr[k]);
        (void)snprintf(at, 2, "\n");
    }
    return count;
}
static bool slate_ignore(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx, (void)channels, (void)count;
    return true;
}
static wshub_err slate_request(void *ctx, const wshub_str *argv, size_t argc,
                               void (*on_reply)(void *arg, const wshub_bus_reply *reply),
                               void *arg) {
    slate *b = (slate *)ctx;
    if (b->refuses) return b->refuses;
    EXPECT_INT(argc, 3);
    (void)snprintf(b->question, sizeof b->question, "%.*s %.*s %.*s", (int)argv[0].len, argv[0].ptr,
                   (int)argv[1].len, argv[1].ptr, (int)argv[2].len, argv[2].ptr);
    EXPECT_OP(b->asked_count, <, ASKED_MAX);
    b->asked[b->asked_count].on_reply = on_reply;
    b->asked[b->asked_count++].arg = arg;
    return WSHUB_OK;
}
static wshub_bus slate_bus(slate *b) {
    wshub_bus bus;
    memset(b, 0, sizeof *b);
    memset(&bus, 0, sizeof bus);
    bus.ctx = b;
    bus.version = WSHUB_BUS_VERSION;
    bus.attach = slate_attach;
    bus.publish = slate_publish;
    bus.subscribe = slate_ignore;
    bus.unsubscribe = slate_ignore;
    bus.request = slate_request;
    return bus;
}

/* The broker counts, for the oldest question. Below 0: it refuses to. */
static void counts(slate *b, int count) {
    wshub_bus_reply items[2], all;
    size_t i;
    void (*on_reply)(void *arg, const wshub_bus_reply *reply) = b->asked[0].on_reply;
    void *arg = b->asked[0].arg;
    EXPECT_OP(b->asked_count, >, 0);
    for (i = 1; i < b->asked_count; i++) b->asked[i - 1] = b->asked[i];
    b->asked_count--;
    memset(items, 0, sizeof items);
    memset(&all, 0, sizeof all);
    items[0].kind = WSHUB_BUS_REPLY_TEXT;
    items[1].kind = WSHUB_BUS_REPLY_INTEGER;
    items[1].integer = count;
    all.kind = count < 0 ? WSHUB_BUS_REPLY_ERROR : WSHUB_BUS_REPLY_ARRAY;
    all.items = items;
    all.count = 2;
    on_reply(arg, &all);
}

/* ---- a server on it ---- */

typedef struct server {
    eio_site s; /* of which only the world and the words are used */
    wshub_sio *sio;
    wshub_sio_namespace root;
    char told[4000]; /* of what has been found, and of events of servers */
    int tells;
    wshub_sio_reply owed;
    bool keeps; /* events of servers are not answered at once */
} server;

static void note(server *v, const char *format, int len, const char *text) {
    size_t at = strlen(v->told);
    (void)snprintf(v->told + at, sizeof v->told - at, format, len, text);
}

/* A server has emitted. */
static void on_server_event(wshub_sio *sio, const wshub_sio_server_event *e, void *user) {
    server *v = (server *)user;
    wshub_str yes = wshub_str_z("{\"ok\":1}");
    size_t i;
    EXPECT(e->to.id != 0);
    note(v, "<%.*s", (int)e->name.len, e->name.ptr);
    for (i = 0; i < e->args_count; i++) note(v, " %.*s", (int)e->args[i].len, e->args[i].ptr);
    note(v, "%.*s", 2, e->reply.id ? "?>" : ">");
    if (!v->keeps) {
        wshub_err err = wshub_sio_server_answer(sio, e->reply, yes);
        EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
    }
    v->owed = e->reply;
}

static bool asked_for(wshub_sio *sio, wshub_str name, void *user) {
    (void)sio, (void)user;
    return name.len > 2 && name.ptr[1] == 'n';
}

static void serve(server *v, wshub_bus *bus, wshub_sio_desc d, uint32_t seed) {
    wshub_sio_namespace_desc space;
    memset(v, 0, sizeof *v);
    world_start(&v->s.w, DESC(.bus = bus, .on_authenticate = accept_all), FAKE(.seed = seed));
    v->sio = sio_socket_serve(&v->s, d);
    memset(&space, 0, sizeof space);
    space.on_connected = sio_socket_rooms;
    space.on_server_event = on_server_event;
    space.user = v;
    EXPECT_INT(wshub_sio_namespace_add(v->sio, &space, &v->root), WSHUB_OK);
    space.name = "/admin";
    space.on_server_event = NULL; /* nobody listens there */
    EXPECT_INT(wshub_sio_namespace_add(v->sio, &space, NULL), WSHUB_OK);
    space.matches = asked_for;
    EXPECT_INT(wshub_sio_namespace_add(v->sio, &space, NULL), WSHUB_OK);
}
/* The same, on a slate that is up. */
static void serve_on(server *v, slate *b, wshub_sio_desc d) {
    wshub_bus bus = slate_bus(b);
    d.bus = true;
    serve(v, &bus, d, 1);
    sio_socket_bus_up(&b->owner);
    wshub_io_fake_run(v->s.w.net);
    b->out[0] = 0;
}
static void unserve(server *v) {
    sio_socket_unserve(&v->s, v->sio);
}
static void run(server *v) {
    wshub_io_fake_run(v->s.w.net);
}
static void says(server *v, wshub_conn c, const char *text) {
    wshub_io_fake_text(v->s.w.net, c, text);
    run(v);
}
/* A socket of a namespace. out_id: 21 bytes. */
static wshub_conn joins(server *v, const char *space, const char *auth, char *out_id) {
    return sio_socket_joins(&v->s, space, auth, out_id);
}
static void hears(server *v, wshub_conn c, const char *want) {
    EXPECT_TEXT(&v->s.w, c, want);
}
static wshub_sio_stats stats_of(const server *v) {
    return sio_socket_stats(v->sio);
}

/* Puts one text for another, in place; the new one is as long or shorter. */
static void replace(char *text, const char *old, const char *by) {
    while ((text = strstr(text, old)) != NULL) {
        memmove(text + strlen(by), text + strlen(old), strlen(text + strlen(old)) + 1);
        memcpy(text, by, strlen(by));
        text += strlen(by);
    }
}
/* Six characters that are different each time, behind a mark, become others. */
static void mask(char *text, const char *mark, const char *by) {
    while ((text = strstr(text, mark)) != NULL) {
        text += strlen(mark);
        if (strlen(text) >= 6) memcpy(text, by, 6);
    }
}
/* A message of another server: JSON, or hex. `SID` in it is replaced. */
static void comes(server *v, slate *b, const char *channel, const char *message, const char *sid) {
    char bytes[2000];
    wshub_str payload = {bytes, 0};
    (void)snprintf(bytes, sizeof bytes, "%s", message);
    if (message[0] == '{' || message[0] == '!') {
        char *at = strstr(bytes, "SID");
        if (at && sid) {
            memmove(at + 20, at + 3, strlen(at + 3) + 1);
            memcpy(at, sid, 20);
        }
        payload.len = strlen(bytes);
    } else {
        payload.len = sio_socket_hex(message, bytes, sizeof bytes);
    }
    b->owner.received(b->owner.ctx, S(channel), payload);
    run(v);
}

#endif
