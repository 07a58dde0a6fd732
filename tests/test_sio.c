/* Socket.IO (wshub_dialect_socketio.h): packets, read and written as recorded from Node's parser;
 * namespaces, events, acknowledgements, attachments, rooms and ends over both transports; what is
 * wrong, what is too much, and memory that fails. Numbers are those of the protocol's version 5. */
#include "eio_site.h"
#include "wshub_dialect_socketio.h"

/* ---- the codec, alone ---- */

static const struct {
    const char *text, *wrong; /* NULL: it is read */
    char type;
    const char *space, *id, *json;
    unsigned attachments;
} packets[] = {
    {"0", NULL, '0', "/", NULL, "", 0},
    {"0{\"token\":\"abc\"}", NULL, '0', "/", NULL, "{\"token\":\"abc\"}", 0},
    {"0/admin,", NULL, '0', "/admin", NULL, "", 0},
    {"0/admin", NULL, '0', "/admin", NULL, "", 0},
    {"0/admin?x=1,{}", NULL, '0', "/admin?x=1", NULL, "{}", 0},
    {"0/,", NULL, '0', "/", NULL, "", 0},
    {"1", NULL, '1', "/", NULL, "", 0},
    {"1/admin,", NULL, '1', "/admin", NULL, "", 0},
    {"2[\"foo\"]", NULL, '2', "/", NULL, "[\"foo\"]", 0},
    {"2[5,\"x\"]", NULL, '2', "/", NULL, "[5,\"x\"]", 0},
    {"2/admin,456[\"a\",{}]", NULL, '2', "/admin", "456", "[\"a\",{}]", 0},
    {"2007[\"a\"]", NULL, '2', "/", "7", "[\"a\"]", 0},
    {"212", NULL, '2', "/", "12", "", 0},
    {"2[\"foo\"] ", NULL, '2', "/", NULL, "[\"foo\"]", 0}, /* the blank is none of it */
    {"2/a[\"x\"]", NULL, '2', "/a[\"x\"]", NULL, "", 0},
    {"2[\"a\",{\"_placeholder\":true,\"num\":0}]", NULL, '2', "/", NULL,
     "[\"a\",{\"_placeholder\":true,\"num\":0}]", 0}, /* plain data here */
    {"31[]", NULL, '3', "/", "1", "[]", 0},
    {"31", NULL, '3', "/", "1", "", 0},
    {"3[\"bar\"]", NULL, '3', "/", NULL, "[\"bar\"]", 0},
    {"4{\"message\":\"x\"}", NULL, '4', "/", NULL, "{\"message\":\"x\"}", 0},
    {"4\"oops\"", NULL, '4', "/", NULL, "\"oops\"", 0},
    {"51-[\"baz\",{\"_placeholder\":true,\"num\":0}]", NULL, '2', "/", NULL,
     "[\"baz\",{\"_placeholder\":true,\"num\":0}]", 1},
    {"52-/admin,[\"a\",{\"x\":[{\"num\":1,\"_placeholder\":true,\"z\":1}]}]", NULL, '2', "/admin",
     NULL, "[\"a\",{\"x\":[{\"num\":1,\"_placeholder\":true,\"z\":1}]}]", 2},
    {"51-[\"a\"]", NULL, '2', "/", NULL, "[\"a\"]", 1},
    {"51-[\"a\",{\"_placeholder\":false,\"num\":9}]", NULL, '2', "/", NULL,
     "[\"a\",{\"_placeholder\":false,\"num\":9}]", 1},
    {"510-[\"a\"]", NULL, '2', "/", NULL, "[\"a\"]", 10},
    {"61-15[\"bar\",{\"_placeholder\":true,\"num\":0}]", NULL, '3', "/", "15",
     "[\"bar\",{\"_placeholder\":true,\"num\":0}]", 1},
    /* wrong, also where Node's reader takes it for a number: a blank, a sign, an exponent */
    {"", "unknown packet type", 0, NULL, NULL, NULL, 0},
    {" ", "unknown packet type", 0, NULL, NULL, NULL, 0},
    {"7[\"a\"]", "unknown packet type", 0, NULL, NULL, NULL, 0},
    {"abc", "unknown packet type", 0, NULL, NULL, NULL, 0},
    {"-1", "unknown packet type", 0, NULL, NULL, NULL, 0},
    {"0[]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"0\"x\"", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"1{}", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2{}", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2[]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2[null]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2[{}]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2[\"connect\"]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2[\"disc\\u006fnnect\",1]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2 [\"foo\"]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"21 2[\"foo\"]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2-1[\"foo\"]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"212345678901234567[\"foo\"]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2/a,b,[\"x\"]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"2[\"a\"", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"31{}", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"4[]", "invalid payload", 0, NULL, NULL, NULL, 0},
    {"5[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"50-[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"5-1-[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"5 1-[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"5+1-[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"51e0-[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"50x1-[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"51[\"a\"]", "Illegal attachments", 0, NULL, NULL, NULL, 0},
    {"511-[\"a\"]", "too many attachments", 0, NULL, NULL, NULL, 0},
    {"599999999999-[\"a\"]", "too many attachments", 0, NULL, NULL, NULL, 0},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":1}]", "illegal attachments", 0, NULL, NULL, NULL, 0},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":-1}]", "illegal attachments", 0, NULL, NULL, NULL,
     0},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]", "illegal attachments", 0, NULL, NULL, NULL,
     0},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":0.5}]", "illegal attachments", 0, NULL, NULL, NULL,
     0},
    {"51-[\"a\",{\"_placeholder\":true}]", "illegal attachments", 0, NULL, NULL, NULL, 0},
    {"51-[{\"_placeholder\":true,\"num\":0}]", "invalid payload", 0, NULL, NULL, NULL, 0},
};

TEST(packets_are_read_strictly) { /* 3.1 */
    size_t i, cut;
    for (i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        wshub_sio_packet p;
        wshub_str text = wshub_str_z(packets[i].text), part = text;
        const char *wrong = wshub_sio__read(text, 10, &p);
        EXPECT_STR(wrong, packets[i].wrong);
        for (cut = 0; cut < text.len; cut++) { /* whatever comes of less, nothing is read past it */
            wshub_sio_packet q;
            char *copy = (char *)malloc(cut + 1);
            if (!copy) exit(1);
            memcpy(copy, text.ptr, cut);
            part.ptr = copy;
            part.len = cut;
            (void)wshub_sio__read(part, 10, &q);
            free(copy);
        }
        if (wrong || packets[i].wrong) continue;
        EXPECT_INT(p.type, packets[i].type);
        EXPECT(wshub_str_eq_z(p.space, packets[i].space));
        EXPECT(packets[i].id ? wshub_str_eq_z(p.id, packets[i].id) : !p.id.ptr);
        EXPECT(wshub_str_eq_z(p.json, packets[i].json));
        EXPECT_INT(p.attachments, packets[i].attachments);
    }
}

TEST(bytes_are_put_into_arguments_and_found_there) { /* 3.1 */
    wshub_span spans[2], found;
    char text[200];
    wshub_json_writer w;
    wshub_str json;
    size_t count = 0;
    wshub_json_begin(&w, text, sizeof text);
    wshub_json_put_object(&w, NULL);
    EXPECT_INT(wshub_sio_put_bytes(&w, "a", spans, 2, &count, "x", 1), WSHUB_OK);
    EXPECT_INT(wshub_sio_put_bytes(&w, "b", spans, 2, &count, "yz", 2), WSHUB_OK);
    EXPECT_INT(wshub_sio_put_bytes(&w, "c", spans, 2, &count, "", 0), WSHUB_ERR_LIMIT);
    wshub_json_put_end(&w);
    EXPECT_INT(wshub_json_done(&w, &json), WSHUB_OK);
    EXPECT(wshub_str_eq_z(json, "{\"a\":{\"_placeholder\":true,\"num\":0},"
                                "\"b\":{\"_placeholder\":true,\"num\":1}}"));
    EXPECT(wshub_sio_bytes(spans, count, wshub_json_get(json, "b"), &found) && found.len == 2);
    EXPECT(!wshub_sio_bytes(spans, count, json, &found));
    EXPECT(!wshub_sio_bytes(spans, 1, wshub_json_get(json, "b"), &found));
    EXPECT(!wshub_sio_bytes(spans, count, wshub_str_z("5"), &found));
}

/* ---- a server, its application, its clients ---- */

static eio_site s; /* of which only the world and the words are used */
static wshub_sio *sio;
static wshub_sio_ask_id asked;
static wshub_sio_ack kept;
static wshub_client last;
static char told[600];

static void tell(const char *text) {
    size_t n = strlen(told);
    (void)snprintf(told + n, sizeof told - n, "%s;", text);
}
#define EXPECT_TOLD(want)                                                                          \
    do {                                                                                           \
        EXPECT_STR(told, want);                                                                    \
        told[0] = 0;                                                                               \
    } while (0)

static void on_connected(wshub_sio *of, wshub_client c, void *user) {
    (void)user;
    last = c;
    EXPECT(wshub_client_in_room(wshub_sio_hub(of), c, wshub_client_id(wshub_sio_hub(of), c)));
    tell("in");
}
static void answers(wshub_sio *of, const wshub_sio_answers *a, void *user) {
    char text[200];
    size_t i;
    (void)of;
    (void)user;
    (void)snprintf(text, sizeof text, "%s", a->error ? a->error : "all");
    for (i = 0; i < a->args_count; i++) {
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n, " %.*s", (int)a->args[i].len, a->args[i].ptr);
    }
    for (i = 0; i < a->answers_count; i++) {
        size_t n = strlen(text);
        size_t k;
        (void)snprintf(text + n, sizeof text - n, " %.*s", (int)a->answers[i].args.len,
                       a->answers[i].args.ptr);
        for (k = 0; k < a->answers[i].attachments_count; k++) {
            n = strlen(text);
            (void)snprintf(text + n, sizeof text - n, "+%.*s",
                           (int)a->answers[i].attachments[k].len,
                           (const char *)a->answers[i].attachments[k].ptr);
        }
    }
    tell(text);
}
static void on_event(wshub_sio *of, wshub_client c, const wshub_sio_event *e, void *user) {
    wshub_packet packet;
    (void)user;
    memset(&packet, 0, sizeof packet);
    packet.event = e->name;
    packet.args = e->args;
    packet.args_count = e->args_count;
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    if (wshub_str_eq_z(e->name, "keep")) {
        kept = e->ack;
    } else if (wshub_str_eq_z(e->name, "ask")) {
        (void)wshub_sio_ask(of, c, &packet, 100, answers, NULL);
    } else if (wshub_str_eq_z(e->name, "bye")) {
        EXPECT_INT(wshub_sio_disconnect(of, c, e->args_count > 0), WSHUB_OK);
    } else if (e->ack.id) {
        if (!wshub_sio_answer(of, e->ack, &packet)) /* once */
            EXPECT_INT(wshub_sio_answer(of, e->ack, &packet), WSHUB_ERR_STALE);
    } else {
        (void)wshub_sio_send(of, c, &packet);
    }
}
static void on_disconnecting(wshub_sio *of, wshub_client c, const char *reason, void *user) {
    (void)user;
    EXPECT(wshub_client_id(wshub_sio_hub(of), c).len == 20);
    EXPECT(wshub_sio_namespace_of(of, c).id != 0);
    tell(reason);
}
static void on_disconnected(wshub_sio *of, wshub_client c, const char *reason, void *user) {
    (void)user;
    (void)reason;
    EXPECT_INT(wshub_client_number(wshub_sio_hub(of), c), UINT32_MAX);
    tell("out");
}
static void on_error(wshub_sio *of, wshub_client c, const char *text, void *user) {
    (void)of, (void)c, (void)user;
    tell(text);
}
static void ask_later(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                      void *user) {
    (void)of, (void)user;
    EXPECT(h->http && h->auth.len >= 2);
    asked = ask;
}
static bool no_bad(wshub_sio *of, wshub_client c, const wshub_sio_event *e, void *user) {
    (void)of, (void)c, (void)user;
    return !wshub_str_eq_z(e->name, "bad");
}
static bool numbers(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)user;
    return name.len > 2 && name.ptr[1] == 'n';
}

#define SPACE(...)                                                                                 \
    ((wshub_sio_namespace_desc){.on_connected = on_connected,                                      \
                                .on_event = on_event,                                              \
                                .on_disconnecting = on_disconnecting,                              \
                                .on_disconnected = on_disconnected,                                \
                                .on_error = on_error,                                              \
                                __VA_ARGS__})

static void start(wshub_sio_desc d) {
    wshub_sio_namespace_desc root = SPACE(.name = NULL), mw = SPACE(.name = "/mw"),
                             pkt = SPACE(.name = "/pkt"), many = SPACE(.name = NULL);
    memset(&s, 0, sizeof s);
    told[0] = 0;
    world_start(&s.w, DESC(0), FAKE(0));
    if (!d.engine.ping_interval_ms) d.engine.ping_interval_ms = 60000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    EXPECT_INT(wshub_sio_create(s.w.hub, &d, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_ERR_PARAM); /* is there */
    mw.on_connect = ask_later;
    EXPECT_INT(wshub_sio_namespace_add(sio, &mw, NULL), WSHUB_OK);
    pkt.on_packet = no_bad;
    EXPECT_INT(wshub_sio_namespace_add(sio, &pkt, NULL), WSHUB_OK);
    many.matches = numbers;
    EXPECT_INT(wshub_sio_namespace_add(sio, &many, NULL), WSHUB_OK);
}
static void stop(void) {
    wshub *hub = s.w.hub;
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
}
#define SIO(...) ((wshub_sio_desc){__VA_ARGS__})

/* A WebSocket, its open packet taken. */
static wshub_conn open_socket(void) {
    wshub_io_fake_frame f;
    wshub_conn c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.payload.ptr[0] == '0');
    return c;
}
static void says(wshub_conn c, const char *text) {
    wshub_io_fake_text(s.w.net, c, text);
    wshub_io_fake_run(s.w.net);
}
/* The next frame is that packet, in which `#` is a socket's id. */
static void hears(wshub_conn c, const char *want) {
    wshub_io_fake_frame f;
    char text[400];
    const char *at = strchr(want, '#');
    memset(&f, 0, sizeof f);
    if (!wshub_io_fake_next(s.w.net, c, &f)) f.payload = wshub_str_z("(nothing)");
    if (at && f.payload.len == strlen(want) + 19) {
        (void)snprintf(text, sizeof text, "%.*s#%.*s", (int)(at - want), f.payload.ptr,
                       (int)(f.payload.len - (size_t)(at - want) - 20),
                       f.payload.ptr + (at - want) + 20);
    } else {
        (void)snprintf(text, sizeof text, "%.*s", (int)f.payload.len, f.payload.ptr);
    }
    EXPECT_STR(text, want);
}
static wshub_conn join(const char *space) {
    wshub_conn c = open_socket();
    char text[80];
    (void)snprintf(text, sizeof text, "40%s%s", space, space[0] ? "," : "");
    says(c, text);
    (void)snprintf(text, sizeof text, "40%s%s{\"sid\":\"#\"}", space, space[0] ? "," : "");
    hears(c, text);
    return c;
}
static void expect_end(wshub_conn c) {
    wshub_io_fake_frame f;
    memset(&f, 0, sizeof f);
    while (wshub_io_fake_next(s.w.net, c, &f) && f.opcode != 8) {
    }
    EXPECT_INT(f.opcode, 8);
}

TEST(sockets_connect_to_namespaces_and_leave_them) { /* 3.2, 3.4 */
    wshub_conn c;
    start(SIO(.keep_http = true));
    c = open_socket();
    says(c, "40{\"token\":1}");
    hears(c, "40{\"sid\":\"#\"}");
    EXPECT_TOLD("in;");
    {
        wshub_sio_handshake h;
        EXPECT_INT(wshub_sio_handshake_of(sio, last, &h), WSHUB_OK);
        EXPECT(wshub_str_eq_z(h.auth, "{\"token\":1}") && h.http && !h.xdomain);
    }
    says(c, "40/pkt,");
    hears(c, "40/pkt,{\"sid\":\"#\"}");
    says(c, "40/other,");
    hears(c, "44/other,{\"message\":\"Invalid namespace\"}");
    says(c, "42/pkt,[\"echo\",1]");
    hears(c, "42/pkt,[\"echo\",1]");
    says(c, "42/pkt,[\"bad\",1]"); /* the packet hook */
    says(c, "41/pkt,");
    EXPECT_TOLD("in;client namespace disconnect;out;");
    says(c, "42[\"echo\"]"); /* the other is there still */
    hears(c, "42[\"echo\"]");
    says(c, "42[\"bye\"]");
    hears(c, "41");
    EXPECT_TOLD("server namespace disconnect;out;");
    says(c, "40"); /* and it may come again */
    hears(c, "40{\"sid\":\"#\"}");
    wshub_io_fake_end(s.w.net, c);
    EXPECT_TOLD("in;transport close;out;");
    stop();
}

static const struct {
    const char *first, *then, *told;
} wrong[] = {
    {"42[\"echo\"]", NULL, ""},                          /* before CONNECT */
    {"40", "40", "in;forced close;out;"},                /* twice */
    {"40", "42/pkt,[\"echo\"]", "in;forced close;out;"}, /* not joined */
    {"40", "41/pkt,", "in;forced close;out;"},
    {"40", "44{\"message\":\"x\"}", "in;forced close;out;"},
    {"40", "42[]", "in;invalid payload;forced close;out;"},
    {"40", "4", "in;unknown packet type;forced close;out;"},
    {"40", "451-[\"a\"]", "in;"}, /* waits for its attachment */
};

TEST(packets_that_are_wrong_or_misplaced_cost_their_transport) { /* 3.1, 3.2, PITFALLS e9 */
    size_t i;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        wshub_conn c;
        start(SIO(.connect_timeout_ms = 0));
        c = open_socket();
        says(c, wrong[i].first);
        if (wrong[i].then) says(c, wrong[i].then);
        EXPECT_TOLD(wrong[i].told);
        if (wrong[i].then && strncmp(wrong[i].then, "451", 3) == 0) {
            says(c, "42[\"text in between\"]");
            EXPECT_TOLD("got plaintext data when reconstructing a packet;forced close;out;");
        }
        expect_end(c);
        stop();
    }
    start(SIO(.connect_timeout_ms = 0));
    {
        wshub_conn c = join("");
        wshub_io_fake_send(s.w.net, c, 2, true, "\1", 1);
        EXPECT_TOLD("in;got binary data when not reconstructing a packet;forced close;out;");
    }
    stop();
}

TEST(middlewares_answer_now_or_later_and_nobody_is_let_in_twice) { /* 3.2, PITFALLS e10 */
    wshub_conn c;
    wshub_str none = {NULL, 0};
    start(SIO(.connect_timeout_ms = 0));
    c = open_socket();
    says(c, "40/mw,{\"t\":1}");
    EXPECT_SILENCE(&s.w, c);
    says(c, "40/mw,"); /* it is being asked about */
    EXPECT_INT(wshub_sio_refuse(sio, asked, "no", wshub_str_z("{")), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_sio_refuse(sio, asked, "no", wshub_str_z("{\"code\":7}")), WSHUB_OK);
    EXPECT_INT(wshub_sio_accept(sio, asked, NULL), WSHUB_ERR_STALE);
    wshub_io_fake_run(s.w.net);
    hears(c, "44/mw,{\"message\":\"no\",\"data\":{\"code\":7}}");
    says(c, "40/mw,");
    EXPECT_INT(wshub_sio_accept(sio, asked, NULL), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    hears(c, "40/mw,{\"sid\":\"#\"}");
    EXPECT_INT(wshub_sio_refuse(sio, asked, "late", none), WSHUB_ERR_STALE);
    EXPECT_SILENCE(&s.w, c);
    wshub_io_fake_end(s.w.net, c);
    EXPECT_TOLD("in;transport close;out;");

    c = open_socket(); /* who goes meanwhile is not let in */
    says(c, "40/mw,");
    wshub_io_fake_end(s.w.net, c);
    EXPECT_INT(wshub_sio_accept(sio, asked, NULL), WSHUB_ERR_STALE);
    c = open_socket(); /* an event before that is answered */
    says(c, "40/mw,");
    says(c, "42/mw,[\"echo\"]");
    expect_end(c);
    EXPECT_TOLD("");
    stop();
}

TEST(acknowledgements_go_both_ways_once) { /* 3.3 */
    wshub_conn c;
    start(SIO(.connect_timeout_ms = 0));
    c = join("");
    says(c, "42007[\"echo\",1,\"2\"]");
    hears(c, "437[1,\"2\"]");
    says(c, "42[\"ask\",5]");
    hears(c, "420[\"ask\",5]");
    says(c, "4399[\"unknown\"]");
    says(c, "430[\"r\",2]");
    EXPECT_TOLD("in;all \"r\" 2;");
    says(c, "430[\"again\"]");
    says(c, "42[\"ask\"]");
    hears(c, "421[\"ask\"]");
    wshub_io_fake_advance(s.w.net, 100);
    EXPECT_TOLD("operation has timed out;");
    says(c, "431[\"late\"]");
    EXPECT_TOLD("");
    says(c, "425[\"keep\"]");
    says(c, "42[\"ask\"]");
    wshub_io_fake_end(s.w.net, c);
    EXPECT_TOLD("transport close;socket has been disconnected;out;");
    EXPECT_INT(wshub_sio_answer(sio, kept, NULL), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_answer(sio, (wshub_sio_ack){0}, NULL), WSHUB_OK);
    stop();
}

TEST(what_comes_right_behind_the_connect_is_handed_over) { /* 3.2, PITFALLS e18 */
    wshub_io_fake_frame f;
    wshub_conn c;
    start(SIO(.connect_timeout_ms = 0));
    c = open_socket();
    wshub_io_fake_text(s.w.net, c, "40"); /* both before a turn has ended */
    wshub_io_fake_text(s.w.net, c, "42[\"first\",1]");
    wshub_io_fake_run(s.w.net);
    hears(c, "40{\"sid\":\"#\"}");
    hears(c, "42[\"first\",1]");
    EXPECT(!wshub_io_fake_next(s.w.net, c, &f));
    stop();
}

TEST(what_is_volatile_is_judged_by_what_the_line_has_taken) { /* PITFALLS e13 */
    wshub_io_fake_frame f;
    wshub_conn c;
    wshub_packet packet;
    int i;
    start(SIO(.connect_timeout_ms = 0));
    c = join("");
    memset(&packet, 0, sizeof packet);
    packet.event = S("tick");
    packet.flags = WSHUB_PACKET_VOLATILE;
    wshub_io_fake_window(s.w.net, c, 0); /* the line takes nothing */
    for (i = 0; i < 5; i++) {
        (void)wshub_sio_emit(sio, wshub_sio_of(sio, "/"), NULL, &packet);
        wshub_io_fake_run(s.w.net);
    }
    wshub_io_fake_window(s.w.net, c, UINT64_MAX);
    wshub_io_fake_run(s.w.net);
    hears(c, "42[\"tick\"]"); /* the first had nothing before it */
    EXPECT(!wshub_io_fake_next(s.w.net, c, &f));
    (void)wshub_sio_emit(sio, wshub_sio_of(sio, "/"), NULL, &packet);
    wshub_io_fake_run(s.w.net);
    hears(c, "42[\"tick\"]"); /* it has caught up */
    stop();
}

TEST(attachments_follow_in_order_over_both_transports) { /* 3.1 */
    wshub_io_fake_frame f;
    wshub_conn c, p;
    start(SIO(.connect_timeout_ms = 0));
    c = join("");
    says(c, "452-[\"echo\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]");
    wshub_io_fake_send(s.w.net, c, 2, true, "\1\2", 2);
    wshub_io_fake_send(s.w.net, c, 2, true, "\3", 1);
    wshub_io_fake_run(s.w.net);
    hears(c, "452-[\"echo\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.opcode == 2 && f.payload.len == 2);
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.opcode == 2 && f.payload.ptr[0] == 3);
    EXPECT_INT(wshub_client_send_binary(s.w.hub, last, (const uint8_t *)"xy", 2),
               WSHUB_OK); /* no event of ours */
    wshub_io_fake_run(s.w.net);
    hears(c, "451-[\"message\",{\"_placeholder\":true,\"num\":0}]");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.opcode == 2 && f.payload.len == 2);
    says(c, "451-7[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    says(c, "bAQI="); /* bytes as text */
    hears(c, "461-7[{\"_placeholder\":true,\"num\":0}]");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.payload.len == 2);
    stop();

    start(SIO(.connect_timeout_ms = 0));
    p = eio_open(&s);
    eio_ask(&s, p, "POST", EIO_POLL, "",
            "40\x1E"
            "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1E"
            "bAQI=");
    EXPECT_ANSWER(&s, p, 200, "ok");
    eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
    {
        eio_answer a = eio_look(&s, p);
        EXPECT_INT(a.status, 200);
        EXPECT_HAS(eio_body(&a), "40{\"sid\":\"");
        EXPECT_HAS(eio_body(&a), "\"}\x1E"
                                 "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1E"
                                 "bAQI=");
    }
    stop();
}

TEST(rooms_exceptions_and_all_are_reached_once) { /* PITFALLS e16 */
    wshub_conn c[3];
    wshub_client who[3];
    wshub_str rooms[2], except[1], args[1];
    wshub_packet packet;
    wshub_dest dest;
    wshub_sio_namespace root;
    int i;
    start(SIO(.connect_timeout_ms = 0));
    for (i = 0; i < 3; i++) {
        c[i] = join("");
        who[i] = last;
    }
    root = wshub_sio_of(sio, "/");
    EXPECT_INT(wshub_client_join(s.w.hub, who[0], S("a")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(s.w.hub, who[1], S("a")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(s.w.hub, who[1], S("b")), WSHUB_OK);
    memset(&packet, 0, sizeof packet);
    memset(&dest, 0, sizeof dest);
    args[0] = S("1");
    packet.event = S("m");
    packet.args = args;
    packet.args_count = 1;
    rooms[0] = S("a");
    rooms[1] = S("b");
    except[0] = wshub_client_id(s.w.hub, who[0]);
    dest.kind = WSHUB_DEST_ROOM;
    dest.rooms = rooms;
    dest.rooms_count = 2;
    EXPECT_INT(wshub_sio_emit(sio, root, &dest, &packet), WSHUB_OK);
    dest.except_rooms = except;
    dest.except_rooms_count = 1;
    EXPECT_INT(wshub_sio_emit(sio, root, &dest, &packet), WSHUB_OK);
    EXPECT_INT(wshub_sio_select(sio, root, &dest, NULL, 0), 1);
    EXPECT_INT(wshub_sio_emit(sio, root, NULL, &packet), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT_TEXTS(&s.w, c[0], "42[\"m\",1]", "42[\"m\",1]");
    EXPECT_TEXTS(&s.w, c[1], "42[\"m\",1]", "42[\"m\",1]", "42[\"m\",1]");
    EXPECT_TEXTS(&s.w, c[2], "42[\"m\",1]");

    /* Acknowledgements of many. */
    told[0] = 0;
    EXPECT_INT(wshub_sio_ask_all(sio, root, NULL, &packet, 100, answers, NULL), WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    for (i = 0; i < 3; i++) EXPECT_TEXT(&s.w, c[i], "420[\"m\",1]");
    says(c[0], "430[1]");
    says(c[1], "430[2,3]");
    says(c[1], "430[4]");
    EXPECT_TOLD("");
    wshub_io_fake_end(s.w.net, c[2]); /* who has gone is not waited for */
    EXPECT_TOLD("transport close;all [1] [2,3];out;");
    EXPECT_INT(wshub_sio_ask_all(sio, root, &dest, &packet, 100, answers, NULL), WSHUB_OK);
    wshub_io_fake_advance(s.w.net, 100);
    EXPECT_TOLD("operation has timed out;");
    rooms[0] = rooms[1] = S("nobody");
    EXPECT_INT(wshub_sio_ask_all(sio, root, &dest, &packet, 100, answers, NULL), WSHUB_OK);
    EXPECT_TOLD("all;");

    /* What clients could not read is refused. */
    packet.event = S("disconnect");
    EXPECT_INT(wshub_sio_emit(sio, root, NULL, &packet), WSHUB_ERR_PARAM);
    packet.event = S("m");
    packet.attachments_count = 11;
    EXPECT_INT(wshub_sio_send(sio, who[0], &packet), WSHUB_ERR_PARAM); /* PITFALLS e7 */
    stop();
}

TEST(a_destination_left_open_is_the_same_to_who_selects_who_asks_and_who_sends) { /* SEND-3 */
    static const char *const names[] = {"a", "ID", "", "nobody"};
    static const int reached[] = {2, 1, 3, 0};
    wshub_conn c[3];
    wshub_client who[3], found[3];
    wshub_packet packet;
    wshub_dest dest;
    wshub_io_fake_frame f;
    wshub_sio_namespace root;
    int i, k, told_count;
    start(SIO(.connect_timeout_ms = 0));
    for (i = 0; i < 3; i++) {
        c[i] = join("");
        who[i] = last;
    }
    root = wshub_sio_of(sio, "/");
    EXPECT_INT(wshub_client_join(s.w.hub, who[0], S("a")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(s.w.hub, who[1], S("a")), WSHUB_OK);
    memset(&packet, 0, sizeof packet);
    packet.event = S("m");
    for (k = 0; k < 4; k++) {
        memset(&dest, 0, sizeof dest);
        dest.name = k == 1 ? wshub_client_id(s.w.hub, who[2]) : S(names[k]);
        EXPECT_INT(wshub_sio_select(sio, root, &dest, found, 3), reached[k]);
        told[0] = 0;
        EXPECT_INT(wshub_sio_ask_all_here(sio, root, &dest, &packet, 100, answers, NULL), WSHUB_OK);
        wshub_io_fake_run(s.w.net);
        for (i = told_count = 0; i < 3; i++) {
            while (wshub_io_fake_next(s.w.net, c[i], &f)) {
                char answer[16];
                told_count++;
                (void)snprintf(answer, sizeof answer, "43%c[]", f.payload.ptr[2]);
                says(c[i], answer);
            }
        }
        EXPECT_INT(told_count, reached[k]);
        EXPECT_INT(strncmp(told, "all", 3), 0); /* all who were told were asked, and nobody else */
    }
    stop();
}

TEST(who_is_closed_within_a_run_hears_no_more_of_it_and_the_others_all) { /* SEND-6 */
    static char text[2002];
    wshub_str arg = {text, sizeof text};
    wshub_packet packet;
    wshub_io_fake_frame f;
    wshub_conn slow, other;
    int i, heard = 0;
    start(SIO(.engine = {.session_bytes_max = 70000}));
    slow = join("");
    other = join("");
    memset(text, 'x', sizeof text);
    text[0] = text[sizeof text - 1] = '"';
    memset(&packet, 0, sizeof packet);
    packet.event = S("m");
    packet.args = &arg;
    packet.args_count = 1;
    wshub_io_fake_window(s.w.net, slow, 0);
    wshub_io_fake_hold(s.w.net, true);
    for (i = 0; i < 60; i++)
        EXPECT_INT(wshub_sio_emit_here(sio, wshub_sio_of(sio, "/"), NULL, &packet), WSHUB_OK);
    wshub_io_fake_hold(s.w.net, false);
    wshub_io_fake_run(s.w.net);
    EXPECT_INT(wshub_sio_select(sio, wshub_sio_of(sio, "/"), NULL, NULL, 0), 1);
    while (wshub_io_fake_next(s.w.net, other, &f)) heard++;
    EXPECT_INT(heard, 60);
    stop();
}

TEST(acknowledgements_of_many_bring_their_bytes_up_to_a_limit) { /* 3.3, PITFALLS e8 */
    wshub_conn c[2];
    wshub_packet packet;
    wshub_sio_stats st;
    int i, round;
    start(SIO(.answers_bytes_max = 400));
    for (i = 0; i < 2; i++) c[i] = join("");
    memset(&packet, 0, sizeof packet);
    packet.event = S("m");
    for (round = 0; round < 2; round++) {
        char text[40];
        told[0] = 0;
        EXPECT_INT(
            wshub_sio_ask_all(sio, wshub_sio_of(sio, "/"), NULL, &packet, 100, answers, NULL),
            WSHUB_OK);
        wshub_io_fake_run(s.w.net);
        (void)snprintf(text, sizeof text, "42%d[\"m\"]", round);
        for (i = 0; i < 2; i++) EXPECT_TEXT(&s.w, c[i], text);
        (void)snprintf(text, sizeof text, "43%d[]", round);
        says(c[0], text);
        (void)snprintf(text, sizeof text, "462-%d[[{\"_placeholder\":true,\"num\":1}]]", round);
        says(c[1], text);
        wshub_io_fake_send(s.w.net, c[1], 2, true, "ab", 2);
        if (round) {
            char much[400];
            memset(much, 'x', sizeof much);
            wshub_io_fake_send(s.w.net, c[1], 2, true, much, sizeof much);
            wshub_io_fake_run(s.w.net);
            EXPECT_TOLD("answers are too long [];");
        } else {
            wshub_io_fake_send(s.w.net, c[1], 2, true, "c", 1);
            wshub_io_fake_run(s.w.net);
            EXPECT_TOLD("all [] [[{\"_placeholder\":true,\"num\":1}]]+ab+c;");
        }
    }
    wshub_sio_stats_get(sio, &st);
    EXPECT_INT(st.limits, 1);
    stop();
}

TEST(namespaces_that_a_rule_has_made_go_with_their_last_socket) {
    wshub_conn c;
    start(SIO(.namespaces_max = 2));
    c = join("/n1");
    EXPECT(wshub_sio_of(sio, "/n1").id != 0);
    says(c, "40/n2,");
    hears(c, "40/n2,{\"sid\":\"#\"}");
    says(c, "40/n3,");
    hears(c, "44/n3,{\"message\":\"Invalid namespace\"}");
    says(c, "41/n1,");
    wshub_io_fake_advance(s.w.net, 200);
    EXPECT_INT(wshub_sio_of(sio, "/n1").id, 0);
    says(c, "40/n3,");
    hears(c, "40/n3,{\"sid\":\"#\"}");
    stop();
}

TEST(what_a_peer_can_make_grow_has_a_limit) { /* PITFALLS e8 */
    wshub_conn c;
    wshub_sio_stats st;
    start(SIO(.connect_timeout_ms = 500, .attachments_timeout_ms = 300, .packet_bytes_max = 100,
              .sockets_per_session_max = 2, .acks_per_socket_max = 2));
    c = open_socket();
    wshub_io_fake_advance(s.w.net, 500);
    expect_end(c); /* nobody came in */
    c = join("");
    says(c, "40/pkt,");
    hears(c, "40/pkt,{\"sid\":\"#\"}");
    says(c, "40/n1,");
    hears(c, "44/n1,{\"message\":\"Too many namespaces\"}");
    says(c, "421[\"keep\"]");
    {
        wshub_sio_ack first = kept;
        says(c, "422[\"keep\"]");
        says(c, "423[\"keep\"]");
        EXPECT_INT(wshub_sio_answer(sio, first, NULL), WSHUB_ERR_STALE); /* the oldest */
        EXPECT_INT(wshub_sio_answer(sio, kept, NULL), WSHUB_OK);
        wshub_io_fake_run(s.w.net);
        hears(c, "433[]");
    }
    says(c, "451-[\"a\"]");
    wshub_io_fake_advance(s.w.net, 300);
    expect_end(c);
    c = join("");
    says(c, "452-[\"a\"]");
    {
        char bytes[120];
        memset(bytes, 1, sizeof bytes);
        wshub_io_fake_send(s.w.net, c, 2, true, bytes, sizeof bytes);
    }
    expect_end(c);
    wshub_sio_stats_get(sio, &st);
    EXPECT_INT(st.sockets, 0);
    EXPECT_OP(st.limits, >=, 4);
    stop();
}

TEST(a_server_that_ends_says_nothing_and_all_go) { /* 3.4 */
    wshub_conn c;
    start(SIO(.connect_timeout_ms = 0));
    c = join("");
    told[0] = 0;
    wshub_sio_shutdown(sio);
    wshub_io_fake_run(s.w.net);
    EXPECT_TOLD("server shutting down;out;");
    expect_end(c);
    stop();
    start(SIO(.connect_timeout_ms = 0));
    c = join("");
    told[0] = 0;
    EXPECT_INT(wshub_shutdown(s.w.hub), WSHUB_OK);
    wshub_io_fake_advance(s.w.net, 6000);
    EXPECT_TOLD("server shutting down;out;");
    stop();
}

/* Whatever fails in a session's life, all that was opened ends, and nothing is left. */
TEST(whatever_finds_no_memory_ends_in_order) {
    long n;
    for (n = 1; n < 150; n++) {
        wshub_conn c;
        eio_answer a;
        start(SIO(.connect_timeout_ms = 0));
        s.w.fail_at = n;
        c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, "GET", "EIO=4&transport=websocket", EIO_UPGRADE, NULL);
        a = eio_look(&s, c);
        if (a.status == 101) {
            eio_take(&s, c, &a);
            says(c, "40{\"a\":1}");
            says(c, "40/n1,");
            says(c, "427[\"echo\",{\"x\":[1,2]}]");
            says(c, "42[\"ask\",\"\\u0041\"]");
            says(c, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
            wshub_io_fake_send(s.w.net, c, 2, true, "\1\2", 2);
            says(c, "430[1]");
            wshub_io_fake_end(s.w.net, c);
        }
        s.w.fail_at = 0;
        wshub_io_fake_advance(s.w.net, 1000);
        {
            wshub_sio_stats st;
            wshub_sio_stats_get(sio, &st);
            EXPECT_INT(st.sockets, 0);
            EXPECT_INT(st.acks_pending, 0);
        }
        stop();
    }
}
