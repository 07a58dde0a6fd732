/* wshub_bus_local.h - the bus of one process: joins its hubs, of one thread or of many
 *
 * [x] hubs, emitters and owners of your own, each on a thread of its own; no lock where a message
 *     passes
 * [x] a message is copied once, however many hear it, and what its hub has encoded goes along with
 *     it, so that the others neither parse nor encode (wshub_bus.hand_over)
 * [x] any bytes, in channels and payloads; in order for each publisher; what is taken is delivered
 * [x] a limit on what waits for a seat that does not fetch it; beyond, messages are dropped and
 *     counted
 * [x] cut and mended by hand, to see a program with its broker away
 * [ ] other processes: that is wshub_bus_redis.h
 * [x] `PUBSUB NUMSUB channel ...` by wshub_bus_request(): how many seats have subscribed to each,
 *     as Redis says it; `SET key value NX PX ms`, by which of several owners one does what all
 *     could; and `PING`. There is no broker that could be asked anything else
 *
 * Needs ISO C99, the atomics of gcc or clang, and wshub.h before it. With another compiler, or with
 * WSHUB_NO_THREADS, wshub_bus_local_create() refuses (NOWAKE).
 *
 * Threads: the functions below may be called from any. A seat belongs to its owner: its table is
 * called on the owner's thread alone. A hub's io must be one that can be woken.
 *
 * A key that was set stays for its time by the calendar clock of the C library, in whole seconds
 * upwards; with many more than WSHUB_BUS_LOCAL_KEYS_MAX the oldest go before that. It costs a look
 * at a few keys, under a lock.
 *
 * Cost: a turn's publications are one block of memory for all seats (one for every 64 KiB), and
 * one compare-and-swap a seat. A seat that has subscribed to a pattern is handed all that is
 * published and sorts out on its own thread what it wants: a comparison for each pattern, and a
 * hash where none fits. One that has subscribed to channels alone, as a hub with bus_exact, is left
 * alone, and its thread asleep, by what is none of these, but for a chance of one in 512 for each
 * of them. One that has subscribed to nothing, as an emitter's, is handed nothing.
 *
 *     wshub_bus_local *local;
 *     wshub_bus seat;
 *     wshub_bus_local_create(NULL, &local);          once
 *     wshub_bus_local_seat(local, &seat);            for each hub: a bus that ends with it
 *     wshub_create(&(wshub_desc){ .io = io, .bus = &seat, ... }, &hub);
 *     ...
 *     wshub_destroy(hub); wshub_bus_local_destroy(local); */
#ifndef WSHUB_BUS_LOCAL_H
#define WSHUB_BUS_LOCAL_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* One bus. Made by wshub_bus_local_create(), ended by wshub_bus_local_destroy(). */
typedef struct wshub_bus_local wshub_bus_local;

/* How many keys requests may set at a time; of a bucket that is full the oldest goes. */
#define WSHUB_BUS_LOCAL_KEYS_MAX 2048

#define WSHUB_BUS_LOCAL_DESC_VERSION 1 /* it rises when the struct below changes */

/* What a bus is made from. Zero is the default of every field. Everything is copied. */
typedef struct wshub_bus_local_desc {
    wshub_alloc_fn alloc;     /* NULL: realloc and free; called by the threads of all its owners */
    void *alloc_user;         /* the first argument of alloc */
    uint32_t queue_bytes_max; /* 67108864; all that is held for one seat until it fetches it;
                                 beyond: dropped and counted. For a seat for which nothing is held,
                                 no message is too long */
    uint8_t key[16]; /* secret bytes for the tables of channels, where an owner of yours subscribes
                        to names that strangers choose and brings no wshub_bus_owner.key; all 0:
                        made of addresses */
} wshub_bus_local_desc;

/* Makes the bus, without a seat.
 *   desc       borrowed; NULL: all defaults
 *   out_local  given to you, end it with wshub_bus_local_destroy()
 * Returns  OK; PARAM: no out_local, or a description of another header; NOMEM; NOWAKE: this
 *          compiler has no atomics that are known here, or WSHUB_NO_THREADS.
 * Thread   any. */
WSHUB_INLINE wshub_err wshub_bus_local_create(const wshub_bus_local_desc *desc,
                                              wshub_bus_local **out_local);
/* What it calls, as wshub_create_versioned() of wshub.h.
 *   desc_bytes  sizeof(wshub_bus_local_desc)
 *   version     WSHUB_BUS_LOCAL_DESC_VERSION
 * Returns  as wshub_bus_local_create(). */
WSHUB_API wshub_err wshub_bus_local_create_versioned(const wshub_bus_local_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_bus_local **out_local);
WSHUB_INLINE wshub_err wshub_bus_local_create(const wshub_bus_local_desc *desc,
                                              wshub_bus_local **out_local) {
    return wshub_bus_local_create_versioned(desc, sizeof *desc, WSHUB_BUS_LOCAL_DESC_VERSION,
                                            out_local);
}

/* Says why wshub_bus_local_create() or wshub_bus_local_seat() has returned an error, and what to
 * do: they refuse no value of a field. A constant text, valid for ever. Thread: any; pure. */
WSHUB_API const char *wshub_bus_local_explain(wshub_err err);

/* Ends it; seats that are in use go on, and the memory goes with the last of them. NULL:
 * nothing. Thread: any. */
WSHUB_API void wshub_bus_local_destroy(wshub_bus_local *local);

/* Makes a seat: a bus for one wshub_desc.bus or wshub_emitter_desc.bus, whose end also ends the
 * seat. One that is given to nobody is ended by seat.attach(seat.ctx, NULL).
 *   out_seat  the table; given to you until you give it to an owner
 * Returns  OK; PARAM: no local or no out_seat; NOMEM.
 * Thread   any. */
WSHUB_API wshub_err wshub_bus_local_seat(wshub_bus_local *local, wshub_bus *out_seat);

/* Cuts the bus (`down`), or mends it: meanwhile publications are refused, and the owners of all
 * seats are told, DOWN and then UP. Thread: any. */
WSHUB_API void wshub_bus_local_set_down(wshub_bus_local *local, bool down);

/* Returns how many messages were dropped over queue_bytes_max, once for each seat that missed one.
 * Thread: any. */
WSHUB_API uint64_t wshub_bus_local_dropped(wshub_bus_local *local);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_BUS_LOCAL_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_BUS_LOCAL_IMPLEMENTATION)) &&                  \
    !defined(WSHUB__BUS_LOCAL_DONE)
#define WSHUB__BUS_LOCAL_DONE
#include <stdlib.h>
#include <time.h>
#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- threads ----
 * Counters are machine words, since 32-bit systems have no larger atomics. Without atomics
 * there are no threads, and wshub_bus_local_create() makes no bus. */

#if (defined(__GNUC__) || defined(__clang__)) && !defined(WSHUB_NO_THREADS)
#define WSHUB_BUS_LOCAL__THREADS 1
#else
#define WSHUB_BUS_LOCAL__THREADS 0
#endif

typedef struct wshub_bus_local__parcel wshub_bus_local__parcel;

/* One place of a parcel in a seat's stack. */
typedef struct wshub_bus_local__node {
    struct wshub_bus_local__node *next;
    wshub_bus_local__parcel *parcel;
} wshub_bus_local__node;

#if WSHUB_BUS_LOCAL__THREADS
static size_t wshub_bus_local__load(const size_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static void wshub_bus_local__store(size_t *word, size_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static void wshub_bus_local__add(size_t *word, size_t more) {
    (void)__atomic_add_fetch(word, more, __ATOMIC_ACQ_REL);
}
/* Returns what is left. */
static size_t wshub_bus_local__sub(size_t *word, size_t less) {
    return __atomic_sub_fetch(word, less, __ATOMIC_ACQ_REL);
}

/* Locks are held for a few instructions only, and never around an allocation. */
static void wshub_bus_local__lock(bool *lock) {
    while (__atomic_test_and_set(lock, __ATOMIC_ACQUIRE)) { /* never: for certain; by chance */
    }
}
static void wshub_bus_local__unlock(bool *lock) {
    __atomic_clear(lock, __ATOMIC_RELEASE);
}

/* Returns whether the stack was empty, which is when its owner must be woken. The node may have
 * been taken, and freed, when this returns. */
static bool wshub_bus_local__push(wshub_bus_local__node **top, wshub_bus_local__node *node) {
    wshub_bus_local__node *old = __atomic_load_n(top, __ATOMIC_ACQUIRE);
    bool pushed;

    do {
        node->next = old;
        pushed =
            __atomic_compare_exchange_n(top, &old, node, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    } while (!pushed); /* never: twice for certain; threads collide by chance */
    return old == NULL;
}

static wshub_bus_local__node *wshub_bus_local__take_newest_first(wshub_bus_local__node **top) {
    if (!__atomic_load_n(top, __ATOMIC_ACQUIRE)) return NULL;
    return __atomic_exchange_n(top, (wshub_bus_local__node *)NULL, __ATOMIC_ACQ_REL);
}
#else
static size_t wshub_bus_local__load(const size_t *word) {
    return *word;
}
static void wshub_bus_local__store(size_t *word, size_t value) {
    *word = value;
}
static void wshub_bus_local__add(size_t *word, size_t more) {
    *word += more;
}
static size_t wshub_bus_local__sub(size_t *word, size_t less) {
    return *word -= less;
}
static void wshub_bus_local__lock(bool *lock) {
    (void)lock;
}
static void wshub_bus_local__unlock(bool *lock) {
    (void)lock;
}
static bool wshub_bus_local__push(wshub_bus_local__node **top, wshub_bus_local__node *node) {
    node->next = *top;
    *top = node;
    return node->next == NULL;
}
static wshub_bus_local__node *wshub_bus_local__take_newest_first(wshub_bus_local__node **top) {
    wshub_bus_local__node *all = *top;
    *top = NULL;
    return all;
}
#endif

/* Takes all there is, oldest first. Nobody takes a part, so that a node which comes back to the
 * stack while somebody looks at it (the ABA problem) can do no harm. */
static wshub_bus_local__node *wshub_bus_local__take(wshub_bus_local__node **top) {
    wshub_bus_local__node *newest = wshub_bus_local__take_newest_first(top), *oldest = NULL;

    while (newest) {
        wshub_bus_local__node *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* ---- the objects ---- */

#define WSHUB_BUS_LOCAL__QUESTIONS 1024u /* of one seat, that have no answer yet */

/* A channel, or a pattern without its `*`; the text follows. */
typedef struct wshub_bus_local__name {
    struct wshub_bus_local__name *next; /* in its bucket, or among the patterns */
    uint64_t hash;
    size_t len;
} wshub_bus_local__name;

#define WSHUB_BUS_LOCAL__SLOTS 512u

/* What a seat is subscribed to: channels in a table of buckets, patterns in a list. */
typedef struct wshub_bus_local__names {
    wshub_bus_local__name **buckets; /* as many as buckets_count, a power of two, or none */
    wshub_bus_local__name *patterns;
    size_t buckets_count, channels_count;
    uint64_t key[2]; /* secret: strangers choose the names of channels */
    /* How many of the channels have each slot, which is the same for all seats: read by publishers
     * without a lock. */
    size_t slots[WSHUB_BUS_LOCAL__SLOTS];
} wshub_bus_local__names;

/* What others need to know of a seat before they send it anything. */
enum {
    WSHUB_BUS_LOCAL__HEARS_ALL,   /* there is a pattern, or it has not been asked yet */
    WSHUB_BUS_LOCAL__HEARS_SLOTS, /* channels alone: what has the slot of one of them */
    WSHUB_BUS_LOCAL__HEARS_NONE
};

/* What a seat's owner knows of the bus. wshub_bus_local__follows says which state may follow
 * which, and wshub_bus_local__seat_to() alone writes it. */
enum { WSHUB_BUS_LOCAL__KEYS_EACH = 8 }; /* of a bucket */
#define WSHUB_BUS_LOCAL__KEY_BUCKETS (WSHUB_BUS_LOCAL_KEYS_MAX / WSHUB_BUS_LOCAL__KEYS_EACH)

/* A key that was set; its text lies behind it. */
typedef struct wshub_bus_local__key {
    struct wshub_bus_local__key *next; /* the younger come first */
    int64_t until;                     /* in seconds of the calendar clock */
    size_t len;
} wshub_bus_local__key;

typedef enum wshub_bus_local__state {
    WSHUB_BUS_LOCAL__FREE,      /* nobody's yet */
    WSHUB_BUS_LOCAL__TAKEN,     /* it has an owner, who has been told nothing */
    WSHUB_BUS_LOCAL__CONNECTED, /* told so, in the very report in which the owner subscribes */
    WSHUB_BUS_LOCAL__UP,
    WSHUB_BUS_LOCAL__DOWN,
    WSHUB_BUS_LOCAL__LEFT /* the owner is gone; others may hold the seat for a while */
} wshub_bus_local__state;

/* What an owner has asked (wshub_bus.request); answered by the next pump(). The answer's items and
 * texts follow. */
typedef struct wshub_bus_local__question {
    struct wshub_bus_local__question *next;
    void (*on_reply)(void *arg, const wshub_bus_reply *reply);
    void *arg;
    size_t bytes;        /* of this block */
    wshub_bus_reply all; /* of the answer, whose items are behind this */
} wshub_bus_local__question;

typedef struct wshub_bus_local__seat {
    struct wshub_bus_local__seat *prev, *next; /* of those with an owner; under the bus's lock */
    wshub_bus_local *local;
    wshub_bus_owner owner;
    wshub_bus_local__names names;
    /* written by its owner's thread under the lock, so that whoever holds it sees an owner who
     * can be woken */
    uint8_t state; /* wshub_bus_local__state */
    bool lock;     /* of the table of names, too, in which others look up what they count */
    struct wshub_bus_local__question *asked, **asked_end; /* not answered yet, the oldest first */
    size_t asked_count;
    struct wshub_bus_local__seat **others; /* the other seats, as the list was at `edition` */
    size_t others_count, others_cap, edition;
    /* written by other threads too */
    size_t refs; /* its owner's, and one for each list of others that it stands in */
    wshub_bus_local__node *inbox;
    size_t inbox_bytes;
    size_t hears; /* WSHUB_BUS_LOCAL__HEARS_*: only its owner's thread writes it */
} wshub_bus_local__seat;

struct wshub_bus_local {
    wshub_alloc_fn alloc;
    void *alloc_user;
    uint32_t queue_bytes_max;
    uint64_t key[2]; /* of the tables of seats whose owner brings none */
    bool lock;       /* of the list of seats */
    wshub_bus_local__seat *seats;
    size_t seats_count;
    size_t edition; /* of that list: it rises with every change */
    size_t refs;    /* the application's, and one for each seat */
    size_t down, dropped;
    bool keys_lock;
    wshub_bus_local__key *keys[WSHUB_BUS_LOCAL__KEY_BUCKETS];
};

static void *wshub_bus_local__alloc_default(void *user, void *ptr, size_t old_bytes,
                                            size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

static void *wshub_bus_local__new(wshub_bus_local *local, size_t bytes) {
    return local->alloc(local->alloc_user, NULL, 0, bytes);
}

static void wshub_bus_local__free(wshub_bus_local *local, void *ptr, size_t bytes) {
    if (ptr) (void)local->alloc(local->alloc_user, ptr, bytes, 0);
}

static void wshub_bus_local__key_end(wshub_bus_local *local, wshub_bus_local__key *key) {
    if (key) wshub_bus_local__free(local, key, sizeof *key + key->len);
}
static void wshub_bus_local__keys_end(wshub_bus_local *local) {
    size_t i;
    for (i = 0; i < WSHUB_BUS_LOCAL__KEY_BUCKETS; i++) {
        while (local->keys[i]) {
            wshub_bus_local__key *key = local->keys[i];
            local->keys[i] = key->next;
            wshub_bus_local__key_end(local, key);
        }
    }
}

static void wshub_bus_local__unref(wshub_bus_local *local) {
    WSHUB_ASSERT(wshub_bus_local__load(&local->refs) > 0);
    if (wshub_bus_local__sub(&local->refs, 1) > 0) return;
    WSHUB_ASSERT(!local->seats);
    wshub_bus_local__keys_end(local);
    (void)local->alloc(local->alloc_user, local, sizeof *local, 0);
}

/* ---- names: what a seat is subscribed to ---- */

#define WSHUB_BUS_LOCAL__BUCKETS_MIN 16u
#define WSHUB_BUS_LOCAL__NAME_BYTES_MAX 0x0FFFFFFFu /* no channel is longer: it is refused */

static const char *wshub_bus_local__name_text(const wshub_bus_local__name *name) {
    return (const char *)(name + 1);
}

static bool wshub_bus_local__name_is(const wshub_bus_local__name *name, wshub_str text) {
    return name->len == text.len &&
           (text.len == 0 || memcmp(wshub_bus_local__name_text(name), text.ptr, text.len) == 0);
}

/* Where a channel hangs, or would hang at the end of its bucket. There are buckets. */
static wshub_bus_local__name **wshub_bus_local__channel_at(const wshub_bus_local__names *names,
                                                           wshub_str channel, uint64_t hash) {
    wshub_bus_local__name **at;

    WSHUB_ASSERT(names->buckets_count);
    at = &names->buckets[hash & (names->buckets_count - 1)];
    for (; *at; at = &(*at)->next) {
        bool same = (*at)->hash == hash;
        if (same && wshub_bus_local__name_is(*at, channel)) break; /* never: of two, one hash */
    }
    return at;
}

/* The slot of a channel, under a key that all seats share. */
static size_t wshub_bus_local__slot(const wshub_bus_local *local, wshub_str channel) {
    return (size_t)wshub_siphash(local->key, channel.ptr, channel.len) % WSHUB_BUS_LOCAL__SLOTS;
}

static bool wshub_bus_local__has_channel(const wshub_bus_local__names *names, wshub_str channel) {
    if (!names->channels_count) return false;
    return *wshub_bus_local__channel_at(
               names, channel, wshub_siphash(names->key, channel.ptr, channel.len)) != NULL;
}

/* Where a pattern, given without its `*`, stands, or would at the end. */
static wshub_bus_local__name **wshub_bus_local__pattern_at(wshub_bus_local__names *names,
                                                           wshub_str prefix) {
    wshub_bus_local__name **at = &names->patterns;
    while (*at && !wshub_bus_local__name_is(*at, prefix)) at = &(*at)->next;
    return at;
}

static bool wshub_bus_local__has_pattern_for(const wshub_bus_local__names *names,
                                             wshub_str channel) {
    const wshub_bus_local__name *p;
    for (p = names->patterns; p; p = p->next) {
        if (channel.len >= p->len &&
            memcmp(channel.ptr, wshub_bus_local__name_text(p), p->len) == 0)
            return true;
    }
    return false;
}

/* Hangs all channels into so many buckets. False: out of memory, nothing has changed. */
static bool wshub_bus_local__rehang(wshub_bus_local *local, wshub_bus_local__names *names,
                                    size_t count) {
    wshub_bus_local__name **buckets =
        (wshub_bus_local__name **)wshub_bus_local__new(local, count * sizeof *buckets);
    size_t i;

    WSHUB_ASSERT(count && (count & (count - 1)) == 0);
    if (!buckets) return false;

    for (i = 0; i < count; i++) buckets[i] = NULL;
    for (i = 0; i < names->buckets_count; i++) {
        while (names->buckets[i]) {
            wshub_bus_local__name *name = names->buckets[i];
            names->buckets[i] = name->next;
            name->next = buckets[name->hash & (count - 1)];
            buckets[name->hash & (count - 1)] = name;
        }
    }

    wshub_bus_local__free(local, names->buckets, names->buckets_count * sizeof *buckets);
    names->buckets = buckets;
    names->buckets_count = count;
    return true;
}

/* A name by itself, hanging nowhere. NULL: out of memory. */
static wshub_bus_local__name *wshub_bus_local__name_new(wshub_bus_local *local, wshub_str text,
                                                        uint64_t hash) {
    wshub_bus_local__name *name =
        (wshub_bus_local__name *)wshub_bus_local__new(local, sizeof *name + text.len);

    if (!name) return NULL;
    name->next = NULL;
    name->hash = hash;
    name->len = text.len;
    if (text.len) memcpy(name + 1, text.ptr, text.len);
    return name;
}

/* Takes a name from where it hangs, and frees it. */
static void wshub_bus_local__name_end(wshub_bus_local *local, wshub_bus_local__name **at) {
    wshub_bus_local__name *name = *at;
    WSHUB_ASSERT(name);
    *at = name->next;
    wshub_bus_local__free(local, name, sizeof *name + name->len);
}

/* One channel or pattern more; twice is once. False: out of memory, or no name that one can
 * have. */
static bool wshub_bus_local__names_add(wshub_bus_local *local, wshub_bus_local__names *names,
                                       const wshub_bus_channel *channel) {
    wshub_str text = channel->name;
    uint64_t hash;
    wshub_bus_local__name **at;

    if (text.len > WSHUB_BUS_LOCAL__NAME_BYTES_MAX) return false;
    if (channel->pattern) {
        if (text.len == 0) return false; /* not even a `*` */
        text.len--;
        at = wshub_bus_local__pattern_at(names, text);
        if (!*at) *at = wshub_bus_local__name_new(local, text, 0);
        return *at != NULL;
    }

    if (wshub_bus_local__has_channel(names, text)) return true;
    if (names->channels_count >= names->buckets_count &&
        !wshub_bus_local__rehang(local, names,
                                 names->buckets_count ? names->buckets_count * 2
                                                      : WSHUB_BUS_LOCAL__BUCKETS_MIN))
        return false;
    hash = wshub_siphash(names->key, text.ptr, text.len);
    at = wshub_bus_local__channel_at(names, text, hash);
    *at = wshub_bus_local__name_new(local, text, hash);
    if (!*at) return false;
    names->channels_count++;
    wshub_bus_local__add(&names->slots[wshub_bus_local__slot(local, text)], 1);
    return true;
}

/* One channel or pattern less, if it is there. */
static void wshub_bus_local__names_remove(wshub_bus_local *local, wshub_bus_local__names *names,
                                          const wshub_bus_channel *channel) {
    wshub_str text = channel->name;
    wshub_bus_local__name **at;

    if (channel->pattern) {
        if (text.len == 0) return;
        text.len--;
        at = wshub_bus_local__pattern_at(names, text);
        if (*at) wshub_bus_local__name_end(local, at);
        return;
    }

    if (!names->channels_count) return;
    at = wshub_bus_local__channel_at(names, text, wshub_siphash(names->key, text.ptr, text.len));
    if (!*at) return;
    WSHUB_ASSERT(names->channels_count > 0);
    wshub_bus_local__name_end(local, at);
    names->channels_count--;
    (void)wshub_bus_local__sub(&names->slots[wshub_bus_local__slot(local, text)], 1);

    /* Memory for the most there ever were goes when few are left. For want of memory it stays. */
    if (names->buckets_count > WSHUB_BUS_LOCAL__BUCKETS_MIN &&
        names->channels_count <= names->buckets_count / 8)
        (void)wshub_bus_local__rehang(local, names, names->buckets_count / 4);
}

/* Forgets all but the key. */
static void wshub_bus_local__names_clear(wshub_bus_local *local, wshub_bus_local__names *names) {
    size_t i;

    for (i = 0; i < names->buckets_count; i++) {
        while (names->buckets[i]) wshub_bus_local__name_end(local, &names->buckets[i]);
    }
    while (names->patterns) wshub_bus_local__name_end(local, &names->patterns);
    wshub_bus_local__free(local, names->buckets, names->buckets_count * sizeof *names->buckets);
    names->buckets = NULL;
    names->buckets_count = names->channels_count = 0;
    for (i = 0; i < WSHUB_BUS_LOCAL__SLOTS; i++) wshub_bus_local__store(&names->slots[i], 0);
}

/* ---- parcels: what a seat publishes at once, one block that all other seats share ---- */

#define WSHUB_BUS_LOCAL__PARCEL_BYTES 65536u /* a parcel is closed when it has as much */

/* A node for each of the others follows, then heads, each with its three texts. */
struct wshub_bus_local__parcel {
    size_t refs;
    size_t count, nodes; /* messages; places in stacks */
    size_t bytes;        /* of heads and texts */
};

typedef struct wshub_bus_local__head {
    size_t channel_len, payload_len, brief_len;
} wshub_bus_local__head;

static wshub_bus_local__node *wshub_bus_local__parcel_nodes(wshub_bus_local__parcel *parcel) {
    return (wshub_bus_local__node *)(void *)(parcel + 1);
}

static char *wshub_bus_local__parcel_texts(wshub_bus_local__parcel *parcel) {
    return (char *)(wshub_bus_local__parcel_nodes(parcel) + parcel->nodes);
}

/* All that is held with a parcel. It counts whole for each seat that has not fetched it,
 * whoever else has it too. */
static size_t wshub_bus_local__parcel_bytes(const wshub_bus_local__parcel *parcel) {
    return sizeof *parcel + parcel->nodes * sizeof(wshub_bus_local__node) + parcel->bytes;
}

static void wshub_bus_local__parcel_unref(wshub_bus_local *local, wshub_bus_local__parcel *parcel,
                                          size_t refs) {
    WSHUB_ASSERT(wshub_bus_local__load(&parcel->refs) >= refs);
    if (wshub_bus_local__sub(&parcel->refs, refs) == 0)
        wshub_bus_local__free(local, parcel, wshub_bus_local__parcel_bytes(parcel));
}

static char *wshub_bus_local__put(char *to, wshub_str text) {
    if (text.len) memcpy(to, text.ptr, text.len);
    return to + text.len;
}

/* A parcel of the first of the items, as many as one takes, for so many seats. NULL: out of
 * memory. */
static wshub_bus_local__parcel *wshub_bus_local__parcel_new(wshub_bus_local *local, size_t seats,
                                                            const wshub_bus_handover *items,
                                                            size_t count) {
    size_t most = local->queue_bytes_max / 4, bytes = 0, n = 0, i;
    wshub_bus_local__parcel *parcel;
    char *at;

    WSHUB_ASSERT(count > 0);
    if (most > WSHUB_BUS_LOCAL__PARCEL_BYTES) most = WSHUB_BUS_LOCAL__PARCEL_BYTES;
    do {
        bytes += sizeof(wshub_bus_local__head) + items[n].channel.len + items[n].payload.len +
                 items[n].brief.len;
        n++;
    } while (n < count && bytes < most);

    parcel = (wshub_bus_local__parcel *)wshub_bus_local__new(
        local, sizeof *parcel + seats * sizeof(wshub_bus_local__node) + bytes);
    if (!parcel) return NULL;
    parcel->refs = 1 + seats; /* the publisher's, until all have been seen to */
    parcel->count = n;
    parcel->nodes = seats;
    parcel->bytes = bytes;

    at = wshub_bus_local__parcel_texts(parcel);
    for (i = 0; i < n; i++) {
        wshub_bus_local__head head;
        head.channel_len = items[i].channel.len;
        head.payload_len = items[i].payload.len;
        head.brief_len = items[i].brief.len;
        memcpy(at, &head, sizeof head);
        at = wshub_bus_local__put(at + sizeof head, items[i].channel);
        at = wshub_bus_local__put(at, items[i].payload);
        at = wshub_bus_local__put(at, items[i].brief);
    }
    WSHUB_ASSERT((size_t)(at - wshub_bus_local__parcel_texts(parcel)) == bytes);
    return parcel;
}

/* Reads the message at *at, which moves on to the next. */
static wshub_bus_handover wshub_bus_local__parcel_read(const char **at) {
    wshub_bus_local__head head;
    wshub_bus_handover item;

    memcpy(&head, *at, sizeof head);
    item.channel.ptr = *at + sizeof head;
    item.channel.len = head.channel_len;
    item.payload.ptr = item.channel.ptr + head.channel_len;
    item.payload.len = head.payload_len;
    item.brief.ptr = item.payload.ptr + head.payload_len;
    item.brief.len = head.brief_len;
    *at = item.brief.ptr + head.brief_len;
    return item;
}

/* ---- seats ---- */

/* The one door to a seat's state. */
static void wshub_bus_local__seat_to(wshub_bus_local__seat *seat, wshub_bus_local__state to) {
    enum {
        TAKEN = 1 << WSHUB_BUS_LOCAL__TAKEN,
        CONNECTED = 1 << WSHUB_BUS_LOCAL__CONNECTED,
        UP = 1 << WSHUB_BUS_LOCAL__UP,
        DOWN = 1 << WSHUB_BUS_LOCAL__DOWN,
        LEFT = 1 << WSHUB_BUS_LOCAL__LEFT
    };
    static const uint8_t follows[] = {
        TAKEN | LEFT,            /* FREE */
        CONNECTED | DOWN | LEFT, /* TAKEN */
        UP | LEFT,               /* CONNECTED */
        DOWN | LEFT,             /* UP */
        CONNECTED | LEFT,        /* DOWN */
        0                        /* LEFT */
    };

    WSHUB_ASSERT(follows[seat->state] >> to & 1);
    (void)follows;
    wshub_bus_local__lock(&seat->lock);
    seat->state = (uint8_t)to;
    wshub_bus_local__unlock(&seat->lock);
}

static bool wshub_bus_local__has_owner(const wshub_bus_local__seat *seat) {
    return seat->state != WSHUB_BUS_LOCAL__FREE && seat->state != WSHUB_BUS_LOCAL__LEFT;
}

/* Any thread. Under the lock, so that nobody is woken who has left. */
static void wshub_bus_local__seat_wake(wshub_bus_local__seat *seat) {
    wshub_bus_local__lock(&seat->lock);
    if (wshub_bus_local__has_owner(seat) && seat->owner.wake) seat->owner.wake(seat->owner.ctx);
    wshub_bus_local__unlock(&seat->lock);
}

/* Tells publishers what this seat might want. Until it is up, and has subscribed to all that it
 * wants, that is everything: it looks into its inbox only then. */
static void wshub_bus_local__seat_listen(wshub_bus_local__seat *seat) {
    size_t hears = WSHUB_BUS_LOCAL__HEARS_ALL;

    if (seat->state == WSHUB_BUS_LOCAL__UP && !seat->names.patterns)
        hears =
            seat->names.channels_count ? WSHUB_BUS_LOCAL__HEARS_SLOTS : WSHUB_BUS_LOCAL__HEARS_NONE;
    wshub_bus_local__store(&seat->hears, hears);
}

static void wshub_bus_local__seat_empty(wshub_bus_local__seat *seat) {
    wshub_bus_local__node *node = wshub_bus_local__take(&seat->inbox);
    while (node) {
        wshub_bus_local__parcel *parcel = node->parcel;
        node = node->next; /* before the parcel, in which it lies, may go */
        wshub_bus_local__parcel_unref(seat->local, parcel, 1);
    }
}

static void wshub_bus_local__seat_unref(wshub_bus_local__seat *seat) {
    wshub_bus_local *local = seat->local;
    WSHUB_ASSERT(wshub_bus_local__load(&seat->refs) > 0);
    if (wshub_bus_local__sub(&seat->refs, 1) > 0) return;
    WSHUB_ASSERT(seat->state == WSHUB_BUS_LOCAL__LEFT);
    wshub_bus_local__seat_empty(seat); /* what came between its leaving and the others' noticing */
    wshub_bus_local__free(local, seat, sizeof *seat);
    wshub_bus_local__unref(local);
}

/* Lets go of the list of others. */
static void wshub_bus_local__seat_forget(wshub_bus_local__seat *seat) {
    size_t i;
    for (i = 0; i < seat->others_count; i++) wshub_bus_local__seat_unref(seat->others[i]);
    seat->others_count = 0;
}

/* Room for so many others. The list is empty. False: out of memory, there is none. */
static bool wshub_bus_local__seat_room(wshub_bus_local__seat *seat, size_t want) {
    wshub_bus_local *local = seat->local;

    WSHUB_ASSERT(!seat->others_count);
    if (want <= seat->others_cap) return true;
    wshub_bus_local__free(local, seat->others, seat->others_cap * sizeof *seat->others);
    seat->others_cap = 0;
    seat->others =
        (wshub_bus_local__seat **)wshub_bus_local__new(local, want * sizeof *seat->others);
    if (!seat->others) return false;
    seat->others_cap = want;
    return true;
}

/* Makes the list of others anew; memory is taken outside the lock, so seats may come meanwhile,
 * and then it is tried again. False: out of memory, the list is empty and its edition is old. */
static bool wshub_bus_local__seat_learn(wshub_bus_local__seat *seat) {
    wshub_bus_local *local = seat->local;
    wshub_bus_local__seat *other;
    size_t want;
    bool fits;

    wshub_bus_local__seat_forget(seat);
    do {
        wshub_bus_local__lock(&local->lock);
        want = local->seats_count;
        wshub_bus_local__unlock(&local->lock);
        if (!wshub_bus_local__seat_room(seat, want)) return false;

        wshub_bus_local__lock(&local->lock);
        fits = local->seats_count <= seat->others_cap;
        if (fits) { /* never: for certain; seats come meanwhile by chance */
            for (other = local->seats; other; other = other->next) {
                if (other == seat) continue;
                wshub_bus_local__add(&other->refs, 1);
                seat->others[seat->others_count++] = other;
            }
            seat->edition = wshub_bus_local__load(&local->edition);
        }
        wshub_bus_local__unlock(&local->lock);
    } while (!fits); /* never: the same */
    WSHUB_ASSERT(seat->others_count <= seat->others_cap);
    return true;
}

/* Puts a seat into the list of those with an owner: from here on others publish to it. */
static void wshub_bus_local__seat_enlist(wshub_bus_local__seat *seat) {
    wshub_bus_local *local = seat->local;

    WSHUB_ASSERT(wshub_bus_local__has_owner(seat));
    WSHUB_ASSERT(!seat->prev && !seat->next);
    wshub_bus_local__lock(&local->lock);
    seat->next = local->seats;
    if (seat->next) seat->next->prev = seat;
    local->seats = seat;
    local->seats_count++;
    wshub_bus_local__add(&local->edition, 1);
    wshub_bus_local__unlock(&local->lock);
}

/* Takes it out. Others may publish to it until they look at the list again. */
static void wshub_bus_local__seat_delist(wshub_bus_local__seat *seat) {
    wshub_bus_local *local = seat->local;

    wshub_bus_local__lock(&local->lock);
    WSHUB_ASSERT(local->seats_count > 0);
    *(seat->prev ? &seat->prev->next : &local->seats) = seat->next;
    if (seat->next) seat->next->prev = seat->prev;
    local->seats_count--;
    wshub_bus_local__add(&local->edition, 1);
    wshub_bus_local__unlock(&local->lock);
}

static void wshub_bus_local__answer(wshub_bus_local__seat *seat, bool lost); /* asking, below */

/* The owner's end, or that of a seat that nobody took. */
static void wshub_bus_local__seat_leave(wshub_bus_local__seat *seat) {
    wshub_bus_local *local = seat->local;

    if (wshub_bus_local__has_owner(seat)) wshub_bus_local__seat_delist(seat);
    wshub_bus_local__seat_to(seat, WSHUB_BUS_LOCAL__LEFT);
    while (seat->asked) wshub_bus_local__answer(seat, true);

    wshub_bus_local__seat_forget(seat);
    wshub_bus_local__free(local, seat->others, seat->others_cap * sizeof *seat->others);
    seat->others = NULL;
    seat->others_cap = 0;
    wshub_bus_local__names_clear(local, &seat->names);

    /* At once: a publisher that says nothing more keeps the seat in its list. */
    wshub_bus_local__seat_empty(seat);
    wshub_bus_local__seat_unref(seat);
}

/* ---- the table: publishing ---- */

#define WSHUB_BUS_LOCAL__SIEVE 128u /* items that are looked at together */

/* The slots of some items, reckoned out once, and only if a seat asks for them. */
typedef struct wshub_bus_local__sieve {
    const wshub_bus_local *local;
    const wshub_bus_handover *items;
    size_t count; /* at most WSHUB_BUS_LOCAL__SIEVE */
    bool known;
    uint16_t slots[WSHUB_BUS_LOCAL__SIEVE];
} wshub_bus_local__sieve;

/* Might a seat want one of the items? */
static bool wshub_bus_local__wants(const wshub_bus_local__seat *seat,
                                   wshub_bus_local__sieve *sieve) {
    size_t hears = wshub_bus_local__load(&seat->hears), i;

    if (hears != WSHUB_BUS_LOCAL__HEARS_SLOTS) return hears == WSHUB_BUS_LOCAL__HEARS_ALL;

    WSHUB_ASSERT(sieve->count <= WSHUB_BUS_LOCAL__SIEVE);
    for (i = 0; !sieve->known && i < sieve->count; i++)
        sieve->slots[i] = (uint16_t)wshub_bus_local__slot(sieve->local, sieve->items[i].channel);
    sieve->known = true;
    for (i = 0; i < sieve->count; i++) {
        if (wshub_bus_local__load(&seat->names.slots[sieve->slots[i]])) return true;
    }
    return false;
}

static bool wshub_bus_local__somebody_wants(const wshub_bus_local__seat *from,
                                            wshub_bus_local__sieve *sieve) {
    size_t i;
    for (i = 0; i < from->others_count; i++) {
        if (wshub_bus_local__wants(from->others[i], sieve)) return true;
    }
    return false;
}

/* Is there room for so many bytes more? For a seat for which nothing is held, always. */
static bool wshub_bus_local__has_room(const wshub_bus_local__seat *seat, size_t bytes) {
    size_t held = wshub_bus_local__load(&seat->inbox_bytes);
    return !held || (uint64_t)held + bytes <= seat->local->queue_bytes_max;
}

/* One parcel of the first of the items, to all others who might want any of them. Returns how many
 * it has; 0: out of memory. */
static size_t wshub_bus_local__seat_send(wshub_bus_local__seat *from,
                                         wshub_bus_local__sieve *sieve) {
    wshub_bus_local *local = from->local;
    wshub_bus_local__parcel *parcel =
        wshub_bus_local__parcel_new(local, from->others_count, sieve->items, sieve->count);
    wshub_bus_local__node *nodes;
    size_t i, n, bytes, kept = 1;

    if (!parcel) return 0;
    n = parcel->count;
    bytes = wshub_bus_local__parcel_bytes(parcel);
    nodes = wshub_bus_local__parcel_nodes(parcel);

    for (i = 0; i < from->others_count; i++) {
        wshub_bus_local__seat *to = from->others[i];
        bool wants = wshub_bus_local__wants(to, sieve);
        if (!wants || !wshub_bus_local__has_room(to, bytes)) {
            if (wants) wshub_bus_local__add(&local->dropped, n);
            kept++;
            continue;
        }
        nodes[i].parcel = parcel;
        wshub_bus_local__add(&to->inbox_bytes, bytes);
        if (wshub_bus_local__push(&to->inbox, &nodes[i])) wshub_bus_local__seat_wake(to);
    }

    /* Our own reference, and those of who did not get it. */
    wshub_bus_local__parcel_unref(local, parcel, kept);
    return n;
}

static size_t wshub_bus_local__hand_over(void *ctx, const wshub_bus_handover *items, size_t count) {
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)ctx;
    wshub_bus_local *local = seat->local;
    size_t done = 0, n = 1;

    if (wshub_bus_local__load(&local->down)) return 0; /* BUS-5: it is offered again */
    if (seat->edition != wshub_bus_local__load(&local->edition) &&
        !wshub_bus_local__seat_learn(seat))
        return 0;

    for (; done < count && n; done += n) {
        wshub_bus_local__sieve sieve;
        sieve.local = local;
        sieve.items = items + done;
        n = count - done < WSHUB_BUS_LOCAL__SIEVE ? count - done : WSHUB_BUS_LOCAL__SIEVE;
        sieve.count = n;
        sieve.known = false;
        if (wshub_bus_local__somebody_wants(seat, &sieve))
            n = wshub_bus_local__seat_send(seat, &sieve);
    }
    WSHUB_ASSERT(done <= count);
    return done;
}

/* For owners that have nothing to say beside the message. */
static size_t wshub_bus_local__publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    size_t done = 0, took;

    do {
        wshub_bus_handover items[16];
        size_t n = 0;
        for (; n < sizeof items / sizeof *items && done + n < count; n++) {
            items[n].channel = msgs[done + n].channel;
            items[n].payload = msgs[done + n].payload;
            items[n].brief.ptr = NULL;
            items[n].brief.len = 0;
        }
        took = wshub_bus_local__hand_over(ctx, items, n);
        done += took;
        if (took < n) break;
    } while (done < count);
    return done;
}

/* ---- the table: subscribing ---- */

/* BUS-1, BUS-4. False: out of memory; what was taken of them by then stands, once, when all are
 * offered again. */
static bool wshub_bus_local__subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)ctx;
    size_t i = 0;
    wshub_bus_local__lock(&seat->lock);
    while (i < count && wshub_bus_local__names_add(seat->local, &seat->names, &channels[i])) i++;
    wshub_bus_local__unlock(&seat->lock);
    wshub_bus_local__seat_listen(seat);
    return i == count;
}

static bool wshub_bus_local__unsubscribe(void *ctx, const wshub_bus_channel *channels,
                                         size_t count) {
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)ctx;
    size_t i;
    wshub_bus_local__lock(&seat->lock);
    for (i = 0; i < count; i++)
        wshub_bus_local__names_remove(seat->local, &seat->names, &channels[i]);
    wshub_bus_local__unlock(&seat->lock);
    wshub_bus_local__seat_listen(seat);
    return true;
}

/* ---- the table: asking ---- */

/* How many seats have subscribed to a channel, the asking one included; patterns do not count. */
static int64_t wshub_bus_local__numsub(wshub_bus_local *local, wshub_str channel) {
    wshub_bus_local__seat *seat;
    int64_t count = 0;

    wshub_bus_local__lock(&local->lock);
    for (seat = local->seats; seat; seat = seat->next) {
        wshub_bus_local__lock(&seat->lock);
        count += wshub_bus_local__has_channel(&seat->names, channel);
        wshub_bus_local__unlock(&seat->lock);
    }
    wshub_bus_local__unlock(&local->lock);
    return count;
}

/* Puts a key into a bucket, unless one with its text is there whose time has not come. Returns what
 * is left over: the key itself if it was not put, one that has gone for it, or NULL. Under the
 * lock. */
static wshub_bus_local__key *wshub_bus_local__key_put(wshub_bus_local__key **bucket,
                                                      wshub_bus_local__key *key, int64_t now) {
    wshub_bus_local__key **at = bucket, *gone = NULL;
    size_t count = 0;

    for (; *at; at = &(*at)->next) {
        bool same = (*at)->len == key->len && memcmp(*at + 1, key + 1, key->len) == 0;
        if (same && (*at)->until > now) return key;
        if (same || ++count == WSHUB_BUS_LOCAL__KEYS_EACH) break;
    }
    if (*at) { /* its time is over, or it is the oldest of a full bucket */
        gone = *at;
        *at = gone->next;
    }
    key->next = *bucket;
    *bucket = key;
    return gone;
}

/* Sets a key where nobody has. Returns OK; STATE: somebody has; NOMEM. */
static wshub_err wshub_bus_local__key_set(wshub_bus_local *local, wshub_str text,
                                          uint64_t hold_ms) {
    wshub_bus_local__key *key, *left;
    int64_t now = (int64_t)time(NULL);
    uint64_t hash;
    bool put;

    if (text.len > WSHUB_BUS_LOCAL__NAME_BYTES_MAX) return WSHUB_ERR_NOMEM;
    hash = wshub_siphash(local->key, text.ptr, text.len);
    key = (wshub_bus_local__key *)wshub_bus_local__new(local, sizeof *key + text.len);
    if (!key) return WSHUB_ERR_NOMEM;
    key->until = now + (int64_t)(hold_ms / 1000) + 1;
    key->len = text.len;
    if (text.len) memcpy(key + 1, text.ptr, text.len);

    wshub_bus_local__lock(&local->keys_lock);
    left = wshub_bus_local__key_put(&local->keys[hash % WSHUB_BUS_LOCAL__KEY_BUCKETS], key, now);
    wshub_bus_local__unlock(&local->keys_lock);
    put = left != key;
    wshub_bus_local__key_end(local, left);
    return put ? WSHUB_OK : WSHUB_ERR_STATE;
}

/* A number of milliseconds, of up to 15 digits; 0: it is none. */
static uint64_t wshub_bus_local__ms(wshub_str text) {
    uint64_t ms = 0;
    size_t i;

    if (text.len > 15) return 0;
    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return 0;
        ms = 10 * ms + (uint64_t)(text.ptr[i] - '0');
    }
    return ms;
}

/* Is it `SET key value NX PX ms`? Then out_ms is what stands there. */
static bool wshub_bus_local__is_set(const wshub_str *argv, size_t argc, uint64_t *out_ms) {
    if (argc != 6 || !wshub_str_eq_z(argv[0], "SET") || !wshub_str_eq_z(argv[3], "NX") ||
        !wshub_str_eq_z(argv[4], "PX"))
        return false;
    *out_ms = wshub_bus_local__ms(argv[5]);
    return *out_ms > 0;
}

/* The answer to it. Returns OK; NOMEM. */
static wshub_err wshub_bus_local__answer_set(wshub_bus_local *local, wshub_str key, uint64_t ms,
                                             wshub_bus_reply *reply) {
    wshub_err err = wshub_bus_local__key_set(local, key, ms);

    reply->kind = err ? WSHUB_BUS_REPLY_NULL : WSHUB_BUS_REPLY_TEXT;
    reply->text = wshub_str_z(err ? "" : "OK");
    return err == WSHUB_ERR_NOMEM ? err : WSHUB_OK;
}

/* Makes a question whose answer has two items for each name: the name, and a number that is counted
 * when it is answered. NULL: out of memory. */
static wshub_bus_local__question *
wshub_bus_local__question_new(wshub_bus_local *local, const wshub_str *names, size_t count) {
    wshub_bus_local__question *question;
    wshub_bus_reply *items;
    size_t bytes = sizeof *question + 2 * count * sizeof *items, i;
    char *texts;

    for (i = 0; i < count; i++) bytes += names[i].len;
    question = (wshub_bus_local__question *)wshub_bus_local__new(local, bytes);
    if (!question) return NULL;
    memset(question, 0, sizeof *question + 2 * count * sizeof *items);
    question->bytes = bytes;

    items = (wshub_bus_reply *)(void *)(question + 1);
    texts = (char *)(items + 2 * count);
    question->all.items = items;
    question->all.count = 2 * count;
    for (i = 0; i < count; i++) {
        items[2 * i].kind = WSHUB_BUS_REPLY_TEXT;
        items[2 * i].text.ptr = texts;
        items[2 * i].text.len = names[i].len;
        texts = wshub_bus_local__put(texts, names[i]);
        items[2 * i + 1].kind = WSHUB_BUS_REPLY_INTEGER;
    }
    return question;
}

/* What is answered to a request that is no count. Returns OK; NOMEM. */
static wshub_err wshub_bus_local__carry_out(wshub_bus_local *local, const wshub_str *argv,
                                            size_t argc, wshub_bus_reply *reply) {
    uint64_t ms;

    if (wshub_bus_local__is_set(argv, argc, &ms))
        return wshub_bus_local__answer_set(local, argv[1], ms, reply);
    if (argc == 1 && wshub_str_eq_z(argv[0], "PING")) {
        reply->kind = WSHUB_BUS_REPLY_TEXT;
        reply->text = wshub_str_z("PONG");
    } else {
        reply->kind = WSHUB_BUS_REPLY_ERROR;
        reply->text =
            wshub_str_z("there is no broker: only PING, PUBSUB NUMSUB and SET NX PX are known");
    }
    return WSHUB_OK;
}

/* Takes a question, which pump() answers. */
static wshub_err wshub_bus_local__request(void *ctx, const wshub_str *argv, size_t argc,
                                          void (*on_reply)(void *arg, const wshub_bus_reply *reply),
                                          void *arg) {
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)ctx;
    wshub_bus_local__question *question;
    bool counts;

    if (!argv || !argc || !argv[0].len || !on_reply) return WSHUB_ERR_PARAM;
    if (seat->state != WSHUB_BUS_LOCAL__UP) return WSHUB_ERR_STATE;
    if (seat->asked_count >= WSHUB_BUS_LOCAL__QUESTIONS) return WSHUB_ERR_LIMIT;
    counts = argc >= 2 && wshub_str_eq_z(argv[0], "PUBSUB") && wshub_str_eq_z(argv[1], "NUMSUB");
    question =
        wshub_bus_local__question_new(seat->local, counts ? argv + 2 : NULL, counts ? argc - 2 : 0);
    if (!question) return WSHUB_ERR_NOMEM;

    question->on_reply = on_reply;
    question->arg = arg;
    question->all.kind = WSHUB_BUS_REPLY_ARRAY;
    if (!counts && wshub_bus_local__carry_out(seat->local, argv, argc, &question->all)) {
        wshub_bus_local__free(seat->local, question, question->bytes);
        return WSHUB_ERR_NOMEM;
    }
    *(seat->asked ? seat->asked_end : &seat->asked) = question;
    seat->asked_end = &question->next;
    seat->asked_count++;
    if (seat->owner.wake) seat->owner.wake(seat->owner.ctx);
    return WSHUB_OK;
}

/* Answers the oldest question, or tells that it has no answer any more. */
static void wshub_bus_local__answer(wshub_bus_local__seat *seat, bool lost) {
    wshub_bus_local__question *question = seat->asked;
    wshub_bus_reply *items = (wshub_bus_reply *)(void *)(question + 1);
    size_t i;

    seat->asked = question->next;
    seat->asked_count--;
    for (i = 0; !lost && i < question->all.count; i += 2)
        items[i + 1].integer = wshub_bus_local__numsub(seat->local, items[i].text);
    question->on_reply(question->arg, lost ? NULL : &question->all);
    wshub_bus_local__free(seat->local, question, question->bytes);
}

/* Those that were asked by now, and none that is asked in an answer: nobody would end. */
static void wshub_bus_local__answer_all(wshub_bus_local__seat *seat) {
    size_t left = seat->asked_count;
    while (left-- && seat->asked) /* an owner who leaves meanwhile has been told of all */
        wshub_bus_local__answer(seat, seat->state != WSHUB_BUS_LOCAL__UP);
}

/* ---- the table: hearing ---- */

/* Tells the owner how the bus is, if that has changed (BUS-5); it may leave from inside. */
static void wshub_bus_local__seat_follow(wshub_bus_local__seat *seat) {
    bool down = wshub_bus_local__load(&seat->local->down) != 0;

    if (seat->state == WSHUB_BUS_LOCAL__CONNECTED) return; /* it pumps from inside that report */
    if (seat->state == (down ? WSHUB_BUS_LOCAL__DOWN : WSHUB_BUS_LOCAL__UP)) return;

    if (!down) {
        wshub_bus_local__lock(&seat->lock);
        wshub_bus_local__names_clear(seat->local, &seat->names);
        wshub_bus_local__unlock(&seat->lock);
        wshub_bus_local__seat_to(seat, WSHUB_BUS_LOCAL__CONNECTED);
        seat->owner.state(seat->owner.ctx, WSHUB_BUS_CONNECTED);
        if (!wshub_bus_local__has_owner(seat)) return;
    }
    wshub_bus_local__seat_to(seat, down ? WSHUB_BUS_LOCAL__DOWN : WSHUB_BUS_LOCAL__UP);
    if (down) wshub_bus_local__seat_listen(seat); /* what it wants then is known when it is up */
    seat->owner.state(seat->owner.ctx, down ? WSHUB_BUS_DOWN : WSHUB_BUS_UP);

    /* From here on it is known what it wants. */
    if (wshub_bus_local__has_owner(seat)) wshub_bus_local__seat_listen(seat);
}

static void wshub_bus_local__seat_hear(wshub_bus_local__seat *seat,
                                       const wshub_bus_handover *item) {
    const wshub_bus_owner *owner = &seat->owner;

    if (!wshub_bus_local__has_pattern_for(&seat->names, item->channel) &&
        !wshub_bus_local__has_channel(&seat->names, item->channel))
        return;
    if (item->brief.len && owner->handed_over) {
        owner->handed_over(owner->ctx, item);
    } else {
        owner->received(owner->ctx, item->channel, item->payload);
    }
}

static void wshub_bus_local__pump(void *ctx) {
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)ctx;
    wshub_bus_local__node *node;

    wshub_bus_local__add(&seat->refs, 1); /* its owner may leave from inside a report */
    wshub_bus_local__seat_follow(seat);
    wshub_bus_local__answer_all(seat);

    /* What was said before it left is not heard any more, but let go of. */
    for (node = wshub_bus_local__take(&seat->inbox); node;) {
        wshub_bus_local__parcel *parcel = node->parcel;
        const char *at = wshub_bus_local__parcel_texts(parcel);
        size_t i;
        node = node->next; /* it lies in the parcel */
        (void)wshub_bus_local__sub(&seat->inbox_bytes, wshub_bus_local__parcel_bytes(parcel));
        for (i = 0; i < parcel->count && wshub_bus_local__has_owner(seat); i++) {
            wshub_bus_handover item = wshub_bus_local__parcel_read(&at);
            wshub_bus_local__seat_hear(seat, &item);
        }
        wshub_bus_local__parcel_unref(seat->local, parcel, 1);
    }
    wshub_bus_local__seat_unref(seat);
}

/* ---- the table: its owner ---- */

static wshub_err wshub_bus_local__attach(void *ctx, const wshub_bus_owner *owner) {
    wshub_bus_local__seat *seat = (wshub_bus_local__seat *)ctx;
    static const uint8_t none[sizeof owner->key] = {0};

    if (!owner) {
        wshub_bus_local__seat_leave(seat);
        return WSHUB_OK;
    }

    if (seat->state != WSHUB_BUS_LOCAL__FREE) return WSHUB_ERR_STATE;
    seat->owner = *owner;
    if (memcmp(owner->key, none, sizeof none) != 0)
        memcpy(seat->names.key, owner->key, sizeof seat->names.key);
    wshub_bus_local__seat_to(seat, WSHUB_BUS_LOCAL__TAKEN);
    wshub_bus_local__seat_enlist(seat);
    if (owner->wake) owner->wake(owner->ctx); /* pump() tells that the bus is up */
    return WSHUB_OK;
}

static bool wshub_bus_local__taken(void *ctx) {
    return wshub_bus_local__has_owner((wshub_bus_local__seat *)ctx);
}

/* ---- making and ending ---- */

#define WSHUB_BUS_LOCAL__QUEUE_BYTES 67108864u /* for a seat, where the description says nothing */

/* A key where the application gives none. ISO C has nothing better than addresses; systems
 * place blocks, stacks and code anew for each process. */
static void wshub_bus_local__make_key(wshub_bus_local *local, const void *on_stack) {
    static const char constant = 0;
    const void *at[3];
    at[0] = local;
    at[1] = on_stack;
    at[2] = &constant;
    local->key[0] = wshub_siphash(local->key, at, sizeof at);
    local->key[1] = wshub_siphash(local->key, at, sizeof at);
}

WSHUB_API wshub_err wshub_bus_local_create_versioned(const wshub_bus_local_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_bus_local **out_local) {
    wshub_bus_local_desc d;
    wshub_bus_local *local;

    if (!WSHUB_BUS_LOCAL__THREADS) return WSHUB_ERR_NOWAKE; /* never: both in one build */
    if (desc_bytes != sizeof d || version != WSHUB_BUS_LOCAL_DESC_VERSION || !out_local)
        return WSHUB_ERR_PARAM;

    memset(&d, 0, sizeof d);
    if (desc) d = *desc;
    if (!d.alloc) d.alloc = wshub_bus_local__alloc_default;

    local = (wshub_bus_local *)d.alloc(d.alloc_user, NULL, 0, sizeof *local);
    if (!local) return WSHUB_ERR_NOMEM;
    memset(local, 0, sizeof *local);
    local->alloc = d.alloc;
    local->alloc_user = d.alloc_user;
    local->queue_bytes_max = d.queue_bytes_max ? d.queue_bytes_max : WSHUB_BUS_LOCAL__QUEUE_BYTES;
    local->refs = 1;
    memcpy(local->key, d.key, sizeof local->key);
    if (!local->key[0] && !local->key[1]) wshub_bus_local__make_key(local, &d);
    *out_local = local;
    return WSHUB_OK;
}

WSHUB_API void wshub_bus_local_destroy(wshub_bus_local *local) {
    if (local) wshub_bus_local__unref(local);
}

WSHUB_API const char *wshub_bus_local_explain(wshub_err err) {
    if (err == WSHUB_ERR_PARAM)
        return "out_local, local or out_seat: required, and NULL; or the program was compiled with "
               "another wshub_bus_local.h than the file that has its implementation: compile both "
               "anew with the same one";
    if (err == WSHUB_ERR_NOWAKE)
        return "wshub_bus_local: needs atomics, and this compiler has none that are known here, or "
               "WSHUB_NO_THREADS is defined";
    return wshub_strerror(err);
}

WSHUB_API wshub_err wshub_bus_local_seat(wshub_bus_local *local, wshub_bus *out_seat) {
    wshub_bus_local__seat *seat;

    if (!local || !out_seat) return WSHUB_ERR_PARAM;
    seat = (wshub_bus_local__seat *)wshub_bus_local__new(local, sizeof *seat);
    if (!seat) return WSHUB_ERR_NOMEM;
    memset(seat, 0, sizeof *seat);
    seat->local = local;
    seat->refs = 1;
    memcpy(seat->names.key, local->key, sizeof seat->names.key);
    wshub_bus_local__add(&local->refs, 1);

    /* What a seat takes is delivered: there is nothing pending, and nothing to be confirmed. */
    memset(out_seat, 0, sizeof *out_seat);
    out_seat->version = WSHUB_BUS_VERSION;
    out_seat->ctx = seat;
    out_seat->attach = wshub_bus_local__attach;
    out_seat->publish = wshub_bus_local__publish;
    out_seat->subscribe = wshub_bus_local__subscribe;
    out_seat->unsubscribe = wshub_bus_local__unsubscribe;
    out_seat->pump = wshub_bus_local__pump;
    out_seat->taken = wshub_bus_local__taken;
    out_seat->request = wshub_bus_local__request;
    out_seat->hand_over = wshub_bus_local__hand_over;
    return WSHUB_OK;
}

WSHUB_API void wshub_bus_local_set_down(wshub_bus_local *local, bool down) {
    wshub_bus_local__seat *seat;
    wshub_bus_local__lock(&local->lock);
    wshub_bus_local__store(&local->down, down ? 1 : 0);
    for (seat = local->seats; seat; seat = seat->next) wshub_bus_local__seat_wake(seat);
    wshub_bus_local__unlock(&local->lock);
}

WSHUB_API uint64_t wshub_bus_local_dropped(wshub_bus_local *local) {
    return wshub_bus_local__load(&local->dropped);
}

#ifdef __cplusplus
}
#endif
#endif /* implementation */
