// A thin server on Bun: the first message of a connection is answered with `connected` and joins it to the room; every other
// is published to the room as it came, or, in mode echo, sent back. Nothing is parsed. With the files of a certificate and
// its key: over TLS.
const [port, mode, cert, key] = process.argv.slice(2);
const server = Bun.serve<{ known: boolean }>({
    hostname: '127.0.0.1',
    port: Number(port),
    ...(cert ? { tls: { cert: Bun.file(cert), key: Bun.file(key) } } : {}),
    fetch(request, self) {
        return self.upgrade(request, { data: { known: false } }) ? undefined : new Response('no', { status: 400 });
    },
    websocket: {
        idleTimeout: 0,
        perMessageDeflate: false,
        backpressureLimit: 1 << 20,
        message(ws, text) {
            if (!ws.data.known) {
                ws.data.known = true;
                ws.subscribe('room');
                ws.send('{"event":"connected"}');
            } else if (mode === 'echo') ws.send(text);
            else server.publish('room', text);
        },
    },
});
