/* For the tests of Socket.IO's recovery: a server whose application writes down what it is told, a
 * client over either transport, and what the application says. */
#ifndef SIO_RECOVERY_SITE_H
#define SIO_RECOVERY_SITE_H

#include "eio_site.h"

#include <ctype.h>
#include "wshub_dialect_socketio.h"

static eio_site s; /* of which only the world and the words are used */
static wshub_sio *sio;

/* ---- the application ---- */

static struct {
    bool refuses, defers;
    const char *user, *metadata; /* who on_connect says it is; NULL: nobody in particular */
    wshub_sio_ask_id asked;
    wshub_client last;
    bool would; /* what on_connect was told */
    char told[16][200];
    int tellings, looked_at;
} app;

UNUSED static void tell(const char *text) {
    if (app.tellings < 16) (void)snprintf(app.told[app.tellings++], sizeof app.told[0], "%s", text);
}
UNUSED static void is_told(const char *want) {
    EXPECT_STR(app.looked_at < app.tellings ? app.told[app.looked_at] : "(nothing)", want);
    app.looked_at++;
    if (app.looked_at >= app.tellings) app.looked_at = app.tellings = 0;
}
UNUSED static void is_told_nothing(void) {
    EXPECT_STR(app.tellings ? app.told[app.looked_at] : "", "");
    app.looked_at = app.tellings = 0;
}

UNUSED static void on_connect(wshub_sio *of, wshub_sio_ask_id ask, const wshub_sio_handshake *h,
                              void *user) {
    wshub_identity who;
    wshub_str none = {NULL, 0};
    (void)user;
    tell("asked");
    app.asked = ask;
    app.would = h->recovered;
    memset(&who, 0, sizeof who);
    if (app.user) who.user_id = wshub_str_z(app.user);
    if (app.metadata) who.metadata = wshub_str_z(app.metadata);
    if (app.defers) return;
    if (app.refuses)
        (void)wshub_sio_refuse(of, ask, "no", none);
    else
        (void)wshub_sio_accept(of, ask, app.user || app.metadata ? &who : NULL);
}
UNUSED static void on_connected(wshub_sio *of, wshub_client c, void *user) {
    char text[200];
    wshub_str id = wshub_client_id(wshub_sio_hub(of), c), room;
    wshub_iter iter = {0, 0};
    wshub_sio_handshake h;
    (void)user;
    app.last = c;
    EXPECT_INT(wshub_sio_handshake_of(of, c, &h), WSHUB_OK);
    EXPECT_INT(h.recovered, wshub_sio_recovered(of, c));
    (void)snprintf(text, sizeof text, "in %.*s%s", (int)id.len, id.ptr,
                   h.recovered ? " recovered" : "");
    while (wshub_client_each_room(wshub_sio_hub(of), c, &iter, &room)) {
        size_t n = strlen(text);
        if (!wshub_str_eq(room, id))
            (void)snprintf(text + n, sizeof text - n, " %.*s", (int)room.len, room.ptr);
    }
    tell(text);
}
UNUSED static void on_disconnecting(wshub_sio *of, wshub_client c, const char *reason, void *user) {
    char text[200];
    wshub_str id = wshub_client_id(wshub_sio_hub(of), c);
    (void)user;
    (void)snprintf(text, sizeof text, "out %.*s %s", (int)id.len, id.ptr, reason);
    tell(text);
}
UNUSED static bool numbers(wshub_sio *of, wshub_str name, void *user) {
    (void)of, (void)user;
    return name.len > 2 && name.ptr[1] == 'n';
}

#define SPACE(...)                                                                                 \
    ((wshub_sio_namespace_desc){                                                                   \
        .on_connected = on_connected, .on_disconnecting = on_disconnecting, __VA_ARGS__})
#define SIO(...) ((wshub_sio_desc){__VA_ARGS__})

UNUSED static void start(wshub_sio_desc d, wshub_io_fake_desc fd) {
    wshub_sio_namespace_desc root = SPACE(.on_connect = on_connect), a = root, open = SPACE(0),
                             made = SPACE(.matches = numbers);
    memset(&s, 0, sizeof s);
    memset(&app, 0, sizeof app);
    world_start(&s.w, DESC(0), fd);
    if (!d.engine.ping_interval_ms) d.engine.ping_interval_ms = 60000;
    d.engine.alloc = world_alloc;
    d.engine.alloc_user = &s.w;
    EXPECT_INT(wshub_sio_create(s.w.hub, &d, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_OK);
    a.name = "/a";
    EXPECT_INT(wshub_sio_namespace_add(sio, &a, NULL), WSHUB_OK);
    open.name = "/open";
    EXPECT_INT(wshub_sio_namespace_add(sio, &open, NULL), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &made, NULL), WSHUB_OK);
}
UNUSED static void stop(void) {
    wshub *hub = s.w.hub;
    s.w.hub = NULL;
    wshub_destroy(hub);
    wshub_sio_destroy(sio);
    world_stop(&s.w);
}

/* ---- a client, over either transport ---- */

UNUSED static void peer_lose(eio_peer *p) {
    if (p->polls)
        eio_peer_say(p, "1");
    else
        wshub_io_fake_end(s.w.net, p->c);
    wshub_io_fake_run(s.w.net);
    p->open = false;
}
/* What `{sid1}` and its like stand for. */
static struct { char name[10], value[32]; } names[40];
static int names_count;

UNUSED static const char *value_of(const char *name, size_t len) {
    int i;
    for (i = 0; i < names_count; i++) {
        if (strlen(names[i].name) == len && memcmp(names[i].name, name, len) == 0)
            return names[i].value;
    }
    return NULL;
}
/* A text with values where names stand. */
UNUSED static const char *filled(const char *text) {
    static char out[1000];
    size_t n = 0;
    while (*text && n < sizeof out - 40) {
        const char *end = *text == '{' ? strchr(text, '}') : NULL, *value = NULL;
        if (end) value = value_of(text, (size_t)(end - text) + 1);
        if (value) {
            n += (size_t)snprintf(out + n, sizeof out - n, "%s", value);
            text = end + 1;
        } else {
            out[n++] = *text++;
        }
    }
    out[n] = 0;
    return out;
}
/* A name that is new stands for what is there, up to a quote or a blank. */
UNUSED static bool text_is(const char *text, const char *want) {
    while (*want) {
        const char *end = *want == '{' ? strchr(want, '}') : NULL;
        size_t len = end ? (size_t)(end - want) + 1 : 0;
        bool named = len > 3 && len < 8 &&
                     (strncmp(want, "{sid", 4) == 0 || strncmp(want, "{pid", 4) == 0 ||
                      (strncmp(want, "{o", 2) == 0 && isdigit((unsigned char)want[2])));
        if (!named) {
            if (*text++ != *want++) return false;
            continue;
        }
        if (!value_of(want, len)) {
            size_t n = strcspn(text, "\" ");
            if (n == 0 || n >= sizeof names[0].value || names_count >= 40) return false;
            (void)snprintf(names[names_count].name, sizeof names[0].name, "%.*s", (int)len, want);
            (void)snprintf(names[names_count].value, sizeof names[0].value, "%.*s", (int)n, text);
            names_count++;
        }
        if (strncmp(text, value_of(want, len), strlen(value_of(want, len))) != 0) return false;
        text += strlen(value_of(want, len));
        want = end + 1;
    }
    return *text == 0;
}
UNUSED static void hears(eio_peer *p, const char *want) {
    char text[1000];
    eio_peer_hear(p, text);
    if (text_is(text, want))
        EXPECT(text[0]);
    else
        EXPECT_STR(text, want);
}
UNUSED static void hears_nothing(eio_peer *p) {
    char text[1000];
    if (!p->open) return;
    eio_peer_hear(p, text);
    EXPECT_STR(text, "");
}
/* Its transport ends; a poll that comes behind that brings a noop. */
UNUSED static void hears_end(eio_peer *p) {
    char text[1000];
    eio_peer_hear(p, text);
    EXPECT_STR(p->polls && text[0] == '6' ? "1" : text, "1");
    p->open = false;
}
UNUSED static void hears_bytes(eio_peer *p, const char *hex) {
    uint8_t bytes[20];
    char want[60];
    size_t n = 0;
    for (; hex[0] && hex[1] && n < sizeof bytes; hex += 2) {
        char pair[3];
        (void)snprintf(pair, sizeof pair, "%.2s", hex);
        bytes[n++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    wshub_eio_binary_write(bytes, n, want);
    want[wshub_eio_binary_len(n)] = 0;
    hears(p, want);
}

/* ---- what the application says ---- */

/* A packet from a text: an array, in which {"$":"0102"} are bytes. */
typedef struct spoken {
    char text[600];
    uint8_t bytes[4][20];
    wshub_span spans[4];
    wshub_str args[6], whole;
    wshub_packet packet;
    char name[40];
} spoken;

UNUSED static const wshub_packet *speak(spoken *sp, const char *text) {
    wshub_iter iter = {0, 0};
    wshub_str value;
    size_t n = 0, count = 0, len;
    memset(sp, 0, sizeof *sp);
    while (*text) {
        if (strncmp(text, "{\"$\":\"", 6) == 0) {
            size_t len_of = 0;
            for (text += 6; *text != '"'; text += 2) {
                char pair[3];
                (void)snprintf(pair, sizeof pair, "%.2s", text);
                sp->bytes[count][len_of++] = (uint8_t)strtoul(pair, NULL, 16);
            }
            text += 2;
            sp->spans[count].ptr = sp->bytes[count];
            sp->spans[count].len = len_of;
            n += (size_t)snprintf(sp->text + n, sizeof sp->text - n,
                                  "{\"_placeholder\":true,\"num\":%d}", (int)count++);
        } else {
            sp->text[n++] = *text++;
        }
    }
    sp->whole = wshub_str_z(sp->text);
    EXPECT(wshub_json_each(sp->whole, &iter, &value));
    EXPECT_INT(wshub_json_copy(value, sp->name, sizeof sp->name, &len), WSHUB_OK);
    sp->packet.event = wshub_str_z(sp->name);
    while (wshub_json_each(sp->whole, &iter, &value)) sp->args[sp->packet.args_count++] = value;
    sp->packet.args = sp->args;
    sp->packet.attachments = sp->spans;
    sp->packet.attachments_count = count;
    return &sp->packet;
}
UNUSED static wshub_err all_hear(const char *space, const char *text) {
    spoken sp;
    return wshub_sio_emit(sio, wshub_sio_of(sio, space), NULL, speak(&sp, text));
}
UNUSED static wshub_err one_hears(wshub_client c, const char *text) {
    spoken sp;
    return wshub_sio_send(sio, c, speak(&sp, text));
}

UNUSED static wshub_sio_stats figures(void) {
    wshub_sio_stats stats;
    wshub_sio_stats_get(sio, &stats);
    return stats;
}
#endif /* SIO_RECOVERY_SITE_H */
