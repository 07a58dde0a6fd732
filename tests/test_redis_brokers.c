/* What a real redis-server may be asked and may be: an io for it alone, any command, an ACL, what an
 * application says while it is away, a Sentinel's master that dies, the nodes of a Cluster. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "test.h"
#include "redis_server.h"
#include "redis_ask.h"
#include "redis_node.h"

/* ---- an io for Redis alone, beside a hub on another ---- */

/* as the head of wshub_bus_redis.h says */
TEST(a_hub_on_a_loop_of_its_own_has_an_io_for_redis_alone) {
    static node n;
    redis_server server;
    wshub_io_fake *own;
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub_bus_redis_stats st;
    wshub_io_fake_frame f;
    wshub *hub;
    wshub_conn c;
    wshub_msg m;
    int i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    memset(&m, 0, sizeof m);
    memset(&f, 0, sizeof f);
    redis_start(&server);
    node_start(&n, server.url, (wshub_bus_redis_desc){0}, false, true);
    EXPECT_INT(wshub_io_fake_create(NULL, &own), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_bus_redis_create(
                   &(wshub_bus_redis_desc){.io = wshub_io_sock_io(net), .url = server.url}, &redis),
               WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_fake_io(own),
                                          .bus = wshub_bus_redis_bus(redis),
                                          .on_authenticate = node_auth},
                            &hub),
               WSHUB_OK);
    c = wshub_io_fake_connect(own, "/ws");
    wshub_io_fake_text(own, c, "{\"event\":\"authenticate\"}");
    EXPECT(wshub_io_fake_next(own, c, &f));
    do {
        EXPECT(wshub_io_sock_fd(net) >= 0 && wshub_io_sock_timeout(net) <= 1000);
        EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
        (void)wshub_settle(hub);
        wshub_bus_redis_stats_get(redis, &st);
        node_step(&n, 0);
    } while (st.state != WSHUB_BUS_UP || !node_up(&n));
    m.event = wshub_str_z("n");
    m.data = wshub_str_z("0");
    EXPECT_INT(wshub_send(hub, NULL, &m), WSHUB_OK);
    (void)wshub_settle(hub);
    for (i = 0; i < 60000 && n.got == 0; i++) {
        EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
        (void)wshub_settle(hub);
        node_step(&n, 0);
    }
    EXPECT_INT(n.got, 1);
    EXPECT(wshub_io_fake_next(own, c, &f));
    node_number(&n, 7);
    for (i = 0; i < 60000 && !wshub_io_fake_next(own, c, &f); i++) {
        node_step(&n, 0);
        EXPECT_INT(wshub_io_sock_run_once(net, 1), WSHUB_OK);
        (void)wshub_settle(hub);
    }
    EXPECT(wshub_str_eq_z(f.payload, "{\"event\":\"n\",\"data\":7}"));
    wshub_destroy(hub);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    wshub_io_fake_destroy(own);
    node_stop(&n);
    redis_end(&server);
}

/* ---- any command ---- */

static void ask_step(void *ctx) {
    node_step((node *)ctx, 1);
}
static redis_server *ask_server;
static void ask_cut(void *ctx) { /* stopped before it has read: what is asked is never answered */
    (void)ctx;
    (void)kill(ask_server->pid, SIGSTOP);
    node_step((node *)ctx, 1);
    redis_kill(ask_server);
}

TEST(any_command_is_answered_in_order_and_once) { /* wshub_bus_request() */
    int resp3;
    if (!redis_installed()) SKIP("redis-server is not installed");
    for (resp3 = 0; resp3 < 2; resp3++) {
        static node n;
        redis_server server;
        int i;
        memset(&server, 0, sizeof server);
        redis_start(&server);
        node_start(&n, server.url, (wshub_bus_redis_desc){.resp3 = resp3}, false, false);
        for (i = 0; i < 60000 && !node_ready(&n); i++) node_step(&n, 1);
        ask_a_real_redis(n.hub, ask_step, &n);
        EXPECT_INT(node_redis(&n).requests_pending + node_redis(&n).requests_lost, 0);
        ask_server = &server;
        ask_and_lose(n.hub, ask_step, ask_cut, &n);
        EXPECT_INT(node_redis(&n).requests_pending, 0);
        EXPECT(node_redis(&n).requests_lost > 0);
        node_stop(&n);
        redis_end(&server);
    }
}

/* ---- ACL, Sentinel, Cluster ---- */

static void app_heard(wshub *hub, const wshub_app_message *message, void *user) {
    int *heard = (int *)user;
    EXPECT(wshub_str_eq_z(message->bytes, "own") || wshub_str_eq_z(message->from, "cli"));
    *heard += wshub_str_eq(message->from, wshub_server_id(hub)) ? 1 : 100;
}

TEST(the_acl_line_of_the_manual_suffices) { /* APP-1 */
    static node n;
    redis_server server;
    char url[96];
    int i;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    EXPECT_HAS(
        redis_tell(server.port,
                   "ACL SETUSER hub on >secret resetchannels &ws:broadcast &ws:room:* &ws:client:* "
                   "&ws:user:* &wshub:hb:* &wshub:app:* -@all +subscribe +psubscribe "
                   "+unsubscribe +punsubscribe +publish +ping +hello +auth +client|setname +quit",
                   NULL, 60000),
        "OK");
    (void)snprintf(url, sizeof url, "redis://hub:secret@127.0.0.1:%d", server.port);
    for (i = 0; i < 4; i++) {
        int k, heard = 0;
        node_start(&n, url, (wshub_bus_redis_desc){.resp3 = i % 2 == 1}, i >= 2, true);
        EXPECT_INT(wshub_app_subscribe(n.hub, wshub_str_z("c"), app_heard, &heard), WSHUB_OK);
        for (k = 0; k < 60000 && !node_ready(&n); k++) node_step(&n, 1);
        EXPECT(node_ready(&n));
        node_number(&n, 0);
        for (k = 0; k < 60000 && (node_redis(&n).pending || !node_redis(&n).receivers); k++)
            node_step(&n, 1);
        EXPECT_INT(node_redis(&n).refused, 0);
        EXPECT_INT(node_redis(&n).receivers, 1);
        EXPECT_INT(n.downs, 0);
        EXPECT_HAS(redis_tell(server.port, "CLIENT LIST", "wshub", 60000), "name=wshub");
        EXPECT_INT(wshub_app_publish(n.hub, wshub_str_z("c"), wshub_str_z("own")), WSHUB_OK);
        EXPECT_HAS(redis_tell(server.port, "PUBLISH wshub:app:c \"cli\\x00theirs\"", NULL, 60000),
                   ":1");
        for (k = 0; k < 60000 && heard < 101; k++) node_step(&n, 1);
        EXPECT_INT(heard, 101); /* its own once, and the other program's */
        node_stop(&n);
    }
    redis_end(&server);
}

/* Numbers on a channel, in the order in which they were heard. */
typedef struct app_ear {
    char heard[100];
    size_t len;
} app_ear;
static void app_written(wshub *hub, const wshub_app_message *message, void *user) {
    app_ear *ear = (app_ear *)user;
    (void)hub;
    ear->len += (size_t)snprintf(ear->heard + ear->len, sizeof ear->heard - ear->len, "%.*s ",
                                 (int)message->bytes.len, message->bytes.ptr);
}
static void app_say(node *n, const char *bytes) {
    EXPECT_INT(wshub_app_publish(n->hub, wshub_str_z("c"), wshub_str_z(bytes)), WSHUB_OK);
}

/* Cuts off all that the broker calls `wshub` and that is not in `but`, a list of ids. Returns those
 * that are there now. */
static const char *redis_cut(int port, const char *but) {
    static char ids[200];
    char list[4000], find[32], kill[64], *at;
    size_t n = 0;
    (void)snprintf(list, sizeof list, "%s", redis_tell(port, "CLIENT LIST", "\r\n\r\n", 200));
    ids[0] = 0;
    for (at = strstr(list, "id="); at; at = strstr(at, "\nid=") ? strstr(at, "\nid=") + 1 : NULL) {
        const char *eol = strchr(at, '\n'), *name = strstr(at, "name=wshub");
        if (!name || (eol && name > eol)) continue;
        (void)snprintf(find, sizeof find, " %d ", atoi(at + 3));
        n += (size_t)snprintf(ids + n, sizeof ids - n, "%s", find);
        if (!but || strstr(but, find)) continue;
        (void)snprintf(kill, sizeof kill, "CLIENT KILL ID%.*s", (int)strlen(find) - 1, find);
        EXPECT_HAS(redis_tell(port, kill, NULL, 60000), ":1");
    }
    return ids;
}
static void nodes_step(node *a, node *b, int times) {
    for (; times > 0; times--) {
        if (a) node_step(a, 1);
        if (b) node_step(b, 1);
    }
}
static void nodes_ready(node *a, node *b) {
    int k;
    for (k = 0; k < 60000 && ((a && !node_ready(a)) || (b && !node_ready(b))); k++)
        nodes_step(a, b, 1);
    EXPECT((!a || node_ready(a)) && (!b || node_ready(b)));
}

TEST(what_an_application_says_while_its_bus_is_down_is_said_afterwards) { /* APP-1, BUS-5 */
    static node here, there;
    app_ear own, others;
    redis_server server;
    char ids[200];
    int exact, k;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    for (exact = 0; exact < 2; exact++) {
        wshub_bus_redis_desc rd = {.resp3 = exact, .retry_min_ms = 20, .retry_max_ms = 40};
        memset(&own, 0, sizeof own);
        memset(&others, 0, sizeof others);
        node_start(&there, server.url, rd, exact, false);
        EXPECT_INT(wshub_app_subscribe(there.hub, wshub_str_z("c"), app_written, &others),
                   WSHUB_OK);
        nodes_ready(&there, NULL);
        (void)snprintf(ids, sizeof ids, "%s", redis_cut(server.port, NULL));
        node_start(&here, server.url, rd, exact, false);
        nodes_ready(&here, &there);
        EXPECT_INT(wshub_app_subscribe(here.hub, wshub_str_z("c"), app_written, &own), WSHUB_OK);
        nodes_ready(&here, &there); /* nothing tells of that: a channel subscribed to behind UP */

        /* The publisher alone is cut off: it hears itself, and the others hear it later. */
        (void)redis_cut(server.port, ids);
        for (k = 0; k < 60000 && node_up(&here); k++) nodes_step(&here, &there, 1);
        EXPECT(!node_up(&here));
        app_say(&here, "1");
        app_say(&here, "2");
        app_say(&there, "lost"); /* and what is said by those who are not is lost to it */
        (void)wshub_io_sock_run_once(here.net, 0);
        EXPECT_STR(own.heard, "1 2 ");
        nodes_ready(&here, &there);
        app_say(&here, "3");
        for (k = 0; k < 60000 && others.len < 11; k++) nodes_step(&here, &there, 1);
        nodes_step(&here, &there, 20);
        EXPECT_STR(others.heard, "lost 1 2 3 ");
        EXPECT_STR(own.heard, "1 2 3 ");
        EXPECT_INT(there.downs, 0);

        /* Both are. The one is back, and the other, which has yet to come, hears nothing of it:
         * neither what was kept nor what was said since. */
        (void)redis_cut(server.port, "");
        for (k = 0; k < 60000 && node_up(&here); k++) node_step(&here, 1);
        app_say(&here, "4");
        nodes_ready(&here, NULL);
        app_say(&here, "5");
        for (k = 0; k < 60000 && node_redis(&here).pending; k++) node_step(&here, 1);
        for (k = 0; k < 60000 && node_up(&there); k++) node_step(&there, 1);
        nodes_ready(&here, &there);
        app_say(&here, "6");
        for (k = 0; k < 60000 && others.len < 13; k++) nodes_step(&here, &there, 1);
        nodes_step(&here, &there, 20);
        EXPECT_STR(own.heard, "1 2 3 4 5 6 ");
        EXPECT_STR(others.heard, "lost 1 2 3 6 ");
        EXPECT_INT(here.downs, 2);
        EXPECT_INT(there.downs, 1);
        node_stop(&here);
        node_stop(&there);
    }
    redis_end(&server);
}

TEST(the_master_of_a_sentinel_is_followed_when_it_dies) {
    static node n[2];
    redis_server master, replica, sentinel;
    char conf[128], text[64], url[64], port[16];
    FILE *f;
    int i;
    uint64_t end;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&master, 0, sizeof master);
    memset(&replica, 0, sizeof replica);
    memset(&sentinel, 0, sizeof sentinel);
    redis_start(&master);
    (void)snprintf(text, sizeof text, "127.0.0.1 %d", master.port);
    replica.extra[0] = "--replicaof";
    (void)snprintf(port, sizeof port, "%d", master.port);
    replica.extra[1] = "127.0.0.1";
    replica.extra[2] = port;
    redis_start(&replica);
    sentinel.port = free_port();
    (void)snprintf(sentinel.dir, sizeof sentinel.dir, "build/sentinel-%d", (int)getpid());
    (void)mkdir(sentinel.dir, 0700);
    (void)snprintf(conf, sizeof conf, "%s/sentinel.conf", sentinel.dir);
    f = fopen(conf, "w");
    EXPECT(f != NULL);
    if (f) {
        (void)fprintf(f,
                      "port %d\nbind 127.0.0.1\nsentinel monitor main %s 1\nsentinel "
                      "down-after-milliseconds main 300\n"
                      "sentinel failover-timeout main 3000\n",
                      sentinel.port, text);
        (void)fclose(f);
    }
    sentinel.pid = fork();
    if (sentinel.pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)execlp("redis-server", "redis-server", conf, "--sentinel", (char *)NULL);
        _exit(127);
    }
    EXPECT(redis_ready(&sentinel, 60000));
    for (i = 0; i < 1000 &&
                !strstr(redis_tell(sentinel.port, "INFO sentinel", "slaves=1", 100), "slaves=1");
         i++)
        real_sleep(10);
    /* one of them is never there */
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:1,127.0.0.1:%d", sentinel.port);
    for (i = 0; i < 2; i++)
        node_start(&n[i], url, (wshub_bus_redis_desc){.sentinel = "main"}, false, true);
    for (i = 0; i < 60000 && (!node_ready(&n[0]) || !node_ready(&n[1])); i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", master.port);
    EXPECT_STR(wshub_bus_redis_address(n[0].redis), text);
    redis_kill(&master);
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", replica.port);
    end = real_ms() + 60000;
    do {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    } while ((!node_up(&n[0]) || !node_up(&n[1]) ||
              strcmp(wshub_bus_redis_address(n[0].redis), text) != 0 ||
              strcmp(wshub_bus_redis_address(n[1].redis), text) != 0) &&
             real_ms() < end);
    EXPECT(node_up(&n[0]) && strcmp(wshub_bus_redis_address(n[0].redis), text) == 0);
    EXPECT(node_up(&n[1]) && strcmp(wshub_bus_redis_address(n[1].redis), text) == 0);
    node_number(&n[0], n[1].next);
    for (i = 0; i < 60000 && n[1].got == 0; i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    EXPECT_INT(n[1].got, 1);
    for (i = 0; i < 2; i++) node_stop(&n[i]);
    redis_end(&sentinel);
    redis_end(&replica);
    redis_end(&master);
}

TEST(a_cluster_is_joined_by_any_node_and_left_by_none) {
    static node n[2];
    redis_server s[3];
    char url[200], text[128];
    int i, k;
    uint64_t end;
    if (!redis_installed()) SKIP("redis-server is not installed");
    redis_cluster_start(s);
    /* one by the first node, one by the second: classic pub/sub is everywhere */
    for (i = 0; i < 2; i++) {
        (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", s[i].port,
                       s[(i + 1) % 3].port, s[2].port);
        node_start(&n[i], url, (wshub_bus_redis_desc){0}, i == 1, true);
    }
    for (i = 0; i < 60000 && (!node_ready(&n[0]) || !node_ready(&n[1])); i++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", s[0].port);
    EXPECT_STR(wshub_bus_redis_address(n[0].redis), text);
    end = real_ms() + 60000;
    while (n[1].got < 3 && real_ms() < end) { /* the nodes' own bus may take a moment */
        if (n[0].got <= n[1].got) node_number(&n[0], n[0].next);
        for (k = 0; k < 100 && n[1].got < n[0].got; k++) {
            node_step(&n[0], 1);
            node_step(&n[1], 1);
        }
        node_step(&n[0], 1);
    }
    EXPECT_OP(n[1].got, >=, 3);
    redis_kill(&s[0]); /* the first node goes: its hub takes the next one */
    end = real_ms() + 60000;
    do {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    } while ((n[0].downs == 0 || !node_up(&n[0])) && real_ms() < end);
    EXPECT(node_up(&n[0]) && strcmp(wshub_bus_redis_address(n[0].redis), text) != 0);
    n[1].got = 0;
    node_number(&n[0], n[0].next);
    for (k = 0; k < 60000 && n[1].got == 0; k++) {
        node_step(&n[0], 1);
        node_step(&n[1], 0);
    }
    EXPECT_OP(n[1].got, >=, 1);
    EXPECT_INT(n[1].downs, 0);
    for (i = 0; i < 2; i++) node_stop(&n[i]);
    for (i = 0; i < 3; i++) redis_end(&s[i]);
}
