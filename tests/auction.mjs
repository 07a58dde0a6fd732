// Proves what the head of examples/auction.c says. Many bidders on two servers bid at random and race with the end, while
// Redis is killed, a server is killed, or one is cut off from Redis, with its bids on the way: all are told the same winner,
// no confirmed bid is lost, none that was refused is in the book. Where Redis loses its memory nobody wins. One server alone
// judges as the script does. Needs node and redis-server.
import net from 'node:net';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { endsAt as putEnd, tellRedis as tell } from './auction_redis.mjs';
import { patience, sleep, until } from './wait.mjs';
let passed = 0, failed = 0;
const check = (what, ok, seen) => { ok ? passed++ : (failed++, console.log(`FAIL auction: ${what}${seen === undefined ? '' : `: ${JSON.stringify(seen)}`}`)); };
const REDIS = 18491, WALL = 18492, A = 18493, B = 18494;
const running = new Set();
process.on('exit', () => { for (const p of running) p.kill('SIGKILL'); });

function run(command, args) {
  const p = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, WSHUB_LOG: 'off' } });
  p.gone = new Promise(done => p.once('exit', done));
  running.add(p);
  p.once('exit', () => running.delete(p));
  p.said = '';
  p.stdout.on('data', d => { p.said += d; });
  return p;
}
const kill = async (p, signal = 'SIGKILL') => { p.kill(signal); return p.gone; };

async function redis(...more) {
  const p = run('redis-server', ['--port', String(REDIS), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...more]);
  await until(() => p.said.includes('Ready to accept'));
  return p;
}
const lasting = ['--appendonly', 'yes', '--appendfsync', 'always'];
let folder = ''; // where Redis keeps its file
const away = () => { if (folder) rmSync(folder, { recursive: true, force: true }); };
const emptyFolder = () => { away(); folder = mkdtempSync(join(tmpdir(), 'wshub-auction.')); };
process.on('exit', away);

const tellRedis = (...words) => tell(REDIS, ...words), endsAt = when => putEnd(REDIS, when);

const serve = async (port, ...more) => {
  const p = run('build/auction', [...more, String(port)]);
  await until(() => p.said.includes('http://'));
  return p;
};

// A wall between a server and Redis: open, cut (connections end, new ones too), or silent (what is said gets stuck, and so is
// what Redis answers).
const wall = { way: 'open', pairs: new Set(), bids: 0 };
net.createServer(inner => {
  if (wall.way === 'cut') return inner.destroy();
  const outer = net.connect(REDIS, '127.0.0.1'), pair = [inner, outer];
  wall.pairs.add(pair);
  const end = () => { inner.destroy(); outer.destroy(); wall.pairs.delete(pair); };
  for (const [from, to] of [[inner, outer], [outer, inner]]) {
    from.on('data', d => {
      if (from === inner) wall.bids += d.toString('latin1').split('\r\nbid\r\n').length - 1;
      if (wall.way === 'open' || (wall.way === 'no answers' && from === inner)) to.write(d);
    });
    from.on('close', end).on('error', end);
  }
}).listen(WALL, '127.0.0.1').unref();
const cut = () => { wall.way = 'cut'; for (const [inner] of wall.pairs) inner.destroy(); };

// ---- a client: a WebSocket of texts, which is all that is needed here ----

class Client {
  constructor(name, ports) { Object.assign(this, { name, ports, asked: 0, waiting: new Map(), books: [], inOrder: true, people: new Map(), heardOfPeople: 0, up: [] }); }
  // Comes to a server, the next one if this one is not there.
  async connect() {
    for (let i = 0; !(await this.once(this.ports[i % this.ports.length])); i++) await sleep(30);
  }
  once(port) {
    return new Promise(done => {
      const s = this.socket = net.connect(port, '127.0.0.1');
      let got = Buffer.alloc(0), upgraded = false;
      this.online = false;
      s.on('error', () => {});
      s.on('close', () => {
        this.online = false;
        for (const w of this.waiting.values()) w({ event: 'lost' });
        this.waiting.clear();
        done(false);
      });
      s.on('connect', () => s.write(`GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`));
      s.on('data', d => {
        got = Buffer.concat([got, d]);
        if (!upgraded) {
          const end = got.indexOf('\r\n\r\n');
          if (end < 0) return;
          upgraded = true;
          got = got.subarray(end + 4);
          this.send('authenticate', { name: this.name });
        }
        for (;;) {
          if (got.length < 2) return;
          const short = got[1] & 127, head = short < 126 ? 2 : short === 126 ? 4 : 10;
          if (got.length < head) return;
          const size = short < 126 ? short : short === 126 ? got.readUInt16BE(2) : Number(got.readBigUInt64BE(2));
          if (got.length < head + size) return;
          if ((got[0] & 15) === 1) this.heard(JSON.parse(got.toString('utf8', head, head + size)), done, port);
          got = got.subarray(head + size);
        }
      });
    });
  }
  heard(m, done, port) {
    if (m.event === 'connected') { this.online = this.anew = true; this.at = port; done(true); }
    if (m.event === 'book') { this.inOrder &&= !this.book || this.anew || m.data.n > this.book.n; this.anew = false; this.book = m.data; this.books.push(m.data); }
    if (m.event === 'people') { this.people.set(m.data.server, m.data); this.heardOfPeople++; }
    if (m.event === 'broker') this.up.push(m.data.up);
    const w = this.waiting.get(m.id);
    if (w) { this.waiting.delete(m.id); w(m); }
  }
  send(event, data, id) {
    const text = Buffer.from(JSON.stringify({ event, data, id }));
    const head = text.length < 126 ? Buffer.from([0x81, 0x80 | text.length]) : Buffer.from([0x81, 0xFE, text.length >> 8, text.length & 255]);
    this.socket.write(Buffer.concat([head, Buffer.alloc(4), text])); // masked with zeroes
  }
  ask(event, data) {
    return new Promise(resolve => {
      if (!this.online) return resolve({ event: 'lost' });
      const id = ++this.asked;
      this.waiting.set(id, resolve);
      this.send(event, data, id);
    });
  }
  bid(key, cents) { return this.ask('bid', { key, cents }).then(m => { m.when = Date.now(); return m; }); }
  says(key, cents) { return this.bid(key, cents).then(m => m.event === 'accepted' ? 'accepted' : m.data.code); }
  end() { this.over = true; this.socket.destroy(); }
}
const come = async (name, ...ports) => { const c = new Client(name, ports); await c.connect(); return c; };

// Bids at random until the auction is over, and says each bid again until it knows what has become of it.
async function bidder(c, fates) {
  for (let i = 0; !c.done; i++) {
    if (!c.online) { await c.connect(); continue; }
    await sleep(Math.random() * 30);
    if (!c.book) continue;
    const last = c.book.state !== 'open'; // one more, which must be too late
    const cents = c.book.least + [0, 0, 0, 500, 1000, -500][Math.floor(Math.random() * 6)], fate = { name: c.name, cents, key: `${c.name}-${i}`, unsure: 0, codes: [] };
    fates.push(fate);
    for (;;) {
      const m = await c.bid(fate.key, cents);
      fate.when = m.when;
      if (m.data) fate.codes.push(m.data.code);
      if (m.event === 'accepted' || m.event === 'refused') { fate.event = m.event; fate.code = m.data.code; break; }
      if (m.event === 'lost') { if (c.done) return; await c.connect(); }
      fate.unsure++;
      await sleep(50);
    }
    if (last) break;
  }
}
const agree = clients => { // no two have been told different books of one number
  const books = new Map();
  for (const c of clients) for (const b of c.books) {
    const text = JSON.stringify(b);
    if ((books.get(b.n) || text) !== text) return false;
    books.set(b.n, text);
  }
  return true;
};

// Waits until a server has looked at its clock, of clients that hear of this server alone: behind such a look it says who is
// watching, and what is heard twice is said once from now on.
const looked = clients => { const before = clients.map(c => c.heardOfPeople); return until(() => clients.every((c, i) => c.heardOfPeople >= before[i] + 2)); };

// What must come before the end has come behind it: this machine needs more time.
class TooSlow extends Error {}

// A crowd on two servers, things that go wrong meanwhile, and what must be true at the end. Nothing of it is measured by a
// clock: the auction lasts until the round says when it ends, behind what has to
// happen before. Where a round needs a moment before the end and has missed it, it is played again with more time.
async function race(what, trouble) {
  for (let time = 2000; ; time *= 4) {
    try { return await raced(what, trouble, time); } catch (e) { if (!(e instanceof TooSlow) || time > patience) throw e; }
    for (const p of running) await kill(p);
  }
}
async function raced(what, trouble, time, crowd = 24) {
  emptyFolder();
  wall.way = 'open';
  const round = { redis: await redis(...lasting) };
  const at = ['--redis', `redis://127.0.0.1:${REDIS}`], behind = ['--redis', `redis://127.0.0.1:${WALL}`];
  round.startB = () => serve(B, ...behind);
  round.a = await serve(A, ...at, '--late', '0', '--seconds', '86400', '--item', 'a "quoted" thing, 100 %s');
  round.b = await round.startB();
  const clients = round.clients = await Promise.all([...Array(crowd).keys()].map(i => come(`n${i}"\\<b>`, ...(i % 2 ? [B, A] : [A, B]))));
  await until(() => clients.every(c => c.book));
  const fates = round.fates = [], bidding = clients.map(c => bidder(c, fates));
  const confirmed = () => fates.filter(f => f.event === 'accepted').length;
  round.busy = async () => { const before = confirmed(); check(`${what}: there is bidding`, await until(() => confirmed() >= before + 10 && fates.some(f => f.code === 'low'))); };
  round.before = ends => {
    if (Date.now() < ends) return;
    for (const c of clients) { c.done = true; c.end(); }
    throw new TooSlow();
  };
  // All know an end that is near, and it has not come. Returns when it will.
  round.nearEnd = async () => {
    const ends = Date.now() + time;
    await endsAt(ends);
    if (!await until(() => clients.every(c => c.book.ends === ends || c.book.state === 'over'))) throw new Error('an end is not heard of');
    round.before(ends);
    return ends;
  };
  await round.busy();
  if (await trouble(round) !== 'ended') await endsAt(Date.now() + 300);
  check(`${what}: all bid until it is over`, await Promise.race([Promise.all(bidding).then(() => true), sleep(patience)]) === true);
  for (const c of clients) if (!c.online) await c.connect();
  check(`${what}: all are told that it is over`, await until(() => clients.every(c => c.book && c.book.state === 'over')), clients.map(c => c.book && c.book.state));
  const late = [await come('late a', A), await come('late b', B)];
  await until(() => late.every(c => c.book));
  // who comes late to a server that has just come back may be told what that one knew first
  const { winner, price, n } = clients[0].book, everybody = [...clients, ...late];
  const same = c => c.book.state === 'over' && c.book.winner === winner && c.book.price === price && c.book.n === n;
  check(`${what}: and the same winner and price`, await until(() => everybody.every(same)), everybody.map(c => [c.book.state, c.book.winner, c.book.price, c.book.n]));
  check(`${what}: each change was told alike to all`, agree(everybody));
  check(`${what}: each newer than the one before`, everybody.every(c => c.inOrder));
  const names = fates.map(f => f.event);
  check(`${what}: every bid has got an answer at last`, names.every(Boolean), names.filter(x => !x).length);
  const bids = (await tellRedis('LRANGE', 'auction:{1}:bids', '0', '-1')).map(b => JSON.parse(b));
  check(`${what}: bids rise, each by a step at least`, bids.length > 5 && bids.every((b, i) => b.cents >= (i ? bids[i - 1].cents + 500 : 10000)), bids.length);
  check(`${what}: the last one has won`, bids.length && bids.at(-1).name === winner && bids.at(-1).cents === price);
  const inBook = f => bids.filter(b => b.name === f.name && b.cents === f.cents).length;
  const accepted = fates.filter(f => f.event === 'accepted');
  check(`${what}: every confirmed bid is in the book, once`, accepted.every(f => inBook(f) === 1), accepted.filter(f => inBook(f) !== 1));
  check(`${what}: no confirmed bid is above the winner's`, accepted.every(f => f.cents <= price));
  const refused = fates.filter(f => f.event === 'refused' && inBook(f) > accepted.filter(g => g.name === f.name && g.cents === f.cents).length);
  check(`${what}: no bid that was refused is in the book`, refused.length === 0, refused);
  check(`${what}: the book has no bid that was not confirmed`, bids.length === accepted.length, [bids.length, accepted.length]);
  check(`${what}: some were too low, and some too late`, ['low', 'over'].every(code => fates.some(f => f.code === code)), [...new Set(fates.map(f => f.code))]);
  const wasUnsure = fates.filter(f => f.unsure).length;
  for (const c of everybody) { c.done = true; c.end(); }
  check(`${what}: the servers end in order`, await kill(round.a, 'SIGTERM') === 0 && await kill(round.b, 'SIGTERM') === 0);
  await kill(round.redis);
  return { bids: bids.length, unsure: wasUnsure };
}

// Bids of a server get stuck on their way, or their answers do, until the connection is cut, and is there again.
async function stuck(way, round) {
  const here = round.clients.filter((c, i) => i % 2), before = wall.bids;
  wall.way = way;
  check(`bids are on their way: ${way}`, await until(() => wall.bids >= before + 3));
  cut();
  check(`the cut is noticed: ${way}`, await until(() => here.every(c => c.up.at(-1) === false)));
  wall.way = 'open';
  check(`and its end: ${way}`, await until(() => here.every(c => c.up.at(-1) === true)));
}

const rounds = {
  async calm() { await race('a race with the end', async () => {}); },
  async broker() {
    const { unsure } = await race('Redis is killed', async round => {
      await kill(round.redis);
      check('the servers say that the book is out of reach', await until(() => round.clients.every(c => c.up.at(-1) === false)));
      const gone = Date.now(); // what had been answered came before that
      check('a bid is answered, and not taken, then', await until(() => round.clients.every(c => round.fates.some(f => f.name === c.name && f.codes.at(-1) === 'unreachable' && f.when >= gone))));
      const back = Date.now();
      check('and none is accepted', !round.fates.some(f => f.event === 'accepted' && f.when > gone && f.when < back));
      round.redis = await redis(...lasting);
      check('all are told that it is back', await until(() => round.clients.every(c => c.up.at(-1) === true)));
      check('bids are taken again', await until(() => round.fates.some(f => f.event === 'accepted' && f.when > back)));
    });
    check('some of the bids were on the way, and were said again', unsure > 0, unsure);
  },
  async brokerAtEnd() {
    await race('Redis is killed at the end', async round => {
      const ends = await round.nearEnd();
      const killed = kill(round.redis);
      round.before(ends);
      await killed;
      await sleep(ends - Date.now());
      await looked(round.clients);
      check('nobody names a winner while Redis is gone', round.clients.every(c => c.book.state === 'open'));
      round.redis = await redis(...lasting);
      return 'ended';
    });
  },
  async server() {
    await race('a server is killed', async round => {
      await kill(round.b);
      await until(() => round.clients.every(c => c.online && c.at === A));
      await round.busy();
      round.b = await round.startB();
    });
  },
  async lostAnswers() { // bids reach Redis, and their answers do not come back
    const { unsure } = await race('a server hears no answers', async round => {
      await stuck('no answers', round);
    });
    check('bids whose answer is lost are said again, and count once', unsure > 0, unsure);
  },
  async cutOff() { // over the end
    await race('a server is cut off at the end', async round => {
      const ends = await round.nearEnd();
      cut();
      round.before(ends);
      const there = round.clients.filter((c, i) => i % 2 === 0), here = round.clients.filter((c, i) => i % 2);
      check('the cut is noticed', await until(() => here.every(c => c.up.at(-1) === false)));
      const gone = Date.now();
      check('the other one ends the auction', await until(() => there.every(c => c.book.state === 'over')));
      await looked(here);
      check('the one that is cut off names nobody', here.every(c => c.book.state === 'open'), here.map(c => c.book.state));
      check('and takes no bid', !round.fates.some(f => f.event === 'accepted' && Number(f.name.slice(1, -5)) % 2 && f.when > gone));
      wall.way = 'open';
      return 'ended';
    });
  },
  async silent() { // the connection stands, and nothing passes
    await race('nothing passes between a server and Redis', round => stuck('silent', round));
  },
  async memory() { // Redis keeps nothing
    emptyFolder();
    let r = await redis();
    const at = ['--redis', `redis://127.0.0.1:${REDIS}`], a = await serve(A, ...at, '--seconds', '86400'), b = await serve(B, ...at);
    const ada = await come('Ada', A), lin = await come('Lin', B);
    await until(() => ada.book && lin.book);
    check('a book without bids is told', ada.book.state === 'open' && ada.book.winner === null && ada.book.bids.length === 0, ada.book);
    check('all are told who is at either server', await until(() => [ada, lin].every(c => [...c.people.values()].flatMap(p => p.names).sort().join() === 'Ada,Lin')));
    check('a bid is confirmed', await ada.says('1', 10000) === 'accepted' && await until(() => lin.book.winner === 'Ada'));
    await kill(r);
    await until(() => ada.up.at(-1) === false && lin.up.at(-1) === false);
    r = await redis();
    check('a book that has lost a bid is void, for all', await until(() => ada.book.state === 'void' && lin.book.state === 'void'), [ada.book, lin.book]);
    check('nobody wins', ada.book.winner === null && lin.book.winner === null);
    check('nobody can bid', await ada.says('1', 10000) === 'void' && await lin.says('2', 20000) === 'void');
    await kill(b, 'SIGTERM');
    const c = await serve(B, ...at, '--seconds', '86400'), late = await come('Eva', B);
    check('and nobody opens it anew', await until(() => late.book && late.book.state === 'void'), late.book);
    // a book whose last change is another than the one that was told, with as many changes
    await tellRedis('FLUSHALL');
    check('a book that was emptied meanwhile is void, too', await until(() => ada.book.n > late.books[0].n), ada.book);
    for (const x of [ada, lin, late]) x.end();
    await Promise.all([kill(a, 'SIGTERM'), kill(c, 'SIGTERM'), kill(r)]);
    r = await redis();
    const d = await serve(A, ...at, '--seconds', '86400', '--lot', 'two'), e = await serve(B, ...at, '--lot', 'two');
    const eva = await come('Eva', A), bea = await come('Bea', B);
    await until(() => eva.book && bea.book);
    check('another lot is another auction', await eva.says('1', 10000) === 'accepted' && await bea.says('1', 11000) === 'accepted');
    await tellRedis('HSET', 'auction:{two}:seen', String(bea.book.n), 'another.mark');
    check('a book in which that change is another one is void', await until(() => eva.book.state === 'void' && bea.book.state === 'void'), eva.book);
    for (const x of [eva, bea]) x.end();
    await Promise.all([kill(d, 'SIGTERM'), kill(e, 'SIGTERM'), kill(r)]);
  },
  async knowsLess() { // who declares it void is who knows less than another one
    emptyFolder();
    wall.way = 'open';
    let r = await redis();
    const a = await serve(A, '--redis', `redis://127.0.0.1:${REDIS}`, '--seconds', '86400'), b = await serve(B, '--redis', `redis://127.0.0.1:${WALL}`);
    const ada = await come('Ada', A), lin = await come('Lin', B);
    await until(() => ada.book && lin.book);
    cut();
    await until(() => lin.up.at(-1) === false);
    await ada.says('1', 10000);
    await ada.says('2', 20000);
    check('one server knows more than the other', ada.book.n === 3 && lin.book.n === 1, [ada.book.n, lin.book.n]);
    a.kill('SIGSTOP');
    await kill(r);
    r = await redis();
    wall.way = 'open';
    check('the one that knows less declares the book void', await until(() => lin.book.state === 'void'), lin.book);
    a.kill('SIGCONT');
    check('and the other one hears of it', await until(() => ada.book.state === 'void') && await until(() => lin.book.n === ada.book.n), [ada.book, lin.book]);
    for (const x of [ada, lin]) x.end();
    await Promise.all([kill(a, 'SIGTERM'), kill(b, 'SIGTERM'), kill(r)]);
  },
  async rules() { // the same words from a server alone and from the script
    // time: in seconds, what is left when a bid is late; what comes before has as long. Undefined: it took longer
    const play = async (time, ...more) => {
      const s = await serve(A, '--seconds', String(2 * time), '--late', String(time), ...more), ada = await come('Ada', A), lin = await come('Lin', A), heard = [];
      const slow = async () => { ada.end(); lin.end(); await kill(s); };
      await until(() => ada.book);
      const ends = ada.book.ends, say = async (c, key, cents) => heard.push(await c.says(key, cents));
      await say(ada, '1', 9999);
      await say(ada, '1', 10000);
      await say(ada, '1', 10000);
      await say(ada, '1', 10001);
      await say(ada, '2', 10499);
      await say(lin, '1', 10499);
      await say(lin, '1', 10500);
      await say(ada, '1', 10000);
      await say(lin, '2', 11000); // above her own, which is allowed
      for (const cents of [0, -1, 1.5, 1e15, '100', null, undefined]) await say(ada, '3', cents);
      for (const key of ['', 'x'.repeat(33), 7, 'a\nb', undefined]) await say(ada, key, 20000);
      heard.push((await ada.ask('dance', {})).data.code);
      heard.push((await ada.ask('bid', [])).data.code);
      heard.push(ada.book.ends === ends); // these were not late
      const clock = await ada.ask('clock');
      heard.push(clock.event, Math.abs(clock.data.now - Date.now()) < patience);
      if (Date.now() >= ends - 1000 * time) return slow();
      await until(() => [...ada.people.values()].some(p => p.count === 2));
      await sleep(ends - Date.now() - 1000 * time + 500);
      await say(ada, '4', 99999999999);
      if (Date.now() >= ends) return slow();
      heard.push(ada.book.ends > ends && ada.book.ends <= Date.now() + 1000 * time + 50);
      heard.push([...ada.people.values()].map(p => `${p.count}: ${[...p.names].sort()}`).join());
      await until(() => ada.book.state === 'over' && lin.book.state === 'over');
      heard.push(Date.now() > ada.book.ends - 50);
      await say(ada, '4', 99999999999);
      await say(lin, '5', 100000000000);
      heard.push(JSON.stringify({ ...ada.book, ends: 0, mark: '', bids: ada.book.bids.map(b => [b.name, b.cents]) }));
      check('a reply without an id comes as well', await new Promise(done => { const old = lin.heard; lin.heard = (m, ...more) => { if (m.event === 'refused') done(m.data.code === 'over'); old.call(lin, m, ...more); }; lin.send('bid', { key: '6', cents: 1 }); setTimeout(done, patience, false); }));
      for (const c of [ada, lin]) c.end();
      check('a server ends in order', await kill(s, 'SIGTERM') === 0);
      return heard;
    };
    const played = async (...more) => { for (let time = 3; ; time *= 3) { const heard = await play(time, ...more); if (heard || time > 60) return heard ?? []; emptyFolder(); if (more.length) { await kill(r); r = await redis(); } } };
    let r;
    const alone = await played();
    emptyFolder();
    r = await redis();
    const shared = await played('--redis', `redis://127.0.0.1:${REDIS}`);
    await kill(r);
    const want = ['low', 'accepted', 'accepted', 'reused', 'low', 'low', 'accepted', 'accepted', 'accepted', ...Array(7).fill('no_sum'), ...Array(5).fill('no_key'), 'unknown', 'no_key', true, 'clock', true, 'accepted', true, '2: Ada,Lin', true, 'accepted', 'over'];
    check('a server alone judges by the rules', JSON.stringify(alone.slice(0, -1)) === JSON.stringify(want), alone);
    check('and the script as it does', JSON.stringify(alone) === JSON.stringify(shared), shared);
  },
  async options() {
    const says = async (...args) => { const p = spawn('build/auction', args), out = []; p.stderr.on('data', d => out.push(d)); const status = await new Promise(done => p.once('close', done)); return `${status} ${out.join('')}`; };
    check('options are looked at', (await says('--what', 'x')).startsWith('2 usage') && (await says('--step', '0')).startsWith('2 usage') && (await says('70000')).startsWith('2 usage') && (await says('--page')).startsWith('2 usage'));
    check('a wrong address is explained', /^2 [^]*auction: .*redis:\/\//.test(await says('--redis', 'nonsense')));
    check('so is a page that is not there', /^1 auction: no page in nowhere: .*--page/.test(await says('--page', 'nowhere')));
  },
};
const only = process.argv.slice(2);
for (const [name, round] of Object.entries(rounds)) if (!only.length || only.includes(name)) await round();
console.log(`auction: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
