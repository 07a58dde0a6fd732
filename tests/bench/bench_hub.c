/* What the hub itself costs, without a kernel below: an io that takes everything at once. CPU
 * time per message, and in `count` mode fixed amounts of the same works, so that a tool can
 * count their instructions (tests/bench/counts.sh).  build/bench_hub [ROUNDS [PART]]  a table;
 * the least and the median of so many rounds (9) build/bench_hub growth [MAX]     what the same
 * costs in hubs of 100 to MAX clients (1,000,000), and in ever more rooms build/bench_hub slow
 * what receivers cost who do not read build/bench_hub list             the works and how many
 * units `count` does of each build/bench_hub count WORK       does them */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
#include <stdio.h>
#include <time.h>

/* ---- an io that takes everything ---- */
static wshub_io_owner owner;
static uint64_t sends, sent_bytes, held, random_state = 88172645463325252u;
static uint32_t slow_every; /* every so manieth stream takes nothing; 0: all take everything */
static void n_attach(void *ctx, const wshub_io_owner *o) {
    (void)ctx;
    if (o) owner = *o;
}
static int64_t n_send(void *ctx, wshub_conn c, const wshub_span *spans, size_t count) {
    size_t i, n = 0;
    (void)ctx;
    if (slow_every && (uint32_t)c.id % slow_every == 0) return 0;
    for (i = 0; i < count; i++) n += spans[i].len;
    sends++;
    sent_bytes += n;
    return (int64_t)n;
}
static void n_close(void *ctx, wshub_conn c, bool flush) {
    (void)ctx;
    (void)c;
    (void)flush;
}
static uint64_t passed_ms; /* since the beginning, where a work has a clock */
static uint64_t n_now(void *ctx) {
    (void)ctx;
    return 1000 + passed_ms;
}
/* Each stream comes from an address of its own. */
static bool n_about(void *ctx, wshub_conn c, wshub_about *out_about) {
    static char text[24];
    uint32_t n = (uint32_t)c.id;
    (void)ctx;
    out_about->peer = wshub__str(
        text, (size_t)snprintf(text, sizeof text, "10.%u.%u.%u:4711", (unsigned)(n >> 16 & 255),
                               (unsigned)(n >> 8 & 255), (unsigned)(n & 255)));
    return true;
}
static uint32_t chance(uint32_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20) % n;
}
static bool n_random(void *ctx, uint8_t *bytes, size_t count) {
    (void)ctx;
    while (count--) bytes[count] = (uint8_t)chance(256);
    return true;
}
static void *n_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    held += new_bytes;
    held -= old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* ---- a hub with clients ---- */
static const wshub_io nothing = {.version = WSHUB_IO_VERSION,
                                 .attach = n_attach,
                                 .send = n_send,
                                 .close = n_close,
                                 .now_ms = n_now,
                                 .wall_ms = n_now,
                                 .random = n_random};
static wshub *hub;
static uint32_t names; /* each user's own */
static void yes(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    char text[24];
    (void)auth;
    (void)user;
    memset(&who, 0, sizeof who);
    who.user_id =
        wshub__str(text, (size_t)snprintf(text, sizeof text, "user-%u", (unsigned)++names));
    (void)wshub_auth_accept(h, ask, &who);
}
static wshub_err on_message(wshub *h, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    m.event = e->event;
    m.data = e->data;
    m.data_is_json = true;
    if (e->event.len == 4) return wshub_client_send(h, c, &m); /* echo */
    if (e->event.len == 1) return wshub_room_send_here(h, wshub_str_z("busy"), &m, NULL, 0);
    return WSHUB_OK;
}
static void n_wake(void *ctx) { /* all are settled in turn */
    (void)ctx;
}
static bool rated;        /* all rates are set, and never met */
static wshub_bus *joined; /* the bus of the hub that is started next; NULL: it has none */
static void start(void) {
    static wshub_io knowing, waking;
    wshub_desc d;
    memset(&d, 0, sizeof d);
    d.io = &nothing;
    if (rated) {
        knowing = nothing;
        knowing.about = n_about;
        d.io = &knowing;
        d.client_messages_per_s = d.user_messages_per_s = d.address_messages_per_s = 1000000;
        d.client_bytes_per_s = d.user_bytes_per_s = d.address_bytes_per_s = 1u << 30;
        d.address_conns_per_s = 1000000;
    }
    if (joined) {
        waking = nothing;
        waking.wake = n_wake;
        d.io = &waking;
        d.bus = joined;
    }
    d.alloc = n_alloc;
    d.on_authenticate = yes;
    d.on_message = on_message;
    names = 0;
    if (wshub_create(&d, &hub)) exit(1);
}
/* Hubs of one process, 64 clients in a room of all of them. */
enum { HUBS = 16 };
static wshub *hubs[HUBS];
static wshub_io_owner hub_owners[HUBS];
static void e_hubs(void) {
    uint32_t i;
    for (i = 0; i < HUBS; i++) {
        wshub_destroy(hubs[i]);
        hubs[i] = NULL;
    }
    hub = NULL;
}
static wshub__rated_table addresses;
static void stop(void) {
    if (hubs[0]) e_hubs();
    if (!hub) return;
    wshub__rated_done(&hub->mem, &addresses);
    wshub_destroy(hub);
    hub = NULL;
}
static wshub_conn conn_of(uint32_t i) {
    wshub_conn c;
    c.id = (UINT64_C(1) << 32) | i;
    return c;
}
/* one masked text frame of up to 65535 bytes */
static void feed(uint32_t i, const char *text, size_t n) {
    static uint8_t frame[70000];
    size_t at = 2, k;
    frame[0] = 0x81;
    if (n < 126) {
        frame[1] = (uint8_t)(0x80 | n);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(n >> 8);
        frame[3] = (uint8_t)n;
        at = 4;
    }
    memcpy(frame + at, "\1\2\3\4", 4);
    at += 4;
    memcpy(frame + at, text, n);
    for (k = 0; k < n; k++) frame[at + k] ^= (uint8_t)(1 + k % 4);
    owner.received(owner.ctx, conn_of(i), frame, at + n);
}
static void come(uint32_t i) {
    static const char up[] = "GET /ws HTTP/1.1\r\nHost: bench.example\r\nConnection: "
                             "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                             "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const char hello[] =
        "{\"event\":\"authenticate\",\"data\":{\"token\":\"0123456789abcdef\"}}";
    uint8_t bytes[sizeof up];
    memcpy(bytes, up, sizeof up);
    owner.opened(owner.ctx, conn_of(i));
    owner.received(owner.ctx, conn_of(i), bytes, sizeof up - 1);
    feed(i, hello, sizeof hello - 1);
    (void)owner.settle(owner.ctx);
}
static void go(uint32_t i) {
    owner.closed(owner.ctx, conn_of(i));
    (void)owner.settle(owner.ctx);
}
static wshub_client *clients;
static uint32_t clients_count;
static void fill(uint32_t n) {
    wshub_iter it = {0, 0};
    wshub_client c;
    uint32_t i = 0;
    start();
    for (; i < n; i++) come(i);
    clients = (wshub_client *)realloc(clients, (n + 1) * sizeof *clients);
    if (n && hub->stats.authenticated != n) exit(2);
    for (clients_count = 0; wshub_client_each(hub, &it, &c);) clients[clients_count++] = c;
}
/* in no order, as a room looks after many have come and gone */
static void shuffled_join(const char *room) {
    uint32_t i;
    for (i = clients_count - 1; i > 0; i--) {
        uint32_t k = chance(i + 1);
        wshub_client t = clients[i];
        clients[i] = clients[k];
        clients[k] = t;
    }
    for (i = 0; i < clients_count; i++) (void)wshub_client_join(hub, clients[i], wshub_str_z(room));
}

static char data64[67], data1k[1027];
static wshub_msg message(bool big) {
    wshub_msg m;
    memset(data64, 'x', 66);
    memset(data1k, 'x', 1026);
    data64[0] = data64[65] = data1k[0] = data1k[1025] = '"';
    m.event = wshub_str_z("m");
    m.data = big ? wshub__str(data1k, 1026) : wshub__str(data64, 66);
    m.data_is_json = true;
    return m;
}

/* ---- the works: begin is not counted; run does `amount` and returns the units done ---- */
static uint32_t members, burst;
static void begin_fan(uint32_t n, uint32_t b) {
    members = n;
    burst = b;
    fill(n);
}
static uint64_t run_fan(uint64_t amount, const char *room) {
    wshub_msg m = message(false);
    uint64_t turns = amount / members / burst, t;
    uint32_t b;
    for (t = 0; t < turns; t++) {
        for (b = 0; b < burst; b++) (void)wshub_room_send_here(hub, wshub_str_z(room), &m, NULL, 0);
        (void)owner.settle(owner.ctx);
    }
    return turns * members * burst;
}
static void b_fan100(void) {
    begin_fan(100, 1);
}
static void b_fan1000(void) {
    begin_fan(1000, 1);
}
static void b_fan10000(void) {
    begin_fan(10000, 1);
}
static void b_burst16(void) {
    begin_fan(1000, 16);
}
static void b_burst64(void) {
    begin_fan(1000, 64);
}
static uint64_t r_fan(uint64_t amount) {
    return run_fan(amount, "ws-default");
}
static void b_churned1000(void) {
    begin_fan(1000, 1);
    shuffled_join("busy");
}
static void b_churned10000(void) {
    begin_fan(10000, 1);
    shuffled_join("busy");
}
static void b_churned_burst(void) {
    begin_fan(10000, 16);
    shuffled_join("busy");
}
static uint64_t r_busy(uint64_t amount) {
    return run_fan(amount, "busy");
}
static void b_publishers(void) {
    begin_fan(1000, 64);
    shuffled_join("busy");
}
/* 64 clients say one message each to all, in one turn */
static uint64_t r_publishers(uint64_t amount) {
    char text[100];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"event\":\"p\",\"data\":\"%064d\"}", 7);
    uint64_t turns = amount / members / burst, t;
    uint32_t b;
    for (t = 0; t < turns; t++) {
        for (b = 0; b < burst; b++) feed(b * 7, text, n);
        (void)owner.settle(owner.ctx);
    }
    return turns * members * burst;
}
static uint32_t rooms_count;
static wshub_str room_names[10000];
static void begin_rooms(uint32_t n) { /* n rooms of three, in a hub of 10,000 */
    static char text[10000][8];
    uint32_t i, k;
    rooms_count = n;
    begin_fan(10000, 1);
    for (i = 0; i < 10000; i++)
        room_names[i] =
            wshub__str(text[i], (size_t)snprintf(text[i], sizeof text[i], "r%u", (unsigned)i));
    for (i = 0; i < n; i++) {
        for (k = 0; k < 3; k++)
            (void)wshub_client_join(hub, clients[(i + k * 3331) % 10000], room_names[i]);
    }
}
static void b_rooms1(void) {
    begin_rooms(1);
}
static void b_rooms(void) {
    begin_rooms(10000);
}
static uint64_t r_rooms(uint64_t amount) {
    wshub_msg m = message(false);
    uint64_t i;
    for (i = 0; i < amount / 3; i++) {
        (void)wshub_room_send_here(hub, room_names[i * 7919 % rooms_count], &m, NULL, 0);
        if (i % 64 == 63) (void)owner.settle(owner.ctx);
    }
    (void)owner.settle(owner.ctx);
    return amount / 3 * 3;
}
static void b_hundred(void) {
    fill(100);
}
static uint32_t clocked; /* ms that pass with every ten messages */
static uint64_t run_echo(uint64_t amount, const char *text) {
    size_t n = strlen(text);
    uint64_t i;
    for (i = 0; i < amount; i++) {
        feed((uint32_t)(i % 100), text, n);
        if (i % 10 == 9) {
            passed_ms += clocked;
            (void)owner.settle(owner.ctx);
        }
    }
    (void)owner.settle(owner.ctx);
    return amount;
}
static uint64_t r_echo(uint64_t amount) {
    return run_echo(amount,
                    "{\"event\":\"echo\",\"data\":"
                    "\"0123456789012345678901234567890123456789012345678901234567890123\"}");
}
static uint64_t r_parse(uint64_t amount) {
    return run_echo(amount, "{\"event\":\"position\",\"data\":{\"x\":12.5,\"y\":-3,\"name\":"
                            "\"somebody\",\"tags\":[\"a\",\"b\",null]},\"id\":4711}");
}
static void b_rated(void) {
    rated = true;
    fill(100);
    rated = false;
}
/* the same as parse; ten messages a millisecond, so that each bucket is filled each time */
static uint64_t r_rated(uint64_t amount) {
    uint64_t units;
    clocked = 1;
    units = r_parse(amount);
    clocked = 0;
    return units;
}
static wshub__rate address_rate;
static uint64_t address_last;
/* a full table, as large as is usual */
static void b_addresses(void) {
    start();
    addresses.max = 65536;
    wshub__rate_set(&address_rate, 10, 10, 1000, 1000);
    for (address_last = 0; address_last < 65536; address_last++)
        (void)wshub__rated_take(&hub->mem, &addresses,
                                wshub__siphash(hub->key, &address_last, 8, 'A'), &address_rate,
                                1000);
}
/* a message of an address that has never been seen: it takes the place of the oldest */
static uint64_t r_addresses(uint64_t amount) {
    uint64_t i;
    for (i = 0; i < amount; i++, address_last++) {
        uint32_t number =
            wshub__rated_take(&hub->mem, &addresses,
                              wshub__siphash(hub->key, &address_last, 8, 'A'), &address_rate, 1000);
        wshub__bucket *bucket = &addresses.items[number].bucket;
        wshub__bucket_fill(bucket, &address_rate, 1001);
        if (!wshub__bucket_has(bucket, &address_rate, 96)) exit(1);
        wshub__bucket_take(bucket, &address_rate, 96);
    }
    if (addresses.count != 65536) exit(1);
    return amount;
}
static void begin_hubs(uint32_t b) {
    wshub_bus_local *local;
    uint32_t i, k;
    if (wshub_bus_local_create(NULL, &local)) exit(1);
    for (i = 0; i < HUBS; i++) {
        wshub_bus seat;
        if (wshub_bus_local_seat(local, &seat)) exit(1);
        joined = &seat;
        fill(64 / HUBS);
        hubs[i] = hub;
        hub_owners[i] = owner;
    }
    joined = NULL;
    wshub_bus_local_destroy(local); /* it goes with the last hub */
    burst = b;
    for (k = 0; k < 4; k++) {
        for (i = 0; i < HUBS; i++) (void)hub_owners[i].settle(hub_owners[i].ctx);
    }
}
static void b_hubs(void) {
    begin_hubs(1);
}
static void b_hubs_burst(void) {
    begin_hubs(16);
}
static uint64_t r_hubs(uint64_t amount) {
    wshub_msg m = message(false);
    uint64_t rounds = amount / 64 / HUBS / burst, r;
    uint64_t before = sent_bytes;
    uint32_t i, b;
    for (r = 0; r < rounds; r++) {
        for (i = 0; i < HUBS; i++) {
            for (b = 0; b < burst; b++)
                (void)wshub_room_send(hubs[i], wshub_str_z("ws-default"), &m, NULL, 0);
            (void)hub_owners[i].settle(hub_owners[i].ctx);
        }
    }
    for (i = 0; i < HUBS; i++) (void)hub_owners[i].settle(hub_owners[i].ctx);
    if (sent_bytes - before < rounds * HUBS * burst * 64 * 66) exit(1); /* somebody missed some */
    return rounds * HUBS * burst * 64;
}
static void b_start(void) {
    start();
}
static uint64_t r_connect(uint64_t amount) {
    uint64_t i;
    for (i = 0; i < amount; i++) {
        come((uint32_t)(i % 1000));
        if (i >= 500) go((uint32_t)((i - 500) % 1000));
    }
    for (i = amount > 500 ? amount - 500 : 0; i < amount; i++) go((uint32_t)(i % 1000));
    return amount;
}
static void b_ten_thousand(void) {
    fill(10000);
}
static uint64_t r_join(uint64_t amount) { /* joins and leaves a room of all the others, at random */
    uint64_t i;
    for (i = 0; i < amount; i++) {
        wshub_client c = clients[chance(clients_count)];
        (void)wshub_client_leave(hub, c, wshub_str_z("ws-default"));
        (void)wshub_client_join(hub, c, wshub_str_z("ws-default"));
    }
    return amount;
}
static uint8_t plain[65536];
static void b_bytes(void) {
    start();
    memset(plain, 'a', sizeof plain);
}
static uint64_t r_mask(uint64_t amount) {
    static const uint8_t key[4] = {1, 2, 3, 4};
    uint64_t n;
    for (n = 0; n < amount; n += sizeof plain) wshub_mask(plain, sizeof plain, key, n);
    return n;
}
static uint64_t r_utf8(uint64_t amount) {
    uint64_t n;
    for (n = 0; n < amount; n += sizeof plain) {
        if (!wshub_utf8_check(plain, sizeof plain)) exit(1);
    }
    return n;
}
static uint64_t r_json(uint64_t amount) {
    static const char text[] =
        "{\"event\":\"position\",\"data\":{\"x\":12.5,\"y\":-3,\"name\":\"somebody with a longer "
        "name\",\"text\":\"some words that were typed by a human being into a "
        "box\",\"tags\":[\"a\",\"b\",null]},\"id\":4711}";
    uint64_t n;
    for (n = 0; n < amount; n += sizeof text - 1) {
        if (!wshub_json_check(wshub_str_z(text), 64)) exit(1);
    }
    return n;
}

static const struct work {
    const char *name, *what;
    void (*begin)(void);
    uint64_t (*run)(uint64_t amount);
    uint64_t amount, counted;
    bool bytes;
} works[] = {
    {"fan100", "fan-out to 100, per delivery", b_fan100, r_fan, 4000000, 100000, false},
    {"fan1000", "fan-out to 1,000", b_fan1000, r_fan, 4000000, 100000, false},
    {"fan10000", "fan-out to 10,000", b_fan10000, r_fan, 4000000, 100000, false},
    {"burst16", "bursts of 16 to 1,000", b_burst16, r_fan, 8000000, 160000, false},
    {"burst64", "bursts of 64 to 1,000", b_burst64, r_fan, 16000000, 640000, false},
    {"churned1000", "fan-out to 1,000 who joined in no order", b_churned1000, r_busy, 4000000,
     100000, false},
    {"churned10000", "fan-out to 10,000 who joined in no order", b_churned10000, r_busy, 4000000,
     100000, false},
    {"churned16", "bursts of 16 to 10,000 who joined in no order", b_churned_burst, r_busy, 8000000,
     320000, false},
    {"publishers", "64 publishers to 1,000, parsing included", b_publishers, r_publishers, 16000000,
     640000, false},
    {"room", "one room of three, per delivery", b_rooms1, r_rooms, 3000000, 90000, false},
    {"rooms", "10,000 rooms of three, per delivery", b_rooms, r_rooms, 3000000, 90000, false},
    {"echo", "echo through the envelope, per message", b_hundred, r_echo, 1000000, 30000, false},
    {"parse", "a message of 96 bytes, nothing sent", b_hundred, r_parse, 1000000, 30000, false},
    {"rated", "the same, three rates set", b_rated, r_rated, 1000000, 30000, false},
    {"addresses", "an address never seen, table full", b_addresses, r_addresses, 1000000, 30000,
     false},
    {"connect", "connect, upgrade, authenticate, leave", b_start, r_connect, 50000, 3000, false},
    {"hubs", "64 in a room of 16 hubs, per delivery", b_hubs, r_hubs, 4000000, 102400, false},
    {"hubs16", "the same, bursts of 16", b_hubs_burst, r_hubs, 16000000, 163840, false},
    {"join", "leave and join a room of 10,000", b_ten_thousand, r_join, 1000000, 20000, false},
    {"mask", "unmask", b_bytes, r_mask, 2000000000, 6553600, true},
    {"utf8", "ASCII as UTF-8", b_bytes, r_utf8, 2000000000, 6553600, true},
    {"json", "JSON of 187 bytes", b_bytes, r_json, 400000000, 1000000, true},
};
enum { WORKS = sizeof works / sizeof *works };

static double cpu(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Marks where counting begins and ends: tests/bench/counts.sh tells the tool their names. */
uint64_t counted_work(const struct work *w, uint64_t amount);
__attribute__((noinline)) uint64_t counted_work(const struct work *w, uint64_t amount) {
    return w->run(amount);
}

/* ---- growth: the same in hubs of different sizes; each figure the least of three ---- */
static double least(double a, double b) {
    return !(a > 0) || b < a ? b : a;
}
static double fan_cost(const char *room, uint32_t n, uint32_t in_turn) { /* ns a delivery */
    double best = 0;
    uint32_t r, k, times = 2000000 / n / in_turn + 1;
    members = n;
    burst = in_turn;
    for (r = 0; r < 3; r++) {
        double t0 = cpu();
        for (k = 0; k < times; k++) (void)run_fan((uint64_t)n * in_turn, room);
        best = least(best, (cpu() - t0) / ((double)n * in_turn * times));
    }
    return best;
}
static void growth_of_clients(uint32_t n) {
    double t0, came, join = 0, leave = 0, went, fan;
    uint32_t i, r, some = n < 1000 ? n / 2 : 1000;
    size_t before;
    start();
    before = held;
    stop();
    t0 = cpu();
    fill(n);
    came = (cpu() - t0) / n;
    fan = fan_cost("ws-default", n, 1);
    for (r = 0; r < 3; r++) {
        t0 = cpu();
        for (i = 0; i < 20000; i++)
            (void)wshub_client_leave(hub, clients[(uint64_t)i * 7919 % n],
                                     wshub_str_z("ws-default"));
        /* in small hubs most have left already, which costs less */
        leave = least(leave, (cpu() - t0) / 20000);
        t0 = cpu();
        for (i = 0; i < 20000; i++)
            (void)wshub_client_join(hub, clients[(uint64_t)i * 7919 % n],
                                    wshub_str_z("ws-default"));
        join = least(join, (cpu() - t0) / 20000);
    }
    (void)printf("| %u | %.2f us | %.0f ns | %.0f ns | %.1f ns | ", (unsigned)n, came / 1e3, join,
                 leave, fan);
    before = (held - before) / n;
    t0 = cpu();
    for (i = 0; i < some; i++) go((uint32_t)((uint64_t)i * 7919 % n));
    went = (cpu() - t0) / some;
    (void)printf("%.2f us | %zu |\n", went / 1e3, before);
    (void)fflush(stdout);
    stop();
}
static void growth_of_rooms(void) {
    static const uint32_t counts[] = {1, 10, 100, 1000, 10000};
    uint32_t k, r, i;
    double first = 0;
    (void)printf("| rooms of three | ns a delivery |\n| --- | --- |\n");
    for (k = 0; k < sizeof counts / sizeof *counts; k++) {
        double best = 0;
        begin_rooms(counts[k]);
        for (r = 0; r < 5; r++) {
            double t0 = cpu();
            uint64_t units = r_rooms(1500000);
            best = least(best, (cpu() - t0) / (double)units);
        }
        if (!k) first = best;
        (void)printf("| %u | %.1f (%.2f) |\n", (unsigned)counts[k], best, best / first);
        stop();
    }
    begin_rooms(10000);
    for (i = 0; i < 1000; i++)
        (void)wshub_client_join(hub, clients[5], room_names[(i * 13) % 10000]);
    {
        wshub_iter it = {0, 0};
        wshub_str name;
        uint32_t in = 0;
        double t0;
        while (wshub_client_each_room(hub, clients[5], &it, &name)) in++;
        t0 = cpu();
        (void)wshub_client_close(hub, clients[5], 1000, wshub_str_z(""));
        (void)owner.settle(owner.ctx);
        (void)printf("\nleaving of a client in %u rooms: %.1f us\n", (unsigned)in,
                     (cpu() - t0) / 1e3);
    }
    stop();
}
static void growth(uint32_t most) {
    uint32_t n;
    growth_of_rooms();
    (void)printf("\n| clients | connect, upgrade, authenticate | join | leave | delivery | "
                 "disconnect | bytes each |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for (n = 100; n <= most; n *= 10) growth_of_clients(n);
}

/* ---- a tenth of the receivers reads nothing: what it costs the others, and how much memory ---- */
static void slow(void) {
    uint32_t every, r;
    double cost[2] = {0, 0};
    uint64_t grown[2] = {0, 0}, before;
    for (r = 0; r < 6; r++) { /* in turn */
        uint64_t deliveries = 0;
        double t0;
        uint32_t k;
        every = r % 2 ? 10 : 0;
        fill(1000);
        members = 1000;
        burst = 16;
        slow_every = every;
        before = held;
        t0 = cpu();
        for (k = 0; k < 3000; k++) {
            (void)run_fan(16000, "ws-default");
            deliveries += every ? 14400 : 16000;
        }
        cost[r % 2] = least(cost[r % 2], (cpu() - t0) / (double)deliveries);
        grown[r % 2] = held - before;
        slow_every = 0;
        stop();
    }
    (void)printf("1,000 receivers, bursts of 16, 48,000 messages: %.2f ns a delivery and %.2f MiB; "
                 "with a tenth who read nothing %.2f ns (%.2f) and %.2f MiB, "
                 "where each of these 100 may be owed 1 MiB\n",
                 cost[0], (double)grown[0] / 1048576, cost[1], cost[1] / cost[0],
                 (double)grown[1] / 1048576);
}

int main(int argc, char **argv) {
    uint32_t i;
    int rounds = argc > 1 ? atoi(argv[1]) : 0, r;
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (i = 0; i < WORKS; i++)
            (void)printf("%s %llu\n", works[i].name, (unsigned long long)works[i].counted);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "growth") == 0) {
        growth(argc > 2 ? (uint32_t)atoi(argv[2]) : 1000000);
        free(clients);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "slow") == 0) {
        slow();
        free(clients);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "count") == 0) {
        for (i = 0; i < WORKS; i++) {
            if (strcmp(argv[2], works[i].name) != 0) continue;
            works[i].begin();
            (void)counted_work(&works[i], works[i].counted);
            stop();
            return 0;
        }
        return 1;
    }
    if (rounds < 1 || rounds > 99) rounds = 9;
    (void)printf("The hub alone, CPU time, least and median of %d rounds\n\n| work | least | "
                 "median |\n| --- | --- | --- |\n",
                 rounds);
    for (i = 0; i < WORKS; i++) {
        double took[99];
        if (argc > 2 && !strstr(works[i].name, argv[2])) continue;
        works[i].begin();
        for (r = 0; r < rounds; r++) {
            double t0 = cpu();
            uint64_t units = counted_work(&works[i], works[i].amount / 4);
            took[r] = (cpu() - t0) / (double)units;
        }
        stop();
        qsort(took, (size_t)rounds, sizeof *took, by_value);
        if (works[i].bytes)
            (void)printf("| %s | %.2f GB/s | %.2f GB/s |\n", works[i].what, 1 / took[0],
                         1 / took[rounds / 2]);
        else
            (void)printf("| %s | %.1f ns | %.1f ns |\n", works[i].what, took[0], took[rounds / 2]);
        (void)fflush(stdout);
    }
    {
        size_t empty, full;
        start();
        empty = held;
        stop();
        fill(10000);
        full = held;
        (void)printf("\n%zu bytes an idle client with its user and three rooms, %zu for an empty "
                     "hub; %zu a stream, %zu a client\n",
                     (full - empty) / 10000, empty, sizeof(wshub__conn), sizeof(wshub__client));
        stop();
    }
    free(clients);
    return 0;
}
