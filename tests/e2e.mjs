// Node's WebCrypto against a living server, examples/encrypted_chat.c: keys both ways, messages of all lengths, new keys
// while messages are under way, what is refused; then two browsers on its page, whose picture (build/encrypted_chat.png)
// is that of examples/README.md.  node tests/e2e.mjs PORT [CHROMIUM]
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { webcrypto } from 'node:crypto';
const require = createRequire(process.cwd() + '/build/node/x.js');
const WebSocket = require('ws'), { subtle } = webcrypto, port = Number(process.argv[2]);
const CURVE = { name: 'ECDH', namedCurve: 'P-256' }, INFO = 'ignis-ecdh-p256-aes-256-gcm-v1';
let passed = 0, failed = 0;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL e2e: ${what}`)); };
const b64 = b => Buffer.from(b).toString('base64'), un64 = t => Buffer.from(t, 'base64');

const pair = () => subtle.generateKey(CURVE, false, ['deriveBits']);
const publicKey = async p => b64(await subtle.exportKey('raw', p.publicKey));
async function agree(mine, { serverPublicKey, salt }) {
  const theirs = await subtle.importKey('raw', un64(serverPublicKey), CURVE, false, []);
  const raw = await subtle.importKey('raw', await subtle.deriveBits({ name: 'ECDH', public: theirs }, mine.privateKey, 256), 'HKDF', false, ['deriveKey']);
  return subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt: un64(salt), info: Buffer.from(INFO) }, raw, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}
class Client {
  heard = []; waiting = [];
  static async come(name, key) {
    const c = new Client();
    c.mine = await pair();
    c.ws = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    c.closed = new Promise(done => c.ws.on('close', code => done(code)));
    c.ws.on('message', text => { const m = JSON.parse(text); c.waiting.length ? c.waiting.shift()(m) : c.heard.push(m); });
    await new Promise(done => c.ws.on('open', done));
    c.raw({ event: 'authenticate', data: { name, publicKey: key ?? await publicKey(c.mine) } });
    return c;
  }
  raw(m) { this.ws.send(JSON.stringify(m)); }
  next() { return this.heard.length ? this.heard.shift() : new Promise(done => this.waiting.push(done)); }
  async seal(m) {
    const iv = webcrypto.getRandomValues(new Uint8Array(12));
    return { iv: b64(iv), ct: b64(await subtle.encrypt({ name: 'AES-GCM', iv }, this.key, Buffer.from(JSON.stringify(m)))) };
  }
  async say(m) { this.raw({ event: 'encrypted', data: await this.seal(m) }); }
  async hear() { // the next message, which must be encrypted
    const { event, data } = await this.next();
    if (event !== 'encrypted' || Object.keys(data).join() !== 'iv,ct') return { event, clear: true };
    return JSON.parse(Buffer.from(await subtle.decrypt({ name: 'AES-GCM', iv: un64(data.iv) }, this.key, un64(data.ct))).toString());
  }
}

const server = spawn('../build/encrypted_chat', [String(port)], { cwd: 'examples', stdio: ['ignore', 'pipe', 'inherit'] });
await new Promise(done => server.stdout.once('data', done));

// several times, since keys differ: one secret in 256 begins with a zero byte
for (let i = 0; i < 20; i++) {
  const c = await Client.come('ada'), connected = await c.next();
  c.key = await agree(c.mine, connected.data);
  const text = ['', 'x', 'grüße 日本 😀', 'y'.repeat(200000)][i % 4];
  await c.say({ event: 'say', data: text });
  const m = await c.hear();
  check(`a message of ${text.length} comes back`, m.event === 'said' && m.data.text === text && m.data.name === 'ada');
  c.ws.close();
  await c.closed;
}

const a = await Client.come('ada'), b = await Client.come('bob');
for (const c of [a, b]) c.key = await agree(c.mine, (await c.next()).data);
await a.say({ event: 'say', data: 'both' });
check('each hears it in keys of their own', (await a.hear()).data.text === 'both' && (await b.hear()).data.text === 'both');

// a message that was under way under the old key is read, and the new one is used from the answer on
const next = await pair(), old = a.key;
await a.say({ event: 'rekey', data: { publicKey: await publicKey(next) } });
await a.say({ event: 'say', data: 'old key' });
const keys = await a.hear();
a.key = await agree(next, keys.data);
check('what was under way is read', keys.event === 'keys' && (await a.hear()).data.text === 'old key' && (await b.hear()).data.text === 'old key');
await a.say({ event: 'say', data: 'new key' });
check('new keys are used', (await a.hear()).data.text === 'new key' && (await b.hear()).data.text === 'new key');
const [now] = [a.key];
a.key = old;
const stale = await a.seal({ event: 'say', data: 'stale' });
a.key = now;
a.raw({ event: 'encrypted', data: stale });
check('the old key opens nothing any more', (await a.hear()).data.message === 'Invalid message format');

for (const bad of [{}, { iv: 'AAAA', ct: 'AAAA' }, null]) {
  a.raw({ event: 'encrypted', data: bad });
  check('what does not open is told', (await a.hear()).data.message === 'Invalid message format');
}
for (const key of ['', 'BAAA', b64(Buffer.concat([Buffer.from([4]), Buffer.alloc(64)]))]) {
  const c = await Client.come('eve', key);
  check('no key, no client', (await c.next()).data.message === 'Encryption handshake failed' && (await c.closed) === 4004);
}
a.ws.close(); b.ws.close();

if (process.argv[3]) {
  const { chromium } = require('playwright-core');
  const browser = await chromium.launch({ executablePath: process.argv[3], args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
  const open = async name => {
    const page = await (await browser.newContext({ viewport: { width: 400, height: 260 } })).newPage();
    page.on('pageerror', error => check(`${name}'s page: ${error}`, false));
    await page.goto(`http://127.0.0.1:${port}/?name=${name}`);
    return page;
  };
  const sees = (page, text) => page.waitForFunction(t => document.body.innerText.includes(t), text, { timeout: 60000 }).then(() => true, () => false);
  const write = async (page, text) => { await page.fill('#text', text); await page.press('#text', 'Enter'); };
  const ada = await open('Ada'), bob = await open('Bob');
  check('the pages agree on keys', await sees(ada, 'keys of our own') && await sees(bob, 'keys of our own'));
  await write(ada, 'Nobody on the way reads this.');
  check('both hear it', await sees(ada, 'Ada: Nobody') && await sees(bob, 'Ada: Nobody'));
  await bob.click('#renew');
  check('new keys', await sees(bob, 'new keys'));
  await write(bob, 'Nor this, under new keys.');
  check('both hear that', await sees(ada, 'Bob: Nor this') && await sees(bob, 'Bob: Nor this'));
  const shots = [await ada.screenshot(), await bob.screenshot()].map(png => `<img style="border:1px solid #999;margin:4px" src="data:image/png;base64,${png.toString('base64')}">`);
  const page = await (await browser.newContext({ viewport: { width: 840, height: 100 } })).newPage();
  await page.setContent(`<body style="margin:0;white-space:nowrap;font-size:0">${shots.join('')}`);
  await page.screenshot({ path: 'build/encrypted_chat.png', fullPage: true });
  // PITFALLS c17: more bytes than one call takes arguments
  const long = 'z'.repeat(200000);
  await write(ada, long);
  check('a message of 200 KB goes from page to page', await sees(bob, `Ada: ${long}`));
  await browser.close();
}
const ended = new Promise(done => server.once('exit', done));
server.kill('SIGTERM');
check('the server ends in order', (await ended) === 0);
console.log(`e2e: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
