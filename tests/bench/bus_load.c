/* The ends of bench_sio_bus.mjs, which must cost as little as they can: what they use up is taken
 * from the servers that are measured. Each says `ready` when it has warmed up, waits for a line, and
 * says then how many seconds it took until everything has been heard.
 *   bus_load clients SPEAKER HEARER BURST SIZE BURSTS    ports of two servers of Socket.IO: one
 *       client asks the fixture for bursts of events to a room, the other, who is in it, reads and
 *       discards; so many bursts are on their way at once as AHEAD says
 *   bus_load bytes PORT CHANNEL PAYLOAD MESSAGES PATTERN...    of Redis: a publisher that writes
 *       commands with so long a payload, and two subscribers, in processes of their own, that read and
 *       discard */
#define _GNU_SOURCE
#include "dial.h"
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD = 8, WARM = 8, READ = 262144 };

static void die(const char *what) {
    perror(what);
    exit(1);
}
static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static void say(int fd, const void *bytes, size_t n) {
    if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n) die("send");
}
/* Takes what has come, of which the kernel copies nothing. */
static size_t swallow(int fd) {
    ssize_t n = recv(fd, NULL, READ, MSG_TRUNC);
    if (n <= 0) die("a connection has ended");
    return (size_t)n;
}
/* Until it has read a text; nothing comes behind it. */
static void hear(int fd, const char *text) {
    char buf[4096];
    size_t n = 0;
    do {
        ssize_t k = recv(fd, buf + n, sizeof buf - 1 - n, 0);
        if (k <= 0) die(text);
        buf[n += (size_t)k] = '\0';
    } while (!memmem(buf, n, text, strlen(text)));
}
/* Says that it is warm, and when to begin. */
static double begin(void) {
    char line[16];
    (void)printf("ready\n");
    (void)fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(0);
    return now_s();
}
static int end(double since) {
    (void)printf("took %.6f\n", now_s() - since);
    (void)fflush(stdout);
    return 0;
}

/* ---- clients of Socket.IO ---- */

/* A frame whose mask is all zero, of a text under 126 bytes. */
static void frame(int fd, const char *text) {
    char bytes[6 + 125] = {'\x81', (char)(0x80 | strlen(text))};
    memcpy(bytes + 6, text, strlen(text));
    say(fd, bytes, 6 + strlen(text));
}
static int client(int port) {
    static const char head[] =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    int fd = dial_here((uint16_t)port);
    say(fd, head, sizeof head - 1);
    hear(fd, "pingInterval");
    frame(fd, "40");
    hear(fd, "40{");
    return fd;
}
/* Bytes that a hearer is sent for one burst: a head of four each. */
static size_t burst_bytes(int burst, int size) {
    size_t n = 0;
    int i;
    for (i = 0; i < burst; i++)
        n += 4 + (size_t)snprintf(NULL, 0, "42[\"burst\",%d,\"%*s\"]", i, size, "");
    return n;
}
static void bursts(int speaker, int hearer, const char *ask, size_t one, int count) {
    size_t heard = 0, whole = one * (size_t)count;
    int asked = 0;
    while (heard < whole) {
        for (; asked < count && one * (size_t)asked < heard + one * AHEAD; asked++)
            frame(speaker, ask);
        heard += swallow(hearer);
    }
    if (heard > whole) die("messages are longer than it was thought");
}
static int clients(char **args) {
    int speaker = client(atoi(args[0])), hearer = client(atoi(args[1]));
    size_t one = burst_bytes(atoi(args[2]), atoi(args[3]));
    char ask[120];
    double since;
    (void)snprintf(ask, sizeof ask, "42[\"burst\",{\"rooms\":\"red\"},%s,%s]", args[2], args[3]);
    frame(hearer, "420[\"join\",[\"red\"]]");
    hear(hearer, "430[");
    bursts(speaker, hearer, ask, one, WARM);
    since = begin();
    bursts(speaker, hearer, ask, one, atoi(args[4]));
    return end(since);
}

/* ---- a publisher and subscribers ---- */

/* Says a byte when it is subscribed, and one when it has had the bytes to warm up, and all. */
static void subscriber(int port, int told, char **patterns, size_t warm, size_t whole) {
    char text[1024] = "PSUBSCRIBE", last[16];
    int fd = dial_here((uint16_t)port), count = 0;
    size_t heard = 0;
    for (; patterns[count]; count++) {
        (void)strncat(text, " ", sizeof text - strlen(text) - 1);
        (void)strncat(text, patterns[count], sizeof text - strlen(text) - 1);
    }
    (void)strncat(text, "\r\n", sizeof text - strlen(text) - 1);
    say(fd, text, strlen(text));
    (void)snprintf(last, sizeof last, "\r\n:%d\r\n", count);
    hear(fd, last);
    if (write(told, "s", 1) != 1) die("pipe");
    while (heard < warm) heard += swallow(fd);
    if (write(told, "w", 1) != 1) die("pipe");
    while (heard < whole) heard += swallow(fd);
    if (heard > whole) die("messages are longer than it was thought");
    if (write(told, "a", 1) != 1) die("pipe");
    exit(0);
}
/* Writes so many commands, and reads what is answered. */
static void publish(int fd, const char *many, size_t size, size_t total) {
    size_t at = 0;
    while (at < total) {
        size_t from = at % size, n = size - from < total - at ? size - from : total - at;
        struct pollfd p = {fd, POLLIN | POLLOUT, 0};
        ssize_t wrote;
        if (poll(&p, 1, -1) < 0) die("poll");
        if (p.revents & POLLIN) (void)swallow(fd);
        if (!(p.revents & POLLOUT)) continue;
        wrote = send(fd, many + from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (wrote > 0) at += (size_t)wrote;
    }
}
static void both(int told) {
    char byte;
    if (read(told, &byte, 1) != 1 || read(told, &byte, 1) != 1) die("a subscriber has ended");
}
static int bytes(char **args) {
    static char many[262144];
    const char *channel = args[1];
    int port = atoi(args[0]), told[2], i, messages = atoi(args[3]), payload = atoi(args[2]), fd;
    size_t one =
        (size_t)snprintf(many, sizeof many, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%d\r\n%0*d\r\n",
                         strlen(channel), channel, payload, payload, 0);
    size_t heard = (size_t)snprintf(
        NULL, 0, "*4\r\n$8\r\npmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n$%d\r\n%0*d\r\n",
        strlen(args[4]), args[4], strlen(channel), channel, payload, payload, 0);
    size_t size, warm = 4000;
    double since;
    for (size = one; size + one <= sizeof many; size += one) memcpy(many + size, many, one);
    if (pipe(told)) die("pipe");
    for (i = 0; i < 2; i++)
        if (fork() == 0)
            subscriber(port, told[1], args + 4, heard * warm, heard * (warm + (size_t)messages));
    both(told[0]);
    fd = dial_here((uint16_t)port);
    publish(fd, many, size, one * warm);
    both(told[0]);
    since = begin();
    publish(fd, many, size, one * (size_t)messages);
    both(told[0]);
    return end(since);
}

int main(int argc, char **argv) {
    if (argc == 7 && !strcmp(argv[1], "clients")) return clients(argv + 2);
    if (argc > 6 && !strcmp(argv[1], "bytes")) return bytes(argv + 2);
    (void)fprintf(stderr, "bus_load: see the head of its source\n");
    return 2;
}
