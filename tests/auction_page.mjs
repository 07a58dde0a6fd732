// Two windows and more in the page of examples/auction.c: bids and what becomes of them, who is watching, the countdown on a
// computer whose clock is wrong, a lost connection, a late bid, the end, which comes when this test says so to Redis. Keeps
// screenshots (build/auction*.png; the first two are what examples/ shows).
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { endsAt, tellRedis } from './auction_redis.mjs';
import { sees, until as soon, untilPage as until, watched } from './wait.mjs';
const require = createRequire(process.cwd() + '/build/node/x.js');
const { chromium } = require('playwright-core');
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const port = 18496, redisPort = 18495;
let passed = 0, failed = 0, server;
const check = (what, ok) => { ok ? passed++ : (failed++, console.log(`FAIL auction: the page: ${what}`)); };
const serve = (...more) => new Promise(done => {
  server = spawn('build/auction', [...more, String(port)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, WSHUB_LOG: 'off' } });
  server.stdout.once('data', done);
});
const stop = (signal = 'SIGTERM') => new Promise(done => { server.once('exit', done); server.kill(signal); });
const browser = await chromium.launch({ executablePath: process.argv[2], args: flags });
const desktop = { viewport: { width: 1060, height: 800 }, colorScheme: 'light', locale: 'en-GB' }, phone = { viewport: { width: 360, height: 780 }, colorScheme: 'light', locale: 'en-GB' };
const open = async (who, how = desktop, before) => {
  const page = await (await browser.newContext(how)).newPage();
  page.on('pageerror', error => check(`${who}: ${error}`, false));
  if (before) await page.addInitScript(before);
  await page.goto(`http://127.0.0.1:${port}/?name=${encodeURIComponent(who)}`);
  check(`${who} is online`, await until(page, () => document.querySelector('#state').textContent === 'online' && document.querySelector('#price').textContent !== '…'));
  return page;
};
const write = async (page, text) => { await page.fill('#sum', text); await page.press('#sum', 'Enter'); };
const mine = (page, text) => until(page, t => document.querySelector('#mine li')?.innerText.replace(/\s+/g, ' ') === t, text);
const sideways = page => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

const redis = spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', 'build'], { stdio: 'ignore' });
await soon(async () => (await tellRedis(redisPort, 'PING'))[0] === '+PONG');
await serve('--redis', `redis://127.0.0.1:${redisPort}`, '--seconds', '3500', '--late', '600');
try {
  const a = await open('Ada'), b = await open('Grace', phone);
  check('it says where bids begin', await sees(a, '100.00') && await sees(b, 'Nobody has bid yet.'));
  check('both are watching', await until(a, () => document.querySelector('#people').innerText.replace(/\s+/g, ' ') === 'Ada (you) Grace') && await until(b, () => document.querySelector('#people-count').textContent === '2'));
  await a.click('#quick button');
  check('Ada leads', await mine(a, '100.00 accepted: it is the highest') && await sees(b, 'by Ada') && await sees(b, 'HIGHEST BID'));
  check('and cannot bid against herself', await a.isDisabled('#form .row button'));
  await write(b, '104.99');
  check('too little is not even sent', await b.evaluate(() => $('sum').validationMessage) === 'The least is 105.00.' && await b.evaluate(() => bids.length) === 0);
  await write(b, 'a lot');
  check('nor what is no sum', (await b.evaluate(() => $('sum').validationMessage)).startsWith('That is no sum'));
  check('sums are read as people write them', await b.evaluate(() => ['1 234,5', "1'000", '0.07', '12.345', '1e3', '-1', ''].map(readMoney).join()) === '123450,100000,7,NaN,NaN,NaN,NaN');
  await write(b, '110,50');
  check('Grace leads', await mine(b, '110.50 accepted: it is the highest') && await sees(a, 'by Grace') && await sees(b, 'by you'));
  check('Ada is told that she is outbid', await mine(a, '100.00 accepted, then outbid'));
  await a.evaluate(() => bidNow(11100));
  check('a bid that comes too late for its price is refused, and says why', await mine(a, '111.00 refused: somebody has bid more, or it is below the least bid'));
  const html = await open('<img src=x>"&');
  check('a name is no HTML', await sees(a, '<img src=x>"&') && await a.evaluate(() => !document.querySelector('img')));
  await html.context().close();
  check('who goes is no longer told', await until(a, () => !document.querySelector('#people').innerText.includes('img')));
  const wrong = await open('Late', phone, () => { const now = Date.now; Date.now = () => now() + 3600000; });
  const clocks = () => Promise.all([a, wrong].map(p => p.evaluate(() => { const [m, s] = $('clock').textContent.split(':').map(Number); return m * 60 + s; })));
  let right, other;
  const agree = async () => { [right, other] = await clocks(); return right > 0 && Math.abs(right - other) <= 1; };
  const clocked = await soon(agree);
  check(`the countdown is by the server's clock: ${right}, ${other}`, clocked);

  // a bid is on its way when the connection goes: it is said again, and counts once
  await a.evaluate(() => { bidNow(12000); lost(); });
  check('a bid whose answer was lost is said again', await mine(a, '120.00 accepted: it is the highest'));
  check('and counts once', await sees(b, 'by Ada') && await b.evaluate(() => book.bids.filter(bid => bid.cents === 12000).length) === 1);
  await b.evaluate(() => { const real = ask; ask = () => Promise.resolve({ event: 'unsure', data: { message: 'x' } }); bidNow(13000); ask = real; });
  check('one of which the server is not sure, too', await mine(b, '130.00 accepted: it is the highest'));
  await a.evaluate(() => heard.broker({ up: false }));
  check('when the book is out of reach the page says so, and takes no bids', await sees(a, 'out of reach') && await a.isDisabled('#quick button'));
  await a.evaluate(() => heard.broker({ up: true }));
  check('no phone has to scroll sideways', await sideways(b) <= 0 && await sideways(a) <= 0);

  await endsAt(redisPort, Date.now() + 300000);
  check('another end is told', await until(a, () => book.ends - Date.now() - offset < 310000) && await until(b, () => book.ends - Date.now() - offset < 310000));
  const putOff = await watched(b, 'A late bid has put off the end');
  await a.click('#quick button');
  check('a late bid puts it off', await putOff());
  await endsAt(redisPort, Date.now() + 10000);
  check('the end is near', await until(a, () => document.querySelector('#clock').className === 'soon'));
  check('Ada has won', await sees(a, 'It is yours, for 135.00.') && await mine(a, '135.00 accepted, and it has won'));
  check('the others are told so', await sees(b, 'Sold to Ada for 135.00.') && await sees(wrong, 'Sold to Ada for 135.00.') && await sees(b, 'closed'));
  check('and nobody can bid', await b.isHidden('#form'));
  await b.evaluate(() => bidNow(99900));
  check('not even who tries', await mine(b, '999.00 refused: the auction is over'));
  await b.screenshot({ path: 'build/auction-over.png', fullPage: true });
  await stop('SIGKILL');
  check('a server that is gone is missed', await sees(a, 'reconnecting'));
  await serve('--seconds', '3500');
  check('and one that comes anew is found, with its own book', await until(a, () => online && book.state === 'open' && book.n === 1));
  for (const page of [a, b, wrong]) await page.context().close();
  await stop();

  await serve('--redis', 'redis://127.0.0.1:1'); // where nobody is
  const lone = await (await browser.newContext(phone)).newPage();
  await lone.goto(`http://127.0.0.1:${port}/`);
  check('a name is asked for', await lone.waitForSelector('#who[open]').then(() => true, () => false));
  await lone.fill('#who-name', 'Ada');
  await lone.press('#who-name', 'Enter');
  check('a page is told that there is no book', await sees(lone, 'The book is out of reach'));
  await lone.evaluate(() => bidNow(10000));
  check('a bid waits then, and says why', await mine(lone, '100.00 The book is out of reach. It is said again.'));
  await lone.reload();
  check('and outlives its page', await mine(lone, '100.00 The book is out of reach. It is said again.'));
  await lone.context().close();
  await stop();

  // an auction to look at
  await serve('--seconds', '312', '--item', 'A brass telescope, about 1880', '--start', '12000');
  const pages = [await open('Ada'), await open('Grace', phone), await open('Katherine', { ...desktop, colorScheme: 'dark' }), await open('Dorothy'), await open('Lin')];
  const turns = [[1, 12000], [0, 12500], [3, 15000], [2, 16000], [0, 18000], [4, 19500], [1, 20000], [0, 21000], [3, 22500]];
  for (const [who, cents] of turns) { await pages[who].evaluate(c => bidNow(c), cents); await until(pages[who], c => book.price === c, cents); }
  await pages[0].evaluate(() => bidNow(22800));
  await mine(pages[0], '228.00 refused: somebody has bid more, or it is below the least bid');
  await pages[0].evaluate(() => bidNow(24000));
  for (const page of pages) check('all see the price', await sees(page, '240.00') && await sideways(page) <= 0);
  await pages[0].screenshot({ path: 'build/auction.png' });
  await pages[1].screenshot({ path: 'build/auction-phone.png', fullPage: true });
  await pages[2].screenshot({ path: 'build/auction-dark.png' });
  const policy = await fetch(`http://127.0.0.1:${port}/`).then(r => r.headers.get('content-security-policy'));
  check('scripts come from the server alone', policy === "default-src 'self'");
} finally {
  await browser.close();
  redis.kill('SIGKILL');
  if (server.exitCode === null && server.signalCode === null) await stop();
}
check('the server ends in order', server.exitCode === 0);
console.log(`auction: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
