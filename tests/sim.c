/* Several hubs, a broker, an emitter and many clients in one thread and one virtual time, driven by one seed: links
 * that break, lag and go silent, a broker that dies, is mute or deaf, streams that take little, allocations that fail,
 * clocks that jump, answers that come late, twice or never, an application that joins, leaves, sends, closes and ends
 * its hub inside callbacks. A model made from SPEC.md, not from the code, says of each message which client must have
 * it, which may and which must not, and in which order; indexes check themselves after every step; ten seconds after
 * the last fault everything works again.
 *
 *     build/sim [SEEDS [HOURS]]           seeds 1 to SEEDS, so many simulated hours each (100, 0.25)
 *     build/sim --seed N [HOURS]          one seed; a failure is shrunk to the steps that it takes
 *     build/sim --seed N HOURS --only 3,17,40
 * Each seed ends with a hash of all that clients heard, which no compiler, level or word size may change. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int failures;
static const char *where = "";
#define EXPECT(cond)                                                                              \
    do {                                                                                          \
        if (!(cond)) {                                                                            \
            failures++;                                                                           \
            (void)printf("  %s:%d: %s: expected %s\n", __FILE__, __LINE__, where, #cond);         \
        }                                                                                         \
    } while (0)
#include "broker.h"

enum { HUBS = 4, CLIENTS = 400, ROOMS = 8, USERS = 5, MESSAGES = 8192, ASKS = 64, STEPS = 100000 };

/* ---- chance: each step has its own, so that a step can be left out and the others stay what they are ---- */
static uint64_t rnd_state;
static uint32_t rnd(uint32_t n) {
    rnd_state = rnd_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rnd_state >> 33) % n;
}
static void rnd_begin(uint64_t seed, uint64_t step) {
    rnd_state = (seed * UINT64_C(0x9E3779B97F4A7C15)) ^ (step * UINT64_C(0xD1B54A32D192ED03)) ^ UINT64_C(0x2545F4914F6CDD1D);
    (void)rnd(2);
    (void)rnd(2);
}

/* ---- the world ---- */
typedef struct hub_site {
    wshub_io_fake *net;
    wshub_bus_redis *redis;
    wshub *hub;
    wshub_ask asks[ASKS]; /* to be answered some time */
    uint32_t origin;      /* counts up with every beginning: of the hub, and after each gap of its bus */
    uint32_t index, life;
    bool up, exact, dying;
    long fail_at;         /* the n-th allocation from now fails */
    size_t bytes;
} hub_site;

typedef enum belief { NO, MAY, YES } belief; /* what the model knows of a membership */

typedef struct client {
    hub_site *at;
    wshub_conn conn; /* 0: none */
    uint32_t life;
    char id[40];
    int user;          /* -1: none */
    bool connected;    /* it has been told so */
    bool certain;      /* nothing has happened to it that would excuse a loss */
    bool server_joined[ROOMS];
    belief in[ROOMS];
    uint64_t in_until[ROOMS]; /* when it may have been in there last */
    uint32_t last[1024];      /* number of the last message, by origin */
    uint32_t heard;
    uint64_t spoke_at;
    bool polite;       /* answers pings, says heartbeat */
} client;

typedef struct message {
    uint32_t number, origin, hub;
    uint64_t at;
    int kind; /* 0 all, 1 room, 2 user, 3 client */
    int target, exclude;
    char id[40]; /* of the client it is for */
    uint64_t life; /* of the excluded one */
    bool local;    /* for this hub's clients only (SEND-1) */
    uint8_t must[(CLIENTS + 7) / 8]; /* who had to hear it when it was said, all being well */
} message;

static struct sim {
    broker b;
    hub_site hubs[HUBS];
    hub_site emitter; /* where it lives */
    wshub_emitter *em;
    client clients[CLIENTS];
    message messages[MESSAGES];
    uint32_t number, origins, hubs_count, clients_max, lives;
    uint64_t emitter_downs;
    uint64_t now, hash, heard, sent, connects, checks, faults;
    bool chaos;       /* something is being done to it */
    bool lagging;
    bool meddling;    /* inside a callback's callback */
    uint64_t calm_since;
    uint32_t step;
} sim;

static void trace(const void *bytes, size_t n) {
    const uint8_t *p = (const uint8_t *)bytes;
    while (n--) sim.hash = (sim.hash ^ *p++) * UINT64_C(0x100000001B3);
}

static void *sim_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    hub_site *s = (hub_site *)user;
    void *p;
    if (!new_bytes) {
        s->bytes -= old_bytes;
        free(ptr);
        return NULL;
    }
    if (s->fail_at && --s->fail_at == 0) return NULL;
    p = realloc(ptr, new_bytes);
    if (p) s->bytes += new_bytes - old_bytes;
    return p;
}

static const char *const rooms[ROOMS] = {"a", "b", "c", "d", "*", "ws:x", "r\xC3\xA9", "ws-default"};
static const char *const users[USERS] = {"u0", "u1", "u2", "u3", "u4"};

/* ---- the model: what a send means (SEND-1 to SEND-5, AUTH-7, ROOM-5) ---- */

static client *by_handle(hub_site *s, wshub_client h) {
    wshub_str id = wshub_client_id(s->hub, h);
    uint32_t i;
    for (i = 0; i < sim.clients_max; i++) {
        client *c = &sim.clients[i];
        if (c->conn.id && c->at == s && id.len == 36 && memcmp(c->id, id.ptr, 36) == 0) return c;
    }
    return NULL;
}

static bool must_hear(const client *c, const message *m);
static message *note(hub_site *s, int kind, int target, int exclude) {
    message *m = &sim.messages[++sim.number % MESSAGES];
    uint32_t i;
    if (s == &sim.emitter) { /* it is told of no gap, but there are some, as on_bus has it */
        wshub_bus_redis_stats st;
        wshub_bus_redis_stats_get(s->redis, &st);
        if (st.downs != sim.emitter_downs) s->origin = ++sim.origins;
        sim.emitter_downs = st.downs;
    }
    memset(m, 0, sizeof *m);
    m->number = sim.number;
    m->origin = s->origin;
    m->hub = s->index;
    m->at = sim.now;
    m->kind = kind;
    m->target = target;
    m->exclude = exclude;
    if (exclude >= 0) m->life = sim.clients[exclude].life;
    if (kind == 3) memcpy(m->id, sim.clients[target].id, 40);
    for (i = 0; i < sim.clients_max; i++) {
        if (must_hear(&sim.clients[i], m)) m->must[i / 8] |= (uint8_t)(1u << i % 8);
    }
    sim.sent++;
    return m;
}

static client *some_client(void) { /* with an id; NULL: there is none near */
    uint32_t i, from = rnd(sim.clients_max);
    for (i = 0; i < 12; i++) {
        client *c = &sim.clients[(from + i) % sim.clients_max];
        if (c->conn.id && c->id[0]) return c;
    }
    return NULL;
}

/* One send of some kind from a hub, or from the emitter (hub NULL). local: on this hub alone. */
static void send_some(hub_site *s, bool local) {
    char data[24];
    wshub_dest d;
    wshub_msg m;
    client *x = rnd(3) == 0 ? some_client() : NULL, *to;
    wshub_str ex;
    int kind = (int)rnd(8);
    wshub_err err;
    memset(&d, 0, sizeof d);
    memset(&m, 0, sizeof m);
    if (kind == 0) {
        d.kind = WSHUB_DEST_ALL;
        (void)note(s, 0, -1, x ? (int)(x - sim.clients) : -1);
    } else if (kind < 5) {
        int r = (int)rnd(ROOMS);
        d.kind = WSHUB_DEST_ROOM;
        d.name = wshub_str_z(rooms[r]);
        (void)note(s, 1, r, x ? (int)(x - sim.clients) : -1);
    } else if (kind == 5) {
        int u = (int)rnd(USERS);
        d.kind = WSHUB_DEST_USER;
        d.name = wshub_str_z(users[u]);
        x = NULL;
        (void)note(s, 2, u, -1);
    } else {
        to = some_client();
        if (!to) return;
        d.kind = kind == 6 ? WSHUB_DEST_CLIENT : WSHUB_DEST_ROOM; /* by its id, or by its own room */
        d.name = wshub_str_z(to->id);
        if (x == to) x = NULL;
        if (kind == 6) x = NULL;
        (void)note(s, 3, (int)(to - sim.clients), x ? (int)(x - sim.clients) : -1);
    }
    if (x) {
        ex = wshub_str_z(x->id);
        d.exclude = &ex;
        d.exclude_count = 1;
    }
    sim.messages[sim.number % MESSAGES].local = local && s != &sim.emitter && d.kind != WSHUB_DEST_CLIENT;
    m.event = wshub_str_z("n");
    m.data.ptr = data;
    m.data.len = (size_t)snprintf(data, sizeof data, "%u", sim.number);
    if (s == &sim.emitter) err = wshub_emitter_send(sim.em, &d, &m);
    else if (!local) err = wshub_send(s->hub, &d, &m);
    else if (d.kind == WSHUB_DEST_ALL) err = wshub_all_send(s->hub, &m, d.exclude, d.exclude_count);
    else if (d.kind == WSHUB_DEST_ROOM) err = wshub_room_send(s->hub, d.name, &m, d.exclude, d.exclude_count);
    else if (d.kind == WSHUB_DEST_USER) err = wshub_user_send(s->hub, d.name, &m);
    else err = wshub_send(s->hub, &d, &m);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_LIMIT || err == WSHUB_ERR_NOMEM);
}

/* Whether this client may hear this message now. NULL, or why not. */
static const char *may_hear(const client *c, const message *m) {
    int i = (int)(c - sim.clients);
    bool accepted = c->connected;
    if (m->local && c->at->index != m->hub) return "it was for another hub's own clients";
    if (m->exclude == i && m->life == c->life) return "it was excluded";
    switch (m->kind) {
    case 0: return accepted ? NULL : "everybody before it was told that it is connected";
    case 1:
        if (c->in[m->target] == NO && c->in_until[m->target] < m->at) return "it was not in the room any more, or never";
        return accepted || c->server_joined[m->target] ? NULL : "a room before it was told that it is connected";
    case 2:
        if (c->user != m->target) return "another user";
        return accepted ? NULL : "a user before it was told that it is connected";
    default: return strcmp(c->id, m->id) == 0 ? NULL : "another client";
    }
}

/* Whether it must, all being well. */
static bool must_hear(const client *c, const message *m) {
    int i = (int)(c - sim.clients);
    if (!c->conn.id || !c->certain || !c->connected || (m->exclude == i && m->life == c->life)) return false;
    switch (m->kind) {
    case 0: return true;
    case 1: return c->in[m->target] == YES;
    case 2: return c->user == m->target;
    default: return strcmp(c->id, m->id) == 0;
    }
}

/* ---- the application ---- */

static void doubt(client *c) { /* from here on a loss is excused */
    int r;
    c->certain = false;
    for (r = 0; r < ROOMS; r++) {
        if (c->in[r] == YES) c->in[r] = MAY;
    }
}
static void doubt_all(hub_site *s) {
    uint32_t i;
    for (i = 0; i < sim.clients_max; i++) {
        if (sim.clients[i].at == s) doubt(&sim.clients[i]);
    }
}

static void meddle(hub_site *s);
static void maybe_meddle(hub_site *s) {
    if (sim.meddling || s->dying) return;
    sim.meddling = true;
    while (rnd(4) == 0 && !s->dying) meddle(s);
    sim.meddling = false;
}

static void answer(hub_site *s, wshub_ask ask) { /* an authentication: the user is in the client's own words */
    switch (rnd(8)) {
    case 0: (void)wshub_ask_reject(s->hub, ask); break;
    case 1: (void)wshub_ask_fail(s->hub, ask); break;
    default: (void)wshub_auth_accept(s->hub, ask, NULL); break;
    }
}

static void meddle(hub_site *s) {
    client *c = some_client();
    wshub_client h;
    int r = (int)rnd(ROOMS);
    switch (rnd(10)) {
    case 0: case 1: case 2: send_some(s, rnd(2)); break;
    case 3: case 4:
        if (!c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        if (wshub_client_join(s->hub, h, wshub_str_z(rooms[r])) == WSHUB_OK) {
            c->in[r] = c->certain ? YES : MAY;
            c->server_joined[r] = true;
        }
        break;
    case 5:
        if (!c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        if (wshub_client_leave(s->hub, h, wshub_str_z(rooms[r])) == WSHUB_OK && c->in[r] != NO) {
            c->in[r] = NO;
            c->in_until[r] = sim.now;
        }
        break;
    case 6:
        if (rnd(6) || !c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        doubt(c);
        (void)wshub_client_close(s->hub, h, 1000, wshub_str_z("enough"));
        break;
    case 7: answer(s, s->asks[rnd(ASKS)]); break; /* late, twice, or one's who is gone */
    case 8: (void)wshub_client_set_metadata(s->hub, s->hub && c && !wshub_client_find(s->hub, wshub_str_z(c->id), &h) ? h : (wshub_client){0}, wshub_str_z("[]")); break;
    default: break;
    }
}

static void on_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    hub_site *s = (hub_site *)user;
    wshub_str how = wshub_json_get(auth->data, "how"), who = wshub_json_get(auth->data, "user");
    wshub_identity id;
    char name[16];
    size_t n = wshub_json_text(who, name, sizeof name);
    memset(&id, 0, sizeof id);
    if (who.ptr && n <= sizeof name) {
        id.user_id.ptr = name;
        id.user_id.len = n;
    }
    if (wshub_str_eq_z(how, "\"now\"")) {
        if (wshub_auth_accept(hub, ask, &id) != WSHUB_OK) (void)wshub_ask_fail(hub, ask);
        if (rnd(9) == 0) (void)wshub_auth_accept(hub, ask, &id); /* twice */
    } else {
        s->asks[rnd(ASKS)] = ask;
    }
    maybe_meddle(s);
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    if (wshub_join_accept(hub, ask, join->rooms, join->rooms_count) != WSHUB_OK) (void)wshub_ask_fail(hub, ask);
    maybe_meddle((hub_site *)user);
}
static wshub_err on_message(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    (void)hub;
    (void)c;
    (void)e;
    maybe_meddle((hub_site *)user);
    return rnd(9) ? WSHUB_OK : WSHUB_ERR_APP;
}
static wshub_err on_connected(wshub *hub, wshub_client c, void *user) {
    (void)hub;
    (void)c;
    maybe_meddle((hub_site *)user);
    return WSHUB_OK;
}
static void on_disconnected(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    EXPECT(g->id.len == 36);
    maybe_meddle((hub_site *)user);
}
static void on_pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t queued, void *user) {
    hub_site *s = (hub_site *)user;
    client *x = by_handle(s, c);
    (void)hub;
    (void)what;
    (void)queued;
    if (x) x->certain = false;
    maybe_meddle(s);
}
static void on_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    hub_site *s = (hub_site *)user;
    (void)hub;
    (void)down_ms;
    EXPECT(s->up != (state == WSHUB_BUS_UP)); /* told of every change, once */
    s->up = state == WSHUB_BUS_UP;
    if (!s->up) s->origin = ++sim.origins; /* what was on its way may come behind what is said from here on */
    trace(s->up ? "U" : "D", 1);
    maybe_meddle(s);
}

/* ---- hubs ---- */

static void hub_start(hub_site *s, uint64_t seed) {
    wshub_io_fake_desc fd;
    wshub_bus_redis_desc rd;
    wshub_desc d;
    uint32_t index = s->index;
    memset(s, 0, sizeof *s);
    s->index = index;
    s->life = ++sim.lives;
    s->origin = ++sim.origins;
    s->exact = index % 2 == 1;
    memset(&fd, 0, sizeof fd);
    memset(&rd, 0, sizeof rd);
    memset(&d, 0, sizeof d);
    fd.seed = seed * 1000 + s->life;
    fd.start_ms = sim.now;
    fd.completion = index == 2;
    if (wshub_io_fake_create(&fd, &s->net)) abort();
    rd.io = wshub_io_fake_io(s->net);
    rd.url = index == 3 ? "redis://one,two" : "redis://one";
    rd.resp3 = index == 1;
    rd.alloc = sim_alloc;
    rd.alloc_user = s;
    if (wshub_bus_redis_create(&rd, &s->redis)) abort();
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(s->redis);
    d.bus_exact = s->exact;
    d.alloc = sim_alloc;
    d.alloc_user = d.user = s;
    d.on_authenticate = on_auth;
    d.on_join = on_join;
    d.on_message = on_message;
    d.on_connected = on_connected;
    d.on_disconnected = on_disconnected;
    d.on_pressure = on_pressure;
    d.on_bus = on_bus;
    d.backpressure_bytes_max = 3000;
    d.close_on_backpressure = index == 0;
    d.preauth_messages_max = 100000; /* heartbeats of those whose answer never comes */
    d.preauth_bytes_max = 1u << 30;
    if (wshub_create(&d, &s->hub)) abort();
    wshub_io_fake_run(s->net);
}

static void hub_end(hub_site *s) {
    wshub *hub = s->hub;
    uint32_t i;
    s->dying = true;
    for (i = 0; i < sim.clients_max; i++) {
        if (sim.clients[i].at == s) memset(&sim.clients[i], 0, sizeof sim.clients[i]);
    }
    wshub_destroy(hub);
    s->hub = NULL;
    wshub_bus_redis_destroy(s->redis);
    for (i = 0; i < BROKER_LINKS; i++) {
        if (sim.b.links[i].net == s->net) broker_drop(&sim.b, &sim.b.links[i], false);
    }
    wshub_io_fake_destroy(s->net);
    EXPECT(s->bytes == 0); /* to the byte */
}

/* ---- clients ---- */

static void client_say(client *c, const char *text) {
    c->spoke_at = sim.now;
    wshub_io_fake_text(c->at->net, c->conn, text);
}

static void client_open(client *c, hub_site *s) {
    char hello[120];
    memset(c, 0, sizeof *c);
    c->at = s;
    c->life = ++sim.lives;
    c->conn = wshub_io_fake_connect(s->net, "/ws");
    if (!c->conn.id) return;
    sim.connects++;
    c->user = rnd(3) ? (int)rnd(USERS) : -1;
    c->polite = rnd(8) != 0;
    c->certain = s->fail_at == 0;
    c->spoke_at = sim.now;
    if (rnd(30) == 0) return; /* says nothing: closed by its deadline */
    if (c->user >= 0) (void)snprintf(hello, sizeof hello, "{\"event\":\"authenticate\",\"data\":{\"how\":\"%s\",\"user\":\"%s\"}}", rnd(10) ? "now" : "later", users[c->user]);
    else (void)snprintf(hello, sizeof hello, "{\"event\":\"authenticate\",\"data\":{\"how\":\"%s\"}}", rnd(10) ? "now" : "later");
    if (strstr(hello, "later")) c->user = -1; /* a late answer names nobody */
    c->in[7] = c->certain ? YES : MAY; /* the default room, from acceptance on */
    client_say(c, hello);
}

static void client_gone(client *c) {
    if (c->conn.id) wshub_io_fake_forget(c->at->net, c->conn);
    memset(c, 0, sizeof *c);
}

static void client_got(client *c, wshub_str text) {
    wshub_str event = wshub_json_get(text, "event"), data = wshub_json_get(text, "data");
    trace(text.ptr, wshub_str_eq_z(event, "\"n\"") ? text.len : 20);
    if (wshub_str_eq_z(event, "\"connected\"")) {
        wshub_str id = wshub_json_get(data, "id");
        EXPECT(!c->connected && id.len == 38); /* once */
        c->connected = true;
        if (id.len == 38) memcpy(c->id, id.ptr + 1, 36);
    } else if (wshub_str_eq_z(event, "\"n\"")) {
        uint32_t n = (uint32_t)strtoul(data.ptr, NULL, 10);
        const message *m = &sim.messages[n % MESSAGES];
        const char *why;
        sim.heard++;
        c->heard++;
        if (m->number != n) return; /* too long ago to be known */
        why = may_hear(c, m);
        if (why) (void)printf("  step %u: client %d heard %u, kind %d: %s\n", sim.step, (int)(c - sim.clients), n, m->kind, why);
        EXPECT(!why);
        if (c->last[m->origin % 1024] >= n) (void)printf("  step %u: client %d heard %u behind %u of the same origin\n", sim.step, (int)(c - sim.clients), n, c->last[m->origin % 1024]);
        EXPECT(c->last[m->origin % 1024] < n); /* in order, none twice */
        c->last[m->origin % 1024] = n;
    } else {
        EXPECT(wshub_str_eq_z(event, "\"error\""));
    }
}

static void client_read(client *c) {
    wshub_io_fake_frame f;
    while (c->conn.id && wshub_io_fake_next(c->at->net, c->conn, &f)) {
        if (f.opcode == 1) {
            char *copy = (char *)malloc(f.payload.len + 1);
            wshub_str text = {copy, f.payload.len};
            memcpy(copy, f.payload.ptr, f.payload.len);
            copy[f.payload.len] = 0;
            client_got(c, text);
            free(copy);
        } else if (f.opcode == 9 && c->polite) {
            wshub_io_fake_send(c->at->net, c->conn, 10, true, "", 0);
        } else if (f.opcode == 8) {
            trace("C", 1);
            c->certain = false;
            if (c->polite && wshub_io_fake_is_open(c->at->net, c->conn)) wshub_io_fake_send_close(c->at->net, c->conn, f.code, "");
        }
    }
    if (c->conn.id && !wshub_io_fake_is_open(c->at->net, c->conn)) client_gone(c);
}
static void clients_read(void) {
    uint32_t i;
    for (i = 0; i < sim.clients_max; i++) {
        if (sim.clients[i].conn.id) client_read(&sim.clients[i]);
    }
}

/* ---- time ---- */

static bool deliver(void) { /* what is on its way and due */
    uint32_t i;
    bool busy = false;
    wshub_io_fake_run(sim.emitter.net);
    busy |= broker_step(&sim.b, sim.emitter.net);
    for (i = 0; i < sim.hubs_count; i++) {
        wshub_io_fake_run(sim.hubs[i].net);
        busy |= broker_step(&sim.b, sim.hubs[i].net);
    }
    return busy;
}
static void quiet(void) {
    int i;
    for (i = 0; i < 300 && deliver(); i++) {
    }
    EXPECT(i < 300); /* nobody keeps the others busy for ever */
    clients_read();
}

static void pass(uint64_t ms) {
    uint64_t end = sim.now + ms;
    while (sim.now < end) {
        uint64_t next = end, at;
        uint32_t i;
        for (i = 0; i < sim.hubs_count; i++) {
            at = wshub_io_fake_deadline(sim.hubs[i].net);
            if (at > sim.now && at < next) next = at;
        }
        at = wshub_io_fake_deadline(sim.emitter.net);
        if (at > sim.now && at < next) next = at;
        for (i = 0; i < BROKER_LINKS; i++) { /* words on their way */
            const broker_late *late = sim.b.links[i].late;
            if (sim.b.links[i].conn.id && late && late->at > sim.now && late->at < next) next = late->at;
        }
        ms = next - sim.now;
        sim.now = next;
        for (i = 0; i < sim.hubs_count; i++) wshub_io_fake_advance(sim.hubs[i].net, next - wshub_io_fake_now(sim.hubs[i].net));
        wshub_io_fake_advance(sim.emitter.net, next - wshub_io_fake_now(sim.emitter.net));
        quiet();
        for (i = 0; i < sim.clients_max; i++) { /* who wants to stay says so */
            client *c = &sim.clients[i];
            if (c->conn.id && c->polite && c->connected && sim.now - c->spoke_at > 45000) client_say(c, "{\"event\":\"heartbeat\"}");
        }
    }
}

static void self_check(void) {
    uint32_t i;
    for (i = 0; i < sim.hubs_count; i++) {
        const char *why = wshub_self_check(sim.hubs[i].hub);
        if (why) (void)printf("  step %u: self-check of hub %u: %s\n", sim.step, i, why);
        EXPECT(!why);
    }
}

static bool all_up(void) {
    uint32_t i;
    for (i = 0; i < sim.hubs_count; i++) {
        if (!sim.hubs[i].up) return false;
    }
    return true;
}

/* While all is well everybody who must hear a message has heard it once the network is quiet. */
static void check_now(hub_site *s) {
    uint32_t first = sim.number + 1, n, i;
    bool calm;
    send_some(s, false);
    quiet();
    calm = !sim.chaos && all_up() && !sim.lagging && sim.calm_since + 10000 < sim.now;
    for (n = first; n <= sim.number; n++) {
        const message *m = &sim.messages[n % MESSAGES];
        for (i = 0; i < sim.clients_max; i++) {
            const client *c = &sim.clients[i];
            if (!(m->must[i / 8] >> i % 8 & 1) || !must_hear(c, m) || c->last[m->origin % 1024] >= n) continue;
            if (c->at != s && (m->local || !calm)) continue; /* on another hub it needs the broker */
            if (m->origin != s->origin) continue; /* said by another within a callback, over the broker */
            (void)printf("  step %u: client %u on hub %u has not heard %u, kind %d target %d of hub %u\n", sim.step, i, c->at->index, n, m->kind, m->target, m->hub);
            EXPECT(!"a message that must be heard");
        }
        sim.checks++;
    }
}

/* ---- faults ---- */

static uint32_t lag(void *ctx) {
    (void)ctx;
    return sim.lagging ? rnd(400) : 0;
}

static void heal(void) {
    uint32_t i;
    sim.b.away = sim.b.mute = sim.b.hold_acks = sim.b.deaf_beats = false;
    sim.b.refuse = NULL;
    sim.lagging = sim.chaos = false;
    for (i = 0; i < sim.hubs_count; i++) {
        sim.hubs[i].fail_at = 0;
        wshub_io_fake_set_cut(sim.hubs[i].net, 0, 0);
    }
    sim.calm_since = sim.now;
}

static void fault(void) {
    hub_site *s = &sim.hubs[rnd(sim.hubs_count)];
    client *c = some_client();
    int i;
    sim.faults++;
    sim.calm_since = sim.now;
    switch (rnd(16)) {
    case 0: sim.b.away = sim.chaos = true; broker_drop_all(&sim.b); break;        /* it dies */
    case 1: broker_drop_all(&sim.b); break;                                       /* and is back at once */
    case 2: sim.b.mute = sim.chaos = true; break;                                 /* SIGSTOP, half-open */
    case 3: sim.b.deaf_beats = sim.chaos = true; break;                           /* it has forgotten us */
    case 4: sim.b.hold_acks = sim.chaos = true; broker_drop_all(&sim.b); break;
    case 5: sim.b.refuse = rnd(2) ? "PUBLISH" : "SUBSCRIBE"; sim.chaos = true; broker_drop_all(&sim.b); break; /* ACL */
    case 6: sim.lagging = sim.chaos = true; break;
    case 7:                                                                      /* the output limit: one subscriber is cut */
        for (i = 0; i < BROKER_LINKS; i++) {
            if (sim.b.links[i].conn.id && sim.b.links[i].subs_count && rnd(2)) {
                broker_drop(&sim.b, &sim.b.links[i], true);
                break;
            }
        }
        break;
    case 8: case 9: s->fail_at = 1 + (long)rnd(60); sim.chaos = true; doubt_all(s); break;
    case 10:
        i = 1 + (int)rnd(9); /* apart: compilers choose the order of arguments */
        wshub_io_fake_set_cut(s->net, (uint32_t)i, 1 + rnd(40));
        sim.chaos = true;
        doubt_all(s);
        break;
    case 11:                                                                     /* a clock that jumps is a suspend */
        wshub_io_fake_jump(s->net, sim.now);
        break;
    case 12: if (c) { doubt(c); wshub_io_fake_window(c->at->net, c->conn, rnd(500)); } break; /* reads no more */
    case 13: if (c) { doubt(c); wshub_io_fake_end(c->at->net, c->conn); } break;
    case 14:                                                                     /* a machine fails, another takes its place */
        if (rnd(4) == 0) {
            hub_end(s);
            hub_start(s, sim.step);
        }
        break;
    default:                                                                     /* somebody talks nonsense */
        if (c) {
            uint8_t junk[40];
            uint32_t n = 1 + rnd(40), k;
            doubt(c);
            for (k = 0; k < n; k++) junk[k] = (uint8_t)rnd(256);
            wshub_io_fake_input(c->at->net, c->conn, junk, n);
        }
        break;
    }
}

/* ---- a step ---- */

static void step(void) {
    client *c = &sim.clients[rnd(sim.clients_max)];
    hub_site *s = &sim.hubs[rnd(sim.hubs_count)];
    char text[80];
    int r;
    switch (rnd(20)) {
    case 0: case 1: case 2:
        if (!c->conn.id) client_open(c, s);
        break;
    case 3:
        if (c->conn.id && rnd(3) == 0) {
            doubt(c);
            if (rnd(2)) wshub_io_fake_send_close(c->at->net, c->conn, 1000, "");
            else wshub_io_fake_end(c->at->net, c->conn);
        }
        break;
    case 4: case 5: case 6: /* ROOM-1 to ROOM-3: `ws:` names are refused */
        r = (int)rnd(ROOMS);
        if (!c->conn.id || r == 5) break;
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\"]}}", rooms[r]);
        if (c->connected) {
            if (c->in[r] != YES) c->in[r] = c->certain ? YES : MAY;
            client_say(c, text);
        } else if (c->in[r] == NO) {
            c->in[r] = MAY;
            c->certain = false; /* it may be authenticated and not know it yet */
            client_say(c, text);
        }
        break;
    case 7:
        r = (int)rnd(ROOMS);
        if (!c->conn.id || !c->connected || r == 5) break;
        (void)snprintf(text, sizeof text, "{\"event\":\"leave\",\"data\":{\"rooms\":[\"%s\"]}}", rooms[r]);
        client_say(c, text);
        if (c->in[r] != NO) {
            c->in_until[r] = c->certain ? sim.now : UINT64_MAX;
            c->in[r] = NO;
        }
        break;
    case 8: if (c->conn.id) client_say(c, "{\"event\":\"x\",\"data\":[1,2,3]}"); break;
    case 9: send_some(&sim.emitter, false); break;
    case 10: sim.meddling = true; meddle(s); sim.meddling = false; wshub_io_fake_run(s->net); break;
    case 11: if (sim.chaos ? rnd(3) == 0 : rnd(4) == 0) heal(); break;
    case 12: if (rnd(3) == 0) fault(); break;
    default: check_now(s); break;
    }
    quiet();
    pass(rnd(40) == 0 ? rnd(60000) : rnd(8) == 0 ? rnd(5000) : rnd(300));
    if (rnd(4) == 0) self_check();
}

static void begin(uint64_t seed) {
    uint32_t i;
    wshub_bus_redis_desc rd;
    wshub_emitter_desc ed;
    memset(&sim, 0, sizeof sim);
    rnd_begin(seed, UINT64_MAX);
    sim.hash = UINT64_C(0xCBF29CE484222325);
    sim.now = 1000;
    sim.b.role = "master";
    sim.b.delay_ms = lag;
    sim.hubs_count = 2 + rnd(HUBS - 1);
    sim.clients_max = rnd(6) == 0 ? CLIENTS : 4 + rnd(40);
    memset(&rd, 0, sizeof rd);
    memset(&ed, 0, sizeof ed);
    {
        wshub_io_fake_desc fd;
        memset(&fd, 0, sizeof fd);
        fd.seed = seed + 7;
        if (wshub_io_fake_create(&fd, &sim.emitter.net)) abort();
    }
    sim.emitter.origin = ++sim.origins;
    sim.emitter.index = HUBS;
    rd.io = wshub_io_fake_io(sim.emitter.net);
    rd.url = "redis://one";
    rd.publish_only = true;
    if (wshub_bus_redis_create(&rd, &sim.emitter.redis)) abort();
    ed.bus = wshub_bus_redis_bus(sim.emitter.redis);
    if (wshub_emitter_create(&ed, &sim.em)) abort();
    for (i = 0; i < sim.hubs_count; i++) {
        sim.hubs[i].index = i;
        hub_start(&sim.hubs[i], seed);
    }
    quiet();
}

static void end(void) {
    uint32_t i, k;
    heal(); /* liveness: ten seconds after the last fault everything works */
    pass(10001);
    EXPECT(all_up());
    for (i = 0; i < sim.hubs_count; i++) {
        for (k = 0; k < 4; k++) check_now(&sim.hubs[i]);
    }
    self_check();
    for (i = 0; i < sim.clients_max; i++) { /* and with nobody speaking, everybody is gone by the deadlines */
        sim.clients[i].polite = false;
        if (sim.clients[i].conn.id) wshub_io_fake_window(sim.clients[i].at->net, sim.clients[i].conn, UINT64_MAX);
    }
    pass(200000);
    for (i = 0; i < sim.hubs_count; i++) {
        wshub_stats st;
        wshub_stats_get(sim.hubs[i].hub, &st);
        EXPECT(st.clients == 0 && st.conns == 0 && st.rooms == 0 && st.users == 0 && st.queued_bytes == 0 && st.bus_queued_bytes == 0);
        EXPECT(sim.hubs[i].up);
        hub_end(&sim.hubs[i]);
    }
    wshub_emitter_destroy(sim.em);
    wshub_bus_redis_destroy(sim.emitter.redis);
    broker_drop_all(&sim.b);
    wshub_io_fake_destroy(sim.emitter.net);
}

/* Plays a seed for so many simulated hours. only: a map of the steps to play; NULL: all. Returns how many it took. */
static struct progress { uint64_t seed; uint32_t step; } *progress; /* seen by the parent of one that crashed, too */
static uint32_t play(uint64_t seed, double hours, const uint8_t *only) {
    uint64_t until;
    progress->seed = seed;
    begin(seed);
    until = sim.now + (uint64_t)(hours * 3600000);
    for (sim.step = 0; sim.now < until && sim.step < STEPS && !failures; sim.step++) {
        progress->step = sim.step;
        rnd_begin(seed, sim.step);
        if (!only || only[sim.step]) step();
        else pass(300);
    }
    rnd_begin(seed, STEPS);
    if (!failures) end();
    return sim.step;
}

/* ---- shrinking: in children, since some failures end the process ---- */

static bool fails(uint64_t seed, double hours, const uint8_t *only) {
    int status = 0;
    pid_t child;
    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
        failures = 0;
        (void)alarm(60);
        (void)play(seed, hours, only);
        _exit(failures ? 1 : 0);
    }
    (void)waitpid(child, &status, 0);
    return status != 0;
}

static void shrink(uint64_t seed, double hours, uint32_t steps) {
    uint8_t *only = (uint8_t *)calloc(STEPS, 1), *try_ = (uint8_t *)calloc(STEPS, 1);
    uint32_t chunk, i, k, left = steps;
    memset(only, 1, steps);
    for (chunk = (steps + 1) / 2; chunk; chunk = chunk > 1 ? (chunk + 1) / 2 : 0) {
        for (i = 0; i < steps; i += chunk) {
            bool any = false;
            memcpy(try_, only, STEPS);
            for (k = i; k < i + chunk && k < steps; k++) {
                any |= try_[k];
                try_[k] = 0;
            }
            if (any && fails(seed, hours, try_)) memcpy(only, try_, STEPS);
        }
    }
    for (left = 0, i = 0; i < steps; i++) left += only[i];
    (void)printf("  shrunk to %u of %u steps: build/sim --seed %llu %g --only ", left, steps, (unsigned long long)seed, hours);
    for (k = 0, i = 0; i < steps; i++) {
        if (only[i]) (void)printf(k++ ? ",%u" : "%u", i);
    }
    (void)printf("\n");
    free(only);
    free(try_);
}

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Plays the seeds. Returns the exit status. */
static int campaign(uint64_t first, uint64_t last, double hours, const uint8_t *only) {
    uint64_t seed, heard = 0, sent = 0, checks = 0, faults = 0, connects = 0, hash = 0;
    double start = seconds(), simulated = 0;
    for (seed = first; seed <= last && !failures; seed++) {
        (void)play(seed, hours, only);
        simulated += (double)(sim.now - 1000) / 3600000;
        heard += sim.heard;
        sent += sim.sent;
        checks += sim.checks;
        faults += sim.faults;
        connects += sim.connects;
        hash = (hash ^ sim.hash) * UINT64_C(0x100000001B3);
    }
    (void)printf("  %llu seeds, %.1f simulated hours in %.1f s, %.0f times real time; %llu connects, %llu messages sent, %llu heard, %llu of them checked for who must, %llu faults; trace %016llx\n",
                 (unsigned long long)(seed - first), simulated, seconds() - start, simulated * 3600 / (seconds() - start), (unsigned long long)connects, (unsigned long long)sent,
                 (unsigned long long)heard, (unsigned long long)checks, (unsigned long long)faults, (unsigned long long)hash);
    return failures ? 1 : 0;
}

int main(int argc, char **argv) {
    bool one = argc > 2 && strcmp(argv[1], "--seed") == 0;
    uint64_t first = one ? strtoull(argv[2], NULL, 10) : 1, last = one ? first : argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
    double hours = one ? (argc > 3 ? atof(argv[3]) : 0.25) : argc > 2 ? atof(argv[2]) : 0.25;
    uint8_t *only = NULL;
    int status = 0;
    pid_t child;
    progress = (struct progress *)mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == (struct progress *)MAP_FAILED) return 1;
    if (one && argc > 5 && strcmp(argv[4], "--only") == 0) {
        char *at = argv[5];
        only = (uint8_t *)calloc(STEPS, 1);
        while (only && *at) {
            unsigned long n = strtoul(at, &at, 10);
            if (n < STEPS) only[n] = 1;
            if (*at) at++;
        }
        status = campaign(first, last, hours, only);
        free(only);
    } else { /* in a child: an assertion or a sanitizer may end it */
        (void)fflush(stdout);
        child = fork();
        if (child == 0) {
            status = campaign(first, last, hours, NULL);
            (void)fflush(stdout);
            _exit(status);
        }
        (void)waitpid(child, &status, 0);
        if (status) {
            (void)printf("  replay: build/sim --seed %llu %g\n", (unsigned long long)progress->seed, hours);
            shrink(progress->seed, hours, progress->step + 1);
        }
    }
    (void)printf("sim: %d passed, %d failed, 0 skipped\n", status ? 0 : 1, status ? 1 : 0);
    return status ? 1 : 0;
}
