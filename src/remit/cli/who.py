# SPDX-License-Identifier: Apache-2.0
"""`remit who`."""

from __future__ import annotations

from typing import Any

from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from remit.cli import show
from remit.cli.client import connect
from remit.cli.isolation import isolation
from remit.cli.parser import verb
from remit.cli.plain import plain

Json = Any

app = verb("who")


@app.default
def who(x: str, /) -> None:
    """Say who somebody is, who owns it, on whose behalf it acts, and how that was proven.

    Parameters
    ----------
    x
        An agent, a task's id, a person, or an access token.
    """
    client = connect()
    # In the body, so that no log of addresses ever holds a token.
    told = client.post("who", x=x)
    if show.is_json():
        show.answer(told)
        return
    match told["kind"]:
        case "agent":
            picture = _agent(told, client.base_url)
        case "task":
            picture = _task(told, client.base_url)
        case "token":
            picture = _token(told, client.base_url)
        case _:
            picture = _person(told)
    show.picture(
        Panel(
            picture,
            title=show.text(f"{told['kind']} {x if told['kind'] != 'token' else ''}".strip(), "bold"),
            title_align="left",
            border_style="dim",
            padding=(1, 2),
            expand=False,
        )
    )


def _identity(tree: Tree, agent: Json, base_url: str) -> None:
    tree.add(_line("owned by", agent["owner"], "bold"))
    tree.add(_line("purpose", agent["purpose"]))
    proof = tree.add(
        _line("proven by", agent["assurance"], "green" if agent["assurance"] != "asserted" else "red")
    )
    proof.add(show.text(agent["proof"], "dim"))
    word, why = isolation(base_url)
    if word:
        proof.add(_line("isolation", f"{word} ({why})", "yellow" if word == "none" else ""))
    place = ", ".join(one for one in (agent["environment"], agent["initiative"], *agent["groups"]) if one)
    tree.add(_line("belongs to", place))
    registered = show.moment(agent["registered"])
    tree.add(
        Text.assemble(("registered ", "dim"), registered, (f" by {plain(agent['registered_by'])}", "dim"))
    )
    if agent["manifest"]:
        tree.add(_line("manifest", agent["manifest"]))


def _agent(told: Json, base_url: str) -> Tree:
    tree = show.tree(Text.assemble((plain(told["agent"]), "bold"), "  ", show.state(told["state"])))
    _identity(tree, told, base_url)
    tasks = told["tasks"]
    active = [one for one in tasks if one["state"] == "active"]
    branch = tree.add(_line("acting now in", f"{len(active)} task{'' if len(active) == 1 else 's'}", "bold"))
    for one in active:
        _work(branch, one)
    if not active and tasks:
        branch.add(Text.assemble(("last: ", "dim"), tasks[0]["task"], "  ", show.state(tasks[0]["state"])))
    return tree


def _task(told: Json, base_url: str) -> Tree:
    tree = show.tree(Text.assemble((told["task"], "bold"), "  ", show.state(told["state"])))
    _about(tree, told)
    agent = told["who"]
    if agent:
        branch = tree.add(
            Text.assemble(
                ("done by ", "dim"), (plain(agent["agent"]), "bold"), "  ", show.state(agent["state"])
            )
        )
        _identity(branch, agent, base_url)
    return tree


def _work(branch: Tree, task: Json) -> None:
    one = branch.add(Text.assemble(task["task"], "  ", (plain(task["task_type"]), "bold")))
    _about(one, task)


def _about(tree: Tree, task: Json) -> None:
    tree.add(_line("on behalf of", task["on_behalf_of"] or "itself", "bold" if task["on_behalf_of"] else ""))
    tree.add(_line("intent stated by", task["stated_by"]))
    tree.add(_line("wants", task["goal"]))
    if task["params"]:
        tree.add(_line("with", ", ".join(f"{k}={show.compact(v)}" for k, v in task["params"].items())))
    carries = show.label(task["label"])
    if carries:
        tree.add(_line("carries", carries, "yellow" if task["label"].get("untrusted") else ""))
    if task["ended"]:
        tree.add(
            Text.assemble(("ended ", "dim"), show.moment(task["ended"]), f" {plain(task['end_reason'])}")
        )
    else:
        tree.add(Text.assemble(("until ", "dim"), show.moment(task["deadline"])))
    if task["in_hand"]:
        tree.add(_line("calls in hand", str(task["in_hand"]), "yellow"))


def _token(told: Json, base_url: str) -> Tree:
    if not told["valid"]:
        tree = show.tree(show.text("this token opens nothing", "bold red"))
        tree.add(_line("because", told["reason"]))
        tree.add(_line("code", told["code"]))
        return tree
    tree = show.tree(Text.assemble((plain(told["token"]), "bold"), "  ", ("valid", "green")))
    tree.add(_line("speaks for", told["on_behalf_of"] or told["agent"], "bold"))
    tree.add(_line("acting", " for ".join(told["chain"])))
    tree.add(_line("proven by", told["assurance"]))
    tree.add(_line("issued by", f"{told['issuer']} for {', '.join(told['audience'])}"))
    from datetime import UTC, datetime

    tree.add(Text.assemble(("until ", "dim"), show.moment(datetime.fromtimestamp(told["expires"], UTC))))
    if told["task"]:
        _work(tree, told["task"])
    if told["who"]:
        _identity(tree.add(show.text(told["who"]["agent"], "bold")), told["who"], base_url)
    return tree


def _person(told: Json) -> Tree:
    tree = show.tree(show.text(told["name"] + ("" if told["active"] else " (inactive)"), "bold"))
    tree.add(_line("roles", ", ".join(told["roles"]) or "none"))
    tree.add(_line("groups", ", ".join(told["groups"]) or "none"))
    return tree


def _line(name: str, value: object, style: str = "") -> Text:
    return Text.assemble((f"{name} ", "dim"), show.text(value, style))
