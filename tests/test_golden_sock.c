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
#ifdef __linux__
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#endif
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
    unsigned port;
    bool ended;
    bool unread; /* the server may not have read what it has said */
    bool paused; /* nor did it when that was waited for */
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
    for (i = 0; i < 64; i++) {
        w->peers[i].fd = -1;
        w->peers[i].unread = false;
    }
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

#ifdef __linux__
/* What the kernel knows of the server's end of one connection: asked for it alone, since a walk
 * through /proc/net/tcp passes all that other tests have left behind. False: it does not say. */
static bool sock_asked(const world *w, const peer *p, struct inet_diag_msg *told) {
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 ask;
    } out;
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } in;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    ssize_t n = -1;

    memset(&out, 0, sizeof out);
    out.head.nlmsg_len = sizeof out;
    out.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    out.head.nlmsg_flags = NLM_F_REQUEST;
    out.ask.sdiag_family = AF_INET;
    out.ask.sdiag_protocol = IPPROTO_TCP;
    out.ask.idiag_states = UINT32_MAX;
    out.ask.id.idiag_sport = htons((uint16_t)w->port);
    out.ask.id.idiag_dport = htons((uint16_t)p->port);
    out.ask.id.idiag_src[0] = out.ask.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
    out.ask.id.idiag_cookie[0] = out.ask.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

    if (fd >= 0 && send(fd, &out, sizeof out, 0) == (ssize_t)sizeof out)
        n = recv(fd, &in, sizeof in, 0);
    if (fd >= 0) (void)close(fd);
    if (n < (ssize_t)NLMSG_LENGTH(sizeof *told) || in.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    memcpy(told, in.bytes + NLMSG_HDRLEN, sizeof *told);
    return true;
}
#endif

/* Has the server taken what a peer has said? Its end of the connection is accepted and has nothing
 * unread, or, where the peer has gone, it is gone, too. Where the kernel does not tell: yes. */
static bool sock_heard(const world *w, const peer *p) {
#ifdef __linux__
    struct inet_diag_msg t;

    if (!sock_asked(w, p, &t)) return true;
    if (t.idiag_state == 1 || t.idiag_state == 3 || t.idiag_state == 8)
        /* open, being opened, or half closed by us */
        return p->fd >= 0 && t.idiag_inode && !t.idiag_rqueue;
#else
    (void)w;
    (void)p;
#endif
    return true;
}

/* What one says or does comes before what another does next, however slow the server is. Who is not
 * read on purpose is waited for once. */
static void sock_settle(world *w, int but) {
    int i, k;

    for (i = 0; i < 64; i++) {
        peer *p = &w->peers[i];
        if (i == but || !p->unread || p->paused) continue;
        for (k = 0; k < 60 && !sock_heard(w, p); k++) (void)usleep(k < 20 ? 1000 : 12000);
        p->unread = false;
        p->paused = k == 60; /* half a second */
    }
}

static int sock_stop(void *ctx, bool by_signal) {
    world *w = (world *)ctx;
    int status = 0, i;
    /* the clients go first, so that nobody waits for them */
    for (i = 0; i < 64 && !by_signal; i++) {
        if (w->peers[i].fd >= 0) (void)shutdown(w->peers[i].fd, SHUT_RDWR);
    }
    if (w->pid > 0 && w->status < 0) {
        if (by_signal) sock_settle(w, -1);
        (void)kill(w->pid, SIGTERM);
        if (by_signal) return 0; /* what its clients see of it comes first */
        for (i = 0; i < 6000 && waitpid(w->pid, &status, WNOHANG) == 0; i++) (void)usleep(10000);
        if (i == 6000) {
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
    socklen_t len = sizeof a;
    int one = 1;
    sock_settle(w, slot % 64);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)w->port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    p->ended = false;
    p->in.len = p->at = 0;
    p->unread = true;
    p->paused = false;
    if (connect(p->fd, &a.any, sizeof a.in) != 0) return false;
    if (getsockname(p->fd, &a.any, &len) == 0) p->port = ntohs(a.in.sin_port);
    return true;
}
static void sock_write(void *ctx, int slot, const void *bytes, size_t n) {
    peer *p = &((world *)ctx)->peers[slot % 64];
    const char *at = (const char *)bytes;
    sock_settle((world *)ctx, slot % 64);
    p->unread = true;
    while (n && p->fd >= 0) {
        ssize_t k = send(p->fd, at, n, MSG_NOSIGNAL);
        if (k <= 0) return;
        at += k;
        n -= (size_t)k;
    }
}
static void sock_end(void *ctx, int slot) {
    peer *p = &((world *)ctx)->peers[slot % 64];
    sock_settle((world *)ctx, -1);
    if (p->fd >= 0) (void)close(p->fd);
    p->fd = -1;
    p->ended = p->unread = true;
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
        why = golden_play(&player, &net, file, 1, &played);
        free(file);
        /* On a busy machine who is to be heard from within 400 ms may say nothing for so long: what
         * is told by the clock alone must hold when all its times are longer. */
        if (why && strstr(files[i], "/hb-")) {
            file = golden_load(files[i]);
            why = golden_play(&player, &net, file, 8, &played);
            free(file);
        }
        if (why) {
            (void)printf("  %s (%s): %s\n", files[i], backend, why);
            test_failures++;
        }
        count += played ? 1 : 0;
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
