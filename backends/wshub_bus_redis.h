/* wshub_bus_redis.h - Redis and Valkey as the bus between hubs, with a RESP client of its own
 *
 * Several hubs, in as many processes or on as many machines, serve one set of users: what is sent
 * to a room on one of them is heard by the members of that room on all. This file carries those
 * messages through a Redis or Valkey that all of them reach. It opens two connections on the io
 * that the hub is on, one that publishes and one that subscribes, watches over both, and comes back
 * by itself when they are lost. While the broker is away each hub serves its own clients as before.
 *
 *     wshub_bus_redis *redis;
 *     wshub_bus_redis_create(&(wshub_bus_redis_desc){ .io = wshub_io_sock_io(net),
 *                                                     .url = "redis://127.0.0.1:6379" }, &redis);
 *     wshub_create(&(wshub_desc){ .io = wshub_io_sock_io(net),
 *                                 .bus = wshub_bus_redis_bus(redis), ... }, &hub);
 *     ...
 *     wshub_destroy(hub);
 *     wshub_bus_redis_destroy(redis);
 *     wshub_io_sock_destroy(net);
 *
 * ---- What it does and what it does not ---------------------------------------------------------
 * [x] RESP2 and RESP3, over any io with guests: TCP, Unix sockets
 * [x] AUTH with user and password, CLIENT SETNAME, databases, several addresses, Sentinel, Cluster
 * [x] starts without a broker; one deadline for each attempt; attempts for ever, jittered
 * [x] up only when every subscription is acknowledged, and never on a replica
 * [x] a heartbeat through the broker and back: one that answers but forwards nothing is found out
 * [x] any command of the broker by wshub_bus_request(), in one pipeline with what is published
 * [x] limits for all that a broker may send and for all that waits to be sent
 * [ ] sharded pub/sub (SPUBLISH, SSUBSCRIBE); redirections of a Cluster (MOVED is an error)
 * [ ] transactions, blocking commands and others that change a connection (see Asking)
 * [ ] TLS of its own: with desc.tls the io is asked for it
 *
 * ---- Where the broker is -----------------------------------------------------------------------
 *     redis://[user:password@][host[:port][,host[:port]...]][/database]
 *     unix://[user:password@]/path/of/the/socket[?db=N]
 * valkey:// is redis://. rediss:// and valkeys:// are the same over TLS (desc.tls). User, password
 * and the path of a socket may hold %XX, but not %00. An IPv6 host stands in brackets. Where no
 * host is given it is 127.0.0.1; where no port is given it is 6379, or 26379 for sentinels. ?db=N
 * does for /database.
 *
 * There may be up to 16 addresses: a master and its replicas, the nodes of a Cluster, or sentinels.
 * When one has failed the next is tried; one that turns out to be a replica has failed, too.
 *
 * Sentinel: desc.sentinel names the master, and the addresses are those of sentinels. One of them
 * is asked for the master, and then watched for the news of a failover, which is followed at once.
 * A sentinel that falls silent is replaced by the next one while the bus stays up.
 *
 * Cluster: any node will do, replicas too, since classic PUBLISH reaches every node. List some.
 *
 * ---- When it goes away -------------------------------------------------------------------------
 * A connection is lost when the broker ends it, when what comes is not RESP or is over a limit, and
 * when a command is refused that the bus cannot do without. It is lost, too, when an answer is owed
 * and no byte has come for heartbeat_timeout_ms, or when a heartbeat has not come back in that time
 * although what was said behind it has been answered. Bytes that come are a sign of life, also
 * those of an answer that is an error.
 *
 * Then both connections are closed, the owner is told, and the next attempt begins after a wait: of
 * retry_min_ms at first, doubled each time that all addresses have failed, up to retry_max_ms. Half
 * of a wait is left to chance, so that hubs that lost their broker together do not come back in
 * step. An attempt has connect_timeout_ms for all of it: the name, the connections, the greeting,
 * and every subscription. Only when those are acknowledged the bus is up.
 *
 * Nothing is sent twice. What was on its way when a connection broke has arrived or is lost, and is
 * counted as unconfirmed. What failed is told to desc.on_log in one line, without passwords.
 *
 * ---- Limits ------------------------------------------------------------------------------------
 * output_bytes_max    what was taken and has not been sent; the hub's own queue keeps the rest
 * message_bytes_max   one text from the broker; a longer one is skipped and counted
 * requests_max        commands by wshub_bus_request() whose answer is still to come
 * WSHUB_BUS_REDIS_WORDS_MAX     words of one such command
 * WSHUB_RESP_DEPTH_MAX, WSHUB_RESP_ELEMENTS_MAX, WSHUB_RESP_LINE_MAX    what one reply may be made
 *     of. One that is over them, or together longer than message_bytes_max and
 *     WSHUB_RESP_LINE_MAX, ends the connection.
 *
 * ---- What the broker must allow ----------------------------------------------------------------
 * An ACL that suffices, with no channel_prefix:
 *     resetchannels &ws:broadcast &ws:room:* &ws:client:* &ws:user:* &wshub:hb:* -@all +subscribe
 *     +psubscribe +unsubscribe +punsubscribe +publish +ping +role +hello +auth +client|setname
 *     +quit
 * +select is needed for a database other than 0, and whatever you ask by wshub_bus_request(). With
 * no_heartbeat &wshub:hb:* is not needed. Without +role a replica is not told from a master, and
 * without +info a replica of a Cluster is not told from one that will not do.
 *
 * ---- Asking ------------------------------------------------------------------------------------
 * wshub_bus_request(hub, argv, argc, on_reply, arg) sends any command on the publishing connection,
 * behind what was published before it, and gives its answer to on_reply.
 *     PUBSUB NUMSUB ws:room:a             how many instances have somebody in that room (bus_exact)
 *     SET lock me NX PX 5000              a lock for five seconds
 * Texts of every kind, and numbers with a fraction or of too many digits, are
 * WSHUB_BUS_REPLY_TEXT; true and false are the integers 1 and 0; a map is an array of names and
 * values in turn. Names of channels are those of the broker, channel_prefix included.
 *
 * Messages are published on the same connection. So what would change it or hold it up is refused
 * (PARAM): wshub_bus_redis_request_problem() says which commands, and why. A command that keeps the
 * broker busy for longer than heartbeat_timeout_ms loses the connection, and so does an answer over
 * the limits of one reply: ask for much in pieces, by SCAN and not by KEYS. An answer of which one
 * text is over message_bytes_max becomes an error that says so.
 *
 * ---- Threads -----------------------------------------------------------------------------------
 * Everything here happens on the thread of its io, which is usually that of the hub. Reading RESP
 * (wshub_resp_read) and judging (..._problem) are pure and go anywhere. A hub on an io of your own
 * that has no guests: make a wshub_io_sock for Redis alone, drive it by wshub_io_sock_fd() and
 * wshub_io_sock_timeout(), and call wshub_settle(hub) after each of its turns.
 *
 * Needs ISO C99 or C++11, and wshub.h before it. Proved by tests/test_redis_wire.c (RESP, URLs),
 * test_redis_links.c (connections), test_redis_bus.c, test_redis_request.c, test_bus_contract.c
 * and, with a real server, test_redis.c.
 */
#ifndef WSHUB_BUS_REDIS_H
#define WSHUB_BUS_REDIS_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* One bus. Made by wshub_bus_redis_create(), ended by wshub_bus_redis_destroy(). */
typedef struct wshub_bus_redis wshub_bus_redis;
struct wshub_bus_redis_driver;

/* The version of the description, passed beside it by wshub_bus_redis_create(). */
#define WSHUB_BUS_REDIS_DESC_VERSION 1
/* The version of the table of a driver, and of what is reported by it. */
#define WSHUB_BUS_REDIS_DRIVER_VERSION 1

/* What a bus is made from. Zero is the default that stands in front of each field's meaning, so a
 * zeroed one needs io and url alone. All texts are copied. Times are in milliseconds. */
typedef struct wshub_bus_redis_desc {
    /* Required; its table is copied, what it stands for is borrowed until destroy. An io with
     * guests, connections and randomness, such as wshub_io_sock's; usually that of the hub. */
    const wshub_io *io;
    /* Required; at most 4096 bytes. Where the broker is, as the manual above has it. */
    const char *url;
    /* false. Connections are dialled as secure, by an io that has TLS; the peer's certificate must
     * bear the host's name. The URL then begins with rediss:// or valkeys://, and without this it
     * may not. A Unix socket may do either. */
    bool tls;
    /* false. Asks for RESP3 by HELLO 3. A broker that refuses gets RESP2, and is asked again by the
     * next connection unless it said that it does not know the command or the protocol. */
    bool resp3;
    /* false. No subscribing connection: for emitters, which hear nothing. */
    bool publish_only;
    /* false. Nothing is published or subscribed to that the owner did not ask for. PING alone then
     * tells whether the broker lives, and not whether it still forwards. */
    bool no_heartbeat;
    /* NULL: the addresses are those of the broker. A name of 1 to 128 bytes: they are sentinels,
     * and this is the master that they are asked for. */
    const char *sentinel;
    /* NULL: they ask for none. With what the sentinels want AUTH; the URL's are for the broker. */
    const char *sentinel_user, *sentinel_password;
    /* "wshub". The name that CLIENT LIST shows; at most 128 bytes, no spaces. "": none is set. */
    const char *client_name;
    /* "". Goes before every channel, at most 128 bytes: for instances that share a broker and are
     * not to hear each other. */
    const char *channel_prefix;
    /* 5000. For one attempt, from the name to the last acknowledged subscription; a second more is
     * given for each 100,000 channels. */
    uint32_t connect_timeout_ms;
    /* 50 and 5000. The shortest and the longest wait between two attempts. */
    uint32_t retry_min_ms, retry_max_ms;
    /* 1000. From one heartbeat to the next. */
    uint32_t heartbeat_ms;
    /* 3000, and more than heartbeat_ms. For a heartbeat to come back, and for any byte while an
     * answer is owed. */
    uint32_t heartbeat_timeout_ms;
    /* WSHUB_BUS_REDIS_MESSAGE_BYTES; 1 KiB to 1 GiB. One text from the broker. A longer message is
     * skipped and counted in stats.oversized. */
    uint32_t message_bytes_max;
    /* 1048576; 1 KiB to 1 GiB. What was taken and has not been sent. Beyond that nothing more is
     * taken: the owner keeps it in its own queue. Also the longest command of a request. */
    uint32_t output_bytes_max;
    /* WSHUB_BUS_REDIS_REQUESTS; at most WSHUB_BUS_REDIS_REQUESTS_MAX. Commands by
     * wshub_bus_request() that have no answer yet. Beyond that they are refused as LIMIT. */
    uint32_t requests_max;
    /* NULL: realloc and free. For everything that is allocated here. */
    wshub_alloc_fn alloc;
    void *alloc_user; /* the first argument of alloc */
    /* NULL: nobody is told. One line on what failed, and that it is back; no passwords. The line is
     * a view until it returns. At most one a second for a broker that stays away. It may call
     * anything, wshub_destroy() included. */
    void (*on_log)(const char *line, void *user);
    void *user; /* the last argument of on_log */
    /* NULL: this file's own client. Borrowed until destroy; see wshub_bus_redis_driver. */
    const struct wshub_bus_redis_driver *driver;
} wshub_bus_redis_desc;

/* What has happened since it was made. A gauge is how things stand now. */
typedef struct wshub_bus_redis_stats {
    wshub_bus_state state;       /* gauge; as its owner was told */
    uint64_t attempts;           /* to connect, from the first one on */
    uint64_t ups, downs;         /* times that it came up, and that it was lost while up */
    uint64_t published;          /* messages taken from the owner */
    uint64_t refused;            /* of those: answered with an error; wshub_bus_redis_error() */
    uint64_t unconfirmed;        /* of those: the connection broke before the answer; lost or not */
    uint64_t pending;            /* gauge, of those: no answer yet */
    uint64_t receivers;          /* subscribers that the broker says it reached, added up */
    uint64_t received;           /* messages from the broker, the heartbeat's apart */
    uint64_t received_bytes;     /* of their payloads */
    uint64_t oversized;          /* messages over message_bytes_max, skipped */
    uint64_t subscribed;         /* gauge: channels and patterns, acknowledged */
    uint64_t unacknowledged;     /* gauge: channels asked for or given up, no answer yet */
    uint64_t output_bytes;       /* gauge: given to be sent and not yet sent */
    uint64_t round_trip_ms;      /* of the last heartbeat: how far reading lags behind */
    uint64_t requests;           /* commands taken by wshub_bus_request() */
    uint64_t requests_lost;      /* of those: the connection broke before the answer */
    uint64_t requests_pending;   /* gauge, of those: no answer yet */
    uint64_t requests_oversized; /* of those: the answer had a text over message_bytes_max */
} wshub_bus_redis_stats;

/* Defaults and bounds of the description. */
enum {
    WSHUB_BUS_REDIS_MESSAGE_BYTES = 16777216,       /* the default of message_bytes_max */
    WSHUB_BUS_REDIS_REQUESTS = 1024,                /* the default of requests_max */
    WSHUB_BUS_REDIS_REQUESTS_MAX = 65536,           /* the most that it may be */
    WSHUB_BUS_REDIS_WORDS_MAX = WSHUB_BUS_BATCH + 8 /* words of one command */
};

/* Says in one line what wshub_bus_redis_create() would refuse in a description.
 *   desc     borrowed; NULL is refused, too
 * Returns  NULL: nothing. Else a constant text that begins with the field's name.
 * Thread   any; pure. */
WSHUB_INLINE const char *wshub_bus_redis_desc_problem(const wshub_bus_redis_desc *desc);

/* Makes a bus. It connects once a hub or an emitter has taken it, and not before.
 *   desc       borrowed for the call
 *   out_redis  given to you; untouched on failure
 * Returns  OK; PARAM: out_redis is NULL, or wshub_bus_redis_desc_problem() says what; RANDOM: the
 *          io has no randomness to give; NOMEM.
 * Thread   that of desc->io. */
WSHUB_INLINE wshub_err wshub_bus_redis_create(const wshub_bus_redis_desc *desc,
                                              wshub_bus_redis **out_redis);

/* What these two call, as wshub_create_versioned() of wshub.h: with what the header that your
 * program includes says of the description.
 *   desc_bytes  sizeof(wshub_bus_redis_desc)
 *   version     WSHUB_BUS_REDIS_DESC_VERSION. If the file with the implementation was compiled with
 *               another header the description is refused, and nothing in it is read.
 * Return   as wshub_bus_redis_create() and wshub_bus_redis_desc_problem(). */
WSHUB_API wshub_err wshub_bus_redis_create_versioned(const wshub_bus_redis_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_bus_redis **out_redis);
WSHUB_API const char *wshub_bus_redis_desc_problem_versioned(const wshub_bus_redis_desc *desc,
                                                             size_t desc_bytes, uint32_t version);

WSHUB_INLINE wshub_err wshub_bus_redis_create(const wshub_bus_redis_desc *desc,
                                              wshub_bus_redis **out_redis) {
    return wshub_bus_redis_create_versioned(desc, sizeof *desc, WSHUB_BUS_REDIS_DESC_VERSION,
                                            out_redis);
}
WSHUB_INLINE const char *wshub_bus_redis_desc_problem(const wshub_bus_redis_desc *desc) {
    return wshub_bus_redis_desc_problem_versioned(desc, sizeof *desc, WSHUB_BUS_REDIS_DESC_VERSION);
}

/* Gives the table to put into one wshub_desc.bus or wshub_emitter_desc.bus.
 *   redis    not NULL
 * Returns  a view, valid as long as redis.
 * Thread   any. */
WSHUB_API const wshub_bus *wshub_bus_redis_bus(wshub_bus_redis *redis);

/* Ends a bus: after its hub or emitter, before its io. While one of them still has it, as inside
 * their callbacks, it is freed once they have left.
 *   redis    NULL: nothing is done; once given here it is yours no more
 * Thread   that of its io; allowed in callbacks. */
WSHUB_API void wshub_bus_redis_destroy(wshub_bus_redis *redis);

/* Reads what it has counted and how it stands.
 *   redis      borrowed
 *   out_stats  filled; not NULL
 * Thread   that of its io; allowed in callbacks. Cost: a few additions. */
WSHUB_API void wshub_bus_redis_stats_get(const wshub_bus_redis *redis,
                                         wshub_bus_redis_stats *out_stats);

/* Says in one line what failed last, printable and without passwords.
 *   redis    borrowed
 * Returns  a view until the next call of anything; "" if nothing has failed.
 * Thread   that of its io; allowed in callbacks. */
WSHUB_API const char *wshub_bus_redis_error(const wshub_bus_redis *redis);

/* Says which broker is in use or being tried.
 *   redis    borrowed
 * Returns  `host:port` or the path of a socket, a view until the next call of anything; ""
 *          between two attempts.
 * Thread   that of its io; allowed in callbacks. */
WSHUB_API const char *wshub_bus_redis_address(const wshub_bus_redis *redis);

/* Says in one line why wshub_bus_request() would refuse a command as PARAM, however the bus stands.
 *   argv     the words, any bytes; borrowed. The first is the command, in any case
 *   argc     how many
 * Returns  NULL: it is taken, if it is not longer than output_bytes_max. Else a constant text: no
 *          command, too many words, or what this command would do to the connection.
 * Thread   any; pure. */
WSHUB_API const char *wshub_bus_redis_request_problem(const wshub_str *argv, size_t argc);

/* ---- reading RESP ------------------------------------------------------------------------------
 * Pure and without allocation; from any thread. */

/* What one reply may be made of. */
enum {
    WSHUB_RESP_ITEMS = 8,           /* parts of an aggregate that are noted */
    WSHUB_RESP_DEPTH_MAX = 8,       /* aggregates within each other */
    WSHUB_RESP_ELEMENTS_MAX = 4096, /* parts of one reply, at all depths together */
    WSHUB_RESP_LINE_MAX = 65536     /* bytes of a line, its end included */
};

/* What wshub_resp_read() found. */
enum {
    WSHUB_RESP_DONE = 1,      /* a reply */
    WSHUB_RESP_MORE = 0,      /* the beginning of one: more bytes are needed */
    WSHUB_RESP_BROKEN = -1,   /* not RESP, or over a limit */
    WSHUB_RESP_OVERSIZED = -2 /* a text that is longer than bulk_max */
};

/* One value of a reply, or the head of an aggregate. */
typedef struct wshub_resp_value {
    char kind;      /* as on the wire: + - : $ * % ~ > ( , # ! = ; `_`: null, in any of its forms */
    int64_t number; /* of `:`; parts of an aggregate, where a map counts names and values */
    wshub_str text; /* of all that is neither; a view into the bytes */
} wshub_resp_value;

/* One reply, as wshub_resp_read() gives it. */
typedef struct wshub_resp {
    wshub_resp_value value;                   /* the reply itself */
    wshub_resp_value items[WSHUB_RESP_ITEMS]; /* the first parts of an aggregate, one level deep */
    size_t items_count;                       /* how many were noted */
    size_t bytes;                             /* length of the whole reply */
    size_t values; /* of which it is made at all depths, itself included; at least that many */
} wshub_resp;

/* Reads one reply at the front of bytes.
 *   bytes, count  what has come; borrowed
 *   bulk_max      bytes of one text, at most
 *   out           filled as far as the result says
 * Returns  WSHUB_RESP_DONE: the reply is in *out, attributes before and within it left out.
 *          WSHUB_RESP_MORE: it is not whole; call again with more, from the same beginning.
 *          WSHUB_RESP_BROKEN: it is not RESP, or over WSHUB_RESP_DEPTH_MAX, _ELEMENTS_MAX (where
 *          attributes and empty aggregates count) or _LINE_MAX, or all of it together is, or is
 *          going to be, longer than bulk_max and _LINE_MAX: so nothing that a broker says is
 *          gathered without end. WSHUB_RESP_OVERSIZED: a text of more than bulk_max begins at
 *          out->bytes, with the head that says so; its length is out->value.number.
 * Cost     by the number of values; texts are not looked at. Thread: any. */
WSHUB_API int wshub_resp_read(const uint8_t *bytes, size_t count, uint32_t bulk_max,
                              wshub_resp *out);

/* ---- for backends that bring another client ----------------------------------------------------
 * wshub_bus_hiredis.h is one. Everything but the bytes stays here. Orders go down; each `link` is
 * a connection, 0: publishing, 1: subscribing, 2: watching a sentinel. Reports come up, on the
 * thread of the io, never from inside an order. */

/* The orders that another client carries out. All entries are required. */
typedef struct wshub_bus_redis_driver {
    uint32_t version; /* WSHUB_BUS_REDIS_DRIVER_VERSION: that of another header is refused */
    void *ctx;        /* first argument of all entries */
    /* Begins to connect to `address` (borrowed; `host:port` or a path). True: opened or closed
     * will be reported. False: it cannot; error() says why. */
    bool (*open)(void *ctx, wshub_bus_redis *redis, int link, const char *address);
    /* Ends a connection, whatever its state; no report follows. flush: what was given may still
     * leave. */
    void (*close)(void *ctx, int link, bool flush);
    /* Gives a command of `count` words, at most WSHUB_BUS_REDIS_WORDS_MAX; before each of
     * args[from] to args[to - 1] goes `prefix`. All borrowed. False: out of memory, no answer
     * will come. */
    bool (*command)(void *ctx, int link, const wshub_str *args, size_t count, size_t from,
                    size_t to, wshub_str prefix);
    /* Called once a turn: for reports that could not be made when they came. */
    void (*pump)(void *ctx);
    /* Bytes given and not yet sent. */
    size_t (*waiting)(void *ctx, int link);
    /* One line on why the last open or connection failed; "": nothing is known. A view until the
     * next call. */
    const char *(*error)(void *ctx);
} wshub_bus_redis_driver;

/* Reports that a connection is there: after an open that was true, once.
 *   redis, link  as open() was given them */
WSHUB_API void wshub_bus_redis_opened(wshub_bus_redis *redis, int link);

/* Tells whether the next reply on a link answers wshub_bus_request() and is to be reported
 * whole, by wshub_bus_redis_answered(). */
WSHUB_API bool wshub_bus_redis_wants_whole(const wshub_bus_redis *redis, int link);

/* Reports a reply, an acknowledgement or a message.
 *   reply    borrowed; value and items suffice */
WSHUB_API void wshub_bus_redis_replied(wshub_bus_redis *redis, int link, const wshub_resp *reply);

/* Reports a reply with all its parts, where wshub_bus_redis_wants_whole() is true.
 *   reply    borrowed */
WSHUB_API void wshub_bus_redis_answered(wshub_bus_redis *redis, int link,
                                        const wshub_bus_reply *reply);

/* Reports that bytes have come, of a reply or of a part of one: a sign of life. May come at any
 * time in a turn. */
WSHUB_API void wshub_bus_redis_heard(wshub_bus_redis *redis, int link);

/* Reports that a connection has ended, or was never made; error() says why. Once after an open that
 * was true, unless close() came first. */
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
#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- reading RESP ------------------------------------------------------------------------------
 * Bytes to values. Knows kinds, lengths and how deep one is in another; nothing of commands or
 * connections. Allocates nothing: texts are views into the bytes. A reply that is not whole is read
 * again from its beginning, which costs little since texts are stepped over.
 * Proved by tests/test_redis_wire.c (resp_...), tests/fuzz/fuzz_wire.c. */

/* Reads a decimal number up to `end`. False: it is none, or it does not fit. */
static bool wshub_bus_redis__number(const uint8_t *p, const uint8_t *end, int64_t *out) {
    bool minus = p < end && *p == '-';
    uint64_t n = 0, most = (uint64_t)INT64_MAX + (minus ? 1 : 0);
    if (minus) p++;
    if (p == end || end - p > 19) return false;

    for (; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        n = n * 10 + (uint64_t)(*p - '0');
    }

    if (n > most) return false;
    *out = n > (uint64_t)INT64_MAX ? INT64_MIN : minus ? -(int64_t)n : (int64_t)n;
    return true;
}

/* Where a reader stands, and its limits. */
typedef struct wshub_bus_redis__reader {
    const uint8_t *bytes;
    size_t count, at;
    uint64_t bulk_max, bytes_max;
    int64_t parts; /* values that will follow as parts of the one that was read last */
    bool note;     /* they are those of an attribute, which is no part of the reply */
    int64_t cost;  /* how much of WSHUB_RESP_ELEMENTS_MAX was taken so far */
} wshub_bus_redis__reader;

static void wshub_bus_redis__reader_begin(wshub_bus_redis__reader *rd, const uint8_t *bytes,
                                          size_t count, uint32_t bulk_max) {
    rd->bytes = bytes;
    rd->count = count;
    rd->at = 0;
    rd->bulk_max = bulk_max;
    rd->bytes_max = (uint64_t)bulk_max + WSHUB_RESP_LINE_MAX;
    rd->parts = rd->cost = 0;
    rd->note = false;
}

/* Reads a line: its first byte is the kind of a value, the others are its text. */
static int wshub_bus_redis__read_line(wshub_bus_redis__reader *rd, wshub_resp_value *v) {
    const uint8_t *line = rd->bytes + rd->at, *end;
    size_t most = rd->count - rd->at;
    WSHUB_ASSERT(most > 0);
    if (most > WSHUB_RESP_LINE_MAX) most = WSHUB_RESP_LINE_MAX;

    end = (const uint8_t *)memchr(line, '\n', most);
    if (!end) return most == WSHUB_RESP_LINE_MAX ? WSHUB_RESP_BROKEN : WSHUB_RESP_MORE;
    if (end - line < 2 || end[-1] != '\r') return WSHUB_RESP_BROKEN;

    v->kind = (char)*line;
    v->number = 0;
    v->text.ptr = (const char *)line + 1;
    v->text.len = (size_t)(end - line) - 2;
    rd->at = (size_t)(end - rd->bytes) + 1;
    return WSHUB_RESP_DONE;
}

/* Makes a value the one null, whichever of its forms it came in. */
static int wshub_bus_redis__read_null(wshub_resp_value *v) {
    v->kind = '_';
    v->number = 0;
    v->text.ptr = NULL;
    v->text.len = 0;
    return WSHUB_RESP_DONE;
}

/* Reads a line whose text is a number. Most have few digits, and are read without looking for the
 * end of the line first. */
static int wshub_bus_redis__read_number(wshub_bus_redis__reader *rd, wshub_resp_value *v,
                                        int64_t *out) {
    enum { FEW = 9, LONGEST = 1 + FEW + 2 };
    const uint8_t *digits = rd->bytes + rd->at + 1, *p = digits;
    unsigned digit;
    int64_t n = 0;
    if (rd->count - rd->at >= LONGEST) {
        for (; p < digits + FEW && (digit = (unsigned)*p - '0') < 10; p++) n = n * 10 + digit;
    }

    if (p > digits && p[0] == '\r' && p[1] == '\n') {
        v->kind = (char)digits[-1];
        v->number = 0;
        rd->at = (size_t)(p - rd->bytes) + 2;
    } else {
        int got = wshub_bus_redis__read_line(rd, v);
        if (got != WSHUB_RESP_DONE) return got;
        if (!wshub_bus_redis__number(digits, digits + v->text.len, &n)) return WSHUB_RESP_BROKEN;
    }
    v->text.ptr = NULL;
    v->text.len = 0;
    *out = n;
    return WSHUB_RESP_DONE;
}

/* Reads the text of given length behind its line. */
static int wshub_bus_redis__read_bulk(wshub_bus_redis__reader *rd, wshub_resp_value *v) {
    int64_t n = 0;
    int got = wshub_bus_redis__read_number(rd, v, &n);
    if (got != WSHUB_RESP_DONE) return got;
    if (n < 0) return n == -1 ? wshub_bus_redis__read_null(v) : WSHUB_RESP_BROKEN;
    if ((uint64_t)n > rd->bulk_max) {
        v->number = n;
        return WSHUB_RESP_OVERSIZED;
    }

    if (rd->at + (uint64_t)n > rd->bytes_max) return WSHUB_RESP_BROKEN;
    if (rd->count - rd->at < (size_t)n + 2) return WSHUB_RESP_MORE;

    v->text.ptr = (const char *)rd->bytes + rd->at;
    v->text.len = (size_t)n;
    rd->at += (size_t)n + 2;
    if (rd->bytes[rd->at - 2] != '\r' || rd->bytes[rd->at - 1] != '\n') return WSHUB_RESP_BROKEN;
    return WSHUB_RESP_DONE;
}

/* Takes a line as the head of an aggregate: how many parts will follow. An empty one and an
 * attribute cost one besides, since they could otherwise be said again and again without an end. */
static int wshub_bus_redis__read_parts(wshub_bus_redis__reader *rd, wshub_resp_value *v) {
    int64_t n = 0;
    int got = wshub_bus_redis__read_number(rd, v, &n);
    if (got != WSHUB_RESP_DONE) return got;
    if (n < 0) return n == -1 ? wshub_bus_redis__read_null(v) : WSHUB_RESP_BROKEN;
    if (n > WSHUB_RESP_ELEMENTS_MAX) return WSHUB_RESP_BROKEN;

    rd->note = v->kind == '|';
    rd->parts = v->number = v->kind == '%' || rd->note ? 2 * n : n;
    rd->cost += rd->parts + (rd->note || n == 0);
    return rd->cost > WSHUB_RESP_ELEMENTS_MAX ? WSHUB_RESP_BROKEN : WSHUB_RESP_DONE;
}

/* Reads one value; of an aggregate its head alone. */
static int wshub_bus_redis__read_value(wshub_bus_redis__reader *rd, wshub_resp_value *v) {
    int got;
    rd->parts = 0;
    rd->note = false;
    if (rd->at == rd->count) return WSHUB_RESP_MORE;
    if (rd->bytes[rd->at] == '$') return wshub_bus_redis__read_bulk(rd, v); /* of a message, most */

    switch (rd->bytes[rd->at]) {
    case '+':
    case '-':
    case '(':
    case ',':
    case '#': return wshub_bus_redis__read_line(rd, v);
    case '_':
        got = wshub_bus_redis__read_line(rd, v);
        return got == WSHUB_RESP_DONE ? wshub_bus_redis__read_null(v) : got;
    case ':': return wshub_bus_redis__read_number(rd, v, &v->number);
    case '!':
    case '=': return wshub_bus_redis__read_bulk(rd, v);
    case '*':
    case '~':
    case '>':
    case '%':
    case '|': return wshub_bus_redis__read_parts(rd, v);
    default: /* of no kind; a line all the same, until that is known to be wrong, too */
        got = wshub_bus_redis__read_line(rd, v);
        return got == WSHUB_RESP_DONE ? WSHUB_RESP_BROKEN : got;
    }
}

/* Where a reply is within itself. At depth 0 one value is to come, the reply. */
typedef struct wshub_bus_redis__nest {
    int64_t left[WSHUB_RESP_DEPTH_MAX + 1]; /* values that are to come, by depth */
    bool note[WSHUB_RESP_DEPTH_MAX + 1];    /* whether they are those of an attribute */
    size_t depth, notes;                    /* how deep, and in how many attributes */
} wshub_bus_redis__nest;

static void wshub_bus_redis__nest_begin(wshub_bus_redis__nest *nest) {
    nest->left[0] = 1;
    nest->note[0] = false;
    nest->depth = nest->notes = 0;
}

/* A value has been read: goes into it if it has parts, else out of all that it was the last part
 * of. False: too deep. */
static bool wshub_bus_redis__nest_step(wshub_bus_redis__nest *nest,
                                       const wshub_bus_redis__reader *rd) {
    WSHUB_ASSERT(nest->left[nest->depth] > 0);
    if (rd->parts) {
        if (nest->depth == WSHUB_RESP_DEPTH_MAX) return false;
        nest->depth++;
        nest->left[nest->depth] = rd->parts;
        nest->note[nest->depth] = rd->note;
        nest->notes += rd->note;
        return true;
    }

    if (rd->note || --nest->left[nest->depth] > 0) return true;
    while (nest->depth && nest->left[nest->depth] == 0) {
        bool note = nest->note[nest->depth--];
        if (note)
            nest->notes--;
        else
            nest->left[nest->depth]--;
    }
    return true;
}

WSHUB_API int wshub_resp_read(const uint8_t *bytes, size_t count, uint32_t bulk_max,
                              wshub_resp *out) {
    wshub_bus_redis__reader rd;
    wshub_bus_redis__nest nest;
    wshub_resp_value deeper, *v = &out->value;
    memset(v, 0, sizeof *v);
    out->items_count = out->bytes = out->values = 0;
    wshub_bus_redis__reader_begin(&rd, bytes, count, bulk_max);
    wshub_bus_redis__nest_begin(&nest);

    while (nest.left[0]) {
        size_t from = rd.at;
        int got = rd.at > rd.bytes_max ? WSHUB_RESP_BROKEN : wshub_bus_redis__read_value(&rd, v);
        if (got == WSHUB_RESP_OVERSIZED) {
            out->bytes = from;
            out->value.number = v->number;
        }
        if (got != WSHUB_RESP_DONE) return got;

        /* An attribute is not kept: what it stands before takes its place. */
        if (nest.depth == 1 && v != &deeper && !rd.note) out->items_count++;
        if (!wshub_bus_redis__nest_step(&nest, &rd)) return WSHUB_RESP_BROKEN;
        v = &deeper;
        if (nest.depth == 0) v = &out->value;
        if (nest.depth == 1 && !nest.notes && out->items_count < WSHUB_RESP_ITEMS)
            v = &out->items[out->items_count];
    }

    WSHUB_ASSERT(rd.at <= count);
    out->values = (size_t)rd.cost + 1;
    out->bytes = rd.at;
    return WSHUB_RESP_DONE;
}

/* ---- a reply as a tree -------------------------------------------------------------------------
 * What an answer to wshub_bus_request() is shown as. The parts of an array lie side by side, behind
 * all that was read before them. Proved by tests/test_redis_request.c. */

/* Shows one value, of an array its size alone. */
static void wshub_bus_redis__show(const wshub_resp_value *v, wshub_bus_reply *out) {
    memset(out, 0, sizeof *out);
    out->kind = WSHUB_BUS_REPLY_TEXT;
    out->text = v->text;

    switch (v->kind) {
    case '-':
    case '!': out->kind = WSHUB_BUS_REPLY_ERROR; break;
    case '=': /* `txt:` or `mkd:` stands in front of the text and says how it is to be shown */
        if (v->text.len < 4) break;
        out->text.ptr += 4;
        out->text.len -= 4;
        break;
    case ':':
        out->kind = WSHUB_BUS_REPLY_INTEGER;
        out->integer = v->number;
        break;
    case '#':
        out->kind = WSHUB_BUS_REPLY_INTEGER;
        out->integer = wshub_str_eq_z(v->text, "t");
        break;
    case '*':
    case '~':
    case '>':
    case '%':
        out->kind = WSHUB_BUS_REPLY_ARRAY;
        out->count = (size_t)v->number;
        break;
    case '_': out->kind = WSHUB_BUS_REPLY_NULL; break;
    default: break;
    }
    if (out->kind == WSHUB_BUS_REPLY_TEXT || out->kind == WSHUB_BUS_REPLY_ERROR) return;
    out->text.ptr = NULL;
    out->text.len = 0;
}

/* Builds the tree of a reply that wshub_resp_read() has found whole; nodes has room for its
 * `values`, the first of them is the reply. Attributes are left out. */
static void wshub_bus_redis__build(const uint8_t *bytes, size_t count, uint32_t bulk_max,
                                   wshub_bus_reply *nodes, size_t values) {
    wshub_bus_redis__reader rd;
    wshub_bus_redis__nest nest;
    wshub_bus_reply *next[WSHUB_RESP_DEPTH_MAX + 1]; /* where the next value goes, by depth */
    size_t used = 1;
    wshub_bus_redis__reader_begin(&rd, bytes, count, bulk_max);
    wshub_bus_redis__nest_begin(&nest);
    next[0] = nodes;

    while (nest.left[0]) {
        wshub_bus_reply *node = NULL;
        wshub_resp_value v;
        int got = wshub_bus_redis__read_value(&rd, &v);
        bool fits;
        WSHUB_ASSERT(got == WSHUB_RESP_DONE);

        if (!rd.note && !nest.notes) {
            node = next[nest.depth]++;
            WSHUB_ASSERT((size_t)(node - nodes) < values);
            wshub_bus_redis__show(&v, node);
        }

        fits = wshub_bus_redis__nest_step(&nest, &rd);
        WSHUB_ASSERT(fits);
        if (node && rd.parts) {
            node->items = next[nest.depth] = nodes + used;
            used += node->count;
        }
        (void)got;
        (void)fits;
    }

    WSHUB_ASSERT(rd.at == count);
    WSHUB_ASSERT(used <= values);
    (void)values;
}

/* ---- the objects -------------------------------------------------------------------------------
 * The bus has a state, and so has each of its connections. Which may follow which stands in two
 * tables, and wshub_bus_redis__to() and wshub_bus_redis__link_to() alone write them. */

/* The connections. As numbers they are the `link` of a driver. */
enum {
    WSHUB_BUS_REDIS__PUB,      /* publishes, asks, and sends the heartbeat */
    WSHUB_BUS_REDIS__SUB,      /* subscribes, and hears the heartbeat */
    WSHUB_BUS_REDIS__SENTINEL, /* asks a sentinel for the master, and then watches it */
    WSHUB_BUS_REDIS__LINKS
};

enum {
    WSHUB_BUS_REDIS__ADDRESSES = 16,     /* of a URL */
    WSHUB_BUS_REDIS__LINES = 4,          /* of a log, kept until they can be told */
    WSHUB_BUS_REDIS__LINE_BYTES = 640,   /* of one of them */
    WSHUB_BUS_REDIS__SAID_BYTES = 200,   /* of what a broker said, that are kept */
    WSHUB_BUS_REDIS__MASTER_BYTES = 280, /* of a sentinel's answer: host, brackets and port */
    WSHUB_BUS_REDIS__ERROR_BYTES = 280   /* of what failed last */
};

/* After a connection that was up for so long the wait begins with the shortest again. */
enum { WSHUB_BUS_REDIS__GOOD_MS = 500 };

/* How often a driver's connections, whose io is not ours, are looked after while they owe much. */
enum { WSHUB_BUS_REDIS__DRIVER_MS = 5 };

/* In this order: each has all that those before it have. */
typedef enum wshub_bus_redis__state {
    WSHUB_BUS_REDIS__IDLE,     /* nobody has taken it */
    WSHUB_BUS_REDIS__WAITING,  /* for the time of the next attempt; there is no connection */
    WSHUB_BUS_REDIS__ASKING,   /* a sentinel, who the master is */
    WSHUB_BUS_REDIS__GREETING, /* the connections are dialled, and say their first commands */
    WSHUB_BUS_REDIS__FILLING,  /* the owner was told CONNECTED, subscriptions are under way */
    WSHUB_BUS_REDIS__UP        /* all of them are acknowledged */
} wshub_bus_redis__state;

/* In this order, too: from DIALLING on the io has it, from GREETING on commands may be said. */
typedef enum wshub_bus_redis__link_state {
    WSHUB_BUS_REDIS__LINK_NONE, /* there is no connection */
    WSHUB_BUS_REDIS__LINK_GONE, /* it has ended; what it left unanswered is still to be counted */
    WSHUB_BUS_REDIS__LINK_DIALLING, /* the io or the driver was asked for it */
    WSHUB_BUS_REDIS__LINK_GREETING, /* it is there, and its first commands have been said */
    WSHUB_BUS_REDIS__LINK_UNSURE,   /* a replica, which will do if it is one of a Cluster's */
    WSHUB_BUS_REDIS__LINK_READY     /* it will do; a sentinel: it has named the master */
} wshub_bus_redis__link_state;

/* clang-format off */
#define WSHUB_BUS_REDIS__MAY(state) (1u << WSHUB_BUS_REDIS__##state)

/* Which states of a bus may follow each: a bit for each. Its owner may leave in any of them. */
static const uint8_t wshub_bus_redis__follows[] = {
    /* IDLE */
    WSHUB_BUS_REDIS__MAY(WAITING),
    /* WAITING */
    WSHUB_BUS_REDIS__MAY(ASKING) | WSHUB_BUS_REDIS__MAY(GREETING) | WSHUB_BUS_REDIS__MAY(IDLE),
    /* ASKING */
    WSHUB_BUS_REDIS__MAY(GREETING) | WSHUB_BUS_REDIS__MAY(WAITING) | WSHUB_BUS_REDIS__MAY(IDLE),
    /* GREETING */
    WSHUB_BUS_REDIS__MAY(FILLING) | WSHUB_BUS_REDIS__MAY(WAITING) | WSHUB_BUS_REDIS__MAY(IDLE),
    /* FILLING */
    WSHUB_BUS_REDIS__MAY(UP) | WSHUB_BUS_REDIS__MAY(WAITING) | WSHUB_BUS_REDIS__MAY(IDLE),
    /* UP */
    WSHUB_BUS_REDIS__MAY(WAITING) | WSHUB_BUS_REDIS__MAY(IDLE)
};

/* Which states of a connection may follow each. What is there may end, and may be closed. */
#define WSHUB_BUS_REDIS__OVER (WSHUB_BUS_REDIS__MAY(LINK_GONE) | WSHUB_BUS_REDIS__MAY(LINK_NONE))
static const uint8_t wshub_bus_redis__link_follows[] = {
    /* NONE */
    WSHUB_BUS_REDIS__MAY(LINK_DIALLING),
    /* GONE */
    WSHUB_BUS_REDIS__MAY(LINK_NONE),
    /* DIALLING */
    WSHUB_BUS_REDIS__MAY(LINK_GREETING) | WSHUB_BUS_REDIS__OVER,
    /* GREETING */
    WSHUB_BUS_REDIS__MAY(LINK_UNSURE) | WSHUB_BUS_REDIS__MAY(LINK_READY) | WSHUB_BUS_REDIS__OVER,
    /* UNSURE */
    WSHUB_BUS_REDIS__MAY(LINK_READY) | WSHUB_BUS_REDIS__OVER,
    /* READY */
    WSHUB_BUS_REDIS__OVER
};
#undef WSHUB_BUS_REDIS__OVER
#undef WSHUB_BUS_REDIS__MAY
/* clang-format on */

/* What a command was, so that its answer is understood. */
typedef enum wshub_bus_redis__what {
    WSHUB_BUS_REDIS__HELLO,
    WSHUB_BUS_REDIS__AUTH,
    WSHUB_BUS_REDIS__SETNAME,
    WSHUB_BUS_REDIS__SELECT,
    WSHUB_BUS_REDIS__ROLE,
    WSHUB_BUS_REDIS__READY, /* the PING that ends a greeting */
    WSHUB_BUS_REDIS__PING,
    WSHUB_BUS_REDIS__PUBLISH,
    WSHUB_BUS_REDIS__REQUEST, /* a command of wshub_bus_request() */
    WSHUB_BUS_REDIS__BEAT,
    WSHUB_BUS_REDIS__CLUSTER, /* whether this replica is one of a Cluster's */
    WSHUB_BUS_REDIS__SUBSCRIBE,
    WSHUB_BUS_REDIS__BEAT_CHANNEL, /* the subscription to the heartbeat */
    WSHUB_BUS_REDIS__PROBE,        /* whether the subscribing connection is alive */
    WSHUB_BUS_REDIS__UNSUBSCRIBE,
    WSHUB_BUS_REDIS__MASTER,
    WSHUB_BUS_REDIS__WATCH
} wshub_bus_redis__what;

/* Answers that are to come: `count` of one kind. */
typedef struct wshub_bus_redis__cmd {
    wshub_bus_redis__what what;
    uint32_t count;
} wshub_bus_redis__cmd;

/* Bytes in a row. Those before `at` are done with. */
typedef struct wshub_bus_redis__bytes {
    uint8_t *ptr;
    size_t at, len, cap;
} wshub_bus_redis__bytes;

typedef struct wshub_bus_redis__link {
    wshub_bus_redis__link_state state; /* written by wshub_bus_redis__link_to() alone */
    wshub_conn conn;                   /* of the io; with a driver 1; {0}: none */
    bool blocked;                      /* the io took less than it was offered, and will say when */
    bool cut;                          /* a text of the reply that is being read was skipped */
    wshub_bus_redis__bytes in, out;
    uint64_t skip;              /* of a text that is too long: bytes still to come */
    wshub_bus_redis__cmd *cmds; /* a ring, the oldest first; cmds_cap is a power of two */
    uint32_t cmds_head, cmds_count, cmds_cap;
    /* When bytes came last, or left behind others, or the oldest unanswered command was given. */
    uint64_t progress;
    char said[WSHUB_BUS_REDIS__SAID_BYTES]; /* the last error passed over; perhaps why it ends */
} wshub_bus_redis__link;

/* Bytes that a completion io holds, until it reports them as sent or their stream as closed. */
typedef struct wshub_bus_redis__flight {
    struct wshub_bus_redis__flight *next;
    uint64_t conn;
    wshub_bus_redis__bytes bytes;
} wshub_bus_redis__flight;

/* The heartbeat: PUBLISH to a channel of our own, through the broker and back. Heartbeats of one
 * connection are numbered from 1. */
typedef struct wshub_bus_redis__beats {
    uint64_t next_at;        /* when the next one leaves */
    uint64_t sent, answered; /* how many */
    uint64_t watched;        /* the oldest that has not come back */
    uint64_t late_at;        /* until when it may; 0: none is on its way */
    uint64_t probed; /* the one that the probe under way left behind; 0: there is no probe */
    bool missing;    /* what left behind the watched one was answered, and it did not come */
} wshub_bus_redis__beats;

/* Somebody waits for the answer to a command. */
typedef struct wshub_bus_redis__request {
    void (*on_reply)(void *arg, const wshub_bus_reply *reply);
    void *arg;
} wshub_bus_redis__request;

/* Those who wait, the oldest first: a ring whose cap is a power of two. */
typedef struct wshub_bus_redis__requests {
    wshub_bus_redis__request *ring;
    uint32_t head, count, cap;
} wshub_bus_redis__requests;

struct wshub_bus_redis {
    wshub_bus_redis_desc desc;
    wshub_io io;
    wshub_bus bus;
    wshub_bus_owner owner;        /* while state is not IDLE */
    wshub_bus_redis__state state; /* written by wshub_bus_redis__to() alone */
    int depth;                    /* how often it has been entered and not left */
    bool destroyed;               /* to be freed once it is left, and nobody has it */

    /* The description's texts, taken apart. "": none. */
    char *texts;
    size_t texts_bytes;
    const char *addresses[WSHUB_BUS_REDIS__ADDRESSES];
    uint32_t addresses_count, address_at;
    const char *user, *password, *db;
    size_t prefix_len;
    char glob[512]; /* channel_prefix as a pattern */
    size_t glob_len;
    char beat[160]; /* the channel of our heartbeat */

    /* Of the attempt or connection under way. */
    char master[WSHUB_BUS_REDIS__MASTER_BYTES]; /* of a sentinel's answer */
    bool asks_role;                             /* the broker says what it is, and may change */
    bool short_of_room;                         /* a subscription was not taken */
    bool half_done;     /* of a list of subscriptions only a part could be sent */
    bool publish_short; /* a publication was not taken */
    bool pending_asked; /* the owner waits until nothing is pending */
    wshub_bus_redis__beats beats;
    uint64_t unanswered; /* publications */
    uint64_t deadline;   /* of the attempt */
    uint64_t up_since;

    /* Drivers only: a channel that is subscribed to, to be asked about. */
    char known[256];
    size_t known_len;
    bool known_pattern;

    bool resp2_only;   /* the broker knows no RESP3 */
    uint32_t failures; /* attempts since it was up for long enough */
    uint64_t retry_at;
    wshub_bus_redis__link links[WSHUB_BUS_REDIS__LINKS];
    wshub_bus_redis__flight *flights, *spare;
    wshub_bus_redis__requests requests;
    uint64_t now;                /* our own clock, see wshub_bus_redis__clock() */
    uint64_t io_now;             /* the io's */
    uint64_t alarm_at;           /* by the io's; 0: none */
    uint64_t unconfirmed_before; /* stats.unconfirmed when this owner came */
    wshub_bus_redis_stats stats; /* those gauges apart that are counted elsewhere */

    char error[WSHUB_BUS_REDIS__ERROR_BYTES];
    uint64_t log_second; /* in which the last line was kept, counted from 1 */
    char lines[WSHUB_BUS_REDIS__LINES][WSHUB_BUS_REDIS__LINE_BYTES]; /* not yet told */
    int lines_count;
};

/* ---- states: the two doors ------------------------------------------------------------------ */

/* Whether somebody has the bus. Every report may end that. */
static bool wshub_bus_redis__owned(const wshub_bus_redis *r) {
    return r->state != WSHUB_BUS_REDIS__IDLE;
}

/* Whether the io or the driver still has this connection. */
static bool wshub_bus_redis__there(const wshub_bus_redis__link *link) {
    return link->state >= WSHUB_BUS_REDIS__LINK_DIALLING;
}

/* Whether commands may be said on it. */
static bool wshub_bus_redis__open(const wshub_bus_redis__link *link) {
    return link->state >= WSHUB_BUS_REDIS__LINK_GREETING;
}

static bool wshub_bus_redis__ready(const wshub_bus_redis *r, int which) {
    return r->links[which].state == WSHUB_BUS_REDIS__LINK_READY;
}

/* Whether those connections that carry messages will do. */
static bool wshub_bus_redis__all_ready(const wshub_bus_redis *r) {
    return wshub_bus_redis__ready(r, WSHUB_BUS_REDIS__PUB) &&
           (r->desc.publish_only || wshub_bus_redis__ready(r, WSHUB_BUS_REDIS__SUB));
}

static bool wshub_bus_redis__no_links(const wshub_bus_redis *r) {
    int which;
    for (which = 0; which < WSHUB_BUS_REDIS__LINKS; which++) {
        if (r->links[which].state != WSHUB_BUS_REDIS__LINK_NONE) return false;
    }
    return true;
}

/* The one door of a connection's state. What has ended has no number at the io any more. */
static void wshub_bus_redis__link_to(wshub_bus_redis__link *link, wshub_bus_redis__link_state to) {
    WSHUB_ASSERT(wshub_bus_redis__link_follows[link->state] >> to & 1u);
    link->state = to;
    if (!wshub_bus_redis__there(link)) link->conn.id = 0;
    (void)wshub_bus_redis__link_follows;
}

/* The state as owners know it. */
static wshub_bus_state wshub_bus_redis__told(const wshub_bus_redis *r) {
    if (r->state == WSHUB_BUS_REDIS__UP) return WSHUB_BUS_UP;
    return r->state == WSHUB_BUS_REDIS__FILLING ? WSHUB_BUS_CONNECTED : WSHUB_BUS_DOWN;
}

/* The one door of the bus's state. Between connections nothing is subscribed or
 * owed, and no heartbeat is on its way. */
static void wshub_bus_redis__to(wshub_bus_redis *r, wshub_bus_redis__state to) {
    WSHUB_ASSERT(wshub_bus_redis__follows[r->state] >> to & 1u);
    r->state = to;
    r->stats.state = wshub_bus_redis__told(r);
    if (to == WSHUB_BUS_REDIS__IDLE || to == WSHUB_BUS_REDIS__WAITING) {
        WSHUB_ASSERT(wshub_bus_redis__no_links(r));
        r->unanswered = r->stats.subscribed = r->stats.unacknowledged = 0;
        memset(&r->beats, 0, sizeof r->beats);
    }
    WSHUB_ASSERT(to < WSHUB_BUS_REDIS__FILLING || wshub_bus_redis__all_ready(r));
    WSHUB_ASSERT(to < WSHUB_BUS_REDIS__ASKING || !r->requests.count);
    WSHUB_ASSERT(to != WSHUB_BUS_REDIS__UP || !r->stats.unacknowledged);
    (void)wshub_bus_redis__follows;
    (void)wshub_bus_redis__no_links; /* neither is needed where nothing is asserted */
}

/* ---- memory and bytes --------------------------------------------------------------------------
 * Buffers grow as they must, up to what the limits of the description let come to wait in them, and
 * go with their connection. */

static void *wshub_bus_redis__alloc(const wshub_bus_redis_desc *d, void *ptr, size_t old_bytes,
                                    size_t new_bytes) {
    if (d->alloc) return d->alloc(d->alloc_user, ptr, old_bytes, new_bytes);
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* Makes room for so many bytes more behind what is there. False: out of memory. */
static bool wshub_bus_redis__room(wshub_bus_redis *r, wshub_bus_redis__bytes *b, size_t more) {
    size_t cap = b->cap ? b->cap : 4096;
    void *p;
    WSHUB_ASSERT(b->at <= b->len);
    WSHUB_ASSERT(b->len <= b->cap);

    /* What is done with makes room first, when that moves little. */
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
    WSHUB_ASSERT(b->cap - b->len >= more);
    return true;
}

static void wshub_bus_redis__release(wshub_bus_redis *r, wshub_bus_redis__bytes *b) {
    if (b->ptr) (void)wshub_bus_redis__alloc(&r->desc, b->ptr, b->cap, 0);
    memset(b, 0, sizeof *b);
}

static wshub_str wshub_bus_redis__none(void) {
    wshub_str s;
    s.ptr = NULL;
    s.len = 0;
    return s;
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

/* As much of a text as fits, terminated. */
static void wshub_bus_redis__copy(char *to, size_t cap, wshub_str text) {
    size_t n = text.len < cap ? text.len : cap - 1;
    if (n) memcpy(to, text.ptr, n);
    to[n] = 0;
}

/* Broken down to what can be printed on one line: it may be the text of a broker. */
static void wshub_bus_redis__printable(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < 32 || *text == 127) *text = '?';
    }
}

/* ---- entering, leaving, telling ----------------------------------------------------------------
 * Whatever reports to an owner stands between enter and leave, so that the owner may end the bus
 * inside: it is freed by the last to leave. */

/* Our own clock: a turn counts as one heartbeat at most, so that a process that was stopped, or a
 * machine that slept, does not take its own absence for that of the broker. */
static void wshub_bus_redis__clock(wshub_bus_redis *r) {
    uint64_t t = r->io.now_ms(r->io.ctx), passed = t > r->io_now ? t - r->io_now : 0;
    r->io_now = t;
    r->now += passed < r->desc.heartbeat_ms ? passed : r->desc.heartbeat_ms;
}

static void wshub_bus_redis__enter(wshub_bus_redis *r) {
    if (r->depth++ == 0) wshub_bus_redis__clock(r);
}

/* Tells the log. Lines wait until nothing is half done, since on_log may end hub and bus at any of
 * them. */
static void wshub_bus_redis__tell(wshub_bus_redis *r) {
    while (r->lines_count) {
        char line[WSHUB_BUS_REDIS__LINE_BYTES];
        memcpy(line, r->lines[0], sizeof line);
        r->lines_count--;
        memmove(r->lines[0], r->lines[1], (size_t)r->lines_count * sizeof line);
        r->desc.on_log(line, r->desc.user);
    }
}

#ifdef WSHUB_SELF_CHECK
/* How many answers of one kind are to come. */
static uint64_t wshub_bus_redis__owed(const wshub_bus_redis *r, int which,
                                      wshub_bus_redis__what what) {
    const wshub_bus_redis__link *link = &r->links[which];
    uint64_t owed = 0;
    uint32_t i;
    for (i = 0; i < link->cmds_count; i++) {
        const wshub_bus_redis__cmd *cmd = &link->cmds[(link->cmds_head + i) & (link->cmds_cap - 1)];
        WSHUB_ASSERT(cmd->count > 0);
        if (cmd->what == what) owed += cmd->count;
    }
    return owed;
}

/* What is counted apart agrees with what the connections still owe. */
static void wshub_bus_redis__check(const wshub_bus_redis *r) {
    int pub = WSHUB_BUS_REDIS__PUB, sub = WSHUB_BUS_REDIS__SUB;
    WSHUB_ASSERT(wshub_bus_redis__owed(r, pub, WSHUB_BUS_REDIS__PUBLISH) == r->unanswered);
    WSHUB_ASSERT(wshub_bus_redis__owed(r, pub, WSHUB_BUS_REDIS__BEAT) ==
                 r->beats.sent - r->beats.answered);
    WSHUB_ASSERT(wshub_bus_redis__owed(r, pub, WSHUB_BUS_REDIS__REQUEST) == r->requests.count);
    WSHUB_ASSERT(wshub_bus_redis__owed(r, sub, WSHUB_BUS_REDIS__SUBSCRIBE) +
                     wshub_bus_redis__owed(r, sub, WSHUB_BUS_REDIS__UNSUBSCRIBE) +
                     wshub_bus_redis__owed(r, sub, WSHUB_BUS_REDIS__BEAT_CHANNEL) ==
                 r->stats.unacknowledged);
    WSHUB_ASSERT((wshub_bus_redis__owed(r, sub, WSHUB_BUS_REDIS__PROBE) > 0) ==
                 (r->beats.probed > 0));
}
#else
static void wshub_bus_redis__check(const wshub_bus_redis *r) {
    (void)r;
}
#endif

static void wshub_bus_redis__free(wshub_bus_redis *r);

/* The bus may be gone afterwards. */
static void wshub_bus_redis__leave(wshub_bus_redis *r) {
    WSHUB_ASSERT(r->depth > 0);
    if (r->depth == 1) wshub_bus_redis__check(r);
    if (r->depth == 1) wshub_bus_redis__tell(r);
    if (--r->depth == 0 && r->destroyed && !wshub_bus_redis__owned(r)) wshub_bus_redis__free(r);
}

/* Keeps a line for the log. Within one turn the first ones say why, and what is not to be said
 * always is said once a second. */
static void wshub_bus_redis__log(wshub_bus_redis *r, const char *line, bool always) {
    uint64_t second = r->now / 1000 + 1;
    if (!r->desc.on_log || (!always && r->log_second == second)) return;
    if (r->lines_count == WSHUB_BUS_REDIS__LINES) return;

    r->log_second = second;
    (void)snprintf(r->lines[r->lines_count], sizeof r->lines[0], "%s", line);
    wshub_bus_redis__printable(r->lines[r->lines_count++]);
}

/* ---- commands and their order ------------------------------------------------------------------
 * Commands are written behind each other without waiting. What each of them was stands in the
 * connection's ring, and answers come in that order. */

static wshub_bus_redis__cmd *wshub_bus_redis__cmd_at(const wshub_bus_redis__link *link,
                                                     uint32_t i) {
    WSHUB_ASSERT(i < link->cmds_count);
    return &link->cmds[(link->cmds_head + i) & (link->cmds_cap - 1)];
}

/* Makes room in the ring for one entry more. False: out of memory. */
static bool wshub_bus_redis__cmd_room(wshub_bus_redis *r, wshub_bus_redis__link *link) {
    uint32_t cap = link->cmds_cap ? link->cmds_cap * 2 : 16, i;
    wshub_bus_redis__cmd *cmds;
    if (link->cmds_count < link->cmds_cap) return true;

    cmds = (wshub_bus_redis__cmd *)wshub_bus_redis__alloc(&r->desc, NULL, 0, cap * sizeof *cmds);
    if (!cmds) return false;
    for (i = 0; i < link->cmds_count; i++) cmds[i] = *wshub_bus_redis__cmd_at(link, i);
    if (link->cmds)
        (void)wshub_bus_redis__alloc(&r->desc, link->cmds, link->cmds_cap * sizeof *cmds, 0);

    link->cmds = cmds;
    link->cmds_cap = cap;
    link->cmds_head = 0;
    WSHUB_ASSERT(link->cmds_count < cap);
    WSHUB_ASSERT((cap & (cap - 1)) == 0);
    return true;
}

/* Notes that so many answers of a kind will come, behind those that are noted. */
static bool wshub_bus_redis__cmd_add(wshub_bus_redis *r, wshub_bus_redis__link *link,
                                     wshub_bus_redis__what what, uint32_t count) {
    wshub_bus_redis__cmd *last;
    WSHUB_ASSERT(count > 0);
    WSHUB_ASSERT(wshub_bus_redis__open(link));
    if (!link->cmds_count) link->progress = r->now;

    last = link->cmds_count ? wshub_bus_redis__cmd_at(link, link->cmds_count - 1) : NULL;
    if (last && last->what == what && last->count < UINT32_MAX - count) {
        last->count += count;
        return true;
    }

    if (!wshub_bus_redis__cmd_room(r, link)) return false;
    link->cmds_count++;
    last = wshub_bus_redis__cmd_at(link, link->cmds_count - 1);
    last->what = what;
    last->count = count;
    return true;
}

/* Takes back what cmd_add() has just noted. */
static void wshub_bus_redis__cmd_undo(wshub_bus_redis__link *link, uint32_t count) {
    wshub_bus_redis__cmd *last = wshub_bus_redis__cmd_at(link, link->cmds_count - 1);
    WSHUB_ASSERT(last->count >= count);
    last->count -= count;
    if (!last->count) link->cmds_count--;
}

/* One answer has come: says to what. */
static wshub_bus_redis__what wshub_bus_redis__cmd_done(wshub_bus_redis__link *link) {
    wshub_bus_redis__cmd *first = wshub_bus_redis__cmd_at(link, 0);
    wshub_bus_redis__what what = first->what;
    WSHUB_ASSERT(first->count > 0);
    if (--first->count == 0) {
        link->cmds_head = (link->cmds_head + 1) & (link->cmds_cap - 1);
        link->cmds_count--;
    }
    return what;
}

/* Whether the next answer is to a command of that kind. */
static bool wshub_bus_redis__next_is(const wshub_bus_redis__link *link,
                                     wshub_bus_redis__what what) {
    return link->cmds_count && wshub_bus_redis__cmd_at(link, 0)->what == what;
}

/* Whether any answer that is to come is to a command of that kind. */
static bool wshub_bus_redis__awaits(const wshub_bus_redis__link *link, wshub_bus_redis__what what) {
    uint32_t i;
    for (i = 0; i < link->cmds_count; i++) {
        if (wshub_bus_redis__cmd_at(link, i)->what == what) return true;
    }
    return false;
}

/* Writes the head of a RESP value: its kind and a number. */
static void wshub_bus_redis__head(uint8_t **at, char kind, size_t n) {
    uint64_t limit = 10; /* what has one digit more than was counted begins there */
    size_t digits = 1, i;
    uint8_t *p = *at;
    for (; n >= limit && digits < 19; limit *= 10) digits++;

    *p++ = (uint8_t)kind;
    for (i = digits; i-- > 0; n /= 10) p[i] = (uint8_t)('0' + n % 10);
    p += digits;
    *p++ = '\r';
    *p++ = '\n';
    *at = p;
}

/* Writes a word, with something before it. */
static void wshub_bus_redis__word(uint8_t **at, wshub_str before, wshub_str word) {
    wshub_bus_redis__head(at, '$', before.len + word.len);
    if (before.len) memcpy(*at, before.ptr, before.len);
    if (word.len) memcpy(*at + before.len, word.ptr, word.len);
    *at += before.len + word.len;
    *(*at)++ = '\r';
    *(*at)++ = '\n';
}

/* The words of a command. Before each of args[from] to args[to - 1] goes `prefix`. */
typedef struct wshub_bus_redis__words {
    const wshub_str *args;
    size_t count, from, to;
    wshub_str prefix;
} wshub_bus_redis__words;

static wshub_bus_redis__words wshub_bus_redis__plain(const wshub_str *args, size_t count) {
    wshub_bus_redis__words w;
    w.args = args;
    w.count = count;
    w.from = w.to = count;
    w.prefix = wshub_bus_redis__none();
    return w;
}

/* What goes before the name of a channel, or before a pattern of names. */
static wshub_str wshub_bus_redis__prefix(const wshub_bus_redis *r, bool pattern) {
    wshub_str prefix;
    prefix.ptr = pattern ? r->glob : r->desc.channel_prefix;
    prefix.len = pattern ? r->glob_len : r->prefix_len;
    return prefix;
}

/* Writes a command to a connection of our own. */
static bool wshub_bus_redis__command_write(wshub_bus_redis *r, wshub_bus_redis__link *link,
                                           wshub_bus_redis__what what, uint32_t answers,
                                           const wshub_bus_redis__words *w) {
    enum { HEAD_BYTES = 32 }; /* the head and the end of a word or of the whole, at most */
    size_t bytes = HEAD_BYTES, i;
    uint8_t *at;
    for (i = 0; i < w->count; i++) bytes += w->args[i].len + w->prefix.len + HEAD_BYTES;
    if (!wshub_bus_redis__room(r, &link->out, bytes) ||
        !wshub_bus_redis__cmd_add(r, link, what, answers))
        return false;
    WSHUB_ASSERT(link->out.cap - link->out.len >= bytes);

    at = link->out.ptr + link->out.len;
    wshub_bus_redis__head(&at, '*', w->count);
    for (i = 0; i < w->count; i++) {
        bool prefixed = i >= w->from && i < w->to;
        wshub_bus_redis__word(&at, prefixed ? w->prefix : wshub_bus_redis__none(), w->args[i]);
    }

    WSHUB_ASSERT((size_t)(at - link->out.ptr) <= link->out.len + bytes);
    link->out.len = (size_t)(at - link->out.ptr);
    return true;
}

/* Gives a command to a connection of a driver. */
static bool wshub_bus_redis__command_hand(wshub_bus_redis *r, int which, wshub_bus_redis__what what,
                                          uint32_t answers, const wshub_bus_redis__words *w) {
    const wshub_bus_redis_driver *driver = r->desc.driver;
    wshub_bus_redis__link *link = &r->links[which];
    if (!wshub_bus_redis__cmd_add(r, link, what, answers)) return false;
    if (driver->command(driver->ctx, which, w->args, w->count, w->from, w->to, w->prefix))
        return true;

    wshub_bus_redis__cmd_undo(link, answers); /* no answer will come */
    return false;
}

/* Says a command that will have so many answers. False: out of memory, nothing was said. */
static bool wshub_bus_redis__command(wshub_bus_redis *r, int which, wshub_bus_redis__what what,
                                     uint32_t answers, const wshub_bus_redis__words *w) {
    WSHUB_ASSERT(wshub_bus_redis__open(&r->links[which]));
    WSHUB_ASSERT(w->count <= WSHUB_BUS_REDIS_WORDS_MAX);
    if (r->desc.driver) return wshub_bus_redis__command_hand(r, which, what, answers, w);
    return wshub_bus_redis__command_write(r, &r->links[which], what, answers, w);
}

/* Says a command of terminated words, up to the first NULL; it has one answer. */
static bool wshub_bus_redis__say(wshub_bus_redis *r, int which, wshub_bus_redis__what what,
                                 const char *a, const char *b, const char *c) {
    wshub_bus_redis__words w;
    wshub_str args[3];
    size_t n = 0;
    args[n++] = wshub_str_z(a);
    if (b) args[n++] = wshub_str_z(b);
    if (b && c) args[n++] = wshub_str_z(c);
    w = wshub_bus_redis__plain(args, n);
    return wshub_bus_redis__command(r, which, what, 1, &w);
}

/* ---- sending -----------------------------------------------------------------------------------
 * What was written leaves at the end of a turn, in one call for each connection. */

static void wshub_bus_redis__flight_free(wshub_bus_redis *r, wshub_bus_redis__flight *f) {
    wshub_bus_redis__release(r, &f->bytes);
    (void)wshub_bus_redis__alloc(&r->desc, f, sizeof *f, 0);
}

/* A completion io took everything and copied nothing: the bytes stay where they are until it has
 * reported them. */
static void wshub_bus_redis__flight_begin(wshub_bus_redis *r, wshub_bus_redis__link *link) {
    wshub_bus_redis__flight *f = r->spare;
    WSHUB_ASSERT(f);
    WSHUB_ASSERT(link->out.at < link->out.len);
    WSHUB_ASSERT(!link->blocked);
    r->spare = NULL;
    f->next = r->flights;
    f->conn = link->conn.id;
    f->bytes = link->out;
    r->flights = f;
    memset(&link->out, 0, sizeof link->out);
    link->blocked = true;
}

static void wshub_bus_redis__send(wshub_bus_redis *r, wshub_bus_redis__link *link) {
    wshub_bus_redis__bytes *out = &link->out;
    wshub_span s;
    int64_t took;
    if (!wshub_bus_redis__open(link) || link->blocked || out->at == out->len) return;
    WSHUB_ASSERT(!r->desc.driver);

    /* Whether the io completes is known only once it has the bytes: a flight is ready before. When
     * there is no memory for one, there is a next turn. */
    if (!r->spare)
        r->spare =
            (wshub_bus_redis__flight *)wshub_bus_redis__alloc(&r->desc, NULL, 0, sizeof *r->spare);
    if (!r->spare) return;

    s.ptr = out->ptr + out->at;
    s.len = out->len - out->at;
    took = r->io.send(r->io.ctx, link->conn, &s, 1);
    if (took == WSHUB_IO_PENDING) {
        wshub_bus_redis__flight_begin(r, link);
        return;
    }

    WSHUB_ASSERT(took >= 0 && (size_t)took <= s.len);
    out->at += (size_t)took;
    link->blocked = (size_t)took < s.len;
    if (out->at < out->len) return;

    /* Empty again: what has grown for a burst goes. */
    out->at = out->len = 0;
    if (out->cap > (size_t)r->desc.output_bytes_max) wshub_bus_redis__release(r, out);
}

/* Bytes that were given and have not been sent. */
static size_t wshub_bus_redis__waiting(const wshub_bus_redis *r, int which) {
    const wshub_bus_redis__link *link = &r->links[which];
    const wshub_bus_redis_driver *driver = r->desc.driver;
    if (!driver) return link->out.len - link->out.at;
    return wshub_bus_redis__open(link) ? driver->waiting(driver->ctx, which) : 0;
}

static bool wshub_bus_redis__full(const wshub_bus_redis *r, int which) {
    return wshub_bus_redis__waiting(r, which) >= r->desc.output_bytes_max;
}

/* Tells the owner that a publish() that was short may go on. */
static void wshub_bus_redis__room_again(wshub_bus_redis *r) {
    if (!r->publish_short || r->state != WSHUB_BUS_REDIS__UP) return;
    if (wshub_bus_redis__full(r, WSHUB_BUS_REDIS__PUB)) return;
    WSHUB_ASSERT(r->depth > 0);

    r->publish_short = false;
    if (r->owner.room)
        r->owner.room(r->owner.ctx);
    else if (r->owner.wake)
        r->owner.wake(r->owner.ctx);
}

/* ---- requests ----------------------------------------------------------------------------------
 * wshub_bus_request() has its own ring: which command is one stands in that of the publishing
 * connection, who waits for it stands here, in the same order.
 * Proved by tests/test_redis_request.c. */

/* Makes room for one more. False: out of memory. */
static bool wshub_bus_redis__request_room(wshub_bus_redis *r) {
    wshub_bus_redis__requests *q = &r->requests;
    wshub_bus_redis__request *ring;
    uint32_t cap = q->cap ? q->cap * 2 : 16, i;
    WSHUB_ASSERT(q->count <= q->cap);
    if (q->count < q->cap) return true;

    ring =
        (wshub_bus_redis__request *)wshub_bus_redis__alloc(&r->desc, NULL, 0, cap * sizeof *ring);
    if (!ring) return false;
    for (i = 0; i < q->count; i++) ring[i] = q->ring[(q->head + i) & (q->cap - 1)];
    if (q->ring) (void)wshub_bus_redis__alloc(&r->desc, q->ring, q->cap * sizeof *ring, 0);

    q->ring = ring;
    q->cap = cap;
    q->head = 0;
    WSHUB_ASSERT(q->count < q->cap);
    return true;
}

static void wshub_bus_redis__request_push(wshub_bus_redis__requests *q,
                                          wshub_bus_redis__request request) {
    WSHUB_ASSERT(request.on_reply);
    WSHUB_ASSERT(q->count < q->cap);
    q->ring[(q->head + q->count++) & (q->cap - 1)] = request;
}

static wshub_bus_redis__request wshub_bus_redis__request_pop(wshub_bus_redis__requests *q) {
    wshub_bus_redis__request request = q->ring[q->head];
    WSHUB_ASSERT(q->count > 0);
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    return request;
}

/* What would change the connection that messages are published on, or hold up all that is
 * behind it. `word`: only with that word, which is looked for from argv[from] on, in so many
 * words; behind STREAMS stand names. */
typedef struct wshub_bus_redis__unfit {
    const char *command, *word;
    size_t from, words;
    const char *why;
} wshub_bus_redis__unfit;

#define WSHUB_BUS_REDIS__SUBSCRIBES                                                                \
    "request: it would make the connection a subscriber's, or is not answered by one reply"
#define WSHUB_BUS_REDIS__GATHERS                                                                   \
    "request: in a transaction what others publish would be gathered, too; a script does as well"
#define WSHUB_BUS_REDIS__IS_OURS "request: who we are, where and how is the description's"
#define WSHUB_BUS_REDIS__ENDS "request: it would end the connection or make it another"
#define WSHUB_BUS_REDIS__SILENCES "request: answers would stay away, or come that nobody asked for"
#define WSHUB_BUS_REDIS__BLOCKS                                                                    \
    "request: it waits, and all that is published would wait behind it; ask again later instead"
#define WSHUB_BUS_REDIS__REDIRECTS "request: it changes what a node of a Cluster answers to others"

/* clang-format off */
static const wshub_bus_redis__unfit wshub_bus_redis__unfits[] = {
    {"SUBSCRIBE",    NULL,       0, 0, WSHUB_BUS_REDIS__SUBSCRIBES},
    {"PSUBSCRIBE",   NULL,       0, 0, WSHUB_BUS_REDIS__SUBSCRIBES},
    {"SSUBSCRIBE",   NULL,       0, 0, WSHUB_BUS_REDIS__SUBSCRIBES},
    {"UNSUBSCRIBE",  NULL,       0, 0, WSHUB_BUS_REDIS__SUBSCRIBES},
    {"PUNSUBSCRIBE", NULL,       0, 0, WSHUB_BUS_REDIS__SUBSCRIBES},
    {"SUNSUBSCRIBE", NULL,       0, 0, WSHUB_BUS_REDIS__SUBSCRIBES},
    {"MULTI",        NULL,       0, 0, WSHUB_BUS_REDIS__GATHERS},
    {"EXEC",         NULL,       0, 0, WSHUB_BUS_REDIS__GATHERS},
    {"DISCARD",      NULL,       0, 0, WSHUB_BUS_REDIS__GATHERS},
    {"WATCH",        NULL,       0, 0, WSHUB_BUS_REDIS__GATHERS},
    {"UNWATCH",      NULL,       0, 0, WSHUB_BUS_REDIS__GATHERS},
    {"HELLO",        NULL,       0, 0, WSHUB_BUS_REDIS__IS_OURS},
    {"AUTH",         NULL,       0, 0, WSHUB_BUS_REDIS__IS_OURS},
    {"SELECT",       NULL,       0, 0, WSHUB_BUS_REDIS__IS_OURS},
    {"CLIENT",       "SETNAME",  1, 1, WSHUB_BUS_REDIS__IS_OURS},
    {"CLIENT",       "SETINFO",  1, 1, WSHUB_BUS_REDIS__IS_OURS},
    {"CLIENT",       "NO-EVICT", 1, 1, WSHUB_BUS_REDIS__IS_OURS},
    {"CLIENT",       "NO-TOUCH", 1, 1, WSHUB_BUS_REDIS__IS_OURS},
    {"QUIT",         NULL,       0, 0, WSHUB_BUS_REDIS__ENDS},
    {"RESET",        NULL,       0, 0, WSHUB_BUS_REDIS__ENDS},
    {"SYNC",         NULL,       0, 0, WSHUB_BUS_REDIS__ENDS},
    {"PSYNC",        NULL,       0, 0, WSHUB_BUS_REDIS__ENDS},
    {"REPLCONF",     NULL,       0, 0, WSHUB_BUS_REDIS__ENDS},
    {"SCRIPT",       "DEBUG",    1, 1, WSHUB_BUS_REDIS__ENDS},
    {"MONITOR",      NULL,       0, 0, WSHUB_BUS_REDIS__SILENCES},
    {"CLIENT",       "REPLY",    1, 1, WSHUB_BUS_REDIS__SILENCES},
    {"CLIENT",       "TRACKING", 1, 1, WSHUB_BUS_REDIS__SILENCES},
    {"CLIENT",       "CACHING",  1, 1, WSHUB_BUS_REDIS__SILENCES},
    {"ASKING",       NULL,       0, 0, WSHUB_BUS_REDIS__REDIRECTS},
    {"READONLY",     NULL,       0, 0, WSHUB_BUS_REDIS__REDIRECTS},
    {"READWRITE",    NULL,       0, 0, WSHUB_BUS_REDIS__REDIRECTS},
    {"BLPOP",        NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"BRPOP",        NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"BRPOPLPUSH",   NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"BLMOVE",       NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"BLMPOP",       NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"BZPOPMIN",     NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"BZPOPMAX",     NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"BZMPOP",       NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"WAIT",         NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"WAITAOF",      NULL,       0, 0, WSHUB_BUS_REDIS__BLOCKS},
    {"XREAD",        "BLOCK",    1, WSHUB_BUS_REDIS_WORDS_MAX, WSHUB_BUS_REDIS__BLOCKS},
    {"XREADGROUP",   "BLOCK",    4, WSHUB_BUS_REDIS_WORDS_MAX, WSHUB_BUS_REDIS__BLOCKS},
};
/* clang-format on */
#undef WSHUB_BUS_REDIS__SUBSCRIBES
#undef WSHUB_BUS_REDIS__GATHERS
#undef WSHUB_BUS_REDIS__IS_OURS
#undef WSHUB_BUS_REDIS__ENDS
#undef WSHUB_BUS_REDIS__SILENCES
#undef WSHUB_BUS_REDIS__BLOCKS
#undef WSHUB_BUS_REDIS__REDIRECTS

/* Whether a word is that, in any case, as brokers compare commands. */
static bool wshub_bus_redis__is_word(wshub_str word, const char *upper) {
    size_t i;
    for (i = 0; i < word.len && upper[i]; i++) {
        char c = word.ptr[i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (c != upper[i]) return false;
    }
    return i == word.len && !upper[i];
}

static bool wshub_bus_redis__is_unfit(const wshub_bus_redis__unfit *unfit, const wshub_str *argv,
                                      size_t argc) {
    size_t i;
    if (!wshub_bus_redis__is_word(argv[0], unfit->command)) return false;
    for (i = unfit->from; i < argc && i < unfit->from + unfit->words; i++) {
        if (wshub_bus_redis__is_word(argv[i], "STREAMS")) return false; /* names begin */
        if (wshub_bus_redis__is_word(argv[i], unfit->word)) return true;
    }
    return !unfit->word;
}

WSHUB_API const char *wshub_bus_redis_request_problem(const wshub_str *argv, size_t argc) {
    const wshub_bus_redis__unfit *unfit = wshub_bus_redis__unfits;
    size_t i, count = sizeof wshub_bus_redis__unfits / sizeof *unfit;
    if (!argv || !argc || !argv[0].len) return "request: a command is required";
    if (argc > WSHUB_BUS_REDIS_WORDS_MAX) return "request: at most WSHUB_BUS_REDIS_WORDS_MAX words";
    for (i = 0; i < count; i++, unfit++) {
        if (wshub_bus_redis__is_unfit(unfit, argv, argc)) return unfit->why;
    }
    return NULL;
}

/* ---- connections -------------------------------------------------------------------------------
 * Dialling, the first commands, and the one way in which everything is lost. */

/* Closes a connection, whatever its state, and forgets all about it. */
static void wshub_bus_redis__link_close(wshub_bus_redis *r, int which, bool flush) {
    wshub_bus_redis__link *link = &r->links[which];
    wshub_conn conn = link->conn;
    bool there = wshub_bus_redis__there(link);
    if (link->state == WSHUB_BUS_REDIS__LINK_NONE) return;

    wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_NONE);
    if (there && r->desc.driver)
        r->desc.driver->close(r->desc.driver->ctx, which, flush);
    else if (there)
        r->io.close(r->io.ctx, conn, flush);

    wshub_bus_redis__release(r, &link->in);
    wshub_bus_redis__release(r, &link->out);
    link->blocked = link->cut = false;
    link->said[0] = 0;
    link->skip = 0;
    link->cmds_head = link->cmds_count = 0;
    WSHUB_ASSERT(!link->conn.id);
}

static bool wshub_bus_redis__link_open(wshub_bus_redis *r, int which, const char *address) {
    wshub_bus_redis__link *link = &r->links[which];
    const wshub_bus_redis_driver *driver = r->desc.driver;
    wshub_dial dial;
    bool begun;
    WSHUB_ASSERT(!link->cmds_count);
    WSHUB_ASSERT(!link->in.len && !link->out.len);
    wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_DIALLING);
    link->progress = r->now;
    memset(&dial, 0, sizeof dial);
    dial.address = address;
    dial.secure = r->desc.tls;

    if (driver) {
        link->conn.id = 1;
        begun = driver->open(driver->ctx, r, which, address);
    } else {
        begun = r->io.connect(r->io.ctx, r, &dial, &link->conn) == WSHUB_OK;
    }
    if (!begun) wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_NONE);
    WSHUB_ASSERT(!begun == !link->conn.id);
    return begun;
}

/* Opens those connections that carry messages. */
static bool wshub_bus_redis__dial(wshub_bus_redis *r, const char *address) {
    WSHUB_ASSERT(r->state == WSHUB_BUS_REDIS__GREETING);
    return wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__PUB, address) &&
           (r->desc.publish_only || wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__SUB, address));
}

/* Full or half of it, by chance: hubs that lost their broker together do not come back in step. */
static uint64_t wshub_bus_redis__jitter(wshub_bus_redis *r, uint64_t ms) {
    uint8_t b[2] = {0, 0};
    (void)r->io.random(r->io.ctx, b, 2);
    WSHUB_ASSERT(ms <= UINT32_MAX);
    return ms / 2 + (ms - ms / 2) * (uint64_t)(b[0] << 8 | b[1]) / 65535;
}

/* Sets when the next attempt begins, and where. The wait grows once each address has been tried. */
static void wshub_bus_redis__schedule(wshub_bus_redis *r) {
    uint64_t step = r->failures / r->addresses_count, wait = r->desc.retry_max_ms;
    WSHUB_ASSERT(r->state == WSHUB_BUS_REDIS__WAITING);
    WSHUB_ASSERT(r->addresses_count > 0);
    if (step < 16) wait = (uint64_t)r->desc.retry_min_ms << step;
    if (wait > r->desc.retry_max_ms) wait = r->desc.retry_max_ms;

    r->address_at = (r->address_at + 1) % r->addresses_count;
    r->retry_at = r->now + wshub_bus_redis__jitter(r, wait);
    r->failures++;
}

/* Whoever waits for the answer to a request is told that it will not come. Each may call anything,
 * also leave the bus, which comes back here: so each is taken off before it is told. */
static void wshub_bus_redis__lose_requests(wshub_bus_redis *r) {
    WSHUB_ASSERT(r->depth > 0);
    while (r->requests.count) {
        wshub_bus_redis__request request = wshub_bus_redis__request_pop(&r->requests);
        r->stats.requests_lost++;
        request.on_reply(request.arg, NULL);
    }
}

/* Everything is closed, the owner is told, the next attempt is set. A connection that owes an
 * answer is never used again. The owner may have left the bus afterwards. */
static void wshub_bus_redis__fail(wshub_bus_redis *r, const char *why, wshub_str detail) {
    bool was_up = r->state == WSHUB_BUS_REDIS__UP;
    bool told = wshub_bus_redis__told(r) != WSHUB_BUS_DOWN;
    char line[WSHUB_BUS_REDIS__LINE_BYTES], text[WSHUB_BUS_REDIS__SAID_BYTES + 1];
    int which;
    if (r->state <= WSHUB_BUS_REDIS__WAITING) return;
    WSHUB_ASSERT(r->depth > 0);
    WSHUB_ASSERT(was_up || !r->unanswered);

    wshub_bus_redis__copy(text, sizeof text, detail);
    (void)snprintf(r->error, sizeof r->error, "%s%s%s", why, text[0] ? ": " : "", text);
    wshub_bus_redis__printable(r->error);
    (void)snprintf(line, sizeof line, "%s %s: %s; trying again", was_up ? "lost" : "cannot use",
                   wshub_bus_redis_address(r), r->error);

    r->stats.unconfirmed += r->unanswered;
    r->stats.downs += was_up;
    for (which = 0; which < WSHUB_BUS_REDIS__LINKS; which++)
        wshub_bus_redis__link_close(r, which, false);
    wshub_bus_redis__to(r, WSHUB_BUS_REDIS__WAITING);

    /* After a good connection it begins anew, with the shortest wait. */
    if (was_up && r->now - r->up_since >= WSHUB_BUS_REDIS__GOOD_MS) r->failures = 0;
    wshub_bus_redis__schedule(r);

    wshub_bus_redis__log(r, line, was_up);
    if (told) r->owner.state(r->owner.ctx, WSHUB_BUS_DOWN);
    wshub_bus_redis__lose_requests(r);
}

static void wshub_bus_redis__fail_plain(wshub_bus_redis *r, const char *why) {
    wshub_bus_redis__fail(r, why, wshub_bus_redis__none());
}

static void wshub_bus_redis__fail_memory(wshub_bus_redis *r) {
    wshub_bus_redis__fail_plain(r, "out of memory");
}

/* Fails with what is to be done about it behind the text of the broker. */
static void wshub_bus_redis__fail_hint(wshub_bus_redis *r, const char *why, wshub_str text,
                                       const char *hint) {
    char said[111], both[WSHUB_BUS_REDIS__SAID_BYTES + 1];
    wshub_bus_redis__copy(said, sizeof said, text);
    (void)snprintf(both, sizeof both, "%s%s", said, hint);
    wshub_bus_redis__fail(r, why, wshub_str_z(both));
}

/* A connection is of no use any more. A sentinel that is only watched takes the bus down with it
 * least of all: another one is asked with the next heartbeat. */
static void wshub_bus_redis__link_fail(wshub_bus_redis *r, int which, const char *why,
                                       wshub_str detail) {
    WSHUB_ASSERT(r->links[which].state != WSHUB_BUS_REDIS__LINK_NONE);
    if (which == WSHUB_BUS_REDIS__SENTINEL && r->state != WSHUB_BUS_REDIS__ASKING)
        wshub_bus_redis__link_close(r, which, false);
    else
        wshub_bus_redis__fail(r, why, detail);
}

/* What the io or the driver says of the last failure. */
static const char *wshub_bus_redis__io_error(const wshub_bus_redis *r, const char *otherwise) {
    if (r->desc.driver) return r->desc.driver->error(r->desc.driver->ctx);
    return r->io.error ? r->io.error(r->io.ctx) : otherwise;
}

static void wshub_bus_redis__attempt(wshub_bus_redis *r) {
    const char *address = r->addresses[r->address_at];
    bool begun;
    WSHUB_ASSERT(r->depth > 0);
    WSHUB_ASSERT(r->address_at < r->addresses_count);
    r->stats.attempts++;
    r->deadline = r->now + r->desc.connect_timeout_ms;
    r->short_of_room = r->half_done = r->publish_short = false;
    r->known_len = 0;
    r->asks_role = true;

    if (r->desc.sentinel) {
        wshub_bus_redis__to(r, WSHUB_BUS_REDIS__ASKING);
        r->master[0] = 0;
        begun = wshub_bus_redis__link_open(r, WSHUB_BUS_REDIS__SENTINEL, address);
    } else {
        wshub_bus_redis__to(r, WSHUB_BUS_REDIS__GREETING);
        begun = wshub_bus_redis__dial(r, address);
    }
    if (!begun) wshub_bus_redis__fail_plain(r, wshub_bus_redis__io_error(r, "cannot connect"));
}

static bool wshub_bus_redis__greet_auth(wshub_bus_redis *r, int which, const char *user,
                                        const char *password) {
    if (!password || !*password) return true;
    if (!user || !*user)
        return wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__AUTH, "AUTH", password, NULL);
    return wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__AUTH, "AUTH", user, password);
}

/* Where the master is, and tell us when that changes. */
static bool wshub_bus_redis__greet_sentinel(wshub_bus_redis *r) {
    int which = WSHUB_BUS_REDIS__SENTINEL;
    WSHUB_ASSERT(r->desc.sentinel);
    return wshub_bus_redis__greet_auth(r, which, r->desc.sentinel_user,
                                       r->desc.sentinel_password) &&
           wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__MASTER, "SENTINEL",
                                "get-master-addr-by-name", r->desc.sentinel) &&
           wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__WATCH, "SUBSCRIBE", "+switch-master",
                                NULL);
}

/* Who we are, in which dialect, and what the broker is. Drivers keep to RESP2. */
static bool wshub_bus_redis__greet_broker(wshub_bus_redis *r, int which) {
    bool ok = wshub_bus_redis__greet_auth(r, which, r->user, r->password);
    WSHUB_ASSERT(which != WSHUB_BUS_REDIS__SENTINEL);
    if (r->desc.resp3 && !r->resp2_only && !r->desc.driver)
        ok = ok && wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__HELLO, "HELLO", "3", NULL);
    if (*r->desc.client_name)
        ok = ok && wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__SETNAME, "CLIENT", "SETNAME",
                                        r->desc.client_name);
    if (*r->db && strcmp(r->db, "0") != 0)
        ok = ok && wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__SELECT, "SELECT", r->db, NULL);

    return ok && wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__ROLE, "ROLE", NULL, NULL) &&
           wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__READY, "PING", NULL, NULL);
}

/* A connection is there: its first commands leave in one piece, without waiting for answers. */
static void wshub_bus_redis__greet(wshub_bus_redis *r, int which) {
    bool ok;
    WSHUB_ASSERT(r->depth > 0);
    WSHUB_ASSERT(r->state > WSHUB_BUS_REDIS__WAITING);
    wshub_bus_redis__link_to(&r->links[which], WSHUB_BUS_REDIS__LINK_GREETING);
    r->links[which].progress = r->now;
    ok = which == WSHUB_BUS_REDIS__SENTINEL ? wshub_bus_redis__greet_sentinel(r)
                                            : wshub_bus_redis__greet_broker(r, which);
    if (ok)
        wshub_bus_redis__send(r, &r->links[which]);
    else
        wshub_bus_redis__fail_memory(r);
}

/* Once both connections have said that they will do, the owner subscribes to all that it wants,
 * inside the report, behind the channel of our heartbeat. */
static void wshub_bus_redis__greeted(wshub_bus_redis *r) {
    if (r->state != WSHUB_BUS_REDIS__GREETING || !wshub_bus_redis__all_ready(r)) return;
    WSHUB_ASSERT(!r->stats.unacknowledged);
    wshub_bus_redis__to(r, WSHUB_BUS_REDIS__FILLING);

    if (!r->desc.publish_only && !r->desc.no_heartbeat) {
        if (!wshub_bus_redis__say(r, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__BEAT_CHANNEL,
                                  "SUBSCRIBE", r->beat, NULL)) {
            wshub_bus_redis__fail_memory(r);
            return;
        }
        r->stats.unacknowledged++;
    }
    r->owner.state(r->owner.ctx, WSHUB_BUS_CONNECTED);
}

/* Every subscription is acknowledged. */
static void wshub_bus_redis__up(wshub_bus_redis *r) {
    char line[WSHUB_BUS_REDIS__LINE_BYTES];
    WSHUB_ASSERT(!r->unanswered);
    wshub_bus_redis__to(r, WSHUB_BUS_REDIS__UP);
    r->stats.ups++;
    r->up_since = r->beats.next_at = r->now;
    r->beats.late_at = 0;

    if (r->failures || r->stats.ups > 1) {
        (void)snprintf(line, sizeof line, "back at %s", wshub_bus_redis_address(r));
        wshub_bus_redis__log(r, line, true);
    }
    r->owner.state(r->owner.ctx, WSHUB_BUS_UP);
}

/* ---- answers -----------------------------------------------------------------------------------
 * What a broker says: messages, acknowledgements, and the answer to the oldest command. Nothing of
 * it is trusted: what does not fit ends the connection, and no assertion is reached by it. A
 * function that calls fail() or the owner returns at once, for the bus may be another then. */

static bool wshub_bus_redis__is_error(const wshub_resp *reply) {
    return reply->value.kind == '-' || reply->value.kind == '!';
}

/* A sentinel's answer, or its news that another is master now. */
static void wshub_bus_redis__master(wshub_bus_redis *r, wshub_str host, wshub_str port) {
    char address[WSHUB_BUS_REDIS__MASTER_BYTES];
    bool v6 = host.len && memchr(host.ptr, ':', host.len) != NULL;
    if (!host.len || host.len > 255 || !port.len || port.len > 5) {
        wshub_bus_redis__link_fail(r, WSHUB_BUS_REDIS__SENTINEL,
                                   "the sentinel's answer is no address", wshub_bus_redis__none());
        return;
    }
    (void)snprintf(address, sizeof address, v6 ? "[%.*s]:%.*s" : "%.*s:%.*s", (int)host.len,
                   host.ptr, (int)port.len, port.ptr);

    /* It moved while it was in use: the next attempt, at once, asks for it anew. */
    if (r->state != WSHUB_BUS_REDIS__ASKING) {
        if (strcmp(address, r->master) == 0) return;
        wshub_bus_redis__fail(r, "the master has moved to", wshub_str_z(address));
        r->retry_at = r->now;
        return;
    }

    WSHUB_ASSERT(!wshub_bus_redis__there(&r->links[WSHUB_BUS_REDIS__PUB]));
    memcpy(r->master, address, sizeof address);
    wshub_bus_redis__to(r, WSHUB_BUS_REDIS__GREETING);
    if (!wshub_bus_redis__dial(r, r->master))
        wshub_bus_redis__fail_plain(r, "cannot connect to the master");
}

/* News of a failover: `name old-host old-port new-host new-port`. */
static void wshub_bus_redis__switched(wshub_bus_redis *r, wshub_str text) {
    wshub_str words[5];
    size_t i, n = 0, at = 0;
    WSHUB_ASSERT(r->desc.sentinel);
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

/* Our heartbeat has come back. It says when it left. */
static void wshub_bus_redis__beat_came(wshub_bus_redis *r, wshub_str payload) {
    const uint8_t *p = (const uint8_t *)payload.ptr;
    int64_t sent = 0;
    r->beats.late_at = 0;
    r->beats.missing = false;
    if (wshub_bus_redis__number(p, p + payload.len, &sent) && (uint64_t)sent <= r->now)
        r->stats.round_trip_ms = r->now - (uint64_t)sent;
}

/* A message. Before the owner has subscribed there are none, whatever the broker says. */
static void wshub_bus_redis__message(wshub_bus_redis *r, wshub_str channel,
                                     const wshub_resp_value *payload) {
    WSHUB_ASSERT(wshub_bus_redis__open(&r->links[WSHUB_BUS_REDIS__SUB]));
    if (r->state < WSHUB_BUS_REDIS__FILLING) return;
    if (payload->kind != '$') { /* it was too large, and has been skipped */
        r->stats.oversized++;
        return;
    }
    if (wshub_str_eq_z(channel, r->beat)) {
        wshub_bus_redis__beat_came(r, payload->text);
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

/* What is published on a replica reaches nobody on its master: only a master will do, or any
 * node of a Cluster. Who may not ask, or is told something else, is content. */
static void wshub_bus_redis__answered_role(wshub_bus_redis *r, int which, const wshub_resp *reply) {
    wshub_str role = reply->items_count ? reply->items[0].text : wshub_bus_redis__none();
    WSHUB_ASSERT(which != WSHUB_BUS_REDIS__SENTINEL);
    if (wshub_bus_redis__is_error(reply)) role = wshub_bus_redis__none();
    if (wshub_str_eq_z(role, "master")) return;

    if (wshub_str_eq_z(role, "sentinel")) {
        wshub_bus_redis__fail_plain(
            r, "a sentinel, which forwards nothing: name its master in desc.sentinel");
        return;
    }
    if (!wshub_str_eq_z(role, "slave")) {
        r->asks_role = false;
        return;
    }

    /* A replica: of a Cluster's? When it was a master before, or a sentinel's word, then not. */
    if (r->links[which].state != WSHUB_BUS_REDIS__LINK_GREETING || r->desc.sentinel) {
        wshub_bus_redis__fail(r, "not a master (yet)", role);
        return;
    }
    wshub_bus_redis__link_to(&r->links[which], WSHUB_BUS_REDIS__LINK_UNSURE);
    if (!wshub_bus_redis__say(r, which, WSHUB_BUS_REDIS__CLUSTER, "INFO", "cluster", NULL))
        wshub_bus_redis__fail_memory(r);
}

static void wshub_bus_redis__answered_cluster(wshub_bus_redis *r, int which,
                                              const wshub_resp *reply) {
    WSHUB_ASSERT(r->links[which].state == WSHUB_BUS_REDIS__LINK_UNSURE);
    if (wshub_bus_redis__is_error(reply) ||
        !wshub_bus_redis__has(reply->value.text, "cluster_enabled:1")) {
        wshub_bus_redis__fail_plain(r, "a replica: what is published there reaches nobody else");
        return;
    }
    r->asks_role = false;
    wshub_bus_redis__link_to(&r->links[which], WSHUB_BUS_REDIS__LINK_READY);
    wshub_bus_redis__greeted(r);
}

/* The greeting is over. A broker that cannot save can still forward. Where its role is in doubt the
 * answer to that, which comes behind this one, decides. */
static void wshub_bus_redis__answered_ready(wshub_bus_redis *r, int which,
                                            const wshub_resp *reply) {
    wshub_bus_redis__link *link = &r->links[which];
    wshub_str text = reply->value.text;
    if (wshub_bus_redis__is_error(reply) && !wshub_bus_redis__begins(text, "MISCONF")) {
        wshub_bus_redis__fail(r, "not ready", text);
        return;
    }
    if (link->state == WSHUB_BUS_REDIS__LINK_UNSURE) return;
    WSHUB_ASSERT(link->state == WSHUB_BUS_REDIS__LINK_GREETING);
    wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_READY);
    wshub_bus_redis__greeted(r);
}

/* RESP3 was refused: what follows is RESP2, and good. */
static void wshub_bus_redis__answered_hello(wshub_bus_redis *r, const wshub_resp *reply) {
    wshub_str text = reply->value.text;
    if (!wshub_bus_redis__is_error(reply)) return;
    if (wshub_bus_redis__has(text, "unknown command") || wshub_bus_redis__begins(text, "NOPROTO"))
        r->resp2_only = true;
}

/* A publication was refused. Who writes to a replica, or is not let in any more, is at the wrong
 * broker. */
static void wshub_bus_redis__publish_refused(wshub_bus_redis *r, wshub_str text) {
    char said[161];
    WSHUB_ASSERT(r->stats.refused < r->stats.published);
    r->stats.refused++;
    wshub_bus_redis__copy(said, sizeof said, text);
    (void)snprintf(r->error, sizeof r->error, "a publication is refused: %s", said);
    wshub_bus_redis__printable(r->error);
    wshub_bus_redis__log(r, r->error, false);
    if (wshub_bus_redis__begins(text, "READONLY") || wshub_bus_redis__begins(text, "NOAUTH"))
        wshub_bus_redis__fail(r, "a publication is refused", text);
}

static void wshub_bus_redis__answered_publish(wshub_bus_redis *r, const wshub_resp *reply) {
    WSHUB_ASSERT(r->unanswered > 0);
    r->unanswered--;
    if (wshub_bus_redis__is_error(reply))
        wshub_bus_redis__publish_refused(r, reply->value.text);
    else if (reply->value.number > 0)
        r->stats.receivers += (uint64_t)reply->value.number;

    /* Somebody waits for the last of them. */
    if (!r->pending_asked || r->unanswered || r->state != WSHUB_BUS_REDIS__UP) return;
    r->pending_asked = false;
    r->publish_short = true;
    wshub_bus_redis__room_again(r);
}

static void wshub_bus_redis__answered_beat(wshub_bus_redis *r, const wshub_resp *reply) {
    r->beats.answered++;
    WSHUB_ASSERT(r->beats.answered <= r->beats.sent);
    if (wshub_bus_redis__is_error(reply))
        wshub_bus_redis__fail_hint(r, "the heartbeat is refused", reply->value.text,
                                   " (allow &wshub:hb:* or set no_heartbeat)");
}

/* What left behind the heartbeat on the subscribing connection was answered. */
static void wshub_bus_redis__probed(wshub_bus_redis *r) {
    WSHUB_ASSERT(r->beats.probed);
    if (r->beats.late_at && r->beats.probed == r->beats.watched) r->beats.missing = true;
    r->beats.probed = 0;
}

/* The answer of a broker to a probe; a driver's probes are acknowledged as subscriptions are. */
static void wshub_bus_redis__answered_probe(wshub_bus_redis *r, const wshub_resp *reply) {
    WSHUB_ASSERT(!r->desc.publish_only);
    if (r->desc.driver)
        wshub_bus_redis__fail(r, "a subscription is refused", reply->value.text);
    else
        wshub_bus_redis__probed(r);
}

static void wshub_bus_redis__answered_master(wshub_bus_redis *r, const wshub_resp *reply) {
    int which = WSHUB_BUS_REDIS__SENTINEL;
    WSHUB_ASSERT(r->links[which].state == WSHUB_BUS_REDIS__LINK_GREETING);
    if (wshub_bus_redis__is_error(reply)) {
        wshub_bus_redis__link_fail(r, which, "the sentinel refuses", reply->value.text);
    } else if (reply->items_count != 2) {
        wshub_bus_redis__link_fail(r, which, "the sentinel knows no master of that name",
                                   wshub_str_z(r->desc.sentinel));
    } else {
        wshub_bus_redis__link_to(&r->links[which], WSHUB_BUS_REDIS__LINK_READY);
        wshub_bus_redis__master(r, reply->items[0].text, reply->items[1].text);
    }
}

/* Subscriptions are acknowledged one by one, elsewhere: here one was refused as a whole. */
static void wshub_bus_redis__subscription_refused(wshub_bus_redis *r, int which, wshub_str text) {
    if (wshub_bus_redis__next_is(&r->links[which], WSHUB_BUS_REDIS__BEAT_CHANNEL))
        wshub_bus_redis__fail_hint(r, "a subscription is refused", text,
                                   " (the heartbeat's: allow &wshub:hb:* or set no_heartbeat)");
    else
        wshub_bus_redis__link_fail(r, which, "a subscription is refused", text);
}

/* What an answer says, to what it was asked. */
static void wshub_bus_redis__understand(wshub_bus_redis *r, int which, wshub_bus_redis__what what,
                                        const wshub_resp *reply) {
    bool error = wshub_bus_redis__is_error(reply);
    wshub_str text = reply->value.text;
    WSHUB_ASSERT(r->depth > 0);

    switch (what) {
    case WSHUB_BUS_REDIS__HELLO: wshub_bus_redis__answered_hello(r, reply); break;
    case WSHUB_BUS_REDIS__AUTH:
        if (error) wshub_bus_redis__fail(r, "authentication is refused", text);
        break;
    case WSHUB_BUS_REDIS__SELECT:
        if (error) wshub_bus_redis__fail(r, "the database is refused", text);
        break;
    case WSHUB_BUS_REDIS__ROLE: wshub_bus_redis__answered_role(r, which, reply); break;
    case WSHUB_BUS_REDIS__CLUSTER: wshub_bus_redis__answered_cluster(r, which, reply); break;
    case WSHUB_BUS_REDIS__READY: wshub_bus_redis__answered_ready(r, which, reply); break;
    case WSHUB_BUS_REDIS__PUBLISH: wshub_bus_redis__answered_publish(r, reply); break;
    case WSHUB_BUS_REDIS__BEAT: wshub_bus_redis__answered_beat(r, reply); break;
    case WSHUB_BUS_REDIS__PROBE: wshub_bus_redis__answered_probe(r, reply); break;
    case WSHUB_BUS_REDIS__MASTER: wshub_bus_redis__answered_master(r, reply); break;
    case WSHUB_BUS_REDIS__SETNAME: /* nice to have */
    case WSHUB_BUS_REDIS__PING:    /* an error is life as well */
    case WSHUB_BUS_REDIS__REQUEST: /* never: wshub_bus_redis_answered() */
    case WSHUB_BUS_REDIS__SUBSCRIBE:
    case WSHUB_BUS_REDIS__BEAT_CHANNEL:
    case WSHUB_BUS_REDIS__UNSUBSCRIBE:
    case WSHUB_BUS_REDIS__WATCH: break; /* never: subscription_refused() */
    }
}

/* An answer to the oldest command. */
static void wshub_bus_redis__answer(wshub_bus_redis *r, int which, const wshub_resp *reply) {
    wshub_bus_redis__link *link = &r->links[which];
    bool error = wshub_bus_redis__is_error(reply);
    wshub_str text = reply->value.text;
    if (!link->cmds_count) {
        wshub_bus_redis__link_fail(r, which, "an answer to no question",
                                   error ? text : wshub_bus_redis__none());
        return;
    }
    if (wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__SUBSCRIBE) ||
        wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__UNSUBSCRIBE) ||
        wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__WATCH) ||
        wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__BEAT_CHANNEL)) {
        wshub_bus_redis__subscription_refused(r, which, text);
        return;
    }

    WSHUB_ASSERT(!wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__REQUEST));
    if (error) wshub_bus_redis__copy(link->said, sizeof link->said, text);
    wshub_bus_redis__understand(r, which, wshub_bus_redis__cmd_done(link), reply);
}

/* Takes a reply as a message, if it is one. Of a sentinel there is one kind, that of its news. */
static bool wshub_bus_redis__heard_message(wshub_bus_redis *r, int which, const wshub_resp *reply) {
    const wshub_resp_value *items = reply->items;
    WSHUB_ASSERT(which != WSHUB_BUS_REDIS__PUB);
    if (reply->items_count == 3 && wshub_str_eq_z(items[0].text, "message")) {
        if (which == WSHUB_BUS_REDIS__SENTINEL)
            wshub_bus_redis__switched(r, items[2].text);
        else
            wshub_bus_redis__message(r, items[1].text, &items[2]);
        return true;
    }
    if (which == WSHUB_BUS_REDIS__SUB && reply->items_count == 4 &&
        wshub_str_eq_z(items[0].text, "pmessage")) {
        wshub_bus_redis__message(r, items[2].text, &items[3]);
        return true;
    }
    return false;
}

/* Whether the next command may be acknowledged as a subscription, or as the end of one. */
static bool wshub_bus_redis__acknowledges(const wshub_bus_redis__link *link, bool sub) {
    if (!sub) return wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__UNSUBSCRIBE);
    return wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__SUBSCRIBE) ||
           wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__BEAT_CHANNEL) ||
           wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__PROBE) ||
           wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__WATCH);
}

/* Takes a reply as the acknowledgement of a subscription or of its end, if it is one. */
static bool wshub_bus_redis__heard_acknowledgement(wshub_bus_redis *r, int which,
                                                   const wshub_resp *reply) {
    wshub_bus_redis__link *link = &r->links[which];
    wshub_str kind = reply->items[0].text;
    bool sub = wshub_str_eq_z(kind, "subscribe") || wshub_str_eq_z(kind, "psubscribe");
    bool unsub = wshub_str_eq_z(kind, "unsubscribe") || wshub_str_eq_z(kind, "punsubscribe");
    int64_t now_subscribed = reply->items[2].number, ours;
    WSHUB_ASSERT(which != WSHUB_BUS_REDIS__PUB);
    WSHUB_ASSERT(reply->items_count >= 3);
    if (!sub && !unsub) return false;
    if (!wshub_bus_redis__acknowledges(link, sub)) {
        wshub_bus_redis__link_fail(r, which, "a subscription was taken away", reply->items[1].text);
        return true;
    }

    if (wshub_bus_redis__cmd_done(link) == WSHUB_BUS_REDIS__PROBE) {
        wshub_bus_redis__probed(r);
    } else if (which == WSHUB_BUS_REDIS__SUB) {
        /* The channel of the heartbeat is none of the owner's. A driver may not know (-1). */
        ours = now_subscribed > 0 && !r->desc.no_heartbeat;
        if (now_subscribed >= 0) r->stats.subscribed = (uint64_t)(now_subscribed - ours);
        WSHUB_ASSERT(r->stats.unacknowledged > 0);
        r->stats.unacknowledged--;
    }
    return true;
}

static void wshub_bus_redis__reply(wshub_bus_redis *r, int which, const wshub_resp *reply) {
    bool list = reply->value.kind == '*' || reply->value.kind == '>';
    WSHUB_ASSERT(wshub_bus_redis__open(&r->links[which]));
    if (list && which != WSHUB_BUS_REDIS__PUB && reply->items_count >= 3) {
        if (wshub_bus_redis__heard_message(r, which, reply)) return;
        if (wshub_bus_redis__heard_acknowledgement(r, which, reply)) return;
    }
    if (reply->value.kind == '>') return; /* a push of a kind that nobody asked for */
    wshub_bus_redis__answer(r, which, reply);
}

/* The answer to a request. Whoever waits for it may call anything. */
static void wshub_bus_redis__request_answered(wshub_bus_redis *r, const wshub_bus_reply *reply) {
    wshub_bus_redis__link *link = &r->links[WSHUB_BUS_REDIS__PUB];
    wshub_bus_redis__request request = wshub_bus_redis__request_pop(&r->requests);
    wshub_bus_redis__what what = wshub_bus_redis__cmd_done(link);
    WSHUB_ASSERT(what == WSHUB_BUS_REDIS__REQUEST);
    WSHUB_ASSERT(r->depth > 0);
    (void)what;
    if (reply->kind == WSHUB_BUS_REPLY_ERROR) /* NOLINT: every reply has a kind */
        wshub_bus_redis__copy(link->said, sizeof link->said, reply->text);
    request.on_reply(request.arg, reply);
}

/* ---- reports of the io and of drivers ----------------------------------------------------------
 * The publishing, the subscribing and the watching connection are told apart by the number that the
 * io gave them, and one that was closed by us is none of ours any more. */

/* Which connection it is. -1: none of ours. */
static int wshub_bus_redis__which(const wshub_bus_redis *r, wshub_conn conn) {
    int which;
    for (which = 0; which < WSHUB_BUS_REDIS__LINKS; which++) {
        if (conn.id && r->links[which].conn.id == conn.id) return which;
    }
    return -1;
}

/* Whether a connection is still the one that a report was about. */
static bool wshub_bus_redis__still(const wshub_bus_redis__link *link, wshub_conn conn) {
    return link->conn.id == conn.id;
}

WSHUB_API void wshub_bus_redis_opened(wshub_bus_redis *redis, int link) {
    WSHUB_ASSERT(link >= 0 && link < WSHUB_BUS_REDIS__LINKS);
    wshub_bus_redis__enter(redis);
    if (redis->links[link].state == WSHUB_BUS_REDIS__LINK_DIALLING)
        wshub_bus_redis__greet(redis, link);
    wshub_bus_redis__leave(redis);
}

WSHUB_API bool wshub_bus_redis_wants_whole(const wshub_bus_redis *redis, int link) {
    return wshub_bus_redis__next_is(&redis->links[link], WSHUB_BUS_REDIS__REQUEST);
}

WSHUB_API void wshub_bus_redis_replied(wshub_bus_redis *redis, int link, const wshub_resp *reply) {
    WSHUB_ASSERT(link >= 0 && link < WSHUB_BUS_REDIS__LINKS);
    WSHUB_ASSERT(reply->items_count <= WSHUB_RESP_ITEMS);
    wshub_bus_redis__enter(redis);
    if (wshub_bus_redis__open(&redis->links[link])) {
        redis->links[link].progress = redis->now;
        wshub_bus_redis__reply(redis, link, reply);
    }
    wshub_bus_redis__leave(redis);
}

WSHUB_API void wshub_bus_redis_answered(wshub_bus_redis *redis, int link,
                                        const wshub_bus_reply *reply) {
    WSHUB_ASSERT(wshub_bus_redis_wants_whole(redis, link));
    wshub_bus_redis__enter(redis);
    redis->links[link].progress = redis->now;
    wshub_bus_redis__request_answered(redis, reply);
    wshub_bus_redis__leave(redis);
}

WSHUB_API void wshub_bus_redis_heard(wshub_bus_redis *redis, int link) {
    redis->links[link].progress = redis->now;
}

WSHUB_API void wshub_bus_redis_closed(wshub_bus_redis *redis, int link) {
    wshub_bus_redis__link *l = &redis->links[link];
    bool was_open = wshub_bus_redis__open(l);
    const char *why = redis->desc.driver || !was_open ? wshub_bus_redis__io_error(redis, "") : "";
    wshub_bus_redis__enter(redis);
    if (wshub_bus_redis__there(l)) {
        char said[WSHUB_BUS_REDIS__SAID_BYTES];
        wshub_bus_redis__link_to(l, WSHUB_BUS_REDIS__LINK_GONE);

        /* The broker's last error may be why; of a subscriber we know a usual cause. */
        wshub_bus_redis__copy(said, sizeof said, wshub_str_z(l->said));
        if (!said[0] && link == WSHUB_BUS_REDIS__SUB && redis->state == WSHUB_BUS_REDIS__UP)
            (void)snprintf(said, sizeof said,
                           "the subscriber's; under load see client-output-buffer-limit pubsub");
        if (*why) said[0] = 0;
        wshub_bus_redis__link_fail(redis, link, *why ? why : "the connection was closed",
                                   wshub_str_z(said));
    }
    wshub_bus_redis__leave(redis);
}

static void wshub_bus_redis__on_opened(void *ctx, wshub_conn conn) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(r, conn);
    if (which >= 0) wshub_bus_redis_opened(r, which);
}

/* A text is too long: what has come of it goes, what is still to come will be skipped, and its head
 * is made that of a null, so that the rest of the reply is read as if it had been one. */
static void wshub_bus_redis__skip_text(wshub_bus_redis__link *link, uint8_t *head, size_t *count,
                                       uint64_t text_bytes) {
    enum { END_BYTES = 2 }; /* of a line or a text */
    uint8_t *text = (uint8_t *)memchr(head, '\n', *count) + 1;
    uint64_t skip = text_bytes + END_BYTES;
    size_t head_bytes = (size_t)(text - head), here = *count - head_bytes;
    if (here > skip) here = (size_t)skip;
    WSHUB_ASSERT(head_bytes >=
                 sizeof "$1024\r\n" - 1); /* the least limit of a text has four digits */

    /* `$1234567` becomes `$-000001`. */
    memset(head + 1, '0', head_bytes - 1 - END_BYTES);
    head[0] = '$';
    head[1] = '-';
    text[-1 - END_BYTES] = '1';

    memmove(text, text + here, *count - head_bytes - here);
    *count -= here;
    link->skip = skip - here;
    link->cut = true;
    WSHUB_ASSERT(!link->skip || *count == head_bytes); /* what is skipped is at the end */
}

/* One whole reply that answers a request. */
static void wshub_bus_redis__answer_request(wshub_bus_redis *r, const uint8_t *bytes,
                                            const wshub_resp *reply) {
    wshub_bus_redis__link *link = &r->links[WSHUB_BUS_REDIS__PUB];
    wshub_bus_reply one, *nodes = &one;
    size_t nodes_bytes = reply->values * sizeof *nodes;
    WSHUB_ASSERT(reply->values > 0);
    if (link->cut) {
        r->stats.requests_oversized++;
        memset(&one, 0, sizeof one);
        one.kind = WSHUB_BUS_REPLY_ERROR;
        one.text = wshub_str_z("the answer has a text over message_bytes_max");
        link->cut = false;
        wshub_bus_redis__request_answered(r, &one);
        return;
    }

    /* Only what has parts takes memory, for as long as it is shown. */
    if (reply->values > 1)
        nodes = (wshub_bus_reply *)wshub_bus_redis__alloc(&r->desc, NULL, 0, nodes_bytes);
    if (!nodes) {
        wshub_bus_redis__fail_memory(r);
        return;
    }
    wshub_bus_redis__build(bytes, reply->bytes, r->desc.message_bytes_max, nodes, reply->values);
    wshub_bus_redis__request_answered(r, nodes);
    if (nodes != &one) (void)wshub_bus_redis__alloc(&r->desc, nodes, nodes_bytes, 0);
}

/* Reads replies off the front. Returns how many bytes are done with; *count shrinks by what is
 * skipped. Each reply may end the connection. */
static size_t wshub_bus_redis__parse(wshub_bus_redis *r, int which, wshub_conn conn, uint8_t *bytes,
                                     size_t *count) {
    wshub_bus_redis__link *link = &r->links[which];
    uint32_t most = r->desc.message_bytes_max;
    size_t at = 0;
    while (at < *count && wshub_bus_redis__still(link, conn)) {
        uint8_t *from = bytes + at;
        wshub_resp reply;
        int got = wshub_resp_read(from, *count - at, most, &reply);
        if (got == WSHUB_RESP_MORE) break;
        if (got == WSHUB_RESP_BROKEN) {
            wshub_bus_redis__link_fail(r, which, "what came is not RESP, or over its limits",
                                       wshub_bus_redis__none());
            break;
        }
        if (got == WSHUB_RESP_OVERSIZED) {
            size_t rest = *count - at - reply.bytes, before = rest;
            wshub_bus_redis__skip_text(link, from + reply.bytes, &rest,
                                       (uint64_t)reply.value.number);
            *count -= before - rest;
            continue;
        }

        at += reply.bytes;
        if (reply.value.kind != '>' && wshub_bus_redis_wants_whole(r, which)) {
            wshub_bus_redis__answer_request(r, from, &reply);
        } else {
            link->cut = false;
            wshub_bus_redis__reply(r, which, &reply);
        }
    }
    WSHUB_ASSERT(at <= *count);
    return at;
}

/* Reads where the io has the bytes, and keeps what is not whole. */
static void wshub_bus_redis__read(wshub_bus_redis *r, int which, wshub_conn conn, uint8_t *bytes,
                                  size_t count) {
    wshub_bus_redis__link *link = &r->links[which];
    size_t done = wshub_bus_redis__parse(r, which, conn, bytes, &count);
    if (!wshub_bus_redis__still(link, conn) || done == count) return;

    WSHUB_ASSERT(link->in.len == 0);
    if (!wshub_bus_redis__room(r, &link->in, count - done)) {
        wshub_bus_redis__fail_memory(r);
        return;
    }
    memcpy(link->in.ptr, bytes + done, count - done);
    link->in.len = count - done;
}

/* Reads behind what was kept. A report may close the connection, and its buffer with it: it is
 * taken out meanwhile. */
static void wshub_bus_redis__read_on(wshub_bus_redis *r, int which, wshub_conn conn,
                                     const uint8_t *bytes, size_t count) {
    wshub_bus_redis__link *link = &r->links[which];
    wshub_bus_redis__bytes in;
    size_t done;
    WSHUB_ASSERT(link->in.len > 0);
    WSHUB_ASSERT(link->in.at == 0);
    if (!wshub_bus_redis__room(r, &link->in, count)) {
        wshub_bus_redis__fail_memory(r);
        return;
    }
    memcpy(link->in.ptr + link->in.len, bytes, count);
    link->in.len += count;

    in = link->in;
    memset(&link->in, 0, sizeof link->in);
    done = wshub_bus_redis__parse(r, which, conn, in.ptr, &in.len);
    if (!wshub_bus_redis__still(link, conn) || done == in.len) {
        wshub_bus_redis__release(r, &in);
        return;
    }
    memmove(in.ptr, in.ptr + done, in.len - done);
    in.len -= done;
    link->in = in;
}

static void wshub_bus_redis__on_received(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(r, conn);
    wshub_bus_redis__link *link = &r->links[which < 0 ? 0 : which];
    size_t skipped = count < link->skip ? count : (size_t)link->skip;
    if (which < 0) return;

    wshub_bus_redis__enter(r);
    WSHUB_ASSERT(wshub_bus_redis__there(link));
    WSHUB_ASSERT(skipped <= link->skip);
    link->progress = r->now;
    link->skip -= skipped;
    bytes += skipped;
    count -= skipped;
    if (count && link->in.len)
        wshub_bus_redis__read_on(r, which, conn, bytes, count);
    else if (count)
        wshub_bus_redis__read(r, which, conn, bytes, count);
    wshub_bus_redis__leave(r);
}

/* What was in the way has left: that is life, too, and the owner may have more to subscribe to. */
static void wshub_bus_redis__unblocked(wshub_bus_redis *r, int which) {
    wshub_bus_redis__link *link = &r->links[which];
    wshub_bus_redis__enter(r);
    WSHUB_ASSERT(wshub_bus_redis__there(link));
    link->blocked = false;
    link->progress = r->now;
    wshub_bus_redis__send(r, link);
    wshub_bus_redis__room_again(r);
    if (wshub_bus_redis__owned(r) && r->owner.wake) r->owner.wake(r->owner.ctx);
    wshub_bus_redis__leave(r);
}

static void wshub_bus_redis__on_drained(void *ctx, wshub_conn conn) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(r, conn);
    if (which >= 0) wshub_bus_redis__unblocked(r, which);
}

/* A completion io is done with some of its bytes; with all of them, the next may go. */
static void wshub_bus_redis__on_sent(void *ctx, wshub_conn conn, size_t count) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(r, conn);
    wshub_bus_redis__flight **at, *f;
    for (at = &r->flights; (f = *at) != NULL && f->conn != conn.id;) at = &f->next;
    if (!f) return;

    f->bytes.at += count;
    WSHUB_ASSERT(f->bytes.at <= f->bytes.len);
    if (f->bytes.at < f->bytes.len) {
        if (which >= 0) r->links[which].progress = r->now;
        return;
    }
    *at = f->next;
    wshub_bus_redis__flight_free(r, f);
    if (which >= 0) wshub_bus_redis__unblocked(r, which);
}

static void wshub_bus_redis__on_closed(void *ctx, wshub_conn conn) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(r, conn);
    wshub_bus_redis__flight **at, *f;
    for (at = &r->flights; (f = *at) != NULL;) {
        if (f->conn != conn.id) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        wshub_bus_redis__flight_free(r, f);
    }
    if (which >= 0) wshub_bus_redis_closed(r, which);
}

/* ---- time --------------------------------------------------------------------------------------
 * What is done once a turn: attempts, deadlines, heartbeats, and sending. */

/* Says a command of one word, unless an answer to the last of its kind is still to come: a slow
 * connection is not made slower. */
static bool wshub_bus_redis__ask(wshub_bus_redis *r, int which, wshub_bus_redis__what what,
                                 const char *word) {
    WSHUB_ASSERT(wshub_bus_redis__open(&r->links[which]));
    if (wshub_bus_redis__awaits(&r->links[which], what)) return true;
    return wshub_bus_redis__say(r, which, what, word, NULL, NULL);
}

/* Asks a driver's subscribing connection for a word. hiredis loses the answer to a PING there: it
 * subscribes once more to what is subscribed. *asked: whether there was anything to ask about. */
static bool wshub_bus_redis__probe_driver(wshub_bus_redis *r, bool *asked) {
    const wshub_bus_redis__link *link = &r->links[WSHUB_BUS_REDIS__SUB];
    bool pattern = r->desc.no_heartbeat && r->known_pattern;
    wshub_bus_redis__words w;
    wshub_str args[2];
    WSHUB_ASSERT(r->desc.driver);
    WSHUB_ASSERT(r->known_len <= sizeof r->known);
    *asked = false;
    if (wshub_bus_redis__awaits(link, WSHUB_BUS_REDIS__UNSUBSCRIBE)) return true;
    if (r->desc.no_heartbeat && !r->known_len) return true; /* then nothing can be missed */

    args[0] = wshub_str_z(pattern ? "PSUBSCRIBE" : "SUBSCRIBE");
    args[1] = wshub_str_z(r->beat);
    w = wshub_bus_redis__plain(args, 2);
    if (r->desc.no_heartbeat) {
        args[1].ptr = r->known;
        args[1].len = r->known_len;
        w.from = 1;
        w.prefix = wshub_bus_redis__prefix(r, pattern);
    }
    *asked = true;
    return wshub_bus_redis__command(r, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__PROBE, 1, &w);
}

/* Asks the subscribing connection for a word. What is asked behind the answer to a heartbeat,
 * and is answered, proves that the heartbeat itself is missing; other probes prove only life. */
static bool wshub_bus_redis__probe(wshub_bus_redis *r) {
    wshub_bus_redis__beats *beats = &r->beats;
    bool asked = true, ok;
    WSHUB_ASSERT(wshub_bus_redis__ready(r, WSHUB_BUS_REDIS__SUB));
    if (beats->probed) return true;

    if (r->desc.driver)
        ok = wshub_bus_redis__probe_driver(r, &asked);
    else
        ok = wshub_bus_redis__say(r, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__PROBE, "PING", NULL,
                                  NULL);
    if (!ok || !asked) return ok;

    beats->probed =
        beats->late_at && beats->answered >= beats->watched ? beats->watched : UINT64_MAX;
    return true;
}

/* Publishes a heartbeat, once the last one was answered, and watches for it to come back. */
static bool wshub_bus_redis__beat_publish(wshub_bus_redis *r) {
    wshub_bus_redis__beats *beats = &r->beats;
    char n[24];
    WSHUB_ASSERT(beats->answered <= beats->sent);
    WSHUB_ASSERT(beats->watched <= beats->sent);
    if (beats->answered < beats->sent) return true;
    (void)snprintf(n, sizeof n, "%llu", (unsigned long long)r->now);
    if (!wshub_bus_redis__say(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__BEAT, "PUBLISH", r->beat,
                              n))
        return false;

    beats->sent++;
    if (beats->late_at) return true; /* an older one is watched for */
    beats->watched = beats->sent;
    beats->missing = false;
    beats->late_at = r->now + r->desc.heartbeat_timeout_ms;
    return true;
}

/* A sentinel that is silent would miss the next failover, and one that was lost is replaced. */
static bool wshub_bus_redis__beat_sentinel(wshub_bus_redis *r) {
    int which = WSHUB_BUS_REDIS__SENTINEL;
    WSHUB_ASSERT(r->desc.sentinel);
    if (wshub_bus_redis__open(&r->links[which]))
        return wshub_bus_redis__ask(r, which, WSHUB_BUS_REDIS__PING, "PING");

    if (r->links[which].state == WSHUB_BUS_REDIS__LINK_NONE) {
        r->address_at = (r->address_at + 1) % r->addresses_count;
        (void)wshub_bus_redis__link_open(r, which, r->addresses[r->address_at]);
    }
    return true;
}

/* Asks for the broker's role, for a word where else nothing would be said, and sends a
 * heartbeat. */
static void wshub_bus_redis__beat(wshub_bus_redis *r) {
    bool beats = !r->desc.publish_only && !r->desc.no_heartbeat, ok = true;
    WSHUB_ASSERT(wshub_bus_redis__all_ready(r));
    r->beats.next_at = r->now + r->desc.heartbeat_ms;

    if (r->asks_role)
        ok = wshub_bus_redis__ask(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__ROLE, "ROLE");
    else if (!beats)
        ok = wshub_bus_redis__ask(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__PING, "PING");
    if (!r->desc.publish_only) ok = ok && wshub_bus_redis__probe(r);
    if (beats) ok = ok && wshub_bus_redis__beat_publish(r);
    if (r->desc.sentinel) ok = ok && wshub_bus_redis__beat_sentinel(r);

    if (!ok) wshub_bus_redis__fail_memory(r);
}

/* Whether a connection has left a command unanswered for too long. */
static bool wshub_bus_redis__silent(const wshub_bus_redis *r, int which) {
    const wshub_bus_redis__link *link = &r->links[which];
    return wshub_bus_redis__open(link) && link->cmds_count &&
           r->now - link->progress > r->desc.heartbeat_timeout_ms;
}

/* Whether a sentinel has not answered our call for too long. */
static bool wshub_bus_redis__unreached(const wshub_bus_redis *r, int which) {
    const wshub_bus_redis__link *link = &r->links[which];
    return link->state == WSHUB_BUS_REDIS__LINK_DIALLING &&
           r->now - link->progress > r->desc.connect_timeout_ms;
}

/* Judges a bus that is up, and sends its heartbeat. Bytes that keep coming are life, however long
 * the heartbeat waits behind them: it is missed only once what left behind it was answered. */
static void wshub_bus_redis__watch(wshub_bus_redis *r) {
    const wshub_bus_redis__beats *beats = &r->beats;
    int sentinel = WSHUB_BUS_REDIS__SENTINEL;
    WSHUB_ASSERT(r->state == WSHUB_BUS_REDIS__UP);
    WSHUB_ASSERT(!beats->missing || beats->late_at);
    if (beats->late_at && beats->missing && r->now >= beats->late_at) {
        wshub_bus_redis__fail_plain(r, "the heartbeat does not come back");
        return;
    }
    if (wshub_bus_redis__silent(r, WSHUB_BUS_REDIS__PUB) ||
        wshub_bus_redis__silent(r, WSHUB_BUS_REDIS__SUB)) {
        wshub_bus_redis__fail_plain(r, "no answer within heartbeat_timeout_ms");
        return;
    }

    if (wshub_bus_redis__silent(r, sentinel) || wshub_bus_redis__unreached(r, sentinel))
        wshub_bus_redis__link_close(r, sentinel, false);
    if (r->now >= beats->next_at) wshub_bus_redis__beat(r);
}

/* What the state and the time ask for. Each step may lead to the next one's state. */
static void wshub_bus_redis__step(wshub_bus_redis *r) {
    const wshub_bus_redis__link *sub = &r->links[WSHUB_BUS_REDIS__SUB];
    if (r->half_done) {
        r->half_done = false;
        wshub_bus_redis__fail_memory(r);
    }
    if (r->state == WSHUB_BUS_REDIS__WAITING && r->now >= r->retry_at) wshub_bus_redis__attempt(r);

    if (r->state == WSHUB_BUS_REDIS__FILLING && !r->short_of_room && !r->stats.unacknowledged &&
        (r->desc.publish_only || !sub->cmds_count))
        wshub_bus_redis__up(r);

    if (r->state > WSHUB_BUS_REDIS__WAITING && r->state < WSHUB_BUS_REDIS__UP &&
        r->now >= r->deadline)
        wshub_bus_redis__fail_plain(r, "no connection within connect_timeout_ms");
    if (r->state == WSHUB_BUS_REDIS__UP) wshub_bus_redis__watch(r);
}

/* When it wants to be asked next, by the io's clock. */
static uint64_t wshub_bus_redis__next(const wshub_bus_redis *r) {
    uint64_t due = r->deadline, in;
    if (!wshub_bus_redis__owned(r)) return WSHUB_NEVER;
    if (r->state == WSHUB_BUS_REDIS__WAITING) due = r->retry_at;
    if (r->state == WSHUB_BUS_REDIS__UP) due = r->beats.next_at;

    /* Our clock takes a turn for one heartbeat at most, and of a driver's io nothing is heard. */
    in = due > r->now ? due - r->now : 1;
    if (in > r->desc.heartbeat_ms) in = r->desc.heartbeat_ms;
    if (r->desc.driver && (r->stats.unacknowledged || r->publish_short) &&
        in > WSHUB_BUS_REDIS__DRIVER_MS)
        in = WSHUB_BUS_REDIS__DRIVER_MS;

    due = r->io_now + in;
    return r->alarm_at && r->alarm_at < due ? r->alarm_at : due;
}

static uint64_t wshub_bus_redis__settle(void *ctx) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    uint64_t next;
    int which;
    wshub_bus_redis__enter(r);
    if (r->desc.driver) r->desc.driver->pump(r->desc.driver->ctx);
    wshub_bus_redis__step(r);

    /* Of a driver nobody tells when its output has left. */
    if (r->desc.driver) wshub_bus_redis__room_again(r);
    if (wshub_bus_redis__owned(r) && r->alarm_at && r->io_now >= r->alarm_at) {
        r->alarm_at = 0;
        r->owner.late(r->owner.ctx);
    }

    for (which = 0; which < WSHUB_BUS_REDIS__LINKS; which++)
        wshub_bus_redis__send(r, &r->links[which]);
    next = wshub_bus_redis__next(r);
    WSHUB_ASSERT(next >= r->io_now || next == r->alarm_at);
    wshub_bus_redis__leave(r);
    return next;
}

/* ---- the bus -----------------------------------------------------------------------------------
 * The entries of the table. Orders call no report: what they find out is reported in the next turn.
 * Proved by tests/test_bus_contract.c. */

/* The owner leaves: what is written may still go, nothing is reported any more. Whoever waits for
 * the answer to a request is told last, when all else is over: it may even take the bus again. */
static void wshub_bus_redis__detach(wshub_bus_redis *r) {
    wshub_io_owner me;
    int which;
    if (!wshub_bus_redis__owned(r)) return;
    for (which = 0; which < WSHUB_BUS_REDIS__LINKS; which++) {
        wshub_bus_redis__send(r, &r->links[which]);
        wshub_bus_redis__link_close(r, which, true);
    }
    wshub_bus_redis__to(r, WSHUB_BUS_REDIS__IDLE);
    WSHUB_ASSERT(r->depth > 0);
    r->alarm_at = 0;

    memset(&me, 0, sizeof me);
    me.ctx = r;
    (void)r->io.guest(r->io.ctx, &me, false);
    wshub_bus_redis__lose_requests(r);
}

static bool wshub_bus_redis__taken(void *ctx) {
    return wshub_bus_redis__owned((const wshub_bus_redis *)ctx);
}

static wshub_err wshub_bus_redis__attach(void *ctx, const wshub_bus_owner *owner) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    wshub_io_owner me;
    wshub_err err;
    if (!owner) {
        r->depth++; /* an end looks at no clock */
        wshub_bus_redis__detach(r);
        wshub_bus_redis__leave(r);
        return WSHUB_OK;
    }
    if (wshub_bus_redis__owned(r)) return WSHUB_ERR_STATE;

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

    wshub_bus_redis__to(r, WSHUB_BUS_REDIS__WAITING);
    WSHUB_ASSERT(!r->requests.count);
    r->owner = *owner;
    r->unconfirmed_before = r->stats.unconfirmed;
    r->io_now = r->io.now_ms(r->io.ctx);
    r->retry_at = r->now;
    r->failures = 0;
    return WSHUB_OK;
}

static size_t wshub_bus_redis__publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    wshub_bus_redis__words w;
    wshub_str args[3];
    size_t taken = 0;
    args[0] = wshub_str_z("PUBLISH");
    w = wshub_bus_redis__plain(args, 3);
    w.from = 1;
    w.to = 2;
    w.prefix = wshub_bus_redis__prefix(r, false);

    for (; taken < count && r->state == WSHUB_BUS_REDIS__UP; taken++) {
        int pub = WSHUB_BUS_REDIS__PUB;
        if (wshub_bus_redis__full(r, pub)) break;
        args[1] = msgs[taken].channel;
        args[2] = msgs[taken].payload;
        if (!wshub_bus_redis__command(r, pub, WSHUB_BUS_REDIS__PUBLISH, 1, &w)) break;
        r->unanswered++;
    }
    r->stats.published += taken;
    r->publish_short = taken < count;
    WSHUB_ASSERT(taken <= count);
    WSHUB_ASSERT(r->unanswered <= r->stats.published);
    return taken;
}

static wshub_err wshub_bus_redis__request_take(void *ctx, const wshub_str *argv, size_t argc,
                                               void (*on_reply)(void *arg,
                                                                const wshub_bus_reply *reply),
                                               void *arg) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    wshub_bus_redis__words w = wshub_bus_redis__plain(argv, argc);
    wshub_bus_redis__request request;
    uint64_t bytes = 0;
    size_t waiting, i;
    if (!on_reply || wshub_bus_redis_request_problem(argv, argc)) return WSHUB_ERR_PARAM;
    for (i = 0; i < argc; i++) {
        bytes += argv[i].len;
        if (bytes > r->desc.output_bytes_max) return WSHUB_ERR_PARAM;
    }
    if (r->state != WSHUB_BUS_REDIS__UP) return WSHUB_ERR_STATE;

    WSHUB_ASSERT(r->requests.count <= r->desc.requests_max);
    waiting = wshub_bus_redis__waiting(r, WSHUB_BUS_REDIS__PUB);
    if (waiting >= r->desc.output_bytes_max) return WSHUB_ERR_LIMIT;
    if (r->requests.count >= r->desc.requests_max) return WSHUB_ERR_LIMIT;
    if (!wshub_bus_redis__request_room(r)) return WSHUB_ERR_NOMEM;
    if (!wshub_bus_redis__command(r, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__REQUEST, 1, &w))
        return WSHUB_ERR_NOMEM;

    request.on_reply = on_reply;
    request.arg = arg;
    wshub_bus_redis__request_push(&r->requests, request);
    r->stats.requests++;

    /* Asked outside a turn, the first to wait calls for one. */
    if (!waiting && !r->depth && r->io.wake) r->io.wake(r->io.ctx);
    return WSHUB_OK;
}

static uint64_t wshub_bus_redis__pending(void *ctx) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    WSHUB_ASSERT(!r->unanswered || r->state == WSHUB_BUS_REDIS__UP);
    r->pending_asked = r->unanswered > 0;
    return r->unanswered;
}

static uint64_t wshub_bus_redis__unconfirmed(void *ctx) {
    const wshub_bus_redis *r = (const wshub_bus_redis *)ctx;
    WSHUB_ASSERT(r->stats.unconfirmed >= r->unconfirmed_before);
    return r->stats.unconfirmed - r->unconfirmed_before;
}

/* Given outside a turn it calls for one, since what the io waits for has changed. */
static void wshub_bus_redis__alarm(void *ctx, uint32_t ms) {
    wshub_bus_redis *r = (wshub_bus_redis *)ctx;
    r->alarm_at = r->io.now_ms(r->io.ctx) + ms;
    if (!r->alarm_at) r->alarm_at = 1;
    if (r->io.wake) r->io.wake(r->io.ctx);
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

/* Whether a change of subscriptions must wait for a later turn. hiredis mixes up a channel that is
 * left and entered, so that a driver is given one kind of change at a time. */
static bool wshub_bus_redis__change_waits(const wshub_bus_redis *r, bool want) {
    const wshub_bus_redis__link *link = &r->links[WSHUB_BUS_REDIS__SUB];
    WSHUB_ASSERT(!r->desc.publish_only);
    if (wshub_bus_redis__full(r, WSHUB_BUS_REDIS__SUB)) return true;
    if (!r->desc.driver) return false;
    if (!want && r->beats.probed) return true;
    return wshub_bus_redis__awaits(link, want ? WSHUB_BUS_REDIS__UNSUBSCRIBE
                                              : WSHUB_BUS_REDIS__SUBSCRIBE);
}

/* Says one command: those at the front that are all names, or all patterns. Returns how many;
 * 0: out of memory. */
static size_t wshub_bus_redis__change_some(wshub_bus_redis *r, const wshub_bus_channel *channels,
                                           size_t count, bool want) {
    static const char *const words[2][2] = {{"UNSUBSCRIBE", "PUNSUBSCRIBE"},
                                            {"SUBSCRIBE", "PSUBSCRIBE"}};
    wshub_bus_redis__what what = want ? WSHUB_BUS_REDIS__SUBSCRIBE : WSHUB_BUS_REDIS__UNSUBSCRIBE;
    wshub_str args[WSHUB_BUS_BATCH + 1];
    wshub_bus_redis__words w;
    bool pattern = channels[0].pattern;
    size_t n = 0;
    WSHUB_ASSERT(count > 0 && count <= WSHUB_BUS_BATCH);
    args[0] = wshub_str_z(words[want][pattern]);
    for (; n < count && channels[n].pattern == pattern; n++) args[n + 1] = channels[n].name;

    w = wshub_bus_redis__plain(args, n + 1);
    w.from = 1;
    w.prefix = wshub_bus_redis__prefix(r, pattern);
    if (!wshub_bus_redis__command(r, WSHUB_BUS_REDIS__SUB, what, (uint32_t)n, &w)) return 0;

    r->stats.unacknowledged += n;
    r->deadline += n / 100;
    return n;
}

/* Subscribes, or ends it. False: none was taken. What fails half way is begun anew by the next
 * turn, with a new connection, since an order makes no report. */
static bool wshub_bus_redis__change(wshub_bus_redis *r, const wshub_bus_channel *channels,
                                    size_t count, bool want) {
    size_t i, n;
    if (r->desc.publish_only || r->state < WSHUB_BUS_REDIS__FILLING) return true;
    WSHUB_ASSERT(wshub_bus_redis__ready(r, WSHUB_BUS_REDIS__SUB));
    r->short_of_room = wshub_bus_redis__change_waits(r, want);
    if (r->short_of_room) return false;

    if (r->desc.driver) wshub_bus_redis__know(r, channels, count, want);
    for (i = 0; i < count; i += n) {
        n = wshub_bus_redis__change_some(r, channels + i, count - i, want);
        if (n) continue;
        r->short_of_room = i == 0;
        r->half_done = i > 0;
        return i > 0;
    }
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

/* ---- URLs --------------------------------------------------------------------------------------
 * Taken apart into terminated texts, or refused with a reason. What may be a password is never part
 * of the reason. */

static int wshub_bus_redis__hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
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

/* Whether this is `:` and a port, as an io takes it: at most five digits. */
static bool wshub_bus_redis__port_ok(const char *colon, const char *end) {
    const char *p;
    long n = 0;
    if (end - colon > 6) return false;
    for (p = colon + 1; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        n = n * 10 + (*p - '0');
    }
    return n >= 1 && n <= 65535;
}

static void wshub_bus_redis__put(char **at, const char *text, size_t n) {
    memcpy(*at, text, n);
    *at += n;
}

/* Where the host ends that begins at `from`, before the colon of a port or at `end`. NULL: it is
 * none. */
static const char *wshub_bus_redis__host_end(const char *from, const char *end) {
    const char *p = from;
    if (from < end && *from == '[') {
        p = (const char *)memchr(from, ']', (size_t)(end - from));
        if (!p || !wshub_bus_redis__host_ok(from + 1, p, true)) return NULL;
        p++;
        return p < end && *p != ':' ? NULL : p;
    }
    while (p < end && *p != ':') p++;
    return wshub_bus_redis__host_ok(from, p, false) ? p : NULL;
}

/* host[:port] from `from` up to `end` as `host:port` to *at. NULL: it is none. */
static const char *wshub_bus_redis__host(const char *from, const char *end, const char *port,
                                         char **at) {
    const char *start = *at, *host_end = wshub_bus_redis__host_end(from, end);
    if (!host_end || host_end - from > 255) return NULL;
    if (host_end < end && !wshub_bus_redis__port_ok(host_end, end)) return NULL;
    if (from < host_end && *from == '.') return NULL; /* an io would take it for a path */

    if (host_end == from) wshub_bus_redis__put(at, "127.0.0.1", strlen("127.0.0.1"));
    wshub_bus_redis__put(at, from, (size_t)(end - from));
    if (host_end == end) {
        *(*at)++ = ':';
        wshub_bus_redis__put(at, port, strlen(port));
    }
    *(*at)++ = 0;
    return start;
}

static const char *const wshub_bus_redis__schemes[] = {"redis://", "valkey://", "rediss://",
                                                       "valkeys://", "unix://"};
enum {
    WSHUB_BUS_REDIS__SCHEME_REDISS = 2,
    WSHUB_BUS_REDIS__SCHEME_VALKEYS = 3,
    WSHUB_BUS_REDIS__SCHEME_UNIX = 4,
    WSHUB_BUS_REDIS__SCHEMES = 5
};

/* Which of the schemes it begins with, in any case. -1: none. */
static int wshub_bus_redis__scheme(const char *url) {
    int i;
    for (i = 0; i < WSHUB_BUS_REDIS__SCHEMES; i++) {
        const char *s = wshub_bus_redis__schemes[i], *p = url;
        while (*s && (*p == *s || (*p >= 'A' && *p <= 'Z' && *p + 32 == *s))) {
            s++;
            p++;
        }
        if (!*s) return i;
    }
    return -1;
}

/* Who we are: what stands before the last @ in front of a path. *at moves behind it. */
static const char *wshub_bus_redis__url_who(wshub_bus_redis *r, const char **at, char **to) {
    const char *p = *at, *sign = p, *colon, *q;
    for (q = p; *q && *q != '/'; q++) {
        if (*q == '@') sign = q;
    }
    if (*sign != '@') return NULL;

    colon = (const char *)memchr(p, ':', (size_t)(sign - p));
    r->user = wshub_bus_redis__decode(p, colon ? colon : sign, to);
    r->password = colon ? wshub_bus_redis__decode(colon + 1, sign, to) : "";
    if (!r->user || !r->password)
        return "url: a % in user or password is followed by two hex digits, and not by 00";
    if (*r->user && !*r->password) return "url: a user needs a password: user:password@";
    *at = sign + 1;
    return NULL;
}

/* Where it is, when that is a socket in the file system, up to `stop`. */
static const char *wshub_bus_redis__url_path(wshub_bus_redis *r, const char *p, const char *stop,
                                             char **to) {
    if (*p != '/') return "url: unix:// is followed by the path of a socket, which begins with /";
    r->addresses[r->addresses_count++] = wshub_bus_redis__decode(p, stop, to);
    if (!r->addresses[0]) return "url: a % in a path is followed by two hex digits, and not by 00";
    if (strlen(r->addresses[0]) > 107) return "url: the path of a socket has at most 107 bytes";
    return NULL;
}

/* Where it is, when that is a list of hosts, up to `stop`. */
static const char *wshub_bus_redis__url_hosts(wshub_bus_redis *r, const char *p, const char *stop,
                                              const char *port, char **to) {
    const char *from = p;
    for (;;) {
        const char *comma = (const char *)memchr(p, ',', (size_t)(stop - p));
        const char *end = comma ? comma : stop;
        if (r->addresses_count == WSHUB_BUS_REDIS__ADDRESSES) return "url: at most 16 addresses";
        if (p == end && (comma || p != from))
            return "url: an address is empty; a list has one between any two commas";

        r->addresses[r->addresses_count] = wshub_bus_redis__host(p, end, port, to);
        if (!r->addresses[r->addresses_count++])
            return "url: an address is host, host:port or [v6]:port; a / in user or password "
                   "is written %2F";
        if (!comma) return NULL;
        p = comma + 1;
    }
}

/* Which of its databases: behind the addresses, as a path or a query. */
static const char *wshub_bus_redis__url_database(wshub_bus_redis *r, const char *p, char *to) {
    const char *stop;
    if (*p == '/') p++;
    stop = p + strcspn(p, "?");
    if (*stop == '?' && stop[1]) {
        if (strncmp(stop, "?db=", 4) != 0 || (stop > p && stop[4]))
            return "url: of a query only ?db=N, once; all else is a field of the description";
        p = stop + 4;
        stop = p + strlen(p);
    }
    if (stop - p > 9 || strspn(p, "0123456789") != (size_t)(stop - p))
        return "url: a database is a number";

    r->db = to;
    wshub_bus_redis__put(&to, p, (size_t)(stop - p));
    *to = 0;
    return NULL;
}

/* Takes a URL apart; what it finds is written to `texts`, which has room for twice its length and
 * 32 bytes for each address. NULL, or what is wrong. */
static const char *wshub_bus_redis__url(wshub_bus_redis *r, const wshub_bus_redis_desc *d,
                                        char *texts) {
    const char *p = d->url, *stop, *problem, *port = d->sentinel ? "26379" : "6379";
    int scheme = wshub_bus_redis__scheme(p);
    bool secure =
        scheme == WSHUB_BUS_REDIS__SCHEME_REDISS || scheme == WSHUB_BUS_REDIS__SCHEME_VALKEYS;
    bool local = scheme == WSHUB_BUS_REDIS__SCHEME_UNIX;
    r->user = r->password = r->db = "";
    r->addresses_count = 0;
    if (scheme < 0) return "url: begins with redis://, valkey://, rediss://, valkeys:// or unix://";
    if (secure != d->tls && !local)
        return d->tls ? "url: begins with rediss://, since desc.tls says that the io encrypts"
                      : "url: rediss:// needs an io that encrypts, and desc.tls to say so";

    p += strlen(wshub_bus_redis__schemes[scheme]);
    problem = wshub_bus_redis__url_who(r, &p, &texts);
    if (problem) return problem;
    if (strchr(p, '#')) return "url: has no fragment; a # in user, password or path is written %23";

    stop = p + strcspn(p, local ? "?" : "/?");
    problem = local ? wshub_bus_redis__url_path(r, p, stop, &texts)
                    : wshub_bus_redis__url_hosts(r, p, stop, port, &texts);
    return problem ? problem : wshub_bus_redis__url_database(r, stop, texts);
}

/* ---- making and ending ---------------------------------------------------------------------- */

/* The one place where defaults are filled in; they stand in front of each field's meaning. */
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
    if (!d->requests_max) d->requests_max = WSHUB_BUS_REDIS_REQUESTS;
}

static const char *wshub_bus_redis__texts_problem(const wshub_bus_redis_desc *d) {
    if (strlen(d->channel_prefix) > 128) return "channel_prefix: at most 128 bytes";
    if (strlen(d->client_name) > 128 || strpbrk(d->client_name, " \t\r\n"))
        return "client_name: at most 128 bytes, no spaces";
    if (d->sentinel && (!*d->sentinel || strlen(d->sentinel) > 128))
        return "sentinel: the name of a master, 1 to 128 bytes";
    return NULL;
}

static const char *wshub_bus_redis__limits_problem(const wshub_bus_redis_desc *d) {
    const uint32_t least = 1024, most = 1u << 30;
    if (d->retry_min_ms > d->retry_max_ms) return "retry_min_ms: at most retry_max_ms";
    if (d->heartbeat_timeout_ms <= d->heartbeat_ms)
        return "heartbeat_timeout_ms: more than heartbeat_ms";
    if (d->message_bytes_max < least || d->message_bytes_max > most)
        return "message_bytes_max: 1 KiB to 1 GiB";
    if (d->output_bytes_max < least || d->output_bytes_max > most)
        return "output_bytes_max: 1 KiB to 1 GiB";
    if (d->requests_max > WSHUB_BUS_REDIS_REQUESTS_MAX)
        return "requests_max: at most WSHUB_BUS_REDIS_REQUESTS_MAX";
    return NULL;
}

static const char *wshub_bus_redis__tables_problem(const wshub_bus_redis_desc *d) {
    if (!d->io) return "io: required, usually that of the hub";
    if (d->io->version != WSHUB_IO_VERSION)
        return "io: its table is of another wshub.h; compile it and this backend with the same one";
    if (d->driver && d->driver->version != WSHUB_BUS_REDIS_DRIVER_VERSION)
        return "driver: its table is of another wshub_bus_redis.h; compile both with the same one";
    if (!d->io->guest || (!d->io->connect && !d->driver) || !d->io->random)
        return "io: needs guest, connect and random; wshub_io_sock.h has them";
    return NULL;
}

WSHUB_API const char *wshub_bus_redis_desc_problem_versioned(const wshub_bus_redis_desc *desc,
                                                             size_t desc_bytes, uint32_t version) {
    wshub_bus_redis_desc d;
    wshub_bus_redis r;
    char texts[2 * 4096 + 1024]; /* as wshub_bus_redis_create() has them for a URL */
    const char *problem;
    if (!desc) return "io: required, usually that of the hub";
    if (desc_bytes != sizeof *desc || version != WSHUB_BUS_REDIS_DESC_VERSION)
        return "wshub_bus_redis_desc: the program was compiled with another wshub_bus_redis.h than "
               "the file that has its implementation; compile both anew with the same one";
    problem = wshub_bus_redis__tables_problem(desc);
    if (problem) return problem;
    if (!desc->url) return "url: required, as redis://127.0.0.1:6379";
    if (strlen(desc->url) > 4096) return "url: at most 4096 bytes";

    d = *desc;
    wshub_bus_redis__defaults(&d);
    problem = wshub_bus_redis__texts_problem(&d);
    if (!problem) problem = wshub_bus_redis__limits_problem(&d);
    if (problem) return problem;

    memset(&r, 0, sizeof r);
    return wshub_bus_redis__url(&r, &d, texts);
}

/* Copies a text into the bus's own; NULL stays NULL. */
static const char *wshub_bus_redis__keep(char **at, const char *text) {
    const char *copy = *at;
    if (!text) return NULL;
    wshub_bus_redis__put(at, text, strlen(text) + 1);
    return copy;
}

static size_t wshub_bus_redis__keep_bytes(const char *text) {
    return text ? strlen(text) + 1 : 0;
}

/* The texts of a description, and the parts of its URL, in one piece of memory. */
static size_t wshub_bus_redis__texts_bytes(const wshub_bus_redis_desc *d) {
    return 3 * strlen(d->url) + 1024 + wshub_bus_redis__keep_bytes(d->client_name) +
           wshub_bus_redis__keep_bytes(d->channel_prefix) +
           wshub_bus_redis__keep_bytes(d->sentinel) +
           wshub_bus_redis__keep_bytes(d->sentinel_user) +
           wshub_bus_redis__keep_bytes(d->sentinel_password);
}

static void wshub_bus_redis__keep_texts(wshub_bus_redis *r) {
    wshub_bus_redis_desc *d = &r->desc;
    char *at = r->texts;
    const char *problem;
    d->url = wshub_bus_redis__keep(&at, d->url);
    d->client_name = wshub_bus_redis__keep(&at, d->client_name);
    d->channel_prefix = wshub_bus_redis__keep(&at, d->channel_prefix);
    d->sentinel = wshub_bus_redis__keep(&at, d->sentinel);
    d->sentinel_user = wshub_bus_redis__keep(&at, d->sentinel_user);
    d->sentinel_password = wshub_bus_redis__keep(&at, d->sentinel_password);

    problem = wshub_bus_redis__url(r, d, at);
    WSHUB_ASSERT(!problem);
    (void)problem;
}

/* The prefix of channels, and the same as a pattern, in which only the star behind it is one
 * (BUS-6). */
static void wshub_bus_redis__name_prefix(wshub_bus_redis *r) {
    const char *prefix = r->desc.channel_prefix;
    size_t i;
    r->prefix_len = strlen(prefix);
    for (i = 0; i < r->prefix_len; i++) {
        if (strchr("*?[]\\^", prefix[i])) r->glob[r->glob_len++] = '\\';
        r->glob[r->glob_len++] = prefix[i];
    }
    WSHUB_ASSERT(r->glob_len <= sizeof r->glob);
}

/* The channel of our heartbeat, which nobody else has. */
static void wshub_bus_redis__name_beat(wshub_bus_redis *r, const uint8_t *id, size_t count) {
    static const char hex[] = "0123456789abcdef";
    size_t i, n = (size_t)snprintf(r->beat, sizeof r->beat, "%swshub:hb:", r->desc.channel_prefix);
    WSHUB_ASSERT(n + 2 * count < sizeof r->beat);
    for (i = 0; i < count; i++) {
        r->beat[n++] = hex[id[i] >> 4];
        r->beat[n++] = hex[id[i] & 15];
    }
}

static void wshub_bus_redis__fill_table(wshub_bus_redis *r) {
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
    r->bus.request = wshub_bus_redis__request_take;
}

WSHUB_API wshub_err wshub_bus_redis_create_versioned(const wshub_bus_redis_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_bus_redis **out_redis) {
    wshub_bus_redis_desc d;
    wshub_bus_redis *r;
    uint8_t id[8];
    if (!out_redis || wshub_bus_redis_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    d = *desc;
    wshub_bus_redis__defaults(&d);
    if (!d.io->random(d.io->ctx, id, sizeof id)) return WSHUB_ERR_RANDOM;

    r = (wshub_bus_redis *)wshub_bus_redis__alloc(&d, NULL, 0, sizeof *r);
    if (!r) return WSHUB_ERR_NOMEM;
    memset(r, 0, sizeof *r);
    r->desc = d;
    r->io = *d.io;
    r->texts_bytes = wshub_bus_redis__texts_bytes(&d);
    r->texts = (char *)wshub_bus_redis__alloc(&d, NULL, 0, r->texts_bytes);
    if (!r->texts) {
        (void)wshub_bus_redis__alloc(&d, r, sizeof *r, 0);
        return WSHUB_ERR_NOMEM;
    }

    wshub_bus_redis__keep_texts(r);
    wshub_bus_redis__name_prefix(r);
    wshub_bus_redis__name_beat(r, id, sizeof id);
    wshub_bus_redis__fill_table(r);
    *out_redis = r;
    return WSHUB_OK;
}

static void wshub_bus_redis__free(wshub_bus_redis *r) {
    wshub_bus_redis_desc d = r->desc;
    wshub_bus_redis__requests *q = &r->requests;
    int which;
    WSHUB_ASSERT(r->depth == 0);
    WSHUB_ASSERT(!wshub_bus_redis__owned(r));
    WSHUB_ASSERT(q->count == 0);

    if (r->spare) (void)wshub_bus_redis__alloc(&d, r->spare, sizeof *r->spare, 0);
    while (r->flights) {
        wshub_bus_redis__flight *f = r->flights;
        r->flights = f->next;
        wshub_bus_redis__flight_free(r, f);
    }
    for (which = 0; which < WSHUB_BUS_REDIS__LINKS; which++) {
        wshub_bus_redis__link *link = &r->links[which];
        if (link->cmds)
            (void)wshub_bus_redis__alloc(&d, link->cmds, link->cmds_cap * sizeof *link->cmds, 0);
    }
    if (q->ring) (void)wshub_bus_redis__alloc(&d, q->ring, q->cap * sizeof *q->ring, 0);
    (void)wshub_bus_redis__alloc(&d, r->texts, r->texts_bytes, 0);
    (void)wshub_bus_redis__alloc(&d, r, sizeof *r, 0);
}

WSHUB_API void wshub_bus_redis_destroy(wshub_bus_redis *redis) {
    if (!redis || redis->destroyed) return;
    redis->destroyed = true;
    if (redis->depth == 0 && !wshub_bus_redis__owned(redis)) wshub_bus_redis__free(redis);
}

WSHUB_API const wshub_bus *wshub_bus_redis_bus(wshub_bus_redis *redis) {
    return &redis->bus;
}

WSHUB_API void wshub_bus_redis_stats_get(const wshub_bus_redis *redis,
                                         wshub_bus_redis_stats *out_stats) {
    int which;
    *out_stats = redis->stats;
    out_stats->pending = redis->unanswered;
    out_stats->requests_pending = redis->requests.count;
    for (which = 0; which < WSHUB_BUS_REDIS__LINKS; which++)
        out_stats->output_bytes += wshub_bus_redis__waiting(redis, which);
}

WSHUB_API const char *wshub_bus_redis_error(const wshub_bus_redis *redis) {
    return redis->error;
}

WSHUB_API const char *wshub_bus_redis_address(const wshub_bus_redis *redis) {
    if (redis->state <= WSHUB_BUS_REDIS__WAITING) return "";
    return redis->desc.sentinel && redis->master[0] ? redis->master
                                                    : redis->addresses[redis->address_at];
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
