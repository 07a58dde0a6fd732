/* The sharded adapter (>>sio-shards of wshub_dialect_socketio.h; the specification's 6): what is
 * published, byte for byte as recorded of Node's; what is done and answered of what comes, and what
 * is dropped; servers that ask each other over a broker in memory; memory that fails. */
#include "sio_broker.h"

static broker the_broker;
static struct {
    char channel[200], text[4000];
    size_t len;
    int count;
} said; /* what was published last, heartbeats apart */

static void on_said(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    if (channel.len > 5 && memcmp(channel.ptr, "wshub", 5) == 0) return;
    (void)snprintf(said.channel, sizeof said.channel, "%.*s", (int)channel.len, channel.ptr);
    said.len = payload.len < sizeof said.text ? payload.len : sizeof said.text - 1;
    memcpy(said.text, payload.ptr, said.len);
    said.text[said.len] = 0;
    said.count++;
}

static broker *fresh_broker(void) {
    memset(&the_broker, 0, sizeof the_broker);
    memset(&said, 0, sizeof said);
    the_broker.role = "master";
    the_broker.on_publish = on_said;
    return &the_broker;
}

static void one_up(sio_node *n, wshub_sio_bus_mode mode) {
    sio_node_start(n, fresh_broker(), (wshub_sio_desc){.bus_mode = mode}, 7);
    sio_nodes_run(n, 1, 200);
    EXPECT_INT(sio_node_redis(n).state, WSHUB_BUS_UP);
}
static void down(sio_node *n, size_t count) {
    size_t i;
    broker_drop_all(&the_broker);
    for (i = 0; i < count; i++) sio_node_stop(&n[i]);
}

/* The uid of a server in its namespace `/`. */
static const char *uid_of(const sio_node *n) {
    static char uid[WSHUB_SIO__UID + 1];
    const wshub_sio__space *space = wshub_sio__space_find(n->sio, wshub_str_z("/"));
    memcpy(uid, space->uid, WSHUB_SIO__UID);
    return uid;
}

/* What was said on a channel is this; in it `UID` stands for the server's. */
static void expect_said(const sio_node *n, const char *channel, const char *want) {
    char text[4000];
    const char *at = strstr(want, "UID");
    (void)snprintf(text, sizeof text, "%.*s%s%s", at ? (int)(at - want) : (int)strlen(want), want,
                   at ? uid_of(n) : "", at ? at + 3 : "");
    EXPECT_STR(said.channel, channel);
    EXPECT_STR(said.text, text);
}

static void emit_to(sio_node *n, const wshub_dest *dest, const wshub_packet *packet) {
    EXPECT_INT(wshub_sio_emit(n->sio, wshub_sio_of(n->sio, "/"), dest, packet), WSHUB_OK);
    sio_nodes_run(n, 1, 0);
}

TEST(what_is_emitted_is_published_as_recorded) { /* 6, V:redis-sharded */
    static sio_node n[1];
    static const uint8_t bytes[] = {1, 2};
    static const char packed[] = "\x84\xa4type\x03\xa4"
                                 "data\x82\xa6packet\x82\xa4type\x02\xa4"
                                 "data\x92\xa1"
                                 "b\xc4\x02\x01\x02\xa4opts\x83\xa5rooms\x90\xa6"
                                 "except\x90\xa5"
                                 "flags\x80\xa3uid\xa6";
    wshub_str one = wshub_str_z("1"), stands = wshub_str_z("{\"_placeholder\":true,\"num\":0}");
    wshub_str ids[] = {wshub_str_z("i")}, rooms[] = {wshub_str_z("r1"), wshub_str_z("r2")};
    wshub_packet m = {.event = wshub_str_z("m"), .args = &one, .args_count = 1};
    wshub_packet b = {.event = wshub_str_z("b"), .args = &stands, .args_count = 1};
    wshub_dest r1 = {.kind = WSHUB_DEST_ROOM, .name = wshub_str_z("r1")};
    wshub_dest many = {.kind = WSHUB_DEST_ROOM, .rooms = rooms, .rooms_count = 2};
    wshub_span span = {bytes, 2};
    one_up(n, WSHUB_SIO_BUS_SHARDED);
    emit_to(n, NULL, &m);
    expect_said(n, "socket.io#/#",
                "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\",1]},\"opts\":{"
                "\"rooms\":[],\"except\":[],\"flags\":{}}},\"uid\":\"UID\",\"nsp\":\"/\"}");
    emit_to(n, &r1, &m);
    expect_said(n, "socket.io#/#r1#",
                "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\",1]},\"opts\":{"
                "\"rooms\":[\"r1\"],\"except\":[],\"flags\":{}}},\"uid\":\"UID\",\"nsp\":\"/\"}");
    many.exclude = ids;
    many.exclude_count = 1;
    m.flags = WSHUB_PACKET_VOLATILE | WSHUB_PACKET_COMPRESS;
    emit_to(n, &many, &m);
    expect_said(n, "socket.io#/#",
                "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\",1]},\"opts\":{"
                "\"rooms\":[\"r1\",\"r2\"],\"except\":[\"i\"],\"flags\":{\"compress\":true,"
                "\"volatile\":true}}},\"uid\":\"UID\",\"nsp\":\"/\"}");
    b.attachments = &span;
    b.attachments_count = 1;
    emit_to(n, NULL, &b);
    EXPECT_STR(said.channel, "socket.io#/#");
    EXPECT_INT(said.len, sizeof packed - 1 + 6 + 4 + 2);
    EXPECT(memcmp(said.text, packed, sizeof packed - 1) == 0);
    EXPECT(memcmp(said.text + sizeof packed - 1, uid_of(n), 6) == 0);
    EXPECT(memcmp(said.text + said.len - 6, "\xa3nsp\xa1/", 6) == 0);

    /* a name of 20 looks like an id, and has no channel; an id never has */
    r1.name = wshub_str_z("abcdefghijklmnopqrst");
    m.flags = WSHUB_PACKET_NO_COMPRESS;
    emit_to(n, &r1, &m);
    EXPECT_STR(said.channel, "socket.io#/#");
    EXPECT(strstr(said.text, "\"flags\":{\"compress\":false}") != NULL);
    r1.name = wshub_str_z("\xC3\xA4"
                          "cdefghijklmnopqrstuvw"); /* 22 characters */
    emit_to(n, &r1, &m);
    EXPECT_STR(said.channel, "socket.io#/#\xC3\xA4"
                             "cdefghijklmnopqrstuvw#");
    r1.name = wshub_str_z("\xF0\x9F\x98\x80"
                          "cdefghijklmnopqrst"); /* 20, as JavaScript counts */
    emit_to(n, &r1, &m);
    EXPECT_STR(said.channel, "socket.io#/#");
    down(n, 1);

    one_up(n, WSHUB_SIO_BUS_SHARDED_STATIC);
    r1.name = wshub_str_z("r1");
    emit_to(n, &r1, &m);
    EXPECT_STR(said.channel, "socket.io#/#");
    down(n, 1);
    one_up(n, WSHUB_SIO_BUS_SHARDED_PRIVATE);
    r1.name = wshub_str_z("abcdefghijklmnopqrst");
    emit_to(n, &r1, &m);
    EXPECT_STR(said.channel, "socket.io#/#abcdefghijklmnopqrst#");
    down(n, 1);
}

TEST(what_cannot_be_said_is_refused_and_stays_here) { /* 6, e7 */
    static sio_node n[1];
    static char deep[601];
    wshub_str arg = {deep, 600};
    wshub_packet m = {.event = wshub_str_z("m"), .args = &arg, .args_count = 1};
    wshub_span spans[11];
    size_t i;
    one_up(n, WSHUB_SIO_BUS_SHARDED);
    memset(deep, '[', 300);
    memset(deep + 300, ']', 300);
    EXPECT_INT(wshub_sio_emit(n->sio, wshub_sio_of(n->sio, "/"), NULL, &m), WSHUB_ERR_PARAM);
    arg = wshub_str_z("1");
    m.event = wshub_str_z("connect");
    EXPECT_INT(wshub_sio_emit(n->sio, wshub_sio_of(n->sio, "/"), NULL, &m), WSHUB_ERR_PARAM);
    m.event = wshub_str_z("m");
    for (i = 0; i < 11; i++) spans[i] = (wshub_span){(const uint8_t *)"x", 1};
    m.attachments = spans;
    m.attachments_count = 11;
    EXPECT_INT(wshub_sio_emit(n->sio, wshub_sio_of(n->sio, "/"), NULL, &m), WSHUB_ERR_PARAM);
    sio_nodes_run(n, 1, 0);
    EXPECT_INT(said.count, 0);
    down(n, 1);
}

/* ---- what comes ---- */

static const struct {
    const char *channel, *text, *r1, *other; /* what a socket in r1 hears, and one that is not */
    int dropped;
} injected[] = {
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\",1]},\"opts\":{\"rooms\":[],"
     "\"except\":[],\"flags\":{}}},\"uid\":\"x\",\"nsp\":\"/\"}",
     "42[\"m\",1]", "42[\"m\",1]", 0},
    {"socket.io#/#r1#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\",1]},\"opts\":{\"rooms\":[\"r1\"]"
     ","
     "\"except\":[],\"flags\":{}}},\"uid\":\"x\",\"nsp\":\"/\"}",
     "42[\"m\",1]", NULL, 0},
    /* a number is a name; the order of keys is nobody's; what else there is is passed over */
    {"socket.io#/#",
     " {\"nsp\":\"/"
     "\",\"uid\":\"x\",\"more\":[{}],\"data\":{\"opts\":{\"rooms\":[42],\"except\":[]},"
     "\"packet\":{\"nsp\":\"/\",\"data\":[\"a\\u0062\"],\"type\":2}},\"type\":3}",
     NULL, NULL, 1}, /* the first byte says which of the two it is */
    {"socket.io#/#",
     "{\"nsp\":\"/\",\"uid\":\"x\",\"more\":[{}],\"data\":{\"opts\":{\"rooms\":[42],\"except\":[]},"
     "\"packet\":{\"nsp\":\"/\",\"data\":[\"a\\u0062\"],\"type\":2}},\"type\":3}",
     "42[\"ab\"]", NULL, 0},
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\"]},\"opts\":{\"rooms\":[],"
     "\"except\":[\"r1\"],\"flags\":{\"volatile\":true,\"compress\":true}}},\"uid\":\"x\",\"nsp\":"
     "\"/\"}",
     NULL, "42[\"m\"]", 0},
    /* nobody is in that room here: it is not looked into */
    {"socket.io#/#none#", "garbage", NULL, NULL, 0},
    /* another namespace than its channel's */
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\"]},\"opts\":{\"rooms\":[]}},"
     "\"uid\":\"x\",\"nsp\":\"/admin\"}",
     NULL, NULL, 1},
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\"]},\"opts\":{\"rooms\":[]}},"
     "\"uid\":\"x\"}",
     NULL, NULL, 1},
    /* what would cost clients their connections (e17) */
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"connect\"]},\"opts\":{\"rooms\":[]}}"
     ","
     "\"uid\":\"x\",\"nsp\":\"/\"}",
     NULL, NULL, 1},
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":3,\"data\":[\"m\"]},\"opts\":{\"rooms\":[]}},"
     "\"uid\":\"x\",\"nsp\":\"/\"}",
     NULL, NULL, 1},
    /* none */
    {"socket.io#/#", "", NULL, NULL, 1},
    {"socket.io#/#", "{", NULL, NULL, 1},
    {"socket.io#/#", "\xc1", NULL, NULL, 1},
    {"socket.io#/#", "\x90", NULL, NULL, 1},
    {"socket.io#/#", "{}", NULL, NULL, 1},
    {"socket.io#/#", "{\"type\":3,\"uid\":\"x\",\"nsp\":\"/\"}", NULL, NULL, 1},
    {"socket.io#/#", "{\"type\":3,\"data\":[],\"uid\":\"x\",\"nsp\":\"/\"}", NULL, NULL, 1},
    {"socket.io#/#", "{\"type\":3,\"data\":{},\"uid\":\"x\",\"nsp\":\"/\"}", NULL, NULL, 1},
    {"socket.io#/#", "{\"type\":3,\"data\":{\"packet\":{\"type\":2}},\"uid\":\"x\",\"nsp\":\"/\"}",
     NULL, NULL, 1},
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\"]}},\"uid\":\"x\",\"nsp\":\"/\"}",
     NULL, NULL, 1},
    {"socket.io#/#",
     "{\"type\":3,\"data\":{\"requestId\":{},\"packet\":{\"type\":2,\"data\":[\"m\"]}},\"uid\":"
     "\"x\","
     "\"nsp\":\"/\"}",
     NULL, NULL, 1},
    /* heartbeats are another adapter's; types that nobody knows */
    {"socket.io#/#", "{\"type\":1,\"data\":{},\"uid\":\"x\",\"nsp\":\"/\"}", NULL, NULL, 1},
    {"socket.io#/#", "{\"type\":13,\"data\":{},\"uid\":\"x\",\"nsp\":\"/\"}", NULL, NULL, 1},
    {"socket.io#/#", "{\"type\":-1,\"data\":{},\"uid\":\"x\",\"nsp\":\"/\"}", NULL, NULL, 1},
};

static void hears(sio_node *n, wshub_conn c, const char *want) {
    if (want) EXPECT_TEXT(&n->s.w, c, want);
    EXPECT_SILENCE(&n->s.w, c);
}

static void inject(sio_node *n, const char *channel, const char *text) {
    (void)broker_deliver(&the_broker, wshub_str_z(channel), wshub_str_z(text), true);
    sio_nodes_run(n, 1, 0);
}

TEST(what_comes_is_delivered_or_dropped_and_counted) { /* 6, e17 */
    static sio_node n[1];
    wshub_conn r1, other;
    size_t i;
    one_up(n, WSHUB_SIO_BUS_SHARDED);
    r1 = sio_node_joins(n, "", "{\"rooms\":[\"r1\",42]}", NULL);
    other = sio_node_joins(n, "", "", NULL);
    sio_nodes_run(n, 1, 0);
    for (i = 0; i < sizeof injected / sizeof injected[0]; i++) {
        wshub_sio_stats before, after;
        wshub_sio_stats_get(n->sio, &before);
        inject(n, injected[i].channel, injected[i].text);
        wshub_sio_stats_get(n->sio, &after);
        hears(n, r1, injected[i].r1);
        hears(n, other, injected[i].other);
        if (after.bus_dropped - before.bus_dropped != (uint64_t)injected[i].dropped) {
            EXPECT_INT(after.bus_dropped - before.bus_dropped, injected[i].dropped);
            (void)printf("  %s\n", injected[i].text);
        }
    }
    EXPECT_INT(said.count, 0); /* nothing of it was worth an answer */
    down(n, 1);
}

TEST(each_request_is_answered_on_the_channel_of_who_asks) { /* 6, 7, V:redis-sharded, e15 */
    static sio_node n[1];
    char id[21], want[400];
    wshub_conn c;
    one_up(n, WSHUB_SIO_BUS_SHARDED);
    c = sio_node_joins(n, "", "{\"rooms\":[\"r1\"]}", id);
    sio_nodes_run(n, 1, 0);

    inject(n, "socket.io#/#",
           "{\"type\":7,\"data\":{\"opts\":{\"rooms\":[\"none\"],\"except\":[],\"flags\":{}},"
           "\"requestId\":\"c1c7\"},\"uid\":\"asker\",\"nsp\":\"/\"}");
    expect_said(n, "socket.io#/#asker#", /* the array even if it is empty */
                "{\"type\":8,\"data\":{\"requestId\":\"c1c7\",\"sockets\":[]},\"uid\":\"UID\","
                "\"nsp\":\"/\"}");
    inject(n, "socket.io#/#",
           "{\"type\":7,\"data\":{\"opts\":{\"rooms\":[\"r1\"],\"except\":[],\"flags\":{}},"
           "\"requestId\":\"c1c8\"},\"uid\":\"asker\",\"nsp\":\"/\"}");
    (void)snprintf(want, sizeof want,
                   "{\"type\":8,\"data\":{\"requestId\":\"c1c8\",\"sockets\":[{"
                   "\"id\":\"%s\",\"handshake\":{\"headers\":{",
                   id);
    EXPECT(strncmp(said.text, want, strlen(want)) == 0);
    (void)snprintf(want, sizeof want, "\"rooms\":[\"%s\",\"r1\"],\"data\":{}}]},\"uid\":\"", id);
    EXPECT(strstr(said.text, want) != NULL);

    inject(n, "socket.io#/#",
           "{\"type\":9,\"data\":{\"requestId\":\"s1\",\"packet\":[\"x\"]},\"uid\":\"asker\","
           "\"nsp\":\"/\"}");
    expect_said(n, "socket.io#/#asker#",
                "{\"type\":10,\"data\":{\"requestId\":\"s1\",\"packet\":null},\"uid\":\"UID\","
                "\"nsp\":\"/\"}");
    said.count = 0;
    inject(n, "socket.io#/#",
           "{\"type\":9,\"data\":{\"packet\":[\"x\"]},\"uid\":\"asker\",\"nsp\":\"/\"}");
    EXPECT_INT(said.count, 0); /* nobody waits for one */

    inject(n, "socket.io#/#",
           "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"q\"]},\"requestId\":\"9df0\","
           "\"opts\":{\"rooms\":[],\"except\":[],\"flags\":{\"timeout\":200}}},\"uid\":\"asker\","
           "\"nsp\":\"/\"}");
    expect_said(n, "socket.io#/#asker#",
                "{\"type\":11,\"data\":{\"requestId\":\"9df0\",\"clientCount\":1},\"uid\":\"UID\","
                "\"nsp\":\"/\"}");
    EXPECT_TEXT(&n->s.w, c, "420[\"q\"]");
    wshub_io_fake_text(n->s.w.net, c, "430[\"ack-q\",2]");
    sio_nodes_run(n, 1, 0);
    expect_said(n, "socket.io#/#asker#",
                "{\"type\":12,\"data\":{\"requestId\":\"9df0\",\"packet\":\"ack-q\"},\"uid\":"
                "\"UID\",\"nsp\":\"/\"}");

    said.count = 0;
    inject(n, "socket.io#/#",
           "{\"type\":4,\"data\":{\"opts\":{\"rooms\":[],\"except\":[],\"flags\":{}},\"rooms\":["
           "\"k\"]},\"uid\":\"asker\",\"nsp\":\"/\"}");
    inject(n, "socket.io#/#k#",
           "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"k\"]},\"opts\":{\"rooms\":["
           "\"k\"],\"except\":[]}},\"uid\":\"x\",\"nsp\":\"/\"}");
    hears(n, c, "42[\"k\"]");
    inject(n, "socket.io#/#",
           "{\"type\":5,\"data\":{\"opts\":{\"rooms\":[\"k\"],\"except\":[]},\"rooms\":[\"k\"]},"
           "\"uid\":\"asker\",\"nsp\":\"/\"}");
    inject(n, "socket.io#/#",
           "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"k\"]},\"opts\":{\"rooms\":["
           "\"k\"],\"except\":[]}},\"uid\":\"x\",\"nsp\":\"/\"}");
    hears(n, c, NULL);
    inject(n, "socket.io#/#",
           "{\"type\":6,\"data\":{\"opts\":{\"rooms\":[\"r1\"],\"except\":[]},\"close\":false},"
           "\"uid\":\"asker\",\"nsp\":\"/\"}");
    EXPECT_TEXT(&n->s.w, c, "41");
    EXPECT_INT(said.count, 0);
    down(n, 1);
}

/* ---- servers that ask each other ---- */

static int found_times, found_servers, found_sockets;
static char found_error[80];
static void on_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    (void)sio;
    (void)user;
    found_times++;
    found_servers = (int)found->servers;
    found_sockets = (int)found->sockets_count;
    (void)snprintf(found_error, sizeof found_error, "%s", found->error ? found->error : "");
}

static void both_ask(sio_node *n, wshub_sio_bus_mode mode) {
    wshub_dest r1 = {.kind = WSHUB_DEST_ROOM, .name = wshub_str_z("r1")};
    wshub_str k = wshub_str_z("k");
    wshub_conn c;
    size_t i;
    broker *b = fresh_broker();
    for (i = 0; i < 2; i++)
        sio_node_start(&n[i], b, (wshub_sio_desc){.bus_mode = mode}, 7 + (uint32_t)i);
    sio_nodes_run(n, 2, 200);
    c = sio_node_joins(&n[1], "", "{\"rooms\":[\"r1\"]}", NULL);
    sio_nodes_run(n, 2, 0);
    found_times = 0;
    EXPECT_INT(wshub_sio_fetch(n[0].sio, wshub_sio_of(n[0].sio, "/"), &r1, on_found, NULL),
               WSHUB_OK);
    sio_nodes_run(n, 2, 0);
    EXPECT_INT(found_times, 1);
    EXPECT_INT(found_servers, 2);
    EXPECT_INT(found_sockets, 1);
    EXPECT_INT(wshub_sio_join_all(n[0].sio, wshub_sio_of(n[0].sio, "/"), &r1, &k, 1), WSHUB_OK);
    sio_nodes_run(n, 2, 0);
    sio_node_emit(&n[0], "k", "1");
    sio_nodes_run(n, 2, 0);
    hears(&n[1], c, "42[\"m\",1]");

    /* of rooms nobody can be asked, and that is said */
    found_times = 0;
    EXPECT_INT(wshub_sio_all_rooms(n[0].sio, wshub_sio_of(n[0].sio, "/"), on_found, NULL),
               WSHUB_OK);
    sio_nodes_run(n, 2, 0);
    EXPECT_INT(found_times, 1);
    EXPECT_STR(found_error, "other servers cannot be counted");
    down(n, 2);
}

TEST(sharded_servers_ask_each_other_in_every_mode) { /* 6 */
    static sio_node n[2];
    both_ask(n, WSHUB_SIO_BUS_SHARDED);
    both_ask(n, WSHUB_SIO_BUS_SHARDED_STATIC);
    both_ask(n, WSHUB_SIO_BUS_SHARDED_PRIVATE);
}

TEST(memory_that_fails_costs_a_message_and_nothing_else) { /* 6 */
    static sio_node n[1];
    wshub_conn c;
    long k;
    one_up(n, WSHUB_SIO_BUS_SHARDED);
    c = sio_node_joins(n, "", "{\"rooms\":[\"r1\"]}", NULL);
    sio_nodes_run(n, 1, 0);
    for (k = 1; k < 30; k++) {
        n->s.w.fail_at = k;
        inject(n, "socket.io#/#",
               "{\"type\":7,\"data\":{\"opts\":{\"rooms\":[\"r1\"],\"except\":[],\"flags\":{}},"
               "\"requestId\":\"c1c8\"},\"uid\":\"asker\",\"nsp\":\"/\"}");
        inject(n, "socket.io#/#r1#",
               "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\",1]},\"opts\":{"
               "\"rooms\":[\"r1\"],\"except\":[]}},\"uid\":\"x\",\"nsp\":\"/\"}");
        n->s.w.fail_at = 0;
        sio_nodes_run(n, 1, 0);
        while (wshub_io_fake_next(n->s.w.net, c, &(wshub_io_fake_frame){0})) {
        }
    }
    sio_nodes_run(n, 1, 3000); /* where the bus itself had none it is back */
    inject(n, "socket.io#/#r1#",
           "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"m\",1]},\"opts\":{\"rooms\":["
           "\"r1\"],\"except\":[]}},\"uid\":\"x\",\"nsp\":\"/\"}");
    hears(n, c, "42[\"m\",1]");
    down(n, 1);
}
