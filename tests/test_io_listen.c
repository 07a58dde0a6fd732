/* Listeners of the socket io: addresses, Unix paths of every kind, IPv6, servers that race for
 * one path, names with many addresses, and rest while nobody serves. */
#define _GNU_SOURCE
#include "hubtest.h"
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
/* The name many.test has the addresses that a test gives it. */
static const char *names[3];
static int names_count;
static int test_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                            struct addrinfo **out) {
    struct addrinfo *first = NULL, **end = &first;
    int i, e;
    if (!host || strcmp(host, "many.test") != 0) return getaddrinfo(host, service, hints, out);
    for (i = 0; i < names_count; i++) {
        e = getaddrinfo(names[i], service, hints, end);
        if (e) return e;
        end = &(*end)->ai_next;
    }
    *out = first;
    return 0;
}
#define getaddrinfo(a, b, c, d) test_getaddrinfo(a, b, c, d)
#include "../backends/wshub_io_sock.h" /* compiled here, where it calls that one */
#include "wshub_io_auto.h"
#undef getaddrinfo
#include "wshub_io_kqueue.h"
#include "wshub_io_poll.h"
#include "sock_peer.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

TEST(listening_fails_with_one_clear_line) {
    wshub_io_sock *net, *other;
    uint16_t port;
    const char *path = own_path("test.sock");
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &other), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(other, "127.0.0.1", port, NULL), WSHUB_ERR_IO);
    EXPECT(strstr(wshub_io_sock_error(other), "in use") &&
           strstr(wshub_io_sock_error(other), "choose another port"));
    EXPECT_INT(wshub_io_sock_listen(other, "no.such.host.invalid", 0, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_io_sock_error(other), "no such address");
    EXPECT_INT(wshub_io_sock_listen(other, "192.0.2.1", 0, NULL), WSHUB_ERR_IO);
    (void)unlink(path);
    EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_ERR_IO); /* alive */
    EXPECT_INT(wshub_io_sock_listen(net, "::1", 0, NULL), WSHUB_OK);  /* several listeners */
    wshub_io_sock_destroy(net);
    EXPECT(access(path, F_OK) != 0); /* removed at the end */
    {
        int dead = socket(AF_UNIX, SOCK_STREAM, 0); /* as a crashed server leaves it */
        union {
            struct sockaddr any;
            struct sockaddr_un un;
        } a;
        memset(&a, 0, sizeof a);
        a.un.sun_family = AF_UNIX;
        (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
        EXPECT_INT(bind(dead, &a.any, sizeof a.un), 0);
        (void)close(dead);
        EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_OK);
    }
    wshub_io_sock_destroy(other);
}

TEST(ipv6_and_unix_sockets_carry_clients) {
    wshub_io_sock *net;
    wshub *hub;
    uint16_t port = 0;
    int fd;
    union {
        struct sockaddr any;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } a;
    const char *path = own_path("carries.sock");
    char text[64];
    wshub_iter it = {0, 0};
    wshub_client c;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_create(
                   &(wshub_desc){.io = wshub_io_sock_io(net), .on_authenticate = accept_all}, &hub),
               WSHUB_OK);
    if (wshub_io_sock_listen(net, "::1", 0, &port) == WSHUB_OK) {
        memset(&a, 0, sizeof a);
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_port = htons(port);
        a.in6.sin6_addr = in6addr_loopback;
        fd = socket(AF_INET6, SOCK_STREAM, 0);
        EXPECT_INT(connect(fd, &a.any, sizeof a.in6), 0);
        talk(net, fd, "\"connected\"");
        /* RFC 3986 3.2.2 */
        EXPECT(wshub_client_each(hub, &it, &c) && wshub_client_peer(hub, c, text, sizeof text) &&
               strncmp(text, "[::1]:", 6) == 0);
        (void)close(fd);
    } else {
        (void)printf("  no IPv6 on this machine\n");
    }
    EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_INT(connect(fd, &a.any, sizeof a.un), 0);
    talk(net, fd, "\"connected\"");
    (void)close(fd);
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
}

/* backlog < 0: bound, nobody listens */
static int unix_socket(const char *path, int type, int backlog) {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
    } a;
    int fd = socket(AF_UNIX, type, 0);
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    EXPECT_INT(bind(fd, &a.any, sizeof a.un), 0);
    if (backlog >= 0) EXPECT_INT(listen(fd, backlog), 0);
    return fd;
}

/* until nobody more is taken; how many that were */
static int fill_backlog(const char *path, int *fds, int most) {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
    } a;
    int n = 0;
    memset(&a, 0, sizeof a);
    a.un.sun_family = AF_UNIX;
    (void)snprintf(a.un.sun_path, sizeof a.un.sun_path, "%.107s", path);
    while (n < most) {
        fds[n] = socket(AF_UNIX, SOCK_STREAM, 0);
        (void)fcntl(fds[n], F_SETFL, O_NONBLOCK);
        if (connect(fds[n++], &a.any, sizeof a.un) != 0) break;
    }
    return n;
}
static ino_t file_number(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 ? st.st_ino : 0;
}
enum {
    AT_NOTHING,
    AT_DEAD,
    AT_LIVE,
    AT_FULL,
    AT_DATAGRAM,
    AT_FILE,
    AT_FOLDER,
    AT_LINK_TO_DEAD,
    AT_LINK_TO_NOTHING,
    AT_OURS,
    AT_NO_FOLDER,
    AT_FILE_AS_FOLDER,
    AT_EMPTY,
    AT_NULL,
    AT_LONG,
    AT_FORBIDDEN,
    AT_KINDS
};
static const struct {
    const char *name;
    int number; /* of the system's error; 0: it is served; -1: the path itself is refused */
    const char *hint;
    /* clang-format off */
} at_path[AT_KINDS] = {
    {"nothing", 0, ""},
    {"a dead socket", 0, ""},
    {"a live one", EADDRINUSE, "another program serves it"},
    {"a live one with a full backlog", EADDRINUSE, "another program serves it"},
    {"a datagram socket", EADDRINUSE, "another program serves it"},
    {"a file", EADDRINUSE, "no socket"},
    {"a folder", EADDRINUSE, "no socket"},
    {"a link to a dead socket", EADDRINUSE, "no socket"},
    {"a link to nothing", EADDRINUSE, "no socket"},
    {"one of our own", EADDRINUSE, "another program serves it"},
    {"a missing folder", ENOENT, "make its folder first"},
    {"a file as folder", ENOTDIR, "make its folder first"},
    {"an empty path", -1, "empty"},
    {"no path", -1, "empty"},
    {"a path too long", -1, "too long"},
    {"a folder not to be written", EACCES, "must let this program write"},
};
/* clang-format on */

TEST(a_unix_path_is_served_or_refused_at_once_by_what_the_system_said) { /* kind 12 */
    static char too_long[200];
    const char *at = own_path("at"), *file = own_path("at/file"), *dead = own_path("at/dead"),
               *shut = own_path("at/shut"), *below_none = own_path("at/none/s"),
               *below_file = own_path("at/file/s"), *below_shut = own_path("at/shut/s"),
               *usual = own_path("at/s");
    int kind;
    memset(too_long, 'x', sizeof too_long - 1);
    (void)mkdir(at, 0777);
    for (kind = 0; kind < AT_KINDS; kind++) {
        const char *path = kind == AT_NO_FOLDER        ? below_none
                           : kind == AT_FILE_AS_FOLDER ? below_file
                           : kind == AT_EMPTY          ? ""
                           : kind == AT_NULL           ? NULL
                           : kind == AT_LONG           ? too_long
                           : kind == AT_FORBIDDEN      ? below_shut
                                                       : usual;
        wshub_io_sock *net, *other = NULL;
        wshub_err err;
        int fds[300], n = 0, live = -1, i;
        ino_t before;
        uint64_t from;
        FILE *f;
        if (kind == AT_FORBIDDEN && geteuid() == 0) continue; /* nothing is forbidden to root */
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        switch (kind) {
        case AT_DEAD: (void)close(unix_socket(path, SOCK_STREAM, 1)); break;
        case AT_LIVE: live = unix_socket(path, SOCK_STREAM, 5); break;
        case AT_FULL:
            live = unix_socket(path, SOCK_STREAM, 0);
            n = fill_backlog(path, fds, 300);
            EXPECT_OP(n, <, 300);
            break;
        case AT_DATAGRAM: live = unix_socket(path, SOCK_DGRAM, -1); break;
        case AT_FILE:
        case AT_FILE_AS_FOLDER:
            f = fopen(kind == AT_FILE ? path : file, "w");
            EXPECT(f && fclose(f) == 0);
            break;
        case AT_FOLDER: EXPECT_INT(mkdir(path, 0777), 0); break;
        case AT_LINK_TO_DEAD:
            (void)close(unix_socket(dead, SOCK_STREAM, 1));
            EXPECT_INT(symlink("dead", path), 0);
            break;
        case AT_LINK_TO_NOTHING: EXPECT_INT(symlink("none", path), 0); break;
        case AT_OURS:
            EXPECT_INT(wshub_io_auto_create(NULL, &other), WSHUB_OK);
            EXPECT_INT(wshub_io_sock_listen_unix(other, path), WSHUB_OK);
            break;
        case AT_FORBIDDEN: EXPECT_INT(mkdir(shut, 0555), 0); break;
        }
        before = path ? file_number(path) : 0;
        from = wall_ms();
        err = wshub_io_sock_listen_unix(net, path);
        EXPECT_OP(wall_ms() - from, <, 500);
        EXPECT_INT(err, at_path[kind].number == 0  ? WSHUB_OK
                        : at_path[kind].number < 0 ? WSHUB_ERR_PARAM
                                                   : WSHUB_ERR_IO);
        if (err) {
            if (at_path[kind].number > 0)
                EXPECT_HAS(wshub_io_sock_error(net), strerror(at_path[kind].number));
            EXPECT(strstr(wshub_io_sock_error(net), at_path[kind].hint) &&
                   strncmp(wshub_io_sock_error(net), "cannot listen on ", 17) == 0);
            if (test_failures)
                (void)printf("  at %s: %s\n", at_path[kind].name, wshub_io_sock_error(net));
        } else {
            int fd = dial_path(path);
            EXPECT_OP(fd, >=, 0);
            (void)close(fd);
        }
        wshub_io_sock_destroy(net);
        /* nothing that is not ours is touched */
        if (path && err) EXPECT_INT(file_number(path), before);
        if (path && !err) EXPECT_INT(file_number(path), 0);
        wshub_io_sock_destroy(other);
        if (live >= 0) (void)close(live);
        for (i = 0; i < n; i++) (void)close(fds[i]);
        if (path && *path && unlink(path) != 0) (void)rmdir(path);
        (void)unlink(dead);
        (void)unlink(file);
        (void)rmdir(shut);
    }
    (void)rmdir(at);
}

/* What happens to a path while a server has it, and what its end may then remove. */
TEST(the_end_removes_a_socket_file_only_if_it_is_still_its_own) {
    enum { STAYS, REMOVED, SUCCESSOR, SUCCESSOR_GONE, BECAME_FILE, MOVED, CASES };
    int kind;
    for (kind = 0; kind < CASES; kind++) {
        const char *path = own_path("own.sock"), *moved = own_path("moved.sock");
        wshub_io_sock *net, *next = NULL;
        FILE *f;
        (void)unlink(path);
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_listen_unix(net, path), WSHUB_OK);
        if (kind != STAYS && kind != MOVED) EXPECT_INT(unlink(path), 0);
        if (kind == MOVED) EXPECT_INT(rename(path, moved), 0);
        if (kind == SUCCESSOR || kind == SUCCESSOR_GONE) {
            EXPECT_INT(wshub_io_auto_create(NULL, &next), WSHUB_OK);
            EXPECT_INT(wshub_io_sock_listen_unix(next, path), WSHUB_OK);
            if (kind == SUCCESSOR_GONE) {
                wshub_io_sock_destroy(next);
                next = NULL;
                EXPECT_INT(file_number(path), 0);
            }
        }
        if (kind == BECAME_FILE) {
            f = fopen(path, "w");
            EXPECT(f && fclose(f) == 0);
        }
        wshub_io_sock_destroy(net);
        EXPECT_INT(file_number(path) != 0, kind == SUCCESSOR || kind == BECAME_FILE);
        if (next) {
            int fd = dial_path(path);
            EXPECT_OP(fd, >=, 0);
            (void)close(fd);
            wshub_io_sock_destroy(next);
        }
        (void)unlink(path);
        (void)unlink(moved);
    }
}

/* Servers that start at the same time over one dead socket: whoever is told OK can be reached. */
static const char *raced;
/* Four meet here before any goes on. Not every system has pthread_barrier_t. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int here, meetings;
} race = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
static void race_meet(void) {
    int meeting;
    (void)pthread_mutex_lock(&race.lock);
    meeting = race.meetings;
    if (++race.here == 4) {
        race.here = 0;
        race.meetings++;
        (void)pthread_cond_broadcast(&race.changed);
    }
    while (race.meetings == meeting) (void)pthread_cond_wait(&race.changed, &race.lock);
    (void)pthread_mutex_unlock(&race.lock);
}
static void *racer(void *arg) {
    wshub_io_sock *net;
    int round;
    for (round = 0; round < 100; round++) {
        EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
        race_meet();
        *(bool *)arg = wshub_io_sock_listen_unix(net, raced) == WSHUB_OK;
        race_meet();
        race_meet(); /* looked at */
        wshub_io_sock_destroy(net);
        race_meet();
    }
    return NULL;
}

TEST(of_servers_that_start_together_one_has_the_path) {
    pthread_t t[3];
    bool has[3];
    int i, round, served = 0;
    raced = own_path("raced.sock");
    for (i = 0; i < 3; i++) EXPECT_INT(pthread_create(&t[i], NULL, racer, &has[i]), 0);
    for (round = 0; round < 100; round++) {
        int fd;
        (void)unlink(raced);
        (void)close(unix_socket(raced, SOCK_STREAM, 1));
        race_meet();
        race_meet();
        fd = dial_path(raced);
        EXPECT_OP(has[0] + has[1] + has[2], <=, 1);
        if (has[0] || has[1] || has[2]) {
            EXPECT_OP(fd, >=, 0);
            served++;
        }
        if (fd >= 0) (void)close(fd);
        race_meet();
        race_meet();
    }
    EXPECT_INT(served, 100);
    for (i = 0; i < 3; i++) (void)pthread_join(t[i], NULL);
    (void)unlink(raced);
}

static bool reaches(const char *host, uint16_t port) {
    struct addrinfo hints, *a = NULL;
    char service[8];
    int fd;
    bool ok;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    EXPECT_INT(getaddrinfo(host, service, &hints, &a), 0);
    fd = socket(a->ai_family, SOCK_STREAM, 0);
    ok = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (fd >= 0) (void)close(fd);
    freeaddrinfo(a);
    return ok;
}

TEST(a_name_is_all_of_its_addresses) { /* every list of up to three of these, whatever its order */
    static const char *const addresses[] = {NULL, "127.0.0.1", "::1", "127.0.0.2",
                                            "192.0.2.1" /* not this machine's */};
    bool v6 = false;
    uint16_t p;
    wshub_io_sock *probe;
    int a, b, c;
    EXPECT_INT(wshub_io_auto_create(NULL, &probe), WSHUB_OK);
    v6 = wshub_io_sock_listen(probe, "::1", 0, &p) == WSHUB_OK;
    wshub_io_sock_destroy(probe);
    for (a = 1; a < 5; a++) {
        for (b = 0; b < 5; b++) {
            for (c = 0; c < (b ? 5 : 1); c++) {
                int list[3], i, fixed, distinct = 0;
                list[0] = a;
                list[1] = b;
                list[2] = c;
                for (i = 0; i < 3; i++) {
                    bool first =
                        list[i] && (i == 0 || list[i] != list[0]) && (i < 2 || list[i] != list[1]);
                    distinct += first && list[i] != 4 && (list[i] != 2 || v6);
                }
                /* a port of the system's; one of ours; one that is taken at the last address */
                for (fixed = 0; fixed < 3; fixed++) {
                    wshub_io_sock *net;
                    uint16_t port = 0, got = 0;
                    wshub_err err;
                    int taken = -1;
                    names_count = 0;
                    for (i = 0; i < 3; i++) {
                        if (list[i]) names[names_count++] = addresses[list[i]];
                    }
                    if (fixed) { /* a free one */
                        (void)wshub_io_auto_create(NULL, &probe);
                        (void)wshub_io_sock_listen(probe, "127.0.0.1", 0, &port);
                        wshub_io_sock_destroy(probe);
                    }
                    if (fixed == 2) {
                        const char *last = names[names_count - 1];
                        union {
                            struct sockaddr any;
                            struct sockaddr_in in;
                        } at;
                        if (strncmp(last, "127.", 4) != 0) continue;
                        memset(&at, 0, sizeof at);
                        at.in.sin_family = AF_INET;
                        at.in.sin_port = htons(port);
                        at.in.sin_addr.s_addr = inet_addr(last);
                        taken = socket(AF_INET, SOCK_STREAM, 0);
                        EXPECT_INT(bind(taken, &at.any, sizeof at.in), 0);
                        EXPECT_INT(listen(taken, 5), 0);
                    }
                    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
                    err = wshub_io_sock_listen(net, "many.test", port, &got);
                    EXPECT_INT(err, distinct && fixed != 2 ? WSHUB_OK : WSHUB_ERR_IO);
                    if (!err) {
                        EXPECT_INT(net->listeners_count, distinct);
                        EXPECT(fixed ? got == port : got != 0);
                        for (i = 0; i < names_count; i++) {
                            if (strcmp(names[i], "192.0.2.1") != 0 && (v6 || names[i][0] != ':'))
                                EXPECT(reaches(names[i], got));
                        }
                    } else {
                        EXPECT_INT(net->listeners_count, 0); /* all or nothing */
                        EXPECT_INT(got, 0);
                        EXPECT_HAS(wshub_io_sock_error(net),
                                   strerror(fixed == 2 ? EADDRINUSE : EADDRNOTAVAIL));
                    }
                    wshub_io_sock_destroy(net);
                    if (taken >= 0) (void)close(taken);
                }
            }
        }
    }
    names_count = 0;
}

TEST(there_are_so_many_listeners_and_no_more) {
    const char *many = own_path("many.sock");
    wshub_io_sock *net;
    uint16_t port = 0;
    int i;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < 15; i++) EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, NULL), WSHUB_OK);
    names[0] = "127.0.0.1";
    names[1] = "127.0.0.2";
    names_count = 2;
    /* half of it is none of it */
    EXPECT_INT(wshub_io_sock_listen(net, "many.test", 0, &port), WSHUB_ERR_IO);
    names_count = 0;
    EXPECT_INT(net->listeners_count, 15);
    EXPECT_INT(wshub_io_sock_listen_unix(net, many), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen_unix(net, own_path("more.sock")), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_io_sock_error(net), "an io has at most 16 listeners");
    wshub_io_sock_unlisten(net);
    EXPECT_INT(file_number(many), 0);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, NULL), WSHUB_OK);
    wshub_io_sock_destroy(net);
}

/* What is said of each bad place: the place, what the system said, what to do. */
TEST(a_place_that_cannot_be_listened_on_is_told_with_what_to_do) {
    static char long_path[200], folder[64], file[64], taken[64], want_long[160];
    static const struct {
        wshub_io_sock_place place;
        wshub_err err;
        const char *says;
    } cases[] = {
        {{.host = "no.such.host.invalid", .port = 80},
         WSHUB_ERR_PARAM,
         "cannot listen on no.such.host.invalid:80: no such address ("},
        {{.host = "192.0.2.1", .port = 8080},
         WSHUB_ERR_IO,
         "cannot listen on 192.0.2.1:8080: Cannot assign requested address; give an address that "
         "this machine has; for all of them none"},
        {{.host = "1.2.3.4.5", .port = 0},
         WSHUB_ERR_PARAM,
         "cannot listen on 1.2.3.4.5:0: no such address ("},
        {{.host = "", .port = 80},
         WSHUB_ERR_PARAM,
         "cannot listen on \"\": the address is empty; \"127.0.0.1\" is this machine alone, NULL "
         "every address that it has"},
        {{.host = "unix:/run/program.sock", .port = 80},
         WSHUB_ERR_PARAM,
         "cannot listen on unix:/run/program.sock: that is no address; a Unix socket is listened "
         "on "
         "by wshub_io_sock_listen_unix(), or by `path` of wshub_io_sock_place, with its path "
         "alone"},
        {{.path = ""},
         WSHUB_ERR_PARAM,
         "cannot listen on a Unix socket: the path is empty; give one, as in /run/program.sock"},
        {{.path = long_path}, WSHUB_ERR_PARAM, want_long},
        {{.path = "/no/such/folder/x.sock"},
         WSHUB_ERR_IO,
         "cannot listen on /no/such/folder/x.sock: No such file or directory; make its folder "
         "first"},
        {{.path = file},
         WSHUB_ERR_IO,
         "there is a file of this name that is no socket; remove it or choose another path"},
        {{.path = folder},
         WSHUB_ERR_IO,
         "there is a file of this name that is no socket; remove it or choose another path"},
        {{.path = taken},
         WSHUB_ERR_IO,
         "Address already in use; another program serves it; stop that one or choose another "
         "path"},
    };
    wshub_io_sock *net, *other;
    size_t i;
    int fd;
    EXPECT_INT(wshub_io_auto_create(NULL, &net), WSHUB_OK);
    EXPECT_INT(wshub_io_auto_create(NULL, &other), WSHUB_OK);
    memset(long_path, 'p', sizeof long_path - 1);
    (void)snprintf(
        want_long, sizeof want_long,
        ": the path is too long for a Unix socket, 199 bytes of at most %d; choose a shorter one",
        (int)sizeof((struct sockaddr_un *)0)->sun_path - 1);
    (void)snprintf(folder, sizeof folder, "build");
    (void)snprintf(file, sizeof file, "%s", own_path("is.file"));
    (void)snprintf(taken, sizeof taken, "%s", own_path("is.taken"));
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    EXPECT(fd >= 0);
    (void)close(fd);
    EXPECT_INT(wshub_io_sock_listen_unix(other, taken), WSHUB_OK);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_INT(wshub_io_sock_listen_place(net, &cases[i].place, NULL), cases[i].err);
        EXPECT_HAS(wshub_io_sock_error(net), cases[i].says);
    }
    if (geteuid() == 0 && seteuid(65534) == 0) { /* as somebody without privileges */
        EXPECT_INT(wshub_io_sock_listen_unix(net, "/wshub-test.sock"), WSHUB_ERR_IO);
        EXPECT_HAS(wshub_io_sock_error(net), "/wshub-test.sock: Permission denied; the folder "
                                             "must let this program write");
        if (wshub_io_sock_listen(net, "127.0.0.1", 81, NULL)) /* some systems let everybody */
            EXPECT_HAS(wshub_io_sock_error(net), "127.0.0.1:81: Permission denied; ports below "
                                                 "1024 need a privilege; choose another");
        EXPECT_INT(seteuid(0), 0);
    }
    EXPECT_HAS(wshub_io_sock__listen_hint(EACCES, 8080), "forbids");
    EXPECT_HAS(wshub_io_sock__listen_hint(EACCES, 0), "forbids");
    EXPECT_HAS(wshub_io_sock__listen_hint(EPERM, 80), "privilege");
    EXPECT_HAS(wshub_io_sock__listen_hint(EAFNOSUPPORT, 80), "IPv6");
    EXPECT_HAS(wshub_io_sock__listen_hint(ENOBUFS, 80), "16 listeners");
    EXPECT_HAS(wshub_io_sock__listen_hint(ENFILE, 80), "fs.file-max");
    EXPECT_HAS(wshub_io_sock__listen_hint(EMFILE, 80), "ulimit -n");
    EXPECT(!*wshub_io_sock__listen_hint(EIO, 80));
    (void)unlink(file);
    wshub_io_sock_destroy(net);
    wshub_io_sock_destroy(other);
}

static void *no_poller(void) {
    errno = EMFILE;
    return NULL;
}
TEST(an_io_that_cannot_be_made_says_why) {
    char why[WSHUB_EXPLAIN_BYTES];
    wshub_io_sock *net = NULL;
    wshub_io_sock_poller none = *wshub_io_poll_poller();
    wshub_io_sock_desc d = {.poller = NULL}, with = {.poller = &none};
    wshub_err err;
    (void)wshub_io_sock_desc_explain(&d, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT(strcmp(why,
                  "poller is NULL: required; wshub_io_auto_create() takes the best there is") == 0);
    (void)wshub_io_sock_desc_explain(NULL, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT(strncmp(why, "poller: required", 16) == 0);
    d.log_level = (wshub_log_level)7;
    (void)wshub_io_auto_explain(&d, WSHUB_OK, why, sizeof why);
    EXPECT_STR(why, "log_level is 7: must be WSHUB_LEVEL_DEBUG (1) to WSHUB_LEVEL_ERROR (4), or "
                    "0");
    d.log_level = WSHUB_LEVEL_WARN;
    d.no_log = true;
    (void)wshub_io_auto_explain(&d, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT_STR(why, "no_log is true, log_level is 3: there is a log_level too; set one or the "
                    "other");
    (void)wshub_io_auto_explain_versioned(&d, 8, WSHUB_IO_SOCK_DESC_VERSION, WSHUB_ERR_PARAM, why,
                                          sizeof why);
    EXPECT(strncmp(why, "wshub_io_sock_desc: the program was compiled", 44) == 0);
    (void)wshub_io_auto_explain_versioned(&d, sizeof d, 99, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT(strncmp(why, "wshub_io_sock_desc: the program was compiled", 44) == 0);
    (void)wshub_io_auto_explain(NULL, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT_STR(why, "out_net: required, and NULL");
    (void)wshub_io_auto_explain(NULL, WSHUB_ERR_NOMEM, why, sizeof why);
    EXPECT_STR(why, wshub_strerror(WSHUB_ERR_NOMEM));
    EXPECT_INT(wshub_io_auto_explain(NULL, WSHUB_OK, why, sizeof why), 0);

    none.create = no_poller;
    err = wshub_io_sock_create(&with, &net);
    (void)wshub_io_sock_desc_explain(&with, err, why, sizeof why);
    EXPECT_INT(err, WSHUB_ERR_IO);
    EXPECT_HAS(why, "Too many open files; raise the limit on open files (ulimit -n)");
    errno = ENFILE;
    (void)wshub_io_sock_desc_explain(&with, err, why, sizeof why);
    EXPECT_HAS(why, "fs.file-max");
    errno = ENOENT;
    (void)wshub_io_sock_desc_explain(&with, err, why, sizeof why);
    EXPECT_HAS(why, "is /dev mounted here?");
}

TEST(listeners_rest_while_nobody_serves) {
    const wshub_io_sock_poller *pollers[3];
    int i, k;
    pollers[0] = BEST;
    pollers[1] = wshub_io_poll_poller();
    pollers[2] = wshub_io_kqueue_poller();
    for (i = 0; i < 3; i++) {
        wshub_io_sock *net;
        wshub *hub;
        uint16_t port;
        int fds[3], guest = 0;
        wshub_io_owner owner = quiet_owner(&guest);
        uint64_t from;
        EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = pollers[i]}, &net),
                   WSHUB_OK);
        EXPECT_INT(wshub_io_sock_io(net)->guest(net, &owner, true), WSHUB_OK);
        EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
        (void)wshub_io_sock_run_once(net, 0);
        (void)wshub_io_sock_run_once(net, 0);
        for (k = 0; k < 2; k++) { /* before there is a hub, and after it has gone */
            fds[k] = dial_port(port);
            EXPECT_OP(fds[k], >=, 0);
            (void)usleep(5000);
            from = wall_ms();
            EXPECT_INT(wshub_io_sock_run_once(net, 60), WSHUB_OK);
            EXPECT_OP(wall_ms() - from, >=, 55);
            EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net),
                                                  .on_authenticate = accept_all},
                                    &hub),
                       WSHUB_OK);
            talk(net, fds[k], "\"connected\""); /* it waited, and is served */
            wshub_destroy(hub);
            (void)wshub_io_sock_run_once(net, 0);
            (void)close(fds[k]);
        }
        EXPECT_INT(wshub_io_sock_io(net)->guest(net, &owner, false), WSHUB_OK);
        wshub_io_sock_destroy(net);
    }
}
