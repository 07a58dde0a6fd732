// Makes the vectors of tests/e2e_vectors.h with Node's WebCrypto: node tests/e2e_vectors.mjs >tests/e2e_vectors.h
// Each run makes others; what is recorded stays as it is.
import { webcrypto } from "node:crypto";
const { subtle } = webcrypto, b64 = (b) => Buffer.from(b).toString("base64"), hex = (b) => Buffer.from(b).toString("hex");
const curve = { name: "ECDH", namedCurve: "P-256" }, INFO = "ignis-ecdh-p256-aes-256-gcm-v1";

const pair = () => subtle.generateKey(curve, true, ["deriveBits"]);
const bits = async (mine, theirs) => new Uint8Array(await subtle.deriveBits({ name: "ECDH", public: theirs.publicKey }, mine.privateKey, 256));
const secret = async (key) => Buffer.from((await subtle.exportKey("jwk", key.privateKey)).d, "base64url");
const c = (text) => JSON.stringify(text).replace(/[^\x20-\x7e]/g, (ch) => [...Buffer.from(ch)].map((x) => "\\" + x.toString(8).padStart(3, "0")).join(""));

async function vector({ zeros = 0, info = INFO, aad = "", text }) {
  let client, server, z;
  do { // until the secret begins with as many zero bytes
    [client, server] = [await pair(), await pair()];
    z = await bits(client, server);
  } while ([...z].findIndex((x) => x) !== zeros);
  const salt = webcrypto.getRandomValues(new Uint8Array(32)), iv = webcrypto.getRandomValues(new Uint8Array(12));
  const raw = await subtle.importKey("raw", z, "HKDF", false, ["deriveBits"]);
  const key = await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: Buffer.from(info) }, raw, 256);
  const aes = await subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const gcm = { name: "AES-GCM", iv, ...(aad ? { additionalData: Buffer.from(aad) } : {}) };
  const ct = await subtle.encrypt(gcm, aes, Buffer.from(text));
  const fields = { client: b64(await subtle.exportKey("raw", client.publicKey)), random: hex(salt) + hex(await secret(server)),
    server: b64(await subtle.exportKey("raw", server.publicKey)), salt: b64(salt), z: hex(z), info, aad, key: hex(key),
    text, iv: b64(iv), ct: b64(ct) };
  return "    {\n" + Object.entries(fields).map(([k, v]) => `        .${k} = ${c(v)},\n`).join("") + "    },\n";
}

console.log(`/* Recorded of Node's WebCrypto by tests/e2e_vectors.mjs: what a server draws at random (its salt, then its private key),
 * and what both ends then have to come to. */
#ifndef E2E_VECTORS_H
#define E2E_VECTORS_H
typedef struct e2e_vector {
    const char *client, *random, *server, *salt, *z, *info, *aad, *key, *text, *iv, *ct;
} e2e_vector;
/* clang-format off */
static const e2e_vector e2e_vectors[] = {`);
const said = '{"event":"say","data":{"text":"hello"}}';
for (const v of [{ text: said }, { text: '{"event":"x"}', aad: "client-42" }, { zeros: 1, text: said }, { zeros: 2, text: said },
  { text: '{"event":"grüße","data":["日本", 1.50, null]}', info: "another-app-2" }, { text: '{"event":"x","data":"' + "0123456789".repeat(30) + '"}', info: "", aad: "ä" }])
  process.stdout.write(await vector(v));
console.log("};\n/* clang-format on */\n#endif");
