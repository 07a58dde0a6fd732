/* make bench-sio_peers: Socket.IO on real sockets: the same load on the raw dialect, on ours for Socket.IO and
 * on Node's server, where that is there: CPU time of the whole server process and of ksoftirqd per event
 * delivered, echoed, or connection; memory of an idle client. Servers in turn, the ratio taken within
 * each round.
 * build/bench_sio_peers [ROUNDS [PART]]      needs `npm install --prefix build/node socket.io` */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_dialect_socketio.h"
#include "wshub_io_auto.h"
#include "load.h"

typedef enum kind { ROOM, ECHO, CONNECT, POLLED, IDLE, IDLE_POLLED } kind;
typedef struct work {
    const char *what;
    kind kind;
    int n, publishers, burst;
    bool bytes; /* of the payload, behind the event; two raw messages are as many */
    size_t payload;
} work;
enum { RAW, OURS, NODE, SERVERS };
static const char *const names[SERVERS] = {"raw", "ours", "Node"};

/* ---- our two servers, each a process ---- */
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
static void on_event(wshub_sio *sio, wshub_client client, const wshub_sio_event *e, void *user) {
    wshub_packet packet;
    (void)user;
    memset(&packet, 0, sizeof packet);
    packet.event = e->name;
    packet.args = e->args;
    packet.args_count = e->args_count;
    packet.args_are_json = true;
    packet.attachments = e->attachments;
    packet.attachments_count = e->attachments_count;
    if (echoes) {
        (void)wshub_sio_send(sio, client, &packet);
    } else {
        (void)wshub_sio_emit(sio, wshub_sio_of(sio, "/"), NULL, &packet);
    }
}
static void serve(uint16_t port, bool socketio) {
    wshub_io_sock *net;
    wshub_sio *sio;
    wshub *hub;
    if (wshub_io_auto_create(NULL, &net) || wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                                                       .on_authenticate = yes,
                                                                       .on_message = answer},
                                                         &hub))
        _exit(1);
    if (socketio &&
        (wshub_sio_create(hub, NULL, &sio) ||
         wshub_sio_namespace_add(sio, &(wshub_sio_namespace_desc){.on_event = on_event}, NULL)))
        _exit(1);
    if (wshub_io_sock_listen(net, "127.0.0.1", port, NULL)) _exit(1);
    (void)wshub_io_sock_run(net);
    _exit(0);
}
static pid_t start(int which, bool echo, uint16_t *port) {
    pid_t pid;
    int i, fd;
    *port = free_port();
    pid = fork();
    if (pid == 0) {
        char number[8];
        pin(0);
        echoes = echo;
        if (which != NODE) serve(*port, which == OURS);
        (void)snprintf(number, sizeof number, "%u", (unsigned)*port);
        (void)setenv("NODE_PATH", "build/node/node_modules", 1);
        (void)execlp("node", "node", "tests/bench/peer_sio.cjs", number, echo ? "echo" : "room",
                     (char *)NULL);
        _exit(127);
    }
    for (i = 0; i < 500; i++) {
        (void)usleep(10000);
        if (waitpid(pid, NULL, WNOHANG) == pid) die(names[which]);
        fd = try_dial(*port, false);
        if (fd < 0) continue;
        (void)close(fd);
        return pid;
    }
    die("a server does not come up");
    return -1;
}

/* ---- clients ---- */
#define HEAD "Host: h\r\nUser-Agent: bench\r\nAccept: */*\r\n"
#define UPGRADE                                                                                    \
    HEAD "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"              \
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
static char heard[8192];
static void say(int fd, const char *bytes, size_t n) {
    while (n) {
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);
        if (k < 0) die("send");
        bytes += k, n -= (size_t)k;
    }
}
/* A frame of a client, whose mask is all zero. */
static size_t framed(char *to, int opcode, const char *bytes, size_t n) {
    size_t at = 2;
    to[0] = (char)(0x80 | opcode);
    to[1] = (char)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        to[2] = (char)(n >> 8);
        to[3] = (char)n;
        at = 4;
    }
    memset(to + at, 0, 4);
    memcpy(to + at + 4, bytes, n);
    return at + 4 + n;
}
static void say_text(int fd, const char *text) {
    char frame[128];
    say(fd, frame, framed(frame, 1, text, strlen(text)));
}
/* Reads until that has come, and nothing behind it is on its way. */
static void hear(int fd, const char *what) {
    size_t n = 0;
    heard[0] = 0;
    while (!memmem(heard, n, what, strlen(what))) {
        ssize_t k = recv(fd, heard + n, sizeof heard - 1 - n, 0);
        if (k <= 0) die(what);
        n += (size_t)k;
        heard[n] = 0;
    }
}
static void come(int fd, bool socketio) {
    if (!socketio) {
        hello(fd);
        return;
    }
    say(fd, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" UPGRADE,
        sizeof "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" UPGRADE - 1);
    hear(fd, "\"maxPayload\"");
    say_text(fd, "40");
    hear(fd, "40{\"sid\"");
}
static void ask(int fd, const char *format, const char *sid) {
    char text[600];
    say(fd, text, (size_t)snprintf(text, sizeof text, format, sid));
}
static const char poll_head[] =
    "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n" HEAD "\r\n";
static void come_polling(int fd, char sid[24]) {
    ask(fd, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n" HEAD "%s", "\r\n");
    hear(fd, "\"maxPayload\"");
    (void)snprintf(sid, 24, "%.20s", strstr(heard, "\"sid\":\"") + 7);
    ask(fd,
        "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n" HEAD
        "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 2\r\n\r\n40",
        sid);
    hear(fd, "\r\n\r\nok");
    ask(fd, poll_head, sid);
    hear(fd, "40{\"sid\"");
}
/* So many at once, as clients with default options do: polling, then a WebSocket. */
enum { AT_ONCE = 100 };
static void come_and_go(uint16_t port, bool socketio) {
    static char sids[AT_ONCE][24];
    int first[AT_ONCE], second[AT_ONCE], i;
    for (i = 0; i < AT_ONCE; i++) {
        first[i] = dial(port);
        if (socketio) {
            come_polling(first[i], sids[i]);
        } else {
            hello(first[i]);
        }
    }
    for (i = 0; socketio && i < AT_ONCE; i++) {
        second[i] = dial(port);
        ask(second[i], "GET /socket.io/?EIO=4&transport=websocket&sid=%s HTTP/1.1\r\n" UPGRADE,
            sids[i]);
        hear(second[i], "\r\n\r\n");
        ask(first[i], poll_head, sids[i]);
        say_text(second[i], "2probe");
        hear(second[i], "3probe");
    }
    for (i = 0; socketio && i < AT_ONCE; i++) {
        hear(first[i], "\r\n\r\n6");
        say_text(second[i], "5");
        (void)close(second[i]);
    }
    for (i = 0; i < AT_ONCE; i++) (void)close(first[i]);
}

/* What a publisher says in a turn, and how many bytes of it come back to each receiver. */
static size_t words(const work *w, bool socketio, char *to, size_t *out_heard) {
    static char text[2048], raw[2048];
    size_t n, at = 0, two = w->bytes ? 2 : 1;
    if (!socketio) {
        at = frame_of(to, w->bytes ? w->payload - 22 : w->payload, "m", true);
        *out_heard = at - 4;
        if (two == 2) {
            n = frame_of(to + at, 16, "m", true);
            at += n;
            *out_heard += n - 4;
        }
        return at;
    }
    memset(raw, 'x', sizeof raw);
    if (w->bytes) {
        n = (size_t)sprintf(text, "451-[\"m\",{\"_placeholder\":true,\"num\":0}]");
    } else {
        n = (size_t)sprintf(text, "42[\"m\",\"%.*s\"]", (int)w->payload, raw);
    }
    at = framed(to, 1, text, n);
    *out_heard = at - 4;
    if (w->bytes) {
        n = framed(to + at, 2, raw, w->payload);
        at += n;
        *out_heard += n - 4;
    }
    return at;
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

/* ---- works ---- */
typedef struct result {
    double us, bytes;
} result;
typedef struct meter {
    pid_t pid;
    double until, cpu, soft;
    uint64_t units;
} meter;
/* Has the time come to end? It begins to count when all is warm. */
static bool over(meter *m, double began) {
    if (!m->until && wall() > began + 0.3e6) {
        m->until = wall() + 1e6;
        m->units = 0;
        m->cpu = cpu_of(m->pid);
        m->soft = soft_cpu();
    }
    return m->until && wall() > m->until;
}
static double cost(const meter *m) {
    return (cpu_of(m->pid) - m->cpu + soft_cpu() - m->soft) / (double)m->units;
}
static void watch(int ep, int fd) {
    struct epoll_event e;
    memset(&e, 0, sizeof e);
    e.events = EPOLLIN;
    e.data.fd = fd;
    (void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}
static void run_sockets(meter *m, const work *w, uint16_t port, bool socketio) {
    static char buf[262144], frame[8192], frames[1 << 18];
    size_t in, out = words(w, socketio, frame, &in), got = 0;
    size_t all = in * (size_t)w->n * (size_t)(w->publishers * w->burst);
    int ep = epoll_create1(0), i, k;
    double began;
    for (k = 0; k < w->burst; k++) memcpy(frames + (size_t)k * out, frame, out);
    for (i = 0; i < w->n; i++) {
        fds[i] = dial(port);
        come(fds[i], socketio);
        watch(ep, fds[i]);
    }
    for (i = 0; i < (w->kind == ECHO ? w->n : w->publishers); i++)
        say(fds[i], frames, out * (size_t)w->burst);
    began = wall();
    while (!over(m, began)) {
        struct epoll_event list[512];
        int count = epoll_wait(ep, list, 512, 100);
        for (i = 0; i < count; i++) {
            ssize_t n = recv(list[i].data.fd, buf, sizeof buf, MSG_DONTWAIT);
            if (n == 0) die("a server ended a stream");
            if (n < 0) continue;
            got += (size_t)n;
            if (w->kind != ECHO) continue;
            m->units += (size_t)n / in;
            say(list[i].data.fd, frames, out * ((size_t)n / in));
        }
        if (w->kind == ECHO || got < all) continue;
        got -= all;
        m->units += all / in;
        for (i = 0; i < w->publishers; i++) say(fds[i], frames, out * (size_t)w->burst);
    }
    (void)close(ep);
}
/* One publisher on a WebSocket; all others poll, and poll again when they have an answer. */
static void run_polled(meter *m, const work *w, uint16_t port) {
    static char frame[8192], sids[MAX][24], buf[65536];
    size_t in, out = words(w, true, frame, &in);
    int ep = epoll_create1(0), i, left = w->n;
    int publisher = dial(port);
    double began;
    come(publisher, true);
    for (i = 0; i < w->n; i++) {
        fds[i] = dial(port);
        come_polling(fds[i], sids[i]);
        ask(fds[i], poll_head, sids[i]);
        watch(ep, fds[i]);
    }
    (void)usleep(50000);
    say(publisher, frame, out);
    began = wall();
    while (!over(m, began)) {
        struct epoll_event list[512];
        int count = epoll_wait(ep, list, 512, 100), k;
        for (i = 0; i < count; i++) {
            ssize_t n = recv(list[i].data.fd, buf, sizeof buf, MSG_DONTWAIT);
            if (n <= 0) die("a server ended a stream");
            if (!memmem(buf, (size_t)n, "42[\"m\"", 6)) continue; /* a head whose body is to come */
            for (k = 0; fds[k] != list[i].data.fd; k++) {
            }
            ask(fds[k], poll_head, sids[k]);
            m->units++;
            left--;
        }
        if (left > 0) continue;
        left = w->n;
        say(publisher, frame, out);
    }
    (void)close(publisher);
    (void)close(ep);
}
static result run(int which, const work *w) {
    bool socketio = which != RAW;
    uint16_t port;
    result r = {0, 0};
    meter m;
    double empty, began;
    int i;
    char sid[24];
    memset(&m, 0, sizeof m);
    if ((w->kind == POLLED || w->kind == IDLE_POLLED) && !socketio) return r;
    m.pid = start(which, w->kind == ECHO, &port);
    empty = resident(m.pid);
    for (i = 0; i < w->n; i++) fds[i] = -1;
    if (w->kind == ROOM || w->kind == ECHO) run_sockets(&m, w, port, socketio);
    if (w->kind == POLLED) run_polled(&m, w, port);
    if (w->kind == CONNECT) {
        began = wall();
        while (!over(&m, began)) {
            come_and_go(port, socketio);
            m.units += AT_ONCE;
        }
    }
    if (w->kind == IDLE || w->kind == IDLE_POLLED) {
        for (i = 0; i < w->n; i++) {
            fds[i] = dial(port);
            if (w->kind == IDLE) {
                come(fds[i], socketio);
            } else {
                come_polling(fds[i], sid);
                ask(fds[i], poll_head, sid);
            }
        }
        (void)usleep(300000);
        r.bytes = (resident(m.pid) - empty) / w->n;
    } else {
        r.us = cost(&m);
    }
    (void)kill(m.pid, SIGKILL);
    (void)waitpid(m.pid, NULL, 0);
    for (i = 0; i < w->n; i++) {
        if (fds[i] >= 0) (void)close(fds[i]);
    }
    return r;
}

static void report(const work *w, int rounds, bool node) {
    double value[SERVERS][32], ratio[SERVERS][32];
    bool idle = w->kind == IDLE || w->kind == IDLE_POLLED;
    int i, s;
    for (i = 0; i < rounds; i++) {
        for (s = 0; s < SERVERS; s++) {
            int which = i % 2 ? SERVERS - 1 - s : s;
            result r = {0, 0};
            if (which != NODE || node) r = run(which, w);
            value[which][i] = idle ? r.bytes : r.us;
        }
        for (s = 0; s < SERVERS; s++)
            ratio[s][i] = value[s][i] > 0 ? value[OURS][i] / value[s][i] : 0;
    }
    (void)printf("| %s | %d | %zu B |", w->what, w->n, w->payload);
    for (s = 0; s < SERVERS; s++) {
        double m = median(value[s], rounds);
        if (m > 0) {
            (void)printf(idle ? " %.0f B |" : " %.3f |", m);
        } else {
            (void)printf(" - |");
        }
    }
    for (s = 0; s < SERVERS; s++) {
        double m = median(ratio[s], rounds);
        if (s == OURS) continue;
        if (m > 0) {
            (void)printf(" **%.2f** (%.2f to %.2f) |", m, ratio[s][rounds / 4],
                         ratio[s][rounds * 3 / 4]);
        } else {
            (void)printf(" - |");
        }
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    static const work works[] = {
        {"fan-out", ROOM, 1000, 1, 1, false, 64},
        {"1 KiB of bytes", ROOM, 1000, 1, 1, true, 1024},
        {"bursts of 16", ROOM, 1000, 1, 16, false, 64},
        {"bursts of 64", ROOM, 1000, 1, 64, false, 64},
        {"64 publishers", ROOM, 1000, PUBLISHERS, 1, false, 64},
        {"echo", ECHO, 100, 0, 1, false, 64},
        {"polling", POLLED, 1000, 1, 1, false, 64},
        {"connect, default options", CONNECT, 1, 0, 1, false, 0},
        {"idle", IDLE, 5000, 0, 1, false, 0},
        {"idle, polling", IDLE_POLLED, 5000, 0, 1, false, 0},
    };
    int rounds = argc > 1 ? atoi(argv[1]) : 3;
    size_t k;
    struct rlimit lim;
    bool node = system("NODE_PATH=build/node/node_modules node -e 'require(\"socket.io\")' "
                       ">/dev/null 2>&1") == 0;
    if (rounds < 1 || rounds > 32) rounds = 3;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    if (!node) (void)printf("skipped: Node's socket.io is not there\n");
    (void)printf("CPU time of the server per event in us, medians of %d rounds%s\n\n", rounds,
                 own_network() ? "" : ", not in a network of its own");
    (void)setenv("WSHUB_LOG", "off", 1);
    pin(1);
    (void)printf("| work | number | data | raw | ours | Node | ours / raw | ours / Node |\n"
                 "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (k = 0; k < sizeof works / sizeof *works; k++) {
        if (argc <= 2 || strstr(works[k].what, argv[2])) report(&works[k], rounds, node);
    }
    return 0;
}
