/* One in a cluster with a real redis-server (CRON-6): processes with the same job, each of which is
 * killed as soon as it has run a tick, and started again at once, within the very second. No tick
 * runs twice (b19 of the list of others' mistakes). */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "wshub_ext_cron.h"
#include "test.h"
#include "redis_server.h"

enum { PROCESSES = 3, TICKS = 5, RUNS = 100 };

/* What a process says of a tick, in one piece. */
typedef struct run {
    pid_t who;
    int64_t due;
    bool unasked;
} run;

/* ---- a process ---- */

static int out_fd;

static wshub_ext_cron_outcome on_tick(const wshub_ext_cron_tick *tick, void *user) {
    run r;
    memset(&r, 0, sizeof r);
    r.who = getpid();
    r.due = tick->due_ms;
    r.unasked = tick->unasked;
    (void)user;
    return write(out_fd, &r, sizeof r) == (ssize_t)sizeof r ? WSHUB_EXT_CRON_OK
                                                            : WSHUB_EXT_CRON_FAILED;
}
static void on_authenticate(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}

/* Runs until it is killed. */
static void be_an_instance(const char *url) {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub;
    wshub_ext_cron_jobs *jobs;
    if (wshub_io_auto_create(NULL, &net)) _exit(1);
    if (wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_sock_io(net), .url = url},
                               &redis))
        _exit(2);
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                   .bus = wshub_bus_redis_bus(redis),
                                   .no_log = true,
                                   .on_authenticate = on_authenticate},
                     &hub))
        _exit(3);
    if (wshub_ext_cron_jobs_create(&(wshub_ext_cron_jobs_desc){.hub = hub}, &jobs)) _exit(4);
    if (wshub_ext_cron_job_create(jobs,
                                  &(wshub_ext_cron_job_desc){.expr = "* * * * * *",
                                                             .zone = "UTC",
                                                             .cluster = "killed",
                                                             .auto_start = true,
                                                             .on_tick = on_tick},
                                  NULL, NULL))
        _exit(5);
    while (wshub_io_sock_run_once(net, 50) == WSHUB_OK) {
    }
    _exit(6);
}
static pid_t process_start(const char *url) {
    pid_t pid = fork();
    if (pid == 0) be_an_instance(url);
    return pid;
}
static void process_kill(pid_t pid) {
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* ---- all of them ---- */

static int times(const run *runs, int count, int64_t due) {
    int i, n = 0;
    for (i = 0; i < count; i++) n += runs[i].due == due;
    return n;
}

TEST(processes_that_are_killed_and_started_again_run_no_tick_twice) { /* CRON-6; b19 */
    static redis_server server;
    static run runs[RUNS];
    pid_t pids[PROCESSES];
    int fds[2], count = 0, i;
    uint64_t give_up;
    if (!redis_installed()) SKIP("redis-server is not installed");
    memset(&server, 0, sizeof server);
    redis_start(&server);
    EXPECT_INT(pipe(fds), 0);
    out_fd = fds[1];
    (void)fflush(stdout);
    for (i = 0; i < PROCESSES; i++) pids[i] = process_start(server.url);
    give_up = real_ms() + 60000;
    while (count < TICKS && real_ms() < give_up) {
        struct pollfd p = {fds[0], POLLIN, 0};
        if (poll(&p, 1, 100) <= 0) continue;
        EXPECT_INT(read(fds[0], &runs[count], sizeof runs[0]), (ssize_t)sizeof runs[0]);
        for (i = 0; i < PROCESSES; i++) {
            if (pids[i] != runs[count].who) continue;
            process_kill(pids[i]); /* at once, and here it is again */
            pids[i] = process_start(server.url);
        }
        count++;
    }
    EXPECT_INT(count, TICKS);
    for (i = 0; i < PROCESSES; i++) process_kill(pids[i]);
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    while (count < RUNS && read(fds[0], &runs[count], sizeof runs[0]) == (ssize_t)sizeof runs[0])
        count++; /* what was said just before the end */
    for (i = 0; i < count; i++) {
        EXPECT_INT(times(runs, count, runs[i].due), 1);
        EXPECT_INT(runs[i].due % 1000, 0);
        EXPECT(!runs[i].unasked);
    }
    EXPECT_HAS(redis_tell(server.port, "KEYS wshub:cron:killed:*", "wshub:cron:killed:", 2000),
               "wshub:cron:killed:17"); /* nobody has deleted them */
    (void)close(fds[0]);
    (void)close(fds[1]);
    redis_end(&server);
}
