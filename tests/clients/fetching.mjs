// SPDX-License-Identifier: Apache-2.0
// Node's own `fetch` and `http.get`, whose connections end in this process. One line of JSON in, the name of a client
// and a list of texts; one line out, a list of what each led to. `net.connect` and `tls.connect` are what `fetch`
// calls when it has read a text, and its agent's `createConnection` what `http.get` calls.
import dns from "node:dns";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import readline from "node:readline";
import { Duplex } from "node:stream";
import tls from "node:tls";

const ANSWER = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
let reached = [];

class Wire extends Duplex {
  constructor(scheme, options) {
    super();
    this.contact = { scheme, host: options.host, port: Number(options.port), head: "" };
    this.alpnProtocol = false;
    reached.push(this.contact);
    process.nextTick(() => this.emit(scheme === "https" ? "secureConnect" : "connect"));
  }
  _read() {}
  _write(chunk, encoding, done) {
    const whole = this.contact.head.includes("\r\n\r\n");
    this.contact.head += chunk.toString("latin1");
    if (!whole && this.contact.head.includes("\r\n\r\n")) {
      this.push(ANSWER);
      this.push(null);
    }
    done();
  }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
  setTimeout() { return this; }
  ref() { return this; }
  unref() { return this; }
}

net.connect = (options) => new Wire("http", options);
tls.connect = (options) => new Wire("https", options);
// Nothing asks for a name by another way; if something did, it would go out.
dns.lookup = () => { throw new Error("a name would be asked for"); };

const CLIENTS = {
  node: async (text) => (await fetch(text, { redirect: "manual" })).arrayBuffer(),
  "node-http": (text) => new Promise((done, failed) => {
    const [scheme, client] = new URL(text).protocol === "https:" ? ["https", https] : ["http", http];
    const agent = new client.Agent();
    agent.createConnection = (options) => new Wire(scheme, options);
    client.get(text, { agent }, (answer) => answer.resume().on("end", done)).on("error", failed);
  }),
};

async function outcome(client, text) {
  reached = [];
  let reason = "";
  let local = false;
  try {
    await client(text);
    local = reached.length === 0;
  } catch (fault) {
    reason = `${fault.name}: ${fault.cause?.message ?? fault.message}`;
  }
  return { reached: reached[0] ?? null, local, reason };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const outcomes = [];
  const [name, texts] = JSON.parse(line);
  for (const text of texts) outcomes.push(await outcome(CLIENTS[name], text));
  process.stdout.write(JSON.stringify(outcomes) + "\n");
}
