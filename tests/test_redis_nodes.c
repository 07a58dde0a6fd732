/* What is asked of all nodes of a Cluster: PUBSUB NUMSUB, whose answers are summed (desc.cluster of
 * wshub_bus_redis.h), over a broker in memory of which each address knows its own subscribers
 * alone; nodes that end, fall silent, refuse or say what is none. */
#include "hubtest.h"
#include "redis_site.h"
#include "redis_ask.h"

#define NODE(host, port) "*2\r\n" host ":" port "\r\n"
/* Two masters, the first with a replica, which is named again for another range. */
#define NODES                                                                                      \
    "*3\r\n*4\r\n:0\r\n:99\r\n" NODE("$6\r\nbroker\r\n", "6379")                                   \
        NODE("$2\r\nn3\r\n", "3") "*3\r\n:100\r\n:9999\r\n" NODE(                                  \
            "$2\r\nn2\r\n", "2") "*4\r\n:10000\r\n:16383\r\n" NODE("$6\r\nbroker\r\n", "6379")     \
            NODE("$2\r\nn3\r\n", "3")
/* One master with all slots. */
#define ONE(n) "*1\r\n*3\r\n:0\r\n:16383\r\n" NODE("$2\r\nn" n "\r\n", n)
#define ASKS "PUBSUB NUMSUB ws:broadcast ws:none"
#define SAYS(n) "[\"ws:broadcast\" " n " \"ws:none\" 0]\n"

static broker *cluster(void) {
    broker *b = fresh();
    b->slots = NODES;
    b->cluster = b->numsub_apart = true;
    b->replica = "n3:3";
    return b;
}

/* Hubs whose subscribers are at one node each. */
static void sites_start(site *s, size_t count, broker *b) {
    static const char *const urls[] = {"redis://broker", "redis://n2:2", "redis://n3:3"};
    size_t i;
    for (i = 0; i < count; i++) {
        site_start(&s[i], b, BUSDESC(.cluster = true, .url = urls[i], .requests_max = 3), DESC(0),
                   FAKE(0));
        site_advance(&s[i], 200);
        EXPECT_INT(rstats(&s[i]).state, WSHUB_BUS_UP);
    }
}

/* The connection on which a hub asks at an address: that on which it has, else the first that it has
 * dialled there, which the fake io has told of last. */
static broker_link *link_to(broker *b, const site *s, const char *address) {
    broker_link *found = NULL;
    int i = BROKER_LINKS;
    while (i--) {
        if (b->links[i].conn.id && b->links[i].net == s->w.net &&
            strcmp(b->links[i].address, address) == 0 &&
            (!found || b->links[i].numsubs > found->numsubs))
            found = &b->links[i];
    }
    EXPECT(found != NULL);
    return found ? found : &b->links[0];
}

/* What is said leaves, and is answered. */
static void serve(site *s) {
    wshub_io_fake_run(s->w.net);
    site_run(s);
}

TEST(subscribers_at_all_nodes_are_summed_those_of_replicas_too) { /* redis-adapter 4 */
    static site s[3];
    broker *b = cluster();
    answers got = {.len = 0};
    question q = {&got, "q"};
    size_t i;
    sites_start(s, 3, b);
    EXPECT_INT(b->dials, 3 * (2 + 2 * 2 + 1));
    for (i = 0; i < 3; i++) {
        got.len = 0;
        ask_words(s[i].w.hub, &q, ASKS);
        EXPECT_INT(rstats(&s[i]).requests_pending, 1);
        serve(&s[i]);
        EXPECT_STR(got.text, "q: " SAYS("3"));
        EXPECT_INT(rstats(&s[i]).requests_pending, 0);
        EXPECT_INT(rstats(&s[i]).requests, 1);
    }

    /* so it is with sharded channels, of any slots */
    got.len = 0;
    ask_words(s[0].w.hub, &q, "PUBSUB SHARDNUMSUB a b");
    serve(&s[0]);
    EXPECT_STR(got.text, "q: [\"a\" 0 \"b\" 0]\n");
    EXPECT_INT(link_to(b, &s[0], "n3:3")->numsubs, 2);
    EXPECT_INT(link_to(b, &s[0], "n2:2")->numsubs, 2);

    /* of each kind as many as there may be; other questions go to one node, as ever */
    got.len = 0;
    for (i = 0; i < 2; i++) ask_words(s[0].w.hub, &q, "PUBSUB NUMSUB ws:broadcast");
    ask(s[0].w.hub, &q, WSHUB_OK);
    ask(s[0].w.hub, &q, WSHUB_ERR_LIMIT);
    serve(&s[0]);
    EXPECT_INT(got.count, 7);
    EXPECT_HAS(got.text, "q: [\"ws:broadcast\" 3]\n");
    EXPECT_INT(rstats(&s[0]).requests_lost, 0);
    broker_drop_all(b);
    for (i = 0; i < 3; i++) site_stop(&s[i]);
}

TEST(a_replica_that_is_lost_is_left_out_of_the_sum_until_it_is_back) {
    static site s[3];
    broker *b = cluster();
    answers got = {.len = 0};
    question q = {&got, "q"};
    size_t i;
    sites_start(s, 3, b);

    /* while it is asked: it ends, it says what is no RESP, it refuses to be asked */
    link_to(b, &s[0], "n3:3")->frozen = true;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    EXPECT_INT(got.count, 0);
    broker_drop(b, link_to(b, &s[0], "n3:3"), true);
    wshub_io_fake_run(s[0].w.net);
    EXPECT_STR(got.text, "q: " SAYS("2"));
    site_advance(&s[0], 1100); /* dialled with a heartbeat */
    got.len = 0;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    EXPECT_STR(got.text, "q: " SAYS("3"));
    broker_say_z(link_to(b, &s[0], "n3:3"), "?\r\n");
    wshub_io_fake_run(s[0].w.net);
    serve(&s[0]);

    /* dialled again it is silent, and then not reached at all */
    b->hole = "n3:3";
    site_advance(&s[0], 1100);
    got.len = 0;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    EXPECT_STR(got.text, "q: " SAYS("2"));
    site_advance(&s[0], 7000);
    b->hole = NULL;
    site_advance(&s[0], 1100);
    link_to(b, &s[0], "n3:3")->frozen = true;
    got.len = 0;
    ask_words(s[0].w.hub, &q, ASKS);
    site_advance(&s[0], 3500);
    EXPECT_STR(got.text, "q: " SAYS("2"));
    EXPECT_INT(rstats(&s[0]).downs, 0);
    EXPECT_INT(rstats(&s[0]).requests_lost, 0);

    /* who is told last may end the hub */
    site_advance(&s[0], 1100);
    link_to(b, &s[0], "n3:3")->frozen = true;
    got.destroy = s[0].w.hub;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    broker_drop(b, link_to(b, &s[0], "n3:3"), true);
    wshub_io_fake_run(s[0].w.net);
    EXPECT(!got.destroy);
    s[0].w.hub = NULL;
    broker_drop_all(b);
    for (i = 0; i < 3; i++) site_stop(&s[i]);
}

TEST(a_master_that_is_lost_loses_the_question_and_its_error_is_the_answer) {
    static const struct {
        const char *said, *shown;
    } wrong[] = {
        {"-NOPERM no\r\n", "q: !\"NOPERM no\"\n"},
        {":1\r\n", "q: !\"a node of the Cluster does not say how many have subscribed\"\n"},
        {"*2\r\n$1\r\na\r\n:1\r\n", "q: !\"a node of the Cluster does"},
        {"*4\r\n$1\r\na\r\n:-1\r\n$1\r\nb\r\n:0\r\n", "q: !\"a node of the Cluster does"},
        {"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:4294967296\r\n", "q: !\"a node of the Cluster does"},
        {"*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n:0\r\n", "q: !\"a node of the Cluster does"},
    };
    static site s[2];
    broker *b = cluster();
    answers got = {.len = 0};
    question q = {&got, "q"};
    size_t i;
    sites_start(s, 2, b);
    link_to(b, &s[0], "n2:2")->frozen = true;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        got.len = 0;
        ask_words(s[0].w.hub, &q, ASKS);
        ask_words(s[0].w.hub, &q, ASKS);
        serve(&s[0]);
        broker_say_z(link_to(b, &s[0], "n2:2"), wrong[i].said);
        broker_say_z(link_to(b, &s[0], "n2:2"),
                     "*4\r\n$1\r\na\r\n:7\r\n$1\r\nb\r\n:0\r\n"); /* to the second */
        wshub_io_fake_run(s[0].w.net);
        EXPECT(strncmp(got.text, wrong[i].shown, strlen(wrong[i].shown)) == 0);
        EXPECT_HAS(got.text, "\nq: " SAYS("8"));
        EXPECT_INT(got.count, 2 * (int)i + 2);
        EXPECT_INT(rstats(&s[0]).requests_pending, 0);
    }
    got.len = 0;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    broker_drop(b, link_to(b, &s[0], "n2:2"), true);
    wshub_io_fake_run(s[0].w.net);
    EXPECT_STR(got.text, "q: lost\n");
    EXPECT_INT(rstats(&s[0]).requests_lost, 1);
    EXPECT_INT(rstats(&s[0]).downs, 1);
    site_advance(&s[0], 200);
    EXPECT_INT(rstats(&s[0]).state, WSHUB_BUS_UP);

    /* the end of the hub is told, too: once */
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    link_to(b, &s[0], "n2:2")->frozen = true;
    got.len = 0;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    site_stop(&s[0]);
    EXPECT_STR(got.text, "q: lost\n");
    broker_drop_all(b);
    site_stop(&s[1]);
}

/* The n-th connection of a hub; NULL: it has fewer. */
static broker_link *link_number(broker *b, const site *s, int n) {
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id && b->links[i].net == s->w.net && n-- == 0) return &b->links[i];
    }
    return NULL;
}

/* Each connection in turn stops without closing, while nobody says anything on it. That costs a
 * heartbeat, its deadline, and whatever is left of the heartbeat's time then. */
TEST(a_connection_that_falls_silent_is_ended_whichever_it_is) { /* BUS-5 */
    enum { NOTICED = 1000 + 3000 + 1000 + 50 };
    int n, asides = 0, mains = 0;
    for (n = 0; n < 2 + 2 * 2 + 1; n++) {
        static site s;
        broker *b = cluster();
        broker_link *link;
        bool aside;
        char line[200], address[64];
        sites_start(&s, 1, b);
        site_advance(&s, 2000);
        EXPECT_INT(rstats(&s).silences, 0);
        link = link_number(b, &s, n);
        EXPECT(link != NULL);
        if (!link) return;
        (void)snprintf(address, sizeof address, "%s", link->address);
        aside = strcmp(address, "n3:3") == 0;
        asides += aside;
        mains += !aside;
        link->frozen = true;
        s.said_len = 0;
        site_advance(&s, NOTICED);
        EXPECT_INT(rstats(&s).silences, 1);
        EXPECT_INT(rstats(&s).downs, !aside);
        (void)snprintf(line, sizeof line,
                       aside ? "lost the node %s: no answer within heartbeat_tim"
                             : "no answer within heartbeat_timeout_ms",
                       address);
        EXPECT_HAS(s.said, line);
        if (strcmp(address, "n2:2") == 0)
            EXPECT_HAS(s.said, "no answer within heartbeat_timeout_ms: n2:2; trying again");
        site_advance(&s, 1500);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        EXPECT(!link_number(b, &s, 2 + 2 * 2 + 1) && link_number(b, &s, 2 + 2 * 2));
        site_advance(&s, 10000);
        EXPECT_INT(rstats(&s).silences, 1);
        site_stop(&s);
    }
    EXPECT_INT(asides, 1);
    EXPECT_INT(mains, 6);
}

TEST(memory_that_fails_while_all_nodes_are_asked_costs_the_question_alone) {
    static site s;
    broker *b = cluster();
    wshub_str argv[3];
    long at;
    sites_start(&s, 1, b);
    argv[0] = wshub_str_z("PUBSUB");
    argv[1] = wshub_str_z("NUMSUB");
    argv[2] = wshub_str_z("ws:broadcast");
    for (at = 1; at < 40; at++) {
        answers got = {.len = 0};
        question q = {&got, "q"};
        wshub_err err;
        s.w.fail_at = at;
        err = wshub_bus_request(s.w.hub, argv, 3, answered, &q);
        if (!s.w.fail_at) EXPECT(err == WSHUB_ERR_NOMEM || err == WSHUB_OK);
        s.w.fail_at = 0;
        site_advance(&s, 300);
        EXPECT_INT(got.count, !err);
        EXPECT_INT(rstats(&s).requests_pending, 0);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        broker_drop_all(b); /* so that there is something to allocate again */
        wshub_io_fake_run(s.w.net);
        site_advance(&s, 300);
    }
    site_stop(&s);
}

TEST(more_replicas_than_are_asked_and_some_that_are_none_are_left_out) {
    enum { MANY = WSHUB_BUS_REDIS_REPLICAS_MAX + 3 };
    static char slots[MANY * 40 + 200];
    static site s;
    broker *b = cluster();
    answers got = {.len = 0};
    question q = {&got, "q"};
    size_t n;
    int i;
    n = (size_t)snprintf(slots, sizeof slots,
                         "*1\r\n*%d\r\n:0\r\n:16383\r\n" NODE(
                             "$6\r\nbroker\r\n", "6379") ":1\r\n"
                                                         "*1\r\n:1\r\n" NODE("$2\r\nn3\r\n", "0"),
                         MANY + 6);
    for (i = 0; i < MANY; i++)
        n += (size_t)snprintf(slots + n, sizeof slots - n, NODE("$2\r\nr%c\r\n", "%d"),
                              'a' + i % 26, 1 + i);
    b->slots = slots;
    sites_start(&s, 1, b);
    EXPECT_INT(b->dials, 2 + 2 + WSHUB_BUS_REDIS_REPLICAS_MAX);
    ask_words(s.w.hub, &q, ASKS);
    serve(&s);
    EXPECT_STR(got.text, "q: " SAYS("1"));
    site_stop(&s);
}

/* The same Cluster before the third node came, and with that one as a master of some slots. */
#define NODES_TWO                                                                                  \
    "*2\r\n*3\r\n:0\r\n:99\r\n" NODE("$6\r\nbroker\r\n",                                           \
                                     "6379") "*3\r\n:100\r\n:16383\r\n" NODE("$2\r\nn2\r\n", "2")
#define NODES_THREE                                                                                \
    "*3\r\n*3\r\n:0\r\n:99\r\n" NODE("$6\r\nbroker\r\n", "6379") "*3\r\n:100\r\n:8000\r\n" NODE(   \
        "$2\r\nn2\r\n", "2") "*3\r\n:8001\r\n:16383\r\n" NODE("$2\r\nn3\r\n", "3")

/* Nodes by their ids. The first of them goes by another address in CLUSTER NODES than in CLUSTER
 * SLOTS; the third has no slots; others are not to be asked. */
#define ID(c) #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c
#define NAMED(host, port, id) "*3\r\n" host ":" port "\r\n$40\r\n" id "\r\n"
#define A_ID ID(a1)
#define B_ID ID(b2)
#define C_ID ID(c3)
#define SLOTS_NAMED                                                                                \
    "*2\r\n*3\r\n:0\r\n:99\r\n" NAMED("$6\r\nbroker\r\n", "6379",                                  \
                                      A_ID) "*3\r\n:100\r\n:16383\r\n" NAMED("$2\r\nn2\r\n", "2",  \
                                                                             B_ID)
#define MEMBERS_TWO                                                                                \
    A_ID " 10.0.0.1:6379@16379,one myself,master - 0 0 1 connected 0-99\n" B_ID                    \
         " n2:2@12 master,fail? - 0 0 2 connected 100-16383\n"
#define MEMBERS MEMBERS_TWO C_ID " n3:3@13,,shard-id=x master - 0 0 3 connected\n"

TEST(masters_without_slots_are_asked_too) { /* redis-adapter 4, PITFALLS e15 */
    static const char *const none[] = {
        C_ID " n3:3@13 master,fail - 0 0 3 disconnected\n",
        C_ID " n3:3@13 handshake - 0 0 0 connected\n",
        C_ID " :0@0 master,noaddr - 0 0 3 disconnected\n",
        C_ID " n3:0@13 master - 0 0 3 connected\n",
        C_ID " n3:70000@13 master - 0 0 3 connected\n",
        C_ID " n3@13 master - 0 0 3 connected\n",
        C_ID " n3:x@13 master - 0 0 3 connected\n",
        C_ID "0 n3:3@13 master - 0 0 3 connected\n",
        " n3:3@13 master - 0 0 3 connected\n",
        C_ID "\n\n",
        C_ID " n3:3@13",
    };
    static site s[3];
    broker *b = cluster();
    answers got = {.len = 0};
    question q = {&got, "q"};
    char text[600];
    size_t i;
    b->slots = SLOTS_NAMED;
    b->nodes = MEMBERS;
    b->replica = NULL;
    sites_start(s, 3, b);
    EXPECT_INT(b->dials, 3 * (2 + 2 * 2 + 1)); /* the first one once, for all its addresses */
    for (i = 0; i < 3; i++) {
        got.len = 0;
        ask_words(s[i].w.hub, &q, ASKS);
        serve(&s[i]);
        EXPECT_STR(got.text, "q: " SAYS("3"));
    }

    /* one goes, and comes again; whoever may not ask any more knows those with slots alone */
    for (i = 0; i < sizeof none / sizeof *none; i++) {
        b->nodes = MEMBERS;
        site_advance(&s[0], 7050);
        (void)snprintf(text, sizeof text, "%s%s", MEMBERS_TWO, none[i]);
        b->nodes = text;
        site_advance(&s[0], 7050);
        got.len = 0;
        ask_words(s[0].w.hub, &q, ASKS);
        serve(&s[0]);
        if (i < sizeof none / sizeof *none - 1) EXPECT_STR(got.text, "q: " SAYS("2"));
    }
    EXPECT_STR(got.text, "q: " SAYS("3")); /* what stands behind the address is of no matter */
    b->nodes = NULL;
    site_advance(&s[0], 7050);
    got.len = 0;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    EXPECT_STR(got.text, "q: " SAYS("2"));

    /* one that has changed its address is dialled there */
    b->nodes = MEMBERS_TWO C_ID " n4:4@13 master - 0 0 3 connected\n";
    site_advance(&s[0], 7050);
    (void)link_to(b, &s[0], "n4:4");
    EXPECT_INT(rstats(&s[0]).downs, 0);
    broker_drop_all(b);
    for (i = 0; i < 3; i++) site_stop(&s[i]);
}

/* What is answered when the nodes have had time to be asked for again. */
static void later(site *s, answers *got, const char *slots) {
    question q = {got, "q"};
    s->b->slots = slots;
    site_advance(s, 5000 + 2 * 1000 + 50);
    got->len = 0;
    ask_words(s->w.hub, &q, ASKS);
    serve(s);
    EXPECT_INT(rstats(s).downs, 0);
}

TEST(nodes_that_come_later_are_asked_too_and_those_that_have_gone_are_not) { /* redis-adapter 4 */
    static site s[3];
    broker *b = cluster();
    answers got = {.len = 0};
    question q = {&got, "q"};
    uint64_t dials;
    size_t i;
    b->slots = NODES_TWO;
    sites_start(s, 3, b);
    dials = b->dials;
    ask_words(s[0].w.hub, &q, ASKS);
    serve(&s[0]);
    EXPECT_STR(got.text, "q: " SAYS("2"));

    /* a replica comes, goes, and comes again as a master */
    later(&s[0], &got, NODES);
    EXPECT_STR(got.text, "q: " SAYS("3"));
    EXPECT_INT(b->dials, dials + 1);
    later(&s[0], &got, NODES);
    EXPECT_INT(b->dials, dials + 1);
    later(&s[0], &got, NODES_TWO);
    EXPECT_STR(got.text, "q: " SAYS("2"));
    later(&s[0], &got, NODES_THREE);
    EXPECT_STR(got.text, "q: " SAYS("3"));
    EXPECT_INT(b->dials, dials + 1 + 2); /* to publish, too, and to subscribe */

    /* who may not ask any more goes on with those that it knows */
    later(&s[0], &got, "-NOPERM no\r\n");
    EXPECT_STR(got.text, "q: " SAYS("3"));
    later(&s[0], &got, "+OK\r\n");
    EXPECT_STR(got.text, "q: " SAYS("3"));

    /* one goes that was asked, and owes its answer */
    b->slots = NODES_TWO;
    link_to(b, &s[0], "n3:3")->frozen = true;
    got.len = 0;
    ask_words(s[0].w.hub, &q, ASKS);
    site_advance(&s[0], 50);
    EXPECT_INT(got.len, 0);
    site_advance(&s[0], 5000);
    EXPECT_STR(got.text, "q: " SAYS("2"));
    EXPECT_INT(rstats(&s[0]).requests_lost, 0);

    /* slots that are none end the connection, as at first; so do more than there are */
    b->slots = "*1\r\n*3\r\n:7\r\n:5\r\n" NODE("$2\r\nn1\r\n", "1");
    site_advance(&s[0], 7050);
    EXPECT_OP(rstats(&s[0]).downs, >=, 1);
    EXPECT_HAS(s[0].said, "lost broker:6379: the slots of the Cluster are none, or of too many");
    b->slots = "*16385\r\n";
    site_advance(&s[0], 3000);
    EXPECT_HAS(s[0].said, "cannot use broker:6379: the slots of the Cluster are none, or too many");
    b->slots = NODES;
    site_advance(&s[0], 6000);
    EXPECT_INT(rstats(&s[0]).state, WSHUB_BUS_UP);
    broker_drop_all(b);
    for (i = 0; i < 3; i++) site_stop(&s[i]);
}

/* All slots have gone to a master that is not reached yet, and the former one has ended: there is
 * nobody to ask just now. */
TEST(nobody_is_asked_while_all_nodes_are_dialled) {
    static const wshub_str words[] = {{"PUBSUB", 6}, {"NUMSUB", 6}, {"a", 1}};
    static site s;
    broker *b = cluster();
    answers got = {.len = 0};
    question q = {&got, "q"};
    b->slots = ONE("2");
    b->replica = NULL;
    site_start(&s, b, BUSDESC(.cluster = true, .nodes_ms = 2000), DESC(0), FAKE(0));
    site_advance(&s, 300);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    b->slots = ONE("3");
    b->hole = "n3:3";
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(wshub_bus_request(s.w.hub, words, 3, answered, &q), WSHUB_ERR_STATE);
    EXPECT_INT(rstats(&s).requests_pending, 0);
    b->hole = NULL;
    site_advance(&s, 15000); /* it is begun anew */
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    ask_words(s.w.hub, &q, "PUBSUB NUMSUB a");
    serve(&s);
    EXPECT_STR(got.text, "q: [\"a\" 0]\n");
    broker_drop_all(b);
    site_stop(&s);
}

/* A channel whose slot has gone to such a master is asked for when that is reached. */
TEST(a_channel_waits_for_a_master_that_is_dialled) { /* BUS-4, BUS-7 */
    static site s;
    broker *b = cluster();
    wshub_iter it = {0, 0};
    wshub_client client;
    uint64_t had;
    b->slots = ONE("2");
    b->replica = NULL;
    site_start(&s, b, BUSDESC(.cluster = true, .nodes_ms = 2000), DESC(.bus_sharded = true),
               FAKE(0));
    site_advance(&s, 300);
    (void)world_client(&s.w, "A", NULL);
    site_advance(&s, 300);
    EXPECT(wshub_client_each(s.w.hub, &it, &client));
    had = rstats(&s).subscribed;
    b->slots = ONE("3");
    b->hole = "n3:3";
    site_advance(&s, 3000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(wshub_client_join(s.w.hub, client, wshub_str_z("late")), WSHUB_OK);
    site_advance(&s, 100);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(rstats(&s).subscribed, had);
    b->hole = NULL;
    site_advance(&s, 15000);
    EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
    EXPECT_INT(rstats(&s).subscribed, had + 1);
    broker_drop_all(b);
    site_stop(&s);
}

TEST(slots_in_as_many_ranges_as_there_are_are_read_and_none_is_gathered_with_another) {
    enum { SLOTS = 16384, RANGE_BYTES = 100 };
    static char slots[SLOTS * RANGE_BYTES + 20];
    int cut;
    size_t n = (size_t)snprintf(slots, sizeof slots, "*%d\r\n", SLOTS), i, wrong = 0;
    for (i = 0; i < SLOTS; i++)
        n += (size_t)snprintf(slots + n, sizeof slots - n,
                              "*4\r\n:%zu\r\n:%zu\r\n" NODE("$%d\r\n%s\r\n", "%d")
                                  NODE("$2\r\nn3\r\n", "3"),
                              i, i, i % 2 ? 2 : 6, i % 2 ? "n2" : "broker", i % 2 ? 2 : 6379);
    EXPECT_OP(n, <, sizeof slots);
    for (cut = 0; cut < 2; cut++) {
        static site s;
        broker *b = cluster();
        b->slots = slots;
        site_start(&s, b,
                   BUSDESC(.cluster = true, .url = "redis://broker", .message_bytes_max = 1024),
                   DESC(0), FAKE(0));
        if (cut) wshub_io_fake_set_cut(s.w.net, 997, 1000000);
        site_advance(&s, 200);
        EXPECT_INT(rstats(&s).state, WSHUB_BUS_UP);
        EXPECT_INT(b->dials, 2 + 2 * 2 + 1);
        for (i = 0; i < SLOTS; i++) {
            const wshub_bus_redis__cluster *c = s.redis->cluster;
            wrong += strcmp(c->nodes[c->slots[i]].address, i % 2 ? "n2:2" : "broker:6379") != 0;
        }
        EXPECT_INT(wrong, 0);
        site_advance(&s, 12000); /* and again, twice */
        EXPECT_INT(rstats(&s).downs, 0);
        EXPECT_INT(b->dials, 2 + 2 * 2 + 1);
        site_stop(&s);
    }
}
