/* The reference's transcripts with a broker (tests/golden/bus/) on one or two fixture hubs and
 * the fixture emitter, each on a fake io of its own, over the Redis bus and a broker in memory:
 * every envelope byte for byte (BUS-2, BUS-3, SEND-3, EMIT-1, ENC-1). Played as they are, with
 * input cut at every byte, output taken in pieces, and completions. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_fake.h"
#include "wshub_bus_redis.h"
#include "test.h"
#include "checked.h"
#include "fixture_app.h"
#include "fixture_emit.h"
#include "broker.h"
#include <dirent.h>

typedef struct site {
    fixture app;
    wshub_io_fake *net;
    wshub_bus_redis *redis;
} site;
typedef struct actor {
    char id[40];
    site *at;
    wshub_conn conn;
} actor;
typedef struct play {
    broker b;
    site s[2], e; /* two servers; the emitter's place */
    wshub_emitter *em;
    actor actors[26];
    struct {
        char *channel, *payload;
    } said[64]; /* published, not yet looked at */
    int said_count, said_at;
    char line[4096];
} play;

static void play_fail(play *p, const char *what, wshub_str got) {
    test_failures++;
    (void)printf("  %s: %s\n    %.300s\n    got %.*s\n", test_name, what, p->line,
                 (int)(got.len < 300 ? got.len : 300), got.ptr ? got.ptr : "");
}

static void play_published(void *ctx, wshub_str channel, wshub_str payload) {
    play *p = (play *)ctx;
    if (p->said_count == 64) return;
    p->said[p->said_count].channel = strndup(channel.ptr, channel.len);
    p->said[p->said_count++].payload = strndup(payload.len ? payload.ptr : "", payload.len);
}

static void play_check(void *user) {
    checked(((site *)user)->app.hub);
}

static void play_run(play *p) {
    site *all[3] = {&p->s[0], &p->s[1], &p->e};
    int round, i;
    for (round = 0; round < 4; round++) {
        for (i = 0; i < 3; i++) {
            int n;
            if (!all[i]->net) continue;
            wshub_io_fake_run(all[i]->net);
            for (n = 0; n < 100 && broker_step(&p->b, all[i]->net); n++)
                wshub_io_fake_run(all[i]->net);
        }
    }
}

static void play_bus(play *p, site *s, wshub_io_fake_desc fd, uint64_t seed, bool emitter) {
    (void)p;
    fd.seed = seed;
    fd.on_step = play_check;
    fd.user = s;
    EXPECT_INT(wshub_io_fake_create(&fd, &s->net), WSHUB_OK);
    EXPECT_INT(wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_fake_io(s->net),
                                                              .url = "redis://:pass@broker/3",
                                                              .publish_only = emitter,
                                                              .no_heartbeat = true},
                                      &s->redis),
               WSHUB_OK);
}

static void play_server(play *p, site *s, int argc, char **argv, wshub_io_fake_desc fd,
                        uint64_t seed) {
    wshub_desc d;
    if (s->net) return;
    play_bus(p, s, fd, seed, false);
    EXPECT(fixture_parse(&s->app.opt, argc, argv) == NULL);
    d = fixture_desc(&s->app, wshub_io_fake_io(s->net));
    d.bus = wshub_bus_redis_bus(s->redis);
    EXPECT_INT(wshub_create(&d, &s->app.hub), WSHUB_OK);
    play_run(p);
}

/* <A> the id of client A, <S1> of a server; in capitals on request; <x*N>. */
static void play_expand(play *p, wshub_str s, text *out) {
    size_t i;
    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] == '<' && i + 2 < s.len && s.ptr[i + 1] >= 'A' && s.ptr[i + 1] <= 'R' &&
            s.ptr[i + 2] == '>') {
            text_z(out, p->actors[s.ptr[i + 1] - 'A'].id);
            i += 2;
        } else if (s.ptr[i] == '<' && i + 3 < s.len && s.ptr[i + 1] == 'S' &&
                   (s.ptr[i + 2] == '1' || s.ptr[i + 2] == '2')) {
            wshub_str id = wshub_server_id(p->s[s.ptr[i + 2] - '1'].app.hub);
            bool capitals = s.ptr[i + 3] != '>';
            size_t k;
            for (k = 0; k < id.len; k++) {
                char c = id.ptr[k];
                if (capitals && c >= 'a' && c <= 'z') c = (char)(c - 32);
                text_add(out, &c, 1);
            }
            while (i < s.len && s.ptr[i] != '>') i++;
        } else {
            text_add(out, s.ptr + i, 1);
        }
    }
}

/* decoded and expanded, to be freed */
static char *play_text(play *p, wshub_str line, const char *key) {
    wshub_str s = fixture_string(line, key);
    text out = {NULL, 0, 0};
    text_add(&out, "", 0);
    play_expand(p, s, &out);
    fixture_free(s);
    return out.ptr;
}

static void play_connect(play *p, wshub_str line, const char *name, site *at) {
    wshub_str item;
    wshub_iter it = {0, 0};
    while (wshub_json_each(wshub_json_get(line, "connected"), &it, &item)) {
        char label = item.ptr[1], user[16], hello[120];
        actor *a = &p->actors[label - 'A'];
        wshub_io_fake_frame f;
        bool same =
            (strcmp(name, "two-local") == 0 || strcmp(name, "emitter") == 0) && label != 'C';
        /* whose second session C is */
        if (strcmp(name, "in-types") == 0 && label == 'C') label = 'B';
        (void)snprintf(user, sizeof user, "%c", label + 32);
        (void)snprintf(
            hello, sizeof hello,
            "{\"event\":\"authenticate\",\"data\":{\"token\":\"user:%s\",\"publicKey\":\"K\"}}",
            same ? "same" : user);
        a->at = at;
        a->conn = wshub_io_fake_connect(at->net, "/ws");
        EXPECT(a->conn.id);
        wshub_io_fake_text(at->net, a->conn, hello);
        play_run(p);
        EXPECT(wshub_io_fake_next(at->net, a->conn, &f));
        item = wshub_json_get(wshub_json_get(f.payload, "data"), "id");
        (void)snprintf(a->id, sizeof a->id, "%.*s", item.len > 1 ? (int)item.len - 2 : 0,
                       item.len > 1 ? item.ptr + 1 : "");
        EXPECT_INT(strlen(a->id), 36);
    }
}

static void play_got(play *p, wshub_str line, actor *a) {
    wshub_io_fake_frame f;
    wshub_str got = {"(nothing)", 9};
    char *want = play_text(p, line, wshub_json_get(line, "decoded").ptr ? "decoded" : "got");
    text t = {NULL, 0, 0};
    memset(&f, 0, sizeof f);
    if (wshub_io_fake_next(a->at->net, a->conn, &f)) got = f.payload;
    /* {"event":"encrypted","data":"<base64 of what is wanted>"} */
    if (wshub_json_get(line, "decoded").ptr) {
        char *b64 = (char *)malloc(strlen(want) * 2 + 8);
        size_t n = wshub_base64((const uint8_t *)want, strlen(want), b64);
        text_z(&t, "{\"event\":\"encrypted\",\"data\":\"");
        text_add(&t, b64, n);
        text_z(&t, "\"}");
        free(b64);
    } else {
        text_z(&t, want);
    }
    if (!wshub_str_eq(text_get(&t), got)) play_fail(p, "another message", got);
    free(t.ptr);
    free(want);
}

static void play_silence(play *p) {
    int i;
    wshub_io_fake_frame f;
    for (i = 0; i < 26; i++) {
        if (p->actors[i].at && wshub_io_fake_next(p->actors[i].at->net, p->actors[i].conn, &f))
            play_fail(p, "more than the transcript has, before", f.payload);
    }
    if (p->said_at < p->said_count)
        play_fail(p, "more published than the transcript has, before",
                  wshub_str_z(p->said[p->said_at].payload));
}

static void play_line(play *p, wshub_str line, const char *name, int argc, char **argv,
                      wshub_io_fake_desc fd) {
    wshub_str who = wshub_json_get(line, "who");
    actor *a = who.len == 3 ? &p->actors[who.ptr[1] - 'A'] : NULL;
    bool second = wshub_str_eq_z(wshub_json_get(line, "on"), "\"S2\"");
    char *x, *y;
    if (wshub_json_get(line, "step").ptr) {
        play_silence(p);
    } else if (wshub_json_get(line, "connected").ptr) {
        play_server(p, &p->s[second ? 1 : 0], argc, argv, fd, second ? 22 : 11);
        play_connect(p, line, name, &p->s[second ? 1 : 0]);
    } else if (wshub_json_get(line, "sent").ptr && a) {
        x = play_text(p, line, "sent");
        wshub_io_fake_text(a->at->net, a->conn, x);
        free(x);
        play_run(p);
    } else if (wshub_json_get(line, "publish").ptr) {
        x = play_text(p, line, "publish");
        y = play_text(p, line, "payload");
        (void)broker_deliver(&p->b, wshub_str_z(x), wshub_str_z(y), false);
        free(x);
        free(y);
        play_run(p);
    } else if (wshub_json_get(line, "emitter").ptr) {
        x = play_text(p, line, "emitter");
        EXPECT(fixture_emit(p->em, wshub_str_z(x)) == NULL);
        free(x);
        play_run(p);
    } else if (wshub_json_get(line, "channel").ptr) {
        bool there = p->said_at < p->said_count;
        x = play_text(p, line, "channel");
        y = play_text(p, line, "payload");
        if (!there || strcmp(p->said[p->said_at].channel, x) != 0 ||
            strcmp(p->said[p->said_at].payload, y) != 0)
            play_fail(p, "another publication",
                      wshub_str_z(there ? p->said[p->said_at].payload : "(nothing)"));
        p->said_at++;
        free(x);
        free(y);
    } else if (wshub_json_get(line, "got").ptr && a) {
        play_got(p, line, a);
    } else {
        EXPECT(wshub_json_get(line, "exit").ptr || wshub_json_get(line, "scenario").ptr);
    }
}

static void play_file(const char *path, wshub_io_fake_desc fd) {
    static play p;
    char name[64], options[8][64], *argv[9], *buf = NULL;
    size_t cap = 0;
    ssize_t n;
    int argc = 1, i;
    FILE *f = fopen(path, "r");
    wshub_str item;
    wshub_iter it = {0, 0};
    EXPECT(f != NULL);
    if (!f) return;
    memset(&p, 0, sizeof p);
    p.b.password = "pass";
    p.b.role = "master";
    p.b.on_publish = play_published;
    p.b.ctx = &p;
    argv[0] = (char *)(uintptr_t) "fixture";
    (void)snprintf(name, sizeof name, "%s", strrchr(path, '/') + 1);
    *strchr(name, '.') = 0;
    play_bus(&p, &p.e, fd, 33, true);
    EXPECT_INT(
        wshub_emitter_create(&(wshub_emitter_desc){.bus = wshub_bus_redis_bus(p.e.redis)}, &p.em),
        WSHUB_OK);
    play_run(&p);
    while ((n = getline(&buf, &cap, f)) > 0) {
        wshub_str line = {buf, (size_t)n - 1};
        (void)snprintf(p.line, sizeof p.line, "%s: %.*s", name, (int)line.len, line.ptr);
        while (argc < 8 && wshub_json_each(wshub_json_get(line, "options"), &it, &item)) {
            (void)snprintf(options[argc], 64, "%.*s", (int)item.len - 2, item.ptr + 1);
            argv[argc] = options[argc];
            argc++;
        }
        play_line(&p, line, name, argc, argv, fd);
    }
    play_silence(&p);
    EXPECT_INT(p.s[0].app.hub != NULL, 1);
    wshub_emitter_destroy(p.em);
    for (i = 0; i < 2; i++) {
        wshub *hub = p.s[i].app.hub;
        p.s[i].app.hub = NULL;
        wshub_destroy(hub);
        wshub_bus_redis_destroy(p.s[i].redis);
        fixture_end(&p.s[i].app);
    }
    wshub_bus_redis_destroy(p.e.redis);
    broker_drop_all(&p.b);
    for (i = 0; i < 2; i++) wshub_io_fake_destroy(p.s[i].net);
    wshub_io_fake_destroy(p.e.net);
    for (i = 0; i < p.said_count; i++) {
        free(p.said[i].channel);
        free(p.said[i].payload);
    }
    free(buf);
    (void)fclose(f);
}

static void play_all(wshub_io_fake_desc fd) {
    DIR *d = opendir("tests/golden/bus");
    struct dirent *e;
    int n = 0;
    while (d && (e = readdir(d)) != NULL) {
        char path[400];
        if (!strstr(e->d_name, ".jsonl")) continue;
        (void)snprintf(path, sizeof path, "tests/golden/bus/%s", e->d_name);
        play_file(path, fd);
        n++;
    }
    if (d) (void)closedir(d);
    EXPECT_OP(n, >=, 19);
}

TEST(transcripts_with_a_broker) {
    play_all((wshub_io_fake_desc){0});
}
TEST_WHOLE(transcripts_with_a_broker_byte_by_byte) {
    play_all((wshub_io_fake_desc){.cut_bytes = 1, .take_bytes = 1});
}
TEST_WHOLE(transcripts_with_a_broker_in_pieces) {
    play_all((wshub_io_fake_desc){.cut_bytes = 7, .take_bytes = 5});
}
TEST_WHOLE(transcripts_with_a_broker_and_completions) {
    play_all((wshub_io_fake_desc){.completion = true, .take_bytes = 11});
}
