// make bench-sio_bus: from server to server of Socket.IO over one Redis. One sends 300-byte events to a room, in which there is
// one socket, on the other: CPU time of both processes and of Redis per message, messages per second; two of ours, two of
// Node's, and, as the measure of what Redis can do, a publisher and two subscribers to the same patterns, as many as servers
// hear it, that only write and read bytes. In turn, ROUNDS times; the least is told.  node tests/bench/bench_sio_bus.mjs FIXTURE [ROUNDS [MESSAGES]]
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
const [fixture, rounds = 3, messages = 40000] = process.argv.slice(2);
const SIZE = 300, BURST = 500, AHEAD = 4; // so many bursts are out before the first has been heard
const sleep = ms => new Promise(r => setTimeout(r, ms));
const until = async is => { while (!is()) await sleep(1); };
const running = [];
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')));
function start(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, WSHUB_LOG: 'off', NODE_ENV: 'production' } });
  running.push(child);
  child.said = '';
  child.stdout.on('data', text => { child.said += text; });
  return child;
}
const cpu = pid => { // microseconds
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
  return (+fields[11] + +fields[12]) * 10000;
};
const port = await new Promise(done => { const s = createServer().listen(0, '127.0.0.1', () => { const p = s.address().port; s.close(() => done(p)); }); });
const redis = start('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
await until(() => redis.said.includes('Ready to accept'));

/* A socket of Socket.IO's that does not look at what it hears: its bytes are counted. */
async function client(port) {
  const stream = createConnection(port, '127.0.0.1'), it = { bytes: 0 };
  stream.on('data', d => { it.bytes += d.length; });
  it.say = text => { // with a mask of zeros
    const bytes = Buffer.from(text), head = bytes.length < 126 ? Buffer.from([0x81, 0x80 | bytes.length]) : Buffer.from([0x81, 0xfe, bytes.length >> 8, bytes.length & 255]);
    stream.write(Buffer.concat([head, Buffer.alloc(4), bytes]));
  };
  const answer = async () => { const before = it.bytes; await until(() => it.bytes > before); await sleep(50); };
  stream.write('GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  await answer();
  it.say('40');
  await answer();
  return it;
}
const heardBytes = Array.from({ length: BURST }, (_, i) => 4 + `42["burst",${i},"${'x'.repeat(SIZE)}"]`.length).reduce((a, b) => a + b);

async function pair(kind) {
  const serve = () => (kind === 'ours' ? start(fixture, ['--port', '0', '--sio', '/socket.io', '--redis', `redis://127.0.0.1:${port}`]) : start('node', ['tests/socketio_node.cjs', `redis://127.0.0.1:${port}`, 'n']));
  const servers = [serve(), serve()];
  await until(() => servers.every(s => /listening \d+/.test(s.said)));
  const [speaker, hearer] = await Promise.all(servers.map(s => client(+/listening (\d+)/.exec(s.said)[1])));
  hearer.say('42["join",["red"]]');
  await sleep(200);
  return {
    pids: servers.map(s => s.pid),
    async run(bursts) {
      hearer.bytes = 0;
      for (let sent = 0; sent < bursts; sent++) {
        await until(() => sent * heardBytes - hearer.bytes < AHEAD * heardBytes);
        speaker.say(`42["burst",{"rooms":"red"},${BURST},${SIZE}]`);
      }
      await until(() => hearer.bytes >= bursts * heardBytes);
    },
  };
}
async function bare() { // the bytes that ours publish, and nobody who looks at them
  const publisher = createConnection(port, '127.0.0.1'), subscribers = [createConnection(port, '127.0.0.1'), createConnection(port, '127.0.0.1')];
  const name = 'socket.io#/#red#', text = 'x'.repeat(SIZE + 78); // as long as a broadcast of it
  const command = Buffer.from(`*3\r\n$7\r\nPUBLISH\r\n$${name.length}\r\n${name}\r\n$${text.length}\r\n${text}\r\n`);
  const burst = Buffer.concat(Array(BURST).fill(command));
  const each = `*4\r\n$8\r\npmessage\r\n$13\r\nsocket.io#/#*\r\n$${name.length}\r\n${name}\r\n$${text.length}\r\n${text}\r\n`.length * BURST;
  const spaces = ['', 'custom', 'foo', 'valid', 'asd', 'timeout_socket', 'mw', 'slow', 'pkt', 'abc', 'no']; // those of a fixture
  let bytes = 0;
  publisher.on('data', () => {});
  for (const subscriber of subscribers) {
    subscriber.on('data', d => { bytes += d.length / 2; });
    subscriber.write(`PSUBSCRIBE ${spaces.map(s => `socket.io#/${s}#*`).join(' ')} ws:room:* ws:client:* ws:user:*\r\n`);
  }
  await until(() => bytes);
  await sleep(100);
  return {
    pids: [],
    async run(bursts) {
      bytes = 0;
      for (let sent = 0; sent < bursts; sent++) {
        await until(() => sent * each - bytes < AHEAD * each);
        publisher.write(burst);
      }
      await until(() => bytes >= bursts * each);
      if (bytes > bursts * each) throw new Error('messages are longer than it was thought');
    },
    end: () => [publisher, ...subscribers].forEach(s => s.destroy()),
  };
}
const best = {};
for (let round = 0; round < +rounds; round++) {
  for (const kind of ['ours', 'Node', 'bytes']) {
    const it = kind === 'bytes' ? await bare() : await pair(kind);
    await it.run(8); // warm
    const before = [...it.pids, redis.pid].map(cpu), at = process.hrtime.bigint();
    await it.run(messages / BURST);
    const seconds = Number(process.hrtime.bigint() - at) / 1e9;
    const used = [...it.pids, redis.pid].map((pid, i) => (cpu(pid) - before[i]) / +messages);
    const row = kind === 'bytes' ? { redis: used[0] } : { sender: used[0], receiver: used[1], redis: used[2] };
    row['us of wall'] = (seconds * 1e6) / +messages;
    best[kind] = Object.fromEntries(Object.entries(row).map(([k, v]) => [k, Math.min(v, best[kind]?.[k] ?? Infinity)]));
    it.end?.();
    for (const pid of it.pids) process.kill(pid, 'SIGKILL');
    await sleep(100);
  }
}
const shown = row => Object.entries(row).map(([k, v]) => `${k} ${v.toFixed(2)}`).join(', ');
for (const [kind, row] of Object.entries(best)) console.log(`${kind.padEnd(6)} us of CPU per message: ${shown(row)}`);
console.log(`ours of Node's: sender ${(best.ours.sender / best.Node.sender).toFixed(3)}, receiver ${(best.ours.receiver / best.Node.receiver).toFixed(3)}; messages a second of bare bytes': ${(best.bytes['us of wall'] / best.ours['us of wall']).toFixed(2)}`);
process.exit(0);
