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
 * [x] sharded pub/sub (SPUBLISH, SSUBSCRIBE) of Redis 7, of one node or of a Cluster's masters
 * [ ] transactions, blocking commands and others that change a connection (see Asking)
 * [ ] TLS of its own: with desc.tls the io is asked for it (wshub_io_openssl.h, wshub_io_mbedtls.h)
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
 * With desc.cluster PUBSUB NUMSUB is put to all of them, and the answers are summed; without, the
 * answer is that of one node, which knows its own subscribers alone. Socket.IO's classic adapter
 * counts servers by it: it needs desc.cluster there.
 *
 * ---- Sharded channels --------------------------------------------------------------------------
 * wshub_desc.bus_sharded, and a dialect of that kind, publish by SPUBLISH and subscribe by
 * SSUBSCRIBE: Redis 7 and Valkey have them, older brokers refuse, and the bus says so and stays
 * down. With a driver there are none.
 *
 * In a Cluster a channel belongs to the master that has its slot. With desc.cluster the node that
 * is connected is asked which those are (CLUSTER SLOTS), and two connections more are opened to
 * each: one that publishes and one that subscribes, for sharded channels alone. The bus is up when
 * all of them are. When one is lost everything is connected anew, the slots are asked for again,
 * and all is subscribed to where it is then: a gap as with any loss, of which the owner is told. A
 * master that cannot be reached keeps the bus down until the Cluster has put another in its place.
 * In a Cluster of which some slots have no master the bus stays up with the others: what is
 * published to such a slot is refused and counted, and a subscription to one is an error that
 * begins anew.
 *
 * A slot that goes to another master takes its channels along, and nothing else: the bus stays up,
 * and those channels alone are subscribed to anew (stats.moved), at the new master, to which the
 * two connections are opened if it had no slots before. Nobody here hears what is published there
 * from when the former master takes them away to when the new one acknowledges them; and what was
 * on its way to the former master is answered with MOVED: it has reached nobody, is counted as
 * refused, and is not sent again, since what was published behind it may have been taken already.
 * Of both the owner is told (wshub_bus_owner.gap; wshub_desc.on_bus says UP once more) when all is
 * subscribed to again. Meanwhile other changes to sharded channels wait. If within
 * connect_timeout_ms no node takes what has moved, everything is connected anew. What is answered
 * with ASK, which no broker does for channels yet, is said again until one node takes it.
 *
 * Slots may be in as many ranges as there are of them.
 *
 * Of requests, PUBSUB NUMSUB and PUBSUB SHARDNUMSUB go to every node, and the answers are summed. A
 * subscriber of a channel that is none of a shard may sit at any of them: what is published at one
 * is forwarded to all others, to masters without slots and to replicas as well. One of a sharded
 * channel sits at the master of its slot or at one of its replicas, and others answer 0: so it does
 * not matter who has the slot now, and channels may be of several slots. Nodes are those that
 * CLUSTER SLOTS names, and those that CLUSTER NODES names beside them: masters without slots and
 * their replicas. Not asked are those that their Cluster has given up (`fail`), or has not met yet
 * (`handshake`, `noaddr`): nothing that is published comes to them. A node is known by its id, so
 * that one that goes by two addresses is asked once; who may not ask for CLUSTER NODES goes on
 * without. All other requests go to the node that was asked first. To each node without slots there
 * is a connection for this alone: one that cannot be reached is left out of the sum and dialled
 * again with each heartbeat, and the bus stays up. Each nodes_ms the nodes are asked for again:
 * those that have come since, masters among them, are connected to and asked, and those that have
 * gone are not asked any more. Of WSHUB_BUS_REDIS_REPLICAS_MAX such nodes those behind are not
 * asked.
 *
 * ---- When it goes away -------------------------------------------------------------------------
 * A connection is lost when the broker ends it, when what comes is not RESP or is over a limit, and
 * when a command is refused that the bus cannot do without. It is lost, too, when an answer is owed
 * and no byte has come for heartbeat_timeout_ms, or when a heartbeat has not come back in that time
 * although what was said behind it has been answered. Bytes that come are a sign of life, also
 * those of an answer that is an error. With each heartbeat something is asked on every connection,
 * so that an answer is always owed soon: a broker that stops without closing (a frozen process, a
 * cable that was pulled) is found out within heartbeat_ms and heartbeat_timeout_ms, on whichever
 * connection. It is counted in stats.silences, and told as any loss is; so are a sentinel and a
 * replica that fall silent, which the bus can do without.
 *
 * Then both connections are closed, the owner is told, and the next attempt begins after a wait: of
 * retry_min_ms at first, doubled each time that all addresses have failed, up to retry_max_ms. Half
 * of a wait is left to chance, so that hubs that lost their broker together do not come back in
 * step. An attempt has connect_timeout_ms for all of it: the name, the connections, the greeting,
 * and every subscription. Only when those are acknowledged the bus is up.
 *
 * Nothing is sent twice. What was on its way when a connection broke has arrived or is lost, and is
 * counted as unconfirmed. What failed is told in one line, without passwords: to desc.on_log, or to
 * the io.
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
 *     resetchannels &ws:broadcast &ws:room:* &ws:client:* &ws:user:* &wshub:hb:* &wshub:app:*
 *     -@all +subscribe +psubscribe +unsubscribe +punsubscribe +publish +ping +role +hello +auth
 *     +client|setname +quit
 * For sharded channels +ssubscribe +sunsubscribe +spublish take the place of +psubscribe and
 * +punsubscribe; the patterns of channels stay the same. desc.cluster needs +cluster|slots, and
 * +cluster|nodes if masters without slots are to be asked by NUMSUB.
 * +select is needed for a database other than 0, and whatever you ask by wshub_bus_request(). With
 * no_heartbeat &wshub:hb:* is not needed, and &wshub:app:* only for wshub_app_publish() and
 * wshub_app_subscribe(). Without +role a replica is not told from a master, and without +info a
 * replica of a Cluster is not told from one that will not do.
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
 * test_redis_links.c (connections), test_redis_bus.c, test_redis_request.c, test_redis_nodes.c,
 * test_redis_moves.c, test_bus_contract.c, test_sharded.c and, with a real server, test_redis.c,
 * test_redis_brokers.c and test_redis_shards.c.
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
    /* false. Connections are dialled as secure, by an io that has TLS, or a driver that encrypts;
     * the peer's certificate must bear the host's name. The URL then begins with rediss:// or
     * valkeys://, and without this it may not. A Unix socket may do either. */
    bool tls;
    /* false. Asks for RESP3 by HELLO 3. A broker that refuses gets RESP2, and is asked again by the
     * next connection unless it said that it does not know the command or the protocol. */
    bool resp3;
    /* false. No subscribing connection: for emitters, which hear nothing. */
    bool publish_only;
    /* false. Nothing is published or subscribed to that the owner did not ask for. PING alone then
     * tells whether the broker lives, and not whether it still forwards. */
    bool no_heartbeat;
    /* false. The addresses are nodes of a Redis Cluster, of at most WSHUB_BUS_REDIS_NODES_MAX
     * masters, sharded channels go to the master that has their slot, and PUBSUB NUMSUB and
     * SHARDNUMSUB to all nodes. Without it, to the node that is connected. Not with a driver, nor
     * with sentinels. */
    bool cluster;
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
    /* 5000. With cluster: from one time that its nodes are asked for to the next, which is with a
     * heartbeat. So long may it take until a node that has come is asked by NUMSUB. */
    uint32_t nodes_ms;
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
    /* NULL: the io shows it (wshub_io.log), as `warn REDIS: ...`. One line on what failed, and that
     * it is back; no passwords. The line is a view until it returns. At most one a second for a
     * broker that stays away. It may call anything, wshub_destroy() included. */
    void (*on_log)(const char *line, void *user);
    void *user;  /* the last argument of on_log */
    bool no_log; /* where there is no on_log: nothing is given to the io either */
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
    uint64_t silences;           /* connections that we ended: heartbeat_timeout_ms was over */
    uint64_t moved; /* sharded channels subscribed to anew, since their slot has moved */
} wshub_bus_redis_stats;

/* Defaults and bounds of the description. */
enum {
    WSHUB_BUS_REDIS_MESSAGE_BYTES = 16777216,       /* the default of message_bytes_max */
    WSHUB_BUS_REDIS_REQUESTS = 1024,                /* the default of requests_max */
    WSHUB_BUS_REDIS_REQUESTS_MAX = 65536,           /* the most that it may be */
    WSHUB_BUS_REDIS_NODES_MAX = 32,                 /* masters of a Cluster (desc.cluster) */
    WSHUB_BUS_REDIS_REPLICAS_MAX = 32,              /* its other nodes that are asked */
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

/* Says why wshub_bus_redis_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h. Who and with which password somebody is at the broker is not in
 * it: of a URL what stands before the last @, and behind ? or #, is left out.
 *   desc  borrowed
 *   err   what that returned; OK: it was not called yet
 *   buf   as there
 * Returns  as there.
 * Thread   any; pure. */
WSHUB_INLINE size_t wshub_bus_redis_desc_explain(const wshub_bus_redis_desc *desc, wshub_err err,
                                                 char *buf, size_t cap);

/* What these three call, as wshub_create_versioned() of wshub.h: with what the header that your
 * program includes says of the description.
 *   desc_bytes  sizeof(wshub_bus_redis_desc)
 *   version     WSHUB_BUS_REDIS_DESC_VERSION. If the file with the implementation was compiled with
 *               another header the description is refused, and nothing in it is read.
 * Return   as wshub_bus_redis_create(), _desc_problem() and _desc_explain(). */
WSHUB_API wshub_err wshub_bus_redis_create_versioned(const wshub_bus_redis_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_bus_redis **out_redis);
WSHUB_API const char *wshub_bus_redis_desc_problem_versioned(const wshub_bus_redis_desc *desc,
                                                             size_t desc_bytes, uint32_t version);
WSHUB_API size_t wshub_bus_redis_desc_explain_versioned(const wshub_bus_redis_desc *desc,
                                                        size_t desc_bytes, uint32_t version,
                                                        wshub_err err, char *buf, size_t cap);

WSHUB_INLINE wshub_err wshub_bus_redis_create(const wshub_bus_redis_desc *desc,
                                              wshub_bus_redis **out_redis) {
    return wshub_bus_redis_create_versioned(desc, sizeof *desc, WSHUB_BUS_REDIS_DESC_VERSION,
                                            out_redis);
}
WSHUB_INLINE const char *wshub_bus_redis_desc_problem(const wshub_bus_redis_desc *desc) {
    return wshub_bus_redis_desc_problem_versioned(desc, sizeof *desc, WSHUB_BUS_REDIS_DESC_VERSION);
}
WSHUB_INLINE size_t wshub_bus_redis_desc_explain(const wshub_bus_redis_desc *desc, wshub_err err,
                                                 char *buf, size_t cap) {
    return wshub_bus_redis_desc_explain_versioned(desc, sizeof *desc, WSHUB_BUS_REDIS_DESC_VERSION,
                                                  err, buf, cap);
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

/* The orders that another client carries out. All functions are required. */
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
    /* false. Every connection that it opens is secure, and the peer's certificate bears the host's
     * name. Without it a description with tls is refused. */
    bool encrypts;
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

static void wshub_bus_redis__reader_begin(wshub_bus_redis__reader *reader, const uint8_t *bytes,
                                          size_t count, uint32_t bulk_max) {
    reader->bytes = bytes;
    reader->count = count;
    reader->at = 0;
    reader->bulk_max = bulk_max;
    reader->bytes_max = (uint64_t)bulk_max + WSHUB_RESP_LINE_MAX;
    reader->parts = reader->cost = 0;
    reader->note = false;
}

/* Reads a line: its first byte is the kind of a value, the others are its text. */
static int wshub_bus_redis__read_line(wshub_bus_redis__reader *reader, wshub_resp_value *value) {
    const uint8_t *line = reader->bytes + reader->at, *end;
    size_t most = reader->count - reader->at;

    WSHUB_ASSERT(most > 0);
    if (most > WSHUB_RESP_LINE_MAX) most = WSHUB_RESP_LINE_MAX;

    end = (const uint8_t *)memchr(line, '\n', most);
    if (!end) return most == WSHUB_RESP_LINE_MAX ? WSHUB_RESP_BROKEN : WSHUB_RESP_MORE;
    if (end - line < 2 || end[-1] != '\r') return WSHUB_RESP_BROKEN;

    value->kind = (char)*line;
    value->number = 0;
    value->text.ptr = (const char *)line + 1;
    value->text.len = (size_t)(end - line) - 2;
    reader->at = (size_t)(end - reader->bytes) + 1;
    return WSHUB_RESP_DONE;
}

/* Makes a value the one null, whichever of its forms it came in. */
static int wshub_bus_redis__read_null(wshub_resp_value *value) {
    value->kind = '_';
    value->number = 0;
    value->text.ptr = NULL;
    value->text.len = 0;
    return WSHUB_RESP_DONE;
}

/* Reads a line whose text is a number. Most have few digits, and are read without looking for the
 * end of the line first. */
static int wshub_bus_redis__read_number(wshub_bus_redis__reader *reader, wshub_resp_value *value,
                                        int64_t *out) {
    enum { FEW = 9, LONGEST = 1 + FEW + 2 };
    const uint8_t *digits = reader->bytes + reader->at + 1, *p = digits;
    unsigned digit;
    int64_t n = 0;
    if (reader->count - reader->at >= LONGEST) {
        for (; p < digits + FEW && (digit = (unsigned)*p - '0') < 10; p++) n = n * 10 + digit;
    }

    if (p > digits && p[0] == '\r' && p[1] == '\n') {
        value->kind = (char)digits[-1];
        value->number = 0;
        reader->at = (size_t)(p - reader->bytes) + 2;
    } else {
        int got = wshub_bus_redis__read_line(reader, value);
        if (got != WSHUB_RESP_DONE) return got;
        if (!wshub_bus_redis__number(digits, digits + value->text.len, &n))
            return WSHUB_RESP_BROKEN;
    }
    value->text.ptr = NULL;
    value->text.len = 0;
    *out = n;
    return WSHUB_RESP_DONE;
}

/* Reads the text of given length behind its line. */
static int wshub_bus_redis__read_bulk(wshub_bus_redis__reader *reader, wshub_resp_value *value) {
    int64_t n = 0;
    int got = wshub_bus_redis__read_number(reader, value, &n);

    if (got != WSHUB_RESP_DONE) return got;
    if (n < 0) return n == -1 ? wshub_bus_redis__read_null(value) : WSHUB_RESP_BROKEN;
    if ((uint64_t)n > reader->bulk_max) {
        value->number = n;
        return WSHUB_RESP_OVERSIZED;
    }

    if (reader->at + (uint64_t)n > reader->bytes_max) return WSHUB_RESP_BROKEN;
    if (reader->count - reader->at < (size_t)n + 2) return WSHUB_RESP_MORE;

    value->text.ptr = (const char *)reader->bytes + reader->at;
    value->text.len = (size_t)n;
    reader->at += (size_t)n + 2;
    if (reader->bytes[reader->at - 2] != '\r' || reader->bytes[reader->at - 1] != '\n')
        return WSHUB_RESP_BROKEN;
    return WSHUB_RESP_DONE;
}

/* Takes a line as the head of an aggregate: how many parts will follow. An empty one and an
 * attribute cost one besides, since they could otherwise be said again and again without an end. */
static int wshub_bus_redis__read_parts(wshub_bus_redis__reader *reader, wshub_resp_value *value) {
    int64_t n = 0;
    int got = wshub_bus_redis__read_number(reader, value, &n);

    if (got != WSHUB_RESP_DONE) return got;
    if (n < 0) return n == -1 ? wshub_bus_redis__read_null(value) : WSHUB_RESP_BROKEN;
    if (n > WSHUB_RESP_ELEMENTS_MAX) return WSHUB_RESP_BROKEN;

    reader->note = value->kind == '|';
    reader->parts = value->number = value->kind == '%' || reader->note ? 2 * n : n;
    reader->cost += reader->parts + (reader->note || n == 0);
    return reader->cost > WSHUB_RESP_ELEMENTS_MAX ? WSHUB_RESP_BROKEN : WSHUB_RESP_DONE;
}

/* Reads one value; of an aggregate its head alone. */
static int wshub_bus_redis__read_value(wshub_bus_redis__reader *reader, wshub_resp_value *value) {
    int got;

    reader->parts = 0;
    reader->note = false;
    if (reader->at == reader->count) return WSHUB_RESP_MORE;
    if (reader->bytes[reader->at] == '$')
        return wshub_bus_redis__read_bulk(reader, value); /* of a message, most */

    switch (reader->bytes[reader->at]) {
    case '+':
    case '-':
    case '(':
    case ',':
    case '#': return wshub_bus_redis__read_line(reader, value);
    case '_':
        got = wshub_bus_redis__read_line(reader, value);
        return got == WSHUB_RESP_DONE ? wshub_bus_redis__read_null(value) : got;
    case ':': return wshub_bus_redis__read_number(reader, value, &value->number);
    case '!':
    case '=': return wshub_bus_redis__read_bulk(reader, value);
    case '*':
    case '~':
    case '>':
    case '%':
    case '|': return wshub_bus_redis__read_parts(reader, value);
    default: /* of no kind; a line all the same, until that is known to be wrong, too */
        got = wshub_bus_redis__read_line(reader, value);
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
                                       const wshub_bus_redis__reader *reader) {
    WSHUB_ASSERT(nest->left[nest->depth] > 0);
    if (reader->parts) {
        if (nest->depth == WSHUB_RESP_DEPTH_MAX) return false;
        nest->depth++;
        nest->left[nest->depth] = reader->parts;
        nest->note[nest->depth] = reader->note;
        nest->notes += reader->note;
        return true;
    }

    if (reader->note || --nest->left[nest->depth] > 0) return true;
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
    wshub_bus_redis__reader reader;
    wshub_bus_redis__nest nest;
    wshub_resp_value deeper, *v = &out->value;

    memset(v, 0, sizeof *v);
    out->items_count = out->bytes = out->values = 0;
    wshub_bus_redis__reader_begin(&reader, bytes, count, bulk_max);
    wshub_bus_redis__nest_begin(&nest);

    while (nest.left[0]) {
        size_t from = reader.at;
        int got = reader.at > reader.bytes_max ? WSHUB_RESP_BROKEN
                                               : wshub_bus_redis__read_value(&reader, v);
        if (got == WSHUB_RESP_OVERSIZED) {
            out->bytes = from;
            out->value.number = v->number;
        }
        if (got != WSHUB_RESP_DONE) return got;

        /* An attribute is not kept: what it stands before takes its place. */
        if (nest.depth == 1 && v != &deeper && !reader.note) out->items_count++;
        if (!wshub_bus_redis__nest_step(&nest, &reader)) return WSHUB_RESP_BROKEN;
        v = &deeper;
        if (nest.depth == 0) v = &out->value;
        if (nest.depth == 1 && !nest.notes && out->items_count < WSHUB_RESP_ITEMS)
            v = &out->items[out->items_count];
    }

    WSHUB_ASSERT(reader.at <= count);
    out->values = (size_t)reader.cost + 1;
    out->bytes = reader.at;
    return WSHUB_RESP_DONE;
}

/* ---- a reply as a tree -------------------------------------------------------------------------
 * What an answer to wshub_bus_request() is shown as. The parts of an array lie side by side, behind
 * all that was read before them. Proved by tests/test_redis_request.c. */

/* Shows one value, of an array its size alone. */
static void wshub_bus_redis__show(const wshub_resp_value *value, wshub_bus_reply *out) {
    memset(out, 0, sizeof *out);
    out->kind = WSHUB_BUS_REPLY_TEXT;
    out->text = value->text;

    switch (value->kind) {
    case '-':
    case '!': out->kind = WSHUB_BUS_REPLY_ERROR; break;
    case '=': /* `txt:` or `mkd:` stands in front of the text and says how it is to be shown */
        if (value->text.len < 4) break;
        out->text.ptr += 4;
        out->text.len -= 4;
        break;
    case ':':
        out->kind = WSHUB_BUS_REPLY_INTEGER;
        out->integer = value->number;
        break;
    case '#':
        out->kind = WSHUB_BUS_REPLY_INTEGER;
        out->integer = wshub_str_eq_z(value->text, "t");
        break;
    case '*':
    case '~':
    case '>':
    case '%':
        out->kind = WSHUB_BUS_REPLY_ARRAY;
        out->count = (size_t)value->number;
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
    wshub_bus_redis__reader reader;
    wshub_bus_redis__nest nest;
    wshub_bus_reply *next[WSHUB_RESP_DEPTH_MAX + 1]; /* where the next value goes, by depth */
    size_t used = 1;

    wshub_bus_redis__reader_begin(&reader, bytes, count, bulk_max);
    wshub_bus_redis__nest_begin(&nest);
    next[0] = nodes;

    while (nest.left[0]) {
        wshub_bus_reply *node = NULL;
        wshub_resp_value value;
        int got = wshub_bus_redis__read_value(&reader, &value);
        bool fits;
        WSHUB_ASSERT(got == WSHUB_RESP_DONE);

        if (!reader.note && !nest.notes) {
            node = next[nest.depth]++;
            WSHUB_ASSERT((size_t)(node - nodes) < values);
            wshub_bus_redis__show(&value, node);
        }

        fits = wshub_bus_redis__nest_step(&nest, &reader);
        WSHUB_ASSERT(fits);
        if (node && reader.parts) {
            node->items = next[nest.depth] = nodes + used;
            used += node->count;
        }
        (void)got;
        (void)fits;
    }

    WSHUB_ASSERT(reader.at == count);
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
    /* From here on two for each node of a Cluster: one on which it is asked who has subscribed
     * there, and on which a master is published to for sharded channels; and one, to a master
     * alone, that subscribes to them. */
    WSHUB_BUS_REDIS__NODES,
    WSHUB_BUS_REDIS__NODES_ALL = WSHUB_BUS_REDIS_NODES_MAX + WSHUB_BUS_REDIS_REPLICAS_MAX,
    WSHUB_BUS_REDIS__LINKS = WSHUB_BUS_REDIS__NODES + 2 * WSHUB_BUS_REDIS__NODES_ALL
};

enum {
    WSHUB_BUS_REDIS__ADDRESSES = 16,     /* of a URL */
    WSHUB_BUS_REDIS__LINES = 4,          /* of a log, kept until they can be told */
    WSHUB_BUS_REDIS__LINE_BYTES = 640,   /* of one of them */
    WSHUB_BUS_REDIS__SAID_BYTES = 200,   /* of what a broker said, that are kept */
    WSHUB_BUS_REDIS__MASTER_BYTES = 280, /* of a sentinel's answer: host, brackets and port */
    WSHUB_BUS_REDIS__ERROR_BYTES = 280,  /* of what failed last */
    WSHUB_BUS_REDIS__ID_BYTES = 41,      /* of a node's name in a Cluster, its end included */
    WSHUB_BUS_REDIS__SLOTS_ALL = 16384,  /* of a Cluster */
    WSHUB_BUS_REDIS__NOBODY = 255        /* who has a slot that no master has */
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
    WSHUB_BUS_REDIS__SLOTS,   /* which master of a Cluster has which slots */
    WSHUB_BUS_REDIS__MEMBERS, /* which nodes a Cluster has */
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
    bool was_ready;                    /* it is, or was until it ended */
    wshub_bus_redis__bytes in, out;
    /* Of a Cluster: the sharded channels that were asked for or given up on this connection, and
     * are not acknowledged; see wshub_bus_redis__name_push(). */
    wshub_bus_redis__bytes names;
    bool left;     /* a slot has gone from here to another node; `names` may still be of it */
    uint64_t skip; /* of a text that is too long: bytes still to come */
    /* Channels that the broker says we have; it counts sharded ones by themselves. */
    uint64_t subscribed, subscribed_sharded;
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

/* One node of a Cluster. */
typedef struct wshub_bus_redis__node {
    char address[WSHUB_BUS_REDIS__MASTER_BYTES]; /* "": this place is free */
    char id[WSHUB_BUS_REDIS__ID_BYTES];          /* its name in the Cluster; "": not known */
    bool master;    /* it has slots: the bus is up with it alone; else it is only asked */
    bool named;     /* the answers under way have named it */
    uint32_t slots; /* how many */
} wshub_bus_redis__node;

/* The nodes of a Cluster, of the connection under way. */
typedef struct wshub_bus_redis__cluster {
    wshub_bus_redis__node nodes[WSHUB_BUS_REDIS__NODES_ALL];
    uint32_t count;       /* of places that are taken, or were */
    bool dialled;         /* they are being connected to */
    bool reading;         /* of the answer to CLUSTER SLOTS the head was read */
    uint32_t ranges_left; /* of which so many are still to come */
    uint64_t nodes_at;    /* when it is asked for again */
    /* Slots have moved, and not all that is subscribed to is where it is now. */
    bool moving;
    bool gap;                      /* messages were lost by that: the owner is to be told */
    wshub_bus_redis__bytes strays; /* channels to be asked for, or given up, at their new node */
    uint32_t strays_count;         /* how many */
    uint32_t strays_owed;          /* those that were, and are not acknowledged */
    uint32_t rounds;               /* how often they were said since the move began */
    uint64_t strays_at;            /* when they are said again */
    uint64_t moving_since;         /* when the move began, or has come to something last */
    uint64_t moved_at;             /* when a node has said so last; 0: none has */
    wshub_bus_redis__requests requests[WSHUB_BUS_REDIS__NODES_ALL]; /* that each is asked */
    uint8_t slots[WSHUB_BUS_REDIS__SLOTS_ALL]; /* which has each slot; NOBODY: none */
    wshub_bus_redis__link links[WSHUB_BUS_REDIS__LINKS];
} wshub_bus_redis__cluster;

/* A question that was put to all nodes of a Cluster: how many have subscribed to some channels. Its
 * items, a name and a sum in turn, and the names stand behind it, in one block. */
typedef struct wshub_bus_redis__census {
    wshub_bus_redis *bus;
    wshub_bus_redis__request asker; /* on_reply NULL: it has been told */
    wshub_bus_reply sums;           /* what it will be told */
    uint64_t bytes;                 /* of the block */
    uint32_t parts;                 /* answers still to come */
    bool lost;                      /* one of them will not */
} wshub_bus_redis__census;

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
    wshub_bus_redis__link own[WSHUB_BUS_REDIS__NODES];
    wshub_bus_redis__link *links;      /* own, or of a Cluster, which has many more */
    int links_used;                    /* those behind are NONE */
    wshub_bus_redis__cluster *cluster; /* desc.cluster; NULL: there is none */
    wshub_bus_redis__flight *flights, *spare;
    wshub_bus_redis__requests requests;
    uint64_t census_more;        /* commands that wait beyond one for each question to all nodes */
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
static bool wshub_bus_redis__owned(const wshub_bus_redis *bus) {
    return bus->state != WSHUB_BUS_REDIS__IDLE;
}

/* Whether the io or the driver still has this connection. */
static bool wshub_bus_redis__there(const wshub_bus_redis__link *link) {
    return link->state >= WSHUB_BUS_REDIS__LINK_DIALLING;
}

/* Whether commands may be said on it. */
static bool wshub_bus_redis__open(const wshub_bus_redis__link *link) {
    return link->state >= WSHUB_BUS_REDIS__LINK_GREETING;
}

static bool wshub_bus_redis__ready(const wshub_bus_redis *bus, int which) {
    return bus->links[which].state == WSHUB_BUS_REDIS__LINK_READY;
}

/* Whether the two connections that every bus has will do. */
static bool wshub_bus_redis__both_ready(const wshub_bus_redis *bus) {
    return wshub_bus_redis__ready(bus, WSHUB_BUS_REDIS__PUB) &&
           (bus->desc.publish_only || wshub_bus_redis__ready(bus, WSHUB_BUS_REDIS__SUB));
}

/* The connections to a node of a Cluster: what it is asked on, and is published to; and of a master
 * that which subscribes. */
static int wshub_bus_redis__node_pub(uint32_t node) {
    return WSHUB_BUS_REDIS__NODES + 2 * (int)node;
}

static int wshub_bus_redis__node_sub(uint32_t node) {
    return WSHUB_BUS_REDIS__NODES + 2 * (int)node + 1;
}

/* The node that a connection goes to. NULL: it is none of those to a Cluster's nodes. */
static wshub_bus_redis__node *wshub_bus_redis__node_at(const wshub_bus_redis *bus, int which) {
    if (which < WSHUB_BUS_REDIS__NODES || !bus->cluster) return NULL;
    return &bus->cluster->nodes[(which - WSHUB_BUS_REDIS__NODES) / 2];
}

/* Whether a connection is to a node without slots, which is only asked. */
static bool wshub_bus_redis__only_asks(const wshub_bus_redis *bus, int which) {
    const wshub_bus_redis__node *node = wshub_bus_redis__node_at(bus, which);
    return node && !node->master;
}

/* Whether a connection is one of those to a master of a Cluster: the first or the second. */
static bool wshub_bus_redis__to_node(const wshub_bus_redis *bus, int which, int place) {
    const wshub_bus_redis__node *node = wshub_bus_redis__node_at(bus, which);
    return node && node->master && (which - WSHUB_BUS_REDIS__NODES) % 2 == place;
}

/* Whether a connection subscribes to channels of the owner's. */
static bool wshub_bus_redis__subscribes(const wshub_bus_redis *bus, int which) {
    return which == WSHUB_BUS_REDIS__SUB || wshub_bus_redis__to_node(bus, which, 1);
}

/* Whether a connection publishes what the owner says. */
static bool wshub_bus_redis__publishes(const wshub_bus_redis *bus, int which) {
    return which == WSHUB_BUS_REDIS__PUB || wshub_bus_redis__to_node(bus, which, 0);
}

/* Those who wait for answers on a connection that is asked. */
static wshub_bus_redis__requests *wshub_bus_redis__requests_of(wshub_bus_redis *bus, int which) {
    if (which == WSHUB_BUS_REDIS__PUB) return &bus->requests;
    WSHUB_ASSERT(which >= WSHUB_BUS_REDIS__NODES);
    return &bus->cluster->requests[(which - WSHUB_BUS_REDIS__NODES) / 2];
}

/* How many wait, on all of them. */
static uint32_t wshub_bus_redis__requests_count(const wshub_bus_redis *bus) {
    uint32_t count = bus->requests.count, node;
    for (node = 0; bus->cluster && node < WSHUB_BUS_REDIS__NODES_ALL; node++)
        count += bus->cluster->requests[node].count;
    return count;
}

/* The same, a question to all nodes being one. */
static uint32_t wshub_bus_redis__questions_count(const wshub_bus_redis *bus) {
    WSHUB_ASSERT(wshub_bus_redis__requests_count(bus) >= bus->census_more);
    return wshub_bus_redis__requests_count(bus) - (uint32_t)bus->census_more;
}

/* Whether those connections that carry messages will do. */
static bool wshub_bus_redis__all_ready(const wshub_bus_redis *bus) {
    const wshub_bus_redis__cluster *cluster = bus->cluster;
    uint32_t node;

    if (!wshub_bus_redis__both_ready(bus)) return false;
    if (!cluster) return true;
    for (node = 0; node < cluster->count; node++) {
        if (!cluster->nodes[node].master) continue;
        if (!wshub_bus_redis__ready(bus, wshub_bus_redis__node_pub(node))) return false;
        if (!bus->desc.publish_only &&
            !wshub_bus_redis__ready(bus, wshub_bus_redis__node_sub(node)))
            return false;
    }
    return cluster->dialled;
}

static bool wshub_bus_redis__no_links(const wshub_bus_redis *bus) {
    int which;
    for (which = 0; which < bus->links_used; which++) {
        if (bus->links[which].state != WSHUB_BUS_REDIS__LINK_NONE) return false;
    }
    return true;
}

/* The one door of a connection's state. What has ended has no number at the io any more. */
static void wshub_bus_redis__link_to(wshub_bus_redis__link *link, wshub_bus_redis__link_state to) {
    WSHUB_ASSERT(wshub_bus_redis__link_follows[link->state] >> to & 1u);
    link->state = to;
    if (to == WSHUB_BUS_REDIS__LINK_NONE || to == WSHUB_BUS_REDIS__LINK_READY)
        link->was_ready = to == WSHUB_BUS_REDIS__LINK_READY;
    if (!wshub_bus_redis__there(link)) link->conn.id = 0;
    (void)wshub_bus_redis__link_follows;
}

/* The state as owners know it. */
static wshub_bus_state wshub_bus_redis__told(const wshub_bus_redis *bus) {
    if (bus->state == WSHUB_BUS_REDIS__UP) return WSHUB_BUS_UP;
    return bus->state == WSHUB_BUS_REDIS__FILLING ? WSHUB_BUS_CONNECTED : WSHUB_BUS_DOWN;
}

/* The one door of the bus's state. Between connections nothing is subscribed or
 * owed, and no heartbeat is on its way. */
static void wshub_bus_redis__to(wshub_bus_redis *bus, wshub_bus_redis__state to) {
    WSHUB_ASSERT(wshub_bus_redis__follows[bus->state] >> to & 1u);
    bus->state = to;
    bus->stats.state = wshub_bus_redis__told(bus);
    if (to == WSHUB_BUS_REDIS__IDLE || to == WSHUB_BUS_REDIS__WAITING) {
        WSHUB_ASSERT(wshub_bus_redis__no_links(bus));
        bus->unanswered = bus->stats.subscribed = bus->stats.unacknowledged = 0;
        memset(&bus->beats, 0, sizeof bus->beats);
    }
    WSHUB_ASSERT(to < WSHUB_BUS_REDIS__FILLING || wshub_bus_redis__all_ready(bus));
    WSHUB_ASSERT(to < WSHUB_BUS_REDIS__ASKING || !wshub_bus_redis__requests_count(bus));
    WSHUB_ASSERT(to != WSHUB_BUS_REDIS__UP || !bus->stats.unacknowledged);
    (void)wshub_bus_redis__follows;
    (void)wshub_bus_redis__no_links; /* neither is needed where nothing is asserted */
}

/* ---- memory and bytes --------------------------------------------------------------------------
 * Buffers grow as they must, up to what the limits of the description let come to wait in them, and
 * go with their connection. */

static void *wshub_bus_redis__alloc(const wshub_bus_redis_desc *desc, void *ptr, size_t old_bytes,
                                    size_t new_bytes) {
    if (desc->alloc) return desc->alloc(desc->alloc_user, ptr, old_bytes, new_bytes);
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/* Makes room for so many bytes more behind what is there. False: out of memory. */
static bool wshub_bus_redis__room(wshub_bus_redis *bus, wshub_bus_redis__bytes *b, size_t more) {
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
    p = wshub_bus_redis__alloc(&bus->desc, b->ptr, b->cap, cap);
    if (!p) return false;
    b->ptr = (uint8_t *)p;
    b->cap = cap;
    WSHUB_ASSERT(b->cap - b->len >= more);
    return true;
}

static void wshub_bus_redis__release(wshub_bus_redis *bus, wshub_bus_redis__bytes *b) {
    if (b->ptr) (void)wshub_bus_redis__alloc(&bus->desc, b->ptr, b->cap, 0);
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
static void wshub_bus_redis__clock(wshub_bus_redis *bus) {
    uint64_t t = bus->io.now_ms(bus->io.ctx), passed = t > bus->io_now ? t - bus->io_now : 0;
    bus->io_now = t;
    bus->now += passed < bus->desc.heartbeat_ms ? passed : bus->desc.heartbeat_ms;
}

static void wshub_bus_redis__enter(wshub_bus_redis *bus) {
    if (bus->depth++ == 0) wshub_bus_redis__clock(bus);
}

/* Does anybody want lines? Without on_log the io does that shows warnings. */
static bool wshub_bus_redis__logs(const wshub_bus_redis *bus) {
    if (bus->desc.on_log) return true;
    return !bus->desc.no_log && bus->io.log && bus->io.log_level <= WSHUB_LEVEL_WARN;
}

/* Has the io show a line: as much as it takes of it. */
static void wshub_bus_redis__print(wshub_bus_redis *bus, const char *line) {
    char text[WSHUB_LOG_LINE_BYTES], *p;

    (void)snprintf(text, sizeof text, "warn REDIS: %.*s", (int)sizeof text - 13, line);
    for (p = text; *p; p++) {
        if ((unsigned char)*p > 126) *p = '?';
    }
    bus->io.log(bus->io.ctx, WSHUB_LEVEL_WARN, text);
}

/* Tells the log. Lines wait until nothing is half done, since on_log may end hub and bus at any of
 * them. */
static void wshub_bus_redis__tell(wshub_bus_redis *bus) {
    while (bus->lines_count) {
        char line[WSHUB_BUS_REDIS__LINE_BYTES];
        memcpy(line, bus->lines[0], sizeof line);
        bus->lines_count--;
        memmove(bus->lines[0], bus->lines[1], (size_t)bus->lines_count * sizeof line);
        if (bus->desc.on_log)
            bus->desc.on_log(line, bus->desc.user);
        else
            wshub_bus_redis__print(bus, line);
    }
}

#ifdef WSHUB_SELF_CHECK
/* How many answers of one kind are to come, on one connection. */
static uint64_t wshub_bus_redis__owed_by(const wshub_bus_redis__link *link,
                                         wshub_bus_redis__what what) {
    uint64_t owed = 0;
    uint32_t i;

    for (i = 0; i < link->cmds_count; i++) {
        const wshub_bus_redis__cmd *cmd = &link->cmds[(link->cmds_head + i) & (link->cmds_cap - 1)];
        WSHUB_ASSERT(cmd->count > 0);
        if (cmd->what == what) owed += cmd->count;
    }
    return owed;
}

/* The same, on all of them. */
static uint64_t wshub_bus_redis__owed(const wshub_bus_redis *bus, wshub_bus_redis__what what) {
    uint64_t owed = 0;
    int which;
    for (which = 0; which < bus->links_used; which++)
        owed += wshub_bus_redis__owed_by(&bus->links[which], what);
    return owed;
}

/* What is counted apart agrees with what the connections still owe. */
static void wshub_bus_redis__check(const wshub_bus_redis *bus) {
    (void)bus;
    WSHUB_ASSERT(wshub_bus_redis__owed(bus, WSHUB_BUS_REDIS__PUBLISH) == bus->unanswered);
    WSHUB_ASSERT(wshub_bus_redis__owed(bus, WSHUB_BUS_REDIS__BEAT) ==
                 bus->beats.sent - bus->beats.answered);
    WSHUB_ASSERT(wshub_bus_redis__owed(bus, WSHUB_BUS_REDIS__REQUEST) ==
                 wshub_bus_redis__requests_count(bus));
    WSHUB_ASSERT(wshub_bus_redis__owed(bus, WSHUB_BUS_REDIS__SUBSCRIBE) +
                     wshub_bus_redis__owed(bus, WSHUB_BUS_REDIS__UNSUBSCRIBE) +
                     wshub_bus_redis__owed(bus, WSHUB_BUS_REDIS__BEAT_CHANNEL) +
                     (bus->cluster ? bus->cluster->strays_count : 0) ==
                 bus->stats.unacknowledged);
    WSHUB_ASSERT((wshub_bus_redis__owed(bus, WSHUB_BUS_REDIS__PROBE) > 0) ==
                 (bus->beats.probed > 0));
}
#else
static void wshub_bus_redis__check(const wshub_bus_redis *bus) {
    (void)bus;
}
#endif

static void wshub_bus_redis__free(wshub_bus_redis *r);

/* The bus may be gone afterwards. */
static void wshub_bus_redis__leave(wshub_bus_redis *bus) {
    WSHUB_ASSERT(bus->depth > 0);
    if (bus->depth == 1) wshub_bus_redis__check(bus);
    if (bus->depth == 1) wshub_bus_redis__tell(bus);
    if (--bus->depth == 0 && bus->destroyed && !wshub_bus_redis__owned(bus))
        wshub_bus_redis__free(bus);
}

/* Keeps a line for the log. Within one turn the first ones say why, and what is not to be said
 * always is said once a second. */
static void wshub_bus_redis__log(wshub_bus_redis *bus, const char *line, bool always) {
    uint64_t second = bus->now / 1000 + 1;
    if (!wshub_bus_redis__logs(bus) || (!always && bus->log_second == second)) return;
    if (bus->lines_count == WSHUB_BUS_REDIS__LINES) return;

    bus->log_second = second;
    (void)snprintf(bus->lines[bus->lines_count], sizeof bus->lines[0], "%s", line);
    wshub_bus_redis__printable(bus->lines[bus->lines_count++]);
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
static bool wshub_bus_redis__cmd_room(wshub_bus_redis *bus, wshub_bus_redis__link *link) {
    uint32_t cap = link->cmds_cap ? link->cmds_cap * 2 : 16, i;
    wshub_bus_redis__cmd *cmds;

    if (link->cmds_count < link->cmds_cap) return true;

    cmds = (wshub_bus_redis__cmd *)wshub_bus_redis__alloc(&bus->desc, NULL, 0, cap * sizeof *cmds);
    if (!cmds) return false;
    for (i = 0; i < link->cmds_count; i++) cmds[i] = *wshub_bus_redis__cmd_at(link, i);
    if (link->cmds)
        (void)wshub_bus_redis__alloc(&bus->desc, link->cmds, link->cmds_cap * sizeof *cmds, 0);

    link->cmds = cmds;
    link->cmds_cap = cap;
    link->cmds_head = 0;
    WSHUB_ASSERT(link->cmds_count < cap);
    WSHUB_ASSERT((cap & (cap - 1)) == 0);
    return true;
}

/* Notes that so many answers of a kind will come, behind those that are noted. */
static bool wshub_bus_redis__cmd_add(wshub_bus_redis *bus, wshub_bus_redis__link *link,
                                     wshub_bus_redis__what what, uint32_t count) {
    wshub_bus_redis__cmd *last;

    WSHUB_ASSERT(count > 0);
    WSHUB_ASSERT(wshub_bus_redis__open(link));
    if (!link->cmds_count) link->progress = bus->now;

    last = link->cmds_count ? wshub_bus_redis__cmd_at(link, link->cmds_count - 1) : NULL;
    if (last && last->what == what && last->count < UINT32_MAX - count) {
        last->count += count;
        return true;
    }

    if (!wshub_bus_redis__cmd_room(bus, link)) return false;
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
    wshub_bus_redis__words words;
    words.args = args;
    words.count = count;
    words.from = words.to = count;
    words.prefix = wshub_bus_redis__none();
    return words;
}

/* What goes before the name of a channel, or before a pattern of names. */
static wshub_str wshub_bus_redis__prefix(const wshub_bus_redis *bus, bool pattern) {
    wshub_str prefix;
    prefix.ptr = pattern ? bus->glob : bus->desc.channel_prefix;
    prefix.len = pattern ? bus->glob_len : bus->prefix_len;
    return prefix;
}

/* Writes a command to a connection of our own. */
static bool wshub_bus_redis__command_write(wshub_bus_redis *bus, wshub_bus_redis__link *link,
                                           wshub_bus_redis__what what, uint32_t answers,
                                           const wshub_bus_redis__words *words) {
    enum { HEAD_BYTES = 32 }; /* the head and the end of a word or of the whole, at most */
    size_t bytes = HEAD_BYTES, i;
    uint8_t *at;
    for (i = 0; i < words->count; i++) bytes += words->args[i].len + words->prefix.len + HEAD_BYTES;
    if (!wshub_bus_redis__room(bus, &link->out, bytes) ||
        !wshub_bus_redis__cmd_add(bus, link, what, answers))
        return false;
    WSHUB_ASSERT(link->out.cap - link->out.len >= bytes);

    at = link->out.ptr + link->out.len;
    wshub_bus_redis__head(&at, '*', words->count);
    for (i = 0; i < words->count; i++) {
        bool prefixed = i >= words->from && i < words->to;
        wshub_bus_redis__word(&at, prefixed ? words->prefix : wshub_bus_redis__none(),
                              words->args[i]);
    }

    WSHUB_ASSERT((size_t)(at - link->out.ptr) <= link->out.len + bytes);
    link->out.len = (size_t)(at - link->out.ptr);
    return true;
}

/* Gives a command to a connection of a driver. */
static bool wshub_bus_redis__command_hand(wshub_bus_redis *bus, int which,
                                          wshub_bus_redis__what what, uint32_t answers,
                                          const wshub_bus_redis__words *words) {
    const wshub_bus_redis_driver *driver = bus->desc.driver;
    wshub_bus_redis__link *link = &bus->links[which];

    if (!wshub_bus_redis__cmd_add(bus, link, what, answers)) return false;
    if (driver->command(driver->ctx, which, words->args, words->count, words->from, words->to,
                        words->prefix))
        return true;

    wshub_bus_redis__cmd_undo(link, answers); /* no answer will come */
    return false;
}

/* Says a command that will have so many answers. False: out of memory, nothing was said. */
static bool wshub_bus_redis__command(wshub_bus_redis *bus, int which, wshub_bus_redis__what what,
                                     uint32_t answers, const wshub_bus_redis__words *words) {
    WSHUB_ASSERT(wshub_bus_redis__open(&bus->links[which]));
    WSHUB_ASSERT(words->count <= WSHUB_BUS_REDIS_WORDS_MAX);
    if (bus->desc.driver) return wshub_bus_redis__command_hand(bus, which, what, answers, words);
    return wshub_bus_redis__command_write(bus, &bus->links[which], what, answers, words);
}

/* Says a command of terminated words, up to the first NULL; it has one answer. */
static bool wshub_bus_redis__say(wshub_bus_redis *bus, int which, wshub_bus_redis__what what,
                                 const char *a, const char *b, const char *c) {
    wshub_bus_redis__words words;
    wshub_str args[3];
    size_t n = 0;

    args[n++] = wshub_str_z(a);
    if (b) args[n++] = wshub_str_z(b);
    if (b && c) args[n++] = wshub_str_z(c);
    words = wshub_bus_redis__plain(args, n);
    return wshub_bus_redis__command(bus, which, what, 1, &words);
}

/* ---- sending -----------------------------------------------------------------------------------
 * What was written leaves at the end of a turn, in one call for each connection. */

static void wshub_bus_redis__flight_free(wshub_bus_redis *bus, wshub_bus_redis__flight *flight) {
    wshub_bus_redis__release(bus, &flight->bytes);
    (void)wshub_bus_redis__alloc(&bus->desc, flight, sizeof *flight, 0);
}

/* A completion io took everything and copied nothing: the bytes stay where they are until it has
 * reported them. */
static void wshub_bus_redis__flight_begin(wshub_bus_redis *bus, wshub_bus_redis__link *link) {
    wshub_bus_redis__flight *flight = bus->spare;

    WSHUB_ASSERT(flight);
    WSHUB_ASSERT(link->out.at < link->out.len);
    WSHUB_ASSERT(!link->blocked);
    bus->spare = NULL;
    flight->next = bus->flights;
    flight->conn = link->conn.id;
    flight->bytes = link->out;
    bus->flights = flight;
    memset(&link->out, 0, sizeof link->out);
    link->blocked = true;
}

static void wshub_bus_redis__send(wshub_bus_redis *bus, wshub_bus_redis__link *link) {
    wshub_bus_redis__bytes *out = &link->out;
    wshub_span s;
    int64_t took;

    if (!wshub_bus_redis__open(link) || link->blocked || out->at == out->len) return;
    WSHUB_ASSERT(!bus->desc.driver);

    /* Whether the io completes is known only once it has the bytes: a flight is ready before. When
     * there is no memory for one, there is a next turn. */
    if (!bus->spare)
        bus->spare = (wshub_bus_redis__flight *)wshub_bus_redis__alloc(&bus->desc, NULL, 0,
                                                                       sizeof *bus->spare);
    if (!bus->spare) return;

    s.ptr = out->ptr + out->at;
    s.len = out->len - out->at;
    took = bus->io.send(bus->io.ctx, link->conn, &s, 1);
    if (took == WSHUB_IO_PENDING) {
        wshub_bus_redis__flight_begin(bus, link);
        return;
    }

    WSHUB_ASSERT(took >= 0 && (size_t)took <= s.len);
    out->at += (size_t)took;
    link->blocked = (size_t)took < s.len;
    if (out->at < out->len) return;

    /* Empty again: what has grown for a burst goes. */
    out->at = out->len = 0;
    if (out->cap > (size_t)bus->desc.output_bytes_max) wshub_bus_redis__release(bus, out);
}

/* Bytes that were given and have not been sent. */
static size_t wshub_bus_redis__waiting(const wshub_bus_redis *bus, int which) {
    const wshub_bus_redis__link *link = &bus->links[which];
    const wshub_bus_redis_driver *driver = bus->desc.driver;
    if (!driver) return link->out.len - link->out.at;
    return wshub_bus_redis__open(link) ? driver->waiting(driver->ctx, which) : 0;
}

static bool wshub_bus_redis__full(const wshub_bus_redis *bus, int which) {
    return wshub_bus_redis__waiting(bus, which) >= bus->desc.output_bytes_max;
}

/* Whether one of the connections that publish, or of those that subscribe, is full. */
static bool wshub_bus_redis__any_full(const wshub_bus_redis *bus, bool publishing) {
    int which;
    for (which = 0; which < bus->links_used; which++) {
        if (!(publishing ? wshub_bus_redis__publishes : wshub_bus_redis__subscribes)(bus, which))
            continue;
        if (wshub_bus_redis__full(bus, which)) return true;
    }
    return false;
}

/* Tells the owner that a publish() that was short may go on. */
static void wshub_bus_redis__room_again(wshub_bus_redis *bus) {
    if (!bus->publish_short || bus->state != WSHUB_BUS_REDIS__UP) return;
    if (wshub_bus_redis__any_full(bus, true)) return;
    WSHUB_ASSERT(bus->depth > 0);

    bus->publish_short = false;
    if (bus->owner.room)
        bus->owner.room(bus->owner.ctx);
    else if (bus->owner.wake)
        bus->owner.wake(bus->owner.ctx);
}

/* ---- requests ----------------------------------------------------------------------------------
 * wshub_bus_request() has its own ring: which command is one stands in that of the publishing
 * connection, who waits for it stands here, in the same order.
 * Proved by tests/test_redis_request.c. */

/* Makes room for one more. False: out of memory. */
static bool wshub_bus_redis__request_room(wshub_bus_redis *bus,
                                          wshub_bus_redis__requests *requests) {
    wshub_bus_redis__request *ring;
    uint32_t cap = requests->cap ? requests->cap * 2 : 16, i;

    WSHUB_ASSERT(requests->count <= requests->cap);
    if (requests->count < requests->cap) return true;

    ring =
        (wshub_bus_redis__request *)wshub_bus_redis__alloc(&bus->desc, NULL, 0, cap * sizeof *ring);
    if (!ring) return false;
    for (i = 0; i < requests->count; i++)
        ring[i] = requests->ring[(requests->head + i) & (requests->cap - 1)];
    if (requests->ring)
        (void)wshub_bus_redis__alloc(&bus->desc, requests->ring, requests->cap * sizeof *ring, 0);

    requests->ring = ring;
    requests->cap = cap;
    requests->head = 0;
    WSHUB_ASSERT(requests->count < requests->cap);
    return true;
}

static void wshub_bus_redis__request_push(wshub_bus_redis__requests *requests,
                                          wshub_bus_redis__request request) {
    WSHUB_ASSERT(request.on_reply);
    WSHUB_ASSERT(requests->count < requests->cap);
    requests->ring[(requests->head + requests->count++) & (requests->cap - 1)] = request;
}

static wshub_bus_redis__request wshub_bus_redis__request_pop(wshub_bus_redis__requests *requests) {
    wshub_bus_redis__request request = requests->ring[requests->head];
    WSHUB_ASSERT(requests->count > 0);
    requests->head = (requests->head + 1) & (requests->cap - 1);
    requests->count--;
    return request;
}

/* ---- questions to all nodes ---- */

static wshub_bus_redis__census *wshub_bus_redis__census_new(wshub_bus_redis *bus,
                                                            const wshub_str *names, size_t count,
                                                            wshub_bus_redis__request asker) {
    size_t bytes = sizeof(wshub_bus_redis__census) + 2 * count * sizeof(wshub_bus_reply), i;
    wshub_bus_redis__census *census;
    wshub_bus_reply *items;
    char *to;

    for (i = 0; i < count; i++) bytes += names[i].len;
    census = (wshub_bus_redis__census *)wshub_bus_redis__alloc(&bus->desc, NULL, 0, bytes);
    if (!census) return NULL;
    memset(census, 0, bytes);
    census->bus = bus;
    census->asker = asker;
    census->bytes = bytes;
    items = (wshub_bus_reply *)(census + 1);
    to = (char *)(items + 2 * count);
    for (i = 0; i < count; i++) {
        if (names[i].len) memcpy(to, names[i].ptr, names[i].len);
        items[2 * i].kind = WSHUB_BUS_REPLY_TEXT;
        items[2 * i].text.ptr = to;
        items[2 * i].text.len = names[i].len;
        items[2 * i + 1].kind = WSHUB_BUS_REPLY_INTEGER;
        to += names[i].len;
    }
    census->sums.kind = WSHUB_BUS_REPLY_ARRAY;
    census->sums.items = items;
    census->sums.count = 2 * count;
    return census;
}

/* Adds what one node has said. False: it is no answer to that. Nobody counts below none. */
static bool wshub_bus_redis__census_add(wshub_bus_redis__census *census,
                                        const wshub_bus_reply *reply) {
    wshub_bus_reply *items = (wshub_bus_reply *)(census + 1);
    size_t i;

    if (reply->kind != WSHUB_BUS_REPLY_ARRAY || reply->count != census->sums.count) return false;
    for (i = 1; i < reply->count; i += 2) {
        int64_t some = reply->items[i].integer;
        if (reply->items[i].kind != WSHUB_BUS_REPLY_INTEGER || some < 0 || some > UINT32_MAX)
            return false;
        items[i].integer += some;
    }
    return true;
}

/* Whoever waits is told, once; it may call anything. */
static void wshub_bus_redis__census_tell(wshub_bus_redis__census *census,
                                         const wshub_bus_reply *reply) {
    wshub_bus_redis__request asker = census->asker;

    if (!asker.on_reply) return;
    census->asker.on_reply = NULL;
    if (!reply) census->bus->stats.requests_lost++;
    asker.on_reply(asker.arg, reply);
}

/* One node has answered, or will not: one that is only asked, which is left out, or all of them. */
static void wshub_bus_redis__census_part(void *arg, const wshub_bus_reply *reply) {
    wshub_bus_redis__census *census = (wshub_bus_redis__census *)arg;
    wshub_bus_redis *bus = census->bus;
    wshub_bus_reply wrong;
    bool last = --census->parts == 0;

    WSHUB_ASSERT(bus->depth > 0);
    if (!last) bus->census_more--;
    if (!reply) {
        census->lost = census->lost || bus->state != WSHUB_BUS_REDIS__UP;
    } else if (reply->kind == WSHUB_BUS_REPLY_ERROR) {
        wshub_bus_redis__census_tell(census, reply);
    } else if (!wshub_bus_redis__census_add(census, reply)) {
        memset(&wrong, 0, sizeof wrong);
        wrong.kind = WSHUB_BUS_REPLY_ERROR;
        wrong.text = wshub_str_z("a node of the Cluster does not say how many have subscribed");
        wshub_bus_redis__census_tell(census, &wrong);
    }
    if (!last) return;
    wshub_bus_redis__census_tell(census, census->lost ? NULL : &census->sums);
    (void)wshub_bus_redis__alloc(&bus->desc, census, (size_t)census->bytes, 0);
}

/* ---- what may not be asked ---- */

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
static void wshub_bus_redis__link_close(wshub_bus_redis *bus, int which, bool flush) {
    wshub_bus_redis__link *link = &bus->links[which];
    wshub_conn conn = link->conn;
    bool there = wshub_bus_redis__there(link);

    if (link->state == WSHUB_BUS_REDIS__LINK_NONE) return;

    wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_NONE);
    if (there && bus->desc.driver)
        bus->desc.driver->close(bus->desc.driver->ctx, which, flush);
    else if (there)
        bus->io.close(bus->io.ctx, conn, flush);

    wshub_bus_redis__release(bus, &link->in);
    wshub_bus_redis__release(bus, &link->out);
    wshub_bus_redis__release(bus, &link->names);
    link->blocked = link->cut = link->left = false;
    link->said[0] = 0;
    link->skip = 0;
    link->cmds_head = link->cmds_count = 0;
    link->subscribed = link->subscribed_sharded = 0;
    WSHUB_ASSERT(!link->conn.id);
}

static bool wshub_bus_redis__link_open(wshub_bus_redis *bus, int which, const char *address) {
    wshub_bus_redis__link *link = &bus->links[which];
    const wshub_bus_redis_driver *driver = bus->desc.driver;
    wshub_dial dial;
    bool begun;

    WSHUB_ASSERT(!link->cmds_count);
    WSHUB_ASSERT(!link->in.len && !link->out.len);
    wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_DIALLING);
    link->progress = bus->now;
    memset(&dial, 0, sizeof dial);
    dial.address = address;
    dial.secure = bus->desc.tls;

    if (driver) {
        link->conn.id = 1;
        begun = driver->open(driver->ctx, bus, which, address);
    } else {
        begun = bus->io.connect(bus->io.ctx, bus, &dial, &link->conn) == WSHUB_OK;
    }
    if (!begun) wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_NONE);
    WSHUB_ASSERT(!begun == !link->conn.id);
    return begun;
}

/* Opens those connections that carry messages. */
static bool wshub_bus_redis__dial(wshub_bus_redis *bus, const char *address) {
    WSHUB_ASSERT(bus->state == WSHUB_BUS_REDIS__GREETING);
    return wshub_bus_redis__link_open(bus, WSHUB_BUS_REDIS__PUB, address) &&
           (bus->desc.publish_only ||
            wshub_bus_redis__link_open(bus, WSHUB_BUS_REDIS__SUB, address));
}

/* Opens those to the nodes of a Cluster that are not there. It is no matter if one to a node that
 * is only asked cannot be opened. False: one to a master cannot. */
static bool wshub_bus_redis__dial_nodes(wshub_bus_redis *bus) {
    wshub_bus_redis__cluster *cluster = bus->cluster;
    int used = wshub_bus_redis__node_pub(cluster->count);
    uint32_t i;

    WSHUB_ASSERT(cluster->count <= WSHUB_BUS_REDIS__NODES_ALL);
    cluster->dialled = true;
    if (bus->links_used < used) bus->links_used = used;
    for (i = 0; i < cluster->count; i++) {
        const wshub_bus_redis__node *node = &cluster->nodes[i];
        int pub = wshub_bus_redis__node_pub(i), sub = wshub_bus_redis__node_sub(i);

        if (node->address[0] && bus->links[pub].state == WSHUB_BUS_REDIS__LINK_NONE &&
            !wshub_bus_redis__link_open(bus, pub, node->address) && node->master)
            return false;
        if (node->master && !bus->desc.publish_only &&
            bus->links[sub].state == WSHUB_BUS_REDIS__LINK_NONE &&
            !wshub_bus_redis__link_open(bus, sub, node->address))
            return false;
    }
    return true;
}

/* Full or half of it, by chance: hubs that lost their broker together do not come back in step. */
static uint64_t wshub_bus_redis__jitter(wshub_bus_redis *bus, uint64_t ms) {
    uint8_t b[2] = {0, 0};
    (void)bus->io.random(bus->io.ctx, b, 2);
    WSHUB_ASSERT(ms <= UINT32_MAX);
    return ms / 2 + (ms - ms / 2) * (uint64_t)(b[0] << 8 | b[1]) / 65535;
}

/* Sets when the next attempt begins, and where. The wait grows once each address has been tried. */
static void wshub_bus_redis__schedule(wshub_bus_redis *bus) {
    uint64_t step = bus->failures / bus->addresses_count, wait = bus->desc.retry_max_ms;

    WSHUB_ASSERT(bus->state == WSHUB_BUS_REDIS__WAITING);
    WSHUB_ASSERT(bus->addresses_count > 0);
    if (step < 16) wait = (uint64_t)bus->desc.retry_min_ms << step;
    if (wait > bus->desc.retry_max_ms) wait = bus->desc.retry_max_ms;

    bus->address_at = (bus->address_at + 1) % bus->addresses_count;
    bus->retry_at = bus->now + wshub_bus_redis__jitter(bus, wait);
    bus->failures++;
}

static void wshub_bus_redis__lose_request(wshub_bus_redis *bus,
                                          wshub_bus_redis__requests *requests) {
    wshub_bus_redis__request request = wshub_bus_redis__request_pop(requests);
    bus->stats.requests_lost += request.on_reply != wshub_bus_redis__census_part;
    request.on_reply(request.arg, NULL);
}

/* Those who wait for answers to requests are told that none will come. Each may call anything, also
 * leave the bus, which comes back here: so each is taken off before it is told. */
static void wshub_bus_redis__lose_requests(wshub_bus_redis *bus) {
    uint32_t node;

    WSHUB_ASSERT(bus->depth > 0);
    while (bus->requests.count) wshub_bus_redis__lose_request(bus, &bus->requests);
    for (node = 0; bus->cluster && node < WSHUB_BUS_REDIS__NODES_ALL; node++) {
        while (bus->cluster->requests[node].count)
            wshub_bus_redis__lose_request(bus, &bus->cluster->requests[node]);
    }
}

/* What was subscribed to is forgotten, also what was on its way to another node. */
static void wshub_bus_redis__strays_drop(wshub_bus_redis *bus) {
    wshub_bus_redis__cluster *cluster = bus->cluster;

    if (!cluster) return;
    wshub_bus_redis__release(bus, &cluster->strays);
    cluster->strays_count = cluster->strays_owed = cluster->rounds = 0;
    cluster->moving = cluster->gap = false;
    cluster->moved_at = 0;
}

/* Everything is closed, the owner is told, the next attempt is set. A connection that owes an
 * answer is never used again. The owner may have left the bus afterwards. */
static void wshub_bus_redis__fail(wshub_bus_redis *bus, const char *why, wshub_str detail) {
    bool was_up = bus->state == WSHUB_BUS_REDIS__UP;
    bool told = wshub_bus_redis__told(bus) != WSHUB_BUS_DOWN;
    char line[WSHUB_BUS_REDIS__LINE_BYTES], text[WSHUB_BUS_REDIS__SAID_BYTES + 1];
    int which;

    if (bus->state <= WSHUB_BUS_REDIS__WAITING) return;
    WSHUB_ASSERT(bus->depth > 0);
    WSHUB_ASSERT(was_up || !bus->unanswered);

    wshub_bus_redis__copy(text, sizeof text, detail);
    (void)snprintf(bus->error, sizeof bus->error, "%s%s%s", why, text[0] ? ": " : "", text);
    wshub_bus_redis__printable(bus->error);
    (void)snprintf(line, sizeof line, "%s %s: %s; trying again", was_up ? "lost" : "cannot use",
                   wshub_bus_redis_address(bus), bus->error);

    bus->stats.unconfirmed += bus->unanswered;
    bus->stats.downs += was_up;
    for (which = 0; which < bus->links_used; which++)
        wshub_bus_redis__link_close(bus, which, false);
    wshub_bus_redis__strays_drop(bus);
    wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__WAITING);

    /* After a good connection it begins anew, with the shortest wait. */
    if (was_up && bus->now - bus->up_since >= WSHUB_BUS_REDIS__GOOD_MS) bus->failures = 0;
    wshub_bus_redis__schedule(bus);

    wshub_bus_redis__log(bus, line, was_up);
    if (told) bus->owner.state(bus->owner.ctx, WSHUB_BUS_DOWN);
    wshub_bus_redis__lose_requests(bus);
}

static void wshub_bus_redis__fail_plain(wshub_bus_redis *bus, const char *why) {
    wshub_bus_redis__fail(bus, why, wshub_bus_redis__none());
}

static void wshub_bus_redis__fail_memory(wshub_bus_redis *bus) {
    wshub_bus_redis__fail_plain(bus, "out of memory");
}

/* Fails with what is to be done about it behind the text of the broker. */
static void wshub_bus_redis__fail_hint(wshub_bus_redis *bus, const char *why, wshub_str text,
                                       const char *hint) {
    char said[111], both[WSHUB_BUS_REDIS__SAID_BYTES + 1];
    wshub_bus_redis__copy(said, sizeof said, text);
    (void)snprintf(both, sizeof both, "%s%s", said, hint);
    wshub_bus_redis__fail(bus, why, wshub_str_z(both));
}

/* A node that is only asked is not asked any more, until it is dialled again with a heartbeat.
 * Whoever waits for its part may call anything. */
static void wshub_bus_redis__asked_lost(wshub_bus_redis *bus, int which) {
    wshub_bus_redis__requests *requests = wshub_bus_redis__requests_of(bus, which);

    WSHUB_ASSERT(bus->depth > 0);
    wshub_bus_redis__link_close(bus, which, false);
    while (requests->count) wshub_bus_redis__lose_request(bus, requests);
}

/* Where a connection goes to. */
static const char *wshub_bus_redis__link_address(const wshub_bus_redis *bus, int which) {
    if (which == WSHUB_BUS_REDIS__SENTINEL) return bus->addresses[bus->address_at];
    if (which < WSHUB_BUS_REDIS__NODES) return wshub_bus_redis_address(bus);
    return wshub_bus_redis__node_at(bus, which)->address;
}

/* The bus can do without this one. It is told of if it was good: one that is dialled again and
 * again in vain is not told of each time. */
static void wshub_bus_redis__log_aside(wshub_bus_redis *bus, int which, const char *why,
                                       wshub_str detail) {
    char line[WSHUB_BUS_REDIS__LINE_BYTES], text[WSHUB_BUS_REDIS__SAID_BYTES + 1];

    if (!bus->links[which].was_ready) return;
    wshub_bus_redis__copy(text, sizeof text, detail);
    (void)snprintf(line, sizeof line, "lost the %s %s: %s%s%s; the bus stays up",
                   which == WSHUB_BUS_REDIS__SENTINEL ? "sentinel" : "node",
                   wshub_bus_redis__link_address(bus, which), why, text[0] ? ": " : "", text);
    wshub_bus_redis__log(bus, line, false);
}

/* A connection is of no use any more. A sentinel that is only watched takes the bus down with it
 * least of all: another one is asked with the next heartbeat. So it is with nodes that are only
 * asked. */
static void wshub_bus_redis__link_fail(wshub_bus_redis *bus, int which, const char *why,
                                       wshub_str detail) {
    bool watched = which == WSHUB_BUS_REDIS__SENTINEL && bus->state != WSHUB_BUS_REDIS__ASKING;

    WSHUB_ASSERT(bus->links[which].state != WSHUB_BUS_REDIS__LINK_NONE);
    if (watched || wshub_bus_redis__only_asks(bus, which))
        wshub_bus_redis__log_aside(bus, which, why, detail);
    if (watched)
        wshub_bus_redis__link_close(bus, which, false);
    else if (wshub_bus_redis__only_asks(bus, which))
        wshub_bus_redis__asked_lost(bus, which);
    else
        wshub_bus_redis__fail(bus, why, detail);
}

/* What the io or the driver says of the last failure. */
static const char *wshub_bus_redis__io_error(const wshub_bus_redis *bus, const char *otherwise) {
    if (bus->desc.driver) return bus->desc.driver->error(bus->desc.driver->ctx);
    return bus->io.error ? bus->io.error(bus->io.ctx) : otherwise;
}

static void wshub_bus_redis__attempt(wshub_bus_redis *bus) {
    const char *address = bus->addresses[bus->address_at];
    bool begun;

    WSHUB_ASSERT(bus->depth > 0);
    WSHUB_ASSERT(bus->address_at < bus->addresses_count);
    bus->stats.attempts++;
    bus->deadline = bus->now + bus->desc.connect_timeout_ms;
    bus->short_of_room = bus->half_done = bus->publish_short = false;
    bus->known_len = 0;
    bus->asks_role = true;
    if (bus->cluster) {
        memset(bus->cluster->nodes, 0, sizeof bus->cluster->nodes);
        bus->cluster->count = 0;
        bus->cluster->dialled = bus->cluster->reading = false;
        memset(bus->cluster->slots, WSHUB_BUS_REDIS__NOBODY, sizeof bus->cluster->slots);
    }

    if (bus->desc.sentinel) {
        wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__ASKING);
        bus->master[0] = 0;
        begun = wshub_bus_redis__link_open(bus, WSHUB_BUS_REDIS__SENTINEL, address);
    } else {
        wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__GREETING);
        begun = wshub_bus_redis__dial(bus, address);
    }
    if (!begun) wshub_bus_redis__fail_plain(bus, wshub_bus_redis__io_error(bus, "cannot connect"));
}

static bool wshub_bus_redis__greet_auth(wshub_bus_redis *bus, int which, const char *user,
                                        const char *password) {
    if (!password || !*password) return true;
    if (!user || !*user)
        return wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__AUTH, "AUTH", password, NULL);
    return wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__AUTH, "AUTH", user, password);
}

/* Where the master is, and tell us when that changes. */
static bool wshub_bus_redis__greet_sentinel(wshub_bus_redis *bus) {
    int which = WSHUB_BUS_REDIS__SENTINEL;

    WSHUB_ASSERT(bus->desc.sentinel);
    return wshub_bus_redis__greet_auth(bus, which, bus->desc.sentinel_user,
                                       bus->desc.sentinel_password) &&
           wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__MASTER, "SENTINEL",
                                "get-master-addr-by-name", bus->desc.sentinel) &&
           wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__WATCH, "SUBSCRIBE", "+switch-master",
                                NULL);
}

/* Asks the node that is connected which master has which slots, and which nodes there are beside
 * those and their replicas. */
static bool wshub_bus_redis__ask_nodes(wshub_bus_redis *bus) {
    int which = WSHUB_BUS_REDIS__PUB;
    return wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__SLOTS, "CLUSTER", "SLOTS", NULL) &&
           wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__MEMBERS, "CLUSTER", "NODES", NULL);
}

/* Who we are, in which dialect, and what the broker is. Drivers keep to RESP2. */
static bool wshub_bus_redis__greet_broker(wshub_bus_redis *bus, int which) {
    bool ok = wshub_bus_redis__greet_auth(bus, which, bus->user, bus->password);

    WSHUB_ASSERT(which != WSHUB_BUS_REDIS__SENTINEL);
    if (bus->desc.resp3 && !bus->resp2_only && !bus->desc.driver)
        ok = ok && wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__HELLO, "HELLO", "3", NULL);
    if (*bus->desc.client_name)
        ok = ok && wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__SETNAME, "CLIENT", "SETNAME",
                                        bus->desc.client_name);
    if (*bus->db && strcmp(bus->db, "0") != 0)
        ok = ok &&
             wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__SELECT, "SELECT", bus->db, NULL);

    /* Whether a Cluster's node is a master its slots say, and MOVED. */
    if (which < WSHUB_BUS_REDIS__NODES)
        ok = ok && wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__ROLE, "ROLE", NULL, NULL);
    if (which == WSHUB_BUS_REDIS__PUB && bus->cluster) ok = ok && wshub_bus_redis__ask_nodes(bus);
    return ok && wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__READY, "PING", NULL, NULL);
}

/* A connection is there: its first commands leave in one piece, without waiting for answers. */
static void wshub_bus_redis__greet(wshub_bus_redis *bus, int which) {
    bool ok;

    WSHUB_ASSERT(bus->depth > 0);
    WSHUB_ASSERT(bus->state > WSHUB_BUS_REDIS__WAITING);
    wshub_bus_redis__link_to(&bus->links[which], WSHUB_BUS_REDIS__LINK_GREETING);
    bus->links[which].progress = bus->now;
    ok = which == WSHUB_BUS_REDIS__SENTINEL ? wshub_bus_redis__greet_sentinel(bus)
                                            : wshub_bus_redis__greet_broker(bus, which);
    if (ok)
        wshub_bus_redis__send(bus, &bus->links[which]);
    else
        wshub_bus_redis__fail_memory(bus);
}

/* Once both connections have said that they will do, the owner subscribes to all that it wants,
 * inside the report, behind the channel of our heartbeat. */
static void wshub_bus_redis__greeted(wshub_bus_redis *bus) {
    wshub_bus_redis__room_again(bus); /* for what waited for a node that has got slots */
    if (bus->state != WSHUB_BUS_REDIS__GREETING || !wshub_bus_redis__both_ready(bus)) return;
    WSHUB_ASSERT(!bus->stats.unacknowledged);
    if (bus->cluster && !bus->cluster->dialled && !wshub_bus_redis__dial_nodes(bus)) {
        wshub_bus_redis__fail_plain(bus,
                                    wshub_bus_redis__io_error(bus, "cannot connect to a node"));
        return;
    }
    if (!wshub_bus_redis__all_ready(bus)) return;
    wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__FILLING);

    if (!bus->desc.publish_only && !bus->desc.no_heartbeat) {
        if (!wshub_bus_redis__say(bus, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__BEAT_CHANNEL,
                                  "SUBSCRIBE", bus->beat, NULL)) {
            wshub_bus_redis__fail_memory(bus);
            return;
        }
        bus->stats.unacknowledged++;
    }
    bus->owner.state(bus->owner.ctx, WSHUB_BUS_CONNECTED);
}

/* Every subscription is acknowledged. */
static void wshub_bus_redis__up(wshub_bus_redis *bus) {
    char line[WSHUB_BUS_REDIS__LINE_BYTES];

    WSHUB_ASSERT(!bus->unanswered);
    wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__UP);
    bus->stats.ups++;
    bus->up_since = bus->beats.next_at = bus->now;
    bus->beats.late_at = 0;
    if (bus->cluster) bus->cluster->nodes_at = bus->now + bus->desc.nodes_ms;

    if (bus->failures || bus->stats.ups > 1) {
        (void)snprintf(line, sizeof line, "back at %s", wshub_bus_redis_address(bus));
        wshub_bus_redis__log(bus, line, true);
    }
    bus->owner.state(bus->owner.ctx, WSHUB_BUS_UP);
}

/* ---- a Cluster's slots -------------------------------------------------------------------------
 * Which master has which channel, and what is done when that changes. Proved by
 * tests/test_redis_shards.c, test_sharded.c. */

/* The slot of a channel: of what stands between the first `{` and the next `}`, if there is
 * something, else of all of it; by CRC-16 as XMODEM has it. */
static uint32_t wshub_bus_redis__slot(wshub_str prefix, wshub_str name) {
    uint32_t crc = 0, bit;
    size_t len = prefix.len + name.len, from = 0, to = len, i;

#define WSHUB_BUS_REDIS__AT(i) (i < prefix.len ? prefix.ptr[i] : name.ptr[i - prefix.len])
    while (from < len && WSHUB_BUS_REDIS__AT(from) != '{') from++;
    for (i = from + 1; i < len && WSHUB_BUS_REDIS__AT(i) != '}';) i++;
    if (i < len && i > from + 1) {
        from++;
        to = i;
    } else {
        from = 0;
    }
    for (i = from; i < to; i++) {
        crc ^= (uint32_t)(uint8_t)WSHUB_BUS_REDIS__AT(i) << 8;
        for (bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        crc &= 0xFFFF;
    }
#undef WSHUB_BUS_REDIS__AT
    return crc % WSHUB_BUS_REDIS__SLOTS_ALL;
}

/* The slot of one of the owner's channels. */
static uint32_t wshub_bus_redis__slot_of(const wshub_bus_redis *bus, wshub_str channel) {
    return wshub_bus_redis__slot(wshub_bus_redis__prefix(bus, false), channel);
}

/* The master of a channel. NOBODY: it has none. */
static uint32_t wshub_bus_redis__node_of(const wshub_bus_redis *bus, wshub_str channel) {
    return bus->cluster->slots[wshub_bus_redis__slot_of(bus, channel)];
}

/* The address of a node: an array whose first are host and port. host "": that of the node that was
 * asked. False: it is none. */
static bool wshub_bus_redis__node_address(const wshub_bus_redis *bus, const wshub_bus_reply *node,
                                          char address[WSHUB_BUS_REDIS__MASTER_BYTES]) {
    wshub_str asked = wshub_str_z(wshub_bus_redis_address(bus)), host;
    int64_t port;
    bool v6;

    if (node->kind != WSHUB_BUS_REPLY_ARRAY || node->count < 2) return false;
    host = node->items[0].text;
    port = node->items[1].integer;
    if (host.len > 255 || port < 1 || port > 65535) return false;
    v6 = host.len && memchr(host.ptr, ':', host.len) != NULL;
    if (!host.len || wshub_str_eq_z(host, "?")) {
        host = asked;
        while (host.len && host.ptr[host.len - 1] != ':') host.len--;
        if (host.len) host.len--;
        v6 = false; /* it has its brackets */
    }
    (void)snprintf(address, WSHUB_BUS_REDIS__MASTER_BYTES, v6 ? "[%.*s]:%u" : "%.*s:%u",
                   (int)host.len, host.ptr, (unsigned)port);
    return true;
}

/* The same, of a text `host:port`. */
static bool wshub_bus_redis__text_address(const wshub_bus_redis *bus, wshub_str text,
                                          char address[WSHUB_BUS_REDIS__MASTER_BYTES]) {
    const uint8_t *from = (const uint8_t *)text.ptr, *port = from + text.len;
    wshub_bus_reply node, items[2];

    while (port > from && port[-1] != ':') port--;
    if (port == from) return false;
    memset(items, 0, sizeof items);
    memset(&node, 0, sizeof node);
    items[0].text.ptr = text.ptr;
    items[0].text.len = (size_t)(port - from) - 1;
    node.kind = WSHUB_BUS_REPLY_ARRAY;
    node.items = items;
    node.count = 2;
    return wshub_bus_redis__number(port, from + text.len, &items[1].integer) &&
           wshub_bus_redis__node_address(bus, &node, address);
}

/* Takes the next word off a text. Words stand apart by one of `blanks`. */
static wshub_str wshub_bus_redis__next_word(wshub_str *text, const char *blanks) {
    wshub_str word = *text;

    word.len = 0;
    while (word.len < text->len && !strchr(blanks, word.ptr[word.len])) word.len++;
    text->ptr += word.len;
    text->len -= word.len;
    if (text->len) {
        text->ptr++;
        text->len--;
    }
    return word;
}

/* The place of a node that an answer names. NOBODY: it is a new one. Its id tells more than its
 * address, since a node may go by several; the first one that is named counts. id may be "". */
static uint32_t wshub_bus_redis__node_find(wshub_bus_redis__cluster *cluster,
                                           const char address[WSHUB_BUS_REDIS__MASTER_BYTES],
                                           const char id[WSHUB_BUS_REDIS__ID_BYTES]) {
    uint32_t i;

    for (i = 0; i < cluster->count; i++) {
        wshub_bus_redis__node *node = &cluster->nodes[i];
        bool same = id[0] && strcmp(node->id, id) == 0;
        if (!node->address[0] || (!same && strcmp(node->address, address) != 0)) continue;
        if (!node->named) memcpy(node->address, address, sizeof node->address);
        if (!node->named && id[0]) memcpy(node->id, id, sizeof node->id);
        node->named = true;
        return i;
    }
    return WSHUB_BUS_REDIS__NOBODY;
}

/* The same, and takes a place for a new one. NOBODY: of nodes that are only asked there are too
 * many. A master always has a place: those before it are as many masters as may be, at most. */
static uint32_t wshub_bus_redis__node_put(wshub_bus_redis__cluster *cluster,
                                          const char address[WSHUB_BUS_REDIS__MASTER_BYTES],
                                          const char id[WSHUB_BUS_REDIS__ID_BYTES], bool master) {
    uint32_t place = wshub_bus_redis__node_find(cluster, address, id), others = 0, i;
    wshub_bus_redis__node *node;

    if (place != WSHUB_BUS_REDIS__NOBODY) return place;
    for (i = 0, place = cluster->count; i < cluster->count; i++) {
        if (!cluster->nodes[i].address[0]) place = i;
        others += cluster->nodes[i].address[0] && !cluster->nodes[i].master;
    }
    if (place == WSHUB_BUS_REDIS__NODES_ALL) return WSHUB_BUS_REDIS__NOBODY;
    if (!master && others >= WSHUB_BUS_REDIS_REPLICAS_MAX) return WSHUB_BUS_REDIS__NOBODY;

    node = &cluster->nodes[place];
    memset(node, 0, sizeof *node);
    memcpy(node->address, address, sizeof node->address);
    memcpy(node->id, id, sizeof node->id);
    node->named = true;
    cluster->count += place == cluster->count;
    return place;
}

/* A node has some slots more. False: there are more masters than may be. */
static bool wshub_bus_redis__slots_take(wshub_bus_redis__cluster *cluster, uint32_t node,
                                        int64_t from, int64_t to) {
    uint32_t masters = 0, i;

    for (i = 0; i < cluster->count; i++) masters += cluster->nodes[i].master;
    masters += !cluster->nodes[node].master;
    cluster->nodes[node].master = true;
    for (; from <= to; from++) {
        uint8_t *has = &cluster->slots[from];
        if (*has != WSHUB_BUS_REDIS__NOBODY) {
            cluster->nodes[*has].slots--;
            cluster->links[wshub_bus_redis__node_sub(*has)].left = true;
        }
        *has = (uint8_t)node;
        cluster->nodes[node].slots++;
    }
    return masters <= WSHUB_BUS_REDIS_NODES_MAX;
}

/* How many channels of a kind the broker says that we have on a connection. That of the heartbeat
 * is none of the owner's. A driver may not know (-1). What a broker says may be any number, and is
 * added up: it counts for no more than can be added. */
static void wshub_bus_redis__subscribed(wshub_bus_redis *bus, int which, bool sharded,
                                        int64_t count) {
    wshub_bus_redis__link *link = &bus->links[which];
    uint64_t *have = sharded ? &link->subscribed_sharded : &link->subscribed;
    bool ours = !sharded && count > 0 && !bus->desc.no_heartbeat;
    if (count < 0) return;
    if (count > UINT32_MAX) count = UINT32_MAX;
    WSHUB_ASSERT(bus->stats.subscribed >= *have);
    bus->stats.subscribed -= *have;
    *have = (uint64_t)count - ours;
    bus->stats.subscribed += *have;
}

/* ---- channels by name ----
 * An acknowledgement says which channel it is about, an error does not: so those that were said to
 * a Cluster are kept until they are acknowledged, in the order in which they were said. */

typedef struct wshub_bus_redis__name {
    uint32_t len;
    bool want;  /* false: it is given up */
    bool again; /* it was said before, to another node */
} wshub_bus_redis__name;

/* Puts a channel behind others. False: out of memory. */
static bool wshub_bus_redis__name_push(wshub_bus_redis *bus, wshub_bus_redis__bytes *names,
                                       wshub_str channel, bool want, bool again) {
    wshub_bus_redis__name name;

    if (!wshub_bus_redis__room(bus, names, sizeof name + channel.len)) return false;
    memset(&name, 0, sizeof name);
    name.len = (uint32_t)channel.len;
    name.want = want;
    name.again = again;
    memcpy(names->ptr + names->len, &name, sizeof name);
    memcpy(names->ptr + names->len + sizeof name, channel.ptr, channel.len); /* a name: NOLINT */
    names->len += sizeof name + channel.len;
    return true;
}

/* Looks at the oldest. Returns its name, a view. ptr NULL: there is none. */
static wshub_str wshub_bus_redis__name_first(const wshub_bus_redis__bytes *names,
                                             wshub_bus_redis__name *out_name) {
    wshub_str channel = wshub_bus_redis__none();

    if (names->at == names->len) return channel;
    memcpy(out_name, names->ptr + names->at, sizeof *out_name);
    channel.ptr = (const char *)names->ptr + names->at + sizeof *out_name;
    channel.len = out_name->len;
    WSHUB_ASSERT(names->at + sizeof *out_name + channel.len <= names->len);
    return channel;
}

/* Takes the oldest off. */
static void wshub_bus_redis__name_pop(wshub_bus_redis__bytes *names) {
    wshub_bus_redis__name name;
    wshub_str channel = wshub_bus_redis__name_first(names, &name);

    WSHUB_ASSERT(channel.ptr);
    names->at += sizeof name + channel.len;
    if (names->at == names->len) names->at = names->len = 0;
}

/* Asks for a sharded channel of a Cluster where it is, or gives it up. What has no master is said
 * to the node that was asked first, which says so. False: out of memory, nothing was said. */
static bool wshub_bus_redis__name_say(wshub_bus_redis *bus, wshub_str channel, bool want,
                                      bool again) {
    uint32_t node = wshub_bus_redis__node_of(bus, channel);
    int sub =
        node == WSHUB_BUS_REDIS__NOBODY ? WSHUB_BUS_REDIS__SUB : wshub_bus_redis__node_sub(node);
    wshub_bus_redis__bytes *names = &bus->links[sub].names;
    wshub_bus_redis__words words;
    wshub_str args[2];

    args[0] = wshub_str_z(want ? "SSUBSCRIBE" : "SUNSUBSCRIBE");
    args[1] = channel;
    words = wshub_bus_redis__plain(args, 2);
    words.from = 1;
    words.prefix = wshub_bus_redis__prefix(bus, false);
    if (!wshub_bus_redis__name_push(bus, names, channel, want, again)) return false;
    if (wshub_bus_redis__command(
            bus, sub, want ? WSHUB_BUS_REDIS__SUBSCRIBE : WSHUB_BUS_REDIS__UNSUBSCRIBE, 1, &words))
        return true;
    names->len -= sizeof(wshub_bus_redis__name) + channel.len;
    if (names->at == names->len) names->at = names->len = 0;
    return false;
}

static bool wshub_bus_redis__is_error(const wshub_resp *reply) {
    return reply->value.kind == '-' || reply->value.kind == '!';
}

/* ---- slots that move ----
 * Channels whose node has taken them away, or says that another has them, are strays until that one
 * has acknowledged them. All changes of one channel pass through here in their order: as long as
 * something moves the owner's have to wait. */

/* Whether an error says that a channel is another node's. */
static bool wshub_bus_redis__moves(wshub_str text) {
    return wshub_bus_redis__begins(text, "MOVED ") || wshub_bus_redis__begins(text, "ASK ");
}

/* A move begins, or goes on. */
static void wshub_bus_redis__moving(wshub_bus_redis *bus) {
    wshub_bus_redis__cluster *cluster = bus->cluster;

    if (cluster->moving) return;
    cluster->moving = true;
    cluster->rounds = 0;
    cluster->strays_at = cluster->moving_since = bus->now;
}

/* `MOVED slot host:port`, or ASK, which is for now alone. False: it is neither. */
static bool wshub_bus_redis__moved_read(const wshub_bus_redis *bus, wshub_str text,
                                        uint32_t *out_slot,
                                        char address[WSHUB_BUS_REDIS__MASTER_BYTES]) {
    wshub_str where;
    int64_t slot;

    (void)wshub_bus_redis__next_word(&text, " ");
    where = wshub_bus_redis__next_word(&text, " ");
    if (!wshub_bus_redis__number((const uint8_t *)where.ptr, (const uint8_t *)where.ptr + where.len,
                                 &slot) ||
        slot < 0 || slot >= WSHUB_BUS_REDIS__SLOTS_ALL)
        return false;
    *out_slot = (uint32_t)slot;
    return wshub_bus_redis__text_address(bus, wshub_bus_redis__next_word(&text, " "), address);
}

/* What was said on a connection belongs to another node. If we have not heard of that yet, the slot
 * is that one's from now on. False: it says nothing of use. */
static bool wshub_bus_redis__moved(wshub_bus_redis *bus, int which, wshub_str text) {
    wshub_bus_redis__cluster *cluster = bus->cluster;
    char address[WSHUB_BUS_REDIS__MASTER_BYTES], id[WSHUB_BUS_REDIS__ID_BYTES] = {0};
    uint32_t slot, node, has;

    if (!wshub_bus_redis__moved_read(bus, text, &slot, address)) return false;
    if (wshub_bus_redis__begins(text, "ASK ")) return true;
    has = cluster->slots[slot];
    if (has != WSHUB_BUS_REDIS__NOBODY && which != wshub_bus_redis__node_pub(has) &&
        which != wshub_bus_redis__node_sub(has))
        return true;

    node = wshub_bus_redis__node_put(cluster, address, id, true);
    if (node == has || node == WSHUB_BUS_REDIS__NOBODY) return false;
    if (!wshub_bus_redis__slots_take(cluster, node, slot, slot)) return false;
    cluster->moved_at = bus->now;
    return wshub_bus_redis__dial_nodes(bus);
}

/* Keeps a channel until its node is known. */
static void wshub_bus_redis__stray(wshub_bus_redis *bus, wshub_str channel, bool want) {
    if (!wshub_bus_redis__name_push(bus, &bus->cluster->strays, channel, want, true)) {
        wshub_bus_redis__fail_memory(bus);
        return;
    }
    bus->cluster->strays_count++;
    wshub_bus_redis__moving(bus);
}

/* A node takes a channel away which nobody has given up: its slot is another's now. It is asked for
 * once more, and whoever is asked says whose. False: it is none of a Cluster's, or it is the
 * acknowledgement of our own order. */
static bool wshub_bus_redis__taken_away(wshub_bus_redis *bus, int which, const wshub_resp *reply) {
    wshub_bus_redis__link *link = &bus->links[which];
    wshub_str channel = reply->items[1].text, prefix = wshub_bus_redis__prefix(bus, false);
    int64_t have = reply->items[2].number;
    wshub_bus_redis__name name;
    wshub_str first = wshub_bus_redis__name_first(&link->names, &name);

    if (!bus->cluster || bus->state < WSHUB_BUS_REDIS__FILLING || !channel.ptr ||
        channel.len <= prefix.len || memcmp(channel.ptr, prefix.ptr, prefix.len) != 0)
        return false;
    channel.ptr += prefix.len;
    channel.len -= prefix.len;
    if (first.ptr && !name.want && wshub_str_eq(first, channel) &&
        wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__UNSUBSCRIBE))
        return false;
    /* One that was there is not there any more; else this could go on for ever. */
    if (have < 0 || have >= (int64_t)link->subscribed_sharded) return false;

    wshub_bus_redis__subscribed(bus, which, true, have);
    bus->stats.unacknowledged++;
    bus->cluster->gap = true;
    bus->cluster->moving_since = bus->now;
    wshub_bus_redis__stray(bus, channel, true);
    return true;
}

/* A change of what is subscribed to is refused, since the slot is another's: it is said there. What
 * a node takes away just before it reads that we give it up is answered twice, by that and by an
 * error: the error finds commands of other slots, or none. False: this is no such answer. */
static bool wshub_bus_redis__subscription_moved(wshub_bus_redis *bus, int which,
                                                const wshub_resp *reply) {
    wshub_bus_redis__link *link = &bus->links[which];
    char address[WSHUB_BUS_REDIS__MASTER_BYTES];
    wshub_str text = reply->value.text, first;
    wshub_bus_redis__name name;
    uint32_t slot;

    if (!bus->cluster || !wshub_bus_redis__subscribes(bus, which)) return false;
    if (!wshub_bus_redis__is_error(reply) || !wshub_bus_redis__moves(text)) return false;
    if (!wshub_bus_redis__moved_read(bus, text, &slot, address)) return false;
    first = wshub_bus_redis__name_first(&link->names, &name);
    if (!first.ptr || wshub_bus_redis__slot_of(bus, first) != slot) return true;
    if (!wshub_bus_redis__next_is(link, name.want ? WSHUB_BUS_REDIS__SUBSCRIBE
                                                  : WSHUB_BUS_REDIS__UNSUBSCRIBE))
        return true;

    (void)wshub_bus_redis__cmd_done(link);
    bus->cluster->strays_owed -= name.again;
    wshub_bus_redis__stray(bus, first, name.want);
    if (bus->state < WSHUB_BUS_REDIS__FILLING) return true; /* there was no memory for it */
    wshub_bus_redis__name_pop(&link->names);
    if (!wshub_bus_redis__moved(bus, which, text))
        wshub_bus_redis__link_fail(bus, which, "a subscription is refused", text);
    return true;
}

/* What was said by name is acknowledged. */
static void wshub_bus_redis__name_acknowledged(wshub_bus_redis *bus, wshub_bus_redis__link *link) {
    wshub_bus_redis__name name;

    if (!bus->cluster || !wshub_bus_redis__name_first(&link->names, &name).ptr) return;
    wshub_bus_redis__name_pop(&link->names);
    if (!name.again) return;
    WSHUB_ASSERT(bus->cluster->strays_owed > 0);
    bus->cluster->strays_owed--;
    bus->cluster->rounds = 0;
    bus->cluster->moving_since = bus->now;
    bus->stats.moved += name.want;
}

/* Says strays where they belong now, as many as there is room for. Who has moved between nodes that
 * do not agree yet is not said again at once. */
static void wshub_bus_redis__strays_say(wshub_bus_redis *bus) {
    enum { AT_ONCE = 2 }; /* the former node says where, and the new one takes it */
    wshub_bus_redis__cluster *cluster = bus->cluster;
    wshub_bus_redis__name name;

    memset(&name, 0, sizeof name);
    while (cluster->strays_count) {
        wshub_str channel = wshub_bus_redis__name_first(&cluster->strays, &name);
        if (wshub_bus_redis__any_full(bus, false)) return;
        if (!wshub_bus_redis__name_say(bus, channel, name.want, true)) {
            wshub_bus_redis__fail_memory(bus);
            return;
        }
        wshub_bus_redis__name_pop(&cluster->strays);
        cluster->strays_count--;
        cluster->strays_owed++;
    }
    if (++cluster->rounds >= AT_ONCE) cluster->strays_at = bus->now + bus->desc.retry_min_ms;
}

/* Masters that have no slots any more are only asked, once nothing is under way there. */
static void wshub_bus_redis__masters_demote(wshub_bus_redis *bus) {
    wshub_bus_redis__cluster *cluster = bus->cluster;
    uint32_t i;

    for (i = 0; i < cluster->count; i++) {
        wshub_bus_redis__node *node = &cluster->nodes[i];
        int sub = wshub_bus_redis__node_sub(i);
        if (!node->master || node->slots || bus->links[sub].names.len) continue;
        if (bus->links[sub].subscribed_sharded ||
            wshub_bus_redis__awaits(&bus->links[wshub_bus_redis__node_pub(i)],
                                    WSHUB_BUS_REDIS__PUBLISH))
            continue;
        wshub_bus_redis__link_close(bus, sub, false);
        node->master = false;
    }
}

/* Whether all connections have answered what was said to them before their slots went. */
static bool wshub_bus_redis__left_alone(wshub_bus_redis *bus) {
    int which;

    for (which = WSHUB_BUS_REDIS__SUB; which < bus->links_used; which++) {
        wshub_bus_redis__link *link = &bus->links[which];
        if (link->left && link->names.len) return false;
        link->left = false;
    }
    return true;
}

/* Once a turn while something moves. */
static void wshub_bus_redis__move(wshub_bus_redis *bus) {
    wshub_bus_redis__cluster *cluster = bus->cluster;
    bool gap;

    WSHUB_ASSERT(bus->state >= WSHUB_BUS_REDIS__FILLING);
    if (bus->now - cluster->moving_since > bus->desc.connect_timeout_ms) {
        wshub_bus_redis__fail_plain(bus, "a slot has moved, and no node takes its channels");
        return;
    }
    if (!wshub_bus_redis__all_ready(bus)) return;
    if (cluster->strays_count && bus->now >= cluster->strays_at) wshub_bus_redis__strays_say(bus);
    if (bus->state < WSHUB_BUS_REDIS__FILLING || cluster->strays_count || cluster->strays_owed ||
        !wshub_bus_redis__left_alone(bus))
        return;

    gap = cluster->gap;
    cluster->moving = cluster->gap = false;
    wshub_bus_redis__masters_demote(bus);
    if (!gap || bus->state != WSHUB_BUS_REDIS__UP) return;
    wshub_bus_redis__log(
        bus, "slots have moved: what was published to their channels meanwhile is lost", false);
    if (bus->owner.gap) bus->owner.gap(bus->owner.ctx);
}

/* ---- answers -----------------------------------------------------------------------------------
 * What a broker says: messages, acknowledgements, and the answer to the oldest command. Nothing of
 * it is trusted: what does not fit ends the connection, and no assertion is reached by it. A
 * function that calls fail() or the owner returns at once, for the bus may be another then. */

/* A sentinel's answer, or its news that another is master now. */
static void wshub_bus_redis__master(wshub_bus_redis *bus, wshub_str host, wshub_str port) {
    char address[WSHUB_BUS_REDIS__MASTER_BYTES];
    bool v6 = host.len && memchr(host.ptr, ':', host.len) != NULL;

    if (!host.len || host.len > 255 || !port.len || port.len > 5) {
        wshub_bus_redis__link_fail(bus, WSHUB_BUS_REDIS__SENTINEL,
                                   "the sentinel's answer is no address", wshub_bus_redis__none());
        return;
    }
    (void)snprintf(address, sizeof address, v6 ? "[%.*s]:%.*s" : "%.*s:%.*s", (int)host.len,
                   host.ptr, (int)port.len, port.ptr);

    /* It moved while it was in use: the next attempt, at once, asks for it anew. */
    if (bus->state != WSHUB_BUS_REDIS__ASKING) {
        if (strcmp(address, bus->master) == 0) return;
        wshub_bus_redis__fail(bus, "the master has moved to", wshub_str_z(address));
        bus->retry_at = bus->now;
        return;
    }

    WSHUB_ASSERT(!wshub_bus_redis__there(&bus->links[WSHUB_BUS_REDIS__PUB]));
    memcpy(bus->master, address, sizeof address);
    wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__GREETING);
    if (!wshub_bus_redis__dial(bus, bus->master))
        wshub_bus_redis__fail_plain(bus, "cannot connect to the master");
}

/* News of a failover: `name old-host old-port new-host new-port`. */
static void wshub_bus_redis__switched(wshub_bus_redis *bus, wshub_str text) {
    wshub_str words[5];
    size_t i, n = 0, at = 0;

    WSHUB_ASSERT(bus->desc.sentinel);
    memset(words, 0, sizeof words);
    for (i = 0; i <= text.len && n < 5; i++) {
        if (i < text.len && text.ptr[i] != ' ') continue;
        words[n].ptr = text.ptr + at;
        words[n++].len = i - at;
        at = i + 1;
    }
    if (n == 5 && wshub_str_eq_z(words[0], bus->desc.sentinel))
        wshub_bus_redis__master(bus, words[3], words[4]);
}

/* Our heartbeat has come back. It says when it left. */
static void wshub_bus_redis__beat_came(wshub_bus_redis *bus, wshub_str payload) {
    const uint8_t *p = (const uint8_t *)payload.ptr;
    int64_t sent = 0;
    bus->beats.late_at = 0;
    bus->beats.missing = false;
    if (wshub_bus_redis__number(p, p + payload.len, &sent) && (uint64_t)sent <= bus->now)
        bus->stats.round_trip_ms = bus->now - (uint64_t)sent;
}

/* A message. Before the owner has subscribed there are none, whatever the broker says. */
static void wshub_bus_redis__message(wshub_bus_redis *bus, wshub_str channel,
                                     const wshub_resp_value *payload) {
    if (bus->state < WSHUB_BUS_REDIS__FILLING) return;
    if (payload->kind != '$') { /* it was too large, and has been skipped */
        bus->stats.oversized++;
        return;
    }
    if (wshub_str_eq_z(channel, bus->beat)) {
        wshub_bus_redis__beat_came(bus, payload->text);
        return;
    }

    if (!channel.ptr || channel.len < bus->prefix_len ||
        memcmp(channel.ptr, bus->desc.channel_prefix, bus->prefix_len) != 0)
        return;
    channel.ptr += bus->prefix_len;
    channel.len -= bus->prefix_len;
    bus->stats.received++;
    bus->stats.received_bytes += payload->text.len;
    bus->owner.received(bus->owner.ctx, channel, payload->text);
}

/* What is published on a replica reaches nobody on its master: only a master will do, or any
 * node of a Cluster. Who may not ask, or is told something else, is content. */
static void wshub_bus_redis__answered_role(wshub_bus_redis *bus, int which,
                                           const wshub_resp *reply) {
    wshub_str role = reply->items_count ? reply->items[0].text : wshub_bus_redis__none();

    WSHUB_ASSERT(which != WSHUB_BUS_REDIS__SENTINEL);
    if (wshub_bus_redis__is_error(reply)) role = wshub_bus_redis__none();
    if (wshub_str_eq_z(role, "master")) return;

    if (wshub_str_eq_z(role, "sentinel")) {
        wshub_bus_redis__fail_plain(
            bus, "a sentinel, which forwards nothing: name its master in desc.sentinel");
        return;
    }
    if (!wshub_str_eq_z(role, "slave")) {
        bus->asks_role = false;
        return;
    }

    /* Of a Cluster, by which any node will do, it has become one. */
    if (bus->cluster && bus->links[which].state == WSHUB_BUS_REDIS__LINK_READY) {
        bus->asks_role = false;
        return;
    }

    /* A replica: of a Cluster's? When it was a master before, or a sentinel's word, then not. */
    if (bus->links[which].state != WSHUB_BUS_REDIS__LINK_GREETING || bus->desc.sentinel) {
        wshub_bus_redis__fail(bus, "not a master (yet)", role);
        return;
    }
    wshub_bus_redis__link_to(&bus->links[which], WSHUB_BUS_REDIS__LINK_UNSURE);
    if (!wshub_bus_redis__say(bus, which, WSHUB_BUS_REDIS__CLUSTER, "INFO", "cluster", NULL))
        wshub_bus_redis__fail_memory(bus);
}

static void wshub_bus_redis__answered_cluster(wshub_bus_redis *bus, int which,
                                              const wshub_resp *reply) {
    WSHUB_ASSERT(bus->links[which].state == WSHUB_BUS_REDIS__LINK_UNSURE);
    if (wshub_bus_redis__is_error(reply) ||
        !wshub_bus_redis__has(reply->value.text, "cluster_enabled:1")) {
        wshub_bus_redis__fail_plain(bus, "a replica: what is published there reaches nobody else");
        return;
    }
    bus->asks_role = false;
    wshub_bus_redis__link_to(&bus->links[which], WSHUB_BUS_REDIS__LINK_READY);
    wshub_bus_redis__greeted(bus);
}

/* The greeting is over. A broker that cannot save can still forward. Where its role is in doubt the
 * answer to that, which comes behind this one, decides. */
static void wshub_bus_redis__answered_ready(wshub_bus_redis *bus, int which,
                                            const wshub_resp *reply) {
    wshub_bus_redis__link *link = &bus->links[which];
    wshub_str text = reply->value.text;

    if (wshub_bus_redis__is_error(reply) && !wshub_bus_redis__begins(text, "MISCONF")) {
        wshub_bus_redis__link_fail(bus, which, "not ready", text);
        return;
    }
    if (link->state == WSHUB_BUS_REDIS__LINK_UNSURE) return;
    WSHUB_ASSERT(link->state == WSHUB_BUS_REDIS__LINK_GREETING);
    wshub_bus_redis__link_to(link, WSHUB_BUS_REDIS__LINK_READY);
    wshub_bus_redis__greeted(bus);
}

/* RESP3 was refused: what follows is RESP2, and good. */
static void wshub_bus_redis__answered_hello(wshub_bus_redis *bus, const wshub_resp *reply) {
    wshub_str text = reply->value.text;
    if (!wshub_bus_redis__is_error(reply)) return;
    if (wshub_bus_redis__has(text, "unknown command") || wshub_bus_redis__begins(text, "NOPROTO"))
        bus->resp2_only = true;
}

/* A publication was refused. Who writes to a replica, or is not let in any more, is at the wrong
 * broker. */
static void wshub_bus_redis__publish_refused(wshub_bus_redis *bus, int which, wshub_str text) {
    char said[161];

    WSHUB_ASSERT(bus->stats.refused < bus->stats.published);
    bus->stats.refused++;
    wshub_bus_redis__copy(said, sizeof said, text);
    (void)snprintf(bus->error, sizeof bus->error, "a publication is refused: %s", said);
    wshub_bus_redis__printable(bus->error);
    wshub_bus_redis__log(bus, bus->error, false);
    if (wshub_bus_redis__begins(text, "READONLY") || wshub_bus_redis__begins(text, "NOAUTH")) {
        wshub_bus_redis__fail(bus, "a publication is refused", text);
    } else if (bus->cluster && wshub_bus_redis__moves(text)) {
        bus->cluster->gap = true;
        wshub_bus_redis__moving(bus);
        if (!wshub_bus_redis__moved(bus, which, text))
            wshub_bus_redis__fail(bus, "a publication is refused", text);
    }
}

static void wshub_bus_redis__answered_publish(wshub_bus_redis *bus, int which,
                                              const wshub_resp *reply) {
    WSHUB_ASSERT(bus->unanswered > 0);
    bus->unanswered--;
    if (wshub_bus_redis__is_error(reply))
        wshub_bus_redis__publish_refused(bus, which, reply->value.text);
    else if (reply->value.number > 0)
        bus->stats.receivers += (uint64_t)reply->value.number;

    /* Somebody waits for the last of them. */
    if (!bus->pending_asked || bus->unanswered || bus->state != WSHUB_BUS_REDIS__UP) return;
    bus->pending_asked = false;
    bus->publish_short = true;
    wshub_bus_redis__room_again(bus);
}

static void wshub_bus_redis__answered_beat(wshub_bus_redis *bus, const wshub_resp *reply) {
    bus->beats.answered++;
    WSHUB_ASSERT(bus->beats.answered <= bus->beats.sent);
    if (wshub_bus_redis__is_error(reply))
        wshub_bus_redis__fail_hint(bus, "the heartbeat is refused", reply->value.text,
                                   " (allow &wshub:hb:* or set no_heartbeat)");
}

/* What left behind the heartbeat on the subscribing connection was answered. */
static void wshub_bus_redis__probed(wshub_bus_redis *bus) {
    WSHUB_ASSERT(bus->beats.probed);
    if (bus->beats.late_at && bus->beats.probed == bus->beats.watched) bus->beats.missing = true;
    bus->beats.probed = 0;
}

/* The answer of a broker to a probe; a driver's probes are acknowledged as subscriptions are. */
static void wshub_bus_redis__answered_probe(wshub_bus_redis *bus, const wshub_resp *reply) {
    WSHUB_ASSERT(!bus->desc.publish_only);
    if (bus->desc.driver)
        wshub_bus_redis__fail(bus, "a subscription is refused", reply->value.text);
    else
        wshub_bus_redis__probed(bus);
}

static void wshub_bus_redis__answered_master(wshub_bus_redis *bus, const wshub_resp *reply) {
    int which = WSHUB_BUS_REDIS__SENTINEL;

    WSHUB_ASSERT(bus->links[which].state == WSHUB_BUS_REDIS__LINK_GREETING);
    if (wshub_bus_redis__is_error(reply)) {
        wshub_bus_redis__link_fail(bus, which, "the sentinel refuses", reply->value.text);
    } else if (reply->items_count != 2) {
        wshub_bus_redis__link_fail(bus, which, "the sentinel knows no master of that name",
                                   wshub_str_z(bus->desc.sentinel));
    } else {
        wshub_bus_redis__link_to(&bus->links[which], WSHUB_BUS_REDIS__LINK_READY);
        wshub_bus_redis__master(bus, reply->items[0].text, reply->items[1].text);
    }
}

/* Subscriptions are acknowledged one by one, elsewhere: here one was refused as a whole. */
static void wshub_bus_redis__subscription_refused(wshub_bus_redis *bus, int which, wshub_str text) {
    if (wshub_bus_redis__next_is(&bus->links[which], WSHUB_BUS_REDIS__BEAT_CHANNEL))
        wshub_bus_redis__fail_hint(bus, "a subscription is refused", text,
                                   " (the heartbeat's: allow &wshub:hb:* or set no_heartbeat)");
    else
        wshub_bus_redis__link_fail(bus, which, "a subscription is refused", text);
}

/* What an answer says, to what it was asked. */
static void wshub_bus_redis__understand(wshub_bus_redis *bus, int which, wshub_bus_redis__what what,
                                        const wshub_resp *reply) {
    bool error = wshub_bus_redis__is_error(reply);
    wshub_str text = reply->value.text;

    WSHUB_ASSERT(bus->depth > 0);

    switch (what) {
    case WSHUB_BUS_REDIS__HELLO: wshub_bus_redis__answered_hello(bus, reply); break;
    case WSHUB_BUS_REDIS__AUTH:
        if (error) wshub_bus_redis__link_fail(bus, which, "authentication is refused", text);
        break;
    case WSHUB_BUS_REDIS__SELECT:
        if (error) wshub_bus_redis__link_fail(bus, which, "the database is refused", text);
        break;
    case WSHUB_BUS_REDIS__ROLE: wshub_bus_redis__answered_role(bus, which, reply); break;
    case WSHUB_BUS_REDIS__CLUSTER: wshub_bus_redis__answered_cluster(bus, which, reply); break;
    case WSHUB_BUS_REDIS__READY: wshub_bus_redis__answered_ready(bus, which, reply); break;
    case WSHUB_BUS_REDIS__PUBLISH: wshub_bus_redis__answered_publish(bus, which, reply); break;
    case WSHUB_BUS_REDIS__BEAT: wshub_bus_redis__answered_beat(bus, reply); break;
    case WSHUB_BUS_REDIS__PROBE: wshub_bus_redis__answered_probe(bus, reply); break;
    case WSHUB_BUS_REDIS__MASTER: wshub_bus_redis__answered_master(bus, reply); break;
    case WSHUB_BUS_REDIS__SETNAME: /* nice to have */
    case WSHUB_BUS_REDIS__PING:    /* an error is life as well */
    case WSHUB_BUS_REDIS__REQUEST: /* never: wshub_bus_redis_answered() */
    case WSHUB_BUS_REDIS__SLOTS:   /* nor these */
    case WSHUB_BUS_REDIS__MEMBERS:
    case WSHUB_BUS_REDIS__SUBSCRIBE:
    case WSHUB_BUS_REDIS__BEAT_CHANNEL:
    case WSHUB_BUS_REDIS__UNSUBSCRIBE:
    case WSHUB_BUS_REDIS__WATCH: break; /* never: subscription_refused() */
    }
}

/* An answer to the oldest command. */
static void wshub_bus_redis__answer(wshub_bus_redis *bus, int which, const wshub_resp *reply) {
    wshub_bus_redis__link *link = &bus->links[which];
    bool error = wshub_bus_redis__is_error(reply);
    wshub_str text = reply->value.text;

    if (wshub_bus_redis__subscription_moved(bus, which, reply)) return;
    if (!link->cmds_count) {
        wshub_bus_redis__link_fail(bus, which, "an answer to no question",
                                   error ? text : wshub_bus_redis__none());
        return;
    }
    if (wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__SUBSCRIBE) ||
        wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__UNSUBSCRIBE) ||
        wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__WATCH) ||
        wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__BEAT_CHANNEL)) {
        wshub_bus_redis__subscription_refused(bus, which, text);
        return;
    }

    WSHUB_ASSERT(!wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__REQUEST));
    if (error) wshub_bus_redis__copy(link->said, sizeof link->said, text);
    wshub_bus_redis__understand(bus, which, wshub_bus_redis__cmd_done(link), reply);
}

/* Takes a reply as a message, if it is one. Of a sentinel there is one kind, that of its news. */
static bool wshub_bus_redis__heard_message(wshub_bus_redis *bus, int which,
                                           const wshub_resp *reply) {
    const wshub_resp_value *items = reply->items;

    WSHUB_ASSERT(!wshub_bus_redis__publishes(bus, which));
    if (reply->items_count == 3 &&
        (wshub_str_eq_z(items[0].text, "message") || wshub_str_eq_z(items[0].text, "smessage"))) {
        if (which == WSHUB_BUS_REDIS__SENTINEL)
            wshub_bus_redis__switched(bus, items[2].text);
        else
            wshub_bus_redis__message(bus, items[1].text, &items[2]);
        return true;
    }
    if (wshub_bus_redis__subscribes(bus, which) && reply->items_count == 4 &&
        wshub_str_eq_z(items[0].text, "pmessage")) {
        wshub_bus_redis__message(bus, items[2].text, &items[3]);
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
static bool wshub_bus_redis__heard_acknowledgement(wshub_bus_redis *bus, int which,
                                                   const wshub_resp *reply) {
    wshub_bus_redis__link *link = &bus->links[which];
    wshub_str kind = reply->items[0].text;
    bool sharded = kind.len && kind.ptr[0] == 's' && !wshub_str_eq_z(kind, "subscribe");
    bool sub = wshub_str_eq_z(kind, "subscribe") || wshub_str_eq_z(kind, "psubscribe") ||
               wshub_str_eq_z(kind, "ssubscribe");
    bool unsub = wshub_str_eq_z(kind, "unsubscribe") || wshub_str_eq_z(kind, "punsubscribe") ||
                 wshub_str_eq_z(kind, "sunsubscribe");

    WSHUB_ASSERT(!wshub_bus_redis__publishes(bus, which));
    WSHUB_ASSERT(reply->items_count >= 3);
    if (!sub && !unsub) return false;
    if (sharded && unsub && wshub_bus_redis__taken_away(bus, which, reply)) return true;
    if (!wshub_bus_redis__acknowledges(link, sub)) {
        wshub_bus_redis__link_fail(bus, which, "a subscription was taken away",
                                   reply->items[1].text);
        return true;
    }

    if (wshub_bus_redis__cmd_done(link) == WSHUB_BUS_REDIS__PROBE) {
        wshub_bus_redis__probed(bus);
    } else if (wshub_bus_redis__subscribes(bus, which)) {
        wshub_bus_redis__subscribed(bus, which, sharded, reply->items[2].number);
        WSHUB_ASSERT(bus->stats.unacknowledged > 0);
        bus->stats.unacknowledged--;
        if (sharded) wshub_bus_redis__name_acknowledged(bus, link);
    }
    return true;
}

static void wshub_bus_redis__reply(wshub_bus_redis *bus, int which, const wshub_resp *reply) {
    bool list = reply->value.kind == '*' || reply->value.kind == '>';

    WSHUB_ASSERT(wshub_bus_redis__open(&bus->links[which]));
    if (list && reply->items_count >= 3 && !wshub_bus_redis__publishes(bus, which) &&
        !wshub_bus_redis__only_asks(bus, which)) {
        if (wshub_bus_redis__heard_message(bus, which, reply)) return;
        if (wshub_bus_redis__heard_acknowledgement(bus, which, reply)) return;
    }
    if (reply->value.kind == '>') return; /* a push of a kind that nobody asked for */
    wshub_bus_redis__answer(bus, which, reply);
}

/* ---- what a Cluster says of itself -------------------------------------------------------------
 * Which master has which slots, and which nodes there are. */

/* A node's name, which stands behind its address since Redis 4. */
static void wshub_bus_redis__node_id(const wshub_bus_reply *node,
                                     char id[WSHUB_BUS_REDIS__ID_BYTES]) {
    id[0] = 0;
    if (node->count > 2 && node->items[2].text.len < WSHUB_BUS_REDIS__ID_BYTES)
        wshub_bus_redis__copy(id, WSHUB_BUS_REDIS__ID_BYTES, node->items[2].text);
}

/* Slots are a master's, of which we know already, or not yet. While something moves nodes do not
 * agree, and who was asked may be the last to hear of it. False: there are too many masters. */
static bool wshub_bus_redis__slots_are(wshub_bus_redis *bus, uint32_t node, int64_t from,
                                       int64_t to) {
    wshub_bus_redis__cluster *cluster = bus->cluster;

    if (!cluster->dialled) return wshub_bus_redis__slots_take(cluster, node, from, to);
    if (cluster->moving) return true;
    if (cluster->moved_at && bus->now - cluster->moved_at < bus->desc.nodes_ms) return true;
    for (; from <= to; from++) {
        if (cluster->slots[from] == node) continue;
        if (!wshub_bus_redis__slots_take(cluster, node, from, from)) return false;
    }
    return true;
}

/* One range of slots: its first and last, and its master before its replicas. A replica that is
 * none, or one too many, is not asked. */
static bool wshub_bus_redis__slots_range(wshub_bus_redis *bus, const wshub_bus_reply *range) {
    wshub_bus_redis__cluster *cluster = bus->cluster;
    char address[WSHUB_BUS_REDIS__MASTER_BYTES], id[WSHUB_BUS_REDIS__ID_BYTES];
    int64_t from, to;
    uint32_t node;
    size_t i;

    if (range->kind != WSHUB_BUS_REPLY_ARRAY || range->count < 3) return false;
    from = range->items[0].integer;
    to = range->items[1].integer;
    if (from < 0 || to < from || to >= WSHUB_BUS_REDIS__SLOTS_ALL) return false;

    if (!wshub_bus_redis__node_address(bus, &range->items[2], address)) return false;
    wshub_bus_redis__node_id(&range->items[2], id);
    node = wshub_bus_redis__node_put(cluster, address, id, true);
    if (node == WSHUB_BUS_REDIS__NOBODY || !wshub_bus_redis__slots_are(bus, node, from, to))
        return false;

    for (i = 3; i < range->count; i++) {
        if (!wshub_bus_redis__node_address(bus, &range->items[i], address)) continue;
        wshub_bus_redis__node_id(&range->items[i], id);
        (void)wshub_bus_redis__node_put(cluster, address, id, false);
    }
    return true;
}

/* ---- a Cluster's nodes ---- */

/* Whether a node is one that clients may subscribe at: it has been met, has an address, and its
 * Cluster has not given it up. */
static bool wshub_bus_redis__member_flags(wshub_str flags) {
    while (flags.len) {
        wshub_str flag = wshub_bus_redis__next_word(&flags, ",");
        if (wshub_str_eq_z(flag, "fail") || wshub_str_eq_z(flag, "handshake") ||
            wshub_str_eq_z(flag, "noaddr"))
            return false;
    }
    return true;
}

/* A line of CLUSTER NODES: `id host:port@bus-port[,name] flags ...`. One that is none is passed
 * over. host "": that of the node that was asked. */
static void wshub_bus_redis__member(wshub_bus_redis *bus, wshub_str line) {
    wshub_str id = wshub_bus_redis__next_word(&line, " ");
    wshub_str at = wshub_bus_redis__next_word(&line, " ");
    wshub_str flags = wshub_bus_redis__next_word(&line, " ");
    char address[WSHUB_BUS_REDIS__MASTER_BYTES], name[WSHUB_BUS_REDIS__ID_BYTES];

    if (!id.len || id.len >= sizeof name || !wshub_bus_redis__member_flags(flags)) return;
    if (!wshub_bus_redis__text_address(bus, wshub_bus_redis__next_word(&at, "@,"), address)) return;
    wshub_bus_redis__copy(name, sizeof name, id);
    (void)wshub_bus_redis__node_put(bus->cluster, address, name, false);
}

/* Nodes that neither answer has named have gone, and those that have come are connected to. Whoever
 * waited for one that has gone may call anything. */
static void wshub_bus_redis__nodes_read(wshub_bus_redis *bus) {
    wshub_bus_redis__cluster *cluster = bus->cluster;
    uint32_t i;

    for (i = 0; bus->state == WSHUB_BUS_REDIS__UP && i < cluster->count; i++) {
        wshub_bus_redis__node *node = &cluster->nodes[i];
        int which = wshub_bus_redis__node_pub(i);
        if (node->named || node->master || !node->address[0]) continue;
        node->address[0] = 0;
        if (bus->links[which].state != WSHUB_BUS_REDIS__LINK_NONE)
            wshub_bus_redis__asked_lost(bus, which);
    }
    if (bus->state != WSHUB_BUS_REDIS__UP) return;
    if (!wshub_bus_redis__dial_nodes(bus))
        wshub_bus_redis__fail_plain(bus,
                                    wshub_bus_redis__io_error(bus, "cannot connect to a node"));
}

/* The answer to CLUSTER NODES: a line for each. Who may not ask knows those that have slots, and
 * their replicas. */
static void wshub_bus_redis__members(wshub_bus_redis *bus, const wshub_bus_reply *reply) {
    wshub_str text = reply->text;

    WSHUB_ASSERT(bus->cluster);
    (void)wshub_bus_redis__cmd_done(&bus->links[WSHUB_BUS_REDIS__PUB]);
    while (reply->kind == WSHUB_BUS_REPLY_TEXT && text.len)
        wshub_bus_redis__member(bus, wshub_bus_redis__next_word(&text, "\r\n"));
    wshub_bus_redis__nodes_read(bus);
}

/* All ranges were read. */
static void wshub_bus_redis__slots_read(wshub_bus_redis *bus) {
    wshub_bus_redis__cluster *cluster = bus->cluster;

    cluster->reading = false;
    (void)wshub_bus_redis__cmd_done(&bus->links[WSHUB_BUS_REDIS__PUB]);
    if (!cluster->count)
        wshub_bus_redis__fail_plain(bus, "a Cluster whose slots nobody has");
    else if (bus->state == WSHUB_BUS_REDIS__UP)
        wshub_bus_redis__masters_demote(bus);
}

/* Reads the head of the answer to CLUSTER SLOTS. What it is the head of is then read as a reply for
 * each range: there may be thousands, and none has to be gathered with the others. Returns its
 * length; 0: this is none, or not all of it is there. */
static size_t wshub_bus_redis__slots_begin(wshub_bus_redis *bus, int which, const uint8_t *bytes,
                                           size_t count) {
    wshub_bus_redis__cluster *cluster = bus->cluster;
    wshub_bus_redis__reader reader;
    wshub_resp_value head;
    uint32_t i;

    if (!wshub_bus_redis__next_is(&bus->links[which], WSHUB_BUS_REDIS__SLOTS)) return 0;
    if (cluster->reading || bytes[0] != '*') return 0;
    wshub_bus_redis__reader_begin(&reader, bytes, count, bus->desc.message_bytes_max);
    if (wshub_bus_redis__read_line(&reader, &head) != WSHUB_RESP_DONE) return 0;
    if (!wshub_bus_redis__number((const uint8_t *)head.text.ptr,
                                 (const uint8_t *)head.text.ptr + head.text.len, &head.number) ||
        head.number < 0 || head.number > WSHUB_BUS_REDIS__SLOTS_ALL) {
        wshub_bus_redis__fail_plain(bus, "the slots of the Cluster are none, or too many");
        return reader.at;
    }
    for (i = 0; i < cluster->count; i++) cluster->nodes[i].named = false;
    cluster->reading = true;
    cluster->ranges_left = (uint32_t)head.number;
    if (!head.number) wshub_bus_redis__slots_read(bus);
    return reader.at;
}

/* One of the ranges has come. */
static void wshub_bus_redis__slots_ranged(wshub_bus_redis *bus, const wshub_bus_reply *range) {
    WSHUB_ASSERT(bus->cluster->ranges_left > 0);
    if (!wshub_bus_redis__slots_range(bus, range))
        wshub_bus_redis__fail_plain(bus, "the slots of the Cluster are none, or of too many nodes");
    else if (!--bus->cluster->ranges_left)
        wshub_bus_redis__slots_read(bus);
}

/* The answer to CLUSTER SLOTS is none. On a bus that is up we go on with those that we know. */
static void wshub_bus_redis__slots_refused(wshub_bus_redis *bus, const wshub_bus_reply *reply) {
    bool error = reply->kind == WSHUB_BUS_REPLY_ERROR;

    WSHUB_ASSERT(bus->cluster);
    (void)wshub_bus_redis__cmd_done(&bus->links[WSHUB_BUS_REDIS__PUB]);
    if (bus->state == WSHUB_BUS_REDIS__UP) return;
    wshub_bus_redis__fail(bus, error ? "no node of a Cluster" : "a Cluster whose slots nobody has",
                          error ? reply->text : wshub_bus_redis__none());
}

/* The answer to a request. Whoever waits for it may call anything. */
static void wshub_bus_redis__request_answered(wshub_bus_redis *bus, int which,
                                              const wshub_bus_reply *reply) {
    wshub_bus_redis__link *link = &bus->links[which];
    wshub_bus_redis__request request =
        wshub_bus_redis__request_pop(wshub_bus_redis__requests_of(bus, which));
    wshub_bus_redis__what what = wshub_bus_redis__cmd_done(link);

    WSHUB_ASSERT(what == WSHUB_BUS_REDIS__REQUEST);
    WSHUB_ASSERT(bus->depth > 0);
    (void)what;
    if (reply->kind == WSHUB_BUS_REPLY_ERROR) /* NOLINT: every reply has a kind */
        wshub_bus_redis__copy(link->said, sizeof link->said, reply->text);
    request.on_reply(request.arg, reply);
}

/* ---- reports of the io and of drivers ----------------------------------------------------------
 * The publishing, the subscribing and the watching connection are told apart by the number that the
 * io gave them, and one that was closed by us is none of ours any more. */

/* Which connection it is. -1: none of ours. */
static int wshub_bus_redis__which(const wshub_bus_redis *bus, wshub_conn conn) {
    int which;
    for (which = 0; which < bus->links_used; which++) {
        if (conn.id && bus->links[which].conn.id == conn.id) return which;
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
    return wshub_bus_redis__next_is(&redis->links[link], WSHUB_BUS_REDIS__REQUEST) ||
           wshub_bus_redis__next_is(&redis->links[link], WSHUB_BUS_REDIS__SLOTS) ||
           wshub_bus_redis__next_is(&redis->links[link], WSHUB_BUS_REDIS__MEMBERS);
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
    wshub_bus_redis__request_answered(redis, link, reply);
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
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(bus, conn);
    if (which >= 0) wshub_bus_redis_opened(bus, which);
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

/* Whoever asked for a whole reply has it. */
static void wshub_bus_redis__whole_answered(wshub_bus_redis *bus, int which,
                                            const wshub_bus_reply *reply) {
    if (wshub_bus_redis__next_is(&bus->links[which], WSHUB_BUS_REDIS__MEMBERS))
        wshub_bus_redis__members(bus, reply);
    else if (!wshub_bus_redis__next_is(&bus->links[which], WSHUB_BUS_REDIS__SLOTS))
        wshub_bus_redis__request_answered(bus, which, reply);
    else if (bus->cluster->reading)
        wshub_bus_redis__slots_ranged(bus, reply);
    else
        wshub_bus_redis__slots_refused(bus, reply);
}

/* One whole reply that answers a request. */
static void wshub_bus_redis__answer_request(wshub_bus_redis *bus, int which, const uint8_t *bytes,
                                            const wshub_resp *reply) {
    wshub_bus_redis__link *link = &bus->links[which];
    wshub_bus_reply one, *nodes = &one;
    size_t nodes_bytes = reply->values * sizeof *nodes;

    WSHUB_ASSERT(reply->values > 0);
    if (link->cut) {
        bus->stats.requests_oversized += wshub_bus_redis__next_is(link, WSHUB_BUS_REDIS__REQUEST);
        memset(&one, 0, sizeof one);
        one.kind = WSHUB_BUS_REPLY_ERROR;
        one.text = wshub_str_z("the answer has a text over message_bytes_max");
        link->cut = false;
        wshub_bus_redis__whole_answered(bus, which, &one);
        return;
    }

    /* Only what has parts takes memory, for as long as it is shown. */
    if (reply->values > 1)
        nodes = (wshub_bus_reply *)wshub_bus_redis__alloc(&bus->desc, NULL, 0, nodes_bytes);
    if (!nodes) {
        wshub_bus_redis__fail_memory(bus);
        return;
    }
    wshub_bus_redis__build(bytes, reply->bytes, bus->desc.message_bytes_max, nodes, reply->values);
    wshub_bus_redis__whole_answered(bus, which, nodes);
    if (nodes != &one) (void)wshub_bus_redis__alloc(&bus->desc, nodes, nodes_bytes, 0);
}

/* Reads replies off the front. Returns how many bytes are done with; *count shrinks by what is
 * skipped. Each reply may end the connection. */
static size_t wshub_bus_redis__parse(wshub_bus_redis *bus, int which, wshub_conn conn,
                                     uint8_t *bytes, size_t *count) {
    wshub_bus_redis__link *link = &bus->links[which];
    uint32_t most = bus->desc.message_bytes_max;
    size_t at = 0;

    while (at < *count && wshub_bus_redis__still(link, conn)) {
        uint8_t *from = bytes + at;
        wshub_resp reply;
        size_t head = wshub_bus_redis__slots_begin(bus, which, from, *count - at);
        int got;

        at += head;
        if (head) continue;
        got = wshub_resp_read(from, *count - at, most, &reply);
        if (got == WSHUB_RESP_MORE) break;
        if (got == WSHUB_RESP_BROKEN) {
            wshub_bus_redis__link_fail(bus, which, "what came is not RESP, or over its limits",
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
        if (reply.value.kind != '>' && wshub_bus_redis_wants_whole(bus, which)) {
            wshub_bus_redis__answer_request(bus, which, from, &reply);
        } else {
            link->cut = false;
            wshub_bus_redis__reply(bus, which, &reply);
        }
    }
    WSHUB_ASSERT(at <= *count);
    return at;
}

/* Reads where the io has the bytes, and keeps what is not whole. */
static void wshub_bus_redis__read(wshub_bus_redis *bus, int which, wshub_conn conn, uint8_t *bytes,
                                  size_t count) {
    wshub_bus_redis__link *link = &bus->links[which];
    size_t done = wshub_bus_redis__parse(bus, which, conn, bytes, &count);

    if (!wshub_bus_redis__still(link, conn) || done == count) return;

    WSHUB_ASSERT(link->in.len == 0);
    if (!wshub_bus_redis__room(bus, &link->in, count - done)) {
        wshub_bus_redis__fail_memory(bus);
        return;
    }
    memcpy(link->in.ptr, bytes + done, count - done);
    link->in.len = count - done;
}

/* Reads behind what was kept. A report may close the connection, and its buffer with it: it is
 * taken out meanwhile. */
static void wshub_bus_redis__read_on(wshub_bus_redis *bus, int which, wshub_conn conn,
                                     const uint8_t *bytes, size_t count) {
    wshub_bus_redis__link *link = &bus->links[which];
    wshub_bus_redis__bytes in;
    size_t done;

    WSHUB_ASSERT(link->in.len > 0);
    WSHUB_ASSERT(link->in.at == 0);
    if (!wshub_bus_redis__room(bus, &link->in, count)) {
        wshub_bus_redis__fail_memory(bus);
        return;
    }
    memcpy(link->in.ptr + link->in.len, bytes, count);
    link->in.len += count;

    in = link->in;
    memset(&link->in, 0, sizeof link->in);
    done = wshub_bus_redis__parse(bus, which, conn, in.ptr, &in.len);
    if (!wshub_bus_redis__still(link, conn) || done == in.len) {
        wshub_bus_redis__release(bus, &in);
        return;
    }
    memmove(in.ptr, in.ptr + done, in.len - done);
    in.len -= done;
    link->in = in;
}

static void wshub_bus_redis__on_received(void *ctx, wshub_conn conn, uint8_t *bytes, size_t count) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(bus, conn);
    wshub_bus_redis__link *link = &bus->links[which < 0 ? 0 : which];
    size_t skipped = count < link->skip ? count : (size_t)link->skip;

    if (which < 0) return;

    wshub_bus_redis__enter(bus);
    WSHUB_ASSERT(wshub_bus_redis__there(link));
    WSHUB_ASSERT(skipped <= link->skip);
    link->progress = bus->now;
    link->skip -= skipped;
    bytes += skipped;
    count -= skipped;
    if (count && link->in.len)
        wshub_bus_redis__read_on(bus, which, conn, bytes, count);
    else if (count)
        wshub_bus_redis__read(bus, which, conn, bytes, count);
    wshub_bus_redis__leave(bus);
}

/* What was in the way has left: that is life, too, and the owner may have more to subscribe to. */
static void wshub_bus_redis__unblocked(wshub_bus_redis *bus, int which) {
    wshub_bus_redis__link *link = &bus->links[which];

    wshub_bus_redis__enter(bus);
    WSHUB_ASSERT(wshub_bus_redis__there(link));
    link->blocked = false;
    link->progress = bus->now;
    wshub_bus_redis__send(bus, link);
    wshub_bus_redis__room_again(bus);
    if (wshub_bus_redis__owned(bus) && bus->owner.wake) bus->owner.wake(bus->owner.ctx);
    wshub_bus_redis__leave(bus);
}

static void wshub_bus_redis__on_drained(void *ctx, wshub_conn conn) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(bus, conn);
    if (which >= 0) wshub_bus_redis__unblocked(bus, which);
}

/* A completion io is done with some of its bytes; with all of them, the next may go. */
static void wshub_bus_redis__on_sent(void *ctx, wshub_conn conn, size_t count) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(bus, conn);
    wshub_bus_redis__flight **at, *f;

    for (at = &bus->flights; (f = *at) != NULL && f->conn != conn.id;) at = &f->next;
    if (!f) return;

    f->bytes.at += count;
    WSHUB_ASSERT(f->bytes.at <= f->bytes.len);
    if (f->bytes.at < f->bytes.len) {
        if (which >= 0) bus->links[which].progress = bus->now;
        return;
    }
    *at = f->next;
    wshub_bus_redis__flight_free(bus, f);
    if (which >= 0) wshub_bus_redis__unblocked(bus, which);
}

static void wshub_bus_redis__on_closed(void *ctx, wshub_conn conn) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    int which = wshub_bus_redis__which(bus, conn);
    wshub_bus_redis__flight **at, *f;

    for (at = &bus->flights; (f = *at) != NULL;) {
        if (f->conn != conn.id) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        wshub_bus_redis__flight_free(bus, f);
    }
    if (which >= 0) wshub_bus_redis_closed(bus, which);
}

/* ---- time --------------------------------------------------------------------------------------
 * What is done once a turn: attempts, deadlines, heartbeats, and sending. */

/* Says a command of one word, unless an answer to the last of its kind is still to come: a slow
 * connection is not made slower. */
static bool wshub_bus_redis__ask(wshub_bus_redis *bus, int which, wshub_bus_redis__what what,
                                 const char *word) {
    WSHUB_ASSERT(wshub_bus_redis__open(&bus->links[which]));
    if (wshub_bus_redis__awaits(&bus->links[which], what)) return true;
    return wshub_bus_redis__say(bus, which, what, word, NULL, NULL);
}

/* Asks a driver's subscribing connection for a word. hiredis loses the answer to a PING there: it
 * subscribes once more to what is subscribed. *asked: whether there was anything to ask about. */
static bool wshub_bus_redis__probe_driver(wshub_bus_redis *bus, bool *asked) {
    const wshub_bus_redis__link *link = &bus->links[WSHUB_BUS_REDIS__SUB];
    bool pattern = bus->desc.no_heartbeat && bus->known_pattern;
    wshub_bus_redis__words words;
    wshub_str args[2];

    WSHUB_ASSERT(bus->desc.driver);
    WSHUB_ASSERT(bus->known_len <= sizeof bus->known);
    *asked = false;
    if (wshub_bus_redis__awaits(link, WSHUB_BUS_REDIS__UNSUBSCRIBE)) return true;
    if (bus->desc.no_heartbeat && !bus->known_len) return true; /* then nothing can be missed */

    args[0] = wshub_str_z(pattern ? "PSUBSCRIBE" : "SUBSCRIBE");
    args[1] = wshub_str_z(bus->beat);
    words = wshub_bus_redis__plain(args, 2);
    if (bus->desc.no_heartbeat) {
        args[1].ptr = bus->known;
        args[1].len = bus->known_len;
        words.from = 1;
        words.prefix = wshub_bus_redis__prefix(bus, pattern);
    }
    *asked = true;
    return wshub_bus_redis__command(bus, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__PROBE, 1, &words);
}

/* Asks the subscribing connection for a word. What is asked behind the answer to a heartbeat,
 * and is answered, proves that the heartbeat itself is missing; other probes prove only life. */
static bool wshub_bus_redis__probe(wshub_bus_redis *bus) {
    wshub_bus_redis__beats *beats = &bus->beats;
    bool asked = true, ok;

    WSHUB_ASSERT(wshub_bus_redis__ready(bus, WSHUB_BUS_REDIS__SUB));
    if (beats->probed) return true;

    if (bus->desc.driver)
        ok = wshub_bus_redis__probe_driver(bus, &asked);
    else
        ok = wshub_bus_redis__say(bus, WSHUB_BUS_REDIS__SUB, WSHUB_BUS_REDIS__PROBE, "PING", NULL,
                                  NULL);
    if (!ok || !asked) return ok;

    beats->probed =
        beats->late_at && beats->answered >= beats->watched ? beats->watched : UINT64_MAX;
    return true;
}

/* Publishes a heartbeat, once the last one was answered, and watches for it to come back. */
static bool wshub_bus_redis__beat_publish(wshub_bus_redis *bus) {
    wshub_bus_redis__beats *beats = &bus->beats;
    char n[24];

    WSHUB_ASSERT(beats->answered <= beats->sent);
    WSHUB_ASSERT(beats->watched <= beats->sent);
    if (beats->answered < beats->sent) return true;
    (void)snprintf(n, sizeof n, "%llu", (unsigned long long)bus->now);
    if (!wshub_bus_redis__say(bus, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__BEAT, "PUBLISH",
                              bus->beat, n))
        return false;

    beats->sent++;
    if (beats->late_at) return true; /* an older one is watched for */
    beats->watched = beats->sent;
    beats->missing = false;
    beats->late_at = bus->now + bus->desc.heartbeat_timeout_ms;
    return true;
}

/* A sentinel that is silent would miss the next failover, and one that was lost is replaced. */
static bool wshub_bus_redis__beat_sentinel(wshub_bus_redis *bus) {
    int which = WSHUB_BUS_REDIS__SENTINEL;

    WSHUB_ASSERT(bus->desc.sentinel);
    if (wshub_bus_redis__open(&bus->links[which]))
        return wshub_bus_redis__ask(bus, which, WSHUB_BUS_REDIS__PING, "PING");

    if (bus->links[which].state == WSHUB_BUS_REDIS__LINK_NONE) {
        bus->address_at = (bus->address_at + 1) % bus->addresses_count;
        (void)wshub_bus_redis__link_open(bus, which, bus->addresses[bus->address_at]);
    }
    return true;
}

/* Nodes that were lost and are only asked are dialled again, and now and then all are asked for. */
static bool wshub_bus_redis__beat_nodes(wshub_bus_redis *bus) {
    const wshub_bus_redis__link *pub = &bus->links[WSHUB_BUS_REDIS__PUB];

    wshub_bus_redis__masters_demote(bus);
    (void)wshub_bus_redis__dial_nodes(bus); /* to masters there are, or the bus were down */
    if (bus->now < bus->cluster->nodes_at) return true;
    if (wshub_bus_redis__awaits(pub, WSHUB_BUS_REDIS__MEMBERS)) return true;
    bus->cluster->nodes_at = bus->now + bus->desc.nodes_ms;
    return wshub_bus_redis__ask_nodes(bus);
}

/* Asks for the broker's role, for a word where else nothing would be said, and sends a
 * heartbeat. */
static void wshub_bus_redis__beat(wshub_bus_redis *bus) {
    bool beats = !bus->desc.publish_only && !bus->desc.no_heartbeat, ok = true;
    int which;

    WSHUB_ASSERT(wshub_bus_redis__both_ready(bus));
    bus->beats.next_at = bus->now + bus->desc.heartbeat_ms;

    if (bus->asks_role)
        ok = wshub_bus_redis__ask(bus, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__ROLE, "ROLE");
    else if (!beats)
        ok = wshub_bus_redis__ask(bus, WSHUB_BUS_REDIS__PUB, WSHUB_BUS_REDIS__PING, "PING");
    if (!bus->desc.publish_only) ok = ok && wshub_bus_redis__probe(bus);
    if (beats) ok = ok && wshub_bus_redis__beat_publish(bus);
    if (bus->desc.sentinel) ok = ok && wshub_bus_redis__beat_sentinel(bus);
    if (bus->cluster) ok = ok && wshub_bus_redis__beat_nodes(bus);
    for (which = WSHUB_BUS_REDIS__NODES; ok && which < bus->links_used; which++) {
        if (wshub_bus_redis__open(&bus->links[which]))
            ok = wshub_bus_redis__ask(bus, which, WSHUB_BUS_REDIS__PING, "PING");
    }

    if (!ok) wshub_bus_redis__fail_memory(bus);
}

/* Whether a connection has left a command unanswered for too long. */
static bool wshub_bus_redis__silent(const wshub_bus_redis *bus, int which) {
    const wshub_bus_redis__link *link = &bus->links[which];
    return wshub_bus_redis__open(link) && link->cmds_count &&
           bus->now - link->progress > bus->desc.heartbeat_timeout_ms;
}

/* Ends a connection that has left a command unanswered. Of a Cluster's nodes it says which. */
static void wshub_bus_redis__end_silent(wshub_bus_redis *bus, int which) {
    const char *address = which < WSHUB_BUS_REDIS__NODES || wshub_bus_redis__only_asks(bus, which)
                              ? ""
                              : wshub_bus_redis__link_address(bus, which);

    WSHUB_ASSERT(wshub_bus_redis__silent(bus, which));
    bus->stats.silences++;
    wshub_bus_redis__link_fail(bus, which, "no answer within heartbeat_timeout_ms",
                               wshub_str_z(address));
}

/* Whether a sentinel or a node that came later has not answered our call for too long. */
static bool wshub_bus_redis__unreached(const wshub_bus_redis *bus, int which) {
    const wshub_bus_redis__link *link = &bus->links[which];
    return link->state == WSHUB_BUS_REDIS__LINK_DIALLING &&
           bus->now - link->progress > bus->desc.connect_timeout_ms;
}

/* Judges a bus that is up, and sends its heartbeat. Bytes that keep coming are life, however long
 * the heartbeat waits behind them: it is missed only once what left behind it was answered. */
static void wshub_bus_redis__watch(wshub_bus_redis *bus) {
    const wshub_bus_redis__beats *beats = &bus->beats;
    int which;

    WSHUB_ASSERT(bus->state == WSHUB_BUS_REDIS__UP);
    WSHUB_ASSERT(!beats->missing || beats->late_at);
    if (beats->late_at && beats->missing && bus->now >= beats->late_at) {
        wshub_bus_redis__fail_plain(bus, "the heartbeat does not come back");
        return;
    }
    for (which = 0; which < bus->links_used; which++) {
        if (wshub_bus_redis__silent(bus, which))
            wshub_bus_redis__end_silent(bus, which);
        else if (wshub_bus_redis__unreached(bus, which))
            wshub_bus_redis__link_fail(bus, which, "no connection within connect_timeout_ms",
                                       wshub_bus_redis__none());
        if (bus->state != WSHUB_BUS_REDIS__UP) return;
    }
    if (bus->now >= beats->next_at) wshub_bus_redis__beat(bus);
}

/* What the state and the time ask for. Each step may lead to the next one's state. */
static void wshub_bus_redis__step(wshub_bus_redis *bus) {
    const wshub_bus_redis__link *sub = &bus->links[WSHUB_BUS_REDIS__SUB];

    if (bus->half_done) {
        bus->half_done = false;
        wshub_bus_redis__fail_memory(bus);
    }
    if (bus->state == WSHUB_BUS_REDIS__WAITING && bus->now >= bus->retry_at)
        wshub_bus_redis__attempt(bus);

    if (bus->cluster && bus->cluster->moving && bus->state >= WSHUB_BUS_REDIS__FILLING)
        wshub_bus_redis__move(bus);

    if (bus->state == WSHUB_BUS_REDIS__FILLING && !bus->short_of_room &&
        !bus->stats.unacknowledged && !(bus->cluster && bus->cluster->moving) &&
        (bus->desc.publish_only || !sub->cmds_count))
        wshub_bus_redis__up(bus);

    if (bus->state > WSHUB_BUS_REDIS__WAITING && bus->state < WSHUB_BUS_REDIS__UP &&
        bus->now >= bus->deadline)
        wshub_bus_redis__fail_plain(bus, "no connection within connect_timeout_ms");
    if (bus->state == WSHUB_BUS_REDIS__UP) wshub_bus_redis__watch(bus);
}

/* When it wants to be asked next, by the io's clock. */
static uint64_t wshub_bus_redis__next(const wshub_bus_redis *bus) {
    uint64_t due = bus->deadline, in;

    if (!wshub_bus_redis__owned(bus)) return WSHUB_NEVER;
    if (bus->state == WSHUB_BUS_REDIS__WAITING) due = bus->retry_at;
    if (bus->state == WSHUB_BUS_REDIS__UP) due = bus->beats.next_at;
    if (bus->cluster && bus->cluster->strays_count && bus->cluster->strays_at < due)
        due = bus->cluster->strays_at;

    /* Our clock takes a turn for one heartbeat at most, and of a driver's io nothing is heard. */
    in = due > bus->now ? due - bus->now : 1;
    if (in > bus->desc.heartbeat_ms) in = bus->desc.heartbeat_ms;
    if (bus->desc.driver && (bus->stats.unacknowledged || bus->publish_short) &&
        in > WSHUB_BUS_REDIS__DRIVER_MS)
        in = WSHUB_BUS_REDIS__DRIVER_MS;

    due = bus->io_now + in;
    return bus->alarm_at && bus->alarm_at < due ? bus->alarm_at : due;
}

static uint64_t wshub_bus_redis__settle(void *ctx) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    uint64_t next;
    int which;

    wshub_bus_redis__enter(bus);
    if (bus->desc.driver) bus->desc.driver->pump(bus->desc.driver->ctx);
    wshub_bus_redis__step(bus);

    /* Of a driver nobody tells when its output has left. */
    if (bus->desc.driver) wshub_bus_redis__room_again(bus);
    if (wshub_bus_redis__owned(bus) && bus->alarm_at && bus->io_now >= bus->alarm_at) {
        bus->alarm_at = 0;
        bus->owner.late(bus->owner.ctx);
    }

    for (which = 0; which < bus->links_used; which++)
        wshub_bus_redis__send(bus, &bus->links[which]);
    next = wshub_bus_redis__next(bus);
    WSHUB_ASSERT(next >= bus->io_now || next == bus->alarm_at);
    wshub_bus_redis__leave(bus);
    return next;
}

/* ---- the bus -----------------------------------------------------------------------------------
 * The entries of the table. Orders call no report: what they find out is reported in the next turn.
 * Proved by tests/test_bus_contract.c. */

/* The owner leaves: what is written may still go, nothing is reported any more. Whoever waits for
 * the answer to a request is told last, when all else is over: it may even take the bus again. */
static void wshub_bus_redis__detach(wshub_bus_redis *bus) {
    wshub_io_owner me;
    int which;

    if (!wshub_bus_redis__owned(bus)) return;
    for (which = 0; which < bus->links_used; which++) {
        wshub_bus_redis__send(bus, &bus->links[which]);
        wshub_bus_redis__link_close(bus, which, true);
    }
    wshub_bus_redis__strays_drop(bus);
    wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__IDLE);
    WSHUB_ASSERT(bus->depth > 0);
    bus->alarm_at = 0;

    memset(&me, 0, sizeof me);
    me.ctx = bus;
    (void)bus->io.guest(bus->io.ctx, &me, false);
    wshub_bus_redis__lose_requests(bus);
}

static bool wshub_bus_redis__taken(void *ctx) {
    return wshub_bus_redis__owned((const wshub_bus_redis *)ctx);
}

static wshub_err wshub_bus_redis__attach(void *ctx, const wshub_bus_owner *owner) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    wshub_io_owner me;
    wshub_err err;

    if (!owner) {
        bus->depth++; /* an end looks at no clock */
        wshub_bus_redis__detach(bus);
        wshub_bus_redis__leave(bus);
        return WSHUB_OK;
    }
    if (wshub_bus_redis__owned(bus)) return WSHUB_ERR_STATE;

    memset(&me, 0, sizeof me);
    me.ctx = bus;
    me.opened = wshub_bus_redis__on_opened;
    me.received = wshub_bus_redis__on_received;
    me.drained = wshub_bus_redis__on_drained;
    me.sent = wshub_bus_redis__on_sent;
    me.closed = wshub_bus_redis__on_closed;
    me.settle = wshub_bus_redis__settle;
    err = bus->io.guest(bus->io.ctx, &me, true);
    if (err) return err;

    wshub_bus_redis__to(bus, WSHUB_BUS_REDIS__WAITING);
    WSHUB_ASSERT(!wshub_bus_redis__requests_count(bus));
    bus->owner = *owner;
    bus->unconfirmed_before = bus->stats.unconfirmed;
    bus->io_now = bus->io.now_ms(bus->io.ctx);
    bus->retry_at = bus->now;
    bus->failures = 0;
    return WSHUB_OK;
}

/* Publishes, in the usual way or to sharded channels. A channel of a Cluster whose slot nobody has
 * goes to the node that was asked first, which says so. */
static size_t wshub_bus_redis__publish_by(wshub_bus_redis *bus, bool sharded,
                                          const wshub_bus_msg *msgs, size_t count) {
    wshub_bus_redis__words words;
    wshub_str args[3];
    size_t taken = 0;

    args[0] = wshub_str_z(sharded ? "SPUBLISH" : "PUBLISH");
    words = wshub_bus_redis__plain(args, 3);
    words.from = 1;
    words.to = 2;
    words.prefix = wshub_bus_redis__prefix(bus, false);

    for (; taken < count && bus->state == WSHUB_BUS_REDIS__UP; taken++) {
        int pub = WSHUB_BUS_REDIS__PUB;
        if (sharded && bus->cluster) {
            uint32_t node = wshub_bus_redis__node_of(bus, msgs[taken].channel);
            if (node != WSHUB_BUS_REDIS__NOBODY) pub = wshub_bus_redis__node_pub(node);
        }
        if (!wshub_bus_redis__ready(bus, pub) || wshub_bus_redis__full(bus, pub)) break;
        args[1] = msgs[taken].channel;
        args[2] = msgs[taken].payload;
        if (!wshub_bus_redis__command(bus, pub, WSHUB_BUS_REDIS__PUBLISH, 1, &words)) break;
        bus->unanswered++;
    }
    bus->stats.published += taken;
    bus->publish_short = taken < count;
    WSHUB_ASSERT(taken <= count);
    WSHUB_ASSERT(bus->unanswered <= bus->stats.published);
    return taken;
}

static size_t wshub_bus_redis__publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    return wshub_bus_redis__publish_by((wshub_bus_redis *)ctx, false, msgs, count);
}

static size_t wshub_bus_redis__publish_sharded(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    return wshub_bus_redis__publish_by((wshub_bus_redis *)ctx, true, msgs, count);
}

/* Whether a request is one to all nodes of a Cluster: each knows its own subscribers alone. Those
 * to a sharded channel are at whoever has its slot, now, and at that one's replicas. */
static bool wshub_bus_redis__asks_all(const wshub_bus_redis *bus, const wshub_str *argv,
                                      size_t argc) {
    return bus->cluster && argc >= 3 && wshub_bus_redis__is_word(argv[0], "PUBSUB") &&
           (wshub_bus_redis__is_word(argv[1], "NUMSUB") ||
            wshub_bus_redis__is_word(argv[1], "SHARDNUMSUB"));
}

/* Says a request on one connection, behind which it will be answered. */
static wshub_err wshub_bus_redis__request_say(wshub_bus_redis *bus, int which,
                                              const wshub_str *argv, size_t argc,
                                              wshub_bus_redis__request request) {
    wshub_bus_redis__words words = wshub_bus_redis__plain(argv, argc);
    wshub_bus_redis__requests *requests = wshub_bus_redis__requests_of(bus, which);
    size_t waiting = wshub_bus_redis__waiting(bus, which);

    if (waiting >= bus->desc.output_bytes_max) return WSHUB_ERR_LIMIT;
    if (!wshub_bus_redis__request_room(bus, requests)) return WSHUB_ERR_NOMEM;
    if (!wshub_bus_redis__command(bus, which, WSHUB_BUS_REDIS__REQUEST, 1, &words))
        return WSHUB_ERR_NOMEM;
    wshub_bus_redis__request_push(requests, request);

    /* Asked outside a turn, the first to wait calls for one. */
    if (!waiting && !bus->depth && bus->io.wake) bus->io.wake(bus->io.ctx);
    return WSHUB_OK;
}

/* Asks all nodes of a Cluster that can be asked. What fails for one of several is told as lost. */
static wshub_err wshub_bus_redis__census_take(wshub_bus_redis *bus, const wshub_str *argv,
                                              size_t argc, wshub_bus_redis__request asker) {
    wshub_bus_redis__census *census = wshub_bus_redis__census_new(bus, argv + 2, argc - 2, asker);
    wshub_bus_redis__request part;
    wshub_err err = WSHUB_OK;
    int which;

    if (!census) return WSHUB_ERR_NOMEM;
    part.on_reply = wshub_bus_redis__census_part;
    part.arg = census;
    for (which = WSHUB_BUS_REDIS__NODES; !err && which < bus->links_used; which++) {
        if (!wshub_bus_redis__ready(bus, which) || wshub_bus_redis__subscribes(bus, which))
            continue;
        err = wshub_bus_redis__request_say(bus, which, argv, argc, part);
        census->parts += !err;
    }
    if (!census
             ->parts) { /* those that were asked have gone, and those that have come are dialled */
        (void)wshub_bus_redis__alloc(&bus->desc, census, (size_t)census->bytes, 0);
        return err ? err : WSHUB_ERR_STATE;
    }
    census->lost = err != WSHUB_OK;
    bus->census_more += census->parts - 1;
    return WSHUB_OK;
}

static wshub_err wshub_bus_redis__request_take(void *ctx, const wshub_str *argv, size_t argc,
                                               void (*on_reply)(void *arg,
                                                                const wshub_bus_reply *reply),
                                               void *arg) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    wshub_bus_redis__request request;
    uint64_t bytes = 0;
    wshub_err err;
    size_t i;

    if (!on_reply || wshub_bus_redis_request_problem(argv, argc)) return WSHUB_ERR_PARAM;
    for (i = 0; i < argc; i++) {
        bytes += argv[i].len;
        if (bytes > bus->desc.output_bytes_max) return WSHUB_ERR_PARAM;
    }
    if (bus->state != WSHUB_BUS_REDIS__UP) return WSHUB_ERR_STATE;

    if (wshub_bus_redis__questions_count(bus) >= bus->desc.requests_max) return WSHUB_ERR_LIMIT;

    request.on_reply = on_reply;
    request.arg = arg;
    err = wshub_bus_redis__asks_all(bus, argv, argc)
              ? wshub_bus_redis__census_take(bus, argv, argc, request)
              : wshub_bus_redis__request_say(bus, WSHUB_BUS_REDIS__PUB, argv, argc, request);
    if (!err) bus->stats.requests++;
    return err;
}

static uint64_t wshub_bus_redis__pending(void *ctx) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    WSHUB_ASSERT(!bus->unanswered || bus->state == WSHUB_BUS_REDIS__UP);
    bus->pending_asked = bus->unanswered > 0;
    return bus->unanswered;
}

static uint64_t wshub_bus_redis__unconfirmed(void *ctx) {
    const wshub_bus_redis *bus = (const wshub_bus_redis *)ctx;
    WSHUB_ASSERT(bus->stats.unconfirmed >= bus->unconfirmed_before);
    return bus->stats.unconfirmed - bus->unconfirmed_before;
}

/* Given outside a turn it calls for one, since what the io waits for has changed. */
static void wshub_bus_redis__alarm(void *ctx, uint32_t ms) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    bus->alarm_at = bus->io.now_ms(bus->io.ctx) + ms;
    if (!bus->alarm_at) bus->alarm_at = 1;
    if (bus->io.wake) bus->io.wake(bus->io.ctx);
}

/* Keeps one of the owner's channels in mind, to ask a driver's connection about. */
static void wshub_bus_redis__know(wshub_bus_redis *bus, const wshub_bus_channel *channels,
                                  size_t count, bool want) {
    size_t i;

    for (i = 0; i < count; i++) {
        const wshub_bus_channel *c = &channels[i];
        bool same = bus->known_len && c->pattern == bus->known_pattern &&
                    c->name.len == bus->known_len &&
                    memcmp(c->name.ptr, bus->known, bus->known_len) == 0;
        if (same && !want) bus->known_len = 0;
        if (!want || bus->known_len || !c->name.len || c->name.len > sizeof bus->known) continue;

        memcpy(bus->known, c->name.ptr, c->name.len);
        bus->known_len = c->name.len;
        bus->known_pattern = c->pattern;
    }
}

/* Whether a change of subscriptions must wait for a later turn. hiredis mixes up a channel that is
 * left and entered, so that a driver is given one kind of change at a time. */
static bool wshub_bus_redis__change_waits(wshub_bus_redis *bus, bool want, bool sharded) {
    const wshub_bus_redis__link *link = &bus->links[WSHUB_BUS_REDIS__SUB];
    WSHUB_ASSERT(!bus->desc.publish_only);
    if (wshub_bus_redis__any_full(bus, false)) return true;
    if (sharded && bus->cluster && bus->cluster->moving) return true;
    /* Slots may have gone without a word to us. What was said of a channel there comes first. */
    if (sharded && bus->cluster && !wshub_bus_redis__left_alone(bus)) return true;
    /* A master that has come since may have a channel's slot already, and no connection yet. */
    if (sharded && bus->cluster && !wshub_bus_redis__all_ready(bus)) return true;
    if (!bus->desc.driver) return false;
    if (!want && bus->beats.probed) return true;
    return wshub_bus_redis__awaits(link, want ? WSHUB_BUS_REDIS__UNSUBSCRIBE
                                              : WSHUB_BUS_REDIS__SUBSCRIBE);
}

/* Says one command: those at the front that are all names, or all patterns. Returns how many;
 * 0: out of memory. */
static size_t wshub_bus_redis__change_some(wshub_bus_redis *bus, const wshub_bus_channel *channels,
                                           size_t count, bool want, bool sharded) {
    static const char *const words[2][3] = {{"UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"},
                                            {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"}};
    wshub_bus_redis__what what = want ? WSHUB_BUS_REDIS__SUBSCRIBE : WSHUB_BUS_REDIS__UNSUBSCRIBE;
    wshub_str args[WSHUB_BUS_BATCH + 1];
    wshub_bus_redis__words w;
    bool pattern = channels[0].pattern;
    size_t n = 0;

    WSHUB_ASSERT(count > 0 && count <= WSHUB_BUS_BATCH);
    WSHUB_ASSERT(!sharded || !pattern);
    args[0] = wshub_str_z(words[want][sharded ? 2 : pattern]);
    for (; n < count && channels[n].pattern == pattern; n++) args[n + 1] = channels[n].name;

    w = wshub_bus_redis__plain(args, n + 1);
    w.from = 1;
    w.prefix = wshub_bus_redis__prefix(bus, pattern);
    if (!wshub_bus_redis__command(bus, WSHUB_BUS_REDIS__SUB, what, (uint32_t)n, &w)) return 0;

    bus->stats.unacknowledged += n;
    bus->deadline += n / 100;
    return n;
}

/* Of a Cluster a command may name channels of one slot, and hardly two in a row have one. */
static size_t wshub_bus_redis__change_one(wshub_bus_redis *bus, wshub_str channel, bool want) {
    enum { FOR_A_MS = 100 }; /* of so many, as all are given */

    if (!wshub_bus_redis__name_say(bus, channel, want, false)) return 0;
    bus->stats.unacknowledged++;
    bus->deadline += bus->stats.unacknowledged % FOR_A_MS == 0;
    return 1;
}

/* Subscribes, or ends it. False: none was taken. What fails half way is begun anew by the next
 * turn, with a new connection, since an order makes no report. */
static bool wshub_bus_redis__change(wshub_bus_redis *bus, const wshub_bus_channel *channels,
                                    size_t count, bool want, bool sharded) {
    size_t i, n;

    if (bus->desc.publish_only || bus->state < WSHUB_BUS_REDIS__FILLING) return true;
    WSHUB_ASSERT(wshub_bus_redis__ready(bus, WSHUB_BUS_REDIS__SUB));
    bus->short_of_room = wshub_bus_redis__change_waits(bus, want, sharded);
    if (bus->short_of_room) return false;

    if (bus->desc.driver) wshub_bus_redis__know(bus, channels, count, want);
    for (i = 0; i < count; i += n) {
        n = sharded && bus->cluster
                ? wshub_bus_redis__change_one(bus, channels[i].name, want)
                : wshub_bus_redis__change_some(bus, channels + i, count - i, want, sharded);
        if (n) continue;
        bus->short_of_room = i == 0;
        bus->half_done = i > 0;
        return i > 0;
    }
    return true;
}

static bool wshub_bus_redis__subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    return wshub_bus_redis__change((wshub_bus_redis *)ctx, channels, count, true, false);
}

static bool wshub_bus_redis__unsubscribe(void *ctx, const wshub_bus_channel *channels,
                                         size_t count) {
    return wshub_bus_redis__change((wshub_bus_redis *)ctx, channels, count, false, false);
}

static bool wshub_bus_redis__subscribe_sharded(void *ctx, const wshub_bus_channel *channels,
                                               size_t count) {
    return wshub_bus_redis__change((wshub_bus_redis *)ctx, channels, count, true, true);
}

static bool wshub_bus_redis__unsubscribe_sharded(void *ctx, const wshub_bus_channel *channels,
                                                 size_t count) {
    return wshub_bus_redis__change((wshub_bus_redis *)ctx, channels, count, false, true);
}

static void wshub_bus_redis__flush(void *ctx) {
    wshub_bus_redis *bus = (wshub_bus_redis *)ctx;
    int which;
    for (which = 0; which < bus->links_used; which++) {
        if (which != WSHUB_BUS_REDIS__SENTINEL) wshub_bus_redis__send(bus, &bus->links[which]);
    }
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
static const char *wshub_bus_redis__url_who(wshub_bus_redis *bus, const char **at, char **to) {
    const char *p = *at, *sign = p, *colon, *q;

    for (q = p; *q && *q != '/'; q++) {
        if (*q == '@') sign = q;
    }
    if (*sign != '@') return NULL;

    colon = (const char *)memchr(p, ':', (size_t)(sign - p));
    bus->user = wshub_bus_redis__decode(p, colon ? colon : sign, to);
    bus->password = colon ? wshub_bus_redis__decode(colon + 1, sign, to) : "";
    if (!bus->user || !bus->password)
        return "url: a % in user or password is followed by two hex digits, and not by 00";
    if (*bus->user && !*bus->password) return "url: a user needs a password: user:password@";
    *at = sign + 1;
    return NULL;
}

/* Where it is, when that is a socket in the file system, up to `stop`. */
static const char *wshub_bus_redis__url_path(wshub_bus_redis *bus, const char *p, const char *stop,
                                             char **to) {
    if (*p != '/') return "url: unix:// is followed by the path of a socket, which begins with /";
    bus->addresses[bus->addresses_count++] = wshub_bus_redis__decode(p, stop, to);
    if (!bus->addresses[0])
        return "url: a % in a path is followed by two hex digits, and not by 00";
    if (strlen(bus->addresses[0]) > 107)
        return "url: the path of a socket may have at most 107 bytes";
    return NULL;
}

/* Where it is, when that is a list of hosts, up to `stop`. */
static const char *wshub_bus_redis__url_hosts(wshub_bus_redis *bus, const char *p, const char *stop,
                                              const char *port, char **to) {
    const char *from = p;

    for (;;) {
        const char *comma = (const char *)memchr(p, ',', (size_t)(stop - p));
        const char *end = comma ? comma : stop;
        if (bus->addresses_count == WSHUB_BUS_REDIS__ADDRESSES)
            return "url: may have at most 16 addresses";
        if (p == end && (comma || p != from))
            return "url: an address is empty; a list has one between any two commas";

        bus->addresses[bus->addresses_count] = wshub_bus_redis__host(p, end, port, to);
        if (!bus->addresses[bus->addresses_count++])
            return "url: an address is host, host:port or [v6]:port, with a port of 1 to 65535; a "
                   "/ in user or password is written %2F";
        if (!comma) return NULL;
        p = comma + 1;
    }
}

/* Which of its databases: behind the addresses, as a path or a query. */
static const char *wshub_bus_redis__url_database(wshub_bus_redis *bus, const char *p, char *to) {
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
        return "url: a database must be a number, as in redis://host:6379/2";

    bus->db = to;
    wshub_bus_redis__put(&to, p, (size_t)(stop - p));
    *to = 0;
    return NULL;
}

/* Takes a URL apart; what it finds is written to `texts`, which has room for twice its length and
 * 32 bytes for each address. NULL, or what is wrong. */
static const char *wshub_bus_redis__url(wshub_bus_redis *bus, const wshub_bus_redis_desc *desc,
                                        char *texts) {
    const char *p = desc->url, *stop, *problem, *port = desc->sentinel ? "26379" : "6379";
    int scheme = wshub_bus_redis__scheme(p);
    bool secure =
        scheme == WSHUB_BUS_REDIS__SCHEME_REDISS || scheme == WSHUB_BUS_REDIS__SCHEME_VALKEYS;
    bool local = scheme == WSHUB_BUS_REDIS__SCHEME_UNIX;

    bus->user = bus->password = bus->db = "";
    bus->addresses_count = 0;
    if (scheme < 0)
        return "url: must begin with redis://, valkey://, rediss://, valkeys:// or unix://";
    if (secure != desc->tls && !local)
        return desc->tls
                   ? "url: must begin with rediss://, since desc.tls says that the io encrypts"
                   : "url: rediss:// needs an io that encrypts, and desc.tls to say so";

    p += strlen(wshub_bus_redis__schemes[scheme]);
    problem = wshub_bus_redis__url_who(bus, &p, &texts);
    if (problem) return problem;
    if (strchr(p, '#')) return "url: has no fragment; a # in user, password or path is written %23";

    stop = p + strcspn(p, local ? "?" : "/?");
    problem = local ? wshub_bus_redis__url_path(bus, p, stop, &texts)
                    : wshub_bus_redis__url_hosts(bus, p, stop, port, &texts);
    return problem ? problem : wshub_bus_redis__url_database(bus, stop, texts);
}

/* ---- making and ending ---------------------------------------------------------------------- */

/* The one place where defaults are filled in; they stand in front of each field's meaning. */
static void wshub_bus_redis__defaults(wshub_bus_redis_desc *desc) {
    if (!desc->client_name) desc->client_name = "wshub";
    if (!desc->channel_prefix) desc->channel_prefix = "";
    if (!desc->connect_timeout_ms) desc->connect_timeout_ms = 5000;
    if (!desc->retry_min_ms) desc->retry_min_ms = 50;
    if (!desc->retry_max_ms) desc->retry_max_ms = 5000;
    if (!desc->heartbeat_ms) desc->heartbeat_ms = 1000;
    if (!desc->heartbeat_timeout_ms) desc->heartbeat_timeout_ms = 3000;
    if (!desc->nodes_ms) desc->nodes_ms = 5000;
    if (!desc->message_bytes_max) desc->message_bytes_max = WSHUB_BUS_REDIS_MESSAGE_BYTES;
    if (!desc->output_bytes_max) desc->output_bytes_max = 1048576;
    if (!desc->requests_max) desc->requests_max = WSHUB_BUS_REDIS_REQUESTS;
}

static const char *wshub_bus_redis__texts_problem(const wshub_bus_redis_desc *desc) {
    if (strlen(desc->channel_prefix) > 128) return "channel_prefix: must be at most 128 bytes";
    if (strlen(desc->client_name) > 128 || strpbrk(desc->client_name, " \t\r\n"))
        return "client_name: must be at most 128 bytes without spaces";
    if (desc->sentinel && (!*desc->sentinel || strlen(desc->sentinel) > 128))
        return "sentinel: must be the name of a master, 1 to 128 bytes";
    if (!desc->sentinel && (desc->sentinel_user || desc->sentinel_password))
        return "sentinel: required with sentinel_user and sentinel_password; who we are at the "
               "broker stands in the url";
    if (desc->sentinel_user && !desc->sentinel_password)
        return "sentinel: a sentinel_user needs a sentinel_password";
    if (desc->sentinel && desc->cluster)
        return "cluster: a Cluster has no sentinels; name some of its nodes in the url";
    return NULL;
}

static const char *wshub_bus_redis__limits_problem(const wshub_bus_redis_desc *desc) {
    const uint32_t least = 1024, most = 1u << 30;

    if (desc->retry_min_ms > desc->retry_max_ms)
        return "retry_min_ms: must be at most retry_max_ms";
    if (desc->heartbeat_timeout_ms <= desc->heartbeat_ms)
        return "heartbeat_timeout_ms: must be more than heartbeat_ms";
    if (desc->message_bytes_max < least || desc->message_bytes_max > most)
        return "message_bytes_max: must be 1024 to 1073741824 (1 KiB to 1 GiB)";
    if (desc->output_bytes_max < least || desc->output_bytes_max > most)
        return "output_bytes_max: must be 1024 to 1073741824 (1 KiB to 1 GiB)";
    if (desc->requests_max > WSHUB_BUS_REDIS_REQUESTS_MAX)
        return "requests_max: must be at most WSHUB_BUS_REDIS_REQUESTS_MAX (65536)";
    return NULL;
}

static const char *wshub_bus_redis__tables_problem(const wshub_bus_redis_desc *desc) {
    if (!desc->io) return "io: required, usually that of the hub";
    if (desc->io->version != WSHUB_IO_VERSION)
        return "io: its table is of another wshub.h; compile it and this backend with the same one";
    if (desc->driver && desc->driver->version != WSHUB_BUS_REDIS_DRIVER_VERSION)
        return "driver: its table is of another wshub_bus_redis.h; compile both with the same one";
    if (desc->driver && desc->cluster) return "cluster: a driver has no sharded channels";
    if (desc->driver && desc->tls && !desc->driver->encrypts)
        return "tls: the driver sends in the clear (wshub_bus_redis_driver.encrypts)";
    if (!desc->io->guest || (!desc->io->connect && !desc->driver) || !desc->io->random)
        return "io: its table must have guest, connect and random, as wshub_io_sock.h has them";
    return NULL;
}

WSHUB_API const char *wshub_bus_redis_desc_problem_versioned(const wshub_bus_redis_desc *desc,
                                                             size_t desc_bytes, uint32_t version) {
    wshub_bus_redis_desc d;
    wshub_bus_redis bus;
    char texts[2 * 4096 + 1024]; /* as wshub_bus_redis_create() has them for a URL */
    const char *problem;

    if (!desc) return "io: required, usually that of the hub";
    if (desc_bytes != sizeof *desc || version != WSHUB_BUS_REDIS_DESC_VERSION)
        return "wshub_bus_redis_desc: the program was compiled with another wshub_bus_redis.h than "
               "the file that has its implementation; compile both anew with the same one";
    problem = wshub_bus_redis__tables_problem(desc);
    if (problem) return problem;
    if (!desc->url) return "url: required, as redis://127.0.0.1:6379";
    if (strlen(desc->url) > 4096) return "url: must be at most 4096 bytes";

    d = *desc;
    wshub_bus_redis__defaults(&d);
    problem = wshub_bus_redis__texts_problem(&d);
    if (!problem) problem = wshub_bus_redis__limits_problem(&d);
    if (problem) return problem;

    memset(&bus, 0, sizeof bus);
    return wshub_bus_redis__url(&bus, &d, texts);
}

/* Copies a URL without what is nobody's business. out_text: room for 8 bytes more than it has. */
static void wshub_bus_redis__url_shown(const char *url, char *out_text) {
    const char *from = strstr(url, "://"), *sign = strrchr(url, '@'), *colon;
    char *to = out_text;
    size_t n;

    from = from ? from + 3 : url;
    wshub_bus_redis__put(&to, url, (size_t)(from - url));
    colon = strchr(from, ':');
    if (sign && sign >= from) {
        wshub_bus_redis__put(&to, "***", 3);
        from = sign;
    } else if (colon && *from != '[' && strchr(colon + 1, ':')) {
        /* Somebody has forgotten the @: only an address in brackets has more than one colon. */
        wshub_bus_redis__put(&to, "***", 3);
        from = strrchr(from, ':');
    }

    n = strcspn(from, "?#");
    wshub_bus_redis__put(&to, from, n);
    if (from[n]) {
        wshub_bus_redis__put(&to, from + n, 1);
        wshub_bus_redis__put(&to, "***", 3);
    }
    *to = 0;
}

WSHUB_API size_t wshub_bus_redis_desc_explain_versioned(const wshub_bus_redis_desc *desc,
                                                        size_t desc_bytes, uint32_t version,
                                                        wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_bus_redis_desc, url, TEXT, "tls"), /* where the text is about that, too */
        WSHUB_FIELD(wshub_bus_redis_desc, io, POINTER, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, tls, BOOL, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, url, TEXT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, cluster, BOOL, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, sentinel, TEXT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, client_name, TEXT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, channel_prefix, TEXT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, retry_min_ms, UINT, "retry_max_ms"),
        WSHUB_FIELD(wshub_bus_redis_desc, retry_max_ms, UINT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, heartbeat_timeout_ms, UINT, "heartbeat_ms"),
        WSHUB_FIELD(wshub_bus_redis_desc, heartbeat_ms, UINT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, message_bytes_max, UINT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, output_bytes_max, UINT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, requests_max, UINT, NULL),
        WSHUB_FIELD(wshub_bus_redis_desc, driver, POINTER, NULL),
    };
    const size_t count = sizeof fields / sizeof fields[0];
    const char *problem = wshub_bus_redis_desc_problem_versioned(desc, desc_bytes, version);
    wshub_bus_redis_desc d;
    char url[4096 + 8];
    size_t skip;

    if (!desc || desc_bytes != sizeof *desc || version != WSHUB_BUS_REDIS_DESC_VERSION)
        return wshub_explain(problem, NULL, NULL, 0, buf, cap);
    if (!problem && err == WSHUB_ERR_PARAM) problem = "out_redis: required, and NULL";
    if (!problem && err == WSHUB_ERR_RANDOM) problem = "io: its random() has failed";
    if (!problem && err) problem = wshub_strerror(err);

    d = *desc;
    wshub_bus_redis__defaults(&d);
    if (d.url && strlen(d.url) <= 4096) {
        wshub_bus_redis__url_shown(d.url, url);
        d.url = url;
    } else if (d.url) {
        d.url = "(not shown)";
    }
    skip = problem && strstr(problem, "desc.tls") ? 0 : 1;
    return wshub_explain(problem, &d, fields + skip, count - skip, buf, cap);
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
static size_t wshub_bus_redis__texts_bytes(const wshub_bus_redis_desc *desc) {
    return 3 * strlen(desc->url) + 1024 + wshub_bus_redis__keep_bytes(desc->client_name) +
           wshub_bus_redis__keep_bytes(desc->channel_prefix) +
           wshub_bus_redis__keep_bytes(desc->sentinel) +
           wshub_bus_redis__keep_bytes(desc->sentinel_user) +
           wshub_bus_redis__keep_bytes(desc->sentinel_password);
}

static void wshub_bus_redis__keep_texts(wshub_bus_redis *bus) {
    wshub_bus_redis_desc *desc = &bus->desc;
    char *at = bus->texts;
    const char *problem;

    desc->url = wshub_bus_redis__keep(&at, desc->url);
    desc->client_name = wshub_bus_redis__keep(&at, desc->client_name);
    desc->channel_prefix = wshub_bus_redis__keep(&at, desc->channel_prefix);
    desc->sentinel = wshub_bus_redis__keep(&at, desc->sentinel);
    desc->sentinel_user = wshub_bus_redis__keep(&at, desc->sentinel_user);
    desc->sentinel_password = wshub_bus_redis__keep(&at, desc->sentinel_password);

    problem = wshub_bus_redis__url(bus, desc, at);
    WSHUB_ASSERT(!problem);
    (void)problem;
}

/* The prefix of channels, and the same as a pattern, in which only the star behind it is one
 * (BUS-6). */
static void wshub_bus_redis__name_prefix(wshub_bus_redis *bus) {
    const char *prefix = bus->desc.channel_prefix;
    size_t i;

    bus->prefix_len = strlen(prefix);
    for (i = 0; i < bus->prefix_len; i++) {
        if (strchr("*?[]\\^", prefix[i])) bus->glob[bus->glob_len++] = '\\';
        bus->glob[bus->glob_len++] = prefix[i];
    }
    WSHUB_ASSERT(bus->glob_len <= sizeof bus->glob);
}

/* The channel of our heartbeat, which nobody else has. */
static void wshub_bus_redis__name_beat(wshub_bus_redis *bus, const uint8_t *id, size_t count) {
    static const char hex[] = "0123456789abcdef";
    size_t i,
        n = (size_t)snprintf(bus->beat, sizeof bus->beat, "%swshub:hb:", bus->desc.channel_prefix);

    WSHUB_ASSERT(n + 2 * count < sizeof bus->beat);
    for (i = 0; i < count; i++) {
        bus->beat[n++] = hex[id[i] >> 4];
        bus->beat[n++] = hex[id[i] & 15];
    }
}

static void wshub_bus_redis__fill_table(wshub_bus_redis *bus) {
    bus->bus.version = WSHUB_BUS_VERSION;
    bus->bus.ctx = bus;
    bus->bus.attach = wshub_bus_redis__attach;
    bus->bus.publish = wshub_bus_redis__publish;
    bus->bus.subscribe = wshub_bus_redis__subscribe;
    bus->bus.unsubscribe = wshub_bus_redis__unsubscribe;
    bus->bus.flush = wshub_bus_redis__flush;
    bus->bus.pending = wshub_bus_redis__pending;
    bus->bus.alarm = wshub_bus_redis__alarm;
    bus->bus.unconfirmed = wshub_bus_redis__unconfirmed;
    bus->bus.taken = wshub_bus_redis__taken;
    bus->bus.request = wshub_bus_redis__request_take;
    if (bus->desc.driver) return; /* hiredis does not know what comes by a sharded channel */
    bus->bus.publish_sharded = wshub_bus_redis__publish_sharded;
    bus->bus.subscribe_sharded = wshub_bus_redis__subscribe_sharded;
    bus->bus.unsubscribe_sharded = wshub_bus_redis__unsubscribe_sharded;
}

/* Makes a bus of a description that is right. */
static wshub_err wshub_bus_redis__new(const wshub_bus_redis_desc *desc,
                                      wshub_bus_redis **out_redis) {
    wshub_bus_redis_desc d;
    wshub_bus_redis *bus;
    uint8_t id[8];

    d = *desc;
    wshub_bus_redis__defaults(&d);
    if (!d.io->random(d.io->ctx, id, sizeof id)) return WSHUB_ERR_RANDOM;

    bus = (wshub_bus_redis *)wshub_bus_redis__alloc(&d, NULL, 0, sizeof *bus);
    if (!bus) return WSHUB_ERR_NOMEM;
    memset(bus, 0, sizeof *bus);
    bus->desc = d;
    bus->io = *d.io;
    bus->texts_bytes = wshub_bus_redis__texts_bytes(&d);
    bus->links_used = WSHUB_BUS_REDIS__NODES;
    bus->texts = (char *)wshub_bus_redis__alloc(&d, NULL, 0, bus->texts_bytes);
    if (bus->texts && d.cluster)
        bus->cluster =
            (wshub_bus_redis__cluster *)wshub_bus_redis__alloc(&d, NULL, 0, sizeof *bus->cluster);
    if (bus->cluster) memset(bus->cluster, 0, sizeof *bus->cluster);
    if (!bus->texts || (d.cluster && !bus->cluster)) {
        if (bus->texts) (void)wshub_bus_redis__alloc(&d, bus->texts, bus->texts_bytes, 0);
        (void)wshub_bus_redis__alloc(&d, bus, sizeof *bus, 0);
        return WSHUB_ERR_NOMEM;
    }
    bus->links = bus->cluster ? bus->cluster->links : bus->own;

    wshub_bus_redis__keep_texts(bus);
    wshub_bus_redis__name_prefix(bus);
    wshub_bus_redis__name_beat(bus, id, sizeof id);
    wshub_bus_redis__fill_table(bus);
    *out_redis = bus;
    return WSHUB_OK;
}

/* Shows by the io why a bus was not made, for programs that look at no more than that. */
static void wshub_bus_redis__not_made(const wshub_bus_redis_desc *desc, wshub_err err) {
    char why[WSHUB_EXPLAIN_BYTES], line[WSHUB_LOG_LINE_BYTES], *p;
    const wshub_io *io = desc->io;

    if (!io || io->version != WSHUB_IO_VERSION || !io->log || desc->no_log || desc->on_log) return;
    (void)wshub_bus_redis_desc_explain(desc, err, why, sizeof why);
    (void)snprintf(line, sizeof line, "error CREATE: wshub_bus_redis_create(): %.200s", why);
    for (p = line; *p; p++) {
        if ((unsigned char)*p < 32 || (unsigned char)*p > 126) *p = '?';
    }
    io->log(io->ctx, WSHUB_LEVEL_ERROR, line);
}

WSHUB_API wshub_err wshub_bus_redis_create_versioned(const wshub_bus_redis_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_bus_redis **out_redis) {
    wshub_err err = WSHUB_ERR_PARAM;

    if (!desc || desc_bytes != sizeof *desc || version != WSHUB_BUS_REDIS_DESC_VERSION) return err;
    if (out_redis && !wshub_bus_redis_desc_problem(desc))
        err = wshub_bus_redis__new(desc, out_redis);
    if (err) wshub_bus_redis__not_made(desc, err);
    return err;
}

static void wshub_bus_redis__requests_free(const wshub_bus_redis_desc *desc,
                                           const wshub_bus_redis__requests *requests) {
    if (!requests->ring) return;
    (void)wshub_bus_redis__alloc(desc, requests->ring, requests->cap * sizeof *requests->ring, 0);
}

static void wshub_bus_redis__free(wshub_bus_redis *bus) {
    wshub_bus_redis_desc desc = bus->desc;
    int which;

    WSHUB_ASSERT(bus->depth == 0);
    WSHUB_ASSERT(!wshub_bus_redis__owned(bus));
    WSHUB_ASSERT(wshub_bus_redis__requests_count(bus) == 0);

    if (bus->spare) (void)wshub_bus_redis__alloc(&desc, bus->spare, sizeof *bus->spare, 0);
    while (bus->flights) {
        wshub_bus_redis__flight *flight = bus->flights;
        bus->flights = flight->next;
        wshub_bus_redis__flight_free(bus, flight);
    }
    for (which = 0; which < bus->links_used; which++) {
        wshub_bus_redis__link *link = &bus->links[which];
        if (link->cmds)
            (void)wshub_bus_redis__alloc(&desc, link->cmds, link->cmds_cap * sizeof *link->cmds, 0);
    }
    wshub_bus_redis__requests_free(&desc, &bus->requests);
    for (which = 0; bus->cluster && which < WSHUB_BUS_REDIS__NODES_ALL; which++)
        wshub_bus_redis__requests_free(&desc, &bus->cluster->requests[which]);
    if (bus->cluster) (void)wshub_bus_redis__alloc(&desc, bus->cluster, sizeof *bus->cluster, 0);
    (void)wshub_bus_redis__alloc(&desc, bus->texts, bus->texts_bytes, 0);
    (void)wshub_bus_redis__alloc(&desc, bus, sizeof *bus, 0);
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
    out_stats->requests_pending = wshub_bus_redis__questions_count(redis);
    for (which = 0; which < redis->links_used; which++)
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
