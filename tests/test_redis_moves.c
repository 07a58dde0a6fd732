/* Slots of a Redis Cluster that go from one node to another, over a broker in memory: what moved is
 * subscribed to anew, and nothing else; what was lost is told, and nothing comes twice. */
#include "hubtest.h"
#include "redis_site.h"

#define NODE(host, port) "*2\r\n" host ":" port "\r\n"
/* Two masters, each with half of the slots; the same with all slots at the second. */
#define HALVES                                                                                     \
    "*2\r\n*3\r\n:0\r\n:8191\r\n" NODE("$2\r\nn1\r\n",                                             \
                                       "1") "*3\r\n:8192\r\n:16383\r\n" NODE("$2\r\nn2\r\n", "2")
#define SECOND "*1\r\n*3\r\n:0\r\n:16383\r\n" NODE("$2\r\nn2\r\n", "2")
#define ROOM "ws:room:ws-default"

enum { HUBS = 2 };
typedef struct cluster {
    broker *b;
    site s[HUBS];
    wshub_conn client[HUBS];
    uint32_t slot; /* of the room that all clients are in */
    const char *at, *other;
} cluster;

static void cluster_run(cluster *c) {
    int i;
    for (i = 0; i < 8; i++) {
        site_run(&c->s[0]);
        site_run(&c->s[1]);
        wshub_io_fake_run(c->s[0].w.net);
        wshub_io_fake_run(c->s[1].w.net);
    }
}
static void cluster_advance(cluster *c, uint64_t ms) {
    for (; ms; ms -= ms < 10 ? ms : 10) {
        site_advance(&c->s[0], ms < 10 ? ms : 10);
        site_advance(&c->s[1], ms < 10 ? ms : 10);
    }
}

static cluster *cluster_start(wshub_bus_redis_desc rd, wshub_io_fake_desc way) {
    static cluster the_cluster;
    static const char *const ids[] = {"A", "B"};
    cluster *c = &the_cluster;
    int i;
    memset(c, 0, sizeof *c);
    c->b = fresh();
    c->b->slots = HALVES;
    c->slot = broker_slot(wshub_str_z(ROOM));
    c->at = c->slot < 8192 ? "n1:1" : "n2:2";
    c->other = c->slot < 8192 ? "n2:2" : "n1:1";
    rd.cluster = true;
    for (i = 0; i < HUBS; i++) {
        site_start(&c->s[i], c->b, rd, DESC(.server_id = ids[i], .bus_sharded = true), way);
        site_advance(&c->s[i], 300);
        EXPECT_INT(rstats(&c->s[i]).state, WSHUB_BUS_UP);
        c->client[i] = world_client(&c->s[i].w, ids[i], NULL);
    }
    cluster_run(c);
    for (i = 0; i < HUBS; i++) {
        EXPECT_INT(rstats(&c->s[i]).subscribed, 6);
        c->s[i].w.log_len = 0;
        c->s[i].w.log[0] = 0;
    }
    return c;
}
static void cluster_stop(cluster *c) {
    broker_drop_all(c->b);
    site_stop(&c->s[0]);
    site_stop(&c->s[1]);
}

/* How many sharded channels of a slot are subscribed to at an address. */
static size_t subs_at(const broker *b, const char *address, uint32_t slot) {
    size_t n = 0, k;
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        const broker_link *l = &b->links[i];
        for (k = 0; l->conn.id && strcmp(l->address, address) == 0 && k < l->subs_count; k++) {
            wshub_str name;
            name.ptr = l->subs[k].name;
            name.len = l->subs[k].len;
            n += l->subs[k].way == BROKER_SHARDED && broker_slot(name) == slot;
        }
    }
    return n;
}

/* How many connections there are to an address. */
static int links_at(const broker *b, const char *address) {
    int i, n = 0;
    for (i = 0; i < BROKER_LINKS; i++)
        n += b->links[i].conn.id && strcmp(b->links[i].address, address) == 0;
    return n;
}

/* The connection of a hub that has subscribed at an address; else any. */
static broker_link *link_to(broker *b, const site *s, const char *address) {
    broker_link *found = NULL;
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        broker_link *l = &b->links[i];
        if (!l->conn.id || l->net != s->w.net || strcmp(l->address, address) != 0) continue;
        if (!found || l->subs_count) found = l;
    }
    EXPECT(found != NULL);
    return found ? found : &b->links[0];
}

/* The slot goes to `to`: its former node takes its channels away, and sends who asks to the new one. */
static void slot_goes(cluster *c, const char *to) {
    c->b->moved = c->at;
    c->b->moved_to = to;
    c->b->moved_slot = c->slot;
    broker_take_away(c->b, c->at, c->slot);
}

/* One message in the room from one of the hubs: it comes to each client once. */
static void tell(cluster *c, int from, const char *data, const char *want) {
    site_send(&c->s[from], "ws-default", data);
    cluster_run(c);
    EXPECT_TEXT(&c->s[0].w, c->client[0], want);
    EXPECT_TEXT(&c->s[1].w, c->client[1], want);
    EXPECT_SILENCE(&c->s[0].w, c->client[0]);
    EXPECT_SILENCE(&c->s[1].w, c->client[1]);
}

TEST(only_what_has_moved_is_subscribed_to_anew_and_the_gap_is_told_once) { /* BUS-5, BUS-7 */
    static const wshub_io_fake_desc nets[] = {{0}, {.cut_bytes = 1}, {.completion = true}};
    int way, resp3, i;
    for (way = 0; way < 3; way++) {
        for (resp3 = 0; resp3 < 2; resp3++) {
            cluster *c = cluster_start(BUSDESC(.resp3 = resp3), nets[way]);
            broker *b = c->b;
            uint64_t dials = b->dials;
            EXPECT_INT(subs_at(b, c->at, c->slot), 2);
            slot_goes(c, c->other);
            cluster_run(c);
            cluster_advance(c, 100);
            EXPECT_INT(subs_at(b, c->other, c->slot), 2);
            EXPECT_INT(subs_at(b, c->at, c->slot), 0);
            EXPECT_INT(b->dials, dials);
            for (i = 0; i < HUBS; i++) {
                EXPECT_INT(rstats(&c->s[i]).moved, 1);
                EXPECT_INT(rstats(&c->s[i]).downs, 0);
                EXPECT_INT(rstats(&c->s[i]).subscribed, 6);
                EXPECT_INT(rstats(&c->s[i]).unacknowledged, 0);
                EXPECT_INT(rstats(&c->s[i]).refused, 0);
                EXPECT_STR(c->s[i].w.log, "up(0) ");
                EXPECT_HAS(c->s[i].said, "slots have moved: what was published to their channels");
            }
            tell(c, 0, "1", "{\"event\":\"m\",\"data\":1}");
            tell(c, 1, "2", "{\"event\":\"m\",\"data\":2}");

            /* those who come and go afterwards are asked for where it is now */
            (void)world_client(&c->s[0].w, "e", NULL);
            cluster_run(c);
            EXPECT_INT(rstats(&c->s[0]).subscribed, 9);
            cluster_advance(c, 12000);
            EXPECT_INT(rstats(&c->s[0]).downs, 0);
            EXPECT_STR(c->s[0].w.log, "up(0) ");
            cluster_stop(c);
        }
    }
}

TEST(what_was_on_its_way_to_the_former_node_is_refused_and_told_and_what_follows_arrives) {
    cluster *c = cluster_start(BUSDESC(0), FAKE(0));
    uint64_t dials = c->b->dials;
    c->b->moved = c->at;
    c->b->moved_to = c->other;
    c->b->moved_slot = c->slot;
    site_send(&c->s[0], "ws-default", "1");
    site_send(&c->s[0], "ws-default", "2");
    cluster_run(c);
    EXPECT_INT(rstats(&c->s[0]).refused, 2);
    EXPECT_HAS(c->s[0].said, "a publication is refused: MOVED ");
    EXPECT_STR(c->s[0].w.log, "up(0) up(0) "); /* they were answered in two turns */
    EXPECT_STR(c->s[1].w.log, "");
    EXPECT_TEXT(&c->s[0].w, c->client[0], "{\"event\":\"m\",\"data\":1}"); /* here they are heard */
    EXPECT_TEXT(&c->s[0].w, c->client[0], "{\"event\":\"m\",\"data\":2}");
    EXPECT_SILENCE(&c->s[1].w, c->client[1]);

    broker_take_away(c->b, c->at, c->slot);
    cluster_run(c);
    cluster_advance(c, 100);
    EXPECT_INT(rstats(&c->s[0]).moved, 1);
    EXPECT_INT(rstats(&c->s[1]).moved, 1);
    tell(c, 0, "3", "{\"event\":\"m\",\"data\":3}");
    EXPECT_INT(rstats(&c->s[0]).refused, 2);
    EXPECT_INT(c->b->dials, dials);
    cluster_stop(c);
}

TEST(a_node_that_gets_its_first_slots_is_connected_to_and_one_without_any_is_only_asked) {
    cluster *c = cluster_start(BUSDESC(0), FAKE(0));
    uint64_t dials = c->b->dials;
    int i;
    slot_goes(c, "n3:3");
    cluster_run(c);
    cluster_advance(c, 200);
    EXPECT_INT(c->b->dials, dials + HUBS * 2);
    EXPECT_INT(subs_at(c->b, "n3:3", c->slot), 2);
    tell(c, 0, "1", "{\"event\":\"m\",\"data\":1}");
    EXPECT_INT(rstats(&c->s[0]).moved, 1);
    EXPECT_INT(rstats(&c->s[0]).downs, 0);
    for (i = 0; i < 5; i++) tell(c, 1, "2", "{\"event\":\"m\",\"data\":2}");

    /* its slots go to the second, and then all others */
    c->b->slots = SECOND;
    c->b->moved_slot = 0;
    c->b->moved_to = "n2:2";
    for (i = 0; i < 2; i++) {
        uint32_t slot;
        c->b->moved = i ? "n1:1" : "n3:3";
        for (slot = 0; slot < 16384; slot++) broker_take_away(c->b, c->b->moved, slot);
        cluster_advance(c, 13000);
        EXPECT_INT(rstats(&c->s[0]).downs, 0);
        EXPECT_INT(rstats(&c->s[0]).subscribed, 6);
        tell(c, 0, "3", "{\"event\":\"m\",\"data\":3}");
        EXPECT(!links_at(c->b, c->b->moved));
    }
    cluster_stop(c);
}

TEST(a_new_node_that_cannot_be_reached_begins_everything_anew) {
    cluster *c = cluster_start(BUSDESC(0), FAKE(0));
    uint64_t published = rstats(&c->s[0]).published;
    c->b->hole = "n3:3";
    slot_goes(c, "n3:3");
    cluster_advance(c, 1000);
    EXPECT_INT(rstats(&c->s[0]).downs, 0);
    site_send(&c->s[0], "ws-default", "1"); /* waits, as in any busy time */
    cluster_advance(c, 5000);
    EXPECT_INT(rstats(&c->s[0]).downs, 1);
    EXPECT_INT(rstats(&c->s[0]).refused, 0);
    c->b->moved = NULL;
    c->b->slots = SECOND;
    cluster_advance(c, 6000);
    EXPECT_INT(rstats(&c->s[0]).state, WSHUB_BUS_UP);
    EXPECT_INT(rstats(&c->s[0]).published, published + 1);
    EXPECT_INT(rstats(&c->s[0]).refused + rstats(&c->s[0]).unconfirmed, 0);
    cluster_stop(c);
}

TEST(nodes_that_send_each_other_what_neither_takes_are_given_up_in_time) {
    cluster *c = cluster_start(BUSDESC(.connect_timeout_ms = 2000), FAKE(0));
    uint64_t commands;
    c->b->moved_back = c->other;
    slot_goes(c, c->other);
    cluster_advance(c, 200);
    EXPECT_INT(rstats(&c->s[0]).downs, 0);
    commands = c->b->commands;
    cluster_advance(c, 1000);
    EXPECT_OP(c->b->commands - commands, <, 2 * 1000 / 50 + 100); /* it is no race */
    EXPECT_STR(c->s[0].w.log, "");
    cluster_advance(c, 1500);
    EXPECT_INT(rstats(&c->s[0]).downs, 1);
    EXPECT_HAS(c->s[0].said, "lost broker:6379: a slot has moved, and no node takes its channels");
    c->b->moved = c->b->moved_back = NULL;
    cluster_advance(c, 1000);
    EXPECT_INT(rstats(&c->s[0]).state, WSHUB_BUS_UP);
    tell(c, 0, "1", "{\"event\":\"m\",\"data\":1}");
    cluster_stop(c);
}

TEST(nodes_that_agree_late_cost_a_while_and_no_connection) {
    cluster *c = cluster_start(BUSDESC(0), FAKE(0));
    c->b->moved_back = c->other;
    slot_goes(c, c->other);
    cluster_advance(c, 1000);
    c->b->moved_back = NULL;
    cluster_advance(c, 200);
    EXPECT_INT(rstats(&c->s[0]).downs, 0);
    EXPECT_INT(rstats(&c->s[0]).moved, 1);
    EXPECT_STR(c->s[0].w.log, "up(0) ");
    tell(c, 1, "1", "{\"event\":\"m\",\"data\":1}");
    cluster_stop(c);
}

TEST(a_slot_that_is_asked_about_elsewhere_is_asked_about_again_until_it_is_one_nodes) {
    cluster *c = cluster_start(BUSDESC(0), FAKE(0));
    c->b->moved_asks = true;
    slot_goes(c, c->other);
    cluster_advance(c, 500);
    EXPECT_INT(rstats(&c->s[0]).downs, 0);
    EXPECT_INT(subs_at(c->b, c->other, c->slot), 0);
    site_send(&c->s[0], "ws-default", "1");
    cluster_run(c);
    EXPECT_INT(rstats(&c->s[0]).refused, 1);
    c->b->moved_asks = false;
    cluster_advance(c, 200);
    EXPECT_INT(subs_at(c->b, c->other, c->slot), 2);
    EXPECT_STR(c->s[0].w.log, "up(0) ");
    EXPECT_TEXT(&c->s[0].w, c->client[0], "{\"event\":\"m\",\"data\":1}");
    tell(c, 1, "2", "{\"event\":\"m\",\"data\":2}");
    cluster_stop(c);
}

/* Whoever gives a channel up while it is taken away has given it up, and who wants it again in the
 * same moment has it: in whatever order the words cross. */
TEST(changes_that_cross_a_move_keep_their_order) {
    int leaves, comes_back, taken_first;
    for (leaves = 0; leaves < 2; leaves++) {
        for (comes_back = 0; comes_back < 2; comes_back++) {
            for (taken_first = 0; taken_first < 2; taken_first++) {
                cluster *c = cluster_start(
                    BUSDESC(.heartbeat_ms = 10000, .heartbeat_timeout_ms = 60000), FAKE(0));
                site *s = &c->s[0];
                wshub_iter it = {0, 0};
                wshub_client who;
                c->slot = broker_slot(wshub_str_z("ws:room:x"));
                c->at = c->slot < 8192 ? "n1:1" : "n2:2";
                c->other = c->slot < 8192 ? "n2:2" : "n1:1";
                EXPECT(wshub_client_each(s->w.hub, &it, &who));
                EXPECT_INT(wshub_client_join(s->w.hub, who, wshub_str_z("x")), WSHUB_OK);
                cluster_advance(c, 50);
                EXPECT_INT(subs_at(c->b, c->at, c->slot), 1);

                if (taken_first) slot_goes(c, c->other);
                if (leaves)
                    EXPECT_INT(wshub_client_leave(s->w.hub, who, wshub_str_z("x")), WSHUB_OK);
                cluster_advance(c, 1);
                wshub_io_fake_advance(s->w.net,
                                      5000); /* its time to linger is over: said, unread */
                if (!taken_first) slot_goes(c, c->other);
                if (comes_back)
                    EXPECT_INT(wshub_client_join(s->w.hub, who, wshub_str_z("x")), WSHUB_OK);
                cluster_advance(c, 12000);
                EXPECT_INT(subs_at(c->b, c->at, c->slot), 0);
                EXPECT_INT(subs_at(c->b, c->other, c->slot), !leaves || comes_back);
                EXPECT_INT(rstats(s).unacknowledged, 0);
                EXPECT_INT(rstats(s).subscribed, 6 + (!leaves || comes_back));
                EXPECT_INT(rstats(s).downs, 0);
                cluster_stop(c);
            }
        }
    }
}

/* Whoever asks the nodes may hear of a move before the former node has answered what was said to it:
 * what is said of a channel then comes behind that. */
static uint32_t slow_ms(void *ctx) {
    return *(uint32_t *)ctx;
}

TEST(a_change_waits_for_what_was_said_to_a_node_whose_slots_have_gone) { /* BUS-7 */
    cluster *c = cluster_start(BUSDESC(.nodes_ms = 100), FAKE(0));
    const wshub_bus *bus = wshub_bus_redis_bus(c->s[0].redis);
    wshub_bus_channel channel = {{NULL, 0}, false};
    char name[32];
    uint32_t delay = 0;
    bool taken;
    int i;
    for (i = 0; !i || c->slot >= 8192 || subs_at(c->b, "n1:1", c->slot); i++) {
        (void)snprintf(name, sizeof name, "ws:room:x%d", i);
        channel.name = wshub_str_z(name);
        c->slot = broker_slot(channel.name);
    }
    c->b->delay_ms = slow_ms;
    c->b->ctx = &delay;
    c->b->moved = "n1:1";
    c->b->moved_to = "n2:2";
    c->b->moved_slot = c->slot;
    EXPECT(bus->subscribe_sharded(bus->ctx, &channel, 1));
    bus->flush(bus->ctx);
    delay = 2000;
    wshub_io_fake_run(c->s[0].w.net);
    (void)broker_step(c->b, c->s[0].w.net);
    delay = 0;
    c->b->slots = SECOND;
    cluster_advance(c, 1200);
    EXPECT_INT(c->s[0].redis->cluster->slots[c->slot], 1);
    EXPECT_INT(rstats(&c->s[0]).unacknowledged, 1); /* the answer is on its way */

    taken = bus->unsubscribe_sharded(bus->ctx, &channel, 1);
    cluster_advance(c, 2000);
    if (!taken) EXPECT(bus->unsubscribe_sharded(bus->ctx, &channel, 1));
    cluster_advance(c, 500);
    EXPECT_INT(subs_at(c->b, "n2:2", c->slot), 0);
    EXPECT_INT(rstats(&c->s[0]).downs, 0);
    EXPECT_INT(rstats(&c->s[0]).unacknowledged, 0);
    cluster_stop(c);
}

TEST(what_a_node_says_of_a_move_that_makes_no_sense_begins_everything_anew) { /* bad input */
    static const char *const wrong[] = {"MOVED x n2:2",  "MOVED 16384 n2:2",
                                        "MOVED -1 n2:2", "MOVED 1 n2",
                                        "MOVED 1 n2:0",  "MOVED 1",
                                        "MOVED 1 n2:x",  "MOVED ",
                                        "ASK 1",         "MOVED 99999999999999999999 n2:2"};
    size_t i;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cluster *c = cluster_start(BUSDESC(0), FAKE(0));
        char said[60];
        (void)snprintf(said, sizeof said, "-%s", wrong[i]);
        c->b->refuse = i % 2 ? "SPUBLISH" : "SSUBSCRIBE";
        c->b->refusal = said;
        if (i % 2)
            site_send(&c->s[0], "ws-default", "1");
        else
            (void)world_client(&c->s[0].w, "e", NULL);
        cluster_run(c);
        EXPECT_INT(rstats(&c->s[0]).downs, 1);
        EXPECT_HAS(c->s[0].said, "is refused: ");
        c->b->refuse = NULL;
        cluster_advance(c, 300);
        EXPECT_INT(rstats(&c->s[0]).state, WSHUB_BUS_UP);
        cluster_stop(c);
    }
}

/* A node that takes away what nobody has there, again and again, and reads nothing: it is not
 * followed, or what is to be asked for anew would grow without end. Nobody has less than nothing. */
TEST(what_is_taken_away_without_being_there_begins_everything_anew) { /* bad input */
    int have;
    for (have = 0; have >= -1; have--) {
        cluster *c = cluster_start(BUSDESC(0), FAKE(0));
        broker_link *l = link_to(c->b, &c->s[0], c->at);
        char push[200];
        int i;
        (void)snprintf(push, sizeof push, "*3\r\n$12\r\nsunsubscribe\r\n$%d\r\n%s\r\n:%d\r\n",
                       (int)strlen(ROOM), ROOM, have);
        l->frozen = true;
        for (i = 0; i < 1000 && l->conn.id; i++) broker_say_z(l, push);
        cluster_run(c);
        EXPECT_INT(rstats(&c->s[0]).downs, 1);
        cluster_advance(c, 300);
        EXPECT_INT(rstats(&c->s[0]).state, WSHUB_BUS_UP);
        EXPECT_INT(rstats(&c->s[0]).subscribed, 6);
        cluster_stop(c);
    }
}

/* A broker may say any number: of many connections they add up to no more than there can be. */
TEST(how_many_channels_a_broker_says_that_we_have_is_not_believed) { /* bad input */
    cluster *c = cluster_start(BUSDESC(0), FAKE(0));
    uint64_t beyond = 3 * (uint64_t)UINT32_MAX; /* two masters, and the first connection */
    c->b->counts = "9223372036854775807";
    broker_drop_all(c->b);
    cluster_advance(c, 500);
    EXPECT_INT(rstats(&c->s[0]).state, WSHUB_BUS_UP);
    EXPECT_OP(rstats(&c->s[0]).subscribed, <=, beyond);
    (void)world_client(&c->s[0].w, "e", NULL);
    cluster_run(c);
    EXPECT_INT(rstats(&c->s[0]).state, WSHUB_BUS_UP);
    tell(c, 0, "1", "{\"event\":\"m\",\"data\":1}");
    cluster_stop(c);
}

TEST(memory_that_fails_while_a_slot_moves_loses_no_channel) {
    long at;
    for (at = 1; at < 30; at++) {
        cluster *c = cluster_start(BUSDESC(0), FAKE(0));
        c->s[0].w.fail_at = at;
        slot_goes(c, c->other);
        cluster_advance(c, 300);
        c->s[0].w.fail_at = 0;
        cluster_advance(c, 2000);
        EXPECT_INT(rstats(&c->s[0]).state, WSHUB_BUS_UP);
        EXPECT_INT(subs_at(c->b, c->other, c->slot), 2);
        tell(c, 1, "1", "{\"event\":\"m\",\"data\":1}");
        cluster_stop(c);
    }
}

/* Names come and go with what stands before all of the bus's channels, which counts for the slot. */
TEST(a_prefix_is_part_of_what_moves) { /* BUS-6 */
    cluster *c = cluster_start(BUSDESC(.channel_prefix = "p:"), FAKE(0));
    c->slot = broker_slot(wshub_str_z("p:" ROOM));
    c->at = c->slot < 8192 ? "n1:1" : "n2:2";
    c->other = c->slot < 8192 ? "n2:2" : "n1:1";
    EXPECT_INT(subs_at(c->b, c->at, c->slot), 2);
    slot_goes(c, c->other);
    cluster_advance(c, 100);
    EXPECT_INT(subs_at(c->b, c->other, c->slot), 2);
    EXPECT_STR(c->s[0].w.log, "up(0) ");
    tell(c, 0, "1", "{\"event\":\"m\",\"data\":1}");

    /* a channel without it is none of ours: nobody can have subscribed to it */
    broker_say_z(link_to(c->b, &c->s[0], c->at), "*3\r\n$12\r\nsunsubscribe\r\n$1\r\nx\r\n:0\r\n");
    wshub_io_fake_run(c->s[0].w.net);
    EXPECT_INT(rstats(&c->s[0]).downs, 1);
    EXPECT_HAS(c->s[0].said, "a subscription was taken away: x");
    cluster_stop(c);
}

TEST(an_emitter_follows_what_moves) { /* EMIT-1, BUS-7 */
    cluster *c = cluster_start(BUSDESC(0), FAKE(0));
    wshub_bus_redis *redis;
    wshub_emitter *emitter;
    wshub_bus_redis_stats st;
    wshub_msg m = msg("m", "1");
    wshub_dest to;
    int i;
    memset(&to, 0, sizeof to);
    to.kind = WSHUB_DEST_ROOM;
    to.name = wshub_str_z("ws-default");
    EXPECT_INT(wshub_bus_redis_create(&BUSDESC(.io = wshub_io_fake_io(c->s[0].w.net),
                                               .cluster = true, .url = "redis://broker",
                                               .publish_only = true, .no_log = true),
                                      &redis),
               WSHUB_OK);
    EXPECT_INT(wshub_emitter_create(
                   &(wshub_emitter_desc){.bus = wshub_bus_redis_bus(redis), .bus_sharded = true},
                   &emitter),
               WSHUB_OK);
    cluster_advance(c, 300);
    slot_goes(c, "n3:3");
    cluster_advance(c, 200);
    for (i = 0; i < 2; i++) { /* the first one goes to where it was */
        EXPECT_INT(wshub_emitter_send(emitter, &to, &m), WSHUB_OK);
        cluster_advance(c, 300);
    }
    wshub_bus_redis_stats_get(redis, &st);
    EXPECT_INT(st.refused, 1);
    EXPECT_INT(st.published, 2);
    EXPECT_INT(st.downs, 0);
    EXPECT_TEXT(&c->s[0].w, c->client[0], "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&c->s[1].w, c->client[1], "{\"event\":\"m\",\"data\":1}");
    EXPECT_SILENCE(&c->s[1].w, c->client[1]);
    wshub_emitter_destroy(emitter);
    wshub_bus_redis_destroy(redis);
    cluster_stop(c);
}

static void destroy_on_gap(wshub *hub, wshub_bus_state state, uint64_t ms, void *user) {
    world *w = (world *)user;
    bool gap = w->log_len > 0;
    EXPECT_INT(state, WSHUB_BUS_UP);
    world_note(w, gap ? "gap " : "up ");
    if (!gap) return;
    EXPECT_INT(ms, 0);
    w->hub = NULL;
    wshub_destroy(hub);
}

TEST(whoever_is_told_of_a_gap_may_end_the_hub) {
    static site s;
    broker *b = fresh();
    uint32_t slot = broker_slot(wshub_str_z("ws:broadcast"));
    const char *at = slot < 8192 ? "n1:1" : "n2:2";
    b->slots = HALVES;
    site_start(&s, b, BUSDESC(.cluster = true), DESC(.bus_sharded = true, .on_bus = destroy_on_gap),
               FAKE(0));
    site_advance(&s, 300);
    EXPECT_STR(s.w.log, "up ");
    b->moved = at;
    b->moved_to = slot < 8192 ? "n2:2" : "n1:1";
    broker_take_away(b, at, slot);
    site_advance(&s, 100);
    EXPECT(!s.w.hub);
    EXPECT_STR(s.w.log, "up gap ");
    site_stop(&s);
}
