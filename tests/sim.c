/* Several hubs, a broker, an emitter and many clients in one thread and one virtual time,
 * driven by one seed: links that break, lag and go silent, a broker that dies, is mute or deaf,
 * streams that take little, allocations that fail, clocks that jump, answers that come late,
 * twice or never, an application that joins, leaves, sends, closes and ends its hub inside
 * callbacks. A model made from the rules of wshub.h, not from the code (tests/sim_model.h), says of each
 * message which client must have it, which may and which must not, and in which order; which
 * streams may be ended and when they must be; what a hub may hold for whom. Some clients say who
 * they are at their upgrade, and are accepted at once, later or never (AUTH-8); hubs talk to each
 * other on channels of the application (APP-1, tests/sim_apps.h). Messages several times as long
 * as a stream may owe, turns that publish many times what the queue keeps for outages, laggards,
 * listeners, processes that were stopped; HTTP beside it all (tests/sim_http.h); clients of our own,
 * which come back by themselves, with what they have promised (tests/sim_ours.h). Indexes check
 * themselves after every step; ten seconds after the last fault everything works again.
 *
 *     build/sim [SEEDS [HOURS]]       seeds 1 to SEEDS, so many simulated hours each (100, 0.25)
 *     build/sim --seed N [HOURS]      one seed; a failure is shrunk to the steps that it takes
 *     build/sim --seed N HOURS --only 3,17,40
 *
 * Each seed ends with a hash of all that clients heard, which no compiler, level or word size may
 * change. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "wshub_ext_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim_model.h"
#include "sim_peers.h"
#include "sim_apps.h"

static void quiet(void);
static void pass(uint64_t ms);
#include "sim_ours.h"

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
    busy |= ours_deliver();
    return busy;
}
static void quiet(void) {
    int i;
    for (i = 0; i < 300 && deliver(); i++) {
    }
    EXPECT(i < 300); /* nobody keeps the others busy for ever */
    apps_check();
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
        at = ours_next();
        if (at > sim.now && at < next) next = at;
        ms = next - sim.now;
        sim.now = next;
        for (i = 0; i < sim.hubs_count; i++)
            wshub_io_fake_advance(sim.hubs[i].net, next - wshub_io_fake_now(sim.hubs[i].net));
        wshub_io_fake_advance(sim.emitter.net, next - wshub_io_fake_now(sim.emitter.net));
        wshub_io_fake_advance(ours.net, next - wshub_io_fake_now(ours.net));
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
        ours_check_heard(s, m, well);
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
    for (i = 0; i < ours.count; i++) {
        if (ours.all[i].at == s && !ours.all[i].sure)
            owed += (s->index == 2 ? 2u : 1u) * (LARGE + 600u);
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
    ours_heal();
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
    switch (rnd(30)) {
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
    case 21:
    case 22:
        if (!s->asleep && !s->leaving) app_say(s);
        break;
    case 23:
        if (!s->asleep && !s->leaving && rnd(4) == 0) app_turn(s, rnd(APP_CHANNELS));
        break;
    default:
        if (s->asleep || s->leaving) break;
        if (rnd(60))
            check_now(s);
        else
            retire(s);
        break;
    }
    if (rnd(3) == 0) ours_step();
    quiet();
    pass(rnd(40) == 0 ? rnd(60000) : rnd(8) == 0 ? rnd(5000) : rnd(300));
    for (r = 0; r < (int)sim.hubs_count; r++) retired(&sim.hubs[r]);
    self_check();
    ours_check();
    for (r = 0; r < (int)sim.hubs_count; r++) check_bounds(&sim.hubs[r]);
}

static void begin(uint64_t seed) {
    uint32_t i;
    wshub_bus_redis_desc rd;
    wshub_emitter_desc ed;
    memset(&sim, 0, sizeof sim);
    memset(&http, 0, sizeof http);
    memset(&apps, 0, sizeof apps);
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
    ours_begin(seed);
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
    ours_settle();
    self_check();
    sim.ending = true;
    ours_go();
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
    ours_end();
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
    uint64_t ours_there = 0, ours_heard = 0, ours_said_all = 0;
    double start = seconds(), simulated = 0;
    for (seed = first; seed <= last && !failures; seed++) {
        (void)play(seed, hours, only);
        simulated += (double)(sim.now - 1000) / 3600000;
        heard += sim.heard;
        sent += sim.sent;
        checks += sim.checks;
        faults += sim.faults;
        connects += sim.connects;
        ours_there += ours.accepted;
        ours_heard += ours.heard;
        ours_said_all += ours.arrived;
        hash = (hash ^ sim.hash) * UINT64_C(0x100000001B3);
    }
    (void)printf("  %llu seeds, %.1f simulated hours in %.1f s, %.0f times real time; %llu "
                 "connects, %llu messages sent, %llu heard, %llu of them checked for who must, "
                 "%llu faults; trace %016llx\n",
                 (unsigned long long)(seed - first), simulated, seconds() - start,
                 simulated * 3600 / (seconds() - start), (unsigned long long)connects,
                 (unsigned long long)sent, (unsigned long long)heard, (unsigned long long)checks,
                 (unsigned long long)faults, (unsigned long long)hash);
    (void)printf("  of our own clients: %llu times accepted, %llu messages said, %llu heard\n",
                 (unsigned long long)ours_there, (unsigned long long)ours_said_all,
                 (unsigned long long)ours_heard);
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
