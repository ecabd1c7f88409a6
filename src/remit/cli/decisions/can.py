# SPDX-License-Identifier: Apache-2.0
"""`remit can`."""

from __future__ import annotations

from rich.text import Text

from remit.cli.decisions.who_can_text import show_who
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.output.sentences import show_sentences, show_tiers
from remit.cli.parser import Arguments, Switch, pairs, verb
from remit.cli.rest_client import connect
from remit.core.json_value import Json

app = verb("can")


@app.default
def can(
    x: str = "", tool: str = "", /, *, who: str = "", argument: Arguments = (), no_arguments: Switch = False
) -> int:
    """Show what a task, or an agent in its active tasks, may do now, by which rule, and until when.

    With a tool and arguments remit makes the same decision as for a real call, but records and spends
    nothing. The exit code is then 1 unless every task in question permits the call. For example, learn before
    a deployment whether the agent's task permits it, instead of finding out from a refusal.

    With `--who` it shows who could call a tool at all, by which task types, and what cuts others off; no task
    needs to be open.

    Parameters
    ----------
    x
        A task's id, or an agent.
    tool
        One tool, as `upstream/tool`.
    who
        A tool, as `upstream/tool`: show who could call it.
    argument
        An argument as `name=value` (`name:=JSON` for a value that is not text); may be given several times.
    no_arguments
        Decide the call without arguments.
    """
    if bool(who) is bool(x):
        way = "give a task or an agent, or `--who` with a tool"
        raise UsageFault("nothing to ask about" if not x else "two questions at once", remediation=way)
    if who:
        return show_who(connect().post("can", "who", tool=who))
    body: dict[str, Json] = {"x": x, "tool": tool}
    if argument or no_arguments:
        body["arguments"] = pairs(argument, "-a")
    told = connect().post("can", **body)
    if terminal.is_json():
        terminal.answer(told)
    else:
        _people(told, tool)
    return 0 if not tool or _permitted(told) else 1


def _permitted(told: Json) -> bool:
    """Return whether there is at least one task and every task permits the call."""
    answers = [one for task in told["tasks"] for one in task["tools"]]
    good = all(one.get("outcome", "permit") == "permit" and one["granted"] for one in answers)
    return good and bool(answers)


def _people(told: Json, tool: str) -> None:
    if not told["tasks"]:
        terminal.say(f"{told['asked']} has no open task, so no tools are granted")
        return
    for number, task in enumerate(told["tasks"]):
        if number:
            terminal.say("")
        terminal.say(
            terminal.text(task["task"], "bold"),
            f"  {task['task_type']}  ",
            terminal.state(task["state"]),
            "  until ",
            terminal.moment(task["until"]),
        )
        if task["state"] != "active":
            terminal.say("  the task has ended, so no tools are granted", style="dim")
        elif tool and any("outcome" in one for one in task["tools"]):
            for one in task["tools"]:
                _decision(one)
        else:
            _grants(task["tools"])
            if any(one["granted"] for one in task["tools"]):
                # The rules' answer depends on the arguments: a grant alone permits nothing.
                terminal.say(
                    f"granted by task type `{task['task_type']}`; policies decide each call; give a tool "
                    "and its arguments to see a decision",
                    style="dim",
                )
            if not tool:
                show_sentences(task["sentences"])
                show_tiers(task["tiers"])


def _grants(tools: Json) -> None:
    terminal.table(
        ("TOOL", "MAY", "TIER", "SENDER", "EFFECT", "AUDIENCE", "WITH"),
        (
            (
                one["tool"],
                _may(one),
                one.get("tier", ""),
                one.get("sender", ""),
                one.get("effect", ""),
                one.get("audience", ""),
                "  or  ".join("; ".join(grant) or "no conditions" for grant in one["arguments"]),
            )
            for one in tools
        ),
        empty="no tools are granted",
    )


def _may(one: Json) -> Text:
    if not one["granted"]:
        return terminal.text("not granted", "red")
    if one.get("suspended"):
        return terminal.text("suspended", "yellow")
    if not one.get("planned", True):
        return terminal.text("once planned", "yellow")
    return terminal.text("granted", "green")


def _decision(one: Json) -> None:
    terminal.say("  ", terminal.state(one["outcome"]), f"  {one['tool']}", *_by(one))
    # First the reasons that refuse, with their history; then those that only require an approval.
    for reason in sorted(one["reasons"], key=lambda told: told["code"] == "approval-needed"):
        rule = f"  [{reason['rule']}]" if reason.get("rule") else ""
        terminal.say(f"    {reason['text']}", terminal.text(rule, "dim"))
        if reason.get("remediation"):
            terminal.say(f"      {reason['remediation']}", style="dim")


def _by(one: Json) -> list[str]:
    # The reasons of a refusal name what refused. Its rules may also include rules that would have permitted.
    return ["  by ", ", ".join(one["rules"])] if one["rules"] and one["outcome"] != "deny" else []
