/* probe PORT TEXT [COUNT [PATH]]: connects, upgrades on /ws or PATH, sends TEXT as the first
 * message and prints the first answer, or COUNT. What the tests of the examples talk with. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static const char asked[] = " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                                "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                                "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char up[512];
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    uint8_t out[2048];
    char in[4096], *body, *at;
    size_t n = 0, head, len = argc > 2 ? strlen(argv[2]) : 0;
    wshub_frame f;
    struct timeval t = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0), tries, left = argc > 3 ? atoi(argv[3]) : 1, shown;
    int asking = snprintf(up, sizeof up, "GET %s%s", argc > 4 ? argv[4] : "/ws", asked);
    if (argc < 3 || len > 1900 || asking < 0 || asking >= (int)sizeof up) return 2;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)atoi(argv[1]));
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (tries = 0; connect(fd, &a.any, sizeof a.in) != 0; tries++) { /* it is still starting */
        if (tries == 100) return 3;
        (void)usleep(20000);
        (void)close(fd);
        fd = socket(AF_INET, SOCK_STREAM, 0);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    memset(&f, 0, sizeof f);
    f.fin = f.masked = true;
    f.opcode = 1;
    f.payload_bytes = len;
    head = wshub_frame_write(&f, out);
    memcpy(out + head, argv[2], len);
    if (send(fd, up, (size_t)asking, 0) < 0 || send(fd, out, head + len, 0) < 0) return 4;
    for (;;) {
        ssize_t k = recv(fd, in + n, sizeof in - 1 - n, 0);
        if (k <= 0) return 5;
        n += (size_t)k;
        in[n] = 0;
        body = strstr(in, "\r\n\r\n");
        for (shown = 0, at = body ? body + 4 : in + n;
             shown < left && wshub_frame_read((uint8_t *)at, n - (size_t)(at - in), &f) == 1;
             shown++) {
            if (n - (size_t)(at - in) < f.head_bytes + f.payload_bytes) break;
            at += f.head_bytes + f.payload_bytes;
        }
        if (shown < left) continue;
        for (at = body + 4; shown--; at += f.head_bytes + f.payload_bytes) { /* all are there */
            (void)wshub_frame_read((uint8_t *)at, n - (size_t)(at - in), &f);
            (void)printf("%.*s\n", (int)f.payload_bytes, at + f.head_bytes);
        }
        return 0;
    }
}
