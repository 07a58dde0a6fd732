/* The fixture server with Socket.IO: beside the raw dialect on --path, mounts of the application
 * that the black-box drivers of Socket.IO talk to (--sio), of the helper's flow (--sio-helper), of
 * Engine.IO alone with an echo (--eio), and of what the protocols' public suites need (--sio-suite). What is not there yet says so. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_bus_local.h"
#include "wshub_bus_redis.h"
#include "wshub_io_auto.h"
#include "wshub_dialect_socketio.h"
#if defined(FIXTURE_OPENSSL)
#include "wshub_io_openssl.h"
#elif defined(FIXTURE_MBEDTLS)
#include "wshub_io_mbedtls.h"
#endif
#ifdef FIXTURE_DEFLATE
#include "wshub_deflate_zlib.h"
#endif
#include "fixture_app.h"
#include "fixture_tls.h"
#include <errno.h>
#include <signal.h>

static wshub_io_sock *net;
static bool on_redis; /* there are other servers */

/* ---- options ---- */

typedef struct sio_options {
    const char *sio, *eio, *suite, *transports, *cors, *cookie, *client, *name;
    long ping_interval, ping_timeout, upgrade_timeout, connect_timeout, max_buffer, max_packet;
    long max_queue, allow_delay, recovery;
    const char *key, *helper_key, *sharded;
    long requests_timeout;
    bool no_upgrade, credentials, log, specific_response, deflate, http_compression;
    const char *helper, *helper_rooms;
    long helper_auth_timeout, helper_ping_interval;
    bool helper_no_validator, helper_open, helper_linger;
} sio_options;

static sio_options opt;

static const struct {
    const char *name;
    const char **words;
    long *number;
    bool *flag;
    bool missing; /* not built in */
} sio_option_list[] = {
    {"--sio", &opt.sio, NULL, NULL, false},
    {"--eio", &opt.eio, NULL, NULL, false},
    {"--sio-suite", &opt.suite, NULL, NULL, false},
    {"--sio-ping-interval", NULL, &opt.ping_interval, NULL, false},
    {"--sio-ping-timeout", NULL, &opt.ping_timeout, NULL, false},
    {"--sio-upgrade-timeout", NULL, &opt.upgrade_timeout, NULL, false},
    {"--sio-connect-timeout", NULL, &opt.connect_timeout, NULL, false},
    {"--sio-max-buffer", NULL, &opt.max_buffer, NULL, false},
    {"--sio-max-packet", NULL, &opt.max_packet, NULL, false},
    {"--sio-max-queue", NULL, &opt.max_queue, NULL, false},
    {"--sio-transports", &opt.transports, NULL, NULL, false},
    {"--sio-no-upgrade", NULL, NULL, &opt.no_upgrade, false},
    {"--sio-cors", &opt.cors, NULL, NULL, false},
    {"--sio-cors-credentials", NULL, NULL, &opt.credentials, false},
    {"--sio-cookie", &opt.cookie, NULL, NULL, false},
    {"--sio-allow-delay", NULL, &opt.allow_delay, NULL, false},
    {"--sio-client", &opt.client, NULL, NULL, false},
    {"--sio-name", &opt.name, NULL, NULL, false},
    {"--sio-log", NULL, NULL, &opt.log, false},
    {"--sio-helper", &opt.helper, NULL, NULL, false},
    {"--sio-helper-auth-timeout", NULL, &opt.helper_auth_timeout, NULL, false},
    {"--sio-helper-ping-interval", NULL, &opt.helper_ping_interval, NULL, false},
    {"--sio-helper-rooms", &opt.helper_rooms, NULL, NULL, false},
    {"--sio-helper-no-validator", NULL, NULL, &opt.helper_no_validator, false},
    {"--sio-helper-open", NULL, NULL, &opt.helper_open, false},
    {"--sio-helper-linger", NULL, NULL, &opt.helper_linger, false},
    {"--sio-key", &opt.key, NULL, NULL, false},
    {"--sio-helper-key", &opt.helper_key, NULL, NULL, false},
    {"--sio-requests-timeout", NULL, &opt.requests_timeout, NULL, false},
    {"--sio-specific-response", NULL, NULL, &opt.specific_response, false},
#ifdef FIXTURE_DEFLATE
    {"--sio-deflate", NULL, NULL, &opt.deflate, false},
    {"--sio-http-compression", NULL, NULL, &opt.http_compression, false},
#else
    {"--sio-deflate", NULL, NULL, NULL, true},
    {"--sio-http-compression", NULL, NULL, NULL, true},
#endif
    {"--sio-recovery", NULL, &opt.recovery, NULL, false},
    {"--sio-sharded", &opt.sharded, NULL, NULL, false},
};

/* Takes the options of Socket.IO out of a command line. Returns what is wrong; NULL: nothing. */
static const char *sio_parse(int *argc, char **argv) {
    static char why[160];
    int i, left = 1;
    size_t k;
    opt.name = "a";
    for (i = 1; i < *argc; i++) {
        for (k = 0; k < sizeof sio_option_list / sizeof sio_option_list[0]; k++)
            if (strcmp(argv[i], sio_option_list[k].name) == 0) break;
        if (k == sizeof sio_option_list / sizeof sio_option_list[0]) {
            argv[left++] = argv[i];
            continue;
        }
        if (sio_option_list[k].missing) {
            (void)snprintf(why, sizeof why, "%s: not built in", argv[i]);
            return why;
        }
        if (sio_option_list[k].flag) {
            *sio_option_list[k].flag = true;
            continue;
        }
        if (i + 1 == *argc) {
            (void)snprintf(why, sizeof why, "option %s needs a value", argv[i]);
            return why;
        }
        i++;
        if (sio_option_list[k].words) *sio_option_list[k].words = argv[i];
        if (sio_option_list[k].number) {
            char *end;
            *sio_option_list[k].number = strtol(argv[i], &end, 10);
            if (*end || *sio_option_list[k].number < 0) {
                (void)snprintf(why, sizeof why, "bad value for %.40s: %.40s",
                               sio_option_list[k].name, argv[i]);
                return why;
            }
        }
    }
    *argc = left;
    argv[left] = NULL;
    return NULL;
}

/* How servers hear each other. Below 0: the option says no way that there is. `precise` is ours. */
static wshub_sio_bus_mode sio_mode(void) {
    static const char *const ways[] = {"patterns", "precise", "dynamic", "static",
                                       "dynamic-private"};
    int i;
    if (!opt.sharded) return WSHUB_SIO_BUS_PATTERNS;
    for (i = 0; i < 5; i++) {
        if (strcmp(opt.sharded, ways[i]) == 0) return (wshub_sio_bus_mode)i;
    }
    return (wshub_sio_bus_mode)-1;
}

/* ---- words ---- */

enum { ROOM = 60000, NAMES = 64 };

/* Where the log goes: a test that plays this application in memory listens there. */
static void (*log_to)(const char *what, const char *more);

static void say_log(const char *what, const char *more) {
    if (log_to) log_to(what, more);
    if (opt.log) (void)fprintf(stderr, "sio [\"%s\"%s]\n", what, more);
}

/* An event with arguments that are JSON already. */
static wshub_packet packet_of(const char *event, const wshub_str *args, size_t count) {
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z(event);
    packet.args = args;
    packet.args_count = count;
    return packet;
}

static wshub_err say(wshub_sio *sio, wshub_client c, const char *event, const wshub_str *args,
                     size_t count) {
    wshub_packet packet = packet_of(event, args, count);
    return wshub_sio_send(sio, c, &packet);
}

static wshub_err say_text(wshub_sio *sio, wshub_client c, const char *event, const char *json) {
    wshub_str arg = wshub_str_z(json);
    return say(sio, c, event, &arg, json[0] ? 1 : 0);
}

/* Answers with one argument of JSON; an empty words: none. */
static void answer_text(wshub_sio *sio, wshub_sio_ack ack, const char *json) {
    wshub_str arg = wshub_str_z(json);
    wshub_packet packet = packet_of("", &arg, json[0] ? 1 : 0);
    (void)wshub_sio_answer(sio, ack, &packet);
}

/* A list of names: a string, or an array of strings. False: neither. */
typedef struct names {
    wshub_str list[NAMES];
    size_t count;
    char words[8000];
    size_t used;
} names;

static bool names_add(names *to, wshub_str json) {
    size_t len;
    if (to->count == NAMES || wshub_json_type(json) != WSHUB_JSON_STRING) return false;
    len = wshub_json_text(json, to->words + to->used, sizeof to->words - to->used);
    if (len > sizeof to->words - to->used) return false;
    to->list[to->count].ptr = to->words + to->used;
    to->list[to->count++].len = len;
    to->used += len;
    return true;
}

static bool names_read(names *to, wshub_str json) {
    wshub_iter it = {0, 0};
    wshub_str value;
    to->count = to->used = 0;
    if (wshub_json_type(json) == WSHUB_JSON_STRING) return names_add(to, json);
    if (wshub_json_type(json) != WSHUB_JSON_ARRAY) return false;
    while (wshub_json_each(json, &it, &value))
        if (!names_add(to, value)) return false;
    return true;
}

static int by_bytes(const void *a, const void *b) {
    const wshub_str *x = (const wshub_str *)a, *y = (const wshub_str *)b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

/* The rooms of a socket, as JSON. */
static void rooms_text(wshub_sio *sio, wshub_client c, char *buf, size_t cap) {
    wshub *hub = wshub_sio_hub(sio);
    static wshub_str rooms[4096];
    wshub_iter it = {0, 0};
    wshub_json_writer w;
    wshub_str room, out;
    size_t n = 0, i;
    while (n < 4096 && wshub_client_each_room(hub, c, &it, &room)) rooms[n++] = room;
    qsort(rooms, n, sizeof rooms[0], by_bytes);
    for (i = 1; i < n; i++) { /* its own first, as it was joined first */
        if (!wshub_str_eq(rooms[i], wshub_client_id(hub, c))) continue;
        room = rooms[i];
        memmove(rooms + 1, rooms, i * sizeof rooms[0]);
        rooms[0] = room;
        break;
    }
    wshub_json_begin(&w, buf, cap - 1);
    wshub_json_put_array(&w, NULL);
    for (i = 0; i < n; i++) wshub_json_put_str(&w, NULL, rooms[i]);
    wshub_json_put_end(&w);
    buf[wshub_json_done(&w, &out) ? 0 : out.len] = 0;
}

/* A target: rooms, except, and how it is said. False: of another shape. */
typedef struct target {
    names rooms, except;
    wshub_dest dest;
    uint32_t flags;
    bool local;
} target;

static bool target_read(target *t, wshub_str json) {
    wshub_str rooms = wshub_json_get(json, "rooms"), except = wshub_json_get(json, "except");
    bool yes;
    memset(&t->dest, 0, sizeof t->dest);
    t->flags = 0;
    t->local = false;
    t->rooms.count = t->except.count = 0;
    t->dest.kind = WSHUB_DEST_ALL;
    if (wshub_json_type(json) != WSHUB_JSON_OBJECT) return false;
    if (rooms.ptr && !names_read(&t->rooms, rooms)) return false;
    if (except.ptr && !names_read(&t->except, except)) return false;
    if (t->rooms.count) {
        t->dest.kind = WSHUB_DEST_ROOM;
        t->dest.rooms = t->rooms.list;
        t->dest.rooms_count = t->rooms.count;
    }
    t->dest.except_rooms = t->except.list;
    t->dest.except_rooms_count = t->except.count;
    if (wshub_json_bool(wshub_json_get(json, "volatile"), &yes) && yes)
        t->flags |= WSHUB_PACKET_VOLATILE;
    if (wshub_json_bool(wshub_json_get(json, "compress"), &yes))
        t->flags |= yes ? WSHUB_PACKET_COMPRESS : WSHUB_PACKET_NO_COMPRESS;
    if (wshub_json_bool(wshub_json_get(json, "local"), &yes)) t->local = yes;
    return true;
}

/* What stands behind the first `skip` arguments, as an event whose name is the next. */
static bool rest_read(const wshub_sio_event *e, size_t skip, char name[256], wshub_packet *out) {
    size_t len;
    if (e->args_count <= skip || wshub_json_copy(e->args[skip], name, 256, &len)) return false;
    memset(out, 0, sizeof *out);
    out->event.ptr = name;
    out->event.len = len;
    out->args = e->args + skip + 1;
    out->args_count = e->args_count - skip - 1;
    out->attachments = e->attachments;
    out->attachments_count = e->attachments_count;
    return true;
}

static wshub_dest to_rooms(const names *rooms) {
    wshub_dest dest;
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ROOM;
    dest.rooms = rooms->list;
    dest.rooms_count = rooms->count;
    return dest;
}

/* ---- what the application does, in a table ---- */

typedef struct act {
    wshub_sio *sio;
    wshub_client c;
    const wshub_sio_event *e;
    wshub_sio_namespace space;
    wshub_str id; /* of the sender */
    char name[256];
    wshub_packet rest; /* where it is used */
    names list;
    target to;
} act;

static void act_echo(act *a) {
    wshub_packet packet = packet_of("echo", a->e->args, a->e->args_count);
    packet.attachments = a->e->attachments;
    packet.attachments_count = a->e->attachments_count;
    if (a->e->ack.id)
        (void)wshub_sio_answer(a->sio, a->e->ack, &packet);
    else
        (void)wshub_sio_send(a->sio, a->c, &packet);
}

typedef struct later {
    wshub_sio *sio;
    wshub_client c;
    wshub_sio_ack ack;
    char *args; /* an array */
    size_t len;
    uint8_t *bytes[10]; /* of its attachments */
    wshub_span spans[10];
    size_t spans_count;
} later;

static void got_it(wshub_sio *sio, const wshub_sio_answers *answers, void *user) {
    later *l = (later *)user;
    uint64_t five;
    wshub_str yes;
    bool truth = true;
    if (!answers->error && answers->args_count >= 2 && wshub_json_uint(answers->args[0], &five) &&
        five == 5) {
        yes = wshub_json_get(answers->args[1], "test");
        if (wshub_json_bool(yes, &truth)) yes.ptr = truth ? yes.ptr : NULL;
        if (yes.ptr) (void)say(sio, l->c, "got it", NULL, 0);
    }
    free(l);
}

static later *later_new(act *a) {
    later *l = (later *)calloc(1, sizeof *l);
    if (!l) exit(1);
    l->sio = a->sio;
    l->c = a->c;
    l->ack = a->e->ack;
    return l;
}

static void act_ack(act *a) {
    wshub_packet packet = packet_of("ack", NULL, 0);
    bool never = opt.suite && strcmp(opt.suite, "sio-client") == 0; /* the suite's own server */
    if (a->e->ack.id && !never) {
        act_echo(a);
    } else {
        later *l = later_new(a);
        if (wshub_sio_ask(a->sio, a->c, &packet, 0, got_it, l)) free(l);
    }
}
static void act_ack2(act *a) {
    answer_text(a->sio, a->e->ack, "1");
    answer_text(a->sio, a->e->ack, "2");
}

static void slow_due(wshub *hub, void *arg) {
    later *l = (later *)arg;
    wshub_str args[NAMES], value;
    wshub_packet packet;
    wshub_iter it = {0, 0};
    wshub_str array;
    size_t n = 0;
    (void)hub;
    memset(args, 0, sizeof args);
    array.ptr = l->args;
    array.len = l->len;
    while (n < NAMES && wshub_json_each(array, &it, &value)) args[n++] = value;
    packet = packet_of("", args + 2, n > 2 ? n - 2 : 0);
    packet.attachments = l->spans;
    packet.attachments_count = l->spans_count;
    (void)wshub_sio_answer(l->sio, l->ack, &packet);
    while (l->spans_count) free(l->bytes[--l->spans_count]);
    free(l->args);
    free(l);
}
static void act_slow_ack(act *a) {
    uint64_t ms;
    later *l;
    if (!a->e->args_count || !wshub_json_uint(a->e->args[0], &ms)) return;
    l = later_new(a);
    l->len = a->e->raw.len;
    l->args = (char *)malloc(l->len);
    if (!l->args) exit(1);
    memcpy(l->args, a->e->raw.ptr, l->len);
    for (; l->spans_count < a->e->attachments_count && l->spans_count < 10; l->spans_count++) {
        wshub_span span = a->e->attachments[l->spans_count];
        l->bytes[l->spans_count] = (uint8_t *)malloc(span.len + 1);
        if (!l->bytes[l->spans_count]) exit(1);
        if (span.len) memcpy(l->bytes[l->spans_count], span.ptr, span.len);
        l->spans[l->spans_count].ptr = l->bytes[l->spans_count];
        l->spans[l->spans_count].len = span.len;
    }
    (void)wshub_timer_start(wshub_sio_hub(a->sio), ms, slow_due, l, NULL);
}

static void asked(wshub_sio *sio, const wshub_sio_answers *answers, void *user) {
    later *l = (later *)user;
    wshub_packet packet = packet_of("asked", answers->args, answers->args_count);
    char words[100];
    packet.attachments = answers->attachments;
    packet.attachments_count = answers->attachments_count;
    if (answers->error) {
        (void)snprintf(words, sizeof words, "\"%s\"", answers->error);
        (void)say_text(sio, l->c, "asked", words);
    } else {
        (void)wshub_sio_send(sio, l->c, &packet);
    }
    free(l);
}
static void act_ask(act *a) {
    later *l;
    if (!rest_read(a->e, 0, a->name, &a->rest)) return;
    l = later_new(a);
    if (wshub_sio_ask(a->sio, a->c, &a->rest, 0, asked, l)) free(l);
}
static void act_ask_timeout(act *a) {
    wshub_packet packet = packet_of("q", NULL, 0);
    uint64_t ms;
    later *l;
    if (!a->e->args_count || !wshub_json_uint(a->e->args[0], &ms)) return;
    l = later_new(a);
    if (wshub_sio_ask(a->sio, a->c, &packet, (uint32_t)ms, asked, l)) free(l);
}
static void act_bin(act *a) {
    static const wshub_span bytes[] = {{(const uint8_t *)"\1\2\3", 3}, {(const uint8_t *)"\4", 1}};
    static const wshub_str args[] = {{"{\"_placeholder\":true,\"num\":0}", 29},
                                     {"{\"x\":[{\"_placeholder\":true,\"num\":1}]}", 37}};
    wshub_packet packet = packet_of("bin", args, 2);
    packet.attachments = bytes;
    packet.attachments_count = 2;
    (void)wshub_sio_send(a->sio, a->c, &packet);
}
static void act_many(act *a) {
    uint64_t n, i;
    char words[24];
    if (!a->e->args_count || !wshub_json_uint(a->e->args[0], &n)) return;
    for (i = 0; i < n; i++) {
        (void)snprintf(words, sizeof words, "%llu", (unsigned long long)i);
        (void)say_text(a->sio, a->c, "n", words);
    }
}
static void act_burst(act *a) {
    uint64_t n, size, i;
    static char words[ROOM];
    char number[24];
    wshub_str args[2] = {{NULL, 0}, {NULL, 0}};
    wshub_packet packet = packet_of("burst", args, 2);
    if (a->e->args_count < 3 || !target_read(&a->to, a->e->args[0]) ||
        !wshub_json_uint(a->e->args[1], &n) || !wshub_json_uint(a->e->args[2], &size) ||
        size + 2 > sizeof words)
        return;
    memset(words, 'x', (size_t)size + 2);
    words[0] = words[size + 1] = '"';
    args[1].ptr = words;
    args[1].len = (size_t)size + 2;
    packet.flags = a->to.flags;
    for (i = 0; i < n; i++) {
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)i);
        args[0] = wshub_str_z(number);
        if (a->to.local)
            (void)wshub_sio_emit_here(a->sio, a->space, &a->to.dest, &packet);
        else
            (void)wshub_sio_emit(a->sio, a->space, &a->to.dest, &packet);
    }
}
static void act_attach(act *a) {
    static char words[99][40];
    wshub_span bytes[99];
    wshub_json_writer w;
    wshub_packet packet;
    wshub_str args[99];
    uint64_t n;
    size_t count = 0, i;
    if (!a->e->args_count || !wshub_json_uint(a->e->args[0], &n) || n > 99) return;
    for (i = 0; i < n; i++) {
        wshub_json_begin(&w, words[i], sizeof words[i]);
        (void)wshub_sio_put_bytes(&w, NULL, bytes, 99, &count, "x", 1);
        if (wshub_json_done(&w, &args[i])) return;
    }
    packet = packet_of("attach", args, count);
    packet.attachments = bytes;
    packet.attachments_count = count;
    answer_text(a->sio, a->e->ack,
                wshub_sio_send(a->sio, a->c, &packet) ? "{\"ok\":false}" : "{\"ok\":true}");
}
static void act_emit_named(act *a) {
    if (!rest_read(a->e, 0, a->name, &a->rest)) return;
    a->rest.args_count = 0;
    answer_text(a->sio, a->e->ack,
                wshub_sio_send(a->sio, a->c, &a->rest) ? "{\"ok\":false}" : "{\"ok\":true}");
}
static void act_rooms(act *a) {
    static char words[ROOM];
    rooms_text(a->sio, a->c, words, sizeof words);
    answer_text(a->sio, a->e->ack, words);
}
static void act_join_leave(act *a, bool joins) {
    static char words[ROOM];
    size_t i;
    if (!a->e->args_count || !names_read(&a->list, a->e->args[0])) return;
    for (i = 0; i < a->list.count; i++) {
        if (joins)
            (void)wshub_client_join(wshub_sio_hub(a->sio), a->c, a->list.list[i]);
        else
            (void)wshub_client_leave(wshub_sio_hub(a->sio), a->c, a->list.list[i]);
    }
    rooms_text(a->sio, a->c, words, sizeof words);
    if (a->e->ack.id)
        answer_text(a->sio, a->e->ack, words);
    else
        (void)say_text(a->sio, a->c, "rooms", words);
}
static void act_join(act *a) {
    act_join_leave(a, true);
}
static void act_leave(act *a) {
    act_join_leave(a, false);
}
static void act_to_in(act *a, bool others) {
    wshub_dest dest;
    if (a->e->args_count < 2 || !names_read(&a->list, a->e->args[0]) ||
        !rest_read(a->e, 1, a->name, &a->rest))
        return;
    dest = to_rooms(&a->list);
    dest.exclude = &a->id;
    dest.exclude_count = others ? 1 : 0;
    (void)wshub_sio_emit(a->sio, a->space, &dest, &a->rest);
}
static void act_to(act *a) {
    act_to_in(a, true);
}
static void act_in(act *a) {
    act_to_in(a, false);
}
static void act_bcast_all(act *a, bool others) {
    wshub_dest dest;
    if (!rest_read(a->e, 0, a->name, &a->rest)) return;
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ALL;
    dest.exclude = &a->id;
    dest.exclude_count = others ? 1 : 0;
    (void)wshub_sio_emit(a->sio, a->space, &dest, &a->rest);
}
static void act_bcast(act *a) {
    act_bcast_all(a, true);
}
static void act_all(act *a) {
    act_bcast_all(a, false);
}
static void act_send(act *a) {
    if (a->e->args_count < 2 || !target_read(&a->to, a->e->args[0]) ||
        !rest_read(a->e, 1, a->name, &a->rest))
        return;
    a->rest.flags = a->to.flags;
    if (a->to.local)
        (void)wshub_sio_emit_here(a->sio, a->space, &a->to.dest, &a->rest);
    else
        (void)wshub_sio_emit(a->sio, a->space, &a->to.dest, &a->rest);
}
static void act_volatile_me(act *a) {
    if (!rest_read(a->e, 0, a->name, &a->rest)) return;
    a->rest.flags = WSHUB_PACKET_VOLATILE;
    (void)wshub_sio_send(a->sio, a->c, &a->rest);
}
static void act_data(act *a) {
    if (!a->e->args_count) return;
    (void)wshub_client_set_metadata(wshub_sio_hub(a->sio), a->c, a->e->args[0]);
    answer_text(a->sio, a->e->ack, "");
}

static const char *const handshake_keys[] = {"headers", "time", "address", "xdomain", "secure",
                                             "issued",  "url",  "query",   "auth"};

/* What is found is answered in room for all of it. */
static char *words_for(size_t bytes) {
    char *words = (char *)malloc(bytes);
    if (!words) exit(1);
    return words;
}

static int by_id(const void *a, const void *b) {
    return by_bytes(&((const wshub_sio_remote *)a)->id, &((const wshub_sio_remote *)b)->id);
}

/* The names of a handshake's members, in order. */
static void put_keys(wshub_json_writer *w, wshub_str handshake) {
    wshub_str list[NAMES], key, value;
    wshub_iter it = {0, 0};
    size_t n = 0, i;
    while (n < NAMES && wshub_json_each_member(handshake, &it, &key, &value)) list[n++] = key;
    qsort(list, n, sizeof list[0], by_bytes);
    wshub_json_put_array(w, "handshake");
    for (i = 0; i < n; i++) wshub_json_put_raw(w, NULL, list[i]);
    wshub_json_put_end(w);
}

static void put_error(wshub_json_writer *w, const char *error) {
    wshub_json_put_object(w, NULL);
    wshub_json_put_text(w, "error", error);
    wshub_json_put_end(w);
}

static void fetched(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    later *l = (later *)user;
    size_t bytes = 1000, n = found->sockets_count, i;
    wshub_sio_remote *list = (wshub_sio_remote *)words_for((n + 1) * sizeof *list);
    wshub_json_writer w;
    wshub_str out;
    char *words;
    for (i = 0; i < n; i++) {
        list[i] = found->sockets[i];
        bytes +=
            500 + 6 * list[i].id.len + list[i].rooms.len + list[i].data.len + list[i].handshake.len;
    }
    qsort(list, n, sizeof *list, by_id);
    words = words_for(bytes);
    wshub_json_begin(&w, words, bytes - 1);
    if (found->error) {
        put_error(&w, found->error);
    } else {
        wshub_json_put_array(&w, NULL);
        for (i = 0; i < n; i++) {
            wshub_json_put_object(&w, NULL);
            wshub_json_put_str(&w, "id", list[i].id);
            wshub_json_put_raw(&w, "rooms", list[i].rooms);
            wshub_json_put_raw(&w, "data", list[i].data);
            put_keys(&w, list[i].handshake);
            wshub_json_put_end(&w);
        }
        wshub_json_put_end(&w);
    }
    words[wshub_json_done(&w, &out) ? 0 : out.len] = 0;
    answer_text(sio, l->ack, words);
    free(words);
    free(list);
    free(l);
}
static void act_fetch(act *a) {
    later *l;
    if (!a->e->args_count || !target_read(&a->to, a->e->args[0])) return;
    l = later_new(a);
    if (wshub_sio_fetch(a->sio, a->space, &a->to.dest, fetched, l)) free(l);
}
static void act_sockets(act *a, bool joins) {
    static wshub_client found[1000];
    size_t n, i, k;
    if (a->e->args_count < 2 || !target_read(&a->to, a->e->args[0]) ||
        !names_read(&a->list, a->e->args[1]))
        return;
    answer_text(a->sio, a->e->ack, "true");
    if (!a->to.local) {
        (void)(joins ? wshub_sio_join_all : wshub_sio_leave_all)(a->sio, a->space, &a->to.dest,
                                                                 a->list.list, a->list.count);
        return;
    }
    n = wshub_sio_select(a->sio, a->space, &a->to.dest, found, 1000);
    for (i = 0; i < n && i < 1000; i++) {
        for (k = 0; k < a->list.count; k++) {
            if (joins)
                (void)wshub_client_join(wshub_sio_hub(a->sio), found[i], a->list.list[k]);
            else
                (void)wshub_client_leave(wshub_sio_hub(a->sio), found[i], a->list.list[k]);
        }
    }
}
static void act_sockets_join(act *a) {
    act_sockets(a, true);
}
static void act_sockets_leave(act *a) {
    act_sockets(a, false);
}
static void act_sockets_disconnect(act *a) {
    static wshub_client found[1000];
    bool close = false;
    size_t n, i;
    if (a->e->args_count < 1 || !target_read(&a->to, a->e->args[0])) return;
    if (a->e->args_count > 1) (void)wshub_json_bool(a->e->args[1], &close);
    answer_text(a->sio, a->e->ack, "true");
    if (!a->to.local) {
        (void)wshub_sio_disconnect_all(a->sio, a->space, &a->to.dest, close);
        return;
    }
    n = wshub_sio_select(a->sio, a->space, &a->to.dest, found, 1000);
    for (i = 0; i < n && i < 1000; i++) (void)wshub_sio_disconnect(a->sio, found[i], close);
}

/* Bytes as Node's JSON has them. */
static void put_answer(wshub_json_writer *w, const wshub_sio_answered *answered, wshub_str json) {
    wshub_span bytes;
    size_t i;
    if (!wshub_sio_bytes(answered->attachments, answered->attachments_count, json, &bytes)) {
        wshub_json_put_raw(w, NULL, json);
        return;
    }
    wshub_json_put_object(w, NULL);
    wshub_json_put_text(w, "type", "Buffer");
    wshub_json_put_array(w, "data");
    for (i = 0; i < bytes.len; i++) wshub_json_put_uint(w, NULL, bytes.ptr[i]);
    wshub_json_put_end(w);
    wshub_json_put_end(w);
}

static void asked_all(wshub_sio *sio, const wshub_sio_answers *answers, void *user) {
    later *l = (later *)user;
    static char words[ROOM];
    wshub_json_writer w;
    wshub_str out, first;
    size_t i;
    wshub_json_begin(&w, words, sizeof words - 1);
    wshub_json_put_object(&w, NULL);
    if (answers->error) wshub_json_put_text(&w, "error", answers->error);
    wshub_json_put_array(&w, "answers");
    for (i = 0; i < answers->answers_count; i++) {
        wshub_iter it = {0, 0};
        if (wshub_json_each(answers->answers[i].args, &it, &first))
            put_answer(&w, &answers->answers[i], first);
        else
            wshub_json_put_null(&w, NULL);
    }
    wshub_json_put_end(&w);
    wshub_json_put_end(&w);
    words[wshub_json_done(&w, &out) ? 0 : out.len] = 0;
    answer_text(sio, l->ack, words);
    free(l);
}
static void act_ask_all(act *a) {
    uint64_t ms;
    later *l;
    if (a->e->args_count < 3 || !target_read(&a->to, a->e->args[0]) ||
        !wshub_json_uint(a->e->args[1], &ms) || !rest_read(a->e, 2, a->name, &a->rest))
        return;
    l = later_new(a);
    if ((a->to.local ? wshub_sio_ask_all_here : wshub_sio_ask_all)(
            a->sio, a->space, &a->to.dest, &a->rest, (uint32_t)ms, asked_all, l))
        free(l);
}
static void act_sse(act *a) {
    if (!rest_read(a->e, 0, a->name, &a->rest)) return;
    a->rest.attachments_count = 0;
    (void)wshub_sio_server_emit(a->sio, a->space, &a->rest);
    answer_text(a->sio, a->e->ack, "true");
}
static void sse_answered(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    later *l = (later *)user;
    size_t bytes = 1000, i;
    wshub_json_writer w;
    wshub_str out;
    char *words;
    for (i = 0; i < found->answers_count; i++) bytes += found->answers[i].len + 1;
    words = words_for(bytes);
    wshub_json_begin(&w, words, bytes - 1);
    wshub_json_put_object(&w, NULL);
    if (found->error) wshub_json_put_text(&w, "error", found->error);
    wshub_json_put_array(&w, "answers");
    for (i = 0; i < found->answers_count; i++) wshub_json_put_raw(&w, NULL, found->answers[i]);
    wshub_json_put_end(&w);
    wshub_json_put_end(&w);
    words[wshub_json_done(&w, &out) ? 0 : out.len] = 0;
    answer_text(sio, l->ack, words);
    free(words);
    free(l);
}
static void act_sse_ask(act *a) {
    later *l;
    if (!rest_read(a->e, 0, a->name, &a->rest)) return;
    a->rest.attachments_count = 0;
    l = later_new(a);
    if (wshub_sio_server_ask(a->sio, a->space, &a->rest, sse_answered, l)) free(l);
}
static void rooms_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    later *l = (later *)user;
    size_t bytes = 1000, i;
    wshub_json_writer w;
    wshub_str out;
    char *words;
    for (i = 0; i < found->rooms_count; i++) bytes += 6 * found->rooms[i].len + 3;
    words = words_for(bytes);
    wshub_json_begin(&w, words, bytes - 1);
    if (found->error) {
        put_error(&w, found->error);
    } else {
        wshub_json_put_array(&w, NULL);
        for (i = 0; i < found->rooms_count; i++) wshub_json_put_str(&w, NULL, found->rooms[i]);
        wshub_json_put_end(&w);
    }
    words[wshub_json_done(&w, &out) ? 0 : out.len] = 0;
    answer_text(sio, l->ack, words);
    free(words);
    free(l);
}
static void act_all_rooms(act *a) {
    later *l = later_new(a);
    if (wshub_sio_all_rooms(a->sio, a->space, rooms_found, l)) free(l);
}
static void servers_counted(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    later *l = (later *)user;
    char words[24];
    (void)snprintf(words, sizeof words, "%u", (unsigned)found->servers);
    answer_text(sio, l->ack, words);
    free(l);
}
static void act_server_count(act *a) {
    later *l = later_new(a);
    if (wshub_sio_servers(a->sio, a->space, servers_counted, l)) free(l);
}

/* An event of another server: local clients hear of it; who asks is answered, unless it is
 * `silent`. */
static void on_server_event(wshub_sio *sio, const wshub_sio_server_event *e, void *user) {
    size_t bytes = 1000 + 6 * e->name.len, i;
    wshub_str args[NAMES], out, json = {NULL, 0};
    wshub_packet packet;
    wshub_json_writer w;
    char *words;
    (void)user;
    if (e->args_count >= NAMES) return;
    for (i = 0; i < e->args_count; i++) bytes += e->args[i].len + 1;
    words = words_for(2 * bytes);
    args[0].ptr = words;
    args[0].len = wshub_json_quote(e->name, words, bytes);
    for (i = 0; i < e->args_count; i++) args[1 + i] = e->args[i];
    packet = packet_of("sse", args, 1 + e->args_count);
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    (void)wshub_sio_emit_here(sio, e->to, NULL, &packet);
    if (e->reply.id && !wshub_str_eq_z(e->name, "silent")) {
        wshub_json_begin(&w, words + bytes, bytes);
        wshub_json_put_object(&w, NULL);
        wshub_json_put_text(&w, "from", opt.name);
        wshub_json_put_array(&w, "args");
        for (i = 0; i < 1 + e->args_count; i++) wshub_json_put_raw(&w, NULL, args[i]);
        wshub_json_put_end(&w);
        wshub_json_put_end(&w);
        if (!wshub_json_done(&w, &out)) json = out;
        (void)wshub_sio_server_answer(sio, e->reply, json);
    }
    free(words);
}

static void act_server(act *a) {
    char words[200];
    (void)snprintf(words, sizeof words, "{\"name\":\"%s\",\"pid\":%d,\"clients\":%d}", opt.name,
                   (int)getpid(), (int)wshub_sio_select(a->sio, a->space, NULL, NULL, 0));
    answer_text(a->sio, a->e->ack, words);
}
static void act_bye(act *a) {
    (void)wshub_sio_disconnect(a->sio, a->c, false);
}
static void act_bye_hard(act *a) {
    (void)wshub_sio_disconnect(a->sio, a->c, true);
}
static void act_drop(act *a) {
    (void)wshub_eio_close(wshub_sio_engine(a->sio), wshub_sio_session_of(a->sio, a->c));
}
static void act_transport(act *a) {
    wshub_eio_session session = wshub_sio_session_of(a->sio, a->c);
    bool polls = wshub_eio_transport_of(wshub_sio_engine(a->sio), session) == WSHUB_EIO_POLLING;
    answer_text(a->sio, a->e->ack, polls ? "\"polling\"" : "\"websocket\"");
}
static void act_recovered(act *a) {
    answer_text(a->sio, a->e->ack, wshub_sio_recovered(a->sio, a->c) ? "true" : "false");
}

/* The last value of a name in a query, if `name` is the first of that name there. Texts are compared
 * as they stand there. */
static bool query_last(const wshub_http *http, wshub_str name, wshub_str *out) {
    wshub_iter it = {0, 0};
    wshub_str other, value;
    bool seen = false;
    while (wshub_query_each(http->query, &it, &other, &value)) {
        if (!wshub_str_eq(other, name)) continue;
        if (!seen && other.ptr != name.ptr) return false;
        seen = true;
        *out = value;
    }
    return seen;
}

/* The query of a request as an object of texts: of several of a name the last counts. */
static void put_query(wshub_json_writer *w, const wshub_http *http) {
    wshub_iter it = {0, 0};
    wshub_str name, value;
    char key[200], words[2000];
    wshub_json_put_object(w, "query");
    while (wshub_query_each(http->query, &it, &name, &value)) {
        size_t n = wshub_percent_decode(name, true, key, sizeof key - 1), v = 0;
        wshub_str out;
        if (n >= sizeof key || !query_last(http, name, &value)) continue;
        if (value.ptr) v = wshub_percent_decode(value, true, words, sizeof words);
        if (v > sizeof words) continue;
        key[n] = 0;
        out.ptr = words;
        out.len = v;
        wshub_json_put_str(w, key, out);
    }
    wshub_json_put_end(w);
}

/* All header fields, their names in lower case. */
static void put_headers(wshub_json_writer *w, const char *name, const wshub_http *http) {
    char key[200];
    size_t i, k;
    wshub_json_put_object(w, name);
    for (i = 0; i < http->headers_count; i++) {
        const wshub_header *header = &http->headers[i];
        if (header->name.len >= sizeof key) continue;
        for (k = 0; k < header->name.len; k++)
            key[k] = (char)(header->name.ptr[k] >= 'A' && header->name.ptr[k] <= 'Z'
                                ? header->name.ptr[k] + 32
                                : header->name.ptr[k]);
        key[k] = 0;
        wshub_json_put_str(w, key, header->value);
    }
    wshub_json_put_end(w);
}

/* The handshake object (3.6). */
static void handshake_text(wshub_sio *sio, wshub_client c, char *buf, size_t cap) {
    wshub_sio_handshake h;
    wshub_json_writer w;
    wshub_str out;
    char time[24];
    buf[0] = 0;
    if (wshub_sio_handshake_of(sio, c, &h) || !h.http) return;
    wshub_json_begin(&w, buf, cap - 1);
    wshub_json_put_object(&w, NULL);
    put_headers(&w, "headers", h.http);
    wshub_iso_time(h.issued_ms, time);
    wshub_json_put_str(&w, "time", (wshub_str){time, 24});
    wshub_json_put_str(&w, "address", h.address);
    wshub_json_put_bool(&w, "xdomain", h.xdomain);
    wshub_json_put_bool(&w, "secure", h.secure);
    wshub_json_put_uint(&w, "issued", h.issued_ms);
    wshub_json_put_str(&w, "url", h.http->target);
    put_query(&w, h.http);
    wshub_json_put_raw(&w, "auth", h.auth);
    wshub_json_put_end(&w);
    buf[wshub_json_done(&w, &out) ? 0 : out.len] = 0;
}
static void act_whoami(act *a) {
    static char words[ROOM];
    wshub_sio_handshake h;
    wshub_json_writer w;
    wshub_str out;
    size_t i;
    if (wshub_sio_handshake_of(a->sio, a->c, &h) || !h.http) return;
    wshub_json_begin(&w, words, sizeof words - 1);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_array(&w, "handshake");
    for (i = 0; i < sizeof handshake_keys / sizeof handshake_keys[0]; i++)
        wshub_json_put_text(&w, NULL, handshake_keys[i]);
    wshub_json_put_end(&w);
    wshub_json_put_raw(&w, "auth", h.auth);
    put_query(&w, h.http);
    wshub_json_put_bool(&w, "connected", true);
    wshub_json_put_end(&w);
    words[wshub_json_done(&w, &out) ? 0 : out.len] = 0;
    answer_text(a->sio, a->e->ack, words);
}
static void act_get_id(act *a) {
    char words[40];
    (void)snprintf(words, sizeof words, "\"%.*s\"", (int)a->id.len, a->id.ptr);
    answer_text(a->sio, a->e->ack, words);
}
static void act_get_handshake(act *a) {
    static char words[ROOM];
    handshake_text(a->sio, a->c, words, sizeof words);
    answer_text(a->sio, a->e->ack, words);
}
static void act_stats(act *a) {
    wshub_eio_stats eio;
    wshub_sio_stats sio;
    wshub_iter it = {0, 0};
    wshub_str room;
    wshub *hub = wshub_sio_hub(a->sio);
    wshub_realm realm = wshub_sio_namespace_realm(a->sio, a->space);
    char words[300];
    int rooms = 0;
    wshub_client c;
    wshub_eio_stats_get(wshub_sio_engine(a->sio), &eio);
    wshub_sio_stats_get(a->sio, &sio);
    while (wshub_room_each_in(hub, realm, &it, &room))
        rooms += wshub_client_find_in(hub, realm, room, &c) != WSHUB_OK;
    (void)snprintf(words, sizeof words,
                   "{\"sessions\":%llu,\"clients\":%llu,\"rooms\":%d,\"namespaces\":%llu,"
                   "\"busDropped\":%llu,\"encDropped\":%llu}",
                   (unsigned long long)eio.sessions, (unsigned long long)sio.sockets, rooms,
                   (unsigned long long)sio.namespaces, (unsigned long long)sio.bus_dropped,
                   (unsigned long long)sio.refused);
    answer_text(a->sio, a->e->ack, words);
}
static void act_hi(act *a) {
    (void)say(a->sio, a->c, "hi", NULL, 0);
}
static void act_false(act *a) {
    (void)say_text(a->sio, a->c, "false", "false");
}
static void date_text(act *a, const char *around, char words[80]) {
    char time[24];
    wshub_iso_time(wshub_wall_ms(wshub_sio_hub(a->sio)), time);
    (void)snprintf(words, 80, around, 24, time);
}
static void act_get_ack_date(act *a) {
    char words[80];
    date_text(a, "\"%.*s\"", words);
    answer_text(a->sio, a->e->ack, words);
}
static void act_get_date(act *a) {
    char words[80];
    date_text(a, "\"%.*s\"", words);
    (void)say_text(a->sio, a->c, "takeDate", words);
}
static void act_get_date_obj(act *a) {
    char words[80];
    date_text(a, "{\"date\":\"%.*s\"}", words);
    (void)say_text(a->sio, a->c, "takeDateObj", words);
}
static void act_get_utf8(act *a) {
    static const char *const texts[] = {"\"てすと\"", "\"Я Б Г Д Ж Й\"", "\"Ä ä Ü ü ß\"",
                                        "\"utf8 — string\"", "\"utf8 — string\""};
    int i;
    for (i = 0; i < 5; i++) (void)say_text(a->sio, a->c, "takeUtf8", texts[i]);
}
static void say_bytes(act *a, const char *event) {
    static const wshub_span bytes[] = {{(const uint8_t *)"asdfasdf", 8}};
    static const wshub_str args[] = {{"{\"_placeholder\":true,\"num\":0}", 29}};
    wshub_packet packet = packet_of(event, args, 1);
    packet.attachments = bytes;
    packet.attachments_count = 1;
    (void)wshub_sio_send(a->sio, a->c, &packet);
}
static void act_doge(act *a) {
    say_bytes(a, "doge");
}
static void act_getbin(act *a) {
    say_bytes(a, "takebin");
}
static void if_bytes(act *a, const char *event, const char *member) {
    wshub_span bytes;
    wshub_str arg;
    if (!a->e->args_count) return;
    arg = member ? wshub_json_get(a->e->args[0], member) : a->e->args[0];
    if (arg.ptr && wshub_sio_bytes(a->e->attachments, a->e->attachments_count, arg, &bytes))
        (void)say(a->sio, a->c, event, NULL, 0);
}
static void act_buffa(act *a) {
    if_bytes(a, "buffack", NULL);
}
static void act_blob(act *a) {
    if_bytes(a, "back", NULL);
}
static void act_jsonbuff(act *a) {
    if_bytes(a, "jsonbuff-ack", "message");
}
static void act_jsonblob(act *a) {
    if_bytes(a, "jsonblob-ack", "message");
}
static int abuff, blobs;
static void act_abuff1(act *a) {
    abuff = a->e->attachments_count == 1;
}
static void act_abuff2(act *a) {
    if (abuff) (void)say(a->sio, a->c, "abuff2-ack", NULL, 0);
}
static void act_blob1(act *a) {
    blobs = a->e->attachments_count == 1;
}
static void act_blob2(act *a) {
    if (blobs == 1 && a->e->args_count && wshub_json_is(a->e->args[0], "second")) blobs = 2;
}
static void act_blob3(act *a) {
    if (blobs == 2 && a->e->attachments_count == 1) (void)say(a->sio, a->c, "blob3-ack", NULL, 0);
}

static const struct {
    const char *name;
    void (*fn)(act *a);
} acts[] = {
    {"echo", act_echo},
    {"ack", act_ack},
    {"ack2", act_ack2},
    {"slow-ack", act_slow_ack},
    {"ask", act_ask},
    {"ask-timeout", act_ask_timeout},
    {"bin", act_bin},
    {"many", act_many},
    {"burst", act_burst},
    {"attach", act_attach},
    {"emit-named", act_emit_named},
    {"join", act_join},
    {"leave", act_leave},
    {"rooms", act_rooms},
    {"to", act_to},
    {"in", act_in},
    {"bcast", act_bcast},
    {"all", act_all},
    {"send", act_send},
    {"volatile-me", act_volatile_me},
    {"data", act_data},
    {"fetch", act_fetch},
    {"sockets-join", act_sockets_join},
    {"sockets-leave", act_sockets_leave},
    {"sockets-disconnect", act_sockets_disconnect},
    {"ask-all", act_ask_all},
    {"sse", act_sse},
    {"sse-ask", act_sse_ask},
    {"all-rooms", act_all_rooms},
    {"server-count", act_server_count},
    {"server", act_server},
    {"bye", act_bye},
    {"bye-hard", act_bye_hard},
    {"drop", act_drop},
    {"transport", act_transport},
    {"recovered", act_recovered},
    {"whoami", act_whoami},
    {"getId", act_get_id},
    {"getHandshake", act_get_handshake},
    {"stats", act_stats},
    {"hi", act_hi},
    {"false", act_false},
    {"getAckDate", act_get_ack_date},
    {"getDate", act_get_date},
    {"getDateObj", act_get_date_obj},
    {"getUtf8", act_get_utf8},
    {"doge", act_doge},
    {"getbin", act_getbin},
    {"buffa", act_buffa},
    {"blob", act_blob},
    {"jsonbuff", act_jsonbuff},
    {"jsonblob", act_jsonblob},
    {"abuff1", act_abuff1},
    {"abuff2", act_abuff2},
    {"blob1", act_blob1},
    {"blob2", act_blob2},
    {"blob3", act_blob3},
};

static void on_event(wshub_sio *sio, wshub_client c, const wshub_sio_event *e, void *user) {
    static act a;
    size_t i;
    (void)user;
    a.sio = sio;
    a.c = c;
    a.e = e;
    a.space = wshub_sio_namespace_of(sio, c);
    a.id = wshub_client_id(wshub_sio_hub(sio), c);
    for (i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (!wshub_str_eq_z(e->name, acts[i].name)) continue;
        acts[i].fn(&a);
        return;
    }
}

/* ---- who comes and goes ---- */

static void on_connected(wshub_sio *sio, wshub_client c, void *user) {
    static char words[ROOM];
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, c));
    wshub_str id = wshub_client_id(wshub_sio_hub(sio), c);
    wshub_sio_handshake h;
    (void)user;
    if (!wshub_sio_handshake_of(sio, c, &h)) {
        (void)snprintf(words, sizeof words, ",\"%.*s\",\"%.*s\",%.*s,%s", (int)name.len, name.ptr,
                       (int)id.len, id.ptr, (int)h.auth.len, h.auth.ptr,
                       h.recovered ? "true" : "false");
        say_log("connection", words);
    }
    if (wshub_str_eq_z(name, "/abc")) {
        handshake_text(sio, c, words, sizeof words);
        (void)say_text(sio, c, "handshake", words);
    }
}
static void log_end(wshub_sio *sio, wshub_client c, const char *what, const char *reason,
                    bool with_rooms) {
    static char words[ROOM], rooms[ROOM / 2];
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, c));
    wshub_str id = wshub_client_id(wshub_sio_hub(sio), c);
    rooms[0] = 0;
    if (with_rooms) rooms_text(sio, c, rooms, sizeof rooms);
    (void)snprintf(words, sizeof words, ",\"%.*s\",\"%.*s\",\"%s\"%s%s", (int)name.len, name.ptr,
                   (int)id.len, id.ptr, reason, with_rooms ? "," : "", rooms);
    say_log(what, words);
}
static char going_name[300], going_id[40];
static void on_disconnecting(wshub_sio *sio, wshub_client c, const char *reason, void *user) {
    wshub_str id = wshub_client_id(wshub_sio_hub(sio), c);
    wshub_str name = wshub_sio_namespace_name(sio, wshub_sio_namespace_of(sio, c));
    (void)user;
    (void)snprintf(going_id, sizeof going_id, "%.*s", (int)id.len, id.ptr);
    (void)snprintf(going_name, sizeof going_name, "%.*s", (int)name.len, name.ptr);
    log_end(sio, c, "disconnecting", reason, true);
}
static void on_disconnected(wshub_sio *sio, wshub_client c, const char *reason, void *user) {
    char words[600];
    (void)sio, (void)c, (void)user;
    (void)snprintf(words, sizeof words, ",\"%s\",\"%s\",\"%s\"", going_name, going_id, reason);
    say_log("disconnect", words);
}
static void on_error(wshub_sio *sio, wshub_client c, const char *words, void *user) {
    log_end(sio, c, "error", words, false);
    (void)user;
}
static void on_session_closed(wshub_sio *sio, wshub_eio_reason reason, void *user) {
    char words[80];
    (void)sio, (void)user;
    (void)snprintf(words, sizeof words, ",\"%s\"", wshub_eio_reason_text(reason));
    say_log("close", words);
}
static void on_refused(wshub_eio *eio, wshub_eio_refusal code, const char *message, void *user) {
    char words[300];
    (void)eio, (void)user;
    (void)snprintf(words, sizeof words, ",%d,\"%.200s\"", (int)code, message);
    say_log("connection_error", words);
}

/* ---- middlewares ---- */

static wshub_str nothing(void) {
    wshub_str none = {NULL, 0};
    return none;
}
static void connect_root(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                         void *user) {
    char words[100];
    (void)user;
    if (h->http && !wshub_query_copy(h->http->query, "fail", words, sizeof words, NULL) && words[0])
        (void)wshub_sio_refuse(sio, ask, "Auth failed (main namespace)", nothing());
    else
        (void)wshub_sio_accept(sio, ask, NULL);
}
static bool truthy(wshub_str json) {
    bool yes;
    double number;
    if (!json.ptr) return false;
    if (wshub_json_bool(json, &yes)) return yes;
    if (wshub_json_type(json) == WSHUB_JSON_NULL) return false;
    if (wshub_json_type(json) == WSHUB_JSON_NUMBER)
        return !wshub_json_double(json, &number) && (number < 0 || number > 0);
    return json.len > 2 || wshub_json_type(json) != WSHUB_JSON_STRING;
}
static void connect_mw(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                       void *user) {
    (void)user;
    if (wshub_json_is(wshub_json_get(h->auth, "token"), "ok"))
        (void)wshub_sio_accept(sio, ask, NULL);
    else
        (void)wshub_sio_refuse(sio, ask, "not authorized",
                               truthy(wshub_json_get(h->auth, "data")) ? wshub_str_z("{\"code\":7}")
                                                                       : nothing());
}
typedef struct slow {
    struct slow *next;
    wshub_sio *sio;
    wshub_sio_ask_id ask;
} slow;
static slow *slows; /* that wait for their timer, which a hub that ends does not call */
static void slow_free(slow *s) {
    slow **link = &slows;
    while (*link != s) link = &(*link)->next;
    *link = s->next;
    free(s);
}
static void slow_accept(wshub *hub, void *arg) {
    slow *s = (slow *)arg;
    (void)hub;
    (void)wshub_sio_accept(s->sio, s->ask, NULL);
    slow_free(s);
}
static void connect_slow(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                         void *user) {
    slow *s = (slow *)malloc(sizeof *s);
    (void)h, (void)user;
    if (!s) exit(1);
    s->sio = sio;
    s->ask = ask;
    s->next = slows;
    slows = s;
    (void)wshub_timer_start(wshub_sio_hub(sio), 150, slow_accept, s, NULL);
}
static void connect_no(wshub_sio *sio, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                       void *user) {
    (void)h, (void)user;
    (void)wshub_sio_refuse(sio, ask, "Auth failed (custom namespace)", nothing());
}
static bool packet_pkt(wshub_sio *sio, wshub_client c, const wshub_sio_event *e, void *user) {
    (void)user;
    if (!wshub_str_eq_z(e->name, "bad")) return true;
    log_end(sio, c, "error", "blocked", false);
    return false;
}
static bool is_dyn(wshub_sio *sio, wshub_str name, void *user) {
    size_t i;
    (void)sio, (void)user;
    if (name.len < 6 || memcmp(name.ptr, "/dyn-", 5) != 0) return false;
    for (i = 5; i < name.len; i++)
        if (name.ptr[i] < '0' || name.ptr[i] > '9') return false;
    return true;
}

/* ---- the engine's part ---- */

typedef struct admit {
    wshub_eio *eio;
    wshub_exchange exchange;
} admit;
static void admit_due(wshub *hub, void *arg) {
    admit *a = (admit *)arg;
    (void)hub;
    (void)wshub_eio_admit(a->eio, a->exchange);
    free(a);
}
static bool allow_later(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                        void *user) {
    admit *a = (admit *)malloc(sizeof *a);
    (void)http, (void)user;
    if (!a) exit(1);
    a->eio = eio;
    a->exchange = exchange;
    (void)wshub_timer_start(wshub_eio_hub(eio), (uint64_t)opt.allow_delay, admit_due, a, NULL);
    return false;
}
static bool client_file(wshub_eio *eio, wshub_exchange exchange, const wshub_http *http,
                        void *user) {
    static char *words;
    static size_t len;
    wshub_reply reply;
    (void)user;
    if (http->path.len < 13 || memcmp(http->path.ptr + http->path.len - 13, "/socket.io.js", 13))
        return false;
    if (!words) {
        FILE *f = fopen(opt.client, "rb");
        if (!f) return false;
        words = (char *)malloc(4000000);
        len = words ? fread(words, 1, 4000000, f) : 0;
        (void)fclose(f);
    }
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    reply.content_type = "application/javascript; charset=utf-8";
    reply.body.ptr = words;
    reply.body.len = len;
    (void)wshub_http_reply(wshub_eio_hub(eio), exchange, &reply);
    return true;
}

static wshub_eio_cors cors;
static const char *origins[32];
static wshub_eio_desc engine_desc(const char *path) {
    wshub_eio_desc d;
    static char list[2000];
    char *at, *next;
    memset(&d, 0, sizeof d);
    d.path = path;
    d.ping_interval_ms = (uint32_t)opt.ping_interval;
    d.ping_timeout_ms = (uint32_t)opt.ping_timeout;
    d.upgrade_timeout_ms = (uint32_t)opt.upgrade_timeout;
    d.message_bytes_max = (uint32_t)opt.max_buffer;
    d.session_bytes_max = (uint32_t)opt.max_queue;
    d.no_upgrade = opt.no_upgrade;
    d.cookie = opt.cookie;
    d.on_refused = on_refused;
#ifdef FIXTURE_DEFLATE
    if (opt.http_compression) d.deflate = wshub_deflate_zlib();
#endif
    if (opt.transports) {
        d.no_polling = !strstr(opt.transports, "polling");
        d.no_websocket = !strstr(opt.transports, "websocket");
    }
    if (opt.allow_delay) d.allow = allow_later;
    if (opt.client) d.on_file = client_file;
    if (opt.cors) {
        cors.credentials = opt.credentials;
        cors.origins = origins;
        cors.origins_count = 0;
        (void)snprintf(list, sizeof list, "%s", opt.cors);
        for (at = list; at && strcmp(opt.cors, "reflect") != 0; at = next) {
            next = strchr(at, ',');
            if (next) *next++ = 0;
            if (cors.origins_count < 32) origins[cors.origins_count++] = at;
        }
        d.cors = &cors;
    }
    return d;
}

static void eio_echo(wshub_eio *eio, wshub_eio_session session, const uint8_t *bytes, size_t count,
                     bool words, void *user) {
    (void)user;
    if (words && count == 6 && memcmp(bytes, "!close", 6) == 0) {
        (void)wshub_eio_close(eio, session);
    } else if (words && count == 11 && memcmp(bytes, "!send-close", 11) == 0) {
        (void)wshub_eio_send(eio, session, "x", 1, true);
        (void)wshub_eio_send(eio, session, "\1\2\3", 3, false);
        (void)wshub_eio_close(eio, session);
    } else {
        (void)wshub_eio_send(eio, session, bytes, count, words);
    }
}
static void eio_closed(wshub_eio *eio, wshub_eio_session session, wshub_eio_reason reason,
                       void *user) {
    char words[80];
    (void)eio, (void)session, (void)user;
    (void)snprintf(words, sizeof words, ",\"%s\"", wshub_eio_reason_text(reason));
    say_log("close", words);
}

/* ---- the protocol's suite ---- */

static void suite_connected(wshub_sio *sio, wshub_client c, void *user) {
    wshub_sio_handshake h;
    (void)user;
    if (!wshub_sio_handshake_of(sio, c, &h)) (void)say(sio, c, "auth", &h.auth, 1);
}
static void suite_asked(wshub_sio *sio, const wshub_sio_answers *answers, void *user) {
    later *l = (later *)user;
    wshub_packet packet = packet_of("emit-with-ack", answers->args, answers->args_count);
    packet.attachments = answers->attachments;
    packet.attachments_count = answers->attachments_count;
    if (!answers->error) (void)wshub_sio_send(sio, l->c, &packet);
    free(l);
}
static void suite_event(wshub_sio *sio, wshub_client c, const wshub_sio_event *e, void *user) {
    wshub_packet packet = packet_of("message-back", e->args, e->args_count);
    (void)user;
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    if (wshub_str_eq_z(e->name, "message")) (void)wshub_sio_send(sio, c, &packet);
    if (wshub_str_eq_z(e->name, "message-with-ack")) (void)wshub_sio_answer(sio, e->ack, &packet);
    if (wshub_str_eq_z(e->name, "emit-with-ack")) {
        act a;
        later *l;
        a.sio = sio;
        a.c = c;
        a.e = e;
        l = later_new(&a);
        packet.event = e->name;
        if (wshub_sio_ask(sio, c, &packet, 0, suite_asked, l)) free(l);
    }
}

/* ---- the suite of the client of Engine.IO ---- */

static bool client_allow(wshub_eio *to, wshub_exchange exchange, const wshub_http *http,
                         void *user) {
    char value[8];
    (void)user;
    if (wshub_query_copy(http->query, "deny", value, sizeof value, NULL) == WSHUB_ERR_ABSENT)
        return true;
    (void)wshub_eio_refuse(to, exchange, NULL);
    return false;
}
static void client_open(wshub_eio *to, wshub_eio_session session, void *user) {
    (void)user;
    (void)wshub_eio_send(to, session, "hi", 2, true);
}
static bool said(const uint8_t *bytes, size_t count, const char *what) {
    return count == strlen(what) && memcmp(bytes, what, count) == 0;
}
static void send_headers(wshub_eio *to, wshub_eio_session session) {
    static char words[ROOM];
    const wshub_http *post = wshub_eio_carrier(to);
    wshub_json_writer w;
    wshub_str out;
    if (!post) return;
    wshub_json_begin(&w, words, sizeof words);
    put_headers(&w, NULL, post);
    if (!wshub_json_done(&w, &out)) (void)wshub_eio_send(to, session, out.ptr, out.len, true);
}
static void client_message(wshub_eio *to, wshub_eio_session session, const uint8_t *bytes,
                           size_t count, bool is_text, void *user) {
    static const char utf8[] = "пойду спать всем спокойной ночи";
    if (is_text && said(bytes, count, "give binary"))
        (void)wshub_eio_send(to, session, "\0\1\2\3\4", 5, false);
    else if (is_text && said(bytes, count, "give utf8"))
        (void)wshub_eio_send(to, session, utf8, sizeof utf8 - 1, true);
    else if (is_text && said(bytes, count, "sendHeaders"))
        send_headers(to, session);
    else
        eio_echo(to, session, bytes, count, is_text, user);
}
static void client_answer(wshub_eio *to, wshub_eio_session session, bool first, wshub_headers *more,
                          void *user) {
    static const char *const cookies[] = {
        "1=1; Max-Age=86400", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict", "3=3; Max-Age=0"};
    char expires[80], date[30];
    size_t i;
    (void)session, (void)user;
    if (!first) return;
    for (i = 0; i < 3; i++)
        (void)wshub_headers_add(more, wshub_str_z("Set-Cookie"), wshub_str_z(cookies[i]));
    (void)wshub_http_date_write((int64_t)(wshub_wall_ms(wshub_eio_hub(to)) / 1000), date);
    (void)snprintf(expires, sizeof expires, "4=4; Expires=%.29s", date);
    (void)wshub_headers_add(more, wshub_str_z("Set-Cookie"), wshub_str_z(expires));
}
static wshub_err mount_client(wshub *hub, wshub_eio **out) {
    wshub_eio_desc d;
    memset(&d, 0, sizeof d);
    d.path = "/engine.io/";
    d.ping_interval_ms = 500;
    d.ping_timeout_ms = 20000;
    d.message_bytes_max = 100;
    d.allow = client_allow;
    d.on_open = client_open;
    d.on_message = client_message;
    d.on_answer = client_answer;
    d.on_close = eio_closed;
    return wshub_eio_create(hub, &d, out);
}

/* ---- mounts ---- */

static wshub_sio *sio_mount;
static wshub_eio *eio_mount;

static wshub_err add(wshub_sio *to, wshub_sio_namespace_desc d, const char *name) {
    d.name = name;
    d.user = (void *)(uintptr_t)name;
    if (!d.on_event) d.on_event = on_event;
    if (!d.on_connected) d.on_connected = on_connected;
    d.on_disconnecting = on_disconnecting;
    d.on_disconnected = on_disconnected;
    d.on_error = on_error;
    d.on_server_event = on_server_event;
    return wshub_sio_namespace_add(to, &d, NULL);
}
#define SPACE(...) ((wshub_sio_namespace_desc){__VA_ARGS__})

static wshub_err mount_sio(wshub *hub, const char *path) {
    static const char *const plain[] = {"/custom",         "/foo", "/valid", "/asd",
                                        "/timeout_socket", "/abc"};
    wshub_sio_desc d;
    wshub_err err;
    size_t i;
    memset(&d, 0, sizeof d);
    d.engine = engine_desc(path);
    d.connect_timeout_ms = (uint32_t)opt.connect_timeout;
    d.packet_bytes_max = (uint32_t)opt.max_packet;
    d.recovery_ms = (uint32_t)opt.recovery;
    d.keep_http = true;
    d.on_session_closed = on_session_closed;
    d.bus = on_redis;
    d.requests_timeout_ms = (uint32_t)opt.requests_timeout;
    d.specific_responses = opt.specific_response;
    d.bus_key = opt.key;
    d.bus_mode = sio_mode();
    if ((int)d.bus_mode < 0) return WSHUB_ERR_PARAM;
    err = wshub_sio_create(hub, &d, &sio_mount);
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_root), "/");
    for (i = 0; i < sizeof plain / sizeof plain[0] && !err; i++)
        err = add(sio_mount, SPACE(0), plain[i]);
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_mw), "/mw");
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_slow), "/slow");
    if (!err) err = add(sio_mount, SPACE(.on_packet = packet_pkt), "/pkt");
    if (!err) err = add(sio_mount, SPACE(.on_connect = connect_no), "/no");
    if (!err) err = add(sio_mount, SPACE(.matches = is_dyn), "/dyn-");
    return err;
}

static wshub_err mount_eio(wshub *hub, const char *path) {
    wshub_eio_desc d = engine_desc(path);
    d.on_message = eio_echo;
    d.on_close = eio_closed;
    return wshub_eio_create(hub, &d, &eio_mount);
}

static wshub_err mount_suite(wshub *hub, const char *name) {
    wshub_sio_desc d;
    wshub_err err;
    if (strcmp(name, "sio-client") == 0) {
        opt.ping_interval = 2000;
        opt.allow_delay = 10;
        opt.recovery = 120000;
        return mount_sio(hub, "/socket.io/");
    }
    if (strcmp(name, "eio-client") == 0) return mount_client(hub, &eio_mount);
    if (strcmp(name, "protocol") != 0) return WSHUB_ERR_PARAM;
    opt.ping_interval = 300;
    opt.ping_timeout = 200;
    opt.max_buffer = 1000000;
    opt.cors = "*";
    err = mount_eio(hub, "/engine.io/");
    memset(&d, 0, sizeof d);
    d.engine = engine_desc("/socket.io/");
    d.connect_timeout_ms = 1000;
    d.keep_http = true;
    if (!err) err = wshub_sio_create(hub, &d, &sio_mount);
    if (!err)
        err = add(sio_mount, SPACE(.on_event = suite_event, .on_connected = suite_connected), "/");
    if (!err)
        err = add(sio_mount, SPACE(.on_event = suite_event, .on_connected = suite_connected),
                  "/custom");
    return err;
}

/* ---- the helper's flow: who comes in, and which rooms, the raw application's callbacks say ---- */

static wshub_sio *helper_mount;
static void (*raw_authenticate)(wshub *, wshub_ask, const wshub_auth *, void *);
static void (*raw_join)(wshub *, wshub_ask, const wshub_join *, void *);

static bool of_helper(wshub_realm realm) {
    return helper_mount &&
           realm.id == wshub_sio_namespace_realm(helper_mount, wshub_sio_of(helper_mount, "/")).id;
}
static void helper_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    if (of_helper(auth->realm) && wshub_json_is(wshub_json_get(auth->data, "token"), "ok"))
        (void)wshub_auth_accept(hub, ask, NULL);
    else
        raw_authenticate(hub, ask, auth, user);
}
static void helper_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    bool ours = of_helper(join->realm);
    if (ours && !opt.helper_no_validator)
        fixture_join(hub, ask, join, user);
    else if (!ours && raw_join)
        raw_join(hub, ask, join, user);
    else
        (void)wshub_ask_reject(hub, ask);
}

static void helper_state(act *a) {
    static const char *const states[] = {"?", "unauthorized", "authenticating", "authenticated",
                                         "disconnected"};
    char words[120];
    (void)snprintf(words, sizeof words, "{\"id\":\"%.*s\",\"state\":\"%s\"}", (int)a->id.len,
                   a->id.ptr, states[wshub_client_state(wshub_sio_hub(a->sio), a->c)]);
    answer_text(a->sio, a->e->ack, words);
}
static void helper_send(act *a) {
    static char event[ROOM], destination[1000];
    wshub_str none = {NULL, 0}, what = a->e->args_count ? a->e->args[0] : none, to, topic;
    wshub_str payload = wshub_json_get(what, "payload");
    size_t len;
    to.ptr = destination;
    to.len =
        wshub_json_copy(wshub_json_get(what, "destination"), destination, sizeof destination, &len)
            ? 0
            : len;
    topic.ptr = event;
    topic.len =
        wshub_json_copy(wshub_json_get(payload, "topic"), event, sizeof event, &len) ? 0 : len;
    (void)wshub_sio_flow_send(a->sio, a->space, to, topic, wshub_json_get(payload, "data"));
    answer_text(a->sio, a->e->ack, "true");
}
static void helper_event(wshub_sio *sio, wshub_client c, const wshub_sio_event *e, void *user) {
    static act a;
    wshub *hub = wshub_sio_hub(sio);
    (void)user;
    a.sio = sio;
    a.c = c;
    a.e = e;
    a.space = wshub_sio_namespace_of(sio, c);
    a.id = wshub_client_id(hub, c);
    if (wshub_str_eq_z(e->name, "echo")) act_echo(&a);
    if (wshub_str_eq_z(e->name, "rooms")) act_rooms(&a);
    if (wshub_str_eq_z(e->name, "state")) helper_state(&a);
    if (wshub_client_state(hub, c) != WSHUB_CLIENT_AUTHENTICATED) return;
    if (wshub_str_eq_z(e->name, "send")) helper_send(&a);
    if (wshub_str_eq_z(e->name, "shutdown-helper")) wshub_sio_shutdown(sio);
}

static wshub_err mount_helper(wshub *hub, const char *path) {
    static char words[1000];
    static const char *rooms[32];
    wshub_sio_flow flow;
    wshub_sio_desc d;
    wshub_err err;
    char *at;
    memset(&flow, 0, sizeof flow);
    flow.auth_timeout_ms = (uint32_t)opt.helper_auth_timeout;
    flow.ping_interval_ms = (uint32_t)opt.helper_ping_interval;
    flow.open = opt.helper_open;
    flow.linger = opt.helper_linger;
    if (opt.helper_rooms) {
        (void)snprintf(words, sizeof words, "%s", opt.helper_rooms);
        for (at = strtok(words, ","); at && flow.default_rooms_count < 32; at = strtok(NULL, ","))
            rooms[flow.default_rooms_count++] = at;
        flow.default_rooms = rooms;
        flow.no_default_rooms = !flow.default_rooms_count;
    }
    memset(&d, 0, sizeof d);
    d.engine = engine_desc(path);
    d.connect_timeout_ms = (uint32_t)opt.connect_timeout;
    d.packet_bytes_max = (uint32_t)opt.max_packet;
    d.recovery_ms = (uint32_t)opt.recovery;
    d.keep_http = true;
    d.on_session_closed = on_session_closed;
    d.bus = on_redis;
    d.requests_timeout_ms = (uint32_t)opt.requests_timeout;
    d.specific_responses = opt.specific_response;
    d.bus_key = opt.helper_key ? opt.helper_key : opt.sio ? "socket.io-helper" : NULL;
    err = wshub_sio_create(hub, &d, &helper_mount);
    return err ? err : add(helper_mount, SPACE(.on_event = helper_event, .flow = &flow), "/");
}

/* ---- the program ---- */

/* A mount's path without its slash is none, and is answered so without a word, as Node does. */
static bool (*raw_request)(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user);
static bool on_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_reply reply;
    if (raw_request && raw_request(hub, exchange, http, user)) return true;
    memset(&reply, 0, sizeof reply);
    reply.status = 404;
    (void)wshub_http_reply(hub, exchange, &reply);
    return true;
}

/* The raw application's comings and goings are told of its own clients, and of no mount's. */
static wshub_err (*raw_connected)(wshub *, wshub_client, void *);
static void (*raw_disconnected)(wshub *, const wshub_gone *, void *);
static wshub_err only_raw_connected(wshub *hub, wshub_client client, void *user) {
    return wshub_client_realm(hub, client).id ? WSHUB_OK : raw_connected(hub, client, user);
}
static void only_raw_disconnected(wshub *hub, const wshub_gone *gone, void *user) {
    if (!gone->realm.id) raw_disconnected(hub, gone, user);
}

/* Waits for the subscriptions to be active. False: the broker is not there. */
static bool bus_ready(wshub_bus_redis *redis) {
    wshub_bus_redis_stats st;
    int i;
    for (i = 0; i < 200; i++) {
        if (wshub_io_sock_run_once(net, 10)) return false;
        wshub_bus_redis_stats_get(redis, &st);
        if (st.state == WSHUB_BUS_UP) return true;
    }
    (void)fprintf(stderr, "fixture-sio: no Redis: %s\n", wshub_bus_redis_error(redis));
    return false;
}

/* The bus: Redis, or one of this process. False: it has been said why not. */
static bool bus_make(const char *url, const wshub_io *io, wshub_bus_redis **redis,
                     wshub_bus_local **local, wshub_bus *out) {
    wshub_bus_redis_desc d;
    if (!url) return !wshub_bus_local_create(NULL, local) && !wshub_bus_local_seat(*local, out);
    memset(&d, 0, sizeof d);
    d.io = io;
    d.url = url;
    d.no_heartbeat = true; /* a transcript has everything that is published */
    if (wshub_bus_redis_desc_problem(&d) || wshub_bus_redis_create(&d, redis)) {
        (void)fprintf(stderr, "fixture-sio: bad value for --redis\n");
        return false;
    }
    *out = *wshub_bus_redis_bus(*redis);
    return true;
}

static void on_signal(int number) {
    (void)number;
    wshub_io_sock_stop(net);
}
static void on_hup(int number) {
    fixture_tls_on_hup(number);
    wshub_io_sock_stop(net);
}
static void listen_to_signals(bool secure) {
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_signal;
    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGINT, &sa, NULL);
    sa.sa_handler = on_hup;
    if (secure) (void)sigaction(SIGHUP, &sa, NULL);
}

int main(int argc, char **argv) {
    static fixture f;
    wshub_desc d;
    wshub_bus_local *local = NULL;
    wshub_bus_redis *redis = NULL;
    wshub_bus bus;
    static fixture_tls tls;
    const wshub_io *io;
    bool secure;
    uint16_t port = 0;
    const char *why = sio_parse(&argc, argv);
    wshub_err err = WSHUB_OK;
    if (!why) why = fixture_parse(&f.opt, argc, argv);
    if (!why && opt.suite && strcmp(opt.suite, "protocol") != 0 &&
        strcmp(opt.suite, "sio-client") != 0 && strcmp(opt.suite, "eio-client") != 0)
        why = "bad value for --sio-suite, or not built in";
    secure = !why && fixture_tls_wanted(&f.opt, &why);
    if (why) {
        (void)fprintf(stderr, "fixture-sio: %s\n", why);
        return 2;
    }
    f.log = true;
    if (wshub_io_auto_create(NULL, &net)) {
        (void)fprintf(stderr, "fixture-sio: cannot start: %s\n", strerror(errno));
        return 1;
    }
    io = wshub_io_sock_io(net);
    if (secure && (why = fixture_tls_open(&tls, &f.opt, io)) != NULL) {
        (void)fprintf(stderr, "fixture-sio: %s\n", why);
        return 2;
    }
    if (secure) io = fixture_tls_io(&tls);
    if (!bus_make(f.opt.redis, io, &redis, &local, &bus)) return f.opt.redis ? 2 : 1;
    on_redis = redis != NULL;
    d = fixture_desc(&f, io);
    d.bus = &bus;
#ifdef FIXTURE_DEFLATE
    if (opt.deflate) {
        d.deflate = wshub_deflate_zlib();
        d.deflate_bytes_min = 1024;
    }
#endif
    d.shutdown_timeout_ms = 1500; /* for peers that do not answer our Close */
    raw_request = d.on_request;
    d.on_request = on_request;
    raw_connected = d.on_connected;
    raw_disconnected = d.on_disconnected;
    if (raw_connected) d.on_connected = only_raw_connected;
    if (raw_disconnected) d.on_disconnected = only_raw_disconnected;
    raw_authenticate = d.on_authenticate;
    raw_join = d.on_join;
    if (opt.helper) d.on_authenticate = helper_authenticate;
    if (opt.helper) d.on_join = helper_join;
    if (wshub_create(&d, &f.hub)) {
        (void)fprintf(stderr, "fixture-sio: bad value among the options: %s\n",
                      wshub_desc_problem(&d));
        return 2;
    }
    if (opt.sio) err = mount_sio(f.hub, opt.sio);
    if (!err && opt.helper) err = mount_helper(f.hub, opt.helper);
    if (!err && opt.eio) err = mount_eio(f.hub, opt.eio);
    if (!err && opt.suite) err = mount_suite(f.hub, opt.suite);
    if (err) {
        (void)fprintf(stderr, "fixture-sio: bad value among the options of Socket.IO\n");
        return 2;
    }
    if (wshub_io_sock_listen(net, f.opt.host, (uint16_t)f.opt.port, &port)) {
        (void)fprintf(stderr, "fixture-sio: %s\n", wshub_io_sock_error(net));
        return 1;
    }
    if (redis && !bus_ready(redis)) return 1;
    listen_to_signals(secure);
    (void)printf("listening %u\n", (unsigned)port);
    (void)fflush(stdout);
    fixture_tls_serve(&tls, secure, net);
    wshub_io_sock_unlisten(net);
    if (helper_mount) wshub_sio_shutdown(helper_mount);
    if (sio_mount) wshub_sio_shutdown(sio_mount);
    if (eio_mount) wshub_eio_shutdown(eio_mount);
    (void)wshub_shutdown(f.hub);
    while (!wshub_is_down(f.hub) && !wshub_io_sock_run_once(net, 50)) {
    }
    (void)signal(SIGTERM, SIG_IGN); /* one that comes now would find no loop to stop */
    (void)signal(SIGINT, SIG_IGN);
    wshub_destroy(f.hub);
    while (slows) slow_free(slows);
    wshub_sio_destroy(helper_mount);
    wshub_sio_destroy(sio_mount);
    wshub_eio_destroy(eio_mount);
    wshub_bus_redis_destroy(redis);
    if (secure) fixture_tls_close(&tls);
    wshub_bus_local_destroy(local);
    wshub_io_sock_destroy(net);
    return 0;
}
