/* wshub_bus_redis.h - Redis and Valkey as the bus between hubs, with a RESP client of its own
 *
 * [x] RESP2 and RESP3; a publishing and a subscribing connection over any io with guests (TCP, Unix sockets)
 * [x] AUTH with user, CLIENT SETNAME, several addresses with fail-over, Sentinel, Cluster by any node
 * [x] starts without a broker; one deadline for each attempt; jittered backoff for ever
 * [x] up only when every subscription is acknowledged; PING and a heartbeat through the broker and back
 * [x] never up on a replica (ROLE, asked again with every heartbeat): the next address is tried; a replica of a Cluster
 *     hears and says everything, and will do
 * [x] bytes that come, and answers that are errors, are life; what a broker says against us is told in a line
 * [x] limits for everything a broker may send and for everything that waits to be sent
 * [ ] sharded pub/sub; TLS (an io over an io brings it: desc.tls then says so)
 *
 * Needs ISO C99 and wshub.h before it. Everything happens on the thread of its io, which is usually the
 * hub's. Nothing is sent twice: what was on its way when a connection broke is lost or has arrived, and
 * counted as unconfirmed. An ACL that suffices (with no channel_prefix):
 *     resetchannels &ws:broadcast &ws:room:* &ws:client:* &ws:user:* &wshub:hb:* -@all +subscribe
 *     +psubscribe +unsubscribe +punsubscribe +publish +ping +role +hello +auth +client|setname +quit
 * (+select for a database other than 0. With no_heartbeat &wshub:hb:* is not needed; without +role a replica is not
 * told from a master.)
 * A hub on an io of your own without guests: make a wshub_io_sock for Redis alone, drive it by
 * wshub_io_sock_fd() and wshub_io_sock_timeout(), and call wshub_settle(hub) after each of its turns.
 *
 *     wshub_bus_redis *redis;
 *     wshub_bus_redis_create(&(wshub_bus_redis_desc){ .io = wshub_io_sock_io(net),
 *                                                     .url = "redis://127.0.0.1:6379" }, &redis);
 *     wshub_create(&(wshub_desc){ .io = wshub_io_sock_io(net), .bus = wshub_bus_redis_bus(redis), ... }, &hub);
 *     ...
 *     wshub_destroy(hub); wshub_bus_redis_destroy(redis); wshub_io_sock_destroy(net); */
#ifndef WSHUB_BUS_REDIS_H
#define WSHUB_BUS_REDIS_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct wshub_bus_redis wshub_bus_redis;
struct wshub_bus_redis_driver;

/* zero: the default. Everything is copied */
typedef struct wshub_bus_redis_desc {
    const wshub_io *io; /* required: an io with guests, connections and randomness */
    /* Required. `redis://[user:password@][host[:port][,host[:port]...]][/database]`, where user,
     * password and the path of a socket may hold %XX (not %00) and an IPv6 host stands in brackets;
     * or `unix://[user:password@]/path`. `?db=N` does for /database. valkey:// is redis://,
     * valkeys:// is rediss://. No host at all is 127.0.0.1, an empty one in a list is refused. Of
     * several addresses each is tried when the one before has failed: a master and its replicas,
     * the nodes of a cluster, or sentinels. */
    const char *url;
    bool tls;   /* what the io carries is encrypted: `rediss://` is then demanded, else refused */
    bool resp3; /* HELLO 3; a broker that refuses it gets RESP2, and is asked again by the next
                   connection unless it does not know it */
    bool publish_only;    /* no subscribing connection: for emitters */
    bool no_heartbeat;    /* nothing is published or subscribed that the application did not: PING
                             alone tells    whether the broker lives, and not whether it still forwards */
    const char *sentinel; /* name of a master: the addresses are sentinels' (port 26379) */
    const char *sentinel_user, *sentinel_password; /* NULL: they ask for none */
    const char *client_name;                       /* "wshub"; "": none is set */
    const char *channel_prefix;  /* before every channel: instances that share a broker and no
                                    messages; "" */
    uint32_t connect_timeout_ms; /* 5000; a whole attempt, from the name to the last subscription; a
                                    second more for each 100,000 channels */
    uint32_t retry_min_ms, retry_max_ms; /* 50, 5000; between attempts, doubled and jittered, for
                                            ever */
    uint32_t heartbeat_ms;               /* 1000; between two heartbeats */
    uint32_t heartbeat_timeout_ms; /* 3000; for one to come back, for any byte while an answer is
                                      owed */
    uint32_t message_bytes_max; /* 16777216; larger ones from the broker are skipped and counted; a
                                   reply of many parts that is larger, and WSHUB_RESP_LINE_MAX, ends
                                   the connection */
    uint32_t output_bytes_max; /* 1048576; taken and not yet sent: beyond, the hub's queue keeps the
                                  rest */
    wshub_alloc_fn alloc;      /* NULL: realloc and free */
    void *alloc_user;
    void (*on_log)(const char *line, void *user); /* what failed, and that it is back; no passwords;
                                                     at most one line a second for a broker that
                                                     stays away. It may call anything,
                                                     wshub_destroy() included */
    void *user;
    const struct wshub_bus_redis_driver *driver; /* NULL: this file's own client */
} wshub_bus_redis_desc;

typedef struct wshub_bus_redis_stats {
    wshub_bus_state state;
    uint64_t attempts, ups, downs;
    uint64_t published;   /* taken from the owner */
    uint64_t refused;     /* of those: answered with an error; wshub_bus_redis_error() says which */
    uint64_t unconfirmed; /* of those: the connection broke before the answer; lost or not */
    uint64_t pending;     /* gauge, of those: no answer yet */
    uint64_t receivers;   /* sum of what Redis said in its answers: subscribers reached */
    uint64_t received, received_bytes, oversized; /* from the broker */
    uint64_t subscribed;                          /* gauge: channels and patterns, acknowledged */
    uint64_t unacknowledged; /* gauge: channels and patterns asked for or given up, no answer yet */
    uint64_t output_bytes;   /* gauge */
    uint64_t round_trip_ms;  /* of the last heartbeat through the broker: how far reading lags */
} wshub_bus_redis_stats;

/* One line on what create would refuse in a description. NULL: nothing. Pure. */
WSHUB_API const char *wshub_bus_redis_desc_problem(const wshub_bus_redis_desc *desc);
/* Makes it; it connects once a hub or an emitter has taken its bus. Returns OK; PARAM: see
 * desc_problem; NOMEM. */
WSHUB_API wshub_err wshub_bus_redis_create(const wshub_bus_redis_desc *desc,
                                           wshub_bus_redis **out_redis);
/* The bus, for one wshub_desc.bus or wshub_emitter_desc.bus; valid as long as redis. */
WSHUB_API const wshub_bus *wshub_bus_redis_bus(wshub_bus_redis *redis);
/* Ends it: after its hub or emitter, before its io. While one of them still has it, as inside their
 * callbacks, it is done once they have left. NULL: nothing. */
WSHUB_API void wshub_bus_redis_destroy(wshub_bus_redis *redis);
WSHUB_API void wshub_bus_redis_stats_get(const wshub_bus_redis *redis,
                                         wshub_bus_redis_stats *out_stats);
/* One line on what failed last; "" if nothing did. A view until the next call of anything. */
WSHUB_API const char *wshub_bus_redis_error(const wshub_bus_redis *redis);
/* `host:port` of the broker that is in use or being tried; "" between attempts. */
WSHUB_API const char *wshub_bus_redis_address(const wshub_bus_redis *redis);

/* ---- reading RESP: pure, no allocation, any thread ---- */
enum { WSHUB_BUS_REDIS_MESSAGE_BYTES = 16777216 }; /* the default of message_bytes_max */
enum {
    WSHUB_RESP_ITEMS = 8,
    WSHUB_RESP_DEPTH_MAX = 8,
    WSHUB_RESP_ELEMENTS_MAX = 4096,
    WSHUB_RESP_LINE_MAX = 65536
};
typedef struct wshub_resp_value {
    char kind;      /* as on the wire: + - : $ * % ~ > ( , # ! = ; `_`: null, in any of its forms */
    int64_t number; /* of `:`; elements of an aggregate, a map's counted twice */
    wshub_str text; /* of the others; view into the bytes */
} wshub_resp_value;
typedef struct wshub_resp {
    wshub_resp_value value;
    wshub_resp_value items[WSHUB_RESP_ITEMS]; /* the first ones of an aggregate */
    size_t items_count;
    size_t bytes; /* of the whole reply */
} wshub_resp;
/* One reply at the front of bytes. Returns 1: there it is; 0: more bytes are needed; -1: not RESP,
 * or over WSHUB_RESP_DEPTH_MAX, _ELEMENTS_MAX (attributes and empty lists count) or _LINE_MAX, or
 * all of it together is, or is going to be, longer than bulk_max and _LINE_MAX: so nothing that a
 * broker says is gathered without end; -2: a bulk of more than bulk_max bytes begins at out->bytes,
 * its length in out->value.number. Cost: O(elements); bulks are not looked at. */
WSHUB_API int wshub_resp_read(const uint8_t *bytes, size_t count, uint32_t bulk_max,
                              wshub_resp *out);

/* ---- for backends that bring another client (wshub_bus_hiredis.h) ----
 * Orders go down: each link is a connection, 0 to 2. Reports come up, on the io's thread, never
 * from inside an order. */
typedef struct wshub_bus_redis_driver {
    void *ctx;
    bool (*open)(void *ctx, wshub_bus_redis *redis, int link, const char *address); /* opened or
                                                                                       closed follow
                                                                                     */
    void (*close)(void *ctx, int link, bool flush); /* no report follows; flush: what was given may
                                                       still leave */
    /* A command of count words; before each of args[from] to args[to - 1] goes `prefix`. All
     * borrowed. */
    bool (*command)(void *ctx, int link, const wshub_str *args, size_t count, size_t from,
                    size_t to, wshub_str prefix);
    void (*pump)(void *ctx); /* once a turn: reports that could not be made when they came */
    size_t (*waiting)(void *ctx, int link); /* bytes given and not yet sent */
    const char *(*error)(void *ctx);        /* why the last open or connection failed */
} wshub_bus_redis_driver;
WSHUB_API void wshub_bus_redis_opened(wshub_bus_redis *redis, int link);
WSHUB_API void wshub_bus_redis_replied(wshub_bus_redis *redis, int link, const wshub_resp *reply);
WSHUB_API void wshub_bus_redis_heard(wshub_bus_redis *redis, int link); /* bytes came, of a reply or
                                                                           a part of one */
WSHUB_API void wshub_bus_redis_closed(wshub_bus_redis *redis, int link);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_BUS_REDIS_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_BUS_REDIS_IMPLEMENTATION)) &&                  \
    !defined(WSHUB__BUS_REDIS_DONE)
#define WSHUB__BUS_REDIS_DONE
#include <stdio.h>
#include <stdlib.h>
#ifdef __cplusplus
extern "C" {
#endif

/* ---- RESP ---- */

/* A decimal number up to `end`. False: it is none, or one that nobody needs. */
static bool wshub_bus_redis__number(const uint8_t *p, const uint8_t *end, int64_t *out) {
    bool minus = p < end && *p == '-';
    int64_t n = 0;
    if (minus) p++;
    if (p == end || end - p > 18) return false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        n = n * 10 + (*p - '0');
    }
    *out = minus ? -n : n;
    return true;
}

WSHUB_API int wshub_resp_read(const uint8_t *bytes, size_t count, uint32_t bulk_max,
                              wshub_resp *out) {
    const uint64_t bytes_max = (uint64_t)bulk_max + WSHUB_RESP_LINE_MAX;
    int64_t left[WSHUB_RESP_DEPTH_MAX + 1], elements = 0;
    bool attribute[WSHUB_RESP_DEPTH_MAX + 1]; /* RESP3: a note before the reply, not a part of it */
    size_t at = 0, depth = 0;
    memset(out, 0, sizeof *out);
    left[0] = 1;
    while (left[0]) {
        const uint8_t *line = bytes + at, *end;
        size_t most = count - at, line_max = WSHUB_RESP_LINE_MAX;
        wshub_resp_value v;
        int64_t n = 0;
        if (at > bytes_max) return -1;
        if (most > line_max) most = line_max;
        end = most ? (const uint8_t *)memchr(line, '\n', most) : NULL;
        if (!end) return most == line_max ? -1 : 0;
        if (end - line < 2 || end[-1] != '\r') return -1;
        memset(&v, 0, sizeof v);
        v.kind = (char)*line;
        v.text.ptr = (const char *)line + 1;
        v.text.len = (size_t)(end - line) - 2;
        at = (size_t)(end - bytes) + 1;
        switch (v.kind) {
        case '+':
        case '-':
        case '(':
        case ',':
        case '#': break;
        case '_':
            v.text.ptr = NULL;
            v.text.len = 0;
            break;
        case ':':
            if (!wshub_bus_redis__number(line + 1, end - 1, &v.number)) return -1;
            break;
        case '$':
        case '!':
        case '=':
            if (!wshub_bus_redis__number(line + 1, end - 1, &n) || n < -1) return -1;
            if (n == -1) {
                v.kind = '_';
                break;
            }
            if (n > bulk_max) {
                out->bytes = (size_t)(line - bytes);
                out->value.number = n;
                return -2;
            }
            if (at + (uint64_t)n > bytes_max) return -1;
            if (count - at < (size_t)n + 2) return 0;
            v.text.ptr = (const char *)bytes + at;
            v.text.len = (size_t)n;
            at += (size_t)n + 2;
            if (bytes[at - 2] != '\r' || bytes[at - 1] != '\n') return -1;
            break;
        case '*':
        case '~':
        case '>':
        case '%':
        case '|':
            if (!wshub_bus_redis__number(line + 1, end - 1, &n) || n < -1) return -1;
            if (n == -1) {
                v.kind = '_';
                break;
            }
            if (n > WSHUB_RESP_ELEMENTS_MAX) return -1;
            if (v.kind == '%' || v.kind == '|') n *= 2;
            elements += n + (v.kind == '|' || n == 0);
            if (elements > WSHUB_RESP_ELEMENTS_MAX) return -1;
            v.number = n;
            break;
        default: return -1;
        }
        if (v.kind != '|') {
            if (depth == 0) {
                out->value = v;
            } else if (depth == 1 && !attribute[1] && out->items_count < WSHUB_RESP_ITEMS) {
                out->items[out->items_count++] = v;
            }
        }
        if (n > 0 &&
            (v.kind == '*' || v.kind == '~' || v.kind == '>' || v.kind == '%' || v.kind == '|')) {
            if (depth == WSHUB_RESP_DEPTH_MAX) return -1;
            depth++;
            left[depth] = n;
            attribute[depth] = v.kind == '|';
            continue;
        }
        if (v.kind != '|') left[depth]--;
        while (depth && left[depth] == 0) {
            bool note = attribute[depth--];
            if (!note) left[depth]--;
        }
    }
    out->bytes = at;
    return 1;
}

/* ---- the objects ---- */

enum {
    WSHUB_BUS_REDIS__PUB,
    WSHUB_BUS_REDIS__SUB,
    WSHUB_BUS_REDIS__SENTINEL,
    WSHUB_BUS_REDIS__LINKS
};
enum { WSHUB_BUS_REDIS__ADDRESSES = 16, WSHUB_BUS_REDIS__LINES = 4 };

typedef enum wshub_bus_redis__phase {
    WSHUB_BUS_REDIS__WAITING,  /* for the next attempt */
    WSHUB_BUS_REDIS__ASKING,   /* a sentinel */
    WSHUB_BUS_REDIS__GREETING, /* connections and their first commands */
    WSHUB_BUS_REDIS__FILLING,  /* the owner has been told CONNECTED */
    WSHUB_BUS_REDIS__UP
} wshub_bus_redis__phase;

/* what a command was, so that its answer is understood */
typedef enum wshub_bus_redis__what {
    WSHUB_BUS_REDIS__HELLO,
    WSHUB_BUS_REDIS__AUTH,
    WSHUB_BUS_REDIS__SETNAME,
    WSHUB_BUS_REDIS__SELECT,
    WSHUB_BUS_REDIS__ROLE,
    WSHUB_BUS_REDIS__READY, /* the PING that ends a greeting */
    WSHUB_BUS_REDIS__PING,
    WSHUB_BUS_REDIS__PUBLISH,
    WSHUB_BUS_REDIS__BEAT,
    WSHUB_BUS_REDIS__CLUSTER, /* is this replica one of a cluster's? */
    WSHUB_BUS_REDIS__SUBSCRIBE,
    WSHUB_BUS_REDIS__BEAT_CHANNEL, /* the heartbeat's subscription */
    WSHUB_BUS_REDIS__PROBE,        /* is the subscriber's connection alive? */
    WSHUB_BUS_REDIS__UNSUBSCRIBE,
    WSHUB_BUS_REDIS__MASTER,
    WSHUB_BUS_REDIS__WATCH
} wshub_bus_redis__what;

/* answers that are to come: `count` of a kind */
typedef struct wshub_bus_redis__cmd {
    wshub_bus_redis__what what;
    uint32_t count;
} wshub_bus_redis__cmd;

typedef struct wshub_bus_redis__bytes {
    uint8_t *ptr;
    size_t at, len, cap; /* at: done with */
} wshub_bus_redis__bytes;

typedef struct wshub_bus_redis__link {
    wshub_conn conn; /* 0: none; with a driver 1 */
    bool open, ready, blocked;
    bool unsure; /* a replica, unless it is one of a cluster's */
    wshub_bus_redis__bytes in, out;
    uint64_t skip;              /* of an oversized bulk: bytes still to come */
    wshub_bus_redis__cmd *cmds; /* a ring; cap is a power of two */
    uint32_t cmds_head, cmds_count, cmds_cap;
    uint64_t progress; /* when bytes came last, or left behind others, or the oldest unanswered
                          command was given */
    char said[200];    /* the last error that was passed over: why it is closed, perhaps */
} wshub_bus_redis__link;

typedef struct wshub_bus_redis__flight { /* bytes that a completion io holds, until sent() or
                                            closed() */
    struct wshub_bus_redis__flight *next;
    uint64_t conn;
    wshub_bus_redis__bytes bytes;
} wshub_bus_redis__flight;

struct wshub_bus_redis {
    wshub_bus_redis_desc desc;
    wshub_io io;
    wshub_bus bus;
    wshub_bus_owner owner;
    bool attached, destroyed, old, short_of_room, half_done; /* old: knows no HELLO */
    bool asks_role, publish_short, pending_asked;
    int depth;
    char *texts;
    size_t texts_bytes;
    const char *addresses[WSHUB_BUS_REDIS__ADDRESSES];
    uint32_t addresses_count, address_at, failures;
    const char *user, *password, *db; /* "": none */
    size_t prefix_len;
    char glob[512]; /* the prefix as a pattern */
    size_t glob_len;
    char master[280]; /* of a sentinel's answer */
    char beat[160];   /* our heartbeat's channel */
    wshub_bus_redis__phase phase;
    wshub_bus_redis__link links[WSHUB_BUS_REDIS__LINKS];
    wshub_bus_redis__flight *flights, *spare;
    uint64_t now, io_now, retry_at, deadline, up_since, beat_next, beat_late, log_second;
    uint64_t unconfirmed_before;    /* stats.unconfirmed when this owner came */
    uint64_t alarm_at;              /* by io_now; 0: none */
    uint64_t beats, beats_answered; /* of this connection */
    uint64_t beat_watch;  /* the oldest that has not come back; beat_late: until when it may */
    uint64_t probe_watch; /* 0: no probe is on its way; else beat_watch when it left */
    bool beat_missing;    /* what came behind it has come, it has not */
    char known[256];      /* a channel that is subscribed, to be asked about; drivers only */
    size_t known_len;
    bool known_pattern;
    wshub_bus_redis_stats stats;
    char error[280];
    char lines[WSHUB_BUS_REDIS__LINES][640]; /* not yet told */
    int lines_count;
};

static void *wshub_bus_redis__alloc(const wshub_bus_redis_desc *d, void *ptr, size_t old_bytes,
                                    size_t new_bytes) {
    if (d->alloc) return d->alloc(d->alloc_user, ptr, old_bytes, new_bytes);
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

static bool wshub_bus_redis__room(wshub_bus_redis *r, wshub_bus_redis__bytes *b, size_t more) {
    size_t cap = b->cap ? b->cap : 4096;
    void *p;
    if (b->at && (b->at == b->len || b->at > b->cap / 2)) {
        memmove(b->ptr, b->ptr + b->at, b->len - b->at);
        b->len -= b->at;
        b->at = 0;
    }
    if (b->len + more <= b->cap) return true;
    while (cap < b->len + more) cap *= 2;
    p = wshub_bus_redis__alloc(&r->desc, b->ptr, b->cap, cap);
    if (!p) return false;
    b->ptr = (uint8_t *)p;
    b->cap = cap;
    return true;
}

static void wshub_bus_redis__release(wshub_bus_redis *r, wshub_bus_redis__bytes *b) {
    if (b->ptr) (void)wshub_bus_redis__alloc(&r->desc, b->ptr, b->cap, 0);
    memset(b, 0, sizeof *b);
}

/* Own time: a turn counts as one heartbeat at most, so that a stopped process or a suspended
 * machine does not take its own absence for the broker's. */
static void wshub_bus_redis__clock(wshub_bus_redis *r) {
    uint64_t t = r->io.now_ms(r->io.ctx), passed = t > r->io_now ? t - r->io_now : 0;
    r->io_now = t;
    r->now += passed < r->desc.heartbeat_ms ? passed : r->desc.heartbeat_ms;
}

static void wshub_bus_redis__free(wshub_bus_redis *r);
static void wshub_bus_redis__enter(wshub_bus_redis *r) {
    if (r->depth++ == 0) wshub_bus_redis__clock(r);
}

/* Log lines are told where nothing is half done: on_log may destroy hub and bus at any of them. */
static void wshub_bus_redis__tell(wshub_bus_redis *r) {
    while (r->lines_count) {
        char line[sizeof r->lines[0]];
        memcpy(line, r->lines[0], sizeof line);
        r->lines_count--;
        memmove(r->lines[0], r->lines[1], (size_t)r->lines_count * sizeof line);
        r->desc.on_log(line, r->desc.user);
    }
}
static void wshub_bus_redis__leave(wshub_bus_redis *r) { /* r may be gone afterwards */
    if (r->depth == 1) wshub_bus_redis__tell(r);
    if (--r->depth == 0 && r->destroyed && !r->attached) wshub_bus_redis__free(r);
}

/* It may be the broker's text, or a sentinel's address: printable, on one line. */
static void wshub_bus_redis__printable(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < 32 || *text == 127) *text = '?';
    }
}

static void wshub_bus_redis__log(wshub_bus_redis *r, const char *line, bool always) {
    if (!r->desc.on_log || (!always && r->log_second == r->now / 1000 + 1)) return;
    if (r->lines_count == WSHUB_BUS_REDIS__LINES)
        return; /* within one turn the first ones say why */
    r->log_second = r->now / 1000 + 1;
    (void)snprintf(r->lines[r->lines_count], sizeof r->lines[0], "%s", line);
    wshub_bus_redis__printable(r->lines[r->lines_count++]);
}

/* ---- commands ---- */

static bool wshub_bus_redis__cmd_add(wshub_bus_redis *r, wshub_bus_redis__link *l,
                                     wshub_bus_redis__what what, uint32_t count) {
    wshub_bus_redis__cmd *last;
    if (l->cmds_count == 0) l->progress = r->now;
    last = l->cmds_count ? &l->cmds[(l->cmds_head + l->cmds_count - 1) & (l->cmds_cap - 1)] : NULL;
    if (last && last->what == what && last->count < UINT32_MAX - count) {
        last->count += count;
        return true;
    }
    if (l->cmds_count == l->cmds_cap) {
        uint32_t cap = l->cmds_cap ? l->cmds_cap * 2 : 16, i;
        wshub_bus_redis__cmd *cmds =
            (wshub_bus_redis__cmd *)wshub_bus_redis__alloc(&r->desc, NULL, 0, cap * sizeof *cmds);
        if (!cmds) return false;
        for (i = 0; i < l->cmds_count; i++)
            cmds[i] = l->cmds[(l->cmds_head + i) & (l->cmds_cap - 1)]; /* NOLINT: count > 0, so
                                                                          there is a list */
        if (l->cmds) (void)wshub_bus_redis__alloc(&r->desc, l->cmds, l->cmds_cap * sizeof *cmds, 0);
        l->cmds = cmds;
        l->cmds_cap = cap;
        l->cmds_head = 0;
    }
    last = &l->cmds[(l->cmds_head + l->cmds_count++) & (l->cmds_cap - 1)];
    last->what = what; /* NOLINT: the list has just been seen to */
    last->count = count;
    return true;
}

static void wshub_bus_redis__cmd_undo(wshub_bus_redis__link *l, uint32_t count) {
    wshub_bus_redis__cmd *last = &l->cmds[(l->cmds_head + l->cmds_count - 1) & (l->cmds_cap - 1)];
    last->count -= count;
    if (last->count == 0) l->cmds_count--;
}

static void wshub_bus_redis__head(uint8_t **at, char kind, size_t n) {
    char digits[24];
    size_t i = sizeof digits;
    *(*at)++ = (uint8_t)kind;
    do {
        digits[--i] = (char)('0' + (int)(n % 10));
        n /= 10;
    } while (n);
    memcpy(*at, digits + i, sizeof digits - i);
    *at += sizeof digits - i;
    *(*at)++ = '\r';
    *(*at)++ = '\n';
}

/* Writes a command of args[0..count-1], where `prefix` goes before every one from args[from] on.
 * Answers: how many there will be. False: out of memory, nothing was written. */
static bool wshub_bus_redis__command(wshub_bus_redis *r, int link, wshub_bus_redis__what what,
                                     uint32_t answers, const wshub_str *args, size_t count,
                                     size_t from, size_t to, wshub_str prefix) {
    wshub_bus_redis__link *l = &r->links[link];
    size_t bytes = 32, i;
    uint8_t *at;
    if (r->desc.driver) {
        if (!wshub_bus_redis__cmd_add(r, l, what, answers)) return false;
        if (r->desc.driver->command(r->desc.driver->ctx, link, args, count, from, to, prefix))
            return true;
        wshub_bus_redis__cmd_undo(l, answers); /* no answer will come */
        return false;
    }
    for (i = 0; i < count; i++) bytes += args[i].len + prefix.len + 32;
    if (!wshub_bus_redis__room(r, &l->out, bytes) || !wshub_bus_redis__cmd_add(r, l, what, answers))
        return false;
    at = l->out.ptr + l->out.len;
    wshub_bus_redis__head(&at, '*', count);
    for (i = 0; i < count; i++) {
        size_t extra = i >= from && i < to ? prefix.len : 0;
        wshub_bus_redis__head(&at, '$', extra + args[i].len);
        if (extra) memcpy(at, prefix.ptr, extra);
        if (args[i].len) memcpy(at + extra, args[i].ptr, args[i].len);
        at += extra + args[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    l->out.len = (size_t)(at - l->out.ptr);
    return true;
}

static wshub_str wshub_bus_redis__none(void) {
    wshub_str s;
    s.ptr = NULL;
    s.len = 0;
    return s;
}

/* A command of terminated words, up to the first NULL. */
static bool wshub_bus_redis__words(wshub_bus_redis *r, int link, wshub_bus_redis__what what,
                                   const char *a, const char *b, const char *c, const char *d) {
    wshub_str args[4];
    size_t n = 0;
    args[n++] = wshub_str_z(a);
    if (b) args[n++] = wshub_str_z(b);
    if (b && c) args[n++] = wshub_str_z(c);
    if (b && c && d) args[n++] = wshub_str_z(d);
    return wshub_bus_redis__command(r, link, what, 1, args, n, n, n, wshub_bus_redis__none());
}

static void wshub_bus_redis__flight_free(wshub_bus_redis *r, wshub_bus_redis__flight *f) {
    wshub_bus_redis__release(r, &f->bytes);
    (void)wshub_bus_redis__alloc(&r->desc, f, sizeof *f, 0);
}

static void wshub_bus_redis__send(wshub_bus_redis *r, wshub_bus_redis__link *l) {
    wshub_bus_redis__flight *f = r->spare;
    wshub_span s;
    int64_t took;
    if (!l->open || l->blocked || l->out.at == l->out.len || r->desc.driver) return;
    if (!f) f = (wshub_bus_redis__flight *)wshub_bus_redis__alloc(&r->desc, NULL, 0, sizeof *f);
    r->spare = f;
    if (!f) return; /* there is a next turn */
    s.ptr = l->out.ptr + l->out.at;
    s.len = l->out.len - l->out.at;
    took = r->io.send(r->io.ctx, l->conn, &s, 1);
    if (took == WSHUB_IO_PENDING) { /* a completion io: what lies there stays where it is */
        f->next = r->flights;
        f->conn = l->conn.id;
        f->bytes = l->out;
        r->flights = f;
        r->spare = NULL;
        memset(&l->out, 0, sizeof l->out);
        l->blocked = true;
        return;
    }
    l->out.at += (size_t)took;
    l->blocked = (size_t)took < s.len;
    if (l->out.at == l->out.len) {
        l->out.at = l->out.len = 0;
        if (l->out.cap > (size_t)r->desc.output_bytes_max) wshub_bus_redis__release(r, &l->out);
    }
}

static size_t wshub_bus_redis__waiting(const wshub_bus_redis *r, int link) {
    const wshub_bus_redis__link *l = &r->links[link];
    if (r->desc.driver) return l->open ? r->desc.driver->waiting(r->desc.driver->ctx, link) : 0;
    return l->out.len - l->out.at;
}

/* Tells the owner that a short publish() may go on. */
static void wshub_bus_redis__room_again(wshub_bus_redis *r) {
    if (!r->attached || !r->publish_short || r->phase != WSHUB_BUS_REDIS__UP) return;
    if (wshub_bus_redis__waiting(r, WSHUB_BUS_REDIS__PUB) >= r->desc.output_bytes_max) return;
    r->publish_short = false;
    if (r->owner.room)
        r->owner.room(r->owner.ctx);
    else if (r->owner.wake)
        r->owner.wake(r->owner.ctx);
}

/* Publications that have had no answer. */
static uint64_t wshub_bus_redis__unanswered(const wshub_bus_redis *r) {
    const wshub_bus_redis__link *pub = &r->links[WSHUB_BUS_REDIS__PUB];
    uint64_t n = 0;
    uint32_t i;
    for (i = 0; i < pub->cmds_count; i++) {
        const wshub_bus_redis__cmd *c = &pub->cmds[(pub->cmds_head + i) & (pub->cmds_cap - 1)];
        if (c->what == WSHUB_BUS_REDIS__PUBLISH) n += c->count;
    }
    return n;
}

static bool wshub_bus_redis__awaits(const wshub_bus_redis__link *l, wshub_bus_redis__what what) {
    uint32_t i;
    for (i = 0; i < l->cmds_count; i++) {
        if (l->cmds[(l->cmds_head + i) & (l->cmds_cap - 1)].what == what) return true;
    }
    return false;
}

static bool wshub_bus_redis__begins(wshub_str s, const char *with) {
    size_t n = strlen(with);
    return s.len >= n && memcmp(s.ptr, with, n) == 0;
}
static bool wshub_bus_redis__has(wshub_str s, const char *what) {
    for (; s.len; s.ptr++, s.len--) {
        if (wshub_bus_redis__begins(s, what)) return true;
    }
    return false;
}

/* ---- connections ---- */

static void wshub_bus_redis__link_close(wshub_bus_redis *r, int link, bool flush) {
    wshub_bus_redis__link *l = &r->links[link];
    wshub_conn conn = l->conn;
    l->conn.id = 0;
    if (conn.id) {
        if (r->desc.driver)
            r->desc.driver->close(r->desc.driver->ctx, link, flush);
        else
            r->io.close(r->io.ctx, conn, flush);
    }
    wshub_bus_redis__release(r, &l->in);
    wshub_bus_redis__release(r, &l->out);
    l->open = l->ready = l->blocked = l->unsure = false;
    l->said[0] = 0;
    l->skip = 0;
    l->cmds_head = l->cmds_count = 0;
}

static bool wshub_bus_redis__link_open(wshub_bus_redis *r, int link, const char *address) {
    wshub_bus_redis__link *l = &r->links[link];
    wshub_dial dial;
    l->progress = r->now;
    if (r->desc.driver) {
        l->conn.id = 1;
        if (r->desc.driver->open(r->desc.driver->ctx, r, link, address)) return true;
        l->conn.id = 0;
        return false;
    }
    memset(&dial, 0, sizeof dial);
    dial.address = address;
    return r->io.connect(r->io.ctx, r, &dial, &l->conn) == WSHUB_OK;
}

/* Full or half of it, by chance: hubs that lost their broker together do not come back in step. */
static uint64_t wshub_bus_redis__jitter(wshub_bus_redis *r, uint64_t ms) {
    uint8_t b[2] = {0, 0};
    (void)r->io.random(r->io.ctx, b, 2);
    return ms / 2 + (ms - ms / 2) * (uint64_t)(b[0] << 8 | b[1]) / 65535;
}

/* Everything is torn down, the owner is told, the next attempt is set. A connection with an
 * unanswered command is never used again. */
static void wshub_bus_redis__fail(wshub_bus_redis *r, const char *why, wshub_str detail) {
    wshub_bus_redis__phase was = r->phase;
    uint64_t wait, step;
    uint32_t i;
    char line[640];
    if (was == WSHUB_BUS_REDIS__WAITING) return;
    r->stats.unconfirmed += wshub_bus_redis__unanswered(r);
    (void)snprintf(r->error, sizeof r->error, "%s%s%.*s", why, detail.len ? ": " : "",
                   (int)(detail.len < 200 ? detail.len : 200), detail.len ? detail.ptr : "");
    wshub_bus_redis__printable(r->error);
    (void)snprintf(line, sizeof line, "%s %s: %s; trying again",
                   was == WSHUB_BUS_REDIS__UP ? "lost" : "cannot use", wshub_bus_redis_address(r),
                   r->error);
    for (i = 0; i < WSHUB_BUS_REDIS__LINKS; i++) wshub_bus_redis__link_close(r, (int)i, false);
    r->phase = WSHUB_BUS_REDIS__WAITING;
    r->stats.state = WSHUB_BUS_DOWN;
    r->stats.subscribed = r->stats.unacknowledged = 0;
    if (was == WSHUB_BUS_REDIS__UP) {
        r->stats.downs++;
        if (r->now - r->up_since >= 500)
            r->failures = 0; /* it was a good one: begin anew, at once */
    }
    /* of several addresses each is tried before the wait grows */
    r->address_at = (r->address_at + 1) % r->addresses_count;
    step = r->failures / r->addresses_count;
    wait = step < 16 ? (uint64_t)r->desc.retry_min_ms << step : r->desc.retry_max_ms;
    if (wait > r->desc.retry_max_ms) wait = r->desc.retry_max_ms;
    r->retry_at = r->now + wshub_bus_redis__jitter(r, wait);
    r->failures++;
    wshub_bus_redis__log(r, line, was == WSHUB_BUS_REDIS__UP);
    if ((was == WSHUB_BUS_REDIS__UP || was == WSHUB_BUS_REDIS__FILLING) && r->attached)
        r->owner.state(r->owner.ctx, WSHUB_BUS_DOWN);
}

static void wshub_bus_redis__fail_memory(wshub_bus_redis *r) {
    wshub_bus_redis__fail(r, "out of memory", wshub_bus_redis__none());
}

/* A link is of no use any more. A sentinel that is only watched takes the bus down with it least of
 * all: another one is asked with the next heartbeat. */
static void wshub_bus_redis__link_fail(wshub_bus_redis *r, int link, const char *why,
                                       wshub_str detail) {
    if (link == WSHUB_BUS_REDIS__SENTINEL && r->phase != WSHUB_BUS_REDIS__ASKING)
        wshub_bus_redis__link_close(r, link, false);
    else
        wshub_bus_redis__fail(r, why, detail);
}

static void wshub_bus_redis__attempt(wshub_bus_redis *r) {
    const char *address = r->addresses[r->address_at];
    r->stats.attempts++;
    r->deadline = r->now + r->desc.connect_timeout_ms;
    r->short_of_room = r->half_done = r->publish_short = r->beat_missing = false;
    r->beats = r->beats_answered = r->beat_watch = r->probe_watch = 0;
    r->known_len = 0;
    r->asks_role = true;
    if (r->desc.sentinel) {
        r->phase = WSHUB_BUS_REDIS__ASKING;
        r->master[0] = 0;
        if (wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__SENTINEL, address)) return;
    } else {
        r->phase = WSHUB_BUS_REDIS__GREETING;
        if (wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__PUB, address) &&
            (r->desc.publish_only || wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__SUB, address)))
            return;
    }
    wshub_bus_redis__fail(r,
                          r->desc.driver ? r->desc.driver->error(r->desc.driver->ctx)
                          : r->io.error  ? r->io.error(r->io.ctx)
                                         : "cannot connect",
                          wshub_bus_redis__none());
}

/* A link is there: the first commands, in one piece, without waiting for answers between them. */
static void wshub_bus_redis__greet(wshub_bus_redis *r, int link) {
    bool sentinel = link == WSHUB_BUS_REDIS__SENTINEL, ok = true;
    const char *user = sentinel ? r->desc.sentinel_user : r->user,
               *password = sentinel ? r->desc.sentinel_password : r->password;
    bool has_user = user && *user, has_password = password && *password;
    r->links[link].open = true;
    r->links[link].progress = r->now;
    if (has_password) {
        ok = wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__AUTH, "AUTH",
                                    has_user ? user : password, has_user ? password : NULL, NULL);
    }
    if (r->desc.resp3 && !r->old && !sentinel && !r->desc.driver)
        ok =
            ok && wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__HELLO, "HELLO", "3", NULL, NULL);
    if (sentinel) {
        ok = ok &&
             wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__MASTER, "SENTINEL",
                                    "get-master-addr-by-name", r->desc.sentinel, NULL) &&
             wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__WATCH, "SUBSCRIBE", "+switch-master",
                                    NULL, NULL);
    } else {
        if (*r->desc.client_name)
            ok = ok && wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__SETNAME, "CLIENT",
                                              "SETNAME", r->desc.client_name, NULL);
        if (*r->db && strcmp(r->db, "0") != 0)
            ok = ok && wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__SELECT, "SELECT", r->db,
                                              NULL, NULL);
        ok = ok && wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__ROLE, "ROLE", NULL, NULL, NULL);
        ok =
            ok && wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__READY, "PING", NULL, NULL, NULL);
    }
    if (!ok) {
        wshub_bus_redis__fail_memory(r);
        return;
    }
    wshub_bus_redis__send(r, &r->links[link]);
}

/* Both are there: the owner subscribes to all it wants, inside the report. */
static void wshub_bus_redis__connected(wshub_bus_redis *r) {
    bool ok;
    r->phase = WSHUB_BUS_REDIS__FILLING;
    r->stats.state = WSHUB_BUS_CONNECTED;
    if (r->desc.publish_only || r->desc.no_heartbeat) {
        r->owner.state(r->owner.ctx, WSHUB_BUS_CONNECTED);
        return;
    }
    ok = wshub_bus_redis__words(r, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__BEAT_CHANNEL, "SUBSCRIBE",
                                r->beat, NULL, NULL);
    if (!ok) {
        wshub_bus_redis__fail_memory(r);
        return;
    }
    r->stats.unacknowledged++;
    r->owner.state(r->owner.ctx, WSHUB_BUS_CONNECTED);
}

static void wshub_bus_redis__up(wshub_bus_redis *r) {
    char line[640];
    r->phase = WSHUB_BUS_REDIS__UP;
    r->stats.state = WSHUB_BUS_UP;
    r->stats.ups++;
    r->up_since = r->beat_next = r->now;
    r->beat_late = 0;
    if (r->failures || r->stats.ups > 1) {
        (void)snprintf(line, sizeof line, "back at %s", wshub_bus_redis_address(r));
        wshub_bus_redis__log(r, line, true);
    }
    r->owner.state(r->owner.ctx, WSHUB_BUS_UP);
}

/* ---- answers ---- */

/* A sentinel's answer, or its word that another is master now: host and port. */
static void wshub_bus_redis__master(wshub_bus_redis *r, wshub_str host, wshub_str port) {
    char address[280];
    bool v6 = host.len && memchr(host.ptr, ':', host.len) != NULL;
    if (!host.len || host.len > 255 || !port.len || port.len > 5) {
        wshub_bus_redis__link_fail(r, WSHUB_BUS_REDIS__SENTINEL,
                                   "the sentinel's answer is no address", wshub_bus_redis__none());
        return;
    }
    (void)snprintf(address, sizeof address, v6 ? "[%.*s]:%.*s" : "%.*s:%.*s", (int)host.len,
                   host.ptr, (int)port.len, port.ptr);
    if (r->phase != WSHUB_BUS_REDIS__ASKING) {
        if (strcmp(address, r->master) == 0) return;
        wshub_bus_redis__fail(r, "the master has moved to", wshub_str_z(address));
        r->retry_at = r->now;
        return;
    }
    memcpy(r->master, address, sizeof address);
    r->phase = WSHUB_BUS_REDIS__GREETING;
    if (!wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__PUB, r->master) ||
        (!r->desc.publish_only && !wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__SUB, r->master)))
        wshub_bus_redis__fail(r, "cannot connect to the master", wshub_bus_redis__none());
}

/* `name old-host old-port new-host new-port` */
static void wshub_bus_redis__switched(wshub_bus_redis *r, wshub_str text) {
    wshub_str words[5];
    size_t i, n = 0, at = 0;
    memset(words, 0, sizeof words);
    for (i = 0; i <= text.len && n < 5; i++) {
        if (i < text.len && text.ptr[i] != ' ') continue;
        words[n].ptr = text.ptr + at;
        words[n++].len = i - at;
        at = i + 1;
    }
    if (n == 5 && wshub_str_eq_z(words[0], r->desc.sentinel))
        wshub_bus_redis__master(r, words[3], words[4]);
}

static void wshub_bus_redis__message(wshub_bus_redis *r, wshub_str channel,
                                     const wshub_resp_value *payload) {
    if (payload->kind != '$') { /* it was too large, and has been skipped */
        r->stats.oversized++;
        return;
    }
    if (wshub_str_eq_z(channel, r->beat)) {
        int64_t sent = 0;
        const uint8_t *p = (const uint8_t *)payload->text.ptr;
        r->beat_late = 0;
        r->beat_missing = false;
        if (wshub_bus_redis__number(p, p + payload->text.len, &sent) && (uint64_t)sent <= r->now)
            r->stats.round_trip_ms = r->now - (uint64_t)sent;
        return;
    }
    if (!channel.ptr || channel.len < r->prefix_len ||
        memcmp(channel.ptr, r->desc.channel_prefix, r->prefix_len) != 0)
        return;
    channel.ptr += r->prefix_len;
    channel.len -= r->prefix_len;
    r->stats.received++;
    r->stats.received_bytes += payload->text.len;
    r->owner.received(r->owner.ctx, channel, payload->text);
}

/* fail() with what to do about it behind the broker's text. */
static void wshub_bus_redis__fail_hint(wshub_bus_redis *r, const char *why, wshub_str text,
                                       const char *hint) {
    char both[201];
    (void)snprintf(both, sizeof both, "%.*s%s", (int)(text.len < 110 ? text.len : 110),
                   text.len ? text.ptr : "", hint);
    wshub_bus_redis__fail(r, why, wshub_str_z(both));
}

/* Both connections have said that they will do. */
static void wshub_bus_redis__greeted(wshub_bus_redis *r) {
    const wshub_bus_redis__link *pub = &r->links[WSHUB_BUS_REDIS__PUB],
                                *sub = &r->links[WSHUB_BUS_REDIS__SUB];
    if (r->phase != WSHUB_BUS_REDIS__GREETING || !pub->ready || pub->unsure) return;
    if (r->desc.publish_only || (sub->ready && !sub->unsure)) wshub_bus_redis__connected(r);
}

/* What is published on a replica reaches nobody on its master: only a master will do, or any node
 * of a cluster. Who may not ask is not told (no +role). */
static void wshub_bus_redis__role(wshub_bus_redis *r, int link, const wshub_resp *reply,
                                  bool error) {
    wshub_str role = reply->items_count ? reply->items[0].text : wshub_bus_redis__none();
    if (error || (!wshub_str_eq_z(role, "master") && !wshub_str_eq_z(role, "slave") &&
                  !wshub_str_eq_z(role, "sentinel"))) { /* it does not say */
        r->asks_role = false;
    } else if (wshub_str_eq_z(role, "sentinel")) {
        wshub_bus_redis__fail(
            r, "a sentinel, which forwards nothing: name its master in desc.sentinel",
            wshub_bus_redis__none());
    } else if (wshub_str_eq_z(role, "slave")) {
        if (r->phase != WSHUB_BUS_REDIS__GREETING || r->desc.sentinel) {
            wshub_bus_redis__fail(r, "not a master (yet)", role);
            return;
        }
        r->links[link].unsure = true;
        if (!wshub_bus_redis__words(r, link, WSHUB_BUS_REDIS__CLUSTER, "INFO", "cluster", NULL,
                                    NULL))
            wshub_bus_redis__fail_memory(r);
    }
}

/* What was behind the heartbeat on the subscriber's connection has come. */
static void wshub_bus_redis__probed(wshub_bus_redis *r) {
    if (r->beat_late && r->probe_watch == r->beat_watch) r->beat_missing = true;
    r->probe_watch = 0;
}

/* One answer to the oldest command. */
static void wshub_bus_redis__answer(wshub_bus_redis *r, int link, const wshub_resp *reply) {
    wshub_bus_redis__link *l = &r->links[link];
    wshub_bus_redis__cmd *c;
    wshub_bus_redis__what what;
    bool error = reply->value.kind == '-' || reply->value.kind == '!';
    wshub_str text = reply->value.text;
    if (!l->cmds_count) {
        wshub_bus_redis__link_fail(r, link, "an answer to no question",
                                   error ? text : wshub_bus_redis__none());
        return;
    }
    c = &l->cmds[l->cmds_head];
    what = c->what;
    if (what == WSHUB_BUS_REDIS__SUBSCRIBE || what == WSHUB_BUS_REDIS__UNSUBSCRIBE ||
        what == WSHUB_BUS_REDIS__WATCH || what == WSHUB_BUS_REDIS__BEAT_CHANNEL) {
        /* those are acknowledged in wshub_bus_redis__reply(); here is only a refusal of the whole
         * command */
        if (what == WSHUB_BUS_REDIS__BEAT_CHANNEL)
            wshub_bus_redis__fail_hint(r, "a subscription is refused", text,
                                       " (the heartbeat's: allow &wshub:hb:* or set no_heartbeat)");
        else
            wshub_bus_redis__link_fail(r, link, "a subscription is refused", text);
        return;
    }
    if (--c->count == 0) {
        l->cmds_head = (l->cmds_head + 1) & (l->cmds_cap - 1);
        l->cmds_count--;
    }
    if (error)
        (void)snprintf(l->said, sizeof l->said, "%.*s", (int)(text.len < 199 ? text.len : 199),
                       text.len ? text.ptr : "");
    switch (what) {
    case WSHUB_BUS_REDIS__HELLO: /* what follows is RESP2, and good; the next connection asks again,
                                    unless it is in vain */
        if (error && (wshub_bus_redis__has(text, "unknown command") ||
                      wshub_bus_redis__begins(text, "NOPROTO")))
            r->old = true;
        break;
    case WSHUB_BUS_REDIS__AUTH:
        if (error) wshub_bus_redis__fail(r, "authentication is refused", text);
        break;
    case WSHUB_BUS_REDIS__SETNAME: break; /* nice to have */
    case WSHUB_BUS_REDIS__SELECT:
        if (error) wshub_bus_redis__fail(r, "the database is refused", text);
        break;
    case WSHUB_BUS_REDIS__ROLE: wshub_bus_redis__role(r, link, reply, error); break;
    case WSHUB_BUS_REDIS__CLUSTER:
        if (error || !wshub_bus_redis__has(text, "cluster_enabled:1")) {
            wshub_bus_redis__fail(r, "a replica: what is published there reaches nobody else",
                                  wshub_bus_redis__none());
            break;
        }
        l->unsure = r->asks_role = false;
        wshub_bus_redis__greeted(r);
        break;
    case WSHUB_BUS_REDIS__READY:
        if (error && !wshub_bus_redis__begins(text, "MISCONF")) { /* who cannot save can still
                                                                     forward */
            wshub_bus_redis__fail(r, "not ready", text);
            break;
        }
        l->ready = true;
        wshub_bus_redis__greeted(r);
        break;
    case WSHUB_BUS_REDIS__PING: break; /* an error is life as well */
    case WSHUB_BUS_REDIS__PROBE:
        if (r->desc.driver)
            wshub_bus_redis__fail(r, "a subscription is refused", text);
        else
            wshub_bus_redis__probed(r);
        break;
    case WSHUB_BUS_REDIS__PUBLISH:
        if (error) {
            r->stats.refused++;
            (void)snprintf(r->error, sizeof r->error, "a publication is refused: %.*s",
                           (int)(text.len < 160 ? text.len : 160), text.ptr);
            wshub_bus_redis__printable(r->error);
            wshub_bus_redis__log(r, r->error, false);
            if (wshub_bus_redis__begins(text, "READONLY") ||
                wshub_bus_redis__begins(text, "NOAUTH")) {
                wshub_bus_redis__fail(r, "a publication is refused", text);
                break;
            }
        } else if (reply->value.number > 0) {
            r->stats.receivers += (uint64_t)reply->value.number;
        }
        if (r->pending_asked && !wshub_bus_redis__unanswered(r)) { /* somebody waits for this one */
            r->pending_asked = false;
            r->publish_short = true;
            wshub_bus_redis__room_again(r);
        }
        break;
    case WSHUB_BUS_REDIS__BEAT:
        r->beats_answered++;
        if (error)
            wshub_bus_redis__fail_hint(r, "the heartbeat is refused", text,
                                       " (allow &wshub:hb:* or set no_heartbeat)");
        break;
    case WSHUB_BUS_REDIS__MASTER:
        if (error)
            wshub_bus_redis__link_fail(r, link, "the sentinel refuses", text);
        else if (reply->items_count != 2)
            wshub_bus_redis__link_fail(r, link, "the sentinel knows no master of that name",
                                       wshub_str_z(r->desc.sentinel));
        else
            wshub_bus_redis__master(r, reply->items[0].text, reply->items[1].text);
        break;
    case WSHUB_BUS_REDIS__SUBSCRIBE:
    case WSHUB_BUS_REDIS__BEAT_CHANNEL:
    case WSHUB_BUS_REDIS__UNSUBSCRIBE:
    case WSHUB_BUS_REDIS__WATCH: break;
    }
}

static void wshub_bus_redis__reply(wshub_bus_redis *r, int link, const wshub_resp *reply) {
    wshub_bus_redis__link *l = &r->links[link];
    wshub_str kind = reply->items_count ? reply->items[0].text : wshub_bus_redis__none();
    bool list = reply->value.kind == '*' || reply->value.kind == '>', sub, unsub;
    wshub_bus_redis__cmd *c;
    wshub_bus_redis__what what;
    if (list && link != WSHUB_BUS_REDIS__PUB && reply->items_count >= 3) {
        if (reply->items_count == 3 && wshub_str_eq_z(kind, "message")) {
            if (link == WSHUB_BUS_REDIS__SENTINEL)
                wshub_bus_redis__switched(r, reply->items[2].text);
            else
                wshub_bus_redis__message(r, reply->items[1].text, &reply->items[2]);
            return;
        }
        if (reply->items_count == 4 && wshub_str_eq_z(kind, "pmessage")) {
            wshub_bus_redis__message(r, reply->items[2].text, &reply->items[3]);
            return;
        }
        sub = wshub_str_eq_z(kind, "subscribe") || wshub_str_eq_z(kind, "psubscribe");
        unsub = wshub_str_eq_z(kind, "unsubscribe") || wshub_str_eq_z(kind, "punsubscribe");
        if (sub || unsub) {
            c = l->cmds_count ? &l->cmds[l->cmds_head] : NULL;
            what = c ? c->what : WSHUB_BUS_REDIS__PING;
            if (sub ? what != WSHUB_BUS_REDIS__SUBSCRIBE && what != WSHUB_BUS_REDIS__BEAT_CHANNEL &&
                          what != WSHUB_BUS_REDIS__PROBE && what != WSHUB_BUS_REDIS__WATCH
                    : what != WSHUB_BUS_REDIS__UNSUBSCRIBE) {
                wshub_bus_redis__link_fail(r, link, "a subscription was taken away",
                                           reply->items[1].text);
                return;
            }
            if (--c->count == 0) { /* NOLINT: there is one, as its kind says */
                l->cmds_head = (l->cmds_head + 1) & (l->cmds_cap - 1);
                l->cmds_count--;
            }
            if (what == WSHUB_BUS_REDIS__PROBE) {
                wshub_bus_redis__probed(r);
            } else if (link == WSHUB_BUS_REDIS__SUB) {
                int64_t ours = reply->items[2].number > 0 && !r->desc.no_heartbeat;
                if (reply->items[2].number >= 0)
                    r->stats.subscribed = (uint64_t)(reply->items[2].number - ours);
                r->stats.unacknowledged--;
            }
            return;
        }
    }
    if (reply->value.kind == '>') return; /* a push of a kind that nobody asked for */
    wshub_bus_redis__answer(r, link, reply);
}

/* ---- reports of the io ---- */

static int wshub_bus_redis__link_of(const wshub_bus_redis *r, wshub_conn conn) { /* -1: none of ours
                                                                                    any more */
    int i;
    for (i = 0; i < WSHUB_BUS_REDIS__LINKS; i++) {
        if (r->links[i].conn.id == conn.id) return i;
    }
    return -1;
}

WSHUB_API void wshub_bus_redis_opened(wshub_bus_redis *redis, int link) {
    wshub_bus_redis__enter(redis);
    if (redis->attached && redis->links[link].conn.id) wshub_bus_redis__greet(redis, link);
    wshub_bus_redis__leave(redis);
}

WSHUB_API void wshub_bus_redis_replied(wshub_bus_redis *redis, int link, const wshub_resp *reply) {
    wshub_bus_redis__enter(redis);
    if (redis->attached && redis->links[link].conn.id) {
        redis->links[link].progress = redis->now;
        wshub_bus_redis__reply(redis, link, reply);
    }
    wshub_bus_redis__leave(redis);
}

WSHUB_API void wshub_bus_redis_heard(wshub_bus_redis *redis, int link) {
    redis->links[link].progress = redis->now;
}

WSHUB_API void wshub_bus_redis_closed(wshub_bus_redis *redis, int link) {
    wshub_bus_redis *r = redis;
    char said[200];
    bool open = r->links[link].open;
    const char *why = r->desc.driver         ? r->desc.driver->error(r->desc.driver->ctx)
                      : !open && r->io.error ? r->io.error(r->io.ctx)
                                             : "";
    wshub_bus_redis__enter(r);
    if (r->attached && r->links[link].conn.id) {
        r->links[link].conn.id = 0; /* nothing is left to close */
        (void)snprintf(said, sizeof said, "%s", r->links[link].said);
        if (!said[0] && link == WSHUB_BUS_REDIS__SUB && r->phase == WSHUB_BUS_REDIS__UP)
            (void)snprintf(said, sizeof said,
                           "the subscriber's; under load see client-output-buffer-limit pubsub");
        if (*why) said[0] = 0;
        wshub_bus_redis__link_fail(r, link, *why ? why : "the connection was closed",
                                   wshub_str_z(said));
    }
    wshub_bus_redis__leave(r);
}

static void wshub_bus_redis__on_opened(void *ctx, wshub_conn conn) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int link = wshub_bus_redis__link_of(r, conn);
    if (link >= 0) wshub_bus_redis_opened(r, link);
}

/* Reads replies off the front. Returns how many bytes are done with; *count shrinks by what is
 * skipped. */
static size_t wshub_bus_redis__parse(wshub_bus_redis *r, int link, wshub_conn conn, uint8_t *bytes,
                                     size_t *count) {
    wshub_bus_redis__link *l = &r->links[link];
    size_t at = 0;
    wshub_resp reply;
    while (at < *count && r->attached && l->conn.id == conn.id) {
        int e = wshub_resp_read(bytes + at, *count - at, r->desc.message_bytes_max, &reply);
        if (e == 0) break;
        if (e == -1) {
            wshub_bus_redis__link_fail(r, link, "what came is not RESP, or over its limits",
                                       wshub_bus_redis__none());
            break;
        }
        if (e == -2) { /* too large a message: its text is skipped, its head becomes that of a null
                        */
            uint8_t *head = bytes + at + reply.bytes, *body;
            uint64_t skip = (uint64_t)reply.value.number + 2;
            size_t here;
            body = (uint8_t *)memchr(head, '\n', *count - (size_t)(head - bytes)) + 1;
            here = *count - (size_t)(body - bytes);
            if (here > skip) here = (size_t)skip;
            memset(head + 1, '0', (size_t)(body - head) - 3);
            head[0] = '$';
            head[1] = '-';
            body[-3] = '1';
            memmove(body, body + here, *count - here - (size_t)(body - bytes));
            *count -= here;
            l->skip = skip - here;
            continue;
        }
        at += reply.bytes;
        wshub_bus_redis__reply(r, link, &reply);
    }
    return at;
}

static void wshub_bus_redis__on_received(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int link = wshub_bus_redis__link_of(r, conn);
    wshub_bus_redis__link *l = &r->links[link < 0 ? 0 : link];
    wshub_bus_redis__bytes in;
    size_t done;
    if (link < 0) return;
    wshub_bus_redis__enter(r);
    l->progress = r->now;
    if (l->skip) {
        size_t n = count < l->skip ? count : (size_t)l->skip;
        bytes += n;
        count -= n;
        l->skip -= n;
    }
    if (count && l->in.len == 0) {
        done = wshub_bus_redis__parse(r, link, conn, bytes, &count);
        if (l->conn.id == conn.id && done < count) {
            if (wshub_bus_redis__room(r, &l->in, count - done)) {
                memcpy(l->in.ptr, bytes + done, count - done);
                l->in.len = count - done;
            } else {
                wshub_bus_redis__fail_memory(r);
            }
        }
    } else if (count) {
        if (wshub_bus_redis__room(r, &l->in, count)) {
            memcpy(l->in.ptr + l->in.len, bytes, count);
            l->in.len += count;
            in = l->in; /* a report may close the link, and its buffer with it */
            memset(&l->in, 0, sizeof l->in);
            done = wshub_bus_redis__parse(r, link, conn, in.ptr, &in.len);
            if (l->conn.id == conn.id && done < in.len) {
                memmove(in.ptr, in.ptr + done, in.len - done);
                in.len -= done;
                l->in = in;
            } else {
                wshub_bus_redis__release(r, &in);
            }
        } else {
            wshub_bus_redis__fail_memory(r);
        }
    }
    wshub_bus_redis__leave(r);
}

/* What was in the way has left: that is life, too. */
static void wshub_bus_redis__unblocked(wshub_bus_redis *r, wshub_bus_redis__link *l) {
    l->blocked = false;
    l->progress = r->now;
    wshub_bus_redis__send(r, l);
    wshub_bus_redis__room_again(r);
    if (r->attached && r->owner.wake)
        r->owner.wake(r->owner.ctx); /* it may have more to subscribe to */
}

static void wshub_bus_redis__on_drained(void *ctx, wshub_conn conn) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int link = wshub_bus_redis__link_of(r, conn);
    if (link < 0) return;
    wshub_bus_redis__enter(r);
    wshub_bus_redis__unblocked(r, &r->links[link]);
    wshub_bus_redis__leave(r);
}

static void wshub_bus_redis__on_sent(void *ctx, wshub_conn conn, size_t count) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int link = wshub_bus_redis__link_of(r, conn);
    wshub_bus_redis__flight **at, *f;
    for (at = &r->flights; (f = *at) != NULL && f->conn != conn.id;) at = &f->next;
    if (!f) return;
    f->bytes.at += count;
    if (f->bytes.at < f->bytes.len) {
        if (link >= 0) r->links[link].progress = r->now;
        return;
    }
    *at = f->next;
    wshub_bus_redis__flight_free(r, f);
    if (link < 0) return;
    wshub_bus_redis__enter(r);
    wshub_bus_redis__unblocked(r, &r->links[link]);
    wshub_bus_redis__leave(r);
}

static void wshub_bus_redis__on_closed(void *ctx, wshub_conn conn) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int link = wshub_bus_redis__link_of(r, conn);
    wshub_bus_redis__flight **at, *f;
    for (at = &r->flights; (f = *at) != NULL;) {
        if (f->conn != conn.id) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        wshub_bus_redis__flight_free(r, f);
    }
    if (link >= 0) wshub_bus_redis_closed(r, link);
}

/* ---- time ---- */

/* The command, unless an answer to the last of its kind is still to come: a slow link is not made
 * slower. */
static bool wshub_bus_redis__ask(wshub_bus_redis *r, int link, wshub_bus_redis__what what,
                                 const char *word) {
    if (wshub_bus_redis__awaits(&r->links[link], what)) return true;
    return wshub_bus_redis__words(r, link, what, word, NULL, NULL, NULL);
}

/* Asks the subscriber's connection for a word. hiredis loses the answer to a PING there: it
 * subscribes once more to what is subscribed. */
static bool wshub_bus_redis__probe(wshub_bus_redis *r) {
    wshub_bus_redis__link *l = &r->links[WSHUB_BUS_REDIS__SUB];
    wshub_str args[2], prefix = wshub_str_z(r->desc.channel_prefix);
    bool ok;
    if (r->probe_watch) return true;
    if (!r->desc.driver) {
        ok = wshub_bus_redis__words(r, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__PROBE, "PING", NULL,
                                    NULL, NULL);
    } else {
        if (wshub_bus_redis__awaits(l, WSHUB_BUS_REDIS__UNSUBSCRIBE)) return true;
        if (r->desc.no_heartbeat && !r->known_len)
            return true; /* nothing is subscribed: nothing can be missed */
        args[0] =
            wshub_str_z(r->desc.no_heartbeat && r->known_pattern ? "PSUBSCRIBE" : "SUBSCRIBE");
        args[1] = wshub_str_z(r->beat);
        if (r->desc.no_heartbeat) {
            args[1].ptr = r->known;
            args[1].len = r->known_len;
            if (r->known_pattern) {
                prefix.ptr = r->glob;
                prefix.len = r->glob_len;
            }
        } else {
            prefix = wshub_bus_redis__none();
        }
        ok = wshub_bus_redis__command(r, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__PROBE, 1, args, 2,
                                      1, 2, prefix);
    }
    /* Only a probe that leaves behind the answer to a heartbeat can prove that it is missing. */
    if (ok)
        r->probe_watch =
            r->beat_late && r->beats_answered >= r->beat_watch ? r->beat_watch : UINT64_MAX;
    return ok;
}

/* PUBLISH to ourselves through the broker, the question for its role, and a PING where nothing else
 * would be said. */
static void wshub_bus_redis__beat(wshub_bus_redis *r) {
    bool beats = !r->desc.publish_only && !r->desc.no_heartbeat, ok = true;
    char n[24];
    r->beat_next = r->now + r->desc.heartbeat_ms;
    (void)snprintf(n, sizeof n, "%llu", (unsigned long long)r->now);
    if (r->asks_role)
        ok = wshub_bus_redis__ask(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__ROLE, "ROLE");
    else if (!beats)
        ok = wshub_bus_redis__ask(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__PING, "PING");
    if (!r->desc.publish_only) ok = ok && wshub_bus_redis__probe(r);
    if (ok && beats && r->beats_answered == r->beats) {
        ok = wshub_bus_redis__words(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__BEAT, "PUBLISH",
                                    r->beat, n, NULL);
        if (ok) r->beats++;
        if (ok && !r->beat_late) {
            r->beat_watch = r->beats;
            r->beat_missing = false;
            r->beat_late = r->now + r->desc.heartbeat_timeout_ms;
        }
    }
    if (!ok) {
        wshub_bus_redis__fail_memory(r);
        return;
    }
    if (!r->desc.sentinel) return;
    if (r->links[WSHUB_BUS_REDIS__SENTINEL].open) { /* one that is silent would miss the next
                                                       failover */
        if (!wshub_bus_redis__ask(r, WSHUB_BUS_REDIS__SENTINEL, WSHUB_BUS_REDIS__PING, "PING"))
            wshub_bus_redis__fail_memory(r);
    } else if (!r->links[WSHUB_BUS_REDIS__SENTINEL].conn.id) { /* the watch was lost: another one */
        r->address_at = (r->address_at + 1) % r->addresses_count;
        (void)wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__SENTINEL, r->addresses[r->address_at]);
    }
}

/* Whether a link has left a command unanswered for too long. */
static bool wshub_bus_redis__silent(const wshub_bus_redis *r, const wshub_bus_redis__link *l) {
    return l->open && l->cmds_count && r->now - l->progress > r->desc.heartbeat_timeout_ms;
}

static uint64_t wshub_bus_redis__settle(void *ctx) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    const wshub_bus_redis__link *sub = &r->links[WSHUB_BUS_REDIS__SUB],
                                *watch = &r->links[WSHUB_BUS_REDIS__SENTINEL];
    uint64_t next, result;
    int i;
    wshub_bus_redis__enter(r);
    if (r->attached && r->desc.driver) r->desc.driver->pump(r->desc.driver->ctx);
    if (r->attached && r->half_done) wshub_bus_redis__fail_memory(r);
    r->half_done = false;
    if (r->attached && r->phase == WSHUB_BUS_REDIS__WAITING && r->now >= r->retry_at)
        wshub_bus_redis__attempt(r);
    if (r->attached && r->phase == WSHUB_BUS_REDIS__FILLING && !r->short_of_room &&
        !r->stats.unacknowledged && (r->desc.publish_only || !sub->cmds_count))
        wshub_bus_redis__up(r);
    if (r->attached && r->phase != WSHUB_BUS_REDIS__WAITING && r->phase != WSHUB_BUS_REDIS__UP &&
        r->now >= r->deadline)
        wshub_bus_redis__fail(r, "no connection within connect_timeout_ms",
                              wshub_bus_redis__none());
    if (r->attached && r->phase == WSHUB_BUS_REDIS__UP) {
        /* Bytes that keep coming are life, however long the heartbeat waits behind them: it is
         * missed only once what was behind it has come. */
        if (r->beat_late && r->beat_missing && r->now >= r->beat_late) {
            wshub_bus_redis__fail(r, "the heartbeat does not come back", wshub_bus_redis__none());
        } else if (wshub_bus_redis__silent(r, &r->links[WSHUB_BUS_REDIS__PUB]) ||
                   wshub_bus_redis__silent(r, sub)) {
            wshub_bus_redis__fail(r, "no answer within heartbeat_timeout_ms",
                                  wshub_bus_redis__none());
        } else {
            if (wshub_bus_redis__silent(r, watch) ||
                (watch->conn.id && !watch->open &&
                 r->now - watch->progress > r->desc.connect_timeout_ms))
                wshub_bus_redis__link_close(r, WSHUB_BUS_REDIS__SENTINEL, false);
            if (r->now >= r->beat_next) wshub_bus_redis__beat(r);
        }
    }
    if (r->desc.driver) wshub_bus_redis__room_again(r); /* nobody tells when its output has left */
    if (r->attached && r->alarm_at && r->io_now >= r->alarm_at) {
        r->alarm_at = 0;
        r->owner.late(r->owner.ctx);
    }
    for (i = 0; i < WSHUB_BUS_REDIS__LINKS && r->attached; i++)
        wshub_bus_redis__send(r, &r->links[i]);
    next = r->phase == WSHUB_BUS_REDIS__WAITING ? r->retry_at
           : r->phase == WSHUB_BUS_REDIS__UP    ? r->beat_next
                                                : r->deadline;
    if (next > r->now + r->desc.heartbeat_ms) next = r->now + r->desc.heartbeat_ms;
    if (r->desc.driver && (r->stats.unacknowledged || r->publish_short) && next > r->now + 5)
        next = r->now + 5; /* its io is not ours */
    result = r->attached ? r->io_now + (next > r->now ? next - r->now : 1) : WSHUB_NEVER;
    if (r->attached && r->alarm_at && r->alarm_at < result) result = r->alarm_at;
    wshub_bus_redis__leave(r);
    return result;
}

/* ---- the bus ---- */

static void wshub_bus_redis__detach(wshub_bus_redis *r) {
    wshub_io_owner me;
    int i;
    if (!r->attached) return;
    r->attached = false;
    r->alarm_at = 0;
    for (i = 0; i < WSHUB_BUS_REDIS__LINKS; i++) {
        wshub_bus_redis__send(r, &r->links[i]);
        wshub_bus_redis__link_close(r, i, true);
    }
    r->phase = WSHUB_BUS_REDIS__WAITING;
    r->stats.state = WSHUB_BUS_DOWN;
    r->stats.subscribed = r->stats.unacknowledged = 0;
    memset(&me, 0, sizeof me);
    me.ctx = r;
    (void)r->io.guest(r->io.ctx, &me, false);
}

static bool wshub_bus_redis__taken(void *ctx) {
    return ((wshub_bus_redis *)ctx)->attached;
}

static wshub_err wshub_bus_redis__attach(void *ctx, const wshub_bus_owner *owner) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    wshub_io_owner me;
    wshub_err err;
    if (!owner) {
        r->depth++;
        wshub_bus_redis__detach(r);
        wshub_bus_redis__leave(r);
        return WSHUB_OK;
    }
    if (r->attached) return WSHUB_ERR_STATE;
    memset(&me, 0, sizeof me);
    me.ctx = r;
    me.opened = wshub_bus_redis__on_opened;
    me.received = wshub_bus_redis__on_received;
    me.drained = wshub_bus_redis__on_drained;
    me.sent = wshub_bus_redis__on_sent;
    me.closed = wshub_bus_redis__on_closed;
    me.settle = wshub_bus_redis__settle;
    err = r->io.guest(r->io.ctx, &me, true);
    if (err) return err;
    r->owner = *owner;
    r->attached = true;
    r->unconfirmed_before = r->stats.unconfirmed;
    r->io_now = r->io.now_ms(r->io.ctx);
    r->retry_at = r->now;
    r->failures = 0;
    return WSHUB_OK;
}

static size_t wshub_bus_redis__publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    wshub_str args[3];
    size_t i;
    args[0] = wshub_str_z("PUBLISH");
    for (i = 0; i < count && r->phase == WSHUB_BUS_REDIS__UP; i++) {
        if (wshub_bus_redis__waiting(r, WSHUB_BUS_REDIS__PUB) >= r->desc.output_bytes_max) break;
        args[1] = msgs[i].channel;
        args[2] = msgs[i].payload;
        if (!wshub_bus_redis__command(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__PUBLISH, 1, args, 3,
                                      1, 2, wshub_str_z(r->desc.channel_prefix)))
            break;
    }
    r->stats.published += i;
    r->publish_short = i < count;
    return i;
}

static uint64_t wshub_bus_redis__pending(void *ctx) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    uint64_t n = wshub_bus_redis__unanswered(r);
    r->pending_asked = n > 0;
    return n;
}

static uint64_t wshub_bus_redis__unconfirmed(void *ctx) {
    const wshub_bus_redis *r = (const wshub_bus_redis *)ctx;
    return r->stats.unconfirmed - r->unconfirmed_before;
}

static void wshub_bus_redis__alarm(void *ctx, uint32_t ms) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    r->alarm_at = r->io.now_ms(r->io.ctx) + ms;
    if (!r->alarm_at) r->alarm_at = 1;
    if (r->io.wake) r->io.wake(r->io.ctx); /* given outside a turn: what it waits for has changed */
}

/* Keeps one of the owner's channels in mind, to ask a driver's connection about. */
static void wshub_bus_redis__know(wshub_bus_redis *r, const wshub_bus_channel *channels,
                                  size_t count, bool want) {
    size_t i;
    for (i = 0; i < count; i++) {
        const wshub_bus_channel *c = &channels[i];
        bool same = r->known_len && c->pattern == r->known_pattern && c->name.len == r->known_len &&
                    memcmp(c->name.ptr, r->known, r->known_len) == 0;
        if (same && !want) r->known_len = 0;
        if (!want || r->known_len || !c->name.len || c->name.len > sizeof r->known) continue;
        memcpy(r->known, c->name.ptr, c->name.len);
        r->known_len = c->name.len;
        r->known_pattern = c->pattern;
    }
}

static bool wshub_bus_redis__change(wshub_bus_redis *r, const wshub_bus_channel *channels,
                                    size_t count, bool want) {
    wshub_bus_redis__link *l = &r->links[WSHUB_BUS_REDIS__SUB];
    wshub_str args[WSHUB_BUS_BATCH + 1];
    size_t i, n;
    if (r->desc.publish_only ||
        (r->phase != WSHUB_BUS_REDIS__FILLING && r->phase != WSHUB_BUS_REDIS__UP))
        return true;
    if (wshub_bus_redis__waiting(r, WSHUB_BUS_REDIS__SUB) >= r->desc.output_bytes_max ||
        /* hiredis mixes up a channel that is left and entered: one kind at a time */
        (r->desc.driver && wshub_bus_redis__awaits(l, want ? WSHUB_BUS_REDIS__UNSUBSCRIBE
                                                           : WSHUB_BUS_REDIS__SUBSCRIBE)) ||
        (r->desc.driver && !want && r->probe_watch)) {
        r->short_of_room = true;
        return false;
    }
    if (r->desc.driver) wshub_bus_redis__know(r, channels, count, want);
    for (i = 0; i < count; i += n) { /* exact names and patterns are commands of their own */
        bool pattern = channels[i].pattern;
        wshub_bus_redis__what what =
            want ? WSHUB_BUS_REDIS__SUBSCRIBE : WSHUB_BUS_REDIS__UNSUBSCRIBE;
        wshub_str prefix = wshub_str_z(r->desc.channel_prefix);
        if (pattern) {
            prefix.ptr = r->glob;
            prefix.len = r->glob_len;
        }
        args[0] = wshub_str_z(pattern ? want ? "PSUBSCRIBE" : "PUNSUBSCRIBE"
                              : want  ? "SUBSCRIBE"
                                      : "UNSUBSCRIBE");
        for (n = 0; i + n < count && channels[i + n].pattern == pattern; n++)
            args[n + 1] = channels[i + n].name;
        if (!wshub_bus_redis__command(r, WSHUB_BUS_REDIS__SUB, what, (uint32_t)n, args, n + 1, 1,
                                      n + 1, prefix)) {
            if (i == 0) {
                r->short_of_room = true;
                return false;
            }
            r->half_done = true; /* all or nothing: settle begins anew, since an order makes no
                                    report */
            return true;
        }
        r->stats.unacknowledged += n;
        r->deadline += n / 100;
    }
    r->short_of_room = false;
    return true;
}
static bool wshub_bus_redis__subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    return wshub_bus_redis__change((wshub_bus_redis *)ctx, channels, count, true);
}
static bool wshub_bus_redis__unsubscribe(void *ctx, const wshub_bus_channel *channels,
                                         size_t count) {
    return wshub_bus_redis__change((wshub_bus_redis *)ctx, channels, count, false);
}

static void wshub_bus_redis__flush(void *ctx) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    wshub_bus_redis__send(r, &r->links[WSHUB_BUS_REDIS__PUB]);
    wshub_bus_redis__send(r, &r->links[WSHUB_BUS_REDIS__SUB]);
}

/* ---- making and ending ---- */

static int wshub_bus_redis__hex(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* %XX to bytes, from `from` up to `end`, to *at. NULL: a percent sign that is none, or %00, which
 * would cut it short. */
static const char *wshub_bus_redis__decode(const char *from, const char *end, char **at) {
    const char *start = *at;
    for (; from < end; from++) {
        int high, low;
        if (*from != '%') {
            *(*at)++ = *from;
            continue;
        }
        high = end - from < 3 ? -1 : wshub_bus_redis__hex(from[1]);
        low = high < 0 ? -1 : wshub_bus_redis__hex(from[2]);
        if (low < 0 || high + low == 0) return NULL;
        *(*at)++ = (char)(high << 4 | low);
        from += 2;
    }
    *(*at)++ = 0;
    return start;
}

/* Whether these may be a host's name or number; in brackets: of IPv6, with a zone perhaps. */
static bool wshub_bus_redis__host_ok(const char *p, const char *end, bool v6) {
    bool colon = false;
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        colon = colon || c == ':';
        if (c <= 32 || c == 127 || strchr("/?#@[]\\\"<>^`{|}*!$&'()+;=", c)) return false;
        if (!v6 && c == '%') return false;
    }
    return colon == v6;
}

/* host[:port] from `from` up to `end` as `host:port` to *at. NULL: it is none. */
static const char *wshub_bus_redis__host(const char *from, const char *end, const char *port,
                                         char **at) {
    const char *start = *at, *colon = from, *p;
    bool v6 = from < end && *from == '[';
    if (v6) {
        colon = (const char *)memchr(from, ']', (size_t)(end - from));
        if (!colon || !wshub_bus_redis__host_ok(from + 1, colon, true)) return NULL;
        colon++;
        if (colon < end && *colon != ':') return NULL;
    } else {
        while (colon < end && *colon != ':') colon++;
        if (!wshub_bus_redis__host_ok(from, colon, false)) return NULL;
    }
    if (colon < end) {
        long n = 0;
        if (end - colon > 6) return NULL; /* an io takes five digits */
        for (p = colon + 1; p < end; p++) {
            if (*p < '0' || *p > '9') return NULL;
            n = n * 10 + (*p - '0');
        }
        if (n < 1 || n > 65535) return NULL;
    }
    if (colon - from > 255 || (from < colon && *from == '.'))
        return NULL; /* with a dot a path begins */
    if (colon == from) {
        memcpy(*at, "127.0.0.1", 9);
        *at += 9;
    }
    memcpy(*at, from, (size_t)(colon - from));
    *at += colon - from;
    if (colon < end) {
        memcpy(*at, colon, (size_t)(end - colon));
        *at += end - colon;
    } else {
        *(*at)++ = ':';
        memcpy(*at, port, strlen(port));
        *at += strlen(port);
    }
    *(*at)++ = 0;
    return start;
}

/* Which of the schemes it begins with, in any case. -1: none. */
static int wshub_bus_redis__scheme(const char *url) {
    static const char *const schemes[] = {"redis://", "valkey://", "rediss://", "valkeys://",
                                          "unix://"};
    int i;
    for (i = 0; i < 5; i++) {
        const char *s = schemes[i], *p = url;
        while (*s && (*p == *s || (*p >= 'A' && *p <= 'Z' && *p + 32 == *s))) {
            s++;
            p++;
        }
        if (!*s) return i;
    }
    return -1;
}

/* Takes a URL apart; what it finds is written to `texts`, which has room for twice its length and
 * 32 bytes for each address. NULL, or what is wrong. */
static const char *wshub_bus_redis__url(wshub_bus_redis *r, const wshub_bus_redis_desc *d,
                                        char *texts) {
    const char *p = d->url, *at_sign, *end, *colon, *stop, *port = d->sentinel ? "26379" : "6379";
    int scheme = wshub_bus_redis__scheme(p);
    bool secure = scheme == 2 || scheme == 3, local = scheme == 4;
    char *to = texts;
    r->user = r->password = r->db = "";
    r->addresses_count = 0;
    if (scheme < 0) return "url: begins with redis://, valkey://, rediss://, valkeys:// or unix://";
    if (secure != d->tls && !local)
        return d->tls ? "url: begins with rediss://, since desc.tls says that the io encrypts"
                      : "url: rediss:// needs an io that encrypts, and desc.tls to say so";

    /* Who we are. */
    p = strstr(p, "://") + 3;
    end = p + strlen(p);
    at_sign = p;
    for (colon = p; colon < end && *colon != '/'; colon++) {
        if (*colon == '@') at_sign = colon;
    }
    if (*at_sign == '@') {
        colon = (const char *)memchr(p, ':', (size_t)(at_sign - p));
        r->user = wshub_bus_redis__decode(p, colon ? colon : at_sign, &to);
        r->password = colon ? wshub_bus_redis__decode(colon + 1, at_sign, &to) : "";
        if (!r->user || !r->password)
            return "url: a % in user or password is followed by two hex digits, and not by 00";
        if (*r->user && !*r->password) return "url: a user needs a password: user:password@";
        p = at_sign + 1;
    }
    if (strchr(p, '#')) return "url: has no fragment; a # in user, password or path is written %23";

    /* Where it is. */
    stop = p + strcspn(p, local ? "?" : "/?");
    if (local) {
        if (*p != '/')
            return "url: unix:// is followed by the path of a socket, which begins with /";
        r->addresses[r->addresses_count++] = wshub_bus_redis__decode(p, stop, &to);
        if (!r->addresses[0])
            return "url: a % in a path is followed by two hex digits, and not by 00";
        if (strlen(r->addresses[0]) > 107) return "url: the path of a socket has at most 107 bytes";
    } else {
        const char *from = p;
        for (;;) {
            const char *comma = (const char *)memchr(p, ',', (size_t)(stop - p));
            const char *to_here = comma ? comma : stop;
            if (r->addresses_count == WSHUB_BUS_REDIS__ADDRESSES)
                return "url: at most 16 addresses";
            if (p == to_here && (comma || p != from))
                return "url: an address is empty; a list has one between any two commas";
            r->addresses[r->addresses_count] = wshub_bus_redis__host(p, to_here, port, &to);
            if (!r->addresses[r->addresses_count++])
                return "url: an address is host, host:port or [v6]:port; a / in user or password "
                       "is written %2F";
            if (!comma) break;
            p = comma + 1;
        }
    }

    /* Which of its databases. */
    p = *stop == '/' ? stop + 1 : stop;
    stop = p + strcspn(p, "?");
    if (*stop == '?' && stop[1]) {
        if (strncmp(stop, "?db=", 4) != 0 || (stop > p && stop[4]))
            return "url: of a query only ?db=N, once; all else is a field of the description";
        p = stop + 4;
        stop = p + strlen(p);
    }
    if (stop - p > 9 || strspn(p, "0123456789") != (size_t)(stop - p))
        return "url: a database is a number";
    memcpy(to, p, (size_t)(stop - p));
    to[stop - p] = 0;
    r->db = to;
    return NULL;
}

static void wshub_bus_redis__defaults(wshub_bus_redis_desc *d) {
    if (!d->client_name) d->client_name = "wshub";
    if (!d->channel_prefix) d->channel_prefix = "";
    if (!d->connect_timeout_ms) d->connect_timeout_ms = 5000;
    if (!d->retry_min_ms) d->retry_min_ms = 50;
    if (!d->retry_max_ms) d->retry_max_ms = 5000;
    if (!d->heartbeat_ms) d->heartbeat_ms = 1000;
    if (!d->heartbeat_timeout_ms) d->heartbeat_timeout_ms = 3000;
    if (!d->message_bytes_max) d->message_bytes_max = WSHUB_BUS_REDIS_MESSAGE_BYTES;
    if (!d->output_bytes_max) d->output_bytes_max = 1048576;
}

WSHUB_API const char *wshub_bus_redis_desc_problem(const wshub_bus_redis_desc *desc) {
    wshub_bus_redis_desc d;
    wshub_bus_redis r;
    char texts[2 * 4096 + 1024]; /* as wshub_bus_redis_create() takes it apart */
    if (!desc || !desc->io) return "io: required, usually that of the hub";
    if (desc->io->version != WSHUB_IO_VERSION)
        return "io: its table is of another wshub.h; compile it and this backend with the same one";
    if (!desc->io->guest || (!desc->io->connect && !desc->driver) || !desc->io->random)
        return "io: needs guest, connect and random; wshub_io_sock.h has them";
    if (!desc->url) return "url: required, as redis://127.0.0.1:6379";
    if (strlen(desc->url) > 4096) return "url: at most 4096 bytes";
    d = *desc;
    wshub_bus_redis__defaults(&d);
    if (strlen(d.channel_prefix) > 128) return "channel_prefix: at most 128 bytes";
    if (strlen(d.client_name) > 128 || strpbrk(d.client_name, " \t\r\n"))
        return "client_name: at most 128 bytes, no spaces";
    if (d.sentinel && (!*d.sentinel || strlen(d.sentinel) > 128))
        return "sentinel: the name of a master, 1 to 128 bytes";
    if (d.retry_min_ms > d.retry_max_ms) return "retry_min_ms: at most retry_max_ms";
    if (d.heartbeat_timeout_ms <= d.heartbeat_ms)
        return "heartbeat_timeout_ms: more than heartbeat_ms";
    if (d.message_bytes_max < 1024 || d.message_bytes_max > 1u << 30)
        return "message_bytes_max: 1 KiB to 1 GiB";
    if (d.output_bytes_max < 1024 || d.output_bytes_max > 1u << 30)
        return "output_bytes_max: 1 KiB to 1 GiB";
    memset(&r, 0, sizeof r);
    return wshub_bus_redis__url(&r, &d, texts);
}

static const char *wshub_bus_redis__keep(char **at, const char *text) {
    size_t n = strlen(text) + 1;
    const char *copy = *at;
    memcpy(*at, text, n);
    *at += n;
    return copy;
}

WSHUB_API wshub_err wshub_bus_redis_create(const wshub_bus_redis_desc *desc,
                                           wshub_bus_redis **out_redis) {
    static const char hex[] = "0123456789abcdef";
    wshub_bus_redis_desc d;
    wshub_bus_redis *r;
    uint8_t id[8];
    char *at;
    size_t bytes, i, n;
    if (!out_redis || wshub_bus_redis_desc_problem(desc)) return WSHUB_ERR_PARAM;
    d = *desc;
    wshub_bus_redis__defaults(&d);
    if (!d.io->random(d.io->ctx, id, sizeof id)) return WSHUB_ERR_RANDOM;
    bytes = 3 * strlen(d.url) + 1024 + strlen(d.client_name) + strlen(d.channel_prefix) + 8;
    if (d.sentinel) bytes += strlen(d.sentinel) + 1;
    if (d.sentinel_user) bytes += strlen(d.sentinel_user) + 1;
    if (d.sentinel_password) bytes += strlen(d.sentinel_password) + 1;
    r = (wshub_bus_redis *)wshub_bus_redis__alloc(&d, NULL, 0, sizeof *r);
    at = r ? (char *)wshub_bus_redis__alloc(&d, NULL, 0, bytes) : NULL;
    if (!at) {
        if (r) (void)wshub_bus_redis__alloc(&d, r, sizeof *r, 0);
        return WSHUB_ERR_NOMEM;
    }
    memset(r, 0, sizeof *r);
    r->desc = d;
    r->io = *d.io;
    r->texts = at;
    r->texts_bytes = bytes;
    r->desc.url = wshub_bus_redis__keep(&at, d.url);
    r->desc.client_name = wshub_bus_redis__keep(&at, d.client_name);
    r->desc.channel_prefix = wshub_bus_redis__keep(&at, d.channel_prefix);
    if (d.sentinel) r->desc.sentinel = wshub_bus_redis__keep(&at, d.sentinel);
    if (d.sentinel_user) r->desc.sentinel_user = wshub_bus_redis__keep(&at, d.sentinel_user);
    if (d.sentinel_password)
        r->desc.sentinel_password = wshub_bus_redis__keep(&at, d.sentinel_password);
    (void)wshub_bus_redis__url(r, &r->desc, at);
    r->prefix_len = strlen(r->desc.channel_prefix);
    for (i = 0; i < r->prefix_len; i++) { /* BUS-6: only the star at the end is a pattern */
        if (strchr("*?[]\\^", d.channel_prefix[i])) r->glob[r->glob_len++] = '\\';
        r->glob[r->glob_len++] = d.channel_prefix[i];
    }
    n = (size_t)snprintf(r->beat, sizeof r->beat - 17, "%swshub:hb:", d.channel_prefix);
    for (i = 0; i < sizeof id; i++) {
        r->beat[n++] = hex[id[i] >> 4];
        r->beat[n++] = hex[id[i] & 15];
    }
    r->bus.version = WSHUB_BUS_VERSION;
    r->bus.ctx = r;
    r->bus.attach = wshub_bus_redis__attach;
    r->bus.publish = wshub_bus_redis__publish;
    r->bus.subscribe = wshub_bus_redis__subscribe;
    r->bus.unsubscribe = wshub_bus_redis__unsubscribe;
    r->bus.flush = wshub_bus_redis__flush;
    r->bus.pending = wshub_bus_redis__pending;
    r->bus.alarm = wshub_bus_redis__alarm;
    r->bus.unconfirmed = wshub_bus_redis__unconfirmed;
    r->bus.taken = wshub_bus_redis__taken;
    *out_redis = r;
    return WSHUB_OK;
}

static void wshub_bus_redis__free(wshub_bus_redis *r) {
    wshub_bus_redis_desc d = r->desc;
    int i;
    if (r->spare) (void)wshub_bus_redis__alloc(&d, r->spare, sizeof *r->spare, 0);
    while (r->flights) {
        wshub_bus_redis__flight *f = r->flights;
        r->flights = f->next;
        wshub_bus_redis__flight_free(r, f);
    }
    for (i = 0; i < WSHUB_BUS_REDIS__LINKS; i++) {
        wshub_bus_redis__link *l = &r->links[i];
        if (l->cmds) (void)wshub_bus_redis__alloc(&d, l->cmds, l->cmds_cap * sizeof *l->cmds, 0);
    }
    (void)wshub_bus_redis__alloc(&d, r->texts, r->texts_bytes, 0);
    (void)wshub_bus_redis__alloc(&d, r, sizeof *r, 0);
}

WSHUB_API void wshub_bus_redis_destroy(wshub_bus_redis *redis) {
    if (!redis || redis->destroyed) return;
    redis->destroyed = true;
    if (redis->depth == 0 && !redis->attached) wshub_bus_redis__free(redis);
}

WSHUB_API const wshub_bus *wshub_bus_redis_bus(wshub_bus_redis *redis) {
    return &redis->bus;
}

WSHUB_API void wshub_bus_redis_stats_get(const wshub_bus_redis *redis,
                                         wshub_bus_redis_stats *out_stats) {
    int i;
    *out_stats = redis->stats;
    out_stats->pending = wshub_bus_redis__unanswered(redis);
    for (i = 0; i < WSHUB_BUS_REDIS__LINKS; i++)
        out_stats->output_bytes += wshub_bus_redis__waiting(redis, i);
}

WSHUB_API const char *wshub_bus_redis_error(const wshub_bus_redis *redis) {
    return redis->error;
}

WSHUB_API const char *wshub_bus_redis_address(const wshub_bus_redis *redis) {
    if (redis->phase == WSHUB_BUS_REDIS__WAITING) return "";
    return redis->desc.sentinel && redis->master[0] ? redis->master
                                                    : redis->addresses[redis->address_at];
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
