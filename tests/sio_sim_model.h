/* For tests/test_sio_sim.c: what there is in a run (clients with their sessions, sockets as the
 * application knows them), and the model of what each session is to hear. */
#ifndef SIO_SIM_MODEL_H
#define SIO_SIM_MODEL_H

#include <stdarg.h>
#include "eio_site.h"
#include "wshub_dialect_socketio.h"
#include "wshub_ext_client_socketio.h"

enum { SLOTS = 6, SPACES = 5, SOCKETS = 1000, DUES = 600, ASKS = 2000, ROOMS = 3, STEPS = 400 };

/* What a session is to hear. */
typedef struct heard_one {
    char *bytes;
    size_t len;
    bool text;
} heard_one;

/* A client, and the session that it has at present. */
typedef struct slot {
    enum { NOTHING, POLLS, TRIES, HAS_SOCKET } mode;
    char sid[21];
    wshub_conn poll, post, ws, up;
    bool held;   /* a poll is out */
    bool probed; /* `3probe` has come */
    bool b64, pongs;
    bool gap; /* it has said something that need not have been heard */
    heard_one *due;
    size_t due_count, due_cap, heard;
    unsigned sent, arrived; /* events that it has said, and that the server was told of */
    unsigned joined, wants; /* by namespace: it has heard so; it has asked */
    unsigned asked[8], asked_count, asked_space[8];
} slot;

/* A socket as the application knows it. */
typedef struct socket_of {
    wshub_client client;
    slot *at;
    unsigned space, rooms;
    bool there; /* on_disconnected is yet to be told */
    bool leaving;
    /* Of clients of our own: its id, and the numbers of what it is to hear, and has. */
    char id[24];
    unsigned due[DUES], due_count, heard;
} socket_of;

static eio_site s;
static wshub_sio *sio;
static slot slots[SLOTS], *talking;
static socket_of sockets[SOCKETS];
static int sockets_count, depth;
static unsigned said, asks_open[ASKS], asks_count;
static wshub_sio_ask_id pending[8];
static struct {
    wshub_sio_ack ack;
    slot *at;
    unsigned space, id;
} acks[8];
static struct { wshub_ask ask; } auths[4];
static uint32_t seed;
static bool down;
static const char *const names[SPACES] = {"/", "/late", "/n1", "/n2", "/flow"};
static const char *const rooms[ROOMS] = {"red", "green", "blue"};

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (void)printf("  seed %u, %s:%d: must hold: %s\n", (unsigned)seed, __FILE__, __LINE__,  \
                         #cond);                                                                   \
            test_failures++;                                                                       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* ---- the model ---- */

static void due(slot *at, bool text, const void *bytes, size_t len) {
    heard_one *one;
    if (!at || !at->sid[0]) return;
    if (at->due_count == at->due_cap) {
        at->due_cap = at->due_cap ? at->due_cap * 2 : 64;
        at->due = (heard_one *)realloc(at->due, at->due_cap * sizeof *at->due);
        MUST(at->due != NULL);
    }
    one = &at->due[at->due_count++];
    one->bytes = (char *)malloc(len + 1);
    MUST(one->bytes != NULL);
    memcpy(one->bytes, bytes, len);
    one->bytes[len] = 0;
    one->len = len;
    one->text = text;
}
/* A packet: `type`, the namespace unless it is the first, and what follows. */
static void due_packet(slot *at, const char *type, unsigned space, const char *format, ...) {
    char text[400];
    va_list list;
    int n =
        snprintf(text, sizeof text, "%s%s%s", type, space ? names[space] : "", space ? "," : "");
    va_start(list, format);
    n += vsnprintf(text + n, sizeof text - (size_t)n, format, list);
    va_end(list);
    due(at, true, text, (size_t)n);
}
/* The same for one of ours, whose packets nobody looks at. */
static void due_number(socket_of *socket, const char *number) {
    if (socket->at) return;
    MUST(socket->due_count < DUES);
    socket->due[socket->due_count++] = (unsigned)atoi(number);
}
static void forget_due(slot *at) {
    size_t i;
    for (i = 0; i < at->due_count; i++) free(at->due[i].bytes);
    at->due_count = at->heard = 0;
}
static bool is_open(const slot *at) { /* at the server */
    const wshub_eio__session *session =
        at->sid[0] ? wshub_eio__sid_find(wshub_sio_engine(sio), at->sid, 20) : NULL;
    return session && wshub_eio__is_open(session);
}
static slot *slot_of(wshub_client client) {
    wshub_str sid = wshub_eio_sid(wshub_sio_engine(sio), wshub_sio_session_of(sio, client));
    int i;
    for (i = 0; i < SLOTS && sid.ptr; i++) {
        if (memcmp(slots[i].sid, sid.ptr, 20) == 0) return &slots[i];
    }
    return NULL;
}
static socket_of *socket_at(wshub_client client) {
    int i;
    for (i = 0; i < sockets_count; i++) {
        if (sockets[i].there && sockets[i].client.id == client.id) return &sockets[i];
    }
    return NULL;
}
static bool is_there(const socket_of *socket) { /* its end is not on its way */
    return socket->there && wshub_sio_session_of(sio, socket->client).id != 0;
}
static unsigned space_of(wshub_client client) {
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, client));
    unsigned i;
    for (i = 0; i < SPACES; i++) {
        if (wshub_str_eq_z(name, names[i])) return i;
    }
    MUST(!"a namespace that there is");
    return 0;
}
#endif /* SIO_SIM_MODEL_H */
