// Every combination of the parameters of permessage-deflate that npm's ws can offer (RFC 7692 7.1): what it says comes back as it
// was said, alike and unlike, short and long, whatever was agreed on; and what is answered is what the server can keep.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
const WebSocket = createRequire(`${process.cwd()}/build/node/`)('ws');
let passed = 0, failed = 0;
const texts = ['short', 'abcdefgh'.repeat(200), 'abcdefgh'.repeat(200), JSON.stringify([...Array(3000).keys()]), ''];

const start = args => new Promise(done => {
  const child = spawn(process.argv[2], ['--deflate', '--deflate-threshold', '0', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  child.stdout.once('data', d => done({ child, port: Number(/listening (\d+)/.exec(d)[1]) }));
});

const talk = (port, offer) => new Promise((done, no) => {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, { perMessageDeflate: { threshold: 0, ...offer } });
  let at = -1;
  const say = () => ws.send(JSON.stringify({ event: 'echo', data: texts[at] }));
  ws.on('error', no);
  ws.on('close', code => no(new Error(`closed with ${code}`)));
  ws.on('open', () => ws.send(JSON.stringify({ event: 'authenticate', data: { token: 'user:a' } })));
  ws.on('message', bytes => {
    const { event, data } = JSON.parse(bytes);
    if (event !== (at < 0 ? 'connected' : 'echo') || (at >= 0 && data !== texts[at])) return no(new Error(`heard ${event}`));
    if (++at < texts.length) return say();
    ws.terminate();
    done(ws.extensions);
  });
});

const bits = [undefined, 8, 9, 10, 11, 12, 13, 14, 15];
for (const args of [[], ['--deflate-takeover']]) {
  const { child, port } = await start(args);
  const offers = [];
  for (const serverMaxWindowBits of bits) for (const clientMaxWindowBits of bits)
    for (const serverNoContextTakeover of [false, true]) for (const clientNoContextTakeover of [false, true])
      offers.push({ serverMaxWindowBits, clientMaxWindowBits, serverNoContextTakeover, clientNoContextTakeover });
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let offer; (offer = offers.pop());) {
      try {
        const agreed = await talk(port, offer);
        if (!agreed.includes('permessage-deflate')) throw new Error('nothing was agreed on');
        passed++;
      } catch (e) {
        failed++;
        console.log(`FAIL ${JSON.stringify(offer)} ${args}: ${e.message}`);
      }
    }
  }));
  child.kill();
}
console.log(`deflate: ${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
