/* What the table of a bus promises, seen from a bus made by hand: its version, and questions to
 * its broker. */
#include "hubtest.h"

/* ---- a bus by hand: it takes everything, keeps the questions it is asked, and answers them when a test says so ---- */

enum { QUESTIONS = 4 };
typedef struct hand {
    wshub_bus bus;
    wshub_bus_owner owner;
    int attached, left;
    wshub_err says; /* to a question */
    struct {
        void (*on_reply)(void *arg, const wshub_bus_reply *reply);
        void *arg;
        char text[64]; /* its words, a blank behind each */
    } asked[QUESTIONS];
    int asked_count;
} hand;

static void hand_answer(hand *h, const wshub_bus_reply *reply) { /* the oldest */
    void (*on_reply)(void *, const wshub_bus_reply *) = h->asked[0].on_reply;
    void *arg = h->asked[0].arg;
    memmove(h->asked, h->asked + 1, sizeof h->asked - sizeof h->asked[0]);
    h->asked_count--;
    on_reply(arg, reply);
}

static wshub_err hand_attach(void *ctx, const wshub_bus_owner *owner) {
    hand *h = (hand *)ctx;
    if (owner) {
        h->owner = *owner;
        h->attached++;
        return WSHUB_OK;
    }
    h->left++;
    while (h->asked_count) hand_answer(h, NULL);
    return WSHUB_OK;
}
static size_t hand_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    (void)msgs;
    return count;
}
static bool hand_subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx;
    (void)channels;
    (void)count;
    return true;
}
static wshub_err hand_request(void *ctx, const wshub_str *argv, size_t argc,
                              void (*on_reply)(void *arg, const wshub_bus_reply *reply),
                              void *arg) {
    hand *h = (hand *)ctx;
    size_t i, at = 0;
    if (h->says) return h->says;
    if (h->asked_count == QUESTIONS) return WSHUB_ERR_LIMIT;
    for (i = 0; i < argc; i++) {
        memcpy(h->asked[h->asked_count].text + at, argv[i].ptr, argv[i].len);
        at += argv[i].len;
        h->asked[h->asked_count].text[at++] = ' ';
    }
    h->asked[h->asked_count].text[at] = 0;
    h->asked[h->asked_count].on_reply = on_reply;
    h->asked[h->asked_count++].arg = arg;
    return WSHUB_OK;
}
static const wshub_bus *hand_bus(hand *h) {
    memset(h, 0, sizeof *h);
    h->bus.version = WSHUB_BUS_VERSION;
    h->bus.ctx = h;
    h->bus.attach = hand_attach;
    h->bus.publish = hand_publish;
    h->bus.subscribe = h->bus.unsubscribe = hand_subscribe;
    h->bus.request = hand_request;
    return &h->bus;
}

/* ---- the version ---- */

static bool must_not_be_asked(void *ctx) {
    (void)ctx;
    abort();
}
static wshub_err must_not_attach(void *ctx, const wshub_bus_owner *owner) {
    (void)ctx;
    (void)owner;
    abort();
}

/* A table compiled against another header has its functions elsewhere: it is refused by a text,
 * and nothing in it is called. */
TEST(a_bus_of_another_version_is_refused_unread) {
    static const uint32_t versions[] = {0, WSHUB_BUS_VERSION + 1, UINT32_MAX};
    size_t i;
    for (i = 0; i < sizeof versions / sizeof *versions; i++) {
        hand h;
        wshub_io_fake *net;
        wshub *hub = NULL;
        wshub_emitter *em = NULL;
        wshub_desc d;
        wshub_emitter_desc ed;
        EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
        memset(&d, 0, sizeof d);
        memset(&ed, 0, sizeof ed);
        d.io = wshub_io_fake_io(net);
        d.bus = ed.bus = hand_bus(&h);
        EXPECT(wshub_desc_problem(&d) == NULL);
        EXPECT(wshub_emitter_problem(&ed) == NULL);
        h.bus.version = versions[i];
        h.bus.attach = must_not_attach;
        h.bus.taken = must_not_be_asked;
        EXPECT(wshub_desc_problem(&d) &&
               strncmp(wshub_desc_problem(&d), "bus: its table", 14) == 0);
        EXPECT(wshub_emitter_problem(&ed) &&
               strcmp(wshub_emitter_problem(&ed), wshub_desc_problem(&d)) == 0);
        EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
        EXPECT_INT(wshub_emitter_create(&ed, &em), WSHUB_ERR_PARAM);
        EXPECT(!hub && !em);
        wshub_io_fake_destroy(net);
    }
}

/* Of an emitter's description too one can ask what is wrong with it. */
TEST(an_emitters_description_is_judged_by_a_text) {
    hand h;
    wshub_emitter *em = NULL;
    wshub_emitter_desc d;
    int way;
    EXPECT(wshub_emitter_problem(NULL) != NULL);
    for (way = 0; way < 8; way++) {
        bool good = way == 0 || way >= 6;
        memset(&d, 0, sizeof d);
        d.bus = hand_bus(&h);
        if (way == 1) d.bus = NULL;
        if (way == 2) h.bus.attach = NULL;
        if (way == 3) h.bus.publish = NULL;
        if (way == 4) d.bus_queue_bytes_max = 2, d.bus_burst_bytes_max = 1;
        if (way == 5) d.json_depth_max = WSHUB_JSON_DEPTH_MAX + 1;
        if (way == 6) d.bus_queue_bytes_max = d.bus_burst_bytes_max = 1;
        if (way == 7) d.json_depth_max = WSHUB_JSON_DEPTH_MAX;
        EXPECT((wshub_emitter_problem(&d) == NULL) == good);
        EXPECT_INT(wshub_emitter_create(&d, &em), good ? WSHUB_OK : WSHUB_ERR_PARAM);
        if (good) wshub_emitter_destroy(em);
    }
}

/* Nothing in a description of another header is read: it is shorter than ours, and so is its block. */
TEST(descriptions_of_emitters_and_of_a_local_bus_of_another_header_are_refused) {
    size_t bytes = sizeof(wshub_emitter_desc) - 8;
    wshub_emitter_desc *short_one = (wshub_emitter_desc *)calloc(1, bytes), whole;
    wshub_emitter *em = NULL;
    wshub_bus_local_desc ld;
    wshub_bus_local *local = NULL;
    hand h;
    memset(&ld, 0, sizeof ld);
    memset(&whole, 0, sizeof whole);
    whole.bus = hand_bus(&h);
    EXPECT_HAS(wshub_emitter_problem_versioned(short_one, bytes, WSHUB_DESC_VERSION),
               "compiled with another");
    EXPECT_HAS(wshub_emitter_problem_versioned(&whole, sizeof whole, WSHUB_DESC_VERSION + 1),
               "compiled with another");
    EXPECT_INT(wshub_emitter_create_versioned(short_one, bytes, WSHUB_DESC_VERSION, &em),
               WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_emitter_create_versioned(&whole, sizeof whole, WSHUB_DESC_VERSION + 1, &em),
               WSHUB_ERR_PARAM);
    EXPECT_INT(h.attached + h.left, 0);
    EXPECT_INT(
        wshub_bus_local_create_versioned(&ld, sizeof ld - 8, WSHUB_BUS_LOCAL_DESC_VERSION, &local),
        WSHUB_ERR_PARAM);
    EXPECT_INT(
        wshub_bus_local_create_versioned(&ld, sizeof ld, WSHUB_BUS_LOCAL_DESC_VERSION + 1, &local),
        WSHUB_ERR_PARAM);
    EXPECT(!em && !local);
    free(short_one);
}

/* ---- questions to the broker ---- */

static char heard[256]; /* what on_reply was told, each with `;` behind it */
static void hear(const char *text) {
    (void)strncat(heard, text, sizeof heard - strlen(heard) - 1);
}

static void hear_reply(const wshub_bus_reply *r) {
    char text[64];
    size_t i;
    switch (r->kind) {
    case WSHUB_BUS_REPLY_NULL: hear("null;"); break;
    case WSHUB_BUS_REPLY_INTEGER:
        (void)snprintf(text, sizeof text, "%lld;", (long long)r->integer);
        hear(text);
        break;
    case WSHUB_BUS_REPLY_TEXT:
    case WSHUB_BUS_REPLY_ERROR:
        (void)snprintf(text, sizeof text, "%s%.*s;", r->kind == WSHUB_BUS_REPLY_ERROR ? "!" : "",
                       (int)r->text.len, r->text.ptr);
        hear(text);
        break;
    case WSHUB_BUS_REPLY_ARRAY:
        hear("[");
        for (i = 0; i < r->count; i++) hear_reply(&r->items[i]);
        hear("]");
        break;
    }
}
static void on_reply(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    EXPECT(wshub_user(hub) != NULL);
    hear((const char *)arg);
    if (reply)
        hear_reply(reply);
    else
        hear("lost;");
}
/* An answer may be asked from, sent from, and end the hub. */
static void on_reply_again(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    wshub_str word = wshub_str_z("AGAIN");
    wshub_msg m = msg("e", "1");
    on_reply(hub, reply, arg);
    EXPECT_INT(wshub_all_send_here(hub, &m, NULL, 0), WSHUB_OK);
    EXPECT_INT(wshub_bus_request(hub, &word, 1, on_reply, (void *)"again="),
               reply ? WSHUB_OK : WSHUB_ERR_STATE);
}
static void on_reply_end(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    on_reply(hub, reply, arg);
    wshub_destroy(hub);
}

TEST(a_question_to_the_broker_is_answered_once) { /* wshub_bus.request */
    hand h;
    world w;
    wshub_conn c;
    wshub_str words[3];
    wshub_bus_reply r, items[2];
    words[0] = wshub_str_z("PUBSUB");
    words[1] = wshub_str_z("NUMSUB");
    words[2] = wshub_str_z("ws:room:a");
    heard[0] = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = hand_bus(&h)), FAKE(0));
    h.owner.state(h.owner.ctx, WSHUB_BUS_CONNECTED);
    h.owner.state(h.owner.ctx, WSHUB_BUS_UP);
    c = world_client(&w, NULL, NULL);

    EXPECT_INT(wshub_bus_request(w.hub, words, 3, on_reply_again, (void *)"numsub="), WSHUB_OK);
    EXPECT_INT(wshub_bus_request(w.hub, words, 1, on_reply, (void *)"pubsub="), WSHUB_OK);
    EXPECT_STR(h.asked[0].text, "PUBSUB NUMSUB ws:room:a ");
    EXPECT(heard[0] == 0); /* never from inside */

    memset(&r, 0, sizeof r);
    memset(items, 0, sizeof items);
    r.kind = WSHUB_BUS_REPLY_ARRAY;
    r.items = items;
    r.count = 2;
    items[0].kind = WSHUB_BUS_REPLY_TEXT;
    items[0].text = words[2];
    items[1].kind = WSHUB_BUS_REPLY_INTEGER;
    items[1].integer = -7;
    hand_answer(&h, &r);
    EXPECT_STR(heard, "numsub=[ws:room:a;-7;]");
    wshub_io_fake_run(w.net);
    EXPECT_TEXT(&w, c, "{\"event\":\"e\",\"data\":1}");

    heard[0] = 0;
    items[0].kind = WSHUB_BUS_REPLY_ERROR;
    hand_answer(&h, &items[0]);
    items[0].kind = WSHUB_BUS_REPLY_NULL;
    hand_answer(&h, &items[0]); /* the one that the answer asked */
    EXPECT_STR(heard, "pubsub=!ws:room:a;again=null;");
    world_stop(&w);
}

/* What the hub can see for itself it refuses; what the bus refuses is passed on, and nothing is
 * kept. */
TEST(a_question_that_cannot_be_asked_is_refused) {
    static const wshub_err refusals[] = {WSHUB_ERR_STATE, WSHUB_ERR_NOMEM, WSHUB_ERR_LIMIT,
                                         WSHUB_ERR_PARAM};
    hand h;
    world w;
    wshub_str word = wshub_str_z("PING");
    size_t i, before;
    heard[0] = 0;
    world_start(&w, DESC(.on_authenticate = accept_all), FAKE(0));
    EXPECT_INT(wshub_bus_request(w.hub, &word, 1, on_reply, NULL), WSHUB_ERR_STATE); /* no bus */
    world_stop(&w);

    (void)hand_bus(&h);
    h.bus.request = NULL;
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = &h.bus), FAKE(0));
    /* one without a broker */
    EXPECT_INT(wshub_bus_request(w.hub, &word, 1, on_reply, NULL), WSHUB_ERR_STATE);
    world_stop(&w);

    world_start(&w, DESC(.on_authenticate = accept_all, .bus = hand_bus(&h)), FAKE(0));
    EXPECT_INT(wshub_bus_request(w.hub, NULL, 1, on_reply, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_request(w.hub, &word, 0, on_reply, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_request(w.hub, &word, 1, NULL, NULL), WSHUB_ERR_PARAM);
    before = w.bytes;
    for (i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        h.says = refusals[i];
        EXPECT_INT(wshub_bus_request(w.hub, &word, 1, on_reply, NULL), refusals[i]);
    }
    h.says = WSHUB_OK;
    w.fail_at = 1;
    EXPECT_INT(wshub_bus_request(w.hub, &word, 1, on_reply, NULL), WSHUB_ERR_NOMEM);
    EXPECT(w.bytes == before);
    EXPECT(heard[0] == 0);
    world_stop(&w);
}

/* Whoever leaves the bus hears of every question that waits, also inside wshub_destroy() and at
 * the end of a shutdown. */
TEST(questions_that_wait_when_the_bus_is_left_are_told) {
    int way;
    for (way = 0; way < 3; way++) {
        hand h;
        world w;
        wshub_str word = wshub_str_z("PING");
        heard[0] = 0;
        world_start(&w, DESC(.on_authenticate = accept_all, .bus = hand_bus(&h)), FAKE(0));
        EXPECT_INT(wshub_bus_request(w.hub, &word, 1, way == 2 ? on_reply_end : on_reply_again,
                                     (void *)"a="),
                   WSHUB_OK);
        EXPECT_INT(wshub_bus_request(w.hub, &word, 1, on_reply, (void *)"b="), WSHUB_OK);
        if (way == 1) {
            EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
            wshub_io_fake_run(w.net);
        }
        if (way == 2) {
            wshub_bus_reply r;
            memset(&r, 0, sizeof r);
            hand_answer(&h, &r);
            w.hub = NULL;
            EXPECT_STR(heard, "a=null;b=lost;");
        } else {
            if (way == 1) EXPECT_STR(heard, "a=lost;b=lost;");
        }
        EXPECT_INT(h.left, way == 0 ? 0 : 1);
        world_stop(&w);
        EXPECT_STR(heard, way == 2 ? "a=null;b=lost;" : "a=lost;b=lost;");
        EXPECT_INT(h.left, 1);
    }
}

/* ---- handing over what is encoded ---- */

/* Two hubs whose buses are joined by hand: what one hands over, or publishes, the other is given at once. */
typedef struct joined {
    hand a, b;
    int handed, published;
    bool strips; /* gives no brief */
} joined;
static joined both;

static hand *other_of(void *ctx) {
    return ctx == &both.a ? &both.b : &both.a;
}

static size_t joined_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    hand *to = other_of(ctx);
    size_t i;
    both.published += (int)count;
    for (i = 0; i < count; i++) to->owner.received(to->owner.ctx, msgs[i].channel, msgs[i].payload);
    return count;
}
static size_t joined_hand_over(void *ctx, const wshub_bus_handover *messages, size_t count) {
    hand *to = other_of(ctx);
    size_t i;
    both.handed += (int)count;
    for (i = 0; i < count; i++) {
        EXPECT(messages[i].brief.len > 0 && messages[i].payload.len > 0);
        EXPECT(to->owner.handed_over != NULL);
        if (both.strips)
            to->owner.received(to->owner.ctx, messages[i].channel, messages[i].payload);
        else
            to->owner.handed_over(to->owner.ctx, &messages[i]);
    }
    return count;
}
static void joined_up(hand *h) {
    h->owner.state(h->owner.ctx, WSHUB_BUS_CONNECTED);
    h->owner.state(h->owner.ctx, WSHUB_BUS_UP);
}

/* Whoever fills hand_over is handed what is encoded: no bus is known by its functions. What arrives is the same either way. */
TEST(any_bus_of_one_process_may_hand_over_what_is_encoded) {
    int way;
    for (way = 0; way < 3; way++) { /* briefs; briefs that are thrown away; no entry for them */
        world a, b;
        wshub_conn c, excluded;
        char id[37];
        wshub_str out;
        wshub_dest d = {0};
        wshub_msg m = msg("e", "{\"n\":[1,\"\\u0000\"]}");
        memset(&both, 0, sizeof both);
        (void)hand_bus(&both.a);
        (void)hand_bus(&both.b);
        both.a.bus.publish = both.b.bus.publish = joined_publish;
        if (way < 2) both.a.bus.hand_over = both.b.bus.hand_over = joined_hand_over;
        both.strips = way == 1;
        world_start(&a, DESC(.on_authenticate = accept_all, .bus = &both.a.bus), FAKE(.seed = 1));
        world_start(&b, DESC(.on_authenticate = accept_all, .bus = &both.b.bus), FAKE(.seed = 2));
        joined_up(&both.a);
        joined_up(&both.b);
        c = world_client(&b, NULL, NULL);
        excluded = world_client(&b, NULL, id);
        memset(&d, 0, sizeof d);
        out = wshub_str_z(id);
        d.kind = WSHUB_DEST_ROOM;
        d.name = wshub_str_z("ws-default");
        d.exclude = &out;
        d.exclude_count = 1;
        EXPECT_INT(wshub_send(a.hub, &d, &m), WSHUB_OK);
        wshub_io_fake_run(a.net);
        wshub_io_fake_run(b.net);
        EXPECT_TEXT(&b, c, "{\"event\":\"e\",\"data\":{\"n\":[1,\"\\u0000\"]}}");
        EXPECT_SILENCE(&b, excluded);
        EXPECT_INT(both.handed, way < 2 ? 1 : 0);
        EXPECT_INT(both.published, way < 2 ? 0 : 1);
        EXPECT_INT(stats(&b).bus_received, 1);
        EXPECT_INT(stats(&b).messages_in, 2); /* the two that authenticated */
        world_stop(&a);
        world_stop(&b);
    }
}

/* A hub's key for a bus's tables is there, differs from hub to hub, and is not the one of its own. */
TEST(a_hub_brings_a_secret_key_for_the_channels) {
    hand h[2];
    world w[2];
    static const uint8_t none[16] = {0};
    int i;
    for (i = 0; i < 2; i++) {
        world_start(&w[i], DESC(.on_authenticate = accept_all, .bus = hand_bus(&h[i])),
                    FAKE(.seed = (uint64_t)i + 1));
        EXPECT(memcmp(h[i].owner.key, none, sizeof none) != 0);
        EXPECT(memcmp(h[i].owner.key, w[i].hub->key, sizeof none) != 0);
    }
    EXPECT(memcmp(h[0].owner.key, h[1].owner.key, sizeof none) != 0);
    for (i = 0; i < 2; i++) world_stop(&w[i]);
}

/* ---- what a bus reports ---- */

static char told_bus_log[128];
static void tell_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    (void)hub;
    (void)down_ms;
    (void)user;
    (void)strncat(told_bus_log, state == WSHUB_BUS_UP ? "up " : "down ",
                  sizeof told_bus_log - strlen(told_bus_log) - 1);
}

/* BUS-5: what is said twice is heard once; what was subscribed to is forgotten with every connection; and who has left hears
 * nothing more. */
TEST(each_change_of_the_connection_is_told_once_in_whatever_order_it_is_reported) {
    static const struct {
        const char *reports; /* D, C, U */
        const char *told;
        int downs;
    } cases[] = {
        {"DDCUUUDD", "up down ", 1},
        {"CCU", "up ", 0},
        {"CD", "", 0},
        {"CDCU", "up ", 0},
        {"UD", "up down ", 1},
        {"CUCU", "up up ", 1},
        {"CUCDCU", "up up ", 1},
        {"CUDUD", "up down up down ", 2},
    };
    size_t i, k;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        hand h;
        world w;
        told_bus_log[0] = 0;
        world_start(&w,
                    DESC(.on_authenticate = accept_all, .bus = hand_bus(&h), .on_bus = tell_bus),
                    FAKE(0));
        for (k = 0; cases[i].reports[k]; k++) {
            char c = cases[i].reports[k];
            h.owner.state(h.owner.ctx, c == 'D'   ? WSHUB_BUS_DOWN
                                       : c == 'C' ? WSHUB_BUS_CONNECTED
                                                  : WSHUB_BUS_UP);
        }
        EXPECT_STR(told_bus_log, cases[i].told);
        EXPECT_INT(stats(&w).bus_downs, cases[i].downs);

        EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
        wshub_io_fake_run(w.net);
        EXPECT_INT(h.left, 1);
        told_bus_log[0] = 0;
        h.owner.state(h.owner.ctx, WSHUB_BUS_UP); /* a bus that talks on */
        EXPECT(told_bus_log[0] == 0);
        world_stop(&w);
        EXPECT_INT(h.left, 1);
    }
}

TEST(a_gap_of_a_bus_that_stays_up_is_told_and_while_it_is_down_there_is_none) { /* BUS-5 */
    hand h;
    world w;
    told_bus_log[0] = 0;
    world_start(&w, DESC(.on_authenticate = accept_all, .bus = hand_bus(&h), .on_bus = tell_bus),
                FAKE(0));
    h.owner.gap(h.owner.ctx);
    EXPECT_STR(told_bus_log, "");
    h.owner.state(h.owner.ctx, WSHUB_BUS_UP);
    h.owner.gap(h.owner.ctx);
    h.owner.gap(h.owner.ctx);
    EXPECT_STR(told_bus_log, "up up up ");
    EXPECT_INT(stats(&w).bus_downs, 0);
    h.owner.state(h.owner.ctx, WSHUB_BUS_DOWN);
    h.owner.gap(h.owner.ctx);
    EXPECT_STR(told_bus_log, "up up up down ");
    EXPECT_INT(wshub_shutdown(w.hub), WSHUB_OK);
    wshub_io_fake_run(w.net);
    h.owner.gap(h.owner.ctx); /* a bus that talks on */
    EXPECT_STR(told_bus_log, "up up up down ");
    world_stop(&w);

    world_start(&w, DESC(.on_authenticate = accept_all, .bus = hand_bus(&h)), FAKE(0));
    h.owner.state(h.owner.ctx, WSHUB_BUS_UP);
    h.owner.gap(h.owner.ctx); /* nobody listens */
    world_stop(&w);
}

/* Emitters hear the same. */
TEST(an_emitter_hears_each_change_once) { /* EMIT-1 */
    hand h;
    wshub_emitter *em;
    wshub_emitter_desc d;
    wshub_msg m = msg("e", "1");
    memset(&d, 0, sizeof d);
    d.bus = hand_bus(&h);
    EXPECT_INT(wshub_emitter_create(&d, &em), WSHUB_OK);
    h.owner.state(h.owner.ctx, WSHUB_BUS_DOWN);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
    EXPECT_OP(wshub_emitter_queued_bytes(em), >, 0);
    h.owner.state(h.owner.ctx, WSHUB_BUS_UP);
    h.owner.state(h.owner.ctx, WSHUB_BUS_UP);
    EXPECT_INT(wshub_emitter_queued_bytes(em), 0);
    wshub_emitter_destroy(em);
    EXPECT_INT(h.left, 1);
}

/* A bus may report from inside attach(): what is published and asked there is carried out, and if the bus is refused after all,
 * questions are answered, nothing leaks, and the bus is left once. */
static wshub_err eager_says;
static wshub *eager_hub;
static void eager_on_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    wshub_str word = wshub_str_z("PING");
    wshub_msg m = msg("e", "1");
    (void)down_ms;
    (void)user;
    if (state != WSHUB_BUS_UP) return;
    eager_hub = hub;
    EXPECT_INT(wshub_send(hub, NULL, &m), WSHUB_OK);
    EXPECT_INT(wshub_bus_request(hub, &word, 1, on_reply, (void *)"ping="), WSHUB_OK);
}
static wshub_err eager_attach(void *ctx, const wshub_bus_owner *owner) {
    hand *h = (hand *)ctx;
    wshub_err err = hand_attach(ctx, owner);
    if (!owner) return err;
    h->owner.state(h->owner.ctx, WSHUB_BUS_CONNECTED);
    h->owner.state(h->owner.ctx, WSHUB_BUS_UP);
    return eager_says;
}
static size_t eager_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)msgs;
    return ((hand *)ctx)->says ? 0 : count;
}
TEST(a_bus_may_report_while_it_is_attached) {
    int way;
    for (way = 0; way < 4; way++) { /* taken or refused; having room or not */
        hand h;
        world w;
        wshub *hub = NULL;
        wshub_desc d = DESC(.on_authenticate = accept_all, .on_bus = eager_on_bus,
                            .alloc = world_alloc, .alloc_user = &w, .user = &w);
        memset(&w, 0, sizeof w);
        heard[0] = 0;
        EXPECT_INT(wshub_io_fake_create(NULL, &w.net), WSHUB_OK);
        d.io = wshub_io_fake_io(w.net);
        d.bus = hand_bus(&h);
        h.bus.attach = eager_attach;
        h.bus.publish = eager_publish;
        eager_says = way & 1 ? WSHUB_ERR_IO : WSHUB_OK;
        EXPECT_INT(wshub_create(&d, &hub), eager_says);
        EXPECT((hub != NULL) == !(way & 1));
        EXPECT_INT(h.left, way & 1);
        EXPECT_STR(heard, way & 1 ? "ping=lost;" : "");
        w.hub = hub;
        world_stop(&w);
        EXPECT_STR(heard, "ping=lost;");
        EXPECT_INT(h.left, 1);
    }
}

/* ---- for want of memory ---- */

/* A message whose envelope is much longer than it is wants memory twice. */
TEST(a_publication_that_cannot_be_written_is_an_error_and_nothing_else) { /* SEND-3, EMIT-1 */
    long n;
    int emits;
    for (emits = 0; emits < 2; emits++) {
        for (n = 1; n < 3; n++) {
            hand h;
            world w;
            wshub_emitter *em = NULL;
            wshub_dest dest;
            wshub_msg m = msg("e", "1");
            char event[200];
            memset(event, 1, sizeof event - 1); /* six bytes each in JSON */
            event[sizeof event - 1] = 0;
            m.event = wshub_str_z(event);
            memset(&dest, 0, sizeof dest);
            dest.kind = WSHUB_DEST_ROOM;
            dest.name = wshub_str_z("nobody is here");
            world_start(&w, DESC(.on_authenticate = accept_all, .bus = hand_bus(&h)), FAKE(0));
            if (emits) {
                hand other;
                wshub_emitter_desc d;
                memset(&d, 0, sizeof d);
                d.bus = hand_bus(&other);
                d.alloc = world_alloc;
                d.alloc_user = &w;
                EXPECT_INT(wshub_emitter_create(&d, &em), WSHUB_OK);
                w.fail_at = n;
                EXPECT_INT(wshub_emitter_send(em, &dest, &m), WSHUB_ERR_NOMEM);
                EXPECT_INT(wshub_emitter_queued_bytes(em), 0);
                w.fail_at = 0;
                EXPECT_INT(wshub_emitter_send(em, &dest, &m), WSHUB_OK);
                wshub_emitter_destroy(em);
            } else {
                w.fail_at = n;
                EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_ERR_NOMEM);
                EXPECT_INT(stats(&w).bus_queued_bytes, 0);
                w.fail_at = 0;
                EXPECT_INT(wshub_send(w.hub, &dest, &m), WSHUB_OK);
                EXPECT(stats(&w).bus_queued_bytes > 0);
            }
            world_stop(&w);
        }
    }
}

/* ---- an emitter that ends ---- */

static hand late_hand;
static uint64_t late_lost;
static int late_closed;
static void late_on_closed(uint64_t lost, void *arg) {
    (void)arg;
    late_lost = lost;
    late_closed++;
}
static void late_pump(void *ctx) { /* what was waited for has come by now */
    hand *h = (hand *)ctx;
    if (h->owner.room) h->owner.room(h->owner.ctx);
    if (h->owner.late) h->owner.late(h->owner.ctx);
}
static void late_alarm(void *ctx, uint32_t ms) {
    (void)ctx;
    (void)ms;
}
static uint64_t late_unconfirmed;
static uint64_t late_pending(void *ctx) {
    (void)ctx;
    return late_unconfirmed;
}
/* EMIT-1: destroyed while it closes, over a bus that has just now heard everything acknowledged. */
TEST(an_emitter_destroyed_while_it_closes_ends_once) {
    wshub_emitter *em;
    wshub_emitter_desc d;
    wshub_msg m = msg("e", "1");
    memset(&d, 0, sizeof d);
    d.bus = hand_bus(&late_hand);
    late_hand.bus.alarm = late_alarm;
    late_hand.bus.pending = late_pending;
    late_closed = 0;
    EXPECT_INT(wshub_emitter_create(&d, &em), WSHUB_OK);
    late_hand.owner.state(late_hand.owner.ctx, WSHUB_BUS_CONNECTED);
    late_hand.owner.state(late_hand.owner.ctx, WSHUB_BUS_UP);
    EXPECT_INT(wshub_emitter_send(em, NULL, &m), WSHUB_OK);
    late_unconfirmed = 1;
    wshub_emitter_close(em, 1000, late_on_closed, NULL);
    EXPECT_INT(late_closed, 0);
    late_unconfirmed = 0;
    late_hand.bus.pump = late_pump;
    ((wshub_bus *)&em->uplink.bus)->pump = late_pump; /* the table was copied */
    wshub_emitter_destroy(em);
    EXPECT_INT(late_closed, 1);
    EXPECT_INT(late_lost, 0);
    EXPECT_INT(late_hand.left, 1);
}

/* BUS-2, EMIT-1: the envelope names one target of the first realm; what it has no words for is not
 * published as something else. */
TEST(an_emitter_refuses_what_an_envelope_cannot_say) {
    int way;
    for (way = 0; way < 5; way++) {
        hand h;
        wshub_str rooms[2];
        wshub_dest dest;
        wshub_emitter *em;
        wshub_emitter_desc d;
        wshub_msg m = msg("e", "1");
        rooms[0] = wshub_str_z("a");
        rooms[1] = wshub_str_z("b");
        memset(&d, 0, sizeof d);
        memset(&dest, 0, sizeof dest);
        d.bus = hand_bus(&h);
        EXPECT_INT(wshub_emitter_create(&d, &em), WSHUB_OK);
        dest.kind = WSHUB_DEST_ROOM;
        dest.name = rooms[0];
        if (way == 1) dest.realm.id = 7;
        if (way == 2 || way == 3) dest.rooms = rooms, dest.rooms_count = 2;
        if (way == 3) dest.name = wshub__str(NULL, 0);
        if (way == 4) dest.except_rooms = rooms, dest.except_rooms_count = 1;
        EXPECT_INT(wshub_emitter_send(em, &dest, &m), way ? WSHUB_ERR_PARAM : WSHUB_OK);
        EXPECT((wshub_emitter_queued_bytes(em) > 0) == (way == 0));
        wshub_emitter_destroy(em);
    }
}

static char channel_out[20000];
static size_t channel_out_len, payload_out_len;
static size_t note_publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx;
    EXPECT_INT(count, 1);
    channel_out_len = msgs[0].channel.len;
    payload_out_len = msgs[0].payload.len;
    memcpy(channel_out, msgs[0].channel.ptr, channel_out_len);
    memcpy(channel_out + channel_out_len, msgs[0].payload.ptr, payload_out_len);
    return count;
}
static void *none_left(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    if (new_bytes && *(const bool *)user) return NULL;
    if (new_bytes) return realloc(ptr, new_bytes);
    (void)old_bytes;
    free(ptr);
    return NULL;
}
/* EMIT-1: bytes of whatever kind, on whatever channel, as they are. */
TEST(an_emitter_publishes_bytes_on_any_channel) {
    static char name[WSHUB_BUS_PREFIX_BYTES_MAX + WSHUB_BUS_CHANNEL_BYTES_MAX + 1];
    hand h;
    bool fails = false;
    wshub_emitter *em;
    wshub_emitter_desc d;
    memset(&d, 0, sizeof d);
    memset(name, 'n', sizeof name);
    d.bus = hand_bus(&h);
    d.alloc = none_left;
    d.alloc_user = &fails;
    h.bus.publish = note_publish;
    h.bus.alarm = late_alarm;
    h.bus.pending = late_pending;
    late_unconfirmed = 0;
    EXPECT_INT(wshub_emitter_create(&d, &em), WSHUB_OK);
    h.owner.state(h.owner.ctx, WSHUB_BUS_CONNECTED);
    h.owner.state(h.owner.ctx, WSHUB_BUS_UP);
    EXPECT_INT(wshub_emitter_publish(em, S("k#/#r#"), wshub__str("\0\xFF", 2)), WSHUB_OK);
    EXPECT(channel_out_len == 6 && payload_out_len == 2);
    EXPECT(memcmp(channel_out, "k#/#r#\0\xFF", 8) == 0);
    EXPECT_INT(wshub_emitter_publish(em, wshub__str(name, sizeof name - 1), S("")), WSHUB_OK);
    EXPECT(channel_out_len == sizeof name - 1 && payload_out_len == 0);
    EXPECT_INT(wshub_emitter_publish(em, wshub__str(name, sizeof name), S("")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_emitter_publish(em, S(""), S("x")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_emitter_publish(em, S("c"), wshub__str(name, WSHUB_MSG_BYTES_MAX + (size_t)1)),
               WSHUB_ERR_LIMIT);
    fails = true;
    EXPECT_INT(wshub_emitter_publish(em, S("c"), S("x")), WSHUB_ERR_NOMEM);
    fails = false;
    late_unconfirmed = 1;
    wshub_emitter_close(em, 1000, NULL, NULL);
    EXPECT_INT(wshub_emitter_publish(em, S("c"), S("x")), WSHUB_ERR_STATE);
    late_unconfirmed = 0;
    wshub_emitter_destroy(em);
    EXPECT_INT(payload_out_len, 0);
}
