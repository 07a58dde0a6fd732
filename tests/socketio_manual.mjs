// The programs of the manual of backends/wshub_dialect_socketio.h, for Node and for here, and that of README.md: each runs as
// it stands there, but for its port, and clients from npm hear the same from the first two, word for word.
//   node tests/socketio_manual.mjs PORT
import { createRequire } from 'node:module';
import { spawn, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { patience, sleep, until } from './wait.mjs';
const require = createRequire(process.cwd() + '/build/node/x.js');
const { io } = require('socket.io-client');
const port = Number(process.argv[2]), at = `http://127.0.0.1:${port}`, origin = 'http://localhost:3000';
let passed = 0, failed = 0;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL socketio_manual: ${what}`)); };
const once = (text, what, by) => { if (text.split(what).length !== 2) throw new Error(`expected ${what} once in\n${text}`); return text.replace(what, by); };

// The block of code of a manual that begins with such a line.
function fromManual(path, first) {
  const blocks = readFileSync(path, 'utf8').split(/^ \*$/m).map(block => block.split('\n').filter(line => line.startsWith(' *     ')).map(line => line.slice(7)).join('\n'));
  const found = blocks.filter(block => block.startsWith(first));
  if (found.length !== 1) throw new Error(`${path}: ${found.length} blocks that begin with ${first}`);
  return found[0] + '\n';
}
const fromReadme = /^```c socketio\n([^]*?)^```/m.exec(readFileSync('README.md', 'utf8'))[1];
const head = '#define _GNU_SOURCE\n#define WSHUB_IMPLEMENTATION\n#include "wshub.h"\n#include "wshub_io_auto.h"\n#include "wshub_dialect_socketio.h"\n#include <stdio.h>\n';
const manual = 'backends/wshub_dialect_socketio.h';
const compile = (name, text) => {
  writeFileSync(`build/${name}.c`, text);
  execFileSync(process.env.CC ?? 'cc', ['-std=c99', '-O1', '-I.', '-Ibackends', '-o', `build/${name}`, `build/${name}.c`], { stdio: 'inherit' });
  return [`build/${name}`, []];
};
async function serving([command, args], run) {
  const server = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, WSHUB_LOG: 'off' } });
  const ended = new Promise(done => server.once('exit', done));
  try {
    await until(() => fetch(`${at}/socket.io/?EIO=4&transport=polling`).then(() => true, () => false));
    return await run();
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
}

// What each of them hears. Nobody says anything more before those who are to hear of it have.
async function talk() {
  const heard = {}, all = [];
  const hear = (names, ...event) => until(() => names.every(name => heard[name].some(h => isDeepStrictEqual(h, event))));
  const client = async (name, auth, how = {}) => {
    const socket = io(at, { auth, forceNew: true, reconnection: false, ...how }), log = heard[name] = [];
    all.push(socket);
    socket.onAny((...event) => log.push(event));
    socket.on('disconnect', why => log.push(['(gone)', why]));
    await new Promise(done => {
      socket.on('connect', () => { log.push(['(connected)', socket.id.length]); done(); });
      socket.on('connect_error', error => { log.push(['(refused)', error.message, error.data ?? null]); done(); });
    });
    return socket;
  };
  const adaName = 'Ada "the" 1\u00e9', ada = await client('ada', { name: adaName });
  const grace = await client('grace', { name: 'Grace' }, { transports: ['websocket'] });
  await hear(['ada'], 'joined', 'Grace');
  await client('nobody', {});
  await client('number', { name: 7 }, { transports: ['polling'] });
  const mary = await client('mary', { name: '' }, { transports: ['polling'] });
  await hear(['ada', 'grace'], 'joined', '');
  heard.acks = [];
  const says = async (socket, name, text) => {
    heard.acks.push(await socket.timeout(patience).emitWithAck('say', text).catch(error => error.message) ?? null);
    await hear(['ada', 'grace', 'mary'], 'said', name, text);
  };
  await says(ada, adaName, 'hello');
  await says(grace, 'Grace', { a: [1, null, 'x\u2028'] });
  await says(mary, '', 12.5);
  await says(ada, adaName, '\ud83d\ude00');
  ada.emit('say', 'without an acknowledgement');
  ada.emit('something else', 1);
  await says(ada, adaName, 'behind it');
  grace.disconnect();
  await hear(['ada', 'mary'], 'left', 'Grace');
  mary.io.engine.close();
  await hear(['ada'], 'left', '');
  heard.cors = await fetch(`${at}/socket.io/?EIO=4&transport=polling`, { headers: { Origin: origin } }).then(r => [r.status, r.headers.get('access-control-allow-origin')]);
  for (const socket of all) socket.disconnect();
  return heard;
}

writeFileSync('build/node/manual.cjs', once(fromManual(manual, 'const { Server }'), '8080', String(port)));
const ours = compile('manual_server', head + once(fromManual(manual, 'static void tell(wshub_sio'), '8080', String(port)));
const here = await serving(ours, talk);
check(`it is as the manual says: ${JSON.stringify(here)}`, JSON.stringify(here.ada.filter(([name]) => name !== 'said')) === JSON.stringify([['(connected)', 20], ['joined', 'Grace'], ['joined', ''], ['left', 'Grace'], ['left', ''], ['(gone)', 'io client disconnect']]) &&
  JSON.stringify(here.nobody) === JSON.stringify([['(refused)', 'who are you?', null]]) && here.acks.every(ack => ack === null) && JSON.stringify(here.cors) === JSON.stringify([200, origin]));
const there = await serving([process.execPath, ['build/node/manual.cjs']], talk);
for (const name of Object.keys(there)) check(`${name} hears the same: on Node ${JSON.stringify(there[name])}, here ${JSON.stringify(here[name])}`, JSON.stringify(there[name]) === JSON.stringify(here[name]));

// README.md: all hear everything, with its arguments, bytes too, and whoever asks is told.
await serving(compile('readme_socketio', once(fromReadme, '8080', String(port))), async () => {
  const [a, b] = [io(at, { forceNew: true }), io(at, { forceNew: true, transports: ['websocket'] })];
  await Promise.all([a, b].map(socket => new Promise(done => socket.on('connect', done))));
  const heard = Promise.all([a, b].map(socket => new Promise(done => socket.on('news', (...args) => done(args)))));
  const ack = await a.timeout(patience).emitWithAck('news', 1, { b: Buffer.from([1, 2, 255]) }).catch(error => error.message);
  const both = await Promise.race([heard, sleep(patience).then(() => [])]);
  check(`README.md: all hear everything: ${JSON.stringify(both)}`, both.length === 2 && both.every(([n, o]) => n === 1 && Buffer.compare(Buffer.from(o.b), Buffer.from([1, 2, 255])) === 0));
  check(`README.md: and whoever asks is told: ${ack}`, ack === undefined);
  a.disconnect();
  b.disconnect();
});
console.log(`socketio_manual: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
