// SPDX-License-Identifier: Apache-2.0
/** Plain JSON values: what is judged is what a function gets, and what remit takes as a result. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Below the depth of a request that remit takes by default, 64. */
const MAX_DEPTH = 60;

/** Return a copy of a value; throw for what JSON, or remit (RFC 7493), cannot hold. */
export function plain(value: unknown, depth = MAX_DEPTH): Json {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string" && value.isWellFormed()) return value;
  if (typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  if (depth > 0 && Array.isArray(value)) return Array.from(value, (one) => plain(one, depth - 1));
  if (depth > 0 && isRecord(value)) {
    const given = Object.entries(value).filter(([, one]) => one !== undefined);
    return Object.fromEntries(given.map(([name, one]) => [plain(name) as string, plain(one, depth - 1)]));
  }
  throw new TypeError("a value is not plain: pass texts, numbers, true, false, null, arrays, plain objects");
}

/** Return whether a value is an object as it is written: no `Map`, no `Date`, no class. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const kind: unknown = Object.getPrototypeOf(value);
  return kind === Object.prototype || kind === null;
}

/** Return a result as remit takes it; the text of a value that is not plain. */
export function sendable(value: unknown): Json {
  try {
    return plain(value ?? null);
  } catch {
    return textOf(value);
  }
}

/** Return the text of any value. */
export function textOf(value: unknown): string {
  try {
    return String(value).toWellFormed();
  } catch {
    return "a result that cannot be written as JSON, and was not released";
  }
}
