/* Packets of Socket.IO over a WebSocket that compresses (RFC 7692): each as its flags say, Node's
 * `compress`, and its attachments with it. With the codec of stored blocks. */
#include "deflate_site.h"
#include "sio_socket.h"

/* A socket of the main namespace, at a WebSocket with this offer. */
static wshub_conn joins(world *w, const char *extensions) {
    wshub_conn c = offer(w, "/socket.io/?EIO=4&transport=websocket", extensions);
    wshub_str payload = {NULL, 0};
    EXPECT_INT(frame_out(w, c, &payload), 0x81); /* the open packet */
    frame_in(w, c, 0x81, "40", 2);
    wshub_io_fake_run(w->net);
    EXPECT_INT(frame_out(w, c, &payload), 0x81);
    EXPECT(payload.len > 2 && memcmp(payload.ptr, "40{", 3) == 0);
    return c;
}

/* The next frame has these bytes, as they are or as the codec of stored blocks has them. */
static void hears(world *w, wshub_conn c, uint8_t opcode, const void *bytes, size_t n,
                  bool compressed) {
    static uint8_t want[1000];
    stored codec;
    wshub_deflate table = stored_codec(&codec);
    size_t made;
    if (!compressed) {
        EXPECT_FRAME(w, c, 0x80 | opcode, (const char *)bytes, n);
        return;
    }
    EXPECT_INT(table.deflate(&codec, NULL, (const uint8_t *)bytes, n, want, &made), WSHUB_OK);
    EXPECT_FRAME(w, c, 0xC0 | opcode, want, made);
}

/* Text of 300 bytes, and attachments of 300 and of none: once plain, twice compressed, if their
 * packet may be; what is empty never is. */
static void emits(world *w, wshub_sio *sio, wshub_conn plain, wshub_conn agreed, uint32_t flags) {
    static const char bare[] = "452-[\"e\",\"%s\",{\"_placeholder\":true,\"num\":0},"
                               "{\"_placeholder\":true,\"num\":1}]";
    static char text[301], arg[304], want[420];
    static uint8_t bytes[300];
    wshub_str args[3] = {
        {arg, 302}, S("{\"_placeholder\":true,\"num\":0}"), S("{\"_placeholder\":true,\"num\":1}")};
    wshub_span attachments[2] = {{bytes, sizeof bytes}, {bytes, 0}};
    bool compressed = !(flags & WSHUB_PACKET_NO_COMPRESS);
    wshub_packet p;
    memset(text, 't', 300);
    memset(bytes, 0xEE, sizeof bytes);
    (void)snprintf(arg, sizeof arg, "\"%s\"", text);
    (void)snprintf(want, sizeof want, bare, text);
    memset(&p, 0, sizeof p);
    p.event = S("e");
    p.args = args;
    p.args_count = 3;
    p.attachments = attachments;
    p.attachments_count = 2;
    p.flags = flags;
    EXPECT_INT(wshub_sio_emit(sio, wshub_sio_of(sio, "/"), NULL, &p), WSHUB_OK);
    wshub_io_fake_run(w->net);
    hears(w, plain, 1, want, strlen(want), false);
    hears(w, plain, 2, bytes, sizeof bytes, false);
    hears(w, plain, 2, "", 0, false);
    EXPECT_SILENCE(w, plain);
    hears(w, agreed, 1, want, strlen(want), compressed);
    hears(w, agreed, 2, bytes, sizeof bytes, compressed);
    hears(w, agreed, 2, "", 0, false);
    EXPECT_SILENCE(w, agreed);
}

TEST(a_packet_is_compressed_as_its_flags_say) {
    static const uint32_t flags[] = {0, WSHUB_PACKET_NO_COMPRESS, WSHUB_PACKET_COMPRESS};
    int slides;
    size_t i;
    for (slides = 0; slides < 2; slides++) {
        static eio_site s;
        stored codec;
        wshub_deflate table = stored_codec(&codec);
        wshub_sio_namespace_desc space;
        wshub_conn plain, agreed;
        wshub_sio *sio;
        memset(&s, 0, sizeof s);
        memset(&space, 0, sizeof space);
        world_start(&s.w, DESC(.deflate = &table, .deflate_takeover = slides), FAKE(0));
        sio = sio_socket_serve(&s, SIO(.recovery_ms = 0));
        EXPECT_INT(wshub_sio_namespace_add(sio, &space, NULL), WSHUB_OK);
        plain = joins(&s.w, NULL);
        agreed = joins(&s.w, PMD);
        for (i = 0; i < 3; i++) emits(&s.w, sio, plain, agreed, flags[i]);
        EXPECT_INT(codec.deflated, 4); /* two of a packet, of two packets */
        sio_socket_unserve(&s, sio);
        EXPECT_INT(codec.deflaters, 0);
    }
}

/* ---- what other servers say ---- */

static wshub_err attach(void *ctx, const wshub_bus_owner *owner) {
    if (owner) *(wshub_bus_owner *)ctx = *owner;
    return WSHUB_OK;
}
static size_t publish(void *ctx, const wshub_bus_msg *msgs, size_t count) {
    (void)ctx, (void)msgs;
    return count;
}
static bool subscribe(void *ctx, const wshub_bus_channel *channels, size_t count) {
    (void)ctx, (void)channels, (void)count;
    return true;
}

/* An event of 300 bytes of another server, with these flags. */
static void brings(world *w, const wshub_bus_owner *owner, bool sharded, bool asks,
                   const char *flags) {
    static char text[1000], x[301];
    memset(x, 'x', 300);
    (void)snprintf(text, sizeof text,
                   sharded ? "{\"type\":3,\"data\":{%s\"packet\":{\"type\":2,\"data\":[\"e\","
                             "\"%s\"]},\"opts\":{\"rooms\":[],\"except\":[],\"flags\":%s}},"
                             "\"uid\":\"x\",\"nsp\":\"/\"}"
                           : "{\"type\":7,\"uid\":\"x\",%s\"packet\":{\"type\":2,\"data\":[\"e\","
                             "\"%s\"]},\"opts\":{\"rooms\":[],\"except\":[],\"flags\":%s}}",
                   asks ? "\"requestId\":\"r\"," : "", x, flags);
    owner->received(owner->ctx, sharded ? S("socket.io#/#") : S("socket.io-request#/#"), S(text));
    wshub_io_fake_run(w->net);
}

TEST(what_servers_say_is_compressed_as_its_flags_say) { /* Node's `compress`, 4 and 6 */
    static const struct {
        wshub_sio_bus_mode mode;
        bool asks;
    } ways[] = {{WSHUB_SIO_BUS_SHARDED, false},
                {WSHUB_SIO_BUS_SHARDED, true},
                {WSHUB_SIO_BUS_PATTERNS, true}};
    static const char *const flags[] = {"{}", "{\"compress\":true}", "{\"compress\":false}",
                                        "{\"compress\":0}"};
    size_t i, k;
    for (i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        static eio_site s;
        static char want[400], x[301];
        bool sharded = ways[i].mode == WSHUB_SIO_BUS_SHARDED;
        stored codec;
        wshub_deflate table = stored_codec(&codec);
        wshub_sio_namespace_desc space;
        wshub_bus_owner owner;
        wshub_bus bus;
        wshub_conn agreed;
        wshub_sio *sio;
        memset(&s, 0, sizeof s);
        memset(&space, 0, sizeof space);
        memset(&bus, 0, sizeof bus);
        memset(&owner, 0, sizeof owner);
        memset(x, 'x', 300);
        bus.ctx = &owner;
        bus.version = WSHUB_BUS_VERSION;
        bus.attach = attach;
        bus.publish = publish;
        bus.subscribe = bus.unsubscribe = subscribe;
        bus.publish_sharded = publish;
        bus.subscribe_sharded = bus.unsubscribe_sharded = subscribe;
        world_start(&s.w, DESC(.deflate = &table, .bus = &bus, .bus_linger_ms = WSHUB_OFF),
                    FAKE(0));
        sio = sio_socket_serve(&s, SIO(.bus = true, .bus_mode = ways[i].mode));
        EXPECT_INT(wshub_sio_namespace_add(sio, &space, NULL), WSHUB_OK);
        sio_socket_bus_up(&owner);
        agreed = joins(&s.w, PMD);
        for (k = 0; k < sizeof flags / sizeof flags[0]; k++) {
            if (ways[i].asks)
                (void)snprintf(want, sizeof want, "42%d[\"e\",\"%s\"]", (int)k, x);
            else
                (void)snprintf(want, sizeof want, "42[\"e\",\"%s\"]", x);
            brings(&s.w, &owner, sharded, ways[i].asks, flags[k]);
            hears(&s.w, agreed, 1, want, strlen(want), k != 2);
            EXPECT_SILENCE(&s.w, agreed);
        }
        sio_socket_unserve(&s, sio);
    }
}
