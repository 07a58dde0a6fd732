/* Servers of Socket.IO that subscribe in different ways (wshub_sio_desc.bus_mode), over a broker in
 * memory: all of a server's rooms are reached by all others, whatever they are called, and what
 * each asks the broker for. */
#include "sio_broker.h"

static broker the_broker;
static broker *fresh_broker(void) {
    memset(&the_broker, 0, sizeof the_broker);
    the_broker.role = "master";
    return &the_broker;
}

/* Is there a subscription of this name, in this way? */
static bool subscribed(const broker *b, const sio_node *n, const char *name, int way) {
    int i;
    size_t k;
    for (i = 0; i < BROKER_LINKS; i++) {
        const broker_link *l = &b->links[i];
        for (k = 0; l->net == n->s.w.net && k < l->subs_count; k++) {
            if (l->subs[k].way == way && l->subs[k].len == strlen(name) &&
                memcmp(l->subs[k].name, name, strlen(name)) == 0)
                return true;
        }
    }
    return false;
}

/* Both ways between a server of one kind and one of another: to all, to a room, to one whose name
 * is a number, to a name of 20 characters, to a socket's id, and to several at once. */
static void cross(wshub_sio_bus_mode one, wshub_sio_bus_mode two) {
    static sio_node n[2];
    static const char *const twenty = "abcdefghijklmnopqrst";
    broker *b = fresh_broker();
    char id[2][21];
    wshub_conn c[2];
    int i;
    sio_node_start(&n[0], b, (wshub_sio_desc){.bus_mode = one}, 1);
    sio_node_start(&n[1], b, (wshub_sio_desc){.bus_mode = two}, 2);
    sio_nodes_run(n, 2, 200);
    for (i = 0; i < 2; i++) {
        EXPECT_INT(sio_node_redis(&n[i]).state, WSHUB_BUS_UP);
        c[i] = sio_node_joins(&n[i], "", "{\"rooms\":[\"r\",42,\"abcdefghijklmnopqrst\"]}", id[i]);
    }
    sio_nodes_run(n, 2, 0);
    for (i = 0; i < 2; i++) {
        sio_node *from = &n[i], *to = &n[1 - i];
        wshub_str rooms[2];
        wshub_packet packet = {.event = wshub_str_z("m")};
        wshub_dest both = {.kind = WSHUB_DEST_ROOM, .rooms = rooms, .rooms_count = 2};
        rooms[0] = wshub_str_z("r");
        rooms[1] = wshub_str_z("nobody");
        sio_node_emit(from, "", "1");
        sio_node_emit(from, "r", "2");
        sio_node_emit(from, "42", "3");
        sio_node_emit(from, twenty, "4");
        sio_node_emit(from, id[1 - i], "5");
        sio_node_emit(from, "nobody", "6");
        EXPECT_INT(wshub_sio_emit(from->sio, wshub_sio_of(from->sio, "/"), &both, &packet),
                   WSHUB_OK);
        sio_nodes_run(n, 2, 0);
        EXPECT_TEXT(&to->s.w, c[1 - i], "42[\"m\",1]");
        EXPECT_TEXT(&to->s.w, c[1 - i], "42[\"m\",2]");
        EXPECT_TEXT(&to->s.w, c[1 - i], "42[\"m\",3]");
        EXPECT_TEXT(&to->s.w, c[1 - i], "42[\"m\",4]");
        EXPECT_TEXT(&to->s.w, c[1 - i], "42[\"m\",5]");
        EXPECT_TEXT(&to->s.w, c[1 - i], "42[\"m\"]");
        EXPECT_SILENCE(&to->s.w, c[1 - i]);
        while (wshub_io_fake_next(from->s.w.net, c[i], &(wshub_io_fake_frame){0})) {
        }
    }
    broker_drop_all(b);
    sio_node_stop(&n[0]);
    sio_node_stop(&n[1]);
}

TEST(servers_hear_each_other_whichever_way_each_subscribes) { /* 4, e15 */
    cross(WSHUB_SIO_BUS_PATTERNS, WSHUB_SIO_BUS_PATTERNS);
    cross(WSHUB_SIO_BUS_PRECISE, WSHUB_SIO_BUS_PATTERNS);
    cross(WSHUB_SIO_BUS_PRECISE, WSHUB_SIO_BUS_PRECISE);
    cross(WSHUB_SIO_BUS_SHARDED, WSHUB_SIO_BUS_SHARDED);
    cross(WSHUB_SIO_BUS_SHARDED_STATIC, WSHUB_SIO_BUS_SHARDED_STATIC);
    cross(WSHUB_SIO_BUS_SHARDED_PRIVATE, WSHUB_SIO_BUS_SHARDED_PRIVATE);
}

TEST(a_precise_server_subscribes_to_the_rooms_that_are_here) { /* 4 */
    static sio_node n[1];
    broker *b = fresh_broker();
    char id[21], text[64];
    wshub_conn c, d;
    sio_node_start(n, b, (wshub_sio_desc){.bus_mode = WSHUB_SIO_BUS_PRECISE}, 3);
    sio_nodes_run(n, 1, 200);
    EXPECT(subscribed(b, n, "socket.io#/#", BROKER_EXACT));
    EXPECT(subscribed(b, n, "socket.io#/admin#", BROKER_EXACT));
    EXPECT(!subscribed(b, n, "socket.io#/#*", BROKER_PATTERN));
    c = sio_node_joins(n, "", "{\"rooms\":[\"r\",\"*\"]}", id);
    d = sio_node_joins(n, "/admin", "{\"rooms\":[\"r\"]}", NULL);
    sio_nodes_run(n, 1, 0);
    (void)snprintf(text, sizeof text, "socket.io#/#%s#", id);
    EXPECT(subscribed(b, n, "socket.io#/#r#", BROKER_EXACT));
    EXPECT(subscribed(b, n, "socket.io#/#*#", BROKER_EXACT)); /* a name, and no pattern (BUS-6) */
    EXPECT(subscribed(b, n, "socket.io#/admin#r#", BROKER_EXACT));
    EXPECT(subscribed(b, n, text, BROKER_EXACT));

    /* nothing that is for nobody here comes */
    EXPECT_INT(broker_deliver(b, wshub_str_z("socket.io#/#other#"), wshub_str_z("x"), false), 0);

    /* a connection later, all of it */
    broker_drop_all(b);
    sio_nodes_run(n, 1, 300);
    EXPECT_INT(sio_node_redis(n).state, WSHUB_BUS_UP);
    EXPECT(subscribed(b, n, "socket.io#/#r#", BROKER_EXACT));
    EXPECT(subscribed(b, n, text, BROKER_EXACT));

    wshub_io_fake_end(n->s.w.net, c);
    sio_nodes_run(n, 1, 50);
    EXPECT(!subscribed(b, n, "socket.io#/#r#", BROKER_EXACT));
    EXPECT(!subscribed(b, n, text, BROKER_EXACT));
    EXPECT(subscribed(b, n, "socket.io#/admin#r#", BROKER_EXACT));
    wshub_io_fake_end(n->s.w.net, d);
    sio_nodes_run(n, 1, 50);
    EXPECT(!subscribed(b, n, "socket.io#/admin#r#", BROKER_EXACT));
    EXPECT(subscribed(b, n, "socket.io#/admin#", BROKER_EXACT));
    broker_drop_all(b);
    sio_node_stop(n);
}

TEST(rooms_that_are_joined_in_one_turn_are_subscribed_to_in_commands_of_500) { /* 4 */
    static sio_node n[1];
    enum { ROOMS = 2600 };
    broker *b = fresh_broker();
    char name[24];
    uint64_t before, had;
    int i;
    sio_node_start(n, b, (wshub_sio_desc){.bus_mode = WSHUB_SIO_BUS_PRECISE}, 3);
    sio_nodes_run(n, 1, 200);
    (void)sio_node_joins(n, "", "", NULL);
    sio_nodes_run(n, 1, 0);
    n->s.w.unchecked = true; /* it takes its time */
    before = b->commands;
    had = sio_node_redis(n).subscribed;
    wshub_io_fake_hold(n->s.w.net, true);
    for (i = 0; i < ROOMS; i++) {
        (void)snprintf(name, sizeof name, "room-%d", i);
        EXPECT_INT(wshub_client_join(n->s.w.hub, n->last, wshub_str_z(name)), WSHUB_OK);
    }
    wshub_io_fake_hold(n->s.w.net, false);
    sio_nodes_run(n, 1, 0);
    EXPECT_INT(b->commands - before, (ROOMS + 499) / 500);
    EXPECT_INT(sio_node_redis(n).subscribed, had + ROOMS);
    broker_drop_all(b);
    sio_node_stop(n);
}

/* ---- a Cluster ---- */

static struct {
    int tells;
    uint32_t servers;
    size_t sockets;
    char error[64];
} found_last;

static void on_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    (void)sio;
    (void)user;
    found_last.tells++;
    found_last.servers = found->servers;
    found_last.sockets = found->sockets_count;
    (void)snprintf(found_last.error, sizeof found_last.error, "%s",
                   found->error ? found->error : "");
}

/* All of them ask for all sockets; so many servers are there. */
static void all_find(sio_node *n, size_t count, size_t servers) {
    size_t i;
    for (i = 0; i < count; i++) {
        memset(&found_last, 0, sizeof found_last);
        EXPECT_INT(wshub_sio_fetch(n[i].sio, wshub_sio_of(n[i].sio, "/"), NULL, on_found, NULL),
                   WSHUB_OK);
        sio_nodes_run(n, count, 5);
        EXPECT_INT(found_last.tells, 1);
        EXPECT_STR(found_last.error, "");
        EXPECT_INT(found_last.servers, servers);
        EXPECT_INT(found_last.sockets, servers);
    }
}

TEST(servers_whose_subscribers_are_at_several_nodes_of_a_cluster_count_each_other) { /* 4 */
    static const char *const urls[] = {"redis://broker", "redis://n2:2", "redis://n3:3"};
    static sio_node n[3];
    broker *b = fresh_broker();
    size_t i;
    /* two masters, and a replica of the first */
    b->slots = "*2\r\n*4\r\n:0\r\n:99\r\n*2\r\n$6\r\nbroker\r\n:6379\r\n*2\r\n$2\r\nn3\r\n:3\r\n"
               "*3\r\n:100\r\n:16383\r\n*2\r\n$2\r\nn2\r\n:2\r\n";
    b->cluster = b->numsub_apart = true;
    b->replica = "n3:3";
    for (i = 0; i < 3; i++) {
        sio_node_start_at(&n[i], b, (wshub_sio_desc){0}, (uint32_t)i + 1, urls[i]);
        sio_nodes_run(n, i + 1, 200);
        EXPECT_INT(sio_node_redis(&n[i]).state, WSHUB_BUS_UP);
        (void)sio_node_joins(&n[i], "", "", NULL);
        all_find(n, i + 1, i + 1);
    }

    /* where one asks that is counted by nobody, itself at a replica that is not asked, there are
     * never fewer than it */
    for (i = 0; i < 2; i++) {
        broker_drop_all(b);
        sio_node_stop(&n[i]);
    }
    b->slots = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$6\r\nbroker\r\n:6379\r\n";
    broker_drop_all(b);
    sio_nodes_run(&n[2], 1, 300);
    EXPECT_INT(sio_node_redis(&n[2]).state, WSHUB_BUS_UP);
    all_find(&n[2], 1, 1);
    broker_drop_all(b);
    sio_node_stop(&n[2]);
}

TEST(a_way_that_there_is_not_is_refused) {
    wshub_sio_desc d = {.bus_mode = (wshub_sio_bus_mode)99};
    EXPECT(wshub_sio_desc_problem(&d) && strstr(wshub_sio_desc_problem(&d), "bus_mode: "));
}
