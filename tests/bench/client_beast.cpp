// A client by Boost.Beast for tests/bench/bench_client.c: client_beast PORT CONNS WINDOW MESSAGES
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

static int messages, said, heard, window;
static const std::string text(64, 'x');
static asio::io_context net(1);

static double used() {
    rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}
struct member {
    websocket::stream<asio::ip::tcp::socket> ws{net};
    beast::flat_buffer in;
    int owed = 0;
    bool writing = false;

    void say() {
        if (said >= messages) return;
        said++;
        owed++;
        if (!writing) write();
    }
    void write() {
        writing = true;
        owed--;
        ws.async_write(asio::buffer(text), [this](error_code error, std::size_t) {
            if (error) std::exit(1);
            writing = false;
            if (owed) write();
        });
    }
    void read() {
        ws.async_read(in, [this](error_code error, std::size_t count) {
            if (error || count != text.size()) std::exit(1);
            in.clear();
            if (++heard == messages) return net.stop();
            say();
            read();
        });
    }
};
int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int conns = std::atoi(argv[2]);
    window = std::atoi(argv[3]);
    messages = std::atoi(argv[4]);
    std::vector<std::unique_ptr<member>> members;
    for (int i = 0; i < conns; i++) {
        members.push_back(std::make_unique<member>());
        member &m = *members.back();
        m.ws.next_layer().connect({asio::ip::make_address("127.0.0.1"), (unsigned short)std::atoi(argv[1])});
        m.ws.next_layer().set_option(asio::ip::tcp::no_delay(true));
        m.ws.secure_prng(false); // the faster of its two ways to masks
        m.ws.text(true);
        m.ws.handshake("127.0.0.1", "/");
    }
    double began = used();
    for (auto &m : members) {
        m->read();
        for (int k = 0; k < window; k++) m->say();
    }
    net.run();
    std::printf("%.0f\n", used() - began);
    std::fflush(stdout);
    std::_Exit(0);
}
