# SPDX-License-Identifier: Apache-2.0
"""Chains: how a value, or a piece of data, reached a call, across calls, tasks and storage that agents share.

A chain is built from the evidence alone. A call's decision records, for each argument, the earlier call that
its value came from (`flow`), and, for the data that it read, the call and task that had written it (`rest`).
A trace follows both backwards from the stopped call to the source: the first call that remit saw.

`traced` is a generator: it yields the ids of tasks whose events it needs, and receives these events in order,
in the form of `remit audit export`. So the same code runs in the service and on a file, offline.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.errors import NotFound
from remit.core.json_value import Json

Record = Mapping[str, Json]

MAX_CALLS: Final = 40
"""Calls that one chain shows. Earlier calls are omitted, and the chain reports the omission."""
MAX_CAUSES: Final = 6
"""Earlier calls that are followed from one call."""


class ChainReason(msgspec.Struct, frozen=True, kw_only=True):
    """A reason for refusing a call: a stable code, the rule, and its text if still readable."""

    code: str
    rule: str = ""
    text: str = ""

    @property
    def said(self) -> str:
        """The text of the reason, or a note that it is unreadable: left out of an export, or forgotten."""
        return self.text or "the text is not readable here"


class ChainCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a chain. `number` counts the permitted calls of its task from 1 (0: it was not permitted).

    `about` is the record that the call read or the target that it acted on, if still readable. `carries` is
    the known class and trust of the data that it returned. `approved` names the approver, if the call needed
    an approval. `reasons` are the reasons for a refusal.
    """

    decision: str
    task: str
    number: int
    tool: str
    outcome: str
    effect: str
    at: str
    index: int
    about: str = ""
    carries: str = ""
    approved: str = ""
    reasons: tuple[ChainReason, ...] = ()

    @property
    def told(self) -> tuple[ChainReason, ...]:
        """The reasons to show first: the deciding one, and those on how the arguments came into the task."""
        return tuple(
            one for place, one in enumerate(self.reasons) if place == 0 or (one.code == "flow" and one.text)
        )


class ChainTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task on the path of a chain."""

    id: str
    agent: str
    type: str = ""
    on_behalf_of: str = ""


class ChainEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A link from an earlier call to a later one, each identified by its decision.

    `kind` is `value`: an argument's value first appeared in the result of the earlier call; `stored`: the
    earlier call wrote the data that the later one read; `read`: the later call's task had read the result of
    the earlier one before, and the evidence holds no closer link.
    """

    cause: str
    effect: str
    kind: str
    argument: str = ""
    field: str = ""
    resource: str = ""
    upstream: str = ""


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A stopped call (or any other), and the calls that led to it, in chronological order.

    `cut` is true where the chain is longer than shown.
    """

    stopped: str
    tasks: tuple[ChainTask, ...]
    calls: tuple[ChainCall, ...]
    edges: tuple[ChainEdge, ...]
    cut: bool = False

    def task(self, id: str) -> ChainTask:
        """Return one task of the chain."""
        return next(one for one in self.tasks if one.id == id)

    def led_to(self, decision: str) -> list[tuple[str, str]]:
        """Describe in words the calls that led to a call: (decision of the earlier call, how), each link
        once.
        """
        ways: dict[tuple[str, str, str], list[str]] = {}
        for one in self.edges:
            if one.effect != decision:
                continue
            if one.kind == "value":
                how = f", from field `{one.field}`" if one.field else ""
                ways.setdefault((one.cause, "value", how), []).append(f"`{one.argument}`")
            elif one.kind == "stored":
                where = f"`{one.resource}` of " if one.resource else ""
                how = f"through {where}`{one.upstream}`"
                ways.setdefault((one.cause, "stored", how), [])
            else:
                ways.setdefault((one.cause, "read", "which the task had read before"), [])
        return [(cause, ", ".join(names) + how) for (cause, _, how), names in ways.items()]


def traced(task: str, decision: str = "") -> Generator[str, Sequence[Record], Chain]:
    """Trace the calls that led to the call with that decision, or by default to the task's last refused call.

    Raises `NotFound` where the task has no such call.
    """
    trace = _Trace()
    trace.add(task, (yield task))
    stopped = decision or trace.last_refused(task)
    if (task, stopped) not in trace.decisions:
        what = f"no call with the decision `{decision[:80]}`" if decision else "no refused call"
        raise NotFound(f"task `{task[:80]}` has {what}", remediation="see `remit audit log --task`")
    waiting = [(task, stopped)]
    while waiting:
        at = waiting.pop()
        if at in trace.done:
            continue
        if len(trace.done) >= MAX_CALLS:
            trace.cut = True
            break
        trace.done[at] = None
        for edge, before in trace.causes(at):
            found = yield from _located(trace, before)
            if found is not None:
                trace.edges[edge] = None
                waiting.append(found)
    return trace.chain(stopped)


Place = tuple[str, str]
"""A call, identified by its task and its decision."""


def _located(trace: _Trace, at: Place) -> Generator[str, Sequence[Record], Place | None]:
    """Find a call in its task or in a parent task, where data handed down to the task was first seen."""
    task, decision = at
    above: set[str] = set()
    # Forged evidence may name a task as its own parent.
    while task and task not in above:
        above.add(task)
        if task not in trace.known:
            trace.add(task, (yield task))
        if (task, decision) in trace.decisions:
            return task, decision
        task = trace.parents.get(task, "")
    return None


class _Trace:
    """The facts known so far."""

    def __init__(self) -> None:
        self.known: dict[str, ChainTask] = {}
        self.parents: dict[str, str] = {}
        self.decisions: dict[Place, Record] = {}
        self.outcomes: dict[Place, list[Record]] = {}
        self.reads: dict[str, list[Record]] = {}
        self.approved: dict[str, str] = {}
        self.done: dict[Place, None] = {}
        self.edges: dict[ChainEdge, None] = {}
        self.cut = False

    def add(self, task: str, records: Iterable[Record]) -> None:
        """Add the events of a task."""
        self.known[task] = ChainTask(id=task, agent="")
        for record in records:
            kind, call, facts = record.get("kind"), str(record.get("call", "")), record.get("facts", {})
            if kind == "task.opened":
                values = record.get("values") or {}
                self.parents[task] = str(facts.get("parent", ""))
                self.known[task] = ChainTask(
                    id=task,
                    agent=str(record.get("agent", "")),
                    type=str(facts.get("task_type", "")),
                    on_behalf_of=str(values.get("on_behalf_of", "")),
                )
            elif kind == "decision.made" and call:
                # A permit that could not be committed is decided again under the same id: the last decision
                # counts.
                self.decisions[task, call] = record
                if not self.known[task].agent:
                    self.known[task] = ChainTask(id=task, agent=str(record.get("agent", "")))
            elif kind == "approval.decided" and facts.get("state") == "approved":
                by = (record.get("values") or {}).get("by")
                self.approved[str(facts.get("approval"))] = f"approved by {by}" if by else "approved"
            elif kind in ("data.read", "action.executed") and call:
                self.outcomes.setdefault((task, call), []).append(record)
                if kind == "data.read" and facts.get("trust") == "untrusted":
                    self.reads.setdefault(task, []).append(record)

    def last_refused(self, task: str) -> str:
        """Return the task's last decision that was not a permit."""
        refused = [
            call
            for (of, call), record in self.decisions.items()
            if of == task and record["facts"].get("outcome") != "permit"
        ]
        return refused[-1] if refused else ""

    def causes(self, at: Place) -> list[tuple[ChainEdge, Place]]:
        """Return the causes of a call: the sources of its arguments, of the data that it read, else earlier
        reads of its task.
        """
        task, decision = at
        facts = self.decisions[at].get("facts", {})
        reads = facts.get("effect") == "none"
        # A reading call is explained by what was written there earlier; any other call by its arguments.
        found = list(self._stored(at)) if reads else list(self._values(at, facts.get("flow") or ()))
        found = found or list(self._stored(at) if not reads else self._values(at, facts.get("flow") or ()))
        if not found and not reads:
            index = self.decisions[at].get("index", 0)
            earlier = [one for one in self.reads.get(task, ()) if one.get("index", 0) < index]
            found = [
                (
                    ChainEdge(cause=str(one["call"]), effect=decision, kind="read"),
                    (task, str(one["call"])),
                )
                for one in earlier[:MAX_CAUSES]
            ]
            self.cut = self.cut or len(earlier) > MAX_CAUSES
        self.cut = self.cut or len(found) > MAX_CAUSES
        return found[:MAX_CAUSES]

    def _values(self, at: Place, flow: Iterable[Json]) -> Iterable[tuple[ChainEdge, Place]]:
        task, decision = at
        for entry in flow:
            origins = entry.get("origins") or ()
            untrusted = [one for one in origins if one[4] == "untrusted"]
            if entry.get("provenance") in ("intent", "trusted") and not untrusted:
                continue
            # A refusal concerns the place where a value first appeared in data that others may have written.
            for _, before, _, field, _ in (untrusted or origins)[:1]:
                yield (
                    ChainEdge(
                        cause=before,
                        effect=decision,
                        kind="value",
                        argument=str(entry.get("argument", "")),
                        field=field,
                    ),
                    (task, before),
                )

    def _stored(self, at: Place) -> Iterable[tuple[ChainEdge, Place]]:
        record = self.decisions[at]
        names = (record.get("values") or {}).get("rest") or ()
        for place, one in enumerate(record["facts"].get("rest") or ()):
            if one.get("trust") != "untrusted":
                continue
            yield (
                ChainEdge(
                    cause=str(one.get("decision", "")),
                    effect=at[1],
                    kind="stored",
                    resource=str(names[place]) if place < len(names) else "",
                    upstream=str(one.get("upstream", "")),
                ),
                (str(one.get("task", "")), str(one.get("decision", ""))),
            )

    def chain(self, stopped: str) -> Chain:
        """Return the chain found so far, in the order of the log."""
        calls = sorted((self._call(at) for at in self.done), key=lambda one: one.index)
        shown = {one.decision for one in calls}
        tasks = dict.fromkeys(one.task for one in calls)
        return Chain(
            stopped=stopped,
            tasks=tuple(self.known[one] for one in tasks),
            calls=tuple(calls),
            edges=tuple(one for one in self.edges if one.cause in shown),
            cut=self.cut,
        )

    def _call(self, at: Place) -> ChainCall:
        record = self.decisions[at]
        facts, values = record["facts"], record.get("values") or {}
        about, carries = "", ""
        for outcome in self.outcomes.get(at, ()):
            said, sealed = outcome["facts"], outcome.get("values") or {}
            about = _short(sealed.get("record") or sealed.get("target") or "")
            if outcome["kind"] == "data.read":
                carries = f"{said.get('class')}, {said.get('trust')}"
        told = values.get("reasons") or ()
        reasons = tuple(
            ChainReason(
                code=str(one.get("code", "")),
                rule=str(one.get("rule", "")),
                text=str(told[place]) if place < len(told) else "",
            )
            for place, one in enumerate(facts.get("reasons") or ())
            if facts["outcome"] != "permit"
        )
        return ChainCall(
            decision=at[1],
            task=at[0],
            number=int(facts.get("number", 0)),
            tool=str(facts.get("tool", "")),
            outcome=str(facts.get("outcome", "")),
            effect=str(facts.get("effect", "")),
            at=str(record.get("at", "")),
            index=int(record.get("index", 0)),
            approved=self.approved.get(str(facts.get("approval", "")), "") if not reasons else "",
            about=about or _short(values.get("arguments") or ""),
            carries=carries,
            reasons=reasons,
        )


def _short(value: Json) -> str:
    """Return a value as one line of text."""
    if isinstance(value, dict):
        # Sorted, so that the order equals that of an export.
        parts = (f"{name} = {_short(one)}" for name, one in sorted(value.items()))
        return _cut(", ".join(parts), 120)
    return _cut(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 60)


def _cut(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
