# SPDX-License-Identifier: Apache-2.0
"""Verifies by a proof, without the log's events, that a log has only grown since the last look from here."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import NamedTuple

from remit.cli.evidence.known_logs import SeenHead, last_head, remember_head, seen_key
from remit.cli.evidence.verification import FAILED, trusted_for
from remit.cli.output import terminal
from remit.cli.rest_client import connect
from remit.core.errors import Malformed, NotFound, NotVerifiable, VerificationFailed
from remit.core.evidence.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from remit.core.evidence.merkle import verify_consistency
from remit.core.json_value import Json


class _Known(NamedTuple):
    """What is known here of the log: its key, and the last head that held."""

    key: VerifierKey
    head: SeenHead


def verify_growth(*, key: str, at_least: int) -> int:
    """Compare the running remit's signed head with the last one that held here; report the result."""
    client = connect()
    known = _known(client.base_url, key)
    try:
        try:
            told = client.get("events", "growth", old=known.head.size)
        except NotFound as shorter:
            raise VerificationFailed(f"it was truncated: {shorter.message}", code="cut-back") from None
        head = _grown(told, known)
        if head.size < at_least:
            raise VerificationFailed(
                f"the signed head covers {head.size} events, not {at_least}", code="too-few"
            )
    except (Malformed, VerificationFailed) as fault:
        _tell_fault(known, fault)
        return FAILED
    remember_head(str(known.key), SeenHead(head.size, head.root.hex(), datetime.now(UTC).isoformat()))
    _tell(known, head)
    return 0


def _known(base_url: str, given: str) -> _Known:
    text = given or seen_key(base_url)
    key = trusted_for(None, text) if text else None
    seen = last_head(str(key)) if key is not None else None
    if key is None or seen is None:
        raise NotVerifiable(
            "this log has never been verified here, so there is no earlier head to compare",
            remediation="run `remit audit verify` once; it reads the whole log",
        )
    return _Known(key, seen)


def _grown(told: Json, known: _Known) -> Checkpoint:
    """Return the reported head if it is signed and extends the known one."""
    try:
        proof = [base64.b64decode(one, validate=True) for one in told["proof"]]
        note = str(told["checkpoint"]).encode()
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Malformed("the running remit's answer is not a proof") from None
    head = open_checkpoint(note, known.key).checkpoint
    verify_consistency(known.head.size, head.size, proof, bytes.fromhex(known.head.root), head.root)
    return head


def _tell_fault(known: _Known, fault: Malformed | VerificationFailed) -> None:
    way = "if a backup was restored, `remit audit verify` shows whether that was accepted"
    if terminal.is_json():
        faults = [{"index": -1, "code": fault.code, "text": f"{fault}; {way}"}]
        terminal.answer({"holds": False, "old": known.head.size, "key": str(known.key), "faults": faults})
        return
    terminal.say(terminal.text("DOES NOT VERIFY", "bold red"), ": the running remit")
    terminal.say(terminal.text(f"  {fault.code}", "red"), f"  {fault}; {way}")


def _tell(known: _Known, head: Checkpoint) -> None:
    if terminal.is_json():
        told = {"origin": head.origin, "size": head.size, "root": head.root.hex(), "key": str(known.key)}
        terminal.answer({"holds": True, "old": known.head.size, **told, "faults": []})
        return
    seen = f"it begins with the {known.head.size} events seen {terminal.moment(known.head.at).plain}"
    terminal.say(terminal.text("verified", "bold green"), f": the running remit; {seen}")
    rows = [("log", head.origin), ("signed at", str(head.size)), ("root", head.root.hex())]
    terminal.picture(terminal.facts([*rows, ("key", str(known.key))]))
