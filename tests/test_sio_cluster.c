/* A cluster of servers of Socket.IO against a model, by seeds: three of ours and two that do as
 * Node's adapter for Redis does, with its timeouts, on a bus in memory that goes down and comes back.
 * Whatever ours publish would not end a server of Node's; what one sender says all hear once and in
 * order, without a gap while the bus is there; whoever asks is told once, in time, of all that have
 * answered; and a peer whose request met nobody who is silent, and no gap of the bus, has all its
 * answers. The specification's 4 and 7, BUS-3, BUS-5.
 *
 * WSHUB_SIO_SEEDS: how many seeds, for a campaign; WSHUB_SIO_SEED: from which. */
#include "sio_server.h"
#include "wshub_bus_local.h"

enum { SERVERS = 3, SOCKETS = 2, PEERS = 2, SENDERS = SERVERS + PEERS, REQUESTS = 64, STEPS = 300 };

static uint32_t seed;
#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (void)printf("  seed %u, %s:%d: must hold: %s\n", (unsigned)seed, __FILE__, __LINE__,  \
                         #cond);                                                                   \
            test_failures++;                                                                       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What somebody has heard of each sender. */
typedef struct ear {
    unsigned last[SENDERS];
    bool gap[SENDERS]; /* something of it may be missing */
} ear;

typedef struct member {
    eio_site s;
    wshub_bus bus;
    wshub_sio *sio;
    wshub_conn conns[SOCKETS];
    ear ears[SOCKETS];
} member;

/* A server of Node's. */
typedef struct peer {
    wshub_bus bus;
    char uid[7];
    bool silent, up;
    ear hears;
    struct {
        char id[7];
        uint64_t until;
        unsigned answers;
        bool fair; /* nobody was silent, and the bus was there, since it was asked */
    } asked[REQUESTS];
    size_t asked_count, done, late;
    struct { /* what it has yet to answer */
        char text[200];
        uint64_t at;
    } owed[REQUESTS];
    size_t owed_count;
} peer;

static member members[SERVERS];
static peer peers[PEERS];
static wshub_bus_local *local;
static unsigned said[SENDERS], fetches_open, fetches_told, fetches_whole;
static uint64_t now;
static bool down;

/* ---- hearing ---- */

static void heard(ear *e, unsigned sender, unsigned number) {
    MUST(sender < SENDERS && number > e->last[sender] && number <= said[sender]);
    MUST(e->gap[sender] || number == e->last[sender] + 1);
    e->last[sender] = number;
    e->gap[sender] = false;
}

/* Something may be missing from now on, to whoever hears it over the bus. */
static void gap(void) {
    size_t i, k, n;
    for (n = 0; n < SENDERS; n++) {
        for (i = 0; i < SERVERS; i++) {
            for (k = 0; k < SOCKETS; k++) members[i].ears[k].gap[n] = n != i;
        }
        for (i = 0; i < PEERS; i++) peers[i].hears.gap[n] = true;
    }
    for (i = 0; i < PEERS; i++) {
        for (k = 0; k < peers[i].asked_count; k++) peers[i].asked[k].fair = false;
    }
}

static void sockets_hear(member *m) {
    wshub_io_fake_frame f;
    unsigned sender, number;
    char text[100];
    size_t i;
    for (i = 0; i < SOCKETS; i++) {
        while (wshub_io_fake_next(m->s.w.net, m->conns[i], &f)) {
            (void)snprintf(text, sizeof text, "%.*s", (int)f.payload.len, f.payload.ptr);
            if (f.opcode == 9) continue; /* a ping of RFC 6455 */
            MUST(sscanf(text, "42[\"m\",%u,%u]", &sender, &number) == 2);
            heard(&m->ears[i], sender, number);
        }
    }
}

/* ---- a peer ---- */

static void peer_says(peer *p, const char *channel, const char *bytes, size_t count) {
    wshub_bus_msg m;
    memset(&m, 0, sizeof m);
    m.channel = S(channel);
    m.payload.ptr = bytes;
    m.payload.len = count;
    if (p->up) (void)p->bus.publish(p->bus.ctx, &m, 1);
}

/* What Node's reader makes of a message. */
static wshub_str read_message(wshub_str payload) {
    static char text[8192];
    static wshub_span spans[10];
    wshub_sio__reader in;
    wshub_sio__unpacked out;
    wshub_str json = payload;
    if (payload.len && payload.ptr[0] == '{') {
        MUST(wshub_json_check(payload, 0));
        return json;
    }
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    in.at = (const uint8_t *)payload.ptr;
    in.end = in.at + payload.len;
    out.text.buf = text;
    out.text.cap = sizeof text;
    out.attachments = spans;
    out.attachments_max = 10;
    MUST(wshub_sio__unpack_json(&in, &out) && in.at == in.end && out.text.len < sizeof text);
    json.ptr = text;
    json.len = out.text.len;
    return json;
}

/* A broadcast: what is not as it should be ends a server of Node's. */
static void peer_broadcast(peer *p, wshub_str payload) {
    wshub_str json = read_message(payload), parts[3], value;
    wshub_iter iter = {0, 0};
    size_t n = 0;
    uint64_t sender, number;
    char uid[16];
    MUST(wshub_json_type(json) == WSHUB_JSON_ARRAY);
    while (n < 3 && wshub_json_each(json, &iter, &parts[n])) n++;
    MUST(n == 3 && wshub_json_type(parts[2]) == WSHUB_JSON_OBJECT);
    MUST(wshub_json_type(wshub_json_get(parts[2], "rooms")) == WSHUB_JSON_ARRAY);
    MUST(wshub_json_type(wshub_json_get(parts[2], "except")) == WSHUB_JSON_ARRAY);
    MUST(wshub_json_is(wshub_json_get(parts[1], "nsp"), "/"));
    MUST(!wshub_json_copy(parts[0], uid, sizeof uid, NULL));
    if (strcmp(uid, p->uid) == 0) return;
    memset(&iter, 0, sizeof iter);
    json = wshub_json_get(parts[1], "data");
    MUST(wshub_json_each(json, &iter, &value));
    if (!wshub_json_is(value, "m")) return;
    MUST(wshub_json_each(json, &iter, &value) && wshub_json_uint(value, &sender));
    MUST(wshub_json_each(json, &iter, &value) && wshub_json_uint(value, &number));
    heard(&p->hears, (unsigned)sender, (unsigned)number);
}

static void peer_owes(peer *p, uint32_t delay_ms, const char *text) {
    MUST(p->owed_count < REQUESTS);
    (void)snprintf(p->owed[p->owed_count].text, 200, "%s", text);
    p->owed[p->owed_count++].at = now + delay_ms;
}

static void peer_request(peer *p, wshub_str payload) {
    wshub_str json = read_message(payload);
    uint64_t type;
    char uid[16] = "", id[16] = "", text[200];
    MUST(wshub_json_type(json) == WSHUB_JSON_OBJECT);
    MUST(wshub_json_uint(wshub_json_get(json, "type"), &type));
    (void)wshub_json_copy(wshub_json_get(json, "uid"), uid, sizeof uid, NULL);
    (void)wshub_json_copy(wshub_json_get(json, "requestId"), id, sizeof id, NULL);
    if (type == 2 || type == 3 || type == 4 || type == 5 || type == 7) /* without, it ends */
        MUST(wshub_json_type(wshub_json_get(json, "opts")) == WSHUB_JSON_OBJECT);
    if (strcmp(uid, p->uid) == 0 || p->silent || type != 5) return;
    (void)snprintf(text, sizeof text,
                   "{\"requestId\":\"%s\",\"sockets\":[{\"id\":\"of %s\",\"handshake\":{},"
                   "\"rooms\":[],\"data\":{}}]}",
                   id, p->uid);
    peer_owes(p, any_of(2) ? 0 : any_of(400), text);
}

static void peer_answer(peer *p, wshub_str payload) {
    wshub_str json = read_message(payload);
    char id[16] = "";
    size_t i;
    (void)wshub_json_copy(wshub_json_get(json, "requestId"), id, sizeof id, NULL);
    for (i = 0; i < p->asked_count; i++) {
        if (strcmp(p->asked[i].id, id) != 0) continue;
        MUST(wshub_json_type(wshub_json_get(json, "sockets")) == WSHUB_JSON_ARRAY);
        if (++p->asked[i].answers < SENDERS - 1) return;
        p->asked[i] = p->asked[--p->asked_count];
        p->done++;
        return;
    }
}

static void peer_received(void *ctx, wshub_str channel, wshub_str payload) {
    peer *p = (peer *)ctx;
    char name[100];
    (void)snprintf(name, sizeof name, "%.*s", (int)channel.len, channel.ptr);
    if (strcmp(name, "socket.io-request#/#") == 0)
        peer_request(p, payload);
    else if (strncmp(name, "socket.io-response#/#", 21) == 0)
        peer_answer(p, payload);
    else if (strcmp(name, "socket.io#/#") == 0)
        peer_broadcast(p, payload);
}

static void peer_state(void *ctx, wshub_bus_state state) {
    peer *p = (peer *)ctx;
    char own[64];
    wshub_bus_channel channels[4];
    memset(channels, 0, sizeof channels);
    p->up = state == WSHUB_BUS_UP;
    if (state != WSHUB_BUS_CONNECTED) return;
    (void)snprintf(own, sizeof own, "socket.io-response#/#%s#", p->uid);
    channels[0].name = S("socket.io#/#*");
    channels[0].pattern = true;
    channels[1].name = S("socket.io-request#/#");
    channels[2].name = S("socket.io-response#/#");
    channels[3].name = S(own);
    MUST(p->bus.subscribe(p->bus.ctx, channels, 4));
}

static void peer_start(peer *p, unsigned number) {
    wshub_bus_owner owner;
    memset(p, 0, sizeof *p);
    memset(&owner, 0, sizeof owner);
    (void)snprintf(p->uid, sizeof p->uid, "Node-%u", number);
    owner.ctx = p;
    owner.received = peer_received;
    owner.state = peer_state;
    EXPECT_INT(wshub_bus_local_seat(local, &p->bus), WSHUB_OK);
    EXPECT_INT(p->bus.attach(p->bus.ctx, &owner), WSHUB_OK);
}

/* Its clock: what it owes is answered, what nobody has answered in time fails. */
static void peer_turn(peer *p) {
    size_t i;
    p->bus.pump(p->bus.ctx);
    for (i = 0; i < p->owed_count;) {
        if (p->owed[i].at > now) {
            i++;
            continue;
        }
        peer_says(p, "socket.io-response#/#", p->owed[i].text, strlen(p->owed[i].text));
        p->owed[i] = p->owed[--p->owed_count];
    }
    for (i = 0; i < p->asked_count;) {
        if (p->asked[i].until > now) {
            i++;
            continue;
        }
        MUST(!p->asked[i].fair); /* ours have answered, and so has the other */
        p->asked[i] = p->asked[--p->asked_count];
        p->late++;
    }
}

/* ---- ours ---- */

static void member_start(member *m, uint32_t number) {
    wshub_sio_namespace_desc space;
    wshub_sio_desc d;
    wshub_io_fake_frame f;
    size_t i;
    memset(m, 0, sizeof *m);
    memset(&d, 0, sizeof d);
    memset(&space, 0, sizeof space);
    EXPECT_INT(wshub_bus_local_seat(local, &m->bus), WSHUB_OK);
    world_start(&m->s.w, DESC(.bus = &m->bus, .idle_timeout_ms = WSHUB_OFF),
                FAKE(.seed = 100 * seed + number));
    d.bus = true;
    d.engine.ping_interval_ms = 3600000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &m->s.w;
    EXPECT_INT(wshub_sio_create(m->s.w.hub, &d, &m->sio), WSHUB_OK);
    space.on_connected = sio_socket_rooms;
    EXPECT_INT(wshub_sio_namespace_add(m->sio, &space, NULL), WSHUB_OK);
    wshub_io_fake_run(m->s.w.net);
    for (i = 0; i < SOCKETS; i++) {
        m->conns[i] = eio_socket(&m->s, "EIO=4&transport=websocket");
        wshub_io_fake_text(m->s.w.net, m->conns[i], i ? "40" : "40{\"rooms\":[\"r\"]}");
        wshub_io_fake_run(m->s.w.net);
        while (wshub_io_fake_next(m->s.w.net, m->conns[i], &f)) {
        }
    }
    m->s.w.unchecked = true; /* it takes its time */
}

static void emits(unsigned sender) {
    char number[2][16];
    wshub_str args[2];
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    (void)snprintf(number[0], 16, "%u", sender);
    (void)snprintf(number[1], 16, "%u", ++said[sender]);
    args[0] = S(number[0]);
    args[1] = S(number[1]);
    packet.event = S("m");
    packet.args = args;
    packet.args_count = 2;
    EXPECT_INT(
        wshub_sio_emit(members[sender].sio, wshub_sio_of(members[sender].sio, "/"), NULL, &packet),
        WSHUB_OK);
}
static void peer_emits(unsigned sender) {
    peer *p = &peers[sender - SERVERS];
    char bytes[100];
    size_t n = sio_socket_hex("93 a6 000000000000 83 a474797065 02 a464617461 93 a16d 00 cd0000 "
                              "a36e7370 a12f 83 a5726f6f6d73 90 a6657863657074 90 a5666c616773 80",
                              bytes, sizeof bytes);
    unsigned number;
    if (!p->up) return; /* Node's client keeps it, and says it later; not this one */
    number = ++said[sender];
    memcpy(bytes + 2, p->uid, 6);
    bytes[23] = (char)sender;
    bytes[25] = (char)(number >> 8);
    bytes[26] = (char)(number & 255);
    peer_says(p, "socket.io#/#", bytes, n);
}

static void on_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    (void)sio;
    (void)user;
    MUST(fetches_open > 0);
    fetches_open--;
    fetches_told++;
    MUST(found->sockets_count >= SOCKETS && found->sockets_count <= SERVERS * SOCKETS + PEERS);
    if (found->error) return;
    fetches_whole++;
    MUST(found->sockets_count == SERVERS * SOCKETS + PEERS || found->servers < SENDERS);
}
static void fetches(member *m) {
    fetches_open++;
    MUST(wshub_sio_fetch(m->sio, wshub_sio_of(m->sio, "/"), NULL, on_found, NULL) == WSHUB_OK);
}
static void peer_fetches(peer *p) {
    char text[200];
    size_t n = p->asked_count;
    if (!p->up || down || n == REQUESTS) return;
    (void)snprintf(p->asked[n].id, 7, "q%05u", (unsigned)any_of(100000));
    p->asked[n].until = now + 5000;
    p->asked[n].answers = 0;
    p->asked[n].fair = !peers[0].silent && !peers[1].silent;
    p->asked_count++;
    (void)snprintf(text, sizeof text,
                   "{\"uid\":\"%s\",\"requestId\":\"%s\",\"type\":5,\"opts\":{\"rooms\":[],"
                   "\"except\":[]}}",
                   p->uid, p->asked[n].id);
    peer_says(p, "socket.io-request#/#", text, strlen(text));
}

/* ---- all together ---- */

static void run_all(void) {
    size_t i, round;
    for (round = 0; round < 4; round++) {
        for (i = 0; i < SERVERS; i++) {
            wshub_io_fake_run(members[i].s.w.net);
            sockets_hear(&members[i]);
        }
        for (i = 0; i < PEERS; i++) peer_turn(&peers[i]);
    }
}
static void pass(uint64_t ms) {
    size_t i;
    while (ms) {
        uint64_t step = ms > 50 ? 50 : ms;
        now += step;
        ms -= step;
        for (i = 0; i < SERVERS; i++) wshub_io_fake_advance(members[i].s.w.net, step);
        run_all();
    }
}
static void set_down(bool is) {
    down = is;
    wshub_bus_local_set_down(local, is);
    gap();
    run_all(); /* all notice, one after the other */
    gap();
}

static void joins_all(member *m, bool join) {
    wshub_str room = S("green");
    wshub_sio_namespace of = wshub_sio_of(m->sio, "/");
    (void)(join ? wshub_sio_join_all(m->sio, of, NULL, &room, 1)
                : wshub_sio_leave_all(m->sio, of, NULL, &room, 1));
}

static void step(void) {
    unsigned k = any_of(SERVERS), j = any_of(PEERS);
    switch (any_of(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: emits(k); break;
    case 5:
    case 6: peer_emits(SERVERS + j); break;
    case 7: fetches(&members[k]); break;
    case 8: peer_fetches(&peers[j]); break;
    case 9: pass(any_of(2000)); break;
    case 10:
        if (any_of(4) == 0) set_down(!down);
        break;
    case 11:
        peers[j].silent = any_of(3) == 0;
        if (peers[j].silent) {
            size_t n;
            for (n = 0; n < peers[!j].asked_count; n++) peers[!j].asked[n].fair = false;
        }
        break;
    case 12: joins_all(&members[k], any_of(2)); break;
    default: run_all();
    }
}

static void play(void) {
    size_t i, n;
    any_seed = seed;
    now = 0;
    down = false;
    memset(said, 0, sizeof said);
    fetches_open = 0;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    for (i = 0; i < SERVERS; i++) member_start(&members[i], (uint32_t)i + 1);
    for (i = 0; i < PEERS; i++) peer_start(&peers[i], (unsigned)i);
    run_all();
    gap(); /* who came first may have heard nothing of who came later */
    for (n = 0; n < STEPS; n++) step();

    /* at the end the bus is there and nobody is silent: all is told, and all hear all */
    set_down(false);
    peers[0].silent = peers[1].silent = false;
    pass(6000);
    MUST(fetches_open == 0);
    for (i = 0; i < PEERS; i++) MUST(peers[i].asked_count == 0);
    for (n = 0; n < SERVERS; n++) emits((unsigned)n);
    for (n = SERVERS; n < SENDERS; n++) peer_emits((unsigned)n);
    for (i = 0; i < SERVERS; i++) fetches(&members[i]);
    pass(1000);
    MUST(fetches_open == 0);
    for (n = 0; n < SENDERS; n++) {
        for (i = 0; i < SERVERS * SOCKETS; i++)
            MUST(members[i / SOCKETS].ears[i % SOCKETS].last[n] == said[n]);
        for (i = 0; i < PEERS; i++) MUST(n == SERVERS + i || peers[i].hears.last[n] == said[n]);
    }
    for (i = 0; i < PEERS; i++) (void)peers[i].bus.attach(peers[i].bus.ctx, NULL);
    for (i = 0; i < SERVERS; i++) {
        wshub *hub = members[i].s.w.hub;
        wshub_sio_stats st;
        wshub_sio_stats_get(members[i].sio, &st);
        MUST(st.bus_dropped == 0);
        members[i].s.w.unchecked = false;
        members[i].s.w.hub = NULL;
        wshub_destroy(hub);
        wshub_sio_destroy(members[i].sio);
        world_stop(&members[i].s.w);
    }
    wshub_bus_local_destroy(local);
}

TEST(a_cluster_of_ours_and_of_nodes_holds_by_any_seed) { /* 4, 7, BUS-3, BUS-5 */
    const char *seeds = getenv("WSHUB_SIO_SEEDS"), *from = getenv("WSHUB_SIO_SEED");
    uint32_t count = seeds ? (uint32_t)strtoul(seeds, NULL, 10) : 12, i;
    size_t done = 0, late = 0;
    fetches_told = fetches_whole = 0;
    for (i = 0; i < count; i++) {
        seed = (from ? (uint32_t)strtoul(from, NULL, 10) : 1) + i;
        play();
        done += peers[0].done + peers[1].done;
        late += peers[0].late + peers[1].late;
    }
    EXPECT_OP(fetches_whole, >, count);
    EXPECT_OP(done, >, count);
    EXPECT_OP(late + fetches_told - fetches_whole, >, 0);
    if (seeds)
        (void)printf("  %u seeds: %u fetches of ours, %u whole; of Node's %zu whole, %zu late\n",
                     (unsigned)count, fetches_told, fetches_whole, done, late);
}
