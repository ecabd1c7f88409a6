// SPDX-License-Identifier: Apache-2.0
// Verifies in the browser that one event is in the signed log: SHA-256 and Ed25519 of Web Crypto, no library.
// The proof is a C2SP tlog-proof: the leaf, its index, the Merkle path, and a checkpoint as a signed note.
(() => {
  "use strict";
  const part = document.getElementById("verify");
  const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
  const utf8 = (text) => new TextEncoder().encode(text);
  const same = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);
  const joined = (...all) => {
    const made = new Uint8Array(all.reduce((sum, one) => sum + one.length, 0));
    let at = 0;
    for (const one of all) { made.set(one, at); at += one.length; }
    return made;
  };
  const sha256 = async (...all) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...all)));
  const bytes = (text) => {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Error("this is not base64");
    const found = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    // Only the shortest form: no two texts are the same bytes.
    if (btoa(String.fromCharCode(...found)) !== text) throw new Error("base64 is not in its shortest form");
    return found;
  };
  const number = (text) => {
    if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) throw new Error("a number is not plain");
    return Number(text);
  };

  // c2sp.org/tlog-proof
  const parsedProof = (text) => {
    const end = text.indexOf("\n\n");
    const lines = text.slice(0, end).split("\n");
    if (end < 0 || lines[0] !== "c2sp.org/tlog-proof@v1") throw new Error("this is no proof");
    if (!lines[1].startsWith("extra ") || !lines[2].startsWith("index ")) throw new Error("the proof has no leaf or no index");
    const path = lines.slice(3).map(bytes);
    if (path.length > 63 || path.some((one) => one.length !== 32)) throw new Error("a hash of the path is not 32 bytes");
    return { leaf: bytes(lines[1].slice(6)), index: number(lines[2].slice(6)), path, note: text.slice(end + 2) };
  };
  // c2sp.org/signed-note and c2sp.org/tlog-checkpoint
  const parsedNote = (text) => {
    const end = text.lastIndexOf("\n\n");
    if (end < 0 || !text.endsWith("\n")) throw new Error("the checkpoint is no signed note");
    const body = text.slice(0, end + 1);
    const [origin, size, root] = body.split("\n");
    const signatures = text.slice(end + 2, -1).split("\n").map((line) => {
      const [, name, value] = /^\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)$/.exec(line) || [];
      if (!name) throw new Error("a signature line is broken");
      return { name, key: bytes(value).slice(0, 4), value: bytes(value).slice(4) };
    });
    return { body, origin, size: number(size), root: bytes(root), signatures };
  };
  // A verifier key: name+keyid+base64(type, public key)
  const parsedKey = async (text) => {
    const [name, id, ...rest] = text.trim().split("+");
    const material = id ? bytes(rest.join("+")) : [];
    if (!name || material.length !== 33 || material[0] !== 1) throw new Error("this is no public key of a log");
    const told = (await sha256(utf8(`${name}\n`), material)).slice(0, 4);
    if (hex(told) !== id) throw new Error("the id of the key does not match the key");
    return { name, id: told, public: material.slice(1) };
  };
  // RFC 9162 section 2.1.3.2; halves by division, as an index may be above 2^31.
  const rootOf = async (leafHash, index, size, path) => {
    let [left, last, node] = [index, size - 1, leafHash];
    const half = () => { left = Math.floor(left / 2); last = Math.floor(last / 2); };
    for (const sibling of path) {
      if (last === 0) throw new Error("the path is too long");
      if (left % 2 === 1 || left === last) {
        node = await sha256(Uint8Array.of(1), sibling, node);
        while (left % 2 === 0 && left > 0) half();
      } else {
        node = await sha256(Uint8Array.of(1), node, sibling);
      }
      half();
    }
    if (last) throw new Error("the path is too short");
    return node;
  };

  const checks = part.querySelector("ul");
  const told = part.querySelector("[role=status]");
  const say = (good, words, detail = "") => {
    const row = document.createElement("li");
    row.className = good === null ? "limit" : good ? "may" : "never";
    row.append(words);
    if (detail) {
      const more = document.createElement("code");
      more.textContent = detail;
      row.append(document.createElement("br"), more);
    }
    checks.append(row);
    if (good === false) throw new Error(words);
  };
  const conclude = (look, words) => { told.className = `note ${look}`; told.textContent = words; told.hidden = false; };

  const verify = async () => {
    checks.replaceChildren();
    told.hidden = true;
    if (!window.crypto || !crypto.subtle) {
      conclude("warn", "Nothing was verified: browsers compute only on pages from localhost or over HTTPS.");
      return;
    }
    let signed = null;
    try {
      const answer = await fetch(part.dataset.proof, { cache: "no-store" });
      if (!answer.ok) throw new Error(`the proof could not be fetched (${answer.status})`);
      const proof = parsedProof(await answer.text());
      const index = Number(part.dataset.index);
      const leafHash = await sha256(Uint8Array.of(0), proof.leaf);
      say(proof.index === index && hex(leafHash) === part.dataset.hash,
        "The event that this page shows is the leaf of the proof. Its hash was computed here:", hex(leafHash));
      const note = parsedNote(proof.note);
      if (index >= note.size) throw new Error("the event comes after the checkpoint");
      const root = await rootOf(leafHash, index, note.size, proof.path);
      say(same(root, note.root),
        `With the ${proof.path.length} hashes of the path it leads to the root of the ${note.size} events of the checkpoint:`, hex(root));
      const key = await parsedKey(document.getElementById("key").value);
      say(key.name === note.origin, "The checkpoint is of the log of this key:", note.origin);
      const lines = note.signatures.filter((one) => one.name === key.name && same(one.key, key.id));
      if (!lines.length) say(false, "The checkpoint is not signed by this key.");
      let imported;
      try {
        imported = await crypto.subtle.importKey("raw", key.public, { name: "Ed25519" }, false, ["verify"]);
      } catch {
        say(null, "This browser cannot verify Ed25519: the signature was not checked.");
        conclude("warn", "The event is in the tree of this checkpoint, but whether the log has signed it was not verified. Use another browser, or `remit audit verify`.");
        return;
      }
      for (const line of lines) {
        signed = await crypto.subtle.verify({ name: "Ed25519" }, imported, line.value, utf8(note.body));
        say(signed, "The signature of the checkpoint (Ed25519) is of the key:", hex(key.public));
      }
      conclude("good", `Verified in this browser: event ${index} is in the log ${note.origin} of ${note.size} events, as signed by this key.`);
    } catch (fault) {
      conclude("bad", `Not verified: ${fault.message}`);
    }
  };
  part.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); verify(); });
  verify();
})();
