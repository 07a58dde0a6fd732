/* The simulation's world, and the model of what a send means: who must hear it, who may, who must not
 * (SEND-1 to SEND-5, AUTH-7, ROOM-5). It is made from the rules of wshub.h, not from the code. Included by
 * tests/sim.c. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

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
    APP_CHANNELS = 3,
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
    HELD_BASE = 205000,
    HELD_EACH = 1000,
    HELD_PIECES = 1200000,
    BEAT_MS = 90000,
    SWEEP_MS = 30000,
    CLOSE_MS = 5000,
    SHUTDOWN_MS = 5000
};

/* ---- chance: each step has its own, so that one can be left out and others stay what they are */
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
    wshub_ask asks[ASKS];          /* to be answered some time */
    wshub_exchange upgrades[ASKS]; /* such handshakes (AUTH-8) */
    /* It subscribes to that channel, since that step, by that coming or going of all. */
    bool app_on[APP_CHANNELS];
    uint32_t app_step[APP_CHANNELS], app_turn[APP_CHANNELS];
    uint32_t app_last[2][1024]; /* the last that it has heard, posted or not, by origin */
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

/* What the application says to a handshake: it is like all others, accepted at once, answered some
 * time or never, refused. */
typedef enum early { EARLY_NOT, EARLY_NOW, EARLY_LATER, EARLY_NEVER } early;

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
    early early;    /* who it is is asked at its upgrade (AUTH-8) */
    bool upgrading; /* which has yet to be answered */
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
    uint8_t ours;                    /* and who of our own clients, a bit each */
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
static void ours_note(message *m);
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
    ours_note(m);
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
    wshub_dest d = {0};
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
        err = wshub_all_send_here(s->hub, &m, d.exclude, d.exclude_count);
    else if (d.kind == WSHUB_DEST_ROOM)
        err = wshub_room_send_here(s->hub, d.name, &m, d.exclude, d.exclude_count);
    else if (d.kind == WSHUB_DEST_USER)
        err = wshub_user_send_here(s->hub, d.name, &m);
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

#endif
