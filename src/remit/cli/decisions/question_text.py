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
        ("denied", f"{found['denied']:,}"),
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


def _times(found: Json) -> str:
    if found["median_s"] is None:
        return ""
    return f", half within {_span(found['median_s'])}, nine of ten within {_span(found['slowest_tenth_s'])}"


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else terminal.span(seconds).removeprefix("in ")
