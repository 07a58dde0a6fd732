// client_raii: a client of a hub in C++, whose objects end what they have made, with functions for
// what it tells, and exceptions that come out where one would catch them.
//
// Build: c++ -std=c++11 client_raii.cpp -I.. -I../backends -pthread -o client_raii (in examples/)
// Try:   ./client_raii ws://127.0.0.1:8080/ws hello, beside ./hello
//
// It says a text in the lobby, prints what it hears until that has come back, and leaves. The
// wrapper is the first half: a `network` (sockets and a pool) and a `client` on it, as small as this
// program needs them. Two things are to be minded by whoever writes a larger one. A callback is
// called by C, so no exception may leave it: guard() keeps it, and run() throws it. And C keeps
// pointers to the description and to the object, so neither can be copied or moved.
#define WSHUB_IMPLEMENTATION
#include "wshub.h"
#include "wshub_io_auto.h"
#include "wshub_ext_client.h"
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

// ---- the wrapper ----

static wshub_str view(const std::string &text) {
    wshub_str s = {text.data(), text.size()};
    return s;
}
static std::string copy(wshub_str text) {
    return text.ptr ? std::string(text.ptr, text.len) : std::string();
}
// A text as JSON.
static std::string quote(const std::string &text) {
    std::string quoted(wshub_json_quote(view(text), nullptr, 0), '\0');
    wshub_json_quote(view(text), &quoted[0], quoted.size());
    return quoted;
}
static void check(wshub_err err) {
    if (err) throw std::runtime_error(wshub_strerror(err));
}

// What ends a thing is part of its type.
template <class T, void (*end)(T *)> struct ended_by {
    void operator()(T *thing) const {
        end(thing);
    }
};
template <class T, void (*end)(T *)> using owned = std::unique_ptr<T, ended_by<T, end>>;

class network {
  public:
    network() {
        wshub_io_sock *made_sockets = nullptr;
        check(wshub_io_auto_create(nullptr, &made_sockets));
        sockets.reset(made_sockets);

        wshub_ws_pool *made_pool = nullptr;
        wshub_ws_pool_desc desc = wshub_ws_pool_desc();
        desc.io = wshub_io_sock_io(sockets.get());
        check(wshub_ws_pool_create(&desc, &made_pool));
        pool.reset(made_pool);
    }

    // Serves until stop(), or until a function of a client's throws, and then throws that.
    void run() {
        stopped = false;
        while (!stopped && !thrown) check(wshub_io_sock_run_once(sockets.get(), -1));
        std::exception_ptr why;
        std::swap(why, thrown);
        if (why) std::rethrow_exception(why);
    }
    void stop() {
        stopped = true;
    }

  private:
    friend class client;
    owned<wshub_io_sock, wshub_io_sock_destroy> sockets;
    owned<wshub_ws_pool, wshub_ws_pool_destroy> pool; // declared later, so it is ended first
    std::exception_ptr thrown;
    bool stopped = false;
};

class client {
  public:
    // What it tells; a function that is not set is not told.
    std::function<void()> on_ready; // each time it is let in
    std::function<void(const std::string &, const std::string &)> on_event; // its name, and JSON
    std::function<void(const std::string &, bool)> on_away; // why; will it come back?

    client(network &on, const std::string &to) : net(on), url(to) {
        events.authenticated = [](wshub_ext_client *, wshub_str, wshub_str, void *self) {
            guard(self, [](client &me) {
                if (me.on_ready) me.on_ready();
            });
        };
        events.event = [](wshub_ext_client *, const wshub_event *event, void *self) {
            guard(self, [event](client &me) {
                if (me.on_event) me.on_event(copy(event->event), copy(event->data));
            });
        };
        events.disconnected = events.connect_error =
            [](wshub_ext_client *, const wshub_ws_gone *gone, bool again, void *self) {
                guard(self, [=](client &me) {
                    if (me.on_away) me.on_away(gone->text, again);
                });
            };
        desc.ws.url = url.c_str();
        desc.auth = "{}";
        desc.events = &events;
        const char *problem = wshub_ext_client_desc_problem(&desc);
        if (problem) throw std::invalid_argument(problem);

        wshub_ext_client *made = nullptr;
        check(wshub_ext_client_create(net.pool.get(), &desc, this, &made));
        handle.reset(made);
        check(wshub_ext_client_subscribe(made, wshub_str_z("*")));
    }
    client(const client &) = delete;
    client &operator=(const client &) = delete;

    void join(const std::string &room) {
        wshub_str name = view(room);
        check(wshub_ext_client_join(handle.get(), &name, 1));
    }
    // Says JSON, now or when it is let in.
    void emit(const std::string &event, const std::string &json) {
        wshub_msg msg = wshub_msg();
        msg.event = view(event);
        msg.data = view(json);
        check(wshub_ext_client_emit(handle.get(), &msg, false));
    }

  private:
    // Calls a function of this object's; what it throws goes to run().
    template <class F> static void guard(void *self, F call) noexcept {
        client &me = *static_cast<client *>(self);
        try {
            call(me);
        } catch (...) {
            me.net.thrown = std::current_exception();
        }
    }
    network &net;
    std::string url;
    wshub_ext_client_events events = wshub_ext_client_events();
    wshub_ext_client_desc desc = wshub_ext_client_desc();
    owned<wshub_ext_client, wshub_ext_client_destroy> handle; // ended before what it borrows
};

// ---- a program that uses it ----

int main(int argc, char **argv) try {
    const std::string said = quote(argc > 2 ? argv[2] : "hello");
    network net;
    client hub(net, argc > 1 ? argv[1] : "ws://127.0.0.1:8080/ws");
    hub.join("lobby");
    hub.on_ready = [&] { hub.emit("say", said); };
    hub.on_event = [&](const std::string &event, const std::string &data) {
        std::cout << event << ' ' << data << std::endl;
        if (event == "say" && data == said) net.stop();
    };
    hub.on_away = [](const std::string &why, bool) { throw std::runtime_error(why); };
    net.run();
    return 0;
} catch (const std::exception &failed) {
    std::cerr << "client_raii: " << failed.what() << '\n';
    return 1;
}
