/* Posts from other threads, and hubs of several threads on one local bus. `make tsan` runs this under
 * ThreadSanitizer. Sockets carry the io because only a real one can be woken. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "sock_peer.h"
#include "wshub_ext_cron.h"
#include "test.h"
#include <pthread.h>
#include <unistd.h>

enum { POSTERS = 8, POSTS = 12500 };

typedef struct server {
    wshub_io_sock *net;
    wshub *hub;
    pthread_t thread;
    long ran, up;
} server;

static void count(wshub *hub, void *arg) {
    (void)arg;
    ((server *)wshub_user(hub))->ran++;
}

static void *poster(void *arg) {
    server *s = (server *)arg;
    int i;
    wshub_msg m;
    wshub_str room = {"r", 1};
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("e");
    m.data = wshub_str_z("[1]");
    for (i = 0; i < POSTS; i++) {
        if (i % 4 == 0) EXPECT_INT(wshub_post(s->hub, count, NULL), WSHUB_OK);
        if (i % 4 == 1) EXPECT_INT(wshub_post_send(s->hub, NULL, &m), WSHUB_OK);
        if (i % 4 == 2)
            EXPECT_INT(wshub_post_join_accept(s->hub, (wshub_ask){(uint64_t)i}, &room, 1),
                       WSHUB_OK);
        if (i % 4 == 3) EXPECT_INT(wshub_post_close_id(s->hub, room, 1000, room), WSHUB_OK);
    }
    return NULL;
}

static void *serve(void *arg) {
    server *s = (server *)arg;
    (void)wshub_io_sock_run(s->net);
    return NULL;
}

TEST(eight_threads_post_to_one_hub) {
    static server s;
    pthread_t posters[POSTERS];
    wshub_stats st;
    int i;
    EXPECT_INT(wshub_io_auto_create(NULL, &s.net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(s.net), .user = &s}, &s.hub),
               WSHUB_OK);
    EXPECT_INT(pthread_create(&s.thread, NULL, serve, &s), 0);
    for (i = 0; i < POSTERS; i++) EXPECT_INT(pthread_create(&posters[i], NULL, poster, &s), 0);
    for (i = 0; i < POSTERS; i++) (void)pthread_join(posters[i], NULL);
    wshub_io_sock_stop(s.net);
    (void)pthread_join(s.thread, NULL);
    (void)wshub_io_sock_run_once(s.net, 0); /* what was posted last */
    EXPECT_INT(s.ran, POSTERS * POSTS / 4);
    wshub_stats_get(s.hub, &st);
    EXPECT_INT(st.app_failures, 0);
    wshub_destroy(s.hub);
    wshub_io_sock_destroy(s.net);
}

/* ---- ticks of jobs that complete in other threads ---- */

enum { COMPLETERS = 4, LATES = 400 };
static wshub_ext_cron_late *lates[LATES];
static int lates_count, dones, failures;

static wshub_ext_cron_outcome be_late(const wshub_ext_cron_tick *tick, void *user) {
    (void)user;
    lates[lates_count] = wshub_ext_cron_later(tick);
    EXPECT(lates[lates_count++] != NULL);
    return WSHUB_EXT_CRON_LATER;
}
static void count_done(const wshub_ext_cron_tick *tick, void *user) {
    (void)tick;
    (void)user;
    dones++;
}
static void count_failure(const wshub_ext_cron_tick *tick, void *user) {
    (void)tick;
    (void)user;
    failures++;
}
static void *complete_some(void *arg) {
    int i;
    for (i = *(const int *)arg; i < LATES; i += COMPLETERS)
        EXPECT_INT(wshub_ext_cron_done(lates[i], i % 2 == 0), WSHUB_OK);
    return NULL;
}

TEST(ticks_complete_from_any_thread) { /* CRON-5 */
    static server s;
    static const int first[COMPLETERS] = {0, 1, 2, 3};
    pthread_t completers[COMPLETERS];
    wshub_ext_cron_jobs *jobs;
    wshub_ext_cron_job job;
    int i;
    lates_count = dones = failures = 0;
    EXPECT_INT(wshub_io_auto_create(NULL, &s.net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(s.net), .user = &s}, &s.hub),
               WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_jobs_create(&(wshub_ext_cron_jobs_desc){.hub = s.hub}, &jobs),
               WSHUB_OK);
    EXPECT_INT(wshub_ext_cron_job_create(jobs,
                                         &(wshub_ext_cron_job_desc){.expr = "0 0 29 2 *",
                                                                    .zone = "UTC",
                                                                    .on_tick = be_late,
                                                                    .on_done = count_done,
                                                                    .on_error = count_failure},
                                         &job, NULL),
               WSHUB_OK);
    for (i = 0; i < LATES; i++) EXPECT_INT(wshub_ext_cron_job_fire(jobs, job), WSHUB_OK);
    EXPECT_INT(pthread_create(&s.thread, NULL, serve, &s), 0);
    for (i = 0; i < COMPLETERS; i++)
        EXPECT_INT(
            pthread_create(&completers[i], NULL, complete_some, (void *)(uintptr_t)&first[i]), 0);
    for (i = 0; i < COMPLETERS; i++) (void)pthread_join(completers[i], NULL);
    wshub_io_sock_stop(s.net);
    (void)pthread_join(s.thread, NULL);
    (void)wshub_io_sock_run_once(s.net, 0); /* what was posted last */
    EXPECT_INT(dones, LATES);
    EXPECT_INT(failures, LATES / 2);
    wshub_destroy(s.hub);
    wshub_io_sock_destroy(s.net);
    wshub_ext_cron_jobs_destroy(jobs);
}

TEST(posts_have_a_limit) {
    wshub_io_sock *net;
    wshub *hub;
    int i = 0;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(
        wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .post_bytes_max = 10000}, &hub),
        WSHUB_OK);
    while (i < 1000 && wshub_post(hub, count, NULL) == WSHUB_OK) i++;
    EXPECT(i > 20 && i < 400);
    EXPECT_INT(wshub_post(hub, count, NULL), WSHUB_ERR_LIMIT);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

/* One hub a thread; each publishes to all, each hears what the others say, in order. */
enum { HUBS = 4, SAID = 5000 };
static server hubs[HUBS];
static wshub_bus_local *local;
static long heard[HUBS];

static void hear(void *ctx, wshub_str channel, wshub_str payload) {
    long *next = (long *)ctx, n = atol(wshub_json_get(payload, "data").ptr),
         from = wshub_json_get(payload, "serverId").ptr[1] - '0';
    EXPECT(channel.len == 12);
    EXPECT_INT(n, next[from]);
    next[from] = n + 1;
}
static void ignore_state(void *ctx, wshub_bus_state s) {
    (void)ctx;
    (void)s;
}

static void say(wshub *hub, void *arg) {
    wshub_msg m;
    char n[16];
    int i;
    (void)arg;
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("e");
    for (i = 0; i < SAID; i++) {
        (void)snprintf(n, sizeof n, "%d", i);
        m.data = wshub_str_z(n);
        EXPECT_INT(wshub_send(hub, NULL, &m), WSHUB_OK);
    }
}

/* A hub on the bus, in a thread of its own. */
static void start_hub_as(int i, bool exact) {
    char id[2] = {(char)('0' + i), 0};
    wshub_bus bus;
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &hubs[i].net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(hubs[i].net),
                                          .user = &hubs[i],
                                          .bus = &bus,
                                          .bus_exact = exact,
                                          .server_id = id},
                            &hubs[i].hub),
               WSHUB_OK);
    EXPECT_INT(pthread_create(&hubs[i].thread, NULL, serve, &hubs[i]), 0);
}
static void start_hub(int i) {
    start_hub_as(i, false);
}

TEST(hubs_of_several_threads_hear_each_other_in_order) {
    wshub_bus ear;
    wshub_bus_owner owner = {.ctx = heard, .received = hear, .state = ignore_state};
    wshub_bus_channel channel = {{"ws:broadcast", 12}, false};
    int i;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &ear), WSHUB_OK);
    EXPECT_INT(ear.attach(ear.ctx, &owner), WSHUB_OK);
    ear.pump(ear.ctx); /* it is connected */
    EXPECT(ear.subscribe(ear.ctx, &channel, 1));
    for (i = 0; i < HUBS; i++) start_hub(i);
    for (i = 0; i < HUBS; i++) EXPECT_INT(wshub_post(hubs[i].hub, say, NULL), WSHUB_OK);
    while (heard[0] < SAID || heard[1] < SAID || heard[2] < SAID || heard[3] < SAID)
        ear.pump(ear.ctx);
    for (i = 0; i < HUBS; i++) {
        wshub_io_sock_stop(hubs[i].net);
        (void)pthread_join(hubs[i].thread, NULL);
    }
    for (i = 0; i < HUBS; i++) {
        wshub_stats st;
        (void)wshub_io_sock_run_once(hubs[i].net, 0);
        wshub_stats_get(hubs[i].hub, &st);
        EXPECT_INT(st.bus_published, SAID);
        EXPECT_INT(st.bus_received, (HUBS - 1) * SAID);
        wshub_destroy(hubs[i].hub);
        wshub_io_sock_destroy(hubs[i].net);
    }
    (void)ear.attach(ear.ctx, NULL);
    EXPECT_INT(wshub_bus_local_dropped(local), 0);
    wshub_bus_local_destroy(local);
}

/* Threads publish on channels of the application, on hubs of other threads: every hub hears what
 * each thread has posted to each hub, once and in order, the publisher's own too. */
enum { SAYERS = 3, WORDS = 2000 };
typedef struct app_ear {
    int next[HUBS][SAYERS]; /* by whose hub, and which thread */
    long all;
} app_ear;

static void app_hear(wshub *hub, const wshub_app_message *message, void *user) {
    app_ear *ear = (app_ear *)user;
    int from = message->from.ptr[0] - '0', sayer = message->bytes.ptr[0] - 'a', n = 0;
    char text[8] = {0};
    (void)hub;
    EXPECT(message->from.len == 1 && message->bytes.len == 6);
    memcpy(text, message->bytes.ptr + 1, 5);
    n = atoi(text);
    EXPECT_INT(n, ear->next[from][sayer]);
    ear->next[from][sayer] = n + 1;
    (void)__atomic_add_fetch(&ear->all, 1, __ATOMIC_RELAXED);
}

static void *app_sayer(void *arg) {
    int sayer = *(int *)arg, i, k;
    char text[8];
    for (i = 0; i < WORDS; i++) {
        (void)snprintf(text, sizeof text, "%c%05d", 'a' + sayer, i);
        for (k = 0; k < 2; k++)
            EXPECT_INT(wshub_post_app_publish(hubs[k].hub, wshub_str_z("c"), wshub_str_z(text)),
                       WSHUB_OK);
        if (i % 64 == 0) (void)usleep(100);
    }
    return NULL;
}

static app_ear app_ears[HUBS];
static void app_listen(wshub *hub, void *arg) {
    EXPECT_INT(wshub_app_subscribe(hub, wshub_str_z("c"), app_hear, arg), WSHUB_OK);
    (void)__atomic_add_fetch(&((app_ear *)arg)->all, 1, __ATOMIC_RELAXED);
}
static void app_heard_all(int hubs_count, long count) {
    int i, waits;
    for (i = 0; i < hubs_count; i++) {
        for (waits = 0; waits < 60000; waits++) {
            if (__atomic_load_n(&app_ears[i].all, __ATOMIC_RELAXED) >= count) break;
            (void)usleep(1000);
        }
    }
}

TEST(threads_publish_on_channels_of_other_threads_hubs) { /* APP-1 */
    pthread_t sayers[SAYERS];
    int which[SAYERS], i;
    memset(app_ears, 0, sizeof app_ears);
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    for (i = 0; i < 3; i++) start_hub(i);
    for (i = 0; i < 3; i++) EXPECT_INT(wshub_post(hubs[i].hub, app_listen, &app_ears[i]), WSHUB_OK);
    app_heard_all(3, 1); /* all have subscribed */
    for (i = 0; i < SAYERS; i++) {
        which[i] = i;
        EXPECT_INT(pthread_create(&sayers[i], NULL, app_sayer, &which[i]), 0);
    }
    for (i = 0; i < SAYERS; i++) (void)pthread_join(sayers[i], NULL);
    app_heard_all(3, 1 + 2 * SAYERS * WORDS);
    for (i = 0; i < 3; i++) {
        wshub_io_sock_stop(hubs[i].net);
        (void)pthread_join(hubs[i].thread, NULL);
    }
    for (i = 0; i < 3; i++) {
        EXPECT_INT(app_ears[i].all, 1 + 2 * SAYERS * WORDS);
        wshub_destroy(hubs[i].hub);
        wshub_io_sock_destroy(hubs[i].net);
    }
    EXPECT_INT(wshub_bus_local_dropped(local), 0);
    wshub_bus_local_destroy(local);
}

/* A word goes around hubs that hear nothing but what is said to them (BUS-4), so that each sleeps
 * until it comes: a wake-up that is lost on the way ends the round for ever. Several words do, so
 * that some come just as a hub falls asleep, others while it is busy; and channels come and go
 * meanwhile, which changes what others look at before they wake somebody. */
enum { ROUND = 3, WORDS_ROUND = 4, STEPS = 1000 };
static long steps, others;
static void other_hear(wshub *hub, const wshub_app_message *message, void *user) {
    (void)hub;
    (void)message;
    (void)user;
}
static void come_and_go(wshub *hub) {
    long n = __atomic_add_fetch(&others, 1, __ATOMIC_RELAXED);
    char name[24];
    (void)snprintf(name, sizeof name, "other%ld", n / 2 % 1000);
    if (n % 2)
        (void)wshub_app_subscribe(hub, wshub_str_z(name), other_hear, NULL);
    else
        (void)wshub_app_unsubscribe(hub, wshub_str_z(name), other_hear, NULL);
}
static void pass_on(wshub *hub, const wshub_app_message *message, void *user) {
    static const char *const next[] = {"to1", "to2", "to0"};
    int me = *(int *)user;
    if (__atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED) > (long)WORDS_ROUND * STEPS) return;
    come_and_go(hub);
    EXPECT_INT(wshub_app_publish(hub, wshub_str_z(next[me]), message->bytes), WSHUB_OK);
}
static int places[ROUND] = {0, 1, 2};
static long subscribed_round;
static void round_begin(wshub *hub, void *arg) {
    static const char *const own[] = {"to0", "to1", "to2"};
    EXPECT_INT(wshub_app_subscribe(hub, wshub_str_z(own[*(int *)arg]), pass_on, arg), WSHUB_OK);
    (void)__atomic_add_fetch(&subscribed_round, 1, __ATOMIC_RELAXED);
}
static void wait_for(const long *what, long count) {
    int waits;
    for (waits = 0; waits < 60000 && __atomic_load_n(what, __ATOMIC_RELAXED) < count; waits++)
        (void)usleep(1000);
    EXPECT_OP(__atomic_load_n(what, __ATOMIC_RELAXED), >=, count);
}
TEST(words_go_around_hubs_that_sleep_until_they_come) { /* BUS-4 */
    int i;
    steps = subscribed_round = 0;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    for (i = 0; i < ROUND; i++) start_hub_as(i, true);
    for (i = 0; i < ROUND; i++)
        EXPECT_INT(wshub_post(hubs[i].hub, round_begin, &places[i]), WSHUB_OK);
    wait_for(&subscribed_round, ROUND);
    for (i = 0; i < WORDS_ROUND; i++)
        EXPECT_INT(
            wshub_post_app_publish(hubs[i % ROUND].hub, wshub_str_z("to0"), wshub_str_z("word")),
            WSHUB_OK);
    wait_for(&steps, (long)WORDS_ROUND * STEPS);
    for (i = 0; i < ROUND; i++) {
        wshub_io_sock_stop(hubs[i].net);
        (void)pthread_join(hubs[i].thread, NULL);
    }
    for (i = 0; i < ROUND; i++) {
        wshub_destroy(hubs[i].hub);
        wshub_io_sock_destroy(hubs[i].net);
    }
    wshub_bus_local_destroy(local);
}

/* Seats come and go on another thread, in the midst of it all: nobody wakes who has left,
 * nothing is given to nobody. */
static long guests_heard, guests_woken;
static void guest_received(void *ctx, wshub_str channel, wshub_str payload) {
    (void)ctx;
    EXPECT(channel.len == 12 && payload.len > 20);
    guests_heard++;
}
static void guest_state(void *ctx, wshub_bus_state s) {
    static const wshub_bus_channel every = {{"*", 1}, true};
    if (s == WSHUB_BUS_CONNECTED)
        EXPECT(((wshub_bus *)ctx)->subscribe(((wshub_bus *)ctx)->ctx, &every, 1));
}
static void guest_woken(void *ctx) {
    (void)__atomic_add_fetch(&guests_woken, 1, __ATOMIC_RELAXED);
    EXPECT(((wshub_bus *)ctx)->ctx != NULL); /* it is there while it is attached */
}
TEST(seats_come_and_go_while_others_publish) {
    wshub_stats st;
    uint64_t received = 0;
    long visits = 0;
    int i;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    for (i = 0; i < 2; i++) start_hub(i);
    for (i = 0; i < 10; i++) EXPECT_INT(wshub_post(hubs[i % 2].hub, say, NULL), WSHUB_OK);
    while (visits < 20 || (visits < 2000 && guests_heard < 1000)) {
        /* gone with the visit: who wakes later is caught */
        wshub_bus *guest = (wshub_bus *)malloc(sizeof *guest);
        wshub_bus_owner owner;
        wshub_bus_msg m = {
            {"ws:broadcast", 12},
            {"{\"serverId\":\"guest\",\"type\":\"broadcast\",\"event\":\"e\",\"data\":1}", 0}};
        m.payload.len = strlen(m.payload.ptr);
        memset(&owner, 0, sizeof owner);
        EXPECT_INT(wshub_bus_local_seat(local, guest), WSHUB_OK);
        owner.ctx = guest;
        owner.received = guest_received;
        owner.state = guest_state;
        owner.wake = guest_woken;
        EXPECT_INT(guest->attach(guest->ctx, &owner), WSHUB_OK);
        guest->pump(guest->ctx);
        if (visits % 3) (void)usleep(200);
        EXPECT_INT(guest->publish(guest->ctx, &m, 1), 1);
        guest->pump(guest->ctx);
        (void)guest->attach(guest->ctx, NULL);
        free(guest);
        visits++;
    }
    EXPECT(guests_heard > 0 && guests_woken >= visits);
    (void)usleep(100000);
    for (i = 0, received = 0; i < 2; i++) {
        wshub_io_sock_stop(hubs[i].net);
        (void)pthread_join(hubs[i].thread, NULL);
        (void)wshub_io_sock_run_once(hubs[i].net, 0);
    }
    for (i = 0; i < 2000; i++) (void)wshub_io_sock_run_once(hubs[i % 2].net, 0); /* the rest */
    for (i = 0; i < 2; i++) {
        wshub_stats_get(hubs[i].hub, &st);
        received += st.bus_received;
        EXPECT_INT(st.bus_published, 5 * SAID);
        wshub_destroy(hubs[i].hub);
        wshub_io_sock_destroy(hubs[i].net);
    }
    EXPECT_INT(received, 10 * SAID + 2 * visits);
    EXPECT_INT(wshub_bus_local_dropped(local), 0);
    wshub_bus_local_destroy(local);
}

/* ---- a request answered by the hub of another thread ---- */

static wshub *answering; /* THERE, while the other thread may hand over to it */
static bool hand_over(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    (void)http, (void)user;
    return wshub_http_forward(hub, exchange, answering) == WSHUB_OK;
}
/* The body as it came, in one; or twenty times, in pieces. */
static bool say_again(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    int i;
    (void)user;
    if (wshub_str_eq_z(http->path, "/never")) return true;
    if (!wshub_str_eq_z(http->path, "/pieces"))
        return wshub_http_reply(hub, exchange, &(wshub_reply){.status = 200, .body = http->body}) ==
               WSHUB_OK;
    if (wshub_http_begin(hub, exchange, &(wshub_reply){.status = 200}, http->body.len * 20))
        return false;
    for (i = 0; i < 20; i++)
        EXPECT_INT(wshub_http_write(hub, exchange, http->body.ptr, http->body.len), WSHUB_OK);
    (void)wshub_http_end(hub, exchange);
    return true;
}
static uint16_t forwarding_port;
enum { ASKERS = 4, ASKED = 150 };
/* Asks on one stream after the other; every seventh is left in the middle of its answer. */
static void *asker(void *arg) {
    char ask[200], got[4000], said[24];
    int i, fd = -1, seed = *(int *)arg;
    for (i = 0; i < ASKED; i++) {
        bool leaves = (i + seed) % 7 == 0, pieces = i % 3 == 0;
        size_t n = 0, want = pieces ? 400 : 20, k;
        const char *body = NULL;
        if (fd < 0) fd = dial_port(forwarding_port);
        EXPECT_OP(fd, >=, 0);
        (void)snprintf(said, sizeof said, "%020d", i);
        (void)snprintf(ask, sizeof ask,
                       "POST /%s HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n%s",
                       leaves   ? "never"
                       : pieces ? "pieces"
                                : "whole",
                       said);
        EXPECT(send(fd, ask, strlen(ask), MSG_NOSIGNAL) == (ssize_t)strlen(ask));
        while (!leaves && (!body || n - (size_t)(body - got) < want)) {
            ssize_t more = recv(fd, got + n, sizeof got - 1 - n, 0);
            EXPECT_OP(more, >, 0);
            if (more <= 0) return NULL;
            n += (size_t)more;
            got[n] = 0;
            body = strstr(got, "\r\n\r\n");
            if (body) body += 4;
        }
        if (!leaves) {
            EXPECT_INT(n - (size_t)(body - got), want);
            for (k = 0; k < want; k += 20) EXPECT(memcmp(body + k, said, 20) == 0);
            EXPECT(memcmp(got, "HTTP/1.1 200", 12) == 0);
            continue;
        }
        (void)close(fd);
        fd = -1;
    }
    if (fd >= 0) (void)close(fd);
    return NULL;
}

TEST(requests_are_answered_by_the_hub_of_another_thread) { /* CONN-5 */
    int first;
    for (first = 0; first < 2; first++) { /* which hub ends first, with requests under way */
        server here, there;
        pthread_t askers[ASKERS];
        int seeds[ASKERS], left[8], i;
        memset(&here, 0, sizeof here);
        memset(&there, 0, sizeof there);
        EXPECT_INT(wshub_io_auto_create(NULL, &here.net), WSHUB_OK);
        EXPECT_INT(wshub_io_auto_create(NULL, &there.net), WSHUB_OK);
        EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(there.net),
                                              .on_request = say_again,
                                              .no_dialect = true},
                                &there.hub),
                   WSHUB_OK);
        answering = there.hub;
        EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(here.net),
                                              .on_request = hand_over,
                                              .no_dialect = true},
                                &here.hub),
                   WSHUB_OK);
        EXPECT_INT(wshub_io_sock_listen(here.net, "127.0.0.1", 0, &forwarding_port), WSHUB_OK);
        EXPECT_INT(pthread_create(&here.thread, NULL, serve, &here), 0);
        EXPECT_INT(pthread_create(&there.thread, NULL, serve, &there), 0);
        for (i = 0; i < ASKERS; i++) {
            seeds[i] = i;
            EXPECT_INT(pthread_create(&askers[i], NULL, asker, &seeds[i]), 0);
        }
        for (i = 0; i < ASKERS; i++) EXPECT_INT(pthread_join(askers[i], NULL), 0);

        for (i = 0; i < 8; i++) { /* these wait for ever */
            static const char never[] = "GET /never HTTP/1.1\r\nHost: h\r\n\r\n";
            left[i] = dial_port(forwarding_port);
            EXPECT_OP(send(left[i], never, sizeof never - 1, MSG_NOSIGNAL), >, 0);
        }
        (void)usleep(50000);
        wshub_io_sock_stop(first ? here.net : there.net);
        EXPECT_INT(pthread_join(first ? here.thread : there.thread, NULL), 0);
        wshub_destroy(first ? here.hub : there.hub);
        (void)usleep(20000);
        wshub_io_sock_stop(first ? there.net : here.net);
        EXPECT_INT(pthread_join(first ? there.thread : here.thread, NULL), 0);
        wshub_destroy(first ? there.hub : here.hub);
        wshub_io_sock_destroy(here.net);
        wshub_io_sock_destroy(there.net);
        for (i = 0; i < 8; i++) (void)close(left[i]);
    }
}

/* ---- handshakes that other threads answer ---- */

enum { KNOCKS = 40 };
typedef struct knock { /* one question, and the thread that answers it */
    wshub *hub;
    wshub_exchange exchange;
    pthread_t thread;
    int number;
} knock;
static knock knocks[KNOCKS];
static int knocks_count;

static void *answer_knock(void *arg) {
    const knock *k = (const knock *)arg;
    char name[16];
    wshub_identity who;
    wshub_upgrade_answer answer;
    memset(&who, 0, sizeof who);
    memset(&answer, 0, sizeof answer);
    (void)snprintf(name, sizeof name, "u%d", k->number);
    who.user_id = wshub_str_z(name);
    answer.identity = &who;
    (void)usleep(1000 * (unsigned)(k->number % 5));
    if (k->number % 2)
        EXPECT_INT(wshub_post_http_refuse(k->hub, k->exchange, 401, name), WSHUB_OK);
    else
        EXPECT_INT(wshub_post_http_upgrade(k->hub, k->exchange, &answer), WSHUB_OK);
    return NULL;
}
static void knocked(wshub *hub, const wshub_http *http, wshub_upgrade *ask, void *user) {
    knock *k = &knocks[knocks_count];
    (void)http, (void)user;
    k->hub = hub;
    k->exchange = ask->exchange;
    k->number = knocks_count++;
    ask->later = true;
    EXPECT_INT(pthread_create(&k->thread, NULL, answer_knock, k), 0);
}

TEST(handshakes_are_answered_by_other_threads) { /* AUTH-8 */
    static const char *const nobody[] = {"https://page.example"};
    server s;
    uint16_t port;
    int fds[KNOCKS], i, granted = 0, refused = 0;
    memset(&s, 0, sizeof s);
    EXPECT_INT(wshub_io_auto_create(NULL, &s.net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(s.net),
                                          .on_upgrade = knocked,
                                          .allowed_origins = nobody,
                                          .allowed_origins_count = 1},
                            &s.hub),
               WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(s.net, "127.0.0.1", 0, &port), WSHUB_OK);
    EXPECT_INT(pthread_create(&s.thread, NULL, serve, &s), 0);
    for (i = 0; i < KNOCKS; i++) {
        static const char asks[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
                                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        fds[i] = dial_port(port);
        EXPECT_OP(send(fds[i], asks, sizeof asks - 1, MSG_NOSIGNAL), >, 0);
    }
    for (i = 0; i < KNOCKS; i++) {
        char got[14] = "";
        EXPECT_INT(recv(fds[i], got, 13, MSG_WAITALL), 13);
        granted += memcmp(got, "HTTP/1.1 101 ", 13) == 0;
        refused += memcmp(got, "HTTP/1.1 401 ", 13) == 0;
    }
    EXPECT_INT(granted, KNOCKS / 2);
    EXPECT_INT(refused, KNOCKS / 2);
    wshub_io_sock_stop(s.net);
    EXPECT_INT(pthread_join(s.thread, NULL), 0);
    EXPECT_INT(knocks_count, KNOCKS);
    for (i = 0; i < KNOCKS; i++) EXPECT_INT(pthread_join(knocks[i].thread, NULL), 0);
    wshub_destroy(s.hub);
    wshub_io_sock_destroy(s.net);
    for (i = 0; i < KNOCKS; i++) (void)close(fds[i]);
}
