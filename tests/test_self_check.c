/* The check that all other tests lean on sees what is wrong. */
#include "hubtest.h"

static void timer_of_nothing(wshub *hub, void *arg) {
    (void)hub;
    (void)arg;
}

static world w;
#define WRONG(place, value)                                                                        \
    do {                                                                                           \
        const size_t test_n = sizeof(place);                                                       \
        uint8_t test_keep[32];                                                                     \
        memcpy(test_keep, &(place), test_n);                                                       \
        (place) = (value);                                                                         \
        EXPECT(wshub_self_check(w.hub) != NULL);                                                   \
        memcpy(&(place), test_keep, test_n);                                                       \
        EXPECT(wshub_self_check(w.hub) == NULL);                                                   \
    } while (0)
#define WRONG_BITS(place, bits, value) /* of a bit-field, which has no address */                  \
    do {                                                                                           \
        const uint32_t test_keep = (place);                                                        \
        (place) = (value);                                                                         \
        EXPECT(wshub_self_check(w.hub) != NULL);                                                   \
        (place) = test_keep & (bits);                                                              \
        EXPECT(wshub_self_check(w.hub) == NULL);                                                   \
    } while (0)

TEST(the_self_check_sees_what_is_wrong) {
    char id[37], other[37];
    wshub__client *c, *d;
    wshub__conn *conn;
    wshub__group *room, *user;
    wshub_conn slow;
    wshub_msg m = msg("e", "1");
    world_start(&w, DESC(.on_authenticate = accept_all, .on_request = keep_request), FAKE(0));
    (void)world_client(&w, "u", id);
    slow = world_client(&w, "u", other);
    wshub_io_fake_window(w.net, slow, 0);
    EXPECT_INT(wshub_all_send_here(w.hub, &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_self_check(w.hub) == NULL);
    c = wshub__client_get(w.hub, world_handle(&w, id));
    d = wshub__client_get(w.hub, world_handle(&w, other));
    conn = wshub__conn_at(w.hub, d->conn);
    room = w.hub->first_realm.rooms.items[0];
    user = w.hub->first_realm.users.items[0];
    WRONG(room->pos, 7);
    WRONG(room->count, 0);
    WRONG(room->count, room->cap + 1);
    WRONG(((char *)(room + 1))[0], 1);
    WRONG(c->slot.link, 0);
    WRONG(c->prev, 9);
    WRONG(c->index, 9);
    WRONG(d->prev, 0);
    WRONG(c->id[0], 1);
    WRONG(c->own_room, false);
    WRONG(c->state, WSHUB_CLIENT_AUTHENTICATING);
    WRONG(c->state, WSHUB__CLIENT_DISCONNECTED);
    WRONG(c->rooms_count, 0);
    WRONG(c->rooms_count, 1);
    WRONG(c->rooms[0], w.hub->first_realm.rooms.items[1]);
    WRONG(wshub__room_positions(c)[0], 1);
    WRONG(wshub__members(room)[0].place, 77);
    WRONG(wshub__members(room)[0].client, 7);
    WRONG(c->user, NULL);
    WRONG(c->user_pos, 5);
    WRONG(user->pos, 3);
    WRONG(user->count, 1);
    WRONG(c->conn, d->conn);
    WRONG(conn->above, 9);
    WRONG(w.hub->clients.live, 9);
    WRONG(w.hub->first_realm.newest, 1);
    WRONG(w.hub->own_rooms, 9);
    WRONG(w.hub->stats.authenticated, 9);
    WRONG(w.hub->first_realm.index.count, 9);
    WRONG(w.hub->conns_live, 9);
    WRONG(w.hub->stats.queued_bytes, 9);
    WRONG(w.hub->stats.segment_bytes, 9);
    WRONG(conn->queued, 1);
    WRONG(conn->first.len, 1);
    WRONG(conn->deadline, WSHUB__NONE); /* nothing leads on from its deadlines */
    WRONG(conn->deadline, 1 - conn->deadline);
    WRONG(conn->deadline, 2);
    WRONG(w.hub->segs->used, w.hub->segs->cap + 1);
    WRONG(w.hub->segs->refs, 9);
    WRONG(w.hub->segs->held, 1);
    WRONG(w.hub->deadlines.items[0].at, UINT64_MAX);
    WRONG(w.hub->stats.bus_lingering, 1);
    WRONG(w.hub->stats.lagging_bytes, 1);
    WRONG(w.hub->log->cap, w.hub->log->cap + 1);
    EXPECT_INT(wshub_timer_start(w.hub, 1000, timer_of_nothing, NULL, NULL), WSHUB_OK);
    EXPECT_INT(wshub_timer_start(w.hub, 2000, timer_of_nothing, NULL, NULL), WSHUB_OK);
    WRONG(w.hub->timer_deadlines.items[0].at, UINT64_MAX);
    WRONG(*wshub__deadline_place(&w.hub->timer_deadlines, 1), 0); /* the other's place */
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("more")), WSHUB_OK);
    {
        uint32_t i;
        for (i = 0; i < 20; i++) { /* until it finds them by a table */
            char name[8];
            (void)snprintf(name, sizeof name, "t%u", (unsigned)i);
            EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S(name)), WSHUB_OK);
        }
        WRONG(wshub__rooms_table(c)[wshub__rooms_entry(c, c->rooms[3])], 0);
    }
    { /* a request that waits for its answer */
        wshub_conn asker = wshub_io_fake_open(w.net);
        wshub__exchange *asked;
        wshub_io_fake_input(w.net, asker, GET, sizeof GET - 1);
        asked = wshub__exchange_get(w.hub, kept_request);
        EXPECT(asked != NULL);
        WRONG(asked->slot.link, 0);
        WRONG(asked->parted, true);
        WRONG(asked->conn.id, slow.id);
        WRONG(asked->state, WSHUB__EXCHANGE_FREE);
    }
    {
        uint32_t count =
            w.hub->first_realm.rooms.count; /* a room less: its members have memberships nowhere */
        w.hub->first_realm.rooms.count = count - 1;
        w.hub->first_realm.index.count--;
        EXPECT(wshub_self_check(w.hub) != NULL);
        w.hub->first_realm.rooms.count = count;
        w.hub->first_realm.index.count++;
    }
    world_stop(&w);
}

static void on_presence(wshub *hub, const wshub_presence *presence, void *user) {
    (void)hub;
    (void)presence;
    (void)user;
}

TEST(the_self_check_sees_what_is_wrong_with_who_is_here) { /* PRES-1, PRES-2 */
    char id[37];
    wshub__client *c;
    wshub__stay *stay, *later;
    wshub__stays *stays;
    uint32_t *numbers;
    world_start(&w, DESC(.on_authenticate = accept_all, .on_joined = on_presence), FAKE(0));
    (void)world_client(&w, "u", id);
    c = wshub__client_get(w.hub, world_handle(&w, id));
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("den")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(wshub_self_check(w.hub) == NULL);
    numbers = wshub__room_stays(c);
    stay = wshub__stay_at(w.hub, numbers[c->rooms_count - 1]);
    stays = &w.hub->stays;
    WRONG(numbers[c->rooms_count - 1], 7777);
    WRONG(numbers[c->rooms_count - 1], WSHUB__NO_STAY);
    WRONG(stay->slot.link, 0);
    WRONG(stay->client, 9);
    WRONG_BITS(stay->here->name.kind, 15u, WSHUB__KIND_CLIENT);
    WRONG(stay->here->told, stay->here->stays + 1);
    WRONG_BITS(stay->here->name.len, WSHUB__NAME_LEN_MAX, 2);
    WRONG(stay->state, WSHUB__STAY_QUIET);
    WRONG(stays->pool.live, stays->pool.live + 1);

    /* Two that are to be told. */
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("one")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, id), S("two")), WSHUB_OK);
    EXPECT(wshub_self_check(w.hub) == NULL);
    EXPECT_INT(stays->count, 2);
    stay = wshub__stay_at(w.hub, stays->first - 1);
    later = wshub__stay_at(w.hub, stays->last - 1);
    WRONG(later->prev, 0);
    WRONG(later->state, WSHUB__STAY_TOLD);
    WRONG(later->state, WSHUB__STAY_GOING);
    WRONG(stay->next, 0);
    WRONG(stays->last, stays->first);
    WRONG(stays->count, 1);
    WRONG(stays->count, 3);
    wshub_io_fake_run(w.net);
    world_stop(&w);
}
