// The house's order, from the compiler's own index: a room of wshub.h calls only the rooms above it in the file, and the
// lower storey knows nothing of the upper one (DESIGN 2, 10). Started by tests/rooms.sh.
// node rooms.mjs AST.json wshub.h [--calls] [--lines] [--rooms]
//   --calls   the table of calls between rooms: who is called from each room, and how often
//   --lines   each call that goes against the order, with the line of the call and that of the function called
//   --rooms   lines and functions of each room
import fs from 'node:fs';
import readline from 'node:readline';

// The rooms that stand in the lower storey: streams, and the ground under both. A server of HTTP and WebSocket is made of
// these alone. In them nothing may name a member that stands behind the line ABOVE in its struct (struct wshub has one, others
// may), nor a type of UPPER_TYPES, nor a type that a room of the upper storey declares. The room >>hub declares the objects of
// both storeys: there only the functions are looked at.
const LOWER = `mem atomic buf utf8 explain sha1 base64 dates siphash address json http http-hand forwarded frame slots index
    deadlines hub log queue mount conn reply exchange message due link flow sockets forward app-timers`.split(/\s+/);
const ABOVE = '/* ---- above: the hub ---- */';
// wshub_client is not among these: a log line has the handle of whom it is about, and below that is nobody; to whoever has
// one, nothing below can be done with it.
const UPPER_TYPES = `wshub_ask wshub_identity wshub_auth wshub_dest wshub_msg wshub_bus wshub_bus_owner
    wshub__client wshub__group wshub__member wshub__ask wshub__extra wshub__xform wshub__chan wshub__chans wshub__pub
    wshub__outbox wshub__uplink wshub__words wshub__walk wshub__fan wshub__dialect wshub__envelope
    wshub__groups wshub__realm wshub__speaker wshub_realm wshub_session`.split(/\s+/);

// Private functions that are declared before they are defined, each with its reason.
const DECLARED_AHEAD = {
};

// Calls that go to a room further down still, `caller callee` a line: to go, and none is to come.
const ALLOWED = `
`.trim().split('\n').filter(Boolean);

// What functions of the lower storey name of the upper one still, `function: what` a line: to go, and none is to come.
const ALLOWED_NAMES = `
`.trim().split('\n').filter(Boolean);

const [astFile, header, ...options] = process.argv.slice(2);
const text = fs.readFileSync(header, 'latin1'); // an offset is then a count of bytes, as it is the compiler's
const lineStarts = [0];
for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lineStarts.push(i + 1);

function lineOf(offset) {
    let low = 0, high = lineStarts.length;
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (lineStarts[middle] <= offset) low = middle; else high = middle;
    }
    return low + 1;
}

const rooms = []; // in the order of the file: {name, from, to} in lines
for (const m of text.matchAll(/^\/\* ---- >>([a-z0-9-]+)/gm)) rooms.push({ name: m[1], from: lineOf(m.index), functions: [] });
rooms.forEach((room, i) => { room.to = i + 1 < rooms.length ? rooms[i + 1].from - 1 : lineStarts.length; room.place = i; });
const implemented = lineOf(text.indexOf('\n * THE ROOMS: from here on')); // what stands before it is public, and no room
const roomAt = line => rooms.findLast(room => room.from <= line);
const roomNamed = name => rooms.find(room => room.name === name);

// What the compiler says. It names a file only where that differs from the place that it named before, so every place is
// looked at, in the order in which it was written. The index is read declaration by declaration: whole it is large.
const functions = new Map(); // name -> {room, from, to}, of those that have a body here
const ahead = [];            // {name, line}: private, static, no body
const calls = [];            // {caller, callee, line}; caller: a function's name
const taken = [];            // the same for functions that are named, but not called: they go into a pointer
const members = new Map();   // id of a struct's member -> {struct, name, line}
const names = [];            // {caller, line, type or member}: types and members that are named
const typesHere = new Map(); // type declared in the header -> line
let file = '';

function place(loc) { // {offset} in the header, or null; a macro's text counts where the macro is used
    let found = null;
    if (!loc) return null;
    for (const at of [loc.spellingLoc, loc.expansionLoc, loc.spellingLoc || loc.expansionLoc ? null : loc]) {
        if (!at || at.offset === undefined) continue;
        if (at.file) file = at.file;
        found = file.endsWith(header) ? at.offset : null;
    }
    return found;
}

const typeWords = type => (type ? `${type.qualType} ${type.desugaredQualType ?? ''}`.match(/\bwshub_\w+/g) ?? [] : []);

function called(node) { // the function that a call names, if it names one
    let f = node.inner[0];
    while (['ImplicitCastExpr', 'ParenExpr'].includes(f.kind)) f = f.inner[0];
    return f.kind === 'DeclRefExpr' && f.referencedDecl.kind === 'FunctionDecl' ? f : null;
}

function walk(node, owner, line, callees, parent) {
    const own = place(node.loc), begin = place(node.range?.begin);
    place(node.range?.end);
    const offset = own ?? begin;
    if (offset !== null) line = lineOf(offset);

    if (node.kind === 'RecordDecl' && node.completeDefinition && node.name) {
        typesHere.set(node.name, line);
        owner = 'struct ' + node.name;
    } else if (node.kind === 'EnumDecl' && node.name) {
        typesHere.set(node.name, line);
    } else if (node.kind === 'FieldDecl' && parent?.kind === 'RecordDecl' && parent.name) {
        members.set(node.id, { struct: parent.name, name: node.name, line });
    }

    if (node.kind === 'CallExpr') {
        const f = called(node);
        if (f) {
            callees.add(f);
            calls.push({ caller: owner, callee: f.referencedDecl.name, line });
        }
    } else if (node.kind === 'DeclRefExpr' && node.referencedDecl.kind === 'FunctionDecl' && !callees.has(node)) {
        taken.push({ caller: owner, callee: node.referencedDecl.name, line });
    } else if (node.kind === 'MemberExpr') {
        names.push({ caller: owner, line, member: node.referencedMemberDecl });
    }
    for (const word of new Set([...typeWords(node.type), ...typeWords(node.argType)])) names.push({ caller: owner, line, type: word });

    for (const child of node.inner ?? []) if (child.kind) walk(child, owner, line, callees, node);
}

function declaration(node) {
    const named = node.name && (node.kind === 'FunctionDecl' || node.kind === 'VarDecl') ? node.name : '';
    const before = file;
    const own = place(node.loc), from = place(node.range?.begin), to = place(node.range?.end);
    file = before; // walk() goes over these places once more
    if (node.kind === 'FunctionDecl' && own !== null) {
        const body = node.inner?.some(child => child.kind === 'CompoundStmt');
        const f = { name: node.name, room: roomAt(lineOf(own)), from: lineOf(from), to: lineOf(to) };
        if (body) {
            functions.set(node.name, f);
            f.room.functions.push(f);
        } else if (node.name.startsWith('wshub__')) {
            ahead.push({ name: node.name, line: f.from });
        }
    }
    walk(node, named, own === null ? 0 : lineOf(own), new Set(), null);
}

let chunk = null;
for await (const line of readline.createInterface({ input: fs.createReadStream(astFile) })) {
    if (line === '    {') chunk = [];
    if (chunk) chunk.push(line);
    if (chunk && (line === '    }' || line === '    },')) {
        declaration(JSON.parse(chunk.join('\n').replace(/,$/, '')));
        chunk = null;
    }
}

// Where a name stands: of a function its room, of a table of functions the room in which it lies.
const roomOf = (name, line) => functions.get(name)?.room ?? roomAt(line);
const against = ({ caller, callee, line }) => {
    const to = functions.get(callee);
    return to !== undefined && line > implemented && roomOf(caller, line).place < to.room.place;
};

let passed = 0, failed = 0;
const check = (ok, words) => { if (ok) passed++; else { failed++; console.log('FAIL ' + words); } };

check(functions.size > 100 && calls.length > 1000, `the compiler's index was not understood: ${functions.size} functions, ${calls.length} calls`);

// 1. No room calls one further down.
const offending = calls.filter(against), needed = new Set();
for (const room of rooms) {
    if (!room.functions.length) continue;
    const wrong = new Map();
    for (const call of offending.filter(c => roomOf(c.caller, c.line) === room)) {
        const pair = `${call.caller} ${call.callee}`;
        if (ALLOWED.includes(pair)) needed.add(pair); else wrong.set(pair, call);
    }
    check(wrong.size === 0, [...wrong.values()].map(c =>
        `>>${room.name} calls >>${functions.get(c.callee).room.name}, which is further down: ${c.caller}() calls ${c.callee}() (${header}:${c.line})`).join('\nFAIL '));
}
for (const pair of ALLOWED) check(needed.has(pair), `the call is in order now, take it off the list: ${pair}`);
if (options.includes('--lines')) {
    for (const c of offending) {
        const to = functions.get(c.callee);
        console.log(`  ${header}:${c.line}: >>${roomOf(c.caller, c.line).name} ${c.caller}() -> >>${to.room.name} ${c.callee}() (${header}:${to.from})`);
    }
}

// 2. Private functions are defined before they are used.
for (const { name, line } of ahead) check(name in DECLARED_AHEAD, `${name}() is declared ahead (${header}:${line}), and tests/rooms.mjs gives no reason`);
for (const name of Object.keys(DECLARED_AHEAD)) check(ahead.some(a => a.name === name), `${name}() is not declared ahead any more, take it off the list`);

// 3. The lower storey knows nothing of the upper one.
const dividing = new Map(); // struct -> line of its ABOVE
for (let at = text.indexOf(ABOVE); at >= 0; at = text.indexOf(ABOVE, at + 1)) {
    const line = lineOf(at), struct = [...typesHere].filter(([, from]) => from < line).sort((a, b) => b[1] - a[1])[0];
    if (struct) dividing.set(struct[0], line);
}
const isLower = room => room !== undefined && LOWER.includes(room.name);
const upperType = word => UPPER_TYPES.includes(word) ||
    (word !== 'wshub' && typesHere.get(word) > implemented && !isLower(roomAt(typesHere.get(word))));
const upperMember = id => members.has(id) && members.get(id).line > (dividing.get(members.get(id).struct) ?? Infinity);
const trespasses = new Map(); // room -> the last place of each
for (const n of names) {
    const room = roomOf(n.caller, n.line);
    if (!isLower(room) || (room.name === 'hub' && !functions.has(n.caller))) continue;
    const what = n.type ? (upperType(n.type) ? n.type : '') : upperMember(n.member) ? `${members.get(n.member).name} of struct ${members.get(n.member).struct}` : '';
    if (!what) continue;
    if (ALLOWED_NAMES.includes(`${n.caller}: ${what}`)) {
        needed.add(`${n.caller}: ${what}`);
        continue;
    }
    if (!trespasses.has(room)) trespasses.set(room, new Map());
    trespasses.get(room).set(`${n.caller} ${what}`, `>>${room.name} is below and names ${what}: ${n.caller || 'a declaration'} (${header}:${n.line})`);
}
for (const name of ALLOWED_NAMES) check(needed.has(name), `the name is not there any more, take it off the list: ${name}`);
const divided = dividing.has('wshub');
if (divided) for (const name of LOWER) check(roomNamed(name), `tests/rooms.mjs names a room that is not there: >>${name}`);
else console.log('  reported only: struct wshub is not divided yet into what is below and what is above');
for (const room of rooms.filter(r => isLower(r) && r.functions.length)) {
    const wrong = [...(trespasses.get(room)?.values() ?? [])];
    if (divided) check(wrong.length === 0, wrong.join('\nFAIL ')); else wrong.forEach(w => console.log('  ' + w));
}

if (options.includes('--calls')) {
    for (const room of rooms) {
        const count = new Map();
        for (const c of calls) {
            const to = functions.get(c.callee)?.room;
            if (to && to !== room && roomOf(c.caller, c.line) === room) count.set(to, (count.get(to) ?? 0) + 1);
        }
        const list = [...count].sort((a, b) => a[0].place - b[0].place).map(([to, n]) => `${to.place > room.place ? '!' : ''}${to.name} ${n}`);
        if (list.length) console.log(`  ${room.name.padEnd(12)} ${list.join(', ')}`);
    }
    const down = taken.filter(against);
    if (down.length) console.log(`  by pointer, further down: ${[...new Set(down.map(c => `${c.caller || 'a table'} -> ${c.callee}`))].join(', ')}`);
}
if (options.includes('--rooms')) {
    console.log('  | room | lines | functions | median | longest |\n  | --- | ---: | ---: | ---: | ---: |');
    const row = (name, lines, list) => {
        const lengths = list.map(f => f.to - f.from + 1).sort((a, b) => a - b), longest = list.find(f => f.to - f.from + 1 === lengths.at(-1));
        console.log(`  | ${name} | ${lines} | ${list.length} | ${lengths[lengths.length >> 1] ?? ''} | ${longest ? `${lengths.at(-1)} ${longest.name}` : ''} |`);
    };
    const housed = rooms.filter(r => r.functions.length);
    for (const room of housed) row('>>' + room.name, room.to - room.from + 1, room.functions);
    row('all', housed.reduce((sum, r) => sum + r.to - r.from + 1, 0), housed.flatMap(r => r.functions));
}
const between = calls.filter(c => functions.has(c.callee) && roomOf(c.caller, c.line) !== functions.get(c.callee).room).length;
console.log(`  ${functions.size} functions in ${rooms.filter(r => r.functions.length).length} rooms, ${between} calls between rooms, ${offending.length} against the order`);
console.log(`rooms: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
