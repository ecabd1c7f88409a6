# SPDX-License-Identifier: Apache-2.0
"""`remit agent review` and `remit reviews`."""

from __future__ import annotations

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, noun
from remit.cli.rest_client import connect
from remit.core.json_value import Json

app = noun("reviews", "Access reviews: what agents are granted, against what they use.")


@app.command(name="list")
def listed() -> None:
    """List the agents whose review is due; without a role, those that you own.

    For example, look what you have to review before your agents are suspended.
    """
    found = connect().get("reviews")
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("AGENT", "OWNER", "DUE SINCE", "LAST REVIEW", "BY"),
        (
            (
                terminal.linked("agents", one["agent"]),
                one["owner"],
                terminal.moment(one["due"]),
                terminal.moment(one["last"]["at"]) if one["last"] else "never",
                ", ".join(one["last"]["by"]) if one["last"] else "",
            )
            for one in found["items"]
        ),
        empty="no access review is due",
    )


def review(
    name: str,
    /,
    *,
    certify: Several = (),
    trim: Several = (),
    remove: Several = (),
    rest: Switch = False,
    comment: str = "",
    sheet: str = "",
) -> None:
    """Review what an agent is granted; without an answer, show what it uses of that.

    A review changes nothing by itself: what should go is drafted as a diff of the files in `tasks/`, which
    you apply like every policy change. For example, keep the agent's reading, and take out the payments that
    it has not made in a month: `remit agent review clerk --certify read --trim office=bank/pay --sheet ...`.

    Parameters
    ----------
    name
        The agent.
    certify
        A task type that stays as it is; may be given several times.
    trim
        A tool that should go, as `TASK-TYPE=TOOL`; may be given several times.
    remove
        A task type that the agent should no longer run; may be given several times.
    rest
        Certify every task type that has no other answer.
    comment
        What you found; it goes into the evidence.
    sheet
        The digest of the sheet that you looked at, as this command prints it. An agent that was granted
        something else since is not reviewed.
    """
    client = connect()
    shown = client.get("agents", name, "review")
    if not (certify or trim or remove or rest):
        _sheet(shown)
        return
    if sheet not in (shown["grants"], shown["grants"].removeprefix("sha256:")[:12]):
        raise UsageFault(
            "`--sheet` is not the sheet of what the agent is granted now",
            remediation=f"look at it with `remit agent review {name}`, and give the digest that it prints",
        )
    answers = _answers(shown, certify, trim, remove, rest=rest)
    done = client.post(
        *("agents", name, "review"),
        grants=shown["grants"],
        shown=shown["shown"],
        window=shown["window"],
        answers=answers,
        comment=comment,
    )
    if terminal.is_json():
        terminal.answer(done)
        return
    if done["waiting"]:
        terminal.say("Recorded. It counts once a second person has given the same answers.")
    else:
        terminal.say("Reviewed ", terminal.text(name, "bold"), ".")
    _drafts(done)


def _answers(shown: Json, certify: Several, trim: Several, remove: Several, *, rest: bool) -> list[Json]:
    known = [one["name"] for one in shown["task_types"]]
    cut: dict[str, list[str]] = {}
    for one in trim:
        task_type, _, tool = one.partition("=")
        cut.setdefault(task_type, []).append(tool)
    for name in (*certify, *cut, *remove):
        if name not in known:
            raise UsageFault(
                f"`{name}` is no task type of this agent", remediation=f"name one of {', '.join(known)}"
            )
    answers: list[Json] = [{"task_type": one, "answer": "trim", "tools": tools} for one, tools in cut.items()]
    answers += [{"task_type": one, "answer": "remove", "tools": []} for one in remove]
    kept = [*certify, *(one for one in known if rest and one not in (*certify, *cut, *remove))]
    return [*answers, *({"task_type": one, "answer": "certify", "tools": []} for one in kept)]


def _sheet(shown: Json) -> None:
    if terminal.is_json():
        terminal.answer(shown)
        return
    uses = {one["tool"]: one for one in shown["used"]}
    terminal.table(
        ("TASK TYPE", "TOOL", "TIER", "PERMITTED", "ASKED", "REFUSED"),
        (
            (
                one["name"] if number == 0 else "",
                tool,
                use["tier"],
                str(use["permitted"]),
                str(use["asked"]),
                str(use["refused"]),
            )
            for one in shown["task_types"]
            for number, tool in enumerate(one["tools"])
            if (use := uses.get(tool)) is not None
        ),
        empty="no task type names this agent",
    )
    last, waiting = shown["last"], shown["waiting"]
    terminal.picture(
        terminal.facts(
            [
                ("counted since", terminal.moment(shown["window"]["since"])),
                ("due", terminal.moment(shown["due"]) if shown["due"] else "never"),
                ("last review", terminal.moment(last["at"]) if last else "never"),
                ("by", ", ".join(last["by"]) if last else ""),
                ("waits for a second person", "yes" if waiting else ""),
                ("sheet", shown["grants"].removeprefix("sha256:")[:12]),
            ]
        )
    )
    _drafts(shown)


def _drafts(shown: Json) -> None:
    for one in shown["drafts"]:
        terminal.say(one["note"] or f"To {one['answer']} `{one['task_type']}`:")
        if one["others"] and one["answer"] == "trim":
            terminal.say(f"This also concerns {', '.join(one['others'])}.")
        if one["diff"]:
            terminal.copyable(one["diff"])
