// Writes the recorded vectors of cron, JSON lines, into the form that tests/test_cron.c and test_cron_helper.c read:
//   node tests/cron/import.mjs VECTORS.jsonl      makes tests/cron/next.txt, fields.txt, errors.txt and helper.txt
// Fields are separated by tabs. In expressions a tab is \t and a line feed \n, as nothing else there needs an escape.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const out = {
  next: ["# expression, zone, instant in ms; then the instants that follow, separated by blanks, or `never`"],
  fields: ["# expression; then its six fields as they are written in canonical form"],
  errors: ["# expression, zone; then the words of the error"],
  helper: ["# what was done with a job; then what was seen, each as name=JSON"],
};
const text = (s) => s.replace(/\t/g, "\\t").replace(/\n/g, "\\n").replace(/\v/g, "\\v").replace(/\f/g, "\\f").replace(/\r/g, "\\r");
let group = "";
for (const line of readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean)) {
  const v = JSON.parse(line);
  if (v.kind === "next") {
    const ms = v.agree ? v.next_ms : v.want_ms; // where npm's answer differs, the vector says what is right
    if (v.group !== group) out.next.push(`# ${(group = v.group)}`);
    out.next.push([text(v.expr), v.tz, v.start_ms, ms.length ? ms.join(" ") : "never"].join("\t"));
  } else if (v.kind === "valid") {
    out.fields.push([text(v.expr), ...v.fields].join("\t"));
  } else if (v.kind === "invalid") {
    out.errors.push([text(v.expr), v.tz, v.error].join("\t"));
  } else if (v.kind === "helper") {
    const seen = Object.entries(v).filter(([key]) => key !== "kind" && key !== "name");
    out.helper.push([v.name, ...seen.map(([key, value]) => `${key}=${JSON.stringify(value)}`)].join("\t"));
  }
}
for (const name of Object.keys(out)) writeFileSync(join(folder, `${name}.txt`), out[name].join("\n") + "\n");
console.log(Object.entries(out).map(([name, lines]) => `${name}: ${lines.filter((l) => l[0] !== "#" || l.includes("\t")).length}`).join(", "));
