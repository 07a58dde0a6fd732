// The server of Socket.IO on a port of TLS, with the client from npm, on every transport: events, answers and bytes both ways, a
// handshake that says it is secure, clients that do not trust the certificate, whoever speaks no TLS, certificates that are read
// again, and options that do not go together.
//   node tests/socketio_tls.mjs FIXTURE
import { createRequire } from 'node:module';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { patience, until as soon } from './wait.mjs';
const require = createRequire(path.join(path.resolve(process.env.ORACLE_MODULES ?? 'build/node/node_modules'), '..', 'x.js'));
const { io } = require('socket.io-client');
let passed = 0, failed = 0;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL socketio_tls: ${what}\n    alone: sh tests/socketio_tls.sh`)); };
const fixture = process.argv[2];

// The certificates of the other tests, as files.
const dir = mkdtempSync(path.join(os.tmpdir(), 'wshub-tls-'));
const header = readFileSync('tests/tls_certs.h', 'utf8');
const pem = {};
for (const name of ['root_cert', 'server_cert', 'server_key', 'other_cert', 'other_key', 'self_cert', 'self_key']) {
  pem[name] = [...new RegExp(`tls_${name}\\[\\] =([^;]*);`).exec(header)[1].matchAll(/"([^"]*)\\n"/g)].map(m => m[1] + '\n').join('');
  writeFileSync(path.join(dir, name), pem[name]);
}
const file = name => path.join(dir, name);

// Options that are refused: status 2, and a line that says which.
const refused = (what, args, line) => {
  const ran = spawnSync(fixture, ['--port', '0', ...args], { encoding: 'utf8', timeout: patience });
  check(`${what}: status ${ran.status}, ${ran.stderr}`, ran.status === 2 && line.test(ran.stderr));
};
refused('a certificate without its key', ['--tls-cert', file('server_cert')], /--tls-key/);
refused('a file that is missing', ['--tls-cert', file('none'), '--tls-key', file('server_key')], /none/);
refused('the key of another certificate', ['--tls-cert', file('server_cert'), '--tls-key', file('other_key')], /key/);
refused('a version that there is not', ['--tls-cert', file('server_cert'), '--tls-key', file('server_key'), '--tls-min', '1.1'], /--tls-min/);

writeFileSync(file('cert'), pem.server_cert);
writeFileSync(file('key'), pem.server_key);
const server = spawn(fixture, ['--port', '0', '--sio', '/sio/', '--tls-cert', file('cert'), '--tls-key', file('key')],
  { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, WSHUB_LOG: 'off' } });
const ended = new Promise(done => server.once('exit', done));
let said = '', errors = '';
server.stdout.on('data', text => { said += text; });
server.stderr.on('data', text => { errors += text; });
await soon(() => /listening \d+\n/.test(said));
const port = /listening (\d+)\n/.exec(said)[1];

function client(transports, space = '/', ca = pem.root_cert) {
  const socket = io(`https://localhost:${port}${space}`, { path: '/sio/', transports, ca, forceNew: true, reconnection: false });
  const it = { socket, heard: [], gone: null, error: null };
  socket.onAny((event, ...args) => it.heard.push([event, ...args]));
  socket.on('disconnect', reason => { it.gone = reason; });
  socket.on('connect_error', error => { it.error = error; });
  it.of = event => it.heard.filter(h => h[0] === event).map(h => h.slice(1));
  it.met = soon(() => socket.connected || it.error);
  return it;
}

const all = [['polling'], ['websocket'], ['polling', 'websocket']];
for (const transports of all) {
  const on = `over ${transports} of TLS`;
  const a = client(transports), b = client(transports, '/abc');
  await Promise.all([a.met, b.met]);
  check(`both connect ${on}: ${a.error ?? b.error}`, a.socket.connected && b.socket.connected);
  const last = transports[transports.length - 1];
  check(`by the transport that was wanted ${on}`, await soon(() => a.socket.io.engine?.transport.name === last));
  check(`the handshake says that it is secure ${on}`, await soon(() => b.of('handshake').length) && b.of('handshake')[0][0].secure === true);
  const long = 'x'.repeat(90000);
  a.socket.emit('echo', 1, { b: Buffer.from([0, 255]) }, long);
  check(`events with bytes come back ${on}`, await soon(() => a.of('echo').length) &&
    a.of('echo')[0][0] === 1 && Buffer.from(a.of('echo')[0][1].b).equals(Buffer.from([0, 255])) && a.of('echo')[0][2] === long);
  check(`an answer ${on}`, await a.socket.timeout(patience).emitWithAck('ack', 7).then(() => true, () => false));
  a.socket.disconnect();
  b.socket.disconnect();

  const stranger = client(transports, '/', pem.self_cert);
  await stranger.met;
  check(`who does not trust the certificate stays away ${on}`, !stranger.socket.connected && stranger.error);
  stranger.socket.disconnect();
}

// Whoever speaks no TLS is not answered in the clear.
const clear = net.connect(port, '127.0.0.1'), heard = [];
let shut = false;
clear.on('data', bytes => heard.push(bytes)).on('close', () => { shut = true; }).on('error', () => {});
clear.write('GET /sio/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n');
check('HTTP in the clear ends, without an answer', await soon(() => shut) && !Buffer.concat(heard).includes('HTTP/'));

// Certificates are read again: who is there stays, who comes sees the new one; a bad one changes nothing.
const subject = () => new Promise(done => {
  const s = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false }, () => { done(s.getPeerCertificate().subject.CN); s.destroy(); });
  s.on('error', error => done(error.message));
});
const old = client(['websocket']);
await old.met;
check('the first certificate is shown', await subject() === 'localhost');
writeFileSync(file('cert'), pem.other_cert);
server.kill('SIGHUP');
check('a certificate without its key is not taken', await soon(() => /certificate not reloaded: /.test(errors)) && await subject() === 'localhost');
writeFileSync(file('key'), pem.other_key);
server.kill('SIGHUP');
check('a new one is', await soon(() => /certificate reloaded/.test(errors)) && await subject() === 'other');
check('who was there is still', await old.socket.timeout(patience).emitWithAck('ack', 8).then(() => true, () => false));

server.kill('SIGTERM');
check(`at the end his connection is closed, as in the clear: ${await soon(() => old.gone)}`, old.gone === 'transport close');
check(`and the program ends in order: ${errors}`, await ended === 0);
rmSync(dir, { recursive: true });
console.log(`socketio_tls: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
