/* What was recorded of Node's server and its recovery of connections (tests/socketio/recovery.txt, where
 * it is said what we do otherwise), played over WebSockets, whole and byte by byte, and over polls. */
#include "sio_recovery_site.h"
#include "texts.h"

static void ignore(wshub_sio *of, const wshub_sio_answers *answers, void *user) {
    (void)of, (void)answers, (void)user;
}
static wshub_client socket_named(const char *id) {
    wshub_client c = {0};
    (void)wshub_client_find_in(s.w.hub, wshub_sio_namespace_realm(sio, wshub_sio_of(sio, "/")),
                               wshub_str_z(id), &c);
    return c;
}

/* What a line of a transcript has the application say: `word`, the name behind it, a packet. */
static void emits(const char *word, const char *name, const wshub_packet *packet) {
    wshub_sio_namespace root = wshub_sio_of(sio, "/");
    wshub_str what = wshub_str_z(name);
    wshub_packet copy = *packet;
    wshub_dest dest;
    wshub_err err = WSHUB_ERR_PARAM;
    memset(&dest, 0, sizeof dest);
    dest.kind = WSHUB_DEST_ALL;
    if (strcmp(word, "room") == 0) {
        dest.kind = WSHUB_DEST_ROOM;
        dest.name = what;
    } else if (strcmp(word, "not") == 0) {
        dest.except_rooms = &what;
        dest.except_rooms_count = 1;
    } else if (strcmp(word, "others") == 0) {
        dest.exclude = &what;
        dest.exclude_count = 1;
    } else if (strcmp(word, "volatile") == 0) {
        copy.flags = WSHUB_PACKET_VOLATILE;
    }
    if (strcmp(word, "to") == 0)
        err = wshub_sio_send(sio, socket_named(name), packet);
    else if (strcmp(word, "ask") == 0)
        err = wshub_sio_ask(sio, socket_named(name), packet, 0, ignore, NULL);
    else if (strcmp(word, "askall") == 0)
        err = wshub_sio_ask_all(sio, root, NULL, packet, 3000, ignore, NULL);
    else if (strcmp(word, "to/a") == 0)
        err = wshub_sio_emit(sio, wshub_sio_of(sio, "/a"), NULL, packet);
    else
        err = wshub_sio_emit(sio, root, &dest, &copy);
    EXPECT_INT(err, WSHUB_OK);
}
static void act(const char *what) {
    char words[600], *word, *name, *rest;
    spoken sp;
    char *packet;
    (void)snprintf(words, sizeof words, "%s", filled(what));
    packet = strstr(words, " [");
    if (packet) *packet++ = 0;
    word = strtok(words, " ");
    name = strtok(NULL, " ");
    rest = strtok(NULL, " ");
    if (packet) {
        emits(word, name ? name : "", speak(&sp, packet));
    } else if (strcmp(word, "join") == 0) {
        EXPECT_INT(wshub_client_join(s.w.hub, socket_named(name), wshub_str_z(rest)), WSHUB_OK);
    } else if (strcmp(word, "leave") == 0) {
        EXPECT_INT(wshub_client_leave(s.w.hub, socket_named(name), wshub_str_z(rest)), WSHUB_OK);
    } else if (strcmp(word, "kick") == 0) {
        EXPECT_INT(wshub_sio_disconnect(sio, socket_named(name), rest != NULL), WSHUB_OK);
    } else if (strcmp(word, "drop") == 0) {
        wshub_eio_session session = wshub_sio_session_of(sio, socket_named(name));
        EXPECT_INT(wshub_eio_close(wshub_sio_engine(sio), session), WSHUB_OK);
    } else if (strcmp(word, "wait") == 0) {
        wshub_io_fake_advance(s.w.net, (uint64_t)atoi(name));
    } else {
        EXPECT(strcmp(word, "refuse") == 0 || strcmp(word, "accept") == 0);
        app.refuses = word[0] == 'r';
    }
    wshub_io_fake_run(s.w.net);
}

/* ---- transcripts ---- */

enum { WHOLE, CUT, POLLED, WAYS };

static void play_line(eio_peer peers[2], const char *line, int way) {
    eio_peer *p = &peers[line[0] == 'B'];
    if (!strchr("=!AB", line[0]) || strchr("+->!", line[line[0] != '!'])) {
        hears_nothing(&peers[0]);
        hears_nothing(&peers[1]);
        is_told_nothing();
    }
    if (line[0] == '=') {
        /* Of sockets that go together, the order is not the matter here. */
        char want[200];
        int i = app.looked_at;
        while (i + 1 < app.tellings && !text_is(app.told[i], line + 2)) i++;
        (void)snprintf(want, sizeof want, "%s", app.told[i]);
        memmove(app.told[i], app.told[app.looked_at], sizeof want);
        memcpy(app.told[app.looked_at], want, sizeof want);
        is_told(text_is(want, line + 2) ? want : line + 2);
    } else if (line[0] == '!') {
        act(line + 2);
    } else if (line[1] == '+') {
        eio_peer_open(&s, p, way == POLLED);
    } else if (line[1] == '-') {
        peer_lose(p);
    } else if (line[1] == '>') {
        eio_peer_say(p, filled(line + 3));
    } else if (line[1] == '<') {
        hears(p, line + 3);
    } else if (line[1] == '*') {
        hears_bytes(p, line + 3);
    } else {
        EXPECT_STR(line + 1, "x");
        hears_end(p);
    }
}
static void play(char *lines, const char *name, int way) {
    const char *ms = strstr(name, "ms=");
    char *line, *next;
    eio_peer peers[2];
    memset(peers, 0, sizeof peers);
    names_count = 0;
    start(SIO(.recovery_ms = ms ? (uint32_t)atoi(ms + 3) : 5000,
              .recovery_skip_connect = strstr(name, "skip=1") != NULL),
          FAKE(.cut_bytes = way == CUT));
    for (line = lines; line && *line && strncmp(line, "==", 2) != 0; line = next) {
        size_t len = strcspn(line, "\n");
        next = line[len] ? line + len + 1 : NULL;
        line[len] = 0;
        if (line[0] != '-') play_line(peers, line + (line[0] == '+'), way);
        if (next) next[-1] = '\n';
    }
    hears_nothing(&peers[0]);
    hears_nothing(&peers[1]);
    is_told_nothing();
    stop();
}

TEST(what_was_recorded_of_recovery_is_played_over_every_transport) { /* 3.5 */
    int way, played = 0;
    for (way = 0; way < WAYS; way++) {
        char *text = text_of("tests/socketio/recovery.txt"), *at = text;
        while (at && (at = strstr(at, "\n== ")) != NULL) {
            int before = test_failures;
            char name[80];
            at += 4;
            (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
            at = strchr(at, '\n') + 1;
            play(at, name, way);
            if (test_failures != before) (void)printf("  in %s, way %d\n", name, way);
            played++;
            at--;
        }
        free(text);
    }
    EXPECT_INT(played, 3 * 19);
}
