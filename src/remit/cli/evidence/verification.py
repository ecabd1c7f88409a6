# SPDX-License-Identifier: Apache-2.0
"""Verifies exported evidence against a trusted key, and against what was seen of the log before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from remit.cli.evidence.closure import show_read
from remit.cli.evidence.export import ExportProgress, fetch, progress
from remit.cli.evidence.known_logs import (
    ANEW,
    SeenHead,
    is_known,
    last_head,
    remember_head,
    seen_key,
    succeed,
    take,
)
from remit.cli.evidence.receipts import is_event_receipt, read_event_receipt
from remit.cli.output import terminal
from remit.cli.rest_client import Client, connect
from remit.core.errors import Forbidden, Malformed, NotVerifiable, VerificationFailed
from remit.core.evidence.checkpoint import MAX_NOTE_BYTES, VerifierKey
from remit.core.evidence.pruning import PruneClaim
from remit.core.evidence.restore import Loss
from remit.core.evidence.trust_policy import MAX_BYTES, TrustPolicy
from remit.core.evidence.verification import ExportReport, RestoreRead, SeenRoot, verify_export
from remit.core.findings.kinds import FindingKind
from remit.core.json_value import Json

FAILED = 4
#: Prunes that a terminal shows.
_MOST_PRUNED = 20


class _Named(msgspec.Struct):
    """The statement of an export about itself, in its first line."""

    verifier: str = ""
    size: int = 0


class VerifiedExport(NamedTuple):
    """The result of a verification; `seen` is the head that held here before."""

    report: ExportReport
    key: str
    seen: SeenHead | None


def read_policy(place: Path) -> TrustPolicy:
    """Read a trust policy; raise `Malformed`."""
    try:
        with place.open("rb") as opened:
            return TrustPolicy.parse(opened.read(MAX_BYTES + 1))
    except OSError as fault:
        raise Malformed(
            f"`{place}` cannot be read: {fault.strerror}", remediation="give the file of a trust policy"
        ) from None


def verify_running(
    *,
    key: str,
    at_least: int,
    task: str,
    values: bool,
    anew: bool = False,
    policy: TrustPolicy | None = None,
) -> int:
    """Fetch the running remit's evidence and verify it here; `anew` verifies it under the given key.

    With `anew` the given key then replaces the one that was seen before.
    """
    client = connect()
    # A log whose key was replaced is signed under both keys for a while, and its events name the new key.
    # Evidence that verifies under the key seen here therefore vouches for the new key.
    given = str(trusted_for(None, key)) if anew else ""
    known = "" if key or task or (policy and policy.logs) else seen_key(client.base_url)
    with tempfile.TemporaryDirectory(prefix="remit-") as folder:
        place = Path(folder) / "evidence.jsonl"
        fetch(client, place, task=task, values=values, under=given or known)
        checked, code = _verify(place, key or known, at_least, "the running remit", policy)
    if known and checked.report.holds and checked.report.successor:
        succeed(client.base_url, checked.report.successor)
    elif given and checked.report.holds and take(client.base_url, checked.report.successor or given):
        terminal.remark(f"this key is now stored for the log at {client.base_url}")
    elif known and any(fault.code == "other-key" for fault in checked.report.faults):
        terminal.remark(f"it is not the log seen before at {client.base_url}; {ANEW}", style="yellow")
    return code or (0 if task else _state_held(client))


def _state_held(client: Client) -> int:
    """Tell of the rows of state that are not as the log says; return the exit code."""
    try:
        found = client.get("findings", kind=FindingKind.STATE_CHANGED.value, state="open")["items"]
    except Forbidden:
        return 0  # an auditor of events alone
    for one in found:
        facts = one["facts"]
        terminal.remark(f"not as the log says: {facts['table']} {facts['row']}: {facts['why']}", style="red")
    return FAILED if found else 0


def verify_file(place: Path, *, key: str, at_least: int, policy: TrustPolicy | None = None) -> int:
    """Verify a file, an export or the receipt of an event; report the result and return the exit code."""
    with place.open("rb") as opened:
        if is_event_receipt(opened.readline(200)):
            opened.seek(0)
            return _verify_receipt(opened.read(4 * MAX_NOTE_BYTES), str(place), key, at_least, policy)
    return _verify(place, key, at_least, str(place), policy)[1]


def _verify(
    place: Path, key: str, at_least: int, shown: str, policy: TrustPolicy | None
) -> tuple[VerifiedExport, int]:
    with place.open("rb") as opened:
        first = opened.readline()
        opened.seek(0)
        named = _named(first)
        trusted = _of_policy(named, policy) if not key else None
        trusted = trusted or trusted_for(named, key)
        seen = last_head(str(trusted))
        with progress("verifying", named.size) as advance:
            report = verify_export(
                _watched(opened, advance),
                trusted,
                at_least=at_least,
                seen=SeenRoot(seen.size, bytes.fromhex(seen.root)) if seen else None,
                policy=policy,
            )
    verdict = VerifiedExport(report, str(trusted), seen)
    if report.holds and report.size:
        head = SeenHead(report.size, report.root, datetime.now(UTC).isoformat())
        remember_head(str(trusted), head, instead=report.seen_lost)
    _tell(verdict, shown)
    return verdict, 0 if report.holds else FAILED


def checked_export(
    place: Path, key: str, each: Callable[[bytes], None] | None = None
) -> tuple[ExportReport, str]:
    """Verify an export without showing anything; return the report, and the key that it was verified with.

    Raises `VerificationFailed` if it does not hold. A log that is not the one seen here before does not hold;
    an older state of it does. `each` takes the
    lines that are verified: a file that is read again may be another one.
    """
    with place.open("rb") as opened:
        named = _named(opened.readline())
        opened.seek(0)
        trusted = trusted_for(named, key)
        seen = last_head(str(trusted))
        known = SeenRoot(seen.size, bytes.fromhex(seen.root)) if seen and seen.size <= named.size else None
        with progress("verifying", named.size) as advance:
            report = verify_export(_watched(opened, advance, each), trusted, seen=known)
    if not report.holds:
        raise VerificationFailed(
            f"`{place}` does not verify", remediation=f"see `remit audit verify {place}`"
        )
    return report, str(trusted)


def _of_policy(named: _Named, policy: TrustPolicy | None) -> VerifierKey | None:
    """Return the log of the policy that the file names, or its only one; `None` without any."""
    keys = [one.key for one in policy.logs] if policy is not None else []
    return next((one for one in keys if str(one) == named.verifier), keys[0] if keys else None)


def _verify_receipt(content: bytes, shown: str, key: str, at_least: int, policy: TrustPolicy | None) -> int:
    told = read_event_receipt(content, trusted_for(None, key) if key else None, at_least, policy)
    if terminal.is_json():
        terminal.answer(told)
    elif not told["holds"]:
        _bad(shown, told["faults"])
    else:
        event = told["event"]
        pairs = [(name, str(event.get(name, ""))) for name in ("at", "agent", "task", "call")]
        pairs += [
            (name, value if isinstance(value, str) else terminal.compact(value))
            for name, value in event["facts"].items()
        ]
        signed = [("log", told["origin"]), ("signed at", str(told["size"])), ("key", told["key"])]
        signed += [("witnessed", _witnessed(told.get("witnessed", ())))]
        terminal.say(terminal.text("verified", "bold green"), f": event {told['index']}  {event['kind']}")
        terminal.picture(terminal.facts(pairs + signed))
    return 0 if told["holds"] else FAILED


def _watched(
    lines: Iterable[bytes], advance: ExportProgress, each: Callable[[bytes], None] | None = None
) -> Iterator[bytes]:
    for line in lines:
        advance(1)
        if each is not None:
            each(line)
        yield line


def _named(first: bytes) -> _Named:
    try:
        return msgspec.json.decode(first, type=_Named)
    except ValueError:
        return _Named()


def trusted_for(named: _Named | None, given: str) -> VerifierKey:
    """Return the key to verify with: the given one, or the one that the file names if it is known here.

    INVARIANT: a key that only the file itself vouches for verifies nothing.
    """
    if given:
        place = Path(given)
        text = place.read_text(encoding="utf-8").strip() if len(given) < 4096 and place.is_file() else given
        try:
            return VerifierKey.parse(text)
        except Malformed as fault:
            raise Malformed(
                f"`--key`: {fault.message}",
                remediation="give the whole key as `remit up` prints it, or a file with it",
            ) from None
    if named is not None and named.verifier and is_known(named.verifier):
        return VerifierKey.parse(named.verifier)
    raise NotVerifiable(
        "no key to verify with: the file's key was never seen here",
        remediation="give the log's public key with `--key`; `remit up` prints it",
    )


def _tell(verdict: VerifiedExport, what: str) -> None:
    report = verdict.report
    faults = [msgspec.to_builtins(fault) for fault in report.faults]
    if terminal.is_json():
        terminal.answer(
            {**msgspec.to_builtins(report), "holds": report.holds, "faults": faults, "key": verdict.key}
        )
    elif report.holds:
        _good(verdict, what)
    else:
        _bad(what, faults)


def _bad(what: str, faults: list[Json]) -> None:
    terminal.say(terminal.text("DOES NOT VERIFY", "bold red"), f": {what}")
    for fault in faults:
        terminal.say(terminal.text(f"  {fault['code']}", "red"), f"  {fault['text']}")


def _good(verdict: VerifiedExport, what: str) -> None:
    report = verdict.report
    terminal.say(terminal.text("verified", "bold green"), f": {what}")
    if report.closure is not None:
        show_read(report.closure)
        terminal.say("")
    part = f"of task {report.task}" if report.task else "about this end" if report.closure else ""
    part = "that an answer rests on" if report.question else part
    whole = "all that were not pruned" if report.absent else "all of them"
    scope = part or (whole if report.complete else "not all of them")
    seen = verdict.seen
    before = f"begins with the {seen.size} events seen {terminal.moment(seen.at).plain}" if seen else ""
    if seen and report.seen_lost:
        before = f"the {seen.size} events seen {terminal.moment(seen.at).plain} are not all in it, see `lost`"
    terminal.picture(
        terminal.facts(
            [
                ("log", report.origin),
                ("question", report.question),
                ("events", f"{report.events} ({scope}); signed at {report.size}"),
                ("root", report.root),
                ("key", verdict.key),
                ("its successor", report.successor),
                ("witnessed", _witnessed(msgspec.to_builtins(report.witnessed))),
                ("from", terminal.moment(report.first)),
                ("to", terminal.moment(report.last)),
                ("values", _opened(report.opened)),
                ("continuity", before if not part else ""),
                *(("lost", _lost(one)) for one in report.restores if one.loss != Loss.NONE),
                ("no outcome", _unfinished(report)),
                ("pruned", pruned_note(report.absent, pruned_before(report))),
            ]
        )
    )
    _show_pruned(report)
    terminal.table(("KIND", "EVENTS"), ((kind, str(n)) for kind, n in report.kinds.items()), empty="")


def pruned_before(report: ExportReport) -> str:
    """Return the time before which events may have been pruned; empty if none were."""
    return max((one.before for one in report.pruned), default="")


def pruned_note(count: int, before: str) -> str:
    """Say what pruned evidence does not cover; empty where nothing was pruned."""
    return f"the text of {count:,} events from before {before[:16]} UTC is gone, on record" if count else ""


def _show_pruned(report: ExportReport) -> None:
    if not report.pruned:
        return
    shown = report.pruned[-_MOST_PRUNED:]
    terminal.table(
        ("PRUNED", "EVENTS", "WHEN", "BY", "SAID BY", "WHY"),
        (
            (
                _spans(one),
                str(one.events),
                terminal.moment(one.at),
                one.by or terminal.text("not disclosed", "dim"),
                f"event {one.event}",
                f"{one.reason}{' (without an export)' if one.without_export else ''}",
            )
            for one in shown
        ),
        empty="",
    )
    if len(shown) < len(report.pruned):
        terminal.remark(f"the last {len(shown)} of {len(report.pruned)}; `--json` lists all")


def _spans(claim: PruneClaim) -> str:
    spans = [str(first) if first + 1 == end else f"{first} to {end - 1}" for first, end in claim.spans]
    return ", ".join(spans[:3]) + (f" and {len(spans) - 3} more" if len(spans) > 3 else "")


def _lost(one: RestoreRead) -> str:
    """Report what a restore has lost."""
    until = f"up to {one.lost_size} events" if one.lost_size else "how many is not known"
    return f"what came after event {one.size - 1} ({until}): a backup of {one.made} was restored; accepted"


def _witnessed(cosignatures: Iterable[Json]) -> str:
    """Report who cosigned the checkpoint, and when."""
    times = ((one["witness"], datetime.fromtimestamp(one["at"], UTC)) for one in cosignatures)
    return ", ".join(f"{name} at {at:%Y-%m-%d %H:%M:%SZ}" for name, at in times)


def _opened(count: int) -> str:
    """Report how many values were checked against their commitments; a receipt has none."""
    return f"{terminal.counted(count, 'event')} with values, each as committed" if count else ""


def _unfinished(report: ExportReport) -> str:
    """Report which permitted calls have no outcome: cut off by an end or a crash, or still pending."""
    count, first = len(report.unfinished), ", ".join(report.unfinished[:3])
    more = f" and {count - 3} more (`--json` lists all)" if count > 3 else ""
    return f"{terminal.counted(count, 'permitted call')}: {first}{more}" if count else ""
