/* The fixture server with Socket.IO (tests/fixture_sio.c): what its application tells of a socket, what
 * the suite of the client of Socket.IO asks it, and the table of all that it does at a word. */
#ifndef FIXTURE_SIO_TABLE_H
#define FIXTURE_SIO_TABLE_H
#include "fixture_sio_servers.h"

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
#endif /* FIXTURE_SIO_TABLE_H */
