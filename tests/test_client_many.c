/* Clients of a hub and of Socket.IO, many times and many (backends/wshub_ext_client.h,
 * wshub_ext_client_socketio.h), with their server on the same fake io and the clock by hand: a
 * thousand reconnects lose nothing that was promised, and thousands are served in one process. What
 * an idle one costs is what the pool and the client have allocated, through the pool's allocator:
 * its WebSocket, its texts, and its share of all tables, but not the server's side of it and not
 * what the allocator itself adds. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "client_site.h"

enum { MANY = 10000 };
static site s;
static wshub *hub;
static int64_t last; /* of the numbers that the hub has been sent; each is one more */
static uint32_t heard, authenticated, joined;
static wshub_conn here[MANY], there[MANY];
static wshub_ext_client *clients[MANY];

static void on_authenticate(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    (void)wshub_auth_accept(h, ask, &who);
}
static void on_join(wshub *h, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    joined++;
    (void)wshub_join_accept(h, ask, join->rooms, join->rooms_count);
}
static wshub_err on_message(wshub *h, wshub_client c, const wshub_event *event, void *user) {
    wshub_msg msg;
    int64_t n = 0;
    (void)c;
    (void)user;
    if (wshub_str_eq_z(event->event, "n")) {
        EXPECT_INT(wshub_json_int(event->data, 1, 1000000, &n), WSHUB_OK);
        EXPECT_INT(n, last + 1);
        last = n;
    }
    memset(&msg, 0, sizeof msg);
    msg.event = event->event;
    msg.data = event->data;
    return wshub_room_send(h, wshub_str_z("lobby"), &msg, NULL, 0);
}
static void on_authenticated(wshub_ext_client *c, wshub_str id, wshub_str data, void *user) {
    (void)c;
    (void)id;
    (void)data;
    (void)user;
    authenticated++;
}
static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    (void)c;
    (void)event;
    (void)user;
    heard++;
}
static wshub_ext_client_events events;
static wshub_ext_client_desc desc;

static void start(void) {
    wshub_desc d;
    EXPECT(site_start(&s, false, NULL));
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(s.fake);
    d.on_authenticate = on_authenticate;
    d.on_join = on_join;
    d.on_message = on_message;
    d.no_log = true;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
    memset(&desc, 0, sizeof desc);
    events.authenticated = on_authenticated;
    events.event = on_event;
    desc.ws.url = "ws://hub/ws";
    desc.events = &events;
    desc.auth = "{}";
    last = 0;
    heard = authenticated = joined = 0;
}
static void open_client(int i) {
    wshub_str room = wshub_str_z("lobby");
    EXPECT_INT(wshub_ext_client_create(s.pool, &desc, NULL, &clients[i]), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_subscribe(clients[i], wshub_str_z("n")), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_join(clients[i], &room, 1), WSHUB_OK);
}
static size_t carry(wshub_conn from, wshub_conn to) {
    static char copy[100000];
    wshub_str out = wshub_io_fake_output(s.fake, from);
    if (!out.len || out.len > sizeof copy) return 0;
    memcpy(copy, out.ptr, out.len);
    wshub_io_fake_take(s.fake, from, out.len);
    wshub_io_fake_input(s.fake, to, copy, out.len);
    return out.len;
}
/* Carries bytes between the first `count` pairs until nobody says anything. */
static void pump(int count) {
    size_t moved = 1;
    int i;
    while (moved) {
        moved = 0;
        wshub_io_fake_hold(s.fake, true);
        for (i = 0; i < count; i++) moved += carry(here[i], there[i]) + carry(there[i], here[i]);
        wshub_io_fake_hold(s.fake, false);
        wshub_io_fake_run(s.fake);
    }
}
static void connect_one(int i) {
    here[i] = site_dialled(&s, NULL);
    there[i] = wshub_io_fake_open(s.fake);
    wshub_io_fake_answer(s.fake, here[i], true);
}
static int64_t emitted;
static void emit(void) {
    wshub_msg msg;
    char number[24];
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("n");
    (void)snprintf(number, sizeof number, "%d", (int)++emitted);
    msg.data = wshub_str_z(number);
    EXPECT_INT(wshub_ext_client_emit(clients[0], &msg, false), WSHUB_OK);
}

TEST(a_thousand_reconnects_lose_and_double_nothing_that_was_promised) {
    int i;
    start();
    emitted = 0;
    open_client(0);
    wshub_io_fake_run(s.fake);
    for (i = 0; i < 1000; i++) {
        emit();
        if (i % 5 == 4) { /* nobody answers; the next wait is longer */
            wshub_io_fake_answer(s.fake, site_dialled(&s, NULL), false);
            wshub_io_fake_advance(s.fake, 7500);
        }
        connect_one(0);
        pump(1);
        EXPECT_INT(authenticated, i + 1);
        EXPECT_INT(last, emitted); /* kept, and sent once, in order */
        EXPECT_INT(joined, i + 1); /* in its room again */
        emit();
        wshub_io_fake_run(s.fake);
        pump(1);
        EXPECT_INT(last, emitted);
        EXPECT_INT(heard, emitted);
        if (i % 3 == 0) EXPECT_INT(wshub_ext_client_drop(clients[0]), WSHUB_OK);
        if (i % 3 == 1) wshub_io_fake_end(s.fake, here[0]);
        if (i % 3 == 2) wshub_io_fake_half_close(s.fake, here[0]);
        wshub_io_fake_end(s.fake, there[0]);
        wshub_io_fake_run(s.fake);
        wshub_io_fake_forget(s.fake, here[0]);
        wshub_io_fake_forget(s.fake, there[0]);
        emit();
        wshub_io_fake_advance(s.fake, 7500);
    }
    EXPECT_INT(emitted, 3000);
    wshub_ext_client_destroy(clients[0]);
    wshub_destroy(hub);
    site_stop(&s);
}

TEST(ten_thousand_clients_in_one_process) {
    uint64_t before;
    int i;
    start();
    before = s.bytes;
    for (i = 0; i < MANY; i++) open_client(i);
    wshub_io_fake_hold(s.fake, true);
    wshub_io_fake_hold(s.fake, false);
    wshub_io_fake_run(s.fake);
    wshub_io_fake_hold(s.fake, true);
    for (i = 0; i < MANY; i++) connect_one(i);
    wshub_io_fake_hold(s.fake, false);
    wshub_io_fake_run(s.fake);
    pump(MANY);
    EXPECT_INT(authenticated, MANY);
    EXPECT_INT(joined, MANY);
    printf("  %d bytes of each idle client\n", (int)((s.bytes - before) / MANY));
    EXPECT_OP((s.bytes - before) / MANY, <=, 600); /* in a room, and subscribed to an event */
    emitted = 0;
    emit();
    wshub_io_fake_run(s.fake);
    pump(MANY);
    EXPECT_INT(heard, MANY);
    for (i = 0; i < MANY; i++) wshub_ext_client_destroy(clients[i]);
    wshub_destroy(hub);
    site_stop(&s);
}

/* ---- Socket.IO ---- */

enum { MANY_SIO = 2000 };
static wshub_sio *sio;
static wshub_sio_namespace main_space;
static wshub_sio_client *sio_clients[MANY_SIO];
static wshub_sio_socket *sio_sockets[MANY_SIO];
static wshub_sio_client_desc sio_desc;
static wshub_sio_socket_desc space_desc;
static uint32_t connected, recovered, twice;
static int64_t told; /* of the numbers that the server has emitted; each is one more */

/* The first argument of an event. */
static int64_t number_of(const wshub_sio_event *event) {
    int64_t n = 0;
    EXPECT(event->args_count > 0);
    EXPECT_INT(wshub_json_int(event->args[0], 1, 1000000, &n), WSHUB_OK);
    return n;
}
/* The server's side: each number, in order, once or more often; all are acknowledged. */
static void on_sio_event(wshub_sio *of, wshub_client c, const wshub_sio_event *event, void *user) {
    int64_t n = number_of(event);
    (void)c;
    (void)user;
    EXPECT(n == last || n == last + 1);
    if (n == last) twice++;
    last = n;
    EXPECT_INT(wshub_sio_answer(of, event->ack, NULL), WSHUB_OK);
}
static void on_connected(wshub_sio_socket *of, wshub_str id, bool again, void *user) {
    (void)of;
    (void)id;
    (void)user;
    connected++;
    if (again) recovered++;
}
static void on_told(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    (void)of;
    (void)user;
    heard++;
    EXPECT_INT(number_of(event), told);
}
/* Of what is missed while a client is away, in order. */
static void on_told_late(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    (void)of;
    (void)user;
    heard++;
    EXPECT_INT(number_of(event), heard);
}
static void start_sio(wshub_sio_socket_events *to) {
    static wshub_sio_namespace_desc space;
    wshub_sio_desc d;
    start();
    memset(&d, 0, sizeof d);
    d.recovery_ms = 120000;
    EXPECT_INT(wshub_sio_create(hub, &d, &sio), WSHUB_OK);
    memset(&space, 0, sizeof space);
    space.on_event = on_sio_event;
    EXPECT_INT(wshub_sio_namespace_add(sio, &space, &main_space), WSHUB_OK);
    memset(&sio_desc, 0, sizeof sio_desc);
    memset(&space_desc, 0, sizeof space_desc);
    sio_desc.ws.url = "http://hub";
    to->connected = on_connected;
    space_desc.events = to;
    connected = recovered = twice = 0;
    told = emitted = 0;
}
static void stop_sio(int count) {
    int i;
    for (i = 0; i < count; i++) wshub_sio_client_destroy(sio_clients[i]);
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    site_stop(&s);
}
static void open_sio(int i) {
    EXPECT_INT(wshub_sio_client_create(s.pool, &sio_desc, NULL, &sio_clients[i]), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_create(sio_clients[i], &space_desc, NULL, &sio_sockets[i]),
               WSHUB_OK);
}
/* A number as the only argument of `n`. */
static void number_packet(wshub_packet *packet, wshub_str *arg, char text[24], int64_t n) {
    (void)snprintf(text, 24, "%d", (int)n);
    *arg = wshub_str_z(text);
    memset(packet, 0, sizeof *packet);
    packet->event = wshub_str_z("n");
    packet->args = arg;
    packet->args_count = 1;
}
static void emit_sio(void) {
    wshub_packet packet;
    wshub_str arg;
    char text[24];
    number_packet(&packet, &arg, text, ++emitted);
    EXPECT_INT(wshub_sio_socket_emit(sio_sockets[0], &packet), WSHUB_OK);
}
static void tell_all(void) {
    wshub_packet packet;
    wshub_str arg;
    char text[24];
    number_packet(&packet, &arg, text, ++told);
    EXPECT_INT(wshub_sio_emit(sio, main_space, NULL, &packet), WSHUB_OK);
    wshub_io_fake_run(s.fake);
}
/* The connection ends, in one of three ways, and the server knows. */
static void cut_sio(int i) {
    if (i % 3 == 0) EXPECT_INT(wshub_sio_client_drop(sio_clients[0]), WSHUB_OK);
    if (i % 3 == 1) wshub_io_fake_end(s.fake, here[0]);
    if (i % 3 == 2) wshub_io_fake_half_close(s.fake, here[0]);
    wshub_io_fake_end(s.fake, there[0]);
    wshub_io_fake_run(s.fake);
    wshub_io_fake_forget(s.fake, here[0]);
    wshub_io_fake_forget(s.fake, there[0]);
}

TEST(a_thousand_reconnects_of_socket_io_lose_nothing_that_was_promised) {
    static wshub_sio_socket_events to;
    int i;
    to.event = on_told_late;
    start_sio(&to);
    space_desc.retries = 100;
    open_sio(0);
    wshub_io_fake_run(s.fake);
    for (i = 0; i < 1000; i++) {
        emit_sio();
        if (i % 5 == 4) { /* nobody answers; the next wait is longer */
            wshub_io_fake_answer(s.fake, site_dialled(&s, NULL), false);
            wshub_io_fake_advance(s.fake, 7500);
        }
        connect_one(0);
        pump(1);
        EXPECT_INT(connected, i + 1);
        EXPECT_INT(recovered, i); /* as the one that it was */
        EXPECT_INT(last, emitted);
        EXPECT_INT(wshub_sio_socket_buffered(sio_sockets[0]), 0);
        EXPECT_INT(heard, told); /* what it has missed, each once and in order */

        tell_all();
        emit_sio();
        wshub_io_fake_run(s.fake);
        pump(1);
        EXPECT_INT(heard, told);
        EXPECT_INT(last, emitted);
        emit_sio();
        wshub_io_fake_run(s.fake);
        if (i % 2) (void)carry(here[0], there[0]); /* it arrives, and its answer does not */
        cut_sio(i);
        tell_all();
        emit_sio();
        wshub_io_fake_advance(s.fake, 7500);
    }
    EXPECT_INT(emitted, 4000);
    EXPECT_INT(last, 3999); /* but for the last one, which waits */
    EXPECT_INT(twice, 499); /* those whose answers were lost are said twice, and no others */
    stop_sio(1);
}

TEST(two_thousand_clients_of_socket_io_in_one_process) {
    static wshub_sio_socket_events to;
    uint64_t before;
    int i;
    to.event = on_told;
    start_sio(&to);
    before = s.bytes;
    for (i = 0; i < MANY_SIO; i++) open_sio(i);
    wshub_io_fake_run(s.fake);
    wshub_io_fake_hold(s.fake, true);
    for (i = 0; i < MANY_SIO; i++) connect_one(i);
    wshub_io_fake_hold(s.fake, false);
    wshub_io_fake_run(s.fake);
    pump(MANY_SIO);
    EXPECT_INT(connected, MANY_SIO);
    printf("  %d bytes of each idle client of Socket.IO\n", (int)((s.bytes - before) / MANY_SIO));
    EXPECT_OP((s.bytes - before) / MANY_SIO, <=, 600); /* with what its recovery needs */
    tell_all();
    pump(MANY_SIO);
    EXPECT_INT(heard, MANY_SIO);
    stop_sio(MANY_SIO);
}
