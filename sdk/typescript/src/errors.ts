// SPDX-License-Identifier: Apache-2.0
/** What stops a call: a refusal of remit, or an error of a guarded function. None contains a secret. */

/** Parts of a refusal that most refusals lack. */
interface Details {
  /** The HTTP status where remit refused a request as a whole. */
  status?: number;
  /** The question, where a person is asked. */
  approval?: string;
  /** The recorded decision. */
  decision?: string;
  /** The call was carried out, and only its result is not released: never repeat such a call. */
  done?: boolean;
}

/** A call, or a task, that may not go on: `throw` it, or show it to the model. `code` is stable. */
export class Refused extends Error {
  override name = "Refused";
  readonly permitted = false;
  readonly status: number;
  readonly approval: string;
  readonly decision: string;
  readonly done: boolean;

  constructor(readonly reason: string, readonly code: string, readonly remediation = "", more: Details = {}) {
    super(remediation ? `${reason}; ${remediation}` : reason);
    ({ status: this.status = 0, approval: this.approval = "" } = more);
    ({ decision: this.decision = "", done: this.done = false } = more);
  }

  /** Return the refusal of a permitted call's result: the call has been carried out. */
  after(permit: Permit): Refused {
    if (this.done) return this;
    const way = "do not repeat the call: it was carried out, and only its result is not released";
    return new Refused(this.reason, this.code, way, { decision: permit.decision, done: true });
  }
}

/** A guarded function raised an error: `kind` is its class, `text` what remit released of its message. */
export class Failed extends Error {
  override name = "Failed";

  constructor(readonly kind: string, readonly text: string) {
    super(text ? `${kind}: ${text}` : kind);
  }
}

/** Return the class of an error: programs set its `name` to any text. */
export function kindOf(fault: unknown): string {
  return fault instanceof Error ? String(fault.constructor?.name ?? "Error") : "Error";
}

/** A permitted call: carry it out, and report its result once. */
export interface Permit {
  readonly permitted: true;
  readonly call: string;
  readonly decision: string;
  readonly obligations: readonly string[];
}
