// SPDX-License-Identifier: Apache-2.0
/** The wire client of remit: an agent, its tasks, and its functions under remit's decisions. */

export { Agent } from "./agent.js";
export type { Identity, TaskOptions } from "./agent.js";
export { Failed, Refused } from "./errors.js";
export type { Permit } from "./errors.js";
export type { Json } from "./json.js";
export { Task } from "./task.js";
export type { CallOptions } from "./task.js";
