# SPDX-License-Identifier: Apache-2.0
"""Chains: how a value, or a piece of data, came to a call, across calls, tasks and what agents share.

A chain is drawn from the evidence alone. A call's decision says of each argument from which earlier call its
value came (`flow`), and of what it read, which call of which task had written it (`rest`). Going back along
both, from the call that was stopped, ends where nothing that remit saw came before: at the source.

`traced` is a generator: it yields the ids of tasks whose events it needs, and is sent these events, as
`remit audit export` has them, in order. So the same code runs in the service and on a file, offline.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.errors import NotFound
from remit.core.json_value import Json

Record = Mapping[str, Json]

MAX_CALLS: Final = 40
"""Calls that one chain shows. What lies further back is left out, and said to be."""
MAX_CAUSES: Final = 6
"""Earlier calls that are followed from one call."""


class ChainReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call was refused: a stable code, the rule, and its words where they can still be read."""

    code: str
    rule: str = ""
    text: str = ""

    @property
    def said(self) -> str:
        """Its words, or that they are not here: left out of an export, or forgotten."""
        return self.text or "the text is not readable here"


class ChainCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a chain. `number` counts the permitted calls of its task from 1 (0: it was not permitted).

    `about` is which record it read or what it acted on, where that can still be read; `carries` is what is
    known of the data it gave: class and trust. `approved` says who let it through, where somebody was asked.
    `reasons` say why it was refused.
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
        """The reasons to tell first: the one that decided, and by what arguments came into the task."""
        return tuple(
            one for place, one in enumerate(self.reasons) if place == 0 or (one.code == "flow" and one.text)
        )


class ChainTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that a chain goes through."""

    id: str
    agent: str
    type: str = ""
    on_behalf_of: str = ""


class ChainEdge(msgspec.Struct, frozen=True, kw_only=True):
    """What led from one call to a later one, each by its decision.

    `kind` is `value`: an argument's value first appeared in the result of the earlier call; `stored`: the
    earlier call wrote what the later one read; `read`: the later call's task had read the result of the
    earlier one before, and nothing says more.
    """

    cause: str
    effect: str
    kind: str
    argument: str = ""
    field: str = ""
    resource: str = ""
    upstream: str = ""


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was stopped (or any other), and what led to it: in the order in which it happened.

    `cut` says that there is more of it than is shown.
    """

    stopped: str
    tasks: tuple[ChainTask, ...]
    calls: tuple[ChainCall, ...]
    edges: tuple[ChainEdge, ...]
    cut: bool = False

    def task(self, id: str) -> ChainTask:
        """Return one of its tasks."""
        return next(one for one in self.tasks if one.id == id)

    def led_to(self, decision: str) -> list[tuple[str, str]]:
        """Say in words what led to a call: (decision of the earlier call, how), each way once."""
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
    """Trace what led to a call: to the one with that decision, else to the last of the task that was refused.

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
"""A call: its task, and its decision."""


def _located(trace: _Trace, at: Place) -> Generator[str, Sequence[Record], Place | None]:
    """Find a call in its task or, since what a task was handed down with was met there, in one above it."""
    task, decision = at
    above: set[str] = set()
    # Evidence that somebody made up may say that a task was handed down from itself.
    while task and task not in above:
        above.add(task)
        if task not in trace.known:
            trace.add(task, (yield task))
        if (task, decision) in trace.decisions:
            return task, decision
        task = trace.parents.get(task, "")
    return None


class _Trace:
    """What is known so far."""

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
        """Take in the events of a task."""
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
                # A permit that could not be committed is decided again under the same id: the last one holds.
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
        """Return the last decision of a task that was no permit."""
        refused = [
            call
            for (of, call), record in self.decisions.items()
            if of == task and record["facts"].get("outcome") != "permit"
        ]
        return refused[-1] if refused else ""

    def causes(self, at: Place) -> list[tuple[ChainEdge, Place]]:
        """Return what led to a call: values of its arguments, what it read, else what its task had read."""
        task, decision = at
        facts = self.decisions[at].get("facts", {})
        reads = facts.get("effect") == "none"
        # What a call reads brings what was written there; what another one acts on is told by its arguments.
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
            # Where a value first appeared in data that others may have written is what a refusal speaks of.
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
        """Return what was found, in the order of the log."""
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
    """Return a value in a line."""
    if isinstance(value, dict):
        # In the order that an export has, too.
        parts = (f"{name} = {_short(one)}" for name, one in sorted(value.items()))
        return _cut(", ".join(parts), 120)
    return _cut(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 60)


def _cut(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
