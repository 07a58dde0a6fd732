// Socket.IO's own client in examples/socketio_chat.c: by every transport and against mistakes, then, with a browser, two windows
// of its page, which says what to do while the client script is missing. Keeps screenshots (build/socketio_chat*.png; two of
// them are what examples/ shows).
//   node tests/socketio_chat.mjs PORT [CHROMIUM]
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { patience, sees, untilPage as until, watched } from './wait.mjs';
const require = createRequire(process.cwd() + '/build/node/x.js');
const { io } = require('socket.io-client');
const [port, chromium] = [Number(process.argv[2]), process.argv[3]];
const at = `http://127.0.0.1:${port}`, script = 'build/socketio_client.js', original = require.resolve('socket.io-client').replace(/build.cjs.*|dist.*/, 'dist/socket.io.min.js');
let passed = 0, failed = 0, server;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL socketio_chat: ${what}`)); };
const serve = () => new Promise(done => {
  server = spawn('build/socketio_chat', ['--client', script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, WSHUB_LOG: 'off' } });
  server.out = '';
  server.stdout.on('data', text => { server.out += text; if (/ctrl-c/.test(server.out)) done(); });
});
const stop = (signal = 'SIGTERM') => new Promise(done => { server.once('exit', done); server.kill(signal); });

// ---- clients alone ----

// What a client hears, one after the other; `next` waits for it.
function client(how) {
  const socket = io(at, { forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 100, ...how });
  const heard = [], waiting = [];
  socket.onAny((...event) => (waiting.length ? waiting.shift()(event) : heard.push(event)));
  socket.next = () => new Promise(done => {
    if (heard.length) return done(heard.shift());
    waiting.push(done);
    setTimeout(() => done(['nothing']), patience).unref();
  });
  socket.ask = (...event) => socket.timeout(patience).emitWithAck(...event).catch(error => error.message);
  socket.moved = new Promise(done => socket.io.once('open', () => socket.io.engine.once('upgrade', done)));
  return socket;
}
const connected = socket => (socket.connected ? Promise.resolve() : new Promise(done => socket.once('connect', done)));
const hears = async (what, socket, ...want) => {
  const got = await socket.next();
  check(`${what}: ${JSON.stringify(got)}`, JSON.stringify(got) === JSON.stringify(want));
};

async function clients() {
  const a = client({ transports: ['polling'] }), b = client({ transports: ['websocket'] }), c = client({});
  await Promise.all([a, b, c].map(connected));
  check('who has no name says nothing', await a.ask('new message', 'hello') === 'say your name first');
  check('a name is a text', await a.ask('add user', { name: 'Ada' }) === 'there is no text in it' && await a.ask('add user') === 'there is no text in it' && await a.ask('add user', '') === 'there is no text in it');
  check('of 24 units', await a.ask('add user', 'twenty-five letters are on') === 'that is too long');
  check('Ada is in', await a.ask('add user', 'Ada "the" <first>') === null);
  await hears('she hears it', a, 'login', { numUsers: 1 });
  await hears('all others do', b, 'user joined', { username: 'Ada "the" <first>', numUsers: 1 });
  await hears('also those who have no name', c, 'user joined', { username: 'Ada "the" <first>', numUsers: 1 });
  check('one name is enough', await a.ask('add user', 'Eve') === 'you have a name');
  b.emit('add user', 'Grace 😀'); // without an acknowledgement
  await hears('Grace is in', b, 'login', { numUsers: 2 });
  await hears('Ada hears it', a, 'user joined', { username: 'Grace 😀', numUsers: 2 });
  await c.next();
  check('what is said is acknowledged', await b.ask('new message', 'é ü 😀 "\\ \u2028') === null);
  await hears('and heard', a, 'new message', { username: 'Grace 😀', message: 'é ü 😀 "\\ \u2028' });
  await hears('by all', c, 'new message', { username: 'Grace 😀', message: 'é ü 😀 "\\ \u2028' });
  check('2,000 units are', await b.ask('new message', '\u20ac'.repeat(2000)) === null && (await a.next())[1].message === '\u20ac'.repeat(2000) && (await c.next())[1].message.length === 2000);
  check('and no more', await b.ask('new message', '\u20ac'.repeat(2001)) === 'that is too long');
  a.emit('typing');
  await hears('typing is told', b, 'typing', { username: 'Ada "the" <first>' });
  a.emit('stop typing');
  await hears('and its end', b, 'stop typing', { username: 'Ada "the" <first>' });
  check('what nobody knows is said to be so', await a.ask('shout', 'x') === 'nobody knows what that means');
  await c.moved;
  a.disconnect();
  await hears('who leaves is told', b, 'user left', { username: 'Ada "the" <first>', numUsers: 1 });
  for (let got = await c.next(); got[0] !== 'user left'; got = await c.next()) if (got[0] === 'nothing') { check('also over the transport that came later', false); break; }
  c.disconnect();
  await connected(a.connect());
  check('who comes back has to say a name', await a.ask('new message', 'again') === 'say your name first');
  check('and may', await a.ask('add user', 'Ada') === null);
  await hears('to be one of two', a, 'login', { numUsers: 2 });
  await hears('and nothing was heard of one without a name', b, 'user joined', { username: 'Ada', numUsers: 2 });
  check('another page may not poll', await fetch(`${at}/socket.io/?EIO=4&transport=polling`, { headers: { Origin: 'https://evil.example' } }).then(r => r.status) === 403);
  a.disconnect();
  b.disconnect();
}

// ---- its page ----

async function page() {
  const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await require('playwright-core').chromium.launch({ executablePath: chromium, args: flags });
  const desktop = { viewport: { width: 720, height: 420 }, colorScheme: 'light' }, phone = { viewport: { width: 360, height: 640 }, colorScheme: 'light' };
  const open = async (path, how) => {
    const window = await (await browser.newContext(how)).newPage();
    window.on('pageerror', error => check(`the page: ${error}`, false));
    await window.goto(at + path);
    return window;
  };
  const say = async (window, text) => { await window.fill('#text', text); await window.press('#text', 'Enter'); };
  try {
    const a = await open('/?name=', desktop);
    check('without the script it says what to do', await sees(a, 'npm install socket.io-client') && await sees(a, 'is not here yet'));
    await a.screenshot({ path: 'build/socketio_chat-missing.png' });
    copyFileSync(original, script);
    await a.click('text=load the page anew');
    check('with it, it asks who it is', await sees(a, 'Who is it?') && await sees(a, 'online'));
    await a.fill('#name', 'Ada');
    await a.press('#name', 'Enter');
    check('Ada comes in', await sees(a, 'Welcome, Ada') && await sees(a, 'nobody but you'));
    const b = await open('/?name=Grace', phone);
    check('Grace does', await sees(b, 'Welcome, Grace') && await sees(b, '2 people'));
    check('and Ada sees it', await sees(a, 'Grace came in') && await sees(a, '2 people'));
    check('both have moved to a WebSocket', await until(a, () => socket.io.engine.transport.name === 'websocket') && await until(b, () => socket.io.engine.transport.name === 'websocket'));
    await say(a, 'The client is the one from npm, as it is.');
    check('Grace reads it', await sees(b, 'The client is the one from npm'));
    await say(b, 'And the server? <b>Bold</b> & "quoted" — é 😀');
    check('Ada reads her, as text', await sees(a, 'And the server? <b>Bold</b> & "quoted" — é 😀') && await a.evaluate(() => document.querySelectorAll('#log li b').length === 2));
    await say(a, 'One C header, and one file for each of the two protocols.');
    check('what one says stands there once', await until(a, () => [...document.querySelectorAll('#log .mine')].length === 2));
    const typing = await watched(a, 'Grace is typing');
    await b.type('#text', 'Hm');
    check('Grace is seen typing', await typing());
    await a.screenshot({ path: 'build/socketio_chat.png' });
    await b.screenshot({ path: 'build/socketio_chat-phone.png' });
    check('and that ends by itself', await until(a, () => !document.querySelector('#typing').textContent));
    await say(b, 'x'.repeat(300));
    check('a long word makes no phone scroll sideways', await sees(a, 'xxxx') && await b.evaluate(() => document.documentElement.scrollWidth <= innerWidth && $('log').scrollWidth <= $('log').clientWidth));
    await b.evaluate(() => say('y'.repeat(2001)));
    check('what is not taken is shown', await sees(b, 'not sent: that is too long') && !(await a.evaluate(() => document.body.innerText.includes('yyyy'))));
    const c = await open('/?name=' + 'n'.repeat(25), { ...desktop, colorScheme: 'dark' });
    check('a name that is too long is refused', await sees(c, 'Not so: that is too long.'));
    await c.fill('#name', 'Mary');
    await c.press('#name', 'Enter');
    check('another one is not', await sees(c, 'Welcome, Mary') && await sees(a, 'Mary came in'));
    await say(c, 'Good evening.');
    await c.screenshot({ path: 'build/socketio_chat-dark.png' });
    await c.context().close();
    check('who closes a window has left', await sees(a, 'Mary left') && await sees(a, '2 people'));
    await stop('SIGKILL');
    check('a server that is gone is seen to be', await sees(a, 'the connection is lost') && await sees(a, 'connecting'));
    await a.fill('#text', 'too early');
    await a.press('#text', 'Enter');
    check('and takes nothing', await sees(a, 'there is no connection') && await a.inputValue('#text') === 'too early');
    await serve();
    check('both come back with their names', await sees(a, 'here again') && await sees(b, 'here again') && await sees(a, '2 people') && await sees(b, '2 people'));
    await a.press('#text', 'Enter');
    check('and talk', await sees(b, 'too early'));
    check('scripts come from the server alone', await fetch(at).then(r => r.headers.get('content-security-policy')) === "default-src 'self'");
  } finally {
    await browser.close();
  }
}

rmSync(script, { force: true });
await serve();
try {
  check('it says that the script is missing', server.out.includes('npm install socket.io-client'));
  check('which is not found then', await fetch(`${at}/socket.io/socket.io.js`).then(r => r.status) === 404);
  await clients();
  if (chromium) await page();
  else copyFileSync(original, script);
  check('and found when it is there', await fetch(`${at}/socket.io/socket.io.js`).then(r => r.text()).then(text => text.includes('Socket.IO')));
} finally {
  await stop();
}
check('the server ends in order', server.exitCode === 0);
console.log(`socketio_chat: ${passed} passed, ${failed} failed, ${chromium ? 0 : 1} skipped`);
process.exit(failed ? 1 : 0);
