/* What strangers publish where servers of Socket.IO listen (>>sio-heard of
 * wshub_dialect_socketio.h): dropped, counted by its kind, told once in a second; whoever is
 * connected notices nothing. The specification's 4 to 6, PITFALLS e7, e14, e17. */
#include "sio_server.h"

#define DROP(name) WSHUB_SIO_DROP_##name
/* [uid, {type, data, nsp}, {}] around data; of another type; with other options */
#define CAST(data) "93 a178 83 a474797065 02 a464617461 " data " a36e7370 a12f 80"
#define CAST_TYPE(type) "93 a178 83 a474797065 " type " a464617461 91 a16d a36e7370 a12f 80"
#define CAST_OPTS(opts) "93 a178 83 a474797065 02 a464617461 91 a16d a36e7370 a12f " opts
#define TEN "c40101 c40102 c40103 c40104 c40105 c40106 c40107 c40108 c40109 c4010a "

static const struct {
    const char *hex;
    wshub_sio_drop drop;
} strangers[] = {
    /* garbage */
    {"", DROP(BYTES)},
    {"c1", DROP(BYTES)},
    {"00", DROP(SHAPE)},
    {"ff", DROP(SHAPE)},
    {"c0", DROP(SHAPE)},
    {"68656c6c6f", DROP(BYTES)},          /* hello: five numbers */
    {"2a31 0d0a 2434 0d0a", DROP(BYTES)}, /* a command of Redis's */
    {"22 68 69 22", DROP(BYTES)},         /* "hi", JSON */
    {"5b 22 78 22 5d", DROP(BYTES)},      /* ["x"], JSON */
    {"1f8b 0800 0000", DROP(BYTES)},      /* gzip */
    {"8004 95 0a", DROP(ADAPTER)},        /* a pickled object */
    {"93", DROP(BYTES)},
    {"93 a178", DROP(BYTES)},
    {"93 a178 80", DROP(BYTES)},
    {CAST("91 a16d") " 00", DROP(BYTES)}, /* something behind it */
    {CAST("91 a16d") CAST("91 a16d"), DROP(BYTES)},
    /* lengths of which there is nothing: what takes Node's reader seconds, or all memory */
    {"dd ffffffff", DROP(BYTES)},
    {"dd 01ffffff dd 01ffffff dd 01ffffff dd 01ffffff", DROP(BYTES)},
    {"c9 ffffffff 00", DROP(BYTES)},
    {"c9 10000000 00", DROP(BYTES)},
    {"c6 ffffffff", DROP(BYTES)},
    {"db ffffffff 61", DROP(BYTES)},
    {"df ffffffff", DROP(ADAPTER)},
    {CAST("91 db ffffffff"), DROP(BYTES)},
    {CAST("92 a16d dd 01ffffff"), DROP(BYTES)},
    {CAST("92 a16d c9 ffffffff 00"), DROP(BYTES)},
    {"91919191919191919191919191919191 c0", DROP(SHAPE)},
    /* other versions: base64 of an old emitter (e14), requests on the wrong channel */
    {"93 ae 8954747970654483a4", DROP(BYTES)},
    {"6b365a49524870795a", DROP(BYTES)},
    {"7b2275696422 3a 2261227d", DROP(ADAPTER)},                              /* {"uid":"a"} */
    {"92 83 a474797065 02 a464617461 91 a16d a36e7370 a12f 80", DROP(SHAPE)}, /* without a uid */
    {"93 c0 83 a474797065 02 a464617461 91 a16d a36e7370 a12f 80", DROP(SHAPE)},
    /* the adapters for streams, and the sharded one, on the same key */
    {"84 a3756964 a16e a36e7370 a12f a474797065 a133 a464617461 80", DROP(ADAPTER)},
    {"84 a474797065 03 a464617461 82 a67061636b6574 82 a474797065 02 a464617461 91 a16d "
     "a46f707473 83 a5726f6f6d73 90 a6657863657074 90 a5666c616773 80 a3756964 a178 a36e7370 a12f",
     DROP(ADAPTER)},
    {"de 0001 a3756964 a16e", DROP(ADAPTER)},
    {"df 00000001 a3756964 a16e", DROP(ADAPTER)},
    {"7b 22 74 79 70 65 22 3a 33 7d", DROP(ADAPTER)}, /* {"type":3} */
    /* reserved names: `connect` and its relatives cost each client its connection */
    {CAST("91 a7 636f6e6e656374"), DROP(EVENT)},
    {CAST("91 ad 636f6e6e6563745f6572726f72"), DROP(EVENT)},
    {CAST("91 aa 646973636f6e6e656374"), DROP(EVENT)},
    {CAST("91 ad 646973636f6e6e656374696e67"), DROP(EVENT)},
    {CAST("91 ab 6e65774c697374656e6572"), DROP(EVENT)},
    {CAST("91 ae 72656d6f76654c697374656e6572"), DROP(EVENT)},
    /* more attachments than clients take, wherever they are */
    {CAST("9c a16d " TEN "c4010b"), DROP(ATTACHMENTS)},
    {CAST("92 a16d 9b " TEN "c400"), DROP(ATTACHMENTS)},
    {CAST("92 a16d 91 91 91 81 a161 9b " TEN "c400"), DROP(ATTACHMENTS)},
    /* types that are not 2 */
    {CAST_TYPE("00"), DROP(TYPE)},
    {CAST_TYPE("01"), DROP(TYPE)},
    {CAST_TYPE("03"), DROP(TYPE)},
    {CAST_TYPE("04"), DROP(TYPE)},
    {CAST_TYPE("05"), DROP(TYPE)},
    {CAST_TYPE("cc ff"), DROP(TYPE)},
    {CAST_TYPE("cb 4000000000000001"), DROP(TYPE)},
    {CAST_TYPE("cb 7ff8000000000000"), DROP(TYPE)},
    {CAST_TYPE("ff"), DROP(SHAPE)},
    {CAST_TYPE("a132"), DROP(SHAPE)},
    {CAST_TYPE("c0"), DROP(SHAPE)},
    {CAST_TYPE("c3"), DROP(SHAPE)},
    /* arrays that are missing, or none */
    {"93 a178 82 a474797065 02 a36e7370 a12f 80", DROP(EVENT)},
    {"93 a178 81 a36e7370 a12f 80", DROP(TYPE)},
    {CAST("90"), DROP(SHAPE)},
    {CAST("c0"), DROP(SHAPE)},
    {CAST("81 a16d 01"), DROP(SHAPE)},
    {CAST("a16d"), DROP(SHAPE)},
    {CAST("91 c0"), DROP(SHAPE)},
    {CAST("91 90"), DROP(SHAPE)},
    {CAST("91 c3"), DROP(SHAPE)},
    {"92 a178 83 a474797065 02 a464617461 91 a16d a36e7370 a12f", DROP(SHAPE)},
    {CAST_OPTS("c0"), DROP(SHAPE)},
    {CAST_OPTS("90"), DROP(SHAPE)},
    {CAST_OPTS("81 a5726f6f6d73 a172"), DROP(SHAPE)},
    {CAST_OPTS("81 a5726f6f6d73 80"), DROP(SHAPE)},
    {CAST_OPTS("81 a5726f6f6d73 91 c0"), DROP(SHAPE)},
    {CAST_OPTS("81 a5726f6f6d73 91 90"), DROP(SHAPE)},
    {CAST_OPTS("81 a6657863657074 07"), DROP(SHAPE)},
    {CAST_OPTS("81 a5666c616773 91 c3"), DROP(SHAPE)},
    /* what stands for bytes that are not there */
    {CAST("93 a16d c40178 82 ac5f706c616365686f6c646572 c3 a36e756d 07"), DROP(PLACEHOLDER)},
    {CAST("93 a16d c40178 82 ac5f706c616365686f6c646572 c3 a36e756d ff"), DROP(PLACEHOLDER)},
    {CAST("93 a16d c40178 81 ac5f706c616365686f6c646572 c3"), DROP(PLACEHOLDER)},
    /* names that are none */
    {CAST("91 a0"), DROP(EVENT)},
    {CAST("91 a2 c328"), DROP(BYTES)},
    {"93 a178 83 a474797065 02 a464617461 91 a16d a36e7370 a62f61646d696e 80", DROP(SPACE)},
    {"93 a178 83 a474797065 02 a464617461 91 a16d a36e7370 c0 80", DROP(SHAPE)},
};

typedef struct lines {
    int bad, others;
    char last[200];
    uint64_t held_back;
} lines;

static void on_log(wshub *hub, const wshub_log *line, void *user) {
    lines *l = (lines *)user;
    (void)hub;
    if (line->code != WSHUB_LOG_BUS_BAD) {
        l->others++;
        return;
    }
    l->bad++;
    l->held_back += line->suppressed;
    (void)snprintf(l->last, sizeof l->last, "%s", line->text);
}

TEST(each_kind_is_dropped_and_counted_for_what_it_is) { /* 4, 6, PITFALLS e7, e14, e17 */
    enum { ROWS = sizeof strangers / sizeof *strangers };
    uint64_t want[WSHUB_SIO_DROP_COUNT] = {0};
    static sio_server v;
    lines told = {0, 0, "", 0};
    wshub_conn c;
    size_t i, k;
    sio_server_start(&v, DESC(.on_log = on_log, .user = &told), NULL);
    c = sio_server_joins(&v, "", "{\"rooms\":[\"r\"]}", NULL);
    for (i = 0; i < ROWS; i++) {
        char bytes[400];
        size_t count = sio_socket_hex(strangers[i].hex, bytes, sizeof bytes);
        wshub_sio_stats st;
        int before = test_failures;
        sio_server_hears(&v, i % 2 ? "socket.io#/#" : "socket.io#/#r#", bytes, count);
        want[strangers[i].drop]++;
        st = sio_server_stats(&v);
        for (k = 0; k < WSHUB_SIO_DROP_COUNT; k++) EXPECT_INT(st.bus_drops[k], want[k]);
        EXPECT_INT(st.bus_dropped, i + 1);
        EXPECT_SILENCE(&v.s.w, c);
        if (test_failures == before) continue;
        (void)printf("  of %s, row %u\n", strangers[i].hex, (unsigned)i);
        break;
    }
    sio_server_hears(&v, "socket.io#/#r", "\xC1", 1); /* a channel that is none */
    EXPECT_INT(sio_server_stats(&v).bus_drops[DROP(CHANNEL)], 1);
    EXPECT_INT(sio_server_stats(&v).sockets, 1);
    EXPECT_INT(stats(&v.s.w).bus_bad, ROWS + 1);
    EXPECT_INT(told.bad, 1); /* all of it was one instant */

    /* the next second has one line, which says how many are not there */
    wshub_io_fake_advance(v.s.w.net, 1000);
    for (i = 0; i < 5; i++) sio_server_hears(&v, "socket.io#/#", "\x80", 1);
    EXPECT_INT(told.bad, 2);
    EXPECT_INT(told.held_back, ROWS);
    EXPECT(strstr(told.last, wshub_sio_drop_text(DROP(ADAPTER))) != NULL);
    sio_server_stop(&v);
}

/* On the channels of requests and answers, to a server that has asked nothing. */
static const struct {
    const char *text;
    wshub_sio_drop drop;
} letters[] = {
    {"{", DROP(BYTES)},
    {"\xC1", DROP(BYTES)},
    {"\x90", DROP(SHAPE)},
    {"{}", DROP(REQUEST)},
    {"{\"type\":99,\"requestId\":\"q\"}", DROP(REQUEST)},
    {"{\"type\":0}", DROP(ID)},
    {"{\"type\":1,\"requestId\":{}}", DROP(ID)},
    {"{\"type\":5,\"requestId\":\"q\"}", DROP(OPTS)},
    {"{\"type\":4,\"opts\":null}", DROP(OPTS)},
    {"{\"type\":2,\"opts\":{}}", DROP(LIST)},
    {"{\"type\":0,\"requestId\":\"q\",\"rooms\":[[]]}", DROP(LIST)},
    {"{\"type\":3,\"sid\":\"x\"}", DROP(LIST)},
    {"{\"type\":6,\"data\":{}}", DROP(EVENT)},
    {"{\"type\":6,\"data\":[{}]}", DROP(EVENT)},
    {"{\"type\":7,\"requestId\":\"q\"}", DROP(SHAPE)},
    {"{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":3}}", DROP(TYPE)},
    {"{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"connect\"]},\"opts\":{}}",
     DROP(EVENT)},
    {"{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"m\"],\"nsp\":\"/b\"}}",
     DROP(SPACE)},
};

TEST(requests_are_counted_by_what_is_wrong_with_them_and_answers_too) { /* 4, 7 */
    uint64_t want[WSHUB_SIO_DROP_COUNT] = {0};
    static sio_server v;
    wshub_sio_stats st;
    size_t i, k;
    sio_server_start(&v, DESC(0), NULL);
    for (i = 0; i < sizeof letters / sizeof *letters; i++) {
        sio_server_hears(&v, "socket.io-request#/#", letters[i].text, strlen(letters[i].text));
        want[letters[i].drop]++;
        st = sio_server_stats(&v);
        for (k = 0; k < WSHUB_SIO_DROP_COUNT; k++) EXPECT_INT(st.bus_drops[k], want[k]);
        EXPECT_INT(st.bus_bad_requests, i + 1);
    }
    sio_server_hears(&v, "socket.io-response#/#", "!", 1);
    st = sio_server_stats(&v);
    EXPECT_INT(st.bus_drops[DROP(SHAPE)], want[DROP(SHAPE)] + 1);
    EXPECT_INT(st.bus_bad_answers, 1);
    EXPECT_INT(st.bus_dropped, i + 1);
    sio_server_stop(&v);
}

TEST(drops_have_their_words) { /* 4 */
    int k, j;
    EXPECT_STR(wshub_sio_drop_text(WSHUB_SIO_DROP_NONE), "");
    EXPECT_STR(wshub_sio_drop_text(WSHUB_SIO_DROP_COUNT), "");
    for (k = 1; k < WSHUB_SIO_DROP_COUNT; k++) {
        EXPECT(wshub_sio_drop_text((wshub_sio_drop)k)[0] != 0);
        for (j = 1; j < k; j++)
            EXPECT(strcmp(wshub_sio_drop_text((wshub_sio_drop)k),
                          wshub_sio_drop_text((wshub_sio_drop)j)) != 0);
    }
}

TEST(what_does_not_fit_into_the_hub_is_dropped_alone) { /* 4, SEND-6 */
    static sio_server v;
    static char huge[70000];
    wshub_conn c;
    char head[100], bytes[100];
    size_t count, tail;
    sio_server_start(&v, DESC(.conns_max = 0), NULL);
    c = sio_server_joins(&v, "", "", NULL);
    /* an event whose name is longer than names are */
    count = sio_socket_hex("93 a178 82 a474797065 02 a464617461 91 da 1388", head, sizeof head);
    memcpy(huge, head, count);
    memset(huge + count, 'n', 0x1388);
    tail = sio_socket_hex("80", bytes, sizeof bytes);
    memcpy(huge + count + 0x1388, bytes, tail);
    sio_server_hears(&v, "socket.io#/#", huge, count + 0x1388 + tail);
    EXPECT_INT(sio_server_stats(&v).bus_drops[DROP(UNSENDABLE)], 1);
    EXPECT_SILENCE(&v.s.w, c);
    count = sio_socket_hex(CAST("91 a16d"), bytes, sizeof bytes);
    sio_server_hears(&v, "socket.io#/#", bytes, count);
    EXPECT_TEXT(&v.s.w, c, "42[\"m\"]");
    sio_server_stop(&v);
}

/* What a full bus drops is logged, and told when the next call into the hub ends: in the middle of
 * a question to all servers. Whoever is told may shut the server down, which ends that question. */
static wshub_sio *shuts;
static int answered;
static void shuts_at_line(wshub *hub, const wshub_log *line, void *user) {
    wshub_sio *sio = shuts;
    (void)hub, (void)line, (void)user;
    shuts = NULL;
    if (sio) wshub_sio_shutdown(sio);
}
static void answers(wshub_sio *sio, const wshub_sio_answers *all, void *user) {
    (void)sio, (void)user;
    EXPECT(all->error && strcmp(all->error, "server shutting down") == 0);
    answered++;
}

TEST(a_question_may_be_ended_while_it_is_asked) { /* on_log, wshub_sio_shutdown() */
    wshub_packet packet;
    sio_server v;
    memset(&packet, 0, sizeof packet);
    packet.event = S("q");
    answered = 0;
    sio_server_start(&v, DESC(.on_log = shuts_at_line, .bus_queue_bytes_max = 1), NULL);
    (void)sio_server_joins(&v, "", "", NULL);
    v.bus.owner.state(v.bus.owner.ctx, WSHUB_BUS_DOWN);
    wshub_io_fake_run(v.s.w.net);
    shuts = v.sio;
    EXPECT_INT(
        wshub_sio_ask_all(v.sio, wshub_sio_of(v.sio, "/"), NULL, &packet, 1000, answers, NULL),
        WSHUB_OK);
    EXPECT(!shuts);
    EXPECT_INT(answered, 1);
    EXPECT_INT(sio_server_stats(&v).acks_pending, 0);
    wshub_io_fake_advance(v.s.w.net, 2000);
    EXPECT_INT(answered, 1);
    sio_server_stop(&v);
}

/* ---- who is told of a line ends the hub ----
 * A call from outside is one call into the hub, however many it makes: lines are told behind it. */

static wshub *falls;
static void destroys_at_line(wshub *hub, const wshub_log *line, void *user) {
    (void)line, (void)user;
    if (falls != hub) return;
    falls = NULL;
    wshub_destroy(hub);
}
static void any_answer(wshub_sio *sio, const wshub_sio_answers *all, void *user) {
    (void)sio, (void)all, (void)user;
}
static void nobody_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    (void)sio, (void)found, (void)user;
}
enum {
    CALL_DISCONNECT,
    CALL_KICK,
    CALL_CLOSE,
    CALL_SHUTDOWN,
    CALL_DISCONNECT_ALL,
    CALL_JOIN_ALL,
    CALL_EMIT,
    CALL_ASK,
    CALL_ASK_ALL,
    CALL_FETCH,
    CALL_ROOMS,
    CALL_SERVERS,
    CALL_SERVER_ASK,
    CALLS
};
static void call_made(sio_server *v, int call, wshub_client client) {
    wshub_sio_namespace top = wshub_sio_of(v->sio, "/");
    wshub_sio *sio = v->sio;
    wshub_str room = S("room");
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    packet.event = S("q");
    switch (call) {
    case CALL_DISCONNECT: (void)wshub_sio_disconnect(sio, client, true); break;
    case CALL_KICK: (void)wshub_sio_disconnect(sio, client, false); break;
    case CALL_CLOSE:
        (void)wshub_eio_close(wshub_sio_engine(sio), wshub_sio_session_of(sio, client));
        break;
    case CALL_SHUTDOWN: wshub_sio_shutdown(sio); break;
    case CALL_DISCONNECT_ALL: (void)wshub_sio_disconnect_all(sio, top, NULL, false); break;
    case CALL_JOIN_ALL: (void)wshub_sio_join_all(sio, top, NULL, &room, 1); break;
    case CALL_EMIT: (void)wshub_sio_emit(sio, top, NULL, &packet); break;
    case CALL_ASK: (void)wshub_sio_ask(sio, client, &packet, 1000, any_answer, NULL); break;
    case CALL_ASK_ALL:
        (void)wshub_sio_ask_all(sio, top, NULL, &packet, 1000, any_answer, NULL);
        break;
    case CALL_FETCH: (void)wshub_sio_fetch(sio, top, NULL, nobody_found, NULL); break;
    case CALL_ROOMS: (void)wshub_sio_all_rooms(sio, top, nobody_found, NULL); break;
    case CALL_SERVERS: (void)wshub_sio_servers(sio, top, nobody_found, NULL); break;
    default: (void)wshub_sio_server_ask(sio, top, &packet, nobody_found, NULL); break;
    }
}

TEST(the_hub_may_be_destroyed_at_the_lines_of_a_call_from_outside) { /* on_log, SEND-5 */
    wshub_desc hub =
        DESC(.on_log = destroys_at_line, .log_level = WSHUB_LEVEL_DEBUG, .bus_queue_bytes_max = 1);
    int call;
    for (call = 0; call < CALLS; call++) {
        wshub_iter iter = {0, 0};
        wshub_client client;
        wshub_packet packet;
        wshub_realm realm;
        sio_server v;
        memset(&packet, 0, sizeof packet);
        packet.event = S("q");
        sio_server_start(&v, hub, NULL);
        (void)sio_server_joins(&v, "", "", NULL);
        (void)sio_server_joins(&v, "", "", NULL);
        realm = wshub_sio_namespace_realm(v.sio, wshub_sio_of(v.sio, "/"));
        EXPECT(wshub_client_each_in(v.s.w.hub, realm, &iter, &client));

        /* What a full bus has dropped is a line that the next call tells. */
        v.bus.owner.state(v.bus.owner.ctx, WSHUB_BUS_DOWN);
        wshub_io_fake_run(v.s.w.net);
        EXPECT_INT(wshub_sio_server_emit(v.sio, wshub_sio_of(v.sio, "/"), &packet), WSHUB_OK);
        falls = v.s.w.hub;
        call_made(&v, call, client);
        EXPECT(!falls);
        v.s.w.hub = NULL;
        kept_reply(&v.bus, NULL);
        wshub_sio_destroy(v.sio);
        world_stop(&v.s.w);
        kept_forget(&v.bus);
    }
}
