/* What is Windows' own of the io of sockets: WSAPoll() that hides a failed connect, ports that are
 * ours alone, and what is not there. Elsewhere skipped; run under Wine by tests/platforms.sh. */
#define _GNU_SOURCE
#include "hubtest.h"
#ifdef _WIN32
#include "wshub_io_sock.h"
static int WINAPI hiding_poll(struct pollfd *fds, ULONG count, INT timeout_ms);
#define WSAPoll hiding_poll
#include "../backends/wshub_io_poll.h" /* not the one that is opened to tests, which has no code */
#undef WSAPoll
#include "sock_peer.h"

/* As before Windows 10 2004: of what is not connected yet an error is not told. */
static bool hides;
static int hidden;
static int WINAPI hiding_poll(struct pollfd *fds, ULONG count, INT timeout_ms) {
    int n = WSAPoll(fds, count, hides && timeout_ms < 0 ? 10 : timeout_ms);
    ULONG i;
    for (i = 0; hides && i < count; i++) {
        if (fds[i].events != POLLOUT || !(fds[i].revents & (POLLERR | POLLHUP))) continue;
        fds[i].revents = 0;
        hidden++;
        n--;
    }
    return n;
}

static wshub_io_sock *winsock_io(void) {
    wshub_io_sock *net = NULL;
    EXPECT_INT(wshub_io_sock_create(&(wshub_io_sock_desc){.poller = wshub_io_poll_poller()}, &net),
               WSHUB_OK);
    return net;
}

static void count_closed(void *ctx, wshub_conn conn) {
    (void)conn;
    ++*(int *)ctx;
}

/* A connect that is refused is told, though WSAPoll() keeps silent about it: the flag of the error
 * is asked for by other means (MicrosoftDocs/sdk-api#764). */
TEST(a_refused_connect_is_told_though_the_system_hides_it) {
    wshub_io_sock *net = winsock_io();
    const wshub_io *io = wshub_io_sock_io(net);
    int closed = 0, i;
    wshub_io_owner guest = quiet_owner(&closed);
    wshub_conn conn;
    guest.closed = count_closed;
    EXPECT_INT(io->guest(io->ctx, &guest, true), WSHUB_OK);
    hides = true;
    EXPECT_INT((io->connect)(io->ctx, &closed, &(wshub_dial){.address = "127.0.0.1:1"}, &conn),
               WSHUB_OK);
    for (i = 0; i < 1000 && !closed; i++) (void)wshub_io_sock_run_once(net, 20);
    hides = false;
    EXPECT_INT(closed, 1);
    EXPECT_OP(hidden, >, 0);
    EXPECT(strstr(wshub_io_sock_error(net), "cannot connect to 127.0.0.1:1: connection refused"));
    EXPECT_INT(io->guest(io->ctx, &guest, false), WSHUB_OK);
    wshub_io_sock_destroy(net);
}

/* A port is ours alone: nobody can listen on it beside us, as SO_REUSEADDR lets them there. */
TEST(a_port_is_had_by_one_alone) {
    wshub_io_sock *net = winsock_io(), *other = winsock_io();
    uint16_t port = 0;
    EXPECT_INT(wshub_io_sock_listen(net, "127.0.0.1", 0, &port), WSHUB_OK);
    EXPECT(port);
    EXPECT_INT(wshub_io_sock_listen(other, "127.0.0.1", port, NULL), WSHUB_ERR_IO);
    EXPECT(strstr(wshub_io_sock_error(other), "address already in use; stop the program"));
    wshub_io_sock_destroy(other);
    wshub_io_sock_destroy(net);
}

/* What is not there is refused in words. */
TEST(what_windows_has_not_is_refused) {
    wshub_io_sock_desc desc = {.poller = wshub_io_poll_poller(), .reuse_port = true};
    wshub_io_sock *net = winsock_io();
    const wshub_io *io = wshub_io_sock_io(net);
    wshub_io_owner guest = quiet_owner(&desc);
    wshub_conn conn;
    EXPECT(strstr(wshub_io_sock_desc_problem(&desc), "reuse_port"));
    EXPECT_INT(wshub_io_sock_listen_unix(net, "./hub.sock"), WSHUB_ERR_PARAM);
    EXPECT(strstr(wshub_io_sock_error(net), "Windows"));
    EXPECT_INT(io->guest(io->ctx, &guest, true), WSHUB_OK);
    EXPECT_INT((io->connect)(io->ctx, &desc, &(wshub_dial){.address = "./hub.sock"}, &conn),
               WSHUB_ERR_PARAM);
    EXPECT(strstr(wshub_io_sock_error(net), "Windows"));
    EXPECT_INT(io->guest(io->ctx, &guest, false), WSHUB_OK);
    wshub_io_sock_destroy(net);
}

static unsigned __stdcall stop_it(void *net) {
    wshub_io_sock_stop((wshub_io_sock *)net);
    return 0;
}

/* A wait without an end is ended by another thread. */
TEST(another_thread_wakes) {
    wshub_io_sock *net = winsock_io();
    const wshub_io *io = wshub_io_sock_io(net);
    wshub_io_owner owner = quiet_owner(net);
    uintptr_t thread;
    io->attach(io->ctx, &owner);
    thread = _beginthreadex(NULL, 0, stop_it, net, 0, NULL);
    EXPECT(thread);
    EXPECT_INT(wshub_io_sock_run(net), WSHUB_OK);
    (void)WaitForSingleObject((HANDLE)thread, INFINITE);
    (void)CloseHandle((HANDLE)thread);
    io->attach(io->ctx, NULL);
    wshub_io_sock_destroy(net);
}
#else
TEST(windows_has_sockets_of_its_own) {
    SKIP("this is not Windows; `make platforms` runs it under Wine");
}
#endif
