/* What the hub and an application learn about a stream: what its io knows, whenever it is
 * asked, and nothing that is not so. */
#define _GNU_SOURCE
#include "hubtest.h"

static const uint8_t der[] = {0x30, 0x03, 0x02, 0x01, 0x07};

/* As TLS over sockets would speak of a client that has shown a certificate. */
static wshub_about secure_stream(void) {
    wshub_about a;
    memset(&a, 0, sizeof a);
    a.listener = wshub_str_z("public");
    a.local = wshub_str_z("192.0.2.1:443");
    a.peer = wshub_str_z("[2001:db8::7]:50123");
    a.secure = true;
    a.alpn = wshub_str_z("http/1.1");
    a.server_name = wshub_str_z("chat.example");
    a.peer_cert.ptr = der;
    a.peer_cert.len = sizeof der;
    a.peer_verified = true;
    return a;
}

static wshub_about asked;
static int times;

/* Accepts whoever has shown a certificate, as an application with mutual TLS does. */
static void by_certificate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)user;
    memset(&who, 0, sizeof who);
    EXPECT_INT(wshub_client_about(hub, auth->client, &asked), WSHUB_OK);
    times++;
    if (asked.peer_verified) who.user_id = asked.server_name;
    if (asked.peer_verified)
        EXPECT_INT(wshub_auth_accept(hub, ask, &who), WSHUB_OK);
    else
        EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_OK);
}
static void on_upgrade(wshub *hub, const wshub_http *http, wshub_upgrade *upgrade, void *user) {
    wshub_about a;
    (void)user;
    (void)upgrade;
    EXPECT_INT(wshub_conn_about(hub, http->conn, &a), WSHUB_OK);
    times++;
}

TEST(who_authenticates_can_ask_for_the_certificate) {
    wshub_about a = secure_stream();
    wshub_io_fake_frame f;
    char text[64];
    wshub_conn c;
    world w;
    wshub_iter it = {0, 0};
    wshub_client client;
    world_start(&w, DESC(.on_authenticate = by_certificate, .on_upgrade = on_upgrade), FAKE(0));
    times = 0;
    wshub_io_fake_set_about(w.net, &a);
    c = world_client(&w, NULL, NULL);
    EXPECT_INT(times, 2);
    EXPECT(asked.secure && asked.peer_verified && asked.peer_cert.len == sizeof der &&
           memcmp(asked.peer_cert.ptr, der, sizeof der) == 0);
    EXPECT(wshub_str_eq_z(asked.listener, "public") &&
           wshub_str_eq_z(asked.local, "192.0.2.1:443") && wshub_str_eq_z(asked.alpn, "http/1.1"));
    EXPECT(wshub_client_each(w.hub, &it, &client));
    EXPECT(wshub_client_peer(w.hub, client, text, sizeof text) == a.peer.len &&
           strcmp(text, a.peer.ptr) == 0);
    /* nothing is cut */
    EXPECT(wshub_client_peer(w.hub, client, text, a.peer.len) == 0 && text[0] == 0);
    EXPECT(wshub_client_peer(w.hub, client, text, a.peer.len + 1) == a.peer.len);

    /* Beside it, one in the clear. */
    wshub_io_fake_set_about(w.net, NULL);
    c = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, c, "{\"event\":\"authenticate\"}");
    EXPECT(!asked.secure && !asked.peer_cert.ptr && wshub_str_eq_z(asked.peer, "fake"));
    EXPECT(wshub_io_fake_next(w.net, c, &f) && !strstr(f.payload.ptr, "connected"));
    world_stop(&w);
}

static bool knows_nobody(void *ctx, wshub_conn conn, wshub_about *out_about) {
    (void)ctx;
    (void)conn;
    memset(out_about, 0xEE, sizeof *out_about);
    return false;
}

TEST(who_is_gone_is_not_told_about) {
    char id[37], text[8] = "before";
    wshub_conn c;
    wshub_client client;
    wshub_about a;
    world w;
    memset(&a, 0, sizeof a);
    a.secure = true; /* stays on failure */
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    c = world_client(&w, "ada", id);
    client = world_handle(&w, id);

    /* An io that knows the stream no more, and one that knows of none. */
    w.hub->io.about = knows_nobody;
    EXPECT_INT(wshub_conn_about(w.hub, c, &a), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_about(w.hub, client, &a), WSHUB_ERR_STALE);
    EXPECT(a.secure);
    EXPECT(wshub_client_peer(w.hub, client, text, sizeof text) == 0 && text[0] == 0);
    w.hub->io.about = NULL;
    EXPECT_INT(wshub_client_about(w.hub, client, &a), WSHUB_OK);
    EXPECT(!a.secure && !a.peer.ptr);

    wshub_io_fake_end(w.net, c);
    a.secure = true;
    EXPECT_INT(wshub_conn_about(w.hub, c, &a), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_client_about(w.hub, client, &a), WSHUB_ERR_STALE);
    EXPECT(a.secure);
    world_stop(&w);
}

/* ---- guests: what they ask for reaches the io, and the stream says so ---- */
static int guest_opened_count;
static void g_opened(void *ctx, wshub_conn c) {
    const wshub_io *io = wshub_io_fake_io((wshub_io_fake *)ctx);
    EXPECT(io->about(io->ctx, c, &asked)); /* from inside */
    guest_opened_count++;
}
static void g_received(void *ctx, wshub_conn c, uint8_t *bytes, size_t n) {
    (void)ctx;
    (void)c;
    (void)bytes;
    (void)n;
}
static void g_drained(void *ctx, wshub_conn c) {
    (void)ctx;
    (void)c;
}
static void g_closed(void *ctx, wshub_conn c) {
    (void)ctx;
    (void)c;
}
static uint64_t g_settle(void *ctx) {
    (void)ctx;
    return WSHUB_NEVER;
}

TEST(a_dial_says_what_is_wanted_of_the_peer) {
    wshub_io_fake *net;
    const wshub_io *io;
    wshub_io_owner guest;
    wshub_dial dial;
    wshub_conn c, plain;
    char address[] = "broker.example:6380", name[] = "redis.internal";
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    io = wshub_io_fake_io(net);
    memset(&guest, 0, sizeof guest);
    guest.ctx = net;
    guest.opened = g_opened;
    guest.received = g_received;
    guest.drained = g_drained;
    guest.closed = g_closed;
    guest.settle = g_settle;
    EXPECT_INT(io->guest(io->ctx, &guest, true), WSHUB_OK);
    memset(&dial, 0, sizeof dial);
    dial.address = address;
    dial.server_name = name;
    dial.secure = true;
    dial.verify = WSHUB_VERIFY_CHAIN;
    EXPECT_INT(io->connect(io->ctx, net, &dial, &c), WSHUB_OK);
    memset(address, 'x', sizeof address - 1); /* borrowed for the call alone */
    memset(name, 'x', sizeof name - 1);
    EXPECT(wshub_io_fake_dial(net, c) &&
           strcmp(wshub_io_fake_dial(net, c)->address, "broker.example:6380") == 0);
    EXPECT_STR(wshub_io_fake_dial(net, c)->server_name, "redis.internal");
    EXPECT(wshub_io_fake_dial(net, c)->secure &&
           wshub_io_fake_dial(net, c)->verify == WSHUB_VERIFY_CHAIN);
    guest_opened_count = 0;
    wshub_io_fake_answer(net, c, true);
    EXPECT(guest_opened_count == 1 && asked.secure &&
           wshub_str_eq_z(asked.peer, "broker.example:6380") &&
           wshub_str_eq_z(asked.server_name, "redis.internal"));
    EXPECT(!wshub_io_fake_dial(net, c)); /* it is there */

    /* Zero but for the address: bytes in the clear. */
    memset(&dial, 0, sizeof dial);
    dial.address = "h:1";
    EXPECT_INT(io->connect(io->ctx, net, &dial, &plain), WSHUB_OK);
    EXPECT(!wshub_io_fake_dial(net, plain)->secure &&
           wshub_io_fake_dial(net, plain)->verify == WSHUB_VERIFY_FULL);
    wshub_io_fake_answer(net, plain, true);
    EXPECT(guest_opened_count == 2 && !asked.secure && !asked.server_name.ptr &&
           wshub_str_eq_z(asked.peer, "h:1"));
    EXPECT_INT(io->guest(io->ctx, &guest, false), WSHUB_OK);
    wshub_io_fake_destroy(net);
}
