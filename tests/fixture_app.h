/* The application that the black-box tests talk to: its command line and its callbacks, over
 * any io. The fixture server runs it on sockets, the transcript player on the fake io with
 * virtual time. It holds no logic of its own: what the hub does is what is being looked at.
 * Late answers come from hub timers. */
#ifndef FIXTURE_APP_H
#define FIXTURE_APP_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture_options {
    const char *host, *path, *redis, *default_rooms, *backend;
    unsigned long port, auth_timeout, heartbeat_interval, heartbeat_timeout, max_payload,
        backpressure_limit, idle_timeout;
    bool close_on_backpressure, no_pings, require_encryption, no_handshake, transform,
        no_room_validator;
    bool no_message_handler, announce, deflate;
} fixture_options;

typedef struct fixture {
    fixture_options opt;
    wshub *hub;
    char rooms_text[512];
    const char *rooms[32];
    bool log;
    struct fixture_late *lates; /* answers still to come */
} fixture;

/* Reads a command line. NULL, or a line that says what is wrong. */
__attribute__((unused)) static const char *fixture_parse(fixture_options *o, int argc,
                                                         char **argv) {
    static char why[256];
    int i;
    size_t k;
    memset(o, 0, sizeof *o);
    o->host = "127.0.0.1";
    o->path = "/ws";
    o->default_rooms = "ws-default,ws-notification";
    o->auth_timeout = 5000;
    o->heartbeat_interval = 30000;
    o->heartbeat_timeout = 90000;
    o->max_payload = 131072;
    o->backpressure_limit = 1048576;
    o->idle_timeout = 60;
    for (i = 1; i < argc; i++) {
        const struct {
            const char *name;
            bool *to;
            /* clang-format off */
        } flags[] = {
            {"--close-on-backpressure", &o->close_on_backpressure},
            {"--no-pings", &o->no_pings},
            {"--require-encryption", &o->require_encryption},
            {"--no-handshake", &o->no_handshake},
            {"--transform", &o->transform},
            {"--no-room-validator", &o->no_room_validator},
            {"--no-message-handler", &o->no_message_handler},
            {"--announce", &o->announce},
            {"--deflate", &o->deflate},
        };
        /* clang-format on */
        const struct {
            const char *name;
            unsigned long *to, min, max;
            /* clang-format off */
        } ints[] = {
            {"--port", &o->port, 0, 65535},
            {"--auth-timeout", &o->auth_timeout, 1, 3600000},
            {"--heartbeat-interval", &o->heartbeat_interval, 1, 3600000},
            {"--heartbeat-timeout", &o->heartbeat_timeout, 1, 3600000},
            {"--max-payload", &o->max_payload, 1, 1ul << 30},
            {"--backpressure-limit", &o->backpressure_limit, 1, 1ul << 30},
            {"--idle-timeout", &o->idle_timeout, 0, 960},
        };
        /* clang-format on */
        const struct {
            const char *name;
            const char **to;
            /* clang-format off */
        } texts[] = {
            {"--host", &o->host},       {"--path", &o->path},
            {"--redis", &o->redis},     {"--default-rooms", &o->default_rooms},
            {"--backend", &o->backend},
        };
        /* clang-format on */
        bool known = false;
        for (k = 0; k < sizeof flags / sizeof *flags; k++) {
            if (strcmp(argv[i], flags[k].name) == 0) known = *flags[k].to = true;
        }
        for (k = 0; k < sizeof texts / sizeof *texts && !known; k++) {
            if (strcmp(argv[i], texts[k].name) != 0) continue;
            if (i + 1 == argc) {
                (void)snprintf(why, sizeof why, "option %.40s needs a value", argv[i]);
                return why;
            }
            *texts[k].to = argv[++i];
            known = true;
        }
        for (k = 0; k < sizeof ints / sizeof *ints && !known; k++) {
            const char *v;
            if (strcmp(argv[i], ints[k].name) != 0) continue;
            v = i + 1 < argc ? argv[++i] : NULL;
            if (!v) {
                (void)snprintf(why, sizeof why, "option %.40s needs a value", argv[i]);
                return why;
            }
            if (!*v || strlen(v) > 10 || strspn(v, "0123456789") != strlen(v) ||
                strtoul(v, NULL, 10) < ints[k].min || strtoul(v, NULL, 10) > ints[k].max) {
                (void)snprintf(why, sizeof why, "bad value for %.40s: %.40s (%lu to %lu)",
                               ints[k].name, v, ints[k].min, ints[k].max);
                return why;
            }
            *ints[k].to = strtoul(v, NULL, 10);
            known = true;
        }
        if (!known) {
            (void)snprintf(why, sizeof why, "unknown option %.80s", argv[i]);
            return why;
        }
    }
    return NULL;
}

/* ---- small texts ---- */
typedef struct text {
    char *ptr;
    size_t len, cap;
} text;

static void text_add(text *t, const char *bytes, size_t n) {
    if (t->len + n + 1 > t->cap) {
        t->cap = (t->len + n + 1) * 2;
        t->ptr = (char *)realloc(t->ptr, t->cap);
        if (!t->ptr) abort();
    }
    if (n) memcpy(t->ptr + t->len, bytes, n);
    t->len += n;
    t->ptr[t->len] = 0;
}
static void text_z(text *t, const char *s) {
    text_add(t, s, strlen(s));
}
static void text_str(text *t, wshub_str s) {
    text_add(t, s.ptr, s.len);
}
static void text_quote(text *t, wshub_str s) {
    size_t n = wshub_json_quote(s, NULL, 0);
    char *q = (char *)malloc(n);
    if (!q) abort();
    (void)wshub_json_quote(s, q, n);
    text_add(t, q, n);
    free(q);
}
static void text_uint(text *t, unsigned long n) {
    char d[24];
    text_add(t, d, (size_t)snprintf(d, sizeof d, "%lu", n));
}
static wshub_str text_get(const text *t) {
    wshub_str s;
    s.ptr = t->ptr ? t->ptr : "";
    s.len = t->len;
    return s;
}
static wshub_str fixture_none(void) {
    wshub_str s;
    s.ptr = NULL;
    s.len = 0;
    return s;
}

/* The string under a key, decoded, to be freed; ptr NULL: lacking. */
static wshub_str fixture_string(wshub_str data, const char *key) {
    wshub_str raw = wshub_json_get(data, key), s = fixture_none();
    char *buf;
    if (wshub_json_type(raw) != WSHUB_JSON_STRING) return s;
    buf = (char *)malloc(raw.len);
    if (!buf) abort();
    s.ptr = buf;
    s.len = wshub_json_text(raw, buf, raw.len);
    return s;
}
static void fixture_free(wshub_str s) {
    union {
        const char *from;
        void *to;
    } u;
    u.from = s.ptr;
    free(u.to);
}
static bool fixture_is(wshub_str s, const char *prefix) { /* begins with */
    return s.ptr && s.len >= strlen(prefix) && memcmp(s.ptr, prefix, strlen(prefix)) == 0;
}

/* ---- late answers ---- */
typedef enum fixture_answer {
    FIXTURE_ACCEPT,
    FIXTURE_REJECT,
    FIXTURE_FAIL,
    FIXTURE_KEYS,
    FIXTURE_JOIN
} fixture_answer;
typedef struct fixture_late {
    struct fixture_late *next;
    fixture_answer answer;
    wshub_ask ask;
    wshub_str text; /* user id, key, or rooms each behind its length */
} fixture_late;

static void fixture_accept(wshub *hub, wshub_ask ask, wshub_str user_id) {
    wshub_identity who;
    who.user_id = user_id;
    who.metadata = user_id.ptr ? wshub_str_z("{\"role\":\"member\"}") : fixture_none();
    (void)wshub_auth_accept(hub, ask, &who);
}

static void fixture_keys(wshub *hub, wshub_ask ask, wshub_str key) {
    text t = {NULL, 0, 0};
    text_z(&t, "SPK:");
    text_str(&t, key);
    (void)wshub_handshake_accept(hub, ask, text_get(&t), wshub_str_z("SALT"));
    free(t.ptr);
}

static void fixture_allow(wshub *hub, wshub_ask ask, wshub_str rooms) { /* length-prefixed names */
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

static void fixture_now(wshub *hub, const fixture_late *l) {
    switch (l->answer) {
    case FIXTURE_ACCEPT: fixture_accept(hub, l->ask, l->text); break;
    case FIXTURE_REJECT: (void)wshub_ask_reject(hub, l->ask); break;
    case FIXTURE_FAIL: (void)wshub_ask_fail(hub, l->ask); break;
    case FIXTURE_KEYS: fixture_keys(hub, l->ask, l->text); break;
    case FIXTURE_JOIN: fixture_allow(hub, l->ask, l->text); break;
    }
}

static void fixture_late_due(wshub *hub, void *arg) {
    fixture_late *l = (fixture_late *)arg, **at = &((fixture *)wshub_user(hub))->lates;
    while (*at != l) at = &(*at)->next;
    *at = l->next;
    fixture_now(hub, l);
    fixture_free(l->text);
    free(l);
}

static void fixture_later(wshub *hub, wshub_ask ask, fixture_answer answer, unsigned long ms,
                          wshub_str s) {
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
    l->next = ((fixture *)wshub_user(hub))->lates;
    ((fixture *)wshub_user(hub))->lates = l;
}

/* after the hub: answers that nobody waits for any more */
__attribute__((unused)) static void fixture_end(fixture *f) {
    while (f->lates) {
        fixture_late *l = f->lates;
        f->lates = l->next;
        fixture_free(l->text);
        free(l);
    }
}

/* `prefix` MS [`:` rest]: true if the token has this form. */
static bool fixture_timed(wshub_str token, const char *prefix, bool with_rest, unsigned long *ms,
                          wshub_str *rest) {
    size_t at = strlen(prefix), digits = 0;
    if (!fixture_is(token, prefix)) return false;
    *ms = 0;
    for (; at < token.len && token.ptr[at] >= '0' && token.ptr[at] <= '9'; at++, digits++)
        *ms = *ms * 10 + (unsigned long)(token.ptr[at] - '0');
    if (!digits || digits > 9) return false;
    rest->ptr = token.ptr + at;
    rest->len = token.len - at;
    if (!with_rest) return rest->len == 0;
    if (!rest->len || rest->ptr[0] != ':') return false;
    rest->ptr++;
    rest->len--;
    return true;
}

/* ---- callbacks ---- */
static void fixture_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_str token = fixture_string(auth->data, "token"), rest;
    unsigned long ms;
    (void)user;
    if (fixture_is(token, "user:")) {
        rest.ptr = token.ptr + 5;
        rest.len = token.len - 5;
        fixture_accept(hub, ask, rest);
    } else if (wshub_str_eq_z(token, "anon")) {
        fixture_accept(hub, ask, fixture_none());
    } else if (fixture_timed(token, "slow:", true, &ms, &rest)) {
        fixture_later(hub, ask, FIXTURE_ACCEPT, ms, rest);
    } else if (fixture_timed(token, "reject-slow:", false, &ms, &rest)) {
        fixture_later(hub, ask, FIXTURE_REJECT, ms, rest);
    } else if (fixture_timed(token, "error-slow:", false, &ms, &rest)) {
        fixture_later(hub, ask, FIXTURE_FAIL, ms, rest);
    } else if (wshub_str_eq_z(token, "error")) {
        (void)wshub_ask_fail(hub, ask);
    } else {
        (void)wshub_ask_reject(hub, ask);
    }
    fixture_free(token);
}

static void fixture_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *h, void *user) {
    wshub_str key = fixture_string(h->data, "publicKey"), rest;
    unsigned long ms;
    (void)user;
    if (!key.ptr || wshub_str_eq_z(key, "bad")) {
        (void)wshub_ask_reject(hub, ask);
    } else if (wshub_str_eq_z(key, "fail")) {
        (void)wshub_ask_fail(hub, ask);
    } else if (fixture_timed(key, "slow:", false, &ms, &rest)) {
        fixture_later(hub, ask, FIXTURE_KEYS, ms, key);
    } else {
        fixture_keys(hub, ask, key);
    }
    fixture_free(key);
}

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
    text_z(&t, "{\"event\":");
    text_quote(&t, e->event);
    if (e->data.ptr) {
        text_z(&t, ",\"data\":");
        text_str(&t, e->data);
    }
    text_z(&t, "}");
    b64 = (char *)malloc(4 * ((t.len + 2) / 3) + 2);
    if (!b64) abort();
    n = wshub_base64((const uint8_t *)t.ptr, t.len, b64 + 1);
    b64[0] = b64[n + 1] = '"';
    m.event = wshub_str_z("encrypted");
    m.data.ptr = b64;
    m.data.len = n + 2;
    m.data_is_json = false;
    if (wshub_transform_accept(hub, ask, &m) != WSHUB_OK) (void)wshub_ask_fail(hub, ask);
    free(b64);
    free(t.ptr);
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
        text_str(&t, r);
    }
    if (error) {
        (void)wshub_ask_fail(hub, ask);
    } else if (slow) {
        fixture_later(hub, ask, FIXTURE_JOIN, 200, text_get(&t));
    } else {
        fixture_allow(hub, ask, text_get(&t));
    }
    free(t.ptr);
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

static int fixture_compare(const void *a, const void *b) {
    const wshub_str *x = (const wshub_str *)a, *y = (const wshub_str *)b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = n ? memcmp(x->ptr, y->ptr, n) : 0;
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

static void fixture_sorted(text *t, wshub_str *list, size_t count) {
    size_t i;
    if (count) qsort(list, count, sizeof *list, fixture_compare);
    text_z(t, "[");
    for (i = 0; i < count; i++) {
        if (i) text_z(t, ",");
        text_quote(t, list[i]);
    }
    text_z(t, "]");
}

/* {"id":…,"userId"?,"state":…,"encrypted":… */
static void fixture_who(text *t, wshub *hub, wshub_client c) {
    wshub_str user_id = wshub_client_user_id(hub, c);
    text_z(t, "{\"id\":");
    text_quote(t, wshub_client_id(hub, c));
    if (user_id.ptr) {
        text_z(t, ",\"userId\":");
        text_quote(t, user_id);
    }
    text_z(t, ",\"state\":\"");
    text_z(t, fixture_state(wshub_client_state(hub, c)));
    text_z(t,
           wshub_client_is_encrypted(hub, c) ? "\",\"encrypted\":true" : "\",\"encrypted\":false");
}

/* The list under `exclude`, decoded; *out NULL: lacking. */
static size_t fixture_exclude(wshub_str data, wshub_str **out, char **bytes) {
    wshub_str raw = wshub_json_get(data, "exclude"), item;
    wshub_iter it = {0, 0};
    size_t n = 0;
    char *at;
    *out = NULL;
    *bytes = NULL;
    if (wshub_json_type(raw) != WSHUB_JSON_ARRAY) return 0;
    *out = (wshub_str *)malloc((raw.len / 2 + 1) * sizeof(wshub_str));
    at = *bytes = (char *)malloc(raw.len);
    if (!*out || !at) abort();
    while (wshub_json_each(raw, &it, &item)) {
        if (wshub_json_type(item) != WSHUB_JSON_STRING) continue;
        (*out)[n].ptr = at;
        (*out)[n].len = wshub_json_text(item, at, item.len);
        at += (*out)[n++].len;
    }
    return n;
}

static void fixture_burst(wshub *hub, wshub_str data) {
    uint64_t count = 0, size = 0, first = 0, n;
    wshub_str id = fixture_string(data, "id");
    wshub_client to;
    (void)wshub_json_uint(wshub_json_get(data, "count"), &count);
    (void)wshub_json_uint(wshub_json_get(data, "size"), &size);
    (void)wshub_json_uint(wshub_json_get(data, "first"), &first);
    for (n = first; n < first + count && id.ptr; n++) {
        text t = {NULL, 0, 0};
        wshub_msg m;
        uint64_t i;
        text_z(&t, "{\"n\":");
        text_uint(&t, (unsigned long)n);
        text_z(&t, ",\"pad\":\"");
        for (i = 0; i < size; i++) text_add(&t, "x", 1);
        text_z(&t, "\"}");
        m.event = wshub_str_z("burst");
        m.data = text_get(&t);
        m.data_is_json = true;
        if (wshub_client_find(hub, id, &to) == WSHUB_OK) (void)wshub_client_send(hub, to, &m);
        free(t.ptr);
    }
    fixture_free(id);
}

static wshub_err fixture_message(wshub *hub, wshub_client client, const wshub_event *e,
                                 void *user) {
    wshub_str d = e->data, id = fixture_string(d, "id"), event = fixture_string(d, "event"),
              room = fixture_string(d, "room");
    wshub_str user_id = fixture_string(d, "userId"), *exclude, none = fixture_none();
    char *exclude_bytes;
    size_t exclude_count = fixture_exclude(d, &exclude, &exclude_bytes);
    wshub_msg m, reply;
    text t = {NULL, 0, 0};
    wshub_client to;
    wshub_err err = WSHUB_OK;
    bool answer = false;
    (void)user;
    m.event = event;
    m.data = wshub_json_get(d, "data");
    m.data_is_json = false;
    reply.event = e->event;
    reply.data = none;
    reply.data_is_json = false;
    if (wshub_str_eq_z(e->event, "echo")) {
        reply.data = d;
        answer = true;
    } else if (wshub_str_eq_z(e->event, "send")) {
        wshub_str destination = fixture_string(d, "destination"),
                  topic = fixture_string(d, "topic");
        wshub_dest dest;
        memset(&dest, 0, sizeof dest);
        dest.name = destination;
        m.event = topic;
        (void)wshub_send(hub, &dest, &m);
        fixture_free(destination);
        fixture_free(topic);
    } else if (wshub_str_eq_z(e->event, "to-client")) {
        if (id.ptr && wshub_client_find(hub, id, &to) == WSHUB_OK)
            (void)wshub_client_send(hub, to, &m);
    } else if (wshub_str_eq_z(e->event, "to-user")) {
        if (user_id.ptr) (void)wshub_user_send(hub, user_id, &m);
    } else if (wshub_str_eq_z(e->event, "to-room")) {
        if (room.ptr) (void)wshub_room_send(hub, room, &m, exclude, exclude_count);
    } else if (wshub_str_eq_z(e->event, "all")) {
        (void)wshub_all_send(hub, &m, exclude, exclude_count);
    } else if (wshub_str_eq_z(e->event, "join-server")) {
        if (id.ptr && room.ptr && wshub_client_find(hub, id, &to) == WSHUB_OK)
            (void)wshub_client_join(hub, to, room);
    } else if (wshub_str_eq_z(e->event, "leave-server")) {
        if (id.ptr && room.ptr && wshub_client_find(hub, id, &to) == WSHUB_OK)
            (void)wshub_client_leave(hub, to, room);
    } else if (wshub_str_eq_z(e->event, "whoami")) {
        wshub_str list[1100], r, meta = wshub_client_metadata(hub, client);
        wshub_iter it = {0, 0};
        size_t n = 0;
        while (n < 1100 && wshub_client_each_room(hub, client, &it, &r)) list[n++] = r;
        fixture_who(&t, hub, client);
        text_z(&t, ",\"rooms\":");
        fixture_sorted(&t, list, n);
        if (meta.ptr) {
            text_z(&t, ",\"metadata\":");
            text_str(&t, meta);
        }
        text_z(&t, "}");
        answer = true;
    } else if (wshub_str_eq_z(e->event, "stats")) {
        wshub_stats s;
        wshub_stats_get(hub, &s);
        text_z(&t, "{\"clients\":");
        text_uint(&t, (unsigned long)s.clients);
        text_z(&t, ",\"users\":");
        text_uint(&t, (unsigned long)s.users);
        text_z(&t, ",\"rooms\":");
        text_uint(&t, (unsigned long)s.rooms);
        text_z(&t, "}");
        answer = true;
    } else if (wshub_str_eq_z(e->event, "clients")) {
        wshub_iter it = {0, 0};
        text_z(&t, "{\"clients\":[");
        while (wshub_client_each(hub, &it, &to)) {
            if (t.ptr[t.len - 1] == '}') text_z(&t, ",");
            fixture_who(&t, hub, to);
            text_z(&t, "}");
        }
        text_z(&t, "]}");
        answer = true;
    } else if (wshub_str_eq_z(e->event, "room-members") ||
               wshub_str_eq_z(e->event, "user-members")) {
        bool rooms = wshub_str_eq_z(e->event, "room-members");
        wshub_str name = rooms ? room : user_id, list[4096];
        wshub_iter it = {0, 0};
        size_t n = 0;
        while (n < 4096 && (rooms ? wshub_room_each_member(hub, name, &it, &to)
                                  : wshub_user_each_client(hub, name, &it, &to))) {
            list[n++] = wshub_client_id(hub, to);
        }
        text_z(&t, rooms ? "{\"room\":" : "{\"userId\":");
        text_quote(&t, name.ptr ? name : wshub_str_z(""));
        text_z(&t, ",\"ids\":");
        fixture_sorted(&t, list, n);
        text_z(&t, "}");
        answer = true;
    } else if (wshub_str_eq_z(e->event, "encrypt")) {
        (void)wshub_client_encrypt(hub, client);
        answer = true;
    } else if (wshub_str_eq_z(e->event, "burst")) {
        fixture_burst(hub, d);
    } else if (wshub_str_eq_z(e->event, "fail")) {
        err = WSHUB_ERR_APP;
    }
    if (answer) {
        if (t.ptr) reply.data = text_get(&t);
        (void)wshub_client_send(hub, client, &reply);
    }
    free(t.ptr);
    free(exclude);
    free(exclude_bytes);
    fixture_free(id);
    fixture_free(event);
    fixture_free(room);
    fixture_free(user_id);
    return err;
}

static void fixture_announce(wshub *hub, const char *event, wshub_str id, wshub_str user_id) {
    text t = {NULL, 0, 0};
    wshub_msg m;
    text_z(&t, "{\"id\":");
    text_quote(&t, id);
    if (user_id.ptr) {
        text_z(&t, ",\"userId\":");
        text_quote(&t, user_id);
    }
    text_z(&t, "}");
    m.event = wshub_str_z(event);
    m.data = text_get(&t);
    m.data_is_json = false;
    (void)wshub_room_send(hub, wshub_str_z("ws-notification"), &m, NULL, 0);
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

/* The description of a hub that follows the options. f must outlive it. */
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
    if (d.default_rooms_count)
        d.default_rooms = f->rooms;
    else
        d.no_default_rooms = true;
    d.auth_timeout_ms = (uint32_t)o->auth_timeout;
    d.heartbeat_interval_ms = (uint32_t)o->heartbeat_interval;
    d.heartbeat_timeout_ms = (uint32_t)o->heartbeat_timeout;
    d.payload_bytes_max = (uint32_t)o->max_payload;
    d.backpressure_bytes_max = (uint32_t)o->backpressure_limit;
    d.idle_timeout_ms = o->idle_timeout ? (uint32_t)o->idle_timeout * 1000 : WSHUB_OFF;
    d.close_on_backpressure = o->close_on_backpressure;
    d.no_pings = o->no_pings;
    d.require_encryption = o->require_encryption;
    /* golden in-channel.jsonl: the reference never looks at the channel */
    d.bus_any_channel = true;
    d.shutdown_timeout_ms = 1500; /* a peer that never answers must not hold the test up */
    d.on_authenticate = fixture_authenticate;
    if (!o->no_handshake) d.on_handshake = fixture_handshake;
    if (o->transform) d.on_transform_out = fixture_transform;
    if (!o->no_room_validator) d.on_join = fixture_join;
    if (!o->no_message_handler) d.on_message = fixture_message;
    if (o->announce) {
        d.on_connected = fixture_connected;
        d.on_disconnected = fixture_disconnected;
    }
    d.on_log = fixture_log;
    return d;
}
#endif
