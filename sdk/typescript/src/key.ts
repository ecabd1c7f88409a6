// SPDX-License-Identifier: Apache-2.0
/** An agent's key, its platform's token, and proofs that a request's sender holds a key (DPoP, RFC 9449). */

import { createHash, randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from "jose";
import type { CryptoKey, JWK, JWTPayload } from "jose";
import { Refused } from "./errors.js";

const ALGORITHMS: Record<string, string> = { "EC P-256": "ES256", "OKP Ed25519": "Ed25519" };

/** A private key that signs; it never leaves this object. */
export class Signer {
  private constructor(
    private readonly key: CryptoKey, private readonly algorithm: string, private readonly publicJwk: JWK,
  ) {}

  /** Make a new key of P-256. */
  static async generate(): Promise<Signer> {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    return new Signer(privateKey, "ES256", await exportJWK(publicKey));
  }

  /** Read the key that `remit agent register` wrote; throw `Refused` where other users can read it. */
  static async load(path: string): Promise<Signer> {
    refuseShared(dirname(path), "folder", "700");
    refuseShared(path, "file", "600");
    try {
      const jwk = JSON.parse(readFileSync(path, "utf8")) as JWK;
      const algorithm = ALGORITHMS[`${jwk.kty} ${jwk.crv}`] ?? "";
      const key = await importJWK(jwk, algorithm, { extractable: false });
      if (key instanceof Uint8Array || key.type !== "private") throw new TypeError("it is no private key");
      const { d: _, ...shown } = jwk;
      return new Signer(key, algorithm, shown);
    } catch {
      throw unusable(`the key \`${path}\` cannot be used`, "register the agent (`remit agent register`)");
    }
  }

  /** Return a client assertion (RFC 7523 section 3): short-lived, for one audience, for one use. */
  async assertion(agent: string, audience: string): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: agent, sub: agent, aud: audience, jti: randomUUID(), iat: now, exp: now + 60 };
    const kid = await calculateJwkThumbprint(this.publicJwk);
    return this.sign({ ...claims, instance: instance() }, { typ: "JWT", kid });
  }

  /** Return a proof for one request; `token` is its access token, empty at a token endpoint. */
  async proof(method: string, url: URL, token: string, nonce: string): Promise<string> {
    const ath = createHash("sha256").update(token).digest("base64url");
    const [htu, iat] = [url.origin + url.pathname, Math.floor(Date.now() / 1000)];
    const claims = { jti: randomUUID(), htm: method, htu, iat };
    const { kty = "", crv = "", x = "", y } = this.publicJwk;
    const jwk = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
    const more = { ...(token ? { ath } : {}), ...(nonce ? { nonce } : {}) };
    return this.sign({ ...claims, ...more }, { typ: "dpop+jwt", jwk });
  }

  private sign(claims: JWTPayload, header: { typ: string; jwk?: JWK; kid?: string }): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: this.algorithm, ...header }).sign(this.key);
  }
}

/** Return a platform's token from its file, which the platform renews. */
export function platformToken(path: string): string {
  try {
    const text = readFileSync(path, "ascii").trim();
    if (text.split(".").length === 3) return text;
  } catch {
    // said below
  }
  throw unusable(`\`${path}\` contains no token`, "configure the platform to write a JWT there");
}

/** Return a name for this place, so that use of a key elsewhere is detected: the one of the Python SDK. */
function instance(): string {
  let machine = "";
  try {
    machine = readFileSync("/etc/machine-id", "ascii").trim();
  } catch {
    // The host's name and the user remain.
  }
  const place = `${hostname()}\n${machine}\n${process.getuid?.() ?? ""}`;
  return createHash("sha256").update(place).digest("hex").slice(0, 16);
}

function refuseShared(path: string, what: string, mode: string): void {
  const own = process.getuid?.();
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw unusable(`\`${path}\` does not exist`, "register the agent (`remit agent register`)");
  if (own === undefined) return;
  if (found.uid !== own && found.uid !== 0) throw unusable(`\`${path}\` is not yours`, "use a folder of yours");
  if (found.mode & 0o077) throw unusable(`the ${what} \`${path}\` is open to others`, `run \`chmod ${mode} ${path}\``);
}

function unusable(why: string, remediation: string): Refused {
  return new Refused(why, "no-identity", remediation);
}
