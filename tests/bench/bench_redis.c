/* make bench-redis: two hubs in processes of their own on one redis-server, one sends room
 * messages as fast as the other hears them; and in turn with them, as the measure of what Redis
 * itself can do, a publisher that writes the same bytes and two subscribers to the same channels
 * that read and discard. Prints messages per second, CPU time per message of each and of Redis.
 * Then the same where Redis has a core of its own and more to do for each message, as somebody else
 * subscribes to patterns that fit none: how fast it is where all wait for it shows only where the
 * others, who have the other cores, have time to spare. Nothing may be lost or out of order.
 * Needs redis-server.  build/bench_redis [rounds] [messages]                     default 5, 300000 */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_bus_redis.h"
#include "dial.h"
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 18490, DATA = 200, ROUNDS_MAX = 64, READ = 65536 };
typedef struct result {
    double seconds, cpu_us;
    long lost;
} result;
/* What one round says, and what all do. */
typedef struct figures {
    double rate[ROUNDS_MAX], sender[ROUNDS_MAX], receiver[ROUNDS_MAX], redis[ROUNDS_MAX];
} figures;
static pid_t server;
/* What a hub publishes, as it comes to a subscriber: the bare publisher says the same. */
typedef struct sample {
    char channel[64], payload[1024];
    size_t channel_len, payload_len;
} sample;
static sample *shown; /* shared with the processes */

static double now_us(clockid_t which) {
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static void die(const char *what) {
    perror(what);
    if (server > 0) (void)kill(server, SIGKILL);
    exit(1);
}
static double redis_cpu_us(void) {
    clockid_t clock;
    if (clock_getcpuclockid(server, &clock)) die("the clock of redis-server");
    return now_us(clock);
}

/* ---- what the receiving hub hears: numbers, in order ---- */
static long next_number, lost;
static void count_message(const wshub_bus_owner *hub, wshub_str payload) {
    static const char before[] = "\"data\":[\""; /* what is looked for costs as little as it can */
    const char *data = (const char *)memmem(payload.ptr, payload.len, before, sizeof before - 1);
    long n = data ? atol(data + sizeof before - 1) : -1;
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
    if (next_number == 100 && !shown->payload_len && channel.len <= sizeof shown->channel &&
        payload.len <= sizeof shown->payload) {
        memcpy(shown->channel, channel.ptr, shown->channel_len = channel.len);
        memcpy(shown->payload, payload.ptr, shown->payload_len = payload.len);
    }
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
    if (wshub_create(&(wshub_desc){.io = wshub_io_sock_io(*net), .bus = &bus, .no_log = true},
                     &hub))
        die("hub");
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

/* Writes a number behind a text of so many zeros, without the work that printf() has. */
static size_t number_write(char *at, long number) {
    char digits[24];
    size_t n = sizeof digits, len;
    do {
        digits[--n] = (char)('0' + number % 10);
    } while (number /= 10);
    len = sizeof digits - n;
    memcpy(at, digits + n, len);
    return len;
}
static void sender(int out, long messages) {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub = start(&net, &redis, false);
    wshub_bus_redis_stats st;
    result r;
    char data[DATA + 32] = "[\"", rest[DATA - 20];
    long said = 0;
    double cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    memset(rest, '0', sizeof rest);
    memcpy(rest, "\",\"", 3);
    memcpy(rest + sizeof rest - 2, "\"]", 2);
    do {
        wshub_stats hs;
        int i;
        wshub_stats_get(hub, &hs);
        for (i = 0; i < 200 && said < messages && hs.bus_queued_bytes < 400000; i++) {
            wshub_msg m = {.event = wshub_str_z("n"), .data = {data, 0}, .data_is_json = true};
            wshub_dest d = {.kind = WSHUB_DEST_ROOM, .name = wshub_str_z("bench")};
            m.data.len = 2 + number_write(data + 2, said);
            memcpy(data + m.data.len, rest, sizeof rest);
            m.data.len += sizeof rest;
            if (wshub_send(hub, &d, &m)) die("send");
            said++;
        }
        (void)wshub_io_sock_run_once(net, i ? 0 : 100); /* where nothing fits, until it does */
        wshub_bus_redis_stats_get(redis, &st);
    } while (said < messages || st.pending || (long)st.published < messages);
    r.cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    r.seconds = 0;
    r.lost = (long)(st.refused + st.unconfirmed);
    if (write(out, &r, sizeof r) != sizeof r) die("pipe");
    wshub_destroy(hub);
    exit(0);
}

/* ---- the same without hubs ---- */

/* Reads what comes, and forgets it, until there were so many bytes. */
static void swallow(int fd, size_t bytes) {
    static char buf[READ];
    while (bytes) {
        ssize_t n = recv(fd, buf, bytes < sizeof buf ? bytes : sizeof buf, 0);
        if (n <= 0) die("Redis has ended a connection");
        bytes -= (size_t)n;
    }
}
/* A subscriber to what a hub subscribes to. */
static void bare_receiver(int ready, int out, long messages) {
    static const char ask[] =
        "SUBSCRIBE ws:broadcast\r\nPSUBSCRIBE ws:room:* ws:client:* ws:user:*\r\n";
    static const char answers[] = "*3\r\n$9\r\nsubscribe\r\n$12\r\nws:broadcast\r\n:1\r\n*3\r\n$"
                                  "10\r\npsubscribe\r\n$9\r\nws:room:*\r\n"
                                  ":2\r\n*3\r\n$10\r\npsubscribe\r\n$11\r\nws:client:*\r\n:3\r\n*"
                                  "3\r\n$10\r\npsubscribe\r\n$9\r\n"
                                  "ws:user:*\r\n:4\r\n";
    char text[128];
    result r;
    int fd = dial_here(PORT);
    double cpu, begin;
    size_t one =
        (size_t)snprintf(text, sizeof text,
                         "*4\r\n$8\r\npmessage\r\n$9\r\nws:room:*\r\n$%zu\r\n\r\n$%zu\r\n\r\n",
                         shown->channel_len, shown->payload_len) +
        shown->channel_len + shown->payload_len;
    if (write(fd, ask, sizeof ask - 1) != sizeof ask - 1) die("subscribe");
    swallow(fd, sizeof answers - 1);
    if (write(ready, "r", 1) != 1) die("pipe");
    cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    swallow(fd, one);
    begin = now_us(CLOCK_MONOTONIC);
    swallow(fd, one * (size_t)(messages - 1));
    r.seconds = (now_us(CLOCK_MONOTONIC) - begin) / 1e6;
    r.cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    r.lost = 0;
    if (write(out, &r, sizeof r) != sizeof r) die("pipe");
    exit(0);
}
/* Writes as much as goes, and reads what is answered. */
static void bare_sender(int out, long messages) {
    static char many[256 * 1024], answers[READ];
    size_t one, batch, at = 0, total;
    result r;
    int fd = dial_here(PORT);
    double cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    one = (size_t)snprintf(many, sizeof many,
                           "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%.*s\r\n$%zu\r\n%.*s\r\n",
                           shown->channel_len, (int)shown->channel_len, shown->channel,
                           shown->payload_len, (int)shown->payload_len, shown->payload);
    for (batch = one; batch + one <= sizeof many; batch += one) memcpy(many + batch, many, one);
    for (total = one * (size_t)messages; at < total;) {
        size_t from = at % batch, n = batch - from < total - at ? batch - from : total - at;
        struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
        ssize_t wrote;
        if (poll(&p, 1, -1) < 0) die("poll");
        if (p.revents & POLLIN && recv(fd, answers, sizeof answers, MSG_DONTWAIT) == 0) die("recv");
        if (!(p.revents & POLLOUT)) continue;
        wrote = send(fd, many + from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (wrote > 0) at += (size_t)wrote;
    }
    swallow(fd, 1); /* of the last there may be more: nobody waits for it */
    r.cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    r.seconds = 0;
    r.lost = 0;
    if (write(out, &r, sizeof r) != sizeof r) die("pipe");
    (void)pause(); /* the connection stays until all have heard it */
    exit(0);
}

/* Somebody who subscribes to much, and hears nothing of it. */
static int stranger_subscribes(void) {
    int fd = dial_here(PORT), i, colons = 0;
    char text[64], answer;
    for (i = 0; i < 60; i++) {
        int n = snprintf(text, sizeof text, "PSUBSCRIBE ws:room:of-somebody-else-%d:*\r\n", i);
        if (write(fd, text, (size_t)n) != n) die("subscribe");
    }
    for (i = 0; i < 60;) { /* each answer has as many colons as its pattern, and one */
        if (recv(fd, &answer, 1, 0) != 1) die("subscribe");
        colons += answer == ':';
        i = colons / 4;
    }
    return fd;
}

/* Redis has the first core from now on, and all others the other ones, if there are any. */
static void part(void) {
    cpu_set_t first, others;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if (sched_getaffinity(0, sizeof others, &others) || CPU_COUNT(&others) < 2) return;
    CPU_CLR(0, &others);
    if (sched_setaffinity(server, sizeof first, &first) ||
        sched_setaffinity(0, sizeof others, &others))
        die("cores");
}

/* ---- rounds ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}
static result result_of(int fd) {
    result r;
    if (read(fd, &r, sizeof r) != sizeof r) die("result");
    return r;
}
/* One round, of hubs or of bare bytes. */
static void play(figures *f, int round, bool bare, long messages) {
    int ready[2], got[2], sent[2], i, receivers = bare ? 2 : 1;
    pid_t p[3];
    double before;
    result a, b;
    char c;
    if (pipe(ready) || pipe(got) || pipe(sent)) die("pipe");
    for (i = 0; i < receivers; i++) {
        (void)fflush(stdout);
        p[i] = fork();
        if (p[i] == 0) (bare ? bare_receiver : receiver)(ready[1], got[1], messages);
        if (read(ready[0], &c, 1) != 1) die("ready");
    }
    before = redis_cpu_us();
    (void)fflush(stdout);
    p[2] = fork();
    if (p[2] == 0) (bare ? bare_sender : sender)(sent[1], messages);
    b = result_of(sent[0]);
    a = result_of(got[0]);
    if (bare) (void)result_of(got[0]);
    f->redis[round] = (redis_cpu_us() - before) / (double)messages;
    if (bare) (void)kill(p[2], SIGKILL);
    (void)waitpid(p[2], NULL, 0);
    for (i = 0; i < receivers; i++) (void)waitpid(p[i], NULL, 0);
    if (a.lost || b.lost)
        (void)printf("LOST or out of order: %ld, refused or unconfirmed: %ld\n", a.lost, b.lost);
    f->rate[round] = (double)messages / a.seconds;
    f->receiver[round] = a.cpu_us / (double)messages;
    f->sender[round] = b.cpu_us / (double)messages;
    for (i = 0; i < 2; i++) {
        (void)close(ready[i]);
        (void)close(got[i]);
        (void)close(sent[i]);
    }
}
static void tell(const char *who, figures *f, int rounds) {
    (void)printf("  %-26s %9.0f %8.2f %8.2f %8.2f\n", who, median(f->rate, rounds),
                 median(f->sender, rounds), median(f->receiver, rounds), median(f->redis, rounds));
}
/* Hubs and bare bytes in turn; how much of the messages of bare bytes goes through is taken of each round. */
static void compare(const char *what, int rounds, long messages) {
    static figures hubs, bytes;
    double of[ROUNDS_MAX];
    int i;
    for (i = 0; i < rounds; i++) {
        play(&hubs, i, false, messages);
        play(&bytes, i, true, messages);
        of[i] = hubs.rate[i] / bytes.rate[i];
    }
    (void)printf("%s\n  %-26s %9s %8s %8s %8s\n", what, "", "a second", "sender", "receiver",
                 "Redis");
    tell("hubs", &hubs, rounds);
    tell("bare bytes", &bytes, rounds);
    (void)printf("  of what Redis fans out: %.2f\n", median(of, rounds));
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    long messages = argc > 2 ? atol(argv[2]) : 300000;
    char line[32];
    int stranger;
    if (rounds < 1 || rounds > ROUNDS_MAX) rounds = 5;
    shown = mmap(NULL, sizeof *shown, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shown == MAP_FAILED) die("mmap");
    server = fork();
    if (server == 0) {
        (void)freopen("/dev/null", "w", stdout);
        (void)snprintf(line, sizeof line, "%d", PORT);
        (void)execlp("redis-server", "redis-server", "--port", line, "--bind", "127.0.0.1",
                     "--save", "", "--client-output-buffer-limit", "pubsub 0 0 0", (char *)NULL);
        _exit(127);
    }
    (void)usleep(500000);
    if (waitpid(server, NULL, WNOHANG) != 0) {
        (void)printf("redis-server is not installed, or port %d is taken\n", PORT);
        return 1;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)printf("%ld room messages of some 300 bytes to two subscribers, by pattern; us of CPU a "
                 "message, medians of %d rounds; a sender hears its own\n",
                 messages, rounds);
    compare("all as fast as they go", rounds, messages);
    stranger = stranger_subscribes();
    part();
    compare("Redis on a core of its own, with 60 patterns of somebody else's, that it compares "
            "each with",
            rounds, messages / 2);
    (void)close(stranger);
    (void)kill(server, SIGTERM);
    (void)waitpid(server, NULL, 0);
    return 0;
}
