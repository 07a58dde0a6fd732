/* The bus contract on the local bus, on the Redis bus over the fake io with a broker in memory, and
 * over sockets with a real redis-server: RESP2, RESP3, a Unix socket. tests/test_hiredis.c runs
 * it over hiredis. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "test.h"
#include "broker.h"
#include "redis_server.h"
#include "bus_contract.h"

/* ---- the local bus ---- */
static wshub_bus local_seats[3];
static bool local_make(bus_world *w, int seat, wshub_bus *out) {
    if (wshub_bus_local_seat((wshub_bus_local *)w->ctx, out)) return false;
    local_seats[seat] = *out;
    return true;
}
static void local_end(bus_world *w, int seat) {
    (void)w;
    local_seats[seat].pump = NULL;
}
static void local_step(bus_world *w) {
    int i;
    (void)w;
    for (i = 0; i < 3; i++) {
        if (local_seats[i].pump) local_seats[i].pump(local_seats[i].ctx);
    }
}
static void local_cut(bus_world *w, bool away) {
    wshub_bus_local_set_down((wshub_bus_local *)w->ctx, away);
}
TEST(the_local_bus_keeps_the_contract) {
    bus_world w = {"local", local_make, local_end, local_step, local_cut, NULL};
    wshub_bus_local *local;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    w.ctx = local;
    bus_contract(&w);
    wshub_bus_local_destroy(local);
}

/* ---- Redis ---- */
static wshub_bus_redis *seats[3];
static void redis_seat_end(bus_world *w, int seat) {
    (void)w;
    wshub_bus_redis_destroy(seats[seat]);
    seats[seat] = NULL;
}

static wshub_io_fake *fakes[3];
static broker memory;
static bool fake_make(bus_world *w, int seat, wshub_bus *out) {
    (void)w;
    EXPECT_INT(
        wshub_io_fake_create(&(wshub_io_fake_desc){.seed = (uint64_t)seat + 1}, &fakes[seat]),
        WSHUB_OK);
    if (wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(fakes[seat]),
                                                       .url = "redis://broker",
                                                       .resp3 = seat == 1},
                               &seats[seat]))
        return false;
    *out = *wshub_bus_redis_bus(seats[seat]);
    return true;
}
static void fake_step(bus_world *w) {
    int i;
    (void)w;
    for (i = 0; i < 3; i++) {
        wshub_io_fake_advance(fakes[i], 1);
        while (broker_step(&memory, fakes[i])) {
        }
    }
}
static void fake_cut(bus_world *w, bool away) {
    (void)w;
    memory.away = away;
    if (away) broker_drop_all(&memory);
}
TEST(the_redis_bus_keeps_the_contract_with_a_broker_in_memory) {
    bus_world w = {
        "redis, a broker in memory", fake_make, redis_seat_end, fake_step, fake_cut, NULL};
    int i;
    bus_contract(&w);
    broker_drop_all(&memory);
    for (i = 0; i < 3; i++) wshub_io_fake_destroy(fakes[i]);
}

typedef struct real_world {
    wshub_io_sock *net;
    redis_server server;
    bool resp3, local;
    char url[160];
} real_world;
static bool real_make(bus_world *w, int seat, wshub_bus *out) {
    real_world *r = (real_world *)w->ctx;
    if (wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_sock_io(r->net),
                                                       .url = r->url,
                                                       .resp3 = r->resp3},
                               &seats[seat]))
        return false;
    *out = *wshub_bus_redis_bus(seats[seat]);
    return true;
}
static void real_step(bus_world *w) {
    EXPECT_INT(wshub_io_sock_run_once(((real_world *)w->ctx)->net, 1), WSHUB_OK);
}
static void real_cut(bus_world *w, bool away) {
    real_world *r = (real_world *)w->ctx;
    if (away)
        redis_kill(&r->server);
    else
        redis_start(&r->server);
}
static void real_contract(const char *name, bool resp3, bool local) {
    static real_world r;
    bus_world w = {NULL, real_make, redis_seat_end, real_step, real_cut, NULL};
    char cwd[512];
    memset(&r, 0, sizeof r);
    w.name = name;
    w.ctx = &r;
    r.resp3 = resp3;
    redis_start(&r.server);
    (void)snprintf(r.url, sizeof r.url, "%s", r.server.url);
    if (local && getcwd(cwd, sizeof cwd))
        (void)snprintf(r.url, sizeof r.url, "unix://%.60s/%.90s", cwd, r.server.unix_path);
    EXPECT_INT(wshub_io_auto_create(NULL, &r.net), WSHUB_OK);
    bus_contract(&w);
    wshub_io_sock_destroy(r.net);
    redis_end(&r.server);
}
TEST(the_redis_bus_keeps_the_contract_with_resp2) {
    if (!redis_installed()) SKIP("redis-server is not installed");
    real_contract("redis, RESP2", false, false);
}
TEST(the_redis_bus_keeps_the_contract_with_resp3) {
    if (!redis_installed()) SKIP("redis-server is not installed");
    real_contract("redis, RESP3", true, false);
}
TEST(the_redis_bus_keeps_the_contract_over_a_unix_socket) {
    if (!redis_installed()) SKIP("redis-server is not installed");
    real_contract("redis, Unix socket", false, true);
}
