# SPDX-License-Identifier: Apache-2.0
"""`remit approvals`, `remit approve` and `remit deny`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from remit.cli.decisions.approver_options import add_to
from remit.cli.decisions.confirmation import confirmed
from remit.cli.decisions.narrowing_options import narrower_values
from remit.cli.decisions.question_screen import demand, progress, show, spoken_by, together, until
from remit.cli.decisions.question_text import alike_line, show_figures, show_suggestions
from remit.cli.decisions.question_watch import watch as watch_questions
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, seconds, verb
from remit.cli.rest_client import Client, connect
from remit.core.errors import Conflict
from remit.core.json_value import Json

Wanted = Literal["pending", "approved", "denied", "narrowed", "expired", "consumed", "all"]

app = verb("approve")
deny_app = verb("deny")
approvals_app = verb("approvals")
add_to(approvals_app)


@approvals_app.default
def approvals(*, watch: Switch = False, state: Wanted = "pending", task: str | None = None) -> None:
    """List calls that wait for a person's approval.

    Approvers and auditors see all of them; others see those of their own tasks. For example, keep
    `remit approvals --watch` open while an agent deploys, so that its request does not expire unseen; on a
    terminal, answer each question where it appears: `y`, `n`, a narrower value or several times, and why.

    Parameters
    ----------
    watch
        Keep running, and show each approval that is new or changed; with `--json` one object per line.
    state
        List only approvals in this state, or `all`.
    task
        List only the approvals of this task.
    """
    client = connect()
    if watch:
        watch_questions(client)
        return
    found = client.get("approvals", state=None if state == "all" else state, task=task)
    if terminal.is_json():
        terminal.answer(found)
        return
    groups = together(found["items"])
    terminal.table(
        ("APPROVAL", "STATE", "TOOL", "AGENT", "FOR", "ASKED", "UNTIL"),
        (_row(one) for group in groups for one in group),
        empty="no pending approvals" if state == "pending" else "none",
    )
    _invite(groups)


@approvals_app.command(name="stats")
def stats(*, limit: int = 10_000) -> None:
    """Count questions in the evidence: how fast and how they were answered, and which rules ask.

    For example, see after a week whether people still read what they approve, and which rule asks too often.

    Parameters
    ----------
    limit
        Look at this many recorded decisions, questions and answers, the newest first.
    """
    found = connect().get("approvals", "stats", limit=limit)
    if terminal.is_json():
        terminal.answer(found)
    else:
        show_figures(found)


@approvals_app.command(name="alike")
def alike(id: str, /, *, limit: int = 10_000) -> None:
    """Count recorded questions like an open one, which the bounds that it offers would have spared.

    For example, see before `remit approve --times 10` what else such answers would have let pass.

    Parameters
    ----------
    id
        The approval's id, from `remit approvals`.
    limit
        Look at this many recorded decisions, the newest first.
    """
    found = connect().get("approvals", id, "alike", limit=limit)
    if terminal.is_json():
        terminal.answer(found)
    else:
        terminal.say(alike_line(found))


@approvals_app.command(name="suggest")
def suggest(*, patch: int = 0, limit: int = 10_000) -> None:
    """Suggest policy changes that would spare people questions that they always approve. Applies nothing.

    A suggestion needs answers that people have read, by several approvers, on several days and for several
    tasks, and no refusal. It is an exception for one agent, one tool and the same arguments, of a rule whose
    author lets one answer permit several calls. For example, review one after a month, save it with
    `--patch 1 > change.patch`, and treat it like any other change of policies.

    Parameters
    ----------
    patch
        Print only the change with this number, as `git apply` and `patch -p1` read it.
    limit
        Decide this many recorded calls again, the newest first, to count what else would have passed.
    """
    found = connect().get("approvals", "suggestions", limit=limit)
    if patch:
        if not 0 < patch <= len(found["items"]):
            raise UsageFault("there is no such suggestion", remediation="see `remit approvals suggest`")
        sys.stdout.write(found["items"][patch - 1]["diff"])
    elif terminal.is_json():
        terminal.answer(found)
    else:
        show_suggestions(found["items"])


def _row(one: Json) -> tuple[object, ...]:
    return (
        one["id"],
        _state(one),
        one["tool"],
        one["agent"],
        one["requested_for"],
        terminal.moment(one["requested"]),
        until(one),
    )


def _state(one: Json) -> Text:
    """Return the state, with how many of several people have approved."""
    many = f" {progress(one)}" if one["state"] == "pending" and one["needed"] > 1 else ""
    return Text.assemble(terminal.state(one["state"]), many)


def _invite(groups: list[list[Json]]) -> None:
    """Name the questions of one task about one tool, which one screen shows together."""
    for group in groups:
        if len(group) > 1 and group[0]["state"] == "pending":
            terminal.say(f"\n{len(group)} of `{group[0]['tool']}` in {group[0]['task']} belong together:")
            terminal.copyable(f"  remit approve {' '.join(one['id'] for one in group)}", style="dim")


@app.default
def approve(
    id: str,
    /,
    *more: str,
    comment: str = "",
    confirm: Several = (),
    times: int = 1,
    within: str = "",
    narrow: Several = (),
    for_: Annotated[str, Parameter(name="--for")] = "",
    break_glass: str = "",
) -> int:
    """Permit one exact call, once, before its approval expires. Shows the call first and asks you.

    For example, an agent wants to mail a contract to the other party: read the recipient and the text here,
    then permit exactly that mail. Any other call needs its own approval. Name several of one task and one
    tool (three invitations) to see and answer them together. Where the screen offers it, `--times 5` permits
    five calls that differ in their texts alone, and `--narrow amount=500` less than was asked.

    Parameters
    ----------
    id
        The approval's id, from `remit approvals`.
    more
        Further ones of the same task and tool.
    comment
        A comment for the evidence.
    confirm
        The call's digest, which confirms that you looked at this exact call; needed without a terminal, for
        each call.
    times
        Permit so many calls of this tool to the same destination in this task, where the screen offers it.
    within
        End the approval after `5m` or `8h`; without it, it ends as the screen shows, at the latest with the
        task.
    narrow
        Permit less: `amount=500` a lower amount, `path=reports/2026` a path below, `to=lena@example.com` only
        this element of a list (repeat it to keep several).
    for_
        Answer in the place of an approver who is away and has named you (`remit approvals away`).
    break_glass
        Approve alone, at once, what needs further people, for this reason. It is off unless `remit.yaml`
        names who may, and leaves a finding until another person has reviewed it.
    """
    if break_glass and (more or narrow or for_ or within or times > 1):
        raise UsageFault(
            "`--break-glass` approves one exact call, in your own name",
            remediation="leave the other options out",
        )
    if times < 1:
        raise UsageFault("`--times` is a number from 1", remediation="leave it out to approve this call once")
    if narrow and (more or times > 1):
        raise UsageFault("`--narrow` approves one call, once", remediation="answer the others separately")
    bounds: dict[str, Json] = {"most": times} if times > 1 else {}
    bounds |= {"instead_of": for_} if for_ else {}
    if within:
        bounds["until"] = (datetime.now(UTC) + timedelta(seconds=seconds(within))).isoformat()
    return _answer(
        (id, *more),
        approve=True,
        comment=comment,
        given=confirm,
        bounds=bounds,
        narrow=narrow,
        glass=break_glass,
    )


@deny_app.default
def deny(
    id: str,
    /,
    *more: str,
    comment: str = "",
    confirm: Several = (),
    for_: Annotated[str, Parameter(name="--for")] = "",
) -> int:
    """Refuse one exact call, or withdraw an approval that is not used up. Shows the call first and asks you.

    For example, refuse a payment to an account that you do not know, and give the reason in `--comment`.

    Parameters
    ----------
    id
        The approval's id, from `remit approvals`.
    more
        Further ones of the same task and tool.
    comment
        A comment for the evidence.
    confirm
        The call's digest, which confirms that you looked at this exact call; needed without a terminal, for
        each call.
    for_
        Answer in the place of an approver who is away and has named you.
    """
    bounds: dict[str, Json] = {"instead_of": for_} if for_ else {}
    return _answer((id, *more), approve=False, comment=comment, given=confirm, bounds=bounds)


def _answer(
    ids: tuple[str, ...],
    *,
    approve: bool,
    comment: str,
    given: tuple[str, ...],
    bounds: dict[str, Json],
    narrow: tuple[str, ...] = (),
    glass: str = "",
) -> int:
    client = connect()
    ids = tuple(dict.fromkeys(ids))
    asked = [client.get("approvals", one) for one in ids]
    if "most" in bounds:
        _check_offered(asked, bounds["most"])
    less = narrower_values(asked[0], narrow)
    if less:
        bounds = {**bounds, "narrow": less}
    if not approve and len(asked) == 1 and asked[0]["state"] == "approved":
        return _withdraw(client, asked[0], comment, given)
    if len(asked) > 1:
        _check_together(asked)
    if not terminal.is_json():
        show(asked)
        if len(asked) == 1 and approve and asked[0]["offer"] and asked[0]["state"] == "pending":
            terminal.say(alike_line(client.get("approvals", asked[0]["id"], "alike")), style="dim")
        _show_less(asked[0], less)
        _remind(client, asked, "approve" if approve else "deny")
    if asked[0]["state"] == "pending" and not _confirmed(
        asked, given, approve=approve, bounds=bounds, glass=bool(glass)
    ):
        terminal.remark("still pending: nothing was answered")
        return 1
    done = []
    for one in asked:
        # The digest binds the answer to the call that was on the screen.
        if glass:
            answer = client.post("approvals", one["id"], "break-glass", reason=glass, call=one["call"])
        else:
            answer = client.post(
                "approvals", one["id"], approve=approve, comment=comment, call=one["call"], **bounds
            )
        done.append(answer)
        if not terminal.is_json():
            _say(answer, approve=approve, name=f"{one['id']}: " if len(asked) > 1 else "")
    if terminal.is_json():
        terminal.answer(done[0] if len(done) == 1 else {"items": done})
    return 0


def _say(answer: Json, *, approve: bool, name: str) -> None:
    """Say what an answer has done, and what is still needed."""
    if answer["state"] == "pending":
        terminal.say(name, f"your approval counts: {progress(answer)}; the agent still waits")
        return
    often = f", valid for {answer['most']} calls, until " if answer["most"] > 1 else ", valid once, until "
    until_when: list[str | Text] = [often, terminal.moment(answer["expires"])] if approve else []
    people = [spoken_by(one) for one in answer["answers"]] if approve else []
    by = " and ".join(people) or answer["decided_by"]
    terminal.say(name, terminal.state(answer["state"]), f" by {by}", *until_when)
    if answer["narrows"]:
        terminal.say(f"{answer['id']} permits the narrower call; the agent hears of it at its next try")
    if answer["broken_glass"]:
        terminal.say("Another person reviews it:")
        terminal.copyable(f"  remit approvals review {answer['id']} --comment ...", style="dim")


def _show_less(one: Json, less: dict[str, Json]) -> None:
    """Show each narrowed argument, as asked and as it would be permitted."""
    for name, value in less.items():
        asked = terminal.compact(one["arguments"][name])
        terminal.say(f"narrowed: `{name}` from {asked} to ", terminal.text(terminal.compact(value), "bold"))


def _check_together(asked: list[Json]) -> None:
    """Refuse several ids that no single screen can show, or of which one cannot be answered any more."""
    if len({(one["task"], one["tool"]) for one in asked}) > 1:
        raise UsageFault(
            "these approvals are of several tasks or tools", remediation="answer them one by one"
        )
    for one in asked:
        if one["state"] != "pending":
            raise Conflict(f"approval `{one['id']}` is already {one['state']}")


def _check_offered(asked: list[Json], most: int) -> None:
    """Refuse bounds that the question does not offer, before a person reads on."""
    if len(asked) > 1:
        raise UsageFault("`--times` answers one question", remediation="answer them one by one")
    offer = asked[0]["offer"]
    if offer is None or most > offer["most"]:
        told = "offers just this once" if offer is None else f"offers at most {offer['most']} calls"
        raise UsageFault(f"this question {told}", remediation="leave `--times` out, or choose fewer")


def _withdraw(client: Client, one: Json, comment: str, given: tuple[str, ...]) -> int:
    """Withdraw an approval that was given and is not used up."""
    if not terminal.is_json():
        show([one])
    if not confirmed("Withdraw this approval?", one["call"], " ".join(given)):
        terminal.remark("still approved: nothing was withdrawn")
        return 1
    gone = client.post("approvals", one["id"], "withdraw", comment=comment)
    if terminal.is_json():
        terminal.answer(gone)
    else:
        terminal.say("withdrawn: no further call is permitted")
    return 0


def _confirmed(
    asked: list[Json],
    given: tuple[str, ...],
    *,
    approve: bool,
    bounds: dict[str, Json],
    glass: bool = False,
) -> bool:
    """Ask once for all questions on the screen; without a terminal, each call's digest must be given."""
    count = len(asked)
    if glass:
        question = f"Break the glass, and approve this call alone, in place of {demand(asked[0])}?"
    elif "narrow" in bounds:
        question = "Approve only the narrower call, once?"
    elif "most" in bounds:
        question = f"Approve this call, and up to {bounds['most'] - 1} more like it?"
    elif count == 1:
        question = "Approve exactly this call, once?" if approve else "Refuse this call?"
    else:
        question = (
            f"Approve exactly these {count} calls, each once?" if approve else f"Refuse these {count} calls?"
        )
    digests = [one["call"] for one in asked]
    # In the order of the screen; the digests that are given may have any order.
    wanted = " --confirm ".join(digests)
    return confirmed(question, wanted, wanted if set(given) == set(digests) else " ".join(given))


def _remind(client: Client, asked: list[Json], command: str) -> None:
    """Name the further open questions that belong to this one."""
    first = asked[0]
    if first["state"] != "pending":
        return
    more = client.get("approvals", state="pending", task=first["task"])["items"]
    others = [one["id"] for one in more if one["tool"] == first["tool"]]
    missing = [one for one in others if one not in {each["id"] for each in asked}]
    if missing:
        what = "question waits" if len(missing) == 1 else "questions wait"
        terminal.say(f"{len(missing)} more {what} about this tool in this task. All on one screen:")
        ids = " ".join((*(one["id"] for one in asked), *missing))
        terminal.copyable(f"  remit {command} {ids}", style="dim")
