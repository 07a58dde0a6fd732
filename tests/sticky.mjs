// Two servers of Socket.IO behind one address: nginx and haproxy with the lines of the manual of
// backends/wshub_dialect_engineio.h, and the client from npm that polls, upgrades, or has a WebSocket from the start. All
// requests of a session reach the server that has it; when that one dies, its clients come to the other, whose own notice
// nothing. Without the line that makes nginx sticky it goes wrong, or this would prove nothing.
//   node tests/sticky.mjs DIR    of fixture-sio; ONLY=nginx: those whose name has that
import { createRequire } from 'node:module';
import { spawn, execFileSync } from 'node:child_process';
import { Agent } from 'node:http';
import { connect, createServer } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { patience, sleep, until } from './wait.mjs';
const require = createRequire(process.cwd() + '/build/node/x.js');
const { io } = require('socket.io-client');
const FIXTURE = join(process.argv[2] ?? 'build', 'fixture-sio'), ONLY = process.env.ONLY ?? '';
let passed = 0, failed = 0, skipped = 0;
const ok = (name, problems) => {
    if (problems.length === 0) { passed++; return; }
    failed++;
    console.log(`FAIL ${name}: ${problems.length}`);
    for (const p of problems.slice(0, 6)) console.log('  ' + p);
};

// ---- processes ----

const procs = [];
function start(command, args, input = 'ignore') {
    const it = { p: spawn(command, args, { stdio: [input, 'pipe', 'pipe'], env: { ...process.env, WSHUB_LOG: 'off' } }), out: '', err: '' };
    it.p.stdout.on('data', (d) => { it.out += d; });
    it.p.stderr.on('data', (d) => { it.err += d; });
    it.ended = new Promise((r) => it.p.on('close', r));
    procs.push(it.p);
    return it;
}
const end = (it, signal = 'SIGTERM') => { it.p.kill(signal); return it.ended; };
const freePort = () => new Promise((r) => { const s = createServer(); s.listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => r(port)); }); });
const reachable = (port) => until(() => new Promise((r) => { const c = connect(port, '127.0.0.1', () => { c.destroy(); r(true); }); c.on('error', () => r(false)); }));
async function server(name) {
    const it = start(FIXTURE, ['--port', '0', '--sio', '/socket.io/', '--sio-name', name, '--sio-cookie', 'io', '--sio-ping-interval', '700', '--sio-ping-timeout', '15000']);
    await until(() => /listening \d+\n/.test(it.out));
    it.port = Number(/listening (\d+)\n/.exec(it.out)[1]);
    return it;
}

// ---- the lines of the manual ----

const MANUAL = 'backends/wshub_dialect_engineio.h';
// The block of code in which such a line is.
function fromManual(line) {
    const blocks = readFileSync(MANUAL, 'utf8').split(/^ \*$/m).map((b) => b.split('\n').filter((l) => l.startsWith(' *     ')).map((l) => l.slice(7)).join('\n'));
    const found = blocks.filter((b) => b.split('\n').includes(line));
    if (found.length !== 1) throw new Error(`${MANUAL}: ${found.length} blocks with ${line}`);
    return found[0];
}
function replaced(text, pairs) { // each must be there, or the manual's lines are not those that run
    for (const [what, by] of pairs) {
        if (!text.includes(what)) throw new Error(`${MANUAL}: expected ${what} in\n${text}`);
        text = text.replace(what, by);
    }
    return text;
}
const ports = (a, b) => [['127.0.0.1:8080', `127.0.0.1:${a.port}`], ['127.0.0.1:8081', `127.0.0.1:${b.port}`]];
function nginx(dir, port, a, b, pairs) {
    const file = join(dir, 'nginx.conf');
    writeFileSync(file, `
daemon off; master_process off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
events { worker_connections 512; }
http {
    access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
    ${replaced(fromManual('upstream hubs {'), [['listen 80;', `listen 127.0.0.1:${port};`], ...ports(a, b), ...pairs])}
}
`);
    return start('nginx', ['-c', file, '-p', dir, '-e', join(dir, 'error.log')]);
}
function haproxy(dir, port, a, b, pairs) {
    const file = join(dir, 'haproxy.cfg');
    writeFileSync(file, `
global
    maxconn 500
defaults
    timeout connect 20s
    timeout client 2m
${replaced(fromManual('frontend web'), [['bind :80', `bind 127.0.0.1:${port}`], ...ports(a, b), ...pairs])}
`);
    return start('haproxy', ['-db', '-f', file]);
}

// ---- clients ----

const WAYS = [['polling'], ['polling', 'websocket'], ['websocket']];
const CLIENTS = 24, EVENTS = 40, FROM_SERVER = 200;

// One of them: from an address of its own, with a key of its own. What goes wrong is in `wrong`.
function client(port, i, reconnection) {
    const transports = WAYS[i % WAYS.length], wrong = [];
    const agent = new Agent({ keepAlive: i % 2 === 0, localAddress: `127.0.0.${10 + i}` });
    const socket = io(`http://127.0.0.1:${port}`, { transports, agent, query: { k: `key${i * 7919}` }, forceNew: true, reconnection, reconnectionDelay: 100, reconnectionDelayMax: 300, timeout: patience });
    const who = `client ${i} (${transports})`;
    socket.on('connect_error', (e) => wrong.push(`${who}: ${e.message} ${e.context?.responseText ?? ''}`));
    socket.on('disconnect', (why) => wrong.push(`${who}: ${why}`));
    const ask = (...event) => socket.timeout(patience).emitWithAck(...event);
    return { i, socket, wrong, who, transports, ask, up: new Promise((r) => socket.once('connect', r)), agent,
        lost: new Promise((r) => { if (!reconnection) socket.once('connect_error', r).once('disconnect', r); }) }; // for good
}
// What a client does that has connected. Returns the name of its server.
async function use(c) {
    const numbers = [];
    c.socket.on('n', (n) => numbers.push(n));
    const first = (await c.ask('server')).name;
    c.socket.emit('many', FROM_SERVER);
    for (let n = 0; n < EVENTS; n++) {
        const sent = n % 8 ? `${c.i}.${n}` : Buffer.from([n, c.i, 0, 255]), got = await c.ask('echo', sent);
        if (Buffer.compare(Buffer.from(got), Buffer.from(sent))) c.wrong.push(`${c.who}: ${sent} came back as ${got}`);
        if (n % 5 === 4) await sleep(60 + c.i);
    }
    if (numbers.join() !== Array.from({ length: FROM_SERVER }, (_, n) => n).join()) c.wrong.push(`${c.who}: ${numbers.length} of ${FROM_SERVER} numbers in order`);
    await until(() => c.socket.io.engine?.transport.name === c.transports.at(-1) || !c.socket.connected);
    const { name } = await c.ask('server'), transport = c.socket.io.engine.transport.name;
    if (name !== first) c.wrong.push(`${c.who}: was on ${first}, is on ${name}`);
    if (transport !== c.transports.at(-1)) c.wrong.push(`${c.who}: is on ${transport}`);
    return name;
}
async function crowd(port, reconnection) {
    const all = Array.from({ length: CLIENTS }, (_, i) => client(port, i, reconnection));
    await Promise.all(all.map(async (c) => {
        await Promise.race([c.up, c.lost, sleep(patience)]);
        if (c.socket.connected) c.on = await Promise.race([use(c), c.lost.then(() => { throw new Error('lost'); })]).catch((e) => { c.wrong.push(`${c.who}: ${e.message}`); });
        else c.wrong.push(`${c.who}: not connected`);
    }));
    return all;
}
const leave = (all) => all.forEach((c) => { c.socket.removeAllListeners('disconnect'); c.socket.disconnect(); c.agent.destroy(); });

// ---- what must hold ----

async function behind(name, proxy, pairs, bad = false) {
    if (!name.includes(ONLY)) return;
    const dir = mkdtempSync(join(tmpdir(), 'wshub-sticky-')), port = await freePort();
    const a = await server('one'), b = await server('two'), it = proxy(dir, port, a, b, pairs);
    try {
        if (!(await reachable(port))) { ok(`${name}: it starts: ${it.err}${it.out}`, ['']); return; }
        if (bad) {
            const all = await crowd(port, false), polled = all.filter((c) => c.transports[0] === 'polling');
            ok(`${name}: sessions that poll are lost`, polled.filter((c) => c.wrong.length).length > polled.length / 2 ? [] : ['too few were']);
            ok(`${name}: WebSockets are not`, all.filter((c) => c.transports[0] === 'websocket').flatMap((c) => c.wrong));
            leave(all);
            return;
        }
        const all = await crowd(port, true), on = { one: 0, two: 0 };
        for (const c of all) on[c.on]++;
        ok(`${name}: each session is served by one server`, all.flatMap((c) => c.wrong));
        ok(`${name}: both have some: ${JSON.stringify(on)}`, on.one > 2 && on.two > 2 ? [] : ['']);

        // One dies. Whom nobody tells of that sees it by its ping: Node's polls that are sent once more over a stream that was kept.
        const others = all.filter((c) => c.on === 'two'), its = all.filter((c) => c.on === 'one');
        for (const c of all) c.wrong.length = 0;
        const back = its.map((c) => new Promise((r) => { c.socket.on('connect', async () => { const s = await c.ask('server').catch(() => null); if (s?.name === 'two') r(c); }); }));
        await end(a, 'SIGKILL');
        const done = Promise.all(back).then(() => true);
        ok(`${name}: the clients of a dead server come to the other`, await Promise.race([done, sleep(2 * patience)]) ? [] : its.flatMap((c) => c.wrong));
        ok(`${name}: and those of the other notice nothing`, others.flatMap((c) => c.wrong));
        leave(all);
    } finally {
        await Promise.all([end(it), end(a), end(b)]);
        const said = (a.err + b.err).split('\n').filter((l) => /ERROR|error:|Assertion|Sanitizer/.test(l)).join('\n');
        if (said) ok(`${name}: the servers say: ${said.slice(0, 2000)}`, ['']);
        rmSync(dir, { recursive: true, force: true });
    }
}

// ---- our client, and haproxy that sticks by a cookie of its own ----

// One of them asks ten times which server it is on. Returns the names and what was lost.
async function ours(port, transports, options) {
    const it = start(`${FIXTURE}-client`, ['--sio', '--url', `http://127.0.0.1:${port}`, '--transports', transports, '--reconnect-delay', '50', ...options], 'pipe');
    const lines = () => it.out.split('\n').slice(0, -1).map((l) => JSON.parse(l));
    const lost = () => lines().filter((l) => l.on === 'disconnect' || l.on === 'connect_error');
    await until(() => lines().some((l) => l.on === 'connect') || lost().length);
    for (let id = 1; id <= 10 && !lost().length; id++) {
        it.p.stdin.write(JSON.stringify({ do: 'emit', event: 'server', args: [], ack: id, timeout: patience }) + '\n');
        await until(() => lines().some((l) => l.on === 'ack' && l.id === id) || lost().length);
    }
    const names = lines().filter((l) => l.on === 'ack').map((l) => l.args?.[0]?.name), wrong = lost();
    it.p.stdin.end();
    await it.ended;
    return { names, lost: wrong };
}
async function byCookie(name) {
    if (!name.includes(ONLY)) return;
    const dir = mkdtempSync(join(tmpdir(), 'wshub-sticky-')), port = await freePort(), a = await server('one'), b = await server('two');
    const it = haproxy(dir, port, a, b, [[lines[0], 'balance roundrobin\n    dynamic-cookie-key any\n    cookie SERVER insert indirect nocache dynamic'], ...lines.slice(1).map((l) => [l, ''])]);
    try {
        if (!(await reachable(port))) { ok(`${name}: it starts: ${it.err}${it.out}`, ['']); return; }
        const on = new Set();
        for (const transports of ['polling', 'polling,websocket', 'websocket']) {
            const all = await Promise.all(Array.from({ length: 6 }, () => ours(port, transports, [])));
            for (const c of all) c.names.forEach((n) => on.add(n));
            ok(`${name}: over ${transports} each session is served by one server`, all.filter((c) => c.lost.length || c.names.length !== 10 || new Set(c.names).size !== 1).map((c) => JSON.stringify(c)));
        }
        ok(`${name}: both have some`, on.has('one') && on.has('two') ? [] : [[...on].join()]);
        const without = await Promise.all(Array.from({ length: 6 }, () => ours(port, 'polling', ['--no-cookies'])));
        ok(`${name}: without cookies sessions are lost`, without.some((c) => c.lost.length) ? [] : ['none was']);
    } finally {
        await Promise.all([end(it), end(a), end(b)]);
        rmSync(dir, { recursive: true, force: true });
    }
}

process.on('exit', () => { for (const p of procs) if (p.exitCode === null) p.kill('SIGKILL'); });
const has = (command) => { try { execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }); return true; } catch { return false; } };
const lines = ['balance leastconn', 'stick-table type string len 20 size 1m expire 5m', 'stick store-response res.cook(io)', 'stick match url_param(sid)'];
try {
    if (has('nginx')) {
        await behind('nginx by address', nginx, []);
        await behind('nginx by key', nginx, [['hash $remote_addr consistent;', 'hash $arg_k consistent;']]);
        await behind('nginx, not sticky', nginx, [['hash $remote_addr consistent;', '']], true);
    } else { console.log('  skipped nginx: it is not installed'); skipped++; }
    if (has('haproxy')) {
        await behind('haproxy by table', haproxy, []);
        for (const [how, line] of [['address', 'balance source\n    hash-type consistent'], ['key', 'balance url_param k']])
            await behind(`haproxy by ${how}`, haproxy, [[lines[0], line], ...lines.slice(1).map((l) => [l, ''])]);
        await byCookie('haproxy by cookie, our client');
    } else { console.log('  skipped haproxy: it is not installed'); skipped++; }
} catch (e) {
    failed++;
    console.log(e);
}
console.log(`sticky: ${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed ? 1 : 0);
