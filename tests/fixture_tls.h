/* TLS of the fixtures: their options, the io over the sockets, and SIGHUP. Built in with
 * -DFIXTURE_OPENSSL or -DFIXTURE_MBEDTLS; without either every option is
 * refused. The library's file is included before fixture_app.h. */
#ifndef FIXTURE_TLS_H
#define FIXTURE_TLS_H
#include <signal.h>

static volatile sig_atomic_t fixture_tls_hup;

#if defined(FIXTURE_OPENSSL) || defined(FIXTURE_MBEDTLS)
enum { FIXTURE_PAIRS = FIXTURE_LIST_MAX + 1 };
typedef struct fixture_tls {
    wshub_io_tls *io;
    wshub_io_tls_desc desc;
    wshub_tls_pair pairs[FIXTURE_PAIRS];
    char names[FIXTURE_LIST_MAX][512];
} fixture_tls;

/* `NAME=CERT,KEY`. */
static bool fixture_tls_sni(fixture_tls *t, size_t i, const char *said) {
    char *at = t->names[i], *cert, *key;
    (void)snprintf(at, sizeof t->names[i], "%s", said);
    cert = strchr(at, '=');
    key = cert ? strchr(cert, ',') : NULL;
    if (!key || strlen(said) >= sizeof t->names[i]) return false;
    *cert++ = *key++ = 0;
    t->pairs[i + 1].name = at;
    t->pairs[i + 1].cert = cert;
    t->pairs[i + 1].key = key;
    return true;
}
/* Makes the io over `below`. NULL, or a line that says what is wrong. */
static const char *fixture_tls_open(fixture_tls *t, const fixture_options *o,
                                    const wshub_io *below) {
    static char why[256];
    size_t i;
    wshub_err err;
    memset(t, 0, sizeof *t);
    t->pairs[0].cert = o->tls_cert;
    t->pairs[0].key = o->tls_key;
    for (i = 0; i < o->tls_sni.count; i++) {
        if (!fixture_tls_sni(t, i, o->tls_sni.of[i])) return "bad value for --tls-sni";
    }
    if (o->tls_min && strcmp(o->tls_min, "1.2") != 0 && strcmp(o->tls_min, "1.3") != 0)
        return "bad value for --tls-min: 1.2 or 1.3";
    t->desc.io = below;
    t->desc.pairs = t->pairs;
    t->desc.pairs_count = o->tls_sni.count + 1;
    t->desc.client_roots = o->tls_ca;
    t->desc.clients = o->tls_ca ? WSHUB_TLS_CLIENTS_REQUIRE : WSHUB_TLS_CLIENTS_ANY;
    t->desc.version_min = o->tls_min && o->tls_min[2] == '3' ? 13 : 12;
    t->desc.handshake_ms = (uint32_t)(o->auth_timeout < 600000 ? o->auth_timeout : 600000);
#ifdef FIXTURE_OPENSSL
    err = wshub_io_openssl_create(&t->desc, &t->io, why, sizeof why);
#else
    err = wshub_io_mbedtls_create(&t->desc, &t->io, why, sizeof why);
#endif
    if (err && t->desc.version_min == 13) (void)strncat(why, " (--tls-min)", 13);
    return err ? why : NULL;
}
static const wshub_io *fixture_tls_io(const fixture_tls *t) {
    return wshub_io_tls_io(t->io);
}
static void fixture_tls_reload(fixture_tls *t) {
    if (wshub_io_tls_reload(t->io, &t->desc))
        (void)fprintf(stderr, "certificate not reloaded: %s\n", wshub_io_tls_error(t->io));
    else
        (void)fprintf(stderr, "certificate reloaded\n");
}
static void fixture_tls_close(fixture_tls *t) {
    wshub_io_tls_destroy(t->io);
}
#else
typedef struct fixture_tls {
    int none;
} fixture_tls;
static const char *fixture_tls_open(fixture_tls *t, const fixture_options *o,
                                    const wshub_io *below) {
    (void)t, (void)o, (void)below;
    return "--tls-cert: TLS is not built in";
}
static const wshub_io *fixture_tls_io(const fixture_tls *t) {
    return (void)t, NULL;
}
static void fixture_tls_reload(fixture_tls *t) {
    (void)t;
}
static void fixture_tls_close(fixture_tls *t) {
    (void)t;
}
#endif

/* Whether TLS is wanted. *out_why: the options do not go together. */
static bool fixture_tls_wanted(const fixture_options *o, const char **out_why) {
    if (!o->tls_cert != !o->tls_key) *out_why = "--tls-cert and --tls-key go together";
    if (!o->tls_cert && !*out_why && (o->tls_ca || o->tls_min || o->tls_sni.count))
        *out_why = "--tls-sni, --tls-ca and --tls-min need --tls-cert";
    return o->tls_cert && !*out_why;
}
static void fixture_tls_on_hup(int number) {
    (void)number;
    fixture_tls_hup = 1;
}
/* Until a signal ends it; SIGHUP reads certificates again. */
static void fixture_tls_serve(fixture_tls *t, bool secure, wshub_io_sock *net) {
    while (wshub_io_sock_run(net) == WSHUB_OK && fixture_tls_hup) {
        fixture_tls_hup = 0;
        if (secure) fixture_tls_reload(t);
    }
}
#endif
