/* A TCP connection of this machine to itself, for programs that only write and read bytes. */
#ifndef BENCH_DIAL_H
#define BENCH_DIAL_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Connects to a port of 127.0.0.1 and waits until that stands. Returns the descriptor; what cannot be
 * connected to ends the program, which says why. */
static int dial_here(uint16_t port) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, &a.any, sizeof a.in)) {
        perror("connect");
        exit(1);
    }
    return fd;
}
#endif
