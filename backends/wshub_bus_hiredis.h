/* wshub_bus_hiredis.h - Redis as the bus, through hiredis, for programs that have it in their loop
 *
 * Everything that wshub_bus_redis.h does, whose logic this is: URLs, greeting, healing, heartbeats
 * and requests are described there. Only the bytes go another way: each connection is an async
 * context of hiredis, which your program's loop serves by one of hiredis' own adapters.
 *
 *     static int attach(redisAsyncContext *ac, void *loop) {
 *         return redisLibuvAttach(ac, (uv_loop_t *)loop);
 *     }
 *     wshub_bus_hiredis_create(
 *         &(wshub_bus_hiredis_desc){ .redis = { .io = io, .url = "redis://127.0.0.1" },
 *                                    .attach = attach, .loop = loop }, &bus);
 *     wshub_create(&(wshub_desc){ .io = io, .bus = wshub_bus_hiredis_bus(bus), ... }, &hub);
 *     ...
 *     wshub_destroy(hub);
 *     wshub_bus_hiredis_destroy(bus);
 *
 * [x] any loop that hiredis has an adapter for: desc.attach is where you call it
 * [x] hiredis from 0.14 on
 * [x] what hiredis would assert on is refused while it is being read: such a broker is cut off
 * [x] output_bytes_max and message_bytes_max hold; but hiredis cannot skip a text, so that one over
 *     message_bytes_max ends the connection. It is looked at once a turn of the hub's io
 * [x] wshub_bus_request(); hiredis reads arrays within arrays seven deep
 * [x] Socket.IO's classic adapter: servers over it and over wshub_bus_redis.h are one cluster
 * [ ] sharded channels, and so Socket.IO's sharded adapter
 * [ ] RESP3: a short push makes hiredis read past an array
 * [ ] names are resolved by hiredis, in place
 * [ ] TLS of its own: it is yours to set up in desc.attach, by redisInitiateSSLWithContext() of
 *     hiredis 1.0 and later (0.14 has none, and this is tested with that), and desc.attach_encrypts
 *     says so. Without that rediss://, valkeys:// and desc.redis.tls are refused, since nothing
 *     would make the connection secure; or take wshub_bus_redis.h over an io with TLS
 * [ ] desc.redis.alloc does not count what hiredis and this file allocate
 *
 * One thread, that of the hub. The io must have guests (for the clock), and desc.attach must use
 * the loop of the same thread. Needs hiredis and wshub_bus_redis.h before it; link with -lhiredis.
 * Proved by tests/test_hiredis.c and, with Socket.IO, tests/socketio_cluster.sh. */
#ifndef WSHUB_BUS_HIREDIS_H
#define WSHUB_BUS_HIREDIS_H
#ifndef WSHUB_BUS_REDIS_H
#error "include wshub_bus_redis.h first"
#endif
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#ifdef __cplusplus
extern "C" {
#endif

/* One bus. Made by wshub_bus_hiredis_create(), ended by wshub_bus_hiredis_destroy(). */
typedef struct wshub_bus_hiredis wshub_bus_hiredis;

/* The version of the description, passed beside it by wshub_bus_hiredis_create(). It contains that
 * of wshub_bus_redis.h, so it rises with it. */
#define WSHUB_BUS_HIREDIS_DESC_VERSION 1

/* What a bus is made from. Zero is the default, but for what is required. */
typedef struct wshub_bus_hiredis_desc {
    /* As there; driver is filled in here, and resp3 has no effect. tls, and a URL of rediss:// or
     * valkeys://, are refused without attach_encrypts: io encrypts nothing here. */
    wshub_bus_redis_desc redis;
    /* Required. Puts a connection into your loop, by an adapter of hiredis or as one does it.
     * Returns REDIS_OK, or the connection is given up and tried again later. */
    int (*attach)(redisAsyncContext *ac, void *loop);
    /* Handed to attach; borrowed until destroy. */
    void *loop;
    /* false. attach sets up TLS on every connection before it returns REDIS_OK, and verifies who
     * answers: hiredis does neither of itself, and this is not looked at. Goes with redis.tls. */
    bool attach_encrypts;
} wshub_bus_hiredis_desc;

/* Makes a bus. It connects once a hub or an emitter has taken it, and not before.
 *   desc     borrowed for the call, all texts are copied
 *   out_bus  given to you; untouched on failure
 * Returns  OK; PARAM: out_bus is NULL, or wshub_bus_hiredis_desc_problem() says what; RANDOM;
 *          NOMEM.
 * Thread   that of desc->redis.io and of the loop. */
WSHUB_INLINE wshub_err wshub_bus_hiredis_create(const wshub_bus_hiredis_desc *desc,
                                                wshub_bus_hiredis **out_bus);

/* Says what wshub_bus_hiredis_create() would refuse in a description, as
 * wshub_bus_redis_desc_problem(), whose words it has for the fields of desc->redis.
 * Returns  as that: a constant text; NULL: nothing. */
WSHUB_INLINE const char *wshub_bus_hiredis_desc_problem(const wshub_bus_hiredis_desc *desc);
/* Says why wshub_bus_hiredis_create() has failed, or would, as wshub_bus_redis_desc_explain().
 * Returns  as that. */
WSHUB_INLINE size_t wshub_bus_hiredis_desc_explain(const wshub_bus_hiredis_desc *desc,
                                                   wshub_err err, char *buf, size_t cap);

/* What they call, as wshub_bus_redis_create_versioned() of wshub_bus_redis.h.
 *   desc_bytes  sizeof(wshub_bus_hiredis_desc)
 *   version     WSHUB_BUS_HIREDIS_DESC_VERSION
 * Return   as those. */
WSHUB_API wshub_err wshub_bus_hiredis_create_versioned(const wshub_bus_hiredis_desc *desc,
                                                       size_t desc_bytes, uint32_t version,
                                                       wshub_bus_hiredis **out_bus);
WSHUB_API const char *wshub_bus_hiredis_desc_problem_versioned(const wshub_bus_hiredis_desc *desc,
                                                               size_t desc_bytes, uint32_t version);
WSHUB_API size_t wshub_bus_hiredis_desc_explain_versioned(const wshub_bus_hiredis_desc *desc,
                                                          size_t desc_bytes, uint32_t version,
                                                          wshub_err err, char *buf, size_t cap);

WSHUB_INLINE wshub_err wshub_bus_hiredis_create(const wshub_bus_hiredis_desc *desc,
                                                wshub_bus_hiredis **out_bus) {
    return wshub_bus_hiredis_create_versioned(desc, sizeof *desc, WSHUB_BUS_HIREDIS_DESC_VERSION,
                                              out_bus);
}

WSHUB_INLINE const char *wshub_bus_hiredis_desc_problem(const wshub_bus_hiredis_desc *desc) {
    return wshub_bus_hiredis_desc_problem_versioned(desc, sizeof *desc,
                                                    WSHUB_BUS_HIREDIS_DESC_VERSION);
}
WSHUB_INLINE size_t wshub_bus_hiredis_desc_explain(const wshub_bus_hiredis_desc *desc,
                                                   wshub_err err, char *buf, size_t cap) {
    return wshub_bus_hiredis_desc_explain_versioned(desc, sizeof *desc,
                                                    WSHUB_BUS_HIREDIS_DESC_VERSION, err, buf, cap);
}

/* Gives the table to put into one wshub_desc.bus or wshub_emitter_desc.bus.
 *   bus      not NULL
 * Returns  a view, valid as long as bus.
 * Thread   any. */
WSHUB_API const wshub_bus *wshub_bus_hiredis_bus(wshub_bus_hiredis *bus);

/* Gives what its state, statistics, last error and address are asked of.
 *   bus      not NULL
 * Returns  a view, valid as long as bus; not to be destroyed.
 * Thread   any. */
WSHUB_API const wshub_bus_redis *wshub_bus_hiredis_redis(const wshub_bus_hiredis *bus);

/* Ends a bus: after its hub or emitter has ended, and not inside their callbacks.
 *   bus      NULL: nothing is done; once given here it is yours no more
 * Thread   that of the loop. */
WSHUB_API void wshub_bus_hiredis_destroy(wshub_bus_hiredis *bus);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_BUS_HIREDIS_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_BUS_HIREDIS_IMPLEMENTATION)) &&                \
    !defined(WSHUB__BUS_HIREDIS_DONE)
#define WSHUB__BUS_HIREDIS_DONE
#include <stdio.h>
#include <stdlib.h>
#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

#if HIREDIS_MAJOR >= 1
typedef size_t wshub_bus_hiredis__count;
#else
typedef int wshub_bus_hiredis__count;
#endif

enum {
    WSHUB_BUS_HIREDIS__LINKS = 3, /* those of wshub_bus_redis_driver */
    WSHUB_BUS_HIREDIS__TEXT = 160 /* bytes of a line on what failed */
};

/* Of a connection, as hiredis sees it. */
typedef enum wshub_bus_hiredis__state {
    WSHUB_BUS_HIREDIS__CLOSED,    /* there is no context, or it is let go */
    WSHUB_BUS_HIREDIS__DIALLING,  /* connecting */
    WSHUB_BUS_HIREDIS__ASKING,    /* there; each command has one answer */
    WSHUB_BUS_HIREDIS__SUBSCRIBED /* a subscription was asked for: messages may come */
} wshub_bus_hiredis__state;

/* clang-format off */
/* Which states may follow each: a bit for each. Whatever its state, a connection may end. */
#define WSHUB_BUS_HIREDIS__MAY(state) (1u << WSHUB_BUS_HIREDIS__##state)
static const uint8_t wshub_bus_hiredis__follows[] = {
    /* CLOSED */     WSHUB_BUS_HIREDIS__MAY(DIALLING),
    /* DIALLING */   WSHUB_BUS_HIREDIS__MAY(ASKING) | WSHUB_BUS_HIREDIS__MAY(CLOSED),
    /* ASKING */     WSHUB_BUS_HIREDIS__MAY(SUBSCRIBED) | WSHUB_BUS_HIREDIS__MAY(CLOSED),
    /* SUBSCRIBED */ WSHUB_BUS_HIREDIS__MAY(CLOSED)
};
#undef WSHUB_BUS_HIREDIS__MAY
/* clang-format on */

typedef struct wshub_bus_hiredis__link {
    wshub_bus_hiredis *owner;
    wshub_bus_hiredis__state state;   /* written by wshub_bus_hiredis__to() alone */
    redisAsyncContext *ac;            /* NULL: CLOSED */
    redisReplyObjectFunctions *plain; /* hiredis' own */
    redisReplyObjectFunctions guarded;
    uint64_t asked; /* commands that are answered each by one reply, and have not been */
    /* Channels whose unsubscription has been read. hiredis forgets to tell of those that were not
     * subscribed, so they are counted here. */
    uint64_t left;
    uint64_t gathered, elements; /* of the reply that is being read: bytes of its texts, parts */
    size_t unread;               /* what its reader held when it was looked at last */
    bool unsubscribing;          /* the reply that is being read is about the end of one */
    char refused[WSHUB_BUS_HIREDIS__TEXT]; /* what the guard stopped at, where that is a text */
} wshub_bus_hiredis__link;

struct wshub_bus_hiredis {
    wshub_bus_redis *redis;
    wshub_bus_redis_driver driver;
    int (*attach)(redisAsyncContext *ac, void *loop);
    void *loop;
    uint64_t reply_bytes_max; /* of one reply, all its texts together */
    wshub_bus_hiredis__link links[WSHUB_BUS_HIREDIS__LINKS];
    char error[WSHUB_BUS_HIREDIS__TEXT];
};

static int wshub_bus_hiredis__index(const wshub_bus_hiredis__link *l) {
    ptrdiff_t index = l - l->owner->links;
    WSHUB_ASSERT(index >= 0 && index < WSHUB_BUS_HIREDIS__LINKS);
    return (int)index;
}

/* The one door of a connection's state. What an earlier one has left behind goes when the next one
 * is dialled. */
static void wshub_bus_hiredis__to(wshub_bus_hiredis__link *l, wshub_bus_hiredis__state to) {
    WSHUB_ASSERT(wshub_bus_hiredis__follows[l->state] >> to & 1u);
    WSHUB_ASSERT(l->ac);
    l->state = to;
    if (to == WSHUB_BUS_HIREDIS__DIALLING) {
        l->gathered = l->elements = 0;
        l->unread = 0;
        l->unsubscribing = false;
        l->refused[0] = 0;
    }
    if (to == WSHUB_BUS_HIREDIS__CLOSED) {
        l->ac = NULL;
        l->asked = l->left = 0;
    }
    (void)wshub_bus_hiredis__follows;
}

static void wshub_bus_hiredis__failed(wshub_bus_hiredis *b, const char *why) {
    (void)snprintf(b->error, sizeof b->error, "%s", why);
}

/* ---- the guard ---------------------------------------------------------------------------------
 * hiredis makes each part of a reply by a function that may be replaced. Ours refuse, by a NULL
 * that hiredis takes for want of memory and ends the connection at, what it would assert on, and
 * what is over the limits. Proved by tests/test_hiredis.c (hiredis_never_meets...). */

/* Counts a part of a reply. False: the reply is over the limits. */
static bool wshub_bus_hiredis__counted(wshub_bus_hiredis__link *l, const redisReadTask *task,
                                       size_t bytes, int64_t elements) {
    const redisReadTask *p;
    int depth = 0;
    if (!task->parent) l->gathered = l->elements = 0;
    l->gathered += bytes;
    l->elements++;
    for (p = task->parent; p; p = p->parent) depth++;
    if (l->gathered <= l->owner->reply_bytes_max && l->elements <= WSHUB_RESP_ELEMENTS_MAX &&
        (depth < WSHUB_RESP_DEPTH_MAX || elements == 0))
        return true;

    (void)snprintf(l->refused, sizeof l->refused, "a reply is over the limits");
    return false;
}

/* Whether a reply may begin so. One that nobody asked for may be a refused subscription, which
 * hiredis would lose, or the broker's last word: its text is told. */
static bool wshub_bus_hiredis__begins(wshub_bus_hiredis__link *l, int type, wshub_str text,
                                      int64_t elements) {
    bool array = type == REDIS_REPLY_ARRAY;

    if (l->state == WSHUB_BUS_HIREDIS__SUBSCRIBED && array) {
        if (elements >= 3) return elements < 5; /* a message, an acknowledgement */
        if (elements < 2) return false;
    }
    if (l->asked) {
        l->asked--;
        return true;
    }

    (void)snprintf(l->refused, sizeof l->refused, "%.*s",
                   type == REDIS_REPLY_ERROR ? (int)(text.len < 150 ? text.len : 150) : 0,
                   text.ptr);
    return false;
}

/* Whether a part of a message or an acknowledgement may be so: kind and channel are texts, and the
 * end of a subscription has a number. */
static bool wshub_bus_hiredis__continues(wshub_bus_hiredis__link *l, const redisReadTask *task,
                                         int type, wshub_str text) {
    WSHUB_ASSERT(l->state == WSHUB_BUS_HIREDIS__SUBSCRIBED);
    if (task->idx < 2 && type != REDIS_REPLY_STRING) return false;
    if (task->idx == 0)
        l->unsubscribing =
            wshub_str_eq_z(text, "unsubscribe") || wshub_str_eq_z(text, "punsubscribe");
    if (task->idx != 2 || !l->unsubscribing) return true;
    if (type != REDIS_REPLY_INTEGER) return false;
    l->left++;
    return true;
}

/* Whether a part of a reply may be made. */
static bool wshub_bus_hiredis__allowed(const redisReadTask *task, int type, wshub_str text,
                                       int64_t elements) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)task->privdata;
    if (!l) return true; /* let go already */
    if (!wshub_bus_hiredis__counted(l, task, text.len, elements)) return false;
    if (!task->parent) return wshub_bus_hiredis__begins(l, type, text, elements);
    if (task->parent->parent || task->parent->elements < 2) return true;
    return l->state != WSHUB_BUS_HIREDIS__SUBSCRIBED ||
           wshub_bus_hiredis__continues(l, task, type, text);
}

/* The same for what has no text. */
static bool wshub_bus_hiredis__allowed_plain(const redisReadTask *task, int type,
                                             int64_t elements) {
    wshub_str none;
    none.ptr = "";
    none.len = 0;
    return wshub_bus_hiredis__allowed(task, type, none, elements);
}

static const redisReplyObjectFunctions *wshub_bus_hiredis__own(const redisReadTask *task) {
    return ((wshub_bus_hiredis__link *)task->privdata)->plain;
}

static void *wshub_bus_hiredis__string(const redisReadTask *task, char *str, size_t len) {
    wshub_str text;
    text.ptr = str;
    text.len = len;
    if (!wshub_bus_hiredis__allowed(task, task->type, text, 0)) return NULL;
    return wshub_bus_hiredis__own(task)->createString(task, str, len);
}

/* A count from the wire sizes an allocation: it is judged before. */
static void *wshub_bus_hiredis__array(const redisReadTask *task,
                                      wshub_bus_hiredis__count elements) {
    if ((int64_t)elements > WSHUB_RESP_ELEMENTS_MAX) return NULL;
    if (!wshub_bus_hiredis__allowed_plain(task, REDIS_REPLY_ARRAY, (int64_t)elements)) return NULL;
    return wshub_bus_hiredis__own(task)->createArray(task, elements);
}

static void *wshub_bus_hiredis__integer(const redisReadTask *task, long long value) {
    if (!wshub_bus_hiredis__allowed_plain(task, REDIS_REPLY_INTEGER, 0)) return NULL;
    return wshub_bus_hiredis__own(task)->createInteger(task, value);
}

static void *wshub_bus_hiredis__nil(const redisReadTask *task) {
    if (!wshub_bus_hiredis__allowed_plain(task, REDIS_REPLY_NIL, 0)) return NULL;
    return wshub_bus_hiredis__own(task)->createNil(task);
}

#if HIREDIS_MAJOR >= 1 /* of RESP3, which nobody asked for: no answer has such a part */
static void *wshub_bus_hiredis__double(const redisReadTask *task, double value, char *str,
                                       size_t len) {
    (void)task;
    (void)value;
    (void)str;
    (void)len;
    return NULL;
}

static void *wshub_bus_hiredis__bool(const redisReadTask *task, int value) {
    (void)task;
    (void)value;
    return NULL;
}
#endif

static void wshub_bus_hiredis__guard(wshub_bus_hiredis__link *l) {
    redisReader *reader = l->ac->c.reader;
    WSHUB_ASSERT(l->state == WSHUB_BUS_HIREDIS__DIALLING);
    l->plain = reader->fn;
    l->guarded = *l->plain;
    l->guarded.createString = wshub_bus_hiredis__string;
    l->guarded.createArray = wshub_bus_hiredis__array;
    l->guarded.createInteger = wshub_bus_hiredis__integer;
    l->guarded.createNil = wshub_bus_hiredis__nil;
#if HIREDIS_MAJOR >= 1
    l->guarded.createDouble = wshub_bus_hiredis__double;
    l->guarded.createBool = wshub_bus_hiredis__bool;
#endif
    reader->fn = &l->guarded;
    reader->privdata = l;
}

/* ---- reports ---------------------------------------------------------------------- */

static bool wshub_bus_hiredis__has_text(const redisReply *reply) {
    return reply->type == REDIS_REPLY_ERROR || reply->type == REDIS_REPLY_STATUS ||
           reply->type == REDIS_REPLY_STRING;
}

static void wshub_bus_hiredis__value(const redisReply *from, wshub_resp_value *to) {
    memset(to, 0, sizeof *to);
    to->kind = from->type == REDIS_REPLY_INTEGER  ? ':'
               : from->type == REDIS_REPLY_ARRAY  ? '*'
               : from->type == REDIS_REPLY_ERROR  ? '-'
               : from->type == REDIS_REPLY_STATUS ? '+'
               : from->type == REDIS_REPLY_STRING ? '$'
                                                  : '_';
    to->number = from->type == REDIS_REPLY_ARRAY ? (int64_t)from->elements : (int64_t)from->integer;
    if (!wshub_bus_hiredis__has_text(from)) return;
    to->text.ptr = from->str;
    to->text.len = (size_t)from->len;
}

/* Of how many parts a reply is made, itself included. The guard has seen to its depth. */
static size_t wshub_bus_hiredis__parts(const redisReply *reply) {
    size_t n = 1, i;
    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        n += wshub_bus_hiredis__parts(reply->element[i]);
    return n;
}

/* Shows a reply as a tree. Its parts go to *next, which moves behind them. */
static void wshub_bus_hiredis__show(const redisReply *from, wshub_bus_reply *to,
                                    wshub_bus_reply **next) {
    memset(to, 0, sizeof *to);

    if (wshub_bus_hiredis__has_text(from)) {
        to->kind = from->type == REDIS_REPLY_ERROR ? WSHUB_BUS_REPLY_ERROR : WSHUB_BUS_REPLY_TEXT;
        to->text.ptr = from->str;
        to->text.len = (size_t)from->len;
    } else if (from->type == REDIS_REPLY_INTEGER) {
        to->kind = WSHUB_BUS_REPLY_INTEGER;
        to->integer = (int64_t)from->integer;
    } else if (from->type == REDIS_REPLY_ARRAY) {
        wshub_bus_reply *items = *next;
        size_t i;
        to->kind = WSHUB_BUS_REPLY_ARRAY;
        to->count = (size_t)from->elements;
        to->items = to->count ? items : NULL;
        *next += to->count;
        for (i = 0; i < to->count; i++) wshub_bus_hiredis__show(from->element[i], items + i, next);
    } else {
        to->kind = WSHUB_BUS_REPLY_NULL;
    }
}

/* The context is hiredis' from here on: it frees itself after its callbacks, and what is still read
 * is nobody's. */
static void wshub_bus_hiredis__let_go(wshub_bus_hiredis__link *l) {
    if (!l->ac) return;
    WSHUB_ASSERT(l->ac->data == l);
    l->ac->data = NULL;
    l->ac->c.reader->fn = l->plain;
    wshub_bus_hiredis__to(l, WSHUB_BUS_HIREDIS__CLOSED);
}

/* A connection has ended, or was never made. What the guard stopped at is why. */
static void wshub_bus_hiredis__ended(wshub_bus_hiredis__link *l, const char *why) {
    if (l->refused[0]) why = l->refused;
    wshub_bus_hiredis__failed(l->owner, why && *why ? why : "the connection was closed");
    wshub_bus_hiredis__let_go(l);
    wshub_bus_redis_closed(l->owner->redis, wshub_bus_hiredis__index(l));
}

/* Ends a connection that is there, and reports it. */
static void wshub_bus_hiredis__give_up(wshub_bus_hiredis__link *l, const char *why) {
    redisAsyncContext *ac = l->ac;
    WSHUB_ASSERT(ac);
    wshub_bus_hiredis__failed(l->owner, why);
    wshub_bus_hiredis__let_go(l);
    redisAsyncFree(ac);
    wshub_bus_redis_closed(l->owner->redis, wshub_bus_hiredis__index(l));
}

/* The answer to a request, whole. */
static void wshub_bus_hiredis__answered(wshub_bus_hiredis__link *l, const redisReply *from) {
    size_t parts = wshub_bus_hiredis__parts(from);
    wshub_bus_reply *nodes = (wshub_bus_reply *)malloc(parts * sizeof *nodes), *next;

    if (!nodes) {
        wshub_bus_hiredis__give_up(l, "out of memory");
        return;
    }

    next = nodes + 1;
    wshub_bus_hiredis__show(from, nodes, &next);
    WSHUB_ASSERT(next == nodes + parts);
    wshub_bus_redis_answered(l->owner->redis, wshub_bus_hiredis__index(l), nodes);
    free(nodes);
}

static void wshub_bus_hiredis__replied(redisAsyncContext *ac, void *reply, void *privdata) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)ac->data;
    const redisReply *from = (const redisReply *)reply;
    wshub_resp r;
    size_t i;

    (void)privdata;
    if (!l || !from) return; /* let go; or the connection is ending, which is told apart */
    if (wshub_bus_redis_wants_whole(l->owner->redis, wshub_bus_hiredis__index(l))) {
        wshub_bus_hiredis__answered(l, from);
        return;
    }

    memset(&r, 0, sizeof r);
    wshub_bus_hiredis__value(from, &r.value);
    for (i = 0; from->type == REDIS_REPLY_ARRAY && i < from->elements && i < WSHUB_RESP_ITEMS; i++)
        wshub_bus_hiredis__value(from->element[i], &r.items[r.items_count++]);

    /* The end of a subscription is told by pump(). */
    if (l->state == WSHUB_BUS_HIREDIS__SUBSCRIBED && r.items_count &&
        (wshub_str_eq_z(r.items[0].text, "unsubscribe") ||
         wshub_str_eq_z(r.items[0].text, "punsubscribe")))
        return;
    wshub_bus_redis_replied(l->owner->redis, wshub_bus_hiredis__index(l), &r);
}

static void wshub_bus_hiredis__connected(const redisAsyncContext *ac, int status) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)ac->data;

    if (!l) return;
    if (status != REDIS_OK) {
        wshub_bus_hiredis__ended(l, ac->errstr);
        return;
    }
    wshub_bus_hiredis__to(l, WSHUB_BUS_HIREDIS__ASKING);
    wshub_bus_redis_opened(l->owner->redis, wshub_bus_hiredis__index(l));
}

static void wshub_bus_hiredis__disconnected(const redisAsyncContext *ac, int status) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)ac->data;
    if (l) wshub_bus_hiredis__ended(l, status == REDIS_OK ? "" : ac->errstr);
}

/* ---- orders ------------------------------------------------------------------------------------
 * The entries of wshub_bus_redis_driver. */

/* A context for `host:port`, `[v6]:port` or the path of a socket. */
static redisAsyncContext *wshub_bus_hiredis__dial(const char *address) {
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : 0;
    char host[280];

    if (*address == '/') return redisAsyncConnectUnix(address);
    if (*address == '[' && n > 2) {
        address++;
        n -= 2;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)n, address);
    return redisAsyncConnect(host, colon ? atoi(colon + 1) : 0);
}

static bool wshub_bus_hiredis__open(void *ctx, wshub_bus_redis *redis, int link,
                                    const char *address) {
    wshub_bus_hiredis *b = (wshub_bus_hiredis *)ctx;
    wshub_bus_hiredis__link *l = &b->links[link];
    redisAsyncContext *ac = wshub_bus_hiredis__dial(address);

    (void)redis;
    if (!ac || ac->err) {
        wshub_bus_hiredis__failed(b, ac ? ac->errstr : "out of memory");
        if (ac) redisAsyncFree(ac);
        return false;
    }

    WSHUB_ASSERT(l->state == WSHUB_BUS_HIREDIS__CLOSED);
    l->ac = ac;
    ac->data = l;
    wshub_bus_hiredis__to(l, WSHUB_BUS_HIREDIS__DIALLING);
    wshub_bus_hiredis__guard(l);
    if (b->attach(ac, b->loop) == REDIS_OK &&
        redisAsyncSetConnectCallback(ac, wshub_bus_hiredis__connected) == REDIS_OK &&
        redisAsyncSetDisconnectCallback(ac, wshub_bus_hiredis__disconnected) == REDIS_OK)
        return true;

    wshub_bus_hiredis__let_go(l);
    redisAsyncFree(ac);
    wshub_bus_hiredis__failed(b, "the loop did not take the connection");
    return false;
}

static void wshub_bus_hiredis__close(void *ctx, int link, bool flush) {
    wshub_bus_hiredis__link *l = &((wshub_bus_hiredis *)ctx)->links[link];
    redisAsyncContext *ac = l->ac;

    if (!ac) return;
    if (flush) redisAsyncHandleWrite(ac); /* as much as the socket takes */
    if (l->ac != ac) return;              /* that was its end */

    wshub_bus_hiredis__let_go(l);
    redisAsyncFree(ac);
}

/* Writes words with the prefix before each into a block, which is given; words point into it.
 * False: out of memory. */
static bool wshub_bus_hiredis__prefixed(const char **argv, size_t *lens, size_t from, size_t to,
                                        wshub_str prefix, char **block) {
    size_t bytes = 0, i;
    char *at;

    *block = NULL;
    for (i = from; prefix.len && i < to; i++) bytes += prefix.len + lens[i];
    if (!bytes) return true;

    at = *block = (char *)malloc(bytes);
    if (!at) return false;
    for (i = from; i < to; i++) {
        memcpy(at, prefix.ptr, prefix.len);
        if (lens[i]) memcpy(at + prefix.len, argv[i], lens[i]);
        argv[i] = at;
        lens[i] += prefix.len;
        at += lens[i];
    }
    return true;
}

/* Notes how a command will be answered: those about subscriptions are acknowledged apart. */
static void wshub_bus_hiredis__note(wshub_bus_hiredis__link *l, wshub_str command) {
    bool subscribes = wshub_str_eq_z(command, "SUBSCRIBE") || wshub_str_eq_z(command, "PSUBSCRIBE");
    WSHUB_ASSERT(l->state >= WSHUB_BUS_HIREDIS__ASKING);
    if (subscribes && l->state != WSHUB_BUS_HIREDIS__SUBSCRIBED)
        wshub_bus_hiredis__to(l, WSHUB_BUS_HIREDIS__SUBSCRIBED);
    if (!subscribes && !wshub_str_eq_z(command, "UNSUBSCRIBE") &&
        !wshub_str_eq_z(command, "PUNSUBSCRIBE"))
        l->asked++;
}

static bool wshub_bus_hiredis__command(void *ctx, int link, const wshub_str *args, size_t count,
                                       size_t from, size_t to, wshub_str prefix) {
    wshub_bus_hiredis__link *l = &((wshub_bus_hiredis *)ctx)->links[link];
    const char *argv[WSHUB_BUS_REDIS_WORDS_MAX];
    size_t lens[WSHUB_BUS_REDIS_WORDS_MAX], i;
    char *block;
    int status;

    WSHUB_ASSERT(count > 0 && count <= WSHUB_BUS_REDIS_WORDS_MAX);
    WSHUB_ASSERT(from <= to && to <= count);
    if (!l->ac) return false;
    for (i = 0; i < count; i++) {
        argv[i] = args[i].len ? args[i].ptr : "";
        lens[i] = args[i].len;
    }
    if (!wshub_bus_hiredis__prefixed(argv, lens, from, to, prefix, &block)) return false;

    wshub_bus_hiredis__note(l, args[0]);
    status = redisAsyncCommandArgv(l->ac, wshub_bus_hiredis__replied, NULL, (int)count, argv, lens);
    free(block);
    return status == REDIS_OK;
}

/* hiredis gathers a text whole before it shows it: what its reader holds is looked at from outside.
 */
static void wshub_bus_hiredis__look(wshub_bus_hiredis *b, int link) {
    wshub_bus_hiredis__link *l = &b->links[link];
    const redisReader *reader = l->ac ? l->ac->c.reader : NULL;
    if (!reader) return;
    if (reader->len != l->unread) wshub_bus_redis_heard(b->redis, link);
    l->unread = reader->len;
    if (reader->len - reader->pos > b->reply_bytes_max + WSHUB_RESP_LINE_MAX)
        wshub_bus_hiredis__give_up(l, "a reply is over message_bytes_max");
}

/* Bytes that hiredis keeps because the socket does not take them. */
static size_t wshub_bus_hiredis__waiting(void *ctx, int link) {
    const redisAsyncContext *ac = ((wshub_bus_hiredis *)ctx)->links[link].ac;
    return ac && ac->c.obuf ? sdslen(ac->c.obuf) : 0;
}

/* Tells of the channels that have been left, and of bytes that have come. */
static void wshub_bus_hiredis__pump(void *ctx) {
    wshub_bus_hiredis *b = (wshub_bus_hiredis *)ctx;
    wshub_resp r;
    int i;

    memset(&r, 0, sizeof r);
    r.value.kind = '*';
    r.items_count = 3;
    r.items[0].text = wshub_str_z("unsubscribe");
    r.items[1].text = wshub_str_z("");
    r.items[2].number = -1; /* how many there are still is not known here */

    for (i = 0; i < WSHUB_BUS_HIREDIS__LINKS; i++) {
        while (b->links[i].left) {
            b->links[i].left--;
            wshub_bus_redis_replied(b->redis, i, &r);
        }
        wshub_bus_hiredis__look(b, i);
    }
}

static const char *wshub_bus_hiredis__error(void *ctx) {
    return ((wshub_bus_hiredis *)ctx)->error;
}

/* ---- making and ending ---------------------------------------------------------------------- */

static void wshub_bus_hiredis__fill_driver(wshub_bus_hiredis *b,
                                           const wshub_bus_hiredis_desc *desc) {
    b->driver.version = WSHUB_BUS_REDIS_DRIVER_VERSION;
    b->driver.ctx = b;
    b->driver.open = wshub_bus_hiredis__open;
    b->driver.close = wshub_bus_hiredis__close;
    b->driver.command = wshub_bus_hiredis__command;
    b->driver.pump = wshub_bus_hiredis__pump;
    b->driver.waiting = wshub_bus_hiredis__waiting;
    b->driver.error = wshub_bus_hiredis__error;
    b->driver.encrypts = desc->attach_encrypts;
}

/* What is wrong with a description that is to be secure, or says so without being it; NULL:
 * nothing. A scheme in capitals wshub_bus_redis_desc_problem() refuses without redis.tls. */
static const char *wshub_bus_hiredis__tls_problem(const wshub_bus_hiredis_desc *desc) {
    const char *url = desc->redis.url ? desc->redis.url : "";
    bool secure = strncmp(url, "rediss://", 9) == 0 || strncmp(url, "valkeys://", 10) == 0;

    if (!desc->attach_encrypts && (desc->redis.tls || secure))
        return "attach_encrypts: hiredis would send in the clear; set up TLS in attach and say so "
               "here, or write redis:// without redis.tls";
    if (desc->attach_encrypts && !desc->redis.tls)
        return "attach_encrypts: without redis.tls it says nothing; set both, and write rediss://";
    return NULL;
}

/* A description as this backend's bus is made from it. With its own driver the io need not dial. */
static wshub_bus_redis_desc wshub_bus_hiredis__desc(const wshub_bus_hiredis_desc *desc,
                                                    const wshub_bus_redis_driver *driver) {
    wshub_bus_redis_desc d = desc->redis;
    d.driver = driver;
    return d;
}

WSHUB_API const char *wshub_bus_hiredis_desc_problem_versioned(const wshub_bus_hiredis_desc *desc,
                                                               size_t desc_bytes,
                                                               uint32_t version) {
    wshub_bus_redis_driver driver;
    wshub_bus_redis_desc d;
    const char *problem;

    if (!desc) return "wshub_bus_hiredis_desc: required";
    if (desc_bytes != sizeof *desc || version != WSHUB_BUS_HIREDIS_DESC_VERSION)
        return "wshub_bus_hiredis_desc: the program was compiled with another wshub_bus_hiredis.h "
               "than the file that has its implementation; compile both anew with the same one";
    if (!desc->attach)
        return "attach: required; it puts a connection into your loop, as hiredis' adapters do";
    problem = wshub_bus_hiredis__tls_problem(desc);
    if (problem) return problem;

    memset(&driver, 0, sizeof driver);
    driver.version = WSHUB_BUS_REDIS_DRIVER_VERSION;
    driver.encrypts = desc->attach_encrypts;
    d = wshub_bus_hiredis__desc(desc, &driver);
    return wshub_bus_redis_desc_problem(&d);
}

WSHUB_API size_t wshub_bus_hiredis_desc_explain_versioned(const wshub_bus_hiredis_desc *desc,
                                                          size_t desc_bytes, uint32_t version,
                                                          wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_bus_hiredis_desc, attach, POINTER, NULL),
        WSHUB_FIELD(wshub_bus_hiredis_desc, attach_encrypts, BOOL, NULL)};
    const size_t count = sizeof fields / sizeof fields[0];
    const char *problem = wshub_bus_hiredis_desc_problem_versioned(desc, desc_bytes, version);
    bool known = desc && desc_bytes == sizeof *desc && version == WSHUB_BUS_HIREDIS_DESC_VERSION;
    wshub_bus_redis_driver driver;
    wshub_bus_redis_desc d;

    if (!known || !desc->attach || wshub_bus_hiredis__tls_problem(desc))
        return wshub_explain(problem, desc, fields, known ? count : 0, buf, cap);
    if (!problem && err == WSHUB_ERR_PARAM)
        return wshub_explain("out_bus: required, and NULL", NULL, NULL, 0, buf, cap);

    memset(&driver, 0, sizeof driver);
    driver.version = WSHUB_BUS_REDIS_DRIVER_VERSION;
    driver.encrypts = desc->attach_encrypts;
    d = wshub_bus_hiredis__desc(desc, &driver);
    return wshub_bus_redis_desc_explain(&d, err, buf, cap);
}

WSHUB_API wshub_err wshub_bus_hiredis_create_versioned(const wshub_bus_hiredis_desc *desc,
                                                       size_t desc_bytes, uint32_t version,
                                                       wshub_bus_hiredis **out_bus) {
    wshub_bus_redis_desc d;
    wshub_bus_hiredis *b;
    uint32_t message_bytes_max;
    wshub_err err;
    int i;

    if (!out_bus || wshub_bus_hiredis_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;

    b = (wshub_bus_hiredis *)calloc(1, sizeof *b);
    if (!b) return WSHUB_ERR_NOMEM;
    b->attach = desc->attach;
    b->loop = desc->loop;
    for (i = 0; i < WSHUB_BUS_HIREDIS__LINKS; i++) b->links[i].owner = b;
    wshub_bus_hiredis__fill_driver(b, desc);

    d = wshub_bus_hiredis__desc(desc, &b->driver);
    message_bytes_max = d.message_bytes_max;
    if (!message_bytes_max) message_bytes_max = WSHUB_BUS_REDIS_MESSAGE_BYTES;
    b->reply_bytes_max = (uint64_t)message_bytes_max + WSHUB_RESP_LINE_MAX;
    err = wshub_bus_redis_create(&d, &b->redis);
    if (err) {
        free(b);
        return err;
    }
    *out_bus = b;
    return WSHUB_OK;
}

WSHUB_API const wshub_bus *wshub_bus_hiredis_bus(wshub_bus_hiredis *bus) {
    return wshub_bus_redis_bus(bus->redis);
}

WSHUB_API const wshub_bus_redis *wshub_bus_hiredis_redis(const wshub_bus_hiredis *bus) {
    return bus->redis;
}

WSHUB_API void wshub_bus_hiredis_destroy(wshub_bus_hiredis *bus) {
    if (!bus) return;
    wshub_bus_redis_destroy(bus->redis);
    free(bus);
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
