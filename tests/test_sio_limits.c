/* What strangers can make an engine and a server of Socket.IO hold, at the edge of each limit with
 * its figure; and what their callbacks may do that the two must bear: sessions that are closed, and
 * servers that are shut down, by whoever is asked something. */
#include <time.h>
#include "eio_site.h"
#include "wshub_dialect_socketio.h"

static eio_site s;
static wshub_sio *sio;
static wshub_client last;

static wshub_eio_stats figures(void) {
    wshub_eio_stats f;
    wshub_eio_stats_get(sio ? wshub_sio_engine(sio) : s.eio, &f);
    return f;
}
static void from(const char *address) { /* streams come from there, from now on */
    wshub_about about;
    memset(&about, 0, sizeof about);
    about.peer = wshub_str_z(address);
    wshub_io_fake_set_about(s.w.net, &about);
}
static int asks_to_open(const char *query, const char *lines) {
    wshub_conn c = wshub_io_fake_open(s.w.net);
    eio_answer a;
    eio_ask(&s, c, "GET", query, lines, NULL);
    a = eio_look(&s, c);
    if (a.status == 200) memcpy(s.sid, a.body.ptr + 9, 20);
    return a.status;
}
static int opens(void) {
    return asks_to_open("EIO=4&transport=polling", "");
}

/* ---- how many ---- */

TEST(sessions_of_one_address_are_limited_in_number) { /* issue 15, limits */
    char address[40];
    int i;
    eio_start(&s, EIO(.sessions_per_address_max = 2, .ping_interval_ms = 600000), DESC(0), FAKE(0));
    for (i = 0; i < 100; i++) { /* more addresses than there were buckets */
        (void)snprintf(address, sizeof address, "192.0.2.%d:1000", i);
        from(address);
        EXPECT_INT(opens(), 200);
        EXPECT_INT(opens(), 200);
        EXPECT_INT(opens(), 503);
        EXPECT_INT(asks_to_open("EIO=4&transport=websocket", EIO_UPGRADE), 503);
    }
    EXPECT_INT(figures().crowded, 200);
    EXPECT_INT(figures().refused, 200);
    EXPECT_INT(figures().sessions, 200);
    EXPECT_INT(s.eio->addresses, 100);

    EXPECT_INT(wshub_eio_close_for(s.eio, s.last, WSHUB_EIO_TRANSPORT_ERROR), WSHUB_OK);
    EXPECT_INT(opens(), 200); /* there is room again, one */
    EXPECT_INT(opens(), 503);
    wshub_eio_trust(s.eio, s.last); /* one that is wanted counts no more, said twice too */
    wshub_eio_trust(s.eio, s.last);
    EXPECT_INT(opens(), 200);
    EXPECT_INT(opens(), 503);
    eio_stop(&s);
}

TEST(addresses_count_as_the_hub_counts_them) { /* RATE-3, PROXY-4 */
    eio_start(&s, EIO(.sessions_per_address_max = 1), DESC(.address_prefix_bits = 61), FAKE(0));
    from("[2001:db8:0:8::1]:50");
    EXPECT_INT(opens(), 200);
    from("2001:db8:0:f:ffff::2"); /* the same by 61 bits */
    EXPECT_INT(opens(), 503);
    from("2001:db8:0:10::1");
    EXPECT_INT(opens(), 200);
    from("192.0.2.1"); /* of IPv4 all bits count */
    EXPECT_INT(opens(), 200);
    from("192.0.2.2");
    EXPECT_INT(opens(), 200);
    from("::ffff:192.0.2.1"); /* however it is written */
    EXPECT_INT(opens(), 503);
    from("unix"); /* no address: not counted */
    EXPECT_INT(opens(), 200);
    EXPECT_INT(opens(), 200);
    from("somewhere");
    EXPECT_INT(opens(), 200);
    EXPECT_INT(opens(), 200);
    EXPECT_INT(figures().crowded, 2);
    eio_stop(&s);
}

TEST(addresses_that_find_no_memory_are_refused) {
    long n;
    int refused = 0;
    for (n = 1; n < 30; n++) {
        eio_start(&s, EIO(.sessions_per_address_max = 1), DESC(0), FAKE(0));
        from("192.0.2.1");
        s.w.fail_at = n;
        if (opens() != 200) {
            refused++;
            EXPECT_INT(s.eio->addresses, 0);
            EXPECT_INT(s.eio->held, 0);
        }
        s.w.fail_at = 0;
        eio_stop(&s);
    }
    EXPECT_OP(refused, >, 3);
}

/* A session that polls, is closed and has not heard of it lies there for half a minute: it counts
 * as long, or whoever lets himself be closed has as many as he likes. */
TEST(sessions_that_are_closing_count_still) {
    eio_start(&s, EIO(.sessions_max = 2, .sessions_per_address_max = 2), DESC(0), FAKE(0));
    from("192.0.2.1");
    EXPECT_INT(opens(), 200);
    EXPECT_INT(opens(), 200);
    EXPECT_INT(wshub_eio_close(s.eio, s.last), WSHUB_OK);
    EXPECT_INT(figures().sessions, 1);
    EXPECT_INT(opens(), 503);
    EXPECT_INT(asks_to_open(EIO_POLL, ""), 200); /* 6 and 1: it has heard */
    EXPECT_INT(opens(), 200);
    EXPECT_INT(opens(), 503);
    EXPECT_INT(figures().crowded, 0); /* sessions_max came first */
    eio_stop(&s);
}

/* ---- a server ---- */

static wshub_err (*at_match)(void);
static int matched;
static bool any(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)user;
    matched++;
    if (at_match) (void)at_match();
    return name.len > 1 && name.ptr[1] == 'n';
}
static void connected(wshub_sio *of, wshub_client client, void *user) {
    (void)of, (void)user;
    last = client;
}
static bool leaves_at_packet, packet_closes;
static int events, closed;
static bool on_packet(wshub_sio *of, wshub_client client, const wshub_sio_event *e, void *user) {
    (void)e, (void)user;
    if (leaves_at_packet) EXPECT_INT(wshub_sio_disconnect(of, client, packet_closes), WSHUB_OK);
    return true;
}
static void on_event(wshub_sio *of, wshub_client client, const wshub_sio_event *e, void *user) {
    (void)of, (void)client, (void)e, (void)user;
    events++;
}
static void session_closed(wshub_sio *of, wshub_eio_reason reason, void *user) {
    (void)of, (void)reason, (void)user;
    closed++;
}
static void serve_on(wshub_desc hub, wshub_sio_desc d) {
    wshub_sio_namespace_desc root = {
        .on_connected = connected, .on_packet = on_packet, .on_event = on_event};
    wshub_sio_namespace_desc many = {.matches = any, .on_connected = connected};
    memset(&s, 0, sizeof s);
    matched = events = closed = 0;
    at_match = NULL;
    leaves_at_packet = packet_closes = false;
    world_start(&s.w, hub, FAKE(0));
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    if (!d.engine.ping_interval_ms) d.engine.ping_interval_ms = 600000;
    d.on_session_closed = session_closed;
    EXPECT_INT(wshub_sio_create(s.w.hub, &d, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &many, NULL), WSHUB_OK);
}
static void serve(wshub_sio_desc d) {
    serve_on(DESC(0), d);
}
static void stop(void) {
    wshub *hub = s.w.hub;
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    sio = NULL;
    world_stop(&s.w);
}
static wshub_conn socket_open(void) {
    wshub_conn c = eio_socket(&s, "EIO=4&transport=websocket");
    wshub_io_fake_frame f;
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.payload.ptr[0] == '0');
    return c;
}
static wshub_sio_stats counted(void) {
    wshub_sio_stats st;
    wshub_sio_stats_get(sio, &st);
    return st;
}
/* Says a packet; returns the first character behind the `4` of what is heard, 0: nothing. */
static char says(wshub_conn c, const char *text) {
    wshub_io_fake_frame f;
    wshub_io_fake_text(s.w.net, c, text);
    if (!wshub_io_fake_next(s.w.net, c, &f) || f.opcode == 8 || f.payload.len < 2) return 0;
    return f.payload.ptr[1];
}

TEST(sessions_of_one_address_count_until_they_are_in_a_namespace) { /* issue 15, limits */
    wshub_conn c;
    serve((wshub_sio_desc){.engine = {.sessions_per_address_max = 1}});
    from("192.0.2.1");
    c = socket_open();
    EXPECT_INT(opens(), 503);
    EXPECT_INT(says(c, "40/x,"), '4'); /* refused: it is in none */
    EXPECT_INT(opens(), 503);
    EXPECT_INT(says(c, "40"), '0');
    EXPECT_INT(opens(), 200);
    EXPECT_INT(opens(), 503);
    EXPECT_INT(figures().crowded, 3);
    stop();
}

TEST(a_server_has_a_thousand_strangers_of_one_address_at_most) { /* sessions_per_address_max */
    int i;
    serve((wshub_sio_desc){.connect_timeout_ms = 1000});
    from("192.0.2.1");
    for (i = 0; i < 1000; i++) EXPECT_INT(opens(), 200);
    EXPECT_INT(opens(), 503);
    EXPECT_INT(figures().crowded, 1);
    wshub_io_fake_advance(s.w.net, 31001); /* closed, and given up */
    EXPECT_INT(opens(), 200);
    stop();
}

/* What a rule has made for somebody who is then refused has no socket whose end would end it. */
TEST(namespaces_that_are_made_for_nobody_go) { /* namespaces_max */
    wshub_sio_stats st;
    wshub_conn c;
    char text[32];
    int i;
    serve((wshub_sio_desc){.namespaces_max = 3, .sockets_per_session_max = 1});
    c = socket_open();
    EXPECT_INT(says(c, "40"), '0');
    for (i = 0; i < 10; i++) {
        wshub_io_fake_frame f;
        (void)snprintf(text, sizeof text, "40/n%d,", i);
        wshub_io_fake_text(s.w.net, c, text);
        EXPECT(wshub_io_fake_next(s.w.net, c, &f));
        EXPECT(f.payload.len > 30 && strstr(f.payload.ptr, "Too many namespaces"));
        wshub_io_fake_advance(s.w.net, 1);
    }
    wshub_sio_stats_get(sio, &st);
    EXPECT_INT(st.namespaces, 1);
    EXPECT_INT(st.limits, 10);
    stop();
}

TEST(namespaces_can_be_made_more_often_than_their_handles_count) { /* handles of 16 bits */
    wshub_sio_namespace before;
    wshub_conn c;
    int i;
    serve((wshub_sio_desc){.connect_timeout_ms = 0});
    s.w.unchecked = true;
    c = socket_open();
    EXPECT_INT(says(c, "40"), '0');
    EXPECT_INT(says(c, "40/n,"), '0');
    before = wshub_sio_of(sio, "/n");
    EXPECT(before.id != 0);
    for (i = 0; i < 66000; i++) {
        wshub_io_fake_text(s.w.net, c, "41/n,");
        wshub_io_fake_advance(s.w.net, 0);
        if (i == 0) EXPECT(!wshub_sio_namespace_name(sio, before).ptr);
        if (says(c, "40/n,") != '0') break;
    }
    EXPECT_INT(i, 66000);
    EXPECT(wshub_str_eq_z(wshub_sio_namespace_name(sio, wshub_sio_of(sio, "/n")), "/n"));
    EXPECT(!wshub_sio_namespace_name(sio, (wshub_sio_namespace){0}).ptr);
    EXPECT(!wshub_sio_namespace_name(sio, (wshub_sio_namespace){999}).ptr);
    stop();
}

/* Levels within levels, each an object, are looked at once, and not once for each above them. */
static double seconds_of_levels(int levels) {
    enum { FILL = 400000, TIMES = 5 };
    char *text = (char *)malloc((size_t)levels * 6 + FILL + 100), *p = text;
    wshub_sio_packet packet;
    clock_t began;
    int i;
    if (!text) exit(1);
    p += sprintf(p, "51-[\"e\",");
    for (i = 0; i < levels; i++) p += sprintf(p, "{\"a\":");
    *p++ = '"';
    memset(p, 'x', FILL);
    p += FILL;
    *p++ = '"';
    for (i = 0; i < levels; i++) *p++ = '}';
    *p++ = ']';
    *p = 0;
    began = clock();
    for (i = 0; i < TIMES; i++) EXPECT_STR(wshub_sio__read(wshub_str_z(text), 10, &packet), NULL);
    free(text);
    return (double)(clock() - began) / CLOCKS_PER_SEC;
}

TEST(objects_within_objects_cost_no_more_than_their_length) { /* 3.1, placeholders */
    double flat = seconds_of_levels(1), deep = seconds_of_levels(250);
    EXPECT(deep < 20 * flat + 0.05); /* by levels it would be some hundred times */
}

/* ---- what callbacks may do ---- */

static int answers_until; /* the n-th answer is the one */
static bool shuts;
static wshub_eio_session victim;
static void breaks_off(wshub_eio *eio, wshub_eio_session session, bool first, wshub_headers *more,
                       void *user) {
    (void)more, (void)user;
    EXPECT(!first || !session.id); /* it is none yet */
    if (--answers_until) return;
    if (shuts)
        wshub_eio_shutdown(eio);
    else
        (void)wshub_eio_close(eio, victim.id ? victim : session);
}
static void expect_all_gone(void) {
    wshub_io_fake_advance(s.w.net, 32000);
    EXPECT_INT(figures().sessions, 0);
    EXPECT_INT(figures().polling, 0);
    EXPECT_INT(s.opened, s.closed);
    eio_stop(&s);
}

TEST(a_session_may_be_closed_by_who_is_asked_for_headers_of_an_answer) { /* on_answer */
    int how, n;
    for (how = 0; how < 2; how++) {
        for (n = 1; n < 9; n++) {
            wshub_conn c, p, u;
            memset(&victim, 0, sizeof victim);
            answers_until = 1000;
            shuts = how > 0;
            eio_start(&s, EIO(.on_answer = breaks_off), DESC(0), FAKE(0));
            answers_until = n;
            c = wshub_io_fake_open(s.w.net);
            p = wshub_io_fake_open(s.w.net);
            u = wshub_io_fake_open(s.w.net);
            eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
            if (s.opened) {
                wshub_str sid = wshub_eio_sid(s.eio, s.last);
                if (sid.len) memcpy(s.sid, sid.ptr, sid.len);
                victim = s.last;
            }
            eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
            eio_ask(&s, c, "POST", EIO_POLL, "Content-Type: text/plain\r\n", "4a");
            eio_ask(&s, p, "GET", EIO_POLL, "", NULL);
            eio_ask(&s, u, "GET", "EIO=4&transport=websocket&sid={sid}", EIO_UPGRADE, NULL);
            wshub_io_fake_take(s.w.net, u, SIZE_MAX);
            wshub_io_fake_text(s.w.net, u, "2probe");
            wshub_io_fake_text(s.w.net, u, "5"); /* the poll that is held is answered */
            wshub_io_fake_text(s.w.net, u, "4b");
            (void)asks_to_open("EIO=4&transport=websocket", EIO_UPGRADE);
            (void)opens();
            if (!shuts) wshub_eio_shutdown(s.eio);
            expect_all_gone();
        }
    }
}

/* Ends the hub with the first answer. */
static bool destroys;
static void ends_the_hub(wshub_eio *eio, wshub_eio_session session, bool first, wshub_headers *more,
                         void *user) {
    (void)session, (void)first, (void)more, (void)user;
    if (--answers_until) return;
    if (destroys)
        wshub_destroy(wshub_eio_hub(eio));
    else
        (void)wshub_shutdown(wshub_eio_hub(eio));
}

TEST(the_hub_may_be_ended_by_who_is_asked_for_headers_of_an_answer) { /* on_answer */
    static const char *const asked[] = {"EIO=4&transport=websocket", "EIO=4&transport=polling",
                                        EIO_UP};
    size_t i;
    for (i = 0; i < 6; i++) {
        const char *query = asked[i / 2];
        wshub_conn c;
        destroys = i % 2;
        answers_until = 1000;
        eio_start(&s, EIO(.on_answer = ends_the_hub), DESC(0), FAKE(0));
        if (query == asked[2]) (void)eio_open(&s);
        answers_until = 1;
        c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, "GET", query, query == asked[1] ? "" : EIO_UPGRADE, NULL);
        if (destroys) s.w.hub = NULL;
        if (!destroys) wshub_io_fake_advance(s.w.net, 60000);
        EXPECT_INT(s.opened, s.closed);
        eio_stop(&s);
    }
}

/* Tells the one that is there of each that comes, at more length than what is being answered. */
static void announces(wshub_eio *eio, wshub_eio_session session, bool first, wshub_headers *more,
                      void *user) {
    static char text[4000];
    (void)session, (void)more, (void)user;
    memset(text, 'x', sizeof text);
    if (first && victim.id) EXPECT_INT(wshub_eio_send(eio, victim, text, 4000, true), WSHUB_OK);
}

TEST(who_is_asked_for_headers_of_a_first_answer_may_send) { /* on_answer */
    eio_answer a;
    wshub_conn c;
    memset(&victim, 0, sizeof victim);
    eio_start(&s, EIO(.on_answer = announces), DESC(0), FAKE(0));
    eio_open(&s);
    victim = s.last;
    c = wshub_io_fake_open(s.w.net);
    eio_ask(&s, c, "GET", "EIO=4&transport=polling", "", NULL);
    a = eio_look(&s, c);
    EXPECT_INT(a.status, 200);
    EXPECT(a.body.len > 40 && memcmp(a.body.ptr, "0{\"sid\":\"", 9) == 0);
    eio_stop(&s);
}

static wshub_err shut_all(void) {
    wshub_sio_shutdown(sio);
    return WSHUB_OK;
}

TEST(a_server_may_be_shut_down_by_a_rule_that_is_asked) { /* matches */
    wshub_conn c;
    serve((wshub_sio_desc){.connect_timeout_ms = 0});
    c = socket_open();
    EXPECT_INT(says(c, "40"), '0');
    at_match = shut_all;
    EXPECT_INT(says(c, "40/n,"), 0);
    EXPECT_INT(matched, 1);
    EXPECT_INT(closed, 1);
    wshub_io_fake_advance(s.w.net, 10);
    EXPECT_INT(wshub_sio_of(sio, "/n").id, 0); /* made for nobody */
    stop();
}

static wshub_err opens_it(void) {
    static const wshub_sio_namespace_desc space = {.name = "/n", .on_connected = connected};
    at_match = NULL;
    return wshub_sio_namespace_add(sio, &space, NULL);
}

TEST(a_rule_that_is_asked_may_open_the_namespace_itself) { /* matches */
    wshub_conn c;
    serve((wshub_sio_desc){.connect_timeout_ms = 0});
    c = socket_open();
    at_match = opens_it;
    EXPECT_INT(says(c, "40/n,"), '0');
    EXPECT_INT(counted().namespaces, 2); /* with the first: there is one of a name */
    EXPECT_INT(wshub_sio_namespace_of(sio, last).id, wshub_sio_of(sio, "/n").id);
    stop();
}

/* What is logged in the middle of a call of ours is told when the call into the hub that logged it
 * ends: between two steps of the server's. Whoever is told may end everything. */
static long lines_until;
static bool lines_shut;
static wshub_sio_ask_id asking;
static wshub_eio_session asks_at;
static void on_line(wshub *hub, const wshub_log *line, void *user) {
    (void)hub, (void)line, (void)user;
    if (!sio || !lines_until || --lines_until) return;
    if (lines_shut)
        wshub_sio_shutdown(sio);
    else
        (void)wshub_eio_close(wshub_sio_engine(sio), asks_at);
}
static void asks(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h, void *user) {
    (void)of, (void)h, (void)user;
    asking = ask;
}
static int told_of;
static void told(wshub_sio *of, const wshub_sio_answers *answers, void *user) {
    (void)of, (void)answers, (void)user;
    told_of++;
}

TEST(whoever_is_told_of_a_line_may_end_what_is_under_way) { /* on_log */
    static const wshub_sio_flow flow = {.auth_timeout_ms = 1000, .no_default_rooms = true};
    wshub_identity who;
    wshub_packet packet;
    long n, left = 0;
    int way;
    memset(&who, 0, sizeof who);
    who.user_id = wshub_str_z("ann");
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("q");
    for (way = 0; way < 8; way++) {
        for (n = 1, left = 0; !left; n++) {
            wshub_sio_namespace_desc asked = {
                .name = "/asks", .on_connect = asks, .on_connected = connected};
            int expected = 0, i;
            wshub_conn c;
            if (way & 1) asked.flow = &flow;
            lines_shut = (way & 2) != 0;
            lines_until = 0;
            told_of = 0;
            serve_on(DESC(.on_log = on_line, .log_level = WSHUB_LEVEL_DEBUG, .rooms_max = 2),
                     (wshub_sio_desc){.recovery_ms = 1000});
            EXPECT_INT(wshub_sio_namespace_add(sio, &asked, NULL), WSHUB_OK);
            for (i = 0; i < (way & 4 ? 3 : 1); i++) { /* who is in is in a room; two there may be */
                if (i) EXPECT_INT(wshub_sio_accept(sio, asking, NULL), WSHUB_OK);
                c = socket_open();
                EXPECT_INT(says(c, "40/asks,{}"), 0);
            }
            asks_at =
                ((wshub_sio__pending *)wshub_sio__get(&sio->pending, asking.id))->peer->session;
            lines_until = n;
            (void)wshub_sio_accept(sio, asking, way & 1 ? NULL : &who);
            (void)wshub_sio_emit(sio, wshub_sio_of(sio, "/asks"), NULL, &packet);
            if (!wshub_sio_ask_all(sio, wshub_sio_of(sio, "/asks"), NULL, &packet, 100, told, NULL))
                expected++;
            wshub_io_fake_advance(s.w.net, 2000);
            EXPECT_INT(told_of, expected);
            left = lines_until;
            lines_until = 0;
            stop();
        }
        EXPECT_OP(n, >, way == 5 || way == 7 ? 2 : 1);
    }
}

TEST(who_is_disconnected_by_the_packet_hook_says_nothing_more) { /* 3.4; on_packet */
    int way;
    for (way = 0; way < 2; way++) {
        wshub_conn c;
        serve((wshub_sio_desc){.connect_timeout_ms = 0});
        c = socket_open();
        EXPECT_INT(says(c, "40"), '0');
        EXPECT_INT(says(c, "42[\"a\"]"), 0);
        EXPECT_INT(events, 1);
        leaves_at_packet = true;
        packet_closes = way > 0;
        EXPECT_INT(says(c, "421[\"a\"]"), '1'); /* it is told to go */
        EXPECT_INT(events, 1);
        EXPECT_INT(closed, way);
        stop();
    }
}

/* ---- requests and texts that are nobody's ---- */

TEST(a_session_with_a_websocket_is_not_polled_by_that_name) { /* 2.1 row 4 */
    wshub_io_fake_frame f;
    wshub_conn c, p;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f));
    memcpy(s.sid, f.payload.ptr + 9, 20);
    p = wshub_io_fake_open(s.w.net);
    eio_ask(&s, p, "GET", "EIO=4&transport=websocket&sid={sid}", "", NULL);
    EXPECT_ANSWER(&s, p, 400, "{\"code\":3,\"message\":\"Bad request\"}");
    eio_ask(&s, p, "POST", "EIO=4&transport=websocket&sid={sid}", "Content-Type: text/plain\r\n",
            "4x");
    EXPECT_ANSWER(&s, p, 400, "{\"code\":3,\"message\":\"Bad request\"}");
    wshub_io_fake_text(s.w.net, c, "4y");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && wshub_str_eq_z(f.payload, "4y"));
    eio_stop(&s);
}

TEST(a_text_begins_no_packet_of_its_own) { /* 2.3: U+001E separates what is polled */
    wshub_io_fake_frame f;
    wshub_conn c;
    eio_start(&s, EIO(.path = NULL), DESC(0), FAKE(0));
    (void)eio_open(&s);
    EXPECT_INT(wshub_eio_send(s.eio, s.last,
                              "a\x1E"
                              "1",
                              3, true),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "a\x1E", 2, true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_eio_send(s.eio, s.last, "a\x1E", 2, false), WSHUB_OK); /* bytes are coded */
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f));
    EXPECT_INT(wshub_eio_send(s.eio, s.last,
                              "a\x1E"
                              "1",
                              3, true),
               WSHUB_OK);
    wshub_io_fake_run(s.w.net);
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && wshub_str_eq_z(f.payload, "4a\x1E"
                                                                           "1"));
    eio_stop(&s);
}

/* ---- at the edge of each limit, with its figure ---- */

static bool is_up(void) {
    return figures().sessions == 1;
}
static void filled(char *text, size_t len, const char *front) { /* so many characters in all */
    memset(text, 'x', len);
    memcpy(text, front, strlen(front));
    text[len] = 0;
}

TEST(a_message_may_be_as_long_as_message_bytes_max_says) { /* 2.4, 2.5 */
    static char text[200];
    wshub_io_fake_frame f;
    wshub_conn c, p;
    eio_start(&s, EIO(.message_bytes_max = 100), DESC(0), FAKE(0));
    p = eio_open(&s);
    filled(text, 100, "4");
    eio_ask(&s, p, "POST", EIO_POLL, "Content-Type: text/plain\r\n", text);
    EXPECT_ANSWER(&s, p, 200, "ok");
    filled(text, 101, "4");
    eio_ask(&s, p, "POST", EIO_POLL, "Content-Type: text/plain\r\n", text);
    EXPECT_ANSWER(&s, p, 413, "");
    EXPECT_INT(figures().sessions, 1); /* the session survives */
    eio_stop(&s);
    eio_start(&s, EIO(.message_bytes_max = 100), DESC(0), FAKE(0));
    c = eio_socket(&s, "EIO=4&transport=websocket");
    EXPECT(wshub_io_fake_next(s.w.net, c, &f));
    filled(text, 100, "4");
    wshub_io_fake_text(s.w.net, c, text);
    EXPECT(wshub_io_fake_next(s.w.net, c, &f) && f.payload.len == 100);
    EXPECT_INT(stats(&s.w).protocol_errors, 0);
    filled(text, 101, "4");
    wshub_io_fake_text(s.w.net, c, text);
    EXPECT_CLOSE(&s.w, c, 1009);
    EXPECT_INT(stats(&s.w).protocol_errors, 1);
    EXPECT_STR(s.reasons, "transport error;");
    eio_stop(&s);
}

TEST(clocks_of_a_server_run_out_to_the_millisecond) { /* connect_ and attachments_timeout_ms */
    wshub_conn c;
    serve((wshub_sio_desc){.connect_timeout_ms = 500, .attachments_timeout_ms = 300});
    c = socket_open();
    wshub_io_fake_advance(s.w.net, 499);
    EXPECT(is_up());
    EXPECT_INT(counted().limits, 0);
    wshub_io_fake_advance(s.w.net, 1);
    EXPECT(!is_up());
    EXPECT_INT(counted().limits, 1);
    c = socket_open();
    EXPECT_INT(says(c, "40"), '0');
    EXPECT_INT(says(c, "451-[\"a\"]"), 0);
    wshub_io_fake_advance(s.w.net, 299);
    EXPECT(is_up());
    wshub_io_fake_advance(s.w.net, 1);
    EXPECT(!is_up());
    EXPECT_INT(counted().limits, 2);
    stop();
}

TEST(a_packet_may_be_as_long_as_packet_bytes_max_says) { /* PITFALLS e8 */
    size_t over;
    for (over = 0; over < 2; over++) {
        static char bytes[100];
        wshub_conn c;
        serve((wshub_sio_desc){.packet_bytes_max = 100});
        c = socket_open();
        EXPECT_INT(says(c, "40"), '0');
        EXPECT_INT(says(c, "452-[\"a\"]"), 0); /* eight, and as many as are missing */
        wshub_io_fake_send(s.w.net, c, 2, true, bytes, 50);
        wshub_io_fake_send(s.w.net, c, 2, true, bytes, 42 + over);
        EXPECT_INT(events, 1 - (int)over);
        EXPECT(is_up() == !over);
        EXPECT_INT(counted().limits, over);
        stop();
    }
}

TEST(attachments_are_limited_both_ways) { /* PITFALLS e7; attachments_max */
    wshub_span bytes[4] = {{NULL, 0}};
    wshub_packet packet;
    wshub_conn c;
    serve((wshub_sio_desc){.attachments_max = 3});
    c = socket_open();
    EXPECT_INT(says(c, "40"), '0');
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("m");
    packet.attachments = bytes;
    packet.attachments_count = 3;
    EXPECT_INT(wshub_sio_send(sio, last, &packet), WSHUB_OK);
    EXPECT_INT(counted().refused, 0);
    packet.attachments_count = 4;
    EXPECT_INT(wshub_sio_send(sio, last, &packet), WSHUB_ERR_PARAM);
    EXPECT_INT(counted().refused, 1);
    wshub_io_fake_run(s.w.net);
    wshub_io_fake_take(s.w.net, c, SIZE_MAX);
    EXPECT_INT(says(c, "453-[\"a\"]"), 0);
    EXPECT(is_up());
    wshub_io_fake_send(s.w.net, c, 2, true, "", 0);
    wshub_io_fake_send(s.w.net, c, 2, true, "", 0);
    wshub_io_fake_send(s.w.net, c, 2, true, "", 0);
    EXPECT_INT(events, 1);
    EXPECT_INT(says(c, "454-[\"a\"]"), 0);
    EXPECT(!is_up());
    EXPECT_INT(counted().bad_packets, 1);
    stop();
}

static void no_answer(wshub_sio *of, const wshub_sio_answers *answers, void *user) {
    (void)of, (void)user;
    EXPECT(answers != NULL);
}

TEST(namespaces_and_acknowledgements_are_limited_in_number) { /* issue 15, limits */
    wshub_packet packet;
    wshub_conn c;
    serve((wshub_sio_desc){
        .namespaces_max = 2, .acks_per_socket_max = 2, .sockets_per_session_max = 4});
    c = socket_open();
    EXPECT_INT(says(c, "40/n1,"), '0');
    EXPECT_INT(says(c, "40/n2,"), '0');
    EXPECT_INT(counted().limits, 0);
    EXPECT_INT(says(c, "40/n3,"), '4');
    EXPECT_INT(counted().limits, 1);
    EXPECT_INT(counted().namespaces, 3); /* with the first, which no rule has made */
    EXPECT_INT(says(c, "40"), '0');
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z("q");
    EXPECT_INT(wshub_sio_ask(sio, last, &packet, 0, no_answer, NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_ask(sio, last, &packet, 0, no_answer, NULL), WSHUB_OK);
    EXPECT_INT(counted().limits, 1);
    EXPECT_INT(wshub_sio_ask(sio, last, &packet, 0, no_answer, NULL), WSHUB_ERR_LIMIT);
    EXPECT_INT(counted().limits, 2);
    EXPECT_INT(counted().acks_pending, 2);
    stop();
}
