# SPDX-License-Identifier: Apache-2.0
"""A chain as a small picture on a terminal: what led to a call, from its source to where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from remit.cli.output import terminal
from remit.cli.output.mermaid import Flowchart
from remit.cli.rest_client import Client
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.chain import Chain, ChainCall, ChainTask, traced
from remit.core.json_value import Json


def fetched(client: Client, call: str) -> Chain:
    """Ask the running remit for a chain."""
    return msgspec.convert(client.get("chains", call), Chain)


def chain_in(file: Path, call: str) -> Chain:
    """Trace a chain in an exported file; raises `NotFound` if the file does not hold the call."""
    records = [record for line in file.read_bytes().splitlines() if (record := _record(line))]
    task, decision = call, ""
    for record in records:
        named = record.get("call") == call or str(record["index"]) == call
        if named and record.get("kind") == "decision.made":
            task, decision = str(record.get("task", "")), str(record.get("call", ""))
    tracing = traced(task, decision)
    try:
        wanted = next(tracing)
        while True:
            wanted = tracing.send([one for one in records if one.get("task") == wanted])
    except StopIteration as stop:
        chain: Chain = stop.value
        return chain
    except NotFound:
        raise NotFound(
            f"{file} holds no refused call of `{call[:80]}`",
            remediation="give a task, a decision's id or the index of its event; export without `--task`",
        ) from None
    except (ValueError, TypeError, LookupError, AttributeError):
        raise _no_evidence() from None


def _record(line: bytes) -> Mapping[str, Json] | None:
    """Return an event of an export as parsed; None for the lines around the events."""
    try:
        written = json.loads(line)
        if "leaf" not in written:
            return None
        record: dict[str, Json] = json.loads(written["leaf"])
        values = {name: opening[1] for name, opening in (written.get("openings") or {}).items()}
        return record | {"index": written["index"], "values": values}
    except (ValueError, TypeError, LookupError, AttributeError):
        raise _no_evidence() from None


def _no_evidence() -> Malformed:
    return Malformed("the file is not exported evidence", remediation="run `remit audit verify` on it")


def lines(chain: Chain) -> Iterator[Text | Padding | Table]:
    """Draw a chain: a line for each task and call, and between them what connects one to the next."""
    wide = max((len(one.tool) for one in chain.calls), default=0)
    numbers = {one.decision: one for one in chain.calls}
    task = ""
    before = ""
    if chain.cut:
        yield terminal.text("  ⋮ earlier causes are not shown", "dim")
    for call in chain.calls:
        for cause, how in chain.led_to(call.decision):
            yield _edge(numbers[cause], how, before, call)
        if call.task != task:
            task = call.task
            yield _head(chain.task(task))
        yield _call(call, wide, stopped=call.decision == chain.stopped)
        yield from _why(call)
        before = call.decision


def flowchart(chain: Chain) -> Flowchart:
    """Draw a chain as a flowchart: each call with its task, and a refusal with its reasons."""
    chart = Flowchart("TD")
    for call in chain.calls:
        task = chain.task(call.task)
        reasons = (f"{one.said} [{one.rule}]" if one.rule else one.said for one in call.told)
        about = (one for one in (call.about, call.carries, call.approved) if one)
        who = f"{task.agent}, {task.type}" if task.type else task.agent
        chart.box(call.decision, who, f"{_name(call)}: {call.tool}", ", ".join(about), *reasons)
    for call in chain.calls:
        for cause, how in chain.led_to(call.decision):
            chart.arrow(cause, call.decision, how)
    return chart


def _name(call: ChainCall) -> str:
    return {"deny": "refused", "defer": "asked"}.get(call.outcome, f"call {call.number}")


def _head(task: ChainTask) -> Text:
    told = f"  {task.type}" + (f", for {task.on_behalf_of}" if task.on_behalf_of else "")
    return Text.assemble(
        terminal.text(task.agent, "bold"), terminal.text(told), terminal.text(f"  {task.id}", "dim")
    )


def _call(call: ChainCall, wide: int, *, stopped: bool) -> Table:
    sign, style = {"deny": ("✗", "red"), "defer": ("?", "yellow")}.get(call.outcome, ("●", ""))
    mark = terminal.text(sign, f"bold {style}" if style else "yellow" if stopped else "cyan")
    about = Text("  ").join(
        terminal.text(told, style)
        for told, style in ((call.about, ""), (call.carries, "dim"), (call.approved, "yellow"))
        if told
    )
    told = terminal.text(f" {_name(call):<8}", style)
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(no_wrap=True)
    # Text that does not fit continues below the text, not below the mark.
    line.add_column(overflow="fold")
    line.add_row(Text.assemble("  ", mark, told, terminal.text(f" {call.tool:<{wide}}", "bold")), about)
    return line


def _edge(cause: ChainCall, how: str, before: str, call: ChainCall) -> Text:
    if cause.decision != before:
        how += f", of call {cause.number}" + ("" if cause.task == call.task else f" of {cause.task}")
    return Text.assemble("  ", terminal.text("▼ ", "dim"), terminal.text(how, "yellow"))


def _why(call: ChainCall) -> Iterator[Padding]:
    for reason in call.told:
        rule = f"  [{reason.rule}]" if reason.rule else ""
        line = Text.assemble(terminal.text(reason.said), terminal.text(rule, "dim"))
        yield Padding(line, (0, 0, 0, 6), expand=False)
    if more := len(call.reasons) - len(call.told):
        yield Padding(terminal.text(f"and {more} more", "dim"), (0, 0, 0, 6), expand=False)
