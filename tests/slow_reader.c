/* slow_reader PORT PATH COUNT BYTES: a peer that does not read. Upgrades on PATH and sends COUNT
 * messages of BYTES without reading anything, until it is told to wait: half a second in which the
 * system takes nothing more of it. Then it reads, sends the rest, and sees that each message comes
 * back whole and in order. Prints what was sent by then, and how many came back. What the examples
 * are tested with (SEND-6). */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* What message n is made of. */
static uint8_t byte_of(size_t n, size_t at) {
    return (uint8_t)(n * 31 + at);
}

/* Message n as a frame; a mask of zeros leaves it as it is. */
static size_t frame_of(uint8_t *out, size_t n, size_t bytes) {
    wshub_frame f;
    size_t head, i;
    memset(&f, 0, sizeof f);
    f.fin = f.masked = true;
    f.opcode = 2;
    f.payload_bytes = bytes;
    head = wshub_frame_write(&f, out);
    for (i = 0; i < bytes; i++) out[head + i] = byte_of(n, i);
    return head + bytes;
}

static int open_on(int port, const char *path) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    char head[512];
    size_t n = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int bytes = snprintf(head, sizeof head,
                         "GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                         "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                         "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                         path);
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, &a.any, sizeof a.in) != 0) return -1;
    if (send(fd, head, (size_t)bytes, 0) != bytes) return -1;
    do { /* byte by byte: what follows the head is not touched */
        if (n == sizeof head || recv(fd, head + n, 1, 0) != 1) return -1;
        n++;
    } while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return memcmp(head, "HTTP/1.1 101", 12) == 0 ? fd : -1;
}

int main(int argc, char **argv) {
    size_t count, bytes, sent = 0, at = 0, len = 0, back = 0, have = 0, before = 0, i;
    bool reads = false;
    uint8_t *out, *in;
    int fd;
    if (argc < 5) return 2;
    count = (size_t)atol(argv[3]);
    bytes = (size_t)atol(argv[4]);
    out = (uint8_t *)malloc(bytes + 14);
    in = (uint8_t *)malloc(bytes + 14);
    fd = open_on(atoi(argv[1]), argv[2]);
    if (!out || !in || fd < 0) return 3;
    while (back < count) {
        struct pollfd p = {fd, 0, 0};
        wshub_frame f;
        ssize_t k;
        if (at == len && sent < count) {
            len = frame_of(out, sent++, bytes);
            at = 0;
        }
        p.events = (short)((at < len ? POLLOUT : 0) | (reads ? POLLIN : 0));
        if (poll(&p, 1, reads ? 60000 : 500) == 0) {
            if (reads) return 4; /* it was forgotten */
            reads = true;
            before = sent;
        }
        if (p.revents & POLLOUT && (k = send(fd, out + at, len - at, MSG_NOSIGNAL)) > 0)
            at += (size_t)k;
        if (!(p.revents & POLLIN)) continue;

        k = recv(fd, in + have, bytes + 14 - have, 0);
        if (k <= 0) return 5; /* it was cut off */
        have += (size_t)k;
        while (wshub_frame_read(in, have, &f) == 1 && have >= f.head_bytes + f.payload_bytes) {
            if (f.opcode == 2 && f.payload_bytes != bytes) return 6;
            for (i = 0; f.opcode == 2 && i < bytes; i++)
                if (in[f.head_bytes + i] != byte_of(back, i)) return 7;
            back += f.opcode == 2;
            have -= f.head_bytes + (size_t)f.payload_bytes;
            memmove(in, in + f.head_bytes + f.payload_bytes, have);
        }
    }
    (void)printf("%s after %zu, %zu came back\n", before < count ? "waited" : "never waited",
                 before, back);
    return 0;
}
