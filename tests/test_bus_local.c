/* The in-process bus: its seats, what is held for them, who hears what and who has left (BUS-1,
 * BUS-4). */
#include "hubtest.h"

static size_t seat_heard;
static void seat_received(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)payload;
    seat_heard += channel.len + 1;
}
static void seat_state(void *ctx, wshub_bus_state state) {
    (void)ctx;
    (void)state;
}

TEST(seats_of_the_local_bus) {
    wshub_bus_local *local;
    wshub_bus_local_desc ld;
    wshub_bus a, b;
    wshub_bus_owner owner;
    /* clang-format off */
    wshub_bus_channel patterns[2] = {
        {{"x:*", 3}, true}, {{"y:*", 3}, true}}, plain = {{"x:1", 3},
        false}, unknown = {{"z:*", 3}, true}, long_one = {{"x:1*", 4}, true}, nameless = {{"", 0},
        false,
    };
    /* clang-format on */
    wshub_bus_msg m;
    world w;
    long n;
    memset(&w, 0, sizeof w);
    memset(&ld, 0, sizeof ld);
    memset(&owner, 0, sizeof owner);
    owner.received = seat_received;
    owner.state = seat_state;
    ld.alloc = world_alloc;
    ld.alloc_user = &w;
    ld.queue_bytes_max = 100;
    w.fail_at = 1;
    EXPECT_INT(wshub_bus_local_create(&ld, &local), WSHUB_ERR_NOMEM);
    EXPECT_INT(wshub_bus_local_create(&ld, &local), WSHUB_OK);
    w.fail_at = 1;
    EXPECT_INT(wshub_bus_local_seat(local, &a), WSHUB_ERR_NOMEM);
    EXPECT_INT(wshub_bus_local_seat(local, &a), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &b), WSHUB_OK);
    EXPECT_INT(a.attach(a.ctx, &owner), WSHUB_OK);
    EXPECT_INT(b.attach(b.ctx, &owner), WSHUB_OK);
    a.pump(a.ctx);
    for (n = 1; n < 6; n++) { /* what cannot be kept is offered again */
        w.fail_at = n;
        if (a.subscribe(a.ctx, &plain, 1)) break;
    }
    EXPECT(n > 2 && n < 6);
    w.fail_at = 0;
    EXPECT(a.subscribe(a.ctx, &plain, 1));
    EXPECT(a.subscribe(a.ctx, patterns, 2));
    m.channel = S("x:2");
    m.payload = S("p");
    seat_heard = 0;
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    a.pump(a.ctx);
    EXPECT_INT(seat_heard, 4);
    EXPECT(a.unsubscribe(a.ctx, &unknown, 1) && a.unsubscribe(a.ctx, &long_one, 1));
    EXPECT(a.unsubscribe(a.ctx, patterns, 1));
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    a.pump(a.ctx);
    EXPECT_INT(seat_heard, 4);
    m.channel = S("x:1");
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    a.pump(a.ctx);
    EXPECT_INT(seat_heard, 8);
    EXPECT(a.unsubscribe(a.ctx, &plain, 1) && a.unsubscribe(a.ctx, &plain, 1));
    EXPECT(a.subscribe(a.ctx, &nameless, 1) && a.subscribe(a.ctx, &nameless, 1) &&
           a.unsubscribe(a.ctx, &nameless, 1));
    nameless.name.len = (size_t)1 << 28; /* longer than any name may be: not looked at */
    EXPECT(!a.subscribe(a.ctx, &nameless, 1));
    m.channel = nul(); /* nothing at all is still a channel */
    m.payload = nul();
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    m.payload = wshub__str("01234567890123456789012345678901234567890123456789012345678901234567890"
                           "12345678901234567890123456789",
                           100);
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1); /* over queue_bytes_max: dropped for that seat */
    EXPECT_INT(wshub_bus_local_dropped(local), 1);
    m.payload = S("p");
    w.fail_at = 1;
    EXPECT_INT(b.publish(b.ctx, &m, 1), 0); /* no memory: offered again */
    EXPECT_INT(wshub_bus_local_dropped(local), 1);
    w.fail_at = 0;
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    (void)a.attach(a.ctx, NULL); /* leaves with letters in its box */
    EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
    wshub_bus_local_set_down(local, true);
    EXPECT_INT(b.publish(b.ctx, &m, 1), 0);
    (void)b.attach(b.ctx, NULL);
    wshub_bus_local_destroy(local);
    EXPECT_INT(w.bytes, 0);
}

static struct {
    wshub_bus bus;
    int heard, leave_at, woken;
    bool in_state;
} ears[3];
static void ear_received(void *ctx, wshub_str channel, wshub_str payload) {
    int i = *(int *)ctx;
    (void)channel;
    (void)payload;
    if (++ears[i].heard == ears[i].leave_at) (void)ears[i].bus.attach(ears[i].bus.ctx, NULL);
}
static void ear_state(void *ctx, wshub_bus_state state) {
    static const wshub_bus_channel every = {{"*", 1}, true};
    int i = *(int *)ctx;
    if (state != WSHUB_BUS_CONNECTED) return;
    EXPECT(ears[i].bus.subscribe(ears[i].bus.ctx, &every, 1));
    if (ears[i].in_state) (void)ears[i].bus.attach(ears[i].bus.ctx, NULL);
}
static void ear_wake(void *ctx) {
    ears[*(int *)ctx].woken++;
}

/* As hand_over() does, without a look at who has left since. */
static size_t send_one(const wshub_bus *bus, const wshub_bus_handover *item) {
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)bus->ctx;
    wshub_bus_local__sieve sieve;
    memset(&sieve, 0, sizeof sieve);
    sieve.local = seat->local;
    sieve.items = item;
    sieve.count = 1;
    return wshub_bus_local__seat_send(seat, &sieve);
}

TEST(who_leaves_the_bus_hears_nothing_more_wherever_he_stands) {
    static int numbers[3] = {0, 1, 2};
    static char text[400];
    wshub_bus_local *local;
    wshub_bus_local_desc ld;
    world w;
    wshub_bus_handover items[64];
    int i;
    memset(&w, 0, sizeof w);
    memset(&ld, 0, sizeof ld);
    memset(ears, 0, sizeof ears);
    memset(text, 'x', sizeof text);
    ld.alloc = world_alloc;
    ld.alloc_user = &w;
    ld.queue_bytes_max = 5400;
    EXPECT_INT(wshub_bus_local_create(&ld, &local), WSHUB_OK);
    for (i = 0; i < 3; i++) {
        wshub_bus_owner owner;
        memset(&owner, 0, sizeof owner);
        owner.ctx = &numbers[i];
        owner.received = ear_received;
        owner.state = ear_state;
        owner.wake = ear_wake;
        ears[i].in_state = i == 2;
        EXPECT_INT(wshub_bus_local_seat(local, &ears[i].bus), WSHUB_OK);
        EXPECT_INT(ears[i].bus.attach(ears[i].bus.ctx, &owner), WSHUB_OK);
        EXPECT_INT(ears[i].woken, 1);
    }
    for (i = 0; i < 64; i++) {
        items[i].channel = S("c");
        items[i].payload = wshub__str(text, 40);
        items[i].brief = wshub__str(NULL, 0);
    }
    for (i = 0; i < 2; i++) ears[i].bus.pump(ears[i].bus.ctx);
    w.fail_at = 1; /* the list of the others, then the parcel */
    EXPECT_INT(wshub_bus_local__hand_over(ears[0].bus.ctx, items, 64), 0);
    w.fail_at = 2;
    EXPECT_INT(wshub_bus_local__hand_over(ears[0].bus.ctx, items, 64), 0);
    /* one parcel: a piece of memory, a wake */
    EXPECT_INT(wshub_bus_local__hand_over(ears[0].bus.ctx, items, 10), 10);
    EXPECT_INT(ears[1].woken, 2);
    ears[1].bus.pump(ears[1].bus.ctx);
    EXPECT_INT(ears[1].heard, 10);
    /* four parcels, as each has at most a quarter of the limit */
    EXPECT_INT(wshub_bus_local__hand_over(ears[0].bus.ctx, items, 64), 64);
    EXPECT_INT(ears[1].woken, 3);
    EXPECT_INT(wshub_bus_local_dropped(local), 0);
    EXPECT_INT(wshub_bus_local__hand_over(ears[0].bus.ctx, items, 40), 40);
    /* by those whose box is full: 1 and 2 */
    EXPECT(wshub_bus_local_dropped(local) > 0 && wshub_bus_local_dropped(local) <= 80);
    ears[2].bus.pump(ears[2].bus.ctx); /* leaves when it is told that it is connected */
    EXPECT_INT(ears[2].heard, 0);
    w.fail_at = 2; /* the parcel of the second call; what came before it is taken */
    EXPECT_INT(wshub_bus_local__hand_over(ears[1].bus.ctx, items, 64), 0);
    ears[1].leave_at = 20;
    /* to one who has left, and does not look */
    EXPECT_INT(send_one(&ears[0].bus, items), 1);
    ears[1].bus.pump(ears[1].bus.ctx); /* leaves in the middle of a parcel */
    EXPECT_INT(ears[1].heard, 20);
    EXPECT_INT(send_one(&ears[0].bus, items), 1);
    i = ears[1].woken;
    EXPECT_INT(wshub_bus_local__hand_over(ears[0].bus.ctx, items, 3), 3); /* alone */
    EXPECT_INT(ears[1].woken, i);
    (void)ears[0].bus.attach(ears[0].bus.ctx, NULL);
    wshub_bus_local_destroy(local);
    EXPECT_INT(w.bytes, 0);
}

static size_t local_bytes;
static bool local_starves;
static void *local_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    if (local_starves && new_bytes > old_bytes) return NULL;
    local_bytes += new_bytes - old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}
static uint32_t ear_heard;
static void seat_ear_received(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)channel;
    (void)payload;
    ear_heard++;
}
static void seat_ear_state(void *ctx, wshub_bus_state state) {
    (void)ctx;
    (void)state;
}
static wshub_bus seat_of(wshub_bus_local *local) {
    wshub_bus bus;
    wshub_bus_owner owner;
    memset(&owner, 0, sizeof owner);
    owner.received = seat_ear_received;
    owner.state = seat_ear_state;
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    EXPECT_INT(bus.attach(bus.ctx, &owner), WSHUB_OK);
    bus.pump(bus.ctx);
    return bus;
}
static wshub_bus_local *local_of(uint32_t max) {
    wshub_bus_local_desc d;
    wshub_bus_local *local = NULL;
    memset(&d, 0, sizeof d);
    d.alloc = local_alloc;
    d.queue_bytes_max = max;
    d.key[0] = d.key[8] = 1; /* the same slots in every run */
    local_bytes = 0;
    EXPECT_INT(wshub_bus_local_create(&d, &local), WSHUB_OK);
    return local;
}

/* subscriptions come and go at random */
TEST(a_seat_is_sent_what_it_might_want_from_when_it_wants_it) {
    wshub_bus_local *local = local_of(0);
    wshub_bus a = seat_of(local), b = seat_of(local);
    bool wants[8] = {false};
    int patterns = 0, step;
    wshub_bus_msg first;
    first.channel = first.payload = wshub_str_z("1");
    EXPECT_INT(a.publish(a.ctx, &first, 1), 1); /* and learns who the others are */
    any_seed = 77;
    for (step = 0; step < 2000; step++) {
        char name[16];
        wshub_bus_channel ch;
        uint32_t k = any_of(8);
        (void)snprintf(name, sizeof name, k % 2 ? "p%u*" : "c%u", (unsigned)k);
        ch.name = wshub_str_z(name);
        ch.pattern = k % 2 != 0;
        if (any_of(2)) { /* twice is once */
            bool on = any_of(3) == 0;
            EXPECT((on ? b.subscribe : b.unsubscribe)(b.ctx, &ch, 1));
            if (k % 2) patterns += (on ? 1 : 0) - (wants[k] ? 1 : 0);
            wants[k] = on;
        } else {
            wshub_bus_msg m;
            size_t held = local_bytes;
            (void)snprintf(name, sizeof name, k % 2 ? "p%ux" : "c%u", (unsigned)k);
            m.channel = wshub_str_z(name);
            m.payload = wshub_str_z("1");
            ear_heard = 0;
            EXPECT_INT(a.publish(a.ctx, &m, 1), 1);
            /* who wants nothing of it is sent nothing, and who wants a pattern sorts out himself */
            EXPECT((local_bytes > held) == (patterns > 0 || (k % 2 == 0 && wants[k])));
            b.pump(b.ctx);
            EXPECT_INT(ear_heard, wants[k]);
        }
    }
    EXPECT_INT(wshub_bus_local_dropped(local), 0);
    (void)a.attach(a.ctx, NULL);
    (void)b.attach(b.ctx, NULL);
    wshub_bus_local_destroy(local);
    EXPECT_INT(local_bytes, 0);
}

static wshub_bus_msg message_on(const char *channel) {
    wshub_bus_msg m;
    m.channel = wshub_str_z(channel);
    m.payload = wshub_str_z("1");
    return m;
}
static int wakes;
static void count_wakes(void *ctx) {
    (void)ctx;
    wakes++;
}

/* As a hub with bus_exact that has no member of a room. */
TEST(who_has_subscribed_to_channels_alone_is_not_woken_for_another) {
    wshub_bus_local *local = local_of(0);
    wshub_bus a = seat_of(local), b = seat_of(local);
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)b.ctx;
    wshub_bus_channel mine = {{"mine", 4}, false};
    wshub_bus_msg other = message_on("other"), both[300], same;
    char name[16] = "";
    uint32_t i;

    EXPECT(wshub_bus_local__slot(local, S("mine")) != wshub_bus_local__slot(local, S("other")));
    EXPECT(b.subscribe(b.ctx, &mine, 1));
    seat->owner.wake = count_wakes;
    wakes = 0;
    ear_heard = 0;
    EXPECT_INT(a.publish(a.ctx, &other, 1), 1);
    EXPECT_INT(wakes, 0);

    /* One that has its slot wakes it, and is sorted out. */
    for (i = 0;
         wshub_bus_local__slot(local, wshub_str_z(name)) != wshub_bus_local__slot(local, S("mine"));
         i++)
        (void)snprintf(name, sizeof name, "n%u", (unsigned)i);
    same = message_on(name);
    EXPECT_INT(a.publish(a.ctx, &same, 1), 1);
    EXPECT_INT(wakes, 1);
    b.pump(b.ctx);
    EXPECT_INT(ear_heard, 0);

    /* Among many others, at any place of them. */
    for (i = 0; i < 300; i++) both[i] = message_on(i % 100 == 99 ? "mine" : "other");
    EXPECT_INT(a.publish(a.ctx, both, 300), 300);
    EXPECT_INT(wakes, 2);
    b.pump(b.ctx);
    EXPECT_INT(ear_heard, 3);

    /* No longer, once it is not wanted any more. */
    EXPECT(b.unsubscribe(b.ctx, &mine, 1));
    EXPECT_INT(a.publish(a.ctx, &both[99], 1), 1);
    EXPECT_INT(wakes, 2);
    (void)a.attach(a.ctx, NULL);
    (void)b.attach(b.ctx, NULL);
    wshub_bus_local_destroy(local);
    EXPECT_INT(local_bytes, 0);
}

/* While it has not subscribed anew, all that comes is kept for it. */
static const wshub_bus_channel two_channels[2] = {{{"mine", 4}, false}, {{"late", 4}, false}};
static const wshub_bus *resubscriber, *meanwhile;
static void subscribe_in_two_steps(void *ctx, wshub_bus_state state) {
    wshub_bus_msg m = message_on("late");
    (void)ctx;
    if (state != WSHUB_BUS_CONNECTED) return;
    EXPECT(resubscriber->subscribe(resubscriber->ctx, &two_channels[0], 1));
    EXPECT_INT(meanwhile->publish(meanwhile->ctx, &m, 1), 1);
    EXPECT(resubscriber->subscribe(resubscriber->ctx, &two_channels[1], 1));
}

TEST(what_is_said_while_a_seat_subscribes_anew_is_heard) { /* BUS-5 */
    wshub_bus_local *local = local_of(0);
    wshub_bus a = seat_of(local), b = seat_of(local);
    wshub_bus_msg m = message_on("late");

    EXPECT(b.subscribe(b.ctx, &two_channels[0], 1));
    resubscriber = &b;
    meanwhile = &a;
    ((wshub_bus_local__seat *)b.ctx)->owner.state = subscribe_in_two_steps;
    wshub_bus_local_set_down(local, true);
    a.pump(a.ctx);
    b.pump(b.ctx);
    wshub_bus_local_set_down(local, false);
    a.pump(a.ctx);
    ear_heard = 0;
    EXPECT_INT(a.publish(a.ctx, &m, 1), 1);
    b.pump(b.ctx);
    EXPECT_INT(ear_heard, 2);
    (void)a.attach(a.ctx, NULL);
    (void)b.attach(b.ctx, NULL);
    wshub_bus_local_destroy(local);
    EXPECT_INT(local_bytes, 0);
}

/* queue_bytes_max */
TEST(all_that_is_held_for_a_seat_counts_and_none_is_too_long_for_an_empty_one) {
    static const uint32_t limits[] = {500, 4000, 100000};
    uint32_t round;
    for (round = 0; round < 30; round++) {
        wshub_bus_local *local = local_of(limits[round % 3]);
        wshub_bus a = seat_of(local), b = seat_of(local);
        wshub_bus_channel every = {{"*", 1}, true};
        wshub_bus_msg m;
        uint32_t sent = 0, i;
        size_t before;
        any_seed = round + 5;
        EXPECT(b.subscribe(b.ctx, &every, 1));
        m.channel = wshub_str_z("c");
        m.payload = wshub_str_z("1");
        EXPECT_INT(a.publish(a.ctx, &m, 1), 1);
        b.pump(b.ctx);
        before = local_bytes;
        ear_heard = 0;
        for (i = 0; i < 400; i++, sent++) {
            m.payload.ptr = json_string(limits[round % 3] + 2);
            m.payload.len = i == 0 && round % 2 ? limits[round % 3] + 2 : any_of(200);
            EXPECT_INT(a.publish(a.ctx, &m, 1), 1);
            EXPECT(local_bytes - before <=
                   limits[round % 3] + (round % 2 ? limits[round % 3] + 200 : 0));
        }
        b.pump(b.ctx);
        EXPECT_INT(ear_heard + wshub_bus_local_dropped(local), sent);
        EXPECT_OP(ear_heard, >, 0);
        EXPECT_INT(local_bytes, before);
        (void)a.attach(a.ctx, NULL);
        (void)b.attach(b.ctx, NULL);
        wshub_bus_local_destroy(local);
    }
}

TEST(a_seat_takes_as_many_patterns_as_it_is_asked_for_or_says_no) {
    wshub_bus_local *local = local_of(0);
    wshub_bus a = seat_of(local), b = seat_of(local);
    char name[16];
    uint32_t i;
    wshub_bus_channel ch;
    wshub_bus_msg m;
    ch.pattern = true;
    m.payload = wshub_str_z("1");
    for (i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "p%u:*", (unsigned)i);
        ch.name = wshub_str_z(name);
        local_starves = true;
        if (i == 0 || i == 2 || i == 3) EXPECT(!a.subscribe(a.ctx, &ch, 1));
        local_starves = false;
        EXPECT(a.subscribe(a.ctx, &ch, 1) && a.subscribe(a.ctx, &ch, 1));
    }
    ch.name.len = 0;
    EXPECT(!a.subscribe(a.ctx, &ch, 1) && a.unsubscribe(a.ctx, &ch, 1)); /* not even a `*` */
    ear_heard = 0;
    for (i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "p%u:x", (unsigned)i);
        m.channel = wshub_str_z(name);
        EXPECT_INT(b.publish(b.ctx, &m, 1), 1);
        (void)snprintf(name, sizeof name, "p%u:*", (unsigned)i);
        ch.name = wshub_str_z(name);
        a.pump(a.ctx);
        EXPECT_INT(ear_heard, i + 1);
        if (i % 2) EXPECT(a.unsubscribe(a.ctx, &ch, 1) && a.unsubscribe(a.ctx, &ch, 1));
    }
    (void)a.attach(a.ctx, NULL);
    (void)b.attach(b.ctx, NULL);
    wshub_bus_local_destroy(local);
    EXPECT_INT(local_bytes, 0);
}

TEST(the_tables_of_a_seat_have_a_key_that_is_its_owners) {
    wshub_bus_local *local, *keyed;
    wshub_bus_local_desc d;
    wshub_bus bus, other;
    world w;
    uint64_t mine[2], key[2] = {1, 2};
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    memset(&d, 0, sizeof d);
    memcpy(d.key, key, sizeof d.key);
    EXPECT_INT(wshub_bus_local_create(&d, &keyed), WSHUB_OK);
    other = seat_of(keyed);
    EXPECT(memcmp(((wshub_bus_local__seat *)other.ctx)->names.key, key, sizeof key) == 0);
    wshub_bus_local__names_clear(
        keyed,
        &((wshub_bus_local__seat *)other.ctx)->names); /* forgets what it holds, not the key */
    EXPECT(memcmp(((wshub_bus_local__seat *)other.ctx)->names.key, key, sizeof key) == 0);
    (void)other.attach(other.ctx, NULL);
    wshub_bus_local_destroy(keyed);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    memcpy(mine, ((wshub_bus_local__seat *)bus.ctx)->names.key, sizeof mine);
    EXPECT(mine[0] && mine[1]);
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = &bus, .bus_exact = true), FAKE(0));
    wshub_io_fake_run(w.net);
    /* of the hub's randomness */
    EXPECT(memcmp(((wshub_bus_local__seat *)bus.ctx)->names.key, mine, sizeof mine) != 0);
    /* and not the hub's own */
    EXPECT(memcmp(((wshub_bus_local__seat *)bus.ctx)->names.key, w.hub->key, sizeof mine) != 0);
    world_stop(&w);
    wshub_bus_local_destroy(local);
}

/* ---- a seat and its owner ---- */

static struct {
    wshub_bus bus;
    char log[64];
    char leave_in; /* the report in which it leaves */
    bool pumps;    /* from inside every report */
    int heard;
} one;
static void one_received(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    (void)channel;
    (void)payload;
    one.heard++;
}
static void one_state(void *ctx, wshub_bus_state state) {
    static const wshub_bus_channel every = {{"*", 1}, true};
    char c = "DCU"[state];
    (void)ctx;
    one.log[strlen(one.log)] = c;
    if (c == 'C') EXPECT(one.bus.subscribe(one.bus.ctx, &every, 1));
    if (one.pumps) one.bus.pump(one.bus.ctx);
    if (c == one.leave_in) (void)one.bus.attach(one.bus.ctx, NULL);
}
static void one_start(wshub_bus_local *local) {
    wshub_bus_owner owner;
    memset(&one, 0, sizeof one);
    memset(&owner, 0, sizeof owner);
    owner.received = one_received;
    owner.state = one_state;
    EXPECT_INT(wshub_bus_local_seat(local, &one.bus), WSHUB_OK);
    EXPECT_INT(one.bus.attach(one.bus.ctx, &owner), WSHUB_OK);
    EXPECT_INT(one.bus.attach(one.bus.ctx, &owner), WSHUB_ERR_STATE); /* it has one */
}

/* BUS-1: each change is told once, also to who pumps from inside a report; and wherever an owner
 * leaves, that was the last word. */
TEST(an_owner_may_pump_and_leave_in_any_report) {
    static const char *const leaves[] = {"", "C", "U", "D"};
    static const char *const logs[] = {"CUDCU", "C", "CU", "CUD"};
    int way, pumps;
    for (way = 0; way < 4; way++) {
        for (pumps = 0; pumps < 2; pumps++) {
            wshub_bus_local *local = local_of(0);
            int i;
            one_start(local);
            one.leave_in = leaves[way][0];
            one.pumps = pumps != 0;
            for (i = 0; i < 6; i++) {
                if (way && strlen(one.log) == strlen(logs[way])) break; /* it has left */
                wshub_bus_local_set_down(local, i / 2 == 1);
                one.bus.pump(one.bus.ctx);
            }
            EXPECT_STR(one.log, logs[way]);
            if (!way) (void)one.bus.attach(one.bus.ctx, NULL);
            wshub_bus_local_destroy(local);
            EXPECT_INT(local_bytes, 0);
        }
    }
}

TEST(a_long_batch_is_published_whole_or_as_far_as_memory_goes) {
    wshub_bus_local *local = local_of(0);
    wshub_bus from = seat_of(local);
    static wshub_bus_handover items[300];
    wshub_bus_msg msgs[100];
    size_t i;
    one_start(local);
    one.bus.pump(one.bus.ctx);
    for (i = 0; i < 100; i++) msgs[i].channel = msgs[i].payload = S("x");
    EXPECT_INT(from.publish(from.ctx, msgs, 100), 100);
    EXPECT_INT(from.publish(from.ctx, msgs, 16), 16);
    EXPECT_INT(from.publish(from.ctx, msgs, 0), 0);
    one.bus.pump(one.bus.ctx);
    EXPECT_INT(one.heard, 116);

    memset(items, 0, sizeof items); /* more than are looked at together */
    for (i = 0; i < 300; i++) items[i].channel = items[i].payload = S("x");
    EXPECT_INT(wshub_bus_local__hand_over(from.ctx, items, 300), 300);
    one.bus.pump(one.bus.ctx);
    EXPECT_INT(one.heard, 416);
    local_starves = true;
    EXPECT_INT(from.publish(from.ctx, msgs, 100), 0);
    local_starves = false;
    (void)from.attach(from.ctx, NULL);
    (void)one.bus.attach(one.bus.ctx, NULL);
    wshub_bus_local_destroy(local);
    EXPECT_INT(local_bytes, 0);
}

/* A key of which only one half is 0 is the application's all the same; the owner's goes before it. */
TEST(whose_key_a_seat_has) {
    int half, owners;
    for (half = 0; half < 2; half++) {
        for (owners = 0; owners < 2; owners++) {
            wshub_bus_local *local;
            wshub_bus_local_desc d;
            wshub_bus_owner owner;
            wshub_bus bus;
            memset(&d, 0, sizeof d);
            memset(&owner, 0, sizeof owner);
            memset(d.key + 8 * half, 7, 8);
            if (owners) memset(owner.key, 9, sizeof owner.key);
            EXPECT_INT(wshub_bus_local_create(&d, &local), WSHUB_OK);
            EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
            EXPECT_INT(bus.attach(bus.ctx, &owner), WSHUB_OK);
            EXPECT(memcmp(((wshub_bus_local__seat *)bus.ctx)->names.key, owners ? owner.key : d.key,
                          sizeof d.key) == 0);
            (void)bus.attach(bus.ctx, NULL);
            wshub_bus_local_destroy(local);
        }
    }
}

/* ---- requests ---- */

typedef struct word {
    char text[400]; /* what was answered, a word each */
    wshub_bus *bus;
    bool leave, again;
} word;

static wshub_err ask(word *a, const char *line);
static void word_reply(void *arg, const wshub_bus_reply *reply) {
    static const char *const kinds[] = {"null ", "integer ", "", "error ", "array "};
    word *a = (word *)arg;
    size_t n = strlen(a->text);
    if (!reply)
        (void)snprintf(a->text + n, sizeof a->text - n, "lost ");
    else if (reply->kind != WSHUB_BUS_REPLY_TEXT)
        (void)snprintf(a->text + n, sizeof a->text - n, "%s", kinds[reply->kind]);
    else
        (void)snprintf(a->text + n, sizeof a->text - n, "%.*s ", (int)reply->text.len,
                       reply->text.ptr);
    if (a->again) {
        a->again = false;
        EXPECT_INT(ask(a, "PING"), WSHUB_OK);
    }
    if (a->leave) {
        a->leave = false;
        EXPECT_INT(a->bus->attach(a->bus->ctx, NULL), WSHUB_OK);
    }
}
/* Asks for a command, whose words stand in a line. */
static wshub_err ask(word *a, const char *line) {
    wshub_str argv[8];
    size_t argc = 0;
    while (*line && argc < 8) {
        argv[argc].ptr = line;
        argv[argc].len = strcspn(line, " ");
        line += argv[argc++].len;
        line += *line == ' ';
    }
    return a->bus->request(a->bus->ctx, argv, argc, word_reply, a);
}
static void expect_word(int line, word *a, const char *want) {
    a->bus->pump(a->bus->ctx);
    if (strcmp(a->text, want) != 0) {
        test_fail(__FILE__, line);
        (void)printf("answered %s\n    expected %s\n", a->text, want);
    }
    a->text[0] = 0;
}
#define EXPECT_WORD(a, want) expect_word(__LINE__, a, want)

static void requests_begin(world *w, wshub_bus_local **local, wshub_bus *a, wshub_bus *b) {
    wshub_bus_local_desc desc = {.alloc = world_alloc, .alloc_user = w};
    wshub_bus_owner owner;
    memset(w, 0, sizeof *w);
    memset(&owner, 0, sizeof owner);
    owner.received = seat_received;
    owner.state = seat_state;
    EXPECT_INT(wshub_bus_local_create(&desc, local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(*local, a), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(*local, b), WSHUB_OK);
    EXPECT_INT(a->attach(a->ctx, &owner), WSHUB_OK);
    EXPECT_INT(b->attach(b->ctx, &owner), WSHUB_OK);
    a->pump(a->ctx);
    b->pump(b->ctx);
}

TEST(a_key_that_one_owner_sets_no_other_does) { /* CRON-6 */
    static const char *const odd[] = {"SET k v",
                                      "SET k v NX PX 0",
                                      "SET k v XX PX 10",
                                      "SET k v NX EX 10",
                                      "GET k",
                                      "SET k v NX PX 1x",
                                      "SET k v NX PX !0",
                                      "GET k v NX PX 10",
                                      "PING me",
                                      "set k v NX PX 10 x y",
                                      "SET k v NX PX 1234567890123456"};
    wshub_bus_local *local;
    wshub_bus a, b;
    word first = {.bus = &a}, second = {.bus = &b};
    world w;
    size_t i;
    requests_begin(&w, &local, &a, &b);
    EXPECT_INT(ask(&first, "SET k v NX PX 60000"), WSHUB_OK);
    EXPECT_STR(first.text, ""); /* never from inside the call */
    EXPECT_INT(ask(&second, "SET k w NX PX 60000"), WSHUB_OK);
    EXPECT_INT(ask(&second, "SET k2 w NX PX 60000"), WSHUB_OK);
    EXPECT_INT(ask(&first, "SET k v NX PX 60000"), WSHUB_OK);
    EXPECT_INT(ask(&first, "PING"), WSHUB_OK);
    EXPECT_WORD(&first, "OK null PONG ");
    EXPECT_WORD(&second, "null OK ");
    EXPECT_WORD(&second, "");
    for (i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        EXPECT_INT(ask(&first, odd[i]), WSHUB_OK);
        EXPECT_WORD(&first, "error ");
    }
    EXPECT_INT(ask(&first, ""), WSHUB_ERR_PARAM);
    EXPECT_INT(ask(&first, " PING"), WSHUB_ERR_PARAM); /* a command without a name */
    EXPECT_INT(wshub_bus_local__key_set(local, wshub__str("k", 0x10000000u), 9), WSHUB_ERR_NOMEM);
    EXPECT_INT(ask(&first, "SET  v NX PX 60000"), WSHUB_OK); /* a key may be empty */
    EXPECT_INT(ask(&second, "SET  v NX PX 60000"), WSHUB_OK);
    EXPECT_WORD(&first, "OK ");
    EXPECT_WORD(&second, "null ");

    first.again = true; /* what is asked meanwhile is answered the next time */
    EXPECT_INT(ask(&first, "PING"), WSHUB_OK);
    EXPECT_WORD(&first, "PONG ");
    EXPECT_WORD(&first, "PONG ");
    wshub_bus_local_set_down(local, true);
    a.pump(a.ctx);
    EXPECT_INT(ask(&first, "PING"), WSHUB_ERR_STATE);
    wshub_bus_local_set_down(local, false);
    a.pump(a.ctx);
    EXPECT_INT(ask(&first, "PING"), WSHUB_OK);
    EXPECT_WORD(&first, "PONG ");

    w.fail_at = 1;
    EXPECT_INT(ask(&first, "SET k3 v NX PX 60000"), WSHUB_ERR_NOMEM);
    w.fail_at = 2;
    EXPECT_INT(ask(&first, "SET k3 v NX PX 60000"), WSHUB_ERR_NOMEM);
    w.fail_at = 0;
    for (i = 0; i < WSHUB_BUS_LOCAL__QUESTIONS; i++) EXPECT_INT(ask(&second, "GET"), WSHUB_OK);
    EXPECT_INT(ask(&second, "GET"), WSHUB_ERR_LIMIT);

    for (i = 0; i < 3; i++) EXPECT_INT(ask(&first, "PING"), WSHUB_OK);
    first.leave =
        true; /* who leaves from inside an answer is told of the others that they are lost */
    EXPECT_WORD(&first, "PONG lost lost ");
    second.text[0] = 0;
    EXPECT_INT(b.attach(b.ctx, NULL), WSHUB_OK);
    EXPECT_HAS(second.text, "lost lost lost");
    wshub_bus_local_destroy(local);
    EXPECT_INT(w.bytes, 0);
}

static wshub_bus_local__key *key_of(wshub_bus_local *local, int64_t until) {
    wshub_bus_local__key *key =
        (wshub_bus_local__key *)wshub_bus_local__new(local, sizeof *key + 1);
    key->until = until;
    key->len = 1;
    return key;
}

TEST(keys_go_when_their_time_is_over_or_their_bucket_is_full) { /* CRON-6 */
    wshub_bus_local *local;
    wshub_bus_local__key **bucket, *key, *left;
    wshub_bus a, b;
    world w;
    int i;
    requests_begin(&w, &local, &a, &b);
    bucket = &local->keys[0];
    key = key_of(local, 10);
    memcpy(key + 1, "x", 1);
    EXPECT(wshub_bus_local__key_put(bucket, key, 5) == NULL);
    left = key_of(local, 20);
    memcpy(left + 1, "x", 1);
    EXPECT(wshub_bus_local__key_put(bucket, left, 9) == left); /* it is there */
    EXPECT(wshub_bus_local__key_put(bucket, left, 10) == key); /* its time is over */
    wshub_bus_local__key_end(local, key);
    key = key_of(local, 100); /* the same bytes, and none behind them */
    key->len = 0;
    EXPECT(wshub_bus_local__key_put(bucket, key, 10) == NULL);
    EXPECT(*bucket == key);
    *bucket = key->next;
    key->len = 1;
    wshub_bus_local__key_end(local, key);
    for (i = 0; i < WSHUB_BUS_LOCAL__KEYS_EACH; i++) {
        key = key_of(local, 100);
        memcpy(key + 1, &"abcdefgh"[i], 1);
        left = wshub_bus_local__key_put(bucket, key, 10);
        EXPECT((left == NULL) == (i < WSHUB_BUS_LOCAL__KEYS_EACH - 1));
        if (left) EXPECT(memcmp(left + 1, "x", 1) == 0); /* the oldest */
        wshub_bus_local__key_end(local, left);
    }
    EXPECT_INT(a.attach(a.ctx, NULL), WSHUB_OK);
    EXPECT_INT(b.attach(b.ctx, NULL), WSHUB_OK);
    wshub_bus_local_destroy(local);
    EXPECT_INT(w.bytes, 0);
}
