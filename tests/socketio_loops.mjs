// Clients from npm with default options, which poll and then upgrade, at a server with several loops behind one port
// (CONN-6): each hears its own words back, in order, and its session stays with one loop.
// node tests/socketio_loops.mjs PROGRAM [CLIENTS [LOOPS]]; socket.io-client is looked for in ORACLE_MODULES
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
const { io } = createRequire((process.env.ORACLE_MODULES || process.cwd() + "/build/node/node_modules") + "/")("socket.io-client");
const program = process.argv[2] || "build/fixture-loops", clients = +(process.argv[3] || 200), loops = process.argv[4] || "4";
const server = spawn(program, [loops], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, WSHUB_LOG: "off" } });
let out = "";
server.stdout.on("data", (b) => (out += b));
const until = async (what) => { while (!what()) await new Promise((r) => setTimeout(r, 5)); };
await until(() => /listening \d+/.test(out));
const url = "http://127.0.0.1:" + /listening (\d+)/.exec(out)[1];
const late = setTimeout(() => { console.log("FAIL too late"); server.kill("SIGKILL"); process.exit(1); }, 60000);
const spread = new Set();
let wrong = 0, upgraded = 0;
const one = (transports) => new Promise((done) => {
    const socket = io(url, { forceNew: true, ...(transports ? { transports } : {}) });
    const heard = [], homes = new Set();
    socket.on("connect_error", (e) => { wrong++; console.log("connect_error", e.message); });
    socket.on("disconnect", (why) => { if (why !== "io client disconnect") { wrong++; console.log("disconnect", why); } });
    socket.on("word", (n) => heard.push(n));
    socket.on("connect", async () => {
        for (let i = 0; i < 20; i++) {
            const home = await socket.emitWithAck("word", i);
            homes.add(home);
            spread.add(home);
        }
        if (!transports) await until(() => socket.io.engine.transport.name === "websocket" && !socket.io.engine.upgrading);
        if (!transports) upgraded++;
        await socket.emitWithAck("word", 20);
        await until(() => heard.length >= 21);
        if (heard.join() !== [...Array(21).keys()].join() || homes.size !== 1) { wrong++; console.log("heard", heard.join(), "of", [...homes]); }
        socket.disconnect();
        done();
    });
});
await Promise.all([...Array(clients).keys()].map((i) => one(i % 4 === 3 ? ["polling"] : undefined)));
clearTimeout(late);
server.kill("SIGTERM");
await new Promise((r) => server.on("exit", r));
const elsewhere = +/elsewhere (\d+)/.exec(out)[1];
console.log(`  ${clients} clients, ${upgraded} upgraded, on ${spread.size} loops, ${elsewhere} requests went to another loop`);
const good = !wrong && spread.size === +loops && elsewhere > clients && server.exitCode === 0;
console.log(`socketio_loops: ${good ? 1 : 0} passed, ${good ? 0 : 1} failed, 0 skipped`);
process.exit(good ? 0 : 1);
