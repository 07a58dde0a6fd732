/* --e2e of the fixture's server: the hooks of encryption that are ready made, with -DFIXTURE_MBEDTLS or -DFIXTURE_E2E
 * (-lmbedcrypto); without, the option is not built in. Behind wshub_ext_e2e_mbedtls.h and fixture_app.h. */
#ifndef FIXTURE_E2E_H
#define FIXTURE_E2E_H
#if defined(FIXTURE_MBEDTLS) || defined(FIXTURE_E2E)
static wshub_ext_e2e *e2e;

static void e2e_handshake(wshub *hub, wshub_ask ask, const wshub_handshake *hs, void *user) {
    (void)user;
    wshub_ext_e2e_handshake(e2e, hub, ask, hs);
}
static void e2e_out(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                    void *user) {
    (void)user;
    wshub_ext_e2e_out(e2e, hub, ask, client, event);
}
static void e2e_in(wshub *hub, wshub_ask ask, wshub_client client, const wshub_event *event,
                   void *user) {
    (void)user;
    wshub_ext_e2e_in(e2e, hub, ask, client, event);
}
static void e2e_gone(wshub *hub, const wshub_gone *gone, void *user) {
    (void)user;
    wshub_ext_e2e_gone(e2e, hub, gone->client);
}

static bool e2e_set(const fixture_options *o, wshub_desc *d) { /* false: it cannot be */
    wshub_ext_e2e_desc ed;
    memset(&ed, 0, sizeof ed);
    if (!o->e2e) return true;
    ed.info = o->e2e_info;
    if (o->e2e_aad) ed.aad = wshub_str_z(o->e2e_aad);
    d->require_encryption = true;
    d->on_handshake = e2e_handshake;
    d->on_transform_out = e2e_out;
    d->on_transform_in = e2e_in;
    d->on_disconnecting = e2e_gone;
    return wshub_ext_e2e_create(&ed, &e2e) == WSHUB_OK;
}
static void e2e_end(void) {
    wshub_ext_e2e_destroy(e2e);
}
#define E2E_BUILT_IN true
#else
static bool e2e_set(const fixture_options *o, wshub_desc *d) {
    (void)o;
    (void)d;
    return true;
}
static void e2e_end(void) {
}
#define E2E_BUILT_IN false
#endif
#endif
