// What a proxy takes for one request is one request here (CONN-5). A generated corpus of streams is sent straight to a hub,
// and through nginx and through haproxy to a hub each. Every request that reaches an application through a proxy carries
// the id that the proxy gave it and logged; one that carries none, or another's, has been smuggled in.
// And a hub that is told by a proxy, with the lines of README.md, whom it speaks for takes the client for its peer, whatever
// that one says (PROXY-2 to PROXY-7).
//   node tests/proxies.mjs DIR    of the fixtures. STREAMS=600 SEED=1; ONLY=n: that stream alone, shown in full; ONLY=behind:
//   no streams
import { spawn, execFileSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { mkdtempSync, writeFileSync, readFileSync, rmSync, existsSync, openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { patience, sleep, until } from './wait.mjs';

const FIXTURES = process.argv[2] ?? 'build';
const STREAMS = Number(process.env.STREAMS || 600), SEED = Number(process.env.SEED || 1), ONLY = process.env.ONLY;
let passed = 0, failed = 0, skipped = 0;
const ok = (name, problems) => {
    if (problems.length === 0) { passed++; return; }
    failed++;
    console.log(`FAIL ${name}: ${problems.length}`);
    for (const p of problems.slice(0, 6)) console.log('  ' + p);
};

// ---- the corpus ----

let state = (SEED * 2654435761) >>> 0;
const random = (n) => { // xorshift, so that a seed names a corpus
    state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0;
    return state % n;
};
const pick = (list) => list[random(list.length)];
const HANDSHAKE = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

// A request: its bytes, and whether everybody must read it alike (plain).
function request(stream, i, upgrading) {
    const tail = pick(['a', 'a', 'a', 'late', 'big', 'none', 'close']);
    let path = `/s${stream}/${i}/${tail}`, method = pick(['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'PATCH', 'DELETE']);
    let version = '1.1', head = '', body = '', plain = tail !== 'close', eol = '\r\n'; // an end is between neighbours, so a proxy keeps it
    const inner = `GET /s${stream}/inner${i} HTTP/1.1\r\nHost: h\r\n\r\n`; // a body that reads like a request
    const odd = (text) => { plain = false; return text; };
    const chunks = (text) => {
        const at = 1 + random(text.length - 1);
        return [text.slice(0, at), text.slice(at)].map((t) => `${t.length.toString(16)}${pick(['', '', ';a=b', ';c="d"'])}\r\n${t}\r\n`).join('') +
            pick(['0', '0', '000', '0;x=y']) + '\r\n' + pick(['', '', 'X-Trailer: 1\r\n', 'Content-Length: 7\r\nX-Other: 2\r\n']) + '\r\n';
    };
    switch (upgrading ? 5 + random(8) : random(24)) { // how the body is framed
        case 0: case 1: case 2: case 3: case 4: case 5: break; // no body
        case 6: case 7: case 8: case 9: head += `Content-Length: ${inner.length}\r\n`; body = inner; break;
        case 10: case 11: case 12: head += 'Transfer-Encoding: chunked\r\n'; body = chunks(inner); break;
        case 13: head += 'Content-Length: 0\r\n'; break;
        case 14: head += odd(`Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked\r\n`); body = pick([inner, chunks(inner)]); break;
        case 15: head += odd(`Transfer-Encoding: chunked\r\nContent-Length: ${pick([0, 4, inner.length])}\r\n`); body = pick([inner, '0\r\n\r\n' + inner, chunks(inner)]); break;
        case 16: head += odd(`Content-Length: ${inner.length}\r\nContent-Length: ${pick([inner.length, 0, 5])}\r\n`); body = inner; break;
        case 17: head += odd(`Content-Length: ${pick([`${inner.length}, ${inner.length}`, `+${inner.length}`, `0x${inner.length.toString(16)}`, '-1', '', `${inner.length} 1`, '1e1', '99999999999999999999', `${inner.length};`])}\r\n`); body = inner; break;
        case 18: head += odd(`Transfer-Encoding: ${pick(['gzip', 'gzip, chunked', 'chunked, chunked', 'xchunked', 'chunked;q=1', 'identity', '\x0bchunked', 'chunked,', ',chunked', 'chunked, identity', '"chunked"', ''])}\r\n`); body = pick([inner, chunks(inner)]); break;
        case 19: head += odd(pick(['Transfer-Encoding : chunked\r\n', ' Transfer-Encoding: chunked\r\n', 'Transfer-Encoding:\r\n chunked\r\n', 'Transfer-Encoding: chunked\r\n Content-Length: 3\r\n', 'X: y\rTransfer-Encoding: chunked\r\n', 'X: y\nTransfer-Encoding: chunked\r\n', 'Transfer\x00-Encoding: chunked\r\n', 'Transfer_Encoding: chunked\r\n', `Content-Length : ${inner.length}\r\n`, `Content_Length: ${inner.length}\r\n`])); body = pick([inner, chunks(inner)]); break;
        case 20: head += odd('Transfer-Encoding: chunked\r\n'); body = pick([`${inner.length.toString(16)}\n${inner}\r\n0\r\n\r\n`, `${inner.length.toString(16)}\r\n${inner}\n0\r\n\r\n`, `0\r\n\n${inner}`, `0\n\n${inner}`, `1;a\nb\r\nX\r\n0\r\n\r\n${inner}`,
            `1;\r\nX\r\n0\r\nX: y\n\r\n${inner}`, `+1\r\nX\r\n0\r\n\r\n`, `0x1\r\nX\r\n0\r\n\r\n`, `1 \r\nX\r\n0\r\n\r\n`, `100000001\r\nX\r\n0\r\n\r\n`, `10000000000000001\r\nX\r\n0\r\n\r\n`, `1\r\nXY\r\n0\r\n\r\n`, `0\r\nbad trailer\r\n\r\n`, `0\r\n folded\r\n\r\n`, `1;${'e'.repeat(300)}\r\nX\r\n0\r\n\r\n`]); break;
        case 21: head += 'Expect: 100-continue\r\n' + `Content-Length: ${inner.length}\r\n`; body = inner; break;
        case 22: head += odd(`Content-Length: ${inner.length + pick([-3, 3, 5])}\r\n`); body = inner; break; // shorter or longer than it is
        default: head += odd(`Content-Length: 70000\r\n`); body = 'x'.repeat(70000); // over the limit
    }
    switch (upgrading ? 3 + random(5) : random(16)) { // Connection, Upgrade
        case 0: head += 'Connection: close\r\n'; break;
        case 1: head += 'Connection: keep-alive\r\n'; break;
        case 2: head += 'Connection: keep-alive, X-Foo\r\nX-Foo: 1\r\n'; break;
        case 3: head += odd('Connection: upgrade\r\nUpgrade: websocket\r\n'); break;
        case 4: head += odd(`Connection: upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}`); break;
        case 5: head += odd(`Upgrade: websocket\r\n${HANDSHAKE}`); break;
        case 6: head += odd(`Connection: close, upgrade\r\nUpgrade: h2c, websocket\r\n${HANDSHAKE}`); break;
        case 7: head += odd(`Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n`); break;
        case 8: head += odd(`Connection: ${pick(['content-length', 'transfer-encoding', 'close, keep-alive', 'x-proxy-id, close', 'host'])}\r\n`); break;
        default:
    }
    switch (random(40)) { // the rest
        case 0: head += odd('Folded: a\r\n b\r\n'); break;
        case 1: head += odd('Blank : a\r\n'); break;
        case 2: head += odd('Bare: a\nLf: b\r\n'); break;
        case 3: head += odd('Bare: a\rCr: b\r\n'); break;
        case 4: head += odd('No colon\r\n'); break;
        case 5: eol = odd('\n'); break;
        case 6: path = odd(pick([`http://h${path}`, `http://other:81${path}`, `ws://h${path}`, `HTTP://h${path}`])); break;
        case 7: method = odd('CONNECT'); path = pick([path, 'h:80']); break;
        case 8: version = odd('1.0'); break;
        case 9: version = odd('1.0'); head += 'Connection: keep-alive\r\n'; break;
        case 10: path = odd('*'); method = 'OPTIONS'; break;
        case 11: path += '?a=b&c=%20d'; break;
        case 12: head += odd('Host: other\r\n'); break;
        case 13: path = odd(path.replace('/s', pick(['//s', '/./s', '/%73', '/x/../s']))); break;
        case 14: version = odd(pick(['1.2', '2.0', '0.9', '1.10', '11'])); break;
        case 15: path = odd('/ws'); head += `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}`; break;
        case 16: path = odd('/ws'); method = 'GET'; head = `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}Content-Length: ${inner.length}\r\n`; body = inner; break;
        case 17: path = odd('/ws'); method = 'GET'; head = `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}Transfer-Encoding: chunked\r\n`; body = chunks(inner); break;
        case 18: path = odd('/ws'); method = 'GET'; head = `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE.replace('13', '8')}`; body = inner; break;
        case 19: method = odd(pick(['G@T', 'get', 'GET\t', ' GET', 'TRACE', 'PRI'])); break;
        default:
    }
    const first = `${method} ${path} HTTP/${version}\r\n${random(2) ? 'Host: h\r\n' + head : head + 'Host: h\r\n'}\r\n`;
    return { text: (eol === '\n' ? first.replaceAll('\r\n', '\n') : first) + body, plain };
}

const corpus = [];
for (let s = 0; s < STREAMS; s++) {
    const all = [], odd = random(3) ? random(4) : -1; // two of three streams have odd requests, one at least most often
    for (let i = 0, n = 1 + random(4); i < n; i++) {
        const upgrading = i === odd && random(3) === 0; // a body with an upgrade, mostly
        let r = request(s, i, upgrading);
        for (let k = 0; k < 40 && r.plain === (i === odd); k++) r = request(s, i, upgrading);
        all.push(r);
    }
    all.push({ text: `GET /s${s}/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`, plain: true });
    const text = all.map((r) => r.text).join('');
    corpus.push({ s, bytes: Buffer.from(text, 'latin1'), plain: all.every((r) => r.plain), cut: random(3) ? 0 : 1 + random(text.length - 1) });
}

// ---- processes ----

const procs = [];
function start(cmd, args, file) { // keeps its lines, or has them written to a file; .ended resolves with its status
    const fd = file ? openSync(file, 'w') : 'pipe', p = spawn(cmd, args, { stdio: ['ignore', fd, 'pipe'] });
    const it = { p, out: '', err: '' };
    if (file) closeSync(fd); else p.stdout.on('data', (d) => { it.out += d.toString('latin1'); });
    p.stderr.on('data', (d) => { it.err += d.toString('latin1'); });
    it.ended = new Promise((r) => p.on('close', (code) => r(code)));
    procs.push(p);
    return it;
}
const freePort = () => new Promise((r) => { const s = createServer(); s.listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => r(port)); }); });
const reachable = (port) => until(() => new Promise((r) => { const c = connect(port, '127.0.0.1', () => { c.destroy(); r(true); }); c.on('error', () => r(false)); }));
async function listening(it) {
    await until(() => /listening [\d ]+\n/.test(it.out));
    [it.port, it.marked] = /listening ([\d ]+)\n/.exec(it.out)[1].split(' ').map(Number);
    return it;
}
async function application() {
    return listening(start(join(FIXTURES, 'fixture-http'), []));
}
const seenBy = (app) => app.out.split('\n').filter((l) => l[0] === '{').map((l) => JSON.parse(l));
const has = (cmd) => { try { execFileSync('sh', ['-c', `command -v ${cmd}`], { stdio: 'ignore' }); return true; } catch { return false; } };

// ---- one stream ----

// Sends a stream and gathers what comes until its end, or, of one that is not plain, until nothing has come for a while (a body
// that is never whole). What comes later of that one nobody misses: only what both ways have is compared.
function say(port, { bytes, cut, plain }) {
    return new Promise((resolve) => {
        const c = connect(port, '127.0.0.1');
        let got = '', last = Date.now(), done = false;
        const finish = () => { if (!done) { done = true; clearInterval(timer); c.destroy(); resolve(got); } };
        const timer = setInterval(() => { if (Date.now() - last > (plain ? patience : 500)) finish(); }, 50);
        c.on('connect', async () => {
            c.setNoDelay(true);
            if (cut) { c.write(bytes.subarray(0, cut)); await sleep(5); }
            if (!c.destroyed) c.write(bytes.subarray(cut));
        });
        c.on('data', (d) => { got += d.toString('latin1'); last = Date.now(); });
        c.on('close', finish);
        c.on('error', finish);
    });
}
async function sayAll(port) {
    const answers = [];
    let next = 0;
    const worker = async () => { while (next < corpus.length) { const k = next++; if (ONLY === undefined || Number(ONLY) === k) answers[k] = await say(port, corpus[k]); } };
    await Promise.all(Array.from({ length: 24 }, worker));
    return answers;
}
// Bodies are JSON without these words, so what reads like a status line is one.
const statuses = (text) => [...(text || '').matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((m) => Number(m[1])).filter((n) => n >= 101);
const bodies = (text) => [...(text || '').matchAll(/\{"id":"[^"]*","method":"[^"]*","target":"([^"]*)"/g)].map((m) => m[1]);
const classes = (text) => statuses(text).map((n) => (n / 100) | 0).join(' ');

const streamOf = (target) => { const m = /\/s(\d+)\//.exec(target.replace('%73', 's')); return m ? Number(m[1]) : -1; };
const pathOf = (target) => target.replace(/^[a-zA-Z]+:\/\/[^/]*/, '');
const key = (r) => `${r.method} ${pathOf(r.target)} ${r.body} ${r.hash}`;
function byStream(seen) {
    const all = corpus.map(() => []);
    for (const r of seen) if (streamOf(r.target) >= 0) all[streamOf(r.target)].push(r);
    return all;
}
const show = (c) => `#${c.s} ${JSON.stringify(c.bytes.toString('latin1').slice(0, 700))}`;

// A WebSocket passes: the handshake, a message each way, a polite end.
async function webSocket(name, port) {
    const got = await new Promise((resolve) => {
        let text = '';
        const c = connect(port, '127.0.0.1'), timer = setTimeout(() => c.destroy(), patience);
        const frame = (op, body) => Buffer.concat([Buffer.from([0x80 | op, 0x80 | body.length, 0, 0, 0, 0]), body]);
        c.write(`GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}\r\n`);
        c.once('data', () => c.write(frame(1, Buffer.from('{"event":"authenticate"}'))));
        c.on('data', (d) => { text += d.toString('latin1'); if (/"connected"/.test(text)) c.write(frame(8, Buffer.from([3, 232]))); });
        c.on('close', () => { clearTimeout(timer); resolve(text); });
        c.on('error', () => {});
    });
    ok(`${name}: a WebSocket passes`, /^HTTP\/1.1 101 /.test(got) && /"event":"connected"/.test(got) && got.endsWith('\x88\x02\x03\xe8') ? [] : [JSON.stringify(got)]);
}

// ---- what must hold ----

function judge(name, app, answers, forwarded, direct) {
    const seen = seenBy(app), known = new Map(forwarded.map((f) => [f.id, f])), used = new Set();
    const strange = [], twice = [], other = [], lost = [], foreign = [], differ = [], plainer = [];
    for (const r of seen) {
        const f = known.get(r.id);
        if (!f) { strange.push(`${key(r)} with id "${r.id}"`); continue; }
        if (used.has(r.id)) twice.push(key(r));
        used.add(r.id);
        if (f.method !== r.method || pathOf(f.target) !== pathOf(r.target)) other.push(`${f.method} ${f.target} arrived as ${key(r)}`);
    }
    // What was forwarded and reached no application was refused by the hub, became a WebSocket, or its client had gone.
    for (const f of forwarded) if (!used.has(f.id) && !(f.status === 101 || f.status >= 400 || f.gone)) lost.push(`${f.method} ${f.target}: ${f.status}`);
    const here = byStream(seen);
    corpus.forEach((c, k) => {
        if (answers[k] === undefined) return;
        for (const t of bodies(answers[k])) if (streamOf(t) >= 0 && streamOf(t) !== k) foreign.push(`${t} answered on ${show(c)}`);
        const a = direct.seen[k].map(key), b = here[k].map(key), n = Math.min(a.length, b.length);
        if (a.slice(0, n).join() !== b.slice(0, n).join()) differ.push(`${show(c)}\n    direct ${a}\n    behind ${b}`);
        if (c.plain && a.join() !== b.join()) plainer.push(`${show(c)}\n    direct ${a}\n    behind ${b}`);
        if (c.plain && classes(answers[k]) !== classes(direct.answers[k])) plainer.push(`${show(c)}\n    direct ${statuses(direct.answers[k])}\n    behind ${statuses(answers[k])}`);
    });
    ok(`${name}: a request that the proxy did not make`, strange);
    ok(`${name}: one request twice`, twice);
    ok(`${name}: another request than was forwarded`, other);
    ok(`${name}: a request forwarded and neither seen nor refused`, lost);
    ok(`${name}: an answer on a stream that did not ask`, foreign);
    ok(`${name}: other requests than without the proxy`, differ);
    ok(`${name}: plain requests and their answers as without the proxy`, plainer);
    console.log(`  ${name}: ${forwarded.length} requests forwarded, ${seen.length} seen by the application, ${corpus.filter((c) => c.plain).length} of ${corpus.length} streams plain`);
    if (ONLY !== undefined) console.log(name, JSON.stringify({ answer: answers[ONLY], seen: here[ONLY], forwarded }, null, 1));
}

// Without a proxy: what was taken before a refusal, in order; of a plain stream all, up to the end that it announces.
function judgeDirect(direct) {
    const wrong = [], foreign = [];
    corpus.forEach((c, k) => {
        const text = direct.answers[k];
        if (text === undefined) return;
        for (const t of bodies(text)) if (streamOf(t) >= 0 && streamOf(t) !== k) foreign.push(show(c));
        const inner = direct.seen[k].filter((r) => /inner/.test(r.target));
        const options = c.bytes.includes('OPTIONS '); // one that nobody takes gets 204
        if (c.plain && (inner.length || statuses(text).some((n) => n !== 200 && n !== 404 && !(n === 204 && options)))) wrong.push(`${show(c)}\n    ${direct.seen[k].map(key)}\n    ${statuses(text)}`);
    });
    ok('direct: plain requests are taken one by one', wrong);
    ok('direct: an answer on a stream that did not ask', foreign);
    console.log(`  direct: ${direct.seen.flat().length} requests seen`);
    if (ONLY !== undefined) console.log('direct', JSON.stringify({ bytes: corpus[ONLY].bytes.toString('latin1'), answer: direct.answers[ONLY], seen: direct.seen[ONLY] }, null, 1));
}

// HTTP/1.0 is what nginx speaks to those behind it unless it is told otherwise: a stream a request.
async function behindNginx(dir, direct, version = '1.1') {
    const name = version === '1.1' ? 'nginx' : 'nginx, HTTP/1.0 behind it';
    const app = await application(), port = await freePort(), log = join(dir, `access${version}.log`);
    writeFileSync(join(dir, 'nginx.conf'), `
daemon off; master_process off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
events { worker_connections 512; }
http {
    log_format one '$request_id $status $upstream_addr $upstream_status $request_method $request_uri'; access_log ${log} one;
    client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
    client_max_body_size 1m; merge_slashes off;
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream hub { server 127.0.0.1:${app.port} max_fails=0; ${version === '1.1' ? 'keepalive 8;' : ''} }
    server {
        listen 127.0.0.1:${port};
        location / {
            proxy_pass http://hub; proxy_http_version ${version}; proxy_next_upstream off; proxy_request_buffering ${SEED % 2 ? 'on' : 'off'};
            proxy_set_header Host $host; proxy_set_header X-Proxy-Id $request_id;
            ${version === '1.1' ? 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;' : ''}
        }
    }
}
`);
    const proxy = start('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir, '-e', join(dir, 'error.log')]);
    if (!(await reachable(port))) { ok(`${name}: it starts: ${proxy.err}`, ['']); return; }
    if (version === '1.1') await webSocket(name, port);
    const answers = await sayAll(port);
    // One more behind them all; then it has logged what has reached the application, and its clients' ends.
    await say(port, { bytes: Buffer.from('GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'), plain: true });
    await until(() => { const text = readFileSync(log, 'latin1'); return text.includes('GET /last') && seenBy(app).every((r) => text.includes(`${r.id} `)); });
    proxy.p.kill('SIGTERM');
    await proxy.ended;
    app.p.kill('SIGTERM');
    await app.ended;
    const forwarded = (existsSync(log) ? readFileSync(log, 'latin1') : '').split('\n').map((l) => l.split(' ')).filter((l) => l.length >= 6 && l[2] !== '-')
        .map(([id, status, , upstream, method, target]) => ({ id, status: upstream === '-' ? Number(status) : Number(upstream), gone: status === '499', method, target }));
    judge(name, app, answers, forwarded, direct);
}

async function behindHaproxy(dir, direct) {
    const app = await application(), port = await freePort();
    writeFileSync(join(dir, 'haproxy.cfg'), `
global
    log stdout format raw local0
    maxconn 200
    nbthread 1
    hard-stop-after 60s
defaults
    mode http
    log global
    timeout connect 20s
    timeout client 20s
    timeout server 20s
    timeout http-request 20s
    timeout tunnel 20s
    retries 0
    http-reuse always
frontend in
    bind 127.0.0.1:${port}
    unique-id-format %[uuid()]
    unique-id-header X-Proxy-Id
    log-format "LOG %ID %ST %s %tsc %HM %HU"
    default_backend hub
backend hub
    server one 127.0.0.1:${app.port}
`);
    // It drops the lines that a full pipe does not take, and those of a thread that finds another one writing: a file and
    // one thread lose none.
    const log = join(dir, 'haproxy.log'), proxy = start('haproxy', ['-db', '-f', join(dir, 'haproxy.cfg')], log);
    if (!(await reachable(port))) { ok(`haproxy: it starts: ${proxy.err}`, ['']); return; }
    await webSocket('haproxy', port);
    const answers = await sayAll(port);
    proxy.p.kill('SIGUSR1'); // no more connections, and an end when the last one has ended: each is logged then
    await proxy.ended;
    app.p.kill('SIGTERM');
    await app.ended;
    const forwarded = readFileSync(log, 'latin1').split('\n').filter((l) => l.startsWith('LOG ')).map((l) => l.split(' ')).filter((l) => l[3] !== '<NOSRV>')
        .map(([, id, status, , how, method, target]) => ({ id, status: Number(status), gone: how[0] === 'C', method, target }));
    judge('haproxy', app, answers, forwarded, direct);
}

// ---- whom a hub takes for its peer ----

// The lines of README.md that stand in a block of this name.
function fromReadme(language) {
    const block = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'm').exec(readFileSync('README.md', 'utf8'));
    if (!block) throw new Error(`README.md has no block ${language}`);
    return block[1];
}
function replaced(text, pairs) { // each must be there, or the README's lines are not the ones that run
    for (const [what, by] of pairs) {
        if (!text.includes(what)) throw new Error(`README.md: expected ${what} in\n${text}`);
        text = text.replaceAll(what, by);
    }
    return text;
}
const FREEBIND = process.platform === 'linux'; // elsewhere 127.0.0.1 is the only address of its kind

// What a client from this address is told that it is. Headers are of its own making.
function whoAmI(port, localAddress, headers = '', { head = '', upgrade = false, requests = 1 } = {}) {
    return new Promise((resolve) => {
        let text = '';
        const c = connect({ port, host: '127.0.0.1', localAddress }), timer = setTimeout(() => c.destroy(), patience);
        const auth = Buffer.from('{"event":"authenticate"}');
        const local = () => `${c.localAddress}:${c.localPort}`;
        const told = () => [...text.matchAll(/\{"peer":"([^"]*)","hop":"([^"]*)"\}/g)].map(([, peer, hop]) => ({ peer, hop }));
        let me = '';
        const ask = `GET ${upgrade ? '/ws' : '/who'} HTTP/1.1\r\nHost: h\r\n${upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' + HANDSHAKE : ''}${headers}\r\n`;
        c.on('connect', () => { me = local(); c.write(head + ask.repeat(requests)); });
        if (upgrade) c.once('data', () => c.write(Buffer.concat([Buffer.from([0x81, 0x80 | auth.length, 0, 0, 0, 0]), auth])));
        c.on('data', (d) => { text += d.toString('latin1'); if (told().length >= requests) c.destroy(); });
        c.on('close', () => { clearTimeout(timer); resolve({ all: told(), me, text }); });
        c.on('error', () => {});
    });
}
const CLIENTS = FREEBIND ? ['127.0.0.7', '127.0.0.8'] : [];

// Clients from several addresses, one after the other through the same proxy, plain and as WebSockets. withPort: the proxy
// tells where they come from to the port.
async function peersAre(name, port, withPort = false) {
    const wrong = [], lies = 'X-Forwarded-For: 9.9.9.9\r\nForwarded: for=8.8.8.8\r\nX-Real-IP: 7.7.7.7\r\n';
    for (let round = 0; round < 3; round++) for (const client of CLIENTS) for (const headers of ['', lies]) for (const upgrade of [false, true]) {
        const got = await whoAmI(port, client, headers, { upgrade });
        const [told] = got.all, want = withPort ? got.me : client;
        if (!told || told.peer !== want || !told.hop.startsWith('127.0.0.1:')) wrong.push(`${client} ${JSON.stringify(headers)} ${upgrade}: ${JSON.stringify(got)}`);
    }
    ok(`${name}: the client is the peer, whatever it says itself`, wrong);
}
async function proxied(name, command, args, port, run) {
    const proxy = start(command, args);
    if (await reachable(port)) await run(); else ok(`${name}: it starts: ${proxy.err}${proxy.out}`, ['']);
    proxy.p.kill('SIGTERM');
    await proxy.ended;
}
const hubBehind = (header) => listening(start(join(FIXTURES, 'fixture-behind'), [header]));
async function ends(app) { // how many PROXY heads it has taken, and how many streams it has closed for each reason
    app.p.kill('SIGTERM');
    await app.ended;
    if (app.err) ok(`the application says: ${app.err.slice(0, 2000)}`, ['']);
    const [taken, strangers, missing, bad, late] = /heads ([\d ]+)\n/.exec(app.out)[1].split(' ').map(Number);
    return { taken, strangers, missing, bad, late };
}
function nginxWith(dir, port, upstream) {
    const file = join(dir, `behind${port}.conf`);
    const lines = replaced(fromReadme('nginx'), [['listen 80;', `listen 127.0.0.1:${port};`], ['127.0.0.1:8080', `127.0.0.1:${upstream}`]]);
    writeFileSync(file, `
daemon off; master_process off; worker_processes 1; pid ${dir}/behind${port}.pid; error_log ${dir}/behind.log;
events { worker_connections 64; }
http {
    access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
    ${lines}
}
`);
    return ['nginx', ['-c', file, '-p', dir, '-e', join(dir, 'behind.log')], port];
}
function haproxyWith(dir, port, lines) {
    const file = join(dir, `behind${port}.cfg`);
    writeFileSync(file, `
global
    maxconn 100
defaults
    timeout connect 20s
    timeout client 20s
    timeout server 20s
${lines}`);
    return ['haproxy', ['-db', '-f', file], port];
}
const haproxyHttp = (port, upstream) => replaced(fromReadme('haproxy'), [['bind :80', `bind 127.0.0.1:${port}`], ['127.0.0.1:8080', `127.0.0.1:${upstream}`]]);
const haproxyTcp = (port, upstream) => replaced(fromReadme('haproxy-tcp'), [['bind :443', `bind 127.0.0.1:${port}`], ['127.0.0.1:8081', `127.0.0.1:${upstream}`]]);

async function behind(dir) {
    if (!CLIENTS.length) { console.log('  skipped behind: needs further loopback addresses'); skipped++; return; }
    const nginx = has('nginx'), haproxy = has('haproxy');
    for (const [name, there] of [['nginx', nginx], ['haproxy', haproxy]]) if (!there) { console.log(`  skipped behind ${name}: it is not installed`); skipped++; }

    // X-Forwarded-For, as the README has it: one proxy, and one behind another.
    let app = await hubBehind('X-Forwarded-For');
    const [n, h, both] = [await freePort(), await freePort(), await freePort()];
    if (nginx) await proxied('behind nginx', ...nginxWith(dir, n, app.port), () => peersAre('behind nginx', n));
    if (haproxy) await proxied('behind haproxy', ...haproxyWith(dir, h, haproxyHttp(h, app.port)), () => peersAre('behind haproxy', h));
    if (nginx && haproxy)
        await proxied('behind nginx behind haproxy', ...nginxWith(dir, n, app.port), () =>
            proxied('behind nginx behind haproxy', ...haproxyWith(dir, both, haproxyHttp(both, n)), () => peersAre('behind nginx behind haproxy', both)));

    // Straight to the hub nobody is believed but who comes from a proxy's address.
    const straight = await whoAmI(app.port, CLIENTS[0], 'X-Forwarded-For: 9.9.9.9\r\n');
    ok('straight: a client is whom the system says', straight.all[0]?.peer === straight.me ? [] : [JSON.stringify(straight)]);
    ok('no PROXY head was wanted', [Object.values(await ends(app)).join()].filter((l) => l !== '0,0,0,0,0'));

    // The PROXY protocol: version 2 as the README has it, with its health checks, and version 1.
    for (const version of haproxy ? [2, 1] : []) {
        const port = await freePort(), name = `behind haproxy, PROXY version ${version}`;
        app = await hubBehind('X-Forwarded-For');
        const lines = haproxyTcp(port, app.marked);
        await proxied(name, ...haproxyWith(dir, port, version === 2 ? lines : replaced(lines, [['send-proxy-v2', 'send-proxy']])), async () => {
            await sleep(2500); // a check comes every two seconds
            await peersAre(name, port, true);
        });
        const counts = await ends(app);
        ok(`${name}: all heads are taken`, counts.taken > 20 && !counts.strangers && !counts.missing && !counts.bad ? [] : [JSON.stringify(counts)]);
    }

    // A marked port takes nothing else, nor a head from anybody else.
    app = await hubBehind('X-Forwarded-For');
    const none = await whoAmI(app.marked, '127.0.0.1'), stranger = await whoAmI(app.marked, CLIENTS[0], '', { head: 'PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n' });
    ok('a marked port says nothing to who has no head', none.text === '' && stranger.text === '' ? [] : [JSON.stringify({ none, stranger })]);
    const port = await freePort();
    if (nginx) await proxied('behind nginx at a marked port', ...nginxWith(dir, port, app.marked), async () => {
        const got = await whoAmI(port, CLIENTS[0]);
        ok('nginx gets nothing from a marked port', /^HTTP\/1.1 502 /.test(got.text) ? [] : [JSON.stringify(got)]);
    });
    const counts = await ends(app);
    ok('each is counted', counts.taken === 0 && counts.strangers === 1 && counts.missing >= (nginx ? 2 : 1) && !counts.bad ? [] : [JSON.stringify(counts)]);

    // Forwarded, as haproxy can write it: its own line behind its client's.
    if (haproxy) {
        app = await hubBehind('Forwarded');
        const f = await freePort();
        const lines = replaced(haproxyHttp(f, app.port), [['option forwardfor', 'http-request add-header Forwarded "for=\\"%[src]:%[src_port]\\";proto=http"']]);
        await proxied('behind haproxy, Forwarded', ...haproxyWith(dir, f, lines), () => peersAre('behind haproxy, Forwarded', f));
        await ends(app);
    }
}

// The same streams, straight and through each of them.
async function streams() {
    const app = await application(), direct = { answers: await sayAll(app.port) };
    app.p.kill('SIGTERM');
    await app.ended;
    direct.seen = byStream(seenBy(app));
    judgeDirect(direct);
    if (app.err) ok(`direct: the application says: ${app.err.slice(0, 2000)}`, ['']);
    for (const [name, run] of [['nginx', behindNginx], ['nginx', (d, all) => behindNginx(d, all, '1.0')], ['haproxy', behindHaproxy]]) {
        if (has(name)) await run(dir, direct);
        else { console.log(`  skipped ${name}: it is not installed`); skipped++; }
    }
}

const dir = mkdtempSync(join(tmpdir(), 'wshub-proxies-'));
process.on('exit', () => { for (const p of procs) if (p.exitCode === null) p.kill('SIGKILL'); rmSync(dir, { recursive: true, force: true }); });
try {
    await behind(dir);
    if (ONLY !== 'behind') await streams();
} catch (e) {
    failed++;
    console.log(e);
}
console.log(`proxies: ${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed ? 1 : 0);
