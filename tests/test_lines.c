/* The dialect of lines, examples/dialect_lines.c, on the fake io: a hub in which its clients and those
 * of the JSON dialect are at home, each in a realm of its own (>>api-dialect). */
#define _GNU_SOURCE
#include "hubtest.h"
#define main lines_main /* the example's own, over sockets, is for tests/examples.sh */
#include "../examples/dialect_lines.c"
#undef main

#define WANTS_LINES                                                                                \
    "GET /lines HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"              \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
static lines here, there; /* of two hubs */

static void lines_world(world *w) {
    world_start(
        w, DESC(.on_authenticate = on_authenticate, .on_join = on_join, .auth_timeout_ms = 1000),
        FAKE(0));
    EXPECT_INT(lines_open(w->hub, &here), WSHUB_OK);
}

/* Somebody who is in; the id that it was told is written to `id`, 37 bytes. */
static wshub_conn lines_client(world *w, const char *name, char *id) {
    wshub_conn c = wshub_io_fake_connect(w->net, "/lines");
    wshub_io_fake_frame f;
    char text[80];
    (void)snprintf(text, sizeof text, "auth %s", name);
    wshub_io_fake_text(w->net, c, text);
    memset(&f, 0, sizeof f);
    EXPECT(wshub_io_fake_next(w->net, c, &f) && f.payload.len == 6 + 36);
    if (id && f.payload.len == 42) (void)snprintf(id, 37, "%.36s", f.payload.ptr + 6);
    return c;
}

static void say(world *w, wshub_conn c, const char *text) {
    wshub_io_fake_text(w->net, c, text);
}

TEST(a_dialect_of_lines_authenticates_joins_publishes_and_whispers) { /* AUTH-3, ROOM-2, SEND-1 */
    world w;
    wshub_conn a, b, c;
    char a_id[37], b_id[37], text[80];
    lines_world(&w);
    a = lines_client(&w, "ada", a_id);
    b = lines_client(&w, "bob", b_id);
    c = lines_client(&w, "cem", NULL);
    say(&w, a, "join tea");
    say(&w, b, "join tea");
    say(&w, a, "say tea hello, \"b\" \\ \xC3\xA4");
    EXPECT_TEXT(&w, a, "said tea ada hello, \"b\" \\ \xC3\xA4");
    EXPECT_TEXT(&w, b, "said tea ada hello, \"b\" \\ \xC3\xA4");
    EXPECT_SILENCE(&w, c);
    say(&w, c, "say tea I am not in there");
    EXPECT_TEXT(&w, c, "no not that");
    (void)snprintf(text, sizeof text, "tell %s psst", b_id);
    say(&w, c, text);
    (void)snprintf(text, sizeof text, "whispered %s cem psst", b_id);
    EXPECT_TEXT(&w, b, text);
    EXPECT_SILENCE(&w, a);
    say(&w, b, "leave tea");
    say(&w, a, "say tea ");
    EXPECT_TEXT(&w, a, "said tea ada ");
    EXPECT_SILENCE(&w, b);
    (void)snprintf(text, sizeof text, "join %s", a_id); /* ROOM-1: that is another's name */
    say(&w, b, text);
    EXPECT_TEXT(&w, b, "no not that");
    world_stop(&w);
}

TEST(lines_and_json_meet_in_one_hub_and_share_no_name) { /* SEND-1, ROOM-5 */
    world w;
    wshub_conn line, json;
    wshub_msg m = msg("said", "\"to JSON\""), object = msg("said", "{}");
    wshub_dest dest;
    lines_world(&w);
    json = wshub_io_fake_connect(w.net, "/ws");
    wshub_io_fake_text(w.net, json, "{\"event\":\"authenticate\",\"data\":\"ada\"}");
    wshub_io_fake_text(w.net, json, "{\"event\":\"join\",\"data\":{\"rooms\":[\"tea\"]}}");
    {
        wshub_io_fake_frame f;
        EXPECT(wshub_io_fake_next(w.net, json, &f) && strstr(f.payload.ptr, "\"userId\":\"ada\""));
    }
    line = lines_client(&w, "ada", NULL);
    say(&w, line, "join tea");
    EXPECT_INT(wshub_room_count(w.hub, S("tea")), 1);
    EXPECT_INT(wshub_room_count_in(w.hub, here.realm, S("tea")), 1);
    EXPECT_INT(wshub_user_count_in(w.hub, here.realm, S("ada")), 1);
    say(&w, line, "say tea mine");
    EXPECT_TEXT(&w, line, "said tea ada mine");
    EXPECT_SILENCE(&w, json);
    EXPECT_INT(wshub_room_send(w.hub, S("tea"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, json, "{\"event\":\"said\",\"data\":\"to JSON\"}");
    EXPECT_SILENCE(&w, line);

    /* what lines have no words for is counted, and nobody gets it */
    memset(&dest, 0, sizeof dest);
    dest.realm = here.realm;
    EXPECT_INT(wshub_send_here(w.hub, &dest, &object), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, line);
    EXPECT_INT(stats(&w).unsayable, 1);
    world_stop(&w);
}

TEST(a_dialect_of_lines_refuses_what_it_does_not_know) { /* AUTH-1, AUTH-4, MSG-5, MSG-6, BYE-3 */
    world w;
    wshub_conn a, b, c;
    static char long_line[LINE + 2];
    wshub_io_fake_frame f;
    lines_world(&w);
    a = wshub_io_fake_connect(w.net, "/lines");
    say(&w, a, "say tea too early");
    EXPECT_TEXT(&w, a, "no not now");
    say(&w, a, "auth ");
    EXPECT_CLOSE(&w, a, 1008); /* it has no words for that, so the hub ends it */
    b = wshub_io_fake_connect(w.net, "/lines");
    wshub_io_fake_advance(w.net, 1001); /* it says nothing */
    EXPECT(wshub_io_fake_next(w.net, b, &f) && f.opcode == 8 && f.code == 1008);

    c = lines_client(&w, "cem", NULL);
    say(&w, c, "auth cem");
    EXPECT_TEXT(&w, c, "no not that");
    wshub_io_fake_send(w.net, c, 2, true, "bytes", 5);
    EXPECT_TEXT(&w, c, "no not that");
    say(&w, c, "tell");
    EXPECT_TEXT(&w, c, "no not that");
    say(&w, c, "join tea");
    memset(long_line, 'x', sizeof long_line - 1);
    memcpy(long_line, "say tea ", 8);
    long_line[LINE] = 0;
    say(&w, c, long_line);
    EXPECT_TEXT(&w, c, "no too long"); /* with the room and the speaker it is more than a line */
    long_line[LINE] = 'x';
    say(&w, c, long_line);
    EXPECT_CLOSE(&w, c, 1009);
    world_stop(&w);
}

TEST(no_more_lines_are_taken_than_there_may_be_clients) { /* CONN-2 */
    world w;
    wshub_conn c;
    world_start(&w, DESC(.on_authenticate = on_authenticate, .clients_max = 1), FAKE(0));
    EXPECT_INT(lines_open(w.hub, &here), WSHUB_OK);
    (void)lines_client(&w, "ada", NULL);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, WANTS_LINES "\r\n", sizeof WANTS_LINES + 1);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 503");
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, "GET /lines HTTP/1.1\r\nHost: h\r\n\r\n", 33);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 404");
    world_stop(&w);
}

/* ---- two instances ---- */

static void two_start(wshub_bus_local **local, world *a, world *b) {
    world *w;
    wshub_bus bus;
    EXPECT_INT(wshub_bus_local_create(NULL, local), WSHUB_OK);
    for (w = a; w; w = w == a ? b : NULL) {
        EXPECT_INT(wshub_bus_local_seat(*local, &bus), WSHUB_OK);
        world_start(w,
                    DESC(.on_authenticate = on_authenticate, .on_join = on_join, .bus = &bus,
                         .server_id = w == a ? "A" : "B"),
                    FAKE(.seed = w == a ? 1 : 2));
        EXPECT_INT(lines_open(w->hub, w == a ? &here : &there), WSHUB_OK);
    }
}

static void two_run(world *a, world *b) {
    int i;
    for (i = 0; i < 3; i++) {
        wshub_io_fake_run(a->net);
        wshub_io_fake_run(b->net);
    }
}

TEST(lines_reach_the_other_instance_and_json_beside_them_does_not_hear) { /* SEND-1, BUS-3, BUS-6 */
    world a, b;
    wshub_bus_local *local;
    wshub_conn ada, bob, json;
    wshub_io_fake_frame f;
    char bob_id[37], text[80];
    wshub_msg m = msg("said", "\"all\"");
    wshub_dest dest;
    memset(&dest, 0, sizeof dest);
    two_start(&local, &a, &b);
    two_run(&a, &b);
    ada = lines_client(&a, "ada", NULL);
    bob = lines_client(&b, "bob", bob_id);
    json = wshub_io_fake_connect(b.net, "/ws");
    wshub_io_fake_text(b.net, json, "{\"event\":\"authenticate\",\"data\":\"ada\"}");
    wshub_io_fake_text(b.net, json, "{\"event\":\"join\",\"data\":{\"rooms\":[\"tea\"]}}");
    EXPECT(wshub_io_fake_next(b.net, json, &f));
    say(&a, ada, "join tea");
    say(&b, bob, "join tea");
    say(&a, ada, "say tea hello \\ \"there\"");
    two_run(&a, &b);
    EXPECT_TEXT(&a, ada, "said tea ada hello \\ \"there\""); /* once: its own is dropped */
    EXPECT_SILENCE(&a, ada);
    EXPECT_TEXT(&b, bob, "said tea ada hello \\ \"there\"");
    (void)snprintf(text, sizeof text, "tell %s psst", bob_id); /* he is nobody on this hub */
    say(&a, ada, text);
    two_run(&a, &b);
    (void)snprintf(text, sizeof text, "whispered %s ada psst", bob_id);
    EXPECT_TEXT(&b, bob, text);

    /* the first realm speaks JSON on the bus, and rooms of equal names do not meet */
    EXPECT_INT(wshub_room_send(a.hub, S("tea"), &m, NULL, 0), WSHUB_OK);
    two_run(&a, &b);
    EXPECT_TEXT(&b, json, "{\"event\":\"said\",\"data\":\"all\"}");
    EXPECT_SILENCE(&b, bob);
    dest.realm = here.realm;
    EXPECT_INT(wshub_send(a.hub, &dest, &m), WSHUB_OK);
    two_run(&a, &b);
    EXPECT_TEXT(&a, ada, "said all");
    EXPECT_TEXT(&b, bob, "said all");
    EXPECT_SILENCE(&b, json);

    /* what lines have no words for is not published, and what is no line is counted */
    dest.exclude = &m.event;
    dest.exclude_count = 1;
    EXPECT_INT(wshub_send(a.hub, &dest, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_publish(a.hub, here.dialect, S("tea"), S("X 4 said {")), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(a.hub, here.dialect, S("?"), S("X said 1")), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(a.hub, here.dialect, S("tea"), S("X 9 said 1")), WSHUB_OK);
    two_run(&a, &b);
    EXPECT_INT(stats(&b).bus_bad, 3);
    EXPECT_SILENCE(&b, bob);
    world_stop(&a);
    world_stop(&b);
    wshub_bus_local_destroy(local);
}

TEST(a_dialect_of_lines_lets_in_whom_the_hub_does) { /* CONN-2, AUTH-8 */
    static const char *const pages[] = {"https://page.example"};
    static const char evil[] = WANTS_LINES "Origin: https://evil.example\r\n\r\n";
    world w;
    wshub_conn c;
    world_start(&w, DESC(.allowed_origins = pages, .allowed_origins_count = 1), FAKE(0));
    EXPECT_INT(lines_open(w.hub, &here), WSHUB_OK);
    c = wshub_io_fake_open(w.net);
    wshub_io_fake_input(w.net, c, evil, sizeof evil - 1);
    EXPECT_HAS(wshub_io_fake_output(w.net, c).ptr, "HTTP/1.1 403 ");
    EXPECT_INT(stats(&w).clients, 0);
    world_stop(&w);
}
