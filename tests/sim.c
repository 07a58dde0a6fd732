/* Several hubs, a broker, an emitter and many clients in one thread and one virtual time,
 * driven by one seed: links that break, lag and go silent, a broker that dies, is mute or deaf,
 * streams that take little, allocations that fail, clocks that jump, answers that come late,
 * twice or never, an application that joins, leaves, sends, closes and ends its hub inside
 * callbacks. A model made from SPEC.md, not from the code, says of each message which client
 * must have it, which may and which must not, and in which order; which streams may be ended
 * and when they must be; what a hub may hold for whom. Messages several times as long as a
 * stream may owe, turns that publish many times what the queue keeps for outages, laggards,
 * listeners, processes that were stopped; HTTP beside it all (tests/sim_http.h). Indexes check
 * themselves after every step; ten seconds after the last fault everything works again.
 * build/sim [SEEDS [HOURS]]           seeds 1 to SEEDS, so many simulated hours each (100,
 * 0.25) build/sim --seed N [HOURS]          one seed; a failure is shrunk to the steps that it
 * takes build/sim --seed N HOURS --only 3,17,40 Each seed ends with a hash of all that clients
 * heard, which no compiler, level or word size may change. */
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
#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            failures++;                                                                            \
            (void)printf("  %s:%d: %s: expected %s\n", __FILE__, __LINE__, where, #cond);          \
        }                                                                                          \
    } while (0)
#include "broker.h"

enum {
    HUBS = 4,
    CLIENTS = 400,
    CALLERS = 32,
    ROOMS = 8,
    USERS = 5,
    MESSAGES = 8192,
    ASKS = 64,
    STEPS = 100000
};
/* What the model counts with; the descriptions below say the same to the hubs. */
enum {
    LIMIT = 3000,
    LARGE = 12000,
    HUGE = 150000,
    QUEUE = 4096,
    IDLE_MS = 60000,
    WRITE_MS = 60000,
    HTTP_MS = 30000,
    HEAD_MS = 5000,
    HELD_BASE = 180000,
    HELD_EACH = 1000,
    HELD_PIECES = 1200000,
    BEAT_MS = 90000,
    SWEEP_MS = 30000,
    CLOSE_MS = 5000,
    SHUTDOWN_MS = 5000
};

/* ---- chance: each step has its own, so that a step can be left out and the others stay what they are ---- */
static uint64_t rnd_state;
static uint32_t rnd(uint32_t n) {
    rnd_state = rnd_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rnd_state >> 33) % n;
}
static void rnd_begin(uint64_t seed, uint64_t step) {
    rnd_state = (seed * UINT64_C(0x9E3779B97F4A7C15)) ^ (step * UINT64_C(0xD1B54A32D192ED03)) ^
                UINT64_C(0x2545F4914F6CDD1D);
    (void)rnd(2);
    (void)rnd(2);
}

/* ---- the world ---- */
typedef struct hub_site {
    wshub_io_fake *net;
    wshub_bus_redis *redis;
    wshub *hub;
    wshub_ask asks[ASKS]; /* to be answered some time */
    /* counts up with every beginning: of the hub, and after each gap of its bus */
    uint32_t origin;
    uint32_t index, life;
    bool up, exact, dying;
    bool by_pong;         /* a pong is a heartbeat there */
    bool cut;             /* its streams take little at once */
    bool leaving, down;   /* it is shutting down; it has */
    bool leave_well;      /* and all was well when it began */
    uint32_t leave_first; /* its last words from this on */
    uint64_t leave_calm;
    bool asleep; /* its process is stopped: what arrives lies unread */
    uint64_t cut_at, leave_at, woke_at, wake_at, conns; /* conns: the most at once */
    long fail_at;                                       /* the n-th allocation from now fails */
    size_t bytes;
} hub_site;

typedef enum belief { NO, MAY, YES } belief; /* what the model knows of a membership */

typedef struct client {
    hub_site *at;
    wshub_conn conn; /* 0: none */
    uint32_t life;
    char id[40];
    int user;       /* -1: none */
    bool connected; /* it has been told so */
    bool certain;   /* nothing has happened to it that would excuse a loss */
    bool server_joined[ROOMS];
    belief in[ROOMS];
    uint64_t in_until[ROOMS]; /* when it may have been in there last */
    uint32_t last[1024];      /* number of the last message, by origin */
    uint32_t heard;
    /* byte_at: a pong counts too */
    uint64_t opened_at, hello_at, spoke_at, byte_at, got_at, slow_at, closing_at;
    /* when a slow one last took something, or became quick: where pongs count, that does too */
    uint64_t took_at;
    uint32_t huge;  /* the longest that it alone was sent */
    uint32_t lossy; /* up to this message a loss is excused */
    bool polite;    /* answers pings, says heartbeat */
    bool listens;   /* it says nothing more: where pongs count it stays */
    bool slow;      /* its window is not open */
    bool closing;   /* our Close has come */
    bool later;     /* its question is answered some time, or never */
} client;

typedef struct message {
    uint32_t number, origin, hub;
    uint64_t at;
    int kind; /* 0 all, 1 room, 2 user, 3 client */
    int target, exclude;
    uint32_t bytes;                  /* of its data */
    uint32_t lives;                  /* who came later is somebody else */
    char id[40];                     /* of the client it is for */
    uint64_t life;                   /* of the excluded one */
    bool local;                      /* for this hub's clients only (SEND-1) */
    uint8_t must[(CLIENTS + 7) / 8]; /* who had to hear it when it was said, all being well */
} message;

static struct sim {
    broker b;
    hub_site hubs[HUBS];
    hub_site emitter; /* where it lives */
    wshub_emitter *em;
    client clients[CLIENTS];
    message messages[MESSAGES];
    uint32_t number, origins, hubs_count, clients_max, lives, requests;
    uint64_t emitter_downs;
    uint64_t held_most, now, hash, heard, sent, connects, checks, faults;
    bool ending; /* nobody speaks any more */
    bool chaos;  /* something is being done to it */
    bool lagging;
    bool meddling; /* inside a callback's callback */
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

static void maybe_meddle(hub_site *s);
static bool takes_little(const hub_site *s);
#include "sim_http.h"

/* clang-format off */
static const char *const rooms[ROOMS] = {
    "a", "b", "c", "d", "*", "ws:x", "r\xC3\xA9", "ws-default",
};
/* clang-format on */
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
    m->lives = sim.lives;
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

static size_t data_put(char *data, uint32_t number, size_t size) { /* [number,"abc..."] */
    size_t at = (size_t)sprintf(data, "[%u,\"", number);
    memcpy(data + at, http_pattern, size);
    at += size;
    data[at++] = '"';
    data[at++] = ']';
    return at;
}

/* One send of some kind from a hub, or from the emitter (hub NULL). local: on this hub alone. */
static void send_some(hub_site *s, bool local) {
    static char data[LARGE + 64];
    wshub_dest d;
    wshub_msg m;
    client *x = rnd(3) == 0 ? some_client() : NULL, *to;
    wshub_str ex;
    int kind = (int)rnd(8);
    uint32_t size = rnd(24);
    wshub_err err;
    /* SEND-6: the limit is on what waits */
    size = size == 0 ? LIMIT + rnd(LARGE - LIMIT) : size < 4 ? rnd(600) : 0;
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
        /* by its id, or by its own room */
        d.kind = kind == 6 ? WSHUB_DEST_CLIENT : WSHUB_DEST_ROOM;
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
    sim.messages[sim.number % MESSAGES].local =
        local && s != &sim.emitter && d.kind != WSHUB_DEST_CLIENT;
    m.event = wshub_str_z("n");
    m.data.ptr = data;
    m.data.len = size ? data_put(data, sim.number, size)
                      : (size_t)snprintf(data, sizeof data, "%u", sim.number);
    sim.messages[sim.number % MESSAGES].bytes = (uint32_t)m.data.len;
    if (s == &sim.emitter)
        err = wshub_emitter_send(sim.em, &d, &m);
    else if (!local)
        err = wshub_send(s->hub, &d, &m);
    else if (d.kind == WSHUB_DEST_ALL)
        err = wshub_all_send(s->hub, &m, d.exclude, d.exclude_count);
    else if (d.kind == WSHUB_DEST_ROOM)
        err = wshub_room_send(s->hub, d.name, &m, d.exclude, d.exclude_count);
    else if (d.kind == WSHUB_DEST_USER)
        err = wshub_user_send(s->hub, d.name, &m);
    else
        err = wshub_send(s->hub, &d, &m);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_LIMIT || err == WSHUB_ERR_NOMEM ||
           (s->leaving && err == WSHUB_ERR_CLOSED));
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
        if (c->in[m->target] == NO && c->in_until[m->target] < m->at)
            return "it was not in the room any more, or never";
        return accepted || c->server_joined[m->target]
                   ? NULL
                   : "a room before it was told that it is connected";
    case 2:
        if (c->user != m->target) return "another user";
        return accepted ? NULL : "a user before it was told that it is connected";
    default: return strcmp(c->id, m->id) == 0 ? NULL : "another client";
    }
}

/* Whether it must, all being well. */
static bool must_hear(const client *c, const message *m) {
    int i = (int)(c - sim.clients);
    if (!c->conn.id || !c->certain || !c->connected || c->slow || c->closing ||
        (m->exclude == i && m->life == c->life))
        return false;
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
    /* on a hub that is down nothing is sent to anybody */
    if (sim.meddling || s->dying || s->down) return;
    sim.meddling = true;
    while (rnd(4) == 0 && !s->dying) meddle(s);
    sim.meddling = false;
}

/* an authentication: the user is in the client's own words */
static void answer(hub_site *s, wshub_ask ask) {
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
    case 0:
    case 1:
    case 2: send_some(s, rnd(2)); break;
    case 3:
    case 4:
        if (!c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        if (wshub_client_join(s->hub, h, wshub_str_z(rooms[r])) == WSHUB_OK) {
            /* its own word may still lie unread */
            c->in[r] = c->certain && s->woke_at != sim.now ? YES : MAY;
            c->server_joined[r] = true;
        }
        break;
    case 5:
        if (!c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        if (wshub_client_leave(s->hub, h, wshub_str_z(rooms[r])) == WSHUB_OK && c->in[r] != NO) {
            c->in[r] = s->woke_at != sim.now ? NO : MAY;
            c->in_until[r] = sim.now;
        }
        break;
    case 6:
        if (rnd(6) || !c || c->at != s || wshub_client_find(s->hub, wshub_str_z(c->id), &h)) break;
        doubt(c);
        (void)wshub_client_close(s->hub, h, 1000, wshub_str_z("enough"));
        break;
    case 7: answer(s, s->asks[rnd(ASKS)]); break; /* late, twice, or one's who is gone */
    case 9: owing_early(s); break;
    case 8:
        (void)wshub_client_set_metadata(
            s->hub,
            s->hub && c && !wshub_client_find(s->hub, wshub_str_z(c->id), &h) ? h
                                                                              : (wshub_client){0},
            wshub_str_z("[]"));
        break;
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
    if (wshub_join_accept(hub, ask, join->rooms, join->rooms_count) != WSHUB_OK)
        (void)wshub_ask_fail(hub, ask);
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
static bool takes_little(const hub_site *s) { /* or did, until this moment */
    return s->cut || s->cut_at == sim.now;
}
static void on_pressure(wshub *hub, wshub_client c, wshub_pressure what, size_t queued,
                        void *user) {
    hub_site *s = (hub_site *)user;
    client *x = by_handle(s, c);
    (void)hub;
    /* SEND-6: a completion io owes what it has not reported as sent */
    if (x && what == WSHUB_PRESSURE_DROPPED) {
        if (!x->slow && !takes_little(s) && s->index != 2) {
            (void)printf("  step %u: hub %u dropped a message for client %d, which takes "
                         "everything; %u bytes queued\n",
                         sim.step, s->index, (int)(x - sim.clients), (unsigned)queued);
            EXPECT(!"who owes nothing is sent everything");
        }
        x->lossy = sim.number;
    }
    maybe_meddle(s);
}
static void on_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    hub_site *s = (hub_site *)user;
    (void)hub;
    (void)down_ms;
    EXPECT(s->up != (state == WSHUB_BUS_UP)); /* told of every change, once */
    s->up = state == WSHUB_BUS_UP;
    /* what was on its way may come behind what is said from here on */
    if (!s->up) s->origin = ++sim.origins;
    trace(s->up ? "U" : "D", 1);
    maybe_meddle(s);
}

/* ---- hubs ---- */

static void on_shutdown(wshub *hub, void *user) {
    hub_site *s = (hub_site *)user;
    EXPECT(s->leaving && !s->down && wshub_is_down(hub)); /* once */
    s->down = true;
}

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
    rd.output_bytes_max = 2 * QUEUE;
    rd.alloc = sim_alloc;
    rd.alloc_user = s;
    if (wshub_bus_redis_create(&rd, &s->redis)) abort();
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(s->redis);
    d.bus_exact = s->exact;
    d.heartbeat_by_pong = s->by_pong = index == 1;
    d.alloc = sim_alloc;
    d.alloc_user = d.user = s;
    d.on_authenticate = on_auth;
    d.on_join = on_join;
    d.on_message = on_message;
    d.on_connected = on_connected;
    d.on_disconnected = on_disconnected;
    d.on_pressure = on_pressure;
    d.on_bus = on_bus;
    d.on_shutdown = on_shutdown;
    d.on_request = on_request;
    d.backpressure_bytes_max = d.http_answers_bytes_max = LIMIT;
    d.http_body_bytes_max = BODY_MAX;
    d.bus_queue_bytes_max = QUEUE; /* for outages; a turn may publish many times as much (BUS-5) */
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
    callers_leave(s);
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
    c->spoke_at = c->byte_at = sim.now;
    wshub_io_fake_text(c->at->net, c->conn, text);
}

static void client_init(client *c, hub_site *s, wshub_conn conn) {
    memset(c, 0, sizeof *c);
    c->at = s;
    c->life = ++sim.lives;
    c->conn = conn;
    c->user = -1;
    c->opened_at = c->spoke_at = c->byte_at = c->got_at = sim.now;
    if (!conn.id) return;
    sim.connects++;
    c->polite = rnd(8) != 0 && !sim.ending;
    c->listens = rnd(3) == 0;
    c->certain = s->fail_at == 0;
    if (!c->polite) wshub_io_fake_silent(s->net, conn, true);
}

static void client_hello(client *c) {
    char hello[120];
    c->user = rnd(3) ? (int)rnd(USERS) : -1;
    c->later = rnd(10) == 0;
    if (c->user >= 0)
        (void)snprintf(hello, sizeof hello,
                       "{\"event\":\"authenticate\",\"data\":{\"how\":\"%s\",\"user\":\"%s\"}}",
                       c->later ? "later" : "now", users[c->user]);
    else
        (void)snprintf(hello, sizeof hello,
                       "{\"event\":\"authenticate\",\"data\":{\"how\":\"%s\"}}",
                       c->later ? "later" : "now");
    if (c->later) c->user = -1;        /* a late answer names nobody */
    c->in[7] = c->certain ? YES : MAY; /* the default room, from acceptance on */
    c->hello_at = sim.now;
    client_say(c, hello);
}

static void client_open(client *c, hub_site *s) {
    client_init(c, s, wshub_io_fake_connect(s->net, "/ws"));
    if (c->conn.id && rnd(30)) client_hello(c); /* who says nothing is closed by its deadline */
}

static void client_gone(client *c) {
    if (c->conn.id) wshub_io_fake_forget(c->at->net, c->conn);
    memset(c, 0, sizeof *c);
}

static void client_blame(const client *c, const char *what, unsigned code) {
    (void)printf("  step %u at %llu: client %d on hub %u, %s%s%s: %s %u; it spoke %llu ms ago, its "
                 "last byte came %llu ms ago, it heard something %llu ms ago\n",
                 sim.step, (unsigned long long)sim.now, (int)(c - sim.clients), c->at->index,
                 c->connected ? "connected" : "not connected", c->polite ? ", polite" : "",
                 c->slow ? ", slow" : "", what, code, (unsigned long long)(sim.now - c->spoke_at),
                 (unsigned long long)(sim.now - c->byte_at),
                 (unsigned long long)(sim.now - c->got_at));
}

/* When it must be authenticated (AUTH-1, AUTH-2): who has said so is at once, if the
 * application answers. */
static uint64_t client_auth_due(const client *c) {
    if (!c->hello_at) return c->opened_at + HEAD_MS;
    return c->later ? c->hello_at + 3 * HEAD_MS : UINT64_MAX;
}

/* Our Close: for a reason (AUTH-1 to AUTH-4, LIVE-1, SEND-6, BYE-2)? */
static void client_closed(client *c, unsigned code) {
    bool right;
    switch (code) {
    case 4001: right = !c->connected && sim.now >= client_auth_due(c); break;
    case 4003: right = !c->connected && c->later; break;
    case 4002: right = c->connected && sim.now - c->spoke_at > BEAT_MS; break;
    case 1001: right = c->at->leaving; break;
    /* close_on_backpressure */
    default: right = c->at->index == 0 && (c->slow || takes_little(c->at)); break;
    }
    if (c->certain && !right) {
        client_blame(c, "closed with", code);
        EXPECT(!"a client is closed for a reason");
    }
    c->certain = false;
    c->closing = true;
    c->closing_at = sim.now;
}
/* The end of its stream, without a Close. */
static void client_dropped(client *c) {
    bool right = c->at->leaving && sim.now >= c->at->leave_at + SHUTDOWN_MS;
    if (sim.now - c->byte_at >= IDLE_MS && (!c->polite || c->slow)) right = true; /* LIVE-2 */
    if (c->slow && sim.now - c->slow_at >= WRITE_MS) right = true;
    /* close_on_backpressure */
    if (c->at->index == 0 && (c->slow || takes_little(c->at))) right = true;
    if (!c->certain || right) return;
    client_blame(c, "its stream was dropped", 0);
    EXPECT(!"a stream is dropped for a reason");
}
/* Who is silent is found (AUTH-1, LIVE-1); what is closed ends. */
static void client_check(client *c) {
    uint64_t from = later(c->spoke_at, c->at->woke_at);
    const char *why = NULL;
    if (c->at->asleep) return;
    /* LIVE-2: its ping waited behind what it took */
    if (c->at->by_pong) from = later(from, c->took_at);
    if (c->closing && sim.now > later(c->closing_at, c->at->woke_at) + 2 * CLOSE_MS + SLACK_MS)
        why = "closed, and its stream does not end";
    else if (!c->certain || c->closing || c->slow)
        return;
    else if (c->connected && sim.now > from + BEAT_MS + SWEEP_MS + SLACK_MS)
        why = "silent and not found";
    else if (!c->connected && c->hello_at && !c->later)
        why = "has said who it is and is not authenticated";
    else if (!c->connected &&
             sim.now > later(client_auth_due(c), c->at->woke_at + 3 * HEAD_MS) + SLACK_MS)
        why = "not authenticated and not closed";
    if (!why) return;
    (void)printf("  closing since %llu, its hub woke at %llu\n", (unsigned long long)c->closing_at,
                 (unsigned long long)c->at->woke_at);
    client_blame(c, why, 0);
    EXPECT(!"who is silent is found");
}

/* A number, or [number,"abc..."], as long as it was said. */
static uint32_t client_number(wshub_str data) {
    bool large = data.len && data.ptr[0] == '[';
    uint32_t n = (uint32_t)strtoul(data.ptr + (large ? 1 : 0), NULL, 10);
    const message *m = &sim.messages[n % MESSAGES];
    if (m->number != n) return n; /* too long ago to be known */
    EXPECT(data.len == m->bytes);
    if (large && data.len == m->bytes) {
        const char *text = (const char *)memchr(data.ptr, '"', 16);
        EXPECT(text &&
               memcmp(text + 1, http_pattern, (size_t)(data.ptr + data.len - 2 - (text + 1))) == 0);
    }
    return n;
}

static void client_got(client *c, wshub_str text) {
    static const char said[] = "{\"event\":\"n\",\"data\":",
                      hello[] = "{\"event\":\"connected\",\"data\":",
                      wrong[] = "{\"event\":\"error\",\"data\":";
    c->got_at = sim.now;
    if (c->slow || takes_little(c->at)) c->took_at = sim.now;
    trace(text.ptr, text.len < 32 ? text.len : 32);
    if (text.len > sizeof said && memcmp(text.ptr, said, sizeof said - 1) == 0) {
        wshub_str data = {text.ptr + sizeof said - 1, text.len - sizeof said};
        uint32_t n = client_number(data);
        const message *m = &sim.messages[n % MESSAGES];
        const char *why;
        sim.heard++;
        c->heard++;
        if (m->number != n) return;
        why = may_hear(c, m);
        if (why)
            (void)printf("  step %u: client %d heard %u, kind %d: %s\n", sim.step,
                         (int)(c - sim.clients), n, m->kind, why);
        EXPECT(!why);
        if (c->last[m->origin % 1024] >= n)
            (void)printf("  step %u: client %d heard %u behind %u of the same origin\n", sim.step,
                         (int)(c - sim.clients), n, c->last[m->origin % 1024]);
        EXPECT(c->last[m->origin % 1024] < n); /* in order, none twice */
        c->last[m->origin % 1024] = n;
    } else if (text.len > sizeof hello && memcmp(text.ptr, hello, sizeof hello - 1) == 0) {
        wshub_str id = wshub_json_get(wshub_json_get(text, "data"), "id");
        EXPECT(!c->connected && id.len == 38); /* once */
        c->connected = true;
        c->spoke_at = sim.now; /* acceptance counts as activity (AUTH-7) */
        if (id.len == 38) memcpy(c->id, id.ptr + 1, 36);
    } else {
        EXPECT(text.len > sizeof wrong && memcmp(text.ptr, wrong, sizeof wrong - 1) == 0);
    }
}

static void client_read(client *c) {
    wshub_io_fake_frame f;
    while (c->conn.id && wshub_io_fake_next(c->at->net, c->conn, &f)) {
        if (f.opcode == 1) {
            client_got(c, f.payload); /* nothing is done on the stream before it returns */
        } else if (f.opcode == 9 && c->polite) {
            c->byte_at = sim.now;
            if (c->at->by_pong) c->spoke_at = sim.now; /* LIVE-2 */
            wshub_io_fake_send(c->at->net, c->conn, 10, true, "", 0);
        } else if (f.opcode == 8) {
            trace("C", 1);
            client_closed(c, f.code);
            if (c->polite && wshub_io_fake_is_open(c->at->net, c->conn))
                wshub_io_fake_send_close(c->at->net, c->conn, f.code, "");
        }
    }
    if (!c->conn.id) return;
    if (!c->closing && !wshub_io_fake_is_open(c->at->net, c->conn)) {
        client_dropped(c);
        c->closing = true;
        c->closing_at = sim.now;
        c->certain = false;
    }
    if (wshub_io_fake_is_gone(c->at->net, c->conn))
        client_gone(c);
    else
        client_check(c);
}
static void clients_read(void) {
    uint32_t i;
    for (i = 0; i < sim.clients_max; i++) {
        if (sim.clients[i].conn.id && !sim.clients[i].at->asleep) client_read(&sim.clients[i]);
    }
}

/* A caller's stream that speaks WebSocket from here on. hello: it has said that already. */
static void caller_upgraded(caller *c, bool hello) {
    wshub_conn conn = c->conn;
    hub_site *s = c->at;
    client *x = NULL;
    bool certain = c->certain, slow = c->pace || c->stopped, waited = c->waited;
    uint64_t slow_at = sim.now;
    uint32_t i;
    /* the second half of its first words */
    if (c->rest_len) wshub_io_fake_input(s->net, conn, c->rest, c->rest_len);
    c->conn.id = 0;
    caller_gone(c);
    for (i = 0; i < sim.clients_max && !x; i++) {
        if (!sim.clients[i].conn.id) x = &sim.clients[i];
    }
    if (!x) {
        wshub_io_fake_end(s->net, conn);
        wshub_io_fake_forget(s->net, conn);
        return;
    }
    client_init(x, s, conn);
    x->certain &= certain && !waited; /* who reads slowly learns late that its time runs */
    x->slow = slow;
    x->slow_at = slow_at;
    if (hello) {
        x->hello_at = sim.now;
        x->in[7] = x->certain ? YES : MAY;
    } else {
        client_hello(x);
    }
    client_read(x);
}

/* ---- time ---- */

/* A process that is stopped (SIGSTOP, a slow callback, a suspended machine): what arrives lies
 * unread, and when it goes on it is late. What was said in time must be heard before anybody is
 * judged (LIVE-3). */
static void sleep_some(hub_site *s) {
    if (s->asleep) return;
    s->asleep = true;
    s->wake_at = sim.now + (rnd(3) ? rnd(8000) : rnd(300000));
    wshub_io_fake_stall(s->net, true);
}
static void wake(hub_site *s) {
    s->asleep = false;
    s->woke_at = sim.calm_since = sim.now;
    wshub_io_fake_stall(s->net, false);
}

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
    callers_read();
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
            if (sim.b.links[i].conn.id && late && late->at > sim.now && late->at < next)
                next = late->at;
        }
        for (i = 0; i < sim.hubs_count; i++) {
            if (sim.hubs[i].asleep && sim.hubs[i].wake_at < next)
                next = sim.hubs[i].wake_at > sim.now ? sim.hubs[i].wake_at : sim.now;
        }
        at = callers_next();
        if (at < next) next = at > sim.now ? at : sim.now;
        ms = next - sim.now;
        sim.now = next;
        for (i = 0; i < sim.hubs_count; i++)
            wshub_io_fake_advance(sim.hubs[i].net, next - wshub_io_fake_now(sim.hubs[i].net));
        wshub_io_fake_advance(sim.emitter.net, next - wshub_io_fake_now(sim.emitter.net));
        callers_act();
        for (i = 0; i < sim.hubs_count; i++) {
            if (sim.hubs[i].asleep && sim.hubs[i].wake_at <= sim.now) wake(&sim.hubs[i]);
        }
        quiet();
        for (i = 0; i < sim.clients_max; i++) { /* who wants to stay says so */
            client *c = &sim.clients[i];
            if (c->conn.id && c->polite && c->connected && !c->closing &&
                sim.now - c->spoke_at > 45000 && !(c->listens && c->at->by_pong))
                client_say(c, "{\"event\":\"heartbeat\"}");
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
        if (!sim.hubs[i].up || sim.hubs[i].asleep || sim.hubs[i].leaving) return false;
    }
    return true;
}

/* While all is well everybody who must hear a message has heard it once the network is quiet. */
static bool calm(void) {
    return !sim.chaos && all_up() && !sim.lagging && sim.calm_since + 10000 < sim.now;
}
static void check_from(hub_site *s, uint32_t first, bool well) {
    uint32_t n, i;
    for (n = first; n <= sim.number; n++) {
        const message *m = &sim.messages[n % MESSAGES];
        for (i = 0; i < sim.clients_max; i++) {
            const client *c = &sim.clients[i];
            if (!(m->must[i / 8] >> i % 8 & 1) || !must_hear(c, m) || c->life > m->lives ||
                c->lossy >= n || c->last[m->origin % 1024] >= n || c->at->asleep)
                continue;
            /* on another hub it needs the broker */
            if (c->at != s && (m->local || !well)) continue;
            /* said by another within a callback, over the broker */
            if (m->origin != s->origin) continue;
            (void)printf("  step %u: client %u on hub %u has not heard %u, kind %d target %d of "
                         "hub %u, %u bytes, the first of this turn %u\n",
                         sim.step, i, c->at->index, n, m->kind, m->target, m->hub, m->bytes, first);
            EXPECT(!"a message that must be heard");
        }
        sim.checks++;
    }
}
static void check_now(hub_site *s) {
    uint32_t first = sim.number + 1;
    send_some(s, false);
    quiet();
    check_from(s, first, calm());
}

/* A turn that publishes many times what the queue keeps for outages, over a bus that is up,
 * loses nothing (BUS-5). */
static void burst(hub_site *s) {
    uint32_t first = sim.number + 1, i, many = 20 + rnd(80);
    wshub_stats before, after;
    bool well = calm();
    if (s->hub) wshub_stats_get(s->hub, &before);
    for (i = 0; i < many; i++) send_some(s, false);
    quiet();
    well = well && calm();
    check_from(s, first, well);
    if (!s->hub || !well) return;
    wshub_stats_get(s->hub, &after);
    EXPECT(after.bus_dropped == before.bus_dropped);
}

/* What a hub owes, and what it holds for it (SEND-6, and `Everything a peer can make grow has a
 * limit`). */
static void check_bounds(hub_site *s) {
    wshub_stats st;
    uint64_t owed = callers_owed(s), most;
    uint32_t i;
    if (s->asleep) return;
    wshub_stats_get(s->hub, &st);
    for (i = 0; i < sim.clients_max; i++) {
        const client *c = &sim.clients[i];
        /* the limit, or one message that was longer; a completion io has one in flight as well */
        if (c->at == s && c->conn.id && (c->slow || !c->certain))
            owed += (s->index == 2 ? 2u : 1u) * ((c->huge > LARGE ? c->huge : LARGE) + 600u);
    }
    if (st.queued_bytes > owed) {
        (void)printf("  step %u: hub %u owes %llu bytes, %llu at most by what its peers do\n",
                     sim.step, s->index, (unsigned long long)st.queued_bytes,
                     (unsigned long long)owed);
        for (i = 0; i < sim.clients_max; i++) {
            const client *c = &sim.clients[i];
            wshub_client h;
            if (c->at != s || !c->conn.id || wshub_client_find(s->hub, wshub_str_z(c->id), &h) ||
                !wshub_client_queued_bytes(s->hub, h))
                continue;
            client_blame(c, c->certain ? "certain, is owed" : "is owed",
                         (unsigned)wshub_client_queued_bytes(s->hub, h));
        }
        for (i = 0; i < http.max; i++) {
            if (http.all[i].at == s && http.all[i].conn.id &&
                (http.all[i].pace || http.all[i].stopped))
                caller_blame(&http.all[i], "is owed something");
        }
        EXPECT(!"what is owed has a limit");
    }
    if (st.conns > s->conns) s->conns = st.conns;
    most = HELD_BASE + s->conns * HELD_EACH; /* to this it returns when everything has drained */
    /* what laggards are owed lies among what others had: up to 1 MiB stays; what a completion
     * io holds is not moved */
    if (owed) most += (s->index == 2 ? 5 : 1) * (uint64_t)HELD_PIECES + 2 * owed;
    if (s->bytes > sim.held_most) sim.held_most = s->bytes;
    if (s->bytes > most) {
        (void)printf("  step %u: hub %u holds %llu bytes, %llu at most: %llu streams (%llu once), "
                     "%llu owed, %llu in segments\n",
                     sim.step, s->index, (unsigned long long)s->bytes, (unsigned long long)most,
                     (unsigned long long)st.conns, (unsigned long long)s->conns,
                     (unsigned long long)st.queued_bytes, (unsigned long long)st.segment_bytes);
        EXPECT(!"what is held has a limit");
    }
}

/* A client that reads little for a while, or nothing; and that has caught up. */
static void lag_some(hub_site *s) {
    client *c = some_client();
    wshub_client h;
    if (!c || c->at != s || s->asleep || s->leaving ||
        wshub_client_find(s->hub, wshub_str_z(c->id), &h))
        return;
    if (c->slow && rnd(3)) {
        wshub_io_fake_window(s->net, c->conn, UINT64_MAX);
        if (c->certain) EXPECT(wshub_client_queued_bytes(s->hub, h) == 0);
        c->slow = false;
        c->took_at = sim.now;
        c->lossy = sim.number;
        return;
    }
    if (!c->slow && rnd(2)) {
        c->slow = true;
        c->slow_at = sim.now;
        wshub_io_fake_window(s->net, c->conn, rnd(500));
        return;
    }
    /* who owes nothing gets a message of any length (SEND-6) */
    if (wshub_client_queued_bytes(s->hub, h) == 0 && s->fail_at == 0) {
        static char data[HUGE + 64];
        message *m = note(s, 3, (int)(c - sim.clients), -1);
        wshub_msg msg;
        memset(&msg, 0, sizeof msg);
        msg.event = wshub_str_z("n");
        msg.data.ptr = data;
        c->huge = rnd(6) ? LIMIT + rnd(LARGE - LIMIT) : LARGE + rnd(HUGE - LARGE);
        msg.data.len = data_put(data, sim.number, c->huge);
        m->bytes = (uint32_t)msg.data.len;
        m->local = true;
        EXPECT(wshub_client_send(s->hub, h, &msg) == WSHUB_OK);
        wshub_io_fake_run(s->net);
    }
}

/* Much to others, and a little of it to who lags: what it has not taken lies among what is long
 * gone, and must not hold that. */
static void among(hub_site *s) {
    client *c = some_client(), *other = some_client();
    wshub_client h[2];
    uint32_t i;
    if (!c || !other || c == other || c->at != s || other->at != s || !c->slow || other->slow ||
        s->asleep || s->leaving)
        return;
    if (wshub_client_find(s->hub, wshub_str_z(c->id), &h[0]) ||
        wshub_client_find(s->hub, wshub_str_z(other->id), &h[1]))
        return;
    for (i = 0; i < 300; i++) {
        static char data[LARGE + 64];
        client *to = i % 4 ? other : c;
        message *m = note(s, 3, (int)(to - sim.clients), -1);
        wshub_msg msg;
        memset(&msg, 0, sizeof msg);
        msg.event = wshub_str_z("n");
        msg.data.ptr = data;
        msg.data.len = data_put(data, sim.number, i % 4 ? LARGE - 1 : 5);
        m->bytes = (uint32_t)msg.data.len;
        m->local = true;
        (void)wshub_client_send(s->hub, h[i % 4 ? 1 : 0], &msg);
        wshub_io_fake_run(s->net);
    }
}

/* A polite end (BYE-2): its clients are told, what is owed is sent, what was published arrives;
 * then another begins. */
static void retire(hub_site *s) {
    uint32_t i;
    if (s->asleep || s->leaving) return;
    s->leave_well = calm() && s->fail_at == 0;
    s->leave_calm = sim.calm_since;
    s->leave_first = sim.number + 1;
    /* many times what the queue keeps, and gone before the bus is left */
    for (i = 1 + rnd(60); i; i--) send_some(s, false);
    s->leaving = true;
    s->leave_at = sim.now;
    EXPECT(wshub_shutdown(s->hub) == WSHUB_OK);
    wshub_io_fake_run(s->net);
}
static void retired(hub_site *s) { /* each step: is it? */
    wshub_stats st;
    if (!s->leaving || s->asleep) return;
    if (!s->down) {
        /* for peers, and for the broker */
        EXPECT(sim.now <= later(s->leave_at, s->woke_at) + 2 * SHUTDOWN_MS + SLACK_MS);
        return;
    }
    quiet();
    if (s->leave_well && !sim.chaos && sim.calm_since == s->leave_calm)
        check_from(s, s->leave_first, true);
    wshub_stats_get(s->hub, &st);
    EXPECT(st.clients == 0 && st.rooms == 0 && st.users == 0 && st.bus_queued_bytes == 0);
    hub_end(s);
    hub_start(s, sim.step);
    sim.calm_since = sim.now;
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
        if (sim.hubs[i].asleep) wake(&sim.hubs[i]);
        sim.hubs[i].fail_at = 0;
        if (sim.hubs[i].cut) sim.hubs[i].cut_at = sim.now;
        sim.hubs[i].cut = false;
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
    case 0:
        sim.b.away = sim.chaos = true;
        broker_drop_all(&sim.b);
        break; /* it dies */
    /* and is back at once */
    case 1: broker_drop_all(&sim.b); break;
    /* SIGSTOP, half-open */
    case 2: sim.b.mute = sim.chaos = true; break;
    /* it has forgotten us */
    case 3: sim.b.deaf_beats = sim.chaos = true; break;
    case 4:
        sim.b.hold_acks = sim.chaos = true;
        broker_drop_all(&sim.b);
        break;
    /* ACL */
    case 5:
        sim.b.refuse = rnd(2) ? "PUBLISH" : "SUBSCRIBE";
        sim.chaos = true;
        broker_drop_all(&sim.b);
        break;
    case 6: sim.lagging = sim.chaos = true; break;
    /* the output limit: one subscriber is cut */
    case 7:
        for (i = 0; i < BROKER_LINKS; i++) {
            if (sim.b.links[i].conn.id && sim.b.links[i].subs_count && rnd(2)) {
                broker_drop(&sim.b, &sim.b.links[i], true);
                break;
            }
        }
        break;
    case 8:
    case 9:
        s->fail_at = 1 + (long)rnd(60);
        sim.chaos = true;
        doubt_all(s);
        callers_doubt(s);
        break;
    case 10:
        i = 1 + (int)rnd(9); /* apart: compilers choose the order of arguments */
        wshub_io_fake_set_cut(s->net, (uint32_t)i, 1 + rnd(40));
        s->cut = sim.chaos = true;
        break;
    case 11: sleep_some(s); break;
    case 12: lag_some(s); break;
    case 13:
        if (c) {
            doubt(c);
            wshub_io_fake_end(c->at->net, c->conn);
        }
        break;
    /* a machine fails, another takes its place */
    case 14:
        if (rnd(4) == 0) {
            hub_end(s);
            hub_start(s, sim.step);
        }
        break;
    /* somebody talks nonsense */
    default:
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
    switch (rnd(27)) {
    case 0:
    case 1:
    case 2:
        if (!c->conn.id && !s->asleep && !s->leaving) client_open(c, s);
        break;
    case 3:
        if (c->conn.id && rnd(3) == 0) {
            doubt(c);
            if (rnd(2))
                wshub_io_fake_send_close(c->at->net, c->conn, 1000, "");
            else
                wshub_io_fake_end(c->at->net, c->conn);
        }
        break;
    case 4:
    case 5:
    case 6: /* ROOM-1 to ROOM-3: `ws:` names are refused */
        r = (int)rnd(ROOMS);
        if (!c->conn.id || r == 5) break;
        (void)snprintf(text, sizeof text, "{\"event\":\"join\",\"data\":{\"rooms\":[\"%s\"]}}",
                       rooms[r]);
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
        (void)snprintf(text, sizeof text, "{\"event\":\"leave\",\"data\":{\"rooms\":[\"%s\"]}}",
                       rooms[r]);
        client_say(c, text);
        if (c->in[r] != NO) {
            /* it is read when its hub wakes */
            c->in_until[r] = !c->certain ? UINT64_MAX : c->at->asleep ? c->at->wake_at : sim.now;
            c->in[r] = NO;
        }
        break;
    case 8:
        if (c->conn.id) client_say(c, "{\"event\":\"x\",\"data\":[1,2,3]}");
        break;
    case 9: send_some(&sim.emitter, false); break;
    case 10:
        if (s->asleep || s->leaving) break;
        sim.meddling = true;
        meddle(s);
        sim.meddling = false;
        wshub_io_fake_run(s->net);
        break;
    case 11:
        if (sim.chaos ? rnd(3) == 0 : rnd(4) == 0) heal();
        break;
    case 12:
        if (rnd(3) == 0) fault();
        break;
    case 13: burst(rnd(6) && !s->asleep && !s->leaving ? s : &sim.emitter); break;
    case 14: lag_some(s); break;
    case 15:
        if (rnd(3))
            lag_some(s);
        else
            among(s);
        break;
    case 16:
    case 17:
    case 18:
    case 19:
    case 20: http_step(s); break;
    default:
        if (s->asleep || s->leaving) break;
        if (rnd(60))
            check_now(s);
        else
            retire(s);
        break;
    }
    quiet();
    pass(rnd(40) == 0 ? rnd(60000) : rnd(8) == 0 ? rnd(5000) : rnd(300));
    for (r = 0; r < (int)sim.hubs_count; r++) retired(&sim.hubs[r]);
    self_check();
    for (r = 0; r < (int)sim.hubs_count; r++) check_bounds(&sim.hubs[r]);
}

static void begin(uint64_t seed) {
    uint32_t i;
    wshub_bus_redis_desc rd;
    wshub_emitter_desc ed;
    memset(&sim, 0, sizeof sim);
    memset(&http, 0, sizeof http);
    http_patterns();
    rnd_begin(seed, UINT64_MAX);
    sim.hash = UINT64_C(0xCBF29CE484222325);
    sim.now = 1000;
    sim.b.role = "master";
    sim.b.delay_ms = lag;
    sim.hubs_count = 2 + rnd(HUBS - 1);
    sim.clients_max = rnd(6) == 0 ? CLIENTS : 4 + rnd(40);
    http.max = 1 + rnd(CALLERS);
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
    quiet();
    pass(10001);
    /* none is left in the middle of it */
    for (i = 0; i < sim.hubs_count; i++) retired(&sim.hubs[i]);
    pass(10001);
    EXPECT(all_up());
    for (i = 0; i < sim.hubs_count; i++) {
        for (k = 0; k < 4; k++) check_now(&sim.hubs[i]);
    }
    self_check();
    sim.ending = true;
    /* and with nobody speaking, everybody is gone by the deadlines */
    for (i = 0; i < sim.clients_max; i++) {
        sim.clients[i].polite = false;
        if (sim.clients[i].conn.id)
            wshub_io_fake_window(sim.clients[i].at->net, sim.clients[i].conn, UINT64_MAX);
        sim.clients[i].slow = false;
        sim.clients[i].lossy = sim.number;
    }
    for (i = 0; i < http.max; i++) {
        http.all[i].pace = 0;
        http.all[i].stopped = false;
        if (http.all[i].conn.id)
            wshub_io_fake_window(http.all[i].at->net, http.all[i].conn, UINT64_MAX);
    }
    pass(200000);
    for (i = 0; i < sim.hubs_count; i++) {
        wshub_stats st;
        wshub_stats_get(sim.hubs[i].hub, &st);
        if (st.clients || st.conns || st.rooms || st.users || st.queued_bytes ||
            st.bus_queued_bytes) {
            (void)printf("  hub %u at the end: %llu clients, %llu streams, %llu rooms, %llu users, "
                         "%llu bytes owed, %llu to the bus\n",
                         i, (unsigned long long)st.clients, (unsigned long long)st.conns,
                         (unsigned long long)st.rooms, (unsigned long long)st.users,
                         (unsigned long long)st.queued_bytes,
                         (unsigned long long)st.bus_queued_bytes);
        }
        EXPECT(st.clients == 0 && st.conns == 0 && st.rooms == 0 && st.users == 0 &&
               st.queued_bytes == 0 && st.bus_queued_bytes == 0);
        EXPECT(sim.hubs[i].up);
        hub_end(&sim.hubs[i]);
    }
    wshub_emitter_destroy(sim.em);
    wshub_bus_redis_destroy(sim.emitter.redis);
    broker_drop_all(&sim.b);
    wshub_io_fake_destroy(sim.emitter.net);
}

/* Plays a seed for so many simulated hours. only: a map of the steps to play; NULL: all.
 * Returns how many it took. */
/* seen by the parent of one that crashed, too */
static struct progress {
    uint64_t seed;
    uint32_t step;
} * progress;
static uint32_t play(uint64_t seed, double hours, const uint8_t *only) {
    uint64_t until;
    progress->seed = seed;
    begin(seed);
    until = sim.now + (uint64_t)(hours * 3600000);
    for (sim.step = 0; sim.now < until && sim.step < STEPS && !failures; sim.step++) {
        progress->step = sim.step;
        rnd_begin(seed, sim.step);
        if (!only || only[sim.step])
            step();
        else
            pass(300);
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
    (void)printf("  shrunk to %u of %u steps: build/sim --seed %llu %g --only ", left, steps,
                 (unsigned long long)seed, hours);
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
    (void)printf("  %llu seeds, %.1f simulated hours in %.1f s, %.0f times real time; %llu "
                 "connects, %llu messages sent, %llu heard, %llu of them checked for who must, "
                 "%llu faults; trace %016llx\n",
                 (unsigned long long)(seed - first), simulated, seconds() - start,
                 simulated * 3600 / (seconds() - start), (unsigned long long)connects,
                 (unsigned long long)sent, (unsigned long long)heard, (unsigned long long)checks,
                 (unsigned long long)faults, (unsigned long long)hash);
    return failures ? 1 : 0;
}

int main(int argc, char **argv) {
    bool one = argc > 2 && strcmp(argv[1], "--seed") == 0;
    uint64_t first = one ? strtoull(argv[2], NULL, 10) : 1, last = one ? first
                                                                   : argc > 1
                                                                       ? strtoull(argv[1], NULL, 10)
                                                                       : 100;
    double hours = one ? (argc > 3 ? atof(argv[3]) : 0.25) : argc > 2 ? atof(argv[2]) : 0.25;
    uint8_t *only = NULL;
    int status = 0;
    pid_t child;
    progress = (struct progress *)mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
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
            (void)printf("  replay: build/sim --seed %llu %g\n", (unsigned long long)progress->seed,
                         hours);
            shrink(progress->seed, hours, progress->step + 1);
        }
    }
    (void)printf("sim: %d passed, %d failed, 0 skipped\n", status ? 0 : 1, status ? 1 : 0);
    return status ? 1 : 0;
}
