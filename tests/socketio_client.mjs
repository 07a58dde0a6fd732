// A server of npm's socket.io for tests/socketio_client.sh: prints its port. node socketio_client.mjs [options, JSON] [port]
import { createRequire } from 'module';
import path from 'path';
const from = createRequire(path.join(path.resolve(process.env.ORACLE_MODULES ?? 'build/node/node_modules'), '..', 'x.js'));
const { Server } = from('socket.io');
const tries = []; // of `flaky`, in the order in which they came
const http = from('http').createServer((request, response) => response.writeHead(404).end());
const io = new Server(http, { connectionStateRecovery: { maxDisconnectionDuration: 120000, skipMiddlewares: true }, ...JSON.parse(process.argv[2] ?? '{}') });
io.of('/no').use((socket, next) => next(Object.assign(new Error('not authorized'), { data: { code: 7 } })));
for (const name of ['/', '/b']) {
  io.of(name).on('connection', socket => {
    socket.emit('auth', socket.handshake.auth);
    socket.on('echo', (...args) => {
      const answer = typeof args[args.length - 1] === 'function' ? args.pop() : null;
      if (answer) answer(...args);
      else socket.emit('echo', ...args);
    });
    socket.on('ask', () => socket.timeout(60000).emit('q', 1, (error, ...args) => socket.emit('asked', error ? error.message : args)));
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
http.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => console.log(http.address().port));
