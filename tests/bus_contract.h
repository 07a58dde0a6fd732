/* What every bus must do, whatever carries it. A backend's test gives a bus_world; a new
 * backend is done when bus_contract() passes. The owners here are not hubs but recorders, so
 * that the table itself is seen. */
#ifndef BUS_CONTRACT_H
#define BUS_CONTRACT_H

typedef struct bus_world {
    const char *name;
    bool (*make)(struct bus_world *w, int seat, wshub_bus *out); /* seats 0 to 2 of one broker */
    void (*end)(struct bus_world *w, int seat);                  /* after it has left */
    /* serve what is ready, let a moment pass */
    void (*step)(struct bus_world *w);
    void (*cut)(struct bus_world *w, bool away); /* the broker goes, or is back */
    void *ctx;
} bus_world;

typedef struct bus_seat {
    bus_world *w;
    wshub_bus bus;
    const wshub_bus_channel *wanted; /* subscribed to in every CONNECTED */
    size_t wanted_count;
    char states[64]; /* one letter each: D, C, U */
    uint64_t got, bytes;
    long next; /* the number that the next numbered payload must have */
    char channel[256], *payload;
    size_t payload_len;
    bool gone;
    char brief[32]; /* the last one, of an owner that takes them */
    size_t brief_len;
    int rooms, lates;
} bus_seat;

static void bus_received(void *ctx, wshub_str channel, wshub_str payload) {
    bus_seat *s = (bus_seat *)ctx;
    EXPECT(!s->gone && s->states[0] && s->states[strlen(s->states) - 1] != 'D');
    s->got++;
    s->bytes += payload.len;
    (void)snprintf(s->channel, sizeof s->channel, "%.*s", (int)channel.len, channel.ptr);
    s->payload = (char *)realloc(s->payload, payload.len + 1);
    memcpy(s->payload, payload.len ? payload.ptr : "", payload.len);
    s->payload[payload.len] = 0;
    s->payload_len = payload.len;
    if (payload.len && payload.ptr[0] == '#') {
        if (s->next >= 0) EXPECT_INT(atol(s->payload + 1), s->next);
        s->next = atol(s->payload + 1) + 1;
    }
}
static void bus_handed_over(void *ctx, const wshub_bus_handover *message) {
    bus_seat *s = (bus_seat *)ctx;
    EXPECT(message->brief.len > 0); /* without one, received() is called */
    s->brief_len = message->brief.len;
    memcpy(s->brief, message->brief.ptr,
           message->brief.len < sizeof s->brief ? message->brief.len : sizeof s->brief);
    bus_received(ctx, message->channel, message->payload);
}
static void bus_state(void *ctx, wshub_bus_state state) {
    bus_seat *s = (bus_seat *)ctx;
    size_t n = strlen(s->states);
    EXPECT(!s->gone && n + 2 < sizeof s->states);
    s->states[n] = "DCU"[state];
    if (state == WSHUB_BUS_CONNECTED && s->wanted_count)
        EXPECT(s->bus.subscribe(s->bus.ctx, s->wanted, s->wanted_count));
}

static void bus_room(void *ctx) {
    bus_seat *s = (bus_seat *)ctx;
    EXPECT(!s->gone);
    s->rooms++;
}
static void bus_late(void *ctx) {
    bus_seat *s = (bus_seat *)ctx;
    EXPECT(!s->gone);
    s->lates++;
}

/* Answers to requests, which must come in the order in which they were asked. */
typedef struct bus_asked {
    bus_seat *seat;
    int answered, lost;
    bool asking; /* no answer comes from inside the call */
} bus_asked;

static void bus_replied(void *arg, const wshub_bus_reply *reply) {
    bus_asked *a = (bus_asked *)arg;
    EXPECT(!a->asking && !a->seat->gone);
    if (!reply) {
        a->lost++;
        return;
    }
    EXPECT(!a->lost);
    EXPECT(reply->kind == WSHUB_BUS_REPLY_TEXT && wshub_str_eq_z(reply->text, "PONG"));
    a->answered++;
}
static wshub_err bus_ask(bus_asked *a) {
    wshub_str ping = wshub_str_z("PING");
    wshub_err err;
    a->asking = true;
    err = a->seat->bus.request(a->seat->bus.ctx, &ping, 1, bus_replied, a);
    a->asking = false;
    return err;
}

static void bus_steps(bus_world *w, int n) {
    while (n--) w->step(w);
}
/* Serves until the condition holds, for some seconds at most. */
#define BUS_UNTIL(w, cond)                                                                         \
    do {                                                                                           \
        int bus_i = 0;                                                                             \
        bool bus_ok;                                                                               \
        while (!(bus_ok = (cond)) && bus_i++ < 4000) (w)->step(w);                                 \
        if (!bus_ok) {                                                                             \
            test_failures++;                                                                       \
            (void)printf("  %s:%d: %s: never came: %s\n", __FILE__, __LINE__, test_name, #cond);   \
        }                                                                                          \
    } while (0)

static size_t bus_say(bus_seat *s, const char *channel, const void *payload, size_t len) {
    wshub_bus_msg m;
    size_t took;
    m.channel = wshub_str_z(channel);
    m.payload.ptr = (const char *)payload;
    m.payload.len = len;
    took = s->bus.publish(s->bus.ctx, &m, 1);
    if (s->bus.flush) s->bus.flush(s->bus.ctx);
    return took;
}

static bool bus_up(const bus_seat *s) {
    size_t n = strlen(s->states);
    return n && s->states[n - 1] == 'U';
}

static void bus_contract(bus_world *w) {
    static bus_seat s[3];
    static const wshub_bus_channel exact[] = {{{"c:exact", 7}, false},
                                              {{"c:odd*?[x]\\ \r\n", 14}, false}};
    static const wshub_bus_channel pattern[] = {{{"c:*", 3}, true}, {{"end", 3}, false}};
    static const wshub_bus_channel none[] = {{{"other", 5}, false}, {{"end", 3}, false}};
    wshub_bus_owner owner;
    wshub_bus_msg batch[10];
    char all[256], numbers[10][16], *big = (char *)malloc(300000);
    size_t i, k, sent;
    uint64_t before[3];
    bus_asked asked = {&s[2], 0, 0, false};
    (void)printf("  bus contract: %s\n", w->name);
    memset(s, 0, sizeof s);
    memset(&owner, 0, sizeof owner);
    for (i = 0; i < 3; i++) {
        s[i].w = w;
        s[i].wanted = i == 0 ? exact : i == 1 ? pattern : none;
        s[i].wanted_count = 2;
        s[i].next = -1;
        EXPECT(w->make(w, (int)i, &s[i].bus));
        owner.ctx = &s[i];
        owner.received = bus_received;
        owner.state = bus_state;
        owner.room = bus_room;
        owner.late = bus_late;
        owner.handed_over = i == 0 ? bus_handed_over : NULL;
        EXPECT_INT(s[i].bus.version, WSHUB_BUS_VERSION);
        EXPECT_INT(s[i].bus.attach(s[i].bus.ctx, &owner), WSHUB_OK);
        EXPECT(s[i].states[0] == 0); /* not from inside */
    }
    /* connected, then up, once each */
    for (i = 0; i < 3; i++) {
        BUS_UNTIL(w, bus_up(&s[i]));
        EXPECT(strcmp(s[i].states, "CU") == 0);
    }
    /* in order, none lost, none twice: to an exact subscriber and to one by pattern, and to
     * nobody else */
    s[0].next = s[1].next = 0;
    for (sent = 0; sent < 2000;) {
        size_t n = 10, took;
        for (k = 0; k < n; k++) {
            batch[k].channel = wshub_str_z("c:exact");
            batch[k].payload.ptr = numbers[k];
            batch[k].payload.len =
                (size_t)snprintf(numbers[k], sizeof numbers[k], "#%zu", sent + k);
        }
        took = s[2].bus.publish(s[2].bus.ctx, batch, n);
        EXPECT(took <= n);
        sent += took;
        if (s[2].bus.flush) s[2].bus.flush(s[2].bus.ctx);
        if (took < n || sent % 500 == 0) w->step(w);
        if (took < n) break; /* offered again below, numbered on */
    }
    BUS_UNTIL(w, s[0].got == sent && s[1].got == sent);
    EXPECT_INT(sent, 2000);
    EXPECT_INT(s[0].next, 2000);
    EXPECT_INT(s[1].next, 2000);
    EXPECT_INT(s[2].got, 0);
    s[0].next = s[1].next = -1;
    /* every byte, no byte, many bytes; a name with all that has a meaning elsewhere */
    for (i = 0; i < 256; i++) all[i] = (char)i;
    EXPECT_INT(bus_say(&s[2], "c:odd*?[x]\\ \r\n", all, 256), 1);
    BUS_UNTIL(w, s[0].got == 2001 && s[1].got == 2001);
    EXPECT(s[0].payload_len == 256 && memcmp(s[0].payload, all, 256) == 0 &&
           strcmp(s[0].channel, "c:odd*?[x]\\ \r\n") == 0);
    EXPECT_INT(bus_say(&s[2], "c:exact", "", 0), 1);
    BUS_UNTIL(w, s[0].got == 2002 && s[1].got == 2002);
    EXPECT_INT(s[0].payload_len, 0);
    for (i = 0; i < 300000; i++) big[i] = all[(i * 7 + i / 256) & 255];
    EXPECT_INT(bus_say(&s[2], "c:exact", big, 300000), 1);
    BUS_UNTIL(w, s[0].got == 2003 && s[1].got == 2003);
    EXPECT(s[0].payload_len == 300000 && memcmp(s[0].payload, big, 300000) == 0);
    /* a brief goes along, byte by byte, to those who take them, and in one order with what is
     * published; others are given the message without it */
    if (s[2].bus.hand_over) {
        wshub_bus_handover items[3];
        for (i = 0; i < 3; i++) {
            items[i].channel = wshub_str_z("c:exact");
            items[i].payload.ptr = numbers[i];
            items[i].payload.len = (size_t)snprintf(numbers[i], sizeof numbers[i], "#%zu", 2 * i);
            items[i].brief.ptr = "\0brief\xff";
            items[i].brief.len = i == 2 ? 0 : 7;
        }
        s[0].next = s[1].next = 0;
        for (i = 0; i < 3; i++) {
            char odd[16];
            (void)snprintf(odd, sizeof odd, "#%zu", 2 * i + 1);
            EXPECT_INT(s[2].bus.hand_over(s[2].bus.ctx, &items[i], 1), 1);
            EXPECT_INT(bus_say(&s[2], "c:exact", odd, strlen(odd)), 1);
        }
        BUS_UNTIL(w, s[0].next == 6 && s[1].next == 6);
        EXPECT(s[0].brief_len == 7 && memcmp(s[0].brief, "\0brief\xff", 7) == 0);
        EXPECT_INT(s[1].brief_len, 0);
        s[0].next = s[1].next = -1;
        s[0].got = s[1].got = 2003;
    }
    /* what an exact name looks like a pattern for is not its own */
    EXPECT_INT(bus_say(&s[2], "c:odd", "x", 1), 1);
    EXPECT_INT(bus_say(&s[2], "c", "x", 1), 1);
    EXPECT_INT(bus_say(&s[2], "nobody", "x", 1), 1);
    BUS_UNTIL(w, s[1].got == 2004);
    bus_steps(w, 20);
    EXPECT(s[0].got == 2003 && s[1].got == 2004 && s[2].got == 0);
    /* many channels, taken or refused a batch at a time; left again; twice is once */
    {
        static char names[2000][16];
        static wshub_bus_channel many[2000];
        for (i = 0; i < 2000; i++) {
            many[i].name.ptr = names[i];
            many[i].name.len = (size_t)snprintf(names[i], sizeof names[i], "m:%zu", i);
            many[i].pattern = false;
        }
        for (i = 0; i < 2000; i += 500) {
            BUS_UNTIL(w, s[0].bus.subscribe(s[0].bus.ctx, many + i, 500));
        }
        BUS_UNTIL(w, s[0].bus.subscribe(s[0].bus.ctx, many + 7, 1));
        if (s[0].bus.flush) s[0].bus.flush(s[0].bus.ctx);
        before[0] = s[0].got;
        for (k = 0; k < 60000 && s[0].got == before[0]; k++) { /* until the last one is active */
            EXPECT_INT(bus_say(&s[2], "m:1999", "x", 1), 1);
            bus_steps(w, 5);
        }
        bus_steps(w, 20);
        before[0] = s[0].got;
        EXPECT_INT(bus_say(&s[2], "m:0", "x", 1), 1);
        EXPECT_INT(bus_say(&s[2], "m:7", "x", 1), 1);
        EXPECT_INT(bus_say(&s[2], "m:1234", "x", 1), 1);
        BUS_UNTIL(w, s[0].got == before[0] + 3);
        for (i = 0; i < 2000; i += 500) {
            BUS_UNTIL(w, s[0].bus.unsubscribe(s[0].bus.ctx, many + i, 500));
        }
        BUS_UNTIL(w, s[0].bus.unsubscribe(s[0].bus.ctx, many + 3, 9));  /* not there: nothing */
        BUS_UNTIL(w, s[0].bus.subscribe(s[0].bus.ctx, many + 1000, 1)); /* one comes back at once */
        if (s[0].bus.flush) s[0].bus.flush(s[0].bus.ctx);
        for (k = 0; k < 60000 && s[0].got < before[0] + 4; k++) {
            EXPECT_INT(bus_say(&s[2], "m:1000", "x", 1), 1);
            bus_steps(w, 5);
        }
        bus_steps(w, 20);
        before[0] = s[0].got;
        EXPECT_INT(bus_say(&s[2], "m:7", "x", 1), 1);
        EXPECT_INT(bus_say(&s[2], "c:exact", "x", 1), 1);
        BUS_UNTIL(w, s[0].got > before[0]);
        bus_steps(w, 20);
        EXPECT_INT(s[0].got, before[0] + 1);
    }
    /* what was taken is pending until the broker has acknowledged it, and then is told of; as
     * is room after a short take */
    if (s[2].bus.pending) {
        int rooms = s[2].rooms;
        BUS_UNTIL(w, s[2].bus.pending(s[2].bus.ctx) == 0);
        EXPECT_INT(bus_say(&s[2], "nobody", "x", 1), 1);
        EXPECT_INT(s[2].bus.pending(s[2].bus.ctx), 1);
        BUS_UNTIL(w, s[2].rooms > rooms);
        EXPECT_INT(s[2].bus.pending(s[2].bus.ctx), 0);
        rooms = s[2].rooms;
        for (sent = 0; sent < 40 && bus_say(&s[2], "nobody", big, 300000) == 1; sent++) {
        }
        /* one at least, however long; whoever takes no more says when it does again */
        EXPECT(sent > 0);
        if (sent < 40) BUS_UNTIL(w, s[2].rooms > rooms);
        BUS_UNTIL(w, s[2].bus.pending(s[2].bus.ctx) == 0);
    }
    /* an alarm comes once, and anew when it is given anew */
    if (s[2].bus.alarm) {
        s[2].bus.alarm(s[2].bus.ctx, 60000);
        s[2].bus.alarm(s[2].bus.ctx, 20);
        BUS_UNTIL(w, s[2].lates > 0);
        bus_steps(w, 50);
        EXPECT_INT(s[2].lates, 1);
        s[2].bus.alarm(s[2].bus.ctx, 0);
        BUS_UNTIL(w, s[2].lates == 2);
    }
    /* any command of the broker, if it has one: answered in order, among what is published */
    if (s[2].bus.request) {
        for (i = 0; i < 20; i++) {
            EXPECT_INT(bus_say(&s[2], "nobody", "x", 1), 1);
            EXPECT_INT(bus_ask(&asked), WSHUB_OK);
        }
        if (s[2].bus.flush) s[2].bus.flush(s[2].bus.ctx);
        EXPECT_INT(asked.answered, 0);
        BUS_UNTIL(w, asked.answered == 20);
        bus_steps(w, 20);
        EXPECT_INT(asked.answered, 20);
        EXPECT_INT(s[2].bus.request(s[2].bus.ctx, NULL, 0, bus_replied, &asked), WSHUB_ERR_PARAM);
    }
    /* the broker goes: told once, nothing is taken; it is back: told, subscribed anew to what
     * is wanted then */
    w->cut(w, true);
    for (i = 0; i < 3; i++) {
        BUS_UNTIL(w, !bus_up(&s[i]));
        EXPECT(strcmp(s[i].states, "CUD") == 0);
        before[i] = s[i].got;
    }
    EXPECT_INT(bus_say(&s[2], "c:exact", "x", 1), 0);
    if (s[2].bus.request) EXPECT_INT(bus_ask(&asked), WSHUB_ERR_STATE);
    EXPECT(s[0].bus.subscribe(s[0].bus.ctx, none, 1)); /* ignored */
    EXPECT(s[0].bus.unsubscribe(s[0].bus.ctx, none, 1));
    s[0].wanted = none;
    bus_steps(w, 50);
    w->cut(w, false);
    for (i = 0; i < 3; i++) {
        BUS_UNTIL(w, bus_up(&s[i]));
        EXPECT(strcmp(s[i].states, "CUDCU") == 0);
        EXPECT_INT(s[i].got, before[i]);
    }
    EXPECT_INT(bus_say(&s[2], "c:exact", "1", 1), 1);
    EXPECT_INT(bus_say(&s[2], "m:1000", "1", 1), 1);
    EXPECT_INT(bus_say(&s[1], "other", "2", 1), 1);
    BUS_UNTIL(w,
              s[0].got == before[0] + 1 && s[1].got == before[1] + 1 && s[2].got == before[2] + 1);
    bus_steps(w, 20);
    EXPECT_INT(s[0].got, before[0] + 1);
    /* one leaves: what it said last arrives, it hears nothing more, the others go on */
    EXPECT_INT(bus_say(&s[0], "end", "last", 4), 1);
    EXPECT_INT(s[0].bus.attach(s[0].bus.ctx, NULL), WSHUB_OK);
    s[0].gone = true;
    w->end(w, 0);
    BUS_UNTIL(w, s[1].got == before[1] + 2);
    EXPECT(strcmp(s[1].payload, "last") == 0);
    EXPECT_INT(bus_say(&s[1], "other", "3", 1), 1);
    BUS_UNTIL(w, s[2].got == before[2] + 3);
    /* who asked and leaves is told so before it has left */
    if (s[2].bus.request) {
        for (i = 0; i < 3; i++) EXPECT_INT(bus_ask(&asked), WSHUB_OK);
    }
    for (i = 0; i < 3; i++) {
        if (i) {
            EXPECT_INT(s[i].bus.attach(s[i].bus.ctx, NULL), WSHUB_OK);
            s[i].gone = true;
            w->end(w, (int)i);
        }
        free(s[i].payload);
    }
    EXPECT_INT(asked.lost, s[2].bus.request ? 3 : 0);
    free(big);
}
#endif
