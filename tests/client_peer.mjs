// A server for tests/client.sh by the npm package ws: prints its port. / echoes, /until does and closes behind the
// message `bye`, /close and /odd close (1000 after a while, 4321 at once), /ping pings and says when it is answered, /cut
// goes without a word, /late echoes after a while.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
const require = createRequire(resolve(process.env.ORACLE_MODULES || 'build/node/node_modules', 'x.js'));
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } });
server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket, request) => {
    const path = request.url;
    if (path === '/close') setTimeout(() => socket.close(1000, 'bye'), 200);
    if (path === '/odd') socket.close(4321, 'odd');
    if (path === '/cut') setTimeout(() => socket.terminate(), 100);
    if (path === '/ping') socket.ping('x');
    socket.on('pong', () => socket.send('pong'));
    socket.on('message', (bytes, binary) => {
        if (path === '/late') setTimeout(() => socket.send(bytes, { binary }), 200);
        else socket.send(bytes, { binary });
        if (path === '/until' && String(bytes) === 'bye') socket.close(1000);
    });
});
