/* Two servers of Socket.IO on a bus of this process (>>sio-broadcast and >>sio-bus of
 * wshub_dialect_socketio.h; the specification's 3.5, 4, 5 and 10.2): who hears what is said on the
 * other one, bytes, huge messages, who was away meanwhile, who is not accepted yet. */
#include "sio_bus_site.h"

TEST(what_one_server_emits_the_sockets_of_all_hear_once) { /* 4, SEND-5, BUS-3 */
    servers two;
    wshub_conn a, b, admin;
    wshub_packet m;
    wshub_dest dest;
    wshub_str rooms[2];
    char id_a[21], id_b[21];
    wshub_str self;
    servers_start(&two, SIO(.bus = true));
    servers_run(&two);
    a = joins(&two.a, "", "{\"rooms\":[\"r\",\"q\"]}", id_a);
    b = joins(&two.b, "", "{\"rooms\":[\"r\",\"s\"]}", id_b);
    admin = joins(&two.b, "/admin", "", NULL);
    m = event_of("m");
    EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_OK);
    servers_run(&two);
    hears(&two.a, a, "42[\"m\",1]");
    hears(&two.b, b, "42[\"m\",1]");

    memset(&dest, 0, sizeof dest); /* who is in both rooms hears once */
    rooms[0] = S("r");
    rooms[1] = S("s");
    dest.kind = WSHUB_DEST_ROOM;
    dest.rooms = rooms;
    dest.rooms_count = 2;
    EXPECT_INT(emits(&two.a, "/", &dest, &m), WSHUB_OK);
    servers_run(&two);
    hears(&two.a, a, "42[\"m\",1]");
    hears(&two.b, b, "42[\"m\",1]");

    dest.except_rooms = &rooms[1]; /* but who is in that */
    dest.except_rooms_count = 1;
    EXPECT_INT(emits(&two.b, "/", &dest, &m), WSHUB_OK);
    servers_run(&two);
    hears(&two.a, a, "42[\"m\",1]");
    EXPECT_SILENCE(&two.b.s.w, b);

    memset(&dest, 0, sizeof dest); /* all but the sender */
    self = S(id_b);
    dest.kind = WSHUB_DEST_ALL;
    dest.exclude = &self;
    dest.exclude_count = 1;
    EXPECT_INT(emits(&two.a, "/", &dest, &m), WSHUB_OK);
    servers_run(&two);
    hears(&two.a, a, "42[\"m\",1]");
    EXPECT_SILENCE(&two.b.s.w, b);

    memset(&dest, 0, sizeof dest); /* a socket of the other server, by its id */
    dest.kind = WSHUB_DEST_CLIENT;
    dest.name = S(id_b);
    EXPECT_INT(emits(&two.a, "/", &dest, &m), WSHUB_OK);
    servers_run(&two);
    hears(&two.b, b, "42[\"m\",1]");

    EXPECT_INT(wshub_sio_emit_here(two.a.sio, wshub_sio_of(two.a.sio, "/"), NULL, &m), WSHUB_OK);
    servers_run(&two);
    hears(&two.a, a, "42[\"m\",1]");
    EXPECT_SILENCE(&two.a.s.w, a);
    EXPECT_SILENCE(&two.b.s.w, b);
    EXPECT_SILENCE(&two.b.s.w, admin);
    EXPECT_INT(emits(&two.a, "/admin", NULL, &m), WSHUB_OK);
    EXPECT_INT(emits(&two.a, "/a#b", NULL, &m), WSHUB_OK); /* which stays here */
    servers_run(&two);
    hears(&two.b, admin, "42/admin,[\"m\",1]");
    EXPECT_SILENCE(&two.b.s.w, b);

    /* users are the hub's, and stay here; so does what asks for answers */
    dest.kind = WSHUB_DEST_USER;
    dest.name = S("u");
    EXPECT_INT(emits(&two.a, "/", &dest, &m), WSHUB_OK);
    m.ask = S("7");
    EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_OK);
    servers_run(&two);
    hears(&two.a, a, "427[\"m\",1]");
    EXPECT_SILENCE(&two.b.s.w, b);
    EXPECT_INT(sio_stats(&two.a).bus_in, 1);
    EXPECT_INT(sio_stats(&two.b).bus_in, 5);
    EXPECT_INT(sio_stats(&two.a).bus_dropped + sio_stats(&two.b).bus_dropped, 0);
    servers_stop(&two);
}

TEST(bytes_pass_from_server_to_server_and_too_many_of_them_stay) { /* 4, PITFALLS e7 */
    static char many[1000];
    servers two;
    wshub_conn b;
    wshub_packet m;
    wshub_span spans[11];
    wshub_str arg;
    size_t i, len = 0;
    servers_start(&two, SIO(.bus = true));
    b = joins(&two.b, "", "", NULL);
    servers_run(&two);
    for (i = 0; i < 11; i++) {
        spans[i].ptr = (const uint8_t *)"\xFF\0bc";
        spans[i].len = i % 4;
    }
    m = event_of("m");
    arg = S("{\"deep\":[{\"_placeholder\":true,\"num\":1},{\"num\":0,\"_placeholder\":true}]}");
    m.args = &arg;
    m.attachments = spans;
    m.attachments_count = 2;
    EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_OK);
    servers_run(&two);
    hears(
        &two.b, b,
        "452-[\"m\",{\"deep\":[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"
        "}]");
    hears_bytes(&two.b, b, "\xFF", 1);
    hears_bytes(&two.b, b, "", 0);
    m.attachments_count = 11;
    EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_ERR_PARAM);
    m.attachments_count = 1; /* one, eleven times, is eleven to whoever reads it */
    for (i = 0; i < 11; i++)
        len += (size_t)snprintf(many + len, sizeof many - len,
                                "%c{\"_placeholder\":true,\"num\":0}", i ? ',' : '[');
    (void)snprintf(many + len, sizeof many - len, "]");
    arg = S(many);
    EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_ERR_PARAM);
    m = event_of("disconnect");
    EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_ERR_PARAM);
    {
        wshub_dest dest; /* and by another door */
        memset(&dest, 0, sizeof dest);
        dest.kind = WSHUB_DEST_ALL;
        dest.realm = wshub_sio_namespace_realm(two.a.sio, wshub_sio_of(two.a.sio, "/"));
        EXPECT_INT(wshub_packet_send(two.a.s.w.hub, &dest, &m), WSHUB_ERR_PARAM);
    }
    servers_run(&two);
    EXPECT_SILENCE(&two.b.s.w, b);
    EXPECT_INT(sio_stats(&two.a).refused, 4);
    servers_stop(&two);
}

TEST(huge_broadcasts_leave_no_buffers_behind) { /* 4 */
    static char huge[300000];
    servers two;
    wshub_conn b;
    wshub_packet m = event_of("m");
    wshub_str arg;
    wshub_io_fake_frame f;
    size_t a_bytes, b_bytes;
    int round;
    servers_start(&two, SIO(.bus = true));
    b = joins(&two.b, "", "", NULL);
    for (round = 0; round < 2; round++) {
        EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_OK);
        servers_run(&two);
        hears(&two.b, b, "42[\"m\",1]");
        if (round) break;
        a_bytes = two.a.s.w.bytes;
        b_bytes = two.b.s.w.bytes;
        memset(huge, '0', sizeof huge);
        for (arg.len = 0; arg.len + 2 < sizeof huge; arg.len += 2) huge[arg.len + 1] = ',';
        huge[0] = '[';
        huge[1] = '1';
        huge[sizeof huge - 1] = ']';
        arg.ptr = huge;
        arg.len = sizeof huge;
        m.args = &arg;
        EXPECT(wshub_json_check(arg, 0));
        EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_OK);
        servers_run(&two);
        memset(&f, 0, sizeof f);
        EXPECT(wshub_io_fake_next(two.b.s.w.net, b, &f) && f.payload.len > sizeof huge);
        m = event_of("m");
    }
    EXPECT_OP(two.a.s.w.bytes, <=, a_bytes + 2 * WSHUB_SIO__BUFFER);
    EXPECT_OP(two.b.s.w.bytes, <=, b_bytes + 2 * WSHUB_SIO__BUFFER);
    servers_stop(&two);
}

/* A text of 20 characters or fewer behind a mark in the next frame. */
static void frame_word(server *v, wshub_conn c, const char *mark, char out[40]) {
    wshub_io_fake_frame f;
    char text[200];
    const char *at;
    memset(&f, 0, sizeof f);
    EXPECT(wshub_io_fake_next(v->s.w.net, c, &f));
    (void)snprintf(text, sizeof text, "%.*s", (int)f.payload.len,
                   f.payload.len ? f.payload.ptr : "");
    at = strstr(text, mark);
    EXPECT(at != NULL);
    if (!at) return;
    (void)snprintf(out, 40, "%.*s", (int)strcspn(at + strlen(mark), "\""), at + strlen(mark));
}

TEST(what_other_servers_say_meanwhile_comes_to_who_comes_back) { /* 3.5, 4 */
    servers two;
    wshub_conn c;
    wshub_packet m = event_of("m"), n = event_of("n");
    char pid[40] = "", again[40] = "", offset[40] = "", text[200];
    servers_start(&two, SIO(.bus = true, .recovery_ms = 60000));
    servers_run(&two);
    c = eio_socket(&two.b.s, "EIO=4&transport=websocket");
    frame_word(&two.b, c, "sid\":\"", text);
    says(&two.b, c, "40");
    frame_word(&two.b, c, "pid\":\"", pid);
    EXPECT_INT(emits(&two.a, "/", NULL, &m), WSHUB_OK);
    servers_run(&two);
    frame_word(&two.b, c, "42[\"m\",1,\"", offset);
    EXPECT(offset[0] != 0);

    wshub_io_fake_end(two.b.s.w.net, c);
    wshub_io_fake_run(two.b.s.w.net);
    EXPECT_INT(sio_stats(&two.b).recovery_sessions, 1);
    EXPECT_INT(emits(&two.a, "/", NULL, &n), WSHUB_OK);
    servers_run(&two);
    c = eio_socket(&two.b.s, "EIO=4&transport=websocket");
    frame_word(&two.b, c, "sid\":\"", text);
    (void)snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", pid, offset);
    says(&two.b, c, text);
    frame_word(&two.b, c, "42[\"n\",1,\"", offset);
    frame_word(&two.b, c, "pid\":\"", again);
    EXPECT_STR(again, pid);
    EXPECT_SILENCE(&two.b.s.w, c);
    EXPECT_INT(sio_stats(&two.b).recovered, 1);
    EXPECT_INT(sio_stats(&two.b).bus_in, 2);
    servers_stop(&two);
}

TEST(the_flows_send_reaches_those_on_other_servers_who_are_not_accepted_yet) { /* 5, 10.2 */
    servers two;
    server *v;
    wshub_conn a, b;
    wshub_sio_flow flow;
    wshub_sio_namespace_desc space;
    char id[21];
    servers_start(&two, SIO(.bus = true));
    memset(&flow, 0, sizeof flow);
    memset(&space, 0, sizeof space);
    space.name = "/flow";
    space.flow = &flow;
    for (v = &two.a; v; v = v == &two.a ? &two.b : NULL)
        EXPECT_INT(wshub_sio_namespace_add(v->sio, &space, NULL), WSHUB_OK);
    servers_run(&two);
    a = joins(&two.a, "/flow", "", NULL);
    b = joins(&two.b, "/flow", "", id);
    EXPECT_INT(wshub_sio_flow_send(two.a.sio, wshub_sio_of(two.a.sio, "/flow"), S(""), S("topic"),
                                   S("{\"n\":1}")),
               WSHUB_OK);
    servers_run(&two);
    hears(&two.a, a, "42/flow,[\"topic\",{\"n\":1}]");
    hears(&two.b, b, "42/flow,[\"topic\",{\"n\":1}]");
    {
        wshub_packet m = event_of("m"); /* to all but some: to those who are accepted */
        wshub_str self = S(id);
        wshub_dest dest;
        memset(&dest, 0, sizeof dest);
        dest.kind = WSHUB_DEST_ALL;
        dest.except_rooms = &self;
        dest.except_rooms_count = 1;
        EXPECT_INT(emits(&two.a, "/flow", &dest, &m), WSHUB_OK);
    }
    servers_run(&two);
    EXPECT_SILENCE(&two.b.s.w, b);
    EXPECT_SILENCE(&two.a.s.w, a);
    servers_stop(&two);
}
