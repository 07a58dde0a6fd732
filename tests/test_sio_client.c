/* The client of Socket.IO (backends/wshub_ext_client_socketio.h) on a fake io, against a server that
 * is played by hand: packets both ways, acknowledgements, bytes, namespaces, ends, what a server
 * does wrong. Numbers in brackets are sections of the protocol's description. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client_socketio.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "sio_client_site.h"

/* ---- what Node's client says (captured from it), and how it takes what comes ---- */

TEST(the_request_is_that_of_nodes_client) {
    static const struct {
        const char *url, *path, *query, *target;
    } cases[] = {
        {"http://server:3000", NULL, NULL, "/socket.io/?EIO=4&transport=websocket"},
        {"http://server:3000/", "/io", NULL, "/io/?EIO=4&transport=websocket"},
        {"ws://server:3000", "/", "foo=bar&EIO=9", "/?foo=bar&EIO=9&EIO=4&transport=websocket"},
    };
    char request[8192], want[200], accept[29];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start();
        desc.ws.url = cases[i].url;
        desc.path = cases[i].path;
        desc.query = cases[i].query;
        begin();
        wshub_io_fake_run(s.fake);
        line = site_dialled(&s, "server:3000");
        wshub_io_fake_answer(s.fake, line, true);
        site_request(&s, line, request, accept);
        (void)snprintf(want, sizeof want, "GET %s HTTP/1.1\r\nHost: server:3000\r\n",
                       cases[i].target);
        request[strlen(want)] = 0;
        EXPECT_STR(request, want);
        stop();
    }
}

TEST(descriptions_are_refused_with_the_name_of_the_field) {
    static const char *const urls[] = {"",           "http://",    "ftp://h",    "http://h/x",
                                       "http://h?x", "http://a b", "http://h#x", NULL};
    wshub_sio_client_desc d;
    wshub_sio_socket_desc n;
    char name[300];
    size_t i;
    start();
    for (i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        d = desc;
        d.ws.url = urls[i];
        EXPECT(wshub_sio_client_desc_problem(&d) != NULL);
        EXPECT_INT(wshub_sio_client_create(s.pool, &d, NULL, &client), WSHUB_ERR_PARAM);
    }
#define WRONG(field, value, text)                                                                  \
    d = desc;                                                                                      \
    d.field = value;                                                                               \
    EXPECT(wshub_sio_client_desc_problem(&d) &&                                                    \
           strncmp(wshub_sio_client_desc_problem(&d), text, strlen(text)) == 0)
    WRONG(path, "socket.io/", "path");
    WRONG(path, "/a?b", "path");
    WRONG(query, "a b", "url");
    WRONG(attachments_max, 100, "attachments_max");
    WRONG(reconnect_delay_ms, 86400001, "reconnect_delay_ms");
    WRONG(join_timeout_ms, 86400001, "join_timeout_ms");
    WRONG(buffer_bytes, (1u << 30) + 1, "buffer_bytes");
    EXPECT(wshub_sio_client_desc_problem(NULL) != NULL);
    EXPECT(wshub_sio_client_desc_problem(&desc) == NULL);
    n = space;
    EXPECT(wshub_sio_socket_desc_problem(&n) == NULL && wshub_sio_socket_desc_problem(NULL));
    n.name = "/a,b";
    EXPECT(wshub_sio_socket_desc_problem(&n) != NULL);
    memset(name, 'x', sizeof name);
    name[256] = 0;
    n.name = name;
    EXPECT(wshub_sio_socket_desc_problem(&n) != NULL);
    n = space;
    n.auth = "[1]";
    EXPECT(wshub_sio_socket_desc_problem(&n) != NULL);
    n = space;
    n.events = NULL;
    EXPECT(wshub_sio_socket_desc_problem(&n) != NULL);
    stop();
}

TEST(an_event_goes_and_comes_and_it_leaves) {
    start();
    begin();
    EXPECT_INT(wshub_sio_client_state_of(client), WSHUB_SIO_CLIENT_WAITING);
    serve(OPEN_PACKET);
    EXPECT_INT(wshub_sio_socket_state_of(sock), WSHUB_SIO_SOCKET_JOINING);
    play("> 40\n.\n< 40{\"sid\":\"A\"}\n.");
    EXPECT_STR(site_told(&s), "connected A\n");
    EXPECT_INT(emit("echo", "\"a\""), WSHUB_OK);
    EXPECT_INT(emit("none", NULL), WSHUB_OK);
    play("> 42[\"echo\",\"a\"]\n> 42[\"none\"]\n< 42[\"echo\",1,\"\\u00e9\"]\n< 42[\"e\\n\"]\n< "
         "42[7,[]]\n< 42");
    EXPECT_STR(site_told(&s), "event echo 1 \"\\u00e9\"\nevent e\n\nevent 7 []\n");
    EXPECT_INT(emit("disconnect", NULL), WSHUB_ERR_PARAM); /* reserved */
    EXPECT_INT(emit("", NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(emit("x", "{"), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_sio_socket_disconnect(sock), WSHUB_OK);
    EXPECT_STR(site_told(&s), ""); /* not from inside an order */
    play("> 41\n>|\n.");
    EXPECT_STR(site_told(&s), "disconnected io client disconnect\n");
    EXPECT(wshub_sio_client_is_leaving(client));
    EXPECT_INT(wshub_sio_client_state_of(client), WSHUB_SIO_CLIENT_IDLE);
    site_frame(&s, line, 0x88, NULL, 0);
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s), "closed\n");
    wshub_io_fake_advance(s.fake, 100000); /* and does not come back */
    EXPECT_STR(site_told(&s), "");
    EXPECT_INT(wshub_sio_socket_connect(sock), WSHUB_OK);
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"B\"}");
    EXPECT_STR(site_told(&s), "connected B\n");
    stop();
}

TEST(what_is_said_at_connect_is_fixed_or_asked_for) {
    start();
    space.name = "admin";
    space.auth = " {\"a\":1}\n";
    begin();
    serve(OPEN_PACKET);
    play("> 40/admin,{\"a\":1}\n< 40/admin,{\"sid\":\"A\"}");
    EXPECT_STR(site_told(&s), "/admin connected A\n");
    EXPECT_INT(emit("echo", "\"x\""), WSHUB_OK);
    play("> 42/admin,[\"echo\",\"x\"]\n< 42/admin,[\"echo\",\"x\"]\n< 42[\"echo\",\"not ours\"]");
    EXPECT_STR(site_told(&s), "/admin event echo \"x\"\n");
    (void)wshub_sio_socket_disconnect(sock);
    play("> 41/admin,\n>|");
    stop();
}
static const char *tokens;
static wshub_str on_auth(wshub_sio_socket *of, void *user) {
    (void)of;
    EXPECT(user == &s);
    return wshub_str_z(tokens);
}
TEST(each_connect_is_asked_anew) {
    start();
    events.auth = on_auth;
    tokens = "{\"t\":1}";
    begin();
    serve(OPEN_PACKET);
    play("> 40{\"t\":1}\n< 44{\"message\":\"no\"}");
    tokens = "nonsense"; /* is not said */
    (void)wshub_sio_socket_connect(sock);
    serve(OPEN_PACKET);
    play("> 40\n< 44");
    EXPECT_STR(site_told(&s), "connect_error no refused\nconnect_error  refused\n");
    stop();
}

/* ---- acknowledgements (3.3) ---- */

TEST(answers_come_in_any_order_once_or_in_time) {
    connect_one();
    EXPECT_INT(ask("echo", "1", 1000), WSHUB_OK);
    EXPECT_INT(ask("echo", "2", WSHUB_OFF), WSHUB_OK);
    EXPECT_INT(ask("silent", NULL, 50), WSHUB_OK);
    play("> 420[\"echo\",1]\n> 421[\"echo\",2]\n> 422[\"silent\"]\n< 431[2]\n< 430[1,{\"a\":2}]\n< "
         "430[1]\n< 439[]\n< 43[]");
    EXPECT_STR(site_told(&s), "answer  2\nanswer  1 {\"a\":2}\n");
    wshub_io_fake_advance(s.fake, 50);
    EXPECT_STR(site_told(&s), "answer operation has timed out\n");
    play("< 432[]"); /* too late */
    EXPECT_INT(ask("x", NULL, 0), WSHUB_ERR_PARAM);
    EXPECT_INT(ask("connect", NULL, 10), WSHUB_ERR_PARAM);
    EXPECT_INT(ask("n", NULL, WSHUB_OFF), WSHUB_OK); /* refused ones take no number */
    play("> 423[\"n\"]\n< 433");
    EXPECT_STR(site_told(&s), "answer\n");
    desc.asks_max = 1;
    EXPECT_INT(ask("n", NULL, WSHUB_OFF), WSHUB_OK);
    EXPECT_INT(ask("n", NULL, WSHUB_OFF), WSHUB_ERR_LIMIT);
    stop();
}

TEST(the_server_is_answered_once) {
    wshub_packet packet;
    wshub_str args[2];
    wshub_sio_ack first;
    connect_one();
    args[0] = wshub_str_z("\"r\"");
    args[1] = wshub_str_z("1");
    memset(&packet, 0, sizeof packet);
    packet.args = args;
    packet.args_count = 2;
    play("< 420[\"q\",1]");
    EXPECT_STR(site_told(&s), "event q 1 ?\n");
    first = last_ack;
    EXPECT_INT(wshub_sio_socket_answer(sock, first, &packet), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_answer(sock, first, &packet), WSHUB_ERR_STALE);
    play("> 430[\"r\",1]\n< 421234567890123456[\"q\"]");
    packet.args_count = 0;
    EXPECT_INT(wshub_sio_socket_answer(sock, last_ack, &packet), WSHUB_OK);
    play("> 431234567890123456[]");
    desc.unanswered_max = 1; /* the oldest is forgotten */
    play("< 425[\"q\"]");
    first = last_ack;
    play("< 426[\"q\"]");
    EXPECT_INT(wshub_sio_socket_answer(sock, first, &packet), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_socket_answer(sock, last_ack, &packet), WSHUB_OK);
    play("> 436[]\n< 427[\"q\"]\n<  1"); /* a parse error: what is gone is not answered */
    EXPECT_INT(wshub_sio_socket_answer(sock, last_ack, &packet), WSHUB_ERR_STALE);
    stop();
}

/* ---- bytes (3.1) ---- */

TEST(bytes_go_and_come_at_any_depth) {
    static const uint8_t one[] = {1, 2, 3}, two[] = {4};
    wshub_span spans[2];
    wshub_packet packet;
    wshub_str args[2];
    connect_one();
    spans[0].ptr = one;
    spans[0].len = 3;
    spans[1].ptr = two;
    spans[1].len = 1;
    args[0] = wshub_str_z("{\"_placeholder\":true,\"num\":0}");
    args[1] = wshub_str_z("{\"b\":[{\"_placeholder\":true,\"num\":1}]}");
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("echo");
    packet.args = args;
    packet.args_count = 2;
    packet.attachments = spans;
    packet.attachments_count = 2;
    EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_OK);
    play("> "
         "452-[\"echo\",{\"_placeholder\":true,\"num\":0},{\"b\":[{\"_placeholder\":true,\"num\":1}"
         "]}]\n"
         ">> 010203\n>> 04\n"
         "< 452-[\"e\",{\"_placeholder\":true,\"num\":1},[{\"num\":0,\"_placeholder\":true}]]\n"
         "<< 010203\n< 2\n> 3\n<< 04"); /* only Engine.IO comes between */
    EXPECT_STR(site_told(&s), "event e <04> [{\"num\":0,\"_placeholder\":true}]\n");
    packet.args_count = packet.attachments_count = 1;
    EXPECT_INT(wshub_sio_socket_ask(sock, &packet, 100, on_answer, NULL), WSHUB_OK);
    play("> 451-0[\"echo\",{\"_placeholder\":true,\"num\":0}]\n>> 010203\n"
         "< 461-0[{\"_placeholder\":true,\"num\":0}]\n< bCQ=="); /* as text, too (2.3) */
    EXPECT_STR(site_told(&s), "answer  <09>\n");
    packet.args_count = 2; /* the second stands for what is not there */
    EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_ERR_PARAM);
    desc.attachments_max = 1;
    packet.attachments_count = 2;
    EXPECT_INT(wshub_sio_socket_emit(sock, &packet), WSHUB_ERR_LIMIT);
    stop();
}

/* ---- namespaces on one connection ---- */

TEST(namespaces_share_a_connection) {
    wshub_sio_socket_desc other = {0};
    wshub_sio_socket *second, *third;
    start();
    begin();
    other.events = &events;
    other.name = "/b";
    EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &second), WSHUB_OK);
    EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &third), WSHUB_ERR_STATE);
    serve(OPEN_PACKET);
    play("> 40\n> 40/b,\n< 40/b,{\"sid\":\"B\"}\n< 40{\"sid\":\"A\"}");
    EXPECT_STR(site_told(&s), "/b connected B\nconnected A\n");
    EXPECT(wshub_sio_socket_client(second) == client);
    EXPECT_INT(emit_as(second, "e", "1", 0), WSHUB_OK);
    EXPECT_INT(emit("e", "2"), WSHUB_OK);
    play("> 42/b,[\"e\",1]\n> 42[\"e\",2]\n< 42/b,[\"e\"]\n< 42/c,[\"e\"]");
    EXPECT_STR(site_told(&s), "/b event e\n");
    (void)wshub_sio_socket_disconnect(sock);
    play("> 41\n.\n< 42[\"e\"]"); /* what comes for it later is passed over */
    EXPECT_STR(site_told(&s), "disconnected io client disconnect\n");
    (void)wshub_sio_socket_connect(sock);
    play("> 40\n< 40{\"sid\":\"A2\"}\n< 41/b,");
    EXPECT_STR(site_told(&s), "connected A2\n/b disconnected io server disconnect\n");
    EXPECT_INT(wshub_sio_client_state_of(client), WSHUB_SIO_CLIENT_OPEN);
    wshub_sio_socket_destroy(second);
    EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &third), WSHUB_OK);
    play("> 40/b,\n< 41"); /* one is put out, the other has just come: the connection stays */
    EXPECT_STR(site_told(&s), "disconnected io server disconnect\n");
    play("< 44/b,\"as text\"\n>|");
    EXPECT_STR(site_told(&s), "/b connect_error as text refused\n");
    stop();
}

TEST(who_leaves_before_the_answer_is_not_kept_by_the_server) {
    wshub_sio_socket_desc other = {0};
    wshub_sio_socket *second;
    connect_one();
    other.events = &events;
    other.name = "/b";
    EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &second), WSHUB_OK);
    play("> 40/b,");
    (void)wshub_sio_socket_disconnect(second);
    play(".\n< 40/b,{\"sid\":\"B\"}\n> 41/b,");
    EXPECT_STR(site_told(&s), "");
    (void)wshub_sio_socket_connect(second);
    play("> 40/b,");
    (void)wshub_sio_socket_disconnect(second);
    (void)wshub_sio_socket_connect(second); /* again, before the answer: no second CONNECT */
    play(".\n< 40/b,{\"sid\":\"C\"}\n.");
    EXPECT_STR(site_told(&s), "/b connected C\n");
    (void)wshub_sio_socket_disconnect(second);
    (void)wshub_sio_socket_connect(second);
    play("> 41/b,\n> 40/b,");
    wshub_sio_socket_destroy(second);
    play("< 40/b,{\"sid\":\"D\"}\n> 41/b,\n.");
    EXPECT_STR(site_told(&s), "/b disconnected io client disconnect\n");
    stop();
}

/* A server closes the whole connection for a second CONNECT of what is connected: the answer to that
 * of a socket that is gone is awaited, and refused, before another of its name says its own. */
TEST(who_takes_the_name_of_one_that_is_gone_waits_for_its_answer) {
    wshub_sio_socket_desc other = {0}, anew = {0};
    wshub_sio_socket *second, *third;
    connect_one();
    other.events = anew.events = &events;
    other.name = anew.name = "/b";
    other.auth = "{\"token\":1}";
    anew.auth = "{\"token\":2}";
    EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &second), WSHUB_OK);
    play("> 40/b,{\"token\":1}");
    wshub_sio_socket_destroy(second);
    memset(&other, 0, sizeof other); /* it is the application's again */
    EXPECT_INT(wshub_sio_socket_create(client, &anew, &s, &third), WSHUB_OK);
    play(".\n< 40/b,{\"sid\":\"B\"}\n> 41/b,\n> 40/b,{\"token\":2}\n< 40/b,{\"sid\":\"C\"}");
    EXPECT_STR(site_told(&s), "/b connected C\n");

    /* One that is refused; two that are gone; and what ends with the connection. */
    wshub_sio_socket_destroy(third);
    EXPECT_INT(wshub_sio_socket_create(client, &anew, &s, &second), WSHUB_OK);
    play("> 41/b,\n> 40/b,{\"token\":2}");
    wshub_sio_socket_destroy(second);
    EXPECT_INT(wshub_sio_socket_create(client, &anew, &s, &third), WSHUB_OK);
    wshub_sio_socket_destroy(third);
    EXPECT_INT(wshub_sio_socket_create(client, &anew, &s, &second), WSHUB_OK);
    play(".\n< 44/b,{\"message\":\"no\"}\n> 40/b,{\"token\":2}\n< 40/b,{\"sid\":\"D\"}");
    EXPECT_STR(site_told(&s), "/b connected D\n");
    wshub_sio_socket_destroy(second);
    EXPECT_INT(wshub_sio_socket_create(client, &anew, &s, &third), WSHUB_OK);
    play("> 41/b,\n> 40/b,{\"token\":2}");
    wshub_sio_socket_destroy(third);
    stop();
}

/* The same where the one that is gone is destroyed, and the other one made, in a callback that is
 * asked before the other has its turn. */
static wshub_sio_socket *taken;
static wshub_sio_socket_desc taken_desc;
static wshub_str auth_takes(wshub_sio_socket *of, void *user) {
    static wshub_sio_socket_desc anew;
    (void)of;
    (void)user;
    wshub_sio_socket_destroy(taken);
    memset(&taken_desc, 0, sizeof taken_desc);
    memset(&anew, 0, sizeof anew);
    anew.events = &events;
    anew.name = "/a";
    EXPECT_INT(wshub_sio_socket_create(client, &anew, &s, &taken), WSHUB_OK);
    return wshub_str_z("{}");
}
TEST(who_takes_a_name_in_a_callback_waits_for_the_answer_too) {
    static wshub_sio_socket_events takes;
    wshub_sio_socket_desc b = {0};
    wshub_sio_socket *taker;
    int i;
    for (i = 0; i < 2; i++) { /* when the connection opens; while it is open */
        start();
        begin();
        takes = events;
        takes.auth = auth_takes;
        b.name = "/b";
        b.events = &takes;
        memset(&taken_desc, 0, sizeof taken_desc);
        taken_desc.events = &events;
        taken_desc.name = "/a";
        if (i) serve(OPEN_PACKET);
        if (i) play("> 40\n< 40{\"sid\":\"A\"}");
        EXPECT_INT(wshub_sio_socket_create(client, &taken_desc, &s, &taken), WSHUB_OK);
        EXPECT_INT(wshub_sio_socket_create(client, &b, &s, &taker), WSHUB_OK);
        if (!i) serve(OPEN_PACKET);
        if (!i) play("> 40");
        play("> 40/a,\n> 40/b,{}\n.\n< 40/a,{\"sid\":\"B\"}\n> 41/a,\n> 40/a,\n"
             "< 40/a,{\"sid\":\"C\"}");
        EXPECT_STR(site_told(&s), i ? "connected A\n/a connected C\n" : "/a connected C\n");
        stop();
    }
}

/* A namespace that is left and taken again on one connection: what the server had sent before it
 * heard of that is for nobody any more, also where another socket takes the name. Node's client tells
 * it under the new id, before its `connect`. */
static wshub_sio_socket *takes_again(wshub_sio_socket *of, const wshub_sio_socket_desc *as,
                                     bool another) {
    wshub_sio_socket *anew = of;
    if (!another) {
        EXPECT_INT(wshub_sio_socket_disconnect(of), WSHUB_OK);
        EXPECT_INT(wshub_sio_socket_connect(of), WSHUB_OK);
    } else {
        wshub_sio_socket_destroy(of);
        EXPECT_INT(wshub_sio_socket_create(client, as, &s, &anew), WSHUB_OK);
    }
    return anew;
}
TEST(what_is_under_way_to_who_has_left_is_not_told_to_who_comes) {
    wshub_sio_socket_desc other = {0};
    wshub_sio_socket *second;
    int another;
    for (another = 0; another < 2; another++) {
        connect_one();
        other.events = &events;
        other.name = "/b";
        EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &second), WSHUB_OK);
        /* its first CONNECT: what comes early is its own */
        play("> 40/b,\n< 42/b,[\"early\"]\n< 40/b,{\"sid\":\"B\"}");
        EXPECT_STR(site_told(&s), "/b connected B\n/b event early\n");
        second = takes_again(second, &other, another != 0);
        play("< 42/b,[\"old\",0]\n> 41/b,\n> 40/b,\n< 42/b,[\"old\",1]\n< 42/b,7[\"old\",2]\n"
             "< 451-/b,[\"old\",{\"_placeholder\":true,\"num\":0}]\n<< 01\n< 43/b,0[]");
        EXPECT_STR(site_told(&s), another ? "" : "/b disconnected io client disconnect\n");
        play("< 40/b,{\"sid\":\"C\"}\n< 42/b,[\"e\"]");
        EXPECT_STR(site_told(&s), "/b connected C\n/b event e\n");

        /* put out as it leaves */
        second = takes_again(second, &other, another != 0);
        play("> 41/b,\n> 40/b,\n< 41/b,\n< 40/b,{\"sid\":\"D\"}");
        EXPECT_STR(site_told(&s), another
                                      ? "/b connected D\n"
                                      : "/b disconnected io client disconnect\n/b connected D\n");

        /* gone before it is answered, and taken once more */
        second = takes_again(second, &other, another != 0);
        play("> 41/b,\n> 40/b,");
        second = takes_again(second, &other, another != 0);
        play("< 42/b,[\"old\",3]\n< 40/b,{\"sid\":\"E\"}");
        if (another) play("> 41/b,\n> 40/b,\n< 42/b,[\"old\",4]\n< 41/b,\n< 40/b,{\"sid\":\"F\"}");
        EXPECT_STR(site_told(&s), another
                                      ? "/b connected F\n"
                                      : "/b disconnected io client disconnect\n/b connected E\n");

        /* on a connection of its own it is as it was at first */
        (void)wshub_sio_client_drop(client);
        wshub_io_fake_advance(s.fake, 1500);
        (void)site_told(&s);
        serve(OPEN_PACKET);
        play("> 40\n> 40/b,\n< 42/b,[\"early\"]\n< 40/b,{\"sid\":\"G\"}");
        EXPECT_STR(site_told(&s), "/b connected G\n/b event early\n");
        stop();
    }
}
/* The same where it is left and taken inside a callback that tells of what came before. */
static wshub_sio_socket_desc taken_again_desc;
static wshub_sio_socket *taken_again;
static int takes_as;
static void on_event_take(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    on_event(of, event, user);
    if (!wshub_str_eq_z(event->name, "go")) return;
    taken_again = takes_again(of, &taken_again_desc, takes_as != 0);
}
TEST(what_lies_behind_an_event_that_has_it_leave_is_not_told_to_who_comes) {
    static wshub_sio_socket_events takes;
    for (takes_as = 0; takes_as < 2; takes_as++) {
        connect_one();
        takes = events;
        takes.event = on_event_take;
        memset(&taken_again_desc, 0, sizeof taken_again_desc);
        taken_again_desc.events = &takes;
        taken_again_desc.name = "/b";
        EXPECT_INT(wshub_sio_socket_create(client, &taken_again_desc, &s, &taken_again), WSHUB_OK);
        play("> 40/b,\n< 40/b,{\"sid\":\"B\"}");
        wshub_io_fake_hold(s.fake, true); /* in one piece */
        play("< 42/b,[\"go\"]\n< 42/b,[\"old\"]");
        wshub_io_fake_hold(s.fake, false);
        play("> 41/b,\n> 40/b,\n< 42/b,[\"old\"]\n< 40/b,{\"sid\":\"C\"}\n< 42/b,[\"e\"]");
        EXPECT_STR(site_told(&s),
                   takes_as ? "/b connected B\n/b event go\n/b connected C\n/b event e\n"
                            : "/b connected B\n/b event go\n/b disconnected io client disconnect\n"
                              "/b connected C\n/b event e\n");
        stop();
    }
}
/* That a name was left is known as long as it matters, and not for ever: where names come and go it
 * costs nothing in the end. */
TEST(names_that_come_and_go_leave_nothing_behind) {
    enum { NAMES = 50 };
    wshub_sio_socket_desc other[2] = {{0}, {0}};
    wshub_sio_socket *two[2] = {NULL, NULL};
    char name[2][20], script[100];
    uint64_t before = 0;
    int i;
    connect_one();
    for (i = 0; i < NAMES; i++) {
        int at = i % 2;
        wshub_sio_socket_destroy(two[at]); /* while the other one is there */
        (void)snprintf(name[at], sizeof name[at], "/n%02d", i);
        other[at].name = name[at];
        other[at].events = &events;
        EXPECT_INT(wshub_sio_socket_create(client, &other[at], &s, &two[at]), WSHUB_OK);
        if (i > 1) {
            (void)snprintf(script, sizeof script, "> 41/n%02d,", i - 2);
            play(script);
        }
        (void)snprintf(script, sizeof script, "> 40/n%02d,\n< 40/n%02d,{\"sid\":\"B\"}", i, i);
        play(script);
        (void)site_told(&s);
        if (i == 4) before = s.bytes;
    }
    EXPECT_INT(s.bytes, before);
    stop();
}
/* Where nobody wants the connection any more it goes with all that was awaited in it: the name is free
 * in the next one. */
TEST(what_was_awaited_goes_with_its_connection) {
    wshub_sio_socket_desc other = {0};
    wshub_sio_socket *second;
    start();
    begin();
    serve(OPEN_PACKET);
    play("> 40");
    (void)wshub_sio_socket_disconnect(sock); /* unanswered */
    play(">|");
    other.events = &events;
    other.name = "/b";
    EXPECT_INT(wshub_sio_socket_create(client, &other, &s, &second), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    wshub_sio_socket_destroy(sock);
    EXPECT_INT(wshub_sio_socket_create(client, &space, &s, &sock), WSHUB_OK);
    wshub_io_fake_end(s.fake, line);
    serve(OPEN_PACKET);
    play("> 40/b,\n> 40\n< 40{\"sid\":\"A\"}");
    EXPECT_STR(site_told(&s), "closed\nconnected A\n");
    stop();
}

/* ---- why it ends (3.4) ---- */

TEST(the_server_puts_it_out) {
    connect_one();
    EXPECT_INT(ask("q", NULL, WSHUB_OFF), WSHUB_OK);
    play("> 420[\"q\"]\n< 41\n>|");
    EXPECT_STR(site_told(&s),
               "answer socket has been disconnected\ndisconnected io server disconnect\n");
    wshub_io_fake_end(s.fake, line);
    wshub_io_fake_advance(s.fake, 60000);
    EXPECT_STR(site_told(&s), "closed\n"); /* and it does not come back */
    (void)wshub_sio_socket_connect(sock);
    serve(OPEN_PACKET);
    play("> 40\n< 41\n>|");
    EXPECT_STR(site_told(&s), "connect_error io server disconnect refused\n");
    stop();
}

TEST(a_namespace_refuses) {
    start();
    space.name = "/mw";
    begin();
    serve(OPEN_PACKET);
    play("> 40/mw,\n< 44/mw,{\"message\":\"no\\u0070e\",\"data\":{\"c\":1}}\n>|");
    EXPECT_STR(site_told(&s), "/mw connect_error nope {\"c\":1} refused\n");
    EXPECT_INT(wshub_sio_socket_state_of(sock), WSHUB_SIO_SOCKET_IDLE);
    wshub_io_fake_advance(s.fake, 60000);
    EXPECT_STR(site_told(&s), "closed\n");
    stop();
}

/* What a server must not say, and what is said of it; it comes back after each. */
TEST(a_server_that_breaks_the_protocol_is_left) {
    static const struct {
        const char *says, *reason;
    } cases[] = {
        {"< 1", "transport close"},
        {"< ", "transport error"},
        {"< 5", "transport error"},
        {"< 9x", "transport error"},
        {"< 47", "parse error"},
        {"< 42[", "parse error"},
        {"< 42{}", "parse error"},
        {"< 42[]", "parse error"},
        {"< 42[ ]", "parse error"},
        {"< 42[\"connect\"]", "parse error"},
        {"< 451-[\"a\",{\"_placeholder\":true,\"num\":1}]", "parse error"},
        {"< 4511-[\"a\"]", "parse error"},
        {"< 450-[\"a\"]", "parse error"},
        {"<< 01", "parse error"},
        {"< bAA==", "parse error"},
        {"< 451-[\"a\"]\n< 42[\"b\"]", "parse error"},
        {"< 40{\"sid\":1}\n< 0x\n< 6\n< 3\n< 44\n< 430\n< 1", "transport close"}, /* passed over */
    };
    char want[100];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        connect_one();
        play(cases[i].says);
        (void)snprintf(want, sizeof want, "disconnected %s again\nreconnecting 1\n",
                       cases[i].reason);
        EXPECT_STR(site_told(&s), want);
        play(">|");
        stop();
    }
    connect_one(); /* no WebSocket: a frame with a mask */
    site_frame(&s, line, 0xF1, "x", 1);
    wshub_io_fake_end(s.fake, line);
    EXPECT_STR(site_told(&s), "disconnected transport error again\nreconnecting 1\n");
    stop();
}

TEST(what_a_packet_has_is_limited) {
    start();
    desc.packet_bytes_max = 50;
    begin();
    serve(OPEN_PACKET);
    play("> 40\n< 40{\"sid\":\"A\"}\n< 452-[\"a\",{\"_placeholder\":true,\"num\":0}]\n<< 00000000\n"
         "<< 00000000000000000000000000000000\n>|");
    EXPECT_STR(site_told(&s), "connected A\ndisconnected parse error again\nreconnecting 1\n");
    stop();
}

/* ---- the heartbeat (2.7) ---- */

TEST(the_server_has_to_ping) {
    connect_one();
    wshub_io_fake_advance(s.fake, 499);
    play("< 2\n> 3\n.");
    wshub_io_fake_advance(s.fake, 499);
    play("< 42[\"e\"]"); /* nothing but a ping counts */
    EXPECT_STR(site_told(&s), "event e\n");
    wshub_io_fake_advance(s.fake, 1);
    EXPECT_STR(site_told(&s), "disconnected ping timeout again\nreconnecting 1\n");
    EXPECT(wshub_io_fake_is_gone(s.fake, line)); /* without a Close: nobody is there */
    stop();
}

/* PITFALLS d12: who has slept reads first what lies there. */
/* A server that says much and reads nothing makes nothing of ours grow (PITFALLS d5 of the field):
 * neither our pongs nor what we say to namespaces that nobody has asked for. */
TEST(answers_do_not_pile_up_for_who_does_not_read) {
    static const char *const says[] = {"2", "40/x,{\"sid\":\"X\"}"};
    size_t i, kind;
    for (kind = 0; kind < 2; kind++) {
        start();
        desc.ws.unsent_bytes_max = 1000;
        begin();
        serve(OPEN_PACKET);
        play("> 40\n< 40{\"sid\":\"A\"}");
        wshub_io_fake_window(s.fake, line, 0);
        for (i = 0; i < 10000; i++) site_frame(&s, line, 0x81, says[kind], strlen(says[kind]));
        EXPECT_OP(wshub_ws_unsent(s.pool, wshub_sio_client_ws(client)), <=, 1000);
        EXPECT_OP(wshub_ws_unsent(s.pool, wshub_sio_client_ws(client)), >, 0);
        wshub_io_fake_window(s.fake, line, UINT64_MAX);
        play(kind ? "> 41/x,\n" : "> 3\n");
        stop();
    }
}

TEST(a_clock_that_has_slept_is_no_silence_at_once) {
    connect_one();
    wshub_io_fake_stall(s.fake, true);
    wshub_io_fake_advance(s.fake, 600000);
    wshub_io_fake_stall(s.fake, false);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "");
    play("< 2\n> 3");
    wshub_io_fake_stall(s.fake, true);
    wshub_io_fake_advance(s.fake, 600000);
    wshub_io_fake_stall(s.fake, false);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_advance(s.fake, 500); /* once more is enough */
    EXPECT_STR(site_told(&s), "disconnected ping timeout again\nreconnecting 1\n");
    stop();
}

/* ---- in pieces, and callbacks that end everything (PITFALLS d15) ---- */

/* The server says something, whoever is still there. */
static void in(const char *text) {
    site_frame(&s, line, 0x81, text, strlen(text));
}
/* What it answers is in the application's memory, which may be gone by then. */
static wshub_str asked_auth(wshub_sio_socket *of, void *user) {
    wshub_str asked = wshub_str_z(lent_space ? lent_space->asked : "{}");
    (void)user;
    say_line(of, "auth", "");
    return asked;
}
static void on_handler(wshub_sio_socket *of, const wshub_sio_event *event, void *user) {
    (void)event;
    (void)user;
    say_line(of, "handler", "");
}
static void whole_talk(const char *what) {
    start();
    acts = what;
    events.auth = asked_auth;
    desc.reconnect_delay_ms = 10;
    lend();
    begin();
    (void)wshub_sio_socket_subscribe(sock, wshub_str_z("e"), on_handler, NULL, false);
    serve(OPEN_PACKET);
    if (client && sock) EXPECT_INT(ask("q", NULL, 100), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    in("40{\"sid\":\"A\"}");
    in("421[\"e\",1]");
    in("430[]");
    in("42[\"f\"]");
    if (client && sock) (void)ask("q", NULL, 1);
    wshub_io_fake_advance(s.fake, 1);
    in("47");
    wshub_io_fake_end(s.fake, line);
    wshub_io_fake_advance(s.fake, 20);
    if (client && wshub_io_fake_dialled(s.fake, &line, NULL)) {
        wshub_io_fake_answer(s.fake, line, false);
        wshub_io_fake_advance(s.fake, 20);
    }
    if (sock && client) (void)wshub_sio_socket_disconnect(sock);
    wshub_io_fake_run(s.fake);
}
TEST(everything_may_be_done_in_every_callback) {
    static const char *const words[] = {"auth",         "connected",     "event",
                                        "answer",       "connect_error", "closed",
                                        "disconnected", "reconnecting",  "handler"};
    static const char *const whats[] = {"destroy", "end",      "disconnect", "connect",
                                        "drop",    "shutdown", "emit"};
    char what[40];
    size_t i, j;
    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (j = 0; j < sizeof whats / sizeof whats[0]; j++) {
            (void)snprintf(what, sizeof what, "%s %s", words[i], whats[j]);
            whole_talk(what);
            EXPECT_STR(acts, NULL); /* it was reached */
            stop();
        }
    }
}

TEST(destroyed_in_every_state) {
    int i;
    for (i = 0; i < 6; i++) {
        start();
        begin();
        if (i > 0) wshub_io_fake_run(s.fake);
        if (i > 1) serve(NULL);
        if (i > 2) site_frame(&s, line, 0x81, OPEN_PACKET, sizeof OPEN_PACKET - 1);
        if (i > 3) play("> 40\n< 40{\"sid\":\"A\"}");
        if (i > 4) play("< 451-[\"a\"]\n< 47");
        stop();
    }
}

TEST(nothing_is_lost_when_memory_is) {
    uint64_t n;
    bool done = false;
    for (n = 1; !done && n < 400; n++) {
        start();
        s.fail_in = n;
        done = wshub_sio_client_create(s.pool, &desc, &s, &client) == WSHUB_OK &&
               wshub_sio_socket_create(client, &space, &s, &sock) == WSHUB_OK;
        if (done) {
            wshub_io_fake_run(s.fake);
            done = wshub_io_fake_dialled(s.fake, &line, NULL);
        }
        if (done) {
            wshub_io_fake_answer(s.fake, line, true);
            if (wshub_io_fake_output(s.fake, line).len > 100) site_accept(&s, line, "", "");
            site_frame(&s, line, 0x81, OPEN_PACKET, sizeof OPEN_PACKET - 1);
            in("40{\"sid\":\"A\",\"pid\":\"P\"}");
            (void)ask("q", NULL, 100);
            (void)wshub_sio_socket_subscribe(sock, wshub_str_z("e"), on_event, NULL, false);
            in("451-1[\"e\",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,\"o\"]");
            site_frame(&s, line, 0x82, "x", 1);
            in("430[]");
            done = strstr(s.told, "event e 1 2") && strstr(s.told, "answer") && s.fail_in;
        }
        stop();
    }
    EXPECT(done && n > 10);
}
