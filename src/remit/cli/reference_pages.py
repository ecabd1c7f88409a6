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
from remit.core.evidence.ocsf import ACTIVITIES, OCSF_MAPPINGS, SEVERITIES
from remit.core.findings.kinds import FindingKind
from remit.core.findings.meanings import DISCOVERED, FINDING_MEANINGS

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


_OCSF_HEAD = """# Events in OCSF

Generated from `remit.core.evidence.ocsf`: how [continuous exports](../howto/send-evidence-to-a-siem.md) map
each kind of [event](events.md) to OCSF 1.8.0. `about` is the fact that names what the event is about: it is
`api.operation`, `privileges`, `entity.name` or `finding_info.uid`. A refusal has `status_id` 2. So has an
event whose fact `outcome` is neither `permit` nor `ok`; an unknown outcome has 0.

| on each line | meaning |
| --- | --- |
| `actor.user` | the person who acted, else the person of the task; `none`, or `withheld` |
| `actor.app_name`, `actor.app_uid` | the agent; `remit` where there is none |
| `metadata.event_code`, `metadata.sequence` | the kind of event, its index in the log |
| `metadata.log_name`, `metadata.correlation_uid` | the log's origin, the task |
| `unmapped.remit_export` | 1, the number of this form |
| `unmapped.index`, `unmapped.leaf_hash` | the index, and the leaf hash in hexadecimal |
| `unmapped.leaf` | the leaf's exact text; absent with `leaf: false` |
| `unmapped.facts`, `task`, `call` | the facts, the task, the decision |
| `unmapped.openings` | salt and value of each sealed value that the configuration names |
| `unmapped.ai_agent` | as in OCSF 1.9-dev: the agent |
| `unmapped.record_integrity` | as in OCSF 1.9-dev: the writer's chain, and its previous leaf hash |

A checkpoint line is a Base Event whose `metadata.event_code` is `checkpoint`. Its `unmapped.checkpoint` is
the [signed note](evidence.md#the-checkpoint), `index` and `leaf_hash` are those of the last event that it
signs, and `path` is the inclusion proof of that event. Only what the leaf says is signed: the fields beside
it are derived from it, except `actor.user`, which remit reads from its state.

| kind | class | activity | severity | about |
| --- | --- | --- | --- | --- |"""


def ocsf_page() -> str:
    """Return the text of docs/reference/ocsf.md."""
    rows = [
        f"| `{kind.value}` | {one.of_class.title} {one.of_class.value} | "
        f"{ACTIVITIES[one.of_class][one.activity]}{', a refusal' if one.fails else ''} | "
        f"{SEVERITIES[one.severity]} | {f'`{one.about}`' if one.about else ''} |"
        for kind, one in OCSF_MAPPINGS.items()
    ]
    return "\n".join((_OCSF_HEAD, *rows)) + "\n"


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
