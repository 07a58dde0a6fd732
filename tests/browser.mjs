// Drives two browsers through the page of the README, served by its program from its folder (tests/readme.sh), through
// two rooms and a login, then through the chat: names and who is here, typing, history, unread lines, long texts; connections are cut and
// the server is killed, and no line is lost or doubled. Keeps screenshots (build/hello.png, two_rooms.png, login.png, cron.png, chat-*.png), which are
// the pictures of examples/README.md.
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { sees, until as soon, untilPage as until, watched } from './wait.mjs';
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
// No page of ours may throw, whatever is pressed and when.
const newContext = browser.newContext.bind(browser);
browser.newContext = async how => {
  const context = await newContext(how);
  context.on('weberror', it => check(`a page throws: ${it.error()}`, false));
  return context;
};
const write = async (page, text) => { await page.fill('#text', text); await page.press('#text', 'Enter'); };
// one picture of two windows, as they are now
const pictured = async (path, windows) => {
  const images = windows.map(png => `<img style="border:1px solid #999;margin:4px" src="data:image/png;base64,${png.toString('base64')}">`);
  const page = await (await browser.newContext({ viewport: { width: 840, height: 100 } })).newPage();
  await page.setContent(`<body style="margin:0;white-space:nowrap;font-size:0">${images.join('')}`);
  await page.screenshot({ path, fullPage: true });
  await page.context().close();
};

async function readme() {
  let server;
  const start = async () => {
    server = spawn('./main', { cwd: 'build/readme', stdio: ['ignore', 'ignore', 'inherit'] });
    server.on('exit', code => { if (code) console.log(`FAIL browser: the README's program ended with ${code}`); });
    await soon(() => fetch('http://127.0.0.1:8080/').then(r => r.ok, () => false)); // what it prints into a pipe comes when it ends
  };
  const end = () => new Promise(done => { server.once('exit', done); server.kill('SIGTERM'); });
  await start();
  const small = { viewport: { width: 400, height: 170 } };
  const a = await (await browser.newContext(small)).newPage();
  const b = await (await browser.newContext(small)).newPage();
  await a.goto('http://127.0.0.1:8080/');
  await b.goto('http://127.0.0.1:8080/');
  check('the page connects', await sees(a, 'connected') && await sees(b, 'connected'));
  await write(a, 'hello "b" <i>');
  check('both hear it', await sees(a, 'say "hello') && await sees(b, 'say "hello \\"b\\" <i>"'));
  await write(b, 'only me?');
  check('who asks is answered', await sees(b, 'only to me: only me?'));
  check('and nobody else', !(await a.evaluate(() => document.body.innerText.includes('only me'))));
  await pictured('build/hello.png', [await a.screenshot(), await b.screenshot()]);
  await end();
  for (const what of ['while away', 'while away?']) {
    await write(a, what);
    check('who writes while it is away is told, and keeps the text', await sees(a, 'not connected') && await a.inputValue('#text') === what);
  }
  await start();
  check('it comes back', await until(a, () => document.querySelector('#log').innerText.match(/^connected$/gm).length > 1));
  await write(a, 'again');
  check('and is in its room again', await sees(a, 'say "again"'));
  await a.close();
  await b.close();
  await end();
}
await readme();

// Who is in which room, and answers: examples/two_rooms.c.
async function twoRooms() {
  let server;
  const start = () => new Promise(done => {
    server = spawn('../build/two_rooms', [String(port + 2)], { cwd: 'examples', stdio: ['ignore', 'pipe', 'inherit'] });
    server.stdout.once('data', done);
  });
  const end = () => new Promise(done => { server.once('exit', done); server.kill('SIGTERM'); });
  const open = async name => {
    const page = await (await browser.newContext({ viewport: { width: 400, height: 250 } })).newPage();
    await page.goto(`http://127.0.0.1:${port + 2}/?name=${name}`);
    return page;
  };
  const text = page => page.evaluate(() => document.querySelector('#log').innerText);
  await start();
  const a = await open('Ada');
  check('who comes in is in the first room', await sees(a, 'In tea: Ada'));
  const b = await open('Grace');
  check('the others see it', await sees(a, 'Grace came in') && await sees(a, 'In tea: Ada, Grace'));
  await write(a, 'Tea, "two" <sugar>');
  check('what is said bears a name', await sees(b, 'Ada: Tea, "two" <sugar>') && await sees(a, 'Ada: Tea'));
  await b.click('[data-room=coffee]');
  check('who goes to the other room has left', await sees(a, 'Grace left') && await sees(b, 'In coffee: Grace'));
  await write(b, 'Black, please');
  await write(a, 'One more?');
  check('rooms are apart', await sees(b, 'Grace: Black, please') && await sees(a, 'Ada: One more?') && !(await text(a)).includes('Black') && !(await text(b)).includes('One more'));
  await a.click('#other');
  check('who asks is answered', await sees(a, 'in coffee: Grace') && !(await text(b)).includes('in coffee'));
  check('a question about a room that there is not is refused, not left open',
    await a.evaluate(() => ask('who', { room: 'nowhere' }).catch(String)) === 'refused: no such room');
  const long = await open('x'.repeat(43));
  check('who is refused does not come back', await sees(long, 'Reload the page') && await long.evaluate(() => tries) === 0);
  await long.close();
  await pictured('build/two_rooms.png', [await a.screenshot(), await b.screenshot()]);
  const came = name => document.querySelector('#log').innerText.split(`${name} came in`).length;
  const before = [await a.evaluate(came, 'Ada'), await b.evaluate(came, 'Grace')];
  const again = (page, name, n) => until(page, ([who, times]) => document.querySelector('#log').innerText.split(`${who} came in`).length > times, [name, n]);
  await end();
  await write(a, 'while away');
  check('who writes while it is away is told, and keeps the text', await sees(a, 'not connected') && await a.inputValue('#text') === 'while away');
  for (const button of ['#other', '[data-room=coffee]', '[data-room=tea]']) await a.click(button);
  await a.fill('#text', '');
  await start();
  check('both come back to where they were', await again(a, 'Ada', before[0]) && await again(b, 'Grace', before[1]));
  await b.context().close();
  check('who closes a window has left', await until(a, () => { document.querySelector('#other').click(); return document.querySelector('#log').innerText.includes('in coffee: nobody'); }));
  await a.context().close();
  await end();
}
await twoRooms();

// A form, its cookie, and a WebSocket that comes with it (AUTH-8): examples/login.c.
async function login() {
  const at = `http://127.0.0.1:${port + 1}/`;
  const server = spawn('build/login', [String(port + 1)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise(done => server.stdout.once('data', done));
  const small = { viewport: { width: 400, height: 250 } };
  const enter = async (page, name, password) => {
    await page.fill('[name=name]', name);
    await page.fill('[name=password]', password);
    await page.press('[name=password]', 'Enter');
  };
  const a = await (await browser.newContext(small)).newPage();
  const b = await (await browser.newContext(small)).newPage();
  await a.goto(at);
  await b.goto(at);
  check('who comes is asked', await sees(a, 'Who are you?'));
  const form = await a.screenshot();
  await enter(a, 'ada', 'hopper');
  check('a wrong password is told', await sees(a, 'No such name, or another password.'));
  await enter(a, 'ada', 'lovelace');
  await enter(b, 'grace', 'hopper');
  check('the WebSocket knows who it is', await sees(a, 'Hello ada') && await sees(b, 'Hello grace'));
  await write(a, 'I am Grace, <i>really</i>');
  check('what is said bears its name', await sees(b, 'ada: I am Grace, <i>really</i>'));
  await write(b, 'No, that is me.');
  check('and all hear it', await sees(a, 'grace: No, that is me.'));
  await pictured('build/login.png', [form, await a.screenshot()]);
  check('no script reads the cookie', await a.evaluate(() => document.cookie) === '');
  const again = await a.context().newPage();
  await again.goto(at);
  check('another window is in as well', await sees(again, 'Hello ada'));
  await again.click('text=Log out');
  check('whoever logs out does so in all windows', await sees(again, 'Who are you?') && await sees(a, 'Who are you?'));
  check('and nobody else does', await sees(b, 'Hello grace'));
  await a.context().close();
  await b.context().close();
  await new Promise(done => { server.once('exit', done); server.kill('SIGTERM'); });
}
await login();

// Jobs by the clock, made and changed in two windows: examples/cron.c.
async function cron() {
  const server = spawn('../build/cron', [String(port + 3)], { cwd: 'examples', stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise(done => server.stdout.once('data', done));
  const open = async () => {
    const page = await (await browser.newContext({ viewport: { width: 640, height: 620 } })).newPage();
    await page.goto(`http://127.0.0.1:${port + 3}/`);
    return page;
  };
  const make = async (page, expr, zone) => {
    await page.fill('#expr', expr);
    await page.fill('#zone', zone);
    await page.press('#zone', 'Enter');
  };
  const a = await open(), b = await open();
  await make(a, '30 9 * * 1-5', 'Asia/Tokyo');
  check('a job is made, and all see it in words', await sees(a, '0: at 09:30 on weekdays, Asia/Tokyo') && await sees(b, 'at 09:30 on weekdays, Asia/Tokyo'));
  check('with its next five runs in two zones', await b.evaluate(() => document.querySelectorAll('tr').length) === 5 && await sees(b, 'T09:30:00') && await sees(b, 'T00:30:00 UTC'));
  await make(b, '* * * * * *', 'Europe/Berlin');
  check('it runs, and all hear it', await sees(a, '1 ran at') && await sees(b, '1 ran at'));
  b.once('dialog', dialog => dialog.accept('0 0 29 2 *'));
  await b.click('.job:nth-of-type(2) >> text=change');
  check('it is changed', await sees(a, '1: at 00:00 on the 29th in February, Europe/Berlin'));
  await a.click('.job:nth-of-type(1) >> text=stop');
  check('it is stopped', await until(b, () => document.querySelectorAll('.stopped').length === 1));
  await b.click('.stopped >> text=fire');
  check('and fired all the same', await sees(a, '0 ran at'));
  await make(a, '0 25 * * *', 'UTC');
  check('what is wrong is said where it was written', await sees(a, 'Field value (25) is out of range') && !(await b.evaluate(() => document.body.innerText.includes('out of range'))));
  await a.screenshot({ path: 'build/cron.png' });
  await b.click('.job:nth-of-type(2) >> text=remove');
  check('it is removed', await until(a, () => document.querySelectorAll('.job').length === 1));
  check('the program ends in order', await new Promise(done => { server.once('exit', code => done(code === 0)); server.kill('SIGTERM'); }));
  await a.click('.job >> text=fire');
  await make(a, '* * * * * *', 'UTC');
  check('who presses a button then is told', await sees(a, 'not connected'));
  await a.context().close();
  await b.context().close();
}
await cron();

// The chat. Two windows and more; the server is killed and started again under them.
const light = { viewport: { width: 1100, height: 800 }, colorScheme: 'light' }, phone = { viewport: { width: 360, height: 740 }, colorScheme: 'light' };
const window = async (who, how = light, more = '') => {
  const page = await (await browser.newContext(how)).newPage();
  await page.goto(`http://127.0.0.1:${port}/?name=${who}${more}`);
  return page;
};
const count = (page, text) => page.evaluate(t => [...document.querySelectorAll('.text')].filter(e => e.textContent === t).length, text);
const people = (page, ...names) => until(page, n => [...document.querySelectorAll('#people .name')].map(e => e.textContent).join() === n, names.join());
const unread = (page, room, n) => until(page, ([r, n]) => (document.querySelector(`[data-room="${r}"] .badge`)?.textContent || '') === n, [room, n]);
const go = (page, room) => page.click(`#side [data-room="${room}"]`);
const sideways = page => page.evaluate(() => Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll('.log:not([hidden])')].map(e => e.scrollWidth)) - innerWidth);
await serve();
try {
  // who is here, and what is said
  const a = await window('Ada');
  check('Ada is online, in the lobby', await sees(a, 'online') && await people(a, 'Ada (you)'));
  const b = await window('Grace', phone);
  check('Ada sees Grace come', await sees(a, 'Grace came in') && await people(a, 'Ada (you)', 'Grace'));
  const b2 = await window('Grace');
  await sees(b2, 'online');
  await b2.context().close();
  check('a second window of Grace is no second Grace', await people(a, 'Ada (you)', 'Grace') && !(await a.evaluate(() => document.body.innerText.includes('left'))));
  await write(a, 'Hello, "quoted" & <b>not bold</b> — é ü 😀');
  check('Grace hears Ada, as text', await sees(b, 'Hello, "quoted" & <b>not bold</b> — é ü 😀') && await b.evaluate(() => !document.querySelector('.text b')));
  await write(b, 'Good morning, Ada.');
  check('Ada hears Grace', await sees(a, 'Good morning, Ada.'));
  check('and herself, once', await count(a, 'Hello, "quoted" & <b>not bold</b> — é ü 😀') === 1);

  // typing appears, ends with the line, and expires
  let typing = await watched(a, 'Grace is typing');
  await b.type('#text', 'Has anybody pulled');
  check('Grace is seen typing', await typing());
  check('not by herself', !(await b.evaluate(() => document.body.innerText.includes('is typing'))));
  await b.fill('#text', 'Has anybody pulled the cable yet?');
  await b.press('#text', 'Enter');
  check('her line ends that', await sees(a, 'pulled the cable') && await until(a, () => !document.querySelector('#typing').textContent));
  typing = await watched(a, 'Grace is typing');
  await b.type('#text', 'x');
  check('and silence, too', await typing() && await until(a, () => !document.querySelector('#typing').textContent));
  await b.fill('#text', '');

  // a room of their own; who comes late reads what was said; what is not read is counted
  await a.fill('#new-name', 'garden');
  await a.press('#new-name', 'Enter');
  check('Ada makes a room', await until(a, () => document.querySelector('#title').textContent === '# garden') && await people(a, 'Ada (you)'));
  await write(a, 'The roses want water.');
  await b.click('#menu');
  await go(b, 'garden');
  check('Grace finds it, and what was said there', await sees(b, 'The roses want water.') && await until(b, () => document.querySelector('#title').textContent === '# garden'));
  await go(a, 'lobby');
  await write(b, 'They have had some.');
  await write(b, 'And the beans?');
  check('Ada has two unread lines there', await unread(a, 'garden', '2') && await a.title() === '(2) wshub chat');
  check('and hears nothing of them here', await a.evaluate(() => !document.querySelector('#logs').innerText.includes('beans')));
  await a.reload();
  check('two still, when she loads the page anew', await unread(a, 'garden', '2') && await sees(a, 'pulled the cable'));
  await a.keyboard.press('Alt+ArrowDown');
  check('she reads them, by the keyboard', await sees(a, 'And the beans?') && await unread(a, 'garden', '') && await a.title() === 'wshub chat');
  check('they stand below a line', await a.evaluate(() => document.querySelector('.fresh').nextElementSibling.textContent.includes('have had some')));
  await a.click('#leave');
  check('Ada leaves, and Grace sees it', await sees(b, 'Ada left') && await people(b, 'Grace (you)'));
  await a.evaluate(() => choose('garden'));
  check('and comes again', await people(b, 'Ada', 'Grace (you)'));
  await a.evaluate(() => send('leave', { rooms: ['chat:garden'] }));
  check('who leaves by the hub\'s own word has left, too', await people(b, 'Grace (you)'));
  await a.evaluate(() => leave(current));
  await b.click('#menu');
  await b.keyboard.press('Escape');
  check('Escape closes the phone\'s list', await until(b, () => !document.body.classList.contains('menu-open')));
  await b.click('#menu');
  await go(b, 'lobby');

  // long texts
  await write(b, 'a'.repeat(300));
  check('a long word makes no phone scroll sideways', await sees(b, 'aaaa') && await sideways(b) <= 0 && await sideways(a) <= 0);
  await write(a, 'y'.repeat(2001));
  check('what is too long is refused, and its writer told', await sees(a, 'Not sent: that is too long (2,001 of at most 2,000 characters)'));
  await a.getByRole('button', { name: 'Edit' }).click();
  await a.fill('#text', 'y'.repeat(2000));
  await a.press('#text', 'Enter');
  await write(a, 'z'.repeat(2001));
  await a.getByRole('button', { name: 'Delete' }).click();
  check('or it goes away', await until(a, () => !document.querySelector('.failed') && ![...document.querySelectorAll('.text')].some(e => e.textContent.includes('zz'))));
  await a.evaluate(() => { current.log.scrollTop = 0; });
  await write(b, 'far below');
  check('who reads above is told of lines below', await until(a, () => !document.querySelector('#newer').hidden));
  await a.click('#newer');
  check('and gets there', await until(a, () => document.querySelector('#newer').hidden && atEnd(current.log)));
  check('what is just short enough arrives', await until(b, () => [...document.querySelectorAll('.text')].some(e => e.textContent === 'y'.repeat(2000))));
  check('and what was too long is nowhere', await a.evaluate(() => !document.querySelector('.failed')));

  // what no page of ours says is answered, too
  const refused = (event, data) => b.evaluate(([e, d]) => ask(e, d).then(answer => answer.event === 'refused' && answer.data.message), [event, data]);
  check('a room of another name than one is none', await refused('enter', { room: 'a\nb' }) === 'that is no name' && await refused('enter', {}) === 'there is no text in it');
  check('nor one with a long name', await refused('enter', { room: 'r'.repeat(25) }) === 'that is too long');
  check('one speaks where one is', await refused('say', { room: 'kitchen', id: 'k', text: 'k' }) === 'you are not in that room');
  check('a line has an id, and a text', await refused('say', { room: 'lobby', text: 'k' }) === 'there is no text in it' && await refused('say', { room: 'lobby', id: 'k', text: [] }) === 'there is no text in it');
  check('what means nothing is not taken', await refused('dance', {}) === 'nobody knows what that means');
  check('a connection that has said all that is there still', await sees(b, 'online'));

  // a connection is lost: nothing is lost with it, and nothing is doubled
  await b.evaluate(() => { lost(); clearTimeout(retry); });
  check('Grace is out', await sees(b, 'reconnecting'));
  for (const n of [1, 2, 3]) await write(a, `missed ${n}`);
  await write(b, 'written meanwhile');
  check('what she writes waits', await sees(b, '1 line waits'));
  await b.evaluate(() => connect());
  check('she gets what she missed', await sees(b, 'missed 3') && await sees(a, 'written meanwhile'));
  await write(a, 'after that');
  await sees(b, 'after that');
  const order = await b.evaluate(() => [...document.querySelectorAll('.log:not([hidden]) .text')].map(e => e.textContent).slice(-5).join());
  check(`each once and in order: ${order}`, order === 'missed 1,missed 2,missed 3,written meanwhile,after that');
  check('and nobody was told that something is missing', !(await b.evaluate(() => document.body.innerText.includes('may be missing'))));
  await b.evaluate(async () => { const line = { room: 'lobby', id: 'said-twice', text: 'said twice' }; await ask('say', line); await ask('say', line); });
  check('a line that is said twice comes once', await sees(a, 'said twice') && await count(a, 'said twice') === 1);
  await b.evaluate(() => { lost(); clearTimeout(retry); });
  await a.evaluate(async () => { for (let i = 0; i < 60; i++) await ask('say', { room: 'lobby', id: `many-${i}`, text: `many ${i}` }); });
  await b.evaluate(() => connect());
  check('of sixty lines fifty are kept, and the page says so', await sees(b, 'many 59') && await sees(b, 'may be missing') && await count(b, 'many 9') === 0 && await count(b, 'many 10') === 1);
  await b.evaluate(() => ask('say', { room: 'lobby', id: 'said-twice', text: 'said twice' }));
  await write(b, 'said once more');
  check('and it comes once after many others, too', await sees(a, 'said once more') && await count(a, 'said twice') === 1);

  await a.evaluate(() => choose('attic'));
  await until(a, () => document.querySelector('#title').textContent === '# attic');
  await a.evaluate(() => { lost(); clearTimeout(retry); });
  await b.evaluate(async () => { await enter('attic'); for (let i = 0; i < 51; i++) await ask('say', { room: 'attic', id: `attic-${i}`, text: `attic ${i}` }); leave(mine.get('attic')); });
  await a.evaluate(() => connect());
  check('who had heard nothing yet is told of a gap, too', await sees(a, 'attic 50') && await sees(a, 'may be missing'));
  await a.reload();
  check('who loads the page anew is not', await sees(a, 'attic 50') && !(await a.evaluate(() => document.body.innerText.includes('may be missing'))));
  await a.click('#leave');
  await a.evaluate(() => { lost(); clearTimeout(retry); });
  await write(a, 'kept in the window');
  await a.reload();
  check('what waits outlives its page', await sees(b, 'kept in the window') && await sees(a, 'kept in the window'));

  // names
  const e = await window('twenty-five letters are n');
  check('a name that is not taken is asked for again', await sees(e, 'This name was not taken') && await e.evaluate(() => document.querySelector('#who').open));
  await e.fill('#who-name', 'Alan');
  await e.press('#who-name', 'Enter');
  check('another one is taken', await sees(a, 'Alan came in'));
  await e.click('#rename');
  await e.fill('#who-name', 'Turing');
  await e.press('#who-name', 'Enter');
  check('a name can be changed', await people(a, 'Ada (you)', 'Grace', 'Turing') && await sees(e, 'Turing (you)'));
  await e.context().close();
  check('who goes is gone', await people(a, 'Ada (you)', 'Grace'));

  // rooms have an end
  const d = await window('Many', phone);
  await sees(d, 'online');
  const entered = room => d.evaluate(r => ask('enter', { room: r }).then(answer => answer.event), room);
  for (let i = 0; i < 30; i++) await entered(`r${i}`);
  check('there are at most so many rooms', await entered('one more') === 'refused');
  await d.evaluate(() => ask('exit', { room: 'r7' }));
  check('unless one is empty', await entered('one more') === 'entered' && await until(b, () => document.querySelector('[data-room="one more"]') && !document.querySelector('[data-room="r7"]') && document.querySelector('[data-room="r8"]')));
  await d.context().close();
  check('who goes leaves all rooms', await until(b, () => everyRoom.every(r => r.room[0] !== 'r' || r.people === 0)));

  // the server is killed
  const killed = new Promise(done => chat.once('exit', done));
  chat.kill('SIGKILL');
  await killed;
  check('both notice the end', await sees(a, 'reconnecting') && await sees(b, 'reconnecting'));
  await write(a, 'while it was dead, 1');
  await write(a, 'while it was dead, 2');
  check('two lines wait', await sees(a, '2 lines wait'));
  await serve();
  check('all are back by themselves', await sees(a, 'online') && await sees(b, 'online'));
  check('what was written meanwhile arrives', await sees(b, 'while it was dead, 2') && await sees(a, 'while it was dead, 2'));
  const c = await window('Lin');
  await sees(c, 'while it was dead, 2');
  for (const page of [a, b, c]) {
    const lines = await page.evaluate(() => [...document.querySelectorAll('.log:not([hidden]) .text')].map(e => e.textContent).filter(t => t.includes('it was dead')).join());
    check(`once, and in order: ${lines}`, lines === 'while it was dead, 1,while it was dead, 2');
  }
  check('Grace is told that the server may have forgotten some', await sees(b, 'may be missing'));
  check('she has kept what she had', await count(b, 'said once more') === 1);
  check('and is in both of her rooms', await b.evaluate(() => mine.size) === 2 && await people(b, 'Ada', 'Grace (you)', 'Lin'));
  await stop();
  check('who is asked to end says so', await sees(b, 'reconnecting'));
} finally {
  for (const context of browser.contexts()) await context.close();
  if (chat.exitCode === null && chat.signalCode === null) await stop();
}

// A chat to look at (build/chat-desktop.png, chat-phone.png are what examples/ shows), on a dark screen too; a name is asked for.
await serve();
try {
  const nobody = await (await browser.newContext(light)).newPage();
  await nobody.goto(`http://127.0.0.1:${port}/`);
  await nobody.waitForSelector('#who[open]');
  await nobody.fill('#who-name', 'Ada');
  await nobody.press('#who-name', 'Enter');
  check('who has said a name comes in', await sees(nobody, 'online'));
  const a = nobody, b = await window('Grace', phone), c = await window('Katherine', { ...light, colorScheme: 'dark' });
  for (const page of [a, b, c]) await sees(page, '3 here');
  const say = async (page, text) => { await write(page, text); for (const p of [a, b, c]) await until(p, t => [...document.querySelectorAll('.line[data-n] .text')].some(e => e.textContent === t), text); };
  await say(b, 'Has anybody pulled the cable yet?');
  await say(a, 'Just now. I wrote two lines meanwhile:');
  await say(a, 'they waited here, and went when the server was back. Once each.');
  await say(c, 'Each line has an id of its own, so the server takes it once, however often it is said. And a page that comes back names the last line it has.');
  await say(b, 'My phone was in the tunnel for a minute. Nothing is missing 😀');
  for (const page of [b, c]) {
    await page.evaluate(() => choose('workshop'));
    await until(page, () => document.querySelector('#title').textContent === '# workshop');
  }
  await a.evaluate(() => choose('workshop'));
  await until(a, () => document.querySelector('#title').textContent === '# workshop');
  await a.evaluate(() => choose('lobby'));
  await write(b, 'Who has the soldering iron?');
  await write(c, 'I have.');
  check('two lines are unread', await unread(a, 'workshop', '2'));
  await c.evaluate(() => choose('lobby'));
  await b.evaluate(() => choose('lobby'));
  await say(a, 'One frame, encoded once, for everybody in here.');
  const typing = await watched(a, 'Katherine is typing');
  await c.type('#text', 'And');
  check('Katherine is typing', await typing());
  await a.screenshot({ path: 'build/chat-desktop.png' });
  await b.screenshot({ path: 'build/chat-phone.png' });
  await c.screenshot({ path: 'build/chat-dark.png' });
  check('a phone shows it without scrolling sideways', await sideways(b) <= 0);
  const paper = page => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check('a dark screen has a dark page', await paper(a) !== await paper(c));
  const policy = await fetch(`http://127.0.0.1:${port}/`).then(r => r.headers.get('content-security-policy'));
  check('scripts come from the server alone', policy === "default-src 'self'");
} finally {
  await browser.close();
  await stop();
}
console.log(`browser: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
