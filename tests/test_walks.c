/* Walks during which anybody joins, leaves, comes and goes (wshub_iter): against a model that
 * knows who was there all the time, with many walks at once, within a turn and across turns. */
#include "hubtest.h"

enum {
    CLIENTS = 10,
    ROOMS = 24,
    /* more than a client finds without a table */ USERS = 3,
    THINGS = ROOMS + CLIENTS,
    WALKS = 12
};
typedef enum kind { ALL_CLIENTS, MEMBERS, SESSIONS, ALL_ROOMS, ALL_USERS, ROOMS_OF, KINDS } kind;
static world the_world;
static uint64_t rng;
static uint32_t dice(uint32_t n) {
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % n;
}
static struct {             /* the model: who is there and in what */
    bool alive, in[THINGS]; /* rooms, then those named like the clients' ids */
    int user;
    char id[37];
    wshub_conn conn;
} who[CLIENTS];
static const char *const user_names[] = {"u0", "u1", "u2"};
static char room_names[ROOMS][16];
static bool greedy; /* clients join much more than they leave */
static uint32_t most_rooms;
static const char *room_name(int thing) {
    return thing < ROOMS ? room_names[thing] : who[thing - ROOMS].id;
}
typedef struct walk {
    bool on;
    kind of;
    int about; /* whose members, sessions or rooms */
    char owner[37];
    wshub_iter it;
    bool start[THINGS], was[THINGS], left[THINGS];
    int seen[THINGS];
} walk;
static walk walks[WALKS];
static long steps, ends;
static bool is_there(const walk *k, int thing) { /* is it part of what is walked? */
    int i;
    switch (k->of) {
    case ALL_CLIENTS: return thing < CLIENTS && who[thing].alive;
    case MEMBERS: return thing < CLIENTS && who[thing].alive && who[thing].in[k->about];
    case SESSIONS: return thing < CLIENTS && who[thing].alive && who[thing].user == k->about;
    case ALL_ROOMS:
        if (thing >= ROOMS && !who[thing - ROOMS].alive) return false; /* see wshub_room_each() */
        for (i = 0; i < CLIENTS; i++) {
            if (who[i].alive && who[i].in[thing]) return true;
        }
        return false;
    case ALL_USERS:
        for (i = 0; i < CLIENTS; i++) {
            if (thing < USERS && who[i].alive && who[i].user == thing) return true;
        }
        return false;
    case ROOMS_OF:
        return who[k->about].alive && strcmp(who[k->about].id, k->owner) == 0 &&
               who[k->about].in[thing];
    case KINDS: break;
    }
    return false;
}
static void look(void) { /* after every change: who was part of a walk and is no more? */
    int i, t;
    for (i = 0; i < WALKS; i++) {
        for (t = 0; walks[i].on && t < THINGS; t++) {
            bool now = is_there(&walks[i], t);
            if (walks[i].was[t] && !now) walks[i].left[t] = true;
            walks[i].was[t] = now;
        }
    }
}
static void begin(walk *k) {
    int t;
    memset(k, 0, sizeof *k);
    k->on = true;
    k->of = (kind)dice(KINDS);
    k->about = (int)dice(k->of == MEMBERS ? THINGS : k->of == SESSIONS ? USERS : CLIENTS);
    if (k->of == MEMBERS && k->about >= ROOMS && !who[k->about - ROOMS].alive) k->about = 0;
    memcpy(k->owner,
           who[k->of == MEMBERS && k->about >= ROOMS ? k->about - ROOMS
               : k->of == ROOMS_OF                   ? k->about
                                                     : 0]
               .id,
           37);
    for (t = 0; t < THINGS; t++) k->start[t] = k->was[t] = is_there(k, t);
}
static int client_named(wshub_client c) {
    wshub_str id = wshub_client_id(the_world.hub, c);
    int i;
    for (i = 0; i < CLIENTS; i++) {
        if (who[i].alive && wshub_str_eq_z(id, who[i].id)) return i;
    }
    return -1;
}
static int room_named(wshub_str name) {
    int t;
    for (t = 0; t < THINGS; t++) {
        if ((t < ROOMS || who[t - ROOMS].alive) && wshub_str_eq_z(name, room_name(t))) return t;
    }
    return -1;
}
static void step(walk *k) {
    wshub_client c = {0};
    wshub_str s = {NULL, 0},
              about = wshub_str_z(k->of == MEMBERS
                                      ? (k->about < ROOMS ? room_names[k->about] : k->owner)
                                  : k->of == SESSIONS ? user_names[k->about]
                                                      : "");
    bool more = false;
    int thing = -1, t;
    steps++;
    switch (k->of) {
    case ALL_CLIENTS: more = wshub_client_each(the_world.hub, &k->it, &c); break;
    case MEMBERS: more = wshub_room_each_member(the_world.hub, about, &k->it, &c); break;
    case SESSIONS: more = wshub_user_each_client(the_world.hub, about, &k->it, &c); break;
    case ALL_ROOMS: more = wshub_room_each(the_world.hub, &k->it, &s); break;
    case ALL_USERS: more = wshub_user_each(the_world.hub, &k->it, &s); break;
    case ROOMS_OF:
        more =
            wshub_client_each_room(the_world.hub, world_handle(&the_world, k->owner), &k->it, &s);
        break;
    case KINDS: break;
    }
    if (more) {
        if (c.id)
            thing = client_named(c);
        else if (k->of == ALL_USERS)
            thing = s.ptr[1] - '0';
        else
            thing = room_named(s);
        /* of one who is gone, others are in it still */
        if ((k->of == ALL_ROOMS || k->of == ROOMS_OF) && thing < 0) return;
        EXPECT_OP(thing, >=, 0);
        if (thing < 0) return;
        EXPECT(k->seen[thing] == 0 || k->left[thing]);
        k->seen[thing]++;
        return;
    }
    ends++;
    for (t = 0; t < THINGS; t++) {
        if (k->start[t] && !k->left[t]) EXPECT_INT(k->seen[t], 1);
    }
    k->on = false;
}
static void come(int i) {
    if (who[i].alive) return;
    memset(&who[i], 0, sizeof who[i]);
    who[i].user = (int)dice(USERS);
    who[i].conn = world_client(&the_world, user_names[who[i].user], who[i].id);
    who[i].alive = true;
    who[i].in[ROOMS + i] = true;
    look();
}
static void change(void) {
    int i = (int)dice(CLIENTS), t = (int)dice(THINGS), k;
    wshub_client c;
    uint32_t what = dice(16);
    if (what == 0) wshub_io_fake_run(the_world.net); /* whoever was closed is buried */
    if (what == 1) come(i);
    if (!who[i].alive || (t >= ROOMS && !who[t - ROOMS].alive)) return;
    c = world_handle(&the_world, who[i].id);
    if (what == 2) {
        if (dice(2))
            EXPECT_INT(wshub_client_close(the_world.hub, c, 1000, wshub_str_z("")), WSHUB_OK);
        else
            wshub_io_fake_end(the_world.net, who[i].conn);
        who[i].alive = false;
        /* a room by that name is nobody's now */
        for (k = 0; k < CLIENTS; k++) who[k].in[ROOMS + i] = false;
    } else if (what < 9 || (greedy && dice(6))) {
        if (wshub__client_get(the_world.hub, c)->rooms_count > most_rooms)
            most_rooms = wshub__client_get(the_world.hub, c)->rooms_count;
        EXPECT_INT(wshub_client_join(the_world.hub, c, wshub_str_z(room_name(t))), WSHUB_OK);
        who[i].in[t] = true;
    } else {
        EXPECT_INT(wshub_client_leave(the_world.hub, c, wshub_str_z(room_name(t))), WSHUB_OK);
        who[i].in[t] = false;
    }
    look();
}
static void play(uint64_t seed, int changes_of_eight, int many) {
    int i, n;
    rng = seed * 977 + 1;
    memset(who, 0, sizeof who);
    memset(walks, 0, sizeof walks);
    for (i = 0; i < ROOMS; i++) (void)snprintf(room_names[i], sizeof room_names[i], "r%d", i);
    greedy = seed % 4 == 1;
    world_start(&the_world, DESC(.on_authenticate = accept_all, .no_default_rooms = true), FAKE(0));
    for (i = 0; i < CLIENTS; i++) come(i);
    for (n = 0; n < (greedy ? 2000 : 400); n++) {
        walk *k = &walks[dice((uint32_t)many)];
        if ((int)dice(8) < changes_of_eight) {
            change();
        } else if (!k->on) {
            begin(k);
        } else {
            step(k);
        }
    }
    world_stop(&the_world);
}

TEST(whoever_stays_is_seen_once) {
    uint64_t seed;
    for (seed = 0; seed < 60; seed++) {
        int before = test_failures;
        play(seed, (int)(seed % 6) + 1, seed % 3 ? 1 + (int)(seed % WALKS) : WALKS);
        if (test_failures > before) {
            (void)printf("  seed %d\n", (int)seed);
            return;
        }
    }
    EXPECT(steps > 2000 && ends > 200 && most_rooms > WSHUB__ROOMS_FEW);
    (void)printf("  %ld steps, %ld walks to their end\n", steps, ends);
}

/* One that 64 others have pushed out goes on by what it knows itself: a stranger to nobody's
 * memory, and it ends. */
TEST(walks_without_number) {
    static wshub_iter its[200];
    wshub_client c;
    wshub_str s;
    char ids[20][37];
    int i, k, n;
    memset(its, 0, sizeof its);
    world_start(&the_world, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 20; i++) (void)world_client(&the_world, "u", ids[i]);
    for (k = 0; k < 12; k++) {
        for (i = 0; i < 200; i++) {
            switch (i % 5) {
            case 0:
                (void)wshub_room_each_member(the_world.hub, wshub_str_z("ws-default"), &its[i], &c);
                break;
            case 1:
                (void)wshub_user_each_client(the_world.hub, wshub_str_z("u"), &its[i], &c);
                break;
            case 2: (void)wshub_client_each(the_world.hub, &its[i], &c); break;
            case 3: (void)wshub_room_each(the_world.hub, &its[i], &s); break;
            default:
                (void)wshub_client_each_room(the_world.hub, world_handle(&the_world, ids[19]),
                                             &its[i], &s);
                break;
            }
        }
        EXPECT_INT(wshub_client_close(the_world.hub, world_handle(&the_world, ids[k]), 1000,
                                      wshub_str_z("")),
                   WSHUB_OK);
        wshub_io_fake_run(the_world.net);
    }
    for (i = 0; i < 200; i++) {
        for (n = 0; n < 50 && i % 5 == 2 && wshub_client_each(the_world.hub, &its[i], &c); n++)
            EXPECT(wshub_client_id(the_world.hub, c).ptr != NULL);
        for (; n < 50 && i % 5 == 0 &&
               wshub_room_each_member(the_world.hub, wshub_str_z("ws-default"), &its[i], &c);
             n++)
            EXPECT(wshub_client_id(the_world.hub, c).ptr != NULL);
        EXPECT_OP(n, <, 50);
    }
    /* numbers come round: none is 0, which is that of a place nobody had */
    the_world.hub->walk_numbers = UINT32_MAX;
    memset(its, 0, sizeof its);
    EXPECT(wshub_client_each(the_world.hub, &its[0], &c));
    EXPECT_INT(its[0].pos >> 32, 1);
    world_stop(&the_world);
}

/* A walk that has ended stays ended, whatever comes. */
TEST(an_end_is_an_end) {
    wshub_iter it = {0, 0}, all = {0, 0}, users = {0, 0}, rooms = {0, 0}, of = {0, 0};
    wshub_client c;
    wshub_str s;
    char id[37];
    world_start(&the_world, DESC(.on_authenticate = accept_all), FAKE(0));
    (void)world_client(&the_world, "u", id);
    while (wshub_room_each_member(the_world.hub, wshub_str_z("ws-default"), &it, &c)) {
    }
    while (wshub_client_each(the_world.hub, &all, &c)) {
    }
    while (wshub_user_each(the_world.hub, &users, &s)) {
    }
    while (wshub_room_each(the_world.hub, &rooms, &s)) {
    }
    while (wshub_client_each_room(the_world.hub, world_handle(&the_world, id), &of, &s)) {
    }
    (void)world_client(&the_world, "v", NULL);
    EXPECT_INT(wshub_client_join(the_world.hub, world_handle(&the_world, id), wshub_str_z("new")),
               WSHUB_OK);
    EXPECT(!wshub_room_each_member(the_world.hub, wshub_str_z("ws-default"), &it, &c));
    EXPECT(!wshub_client_each(the_world.hub, &all, &c));
    EXPECT(!wshub_user_each(the_world.hub, &users, &s));
    EXPECT(!wshub_client_each_room(the_world.hub, world_handle(&the_world, id), &of, &s));
    world_stop(&the_world);
}

/* wshub_iter: whom it saw last has no page any more */
TEST(a_walk_that_was_pushed_out_ends_where_all_have_gone) {
    enum { MANY = 700 };
    static wshub_conn conns[MANY];
    wshub_iter it = {0, 0}, others[70];
    wshub_client c, last;
    uint32_t i;
    world_start(&the_world, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < MANY; i++) conns[i] = world_client(&the_world, NULL, NULL);
    for (i = 0; i < MANY; i++) EXPECT(wshub_client_each(the_world.hub, &it, &last));
    memset(others, 0, sizeof others);
    for (i = 0; i < 70; i++) EXPECT(wshub_client_each(the_world.hub, &others[i], &c));
    for (i = 1; i < MANY; i++) wshub_io_fake_end(the_world.net, conns[i]);
    wshub_io_fake_advance(the_world.net, 3000);
    EXPECT_OP(the_world.hub->clients.used, <, MANY);
    EXPECT(!wshub_client_each(the_world.hub, &it, &c) &&
           !wshub_client_each(the_world.hub, &it, &c));
    EXPECT_INT(wshub_client_state(the_world.hub, last), WSHUB_CLIENT_DISCONNECTED);
    EXPECT(wshub_self_check(the_world.hub) == NULL);
    world_stop(&the_world);
}

static int told_of, offline, sessions_behind[USERS];
static void gone(wshub *hub, const wshub_gone *g, void *user) {
    int u = g->user_id.ptr[1] - '0', left = (int)wshub_user_count(hub, g->user_id);
    wshub_msg m = msg("presence", "1");
    (void)user;
    told_of++;
    EXPECT_INT(left, --sessions_behind[u]); /* behind this end and before the next */
    offline += left == 0;
    /* reaches none of those who end in this turn */
    EXPECT_INT(wshub_user_send_here(hub, g->user_id, &m), WSHUB_OK);
    EXPECT_INT(wshub_all_send_here(hub, &m, NULL, 0), WSHUB_OK);
}

TEST(presence_is_told_once_in_the_order_of_the_ends) {
    uint64_t seed;
    /* any number of ends of any kind in a turn, any number of users */
    for (seed = 1; seed <= 40; seed++) {
        wshub_conn conns[12];
        int user_of[12], i, alive = 12, users = 0;
        bool up[12];
        rng = seed;
        told_of = offline = 0;
        memset(sessions_behind, 0, sizeof sessions_behind);
        world_start(&the_world, DESC(.on_authenticate = accept_all, .on_disconnected = gone),
                    FAKE(0));
        for (i = 0; i < 12; i++) {
            user_of[i] = (int)dice(USERS);
            conns[i] = world_client(&the_world, user_names[user_of[i]], who[i % CLIENTS].id);
            sessions_behind[user_of[i]]++;
            up[i] = true;
        }
        for (i = 0; i < USERS; i++) users += sessions_behind[i] > 0;
        if (seed % 4 == 0) {
            /* BYE-2: what they announce goes to nobody */
            EXPECT_INT(wshub_shutdown(the_world.hub), WSHUB_OK);
            wshub_io_fake_run(the_world.net);
            for (i = 0; i < 12; i++) {
                EXPECT_CLOSE(&the_world, conns[i], 1001);
                EXPECT_SILENCE(&the_world, conns[i]);
            }
            alive = 0;
        }
        while (alive) {
            int n = 1 + (int)dice(5);
            wshub_io_fake_hold(the_world.net, true);
            while (n-- && alive) {
                i = (int)dice(12);
                if (!up[i]) continue;
                up[i] = false;
                alive--;
                wshub_io_fake_end(the_world.net, conns[i]);
            }
            wshub_io_fake_hold(the_world.net, false);
            wshub_io_fake_run(the_world.net);
            EXPECT_INT(told_of, 12 - alive);
        }
        EXPECT_INT(told_of, 12);
        EXPECT_INT(offline, users);
        world_stop(&the_world);
    }
}

TEST(iterations_survive_what_is_done_in_them) {
    world w;
    char id[20][37], name[16];
    wshub_iter it;
    wshub_client c;
    wshub_str r;
    int i, n;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    for (i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "u%d", i / 2);
        (void)world_client(&w, name, id[i]);
        (void)wshub_client_join(w.hub, world_handle(&w, id[i]), S("big"));
        (void)wshub_client_join(w.hub, world_handle(&w, id[i]), S(name));
    }
    memset(&it, 0, sizeof it);
    /* oldest first */
    for (n = 0; wshub_client_each(w.hub, &it, &c); n++)
        EXPECT(wshub_str_eq_z(wshub_client_id(w.hub, c), id[n]));
    EXPECT_INT(n, 20);
    memset(&it, 0, sizeof it);
    for (n = 0; wshub_user_each(w.hub, &it, &r); n++) EXPECT_INT(wshub_user_count(w.hub, r), 2);
    EXPECT_INT(n, 10);
    memset(&it, 0, sizeof it);
    for (n = 0; wshub_room_each(w.hub, &it, &r); n++) EXPECT_OP(wshub_room_count(w.hub, r), >, 0);
    EXPECT_INT(n, 3 + 10 + 20); /* big and two defaults, ten, own-id rooms */
    EXPECT_INT(n, (int)stats(&w).rooms);
    memset(&it, 0, sizeof it);
    for (n = 0; wshub_room_each_member(w.hub, S("big"), &it, &c); n++) {
        EXPECT_INT(wshub_client_leave(w.hub, c, S("big")), WSHUB_OK);
        if (n % 3 == 0) EXPECT_INT(wshub_client_close(w.hub, c, 1000, S("")), WSHUB_OK);
    }
    EXPECT_INT(n, 20);
    EXPECT_INT(wshub_room_count(w.hub, S("big")), 0);
    wshub_io_fake_run(w.net);
    EXPECT_INT(stats(&w).clients, 13);
    memset(&it, 0, sizeof it);
    EXPECT(wshub_client_each(w.hub, &it, &c));
    {
        wshub_iter rooms = {0, 0};
        while (wshub_client_each_room(w.hub, c, &rooms, &r))
            EXPECT_INT(wshub_client_leave(w.hub, c, r), WSHUB_OK);
        memset(&rooms, 0, sizeof rooms);
        EXPECT(!wshub_client_each_room(w.hub, c, &rooms, &r));
    }
    world_stop(&w);
}
