# SPDX-License-Identifier: Apache-2.0
"""`remit task`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from remit.cli.decisions.declassification import lowered, said
from remit.cli.evidence.closure import show_closure
from remit.cli.output import terminal
from remit.cli.output.sentences import show_sentences
from remit.cli.parser import Pairs, Several, Switch, noun, pairs
from remit.cli.rest_client import connect
from remit.cli.tasks.agent_task import planned
from remit.core.json_value import Json

State = Literal["active", "completed", "expired", "revoked", "proposed", "denied"]

app = noun("task", "Tasks: pieces of work, each with an intent, grants, a deadline and budgets.")


@app.command(name="types")
def types() -> None:
    """List the task types of the bundle in force.

    For example, find out which type covers the work that you want to give to an agent, and its parameters.
    """
    found = connect().get("task-types")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("TASK TYPE", "PURPOSE", "PARAMETERS", "RUN BY", "REQUESTED BY", "TOOLS"),
        (
            (
                one["name"],
                one["purpose"],
                ", ".join(one["parameters"]),
                ", ".join(one["run_by"]),
                ", ".join(one["requested_by"]),
                ", ".join(one["tools"]),
            )
            for one in found["items"]
        ),
        empty="no task types; the folder `tasks` defines them",
    )


@app.command(name="open")
def opened(
    task_type: str,
    /,
    *,
    agent: str,
    param: Pairs = (),
    intent: str = "",
    for_: Annotated[str, Parameter(name="--for")] = "",
    plan: Several = (),
    lease: int = 0,
) -> None:
    """Open a task for an agent, requested by the signed-in person.

    For example, open a task for one ticket: the agent then reaches this ticket and no other.

    Parameters
    ----------
    task_type
        One of `remit task types`.
    agent
        The agent that does the work.
    param
        A parameter as `name=value` (`name:=JSON` for a value that is not text); may be given several times.
    intent
        The goal of the task, in words (default: the type's purpose).
    for_
        The person that the agent works for.
    plan
        A tool that the work will need, or several separated by commas, as `upstream/tool`; other tools are
        refused until the plan is extended. `"mail/send to=lena@example.com"` plans exactly that.
    lease
        Seconds after which the task ends unless its agent renews it; 0 for no lease.
    """
    body: dict[str, Json] = {"agent": agent, "task_type": task_type, "params": pairs(param, "-p")}
    if intent:
        body["goal"] = intent
    if for_:
        body["on_behalf_of"] = for_
    if plan:
        body["plan"] = planned(plan)
    if lease:
        body["lease_s"] = lease
    _one(connect().post("tasks", **body))


@app.command(name="list")
def tasks(*, agent: str | None = None, state: State | None = None, limit: int = 100) -> None:
    """List tasks, newest first; without a role, your own.

    For example, see which tasks an agent has open right now before you suspend it.

    Parameters
    ----------
    agent
        List only the tasks of this agent.
    state
        List only tasks in this state.
    limit
        List at most this many.
    """
    found = connect().get("tasks", agent=agent, state=state, limit=limit)
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("TASK", "TYPE", "AGENT", "STATE", "FOR", "OPENED", "UNTIL"),
        (
            (
                one["id"],
                one["type"],
                one["agent"],
                terminal.state(one["state"]),
                one["on_behalf_of"] or one["requested_by"],
                terminal.moment(one["opened"]),
                terminal.moment(one["ended"] or one["deadline"]),
            )
            for one in found["items"]
        ),
        empty="no tasks",
    )


@app.command(name="show")
def shown(task: str, /) -> None:
    """Show a task: its intent, the tools it may call, and the label of the data it has read.

    For example, see that a task has read untrusted content, which is why its mail was refused.

    Parameters
    ----------
    task
        The task's id.
    """
    _one(connect().get("tasks", task))


@app.command(name="message")
def message(task: str, text: str, /) -> None:
    """Add a later user message of the person who requested the task.

    For example, add that the report may also go to `lena@example.com`, because the agent asked for it.

    Parameters
    ----------
    task
        The task's id.
    text
        The text of the message.
    """
    _one(connect().post("tasks", task, "messages", text=text))


@app.command(name="complete")
def complete(task: str, /, *, reason: str = "") -> None:
    """End a task as completed; from then on no call under it is permitted.

    For example, complete a task as soon as its work is done, instead of leaving it open until its deadline.

    Parameters
    ----------
    task
        The task's id.
    reason
        A comment for the evidence.
    """
    show_closure(connect().post("tasks", task, "complete", reason=reason))


@app.command(name="suspend")
def suspend(task: str, /, *, reason: str = "") -> None:
    """Suspend a task: none of its further calls is permitted until it is resumed; nothing of it has ended.

    Calls under way go on to their end, and its deadline and leases run on. For example, suspend a task that
    looks odd, read its calls with `remit audit log --task TASK`, then resume it, or end it.

    Parameters
    ----------
    task
        The task's id.
    reason
        Why; it goes into the evidence.
    """
    _suspension(connect().post("tasks", task, "suspend", reason=reason))


@app.command(name="resume")
def resume(task: str, /, *, reason: str = "") -> None:
    """Have a suspended task go on: an operator, or the person who suspended their own task.

    For example, you looked at its calls, and nothing was wrong.

    Parameters
    ----------
    task
        The task's id.
    reason
        Why; it goes into the evidence.
    """
    _suspension(connect().post("tasks", task, "resume", reason=reason))


def _suspension(found: Json) -> None:
    if terminal.is_json():
        terminal.answer(found)
    elif found["suspended"]:
        terminal.say(terminal.text("SUSPENDED", "bold red"), f" by {found['by']}; to have it go on:")
        terminal.copyable(f"  remit task resume {found['task']}")
    else:
        terminal.say("Task ", terminal.text(found["task"], "bold"), " goes on.")


@app.command(name="plan")
def plan(task: str, /, *, add: Several = ()) -> int:
    """Show which calls a task plans, or extend its plan.

    Until the task has read untrusted data, a request extends the plan at once if it adds only reads, or tools
    that the person's words ask for, or if the person makes it. Otherwise an approver is asked to approve
    exactly this extension; once it is approved, run the same command again. The exit code is 1 as
    long as the plan lacks the requested extension. For example, add `mail/send to=lena@example.com` when the
    work turns out to need it: an injected text cannot add another recipient unnoticed.

    Parameters
    ----------
    task
        The task's id.
    add
        A tool, or several separated by commas, as `upstream/tool`; with conditions on its arguments as
        `"mail/send to=lena@example.com"`. May be given several times.
    """
    if not add:
        found = connect().get("tasks", task)
        if terminal.is_json():
            terminal.answer(found["plan"])
        else:
            _entries(found["plan"])
        return 0
    told = connect().post("tasks", task, "plan", add=planned(add))
    granted = told["outcome"] == "permit"
    if terminal.is_json():
        terminal.answer(told)
        return 0 if granted else 1
    terminal.say(terminal.state(told["outcome"]), "  the plan grew" if granted else "  the plan is unchanged")
    for reason in () if granted else told["reasons"]:
        terminal.say(f"    {reason['text']}")
        if reason.get("remediation"):
            terminal.say(f"      {reason['remediation']}", style="dim")
    if told["approval"]:
        terminal.say(f"    an approver is asked: remit approve {told['approval']}", style="dim")
    _entries(told["task"]["plan"])
    return 0 if granted else 1


def _entries(plan: Json) -> None:
    if plan is None:
        terminal.say("the task has no plan: its calls count as neither planned nor unplanned")
        return
    terminal.table(
        ("PLANS TO CALL", "WITH"),
        ((one["tool"], "; ".join(one["says"]) or "any arguments that it is granted") for one in plan),
        empty="plans to call nothing",
    )


def _plan(plan: Json) -> str:
    if plan is None:
        return ""
    return ", ".join(one["tool"] + (f" ({'; '.join(one['says'])})" if one["says"] else "") for one in plan)


@app.command(name="declassify")
def declassify(
    task: str,
    /,
    *,
    reason: str,
    to_class: str = "",
    trusted: Switch = False,
    without: Several = (),
    confirm: str = "",
) -> int:
    """Lower the label of the data that a task has read; for approvers only, never for their own tasks.

    For example, a task read a web page that you have checked yourself: confirm with `--trusted` that it holds
    no instructions, and it no longer restricts the task.

    Parameters
    ----------
    task
        The task's id.
    reason
        The reason; it goes into the evidence.
    to_class
        The new data class, lower than the present one.
    trusted
        Confirm that the data holds no instructions to agents from an untrusted source.
    without
        A category or a trust zone to remove from the label; may be given several times.
    confirm
        The digest that is shown; needed without a terminal.
    """
    client = connect()
    carries = client.get("tasks", task, "label")
    if not terminal.is_json():
        _one(client.get("tasks", task))
        terminal.say("digest ", terminal.text(carries["digest"], "dim"))
    body = lowered(
        f"Declare this task's data {said(to_class, trusted, without)}?",
        carries["digest"],
        confirm,
        reason=reason,
        to_class=to_class,
        trusted=trusted,
        without=without,
    )
    if body is None:
        return 1
    told = client.post("tasks", task, "declassify", **body)
    if terminal.is_json():
        terminal.answer(told)
    else:
        terminal.say(
            "declassified: ", terminal.text(task, "bold"), f" now carries {terminal.label(told['label'])}"
        )
    return 0


def _one(task: Json) -> None:
    if terminal.is_json():
        terminal.answer(task)
        return
    ended = task["ended"]
    terminal.picture(
        terminal.facts(
            [
                ("task", terminal.linked("tasks", task["id"])),
                ("type", task["type"]),
                ("state", terminal.state(task["state"])),
                ("agent", f"{task['agent']}, owned by {task['owner']}"),
                ("for", task["on_behalf_of"]),
                ("requested by", task["requested_by"]),
                ("intent", task["goal"] or "forgotten"),
                ("parameters", ", ".join(f"{k}={terminal.compact(v)}" for k, v in task["params"].items())),
                ("later messages", task["messages"] or ""),
                ("plan", _plan(task["plan"])),
                ("carries", terminal.label(task["label"])),
                ("opened", terminal.moment(task["opened"])),
                ("ended" if ended else "until", terminal.moment(ended or task["deadline"])),
                ("because", task["end_reason"]),
                ("lease", f"ends after {task['lease_s']} s without a heartbeat" if task["lease_s"] else ""),
                ("policy bundle", task["bundle"][: terminal.SHORT_DIGEST]),
            ]
        )
    )
    show_sentences(task["sentences"])
