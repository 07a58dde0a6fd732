/* The simulation's clients of our own (backends/wshub_ext_client.h), beside those that it plays. They
 * are a machine of their own, whose streams lead to one of the hubs; on the way they are late, cut,
 * refused and taken in pieces, and their memory fails. The model, from what the header promises: what
 * is emitted arrives once and in order, and lost is only what had left when a connection was lost;
 * each request is told of once; a room that was joined is joined on every connection; what a hub sends
 * is heard in order and once, and all of it while all is well. And none of them hangs: each has a
 * connection, or waits for a time. Included by tests/sim.c. */
#ifndef SIM_OURS_H
#define SIM_OURS_H
#include "memory_ours.h"

enum {
    OURS = 6,
    OUR_ASKS = 32,
    OUR_SAID = 1 << 16,
    OUR_EACH = 1000000,  /* numbers of one client; of the next one they are so many higher */
    OUR_BACK_MS = 25000, /* an attempt that fails, the longest wait, and one that does not */
};

/* A request that is under way. */
typedef struct our_ask {
    struct our *of;
    uint32_t number;
    bool open;
} our_ask;

typedef struct our {
    wshub_ext_client *client;
    wshub_conn here, there;        /* the two ends of its stream */
    hub_site *at;                  /* whose end is there; NULL: it has none */
    uint64_t late_until;           /* until then its stream carries nothing */
    uint32_t life, step;           /* as sim.lives when it was accepted, and in which step */
    char id[40];                   /* as it was told; empty: it is not authenticated */
    int user;                      /* -1: none */
    bool asks;                     /* it makes requests, and keeps nothing; or it emits, and does */
    bool sure;                     /* nothing has happened to it that would excuse a loss */
    bool slow;                     /* what it sends is taken in pieces */
    bool leaves;                   /* it has left, and comes again when that is through */
    bool in[ROOMS], was_in[ROOMS]; /* it wants to be; it may be yet, of an earlier want */
    uint32_t in_step[ROOMS];
    /* Numbers of its events: the last one said; the last that has arrived on the connection of
     * now; up to which they had left when a connection was lost. */
    uint32_t said, arrived, excused;
    uint8_t has_arrived[OUR_SAID / 8];
    our_ask asked[OUR_ASKS];
    uint32_t last[1024]; /* number of the last message, by origin, on the connection of now */
} our;

static struct ours {
    wshub_io_fake *net;
    wshub_ws_pool *pool;
    our all[OURS];
    uint32_t count;
    memory_ours memory;
    uint64_t deaf_until; /* who dials is not answered until then */
    uint64_t connected, accepted, lost, heard, arrived, answered;
} ours;

static void our_blame(const our *o, const char *what, uint32_t number) {
    (void)printf("  step %u at %llu: our client %d: %s %u; said %u, arrived %u, excused to %u\n",
                 sim.step, (unsigned long long)sim.now, (int)(o - ours.all), what, number, o->said,
                 o->arrived, o->excused);
}

/* From here on a loss is excused. s NULL: on whatever hub they are. */
static void ours_doubt(const hub_site *s) {
    uint32_t i;
    for (i = 0; i < ours.count; i++) {
        if (!s || ours.all[i].at == s) ours.all[i].sure = false;
    }
}

/* ---- what they are told ---- */

static void our_authenticated(wshub_ext_client *of, wshub_str id, wshub_str data, void *user) {
    our *o = (our *)user;
    (void)of;
    (void)data;
    EXPECT(!o->id[0] && id.len == 36 && o->at);
    memcpy(o->id, id.ptr, id.len);
    o->life = ++sim.lives;
    o->step = sim.step;
    o->sure = !o->at->fail_at && !ours.memory.fail_at;
    memcpy(o->was_in, o->in, sizeof o->in);
    memset(o->last, 0, sizeof o->last);
    ours.accepted++;
    trace("A", 1);
}

static void our_connected(wshub_ext_client *of, const wshub_ws_about *about, void *user) {
    our *o = (our *)user;
    (void)of;
    (void)about;
    EXPECT(o->at && !o->id[0]);
    ours.connected++;
}

/* What had not left is kept, and is yet to come; all before it may be lost. */
static void our_disconnected(wshub_ext_client *of, const wshub_ws_gone *gone, bool again,
                             void *user) {
    our *o = (our *)user;
    size_t kept = wshub_ext_client_buffered(of);
    EXPECT(gone->opened && again != (o->leaves || sim.ending));
    EXPECT(kept <= o->said);
    if (o->said - kept > o->excused) o->excused = o->said - (uint32_t)kept;
    memset(o->id, 0, sizeof o->id);
    o->sure = false;
    ours.lost++;
    trace("D", 1);
}

static void our_failed(wshub_ext_client *of, const wshub_ws_gone *gone, bool again, void *user) {
    (void)of;
    (void)user;
    EXPECT(!gone->opened && again && *gone->text);
    trace("F", 1);
}

/* Is this for it? NULL: yes. */
static const char *our_may(const our *o, const message *m) {
    if (m->local && o->at->index != m->hub) return "it was for another hub's own clients";
    if (m->kind == 1 && m->target != 7 && !o->was_in[m->target]) return "it was not in the room";
    if (m->kind == 2 && m->target != o->user) return "another user";
    return m->kind == 3 ? "another client" : NULL;
}

static void our_heard(wshub_ext_client *of, const wshub_event *event, void *user) {
    our *o = (our *)user;
    uint32_t n = client_number(event->data), *last;
    const message *m = &sim.messages[n % MESSAGES];
    const char *why;
    EXPECT(o->id[0] || wshub_ext_client_state_of(of) == WSHUB_EXT_CLIENT_LEAVING);
    EXPECT(wshub_str_eq_z(event->event, "n")); /* it has subscribed to nothing else */
    trace(event->data.ptr, event->data.len < 16 ? event->data.len : 16);
    ours.heard++;
    if (m->number != n || !o->at) return;
    why = our_may(o, m);
    if (why) our_blame(o, why, n);
    EXPECT(!why);
    last = &o->last[m->origin % 1024];
    if (*last >= n) our_blame(o, "heard behind another of its origin", n);
    EXPECT(*last < n); /* in order, none twice */
    *last = n;
}

static void our_answered(wshub_ext_client *of, wshub_err err, const wshub_event *answer,
                         void *user) {
    our_ask *ask = (our_ask *)user;
    uint64_t n = 0;
    (void)of;
    EXPECT(ask->open); /* once */
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_DROPPED || err == WSHUB_ERR_CLOSED);
    ask->open = false;
    if (err == WSHUB_OK && wshub_str_eq_z(answer->event, "asked")) {
        EXPECT(wshub_json_uint(answer->data, &n) && n % OUR_EACH == ask->number);
        ours.answered++;
    }
}

/* ---- what a hub is told of them ---- */

static our *our_of(const hub_site *s, wshub_client c) { /* on its connection of now */
    wshub_str id = wshub_client_id(s->hub, c);
    uint32_t i;
    for (i = 0; i < ours.count; i++) {
        our *o = &ours.all[i];
        if (o->at == s && o->id[0] && id.len == 36 && memcmp(o->id, id.ptr, 36) == 0) return o;
    }
    return NULL;
}

/* An event of theirs has arrived; said: its number. */
static void our_arrived(our *o, uint32_t number, bool now) {
    uint8_t *bits = &o->has_arrived[number / 8 % sizeof o->has_arrived];
    uint8_t bit = (uint8_t)(1u << number % 8);
    bool right = !(*bits & bit) && number <= o->said; /* once */
    *bits |= bit;
    ours.arrived++;
    if (now) { /* in order, and what is left out was lost with a connection */
        right = right && number > o->arrived &&
                (o->asks || number - 1 <= later(o->arrived, o->excused));
        o->arrived = number;
    } else if (!o->asks) { /* late, of a connection that is lost */
        right = right && number <= o->excused;
    }
    if (!right) our_blame(o, now ? "arrived wrongly" : "arrived late", number);
    EXPECT(right);
}

/* A message to a hub: is it theirs? */
static void ours_said(hub_site *s, wshub_client c, const wshub_event *event) {
    bool asked = wshub_str_eq_z(event->event, "ask");
    uint64_t n = 0;
    our *o;
    wshub_msg msg;
    if (!asked && !wshub_str_eq_z(event->event, "said")) return;
    EXPECT(wshub_json_uint(event->data, &n) && n / OUR_EACH < ours.count);
    o = &ours.all[n / OUR_EACH % OURS];
    our_arrived(o, (uint32_t)(n % OUR_EACH), our_of(s, c) == o);
    if (!asked || rnd(4) == 0) return;
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("asked");
    msg.data = event->data;
    (void)wshub_client_reply(s->hub, c, event->id, &msg);
}

/* A hub has dropped a message to one of them (SEND-6). */
static void ours_dropped(const hub_site *s, wshub_client c) {
    our *o = our_of(s, c);
    if (o) o->sure = false;
}

/* ---- who must hear a message ---- */

static bool our_must(const our *o, const message *m) {
    if (!o->sure || !o->id[0] || o->step == sim.step || sim.now < o->late_until) return false;
    if (wshub_ext_client_state_of(o->client) != WSHUB_EXT_CLIENT_AUTHENTICATED) return false;
    switch (m->kind) {
    case 0: return true;
    /* its wish may be on its way yet */
    case 1: return o->in[m->target] && o->in_step[m->target] != sim.step && !o->slow;
    case 2: return o->user == m->target;
    default: return false;
    }
}
static void ours_note(message *m) {
    uint32_t i;
    for (i = 0; i < ours.count; i++) {
        if (our_must(&ours.all[i], m)) m->ours |= (uint8_t)(1u << i);
    }
}
/* When the network is quiet, as check_from() for the others. */
static void ours_check_heard(const hub_site *s, const message *m, bool well) {
    uint32_t i;
    for (i = 0; i < ours.count; i++) {
        const our *o = &ours.all[i];
        if (!(m->ours >> i & 1) || !our_must(o, m) || o->life > m->lives || o->at->asleep ||
            o->last[m->origin % 1024] >= m->number || m->origin != s->origin ||
            (o->at != s && (m->local || !well)))
            continue;
        (void)printf("  it is on hub %u, was accepted in step %u; kind %d target %d of hub %u\n",
                     o->at->index, o->step, m->kind, m->target, m->hub);
        our_blame(o, "has not heard", m->number);
        EXPECT(!"a message that one of ours must hear");
    }
}

/* ---- their streams ---- */

static void our_stream_over(our *o) {
    if (!o->at) return;
    wshub_io_fake_end(ours.net, o->here);
    wshub_io_fake_forget(ours.net, o->here);
    wshub_io_fake_end(o->at->net, o->there);
    wshub_io_fake_forget(o->at->net, o->there);
    o->at = NULL;
}
/* Their hub is no more. */
static void ours_leave(const hub_site *s) {
    uint32_t i;
    for (i = 0; i < ours.count; i++) {
        if (ours.all[i].at != s) continue;
        wshub_io_fake_end(ours.net, ours.all[i].here);
        wshub_io_fake_forget(ours.net, ours.all[i].here);
        ours.all[i].at = NULL;
    }
}

/* Carries bytes from one end to the other. */
static bool our_carry(wshub_io_fake *from, wshub_conn a, wshub_io_fake *to, wshub_conn b) {
    static char bytes[65536];
    wshub_str out = wshub_io_fake_output(from, a);
    size_t n = out.len < sizeof bytes ? out.len : sizeof bytes;
    if (!n) return false;
    memcpy(bytes, out.ptr, n);
    wshub_io_fake_take(from, a, n);
    wshub_io_fake_input(to, b, bytes, n);
    return true;
}
static bool our_step_stream(our *o) {
    hub_site *s = o->at;
    bool busy;
    if (!s || sim.now < o->late_until) return false;
    busy = our_carry(ours.net, o->here, s->net, o->there);
    if (o->at) busy |= our_carry(s->net, o->there, ours.net, o->here);
    if (!o->at || busy) return busy;
    if (wshub_io_fake_is_open(ours.net, o->here) && wshub_io_fake_is_open(s->net, o->there))
        return false;
    our_stream_over(o);
    return true;
}

/* Answers who dials: the address begins with who it is. */
static bool our_answer(wshub_conn c, const char *address) {
    our *o = &ours.all[(address[0] - '0') % OURS];
    hub_site *s = &sim.hubs[rnd(sim.hubs_count)];
    wshub_conn there = {0};
    our_stream_over(o); /* of which it knows nothing any more */
    if (!s->leaving && rnd(8)) there = wshub_io_fake_open(s->net);
    if (there.id) {
        o->at = s;
        o->here = c;
        o->there = there;
    }
    if (o->slow && there.id) wshub_io_fake_window(ours.net, c, rnd(2000));
    wshub_io_fake_answer(ours.net, c, there.id != 0);
    return true;
}

static bool ours_deliver(void) {
    const char *address;
    wshub_conn c;
    bool busy = false;
    uint32_t i;
    wshub_io_fake_run(ours.net);
    while (sim.now >= ours.deaf_until && wshub_io_fake_dialled(ours.net, &c, &address))
        busy |= our_answer(c, address);
    for (i = 0; i < ours.count; i++) busy |= our_step_stream(&ours.all[i]);
    return busy;
}

/* When something of theirs happens by itself. */
static uint64_t ours_next(void) {
    uint64_t next = wshub_io_fake_deadline(ours.net);
    uint32_t i;
    if (ours.deaf_until > sim.now && ours.deaf_until < next) next = ours.deaf_until;
    for (i = 0; i < ours.count; i++) {
        uint64_t at = ours.all[i].late_until;
        if (at > sim.now && at < next) next = at;
    }
    return next;
}

/* ---- what they do, and what is done to them ---- */

static wshub_msg our_msg(const our *o, const char *event, char text[16]) {
    wshub_msg msg;
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z(event);
    msg.data.ptr = text;
    msg.data.len =
        (size_t)snprintf(text, 16, "%u", (uint32_t)(o - ours.all) * OUR_EACH + o->said + 1);
    return msg;
}
static void our_emit(our *o) {
    char text[16];
    wshub_msg msg = our_msg(o, "said", text);
    wshub_err err = wshub_ext_client_emit(o->client, &msg, false);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM || err == WSHUB_ERR_LIMIT);
    if (!err) o->said++;
}
static void our_ask_one(our *o) {
    our_ask *ask = &o->asked[rnd(OUR_ASKS)];
    char text[16];
    wshub_msg msg = our_msg(o, "ask", text);
    wshub_err err;
    if (ask->open) return;
    ask->of = o;
    ask->number = o->said + 1;
    ask->open = true;
    err = wshub_ext_client_request(o->client, &msg, 1 + rnd(8000), our_answered, ask);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM || err == WSHUB_ERR_LIMIT);
    if (err)
        ask->open = false;
    else
        o->said++;
}
static void our_move(our *o) {
    uint32_t r = rnd(5); /* those that the hub lets it into */
    wshub_str room = wshub_str_z(rooms[r]);
    wshub_err err = o->in[r] ? wshub_ext_client_leave(o->client, &room, 1)
                             : wshub_ext_client_join(o->client, &room, 1);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM || err == WSHUB_ERR_LIMIT);
    if (err) return;
    o->in[r] = !o->in[r];
    o->in_step[r] = sim.step;
    if (o->in[r]) o->was_in[r] = true;
}

static void our_fault(our *o) {
    sim.faults++;
    switch (rnd(7)) {
    case 0: (void)wshub_ext_client_drop(o->client); break;
    case 1: our_stream_over(o); break;
    case 2: o->late_until = sim.now + (rnd(3) ? rnd(3000) : rnd(70000)); break;
    case 3: ours.deaf_until = sim.now + rnd(12000); break;
    case 4:
        ours.memory.fail_at = rnd(2) ? 0 : 1 + (long)rnd(60);
        if (ours.memory.fail_at) ours_doubt(NULL);
        break;
    case 5: /* its stream takes little, or everything again */
        o->slow = !o->slow;
        if (o->at) wshub_io_fake_window(ours.net, o->here, o->slow ? rnd(300) : UINT64_MAX);
        break;
    default:
        o->leaves =
            wshub_ext_client_disconnect(o->client, 1000, wshub_str_z("for now")) == WSHUB_OK;
        break;
    }
}
static void ours_step(void) {
    our *o = &ours.all[rnd(ours.count)];
    switch (rnd(12)) {
    case 0:
    case 1: our_move(o); break;
    case 2:
        if (rnd(3) == 0) our_fault(o);
        break;
    default:
        if (o->asks)
            our_ask_one(o);
        else
            our_emit(o);
        break;
    }
}

/* The faults of theirs are over. */
static void ours_heal(void) {
    uint32_t i;
    ours.memory.fail_at = 0;
    ours.deaf_until = sim.now;
    for (i = 0; i < ours.count; i++) {
        our *o = &ours.all[i];
        o->late_until = sim.now;
        if (o->slow && o->at) wshub_io_fake_window(ours.net, o->here, UINT64_MAX);
        o->slow = false;
    }
}

/* None of them hangs: it has a stream, whose clock runs, or waits for its time. */
static void ours_check(void) {
    uint32_t i;
    for (i = 0; i < ours.count; i++) {
        our *o = &ours.all[i];
        wshub_ext_client_state state = wshub_ext_client_state_of(o->client);
        const wshub_ws__line *line;
        bool waits;
        if (o->leaves && state == WSHUB_EXT_CLIENT_IDLE) {
            o->leaves = false;
            EXPECT(wshub_ext_client_connect(o->client) == WSHUB_OK);
            state = wshub_ext_client_state_of(o->client);
        }
        line = wshub_ws__get(ours.pool, wshub_ext_client_ws(o->client).id);
        waits = state == WSHUB_EXT_CLIENT_WAITING ? o->client->timer.at != 0
                                                  : line && line->timer.at != 0;
        if (!waits) our_blame(o, "waits for nothing, in state", (uint32_t)state);
        EXPECT(waits);
    }
}

/* ---- the beginning and the end ---- */

static const wshub_ext_client_events our_events = {.connected = our_connected,
                                                   .connect_error = our_failed,
                                                   .authenticated = our_authenticated,
                                                   .disconnected = our_disconnected,
                                                   .event = our_heard};
static wshub_ext_client_desc our_descs[OURS];
static char our_urls[OURS][24], our_words[OURS][40];

static void our_begin(our *o, uint32_t i) {
    wshub_ext_client_desc *d = &our_descs[i];
    memset(d, 0, sizeof *d);
    o->asks = i % 2 == 1;
    o->user = rnd(2) ? (int)rnd(USERS) : -1;
    (void)snprintf(our_urls[i], sizeof our_urls[i], "ws://%u.ours/ws", i);
    (void)snprintf(our_words[i], sizeof our_words[i], "{\"how\":\"now\",\"user\":\"u%d\"}",
                   o->user);
    if (o->user < 0) (void)snprintf(our_words[i], sizeof our_words[i], "{\"how\":\"now\"}");
    d->ws.url = our_urls[i];
    d->ws.connect_timeout_ms = 5000;
    d->ws.idle_timeout_ms = 20000;
    d->auth = our_words[i];
    d->always = true;
    d->events = &our_events;
    d->buffer_bytes = rnd(3) ? 0 : 400;
    if (wshub_ext_client_create(ours.pool, d, o, &o->client)) abort();
    if (wshub_ext_client_subscribe(o->client, wshub_str_z("n"))) abort();
}
static void ours_begin(uint64_t seed) {
    wshub_io_fake_desc fd;
    wshub_ws_pool_desc pd;
    uint32_t i;
    memset(&ours, 0, sizeof ours);
    memset(&fd, 0, sizeof fd);
    memset(&pd, 0, sizeof pd);
    fd.seed = seed + 11;
    fd.start_ms = sim.now;
    fd.completion = rnd(2) == 0;
    fd.cut_bytes = rnd(2) ? 0 : 1 + rnd(40);
    fd.take_bytes = rnd(2) ? 0 : 1 + rnd(40);
    if (wshub_io_fake_create(&fd, &ours.net)) abort();
    pd.io = wshub_io_fake_io(ours.net);
    pd.alloc = memory_ours_alloc;
    pd.alloc_user = &ours.memory;
    if (wshub_ws_pool_create(&pd, &ours.pool)) abort();
    ours.count = 1 + rnd(OURS);
    for (i = 0; i < ours.count; i++) our_begin(&ours.all[i], i);
}

/* Healed, and time has passed: each is there, has said all, and is in its rooms and no other. */
static void our_settled(our *o) {
    wshub_client h = {0};
    uint32_t r;
    bool there =
        o->id[0] && o->at && wshub_client_find(o->at->hub, wshub_str_z(o->id), &h) == WSHUB_OK;
    if (!there)
        our_blame(o, "has not come back, state", (uint32_t)wshub_ext_client_state_of(o->client));
    EXPECT(there && wshub_ext_client_buffered(o->client) == 0);
    if (!o->asks && o->said != o->arrived && o->said > o->excused)
        our_blame(o, "has yet to say", 0);
    EXPECT(o->asks || o->said == o->arrived || o->said <= o->excused);
    for (r = 0; r < OUR_ASKS; r++) EXPECT(!o->asked[r].open);
    for (r = 0; there && r < 5; r++) {
        bool in = wshub_client_in_room(o->at->hub, h, wshub_str_z(rooms[r]));
        if (in != o->in[r]) our_blame(o, in ? "is in room" : "is not in room", r);
        EXPECT(in == o->in[r]);
    }
}
/* Where memory was out a hub has refused rooms: on another connection they are asked for again. */
static void ours_settle(void) {
    uint32_t i;
    ours_check();
    for (i = 0; i < ours.count; i++) (void)wshub_ext_client_drop(ours.all[i].client);
    pass(OUR_BACK_MS);
    for (i = 0; i < ours.count; i++) our_settled(&ours.all[i]);
}
/* They leave in order. */
static void ours_go(void) {
    uint32_t i;
    for (i = 0; i < ours.count; i++)
        (void)wshub_ext_client_disconnect(ours.all[i].client, 1000, wshub_str_z("bye"));
    pass(5000);
    for (i = 0; i < ours.count; i++) {
        EXPECT(wshub_ext_client_state_of(ours.all[i].client) == WSHUB_EXT_CLIENT_IDLE);
        EXPECT(!ours.all[i].at);
    }
}
/* Nothing of them is left. */
static void ours_end(void) {
    uint32_t i;
    for (i = 0; i < ours.count; i++) wshub_ext_client_destroy(ours.all[i].client);
    EXPECT(ours.connected == ours.lost && ours.accepted <= ours.connected);
    wshub_ws_pool_destroy(ours.pool);
    EXPECT(ours.memory.bytes == 0); /* to the byte */
    wshub_io_fake_destroy(ours.net);
}

#endif
