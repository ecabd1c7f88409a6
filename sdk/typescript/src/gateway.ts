// SPDX-License-Identifier: Apache-2.0
/** One remit on the agent's side: one origin, no redirects; every request proves its sender's key. */

import { isIP } from "node:net";
import { Refused } from "./errors.js";
import { isRecord } from "./json.js";
import type { Json } from "./json.js";
import type { Signer } from "./key.js";

const ANSWER_MS = 30_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Seconds before its expiry from which a token is no longer used. */
const EARLY_S = 10;
/** Codes by which remit reports that a task has ended. */
export const ENDED = new Set(["task-ended", "task-expired", "task-lease", "fenced", "no-task"]);

export class Gateway {
  readonly issuer: string;
  private nonce = "";

  constructor(url: string, private readonly signer: Signer) {
    this.issuer = checked(url).href.replace(/\/$/, "");
  }

  /** Return the URL of a path, such as a resource that a token is for. */
  url(path: string): URL {
    return new URL(this.issuer + path);
  }

  /**
   * Send a request with a proof of the sender's key, and return its answer, unread.
   *
   * INVARIANT: it is sent again only where remit did not process it for lack of a nonce.
   */
  async send(url: URL, token: string, init: RequestInit): Promise<Response> {
    if (url.origin !== new URL(this.issuer).origin) throw new Refused(`\`${url.origin}\` is not this remit`, "fault");
    for (const again of [true, false]) {
      const headers = new Headers(init.headers);
      const method = (init.method ?? "GET").toUpperCase();
      headers.set("DPoP", await this.signer.proof(method, url, token, this.nonce));
      if (token) headers.set("Authorization", `DPoP ${token}`);
      const answer = await this.fetched(url, { ...init, method, headers });
      this.nonce = answer.headers.get("DPoP-Nonce") ?? this.nonce;
      if (!again || answer.status < 400 || init.body instanceof ReadableStream) return answer;
      const error = token ? answer.headers.get("WWW-Authenticate") : await answer.clone().text();
      if (!error?.includes("use_dpop_nonce")) return answer;
      await answer.body?.cancel();
    }
    throw new Error("the loop returns");
  }

  /** Send a request, and return the JSON of its answer; throw `Refused` for any status but 2xx. */
  async ask(url: URL, token: string, init: RequestInit): Promise<Json> {
    return this.read(await this.send(url, token, { signal: AbortSignal.timeout(ANSWER_MS), ...init }));
  }

  /** Return a public document of this remit. */
  async document(path: string): Promise<Json> {
    return this.read(await this.fetched(this.url(path), { signal: AbortSignal.timeout(ANSWER_MS) }));
  }

  private async fetched(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, { ...init, redirect: "manual" });
    } catch (fault) {
      if (init.signal?.aborted && init.signal.reason?.name !== "TimeoutError") throw fault;
      throw this.unreachable();
    }
  }

  private async read(answer: Response): Promise<Json> {
    const parts: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const part of answer.body ?? []) {
        size += part.length;
        if (size > MAX_ANSWER_BYTES) throw new RangeError("the answer is too large");
        parts.push(part);
      }
    } catch {
      throw this.unreachable();
    }
    const text = Buffer.concat(parts).toString("utf8");
    let value: Json = null;
    try {
      value = text ? (JSON.parse(text) as Json) : null;
    } catch {
      if (answer.ok) throw this.unreachable();
    }
    if (answer.ok) return value;
    const told = isRecord(value) ? value : {};
    const reason = String(told["detail"] ?? told["error_description"] ?? `remit answered ${answer.status}`);
    const code = String(told["code"] ?? told["error"] ?? "refused");
    throw new Refused(reason.slice(0, 600), code, String(told["remediation"] ?? ""), { status: answer.status });
  }

  private unreachable(): Refused {
    const way = "start it with `remit up`, or check the address";
    return new Refused(`no remit answers at ${this.issuer}`, "unreachable", way);
  }
}

/** What a token endpoint issued. */
export interface IssuedToken {
  text: string;
  lifeS: number;
}

/** Tokens of an agent or of a task, one for each resource; concurrent callers share one request. */
export class TokenSource {
  // Private also where a program prints its task.
  readonly #held = new Map<string, { issued: Promise<IssuedToken>; askedAt: number }>();

  constructor(
    private readonly gateway: Gateway,
    private readonly grant: (resource: string) => Promise<IssuedToken>,
    private readonly task = "",
  ) {}

  /** Return a usable token; never `notThis`, which was refused. */
  async token(resource: string, notThis = ""): Promise<string> {
    const held = this.#held.get(resource);
    if (held) {
      const { text, lifeS } = await held.issued;
      const endsAt = held.askedAt + (lifeS - Math.min(EARLY_S, lifeS / 4)) * 1000;
      if (text !== notThis && performance.now() < endsAt) return text;
      // Another caller may have asked for the next one meanwhile.
      if (this.#held.get(resource) !== held) return this.token(resource, notThis);
    }
    const next = { issued: this.grant(resource), askedAt: performance.now() };
    this.#held.set(resource, next);
    next.issued.catch(() => this.#held.get(resource) === next && this.#held.delete(resource));
    return (await next.issued).text;
  }

  /** Send a request to a management endpoint; a token that is refused is replaced once. */
  async ask(method: string, path: string, body?: Json): Promise<Json> {
    const headers: Record<string, string> = { Accept: "application/json", "Content-Type": "application/json" };
    if (this.task) headers["Remit-Task"] = this.task;
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const [resource, url] = [this.gateway.url("/api/v1").href, this.gateway.url(path)];
    const token = await this.token(resource);
    try {
      return await this.gateway.ask(url, token, init);
    } catch (fault) {
      if (!(fault instanceof Refused) || fault.status !== 401 || ENDED.has(fault.code)) throw fault;
    }
    return this.gateway.ask(url, await this.token(resource, token), init);
  }
}

/** Return the address of a remit; throw for one that would send tokens in the clear. */
function checked(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username || url.password) {
    throw new Refused(`\`${text.slice(0, 200)}\` is not the address of a remit`, "no-identity", "write `https://host`");
  }
  const host = url.hostname;
  const own = host === "localhost" || host === "[::1]" || (isIP(host) === 4 && host.startsWith("127."));
  if (url.protocol === "http:" && !own) {
    throw new Refused(`\`${url.origin}\` would send tokens in the clear`, "no-identity", "use `https:`");
  }
  return url;
}
