# SPDX-License-Identifier: Apache-2.0
"""One event in a few words, for a list."""

from __future__ import annotations

from rich.text import Text

from remit.cli.output.terminal import STATES
from remit.core.json_value import Json
from remit.core.safe_text import plain

#: The most informative facts of each kind, in order.
_TELLING: dict[str, tuple[str, ...]] = {
    "system.started": ("version", "recovered"),
    "bundle.applied": ("bundle", "rules", "reason"),
    "bundle.proposed": ("bundle", "reason"),
    "shadow.started": ("candidate", "rules", "reason"),
    "shadow.differed": ("tool", "before", "after"),
    "shadow.stopped": ("candidate", "calls", "differing", "reason"),
    "decision.notify": ("addressee", "tool"),
    "model.used": ("model", "input_tokens", "output_tokens"),
    "log.restored": ("size", "loss", "lost_size"),
    "state.recorded": ("adopted", "more"),
    "log.loss_accepted": ("size", "lost_size", "administrators"),
    "change.frozen": ("freeze", "until", "reason"),
    "change.freeze_lifted": ("freeze", "reason"),
    "policy.proven": ("verdict", "bundle", "guardrail"),
    "person.added": ("roles",),
    "person.changed": ("change",),
    "agent.registered": ("owner", "purpose"),
    "agent.changed": ("change", "previous", "state", "workload", "owner", "reason"),
    "agent.reviewed": ("removed", "certified", "waits"),
    "agent.review_overdue": ("to", "suspended"),
    "initiative.crossed": ("initiative", "tool"),
    "delegation.made": ("task_type", "delegation"),
    "delegation.revoked": ("delegation", "reason"),
    "finding.seen": ("finding_kind", "about"),
    "finding.resolved": ("finding_kind", "about", "resolution"),
    "finding.answered": ("finding_kind", "about", "state", "reason"),
    "finding.reopened": ("finding_kind", "about", "reason"),
    "finding.proven": ("finding", "at", "outcome"),
    "scan.delivered": ("scope", "found", "opened", "fixed"),
    "person.signed_in": ("method", "session"),
    "token.issued": ("grant", "method", "bound"),
    "token.revoked": ("reason",),
    "token.refused": ("code", "endpoint", "further"),
    "person.sign_in_refused": ("code", "further"),
    "task.opened": ("task_type", "tools", "parent"),
    "task.refused": ("task_type", "code", "further"),
    "plan.extended": ("tools", "trust"),
    "task.narrowed": ("lost", "narrowed"),
    "task.suspended": ("reason",),
    "task.resumed": ("reason",),
    "task.ended": ("state", "cause", "reason"),
    "consent.given": ("client", "redirect"),
    "consent.denied": ("client", "redirect"),
    "decision.counted": ("count", "codes"),
    "decision.made": ("outcome", "tool"),
    "tool.called": ("outcome", "tool", "result_bytes"),
    "call.cancelled": ("tool", "by"),
    "data.read": ("tool", "class"),
    "action.executed": ("effect", "tool", "outcome"),
    "label.raised": ("class", "trust", "by", "described"),
    "label.lowered": ("what", "class", "trust", "upstream", "tool", "reason", "described"),
    "approval.requested": ("tool", "approval"),
    "approval.answered": ("tool", "given", "approval"),
    "approval.decided": ("state", "tool", "approval"),
    "approval.escalated": ("to", "tool", "approval"),
    "approval.broken_glass": ("tool", "missing", "approval"),
    "approver.away": ("ends",),
    "tool.pinned": ("tool",),
    "tool.changed": ("tool",),
    "tool.accepted": ("tool",),
    "upstream.lost": ("upstream",),
    "upstream.restored": ("upstream",),
    "upstream.mode": ("mode", "upstream"),
    "guard.reported": ("client", "state", "mode", "holding", "hooks", "why"),
    "fence.raised": ("scope", "cause", "reason"),
    "fence.locked": ("scope",),
    "fence.unlocked": ("scope",),
    "closure.made": ("scope", "tasks"),
    "lease.issued": ("upstream", "kind", "sink", "lease"),
    "lease.revoked": ("upstream", "kind", "sink", "lease"),
    "lease.dead": ("upstream", "kind", "sink", "lease"),
    "lease.open": ("upstream", "kind", "sink", "why", "lease"),
    "lease.closed": ("upstream", "kind", "sink", "reason", "lease"),
    "key.rotated": ("kind", "key", "reason"),
    "key.retired": ("kind", "key"),
    "secret.rotated": ("upstream", "sink"),
    "replica.gone": ("replica", "host"),
    "task.taken_over": ("replica",),
    "subject.forgotten": ("reason",),
    "log.pruned": ("events", "before", "reason"),
    "svid.issued": ("form", "spiffe_id", "further"),
    "svid.refused": ("code", "uid", "further"),
    "signal.received": ("transmitter", "event", "reactions"),
    "signal.refused": ("transmitter", "code", "further"),
    "signal.undelivered": ("receiver", "code"),
    "stream.changed": ("receiver", "change", "stream"),
}
#: Facts that are numbers, shown with their nouns.
_COUNTS = ("calls", "differing", "rules", "recovered", "tasks", "further", "result_bytes", "given")
#: The sealed values that name an event's subject, where they can still be read.
_ABOUT = ("record", "target", "resource", "goal", "text", "person")


def saying(event: Json) -> Text:
    """Return an event in a few words."""
    facts, values = event.get("facts", {}), event.get("values", {})
    said = Text()
    told: list[str] = []
    for name in _TELLING.get(event["kind"], ()):
        value = facts.get(name)
        if value in (None, "", [], 0):
            continue
        word = ", ".join(map(_short, value)) if isinstance(value, list) else _short(value)
        if name == "bound" and word == "no":
            word = "bearer"
        if word in told and name not in _COUNTS:
            # A state and its cause are often the same word.
            continue
        told.append(word)
        said.append(_apart(said) + plain(word), style=STATES.get(word, ""))
        if name in _COUNTS:
            unit = name.replace("_", " ").removeprefix("result ")
            said.append(f" {unit.removesuffix('s') if value == 1 else unit}", style="dim")
    for rule in _rules(event):
        said.append(f"{_apart(said)}[{plain(rule)}]", style="dim")
    for name in _ABOUT:
        if isinstance(values.get(name), str):
            said.append(_apart(said) + plain(values[name]), style="italic")
    if facts.get("observed"):
        said.append(f"{_apart(said)}observed, not refused", style="bold yellow")
    return said


def _short(value: object) -> str:
    """Return a fact as text; of a digest enough characters to recognise it."""
    word = str(value)
    return word[:23] if word.startswith("sha256:") else word


def _apart(said: Text) -> str:
    return "  " if said else ""


def _rules(event: Json) -> list[str]:
    """Return the rules that refused or asked; rules that permitted are left out for brevity."""
    if event["kind"] != "decision.made" or event["facts"].get("outcome") == "permit":
        return []
    reasons = event["facts"].get("reasons", [])
    return list(dict.fromkeys(one.get("rule") or one.get("code", "") for one in reasons))
