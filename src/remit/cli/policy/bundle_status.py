# SPDX-License-Identifier: Apache-2.0
"""How a bundle that is in force, or about to be, is shown."""

from __future__ import annotations

from datetime import UTC, datetime

from remit.cli.output import terminal
from remit.cli.policy.rollout import FOLLOW_S, followers, held_back, show_followers
from remit.cli.rest_client import connect
from remit.core.json_value import Json


def show_applied(bundle: Json, title: str = "In force now") -> None:
    """Show a bundle that is in force, and what applying it did."""
    if terminal.is_json():
        terminal.answer(bundle)
        return
    terminal.copyable(f"{title}: ", terminal.text(bundle["digest"], "bold"))
    names = ("version", "rules", "tools", "task_types")
    terminal.picture(terminal.facts((name.replace("_", " "), str(bundle[name])) for name in names))
    if bundle.get("tasks"):
        ended = sum(bool(one["ends"]) for one in bundle["tasks"])
        terminal.say(f"Open tasks: {ended} ended, {len(bundle['tasks']) - ended} hold less", style="yellow")
    if bundle.get("proposed"):
        terminal.say("")
        terminal.say("A second administrator has to confirm the new bundle:", style="yellow")
        terminal.copyable(f"  remit policy confirm {bundle['proposed']}", style="dim")
    if bundle.get("waiting"):
        changed = ", ".join(f"`{name}`" for name in bundle["waiting"])
        terminal.say(f"Changed in remit.yaml, not in force: {changed}", style="yellow")
        terminal.say("`remit reload` takes over modes; the rest needs `remit restart`.", style="dim")


def spread(told: Json, wait_s: float = FOLLOW_S) -> int:
    """Show what was put in force, and which replicas decide by it; raise if some do not."""
    if not terminal.is_json():
        show_applied(told)
    found = followers(connect(), told["digest"], wait_s)
    fault = held_back(found)
    since = datetime.now(UTC).isoformat(timespec="milliseconds") if fault is None else None
    if terminal.is_json():
        terminal.answer(told | {"everywhere": fault is None, "everywhere_from": since, "replicas": found})
    else:
        show_followers(found, since)
    if fault is not None:
        raise fault
    return 0


def show_unsettled(tasks: list[Json]) -> None:
    """Show the open tasks that a bundle ends or reduces."""
    terminal.table(
        ("TASK", "TYPE", "AGENT", "FOR", "BECOMES", "WHY"),
        (
            (
                one["task"],
                one["task_type"],
                one["agent"],
                one["on_behalf_of"],
                terminal.text("ended", "bold red") if one["ends"] else terminal.text("narrower", "yellow"),
                one["ends"] or _less(one),
            )
            for one in tasks
        ),
        empty="every open task continues unchanged",
    )


def _less(task: Json) -> str:
    """Return what a task would lose."""
    told = [("loses", task["lost"]), ("loses some of", task["narrowed"])]
    return "; ".join(f"{verb} {', '.join(tools)}" for verb, tools in told if tools) or "smaller ceilings"
