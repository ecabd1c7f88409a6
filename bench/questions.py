# SPDX-License-Identifier: Apache-2.0
"""How long auditors wait for answers and reports, on the tables of ten million events."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.figure import Figure
from bench.signed_log import MONTH_S, LogEvent, write_log
from remit.cli.evidence.questions import opened, questions, write_tables
from remit.cli.report.control_files import framework, measures
from remit.cli.report.measures import measure_all
from remit.core.json_value import Json

SLOWEST: Final = "questions: slowest of the named ones"
REPORT: Final = "questions: report of the slowest framework"
MADE: Final = "questions: verified and made into tables"
BYTES: Final = "questions: an event in the tables"
AGENTS: Final = 200
#: Calls of one task; each gives three events.
CALLS: Final = 12
_SHA: Final = "sha256:462f7578de88825e10eb2fa31922779baf3c880eab21d13abcd290a4eca9eabb"
_CLASSES: Final = ("public", "internal", "confidential")
#: What an auditor gives: one agent of many, the class that counts, and the log's last day.
_GIVEN: Final = {"agent": "agent-7", "class": "confidential", "since": "2026-03-02T00:00:00"}
FRAMEWORKS: Final = ("asi", "csf")
LIMIT: Final = 100


def _task(number: int) -> Iterator[LogEvent]:
    """Yield the events of one task."""
    task, agent = f"tsk_{number:016d}", f"agent-{number % AGENTS}"
    ids = {"agent": agent, "task": task}
    tools = [f"desk/tool-{(number + n) % 40}" for n in range(6)]
    yield (
        "task.opened",
        ids,
        {
            "bundle": _SHA,
            "chain": [agent],
            "deadline": "2026-03-02T09:30:00+00:00",
            "lease_s": 0,
            "parent": "",
            "task_type": f"type-{number % 20}",
            "tools": tools,
        },
        {"goal": "Work at the desk", "on_behalf_of": f"person-{number % 50}", "requested_by": "lena"},
    )
    lease: dict[str, Json] = {
        "kind": "oauth-token",
        "lease": f"lse_{number:016d}",
        "sink": "upstream.example",
        "upstream": "crm",
    }
    yield "lease.issued", ids, {**lease, "until": "2026-02-28T10:00:00.000000Z"}, {}
    for call in range(CALLS):
        yield from _call(number, call, tools[call % len(tools)], ids)
    yield "lease.revoked", ids, {**lease, "after_us": 40, "attempts": 1}, {}
    yield "lease.dead", ids, {**lease, "after_us": 90, "attempts": 1}, {}
    yield "task.ended", ids, {"cause": "completed", "reason": "done", "state": "completed"}, {"by": agent}


def _call(number: int, call: int, tool: str, ids: dict[str, str]) -> Iterator[LogEvent]:
    """Yield the events of one call: of fifty one is refused, of six one has an effect."""
    of = {**ids, "call": f"dec_{number * CALLS + call:016d}"}
    refused, effect = (number + call) % 50 == 0, call % 6 == 5
    audience, data_class = "external" if call % 12 == 11 else "self", _CLASSES[(number + call) % 3]
    yield (
        "decision.made",
        of,
        {
            "assurance": "key-bound",
            "audience": audience,
            "bundle": _SHA,
            "class": data_class,
            "effect": "reversible" if effect else "none",
            "outcome": "deny" if refused else "permit",
            "reasons": [{"code": "no-permit", "rule": "guard"}] if refused else [],
            "rules": [["permit-granted", _SHA]],
            "sender": "dpop",
            "tier": "assistant",
            "tool": tool,
        },
        {"arguments": {"text": f"line {call}"}},
    )
    if refused:
        return
    yield "tool.called", of, {"outcome": "ok", "result_bytes": 900 + call, "tool": tool}, {}
    if effect:
        done: dict[str, Json] = {"audience": audience, "effect": "reversible", "outcome": "ok", "tool": tool}
        yield "action.executed", of, done, {"target": f"record-{call}"}
    else:
        read: dict[str, Json] = {"categories": ["contract"], "class": data_class, "tool": tool}
        yield "data.read", of, {**read, "trust": "untrusted"}, {"record": f"record-{call}"}


def _events() -> Iterator[LogEvent]:
    yield "bundle.applied", {}, {"bundle": _SHA, "previous": "", "rules": 30, "tools": 40}, {"by": "ana"}
    for agent in range(AGENTS):
        about: dict[str, Json] = {
            "environment": "production",
            "initiative": "",
            "manifest": "",
            "owner": f"owner-{agent % 9}",
        }
        yield "agent.registered", {"agent": f"agent-{agent}"}, {**about, "purpose": "x"}, {"by": "ana"}
    for number in itertools.count():
        yield from _task(number)


def questions_answered(quick: bool) -> list[Figure]:
    """How long the slowest question and report take, and what it takes to make the tables once."""
    count = 50_000 if quick else 10_000_000
    with tempfile.TemporaryDirectory(prefix="bench-questions-") as folder:
        export, made = Path(folder) / "evidence.jsonl", Path(folder) / "tables"
        key = write_log(export, itertools.islice(_events(), count), count)
        began = time.perf_counter()
        write_tables(export, made, key=str(key))
        made_s = time.perf_counter() - began
        export.unlink()
        stored = sum(one.stat().st_size for one in made.iterdir())
        asked, reported = dict[str, float](), dict[str, float]()
        with opened(made, str(key)) as (tables, log):
            for one in questions():
                for which, given in (("all", {}), ("one", _GIVEN)):
                    named = {name: given.get(name) for name in one.parameters}
                    began = time.perf_counter()
                    tables.ask(one.sql, named, limit=LIMIT)
                    asked[f"{one.name} of {which}"] = time.perf_counter() - began
            for name in FRAMEWORKS:
                began = time.perf_counter()
                measure_all(framework(name), measures(), tables, log, MONTH_S)
                reported[name] = time.perf_counter() - began
    how = f"{count:,} events of a month, in Parquet, opened"
    worst = max(reported, key=lambda one: reported[one])
    longest = sorted(asked.items(), key=lambda one: -one[1])
    others = ", ".join(f"{name} {spent:.2g} s" for name, spent in longest)
    return [
        Figure(name=SLOWEST, value=longest[0][1], unit="s", how=f"{how}; {others}"),
        Figure(name=REPORT, value=reported[worst], unit="s", how=f"{how}; `{worst}`, 30 days"),
        Figure(name=MADE, value=made_s, unit="s", how=f"`remit audit tables`, {count:,} events"),
        Figure(name=BYTES, value=stored / count, unit="B", how=f"{how}; with leaves and values"),
    ]
