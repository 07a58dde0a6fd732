/* A dialect of one's own on the bus (>>api-dialect): who publishes for a realm, whose channels are whose,
 * what is subscribed to, given up, and subscribed to anew, whatever fails. */
#include "hubtest.h"
#include "told_bus.h"

typedef struct tongue { /* a dialect that speaks on the bus, and writes down what it hears there */
    uint32_t dialect;
    wshub_realm realm;
    bool named;  /* it subscribes to a channel of each name */
    bool refuse; /* publish says that it has no words */
    size_t args, attachments, rooms;
    char heard[512];
    size_t heard_len;
    size_t payload_len; /* of what came last */
} tongue;

static wshub_err tongue_publish(wshub *hub, wshub_realm realm, const wshub_dest *dest,
                                const wshub_packet *packet, void *user) {
    tongue *t = (tongue *)user;
    char payload[256];
    (void)snprintf(payload, sizeof payload, "{\"data\":\"%c %.*s %.*s\"}", "?acur"[dest->kind],
                   (int)dest -> name.len, dest->name.len ? dest->name.ptr : "",
                   (int)packet->event.len, packet->event.ptr);
    EXPECT(realm.id == t->realm.id && dest->kind != WSHUB_DEST_RESOLVE);
    t->args = packet->args_count;
    t->attachments = packet->attachments_count;
    t->rooms = dest->rooms_count;
    return t->refuse ? WSHUB_ERR_PARAM
                     : wshub_bus_publish(hub, t->dialect, S("out"), wshub_str_z(payload));
}

static void tongue_heard(tongue *t, const char *what, wshub_str text) {
    t->heard_len += (size_t)snprintf(t->heard + t->heard_len, sizeof t->heard - t->heard_len,
                                     "%s:%.*s ", what, (int)text.len, text.len ? text.ptr : "");
}

static void tongue_bus(wshub *hub, wshub_str channel, wshub_str payload, void *user) {
    (void)hub;
    ((tongue *)user)->payload_len = payload.len;
    tongue_heard((tongue *)user, "channel", channel);
    tongue_heard((tongue *)user, "payload", payload);
}

static void tongue_name(wshub *hub, wshub_realm realm, wshub_dest_kind kind, wshub_str name,
                        bool here, void *user) {
    tongue *t = (tongue *)user;
    char channel[64];
    EXPECT(realm.id == t->realm.id);
    (void)snprintf(channel, sizeof channel, "%c:%.*s", "?acur"[kind], (int)name.len, name.ptr);
    if (here)
        (void)wshub_bus_subscribe(hub, t->dialect, wshub_str_z(channel), false);
    else
        (void)wshub_bus_unsubscribe(hub, t->dialect, wshub_str_z(channel), false);
}

static void tongue_state(wshub *hub, wshub_bus_state state, void *user) {
    tongue *t = (tongue *)user;
    tongue_heard(t, "state",
                 S(state == WSHUB_BUS_UP     ? "up"
                   : state == WSHUB_BUS_DOWN ? "down"
                                             : "connected"));
    if (state == WSHUB_BUS_CONNECTED) (void)wshub_bus_subscribe(hub, t->dialect, S("*"), true);
}

#define EXPECT_HEARD(t, want)                                                                      \
    do {                                                                                           \
        EXPECT_STR((t)->heard, want);                                                              \
        (t)->heard_len = 0;                                                                        \
        (t)->heard[0] = 0;                                                                         \
    } while (0)

static wshub_dialect tongue_table(bool named) {
    return DIALECT(.name = "tongue", .bus_prefix = "t#", .publish = tongue_publish,
                   .on_bus = tongue_bus, .on_name = named ? tongue_name : NULL,
                   .on_bus_state = tongue_state);
}

static void tongue_start(world *w, tongue *t, bool named) {
    wshub_dialect table = tongue_table(named);
    wshub_realm_desc realm;
    memset(t, 0, sizeof *t);
    t->named = named;
    EXPECT_INT(wshub_dialect_add(w->hub, &table, t, &t->dialect), WSHUB_OK);
    memset(&realm, 0, sizeof realm);
    realm.version = WSHUB_REALM_VERSION;
    realm.dialect = t->dialect;
    EXPECT_INT(wshub_realm_create(w->hub, &realm, &t->realm), WSHUB_OK);
}

/* A client of the realm, at the stream of a JSON client. */
static wshub_client tongue_client(world *w, const tongue *t, const char *id, const char *user) {
    wshub_conn c = wshub_io_fake_connect(w->net, "/ws");
    wshub_client_desc desc;
    wshub_client client = {0};
    char data[64];
    memset(&desc, 0, sizeof desc);
    desc.id = S(id);
    desc.realm = t->realm;
    (void)snprintf(data, sizeof data, "{\"user\":\"%s\"}", user);
    EXPECT_INT(wshub_client_add(w->hub, wshub_conn_session(w->hub, c), &desc, &client), WSHUB_OK);
    EXPECT_INT(wshub_client_authenticate(w->hub, client, S(data)), WSHUB_OK);
    wshub_io_fake_run(w->net);
    return client;
}

static wshub_dest dest_of(const tongue *t, wshub_dest_kind kind, const char *name) {
    wshub_dest dest;
    memset(&dest, 0, sizeof dest);
    dest.kind = kind;
    dest.name = S(name);
    dest.realm = t->realm;
    return dest;
}

TEST(a_realm_is_published_by_the_dialect_that_speaks_for_it) { /* SEND-1, BUS-1 */
    world w;
    told t;
    tongue x;
    wshub_msg m = msg("m", "1");
    wshub_str args[2], rooms[2];
    wshub_packet packet;
    wshub_dest dest;
    wshub_span bytes = {(const uint8_t *)"b", 1};
    wshub_realm_desc mute;
    wshub_realm silent;
    told_start(&w, &t, false);
    tongue_start(&w, &x, false);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* +t#* ");
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_HEARD(&x, "state:connected state:up ");
    (void)tongue_client(&w, &x, "a", "u");
    EXPECT_TOLD(&t, "");

    dest = dest_of(&x, WSHUB_DEST_RESOLVE, "a");
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK);
    dest = dest_of(&x, WSHUB_DEST_ROOM, "r");
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK);
    EXPECT_INT(x.args, 1);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "!\"c a m\" !\"r r m\" ");
    EXPECT_INT(wshub_send_here(w.hub, &dest, &m), WSHUB_OK);
    EXPECT_INT(wshub_room_send(w.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "!1 "); /* the envelope of the first realm alone */

    /* all that a packet can be, and several rooms, which only such a realm has words for */
    memset(&packet, 0, sizeof packet);
    packet.event = S("p");
    args[0] = S("1");
    args[1] = S("2");
    packet.args = args;
    packet.args_count = 2;
    packet.attachments = &bytes;
    packet.attachments_count = 1;
    rooms[0] = S("r");
    rooms[1] = S("s");
    dest.rooms = rooms;
    dest.rooms_count = 2;
    EXPECT_INT(wshub_packet_send(w.hub, &dest, &packet), WSHUB_OK);
    EXPECT(x.args == 2 && x.attachments == 1 && x.rooms == 2);
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    dest.realm.id = 0;
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_ERR_PARAM);
    dest.rooms_count = 0;
    dest.except_rooms = rooms;
    dest.except_rooms_count = 1;
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_ERR_PARAM);
    packet.attachments_count = 0;
    packet.args_count = 0;
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM); /* SEND-3 */
    packet.args_count = 1;
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_OK);
    packet.event = S("");
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    packet.args = NULL;
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "!\"r r p\" !1 ");

    /* what it says goes to the sender; a realm for which nobody speaks stays here */
    x.refuse = true;
    dest = dest_of(&x, WSHUB_DEST_ALL, "");
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_ERR_PARAM);
    memset(&mute, 0, sizeof mute);
    mute.version = WSHUB_REALM_VERSION;
    EXPECT_INT(wshub_realm_create(w.hub, &mute, &silent), WSHUB_OK);
    dest.realm = silent;
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK);
    mute.dialect = 7;
    EXPECT_INT(wshub_realm_create(w.hub, &mute, &silent), WSHUB_ERR_PARAM);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "");
    world_stop(&w);

    /* without a bus nobody is asked to speak on it */
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    tongue_start(&w, &x, true);
    dest = dest_of(&x, WSHUB_DEST_ALL, "");
    EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK);
    EXPECT_INT(x.args, 0);
    EXPECT_INT(wshub_bus_publish(w.hub, x.dialect, S("c"), S("p")), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, S("c"), false), WSHUB_OK);
    world_stop(&w);
}

TEST(what_comes_on_a_dialects_channels_is_the_dialects_byte_for_byte) { /* BUS-3, BUS-6 */
    world w;
    told t;
    tongue x;
    wshub_dialect deaf = tongue_table(false);
    uint32_t id;
    told_start(&w, &t, false);
    tongue_start(&w, &x, false);
    deaf.bus_prefix = "u#";
    deaf.on_bus = NULL;
    deaf.on_bus_state = NULL;
    EXPECT_INT(wshub_dialect_add(w.hub, &deaf, &x, &id), WSHUB_OK);
    deaf = DIALECT(.name = "elsewhere"); /* it does not speak on the bus at all */
    EXPECT_INT(wshub_dialect_add(w.hub, &deaf, &x, &id), WSHUB_OK);
    deaf = tongue_table(false);
    deaf.bus_prefix = "v#";
    EXPECT_INT(wshub_dialect_add(w.hub, &deaf, &x, &id), WSHUB_OK);
    t.owner.received(t.owner.ctx, S("t#c"), wshub__str("\0\xFF", 2));
    EXPECT(x.payload_len == 2 && memcmp(x.heard, "channel:c payload:", 18) == 0);
    x.heard_len = 0;
    t.owner.received(t.owner.ctx, S("u#c"), S("for nobody"));
    t.owner.received(t.owner.ctx, S("t"), S("not ours"));
    EXPECT_INT(x.heard_len, 0);
    EXPECT_INT(stats(&w).bus_received, 3);
    EXPECT_INT(stats(&w).bus_bad, 1); /* the last is no envelope either */
    wshub_client_report(w.hub, wshub__nobody(), WSHUB_LOG_BUS_BAD, 2, "odd", S("c"));
    EXPECT_INT(stats(&w).bus_bad, 3);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_HEARD(&x, "state:connected state:connected state:up state:up "); /* two of the four */
    world_stop(&w);
}

TEST(a_channel_is_that_dialects_under_whose_prefix_it_lies) { /* BUS-3, BUS-6 */
    /* Who hears of a channel, and by which name: dialect 0 has `t#`, 2 has `v#x`; 1, between
     * them, has no prefix. */
    static const struct {
        const char *channel;
        int whose; /* -1: the JSON dialect's, or nobody's */
        const char *rest;
    } t[] = {
        {"t#c", 0, "c"},          {"t#", 0, ""},    {"t#v#xc", 0, "v#xc"}, {"v#xc", 2, "c"},
        {"v#x", 2, ""},           {"v#xx", 2, "x"}, {"v#", -1, NULL},      {"v#y", -1, NULL},
        {"t", -1, NULL},          {"", -1, NULL},   {"T#c", -1, NULL},     {"xt#c", -1, NULL},
        {"ws:room:t#", -1, NULL},
    };
    world w;
    told bus;
    tongue x[3];
    wshub_dialect none = DIALECT(.name = "none"), last = tongue_table(false);
    size_t i;
    int k;
    told_start(&w, &bus, false);
    memset(x, 0, sizeof x);
    tongue_start(&w, &x[0], false);
    last.bus_prefix = "v#x";
    EXPECT_INT(wshub_dialect_add(w.hub, &none, &x[1], &x[1].dialect), WSHUB_OK);
    EXPECT_INT(wshub_dialect_add(w.hub, &last, &x[2], &x[2].dialect), WSHUB_OK);
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        uint64_t bad = stats(&w).bus_bad;
        char want[80] = "";
        if (t[i].rest)
            (void)snprintf(want, sizeof want, "channel:%s payload:{\"p\":1} ", t[i].rest);
        bus.owner.received(bus.owner.ctx, S(t[i].channel), S("{\"p\":1}"));
        for (k = 0; k < 3; k++) EXPECT_HEARD(&x[k], k == t[i].whose ? want : "");
        EXPECT_INT(stats(&w).bus_bad - bad, t[i].whose < 0); /* read as an envelope, and none */
    }
    EXPECT_INT(stats(&w).bus_received, i);
    world_stop(&w);
}

TEST(no_two_dialects_meet_on_the_bus) { /* BUS-6 */
    static const char *const bad[] = {"",    "w",   "ws:", "ws:room:", "t",
                                      "t#",  "t#x", "a*",  "a b",      "a\x7F",
                                      "a\\", "a?",  "a[",  "a]",       "\xC3\xA4"};
    static char long_prefix[WSHUB_BUS_PREFIX_BYTES_MAX + 2];
    world w;
    told t;
    tongue x;
    wshub_dialect table;
    uint32_t id;
    size_t i;
    told_start(&w, &t, false);
    tongue_start(&w, &x, false);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        table = tongue_table(false);
        table.bus_prefix = bad[i];
        EXPECT_INT(wshub_dialect_add(w.hub, &table, &x, &id), WSHUB_ERR_PARAM);
    }
    memset(long_prefix, 'p', sizeof long_prefix - 1);
    table.bus_prefix = long_prefix;
    EXPECT_INT(wshub_dialect_add(w.hub, &table, &x, &id), WSHUB_ERR_PARAM);
    long_prefix[WSHUB_BUS_PREFIX_BYTES_MAX] = 0;
    EXPECT_INT(wshub_dialect_add(w.hub, &table, &x, &id), WSHUB_OK);

    /* who has no channels has no words for them */
    for (i = 0; i < 4; i++) {
        table = DIALECT(.name = "mute");
        if (i == 0) table.publish = tongue_publish;
        if (i == 1) table.on_bus = tongue_bus;
        if (i == 2) table.on_name = tongue_name;
        if (i == 3) table.on_bus_state = tongue_state;
        EXPECT_INT(wshub_dialect_add(w.hub, &table, &x, &id), WSHUB_ERR_PARAM);
    }
    table.on_bus_state = NULL;
    EXPECT_INT(wshub_dialect_add(w.hub, &table, &x, &id), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(w.hub, id, S("c"), S("p")), WSHUB_ERR_PARAM);
    world_stop(&w);
}

TEST(channels_that_are_none_are_refused) { /* BUS-6 */
    static const char *const bad[] = {"", "a", "a?*", "a[*", "a]*", "a**", "a\\*"};
    static char long_channel[WSHUB_BUS_CHANNEL_BYTES_MAX + 1];
    world w;
    told t;
    tongue x;
    wshub_str huge;
    size_t i;
    told_start(&w, &t, false);
    tongue_start(&w, &x, false);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* +t#* ");
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, S(bad[i]), true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, wshub__str("\0*", 2), true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_unsubscribe(w.hub, x.dialect, S("a"), true), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_subscribe(w.hub, 0, S("a"), false),
               WSHUB_ERR_PARAM); /* JSON's are JSON's */
    EXPECT_INT(wshub_bus_subscribe(w.hub, 9, S("a"), false), WSHUB_ERR_PARAM);
    EXPECT_INT(
        wshub_bus_subscribe(w.hub, x.dialect, wshub__str(long_channel, sizeof long_channel), false),
        WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_publish(w.hub, 0, S("room:a"), S("p")), WSHUB_ERR_PARAM);
    huge = wshub__str("p", WSHUB_MSG_BYTES_MAX + 1);
    EXPECT_INT(wshub_bus_publish(w.hub, x.dialect, S("c"), huge), WSHUB_ERR_LIMIT);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "");

    /* what is only a character stays one; the empty channel is the prefix alone */
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, S("a?*"), false), WSHUB_OK);
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, nul(), false), WSHUB_OK);
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, S("a*"), true), WSHUB_OK);
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, S("a*"), false), WSHUB_OK);
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, S("a*"), false), WSHUB_OK); /* noted already */
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "+t#a?* +t# +t#a* +t#a* ");

    /* given up at last, also what was asked for again within the turn; taken back meanwhile: nothing */
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, S("a*"), true), WSHUB_OK);
    EXPECT_INT(wshub_bus_unsubscribe(w.hub, x.dialect, S("a*"), true), WSHUB_OK);
    EXPECT_INT(wshub_bus_unsubscribe(w.hub, x.dialect, nul(), false), WSHUB_OK);
    EXPECT_INT(wshub_bus_subscribe(w.hub, x.dialect, nul(), false), WSHUB_OK);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_TOLD(&t, "-t#a* ");
    world_stop(&w);
}

TEST(a_dialect_that_comes_later_is_told_that_the_bus_is_there) { /* BUS-5 */
    world w;
    told t;
    tongue x;
    told_start(&w, &t, false);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* ");
    tongue_start(&w, &x, false);
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&x, "state:connected ");
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* +t#* ");
    told_state(&w, &t, WSHUB_BUS_DOWN);
    EXPECT_HEARD(&x, "state:down ");
    world_stop(&w);
}

TEST(a_dialect_that_says_nothing_of_its_channels_hears_all_of_them) { /* BUS-1, BUS-5 */
    long n;
    for (n = 0; n < 12; n++) {
        world w;
        told t;
        tongue x, y;
        wshub_dialect table = tongue_table(false);
        memset(&x, 0, sizeof x);
        memset(&y, 0, sizeof y);
        told_start(&w, &t, false);
        table.on_bus_state = NULL;
        EXPECT_INT(wshub_dialect_add(w.hub, &table, &x, &x.dialect), WSHUB_OK);
        table.bus_prefix = "deaf#";
        table.on_bus = NULL; /* it only publishes */
        EXPECT_INT(wshub_dialect_add(w.hub, &table, &x, &y.dialect), WSHUB_OK);
        w.fail_at = n;
        told_state(&w, &t, WSHUB_BUS_CONNECTED);
        w.fail_at = 0;
        wshub_io_fake_advance(w.net, 100);
        EXPECT(strstr(t.log, "+t#* ") && !strstr(t.log, "+deaf#"));
        told_state(&w, &t, WSHUB_BUS_UP);
        t.owner.received(t.owner.ctx, S("t#c"), S("p"));
        EXPECT_HEARD(&x, "channel:c payload:p ");

        /* one that comes to a bus that is there, and all at the next connection */
        table.bus_prefix = "y#";
        table.on_bus = tongue_bus;
        EXPECT_INT(wshub_dialect_add(w.hub, &table, &y, &y.dialect), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(strstr(t.log, "+y#* "));
        told_state(&w, &t, WSHUB_BUS_DOWN);
        t.len = 0;
        told_state(&w, &t, WSHUB_BUS_CONNECTED);
        EXPECT(strstr(t.log, "+t#* ") && strstr(t.log, "+y#* "));
        world_stop(&w);
    }
}

TEST(names_of_a_realm_are_told_first_in_last_out_and_at_every_connection) { /* BUS-4, BUS-5 */
    world w;
    told t;
    tongue x;
    wshub_client a, b;
    wshub_realm_desc desc;
    wshub_realm brief;
    told_start(&w, &t, false);
    tongue_start(&w, &x, true);
    memset(&desc, 0, sizeof desc);
    desc.version = WSHUB_REALM_VERSION;
    desc.dialect = x.dialect;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &brief), WSHUB_OK);
    EXPECT_INT(wshub_realm_destroy(w.hub, brief), WSHUB_OK); /* nobody is told of that one's */
    desc.dialect = 0;
    EXPECT_INT(wshub_realm_create(w.hub, &desc, &brief), WSHUB_OK); /* nor of this one's */
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* +t#* ");
    a = tongue_client(&w, &x, "a", "u");
    EXPECT_TOLD(&t, "+t#c:a +t#u:u +t#r:a ");
    b = tongue_client(&w, &x, "b", "u");
    EXPECT_TOLD(&t, "+t#c:b +t#r:b ");
    EXPECT_INT(wshub_client_join(w.hub, a, S("r")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, b, S("r")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "+t#r:r ");

    /* down: nobody is told; connected anew: of all that are here, and of nobody else's names */
    told_state(&w, &t, WSHUB_BUS_DOWN);
    EXPECT_INT(wshub_client_join(w.hub, a, S("late")), WSHUB_OK);
    (void)world_client(&w, "json", NULL);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "+ws:broadcast +ws:room:* +ws:client:* +ws:user:* +t#* +t#r:late +t#r:r "
                    "+t#u:u +t#c:b +t#r:b +t#c:a +t#r:a ");
    told_state(&w, &t, WSHUB_BUS_UP);

    /* the last goes: given up when the channel has lingered */
    EXPECT_INT(wshub_client_leave(w.hub, a, S("r")), WSHUB_OK);
    EXPECT_INT(wshub_client_end(w.hub, b, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "");
    wshub_io_fake_advance(w.net, 5000);
    EXPECT(strstr(t.log, "-t#r:r ") && strstr(t.log, "-t#c:b ") && strstr(t.log, "-t#r:b "));
    EXPECT(!strstr(t.log, "-t#u:u "));
    world_stop(&w);
}

/* A hub with a dialect that subscribes to each name, and a client of it in 600 rooms. */
static wshub_client many_names(world *w, told *t, tongue *x, bool exact) {
    wshub_client client;
    char name[16];
    int i;
    told_start(w, t, exact);
    tongue_start(w, x, true);
    client = tongue_client(w, x, "a", "u");
    for (i = 0; i < 600; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        EXPECT_INT(wshub_client_join(w->hub, client, S(name)), WSHUB_OK);
    }
    return client;
}

TEST(a_bus_without_room_is_asked_for_everything_all_the_same) { /* BUS-5 */
    static const char *const wanted[] = {"+t#r:599 ", "+t#r:5 ", "+t#r:0 ", "+t#u:u ", "+t#c:a "};
    bool seen[5] = {false, false, false, false, false};
    world w;
    told t;
    tongue x;
    int i, round;
    (void)many_names(&w, &t, &x, true);
    t.full = true;
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_TOLD(&t, "");
    for (round = 0; round < 30; round++) {
        t.full = round % 2;
        wshub_io_fake_advance(w.net, 60);
        for (i = 0; i < 5; i++) seen[i] |= strstr(t.log, wanted[i]) != NULL;
        EXPECT(!strstr(t.log, "-t#"));
        t.len = 0;
        t.log[0] = 0;
    }
    for (i = 0; i < 5; i++) EXPECT(seen[i]);
    EXPECT_INT(w.hub->replay + w.hub->subs_count, 0);
    world_stop(&w);
}

/* A bus that takes a call of each turn. */
static int calls_left;
static bool (*all_calls)(void *ctx, const wshub_bus_channel *channels, size_t count);
static bool some_calls(void *ctx, const wshub_bus_channel *channels, size_t count) {
    return calls_left-- > 0 && all_calls(ctx, channels, count);
}
static void limit_calls(world *w) {
    all_calls = w->hub->uplink.bus.subscribe;
    w->hub->uplink.bus.subscribe = some_calls;
}

TEST(what_goes_and_comes_while_all_is_subscribed_to_anew_is_not_missed) { /* BUS-4, BUS-5 */
    world w;
    told t;
    tongue x;
    wshub_client json, a;
    char id[37];
    int speaker;
    for (speaker = 0; speaker < 2; speaker++) {
        told_start(&w, &t, true);
        tongue_start(&w, &x, true);
        limit_calls(&w);
        (void)world_client(&w, "v", id);
        json = world_handle(&w, id);
        a = speaker ? tongue_client(&w, &x, "a", "u") : json;
        EXPECT_INT(wshub_client_join(w.hub, a, S("first")), WSHUB_OK);
        EXPECT_INT(wshub_client_join(w.hub, a, S("last")), WSHUB_OK);
        calls_left = 1; /* what everybody wants, and no more */
        told_state(&w, &t, WSHUB_BUS_CONNECTED);
        EXPECT_OP(w.hub->replay, >, WSHUB__REPLAY_BASE);
        EXPECT_INT(wshub_client_leave(w.hub, a, S("first")), WSHUB_OK);
        EXPECT_INT(wshub_client_join(w.hub, a, S("first")), WSHUB_OK);
        calls_left = 100;
        wshub_io_fake_advance(w.net, 6000);
        EXPECT_HAS(t.log, speaker ? "+t#r:first " : "+ws:room:first ");
        EXPECT_HAS(t.log, speaker ? "+t#r:last " : "+ws:room:last ");
        EXPECT(!strstr(t.log, speaker ? "-t#r:first " : "-ws:room:first "));
        EXPECT_INT(w.hub->replay, WSHUB__REPLAY_DONE);
        world_stop(&w);
    }
}

TEST(a_realm_may_end_while_all_is_subscribed_to_anew) { /* BUS-5 */
    world w;
    told t;
    tongue x;
    wshub_client a = many_names(&w, &t, &x, false);
    limit_calls(&w);
    calls_left = 1;
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_INT(w.hub->replay, WSHUB__REPLAY_ROOMS);
    EXPECT_INT(w.hub->replay_realm, 1);
    EXPECT_INT(wshub_client_end(w.hub, a, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
    calls_left = 0;
    wshub_io_fake_run(w.net);
    EXPECT_INT(wshub_realm_destroy(w.hub, x.realm), WSHUB_OK);
    calls_left = 100;
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_INT(w.hub->replay + w.hub->subs_count, 0);

    /* also where the place that it had is there no more */
    w.hub->replay = WSHUB__REPLAY_ROOMS;
    w.hub->replay_realm = 5000;
    wshub_io_fake_advance(w.net, 60);
    EXPECT_INT(w.hub->replay, WSHUB__REPLAY_DONE);
    world_stop(&w);
}

TEST(what_a_dialect_publishes_waits_while_the_bus_is_down) { /* BUS-5 */
    world w;
    told t;
    tongue x;
    static char big[2000000];
    told_start(&w, &t, false);
    tongue_start(&w, &x, false);
    EXPECT_INT(wshub_bus_publish(w.hub, x.dialect, S("c"), S("{\"data\":1}")), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(w.hub, x.dialect, S("c"), S("{\"data\":2}")), WSHUB_OK);
    memset(big, ' ', sizeof big);
    EXPECT_INT(wshub_bus_publish(w.hub, x.dialect, S("c"), wshub__str(big, sizeof big)), WSHUB_OK);
    EXPECT_INT(stats(&w).bus_dropped, 1); /* more than bus_queue_bytes_max by itself */
    wshub_io_fake_run(w.net);
    EXPECT_TOLD(&t, "");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    told_state(&w, &t, WSHUB_BUS_UP);
    EXPECT_HAS(t.log, "!1 !2 ");
    EXPECT_INT(stats(&w).bus_published, 2);
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    EXPECT_INT(wshub_bus_publish(w.hub, x.dialect, S("c"), S("{\"data\":3}")), WSHUB_OK);
    wshub_io_fake_advance(w.net, 6000);
    EXPECT_HAS(t.log, "!3 "); /* BYE-2 */
    EXPECT(wshub_is_down(w.hub));
    EXPECT_INT(wshub_bus_publish(w.hub, x.dialect, S("c"), S("late")), WSHUB_ERR_STATE);
    EXPECT_INT(wshub_bus_unsubscribe(w.hub, x.dialect, S("c"), false), WSHUB_OK);
    world_stop(&w);
}

TEST(every_allocation_of_a_dialects_words_may_fail) { /* BUS-5 */
    long n;
    int failed = 0;
    for (n = 1; n < 40; n++) {
        world w;
        told t;
        tongue x;
        wshub_msg m = msg("m", "1");
        wshub_dest dest;
        told_start(&w, &t, false);
        tongue_start(&w, &x, true);
        (void)tongue_client(&w, &x, "a", "u");
        w.fail_at = n;
        told_state(&w, &t, WSHUB_BUS_CONNECTED);
        told_state(&w, &t, WSHUB_BUS_UP);
        dest = dest_of(&x, WSHUB_DEST_ALL, "");
        failed += wshub_send(w.hub, &dest, &m) == WSHUB_ERR_NOMEM;
        (void)wshub_bus_unsubscribe(w.hub, x.dialect, S("gone"), false);
        (void)wshub_bus_unsubscribe(w.hub, x.dialect, S("gone*"), true);
        wshub_io_fake_advance(w.net, 6000);
        w.fail_at = 0;
        wshub_io_fake_advance(w.net, 100);
        EXPECT(strstr(t.log, "+t#* ") && strstr(t.log, "+t#c:a ") && strstr(t.log, "+t#r:a ") &&
               strstr(t.log, "+t#u:u "));
        EXPECT(strstr(t.log, "-t#gone ") && strstr(t.log, "-t#gone* "));
        world_stop(&w);
    }
    EXPECT_OP(failed, >, 0);
}

/* ---- over the local bus ---- */

TEST(two_hubs_hear_each_others_dialects_and_realms_do_not_meet) { /* SEND-1, BUS-3 */
    pair p;
    tongue a, b;
    wshub_msg m = msg("m", "1");
    wshub_dest dest;
    pair_start(&p, false);
    tongue_start(&p.a, &a, false);
    tongue_start(&p.b, &b, false);
    pair_run(&p);
    EXPECT_HEARD(&a, "state:connected ");
    EXPECT_HEARD(&b, "state:connected ");
    EXPECT_INT(wshub_bus_publish(p.a.hub, a.dialect, S("c"), wshub__str("\0z", 2)), WSHUB_OK);
    pair_run(&p);
    EXPECT_INT(b.payload_len, 2);
    EXPECT(memcmp(b.heard, "channel:c payload:", 18) == 0);
    a.heard_len = b.heard_len = 0;
    a.heard[0] = b.heard[0] = 0;
    dest = dest_of(&a, WSHUB_DEST_ROOM, "r");
    EXPECT_INT(wshub_send(p.a.hub, &dest, &m), WSHUB_OK);
    EXPECT_INT(wshub_room_send(p.a.hub, S("r"), &m, NULL, 0), WSHUB_OK);
    pair_run(&p);
    EXPECT_HEARD(&b, "channel:out payload:{\"data\":\"r r m\"} ");
    EXPECT_INT(stats(&p.b).bus_received, 3);
    pair_stop(&p);
}

static void end_hub(wshub *hub, wshub_bus_state state, void *user) {
    (void)user;
    if (state == WSHUB_BUS_UP) wshub_destroy(hub);
}

TEST(a_dialect_may_end_the_hub_when_the_bus_comes_up) { /* BYE-1 */
    world w;
    told t;
    tongue x;
    wshub_dialect table = tongue_table(false);
    uint32_t id;
    told_start(&w, &t, false);
    table.bus_prefix = "first#";
    table.on_bus_state = end_hub;
    EXPECT_INT(wshub_dialect_add(w.hub, &table, NULL, &id), WSHUB_OK);
    tongue_start(&w, &x, false);
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_HEARD(&x, "state:connected ");
    w.unchecked = true;
    t.owner.state(t.owner.ctx, WSHUB_BUS_UP);
    EXPECT_HEARD(&x, ""); /* the hub has ended */
    w.hub = NULL;
    wshub_io_fake_destroy(w.net);
    EXPECT_INT(w.bytes, 0);
}

/* ---- what a dialect does when it is told of a name ---- */

/* A dialect that writes down whom it is told of, and does something at its n-th name. */
static struct meddler {
    tongue tongue; /* first: the table's functions take it for theirs */
    wshub_client client;
    int at, count;
    void (*acts)(wshub *hub, wshub_str name);
} meddler;

static void meddle(wshub *hub, wshub_realm realm, wshub_dest_kind kind, wshub_str name, bool here,
                   void *user) {
    struct meddler *m = (struct meddler *)user;
    EXPECT(realm.id == m->tongue.realm.id && kind > WSHUB_DEST_ALL);
    tongue_heard(&m->tongue, here ? "+" : "-", name);
    if (m->count++ == m->at && m->acts) m->acts(hub, name);
}
static void act_change(wshub *hub, wshub_str name) {
    wshub_msg m = msg("m", "1");
    wshub_dest dest = dest_of(&meddler.tongue, WSHUB_DEST_ALL, "");
    (void)name;
    EXPECT_INT(wshub_client_join(hub, meddler.client, S("more")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(hub, meddler.client, S("brief")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(hub, meddler.client, S("brief")), WSHUB_OK);
    EXPECT_INT(wshub_send_here(hub, &dest, &m), WSHUB_OK);
    checked(hub);
}
static void act_leave(wshub *hub, wshub_str name) {
    (void)name;
    EXPECT_INT(wshub_client_leave(hub, meddler.client, S("r1")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(hub, meddler.client, S("r2")), WSHUB_OK);
    EXPECT_INT(wshub_client_leave(hub, meddler.client, S("r3")), WSHUB_OK);
    checked(hub);
}
static void act_end(wshub *hub, wshub_str name) {
    (void)name;
    wshub_destroy(hub);
}

static void meddler_start(world *w, told *t) {
    wshub_dialect table = tongue_table(false);
    wshub_realm_desc realm;
    memset(&meddler, 0, sizeof meddler);
    meddler.at = -1;
    told_start(w, t, false);
    table.on_name = meddle;
    table.on_bus_state = NULL;
    EXPECT_INT(wshub_dialect_add(w->hub, &table, &meddler, &meddler.tongue.dialect), WSHUB_OK);
    memset(&realm, 0, sizeof realm);
    realm.version = WSHUB_REALM_VERSION;
    realm.dialect = meddler.tongue.dialect;
    EXPECT_INT(wshub_realm_create(w->hub, &realm, &meddler.tongue.realm), WSHUB_OK);
}
static void meddler_up(world *w, told *t) {
    told_state(w, t, WSHUB_BUS_CONNECTED);
    told_state(w, t, WSHUB_BUS_UP);
}

TEST(whoever_is_told_of_a_name_may_change_anything) { /* BUS-4, ROOM-5 */
    world w;
    told t;
    meddler_start(&w, &t);
    meddler_up(&w, &t);
    meddler.client = tongue_client(&w, &meddler.tongue, "a", "u");
    EXPECT_HEARD(&meddler.tongue, "+:a +:u +:a ");
    meddler.at = meddler.count;
    meddler.acts = act_change;
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("r")), WSHUB_OK);
    EXPECT_HEARD(&meddler.tongue, ""); /* not in the middle of it */
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("s")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&meddler.tongue, "+:r +:s +:more +:brief -:brief ");
    EXPECT_INT(wshub_client_end(w.hub, meddler.client, WSHUB_BY_APP, 0, nul()), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT(strstr(meddler.tongue.heard, "-:r ") && strstr(meddler.tongue.heard, "-:u "));
    world_stop(&w);
}

TEST(names_may_go_while_all_of_them_are_told) { /* BUS-4, BUS-5 */
    int at;
    for (at = 0; at < 6; at++) {
        world w;
        told t;
        meddler_start(&w, &t);
        meddler.client = tongue_client(&w, &meddler.tongue, "a", "u");
        EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("r1")), WSHUB_OK);
        EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("r2")), WSHUB_OK);
        EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("r3")), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_HEARD(&meddler.tongue, ""); /* there is no bus yet */
        meddler.at = at;
        meddler.acts = act_leave;
        meddler_up(&w, &t);
        EXPECT(strstr(meddler.tongue.heard, "+:u ") && strstr(meddler.tongue.heard, "+:a "));
        EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("r4")), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT(strstr(meddler.tongue.heard, "-:r1 -:r2 -:r3 +:r4 "));
        world_stop(&w);
    }
}

TEST(a_hub_may_end_when_a_name_is_told) { /* BYE-1, BUS-4 */
    static const char *const rooms[] = {"p", "q", "r", "s"};
    int i, at, later;
    for (later = 0; later < 2; later++) {
        for (at = 0; at < (later ? 4 : 7); at++) {
            world w;
            told t;
            meddler_start(&w, &t);
            if (later) meddler_up(&w, &t);
            meddler.client = tongue_client(&w, &meddler.tongue, "a", "u");
            for (i = 0; i < 4; i++)
                EXPECT_INT(wshub_client_join(w.hub, meddler.client, S(rooms[i])), WSHUB_OK);
            meddler.count = 0;
            meddler.at = at;
            meddler.acts = act_end;
            w.unchecked = true;
            if (!later) t.owner.state(t.owner.ctx, WSHUB_BUS_CONNECTED);
            wshub_io_fake_run(w.net);
            EXPECT_INT(meddler.count, at + 1); /* nobody is told of anything afterwards */
            w.hub = NULL;
            wshub_io_fake_destroy(w.net);
            EXPECT_INT(w.bytes, 0);
        }
    }
}

static told *down_bus;
static void act_down(wshub *hub, wshub_str name) {
    (void)hub, (void)name;
    down_bus->owner.state(down_bus->owner.ctx, WSHUB_BUS_DOWN);
}

TEST(names_that_wait_to_be_told_are_forgotten_with_the_bus) { /* BUS-4, BUS-5 */
    world w;
    told t;
    meddler_start(&w, &t);
    meddler_up(&w, &t);
    meddler.client = tongue_client(&w, &meddler.tongue, "a", "u");
    EXPECT_HEARD(&meddler.tongue, "+:a +:u +:a ");
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("r")), WSHUB_OK);
    told_state(&w, &t, WSHUB_BUS_DOWN);
    EXPECT_HEARD(&meddler.tongue, "");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_HEARD(&meddler.tongue, "+:r +:u +:a +:a ");
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("s")), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("t")), WSHUB_OK);
    down_bus = &t; /* which goes while the first of them is told */
    meddler.at = meddler.count;
    meddler.acts = act_down;
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&meddler.tongue, "+:s ");
    told_state(&w, &t, WSHUB_BUS_CONNECTED);
    EXPECT_HEARD(&meddler.tongue, "+:t +:s +:r +:u +:a +:a ");
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("x")), WSHUB_OK);
    world_stop(&w); /* or with the hub */
}

TEST(without_memory_names_that_are_here_are_told_all_the_same) { /* BUS-4, BUS-5 */
    world w;
    told t;
    meddler_start(&w, &t);
    meddler_up(&w, &t);
    meddler.client = tongue_client(&w, &meddler.tongue, "a", "u");
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("r")), WSHUB_OK);
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&meddler.tongue, "+:a +:u +:a +:r ");
    w.fail_all = true; /* one that has gone is not told: its channel stays */
    EXPECT_INT(wshub_client_leave(w.hub, meddler.client, S("r")), WSHUB_OK);
    w.fail_all = false;
    wshub_io_fake_run(w.net);
    EXPECT_HEARD(&meddler.tongue, "");
    w.fail_at = 2; /* the room's own memory, then that of its name */
    EXPECT_INT(wshub_client_join(w.hub, meddler.client, S("s")), WSHUB_OK);
    EXPECT_INT(w.fail_at, 0);
    w.fail_at = 0;
    wshub_io_fake_advance(w.net, 100);
    EXPECT(strstr(meddler.tongue.heard, "+:s "));
    world_stop(&w);
}
