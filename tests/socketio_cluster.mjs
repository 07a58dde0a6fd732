// Servers of this library and of Node's on one Redis, in one cluster: each operation from each to each; many messages at once;
// servers that are killed under load; a Redis that is. Ends with a matrix of operations and directions, C for ours, N for Node's.
//   node tests/socketio_cluster.mjs FIXTURE EMITTER
//   ADAPTER (classic; or a mode of the sharded one: dynamic, static, dynamic-private), MESSAGES (10000) in all, CYCLES (6) of
//   Redis, ROUNDS (1) of the matrix, SERVERS (C1 C2 N1 N2: every second one is killed), VERBOSE (no): what ours log; HIREDIS
//   (none): those of ours that speak to Redis through hiredis, with the classic adapter, as that has no sharded channels; NODES
//   (1) of Redis: with more they are a Redis Cluster, where slots move, too
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { patience, sleep, until, until as soon } from './wait.mjs';
const require = createRequire((process.env.ORACLE_MODULES || process.cwd() + '/build/node/node_modules') + '/');
const { io } = require('socket.io-client');
const { Redis } = require('ioredis');
const { Emitter } = require('@socket.io/redis-emitter');
const { encode } = createRequire(require.resolve('@socket.io/redis-emitter'))('notepack.io');
const [fixture, emitterProgram] = process.argv.slice(2);
const messages = +(process.env.MESSAGES || 10000), cycles = +(process.env.CYCLES || 6), rounds = +(process.env.ROUNDS || 1);
const adapter = process.env.ADAPTER || 'classic', sharded = adapter !== 'classic', nodesCount = +(process.env.NODES || 1), clustered = nodesCount > 1;
const test = `socketio_cluster${sharded ? '_sharded' : ''}${clustered ? '_over_a_redis_cluster' : ''}`;
let passed = 0, failed = 0;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL ${test}: ${what}`)); return ok; };
const running = new Set();
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')));
process.on('SIGTERM', () => process.exit(1)); // its time is over

function start(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', command === 'node' || process.env.VERBOSE ? 'inherit' : 'pipe'], env: { ...process.env, WSHUB_LOG: 'info' } });
  running.add(child);
  child.said = '';
  child.logged = ''; // the end of it
  child.stderr?.on('data', text => { child.logged = (child.logged + text).slice(-4000); });
  child.stdout.on('data', text => { child.said += text; });
  child.ended = new Promise(done => child.once('exit', () => { running.delete(child); done(); }));
  return child;
}
const freePort = () => new Promise(done => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)); }); });
/* One Redis, or the nodes of a Cluster, each with a connection that tells it what to do. */
const brokers = [];
async function startRedis(broker) {
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-require-full-coverage', 'no', '--cluster-allow-replica-migration', 'no'];
  broker.child = start('redis-server', ['--port', broker.port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', broker.dir, '--client-output-buffer-limit', 'pubsub 0 0 0', ...(clustered ? cluster : [])]);
  await soon(() => broker.child.said.includes('Ready to accept'));
}
const isOk = broker => broker.control.call('CLUSTER', 'INFO').then(text => text.includes('cluster_state:ok') && text.includes(`cluster_known_nodes:${nodesCount}`), () => false);
for (let i = 0; i < nodesCount; i++) {
  let port = await freePort();
  while (clustered && port > 55000) port = await freePort(); // its nodes speak to each other 10000 above
  const broker = { port, dir: clustered ? mkdtempSync('build/redis-') : 'build' };
  await startRedis(broker);
  broker.control = new Redis(`redis://127.0.0.1:${port}`, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  broker.control.on('error', () => {});
  brokers.push(broker);
}
process.on('exit', () => clustered && brokers.forEach(broker => rmSync(broker.dir, { recursive: true, force: true })));
if (clustered) {
  const share = Math.ceil(16384 / nodesCount);
  for (const [i, broker] of brokers.entries()) {
    broker.id = await broker.control.call('CLUSTER', 'MYID');
    await broker.control.call('CLUSTER', 'ADDSLOTSRANGE', i * share, Math.min(16383, (i + 1) * share - 1));
    if (i) await broker.control.call('CLUSTER', 'MEET', '127.0.0.1', brokers[0].port);
  }
  for (const broker of brokers) await until(() => isOk(broker));
}
const url = `redis://${brokers.map(broker => `127.0.0.1:${broker.port}`).join()}`;
const every = async (...words) => Promise.all(brokers.map(broker => broker.control.call(...words)));

/* ---- servers, and who is connected to them ---- */

const throughHiredis = sharded || clustered ? [] : (process.env.HIREDIS || '').split(' ');
const clients = []; // of all servers, in the order of their names
async function serve(name) {
  const child = name[0] === 'C' ? start(fixture, ['--port', '0', '--sio', '/socket.io', '--redis', url, '--sio-name', name, '--sio-requests-timeout', '10000', ...(sharded ? ['--sio-sharded', adapter] : []), ...(clustered ? ['--sio-redis-cluster'] : []), ...(throughHiredis.includes(name) ? ['--sio-hiredis'] : [])])
    : start('node', ['tests/socketio_node.cjs', url, name, adapter]);
  await soon(() => /listening \d+\n/.test(child.said));
  const port = /listening (\d+)/.exec(child.said)?.[1];
  if (!port) { console.log(`FAIL ${name} does not start`); process.exit(1); }
  return { name, kind: name[0], child, port };
}
function connect(server, rooms, space = '/') {
  const socket = io(`http://127.0.0.1:${server.port}${space}`, { transports: ['websocket'], forceNew: true, reconnection: false });
  const it = { server, kind: server.kind, socket, space, rooms, heard: [], gone: null, name: `${server.name}${space}${rooms}` };
  socket.onAny((...args) => { typeof args.at(-1) === 'function' ? args.pop()(it.name) : it.heard.push(args); });
  socket.on('disconnect', reason => { it.gone = reason; });
  it.ask = (...args) => socket.timeout(patience).emitWithAck(...args).catch(e => ({ error: e.message }));
  it.ready = soon(() => socket.connected).then(async () => { if (rooms.length) await it.ask('join', rooms); });
  return it;
}
const long = 'as-long-as-ids-are-20'.slice(0, 20); // which in the mode `dynamic` has no channel
async function inhabit(server) {
  const its = [connect(server, ['red']), connect(server, ['blue', long]), connect(server, ['red', 'blue']), connect(server, [], '/custom')];
  clients.push(...its);
  await Promise.all(its.map(c => c.ready));
}
const of = (space, server) => clients.filter(c => c.space === space && (!server || c.server === server));

/* ---- operations, and who hears what ---- */

const servers = await Promise.all((process.env.SERVERS || 'C1 C2 N1 N2').split(' ').map(serve));
await Promise.all(servers.map(inhabit));
const members = (await every('PUBSUB', ...(sharded ? ['SHARDNUMSUB', 'socket.io#/#'] : ['NUMSUB', 'socket.io-request#/#']))).reduce((sum, [, n]) => sum + n, 0);
const asked = members === servers.length; // do all answer requests?

const matrix = new Map(); // operation: direction: all was right
const note = (operation, direction, ok, why = '') => {
  const row = matrix.get(operation) ?? {};
  row[direction] = (row[direction] ?? true) && ok;
  matrix.set(operation, row);
  if (!ok) console.log(`  ${operation} ${direction} ${why}`);
};
let number = 0;
/* Whoever speaks says behind it a word to all, in order: who has heard that has heard what there was to hear. In a Cluster a
 * room's channel may be at another node than that of all: there who hears it is waited for, too. */
async function heardBy(space, says, mark, hears = () => false) {
  const name = `e${++number}`, end = `end${number}`;
  await says(name);
  await mark(end);
  await soon(() => of(space).every(c => c.heard.some(h => h[0] === end)));
  if (clustered) await soon(() => of(space).every(c => !hears(c) || c.heard.some(h => h[0] === name)));
  return name;
}
const bytes = Buffer.from([0, 1, 254, 255]);
const values = [null, true, 0, -1, 127, 128, 65536, 2 ** 53, -(2 ** 53), 1.5, 1e-7, 'ä€😀\u2028', '', [], {}, [[{ deep: [1, { x: null }] }]], { a: 'b' }];
const everybody = () => true, among = (...rooms) => c => c.rooms.some(r => rooms.includes(r));
/* operation: what the sender's client is told, who hears it (but for `socket`: of all), and what */
const operations = {
  'emit': [e => ['all', e, ...values], everybody, values],
  'socket.broadcast': [e => ['bcast', e, 1], (c, me) => c !== me],
  'to one room': [e => ['in', 'red', e, 1], among('red')],
  'to a room of 20 characters': [e => ['in', long, e, 1], among(long)],
  'to two rooms': [e => ['in', ['red', 'blue'], e, 1], among('red', 'blue')],
  'socket.to': [e => ['to', ['red', 'blue'], e, 1], (c, me) => c !== me],
  'to a room of nobody': [e => ['in', 'nobody', e, 1], () => false],
  'except': [e => ['send', { except: ['red'] }, e, 1], c => !among('red')(c)],
  'rooms and except': [e => ['send', { rooms: 'red', except: 'blue' }, e, 1], c => among('red')(c) && !among('blue')(c)],
  'volatile': [e => ['send', { volatile: true }, e, 1], everybody],
  'compress': [e => ['send', { compress: false }, e, 1], everybody],
  'local': [e => ['send', { local: true }, e, 1], (c, me) => c.server === me.server],
  'bytes': [e => ['all', e, bytes, { in: [bytes, Buffer.alloc(0)] }], everybody, [bytes, { in: [bytes, Buffer.alloc(0)] }]],
  'ten attachments': [e => ['in', 'blue', e, ...Array(10).fill(bytes)], among('blue'), Array(10).fill(bytes)],
  '100,000 bytes': [e => ['all', e, 'x'.repeat(100000)], everybody, ['x'.repeat(100000)]],
  'a namespace': [e => ['all', e, 1], everybody, [1], '/custom'],
};
function compare(operation, from, space, name, hears, args) {
  for (const to of servers) {
    const wrong = of(space, to).find(c => !isDeepStrictEqual(c.heard.filter(h => h[0] === name).map(h => h.slice(1)), hears(c) ? [args] : []));
    const silent = clients.filter(c => c.space !== space).find(c => c.heard.some(h => h[0] === name));
    note(operation, from === to.name ? `${to.kind} to its own` : `${from.length === 2 ? from[0] : from} to ${to.kind}`, !wrong && !silent, (wrong ?? silent)?.name);
  }
}
for (let round = 0; round < rounds; round++) {
  for (const [operation, [tell, hears, args = [1], space = '/']] of Object.entries(operations)) {
    for (const server of servers) {
      const me = of(space, server)[0];
      const name = await heardBy(space, e => me.socket.emit(...tell(e)), end => me.socket.emit('all', end), c => hears(c, me));
      compare(operation, server.name, space, name, c => hears(c, me), args);
    }
  }
  for (const server of servers) { // to one, wherever it is
    for (const to of servers) {
      const me = of('/', server)[0], it = of('/', to)[1];
      const name = await heardBy('/', e => me.socket.emit('in', it.socket.id, e, 1), end => me.socket.emit('all', end), c => c === it);
      const right = of('/').every(c => c.heard.filter(h => h[0] === name).length === (c === it ? 1 : 0));
      note('to one socket', server === to ? `${to.kind} to its own` : `${server.kind} to ${to.kind}`, right);
    }
  }
  for (const server of servers.filter(s => s.kind === 'N')) { // a fixture in C has no dates: its emitter has
    const me = of('/', server)[0];
    await heardBy('/', () => me.socket.emit('dates'), end => me.socket.emit('all', end));
    compare('dates', server.name, '/', 'dates', everybody, ['1970-01-01T00:00:00.000Z', { at: ['2023-11-14T22:13:20.123Z', '1969-12-31T23:59:59.999Z'] }]);
    for (const c of clients) c.heard = [];
  }
}

/* ---- emitters ---- */

const ours = start(emitterProgram, ['--sio', '--redis', url]);
await soon(() => ours.said.includes('ready'));
let answers = 0;
const tellOurs = async line => {
  ours.stdin.write(JSON.stringify(line) + '\n');
  await soon(() => ours.said.split('\n').length > answers + 2);
  answers++;
};
const nodes = new Redis(`redis://127.0.0.1:${brokers[0].port}`, { maxRetriesPerRequest: null }), node = new Emitter(nodes);
nodes.on('error', () => {});
const emitters = {
  'our emitter': { emit: (e, args, t = {}) => tellOurs({ ...t, event: e, args }) },
  "Node's emitter": {
    emit: (e, args, t = {}) => {
      const real = v => (v?.$bin !== undefined ? Buffer.from(v.$bin, 'hex') : v?.$date !== undefined ? new Date(v.$date) : Array.isArray(v) ? v.map(real)
        : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, real(x)])) : v);
      node.of(t.nsp ?? '/').to(t.rooms ?? []).except(t.except ?? []).emit(e, ...args.map(real));
    },
  },
};
for (const [who, emitter] of sharded ? [] : Object.entries(emitters)) { // emitters speak to the classic adapter alone
  const cases = {
    'emit': [values, {}, everybody, values],
    'to one room': [[1], { rooms: ['red'] }, among('red'), [1]],
    'to two rooms': [[1], { rooms: ['red', 'blue'] }, everybody, [1]],
    'except': [[1], { except: ['red'] }, c => !among('red')(c), [1]],
    'bytes': [[{ $bin: '0001feff' }, { in: [{ $bin: '' }] }], {}, everybody, [bytes, { in: [Buffer.alloc(0)] }]],
    'dates': [[{ $date: 0 }, { at: { $date: 1700000000123 } }], {}, everybody, ['1970-01-01T00:00:00.000Z', { at: '2023-11-14T22:13:20.123Z' }]],
    'a namespace': [[1], { nsp: '/custom' }, everybody, [1]],
  };
  for (const [operation, [args, target, hears, want]] of Object.entries(cases)) {
    const space = target.nsp ?? '/';
    const name = await heardBy(space, e => emitter.emit(e, args, target), end => emitter.emit(end, [], { nsp: space }));
    compare(operation, who, space, name, hears, want);
  }
}

/* ---- what servers ask of each other ---- */

const sorted = list => [...list].sort();
const unanswered = [];
async function requests(server) {
  const me = of('/', server)[0], all = of('/'), ids = kind => sorted(all.filter(c => c.kind === kind).map(c => c.socket.id));
  const each = (operation, right) => ['C', 'N'].forEach(kind => note(operation, `${server.kind} to ${kind}`, right(kind)));
  const found = await me.ask('fetch', {}), some = await me.ask('fetch', { rooms: ['red'], except: ['blue'] });
  const shown = (list, c) => Array.isArray(list) && list.find(s => s.id === c.socket.id);
  const isShown = (list, c) => isDeepStrictEqual(sorted(shown(list, c)?.rooms ?? []), sorted([...c.rooms, c.socket.id])) && shown(list, c).data.of === c.name && shown(list, c).handshake.includes('headers');
  each('fetchSockets', kind => Array.isArray(found) && found.length === all.length && all.filter(c => c.kind === kind).every(c => isShown(found, c)));
  each('fetchSockets of rooms', kind => Array.isArray(some) && some.length === servers.length && all.filter(c => c.kind === kind).every(c => !!shown(some, c) === (c.rooms.join() === 'red')));
  const rooms = sharded || await me.ask('all-rooms'); // Node's sharded adapter has no such, and its server says nothing then
  if (!sharded) each('allRooms', kind => Array.isArray(rooms) && ids(kind).every(id => rooms.includes(id)) && rooms.includes('red') && rooms.length === all.length + 3);
  const count = await me.ask('server-count');
  each('serverCount', () => count === servers.length);
  const answered = await me.ask('ask-all', {}, 30000, 'q');
  each('emit with acks', kind => !answered.error && answered.answers.length === all.length && all.filter(c => c.kind === kind).every(c => answered.answers.includes(c.name)));
  const of1 = await me.ask('ask-all', { rooms: ['red'], except: ['blue'] }, 30000, 'q');
  each('emit with acks to rooms', kind => !of1.error && of1.answers.length === servers.length && all.filter(c => c.kind === kind && c.rooms.join() === 'red').every(c => of1.answers.includes(c.name)));
  const others = servers.filter(s => s !== server);
  const said = await me.ask('sse-ask', 'what', 5, { a: [] });
  each('serverSideEmit with acks', kind => !said.error && said.answers?.length === others.length && others.filter(s => s.kind === kind).every(s => said.answers.some(a => isDeepStrictEqual(a, { from: s.name, args: ['what', 5, { a: [] }] }))));
  if (server.name.endsWith('1')) { // it takes its timeout, in which other things go on
    unanswered.push(me.ask('sse-ask', 'silent').then(quiet => each('the same, unanswered', () => quiet.error === `timeout reached: only 0 responses received out of ${others.length}`)));
  }
  const word = `sse${++number}`;
  await me.ask('sse', word, 1);
  await soon(() => others.every(s => of('/', s).every(c => c.heard.some(h => h[1] === word))));
  each('serverSideEmit', kind => all.filter(c => c.kind === kind).every(c => c.heard.filter(h => h[0] === 'sse' && h[1] === word).length === (c.server === server ? 0 : 1)));
  await me.ask('sockets-join', { rooms: ['red'], except: ['blue'] }, ['green', `of ${server.name}`]);
  const inRoom = async (c, room) => (await c.ask('rooms')).includes(room);
  const allAre = async (room, who) => { // it comes when it comes
    await soon(async () => (await Promise.all(all.map(async c => (await inRoom(c, room)) === who(c)))).every(Boolean));
    return Object.fromEntries(await Promise.all(['C', 'N'].map(async kind => [kind, (await Promise.all(all.filter(c => c.kind === kind).map(async c => (await inRoom(c, room)) === who(c)))).every(Boolean)])));
  };
  const joined = await allAre('green', c => c.rooms.join() === 'red');
  each('socketsJoin', kind => joined[kind]);
  await me.ask('sockets-leave', {}, ['green', `of ${server.name}`]);
  const left = await allAre('green', () => false);
  each('socketsLeave', kind => left[kind]);
  const guests = servers.map(s => connect(s, [`guests of ${server.name}`]));
  await Promise.all(guests.map(c => c.ready));
  await me.ask('sockets-disconnect', { rooms: [`guests of ${server.name}`] }, server.name.endsWith('2'));
  await soon(() => guests.every(c => c.gone));
  each('disconnectSockets', kind => guests.filter(c => c.kind === kind).every(c => c.gone === 'io server disconnect') && all.every(c => !c.gone));
}
if (asked) {
  for (const c of of('/')) await c.ask('data', { of: c.name });
  for (const server of servers) await requests(server);
}

/* ---- many at once ---- */

function tally(c, sizes) { // what of the bursts it has heard, by the size that is its sender's
  const heard = new Map(sizes.map(size => [size, []]));
  for (const h of c.heard) if (h[0] === 'burst') heard.get(h[2].length)?.push(h[1]);
  return heard;
}
for (const c of clients) c.heard = [];
/* At once no more than a session may owe its peer, of ours: then it is closed (session_bytes_max). */
const share = Math.min(2500, Math.ceil(messages / servers.length)), times = Math.max(1, Math.round(messages / servers.length / share));
const whole = share * servers.length * times;
const from = Date.now();
const sizes = servers.map((_, i) => 300 + i), complete = (list, most = share) => list.length === most && list.every((n, i) => n === i % share);
// Waits as long as something comes, be it slowly: of many messages it takes long until the sockets here have read them.
async function arrived(is) {
  for (let seen = -1, last = Date.now(); !is() && Date.now() < last + patience; await sleep(10)) {
    const now = clients.reduce((sum, c) => sum + c.heard.length, 0);
    if (now !== seen) { seen = now; last = Date.now(); }
  }
}
for (let time = 1; time <= times; time++) {
  servers.forEach((s, i) => of('/', s)[0].socket.emit('burst', {}, share, 300 + i));
  await arrived(() => of('/').every(c => c.heard.length >= time * share * servers.length));
}
for (const c of of('/')) {
  const heard = tally(c, sizes);
  servers.forEach((s, i) => note(`${whole} broadcasts`, s === c.server ? `${c.kind} to its own` : `${s.kind} to ${c.kind}`, complete(heard.get(300 + i), times * share), `${heard.get(300 + i).length} of ${times * share}`));
}
console.log(`  ${whole} broadcasts from ${servers.length} servers to ${of('/').length} sockets: ${Date.now() - from} ms`);

await Promise.all(unanswered);

/* ---- servers that are killed ---- */

for (const c of clients) c.heard = [];
servers.forEach((s, i) => of('/', s)[0].socket.emit('burst', {}, share, 300 + i));
await soon(() => of('/').every(c => c.heard.length > 50));
const dead = servers.filter((_, i) => i % 2), alive = servers.filter((_, i) => i % 2 === 0);
for (const s of dead) s.child.kill('SIGKILL');
await Promise.all(dead.map(s => s.child.ended));
const living = () => of('/').filter(c => alive.includes(c.server)), saidBy = (heard, s) => heard.get(300 + servers.indexOf(s));
const isWhole = c => { const heard = tally(c, sizes); return alive.every(s => complete(saidBy(heard, s))); };
await arrived(() => living().every(isWhole));
for (const c of living()) {
  const heard = tally(c, sizes);
  for (const s of alive) note('others are killed meanwhile', s === c.server ? `${c.kind} to its own` : `${s.kind} to ${c.kind}`, complete(saidBy(heard, s)));
  for (const s of dead) note('who is killed meanwhile', `${s.kind} to ${c.kind}`, saidBy(heard, s).every((n, k) => n === k));
}
if (asked) {
  for (const s of alive) {
    const found = await of('/', s)[0].ask('fetch', {});
    for (const kind of ['C', 'N']) note('fetchSockets of the living', `${s.kind} to ${kind}`, Array.isArray(found) && isDeepStrictEqual(sorted(found.map(f => f.id)), sorted(living().map(c => c.socket.id))));
  }
}
for (const i of servers.keys()) {
  if (i % 2 === 0) continue;
  for (const c of clients.filter(x => x.server === servers[i])) { c.socket.disconnect(); clients.splice(clients.indexOf(c), 1); }
  servers[i] = await serve(servers[i].name);
  await inhabit(servers[i]);
}

/* ---- a Redis that is killed, cuts connections, or cuts those that lag behind ---- */

let ticks = 0;
const longest = {}, limit = size => every('CONFIG', 'SET', 'client-output-buffer-limit', `pubsub ${size} 0 0`);
const channel = 'socket.io#/#';
let has = brokers[0]; // the node that has the channel's slot
if (clustered) {
  const slot = +(await has.control.call('CLUSTER', 'KEYSLOT', channel));
  has = brokers[Math.floor(slot / Math.ceil(16384 / nodesCount))];
}
/* As much load as the machine carries: a server that has yet to say many is given no more. Otherwise what is said behind an
 * outage waits behind what has piled up, and says nothing about who has come back. */
const AHEAD = 200, owes = new Map();
for (const s of servers) {
  owes.set(s, 0);
  of('/', s)[0].socket.on('tick', name => { if (name === s.name) owes.set(s, owes.get(s) - 1); });
}
const ticker = setInterval(() => {
  for (const s of servers.filter(s => owes.get(s) < AHEAD)) {
    owes.set(s, owes.get(s) + 1);
    of('/', s)[0].socket.emit('all', 'tick', s.name, ++ticks);
  }
}, 4);
/* Of whom a client has heard something twice, or not in order. The Cluster client of ioredis says again what it has no answer
 * to, so that what Node's say may come twice there: that is counted and is no failure. */
let twice = 0;
const stumbles = c => servers.filter(s => {
  const heard = c.heard.filter(h => h[0] === 'tick' && h[1] === s.name);
  return !heard.every((h, i) => !i || h[2] > heard[i - 1][2]);
}).map(s => s.name).join();
/* Long, and of no matter to anybody: a broadcast for a room of nobody's. */
const someone = { rooms: ['nobody'], except: [], flags: {} }, packet = { type: 2, data: ['x', 'x'.repeat(1000000)], nsp: '/' };
const foreign = sharded ? JSON.stringify({ type: 3, data: { packet, opts: someone }, uid: '0123456789abcdef', nsp: '/' }) : encode(['zzzzzz', packet, someone]);
const outages = {
  killed: async cycle => {
    const broker = clustered && cycle % 2 ? has : brokers[cycle % brokers.length];
    broker.child.kill('SIGKILL');
    await broker.child.ended;
    await sleep(100 + 150 * (cycle % 3));
    await startRedis(broker);
  },
  cut: async () => { // all connections but those that say so
    await every('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await every('CLIENT', 'KILL', 'TYPE', 'normal');
  },
  limited: async () => { // who subscribes may not be sent much at once: Redis ends the connection
    const listeners = async () => (await has.control.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n').filter(line => !clustered || / ssub=[1-9]/.test(line)).map(line => /^id=(\d+)/.exec(line)?.[1]).filter(Boolean);
    const before = await listeners();
    const isCut = async () => { const now = await listeners(); return !before.some(id => now.includes(id)); };
    await limit(65536);
    await soon(async () => { await has.control.call(sharded ? 'SPUBLISH' : 'PUBLISH', channel, foreign); return isCut(); });
    check('Redis has cut who lags behind', before.length >= servers.length && await isCut());
    await limit(0);
  },
  ...(clustered && {
    /* The slot of the channel goes to the next node, which says so as a newer epoch: without that it may lose the slot again
     * to what its former node has said meanwhile, and then each takes the other for its owner, for ever. */
    moved: async () => {
      const slot = await has.control.call('CLUSTER', 'KEYSLOT', channel), from = has;
      has = brokers[(brokers.indexOf(from) + 1) % brokers.length];
      await has.control.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
      await from.control.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', has.id);
      await has.control.call('CLUSTER', 'SETSLOT', slot, 'NODE', has.id);
      for (const broker of brokers) if (broker !== has) await broker.control.call('CLUSTER', 'SETSLOT', slot, 'NODE', has.id);
    },
  }),
};
/* Who does not hear whom, what Redis has of everybody, and what the servers say of themselves. */
async function whyNot(word) {
  for (const c of of('/')) {
    const silent = servers.filter(s => !c.heard.some(h => h[0] === word && h[1] === s.name)).map(s => s.name);
    if (silent.length) console.log(`  ${c.name} does not hear ${silent}; it has heard ${c.heard.length}, ${c.gone ?? (c.socket.connected ? 'connected' : 'not connected')}`);
  }
  for (const broker of brokers) {
    const said = await Promise.race([broker.control.call('CLIENT', 'LIST'), sleep(1000).then(() => 'does not answer')]);
    console.log(`  Redis on ${broker.port}, ${broker.child.exitCode ?? broker.child.signalCode ?? 'running'}:`);
    if (clustered) console.log('    ' + (await Promise.race([broker.control.call('CLUSTER', 'NODES'), sleep(1000).then(() => '')])).trim().replace(/\n/g, '\n    '));
    console.log(said.replace(/ (laddr|fd|multi|watch|qbuf|qbuf-free|argv-mem|multi-mem|rbs|rbp|obl|tot-mem|events|redir|resp|user|library|lib-ver)=[^ \n]*/g, '').replace(/^/gm, '    '));
  }
  for (const s of servers) {
    if (s.kind === 'N') s.child.kill('SIGUSR2'); // it says how its connections are
    else console.log(`  ${s.name}, ${s.child.exitCode ?? 'running'}: ${s.child.logged.slice(-1500)}`);
  }
  await sleep(1000);
}
for (let cycle = 1; cycle <= cycles; cycle++) {
  const kind = Object.keys(outages)[(cycle - 1) % Object.keys(outages).length];
  for (const c of clients) c.heard = [];
  await sleep(600); // whose connection was good for a while does not wait long for the next
  await soon(() => of('/').every(c => c.heard.length > 20));
  if (clustered) for (const broker of brokers) await until(() => isOk(broker));
  await outages[kind](cycle);
  const back = Date.now(), word = `back${cycle}`;
  const isHealed = () => of('/').every(c => servers.every(s => c.heard.some(h => h[0] === word && h[1] === s.name)));
  while (!isHealed() && Date.now() - back < patience) {
    for (const s of servers) of('/', s)[0].socket.emit('all', word, s.name);
    await sleep(20);
  }
  longest[kind] = Math.max(longest[kind] ?? 0, Date.now() - back);
  if (!check(`all hear all again, in cycle ${cycle}, ${kind}`, isHealed())) await whyNot(word);
  for (const c of of('/')) {
    const whose = stumbles(c);
    if (!whose) continue;
    if (clustered && !whose.includes('C')) twice++;
    else check(`${c.name} hears nothing of ${whose} twice and all in order, in cycle ${cycle}, ${kind}`, false);
  }
  if (cycles > 20 && cycle % 50 === 0) console.log(`  ${cycle} cycles, ${failed} failed, at most ${JSON.stringify(longest)} ms`);
}
clearInterval(ticker);
if (twice) console.log(`  ${twice} times a socket has heard something of a server of Node's twice, or not in order`);
console.log(`  Redis went away ${cycles} times; in at most so many ms all heard all again: ${JSON.stringify(longest)}`);

/* ---- the end ---- */

const directions = ['C to C', 'C to N', 'N to C', 'N to N', 'C to its own', 'N to its own', 'our emitter to C', 'our emitter to N', "Node's emitter to C", "Node's emitter to N"];
console.log(`  ${'operation'.padEnd(28)} ${directions.join(' | ')}`);
for (const [operation, row] of matrix) {
  console.log(`  ${operation.padEnd(28)} ${directions.map(d => (row[d] === undefined ? '.' : row[d] ? 'ok' : 'FAIL').padEnd(d.length)).join(' | ')}`);
  for (const [direction, ok] of Object.entries(row)) check(`${operation}, ${direction}`, ok);
}
if (!asked) console.log(`  requests are not played: ${members} of ${servers.length} servers take them`);
for (const c of clients) c.socket.disconnect();
for (const s of servers) s.child.kill('SIGTERM');
ours.stdin.end();
await Promise.all([...servers.map(s => s.child.ended), ours.ended]);
check('ours end in order', servers.every(s => s.child.exitCode === 0));
console.log(`${test}: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
