/* A server of Socket.IO on a bus on which strangers publish: the bytes are channels and what is said
 * there, while sockets come, go and speak, and memory fails. Whatever its sockets hear they can read;
 * whatever it publishes is msgpack; what was dropped was counted once. */
#ifndef FUZZ_MANGLED
#define FUZZ_MANGLED 20
#endif
#include "fuzz.h"
#define WSHUB_IMPLEMENTATION
#define WSHUB_SELF_CHECK
#include "wshub.h"
#include "sio_server.h"

static const uint8_t *in;
static size_t left;
static uint8_t take(void) {
    if (!left) return 0;
    left--;
    return *in++;
}

static sio_server v;
static wshub_conn sockets[3];

/* What a socket has heard are packets with their attachments. */
static void hears_packets(wshub_conn c) {
    unsigned attachments = 0;
    wshub_io_fake_frame f;
    while (wshub_io_fake_next(v.s.w.net, c, &f)) {
        wshub_sio_packet packet;
        MUST(f.opcode == (attachments ? 2 : 1) || f.opcode == 8);
        if (f.opcode == 8) continue;
        if (attachments) {
            attachments--;
            continue;
        }
        MUST(f.payload.len);
        if (f.payload.ptr[0] != '4') continue; /* the engine's */
        f.payload.ptr++;
        f.payload.len--;
        MUST(!wshub_sio__read(f.payload, 10, &packet));
        attachments = packet.attachments;
    }
    MUST(!attachments);
}

static void look(void) {
    wshub_sio_stats st = sio_server_stats(&v);
    uint64_t all = 0;
    size_t i;
    for (i = 0; i < WSHUB_SIO_DROP_COUNT; i++) all += st.bus_drops[i];
    MUST(all == st.bus_dropped && st.bus_drops[WSHUB_SIO_DROP_NONE] == 0);
    for (i = 0; i < 3; i++) hears_packets(sockets[i]);
    for (i = 0; i < v.bus.count; i++) {
        wshub_sio__reader reader;
        if (!memchr(v.bus.kept[i].channel, '#', v.bus.kept[i].channel_len)) continue;
        memset(&reader, 0, sizeof reader);
        reader.at = (const uint8_t *)v.bus.kept[i].bytes;
        reader.end = reader.at + v.bus.kept[i].count;
        if (v.bus.kept[i].count && v.bus.kept[i].bytes[0] == '{')
            MUST(wshub_json_check((wshub_str){v.bus.kept[i].bytes, v.bus.kept[i].count}, 0));
        else
            MUST(wshub_sio__read_past(&reader) && reader.at == reader.end);
    }
    kept_forget(&v.bus);
}

/* The server asks all servers for something; how many there are it is told in a later step. */
static void on_found(wshub_sio *sio, const wshub_sio_found *found, void *user) {
    (void)sio;
    (void)user;
    MUST(found->servers > 0);
}
static void asks(void) {
    static const wshub_str event = {"m", 1};
    wshub_sio_namespace root = wshub_sio_of(v.sio, "/");
    wshub_bus_reply items[2], count;
    wshub_packet packet;
    memset(&packet, 0, sizeof packet);
    packet.event = event;
    switch (take() % 4) {
    case 0: (void)wshub_sio_fetch(v.sio, root, NULL, on_found, NULL); break;
    case 1: (void)wshub_sio_server_ask(v.sio, root, &packet, on_found, NULL); break;
    case 2: (void)wshub_sio_servers(v.sio, root, on_found, NULL); break;
    default:
        memset(items, 0, sizeof items);
        memset(&count, 0, sizeof count);
        count.kind = WSHUB_BUS_REPLY_ARRAY;
        count.items = items;
        count.count = 2;
        items[1].kind = WSHUB_BUS_REPLY_INTEGER;
        items[1].integer = take() % 4;
        kept_reply(&v.bus, &count);
    }
    wshub_io_fake_run(v.s.w.net);
}

#ifdef FUZZ_SHARDED
/* On a channel of the sharded adapter, the server's own too. In what is said QQQQQQ stands for the
 * id of what it has asked last. */
static void stranger(void) {
    static const char *const channels[] = {"socket.io#/#", "socket.io#/#r#", "socket.io#/admin#",
                                           "socket.io#/#nobody#"};
    const wshub_sio__space *space = wshub_sio__space_find(v.sio, wshub_str_z("/"));
    char own[40], text[256];
    unsigned which = take() % 8;
    size_t count = take(), i;
    if (count > left) count = left;
    memcpy(text, in, count);
    in += count;
    left -= count;
    for (i = 0; v.sio->out && i + 6 <= count; i++) {
        if (memcmp(text + i, "QQQQQQ", 6) == 0) memcpy(text + i, v.sio->out->request, 6);
    }
    (void)snprintf(own, sizeof own, "socket.io#/#%.6s#", space->uid);
    sio_server_hears(&v, which < 4 ? channels[which] : own, text, count);
}
#else
/* Somebody publishes: on a channel, so many bytes. */
static void stranger(void) {
    static const char *const channels[] = {
        "socket.io#/#",         "socket.io#/#r#",        "socket.io#/admin#", "socket.io#/#nobody#",
        "socket.io-request#/#", "socket.io-response#/#", "socket.io#/#r",     "socket.io#"};
    const char *channel = channels[take() % 8];
    size_t count = take();
    if (count == 255) count = left;
    if (count > left) count = left;
    in += count;
    left -= count;
    sio_server_hears(&v, channel, (const char *)in - count, count);
}
#endif

static void step(void) {
    wshub_packet packet;
    switch (take() % 8) {
    case 0: /* a new socket instead of one */
    {
        size_t k = take() % 3;
        wshub_io_fake_end(v.s.w.net, sockets[k]);
        wshub_io_fake_run(v.s.w.net);
        sockets[k] =
            sio_server_joins(&v, k ? "" : "/admin", k == 1 ? "{\"rooms\":[\"r\"]}" : "", NULL);
        break;
    }
    case 1:
        memset(&packet, 0, sizeof packet);
        packet.event = S("m");
        (void)wshub_sio_emit(v.sio, wshub_sio_of(v.sio, take() % 2 ? "/" : "/admin"), NULL,
                             &packet);
        wshub_io_fake_run(v.s.w.net);
        break;
    case 2: wshub_io_fake_advance(v.s.w.net, take()); break;
    case 3: /* memory fails once, soon */
        v.s.w.fail_at = 1 + take() % 8;
        stranger();
        v.s.w.fail_at = 0;
        break;
    case 4:
        if (SIO_SERVER_MODE != WSHUB_SIO_BUS_PATTERNS) {
            asks();
            break;
        } /* fall through */
    default: stranger();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t i;
    in = data;
    left = size > 4096 ? 4096 : size;
    (void)test_register; /* of tests, of which there are none here */
    any_seed = 5;
    sio_server_start(&v, DESC(0), NULL);
    v.s.w.unchecked = true;
    for (i = 0; i < 3; i++)
        sockets[i] =
            sio_server_joins(&v, i ? "" : "/admin", i == 1 ? "{\"rooms\":[\"r\"]}" : "", NULL);
    while (left) {
        step();
        look();
    }
    v.s.w.unchecked = false;
    sio_server_stop(&v);
    MUST(test_failures == 0);
    return 0;
}
