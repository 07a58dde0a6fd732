/* make bench-redis: two hubs in processes of their own on one redis-server, one sends room
 * messages as fast as the other hears them. Prints messages per second, CPU time per message of
 * each hub and of Redis, beside what redis-benchmark publishes by itself. Nothing may be lost
 * or out of order. Needs redis-server.  build/bench_redis [rounds] [messages]       default 5,
 * 300000 */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include <signal.h>
#include <sys/wait.h>

enum { PORT = 18490, DATA = 200 };
typedef struct result {
    double seconds, cpu_us;
    long lost;
} result;

static double now_us(clockid_t which) {
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static void die(const char *what) {
    perror(what);
    exit(1);
}
static double redis_cpu_us(pid_t pid) {
    char path[64], text[1024];
    unsigned long u = 0, s = 0;
    FILE *f;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    if (!f || !fgets(text, sizeof text, f)) die(path);
    (void)fclose(f);
    (void)sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u,
                 &s);
    return (double)(u + s) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* ---- what the receiving hub hears: numbers, in order ---- */
static long next_number, lost;
static void count_message(const wshub_bus_owner *hub, wshub_str payload) {
    wshub_str data = wshub_json_get(payload, "data");
    long n = data.ptr ? atol(data.ptr + 2) : -1;
    (void)hub;
    if (n < 0) return;
    if (n != next_number) lost++;
    next_number = n + 1;
}
/* Stands between the hub and its bus and counts what passes up. */
static wshub_bus under;
static wshub_bus_owner over;
static void tap_received(void *ctx, wshub_str channel, wshub_str payload) {
    count_message(&over, payload);
    over.received(ctx, channel, payload);
}
static wshub_err tap_attach(void *ctx, const wshub_bus_owner *owner) {
    wshub_bus_owner mine;
    if (!owner) return under.attach(ctx, NULL);
    over = mine = *owner;
    mine.received = tap_received;
    return under.attach(ctx, &mine);
}

static wshub *start(wshub_io_sock **net, wshub_bus_redis **redis, bool tap) {
    static wshub_bus bus;
    wshub_bus_redis_stats st;
    char url[64];
    wshub *hub;
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", PORT);
    if (wshub_io_auto_create(NULL, net)) die("io");
    if (wshub_bus_redis_create(&(wshub_bus_redis_desc){.io = wshub_io_sock_io(*net), .url = url},
                               redis))
        die("redis");
    bus = under = *wshub_bus_redis_bus(*redis);
    if (tap) bus.attach = tap_attach;
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(*net), .bus = &bus}, &hub)) die("hub");
    do {
        (void)wshub_io_sock_run_once(*net, 10);
        wshub_bus_redis_stats_get(*redis, &st);
    } while (st.state != WSHUB_BUS_UP);
    return hub;
}

static void receiver(int ready, int out, long messages) {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub = start(&net, &redis, true);
    result r;
    double cpu, begin = 0;
    if (write(ready, "r", 1) != 1) die("pipe");
    cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    while (next_number < messages) {
        (void)wshub_io_sock_run_once(net, 100);
        if (next_number && begin == 0) begin = now_us(CLOCK_MONOTONIC);
    }
    r.seconds = (now_us(CLOCK_MONOTONIC) - begin) / 1e6;
    r.cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    r.lost = lost;
    if (write(out, &r, sizeof r) != sizeof r) die("pipe");
    wshub_destroy(hub);
    exit(0);
}

static void sender(int out, long messages) {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub = start(&net, &redis, false);
    wshub_bus_redis_stats st;
    result r;
    char data[DATA + 32];
    long said = 0;
    double cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    do {
        wshub_stats hs;
        int i;
        wshub_stats_get(hub, &hs);
        for (i = 0; i < 200 && said < messages && hs.bus_queued_bytes < 400000; i++) {
            wshub_msg m = {.event = wshub_str_z("n"), .data = {data, 0}, .data_is_json = true};
            wshub_dest d = {.kind = WSHUB_DEST_ROOM, .name = wshub_str_z("bench")};
            m.data.len =
                (size_t)snprintf(data, sizeof data, "[\"%ld\",\"%0*d\"]", said, DATA - 20, 0);
            data[1] = '"';
            if (wshub_send(hub, &d, &m)) die("send");
            said++;
        }
        (void)wshub_io_sock_run_once(net, 0);
        wshub_bus_redis_stats_get(redis, &st);
    } while (said < messages || st.pending || (long)st.published < messages);
    r.cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    r.seconds = 0;
    r.lost = (long)(st.refused + st.unconfirmed);
    if (write(out, &r, sizeof r) != sizeof r) die("pipe");
    wshub_destroy(hub);
    exit(0);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 5, i;
    long messages = argc > 2 ? atol(argv[2]) : 300000;
    double rate[64], send_cpu[64], receive_cpu[64], redis[64], floor_rate[64];
    char command[640], line[1024];
    pid_t server = fork();
    if (rounds < 1 || rounds > 64) rounds = 5;
    if (server == 0) {
        (void)freopen("/dev/null", "w", stdout);
        (void)snprintf(line, sizeof line, "%d", PORT);
        (void)execlp("redis-server", "redis-server", "--port", line, "--bind", "127.0.0.1",
                     "--save", "", (char *)NULL);
        _exit(127);
    }
    (void)usleep(500000);
    if (waitpid(server, NULL, WNOHANG) != 0) {
        (void)printf("redis-server is not installed, or port %d is taken\n", PORT);
        return 1;
    }
    for (i = 0; i < rounds; i++) {
        int ready[2], got[2], sent[2];
        char c;
        result a, b;
        double before;
        FILE *f;
        pid_t p1, p2;
        if (pipe(ready) || pipe(got) || pipe(sent)) die("pipe");
        p1 = fork();
        if (p1 == 0) receiver(ready[1], got[1], messages);
        if (read(ready[0], &c, 1) != 1) die("ready");
        before = redis_cpu_us(server);
        p2 = fork();
        if (p2 == 0) sender(sent[1], messages);
        if (read(sent[0], &b, sizeof b) != sizeof b || read(got[0], &a, sizeof a) != sizeof a)
            die("result");
        (void)waitpid(p1, NULL, 0);
        (void)waitpid(p2, NULL, 0);
        if (a.lost || b.lost)
            (void)printf("LOST or out of order: %ld, refused or unconfirmed: %ld\n", a.lost,
                         b.lost);
        rate[i] = (double)messages / a.seconds;
        receive_cpu[i] = a.cpu_us / (double)messages;
        send_cpu[i] = b.cpu_us / (double)messages;
        redis[i] = (redis_cpu_us(server) - before) / (double)messages;
        floor_rate[i] = 0;
        (void)snprintf(command, sizeof command,
                       "redis-benchmark -p %d -c 1 -P 64 -n %ld -q publish ws:room:bench %0290d "
                       "2>/dev/null | tr '\\r' '\\n' | grep 'per second' | tail -1",
                       PORT, messages, 1);
        f = popen(command, "r");
        if (f && fgets(line, sizeof line, f) && strstr(line, ": "))
            floor_rate[i] = atof(strstr(line, ": ") + 2);
        if (f) (void)pclose(f);
        (void)close(ready[0]);
        (void)close(ready[1]);
        (void)close(got[0]);
        (void)close(got[1]);
        (void)close(sent[0]);
        (void)close(sent[1]);
    }
    (void)printf("%ld room messages of some 300 bytes from one hub to another through Redis, both "
                 "by pattern; medians of %d rounds\n"
                 "  messages per second      %.0f\n  CPU of the sending hub    %.2f us a message, "
                 "its own echo's included\n"
                 "  CPU of the receiving hub  %.2f us a message\n  CPU of Redis              %.2f "
                 "us a message\n"
                 "  redis-benchmark publishing alone, nobody subscribed: %.0f per second\n",
                 messages, rounds, median(rate, rounds), median(send_cpu, rounds),
                 median(receive_cpu, rounds), median(redis, rounds), median(floor_rate, rounds));
    (void)kill(server, SIGTERM);
    (void)waitpid(server, NULL, 0);
    return 0;
}
