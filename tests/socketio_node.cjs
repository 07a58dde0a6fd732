// A server of Node's with its adapter for Redis, which does what the fixture of this project does (tests/fixture_sio.c), as far
// as the tests with several servers ask for it.  node tests/socketio_node.cjs REDIS NAME [MODE of the sharded adapter]
// REDIS with several addresses, a comma between them: nodes of a Redis Cluster.
const { createRequire } = require('node:module');
const http = require('node:http');
const from = createRequire((process.env.ORACLE_MODULES || process.cwd() + '/build/node/node_modules') + '/');
const { Server } = from('socket.io');
const { createAdapter, createShardedAdapter } = from('@socket.io/redis-adapter');
const { Redis, Cluster } = from('ioredis');
const [url, name, mode = 'classic'] = process.argv.slice(2);
const way = { maxRetriesPerRequest: null, retryStrategy: n => Math.min(50 * n, 1000) };
const nodes = url.slice('redis://'.length).split(',').map(at => ({ host: at.split(':')[0], port: +at.split(':')[1] }));
const client = more => (nodes.length === 1 ? new Redis(url, { ...way, ...more }) : new Cluster(nodes, { shardedSubscribers: true, redisOptions: { ...way, ...more }, clusterRetryStrategy: n => Math.min(50 * n, 1000), slotsRefreshInterval: 1000 }));
// What is published and may have been carried out is not said again: then a message that comes twice is somebody else's fault.
// Who subscribes must say it again: with the same option ioredis never subscribes any more once it is cut off before Redis has
// answered its PSUBSCRIBE, and is connected and deaf from then on.
const [pub, sub] = [client({ autoResendUnfulfilledCommands: false }), client()];
for (const redis of [pub, sub]) redis.on('error', () => {});

const list = v => (typeof v === 'string' ? [v] : v);
const text = e => (e instanceof Error ? e.message : String(e));
const server = http.createServer();
const io = new Server(server, { serveClient: false, adapter: mode === 'classic' ? createAdapter(pub, sub, { requestsTimeout: 10000 }) : createShardedAdapter(pub, sub, { subscriptionMode: mode }) });

function application(nsp, socket) {
  const on = (event, does) => socket.on(event, (...args) => { // `answer` comes first, whether it is wanted or not
    const answer = typeof args.at(-1) === 'function' ? args.pop() : () => {};
    Promise.resolve(does(answer, ...args)).catch(() => {});
  });
  const to = t => {
    let all = nsp.to(list(t.rooms ?? [])).except(list(t.except ?? []));
    if (t.local) all = all.local;
    if (t.volatile) all = all.volatile;
    return typeof t.compress === 'boolean' ? all.compress(t.compress) : all;
  };
  on('join', (answer, rooms) => { socket.join(list(rooms)); answer([...socket.rooms]); });
  on('leave', (answer, rooms) => { list(rooms).forEach(r => socket.leave(r)); answer([...socket.rooms]); });
  on('rooms', answer => answer([...socket.rooms]));
  on('to', (_, rooms, ...event) => socket.to(list(rooms)).emit(...event));
  on('in', (_, rooms, ...event) => nsp.in(list(rooms)).emit(...event));
  on('bcast', (_, ...event) => socket.broadcast.emit(...event));
  on('all', (_, ...event) => nsp.emit(...event));
  on('send', (_, t, ...event) => to(t).emit(...event));
  on('dates', () => nsp.emit('dates', new Date(0), { at: [new Date(1700000000123), new Date(-1)] })); // a fixture in C has no such
  on('burst', (_, t, n, size) => { for (let i = 0; i < n; i++) to(t).emit('burst', i, 'x'.repeat(size)); });
  on('data', (answer, data) => { socket.data = data; answer(); });
  on('fetch', async (answer, t) => {
    const all = await to(t).fetchSockets().catch(e => ({ error: text(e) }));
    answer(all.error ? all : all.map(s => ({ id: s.id, rooms: [...s.rooms].sort(), data: s.data, handshake: Object.keys(s.handshake).sort() })).sort((a, b) => (a.id < b.id ? -1 : 1)));
  });
  on('sockets-join', (answer, t, rooms) => { to(t).socketsJoin(list(rooms)); answer(true); });
  on('sockets-leave', (answer, t, rooms) => { to(t).socketsLeave(list(rooms)); answer(true); });
  on('sockets-disconnect', (answer, t, close) => { answer(true); to(t).disconnectSockets(close); });
  on('ask-all', (answer, t, ms, ...event) => to(t).timeout(ms).emit(...event, (e, answers) => answer(e ? { error: text(e), answers } : { answers })));
  on('sse', (answer, ...event) => { nsp.serverSideEmit(...event); answer(true); });
  on('sse-ask', (answer, ...event) => nsp.serverSideEmit(...event, (e, answers) => answer(e ? { error: text(e), answers: answers ?? [] } : { answers })));
  on('all-rooms', async answer => answer([...await nsp.adapter.allRooms().catch(e => [text(e)])].sort()));
  on('server-count', async answer => answer(await nsp.adapter.serverCount()));
}
for (const space of ['/', '/custom']) {
  const nsp = io.of(space);
  nsp.on('connection', socket => application(nsp, socket));
  nsp._onServerSideEmit = args => { // any event, not those alone that one has listeners for
    const answer = typeof args.at(-1) === 'function' ? args.pop() : () => {};
    nsp.local.emit('sse', ...args);
    if (args[0] !== 'silent') answer({ from: name, args });
  };
}
process.on('uncaughtException', e => { console.error(`${name}: ${e.stack}`); process.exit(3); }); // it ends as it would, and says why
const state = redis => redis.nodes ? redis.nodes('all').map(n => `${n.options.port} ${n.status}`).join() : `${redis.status}, ${JSON.stringify(redis.condition?.subscriber?.set ?? null)}`;
process.on('SIGUSR2', () => console.error(`${name}: publishes: ${pub.status} ${state(pub)}; subscribes: ${sub.status} ${state(sub)}`));
process.on('SIGTERM', () => process.exit(0));
sub.subscribe('ready').then(() => server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`)));
