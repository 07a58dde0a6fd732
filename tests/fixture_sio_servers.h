/* The fixture server with Socket.IO (tests/fixture_sio.c): what its application asks of all servers,
 * and of sockets at any of them. */
#ifndef FIXTURE_SIO_SERVERS_H
#define FIXTURE_SIO_SERVERS_H
#include "fixture_sio_acts.h"

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
#endif /* FIXTURE_SIO_SERVERS_H */
