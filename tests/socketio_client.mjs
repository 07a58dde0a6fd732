// A server of npm's socket.io for tests/socketio_client.sh and tests/socketio_versions.mjs: prints its port. ENGINE=bun: on
// @socket.io/bun-engine, under Bun. node socketio_client.mjs [options, JSON] [port]
import { createRequire } from 'module';
import path from 'path';
const from = createRequire(path.join(path.resolve(process.env.ORACLE_MODULES ?? 'build/node/node_modules'), '..', 'x.js'));
const { Server } = from('socket.io');
const tries = []; // of `flaky`, in the order in which they came
const options = JSON.parse(process.argv[2] ?? '{}'), port = Number(process.argv[3] ?? 0);
const http = from('http').createServer((request, response) => response.writeHead(404).end());
const engine = process.env.ENGINE === 'bun' && new (from('@socket.io/bun-engine').Server)({ path: '/socket.io/', ...options });
const io = new Server({ connectionStateRecovery: { maxDisconnectionDuration: 120000, skipMiddlewares: true }, ...options });
if (engine) io.bind(engine);
else io.attach(http);
io.of('/no').use((socket, next) => next(Object.assign(new Error('not authorized'), { data: { code: 7 } })));
for (const name of ['/', '/b']) {
  io.of(name).on('connection', socket => {
    socket.emit('auth', socket.handshake.auth);
    socket.on('echo', (...args) => {
      const answer = typeof args[args.length - 1] === 'function' ? args.pop() : null;
      if (answer) answer(...args);
      else socket.emit('echo', ...args);
    });
    socket.on('ask', () => socket.emit('q', 1, (...args) => socket.emit('asked', args)));
    socket.on('disconnect', () => setImmediate(() => io.of(name).emit('missed', 1)));
    // The first try is not heard, the second is answered with the end of the connection.
    socket.on('flaky', (n, answer) => {
      const heard = tries.filter(other => other === n).length;
      tries.push(n);
      if (heard === 1) socket.conn.close();
      if (heard > 1) answer(n);
    });
    socket.on('tries', answer => answer(tries));
    socket.on('bye', () => socket.disconnect());
    socket.on('transport', () => socket.emit('transport', socket.conn.transport.name));
    socket.conn.on('upgrade', () => socket.emit('upgraded'));
  });
}
if (engine) console.log(Bun.serve({ hostname: '127.0.0.1', port, ...engine.handler() }).port);
else http.listen(port, '127.0.0.1', () => console.log(http.address().port));
