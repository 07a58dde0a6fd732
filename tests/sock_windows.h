/* The words of POSIX that sock_peer.h and its tests speak, on Windows: numbers are sockets there,
 * and calls leave why they have failed in errno. */
#ifndef SOCK_WINDOWS_H
#define SOCK_WINDOWS_H
#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
#include <ws2tcpip.h>
#include <afunix.h>
#include <windows.h>
#include <errno.h>
#include <io.h>
#include <process.h>
#include <time.h>

#undef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
enum { MSG_DONTWAIT = 1 << 24, SHUT_WR = SD_SEND, F_SETFL = 1, O_NONBLOCK = 1 };

/* The test has sockets before there is an io. */
__attribute__((constructor)) static void sock_begin(void) {
    WSADATA about;
    (void)WSAStartup(MAKEWORD(2, 2), &about);
}

UNUSED static ssize_t sock_said(long long n) {
    if (n < 0) errno = WSAGetLastError() == WSAEWOULDBLOCK ? EAGAIN : EIO;
    return (ssize_t)n;
}
UNUSED static int sock_block(int fd, bool on) {
    u_long rest = !on;
    return ioctlsocket((SOCKET)fd, (long)FIONBIO, &rest);
}
UNUSED static ssize_t sock_recv(int fd, void *to, size_t n, int flags) {
    ssize_t got;
    (void)sock_block(fd, !(flags & MSG_DONTWAIT));
    got = sock_said(recv((SOCKET)fd, (char *)to, (int)n, flags & ~MSG_DONTWAIT));
    (void)sock_block(fd, true);
    return got;
}
UNUSED static ssize_t sock_send(int fd, const void *from, size_t n) {
    return sock_said(send((SOCKET)fd, (const char *)from, (int)n, 0));
}
UNUSED static int sock_usleep(unsigned us) {
    Sleep(us / 1000);
    return 0;
}
UNUSED static uint64_t sock_ticks(void) {
    LARGE_INTEGER now, each;
    (void)QueryPerformanceCounter(&now);
    (void)QueryPerformanceFrequency(&each);
    return (uint64_t)(now.QuadPart * 1000 / each.QuadPart);
}

#define socket(family, type, protocol) (int)socket(family, type, protocol)
#define connect(fd, at, n) (int)sock_said(connect((SOCKET)(fd), at, (int)(n)))
#define bind(fd, at, n) (int)sock_said(bind((SOCKET)(fd), at, (int)(n)))
#define listen(fd, n) (int)sock_said(listen((SOCKET)(fd), n))
#define accept(fd, at, n) (int)sock_said((int)accept((SOCKET)(fd), at, n))
#define getsockname(fd, at, n) getsockname((SOCKET)(fd), at, n)
#define setsockopt(fd, level, name, value, n)                                                      \
    setsockopt((SOCKET)(fd), level, name, (const char *)(value), (int)(n))
#define shutdown(fd, how) shutdown((SOCKET)(fd), how)
#define close(fd) closesocket((SOCKET)(fd))
#define send(fd, from, n, flags) sock_send(fd, from, n)
#define recv(fd, to, n, flags) sock_recv(fd, to, n, flags)
#define fcntl(fd, what, how) sock_block(fd, !(how))
#define usleep(us) sock_usleep((unsigned)(us))
#define useconds_t unsigned
#define getpid() _getpid()
#define unlink(path) _unlink(path)
#endif
