/* The fixture server with Socket.IO (tests/fixture_sio.c): its options, and the words that its
 * application speaks in: packets from texts, names, targets, what goes into its log. */
#ifndef FIXTURE_SIO_WORDS_H
#define FIXTURE_SIO_WORDS_H

/* ---- options ---- */

typedef struct sio_options {
    const char *sio, *eio, *suite, *transports, *cors, *cookie, *client, *name;
    long ping_interval, ping_timeout, upgrade_timeout, connect_timeout, max_buffer, max_packet;
    long max_queue, allow_delay, recovery;
    const char *key, *helper_key, *sharded;
    long requests_timeout;
    bool no_upgrade, credentials, log, specific_response, deflate, http_compression, redis_cluster,
        hiredis;
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
    {"--sio-redis-cluster", NULL, NULL, &opt.redis_cluster, false},
#ifdef FIXTURE_HIREDIS
    {"--sio-hiredis", NULL, NULL, &opt.hiredis, false},
#else
    {"--sio-hiredis", NULL, NULL, &opt.hiredis, true},
#endif
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
#endif /* FIXTURE_SIO_WORDS_H */
