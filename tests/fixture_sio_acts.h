/* The fixture server with Socket.IO (tests/fixture_sio.c): what its application does at a socket's word,
 * on this server. */
#ifndef FIXTURE_SIO_ACTS_H
#define FIXTURE_SIO_ACTS_H
#include "fixture_sio_words.h"

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
#endif /* FIXTURE_SIO_ACTS_H */
