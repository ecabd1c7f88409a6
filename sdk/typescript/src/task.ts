// SPDX-License-Identifier: Apache-2.0
/** An open task: decisions about calls of functions, and requests to upstreams behind remit. */

import type { Agent } from "./agent.js";
import { Failed, Refused, kindOf } from "./errors.js";
import type { Permit } from "./errors.js";
import { ENDED, TokenSource } from "./gateway.js";
import { isRecord, plain, sendable, textOf } from "./json.js";
import type { Json } from "./json.js";

/** Below the size of a request that remit takes by default, 1 MiB. */
const MAX_RESULT_BYTES = 1_000_000;
const MAX_ERROR = 10_000;
const COMPLETE_TRIES = 3;
/** Statuses of a request whose body remit does not read: the call still awaits its result. */
const UNREAD = new Set([400, 413, 422]);
const UNWRITTEN = "a result that was not released";

export interface CallOptions {
  /** Why the call is needed, for the person who is asked. */
  reason?: string;
  /** Seconds to wait for that person. */
  waitS?: number;
}

export class Task {
  readonly id: string;
  private readonly path: string;
  private readonly tokens: TokenSource;
  private readonly keeping: NodeJS.Timeout;
  private turn: Promise<unknown> = Promise.resolve();
  private over = false;

  constructor(private readonly agent: Agent, facts: Json) {
    if (!isRecord(facts) || typeof facts["id"] !== "string") throw notUnderstood();
    this.id = facts["id"];
    this.path = `/api/v1/tasks/${encodeURIComponent(this.id)}`;
    const grant = (resource: string) => agent.grant({ mission_id: this.id, resource });
    this.tokens = new TokenSource(agent.gateway, grant, this.id);
    const leaseS = Number(facts["lease_s"] ?? 0) || 3600;
    const renewed = () => agent.own.ask("POST", `${this.path}/renew`).catch(() => undefined);
    this.keeping = setInterval(renewed, Math.max(leaseS / 3, 0.2) * 1000).unref();
  }

  /**
   * Return remit's decision about one call of a function; it is recorded before this returns.
   *
   * Calls that are made at once are judged in the order in which they were made. No answer of remit is a refusal.
   */
  async decide(tool: string, args: object, { reason = "", waitS = 0 }: CallOptions = {}): Promise<Permit | Refused> {
    try {
      const asked = { tool, arguments: copied(args) as Json, reason };
      const answer = await this.decided(asked);
      if (answer.permitted || !answer.approval || waitS <= 0) return answer;
      const heard = await this.approval(answer, waitS);
      return isRecord(heard) && heard["state"] !== "pending" ? await this.decided(asked) : answer;
    } catch (fault) {
      if (fault instanceof Refused) return fault;
      throw fault;
    }
  }

  private decided(asked: Json): Promise<Permit | Refused> {
    const next = this.turn.then(async () => answerOf(await this.ask("/calls", asked)));
    this.turn = next.catch(() => undefined);
    return next;
  }

  /** Report the result of a permitted call; return what the model may see of it. */
  async report(permit: Permit, value: unknown): Promise<Json> {
    const content = sendable(value);
    const size = Buffer.byteLength(JSON.stringify(content));
    if (size <= MAX_RESULT_BYTES) return this.carriedOut(permit, "ok", content);
    await this.carriedOut(permit, "ok", `a result of ${size} bytes, which was not released`);
    throw new Refused(`the result has more than ${MAX_RESULT_BYTES} bytes`, "result-too-large").after(permit);
  }

  /** Report that a permitted call failed; return the error that the caller may see. */
  async failed(permit: Permit, fault: unknown): Promise<Error> {
    const own = fault instanceof Refused ? fault : null;
    const kind = kindOf(fault);
    const text = own ? kind : textOf(fault instanceof Error ? fault.message : fault);
    try {
      const released = await this.carriedOut(permit, "error", text.slice(0, MAX_ERROR).toWellFormed());
      return own ?? new Failed(kind, textOf(released));
    } catch (refused) {
      return own ?? (refused as Error);
    }
  }

  /** Report that a permitted call was not carried out. */
  async giveBack(permit: Permit): Promise<void> {
    await this.reported(permit, "not-sent", null);
  }

  /**
   * Return a function under remit's decisions. It throws `Refused` and does not run where remit does not permit the
   * call; it gets copies of the arguments that were judged; its own error becomes a `Failed`.
   */
  guard<A extends object>(tool: string, work: (args: A) => unknown, options?: CallOptions): (args: A) => Promise<Json> {
    return async (args) => {
      const own = copied(args);
      const permit = await this.decide(tool, own, options);
      if (!permit.permitted) throw permit;
      let value: unknown;
      try {
        value = await work(own);
      } catch (fault) {
        throw await this.failed(permit, fault);
      }
      return this.report(permit, value);
    };
  }

  /** Return what people have answered to the question of a refusal; `state` is `pending` while none has. */
  async approval(refused: Refused, waitS = 0): Promise<Json> {
    const until = performance.now() + waitS * 1000;
    for (;;) {
      const leftS = Math.min(20, Math.ceil((until - performance.now()) / 1000));
      const path = `${this.path}/approvals/${encodeURIComponent(refused.approval)}`;
      const told = await this.agent.own.ask("GET", leftS > 0 ? `${path}?wait_s=${leftS}` : path);
      if (leftS <= 0 || !isRecord(told) || told["state"] !== "pending") return told;
    }
  }

  /** Return the MCP endpoint of an upstream; without a name, of all together. */
  mcpUrl(upstream = ""): URL {
    return this.agent.gateway.url(upstream ? `/mcp/${encodeURIComponent(upstream)}` : "/mcp");
  }

  /** Return a `fetch` with this task's token, such as an MCP client's transport takes. */
  fetch(upstream = ""): (input: string | URL, init?: RequestInit) => Promise<Response> {
    return async (input, init = {}) => {
      const resource = this.mcpUrl(upstream).href;
      const headers = new Headers(init.headers);
      headers.set("Remit-Task", this.id);
      const sent = { ...init, headers };
      const token = await this.tokens.token(resource);
      const answer = await this.agent.gateway.send(new URL(input), token, sent);
      if (answer.status !== 401 || init.body instanceof ReadableStream) return answer;
      await answer.body?.cancel();
      return this.agent.gateway.send(new URL(input), await this.tokens.token(resource, token), sent);
    };
  }

  /** End the task; `Agent.task` does. What cannot be reached any more ends by its lease. */
  async close(reason: string): Promise<void> {
    clearInterval(this.keeping);
    await this.turn;
    this.over = true;
    for (let left = COMPLETE_TRIES - 1; left >= 0; left -= 1) {
      try {
        await this.agent.own.ask("POST", `${this.path}/complete`, { reason });
        return;
      } catch (fault) {
        const code = fault instanceof Refused ? fault.code : "";
        if (code !== "unreachable") {
          if (reason !== "completed" || ENDED.has(code)) return;
          throw fault;
        }
      }
    }
  }

  private async ask(path: string, body: Json): Promise<Json> {
    if (this.over) throw new Refused("this task's block has ended", "task-ended", "open a new task");
    return this.tokens.ask("POST", this.path + path, body);
  }

  private async carriedOut(permit: Permit, outcome: string, content: Json): Promise<Json> {
    try {
      return await this.reported(permit, outcome, content);
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      // The call must not stay open for a result that remit does not take.
      if (UNREAD.has(fault.status)) await this.reported(permit, outcome, UNWRITTEN).catch(() => undefined);
      throw fault.after(permit);
    }
  }

  private async reported(permit: Permit, outcome: string, content: Json): Promise<Json> {
    const told = await this.ask(`/calls/${encodeURIComponent(permit.call)}/result`, { outcome, content });
    if (isRecord(told) && "content" in told) return told["content"] as Json;
    throw notUnderstood();
  }
}

/** Return what a decision means. INVARIANT: only a permit with the name of its call is one. */
function answerOf(told: Json): Permit | Refused {
  if (isRecord(told)) {
    const { outcome, call, decision, obligations, reasons, approval } = told;
    const named = typeof call === "string" && call !== "" && typeof decision === "string";
    if (outcome === "permit" && named && Array.isArray(obligations)) {
      return { permitted: true, call, decision, obligations: obligations.map(String) };
    }
    if (outcome === "deny" || outcome === "defer") {
      const first: unknown = Array.isArray(reasons) ? reasons[0] : undefined;
      const { text = "", code = "", remediation = "" } = isRecord(first) ? first : {};
      const more = { approval: String(approval ?? ""), decision: String(decision ?? "") };
      const why = String(text) || "no rule permits this call";
      return new Refused(why, String(code) || outcome, String(remediation), more);
    }
  }
  return notUnderstood();
}

/** Return copies of a call's arguments, which no one else can change. */
function copied<A extends object>(given: A): A {
  try {
    return plain(given) as A;
  } catch (fault) {
    throw new Refused(textOf(fault), "arguments-form", "pass a plain object");
  }
}

function notUnderstood(): Refused {
  const way = "update @remit/client, or check the address";
  return new Refused("remit's answer cannot be understood", "server-too-new", way);
}
