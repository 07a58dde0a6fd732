/* make bench-peers: the same load on wshub and on thin servers of Bun and of ws for Node, where
 * these are there: CPU time of the whole server process and of ksoftirqd per delivered message,
 * echoed message or connection; the time until all have a message; memory. wshub parses the
 * envelope, authenticates and keeps rooms; the peers pass on what comes as it is.
 * build/bench_peers [ROUNDS [PART]]     3 rounds, servers in turn, the ratio taken within each
 * Bun and ws are looked for in build/node (npm install --prefix build/node bun ws), then on the
 * path. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "load.h"

typedef enum kind { ROOM, ECHO, CONNECT, IDLE } kind;
typedef struct work {
    const char *what;
    kind kind;
    int n, publishers, burst, slow; /* slow: so many of the last read nothing */
    size_t payload;
} work;
enum { SERVERS = 3, WSHUB = 0 };
static struct {
    const char *name, *program, *script;
} servers[SERVERS] = {{"wshub", NULL, NULL},
                      {"Bun", NULL, "tests/bench/peer_bun.ts"},
                      {"ws", NULL, "tests/bench/peer_ws.cjs"}};

/* ---- wshub as a server of its own process ---- */
static bool echoes;
static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static wshub_err answer(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)user;
    m.event = e->event;
    m.data = e->data;
    m.data_is_json = true;
    return echoes ? wshub_client_send(hub, c, &m)
                  : wshub_room_send_here(hub, wshub_str_z("ws-default"), &m, NULL, 0);
}
static void serve(uint16_t port, bool echo) {
    wshub_io_sock *net;
    wshub *hub;
    echoes = echo;
    if (wshub_io_auto_create(NULL, &net) ||
        wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                   .on_authenticate = yes,
                                   .on_message = answer},
                     &hub) ||
        wshub_io_sock_listen(net, "127.0.0.1", port, NULL)) {
        _exit(1);
    }
    (void)wshub_io_sock_run(net);
    _exit(0);
}

/* Starts a server and waits until it can be reached. */
static pid_t start(int which, bool echo, uint16_t *port) {
    pid_t pid;
    int i, fd;
    *port = free_port();
    pid = fork();
    if (pid == 0) {
        char number[8];
        pin(0);
        if (which == WSHUB) serve(*port, echo);
        (void)snprintf(number, sizeof number, "%u", (unsigned)*port);
        (void)setenv("NODE_PATH", "build/node/node_modules", 1);
        (void)execlp(servers[which].program, servers[which].program, servers[which].script, number,
                     echo ? "echo" : "room", (char *)NULL);
        _exit(127);
    }
    for (i = 0; i < 500; i++) {
        (void)usleep(10000);
        if (waitpid(pid, NULL, WNOHANG) == pid) die(servers[which].name);
        fd = try_dial(*port, false);
        if (fd < 0) continue;
        (void)close(fd);
        return pid;
    }
    die("a server does not come up");
    return -1;
}
static double resident(pid_t pid) { /* bytes */
    char path[64], line[256];
    double kib = 0;
    FILE *f;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "VmRSS:", 6) == 0) kib = atof(line + 6);
    }
    if (f) (void)fclose(f);
    return kib * 1024;
}

typedef struct result {
    double us, p50, p99, bytes;
} result;
static void say(int fd, const char *bytes, size_t n) {
    while (n) {
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);
        if (k < 0) die("send");
        bytes += k, n -= (size_t)k;
    }
}
static int by_time(const void *a, const void *b) {
    return by_value(a, b);
}

static result run(int which, const work *w, double seconds) {
    static char buf[262144], frame[8192], frames[1 << 20];
    static double took[100000];
    size_t in = frame_of(frame, w->payload, "m", false),
           out = frame_of(frame, w->payload, "m", true), k, got = 0;
    size_t all = in * (size_t)(w->n - w->slow) * (size_t)(w->publishers * w->burst);
    uint16_t port;
    pid_t pid = start(which, w->kind == ECHO, &port);
    int ep = epoll_create1(0), i;
    uint64_t units = 0, rounds = 0;
    double empty, c0 = 0, soft = 0, began = wall(), until = 0, sent_at;
    result r;
    memset(&r, 0, sizeof r);
    empty = resident(pid);
    for (k = 0; k < (size_t)w->burst; k++) memcpy(frames + k * out, frame, out);
    for (i = 0; i < w->n && w->kind != CONNECT; i++) {
        struct epoll_event e;
        fds[i] = try_dial(port, i >= w->n - w->slow);
        if (fds[i] < 0) die("connect");
        hello(fds[i]);
        memset(&e, 0, sizeof e);
        e.events = EPOLLIN;
        e.data.fd = fds[i];
        if (i < w->n - w->slow) (void)epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
    }
    if (w->kind == IDLE) {
        (void)usleep(300000);
        r.bytes = (resident(pid) - empty) / w->n;
        r.us = cpu_of(pid) / w->n;
    }
    if (w->slow) empty = resident(pid);
    if (w->kind == ROOM) {
        for (i = 0; i < w->publishers; i++) say(fds[i], frames, out * (size_t)w->burst);
    }
    if (w->kind == ECHO) {
        for (i = 0; i < w->n; i++) say(fds[i], frames, out * (size_t)w->burst);
    }
    sent_at = began = wall();
    while (w->kind != IDLE) {
        struct epoll_event list[512];
        int count;
        /* warm by now, and who reads nothing is owed what it may be */
        if (!until && wall() > began + (w->payload > 4000 ? 2e6 : 0.3e6)) {
            until = wall() + seconds * 1e6;
            units = rounds = 0;
            c0 = cpu_of(pid);
            soft = soft_cpu();
        }
        /* at least one, if it takes less than 10 s */
        if (until && wall() > until && (units || wall() > until + 10e6)) break;
        if (w->kind == CONNECT) {
            int fd = try_dial(port, false);
            if (fd < 0) die("connect");
            hello(fd);
            (void)close(fd);
            units++;
            continue;
        }
        count = epoll_wait(ep, list, 512, 100);
        for (i = 0; i < count; i++) {
            ssize_t n = recv(list[i].data.fd, buf, sizeof buf, MSG_DONTWAIT);
            if (n == 0) die("a server ended a stream");
            if (n < 0) continue;
            got += (size_t)n;
            if (w->kind != ECHO) continue;
            units += (size_t)n / in;
            say(list[i].data.fd, frames, out * ((size_t)n / in));
        }
        if (w->kind == ECHO || got < all) continue;
        got -= all;
        units += all / in;
        if (rounds < 100000) took[rounds++] = wall() - sent_at;
        for (i = 0; i < w->publishers; i++) say(fds[i], frames, out * (size_t)w->burst);
        sent_at = wall();
    }
    if (w->kind != IDLE && units) r.us = (cpu_of(pid) - c0 + soft_cpu() - soft) / (double)units;
    if (w->slow) r.bytes = resident(pid) - empty;
    qsort(took, rounds, sizeof *took, by_time);
    if (rounds) r.p50 = took[rounds / 2], r.p99 = took[rounds - 1 - rounds / 100];
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    for (i = 0; i < w->n && w->kind != CONNECT; i++) (void)close(fds[i]);
    (void)close(ep);
    return r;
}

static bool there(const char *program) { /* runs, and says its version */
    char text[300];
    (void)snprintf(text, sizeof text, "%s --version >/dev/null 2>&1", program);
    return system(text) == 0;
}

int main(int argc, char **argv) {
    /* clang-format off */
    static const work works[] = {
        {"fan-out", ROOM, 100, 1, 1, 0, 64}, {"fan-out", ROOM, 1000, 1, 1, 0, 64},
        {"fan-out", ROOM, 1000, 1, 1, 0, 1024}, {"fan-out", ROOM, MAX, 1, 1, 0, 64},
        {"bursts of 16", ROOM, 1000, 1, 16, 0, 64}, {"bursts of 64", ROOM, 1000, 1, 64, 0, 64},
        {"bursts of 256", ROOM, 1000, 1, 256, 0, 64},
        {"64 publishers", ROOM, 1000, PUBLISHERS, 1, 0, 64},
        {"64 publishers", ROOM, 100, PUBLISHERS, 1, 0, 64}, {"echo", ECHO, 100, 0, 1, 0, 64},
        {"echo, ten under way", ECHO, 100, 0, 10, 0, 64},
        {"connect, join, leave", CONNECT, 1, 0, 1, 0, 64},
        {"all read, 4 KB", ROOM, 500, 1, 1, 0, 4096},
        {"a tenth reads nothing, 4 KB", ROOM, 500, 1, 1, 50, 4096},
        {"5,000 idle", IDLE, 5000, 0, 1, 0, 64},
    };
    /* clang-format on */
    int rounds = argc > 1 ? atoi(argv[1]) : 3, i, s;
    size_t k;
    struct rlimit lim;
    if (rounds < 1 || rounds > 32) rounds = 3;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    servers[1].program = there("build/node/node_modules/.bin/bun")
                             ? "build/node/node_modules/.bin/bun"
                         : there("bun") ? "bun"
                                        : NULL;
    servers[2].program =
        system("NODE_PATH=build/node/node_modules node -e 'require(\"ws\")' >/dev/null 2>&1") == 0
            ? "node"
            : NULL;
    for (s = 1; s < SERVERS; s++) {
        if (!servers[s].program) (void)printf("skipped: %s is not there\n", servers[s].name);
    }
    (void)printf("CPU time of the server per message in us, medians of %d rounds%s; ratios: wshub "
                 "to the peer, with quartiles\n\n",
                 rounds, own_network() ? "" : ", not in a network of its own");
    pin(1);
    (void)printf("| work | number | data | wshub | Bun | ws | wshub / Bun | wshub / ws | until all "
                 "have it, p50 and p99 in ms: wshub, Bun, ws | memory: wshub, Bun, ws |\n| --- | "
                 "--- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (k = 0; k < sizeof works / sizeof *works; k++) {
        const work *w = &works[k];
        double us[SERVERS][32], ratio[SERVERS][32], p50[SERVERS][32], p99[SERVERS][32],
            bytes[SERVERS][32];
        if (argc > 2 && !strstr(w->what, argv[2])) continue;
        for (i = 0; i < rounds; i++) {
            for (s = 0; s < SERVERS; s++) {
                int which = i % 2 ? SERVERS - 1 - s : s;
                result r;
                memset(&r, 0, sizeof r);
                if (which == WSHUB || servers[which].program)
                    r = run(which, w, w->payload > 4000 ? 3 : w->n > 1000 ? 1.5 : 0.8);
                us[which][i] = r.us;
                p50[which][i] = r.p50 / 1e3;
                p99[which][i] = r.p99 / 1e3;
                bytes[which][i] = r.bytes;
            }
            for (s = 1; s < SERVERS; s++) ratio[s][i] = us[s][i] > 0 ? us[WSHUB][i] / us[s][i] : 0;
        }
        (void)printf("| %s | %d | %zu B |", w->what, w->n, w->payload);
        for (s = 0; s < SERVERS; s++) {
            if (us[s][0] > 0)
                (void)printf(" %.3f |", median(us[s], rounds));
            else
                (void)printf(" - |");
        }
        for (s = 1; s < SERVERS; s++) {
            double m = median(ratio[s], rounds);
            if (us[s][0] > 0)
                (void)printf(" **%.2f** (%.2f to %.2f) |", m, ratio[s][rounds / 4],
                             ratio[s][rounds * 3 / 4]);
            else
                (void)printf(" - |");
        }
        for (s = 0; s < SERVERS; s++) {
            double half = median(p50[s], rounds), most = median(p99[s], rounds);
            (void)printf(half > 0 ? "%s %.1f / %.1f" : "%s -", s ? "," : "", half, most);
        }
        (void)printf(" |");
        for (s = 0; s < SERVERS; s++) {
            double b = median(bytes[s], rounds);
            if (w->slow && us[s][0] > 0)
                (void)printf("%s %.1f MB", s ? "," : "", b / 1048576);
            else if (b > 0)
                (void)printf("%s %.0f B", s ? "," : "", b);
            else
                (void)printf("%s -", s ? "," : "");
        }
        (void)printf(" |\n");
        (void)fflush(stdout);
    }
    return 0;
}
