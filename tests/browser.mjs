// Drives two browsers through the chat: they see each other come, speak, change rooms and leave; the server is
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
await serve();
const browser = await chromium.launch({ executablePath: process.argv[3], args: flags });
try {
  const url = n => `http://127.0.0.1:${port}/?name=${n}`;
  const a = await (await browser.newContext({ viewport: { width: 1100, height: 800 } })).newPage();
  const b = await (await browser.newContext({ viewport: { width: 390, height: 760 } })).newPage();
  const sees = (page, text) => page.waitForFunction(t => document.body.innerText.includes(t), text, { timeout: 8000 }).then(() => true, () => false);
  await a.goto(url('Ada'));
  check('Ada is online', await sees(a, 'online'));
  await b.goto(url('Grace'));
  check('Ada sees Grace come', await sees(a, 'Grace came in'));
  check('Grace sees who is here', await sees(b, 'Ada'));
  const write = async (page, text) => { await page.fill('#text', text); await page.press('#text', 'Enter'); };
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
