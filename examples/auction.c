/* An auction: bids by many people, checked on the server, answered one by one, and an end that a
 * late bid puts off. The page lies in examples/auction and is served by this program.
 *
 * Build and run: make run-auction     Try: http://127.0.0.1:8080 in two windows
 *     build/auction [--seconds N] [--item TEXT] [--start CENTS] [--step CENTS] [--late SECONDS]
 *                   [--page FOLDER] [--redis URL] [--lot NAME] [PORT]
 * Two servers: make run-auction REDIS=redis://127.0.0.1, and the same with PORT=8081 behind it. A
 * server with --seconds opens the auction, unless that is open; one without waits for that.
 *
 * What a page says, with an id by which it finds the answer:
 *
 *     authenticate {name}    connected, by the hub
 *     bid {key, cents}       accepted, refused or unsure {key, cents, code, message}; what is
 *                            unsure is to be said again, with its key, until it is that no more
 *     clock                  clock {now}: the time by which the auction ends, in ms since 1970
 *
 * and what it hears besides: book {n, state, item, ends, price, least, step, winner, bids} whenever
 * that changes; people {server, count, names} from each server; broker {up}.
 *
 * The book: what has been bid, and whether it is over. One server alone keeps it in its memory.
 * Several servers have no common clock, and each may be cut off, or end, at any moment. So none of
 * them decides anything. The book is kept by Redis, a small script there judges each bid, and these
 * are the reasons why all servers name the same winner:
 *
 * - Redis runs one script at a time. Of two equal bids that race, one is first, and the other is
 *   told that it is too low. A bid that races with the end is before or behind it.
 * - The end is written into the book, by the first script that runs when Redis' clock is past it.
 *   Nobody names a winner before, and nothing reopens a book, whatever clocks do.
 * - Each bid has a key that its page made up. When the answer of Redis is lost, nobody knows
 *   whether the bid counts: the page is told so (`unsure`) and says the bid again, to this server
 *   or to another one. A key that is in the book already is accepted and not entered twice.
 * - A server that Redis does not answer takes no bids and names no winner. It asks for the book
 *   each second, and as soon as Redis is there again it tells the same as all others.
 * - Each change has a number, and a mark, the microsecond at which it was made. Who asks names the
 *   last change he has heard of. A book that does not have it has lost bids that were confirmed
 *   (Redis came back without its memory, or a replica took over that lacked some): the script
 *   declares it void, for all servers, and a person has to look. That needs somebody who knows the
 *   change; so give Redis `appendonly yes` and `appendfsync always`, and no bid is confirmed before
 *   it lies on the disk.
 *
 * A change is told to the servers by the script itself, on a channel of the application (APP-1), so
 * that it is heard also when the server that asked ends meanwhile. What is heard is always the
 * whole book, and an older one than one has is dropped: it does not matter if some are lost.
 *
 * Redis 5, Valkey, or later. Who somebody is, nobody checks here: examples/login.c does. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_ext_files.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* Money is whole cents. A sum fits into what JavaScript and Lua hold exactly. */
#define CENTS_MAX INT64_C(100000000000)

/* Names, keys and the item are kept as JSON strings: they are data, for Redis and the page alike.
 * Two of them are equal if their bytes are, since all are written by wshub_json_quote(). */
enum {
    NAME_UNITS_MAX = 24, /* UTF-16 units, as pages count; each has 3 bytes of UTF-8 at most */
    KEY_BYTES_MAX = 32,
    ITEM_BYTES_MAX = 100,
    LOT_BYTES_MAX = 64,
    DAY_S = 86400,
    TEXT_BYTES = 2 * ITEM_BYTES_MAX + 3, /* any of them as JSON, terminated */
    ID_BYTES = 64,                       /* of a message's id */
    BIDS_TOLD = 20,                      /* the last bids; the script has it, too */
    BIDS_KEPT = 256,                     /* bids whose keys are known, of a server alone */
    BOOK_BYTES = 8192,
    NAMES_MAX = 50,
    NAMES_BYTES = 8192,
    PEOPLE_MS = 2000 /* who is here is told so often */
};

/* The script. What changes is put into b and written at the end, with its number and mark.
 *   KEYS  the book, a hash; its bids, the oldest first; marks by number, and sums by bidder and key
 *   ARGV  number and mark of the last change that the server knows; what is to be done; up to five
 *         arguments of that; the channel
 * Returns  what became of it; the time; the book as JSON, empty if there is none. */
static const char script[] =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local b = {n = '0', state = 'none', price = '0', winner = 'null'}\n"
    "local flat = redis.call('HGETALL', KEYS[1])\n"
    "for i = 1, #flat, 2 do b[flat[i]] = flat[i + 1] end\n"
    "local n, known, verdict, changed = tonumber(b.n), tonumber(ARGV[1]), 'seen', false\n"
    "local function int(x) return string.format('%.0f', x) end\n"
    /* A book that is void already is declared so once more: its number must be above what each
     * server knows, or that one would take it for an older book. */
    "if known > 0 and redis.call('HGET', KEYS[3], ARGV[1]) ~= ARGV[2] then\n"
    "  b.state, b.winner, n, changed = 'void', 'null', math.max(n, known), true\n"
    "elseif b.state == 'none' and ARGV[3] == 'open' then\n"
    "  b.state, b.item, b.least, b.step, b.late = 'open', ARGV[4], ARGV[5], ARGV[6], ARGV[7]\n"
    "  b.ends, changed = int(now + ARGV[8]), true\n"
    "elseif b.state == 'open' and now >= tonumber(b.ends) then\n"
    "  b.state, changed = 'over', true\n"
    "end\n"
    "if ARGV[3] == 'bid' then\n"
    "  local name, key, cents = ARGV[4], ARGV[4] .. ARGV[5], ARGV[6]\n"
    "  local before = redis.call('HGET', KEYS[3], key)\n"
    "  if b.state == 'void' or b.state == 'none' then verdict = b.state\n"
    "  elseif before then verdict = before == cents and 'accepted' or 'reused'\n"
    "  elseif b.state == 'over' then verdict = 'over'\n"
    "  elseif tonumber(cents) < tonumber(b.least) then verdict = 'low'\n"
    "  else\n"
    "    verdict, changed = 'accepted', true\n"
    "    redis.call('HSET', KEYS[3], key, cents)\n"
    "    redis.call('RPUSH', KEYS[2], string.format('{\"name\":%s,\"cents\":%s,\"at\":%s}', name,\n"
    "      cents, int(now)))\n"
    "    b.price, b.winner, b.least = cents, name, int(cents + b.step)\n"
    "    b.ends = int(math.max(tonumber(b.ends), now + b.late))\n"
    "  end\n"
    "end\n"
    "if changed then\n"
    "  b.n, b.mark = int(n + 1), t[1] .. '.' .. t[2]\n"
    "  for field, value in pairs(b) do redis.call('HSET', KEYS[1], field, value) end\n"
    "  redis.call('HSET', KEYS[3], b.n, b.mark)\n"
    "end\n"
    "if b.state == 'none' then return {verdict, now, ''} end\n"
    "local bids = table.concat(redis.call('LRANGE', KEYS[2], -20, -1), ',')\n"
    "local book = string.format('{\"n\":%s,\"mark\":\"%s\",\"state\":\"%s\",\"item\":%s,' ..\n"
    "  '\"ends\":%s,\"price\":%s,\"least\":%s,\"step\":%s,\"winner\":%s,\"bids\":[%s]}', b.n,\n"
    "  b.mark, b.state, b.item or 'null', b.ends or '0', b.price, b.least or '0', b.step or '0',\n"
    "  b.winner, bids)\n"
    /* who may not publish is no reason to fail: the others ask each second */
    "if changed then redis.pcall('PUBLISH', ARGV[#ARGV], 'book\\0' .. book) end\n"
    "return {verdict, now, book}\n";

/* What becomes of a bid: the event that says so, a word for programs, and a sentence for people.
 * What is refused is refused for good: the price only rises, and what is over stays so. A copy of
 * it that is still on its way from another server, or comes there later, fares no better. */
static const struct verdict {
    const char *event, *code, *message;
} verdicts[] = {
    {"accepted", "accepted", ""},
    {"refused", "low", "somebody has bid more, or it is below the least bid"},
    {"refused", "over", "the auction is over"},
    {"refused", "void", "the book has lost bids, so the auction is void"},
    {"refused", "reused", "the key of this bid was used for another one"},
    {"refused", "no_sum", "a bid is a whole number of cents, from 1 to 100000000000"},
    {"refused", "no_key", "a bid needs a key of 1 to 32 characters, another one for each bid"},
    {"refused", "no_id", "the id of a message has at most 64 bytes"},
    {"unsure", "unsure", "the book has not answered, and the bid may count: say the same again"},
    {"unsure", "unreachable", "the book is out of reach, and takes no bids: say the same again"},
    {"unsure", "none", "no auction is open yet: say the same again"},
    {"unsure", "busy", "too many bids wait: say the same again"},
    {"refused", "unknown", "nobody knows what that means"}};

struct bid {
    char name[TEXT_BYTES], key[TEXT_BYTES];
    int64_t cents;
    uint64_t at;
};
struct auction {
    const char *page, *redis;
    char item[TEXT_BYTES];
    int64_t least, step; /* of the first bid, and above the last one */
    int64_t late_ms;     /* a bid leaves at least so much time to answer it */
    int64_t lasts_ms;    /* how long it is open; 0: another server opens it */
    unsigned long port;

    /* The book, as it was told last. */
    char book[BOOK_BYTES];
    size_t book_len;
    uint64_t n, ends;
    char mark[40];
    bool open;
    bool up;        /* it can be asked */
    int64_t offset; /* its clock is the hub's and this */

    /* Of several servers on one Redis. */
    char names[4][96]; /* of the script's three keys, and the channel on which it tells changes */
    bool asking;       /* the script has been asked for the book */

    /* Who is watching. */
    bool came_or_went; /* since that was told */
    uint64_t told_people;

    /* Of a server alone: a ring of bids, the last one at count - 1. */
    struct bid bids[BIDS_KEPT];
    uint64_t count;
};

/* ---- reading and writing ---- */

static uint64_t clock_ms(const struct auction *a, const wshub *hub) {
    return (uint64_t)((int64_t)wshub_now_ms(hub) + a->offset);
}

/* Writes a text as a JSON string, terminated. */
static bool quote(wshub_str text, char out[TEXT_BYTES]) {
    size_t len = wshub_json_quote(text, out, TEXT_BYTES - 1);
    out[len < TEXT_BYTES ? len : 0] = 0;
    return len < TEXT_BYTES;
}
/* Copies a text that a page has sent and has one line. Returns whether it is one. */
static bool read_line(wshub_str json, size_t units_max, char *buf, size_t cap) {
    const char *c;
    if (wshub_json_copy(json, buf, cap, NULL) || !buf[0]) return false;
    for (c = buf; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) return false;
    return wshub_utf8_units(wshub_str_z(buf)) <= units_max;
}

/* To one client, or to all who are here: data is JSON. */
static wshub_err tell(wshub *hub, const wshub_client *client, const char *event, wshub_str data) {
    wshub_msg msg = {.event = wshub_str_z(event), .data = data, .data_is_json = true};
    if (!data.len) return WSHUB_OK;
    return client ? wshub_client_send(hub, *client, &msg) : wshub_all_send_here(hub, &msg, NULL, 0);
}

/* Answers a bid. key: as JSON; NULL: it has none. */
static wshub_err answer(wshub *hub, wshub_client client, wshub_str id, const char *key,
                        int64_t cents, const char *code) {
    const struct verdict *v = verdicts;
    char buf[512];
    wshub_msg msg = {.data_is_json = true};
    wshub_json_writer w;
    while (strcmp(v->code, code) != 0 && strcmp(v->code, "unknown") != 0) v++;

    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_raw(&w, "key", key ? wshub_str_z(key) : wshub_str_z("null"));
    wshub_json_put_int(&w, "cents", cents);
    wshub_json_put_text(&w, "code", v->code);
    wshub_json_put_text(&w, "message", v->message);
    wshub_json_put_end(&w);

    msg.event = wshub_str_z(v->event);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_client_reply(hub, client, id, &msg);
}

/* Takes a book that is newer than ours, and tells everybody here. */
static void take_book(struct auction *a, wshub *hub, wshub_str book) {
    uint64_t n;
    if (!wshub_json_uint(wshub_json_get(book, "n"), &n) || n <= a->n) return;
    if (book.len > sizeof a->book ||
        wshub_json_copy(wshub_json_get(book, "mark"), a->mark, sizeof a->mark, NULL))
        return;
    memcpy(a->book, book.ptr, book.len);
    a->book_len = book.len;
    a->n = n;
    a->open = wshub_json_is(wshub_json_get(book, "state"), "open");
    if (!wshub_json_uint(wshub_json_get(book, "ends"), &a->ends)) a->ends = 0;
    (void)tell(hub, NULL, "book", book);
}

/* ---- the book of a server alone: the same rules as the script's ---- */

static const struct bid *last_bid(const struct auction *a) {
    return a->count ? &a->bids[(a->count - 1) % BIDS_KEPT] : NULL;
}
static int64_t least_bid(const struct auction *a) {
    return a->count ? last_bid(a)->cents + a->step : a->least;
}

static void change_own(struct auction *a, wshub *hub, const char *state) {
    uint64_t i = a->count > BIDS_TOLD ? a->count - BIDS_TOLD : 0;
    char buf[BOOK_BYTES];
    wshub_json_writer w;
    wshub_str book;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_uint(&w, "n", a->n + 1);
    wshub_json_put_text(&w, "mark", "");
    wshub_json_put_text(&w, "state", state);
    wshub_json_put_raw(&w, "item", wshub_str_z(a->item));
    wshub_json_put_uint(&w, "ends", a->ends);
    wshub_json_put_int(&w, "price", a->count ? last_bid(a)->cents : 0);
    wshub_json_put_int(&w, "least", least_bid(a));
    wshub_json_put_int(&w, "step", a->step);
    wshub_json_put_raw(&w, "winner", wshub_str_z(a->count ? last_bid(a)->name : "null"));
    wshub_json_put_array(&w, "bids");
    for (; i < a->count; i++) {
        const struct bid *bid = &a->bids[i % BIDS_KEPT];
        wshub_json_put_object(&w, NULL);
        wshub_json_put_raw(&w, "name", wshub_str_z(bid->name));
        wshub_json_put_int(&w, "cents", bid->cents);
        wshub_json_put_uint(&w, "at", bid->at);
        wshub_json_put_end(&w);
    }
    wshub_json_put_end(&w);
    wshub_json_put_end(&w);
    if (!wshub_json_done(&w, &book)) take_book(a, hub, book);
}

/* Opens it, and ends it when its time is over: the end is a change of the book like any other. */
static void look_own(struct auction *a, wshub *hub) {
    uint64_t now = clock_ms(a, hub);
    if (a->n == 0) {
        a->ends = now + (uint64_t)a->lasts_ms;
        change_own(a, hub, "open");
    } else if (a->open && now >= a->ends) {
        change_own(a, hub, "over");
    }
}

static const char *bid_own(struct auction *a, wshub *hub, const struct bid *bid) {
    uint64_t i = a->count > BIDS_KEPT ? a->count - BIDS_KEPT : 0, least_end;
    look_own(a, hub);
    for (; i < a->count; i++) {
        const struct bid *old = &a->bids[i % BIDS_KEPT];
        if (strcmp(old->name, bid->name) == 0 && strcmp(old->key, bid->key) == 0)
            return old->cents == bid->cents ? "accepted" : "reused";
    }
    if (!a->open) return "over";
    if (bid->cents < least_bid(a)) return "low";

    a->bids[a->count++ % BIDS_KEPT] = *bid;
    least_end = bid->at + (uint64_t)a->late_ms;
    if (a->ends < least_end) a->ends = least_end;
    change_own(a, hub, "open");
    return "accepted";
}

/* ---- the book in Redis ---- */

/* A question to the script, and whom its answer is for; {0}: we ask for the book ourselves. */
struct question {
    wshub_client client;
    char id[ID_BYTES]; /* the message's, id_len bytes */
    size_t id_len;
    struct bid bid;
    uint64_t asked;
};

/* Called once for each question that was put: reply is NULL if the connection was lost. */
static void on_reply(wshub *hub, const wshub_bus_reply *reply, void *arg) {
    struct auction *a = (struct auction *)wshub_user(hub);
    struct question *q = (struct question *)arg;
    wshub_str id = {q->id_len ? q->id : NULL, q->id_len};
    char code[16] = "unsure";
    if (reply && reply->kind == WSHUB_BUS_REPLY_ARRAY && reply->count == 3) {
        (void)snprintf(code, sizeof code, "%.*s", (int)reply->items[0].text.len,
                       reply->items[0].text.ptr);
        /* The script ran somewhere between our question and now: take the middle. */
        a->offset = reply->items[1].integer - (int64_t)(q->asked / 2 + wshub_now_ms(hub) / 2);
        take_book(a, hub, reply->items[2].text);
    } else if (reply && reply->kind == WSHUB_BUS_REPLY_ERROR && !q->client.id) {
        (void)fprintf(stderr, "auction: Redis says: %.*s\n", (int)reply->text.len, reply->text.ptr);
    }
    if (q->client.id) /* it may have gone meanwhile: that is harmless */
        (void)answer(hub, q->client, id, q->bid.key, q->bid.cents, code);
    else
        a->asking = false;
    free(q);
}

/* Asks the script to do something, with up to five arguments, NULL behind the last. */
static wshub_err ask(struct auction *a, wshub *hub, const struct question *question,
                     const char *what, const char *const *args) {
    struct question *q = (struct question *)malloc(sizeof *q);
    wshub_str argv[16] = {wshub_str_z("EVAL"), wshub_str_z(script), wshub_str_z("3")};
    size_t argc = 3;
    char known[24];
    wshub_err err;
    if (!q) return WSHUB_ERR_NOMEM;
    *q = *question;
    q->asked = wshub_now_ms(hub);

    (void)snprintf(known, sizeof known, "%llu", (unsigned long long)a->n);
    while (argc < 6) argv[argc] = wshub_str_z(a->names[argc - 3]), argc++;
    argv[argc++] = wshub_str_z(known);
    argv[argc++] = wshub_str_z(a->mark);
    argv[argc++] = wshub_str_z(what);
    while (*args) argv[argc++] = wshub_str_z(*args++);
    argv[argc++] = wshub_str_z(a->names[3]);
    err = wshub_bus_request(hub, argv, argc, on_reply, q);
    if (err) free(q); /* it was not asked, and on_reply() will not be called */
    return err;
}

/* Puts a bid to the script. Returns what is to be answered at once; NULL: that comes later. */
static const char *bid_shared(struct auction *a, wshub *hub, wshub_client client, wshub_str id,
                              const struct bid *bid) {
    struct question q = {.client = client, .id_len = id.len, .bid = *bid};
    char cents[24];
    const char *args[] = {bid->name, bid->key, cents, NULL};
    wshub_err err;
    (void)snprintf(cents, sizeof cents, "%lld", (long long)bid->cents);
    if (id.len) memcpy(q.id, id.ptr, id.len); /* on_bid() has seen that it fits */
    err = ask(a, hub, &q, "bid", args);
    return !err ? NULL : err == WSHUB_ERR_STATE ? "unreachable" : "busy";
}

/* Asks for the book, once at a time. Who was told to open an auction does so, until there is one:
 * a book that we have seen is never opened anew (it would have to be void). */
static void look_shared(struct auction *a, wshub *hub) {
    struct question q = {.id_len = 0};
    char numbers[4][24];
    const char *args[] = {a->item, numbers[0], numbers[1], numbers[2], numbers[3], NULL};
    bool opens = a->lasts_ms && a->n == 0;
    if (a->asking) return; /* out of reach: on_bus() asks when it is back */
    (void)snprintf(numbers[0], sizeof numbers[0], "%lld", (long long)a->least);
    (void)snprintf(numbers[1], sizeof numbers[1], "%lld", (long long)a->step);
    (void)snprintf(numbers[2], sizeof numbers[2], "%lld", (long long)a->late_ms);
    (void)snprintf(numbers[3], sizeof numbers[3], "%lld", (long long)a->lasts_ms);
    a->asking = !ask(a, hub, &q, opens ? "open" : "look", args);
}

static void look(struct auction *a, wshub *hub) {
    if (a->redis)
        look_shared(a, hub);
    else
        look_own(a, hub);
}

/* The script has told all servers of a change. */
static void on_change(wshub *hub, const wshub_app_message *message, void *user) {
    take_book((struct auction *)user, hub, message->bytes);
}

static void tell_up(struct auction *a, wshub *hub, const wshub_client *client) {
    (void)tell(hub, client, "broker", wshub_str_z(a->up ? "{\"up\":true}" : "{\"up\":false}"));
}
static void on_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    struct auction *a = (struct auction *)user;
    (void)down_ms;
    a->up = state == WSHUB_BUS_UP;
    tell_up(a, hub, NULL);
    if (a->up) look(a, hub);
}

/* ---- who is watching ---- */

/* Tells everybody, at other servers too, who is at this one. That is said again and again, and
 * pages forget a server that is silent, so that no server has to keep a list of the others. */
static void tell_people(struct auction *a, wshub *hub) {
    char buf[NAMES_BYTES];
    wshub_msg msg = {.event = wshub_str_z("people"), .data_is_json = true};
    wshub_json_writer w;
    wshub_iter it = {0};
    wshub_str name;
    uint64_t count = 0;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_str(&w, "server", wshub_server_id(hub));
    wshub_json_put_array(&w, "names");
    while (wshub_user_each(hub, &it, &name)) /* each once, however many windows */
        if (count++ < NAMES_MAX) wshub_json_put_str(&w, NULL, name);
    wshub_json_put_end(&w);
    wshub_json_put_uint(&w, "count", count);
    wshub_json_put_end(&w);
    a->came_or_went = false;
    a->told_people = wshub_now_ms(hub);
    if (!wshub_json_done(&w, &msg.data)) (void)wshub_all_send(hub, &msg, NULL, 0);
}

/* ---- the clock: each second, and when the auction should be over ---- */

static void tick(wshub *hub, void *arg) {
    struct auction *a = (struct auction *)arg;
    uint64_t now = clock_ms(a, hub), wait = 1000;
    look(a, hub);
    if (a->came_or_went || wshub_now_ms(hub) - a->told_people >= PEOPLE_MS) tell_people(a, hub);

    if (a->open && a->ends < now + wait) wait = a->ends > now ? a->ends - now : 50;
    (void)wshub_timer_start(hub, wait, tick, a, NULL);
}

/* ---- what pages say ---- */

static wshub_err on_bid(struct auction *a, wshub *hub, wshub_client client, const wshub_event *e) {
    struct bid bid = {.at = clock_ms(a, hub)};
    char key[KEY_BYTES_MAX + 1];
    const char *code;
    if (!read_line(wshub_json_get(e->data, "key"), KEY_BYTES_MAX, key, sizeof key) ||
        !quote(wshub_str_z(key), bid.key))
        return answer(hub, client, e->id, NULL, 0, "no_key");
    if (wshub_json_int(wshub_json_get(e->data, "cents"), 1, CENTS_MAX, &bid.cents))
        return answer(hub, client, e->id, bid.key, 0, "no_sum");
    if (e->id.len > ID_BYTES) return answer(hub, client, e->id, bid.key, 0, "no_id");
    if (!quote(wshub_client_user_id(hub, client), bid.name)) return WSHUB_ERR_LIMIT;

    code = a->redis ? bid_shared(a, hub, client, e->id, &bid) : bid_own(a, hub, &bid);
    return code ? answer(hub, client, e->id, bid.key, bid.cents, code) : WSHUB_OK;
}

static wshub_err tell_clock(const struct auction *a, wshub *hub, wshub_client client,
                            const wshub_event *e) {
    char buf[40];
    wshub_msg msg = {.event = wshub_str_z("clock"), .data_is_json = true};
    wshub_json_writer w;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_uint(&w, "now", clock_ms(a, hub));
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &msg.data)) return WSHUB_ERR_LIMIT;
    return wshub_client_reply(hub, client, e->id, &msg);
}

static wshub_err on_message(wshub *hub, wshub_client client, const wshub_event *e, void *user) {
    struct auction *a = (struct auction *)user;
    if (wshub_str_eq_z(e->event, "bid")) return on_bid(a, hub, client, e);
    if (wshub_str_eq_z(e->event, "clock")) return tell_clock(a, hub, client, e);
    return answer(hub, client, e->id, NULL, 0, "unknown");
}

/* Whoever says a name is that user. A real program would want a proof (examples/login.c). */
static void on_authenticate(wshub *hub, wshub_ask question, const wshub_auth *auth, void *user) {
    char name[NAME_UNITS_MAX * 3 + 1];
    wshub_identity who = {0};
    (void)user;
    if (!read_line(wshub_json_get(auth->data, "name"), NAME_UNITS_MAX, name, sizeof name)) {
        (void)wshub_ask_reject(hub, question);
        return;
    }
    who.user_id = wshub_str_z(name);
    if (wshub_auth_accept(hub, question, &who)) (void)wshub_ask_fail(hub, question);
}

static wshub_err on_connected(wshub *hub, wshub_client client, void *user) {
    struct auction *a = (struct auction *)user;
    tell_up(a, hub, &client);
    a->came_or_went = true; /* many may come or go at once: the next tick tells */
    return tell(hub, &client, "book", (wshub_str){a->book, a->book_len});
}
static void on_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    (void)hub, (void)gone;
    ((struct auction *)user)->came_or_went = true;
}

/* ---- the program ---- */

/* Reads `--name value` pairs, and a port. What is no number becomes 0, which is then refused. */
static bool read_options(int argc, char **argv, struct auction *a) {
    static const char *const suffixes[] = {"", ":bids", ":seen"};
    const char *item = "A brass telescope, about 1880", *lot = "1";
    int64_t late = 10, seconds = 0;
    int i, k;
    for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        const char *name = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        /* clang-format off */
        if (!v) return false;
        else if (strcmp(name, "--page") == 0) a->page = v;
        else if (strcmp(name, "--redis") == 0) a->redis = v;
        else if (strcmp(name, "--lot") == 0) lot = v;
        else if (strcmp(name, "--item") == 0) item = v;
        else if (strcmp(name, "--start") == 0) a->least = atoll(v);
        else if (strcmp(name, "--step") == 0) a->step = atoll(v);
        else if (strcmp(name, "--late") == 0) late = atoll(v);
        else if (strcmp(name, "--seconds") == 0) seconds = atoll(v);
        else return false;
        /* clang-format on */
    }
    if (i < argc) a->port = strtoul(argv[i++], NULL, 10);
    if (!a->redis && !seconds) seconds = 300;
    a->late_ms = late * 1000;
    a->lasts_ms = seconds * 1000;

    if (strlen(item) > ITEM_BYTES_MAX || strlen(lot) > LOT_BYTES_MAX) return false;
    for (k = 0; k < 3; k++) /* {} keeps all three on one node of a Cluster */
        (void)snprintf(a->names[k], sizeof a->names[k], "auction:{%s}%s", lot, suffixes[k]);
    (void)snprintf(a->names[3], sizeof a->names[3], WSHUB_APP_PREFIX "auction:%s", lot);
    return i == argc && a->port > 0 && a->port <= 65535 && a->least > 0 && a->least < CENTS_MAX &&
           a->step > 0 && a->step < CENTS_MAX && late >= 0 && late <= DAY_S && seconds >= 0 &&
           seconds <= 365 * DAY_S && quote(wshub_str_z(item), a->item);
}

/* The page. Should a text ever get into it as HTML, no browser would run it. */
static int open_page(const char *folder, wshub_ext_files **out_page) {
    static const wshub_header headers[] = {
        {{"Content-Security-Policy", 23}, {"default-src 'self'", 18}},
        {{"Cache-Control", 13}, {"no-cache", 8}}};
    wshub_ext_files_desc desc = {.folder = folder, .headers = headers, .headers_count = 2};
    if (!wshub_ext_files_create(&desc, out_page)) return 0;
    (void)fprintf(stderr, "auction: no page in %s: %s (--page says where it is)\n", folder,
                  strerror(errno));
    return 1;
}

static int open_redis(const char *url, wshub_io_sock *net, wshub_bus_redis **out_redis) {
    wshub_bus_redis_desc desc = {.io = wshub_io_sock_io(net), .url = url};
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_err err = wshub_bus_redis_create(&desc, out_redis);
    if (!err) return 0;
    (void)wshub_bus_redis_desc_explain(&desc, err, why, sizeof why);
    (void)fprintf(stderr, "auction: %s\n", why);
    return 1;
}

static wshub_err open_hub(struct auction *a, const wshub_io *io, const wshub_bus *bus,
                          wshub **out_hub) {
    char here[2][40]; /* no page but ours may open a WebSocket to us */
    const char *origins[] = {here[0], here[1]};
    wshub_str channel = wshub_str_z(a->names[3] + strlen(WSHUB_APP_PREFIX));
    wshub_desc desc = {.io = io,
                       .bus = bus,
                       .user = a,
                       .no_default_rooms = true,
                       .allowed_origins = origins,
                       .allowed_origins_count = 2,
                       .payload_bytes_max = 4096,
                       .close_on_backpressure = true,
                       .on_authenticate = on_authenticate,
                       .on_connected = on_connected,
                       .on_message = on_message,
                       .on_disconnected = on_disconnected,
                       .on_bus = on_bus};
    wshub_err err;
    (void)snprintf(here[0], sizeof here[0], "http://127.0.0.1:%lu", a->port);
    (void)snprintf(here[1], sizeof here[1], "http://localhost:%lu", a->port);
    err = wshub_create(&desc, out_hub);
    if (err) return err;
    a->up = !bus;
    a->offset = (int64_t)(wshub_wall_ms(*out_hub) - wshub_now_ms(*out_hub));
    err = wshub_app_subscribe(*out_hub, channel, on_change, a);
    return err ? err : wshub_timer_start(*out_hub, 0, tick, a, NULL);
}

int main(int argc, char **argv) {
    static struct auction a = {.page = "examples/auction", .least = 10000, .step = 500};
    sigset_t stop;
    wshub_io_sock *net;
    wshub_bus_redis *redis = NULL;
    wshub_ext_files *page;
    wshub *hub;
    int status;
    a.port = 8080;
    if (!read_options(argc, argv, &a))
        return fprintf(stderr, "usage: auction [--OPTION VALUE]... [PORT]; see its first lines\n"),
               2;
    sigemptyset(&stop); /* blocked, they come to the call that serves and disturb nothing else */
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);

    if (open_page(a.page, &page) || wshub_io_auto_create(NULL, &net)) return 1;
    if (a.redis && open_redis(a.redis, net, &redis)) return 2;
    if (open_hub(&a, wshub_io_sock_io(net), redis ? wshub_bus_redis_bus(redis) : NULL, &hub))
        return 1; /* the hub has said why, through the io */
    if (wshub_ext_files_mount(page, hub)) return 1;
    if (wshub_io_sock_listen(net, "127.0.0.1", (uint16_t)a.port, NULL))
        return fprintf(stderr, "auction: %s\n", wshub_io_sock_error(net)), 1;
    (void)printf("auction on http://127.0.0.1:%lu (ctrl-c ends it)\n", a.port);
    (void)fflush(stdout);

    status = wshub_io_sock_serve(net, hub) != WSHUB_OK;
    wshub_destroy(hub);
    wshub_bus_redis_destroy(redis);
    wshub_io_sock_destroy(net);
    wshub_ext_files_destroy(page);
    return status;
}
