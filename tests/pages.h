/* An application whose pages come at once or late, and clients who take them slowly; shared by
 * the tests of clocks, ends and pressure. */
#ifndef PAGES_H
#define PAGES_H
#include "hubtest.h"
UNUSED static char page_body[300000];
UNUSED static size_t page_bytes;
UNUSED static int pages_asked;

UNUSED static bool serve_page(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    wshub_reply a;
    (void)user;
    pages_asked++;
    memset(&a, 0, sizeof a);
    memset(page_body, 'p', sizeof page_body);
    a.status = 200;
    a.body = wshub__str(page_body, wshub_str_eq_z(h->path, "/page") ? page_bytes : 5);
    EXPECT_INT(wshub_http_reply(hub, r, &a), WSHUB_OK);
    return true;
}

#define GET_PAGE "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_SMALL "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"

#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: fake\r\nConnection: Upgrade\r\nUpgrade: "                           \
    "websocket\r\nSec-WebSocket-Version: 13\r\n"                                                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

UNUSED static wshub_conn start_http(world *w, wshub_desc d, int kind, bool reads) {
    wshub_conn c;
    pages_asked = 0;
    page_bytes = 200000;
    if (!d.on_request) d.on_request = serve_page;
    world_start(w, d, io_kind(kind));
    c = wshub_io_fake_open(w->net);
    if (!reads) wshub_io_fake_window(w->net, c, 0);
    return c;
}

UNUSED static void says(world *w, wshub_conn c, const char *text) {
    wshub_io_fake_input(w->net, c, text, strlen(text));
}

UNUSED static void answer_pings(world *w, wshub_conn c) {
    wshub_io_fake_frame f;
    while (wshub_io_fake_next(w->net, c, &f)) {
        if (f.opcode == 9) wshub_io_fake_send(w->net, c, 10, true, "", 0);
    }
}

UNUSED static wshub_msg large(size_t bytes) { /* an event whose data is a string of so many */
    static char data[300002];
    wshub_msg m = msg("large", "1");
    memset(data, 'x', sizeof data);
    data[0] = data[bytes - 1] = '"';
    m.data = wshub__str(data, bytes);
    return m;
}

enum { WRITE_MS = 1000, CLOSE_MS = 300, PAGE = 40000, MESSAGES = 40 };
/* requests that the application has not answered yet */
UNUSED static wshub_exchange late_requests[64];
UNUSED static int late_count, gone_count;
UNUSED static wshub_gone gone_last;

UNUSED static void reply_page(wshub *hub, wshub_exchange r, size_t bytes, bool close) {
    static char page[300000];
    wshub_reply a;
    memset(&a, 0, sizeof a);
    memset(page, 'p', sizeof page);
    a.status = 200;
    a.content_type = "text/plain";
    a.body = wshub__str(page, bytes);
    a.close = close;
    EXPECT_INT(wshub_http_reply(hub, r, &a), WSHUB_OK);
}

/* /page: at once; /bye: at once, and the end; /late: when answer_late() is called; others: 404. */
UNUSED static bool serve_pages(wshub *hub, wshub_exchange r, const wshub_http *h, void *user) {
    (void)user;
    if (wshub_str_eq_z(h->path, "/page"))
        reply_page(hub, r, PAGE, false);
    else if (wshub_str_eq_z(h->path, "/small"))
        reply_page(hub, r, 10, false);
    else if (wshub_str_eq_z(h->path, "/bye"))
        reply_page(hub, r, PAGE, true);
    else if (wshub_str_eq_z(h->path, "/late"))
        late_requests[late_count++ % 64] = r;
    else
        return false;
    return true;
}

UNUSED static void answer_late(world *w, size_t bytes) {
    int i, n = late_count;
    late_count = 0;
    for (i = 0; i < n; i++) reply_page(w->hub, late_requests[i], bytes, false);
    wshub_io_fake_run(w->net);
}

UNUSED static void note_gone(wshub *hub, const wshub_gone *g, void *user) {
    (void)hub;
    (void)user;
    gone_count++;
    gone_last = *g;
}

UNUSED static void asked_and_silent(wshub *hub, wshub_ask ask, wshub_client c, const wshub_event *e,
                                    void *user) {
    (void)hub, (void)ask, (void)c, (void)e, (void)user;
}

UNUSED static wshub_desc ends_desc(void) {
    return DESC(.on_authenticate = accept_all, .on_request = serve_pages,
                .on_disconnected = note_gone, .on_transform_in = asked_and_silent,
                .idle_timeout_ms = 900, .write_timeout_ms = WRITE_MS, .close_timeout_ms = CLOSE_MS,
                .shutdown_timeout_ms = 3600000, .http_timeout_ms = 60000,
                .heartbeat_interval_ms = 200, .heartbeat_timeout_ms = WSHUB_OFF,
                .transform_timeout_ms = WSHUB_OFF, .backpressure_bytes_max = WSHUB_OFF,
                .no_default_rooms = true);
}

UNUSED static size_t count_answers(const char *out) {
    size_t n = 0;
    const char *p;
    for (p = out; (p = strstr(p, "HTTP/1.1 ")) != NULL; p += 9) n++;
    return n;
}

UNUSED static void says_pong(world *w, wshub_conn c) {
    wshub_io_fake_send(w->net, c, 10, true, "", 0);
}

#endif
