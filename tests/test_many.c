/* 15,000 real connections on the best poller of the machine: all authenticated, all told, all
 * gone. The clients are a process of their own, since both ends need a descriptor each. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "wshub_io_auto.h"
#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { MANY = 15000 };
static int fds[MANY];

static void yes(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    (void)auth;
    (void)user;
    EXPECT_INT(wshub_auth_accept(hub, ask, NULL), WSHUB_OK);
}

static void wait_for(int fd, const char *what) { /* in what one connection receives */
    static char buf[65536];
    size_t n = 0;
    while (n < sizeof buf - 1) {
        ssize_t k = recv(fd, buf + n, sizeof buf - 1 - n, 0);
        if (k <= 0) _exit(3);
        n += (size_t)k;
        if (memmem(buf, n, what, strlen(what))) return;
    }
    _exit(4);
}

static void clients(uint16_t port, int ready) {
    static const char hello[] = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                                "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                                "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                                "\x81\x98\0\0\0\0{\"event\":\"authenticate\"}";
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int i;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < MANY; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (fds[i] < 0 || connect(fds[i], &a.any, sizeof a.in) != 0 ||
            send(fds[i], hello, sizeof hello - 1, 0) < 0)
            _exit(2);
    }
    for (i = 0; i < MANY; i++) wait_for(fds[i], "\"time\":");
    (void)!write(ready, "r", 1);
    for (i = 0; i < MANY; i++) wait_for(fds[i], "{\"event\":\"all\",\"data\":1}");
    (void)!write(ready, "d", 1);
    for (;;) (void)pause();
}

static bool until(wshub_io_sock *net, int fd) {
    char c;
    int i;
    for (i = 0; i < 60000; i++) {
        (void)wshub_io_sock_run_once(net, 1);
        if (read(fd, &c, 1) == 1) return true;
    }
    return false;
}

TEST(fifteen_thousand_real_connections) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port;
    int ready[2], i;
    pid_t pid;
    wshub_stats s;
    wshub_msg m;
    struct rlimit lim;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &lim), 0);
    lim.rlim_cur = lim.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_cur < MANY + 50) SKIP("the limit on open files is too low");
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                          .on_authenticate = yes,
                                          .auth_timeout_ms = 60000},
                            &hub),
               WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    EXPECT_INT(pipe(ready), 0);
    (void)fcntl(ready[0], F_SETFL, O_NONBLOCK);
    pid = fork();
    if (pid == 0) clients(port, ready[1]);
    EXPECT(until(net, ready[0]));
    wshub_stats_get(hub, &s);
    EXPECT_INT(s.authenticated, MANY);
    EXPECT(wshub_self_check(hub) == NULL);
    memset(&m, 0, sizeof m);
    m.event = wshub_str_z("all");
    m.data = wshub_str_z("1");
    EXPECT_INT(wshub_all_send_here(hub, &m, NULL, 0), WSHUB_OK);
    EXPECT(until(net, ready[0]));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    for (i = 0; i < 20000 && s.conns; i++) {
        (void)wshub_io_sock_run_once(net, 1);
        wshub_stats_get(hub, &s);
    }
    EXPECT_INT(s.conns, 0);
    EXPECT_INT(s.clients, 0);
    EXPECT_INT(s.rooms, 0);
    EXPECT(wshub_self_check(hub) == NULL);
    (void)close(ready[0]);
    (void)close(ready[1]);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}
