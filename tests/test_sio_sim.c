/* Socket.IO against a model, by seeds: some clients that poll, post, abort, overlap, move to a
 * WebSocket or try to, cut what they send at any byte, use ids that are nobody's, come again; and
 * an application that sends, asks, answers, refuses, disconnects and shuts down, outside and inside
 * its callbacks. The model knows of each session what it has to hear, message by message and in
 * order, whatever carries it: what is heard is the beginning of that, and where the session is open
 * and nothing waits, all of it (2.4, 2.6). What a client says is heard once and in its order, each
 * ask is told of once, each socket goes once, and at the end nothing is left. Clients of our own
 * are among them, which come back by themselves (tests/sio_sim_ours.h).
 *
 * WSHUB_SIO_SEEDS: how many seeds, for a campaign; WSHUB_SIO_SEED: from which, or that one. */
#include "sio_sim_app.h"
#include "sio_sim_clients.h"

static void begin(void) {
    static const wshub_sio_flow flow = {.auth_timeout_ms = 3000, .ping_interval_ms = 700};
    wshub_sio_desc d;
    wshub_io_fake_desc fd = io_kind((int)any_of(IO_KINDS));
    unsigned i;
    memset(&s, 0, sizeof s);
    memset(&d, 0, sizeof d);
    memset(pending, 0, sizeof pending);
    memset(acks, 0, sizeof acks);
    memset(auths, 0, sizeof auths);
    sockets_count = 0;
    asks_count = said = 0;
    down = false;
    fd.take_bytes = any_of(3) ? 0 : 1 + any_of(40);
    world_start(&s.w, DESC(.on_authenticate = on_authenticate, .on_join = on_join), fd);
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    d.engine.ping_interval_ms = 400 + any_of(3000);
    d.engine.ping_timeout_ms = 300 + any_of(3000);
    d.engine.upgrade_timeout_ms = 200 + any_of(2000);
    d.engine.session_bytes_max = any_of(3) ? 0 : 600;
    d.engine.sessions_max = any_of(6) ? 0 : 4;
    d.connect_timeout_ms = 500 + any_of(4000);
    d.attachments_timeout_ms = 200;
    d.acks_per_socket_max = any_of(3) ? 0 : 2;
    d.on_session_closed = on_session_closed;
    MUST(wshub_sio_create(s.w.hub, &d, &sio) == WSHUB_OK);
    for (i = 0; i < SPACES; i++) {
        wshub_sio_namespace_desc space = {.on_connected = on_connected,
                                          .on_packet = on_packet,
                                          .on_event = on_event,
                                          .on_disconnecting = on_disconnecting,
                                          .on_disconnected = on_disconnected,
                                          .on_error = on_error};
        space.name = names[i];
        if (i == 1) space.on_connect = on_connect;
        if (i == 2) space.matches = on_matches;
        if (i == 3) continue;
        if (i == 4) space.flow = &flow;
        MUST(wshub_sio_namespace_add(sio, &space, NULL) == WSHUB_OK);
    }
}

/* All that is open polls until nothing waits; then it has heard all that was due. */
static void drain(void) {
    int i, n;
    for (i = 0; i < SLOTS; i++) {
        slot *at = &slots[i];
        drop(&at->up);
        look();
        for (n = 0; n < 4 && (at->mode == POLLS || at->mode == TRIES) && !at->held; n++) {
            client_polls(at);
            look();
        }
        if (at->mode == NOTHING || !is_open(at) || at->heard == at->due_count) continue;
        (void)printf("  seed %u: client %d (%d, %s) has yet to hear %s\n", (unsigned)seed, i,
                     (int)at->mode, at->held ? "held" : "not held", at->due[at->heard].bytes);
        MUST(at->heard == at->due_count);
    }
}

static void end(void) {
    wshub *hub = s.w.hub;
    wshub_eio_stats f;
    wshub_sio_stats st;
    unsigned i;
    depth = 9; /* nothing more is done */
    for (i = 0; i < SLOTS; i++) begin_anew(&slots[i]);
    ours_settle();
    if (any_of(2)) (void)wshub_shutdown(s.w.hub);
    ours_pump();
    ours_end();
    wshub_io_fake_advance(s.w.net, 60000);
    wshub_eio_stats_get(wshub_sio_engine(sio), &f);
    wshub_sio_stats_get(sio, &st);
    MUST(f.sessions == 0 && f.polling == 0 && st.sockets == 0 && st.acks_pending == 0);
    MUST(wshub_sio_engine(sio)->held == 0);
    for (i = 0; i < (unsigned)sockets_count; i++) MUST(!sockets[i].there);
    for (i = 0; i < asks_count; i++) MUST(asks_open[i] == 2);
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
    depth = 0;
}

static uint64_t moved, told_in_all, opened;
static void run(uint32_t from) {
    wshub_eio_stats f;
    int step;
    seed = from;
    any_seed = from * 2654435761u + 1;
    (void)any_of(2), (void)any_of(2);
    begin();
    ours_begin();
    for (step = 0; step < STEPS; step++) {
        if (any_of(5) == 0) {
            act();
            wshub_io_fake_run(s.w.net);
        } else if (any_of(6) == 0) {
            pass(any_of(6) ? any_of(120) : any_of(2500));
        } else if (any_of(4) == 0) {
            ours_step();
        } else {
            client_steps(&slots[any_of(SLOTS)]);
        }
        look();
        ours_pump();
        if (step % 100 == 99) {
            drain();
            ours_drain();
        }
    }
    wshub_eio_stats_get(wshub_sio_engine(sio), &f);
    moved += f.upgraded;
    opened += f.opened;
    told_in_all += said;
    end();
}

TEST(
    sessions_hear_what_a_model_says_whatever_they_and_the_application_do) { /* 2.4, 2.6, 3.2, 3.3 */
    const char *many = getenv("WSHUB_SIO_SEEDS"), *one = getenv("WSHUB_SIO_SEED");
    uint32_t first = one ? (uint32_t)atol(one) : 1,
             count = many ? (uint32_t)atol(many) : 300 / test_stride(5), i;
    if (one && !many) count = 1;
    for (i = 0; i < count; i++) run(first + i);
    (void)printf("  %u seeds: %llu sessions, %llu moved, %llu things said\n", (unsigned)count,
                 (unsigned long long)opened, (unsigned long long)moved,
                 (unsigned long long)told_in_all);
    (void)printf("  of our own clients: %llu times connected, %llu said, %llu heard\n",
                 (unsigned long long)ours_connected, (unsigned long long)ours_arrived,
                 (unsigned long long)ours_heard);
    EXPECT(one || (opened > 5 * count && moved > count / 2 && told_in_all > 20 * count));
}
