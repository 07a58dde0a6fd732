// make bench-sio_bus: from server to server of Socket.IO over one Redis. One sends 300-byte events to a room, in which there is
// one socket, on the other: CPU time of both processes and of Redis per message, messages per second; two of ours, two of
// Node's, and, as the measure of what Redis can do, a publisher and two subscribers to the same patterns, as many as servers
// hear it, that only write, read and discard bytes. Then ours and the bytes once more where Redis has a core of its own and more to
// do for each message, as somebody else subscribes to patterns that fit none: how fast it is where all wait for it shows only where
// the others, who have the other cores, have time to spare. In turn, ROUNDS times; medians are told, and ratios taken within a round.
//   node tests/bench/bench_sio_bus.mjs FIXTURE LOAD [ROUNDS [MESSAGES]]
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
const [fixture, load, rounds = 5, messages = 100000] = process.argv.slice(2);
const SIZE = 300, BURST = 500, STRANGE = 60;
const sleep = ms => new Promise(r => setTimeout(r, ms));
const until = async is => { while (!is()) await sleep(1); };
const running = [];
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')));
let pinned = false;
function start(command, args) {
  const child = spawn(...(pinned ? ['taskset', ['-c', '1-1023', command, ...args]] : [command, args]), { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, WSHUB_LOG: 'off', NODE_ENV: 'production' } });
  running.push(child);
  child.said = '';
  child.stdout.on('data', text => { child.said += text; });
  return child;
}
const cpu = pid => readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0] / 1000, 0); // microseconds
const port = await new Promise(done => { const s = createServer().listen(0, '127.0.0.1', () => { const p = s.address().port; s.close(() => done(p)); }); });
const redis = start('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--client-output-buffer-limit', 'pubsub 0 0 0']);
await until(() => redis.said.includes('Ready to accept'));

/* The ends: what they say, and when they are told to go on. Returns the seconds that it took. */
async function play(args) {
  const ends = start(load, args.map(String));
  await until(() => ends.said.includes('ready\n'));
  return { ends, async run() {
    ends.stdin.write('go\n');
    await until(() => /took .*\n/.test(ends.said) || ends.exitCode !== null);
    return +/took (.*)/.exec(ends.said)[1];
  } };
}
async function pair(kind) {
  const serve = () => (kind === 'ours' ? start(fixture, ['--port', '0', '--sio', '/socket.io', '--redis', `redis://127.0.0.1:${port}`]) : start('node', ['tests/socketio_node.cjs', `redis://127.0.0.1:${port}`, 'n']));
  const servers = [serve(), serve()];
  await until(() => servers.every(s => /listening \d+/.test(s.said)));
  const it = await play(['clients', ...servers.map(s => /listening (\d+)/.exec(s.said)[1]), BURST, SIZE, messages / BURST]);
  return { servers, ...it };
}
const spaces = ['', 'custom', 'foo', 'valid', 'asd', 'timeout_socket', 'mw', 'slow', 'pkt', 'abc', 'no']; // those of a fixture
const patterns = [...spaces.map(s => `socket.io#/${s}#*`), 'ws:room:*', 'ws:client:*', 'ws:user:*'];
/* As many bytes as a broadcast of ours has, and nobody who looks at them. */
const bare = async () => ({ servers: [], ...await play(['bytes', port, 'socket.io#/#red#', SIZE + 78, messages, ...patterns]) });

async function round(kind) {
  const it = kind === 'bytes' ? await bare() : await pair(kind), pids = [...it.servers.map(s => s.pid), redis.pid];
  const before = pids.map(cpu), seconds = await it.run();
  const used = pids.map((pid, i) => (cpu(pid) - before[i]) / +messages);
  for (const child of [...it.servers, it.ends]) child.kill('SIGKILL');
  await sleep(100);
  return { ...(kind === 'bytes' ? { redis: used[0] } : { sender: used[0], receiver: used[1], redis: used[2] }), 'a second': messages / seconds };
}
const median = list => list.sort((a, b) => a - b)[list.length >> 1];
async function compare(what, kinds) {
  const all = [];
  for (let i = 0; i < +rounds; i++) {
    const these = {};
    for (const kind of kinds) these[kind] = await round(kind);
    all.push(these);
  }
  console.log(what);
  for (const kind of kinds) console.log(`  ${kind.padEnd(6)} us of CPU per message: ${Object.keys(all[0][kind]).map(k => `${k} ${median(all.map(r => r[kind][k])).toFixed(k === 'a second' ? 0 : 2)}`).join(', ')}`);
  const ratio = (of, to, key) => median(all.map(r => r[of][key] / r[to][key])).toFixed(3);
  if (kinds.includes('Node')) console.log(`  ours of Node's: sender ${ratio('ours', 'Node', 'sender')}, receiver ${ratio('ours', 'Node', 'receiver')}`);
  console.log(`  messages a second of what Redis fans out to bare bytes: ${ratio('ours', 'bytes', 'a second')}`);
}
await compare('all as fast as they go', ['ours', 'Node', 'bytes']);
const stranger = createConnection(port, '127.0.0.1');
for (let i = 0; i < STRANGE; i++) stranger.write(`PSUBSCRIBE socket.io#/of-somebody-else-${i}#*\r\n`);
let answered = '';
stranger.on('data', d => { answered += d; });
await until(() => answered.endsWith(`:${STRANGE}\r\n`));
pinned = true;
execFileSync('taskset', ['-acp', '0', redis.pid]);
await compare(`Redis on a core of its own, with ${STRANGE} patterns of somebody else's, that Redis compares each with`, ['ours', 'bytes']);
process.exit(0);
