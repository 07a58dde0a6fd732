/* make bench-tls_peers: TLS of ours by OpenSSL, beside others, with one key (P-256) for all: a
 * message of 1 KiB to members over wss, beside Bun; whole handshakes, none of which resumes
 * another, beside `openssl s_server`; memory of an idle client, beside Bun and nginx. CPU time of
 * the server's process and of ksoftirqd; the load, a process of its own, has the other core.
 *     build/bench_tls_peers [ROUNDS [PART]]   9 rounds, servers in turn, the ratio within each
 * Bun is looked for in build/node (npm install --prefix build/node bun), then on the path. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "load.h"
#ifndef WITH_OPENSSL
int main(void) {
    (void)printf("bench-tls_peers: skipped: OpenSSL is not installed\n");
    return 0;
}
#else
#include "wshub_io_openssl.h"
#define UNUSED __attribute__((unused))
#include "../tls_certs.h"
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

typedef enum kind { ROOM, HANDSHAKE, IDLE } kind;
typedef enum server { WSHUB, BUN, S_SERVER, NGINX, SERVERS } server;
typedef struct work {
    const char *what;
    kind kind;
    int n;
} work;
enum { DATA = 1000 }; /* bytes of a message's data; with what stands around it nearly 1 KiB */

static const char *bun;
static char dir[] = "/tmp/wshub-bench-XXXXXX", cert[64], key[64], conf[64];
static SSL_CTX *ctx;
static SSL *ssl[MAX];

static void file_make(char *path, const char *name, const char *text) {
    FILE *f;
    (void)snprintf(path, 64, "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) die(path);
}

/* ---- the servers ---- */
static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, NULL);
}
static wshub_err answer(wshub *hub, wshub_client c, const wshub_event *e, void *user) {
    wshub_msg m;
    (void)c;
    (void)user;
    m.event = e->event;
    m.data = e->data;
    m.data_is_json = true;
    return wshub_room_send_here(hub, wshub_str_z("ws-default"), &m, NULL, 0);
}
static void serve(uint16_t port, const char *with, const char *by) {
    wshub_tls_pair pair = {.cert = with, .key = by};
    wshub_io_tls_desc d = {.pairs = &pair, .pairs_count = 1};
    wshub_io_sock *net;
    wshub_io_tls *tls;
    wshub *hub;
    char why[200];

    if (wshub_io_auto_create(NULL, &net)) _exit(1);
    d.io = wshub_io_sock_io(net);
    if (wshub_io_openssl_create(&d, &tls, why, sizeof why) ||
        wshub_create(&(wshub_desc){.io = wshub_io_tls_io(tls),
                                   .on_authenticate = yes,
                                   .on_message = answer,
                                   .no_log = true},
                     &hub) ||
        wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        _exit(1);
    (void)wshub_io_sock_run(net);
    _exit(0);
}

/* In the child: becomes the server. */
static void become(server which, uint16_t port) {
    char number[8], text[900];
    int none = open("/dev/null", O_RDWR);

    pin(0);
    (void)snprintf(number, sizeof number, "%u", (unsigned)port);
    if (which == WSHUB) /* a program of its own: its memory is not what the load has freed */
        (void)execl("/proc/self/exe", "bench_tls_peers", "serve", number, cert, key, (char *)NULL);
    (void)dup2(none, 1);
    (void)dup2(none, 2);
    if (which == BUN)
        (void)execlp(bun, bun, "tests/bench/peer_bun.ts", number, "room", cert, key, (char *)NULL);
    if (which == S_SERVER) {
        (void)execlp("openssl", "openssl", "s_server", "-quiet", "-accept", number, "-cert", cert,
                     "-cert_chain", cert, "-key", key, (char *)NULL);
    }
    (void)snprintf(text, sizeof text,
                   "daemon off; master_process off; pid %s/pid; error_log /dev/null;\n"
                   "worker_rlimit_nofile 20000; events { worker_connections 12000; }\n"
                   "http { access_log off; keepalive_timeout 600; server {\n"
                   "listen 127.0.0.1:%s ssl; ssl_certificate %s; ssl_certificate_key %s;\n"
                   "location / { return 200 'ok'; } } }\n",
                   dir, number, cert, key);
    file_make(conf, "nginx.conf", text);
    (void)execlp("nginx", "nginx", "-c", conf, "-p", dir, (char *)NULL);
    _exit(127);
}
static bool there(server which, kind for_what) {
    if (which == BUN) return bun && for_what != HANDSHAKE;
    if (which == S_SERVER) return for_what == HANDSHAKE;
    if (which == NGINX) return for_what == IDLE && system("command -v nginx >/dev/null") == 0;
    return true;
}
static pid_t start(server which, uint16_t *port) {
    pid_t pid;
    int i, fd;

    *port = free_port();
    pid = fork();
    if (pid == 0) become(which, *port);
    for (i = 0; i < 3000; i++) {
        (void)usleep(10000);
        if (waitpid(pid, NULL, WNOHANG) == pid) die("a server ended");
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

/* ---- the load ---- */
static SSL *shake(uint16_t port, int *out_fd) {
    SSL *s = SSL_new(ctx);

    *out_fd = dial(port);
    if (!s || SSL_set_fd(s, *out_fd) != 1 || SSL_connect(s) != 1) die("handshake");
    return s;
}
/* Asks and reads until the answer ends as it should. */
static void greet(SSL *s, const char *text, size_t n, const char *want, char last) {
    char buf[4096];
    size_t got = 0;

    if (SSL_write(s, text, (int)n) != (int)n) die("write");
    for (;;) {
        int k = SSL_read(s, buf + got, (int)(sizeof buf - got));
        if (k <= 0) die("hello");
        got += (size_t)k;
        if (memmem(buf, got, want, strlen(want)) && buf[got - 1] == last) return;
    }
}
static void open_all(server which, uint16_t port, int n) {
    static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    int i;

    for (i = 0; i < n; i++) {
        ssl[i] = shake(port, &fds[i]);
        if (which == NGINX)
            greet(ssl[i], get, sizeof get - 1, "\r\n\r\nok", 'k');
        else
            greet(ssl[i], upgrade, sizeof upgrade - 1, "\"connected\"", '}');
    }
}
static void close_all(int n) {
    int i;

    for (i = 0; i < n; i++) {
        SSL_free(ssl[i]);
        (void)close(fds[i]);
    }
}

/* Waits until a member has so much to read, and is not there to be woken: waking somebody is paid
 * for by who sends, and how often that is depends on the order in which a server sends. */
static void have(int fd, size_t bytes) {
    int there = 0, naps = 0;

    while (ioctl(fd, FIONREAD, &there) == 0 && (size_t)there < bytes) {
        if (naps++ > 20000) die("silence");
        (void)usleep(500);
    }
}
/* One message after the other, each heard by all before the next is said. Returns how many were
 * delivered. */
static uint64_t talk(const work *w, double seconds) {
    static char frame[4096], buf[65536];
    size_t in = frame_of(frame, DATA, "m", false), out = frame_of(frame, DATA, "m", true);
    double until = wall() + seconds * 1e6;
    uint64_t units = 0;
    int i;

    while (wall() < until || !units) {
        if (SSL_write(ssl[0], frame, (int)out) != (int)out) die("write");
        for (i = 0; i < w->n; i++) {
            size_t got = 0;
            have(fds[i], in);
            while (got < in) {
                int k = SSL_read(ssl[i], buf, (int)(in - got));
                if (k <= 0) die("read");
                got += (size_t)k;
            }
        }
        units += (uint64_t)w->n;
    }
    return units;
}
static uint64_t shakes(uint16_t port, double seconds) {
    double until = wall() + seconds * 1e6;
    uint64_t units = 0;

    while (wall() < until || !units) {
        int fd;
        SSL *s = shake(port, &fd);
        (void)SSL_shutdown(s);
        SSL_free(s);
        (void)close(fd);
        units++;
    }
    return units;
}

/* Microseconds of a unit, or bytes of a client. */
static double run(server which, const work *w) {
    uint16_t port;
    pid_t pid = start(which, &port);
    int open = w->kind == HANDSHAKE ? 0 : w->n;
    double begun, soft, us;
    uint64_t units;

    if (w->kind == IDLE) open_all(which, port, 10); /* what it keeps once */
    if (w->kind == IDLE) close_all(10);
    begun = resident(pid);
    open_all(which, port, open);
    if (w->kind == IDLE) {
        us = (resident(pid) - begun) / w->n;
    } else {
        (void)(w->kind == ROOM ? talk(w, 0.2) : shakes(port, 0.2)); /* warm */
        begun = cpu_of(pid);
        soft = soft_cpu();
        units = w->kind == ROOM ? talk(w, 0.8) : shakes(port, 0.8);
        us = (cpu_of(pid) - begun + soft_cpu() - soft) / (double)units;
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    close_all(open);
    return us;
}

static void row(const work *w, int rounds) {
    static const char *const names[] = {"wshub", "Bun", "openssl s_server", "nginx"};
    double of[SERVERS][64], ratio[SERVERS][64];
    int i, s;

    for (i = 0; i < rounds; i++) {
        for (s = 0; s < SERVERS; s++) {
            server which = (server)(i % 2 ? SERVERS - 1 - s : s);
            if (there(which, w->kind)) of[which][i] = run(which, w);
        }
        for (s = 0; s < SERVERS; s++) ratio[s][i] = of[WSHUB][i] / of[s][i];
    }

    (void)printf("%s, %d: wshub %.1f %s", w->what, w->n, median(of[WSHUB], rounds),
                 w->kind == IDLE ? "B" : "us");
    for (s = 1; s < SERVERS; s++) {
        double m;
        if (!there((server)s, w->kind)) continue;
        m = median(ratio[s], rounds);
        (void)printf("; %s %.1f, we are %.2f of it (%.2f to %.2f)", names[s], median(of[s], rounds),
                     m, ratio[s][rounds / 4], ratio[s][rounds * 3 / 4]);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    static const work works[] = {{"1 KiB over wss to a hundred", ROOM, 100},
                                 {"1 KiB over wss to a thousand", ROOM, 1000},
                                 {"a whole handshake", HANDSHAKE, 1},
                                 {"an idle client", IDLE, 500}};
    int rounds = argc > 1 ? atoi(argv[1]) : 9;
    struct rlimit lim;
    size_t i;

    if (argc == 5 && strcmp(argv[1], "serve") == 0)
        serve((uint16_t)atoi(argv[2]), argv[3], argv[4]);
    if (rounds < 1 || rounds > 64) rounds = 9;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    bun = system("build/node/node_modules/.bin/bun --version >/dev/null 2>&1") == 0
              ? "build/node/node_modules/.bin/bun"
          : system("bun --version >/dev/null 2>&1") == 0 ? "bun"
                                                         : NULL;
    if (!bun) (void)printf("skipped: Bun is not there\n");
    if (!mkdtemp(dir)) die(dir);
    file_make(cert, "cert.pem", tls_server_cert);
    file_make(key, "key.pem", tls_server_key);
    ctx = SSL_CTX_new(TLS_client_method()); /* it offers no session, so none is resumed */

    (void)printf("medians of %d rounds and quartiles of the ratio%s\n", rounds,
                 own_network() ? "" : ", not in a network of its own");
    pin(1);
    for (i = 0; i < sizeof works / sizeof *works; i++) {
        if (argc <= 2 || strstr(works[i].what, argv[2])) row(&works[i], rounds);
    }
    (void)unlink(cert);
    (void)unlink(key);
    (void)unlink(conf);
    (void)rmdir(dir);
    return 0;
}
#endif
