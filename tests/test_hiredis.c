/* The Redis bus through hiredis: the bus contract with a real redis-server, and a broker that
 * says what hiredis would assert on. Built with -DWITH_HIREDIS where the library is there; else
 * it says that it is skipped. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#ifdef WITH_HIREDIS
#include "wshub_bus_hiredis.h"
#include "hiredis_loop.h"
#endif
#include "test.h"
#include "redis_server.h"
#include "bus_contract.h"
#include "redis_ask.h"
#ifndef WITH_HIREDIS
TEST(the_hiredis_bus_keeps_the_contract) {
    (void)bus_contract;
    (void)redis_end;
    (void)redis_installed;
    (void)redis_start;
    SKIP("hiredis is not installed");
}
#else

static void watch_step(wshub_io_sock *net) {
    EXPECT(hiredis_loop_step(net));
}

static wshub_bus_hiredis *seats[3];
typedef struct hi_world {
    wshub_io_sock *net;
    redis_server server;
} hi_world;
static bool hi_make(bus_world *w, int seat, wshub_bus *out) {
    hi_world *h = (hi_world *)w->ctx;
    wshub_bus_hiredis_desc d;
    memset(&d, 0, sizeof d);
    d.redis.io = wshub_io_sock_io(h->net);
    d.redis.url = h->server.url;
    d.attach = watch_attach;
    if (wshub_bus_hiredis_create(&d, &seats[seat])) return false;
    *out = *wshub_bus_hiredis_bus(seats[seat]);
    return true;
}
static void hi_end(bus_world *w, int seat) {
    (void)w;
    wshub_bus_hiredis_destroy(seats[seat]);
}
static void hi_step(bus_world *w) {
    watch_step(((hi_world *)w->ctx)->net);
}
static void hi_cut(bus_world *w, bool away) {
    hi_world *h = (hi_world *)w->ctx;
    if (away)
        redis_kill(&h->server);
    else
        redis_start(&h->server);
}
TEST(the_hiredis_bus_keeps_the_contract) {
    static hi_world h;
    bus_world w = {"hiredis", hi_make, hi_end, hi_step, hi_cut, &h};
    if (!redis_installed()) SKIP("redis-server is not installed");
    redis_start(&h.server);
    EXPECT_INT(wshub_io_auto_create(NULL, &h.net), WSHUB_OK);
    bus_contract(&w);
    wshub_io_sock_destroy(h.net);
    redis_end(&h.server);
}

/* A broker that answers as Redis does until it says something of its own. */
static void hurt_serve(int fd, char *in, size_t *len, bool *subscribed) {
    ssize_t n = recv(fd, in + *len, 60000 - *len, MSG_DONTWAIT);
    if (n <= 0) return;
    *len += (size_t)n;
    in[*len] = 0;
    for (;;) { /* commands of one or two words each are enough: count the arrays */
        char *star = strstr(in, "*"), *end;
        char word[32] = "", channel[64] = "";
        int args, k, size = 0;
        char *p = star, text[200];
        if (!star) break;
        args = atoi(star + 1);
        p = strstr(p, "\r\n");
        for (k = 0; k < args && p; k++) {
            size = atoi(p + 3);
            p = strstr(p + 3, "\r\n");
            if (!p || p + 2 + size + 2 > in + *len) break;
            if (k == 0) (void)snprintf(word, sizeof word, "%.*s", size, p + 2);
            if (k == 1) (void)snprintf(channel, sizeof channel, "%.*s", size, p + 2);
            if (k > 1 && strstr(word, "SUBSCRIBE")) {
                n = snprintf(text, sizeof text, "*3\r\n%s\r\n$%d\r\n%.*s\r\n:1\r\n",
                             word[0] == 'P' ? "$10\r\npsubscribe" : "$9\r\nsubscribe", size, size,
                             p + 2);
                (void)!write(fd, text, (size_t)n);
            }
            p += 2 + size;
        }
        if (k < args || !p) break;
        end = p + 2;
        if (strstr(word, "SUBSCRIBE")) {
            *subscribed = true;
            n = snprintf(text, sizeof text, "*3\r\n%s\r\n$%zu\r\n%s\r\n:1\r\n",
                         word[0] == 'P' ? "$10\r\npsubscribe" : "$9\r\nsubscribe", strlen(channel),
                         channel);
        } else {
            n = snprintf(text, sizeof text, "+OK\r\n");
        }
        (void)!write(fd, text, (size_t)n);
        memmove(in, end, (size_t)(in + *len - end) + 1);
        *len -= (size_t)(end - in);
    }
}

TEST(hiredis_never_meets_what_it_would_assert_on) { /* hiredis#1359 and the like */
    /* clang-format off */
    static const char *const says[] = {
        "*2\r\n:1\r\n:2\r\n", "*3\r\n:1\r\n$1\r\nx\r\n$1\r\ny\r\n",
        "*3\r\n$7\r\nmessage\r\n:1\r\n$1\r\ny\r\n", "*1\r\n$1\r\nx\r\n", "*0\r\n",
        "*3\r\n$11\r\nunsubscribe\r\n$12\r\nws:broadcast\r\n$1\r\nx\r\n",
        "*3\r\n*0\r\n*0\r\n*0\r\n", "*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nx\r\n", "*9999999\r\n",
        "*5\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n",
        "+OK\r\n:1\r\n$1\r\nx\r\n", "nonsense\r\n",
    };
    /* clang-format on */
    size_t i;
    int link;
    for (i = 0; i < sizeof says / sizeof *says; i++) {
        for (link = 0; link < 2; link++) { /* to the publisher, to the subscriber */
            union {
                struct sockaddr any;
                struct sockaddr_in in;
            } a;
            socklen_t n = sizeof a.in;
            int listener = socket(AF_INET, SOCK_STREAM, 0), fds[8], count = 0, k, steps;
            static char in[8][65536];
            size_t len[8] = {0};
            bool subscribed[8] = {false}, said = false;
            char url[64];
            wshub_bus_hiredis_desc d;
            wshub_bus_hiredis *bus;
            wshub_bus_redis_stats st;
            wshub_io_sock *net;
            wshub *hub;
            memset(&a, 0, sizeof a);
            memset(&st, 0, sizeof st);
            a.in.sin_family = AF_INET;
            a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            EXPECT(bind(listener, &a.any, sizeof a.in) == 0 && listen(listener, 8) == 0 &&
                   getsockname(listener, &a.any, &n) == 0);
            EXPECT_INT(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
            (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", ntohs(a.in.sin_port));
            EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
            memset(&d, 0, sizeof d);
            d.redis.io = wshub_io_sock_io(net);
            d.redis.url = url;
            d.attach = watch_attach;
            EXPECT_INT(wshub_bus_hiredis_create(&d, &bus), WSHUB_OK);
            EXPECT_INT(
                wshub_create(&(wshub_desc){.io = d.redis.io, .bus = wshub_bus_hiredis_bus(bus)},
                             &hub),
                WSHUB_OK);
            for (steps = 0; steps < 2000; steps++) {
                watch_step(net);
                if (count < 8 && (k = accept(listener, NULL, NULL)) >= 0) fds[count++] = k;
                for (k = 0; k < count; k++) hurt_serve(fds[k], in[k], &len[k], &subscribed[k]);
                wshub_bus_redis_stats_get(wshub_bus_hiredis_redis(bus), &st);
                for (k = 0; k < count && st.state == WSHUB_BUS_UP && !said; k++) {
                    if (subscribed[k] != (link == 1)) continue;
                    (void)!write(fds[k], says[i], strlen(says[i]));
                    said = true;
                }
                if (said && st.downs) break;
            }
            EXPECT(said);
            if (!st.downs) (void)printf("  taken: %s\n", says[i]);
            EXPECT_INT(st.downs, 1); /* cut off, and the process lives */
            wshub_destroy(hub);
            wshub_bus_hiredis_destroy(bus);
            wshub_io_sock_destroy(net);
            for (k = 0; k < count; k++) (void)close(fds[k]);
            (void)close(listener);
        }
    }
}

/* A hub on hiredis in front of the broker above, which can be told to say nothing, or too much. */
typedef struct scene {
    int listener, fds[8], count;
    char in[8][65536];
    size_t len[8];
    bool subscribed[8], deaf[8];
    wshub_io_sock *net;
    wshub_bus_hiredis *bus;
    wshub *hub;
} scene;

static wshub_bus_redis_stats scene_stats(const scene *s) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(wshub_bus_hiredis_redis(s->bus), &st);
    return st;
}
static void scene_start(scene *s, wshub_bus_redis_desc rd, wshub_desc d) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    socklen_t n = sizeof a.in;
    char url[64];
    wshub_bus_hiredis_desc hd;
    memset(s, 0, sizeof *s);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(bind(s->listener, &a.any, sizeof a.in) == 0 && listen(s->listener, 8) == 0 &&
           getsockname(s->listener, &a.any, &n) == 0);
    EXPECT_INT(fcntl(s->listener, F_SETFL, O_NONBLOCK), 0);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", ntohs(a.in.sin_port));
    EXPECT_INT(wshub_io_auto_create(NULL, &s->net), WSHUB_OK);
    memset(&hd, 0, sizeof hd);
    hd.redis = rd;
    hd.redis.io = d.io = wshub_io_sock_io(s->net);
    hd.redis.url = url;
    hd.attach = watch_attach;
    EXPECT_INT(wshub_bus_hiredis_create(&hd, &s->bus), WSHUB_OK);
    d.bus = wshub_bus_hiredis_bus(s->bus);
    EXPECT_INT(wshub_create(&d, &s->hub), WSHUB_OK);
}
static void scene_step(scene *s) {
    int k;
    watch_step(s->net);
    if (s->count < 8 && (k = accept(s->listener, NULL, NULL)) >= 0) s->fds[s->count++] = k;
    for (k = 0; k < s->count; k++) {
        if (!s->deaf[k]) hurt_serve(s->fds[k], s->in[k], &s->len[k], &s->subscribed[k]);
    }
}
static int scene_up(scene *s) { /* the index of the subscriber's connection */
    int i;
    for (i = 0; i < 60000 && scene_stats(s).state != WSHUB_BUS_UP; i++) scene_step(s);
    EXPECT_INT(scene_stats(s).state, WSHUB_BUS_UP);
    for (i = 0; i < s->count && !s->subscribed[i]; i++) {
    }
    return i;
}
static void scene_stop(scene *s) {
    int k;
    wshub_destroy(s->hub);
    wshub_bus_hiredis_destroy(s->bus);
    wshub_io_sock_destroy(s->net);
    for (k = 0; k < s->count; k++) (void)close(s->fds[k]);
    (void)close(s->listener);
}

/* Serves for so long. Returns the longest time that a turn has taken. */
static uint64_t scene_for(scene *s, uint64_t ms) {
    uint64_t start = real_ms(), last = start, now, longest = 0;
    for (; last < start + ms; last = now) {
        scene_step(s);
        now = real_ms();
        if (now - last > longest) longest = now - last;
    }
    return longest;
}

TEST(a_connection_that_the_network_forgot_is_noticed_whichever_it_is) {
    int which, exact;
    for (which = 0; which < 2; which++) {
        for (exact = 0; exact < 2; exact++) {
            static scene s;
            int sub, i;
            uint32_t timeout_ms = 300;
            uint64_t start;
            for (;; timeout_ms *= 2) {
                scene_start(&s,
                            (wshub_bus_redis_desc){.no_heartbeat = true,
                                                   .heartbeat_ms = 50,
                                                   .heartbeat_timeout_ms = timeout_ms},
                            (wshub_desc){.bus_exact = exact});
                sub = scene_up(&s);
                /* as long as it answers it is up; a machine that stands still keeps it from that */
                if (scene_for(&s, 3 * timeout_ms) < timeout_ms / 2 || timeout_ms > 20000) break;
                scene_stop(&s);
            }
            EXPECT_INT(scene_stats(&s).downs, 0);
            for (i = 0; i < s.count; i++) s.deaf[i] = s.subscribed[i] == (which == 1);
            EXPECT_OP(sub, <, s.count);
            start = real_ms();
            while (real_ms() < start + 60000 && !scene_stats(&s).downs) scene_step(&s);
            EXPECT_INT(scene_stats(&s).downs, 1);
            EXPECT_INT(scene_stats(&s).silences, 1);
            scene_stop(&s);
        }
    }
}

TEST(what_a_broker_says_or_does_not_read_is_bounded_with_hiredis_too) {
    static char bulk[1100];
    int way, sub, i;
    /* many bulks in one reply, one bulk that is too long, a broker that does not read */
    for (way = 0; way < 3; way++) {
        static scene s;
        uint64_t start;
        wshub_msg m;
        scene_start(&s,
                    (wshub_bus_redis_desc){.no_heartbeat = true,
                                           .heartbeat_ms = 50,
                                           .heartbeat_timeout_ms = 60000,
                                           .message_bytes_max = 1024,
                                           .output_bytes_max = 100000},
                    (wshub_desc){.bus_queue_bytes_max = 300000, .bus_burst_bytes_max = 300000});
        sub = scene_up(&s);
        if (sub >= s.count) return;
        if (way == 2) {
            static char text[10000];
            wshub_stats st;
            memset(text, ' ', sizeof text);
            text[0] = '1';
            memset(&m, 0, sizeof m);
            m.event = wshub_str_z("e");
            m.data.ptr = text;
            m.data.len = sizeof text;
            for (i = 0; i < s.count; i++) s.deaf[i] = true;
            for (i = 0; i < 2000; i++) {
                EXPECT_INT(wshub_send(s.hub, NULL, &m), WSHUB_OK);
                if (i % 100 == 0) scene_step(&s);
            }
            wshub_stats_get(s.hub, &st);
            EXPECT(scene_stats(&s).output_bytes >= 100000 && scene_stats(&s).output_bytes < 120000);
            EXPECT(st.bus_queued_bytes <= 300000 && st.bus_dropped > 100);
            EXPECT_INT(st.bus_dropped, st.bus_dropped_up);
            /* it reads again: what was kept leaves by itself */
            for (i = 0; i < s.count; i++) s.deaf[i] = false;
            start = real_ms();
            do {
                char sink[65536];
                for (i = 0; i < s.count; i++) {
                    if (!s.subscribed[i] && recv(s.fds[i], sink, sizeof sink, MSG_DONTWAIT) > 0)
                        continue;
                }
                watch_step(s.net);
                wshub_stats_get(s.hub, &st);
            } while (real_ms() < start + 60000 && st.bus_queued_bytes);
            EXPECT_INT(st.bus_queued_bytes, 0);
        } else {
            size_t n = (size_t)snprintf(bulk, sizeof bulk, "$1024\r\n%01024d\r\n", 7);
            const char *head =
                way == 0 ? "*4\r\n" : "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$100000000\r\n";
            long sent = 0;
            (void)!write(s.fds[sub], head, strlen(head));
            (void)!write(s.fds[sub], way == 0 ? "*4000\r\n" : "x", way == 0 ? 7 : 1);
            start = real_ms();
            while (real_ms() < start + 60000 && !scene_stats(&s).downs) {
                if (send(s.fds[sub], bulk, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) sent += (long)n;
                if (sent % 16 == 0) watch_step(s.net);
                watch_step(s.net);
            }
            EXPECT_INT(scene_stats(&s).downs, 1);
            EXPECT_OP(sent, <, 8000000);
        }
        scene_stop(&s);
    }
}

/* ---- any command ---- */

TEST(answers_of_every_shape_come_whole_through_hiredis_or_end_the_connection) {
    static const struct {
        const char *wire, *shown; /* NULL: the connection is ended */
        /* clang-format off */
    } shapes[] = {
        {"+OK\r\n", "\"OK\""}, {":-9223372036854775808\r\n", "-9223372036854775808"}, {"$-1\r\n", "null"}, {"*-1\r\n", "null"}, {"*0\r\n", "[]"},
        {"-ERR a\r\n", "!\"ERR a\""}, {"$4\r\na\r\nb\r\n", "\"a\r\nb\""},
        {"*3\r\n*2\r\n:1\r\n-ERR x\r\n*0\r\n*1\r\n*1\r\n$1\r\nx\r\n", "[[1 !\"ERR x\"] [] [[\"x\"]]]"},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "[[[[[[[1]]]]]]]"},
        /* what looks like a message or an acknowledgement is an answer here */
        {"*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n", "[\"unsubscribe\" \"c\" 0]"},
        {"*3\r\n$7\r\nmessage\r\n$-1\r\n:0\r\n", "[\"message\" null 0]"}, {"*1\r\n:5\r\n", "[5]"},
        {"*4097\r\n", NULL}, {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", NULL}, {"?\r\n", NULL}, {"$99999999\r\n", NULL},
    };
    /* clang-format on */
    size_t i;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static scene s;
        static answers got;
        static char want[200], sink[65536];
        question q = {&got, "q"};
        int sub, pub, steps;
        memset(&got, 0, sizeof got);
        scene_start(&s, (wshub_bus_redis_desc){.message_bytes_max = 1024}, (wshub_desc){0});
        sub = scene_up(&s);
        for (pub = 0; pub < s.count && s.subscribed[pub]; pub++) {
        }
        EXPECT(sub < s.count && pub < s.count);
        for (steps = 0; steps < 20; steps++) scene_step(&s); /* its first heartbeat is over */

        s.deaf[pub] = true;
        ask(s.hub, &q, WSHUB_OK);
        for (steps = 0; steps < 2000; steps++) {
            watch_step(s.net);
            if (recv(s.fds[pub], sink, sizeof sink, MSG_DONTWAIT) > 0) break;
        }
        EXPECT_INT(got.count, 0);
        (void)!write(s.fds[pub], shapes[i].wire, strlen(shapes[i].wire));
        for (steps = 0; steps < 60000 && got.count == 0; steps++) {
            watch_step(s.net);
            if (shapes[i].wire[1] == '9') /* so long a text: what has come of it ends it */
                (void)!send(s.fds[pub], sink, sizeof sink, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        (void)snprintf(want, sizeof want, "q: %s\n", shapes[i].shown ? shapes[i].shown : "lost");
        if (strcmp(got.text, want) != 0) (void)printf("  %zu: %s", i, got.text);
        EXPECT_STR(got.text, want);
        EXPECT_INT(scene_stats(&s).downs, shapes[i].shown ? 0 : 1);
        scene_stop(&s);
        EXPECT_INT(got.count, 1);
    }
}

typedef struct hi_site {
    wshub_io_sock *net;
    wshub_bus_hiredis *bus;
    wshub *hub;
    redis_server server;
    char said[2000];
} hi_site;
static void hi_site_log(const char *line, void *user) {
    hi_site *s = (hi_site *)user;
    size_t len = strlen(s->said);
    (void)snprintf(s->said + len, sizeof s->said - len, "%s\n", line);
}
/* A hub whose bus is hiredis, to a server that runs already. */
static void hi_site_start(hi_site *s, wshub_bus_redis_desc rd) {
    wshub_bus_hiredis_desc hd;
    EXPECT_INT(wshub_io_auto_create(NULL, &s->net), WSHUB_OK);
    memset(&hd, 0, sizeof hd);
    hd.redis = rd;
    hd.redis.io = wshub_io_sock_io(s->net);
    hd.redis.url = s->server.url;
    hd.redis.on_log = hi_site_log;
    hd.redis.user = s;
    hd.attach = watch_attach;
    EXPECT_INT(wshub_bus_hiredis_create(&hd, &s->bus), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = hd.redis.io, .bus = wshub_bus_hiredis_bus(s->bus)},
                            &s->hub),
               WSHUB_OK);
}
static void hi_site_stop(hi_site *s) {
    wshub_destroy(s->hub);
    wshub_bus_hiredis_destroy(s->bus);
    wshub_io_sock_destroy(s->net);
    redis_end(&s->server);
}
static wshub_bus_redis_stats hi_site_stats(hi_site *s) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(wshub_bus_hiredis_redis(s->bus), &st);
    return st;
}
static bool hi_site_until(hi_site *s, wshub_bus_state state) {
    uint64_t end = real_ms() + 20000;
    while (hi_site_stats(s).state != state && real_ms() < end) watch_step(s->net);
    return hi_site_stats(s).state == state;
}
/* Until it has heard more than so many. */
static bool hi_site_hears(hi_site *s, uint64_t received) {
    uint64_t end = real_ms() + 20000;
    while (hi_site_stats(s).received == received && real_ms() < end) watch_step(s->net);
    return hi_site_stats(s).received > received;
}
static void hi_site_step(void *ctx) {
    watch_step(((hi_site *)ctx)->net);
}
static void hi_site_cut(void *ctx) { /* stopped before it has read */
    hi_site *s = (hi_site *)ctx;
    (void)kill(s->server.pid, SIGSTOP);
    watch_step(s->net);
    redis_kill(&s->server);
}

TEST(any_command_is_answered_in_order_and_once_with_hiredis_too) { /* wshub_bus_request() */
    static hi_site s;
    wshub_bus_redis_desc rd;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&s, 0, sizeof s);
    redis_start(&s.server);
    memset(&rd, 0, sizeof rd);
    hi_site_start(&s, rd);
    EXPECT(hi_site_until(&s, WSHUB_BUS_UP));
    ask_a_real_redis(s.hub, hi_site_step, &s);
    ask_and_lose(s.hub, hi_site_step, hi_site_cut, &s);
    hi_site_stop(&s);
}

/* A Redis that is stopped closes nothing: its silence is found out, it is tried again in vain, and
 * once it goes on all is as before, and nothing comes twice. With a heartbeat and without one, where
 * what is asked tells. */
TEST(a_redis_that_is_stopped_is_found_out_through_hiredis_and_taken_back_when_it_goes_on) {
    int beats;
    if (!redis_installed()) SKIP("redis-server is not installed");
    for (beats = 0; beats < 2; beats++) {
        static hi_site s;
        wshub_bus_redis_desc rd;
        wshub_bus_redis_stats st;
        wshub_msg m;
        uint64_t start;
        int round;
        memset(&s, 0, sizeof s);
        memset(&rd, 0, sizeof rd);
        memset(&m, 0, sizeof m);
        m.event = wshub_str_z("e");
        m.data = wshub_str_z("1");
        redis_start(&s.server);
        rd.heartbeat_ms = 100;
        rd.heartbeat_timeout_ms = 600;
        rd.connect_timeout_ms = 500;
        rd.no_heartbeat = !beats;
        hi_site_start(&s, rd);
        EXPECT(hi_site_until(&s, WSHUB_BUS_UP));
        for (round = 1; round <= 3; round++) {
            st = hi_site_stats(&s);
            EXPECT_INT(wshub_send(s.hub, NULL, &m), WSHUB_OK);
            EXPECT(hi_site_hears(&s, st.received)); /* its own */

            (void)kill(s.server.pid, SIGSTOP);
            EXPECT_INT(wshub_send(s.hub, NULL, &m), WSHUB_OK);
            start = real_ms();
            EXPECT(hi_site_until(&s, WSHUB_BUS_DOWN));
            EXPECT_OP(real_ms() - start, >=, 300); /* by its silence, and not by something else */
            EXPECT_HAS(s.said, "no answer within heartbeat_timeout_ms");
            s.said[0] = 0;
            EXPECT_INT(hi_site_stats(&s).silences, round);
            EXPECT_INT(hi_site_stats(&s).downs, round);
            st = hi_site_stats(&s);
            for (start = real_ms(); hi_site_stats(&s).attempts < st.attempts + 2;) {
                watch_step(s.net);
                if (real_ms() > start + 20000) break;
            }
            EXPECT_OP(hi_site_stats(&s).attempts, >=, st.attempts + 2);
            EXPECT_INT(hi_site_stats(&s).state, WSHUB_BUS_DOWN);

            (void)kill(s.server.pid, SIGCONT);
            EXPECT(hi_site_until(&s, WSHUB_BUS_UP));
            EXPECT_INT(hi_site_stats(&s).ups, round + 1);
        }
        st = hi_site_stats(&s);
        EXPECT_INT(wshub_send(s.hub, NULL, &m), WSHUB_OK);
        EXPECT(hi_site_hears(&s, st.received));
        for (round = 0; round < 50; round++) watch_step(s.net);
        EXPECT_INT(hi_site_stats(&s).received, st.received + 1);
        hi_site_stop(&s);
    }
}

TEST(a_bus_of_hiredis_that_cannot_be_made_says_which_field_and_what_is_in_it) {
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_bus_hiredis_desc d;
    wshub_bus_hiredis *bus = NULL;
    wshub_io_sock *net;
    static const wshub_err errs[] = {WSHUB_ERR_PARAM, WSHUB_OK};
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    (void)wshub_bus_hiredis_desc_explain(NULL, errs[0], why, sizeof why);
    EXPECT_STR(why, "wshub_bus_hiredis_desc: required");
    (void)wshub_bus_hiredis_desc_explain_versioned(&d, sizeof d, 99, errs[0], why, sizeof why);
    EXPECT_HAS(why, "was compiled with another wshub_bus_hiredis.h");
    (void)wshub_bus_hiredis_desc_explain(&d, errs[0], why, sizeof why);
    EXPECT(strncmp(why, "attach is NULL: required", 24) == 0);
    d.attach = watch_attach;
    (void)wshub_bus_hiredis_desc_explain(&d, errs[0], why, sizeof why);
    EXPECT(strncmp(why, "io is NULL: required", 20) == 0);
    EXPECT_INT(wshub_bus_hiredis_create(&d, &bus), WSHUB_ERR_PARAM);
    d.redis.io = wshub_io_sock_io(net);
    d.redis.url = "redis://ada:secret@a,,b";
    EXPECT_INT(wshub_bus_hiredis_create(&d, &bus), WSHUB_ERR_PARAM);
    (void)wshub_bus_hiredis_desc_explain(&d, errs[0], why, sizeof why);
    EXPECT(strncmp(why, "url is \"redis://***@a,,b\": an address is empty", 46) == 0);
    EXPECT(strstr(wshub_bus_hiredis_desc_problem(&d), "url: an address is empty"));
    d.redis.url = "redis://a";
    (void)wshub_bus_hiredis_desc_explain(&d, errs[0], why, sizeof why);
    EXPECT_STR(why, "out_bus: required, and NULL");
    EXPECT_INT(wshub_bus_hiredis_create(&d, NULL), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_bus_hiredis_desc_explain(&d, errs[1], why, sizeof why), 0);
    EXPECT(!wshub_bus_hiredis_desc_problem(&d) && !bus);
    wshub_io_sock_destroy(net);
}

/* hiredis 0.14 has no TLS: who asks for it is not left in the clear without a word. */
TEST(a_bus_of_hiredis_that_is_to_be_secure_wants_an_attach_that_encrypts) {
    static const char *const secure[] = {"rediss://a", "valkeys://ada:secret@a:1,b:2/3"};
    static const char *const plain[] = {"redis://a", "valkey://a", "unix:///tmp/no.sock"};
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_bus_hiredis_desc d;
    wshub_bus_hiredis *bus = NULL;
    wshub_io_sock *net;
    size_t i;
    memset(&d, 0, sizeof d);
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    d.redis.io = wshub_io_sock_io(net);
    d.attach = watch_attach;
    for (i = 0; i < 2; i++) {
        d.redis.url = secure[i];
        d.redis.tls = d.attach_encrypts = false;
        EXPECT_HAS(wshub_bus_hiredis_desc_problem(&d), "attach_encrypts: hiredis");
        d.redis.tls = true;
        EXPECT_HAS(wshub_bus_hiredis_desc_problem(&d), "attach_encrypts: hiredis");
        EXPECT_INT(wshub_bus_hiredis_create(&d, &bus), WSHUB_ERR_PARAM);
        (void)wshub_bus_hiredis_desc_explain(&d, WSHUB_ERR_PARAM, why, sizeof why);
        EXPECT(strncmp(why, "attach_encrypts is false: hiredis", 33) == 0);
        EXPECT(!strstr(why, "secret"));
        d.attach_encrypts = true;
        EXPECT(!wshub_bus_hiredis_desc_problem(&d));
        EXPECT_INT(wshub_bus_hiredis_create(&d, &bus), WSHUB_OK);
        wshub_bus_hiredis_destroy(bus);
        d.redis.tls = false; /* a half right one */
        EXPECT_HAS(wshub_bus_hiredis_desc_problem(&d), "attach_encrypts: without redis.tls");
    }
    for (i = 0; i < 3; i++) {
        d.redis.url = plain[i];
        d.redis.tls = d.attach_encrypts = false;
        EXPECT(!wshub_bus_hiredis_desc_problem(&d));
        d.redis.tls = true; /* a Unix socket may do either, as long as it does what is said */
        EXPECT_HAS(wshub_bus_hiredis_desc_problem(&d), "attach_encrypts: hiredis");
        d.redis.tls = false;
        d.attach_encrypts = true;
        EXPECT_HAS(wshub_bus_hiredis_desc_problem(&d), "attach_encrypts: without redis.tls");
        d.redis.tls = true;
        EXPECT(!wshub_bus_hiredis_desc_problem(&d) == (i == 2));
    }
    wshub_io_sock_destroy(net);
}
#endif
