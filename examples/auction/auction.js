// The page of examples/auction.c, which says at its top what the two tell each other.
//
// A bid is a sum and a key, made up here. It is said until the server knows what has become of it: again when the
// connection is lost or the answer is `unsure`. The key is what keeps it from counting twice. Bids that are not settled
// outlive a reload of the window. Names get into the page as textContent, never as HTML.
'use strict';
const $ = id => document.getElementById(id);
const make = (tag, className, ...inside) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...inside);
  return element;
};
const ANSWER_MS = 6000, AGAIN_MS = 1000, SILENT_MS = 6000, MINE_MAX = 5;

const query = new URLSearchParams(location.search);
const kept = JSON.parse(sessionStorage.auction || '{}');
let name = query.get('name') || kept.name || '';
const bids = kept.name === name && kept.bids || []; // ours, the oldest first: {key, cents, state, why}; state: sent, accepted, refused
const people = new Map();                     // server -> {names, count, at}
let book = null;                              // as the server told it last
let anew = true;                              // the next book is the first of a connection: a server alone begins at 1 again
let up = true;                                // the server reaches the book
const keep = () => { sessionStorage.auction = JSON.stringify({ name, bids: bids.slice(-20) }); };

const money = cents => (cents / 100).toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
// `1234.5`, `1 234,50` -> cents; NaN: that is no sum. Not by parseFloat: money is no fraction.
function readMoney(text) {
  const parts = /^(\d{1,9})(?:[.,](\d{1,2}))?$/.exec(text.replace(/[\s'’]/g, ''));
  return parts ? Number(parts[1]) * 100 + Number((parts[2] || '').padEnd(2, '0')) : NaN;
}

// ---- the connection ----

let ws = null, online = false, tries = 0, retry, asked = 0;
const answers = new Map();                    // id -> who waits for the answer

// Says something and waits for its answer. A server that does not answer in time is taken for gone.
function ask(event, data) {
  return new Promise((resolve, reject) => {
    if (!online) return reject(new Error('offline'));
    const id = ++asked, clock = setTimeout(lost, ANSWER_MS);
    answers.set(id, { resolve, reject, clock });
    ws.send(JSON.stringify({ event, data, id }));
  });
}
function connect() {
  clearTimeout(retry);
  if (ws || !name) return;
  ws = new WebSocket(`ws${location.protocol.slice(4)}//${location.host}/ws`);
  ws.onopen = () => ws.send(JSON.stringify({ event: 'authenticate', data: { name } }));
  ws.onmessage = message => {
    const { event, data, id } = JSON.parse(message.data);
    if (heard[event]) heard[event](data);
    const answer = answers.get(id);
    if (!answer) return;
    clearTimeout(answer.clock);
    answers.delete(id);
    answer.resolve({ event, data });
  };
  ws.onclose = lost;
}
// The connection is gone. It is tried again ever more seldom, and by everybody at another moment.
function lost(end) {
  if (!ws) return;
  ws.onclose = ws.onmessage = ws.onopen = null;
  ws.close();
  ws = null;
  online = false;
  for (const answer of answers.values()) { clearTimeout(answer.clock); answer.reject(new Error('offline')); }
  answers.clear();
  if (end && end.code === 4003) { name = ''; askName('This name was not taken. Try another.'); }
  else retry = setTimeout(connect, Math.min(15000, 400 * 2 ** tries++) * (0.5 + Math.random() / 2));
  render();
}
setInterval(() => { if (ws && ws.readyState === 1) ws.send('{"event":"heartbeat"}'); }, 30000);
addEventListener('online', connect);
document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') connect(); });

const heard = {
  connected() {
    online = anew = true;
    tries = 0;
    measure();
    bids.filter(bid => bid.state === 'sent').forEach(say);
    render();
  },
  book(data) {
    if (book && data.n <= book.n && !anew) return;
    anew = false;
    const late = book && book.state === 'open' && data.state === 'open' && data.n === book.n + 1 && data.ends > book.ends;
    book = data;
    if (late) { $('late').hidden = false; setTimeout(() => { $('late').hidden = true; }, 4000); }
    render();
  },
  people({ server, names, count }) { people.set(server, { names, count, at: Date.now() }); showPeople(); },
  broker(data) { up = data.up; render(); },
};

// Each server tells of its own people every two seconds. One that is silent has gone, or we have lost it.
function showPeople() {
  for (const [server, { at }] of people) if (Date.now() - at > SILENT_MS) people.delete(server);
  const names = [...new Set([...people.values()].flatMap(there => there.names))].sort((a, b) => a.localeCompare(b)); // one may be at two
  const count = [...people.values()].reduce((sum, there) => sum + there.count - there.names.length, names.length);
  $('people').replaceChildren(...names.map(who => make('li', who === name ? 'you' : '', who === name ? `${who} (you)` : who)));
  $('people-count').textContent = count;
}
setInterval(showPeople, 1000);

// ---- the clock ----

// The server's clock is ours and `offset`. Of some questions the one that was answered fastest says it best: the server
// looked at its clock between question and answer, so it is off by half that time at most.
let offset = 0;
async function measure() {
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    const answer = await ask('clock').catch(() => null);
    if (!answer) return;
    const took = performance.now() - before;
    if (took < best) { best = took; offset = answer.data.now + took / 2 - Date.now(); }
    await new Promise(done => setTimeout(done, 200));
  }
}
setInterval(() => { if (online) measure(); }, 60000);

function showClock() {
  const rest = book ? book.ends - (Date.now() + offset) : 0, open = book && book.state === 'open';
  const s = Math.ceil(Math.max(0, rest) / 1000), two = n => String(n).padStart(2, '0');
  $('clock').textContent = !book ? '…' : !open ? 'closed' : rest <= 0 ? 'deciding' : `${s >= 3600 ? `${Math.floor(s / 3600)}:` : ''}${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  $('clock').className = open && rest < 15000 ? 'soon' : '';
}
setInterval(showClock, 200);

// ---- bids ----

// Says a bid until it is known what has become of it.
async function say(bid) {
  const answer = await ask('bid', { key: bid.key, cents: bid.cents }).catch(() => null);
  if (!answer) { bid.why = 'The connection is lost. It is said again.'; return render(); } // by connected()
  if (answer.event === 'unsure') {
    bid.why = answer.data.code === 'unreachable' ? 'The book is out of reach. It is said again.' : 'The book has not answered. It is said again.';
    setTimeout(() => { if (online) say(bid); }, AGAIN_MS);
  } else {
    bid.state = answer.event;
    bid.why = answer.data.message || '';
  }
  keep();
  render();
}
function bidNow(cents) {
  const bid = { key: [...crypto.getRandomValues(new Uint8Array(12))].map(b => b.toString(16).padStart(2, '0')).join(''), cents, state: 'sent', why: '' };
  bids.push(bid);
  keep();
  render();
  say(bid);
}
// What a bid of ours is now: a word for its colour, and a sentence.
function fate(bid) {
  if (bid.state === 'sent') return ['sent', bid.why || 'on its way'];
  if (bid.state === 'refused') return ['refused', `refused: ${bid.why}`];
  if (!book || book.state === 'void') return ['', 'accepted, but the auction is void'];
  if (book.winner === name && book.price === bid.cents) return ['leads', book.state === 'over' ? 'accepted, and it has won' : 'accepted: it is the highest'];
  return ['outbid', 'accepted, then outbid'];
}

// ---- what is seen ----

function showBook() {
  const open = book.state === 'open', you = book.winner === name, now = online && up && open;
  if (book.item) $('item').textContent = book.item;
  $('price-label').textContent = book.state === 'over' ? 'Sold for' : book.winner ? 'Highest bid' : 'Starts at';
  $('price').textContent = book.state === 'void' ? '–' : money(book.winner ? book.price : book.least);
  $('leader').textContent = !book.winner ? '' : you ? 'by you' : `by ${book.winner}`;
  $('leader').className = you ? 'you' : '';
  $('clock-label').textContent = open ? 'Ends in' : 'The auction is';
  $('form').hidden = !open;
  if (!open) $('late').hidden = true;
  $('label').textContent = you ? 'Nobody has bid more than you so far' : 'Your bid';
  for (const button of $('form').querySelectorAll('button')) button.disabled = !now || you;
  $('sum').placeholder = `${money(book.least)} or more`;
  $('quick').replaceChildren(...[0, 1, 4].map(steps => {
    const cents = book.least + steps * book.step, button = make('button', '', money(cents));
    button.type = 'button';
    button.disabled = !now || you;
    button.onclick = () => bidNow(cents);
    return button;
  }));
  const known = new Set([...$('bids').children].map(li => li.dataset.cents));
  $('bids').replaceChildren(...[...book.bids].reverse().map(bid => {
    const li = make('li', known.has(String(bid.cents)) || !known.size ? '' : 'fresh', make('span', '', bid.name === name ? `${bid.name} (you)` : bid.name), make('b', '', money(bid.cents)), make('time', '', new Date(bid.at).toLocaleTimeString()));
    li.dataset.cents = bid.cents;
    return li;
  }));
  $('bids-count').textContent = book.bids.length < 20 ? book.bids.length : 'the last 20';
  $('no-bids').hidden = book.bids.length > 0;
}
function showNote() {
  const state = book && book.state;
  const [className, text] = state === 'void' ? ['void', 'The auction is void: its book has lost bids that were confirmed. Nobody has won.']
    : state === 'over' && book.winner === name ? ['won', `It is yours, for ${money(book.price)}.`]
    : state === 'over' ? ['over', book.winner ? `Sold to ${book.winner} for ${money(book.price)}.` : 'It is over, and nobody has bid.']
    : online && !up ? ['', 'The book is out of reach. No bids are taken until it is back; what was accepted stays accepted.']
    : online && !book ? ['', 'No auction is open yet.'] : ['', ''];
  $('note').textContent = text;
  $('note').className = className;
  $('note').hidden = !text;
}
function render() {
  if (book) showBook();
  showNote();
  showClock();
  $('mine').replaceChildren(...bids.slice(-MINE_MAX).reverse().map(bid => {
    const [className, text] = fate(bid);
    return make('li', className, make('b', '', money(bid.cents)), make('span', '', text));
  }));
  $('state').textContent = online ? 'online' : book ? 'reconnecting' : 'connecting';
  $('state').className = online ? 'on' : '';
  $('me').textContent = name;
}
function askName(why) {
  if (why) $('who-why').textContent = why;
  if (!$('who').open) $('who').showModal();
}

$('form').onsubmit = event => {
  event.preventDefault();
  const cents = readMoney($('sum').value);
  $('sum').setCustomValidity(Number.isNaN(cents) ? 'That is no sum, such as 120 or 120.50.' : cents < book.least ? `The least is ${money(book.least)}.` : '');
  if (!$('sum').reportValidity()) return;
  $('sum').value = '';
  bidNow(cents);
};
$('sum').oninput = () => $('sum').setCustomValidity('');
$('who').oncancel = event => event.preventDefault();
$('who-form').onsubmit = () => {
  name = $('who-name').value.trim();
  if (!name) return askName();
  keep();
  connect();
};

render();
if (name) connect();
else askName();
