/* A bus of the case's own: it takes everything, remembers the first message of the last call, and what comes from other
 * instances is said by hand. */
#ifndef HAND_BUS_H
#define HAND_BUS_H
typedef struct hand_bus {
    wshub_bus table;
    wshub_bus_owner owner;
    char channel[64], payload[8192];
    size_t channel_len, payload_len;
} hand_bus;
static wshub_err hand_attach(void *c, const wshub_bus_owner *o) { if (o) ((hand_bus *)c)->owner = *o; return WSHUB_OK; }
static size_t hand_publish(void *c, const wshub_bus_msg *m, size_t n) {
    hand_bus *b = (hand_bus *)c;
    if (n && m->payload.len < sizeof b->payload && m->channel.len < sizeof b->channel) {
        memcpy(b->channel, m->channel.ptr, b->channel_len = m->channel.len);
        memcpy(b->payload, m->payload.ptr, b->payload_len = m->payload.len);
    }
    return n;
}
static bool hand_any(void *c, const wshub_bus_channel *ch, size_t n) { (void)c; (void)ch; (void)n; return true; }
/* For wshub_desc.bus. */
UNUSED static const wshub_bus *hand_bus_of(hand_bus *b) {
    memset(b, 0, sizeof *b);
    b->table.version = WSHUB_BUS_VERSION; /* since 0.2.0 a table says which header it was compiled with */
    b->table.ctx = b;
    b->table.attach = hand_attach;
    b->table.publish = hand_publish;
    b->table.subscribe = b->table.unsubscribe = hand_any;
    return &b->table;
}
UNUSED static void hand_bus_up(hand_bus *b) {
    b->owner.state(b->owner.ctx, WSHUB_BUS_CONNECTED);
    b->owner.state(b->owner.ctx, WSHUB_BUS_UP);
}
UNUSED static void hand_bus_say(hand_bus *b, wshub_str channel, wshub_str payload) { b->owner.received(b->owner.ctx, channel, payload); }
#endif
