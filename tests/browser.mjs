// Drives two browsers through the page of the README, served by its program from its folder (tests/readme.sh), then through
// the chat: they see each other come, speak, change rooms and leave; the server is
// restarted under one of them and it comes back. Keeps screenshots (build/chat-*.png).
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
const require = createRequire(process.cwd() + '/build/node/x.js');
const { chromium } = require('playwright-core');
const port = Number(process.argv[2]);
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
let passed = 0, failed = 0;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL browser: ${what}`)); };
let chat;
const serve = () => new Promise(done => {
  chat = spawn('build/chat', [String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  chat.stdout.once('data', done);
});
const stop = () => new Promise(done => { chat.once('exit', done); chat.kill('SIGTERM'); });
const browser = await chromium.launch({ executablePath: process.argv[3], args: flags });
const sees = (page, text) => page.waitForFunction(t => document.body.innerText.includes(t), text, { timeout: 8000 }).then(() => true, () => false);
const write = async (page, text) => { await page.fill('#text', text); await page.press('#text', 'Enter'); };

async function readme() {
  let server;
  const start = async () => {
    server = spawn('./main', { cwd: 'build/readme', stdio: ['ignore', 'ignore', 'inherit'] });
    server.on('exit', code => { if (code) console.log(`FAIL browser: the README's program ended with ${code}`); });
    for (let i = 0; i < 100; i++) { // what it prints into a pipe comes when it ends
      if (await fetch('http://127.0.0.1:8080/').then(r => r.ok, () => false)) return;
      await new Promise(r => setTimeout(r, 50));
    }
  };
  const end = () => new Promise(done => { server.once('exit', done); server.kill('SIGTERM'); });
  await start();
  const a = await (await browser.newContext()).newPage();
  const b = await (await browser.newContext()).newPage();
  await a.goto('http://127.0.0.1:8080/');
  await b.goto('http://127.0.0.1:8080/');
  check('the page connects', await sees(a, 'connected') && await sees(b, 'connected'));
  await write(a, 'hello "b" <i>');
  check('both hear it', await sees(a, 'say "hello') && await sees(b, 'say "hello \\"b\\" <i>"'));
  await write(b, 'only me?');
  check('who asks is answered', await sees(b, 'only to me: only me?'));
  check('and nobody else', !(await a.evaluate(() => document.body.innerText.includes('only me'))));
  await a.screenshot({ path: 'build/readme.png' });
  await end();
  await start();
  check('it comes back', await a.waitForFunction(() => document.body.innerText.split('connected').length > 2, null, { timeout: 8000 }).then(() => true, () => false));
  await write(a, 'again');
  check('and is in its room again', await sees(a, 'say "again"'));
  await a.close();
  await b.close();
  await end();
}
await readme();
await serve();
try {
  const url = n => `http://127.0.0.1:${port}/?name=${n}`;
  const a = await (await browser.newContext({ viewport: { width: 1100, height: 800 } })).newPage();
  const b = await (await browser.newContext({ viewport: { width: 390, height: 760 } })).newPage();
  await a.goto(url('Ada'));
  check('Ada is online', await sees(a, 'online'));
  await b.goto(url('Grace'));
  check('Ada sees Grace come', await sees(a, 'Grace came in'));
  check('Grace sees who is here', await sees(b, 'Ada'));
  await write(a, 'Hello from the lobby, "quoted" & <b>not bold</b> — é ü 😀');
  check('Grace hears Ada', await sees(b, 'Hello from the lobby, "quoted" & <b>not bold</b> — é ü 😀'));
  await write(b, 'I can hear you, Ada. Nice room.');
  check('Ada hears Grace', await sees(a, 'I can hear you'));
  await write(a, 'Good. One frame, encoded once, for everybody in here.');
  check('Ada hears herself', await sees(a, 'encoded once'));
  await sees(b, 'encoded once');
  await a.screenshot({ path: 'build/chat-desktop.png' });
  await b.screenshot({ path: 'build/chat-phone.png' });
  await b.getByText('# garden').click();
  check('Grace is alone in the garden', await b.waitForFunction(() => document.querySelectorAll('#people li').length === 1, null, { timeout: 5000 }).then(() => true, () => false));
  await write(a, 'Only for the lobby');
  await write(b, 'Only for the garden');
  check('rooms are apart', await sees(b, 'Only for the garden') && !(await b.evaluate(() => document.body.innerText.includes('Only for the lobby'))));
  await b.getByText('# lobby').click();
  await sees(a, 'Grace came in');
  await b.close();
  check('Ada sees Grace leave', await sees(a, 'Grace left'));
  await stop();
  check('Ada notices the end', await sees(a, 'reconnecting'));
  await serve();
  check('Ada comes back by herself', await sees(a, 'online'));
  await write(a, 'and still speaks');
  check('and still speaks', await sees(a, 'and still speaks'));
} finally {
  await browser.close();
  await stop();
}
console.log(`browser: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
