/* Whatever goes wrong once in a life with Socket.IO: each allocation of it fails, alone and with all
 * behind it; each send takes less than was asked for, pends or breaks; input is cut at every byte,
 * and ends at every byte. Where nothing is lost by it all is heard as without; else all ends in
 * order, the hub's indexes agree at every step, and nothing is left. */
#include "eio_site.h"
#include "wshub_dialect_socketio.h"

static eio_site s;
static wshub_sio *sio;
static char heard[20000]; /* all that has come, in order, over whatever brings it */
static size_t heard_len, spoken, ends_at;
static bool gone;     /* the client says nothing any more */
static bool recovers; /* sockets that have lost their connection may come back */
static wshub_client last;
static int ins, outs, closings, asked, told;

/* ---- the application ---- */

static void on_answers(wshub_sio *of, const wshub_sio_answers *a, void *user) {
    (void)of, (void)a, (void)user;
    told++;
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)auth, (void)user;
    memset(&who, 0, sizeof who);
    who.user_id = wshub_str_z("ada");
    if (wshub_auth_accept(hub, ask, &who)) (void)wshub_ask_reject(hub, ask);
}
static void on_connect(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *handshake,
                       void *user) {
    wshub_str data = wshub_str_z("{\"why\":[1]}");
    (void)user;
    if (handshake->auth.len > 2)
        (void)wshub_sio_accept(of, ask, NULL);
    else
        (void)wshub_sio_refuse(of, ask, "no \xC3\xA9", data);
}
static void on_connected(wshub_sio *of, wshub_client client, void *user) {
    (void)user;
    ins++;
    last = client;
    (void)wshub_client_join(wshub_sio_hub(of), client, wshub_str_z("all"));
}
static void on_event(wshub_sio *of, wshub_client client, const wshub_sio_event *e, void *user) {
    wshub_str room = wshub_str_z("all");
    wshub_dest dest;
    wshub_packet packet;
    (void)user;
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ROOM;
    dest.name = room;
    memset(&packet, 0, sizeof packet);
    packet.event = e->name;
    packet.args = e->args;
    packet.args_count = e->args_count;
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    (void)wshub_sio_send(of, client, &packet);
    (void)wshub_sio_emit(of, wshub_sio_namespace_of(of, client), &dest, &packet);
    if (!wshub_sio_ask(of, client, &packet, 500, on_answers, NULL)) asked++;
    if (!wshub_sio_ask_all(of, wshub_sio_namespace_of(of, client), &dest, &packet, 300, on_answers,
                           NULL))
        asked++;
    (void)wshub_sio_answer(of, e->ack, &packet);
    if (wshub_str_eq_z(e->name, "bye")) (void)wshub_sio_disconnect(of, client, false);
}
static void on_disconnecting(wshub_sio *of, wshub_client client, const char *reason, void *user) {
    (void)of, (void)client, (void)reason, (void)user;
    closings++;
}
static void on_disconnected(wshub_sio *of, wshub_client client, const char *reason, void *user) {
    (void)of, (void)client, (void)reason, (void)user;
    outs++;
}
static bool any_n(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)user;
    return name.len > 1 && name.ptr[1] == 'n';
}

/* ---- the client ---- */

static void hears(const char *bytes, size_t len) {
    if (heard_len + len + 2 > sizeof heard) return;
    memcpy(heard + heard_len, bytes, len);
    heard_len += len;
    heard[heard_len++] = '\n';
    heard[heard_len] = 0;
}
static void input(wshub_conn c, const void *bytes, size_t count) {
    size_t n = count;
    if (gone) return;
    if (spoken + n > ends_at) n = ends_at - spoken;
    spoken += n;
    if (n) wshub_io_fake_input(s.w.net, c, bytes, n);
    if (n == count) return;
    wshub_io_fake_end(s.w.net, c);
    gone = true;
}
static void request(wshub_conn c, const char *method, bool sid, const char *lines,
                    const char *body) {
    char text[2000];
    int n = snprintf(text, sizeof text,
                     "%s /socket.io/?EIO=4&transport=%s%s%s HTTP/1.1\r\nHost: h\r\n%s", method,
                     lines[0] == 'C' ? "websocket" : "polling", sid ? "&sid=" : "",
                     sid ? s.sid : "", lines);
    if (body)
        n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: %d\r\n",
                      (int)strlen(body));
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n%s", body ? body : "");
    input(c, text, (size_t)n);
}
static void takes(wshub_conn c) { /* an answer, if there is one */
    eio_answer a = eio_look(&s, c);
    if (!a.status) return;
    if (a.body.len > 29 && memcmp(a.body.ptr, "0{\"sid\":\"", 9) == 0)
        memcpy(s.sid, a.body.ptr + 9, 20);
    hears(a.body.ptr, a.body.len);
    eio_take(&s, c, &a);
}
static void polls(wshub_conn c) {
    request(c, "GET", true, "", NULL);
    takes(c);
}
static void posts(wshub_conn c, const char *body) {
    request(c, "POST", true, "", body);
    takes(c);
}
static void frame(wshub_conn c, int opcode, const char *bytes, size_t count) {
    uint8_t text[140];
    if (count > 120) return;
    text[0] = (uint8_t)(0x80 | opcode);
    text[1] = (uint8_t)(0x80 | count);
    memset(text + 2, 0, 4);
    memcpy(text + 6, bytes, count);
    input(c, text, 6 + count);
}
static void says(wshub_conn c, const char *text) {
    frame(c, 1, text, strlen(text));
}
static void listens(wshub_conn c) {
    wshub_io_fake_frame f;
    while (wshub_io_fake_next(s.w.net, c, &f)) hears(f.payload.ptr, f.payload.len);
}

static void begin(wshub_io_fake_desc fd) {
    static const wshub_sio_flow flow = {.auth_timeout_ms = 2000, .ping_interval_ms = 900};
    wshub_sio_namespace_desc d = {.on_connected = on_connected,
                                  .on_event = on_event,
                                  .on_disconnecting = on_disconnecting,
                                  .on_disconnected = on_disconnected};
    wshub_sio_desc server;
    memset(&s, 0, sizeof s);
    memset(&server, 0, sizeof server);
    heard_len = spoken = 0;
    heard[0] = 0;
    gone = false;
    ins = outs = closings = asked = told = 0;
    world_start(&s.w, DESC(.on_authenticate = on_authenticate, .on_join = join_all), fd);
    server.engine.alloc = world_alloc;
    server.engine.alloc_user = &s.w;
    server.engine.ping_interval_ms = 1000;
    server.engine.ping_timeout_ms = 800;
    server.engine.sessions_per_address_max = 3;
    server.recovery_ms = recovers ? 5000 : 0;
    server.recovery_packets_max = 4;
    EXPECT_INT(wshub_sio_create(s.w.hub, &server, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_OK);
    d.name = "/asks";
    d.on_connect = on_connect;
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_OK);
    d.on_connect = NULL;
    d.matches = any_n;
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_OK);
    d.matches = NULL;
    d.name = "/flow";
    d.flow = &flow;
    d.on_event = NULL;
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_OK);
}

/* All that a session can live through, once. */
static void life(void) {
    wshub_about about;
    wshub_conn p, c, u;
    memset(&about, 0, sizeof about);
    about.peer = wshub_str_z("192.0.2.1");
    wshub_io_fake_set_about(s.w.net, &about);
    p = wshub_io_fake_open(s.w.net);
    c = wshub_io_fake_open(s.w.net);
    u = wshub_io_fake_open(s.w.net);
    request(p, "GET", false, "", NULL);
    takes(p);
    if (!s.sid[0]) memset(s.sid, 'A', 20);
    posts(c, "40{\"t\":1}");
    polls(p);
    posts(c, "40/asks,\x1E"
             "40/n1,\x1E"
             "40/none,\x1E"
             "40/flow,{\"user\":\"ada\"}");
    polls(p);
    posts(c, "421[\"\\u0061\",{\"x\":[1]}]\x1E"
             "42/flow,[\"authenticate\"]");
    polls(p);
    request(p, "GET", true, "", NULL); /* held */
    posts(c, "452-/n1,7[\"b\",{\"_placeholder\":true,\"num\":1}]\x1E"
             "bAQID\x1E"
             "b");
    takes(p);
    posts(c, "430[1]\x1E"
             "431[2]\x1E"
             "42/flow,[\"join\",{\"rooms\":[\"x\",\"y\"]}]");
    request(p, "GET", true, "", NULL);
    request(u, "GET", true, EIO_UPGRADE, NULL);
    wshub_io_fake_take(s.w.net, u, wshub_io_fake_output(s.w.net, u).len);
    says(u, "2probe");
    wshub_io_fake_advance(s.w.net, 150);
    takes(p);
    posts(c, "42[\"waits\",1]"); /* what waits goes along */
    says(u, "5");
    says(u, "40/asks,{\"t\":2}");
    says(u, "42/asks,[\"bye\",2]");
    says(u, "451-[\"c\",{\"_placeholder\":true,\"num\":0}]");
    frame(u, 2, "\1\2\3", 3);
    says(u, "41/n1,");
    wshub_io_fake_advance(s.w.net, 1100);
    says(u, "3");
    says(u, "42/flow,[\"to hub\",1,2]");
    says(u, "3/n1,0[]");
    listens(u);
    wshub_io_fake_advance(s.w.net, 400);
    listens(u);
}
/* Where recovery is on, its client loses its connection, and comes back as who it was. */
static void comes_back(void) {
    const char *pid = strstr(heard, "\"pid\":\""), *p, *offset = NULL;
    wshub_iter iter = {0, 0};
    wshub_eio_session session;
    wshub_packet packet;
    wshub_str arg = wshub_str_z("1");
    char text[160];
    wshub_conn u;

    for (p = heard; (p = strstr(p, "\n42[\"")) != NULL; p++) {
        const char *line = strchr(p + 1, '\n');
        if (line && line - p > 12 && line[-2] == '"') offset = line;
    }
    while (wshub_eio_each(wshub_sio_engine(sio), &iter, &session))
        (void)wshub_eio_close_for(wshub_sio_engine(sio), session, WSHUB_EIO_TRANSPORT_CLOSE);
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("missed");
    packet.args = &arg;
    packet.args_count = 1;
    wshub_io_fake_run(s.w.net);
    (void)wshub_sio_emit(sio, wshub_sio_of(sio, "/"), NULL, &packet);
    if (!pid || !offset) return;
    for (p = offset - 2; p > heard && p[-1] != '"'; p--) {
    }
    (void)snprintf(text, sizeof text, "40{\"pid\":\"%.20s\",\"offset\":\"%.*s\"}", pid + 7,
                   (int)(offset - 2 - p), p);
    u = wshub_io_fake_open(s.w.net);
    request(u, "GET", false, EIO_UPGRADE, NULL);
    wshub_io_fake_take(s.w.net, u, wshub_io_fake_output(s.w.net, u).len);
    says(u, text);
    says(u, "427[\"again\"]");
    listens(u);
}
static void end(void) {
    wshub *hub = s.w.hub;
    wshub_eio_stats f;
    wshub_sio_stats st;
    wshub_io_fake_advance(s.w.net, 40000);
    wshub_eio_stats_get(wshub_sio_engine(sio), &f);
    wshub_sio_stats_get(sio, &st);
    EXPECT_INT(f.sessions, 0);
    EXPECT_INT(f.polling, 0);
    EXPECT_INT(st.sockets, 0);
    EXPECT_INT(st.acks_pending, 0);
    EXPECT_INT(wshub_sio_engine(sio)->held, 0);
    EXPECT_INT(wshub_sio_engine(sio)->addresses, 0);
    EXPECT_OP(outs, >=, ins); /* of those that were not told of, too */
    EXPECT_INT(outs, closings);
    EXPECT_INT(told, asked);
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
}

static int failed_at(const char *what, long n, int how) {
    static int said;
    if (said++ < 5) (void)printf("  %s %ld (%d)\n", what, n, how);
    return said;
}

TEST(every_allocation_of_a_life_with_socket_io_may_fail) { /* make oom */
    bool all = getenv("WSHUB_OOM_ALL") != NULL;
    long n = 0, injected = 0;
    int way, ways = all ? IO_KINDS : 1;
    for (way = 0; way < ways; way++) {
        bool more = true;
        for (n = 1; more; n++) {
            int then;
            for (then = 0; then < 2; then++) { /* once; and each for a while */
                int before = test_failures;
                ends_at = SIZE_MAX;
                recovers = n % 2 > 0;
                begin(io_kind(way));
                s.w.fail_at = n;
                if (then) {
                    life();
                    more = s.w.fail_at == 0; /* it has failed */
                    s.w.fail_all = n % 3 == 0;
                    life();
                } else {
                    life();
                }
                if (recovers) comes_back();
                s.w.fail_at = 0;
                s.w.fail_all = false;
                end();
                injected++;
                if (test_failures > before) (void)failed_at("allocation", n, way);
            }
        }
    }
    (void)printf("  %ld lives, %ld allocations the last\n", injected, n);
    EXPECT_OP(injected, >, 300);
}

static char whole[sizeof heard];

TEST(a_life_with_socket_io_has_recovery_in_it) { /* 3.5, for what is made to fail below */
    wshub_sio_stats st;
    ends_at = SIZE_MAX;
    recovers = true;
    begin(io_kind(0));
    life();
    comes_back();
    EXPECT_HAS(heard, "42[\"missed\",1,\"");
    wshub_sio_stats_get(sio, &st);
    EXPECT_INT(st.recovered, 1);
    end();
}

/* The n-th allocation from where a connection is lost fails: what is kept, and who returns. */
TEST(every_allocation_of_a_recovery_may_fail) { /* make oom */
    long n;
    bool more = true;
    ends_at = SIZE_MAX;
    recovers = true;
    for (n = 1; more; n++) {
        begin(io_kind(0));
        life();
        s.w.fail_at = n;
        comes_back();
        more = s.w.fail_at == 0;
        s.w.fail_at = 0;
        end();
    }
    EXPECT_OP(n, >, 10);
}

TEST(every_send_of_a_life_with_socket_io_may_go_wrong) { /* make faults */
    long n, sends;
    int how;
    ends_at = SIZE_MAX;
    recovers = false;
    begin(io_kind(0));
    life();
    memcpy(whole, heard, sizeof whole);
    sends = (long)wshub_io_fake_sends(s.w.net);
    end();
    EXPECT_OP(sends, >, 15);
    EXPECT_HAS(whole, "3probe");
    EXPECT_HAS(whole, "44/asks,{\"message\":\"no \xC3\xA9\",\"data\":{\"why\":[1]}}");
    EXPECT_HAS(whole, "42/flow,[\"authenticated\",");
    for (how = 0; how < WSHUB_IO_FAKE_FAULTS; how++) {
        for (n = 1; n <= sends; n++) {
            begin(io_kind(0));
            wshub_io_fake_fault(s.w.net, (uint64_t)n, (wshub_io_fake_fault_kind)how);
            life();
            if (how != WSHUB_IO_FAKE_BREAKS && strcmp(heard, whole) != 0) {
                if (failed_at("send", n, how) < 3) EXPECT_STR(heard, whole);
                test_failures++;
            }
            end();
        }
    }
}

TEST(input_of_a_life_with_socket_io_may_be_cut_and_end_anywhere) { /* make faults */
    size_t at, all, step = getenv("WSHUB_FAULTS_ALL") ? 1 : 7;
    uint32_t cut;
    ends_at = SIZE_MAX;
    recovers = false;
    begin(io_kind(0));
    life();
    memcpy(whole, heard, sizeof whole);
    all = spoken;
    end();
    for (cut = 1; cut < 24; cut++) {
        begin((wshub_io_fake_desc){.cut_bytes = cut, .take_bytes = 25 - cut});
        life();
        EXPECT_STR(heard, whole);
        end();
    }
    for (at = 0; at < all; at += step) {
        ends_at = at;
        begin(io_kind(0));
        life();
        end();
    }
}
