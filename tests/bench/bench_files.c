/* make bench-files: the same files by wshub (backends/wshub_ext_files.h) and by nginx, where it is
 * there, each one process on one core: CPU time of the server per answer, over loopback, on
 * connections that are kept, in turns of a second, the ratio taken within each.
 * build/bench_files [ROUNDS [FILE]]     5 rounds; of one file alone: 1k.bin, 64k.bin, 1m.bin */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_files.h"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "load.h"

enum { CONNS = 16, SERVERS = 2 };
static char folder[] = "/tmp/bench_files_XXXXXX";

static void serve(uint16_t port) {
    wshub_io_sock *net;
    wshub_ext_files *files;
    wshub *hub;
    if (wshub_io_auto_create(NULL, &net) ||
        wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net), .no_dialect = true}, &hub) ||
        wshub_ext_files_create(&(wshub_ext_files_desc){.folder = folder}, &files) ||
        wshub_ext_files_mount(files, hub) || wshub_io_sock_listen(net, "127.0.0.1", port, NULL))
        _exit(1);
    (void)wshub_io_sock_run(net);
    _exit(0);
}

static void serve_nginx(uint16_t port) {
    char conf[128];
    FILE *f;
    (void)snprintf(conf, sizeof conf, "%s/nginx.conf", folder);
    f = fopen(conf, "w");
    if (!f) die("nginx.conf");
    (void)fprintf(f,
                  "daemon off; master_process off; pid %s/nginx.pid; error_log /dev/null;\n"
                  "events { worker_connections 256; }\n"
                  "http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;\n"
                  "  keepalive_requests 1000000000; client_body_temp_path %s/t;\n"
                  "  proxy_temp_path %s/t; fastcgi_temp_path %s/t; uwsgi_temp_path %s/t;\n"
                  "  scgi_temp_path %s/t;\n"
                  "  server { listen 127.0.0.1:%u; root %s; } }\n",
                  folder, folder, folder, folder, folder, folder, (unsigned)port, folder);
    (void)fclose(f);
    (void)execlp("nginx", "nginx", "-c", conf, "-p", folder, (char *)NULL);
    _exit(127);
}

/* 0: it does not come up. */
static pid_t start(int which, uint16_t *port) {
    pid_t pid;
    int i, fd;
    *port = free_port();
    pid = fork();
    if (pid == 0) {
        pin(0);
        if (which) serve_nginx(*port);
        serve(*port);
    }
    for (i = 0; i < 300; i++) {
        (void)usleep(10000);
        if (waitpid(pid, NULL, WNOHANG) == pid) return 0;
        fd = try_dial(*port, false);
        if (fd < 0) continue;
        (void)close(fd);
        return pid;
    }
    return 0;
}

/* Reads one answer, of whose body we know the length. */
static void read_answer(int fd, size_t body) {
    static char buf[1 << 18];
    size_t n = 0, head = 0;
    while (!head || n < head + body) {
        size_t room = sizeof buf - (head ? 0 : n);
        ssize_t k = recv(fd, buf + (head ? 0 : n), room, 0);
        if (k <= 0) die("recv");
        n += (size_t)k;
        if (!head) {
            const char *end = (const char *)memmem(buf, n, "\r\n\r\n", 4);
            if (memcmp(buf, "HTTP/1.1 200", 12) != 0) die("not 200");
            if (end) head = (size_t)(end - buf) + 4;
        }
    }
    if (n != head + body) die("more than was asked for");
}

/* CPU time of the server per answer, in us, over a second. */
static double run(pid_t pid, const int *conns, const char *name, size_t body) {
    char text[100];
    double until = wall() + 1e6, before = cpu_of(pid);
    unsigned count = 0;
    int i, n = snprintf(text, sizeof text, "GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", name);
    while (wall() < until) {
        for (i = 0; i < CONNS; i++) {
            if (send(conns[i], text, (size_t)n, MSG_NOSIGNAL) != n) die("send");
        }
        for (i = 0; i < CONNS; i++) read_answer(conns[i], body);
        count += CONNS;
    }
    return (cpu_of(pid) - before) / count;
}

static void file_of(const char *name, size_t bytes) {
    char path[100], *text = (char *)malloc(bytes);
    FILE *f;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "wb");
    if (!f || !text) die(path);
    memset(text, 'x', bytes);
    if (fwrite(text, 1, bytes, f) != bytes || fclose(f)) die(path);
    free(text);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        size_t bytes;
    } files[] = {{"1k.bin", 1024}, {"64k.bin", 65536}, {"1m.bin", 1 << 20}};
    int rounds = argc > 1 ? atoi(argv[1]) : 5, conns[SERVERS][CONNS], which, round, i;
    pid_t pids[SERVERS];
    uint16_t port;
    size_t f;
    if (rounds < 1 || rounds > 100) return 2;
    if (!mkdtemp(folder)) die(folder);
    for (f = 0; f < sizeof files / sizeof files[0]; f++) file_of(files[f].name, files[f].bytes);
    (void)own_network();
    for (which = 0; which < SERVERS; which++) {
        pids[which] = start(which, &port);
        if (!pids[which] && !which) die("wshub does not come up");
        if (!pids[which]) (void)printf("nginx is not there\n");
        for (i = 0; pids[which] && i < CONNS; i++) conns[which][i] = dial(port);
    }
    pin(1);
    for (f = 0; f < sizeof files / sizeof files[0]; f++) {
        double us[SERVERS][100], ratio[100];
        if (argc > 2 && strcmp(argv[2], files[f].name) != 0) continue;
        for (round = 0; round < rounds; round++) {
            for (which = 0; which < SERVERS; which++) {
                if (pids[which])
                    us[which][round] =
                        run(pids[which], conns[which], files[f].name, files[f].bytes);
            }
            ratio[round] = pids[1] ? us[0][round] / us[1][round] : 0;
        }
        (void)printf("%-8s wshub %8.2f us", files[f].name, median(us[0], rounds));
        if (pids[1])
            (void)printf("   nginx %8.2f us   ratio %.2f", median(us[1], rounds),
                         median(ratio, rounds));
        (void)printf("\n");
    }
    for (which = 0; which < SERVERS; which++) {
        if (pids[which]) (void)kill(pids[which], SIGTERM);
    }
    return 0;
}
