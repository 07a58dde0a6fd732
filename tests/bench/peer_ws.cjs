// A thin server on ws for Node: the first message of a connection is answered with `connected` and joins it to the room;
// every other is sent to all in the room as it came, or, in mode echo, back. Nothing is parsed.
const { WebSocketServer } = require('ws');
const [port, mode] = process.argv.slice(2);
const room = new Set();
new WebSocketServer({ host: '127.0.0.1', port: Number(port), perMessageDeflate: false, backlog: 4096 }).on('connection', (ws) => {
    let known = false;
    ws.on('message', (bytes) => {
        const text = bytes.toString();
        if (!known) {
            known = true;
            room.add(ws);
            ws.send('{"event":"connected"}');
        } else if (mode === 'echo') ws.send(text);
        else for (const one of room) one.send(text);
    });
    ws.on('close', () => room.delete(ws));
    ws.on('error', () => {});
});
