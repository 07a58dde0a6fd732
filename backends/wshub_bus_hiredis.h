/* wshub_bus_hiredis.h - Redis as the bus, through hiredis, for programs that have it in their loop already
 *
 * [x] everything of wshub_bus_redis.h, whose logic this is: only the connections are hiredis' (async API)
 * [x] any loop that hiredis has an adapter for: desc.attach is where you call it
 * [x] hiredis from 0.14 on; its asserts on what a broker says are guarded: such a broker is cut off instead
 * [x] output_bytes_max and message_bytes_max hold; a message over the latter ends the connection, since hiredis cannot skip
 *     it, and is looked at once a turn of the hub's io
 * [ ] RESP3 (a short push makes hiredis read past an array); TLS is yours to set up in desc.attach
 * [ ] host names are resolved by hiredis, in place
 *
 * Needs hiredis and wshub_bus_redis.h before it; link with -lhiredis. One thread, that of the hub: its io must
 * have guests (for the clock), and desc.attach must use the loop of the same thread.
 *
 *     static int attach(redisAsyncContext *ac, void *loop) { return redisLibuvAttach(ac, (uv_loop_t *)loop); }
 *     wshub_bus_hiredis_create(&(wshub_bus_hiredis_desc){ .redis = { .io = io, .url = "redis://127.0.0.1" },
 *                                                         .attach = attach, .loop = loop }, &bus);
 *     wshub_desc.bus = wshub_bus_hiredis_bus(bus); */
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

typedef struct wshub_bus_hiredis wshub_bus_hiredis;

typedef struct wshub_bus_hiredis_desc {
    wshub_bus_redis_desc redis; /* as there; driver is filled in, resp3 has no effect */
    int (*attach)(redisAsyncContext *ac, void *loop); /* required: REDIS_OK, or the connection is
                                                         given up */
    void *loop;
} wshub_bus_hiredis_desc;

/* Makes it. Returns OK; PARAM: no attach, or wshub_bus_redis_desc_problem(&desc->redis) says what;
 * NOMEM. */
WSHUB_API wshub_err wshub_bus_hiredis_create(const wshub_bus_hiredis_desc *desc,
                                             wshub_bus_hiredis **out_bus);
WSHUB_API const wshub_bus *wshub_bus_hiredis_bus(wshub_bus_hiredis *bus); /* for one wshub_desc.bus
                                                                           */
/* Its state, statistics and last error are asked for here; valid as long as bus. */
WSHUB_API const wshub_bus_redis *wshub_bus_hiredis_redis(const wshub_bus_hiredis *bus);
/* Ends it: after its hub or emitter has ended, outside its callbacks. NULL: nothing. */
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
#ifdef __cplusplus
extern "C" {
#endif

#if HIREDIS_MAJOR >= 1
typedef size_t wshub_bus_hiredis__count;
#else
typedef int wshub_bus_hiredis__count;
#endif

typedef struct wshub_bus_hiredis__link {
    wshub_bus_hiredis *owner;
    redisAsyncContext *ac;            /* NULL: none */
    redisReplyObjectFunctions *plain; /* hiredis' own */
    redisReplyObjectFunctions guarded;
    uint64_t asked; /* commands that are answered each by one reply, and have not been */
    uint64_t left;  /* channels whose unsubscription has been read: hiredis forgets to tell of
                                     those that were not subscribed, so they are counted here */
    uint64_t gathered, elements; /* of the reply that is being read: bytes of its texts, parts */
    size_t unread;               /* what its reader held when it was looked at last */
    bool subscribed, unsubscribing;
    char refused[160]; /* what the guard stopped at, where that is a text */
} wshub_bus_hiredis__link;

struct wshub_bus_hiredis {
    wshub_bus_redis *redis;
    wshub_bus_redis_driver driver;
    int (*attach)(redisAsyncContext *ac, void *loop);
    void *loop;
    uint64_t reply_bytes_max; /* of one reply, all its texts together */
    wshub_bus_hiredis__link links[3];
    char error[160];
};

static int wshub_bus_hiredis__index(const wshub_bus_hiredis__link *l) {
    return (int)(l - l->owner->links);
}

/* ---- the guard: what hiredis would assert on is refused while it is being read ---- */

/* Whether an element may be there. A reply that nobody asked for, or that is shaped as no message
 * of a subscriber is, ends the connection: hiredis takes a NULL here for want of memory. */
static bool wshub_bus_hiredis__allowed(const redisReadTask *task, int type, wshub_str text,
                                       int64_t elements) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)task->privdata;
    bool array = type == REDIS_REPLY_ARRAY;
    if (!l) return true; /* let go already */
    if (!task->parent) l->gathered = l->elements = 0;
    l->gathered += text.len;
    l->elements++;
    if (l->gathered > l->owner->reply_bytes_max || l->elements > WSHUB_RESP_ELEMENTS_MAX) {
        (void)snprintf(l->refused, sizeof l->refused, "a reply is over the limits");
        return false;
    }
    if (!task->parent) { /* a reply begins */
        if (l->subscribed && array && elements >= 3) return elements < 5;
        if (l->subscribed && array && elements < 2) return false;
        if (!l->asked) { /* a refused subscription, which hiredis would lose, or nothing that was
                            asked for */
            (void)snprintf(l->refused, sizeof l->refused, "%.*s",
                           type == REDIS_REPLY_ERROR ? (int)(text.len < 150 ? text.len : 150) : 0,
                           text.ptr);
            return false;
        }
        l->asked--;
        return true;
    }
    if (task->parent->parent || !l->subscribed || task->parent->elements < 2) return true;
    if (task->idx < 2 && type != REDIS_REPLY_STRING) return false; /* kind and channel */
    if (task->idx == 0)
        l->unsubscribing =
            wshub_str_eq_z(text, "unsubscribe") || wshub_str_eq_z(text, "punsubscribe");
    if (task->idx == 2 && l->unsubscribing && type != REDIS_REPLY_INTEGER) return false;
    if (task->idx == 2 && l->unsubscribing) l->left++;
    return true;
}

static void *wshub_bus_hiredis__string(const redisReadTask *task, char *str, size_t len) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)task->privdata;
    wshub_str text;
    text.ptr = str;
    text.len = len;
    return wshub_bus_hiredis__allowed(task, task->type, text, 0)
               ? l->plain->createString(task, str, len)
               : NULL;
}
static void *wshub_bus_hiredis__array(const redisReadTask *task,
                                      wshub_bus_hiredis__count elements) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)task->privdata;
    wshub_str none;
    none.ptr = "";
    none.len = 0;
    if ((int64_t)elements > WSHUB_RESP_ELEMENTS_MAX)
        return NULL; /* a count from the wire sizes an allocation */
    return wshub_bus_hiredis__allowed(task, REDIS_REPLY_ARRAY, none, (int64_t)elements)
               ? l->plain->createArray(task, elements)
               : NULL;
}
static void *wshub_bus_hiredis__integer(const redisReadTask *task, long long value) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)task->privdata;
    wshub_str none;
    none.ptr = "";
    none.len = 0;
    return wshub_bus_hiredis__allowed(task, REDIS_REPLY_INTEGER, none, 0)
               ? l->plain->createInteger(task, value)
               : NULL;
}
static void *wshub_bus_hiredis__nil(const redisReadTask *task) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)task->privdata;
    wshub_str none;
    none.ptr = "";
    none.len = 0;
    return wshub_bus_hiredis__allowed(task, REDIS_REPLY_NIL, none, 0) ? l->plain->createNil(task)
                                                                      : NULL;
}

#if HIREDIS_MAJOR >= 1 /* of RESP3, which nobody asked for: no answer of ours has such a part */
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

/* ---- reports ---- */

static void wshub_bus_hiredis__value(const redisReply *from, wshub_resp_value *to) {
    memset(to, 0, sizeof *to);
    to->kind = from->type == REDIS_REPLY_INTEGER  ? ':'
               : from->type == REDIS_REPLY_ARRAY  ? '*'
               : from->type == REDIS_REPLY_ERROR  ? '-'
               : from->type == REDIS_REPLY_STATUS ? '+'
               : from->type == REDIS_REPLY_STRING ? '$'
                                                  : '_';
    to->number = from->type == REDIS_REPLY_ARRAY ? (int64_t)from->elements : (int64_t)from->integer;
    if (from->type != REDIS_REPLY_ERROR && from->type != REDIS_REPLY_STATUS &&
        from->type != REDIS_REPLY_STRING)
        return;
    to->text.ptr = from->str;
    to->text.len = (size_t)from->len;
}

static void wshub_bus_hiredis__replied(redisAsyncContext *ac, void *reply, void *privdata) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)ac->data;
    const redisReply *from = (const redisReply *)reply;
    wshub_resp r;
    size_t i;
    (void)privdata;
    if (!l || !from) return; /* let go; or the connection is ending, which is told apart */
    memset(&r, 0, sizeof r);
    wshub_bus_hiredis__value(from, &r.value);
    for (i = 0; from->type == REDIS_REPLY_ARRAY && i < from->elements && i < WSHUB_RESP_ITEMS; i++)
        wshub_bus_hiredis__value(from->element[i], &r.items[r.items_count++]);
    if (r.items_count && (wshub_str_eq_z(r.items[0].text, "unsubscribe") ||
                          wshub_str_eq_z(r.items[0].text, "punsubscribe")))
        return; /* see pump */
    wshub_bus_redis_replied(l->owner->redis, wshub_bus_hiredis__index(l), &r);
}

/* The context is hiredis' from here on: it frees itself after its callbacks. */
static void wshub_bus_hiredis__let_go(wshub_bus_hiredis__link *l) {
    if (!l->ac) return;
    l->ac->data = NULL;
    l->ac->c.reader->fn = l->plain; /* what is still read is nobody's */
    l->ac = NULL;
    l->asked = l->left = 0;
    l->subscribed = false;
}

static void wshub_bus_hiredis__ended(wshub_bus_hiredis__link *l, const char *why) {
    if (l->refused[0]) why = l->refused;
    (void)snprintf(l->owner->error, sizeof l->owner->error, "%s",
                   why && *why ? why : "the connection was closed");
    wshub_bus_hiredis__let_go(l);
    wshub_bus_redis_closed(l->owner->redis, wshub_bus_hiredis__index(l));
}
static void wshub_bus_hiredis__connected(const redisAsyncContext *ac, int status) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)ac->data;
    if (!l) return;
    if (status == REDIS_OK)
        wshub_bus_redis_opened(l->owner->redis, wshub_bus_hiredis__index(l));
    else
        wshub_bus_hiredis__ended(l, ac->errstr);
}
static void wshub_bus_hiredis__disconnected(const redisAsyncContext *ac, int status) {
    wshub_bus_hiredis__link *l = (wshub_bus_hiredis__link *)ac->data;
    if (l) wshub_bus_hiredis__ended(l, status == REDIS_OK ? "" : ac->errstr);
}

/* ---- orders ---- */

static bool wshub_bus_hiredis__open(void *ctx, wshub_bus_redis *redis, int link,
                                    const char *address) {
    wshub_bus_hiredis *b = (wshub_bus_hiredis *)ctx;
    wshub_bus_hiredis__link *l = &b->links[link];
    const char *colon = strrchr(address, ':');
    char host[280];
    size_t n = colon ? (size_t)(colon - address) : 0;
    redisAsyncContext *ac;
    (void)redis;
    if (*address == '/') {
        ac = redisAsyncConnectUnix(address);
    } else {
        if (*address == '[' && n > 2) {
            address++;
            n -= 2;
        }
        (void)snprintf(host, sizeof host, "%.*s", (int)n, address);
        ac = redisAsyncConnect(host, atoi(colon + 1));
    }
    if (!ac || ac->err) {
        (void)snprintf(b->error, sizeof b->error, "%s", ac ? ac->errstr : "out of memory");
        if (ac) redisAsyncFree(ac);
        return false;
    }
    l->ac = ac;
    ac->data = l;
    l->asked = l->left = l->gathered = l->elements = 0;
    l->unread = 0;
    l->subscribed = l->unsubscribing = false;
    l->refused[0] = 0;
    l->plain = ac->c.reader->fn;
    l->guarded = *l->plain;
    l->guarded.createString = wshub_bus_hiredis__string;
    l->guarded.createArray = wshub_bus_hiredis__array;
    l->guarded.createInteger = wshub_bus_hiredis__integer;
    l->guarded.createNil = wshub_bus_hiredis__nil;
#if HIREDIS_MAJOR >= 1
    l->guarded.createDouble = wshub_bus_hiredis__double;
    l->guarded.createBool = wshub_bus_hiredis__bool;
#endif
    ac->c.reader->fn = &l->guarded;
    ac->c.reader->privdata = l;
    if (b->attach(ac, b->loop) != REDIS_OK ||
        redisAsyncSetConnectCallback(ac, wshub_bus_hiredis__connected) != REDIS_OK ||
        redisAsyncSetDisconnectCallback(ac, wshub_bus_hiredis__disconnected) != REDIS_OK) {
        wshub_bus_hiredis__let_go(l);
        redisAsyncFree(ac);
        (void)snprintf(b->error, sizeof b->error, "the loop did not take the connection");
        return false;
    }
    return true;
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

static bool wshub_bus_hiredis__command(void *ctx, int link, const wshub_str *args, size_t count,
                                       size_t from, size_t to, wshub_str prefix) {
    wshub_bus_hiredis__link *l = &((wshub_bus_hiredis *)ctx)->links[link];
    const char *argv[WSHUB_BUS_BATCH + 8];
    size_t lens[WSHUB_BUS_BATCH + 8], i, bytes = 0;
    char *block = NULL, *at;
    int status;
    if (!l->ac || count > WSHUB_BUS_BATCH + 8) return false;
    for (i = from; prefix.len && i < to; i++) bytes += prefix.len + args[i].len;
    if (bytes && !(block = (char *)malloc(bytes))) return false;
    for (i = 0, at = block; i < count; i++) {
        argv[i] = args[i].ptr;
        lens[i] = args[i].len;
        if (!block || i < from || i >= to) continue;
        memcpy(at, prefix.ptr, prefix.len);
        memcpy(at + prefix.len, args[i].ptr, args[i].len);
        argv[i] = at;
        lens[i] += prefix.len;
        at += lens[i];
    }
    if (wshub_str_eq_z(args[0], "SUBSCRIBE") || wshub_str_eq_z(args[0], "PSUBSCRIBE"))
        l->subscribed = true;
    else if (!wshub_str_eq_z(args[0], "UNSUBSCRIBE") && !wshub_str_eq_z(args[0], "PUNSUBSCRIBE"))
        l->asked++;
    status = redisAsyncCommandArgv(l->ac, wshub_bus_hiredis__replied, NULL, (int)count, argv, lens);
    free(block);
    return status == REDIS_OK;
}

/* hiredis gathers a text whole before it shows it: what its reader holds is looked at from outside.
 */
static void wshub_bus_hiredis__look(wshub_bus_hiredis *b, int link) {
    wshub_bus_hiredis__link *l = &b->links[link];
    redisAsyncContext *ac = l->ac;
    if (!ac || !ac->c.reader) return;
    if (ac->c.reader->len != l->unread) wshub_bus_redis_heard(b->redis, link);
    l->unread = ac->c.reader->len;
    if (ac->c.reader->len - ac->c.reader->pos <= b->reply_bytes_max + WSHUB_RESP_LINE_MAX) return;
    (void)snprintf(b->error, sizeof b->error, "a reply is over message_bytes_max");
    wshub_bus_hiredis__let_go(l);
    redisAsyncFree(ac);
    wshub_bus_redis_closed(b->redis, link);
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
    r.items[2].number = -1; /* how many are left is not known here */
    for (i = 0; i < 3; i++) {
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

/* ---- making and ending ---- */

WSHUB_API wshub_err wshub_bus_hiredis_create(const wshub_bus_hiredis_desc *desc,
                                             wshub_bus_hiredis **out_bus) {
    wshub_bus_redis_desc d;
    wshub_bus_hiredis *b;
    wshub_err err;
    int i;
    if (!desc || !desc->attach || !out_bus) return WSHUB_ERR_PARAM;
    b = (wshub_bus_hiredis *)calloc(1, sizeof *b);
    if (!b) return WSHUB_ERR_NOMEM;
    b->attach = desc->attach;
    b->loop = desc->loop;
    b->driver.ctx = b;
    b->driver.open = wshub_bus_hiredis__open;
    b->driver.close = wshub_bus_hiredis__close;
    b->driver.command = wshub_bus_hiredis__command;
    b->driver.pump = wshub_bus_hiredis__pump;
    b->driver.waiting = wshub_bus_hiredis__waiting;
    b->driver.error = wshub_bus_hiredis__error;
    for (i = 0; i < 3; i++) b->links[i].owner = b;
    d = desc->redis;
    d.driver = &b->driver;
    b->reply_bytes_max =
        (uint64_t)(d.message_bytes_max ? d.message_bytes_max : WSHUB_BUS_REDIS_MESSAGE_BYTES) +
        WSHUB_RESP_LINE_MAX;
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
