// The flow of Socket.IO with the client from npm, on every transport: who authenticates is pinged, told, and in rooms; who may
// not hears why, and goes, and so does who waits too long; and a JSON client of the same server comes in by the same word.
//   node tests/socketio_flow.mjs FIXTURE
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { patience, until as soon } from './wait.mjs';
const require = createRequire(process.cwd() + '/build/node/x.js');
const { io } = require('socket.io-client');
const { WebSocket } = require('ws');
let passed = 0, failed = 0;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL socketio_flow: ${what}`)); };
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const server = spawn(process.argv[2], ['--port', '0', '--sio-helper', '/io', '--sio-helper-auth-timeout', '4000', '--sio-helper-ping-interval', '300'],
  { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, WSHUB_LOG: 'off' } });
const ended = new Promise(done => server.once('exit', done));
let said = '';
server.stdout.on('data', text => { said += text; });
await soon(() => /listening \d+\n/.test(said));
const port = /listening (\d+)\n/.exec(said)[1];

function client(transports, auth) {
  const socket = io(`http://127.0.0.1:${port}`, { path: '/io/', transports, auth, forceNew: true, reconnection: false });
  const it = { socket, heard: [], came: false, gone: null };
  socket.on('connect', () => { it.came = true; });
  socket.onAny((event, value) => it.heard.push([event, value]));
  socket.on('disconnect', reason => { it.gone = reason; });
  it.of = event => it.heard.filter(h => h[0] === event).map(h => h[1]);
  it.ask = (...args) => socket.timeout(patience).emitWithAck(...args).catch(error => error.message);
  it.connected = soon(() => it.came);
  return it;
}

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  const on = `over ${transports}`;
  const [a, b, stranger, refused, failing] = ['user:ada', 'slow:100:bob', undefined, 'nobody', 'error'].map(token => client(transports, token && { token }));
  check(`all connect ${on}`, (await Promise.all([a, b, stranger, refused, failing].map(c => c.connected))).every(Boolean));
  a.socket.emit('echo', 'too early');
  for (const c of [a, b, refused, failing]) c.socket.emit('authenticate');

  check(`both come in ${on}`, await soon(() => a.of('authenticated').length && b.of('authenticated').length));
  check(`they are pinged, then told ${on}: ${JSON.stringify(a.heard)}`, same(a.heard.slice(0, 2).map(h => h[0]), ['ping', 'authenticated']) &&
    a.of('authenticated')[0].id === a.socket.id && Math.abs(Date.parse(a.of('ping')[0].time) - Date.now()) < 60000);
  check(`what was too early is dropped ${on}`, a.of('echo').length === 0);
  check(`default rooms ${on}`, same((await a.ask('rooms')).sort(), [a.socket.id, 'io-default', 'io-notification'].sort()));
  a.socket.emit('join', { rooms: ['public-a', 'secret'] });
  a.socket.emit('leave', { rooms: ['io-default', 'nowhere'] });
  check(`rooms that are asked for, and left ${on}`, same((await a.ask('rooms')).sort(), [a.socket.id, 'io-notification', 'public-a'].sort()));
  for (const nonsense of [null, 5, 'public-b', {}, { rooms: 'public-b' }, { rooms: { length: 1 } }, { rooms: ['public-b', 5] }]) {
    a.socket.emit('join', nonsense);
    a.socket.emit('leave', nonsense);
  }
  check(`what is no list of rooms is ignored ${on}`, (await a.ask('rooms')).length === 3 && await a.ask('echo', 7) === 7);

  check(`who may not hears why ${on}`, await soon(() => refused.gone && failing.gone) &&
    refused.of('unauthenticated')[0]?.message === 'Invalid token to authenticate! Please login again!' &&
    failing.of('unauthenticated')[0]?.message === 'Failed to authenticate connection! Please login again!' &&
    refused.gone === 'io server disconnect' && failing.gone === 'io server disconnect');
  check(`somebody is sent to by his id ${on}`, await b.ask('send', { destination: a.socket.id, payload: { topic: 'one', data: { x: [1] } } }) === true &&
    await soon(() => a.of('one').length) && same(a.of('one'), [{ x: [1] }]) && !b.of('one').length);
  if (!stranger.gone) {
    await b.ask('send', { payload: { topic: 'all', data: 'x' } });
    check(`all are, a stranger too ${on}`, await soon(() => [a, b, stranger].every(c => c.of('all').length === 1)) && stranger.heard.length === 1);
  }
  check(`who says nothing goes ${on}`, await soon(() => stranger.gone) && stranger.gone === 'io server disconnect' && !stranger.of('unauthenticated').length);
  check(`pings go on ${on}`, await soon(() => a.of('ping').length > 3) && !a.gone && a.of('authenticated').length === 1);
  for (const c of [a, b]) c.socket.disconnect();
}

// The callbacks are those that JSON clients have.
const json = new WebSocket(`ws://127.0.0.1:${port}/ws`), frames = [];
json.on('message', text => frames.push(JSON.parse(text)));
json.on('open', () => json.send('{"event":"authenticate","data":{"token":"user:ada"}}'));
check('a JSON client comes in by the same word', await soon(() => frames.length) && frames[0].event === 'connected' && frames[0].data.userId === 'ada');
json.close();

// Whose poll is not with the server when that ends finds nobody to ask again. Behind its answer a client polls anew; behind
// some more of another's the server has that poll.
const last = [['polling'], ['websocket']].map(transports => client(transports, { token: 'user:ada' }));
for (const c of last) {
  await c.connected;
  c.socket.emit('authenticate');
  await soon(() => c.of('authenticated').length);
}
for (const c of [last[0], last[1], last[1], last[1]]) await c.ask('echo', 1);
server.kill('SIGTERM');
check('at the end all are told to go', await soon(() => last.every(c => c.gone)) && last.every(c => c.gone === 'io server disconnect') ||
  console.log(`  they went by: ${last.map(c => c.gone)}`));
check('and the program ends in order', await ended === 0);
console.log(`socketio_flow: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
