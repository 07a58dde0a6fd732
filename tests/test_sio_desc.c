/* What a server of Socket.IO, its engine and its namespaces are refused for, and that whoever looks
 * at no more than the result is told of it: by wshub_sio_desc_explain() and its relatives, and by a
 * line in the log. */

#include "eio_site.h"
#include "wshub_dialect_socketio.h"

static char why[WSHUB_EXPLAIN_BYTES];

/* What the io has shown since this was last called. */
static const char *shown(world *w) {
    static char text[2000];
    wshub_str log = wshub_io_fake_log(w->net);
    (void)snprintf(text, sizeof text, "%.*s", (int)log.len, log.len ? log.ptr : "");
    wshub_io_fake_log_forget(w->net);
    return text;
}

TEST(a_server_that_is_not_made_says_why) {
    static const char *const slash[] = {"http://localhost:3000/"};
    static const wshub_eio_cors cors = {.origins = slash, .origins_count = 1};
    static const struct {
        wshub_sio_desc desc;
        const char *says;
    } cases[] = {
        {{.attachments_max = 100}, "attachments_max is 100: must be at most 99"},
        {{.recovery_ms = 2000000000}, "recovery_ms is 2000000000: must be at most 1073741824"},
        {{.recovery_skip_connect = true}, "recovery_skip_connect is true, recovery_ms is 0: "},
        {{.bus = true}, "bus is true: the hub has none; set wshub_desc.bus"},
        {{.bus_key = "app"}, "bus_key is \"app\", bus is false: "},
        {{.bus_mode = WSHUB_SIO_BUS_PRECISE}, "bus_mode is 1, bus is false: "},
        {{.specific_responses = true}, "specific_responses is true, bus is false: "},
        {{.bus = true, .bus_key = "a*"}, "bus_key is \"a*\", bus is true: must be 1 to 54 bytes"},
        {{.engine = {.path = "chat"}}, "engine.path is \"chat\": must begin with `/`"},
        {{.engine = {.path = "/a?b"}}, "engine.path is \"/a?b\": must be without query"},
        {{.engine = {.no_polling = true, .no_websocket = true}},
         "engine.no_polling is true, no_websocket is true: one of the two"},
        {{.engine = {.cookie_rest = "Path=/"}}, "engine.cookie_rest is \"Path=/\": it stands"},
        {{.engine = {.cors = &cors}},
         "engine.cors.origins[0] is \"http://localhost:3000/\": must be `https://host[:port]`, no "
         "path, no slash behind it"},
    };
    wshub_sio *sio = NULL;
    world w;
    size_t i;

    world_start(&w, DESC(.no_dialect = true), FAKE(0));
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[300];
        (void)shown(&w);
        EXPECT_INT(wshub_sio_create(w.hub, &cases[i].desc, &sio), WSHUB_ERR_PARAM);
        (void)wshub_sio_desc_explain(w.hub, &cases[i].desc, WSHUB_ERR_PARAM, why, sizeof why);
        EXPECT_HAS(why, cases[i].says);
        EXPECT(strncmp(why, cases[i].says, strlen(cases[i].says)) == 0);
        (void)snprintf(line, sizeof line, "error CREATE: wshub_sio_create(): %s", cases[i].says);
        EXPECT_HAS(shown(&w), line);
        wshub_io_fake_advance(w.net, 1000); /* ten lines of a code a second */
    }
    EXPECT_INT(wshub_sio_create(w.hub, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(shown(&w), "wshub_sio_create(): hub, out_sio: required, and NULL\n");
    EXPECT_INT(wshub_sio_create_versioned(w.hub, &cases[0].desc, 8, WSHUB_SIO_DESC_VERSION, &sio),
               WSHUB_ERR_PARAM);
    EXPECT_HAS(shown(&w), "of another wshub_dialect_socketio.h than the code\n");
    EXPECT_INT(wshub_sio_create(NULL, NULL, &sio), WSHUB_ERR_PARAM);
    EXPECT(!sio);
    (void)wshub_sio_desc_explain(w.hub, NULL, WSHUB_OK, why, sizeof why);
    EXPECT_STR(why, "");
    (void)wshub_sio_desc_explain(w.hub, NULL, WSHUB_ERR_NOMEM, why, sizeof why);
    EXPECT_STR(why, wshub_strerror(WSHUB_ERR_NOMEM));
    world_stop(&w);
}

TEST(two_servers_do_not_share_a_path) {
    static const char taken[] =
        "is \"/socket.io/\": something that takes all requests of this path "
        "is mounted there already";
    wshub_sio_desc other = {.engine = {.path = "/other"}};
    wshub_eio_desc engine = {.path = "/socket.io"};
    wshub_mount_desc mount = {
        .version = WSHUB_MOUNT_VERSION, .path = "/socket.io/", .prefix = true};
    wshub_sio *one, *two = NULL, *three;
    wshub_eio *eio = NULL;
    uint32_t i;
    world w;

    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(wshub_sio_create(w.hub, NULL, &one), WSHUB_OK);
    (void)shown(&w);
    for (i = 0; i < 30; i++) /* and no dialect of the hub is spent on it */
        EXPECT_INT(wshub_sio_create(w.hub, NULL, &two), WSHUB_ERR_STATE);
    EXPECT_HAS(shown(&w), taken);
    (void)wshub_sio_desc_explain(w.hub, NULL, WSHUB_ERR_STATE, why, sizeof why);
    EXPECT_HAS(why, "engine.path is \"/socket.io/\": ");
    EXPECT_INT(wshub_eio_create(w.hub, &engine, &eio), WSHUB_ERR_STATE);
    (void)wshub_eio_desc_explain(w.hub, &engine, WSHUB_ERR_STATE, why, sizeof why);
    EXPECT_HAS(why, "path is \"/socket.io\": something");
    EXPECT_INT(wshub_mount(w.hub, &mount), WSHUB_ERR_STATE);
    EXPECT(!two && !eio);
    EXPECT_INT(wshub_sio_create(w.hub, &other, &three), WSHUB_OK);
    wshub_destroy(w.hub);
    w.hub = NULL;
    wshub_sio_destroy(three);
    wshub_sio_destroy(one);
    world_stop(&w);
}

TEST(a_hub_that_is_full_of_dialects_says_so) {
    wshub_dialect table = {.version = WSHUB_DIALECT_VERSION, .name = "more"};
    wshub_sio *sio = NULL;
    uint32_t number;
    wshub_kind kind;
    world w;

    world_start(&w, DESC(0), FAKE(0));
    while (wshub_dialect_add(w.hub, &table, NULL, &number) == WSHUB_OK) {
    }
    EXPECT_HAS(shown(&w), "error CREATE: wshub_dialect_add(): there are WSHUB_DIALECTS_MAX (16)");
    EXPECT_INT(wshub_kind_add(w.hub, NULL, &kind), WSHUB_ERR_PARAM);
    EXPECT_HAS(shown(&w), "error CREATE: wshub_kind_add(): encode, name, out_kind: required");
    EXPECT_INT(wshub_sio_create(w.hub, NULL, &sio), WSHUB_ERR_LIMIT);
    EXPECT_HAS(shown(&w), "error CREATE: wshub_sio_create(): the hub has as many mounts");
    EXPECT(!sio);
    world_stop(&w);
}

TEST(a_namespace_that_is_not_made_says_why) {
    static const char *const rooms[] = {"a"}, *const hole[] = {NULL};
    static const wshub_sio_flow flows[] = {
        {.default_rooms = rooms},
        {.default_rooms_count = 1},
        {.default_rooms = hole, .default_rooms_count = 1},
        {.default_rooms = rooms, .default_rooms_count = 1, .no_default_rooms = true}};
    static const char *const says[] = {"flow: default_rooms needs its default_rooms_count",
                                       "flow: default_rooms needs its default_rooms_count",
                                       "flow: default_rooms must be names",
                                       "flow: no_default_rooms"};
    wshub_sio_namespace_desc root = {.name = NULL}, bad = {.name = "chat"};
    wshub_sio *sio;
    world w;
    size_t i;

    world_start(&w, DESC(0), FAKE(0));
    EXPECT_INT(wshub_sio_create(w.hub, NULL, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_OK);
    (void)shown(&w);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(shown(&w), "error CREATE: wshub_sio_namespace_add(): name is \"/\": there is such");
    EXPECT_INT(wshub_sio_namespace_add(sio, &bad, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(shown(&w), "name is \"chat\": must begin with `/`");
    EXPECT_INT(wshub_sio_namespace_add(sio, NULL, NULL), WSHUB_ERR_PARAM);
    EXPECT_HAS(shown(&w), "wshub_sio_namespace_desc: required");
    for (i = 0; i < sizeof says / sizeof says[0]; i++) {
        bad.name = "/flow";
        bad.flow = &flows[i];
        EXPECT_INT(wshub_sio_namespace_add(sio, &bad, NULL), WSHUB_ERR_PARAM);
        EXPECT_HAS(shown(&w), says[i]);
    }
    wshub_destroy(w.hub);
    w.hub = NULL;
    wshub_sio_destroy(sio);
    world_stop(&w);
}

static int origins_lines;
static char nowhere[4][200];
static int nowheres;
static void on_log(wshub *hub, const wshub_log *line, void *user) {
    (void)hub, (void)user;
    origins_lines += line->code == WSHUB_LOG_ORIGINS_OPEN;
    if (line->code == WSHUB_LOG_SEND_NOWHERE && nowheres < 4)
        (void)snprintf(nowhere[nowheres++], sizeof nowhere[0], "%s", line->text);
    if (line->code == WSHUB_LOG_CREATE) (void)snprintf(why, sizeof why, "%s", line->text);
}

/* Whose pages may connect is asked where something can be connected to. */
TEST(a_server_on_a_hub_without_origins_is_warned_of) { /* CONN-2 */
    static const char *const pages[] = {"https://a.example"};
    int listed;
    for (listed = 0; listed < 2; listed++) {
        wshub_sio *sio, *other;
        wshub_sio_desc second = {.engine = {.path = "/other/"}};
        world w;
        origins_lines = 0;
        world_start(&w,
                    DESC(.no_dialect = true, .on_log = on_log,
                         .allowed_origins = listed ? pages : NULL,
                         .allowed_origins_count = listed ? 1 : 0),
                    FAKE(0));
        EXPECT_INT(origins_lines, 0);
        EXPECT_INT(wshub_sio_create(w.hub, NULL, &sio), WSHUB_OK);
        EXPECT_INT(wshub_sio_create(w.hub, &second, &other), WSHUB_OK);
        EXPECT_INT(origins_lines, !listed); /* once */
        EXPECT_INT(wshub_sio_create(w.hub, &second, &other), WSHUB_ERR_STATE);
        EXPECT_HAS(why, "not made: wshub_sio_create(): engine.path is \"/other/\"");
        wshub_destroy(w.hub);
        w.hub = NULL;
        wshub_sio_destroy(other);
        wshub_sio_destroy(sio);
        world_stop(&w);
    }
}

/* wshub_room_send() and its relatives mean the realm in which JSON clients are. */
TEST(who_sends_to_json_clients_that_cannot_be_there_is_told) {
    wshub_msg say = msg("said", "1");
    wshub_sio_namespace_desc root = {.name = NULL};
    wshub_dest all = {.kind = WSHUB_DEST_ALL};
    wshub_sio_namespace space;
    wshub_sio *sio;
    world w;

    nowheres = 0;
    world_start(&w, DESC(.no_dialect = true, .on_log = on_log), FAKE(0));
    EXPECT_INT(wshub_sio_create(w.hub, NULL, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, &space), WSHUB_OK);
    EXPECT_INT(wshub_room_send(w.hub, wshub_str_z("r1"), &say, NULL, 0), WSHUB_OK);
    EXPECT_INT(nowheres, 1);
    EXPECT_STR(nowhere[0], "sent to JSON clients, of which this hub has none: see "
                           "wshub_sio_emit(), wshub_dest.realm: said");
    EXPECT_INT(wshub_all_send_here(w.hub, &say, NULL, 0), WSHUB_OK);
    EXPECT_INT(nowheres, 2);
    EXPECT_INT(wshub_send_here(w.hub, NULL, &say), WSHUB_OK);
    EXPECT_INT(nowheres, 3);
    all.realm = wshub_sio_namespace_realm(sio, space); /* an empty one is none of that */
    EXPECT_INT(wshub_send(w.hub, &all, &say), WSHUB_OK);
    EXPECT_INT(nowheres, 3);
    wshub_destroy(w.hub);
    w.hub = NULL;
    wshub_sio_destroy(sio);
    world_stop(&w);
}

/* On a bus others may have such clients. */
TEST(a_send_that_others_may_hear_is_no_mistake) { /* SEND-3 */
    wshub_msg say = {.event = wshub_str_z("said"), .data = wshub_str_z("1")};
    wshub_sio_namespace_desc root = {.name = NULL};
    wshub_sio_namespace space;
    wshub_bus_local *local;
    wshub_bus seat;
    wshub_sio *sio;
    world w;

    nowheres = 0;
    EXPECT_INT(wshub_bus_local_create(NULL, &local), WSHUB_OK);
    EXPECT_INT(wshub_bus_local_seat(local, &seat), WSHUB_OK);
    world_start(&w, DESC(.no_dialect = true, .on_log = on_log, .bus = &seat), FAKE(0));
    EXPECT_INT(wshub_sio_create(w.hub, NULL, &sio), WSHUB_OK);
    EXPECT_INT(wshub_sio_namespace_add(sio, &root, &space), WSHUB_OK);
    EXPECT_INT(wshub_room_send(w.hub, wshub_str_z("r1"), &say, NULL, 0), WSHUB_OK);
    EXPECT_INT(nowheres, 0);
    wshub_destroy(w.hub);
    w.hub = NULL;
    wshub_sio_destroy(sio);
    world_stop(&w);
    wshub_bus_local_destroy(local);
}
