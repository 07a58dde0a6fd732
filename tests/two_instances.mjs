// Two people in two chats on one Redis: they are in one room until Redis is killed, are told so, go on apart, and are
// together again when it is back, told of the gap. Keeps a screenshot (build/two-instances.png).
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { sees, until, watched } from './wait.mjs';
const require = createRequire(process.cwd() + '/build/node/x.js');
const { chromium } = require('playwright-core');
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
let passed = 0, failed = 0;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL two_instances: ${what}`)); };
const env = { ...process.env, REDIS_PORT: '18479', PORT_A: '18476', PORT_B: '18477' };
const show = spawn('sh', ['examples/two_instances.sh'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
let told = '';
show.stdout.on('data', d => { told += d; });
const says = text => until(() => told.includes(text));
check('the script says that it is ready', await says('both chats are one'));
check('both chats are there', await says(':18476') && await says(':18477'));
const browser = await chromium.launch({ executablePath: process.argv[2], args: flags });
try {
  const page = async (port, name) => {
    const p = await (await browser.newContext({ viewport: { width: 900, height: 700 } })).newPage();
    await p.goto(`http://127.0.0.1:${port}/?name=${name}`);
    return p;
  };
  const write = async (p, text) => { await p.fill('#text', text); await p.press('#text', 'Enter'); };
  const a = await page(18476, 'Ada'), b = await page(18477, 'Grace');
  check('both are online', await sees(a, 'online') && await sees(b, 'online'));
  const hears = () => b.evaluate(() => document.body.innerText.includes('hello '));
  let said = 0;
  const saysAgain = async () => {
    if (!await hears()) { await write(a, `hello ${++said}`); await sees(a, `hello ${said}`); }
    return hears();
  };
  check('Grace hears Ada on the other instance', await until(saysAgain)); // the chats may still be connecting to Redis
  await write(b, 'hello to you, over there');
  check('Ada hears Grace', await sees(a, 'hello to you, over there'));
  check('each tells of its own people, and says so', await a.evaluate(() => [...document.querySelectorAll('#people .name')].map(e => e.textContent).join()) === 'Ada (you)' && await sees(b, 'on this server'));
  const late = await page(18476, 'Lin');
  check('who comes late reads what was said over there, too', await sees(late, 'hello to you, over there'));
  await a.evaluate(() => choose('garden'));
  check('a room that one makes the other has', await sees(b, '# garden'));
  await a.evaluate(() => choose('lobby'));
  const typing = await watched(b, 'Ada is typing');
  await a.type('#text', 'Is it');
  check('Ada is seen typing over there', await typing());
  await late.close();
  // a line is said to one server, the answer is lost, and it is said again to the other
  const line = { room: 'lobby', id: 'to-both', text: 'said to both' };
  await a.evaluate(l => ask('say', l), line);
  check('a line goes over', await sees(b, 'said to both'));
  await b.evaluate(l => ask('say', l), line);
  await write(b, 'behind it');
  check('and comes once, whichever server it is said to again', await sees(a, 'behind it') && await a.evaluate(() => [...document.querySelectorAll('.text')].filter(e => e.textContent === 'said to both').length) === 1);
  show.stdin.write('\n'); // Redis is killed
  check('both are told that the other is out of reach', await sees(a, 'out of reach') && await sees(b, 'out of reach'));
  await write(a, 'is anybody there?');
  check('Ada still hears herself', await sees(a, 'is anybody there?'));
  show.stdin.write('\n'); // and started again
  check('both are told of the gap', await sees(a, 'may be missing') && await sees(b, 'may be missing'));
  await write(a, 'together again');
  check('Grace hears Ada again', await sees(b, 'together again'));
  await write(b, 'good, I had missed you');
  check('and Ada hears Grace', await sees(a, 'good, I had missed you'));
  await a.screenshot({ path: 'build/two-instances.png' });
} finally {
  await browser.close();
  show.stdin.write('\n');
}
const status = await new Promise(done => { if (show.exitCode !== null) done(show.exitCode); else show.once('exit', done); });
check('the script ends', status === 0);
console.log(`two_instances: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
