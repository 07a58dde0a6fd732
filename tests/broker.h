/* A broker in memory that speaks RESP2 and RESP3 to streams dialled on fake ios: enough of
 * Redis for the tests of the bus, and everything that a Redis can do to hurt. Written from the
 * protocol, apart from the client. */
#ifndef BROKER_H
#define BROKER_H

enum { BROKER_LINKS = 64, BROKER_SUBS = 4096, BROKER_KEYS = 256 };

/* A key that was set NX PX; its name ends it */
typedef struct broker_key {
    char name[300]; /* "": free */
    uint64_t until; /* by the clock of whoever asks */
} broker_key;

typedef struct broker_sub {
    char *name;
    size_t len;
    int way; /* broker_way */
} broker_sub;

/* How a channel was subscribed to. */
typedef enum broker_way { BROKER_EXACT, BROKER_PATTERN, BROKER_SHARDED } broker_way;

struct broker;
typedef struct broker_late { /* bytes on their way */
    struct broker_late *next;
    uint64_t at;
    size_t len;
} broker_late;

typedef struct broker_link {
    broker_late *late, **late_end;
    wshub_io_fake *net;
    wshub_conn conn; /* 0: free */
    bool resp3, authed;
    bool frozen; /* takes everything, says nothing any more, and stays open */
    uint8_t *in;
    size_t in_len, in_cap;
    broker_sub *subs;
    size_t subs_count;
    int numsubs; /* how often it was asked who has subscribed */
    char name[64], address[64];
    struct broker *owner;
} broker_link;

typedef struct broker {
    broker_link links[BROKER_LINKS];
    const char *password; /* asked for; NULL: none */
    const char *refuse;   /* every command that begins so is answered with an error */
    /* the answer then, without its end of line; NULL: an error of rights */
    const char *refusal;
    bool refusal_ends;    /* and behind it the connection */
    const char *greeting; /* said to whoever connects, and then it closes; NULL: none */
    const char *hole;     /* an address that swallows who dials; NULL: none */
    const char *role;     /* NULL: "master" */
    const char *replica;  /* an address whose role is "slave"; NULL: none */
    bool cluster;
    const char *slots; /* the answer to CLUSTER SLOTS; NULL: an error */
    const char *nodes; /* the text that answers CLUSTER NODES; NULL: an error */
    bool numsub_apart; /* NUMSUB counts who has subscribed at the address where it is asked alone */
    /* An address that answers SPUBLISH, SSUBSCRIBE and SUNSUBSCRIBE so; NULL: none. Where it sends
     * to (NULL: n2:2), of which slot alone (0: of all), and whether with ASK. */
    const char *moved, *moved_to;
    uint32_t moved_slot;
    bool moved_asks;
    const char *moved_back; /* one that sends what is of that slot back to `moved`; NULL: none */
    const char *master_host, *master_port; /* what a sentinel says */
    bool away;                             /* dials fail */
    bool mute;                             /* takes everything, answers nothing, forwards nothing */
    bool hold_acks;                        /* subscriptions are answered when it is false again */
    const char *counts; /* how many channels it says that anybody has; NULL: as it is */
    bool deaf_beats;    /* heartbeats are lost on the way */
    bool no_hello;
    uint64_t commands, publishes, dials;
    /* what clients publish; may be NULL */
    void (*on_publish)(void *ctx, wshub_str channel, wshub_str payload);
    uint32_t (*delay_ms)(void *ctx); /* how long the next words to a client take; NULL: no time */
    void *ctx;
    char log[4096];
    size_t log_len;
    broker_key keys[BROKER_KEYS];
    char set[600]; /* the last SET, its words apart by a blank */
} broker;

static void broker_drop(broker *b, broker_link *l, bool end) {
    wshub_io_fake *net = l->net;
    wshub_conn c = l->conn;
    size_t i;
    (void)b;
    while (l->late) {
        broker_late *next = l->late->next;
        free(l->late);
        l->late = next;
    }
    for (i = 0; i < l->subs_count; i++) free(l->subs[i].name);
    free(l->subs);
    free(l->in);
    memset(l, 0, sizeof *l);
    if (!c.id) return;
    if (end) wshub_io_fake_end(net, c);
    wshub_io_fake_forget(net, c);
}

static void broker_drop_all(broker *b) {
    int i;
    for (i = 0; i < BROKER_LINKS; i++) {
        if (b->links[i].conn.id) broker_drop(b, &b->links[i], true);
    }
}

static void broker_say(broker_link *l, const void *bytes, size_t n) {
    uint32_t wait = l->owner && l->owner->delay_ms ? l->owner->delay_ms(l->owner->ctx) : 0;
    broker_late *late;
    if (!l->conn.id) return;
    if (!wait && !l->late) {
        wshub_io_fake_input(l->net, l->conn, bytes, n);
        return;
    }
    /* in order for each link, in any order between them */
    late = (broker_late *)malloc(sizeof *late + n);
    late->next = NULL;
    late->at = wshub_io_fake_now(l->net) + wait;
    late->len = n;
    memcpy(late + 1, bytes, n);
    if (!l->late) l->late_end = &l->late;
    *l->late_end = late;
    l->late_end = &late->next;
}
static void broker_say_z(broker_link *l, const char *said) {
    broker_say(l, said, strlen(said));
}

/* An array (or a push) of bulks; ints: "\1123" is the number 123. */
static void broker_array(broker_link *l, bool push, const wshub_str *items, size_t count) {
    size_t bytes = 32, i, at;
    char *said;
    for (i = 0; i < count; i++) bytes += items[i].len + 32;
    said = (char *)malloc(bytes);
    at = (size_t)snprintf(said, bytes, "%c%zu\r\n", push && l->resp3 ? '>' : '*', count);
    for (i = 0; i < count; i++) {
        if (items[i].len && items[i].ptr[0] == 1) {
            at += (size_t)snprintf(said + at, bytes - at, ":%.*s\r\n", (int)items[i].len - 1,
                                   items[i].ptr + 1);
            continue;
        }
        at += (size_t)snprintf(said + at, bytes - at, "$%zu\r\n", items[i].len);
        memcpy(said + at, items[i].ptr, items[i].len);
        at += items[i].len;
        said[at++] = '\r';
        said[at++] = '\n';
    }
    broker_say(l, said, at);
    free(said);
}

/* `*` and `\` are all that is used */
static bool broker_glob(const char *p, size_t pn, const char *s, size_t sn) {
    while (pn) {
        if (*p == '*') {
            size_t i;
            if (pn == 1) return true;
            for (i = 0; i <= sn; i++) {
                if (broker_glob(p + 1, pn - 1, s + i, sn - i)) return true;
            }
            return false;
        }
        if (*p == '\\' && pn > 1) {
            p++;
            pn--;
        }
        if (!sn || *p != *s) return false;
        p++;
        pn--;
        s++;
        sn--;
    }
    return sn == 0;
}

/* To whom a message goes in one way: a pattern stands before the channel it has matched. */
static int broker_deliver_by(broker *b, wshub_str channel, wshub_str payload, int way) {
    static const char *const kinds[] = {"message", "pmessage", "smessage"};
    bool pattern = way == BROKER_PATTERN;
    int i, n = 0;
    for (i = 0; i < BROKER_LINKS; i++) {
        broker_link *l = &b->links[i];
        size_t k;
        for (k = 0; l->conn.id && k < l->subs_count; k++) {
            broker_sub *s = &l->subs[k];
            wshub_str items[4];
            if (s->way != way) continue;
            if (pattern ? !broker_glob(s->name, s->len, channel.ptr, channel.len)
                        : s->len != channel.len || memcmp(s->name, channel.ptr, s->len) != 0)
                continue;
            items[0] = wshub_str_z(kinds[way]);
            items[1].ptr = s->name;
            items[1].len = s->len;
            items[pattern ? 2 : 1] = channel;
            items[pattern ? 3 : 2] = payload;
            n++;
            if (l->frozen) continue;
            broker_array(l, true, items, pattern ? 4 : 3);
            if (!l->conn.id) break;
        }
    }
    return n;
}

static int broker_deliver(broker *b, wshub_str channel, wshub_str payload, bool sharded) {
    int i, n;
    b->publishes++;
    for (i = 0; b->deaf_beats && (size_t)i + 9 <= channel.len; i++) {
        if (memcmp(channel.ptr + i, "wshub:hb:", 9) == 0) return 0;
    }
    if (sharded) return broker_deliver_by(b, channel, payload, BROKER_SHARDED);
    n = broker_deliver_by(b, channel, payload, BROKER_EXACT); /* these first, as Redis does */
    return n + broker_deliver_by(b, channel, payload, BROKER_PATTERN);
}

/* How many a connection has: sharded ones are counted by themselves. */
static size_t broker_count(const broker_link *l, bool sharded) {
    size_t i, n = 0;
    for (i = 0; i < l->subs_count; i++) n += (l->subs[i].way == BROKER_SHARDED) == sharded;
    return n;
}

static void broker_subscribe(broker *b, broker_link *l, wshub_str *args, size_t count, bool sub,
                             int way) {
    static const char *const kinds[] = {"subscribe",   "psubscribe",   "ssubscribe",
                                        "unsubscribe", "punsubscribe", "sunsubscribe"};
    size_t i, k, have = broker_count(l, way == BROKER_SHARDED);
    for (i = 1; i < count; i++) {
        wshub_str items[3];
        char n[24];
        for (k = 0; k < l->subs_count; k++) {
            broker_sub *s = &l->subs[k];
            if (s->way == way && s->len == args[i].len && memcmp(s->name, args[i].ptr, s->len) == 0)
                break;
        }
        if (sub && k == l->subs_count) {
            if (l->subs_count % 256 == 0)
                l->subs = (broker_sub *)realloc(l->subs, (l->subs_count + 256) * sizeof *l->subs);
            l->subs[k].name = (char *)malloc(args[i].len + 1);
            memcpy(l->subs[k].name, args[i].ptr, args[i].len);
            l->subs[k].len = args[i].len;
            l->subs[k].way = way;
            l->subs_count++;
            have++;
        } else if (!sub && k < l->subs_count) {
            free(l->subs[k].name);
            l->subs[k] = l->subs[--l->subs_count];
            have--;
        }
        items[0] = wshub_str_z(kinds[sub ? way : way + 3]);
        items[1] = args[i];
        items[2].ptr = n;
        items[2].len = b->counts ? (size_t)snprintf(n, sizeof n, "%c%s", 1, b->counts)
                                 : (size_t)snprintf(n, sizeof n, "%c%zu", 1, have);
        broker_array(l, true, items, 3);
        if (!l->conn.id) return;
    }
}

/* SET key value NX PX ms: the only form of it. OK, or null where the key is there. */
static void broker_set(broker *b, broker_link *l, const wshub_str *args, size_t count) {
    uint64_t now = wshub_io_fake_now(l->net);
    broker_key *k = NULL;
    size_t i, n = 0;
    for (i = 0; i < count && n < sizeof b->set; i++)
        n += (size_t)snprintf(b->set + n, sizeof b->set - n, i ? " %.*s" : "%.*s", (int)args[i].len,
                              args[i].ptr);
    if (count != 6 || !wshub_str_eq_z(args[3], "NX") || !wshub_str_eq_z(args[4], "PX") ||
        args[1].len >= sizeof k->name || args[5].len == 0) {
        broker_say_z(l, "-ERR syntax error\r\n");
        return;
    }
    for (i = 0; i < BROKER_KEYS; i++) {
        if (b->keys[i].until <= now) b->keys[i].name[0] = 0;
        if (b->keys[i].name[0] && wshub_str_eq_z(args[1], b->keys[i].name)) break;
        if (!b->keys[i].name[0]) k = &b->keys[i];
    }
    if (i < BROKER_KEYS) {
        broker_say_z(l, l->resp3 ? "_\r\n" : "$-1\r\n");
        return;
    }
    EXPECT(k != NULL);
    if (!k) return;
    (void)snprintf(k->name, sizeof k->name, "%.*s", (int)args[1].len, args[1].ptr);
    k->until = now + strtoul(args[5].ptr, NULL, 10);
    broker_say_z(l, "+OK\r\n");
}

/* PUBSUB NUMSUB or SHARDNUMSUB channel ... */
static void broker_numsub(broker *b, broker_link *l, const wshub_str *args, size_t count) {
    int way = args[1].ptr[0] == 'S' ? BROKER_SHARDED : BROKER_EXACT, have;
    char said[200];
    broker_link *at;
    size_t i, k;
    l->numsubs++;
    (void)snprintf(said, sizeof said, "*%zu\r\n", 2 * (count - 2));
    broker_say_z(l, said);
    for (i = 2; i < count; i++) {
        for (have = 0, at = b->links; at < b->links + BROKER_LINKS; at++) {
            if (b->numsub_apart && strcmp(at->address, l->address) != 0) continue;
            for (k = 0; at->conn.id && k < at->subs_count; k++)
                have += at->subs[k].way == way && at->subs[k].len == args[i].len &&
                        memcmp(at->subs[k].name, args[i].ptr, args[i].len) == 0;
        }
        (void)snprintf(said, sizeof said, "$%zu\r\n%.*s\r\n:%d\r\n", args[i].len, (int)args[i].len,
                       args[i].ptr, have);
        broker_say_z(l, said);
    }
}

/* The slot of a channel without a hash tag: by CRC-16, most significant bit first. */
static uint32_t broker_slot(wshub_str channel) {
    uint32_t crc = 0, bit;
    size_t i;
    for (i = 0; i < channel.len * 8; i++) {
        bit = (uint32_t)(uint8_t)channel.ptr[i / 8] >> (7 - i % 8) & 1;
        crc = (crc << 1) ^ (((crc >> 15 & 1) ^ bit) ? 0x1021u : 0);
        crc &= 0xffff;
    }
    return crc % 16384;
}

/* Whether a command is one of a sharded channel that is another node's. */
static bool broker_moves(const broker *b, const broker_link *l, wshub_str command,
                         wshub_str channel) {
    if (!b->moved || (strcmp(b->moved, l->address) != 0 &&
                      (!b->moved_back || strcmp(b->moved_back, l->address) != 0)))
        return false;
    if (!wshub_str_eq_z(command, "SPUBLISH") && !wshub_str_eq_z(command, "SSUBSCRIBE") &&
        !wshub_str_eq_z(command, "SUNSUBSCRIBE"))
        return false;
    return !b->moved_slot || broker_slot(channel) == b->moved_slot;
}

/* What an address has subscribed of a slot is taken away, as it is when the slot goes elsewhere. */
__attribute__((unused)) static void broker_take_away(broker *b, const char *address,
                                                     uint32_t slot) {
    broker_link *l;
    for (l = b->links; l < b->links + BROKER_LINKS; l++) {
        size_t k = 0;
        while (l->conn.id && strcmp(l->address, address) == 0 && k < l->subs_count) {
            wshub_str items[3];
            char n[24], *name = l->subs[k].name;
            items[0] = wshub_str_z("sunsubscribe");
            items[1].ptr = name;
            items[1].len = l->subs[k].len;
            if (l->subs[k].way != BROKER_SHARDED || broker_slot(items[1]) != slot) {
                k++;
                continue;
            }
            l->subs[k] = l->subs[--l->subs_count];
            items[2].ptr = n;
            items[2].len = (size_t)snprintf(n, sizeof n, "%c%zu", 1, broker_count(l, true));
            broker_array(l, true, items, 3);
            free(name);
        }
    }
}

static void broker_command(broker *b, broker_link *l, wshub_str *args, size_t count) {
    char said[200];
    b->commands++;
    if (b->log_len + args[0].len + 2 < sizeof b->log) {
        b->log_len += (size_t)snprintf(b->log + b->log_len, sizeof b->log - b->log_len, "%.*s ",
                                       (int)args[0].len, args[0].ptr);
    }
    if (b->refuse && args[0].len >= strlen(b->refuse) &&
        memcmp(args[0].ptr, b->refuse, strlen(b->refuse)) == 0) {
        broker_say_z(l, b->refusal ? b->refusal : "-NOPERM this user has no permissions");
        broker_say_z(l, "\r\n");
        if (b->refusal_ends) broker_drop(b, l, true);
    } else if (wshub_str_eq_z(args[0], "AUTH")) {
        l->authed = b->password && wshub_str_eq_z(args[count - 1], b->password);
        broker_say_z(l, l->authed ? "+OK\r\n" : "-WRONGPASS invalid username-password pair\r\n");
    } else if (b->password && !l->authed) {
        broker_say_z(l, "-NOAUTH Authentication required.\r\n");
    } else if (count > 1 && broker_moves(b, l, args[0], args[1])) {
        bool back = strcmp(b->moved, l->address) != 0;
        (void)snprintf(said, sizeof said, "-%s %u %s\r\n", b->moved_asks ? "ASK" : "MOVED",
                       (unsigned)broker_slot(args[1]),
                       back          ? b->moved
                       : b->moved_to ? b->moved_to
                                     : "n2:2");
        broker_say_z(l, said);
    } else if (wshub_str_eq_z(args[0], "HELLO")) {
        if (b->no_hello) {
            broker_say_z(l, "-ERR unknown command 'HELLO'\r\n");
        } else {
            l->resp3 = true;
            broker_say_z(l, "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n$"
                            "7\r\nmodules\r\n*0\r\n");
        }
    } else if (wshub_str_eq_z(args[0], "CLIENT")) {
        (void)snprintf(l->name, sizeof l->name, "%.*s", (int)args[2].len, args[2].ptr);
        broker_say_z(l, "+OK\r\n");
    } else if (wshub_str_eq_z(args[0], "SELECT")) {
        broker_say_z(l, "+OK\r\n");
    } else if (wshub_str_eq_z(args[0], "ROLE")) {
        const char *role = b->replica && strcmp(l->address, b->replica) == 0 ? "slave"
                           : b->role                                         ? b->role
                                                                             : "master";
        (void)snprintf(said, sizeof said, "*3\r\n$%zu\r\n%s\r\n:0\r\n*0\r\n", strlen(role), role);
        broker_say_z(l, said);
    } else if (wshub_str_eq_z(args[0], "INFO")) {
        broker_say_z(l, b->cluster ? "$30\r\n# Cluster\r\ncluster_enabled:1\r\n\r\n"
                                   : "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
    } else if (wshub_str_eq_z(args[0], "SENTINEL")) {
        if (!b->master_host) {
            broker_say_z(l, "*-1\r\n");
        } else {
            (void)snprintf(said, sizeof said, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
                           strlen(b->master_host), b->master_host, strlen(b->master_port),
                           b->master_port);
            broker_say_z(l, said);
        }
    } else if (wshub_str_eq_z(args[0], "ECHO") && count == 2 && args[1].len < 100) {
        (void)snprintf(said, sizeof said, "$%zu\r\n%.*s\r\n", args[1].len, (int)args[1].len,
                       args[1].ptr);
        broker_say_z(l, said);
    } else if (wshub_str_eq_z(args[0], "SET")) {
        broker_set(b, l, args, count);
    } else if (wshub_str_eq_z(args[0], "PING")) {
        broker_say_z(l,
                     l->subs_count && !l->resp3 ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n");
    } else if (wshub_str_eq_z(args[0], "PUBLISH") || wshub_str_eq_z(args[0], "SPUBLISH")) {
        int n;
        if (b->on_publish) b->on_publish(b->ctx, args[1], args[2]);
        n = broker_deliver(b, args[1], args[2], args[0].ptr[0] == 'S');
        (void)snprintf(said, sizeof said, ":%d\r\n", n);
        broker_say_z(l, said);
    } else if (wshub_str_eq_z(args[0], "CLUSTER") && wshub_str_eq_z(args[1], "NODES")) {
        char head[24];
        (void)snprintf(head, sizeof head, "$%zu\r\n", b->nodes ? strlen(b->nodes) : 0);
        broker_say_z(l, b->nodes ? head : "-NOPERM this user has no permissions");
        broker_say_z(l, b->nodes ? b->nodes : "");
        broker_say_z(l, "\r\n");
    } else if (wshub_str_eq_z(args[0], "CLUSTER")) {
        broker_say_z(l,
                     b->slots ? b->slots : "-ERR This instance has cluster support disabled\r\n");
    } else if (wshub_str_eq_z(args[0], "PUBSUB") && count >= 3) {
        broker_numsub(b, l, args, count);
    } else if (wshub_str_eq_z(args[0], "SUBSCRIBE") || wshub_str_eq_z(args[0], "PSUBSCRIBE")) {
        broker_subscribe(b, l, args, count, true,
                         args[0].ptr[0] == 'P' ? BROKER_PATTERN : BROKER_EXACT);
    } else if (wshub_str_eq_z(args[0], "SSUBSCRIBE")) {
        broker_subscribe(b, l, args, count, true, BROKER_SHARDED);
    } else if (wshub_str_eq_z(args[0], "SUNSUBSCRIBE")) {
        broker_subscribe(b, l, args, count, false, BROKER_SHARDED);
    } else if (wshub_str_eq_z(args[0], "UNSUBSCRIBE") || wshub_str_eq_z(args[0], "PUNSUBSCRIBE")) {
        broker_subscribe(b, l, args, count, false,
                         args[0].ptr[0] == 'P' ? BROKER_PATTERN : BROKER_EXACT);
    } else {
        broker_say_z(l, "-ERR unknown command\r\n");
    }
}

/* One command at the front of what has come. Returns its length, 0: not all of it is there. */
static size_t broker_parse(const uint8_t *p, size_t n, wshub_str *args, size_t *count) {
    size_t at = 0, i;
    for (i = 0;; i++) {
        const uint8_t *nl = (const uint8_t *)memchr(p + at, '\n', n - at);
        size_t v;
        if (!nl) return 0;
        EXPECT(p[at] == (i ? '$' : '*') && nl[-1] == '\r');
        v = (size_t)strtoul((const char *)p + at + 1, NULL, 10);
        at = (size_t)(nl - p) + 1;
        if (i == 0) {
            *count = v;
            EXPECT(v > 0 && v <= 512);
        } else {
            if (n - at < v + 2) return 0;
            args[i - 1].ptr = (const char *)p + at;
            args[i - 1].len = v;
            EXPECT(p[at + v] == '\r' && p[at + v + 1] == '\n');
            at += v + 2;
        }
        if (i == *count) return at;
    }
}

/* Answers what dials on a fake io and what has been sent on it. True: something happened. */
static bool broker_step(broker *b, wshub_io_fake *net) {
    static wshub_str args[600];
    const char *address;
    wshub_conn c;
    bool busy = false;
    int i;
    while (wshub_io_fake_dialled(net, &c, &address)) {
        broker_link *l = NULL;
        /* it waits for an answer, and those behind it with it */
        if (b->hole && strcmp(address, b->hole) == 0) break;
        b->dials++;
        busy = true;
        for (i = 0; i < BROKER_LINKS && !b->away; i++) {
            if (!b->links[i].conn.id) l = &b->links[i];
        }
        if (l) {
            memset(l, 0, sizeof *l);
            l->net = net;
            l->conn = c;
            l->owner = b;
            (void)snprintf(l->address, sizeof l->address, "%s", address);
        }
        wshub_io_fake_answer(net, c, l != NULL);
        if (!l) {
            wshub_io_fake_forget(net, c);
        } else if (b->greeting) {
            broker_say_z(l, b->greeting);
            broker_drop(b, l, true);
        }
    }
    for (i = 0; i < BROKER_LINKS; i++) {
        broker_link *l = &b->links[i];
        size_t n, count;
        wshub_str out;
        if (l->net != net || !l->conn.id) continue;
        while (l->late && l->late->at <= wshub_io_fake_now(net)) {
            broker_late *late = l->late;
            l->late = late->next;
            wshub_io_fake_input(net, l->conn, late + 1, late->len);
            free(late);
            busy = true;
        }
        if (b->mute || l->frozen) {
            if (!wshub_io_fake_is_open(net, l->conn)) broker_drop(b, l, false);
            continue;
        }
        out = wshub_io_fake_output(net, l->conn);
        if (out.len) {
            if (l->in_len + out.len > l->in_cap) {
                l->in_cap = (l->in_len + out.len) * 2;
                l->in = (uint8_t *)realloc(l->in, l->in_cap);
            }
            memcpy(l->in + l->in_len, out.ptr, out.len);
            l->in_len += out.len;
            wshub_io_fake_take(net, l->conn, out.len);
            busy = true;
        }
        while (l->conn.id && l->in_len && (n = broker_parse(l->in, l->in_len, args, &count)) > 0) {
            uint8_t *command = (uint8_t *)malloc(n);
            if (b->hold_acks &&
                (wshub_str_eq_z(args[0], "SUBSCRIBE") || wshub_str_eq_z(args[0], "PSUBSCRIBE") ||
                 wshub_str_eq_z(args[0], "SSUBSCRIBE"))) {
                free(command);
                break;
            }
            memcpy(command, l->in, n);
            (void)broker_parse(command, n, args, &count);
            memmove(l->in, l->in + n, l->in_len - n);
            l->in_len -= n;
            broker_command(b, l, args, count); /* may close this very link */
            free(command);
            busy = true;
        }
        if (l->conn.id && !wshub_io_fake_is_open(net, l->conn)) { /* it ended behind what it said */
            broker_drop(b, l, false);
            busy = true;
        }
    }
    return busy;
}
#endif
