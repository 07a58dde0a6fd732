/* What servers of Socket.IO ask each other on a bus (>>sio-letters, >>sio-calls and >>sio-asked of
 * wshub_dialect_socketio.h; the specification's 4, 5 and 7): requests and answers in the words that
 * were recorded of Node's adapter, both ways; what is none; who answers late, twice or not at all;
 * two servers on a bus of this process; memory that fails. */
#include "sio_slate.h"

/* ---- answering ---- */

static const struct {
    const char *request, *answers; /* of `/`; NULL: none */
    const char *rooms;             /* of the socket, then; NULL: as before */
} recorded[] = {
    /* V:redis-request, in its order */
    {"{\"uid\":\"peer01\",\"requestId\":\"q00001\",\"type\":0,\"rooms\":[]}",
     "{\"requestId\":\"q00001\",\"sockets\":[\"SID\"]}\n", NULL},
    {"{\"requestId\":\"q00002\",\"type\":0,\"rooms\":[\"r1\"]}",
     "{\"requestId\":\"q00002\",\"sockets\":[\"SID\"]}\n", NULL},
    {"83a9726571756573744964a6713030303033a47479706500a5726f6f6d7391a66e6f626f6479",
     "{\"requestId\":\"q00003\",\"sockets\":[]}\n", NULL},
    {"{\"uid\":\"peer01\",\"requestId\":\"q00004\",\"type\":1}",
     "{\"requestId\":\"q00004\",\"rooms\":[\"r1\",\"SID\"]}\n", NULL},
    {"{\"uid\":\"peer01\",\"type\":2,\"opts\":{\"rooms\":[],\"except\":[]},\"rooms\":[\"j1\","
     "\"j2\"]}",
     NULL, "SID r1 j1 j2"},
    {"{\"uid\":\"peer01\",\"requestId\":\"q5\",\"type\":2,\"sid\":\"SID\",\"room\":\"legacy\"}",
     "{\"requestId\":\"q5\"}\n", "SID r1 j1 j2 legacy"},
    {"{\"requestId\":\"q6\",\"type\":2,\"sid\":\"nope\",\"room\":\"x\"}", NULL, NULL},
    {"{\"requestId\":\"q6b\",\"type\":2,\"opts\":{\"rooms\":[\"r1\"],\"except\":[]},\"rooms\":["
     "\"j3\"]}",
     NULL, "SID r1 j1 j2 legacy j3"},
    {"{\"uid\":\"peer01\",\"type\":3,\"opts\":{\"rooms\":[\"r1\"],\"except\":[]},\"rooms\":[\"j1\"]"
     "}",
     NULL, "SID r1 j2 legacy j3"},
    {"{\"requestId\":\"q7\",\"type\":3,\"sid\":\"SID\",\"room\":\"legacy\"}",
     "{\"requestId\":\"q7\"}\n", "SID r1 j2 j3"},
    {"{\"uid\":\"peer01\",\"requestId\":\"q8\",\"type\":5,\"opts\":{\"rooms\":[],\"except\":[]}}",
     "{\"requestId\":\"q8\",\"sockets\":[{\"id\":\"SID\",\"handshake\":HANDSHAKE,\"rooms\":["
     "\"SID\",\"j2\",\"j3\",\"r1\"],\"data\":{\"role\":\"x\"}}]}\n",
     NULL},
    {"{\"requestId\":\"q9\",\"type\":5,\"opts\":{\"rooms\":[],\"except\":[\"r1\"]}}",
     "{\"requestId\":\"q9\",\"sockets\":[]}\n", NULL},
    {"{\"uid\":\"peer01\",\"type\":6,\"data\":[\"hello\",1]}", NULL, NULL},
    {"{\"uid\":\"peer01\",\"requestId\":\"q10\",\"type\":6,\"data\":[\"hello\",1]}",
     "{\"type\":6,\"requestId\":\"q10\",\"data\":{\"ok\":1}}\n", NULL},
    {"{\"uid\":\"SELF\",\"requestId\":\"q11\",\"type\":6,\"data\":[\"hello\",1]}", NULL, NULL},
    {"85a3756964a6706565723031a9726571756573744964a3713132a47479706507a67061636b657483a474797065"
     "02a46461746192a361736b01a36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c616773"
     "81a774696d656f7574cd01f4",
     "{\"type\":8,\"requestId\":\"q12\",\"clientCount\":1}\n", NULL},
    {"{\"uid\":\"peer01\",\"requestId\":\"q13\",\"type\":7,\"packet\":{\"type\":2,\"data\":["
     "\"ask\",1],\"nsp\":\"/\"},\"opts\":{\"rooms\":[\"nobody\"],\"except\":[],\"flags\":{}}}",
     "{\"type\":8,\"requestId\":\"q13\",\"clientCount\":0}\n", NULL},
    /* and what was not */
    {"{\"requestId\":17,\"type\":0}", "{\"requestId\":17,\"sockets\":[\"SID\"]}\n", NULL},
    {"{\"requestId\":\"q20\",\"type\":0,\"rooms\":[\"\"]}",
     "{\"requestId\":\"q20\",\"sockets\":[]}\n", NULL}, /* in no room, and not in all */
    {"{\"type\":2,\"opts\":{\"rooms\":[\"\\u0072\\u0031\"]},\"rooms\":[7,\"a\\\"b\"]}", NULL,
     "SID r1 j2 j3 7 a\"b"},
    {"{\"type\":3,\"opts\":{},\"rooms\":[\"7\",\"a\\u0022b\"]}", NULL, "SID r1 j2 j3"},
    {"{\"type\":4,\"opts\":{\"rooms\":[\"\"]}}", NULL, NULL},
    {"{\"type\":4,\"sid\":\"nope\",\"close\":true}", NULL, NULL},
    {"{\"requestId\":null,\"type\":6,\"data\":[\"hello\"]}", NULL, NULL},
};

/* What is told of a handshake becomes one word. */
static void shorten(char *text) {
    char *at = strstr(text, "\"handshake\":{"), *end;
    if (!at) return;
    at += 12;
    EXPECT(strncmp(at, "{\"headers\":{", 12) == 0);
    EXPECT(strstr(at, " GMT+0000 (Coordinated Universal Time)\",\"address\":\"") != NULL);
    EXPECT(strstr(at, "\",\"xdomain\":false,\"secure\":false,\"issued\":") != NULL);
    EXPECT(strstr(at, ",\"url\":\"/socket.io/?EIO=4&transport=websocket\",\"query\":{\"EIO\":\"4\","
                      "\"transport\":\"websocket\"},\"auth\":{\"rooms\":[\"r1\"]}}") != NULL);
    end = strstr(at, ",\"rooms\":[\"SID");
    EXPECT(end != NULL);
    if (!end) return;
    memmove(at + 9, end, strlen(end) + 1);
    memcpy(at, "HANDSHAKE", 9);
}

/* The rooms of a socket that it is in of these, which have blanks in between; and those beside. */
static void rooms_of(server *v, const char *id, const char *of, char out[200]) {
    wshub_client client;
    wshub_iter iter = {0, 0};
    wshub_str room;
    size_t count = 0, named = 0;
    char list[200], *name;
    (void)snprintf(list, sizeof list, "%s", of);
    out[0] = 0;
    EXPECT_INT(wshub_client_find_in(v->s.w.hub, wshub_sio_namespace_realm(v->sio, v->root), S(id),
                                    &client),
               WSHUB_OK);
    while (wshub_client_each_room(v->s.w.hub, client, &iter, &room)) count++;
    for (name = strtok(list, " "); name; name = strtok(NULL, " "), named++) {
        bool in = wshub_client_in_room(v->s.w.hub, client, S(strcmp(name, "SID") ? name : id));
        (void)snprintf(out + strlen(out), 200 - strlen(out), "%s%s", named ? " " : "",
                       in ? name : "-");
    }
    EXPECT_INT(named, count);
}

/* What has been said on the channel of answers; the rest of a line. */
static void expect_out(slate *b, const char *sid, const char *want) {
    replace(b->out, "socket.io-response#/# ", "");
    if (sid) replace(b->out, sid, "SID");
    shorten(b->out);
    EXPECT_STR(b->out, want);
    b->out[0] = 0;
}

static void set_data(server *v, const char *id, const char *json) {
    wshub_client client;
    EXPECT_INT(wshub_client_find_in(v->s.w.hub, wshub_sio_namespace_realm(v->sio, v->root), S(id),
                                    &client),
               WSHUB_OK);
    EXPECT_INT(wshub_client_set_metadata(v->s.w.hub, client, S(json)), WSHUB_OK);
}

TEST(requests_of_other_servers_are_answered_as_recorded) { /* 4, 7, V:redis-request */
    slate b;
    server v;
    wshub_conn c;
    char id[21], rooms[200], self[7];
    size_t i;
    serve_on(&v, &b, SIO(.keep_http = true));
    c = joins(&v, "", "{\"rooms\":[\"r1\"]}", id);
    set_data(&v, id, "{\"role\":\"x\"}");
    memcpy(self, wshub_sio__space_get(v.sio, v.root)->uid, 6);
    self[6] = 0;
    for (i = 0; i < sizeof recorded / sizeof *recorded; i++) {
        char request[1000];
        (void)snprintf(request, sizeof request, "%s", recorded[i].request);
        if (strstr(request, "SELF")) {
            char *at = strstr(request, "SELF");
            memmove(at + 6, at + 4, strlen(at + 4) + 1);
            memcpy(at, self, 6);
        }
        comes(&v, &b, "socket.io-request#/#", request, id);
        expect_out(&b, id, recorded[i].answers ? recorded[i].answers : "");
        if (!recorded[i].rooms) continue;
        rooms_of(&v, id, recorded[i].rooms, rooms);
        EXPECT_STR(rooms, recorded[i].rooms);
    }
    EXPECT_INT(stats_of(&v).bus_dropped, 0);
    EXPECT_STR(v.told, "<hello 1><hello 1?><hello>");
    hears(&v, c, "420[\"ask\",1]");
    says(&v, c, "430[\"answer\",2]");
    expect_out(&b, NULL,
               "83a47479706509a9726571756573744964a3713132a67061636b6574a6616e73776572\n");
    comes(&v, &b, "socket.io-request#/#",
          "{\"uid\":\"peer01\",\"type\":4,\"opts\":{\"rooms\":[\"r1\"],\"except\":[]},\"close\":"
          "false}",
          id);
    hears(&v, c, "41");
    unserve(&v);
}

/* ---- what is none ---- */

TEST(what_is_no_request_is_dropped_and_counted_and_costs_nobody_anything) { /* 4, PITFALLS e17 */
    static const char *const bad[] = {
        "", "c1", "{\"type\":5,\"requestId\":\"z\"}", /* V:redis-malformed */
        "80", "90", "a7676172626167", "{", "{}", "{\"type\":99,\"requestId\":\"q14\"}",
        "{\"type\":\"0\",\"requestId\":\"q\"}", "{\"type\":-1}", "{\"type\":8,\"requestId\":\"q\"}",
        "{\"type\":0}", /* nobody could be answered */
        "{\"type\":1,\"requestId\":{}}", "{\"type\":1,\"requestId\":[1]}",
        "{\"type\":1,\"requestId\":\"0123456789012345678901234567890123456789012345678901234567890"
        "12345678901234567890123456789012345\"}",
        "{\"type\":0,\"requestId\":\"q\",\"rooms\":{}}",
        "{\"type\":0,\"requestId\":\"q\",\"rooms\":[[]]}",
        "{\"type\":5,\"requestId\":\"q\",\"opts\":[]}",
        "{\"type\":5,\"requestId\":\"q\",\"opts\":{\"rooms\":\"abc\"}}",
        "{\"type\":5,\"requestId\":\"q\",\"opts\":{\"except\":[null]}}", "{\"type\":2}",
        "{\"type\":2,\"opts\":{}}", "{\"type\":2,\"opts\":{},\"rooms\":\"a\"}",
        "{\"type\":3,\"sid\":\"x\"}", "{\"type\":2,\"sid\":5,\"room\":\"x\"}", "{\"type\":4}",
        "{\"type\":4,\"opts\":null}", "{\"type\":6}", "{\"type\":6,\"data\":[]}",
        "{\"type\":6,\"data\":{}}", "{\"type\":6,\"data\":[{}]}",
        "{\"type\":7,\"requestId\":\"q\"}", "{\"type\":7,\"requestId\":\"q\",\"packet\":[]}",
        "{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":3,\"data\":[\"m\"]},\"opts\":{}}",
        "{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2},\"opts\":{}}",
        "{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"m\"]}}",
        "{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"connect\"]},\"opts\":"
        "{}}",
        "{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"m\"],\"nsp\":\"/b\"},"
        "\"opts\":{}}",
        /* bytes, and an object that stands for others */
        "82a47479706506a46461746193a16dc40100"
        "82ac5f706c616365686f6c646572c3a36e756d05",
        /* eleven of them */
        "82a47479706506a4646174619ca16dc40100c40100c40100c40100c40100c40100c40100c40100c40100c40100"
        "c40100"};
    slate b;
    server v;
    wshub_conn c;
    char id[21];
    size_t i;
    serve_on(&v, &b, SIO(0));
    c = joins(&v, "", "{\"rooms\":[\"r1\"]}", id);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t before = stats_of(&v).bus_bad_requests;
        comes(&v, &b, "socket.io-request#/#", bad[i], id);
        EXPECT_INT(stats_of(&v).bus_bad_requests, before + 1);
        EXPECT_STR(b.out, "");
        b.out[0] = 0;
    }
    EXPECT_INT(stats_of(&v).bus_dropped, i);
    EXPECT_INT(stats_of(&v).requests_in, 0);
    EXPECT_STR(v.told, "");
    EXPECT_SILENCE(&v.s.w, c);

    /* answers, whether or not something is asked */
    comes(&v, &b, "socket.io-response#/#", "{", NULL);
    comes(&v, &b, "socket.io-response#/#", "c1", NULL);
    comes(&v, &b, "socket.io-response#/#", "!", NULL);
    EXPECT_INT(stats_of(&v).bus_bad_answers, 3);
    comes(&v, &b, "socket.io-response#/#", "{\"requestId\":\"zzz\"}", NULL); /* another's */
    comes(&v, &b, "socket.io-response#/#zzzzzz#", "{", NULL);
    comes(&v, &b, "socket.io-request#/nobody#", "{", NULL); /* none's, which is not looked at */
    comes(&v, &b, "socket.io-request#", "{}", NULL);
    comes(&v, &b, "socket.io-request#x#", "{}", NULL);
    EXPECT_INT(stats_of(&v).bus_bad_answers, 3);
    unserve(&v);
}

TEST(who_is_counted_answers_though_its_namespace_has_gone_or_nobody_listens) { /* 7 */
    slate b;
    server v;
    serve_on(&v, &b, SIO(0));
    comes(&v, &b, "socket.io-request#/n1#", "{\"type\":0,\"requestId\":\"q\"}", NULL);
    comes(&v, &b, "socket.io-request#/n1#", "{\"type\":1,\"requestId\":\"q\"}", NULL);
    comes(&v, &b, "socket.io-request#/n1#", "{\"type\":5,\"requestId\":\"q\",\"opts\":{}}", NULL);
    comes(&v, &b, "socket.io-request#/n1#", "{\"type\":6,\"requestId\":\"q\",\"data\":[\"e\"]}",
          NULL);
    comes(&v, &b, "socket.io-request#/n1#",
          "{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"m\"]},\"opts\":{}}",
          NULL);
    comes(&v, &b, "socket.io-request#/n1#", "{\"type\":2,\"opts\":{},\"rooms\":[\"a\"]}", NULL);
    comes(&v, &b, "socket.io-request#/n1#", "{\"type\":4,\"sid\":\"a\"}", NULL);
    EXPECT_STR(b.out,
               "socket.io-response#/n1# {\"requestId\":\"q\",\"sockets\":[]}\n"
               "socket.io-response#/n1# {\"requestId\":\"q\",\"rooms\":[]}\n"
               "socket.io-response#/n1# {\"requestId\":\"q\",\"sockets\":[]}\n"
               "socket.io-response#/n1# {\"type\":6,\"requestId\":\"q\",\"data\":null}\n"
               "socket.io-response#/n1# {\"type\":8,\"requestId\":\"q\",\"clientCount\":0}\n");
    b.out[0] = 0;
    comes(&v, &b, "socket.io-request#/admin#", "{\"type\":6,\"requestId\":\"q\",\"data\":[\"e\"]}",
          NULL);
    EXPECT_STR(b.out,
               "socket.io-response#/admin# {\"type\":6,\"requestId\":\"q\",\"data\":null}\n");
    EXPECT_INT(stats_of(&v).bus_dropped, 0);
    unserve(&v);
}

TEST(answers_go_to_the_asker_alone_where_that_is_wanted) { /* 4, V:publishOnSpecific... */
    slate b;
    server v;
    serve_on(&v, &b, SIO(.bus_key = "sp", .specific_responses = true));
    comes(&v, &b, "sp-request#/#",
          "{\"uid\":\"peer01\",\"requestId\":\"wn0GKH\",\"type\":5,\"opts\":{\"rooms\":[],"
          "\"except\":[]}}",
          NULL);
    comes(&v, &b, "sp-request#/#",
          "{\"uid\":\"peer01\",\"requestId\":\"q\",\"type\":6,\"data\":[\"e\"]}", NULL);
    comes(&v, &b, "sp-request#/#", "{\"uid\":\"a#b\",\"requestId\":\"q\",\"type\":1}", NULL);
    comes(&v, &b, "sp-request#/#", "{\"requestId\":\"q\",\"type\":1}", NULL);
    EXPECT_STR(b.out, "sp-response#/#peer01# {\"requestId\":\"wn0GKH\",\"sockets\":[]}\n"
                      "sp-response#/# {\"type\":6,\"requestId\":\"q\",\"data\":{\"ok\":1}}\n"
                      "sp-response#/# {\"requestId\":\"q\",\"rooms\":[]}\n"
                      "sp-response#/# {\"requestId\":\"q\",\"rooms\":[]}\n");
    unserve(&v);
}

TEST(events_of_servers_are_answered_later_and_once_by_the_application) { /* 4 */
    slate b;
    server v;
    wshub_sio_reply first, none = {0};
    int i;
    serve_on(&v, &b, SIO(.requests_max = 2));
    v.keeps = true;
    for (i = 0; i < 3; i++) {
        comes(&v, &b, "socket.io-request#/#", "{\"type\":6,\"requestId\":\"q\",\"data\":[\"e\"]}",
              NULL);
        if (i == 0) first = v.owed;
    }
    EXPECT_STR(b.out, "");
    EXPECT_INT(stats_of(&v).limits, 1);
    EXPECT_INT(wshub_sio_server_answer(v.sio, first, S("1")), WSHUB_ERR_STALE); /* the oldest */
    EXPECT_INT(wshub_sio_server_answer(v.sio, none, S("1")), WSHUB_OK);
    EXPECT_INT(wshub_sio_server_answer(v.sio, v.owed, S("{")), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_sio_server_answer(v.sio, v.owed, S("[1]")), WSHUB_OK);
    EXPECT_INT(wshub_sio_server_answer(v.sio, v.owed, S("[1]")), WSHUB_ERR_STALE);
    run(&v);
    expect_out(&b, NULL, "{\"type\":6,\"requestId\":\"q\",\"data\":[1]}\n");
    unserve(&v); /* with one that nobody has answered */
}

/* ---- asking ---- */

static void on_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    server *v = (server *)user;
    size_t i;
    EXPECT(sio == v->sio);
    v->tells++;
    note(v, "%.*s", 1, "(");
    if (found->error) note(v, "%.*s: ", (int)strlen(found->error), found->error);
    {
        char digits[12];
        (void)snprintf(digits, sizeof digits, "%u", (unsigned)found->servers);
        note(v, "%.*s", (int)strlen(digits), digits);
    }
    for (i = 0; i < found->sockets_count; i++) {
        const wshub_sio_remote *r = &found->sockets[i];
        note(v, " %.*s", (int)r->id.len, r->id.ptr);
        note(v, "%.*s", (int)r->rooms.len, r->rooms.ptr);
        note(v, "%.*s", (int)r->data.len, r->data.ptr);
        if (r->handshake.ptr) note(v, "%.*s", 1, "h");
    }
    for (i = 0; i < found->rooms_count; i++)
        note(v, " %.*s", (int)found->rooms[i].len, found->rooms[i].ptr);
    for (i = 0; i < found->answers_count; i++)
        note(v, " %.*s", (int)found->answers[i].len, found->answers[i].ptr);
    note(v, "%.*s", 1, ")");
}

/* What was found; its ids shortened. */
static void expect_told(server *v, const char *sid, const char *want) {
    if (sid) replace(v->told, sid, "SID");
    EXPECT_STR(v->told, want);
    v->told[0] = 0;
}

/* The id of the last request that was said. */
static void last_id(const slate *b, char id[7]) {
    const char *at = b->out, *next = strstr(b->out, "\"requestId\":\"");
    while (next) {
        at = next + 13;
        next = strstr(at, "\"requestId\":\"");
    }
    memcpy(id, at, 6);
    id[6] = 0;
}

static void expect_asked(slate *b, const char *want) {
    mask(b->out, "{\"uid\":\"", "uidABC");
    mask(b->out, "\"requestId\":\"", "reqABC");
    replace(b->out, "socket.io-request#/# ", "");
    EXPECT_STR(b->out, want);
    b->out[0] = 0;
}

/* An answer of another server; `ID` in it is replaced. */
static void answers(server *v, slate *b, const char *id, const char *format) {
    char text[1000];
    (void)snprintf(text, sizeof text, format, id);
    comes(v, b, "socket.io-response#/#", text, NULL);
}

TEST(requests_are_published_as_recorded) { /* 4, V:redis-publish */
    slate b;
    server v;
    wshub_dest r1 = {0};
    wshub_str rooms[2], one = S("1"), self = S("x");
    wshub_packet packet = {0};
    char id[21];
    wshub_conn c;
    serve_on(&v, &b, SIO(0));
    c = joins(&v, "", "{\"rooms\":[\"r5\"]}", id);
    rooms[0] = S("r6");
    rooms[1] = S("r7");
    r1.kind = WSHUB_DEST_ROOM;
    r1.name = S("r5");

    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_OK);
    run(&v);
    EXPECT_STR(b.question, "PUBSUB NUMSUB socket.io-request#/#");
    expect_asked(&b, "{\"uid\":\"uidABC\",\"requestId\":\"reqABC\",\"type\":5,\"opts\":{\"rooms\":"
                     "[],\"except\":[]}}\n");
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, &r1, on_found, &v), WSHUB_OK);
    run(&v);
    expect_asked(&b, "{\"uid\":\"uidABC\",\"requestId\":\"reqABC\",\"type\":5,\"opts\":{\"rooms\":"
                     "[\"r5\"],\"except\":[]}}\n");
    EXPECT_INT(wshub_sio_all_rooms(v.sio, v.root, on_found, &v), WSHUB_OK);
    run(&v);
    expect_asked(&b, "{\"uid\":\"uidABC\",\"requestId\":\"reqABC\",\"type\":1}\n");
    EXPECT_INT(wshub_sio_servers(v.sio, v.root, on_found, &v), WSHUB_OK);
    run(&v);
    expect_asked(&b, "");

    EXPECT_INT(wshub_sio_join_all(v.sio, v.root, &r1, rooms, 2), WSHUB_OK);
    run(&v);
    expect_asked(&b, "{\"uid\":\"uidABC\",\"type\":2,\"opts\":{\"rooms\":[\"r5\"],\"except\":[]},"
                     "\"rooms\":[\"r6\",\"r7\"]}\n");
    EXPECT_INT(wshub_sio_leave_all(v.sio, v.root, NULL, rooms, 1), WSHUB_OK);
    run(&v);
    expect_asked(&b, "{\"uid\":\"uidABC\",\"type\":3,\"opts\":{\"rooms\":[],\"except\":[]},"
                     "\"rooms\":[\"r6\"]}\n");
    r1.name = S("none");
    r1.exclude = &self;
    r1.exclude_count = 1;
    r1.except_rooms = rooms;
    r1.except_rooms_count = 1;
    EXPECT_INT(wshub_sio_disconnect_all(v.sio, v.root, &r1, true), WSHUB_OK);
    run(&v);
    expect_asked(&b, "{\"uid\":\"uidABC\",\"type\":4,\"opts\":{\"rooms\":[\"none\"],\"except\":["
                     "\"x\",\"r6\"]},\"close\":true}\n");

    packet.event = S("hello");
    packet.args = &one;
    packet.args_count = 1;
    EXPECT_INT(wshub_sio_server_emit(v.sio, v.root, &packet), WSHUB_OK);
    run(&v);
    expect_asked(&b, "{\"uid\":\"uidABC\",\"type\":6,\"data\":[\"hello\",1]}\n");
    packet.args_count = 0;
    EXPECT_INT(wshub_sio_server_ask(v.sio, v.root, &packet, on_found, &v), WSHUB_OK);
    run(&v);
    expect_asked(&b,
                 "{\"uid\":\"uidABC\",\"requestId\":\"reqABC\",\"type\":6,\"data\":[\"hello\"]}\n");
    EXPECT_SILENCE(&v.s.w, c);
    EXPECT_INT(stats_of(&v).requests_pending, 5);
    EXPECT_STR(v.told, "");
    unserve(&v); /* they are told, and once */
    EXPECT_INT(v.tells, 5);
}

TEST(what_others_answer_is_gathered_until_all_have) { /* 4, 7 */
    slate b;
    server v;
    char id[21], request[7];
    wshub_packet e = {0};
    serve_on(&v, &b, SIO(0));
    (void)joins(&v, "", "{\"rooms\":[\"r1\"]}", id);
    set_data(&v, id, "[1]");
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_OK);
    run(&v);
    last_id(&b, request);
    answers(&v, &b, request, "{\"requestId\":\"%s\",\"sockets\":[]}"); /* before they are counted */
    counts(&b, 4);
    answers(&v, &b, request,
            "{\"requestId\":\"%s\",\"sockets\":[{\"id\":\"a\\u0062\"},5,{},{\"id\":6},{\"id\":"
            "\"c\",\"rooms\":[\"c\"],\"data\":null,\"handshake\":{}},{\"id\":\"d\",\"rooms\":5,"
            "\"handshake\":[]}]}");
    EXPECT_INT(v.tells, 0);
    answers(&v, &b, request, "{\"requestId\":\"%s\"}"); /* who leaves out what is empty lives */
    EXPECT_INT(stats_of(&v).bus_bad_answers, 1);
    expect_told(&v, id, "(4 SID[\"SID\",\"r1\"][1]h ab[]{} c[\"c\"]nullh d[]{})");
    answers(&v, &b, request, "{\"requestId\":\"%s\",\"sockets\":[{\"id\":\"late\"}]}");
    EXPECT_INT(v.tells, 1);

    b.out[0] = 0;
    EXPECT_INT(wshub_sio_all_rooms(v.sio, v.root, on_found, &v), WSHUB_OK);
    run(&v);
    last_id(&b, request);
    counts(&b, 2);
    answers(&v, &b, request, "{\"requestId\":\"%s\",\"rooms\":[\"r2\",\"r1\",5]}");
    expect_told(&v, id, "(2 SID r1 r2)");

    e.event = S("e");
    b.out[0] = 0;
    EXPECT_INT(wshub_sio_server_ask(v.sio, v.root, &e, on_found, &v), WSHUB_OK);
    run(&v);
    last_id(&b, request);
    counts(&b, 3);
    answers(&v, &b, request, "{\"type\":6,\"requestId\":\"%s\",\"data\":{\"a\":1}}");
    answers(&v, &b, request, "{\"type\":6,\"requestId\":\"%s\"}");
    expect_told(&v, NULL, "(3 {\"a\":1} null)");

    EXPECT_INT(wshub_sio_servers(v.sio, v.root, on_found, &v), WSHUB_OK);
    counts(&b, 3);
    expect_told(&v, NULL, "(3)");
    EXPECT_INT(stats_of(&v).requests_pending, 0);
    unserve(&v);
}

TEST(nobody_else_is_waited_for_that_is_not_counted) { /* 4, PITFALLS e15 */
    slate b;
    server v;
    wshub_packet e = {0};
    int count;
    e.event = S("e");
    serve_on(&v, &b, SIO(0));
    for (count = 1; count >= 0; count--) { /* none: our own subscription is not there yet */
        EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_OK);
        EXPECT_INT(wshub_sio_servers(v.sio, v.root, on_found, &v), WSHUB_OK);
        EXPECT_INT(wshub_sio_server_ask(v.sio, v.root, &e, on_found, &v), WSHUB_OK);
        EXPECT_INT(v.tells, 0);
        counts(&b, count);
        counts(&b, count);
        counts(&b, count);
        EXPECT_INT(v.tells, 3);
        v.tells = 0;
        expect_told(&v, NULL, "(1)(1)(1)");
    }
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_OK);
    counts(&b, -1);
    expect_told(&v, NULL, "(other servers cannot be counted: 1)");
    b.refuses = WSHUB_ERR_STATE;
    run(&v);
    b.out[0] = 0;
    EXPECT_INT(wshub_sio_all_rooms(v.sio, v.root, on_found, &v), WSHUB_OK);
    expect_told(&v, NULL, "(other servers cannot be counted: 1)");
    run(&v);
    EXPECT_STR(b.out, "");
    b.refuses = WSHUB_OK;
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_OK);
    b.asked[0].on_reply(b.asked[0].arg, NULL); /* the connection is lost */
    b.asked_count = 0;
    expect_told(&v, NULL, "(other servers cannot be counted: 1)");
    unserve(&v);
}

TEST(who_does_not_answer_in_time_is_not_waited_for_and_what_has_come_is_told) { /* 4 */
    slate b;
    server v;
    char id[21], request[7];
    wshub_packet e = {0};
    e.event = S("e");
    serve_on(&v, &b, SIO(.requests_timeout_ms = 1500));
    (void)joins(&v, "", "", id);
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_OK);
    run(&v);
    last_id(&b, request);
    counts(&b, 3);
    answers(&v, &b, request, "{\"requestId\":\"%s\",\"sockets\":[{\"id\":\"b\"}]}");
    wshub_io_fake_advance(v.s.w.net, 1600);
    expect_told(&v, id,
                "(timeout reached while waiting for fetchSockets response: 3 SID[\"SID\"]{}h "
                "b[]{})");
    EXPECT_INT(wshub_sio_all_rooms(v.sio, v.root, on_found, &v), WSHUB_OK);
    counts(&b, 2);
    wshub_io_fake_advance(v.s.w.net, 1600);
    expect_told(&v, id, "(timeout reached while waiting for allRooms response: 2 SID)");
    b.out[0] = 0;
    EXPECT_INT(wshub_sio_server_ask(v.sio, v.root, &e, on_found, &v), WSHUB_OK);
    run(&v);
    last_id(&b, request);
    counts(&b, 3);
    answers(&v, &b, request, "{\"type\":6,\"requestId\":\"%s\",\"data\":7}");
    wshub_io_fake_advance(v.s.w.net, 1600);
    expect_told(&v, NULL, "(timeout reached: only 1 responses received out of 2: 3 7)");
    EXPECT_INT(wshub_sio_servers(v.sio, v.root, on_found, &v), WSHUB_OK); /* never counted */
    wshub_io_fake_advance(v.s.w.net, 1600);
    expect_told(&v, NULL, "(other servers cannot be counted: 1)");
    counts(&b, 5); /* too late */
    EXPECT_INT(v.tells, 4);
    EXPECT_INT(stats_of(&v).requests_late, 4);
    unserve(&v);
}

/* ---- acknowledgements of many ---- */

static void on_answers(wshub_sio *sio, const wshub_sio_answers *answers, void *user) {
    server *v = (server *)user;
    size_t i, k;
    (void)sio;
    v->tells++;
    note(v, "%.*s", 1, "(");
    if (answers->error) note(v, "%.*s:", (int)strlen(answers->error), answers->error);
    for (i = 0; i < answers->answers_count; i++) {
        const wshub_sio_answered *a = &answers->answers[i];
        note(v, a->client.id ? "%.*s" : " far%.*s", (int)a->args.len, a->args.ptr);
        for (k = 0; k < a->attachments_count; k++)
            note(v, "+%.*s", (int)a->attachments[k].len, (const char *)a->attachments[k].ptr);
    }
    note(v, "%.*s", 1, ")");
}

TEST(sockets_of_all_servers_are_asked_and_their_answers_counted) { /* 4, V:broadcast-ack */
    static const char all[] =
        "socket.io-request#/# 85a3756964a6756964414243a9726571756573744964a6726571414243a474797065"
        "07a67061636b657483a47479706502a46461746191a2713fa36e7370a12fa46f70747383a5726f6f6d7390a665"
        "786365707490a5666c61677381a774696d656f7574cd012c\n";
    slate b;
    server v;
    wshub_conn c;
    wshub_packet q = {0};
    wshub_dest r1 = {0};
    char id[21], request[7], text[200], *at;
    serve_on(&v, &b, SIO(0));
    c = joins(&v, "", "", id);
    q.event = S("q?");
    EXPECT_INT(wshub_sio_ask_all(v.sio, v.root, NULL, &q, 300, on_answers, &v), WSHUB_OK);
    run(&v);
    hears(&v, c, "420[\"q?\"]");
    at = strstr(b.out, "a3756964a6"); /* any six characters, in both places */
    EXPECT(at != NULL);
    memcpy(at + 10, "756964414243", 12);
    at = strstr(b.out, "a9726571756573744964a6");
    EXPECT(at != NULL);
    (void)sio_socket_hex(at + 22, text, sizeof text);
    memcpy(request, text, 6);
    request[6] = 0;
    memcpy(at + 22, "726571414243", 12);
    EXPECT_STR(b.out, all);
    says(&v, c, "430[\"here\"]");
    counts(&b, 3);
    answers(&v, &b, request, "{\"type\":8,\"requestId\":\"%s\",\"clientCount\":2}");
    answers(&v, &b, request, "{\"type\":9,\"requestId\":\"%s\",\"packet\":{\"a\":1}}");
    (void)snprintf(text, sizeof text,
                   "83a47479706509a9726571756573744964a6%02x%02x%02x%02x%02x%02x"
                   "a67061636b6574c4026869",
                   request[0], request[1], request[2], request[3], request[4], request[5]);
    comes(&v, &b, "socket.io-response#/#", text, NULL);
    EXPECT_INT(v.tells, 0);
    answers(&v, &b, request, "{\"type\":8,\"requestId\":\"%s\",\"clientCount\":0}");
    expect_told(&v, NULL, "([\"here\"] far[{\"a\":1}] far[{\"_placeholder\":true,\"num\":0}]+hi)");

    /* what is none, who is silent, and nobody there */
    b.out[0] = 0;
    EXPECT_INT(wshub_sio_ask_all(v.sio, v.root, NULL, &q, 300, on_answers, &v), WSHUB_OK);
    run(&v);
    hears(&v, c, "421[\"q?\"]");
    at = strstr(b.out, "a9726571756573744964a6");
    (void)sio_socket_hex(at ? at + 22 : "000000000000", text, sizeof text);
    memcpy(request, text, 6);
    counts(&b, 2);
    answers(&v, &b, request, "{\"type\":8,\"requestId\":\"%s\",\"clientCount\":-1}");
    answers(&v, &b, request, "{\"type\":5,\"requestId\":\"%s\"}");
    EXPECT_INT(stats_of(&v).bus_bad_answers, 2);
    EXPECT_INT(stats_of(&v).bus_drops[WSHUB_SIO_DROP_ANSWER], 2);
    answers(&v, &b, request, "{\"type\":8,\"requestId\":\"%s\",\"clientCount\":1}");
    answers(&v, &b, request, "{\"type\":9,\"requestId\":\"%s\"}"); /* of no arguments */
    wshub_io_fake_advance(v.s.w.net, 400);
    expect_told(&v, NULL, "(operation has timed out: far[])");

    r1.kind = WSHUB_DEST_ROOM;
    r1.name = S("r1");
    EXPECT_INT(wshub_sio_ask_all(v.sio, v.root, &r1, &q, 300, on_answers, &v), WSHUB_OK);
    counts(&b, 1);
    expect_told(&v, NULL, "()");
    EXPECT_INT(wshub_sio_ask_all_here(v.sio, v.root, &r1, &q, 300, on_answers, &v), WSHUB_OK);
    expect_told(&v, NULL, "()");
    b.refuses = WSHUB_ERR_STATE;
    EXPECT_INT(wshub_sio_ask_all(v.sio, v.root, &r1, &q, 300, on_answers, &v), WSHUB_OK);
    expect_told(&v, NULL, "(other servers cannot be counted:)");
    unserve(&v);
}

TEST(what_is_asked_and_what_is_kept_of_answers_has_its_limits) { /* 4 */
    static char big[600];
    slate b;
    server v;
    wshub_packet e = {0};
    wshub_dest user = {0};
    wshub_str one = S("x"), bad = S("\xff"), none = S("[");
    char request[7];
    serve_on(&v, &b, SIO(.requests_max = 1, .answers_bytes_max = 500));
    e.event = S("e");
    user.kind = WSHUB_DEST_USER;
    user.name = S("u");
    EXPECT_INT(wshub_sio_server_ask(v.sio, v.root, &e, on_found, &v), WSHUB_OK);
    EXPECT_INT(wshub_sio_servers(v.sio, v.root, on_found, &v), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_sio_all_rooms(v.sio, v.root, on_found, &v), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_sio_ask_all(v.sio, v.root, NULL, &e, 9, on_answers, &v), WSHUB_ERR_LIMIT);
    EXPECT_INT(stats_of(&v).limits, 4);
    run(&v);
    last_id(&b, request);
    counts(&b, 3);
    memset(big, 'x', sizeof big - 1);
    (void)snprintf(big, sizeof big, "{\"type\":6,\"requestId\":\"%s\",\"data\":\"%0400d\"}",
                   request, 1);
    comes(&v, &b, "socket.io-response#/#", big, NULL);
    answers(&v, &b, request, "{\"type\":6,\"requestId\":\"%s\",\"data\":5}");
    v.told[strlen("(answers are too long: 3 ")] = 0; /* what has fitted */
    expect_told(&v, NULL, "(answers are too long: 3 ");

    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, &user, on_found, &v), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, NULL, &v), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_join_all(v.sio, v.root, &user, &one, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_join_all(v.sio, v.root, NULL, &bad, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_join_all(v.sio, v.root, NULL, NULL, 0), WSHUB_OK);
    e.event = S("connection");
    EXPECT_INT(wshub_sio_server_emit(v.sio, v.root, &e), WSHUB_ERR_PARAM);
    e.event = S("error"); /* a server of Node's without a listener ends itself */
    EXPECT_INT(wshub_sio_server_ask(v.sio, v.root, &e, on_found, &v), WSHUB_ERR_PARAM);
    e.event = S("e");
    e.args = &none;
    e.args_count = 1;
    EXPECT_INT(wshub_sio_server_emit(v.sio, v.root, &e), WSHUB_ERR_JSON);
    v.root.id += 0x10000;
    e.args_count = 0;
    EXPECT_INT(wshub_sio_server_emit(v.sio, v.root, &e), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_server_ask(v.sio, v.root, &e, on_found, &v), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_all_rooms(v.sio, v.root, on_found, &v), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_servers(v.sio, v.root, on_found, &v), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_leave_all(v.sio, v.root, NULL, &one, 1), WSHUB_ERR_STALE);
    EXPECT_INT(v.tells, 1);
    unserve(&v);
}

TEST(a_shutdown_tells_who_waits_for_other_servers) { /* 4, BYE-2 */
    slate b;
    server v;
    wshub_packet q = {0};
    q.event = S("q");
    serve_on(&v, &b, SIO(0));
    EXPECT_INT(wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v), WSHUB_OK);
    EXPECT_INT(wshub_sio_ask_all(v.sio, v.root, NULL, &q, 300, on_answers, &v), WSHUB_OK);
    wshub_sio_shutdown(v.sio);
    expect_told(&v, NULL, "(server shutting down: 1)(server shutting down:)");
    counts(&b, 4); /* and nobody hears it */
    counts(&b, 4);
    EXPECT_INT(v.tells, 2);
    unserve(&v);
}

TEST(without_memory_nothing_is_lost_but_what_is_told) { /* 4 */
    long at;
    bool done = false;
    for (at = 1; at < 80 && !done; at++) {
        slate b;
        server v;
        wshub_packet q = {0};
        wshub_str room = S("j");
        char id[21];
        wshub_err err[5];
        int i;
        q.event = S("q");
        serve_on(&v, &b, SIO(0));
        (void)joins(&v, "", "{\"rooms\":[\"r1\"]}", id);
        v.s.w.fail_at = at;
        err[0] = wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v);
        err[1] = wshub_sio_all_rooms(v.sio, v.root, on_found, &v);
        err[2] = wshub_sio_ask_all(v.sio, v.root, NULL, &q, 300, on_answers, &v);
        err[3] = wshub_sio_server_ask(v.sio, v.root, &q, on_found, &v);
        err[4] = wshub_sio_join_all(v.sio, v.root, NULL, &room, 1);
        comes(&v, &b, "socket.io-request#/#",
              "{\"type\":5,\"requestId\":\"q\",\"opts\":{\"rooms\":[]}}", NULL);
        comes(&v, &b, "socket.io-request#/#", "{\"type\":6,\"requestId\":\"q\",\"data\":[\"e\"]}",
              NULL);
        comes(&v, &b, "socket.io-request#/#",
              "{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"m\"]},\"opts\":"
              "{}}",
              NULL);
        comes(&v, &b, "socket.io-request#/#", "82a47479706501a9726571756573744964a171", NULL);
        done = v.s.w.fail_at > 0; /* there were fewer */
        v.s.w.fail_at = 0;
        while (b.asked_count) counts(&b, 1);
        wshub_io_fake_advance(v.s.w.net, 6000);
        for (i = 0; i < 5; i++) EXPECT(err[i] == WSHUB_OK || err[i] == WSHUB_ERR_NOMEM);
        for (i = 0; i < 4; i++) v.tells -= err[i] == WSHUB_OK;
        EXPECT_INT(v.tells, 0);
        EXPECT_INT(stats_of(&v).requests_pending, 0);
        unserve(&v);
    }
    EXPECT(done);
    EXPECT_OP(at, >, 10);
}

/* ---- emitters ---- */

TEST(an_emitter_asks_as_recorded) { /* 5, V:emitter-socketsJoin and its like */
    slate b;
    wshub_bus bus = slate_bus(&b);
    wshub_emitter_desc desc;
    wshub_emitter *emitter;
    wshub_dest r1 = {0};
    wshub_str q = S("q"), one = S("1"), bad = S("\xff");
    wshub_packet hey = {0};
    memset(&desc, 0, sizeof desc);
    desc.bus = &bus;
    EXPECT_INT(wshub_emitter_create(&desc, &emitter), WSHUB_OK);
    b.owner.state(b.owner.ctx, WSHUB_BUS_CONNECTED);
    b.owner.state(b.owner.ctx, WSHUB_BUS_UP);
    r1.name = S("r1");
    hey.event = S("hey");
    hey.args = &one;
    hey.args_count = 1;
    EXPECT_INT(wshub_sio_emitter_join(emitter, NULL, NULL, &r1, &q, 1), WSHUB_OK);
    EXPECT_INT(wshub_sio_emitter_leave(emitter, NULL, "/", &r1, &q, 1), WSHUB_OK);
    EXPECT_INT(wshub_sio_emitter_disconnect(emitter, NULL, "admin", NULL, true), WSHUB_OK);
    EXPECT_INT(wshub_sio_emitter_server_emit(emitter, "app", NULL, &hey), WSHUB_OK);
    EXPECT_STR(b.out,
               "socket.io-request#/# {\"type\":2,\"opts\":{\"rooms\":[\"r1\"],\"except\":[]},"
               "\"rooms\":[\"q\"]}\n"
               "socket.io-request#/# {\"type\":3,\"opts\":{\"rooms\":[\"r1\"],\"except\":[]},"
               "\"rooms\":[\"q\"]}\n"
               "socket.io-request#/admin# {\"type\":4,\"opts\":{\"rooms\":[],\"except\":[]},"
               "\"close\":true}\n"
               "app-request#/# {\"uid\":\"emitter\",\"type\":6,\"data\":[\"hey\",1]}\n");
    EXPECT_INT(wshub_sio_emitter_join(emitter, "a*", NULL, &r1, &q, 1), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_emitter_join(emitter, NULL, NULL, &r1, &bad, 1), WSHUB_ERR_PARAM);
    r1.kind = WSHUB_DEST_USER;
    EXPECT_INT(wshub_sio_emitter_leave(emitter, NULL, NULL, &r1, &q, 1), WSHUB_ERR_PARAM);
    hey.event = S("new_namespace");
    EXPECT_INT(wshub_sio_emitter_server_emit(emitter, NULL, NULL, &hey), WSHUB_ERR_PARAM);
    EXPECT_INT(b.published, 4);
    wshub_emitter_destroy(emitter);
}

/* ---- two servers of one process ---- */

static void both(server *a, server *b) {
    int i;
    for (i = 0; i < 4; i++) {
        run(a);
        run(b);
    }
}

TEST(two_servers_of_a_process_ask_each_other) { /* 4, 7, PITFALLS e15, e16 */
    wshub_bus_local *local;
    wshub_bus bus;
    server a, b;
    wshub_conn ca, cb;
    wshub_dest r = {0};
    wshub_str j = S("j");
    wshub_packet q = {0};
    char id_a[21], id_b[21];
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    serve(&a, &bus, SIO(.bus = true), 1);
    both(&a, &a);
    EXPECT_INT(wshub_sio_servers(a.sio, a.root, on_found, &a), WSHUB_OK);
    run(&a);
    expect_told(&a, NULL, "(1)");
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    serve(&b, &bus, SIO(.bus = true), 2);
    both(&a, &b);
    ca = joins(&a, "", "{\"rooms\":[\"r\"]}", id_a);
    cb = joins(&b, "", "{\"rooms\":[\"s\"]}", id_b);
    EXPECT_INT(wshub_sio_servers(a.sio, a.root, on_found, &a), WSHUB_OK);
    both(&a, &b);
    expect_told(&a, NULL, "(2)");

    /* by the other server: it acts on what was asked, and so do we, at once */
    EXPECT_INT(wshub_sio_join_all(a.sio, a.root, NULL, &j, 1), WSHUB_OK);
    q.event = S("m");
    r.kind = WSHUB_DEST_ROOM;
    r.name = j;
    EXPECT_INT(wshub_sio_emit(a.sio, a.root, &r, &q), WSHUB_OK); /* behind it */
    both(&a, &b);
    hears(&a, ca, "42[\"m\"]");
    hears(&b, cb, "42[\"m\"]");
    r.name = S("s");
    EXPECT_INT(wshub_sio_leave_all(a.sio, a.root, &r, &j, 1), WSHUB_OK);
    both(&a, &b);
    r.name = j;
    EXPECT_INT(wshub_sio_emit(b.sio, b.root, &r, &q), WSHUB_OK);
    both(&a, &b);
    hears(&a, ca, "42[\"m\"]");
    EXPECT_SILENCE(&b.s.w, cb);

    EXPECT_INT(wshub_sio_fetch(a.sio, a.root, &r, on_found, &a), WSHUB_OK);
    both(&a, &b);
    expect_told(&a, id_a, "(2 SID[\"SID\",\"j\",\"r\"]{}h)");
    EXPECT_INT(wshub_sio_all_rooms(b.sio, b.root, on_found, &b), WSHUB_OK);
    both(&a, &b);
    EXPECT(strstr(b.told, " j") && strstr(b.told, " r") && strstr(b.told, " s"));
    EXPECT(strstr(b.told, id_a) && strstr(b.told, id_b));
    EXPECT_INT(wshub_sio_server_emit(a.sio, a.root, &q), WSHUB_OK);
    both(&a, &b);
    EXPECT(strstr(b.told, "<m>") != NULL);
    EXPECT_INT(wshub_sio_server_ask(a.sio, a.root, &q, on_found, &a), WSHUB_OK);
    both(&a, &b);
    expect_told(&a, NULL, "(2 {\"ok\":1})");

    EXPECT_INT(wshub_sio_ask_all(a.sio, a.root, NULL, &q, 300, on_answers, &a), WSHUB_OK);
    both(&a, &b);
    hears(&a, ca, "424[\"m\"]");
    hears(&b, cb, "421[\"m\"]");
    says(&b, cb, "431[\"b\",2]");
    both(&a, &b);
    says(&a, ca, "434[\"a\"]");
    expect_told(&a, NULL, "( far[\"b\"][\"a\"])");

    r.kind = WSHUB_DEST_CLIENT; /* e16: by its id, on the other server */
    r.name = S(id_b);
    EXPECT_INT(wshub_sio_disconnect_all(a.sio, a.root, &r, false), WSHUB_OK);
    both(&a, &b);
    hears(&b, cb, "41");
    EXPECT_SILENCE(&a.s.w, ca);
    EXPECT_INT(stats_of(&a).bus_dropped + stats_of(&b).bus_dropped, 0);

    /* one goes, and is not waited for; the bus goes, and that is told */
    unserve(&b);
    EXPECT_INT(wshub_sio_fetch(a.sio, a.root, NULL, on_found, &a), WSHUB_OK);
    run(&a);
    expect_told(&a, id_a, "(1 SID[\"SID\",\"j\",\"r\"]{}h)");
    EXPECT_INT(wshub_sio_fetch(a.sio, a.root, NULL, on_found, &a), WSHUB_OK);
    wshub_bus_local_set_down(local, true);
    run(&a);
    EXPECT(strncmp(a.told, "(other servers cannot be counted: 1", 35) == 0);
    unserve(&a);
    wshub_bus_local_destroy(local);
}

static void replied(void *arg, const wshub_bus_reply *reply) {
    (void)reply;
    ++*(int *)arg;
}

static void hub_replied(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    (void)hub;
    EXPECT(!reply || reply->kind == WSHUB_BUS_REPLY_ERROR);
    *(int *)arg += reply ? 1 : 100;
}

TEST(the_bus_of_a_process_knows_one_question) { /* wshub_bus.request */
    wshub_bus_local *local;
    wshub_bus bus;
    server v;
    wshub_str argv[2];
    int replies = 0;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    argv[0] = S("PUBSUB");
    argv[1] = S("CHANNELS");
    EXPECT_INT(bus.request(bus.ctx, argv, 2, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(bus.request(bus.ctx, argv, 2, replied, NULL), WSHUB_ERR_STATE);
    serve(&v, &bus, SIO(.bus = true), 1);
    run(&v);
    EXPECT_INT(wshub_bus_request(v.s.w.hub, argv, 2, hub_replied, &replies), WSHUB_OK);
    run(&v);
    EXPECT_INT(replies, 1);
    EXPECT_INT(wshub_bus_request(v.s.w.hub, argv, 2, hub_replied, &replies), WSHUB_OK);
    unserve(&v); /* it is lost */
    EXPECT_INT(replies, 101);
    wshub_bus_local_destroy(local);
}

/* ---- whatever comes ---- */

TEST(whatever_strangers_ask_and_answer_nobody_dies_of_it) { /* 4, PITFALLS e17 */
    static const char *const more[] = {
        "{\"type\":9,\"requestId\":\"%s\",\"packet\":{\"a\":[1,\"\\u0041\"]}}",
        "{\"type\":8,\"requestId\":\"%s\",\"clientCount\":3}",
        "{\"requestId\":\"%s\",\"sockets\":[{\"id\":\"a\",\"rooms\":[],\"handshake\":{}}]}",
        "{\"requestId\":\"%s\",\"rooms\":[\"a\",\"b\\n\"]}",
        "{\"type\":6,\"requestId\":\"%s\",\"data\":{\"x\":[]}}"};
    enum { RECORDED = sizeof recorded / sizeof *recorded, MORE = sizeof more / sizeof *more };
    uint64_t random = 12345;
    slate b;
    server v;
    wshub_packet q = {0};
    wshub_conn c;
    char id[21];
    int round;
    serve_on(&v, &b, SIO(.requests_timeout_ms = 50, .answers_bytes_max = 3000));
    c = joins(&v, "", "{\"rooms\":[\"r1\"]}", id);
    q.event = S("q");
    for (round = 0; round < 3000; round++) {
        char bytes[1000];
        wshub_str payload = {bytes, 0};
        wshub_io_fake_frame f;
        size_t pick, cuts;
        random = random * 6364136223846793005u + 1442695040888963407u;
        pick = (size_t)(random >> 33) % (RECORDED + MORE);
        if (round % 8 == 0) {
            (void)wshub_sio_fetch(v.sio, v.root, NULL, on_found, &v);
            (void)wshub_sio_all_rooms(v.sio, v.root, on_found, &v);
            (void)wshub_sio_server_ask(v.sio, v.root, &q, on_found, &v);
            (void)wshub_sio_ask_all(v.sio, v.root, NULL, &q, 50, on_answers, &v);
            while (b.asked_count) counts(&b, 3);
        }
        if (pick < RECORDED && recorded[pick].request[0] != '{') {
            payload.len = sio_socket_hex(recorded[pick].request, bytes, sizeof bytes);
        } else if (pick < RECORDED) {
            payload.len = (size_t)snprintf(bytes, sizeof bytes, "%s", recorded[pick].request);
        } else {
            char request[7] = "zzzzzz";
            const wshub_sio__wait *wait = v.sio->out;
            if (wait) memcpy(request, wait->request, 6);
            payload.len = (size_t)snprintf(bytes, sizeof bytes, more[pick - RECORDED], request);
        }
        for (cuts = (size_t)(random >> 60); cuts; cuts--) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[(size_t)(random >> 20) % payload.len] = (char)(random >> 56);
        }
        b.owner.received(b.owner.ctx,
                         pick < RECORDED ? S("socket.io-request#/#") : S("socket.io-response#/#"),
                         payload);
        run(&v);
        v.told[0] = b.out[0] = 0;
        if (round % 64 == 0) wshub_io_fake_advance(v.s.w.net, 100);
        while (wshub_io_fake_next(v.s.w.net, c, &f)) {
            EXPECT(f.opcode == 1 || f.opcode == 2);
            if (f.opcode == 1 && f.payload.len == 2 && memcmp(f.payload.ptr, "41", 2) == 0)
                c = joins(&v, "", "{\"rooms\":[\"r1\"]}", id); /* it was told to go */
        }
    }
    EXPECT_OP(stats_of(&v).bus_bad_requests, >, 100);
    EXPECT_OP(stats_of(&v).bus_bad_answers, >, 20);
    EXPECT_OP(stats_of(&v).requests_in, >, 100);
    unserve(&v);
}
