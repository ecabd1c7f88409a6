# SPDX-License-Identifier: Apache-2.0
"""The review screen of `remit suggest`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from remit.cli.output import terminal
from remit.cli.suggest.proposals import Suggestions
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.core.tools.suggestions import GrantDraft, KindOfWork, TypeDraft


def show(made: Suggestions, command: str) -> None:
    """Show what is suggested, for review; `command` is the command to go on with."""
    for one in made.types:
        _show_type(one, made.kept.get(one.name, ""), made.refused.get(one.name, 0))
    for name, kinds in made.kinds.items():
        _show_kinds(name, kinds, command)
    if made.tools:
        terminal.say("")
        rows = (
            (
                f"{upstream}/{draft.name}",
                draft.effect.value,
                draft.audience.value,
                f"{draft.data_class.value}, {draft.trust.value}",
                terminal.text(str(draft.to_review) if draft.to_review else "", "yellow"),
            )
            for upstream, drafts in made.tools.items()
            for draft in drafts
            if f"{upstream}/{draft.name}" in made.called
        )
        terminal.table(("NEWLY DESCRIBED", "EFFECT", "AUDIENCE", "RESULTS", "TO REVIEW"), rows, empty="")
        all_tools = {
            f"{upstream}/{draft.name}" for upstream, drafts in made.tools.items() for draft in drafts
        }
        if idle_tools := sorted(all_tools - made.called):
            terminal.say("Described too, and not granted: ", ", ".join(idle_tools), style="dim")
        _show_unsaid(made, command)
    _show_instructions(made.instructions)
    idle = [name for name, why in made.kept.items() if why == "no calls"]
    if idle:
        terminal.say("")
        terminal.say("Not used: ", ", ".join(idle), style="dim")
    terminal.say("")
    if not made.files:
        terminal.say("Everything that was observed is in force already.")
        return
    terminal.say("Nothing is changed yet. ", f"{terminal.counted(len(made.files), 'file')} would change:")
    terminal.copyable(f"  {command} --diff", style="dim")
    terminal.copyable(f"  {command} --apply", style="dim")


def _show_instructions(said: dict[str, str]) -> None:
    """Show what upstreams tell agents before any call: once enforced, only a reviewed text goes on."""
    if not said:
        return
    terminal.say("")
    for upstream, text in said.items():
        terminal.say(
            terminal.text(upstream, "bold"),
            " tells agents: ",
            terminal.text(" ".join(text.split())[:300], "yellow"),
        )
    terminal.say("Agents get this under enforce only if `instructions` of a tool file says exactly the same.")


def _show_unsaid(made: Suggestions, command: str) -> None:
    """Say which upstreams have the worst properties only because nothing is known of them."""
    options: list[str] = []
    distrusted: list[str] = []
    for upstream, drafts in made.tools.items():
        if any(one.audience.review for one in drafts):
            options.append(f"--audience {upstream}=internal")
        if any(one.data_class.review for one in drafts):
            options.append(f"--data-class {upstream}=internal")
        if any(one.trust.review for one in drafts):
            distrusted.append(upstream)
    if options:
        terminal.say("")
        terminal.say(
            "The worst is assumed of these until you say who learns what is sent there, and what it holds:"
        )
        terminal.copyable(f"  {command} {' '.join(options)}", style="dim")
    if distrusted:
        terminal.say(
            "Outsiders may have written what comes from ",
            terminal.text(", ".join(distrusted), "bold"),
            "; if none can, add `--trusted UPSTREAM`.",
        )


def _show_kinds(name: str, kinds: tuple[KindOfWork, ...], command: str) -> None:
    """Show the kinds of work in a type, and what makes each one a kind."""
    terminal.say("")
    rows = (
        (one.name, f"{len(one.tasks):,}", ", ".join(one.tools[:4]), ", ".join(one.words)) for one in kinds
    )
    terminal.table((f"KINDS OF {name}", "TASKS", "MOST USE", "GOALS SAY"), rows, empty="")
    if "--split" not in command.split():
        terminal.say("A narrower task type for each, for those who name it: ")
        terminal.copyable(f"  {command} --split", style="dim")


def _show_led(one: TypeDraft) -> None:
    """Show the calls that a stranger's text led: they are no evidence."""
    if not one.led:
        return
    terminal.say("")
    rows = (
        (
            tool if not told else "",
            f"{found.calls:,}" if not told else "",
            name,
            text,
            "" if told else terminal.text("other calls only" if found.granted else "not granted", "yellow"),
        )
        for tool, found in one.led.items()
        for told, (name, text) in enumerate(found.arguments.items() or [("", "results of such calls")])
    )
    terminal.table(("LED BY OUTSIDERS", "CALLS", "ARGUMENT", "FROM THE TEXT IN", "GRANTED"), rows, empty="")
    terminal.say("If such calls are your work, add `--accept UPSTREAM/TOOL`.", style="dim")


def _show_type(one: TypeDraft, kept: str, refused: int) -> None:
    size = f"{one.calls:,} {'call' if one.calls == 1 else 'calls'} in {terminal.counted(one.tasks, 'task')}"
    head = f"  {size} of {', '.join(one.agents)}"
    terminal.say(terminal.text(one.name, "bold"), head)
    if kept:
        terminal.say(f"its file stays as it is: {kept}", style="yellow")
    rows = (
        (grant.tool, f"{grant.calls:,}", f"{grant.tasks:,}", name, limit)
        for grant in one.grants
        for name, limit in _limits(grant)
    )
    terminal.table(("GRANTED", "CALLS", "TASKS", "ARGUMENT", "LIMITED TO"), _once(rows), empty="no grants")
    notes = (
        ("Drop, unused", one.unused),
        ("Not granted, hardly ever called", tuple(f"{tool} ({count})" for tool, count in one.rare.items())),
        ("Not granted, objected to", tuple(f"{tool} ({count})" for tool, count in one.objected.items())),
        (
            "Left out, seen once",
            tuple(
                f"{grant.tool} {name} {value[:60]}"
                for grant in one.grants
                for name, made in grant.arguments.items()
                for value in made.left_out[:3]
            ),
        ),
    )
    for what, names in notes:
        if names:
            terminal.say(terminal.text(f"{what}: ", "yellow"), ", ".join(names))
    _show_led(one)
    if refused:
        terminal.say(f"These grants would have refused {terminal.counted(refused, 'call')} of this work.")


def _limits(grant: GrantDraft) -> Iterator[tuple[str, object]]:
    """Yield each argument with its limit; those that no call has used yet in one row."""
    used = {name: made for name, made in grant.arguments.items() if name not in grant.unused}
    for name, made in used.items():
        yield name, terminal.text(made.why, "yellow" if made.free else "")
    if grant.unused:
        others = f"{len(grant.unused)} more" if used else terminal.counted(len(grant.unused), "argument")
        yield others, terminal.text(grant.arguments[grant.unused[0]].why, "yellow")
    if not grant.arguments:
        yield "", ""


def _once(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """Yield rows in which a tool is named once."""
    before: object = None
    for tool, calls, tasks, *rest in rows:
        yield ("", "", "", *rest) if tool == before else (tool, calls, tasks, *rest)
        before = tool


def show_diff(made: Suggestions) -> None:
    """Show how the files would change."""
    for one in made.files:
        for line in difflib.unified_diff(
            one.old.splitlines(), one.new.splitlines(), f"a/{one.name}", f"b/{one.name}", lineterm=""
        ):
            style = "green" if line[:1] == "+" else "red" if line[:1] == "-" else "dim"
            terminal.copyable(line, style=style)


def wire(made: Suggestions) -> Json:
    """Return what is suggested, with its evidence."""
    return {
        "digest": made.digest,
        "calls": made.calls,
        "task_types": [
            {
                "name": one.name,
                "agents": one.agents,
                "calls": one.calls,
                "tasks": one.tasks,
                "grants": [
                    {
                        **grant.spec,
                        "calls": grant.calls,
                        "tasks": grant.tasks,
                        "last": grant.last,
                        "evidence": {name: value.why for name, value in grant.arguments.items()},
                        "unlimited": grant.free,
                        "left_out": {
                            name: value.left_out for name, value in grant.arguments.items() if value.left_out
                        },
                    }
                    for grant in one.grants
                ],
                "unused": one.unused,
                "rare": one.rare,
                "objected": one.objected,
                "led": {
                    tool: {
                        "calls": led.calls,
                        "tasks": led.tasks,
                        "arguments": led.arguments,
                        "granted": led.granted,
                    }
                    for tool, led in one.led.items()
                },
                "parameters": {
                    name: {"type": found.type, "constraint": found.limit.spec, "tasks": found.tasks}
                    for name, found in one.parameters.items()
                },
                "refused": made.refused.get(one.name, 0),
            }
            for one in made.types
        ],
        "kinds": {
            name: [
                {"name": one.name, "tasks": len(one.tasks), "tools": one.tools, "words": one.words}
                for one in kinds
            ]
            for name, kinds in made.kinds.items()
        },
        "instructions": made.instructions,
        "kept": made.kept,
        "files": [{"file": one.name, "old": one.old, "new": one.new} for one in made.files],
    }
