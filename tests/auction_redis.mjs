// What the tests of the auction say to its Redis.
import net from 'node:net';

// One command to Redis, which answers with a list of texts.
export const tellRedis = (port, ...words) => new Promise(done => {
  const s = net.connect(port, '127.0.0.1');
  let got = '';
  s.on('error', () => done([]));
  s.on('data', d => {
    got += d;
    const lines = got.split('\r\n');
    if (lines[0][0] !== '*') return lines.length > 1 && (s.destroy(), done(lines));
    const n = Number(lines[0].slice(1));
    if (lines.length > 2 * n + 1) { s.destroy(); done(lines.slice(1).filter((_, i) => i % 2).slice(0, n)); }
  });
  s.write(`*${words.length}\r\n${words.map(w => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')}`);
});

// Gives the auction another end, as a change of the book, which servers hear of when they look.
export const endsAt = (port, when) => tellRedis(port, 'EVAL', `
  local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
  redis.call('HSET', KEYS[1], 'ends', ARGV[1])
  redis.call('HSET', KEYS[1], 'mark', 'test.' .. n)
  redis.call('HSET', KEYS[2], n, 'test.' .. n)
  return n`, '2', 'auction:{1}', 'auction:{1}:seen', String(when));
