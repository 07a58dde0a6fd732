/* Serves a page that asks another origin in several ways, and what it asks for, whose answers pages
 * of the first port may read (HTTP-4): fixture-cors PORT PORT PORT. Driven by tests/cors.sh in a
 * browser, which is the judge of what CORS headers mean. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include <stdio.h>
#include <stdlib.h>

static const char page[] =
    "<!doctype html><body><script>(async () => {"
    "const out = [], at = `http://127.0.0.1:${location.hash.slice(1)}`;"
    "const ask = async (name, path, how) => {"
    "  try {"
    "    const got = await fetch(at + path, how);"
    "    out.push(`${name} ${got.status} ${await got.text()} ${got.headers.get('x-total')}`);"
    "  } catch (e) { out.push(`${name} unreadable`); }"
    "};"
    "await ask('get', '/data');"
    "await ask('cookie', '/data', {credentials: 'include'});"
    "await ask('put', '/data', {method: 'PUT', headers: {'X-A': '1'}, body: 'x'});"
    "await ask('header', '/data', {method: 'PUT', headers: {'X-Z': '1'}});"
    "await ask('method', '/data', {method: 'DELETE'});"
    "await ask('none', '/none');"
    "await ask('large', '/data', {method: 'POST', body: 'y'.repeat(100000)});"
    "document.body.textContent = out.map(o => `[${o.replace(/\\n/g, '')}]`).join(' ');"
    "})()</script>";

static bool on_request(wshub *hub, wshub_exchange exchange, const wshub_http *http, void *user) {
    wshub_header total;
    wshub_reply reply;
    (void)user;
    memset(&reply, 0, sizeof reply);
    reply.status = 200;
    reply.content_type = "text/html";
    reply.body = wshub_str_z(page);
    if (wshub_str_eq_z(http->path, "/page"))
        return wshub_http_reply(hub, exchange, &reply) == WSHUB_OK;
    if (!wshub_str_eq_z(http->path, "/data")) return false;
    total.name = wshub_str_z("X-Total");
    total.value = wshub_str_z("7");
    reply.headers = &total;
    reply.headers_count = 1;
    reply.body = http->method;
    return wshub_http_reply(hub, exchange, &reply) == WSHUB_OK;
}

int main(int argc, char **argv) {
    char origin[40];
    const char *origins[1];
    wshub_cors cors;
    wshub_desc desc;
    wshub_io_sock *net = NULL;
    wshub *hub = NULL;
    int i;
    if (argc < 2) return 2;
    (void)snprintf(origin, sizeof origin, "http://127.0.0.1:%s", argv[1]);
    origins[0] = origin;
    memset(&cors, 0, sizeof cors);
    cors.origins = origins;
    cors.origins_count = 1;
    cors.methods = "GET, PUT";
    cors.headers = "X-A";
    cors.expose = "X-Total";
    cors.credentials = true;
    cors.max_age_s = 60;
    memset(&desc, 0, sizeof desc);
    desc.no_dialect = true;
    desc.on_request = on_request;
    desc.cors = &cors;
    if (wshub_io_auto_create(NULL, &net)) return 1;
    desc.io = wshub_io_sock_io(net);
    if (wshub_create(&desc, &hub)) return 1;
    for (i = 1; i < argc; i++)
        if (wshub_io_sock_listen(net, "127.0.0.1", (uint16_t)atoi(argv[i]), NULL)) return 1;
    (void)printf("listening\n");
    (void)fflush(stdout);
    return wshub_io_sock_serve(net, hub) != WSHUB_OK;
}
