# SPDX-License-Identifier: Apache-2.0
"""`remit delegation`."""

from __future__ import annotations

from typing import Any

from remit.cli.evidence.closure import show_closure
from remit.cli.output import terminal
from remit.cli.parser import Pairs, Several, Switch, noun, pairs, seconds
from remit.cli.rest_client import connect
from remit.core.json_value import Json

app = noun("delegation", "Delegations: an agent may act for you in one task type.")


@app.command(name="add")
def add(
    agent: str,
    task_type: str,
    /,
    *,
    param: Pairs = (),
    open: Several = (),
    intent: str = "",
    valid: str = "7d",
) -> None:
    """Let an agent open tasks of one type on your behalf, for a limited time.

    For example, let the agent that files your weekly report open its own task every Monday while you are
    away.

    Parameters
    ----------
    agent
        The agent.
    task_type
        The task type, one of `remit task types`.
    param
        A parameter that you fix, as `name=value` (`name:=JSON` for a value that is not text).
    open
        A parameter that the agent may choose, within the limits of the task type.
    intent
        The goal, in your words.
    valid
        How long, such as `8h` or `30d`.
    """
    record = connect().post(
        "delegations",
        agent=agent,
        task_type=task_type,
        params=pairs(param, "-p"),
        open=open,
        goal=intent,
        valid_s=seconds(valid),
    )
    if terminal.is_json():
        terminal.answer(record)
        return
    terminal.say(
        "Delegation ", terminal.text(record["id"], "bold"), f": `{agent}` may do `{task_type}` for you"
    )
    terminal.picture(_facts(record))
    terminal.say(
        f"  remit delegation revoke {record['id']}   ",
        terminal.text("# ends the tasks opened under it", "dim"),
    )


@app.command(name="list")
def listed(*, person: str | None = None, agent: str | None = None, all: Switch = False) -> None:
    """List active delegations, newest first; without a role, your own.

    For example, check which agents may still act for you before you go on leave.

    Parameters
    ----------
    person
        List only the delegations of this person.
    agent
        List only the delegations to this agent.
    all
        Also list those that were revoked or have expired.
    """
    found = connect().get("delegations", person=person, agent=agent)
    items = [one for one in found["items"] if all or one["live"]]
    if terminal.is_json():
        terminal.answer({"items": items})
        return
    terminal.table(
        ("DELEGATION", "PERSON", "AGENT", "TASK TYPE", "STATE", "UNTIL"),
        (
            (
                one["id"],
                one["person"],
                one["agent"],
                one["task_type"],
                terminal.state("active" if one["live"] else "revoked" if one["revoked"] else "expired"),
                terminal.moment(one["revoked"] or one["expires"]),
            )
            for one in items
        ),
        empty="no delegations; `remit delegation add` adds one",
    )


@app.command(name="revoke")
def revoke(delegation: str, /, *, reason: str = "") -> None:
    """Revoke a delegation: the tasks that were opened under it end.

    For example, revoke it when an agent no longer does this work for you.

    Parameters
    ----------
    delegation
        The delegation's id, from `remit delegation list`.
    reason
        The reason; it goes into the evidence.
    """
    closure = connect().post("delegations", delegation, "revoke", reason=reason)
    if terminal.is_json():
        terminal.answer(closure)
        return
    show_closure(closure)


def _facts(record: Json) -> Any:
    fixed = ", ".join(f"{name}={terminal.compact(value)}" for name, value in record["params"].items())
    return terminal.facts(
        [
            ("wants", record["goal"] or "a forgotten person"),
            ("fixed", fixed),
            ("the agent chooses", ", ".join(record["open"])),
            ("until", terminal.moment(record["expires"])),
        ]
    )
