/* What a creation says that has failed: the field, what is in it, what it should be; one line of
 * each kind, whole. The texts are for people and may get better: then this table is what to read. */
#define _GNU_SOURCE
#include "hubtest.h"
#include "wshub_bus_local.h"
#include "wshub_bus_redis.h"

static char why[WSHUB_EXPLAIN_BYTES];
static void says(size_t len, const char *want) {
    EXPECT_INT(len, strlen(want));
    EXPECT_STR(why, want);
}

#define CREATE                                                                                     \
    "from the upgrade to `authenticate` (AUTH-1), three times that for the answer (AUTH-2); "      \
    "cannot be off, or a peer could stay for ever"

TEST(a_hub_that_cannot_be_made_says_which_field_and_what_is_in_it) {
    static const char *const rooms[] = {"a", ""}, *const nothing[] = {"a", NULL},
                             *const origins[] = {"https://a.example", "example.com"},
                             *const hosts[] = {"a.example:0"},
                             *const proxies[] = {"10.0.0.0/8", "10.0.0.1/8"},
                             *const many[] = {"a", "b", "c"};
    static char long_path[1100], wide[200];
    static wshub_io no_send, other_io;
    static wshub_bus no_publish;
    static struct {
        wshub_desc desc;
        wshub_err err;
        const char *want;
    } cases[] = {
        {{.auth_timeout_ms = WSHUB_OFF},
         WSHUB_ERR_PARAM,
         "auth_timeout_ms is 4294967295 (WSHUB_OFF), but must be 1..4294967294 ms: " CREATE},
        {{.http_headers_max = 257},
         WSHUB_ERR_PARAM,
         "http_headers_max is 257, but must be 5..256 fields: "},
        {{.path = "ws"},
         WSHUB_ERR_PARAM,
         "path is \"ws\": must begin with /, without a query, in at most 1024 bytes"},
        {{.path = long_path},
         WSHUB_ERR_PARAM,
         "path is \"////////////////////////////////////////////////////////////////...\" (1099 "
         "bytes): must begin with /, without a query, in at most 1024 bytes"},
        {{.path = "/a\x7f\n"},
         WSHUB_ERR_PARAM,
         "path is \"/a\\x7f\\x0a\": must be plain ASCII without blanks and `#`, as a request's "
         "target is"},
        {{.server_id = "\xFF"
                       "a"},
         WSHUB_ERR_PARAM,
         "server_id is \"\\xffa\": must be 1 to 63 bytes of UTF-8"},
        {{.server_id = wide},
         WSHUB_ERR_PARAM,
         "server_id is \"x\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
         "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
         "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
         "...\" (199 bytes): must be 1 to 63 bytes of UTF-8"},
        {{.server_id = "emitter"},
         WSHUB_ERR_PARAM,
         "server_id is \"emitter\": `emitter` is how emitters sign, whom a hub of that name would "
         "take for itself (EMIT-1)"},
        {{.default_rooms = rooms, .default_rooms_count = 2},
         WSHUB_ERR_PARAM,
         "default_rooms[1] is \"\": must be names of 1 to WSHUB_NAME_BYTES_MAX (4096) bytes of "
         "UTF-8"},
        {{.default_rooms = nothing, .default_rooms_count = 2},
         WSHUB_ERR_PARAM,
         "default_rooms[1] is NULL: must be names of 1 to WSHUB_NAME_BYTES_MAX (4096) bytes of "
         "UTF-8"},
        {{.default_rooms_count = 2},
         WSHUB_ERR_PARAM,
         "default_rooms is NULL, default_rooms_count is 2: a list needs its default_rooms_count, "
         "and the other way round; none: no_default_rooms"},
        {{.default_rooms = many, .default_rooms_count = 3, .no_default_rooms = true},
         WSHUB_ERR_PARAM,
         "no_default_rooms is true, default_rooms_count is 3: there is a list of default_rooms "
         "too"},
        {{.allowed_origins = origins, .allowed_origins_count = 2},
         WSHUB_ERR_PARAM,
         "allowed_origins[1] is \"example.com\": must be `https://host[:port]`, no path, no slash "
         "behind it, no default port, with `*.` before the host for its subdomains; or `null`, or "
         "`*`"},
        {{.allowed_origins = origins},
         WSHUB_ERR_PARAM,
         "allowed_origins is set, allowed_origins_count is 0: a list needs its "
         "allowed_origins_count; nobody: a list whose first entry is NULL"},
        {{.allowed_hosts = hosts, .allowed_hosts_count = 1},
         WSHUB_ERR_PARAM,
         "allowed_hosts[0] is \"a.example:0\": must be `host` or `host:port`, with `*.` before it "
         "for its subdomains"},
        {{.trusted_proxies = proxies, .trusted_proxies_count = 2, .forwarded_header = "Forwarded"},
         WSHUB_ERR_PARAM,
         "trusted_proxies[1] is \"10.0.0.1/8\": must be an address, without a port, or "
         "`10.0.0.0/8` or `2001:db8::/32`, with nothing but zeros behind its length; or `unix`"},
        {{.trusted_proxies = proxies, .trusted_proxies_count = 1, .forwarded_header = "X:"},
         WSHUB_ERR_PARAM,
         "forwarded_header is \"X:\": must be the name of a header, as in X-Forwarded-For"},
        {{.forwarded_header = "Forwarded"},
         WSHUB_ERR_PARAM,
         "forwarded_header is \"Forwarded\": it needs trusted_proxies, whose word it is; of "
         "anybody "
         "else it is not believed (PROXY-2)"},
        {{.rooms_per_client_max = 3, .default_rooms = many, .default_rooms_count = 3},
         WSHUB_ERR_PARAM,
         "rooms_per_client_max is 3, default_rooms_count is 3: must be at least the default rooms "
         "and the client's own (ROOM-6)"},
        {{.rooms_max = 1},
         WSHUB_ERR_PARAM,
         "rooms_max is 1, default_rooms_count is 2: must be at least the default rooms"},
        {{.http_head_bytes_max = 138},
         WSHUB_ERR_PARAM,
         "http_head_bytes_max is 138, path is \"/ws\": must be at least 136 and the path, for the "
         "shortest upgrade"},
        {{.idle_timeout_ms = 1},
         WSHUB_ERR_PARAM,
         "idle_timeout_ms is 1: must be at least 2, since pings are sent after half of it"},
        {{.bus_queue_bytes_max = 4096, .bus_burst_bytes_max = 1024},
         WSHUB_ERR_PARAM,
         "bus_burst_bytes_max is 1024, bus_queue_bytes_max is 4096: must be at least "
         "bus_queue_bytes_max; a busy turn may keep what an outage may"},
        {{.heartbeat_by_pong = true, .no_pings = true},
         WSHUB_ERR_PARAM,
         "heartbeat_by_pong is true, idle_timeout_ms is 60000: needs pings, at half of "
         "idle_timeout_ms, more often than heartbeat_timeout_ms"},
        {{.log_level = (wshub_log_level)9},
         WSHUB_ERR_PARAM,
         "log_level is 9: must be WSHUB_LEVEL_DEBUG to WSHUB_LEVEL_ERROR, or 0 for the usual one; "
         "no "
         "lines at all: no_log"},
        {{.io = &no_send},
         WSHUB_ERR_PARAM,
         "io is set: its table must have attach, send, close, now_ms, wall_ms and random"},
        {{.io = &other_io},
         WSHUB_ERR_PARAM,
         "io is set: its table is of another wshub.h; compile this backend anew with the one of "
         "the hub, and in a table of your own set version to WSHUB_IO_VERSION"},
        {{.bus = &no_publish},
         WSHUB_ERR_PARAM,
         "bus is set: its table must have attach, publish, subscribe and unsubscribe"},
    };
    wshub_io_fake *net;
    wshub *hub = NULL;
    size_t i, n;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    memset(long_path, '/', sizeof long_path - 1);
    wide[0] = 'x';
    for (i = 1; i + 1 < sizeof wide; i += 2) memcpy(wide + i, "\xC3\xA4", 2);
    no_send = other_io = *wshub_io_fake_io(net);
    no_send.send = NULL;
    other_io.version = 99;
    no_publish.version = WSHUB_BUS_VERSION;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_desc *d = &cases[i].desc;
        const char *want = cases[i].want;
        if (!d->io) d->io = wshub_io_fake_io(net);
        EXPECT_INT(wshub_create(d, &hub), cases[i].err);
        n = wshub_desc_explain(d, cases[i].err, why, sizeof why);
        EXPECT(n < sizeof why);
        if (want[strlen(want) - 1] == ' ') /* the limit's own help follows */
            EXPECT(strncmp(why, want, strlen(want)) == 0 && n > strlen(want) + 10);
        else
            says(n, want);
        EXPECT_INT(wshub_desc_explain(d, WSHUB_OK, NULL, 0), n); /* the same, uncalled */
        EXPECT_INT(strlen(why), n);
    }
    wshub_io_fake_destroy(net);
}

TEST(each_limit_is_told_with_its_range) {
    wshub_io_fake *net;
    size_t i, told = 0;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof wshub__limits / sizeof wshub__limits[0]; i++) {
        const wshub__limit *limit = &wshub__limits[i];
        wshub_desc d = DESC(.io = wshub_io_fake_io(net));
        size_t name = strcspn(limit->problem, ":");
        char off[WSHUB_EXPLAIN_BYTES];
        if (limit->greatest == UINT64_MAX) continue; /* none is too large */
        if (!limit->wide && limit->greatest == UINT32_MAX) continue;
        wshub__limit_set(&d, limit, limit->greatest + 1);
        EXPECT(wshub_desc_explain(&d, WSHUB_OK, why, sizeof why) < sizeof why);
        if (limit->off && limit->greatest + 1 == WSHUB_OFF) continue; /* off, and allowed */
        told++;
        (void)snprintf(off, sizeof off, " is %llu%s, but must be %llu..%llu%s%s%s: ",
                       (unsigned long long)limit->greatest + 1,
                       limit->greatest + 1 == WSHUB_OFF ? " (WSHUB_OFF)" : "",
                       (unsigned long long)limit->least, (unsigned long long)limit->greatest,
                       *limit->unit ? " " : "", limit->unit, limit->off ? " or WSHUB_OFF" : "");
        EXPECT(strncmp(why, limit->problem, name) == 0);
        EXPECT(strncmp(why + name, off, strlen(off)) == 0);
        EXPECT(strlen(why) > name + strlen(off));
    }
    EXPECT(told > 12);
    wshub_io_fake_destroy(net);
}

TEST(what_no_field_is_to_blame_for_is_told_too) {
    wshub_io_fake *net;
    wshub *hub = NULL, *second = NULL;
    wshub_bus_local *local;
    wshub_bus bus;
    wshub_desc d = DESC(.on_authenticate = accept_all), with_bus;
    says(wshub_desc_explain(NULL, WSHUB_ERR_PARAM, why, sizeof why),
         "io: required; make one with wshub_io_auto_create()");
    says(wshub_desc_explain(&d, WSHUB_ERR_PARAM, why, sizeof why),
         "io is NULL: required; make one with wshub_io_auto_create()");
    (void)wshub_desc_explain_versioned(&d, sizeof d, 99, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT_HAS(why, "wshub_desc: the program was compiled with another wshub.h");
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    d.io = wshub_io_fake_io(net);

    memset(why, 'x', sizeof why);
    says(wshub_desc_explain(&d, WSHUB_OK, why, sizeof why), ""); /* nothing is wrong */
    says(wshub_desc_explain(&d, WSHUB_ERR_PARAM, why, sizeof why), "out_hub: required, and NULL");
    says(wshub_desc_explain(&d, WSHUB_ERR_NOMEM, why, sizeof why), wshub_strerror(WSHUB_ERR_NOMEM));

    wshub_io_fake_set_random(net, true);
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_RANDOM);
    says(wshub_desc_explain(&d, WSHUB_ERR_RANDOM, why, sizeof why),
         "io is set: its random() has failed, and without it ids could be guessed; "
         "wshub_io_sock.h reads /dev/urandom, which must be there");
    wshub_io_fake_set_random(net, false);

    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
    with_bus = d;
    with_bus.bus = &bus;
    EXPECT_INT(wshub_create(&with_bus, &hub), WSHUB_OK);
    EXPECT_INT(wshub_create(&d, &second), WSHUB_ERR_STATE);
    says(wshub_desc_explain(&d, WSHUB_ERR_STATE, why, sizeof why),
         "io is set: it serves a hub already; make one for each hub, or destroy that one first");
    {
        wshub_io_fake *other;
        wshub_io bare;
        int i;
        EXPECT_INT(wshub_io_fake_create(NULL, &other), WSHUB_OK);
        bare = *wshub_io_fake_io(other);
        bare.taken = NULL; /* which an io need not have */
        for (i = 0; i < 2; i++) {
            with_bus.io = i ? &bare : wshub_io_fake_io(other);
            EXPECT_INT(wshub_create(&with_bus, &second), WSHUB_ERR_STATE);
            says(wshub_desc_explain(&with_bus, WSHUB_ERR_STATE, why, sizeof why),
                 "bus is set: another hub or emitter has it, and a bus has one owner; make one for "
                 "each");
        }
        wshub_io_fake_destroy(other);
    }
    wshub_destroy(hub);
    wshub_bus_local_destroy(local);
    wshub_io_fake_destroy(net);
}

/* The buffer is the caller's: what does not fit is cut, ends with a terminator, and is counted. */
TEST(an_explanation_keeps_to_its_buffer) {
    char whole[WSHUB_EXPLAIN_BYTES], part[WSHUB_EXPLAIN_BYTES];
    wshub_desc d = DESC(.path = "ws");
    wshub_io_fake *net;
    size_t n, cap;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    n = wshub_desc_explain(&d, WSHUB_OK, whole, sizeof whole);
    for (cap = 0; cap <= n + 2; cap++) {
        memset(part, '#', sizeof part);
        EXPECT_INT(wshub_desc_explain(&d, WSHUB_OK, part, cap), n);
        if (cap) EXPECT_INT(strlen(part), cap - 1 < n ? cap - 1 : n);
        EXPECT(!cap || strncmp(part, whole, strlen(part)) == 0);
        EXPECT(part[cap] == '#');
    }
    wshub_io_fake_destroy(net);
}

/* For programs that look at nothing (>>logs): the io shows it, once, in one line of ASCII. */
TEST(a_creation_that_fails_is_logged_by_the_io) {
    wshub_io_fake *net, *quiet;
    static char long_path[1100];
    wshub *hub = NULL;
    wshub_desc d = DESC(.path = "w\n\xC3\xA4");
    EXPECT_INT(wshub_io_fake_create(&(wshub_io_fake_desc){.no_log = true}, &quiet), WSHUB_OK);
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    d.io = wshub_io_fake_io(net);
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    EXPECT(wshub_str_eq_z(wshub_io_fake_log(net),
                          "error CREATE: path is \"w\\x0a\\xc3\\xa4\": must begin with /, without "
                          "a query, in at most 1024 bytes\n"));
    d.path = long_path; /* cut to a line's length */
    memset(long_path, '\xC3', sizeof long_path - 1);
    d.server_id = long_path;
    wshub_io_fake_log_forget(net);
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    EXPECT(wshub_io_fake_log(net).len <= WSHUB_LOG_LINE_BYTES);
    d.server_id = NULL;
    d.path = "ws";
    wshub_io_fake_log_forget(net);
    d.no_log = true;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    d.no_log = false;
    d.io = wshub_io_fake_io(quiet);
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    d.io = NULL;
    EXPECT_INT(wshub_create(&d, &hub), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_fake_log(net).len, 0);
    wshub_io_fake_destroy(net);
    wshub_io_fake_destroy(quiet);
}

TEST(a_mount_that_is_refused_says_which_field_and_what_is_in_it) {
    static char long_path[WSHUB_NAME_BYTES_MAX + 2];
    static const struct {
        wshub_mount_desc desc;
        wshub_err err;
        const char *want;
    } cases[] = {
        {{WSHUB_MOUNT_VERSION, .path = "files"},
         WSHUB_ERR_PARAM,
         "path is \"files\": required, and must begin with `/`, as in \"/files\""},
        {{WSHUB_MOUNT_VERSION, .path = NULL},
         WSHUB_ERR_PARAM,
         "path is NULL: required, and must begin with `/`, as in \"/files\""},
        {{WSHUB_MOUNT_VERSION, .path = "/a?b"},
         WSHUB_ERR_PARAM,
         "path is \"/a?b\": must be without query, fragment and white space; no request has such "
         "a one"},
        {{WSHUB_MOUNT_VERSION, .path = long_path},
         WSHUB_ERR_PARAM,
         "path is \"////////////////////////////////////////////////////////////////...\" (4097 "
         "bytes): may have at most 4096 bytes"},
        {{WSHUB_MOUNT_VERSION, .path = "/a", .body_bytes_max = 2000000000u},
         WSHUB_ERR_PARAM,
         "body_bytes_max is 2000000000: must be at most 1073741824 (1 GiB); what is larger is "
         "read piece by piece, in on_body"},
        {{WSHUB_MOUNT_VERSION, .path = "/a", .message_bytes_max = UINT32_MAX},
         WSHUB_ERR_PARAM,
         "message_bytes_max is 4294967295 (WSHUB_OFF): must be at most 1073741824 (1 GiB)"},
        {{WSHUB_MOUNT_VERSION, .path = "/a", .allow = "GET\r\n"},
         WSHUB_ERR_PARAM,
         "allow is \"GET\\x0d\\x0a\": must be methods, separated by commas, as in \"GET, HEAD\""},
        {{77, .path = "/a"},
         WSHUB_ERR_PARAM,
         "version is 77: WSHUB_MOUNT_VERSION; a program that says another was compiled with "
         "another wshub.h"},
        {{WSHUB_MOUNT_VERSION, .path = "/a"},
         WSHUB_ERR_LIMIT,
         "path is \"/a\": there are WSHUB_MOUNTS_MAX (1000) mounts, and no more can be; one "
         "serves many paths, and its on_head may look at them itself"},
        {{WSHUB_MOUNT_VERSION, .path = "/a"},
         WSHUB_ERR_NOMEM,
         "out of memory; nothing was changed"},
        {{WSHUB_MOUNT_VERSION, .path = "/a"}, WSHUB_OK, ""},
    };
    world w;
    size_t i;
    memset(long_path, '/', sizeof long_path - 1);
    world_start(&w, DESC(0), FAKE(0));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].err == WSHUB_ERR_PARAM)
            EXPECT_INT(wshub_mount(w.hub, &cases[i].desc), WSHUB_ERR_PARAM);
        says(wshub_mount_explain(&cases[i].desc, cases[i].err, why, sizeof why), cases[i].want);
    }
    says(wshub_mount_explain(NULL, WSHUB_ERR_PARAM, why, sizeof why), "wshub_mount_desc: required");
    world_stop(&w);
}

static wshub_err no_publish(wshub *hub, wshub_realm realm, const wshub_dest *dest,
                            const wshub_packet *packet, void *user) {
    (void)hub, (void)realm, (void)dest, (void)packet, (void)user;
    return WSHUB_OK;
}

TEST(a_dialect_that_is_refused_says_which_field_and_what_is_in_it) { /* BUS-6, APP-1 */
    static char long_prefix[WSHUB_BUS_PREFIX_BYTES_MAX + 2];
    struct {
        wshub_dialect table;
        wshub_err err;
        const char *want;
    } cases[] = {
        {{.version = 77, .name = "d"},
         WSHUB_ERR_PARAM,
         "version is 77: must be WSHUB_DIALECT_VERSION; a program that says another was compiled "
         "with another wshub.h"},
        {{.version = WSHUB_DIALECT_VERSION},
         WSHUB_ERR_PARAM,
         "name is NULL: required, for people to read"},
        {{WSHUB_DIALECT_VERSION, .name = "d", .publish = no_publish},
         WSHUB_ERR_PARAM,
         "bus_prefix is NULL: required for publish, on_bus, on_name and on_bus_state"},
        {{WSHUB_DIALECT_VERSION, .name = "d", .bus_prefix = ""},
         WSHUB_ERR_PARAM,
         "bus_prefix is \"\": must have 1 to WSHUB_BUS_PREFIX_BYTES_MAX (64) bytes"},
        {{WSHUB_DIALECT_VERSION, .name = "d", .bus_prefix = long_prefix},
         WSHUB_ERR_PARAM,
         "bus_prefix is \"pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp...\" "
         "(65 "
         "bytes): must have 1 to WSHUB_BUS_PREFIX_BYTES_MAX (64) bytes"},
        {{WSHUB_DIALECT_VERSION, .name = "d", .bus_prefix = "a*"},
         WSHUB_ERR_PARAM,
         "bus_prefix is \"a*\": must be plain ASCII without blanks, `*`, `?`, `[`, `]` and `\\`"},
        {{WSHUB_DIALECT_VERSION, .name = "d", .bus_prefix = "ws:room"},
         WSHUB_ERR_PARAM,
         "bus_prefix is \"ws:room\": must not begin with that of another dialect, such as `ws:`, "
         "nor be the beginning of one, or they would hear each other"},
        {{WSHUB_DIALECT_VERSION, .name = "d", .bus_prefix = "wshub:"},
         WSHUB_ERR_PARAM,
         "bus_prefix is \"wshub:\": must not meet `wshub:app:`, below which the application's "
         "channels are"},
        {{WSHUB_DIALECT_VERSION, .name = "d"}, WSHUB_ERR_PARAM, "out_dialect: required, and NULL"},
        {{WSHUB_DIALECT_VERSION, .name = "d"},
         WSHUB_ERR_LIMIT,
         "there are WSHUB_DIALECTS_MAX (16) dialects, and no more can be"},
        {{WSHUB_DIALECT_VERSION, .name = "d"},
         WSHUB_ERR_NOMEM,
         "out of memory; nothing was changed"},
        {{WSHUB_DIALECT_VERSION, .name = "d"}, WSHUB_OK, ""},
    };
    world w;
    uint32_t dialect;
    size_t i;
    memset(long_prefix, 'p', sizeof long_prefix - 1);
    world_start(&w, DESC(0), FAKE(0));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool good = !wshub_dialect_problem(w.hub, &cases[i].table);
        EXPECT_INT(wshub_dialect_add(w.hub, &cases[i].table, NULL, good ? NULL : &dialect),
                   WSHUB_ERR_PARAM);
        says(wshub_dialect_explain(w.hub, &cases[i].table, cases[i].err, why, sizeof why),
             cases[i].want);
    }
    says(wshub_dialect_explain(w.hub, NULL, WSHUB_ERR_PARAM, why, sizeof why),
         "wshub_dialect: required");
    world_stop(&w);
}

TEST(a_realm_that_is_refused_says_which_field_and_what_is_in_it) {
    static const char *const rooms[] = {"a", "b", "\xFF"};
    static const struct {
        wshub_realm_desc desc;
        wshub_err err;
        const char *want;
    } cases[] = {
        {{.version = 77},
         WSHUB_ERR_PARAM,
         "version is 77: must be WSHUB_REALM_VERSION; a program that says another was compiled "
         "with another wshub.h"},
        {{WSHUB_REALM_VERSION, .name = "\xFF"},
         WSHUB_ERR_PARAM,
         "name is \"\\xff\": must be UTF-8 of at most WSHUB_NAME_BYTES_MAX (4096) bytes"},
        {{WSHUB_REALM_VERSION, .default_rooms = rooms},
         WSHUB_ERR_PARAM,
         "default_rooms is set, default_rooms_count is 0: a list needs its default_rooms_count, "
         "and the other way round"},
        {{WSHUB_REALM_VERSION, .default_rooms_count = 1},
         WSHUB_ERR_PARAM,
         "default_rooms is NULL, default_rooms_count is 1: a list needs its default_rooms_count, "
         "and the other way round"},
        {{WSHUB_REALM_VERSION, .default_rooms = rooms, .default_rooms_count = 3},
         WSHUB_ERR_PARAM,
         "default_rooms[2] is \"\\xff\": must be names of 1 to WSHUB_NAME_BYTES_MAX (4096) bytes "
         "of UTF-8"},
        {{WSHUB_REALM_VERSION, .default_rooms = rooms, .default_rooms_count = 5},
         WSHUB_ERR_PARAM,
         "default_rooms_count is 5: must be less than the hub's rooms_per_client_max, for the "
         "client's own room (ROOM-6)"},
        {{WSHUB_REALM_VERSION, .default_rooms = rooms, .default_rooms_count = 4},
         WSHUB_ERR_PARAM,
         "default_rooms_count is 4: must be at most the hub's rooms_max"},
        {{WSHUB_REALM_VERSION, .dialect = 3},
         WSHUB_ERR_PARAM,
         "dialect is 3: must be what wshub_dialect_add() has given, or 0"},
        {{WSHUB_REALM_VERSION, .name = "r"}, WSHUB_ERR_PARAM, "out_realm: required, and NULL"},
        {{WSHUB_REALM_VERSION, .name = "r"},
         WSHUB_ERR_LIMIT,
         "there are WSHUB_REALMS_MAX (65536) realms, and no more can be; destroy some"},
        {{WSHUB_REALM_VERSION, .name = "r"}, WSHUB_ERR_CLOSED, "the hub is shutting down"},
        {{WSHUB_REALM_VERSION, .name = "r"}, WSHUB_OK, ""},
    };
    world w;
    wshub_realm realm;
    size_t i;
    world_start(&w, DESC(.rooms_per_client_max = 5, .rooms_max = 3), FAKE(0));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool good = !wshub_realm_problem(w.hub, &cases[i].desc);
        EXPECT_INT(wshub_realm_create(w.hub, &cases[i].desc, good ? NULL : &realm),
                   WSHUB_ERR_PARAM);
        says(wshub_realm_explain(w.hub, &cases[i].desc, cases[i].err, why, sizeof why),
             cases[i].want);
    }
    says(wshub_realm_explain(w.hub, NULL, WSHUB_ERR_PARAM, why, sizeof why),
         "wshub_realm_desc: required");
    world_stop(&w);
}

TEST(an_emitter_that_cannot_be_made_says_which_field_and_what_is_in_it) { /* EMIT-1 */
    wshub_emitter_desc d;
    wshub_bus bus;
    memset(&d, 0, sizeof d);
    memset(&bus, 0, sizeof bus);
    says(wshub_emitter_explain(NULL, WSHUB_ERR_PARAM, why, sizeof why),
         "bus: required; wshub_bus_redis_create() or wshub_bus_local_seat() make one");
    says(wshub_emitter_explain(&d, WSHUB_ERR_PARAM, why, sizeof why),
         "bus is NULL: required; wshub_bus_redis_create() or wshub_bus_local_seat() make one");
    (void)wshub_emitter_explain_versioned(&d, 8, WSHUB_DESC_VERSION, WSHUB_OK, why, sizeof why);
    EXPECT_HAS(why, "wshub_emitter_desc: the program was compiled with another wshub.h");
    d.bus = &bus;
    (void)wshub_emitter_explain(&d, WSHUB_ERR_PARAM, why, sizeof why);
    EXPECT(strncmp(why, "bus is set: ", 12) == 0 && strstr(why, "WSHUB_BUS_VERSION"));
    bus.version = WSHUB_BUS_VERSION;
    says(wshub_emitter_explain(&d, WSHUB_ERR_PARAM, why, sizeof why),
         "bus is set: its table must have attach and publish");
    {
        wshub_bus_local *local;
        EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
        EXPECT_INT(wshub_bus_local_seat(local, &bus), WSHUB_OK);
        d.bus_burst_bytes_max = 1000;
        says(wshub_emitter_explain(&d, WSHUB_ERR_PARAM, why, sizeof why),
             "bus_burst_bytes_max is 1000, bus_queue_bytes_max is 1048576: must be at least "
             "bus_queue_bytes_max");
        d.bus_burst_bytes_max = 0;
        d.json_depth_max = 1u << 30;
        says(wshub_emitter_explain(&d, WSHUB_ERR_PARAM, why, sizeof why),
             "json_depth_max is 1073741824: must be at most WSHUB_JSON_DEPTH_MAX, which can be "
             "defined larger");
        d.json_depth_max = 0;
        says(wshub_emitter_explain(&d, WSHUB_ERR_PARAM, why, sizeof why),
             "out_emitter: required, and NULL");
        says(wshub_emitter_explain(&d, WSHUB_ERR_STATE, why, sizeof why),
             "bus is set: another hub or emitter has it, and a bus has one owner; make one for "
             "each");
        says(wshub_emitter_explain(&d, WSHUB_ERR_NOMEM, why, sizeof why),
             wshub_strerror(WSHUB_ERR_NOMEM));
        says(wshub_emitter_explain(&d, WSHUB_OK, why, sizeof why), "");
        (void)bus.attach(bus.ctx, NULL);
        wshub_bus_local_destroy(local);
    }
}

/* For backends: fields of every size, and a name that also tells another one which is not there. */
TEST(a_backend_explains_its_own_description) {
    typedef struct mine {
        uint16_t port;
        uint64_t bytes;
        bool on;
        const char *text;
        void *thing;
    } mine;
    static const wshub_field fields[] = {
        WSHUB_FIELD(mine, port, UINT, "bytes"), WSHUB_FIELD(mine, bytes, UINT, "no"),
        WSHUB_FIELD(mine, on, BOOL, NULL), WSHUB_FIELD(mine, text, TEXT, NULL),
        WSHUB_FIELD(mine, thing, POINTER, NULL)};
    static const char *const cases[][2] = {{"port: why", "port is 65535, bytes is 5000000000: why"},
                                           {"bytes: why", "bytes is 5000000000: why"},
                                           {"on: why", "on is false: why"},
                                           {"text: why", "text is NULL: why"},
                                           {"thing: why", "thing is NULL: why"},
                                           {"por: none", "por: none"},
                                           {"no name at all", "no name at all"}};
    mine m = {65535, 5000000000u, false, NULL, NULL};
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
        says(wshub_explain(cases[i][0], &m, fields, 5, why, sizeof why), cases[i][1]);
    says(wshub_explain(NULL, NULL, NULL, 0, why, sizeof why), "");
    EXPECT_INT(wshub_explain(NULL, NULL, NULL, 0, NULL, 0), 0);
}

/* Each kind of bad URL and bad field of a bus to Redis, and no password of anybody. */
TEST(a_bus_to_redis_that_cannot_be_made_says_which_field_and_what_is_in_it) {
    static char longest[4200], name[130];
    static wshub_io no_guest, other_io;
    static struct {
        wshub_bus_redis_desc desc;
        const char *want;
    } cases[] = {
        {{.url = NULL}, "url is NULL: required, as redis://127.0.0.1:6379"},
        {{.url = "127.0.0.1:6379"},
         "url is \"127.0.0.1:6379\": must begin with redis://, valkey://, rediss://, valkeys:// "
         "or unix://"},
        {{.url = "ada:secret@host"},
         "url is \"***@host\": must begin with redis://, valkey://, rediss://, valkeys:// or "
         "unix://"},
        {{.url = "rediss://ada:secret@host"},
         "url is \"rediss://***@host\", tls is false: rediss:// needs an io that encrypts, and "
         "desc.tls to say so"},
        {{.url = "redis://host", .tls = true},
         "url is \"redis://host\", tls is true: must begin with rediss://, since desc.tls says "
         "that the io encrypts"},
        {{.url = "redis://ada:sec/ret@host"},
         "url is \"redis://***@host\": an address is host, host:port or [v6]:port, with a port of "
         "1 to 65535; a / in user or "
         "password is written %2F"},
        {{.url = "redis://ada:sec%zzret@host"},
         "url is \"redis://***@host\": a % in user or password is followed by two hex digits, and "
         "not by 00"},
        {{.url = "redis://ada@host"},
         "url is \"redis://***@host\": a user needs a password: user:password@"},
        {{.url = "redis://ada:secret:6379"},
         "url is \"redis://***:6379\": an address is host, host:port or [v6]:port, with a port of "
         "1 to 65535; a / in user or "
         "password is written %2F"},
        {{.url = "redis://[::1:6379"},
         "url is \"redis://[::1:6379\": an address is host, host:port or [v6]:port, with a port of "
         "1 to 65535; a / in user "
         "or password is written %2F"},
        {{.url = "redis://host:99999"},
         "url is \"redis://host:99999\": an address is host, host:port or [v6]:port, with a port "
         "of "
         "1 to 65535; a / in user "
         "or password is written %2F"},
        {{.url = "redis://a,,b"},
         "url is \"redis://a,,b\": an address is empty; a list has one between any two commas"},
        {{.url = "redis://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"},
         "url is \"redis://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\": may have at most 16 addresses"},
        {{.url = "redis://host/two"},
         "url is \"redis://host/two\": a database must be a number, as in redis://host:6379/2"},
        {{.url = "redis://host?password=secret"},
         "url is \"redis://host?***\": of a query only ?db=N, once; all else is a field of the "
         "description"},
        {{.url = "redis://host#secret"},
         "url is \"redis://host#***\": has no fragment; a # in user, password or path is written "
         "%23"},
        {{.url = "unix://run/redis.sock"},
         "url is \"unix://run/redis.sock\": unix:// is followed by the path of a socket, which "
         "begins with /"},
        {{.url = longest}, "url is \"(not shown)\": must be at most 4096 bytes"},
        {{.url = "redis://h", .sentinel = ""},
         "sentinel is \"\": must be the name of a master, 1 to 128 bytes"},
        {{.url = "redis://h", .client_name = "a b"},
         "client_name is \"a b\": must be at most 128 bytes without spaces"},
        {{.url = "redis://h", .channel_prefix = name},
         "channel_prefix is \"pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
         "...\" (129 bytes): must be at most 128 bytes"},
        {{.url = "redis://h", .retry_min_ms = 9000},
         "retry_min_ms is 9000, retry_max_ms is 5000: must be at most retry_max_ms"},
        {{.url = "redis://h", .heartbeat_ms = 4000},
         "heartbeat_timeout_ms is 3000, heartbeat_ms is 4000: must be more than heartbeat_ms"},
        {{.url = "redis://h", .message_bytes_max = 10},
         "message_bytes_max is 10: must be 1024 to 1073741824 (1 KiB to 1 GiB)"},
        {{.url = "redis://h", .output_bytes_max = WSHUB_OFF},
         "output_bytes_max is 4294967295 (WSHUB_OFF): must be 1024 to 1073741824 (1 KiB to 1 GiB)"},
        {{.url = "redis://h", .requests_max = 70000},
         "requests_max is 70000: must be at most WSHUB_BUS_REDIS_REQUESTS_MAX (65536)"},
        {{.url = "redis://h", .io = &no_guest},
         "io is set: its table must have guest, connect and random, as wshub_io_sock.h has them"},
        {{.url = "redis://h", .io = &other_io},
         "io is set: its table is of another wshub.h; compile it and this backend with the same "
         "one"},
    };
    wshub_io_fake *net;
    wshub_bus_redis *redis = NULL;
    wshub_bus_redis_desc good;
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    memset(longest, 'x', sizeof longest - 1);
    memset(name, 'p', sizeof name - 1);
    no_guest = other_io = *wshub_io_fake_io(net);
    no_guest.guest = NULL;
    other_io.version = 99;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_bus_redis_desc *d = &cases[i].desc;
        if (!d->io) d->io = wshub_io_fake_io(net);
        EXPECT_INT(wshub_bus_redis_create(d, &redis), WSHUB_ERR_PARAM);
        says(wshub_bus_redis_desc_explain(d, WSHUB_ERR_PARAM, why, sizeof why), cases[i].want);
    }

    says(wshub_bus_redis_desc_explain(NULL, WSHUB_ERR_PARAM, why, sizeof why),
         "io: required, usually that of the hub");
    (void)wshub_bus_redis_desc_explain_versioned(&cases[0].desc, sizeof good, 77, WSHUB_OK, why,
                                                 sizeof why);
    EXPECT_HAS(why, "was compiled with another wshub_bus_redis.h");
    (void)wshub_bus_redis_desc_explain_versioned(&cases[0].desc, 8, WSHUB_BUS_REDIS_DESC_VERSION,
                                                 WSHUB_OK, why, sizeof why);
    EXPECT_HAS(why, "was compiled with another wshub_bus_redis.h");
    memset(&good, 0, sizeof good);
    says(wshub_bus_redis_desc_explain(&good, WSHUB_ERR_PARAM, why, sizeof why),
         "io is NULL: required, usually that of the hub");
    good.io = wshub_io_fake_io(net);
    good.url = "redis://h";
    says(wshub_bus_redis_desc_explain(&good, WSHUB_ERR_PARAM, why, sizeof why),
         "out_redis: required, and NULL");
    says(wshub_bus_redis_desc_explain(&good, WSHUB_ERR_RANDOM, why, sizeof why),
         "io is set: its random() has failed");
    says(wshub_bus_redis_desc_explain(&good, WSHUB_ERR_NOMEM, why, sizeof why),
         wshub_strerror(WSHUB_ERR_NOMEM));
    says(wshub_bus_redis_desc_explain(&good, WSHUB_OK, why, sizeof why), "");
    good.url = "redis://h:99999"; /* who looks at no more than the result is told, too */
    wshub_io_fake_log_forget(net);
    EXPECT_INT(wshub_bus_redis_create(&good, &redis), WSHUB_ERR_PARAM);
    EXPECT_HAS(wshub_io_fake_log(net).ptr,
               "error CREATE: wshub_bus_redis_create(): url is \"redis://h:99999\": an address is");
    good.no_log = true;
    wshub_io_fake_log_forget(net);
    EXPECT_INT(wshub_bus_redis_create(&good, &redis), WSHUB_ERR_PARAM);
    EXPECT_INT(wshub_io_fake_log(net).len, 0);
    wshub_io_fake_destroy(net);
}

TEST(a_bus_of_one_process_says_what_it_lacks) {
    wshub_bus_local *local = NULL;
    EXPECT(strstr(wshub_bus_local_explain(wshub_bus_local_create(NULL, NULL)), "out_local"));
    EXPECT(strstr(wshub_bus_local_explain(wshub_bus_local_seat(local, NULL)), "out_seat"));
    EXPECT(strstr(wshub_bus_local_explain(WSHUB_ERR_NOWAKE), "needs atomics"));
    EXPECT(strcmp(wshub_bus_local_explain(WSHUB_ERR_NOMEM), wshub_strerror(WSHUB_ERR_NOMEM)) == 0);
    EXPECT(strcmp(wshub_bus_local_explain(WSHUB_OK), "ok") == 0);
}

TEST(pages_of_other_origins_are_refused_with_the_value_that_is_wrong) { /* HTTP-4 */
    static const char *const shops[] = {"https://shop.example"}, *const anybody[] = {"*"},
                             *const bare[] = {"https://a.example", "shop.example"},
                             *const hole[] = {NULL};
    static const struct {
        wshub_cors cors;
        const char *want;
    } cases[] = {
        {{.origins = NULL},
         "cors: origins and origins_count are required, one at least; pages of any origin: `*`"},
        {{.origins = bare, .origins_count = 2},
         "an entry of cors.origins is \"shop.example\": origins are written as those of "
         "allowed_origins are"},
        {{.origins = hole, .origins_count = 1},
         "an entry of cors.origins is NULL: origins are written as those of allowed_origins are"},
        {{.origins = anybody, .origins_count = 1, .credentials = true},
         "an entry of cors.origins is \"*\": with credentials `*` and `null` would let any page "
         "act as whoever looks at it; name the origins"},
        {{.origins = shops, .origins_count = 1, .methods = "GET PUT"},
         "cors.methods is \"GET PUT\": methods, headers and expose are names, separated by "
         "commas, or NULL"},
        {{.origins = shops, .origins_count = 1, .headers = ","},
         "cors.headers is \",\": methods, headers and expose are names, separated by commas, or "
         "NULL"},
        {{.origins = shops, .origins_count = 1, .expose = "X-A, *", .credentials = true},
         "cors.expose is \"X-A, *\": with credentials browsers take `*` for a name in methods, "
         "headers and expose; write down the names"},
    };
    wshub_io_fake *net;
    size_t i;
    EXPECT_INT(wshub_io_fake_create(NULL, &net), WSHUB_OK);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wshub_desc d = DESC(.cors = &cases[i].cors);
        wshub_mount_desc m = {WSHUB_MOUNT_VERSION, .path = "/", .cors = &cases[i].cors};
        d.io = wshub_io_fake_io(net);
        says(wshub_desc_explain(&d, WSHUB_OK, why, sizeof why), cases[i].want);
        says(wshub_mount_explain(&m, WSHUB_OK, why, sizeof why), cases[i].want);
    }
    wshub_io_fake_destroy(net);
}
