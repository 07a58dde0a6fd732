/* Sharded channels (BUS-7): what a hub asks its bus for and publishes, hubs and emitters over a
 * broker in memory, brokers that refuse or take away, and what is refused at the door. */
#include "hubtest.h"
#include "redis_site.h"

/* ---- a bus that writes down which way it is asked ---- */

typedef struct ways {
    wshub_bus_owner owner;
    char log[4096]; /* `+` and `-` channels, `!` publications; a sharded one has a second sign */
    size_t len;
    int calls;
    bool full;
} ways;

static wshub_err ways_attach(void *ctx, const wshub_bus_owner *owner) {
    if (owner) ((ways *)ctx)->owner = *owner;
    return WSHUB_OK;
}
static void ways_write(ways *b, const char *signs, wshub_str s) {
    b->len += (size_t)snprintf(b->log + b->len, sizeof b->log - b->len, "%s%.*s ", signs,
                               (int)s.len, s.ptr);
}
static size_t ways_published(ways *b, const char *signs, const wshub_bus_msg *msgs, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) ways_write(b, signs, msgs[i].channel);
    b->calls++;
    return count;
}
static size_t ways_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    return ways_published((ways *)ctx, "!", msgs, count);
}
static size_t ways_publish_sharded(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    return ways_published((ways *)ctx, "!!", msgs, count);
}
static bool ways_change(ways *b, const char *signs, const wshub_bus_channel *list, size_t count) {
    size_t i;
    EXPECT(count > 0 && count <= WSHUB_BUS_BATCH);
    if (b->full) return false;
    for (i = 0; i < count; i++) {
        EXPECT(signs[1] == 0 || !list[i].pattern);
        ways_write(b, signs, list[i].name);
    }
    b->calls++;
    return true;
}
static bool ways_subscribe(void *ctx, const wshub_bus_channel *list, size_t count) {
    return ways_change((ways *)ctx, "+", list, count);
}
static bool ways_unsubscribe(void *ctx, const wshub_bus_channel *list, size_t count) {
    return ways_change((ways *)ctx, "-", list, count);
}
static bool ways_subscribe_sharded(void *ctx, const wshub_bus_channel *list, size_t count) {
    return ways_change((ways *)ctx, "++", list, count);
}
static bool ways_unsubscribe_sharded(void *ctx, const wshub_bus_channel *list, size_t count) {
    return ways_change((ways *)ctx, "--", list, count);
}

static wshub_bus ways_bus(ways *b, bool sharded) {
    wshub_bus bus;
    memset(b, 0, sizeof *b);
    memset(&bus, 0, sizeof bus);
    bus.version = WSHUB_BUS_VERSION;
    bus.ctx = b;
    bus.attach = ways_attach;
    bus.publish = ways_publish;
    bus.subscribe = ways_subscribe;
    bus.unsubscribe = ways_unsubscribe;
    if (!sharded) return bus;
    bus.publish_sharded = ways_publish_sharded;
    bus.subscribe_sharded = ways_subscribe_sharded;
    bus.unsubscribe_sharded = ways_unsubscribe_sharded;
    return bus;
}

#define EXPECT_LOG(b, want)                                                                        \
    do {                                                                                           \
        EXPECT_STR((b)->log, want);                                                                \
        (b)->len = 0;                                                                              \
        (b)->log[0] = 0;                                                                           \
    } while (0)

static void ways_state(world *w, ways *b, wshub_bus_state state) {
    b->owner.state(b->owner.ctx, state);
    wshub_io_fake_run(w->net);
}

TEST(a_sharded_hub_asks_for_sharded_channels_alone) { /* BUS-7, BUS-4 */
    world w;
    ways b;
    wshub_bus bus = ways_bus(&b, true);
    char id[37], want[200];
    wshub_client client;
    wshub_msg m = msg("e", "1");
    wshub_dest room = {.kind = WSHUB_DEST_ROOM, .name = {"r", 1}};
    world_start(&w,
                DESC(.on_authenticate = accept_all, .bus = &bus, .bus_sharded = true,
                     .no_default_rooms = true),
                FAKE(.seed = 5));
    EXPECT(wshub_desc_get(w.hub)->bus_exact);
    ways_state(&w, &b, WSHUB_BUS_CONNECTED);
    EXPECT_LOG(&b, "++ws:broadcast ");
    ways_state(&w, &b, WSHUB_BUS_UP);
    (void)world_client(&w, "u", id);
    client = world_handle(&w, id);
    EXPECT(strstr(b.log, "++ws:user:u ") != NULL);
    b.len = 0;
    EXPECT_INT(wshub_client_join(w.hub, client, wshub_str_z("r")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_LOG(&b, "++ws:room:r ");
    EXPECT_INT(wshub_send(w.hub, &room, &m), WSHUB_OK);
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_LOG(&b, "!!ws:room:r !!ws:broadcast ");
    EXPECT_INT(wshub_client_leave(w.hub, client, wshub_str_z("r")), WSHUB_OK);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT_LOG(&b, "--ws:room:r ");

    /* a connection later, all of it anew, in one call where there is room */
    b.full = true;
    ways_state(&w, &b, WSHUB_BUS_DOWN);
    ways_state(&w, &b, WSHUB_BUS_CONNECTED);
    b.full = false;
    wshub_io_fake_advance(w.net, 60);
    (void)snprintf(want, sizeof want, "++ws:broadcast ++ws:user:u ++ws:client:%s ++ws:room:%s ", id,
                   id);
    EXPECT_LOG(&b, want);
    world_stop(&w);
}

static size_t ways_hand_over(void *ctx, const wshub_bus_handover *items, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) ways_write((ways *)ctx, "!^", items[i].channel);
    return count;
}

/* Handing over is another way to publish, and not one to a shard. */
TEST(what_is_sharded_is_not_handed_over) { /* BUS-7 */
    int sharded;
    for (sharded = 0; sharded < 2; sharded++) {
        world w;
        ways b;
        wshub_bus bus = ways_bus(&b, true);
        wshub_msg m = msg("e", "1");
        bus.hand_over = ways_hand_over;
        world_start(&w, DESC(.bus = &bus, .bus_sharded = sharded == 1), FAKE(0));
        ways_state(&w, &b, WSHUB_BUS_CONNECTED);
        ways_state(&w, &b, WSHUB_BUS_UP);
        b.len = 0;
        EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_LOG(&b, sharded ? "!!ws:broadcast " : "!^ws:broadcast ");
        world_stop(&w);
    }
}

/* ---- a dialect of each kind beside each other ---- */

static void mute_state(wshub *hub, wshub_bus_state state, void *user) {
    uint32_t dialect = *(uint32_t *)user;
    if (state == WSHUB_BUS_CONNECTED)
        EXPECT_INT(wshub_bus_subscribe(hub, dialect, wshub_str_z("c"), false), WSHUB_OK);
}
static void mute_bus(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    (void)hub;
    (void)user;
    EXPECT(wshub_str_eq_z(channel, "c") && wshub_str_eq_z(payload, "p"));
}

TEST(dialects_of_both_kinds_share_a_bus_and_nothing_changes_its_order) { /* BUS-7 */
    world w;
    ways b;
    wshub_bus bus = ways_bus(&b, true);
    uint32_t one = 0, two = 0;
    wshub_str c = wshub_str_z("c"), p = wshub_str_z("p");
    wshub_dialect plain =
        DIALECT(.name = "one", .bus_prefix = "1:", .on_bus_state = mute_state, .on_bus = mute_bus);
    wshub_dialect shards = plain;
    shards.name = "two";
    shards.bus_prefix = "2:";
    shards.bus_sharded = true;
    world_start(&w, DESC(.bus = &bus), FAKE(.seed = 5));
    EXPECT_INT(wshub_dialect_add(w.hub, &plain, &one, &one), WSHUB_OK);
    EXPECT_INT(wshub_dialect_add(w.hub, &shards, &two, &two), WSHUB_OK);
    ways_state(&w, &b, WSHUB_BUS_CONNECTED);
    EXPECT_LOG(&b, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* +1:c ++2:c ");
    EXPECT_INT(wshub_bus_subscribe(w.hub, two, wshub_str_z("c*"), true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_subscribe(w.hub, one, wshub_str_z("c*"), true), WSHUB_OK);
    ways_state(&w, &b, WSHUB_BUS_UP);
    EXPECT_LOG(&b, "+1:c* ");

    /* by turns: each run of one kind is a call, in the order in which they were given */
    b.calls = 0;
    wshub_io_fake_hold(w.net, true);
    EXPECT_INT(wshub_bus_publish(w.hub, one, c, p), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(w.hub, two, c, p), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(w.hub, two, wshub_str_z("d"), p), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(w.hub, one, wshub_str_z("d"), p), WSHUB_OK);
    wshub_io_fake_hold(w.net, false);
    wshub_io_fake_run(w.net);
    EXPECT_LOG(&b, "!1:c !!2:c !!2:d !1:d ");
    EXPECT_INT(b.calls, 3);
    b.owner.received(b.owner.ctx, wshub_str_z("2:c"), p);

    EXPECT_INT(wshub_bus_unsubscribe(w.hub, two, c, false), WSHUB_OK);
    EXPECT_INT(wshub_bus_unsubscribe(w.hub, one, c, false), WSHUB_OK);
    wshub_io_fake_advance(w.net, 5000);
    EXPECT_LOG(&b, "--2:c -1:c ");

    /* without memory for a note it is given up at once, in its own way */
    EXPECT_INT(wshub_bus_subscribe(w.hub, two, c, false), WSHUB_OK);
    wshub_io_fake_run(w.net);
    w.fail_all = true;
    EXPECT_INT(wshub_bus_unsubscribe(w.hub, two, c, false), WSHUB_ERR_NOMEM);
    w.fail_all = false;
    EXPECT_LOG(&b, "++2:c --2:c ");
    world_stop(&w);
}

TEST(a_bus_without_sharded_channels_is_refused_by_who_wants_them) { /* BUS-7 */
    world w;
    ways b;
    wshub_bus bus = ways_bus(&b, false), half = ways_bus(&b, true);
    wshub_io_fake *net;
    wshub_desc d = DESC(.bus = &bus, .bus_sharded = true);
    wshub_dialect table = DIALECT(.name = "two", .bus_prefix = "2:", .bus_sharded = true,
                                  .on_bus_state = mute_state, .on_bus = mute_bus);
    wshub_emitter_desc ed = {.bus = &bus, .bus_sharded = true};
    uint32_t dialect;
    EXPECT_INT(wshub_io_fake_create(&FAKE(.seed = 1), &net), WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    EXPECT(strstr(wshub_desc_problem(&d), "bus_sharded: the bus has no sharded channels"));
    half.unsubscribe_sharded = NULL;
    d.bus = &half;
    EXPECT(wshub_desc_problem(&d) != NULL);
    half.subscribe_sharded = NULL;
    EXPECT(wshub_desc_problem(&d) != NULL);
    half.publish_sharded = NULL;
    EXPECT(wshub_desc_problem(&d) != NULL);
    d.bus = NULL; /* a hub that no other would hear */
    EXPECT(strstr(wshub_desc_problem(&d), "bus_sharded: it is about the bus") != NULL);
    d.bus_sharded = false;
    EXPECT(!wshub_desc_problem(&d));
    wshub_io_fake_destroy(net);
    EXPECT(strstr(wshub_emitter_problem(&ed), "bus_sharded: ") != NULL);

    world_start(&w, DESC(.bus = &bus), FAKE(.seed = 5));
    EXPECT(strstr(wshub_dialect_problem(w.hub, &table), "bus_sharded: the hub's bus") != NULL);
    EXPECT_INT(wshub_dialect_add(w.hub, &table, &dialect, &dialect), WSHUB_ERR_PARAM);
    table.on_bus_state = NULL;
    EXPECT(strstr(wshub_dialect_problem(w.hub, &table), "bus_sharded: has no patterns") != NULL);
    world_stop(&w);

    world_start(&w, DESC(0), FAKE(.seed = 5)); /* where there is no bus nothing is wrong with it */
    table.on_bus_state = mute_state;
    EXPECT_INT(wshub_dialect_add(w.hub, &table, &dialect, &dialect), WSHUB_OK);
    world_stop(&w);
}

/* ---- over a broker ---- */

static void both_run(site *s) {
    int i;
    for (i = 0; i < 4; i++) {
        site_run(&s[0]);
        site_run(&s[1]);
    }
}
static void both_start(site *s, broker *b, wshub_bus_redis_desc rd, wshub_io_fake_desc way) {
    site_start(&s[0], b, rd, DESC(.server_id = "A", .bus_sharded = true), way);
    site_start(&s[1], b, rd, DESC(.server_id = "B", .bus_sharded = true), way);
    site_advance(&s[0], 300);
    site_advance(&s[1], 300);
    EXPECT_INT(rstats(&s[0]).state, WSHUB_BUS_UP);
    EXPECT_INT(rstats(&s[1]).state, WSHUB_BUS_UP);
}

TEST(two_sharded_hubs_over_a_broker_hear_each_other_and_no_pattern_does) { /* BUS-7 */
    static site s[2], plain;
    static const wshub_io_fake_desc nets[] = {{0}, {.cut_bytes = 1}, {.completion = true}};
    int way, resp3;
    for (way = 0; way < 3; way++) {
        for (resp3 = 0; resp3 < 2; resp3++) {
            broker *b = fresh();
            wshub_bus_redis_desc rd = BUSDESC(.resp3 = resp3, .channel_prefix = "p:");
            wshub_conn a, c, e;
            both_start(s, b, rd, nets[way]);
            site_start(&plain, b, rd, DESC(.server_id = "C"), nets[way]);
            site_advance(&plain, 300);
            EXPECT_INT(rstats(&s[0]).subscribed, 1);
            a = world_client(&s[0].w, "a", NULL);
            c = world_client(&s[1].w, "c", NULL);
            e = world_client(&plain.w, "e", NULL);
            both_run(s);
            EXPECT_INT(rstats(&s[1]).subscribed, 6);
            site_send(&s[0], "", "1");
            site_send(&s[0], "ws-default", "2");
            both_run(s);
            site_run(&plain);
            EXPECT_TEXT(&s[0].w, a, "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&s[0].w, a, "{\"event\":\"m\",\"data\":2}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":1}");
            EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":2}");
            EXPECT_SILENCE(&s[1].w, c);
            EXPECT_SILENCE(&plain.w, e);
            EXPECT_INT(rstats(&s[0]).receivers, 4);
            broker_drop_all(b);
            site_stop(&s[0]);
            site_stop(&s[1]);
            site_stop(&plain);
        }
    }
}

static broker_link *shard_link(broker *b, const wshub_io_fake *net) {
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].net == net && broker_count(&b->links[i], true)) return &b->links[i];
    }
    return NULL;
}

TEST(what_the_broker_takes_away_is_subscribed_to_anew) { /* BUS-5, BUS-7 */
    static site s[2];
    broker *b = fresh();
    wshub_conn c;
    both_start(s, b, BUSDESC(0), FAKE(0));
    c = world_client(&s[1].w, "c", NULL);
    both_run(s);
    /* its slot goes to another node: Redis says so, and forgets the channel */
    broker_say_z(shard_link(b, s[0].w.net),
                 "*3\r\n$12\r\nsunsubscribe\r\n$12\r\nws:broadcast\r\n:0\r\n");
    wshub_io_fake_run(s[0].w.net);
    both_run(s);
    EXPECT(strstr(s[0].said, "a subscription was taken away: ws:broadcast") != NULL);
    EXPECT_INT(rstats(&s[0]).state, WSHUB_BUS_DOWN);
    site_advance(&s[0], 200);
    EXPECT_INT(rstats(&s[0]).state, WSHUB_BUS_UP);
    site_send(&s[0], "", "1");
    both_run(s);
    EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":1}");

    /* the connection is lost: all of it again, on both */
    broker_drop_all(b);
    site_advance(&s[0], 300);
    site_advance(&s[1], 300);
    EXPECT_INT(rstats(&s[1]).subscribed, 6);
    site_send(&s[0], "ws-default", "2");
    both_run(s);
    EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":2}");
    EXPECT_SILENCE(&s[1].w, c);
    broker_drop_all(b);
    site_stop(&s[0]);
    site_stop(&s[1]);
}

TEST(a_broker_that_knows_no_sharded_channels_is_told_of) { /* BUS-7 */
    static site s;
    broker *b = fresh();
    b->refuse = "SSUBSCRIBE";
    b->refusal = "-ERR unknown command 'SSUBSCRIBE'";
    site_start(&s, b, BUSDESC(0), DESC(.bus_sharded = true), FAKE(0));
    site_advance(&s, 200);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_DOWN);
    EXPECT(strstr(s.said, "a subscription is refused: ERR unknown command 'SSUBSCRIBE'") != NULL);
    site_stop(&s);
}

TEST(an_emitter_publishes_to_sharded_hubs) { /* EMIT-1, BUS-7 */
    static site s;
    broker *b = fresh();
    wshub_emitter *emitter;
    wshub_bus_redis *redis;
    wshub_msg m = msg("m", "7");
    wshub_conn a;
    int i;
    site_start(&s, b, BUSDESC(0), DESC(.bus_sharded = true), FAKE(0));
    site_advance(&s, 300);
    a = world_client(&s.w, "a", NULL);
    site_run(&s);
    EXPECT_INT(wshub_bus_redis_create(&BUSDESC(.io = wshub_io_fake_io(s.w.net),
                                               .url = "redis://broker", .publish_only = true),
                                      &redis),
               WSHUB_OK);
    EXPECT_INT(wshub_emitter_create(
                   &(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis), .bus_sharded = true},
                   &emitter),
               WSHUB_OK);
    EXPECT_INT(wshub_emitter_send(emitter, NULL, &m), WSHUB_OK);
    EXPECT_INT(wshub_emitter_publish(emitter, wshub_str_z("ws:broadcast"),
                                     wshub_str_z("{\"serverId\":\"x\",\"type\":\"broadcast\","
                                                 "\"event\":\"m\",\"data\":8}")),
               WSHUB_OK);
    for (i = 0; i < 5; i++) site_advance(&s, 100);
    EXPECT_TEXT(&s.w, a, "{\"event\":\"m\",\"data\":7}");
    EXPECT_TEXT(&s.w, a, "{\"event\":\"m\",\"data\":8}");
    wshub_emitter_destroy(emitter);
    wshub_bus_redis_destroy(redis);
    site_stop(&s);
}

/* ---- a Cluster ---- */

#define NODE(host, port) "*2\r\n" host ":" port "\r\n"
/* Two masters, the second behind an address of IPv6; each has half of the slots. */
#define HALVES                                                                                     \
    "*2\r\n*3\r\n:0\r\n:8191\r\n" NODE("$2\r\nn1\r\n",                                             \
                                       "1") "*3\r\n:8192\r\n:16383\r\n" NODE("$3\r\n::1\r\n", "2")

/* How many sharded channels are subscribed to at an address. */
static size_t shards_at(const broker *b, const char *address) {
    size_t n = 0;
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && strcmp(b->links[i].address, address) == 0)
            n += broker_count(&b->links[i], true);
    }
    return n;
}

TEST(channels_of_a_cluster_are_at_the_master_of_their_slot) { /* BUS-7 */
    static site s[2];
    broker *b = fresh();
    wshub_str none = {"", 0};
    wshub_conn a, c;
    char room[8];
    int i;
    b->slots = HALVES;
    both_start(s, b, BUSDESC(.cluster = true), FAKE(0));
    EXPECT_INT(b->dials, 2 * (2 + 4));
    /* CRC-16 of Redis: `123456789` is 0x31C3; of a hash tag alone; none where it is empty */
    EXPECT_INT(wshub_bus_redis__slot(none, wshub_str_z("123456789")), 0x31C3);
    EXPECT_INT(wshub_bus_redis__slot(none, wshub_str_z("a{123456789}{b}")), 0x31C3);
    EXPECT_INT(wshub_bus_redis__slot(wshub_str_z("x{12345"), wshub_str_z("6789}")), 0x31C3);
    EXPECT(wshub_bus_redis__slot(none, wshub_str_z("{}123456789")) != 0x31C3);
    a = world_client(&s[0].w, "a", NULL);
    c = world_client(&s[1].w, "c", NULL);
    both_run(s);
    EXPECT_INT(shards_at(b, "n1:1") + shards_at(b, "[::1]:2"), 12);
    EXPECT(shards_at(b, "n1:1") > 0 && shards_at(b, "[::1]:2") > 0);
    EXPECT_INT(rstats(&s[0]).subscribed, 6);
    site_send(&s[0], "", "1");
    site_send(&s[0], "ws-default", "2");
    both_run(s);
    EXPECT_TEXT(&s[0].w, a, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&s[1].w, c, "{\"event\":\"m\",\"data\":2}");
    EXPECT_SILENCE(&s[1].w, c);
    site_advance(&s[0], 5000); /* heartbeats on all of them */
    site_advance(&s[1], 5000);
    EXPECT_INT(rstats(&s[0]).downs, 0);

    /* a master that has lost its slots says so (tests/test_redis_moves.c) */
    b->moved = "n1:1";
    b->moved_to = "::1:2";
    for (i = 0; i < 10 && !rstats(&s[0]).refused; i++) {
        (void)snprintf(room, sizeof room, "r%d", i);
        site_send(&s[0], room, "3");
        both_run(s);
    }
    EXPECT(strstr(s[0].said, "refused: MOVED ") != NULL);
    b->slots = "*1\r\n*3\r\n:0\r\n:16383\r\n" NODE("$3\r\n::1\r\n", "2");
    for (i = 0; i < 16384; i++) broker_take_away(b, "n1:1", (uint32_t)i);
    site_advance(&s[0], 500);
    EXPECT_INT(rstats(&s[0]).downs, 0);
    EXPECT_INT(rstats(&s[0]).subscribed, 6);
    EXPECT_INT(shards_at(b, "n1:1"), 0);
    broker_drop_all(b);
    site_stop(&s[0]);
    site_stop(&s[1]);
}

TEST(slots_that_are_none_are_told_of) { /* bad input */
    static const struct {
        const char *slots, *why;
    } cases[] = {
        {NULL, "no node of a Cluster: ERR"},
        {"*0\r\n", "a Cluster whose slots nobody has"},
        {":1\r\n", "a Cluster whose slots nobody has"},
        {"*1\r\n:1\r\n", "the slots of the Cluster are none"},
        {"*1\r\n*2\r\n:0\r\n:1\r\n", "the slots of the Cluster are none"},
        {"*1\r\n*3\r\n:0\r\n:16384\r\n" NODE("$2\r\nn1\r\n", "1"), "the slots"},
        {"*1\r\n*3\r\n:-1\r\n:5\r\n" NODE("$2\r\nn1\r\n", "1"), "the slots"},
        {"*1\r\n*3\r\n:7\r\n:5\r\n" NODE("$2\r\nn1\r\n", "1"), "the slots"},
        {"*1\r\n*3\r\n:0\r\n:5\r\n:1\r\n", "the slots"},
        {"*1\r\n*3\r\n:0\r\n:5\r\n*1\r\n$2\r\nn1\r\n", "the slots"},
        {"*1\r\n*3\r\n:0\r\n:5\r\n" NODE("$2\r\nn1\r\n", "0"), "the slots"},
        {"*1\r\n*3\r\n:0\r\n:5\r\n" NODE("$2\r\nn1\r\n", "65536"), "the slots"},
    };
    static site s;
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        broker *b = fresh();
        b->slots = cases[i].slots;
        site_start(&s, b, BUSDESC(.cluster = true), DESC(.bus_sharded = true), FAKE(0));
        site_advance(&s, 100);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_DOWN);
        EXPECT(strstr(s.said, cases[i].why) != NULL);
        broker_drop_all(b);
        site_stop(&s);
    }
}

TEST(a_cluster_has_neither_sentinels_nor_a_driver) {
    wshub_io_fake *net;
    wshub_bus_redis_driver driver = {.version = WSHUB_BUS_REDIS_DRIVER_VERSION};
    wshub_bus_redis_desc d = {.url = "redis://h", .cluster = true};
    EXPECT_INT(wshub_io_fake_create(&FAKE(.seed = 1), &net), WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    EXPECT(!wshub_bus_redis_desc_problem(&d));
    d.sentinel = "m";
    EXPECT(strstr(wshub_bus_redis_desc_problem(&d), "cluster: ") != NULL);
    d.sentinel = NULL;
    d.driver = &driver;
    EXPECT(strstr(wshub_bus_redis_desc_problem(&d), "cluster: ") != NULL);
    wshub_io_fake_destroy(net);
}
