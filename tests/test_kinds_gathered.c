/* What is gathered for receivers of several kinds of wire (>>api-dialect) is as if each had been sent
 * alone; kinds in several realms, and in encrypted runs. */
#include "kinds_site.h"

/* One kind serves many realms, as that of a dialect with namespaces does. */
TEST(who_writes_is_told_in_which_realm_a_message_is_sent) { /* >>api-dialect */
    world w;
    wire a;
    wshub_realm_desc named = {.version = WSHUB_REALM_VERSION, .name = "other"};
    wshub_realm other;
    wshub_session lent;
    wshub_client here, there = {0};
    wshub_client_desc who;
    wshub_dest all;
    wshub_packet packet;
    wshub_msg m = msg("m", "1");
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    lent = lend(&w, NULL);
    here = lodger(&w, lent, "here", &a);
    EXPECT_INT(wshub_realm_create(w.hub, &named, &other), WSHUB_OK);
    memset(&who, 0, sizeof who);
    who.dialect = 1;
    who.kind = a.kind;
    who.realm = other;
    EXPECT_INT(wshub_client_add(w.hub, lent, &who, &there), WSHUB_OK);
    a.at.id = 77;
    EXPECT_INT(wshub_client_authenticate(w.hub, there, nul()), WSHUB_OK);
    EXPECT(a.at.id == other.id); /* what it is told on acceptance */

    memset(&all, 0, sizeof all);
    all.kind = WSHUB_DEST_ALL;
    all.realm = other;
    for (i = 0; i < 3; i++) { /* from the second on they are gathered */
        a.at.id = 77;
        EXPECT_INT(wshub_send_here(w.hub, &all, &m), WSHUB_OK);
        EXPECT(a.at.id == other.id);
        EXPECT_INT(wshub_send_here(w.hub, NULL, &m), WSHUB_OK);
        EXPECT(!a.at.id);
    }
    EXPECT_INT(wshub_client_send(w.hub, there, &m), WSHUB_OK);
    EXPECT(a.at.id == other.id);
    packet_init(&packet, "p", NULL, 0);
    EXPECT_INT(wshub_client_send_packet(w.hub, here, &packet), WSHUB_OK);
    EXPECT(!a.at.id);
    world_stop(&w);
}

/* What is gathered is written for the kinds that its realm has, not for those of others. */
TEST(a_message_is_written_for_no_kind_that_only_other_realms_have) { /* SEND-1, SEND-5 */
    world w;
    wire a, b;
    wshub_realm_desc named = {.version = WSHUB_REALM_VERSION, .name = "other"};
    wshub_realm other;
    wshub_session lent;
    wshub_client there = {0};
    wshub_client_desc who;
    wshub_dest all, room;
    wshub_packet packet;
    uint32_t calls;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    wire_add(&w, &b, "b");
    lent = lend(&w, NULL);
    EXPECT_INT(wshub_realm_create(w.hub, &named, &other), WSHUB_OK);
    memset(&who, 0, sizeof who);
    who.dialect = 1;
    who.kind = a.kind;
    who.realm = other;
    EXPECT_INT(wshub_client_add(w.hub, lent, &who, &there), WSHUB_OK);
    EXPECT_INT(wshub_client_authenticate(w.hub, there, nul()), WSHUB_OK);
    EXPECT_INT(wshub_client_join(w.hub, there, S("den")), WSHUB_OK);
    (void)peer_of(&w, NULL, &b); /* in the first realm */
    memset(&all, 0, sizeof all);
    all.realm = other;
    all.kind = WSHUB_DEST_ALL;
    room = all;
    room.kind = WSHUB_DEST_ROOM;
    room.name = S("den");
    packet_init(&packet, "p", NULL, 0);
    calls = a.calls;
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_packet_send_here(w.hub, &all, &packet), WSHUB_OK);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_packet_send_here(w.hub, &room, &packet), WSHUB_OK);
    EXPECT_INT(a.calls - calls, 6);
    EXPECT_INT(b.calls, 0);
    EXPECT_INT(stats(&w).unsayable, 0);
    world_stop(&w);
}

TEST(who_is_asked_is_told_by_what_to_answer_where_its_kind_can_say_it) { /* >>api-dialect */
    world w;
    wire a;
    peer asked, plain;
    wshub_packet packet;
    wshub_str arg = S("1");
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    asked = peer_of(&w, NULL, &a);
    plain = peer_of(&w, NULL, NULL);
    packet_init(&packet, "p", &arg, 1);
    packet.ask = S("7");
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_OK);
    EXPECT_INT(wshub_packet_send(w.hub, NULL, &packet), WSHUB_ERR_PARAM); /* no envelope says it */
    packet.ask = S("7 8");
    EXPECT_INT(wshub_packet_send_here(w.hub, NULL, &packet), WSHUB_ERR_JSON);
    wshub_io_fake_run(w.net);
    EXPECT_TEXTS(&w, asked.conn, "a:p(1)?7");
    EXPECT_TEXTS(&w, plain.conn, "{\"event\":\"p\",\"data\":1}");
    world_stop(&w);
}

/* Two hubs are told the same; the second is looked at behind every word, which ends what it has
 * gathered. What each client gets, byte by byte, and what is counted is the same. */
enum { TWINS = 10, WIRES = 4 };
typedef struct twin {
    world w;
    wire wires[WIRES];
    peer peers[TWINS];
    wshub_session lent; /* of the last of them: an out-queue without a stream */
} twin;

static void twin_start(twin *t, uint32_t seed) {
    static const char *const names[WIRES] = {"a", "b", "c", "d"};
    int i;
    world_start(&t->w,
                DESC(.on_authenticate = accept_all, .heartbeat_timeout_ms = WSHUB_OFF,
                     .idle_timeout_ms = WSHUB_OFF, .write_timeout_ms = WSHUB_OFF,
                     .backpressure_bytes_max = seed % 3 ? 900 : 0),
                FAKE(.seed = seed, .completion = seed % 4 == 0));
    for (i = 0; i < WIRES; i++) wire_add(&t->w, &t->wires[i], names[i]);
    t->wires[1].in_pieces = true;
    t->lent = lend(&t->w, NULL);
    for (i = 0; i < TWINS - 1; i++)
        t->peers[i] = peer_of(&t->w, i % 2 ? "u" : NULL, i % 5 ? &t->wires[i % 5 - 1] : NULL);
    (void)snprintf(t->peers[i].id, sizeof t->peers[i].id, "lodger");
    t->peers[i].client = lodger(&t->w, t->lent, "lodger", &t->wires[2]);
    for (i = 0; i < TWINS; i++)
        EXPECT_INT(wshub_client_join(t->w.hub, t->peers[i].client, S(i % 3 ? "one" : "two")),
                   WSHUB_OK);
}

/* One word of many; the same for both. */
static void twin_word(twin *t, uint32_t what, uint32_t with, const char *data) {
    wshub *hub = t->w.hub;
    const peer *p = &t->peers[with % TWINS];
    wshub_msg m = msg(with % 11 ? "m" : "odd", data);
    wshub_str except = S(t->peers[0].id), arg = S(data);
    const char *room = with % 3 ? "one" : "two";
    wshub_packet packet;
    wshub_dest den;
    packet_init(&packet, "p", &arg, with % 2);
    memset(&den, 0, sizeof den);
    den.kind = WSHUB_DEST_ROOM;
    den.name = S(room);
    if (what < 15) (void)wshub_room_send_here(hub, S(room), &m, NULL, 0);
    if (what >= 15 && what < 20) {
        if (with % 7 == 0) packet.flags = WSHUB_PACKET_VOLATILE;
        (void)wshub_packet_send_here(hub, &den, &packet);
    }
    if (what >= 20 && what < 24) (void)wshub_all_send_here(hub, &m, NULL, 0);
    if (what == 24) (void)wshub_user_send_here(hub, S("u"), &m);
    if (what == 25) (void)wshub_client_send(hub, p->client, &m);
    if (what == 26) (void)wshub_client_send_packet(hub, p->client, &packet);
    if (what == 27) (void)wshub_packet_send_here(hub, NULL, &packet);
    if (what == 28) (void)wshub_client_join(hub, p->client, S(room));
    if (what == 29) (void)wshub_client_leave(hub, p->client, S(room));
    if (what == 30) (void)wshub_client_set_kind(hub, p->client, (wshub_kind)(with % 5));
    if (what == 31) (void)wshub_room_send_here(hub, S(room), &m, &except, 1);
    if (what == 32 && with % 4 == 0) (void)wshub_client_encrypt(hub, p->client); /* in the clear */
    if (what == 33 && with % 40 == 0) (void)wshub_client_close(hub, p->client, 4000, S("enough"));
    if (what == 34) {
        wshub_io_fake_run(t->w.net);
        wshub_io_fake_window(t->w.net, p->conn, with % 7 ? UINT64_MAX : with % 300);
    }
    if (what == 35) {
        wshub_span span;
        if (wshub_session_spans(hub, t->lent, &span, 1))
            EXPECT_INT(wshub_session_taken(hub, t->lent, span.len / (1 + with % 2)), WSHUB_OK);
    }
}

static bool twins_same(twin *a, twin *b) {
    wshub_span spans[2][64];
    wshub_stats x = stats(&a->w), y = stats(&b->w);
    size_t n, i;
    for (i = 0; i < TWINS - 1; i++) {
        if (!wshub_str_eq(wshub_io_fake_output(a->w.net, a->peers[i].conn),
                          wshub_io_fake_output(b->w.net, b->peers[i].conn)))
            return false;
    }
    n = wshub_session_spans(a->w.hub, a->lent, spans[0], 64);
    if (wshub_session_spans(b->w.hub, b->lent, spans[1], 64) != n) return false;
    for (i = 0; i < n && i < 64; i++) {
        if (spans[0][i].len != spans[1][i].len ||
            memcmp(spans[0][i].ptr, spans[1][i].ptr, spans[0][i].len) != 0)
            return false;
    }
    x.segment_bytes = y.segment_bytes = 0;
    return memcmp(&x, &y, sizeof x) == 0;
}

TEST(what_is_gathered_for_several_kinds_is_as_if_each_had_been_sent_alone) { /* SEND-5, SEND-6 */
    static twin twins[2];
    uint32_t seed, step, runs = 0;
    int k;
    for (seed = 1; seed <= 24; seed++) {
        bool same = true;
        for (k = 0; k < 2; k++) twin_start(&twins[k], seed);
        any_seed = seed * 7919;
        for (step = 0; step < 400 && same; step++) {
            uint32_t what = any_of(36), with = any_of(1000);
            char data[32];
            (void)snprintf(data, sizeof data, "[%u]", (unsigned)step);
            for (k = 0; k < 2; k++) {
                twin_word(&twins[k], what, with, data);
                runs += twins[k].w.hub->gathered && twins[k].w.hub->run.others;
                if (k == 1) (void)stats(&twins[k].w); /* who looks ends the run */
            }
            if (step % 16) continue;
            for (k = 0; k < 2; k++) wshub_io_fake_run(twins[k].w.net);
            same = twins_same(&twins[0], &twins[1]);
        }
        EXPECT(same);
        for (k = 0; k < 2; k++) world_stop(&twins[k].w);
        if (!same) break;
    }
    EXPECT_OP(runs, >, 500);
}

/* Who is taken back was of the realm when something was gathered for all of it: that is given out
 * before the realm has nobody of its kind any more, or is no more itself. */
TEST(what_is_gathered_for_a_realm_goes_before_its_last_client_does) { /* SEND-1 */
    world w;
    wire a;
    wshub_realm_desc named = {.version = WSHUB_REALM_VERSION, .name = "other"};
    wshub_realm other;
    wshub_session lent;
    wshub_client first = {0}, second = {0};
    wshub_client_desc who;
    wshub_dest all;
    wshub_packet packet;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    wire_add(&w, &a, "a");
    lent = lend(&w, NULL);
    EXPECT_INT(wshub_realm_create(w.hub, &named, &other), WSHUB_OK);
    memset(&who, 0, sizeof who);
    who.dialect = 1;
    who.kind = a.kind;
    who.realm = other;
    memset(&all, 0, sizeof all);
    all.realm = other;
    all.kind = WSHUB_DEST_ALL;
    packet_init(&packet, "p", NULL, 0);

    /* Another one comes, of the plain kind. */
    EXPECT_INT(wshub_client_add(w.hub, lent, &who, &first), WSHUB_OK);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_packet_send_here(w.hub, &all, &packet), WSHUB_OK);
    EXPECT(w.hub->gathered);
    who.kind = 0;
    EXPECT_INT(wshub_client_add(w.hub, lent, &who, &second), WSHUB_OK);
    EXPECT_INT(wshub_client_cancel(w.hub, first), WSHUB_OK);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_packet_send_here(w.hub, &all, &packet), WSHUB_OK);

    /* Nobody is there any more. */
    EXPECT(w.hub->gathered);
    EXPECT_INT(wshub_client_cancel(w.hub, second), WSHUB_OK);
    EXPECT_INT(wshub_realm_destroy(w.hub, other), WSHUB_OK);
    wshub_io_fake_run(w.net);
    world_stop(&w);
}

TEST(an_encrypted_client_of_a_kind_gets_runs_of_its_own_kind) { /* ENC-1, SEND-5 */
    world w;
    wire a, b;
    peer as, bs;
    int i;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0)); /* nobody transforms */
    wire_add(&w, &a, "a");
    wire_add(&w, &b, "b");
    as = peer_of(&w, NULL, &a);
    bs = peer_of(&w, NULL, &b);
    EXPECT_INT(wshub_client_encrypt(w.hub, as.client), WSHUB_OK);
    EXPECT_INT(wshub_client_encrypt(w.hub, bs.client), WSHUB_OK);
    for (i = 0; i < 4; i++) EXPECT_INT(room_send(&w, "ws-default", "m", "1"), WSHUB_OK);
    wshub_io_fake_run(w.net);
    for (i = 0; i < 4; i++) EXPECT_TEXT(&w, as.conn, "a:m(1)");
    for (i = 0; i < 4; i++) EXPECT_TEXT(&w, bs.conn, "b:m(1)");
    EXPECT_SILENCE(&w, as.conn);
    EXPECT_SILENCE(&w, bs.conn);
    EXPECT_INT(a.calls, 4);
    EXPECT_INT(b.calls, 4);
    world_stop(&w);
}
