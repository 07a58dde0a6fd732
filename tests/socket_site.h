/* A mount that writes down what it is told of its WebSockets, for their tests (test_socket*.c). */
#ifndef SOCKET_SITE_H
#define SOCKET_SITE_H
#include "hubtest.h"

typedef struct site site;
typedef void (*action)(site *s, wshub_conn conn);

/* A mount that writes down what it is told, and the owner of its WebSockets. */
struct site {
    world *w;
    const char *name; /* as owner */
    void *owner;      /* of new WebSockets; NULL: the mount's user, which is the site */
    action at_message, at_drained, at_closed;
    int messages, drained, closed;
    char last[64]; /* the beginning of the last message */
    size_t last_bytes;
    bool last_text;
    uint16_t code; /* of the last end */
    char reason[128];
    wshub_cause cause;
    wshub_conn other;
    wshub_exchange kept;
    bool later; /* upgrades are kept, not granted at once */
};

UNUSED static wshub_take site_head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                   void *user) {
    site *s = (site *)user;
    wshub_upgrade_answer answer;
    memset(&answer, 0, sizeof answer);
    answer.owner = s->owner;
    if (http->handshake != 101) return WSHUB_TAKE_DECLINED;
    s->kept = exchange;
    if (s->later) return WSHUB_TAKE_HELD;
    EXPECT_INT(wshub_http_upgrade(hub, exchange, &answer, NULL), WSHUB_OK);
    return WSHUB_TAKE_DONE;
}
UNUSED static void site_message(wshub *hub, wshub_conn conn, uint8_t *bytes, size_t count,
                                bool text, void *owner) {
    site *s = (site *)owner;
    size_t n = count < sizeof s->last - 1 ? count : sizeof s->last - 1;
    (void)hub;
    s->messages++;
    if (n) memcpy(s->last, bytes, n);
    s->last[n] = 0;
    s->last_bytes = count;
    s->last_text = text;
    world_note(s->w, s->name);
    world_note(s->w, " hears;");
    if (s->at_message) s->at_message(s, conn);
}
UNUSED static void site_drained(wshub *hub, wshub_conn conn, void *owner) {
    site *s = (site *)owner;
    (void)hub;
    s->drained++;
    world_note(s->w, s->name);
    world_note(s->w, " drained;");
    if (s->at_drained) s->at_drained(s, conn);
}
UNUSED static void site_closed(wshub *hub, wshub_conn conn, uint16_t code, wshub_str reason,
                               wshub_cause cause, void *owner) {
    site *s = (site *)owner;
    (void)hub;
    s->closed++;
    s->code = code;
    s->cause = cause;
    (void)snprintf(s->reason, sizeof s->reason, "%.*s", (int)reason.len, reason.ptr);
    world_note(s->w, s->name);
    world_note(s->w, " closed;");
    if (s->at_closed) s->at_closed(s, conn);
}

UNUSED static void site_mount(world *w, site *s, const char *path) {
    wshub_mount_desc desc;
    memset(&desc, 0, sizeof desc);
    if (!s->name) s->name = "site";
    s->w = w;
    desc.version = WSHUB_MOUNT_VERSION;
    desc.path = path;
    desc.user = s;
    desc.on_head = site_head;
    desc.on_message = site_message;
    desc.on_drained = site_drained;
    desc.on_conn_closed = site_closed;
    EXPECT_INT(wshub_mount(w->hub, &desc), WSHUB_OK);
}

/* A hub with one mount, and a WebSocket of it. */
UNUSED static wshub_conn site_start(world *w, site *s, wshub_desc d, wshub_io_fake_desc fd) {
    wshub_conn conn;
    world_start(w, d, fd);
    site_mount(w, s, "/s");
    conn = wshub_io_fake_connect(w->net, "/s");
    EXPECT(conn.id);
    return conn;
}

static char filler[200000];
UNUSED static const char *fill(void) {
    memset(filler, 'x', sizeof filler);
    return filler;
}
UNUSED static wshub_err send_bytes(world *w, wshub_conn conn, size_t count) {
    return wshub_conn_send(w->hub, conn, fill(), count, false);
}
UNUSED static wshub_err send_text(world *w, wshub_conn conn, const char *text) {
    return wshub_conn_send(w->hub, conn, text, strlen(text), true);
}
/* The peer takes nothing, and is owed a message of so many bytes. */
UNUSED static void owe(world *w, wshub_conn conn, size_t count) {
    wshub_io_fake_window(w->net, conn, 0);
    EXPECT_INT(send_bytes(w, conn, count), WSHUB_OK);
    wshub_io_fake_run(w->net);
}
/* The peer takes nothing, is owed "x", and is not read until it has taken that. */
UNUSED static void owe_and_pause(world *w, wshub_conn conn) {
    wshub_io_fake_window(w->net, conn, 0);
    EXPECT_INT(send_text(w, conn, "x"), WSHUB_OK);
    EXPECT_INT(wshub_conn_pause_until_drained(w->hub, conn), WSHUB_OK);
}
/* How many messages of so many bytes have arrived. */
UNUSED static int arrived(world *w, wshub_conn conn, size_t bytes) {
    wshub_io_fake_frame f;
    int n = 0;
    while (wshub_io_fake_next(w->net, conn, &f)) n += f.opcode == 2 && f.payload.len == bytes;
    return n;
}

/* What all calls say of a conn. */
UNUSED static void expect_all(world *w, wshub_conn conn, wshub_err err) {
    site other = {.name = "other"};
    EXPECT_INT(wshub_conn_send(w->hub, conn, "x", 1, true), err);
    EXPECT_INT(wshub_conn_pause_until_drained(w->hub, conn), err);
    EXPECT_INT(wshub_conn_close(w->hub, conn, 1000, nul()), err);
    EXPECT_INT(wshub_conn_set_owner(w->hub, conn, &other), err);
    EXPECT(!wshub_conn_owner(w->hub, conn));
}

UNUSED static void keep_line(wshub *hub, const wshub_log *line, void *user) {
    (void)hub;
    if (line->code == WSHUB_LOG_DROPPED) world_note((world *)user, line->client.id ? "C;" : "D;");
}

UNUSED static void end_own(site *s, wshub_conn conn) {
    wshub_conn_closed(s->w->hub, conn);
}
UNUSED static void destroy(site *s, wshub_conn conn) {
    wshub *hub = s->w->hub;
    (void)conn;
    s->w->hub = NULL;
    wshub_destroy(hub);
}
#endif
