/* A loop of poll(2) for hiredis, as its adapters are written, beside an io of sockets: for test_hiredis.c and the fixture
 * of Socket.IO. */
#ifndef HIREDIS_LOOP_H
#define HIREDIS_LOOP_H
#include <poll.h>

enum { WATCHES = 16 };
static struct watch {
    redisAsyncContext *ac;
    short events;
} watches[WATCHES];

static void watch_on(void *p, short e) {
    ((struct watch *)p)->events |= e;
}
static void watch_off(void *p, short e) {
    ((struct watch *)p)->events = (short)(((struct watch *)p)->events & ~e);
}
static void watch_add_read(void *p) {
    watch_on(p, POLLIN);
}
static void watch_del_read(void *p) {
    watch_off(p, POLLIN);
}
static void watch_add_write(void *p) {
    watch_on(p, POLLOUT);
}
static void watch_del_write(void *p) {
    watch_off(p, POLLOUT);
}
static void watch_cleanup(void *p) {
    memset(p, 0, sizeof(struct watch));
}
static int watch_attach(redisAsyncContext *ac, void *loop) {
    int i;
    (void)loop;
    for (i = 0; i < WATCHES; i++) {
        if (watches[i].ac) continue;
        watches[i].ac = ac;
        ac->ev.data = &watches[i];
        ac->ev.addRead = watch_add_read;
        ac->ev.delRead = watch_del_read;
        ac->ev.addWrite = watch_add_write;
        ac->ev.delWrite = watch_del_write;
        ac->ev.cleanup = watch_cleanup;
        return REDIS_OK;
    }
    return REDIS_ERR;
}
/* One step of both: of the io's, and of what hiredis has. False: the io's has failed. */
static bool hiredis_loop_step(wshub_io_sock *net) {
    struct pollfd fds[WATCHES];
    redisAsyncContext *acs[WATCHES];
    int i, n = 0;
    if (wshub_io_sock_run_once(net, 0)) return false;
    for (i = 0; i < WATCHES; i++) {
        if (!watches[i].ac || !watches[i].events) continue;
        fds[n].fd = watches[i].ac->c.fd;
        fds[n].events = watches[i].events;
        fds[n].revents = 0;
        acs[n++] = watches[i].ac;
    }
    if (poll(fds, (nfds_t)n, 1) <= 0) return true;
    for (i = 0; i < n; i++) {
        int k;
        for (k = 0; k < WATCHES && watches[k].ac != acs[i]; k++) {
        }
        if (k < WATCHES && fds[i].revents & (POLLOUT | POLLERR)) redisAsyncHandleWrite(acs[i]);
        for (k = 0; k < WATCHES && watches[k].ac != acs[i]; k++) { /* it may have ended */
        }
        if (k < WATCHES && fds[i].revents & (POLLIN | POLLHUP | POLLERR))
            redisAsyncHandleRead(acs[i]);
    }
    return true;
}
#endif
