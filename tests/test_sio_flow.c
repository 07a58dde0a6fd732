/* The flow of wshub_dialect_socketio.h: clients that authenticate after they have connected. What
 * was recorded of the helper of which it is told (tests/socketio/flow.txt, where it is said what we
 * do otherwise) is played over WebSockets, whole and byte by byte, and over polls; then an
 * application for both dialects, limits, ends, and memory that fails. */
#include "eio_site.h"
#include "texts.h"
#include "wshub_dialect_socketio.h"

static eio_site s; /* of which only the world and the words are used */
static wshub_sio *sio;
static wshub_sio_namespace space;
static wshub_client last; /* that has opened last */
static int events, connects, leavers;

/* ---- the application of a transcript ---- */

typedef struct script {
    char auth[80], rooms[80];
    bool connected_fails, no_default_rooms;
} script;
static script app;

static void auth_say(wshub *hub, wshub_ask ask, const char *how) {
    wshub_err err;
    if (strcmp(how, "fail") == 0)
        err = wshub_ask_fail(hub, ask);
    else if (strcmp(how, "no") == 0)
        err = wshub_ask_reject(hub, ask);
    else
        err = wshub_auth_accept(hub, ask, NULL);
    if (err == WSHUB_ERR_NOMEM) err = wshub_ask_fail(hub, ask);
    EXPECT(err == WSHUB_OK || err == WSHUB_ERR_STALE); /* it has gone meanwhile */
}
static wshub_ask asked_auth;
static void auth_due(wshub *hub, void *arg) {
    auth_say(hub, asked_auth, (const char *)arg);
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)user;
    EXPECT_INT(auth->realm.id, wshub_sio_namespace_realm(sio, space).id);
    EXPECT_INT(wshub_client_state(hub, auth->client), WSHUB_CLIENT_AUTHENTICATING);
    if (strncmp(app.auth, "later ", 6) == 0) {
        asked_auth = ask;
        (void)wshub_timer_start(hub, (uint64_t)atoi(app.auth + 6), auth_due,
                                strchr(app.auth + 6, ' ') + 1, NULL);
    } else if (app.auth[0]) {
        auth_say(hub, ask, app.auth);
    } else {
        auth_say(hub, ask, wshub_json_is(wshub_json_get(auth->data, "token"), "ok") ? "yes" : "no");
    }
}
/* Rooms whose names begin with `public` are for everybody. */
static void on_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    wshub_str list[8];
    size_t n = 0, i;
    char *at;
    (void)user;
    EXPECT_INT(join->realm.id, wshub_sio_namespace_realm(sio, space).id);
    if (strcmp(app.rooms, "fail") == 0) {
        EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_OK);
    } else if (strcmp(app.rooms, "reject") == 0) {
        EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_OK);
    } else if (strncmp(app.rooms, "give ", 5) == 0) {
        char words[80];
        (void)snprintf(words, sizeof words, "%s", app.rooms + 5);
        for (at = strtok(words, " "); at; at = strtok(NULL, " ")) list[n++] = wshub_str_z(at);
        EXPECT_INT(wshub_join_accept(hub, ask, list, n), WSHUB_OK);
    } else {
        for (i = 0; i < join->rooms_count && n < 8; i++) {
            if (join->rooms[i].len > 6 && memcmp(join->rooms[i].ptr, "public", 6) == 0)
                list[n++] = join->rooms[i];
        }
        EXPECT_INT(wshub_join_accept(hub, ask, list, n), WSHUB_OK);
    }
}
static void on_opened(wshub *hub, wshub_client client, void *user) {
    (void)user;
    if (wshub_client_realm(hub, client).id != wshub_sio_namespace_realm(sio, space).id) return;
    last = client;
    EXPECT(wshub_client_in_room(hub, client, wshub_client_id(hub, client)));
}
static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    (void)user;
    EXPECT_INT(wshub_client_state(hub, client), WSHUB_CLIENT_AUTHENTICATED);
    connects++;
    return app.connected_fails ? WSHUB_ERR_APP : WSHUB_OK;
}
static void on_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub, (void)gone, (void)user;
    leavers++;
}
static void on_event(wshub_sio *of, wshub_client c, const wshub_sio_event *e, void *user) {
    wshub_packet packet;
    (void)user;
    events++;
    memset(&packet, 0, sizeof packet);
    packet.event = e->name;
    packet.args = e->args;
    packet.args_count = e->args_count;
    (void)wshub_sio_send(of, c, &packet);
}

#define CALLS                                                                                      \
    .on_authenticate = on_authenticate, .on_join = on_join, .on_opened = on_opened,                \
    .on_connected = on_connected, .on_disconnected = on_disconnected
#define FLOW(...) ((wshub_sio_flow){__VA_ARGS__})
#define SPACE(...) ((wshub_sio_namespace_desc){__VA_ARGS__})

static void start(wshub_desc hub, wshub_io_fake_desc fd, wshub_sio_namespace_desc d) {
    wshub_sio_desc server;
    memset(&s, 0, sizeof s);
    memset(&server, 0, sizeof server);
    events = connects = leavers = 0;
    last.id = 0;
    world_start(&s.w, hub, fd);
    server.engine.ping_interval_ms = 60000;
    server.engine.alloc = world_alloc;
    server.engine.alloc_user = &s.w;
    EXPECT_INT(wshub_sio_create(s.w.hub, &server, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, &space), WSHUB_OK);
}
static void stop(void) {
    wshub *hub = s.w.hub;
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
    memset(&app, 0, sizeof app);
}

/* ---- a client, over either transport ---- */

/* Is it this packet? `{sid}` is the socket's id, `{iso}` any time. */
static bool packet_is(eio_peer *p, const char *text, const char *want) {
    static const char time[] = "0000-00-00T00:00:00.000Z";
    while (*want) {
        size_t n = strlen(text), i;
        if (strncmp(want, "{sid}", 5) == 0) {
            if (n < 20) return false;
            if (!p->sid[0]) memcpy(p->sid, text, 20);
            if (memcmp(text, p->sid, 20) != 0) return false;
            text += 20;
            want += 5;
        } else if (strncmp(want, "{iso}", 5) == 0) {
            if (n < sizeof time - 1) return false;
            for (i = 0; i < sizeof time - 1; i++) {
                if (time[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != time[i])
                    return false;
            }
            text += sizeof time - 1;
            want += 5;
        } else if (*text++ != *want++) {
            return false;
        }
    }
    return *text == 0;
}
static void hears(eio_peer *p, const char *want) {
    char text[1000];
    eio_peer_hear(p, text);
    if (packet_is(p, text, want))
        EXPECT(text[0]);
    else
        EXPECT_STR(text, want);
}
static void hears_nothing(eio_peer *p) {
    char text[1000];
    if (p->ended) return;
    eio_peer_hear(p, text);
    EXPECT_STR(text, "");
}
/* Its transport ends; a poll that comes behind that brings a noop. */
static void hears_end(eio_peer *p) {
    char text[1000];
    eio_peer_hear(p, text);
    EXPECT_STR(p->polls && text[0] == '6' ? "1" : text, "1");
    p->ended = true;
}
/* The words of a client, with `{sid}` in them. */
static const char *with_sid(const eio_peer *p, const char *text) {
    static char out[1000];
    const char *at = strstr(text, "{sid}");
    if (!at) return text;
    (void)snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, p->sid, at + 5);
    return out;
}

/* ---- transcripts ---- */

static const char *const states[] = {"?", "unauthorized", "authenticating", "authenticated",
                                     "gone"};

/* A socket's state, and its rooms, in any order. */
static void expect_state(const eio_peer *p, const char *want) {
    char words[600], *at;
    wshub_iter iter = {0, 0};
    wshub_str room;
    int rooms = 0;
    (void)snprintf(words, sizeof words, "%s", with_sid(p, want));
    at = strtok(words, " ");
    EXPECT_STR(states[wshub_client_state(s.w.hub, last)], at);
    EXPECT_INT(leavers, strcmp(want, "gone") == 0);
    if (strncmp(want, "authenticated", 13) == 0) EXPECT_INT(connects, 1);
    if (strncmp(want, "un", 2) == 0) EXPECT_INT(connects, 0);
    for (at = strtok(NULL, " "); at; at = strtok(NULL, " "), rooms++)
        EXPECT(wshub_client_in_room(s.w.hub, last, wshub_str_z(at)));
    while (wshub_client_each_room(s.w.hub, last, &iter, &room)) rooms--;
    EXPECT_INT(rooms, 0);
}

/* What the application does by itself. */
static void act(const eio_peer *p, const char *what) {
    char words[300], *to, *event, *data;
    wshub_str none = {NULL, 0};
    wshub_sio_handshake h;
    (void)snprintf(words, sizeof words, "%s", with_sid(p, what));
    if (strncmp(words, "send ", 5) == 0) {
        to = strtok(words + 5, " ");
        event = strtok(NULL, " ");
        data = strtok(NULL, "");
        EXPECT_INT(wshub_sio_flow_send(sio, space, wshub_str_z(strcmp(to, "-") ? to : ""),
                                       wshub_str_z(strcmp(event, "-") ? event : ""),
                                       data ? wshub_str_z(data) : none),
                   WSHUB_OK);
    } else if (strcmp(words, "refused disconnect") == 0) {
        EXPECT_INT(
            wshub_sio_flow_send(sio, space, none, wshub_str_z("disconnect"), wshub_str_z("1")),
            WSHUB_ERR_PARAM);
    } else if (strcmp(words, "handshake") == 0) {
        EXPECT_INT(wshub_sio_handshake_of(sio, last, &h), WSHUB_OK);
        EXPECT(wshub_str_eq_z(h.auth, "{\"token\":\"z\"}") && !h.xdomain);
    } else if (strcmp(words, "shutdown") == 0) {
        wshub_sio_shutdown(sio);
        wshub_sio_shutdown(sio); /* a second time is none */
        EXPECT_INT(wshub_sio_flow_send(sio, space, none, wshub_str_z("late"), wshub_str_z("1")),
                   WSHUB_OK);
    } else if (strcmp(words, "end") == 0) {
        wshub_io_fake_end(s.w.net, p->c);
    } else {
        EXPECT_STR(words, "something to do");
    }
    wshub_io_fake_run(s.w.net);
}

/* What a transcript says of its application. */
static void setting(const char *words) {
    if (strncmp(words, "auth ", 5) == 0)
        (void)snprintf(app.auth, sizeof app.auth, "%s", words + 5);
    else if (strncmp(words, "rooms ", 6) == 0)
        (void)snprintf(app.rooms, sizeof app.rooms, "%s", words + 6);
    else if (strcmp(words, "connected fails") == 0)
        app.connected_fails = true;
    else if (strcmp(words, "default none") == 0)
        app.no_default_rooms = true;
    else
        EXPECT_STR(words, "a setting");
}

enum { WHOLE, CUT, POLLED, WAYS };

static void play(char *lines, int way) {
    wshub_desc hub = DESC(CALLS);
    wshub_sio_flow flow = FLOW(.auth_timeout_ms = 300, .ping_interval_ms = 250);
    char *line, *next, *rest, said[1000] = "";
    long t = 3, at;
    eio_peer p;
    memset(&app, 0, sizeof app);
    for (line = lines; line && line[0] == '&'; line = strchr(line, '\n') + 1) {
        char words[80];
        (void)snprintf(words, sizeof words, "%.*s", (int)strcspn(line, "\n") - 2, line + 2);
        setting(words);
    }
    if (strcmp(app.rooms, "unasked") == 0) hub.on_join = NULL;
    flow.no_default_rooms = app.no_default_rooms;
    start(hub, FAKE(.cut_bytes = way == CUT), SPACE(.on_event = on_event, .flow = &flow));
    eio_peer_open(&s, &p, way == POLLED);

    for (; line && *line && *line != '='; line = next) {
        size_t len = strcspn(line, "\n");
        next = line[len] ? line + len + 1 : NULL;
        line[len] = 0;
        at = strtol(line, &rest, 10);
        EXPECT(at >= t && rest[0] == ' ');
        if (at > t) wshub_io_fake_advance(s.w.net, (uint64_t)(at - t));
        t = at;
        if (rest[1] == '>') {
            /* What was written at once is one payload, where it is polled. */
            (void)snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s",
                           said[0] ? "\x1e" : "", with_sid(&p, rest + 3));
            if (!p.polls || !next || strtol(next, &rest, 10) != at || rest[1] != '>') {
                eio_peer_say(&p, said);
                said[0] = 0;
            }
        } else if (rest[1] == '<') {
            hears(&p, rest + 3);
        } else if (rest[1] == '=') {
            expect_state(&p, rest + 3);
        } else if (rest[1] == '!') {
            act(&p, rest + 3);
            if (strcmp(rest + 3, "end") == 0) p.ended = true;
        } else if (rest[1] == 'x') {
            hears_end(&p);
        } else {
            EXPECT_STR(rest, " .");
            hears_nothing(&p);
        }
        if (next) next[-1] = '\n';
    }
    EXPECT_INT(events, 0); /* of strangers none is handed over, and nobody else says any */
    stop();
}

TEST(what_was_recorded_of_the_helper_is_played_over_every_transport) { /* 10; AUTH-1 to AUTH-4 */
    int way, played = 0;
    for (way = 0; way < WAYS; way++) {
        char *text = text_of("tests/socketio/flow.txt"), *at = text;
        while (at && (at = strstr(at, "\n== ")) != NULL) {
            int before = test_failures;
            char name[80];
            at += 4;
            (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
            at = strchr(at, '\n') + 1;
            /* Over polls an end of the stream is no end of the session. */
            if (way == POLLED && strcmp(name, "auth-slow-client-gone") == 0) continue;
            play(at, way);
            if (test_failures != before) (void)printf("  in %s, way %d\n", name, way);
            played++;
            at--;
        }
        free(text);
    }
    EXPECT_INT(played, 3 * 62 - 1);
}

/* ---- one application, two dialects ---- */

/* Comes in, over a WebSocket unless it polls. */
static void enter(eio_peer *p, bool polls, const char *connect) {
    eio_peer_open(&s, p, polls);
    eio_peer_say(p, connect);
    hears(p, "40{\"sid\":\"{sid}\"}");
}
static void hears_accepted(eio_peer *p) {
    hears(p, "42[\"ping\",{\"time\":\"{iso}\"}]");
    hears(p, "42[\"authenticated\",{\"id\":\"{sid}\",\"time\":\"{iso}\"}]");
}
static void enter_whole(eio_peer *p, bool polls, const char *connect) {
    enter(p, polls, connect);
    eio_peer_say(p, "42[\"authenticate\"]");
    hears_accepted(p);
}

/* `sum` is answered, `say` goes to a room. */
static wshub_err once_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    wshub_msg m;
    wshub_dest room;
    (void)user;
    memset(&m, 0, sizeof m);
    m.event = e->event;
    m.data = e->data;
    if (e->id.ptr) return wshub_client_reply(hub, client, e->id, &m);
    memset(&room, 0, sizeof room);
    room.kind = WSHUB_DEST_ROOM;
    room.name = wshub_str_z("lobby");
    room.realm = wshub_client_realm(hub, client);
    return wshub_send_here(hub, &room, &m);
}

TEST(an_application_is_written_once_for_both_dialects) { /* AUTH-3, ROOM-2, MSG-7, SEND-7 */
    int polls;
    for (polls = 0; polls < 2; polls++) {
        wshub_sio_flow flow = FLOW(.auth_timeout_ms = 0);
        wshub_conn json;
        eio_peer p;
        start(DESC(.on_authenticate = accept_all, .on_join = join_all, .on_message = once_message,
                   .on_opened = on_opened),
              FAKE(0), SPACE(.flow = &flow));
        json = world_client(&s.w, "ada", NULL);
        wshub_io_fake_text(s.w.net, json, "{\"event\":\"join\",\"data\":{\"rooms\":[\"lobby\"]}}");
        wshub_io_fake_text(s.w.net, json, "{\"event\":\"sum\",\"data\":5,\"id\":7}");
        wshub_io_fake_text(s.w.net, json, "{\"event\":\"say\",\"data\":{\"a\":1}}");
        EXPECT_TEXT(&s.w, json, "{\"event\":\"sum\",\"data\":5,\"id\":7}");
        EXPECT_TEXT(&s.w, json, "{\"event\":\"say\",\"data\":{\"a\":1}}");

        enter_whole(&p, polls != 0, "40{\"user\":\"ada\"}");
        eio_peer_say(&p, "42[\"join\",{\"rooms\":[\"lobby\"]}]");
        eio_peer_say(&p, "427[\"sum\",5]");
        eio_peer_say(&p, "42[\"say\",{\"a\":1}]");
        hears(&p, "437[5]");
        hears(&p, "42[\"say\",{\"a\":1}]");
        EXPECT(wshub_str_eq_z(wshub_client_user_id(s.w.hub, last), "ada"));
        EXPECT_SILENCE(&s.w, json); /* another realm */
        stop();
    }
}

/* ---- who comes in ---- */

static wshub_identity known_as;
static bool is_known;
static wshub_err accept_err;
static void let_in(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h, void *user) {
    (void)h, (void)user;
    accept_err = wshub_sio_accept(of, ask, is_known ? &known_as : NULL);
}

TEST(who_is_known_when_it_connects_is_accepted_at_once) { /* AUTH-7, AUTH-8 */
    wshub_sio_flow flow = FLOW(.ping_interval_ms = WSHUB_OFF);
    wshub_realm realm;
    eio_peer p;
    start(DESC(CALLS), FAKE(0), SPACE(.on_event = on_event, .flow = &flow, .on_connect = let_in));
    realm = wshub_sio_namespace_realm(sio, space);
    memset(&known_as, 0, sizeof known_as);
    known_as.user_id = wshub_str_z("ada");
    is_known = true;
    enter(&p, false, "40");
    EXPECT_INT(accept_err, WSHUB_OK);
    hears_accepted(&p);
    EXPECT_INT(wshub_user_count_in(s.w.hub, realm, wshub_str_z("ada")), 1);
    EXPECT_INT(connects, 1);
    eio_peer_say(&p, "42[\"authenticate\"]"); /* it is */
    eio_peer_say(&p, "42[\"e\",1]");
    hears(&p, "42[\"e\",1]");
    wshub_io_fake_advance(s.w.net, 59000); /* no further ping of the application's */
    hears_nothing(&p);

    known_as.metadata = wshub_str_z("{");
    enter(&p, false, "40");
    EXPECT_INT(accept_err, WSHUB_ERR_JSON);
    hears(&p, "41");
    hears_end(&p);

    is_known = false;
    enter(&p, false, "40{\"token\":\"ok\"}");
    EXPECT_INT(wshub_client_state(s.w.hub, last), WSHUB_CLIENT_UNAUTHORIZED);
    eio_peer_say(&p, "42[\"authenticate\"]");
    hears_accepted(&p);
    stop();
}

TEST(a_flow_has_the_helpers_defaults_and_pings_by_its_clock) { /* 10.1 */
    wshub_sio_flow flow = FLOW(.linger = false);
    eio_peer p, stranger;
    start(DESC(CALLS), FAKE(0), SPACE(.on_event = on_event, .flow = &flow));
    enter(&stranger, false, "40");
    enter_whole(&p, false, "40{\"token\":\"ok\"}");
    expect_state(&p, "authenticated {sid} io-default io-notification");
    wshub_io_fake_advance(s.w.net, 9999);
    hears_nothing(&stranger);
    wshub_io_fake_advance(s.w.net, 1); /* auth_timeout_ms: 10000, whatever the hub's is */
    hears(&stranger, "41");
    hears_end(&stranger);
    wshub_io_fake_advance(s.w.net, 19999);
    hears_nothing(&p);
    wshub_io_fake_advance(s.w.net, 1); /* ping_interval_ms: 30000 */
    hears(&p, "42[\"ping\",{\"time\":\"2026-01-31T09:30:30.000Z\"}]");
    stop();
}

TEST(events_of_strangers_are_dropped_or_handed_over_and_are_not_too_many) { /* 10.3, MSG-6 */
    int open, polls;
    for (open = 0; open < 2; open++) {
        for (polls = 0; polls < 2; polls++) {
            wshub_sio_flow flow = FLOW(.open = open != 0);
            eio_peer p;
            start(DESC(CALLS, .preauth_messages_max = 4), FAKE(0),
                  SPACE(.on_event = on_event, .flow = &flow));
            enter(&p, polls != 0, "40{\"token\":\"ok\"}");
            eio_peer_say(&p, "42[\"e\",1]");
            if (open) hears(&p, "42[\"e\",1]");
            eio_peer_say(
                &p, "42[\"join\",{\"rooms\":[\"public\"]}]"); /* the flow's own, and too early */
            eio_peer_say(&p, "42[\"leave\",{\"rooms\":[\"{sid}\"]}]");
            hears_nothing(&p);
            expect_state(&p, "unauthorized {sid}");
            eio_peer_say(&p, "42[\"e\",2]");
            if (open) hears(&p, "42[\"e\",2]");
            EXPECT_INT(leavers, 0);
            if (polls) {
                eio_ask(&s, p.post, "POST", EIO_POLL, "", "42[\"e\",3]");
            } else {
                eio_peer_say(&p, "42[\"e\",3]");
                EXPECT_CLOSE(&s.w, p.c, 1008);
            }
            wshub_io_fake_run(s.w.net);
            EXPECT_INT(leavers, 1);
            EXPECT_INT(events, open ? 2 : 0);
            stop();
        }
    }
}

static bool is_numbered(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)user;
    return name.len == 3 && name.ptr[1] == 'n';
}

TEST(a_rule_makes_namespaces_with_a_flow) { /* 10, 3.2 */
    static const char *const rooms[] = {"lobby"};
    wshub_sio_flow flow = FLOW(.default_rooms = rooms, .default_rooms_count = 1),
                   bad = FLOW(.default_rooms = rooms + 1, .default_rooms_count = SIZE_MAX);
    wshub_sio_namespace_desc d = SPACE(.on_event = on_event, .matches = is_numbered, .flow = &flow);
    wshub_realm realm;
    eio_peer p;
    start(DESC(.on_authenticate = accept_all, .on_opened = on_opened), FAKE(0), SPACE(.name = "/"));
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_OK);
    memset(&flow, 0xFF, sizeof flow); /* it was copied */
    d = SPACE(.name = "/bad", .flow = &bad);
    EXPECT_INT(wshub_sio_namespace_add(sio, &d, NULL), WSHUB_ERR_PARAM);
    eio_peer_open(&s, &p, false);
    eio_peer_say(&p, "40/n1,");
    hears(&p, "40/n1,{\"sid\":\"{sid}\"}");
    eio_peer_say(&p, "42/n1,[\"authenticate\"]");
    hears(&p, "42/n1,[\"ping\",{\"time\":\"{iso}\"}]");
    hears(&p, "42/n1,[\"authenticated\",{\"id\":\"{sid}\",\"time\":\"{iso}\"}]");
    realm = wshub_sio_namespace_realm(sio, wshub_sio_of(sio, "/n1"));
    EXPECT_INT(wshub_client_find_in(s.w.hub, realm, wshub_str_z(p.sid), &last), WSHUB_OK);
    EXPECT(wshub_client_in_room(s.w.hub, last, wshub_str_z("lobby")));
    stop();
}

/* ---- keys ---- */

static char long_key[301];
static void give_keys(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)user;
    EXPECT(wshub_str_eq_z(wshub_json_get(h->data, "token"), "\"ok\""));
    EXPECT_INT(wshub_handshake_accept(hub, ask, wshub_str_z(long_key), wshub_str_z("SALT")),
               WSHUB_OK);
}
static void give_keys_or_not(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)h, (void)user;
    if (wshub_handshake_accept(hub, ask, wshub_str_z(long_key), wshub_str_z("SALT")))
        EXPECT_INT(wshub_ask_fail(hub, ask), WSHUB_OK);
}
static void give_no_keys(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    (void)h, (void)user;
    EXPECT_INT(wshub_ask_reject(hub, ask), WSHUB_OK);
}

TEST(keys_are_agreed_with_what_came_with_connect) { /* AUTH-5, AUTH-6 */
    wshub_sio_flow flow = FLOW(.linger = false);
    int how;
    for (how = 0; how < 4; how++) {
        wshub_desc d = DESC(CALLS, .require_encryption = true);
        char want[500];
        eio_peer p;
        memset(long_key, 'k', how ? 300 : 3);
        long_key[how ? 300 : 3] = 0;
        d.on_handshake = how < 2 ? give_keys : how == 2 ? give_no_keys : NULL;
        start(d, FAKE(0), SPACE(.on_event = on_event, .flow = &flow));
        enter(&p, false, "40{\"token\":\"ok\"}");
        eio_peer_say(&p, "42[\"authenticate\"]");
        if (how < 2) {
            hears(&p, "42[\"ping\",{\"time\":\"{iso}\"}]");
            (void)snprintf(want, sizeof want,
                           "42[\"authenticated\",{\"id\":\"{sid}\",\"time\":\"{iso}\","
                           "\"serverPublicKey\":\"%s\",\"salt\":\"SALT\"}]",
                           long_key);
            hears(&p, want);
        } else {
            (void)snprintf(want, sizeof want,
                           "42[\"unauthenticated\",{\"message\":\"%s\",\"time\":\"{iso}\"}]",
                           how == 2 ? "Encryption handshake failed" : "Encryption required");
            hears(&p, want);
            hears(&p, "41");
            hears_end(&p);
        }
        stop();
    }
}

/* What is secret is an event and its data, as they would be said in clear. */
static bool reveals_later;
static wshub_ask secret;
static void reveal(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *e,
                   void *user) {
    wshub_msg m;
    char name[20];
    size_t len;
    (void)client, (void)user;
    EXPECT(wshub_str_eq_z(e->event, "secret"));
    secret = ask;
    if (reveals_later) return;
    memset(&m, 0, sizeof m);
    EXPECT_INT(wshub_json_copy(wshub_json_get(e->data, "event"), name, sizeof name, &len),
               WSHUB_OK);
    m.event.ptr = name;
    m.event.len = len;
    m.data = wshub_json_get(e->data, "data");
    EXPECT_INT(wshub_transform_accept(hub, ask, &m), WSHUB_OK);
}

TEST(what_an_encrypted_client_says_to_the_hubs_callbacks_is_transformed) { /* ENC-1, SEND-7 */
    int polls;
    for (polls = 0; polls < 2; polls++) {
        wshub_sio_flow flow = FLOW(.linger = false);
        uint64_t ignored;
        char text[1000];
        eio_peer p;
        (void)snprintf(long_key, sizeof long_key, "k");
        reveals_later = false;
        start(DESC(.on_authenticate = accept_all, .on_join = join_all, .on_opened = on_opened,
                   .on_handshake = give_keys_or_not, .require_encryption = true,
                   .on_transform_in = reveal, .on_message = once_message),
              FAKE(0), SPACE(.flow = &flow));
        enter(&p, polls != 0, "40");
        eio_peer_say(&p, "42[\"authenticate\"]");
        hears(&p, "42[\"ping\",{\"time\":\"{iso}\"}]");
        eio_peer_hear(&p, text);
        eio_peer_say(&p, "42[\"secret\",{\"event\":\"join\",\"data\":{\"rooms\":[\"lobby\"]}}]");
        EXPECT(wshub_client_in_room(s.w.hub, last, wshub_str_z("lobby")));
        eio_peer_say(&p, "42[\"secret\",{\"event\":\"authenticate\"}]"); /* it has */
        eio_peer_say(&p, "427[\"secret\",{\"event\":\"sum\",\"data\":5}]");
        hears(&p, "437[5]");
        eio_peer_say(&p, "42[\"secret\",{\"event\":\"leave\",\"data\":{\"rooms\":[\"lobby\"]}}]");
        EXPECT(!wshub_client_in_room(s.w.hub, last, wshub_str_z("lobby")));
        hears_nothing(&p);

        /* While the transformer has one a WebSocket is not read, and what is polled is dropped. */
        reveals_later = true;
        ignored = stats(&s.w).msg_ignored;
        eio_peer_say(&p, "421[\"secret\",1]");
        eio_peer_say(&p, "422[\"secret\",2]");
        EXPECT_INT(stats(&s.w).msg_ignored - ignored, polls);
        EXPECT_INT(wshub_transform_accept(s.w.hub, secret, NULL), WSHUB_OK);
        hears(&p, "431[1]");
        if (!polls) EXPECT_INT(wshub_transform_accept(s.w.hub, secret, NULL), WSHUB_OK);
        if (!polls) hears(&p, "432[2]");
        hears_nothing(&p);
        stop();
    }
}

/* ---- rooms ---- */

TEST(rooms_that_may_not_be_asked_for_are_taken_out) { /* ROOM-1, ROOM-6 */
    wshub_sio_flow flow = FLOW(.no_default_rooms = true);
    char text[1000], name[300];
    eio_peer p, other;
    start(DESC(.on_authenticate = accept_all, .on_join = join_all, .on_opened = on_opened,
               .rooms_per_message_max = 5),
          FAKE(0), SPACE(.on_event = on_event, .flow = &flow));
    enter_whole(&other, false, "40");
    enter_whole(&p, false, "40");
    memset(name, 'x', 257);
    name[257] = 0;
    (void)snprintf(text, sizeof text,
                   "42[\"join\",{\"rooms\":[\"\",\"ws:x\",\"%s\",\"%s\",\"%s\"]}]", other.sid, name,
                   name + 1);
    eio_peer_say(&p, text);
    EXPECT(wshub_client_in_room(s.w.hub, last, wshub_str_z(name + 1)));
    (void)snprintf(text, sizeof text, "authenticated {sid} %s", name + 1);
    connects = 1; /* nobody has counted */
    expect_state(&p, text);
    EXPECT_OP(stats(&s.w).joins_refused, >=, 4);
    eio_peer_say(&p, "42[\"join\",{\"rooms\":[\"\"]}]"); /* nothing is left to ask about */
    eio_peer_say(&p, "42[\"join\",{\"rooms\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]}]");
    EXPECT(wshub_client_in_room(s.w.hub, last, wshub_str_z("5")));
    EXPECT(!wshub_client_in_room(s.w.hub, last, wshub_str_z("6")));
    eio_peer_say(&p, "42[\"leave\",{\"rooms\":[\"\\u0031\",\"nowhere\",\"\"]}]");
    EXPECT(!wshub_client_in_room(s.w.hub, last, wshub_str_z("1")));
    hears_nothing(&p);
    stop();
}

/* ---- what is sent ---- */

TEST(the_helpers_send_leaves_out_what_is_nothing) { /* 10.2, 10.3 */
    static const struct {
        const char *data;
        bool sent;
    } datas[] = {{"0", false},    {"-0", false},    {"0.00E5", false}, {"\"\"", false},
                 {"null", false}, {"false", false}, {"true", true},    {"[]", true},
                 {"{}", true},    {"\"0\"", true},  {"0.01", true},    {"1e0", true}};
    wshub_sio_flow flow = FLOW(.linger = false);
    wshub_str none = {NULL, 0}, e = {"e", 1};
    wshub_sio_namespace nowhere = {0};
    size_t i;
    eio_peer p, stranger;
    start(DESC(CALLS), FAKE(0), SPACE(.on_event = on_event, .flow = &flow));
    enter_whole(&p, true, "40{\"token\":\"ok\"}");
    enter(&stranger, false, "40");
    for (i = 0; i < sizeof datas / sizeof datas[0]; i++) {
        char want[40];
        EXPECT_INT(wshub_sio_flow_send(sio, space, none, e, wshub_str_z(datas[i].data)), WSHUB_OK);
        (void)snprintf(want, sizeof want, "42[\"e\",%s]", datas[i].data);
        if (datas[i].sent) hears(&p, want);
        if (datas[i].sent) hears(&stranger, want);
        hears_nothing(&p);
        hears_nothing(&stranger);
    }
    EXPECT_INT(wshub_sio_flow_send(sio, space, none, e, wshub_str_z("{")), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_sio_flow_send(sio, nowhere, none, e, wshub_str_z("1")), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_sio_flow_send(sio, space, wshub_str_z(stranger.sid), e, wshub_str_z("1")),
               WSHUB_OK);
    hears(&stranger, "42[\"e\",1]");
    hears_nothing(&p);
    stop();
}

/* ---- ends ---- */

#define REFUSED                                                                                    \
    "42[\"unauthenticated\",{\"message\":\"Invalid token to authenticate! Please login again!\","  \
    "\"time\":\"{iso}\"}]"
static wshub_sio_ask_id kept_ask;
static void keep_ask(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                     void *user) {
    (void)of, (void)h, (void)user;
    kept_ask = ask;
}

TEST(the_transport_of_who_is_refused_stays_for_others_or_where_that_is_set) { /* 10.3 */
    wshub_sio_namespace_desc other = SPACE(.name = "/x", .on_event = on_event);
    int why;
    for (why = 0; why < 3; why++) { /* another is there, or asks to be, or it is set */
        wshub_sio_flow flow = FLOW(.linger = why == 2);
        char text[1000];
        eio_peer p;
        start(DESC(CALLS), FAKE(0), SPACE(.flow = &flow));
        other.on_connect = why == 1 ? keep_ask : NULL;
        EXPECT_INT(wshub_sio_namespace_add(sio, &other, NULL), WSHUB_OK);
        enter(&p, false, "40");
        if (why < 2) eio_peer_say(&p, "40/x,");
        if (why == 0) eio_peer_hear(&p, text);
        eio_peer_say(&p, "42[\"authenticate\"]");
        hears(&p, REFUSED);
        hears(&p, "41");
        EXPECT_INT(leavers, 1);
        if (why == 1) EXPECT_INT(wshub_sio_accept(sio, kept_ask, NULL), WSHUB_OK);
        if (why == 1) eio_peer_hear(&p, text);
        if (why < 2) eio_peer_say(&p, "42/x,[\"e\"]");
        if (why < 2) hears(&p, "42/x,[\"e\"]");
        eio_peer_say(&p, "40"); /* it may come again */
        p.sid[0] = 0;
        hears(&p, "40{\"sid\":\"{sid}\"}");
        stop();
    }
}

TEST(at_the_end_clients_are_told_to_go_or_come_back) { /* BYE-1, BYE-2, 10.3 */
    int back, polls, how;
    for (back = 0; back < 2; back++) {
        for (polls = 0; polls < 2; polls++) {
            for (how = 0; how < 4; how++) {
                wshub_sio_flow flow = FLOW(.come_back = back != 0);
                bool told = !back || how >= 2;
                char text[1000];
                eio_peer p;
                start(DESC(CALLS), FAKE(0), SPACE(.on_event = on_event, .flow = &flow));
                enter_whole(&p, polls != 0, "40{\"token\":\"ok\"}");
                hears_nothing(&p); /* it holds a poll */
                if (how == 0) wshub_sio_shutdown(sio);
                if (how == 1) (void)wshub_shutdown(s.w.hub);
                if (how == 2) EXPECT_INT(wshub_client_close(s.w.hub, last, 0, nul()), WSHUB_OK);
                if (how == 3) EXPECT_INT(wshub_sio_disconnect(sio, last, true), WSHUB_OK);
                wshub_io_fake_run(s.w.net);
                if (told) hears(&p, "41");
                if (told && !polls) hears_end(&p);
                if (!told) {
                    eio_peer_hear(&p, text);
                    EXPECT(strcmp(text, "41") != 0);
                }
                EXPECT_INT(leavers, 1);
                stop();
            }
        }
    }
}

static int ends_in; /* where the application closes the session, or the hub's client */
static void ends_session(wshub_client client) {
    EXPECT_INT(wshub_sio_disconnect(sio, client, true), WSHUB_OK);
}
static void ends_opened(wshub *hub, wshub_client client, void *user) {
    (void)user;
    last = client;
    if (ends_in == 0) ends_session(client);
    if (ends_in == 1) EXPECT_INT(wshub_client_close(hub, client, 0, nul()), WSHUB_OK);
}
static wshub_err ends_connected(wshub *hub, wshub_client client, void *user) {
    (void)hub, (void)user;
    if (ends_in == 2) ends_session(client);
    return WSHUB_OK;
}
static void ends_space_connected(wshub_sio *of, wshub_client client, void *user) {
    (void)of, (void)user;
    connects++;
    if (ends_in == 3) ends_session(client);
}
static void ends_event(wshub_sio *of, wshub_client client, const wshub_sio_event *e, void *user) {
    (void)of, (void)e, (void)user;
    if (ends_in == 4) ends_session(client);
}
static void ends_error(wshub_sio *of, wshub_client client, const char *text, void *user) {
    (void)of, (void)text, (void)user;
    if (ends_in == 5) ends_session(client);
}

TEST(whatever_is_closed_inside_a_callback_is_touched_no_more) { /* BYE-1 */
    int flows, polls;
    for (flows = 0; flows < 2; flows++) {
        for (polls = 0; polls < 2; polls++) {
            for (ends_in = 0; ends_in < 6; ends_in++) {
                wshub_sio_flow flow = FLOW(.linger = false);
                wshub_sio_stats st;
                eio_peer p;
                start(DESC(.on_authenticate = accept_all, .on_opened = ends_opened,
                           .on_connected = ends_connected, .on_disconnected = on_disconnected),
                      FAKE(0),
                      SPACE(.on_event = ends_event, .on_connected = ends_space_connected,
                            .on_error = ends_error, .flow = flows ? &flow : NULL));
                eio_peer_open(&s, &p, polls != 0);
                eio_peer_say(&p, polls ? "40\x1e"
                                         "42[\"authenticate\"]\x1e"
                                         "42[\"e\"]\x1e"
                                         "4nonsense"
                                       : "40");
                if (!polls) {
                    wshub_io_fake_text(s.w.net, p.c, "42[\"authenticate\"]");
                    wshub_io_fake_text(s.w.net, p.c, "42[\"e\"]");
                    eio_peer_say(&p, "4nonsense");
                }
                wshub_io_fake_advance(s.w.net, 1000);
                EXPECT_INT(leavers, 1);
                /* That of a flow's namespace is told before the hub's (AUTH-7). */
                EXPECT_INT(connects, ends_in >= 3 - flows);
                wshub_sio_stats_get(sio, &st);
                EXPECT_INT(st.sockets, 0);
                stop();
            }
        }
    }
}

TEST(every_allocation_of_a_flow_may_fail) {
    int polls;
    long n;
    memset(long_key, 'k', 300);
    long_key[300] = 0;
    for (polls = 0; polls < 2; polls++) {
        for (n = 1; n < 120; n++) {
            wshub_sio_flow flow = FLOW(.ping_interval_ms = 10);
            wshub_desc d = DESC(CALLS);
            wshub_sio_stats st;
            eio_peer p;
            d.require_encryption = n % 2 != 0;
            d.on_handshake = give_keys_or_not;
            start(d, FAKE(0), SPACE(.on_event = on_event, .flow = &flow));
            eio_peer_open(&s, &p, polls != 0);
            s.w.fail_at = (n + 1) / 2;
            if (polls) {
                eio_ask(&s, p.post, "POST", EIO_POLL, "",
                        "40{\"token\":\"ok\"}\x1e"
                        "42[\"authenticate\"]\x1e"
                        "42[\"join\",{\"rooms\":[\"public\"]}]");
            } else {
                wshub_io_fake_text(s.w.net, p.c, "40{\"token\":\"ok\"}");
                wshub_io_fake_text(s.w.net, p.c, "42[\"authenticate\"]");
                wshub_io_fake_text(s.w.net, p.c, "42[\"join\",{\"rooms\":[\"public\"]}]");
                wshub_io_fake_run(s.w.net);
            }
            wshub_io_fake_advance(s.w.net, 25);
            if (n >= 118) EXPECT_OP(s.w.fail_at, >, 0); /* beyond the last of them */
            s.w.fail_at = 0;
            wshub_sio_shutdown(sio);
            wshub_io_fake_advance(s.w.net, 1000);
            wshub_sio_stats_get(sio, &st);
            EXPECT_INT(st.sockets, 0);
            EXPECT(leavers <= 1);
            stop();
        }
    }
}
