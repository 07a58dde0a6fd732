/* Destinations that only one hub can know (wshub_dest): several rooms without doubles, those who are
 * in other rooms left out, by event and by packet, to clients of several kinds; and what is refused,
 * here and where other instances are to hear it too. */
#include "hubtest.h"

static world w;
enum { PEERS = 6 };
static wshub_conn conns[PEERS];
static char ids[PEERS][37];

/* Six clients: 0, 1 and 2 are in `a`, 2, 3 and 4 in `b`, 4 and 5 in `c`. The last of them writes in a
 * way of its own. */
static wshub_kind short_kind;
static wshub_err encode_short(wshub *hub, wshub_kind kind, wshub_realm realm,
                              const wshub_packet *packet, wshub_writer *out, void *user) {
    uint8_t *at = wshub_writer_room(out, 3);
    (void)hub;
    (void)realm;
    (void)kind;
    (void)user;
    if (!at) return WSHUB_ERR_NOMEM;
    at[0] = 0x81;
    at[1] = 1;
    at[2] = (uint8_t)packet->event.ptr[0];
    wshub_writer_commit(out, 3);
    return WSHUB_OK;
}

static void join(int i, const char *room) {
    EXPECT_INT(wshub_client_join(w.hub, world_handle(&w, ids[i]), S(room)), WSHUB_OK);
}

static void start(void) {
    wshub_kind_desc desc;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    memset(&desc, 0, sizeof desc);
    desc.encode = encode_short;
    desc.name = "short";
    EXPECT_INT(wshub_kind_add(w.hub, &desc, &short_kind), WSHUB_OK);
    for (i = 0; i < PEERS; i++) conns[i] = world_client(&w, i < 3 ? "u" : NULL, ids[i]);
    EXPECT_INT(wshub_client_set_kind(w.hub, world_handle(&w, ids[5]), short_kind), WSHUB_OK);
    for (i = 0; i < 3; i++) join(i, "a");
    for (i = 2; i < 5; i++) join(i, "b");
    for (i = 4; i < 6; i++) join(i, "c");
}

/* Who has got how much of it, a digit each, since it was asked last. */
static const char *heard(void) {
    static char text[PEERS + 1];
    wshub_io_fake_frame f;
    int i;
    wshub_io_fake_run(w.net);
    for (i = 0; i < PEERS; i++) {
        text[i] = '0';
        while (wshub_io_fake_next(w.net, conns[i], &f)) text[i]++;
    }
    return text;
}

#define HEARD(want)                                                                                \
    do {                                                                                           \
        const char *test_h = heard();                                                              \
        if (strcmp(test_h, want) != 0) {                                                           \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: %s: heard %s, expected %s\n", __FILE__, __LINE__, test_name,    \
                         test_h, want);                                                            \
        }                                                                                          \
    } while (0)

static wshub_dest to_rooms(const wshub_str *rooms, size_t count) {
    wshub_dest dest;
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ROOM;
    dest.rooms = rooms;
    dest.rooms_count = count;
    return dest;
}

TEST(who_is_in_several_of_the_rooms_hears_once) { /* SEND-1 */
    wshub_str rooms[5], except[2];
    wshub_dest dest;
    wshub_msg m = msg("m", "1");
    wshub_packet packet;
    int i;
    start();
    rooms[0] = S("a");
    rooms[1] = S("b");
    rooms[2] = S("c");
    rooms[3] = S("nobody is in it");
    rooms[4] = S("a");
    dest = to_rooms(rooms, 5);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("333333");
    dest.rooms_count = 2;
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("111110");
    dest.rooms_count = 1; /* as a room of that name, gathered too */
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("333000");

    /* Whose name is left out, and who is in a room that is. */
    dest.rooms_count = 3;
    except[0] = S(ids[0]);
    dest.exclude = except;
    dest.exclude_count = 1;
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("011111");
    dest.except_rooms = rooms + 2; /* c, and one that does not exist */
    dest.except_rooms_count = 2;
    memset(&packet, 0, sizeof packet);
    packet.event = S("p");
    EXPECT_INT(wshub_packet_send_here(w.hub, &dest, &packet), WSHUB_OK);
    HEARD("011100");
    dest.rooms_count = 1;
    dest.exclude_count = 0;
    dest.except_rooms = rooms + 1;
    EXPECT_INT(wshub_packet_send_here(w.hub, &dest, &packet), WSHUB_OK);
    HEARD("110000");
    world_stop(&w);
}

TEST(all_but_those_who_are_in_a_room) { /* SEND-1 */
    wshub_str except[2];
    wshub_dest dest;
    wshub_msg m = msg("m", NULL);
    start();
    memset(&dest, 0, sizeof dest);
    dest.except_rooms = except;
    dest.except_rooms_count = 2;
    except[0] = S("a");
    except[1] = S("c");
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("000100");

    /* A room that is named like a client is that client's, until it has left it. */
    except[0] = S(ids[3]);
    except[1] = S(ids[5]);
    EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, ids[5]), S(ids[5])), WSHUB_OK);
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("111011");
    join(1, ids[3]); /* and whoever else is in it */
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("101011");

    /* A user and a client are who they are: rooms leave nobody of them out. */
    dest.kind = WSHUB_DEST_USER;
    dest.name = S("u");
    except[0] = S("a");
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("111000");
    EXPECT_INT(wshub_send_here(w.hub, NULL, &m), WSHUB_OK);
    HEARD("111111");
    world_stop(&w);
}

TEST(rooms_named_like_clients_are_among_several_too) { /* AUTH-7, SEND-1 */
    wshub_str rooms[4];
    wshub_dest dest;
    wshub_msg m = msg("m", NULL);
    start();
    rooms[0] = S(ids[3]);
    rooms[1] = S("b");
    rooms[2] = S(ids[0]);
    rooms[3] = S(ids[0]);
    dest = to_rooms(rooms, 4);
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("101110");

    /* Who has just gone is in none, and who left its own room either. */
    EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, ids[3]), S(ids[3])), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(w.hub, world_handle(&w, ids[3]), S("b")), WSHUB_OK);
    EXPECT_INT(wshub_client_close(w.hub, world_handle(&w, ids[0]), 1000, nul()), WSHUB_OK);
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("101010"); /* what the first got is its Close */
    world_stop(&w);
}

static wshub_err sent_with(wshub_dest dest, const wshub_msg *m) {
    return wshub_send_here(w.hub, &dest, m);
}

TEST(destinations_that_break_their_contract_are_refused) { /* SEND-3, SEND-4 */
    static const wshub_str good[] = {{"a", 1}}, bad[] = {{"a", 1}, {"\xFF", 1}},
                           none[] = {{NULL, 0}};
    wshub_msg m = msg("m", "1");
    wshub_dest dest;
    int kind;
    start();
    EXPECT_INT(wshub_send_here(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    dest = to_rooms(good, 1);
    for (kind = WSHUB_DEST_RESOLVE; kind < WSHUB_DEST_ROOM; kind++) {
        dest.kind = (wshub_dest_kind)kind;
        dest.name = S("u");
        EXPECT_INT(sent_with(dest, &m), WSHUB_ERR_PARAM); /* several of something else */
    }
    dest.kind = (wshub_dest_kind)(WSHUB_DEST_ROOM + 1);
    EXPECT_INT(sent_with(dest, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(sent_with(to_rooms(NULL, 1), &m), WSHUB_ERR_PARAM);
    EXPECT_INT(sent_with(to_rooms(bad, 2), &m), WSHUB_ERR_PARAM);
    EXPECT_INT(sent_with(to_rooms(none, 1), &m), WSHUB_ERR_PARAM);
    EXPECT_INT(sent_with(to_rooms(good, 0), &m), WSHUB_ERR_PARAM); /* neither name nor rooms */
    dest = to_rooms(good, 1);
    dest.except_rooms_count = 1;
    EXPECT_INT(sent_with(dest, &m), WSHUB_ERR_PARAM);
    dest.except_rooms = bad + 1;
    EXPECT_INT(sent_with(dest, &m), WSHUB_ERR_PARAM);
    dest = to_rooms(good, 1);
    dest.exclude_count = 1;
    EXPECT_INT(sent_with(dest, &m), WSHUB_ERR_PARAM);
    dest.exclude = bad + 1;
    EXPECT_INT(sent_with(dest, &m), WSHUB_ERR_PARAM);

    /* Other instances know one target, and nobody's rooms: nothing of it is done by halves. */
    dest = to_rooms(good, 1);
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_send(w.hub, &dest, &m), WSHUB_ERR_PARAM);
    memset(&dest, 0, sizeof dest);
    dest.except_rooms = good;
    dest.except_rooms_count = 1;
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_post_send(w.hub, &dest, &m), WSHUB_ERR_PARAM);
    HEARD("000000");
    world_stop(&w);
}

TEST(numbers_beyond_those_of_a_batch_are_looked_at_all_the_same) { /* SEND-1 */
    enum { MANY = 2000 };
    static char names[MANY][8];
    static wshub_str rooms[MANY];
    wshub_dest dest;
    wshub_msg m = msg("m", "1");
    int i;
    start();
    for (i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "r%d", i);
        rooms[i] = S(names[i]);
    }
    join(0, names[MANY - 1]);
    join(1, names[MANY - 2]);
    join(1, names[7]);
    dest = to_rooms(rooms, MANY);
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("110000");
    memset(&dest, 0, sizeof dest);
    dest.except_rooms = rooms;
    dest.except_rooms_count = MANY;
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    HEARD("001111");

    /* Messages have a longest length, and ids may be a million. */
    m.data.len = WSHUB_MSG_BYTES_MAX + 1u;
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_ERR_LIMIT);
    world_stop(&w);
}
