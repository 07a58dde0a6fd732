// The page of examples/both.c in a browser: a client over a WebSocket and one of Socket.IO, which is the page's own at first and then
// the one from npm. Keeps a screenshot (build/both.png).
//   node tests/socketio_both.mjs PORT CHROMIUM
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { untilPage } from './wait.mjs';
const require = createRequire(process.cwd() + '/build/node/x.js');
const [port, executablePath] = [Number(process.argv[2]), process.argv[3]];
const script = dirname(require.resolve('socket.io-client').replace(/build.cjs.*|dist.*/, 'dist/socket.io.min.js'));
let passed = 0, failed = 0, server;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL socketio_both: ${what}`)); };
const serve = folder => new Promise(done => {
  server = spawn('../build/both', [String(port), folder], { cwd: 'examples', stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, WSHUB_LOG: 'off' } });
  server.out = '';
  server.stdout.on('data', text => { server.out += text; if (/http:/.test(server.out)) done(); });
});
const stop = () => new Promise(done => { server.once('exit', done); server.kill('SIGTERM'); });

async function page(browser, how) {
  const window = await (await browser.newContext({ viewport: { width: 760, height: 450 } })).newPage();
  window.on('pageerror', error => check(`the page: ${error}`, false));
  await window.goto(`http://127.0.0.1:${port}/`);
  const until = (fn, arg) => untilPage(window, fn, arg);
  const both = text => until(t => [...document.querySelectorAll('ul')].every(list => list.innerText.includes(t)), text);
  const count = n => until(k => [...document.querySelectorAll('ul')].every(list => [...list.querySelectorAll('img')].filter(i => i.naturalWidth === 48).length === k), n);
  const at = (panel, what) => window.locator('section').nth(panel).locator(what);
  check(`${how}: two come in`, await until(() => document.querySelectorAll('section').length === 2 && !document.querySelector('.off')) && await until(() => /Bob \d+ came/.test(document.body.innerText)));
  check(`${how}: it says which client it uses`, (await at(1, '.how').innerText()).includes(how === 'npm' ? 'from npm;' : 'not there'));
  for (const [panel, text] of [[0, 'from a WebSocket <b>'], [1, 'from Socket.IO "&"']]) {
    await at(panel, 'input').fill(text);
    await at(panel, 'input').press('Enter');
    check(`${how}: both hear what is said ${text}`, await both(`: ${text}`));
    await at(panel, '.show').click();
    check(`${how}: and see what is shown`, await count(panel + 1));
    await at(panel, '.who').click();
    check(`${how}: who asks is answered`, await until(k => /answered: .*(Ada|Bob) \d+, (Ada|Bob) \d+/.test(document.querySelectorAll('ul')[k].innerText), panel));
  }
  check(`${how}: an answer is for who has asked`, await until(() => [...document.querySelectorAll('ul')].every(list => list.innerText.match(/answered/g).length === 1)));
  await window.screenshot({ path: 'build/both.png' });
  await stop();
  check(`${how}: a server that is gone is seen to be`, await until(() => document.querySelectorAll('.off').length === 2));
  await serve(how === 'npm' ? script : 'none');
  check(`${how}: both come back`, await until(() => !document.querySelector('.off')));
}

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await require('playwright-core').chromium.launch({ executablePath, args: flags });
try {
  for (const how of ['own', 'npm']) {
    await serve(how === 'npm' ? script : 'none');
    await page(browser, how);
    await stop();
    check('the server ends in order', server.exitCode === 0);
  }
} finally {
  await browser.close();
  if (server.exitCode === null) server.kill();
}
console.log(`socketio_both: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
