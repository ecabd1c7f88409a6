# SPDX-License-Identifier: Apache-2.0
"""Paths for people, at the terminal: the dangerous ones first, then the others in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from remit.cli.output import terminal
from remit.cli.paths.report import TALLIED, ReachReport, stands
from remit.core.policy.reach import (
    GRANT,
    Inflow,
    Lifetime,
    Openness,
    PathKind,
    ReachPath,
    StepKind,
    ToxicTask,
)
from remit.core.policy.reach.remediation import Remedy, together
from remit.core.safe_text import plain

STYLES = {Openness.OPEN: "bold red", Openness.ASKED: "yellow", Openness.REFUSED: "green"}
MOST_SHOWN = 20
"""Task types shown in full; of further ones only the number is shown."""
SEVERAL = 6
TITLES = {
    PathKind.EFFECT: "untrusted content to external or irreversible effects",
    PathKind.DISCLOSURE: "private data to audiences that may not learn it",
}


def told(report: ReachReport) -> None:
    """Print a report."""
    if report.choice.kind in ("", PathKind.TOXIC.value):
        _combinations(report)
    for kind, title in TITLES.items():
        if report.choice.kind in ("", kind.value):
            _single(report, kind, title)
    if not report.choice.kind:
        _handovers(report)
        _credentials(report)
    _sum(report)


def _combinations(report: ReachReport) -> None:
    _heading("Toxic combinations", "private data, untrusted content and an external effect in one task type")
    shown = report.toxic[:MOST_SHOWN]
    for one in shown:
        _toxic(*one)
    if not shown:
        terminal.say("  none", style="green")
    if left := len(report.toxic) - len(shown):
        terminal.say(f"  and {left} more: `--task` shows one, `--json` all", style="dim")
    terminal.say("")


def _heading(title: str, note: str) -> None:
    terminal.say(terminal.text(title, "bold"), terminal.text(f"  {note}", "dim"))


def _toxic(one: ToxicTask, paths: Sequence[ReachPath], broken_by: Sequence[Remedy]) -> None:
    terminal.say("")
    across = "  across agents" if one.crosses else ""
    terminal.say(
        terminal.text("  ● ", STYLES[one.openness]),
        terminal.text(one.runner.name, "bold"),
        terminal.text(f"  {', '.join(one.runner.agents)}  ", "dim"),
        terminal.text(one.openness.word, STYLES[one.openness]),
        terminal.text(across, "dim"),
    )
    rows: list[tuple[str, Text]] = [
        ("untrusted", _sources(one.untrusted)),
        ("private", _sources(one.private, labels=True)),
    ]
    for number, (openness, says, outlets) in enumerate(ways_out(paths)):
        told_way = Text.assemble(plain(outlets), "  ", (says, STYLES[openness]))
        rows.append(("effect" if not number else "", told_way))
    if one.undescribed:
        rows.append(
            ("undescribed", terminal.text(f"{_list(one.undescribed)} count as the worst case", "yellow"))
        )
    for number, remedy in enumerate(broken_by):
        for place, (text, _) in enumerate(together(remedy.repairs)):
            title = ("broken by" if not number else "or by") if not place else ""
            rows.append((title, terminal.text(text, "cyan")))
    _rows(rows)


def _rows(rows: Iterable[tuple[str, Text]]) -> None:
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(width=4)
    made.add_column(style="dim", no_wrap=True, min_width=9)
    made.add_column(overflow="fold")
    for title, value in rows:
        made.add_row("", title, value)
    terminal.picture(made)


def _sources(inflows: Sequence[Inflow], *, labels: bool = False) -> Text:
    """Name the sources of incoming data: first those read directly, then the others with their route."""
    direct = [one for one in inflows if one.direct]
    if labels:
        by_label: dict[str, list[str]] = {}
        for one in direct:
            words = ", ".join((one.label.data_class, *sorted(one.label.categories)))
            by_label.setdefault(words, []).append(one.source.name)
        parts = [f"{_list(names)} ({words})" for words, names in by_label.items()]
    else:
        parts = [_list([one.source.name for one in direct])] if direct else []
    parts += [way(one) for one in inflows if not one.direct][:SEVERAL]
    return terminal.text("; ".join(dict.fromkeys(parts)))


def way(inflow: Inflow) -> str:
    """Return the route by which data arrives from others."""
    return " → ".join(
        step.name
        for step in inflow.route[:-1]
        if step.kind in (StepKind.SOURCE, StepKind.TASK, StepKind.STORE)
    )


def _list(names: Sequence[str]) -> str:
    more = len(names) - SEVERAL
    return ", ".join(names[:SEVERAL]) + (f" and {more} more" if more > 0 else "")


def ways_out(paths: Iterable[ReachPath]) -> list[tuple[Openness, str, str]]:
    """Return the ways out, grouped by standing: how open, by what, and which tools to which audience."""
    alike: dict[tuple[Openness, str, str], list[str]] = {}
    for path in paths:
        key = (path.guard.openness, standing(path), path.outlet.tool.audience.name)
        alike.setdefault(key, []).append(path.outlet.tool.id)
    return sorted(
        (openness, says, f"{', '.join(sorted(set(tools)))} → {audience}")
        for (openness, says, audience), tools in alike.items()
    )


def standing(path: ReachPath) -> str:
    """Return how open a path is, and by what."""
    rules = [
        path.outlet.pinned if rule == GRANT and path.outlet.pinned else rule for rule in path.guard.rules
    ]
    by = f": {', '.join(rules)}" if rules else ""
    return plain(path.guard.openness.word + by)


def _single(report: ReachReport, kind: PathKind, title: str) -> None:
    _heading("Paths", title)
    rows = rows_of(path for path in report.paths if path.kind is kind)
    refused = [row for row in rows if row[0] is Openness.REFUSED]
    if not report.choice.narrows and len(rows) > SEVERAL:
        # Refused paths are shown in full only when requested.
        rows = [row for row in rows if row[0] is not Openness.REFUSED]
    made = [
        (Text(says, STYLES[openness]), task, sources, to)
        for openness, says, task, sources, to in rows[: 2 * MOST_SHOWN]
    ]
    nothing = "none" if not refused else "no open path and none that asks an approver"
    terminal.table(("STANDING", "TASK TYPE", "FROM", "LEADS TO"), made, empty=nothing, indent=2)
    if left := len(rows) - len(made):
        terminal.say(
            f"  and {left} more: `--task`, `--from` and `--to` narrow, `--json` shows all", style="dim"
        )
    if refused and refused[0] not in rows:
        by = dict.fromkeys(row[1] for row in refused)
        count = report.count(kind, Openness.REFUSED)
        terminal.say(f"  {terminal.counted(count, 'path')} {_list([*by])}", style=STYLES[Openness.REFUSED])
        terminal.say("  `--task`, `--from` and `--to` show them", style="dim")
    terminal.say("")


def rows_of(paths: Iterable[ReachPath]) -> list[tuple[Openness, str, str, str, str]]:
    """Return one row for each group with the same standing: what a task type reads, and where that leads."""
    by_outlet: dict[tuple[Openness, str, str, str], set[str]] = {}
    for path in paths:
        tool = path.outlet.tool
        change = " (irreversible)" if path.outlet.irreversible else ""
        key = (
            path.guard.openness,
            standing(path),
            path.runner.name,
            f"{tool.id} → {tool.audience.name}{change}",
        )
        by_outlet.setdefault(key, set()).update(path.sources)
    alike: dict[tuple[Openness, str, str, str], list[str]] = {}
    for (openness, says, task, to), sources in by_outlet.items():
        alike.setdefault((openness, says, task, _list(sorted(sources))), []).append(to)
    return sorted((*key, _list(sorted(to))) for key, to in alike.items())


def _handovers(report: ReachReport) -> None:
    _heading(
        "From agent to agent", "by delegation to child tasks, and by stores that some write and others read"
    )
    rows = [
        (
            one.via,
            _list(sorted({agent for _, agent in one.writers})),
            _list(sorted({agent for _, agent in one.readers})),
        )
        for one in report.handovers
    ]
    terminal.table(("BY", "FROM", "TO"), rows[:MOST_SHOWN], empty="none", indent=2)
    if len(rows) > MOST_SHOWN:
        terminal.say(f"  and {len(rows) - MOST_SHOWN} more: `--json` shows all", style="dim")
    terminal.say("")


def carried(report: ReachReport) -> list[tuple[str, str, str, str, bool]]:
    """Return the credentials: name, lifetime, the upstreams they open, whose calls carry them, and whether
    beside untrusted content.
    """
    return [
        (
            plain(use.credential.name),
            use.credential.lifetime.value,
            plain(_list(use.upstreams)),
            plain(_list([one.runner.name for one in use.holders])),
            any(one.untrusted for one in use.holders),
        )
        for use in report.credentials
    ]


def _credentials(report: ReachReport) -> None:
    rows = carried(report)
    if not rows:
        return
    _heading("Credentials", "sent with calls; the agent never sees them")
    made = [
        (f"  {name}", opens, by, terminal.text(lives, "yellow" if lives == Lifetime.STANDING else ""),
         "yes" if untrusted else "no")
        for name, lives, opens, by, untrusted in rows[:MOST_SHOWN]
    ]  # fmt: skip
    heads = ("  CREDENTIAL", "OPENS", "CARRIED BY", "LIVES", "BESIDE UNTRUSTED")
    terminal.table(heads, made, empty="  none", whole=0)
    if len(rows) > MOST_SHOWN:
        terminal.say(f"  and {len(rows) - MOST_SHOWN} more: `--json` shows all", style="dim")
    terminal.say("")


def _sum(report: ReachReport) -> None:
    reach_graph = report.survey.reach_graph
    types = {one.task_type.name for one in reach_graph.runners}
    tools = {gate.tool.id for gates in reach_graph.gates.values() for gate in gates}
    looked = f"{terminal.counted(len(types), 'task type')} with {terminal.counted(len(tools), 'tool')}"
    terminal.say(f"In {looked}:", style="dim")
    for title, counts in zip(TALLIED, report.standings, strict=True):
        if report.choice.kind and (report.choice.kind == PathKind.TOXIC.value) != (title == TALLIED[0]):
            continue
        if not any(counts.values()):
            terminal.say(f"no {title}", style="green")
            continue
        total = sum(counts.values())
        parts: list[str | Text] = [f"{terminal.counted(total, title.removesuffix('s'))}: "]
        for openness, count in counts.items():
            word = terminal.text(f"{count} {stands(openness, count)}", STYLES[openness] if count else "dim")
            parts += [", " if openness is not Openness.OPEN else "", word]
        terminal.say(*parts)
