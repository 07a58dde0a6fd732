/* wshub-bench: many clients of one server, how long its answers take, and who was the bottleneck.
 *
 * Build: cc wshub-bench.c -I.. -I../backends -pthread -o wshub-bench (in examples/)
 *        with TLS and zlib as wshub-cat
 * Try:   ./wshub-bench ws://127.0.0.1:8080/ws --clients 100 --rate 2 --event echo --seconds 5
 *
 * N clients connect, so many a second, authenticate and join rooms. Then, for so many seconds, they
 * send in turn at an even rate: a message of an event (--raw: of any WebSocket) whose data holds the
 * time at which it was to leave. Whatever comes back with such a time is counted, and its latency
 * goes into a histogram of which no sample is lost; a message that left late counts from when it was
 * due, so a server that stalls is not spared. What the server does with the event is the server's:
 * it may answer, or send to the sender's room; --data says how it is asked, where %t is the time,
 * %r the room, %p the padding.
 *
 * With --socketio the server is one of Socket.IO, at http://HOST:PORT. --data is then the list of
 * arguments; the time is looked for in the first argument of what comes, or with --ack each message
 * asks for an acknowledgement, and that is what comes back. Rooms are joined by an event of the
 * application's, --join NAME, whose argument is the room; its acknowledgement is awaited for two
 * seconds.
 *
 * At the end: sums, percentiles, and whether this program was itself the bottleneck: its share of a
 * CPU, and how late its own messages left. Exit status: 0 all came back, 1 something did not, or
 * this could not be printed, 2 the command line, 3 nobody could connect. */
#define _GNU_SOURCE
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client_socketio.h"
#include "client_tls.h"
#include "tool_streams.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { SUB = 64, TALL = 34, TEXT_MAX = 1 << 20, JOIN_MS = 2000 };
enum { ALL_WELL, MISSING, USAGE, NOBODY };
enum { RAMP, LOAD, DRAIN, LEAVE };

/* Counts by microseconds: 64 steps for each power of two, so within 2 %; over four hours: the last. */
typedef struct histogram {
    uint64_t count[SUB * TALL], total;
    double worst;
} histogram;

typedef struct member {
    wshub_ext_client *client;
    wshub_sio_client *sio; /* --socketio: in its place */
    wshub_sio_socket *socket;
    uint64_t began_us;
    uint32_t room;
    bool there, failed;
} member;

static wshub_io_sock *net;
static client_tls tls;
static wshub_ws_pool *pool;
static wshub_ext_client_desc desc;
static wshub_ext_client_events events;
static wshub_ws_timer timer;
static member *members;
static uint32_t *in_room; /* members of each room that are there */
static uint32_t clients = 10, per_second = 1000, rooms_count, size = 64, seconds = 10, fan,
                quiet_ms = 2000;
static double rate = 1;
static const char *event_name = "echo", *on_name, *data_form, *room_prefix = "bench-";
static bool raw, json;
static bool socketio, asks;
static const char *join_event, *token;
static wshub_sio_client_desc sio_desc;
static wshub_sio_socket_desc space_desc;
static uint32_t opened, there, failed, dropped_clients;
static uint64_t sent, refused, heard, expected, bytes_heard, next_message;
static uint64_t let_in_us; /* when the last one was opened, came in or failed */
static uint64_t began_us, load_us, load_end_us, last_heard_us, cpu_us, cpu_end_us;
static int phase;
static histogram latency, connecting, lateness;
static char message[TEXT_MAX];

/* ---- time and figures ---- */

static uint64_t now_us(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
/* What this process has computed, the system's part in it included. */
static uint64_t cpu_now_us(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}
static void note(histogram *h, uint64_t us) {
    uint64_t top = us, power = 0;
    while (top >= 2 * SUB) {
        top >>= 1;
        power++;
    }
    if (power > TALL - 3) power = TALL - 3;
    if (top >= 2 * SUB) top = 2 * SUB - 1;
    h->count[us < SUB ? us : (power + 1) * SUB + (top >= SUB ? top - SUB : 0)]++;
    h->total++;
    if ((double)us > h->worst) h->worst = (double)us;
}
/* Of so many in a thousand at most so long, in milliseconds: the middle of the step. */
static double percentile(const histogram *h, double thousandth) {
    uint64_t rank = (uint64_t)((double)h->total * thousandth / 1000 + 0.999999), seen = 0, i;
    double us = 0;
    for (i = 0; i < SUB * TALL && rank; i++) {
        seen += h->count[i];
        if (seen < rank) continue;
        us =
            i < SUB ? (double)i : ((double)(i % SUB + SUB) + 0.5) * (double)(1ULL << (i / SUB - 1));
        break;
    }
    return (us < h->worst ? us : h->worst) / 1000;
}

/* ---- messages ---- */

/* Writes the data of a message of a member's that is due at us. Returns its length. */
static size_t write_data(const member *m, uint64_t us) {
    const char *p;
    size_t n = 0;
    for (p = data_form; *p && n < TEXT_MAX - 64; p++) {
        if (*p != '%') {
            message[n++] = *p;
        } else if (*++p == 't') {
            n += (size_t)snprintf(message + n, 32, "%llu", (unsigned long long)us);
        } else if (*p == 'r') {
            n += (size_t)snprintf(message + n, 60, "%.40s%u", room_prefix, (unsigned)m->room);
        } else if (*p == 'p' && n + size < TEXT_MAX - 64) {
            memset(message + n, 'x', size);
            n += size;
        } else if (!*p) {
            break;
        }
    }
    return n;
}
/* An acknowledgement of a message that was due at *user, which is ours. */
static void on_answer(wshub_sio_socket *socket, const wshub_sio_answers *answers, void *user) {
    uint64_t now = now_us(), due_us = *(uint64_t *)user;
    (void)socket;
    free(user);
    if (answers->error) return;
    heard++;
    if (answers->args_count) bytes_heard += answers->args[0].len;
    last_heard_us = now;
    note(&latency, now > due_us ? now - due_us : 0);
}
static wshub_err sio_send(const member *m, size_t len, uint64_t due_us) {
    wshub_str args[16], list;
    wshub_packet packet;
    wshub_iter iter = {0, 0};
    uint64_t *due;
    wshub_err err;
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z(event_name);
    packet.args = args;
    packet.flags = WSHUB_PACKET_VOLATILE; /* what cannot leave is counted, not kept */
    list.ptr = message;
    list.len = len;
    while (packet.args_count < 16 && wshub_json_each(list, &iter, &args[packet.args_count]))
        packet.args_count++;
    if (!asks) return wshub_sio_socket_emit(m->socket, &packet);
    due = (uint64_t *)malloc(sizeof *due);
    if (!due) return WSHUB_ERR_NOMEM;
    *due = due_us;
    err = wshub_sio_socket_ask(m->socket, &packet, WSHUB_OFF, on_answer, due);
    if (err) free(due);
    return err;
}
static void send_one(member *m, uint64_t due_us) {
    wshub_msg msg;
    wshub_err err;
    memset(&msg, 0, sizeof msg);
    msg.data.ptr = message;
    msg.data.len = write_data(m, due_us);
    msg.event = wshub_str_z(event_name);
    err = socketio ? sio_send(m, msg.data.len, due_us)
          : raw    ? wshub_ws_send(pool, wshub_ext_client_ws(m->client), WSHUB_WS_TEXT, message,
                                   msg.data.len)
                   : wshub_ext_client_emit(m->client, &msg, true);
    if (err) {
        refused++;
        return;
    }
    sent++;
    expected += fan ? fan : rooms_count ? in_room[m->room] : 1;
}
/* Sends what is due: message k leaves at k times the even step, by member k modulo their number. */
static void send_due(uint64_t now) {
    double step = 1000000 / (rate * clients);
    while (next_message < (uint64_t)(rate * clients * seconds)) {
        uint64_t due = load_us + (uint64_t)((double)next_message * step);
        member *m = &members[next_message % clients];
        if (due > now) return;
        next_message++;
        note(&lateness, now - due);
        if (m->there) send_one(m, due);
    }
    phase = DRAIN;
    load_end_us = now;
    cpu_end_us = cpu_now_us();
}
static void hear(wshub_str text) {
    uint64_t now = now_us();
    int64_t at;
    if (wshub_json_int(wshub_json_get(text, "t"), 1, (int64_t)1 << 52, &at)) return;
    heard++;
    bytes_heard += text.len;
    last_heard_us = now;
    note(&latency, now > (uint64_t)at ? now - (uint64_t)at : 0);
}

/* ---- clients ---- */

static void is_there(member *m) {
    if (m->there || m->failed) return;
    m->there = true;
    there++;
    in_room[m->room]++;
    let_in_us = now_us();
}
static void on_connected(wshub_ext_client *c, const wshub_ws_about *about, void *user) {
    (void)c;
    (void)about;
    if (!raw) return;
    note(&connecting, now_us() - ((member *)user)->began_us);
    is_there((member *)user);
}
/* Its rooms are asked for by now; who answers a ping behind that has seen it. */
static void on_authenticated(wshub_ext_client *c, wshub_str id, wshub_str data, void *user) {
    (void)id;
    (void)data;
    note(&connecting, now_us() - ((member *)user)->began_us);
    (void)wshub_ws_ping(pool, wshub_ext_client_ws(c), "", 0);
}
static void on_pong(wshub_ext_client *c, const uint8_t *bytes, size_t count, void *user) {
    (void)c;
    (void)bytes;
    (void)count;
    is_there((member *)user);
}
static void fails(member *m, const char *text) {
    if (m->failed || phase == LEAVE) return;
    if (!failed && !dropped_clients) (void)fprintf(stderr, "wshub-bench: a client: %s\n", text);
    if (m->there) {
        dropped_clients++;
        in_room[m->room]--;
    } else {
        failed++;
    }
    m->failed = true;
    m->there = false;
    let_in_us = now_us();
}
static void on_connect_error(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                             void *user) {
    (void)c;
    (void)again;
    fails((member *)user, gone->text);
}
static void on_disconnected(wshub_ext_client *c, const wshub_ws_gone *gone, bool again,
                            void *user) {
    (void)c;
    (void)again;
    fails((member *)user, gone->text);
}
static void on_event(wshub_ext_client *c, const wshub_event *event, void *user) {
    (void)c;
    (void)user;
    hear(event->data);
}
static void on_message(wshub_ext_client *c, wshub_ws_kind kind, uint8_t *bytes, size_t count,
                       void *user) {
    wshub_str text;
    (void)c;
    (void)kind;
    (void)user;
    text.ptr = (const char *)bytes;
    text.len = count;
    hear(text);
}
/* In its room, or as far as one can know where the application does not acknowledge. */
static void on_joined(wshub_sio_socket *socket, const wshub_sio_answers *answers, void *user) {
    (void)socket;
    (void)answers;
    is_there((member *)user);
}
static void sio_on_connected(wshub_sio_socket *socket, wshub_str id, bool recovered, void *user) {
    member *m = (member *)user;
    char name[64], quoted[400];
    wshub_str room;
    wshub_packet packet;
    (void)id;
    (void)recovered;
    note(&connecting, now_us() - m->began_us);
    if (!join_event) {
        is_there(m);
        return;
    }
    (void)snprintf(name, sizeof name, "%.40s%u", room_prefix, (unsigned)m->room);
    room.ptr = quoted;
    room.len = wshub_json_quote(wshub_str_z(name), quoted, sizeof quoted);
    memset(&packet, 0, sizeof packet);
    packet.event = wshub_str_z(join_event);
    packet.args = &room;
    packet.args_count = 1;
    if (wshub_sio_socket_ask(socket, &packet, JOIN_MS, on_joined, m)) is_there(m);
}
static void sio_on_connect_error(wshub_sio_socket *socket, const wshub_sio_connect_error *error,
                                 void *user) {
    char text[200];
    (void)socket;
    (void)snprintf(text, sizeof text, "%.*s", (int)error->message.len, error->message.ptr);
    fails((member *)user, text);
}
static void sio_on_disconnected(wshub_sio_socket *socket, const char *reason, bool again,
                                void *user) {
    (void)socket;
    (void)again;
    fails((member *)user, reason);
}
static void sio_on_event(wshub_sio_socket *socket, const wshub_sio_event *event, void *user) {
    (void)socket;
    (void)user;
    if (!asks && event->args_count && wshub_str_eq_z(event->name, on_name)) hear(event->args[0]);
}
static bool make_client(member *m) {
    if (!socketio) return wshub_ext_client_create(pool, &desc, m, &m->client) == WSHUB_OK;
    return wshub_sio_client_create(pool, &sio_desc, m, &m->sio) == WSHUB_OK &&
           wshub_sio_socket_create(m->sio, &space_desc, m, &m->socket) == WSHUB_OK;
}
static void open_one(void) {
    member *m = &members[opened];
    char name[64];
    wshub_str room;
    m->room = rooms_count ? opened % rooms_count : 0;
    m->began_us = now_us();
    let_in_us = m->began_us;
    opened++;
    if (!make_client(m)) {
        fails(m, "out of memory");
        return;
    }
    if (socketio) return;
    if (!raw) (void)wshub_ext_client_subscribe(m->client, wshub_str_z(on_name));
    (void)snprintf(name, sizeof name, "%.40s%u", room_prefix, (unsigned)m->room);
    room = wshub_str_z(name);
    if (rooms_count && !raw) (void)wshub_ext_client_join(m->client, &room, 1);
}

/* ---- the course ---- */

/* Who is not let in for so long is not any more; nobody waits for what answers no pings, either. */
static void give_up(uint64_t now) {
    uint32_t wait = desc.ws.connect_timeout_ms ? desc.ws.connect_timeout_ms : 20000, i;
    if (phase != RAMP || opened < clients || now < let_in_us + (uint64_t)wait * 1000) return;
    for (i = 0; i < clients; i++)
        if (!members[i].there) fails(&members[i], "it is connected and not let in");
}
static void start_load(uint64_t now) {
    phase = LOAD;
    load_us = now + 100000; /* the server comes to rest */
    last_heard_us = load_us;
    cpu_us = cpu_now_us();
}
static void leave(void) {
    uint32_t i;
    wshub_str none = {"", 0};
    phase = LEAVE;
    for (i = 0; i < opened; i++) {
        if (members[i].client) (void)wshub_ext_client_disconnect(members[i].client, 1000, none);
        if (members[i].socket) (void)wshub_sio_socket_disconnect(members[i].socket);
    }
}
static bool has_left(const member *m) {
    if (m->sio)
        return wshub_sio_client_state_of(m->sio) == WSHUB_SIO_CLIENT_IDLE &&
               !wshub_sio_client_is_leaving(m->sio);
    return !m->client || wshub_ext_client_state_of(m->client) == WSHUB_EXT_CLIENT_IDLE;
}
/* Each millisecond, by a timer of the pool. */
static void tick(void *ctx) {
    uint64_t now = now_us(), quiet_from;
    (void)ctx;
    wshub_ws_timer_start(pool, &timer, wshub_ws_now_ms(pool) + 1);
    while (phase == RAMP && opened < clients &&
           (double)opened * 1000000 <= (double)(now - began_us) * per_second)
        open_one();
    give_up(now);
    if (phase == RAMP && opened == clients && there + failed == clients) start_load(now);
    if (phase == LOAD && !there) {
        phase = DRAIN;
        load_end_us = now;
        cpu_end_us = cpu_now_us();
    }
    if (phase == LOAD && now >= load_us) send_due(now);
    /* The last message may have left long after the last answer. */
    quiet_from = last_heard_us > load_end_us ? last_heard_us : load_end_us;
    if (phase == DRAIN && (heard >= expected || now > quiet_from + (uint64_t)quiet_ms * 1000) &&
        now > load_end_us)
        leave();
}

/* ---- what is said ---- */

static void print_latency(const char *what, const histogram *h) {
    (void)printf("%-10s ms  p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n", what,
                 percentile(h, 500), percentile(h, 900), percentile(h, 990), percentile(h, 999),
                 h->worst / 1000);
}
static void put_latency(wshub_json_writer *w, const char *what, const histogram *h) {
    wshub_json_put_object(w, what);
    wshub_json_put_double(w, "p50", percentile(h, 500));
    wshub_json_put_double(w, "p90", percentile(h, 900));
    wshub_json_put_double(w, "p99", percentile(h, 990));
    wshub_json_put_double(w, "p999", percentile(h, 999));
    wshub_json_put_double(w, "max", h->worst / 1000);
    wshub_json_put_end(w);
}
/* What of the result is this program's own doing; "": nothing. */
static const char *bottleneck(double cpu) {
    if (cpu > 80) return "this program's CPU is full: the server may be faster than these figures";
    if (percentile(&lateness, 990) > 10)
        return "this program sent late: the machine is busy, and latencies are this program's too";
    if (refused) return "messages found no room to leave: the rate is more than the way takes";
    return "";
}
static uint64_t missing(void) {
    return expected > heard ? expected - heard : 0;
}
static void report_json(double took, double cpu, bool own) {
    static char buf[4096];
    wshub_json_writer w;
    wshub_str text;
    wshub_json_begin(&w, buf, sizeof buf);
    wshub_json_put_object(&w, NULL);
    wshub_json_put_uint(&w, "clients", clients);
    wshub_json_put_uint(&w, "failed", failed);
    wshub_json_put_uint(&w, "lost", dropped_clients);
    wshub_json_put_uint(&w, "sent", sent);
    wshub_json_put_uint(&w, "refused", refused);
    wshub_json_put_uint(&w, "expected", expected);
    wshub_json_put_uint(&w, "heard", heard);
    wshub_json_put_uint(&w, "missing", missing());
    wshub_json_put_double(&w, "seconds", took);
    put_latency(&w, "connect", &connecting);
    put_latency(&w, "latency", &latency);
    put_latency(&w, "late", &lateness);
    wshub_json_put_double(&w, "cpu", cpu);
    wshub_json_put_bool(&w, "bottleneck", own);
    wshub_json_put_end(&w);
    if (wshub_json_done(&w, &text) == WSHUB_OK) (void)printf("%.*s\n", (int)text.len, text.ptr);
}
static void report(void) {
    double took = load_end_us > load_us ? (double)(load_end_us - load_us) / 1000000 : 1;
    double cpu = (double)(cpu_end_us - cpu_us) / took / 10000;
    const char *own = bottleneck(cpu);
    if (json) {
        report_json(took, cpu, *own != 0);
        return;
    }
    (void)printf("clients    %u, %u failed, %u lost\n", clients, failed, dropped_clients);
    (void)printf("messages   %llu sent (%.0f/s), %llu heard (%.0f/s, %.0f bytes each), "
                 "%llu missing, %llu not taken\n",
                 (unsigned long long)sent, (double)sent / took, (unsigned long long)heard,
                 (double)heard / took, heard ? (double)bytes_heard / (double)heard : 0.0,
                 (unsigned long long)missing(), (unsigned long long)refused);
    print_latency("connect", &connecting);
    print_latency("latency", &latency);
    print_latency("late", &lateness);
    (void)printf("itself     %.0f %% of a CPU%s%s\n", cpu, *own ? "; BOTTLENECK: " : "", own);
}

/* ---- the command line ---- */

static int usage(const char *why, const char *what) {
    if (why) (void)fprintf(stderr, "wshub-bench: %s%s\n", why, what);
    (void)fputs("usage: wshub-bench ws://HOST[:PORT]/PATH [options]\n"
                "       wshub-bench http://HOST[:PORT] --socketio [options]\n"
                "  --clients N      (10)\n"
                "  --ramp N         so many connect a second (1000)\n"
                "  --rate R         messages a second of each client (1)\n"
                "  --seconds S      of load (10)\n"
                "  --size BYTES     of padding (64)\n"
                "  --rooms N        so many rooms, clients spread over them evenly\n"
                "  --room PREFIX    of their names (bench-)\n"
                "  --event NAME     what is sent (echo); --on NAME: what is heard (the same)\n"
                "  --data JSON      what is sent: %t the time, %r the room, %p the padding\n"
                "  --fan N          how often each message comes back (1, or a room's members)\n"
                "  --raw            any WebSocket that sends back what it gets\n"
                "  --socketio       a server of Socket.IO; --data is the list of arguments\n"
                "  --ack            of Socket.IO: what comes back is the acknowledgement\n"
                "  --join NAME      of Socket.IO: the event that joins the room, its argument\n"
                "  --transports L   of Socket.IO: polling, or polling,websocket (websocket)\n"
                "  --namespace NAME of Socket.IO (/); --path PATH: of its mount (/socket.io/)\n"
                "  --timeout MS     for a connection, and then to be let in (20000)\n"
                "  --quiet MS       how long nothing comes before what is missing is (2000)\n"
                "  --token T, --auth JSON, --deflate, --cacert FILE, --cert FILE, --key FILE,\n"
                "  --insecure       as of wshub-cat\n"
                "  --json           one line of JSON at the end\n",
                stderr);
    return USAGE;
}
static bool number(const char *value, uint32_t least, uint32_t most, uint32_t *to) {
    char *stop;
    unsigned long n = strtoul(value, &stop, 10);
    *to = (uint32_t)n;
    return *value >= '0' && *value <= '9' && !*stop && n >= least && n <= most;
}
static bool set_rate(const char *value) {
    char *stop;
    rate = strtod(value, &stop);
    return stop != value && !*stop && rate > 0.0001 && rate <= 100000;
}
/* {"type":"Bearer","token":T}; of Socket.IO the token alone */
static bool set_auth(void) {
    static char auth[8192];
    wshub_json_writer w;
    wshub_str done;
    if (!token) return true;
    wshub_json_begin(&w, auth, sizeof auth - 1);
    wshub_json_put_object(&w, NULL);
    if (!socketio) wshub_json_put_text(&w, "type", "Bearer");
    wshub_json_put_text(&w, "token", token);
    wshub_json_put_end(&w);
    desc.auth = auth;
    return wshub_json_done(&w, &done) == WSHUB_OK;
}
/* What carries a connection: as the list of Node's client. */
static bool set_transports(const char *list) {
    if (strcmp(list, "websocket") == 0) sio_desc.transports = WSHUB_EIO_WEBSOCKET_ONLY;
    if (strcmp(list, "polling") == 0) sio_desc.transports = WSHUB_EIO_POLLING_ONLY;
    if (strcmp(list, "polling,websocket") == 0) sio_desc.transports = WSHUB_EIO_POLLING_FIRST;
    return strcmp(list, "websocket") == 0 || sio_desc.transports;
}
static bool flag(const char *name) {
    if (strcmp(name, "--raw") == 0) return raw = true;
    if (strcmp(name, "--json") == 0) return json = true;
    if (strcmp(name, "--socketio") == 0) return socketio = true;
    if (strcmp(name, "--ack") == 0) return asks = true;
    if (strcmp(name, "--deflate") == 0) return client_codec() && (desc.ws.deflate = true);
    if (strcmp(name, "--insecure") != 0 || !client_has_tls()) return false;
    desc.ws.verify = WSHUB_VERIFY_NONE;
    return true;
}
static bool option(const char *name, const char *value) {
    if (strcmp(name, "--clients") == 0) return number(value, 1, 1000000, &clients);
    if (strcmp(name, "--ramp") == 0) return number(value, 1, 1000000, &per_second);
    if (strcmp(name, "--rate") == 0) return set_rate(value);
    if (strcmp(name, "--seconds") == 0) return number(value, 1, 86400, &seconds);
    if (strcmp(name, "--size") == 0) return number(value, 0, TEXT_MAX / 2, &size);
    if (strcmp(name, "--rooms") == 0) return number(value, 0, 1000000, &rooms_count);
    if (strcmp(name, "--fan") == 0) return number(value, 0, 1000000, &fan);
    if (strcmp(name, "--quiet") == 0) return number(value, 1, 86400000, &quiet_ms);
    if (strcmp(name, "--timeout") == 0)
        return number(value, 1, 86400000, &desc.ws.connect_timeout_ms);
    if (strcmp(name, "--room") == 0) return (room_prefix = value) != NULL;
    if (strcmp(name, "--event") == 0) return (event_name = value) != NULL;
    if (strcmp(name, "--on") == 0) return (on_name = value) != NULL;
    if (strcmp(name, "--data") == 0) return (data_form = value) != NULL;
    if (strcmp(name, "--token") == 0) return (token = value) != NULL;
    if (strcmp(name, "--join") == 0) return (join_event = value) != NULL;
    if (strcmp(name, "--namespace") == 0) return (space_desc.name = value) != NULL;
    if (strcmp(name, "--path") == 0) return (sio_desc.path = value) != NULL;
    if (strcmp(name, "--transports") == 0) return set_transports(value);
    if (strcmp(name, "--auth") == 0) return (desc.auth = value) != NULL;
    if (strcmp(name, "--cacert") == 0) return client_has_tls() && (tls.ca = value);
    if (strcmp(name, "--cert") == 0) return client_has_tls() && (tls.cert = value);
    return strcmp(name, "--key") == 0 && client_has_tls() && (tls.key = value);
}
/* Does the form of the data make a list of arguments? */
static bool is_list(void) {
    static const member first;
    wshub_str list;
    list.ptr = message;
    list.len = write_data(&first, 1);
    return wshub_json_type(list) == WSHUB_JSON_ARRAY;
}
/* What the options come to. NULL: all is well; else what is wrong. */
static const char *settle_sio(void) {
    static wshub_sio_socket_events socket_events;
    socket_events.connected = sio_on_connected;
    socket_events.connect_error = sio_on_connect_error;
    socket_events.disconnected = sio_on_disconnected;
    socket_events.event = sio_on_event;
    space_desc.events = &socket_events;
    space_desc.auth = desc.auth;
    sio_desc.ws = desc.ws;
    sio_desc.no_reconnect = true;
    if (!on_name) on_name = event_name;
    if (!data_form) data_form = "[{\"t\":%t,\"pad\":\"%p\"}]";
    if (raw) return "--raw is not for --socketio";
    if (rooms_count && !join_event) return "--rooms needs --join";
    if (!is_list()) return "--data: no list of arguments";
    if (wshub_sio_client_desc_problem(&sio_desc)) return wshub_sio_client_desc_problem(&sio_desc);
    return wshub_sio_socket_desc_problem(&space_desc);
}
static const char *settle_hub(void) {
    events.connected = on_connected;
    events.connect_error = on_connect_error;
    events.authenticated = on_authenticated;
    events.pong = on_pong;
    events.disconnected = on_disconnected;
    events.event = on_event;
    if (raw) events.message = on_message;
    desc.events = &events;
    desc.no_reconnect = true;
    if (!raw && !desc.auth) desc.auth = "{}";
    if (!on_name) on_name = event_name;
    if (!data_form) data_form = "{\"t\":%t,\"pad\":\"%p\"}";
    if (asks || join_event || space_desc.name || sio_desc.path)
        return "--ack, --join, --namespace and --path are for --socketio";
    return wshub_ext_client_desc_problem(&desc);
}
static int read_options(int argc, char **argv) {
    const char *wrong;
    int i;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) return usage(NULL, "");
        if (argv[i][0] != '-') {
            desc.ws.url = argv[i];
        } else if (!flag(argv[i])) {
            if (i + 1 == argc || !option(argv[i], argv[i + 1]))
                return usage("bad option or value, or not built in: ", argv[i]);
            i++;
        }
    }
    wrong = set_auth() ? NULL : "--token: too long";
    if (!wrong) wrong = socketio ? settle_sio() : settle_hub();
    return wrong ? usage("", wrong) : 0;
}

/* As many descriptors as there may be: one a client. */
static void more_descriptors(void) {
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) != 0) return;
    most.rlim_cur = most.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &most);
    if (most.rlim_cur < clients + 16)
        (void)fprintf(stderr, "wshub-bench: only %lu descriptors (ulimit -n)\n",
                      (unsigned long)most.rlim_cur);
}
/* Until all have left; who does not is left behind. */
static void run(void) {
    uint32_t i;
    uint64_t left_us = 0;
    began_us = now_us();
    wshub_ws_timer_start(pool, &timer, wshub_ws_now_ms(pool) + 1);
    for (;;) {
        if (wshub_io_sock_run_once(net, -1)) return;
        if (phase != LEAVE) continue;
        if (!left_us) left_us = now_us();
        for (i = 0; i < opened; i++) {
            if (!has_left(&members[i])) break;
        }
        if (i == opened || now_us() > left_us + 2000000) return;
    }
}

int main(int argc, char **argv) {
    wshub_ws_pool_desc d;
    uint32_t i;
    int bad;
    tool_streams_open();
    bad = read_options(argc, argv);
    if (bad) return bad;
    (void)signal(SIGPIPE, SIG_IGN);
    more_descriptors();
    members = (member *)calloc(clients, sizeof *members);
    in_room = (uint32_t *)calloc(rooms_count + 1, sizeof *in_room);
    if (!members || !in_room || wshub_io_auto_create(NULL, &net)) return NOBODY;
    if (!client_tls_open(&tls, wshub_io_sock_io(net))) return usage("TLS: ", tls.why);
    memset(&d, 0, sizeof d);
    d.io = tls.io;
    d.deflate = client_codec();
    timer.fire = tick;
    if (wshub_ws_pool_create(&d, &pool) || wshub_ws_timer_add(pool, &timer)) return NOBODY;
    run();
    report();
    for (i = 0; i < opened; i++) {
        wshub_ext_client_destroy(members[i].client);
        wshub_sio_client_destroy(members[i].sio);
    }
    wshub_ws_timer_remove(pool, &timer);
    wshub_ws_pool_destroy(pool);
    client_tls_end(&tls);
    wshub_io_sock_destroy(net);
    bad = !connecting.total                                           ? NOBODY
          : failed || dropped_clients || heard != expected || refused ? MISSING
                                                                      : ALL_WELL;
    free(members);
    free(in_room);
    return tool_streams_flush("wshub-bench") || bad ? bad : MISSING;
}
