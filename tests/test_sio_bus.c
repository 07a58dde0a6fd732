/* What a server of Socket.IO says to others and hears of them (>>sio-broadcast, >>sio-bus and
 * >>sio-emitter of wshub_dialect_socketio.h; the specification's 4 and 5): what is published, byte
 * for byte as recorded of Node's adapter and emitter; what is delivered of what comes, and what is
 * dropped; memory that fails. Two servers: tests/test_sio_servers.c. */
#include "sio_bus_site.h"
#include "texts.h"

/* One recorded broadcast, said by us. */
static void play(server *v, slate *b, wshub_emitter *emitter, slate *outside, char *line) {
    char *field[11], *at = line, held[64];
    wshub_str rooms[4], ids[4], except[4], args[16];
    wshub_span spans[4];
    wshub_packet packet;
    wshub_dest dest;
    slate *on = *line == 'A' ? b : outside;
    size_t i, held_len = 0, count;
    for (i = 0; i < 11; i++) {
        field[i] = at;
        at = strchr(at, '|');
        if (!at) at = field[i] + strlen(field[i]);
        if (*at) *at++ = 0;
    }
    memset(&dest, 0, sizeof dest);
    dest.rooms_count = list_of(field[2], ",", rooms);
    dest.rooms = rooms;
    if (dest.rooms_count == 1) { /* it may be said so too */
        dest.name = rooms[0];
        dest.rooms_count = 0;
    }
    dest.kind = dest.name.len || dest.rooms_count ? WSHUB_DEST_ROOM : WSHUB_DEST_ALL;
    dest.exclude_count = list_of(field[3], ",", ids);
    dest.exclude = ids;
    dest.except_rooms_count = list_of(field[4], ",", except);
    dest.except_rooms = except;
    memset(&packet, 0, sizeof packet);
    if (strchr(field[5], 'V')) packet.flags |= WSHUB_PACKET_VOLATILE;
    if (strchr(field[5], 'C')) packet.flags |= WSHUB_PACKET_COMPRESS;
    packet.event = wshub_str_z(field[6]);
    packet.args_count = list_of(field[7], "\t", args);
    packet.args = args;
    for (at = strtok(field[8], ","); at; at = strtok(NULL, ",")) {
        count = sio_socket_hex(at, held + held_len, sizeof held - held_len);
        spans[packet.attachments_count].ptr = (const uint8_t *)held + held_len;
        spans[packet.attachments_count++].len = count;
        held_len += count;
    }
    packet.attachments = spans;

    on->channel[0] = 0;
    if (*line == 'A')
        EXPECT_INT(wshub_sio_emit(v->sio, wshub_sio_of(v->sio, field[1]), &dest, &packet),
                   WSHUB_OK);
    else
        EXPECT_INT(wshub_sio_emitter_send(emitter, strncmp(field[9], "app", 3) == 0 ? "app" : NULL,
                                          field[1], &dest, &packet),
                   WSHUB_OK);
    wshub_io_fake_run(v->s.w.net);
    EXPECT_STR(on->channel, field[9]);
    at = strstr(field[10], "uid");
    if (at) memcpy(at, on->hex + (at - field[10]), 12); /* any six characters */
    EXPECT_STR(on->hex, field[10]);
}

TEST(broadcasts_are_published_as_recorded) { /* 4, 5, V:redis-publish */
    char *text = text_of("tests/socketio/bus.txt"), *at = text;
    wshub_emitter_desc desc;
    wshub_emitter *emitter;
    slate b, outside;
    wshub_bus bus = slate_bus(&b), free_bus = slate_bus(&outside);
    server v;
    int lines = 0;
    serve(&v, &bus, SIO(.bus = true), 1);
    slate_up(&b);
    wshub_io_fake_run(v.s.w.net);
    memset(&desc, 0, sizeof desc);
    desc.bus = &free_bus;
    EXPECT_INT(wshub_emitter_create(&desc, &emitter), WSHUB_OK);
    slate_up(&outside);
    while (*at) {
        char *line = at;
        at += strcspn(at, "\n");
        if (*at) *at++ = 0;
        if (*line == '#') continue;
        play(&v, &b, emitter, &outside, line);
        lines++;
    }
    EXPECT_INT(lines, 26);
    wshub_emitter_destroy(emitter);
    unserve(&v);
    free(text);
}

TEST(namespaces_listen_to_their_channels_while_they_are_open) { /* 4, V:redis-commands */
    slate b;
    wshub_bus bus = slate_bus(&b);
    server v;
    wshub_conn c;
    serve(&v, &bus, SIO(.bus = true, .bus_key = "app"), 1);
    EXPECT_STR(b.subs, ""); /* not connected yet */
    slate_up(&b);
    wshub_io_fake_run(v.s.w.net);
    EXPECT_STR(b.subs,
               "+app#/#* +app#/admin#* "); /* and not /a#b, whose channels are those of /a */
    b.subs[0] = 0;
    EXPECT_STR(b.letters, "+app-request#/# +app-response#/# +app-response#/#uidABC# "
                          "+app-request#/admin# +app-response#/admin# "
                          "+app-response#/admin#uidABC# ");
    b.letters[0] = 0;
    c = joins(&v, "/n1", "", NULL); /* one that a rule makes */
    EXPECT_STR(b.subs, "+app#/n1#* ");
    EXPECT_STR(b.letters, "+app-request#/n1# +app-response#/n1# +app-response#/n1#uidABC# ");
    b.letters[0] = 0;
    wshub_io_fake_end(v.s.w.net, c);
    wshub_io_fake_advance(v.s.w.net, 1000);
    EXPECT_STR(b.subs, "+app#/n1#* -app#/n1#* ");
    EXPECT_STR(b.letters, "-app-request#/n1# -app-response#/n1# -app-response#/n1#uidABC# ");
    c = joins(&v, "/n[1]*", "", NULL);
    EXPECT_STR(b.subs, "+app#/n1#* -app#/n1#* ");
    b.subs[0] = 0;
    b.owner.state(b.owner.ctx, WSHUB_BUS_DOWN);
    slate_up(&b);
    wshub_io_fake_run(v.s.w.net);
    EXPECT_STR(b.subs, "+app#/#* +app#/admin#* ");
    unserve(&v);

    bus = slate_bus(&b); /* off unless it is asked for */
    serve(&v, &bus, SIO(.bus = false), 1);
    slate_up(&b);
    wshub_io_fake_run(v.s.w.net);
    EXPECT_STR(b.subs, "");
    {
        wshub_packet packet = {0};
        packet.event = S("m");
        EXPECT_INT(wshub_sio_emit(v.sio, wshub_sio_of(v.sio, "/"), NULL, &packet), WSHUB_OK);
        wshub_io_fake_run(v.s.w.net);
        EXPECT_INT(b.published, 0);
    }
    unserve(&v);
}

TEST(keys_that_channels_cannot_begin_with_are_refused) { /* 4, BUS-6 */
    static const char *const bad[] = {"",    "a*",  "a?",       "a[",   "a]",
                                      "a\\", "a b", "\xC3\xA4", "a\x7F"};
    char long_key[65];
    wshub_sio_desc d;
    size_t i;
    memset(&d, 0, sizeof d);
    EXPECT(!wshub_sio_desc_problem(&d));
    d.bus = true;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        d.bus_key = bad[i];
        EXPECT(wshub_sio_desc_problem(&d) && strstr(wshub_sio_desc_problem(&d), "bus_key"));
    }
    memset(long_key, 'k', sizeof long_key);
    long_key[64] = 0;
    d.bus_key = long_key;
    EXPECT(wshub_sio_desc_problem(&d));
    long_key[55] = 0; /* `-response#` behind it makes 65 */
    EXPECT(wshub_sio_desc_problem(&d));
    long_key[54] = 0;
    EXPECT(!wshub_sio_desc_problem(&d));
}

/* Hand-made messages, and whether each of the three hears of it: one in the room r1 and one in no
 * room, both of `/`, and one of `/admin`. */
static const struct {
    const char *channel, *hex, *r1, *other, *admin;
    int dropped;
} injected[] = {
    /* V:redis-inject, in its order */
    {"socket.io#/#",
     "93a17882a47479706502a46461746192a16d0183a5726f6f6d7390a665786365707490a5666c61677380",
     "42[\"m\",1]", "42[\"m\",1]", NULL, 0},
    {"socket.io#/#", "93a17882a47479706502a46461746192a16d0180", "42[\"m\",1]", "42[\"m\",1]", NULL,
     0},
    {"socket.io#/#", "93a17883a47479706502a46461746191a16da36e7370c080", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17883a47479706502a46461746191a16da36e7370a62f61646d696e80", NULL, NULL,
     NULL, 1},
    {"socket.io#/#nobody#",
     "93a17883a47479706502a46461746191a16da36e7370a12f81a5726f6f6d7391a27231", NULL, NULL, NULL, 0},
    {"socket.io#/#r1#", "93a17883a47479706502a46461746191a16da36e7370a12f81a5726f6f6d7391a27231",
     "42[\"m\"]", NULL, NULL, 0},
    {"socket.io#/#r1#", "93a17883a47479706502a46461746191a16da36e7370a12f81a5726f6f6d7390",
     "42[\"m\"]", "42[\"m\"]", NULL, 0},
    {"socket.io#/#", "93a17883a47479706502a46461746191a16da36e7370a12f81a5726f6f6d7391a27231",
     "42[\"m\"]", NULL, NULL, 0},
    {"socket.io#/#",
     "93a17883a47479706502a46461746191a16da36e7370a12f82a5726f6f6d7390a5666c61677381a8766f6c6174696"
     "c65c3",
     "42[\"m\"]", "42[\"m\"]", NULL, 0},
    {"socket.io#/#", "93a17884a47479706502a46461746191a16da36e7370a12fa269644d80", "42[\"m\"]",
     "42[\"m\"]", NULL, 0},
    {"socket.io#/#", "93a17884a47479706503a46461746191a16da36e7370a12fa269640180", NULL, NULL, NULL,
     1},
    {"socket.io#/#", "93a17883a47479706502a46461746191a7636f6e6e656374a36e7370a12f80", NULL, NULL,
     NULL, 1},
    {"socket.io#/#r1#",
     "dd00000003db00000006777368756231df00000003db0000000474797065cb4000000000000000db0000000464617"
     "461"
     "dd00000005db000000016dd3fffffffffffffffbcb4008000000000000df00000001db000000016bdd00000000c60"
     "000"
     "00020102db000000036e7370db000000012fdf00000003db00000005726f6f6d73dd00000001db000000027231db0"
     "000"
     "0006657863657074dd00000000db00000005666c616773df00000000",
     "451-[\"m\",-5,3,{\"k\":[]},{\"_placeholder\":true,\"num\":0}]+0102", NULL, NULL, 0},
    /* V:redis-malformed: each of these ends a server of Node's */
    {"socket.io#/#", "c1", NULL, NULL, NULL, 1},
    {"socket.io#/#", "81a16101", NULL, NULL, NULL, 1},
    {"socket.io#/#", "92a17883a47479706502a46461746191a16da36e7370a12f", NULL, NULL, NULL, 1},
    /* an old emitter's, in base64 once (PITFALLS e14) */
    {"socket.io#/#", "93ae8954747970654483a4", NULL, NULL, NULL, 1},
    /* what else is none, or would cost clients their connection */
    {"socket.io#/#", "", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d8000", NULL, NULL, NULL,
     1}, /* behind it */
    {"socket.io#/#", "94a17882a47479706502a46461746191a16d80c0", "42[\"m\"]", "42[\"m\"]", NULL, 0},
    {"socket.io#/#", "94a17882a47479706502a46461746191a16d80c1", NULL, NULL, NULL, 1},
    {"socket.io#/#", "930182a47479706502a46461746191a16d80", NULL, NULL, NULL, 1}, /* a number's */
    {"socket.io#/#", "93a17881a46461746191a16d80", NULL, NULL, NULL, 1},           /* no type */
    {"socket.io#/#", "93a17882a474797065a132a46461746191a16d80", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17881a4747970650280", NULL, NULL, NULL, 1}, /* no data */
    {"socket.io#/#", "93a17882a47479706502a4646174619080", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17882a47479706502a46461746181a16d0180", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17882a47479706502a46461746191c080", NULL, NULL, NULL, 1}, /* no name */
    {"socket.io#/#", "93a17882a47479706502a46461746191a080", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17882a47479706502a464617461910580", "42[\"5\"]", "42[\"5\"]", NULL, 0},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16dc0", NULL, NULL, NULL, 1}, /* no opts */
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a5726f6f6d7301", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a5726f6f6d73c0", "42[\"m\"]",
     "42[\"m\"]", NULL, 0},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a5726f6f6d739190", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a5726f6f6d7391a0", NULL, NULL, NULL, 0},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d82a178909190", NULL, NULL, NULL, 1},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a5666c616773c0", "42[\"m\"]",
     "42[\"m\"]", NULL, 0},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a5666c61677301", NULL, NULL, NULL, 1},
    {"socket.io#/#",
     "93a17882a47479706502a46461746191a16d81a5666c61677383a8636f6d7072657373c2a8766f6c6174696c65c2a"
     "1789101",
     "42[\"m\"]", "42[\"m\"]", NULL, 0},
    /* rooms that are numbers; who is to be left out */
    {"socket.io#/#42#", "93a17882a47479706502a46461746191a16d81a5726f6f6d73912a", "42[\"m\"]", NULL,
     NULL, 0},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a5726f6f6d7392cb4045000000000000ff",
     "42[\"m\"]", NULL, NULL, 0},
    {"socket.io#/#", "93a17882a47479706502a46461746191a16d81a665786365707491a27231", NULL,
     "42[\"m\"]", NULL, 0},
    /* another namespace's channel */
    {"socket.io#/admin#", "93a17883a47479706502a46461746191a16da36e7370a62f61646d696e80", NULL,
     NULL, "42/admin,[\"m\"]", 0},
    {"socket.io#/admin#", "93a17882a47479706502a46461746191a16d80", NULL, NULL, NULL, 1},
    /* channels that are none, or nobody's */
    {"socket.io#/#r1", "93a17882a47479706502a46461746191a16d80", NULL, NULL, NULL, 1},
    {"socket.io#/gone#", "93a17882a47479706502a46461746191a16d80", NULL, NULL, NULL, 0},
    {"socket.io#/", "93a17882a47479706502a46461746191a16d80", NULL, NULL, NULL, 0},
    {"socket.io#", "93a17882a47479706502a46461746191a16d80", NULL, NULL, NULL, 0},
    {"socket.io#/##", "93a17882a47479706502a46461746191a16d80", "42[\"m\"]", "42[\"m\"]", NULL, 0},
    /* data that looks like what stands for bytes: alone it is data, beside bytes it is a trap */
    {"socket.io#/#",
     "93a17882a47479706502a46461746192a16d82ac5f706c616365686f6c646572c3a36e756d0780",
     "42[\"m\",{\"_placeholder\":true,\"num\":7}]", "42[\"m\",{\"_placeholder\":true,\"num\":7}]",
     NULL, 0},
    {"socket.io#/#",
     "93a17882a47479706502a46461746193a16dc4017882ac5f706c616365686f6c646572c3a36e756d0780", NULL,
     NULL, NULL, 1},
    /* of equal keys the last counts, with its bytes */
    {"socket.io#/#", "93a17883a47479706502a46461746192a16dc40178a46461746192a16ec4017980",
     "451-[\"n\",{\"_placeholder\":true,\"num\":0}]+79",
     "451-[\"n\",{\"_placeholder\":true,\"num\":0}]+79", NULL, 0},
};

/* Has somebody heard this, and nothing else? `+`: and these bytes. */
static void has_heard(server *v, wshub_conn c, const char *want) {
    const char *plus = want ? strrchr(want, '+') : NULL;
    char text[200], bytes[16];
    if (want) {
        (void)snprintf(text, sizeof text, "%.*s",
                       (int)(plus ? (size_t)(plus - want) : strlen(want)), want);
        hears(v, c, text);
        if (plus) hears_bytes(v, c, bytes, sio_socket_hex(plus + 1, bytes, sizeof bytes));
    }
    EXPECT_SILENCE(&v->s.w, c);
}

TEST(what_comes_is_delivered_or_dropped_and_costs_nobody_anything) { /* 4, V:redis-inject, e17 */
    slate b;
    wshub_bus bus = slate_bus(&b);
    server v;
    wshub_conn r1, other, admin;
    uint64_t in = 0, dropped = 0;
    size_t i;
    serve(&v, &bus, SIO(.bus = true), 1);
    slate_up(&b);
    wshub_io_fake_run(v.s.w.net);
    r1 = joins(&v, "", "{\"rooms\":[\"r1\",\"42\"]}", NULL);
    other = joins(&v, "", "", NULL);
    admin = joins(&v, "/admin", "", NULL);
    for (i = 0; i < sizeof injected / sizeof *injected; i++) {
        char bytes[400], *exact;
        size_t count = sio_socket_hex(injected[i].hex, bytes, sizeof bytes), cut;
        wshub_str payload;
        int before = test_failures;
        exact = (char *)malloc(count ? count : 1);
        memcpy(exact, bytes, count);
        payload.ptr = exact;
        payload.len = count;
        b.owner.received(b.owner.ctx, S(injected[i].channel), payload);
        wshub_io_fake_run(v.s.w.net);
        has_heard(&v, r1, injected[i].r1);
        has_heard(&v, other, injected[i].other);
        has_heard(&v, admin, injected[i].admin);
        in += injected[i].r1 || injected[i].other || injected[i].admin;
        dropped += (unsigned)injected[i].dropped;
        EXPECT_INT(sio_stats(&v).bus_in, in);
        EXPECT_INT(sio_stats(&v).bus_dropped, dropped);
        EXPECT_INT(stats(&v.s.w).bus_bad, dropped);
        if (test_failures != before) (void)printf("  of %s\n", injected[i].hex);
        free(exact);

        for (cut = 0; injected[i].r1 && cut < count; cut++) { /* cut anywhere it is none */
            exact = (char *)malloc(cut ? cut : 1);
            memcpy(exact, bytes, cut);
            payload.ptr = exact;
            payload.len = cut;
            b.owner.received(b.owner.ctx, S(injected[i].channel), payload);
            free(exact);
            dropped++;
        }
    }
    wshub_io_fake_run(v.s.w.net);
    has_heard(&v, r1, NULL);
    EXPECT_INT(sio_stats(&v).bus_dropped, dropped);
    unserve(&v);
}

TEST(without_memory_a_broadcast_is_dropped_and_counted) { /* 4, BUS-5 */
    long at;
    bool done = false;
    for (at = 1; at < 60 && !done; at++) {
        slate b;
        wshub_bus bus = slate_bus(&b);
        server v;
        wshub_conn c;
        wshub_packet m = event_of("m");
        char bytes[100];
        wshub_str payload;
        wshub_err err;
        uint64_t heard;
        wshub_io_fake_frame f;
        serve(&v, &bus, SIO(.bus = true), 1);
        slate_up(&b);
        wshub_io_fake_run(v.s.w.net);
        c = joins(&v, "", "", NULL);
        payload.ptr = bytes;
        payload.len =
            sio_socket_hex("93a17882a47479706502a46461746192a16d0180", bytes, sizeof bytes);
        v.s.w.fail_at = at;
        b.owner.received(b.owner.ctx, S("socket.io#/#"), payload);
        heard = sio_stats(&v).bus_in;
        EXPECT_INT(heard + sio_stats(&v).bus_dropped, 1);
        err = emits(&v, "/", NULL, &m);
        EXPECT(err == WSHUB_OK || err == WSHUB_ERR_NOMEM);
        done = v.s.w.fail_at > 0; /* there were fewer */
        v.s.w.fail_at = 0;
        wshub_io_fake_run(v.s.w.net);
        if (done) {
            hears(&v, c, "42[\"m\",1]");
            hears(&v, c, "42[\"m\",1]");
            EXPECT_INT(b.published, 1);
        }
        while (wshub_io_fake_next(v.s.w.net, c, &f)) {
        }
        unserve(&v);
    }
    EXPECT(done);
    EXPECT_OP(at, >, 4);
}

TEST(the_emitter_refuses_what_readers_could_not_bear) { /* 5, PITFALLS e7 */
    static char longest[WSHUB_NAME_BYTES_MAX + 2];
    slate b;
    wshub_bus bus = slate_bus(&b);
    wshub_emitter_desc desc;
    wshub_emitter *em;
    wshub_packet m, bad;
    wshub_dest dest;
    wshub_str arg, room;
    wshub_span spans[11];
    size_t i;
    memset(&desc, 0, sizeof desc);
    desc.bus = &bus;
    EXPECT_INT(wshub_emitter_create(&desc, &em), WSHUB_OK);
    slate_up(&b);
    m = event_of("m");
    EXPECT_INT(wshub_sio_emitter_send(em, "", NULL, NULL, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, "/a,b", NULL, &m), WSHUB_ERR_PARAM);
    memset(longest, 'n', sizeof longest - 1);
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, longest, NULL, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, NULL), WSHUB_ERR_PARAM);
    bad = event_of("");
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_ERR_PARAM);
    bad = event_of("connect_error");
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_ERR_PARAM);
    bad = event_of("\xFF");
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_ERR_PARAM);
    bad = event_of("m");
    bad.args = &arg;
    arg = S("{");
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_ERR_JSON);
    bad.args_are_json = true; /* it is not believed in vain */
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_ERR_JSON);
    arg = S("[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}]");
    for (i = 0; i < 11; i++) spans[i].ptr = NULL, spans[i].len = 0;
    bad.attachments = spans;
    bad.attachments_count = 1;
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_OK);
    {
        wshub_str args[6];
        for (i = 0; i < 6; i++) args[i] = arg;
        bad.args = args;
        bad.args_count = 6; /* twelve to whoever reads it */
        EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_ERR_PARAM);
        bad.args_count = 5;
        EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, NULL, &bad), WSHUB_OK);
    }
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_USER;
    dest.name = S("u");
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_ERR_PARAM);
    dest.kind = WSHUB_DEST_ROOM;
    dest.name.len = 0;
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_ERR_PARAM);
    dest.name = S(longest);
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_ERR_PARAM);
    dest.name = S("\xFF");
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_ERR_PARAM);
    dest.kind = WSHUB_DEST_CLIENT;
    dest.name = S("id");
    dest.rooms = &room;
    dest.rooms_count = 1;
    room = S("r");
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_ERR_PARAM);
    dest.kind = WSHUB_DEST_RESOLVE;
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_OK);
    EXPECT_STR(b.channel, "socket.io#/#r#");
    room = S("\xC3");
    dest.kind = WSHUB_DEST_ALL;
    dest.rooms_count = 0;
    dest.exclude = &room;
    dest.exclude_count = 1;
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_ERR_PARAM);
    dest.exclude_count = 0;
    dest.except_rooms = &room;
    dest.except_rooms_count = 1;
    EXPECT_INT(wshub_sio_emitter_send(em, NULL, NULL, &dest, &m), WSHUB_ERR_PARAM);
    EXPECT_INT(b.published, 3);
    wshub_emitter_destroy(em);
}

/* All that somebody has heard are packets that a client reads, with their attachments. */
static unsigned hears_packets(server *v, wshub_conn c) {
    unsigned heard = 0, attachments = 0;
    wshub_io_fake_frame f;
    while (wshub_io_fake_next(v->s.w.net, c, &f)) {
        wshub_sio_packet packet;
        const char *wrong;
        EXPECT_INT(f.opcode, attachments ? 2 : 1);
        if (attachments) {
            attachments--;
            continue;
        }
        EXPECT(f.payload.len && f.payload.ptr[0] == '4');
        f.payload.ptr++;
        f.payload.len--;
        wrong = wshub_sio__read(f.payload, 10, &packet);
        if (wrong) (void)printf("  %.*s\n", (int)f.payload.len, f.payload.ptr);
        EXPECT_STR(wrong, NULL);
        EXPECT_INT(packet.type, '2');
        attachments = packet.attachments;
        heard++;
    }
    EXPECT_INT(attachments, 0);
    return heard;
}

TEST(whatever_strangers_publish_clients_hear_what_they_can_read) { /* 4, PITFALLS e17 */
    enum { ROWS = sizeof injected / sizeof *injected };
    slate b;
    wshub_bus bus = slate_bus(&b);
    server v;
    wshub_conn r1, other;
    unsigned round, heard = 0;
    serve(&v, &bus, SIO(.bus = true), 1);
    slate_up(&b);
    wshub_io_fake_run(v.s.w.net);
    r1 = joins(&v, "", "{\"rooms\":[\"r1\",\"42\"]}", NULL);
    other = joins(&v, "", "", NULL);
    v.s.w.unchecked = true; /* it takes its time */
    any_seed = 11;
    for (round = 0; round < 40000; round++) {
        const char *hex = injected[any_of(ROWS)].hex;
        char bytes[420], *exact;
        size_t count = sio_socket_hex(hex, bytes, sizeof bytes), changes = any_of(4), i;
        wshub_str payload;
        if (count && any_of(8) == 0) count = any_of((uint32_t)count);
        while (count && changes--) {
            i = any_of((uint32_t)count);
            if (any_of(3))
                bytes[i] = (char)any_of(256);
            else if (any_of(2) && count < 410)
                memmove(bytes + i + 1, bytes + i, count++ - i); /* one twice */
            else
                memmove(bytes + i, bytes + i + 1, --count - i);
        }
        exact = (char *)malloc(count ? count : 1);
        memcpy(exact, bytes, count);
        payload.ptr = exact;
        payload.len = count;
        b.owner.received(b.owner.ctx, any_of(2) ? S("socket.io#/#") : S("socket.io#/#r1#"),
                         payload);
        free(exact);
        wshub_io_fake_run(v.s.w.net);
        heard += hears_packets(&v, r1) + hears_packets(&v, other);
    }
    v.s.w.unchecked = false;
    EXPECT_OP(heard, >, 1000);
    EXPECT_INT(sio_stats(&v).sockets, 2);
    EXPECT_OP(sio_stats(&v).bus_dropped, >, 1000);
    unserve(&v);
}

/* What a server that could not be made has left to its hub. */
static void *left_block;
static int left_blocks;
static void *leave_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    void *out;
    (void)user;
    if (!new_bytes) {
        free(ptr);
        left_blocks--;
        return NULL;
    }
    out = realloc(ptr, new_bytes);
    if (!old_bytes && !left_blocks++) left_block = out;
    return out;
}

TEST(a_server_that_cannot_be_made_leaves_nothing_that_the_bus_would_trip_over) { /* 4, BUS-6 */
    slate b;
    wshub_bus bus = slate_bus(&b);
    server v;
    wshub_sio *second = NULL;
    wshub_sio_desc d;
    wshub_kind_desc kind;
    wshub_kind more;
    serve(&v, &bus, SIO(.bus = true), 1);
    memset(&d, 0, sizeof d);
    d.bus = true;
    d.engine.path = "/second/";
    d.recovery_ms = 1000;
    d.engine.alloc = leave_alloc;
    left_blocks = 0;
    EXPECT_INT(wshub_sio_create(v.s.w.hub, &d, &second), WSHUB_ERR_PARAM); /* the same channels */
    EXPECT_INT(left_blocks, 0);
    EXPECT_HAS(wshub_io_fake_log(v.s.w.net).ptr,
               "wshub_sio_create(): bus_key is \"socket.io\", bus is true: must not be that");
    d.bus_key = "other";
    memset(&kind, 0, sizeof kind);
    kind.name = "one more";
    kind.encode = wshub_sio__encode;
    while (!wshub_kind_add(v.s.w.hub, &kind, &more)) {
    }
    EXPECT_INT(wshub_sio_create(v.s.w.hub, &d, &second), WSHUB_ERR_LIMIT);
    EXPECT(!second);
    slate_up(&b);
    b.owner.received(b.owner.ctx, S("other#/#"), S("x"));
    wshub_io_fake_run(v.s.w.net);
    EXPECT_STR(b.subs, "+socket.io#/#* +socket.io#/admin#* ");
    EXPECT_INT(stats(&v.s.w).bus_bad, 0);
    unserve(&v);
    EXPECT_INT(left_blocks, 1);
    free(left_block);
}
