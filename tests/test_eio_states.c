/* The states of a session of Engine.IO and what can happen to it (2.4, 2.6 of the protocol), as a
 * table that is tested whole: each thing in each state, which state follows, and what is heard of
 * it, by whom. */
#include "eio_site.h"

/* What a session is at; of states in which the two sides know different things there are
 * several. */
enum {
    IDLE,    /* polls, and no poll is held */
    HELD,    /* a poll is held */
    POSTS,   /* no poll is held; the body of a post has come in part */
    TRIES,   /* a WebSocket is there beside it, and has said nothing; no poll is held */
    PROBED,  /* the same, and it has been probed; a poll is held */
    SOCKET,  /* a WebSocket carries it */
    CLOSING, /* it was closed while no poll was held; its client has yet to hear of it */
    STATES,
    DEAD /* its id is unknown */
};
static const char *const state_names[] = {"IDLE",   "HELD",    "POSTS", "TRIES", "PROBED",
                                          "SOCKET", "CLOSING", "",      "DEAD"};

/* What happens. */
enum {
    GET_POLL,     /* a poll comes */
    GET_DROPPED,  /* the poll that is held is dropped; where none is, one comes and is dropped */
    POST_TEXT,    /* `4hi`, which is echoed */
    POST_CLOSE,   /* `1` */
    POST_PING,    /* `2`, which is the server's to say */
    POST_BAD,     /* `9`, no packet */
    POST_TYPE,    /* a body that is said to be bytes */
    POST_LONG,    /* a body that is said to be too long */
    POST_DROPPED, /* a post ends in the middle of its body */
    PUT,          /* a method of no use */
    UPGRADE,      /* a request for a WebSocket comes */
    WS_PROBE,     /* on its WebSocket: `2probe` */
    WS_SWITCH,    /* `5` */
    WS_TEXT,      /* `4hi` */
    WS_BYTES,     /* a binary frame, which is echoed */
    WS_EMPTY,     /* a frame of no bytes */
    WS_CLOSE,     /* `1` */
    WS_BAD,       /* a frame that is not masked */
    WS_GONE,      /* its stream ends */
    SENDS,        /* the application sends `m` */
    CLOSES,       /* the application closes it */
    SHUTS,        /* the application shuts all down */
    TICK,         /* 100 ms pass */
    PING,         /* the time of the next ping comes */
    NO_PONG,      /* and that of its pong, with nothing heard meanwhile */
    EVENTS
};
static const char *const event_names[] = {
    "GET",       "GET dropped",  "POST 4hi", "POST 1",      "POST 2",    "POST 9", "POST bytes",
    "POST long", "POST dropped", "PUT",      "UPGRADE",     "ws 2probe", "ws 5",   "ws 4hi",
    "ws bytes",  "ws empty",     "ws 1",     "ws unmasked", "ws gone",   "send",   "close",
    "shutdown",  "100 ms",       "ping",     "no pong"};

/* A cell is `STATE what is heard`: of the answer to the request of the event its status and body
 * (`200:ok`), of the poll that was held `poll:`, of the WebSocket `ws:` (`X`: it is closed), and
 * the reason that on_close is told. `-`: it cannot happen there. WSHUB_TABLE: the table is printed
 * as it turns out. */
/* clang-format off */
static const char *const table[EVENTS][STATES] = {
    {   /* GET_POLL */
        /* IDLE    */ "HELD",
        /* HELD    */ "DEAD 400 poll:200:1 (transport error)",
        /* POSTS   */ "POSTS",
        /* TRIES   */ "TRIES",
        /* PROBED  */ "DEAD 400 poll:200:1 ws:X (transport error)",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "DEAD 200:6|1",
    },
    {   /* GET_DROPPED */
        /* IDLE    */ "DEAD (transport error)",
        /* HELD    */ "DEAD (transport error)",
        /* POSTS   */ "DEAD (transport error)",
        /* TRIES   */ "DEAD ws:X (transport error)",
        /* PROBED  */ "DEAD ws:X (transport error)",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "DEAD 200:6|1",
    },
    {   /* POST_TEXT */
        /* IDLE    */ "IDLE 200:ok",
        /* HELD    */ "IDLE 200:ok poll:200:4hi",
        /* POSTS   */ "DEAD 400 (transport error)",
        /* TRIES   */ "TRIES 200:ok",
        /* PROBED  */ "PROBED 200:ok poll:200:4hi",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING 200:ok",
    },
    {   /* POST_CLOSE */
        /* IDLE    */ "DEAD 200:ok (transport close)",
        /* HELD    */ "DEAD 200:ok poll:200:6 (transport close)",
        /* POSTS   */ "DEAD 400 (transport error)",
        /* TRIES   */ "DEAD 200:ok ws:X (transport close)",
        /* PROBED  */ "DEAD 200:ok poll:200:6 ws:X (transport close)",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING 200:ok",
    },
    {   /* POST_PING */
        /* IDLE    */ "DEAD 200:ok (transport error)",
        /* HELD    */ "DEAD 200:ok poll:200:1 (transport error)",
        /* POSTS   */ "DEAD 400 (transport error)",
        /* TRIES   */ "DEAD 200:ok ws:X (transport error)",
        /* PROBED  */ "DEAD 200:ok poll:200:1 ws:X (transport error)",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING 200:ok",
    },
    {   /* POST_BAD */
        /* IDLE    */ "DEAD 200:ok (parse error)",
        /* HELD    */ "DEAD 200:ok poll:200:1 (parse error)",
        /* POSTS   */ "DEAD 400 (transport error)",
        /* TRIES   */ "DEAD 200:ok ws:X (parse error)",
        /* PROBED  */ "DEAD 200:ok poll:200:1 ws:X (parse error)",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING 200:ok",
    },
    {   /* POST_TYPE */
        /* IDLE    */ "DEAD 400 (transport error)",
        /* HELD    */ "DEAD 400 poll:200:1 (transport error)",
        /* POSTS   */ "DEAD 400 (transport error)",
        /* TRIES   */ "DEAD 400 ws:X (transport error)",
        /* PROBED  */ "DEAD 400 poll:200:1 ws:X (transport error)",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING 400",
    },
    {   /* POST_LONG */
        /* IDLE    */ "IDLE 413:",
        /* HELD    */ "HELD 413:",
        /* POSTS   */ "DEAD 400 (transport error)",
        /* TRIES   */ "TRIES 413:",
        /* PROBED  */ "PROBED 413:",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING 413:",
    },
    {   /* POST_DROPPED */
        /* IDLE    */ "DEAD (transport error)",
        /* HELD    */ "DEAD poll:200:1 (transport error)",
        /* POSTS   */ "DEAD 400 (transport error)",
        /* TRIES   */ "DEAD ws:X (transport error)",
        /* PROBED  */ "DEAD poll:200:1 ws:X (transport error)",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING",
    },
    {   /* PUT */
        /* IDLE    */ "IDLE 500:",
        /* HELD    */ "HELD 500:",
        /* POSTS   */ "POSTS 500:",
        /* TRIES   */ "TRIES 500:",
        /* PROBED  */ "PROBED 500:",
        /* SOCKET  */ "SOCKET 400",
        /* CLOSING */ "CLOSING 500:",
    },
    {   /* UPGRADE */
        /* IDLE    */ "TRIES 101",
        /* HELD    */ "TRIES 101",
        /* POSTS   */ "TRIES 101",
        /* TRIES   */ "TRIES 101 X",
        /* PROBED  */ "PROBED 101 X",
        /* SOCKET  */ "SOCKET 101 X",
        /* CLOSING */ "CLOSING 101 X",
    },
    {   /* WS_PROBE */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "PROBED ws:3probe",
        /* PROBED  */ "PROBED ws:3probe",
        /* SOCKET  */ "DEAD ws:X (transport error)",
        /* CLOSING */ "-",
    },
    {   /* WS_SWITCH */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "SOCKET",
        /* PROBED  */ "SOCKET poll:200:6",
        /* SOCKET  */ "SOCKET",
        /* CLOSING */ "-",
    },
    {   /* WS_TEXT */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "IDLE ws:X",
        /* PROBED  */ "HELD ws:X",
        /* SOCKET  */ "SOCKET ws:4hi",
        /* CLOSING */ "-",
    },
    {   /* WS_BYTES */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "IDLE ws:X",
        /* PROBED  */ "HELD ws:X",
        /* SOCKET  */ "SOCKET ws:bhi",
        /* CLOSING */ "-",
    },
    {   /* WS_EMPTY */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "IDLE ws:X",
        /* PROBED  */ "HELD ws:X",
        /* SOCKET  */ "DEAD ws:X (parse error)",
        /* CLOSING */ "-",
    },
    {   /* WS_CLOSE */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "IDLE ws:X",
        /* PROBED  */ "HELD ws:X",
        /* SOCKET  */ "DEAD ws:X (transport close)",
        /* CLOSING */ "-",
    },
    {   /* WS_BAD */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "IDLE ws:X",
        /* PROBED  */ "HELD ws:X",
        /* SOCKET  */ "DEAD ws:X (transport error)",
        /* CLOSING */ "-",
    },
    {   /* WS_GONE */
        /* IDLE    */ "-",
        /* HELD    */ "-",
        /* POSTS   */ "-",
        /* TRIES   */ "IDLE",
        /* PROBED  */ "HELD",
        /* SOCKET  */ "DEAD (transport close)",
        /* CLOSING */ "-",
    },
    {   /* SENDS */
        /* IDLE    */ "IDLE",
        /* HELD    */ "IDLE poll:200:4m",
        /* POSTS   */ "POSTS",
        /* TRIES   */ "TRIES",
        /* PROBED  */ "PROBED poll:200:4m",
        /* SOCKET  */ "SOCKET ws:4m",
        /* CLOSING */ "CLOSING stale",
    },
    {   /* CLOSES */
        /* IDLE    */ "CLOSING (forced close)",
        /* HELD    */ "DEAD poll:200:1 (forced close)",
        /* POSTS   */ "CLOSING (forced close)",
        /* TRIES   */ "CLOSING ws:X (forced close)",
        /* PROBED  */ "DEAD poll:200:1 ws:X (forced close)",
        /* SOCKET  */ "DEAD ws:X (forced close)",
        /* CLOSING */ "CLOSING stale",
    },
    {   /* SHUTS */
        /* IDLE    */ "DEAD (server shutting down)",
        /* HELD    */ "DEAD poll:200:1 (server shutting down)",
        /* POSTS   */ "DEAD (server shutting down)",
        /* TRIES   */ "DEAD ws:X (server shutting down)",
        /* PROBED  */ "DEAD poll:200:1 ws:X (server shutting down)",
        /* SOCKET  */ "DEAD ws:X (server shutting down)",
        /* CLOSING */ "CLOSING",
    },
    {   /* TICK */
        /* IDLE    */ "IDLE",
        /* HELD    */ "HELD",
        /* POSTS   */ "POSTS",
        /* TRIES   */ "TRIES",
        /* PROBED  */ "PROBED poll:200:6",
        /* SOCKET  */ "SOCKET",
        /* CLOSING */ "CLOSING",
    },
    {   /* PING */
        /* IDLE    */ "IDLE",
        /* HELD    */ "IDLE poll:200:2",
        /* POSTS   */ "POSTS",
        /* TRIES   */ "TRIES",
        /* PROBED  */ "PROBED poll:200:6",
        /* SOCKET  */ "SOCKET ws:2",
        /* CLOSING */ "CLOSING",
    },
    {   /* NO_PONG */
        /* IDLE    */ "DEAD (ping timeout)",
        /* HELD    */ "DEAD poll:200:2 (ping timeout)",
        /* POSTS   */ "DEAD (ping timeout)",
        /* TRIES   */ "DEAD ws:X (ping timeout)",
        /* PROBED  */ "DEAD poll:200:6 ws:X (ping timeout)",
        /* SOCKET  */ "DEAD ws:2 ws:X (ping timeout)",
        /* CLOSING */ "CLOSING",
    },
};
/* clang-format on */

static eio_site s;
static wshub_conn get, post, ws;
static char got[500];

static void add(const char *format, const char *text, int len) {
    size_t n = strlen(got);
    (void)snprintf(got + n, sizeof got - n, format, len, text);
}
/* What was answered there, if anything. */
static void answer_of(wshub_conn c, const char *who) {
    eio_answer a;
    char status[40];
    int i;
    if (!c.id || !wshub_io_fake_output(s.w.net, c).len) return;
    a = eio_look(&s, c);
    if (!a.status) return;
    (void)snprintf(status, sizeof status, " %s%d:%%.*s", who, a.status);
    if (a.status == 101 || a.status == 400) {
        (void)snprintf(status, sizeof status, " %s%d%%.*s", who, a.status);
        add(status, "", 0);
    } else {
        add(status, a.body.ptr, (int)a.body.len);
    }
    for (i = 0; got[i]; i++) {
        if (got[i] == 0x1E) got[i] = '|';
    }
    eio_take(&s, c, &a);
}
static void hears(wshub_conn c, const char *who) {
    wshub_io_fake_frame f;
    while (c.id && wshub_io_fake_next(s.w.net, c, &f)) {
        add(who, "", 0);
        if (f.opcode == 8)
            add("X%.*s", "", 0);
        else
            add(f.opcode == 2 ? "b%.*s" : "%.*s", f.payload.ptr, (int)f.payload.len);
    }
}

#define QUERY "EIO=4&transport=polling&sid={sid}"
#define MOVE "EIO=4&transport=websocket&sid={sid}"
#define PLAIN "Content-Type: text/plain\r\n"

static void half_a_post(wshub_conn c) {
    eio_ask(&s, c, "POST", QUERY, "Content-Length: 9\r\n" PLAIN, NULL);
    wshub_io_fake_input(s.w.net, c, "4h", 2);
}

/* Brings a session into a state. */
static void bring(int state) {
    memset(&get, 0, sizeof get);
    memset(&post, 0, sizeof post);
    memset(&ws, 0, sizeof ws);
    eio_start(&s,
              EIO(.ping_interval_ms = 5000, .ping_timeout_ms = 3000, .upgrade_timeout_ms = 9000),
              DESC(0), FAKE(0));
    (void)eio_open(&s);
    get = wshub_io_fake_open(s.w.net);
    post = wshub_io_fake_open(s.w.net);
    if (state == POSTS) {
        wshub_conn c = wshub_io_fake_open(s.w.net);
        half_a_post(c);
    }
    if (state == TRIES || state == PROBED || state == SOCKET) ws = eio_socket(&s, MOVE);
    if (state == PROBED || state == SOCKET) {
        wshub_io_fake_text(s.w.net, ws, "2probe");
        hears(ws, "%.*s");
    }
    if (state == HELD || state == PROBED) eio_ask(&s, get, "GET", QUERY, "", NULL);
    if (state == SOCKET) wshub_io_fake_text(s.w.net, ws, "5");
    if (state == CLOSING) (void)wshub_eio_close(s.eio, s.last);
    got[0] = s.reasons[0] = 0;
}

static void at_ws(uint8_t opcode, const char *bytes, size_t count) {
    wshub_io_fake_send(s.w.net, ws, opcode, true, bytes, count);
}
static void posts(const char *lines, const char *body) {
    eio_ask(&s, post, "POST", QUERY, lines, body);
    answer_of(post, "");
}

/* Lets it happen. False: it cannot happen there. */
static bool happens(int state, int event) {
    wshub_conn c;
    if (event >= WS_PROBE && event <= WS_GONE && !ws.id) return false;
    switch (event) {
    case GET_POLL:
    case GET_DROPPED:
        c = wshub_io_fake_open(s.w.net);
        if (event == GET_DROPPED && (state == HELD || state == PROBED)) {
            wshub_io_fake_end(s.w.net, get);
            break;
        }
        eio_ask(&s, c, "GET", QUERY, "", NULL);
        answer_of(c, "");
        if (event == GET_DROPPED) wshub_io_fake_end(s.w.net, c);
        break;
    case POST_TEXT: posts(PLAIN, "4hi"); break;
    case POST_CLOSE: posts(PLAIN, "1"); break;
    case POST_PING: posts(PLAIN, "2"); break;
    case POST_BAD: posts(PLAIN, "9"); break;
    case POST_TYPE: posts("Content-Type: application/octet-stream\r\n", "4hi"); break;
    case POST_LONG: posts("Content-Length: 9999\r\n" PLAIN, NULL); break;
    case POST_DROPPED:
        half_a_post(post);
        answer_of(post, "");
        wshub_io_fake_end(s.w.net, post);
        break;
    case PUT:
        eio_ask(&s, post, "PUT", QUERY, PLAIN, "4hi");
        answer_of(post, "");
        break;
    case UPGRADE:
        c = wshub_io_fake_open(s.w.net);
        eio_ask(&s, c, "GET", MOVE, EIO_UPGRADE, NULL);
        answer_of(c, "");
        hears(c, " %.*s");
        break;
    case WS_PROBE: at_ws(1, "2probe", 6); break;
    case WS_SWITCH: at_ws(1, "5", 1); break;
    case WS_TEXT: at_ws(1, "4hi", 3); break;
    case WS_BYTES: at_ws(2, "hi", 2); break;
    case WS_EMPTY: at_ws(1, "", 0); break;
    case WS_CLOSE: at_ws(1, "1", 1); break;
    case WS_BAD:
        wshub_io_fake_input(s.w.net, ws,
                            "\x81\1"
                            "4",
                            3);
        break;
    case WS_GONE: wshub_io_fake_end(s.w.net, ws); break;
    case SENDS:
        if (wshub_eio_send(s.eio, s.last, "m", 1, true)) add(" stale%.*s", "", 0);
        break;
    case CLOSES:
        if (wshub_eio_close(s.eio, s.last)) add(" stale%.*s", "", 0);
        break;
    case SHUTS: wshub_eio_shutdown(s.eio); break;
    case TICK: wshub_io_fake_advance(s.w.net, 100); break;
    case PING: wshub_io_fake_advance(s.w.net, 5000); break;
    default: wshub_io_fake_advance(s.w.net, 8000); break;
    }
    wshub_io_fake_run(s.w.net);
    answer_of(get, "poll:");
    hears(ws, " ws:%.*s");
    if (s.reasons[0]) {
        s.reasons[strlen(s.reasons) - 1] = 0;
        add(" (%.*s)", s.reasons, (int)strlen(s.reasons));
    }
    return true;
}

/* In which state the session is, by what the engine has of it. */
static int state_now(void) {
    const wshub_eio__session *session = wshub_eio__sid_find(s.eio, s.sid, 20);
    if (!session || session->state == WSHUB_EIO__DEAD) return DEAD;
    switch (session->state) {
    case WSHUB_EIO__POLLS: return session->post.id ? POSTS : session->poll.id ? HELD : IDLE;
    case WSHUB_EIO__UPGRADES: return session->upgrade->tick.id ? PROBED : TRIES;
    case WSHUB_EIO__SOCKET: return SOCKET;
    default: return CLOSING;
    }
}

TEST(each_thing_in_each_state_has_the_one_end_that_the_table_says) { /* 2.4, 2.6, 2.7 */
    bool prints = getenv("WSHUB_TABLE") != NULL;
    int state, event;
    for (event = 0; event < EVENTS; event++) {
        if (prints) (void)printf("[%d] = { /* %s */\n", event, event_names[event]);
        for (state = 0; state < STATES; state++) {
            char cell[600];
            bring(state);
            if (happens(state, event))
                (void)snprintf(cell, sizeof cell, "%s%s", state_names[state_now()], got);
            else
                (void)snprintf(cell, sizeof cell, "-");
            if (prints)
                (void)printf("    /* %-7s */ \"%s\",\n", state_names[state], cell);
            else if (!table[event][state] || strcmp(cell, table[event][state]) != 0)
                (void)printf("  %s in %s:\n", event_names[event], state_names[state]);
            if (!prints) EXPECT_STR(cell, table[event][state]);
            eio_stop(&s);
        }
        if (prints) (void)printf("},\n");
    }
}
