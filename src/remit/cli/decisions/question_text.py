# SPDX-License-Identifier: Apache-2.0
"""Figures of questions to people, in words."""

from __future__ import annotations

from remit.cli.output import terminal
from remit.core.json_value import Json

#: Shares from which people probably approve unread.
MANY_UNREAD = 0.2
MANY_APPROVED = 0.95
FEW = 20
"""Answers below which a share says nothing."""


def show_figures(found: Json) -> None:
    """Show how fast and how questions were answered, and which rules ask most."""
    if not found["questions"]:
        terminal.say("no person was asked")
        return
    rows = [
        ("calls", f"{found['calls']:,} decided"),
        ("questions", f"{found['questions']:,}{_rate(found['per_100_calls'])}"),
        ("answered", f"{found['answered']:,}{_times(found)}"),
        ("approved", f"{found['approved']:,}{_share(found['share_approved'])}{_narrowed(found)}"),
        ("denied", f"{found['denied']:,}{_overturned(found)}"),
        ("unread", f"{found['unread']:,}{_share(found['share_unread'])}, answered in under 2 seconds"),
        ("unanswered", f"{found['expired'] + found['open']:,}, {found['expired']:,} of them refused for it"),
        ("withdrawn", f"{found['withdrawn']:,}"),
    ]
    terminal.picture(terminal.facts(rows))
    terminal.say("")
    terminal.table(
        ("RULE", "QUESTIONS", "PER 100 CALLS", "ANSWERED", "APPROVED"),
        (
            (one["rule"], one["questions"], f"{one['per_100_calls']:g}", one["answered"], one["approved"])
            for one in found["rules"]
        ),
        empty="no rule asked",
    )
    for line in _signs(found):
        terminal.say(line, style="yellow")


def alike_line(found: Json) -> str:
    """Return what an answer with the offered bounds would have spared people so far."""
    if not found["questions"]:
        return f"No other question like it in the last {found['read']:,} decisions."
    answers = f"{found['approved']} approved, {found['denied']} denied"
    many = terminal.counted(found["questions"], "question")
    return (
        f"In the last {found['read']:,} decisions, {many} like it "
        f"in {terminal.counted(found['tasks'], 'task')} ({answers}). "
        f"Such answers would have let {found['passed']} of them pass unasked."
    )


def show_suggestions(found: list[Json]) -> None:
    """Show policy changes with what speaks for them, and what else they would have let pass."""
    if not found:
        terminal.say("nothing to suggest: no question was read and approved often enough, by several people")
    for number, one in enumerate(found, 1):
        exception, evidence = one["exception"], one["evidence"]
        texts = ", ".join(f"`{name}`" for name in exception["texts"])
        terminal.say("")
        terminal.say(
            terminal.text(f"{number}. ", "bold"),
            f"`{one['rule']}` need not ask when {exception['agent']} calls {exception['tool']} like this",
        )
        approved = (
            f"{evidence['answers']} times, in as many tasks, on {evidence['days']} days, "
            f"half within {_span(evidence['median_s'])}; never refused, narrowed or withdrawn"
        )
        unread = f"{evidence['unread']} more, too fast to have been read" if evidence["unread"] else ""
        recorded = (
            f"of {one['read']:,} decisions {one['passed']:,} would have passed unasked, "
            f"{one['unasked']:,} of them not approved by these answers"
        )
        rows = [
            ("same", terminal.compact(exception["same"])),
            ("unseen", f"what it writes in {texts}: no person will see it before it is sent"),
            ("approved", approved),
            ("by", ", ".join(evidence["approvers"])),
            ("unread", unread),
            ("recorded", recorded),
        ]
        terminal.picture(terminal.facts(rows))
        for line in one["diff"].splitlines():
            style = {"+": "green", "-": "red"}.get(line[:1], "dim")
            terminal.copyable(f"  {line}", style=style)
    if found:
        terminal.say("")
        terminal.say("Nothing is changed. To take one: `remit approvals suggest --patch 1 | git apply`, then")
        terminal.say("`remit policy check`, `remit policy simulate` and `remit policy apply`.")


def _signs(found: Json) -> list[str]:
    """Return the signs that people do not read what they approve."""
    if found["answered"] < FEW:
        return []
    out = []
    if found["share_unread"] >= MANY_UNREAD:
        out.append("Many answers come too fast to have been read.")
    if found["share_approved"] >= MANY_APPROVED:
        out.append(
            "Almost every question is approved: describe the tools better, or narrow the rules that ask."
        )
    return out


def _rate(rate: float | None) -> str:
    return "" if rate is None else f", {rate:g} per 100 calls"


def _share(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%})"


def _narrowed(found: Json) -> str:
    return f", {found['narrowed']} of them narrowed" if found["narrowed"] else ""


def _overturned(found: Json) -> str:
    return f", {found['overturned']} of them approved later" if found["overturned"] else ""


def _times(found: Json) -> str:
    if found["median_s"] is None:
        return ""
    return f", half within {_span(found['median_s'])}, nine of ten within {_span(found['slowest_tenth_s'])}"


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else terminal.span(seconds).removeprefix("in ")
