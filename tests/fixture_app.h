/* The application that the black-box tests talk to, over any io: its options, what it answers to
 * tokens, keys and rooms, and its handlers of events, each of them a row of a table. The fixture
 * server runs it on sockets, the transcript player on the fake io with virtual time. It holds no
 * logic of its own: what the hub does is what is being looked at. Late answers come from timers. */
#ifndef FIXTURE_APP_H
#define FIXTURE_APP_H
#include "fixture_text.h"
#include <stddef.h>

/* ---- options ---- */

enum { FIXTURE_LIST_MAX = 8 };
typedef struct fixture_list { /* of an option that may be repeated */
    size_t count;
    const char *of[FIXTURE_LIST_MAX];
} fixture_list;
typedef struct fixture_options {
    const char *host, *path, *redis, *default_rooms, *backend, *tls_cert, *tls_key, *tls_ca,
        *tls_min, *e2e_info, *e2e_aad;
    fixture_list tls_sni;
    unsigned long port, auth_timeout, heartbeat_interval, heartbeat_timeout, max_payload,
        backpressure_limit, idle_timeout, deflate_threshold;
    bool close_on_backpressure, no_pings, require_encryption, no_handshake, transform,
        no_room_validator, no_message_handler, announce, deflate, deflate_takeover, e2e;
} fixture_options;

typedef struct fixture {
    fixture_options opt;
    wshub *hub;
    char rooms_text[512];
    const char *rooms[32];
    bool log;
    struct fixture_late *lates; /* answers still to come */
} fixture;

typedef enum fixture_option_kind {
    FIXTURE_FLAG,
    FIXTURE_NUMBER,
    FIXTURE_TEXT,
    FIXTURE_LIST
} fixture_option_kind;
typedef struct fixture_option {
    const char *name;
    fixture_option_kind kind;
    size_t at; /* in fixture_options */
    unsigned long min, max;
} fixture_option;

#define FIXTURE_AT(field) offsetof(fixture_options, field)
/* clang-format off */
static const fixture_option fixture_option_list[] = {
    {"--host",                  FIXTURE_TEXT,   FIXTURE_AT(host),                  0, 0},
    {"--port",                  FIXTURE_NUMBER, FIXTURE_AT(port),                  0, 65535},
    {"--path",                  FIXTURE_TEXT,   FIXTURE_AT(path),                  0, 0},
    {"--redis",                 FIXTURE_TEXT,   FIXTURE_AT(redis),                 0, 0},
    {"--tls-cert",              FIXTURE_TEXT,   FIXTURE_AT(tls_cert),              0, 0},
    {"--tls-key",               FIXTURE_TEXT,   FIXTURE_AT(tls_key),               0, 0},
    {"--tls-sni",               FIXTURE_LIST,   FIXTURE_AT(tls_sni),               0, 0},
    {"--tls-ca",                FIXTURE_TEXT,   FIXTURE_AT(tls_ca),                0, 0},
    {"--tls-min",               FIXTURE_TEXT,   FIXTURE_AT(tls_min),               0, 0},
    {"--default-rooms",         FIXTURE_TEXT,   FIXTURE_AT(default_rooms),         0, 0},
    {"--auth-timeout",          FIXTURE_NUMBER, FIXTURE_AT(auth_timeout),          1, 3600000},
    {"--heartbeat-interval",    FIXTURE_NUMBER, FIXTURE_AT(heartbeat_interval),    1, 3600000},
    {"--heartbeat-timeout",     FIXTURE_NUMBER, FIXTURE_AT(heartbeat_timeout),     1, 3600000},
    {"--max-payload",           FIXTURE_NUMBER, FIXTURE_AT(max_payload),           1, 1ul << 30},
    {"--backpressure-limit",    FIXTURE_NUMBER, FIXTURE_AT(backpressure_limit),    1, 1ul << 30},
    {"--close-on-backpressure", FIXTURE_FLAG,   FIXTURE_AT(close_on_backpressure), 0, 0},
    {"--idle-timeout",          FIXTURE_NUMBER, FIXTURE_AT(idle_timeout),          0, 960},
    {"--no-pings",              FIXTURE_FLAG,   FIXTURE_AT(no_pings),              0, 0},
    {"--require-encryption",    FIXTURE_FLAG,   FIXTURE_AT(require_encryption),    0, 0},
    {"--no-handshake",          FIXTURE_FLAG,   FIXTURE_AT(no_handshake),          0, 0},
    {"--transform",             FIXTURE_FLAG,   FIXTURE_AT(transform),             0, 0},
    {"--e2e",                   FIXTURE_FLAG,   FIXTURE_AT(e2e),                   0, 0},
    {"--e2e-info",              FIXTURE_TEXT,   FIXTURE_AT(e2e_info),              0, 0},
    {"--e2e-aad",               FIXTURE_TEXT,   FIXTURE_AT(e2e_aad),               0, 0},
    {"--no-room-validator",     FIXTURE_FLAG,   FIXTURE_AT(no_room_validator),     0, 0},
    {"--no-message-handler",    FIXTURE_FLAG,   FIXTURE_AT(no_message_handler),    0, 0},
    {"--announce",              FIXTURE_FLAG,   FIXTURE_AT(announce),              0, 0},
    {"--deflate",               FIXTURE_FLAG,   FIXTURE_AT(deflate),               0, 0},
    {"--deflate-threshold",     FIXTURE_NUMBER, FIXTURE_AT(deflate_threshold),     0, 1ul << 30},
    {"--deflate-takeover",      FIXTURE_FLAG,   FIXTURE_AT(deflate_takeover),      0, 0},
    {"--backend",               FIXTURE_TEXT,   FIXTURE_AT(backend),               0, 0},
};
/* clang-format on */

static const fixture_option *fixture_option_named(const char *name) {
    size_t k;
    for (k = 0; k < sizeof fixture_option_list / sizeof *fixture_option_list; k++) {
        if (strcmp(name, fixture_option_list[k].name) == 0) return &fixture_option_list[k];
    }
    return NULL;
}

/* Reads a command line. NULL, or a line that says what is wrong. */
__attribute__((unused)) static const char *fixture_parse(fixture_options *o, int argc,
                                                         char **argv) {
    static const fixture_options defaults = {.host = "127.0.0.1",
                                             .path = "/ws",
                                             .default_rooms = "ws-default,ws-notification",
                                             .auth_timeout = 5000,
                                             .heartbeat_interval = 30000,
                                             .heartbeat_timeout = 90000,
                                             .max_payload = 131072,
                                             .backpressure_limit = 1048576,
                                             .idle_timeout = 60,
                                             .deflate_threshold = 256};
    static char why[256];
    int i;
    *o = defaults;
    for (i = 1; i < argc; i++) {
        const fixture_option *option = fixture_option_named(argv[i]);
        char *at = (char *)o + (option ? option->at : 0);
        const char *value;
        unsigned long number;

        if (!option) {
            (void)snprintf(why, sizeof why, "unknown option %.80s", argv[i]);
            return why;
        }
#ifndef FIXTURE_DEFLATE
        if (strncmp(argv[i], "--deflate", 9) == 0) {
            (void)snprintf(why, sizeof why, "%.40s: not built in", argv[i]);
            return why;
        }
#endif
        if (option->kind == FIXTURE_FLAG) {
            *(bool *)(void *)at = true;
            continue;
        }
        if (i + 1 == argc) {
            (void)snprintf(why, sizeof why, "option %.40s needs a value", argv[i]);
            return why;
        }

        value = argv[++i];
        if (option->kind == FIXTURE_TEXT) {
            *(const char **)(void *)at = value;
            continue;
        }
        if (option->kind == FIXTURE_LIST) {
            fixture_list *list = (fixture_list *)(void *)at;
            if (list->count == FIXTURE_LIST_MAX) return "an option is repeated too often";
            list->of[list->count++] = value;
            continue;
        }
        number = strtoul(value, NULL, 10);
        if (!*value || strlen(value) > 10 || strspn(value, "0123456789") != strlen(value) ||
            number < option->min || number > option->max) {
            (void)snprintf(why, sizeof why, "bad value for %.40s: %.40s (%lu to %lu)", option->name,
                           value, option->min, option->max);
            return why;
        }
        *(unsigned long *)(void *)at = number;
    }
    return NULL;
}

/* ---- answers, at once and late ---- */

typedef enum fixture_answer {
    FIXTURE_ACCEPT, /* text: the user's id; absent: anonymous */
    FIXTURE_REJECT,
    FIXTURE_FAIL,
    FIXTURE_KEYS, /* text: the client's public key */
    FIXTURE_JOIN  /* text: rooms, each behind its length */
} fixture_answer;

typedef struct fixture_late {
    struct fixture_late *next;
    fixture_answer answer;
    wshub_ask ask;
    wshub_str text;
} fixture_late;

static void fixture_accept(wshub *hub, wshub_ask ask, wshub_str user_id) {
    wshub_identity who;
    who.user_id = user_id;
    who.metadata = user_id.ptr ? wshub_str_z("{\"role\":\"member\"}") : fixture_none();
    (void)wshub_auth_accept(hub, ask, &who);
}

static void fixture_keys(wshub *hub, wshub_ask ask, wshub_str key) {
    text t = {NULL, 0, 0};
    text_put(&t, "SPK:%s", key);
    (void)wshub_handshake_accept(hub, ask, text_get(&t), wshub_str_z("SALT"));
    free(t.ptr);
}

static void fixture_allow(wshub *hub, wshub_ask ask, wshub_str rooms) {
    wshub_str list[256];
    size_t n = 0, at = 0;
    while (at < rooms.len && n < 256) {
        size_t len;
        memcpy(&len, rooms.ptr + at, sizeof len);
        at += sizeof len;
        list[n].ptr = rooms.ptr + at;
        list[n++].len = len;
        at += len;
    }
    (void)wshub_join_accept(hub, ask, list, n);
}

static void fixture_give(wshub *hub, wshub_ask ask, fixture_answer answer, wshub_str said) {
    switch (answer) {
    case FIXTURE_ACCEPT: fixture_accept(hub, ask, said); break;
    case FIXTURE_REJECT: (void)wshub_ask_reject(hub, ask); break;
    case FIXTURE_FAIL: (void)wshub_ask_fail(hub, ask); break;
    case FIXTURE_KEYS: fixture_keys(hub, ask, said); break;
    case FIXTURE_JOIN: fixture_allow(hub, ask, said); break;
    }
}

static void fixture_late_due(wshub *hub, void *arg) {
    fixture_late *l = (fixture_late *)arg, **at = &((fixture *)wshub_user(hub))->lates;
    while (*at != l) at = &(*at)->next;
    *at = l->next;
    fixture_give(hub, l->ask, l->answer, l->text);
    fixture_free(l->text);
    free(l);
}

static void fixture_later(wshub *hub, wshub_ask ask, fixture_answer answer, unsigned long ms,
                          wshub_str s) {
    fixture *f = (fixture *)wshub_user(hub);
    fixture_late *l = (fixture_late *)calloc(1, sizeof *l);
    char *copy = (char *)malloc(s.len + 1);
    if (!l || !copy) abort();
    if (s.len) memcpy(copy, s.ptr, s.len);
    l->answer = answer;
    l->ask = ask;
    l->text.ptr = copy;
    l->text.len = s.len;
    /* out of memory: never answered */
    if (wshub_timer_start(hub, ms, fixture_late_due, l, NULL) != WSHUB_OK) {
        free(copy);
        free(l);
        return;
    }
    l->next = f->lates;
    f->lates = l;
}

/* After the hub: answers that nobody waits for any more. */
__attribute__((unused)) static void fixture_end(fixture *f) {
    while (f->lates) {
        fixture_late *l = f->lates;
        f->lates = l->next;
        fixture_free(l->text);
        free(l);
    }
}

/* ---- what tokens and keys mean ---- */

typedef enum fixture_form {                 /* of a word, behind what it begins with */
                            FIXTURE_WHOLE,  /* nothing */
                            FIXTURE_REST,   /* anything */
                            FIXTURE_MS,     /* milliseconds */
                            FIXTURE_MS_REST /* milliseconds, a colon, anything */
} fixture_form;
typedef struct fixture_word {
    const char *begins;
    fixture_form form;
    fixture_answer answer;
} fixture_word;

static const fixture_word fixture_tokens[] = {
    {"user:", FIXTURE_REST, FIXTURE_ACCEPT},    {"anon", FIXTURE_WHOLE, FIXTURE_ACCEPT},
    {"slow:", FIXTURE_MS_REST, FIXTURE_ACCEPT}, {"reject-slow:", FIXTURE_MS, FIXTURE_REJECT},
    {"error-slow:", FIXTURE_MS, FIXTURE_FAIL},  {"error", FIXTURE_WHOLE, FIXTURE_FAIL},
};
static const fixture_word fixture_public_keys[] = {
    {"bad", FIXTURE_WHOLE, FIXTURE_REJECT},
    {"fail", FIXTURE_WHOLE, FIXTURE_FAIL},
    {"slow:", FIXTURE_MS, FIXTURE_KEYS},
};

/* Whether a word has this form: its milliseconds, and what stands behind. */
static bool fixture_has_form(wshub_str word, const fixture_word *w, unsigned long *ms,
                             wshub_str *rest) {
    size_t digits = 0;
    if (!fixture_is(word, w->begins)) return false;
    rest->ptr = word.ptr + strlen(w->begins);
    rest->len = word.len - strlen(w->begins);
    if (w->form == FIXTURE_REST) return true;
    if (w->form == FIXTURE_WHOLE) return rest->len == 0;

    for (*ms = 0; rest->len && *rest->ptr >= '0' && *rest->ptr <= '9'; rest->ptr++, rest->len--) {
        *ms = *ms * 10 + (unsigned long)(*rest->ptr - '0');
        digits++;
    }
    if (!digits || digits > 9) return false;
    if (w->form == FIXTURE_MS) return rest->len == 0;
    if (!rest->len || *rest->ptr != ':') return false;
    rest->ptr++;
    rest->len--;
    return true;
}

/* The word that this is, or NULL. */
static const fixture_word *fixture_word_of(wshub_str word, const fixture_word *words, size_t count,
                                           unsigned long *ms, wshub_str *rest) {
    size_t i;
    for (i = 0; i < count; i++) {
        if (fixture_has_form(word, &words[i], ms, rest)) return &words[i];
    }
    return NULL;
}

static void fixture_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_str token = fixture_string(auth->data, "token"), rest = fixture_none();
    unsigned long ms = 0;
    const fixture_word *w = fixture_word_of(
        token, fixture_tokens, sizeof fixture_tokens / sizeof *fixture_tokens, &ms, &rest);
    (void)user;
    if (!w)
        fixture_give(hub, ask, FIXTURE_REJECT, rest);
    else if (w->form == FIXTURE_MS || w->form == FIXTURE_MS_REST)
        fixture_later(hub, ask, w->answer, ms, rest);
    else
        fixture_give(hub, ask, w->answer, w->form == FIXTURE_WHOLE ? fixture_none() : rest);
    fixture_free(token);
}

static void fixture_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    wshub_str key = fixture_string(h->data, "publicKey"), rest = fixture_none();
    unsigned long ms = 0;
    const fixture_word *w =
        fixture_word_of(key, fixture_public_keys,
                        sizeof fixture_public_keys / sizeof *fixture_public_keys, &ms, &rest);
    (void)user;
    if (!key.ptr)
        fixture_give(hub, ask, FIXTURE_REJECT, rest);
    else if (w && w->form == FIXTURE_MS)
        fixture_later(hub, ask, w->answer, ms, key);
    else
        fixture_give(hub, ask, w ? w->answer : FIXTURE_KEYS, key);
    fixture_free(key);
}

static void fixture_join(wshub *hub, wshub_ask ask, const wshub_join *join, void *user) {
    text t = {NULL, 0, 0};
    bool slow = false, error = false;
    size_t i;
    (void)user;
    for (i = 0; i < join->rooms_count; i++) {
        wshub_str r = join->rooms[i];
        if (wshub_str_eq_z(r, "public-slow")) slow = true;
        if (wshub_str_eq_z(r, "public-error")) error = true;
        if (r.len && !fixture_is(r, "public-") && !fixture_is(r, "ws:")) continue;
        text_add(&t, (const char *)&r.len, sizeof r.len);
        text_add(&t, r.ptr, r.len);
    }
    if (!error && slow)
        fixture_later(hub, ask, FIXTURE_JOIN, 200, text_get(&t));
    else
        fixture_give(hub, ask, error ? FIXTURE_FAIL : FIXTURE_JOIN, text_get(&t));
    free(t.ptr);
}

/* Event `encrypted`, data the base64 of the event's JSON text. */
static void fixture_transform(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *e,
                              void *user) {
    text t = {NULL, 0, 0};
    wshub_msg m;
    char *b64;
    size_t n;
    (void)client;
    (void)user;
    if (wshub_str_eq_z(e->event, "plain")) {
        (void)wshub_transform_accept(hub, ask, NULL);
        return;
    }
    if (wshub_str_eq_z(e->event, "broken")) {
        (void)wshub_ask_fail(hub, ask);
        return;
    }

    text_put(&t, e->data.ptr ? "{\"event\":%q,\"data\":%s}" : "{\"event\":%q}", e->event, e->data);
    b64 = (char *)malloc(4 * ((t.len + 2) / 3) + 2);
    if (!b64) abort();
    n = wshub_base64((const uint8_t *)t.ptr, t.len, b64 + 1);
    b64[0] = b64[n + 1] = '"';

    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("encrypted");
    m.data.ptr = b64;
    m.data.len = n + 2;
    if (wshub_transform_accept(hub, ask, &m) != WSHUB_OK) (void)wshub_ask_fail(hub, ask);
    free(b64);
    free(t.ptr);
}

/* ---- events: a handler each ---- */

typedef struct fixture_call {
    wshub *hub;
    wshub_client client;
    const wshub_event *event;
    wshub_str taken[16]; /* strings of its data, freed when it is over */
    size_t taken_count;
    text reply; /* data of the answer, where there is one */
} fixture_call;

/* A string of the event's data; ptr NULL: lacking, or no string. */
static wshub_str call_field(fixture_call *c, const char *key) {
    wshub_str s = fixture_string(c->event->data, key);
    return c->taken[c->taken_count++] = s;
}
/* The client that `id` names. */
static bool call_client(fixture_call *c, wshub_client *to) {
    wshub_str id = call_field(c, "id");
    return id.ptr && wshub_client_find(c->hub, id, to) == WSHUB_OK;
}
/* The message that the data describes, its event under `key`. */
static wshub_msg call_msg(fixture_call *c, const char *key) {
    wshub_msg m;
    memset(&m, 0, sizeof m);
    m.event = call_field(c, key);
    m.data = wshub_json_get(c->event->data, "data");
    return m;
}
/* Answers under the same event; data.ptr NULL: without data. */
static void call_reply(fixture_call *c, wshub_str data) {
    wshub_msg m;
    memset(&m, 0, sizeof m);
    m.event = c->event->event;
    m.data = data;
    (void)wshub_client_send(c->hub, c->client, &m);
}

typedef struct fixture_ids {
    wshub_str *list;
    size_t count;
    char *bytes;
} fixture_ids;
/* The list under `exclude`; list NULL: lacking. */
static fixture_ids call_exclude(fixture_call *c) {
    wshub_str raw = wshub_json_get(c->event->data, "exclude"), item;
    wshub_iter it = {0, 0};
    fixture_ids x = {NULL, 0, NULL};
    char *at;
    if (wshub_json_type(raw) != WSHUB_JSON_ARRAY) return x;
    x.list = (wshub_str *)malloc((raw.len / 2 + 1) * sizeof(wshub_str));
    at = x.bytes = (char *)malloc(raw.len);
    if (!x.list || !at) abort();
    while (wshub_json_each(raw, &it, &item)) {
        if (wshub_json_type(item) != WSHUB_JSON_STRING) continue;
        x.list[x.count].ptr = at;
        x.list[x.count].len = wshub_json_text(item, at, item.len);
        at += x.list[x.count++].len;
    }
    return x;
}
static void ids_free(fixture_ids x) {
    free(x.list);
    free(x.bytes);
}

static const char *fixture_state(wshub_state s) {
    switch (s) {
    case WSHUB_CLIENT_UNAUTHORIZED: return "unauthorized";
    case WSHUB_CLIENT_AUTHENTICATING: return "authenticating";
    case WSHUB_CLIENT_AUTHENTICATED: return "authenticated";
    case WSHUB_CLIENT_DISCONNECTED: break;
    }
    return "disconnected";
}
/* {"id":…,"userId"?,"state":…,"encrypted":… */
static void fixture_who(text *t, wshub *hub, wshub_client c) {
    wshub_str id = wshub_client_id(hub, c), user_id = wshub_client_user_id(hub, c);
    text_put(t, user_id.ptr ? "{\"id\":%q,\"userId\":%q" : "{\"id\":%q", id, user_id);
    text_put(t, ",\"state\":%q,\"encrypted\":%s",
             wshub_str_z(fixture_state(wshub_client_state(hub, c))),
             wshub_str_z(wshub_client_is_encrypted(hub, c) ? "true" : "false"));
}
static void fixture_sorted(text *t, wshub_str *list, size_t count) {
    size_t i;
    if (count) qsort(list, count, sizeof *list, fixture_compare);
    text_put(t, "[");
    for (i = 0; i < count; i++) text_put(t, i ? ",%q" : "%q", list[i]);
    text_put(t, "]");
}

static wshub_err call_echo(fixture_call *c) {
    call_reply(c, c->event->data);
    return WSHUB_OK;
}
static wshub_err call_send(fixture_call *c) {
    wshub_msg m = call_msg(c, "topic");
    wshub_dest dest = {0};
    memset(&dest, 0, sizeof dest);
    dest.name = call_field(c, "destination");
    (void)wshub_send(c->hub, &dest, &m);
    return WSHUB_OK;
}
static wshub_err call_to_client(fixture_call *c) {
    wshub_msg m = call_msg(c, "event");
    wshub_client to;
    if (call_client(c, &to)) (void)wshub_client_send(c->hub, to, &m);
    return WSHUB_OK;
}
static wshub_err call_to_user(fixture_call *c) {
    wshub_msg m = call_msg(c, "event");
    wshub_str user_id = call_field(c, "userId");
    if (user_id.ptr) (void)wshub_user_send_here(c->hub, user_id, &m);
    return WSHUB_OK;
}
static wshub_err call_to_room(fixture_call *c) {
    wshub_msg m = call_msg(c, "event");
    wshub_str room = call_field(c, "room");
    fixture_ids x = call_exclude(c);
    if (room.ptr) (void)wshub_room_send_here(c->hub, room, &m, x.list, x.count);
    ids_free(x);
    return WSHUB_OK;
}
static wshub_err call_all(fixture_call *c) {
    wshub_msg m = call_msg(c, "event");
    fixture_ids x = call_exclude(c);
    (void)wshub_all_send_here(c->hub, &m, x.list, x.count);
    ids_free(x);
    return WSHUB_OK;
}
static wshub_err call_join_server(fixture_call *c) {
    wshub_str room = call_field(c, "room");
    wshub_client to;
    if (room.ptr && call_client(c, &to)) (void)wshub_client_join(c->hub, to, room);
    return WSHUB_OK;
}
static wshub_err call_leave_server(fixture_call *c) {
    wshub_str room = call_field(c, "room");
    wshub_client to;
    if (room.ptr && call_client(c, &to)) (void)wshub_client_leave(c->hub, to, room);
    return WSHUB_OK;
}
static wshub_err call_whoami(fixture_call *c) {
    wshub_str list[1100], room, meta = wshub_client_metadata(c->hub, c->client);
    wshub_iter it = {0, 0};
    size_t n = 0;
    while (n < 1100 && wshub_client_each_room(c->hub, c->client, &it, &room)) list[n++] = room;
    fixture_who(&c->reply, c->hub, c->client);
    text_put(&c->reply, ",\"rooms\":");
    fixture_sorted(&c->reply, list, n);
    text_put(&c->reply, meta.ptr ? ",\"metadata\":%s}" : "}", meta);
    call_reply(c, text_get(&c->reply));
    return WSHUB_OK;
}
static wshub_err call_stats(fixture_call *c) {
    wshub_stats s;
    wshub_stats_get(c->hub, &s);
    text_put(&c->reply, "{\"clients\":%u,\"users\":%u,\"rooms\":%u}", (unsigned long)s.clients,
             (unsigned long)s.users, (unsigned long)s.rooms);
    call_reply(c, text_get(&c->reply));
    return WSHUB_OK;
}
static wshub_err call_clients(fixture_call *c) {
    wshub_iter it = {0, 0};
    wshub_client one;
    const char *between = "";
    text_put(&c->reply, "{\"clients\":[");
    for (; wshub_client_each(c->hub, &it, &one); between = ",") {
        text_put(&c->reply, between);
        fixture_who(&c->reply, c->hub, one);
        text_put(&c->reply, "}");
    }
    text_put(&c->reply, "]}");
    call_reply(c, text_get(&c->reply));
    return WSHUB_OK;
}
static wshub_err call_members(fixture_call *c, const char *key,
                              bool (*each)(const wshub *, wshub_str, wshub_iter *,
                                           wshub_client *)) {
    wshub_str name = call_field(c, key), list[4096];
    wshub_iter it = {0, 0};
    wshub_client one;
    size_t n = 0;
    while (n < 4096 && each(c->hub, name, &it, &one)) list[n++] = wshub_client_id(c->hub, one);
    text_put(&c->reply, "{%q:%q,\"ids\":", wshub_str_z(key), name.ptr ? name : wshub_str_z(""));
    fixture_sorted(&c->reply, list, n);
    text_put(&c->reply, "}");
    call_reply(c, text_get(&c->reply));
    return WSHUB_OK;
}
static wshub_err call_room_members(fixture_call *c) {
    return call_members(c, "room", wshub_room_each_member);
}
static wshub_err call_user_members(fixture_call *c) {
    return call_members(c, "userId", wshub_user_each_client);
}
static wshub_err call_encrypt(fixture_call *c) {
    (void)wshub_client_encrypt(c->hub, c->client);
    call_reply(c, fixture_none());
    return WSHUB_OK;
}
static wshub_err call_burst(fixture_call *c) {
    uint64_t count = 0, size = 0, first = 0, n, i;
    wshub_client to;
    (void)wshub_json_uint(wshub_json_get(c->event->data, "count"), &count);
    (void)wshub_json_uint(wshub_json_get(c->event->data, "size"), &size);
    (void)wshub_json_uint(wshub_json_get(c->event->data, "first"), &first);
    for (n = first; n < first + count && call_client(c, &to); n++) {
        wshub_msg m;
        fixture_free(c->taken[--c->taken_count]); /* the id, which is looked up again */
        c->reply.len = 0;
        text_put(&c->reply, "{\"n\":%u,\"pad\":\"", (unsigned long)n);
        for (i = 0; i < size; i++) text_add(&c->reply, "x", 1);
        text_put(&c->reply, "\"}");
        memset(&m, 0, sizeof m);
        m.event = wshub_str_z("burst");
        m.data = text_get(&c->reply);
        m.data_is_json = true;
        (void)wshub_client_send(c->hub, to, &m);
    }
    return WSHUB_OK;
}
static wshub_err call_deflate(fixture_call *c) {
    wshub_stats s;
    wshub_stats_get(c->hub, &s);
    text_put(&c->reply,
             "{\"deflated\":%u,\"deflatedIn\":%u,\"deflatedOut\":%u,\"inflated\":%u,"
             "\"inflatedIn\":%u,\"inflatedOut\":%u}",
             (unsigned long)s.deflated, (unsigned long)s.deflated_in, (unsigned long)s.deflated_out,
             (unsigned long)s.inflated, (unsigned long)s.inflated_in,
             (unsigned long)s.inflated_out);
    call_reply(c, text_get(&c->reply));
    return WSHUB_OK;
}
static wshub_err call_fail(fixture_call *c) {
    (void)c;
    return WSHUB_ERR_APP;
}

static const struct {
    const char *event;
    wshub_err (*run)(fixture_call *c);
} fixture_handlers[] = {
    {"echo", call_echo},
    {"send", call_send},
    {"to-client", call_to_client},
    {"to-user", call_to_user},
    {"to-room", call_to_room},
    {"all", call_all},
    {"join-server", call_join_server},
    {"leave-server", call_leave_server},
    {"whoami", call_whoami},
    {"stats", call_stats},
    {"clients", call_clients},
    {"room-members", call_room_members},
    {"user-members", call_user_members},
    {"encrypt", call_encrypt},
    {"deflate", call_deflate},
    {"burst", call_burst},
    {"fail", call_fail},
};

static wshub_err fixture_message(wshub *hub, wshub_client client, const wshub_event *e,
                                 void *user) {
    fixture_call c;
    wshub_err err = WSHUB_OK;
    size_t i;
    (void)user;
    memset(&c, 0, sizeof c);
    c.hub = hub;
    c.client = client;
    c.event = e;
    for (i = 0; i < sizeof fixture_handlers / sizeof *fixture_handlers; i++) {
        if (!wshub_str_eq_z(e->event, fixture_handlers[i].event)) continue;
        err = fixture_handlers[i].run(&c);
        break;
    }
    while (c.taken_count) fixture_free(c.taken[--c.taken_count]);
    free(c.reply.ptr);
    return err;
}

/* ---- who comes and goes ---- */

static void fixture_announce(wshub *hub, const char *event, wshub_str id, wshub_str user_id) {
    text t = {NULL, 0, 0};
    wshub_msg m;
    text_put(&t, user_id.ptr ? "{\"id\":%q,\"userId\":%q}" : "{\"id\":%q}", id, user_id);
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z(event);
    m.data = text_get(&t);
    (void)wshub_room_send_here(hub, wshub_str_z("ws-notification"), &m, NULL, 0);
    free(t.ptr);
}
static wshub_err fixture_connected(wshub *hub, wshub_client c, void *user) {
    (void)user;
    fixture_announce(hub, "online", wshub_client_id(hub, c), wshub_client_user_id(hub, c));
    return WSHUB_OK;
}
static void fixture_disconnected(wshub *hub, const wshub_gone *g, void *user) {
    wshub_str user_id = g->user_id;
    (void)user;
    if (g->state != WSHUB_CLIENT_AUTHENTICATED) user_id.ptr = NULL;
    fixture_announce(hub, "offline", g->id, user_id);
}

static void fixture_log(wshub *hub, const wshub_log *l, void *user) {
    (void)hub;
    if (((fixture *)user)->log) (void)fprintf(stderr, "%s %s\n", wshub_log_name(l->code), l->text);
}

/* ---- the description of a hub that follows the options; f must outlive it ---- */

__attribute__((unused)) static wshub_desc fixture_desc(fixture *f, const wshub_io *io) {
    const fixture_options *o = &f->opt;
    wshub_desc d;
    char *at;
    memset(&d, 0, sizeof d);
    d.io = io;
    d.user = f;
    d.path = o->path;
    (void)snprintf(f->rooms_text, sizeof f->rooms_text, "%s", o->default_rooms);
    for (at = strtok(f->rooms_text, ","); at && d.default_rooms_count < 32; at = strtok(NULL, ","))
        f->rooms[d.default_rooms_count++] = at;
    d.default_rooms = d.default_rooms_count ? f->rooms : NULL;
    d.no_default_rooms = !d.default_rooms_count;

    d.auth_timeout_ms = (uint32_t)o->auth_timeout;
    d.heartbeat_interval_ms = (uint32_t)o->heartbeat_interval;
    d.heartbeat_timeout_ms = (uint32_t)o->heartbeat_timeout;
    d.payload_bytes_max = (uint32_t)o->max_payload;
    d.backpressure_bytes_max = (uint32_t)o->backpressure_limit;
    d.idle_timeout_ms = o->idle_timeout ? (uint32_t)o->idle_timeout * 1000 : WSHUB_OFF;
    d.close_on_backpressure = o->close_on_backpressure;
    d.no_pings = o->no_pings;
#ifdef FIXTURE_DEFLATE
    if (o->deflate) d.deflate = wshub_deflate_zlib();
    d.deflate_takeover = o->deflate && o->deflate_takeover;
    d.deflate_bytes_min = (uint32_t)(o->deflate_threshold ? o->deflate_threshold : 1);
#endif
    d.require_encryption = o->require_encryption;
    d.bus_any_channel = true;     /* golden in-channel.jsonl: the reference never looks at it */
    d.shutdown_timeout_ms = 1500; /* a peer that never answers must not hold the test up */

    d.on_authenticate = fixture_authenticate;
    d.on_handshake = o->no_handshake ? NULL : fixture_handshake;
    d.on_transform_out = o->transform ? fixture_transform : NULL;
    d.on_join = o->no_room_validator ? NULL : fixture_join;
    d.on_message = o->no_message_handler ? NULL : fixture_message;
    d.on_connected = o->announce ? fixture_connected : NULL;
    d.on_disconnected = o->announce ? fixture_disconnected : NULL;
    d.on_log = fixture_log;
    return d;
}
#endif
