/* A hub on sockets of its own, with its bus to a real redis-server, and a WebSocket client of it in
 * the same process, which counts the numbers that it hears. */
#ifndef REDIS_NODE_H
#define REDIS_NODE_H

typedef struct node {
    wshub_io_sock *net;
    wshub_bus_redis *redis;
    wshub *hub;
    uint16_t port;
    size_t bytes; /* allocated by hub and bus */
    int downs, ups;
    uint64_t up_at, down_ms;
    int fd; /* the client */
    uint8_t in[1 << 16];
    size_t in_len;
    long next, got, lost; /* numbered messages: the next one, how many, how many are missing */
    char id[40], error[200];
} node;

UNUSED static void *node_alloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    node *n = (node *)user;
    void *p;
    if (!new_bytes) {
        n->bytes -= old_bytes;
        free(ptr);
        return NULL;
    }
    p = realloc(ptr, new_bytes);
    if (p) n->bytes += new_bytes - old_bytes;
    return p;
}
UNUSED static void node_auth(wshub *hub, wshub_ask ask, const wshub_auth *auth, void *user) {
    wshub_identity who;
    memset(&who, 0, sizeof who);
    who.user_id = wshub_str_z("u");
    (void)auth;
    (void)user;
    (void)wshub_auth_accept(hub, ask, &who);
}
UNUSED static void node_bus(wshub *hub, wshub_bus_state state, uint64_t down_ms, void *user) {
    node *n = (node *)user;
    (void)hub;
    if (state == WSHUB_BUS_UP) {
        n->ups++;
        n->up_at = real_ms();
        n->down_ms = down_ms;
    } else {
        n->downs++;
    }
}
UNUSED static void node_log(const char *line, void *user) {
    (void)snprintf(((node *)user)->error, 200, "%s", line);
}

/* One frame from the server at the front of what has come. */
UNUSED static void node_frames(node *n) {
    for (;;) {
        size_t head = 2, len = n->in_len > 1 ? n->in[1] & 127 : 0;
        wshub_str text;
        if (n->in_len < 4) return;
        if (len == 126) {
            len = (size_t)(n->in[2] << 8 | n->in[3]);
            head = 4;
        }
        EXPECT_OP(len, <, 65000);
        if (n->in_len < head + len) return;
        text.ptr = (const char *)n->in + head;
        text.len = len;
        if ((n->in[0] & 15) == 1 && wshub_str_eq_z(wshub_json_get(text, "event"), "\"n\"")) {
            long v = atol(wshub_json_get(text, "data").ptr);
            EXPECT(v >= n->next); /* in order, none twice */
            n->lost += v - n->next;
            n->next = v + 1;
            n->got++;
        }
        memmove(n->in, n->in + head + len, n->in_len - head - len);
        n->in_len -= head + len;
    }
}

UNUSED static void node_step(node *n, int ms) {
    ssize_t k;
    EXPECT_INT(wshub_io_sock_run_once(n->net, ms), WSHUB_OK);
    if (n->fd < 0) return;
    while ((k = recv(n->fd, n->in + n->in_len, sizeof n->in - n->in_len, MSG_DONTWAIT)) > 0) {
        n->in_len += (size_t)k;
        node_frames(n);
    }
    EXPECT(k < 0 && errno == EAGAIN); /* the client is never lost with the bus */
}

UNUSED static void node_say(node *n, const char *text) {
    uint8_t frame[256];
    size_t len = strlen(text);
    frame[0] = 0x81;
    frame[1] = (uint8_t)(0x80 | len);
    memset(frame + 2, 0, 4);
    memcpy(frame + 6, text, len);
    EXPECT_INT(send(n->fd, frame, len + 6, MSG_NOSIGNAL), len + 6);
}

UNUSED static void node_start(node *n, const char *url, wshub_bus_redis_desc rd, bool exact,
                              bool client) {
    static const char hello[] =
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wshub_desc d;
    int i;
    memset(n, 0, sizeof *n);
    n->fd = -1;
    EXPECT_INT(wshub_io_auto_create(NULL, &n->net), WSHUB_OK);
    rd.io = wshub_io_sock_io(n->net);
    rd.url = url;
    rd.alloc = node_alloc;
    rd.alloc_user = n;
    rd.on_log = node_log;
    rd.user = n;
    EXPECT_INT(wshub_bus_redis_create(&rd, &n->redis), WSHUB_OK);
    memset(&d, 0, sizeof d);
    d.io = rd.io;
    d.bus = wshub_bus_redis_bus(n->redis);
    d.alloc = node_alloc;
    d.alloc_user = d.user = n;
    d.on_authenticate = node_auth;
    d.on_bus = node_bus;
    d.bus_exact = exact;
    d.bus_linger_ms = WSHUB_OFF;
    d.rooms_per_client_max = 200000;
    d.idle_timeout_ms = d.heartbeat_timeout_ms = WSHUB_OFF; /* these clients only listen */
    EXPECT_INT(wshub_create(&d, &n->hub), WSHUB_OK);
    EXPECT_INT(wshub_io_sock_listen(n->net, "127.0.0.1", 0, &n->port), WSHUB_OK);
    if (!client) return;
    n->fd = tcp_open(n->port);
    EXPECT_OP(n->fd, >=, 0);
    EXPECT_INT(send(n->fd, hello, sizeof hello - 1, 0), sizeof hello - 1);
    for (i = 0; i < 60000 && !strstr((const char *)n->in, "\r\n\r\n"); i++) {
        ssize_t k;
        EXPECT_INT(wshub_io_sock_run_once(n->net, 1), WSHUB_OK);
        k = recv(n->fd, n->in + n->in_len, 4096, MSG_DONTWAIT);
        if (k > 0) n->in_len += (size_t)k;
    }
    EXPECT_HAS((const char *)n->in, "101 ");
    n->in_len = 0;
    node_say(n, "{\"event\":\"authenticate\"}");
    for (i = 0; i < 60000 && !wshub_room_count(n->hub, wshub_str_z("ws-default")); i++)
        node_step(n, 1);
    {
        wshub_iter it = {0, 0};
        wshub_client c;
        wshub_str id;
        EXPECT(wshub_client_each(n->hub, &it, &c));
        id = wshub_client_id(n->hub, c);
        (void)snprintf(n->id, sizeof n->id, "%.*s", (int)id.len, id.ptr);
    }
}
UNUSED static void node_stop(node *n) {
    wshub_destroy(n->hub);
    wshub_bus_redis_destroy(n->redis);
    wshub_io_sock_destroy(n->net);
    if (n->fd >= 0) (void)close(n->fd);
    EXPECT_INT(n->bytes, 0);
}
UNUSED static wshub_bus_redis_stats node_redis(const node *n) {
    wshub_bus_redis_stats st;
    wshub_bus_redis_stats_get(n->redis, &st);
    return st;
}
UNUSED static bool node_up(const node *n) {
    return node_redis(n).state == WSHUB_BUS_UP;
}
/* The bus is up and the broker knows every channel that the node wants: a client that came in after
 * UP has its rooms asked for then, and a publication on the other connection may be read first. */
UNUSED static bool node_ready(const node *n) {
    return node_up(n) && !node_redis(n).unacknowledged;
}
/* to the room that every client is in, everywhere */
UNUSED static void node_number(node *from, long value) {
    char text[24];
    wshub_msg m;
    wshub_dest d = {0};
    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    (void)snprintf(text, sizeof text, "%ld", value);
    d.kind = WSHUB_DEST_ROOM;
    d.name = wshub_str_z("ws-default");
    m.event = wshub_str_z("n");
    m.data = wshub_str_z(text);
    EXPECT_INT(wshub_send(from->hub, &d, &m), WSHUB_OK);
}
#endif
