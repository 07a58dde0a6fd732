// The text on the wire of the adapters for Redis (backends/SOCKETIO_REDIS.md) is true of Node's own packages: each example in it
// is said by them, and heard by them, without a Redis.  node tests/socketio_wire.mjs [FILE]
// FILE: what a server of this library has published, a line for each message: its channel, and its bytes in hexadecimal. None of
// it may end a server of Node's, or cost its client the connection.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
const require = createRequire((process.env.ORACLE_MODULES || process.cwd() + '/build/node/node_modules') + '/');
const { Server } = require('socket.io');
const { createAdapter } = require('@socket.io/redis-adapter');
const { Emitter } = require('@socket.io/redis-emitter');
const { decode } = require('notepack.io');
let passed = 0, failed = 0;
const check = (what, ok, seen = '') => { ok ? passed++ : (failed++, console.log(`FAIL socketio_wire: ${what} ${seen}`)); };

const said = []; // what was published: channel, bytes
const redis = () => Object.assign(new EventEmitter(), {
  publish: (channel, message) => { said.push([channel, Buffer.from(message)]); },
  psubscribe() {}, subscribe() {}, punsubscribe() {}, unsubscribe() {},
});
const io = new Server({ adapter: createAdapter(redis(), redis()) });
const emitter = new Emitter(redis());
for (const space of ['/', '/admin']) io.of(space).adapter.uid = 'AbCd12';
const adapter = io.of('/').adapter, heard = [];
io.of('/').sockets.set('SID', { id: 'SID', rooms: new Set(['SID', 'r1']), handshake: {}, data: {}, client: { writeToEngine: (packets, opts) => heard.push(packets) }, notifyOutgoingListeners() {} });
adapter.addAll('SID', new Set(['SID', 'r1']));

const hex = lines => Buffer.from(lines.map(line => line.trim().split('  ')[0].replaceAll(' ', '')).join(''), 'hex');
const shown = value => JSON.stringify(value, (_, v) => (v?.type === 'Buffer' ? { $bin: Buffer.from(v.data).toString('hex') } : v));
const say = expression => { said.length = 0; new Function('io', 'emitter', expression)(io, emitter); return said; };
const play = {
  broadcast(lines) {
    const bytes = hex(lines.slice(2, -1)), [[channel, message]] = say(lines[0]);
    check(lines[0], channel === lines[1].slice(3) && message.equals(bytes), `${channel} ${message.toString('hex')}`);
    check(`${lines[0]} says`, shown(decode(bytes)) === lines.at(-1).slice(5), shown(decode(bytes)));
  },
  request(lines) {
    const [[channel, message]] = say(lines[0]);
    check(lines[0], channel === lines[1].slice(3) && isDeepStrictEqual(JSON.parse(message), JSON.parse(lines[2])), message);
  },
  async answer(lines) {
    said.length = 0;
    await adapter.onrequest('socket.io-request#/#', Buffer.from(lines[0]));
    check(lines[0], said.length === 1 && said[0][0] === lines[1].slice(3) && String(said[0][1]) === lines[2], said.map(String));
  },
  msgpack(lines) {
    const value = decode(hex(lines.slice(0, -1)));
    check(lines.at(-1), shown(value) === lines.at(-1).slice(5), shown(value));
  },
  json(lines) { for (const line of lines) check(line, JSON.stringify(JSON.parse(line)) === line); },
  dropped(lines) {
    for (let i = 0; i < lines.length; i += 3) {
      let does = 'goes on';
      try { adapter.onmessage(null, 'socket.io#/#', hex([lines[i]])); } catch (e) { does = `ends: ${e.message}`; }
      check(lines[i], lines[i + 1] === `    Node ${does}`, does);
    }
  },
};
const document = readFileSync('backends/SOCKETIO_REDIS.md', 'utf8');
for (const [, kind, body] of document.matchAll(/^```(\w+)\n([^]*?)\n```$/gm)) {
  if (!play[kind]) check(`a block of the kind ${kind}`, false);
  else await play[kind](body.split('\n'));
}

// What ours have published: read, delivered, and written for a client, which reads it with the parser of Node's client.
if (process.argv[2]) {
  const { Decoder } = createRequire(require.resolve('socket.io'))('socket.io-parser');
  const lines = readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean);
  let delivered = 0;
  for (const line of lines) {
    const [channel, bytes] = line.split(' ');
    const space = channel.split('#')[1], its = io.of(space).adapter;
    heard.length = 0;
    try {
      its.onmessage(null, channel, Buffer.from(bytes, 'hex'));
      const client = new Decoder();
      for (const packets of heard) for (const packet of [packets].flat()) client.add(packet);
      delivered += heard.length;
    } catch (e) { check(line, false, e.stack); }
  }
  check(`${lines.length} messages of ours, of which ${delivered} reach a client`, lines.length > 1000 && delivered > 100);
}
console.log(`socketio_wire: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
