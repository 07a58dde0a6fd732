/* The client of a hub (backends/wshub_ext_client.h) and a hub, both on one fake io, whose streams
 * are joined by hand: states, rooms, requests, what is kept, how it comes back. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_ext_client.h"
#include "wshub_io_fake.h"
#include "test.h"
#include "checked.h"
#include "client_site.h"

static site s;
static wshub *hub;
static wshub_ext_client *client;
static wshub_conn here, there; /* the client's stream, and the hub's */
static const char *acts;       /* "event what": done inside that callback */

/* ---- the hub ---- */

static void on_authenticate(wshub *h, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    (void)user;
    memset(&who, 0, sizeof who);
    if (wshub_json_is(wshub_json_get(auth->data, "token"), "no"))
        (void)wshub_ask_reject(h, ask);
    else
        (void)wshub_auth_accept(h, ask, &who);
}
static void on_join(wshub *h, wshub_ask ask, const wshub_join *join, void *user) {
    (void)user;
    (void)wshub_join_accept(h, ask, join->rooms, join->rooms_count);
}
static wshub_err on_message(wshub *h, wshub_client c, const wshub_event *event, void *user) {
    wshub_msg msg;
    (void)user;
    memset(&msg, 0, sizeof msg);
    msg.event = event->event;
    msg.data = event->data;
    if (wshub_str_eq_z(event->event, "silent")) return WSHUB_OK;
    if (wshub_str_eq_z(event->event, "kick"))
        return wshub_client_close(h, c, 4003, wshub_str_z("kicked"));
    if (event->id.ptr) return wshub_client_reply(h, c, event->id, &msg);
    return wshub_room_send(h, wshub_str_z("lobby"), &msg, NULL, 0);
}
static void start_hub(void) {
    wshub_desc d;
    memset(&d, 0, sizeof d);
    d.io = wshub_io_fake_io(s.fake);
    d.on_authenticate = on_authenticate;
    d.on_join = on_join;
    d.on_message = on_message;
    d.no_log = true;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_OK);
}

/* ---- the client ---- */

/* With `lends` the client borrows a description that is freed as soon as it is destroyed. */
static bool lends;
static struct lent {
    wshub_ext_client_desc desc;
    wshub_ext_client_events events;
} * lent;
static void end_client(void) {
    wshub_ext_client *c = client;
    client = NULL;
    wshub_ext_client_destroy(c);
    free(lent);
    lent = NULL;
}

static void act(const char *event) {
    size_t n = strlen(event);
    wshub_msg msg;
    wshub_str none = {NULL, 0};
    memset(&msg, 0, sizeof msg);
    if (!acts || strncmp(acts, event, n) != 0 || acts[n] != ' ') return;
    msg.event = wshub_str_z("late");
    msg.data = wshub_str_z("0");
    if (strcmp(acts + n + 1, "destroy") == 0) {
        end_client();
    } else if (strcmp(acts + n + 1, "disconnect") == 0) {
        (void)wshub_ext_client_disconnect(client, 1000, none);
    } else if (strcmp(acts + n + 1, "connect") == 0) {
        (void)wshub_ext_client_connect(client);
    } else if (strcmp(acts + n + 1, "drop") == 0) {
        (void)wshub_ext_client_drop(client);
    } else if (strcmp(acts + n + 1, "auth") == 0) {
        EXPECT_INT(wshub_ext_client_authenticate(client, wshub_str_z("{\"token\":\"asked\"}")),
                   WSHUB_OK);
    } else if (strcmp(acts + n + 1, "emit") == 0) {
        acts = NULL; /* or it would answer itself for ever */
        (void)wshub_ext_client_emit(client, &msg, false);
    }
}
static void say(const char *word, const char *text, size_t len) {
    site_tell(&s, word, text, len);
    act(word);
}
static void on_connected(wshub_ext_client *c, const wshub_ws_about *about, void *user) {
    (void)c;
    (void)about;
    EXPECT(user == &s);
    say("connected", NULL, 0);
}
static void on_connect_error(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                             void *user) {
    char text[100];
    (void)c;
    (void)user;
    say("connect_error", text,
        (size_t)snprintf(text, sizeof text, "%s%s", wshub_ws_why_name(gone->why),
                         again ? " again" : ""));
}
static void on_authenticated(wshub_ext_client *c, wshub_str id, wshub_str data, void *user) {
    (void)user;
    EXPECT_INT(id.len, 36);
    EXPECT(wshub_json_type(data) == WSHUB_JSON_OBJECT);
    EXPECT_INT(wshub_ext_client_state_of(c), WSHUB_EXT_CLIENT_AUTHENTICATED);
    say("authenticated", NULL, 0);
}
static void on_unauthenticated(wshub_ext_client *c, wshub_str message, void *user) {
    (void)c;
    (void)user;
    say("unauthenticated", message.ptr, message.len);
}
static void on_disconnected(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                            void *user) {
    char text[100];
    (void)c;
    (void)user;
    say("disconnected", text,
        (size_t)snprintf(text, sizeof text, "%u%s", gone->code, again ? " again" : ""));
}
static uint32_t last_delay;
static void on_reconnecting(wshub_ext_client *c, uint32_t attempt, uint32_t delay_ms, void *user) {
    char text[24];
    (void)c;
    (void)user;
    last_delay = delay_ms;
    say("reconnecting", text, (size_t)snprintf(text, sizeof text, "%u", attempt));
}
static void on_gave_up(wshub_ext_client *c, uint32_t attempts, void *user) {
    char text[24];
    (void)c;
    (void)user;
    say("gave_up", text, (size_t)snprintf(text, sizeof text, "%u", attempts));
}
static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    char text[300];
    (void)c;
    (void)user;
    say("event", text,
        (size_t)snprintf(text, sizeof text, "%.*s %.*s", (int)event->event.len, event->event.ptr,
                         (int)event->data.len, event->data.ptr ? event->data.ptr : ""));
}
static wshub_ext_client_events events = {on_connected,
                                         on_connect_error,
                                         on_authenticated,
                                         on_unauthenticated,
                                         on_disconnected,
                                         on_reconnecting,
                                         on_gave_up,
                                         on_event,
                                         NULL,
                                         NULL,
                                         NULL,
                                         NULL};
static wshub_ext_client_desc desc;

/* Carries bytes both ways until nobody says anything any more. */
static void pump(void) {
    wshub_str out;
    size_t moved = 1;
    static char copy[200000];
    while (moved) {
        moved = 0;
        out = wshub_io_fake_output(s.fake, here);
        if (out.len && out.len < sizeof copy) {
            memcpy(copy, out.ptr, moved = out.len);
            wshub_io_fake_take(s.fake, here, out.len);
            wshub_io_fake_input(s.fake, there, copy, moved);
        }
        out = wshub_io_fake_output(s.fake, there);
        if (out.len && out.len < sizeof copy) {
            memcpy(copy, out.ptr, out.len);
            wshub_io_fake_take(s.fake, there, moved = out.len);
            wshub_io_fake_input(s.fake, here, copy, moved);
        }
        wshub_io_fake_run(s.fake);
    }
    if (there.id && wshub_io_fake_is_gone(s.fake, there) && !wshub_io_fake_is_gone(s.fake, here))
        wshub_io_fake_end(s.fake, here);
    if (here.id && wshub_io_fake_is_gone(s.fake, here)) wshub_io_fake_end(s.fake, there);
}
/* Answers the dial with a stream of the hub's, and lets both talk. */
static void join_streams(void) {
    wshub_io_fake_run(s.fake);
    here = site_dialled(&s, NULL);
    there = wshub_io_fake_open(s.fake);
    wshub_io_fake_answer(s.fake, here, true);
    pump();
}
static void start(const char *auth) {
    EXPECT(site_start(&s, false, NULL));
    start_hub();
    memset(&desc, 0, sizeof desc);
    desc.ws.url = "ws://hub/ws";
    desc.events = &events;
    desc.auth = auth;
    here.id = there.id = 0;
    acts = NULL;
    lent = lends ? (struct lent *)malloc(sizeof *lent) : NULL;
    if (lent) {
        lent->events = events;
        lent->desc = desc;
        lent->desc.events = &lent->events;
    }
    EXPECT_INT(wshub_ext_client_create(s.pool, lent ? &lent->desc : &desc, &s, &client), WSHUB_OK);
}
static void stop(void) {
    end_client();
    wshub_destroy(hub);
    site_stop(&s);
}
static wshub_err emit(const char *event, const char *data) {
    wshub_msg msg;
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z(event);
    if (data) msg.data = wshub_str_z(data);
    return wshub_ext_client_emit(client, &msg, false);
}
static wshub_err join(const char *room) {
    wshub_str name = wshub_str_z(room);
    return wshub_ext_client_join(client, &name, 1);
}

/* ---- tests ---- */

TEST(a_client_connects_authenticates_joins_and_hears) {
    start("{\"token\":\"yes\"}");
    EXPECT_INT(join("lobby"), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_subscribe(client, wshub_str_z("chat")), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_subscribe(client, wshub_str_z("chat")), WSHUB_OK);
    join_streams();
    EXPECT_STR(site_told(&s), "connected\nauthenticated\n");
    EXPECT_INT(emit("chat", "{\"n\":1.50}"), WSHUB_OK);
    EXPECT_INT(emit("other", NULL), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    pump();
    EXPECT_STR(site_told(&s), "event chat {\"n\":1.50}\n");
    EXPECT_INT(wshub_ext_client_unsubscribe(client, wshub_str_z("chat")), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_unsubscribe(client, wshub_str_z("chat")), WSHUB_ERR_ABSENT);
    EXPECT_INT(emit("chat", "1"), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    pump();
    EXPECT_STR(site_told(&s), "");
    EXPECT_INT(emit("", "1"), WSHUB_ERR_PARAM);
    EXPECT_INT(emit("x", "{"), WSHUB_ERR_JSON);
    EXPECT_INT(wshub_ext_client_connect(client), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_ext_client_authenticate(client, wshub_str_z("1")), WSHUB_ERR_STATE);
    stop();
}

/* d13: what was kept leaves before what callbacks send; rooms are asked for before it. */
TEST(what_was_kept_is_sent_once_in_order) {
    wshub_str room = wshub_str_z("lobby");
    start("{}");
    acts = "authenticated emit";
    EXPECT_INT(join("lobby"), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_subscribe(client, wshub_str_z("*")), WSHUB_OK);
    EXPECT_INT(emit("a", "1"), WSHUB_OK);
    EXPECT_INT(emit("b", "2"), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_buffered(client), 2);
    join_streams();
    EXPECT_INT(wshub_ext_client_buffered(client), 0);
    {
        const char *told = site_told(&s), *at = strstr(told, "event connected {");
        EXPECT(strncmp(told, "connected\nauthenticated\n", 24) == 0 && at);
        if (at) EXPECT_STR(strchr(at, '\n') + 1, "event a 1\nevent b 2\nevent late 0\n");
    }
    wshub_io_fake_end(s.fake, here);
    wshub_io_fake_end(s.fake, there);
    EXPECT_STR(site_told(&s), "disconnected 1006 again\nreconnecting 1\n");
    EXPECT_INT(emit("c", "3"), WSHUB_OK);
    wshub_io_fake_advance(s.fake, last_delay);
    join_streams(); /* in its rooms again, and nothing twice */
    EXPECT(strstr(s.told, "\nevent c 3\n") != NULL && !strstr(s.told, "event a"));
    (void)site_told(&s);
    EXPECT_INT(wshub_ext_client_leave(client, &room, 1), WSHUB_OK);
    EXPECT_INT(emit("d", "4"), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    pump();
    EXPECT_STR(site_told(&s), "");
    wshub_io_fake_end(s.fake, here);
    wshub_io_fake_end(s.fake, there);
    wshub_io_fake_advance(s.fake, last_delay);
    join_streams(); /* left is left */
    EXPECT_INT(emit("e", "5"), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    pump();
    EXPECT(!strstr(site_told(&s), "event e"));
    stop();
}

TEST(what_is_kept_has_a_limit_and_the_fleeting_is_dropped) {
    wshub_msg msg;
    start("{}");
    desc.buffer_bytes = 45;
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z("f");
    EXPECT_INT(wshub_ext_client_emit(client, &msg, true), WSHUB_ERR_STATE);
    EXPECT_INT(emit("a", "1"), WSHUB_OK); /* 22 bytes */
    EXPECT_INT(emit("b", "2"), WSHUB_OK);
    EXPECT_INT(emit("c", "3"), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_ext_client_buffered(client), 2);
    desc.buffer_bytes = WSHUB_OFF;
    EXPECT_INT(emit("c", "3"), WSHUB_ERR_STATE);
    stop();
}

static void on_reply(wshub_ext_client *c, wshub_err err, const wshub_event *answer, void *user) {
    wshub_str data = {NULL, 0}, event = {NULL, 0};
    char text[100];
    (void)c;
    if (answer) {
        data = answer->data;
        event = answer->event;
    }
    EXPECT_INT(answer != NULL, err == WSHUB_OK);
    say((const char *)user, text,
        (size_t)snprintf(text, sizeof text, "%d %.*s%s%.*s", err, (int)data.len,
                         data.ptr ? data.ptr : "", event.len ? " " : "", (int)event.len,
                         event.ptr ? event.ptr : ""));
}
static wshub_err request(const char *event, const char *data, uint32_t ms, const char *name) {
    wshub_msg msg;
    char *who;
    memcpy(&who, &name, sizeof who);
    memset(&msg, 0, sizeof msg);
    msg.event = wshub_str_z(event);
    msg.data = wshub_str_z(data);
    return wshub_ext_client_request(client, &msg, ms, on_reply, who);
}
TEST(requests_are_answered_or_end_in_time) {
    start("{}");
    EXPECT_INT(request("late", "0", 10, "kept"), WSHUB_OK);
    EXPECT_INT(request("early", "1", 1000, "r1"), WSHUB_OK);
    wshub_io_fake_advance(s.fake, 10); /* out of time while kept: it is not sent any more */
    EXPECT_STR(site_told(&s), "kept -7 \n");
    EXPECT_INT(wshub_ext_client_buffered(client), 1);
    join_streams();
    EXPECT_STR(site_told(&s), "connected\nauthenticated\nr1 0 1 early\n");
    EXPECT_INT(request("x", "{\"a\":2}", 1000, "r2"), WSHUB_OK);
    EXPECT_INT(request("silent", "0", 1000, "r3"), WSHUB_OK);
    EXPECT_INT(request("silent", "0", 5000, "r4"), WSHUB_OK);
    EXPECT_INT(request("x", "0", 0, "r5"), WSHUB_ERR_PARAM);
    wshub_io_fake_run(s.fake);
    pump();
    EXPECT_STR(site_told(&s), "r2 0 {\"a\":2} x\n");
    wshub_io_fake_advance(s.fake, 1000);
    EXPECT_STR(site_told(&s), "r3 -7 \n");
    EXPECT_INT(wshub_ext_client_drop(client), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "r4 -10 \ndisconnected 1006 again\nreconnecting 1\n");
    stop();
}

/* 4003 and its message; it does not come back, unless asked to, or set so. */
TEST(who_is_refused_does_not_come_back) {
    start("{\"token\":\"no\"}");
    join_streams();
    EXPECT_STR(site_told(&s),
               "connected\nunauthenticated Authentication failed\ndisconnected 4003\n");
    wshub_io_fake_advance(s.fake, 100000);
    EXPECT_INT(wshub_ext_client_state_of(client), WSHUB_EXT_CLIENT_IDLE);
    desc.auth = "{}";
    EXPECT_INT(wshub_ext_client_connect(client), WSHUB_OK);
    join_streams();
    EXPECT_STR(site_told(&s), "connected\nauthenticated\n");
    EXPECT_INT(emit("kick", NULL), WSHUB_OK); /* by the hub's wish */
    wshub_io_fake_run(s.fake);
    pump();
    EXPECT_STR(site_told(&s), "unauthenticated kicked\ndisconnected 4003\n");
    desc.always = true;
    EXPECT_INT(wshub_ext_client_connect(client), WSHUB_OK);
    join_streams();
    EXPECT_INT(emit("kick", NULL), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    pump();
    EXPECT(strstr(site_told(&s), "disconnected 4003 again\nreconnecting 1\n") != NULL);
    stop();
}

TEST(the_application_may_be_asked_each_time) {
    start(NULL);
    desc.auto_auth = true;
    acts = "connected auth";
    EXPECT_INT(emit("early", NULL), WSHUB_OK);
    join_streams();
    EXPECT_STR(site_told(&s), "connected\nauthenticated\n");
    EXPECT_INT(wshub_ext_client_buffered(client), 0);
    stop();

    start(NULL); /* or not at all: then a message goes as soon as there is a connection */
    EXPECT_INT(wshub_ext_client_subscribe(client, wshub_str_z("error")), WSHUB_OK);
    EXPECT_INT(emit("early", NULL), WSHUB_OK);
    EXPECT_INT(join("lobby"), WSHUB_OK);
    join_streams();
    EXPECT_STR(site_told(&s), "connected\nevent error {\"message\":\"Not authenticated\"}\n"
                              "event error {\"message\":\"Not authenticated\"}\n");
    stop();
}

/* d11: chance in each wait, the first included; twice as long each time; anew only after an
 * authentication, or a connection that lasted. */
TEST(it_comes_back_after_a_backoff_with_chance) {
    static const uint32_t base[] = {1000, 2000, 4000, 5000, 5000};
    uint32_t least = UINT32_MAX, most = 0;
    size_t i;
    int round;
    start("{}");
    for (i = 0; i < 5; i++) {
        wshub_io_fake_run(s.fake);
        wshub_io_fake_answer(s.fake, site_dialled(&s, NULL), false);
        EXPECT_OP(last_delay, >=, base[i] / 2);
        EXPECT_OP(last_delay, <=, base[i] * 3 / 2);
        if (i == 4) EXPECT(strstr(s.told, "connect_error connect again\nreconnecting 5\n"));
        wshub_io_fake_advance(s.fake, last_delay);
    }
    (void)site_told(&s);
    wshub_io_fake_run(s.fake); /* a connection alone is no reason to begin anew */
    here = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, here, true);
    site_accept(&s, here, "", "");
    wshub_io_fake_end(s.fake, here);
    EXPECT_STR(site_told(&s), "connected\ndisconnected 1006 again\nreconnecting 6\n");
    wshub_io_fake_advance(s.fake, last_delay);
    join_streams();
    for (round = 0; round < 200; round++) {
        EXPECT_INT(wshub_ext_client_drop(client), WSHUB_OK);
        wshub_io_fake_run(s.fake);
        pump();
        wshub_io_fake_forget(s.fake, here);
        wshub_io_fake_forget(s.fake, there);
        EXPECT(strstr(site_told(&s), "reconnecting 1\n") != NULL);
        if (last_delay < least) least = last_delay;
        if (last_delay > most) most = last_delay;
        wshub_io_fake_advance(s.fake, last_delay);
        join_streams();
    }
    EXPECT_OP(least, <, 600);
    EXPECT_OP(most, >, 1400);
    stop();
}

/* d11: the shortest waits are for who was lost, not for who is told that it is too much. */
TEST(a_server_that_wants_it_later_is_not_asked_soon) {
    static const uint32_t base[] = {1000, 2000, 4000, 5000};
    uint32_t i;
    start("{}");
    for (i = 0; i < 50; i++) {
        wshub_io_fake_run(s.fake);
        here = site_dialled(&s, NULL);
        wshub_io_fake_answer(s.fake, here, true);
        site_accept(&s, here, "", "");
        site_frame(&s, here, 0x88, "\x03\xF5", 2);
        wshub_io_fake_end(s.fake, here);
        EXPECT(strstr(site_told(&s), "disconnected 1013 again\nreconnecting ") != NULL);
        EXPECT_OP(last_delay + 1, >=, base[i < 3 ? i : 3]);
        EXPECT_OP(last_delay, <=, base[i < 3 ? i : 3] * 3 / 2);
        wshub_io_fake_forget(s.fake, here);
        wshub_io_fake_advance(s.fake, last_delay);
    }
    stop();
}
TEST(the_shortest_wait_is_a_wait) { /* or a loop would stand still between attempts that fail */
    int i;
    start("{}");
    wshub_ext_client_destroy(client);
    desc.reconnect_delay_ms = desc.reconnect_delay_max_ms = 1;
    EXPECT_INT(wshub_ext_client_create(s.pool, &desc, &s, &client), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    for (i = 0; i < 20; i++) {
        wshub_io_fake_answer(s.fake, site_dialled(&s, NULL), false);
        EXPECT_INT(last_delay, 1);
        wshub_io_fake_advance(s.fake, 1);
    }
    stop();
}

TEST(it_gives_up_where_it_was_told_to) {
    int i;
    start("{}");
    desc.reconnect_tries = 2;
    for (i = 0; i < 3; i++) {
        wshub_io_fake_run(s.fake);
        wshub_io_fake_answer(s.fake, site_dialled(&s, NULL), false);
        wshub_io_fake_advance(s.fake, 10000);
    }
    EXPECT_STR(site_told(&s), "connect_error connect again\nreconnecting 1\n"
                              "connect_error connect again\nreconnecting 2\n"
                              "connect_error connect again\ngave_up 2\n");
    EXPECT_INT(wshub_ext_client_connect(client), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    here = site_dialled(&s, NULL); /* what is no WebSocket, hopeless */
    wshub_io_fake_answer(s.fake, here, true);
    site_say(&s, here, "HTTP/1.1 404 x\r\n\r\n");
    EXPECT_STR(site_told(&s), "connect_error status\n");
    EXPECT_INT(wshub_ext_client_connect(client), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    here = site_dialled(&s, NULL);
    wshub_io_fake_answer(s.fake, here, true);
    site_say(&s, here, "HTTP/1.1 503 x\r\n\r\n");
    EXPECT_STR(site_told(&s), "connect_error status again\nreconnecting 1\n");
    EXPECT_INT(wshub_ext_client_disconnect(client, 1000, wshub_str_z("")), WSHUB_OK); /* a wait */
    wshub_io_fake_advance(s.fake, 100000);
    EXPECT_STR(site_told(&s), "");
    EXPECT_INT(wshub_ext_client_connect(client), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    EXPECT_INT(wshub_ext_client_disconnect(client, 1000, wshub_str_z("")),
               WSHUB_OK); /* an attempt */
    wshub_io_fake_advance(s.fake, 100000);
    EXPECT_STR(site_told(&s), "");
    stop();
}

TEST(it_leaves_in_order_and_stays_away) {
    start("{}");
    join_streams();
    (void)site_told(&s);
    EXPECT_INT(wshub_ext_client_disconnect(client, 1000, wshub_str_z("bye")), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    pump();
    wshub_io_fake_advance(s.fake, 100000);
    EXPECT_STR(site_told(&s), "disconnected 1000\n");
    stop();
}

/* LIVE-1: a client that only listens is alive. */
TEST(it_keeps_its_heartbeat) {
    int i;
    start("{}");
    join_streams();
    (void)site_told(&s);
    for (i = 0; i < 60; i++) {
        wshub_io_fake_advance(s.fake, 10000);
        pump();
    }
    EXPECT_STR(site_told(&s), "");
    EXPECT_INT(wshub_ext_client_state_of(client), WSHUB_EXT_CLIENT_AUTHENTICATED);
    stop();
}

/* Hooks that turn each text around, as if that were a secret. */
static char turned[2][1000];
static bool turn(wshub_str text, wshub_str *out, char *buf) {
    size_t i;
    if (text.len > 900) return false;
    for (i = 0; i < text.len; i++) buf[i] = text.ptr[text.len - 1 - i];
    out->ptr = buf;
    out->len = text.len;
    return true;
}
static bool on_seal(wshub_ext_client *c, wshub_str text, wshub_str *out, void *user) {
    static char message[3000];
    char quoted[2500];
    wshub_str inner;
    (void)c;
    (void)user;
    if (memmem(text.ptr, text.len, "unsealable", 10) || !turn(text, &inner, turned[0]))
        return false;
    out->ptr = message;
    out->len = (size_t)snprintf(message, sizeof message, "{\"event\":\"encrypted\",\"data\":%.*s}",
                                (int)wshub_json_quote(inner, quoted, sizeof quoted), quoted);
    return true;
}
static bool on_open(wshub_ext_client *c, wshub_str text, wshub_str *out, void *user) {
    char plain[1000];
    wshub_str inner;
    (void)c;
    (void)user;
    if (wshub_json_copy(wshub_json_get(text, "data"), plain, sizeof plain, &inner.len))
        return false;
    inner.ptr = plain;
    return turn(inner, out, turned[1]);
}
TEST(messages_can_be_encrypted_by_hooks) {
    events.seal = on_seal;
    events.open = on_open;
    start("{}");
    EXPECT_INT(join("lobby"), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_subscribe(client, wshub_str_z("secret")), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_subscribe(client, wshub_str_z("encrypted")), WSHUB_OK);
    join_streams();
    (void)site_told(&s);
    EXPECT_INT(emit("unsealable", NULL), WSHUB_ERR_APP); /* never in the clear (ENC-2) */
    EXPECT_INT(emit("secret", "[1]"), WSHUB_OK);
    wshub_io_fake_run(s.fake);
    pump(); /* the join went out sealed, which this hub does not open: nobody is in the room */
    EXPECT_STR(site_told(&s), "");
    {
        wshub_msg msg;
        wshub_iter it = {0, 0};
        wshub_client c;
        memset(&msg, 0, sizeof msg);
        msg.event = wshub_str_z("encrypted");
        msg.data = wshub_str_z("\"}]1[:\\\"atad\\\",\\\"terces\\\":\\\"tneve\\\"{\"");
        EXPECT(wshub_client_each(hub, &it, &c));
        EXPECT_INT(wshub_client_send(hub, c, &msg), WSHUB_OK);
        wshub_io_fake_run(s.fake);
        pump();
    }
    EXPECT_STR(site_told(&s), "event secret [1]\n");
    stop();
    events.seal = NULL;
    events.open = NULL;
}

/* d15: each callback may do anything in each state, and nothing is told after the end. */
/* A hook is called inside orders, and may call anything all the same. */
static int sealed;
static const char *seal_does;
static bool on_seal_acts(wshub_ext_client *c, wshub_str text, wshub_str *out, void *user) {
    const char *first = text.ptr;
    (void)user;
    sealed++;
    if (seal_does) {
        acts = seal_does;
        seal_does = NULL;
        act("seal");
    }
    EXPECT(first[0] == '{'); /* the text is there still */
    *out = text;
    return c != NULL;
}
TEST(a_hook_that_encrypts_may_do_anything) {
    static const char *const does[] = {"seal destroy", "seal disconnect", "seal drop", "seal emit"};
    wshub_str name = wshub_str_z("lobby");
    size_t i;
    int how;
    events.seal = on_seal_acts;
    lends = true;
    for (i = 0; i < sizeof does / sizeof does[0]; i++) {
        for (how = 0; how < 4; how++) {
            start("{}");
            if (how == 3) EXPECT_INT(emit("kept", "1"), WSHUB_OK);
            if (how == 3) seal_does = does[i]; /* while what was kept is sent */
            join_streams();
            (void)site_told(&s);
            sealed = 0;
            if (how != 3) seal_does = does[i];
            if (how == 0) (void)emit("silent", "1");
            if (how == 1) (void)request("silent", "1", 1000, "r");
            if (how == 2) (void)wshub_ext_client_join(client, &name, 1);
            EXPECT(!seal_does);
            if (i == 3 && how != 3) EXPECT_INT(sealed, 2);
            if (i == 3) EXPECT_INT(wshub_ext_client_buffered(client), 0);
            wshub_io_fake_run(s.fake);
            pump();
            acts = NULL;
            stop();
        }
    }
    lends = false;
    events.seal = NULL;
}

TEST(a_callback_may_end_the_client) {
    static const char *const names[] = {"connected",       "connect_error", "authenticated",
                                        "unauthenticated", "disconnected",  "reconnecting",
                                        "gave_up",         "event",         "r"};
    static const char *const what[] = {"destroy", "disconnect", "connect", "drop", "emit"};
    size_t i, j;
    int n;
    lends = true;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        for (j = 0; j < sizeof what / sizeof *what; j++) {
            char text[60];
            start(strcmp(names[i], "unauthenticated") == 0 ? "{\"token\":\"no\"}" : "{}");
            (void)snprintf(text, sizeof text, "%s %s", names[i], what[j]);
            acts = text;
            if (lent) lent->desc.reconnect_tries = 1;
            (void)join("lobby");
            (void)wshub_ext_client_subscribe(client, wshub_str_z("*"));
            (void)emit("a", "1");
            (void)request("silent", "1", 60000, "r");
            wshub_io_fake_run(s.fake);
            wshub_io_fake_answer(s.fake, site_dialled(&s, NULL), false);
            wshub_io_fake_advance(s.fake, 2000);
            for (n = 0; n < 4; n++) {
                wshub_conn c;
                if (wshub_io_fake_dialled(s.fake, &c, NULL) && n < 2) join_streams();
                if (wshub_io_fake_dialled(s.fake, &c, NULL) && n > 1)
                    wshub_io_fake_answer(s.fake, c, false);
                if (client && n < 2) (void)wshub_ext_client_drop(client);
                wshub_io_fake_run(s.fake);
                pump();
                s.told_len = 0;
                wshub_io_fake_advance(s.fake, 8000);
            }
            stop();
        }
    }
    lends = false;
}

/* What is emitted behind an order to drop waits, as behind any loss. */
TEST(what_is_emitted_behind_a_drop_is_kept) {
    start("{}");
    join_streams();
    (void)site_told(&s);
    EXPECT_INT(wshub_ext_client_drop(client), WSHUB_OK);
    EXPECT_INT(emit("a", "1"), WSHUB_OK);
    EXPECT_INT(wshub_ext_client_buffered(client), 1);
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "disconnected 1006 again\nreconnecting 1\n");
    wshub_io_fake_advance(s.fake, last_delay);
    join_streams();
    EXPECT_INT(wshub_ext_client_buffered(client), 0);
    stop();
}

TEST(who_leaves_as_an_attempt_has_no_memory_stays_away) {
    start("{}");
    acts = "connect_error disconnect";
    s.fail_in = 1;
    wshub_io_fake_run(s.fake);
    EXPECT_STR(site_told(&s), "connect_error memory again\n");
    EXPECT_INT(wshub_ext_client_state_of(client), WSHUB_EXT_CLIENT_IDLE);
    stop();
}

/* Joining and leaving do all or nothing: what could not be said is not remembered otherwise. */
TEST(rooms_are_remembered_as_the_hub_was_told) {
    wshub_str name = wshub_str_z("lobby");
    int leaves;
    uint64_t nth;
    for (leaves = 0; leaves < 2; leaves++) {
        wshub_err err = WSHUB_ERR_NOMEM;
        for (nth = 1; err; nth++) {
            start("{}");
            join_streams();
            if (leaves) EXPECT_INT(join("lobby"), WSHUB_OK);
            (void)site_told(&s);
            s.fail_in = nth;
            err = leaves ? wshub_ext_client_leave(client, &name, 1)
                         : wshub_ext_client_join(client, &name, 1);
            s.fail_in = 0;
            EXPECT_INT(err, err ? WSHUB_ERR_NOMEM : WSHUB_OK);
            EXPECT_INT(client->rooms != NULL, leaves ? err != 0 : err == 0);
            EXPECT_INT(client->rooms_bytes != 0, client->rooms != NULL);
            stop();
        }
        EXPECT_OP(nth, >, 2);
    }
}

/* It is authenticated, has said what was kept, and is in the room if that was taken. */
static void is_settled(bool joined) {
    wshub_client c = {0};
    EXPECT_INT(wshub_ext_client_state_of(client), WSHUB_EXT_CLIENT_AUTHENTICATED);
    EXPECT_INT(wshub_ext_client_buffered(client), 0);
    EXPECT_INT(wshub_client_find(hub, wshub_ext_client_id(client), &c), WSHUB_OK);
    EXPECT_INT(wshub_client_in_room(hub, c, wshub_str_z("lobby")), joined);
}

/* Every allocation fails once: nothing is lost track of, and it comes back by itself, with its
 * rooms and what was kept, though nothing else is asked of it. */
TEST(every_allocation_of_a_client_may_fail) {
    uint64_t nth;
    bool done = false;
    for (nth = 1; !done && nth < 300; nth++) {
        int n;
        bool joined;
        start("{\"token\":1}");
        s.fail_in = nth;
        joined = join("lobby") == WSHUB_OK;
        (void)wshub_ext_client_subscribe(client, wshub_str_z("a"));
        (void)emit("a", "1");
        (void)request("r", "1", 100000, "r");
        for (n = 0; n < 5; n++) {
            wshub_conn c;
            wshub_io_fake_run(s.fake);
            if (wshub_io_fake_dialled(s.fake, &c, NULL)) join_streams();
            pump();
            if (wshub_ext_client_state_of(client) != WSHUB_EXT_CLIENT_AUTHENTICATED)
                wshub_io_fake_advance(s.fake, 3000); /* less than the hub waits for who it is */
        }
        wshub_io_fake_advance(s.fake, 200);
        pump();
        is_settled(joined);
        done = s.fail_in > 0;
        s.fail_in = 0;
        (void)site_told(&s);
        stop();
    }
    EXPECT(done);
}

/* A client that is authenticated and idle costs at most 600 bytes, its WebSocket included. */
TEST(an_idle_client_costs_at_most_600_bytes) {
    enum { MANY = 200 };
    static wshub_ext_client *many[MANY];
    uint64_t before;
    int i;
    start("{}");
    join_streams();
    before = s.bytes;
    for (i = 0; i < MANY; i++) {
        EXPECT_INT(wshub_ext_client_create(s.pool, &desc, &s, &many[i]), WSHUB_OK);
        join_streams();
        s.told_len = 0;
    }
    printf("  %d bytes each\n", (int)((s.bytes - before) / MANY));
    EXPECT_OP((s.bytes - before) / MANY, <=, 600);
    for (i = 0; i < MANY; i++) wshub_ext_client_destroy(many[i]);
    stop();
}
