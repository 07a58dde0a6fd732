/* Who is here (PRES-1 to PRES-3), as it is told: against a model that knows nothing but what has
 * been told and what is so; single stories with their order; failing memory; what callbacks of it
 * do meanwhile; and users of a room. */
#include "hubtest.h"

static world w;

/* ---- what is told, in words ---- */

static void note(const char *what, const wshub_presence *p) {
    char text[200];
    (void)snprintf(text, sizeof text, "%s %.*s%s%.*s;", what, (int)p->room.len, p->room.ptr,
                   p->room.ptr && p->user_id.ptr ? " " : "", (int)p->user_id.len, p->user_id.ptr);
    world_note(&w, text);
}
static void joined(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    note("joined", p);
    EXPECT(wshub_str_eq(wshub_client_id(hub, p->client), p->client_id));
}
static void left(wshub *hub, const wshub_presence *p, void *user) {
    wshub_str id = wshub_client_id(hub, p->client);
    (void)user;
    note("left", p);
    EXPECT(!id.ptr || wshub_str_eq(id, p->client_id));
    EXPECT(p->client_id.len == 36);
}
static void room_here(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub;
    (void)user;
    EXPECT(!p->client.id && !p->client_id.ptr && !p->user_id.ptr);
    note("room here", p);
}
static void room_gone(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub;
    (void)user;
    note("room gone", p);
}
static void user_here(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub;
    (void)user;
    EXPECT(!p->client.id && !p->room.ptr);
    note("user here", p);
}
static void user_gone(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub;
    (void)user;
    note("user gone", p);
}

#define TELLS                                                                                      \
    .on_joined = joined, .on_left = left, .on_room_here = room_here, .on_room_gone = room_gone,    \
    .on_user_here = user_here, .on_user_gone = user_gone

#define EXPECT_TOLD(text)                                                                          \
    do {                                                                                           \
        EXPECT_STR(w.log, text);                                                                   \
        w.log_len = 0;                                                                             \
        w.log[0] = 0;                                                                              \
    } while (0)

static const char *const only_den[] = {"den"};

static void start(wshub_desc d) {
    if (!d.on_authenticate) d.on_authenticate = accept_all;
    d.default_rooms = only_den;
    d.default_rooms_count = 1;
    world_start(&w, d, FAKE(0));
}

TEST(the_first_and_the_last_of_a_room_and_a_user_are_told_with_the_members) { /* PRES-1, PRES-3 */
    char a[37], b[37];
    wshub_conn ca, cb;
    start(DESC(TELLS));
    ca = world_client(&w, "ada", a);
    EXPECT_TOLD("user here ada;room here den;joined den ada;");
    cb = world_client(&w, "ada", b);
    EXPECT_TOLD("joined den ada;");
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, b), S("tea")), WSHUB_OK);
    EXPECT_TOLD(""); /* not in the middle of a change */
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, a), S("tea")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, a), S("tea")), WSHUB_OK); /* is in it */
    wshub_io_fake_run(w.net);
    EXPECT_TOLD("room here tea;joined tea ada;joined tea ada;");
    EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, b), S("tea")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, b), S("none")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD("left tea ada;");
    wshub_io_fake_end(w.net, ca); /* the newest room is left first */
    EXPECT_TOLD("left tea ada;room gone tea;left den ada;");
    wshub_io_fake_end(w.net, cb);
    EXPECT_TOLD("left den ada;room gone den;user gone ada;");
    world_stop(&w);
    EXPECT_TOLD("");
}

TEST(what_was_undone_before_it_was_told_is_not_told) { /* PRES-1 */
    char a[37];
    wshub_client c;
    start(DESC(TELLS));
    (void)world_client(&w, "ada", a);
    c = world_handle(&w, a);
    EXPECT_TOLD("user here ada;room here den;joined den ada;");
    EXPECT_INT(wshub_client_join(w.hub, c, S("tea")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(w.hub, c, S("tea")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD("");
    EXPECT_INT(wshub_client_leave(w.hub, c, S("den")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, c, S("den")),
               WSHUB_OK); /* it was told, and it comes anew */
    wshub_io_fake_run(w.net);
    EXPECT_TOLD("left den ada;room gone den;room here den;joined den ada;");
    EXPECT_INT(wshub_client_join(w.hub, c, S("a")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, c, S("b")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, c, S("c")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(w.hub, c, S("b")), WSHUB_OK); /* from the middle of the list */
    wshub_io_fake_run(w.net);
    EXPECT_TOLD("room here a;joined a ada;room here c;joined c ada;");
    world_stop(&w);
    EXPECT_TOLD("left c ada;room gone c;left a ada;room gone a;left den ada;room gone den;"
                "user gone ada;");
}

TEST(only_who_is_accepted_counts_and_not_in_the_room_of_its_own_id) { /* PRES-1, SEND-2 */
    char a[37], b[37];
    wshub_client early, c;
    wshub_iter it = {0, 0};
    start(DESC(TELLS));
    (void)wshub_io_fake_connect(w.net, "/ws");
    EXPECT(wshub_client_each(w.hub, &it, &early));
    EXPECT_INT(wshub_client_join(w.hub, early, S("tea")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, early, S("cup")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(w.hub, early, S("cup")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD("");
    EXPECT_INT(wshub_client_accept(w.hub, early, NULL), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD("room here tea;joined tea;room here den;joined den;");

    (void)world_client(&w, "ada", a);
    (void)world_client(&w, "bob", b);
    c = world_handle(&w, b);
    EXPECT_TOLD("user here ada;joined den ada;user here bob;joined den bob;");
    EXPECT_INT(wshub_client_join(w.hub, c, S(a)), WSHUB_OK); /* the room of ada's id becomes one */
    wshub_io_fake_run(w.net);
    {
        char text[200];
        (void)snprintf(text, sizeof text, "room here %s;joined %s bob;", a, a);
        EXPECT_TOLD(text);
    }
    world_stop(&w);
}

TEST(an_end_is_told_in_between_its_two_callbacks) { /* PRES-2, BYE-1 */
    char a[37];
    wshub_conn c;
    start(DESC(.on_left = left));
    c = world_client(&w, "ada", a);
    EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, a), S("den")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, a), S("tea")), WSHUB_OK);
    wshub_io_fake_end(w.net, c); /* in the same turn: what was never told is not told to end */
    EXPECT_TOLD("left den ada;");
    world_stop(&w);
}

/* ---- what callbacks of it do ---- */

static int deeds;
static void busy(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    note("joined", p);
    switch (deeds++) {
    case 0: /* leaves what it has just joined, and is put into another */
        EXPECT_INT(wshub_client_leave(hub, p->client, p->room), WSHUB_OK);
        EXPECT_INT(wshub_client_join(hub, p->client, S("next")), WSHUB_OK);
        break;
    case 1: EXPECT_INT(wshub_client_close(hub, p->client, 4000, S("")), WSHUB_OK); break;
    default: break;
    }
}
static void early_leaver(wshub *hub, const wshub_presence *p, void *user) {
    wshub_iter it = {0, 0};
    wshub_client c;
    (void)user;
    note("room here", p);
    while (wshub_room_each_member(hub, p->room, &it, &c))
        EXPECT_INT(wshub_client_leave(hub, c, p->room), WSHUB_OK);
}

TEST(whatever_its_callbacks_do_is_told_behind_it_in_pairs) { /* PRES-1, PRES-2 */
    char a[37];
    wshub_conn c;
    deeds = 0;
    start(DESC(.on_joined = busy, .on_left = left, .on_user_gone = user_gone));
    c = world_client(&w, "ada", a);
    EXPECT_TOLD("joined den ada;left den ada;joined next ada;left next ada;user gone ada;");
    EXPECT_CLOSE(&w, c, 4000);
    world_stop(&w);

    start(DESC(.on_joined = joined, .on_left = left, .on_room_here = early_leaver,
               .on_room_gone = room_gone));
    (void)world_client(&w, "ada", a);
    EXPECT_TOLD("room here den;joined den ada;left den ada;room gone den;");
    world_stop(&w);
}

static void bouncer(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    if (deeds++ < 1000) (void)wshub_client_leave(hub, p->client, p->room);
}
static void returner(wshub *hub, const wshub_presence *p, void *user) {
    (void)user;
    (void)wshub_client_join(hub, p->client, p->room);
}

TEST(two_callbacks_that_undo_each_other_hold_up_no_turn) { /* PRES-1 */
    char a[37];
    wshub_client c;
    int before;
    deeds = 1000; /* quiet at first */
    start(DESC(.on_joined = bouncer, .on_left = returner));
    (void)world_client(&w, "ada", a);
    c = world_handle(&w, a);
    deeds = 0;
    EXPECT_INT(wshub_client_join(w.hub, c, S("tea")), WSHUB_OK);
    for (before = 0; before < 5; before++) {
        int had = deeds;
        EXPECT_INT(wshub_settle(w.hub), 0); /* there is more: at once, but behind what has come */
        EXPECT(deeds > had && deeds <= had + 8);
    }
    world_stop(&w);
}

/* ---- a model: what was told, and what is so ---- */

enum { PEOPLE = 6, ROOMS = 4 };
static struct {
    bool in[PEOPLE][ROOMS]; /* as told */
    int users[3], rooms[ROOMS];
    bool user_here[3], room_here[ROOMS];
    wshub_conn conns[PEOPLE];
    char ids[PEOPLE][37];
    bool there[PEOPLE];
    int busy;
} model;
static const char *const model_rooms[] = {"den", "a", "b", "c"};
static const char *const model_users[] = {"u0", "u1", "u2"};

static int person_of(wshub_str id) {
    int i;
    for (i = 0; i < PEOPLE; i++)
        if (wshub_str_eq_z(id, model.ids[i])) return i;
    return -1;
}
static int one_of(const char *const *names, int count, wshub_str name) {
    int i;
    for (i = 0; i < count; i++)
        if (wshub_str_eq_z(name, names[i])) return i;
    EXPECT(false);
    return 0;
}

static void meddle(wshub *hub) {
    int who = (int)any_of(PEOPLE), room = (int)any_of(ROOMS);
    wshub_client c;
    if (!model.busy || any_of(3)) return;
    if (wshub_client_find(hub, S(model.ids[who]), &c)) return;
    switch (any_of(4)) {
    case 0: (void)wshub_client_join(hub, c, S(model_rooms[room])); break;
    case 1: (void)wshub_client_leave(hub, c, S(model_rooms[room])); break;
    case 2:
        if (any_of(6) == 0) (void)wshub_client_close(hub, c, 4000, S(""));
        break;
    default: break;
    }
}
static void m_joined(wshub *hub, const wshub_presence *p, void *user) {
    int who = person_of(p->client_id), room = one_of(model_rooms, ROOMS, p->room);
    (void)user;
    if (who < 0) return; /* while it is being made, its name is not known to the model */
    EXPECT(!model.in[who][room]);
    model.in[who][room] = true;
    model.rooms[room]++;
    EXPECT(model.room_here[room]);
    meddle(hub);
}
static void m_left(wshub *hub, const wshub_presence *p, void *user) {
    int who = person_of(p->client_id), room = one_of(model_rooms, ROOMS, p->room);
    (void)user;
    if (who < 0) return;
    EXPECT(model.in[who][room]);
    EXPECT(model.room_here[room]);
    model.in[who][room] = false;
    model.rooms[room]--;
    meddle(hub);
}
static void m_room_here(wshub *hub, const wshub_presence *p, void *user) {
    int room = one_of(model_rooms, ROOMS, p->room);
    (void)user;
    EXPECT(!model.room_here[room]);
    EXPECT_INT(model.rooms[room], 0);
    model.room_here[room] = true;
    meddle(hub);
}
static void m_room_gone(wshub *hub, const wshub_presence *p, void *user) {
    int room = one_of(model_rooms, ROOMS, p->room);
    (void)user;
    EXPECT(model.room_here[room]);
    EXPECT_INT(model.rooms[room], 0);
    model.room_here[room] = false;
    meddle(hub);
}
static void m_user_here(wshub *hub, const wshub_presence *p, void *user) {
    int u = one_of(model_users, 3, p->user_id);
    (void)user;
    EXPECT(!model.user_here[u]);
    model.user_here[u] = true;
    meddle(hub);
}
static void m_user_gone(wshub *hub, const wshub_presence *p, void *user) {
    int u = one_of(model_users, 3, p->user_id);
    (void)user;
    EXPECT(model.user_here[u]);
    model.user_here[u] = false;
    meddle(hub);
}

/* What has been told is what is so, when a turn has ended. */
static void agree(void) {
    int i, k;
    for (i = 0; i < 3; i++)
        EXPECT(model.user_here[i] == (wshub_user_count(w.hub, S(model_users[i])) > 0));
    for (k = 0; k < ROOMS; k++)
        EXPECT(model.room_here[k] == (wshub_room_count(w.hub, S(model_rooms[k])) > 0));
    for (i = 0; i < PEOPLE; i++) {
        wshub_client c;
        bool there = wshub_client_find(w.hub, S(model.ids[i]), &c) == WSHUB_OK;
        for (k = 0; k < ROOMS; k++)
            EXPECT(model.in[i][k] == (there && wshub_client_in_room(w.hub, c, S(model_rooms[k]))));
        model.there[i] = there;
    }
}

static void person(int i, const char *user) {
    wshub_iter it = {0, 0};
    wshub_client c, last = {0};
    char text[80];
    model.conns[i] = wshub_io_fake_connect(w.net, "/ws");
    if (!model.conns[i].id) return;
    while (wshub_client_each(w.hub, &it, &c)) last = c;
    (void)snprintf(model.ids[i], 37, "%.36s", wshub_client_id(w.hub, last).ptr);
    (void)snprintf(text, sizeof text, "{\"event\":\"authenticate\",\"data\":{\"user\":\"%s\"}}",
                   user);
    wshub_io_fake_text(w.net, model.conns[i], text);
}

/* Who finds no memory is sent away. */
static void accept_or_not(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    char name[8];
    wshub_identity who = {.user_id = {name, 0}};
    (void)user;
    who.user_id.len = wshub_json_text(wshub_json_get(auth->data, "user"), name, sizeof name);
    if (wshub_auth_accept(hub, ask, &who)) (void)wshub_ask_reject(hub, ask);
}

static void story(uint32_t seed) {
    int step;
    memset(&model, 0, sizeof model);
    any_seed = seed * 2654435761u + 1;
    start(DESC(.on_joined = m_joined, .on_left = m_left, .on_room_here = m_room_here,
               .on_room_gone = m_room_gone, .on_user_here = m_user_here,
               .on_user_gone = m_user_gone, .on_authenticate = accept_or_not));
    model.busy = seed % 3 == 0;
    for (step = 0; step < 60; step++) {
        int who = (int)any_of(PEOPLE), room = (int)any_of(ROOMS);
        wshub_client c;
        bool there = wshub_client_find(w.hub, S(model.ids[who]), &c) == WSHUB_OK;
        if (seed % 5 == 0 && any_of(4) == 0) w.fail_at = 1 + (long)any_of(8);
        if (!there) {
            person(who, model_users[any_of(3)]);
        } else {
            switch (any_of(7)) {
            case 0:
            case 1:
            case 2: (void)wshub_client_join(w.hub, c, S(model_rooms[room])); break;
            case 3:
            case 4: (void)wshub_client_leave(w.hub, c, S(model_rooms[room])); break;
            case 5: wshub_io_fake_end(w.net, model.conns[who]); break;
            default: (void)wshub_client_close(w.hub, c, 4000, S("")); break;
            }
        }
        if (any_of(3)) continue;
        w.fail_at = 0;
        wshub_io_fake_run(w.net);
        wshub_io_fake_run(w.net);
        agree();
    }
    w.fail_at = 0;
    model.busy = 0;
    world_stop(&w);
    for (step = 0; step < PEOPLE * ROOMS; step++) EXPECT(!model.in[step / ROOMS][step % ROOMS]);
    for (step = 0; step < ROOMS; step++) EXPECT(!model.room_here[step]);
    for (step = 0; step < 3; step++) EXPECT(!model.user_here[step]);
}

TEST(what_is_told_is_what_is_so_whatever_happens) { /* PRES-1 to PRES-3 */
    uint32_t seed;
    for (seed = 1; seed <= 400; seed++) {
        int before = test_failures;
        story(seed);
        if (test_failures != before) {
            (void)printf("  seed %u\n", seed);
            break;
        }
    }
}

/* ---- many rooms, and nothing where nobody asks ---- */

static int comings, goings;
static void count_joined(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub, (void)p, (void)user;
    comings++;
}
static void count_left(wshub *hub, const wshub_presence *p, void *user) {
    (void)hub, (void)p, (void)user;
    goings++;
}

TEST(clients_in_many_rooms_are_told_of_all_of_them) { /* PRES-2, ROOM-5 */
    char a[37], name[20];
    wshub_client c;
    int i;
    comings = goings = 0;
    start(DESC(.on_joined = count_joined, .on_left = count_left, .rooms_per_client_max = 2000));
    (void)world_client(&w, NULL, a);
    c = world_handle(&w, a);
    for (i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "room %d", i);
        EXPECT_INT(wshub_client_join(w.hub, c, S(name)), WSHUB_OK);
    }
    wshub_io_fake_run(w.net);
    EXPECT_INT(comings, 1001);
    for (i = 0; i < 1000; i += 2) {
        (void)snprintf(name, sizeof name, "room %d", i);
        EXPECT_INT(wshub_client_leave(w.hub, c, S(name)), WSHUB_OK);
    }
    wshub_io_fake_run(w.net);
    EXPECT_INT(goings, 500);
    world_stop(&w);
    EXPECT_INT(goings, 1001);
}

TEST(users_of_a_room_are_seen_once_however_many_clients_they_have) { /* ROOM-5 */
    char ids[7][37], seen[200];
    wshub_iter it = {0, 0};
    wshub_str user;
    int i;
    start(DESC(0));
    for (i = 0; i < 6; i++) {
        (void)world_client(&w, i < 3 ? "ada" : i < 5 ? "bob" : NULL, ids[i]);
        if (i != 0 && i != 3)
            EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, ids[i]), S("tea")), WSHUB_OK);
    }
    seen[0] = 0;
    while (wshub_room_each_user(w.hub, S("tea"), &it, &user)) {
        size_t n = strlen(seen);
        (void)snprintf(seen + n, sizeof seen - n, "%.*s;", (int)user.len, user.ptr);
    }
    EXPECT(strcmp(seen, "ada;bob;") == 0 || strcmp(seen, "bob;ada;") == 0);
    memset(&it, 0, sizeof it);
    EXPECT(wshub_room_each_user(w.hub, S(ids[0]), &it, &user)); /* alone in its own room */
    EXPECT(wshub_str_eq_z(user, "ada"));
    EXPECT(!wshub_room_each_user(w.hub, S(ids[0]), &it, &user));
    memset(&it, 0, sizeof it);
    EXPECT(!wshub_room_each_user(w.hub, S("none"), &it, &user));
    memset(&it, 0, sizeof it);
    EXPECT(!wshub_room_each_user_in(w.hub, (wshub_realm){77}, S("tea"), &it, &user));
    world_stop(&w);
}

TEST(a_user_whose_first_client_has_just_gone_is_seen_by_the_next) { /* ROOM-5 */
    char ids[2][37];
    wshub_iter it = {0, 0};
    wshub_str user;
    int i;
    start(DESC(0));
    for (i = 0; i < 2; i++) (void)world_client(&w, "ada", ids[i]);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, ids[0]), 4000, S("")), WSHUB_OK);
    EXPECT(wshub_room_each_user(w.hub, S("den"), &it, &user) && wshub_str_eq_z(user, "ada"));
    EXPECT(!wshub_room_each_user(w.hub, S("den"), &it, &user));
    world_stop(&w);
}

TEST(one_callback_alone_is_enough) { /* PRES-3 */
    static const char *const told[] = {"room here den;", "room gone den;", "user here ada;",
                                       "user gone ada;"};
    int which;
    for (which = 0; which < 4; which++) {
        wshub_desc d = DESC(0);
        char id[37];
        if (which == 0) d.on_room_here = room_here;
        if (which == 1) d.on_room_gone = room_gone;
        if (which == 2) d.on_user_here = user_here;
        if (which == 3) d.on_user_gone = user_gone;
        start(d);
        wshub_io_fake_end(w.net, world_client(&w, "ada", id));
        EXPECT_TOLD(told[which]);
        world_stop(&w);
    }
}

TEST(who_finds_no_memory_to_be_told_of_does_not_join) { /* PRES-2 */
    char id[37], name[20];
    wshub_client c;
    long n;
    int i;
    comings = goings = 0;
    start(DESC(.on_joined = count_joined, .on_left = count_left));
    (void)world_client(&w, "ada", id);
    c = world_handle(&w, id);
    for (i = 0; i < 40; i++) { /* through the growth of all that is needed */
        for (n = 1; n < 9; n++) {
            (void)snprintf(name, sizeof name, "room %d", i);
            w.fail_at = n;
            if (wshub_client_join(w.hub, c, S(name)) == WSHUB_OK) break;
            w.fail_at = 0;
            EXPECT(!wshub_client_in_room(w.hub, c, S(name)));
        }
        w.fail_at = 0;
        EXPECT(wshub_client_in_room(w.hub, c, S(name)));
    }
    wshub_io_fake_run(w.net);
    EXPECT_INT(comings, 41);
    world_stop(&w);
    EXPECT_INT(goings, 41);
}
