/* Log lines of the io of sockets on standard error (LOG-1 to LOG-3): which level the environment
 * and the description choose, what a line looks like, and that nothing that standard error can be
 * or become makes the program wait or end. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_io_auto.h"
#include "wshub_io_poll.h"
#include "sock_peer.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- standard error, put elsewhere for a while ---- */

static int kept_error = -1;
static void error_to(int fd) { /* fd is given */
    kept_error = dup(STDERR_FILENO);
    EXPECT(kept_error > 2 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    (void)close(fd);
}
static void error_back(void) {
    EXPECT(dup2(kept_error, STDERR_FILENO) == STDERR_FILENO);
    (void)close(kept_error);
}

/* A datagram is a write: what comes out of fds[0] is what one write has written. */
static void error_to_datagrams(int fds[2]) {
    EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
    error_to(fds[1]);
}
static const char *one_write(int fd) {
    static char text[1000];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static wshub_io_sock *net_make(wshub_log_level level, bool no_log) {
    wshub_io_sock *net = NULL;
    wshub_io_sock_desc d;
    memset(&d, 0, sizeof d);
    d.log_level = level;
    d.no_log = no_log;
    EXPECT_INT(wshub_io_auto_create(&d, &net), WSHUB_OK);
    return net;
}
static void say(wshub_io_sock *net, const char *line) {
    const wshub_io *io = wshub_io_sock_io(net);
    EXPECT(io->log != NULL);
    if (io->log) io->log(io->ctx, WSHUB_LEVEL_WARN, line);
}

/* Ends the program if something waits: then the test has failed. */
static void patience(unsigned seconds) {
    (void)alarm(seconds);
}

/* ---- levels ---- */

TEST(the_environment_says_the_level_and_the_description_goes_before_it) { /* LOG-1 */
    static const struct {
        const char *said; /* NULL: nothing */
        int level;
        bool no_log;
        int want; /* wshub_io.log_level; -1: no lines at all */
    } cases[] = {
        {NULL, 0, false, 0},   {"debug", 0, false, 1}, {"info", 0, false, 2},
        {"warn", 0, false, 3}, {"error", 0, false, 4}, {"off", 0, false, -1},
        {"", 0, false, 0},     {"Debug", 0, false, 0}, {"debug", 4, false, 4},
        {"off", 1, false, 1},  {"debug", 0, true, -1}, {NULL, 0, true, -1},
        {"loud", 0, true, -1},
    };
    char *before = getenv("WSHUB_LOG");
    char kept[20] = "";
    size_t i;
    if (before) (void)snprintf(kept, sizeof kept, "%s", before);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fds[2];
        wshub_io_sock *net;
        const char *text;
        bool odd = cases[i].said && strcmp(cases[i].said, "Debug") == 0;
        if (cases[i].said)
            (void)setenv("WSHUB_LOG", cases[i].said, 1);
        else
            (void)unsetenv("WSHUB_LOG");
        error_to_datagrams(fds);
        net = net_make((wshub_log_level)cases[i].level, cases[i].no_log);
        text = one_write(fds[0]);
        EXPECT((strstr(text, "Z warn IO: WSHUB_LOG: ") != NULL) == odd); /* told what it may be */
        EXPECT((wshub_io_sock_io(net)->log == NULL) == (cases[i].want < 0));
        if (cases[i].want >= 0) EXPECT_INT(wshub_io_sock_io(net)->log_level, cases[i].want);
        wshub_io_sock_destroy(net);
        error_back();
        (void)close(fds[0]);
    }
    if (before)
        (void)setenv("WSHUB_LOG", kept, 1);
    else
        (void)unsetenv("WSHUB_LOG");
}

TEST(a_level_of_sockets_that_is_none_is_refused) { /* LOG-1 */
    wshub_io_sock_desc d;
    memset(&d, 0, sizeof d);
    d.poller = wshub_io_poll_poller();
    d.log_level = (wshub_log_level)5;
    EXPECT_HAS(wshub_io_sock_desc_problem(&d), "log_level: ");
    d.log_level = WSHUB_LEVEL_INFO;
    EXPECT(wshub_io_sock_desc_problem(&d) == NULL);
    d.no_log = true;
    EXPECT_HAS(wshub_io_sock_desc_problem(&d), "no_log: ");
}

/* ---- a line ---- */

/* Is it a time, then this? */
static bool is_line(const char *text, const char *want) {
    static const char form[] = "0000-00-00T00:00:00.000Z ";
    size_t i;
    for (i = 0; form[i]; i++) {
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return false;
    }
    return strcmp(text + i, want) == 0;
}

TEST(a_line_is_one_write_with_its_time) { /* LOG-2 */
    int fds[2];
    char longest[WSHUB_LOG_LINE_BYTES], want[WSHUB_LOG_LINE_BYTES + 1];
    wshub_io_sock *net;
    error_to_datagrams(fds);
    net = net_make(WSHUB_LEVEL_DEBUG, false);
    errno = 77;
    say(net, "warn DROPPED me: text");
    EXPECT_INT(errno, 77); /* whoever called has its errno still */
    EXPECT(is_line(one_write(fds[0]), "warn DROPPED me: text\n"));
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    say(net, longest);
    (void)snprintf(want, sizeof want, "%s\n", longest);
    EXPECT(is_line(one_write(fds[0]), want));
    wshub_io_sock_destroy(net);
    error_back();
    (void)close(fds[0]);
}

TEST(a_hub_on_sockets_says_what_an_operator_must_know) { /* LOG-1 */
    int fds[2], peer;
    uint16_t port = 0;
    wshub_io_sock *net;
    wshub *hub = NULL;
    char text[1000];
    error_to_datagrams(fds);
    net = net_make(WSHUB_LEVEL_INFO, false);
    EXPECT_INT(wshub_create(&(wshub_desc){.io = wshub_io_sock_io(net)}, &hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    (void)wshub_io_sock_run_once(net, 0);
    EXPECT(is_line(one_write(fds[0]),
                   "warn ORIGINS_OPEN: no allowed_origins: any web page may connect\n"));
    peer = dial_port(port);
    EXPECT(write(peer, "RUBBISH\r\n\r\n", 11) == 11);
    text[0] = 0;
    while (!text[0]) {
        (void)wshub_io_sock_run_once(net, 10);
        (void)snprintf(text, sizeof text, "%s", one_write(fds[0]));
    }
    EXPECT_HAS(text, "Z info HTTP_BAD 127.0.0.1:");
    EXPECT_HAS(text, ": bad HTTP request: malformed request line\n");
    wshub_destroy(hub);
    wshub_io_sock_destroy(net);
    error_back();
    (void)close(peer);
    (void)close(fds[0]);
}

static int told_errors;
static void count_error(const char *text, void *user) {
    (void)text;
    (void)user;
    told_errors++;
}

TEST(what_the_io_has_to_say_is_a_line_too_unless_it_is_told) { /* LOG-1 */
    int k;
    for (k = 0; k < 4; k++) {
        int fds[2];
        wshub_io_sock *net;
        error_to_datagrams(fds);
        net = net_make(k == 2 ? WSHUB_LEVEL_ERROR : WSHUB_LEVEL_WARN, false);
        if (k == 1) net->desc.on_error = count_error;
        if (k == 3) net->io.log = NULL;
        told_errors = 0;
        net->error_second = UINT64_MAX;
        wshub_io_sock__tell(net, "no more descriptors");
        wshub_io_sock__tell(net, "no more descriptors"); /* once a second */
        if (k == 0) EXPECT(is_line(one_write(fds[0]), "warn IO: no more descriptors\n"));
        EXPECT(*one_write(fds[0]) == 0);
        EXPECT_INT(told_errors, k == 1);
        wshub_io_sock_destroy(net);
        error_back();
        (void)close(fds[0]);
    }
}

/* ---- nobody is waited for, nothing ends ---- */

TEST(a_pipe_that_nobody_reads_is_not_waited_for) { /* LOG-3 */
    int fds[2], i;
    char text[70000], *p;
    ssize_t n;
    wshub_io_sock *net;
    EXPECT(pipe(fds) == 0);
    error_to(fds[1]);
    net = net_make(WSHUB_LEVEL_DEBUG, false);
    patience(20);
    for (i = 0; i < 3000; i++) say(net, "warn DROPPED me: text that fills the pipe");
    EXPECT_OP(net->log_lost, >, 1000);

    /* What came is whole lines; the next one says how many did not. */
    while ((n = read(fds[0], text, sizeof text - 1)) == (ssize_t)sizeof text - 1) {
    }
    text[n > 0 ? n : 0] = 0;
    EXPECT(n > 0 && text[n - 1] == '\n');
    for (p = text; (p = strchr(p, '\n')) != NULL && p[1]; p++) EXPECT(p[5] == '-');
    say(net, "warn DROPPED me: again");
    n = read(fds[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    EXPECT(strstr(text, "me: again (and ") && strstr(text, " lines before it were lost)\n"));
    EXPECT_INT(net->log_lost, 0);
    patience(0);
    wshub_io_sock_destroy(net);
    error_back();
    (void)close(fds[0]);
}

TEST(a_pipe_whose_reader_has_gone_raises_nothing) { /* LOG-3 */
    int k;
    for (k = 0; k < 2; k++) { /* a pipe, a socket */
        int fds[2];
        wshub_io_sock *net;
        sigset_t pending;
        EXPECT((k ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds)) == 0);
        (void)signal(SIGPIPE, SIG_DFL); /* which ends the program */
        error_to(fds[1]);
        net = net_make(WSHUB_LEVEL_DEBUG, false);
        (void)close(fds[0]);
        say(net, "warn DROPPED me: nobody");
        EXPECT_INT(net->log_lost, 1);
        EXPECT(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
        wshub_io_sock_destroy(net);
        error_back();
    }
}

/* The pipe breaks between the look and the write: the signal is taken back, but one that was the
 * program's own is left to it. */
TEST(a_signal_of_our_own_write_is_taken_back_and_no_other) { /* LOG-3 */
    int k;
    for (k = 0; k < 2; k++) {
        sigset_t one, mask, before, now;
        wshub_io_sock *net = net_make(WSHUB_LEVEL_DEBUG, false);
        (void)sigemptyset(&one);
        (void)sigaddset(&one, SIGPIPE);
        (void)sigprocmask(SIG_BLOCK, &one, &mask);
        if (k) (void)raise(SIGPIPE);
        (void)sigpending(&before);
        if (!k) (void)raise(SIGPIPE);
        wshub_io_sock__log_unraise(&before, SIGPIPE);
        (void)sigpending(&now);
        EXPECT_INT(sigismember(&now, SIGPIPE), k);
        if (k) {
            int number;
            (void)sigwait(&one, &number);
        }
        (void)sigprocmask(SIG_SETMASK, &mask, NULL);
        wshub_io_sock_destroy(net);
    }
}

TEST(a_full_disk_loses_lines_and_nothing_else) { /* LOG-3 */
    int fd = open("/dev/full", O_WRONLY), fds[2];
    wshub_io_sock *net;
    if (fd < 0) SKIP("there is no /dev/full");
    error_to(fd);
    net = net_make(WSHUB_LEVEL_DEBUG, false);
    say(net, "warn DROPPED me: text");
    say(net, "warn DROPPED me: text");
    EXPECT_INT(net->log_lost, 2);
    wshub_io_sock_destroy(net);
    error_back();

    /* Nor does a file that has come to its largest size, which raises SIGXFSZ. */
    EXPECT(pipe(fds) == 0);
    if (fork() == 0) {
        struct rlimit most = {100, 100};
        const char *path = own_path("log");
        char ok = 'n';
        (void)signal(SIGXFSZ, SIG_DFL);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)unlink(path);
        (void)dup2(fd, STDERR_FILENO);
        (void)setrlimit(RLIMIT_FSIZE, &most);
        net = net_make(WSHUB_LEVEL_DEBUG, false);
        for (fd = 0; fd < 5; fd++) say(net, "warn DROPPED me: text that is too much for the file");
        if (net->log_lost >= 3) ok = 'y';
        if (write(fds[1], &ok, 1) != 1) _exit(1);
        _exit(0);
    } else {
        char ok = 0;
        (void)close(fds[1]);
        EXPECT(read(fds[0], &ok, 1) == 1 && ok == 'y'); /* else it has been ended */
        (void)close(fds[0]);
        (void)wait(NULL);
    }
}

TEST(a_terminal_that_has_stopped_is_not_waited_for) { /* LOG-3 */
    int master = posix_openpt(O_RDWR | O_NOCTTY), fd, i;
    static char text[200000];
    size_t got = 0;
    ssize_t n;
    char *p, *end;
    wshub_io_sock *net;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) SKIP("no terminals");
    fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (fd < 0) SKIP("no terminals");
    error_to(fd);
    net = net_make(WSHUB_LEVEL_DEBUG, false);
    patience(20);
    for (i = 0; i < 3000; i++) say(net, "warn DROPPED me: text for who does not look at it");
    EXPECT_OP(net->log_lost, >, 100);
    EXPECT_OP(net->terminal, >, 2);
    EXPECT((fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0); /* others write there as before */

    /* When somebody looks again, the next line begins at the left. */
    (void)fcntl(master, F_SETFL, O_NONBLOCK);
    while ((n = read(master, text + got, sizeof text - 1 - got)) > 0) got += (size_t)n;
    say(net, "warn DROPPED me: again");
    while ((n = read(master, text + got, sizeof text - 1 - got)) > 0) got += (size_t)n;
    text[got] = 0;
    end = strstr(text, " warn DROPPED me: again (and ");
    EXPECT(end != NULL);
    for (p = end; p && p > text && p[-1] != '\n';) p--;
    EXPECT(end && end - p == 24); /* its time alone is before it */
    EXPECT(!net->log_torn);
    patience(0);

    /* It may become another one. */
    fd = net->terminal;
    net->terminal_is++;
    say(net, "warn DROPPED me: elsewhere");
    EXPECT_INT(net->terminal, fd); /* the old one is closed, the number is free again */
    wshub_io_sock_destroy(net);
    error_back();
    (void)close(master);
}

/* Where the terminal cannot be opened once more, it is asked whether it takes anything. */
TEST(a_terminal_that_cannot_be_opened_is_asked_first) { /* LOG-3 */
    int master = posix_openpt(O_RDWR | O_NOCTTY), fd;
    char text[200];
    ssize_t n;
    struct rlimit few, had;
    wshub_io_sock *net;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) SKIP("no terminals");
    fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (fd < 0) SKIP("no terminals");
    error_to(fd);
    net = net_make(WSHUB_LEVEL_DEBUG, false);
    EXPECT(getrlimit(RLIMIT_NOFILE, &had) == 0);
    few = had;
    few.rlim_cur = 3; /* no descriptor is to be had */
    EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
    say(net, "warn DROPPED me: text");
    EXPECT_INT(net->terminal, -1);
    EXPECT(setrlimit(RLIMIT_NOFILE, &had) == 0);
    n = read(master, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    EXPECT_HAS(text, " warn DROPPED me: text\r\n");
    wshub_io_sock_destroy(net);
    error_back();
    (void)close(master);
}

/* ---- standard error that is none ---- */

TEST(where_standard_error_is_closed_no_line_goes_to_who_has_its_number) { /* LOG-3 */
    int k;
    for (k = 0; k < 3; k++) { /* closed before the io is made; behind that, a socket or a pipe */
        int fds[2], made[2];
        char byte;
        wshub_io_sock *net;
        EXPECT(k < 2 ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 : pipe(fds) == 0);
        EXPECT(pipe(made) == 0);
        error_to(made[1]);
        if (k == 0) (void)close(STDERR_FILENO);
        net = net_make(WSHUB_LEVEL_DEBUG, false); /* first: one of its own has the number */
        if (k > 0) EXPECT(dup2(fds[1], STDERR_FILENO) == STDERR_FILENO); /* a peer's stream */
        say(net, "warn DROPPED me: text");
        EXPECT_INT(net->log_lost, 1);
        (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
        EXPECT(read(fds[0], &byte, 1) < 0);
        wshub_io_sock_destroy(net);
        error_back();
        (void)close(made[0]);
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
}

TEST(standard_error_that_is_put_into_a_file_is_followed) { /* LOG-1 */
    int fds[2], file, kinds;
    const char *path = own_path("moved");
    char text[300];
    ssize_t n;
    wshub_io_sock *net;
    error_to_datagrams(fds);
    net = net_make(WSHUB_LEVEL_DEBUG, false);
    say(net, "warn DROPPED me: one");
    EXPECT_HAS(one_write(fds[0]), "me: one\n");
    file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    (void)unlink(path);
    EXPECT(dup2(file, STDERR_FILENO) == STDERR_FILENO);
    say(net, "warn DROPPED me: two");
    n = pread(file, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    EXPECT(is_line(text, "warn DROPPED me: two\n"));

    /* What can be written to and is none of these: left alone. */
    (void)close(file);
    kinds = open("/", O_RDONLY);
    EXPECT(dup2(kinds, STDERR_FILENO) == STDERR_FILENO);
    (void)close(kinds);
    wshub_io_sock_destroy(net);
    net = net_make(WSHUB_LEVEL_DEBUG, false);
    say(net, "warn DROPPED me: three");
    EXPECT_INT(net->log_lost, 1);
    wshub_io_sock_destroy(net);
    error_back();
    (void)close(fds[0]);
}

/* ---- several threads ---- */

enum { LINES_EACH = 2000 };
static void *say_many(void *arg) {
    wshub_io_sock *net = (wshub_io_sock *)arg;
    int i;
    for (i = 0; i < LINES_EACH; i++) say(net, "info HTTP_BAD 127.0.0.1:5: bad HTTP request");
    return NULL;
}

TEST(lines_of_threads_do_not_get_into_each_other) { /* LOG-2 */
    pthread_t threads[2];
    wshub_io_sock *nets[2];
    int fds[2], i;
    size_t whole = 0;
    char line[400];
    FILE *in;
    EXPECT(pipe(fds) == 0);
    error_to(fds[1]);
    for (i = 0; i < 2; i++) nets[i] = net_make(WSHUB_LEVEL_DEBUG, false);
    for (i = 0; i < 2; i++) EXPECT(pthread_create(&threads[i], NULL, say_many, nets[i]) == 0);
    in = fdopen(fds[0], "r");
    while (whole < 500 && in && fgets(line, sizeof line, in)) {
        char *more = strstr(line, " (and ");
        if (more) (void)strcpy(more, "\n");
        if (!is_line(line, "info HTTP_BAD 127.0.0.1:5: bad HTTP request\n")) break;
        whole++;
    }
    EXPECT_INT(whole, 500);
    for (i = 0; i < 2; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
    for (i = 0; i < 2; i++) wshub_io_sock_destroy(nets[i]);
    error_back();
    if (in) (void)fclose(in);
}
