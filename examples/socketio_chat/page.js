// The page of examples/socketio_chat.c, which says at its top what the two tell each other. `io` is the client of Socket.IO,
// as npm has it: it connects by polling, moves to a WebSocket, and comes back by itself.
'use strict';
const $ = id => document.getElementById(id);
const TYPING_MS = 1500, ANSWER_MS = 8000, LINES_MAX = 500;
let name = new URLSearchParams(location.search).get('name') || '';
let socket = null, inside = false, typingTimer = 0;
const typists = new Set();

// ---- what is seen ----

// Texts of others get into the page as textContent, never as HTML.
function line(className, ...parts) {
  const item = document.createElement('li');
  const below = $('log').scrollHeight - $('log').scrollTop - $('log').clientHeight < 60;
  item.className = className;
  item.append(...parts);
  $('log').append(item);
  while ($('log').children.length > LINES_MAX) $('log').firstChild.remove();
  if (below) $('log').scrollTop = $('log').scrollHeight;
  return item;
}
const note = text => line('note', text);
function said(who, text, className = '') {
  const by = document.createElement('b');
  by.textContent = who;
  by.style.setProperty('--hue', [...who].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 360, 7));
  return line(className, by, text);
}
function count(people) { $('people').textContent = people === 1 ? 'nobody but you' : `${people} people`; }
function state(text) {
  $('state').textContent = text;
  $('state').className = socket.connected ? 'on' : '';
}
function showTypists() {
  const names = [...typists];
  $('typing').textContent = names.length === 0 ? '' : names.length > 2 ? 'several people are typing …'
    : `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing …`;
}
function show(entered) {
  $('enter').hidden = entered;
  for (const id of ['log', 'typing', 'say']) $(id).hidden = !entered;
  (entered ? $('text') : $('name')).focus();
}

// ---- what is said ----

// Says something, and is told whether it was taken: null, or what is wrong.
function ask(event, argument, then) {
  socket.timeout(ANSWER_MS).emit(event, argument, (late, wrong) => then(late ? 'the server has not answered' : wrong));
}
function enter() {
  ask('add user', name, wrong => {
    if (!wrong) return;
    $('why').textContent = `Not so: ${wrong}.`;
    $('enter').className = 'refused';
    name = '';
    inside = false;
    show(false);
  });
}
function say(text) {
  const mine = said(name, text, 'mine');
  ask('new message', text, wrong => {
    if (!wrong) return;
    mine.className = 'failed';
    mine.append(` (not sent: ${wrong})`);
  });
}
function stopTyping() {
  if (!typingTimer) return;
  clearTimeout(typingTimer);
  typingTimer = 0;
  socket.volatile.emit('stop typing');
}

// ---- what is heard ----

function listen() {
  socket.on('connect', () => {
    state('online');
    socket.io.engine.once('upgrade', () => { $('state').title = 'over a WebSocket'; });
    if (name) enter();
  });
  socket.on('disconnect', () => {
    state('connecting');
    typists.clear();
    showTypists();
    if (inside) note('the connection is lost; it comes back by itself');
  });
  socket.on('login', ({ numUsers }) => {
    note(inside ? 'here again' : `Welcome, ${name}`);
    inside = true;
    count(numUsers);
    show(true);
  });
  socket.on('user joined', ({ username, numUsers }) => { note(`${username} came in`); count(numUsers); });
  socket.on('user left', ({ username, numUsers }) => {
    note(`${username} left`);
    count(numUsers);
    typists.delete(username);
    showTypists();
  });
  socket.on('new message', ({ username, message }) => {
    typists.delete(username);
    showTypists();
    said(username, message);
  });
  socket.on('typing', ({ username }) => { typists.add(username); showTypists(); });
  socket.on('stop typing', ({ username }) => { typists.delete(username); showTypists(); });
}

$('enter').onsubmit = event => {
  event.preventDefault();
  name = $('name').value.trim();
  if (name && socket.connected) enter(); // else it does so when it connects
};
$('say').onsubmit = event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!socket.connected) return note('there is no connection at the moment');
  stopTyping();
  if (text) say(text);
  $('text').value = '';
};
$('text').oninput = () => {
  if (!typingTimer) socket.volatile.emit('typing');
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_MS);
};

if (typeof io === 'undefined') {
  $('missing').hidden = false;
  $('state').hidden = true;
} else {
  socket = io();
  listen();
  if (!name) show(false);
}
