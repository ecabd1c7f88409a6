# SPDX-License-Identifier: Apache-2.0
"""`remit who`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

from cyclopts import Parameter
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from remit.cli.host.isolation import isolation
from remit.cli.output import terminal
from remit.cli.output.replica_status import PREFIX, show_replicas
from remit.cli.parser import verb
from remit.cli.rest_client import connect
from remit.core.json_value import Json
from remit.core.safe_text import plain

#: Characters read from standard input.
MAX_INPUT: Final = 65_536

app = verb("who")


@app.default
def who(x: Annotated[str, Parameter(allow_leading_hyphen=True)] = "", /) -> None:
    """Show the identity of an agent, task, person or token: its owner, for whom it acts, and the proof.

    Without an argument, show the replicas that enforce here. For example, a log names an unknown workload:
    learn which agent it is, who answers for it, and by which proof.

    Parameters
    ----------
    x
        An agent, a task's id, a person, a workload (a SPIFFE ID, `issuer#subject`, `jkt:...`), or an access
        token; `-` reads it from standard input, so that no process list shows a token. The id of a
        replica, or nothing: the replicas that serve this database, their leases, tasks and policy bundles.
    """
    client = connect()
    if not x or x.startswith(PREFIX):
        show_replicas(client, x)
        return
    if x == "-":
        x = sys.stdin.read(MAX_INPUT).strip()
    # In the body, so that no access log ever holds a token.
    told = client.post("who", x=x)
    if terminal.is_json():
        terminal.answer(told)
        return
    tree = _PICTURES[told["kind"]](told)
    if told.get("agent") or told["kind"] == "workload":
        word, why = isolation(client.base_url)
        # For an agent that may run as remit's user the answer already includes the isolation, with more
        # detail.
        if word and word != told.get("isolation"):
            tree.add(_line("isolation", f"{word} ({why})", "yellow" if word == "none" else ""))
    for lock in told.get("locks", ()):
        why = f": {lock['reason']}" if lock["reason"] else ""
        says = f"{lock['scope']}, by {lock['by'] or 'an unknown person'}{why}; it opens with `remit unlock`"
        tree.add(_line("LOCKED", says, "bold red"))
    if told.get("proof"):
        _proof(tree.add(terminal.text("the proof", "bold")), told["proof"])
    terminal.picture(
        Panel(
            tree,
            title=terminal.text(f"{told['kind']} {x if told['kind'] != 'token' else ''}".strip(), "bold"),
            title_align="left",
            border_style="dim",
            padding=(1, 2),
            expand=False,
        )
    )


def _proof(tree: Tree, fact: Json) -> None:
    """Draw a fact above the facts it rests on; a fact that no longer holds is red."""
    branch = tree.add(terminal.text(fact["says"], "" if fact["holds"] else "red"))
    for below in fact["below"]:
        _proof(branch, below)


def _identity(tree: Tree, agent: Json) -> None:
    tree.add(_line("owned by", agent["owner"], "bold"))
    tree.add(_line("purpose", agent["purpose"]))
    if agent["assurance"]:
        weak = agent["assurance"] == "asserted"
        tree.add(_line("assurance", agent["assurance"], "red" if weak else "green"))
    else:
        tree.add(_line("assurance", f"not authenticated yet; {agent['best_assurance']} at best", "yellow"))
    place = ", ".join(one for one in (agent["environment"], agent["initiative"], *agent["groups"]) if one)
    tree.add(_line("belongs to", place))
    if agent["last_seen"]:
        seen = Text.assemble(("last seen ", "dim"), terminal.moment(agent["last_seen"]))
        where = f" from {plain(agent['last_place'])}" if agent["last_place"] else ""
        tree.add(seen.append(f"{where} by {plain(agent['last_method'])}", "dim"))
    if agent["findings"]:
        tree.add(_line("findings", ", ".join(agent["findings"]), "bold yellow"))
    if agent["manifest"]:
        tree.add(_line("manifest", agent["manifest"]))
    if agent["isolation"]:
        why = "it may run as the user that runs remit, and could do everything that remit can"
        tree.add(_line("isolation", f"{agent['isolation']} ({why})", "yellow"))


def _agent(told: Json) -> Tree:
    tree = terminal.tree(Text.assemble((plain(told["agent"]), "bold"), "  ", terminal.state(told["state"])))
    _identity(tree, told)
    tasks = told["tasks"]
    active = [one for one in tasks if one["state"] == "active"]
    branch = tree.add(_line("open tasks", terminal.counted(len(active), "task"), "bold"))
    for one in active:
        _work(branch, one)
    _leases(tree, [one for one in told["leases"] if one["ending"]])
    if not active and tasks:
        branch.add(
            Text.assemble(("last: ", "dim"), tasks[0]["task"], "  ", terminal.state(tasks[0]["state"]))
        )
    return tree


def _task(told: Json) -> Tree:
    tree = terminal.tree(Text.assemble((told["task"], "bold"), "  ", terminal.state(told["state"])))
    _about(tree, told)
    if told["who"]:
        _done_by(tree, told["who"])
    return tree


def _done_by(tree: Tree, agent: Json, how: str = "done by") -> None:
    name = Text.assemble((f"{how} ", "dim"), (plain(agent["agent"]), "bold"), "  ")
    _identity(tree.add(name.append(terminal.state(agent["state"]))), agent)


def _workload(told: Json) -> Tree:
    tree = terminal.tree(terminal.text(told["workload"], "bold"))
    for agent in told["agents"]:
        _done_by(tree, agent, "is agent")
    return tree


def _work(branch: Tree, task: Json) -> None:
    one = branch.add(Text.assemble(task["task"], "  ", (plain(task["task_type"]), "bold")))
    _about(one, task)


def _about(tree: Tree, task: Json) -> None:
    tree.add(_line("on behalf of", task["on_behalf_of"] or "itself", "bold" if task["on_behalf_of"] else ""))
    if len(task["chain"]) > 1:
        tree.add(_line("acting", " for ".join(task["chain"])))
    tree.add(_line("requested by", task["requested_by"]))
    tree.add(_line("wants", task["goal"] or "a forgotten person"))
    if task["params"]:
        tree.add(_line("with", ", ".join(f"{k}={terminal.compact(v)}" for k, v in task["params"].items())))
    carries = terminal.label(task["label"])
    if carries:
        tree.add(_line("carries", carries, "yellow" if task["label"].get("untrusted") else ""))
    if task["ended"]:
        tree.add(
            Text.assemble(("ended ", "dim"), terminal.moment(task["ended"]), f" {plain(task['end_reason'])}")
        )
    else:
        tree.add(Text.assemble(("until ", "dim"), terminal.moment(task["deadline"])))
    if task.get("bearers_at"):
        tree.add(_line("accepts bearer tokens", ", ".join(task["bearers_at"]), "yellow"))
    if task.get("standing_at"):
        tree.add(_line("standing secret for", ", ".join(task["standing_at"]), "yellow"))
    if task.get("replica"):
        tree.add(_line("served by", f"{task['replica']['id']} on {task['replica']['host']}"))
    if task["in_hand"]:
        tree.add(_line("calls in progress", str(task["in_hand"]), "yellow"))
    _leases(tree, task["leases"])


def _leases(tree: Tree, leases: Json) -> None:
    """Show the upstream credentials that a task holds, and those that are still open after an end."""
    for one in leases:
        what = f"{one['kind']} for {one['sink']}"
        if not one["ending"]:
            tree.add(_line("holds", what))
            continue
        taken = "revoked, " if one["revoked"] else ""
        why = one["why"] or "not tried yet"
        tree.add(_line("still open:", f"{what}, {taken}tried {one['attempts']} times: {why}", "bold red"))


def _token(told: Json) -> Tree:
    if "token" not in told:
        tree = terminal.tree(terminal.text("this token is not valid", "bold red"))
        tree.add(_line("because", told["reason"]))
        tree.add(_line("code", told["code"]))
        return tree
    state = ("valid", "green") if told["valid"] else ("not valid", "bold red")
    tree = terminal.tree(Text.assemble((plain(told["token"]), "bold"), "  ", state))
    if not told["valid"]:
        tree.add(_line("because", told["reason"]))
    tree.add(_line("speaks for", told["on_behalf_of"] or told["agent"], "bold"))
    tree.add(_line("acting", " for ".join(told["chain"])))
    tree.add(_line("assurance", told["assurance"]))
    bound = {"dpop": "a key (DPoP)", "mtls": "a certificate (mTLS)"}.get(told["sender"], "no key: bearer")
    tree.add(_line("bound to", bound))
    tree.add(_line("valid at", ", ".join(told["audience"])))
    until = datetime.fromtimestamp(told["expires"], UTC)
    tree.add(Text.assemble(("until ", "dim"), terminal.moment(until)))
    if told["task"]:
        _work(tree, told["task"])
    if told["who"]:
        _done_by(tree, told["who"])
    return tree


def _person(told: Json) -> Tree:
    tree = terminal.tree(terminal.text(told["name"] + ("" if told["active"] else " (inactive)"), "bold"))
    tree.add(_line("roles", ", ".join(told["roles"]) or "none"))
    tree.add(_line("groups", ", ".join(told["groups"]) or "none"))
    tree.add(_line("owns", ", ".join(told["answers_for"]) or "no agent"))
    for one in told["delegations"]:
        says = Text.assemble(("lets ", "dim"), plain(one["agent"]), (" do ", "dim"), plain(one["task_type"]))
        tree.add(says.append("  until ", "dim").append(terminal.moment(one["expires"])))
    return tree


def _line(name: str, value: object, style: str = "") -> Text:
    return Text.assemble((f"{name} ", "dim"), terminal.text(value, style))


_PICTURES: dict[str, Callable[[Json], Tree]] = {
    "agent": _agent,
    "task": _task,
    "token": _token,
    "workload": _workload,
    "person": _person,
}
