/* A client by libwebsockets for tests/bench/bench_client.c: client_lws PORT CONNS WINDOW MESSAGES */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { TEXT = 64 };
typedef struct member {
    int owed;
} member;
static int conns, window, messages, opened, said, heard;
static struct lws *all[1000];
static double began;

static double used(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}
static void say(struct lws *wsi, member *m) {
    if (said >= messages) return;
    said++;
    if (!m->owed++) (void)lws_callback_on_writable(wsi);
}
static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    static unsigned char out[LWS_PRE + TEXT];
    member *m = (member *)user;
    int i, k;
    (void)in;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: exit(1);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        all[opened++] = wsi;
        if (opened < conns) break;
        began = used();
        for (i = 0; i < conns; i++) {
            for (k = 0; k < window; k++) say(all[i], (member *)lws_wsi_user(all[i]));
        }
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        /* As many as are owed at once, as its documents allow while the socket takes them. */
        while (m->owed && !lws_send_pipe_choked(wsi)) {
            memset(out + LWS_PRE, 'x', TEXT);
            if (lws_write(wsi, out + LWS_PRE, TEXT, LWS_WRITE_TEXT) < TEXT) exit(1);
            m->owed--;
        }
        if (m->owed) (void)lws_callback_on_writable(wsi);
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (len != TEXT) exit(1);
        if (++heard == messages) {
            (void)printf("%.0f\n", used() - began);
            (void)fflush(stdout);
            _Exit(0);
        }
        say(wsi, m);
        break;
    default: break;
    }
    return 0;
}
int main(int argc, char **argv) {
    static const struct lws_protocols protocols[] = {
        {"echo", on_event, sizeof(member), 4096, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};
    struct lws_context_creation_info info;
    struct lws_client_connect_info to;
    struct lws_context *context;
    int i;
    if (argc != 5) return 2;
    conns = atoi(argv[2]);
    window = atoi(argv[3]);
    messages = atoi(argv[4]);
    lws_set_log_level(0, NULL);
    memset(&info, 0, sizeof info);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    context = lws_create_context(&info);
    if (!context) return 1;
    for (i = 0; i < conns; i++) {
        memset(&to, 0, sizeof to);
        to.context = context;
        to.address = to.host = to.origin = "127.0.0.1";
        to.port = atoi(argv[1]);
        to.path = "/";
        to.local_protocol_name = "echo";
        if (!lws_client_connect_via_info(&to)) return 1;
    }
    while (lws_service(context, 0) >= 0) continue;
    return 1;
}
