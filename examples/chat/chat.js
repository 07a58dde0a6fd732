// The page of examples/chat.c, which says at its top what the two tell each other.
//
// Texts of others get into the page as textContent, never as HTML. Lines that are written while the server is out of reach
// wait in `outbox`, each with an id of its own, until the server has said that it has them.
'use strict';
const $ = id => document.getElementById(id);
const make = (tag, className, ...inside) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...inside);
  return element;
};
const LINES_MAX = 500, WAITING_MAX = 100, TYPING_MS = 4000, ANSWER_MS = 10000;

// What a reload of this window should find again. Windows have nothing in common: two of them may be two people.
const kept = JSON.parse(sessionStorage.chat || '{}');
const query = new URLSearchParams(location.search);
const outbox = kept.outbox || [];             // lines {room, id, text} that no server has taken yet, oldest first
const mine = new Map();                       // name -> the room, of those that this window is in
let name = query.get('name') || kept.name || '';
let current = null;                           // the room that is shown; null: none
let everyRoom = [];                           // {room, people} of all rooms, as the server tells them
let server = '', shared = false, textMax = 2000;

function keep() {
  const rooms = [...mine.values()].map(room => ({ name: room.name, server: room.server, read: room.read }));
  sessionStorage.chat = JSON.stringify({ name, outbox, rooms, current: current && current.name });
}

// ---- the connection ----

let ws = null, online = false, tries = 0, retry, asked = 0;
const answers = new Map();                    // id -> who waits for the answer

function send(event, data, id) { ws.send(JSON.stringify({ event, data, id })); }

// Says something and waits for its answer. Who does not answer in time is taken for gone.
function ask(event, data) {
  return new Promise((resolve, reject) => {
    if (!online) return reject(new Error('offline'));
    const id = ++asked, clock = setTimeout(lost, ANSWER_MS);
    answers.set(id, { resolve, reject, clock });
    send(event, data, id);
  });
}

function connect() {
  clearTimeout(retry);
  if (ws || !name) return;
  ws = new WebSocket(`ws${location.protocol.slice(4)}//${location.host}/ws`);
  ws.onopen = () => send('authenticate', { name });
  ws.onmessage = message => {
    const { event, data, id } = JSON.parse(message.data);
    if (heard[event]) heard[event](data);
    const answer = answers.get(id);
    if (!answer) return;
    clearTimeout(answer.clock);
    answers.delete(id);
    answer.resolve({ event, data });
  };
  ws.onclose = end => lost(end);
}

// The connection is gone. It is tried again ever more seldom, and by everybody at another moment: a server that is started
// anew must not get all its people back at once.
function lost(end) {
  if (!ws) return;
  ws.onclose = ws.onmessage = ws.onopen = null;
  ws.close();
  ws = null;
  online = false;
  for (const answer of answers.values()) { clearTimeout(answer.clock); answer.reject(new Error('offline')); }
  answers.clear();
  if (end && end.code === 4003) { name = ''; askName('This name was not taken. Try another.'); }
  else retry = setTimeout(connect, Math.min(20000, 500 * 2 ** tries++) * (0.5 + Math.random() / 2));
  showState();
}
setInterval(() => { if (ws && ws.readyState === 1) send('heartbeat'); }, 30000);
addEventListener('online', connect);

// What the server says.
const heard = {
  async connected() {
    online = true;
    tries = 0;
    try { // one after the other: what is missing of a room may be long
      for (const room of [...mine.values()]) await enter(room.name);
      if (!mine.size) await enter(query.get('room') || 'lobby');
      await flush();
    } catch { /* lost again: it is all done again */ }
    showState();
  },
  entered({ room: roomName, people, lines, gap, ...about }) {
    ({ server, shared, text_max: textMax } = about);
    const first = !mine.has(roomName), room = first ? addRoom(roomName) : mine.get(roomName);
    if (room.server !== server) Object.assign(room, { server, last: 0, read: 0 }); // numbers are each server's own
    room.entered = true;
    room.people = new Map(people.map(person => [person.id, person.name]));
    if (gap) note(room, 'You were away: some of what was said meanwhile may be missing here.', 'warn');
    for (const line of lines) heard.said(line);
    if (first) Object.assign(room, { read: room.last, unread: 0 }); // what was said before one came is old
    if (!current) show(room);
    else render();
  },
  said({ n, line }) {
    const room = mine.get(line.room);
    if (!room) return;
    room.last = Math.max(room.last, n);
    if (looking(room)) room.read = room.last;
    stopTyping(room, line.name);
    const known = room.lines.get(line.id);
    if (known && known.dataset.n) return;     // said by another server, too
    if (known) known.remove();                // our own, which waited below
    addLine(room, line, n);
    if (!looking(room) && line.name !== name && n > room.read) room.unread++;
    render();
  },
  came(data) { here(data, true); },
  went(data) { here(data, false); },
  typing({ room: roomName, name: who }) {
    const room = mine.get(roomName);
    if (!room) return;
    stopTyping(room, who);
    room.typing.set(who, setTimeout(stopTyping, TYPING_MS, room, who));
    showTyping();
  },
  rooms(data) { everyRoom = data; render(); },
  bus({ up, down_ms: ms }) {
    const text = up ? `The other servers are back after ${(ms / 1000).toFixed(1)} s; what was said there meanwhile may be missing.`
      : 'The other servers are out of reach. Here the chat goes on.';
    for (const room of mine.values()) note(room, text, 'warn');
  },
  error({ message }) { if (current) note(current, message, 'warn'); },
};

// ---- rooms ----

function addRoom(roomName) {
  const log = make('div', 'log');
  Object.assign(log, { hidden: true, tabIndex: 0, role: 'log', ariaLabel: `Lines in ${roomName}` });
  log.onscroll = () => { if (atEnd(log)) $('newer').hidden = true; };
  $('logs').append(log);
  const room = { name: roomName, log, lines: new Map(), people: new Map(), typing: new Map(), last: 0, read: 0, unread: 0, server: '', entered: false, draft: '' };
  mine.set(roomName, room);
  for (const line of outbox) if (line.room === roomName) addLine(room, { ...line, name, at: Date.now() });
  return room;
}

async function enter(roomName) {
  const room = mine.get(roomName);
  const answer = await ask('enter', { room: roomName, server: room && room.entered ? room.server : '', after: room ? room.last : 0 });
  if (answer.event === 'refused' && current) note(current, `# ${roomName}: ${answer.data.message}.`, 'warn');
  return answer.event === 'entered';
}
async function choose(roomName) {
  try {
    if (!mine.has(roomName) && !await enter(roomName)) return;
    show(mine.get(roomName));
    if (matchMedia('(hover: hover)').matches) $('text').focus(); // where that brings no keyboard over the room
  } catch { if (current) note(current, 'That has to wait until the server is back.'); }
}
function leave(room) {
  if (online) ask('exit', { room: room.name }).catch(() => {});
  mine.delete(room.name);
  room.log.remove();
  for (let i = outbox.length; i--;) if (outbox[i].room === room.name) outbox.splice(i, 1);
  show([...mine.values()][0] || null);
}

const looking = room => room === current && document.visibilityState === 'visible';
const atEnd = log => log.scrollHeight - log.scrollTop - log.clientHeight < 60;

function show(room) {
  if (current) { current.draft = $('text').value; current.log.hidden = true; current.log.querySelector('.fresh')?.remove(); }
  current = room;
  if (room) {
    const fresh = room.unread && [...room.lines.values()].filter(l => l.dataset.n && !l.classList.contains('mine')).slice(-room.unread)[0];
    if (fresh) fresh.before(make('div', 'fresh', 'new'));
    room.log.hidden = false;
    room.log.scrollTop = fresh ? fresh.offsetTop - 120 : room.log.scrollHeight;
    $('newer').hidden = atEnd(room.log);
    $('text').value = room.draft;
    seen();
  }
  fit();
  menu(false);
  render();
  showTyping();
}
function seen() {
  if (!current || !looking(current)) return;
  current.unread = 0;
  current.read = current.last;
}
document.addEventListener('visibilitychange', () => { seen(); render(); if (document.visibilityState === 'visible') connect(); });

// A person may be here with several windows, each of which has an id, and is here as long as one of them is.
const names = room => [...new Set(room.people.values())];
function here({ room: roomName, id, name: who }, came) {
  const room = mine.get(roomName);
  if (!room) return;
  const before = names(room).length;
  if (came) room.people.set(id, who); else room.people.delete(id);
  if (names(room).length === before) return;
  if (!came) stopTyping(room, who);
  const last = room.log.lastElementChild;     // who goes and comes back at once takes one line
  if (last && last.dataset.who === who) last.remove();
  note(room, came ? `${who} came in` : `${who} left`).dataset.who = who;
  render();
}

// ---- lines ----

function hue(text) {
  const hues = [350, 185, 215, 28, 265, 140, 8, 320, 165];
  let sum = 3;
  for (const c of text) sum = (sum * 17 + c.codePointAt(0)) % 9973;
  return hues[sum % hues.length];
}
function face(who) {
  const element = make('span', 'face', [...who.trim()].slice(0, 1).join('').toUpperCase());
  element.style.setProperty('--hue', hue(who));
  element.ariaHidden = 'true';
  return element;
}

// Puts something into a room's log, and keeps its end in view if that was in view.
function place(room, element, before) {
  const follow = room.log.hidden || atEnd(room.log);
  room.log.insertBefore(element, before || null);
  if (follow) room.log.scrollTop = room.log.scrollHeight;
  else if (room === current && !element.classList.contains('note')) $('newer').hidden = false;
  return element;
}
function note(room, text, kind = '') { return place(room, make('p', `note ${kind}`, text), firstWaiting(room)); }
const firstWaiting = room => room.log.querySelector('.line:not([data-n])');

// n: its number on the server; none: it has yet to get there, and waits below all others.
function addLine(room, line, n) {
  const who = make('b', '', line.name), time = make('time', '', new Date(line.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  const text = make('div', 'text', line.text);
  text.dir = who.dir = 'auto';
  const element = make('div', `line${line.name === name ? ' mine' : ''}`, face(line.name), make('div', 'by', who, time), text);
  element.style.setProperty('--hue', hue(line.name));
  Object.assign(element.dataset, { by: line.name, at: line.at });
  if (n) element.dataset.n = n;
  else element.classList.add('pending');
  room.lines.delete(line.id);
  room.lines.set(line.id, element);
  place(room, element, n ? firstWaiting(room) : null);
  group(element.previousElementSibling);
  group(element);
  group(element.nextElementSibling);
  if (room.lines.size > LINES_MAX) {
    const [oldest, first] = room.lines.entries().next().value;
    if (first.dataset.n) { first.remove(); room.lines.delete(oldest); }
  }
  return element;
}
// Lines of one person within five minutes stand together, under one name and above one face.
function group(element) {
  if (!element || !element.classList.contains('line')) return;
  const together = (a, b) => a && b && a.dataset.by === b.dataset.by && b.dataset.at - a.dataset.at < 300000;
  element.classList.toggle('same', !!together(element.previousElementSibling, element));
  element.classList.toggle('more', !!together(element, element.nextElementSibling));
}

// Says what waits, line after line: so they keep their order. A line goes out of the box when the server has answered, so
// that one whose answer is lost with the connection is said again; the server knows it by its id.
let flushing = false;
async function flush() {
  if (flushing) return;
  flushing = true;
  try {
    while (online && outbox.length) {
      const line = outbox[0], { event, data } = await ask('say', line);
      const at = outbox.indexOf(line);
      if (at >= 0) outbox.splice(at, 1);
      const room = mine.get(line.room), element = room && room.lines.get(line.id);
      if (element && event === 'refused') failed(room, element, line, data.message);
      else if (element) element.classList.remove('pending');
      keep();
    }
  } catch { /* lost: the rest waits */ }
  flushing = false;
  showState();
}
function failed(room, element, line, message) {
  const edit = make('button', '', 'Edit'), remove = make('button', '', 'Delete');
  element.classList.add('failed');
  const size = line.text.length > textMax ? ` (${line.text.length.toLocaleString()} of at most ${textMax.toLocaleString()} characters)` : '';
  element.append(make('div', 'why', `Not sent: ${message}${size}.`, edit, remove));
  edit.type = remove.type = 'button';
  remove.onclick = () => { room.lines.delete(line.id); element.remove(); $('text').focus(); };
  edit.onclick = () => { remove.onclick(); $('text').value = line.text; fit(); };
  if (room === current) room.log.scrollTop = room.log.scrollHeight;
}

// ---- what is seen ----

function roomButton(roomName, people) {
  const room = mine.get(roomName);
  const button = make('button', room && room.unread ? 'unread' : '', make('span', 'name', `# ${roomName}`));
  button.type = 'button';
  button.dataset.room = roomName;
  if (room === current) button.ariaCurrent = 'page';
  if (room && room.unread) button.append(badge(room.unread, 'unread'));
  else if (people) button.append(make('span', 'many', String(people)));
  button.title = `${roomName}: ${people} here`;
  button.onclick = () => choose(roomName);
  return make('li', '', button);
}
function badge(count, what) {
  const element = make('span', 'badge', count > 99 ? '99+' : String(count));
  element.ariaLabel = `${count} ${what}`;
  return element;
}
function render() {
  const focused = document.activeElement && document.activeElement.dataset.room; // the buttons are made anew
  const people = current ? names(current).sort((a, b) => a.localeCompare(b)) : [];
  const unread = [...mine.values()].reduce((sum, room) => sum + room.unread, 0);
  const others = everyRoom.filter(r => !mine.has(r.room));
  $('mine').replaceChildren(...[...mine.keys()].map(r => roomButton(r, names(mine.get(r)).length)));
  $('others').replaceChildren(...others.map(r => roomButton(r.room, r.people)));
  $('others-title').hidden = !others.length;
  $('people').replaceChildren(...people.map(who => make('li', '', face(who), make('span', 'name', who === name ? `${who} (you)` : who))));
  $('shared').hidden = !shared;
  $('title').textContent = current ? `# ${current.name}` : 'No room';
  $('count').textContent = current ? `${people.length} here` : 'Choose one, or make one.';
  $('leave').hidden = !current;
  $('text').disabled = $('form').querySelector('button').disabled = !current;
  $('me').textContent = name;
  $('menu-unread').hidden = !unread;
  $('menu-unread').textContent = unread > 99 ? '99+' : unread;
  document.title = unread ? `(${unread}) wshub chat` : 'wshub chat';
  if (focused) document.querySelector(`#side [data-room="${CSS.escape(focused)}"]`)?.focus();
  keep();
}
function showState() {
  const waits = outbox.length && !online ? `, ${outbox.length} ${outbox.length === 1 ? 'line waits' : 'lines wait'}` : '';
  $('state').textContent = online ? 'online' : `${server ? 'reconnecting' : 'connecting'}${waits}`;
  $('state').className = online ? 'on' : '';
}
function stopTyping(room, who) {
  clearTimeout(room.typing.get(who));
  room.typing.delete(who);
  showTyping();
}
function showTyping() {
  const who = current ? [...current.typing.keys()] : [];
  $('typing').textContent = !who.length ? '' : who.length === 1 ? `${who[0]} is typing …`
    : who.length === 2 ? `${who[0]} and ${who[1]} are typing …` : 'Several people are typing …';
}
// The field grows with its text. How long that is, is said when it matters.
function fit() {
  const text = $('text'), length = text.value.trim().length;
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + 2}px`;
  $('length').hidden = length < textMax * 0.8;
  $('length').textContent = `${length.toLocaleString()} / ${textMax.toLocaleString()}`;
  $('length').className = length > textMax ? 'over' : '';
}
function menu(open) {
  document.body.classList.toggle('menu-open', open);
  $('menu').ariaExpanded = String(open);
  $('shade').hidden = !open;
}
function askName(why) {
  if (why) $('who-why').textContent = why;
  $('who-name').value = name;
  if (!$('who').open) $('who').showModal();
}

// ---- what one does ----

let toldTyping = 0;
$('text').oninput = () => {
  fit();
  if (!online || !current || !$('text').value.trim() || Date.now() - toldTyping < TYPING_MS / 2) return;
  toldTyping = Date.now();
  send('typing', { room: current.name });
};
$('form').onsubmit = event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || !current) return;
  if (outbox.length >= WAITING_MAX) return note(current, `${WAITING_MAX} lines wait already. This one stays below.`, 'warn');
  const line = { room: current.name, id: [...crypto.getRandomValues(new Uint8Array(15))].map(b => b.toString(16).padStart(2, '0')).join(''), text };
  outbox.push(line);
  addLine(current, { ...line, name, at: Date.now() });
  current.log.scrollTop = current.log.scrollHeight;
  $('text').value = '';
  toldTyping = 0;
  fit();
  keep();
  showState();
  flush();
};
$('text').onkeydown = event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('form').requestSubmit();
};
$('new-room').onsubmit = event => {
  event.preventDefault();
  const roomName = $('new-name').value.trim();
  $('new-name').value = '';
  if (roomName) choose(roomName);
};
$('leave').onclick = () => leave(current);
$('newer').onclick = () => { current.log.scrollTop = current.log.scrollHeight; $('text').focus(); };
$('menu').onclick = () => { menu(true); $('side').querySelector('button').focus(); };
$('shade').onclick = () => menu(false);
$('rename').onclick = () => askName();
$('who').oncancel = event => { if (!name) event.preventDefault(); };
$('who-form').onsubmit = () => {
  const chosen = $('who-name').value.trim();
  if (!chosen) return askName();
  if (chosen === name) return;
  name = chosen;
  keep();
  lost();                                     // and in again, under the new name
  connect();
};
document.onkeydown = event => {
  if (event.key === 'Escape' && document.body.classList.contains('menu-open')) { menu(false); $('menu').focus(); }
  if (!event.altKey || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') || !mine.size) return;
  const rooms = [...mine.values()], step = event.key === 'ArrowUp' ? rooms.length - 1 : 1;
  event.preventDefault();
  show(rooms[(rooms.indexOf(current) + step) % rooms.length]);
};

for (const { name: roomName, server: of, read } of kept.rooms || []) Object.assign(addRoom(roomName), { server: of, read });
if (mine.size) show(mine.get(kept.current) || [...mine.values()][0]);
render();
showState();
if (name) connect();
else askName();
