/* Who is here (PRES-1 to PRES-3) against a model that predicts each call: sessions with several
 * clients, three realms that come and go, rooms named like a client's id, ends of clients and of
 * sessions, shutdown and destruction, failing memory, all of it from outside and out of the very
 * callbacks. Rooms are read in pages meanwhile, by members and by users. */
#include "hubtest.h"

static world w;

enum { REALMS = 3, STREAMS = 4, CLIENTS = 8, SHARED = 4, ROOMS = SHARED + CLIENTS, USERS = 3 };
enum { STAYS = 4000 }; /* in one story */

static const char *const names[ROOMS] = {"den", "a",  "b",  "c",  "c0", "c1",
                                         "c2",  "c3", "c4", "c5", "c6", "c7"};
static const char *const user_names[USERS] = {"u0", "u1", "u2"};

typedef enum tense { QUIET, COMING, TOLD, GOING } tense;

typedef struct stay {
    int client, name, realm;
    bool is_user;
    tense state;
} stay;

typedef struct person {
    bool used, accepted, ended, own;
    int realm, stream, user, user_stay;
    int rooms[ROOMS], stays[ROOMS], rooms_count; /* in the hub's order */
    wshub_client handle;
} person;

static struct {
    person people[CLIENTS];
    wshub_conn streams[STREAMS];
    bool stream_open[STREAMS];
    wshub_realm realms[REALMS];
    bool realm_live[REALMS];
    stay stays[STAYS];
    int stays_count;
    int queue[STAYS], queue_len; /* what is to be told */
    int told[REALMS][2][ROOMS];  /* [is_user]: how many have been told to be here */
    int current, phase; /* half told; 0: nothing, 1: on_joined is to follow, 2: on_room_gone */
    int busy;           /* how many deeds are still done inside callbacks */
    bool failing, destroyed, down;
} m;

/* ---- the model ---- */

static int stay_new(int client, int name, bool is_user) {
    stay *s = &m.stays[m.stays_count];
    if (!is_user && name == SHARED + client) return -1; /* its own */
    s->client = client;
    s->name = name;
    s->realm = m.people[client].realm;
    s->is_user = is_user;
    s->state = QUIET;
    return m.stays_count++;
}
static void stay_come(int number) {
    if (number < 0) return;
    m.stays[number].state = COMING;
    m.queue[m.queue_len++] = number;
}
static void queue_cut(int at) {
    memmove(m.queue + at, m.queue + at + 1, (size_t)(m.queue_len - at - 1) * sizeof *m.queue);
    m.queue_len--;
}
static void stay_go(int number) {
    int i;
    if (number < 0) return;
    if (m.stays[number].state == TOLD) {
        m.stays[number].state = GOING;
        m.queue[m.queue_len++] = number;
    } else if (m.stays[number].state == COMING) {
        for (i = 0; i < m.queue_len && m.queue[i] != number;) i++;
        EXPECT(i < m.queue_len);
        queue_cut(i);
    }
}

static int place_of(const person *p, int room) {
    int i;
    for (i = 0; i < p->rooms_count; i++)
        if (p->rooms[i] == room) return i;
    return -1;
}
static bool room_exists(int realm, int room) {
    int i;
    for (i = 0; i < CLIENTS; i++)
        if (m.people[i].used && m.people[i].realm == realm && place_of(&m.people[i], room) >= 0)
            return true;
    return false;
}
static void put_in(int who, int room) {
    person *p = &m.people[who];
    int number = stay_new(who, room, false);
    p->rooms[p->rooms_count] = room;
    p->stays[p->rooms_count++] = number;
    if (p->accepted) stay_come(number);
}
/* What wshub_client_join() has done. */
static void joined_room(int who, int room) {
    person *p = &m.people[who];
    if ((p->own && room == SHARED + who) || place_of(p, room) >= 0) return;
    if (room >= SHARED && !room_exists(p->realm, room)) {
        person *owner = &m.people[room - SHARED];
        if (owner->used && owner->realm == p->realm && owner->own) {
            if (!owner->ended) put_in(room - SHARED, room);
            owner->own = false;
        }
    }
    put_in(who, room);
}
static void left_place(person *p, int place) {
    int number = p->stays[place];
    p->rooms[place] = p->rooms[--p->rooms_count];
    p->stays[place] = p->stays[p->rooms_count];
    stay_go(number);
}
static void left_room(int who, int room) {
    person *p = &m.people[who];
    int place = place_of(p, room);
    if (p->own && room == SHARED + who)
        p->own = false;
    else if (place >= 0)
        left_place(p, place);
}
static void accepted(int who, int user) {
    static const char *const defaults[REALMS] = {"den", "a", NULL};
    person *p = &m.people[who];
    int i;
    p->user = user;
    p->user_stay = user < 0 ? -1 : stay_new(who, user, true);
    if (!room_exists(p->realm, SHARED + who))
        p->own = true;
    else if (place_of(p, SHARED + who) < 0)
        put_in(who, SHARED + who);
    for (i = 0; defaults[p->realm] && i < SHARED; i++)
        if (strcmp(defaults[p->realm], names[i]) == 0) joined_room(who, i);
    p->accepted = true;
    stay_come(p->user_stay);
    for (i = 0; i < p->rooms_count; i++) stay_come(p->stays[i]);
}

/* Who has ended, by what has just been done. */
static void look_who_ended(void) {
    int i;
    for (i = 0; i < CLIENTS; i++) {
        person *p = &m.people[i];
        if (p->used && wshub_client_state(w.hub, p->handle) == WSHUB_CLIENT_DISCONNECTED)
            p->ended = true;
    }
}

/* Passes over what is told without a call: a user's next client, and who has ended meanwhile. The
 * hub has told all but `left`. */
static void pass_silent(uint32_t left) {
    while (m.queue_len > (int)left) {
        stay *s = &m.stays[m.queue[0]];
        int *told = &m.told[s->realm][s->is_user][s->name];
        if (s->state == COMING && m.people[s->client].ended) {
            s->state = QUIET;
        } else if (s->state == COMING) {
            EXPECT(s->is_user && *told > 0);
            s->state = TOLD;
            ++*told;
        } else {
            EXPECT(s->is_user && *told > 1);
            --*told;
        }
        queue_cut(0);
    }
    EXPECT_INT(m.queue_len, left);
}

/* ---- what is done ---- */

static struct {
    bool on;
    wshub_iter iter;
    bool steady[CLIENTS], seen[CLIENTS];
    bool user_steady[USERS], user_seen[USERS];
    bool
        user_again[USERS]; /* one who was there has become theirs: may be seen with that one, too */
} pages[2];                /* members, users */

/* A client is not seen any more, where it is in the room that is read. */
static void unsteady(int who) {
    int user = m.people[who].user;
    if (m.people[who].realm || place_of(&m.people[who], 0) < 0) return;
    pages[0].steady[who] = false;
    if (user >= 0) pages[1].user_steady[user] = false;
}
static void unsteady_all(void) {
    int i;
    for (i = 0; i < CLIENTS; i++)
        if (m.people[i].used && m.people[i].ended) unsteady(i);
}

static void pages_begin(int kind) {
    int i;
    memset(&pages[kind], 0, sizeof pages[kind]);
    pages[kind].on = true;
    for (i = 0; i < CLIENTS; i++) {
        const person *p = &m.people[i];
        if (!p->used || p->ended || p->realm || place_of(p, 0) < 0) continue;
        pages[kind].steady[i] = true;
        if (p->user >= 0) pages[kind].user_steady[p->user] = true;
    }
}
static void members_step(void) {
    wshub_client c;
    int i;
    if (!pages[0].on) pages_begin(0);
    if (wshub_room_each_member(w.hub, S("den"), &pages[0].iter, &c)) {
        for (i = 0; i < CLIENTS && !(m.people[i].used && m.people[i].handle.id == c.id);) i++;
        EXPECT(i < CLIENTS);
        if (i == CLIENTS) return;
        EXPECT(!m.people[i].ended && place_of(&m.people[i], 0) >= 0);
        EXPECT(!pages[0].seen[i] || !pages[0].steady[i]);
        pages[0].seen[i] = true;
        return;
    }
    for (i = 0; i < CLIENTS; i++) EXPECT(!pages[0].steady[i] || pages[0].seen[i]);
    pages[0].on = false;
}
static void users_step(void) {
    wshub_str user;
    int i;
    if (!pages[1].on) pages_begin(1);
    if (wshub_room_each_user(w.hub, S("den"), &pages[1].iter, &user)) {
        for (i = 0; i < USERS && !wshub_str_eq_z(user, user_names[i]);) i++;
        EXPECT(i < USERS);
        EXPECT(!pages[1].user_seen[i] || pages[1].user_again[i]);
        pages[1].user_seen[i] = true;
        return;
    }
    for (i = 0; i < USERS; i++) EXPECT(!pages[1].user_steady[i] || pages[1].user_seen[i]);
    pages[1].on = false;
}

static void add(int who, int stream, int realm) {
    person *p = &m.people[who];
    wshub_client_desc d;
    wshub_client c;
    if (p->used || !m.stream_open[stream] || !m.realm_live[realm]) return;
    memset(&d, 0, sizeof d);
    d.id = S(names[SHARED + who]);
    d.realm = m.realms[realm];
    d.user_ptr = p;
    if (wshub_client_add(w.hub, wshub_conn_session(w.hub, m.streams[stream]), &d, &c)) return;
    memset(p, 0, sizeof *p);
    p->used = true;
    p->realm = realm;
    p->stream = stream;
    p->user = p->user_stay = -1;
    p->handle = c;
}
static void accept_it(int who) {
    person *p = &m.people[who];
    wshub_identity id = {.metadata = S("{\"a\":1}")};
    int user = (int)any_of(USERS + 1) - 1;
    bool was_there;
    if (!p->used || p->ended || p->accepted) return;
    if (user >= 0) id.user_id = S(user_names[user]);
    was_there = p->realm == 0 && place_of(p, 0) >= 0;
    if (wshub_client_accept(w.hub, p->handle, &id)) return;
    accepted(who, user);
    if (was_there && user >= 0) pages[1].user_again[user] = true;
}
static void destroy_realm(int realm) {
    bool empty = true;
    int i;
    if (!realm || !m.realm_live[realm]) return;
    for (i = 0; i < CLIENTS; i++) empty &= !m.people[i].used || m.people[i].realm != realm;
    EXPECT_INT(wshub_realm_destroy(w.hub, m.realms[realm]), empty ? WSHUB_OK : WSHUB_ERR_STATE);
    m.realm_live[realm] = !empty;
}
static void make_realm(int realm) {
    static const char *const second[] = {"a"};
    wshub_realm_desc d = {.version = WSHUB_REALM_VERSION};
    if (m.realm_live[realm]) return;
    if (realm == 1) {
        d.default_rooms = second;
        d.default_rooms_count = 1;
    }
    m.realm_live[realm] = wshub_realm_create(w.hub, &d, &m.realms[realm]) == WSHUB_OK;
}
static void end_it(int who) {
    person *p = &m.people[who];
    if (any_of(3))
        (void)wshub_client_end(w.hub, p->handle, WSHUB_BY_APP, 4000, S(""));
    else
        (void)wshub_client_close(w.hub, p->handle, 4000, S(""));
}

/* Anything that may be done outside and inside callbacks. */
static void deed(void) {
    int who = (int)any_of(CLIENTS), room = (int)any_of(m.failing ? SHARED : ROOMS);
    person *p = &m.people[who];
    if (m.destroyed) return;
    switch (any_of(17)) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (p->used && !p->ended && wshub_client_join(w.hub, p->handle, S(names[room])) == WSHUB_OK)
            joined_room(who, room);
        break;
    case 4:
    case 5:
    case 6:
        if (!p->used || p->ended) break;
        if (room == 0) unsteady(who);
        EXPECT_INT(wshub_client_leave(w.hub, p->handle, S(names[room])), WSHUB_OK);
        left_room(who, room);
        break;
    case 7: add(who, (int)any_of(STREAMS), (int)any_of(REALMS)); break;
    case 8:
    case 9: accept_it(who); break;
    case 10:
        if (p->used && !p->ended) end_it(who);
        break;
    case 11: destroy_realm((int)any_of(REALMS)); break;
    case 12: make_realm((int)any_of(REALMS)); break;
    case 13:
    case 14: members_step(); break;
    case 15:
    case 16: users_step(); break;
    default: break;
    }
    look_who_ended();
    unsteady_all();
}
static void meddle(void) {
    while (m.busy > 0 && any_of(2)) {
        m.busy--;
        deed();
    }
    if (m.busy > 0 && any_of(400) == 0) {
        m.destroyed = w.unchecked = true; /* it is freed before the io's step ends */
        wshub_destroy(w.hub);
    }
    if (m.busy > 0 && any_of(200) == 0) {
        m.down = true;
        (void)wshub_shutdown(w.hub);
    }
    look_who_ended();
    unsteady_all();
}

/* ---- what is told ---- */

/* The stay that a call is about: the next in the model's order, or the one half told. */
static stay *told_now(const wshub_presence *p, bool is_user, bool begins) {
    stay *s;
    if (begins) {
        EXPECT_INT(m.phase, 0);
        pass_silent(w.hub->stays.count + 1);
        m.current = m.queue[0];
        queue_cut(0);
    }
    s = &m.stays[m.current];
    EXPECT(s->is_user == is_user);
    EXPECT_INT(p->realm.id, m.realms[s->realm].id);
    EXPECT(wshub_str_eq_z(is_user ? p->user_id : p->room,
                          is_user ? user_names[s->name] : names[s->name]));
    return s;
}
static void told_client(const wshub_presence *p, const stay *s) {
    const person *who = &m.people[s->client];
    EXPECT_INT(p->client.id, who->handle.id);
    EXPECT(wshub_str_eq_z(p->client_id, names[SHARED + s->client]));
    EXPECT(p->user_ptr == who);
    EXPECT(who->user < 0 ? !p->user_id.ptr : wshub_str_eq_z(p->user_id, user_names[who->user]));
    EXPECT(wshub_str_eq_z(p->metadata, "{\"a\":1}"));
}
static void m_room_here(wshub *hub, const wshub_presence *p, void *user) {
    stay *s = told_now(p, false, true);
    (void)hub, (void)user;
    EXPECT_INT(s->state, COMING);
    EXPECT(!m.people[s->client].ended);
    EXPECT_INT(m.told[s->realm][0][s->name]++, 0);
    s->state = TOLD;
    m.phase = 1;
    meddle();
}
static void m_joined(wshub *hub, const wshub_presence *p, void *user) {
    bool begins = m.phase == 0;
    stay *s = told_now(p, false, begins);
    (void)hub, (void)user;
    if (begins) {
        EXPECT_INT(s->state, COMING);
        EXPECT(!m.people[s->client].ended);
        EXPECT(wshub_str_eq(wshub_client_id(hub, p->client), p->client_id));
        EXPECT_OP(m.told[s->realm][0][s->name]++, >, 0);
        s->state = TOLD;
    }
    EXPECT(begins || m.phase == 1);
    told_client(p, s);
    m.phase = 0;
    meddle();
}
static void m_left(wshub *hub, const wshub_presence *p, void *user) {
    stay *s = told_now(p, false, true);
    (void)hub, (void)user;
    EXPECT_INT(s->state, GOING);
    told_client(p, s);
    m.phase = --m.told[s->realm][0][s->name] ? 0 : 2;
    meddle();
}
static void m_room_gone(wshub *hub, const wshub_presence *p, void *user) {
    (void)told_now(p, false, false);
    (void)hub, (void)user;
    EXPECT_INT(m.phase, 2);
    m.phase = 0;
    meddle();
}
static void m_user_here(wshub *hub, const wshub_presence *p, void *user) {
    stay *s = told_now(p, true, true);
    (void)hub, (void)user;
    EXPECT_INT(s->state, COMING);
    EXPECT(!m.people[s->client].ended);
    EXPECT_INT(m.told[s->realm][1][s->name]++, 0);
    s->state = TOLD;
    meddle();
}
static void m_user_gone(wshub *hub, const wshub_presence *p, void *user) {
    stay *s = told_now(p, true, true);
    (void)hub, (void)user;
    EXPECT_INT(s->state, GOING);
    EXPECT_INT(--m.told[s->realm][1][s->name], 0);
    meddle();
}
static void m_disconnecting(wshub *hub, const wshub_gone *gone, void *user) {
    person *p = (person *)gone->user_ptr;
    (void)hub, (void)user;
    if (!p) return; /* the one of an upgrade */
    EXPECT_INT(m.phase, 0);
    pass_silent(w.hub->stays.count);
    EXPECT_INT(gone->client.id, p->handle.id);
    p->ended = true;
    unsteady_all();
    meddle();
    /* from here on it leaves */
    p->own = false;
    while (p->rooms_count) left_place(p, p->rooms_count - 1);
    stay_go(p->user_stay);
}
static void m_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    person *p = (person *)gone->user_ptr;
    int i;
    (void)hub, (void)user;
    if (!p) return;
    EXPECT_INT(m.phase, 0);
    pass_silent(w.hub->stays.count);
    for (i = 0; i < m.queue_len; i++) EXPECT(&m.people[m.stays[m.queue[i]].client] != p);
    p->used = false;
    meddle();
}

/* ---- stories ---- */

static void open_stream(int i) {
    wshub_client c;
    m.streams[i] = wshub_io_fake_connect(w.net, "/ws");
    if (!m.streams[i].id || !wshub_io_fake_is_open(w.net, m.streams[i])) return;
    c = wshub_conn_client(w.hub, m.streams[i]);
    if (!c.id || wshub_client_cancel(w.hub, c)) return;
    m.stream_open[i] = true;
}
static void end_stream(int i) {
    int k;
    m.stream_open[i] = false;
    for (k = 0; k < CLIENTS; k++)
        if (m.people[k].used && m.people[k].stream == i) m.people[k].ended = true;
    unsteady_all();
    wshub_io_fake_end(w.net, m.streams[i]);
}

/* When nothing is to be told any more, the hub and the model say the same. */
static void agree(void) {
    int i, k;
    EXPECT_INT(m.phase, 0);
    pass_silent(w.hub->stays.count);
    for (i = 0; i < CLIENTS; i++) {
        const person *p = &m.people[i];
        for (k = 0; p->used && !p->ended && k < ROOMS; k++)
            EXPECT(wshub_client_in_room(w.hub, p->handle, S(names[k])) ==
                   (place_of(p, k) >= 0 || (p->own && k == SHARED + i)));
    }
}

static void story(uint32_t seed) {
    static const char *const den[] = {"den"};
    int step, i;
    memset(&m, 0, sizeof m);
    memset(pages, 0, sizeof pages);
    any_seed = seed * 2654435761u + 1;
    world_start(&w,
                DESC(.on_joined = m_joined, .on_left = m_left, .on_room_here = m_room_here,
                     .on_room_gone = m_room_gone, .on_user_here = m_user_here,
                     .on_user_gone = m_user_gone, .on_disconnecting = m_disconnecting,
                     .on_disconnected = m_disconnected, .on_authenticate = accept_all,
                     .default_rooms = den, .default_rooms_count = 1),
                FAKE(0));
    m.failing = seed % 4 == 0;
    m.realm_live[0] = true;
    make_realm(1);
    make_realm(2);
    for (step = 0; step < 150 && m.stays_count < STAYS / 2 && !m.destroyed; step++) {
        int at = (int)any_of(STREAMS);
        m.busy = 0;
        if (!m.stream_open[at] || !wshub_io_fake_is_open(w.net, m.streams[at])) {
            m.stream_open[at] = false;
            m.busy = seed % 3 ? 12 : 0;
            open_stream(at);
        }
        m.busy = seed % 3 ? 12 : 0;
        if (any_of(40) == 0 && m.stream_open[at]) end_stream(at);
        for (i = 0; i < 4 && !m.destroyed; i++) {
            m.busy = 0;
            pass_silent(w.hub->stays.count); /* by the turn that has just ended */
            if (m.failing && any_of(2)) w.fail_at = 1 + (long)any_of(6);
            deed();
            w.fail_at = 0;
        }
        if (m.destroyed || any_of(2)) continue;
        m.busy = seed % 3 ? 12 : 0;
        wshub_io_fake_run(w.net);
        if (!m.destroyed) agree();
    }
    m.busy = seed % 2 ? 30 : 0;
    if (m.destroyed) w.hub = NULL;
    if (w.hub && seed % 5 == 0) {
        (void)wshub_shutdown(w.hub);
        look_who_ended();
        wshub_io_fake_run(w.net);
    }
    if (w.hub && !m.destroyed) {
        m.destroyed = true; /* deeds find nobody any more */
        for (i = 0; i < CLIENTS; i++) m.people[i].ended = true;
        wshub_destroy(w.hub);
    }
    w.hub = NULL;
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
    EXPECT_INT(m.phase, 0);
    for (i = 0; i < m.stays_count; i++) EXPECT(m.stays[i].state != TOLD);
    for (i = 0; i < CLIENTS; i++) EXPECT(!m.people[i].used);
}

TEST(each_call_of_presence_is_the_one_that_a_model_predicts) { /* PRES-1 to PRES-3, ROOM-5 */
    uint32_t seed;
    const char *most = getenv("WSHUB_STORIES");
    uint32_t count = most ? (uint32_t)strtoul(most, NULL, 10) : 300;
    for (seed = 1; seed <= count; seed++) {
        int before = test_failures;
        story(seed);
        if (test_failures != before) {
            (void)printf("  seed %u\n", seed);
            break;
        }
    }
}
