/* A redis-server of the test's own, on loopback, started and killed as the test likes; and a
 * connection to tell it things. Skips aloud where redis-server is not installed. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct redis_server {
    pid_t pid;
    int port;
    char dir[64], url[96], unix_path[96];
    const char *extra[8]; /* further words of its command line */
} redis_server;

static bool redis_installed(void) {
    return system("command -v redis-server >/dev/null 2>&1") == 0;
}

static uint64_t real_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static void real_sleep(int ms) { /* in the place of another process's work, not of a hub's */
    (void)poll(NULL, 0, ms);
}

/* Below those that the system hands out: a port that is closed for a while is not taken by
 * somebody's outgoing connection, and a cluster's bus port, 10000 above, exists. */
static int free_port(void) {
    static int next;
    if (!next) next = 14000 + (int)getpid() % 900 * 10;
    for (;; next++) {
        union {
            struct sockaddr any;
            struct sockaddr_in in;
        } a;
        int fd = socket(AF_INET, SOCK_STREAM, 0), ok;
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        memset(&a, 0, sizeof a);
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons((uint16_t)next);
        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ok = bind(fd, &a.any, sizeof a.in) == 0;
        (void)close(fd);
        if (ok) return next++;
    }
}

static int tcp_open(int port) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, &a.any, sizeof a.in) == 0) return fd;
    (void)close(fd);
    return -1;
}

/* Sends inline commands, one a line, and returns what is answered to all of them within `ms`,
 * up to the answer that has `until` in it (NULL: the first). */
static const char *redis_tell(int port, const char *lines, const char *until, int ms) {
    static char answer[1 << 16];
    size_t n = 0;
    int fd = tcp_open(port);
    uint64_t end = real_ms() + (uint64_t)ms;
    answer[0] = 0;
    if (fd < 0) return answer;
    (void)!write(fd, lines, strlen(lines));
    (void)!write(fd, "\r\n", 2);
    while (real_ms() < end && n + 1 < sizeof answer) {
        struct pollfd p = {fd, POLLIN, 0};
        ssize_t k;
        if (poll(&p, 1, 10) <= 0) continue;
        k = read(fd, answer + n, sizeof answer - 1 - n);
        if (k <= 0) break;
        n += (size_t)k;
        answer[n] = 0;
        if (!until || strstr(answer, until)) break;
    }
    (void)close(fd);
    return answer;
}

static bool redis_ready(const redis_server *r, int ms) {
    uint64_t end = real_ms() + (uint64_t)ms;
    while (real_ms() < end) {
        const char *a = redis_tell(r->port, "PING", "\r\n", 200);
        if (strstr(a, "PONG") || strstr(a, "NOAUTH")) return true;
        real_sleep(5);
    }
    return false;
}

static void redis_spawn(redis_server *r) {
    char port[16];
    const char *argv[40];
    int n = 0, i;
    if (!r->port) {
        static int count;
        r->port = free_port();
        (void)snprintf(r->dir, sizeof r->dir, "build/redis-%d-%d", (int)getpid(), count++);
        (void)mkdir(r->dir, 0700);
        (void)snprintf(r->url, sizeof r->url, "redis://127.0.0.1:%d", r->port);
        (void)snprintf(r->unix_path, sizeof r->unix_path, "%s/redis.sock", r->dir);
    }
    (void)snprintf(port, sizeof port, "%d", r->port);
    argv[n++] = "redis-server";
    argv[n++] = "--port";
    argv[n++] = port;
    argv[n++] = "--bind";
    argv[n++] = "127.0.0.1";
    argv[n++] = "--dir";
    argv[n++] = r->dir;
    argv[n++] = "--unixsocket";
    argv[n++] = "redis.sock";
    argv[n++] = "--save";
    argv[n++] = "";
    argv[n++] = "--appendonly";
    argv[n++] = "no";
    for (i = 0; i < 8 && r->extra[i]; i++) argv[n++] = r->extra[i];
    argv[n] = NULL;
    r->pid = fork();
    if (r->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        {
            union {
                const char **from;
                char **to;
            } u;
            u.from = argv;
            (void)execvp("redis-server", u.to);
        }
        _exit(127);
    }
}

UNUSED static void redis_start(redis_server *r) {
    redis_spawn(r);
    EXPECT(redis_ready(r, 60000));
}

static void redis_kill(redis_server *r) { /* kill -9 */
    if (!r->pid) return;
    (void)kill(r->pid, SIGKILL);
    (void)waitpid(r->pid, NULL, 0);
    r->pid = 0;
}

static void redis_end(redis_server *r) {
    char rm[128];
    redis_kill(r);
    (void)snprintf(rm, sizeof rm, "rm -rf %s", r->dir);
    if (r->dir[0]) (void)!system(rm);
}

/* Waits until all three know each other and what they have. */
UNUSED static void redis_cluster_ok(const redis_server *s) {
    int i, k;
    for (i = 0; i < 3; i++) {
        for (k = 0;
             k < 6000 && !strstr(redis_tell(s[i].port, "CLUSTER INFO", "cluster_size:3", 100),
                                 "cluster_state:ok");
             k++)
            real_sleep(10);
    }
}

/* Starts a Cluster of three masters, a third of the slots each. s: three. */
UNUSED static void redis_cluster_start(redis_server *s) {
    char text[128];
    int i;
    memset(s, 0, 3 * sizeof *s);
    for (i = 0; i < 3; i++) {
        s[i].extra[0] = "--cluster-enabled";
        s[i].extra[1] = "yes";
        s[i].extra[2] = "--cluster-node-timeout";
        s[i].extra[3] = "15000";
        redis_start(&s[i]);
    }
    for (i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "CLUSTER ADDSLOTSRANGE %d %d", i * 5461,
                       i == 2 ? 16383 : i * 5461 + 5460);
        EXPECT_HAS(redis_tell(s[i].port, text, NULL, 60000), "OK");
        (void)snprintf(text, sizeof text, "CLUSTER MEET 127.0.0.1 %d", s[0].port);
        if (i) EXPECT_HAS(redis_tell(s[i].port, text, NULL, 60000), "OK");
    }
    redis_cluster_ok(s);
}
#endif
