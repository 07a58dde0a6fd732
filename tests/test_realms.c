/* Realms: what is equal in two of them has nothing to do with each other; what counts, ends and
 * fails counts all of them. */
#include "hubtest.h"
#include "told_bus.h"

static world w;
static const wshub_realm first;

static wshub_realm new_realm(const char *name) {
    wshub_realm realm = {0};
    EXPECT_INT(wshub_realm_create(w.hub,
                                  &(wshub_realm_desc){.version = WSHUB_REALM_VERSION, .name = name},
                                  &realm),
               WSHUB_OK);
    EXPECT(realm.id != 0);
    return realm;
}

/* A client of a realm, unauthorized, at a WebSocket. The one that its upgrade has made is taken back:
 * the JSON dialect's clients are in the first realm, with ids that are UUIDs. */
static wshub_conn open_in(wshub_realm realm, const char *id, wshub_err want) {
    wshub_conn wire = wshub_io_fake_connect(w.net, "/ws");
    wshub_client fresh;
    wshub_client_desc desc;
    EXPECT_INT(wshub_client_cancel(w.hub, wshub_conn_client(w.hub, wire)), WSHUB_OK);
    memset(&desc, 0, sizeof desc);
    desc.realm = realm;
    if (id) desc.id = S(id);
    EXPECT_INT(wshub_client_add(w.hub, wshub_conn_session(w.hub, wire), &desc, &fresh), want);
    return wire;
}

/* The same, authenticated as a user; `connected` has been taken. */
static wshub_conn client_in(wshub_realm realm, const char *id, const char *user) {
    wshub_conn wire = open_in(realm, id, WSHUB_OK);
    wshub_io_fake_frame frame;
    char text[96];
    (void)snprintf(text, sizeof text, "{\"event\":\"authenticate\",\"data\":{\"user\":\"%s\"}}",
                   user);
    wshub_io_fake_text(w.net, wire, text);
    EXPECT(wshub_io_fake_next(w.net, wire, &frame));
    return wire;
}

static wshub_client handle_in(wshub_realm realm, const char *id) {
    wshub_client client = {0};
    (void)wshub_client_find_in(w.hub, realm, S(id), &client);
    return client;
}

static wshub_err send_in(wshub_realm realm, wshub_dest_kind kind, const char *name,
                         const char *data) {
    wshub_msg m = msg("m", data);
    wshub_dest dest;
    memset(&dest, 0, sizeof dest);
    dest.kind = kind;
    dest.name = S(name);
    dest.realm = realm;
    return wshub_send(w.hub, &dest, &m);
}

/* How many are seen by a walk over all clients of a realm, or over its users or rooms. */
static int clients_in(wshub_realm realm) {
    wshub_iter it = {0, 0};
    wshub_client client;
    int n = 0;
    while (wshub_client_each_in(w.hub, realm, &it, &client)) {
        EXPECT_INT(wshub_client_realm(w.hub, client).id, realm.id);
        n++;
    }
    return n;
}
static int rooms_in(wshub_realm realm) {
    wshub_iter it = {0, 0};
    wshub_str room;
    int n = 0;
    while (wshub_room_each_in(w.hub, realm, &it, &room)) n++;
    return n;
}
static int users_in(wshub_realm realm) {
    wshub_iter it = {0, 0};
    wshub_str user;
    int n = 0;
    while (wshub_user_each_in(w.hub, realm, &it, &user)) n++;
    return n;
}
static int members_in(wshub_realm realm, const char *room) {
    wshub_iter it = {0, 0};
    wshub_client client;
    int n = 0;
    while (wshub_room_each_member_in(w.hub, realm, S(room), &it, &client)) n++;
    return n;
}
static int sessions_in(wshub_realm realm, const char *user) {
    wshub_iter it = {0, 0};
    wshub_client client;
    int n = 0;
    while (wshub_user_each_client_in(w.hub, realm, S(user), &it, &client)) n++;
    return n;
}

/* A client named `twin` of a user `u`, in rooms `r` and `x`, in each of two realms. */
static wshub_realm second;
static wshub_conn one, two;
static void twins_start(wshub_desc desc) {
    wshub_realm realms[2];
    int i;
    desc.on_authenticate = accept_all;
    world_start(&w, desc, FAKE(0));
    second = new_realm("/second");
    one = client_in(first, "twin", "u");
    two = client_in(second, "twin", "u");
    realms[0] = first;
    realms[1] = second;
    for (i = 0; i < 2; i++) {
        EXPECT_INT(wshub_client_join(w.hub, handle_in(realms[i], "twin"), S("r")), WSHUB_OK);
        EXPECT_INT(wshub_client_join(w.hub, handle_in(realms[i], "twin"), S("x")), WSHUB_OK);
    }
}

TEST(equal_names_in_two_realms_are_two) {
    wshub_client a, b, found;
    twins_start(DESC(.no_default_rooms = true));
    a = handle_in(first, "twin");
    b = handle_in(second, "twin");
    EXPECT(a.id && b.id && a.id != b.id);
    EXPECT_INT(wshub_client_find(w.hub, S("twin"), &found), WSHUB_OK);
    EXPECT_INT(found.id, a.id);
    EXPECT_INT(wshub_client_realm(w.hub, a).id, 0);
    EXPECT_INT(wshub_client_realm(w.hub, b).id, second.id);
    EXPECT(wshub_client_in_room(w.hub, a, S("r")) && wshub_client_in_room(w.hub, b, S("r")));

    /* What one leaves the other is in. */
    EXPECT_INT(wshub_client_leave(w.hub, a, S("x")), WSHUB_OK);
    EXPECT(!wshub_client_in_room(w.hub, a, S("x")) && wshub_client_in_room(w.hub, b, S("x")));
    EXPECT_INT(wshub_room_count(w.hub, S("x")), 0);
    EXPECT_INT(wshub_room_count_in(w.hub, second, S("x")), 1);
    EXPECT_INT(wshub_room_count_in(w.hub, first, S("r")), 1);
    EXPECT_INT(wshub_user_count(w.hub, S("u")), 1);
    EXPECT_INT(wshub_user_count_in(w.hub, second, S("u")), 1);

    /* Walks: rooms `r` and `twin`; in the second `x` too. */
    EXPECT_INT(clients_in(first), 1);
    EXPECT_INT(clients_in(second), 1);
    EXPECT_INT(rooms_in(first), 2);
    EXPECT_INT(rooms_in(second), 3);
    EXPECT_INT(users_in(first), 1);
    EXPECT_INT(users_in(second), 1);
    EXPECT_INT(members_in(first, "x"), 0);
    EXPECT_INT(members_in(second, "x"), 1);
    EXPECT_INT(members_in(second, "twin"), 1);
    EXPECT_INT(sessions_in(first, "u"), 1);
    EXPECT_INT(sessions_in(second, "u"), 1);

    /* Statistics count both. */
    EXPECT_INT(stats(&w).clients, 2);
    EXPECT_INT(stats(&w).authenticated, 2);
    EXPECT_INT(stats(&w).users, 2);
    EXPECT_INT(stats(&w).rooms, 5);

    /* An end in one is none in the other. */
    wshub_io_fake_end(w.net, one);
    EXPECT_INT(wshub_client_find(w.hub, S("twin"), &found), WSHUB_ERR_STALE);
    EXPECT_INT(handle_in(second, "twin").id, b.id);
    EXPECT_INT(clients_in(first) + rooms_in(first) + users_in(first), 0);
    EXPECT_INT(rooms_in(second), 3);
    world_stop(&w);
}

TEST(what_is_sent_in_a_realm_reaches_nobody_in_another) {
    wshub_str nobody = S("twin");
    wshub_msg m = msg("m", "7");
    wshub_dest dest;
    twins_start(DESC(.no_default_rooms = true));
    EXPECT_INT(send_in(second, WSHUB_DEST_RESOLVE, "", "1"), WSHUB_OK);
    EXPECT_INT(send_in(second, WSHUB_DEST_RESOLVE, "twin", "2"), WSHUB_OK);
    EXPECT_INT(send_in(second, WSHUB_DEST_RESOLVE, "r", "3"), WSHUB_OK);
    EXPECT_INT(send_in(second, WSHUB_DEST_USER, "u", "4"), WSHUB_OK);
    EXPECT_INT(send_in(second, WSHUB_DEST_ROOM, "twin", "5"), WSHUB_OK);
    EXPECT_INT(send_in(second, WSHUB_DEST_CLIENT, "twin", "6"), WSHUB_OK);

    /* Whom one realm leaves out is left out there alone. */
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ALL;
    dest.exclude = &nobody;
    dest.exclude_count = 1;
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK);
    dest.realm = second;
    m = msg("m", "8");
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_SILENCE(&w, one);
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":2}");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":3}");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":4}");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":5}");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":6}");
    EXPECT_SILENCE(&w, two);

    /* And the first realm's, which functions without a realm mean. */
    m = msg("m", "9");
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_room_send_here(w.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_user_send_here(w.hub, S("u"), &m), WSHUB_OK);
    EXPECT_INT(wshub_send(w.hub, NULL, &m), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, one, "{\"event\":\"m\",\"data\":9}");
    EXPECT_TEXT(&w, one, "{\"event\":\"m\",\"data\":9}");
    EXPECT_TEXT(&w, one, "{\"event\":\"m\",\"data\":9}");
    EXPECT_TEXT(&w, one, "{\"event\":\"m\",\"data\":9}");
    EXPECT_SILENCE(&w, one);
    EXPECT_SILENCE(&w, two);
    EXPECT_INT(send_in((wshub_realm){1}, WSHUB_DEST_ALL, "", "1"), WSHUB_ERR_STALE);
    world_stop(&w);
}

TEST(several_rooms_are_those_of_one_realm) { /* SEND-1 */
    static const wshub_str rooms[] = {{"r", 1}, {"x", 1}, {"y", 1}}, without[] = {{"z", 1}};
    wshub_msg m = msg("m", "1");
    wshub_dest dest;
    twins_start(DESC(.no_default_rooms = true));
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ROOM;
    dest.rooms = rooms;
    dest.rooms_count = 3;
    dest.realm = second;
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK); /* once, though it is in two */
    dest.except_rooms = without;
    dest.except_rooms_count = 1;
    EXPECT_INT(wshub_client_join(w.hub, handle_in(first, "twin"), S("z")), WSHUB_OK);
    m = msg("m", "2"); /* whoever is in `z` of the other realm keeps nobody from hearing it */
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, handle_in(second, "twin"), S("z")), WSHUB_OK);
    m = msg("m", "3");
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    dest.realm.id = 12345;
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_ERR_STALE);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":2}");
    EXPECT_SILENCE(&w, two);
    EXPECT_SILENCE(&w, one);
    world_stop(&w);
}

/* What is sent to all, or to a room, without a break is gathered: two realms that are sent to by
 * turns gather nothing of each other, and order is kept. */
TEST(bursts_in_two_realms_are_two) {
    int i, k;
    char data[16], want[48];
    twins_start(DESC(.no_default_rooms = true));
    for (i = 0; i < 40; i++) {
        wshub_realm realm = i % 8 < 4 ? first : second;
        (void)snprintf(data, sizeof data, "%d", i);
        EXPECT_INT(send_in(realm, i < 20 ? WSHUB_DEST_ALL : WSHUB_DEST_ROOM, "r", data), WSHUB_OK);
    }
    wshub_io_fake_run(w.net);
    for (k = 0; k < 2; k++) {
        for (i = 0; i < 40; i++) {
            if ((i % 8 < 4) != (k == 0)) continue;
            (void)snprintf(want, sizeof want, "{\"event\":\"m\",\"data\":%d}", i);
            EXPECT_TEXT(&w, k ? two : one, want);
        }
        EXPECT_SILENCE(&w, k ? two : one);
    }
    world_stop(&w);
}

/* SEND-1: marks of those who are left out run out for the whole hub at once */
TEST(marks_that_are_used_up_are_wiped_in_all_realms) {
    wshub_str nobody = S("twin");
    wshub_msg m = msg("m", "1");
    wshub_dest dest;
    twins_start(DESC(.no_default_rooms = true));
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ALL;
    dest.exclude = &nobody;
    dest.exclude_count = 1;
    dest.realm = second;
    w.hub->mark = 0;
    EXPECT_INT(wshub_send(w.hub, &dest, &m),
               WSHUB_OK); /* mark 1: the twin of the second bears it */
    w.hub->mark = UINT32_MAX - 1;
    nobody = S("somebody else");
    dest.realm = first;
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK); /* they are used up: 1 again */
    w.hub->mark = 0;
    dest.realm = second;
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK); /* 1: nobody is left out */
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, one, "{\"event\":\"m\",\"data\":1}");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":1}");
    EXPECT_SILENCE(&w, two);
    world_stop(&w);
}

TEST(ids_are_of_any_length_and_unique_in_their_realm) {
    wshub_client found;
    char id[WSHUB__ID_BYTES + 1];
    wshub_conn a;
    memset(id, 'i', sizeof id);
    id[WSHUB__ID_BYTES] = 0;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    second = new_realm(NULL);
    (void)open_in(second, "a", WSHUB_OK);
    (void)open_in(second, id, WSHUB_OK);
    (void)open_in(second, NULL, WSHUB_OK); /* a UUID */
    EXPECT_INT(wshub_client_find_in(w.hub, second, S("a"), &found), WSHUB_OK);
    EXPECT_INT(wshub_client_id(w.hub, found).len, 1);
    EXPECT_INT(wshub_client_find_in(w.hub, second, S(id), &found), WSHUB_OK);
    EXPECT_INT(stats(&w).clients, 3);

    /* ROOM-1: of whatever length an id is, its room is nobody else's to ask for; another realm's
     * ids are only names. */
    a = client_in(second, "a-longer-one", "u");
    found = handle_in(second, "a-longer-one");
    EXPECT(!wshub_client_may_join(w.hub, found, S("a")));
    EXPECT(!wshub_client_may_join(w.hub, found, S(id)));
    EXPECT(wshub_client_may_join(w.hub, found, S("a-longer-one")));
    EXPECT(wshub_client_may_join(w.hub, found, S("b")));
    (void)client_in(first, "b", "u");
    EXPECT(wshub_client_may_join(w.hub, found, S("b")));
    wshub_io_fake_end(w.net, a);
    world_stop(&w);
}

TEST(an_id_that_is_taken_is_refused_and_changes_nothing) {
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    second = new_realm(NULL);
    (void)open_in(second, "a", WSHUB_OK);
    w.unchecked = true; /* its stream has nobody above it */
    (void)open_in(second, "a", WSHUB_ERR_STATE);
    (void)open_in((wshub_realm){second.id + (UINT64_C(1) << 32)}, "b", WSHUB_ERR_STALE);
    w.unchecked = false;
    EXPECT_INT(stats(&w).clients, 1);
    EXPECT(wshub_self_check(w.hub) == NULL);
    world_stop(&w);
}

TEST(limits_count_all_realms_together) { /* ROOM-6 */
    twins_start(DESC(.no_default_rooms = true, .rooms_max = 5, .users_max = 2));
    EXPECT_INT(wshub_client_join(w.hub, handle_in(second, "twin"), S("y")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, handle_in(first, "twin"), S("y")), WSHUB_ERR_LIMIT);
    EXPECT_INT(wshub_client_leave(w.hub, handle_in(second, "twin"), S("y")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, handle_in(first, "twin"), S("y")), WSHUB_OK);

    /* A third user finds no place in either. */
    {
        wshub__client *twin = wshub__client_get(w.hub, handle_in(second, "twin"));
        wshub__group *group;
        EXPECT_INT(wshub__group_new(w.hub, wshub__realm_of(w.hub, twin), WSHUB__KIND_USER, S("v"),
                                    wshub__index_hash(&wshub__realm_of(w.hub, twin)->index,
                                                      WSHUB__KIND_USER, S("v")),
                                    &group),
                   WSHUB_ERR_LIMIT);
    }
    world_stop(&w);
}

/* ---- making and ending them ---- */

TEST(a_realm_is_what_it_was_made_with) {
    static const char *const rooms[] = {"lobby", "news"};
    wshub_realm_desc desc;
    wshub_realm realm, other;
    wshub_conn wire;
    int it_is;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    memset(&desc, 0, sizeof desc);
    desc.version = WSHUB_REALM_VERSION;
    desc.name = "/chat";
    desc.default_rooms = rooms;
    desc.default_rooms_count = 2;
    desc.user = &it_is;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_OK);
    EXPECT(wshub_str_eq_z(wshub_realm_name(w.hub, realm), "/chat"));
    EXPECT(wshub_realm_user(w.hub, realm) == &it_is);
    EXPECT(wshub_str_eq_z(wshub_realm_name(w.hub, first), "") &&
           wshub_realm_name(w.hub, first).ptr);
    EXPECT(!wshub_realm_user(w.hub, first));
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &other), WSHUB_OK); /* names need not be unique */
    EXPECT(other.id != realm.id);

    wire = client_in(realm, "a", "u");
    EXPECT(wshub_client_in_room(w.hub, handle_in(realm, "a"), S("news")));
    EXPECT_INT(wshub_room_count_in(w.hub, realm, S("lobby")), 1);
    EXPECT_INT(wshub_room_count_in(w.hub, other, S("lobby")), 0);
    EXPECT_INT(wshub_room_count_in(w.hub, realm, S("ws-default")), 0);

    /* It ends once nobody is in it. */
    EXPECT_INT(wshub_realm_destroy(w.hub, realm), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_realm_destroy(w.hub, first), WSHUB_ERR_STATE);
    wshub_io_fake_end(w.net, wire);
    EXPECT_INT(wshub_realm_destroy(w.hub, realm), WSHUB_OK);
    EXPECT_INT(wshub_realm_destroy(w.hub, realm), WSHUB_ERR_STALE);
    EXPECT_INT(wshub_realm_destroy(w.hub, other), WSHUB_OK);
    world_stop(&w);
}

TEST(half_a_description_of_a_realm_is_refused) {
    static const char *const rooms[] = {"a", "b", "c"};
    static const char *const empty[] = {""};
    static const char *const broken[] = {"\xff"};
    wshub_realm_desc good, desc;
    wshub_realm realm = {7};
    world_start(&w, DESC(.rooms_per_client_max = 3, .rooms_max = 2), FAKE(0));
    memset(&good, 0, sizeof good);
    good.version = WSHUB_REALM_VERSION;
    good.default_rooms = rooms;
    good.default_rooms_count = 2;
    EXPECT_INT(wshub_realm_create(w.hub, NULL, &realm), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_realm_create(w.hub, &good, NULL), WSHUB_ERR_PARAM);
    desc = good;
    desc.version = WSHUB_REALM_VERSION + 1;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    desc = good;
    desc.name = "\xc0";
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    desc = good;
    desc.default_rooms_count = 0;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    desc = good;
    desc.default_rooms = NULL;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    desc = good;
    desc.default_rooms_count = 3; /* and its own would be the fourth of three */
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    w.hub->desc.rooms_per_client_max = 10; /* over rooms_max */
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    desc = good;
    desc.default_rooms_count = 1;
    desc.default_rooms = empty;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    desc.default_rooms = broken;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_ERR_PARAM);
    EXPECT_INT(realm.id, 7);
    EXPECT_INT(wshub_realm_create(w.hub, &good, &realm), WSHUB_OK);
    world_stop(&w);
}

TEST(a_realm_that_is_gone_holds_nobody) {
    wshub_realm gone;
    wshub_client client;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    gone = new_realm("gone");
    EXPECT_INT(wshub_realm_destroy(w.hub, gone), WSHUB_OK);
    second = new_realm("in its place");
    EXPECT((uint32_t)second.id == (uint32_t)gone.id && second.id != gone.id);
    (void)client_in(second, "a", "u");
    EXPECT_INT(wshub_client_find_in(w.hub, gone, S("a"), &client), WSHUB_ERR_STALE);
    EXPECT_INT(clients_in(gone) + rooms_in(gone) + users_in(gone), 0);
    EXPECT_INT(members_in(gone, "a") + sessions_in(gone, "u"), 0);
    EXPECT_INT(wshub_room_count_in(w.hub, gone, S("a")) + wshub_user_count_in(w.hub, gone, S("u")),
               0);
    EXPECT_INT(send_in(gone, WSHUB_DEST_CLIENT, "a", "1"), WSHUB_ERR_STALE);
    EXPECT(!wshub_realm_name(w.hub, gone).ptr && !wshub_realm_user(w.hub, gone));
    EXPECT_INT(wshub_client_realm(w.hub, (wshub_client){0}).id, 0);
    world_stop(&w);
}

/* A burst to all of a realm that has ended is no burst to all of the one that has its place. */
TEST(what_was_sent_to_a_realm_ends_with_it) {
    wshub_conn wire;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    second = new_realm(NULL);
    wire = client_in(second, "a", "u");
    EXPECT_INT(send_in(second, WSHUB_DEST_ALL, "", "1"), WSHUB_OK);
    EXPECT(w.hub->last_target != NULL);
    wshub_io_fake_end(w.net, wire);
    EXPECT_INT(wshub_realm_destroy(w.hub, second), WSHUB_OK);
    EXPECT(w.hub->last_target == NULL);
    second = new_realm(NULL);
    wire = client_in(second, "a", "u");
    EXPECT_INT(send_in(second, WSHUB_DEST_ALL, "", "2"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, wire, "{\"event\":\"m\",\"data\":2}");
    world_stop(&w);
}

TEST(there_are_so_many_realms_and_no_more) {
    wshub_realm realm = {0}, one_more;
    wshub_realm_desc desc;
    uint32_t i;
    size_t before;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    w.unchecked = true; /* it walks all of them */
    before = w.bytes;
    memset(&desc, 0, sizeof desc);
    desc.version = WSHUB_REALM_VERSION;
    for (i = 1; i < WSHUB_REALMS_MAX; i++)
        EXPECT_INT(wshub_realm_create(w.hub, &desc, &realm), WSHUB_OK);
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &one_more), WSHUB_ERR_LIMIT);
    EXPECT_OP(w.bytes - before, <, WSHUB_REALMS_MAX * (size_t)512);

    /* The last works as the first does. */
    (void)client_in(realm, "a", "u");
    EXPECT_INT(clients_in(realm), 1);
    EXPECT_INT(send_in(realm, WSHUB_DEST_ALL, "", "1"), WSHUB_OK);
    EXPECT(wshub_self_check(w.hub) == NULL);
    world_stop(&w);
}

/* What many names and many realms took is given back, but for one page of each. */
TEST(realms_that_have_ended_are_given_back) {
    enum { MANY = 2000 };
    static wshub_realm realms[MANY];
    wshub_conn wire;
    char name[16];
    uint32_t i;
    size_t before;
    world_start(&w, DESC(.on_authenticate = accept_all, .rooms_per_client_max = 5000), FAKE(0));
    w.unchecked = true;
    second = new_realm("stays");
    wire = client_in(second, "a", "u");
    wshub_io_fake_run(w.net);
    before = w.bytes;
    for (i = 0; i < MANY; i++) realms[i] = new_realm("x");
    for (i = 0; i < 4000; i++) {
        (void)snprintf(name, sizeof name, "r%u", (unsigned)i);
        EXPECT_INT(wshub_client_join(w.hub, handle_in(second, "a"), S(name)), WSHUB_OK);
    }
    EXPECT_OP(w.bytes, >, before + MANY * sizeof(wshub__realm));
    for (i = 0; i < MANY; i++) EXPECT_INT(wshub_realm_destroy(w.hub, realms[i]), WSHUB_OK);
    for (i = 0; i < 4000; i++) {
        (void)snprintf(name, sizeof name, "r%u", (unsigned)i);
        EXPECT_INT(wshub_client_leave(w.hub, handle_in(second, "a"), S(name)), WSHUB_OK);
    }
    wshub_io_fake_advance(w.net, 1500);
    wshub_io_fake_advance(w.net, 1500);
    EXPECT_OP(w.bytes, <, before + 16384);
    EXPECT_INT(wshub_realm_destroy(w.hub, realms[MANY - 1]), WSHUB_ERR_STALE);
    EXPECT_INT(clients_in(second), 1);
    wshub_io_fake_end(w.net, wire);
    world_stop(&w);
}

/* ---- walks ---- */

TEST(a_walk_that_was_pushed_out_does_not_go_on_in_another_realm) { /* wshub_iter */
    wshub_iter it = {0, 0}, others[70];
    wshub_client last, client;
    wshub_conn wires[3];
    uint32_t index, i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    second = new_realm(NULL);
    wires[0] = client_in(first, "a", "u");
    wires[1] = client_in(first, "b", "u");
    EXPECT(wshub_client_each(w.hub, &it, &last));
    memset(others, 0, sizeof others);
    for (i = 0; i < 70; i++) EXPECT(wshub_client_each(w.hub, &others[i], &client));

    /* Whom it saw last goes, and a client of another realm has the place. */
    index = (uint32_t)last.id;
    wshub_io_fake_end(w.net, wires[0]);
    wires[2] = client_in(second, "c", "u");
    (void)client_in(second, "d", "u");
    while ((uint32_t)handle_in(second, "c").id != index &&
           (uint32_t)handle_in(second, "d").id != index)
        (void)client_in(second, NULL, "u");
    EXPECT(!wshub_client_each(w.hub, &it, &client) && !wshub_client_each(w.hub, &it, &client));
    world_stop(&w);
}

TEST(walks_over_a_realm_end_with_it) {
    wshub_iter it = {0, 0}, rooms = {0, 0}, users = {0, 0};
    wshub_client client;
    wshub_str name;
    wshub_conn a, b;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    second = new_realm(NULL);
    a = client_in(second, "a", "u");
    b = client_in(second, "b", "v");
    EXPECT(wshub_client_each_in(w.hub, second, &it, &client));
    EXPECT(wshub_room_each_in(w.hub, second, &rooms, &name));
    EXPECT(wshub_user_each_in(w.hub, second, &users, &name));
    wshub_io_fake_end(w.net, a);
    wshub_io_fake_end(w.net, b);
    EXPECT_INT(wshub_realm_destroy(w.hub, second), WSHUB_OK);
    second = new_realm(NULL); /* in its place */
    (void)client_in(second, "c", "u");
    EXPECT(!wshub_user_each_in(w.hub, second, &users, &name));
    EXPECT(!wshub_room_each_in(w.hub, first, &rooms, &name));
    world_stop(&w);
}

/* Walks in two realms at a time, in each of which somebody leaves at every step. */
TEST(walks_in_two_realms_do_not_disturb_each_other) {
    enum { MANY = 12 };
    wshub_realm realms[2];
    wshub_conn wires[2][MANY];
    wshub_iter walks[2];
    int seen[2][MANY], i, k, rest[2];
    char id[12];
    wshub_client client;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    realms[0] = first;
    realms[1] = new_realm(NULL);
    memset(seen, 0, sizeof seen);
    memset(walks, 0, sizeof walks);
    for (i = 0; i < MANY; i++) {
        for (k = 0; k < 2; k++) {
            (void)snprintf(id, sizeof id, "%d", i);
            wires[k][i] = client_in(realms[k], id, "u");
            EXPECT_INT(wshub_client_join(w.hub, handle_in(realms[k], id), S("r")), WSHUB_OK);
        }
    }
    rest[0] = rest[1] = MANY;
    for (i = 0; i < MANY; i++) {
        for (k = 0; k < 2; k++) {
            int who;
            if (!wshub_room_each_member_in(w.hub, realms[k], S("r"), &walks[k], &client)) continue;
            who = atoi(wshub_client_id(w.hub, client).ptr);
            EXPECT_INT(wshub_client_realm(w.hub, client).id, realms[k].id);
            EXPECT_INT(seen[k][who]++, 0);
            rest[k]--;
            if (i % 2 == k) wshub_io_fake_end(w.net, wires[k][who]); /* who was seen leaves */
        }
    }
    EXPECT_INT(rest[0], 0);
    EXPECT_INT(rest[1], 0);
    world_stop(&w);
}

/* ---- callbacks, ends ---- */

static char heard[512];
static void tell(const char *what, wshub_realm realm) {
    size_t n = strlen(heard);
    (void)snprintf(heard + n, sizeof heard - n, "%s%d ", what, realm.id ? 2 : 1);
}
static void told_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    tell("auth", auth->realm);
    accept_all(hub, ask, auth, user);
}
static void told_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    (void)user;
    tell("keys", hs->realm);
    EXPECT_INT(wshub_handshake_accept(hub, ask, S("k"), S("s")), WSHUB_OK);
}
static void told_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    tell("join", join->realm);
    join_all(hub, ask, join, user);
}
static void told_going(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    tell("going", gone->realm);
    EXPECT_INT(wshub_client_realm(hub, gone->client).id, gone->realm.id);
}
static void told_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub;
    (void)user;
    tell("gone", gone->realm);
}

TEST(callbacks_say_which_realm) { /* AUTH-3, AUTH-5, ROOM-2, BYE-1 */
    wshub_conn wires[2];
    int k;
    heard[0] = 0;
    world_start(&w,
                DESC(.on_authenticate = told_auth, .on_handshake = told_handshake,
                     .on_join = told_join, .on_disconnecting = told_going,
                     .on_disconnected = told_gone, .require_encryption = true),
                FAKE(0));
    second = new_realm(NULL);
    for (k = 0; k < 2; k++) {
        wires[k] = client_in(k ? second : first, "a", "u");
        wshub_io_fake_text(w.net, wires[k], "{\"event\":\"join\",\"data\":{\"rooms\":[\"q\"]}}");
    }
    EXPECT_INT(wshub_room_count_in(w.hub, second, S("q")), 1);
    wshub_io_fake_end(w.net, wires[1]);
    wshub_io_fake_end(w.net, wires[0]);
    EXPECT_STR(heard, "auth1 keys1 join1 auth2 keys2 join2 going2 gone2 going1 gone1 ");
    world_stop(&w);
}

TEST(ends_are_told_in_their_order_whatever_realm_they_are_in) { /* BYE-1 */
    wshub_conn wires[6];
    int i;
    heard[0] = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = told_gone), FAKE(0));
    second = new_realm(NULL);
    for (i = 0; i < 6; i++) wires[i] = client_in(i % 2 ? second : first, NULL, "u");
    wshub_io_fake_hold(w.net, true);
    wshub_io_fake_end(w.net, wires[1]);
    wshub_io_fake_end(w.net, wires[0]);
    wshub_io_fake_end(w.net, wires[2]);
    wshub_io_fake_end(w.net, wires[3]);
    wshub_io_fake_hold(w.net, false);
    EXPECT_STR(heard, "gone2 gone1 gone1 gone2 ");

    /* A hub that is destroyed tells of all, realm by realm. */
    heard[0] = 0;
    world_stop(&w);
    EXPECT_STR(heard, "gone1 gone2 ");
}

static wshub_realm doomed;
static wshub_err doom;
static void destroys_realm(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    doom = wshub_realm_destroy(hub, doomed);
    EXPECT_INT(gone->realm.id, doomed.id);
    EXPECT(wshub_str_eq_z(gone->user_id, "u")); /* readable still */
}
TEST(the_last_one_out_may_end_the_realm) {
    wshub_conn wire;
    int when;
    for (when = 0; when < 2; when++) {
        world_start(&w,
                    DESC(.on_authenticate = accept_all,
                         .on_disconnecting = when ? NULL : destroys_realm,
                         .on_disconnected = when ? destroys_realm : NULL),
                    FAKE(0));
        doomed = new_realm(NULL);
        wire = client_in(doomed, "a", "u");
        wshub_io_fake_end(w.net, wire);
        EXPECT_INT(doom, when ? WSHUB_OK : WSHUB_ERR_STATE); /* it is in it still */
        world_stop(&w);
    }
}

static void makes_realm(wshub *hub, const wshub_gone *gone, void *user) {
    wshub_realm realm;
    wshub_realm_desc desc;
    (void)gone;
    (void)user;
    memset(&desc, 0, sizeof desc);
    desc.version = WSHUB_REALM_VERSION;
    EXPECT_INT(wshub_realm_create(hub, &desc, &realm), WSHUB_ERR_CLOSED);
}
TEST(a_hub_that_ends_makes_no_realms) {
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = makes_realm), FAKE(0));
    (void)client_in(first, "a", "u");
    world_stop(&w);
}

TEST(drain_and_shutdown_reach_all_realms) { /* BYE-2 */
    wshub_conn wires[4];
    int i;
    heard[0] = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_disconnected = told_gone), FAKE(0));
    second = new_realm(NULL);
    for (i = 0; i < 4; i++) wires[i] = client_in(i % 2 ? second : first, NULL, "u");
    EXPECT_INT(wshub_drain(w.hub, 1, 1012, nul()), WSHUB_OK);
    for (i = 0; i < 4; i++) {
        wshub_io_fake_advance(w.net, i ? 1000 : 1);
        EXPECT_INT(stats(&w).clients, 3 - i);
    }
    EXPECT_STR(heard, "gone1 gone1 gone2 gone2 ");
    EXPECT_CLOSE(&w, wires[0], 1012);
    EXPECT_CLOSE(&w, wires[2], 1012);
    EXPECT_CLOSE(&w, wires[1], 1012);
    EXPECT_CLOSE(&w, wires[3], 1012);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_is_down(w.hub));
    world_stop(&w);

    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    second = new_realm(NULL);
    for (i = 0; i < 2; i++) wires[i] = client_in(i ? second : first, "a", "u");
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_CLOSE(&w, wires[0], 1001);
    EXPECT_CLOSE(&w, wires[1], 1001);
    world_stop(&w);
}

/* ---- other threads, the bus ---- */

TEST(what_is_posted_says_its_realm) {
    wshub_msg m = msg("m", "1");
    wshub_dest dest;
    twins_start(DESC(.no_default_rooms = true));
    memset(&dest, 0, sizeof dest);
    dest.name = S("r");
    dest.realm = second;
    EXPECT_INT(wshub_post_send(w.hub, &dest, &m), WSHUB_OK);
    dest.realm.id = 12345; /* it never was: silent */
    EXPECT_INT(wshub_post_send(w.hub, &dest, &m), WSHUB_OK);
    EXPECT_INT(wshub_post_close_id_in(w.hub, dest.realm, S("twin"), 4000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_post_close_id_in(w.hub, second, S("twin"), 1, nul()), WSHUB_ERR_PARAM);
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":1}");
    EXPECT_SILENCE(&w, one);
    EXPECT_INT(wshub_post_close_id_in(w.hub, second, S("twin"), 4000, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_CLOSE(&w, two, 4000);
    EXPECT(handle_in(first, "twin").id);
    EXPECT_INT(wshub_post_close_id(w.hub, S("twin"), 4001, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_CLOSE(&w, one, 4001);
    world_stop(&w);
}

/* Whether a bus has been told of a word since it was last asked; the UUIDs of clients that open_in()
 * has taken back come and go beside that. */
static bool was_told(told *t, const char *word) {
    bool is_there = strstr(t->log, word) != NULL;
    t->len = 0;
    t->log[0] = 0;
    return is_there;
}
TEST(other_instances_hear_of_the_first_realm_alone) { /* BUS-4 */
    told t;
    told_start(&w, &t, true);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    second = new_realm(NULL);
    two = client_in(second, "twin", "u");
    EXPECT_INT(wshub_client_join(w.hub, handle_in(second, "twin"), S("r")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(!strstr(t.log, "twin") && !strstr(t.log, ":u ") && !was_told(&t, ":r "));
    one = client_in(first, "twin", "u");
    EXPECT(strstr(t.log, "+ws:client:twin ") && strstr(t.log, "+ws:room:twin ") &&
           was_told(&t, "+ws:user:u "));

    /* An end in one gives up nothing of the other's. */
    wshub_io_fake_end(w.net, two);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT(!strstr(t.log, "twin") && !was_told(&t, ":u "));
    two = client_in(second, "twin", "u");

    /* Nor does a new connection ask for more than the first's. */
    told_state(&w, &t, WSHUB_BUS_DOWN);
    EXPECT_INT(wshub_client_join(w.hub, handle_in(second, "twin"), S("r")), WSHUB_OK);
    (void)was_told(&t, "");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:user:u +ws:client:twin +ws:room:twin ");
    told_state(&w, &t, WSHUB_BUS_UP);

    /* What is sent in another realm stays here. */
    EXPECT_INT(send_in(second, WSHUB_DEST_ALL, "", "5"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "");
    EXPECT_TEXT(&w, two, "{\"event\":\"m\",\"data\":5}");
    EXPECT_INT(send_in(first, WSHUB_DEST_ALL, "", "6"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "!6 ");
    EXPECT_INT(stats(&w).bus_published, 1);
    world_stop(&w);
}

TEST(an_emitter_speaks_of_the_first_realm) { /* EMIT-1 */
    told t;
    wshub_emitter_desc desc;
    wshub_emitter *emitter;
    wshub_bus bus;
    wshub_msg m = msg("m", "1");
    wshub_dest dest;
    memset(&t, 0, sizeof t);
    memset(&bus, 0, sizeof bus);
    bus.version = WSHUB_BUS_VERSION;
    bus.ctx = &t;
    bus.attach = told_attach;
    bus.publish = told_publish;
    memset(&desc, 0, sizeof desc);
    desc.bus = &bus;
    EXPECT_INT(wshub_emitter_create(&desc, &emitter), WSHUB_OK);
    memset(&dest, 0, sizeof dest);
    dest.realm.id = 1;
    EXPECT_INT(wshub_emitter_send(emitter, &dest, &m), WSHUB_ERR_PARAM);
    dest.realm.id = 0;
    EXPECT_INT(wshub_emitter_send(emitter, &dest, &m), WSHUB_OK);
    wshub_emitter_destroy(emitter);
}

/* ---- memory ---- */

/* Each allocation fails once while a realm is made and lived in; what came of it is whole. */
static bool poor_round(long n, wshub_realm *realm) {
    wshub_realm_desc desc;
    static const char *const rooms[] = {"lobby"};
    wshub_client_desc who;
    wshub_client client;
    memset(&desc, 0, sizeof desc);
    desc.version = WSHUB_REALM_VERSION;
    desc.name = "/poor";
    desc.default_rooms = rooms;
    desc.default_rooms_count = 1;
    w.fail_at = n;
    if (wshub_realm_create(w.hub, &desc, realm)) return true;
    memset(&who, 0, sizeof who);
    who.realm = *realm;
    who.id = S("twin");
    if (wshub_client_add(w.hub, wshub_conn_session(w.hub, one), &who, &client)) return true;
    (void)wshub_client_join(w.hub, client, S("a"));
    (void)wshub_client_join(w.hub, client, S("b"));
    (void)wshub_client_join(w.hub, client, S("c"));
    (void)send_in(*realm, WSHUB_DEST_ROOM, "a", "1");
    return w.fail_at == 0;
}
TEST(realms_live_through_want_of_memory) {
    long n;
    bool failed = true;
    for (n = 1; failed && n < 200; n++) {
        wshub_realm realm = {0};
        world_start(&w, DESC(.on_authenticate = accept_all, .no_default_rooms = true), FAKE(0));
        one = client_in(first, "twin", "u");
        failed = poor_round(n, &realm);
        w.fail_at = 0;
        EXPECT(wshub_self_check(w.hub) == NULL);
        EXPECT_INT(wshub_room_count(w.hub, S("a")), 0); /* nothing of it in the other */
        EXPECT(handle_in(first, "twin").id);
        world_stop(&w);
    }
    EXPECT(n > 10 && !failed);
}

/* ---- the self-check ---- */

TEST(the_self_check_sees_what_is_in_another_realm) {
    wshub__client *a, *b;
    wshub__group *room;
    uint32_t member;
    twins_start(DESC(.no_default_rooms = true));
    a = wshub__client_get(w.hub, handle_in(first, "twin"));
    b = wshub__client_get(w.hub, handle_in(second, "twin"));
    EXPECT(wshub_self_check(w.hub) == NULL);
    a->realm = b->realm;
    EXPECT(wshub_self_check(w.hub) != NULL);
    a->realm = 0;
    room = wshub__group_find(&w.hub->first_realm, WSHUB__KIND_ROOM, S("r"));
    room->realm = 1;
    EXPECT(wshub_self_check(w.hub) != NULL);
    room->realm = 0;
    member = wshub__members(room)[0].client;
    wshub__members(room)[0].client = b->index;
    EXPECT(wshub_self_check(w.hub) != NULL);
    wshub__members(room)[0].client = member;
    w.hub->rooms_live++;
    EXPECT(wshub_self_check(w.hub) != NULL);
    w.hub->rooms_live--;
    w.hub->users_live++;
    EXPECT(wshub_self_check(w.hub) != NULL);
    w.hub->users_live--;
    w.hub->subs_count++;
    EXPECT(wshub_self_check(w.hub) != NULL);
    w.hub->subs_count--;
    EXPECT(wshub_self_check(w.hub) == NULL);
    world_stop(&w);
}
