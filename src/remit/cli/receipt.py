# SPDX-License-Identifier: Apache-2.0
"""Receipts: that one event is in the signed log, verified here, against the key that was seen first."""

from __future__ import annotations

from typing import Any

from remit.cli.client import Client
from remit.core.checkpoint import LogProof, VerifierKey
from remit.core.errors import VerificationFailed

Json = Any


def prove_event(client: Client, event: Json) -> Json:
    """Fetch the proof of an event, hold it against the event's hash and the log's key, and say what holds."""
    from remit.cli.trust import trusted_key
    from remit.core import merkle
    from remit.core.checkpoint import open_checkpoint

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
