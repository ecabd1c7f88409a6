# SPDX-License-Identifier: Apache-2.0
"""A task as a timeline: opened by whom and why, each call with its sources and decision, answers, its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import orjson
from rich.padding import Padding
from rich.text import Text

from remit.cli.evidence.event_line import saying
from remit.cli.evidence.export import evidence_file
from remit.cli.evidence.verification import checked_export, pruned_before, pruned_note
from remit.cli.output import terminal
from remit.cli.output.markdown import code, escaped
from remit.core.errors import NotFound, VerificationFailed
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json

#: Characters of arguments that a line shows.
MAX_SHOWN: Final = 300
_MARKS: Final = {"permit": ("●", "cyan"), "deny": ("✗", "red"), "defer": ("?", "yellow")}
#: Kinds that say of a call what its own lines say already.
_QUIET: Final = frozenset({"token.issued"})


class TimelineLine(msgspec.Struct, frozen=True, kw_only=True):
    """A further line of an entry: what it is about, and its words, which may be anyone's."""

    about: Literal["purpose", "for", "arguments", "label", "source", "reason", "approval", "obligation"]
    said: str


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a task. `number` counts its permitted calls from 1; 0 for anything else."""

    index: int
    at: str
    kind: str
    said: str
    outcome: str = ""
    call: str = ""
    number: int = 0
    lines: tuple[TimelineLine, ...] = ()


def entries_of(records: Sequence[Mapping[str, Any]]) -> list[TimelineEntry]:
    """Return the entries of a task's events, in order; what is not disclosed is left out."""
    numbers: dict[str, int] = {}
    found = []
    for record in records:
        facts, values = record["facts"], record["values"]
        if record["kind"] in _QUIET:
            continue
        lines: tuple[TimelineLine, ...] = ()
        if record["kind"] == EventKind.TASK_OPENED:
            lines = tuple(_opened(facts, values))
        elif record["kind"] == EventKind.DECISION_MADE:
            numbers[record.get("call", "")] = facts.get("number", 0)
            lines = tuple(_decided(facts, values, numbers))
        elif record["kind"].startswith("approval."):
            lines = tuple(_answered(values))
        found.append(
            TimelineEntry(
                index=record["index"],
                at=record["at"],
                kind=record["kind"],
                said=saying({**record, "values": values}).plain,
                outcome=facts.get("outcome", "") if record["kind"] == EventKind.DECISION_MADE else "",
                call=record.get("call", ""),
                number=numbers.get(record.get("call", ""), 0),
                lines=lines,
            )
        )
    return found


def _opened(facts: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[TimelineLine]:
    if goal := values.get("goal"):
        yield TimelineLine(about="purpose", said=str(goal))
    said = [values[name] for name in ("requested_by", "on_behalf_of") if values.get(name)]
    if said:
        for_whom = said[-1] if values.get("on_behalf_of") else "no person"
        yield TimelineLine(about="for", said=f"requested by {said[0]}, for {for_whom}")
    if params := values.get("params"):
        yield TimelineLine(about="arguments", said=_short(params))
    if parent := facts.get("parent"):
        yield TimelineLine(
            about="for", said=f"handed down from {parent}, {' <- '.join(facts.get('chain', ()))}"
        )


def _decided(
    facts: Mapping[str, Any], values: Mapping[str, Any], numbers: Mapping[str, int]
) -> Iterator[TimelineLine]:
    if "arguments" in values:
        yield TimelineLine(about="arguments", said=_short(values["arguments"]))
    kept = facts.get("facts", {})
    label = [facts["class"], *facts.get("categories", ()), *(("untrusted",) if kept.get("untrusted") else ())]
    yield TimelineLine(about="label", said=f"the task carried {', '.join(label)}")
    for one in facts.get("flow", ()):
        if "argument" in one:
            yield TimelineLine(about="source", said=_source(one, numbers))
    texts = values.get("reasons", ())
    for place, one in enumerate(facts.get("reasons", ())):
        said = texts[place] if place < len(texts) else one["code"]
        yield TimelineLine(about="reason", said=f"{said}  [{one.get('rule') or one['code']}]")
    if approval := facts.get("approval"):
        asks = facts["outcome"] == "defer"
        yield TimelineLine(about="approval", said=f"{'waits for' if asks else 'permitted by'} {approval}")
    for one in facts.get("obligations", ()):
        yield TimelineLine(about="obligation", said=one)


def _source(one: Mapping[str, Any], numbers: Mapping[str, int]) -> str:
    """Return where a value came from, in words."""
    found = [f"stated as {one['stated']}"] if one.get("stated") else []
    for _, decision, tool, field, trust in one.get("origins", ()):
        number = numbers.get(decision, 0)
        which = f"call {number}" if number else decision
        found.append(f"{which} {tool}{f', field {field}' if field else ''}, {trust}")
    return f"{one['argument']}: {one['provenance']}" + (f" <- {'; '.join(found)}" if found else "")


def _answered(values: Mapping[str, Any]) -> Iterator[TimelineLine]:
    if by := values.get("by"):
        yield TimelineLine(about="approval", said=f"by {by}")
    if comment := values.get("comment"):
        yield TimelineLine(about="approval", said=str(comment))


def _short(value: Json) -> str:
    said = terminal.compact(value)
    return said if len(said) <= MAX_SHOWN else said[: MAX_SHOWN - 1] + "…"


def show_timeline(task: str, *, place: Path | None, key: str, markdown: bool) -> None:
    """Verify the evidence, and show the timeline of a task."""
    entries = entries_of(task_records(task, place, key))
    if terminal.is_json():
        terminal.answer({"task": task, "entries": msgspec.to_builtins(entries)})
    elif markdown:
        sys.stdout.write("".join(f"{line}\n" for line in in_markdown(task, entries)))
    else:
        for line in drawn(entries):
            terminal.picture(line)


def task_records(task: str, place: Path | None, key: str) -> list[dict[str, Any]]:
    """Return the events of a task in evidence that has verified; raise `VerificationFailed`, `NotFound`."""
    found: list[dict[str, Any]] = []
    name = task.encode()

    def each(raw: bytes) -> None:
        if name not in raw:
            return
        try:
            written = orjson.loads(raw)
            record = orjson.loads(written["leaf"])
            values = {one: opening[1] for one, opening in (written.get("openings") or {}).items()}
            if record.get("task") == task:
                found.append({**record, "index": written["index"], "values": values})
        except (ValueError, TypeError, LookupError, AttributeError):
            return  # a line that is no event: the verification says so

    with evidence_file(place, task=task) as file:
        report, _ = checked_export(file, key, each)
    if report.question:
        raise VerificationFailed(
            f"`{file}` holds the events of an answer, and what is missing cannot be seen",
            remediation="take the export of the task or the whole log (`remit audit export`)",
        )
    if not report.complete:
        terminal.remark("an export of one task: events cut off at its end cannot be seen", style="yellow")
    if note := pruned_note(report.absent, pruned_before(report)):
        terminal.remark(f"{note}: some may have been of this task", style="yellow")
    if not found:
        raise NotFound(f"no event belongs to task `{task[:80]}`", remediation="see `remit task list`")
    return found


def drawn(entries: Sequence[TimelineEntry]) -> Iterator[Text | Padding]:
    """Draw the entries for a terminal: a line for each event, and below it what it rests on."""
    for one in entries:
        mark, style = _MARKS.get(one.outcome, ("·", "dim"))
        number = f"call {one.number}" if one.number and one.outcome else ""
        yield Text.assemble(
            terminal.clock(one.at),
            " ",
            (mark, f"bold {style}"),
            f" {number:<8}" if one.outcome else " ",
            terminal.text(one.kind, "bold" if one.outcome else "dim"),
            "  ",
            terminal.text(one.said),
        )
        for line in one.lines:
            styles = {"reason": "red" if one.outcome == "deny" else "yellow", "purpose": "italic"}
            said = Text.assemble(terminal.text(f"{line.about:<11}", "dim"), terminal.text(line.said))
            said.stylize(styles.get(line.about, ""), 11)
            yield Padding(said, (0, 0, 0, 17), expand=False)


def in_markdown(task: str, entries: Sequence[TimelineEntry]) -> Iterator[str]:
    """Write the entries as a Markdown list; texts of others stay text."""
    yield f"# Task {code(task)}"
    yield ""
    for one in entries:
        number = f" (call {one.number})" if one.number and one.outcome else ""
        yield f"- {code(one.at)} **{escaped(one.kind)}**{number}: {escaped(one.said)}"
        for line in one.lines:
            yield f"  - {line.about}: {escaped(line.said)}"
