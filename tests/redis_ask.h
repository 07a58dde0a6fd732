/* Questions to a broker by wshub_bus_request(), and what was answered, written down. */
#ifndef REDIS_ASK_H
#define REDIS_ASK_H

typedef struct answers {
    char text[1 << 15]; /* one line each: `name: answer` */
    size_t len;
    int count;
    wshub *destroy; /* ended by the next answer */
    wshub *again;   /* asked once more by the next answer */
} answers;

typedef struct question {
    answers *a;
    const char *name;
} question;

UNUSED static void put(answers *a, const char *text, size_t n) {
    EXPECT(a->len + n < sizeof a->text);
    if (a->len + n >= sizeof a->text) return;
    memcpy(a->text + a->len, text, n);
    a->len += n;
    a->text[a->len] = 0;
}

UNUSED static void put_z(answers *a, const char *text) {
    put(a, text, strlen(text));
}

UNUSED static void put_reply(answers *a, const wshub_bus_reply *r) {
    char n[32];
    size_t i;
    if (!r) {
        put_z(a, "lost");
        return;
    }
    EXPECT(r->kind == WSHUB_BUS_REPLY_ARRAY || (!r->count && !r->items));
    EXPECT(r->kind == WSHUB_BUS_REPLY_INTEGER || !r->integer);
    switch (r->kind) {
    case WSHUB_BUS_REPLY_NULL: put_z(a, "null"); break;
    case WSHUB_BUS_REPLY_INTEGER:
        (void)snprintf(n, sizeof n, "%lld", (long long)r->integer);
        put_z(a, n);
        break;
    case WSHUB_BUS_REPLY_TEXT:
    case WSHUB_BUS_REPLY_ERROR:
        put_z(a, r->kind == WSHUB_BUS_REPLY_TEXT ? "\"" : "!\"");
        put(a, r->text.len ? r->text.ptr : "", r->text.len);
        put_z(a, "\"");
        break;
    case WSHUB_BUS_REPLY_ARRAY:
        put_z(a, "[");
        for (i = 0; i < r->count; i++) {
            if (i) put_z(a, " ");
            put_reply(a, &r->items[i]);
        }
        put_z(a, "]");
        break;
    }
}

static void ask(wshub *hub, question *q, wshub_err want);

UNUSED static void answered(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    question *q = (question *)arg;
    answers *a = q->a;
    a->count++;
    put_z(a, q->name);
    put_z(a, ": ");
    put_reply(a, reply);
    put_z(a, "\n");
    if (a->again) {
        static question once_more;
        once_more.a = a;
        once_more.name = "again";
        a->again = NULL;
        ask(hub, &once_more, reply ? WSHUB_OK : WSHUB_ERR_STATE);
    }
    if (a->destroy) {
        a->destroy = NULL;
        wshub_destroy(hub);
    }
}

/* ECHO with the question's name. */
UNUSED static void ask(wshub *hub, question *q, wshub_err want) {
    wshub_str argv[2];
    argv[0] = wshub_str_z("ECHO");
    argv[1] = wshub_str_z(q->name);
    EXPECT_INT(wshub_bus_request(hub, argv, 2, answered, q), want);
}

/* A command of words that stand apart by one blank each. */
UNUSED static void ask_words(wshub *hub, question *q, const char *words) {
    char copy[400];
    wshub_str argv[40];
    size_t argc = 0;
    char *at;
    (void)snprintf(copy, sizeof copy, "%s", words);
    for (at = strtok(copy, " "); at && argc < 40; at = strtok(NULL, " "))
        argv[argc++] = wshub_str_z(at);
    EXPECT_INT(wshub_bus_request(hub, argv, argc, answered, q), WSHUB_OK);
}

/* What every way to a real Redis must answer, among publications. `step` serves for a moment. The
 * hub is up, has the room ws-default to itself, and the broker is empty. */
UNUSED static void ask_a_real_redis(wshub *hub, void (*step)(void *ctx), void *ctx) {
    static const struct {
        const char *words, *shown;
        /* clang-format off */
    } cases[] = {
        {"SET lock me NX PX 50000", "\"OK\""},
        {"SET lock you NX PX 50000", "null"},
        {"GET lock", "\"me\""},
        {"DEL lock", "1"},
        {"SET n 9223372036854775806", "\"OK\""},
        {"INCR n", "9223372036854775807"},
        {"INCRBY n 1", "!\"ERR increment or decrement would overflow\""},
        {"LPUSH n x", "!\"WRONGTYPE Operation against a key holding the wrong kind of value\""},
        {"NOSUCHCOMMAND", NULL},
        {"RPUSH l a bb ccc", "3"},
        {"LRANGE l 0 -1", "[\"a\" \"bb\" \"ccc\"]"},
        {"HSET h f 1 g 2", "2"},
        {"HGETALL h", "[\"f\" \"1\" \"g\" \"2\"]"}, /* a map in RESP3 */
        {"ZADD z 1.5 m", "1"},
        {"ZSCORE z m", "\"1.5\""}, /* a double in RESP3 */
        {"EVAL return{1,{2,{'three',false}},{}} 0", "[1 [2 [\"three\" null]] []]"},
        {"PUBSUB NUMSUB ws:broadcast ws:none", "[\"ws:broadcast\" 1 \"ws:none\" 0]"},
        {"PUBLISH ws:nobody x", "0"},
        {"XREAD COUNT 1 STREAMS s 0", "null"},
        {"CLIENT ID", NULL},
        {"ECHO last", "\"last\""},
    };
    /* clang-format on */
    static answers got;
    static question q[sizeof cases / sizeof *cases];
    size_t i, count = sizeof cases / sizeof *cases;
    int steps;
    wshub_msg m;
    wshub_dest d = {0};
    memset(&got, 0, sizeof got);
    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    m.event = wshub_str_z("n");
    m.data = wshub_str_z("1");
    d.kind = WSHUB_DEST_ROOM;
    d.name = wshub_str_z("elsewhere");

    for (i = 0; i < count; i++) {
        q[i].a = &got;
        q[i].name = cases[i].words;
        EXPECT_INT(wshub_send(hub, &d, &m), WSHUB_OK);
        ask_words(hub, &q[i], cases[i].words);
    }
    for (steps = 0; steps < 60000 && got.count < (int)count; steps++) step(ctx);
    EXPECT_INT(got.count, count);

    /* Each line is what was asked, in the order in which it was asked, and its answer. */
    for (i = 0; i < count; i++) {
        static char line[500];
        const char *at = strstr(got.text, cases[i].words);
        (void)snprintf(line, sizeof line, "%s: %s\n", cases[i].words,
                       cases[i].shown ? cases[i].shown : "");
        if (cases[i].shown && !strstr(got.text, line))
            (void)printf("  %s: %.80s\n", cases[i].words, at ? at : "nothing");
        EXPECT(!cases[i].shown || strstr(got.text, line));
        EXPECT(at && (i == 0 || at > strstr(got.text, cases[i - 1].words)));
    }
    EXPECT(strstr(got.text, "NOSUCHCOMMAND: !\"ERR unknown command"));
}

/* Many at once, in order, and one end for each that is not answered. `cut` ends the connection. */
UNUSED static void ask_and_lose(wshub *hub, void (*step)(void *ctx), void (*cut)(void *ctx),
                                void *ctx) {
    enum { MANY = 1000 };
    static answers got;
    static question q[MANY];
    static char names[MANY][16];
    char last[40];
    const char *at;
    int i, steps, lost = 0;
    memset(&got, 0, sizeof got);
    for (i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "%d", i);
        q[i].a = &got;
        q[i].name = names[i];
        ask(hub, &q[i], WSHUB_OK);
    }
    for (steps = 0; steps < 60000 && got.count < MANY; steps++) step(ctx);
    EXPECT_INT(got.count, MANY);
    for (i = 0, at = got.text; i < MANY; i++) {
        (void)snprintf(last, sizeof last, "%d: \"%d\"\n", i, i);
        EXPECT(strncmp(at, last, strlen(last)) == 0);
        at += strlen(last);
    }

    got.count = 0;
    got.len = 0;
    got.text[0] = 0;
    for (i = 0; i < MANY; i++) ask(hub, &q[i], WSHUB_OK);
    cut(ctx);
    for (steps = 0; steps < 60000 && got.count < MANY; steps++) step(ctx);
    EXPECT_INT(got.count, MANY);
    for (i = 0, at = got.text; i < MANY; i++) { /* those that were answered come first */
        (void)snprintf(last, sizeof last, "%d: ", i);
        EXPECT(strncmp(at, last, strlen(last)) == 0);
        at += strlen(last);
        lost += strncmp(at, "lost", 4) == 0;
        EXPECT(!lost || strncmp(at, "lost", 4) == 0);
        at = strchr(at, '\n') + 1;
    }
    EXPECT(lost > 0);
}

#endif
