# SPDX-License-Identifier: Apache-2.0
"""Receipts of one event or one end: verified here before they are written, and read again elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from remit.cli.rest_client import Client
from remit.core.errors import Malformed, NotFound, NotVerifiable, VerificationFailed
from remit.core.evidence.checkpoint import PROOF_HEADER, LogProof, Note, VerifierKey
from remit.core.evidence.trust_policy import TrustPolicy
from remit.core.evidence.verification import ExportReport, verify_export
from remit.core.json_value import Json

#: Requests for a closure's event that is not in the signed log yet, a tenth of a second apart.
TRIES: Final = 30


def prove_event(client: Client, event: Json) -> Json:
    """Fetch the proof of an event, check it against the event's hash and the log's key, and report the
    result.
    """
    from remit.cli.evidence.known_logs import trusted_key
    from remit.core.evidence import merkle
    from remit.core.evidence.checkpoint import open_checkpoint

    head = client.get("events", "head")
    text = client.get("events", str(event["index"]), "proof")
    proof = LogProof.parse(text.encode())
    key: VerifierKey = trusted_key(client.base_url, head["verifier"])
    if proof.index != event["index"]:
        raise VerificationFailed("the proof is of another event")
    checkpoint = open_checkpoint(proof.checkpoint, key, origin=head["origin"]).checkpoint
    merkle.verify_inclusion(
        bytes.fromhex(event["hash"]), proof.index, checkpoint.size, proof.path, checkpoint.root
    )
    return {
        "index": proof.index,
        "size": checkpoint.size,
        "origin": checkpoint.origin,
        "root": checkpoint.root.hex(),
        "verifier": str(key),
        "proof": text,
    }


def is_event_receipt(first: bytes) -> bool:
    """Return whether a file with this first line is the receipt of one event."""
    return first.strip() == PROOF_HEADER.encode()


def read_event_receipt(
    content: bytes, given: VerifierKey | None, at_least: int, policy: TrustPolicy | None = None
) -> Json:
    """Return what the receipt of an event proves, offline: the event, its index, and what does not hold.

    By `policy` witnesses must have cosigned its checkpoint. Raises `NotVerifiable` if there is no key to
    verify with, or no event in the receipt.
    """
    told: Json = {"holds": False, "faults": []}
    try:
        proof = LogProof.parse(content)
        key = given or (policy.open(proof.checkpoint).log if policy and policy.logs else None)
        key = key or _signer(Note.parse(proof.checkpoint))
        if not proof.extra:
            raise NotVerifiable(
                "the receipt does not contain its event",
                remediation="make a new receipt with `remit audit prove`",
            )
        told |= {"index": proof.index, "key": str(key)}
        head = proof.verify(proof.extra, key).checkpoint
        told |= {"size": head.size, "origin": head.origin, "root": head.root.hex()}
        if policy is not None:
            cosigned = policy.open(proof.checkpoint, key).cosignatures
            told["witnessed"] = [{"witness": one.key.name, "at": one.timestamp} for one in cosigned]
        if head.size < at_least:
            raise VerificationFailed(
                f"the signed head covers {head.size} events, not {at_least}", code="too-few"
            )
        told["event"] = msgspec.json.decode(proof.extra)
    except (Malformed, VerificationFailed, msgspec.DecodeError) as fault:
        code = getattr(fault, "code", "not-json")
        told["faults"] = [{"index": told.get("index", -1), "code": code, "text": str(fault)}]
        return told
    return told | {"holds": True}


def _signer(note: Note) -> VerifierKey:
    """Return the key, seen from here before, that a checkpoint names as its signer."""
    from remit.cli.evidence.known_logs import known_keys

    named = {(line.name, line.key_id) for line in note.signatures}
    for key in known_keys():
        if (key.name, key.key_id) in named:
            return key
    raise NotVerifiable(
        "no key to verify with: the receipt's key was never seen here",
        remediation="give the log's public key with `--key`; `remit up` prints it",
    )


def prove_closure(client: Client, closure: str, place: Path | None = None) -> tuple[ExportReport, Json]:
    """Fetch the receipt of a closure, verify it, and store it at `place`; return its content and the result.

    Raises `VerificationFailed` with the first fault.
    """
    from remit.cli.evidence.known_logs import trusted_key

    lines = _receipt(client, closure).splitlines(keepends=True)
    try:
        told = str(msgspec.json.decode(lines[0]).get("verifier", ""))
    except (msgspec.DecodeError, IndexError):
        told = ""
    key = trusted_key(client.base_url, told)
    report = verify_export(lines, key)
    if report.faults or report.closure is None or report.closure.id != closure:
        first = report.faults[0].text if report.faults else f"the receipt is not of closure `{closure}`"
        raise VerificationFailed(f"the receipt does not verify: {first}")
    if place is not None:
        place.write_bytes(b"".join(lines))
    said = {
        "events": report.events,
        "size": report.size,
        "origin": report.origin,
        "root": report.root,
        "verifier": str(key),
        "receipt": str(place) if place is not None else "",
    }
    return report, said


def _receipt(client: Client, closure: str) -> bytes:
    for _ in range(TRIES):
        try:
            with client.stream("closures", closure, "receipt") as response:
                return response.read()
        except NotFound as missing:
            if missing.code != "not-signed-yet":
                raise
            time.sleep(0.1)
    raise NotFound(
        f"closure `{closure}` is not in the signed log yet",
        remediation=f"run `remit audit prove {closure}` later; `remit doctor` shows the state of the log",
    )
