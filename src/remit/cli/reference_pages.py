# SPDX-License-Identifier: Apache-2.0
"""Reference pages of commands, controls, events and findings, generated from the code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from remit.cli.command_list import COMMANDS, EVERYWHERE, EXIT_CODES, VARIABLES
from remit.cli.report.control_files import FRAMEWORKS, framework, measures
from remit.core.evidence.event import EventKind, fields_of, meaning_of
from remit.core.evidence.events.kinds import BODIES
from remit.core.findings.finding import DISCOVERED, FINDING_MEANINGS, FindingKind

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import Argument

_CLI_HEAD = """# Commands

Generated from the commands themselves. Every command speaks to a running remit through its
[REST interface](api.md), but `init`, `up`, `doctor`, `completion`, `policy check` and `audit verify
FILE`, which need none.
"""
_CONTROLS_HEAD = """# Controls

Generated from `src/remit/controls`. What `remit report` measures for each control, from which share on it is
met or partly met, what remit cannot know of it, and what to do next. How a status comes about:
[controls from evidence](../explanation/controls.md).
"""
_EVENTS_HEAD = """# Events

Generated from `remit.core.evidence.events`. The kinds are a closed set. *Facts* are readable by every reader
of the log; *sealed* values may be personal or secret: the log holds a salted commitment to each; the value
itself is encrypted under its subject's key, so that it can be forgotten without breaking a proof. Which of
them an event has depends on what happened; those named here are all that it may have.

Each event also says `at` (when, UTC), `tenant`, `writer` and `seq` (which process wrote it, and its count
there), `prev` (hash of the record before it from the same writer), and where they apply `task`, `task_prev`,
`agent` and `call` (the decision that it belongs to).
"""


def cli_page() -> str:
    """Return the text of docs/reference/cli.md."""
    lines = [_CLI_HEAD, "| everywhere | |", "| --- | --- |"]
    lines += [f"| `{name}` | {says} |" for name, says in EVERYWHERE]
    lines += ["", "| exit code | |", "| --- | --- |"]
    lines += [f"| {code} | {says} |" for code, says in EXIT_CODES]
    lines += ["", "A defect of remit itself exits with 70, so that no script takes it for a refusal."]
    lines += ["", "| variable | |", "| --- | --- |"]
    lines += [f"| `{name}` | {says} |" for name, says in VARIABLES]
    part = ""
    for command in COMMANDS:
        if command.part != part:
            part = command.part
            lines += ["", f"## {part}"]
        app: App = getattr(importlib.import_module(command.module), command.attribute)
        lines += _command(f"remit {command.name}", app)
    return "\n".join(lines) + "\n"


def _command(name: str, app: App) -> Iterator[str]:
    if app.default_command is not None:
        yield from _callable(name, app, "###")
    else:
        yield from ("", f"### {name}", "", str(app.help))
    for verb in app:
        if not verb.startswith("-"):
            yield from _callable(f"{name} {verb}", app[verb], "####")


def _callable(name: str, app: App, heading: str) -> Iterator[str]:
    arguments = [one for one in app.assemble_argument_collection(parse_docstring=True) if one.show]
    usage = " ".join([name, *(_usage(one) for one in arguments)])
    says = inspect.getdoc(app.default_command) or ""
    yield from ("", f"{heading} {name}", "", "```console", usage, "```", "")
    yield says.split("\nParameters\n")[0].strip()
    if arguments:
        yield from ("", "| | |", "| --- | --- |")
    for one in arguments:
        yield f"| {_names(one)} | {_help(one)} |"


def _usage(one: Argument) -> str:
    shown = _option(one) if _is_option(one) else _place(one)
    return shown if one.required else f"[{shown}]"


def _is_option(one: Argument) -> bool:
    return one.names[0].startswith("-")


def _option(one: Argument) -> str:
    return one.names[0] if one.hint is bool else f"{one.names[0]} {_metavar(one)}"


def _metavar(one: Argument) -> str:
    name = one.names[0].strip("-").upper()
    return "NAME=VALUE" if name in ("PARAM", "ARGUMENT") else "N" if one.hint is int else name


def _place(one: Argument) -> str:
    return one.names[0].upper()


def _names(one: Argument) -> str:
    if not _is_option(one):
        return f"`{_place(one)}`"
    return ", ".join(f"`{name}`" for name in one.names)


def _help(one: Argument) -> str:
    says = re.sub(r"\s+", " ", one.parameter.help or "").strip().replace("|", "\\|")
    default = one.field_info.default
    known = default is not one.field_info.empty and default is not None and default not in ("", (), False)
    return f"{says} Default: `{default}`." if known and "default" not in says else says


def events_page() -> str:
    """Return the text of docs/reference/events.md."""
    lines = [_EVENTS_HEAD]
    for kind in EventKind:
        body = BODIES[kind]
        lines += [f"## {kind.value}", "", meaning_of(body), ""]
        rows = [
            f"| `{one.said_as}` | {'sealed' if one.sealed else 'fact'} | {one.says} |"
            for one in sorted(fields_of(body), key=lambda one: one.sealed)
        ]
        if rows:
            lines += ["| name | | meaning |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


_FINDINGS_HEAD = """# Findings

Written by `make docs` from the code. Observations that need an explanation; `remit finding list` shows
the open ones. Background and limits: [agents](../explanation/agents.md).

`NHI1` to `NHI10` are controls of the OWASP Non-Human Identities Top 10 (2025), `ASI01` to `ASI10` of the
OWASP Agentic Top 10 (2026). The facts of what `remit discover` finds are `places`, `says`, `evidence`
(without any secret), `steps` of a path, and `reach`.
"""


def controls_page() -> str:
    """Return the text of docs/reference/controls.md."""
    lines = [_CONTROLS_HEAD]
    known = measures()
    for name in FRAMEWORKS:
        about = framework(name)
        lines += [f"## {about.title}", "", f"`--framework {name}`. {about.says}", ""]
        for one in about.controls:
            lines += [f"### {one.id}: {one.title}", "", one.asks, ""]
            lines += [f"- [{each.says}](../{each.see})" for each in one.answered_by]
            lines += [
                f"- `{check.measure}`: met from {check.met} %, partly from {check.partly} %"
                + (f" ({', '.join(check.kinds)})" if check.kinds else "")
                for check in one.checks
            ]
            lines += ["- at best partly"] if one.at_best == "partly" else []
            lines += [f"- outside: {one.outside}", f"- next: {one.next}", ""]
    lines += ["## Measures", "", "| measure | share of | that |", "| --- | --- | --- |"]
    lines += [
        f"| `{one.name}` | {one.subjects} | {one.holding}{f'. {one.note}' if one.note else ''} |"
        for one in known.values()
    ]
    return "\n".join(lines).rstrip() + "\n"


def findings_page() -> str:
    """Return the text of docs/reference/findings.md."""
    lines = [_FINDINGS_HEAD]
    for kind in FindingKind:
        meaning = FINDING_MEANINGS[kind]
        lines += [f"## {kind.value}", "", f"{meaning.says} What to do: {meaning.remediation}.", ""]
        lines += [f"Severity: {meaning.severity}. Breaks {', '.join(meaning.controls)}.", ""]
        if kind in DISCOVERED:
            continue
        rows = [f"| `{name}` | {says} |" for name, says in meaning.facts.items()]
        lines += ["| fact | meaning |", "| --- | --- |", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"
