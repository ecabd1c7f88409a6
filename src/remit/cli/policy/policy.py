# SPDX-License-Identifier: Apache-2.0
"""`remit policy`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from remit.cli.decisions.confirmation import looked
from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Switch, noun
from remit.cli.policy.rollout import FOLLOW_S, followers, held_back, show_followers
from remit.cli.rest_client import connect
from remit.cli.safe_text import plain
from remit.core.canonical import digest
from remit.core.json_value import Json

#: Longer nobody waits for files that are laid by something else.
MOST_WAIT_S: Final = 3600

app = noun("policy", "Policies: the limits on everything, checked before they take effect.")


@app.command(name="check")
def check(*, server: Switch = False) -> int:
    """Check configuration, tools, task types and policies from the files alone; exits 2 if anything is wrong.

    Parameters
    ----------
    server
        Let the running remit check the files in its folder, against the tools that its upstreams offer now.
    """
    if server:
        found = connect().post("policies", "check")["problems"]
    else:
        from remit.cli.doctor.files import examine

        found = examine(current().config_file)
    sound = all(one["severity"] != "error" for one in found)
    if terminal.is_json():
        terminal.answer({"sound": sound, "problems": found})
    else:
        _problems(found, sound)
    return 0 if sound else 2


def _problems(found: list[Json], sound: bool) -> None:
    for one in found:
        place = one["file"] + (f":{one['line']}" if one["line"] else "")
        colour = "red" if one["severity"] == "error" else "yellow"
        rule = f"`{one['rule']}`: " if one["rule"] else ""
        remediation = terminal.text(f"; {one['remediation']}" if one["remediation"] else "", "dim")
        # One line for each, as at the start of remit: what searches or counts lines can go by it.
        terminal.copyable(
            terminal.text(one["severity"], colour),
            f": {place}: " if place else ": ",
            rule,
            one["text"],
            remediation,
        )
    if sound:
        more = f", with {len(found)} warning{'s' if len(found) > 1 else ''}" if found else ""
        terminal.say(terminal.text("sound", "green"), more)


@app.command(name="apply")
def apply(*, seen: str = "", wait: float = FOLLOW_S) -> int:
    """Let the running remit read its folder again and put it in force, whole or not at all.

    That counts for open tasks, too: those that would end or hold less are shown first, and asked about on
    the terminal. So is a bundle that was in force before and was replaced, where there are several replicas.
    Of these it says which decide by it, and since when all do: until then the replica that owns a task
    decides its calls by the bundle of before, whichever is asked. It exits 4 where some have other files: it
    is in force nevertheless. `--json` says so as `everywhere`, `everywhere_from` and `replicas`.

    Parameters
    ----------
    seen
        The digest of what `remit policy preview` shows, where there is no terminal.
    wait
        So many seconds other replicas are given to find the same bundle in their files.
    """
    if not 0 <= wait <= MOST_WAIT_S:
        raise UsageFault(f"`--wait` is not from 0 to {MOST_WAIT_S}", remediation="give a number of seconds")
    client = connect()
    found = client.post("policies", "preview")
    if found["tasks"] or found["replaced"]:
        if not terminal.is_json():
            _unsettled(found["tasks"])
            _older(found)
        if not looked(_question(found), digest(found), seen, option="--seen"):
            terminal.say("Nothing was changed.", style="yellow")
            return 1
    told = client.post("policies", "apply", bundle=found["bundle"])
    if not terminal.is_json():
        _applied(told, "In force now")
    found = followers(client, told["digest"], wait)
    fault = held_back(found)
    since = datetime.now(UTC).isoformat(timespec="milliseconds") if fault is None else None
    if terminal.is_json():
        terminal.answer(told | {"everywhere": fault is None, "everywhere_from": since, "replicas": found})
    else:
        show_followers(found, since)
    if fault is not None:
        raise fault
    return 0


@app.command(name="preview")
def preview() -> None:
    """Say which open tasks the bundle in the folder would end, or take something from; nothing changes."""
    found = connect().post("policies", "preview")
    if terminal.is_json():
        terminal.answer(found)
        return
    _unsettled(found["tasks"])
    _older(found)
    if found["tasks"] or found["replaced"]:
        terminal.copyable(f"  remit policy apply --seen {digest(found)}", style="dim")


def _older(found: Json) -> None:
    if found["replaced"]:
        terminal.say(
            "This bundle was in force earlier and was replaced: applying it rolls back.", style="yellow"
        )


def _question(found: Json) -> str:
    if not found["replaced"]:
        return "Put it in force, and end these?"
    return "Roll back to it, and end these?" if found["tasks"] else "Roll back to it?"


def _unsettled(tasks: list[Json]) -> None:
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


@app.command(name="show")
def shown() -> None:
    """Say which bundle is in force."""
    _applied(connect().get("policies"), "In force")


def _applied(bundle: Json, title: str) -> None:
    if terminal.is_json():
        terminal.answer(bundle)
        return
    terminal.copyable(f"{title}: ", terminal.text(bundle["digest"], "bold"))
    names = ("rules", "tools", "task_types")
    terminal.picture(terminal.facts((name.replace("_", " "), str(bundle[name])) for name in names))
    if bundle.get("tasks"):
        ended = sum(bool(one["ends"]) for one in bundle["tasks"])
        terminal.say(f"Open tasks: {ended} ended, {len(bundle['tasks']) - ended} hold less", style="yellow")
    if bundle.get("waiting"):
        changed = ", ".join(f"`{name}`" for name in bundle["waiting"])
        terminal.say(f"Changed in remit.yaml, takes effect at the next start: {changed}", style="yellow")


@app.command(name="rules")
def rules(*, text: Switch = False) -> None:
    """List the rules in force, and what each does: permit, refuse, or have a human asked.

    Parameters
    ----------
    text
        With the digest and the text of each.
    """
    found = connect().get("policies", "rules")
    if terminal.is_json():
        terminal.answer(found)
        return
    if not text:
        terminal.table(
            ("RULE", "DOES", "WHY"),
            ((one["id"], _does(one["does"]), one["reason"]) for one in found["items"]),
            empty="no rules",
        )
        return
    for one in found["items"]:
        terminal.say(terminal.text(one["id"], "bold"), terminal.text(f"  {one['digest']}", "dim"))
        terminal.picture(Text(plain(one["text"].strip(), lines=True)))
        terminal.say("")


def _does(word: str) -> Text:
    told, style = {
        "permits": ("permits", "green"),
        "asks": ("asks an approver", "yellow"),
        "refuses": ("refuses", "red"),
    }[word]
    return terminal.text(told, style)


@app.command(name="schema")
def schema() -> None:
    """Print the policy schema, generated from the tools that are registered now."""
    found = connect().get("policies", "schema")
    if terminal.is_json():
        terminal.answer(found)
    else:
        sys.stdout.write(plain(found["schema"], lines=True).rstrip() + "\n")


def _less(task: Json) -> str:
    """Say what a task holds less of."""
    told = [("loses", task["lost"]), ("loses some of", task["narrowed"])]
    return "; ".join(f"{verb} {', '.join(tools)}" for verb, tools in told if tools) or "smaller ceilings"
