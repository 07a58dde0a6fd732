/* probe PORT TEXT [COUNT [PATH]]: connects, upgrades on /ws or PATH, sends TEXT as the first
 * message and prints the first answer, or COUNT, each when it is there. A minute for each, and for
 * the server to start. What the tests of the examples talk with. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
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
    char in[4096], *body, *at = NULL;
    size_t n = 0, head, len = argc > 2 ? strlen(argv[2]) : 0;
    wshub_frame f;
    struct timeval t = {60, 0};
    time_t began = time(NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0), left = argc > 3 ? atoi(argv[3]) : 1;
    int asking = snprintf(up, sizeof up, "GET %s%s", argc > 4 ? argv[4] : "/ws", asked);
    if (argc < 3 || len > 1900 || asking < 0 || asking >= (int)sizeof up) return 2;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)atoi(argv[1]));
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (connect(fd, &a.any, sizeof a.in) != 0) { /* it is still starting */
        if (time(NULL) > began + 60) return 3;
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
    while (left > 0) {
        ssize_t k = recv(fd, in + n, sizeof in - 1 - n, 0);
        if (k <= 0) return 5;
        n += (size_t)k;
        in[n] = 0;
        body = strstr(in, "\r\n\r\n");
        if (!at && body) at = body + 4;
        while (at && left > 0 && wshub_frame_read((uint8_t *)at, n - (size_t)(at - in), &f) == 1) {
            if (n - (size_t)(at - in) < f.head_bytes + f.payload_bytes) break;
            (void)printf("%.*s\n", (int)f.payload_bytes, at + f.head_bytes);
            (void)fflush(stdout);
            at += f.head_bytes + f.payload_bytes;
            left--;
        }
    }
    return 0;
}
