/* make bench: CPU time of the server, that of ksoftirqd included, per delivered message of a
 * fan-out, per echoed message and per connection, beside a floor that does the same with bare
 * system calls: one send() for each receiver of one piece of a prepared log, which nobody who
 * sends on sockets gets below. The server and the load are processes of their own; hub and
 * floor take turns within one run, and the ratio is taken within each turn. Prints medians with
 * quartiles, and draws them.  build/bench [ROUNDS [PART [FILE.svg]]]       5 rounds; only the
 * works whose name contains PART */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "load.h"

/* One work. burst: messages in a turn; window: messages under way on each connection. */
/* ROOMS: a message to each of 100 rooms of ten a turn */
typedef enum kind { FAN, ROOMS, PUBLISH, ECHO, CONNECT } kind;
typedef struct work {
    const char *what;
    kind kind;
    int n, burst, window;
    size_t payload;
} work;

static uint64_t done;
static kind kind_now;
static int rooms_now; /* of ten members each; 0: none */
enum { SENT_ROOMS = 100 };
static size_t per_turn(const work *w) {
    return w->kind == ROOMS ? SENT_ROOMS * 10 : (size_t)w->n * (size_t)w->burst;
}

/* Connects all and says that it is ready. Returns what to wait on. */
static int load_open(uint16_t port, int n, int ready) {
    int ep = epoll_create1(0), i;
    for (i = 0; i < n; i++) {
        struct epoll_event e;
        fds[i] = dial(port);
        hello(fds[i]);
        memset(&e, 0, sizeof e);
        e.events = EPOLLIN;
        e.data.fd = fds[i];
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
    }
    if (write(ready, "r", 1) != 1) die("pipe");
    return ep;
}
static void publish(const char *frame, size_t n) {
    int i;
    for (i = 0; i < PUBLISHERS; i++) {
        if (send(fds[i], frame, n, MSG_NOSIGNAL) < 0) _exit(0);
    }
}

/* The load, until it is killed. What it reads it only counts. */
static void load(const work *w, uint16_t port, int ready) {
    static char buf[262144], frame[4096], frames[65536];
    size_t in = frame_of(frame, w->payload, "m", false),
           out = frame_of(frame, w->payload, "m", true), got = 0, k;
    size_t all = in * per_turn(w);
    int ep, i;
    for (k = 0; k < (size_t)w->window; k++) memcpy(frames + k * out, frame, out);
    if (w->kind == CONNECT) {
        if (write(ready, "r", 1) != 1) _exit(1);
        for (;;) {
            int fd = dial(port);
            hello(fd);
            (void)close(fd);
        }
    }
    ep = load_open(port, w->n, ready);
    if (w->kind == PUBLISH) publish(frame, out);
    for (i = 0; w->kind == ECHO && i < w->n; i++)
        (void)!send(fds[i], frames, out * (size_t)w->window, 0);
    for (;;) {
        struct epoll_event list[512];
        int count = epoll_wait(ep, list, 512, -1);
        for (i = 0; i < count; i++) {
            ssize_t r = recv(list[i].data.fd, buf, sizeof buf, MSG_DONTWAIT);
            if (r == 0) _exit(0);
            if (r < 0) continue;
            got += (size_t)r;
            /* whole ones: they are small */
            if (w->kind == ECHO)
                (void)!send(list[i].data.fd, frames, out * ((size_t)r / in), MSG_NOSIGNAL);
        }
        if (w->kind == ECHO || got < all) continue;
        got -= all;
        if (w->kind == PUBLISH)
            publish(frame, out);
        else if (write(ready, "d", 1) != 1)
            _exit(0);
    }
}

/* ---- the hub ---- */
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
    done++;
    return kind_now == ECHO ? wshub_client_send(hub, c, &m)
                            : wshub_room_send_here(hub, wshub_str_z("ws-default"), &m, NULL, 0);
}
static wshub_err connected(wshub *hub, wshub_client c, void *user) {
    static int count;
    char name[16];
    (void)user;
    if (!rooms_now) return WSHUB_OK;
    (void)snprintf(name, sizeof name, "r%d", count++ % rooms_now);
    return wshub_client_join(hub, c, wshub_str_z(name));
}
static void gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    (void)g;
    (void)user;
    if (kind_now == CONNECT) done++;
}

static void wait_byte(int fd, wshub_io_sock *net) { /* serving meanwhile */
    char c;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    while (read(fd, &c, 1) != 1) {
        if (net) (void)wshub_io_sock_run_once(net, 0);
    }
}

/* How often which of the two measured so far: CPU per unit, in us. */
static double hub_run(const work *w, double seconds) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    int ready[2], b;
    pid_t pid;
    double spent = 0, until, c0, soft;
    uint64_t count = 0;
    unsigned turn = 0;
    char *data = (char *)malloc(w->payload + 3);
    wshub_msg m;
    memset(data, 'x', w->payload + 2);
    data[0] = data[w->payload + 1] = '"';
    m.event = wshub_str_z("m");
    m.data.ptr = data;
    m.data.len = w->payload + 2;
    m.data_is_json = true;
    kind_now = w->kind;
    rooms_now = w->kind == ROOMS ? w->n / 10 : 0;
    if (pipe(ready) || wshub_io_auto_create(NULL, &net) ||
        wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                   .on_authenticate = yes,
                                   .on_message = answer,
                                   .on_connected = connected,
                                   .on_disconnected = gone,
                                   .backpressure_bytes_max = 1u << 30},
                     &hub) ||
        wshub_io_sock_listen(net, "127.0.0.1", 0, &port)) {
        die("server");
    }
    pid = fork();
    if (pid == 0) load(w, port, ready[1]);
    wait_byte(ready[0], net);
    soft = soft_cpu();
    done = 0;
    until = wall() + seconds * 1e6;
    c0 = cpu();
    while (wall() < until) {
        if (w->kind == FAN || w->kind == ROOMS) {
            char c;
            static char names[SENT_ROOMS][16];
            size_t len[SENT_ROOMS];
            for (b = 0; b < SENT_ROOMS && rooms_now; b++)
                len[b] =
                    (size_t)snprintf(names[b], 16, "r%d",
                                     (int)((turn * 31 + (unsigned)b * 7) % (unsigned)rooms_now));
            turn++;
            c0 = cpu();
            for (b = 0; b < SENT_ROOMS && rooms_now; b++) {
                wshub_str name;
                name.ptr = names[b];
                name.len = len[b];
                (void)wshub_room_send_here(hub, name, &m, NULL, 0);
            }
            for (b = 0; b < w->burst && !rooms_now; b++)
                (void)wshub_room_send_here(hub, wshub_str_z("ws-default"), &m, NULL, 0);
            (void)wshub_io_sock_run_once(net, 0);
            spent += cpu() - c0;
            count += per_turn(w);
            /* what the kernel did not take at once */
            while (read(ready[0], &c, 1) != 1) (void)wshub_io_sock_run_once(net, 0);
        } else {
            (void)wshub_io_sock_run_once(net, 1);
        }
    }
    if (w->kind > ROOMS) {
        spent = cpu() - c0;
        count = done * (w->kind == PUBLISH ? (uint64_t)w->n : 1);
    }
    spent += soft_cpu() - soft;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    (void)close(ready[0]);
    (void)close(ready[1]);
    free(data);
    return spent / (double)count;
}

/* ---- the floor: the same bytes by bare system calls ---- */
static int out[MAX];
static void give(int fd, const char *bytes, size_t n) { /* waits where the hub would keep it */
    while (n) {
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);
        if (k < 0 && errno != EAGAIN) return;
        if (k > 0) bytes += k, n -= (size_t)k;
    }
}
static double floor_run(const work *w, double seconds) {
    static const char welcome[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
        "Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        "\x81\x7e\0\x9c{\"event\":\"connected\",\"data\":{\"id\":\"01234567-0123-0123-0123-"
        "0123456789ab\",\"rooms\":[\"ws-default\",\"ws-notification\"],\"time\":\"2026-01-31T09:30:"
        "00.000Z\"}}";
    static char buf[262144], log[65536], frame[4096];
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    socklen_t len = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ready[2], i, b, one = 1,
        ep = epoll_create1(0), count_out = 0;
    pid_t pid;
    double spent = 0, until, c0, soft;
    uint64_t count = 0;
    unsigned turn = 0;
    char c;
    size_t size = frame_of(frame, w->payload, "m", false),
           asked = frame_of(frame, w->payload, "m", true);
    struct epoll_event e;
    bool measuring = false;
    (void)frame_of(frame, w->payload, "m", false);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(l, &a.any, sizeof a.in) || listen(l, 4096) || getsockname(l, &a.any, &len) ||
        pipe(ready))
        die("floor");
    (void)setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited */
    memset(&e, 0, sizeof e);
    e.events = EPOLLIN;
    e.data.fd = l;
    (void)epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
    for (b = 0; (size_t)(b + 1) * size <= sizeof log && b < 256; b++)
        memcpy(log + (size_t)b * size, frame, size);
    pid = fork();
    if (pid == 0) load(w, ntohs(a.in.sin_port), ready[1]);
    (void)fcntl(ready[0], F_SETFL, O_NONBLOCK);
    until = 0;
    c0 = soft = 0;
    for (;;) {
        struct epoll_event list[512];
        int k, messages = 0;
        if (!measuring && read(ready[0], &c, 1) == 1) {
            measuring = true;
            soft = soft_cpu();
            until = wall() + seconds * 1e6;
            c0 = cpu();
        }
        if (measuring && wall() >= until) break;
        if (measuring && w->kind <= ROOMS) {
            c0 = cpu();
            for (b = 0; b < SENT_ROOMS && w->kind == ROOMS; b++) {
                for (i = (int)((turn * 31 + (unsigned)b * 7) % (unsigned)(w->n / 10)); i < w->n;
                     i += w->n / 10)
                    give(out[i], log, size);
            }
            turn++;
            for (i = 0; i < w->n && w->kind == FAN; i++) give(out[i], log, size * (size_t)w->burst);
            spent += cpu() - c0;
            count += per_turn(w);
            while (read(ready[0], &c, 1) != 1) {
            }
            continue;
        }
        k = epoll_wait(ep, list, 512, 1);
        for (i = 0; i < k; i++) {
            int fd = list[i].data.fd;
            ssize_t r;
            if (fd == l) {
                while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    if (count_out < MAX) out[count_out++ % MAX] = fd;
                    e.data.fd = fd;
                    (void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
                }
                continue;
            }
            r = recv(fd, buf, sizeof buf, 0);
            if (r <= 0) {
                if (r == 0 && w->kind == CONNECT) {
                    (void)close(fd);
                    count += measuring;
                    count_out = 0;
                }
                continue;
            }
            if (buf[0] == 'G') {
                give(fd, welcome, sizeof welcome - 1);
                continue;
            }
            messages += (int)((size_t)r / asked);
            if (w->kind == ECHO) give(fd, log, size * ((size_t)r / asked));
        }
        if (w->kind == PUBLISH && messages) {
            for (i = 0; i < w->n; i++) give(out[i], log, size * (size_t)messages);
        }
        if (measuring && w->kind != CONNECT)
            count += (uint64_t)messages * (w->kind == PUBLISH ? (uint64_t)w->n : 1);
    }
    if (w->kind > ROOMS) spent = cpu() - c0;
    spent += soft_cpu() - soft;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    for (i = 0; i < count_out; i++) (void)close(out[i]);
    (void)close(l);
    (void)close(ep);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return spent / (double)count;
}

/* ---- the picture: a bar for each ratio, its quartiles, and the floor as a line ---- */
static struct {
    const char *what;
    int n;
    size_t payload;
    double ratio, q1, q3;
} drawn[64];
static int drawn_count;
static void draw(const char *path) {
    FILE *f = fopen(path, "w");
    int i, height = 40 + 22 * drawn_count;
    if (!f) die(path);
    (void)fprintf(f,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"%d\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"760\" height=\"%d\" "
                  "fill=\"#fff\"/>\n",
                  height, height);
    (void)fprintf(f, "<text x=\"10\" y=\"18\" font-size=\"14\">CPU time of wshub per message; 1.0: "
                     "bare send() of the same bytes</text>\n");
    for (i = 0; i < drawn_count; i++) {
        int y = 34 + 22 * i;
        double scale = 220, x = 310;
        (void)fprintf(f,
                      "<text x=\"%g\" y=\"%d\" text-anchor=\"end\">%s, %d, %zu B</text><rect "
                      "x=\"%g\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"#4a7fb5\"/>",
                      x - 8, y + 11, drawn[i].what, drawn[i].n, drawn[i].payload, x, y,
                      drawn[i].ratio * scale);
        (void)fprintf(f,
                      "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#222\"/><text "
                      "x=\"%.1f\" y=\"%d\">%.2f</text>\n",
                      x + drawn[i].q1 * scale, x + drawn[i].q3 * scale, y + 7, y + 7,
                      x + drawn[i].q3 * scale + 6, y + 11, drawn[i].ratio);
    }
    (void)fprintf(f,
                  "<line x1=\"530\" x2=\"530\" y1=\"28\" y2=\"%d\" stroke=\"#c33\" "
                  "stroke-dasharray=\"4 3\"/>\n</svg>\n",
                  height - 6);
    (void)fclose(f);
}

static void row(const work *w, int rounds) {
    double hub[64], bare[64], ratio[64], q1, q3, r;
    int i;
    for (i = 0; i < rounds && i < 64; i++) {
        double s = w->n > 1000 ? 1.0 : 0.6;
        if (i % 2) {
            hub[i] = hub_run(w, s);
            bare[i] = floor_run(w, s);
        } else {
            bare[i] = floor_run(w, s);
            hub[i] = hub_run(w, s);
        }
        ratio[i] = hub[i] / bare[i];
    }
    r = median(ratio, rounds);
    q1 = ratio[rounds / 4];
    q3 = ratio[rounds * 3 / 4];
    drawn[drawn_count].what = w->what;
    drawn[drawn_count].n = w->n;
    drawn[drawn_count].payload = w->payload;
    drawn[drawn_count].ratio = r;
    drawn[drawn_count].q1 = q1;
    drawn[drawn_count++].q3 = q3;
    (void)printf("| %-24s | %6d | %5zu B | %8.3f us | %8.3f us | %5.2f (%.2f to %.2f) |\n", w->what,
                 w->n, w->payload, median(hub, rounds), median(bare, rounds), r, q1, q3);
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    /* clang-format off */
    static const work works[] = {
        {"fan-out", FAN, 10, 1, 1, 64}, {"fan-out", FAN, 100, 1, 1, 64},
        {"fan-out", FAN, 1000, 1, 1, 64}, {"fan-out", FAN, MAX, 1, 1, 64},
        {"fan-out", FAN, 100, 1, 1, 1024}, {"fan-out", FAN, 1000, 1, 1, 1024},
        {"fan-out", FAN, MAX, 1, 1, 1024}, {"100 of 100 rooms of ten", ROOMS, 1000, 1, 1, 64},
        {"100 of 1,000 rooms of ten", ROOMS, MAX, 1, 1, 64},
        {"bursts of 16", FAN, 1000, 16, 1, 64}, {"bursts of 16", FAN, 1000, 16, 1, 1024},
        {"bursts of 64", FAN, 1000, 64, 1, 64}, {"bursts of 256", FAN, 1000, 256, 1, 64},
        {"64 publishers", PUBLISH, 1000, PUBLISHERS, 1, 64},
        {"64 publishers", PUBLISH, 100, PUBLISHERS, 1, 64}, {"echo", ECHO, 100, 1, 1, 64},
        {"echo, ten under way", ECHO, 100, 1, 10, 64},
        {"connect, join, leave", CONNECT, 1, 1, 1, 64},
    };
    /* clang-format on */
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    size_t i;
    struct rlimit lim;
    if (rounds < 1 || rounds > 64) rounds = 5;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    (void)printf(
        "CPU time of the server per message, median of %d rounds, hub and floor in turn%s\n\n",
        rounds, own_network() ? "" : "; not in a network of its own, so the figures may jump");
    (void)printf("| work                     | number |    data |      wshub |      floor | ratio "
                 "(quartiles)    |\n| --- | --- | --- | --- | --- | --- |\n");
    for (i = 0; i < sizeof works / sizeof *works; i++) {
        if (argc > 2 && !strstr(works[i].what, argv[2])) continue;
        if ((rlim_t)works[i].n + 100 > lim.rlim_cur) {
            (void)printf("%d clients skipped: the limit on open files is %lu\n", works[i].n,
                         (unsigned long)lim.rlim_cur);
            continue;
        }
        row(&works[i], rounds);
    }
    if (argc > 3) draw(argv[3]);
    return 0;
}
