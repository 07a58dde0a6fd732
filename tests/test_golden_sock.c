/* The reference's transcripts over real sockets against the fixture-server that lies beside this program, on each poller. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "test.h"
#include "fixture_app.h"
#include "golden.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct peer {
    int fd;
    text in;
    size_t at;
    bool ended;
} peer;

typedef struct world {
    const char *backend;
    pid_t pid;
    unsigned port;
    int status;
    peer peers[64];
} world;

/* The fixture's server, which lies beside this program. */
static char *server(void) {
    static char path[512];
    const char *slash = strrchr(test_program, '/');
    (void)snprintf(path, sizeof path, "%.*sfixture-server",
                   slash ? (int)(slash - test_program) + 1 : 0, test_program);
    return path;
}

static bool sock_start(void *ctx, int argc, char **argv) {
    world *w = (world *)ctx;
    int out[2], i;
    char *args[40], line[64] = "";
    size_t n = 0;
    for (i = 0; i < 64; i++) w->peers[i].fd = -1;
    args[0] = server();
    for (i = 1; i < argc; i++) args[i] = argv[i];
    args[i++] = (char *)(uintptr_t) "--backend";
    args[i++] = (char *)(uintptr_t)w->backend;
    args[i] = NULL;
    if (pipe(out) != 0) return false;
    w->pid = fork();
    if (w->pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(out[1], 1);
        if (!getenv("WSHUB_TEST_LOG")) (void)dup2(null, 2);
        (void)close(out[0]);
        (void)execv(args[0], args);
        _exit(127);
    }
    (void)close(out[1]);
    while (n < sizeof line - 1 && read(out[0], line + n, 1) == 1 && line[n] != '\n') n++;
    (void)close(out[0]);
    w->status = -1;
    return sscanf(line, "listening %u", &w->port) == 1;
}

static int sock_stop(void *ctx, bool by_signal) {
    world *w = (world *)ctx;
    int status = 0, i;
    /* the clients go first, so that nobody waits for them */
    for (i = 0; i < 64 && !by_signal; i++) {
        if (w->peers[i].fd >= 0) (void)shutdown(w->peers[i].fd, SHUT_RDWR);
    }
    if (w->pid > 0 && w->status < 0) {
        (void)kill(w->pid, SIGTERM);
        if (by_signal) return 0; /* what its clients see of it comes first */
        for (i = 0; i < 500 && waitpid(w->pid, &status, WNOHANG) == 0; i++) (void)usleep(10000);
        if (i == 500) {
            (void)kill(w->pid, SIGKILL);
            (void)waitpid(w->pid, &status, 0);
        }
        w->status = WIFEXITED(status) ? WEXITSTATUS(status) : 100;
    }
    for (i = 0; i < 64; i++) {
        if (w->peers[i].fd >= 0) (void)close(w->peers[i].fd);
        w->peers[i].fd = -1;
        free(w->peers[i].in.ptr);
        memset(&w->peers[i].in, 0, sizeof w->peers[i].in);
    }
    return w->status;
}

static bool sock_open(void *ctx, int slot) {
    world *w = (world *)ctx;
    peer *p = &w->peers[slot % 64];
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int one = 1;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)w->port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    p->ended = false;
    p->in.len = p->at = 0;
    return connect(p->fd, &a.any, sizeof a.in) == 0;
}
static void sock_write(void *ctx, int slot, const void *bytes, size_t n) {
    peer *p = &((world *)ctx)->peers[slot % 64];
    const char *at = (const char *)bytes;
    while (n && p->fd >= 0) {
        ssize_t k = send(p->fd, at, n, MSG_NOSIGNAL);
        if (k <= 0) return;
        at += k;
        n -= (size_t)k;
    }
}
static void sock_end(void *ctx, int slot) {
    peer *p = &((world *)ctx)->peers[slot % 64];
    if (p->fd >= 0) (void)close(p->fd);
    p->fd = -1;
    p->ended = true;
    (void)usleep(20000);
}
static void sock_receive(peer *p, int wait_ms) {
    struct pollfd f;
    char buf[65536];
    f.fd = p->fd;
    f.events = POLLIN;
    if (p->fd < 0 || p->ended) return;
    while (poll(&f, 1, wait_ms) == 1) {
        ssize_t n = recv(p->fd, buf, sizeof buf, 0);
        if (n <= 0) {
            p->ended = true;
            return;
        }
        text_add(&p->in, buf, (size_t)n);
        wait_ms = 0;
    }
}
static wshub_str sock_read(void *ctx, int slot, bool *ended) {
    peer *p = &((world *)ctx)->peers[slot % 64];
    wshub_str s;
    if (p->at == p->in.len) sock_receive(p, 0);
    s.ptr = p->in.ptr ? p->in.ptr + p->at : "";
    s.len = p->in.len - p->at;
    if (s.len) sock_receive(p, 0);
    s.ptr = p->in.ptr ? p->in.ptr + p->at : "";
    s.len = p->in.len - p->at;
    *ended = p->ended;
    return s;
}
static void sock_take(void *ctx, int slot, size_t n) {
    ((world *)ctx)->peers[slot % 64].at += n;
}
static void sock_pass(void *ctx, unsigned ms) {
    struct timespec t;
    (void)ctx;
    if (ms == 0) ms = 2; /* long enough for loopback */
    t.tv_sec = ms / 1000;
    t.tv_nsec = (long)(ms % 1000) * 1000000;
    (void)nanosleep(&t, NULL);
}

static golden player;
static char files[256][300];

static void play_all(const char *backend, int every) {
    static world w;
    golden_net net = {NULL,     sock_start, sock_stop, sock_open, sock_write,
                      sock_end, sock_read,  sock_take, sock_pass, false};
    size_t n = golden_files(files, 256), i;
    int count = 0;
    net.ctx = &w;
    w.backend = backend;
    for (i = 0; i < n; i++) {
        char *file;
        bool played;
        const char *why;
        if (i % (size_t)every) continue;
        if (getenv("WSHUB_TEST_FILE") && !strstr(files[i], getenv("WSHUB_TEST_FILE"))) continue;
        file = golden_load(files[i]);
        why = golden_play(&player, &net, file, &played);
        if (why) {
            (void)printf("  %s (%s): %s\n", files[i], backend, why);
            test_failures++;
        }
        count += played ? 1 : 0;
        free(file);
    }
    (void)printf("  %d transcripts over sockets on %s\n", count, backend);
}

TEST(transcripts_on_epoll) {
    if (access(server(), X_OK) != 0) SKIP("no fixture-server beside this program: make fixtures");
    play_all("epoll", 1);
}
TEST_WHOLE(transcripts_on_poll) {
    if (access(server(), X_OK) != 0) SKIP("no fixture-server beside this program: make fixtures");
    play_all("poll", 2);
}
TEST_WHOLE(transcripts_on_kqueue_over_its_shim) {
    if (access(server(), X_OK) != 0) SKIP("no fixture-server beside this program: make fixtures");
    play_all("kqueue", 2);
}
