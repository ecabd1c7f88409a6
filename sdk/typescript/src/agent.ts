// SPDX-License-Identifier: Apache-2.0
/** An agent at its remit: tokens by its key or its platform's token, and tasks for a block. */

import { Refused, kindOf } from "./errors.js";
import { Gateway, TokenSource } from "./gateway.js";
import type { IssuedToken } from "./gateway.js";
import { isRecord } from "./json.js";
import type { Json } from "./json.js";
import { Signer, platformToken } from "./key.js";
import { Task } from "./task.js";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** Who the agent is, and where its remit is; by default `REMIT_URL`, `REMIT_AGENT`, and one of two files. */
export interface Identity {
  url?: string;
  agent?: string;
  /** The agent's key, by default `REMIT_KEY_FILE`. */
  keyFile?: string;
  /** Its platform's token, by default `REMIT_TOKEN_FILE`. */
  tokenFile?: string;
}

export interface TaskOptions {
  goal?: string;
  params?: Record<string, Json>;
  onBehalfOf?: string;
  plan?: readonly Json[];
  /** Without renewal the task ends after so many seconds; the block renews it. */
  leaseS?: number;
}

export class Agent {
  /** Requests to management endpoints as this agent. */
  readonly own: TokenSource;
  private endpoint: URL | undefined;

  private constructor(readonly name: string, readonly gateway: Gateway, private readonly key: Signer | string) {
    this.own = new TokenSource(gateway, (resource) => this.grant({ resource }));
  }

  /** Return an agent; nothing is sent yet. Throw `Refused` where it has no identity. */
  static async connect(who: Identity = {}): Promise<Agent> {
    const { REMIT_URL, REMIT_AGENT, REMIT_KEY_FILE, REMIT_TOKEN_FILE } = process.env;
    const { url = REMIT_URL, agent = REMIT_AGENT } = who;
    const keyFile = who.keyFile ?? (who.tokenFile ? undefined : REMIT_KEY_FILE);
    const key = keyFile ? await Signer.load(keyFile) : (who.tokenFile ?? REMIT_TOKEN_FILE);
    if (!url || !agent || !key) {
      const way = "set `REMIT_URL`, `REMIT_AGENT`, and `REMIT_KEY_FILE` or `REMIT_TOKEN_FILE`";
      throw new Refused("the agent has no identity", "no-identity", way);
    }
    return new Agent(agent, new Gateway(url, await Signer.generate()), key);
  }

  /** Open a task, do its work, and end it: as completed, or with the error's name as the reason. */
  async task<T>(taskType: string, options: TaskOptions, work: (task: Task) => Promise<T>): Promise<T> {
    const { goal = "", params = {}, onBehalfOf = "", plan, leaseS = 60 } = options;
    const asked = { agent: this.name, task_type: taskType, goal, params, on_behalf_of: onBehalfOf, lease_s: leaseS };
    const task = new Task(this, await this.own.ask("POST", "/api/v1/tasks", plan ? { ...asked, plan } : asked));
    let reason = "completed";
    try {
      return await work(task);
    } catch (fault) {
      reason = `the agent's program raised ${kindOf(fault)}`;
      throw fault;
    } finally {
      await task.close(reason);
    }
  }

  /** Request a token for the agent itself, or for one of its tasks (`mission_id`). */
  async grant(more: Record<string, string>): Promise<IssuedToken> {
    const url = (this.endpoint ??= await this.tokenEndpoint());
    const who: Record<string, string> =
      typeof this.key === "string"
        ? { grant_type: JWT_BEARER, assertion: platformToken(this.key) }
        : {
            grant_type: "client_credentials",
            client_assertion_type: ASSERTION,
            client_assertion: await this.key.assertion(this.name, this.gateway.issuer),
          };
    const body = new URLSearchParams({ client_id: this.name, ...who, ...more });
    const told = await this.gateway.ask(url, "", { method: "POST", body });
    if (!isRecord(told) || typeof told["access_token"] !== "string" || told["token_type"] !== "DPoP") {
      throw new Refused("remit returned no usable token", "unreachable", "check the address");
    }
    return { text: told["access_token"], lifeS: Number(told["expires_in"] ?? 3600) };
  }

  private async tokenEndpoint(): Promise<URL> {
    const facts = await this.gateway.document("/.well-known/oauth-authorization-server");
    const url = isRecord(facts) ? String(facts["token_endpoint"]) : "";
    if (!isRecord(facts) || facts["issuer"] !== this.gateway.issuer || !URL.canParse(url)) {
      // RFC 8414 section 3.3: identical by simple string comparison.
      throw new Refused(`\`${this.gateway.issuer}\` has another issuer`, "fault", "use the address of its `base_url`");
    }
    return new URL(url);
  }
}
