// One version of Socket.IO's packages, both ways: their server with our client, and our server with their client, on every
// transport. Run by tests/socketio_versions.sh, under Node or Bun.
//   node tests/socketio_versions.mjs NAME FOLDER_OF_MODULES FOLDER_OF_FIXTURES [recovers] [engine]
//     recovers  the version has connection state recovery (4.6)
//     engine    its server runs on @socket.io/bun-engine
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { until } from './wait.mjs';
const [name, modules, fixtures, ...rest] = process.argv.slice(2);
const recovers = rest.includes('recovers'), engine = rest.includes('engine');
const require = createRequire(path.resolve(modules, '..', 'x.js'));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
let passed = 0, failed = 0;
const check = (what, ok, seen) => {
  if (ok) { passed++; return; }
  failed++;
  console.log(`FAIL socketio_versions: ${name}: ${what}\n  seen ${JSON.stringify(seen ?? null).slice(0, 600)}`);
};

// A program that prints where it listens, as `listening PORT` or as the number alone.
async function serve(command, args, env = {}) {
  const program = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, WSHUB_LOG: 'off', ...env } });
  let said = '';
  program.stdout.on('data', text => { said += text; });
  await until(() => /\d+\n/.test(said));
  return { program, url: `http://127.0.0.1:${/(\d+)\n/.exec(said)?.[1]}` };
}

// ---- their server, our client ----

function ours(url, ...options) {
  const program = spawn(`${fixtures}/fixture-sio-client`, ['--sio', '--url', url, '--reconnect-delay', '100', ...options],
    { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = [];
  let rest = '';
  program.stdout.on('data', text => {
    const parts = (rest + text).split('\n');
    rest = parts.pop();
    lines.push(...parts.map(line => JSON.parse(line)));
  });
  const it = { lines, program };
  it.do = (what, more = {}) => program.stdin.write(JSON.stringify({ do: what, ...more }) + '\n');
  it.has = is => until(() => lines.some(is));
  it.event = (event, is = () => true) => it.has(line => line.on === 'event' && line.event === event && is(line));
  it.end = () => new Promise(done => { program.once('exit', done); program.stdin.end(); });
  return it;
}

async function our_client(url, transports) {
  const on = `our client over ${transports}: `, last = transports.split(',').pop();
  let c = ours(url, '--transports', transports, '--auth', '{"t":1}', '--no-connect');
  c.do('subscribe', { event: '*' });
  c.do('connect');
  check(on + 'its word is heard', await c.event('auth', line => same(line.args[0], { t: 1 })), c.lines);
  if (last !== transports) check(on + 'it moves', await c.event('upgraded'), c.lines);
  c.do('emit', { event: 'transport' });
  check(on + 'it is there', await c.event('transport', line => line.args[0] === last), c.lines);
  const args = [1, { b: [{ $bin: '00ff1e' }] }, { $bin: '' }, 'é\u001e'];
  c.do('emit', { event: 'echo', args });
  check(on + 'an event comes back', await c.event('echo', line => same(line.args.slice(0, 4), args)), c.lines);
  c.do('emit', { event: 'echo', args, ack: 5, timeout: 60000 });
  check(on + 'it is answered', await c.has(line => line.on === 'ack' && line.id === 5 && same(line.args, args)), c.lines);
  c.do('emit', { event: 'ask' });
  await c.event('q');
  c.do('ack', { ack: c.lines.find(line => line.event === 'q')?.ack, args: ['r', { $bin: '01' }] });
  check(on + 'it answers', await c.event('asked', line => same(line.args[0], ['r', { $bin: '01' }])), c.lines);
  for (let i = 0; i < 300; i++) c.do('emit', { event: 'echo', args: [i, 'x'.repeat(100)] });
  await c.event('echo', line => line.args[0] === 299);
  const numbers = c.lines.filter(line => line.event === 'echo').map(line => line.args[0]).slice(1);
  check(on + 'three hundred in order', same(numbers, [...Array(300).keys()]), numbers);
  // Only a server that has noticed the end recovers; of one between two polls it is told later.
  const connects = () => c.lines.filter(line => line.on === 'connect');
  for (let i = 2; i < 20 && (i === 2 || (recovers && !connects().pop().recovered)); i++) {
    c.do('drop');
    check(on + 'it comes back', await until(() => connects().length === i), c.lines);
  }
  check(on + `it is ${recovers ? '' : 'not '}recovered`, connects().pop().recovered === recovers, c.lines);
  c.do('emit', { event: 'bye' });
  check(on + 'it is put out', await c.has(line => line.on === 'disconnect' && line.reason === 'io server disconnect'), c.lines);
  check(on + 'it ends in order', await c.end() === 0);

  c = ours(url, '--transports', transports, '--nsp', '/,/b,/no,/nope');
  check(on + 'namespaces, of which one refuses and one is unknown', await c.has(line => line.on === 'connect' && line.nsp === '/b') &&
    await c.has(line => line.on === 'connect_error' && line.nsp === '/no' && line.message === 'not authorized' && same(line.data, { code: 7 })) &&
    await c.has(line => line.on === 'connect_error' && line.nsp === '/nope' && line.message === 'Invalid namespace'), c.lines);
  await c.end();
}

const env = { ORACLE_MODULES: modules, ...(engine ? { ENGINE: 'bun' } : {}) };
const theirs = await serve(process.execPath, ['tests/socketio_client.mjs', '{"pingInterval":200,"pingTimeout":60000}'], env);
for (const transports of ['websocket', 'polling', 'polling,websocket']) await our_client(theirs.url, transports);
theirs.program.kill('SIGKILL');

// ---- our server, their client ----

const { io } = require('socket.io-client');

function their(url, transports, nsp = '/', options = {}) {
  const socket = io(url + nsp, { transports, forceNew: true, reconnectionDelay: 100, ...options });
  const it = { socket, heard: [], gone: [], error: null, connects: 0 };
  socket.onAny((event, ...args) => it.heard.push([event, args]));
  socket.on('connect', () => { it.connects++; });
  socket.on('disconnect', reason => it.gone.push(reason));
  socket.on('connect_error', error => { it.error = error; });
  it.of = event => it.heard.filter(h => h[0] === event).map(h => h[1]);
  it.ask = (...args) => Promise.race([new Promise(done => socket.emit(...args, (...answer) => done(answer))),
    new Promise(done => setTimeout(done, 60000, ['no answer']).unref?.())]);
  return it;
}

async function their_client(url, transports) {
  const on = `their client over ${transports}: `;
  const a = their(url, transports, '/', { auth: { t: 1 } }), b = their(url, transports);
  check(on + 'they connect', await until(() => a.socket.connected && b.socket.connected), [a.error?.message, b.error?.message]);
  const [who] = await a.ask('whoami');
  check(on + 'its word is heard', same(who.auth, { t: 1 }) && who.query.EIO === '4', who);
  const answer = await a.ask('echo', 1, { b: Buffer.from('00ff1e', 'hex') }, Buffer.alloc(0), 'é\u001e');
  check(on + 'it is answered', answer.length === 4 && Buffer.from(answer[1].b).toString('hex') === '00ff1e' && answer[2].byteLength === 0 &&
    answer[3] === 'é\u001e', answer);
  a.socket.once('q', (n, answer) => answer('r', n));
  a.socket.emit('ask', 'q', 7);
  check(on + 'it answers', await until(() => a.of('asked').length) && same(a.of('asked')[0].slice(0, 2), ['r', 7]), a.heard);
  const [rooms] = await a.ask('join', ['red']);
  check(on + 'it joins', rooms.includes('red'), rooms);
  b.socket.emit('to', 'red', 'seen', 1, Buffer.from([1, 2]));
  check(on + 'a room is sent to', await until(() => a.of('seen').length) && a.of('seen')[0][0] === 1 && a.of('seen')[0][1].byteLength === 2 &&
    !b.of('seen').length, a.heard);
  a.socket.emit('many', 300);
  await until(() => a.of('n').length >= 300);
  check(on + 'three hundred in order', same(a.of('n').map(args => args[0]), [...Array(300).keys()]), a.of('n').length);
  if (transports.length > 1) check(on + 'it moves', await until(async () => (await a.ask('transport'))[0] === 'websocket'));

  // Cut by the server: it comes back, and one that can is recovered.
  a.socket.emit('drop');
  check(on + 'it comes back', await until(() => a.connects === 2), a.gone);
  check(on + `it is ${recovers ? '' : 'not '}recovered`, Boolean(a.socket.recovered) === recovers && (await a.ask('rooms'))[0].includes('red') === recovers);
  const refused = their(url, transports, '/mw', { auth: { token: 'no', data: 1 } });
  check(on + 'a namespace refuses', await until(() => refused.error) && refused.error.message === 'not authorized' && same(refused.error.data, { code: 7 }),
    refused.error?.message);
  const unknown = their(url, transports, '/nowhere');
  check(on + 'a namespace is unknown', await until(() => unknown.error) && unknown.error.message === 'Invalid namespace', unknown.error?.message);
  a.socket.emit('bye');
  check(on + 'it is put out', await until(() => a.gone.includes('io server disconnect')), a.gone);
  for (const c of [a, b, refused, unknown]) c.socket.disconnect();
}

const mine = await serve(`${fixtures}/fixture-sio`, ['--port', '0', '--sio', '/socket.io/', '--sio-recovery', '120000', '--sio-ping-interval', '200',
  '--sio-ping-timeout', '60000']);
for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) await their_client(mine.url, transports);
const ended = new Promise(done => mine.program.once('exit', done));
mine.program.kill('SIGTERM');
check('our server ends in order', await ended === 0);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
