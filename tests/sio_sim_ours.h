/* For tests/test_sio_sim.c: clients of our own (backends/wshub_ext_client_socketio.h) beside those that
 * it plays, over whatever may carry them. They are a machine of their own; streams between are late,
 * cut and refused, and their memory fails. The model: a socket hears what it was sent, number by number,
 * as far as its session lasts; what `/` emits arrives once and in order, and lost is only what had left
 * when it was disconnected; what `/n1` promises arrives, each at least once and in order; `/flow` is who
 * it was and in its rooms again. None hangs: it wants nothing, or waits for a time. */
#ifndef SIO_SIM_OURS_H
#define SIO_SIM_OURS_H
#include "memory_ours.h"
#include "sio_sim_model.h"

enum { OURS = 2, OUR_SPACES = 3, OUR_STREAMS = 32, OUR_EACH = 1000000 };

typedef struct our_stream {
    wshub_conn here, there; /* {0}: there is none */
    unsigned of;
    uint64_t late_until; /* it carries nothing until then */
} our_stream;

typedef struct our {
    wshub_sio_client *client;
    wshub_sio_socket *socks[OUR_SPACES]; /* `/`, `/n1` and `/flow` */
    bool is_connected[OUR_SPACES];
    /* Numbers of what `/` and `/n1` have emitted: the last one; the last that has arrived; up to
     * which they had left when it was disconnected. */
    unsigned said[2], arrived[2], excused;
} our;

static struct ours {
    wshub_io_fake *net;
    wshub_ws_pool *pool;
    our all[OURS];
    unsigned count;
    our_stream streams[OUR_STREAMS];
    memory_ours memory;
    uint64_t deaf_until;
    bool settles; /* nothing goes wrong any more */
} ours;
static uint64_t ours_connected, ours_arrived, ours_heard;

static unsigned our_space(const our *o, const wshub_sio_socket *sock) {
    unsigned i = 0;
    while (i < OUR_SPACES && o->socks[i] != sock) i++;
    MUST(i < OUR_SPACES);
    return i;
}

/* ---- what they are told ---- */

static void our_connected(wshub_sio_socket *sock, wshub_str id, bool recovered, void *user) {
    our *o = (our *)user;
    unsigned i = our_space(o, sock);
    MUST(!o->is_connected[i] && id.len && !recovered);
    o->is_connected[i] = true;
    ours_connected++;
}
static void our_disconnected(wshub_sio_socket *sock, const char *reason, bool again, void *user) {
    our *o = (our *)user;
    unsigned i = our_space(o, sock), left;
    (void)again;
    MUST(o->is_connected[i] && *reason);
    o->is_connected[i] = false;
    if (i) return;
    left = o->said[0] - (unsigned)wshub_sio_socket_buffered(sock);
    if (left > o->excused) o->excused = left;
}
static void our_refused(wshub_sio_socket *sock, const wshub_sio_connect_error *error, void *user) {
    const our *o = (const our *)user;
    MUST(!o->is_connected[our_space(o, sock)] && error->message.len);
}

static socket_of *our_socket_of(wshub_str id) {
    int i;
    for (i = 0; i < sockets_count; i++) {
        if (wshub_str_eq_z(id, sockets[i].id)) return &sockets[i];
    }
    return NULL;
}
/* Is this the next that was due to a socket? */
static bool our_is_due(const socket_of *socket, const wshub_sio_event *e) {
    uint64_t number = 0;
    wshub_span bytes;
    unsigned want;
    if (!socket || socket->at || socket->heard == socket->due_count) return false;
    want = socket->due[socket->heard];
    if (!e->attachments_count) return wshub_json_uint(e->args[0], &number) && number == want;
    return wshub_sio_bytes(e->attachments, e->attachments_count, e->args[0], &bytes) &&
           bytes.len == want % 400;
}
/* It is the next that was due to it, and nothing that was under way to who it was before, where a
 * namespace was left and taken again on one connection. */
static void our_heard(wshub_sio_socket *sock, const wshub_sio_event *e, void *user) {
    socket_of *socket = our_socket_of(wshub_sio_socket_id(sock));
    if (our_space((const our *)user, sock) == 2) return; /* of the flow */
    ours_heard++;
    MUST(e->args_count == 1 && our_is_due(socket, e));
    socket->heard++;
    if (e->ack.id && any_of(3)) {
        wshub_packet packet;
        memset(&packet, 0, sizeof packet);
        (void)wshub_sio_socket_answer(sock, e->ack, &packet);
    }
}
static const wshub_sio_socket_events our_events = {.connected = our_connected,
                                                   .connect_error = our_refused,
                                                   .disconnected = our_disconnected,
                                                   .event = our_heard};

/* ---- what the server is told of them ---- */

static void ours_said(const socket_of *socket, uint64_t number, wshub_sio_ack ack) {
    our *o = &ours.all[number / OUR_EACH % OURS];
    unsigned n = (unsigned)(number % OUR_EACH), i = socket->space ? 1 : 0, at = o->arrived[i];
    bool now = wshub_str_eq_z(wshub_sio_socket_id(o->socks[i]), socket->id);
    wshub_packet none;
    memset(&none, 0, sizeof none);
    MUST(n && n <= o->said[i]);
    ours_arrived++;
    if (i) { /* promised: perhaps again, but never ahead of another one */
        MUST(n <= at + 1);
        if (n > at) o->arrived[1] = n;
        if (ours.settles || any_of(4)) (void)wshub_sio_answer(sio, ack, &none);
        return;
    }
    MUST(n > at && (n == at + 1 || n - 1 <= o->excused) && (now || n <= o->excused));
    o->arrived[0] = n;
}
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    (void)wshub_join_accept(hub, ask, join->rooms, join->rooms_count);
}

/* ---- their streams ---- */

static void our_stream_over(our_stream *stream) {
    if (!stream->here.id) return;
    wshub_io_fake_end(ours.net, stream->here);
    wshub_io_fake_forget(ours.net, stream->here);
    wshub_io_fake_end(s.w.net, stream->there);
    wshub_io_fake_forget(s.w.net, stream->there);
    memset(stream, 0, sizeof *stream);
}
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
static bool our_stream_step(our_stream *at) {
    bool busy;
    if (!at->here.id || wshub_io_fake_now(ours.net) < at->late_until) return false;
    busy = our_carry(ours.net, at->here, s.w.net, at->there);
    busy |= our_carry(s.w.net, at->there, ours.net, at->here);
    if (busy ||
        (wshub_io_fake_is_open(ours.net, at->here) && wshub_io_fake_is_open(s.w.net, at->there)))
        return busy;
    our_stream_over(at);
    return true;
}
static bool our_answer(void) {
    const char *address;
    our_stream *at = ours.streams;
    wshub_conn c;
    if (wshub_io_fake_now(ours.net) < ours.deaf_until ||
        !wshub_io_fake_dialled(ours.net, &c, &address))
        return false;
    while (at < ours.streams + OUR_STREAMS && at->here.id) at++;
    MUST(at < ours.streams + OUR_STREAMS);
    at->of = (unsigned)(address[0] - '0');
    if (ours.settles || any_of(8)) at->there = wshub_io_fake_open(s.w.net);
    if (at->there.id) at->here = c;
    wshub_io_fake_answer(ours.net, c, at->there.id != 0);
    return true;
}
/* Carries until nobody says anything. */
static void ours_pump(void) {
    bool busy = true;
    unsigned i, rounds;
    for (rounds = 0; busy; rounds++) {
        MUST(rounds < 2000); /* nobody keeps the others busy for ever */
        wshub_io_fake_run(ours.net);
        busy = our_answer();
        for (i = 0; i < OUR_STREAMS; i++) busy |= our_stream_step(&ours.streams[i]);
    }
}
/* When the next thing happens by itself, at most so many ms from now. */
static uint64_t ours_sooner(uint64_t ms) {
    uint64_t now = wshub_io_fake_now(ours.net), next[3], i, k;
    for (i = 0; i <= OUR_STREAMS; i++) {
        next[0] = wshub_io_fake_deadline(ours.net);
        next[1] = wshub_io_fake_deadline(s.w.net);
        next[2] = i < OUR_STREAMS ? ours.streams[i].late_until : ours.deaf_until;
        for (k = 0; k < 3; k++)
            if (next[k] > now && next[k] - now < ms) ms = next[k] - now;
    }
    return ms;
}
static void pass(uint64_t ms) {
    uint64_t step;
    for (; ms; ms -= step) {
        step = ours_sooner(ms);
        wshub_io_fake_advance(s.w.net, step);
        wshub_io_fake_advance(ours.net, step);
        ours_pump();
    }
}

/* ---- what they do, and what is done to them ---- */

static void our_emit(our *o) {
    unsigned i = any_of(2);
    char text[24];
    wshub_str args[2];
    wshub_packet packet;
    wshub_err err;
    memset(&packet, 0, sizeof packet);
    (void)snprintf(text, sizeof text, "%u", (unsigned)(o - ours.all) * OUR_EACH + o->said[i] + 1);
    args[0] = wshub_str_z(text);
    args[1] = wshub_str_z("0");
    packet.event = wshub_str_z("e");
    packet.args = args;
    packet.args_count = 2;
    o->said[i]++; /* it may arrive before this returns */
    err = wshub_sio_socket_emit(o->socks[i], &packet);
    MUST(!err || err == WSHUB_ERR_NOMEM || err == WSHUB_ERR_LIMIT);
    if (err) o->said[i]--;
}
static void our_fault(our *o) {
    our_stream *stream = &ours.streams[any_of(OUR_STREAMS / 4)];
    uint64_t now = wshub_io_fake_now(ours.net);
    switch (any_of(7)) {
    case 0: (void)wshub_sio_client_drop(o->client); break;
    case 1: our_stream_over(stream); break;
    case 2:
        if (stream->here.id) stream->late_until = now + any_of(4000);
        break;
    case 3: ours.deaf_until = now + any_of(9000); break;
    case 4: ours.memory.fail_at = 1 + (long)any_of(60); break;
    case 5: ours.memory.fail_at = 0; break;
    default: (void)wshub_sio_socket_disconnect(o->socks[any_of(OUR_SPACES)]); break;
    }
}
/* Who was put out comes back when it is asked to. */
static void our_come(our *o) {
    unsigned i;
    for (i = 0; i < OUR_SPACES; i++) {
        if (wshub_sio_socket_state_of(o->socks[i]) == WSHUB_SIO_SOCKET_IDLE)
            (void)wshub_sio_socket_connect(o->socks[i]);
    }
}
static void ours_check(void) {
    unsigned i, k;
    for (i = 0; i < ours.count; i++) {
        our *o = &ours.all[i];
        bool wants = false;
        for (k = 0; k < OUR_SPACES; k++)
            wants |= wshub_sio_socket_state_of(o->socks[k]) != WSHUB_SIO_SOCKET_IDLE;
        MUST(!wants || o->client->timer.at != 0);
        MUST(wants || wshub_sio_client_state_of(o->client) == WSHUB_SIO_CLIENT_IDLE ||
             o->client->timer.at != 0);
    }
}
static void ours_step(void) {
    our *o = &ours.all[any_of(ours.count)];
    if (any_of(3)) our_emit(o);
    if (any_of(12) == 0) our_fault(o);
    if (any_of(6) == 0) our_come(o);
    ours_pump();
    ours_check();
}

/* What was due to who is connected has been heard, once nothing stands between. */
static void ours_drain(void) {
    unsigned i, k;
    ours.memory.fail_at = 0;
    ours.deaf_until = 0;
    for (i = 0; i < OUR_STREAMS; i++) ours.streams[i].late_until = 0;
    ours_pump();
    for (i = 0; i < ours.count; i++) {
        for (k = 0; k < 2; k++) {
            wshub_sio_socket *sock = ours.all[i].socks[k];
            const socket_of *socket = our_socket_of(wshub_sio_socket_id(sock));
            if (wshub_sio_socket_state_of(sock) != WSHUB_SIO_SOCKET_CONNECTED) continue;
            MUST(socket && (!is_there(socket) || socket->heard == socket->due_count));
        }
    }
}

/* ---- the beginning and the end ---- */

static void our_begin(our *o, unsigned which) {
    static wshub_sio_client_desc descs[OURS];
    static char urls[OURS][16];
    static const wshub_sio_socket_desc space[OUR_SPACES] = {
        {.events = &our_events},
        {.name = "/n1", .events = &our_events, .retries = 1000000, .ack_timeout_ms = 2000},
        {.name = "/flow", .events = &our_events, .helper = true, .auto_auth = true}};
    wshub_sio_client_desc *d = &descs[which];
    wshub_str room = wshub_str_z("red");
    unsigned i;
    memset(d, 0, sizeof *d);
    (void)snprintf(urls[which], sizeof urls[which], "http://%u.ours", which);
    d->ws.url = urls[which];
    d->ws.connect_timeout_ms = 4000;
    d->transports = (wshub_eio_transports)any_of(3);
    d->join_timeout_ms = 3000;
    d->buffer_bytes = any_of(3) ? 0 : 200;
    MUST(wshub_sio_client_create(ours.pool, d, o, &o->client) == WSHUB_OK);
    for (i = 0; i < OUR_SPACES; i++)
        MUST(wshub_sio_socket_create(o->client, &space[i], o, &o->socks[i]) == WSHUB_OK);
    MUST(wshub_sio_socket_join(o->socks[2], &room, 1) == WSHUB_OK);
}
static void ours_begin(void) {
    wshub_io_fake_desc fd = io_kind((int)any_of(IO_KINDS));
    wshub_ws_pool_desc pd;
    unsigned i;
    memset(&ours, 0, sizeof ours);
    memset(&pd, 0, sizeof pd);
    fd.seed = seed;
    fd.take_bytes = any_of(3) ? 0 : 1 + any_of(40);
    MUST(wshub_io_fake_create(&fd, &ours.net) == WSHUB_OK);
    pd.io = wshub_io_fake_io(ours.net);
    pd.alloc = memory_ours_alloc;
    pd.alloc_user = &ours.memory;
    MUST(wshub_ws_pool_create(&pd, &ours.pool) == WSHUB_OK);
    ours.count = 1 + seed % OURS;
    for (i = 0; i < ours.count; i++) our_begin(&ours.all[i], i);
}

/* Is it there, has said all, and is in its room? */
static bool our_is_settled(const our *o) {
    wshub_sio_namespace flow = wshub_sio_of(sio, names[4]);
    wshub_client c;
    unsigned k;
    for (k = 0; k < OUR_SPACES; k++) {
        if (wshub_sio_socket_state_of(o->socks[k]) != WSHUB_SIO_SOCKET_CONNECTED ||
            wshub_sio_socket_buffered(o->socks[k]))
            return false;
    }
    return (o->arrived[0] == o->said[0] || o->said[0] <= o->excused) &&
           o->arrived[1] == o->said[1] &&
           wshub_sio_socket_auth_of(o->socks[2]) == WSHUB_SIO_SOCKET_AUTHENTICATED &&
           !wshub_client_find_in(s.w.hub, wshub_sio_namespace_realm(sio, flow),
                                 wshub_sio_socket_id(o->socks[2]), &c) &&
           wshub_client_in_room(s.w.hub, c, wshub_str_z("red"));
}
/* Nothing goes wrong any more: in a minute all of them are. */
static void ours_settle(void) {
    unsigned i, n;
    bool all = false;
    ours.settles = true;
    ours_drain();
    for (n = 0; n < 60 && !all && !down; n++) {
        for (i = 0; i < ours.count; i++) our_come(&ours.all[i]); /* who was put out */
        pass(1000);
        for (all = true, i = 0; i < ours.count; i++) all = all && our_is_settled(&ours.all[i]);
    }
    MUST(all || down);
    ours_drain();
}
static void ours_end(void) {
    unsigned i;
    for (i = 0; i < ours.count; i++) wshub_sio_client_destroy(ours.all[i].client);
    for (i = 0; i < OUR_STREAMS; i++) our_stream_over(&ours.streams[i]);
    wshub_ws_pool_destroy(ours.pool);
    MUST(ours.memory.bytes == 0);
    wshub_io_fake_destroy(ours.net);
}
#endif /* SIO_SIM_OURS_H */
