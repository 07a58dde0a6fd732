// Reads what llvm-cov exports and lists the branches that no test took both ways.
// node coverage.mjs EXPORT.json FILE=PERCENT...: ends with 1 where a file has less than that percentage.
// Not counted: assertions, WSHUB__NEVER and lines marked `/* never: why */` (branches that cannot be taken, with their
// reason), constants (WSHUB__THREADS), and the absent `default` of a switch over all values of an enum. CORE=1: nor the
// self-check, whose branches say that something is wrong.
import fs from 'node:fs';
const [json, ...wanted] = process.argv.slice(2);
let bad = 0;
for (const f of JSON.parse(fs.readFileSync(json)).data[0].files) {
    // what is compiled for tests is made of a header: its first line says which (tests/open.awk)
    const src = fs.readFileSync(f.filename, 'utf8').split('\n'), made = /^#line 1 "(.*)"/.exec(src[0]);
    const name = made ? made[1] : f.filename.replace(process.cwd() + '/', ''), above = made ? 1 : 0;
    const want = wanted.find(w => ('/' + name).endsWith('/' + w.split('=')[0]));
    if (!want) continue;
    const taken = new Map(); // place -> how often true, how often false, over all programs
    for (const b of f.branches) {
        const at = b.slice(0, 4).join(), n = taken.get(at) ?? [0, 0];
        taken.set(at, [n[0] + b[4], n[1] + b[5]]);
    }
    const check = process.env.CORE ? src.lastIndexOf('#ifdef WSHUB_SELF_CHECK') + 1 : 0, check_end = src.indexOf('#endif', check);
    let all = 0, covered = 0;
    const missing = [];
    for (const [at, [yes, no]] of taken) {
        const [line, from, last, to] = at.split(',').map(Number), text = src[line - 1];
        if (/WSHUB_ASSERT|WSHUB__NEVER|WSHUB__THREADS|\/\* never: /.test(text)) continue;
        if (check && line > check && line < check_end) continue;
        if (/switch \($/.test(text.slice(0, from - 1))) continue;
        all += 2;
        covered += (yes > 0) + (no > 0);
        if (yes && no) continue;
        const what = line === last ? text.slice(from - 1, to - 1) : text.slice(from - 1) + '...';
        missing.push([line, `${name}:${line - above}: ${yes ? 'never false' : no ? 'never true' : 'never reached'}: ${what}`]);
    }
    missing.sort((a, b) => a[0] - b[0]);
    const lines = f.summary.lines, least = Number(want.split('=')[1]), percent = 100 * covered / all;
    if (process.env.LIST || percent < least) for (const m of missing) console.log('  ' + m[1]);
    const ok = percent >= least;
    bad += ok ? 0 : 1;
    console.log(`  ${want.split('=')[0]}: ${covered} of ${all} branches (${percent.toFixed(2)}%, ${least}% wanted), ${lines.percent.toFixed(2)}% of lines`);
}
console.log(`coverage: ${wanted.length - bad} passed, ${bad} failed, 0 skipped`);
process.exit(bad ? 1 : 0);
