# SPDX-License-Identifier: Apache-2.0
"""The screen of a question: the exact call, and what a person needs to know of the values in question.

INVARIANT: each argument of each call is on the screen as a whole, with hidden characters made visible. What
remit says of a value has separate rows, so that no argument can imitate it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from rich.panel import Panel
from rich.text import Text

from remit.cli.output import terminal
from remit.core.decisions.approvers import ApproverDemand, in_words
from remit.core.decisions.question import QuestionedValue, told
from remit.core.flow.justification import bare
from remit.core.json_value import Json
from remit.core.safe_text import plain

MAX_SHOWN = 60
"""Most characters of a value in a sentence about it; the value stands among the arguments as a whole."""

Row = tuple[str, object]


def show(asked: Sequence[Json]) -> None:
    """Show questions about one tool in one task; what all of them share is shown once."""
    first, many = asked[0], len(asked) > 1
    if not many:
        rows = [*_call(first), *_values(first["arguments"]), *_rest(first), *_about(first), *_rules(first)]
        rows += [*_people(first), *_times(first), *_bounds(first), *_less(first)]
        _panel(first, [*rows, ("state", terminal.state(first["state"]))])
        return
    same = {name: value for name, value in first["arguments"].items() if _shared(asked, name, value)}
    above = [_rest, _rules, _people, _about_alike, _times]
    alike = [one for one in above if all(_plain(one(each)) == _plain(one(first)) for each in asked)]
    times = Text.assemble(terminal.text(first["tool"], "bold"), f", {len(asked)} times")
    rows = [("calls", times), *_values(same)]
    terminal.picture(terminal.facts([*rows, *(row for one in alike for row in one(first))], lines=True))
    for one in asked:
        own: list[Row] = list(_values({k: v for k, v in one["arguments"].items() if k not in same}))
        for part in above:
            own += () if part in alike else (_about if part is _about_alike else part)(one)
        _panel(one, own)


def together(items: Sequence[Json]) -> list[list[Json]]:
    """Return approvals in groups of one task and one tool, in the order of the first of each group."""
    groups: dict[tuple[str, str, str], list[Json]] = {}
    for one in items:
        groups.setdefault((one["task"], one["tool"], one["state"]), []).append(one)
    return list(groups.values())


def until(one: Json) -> Text:
    """Return until when an approval is open or usable, or when it expired; empty once used or refused."""
    return terminal.moment("" if one["state"] in ("denied", "narrowed", "consumed") else one["expires"])


def _shared(asked: Sequence[Json], name: str, value: Json) -> bool:
    return all(name in one["arguments"] and one["arguments"][name] == value for one in asked)


def _panel(one: Json, rows: list[Row]) -> None:
    terminal.picture(
        Panel(
            terminal.facts([*rows, ("digest", one["call"])], lines=True),
            title=terminal.text(one["id"], "bold"),
            title_align="left",
            border_style="yellow",
            expand=False,
        )
    )


def _plain(rows: Iterator[Row]) -> list[tuple[str, str]]:
    return [(name, value.plain if isinstance(value, Text) else str(value)) for name, value in rows]


def _times(one: Json) -> Iterator[Row]:
    yield "asked", terminal.moment(one["requested"])
    yield "expired" if one["state"] == "expired" else "until", until(one)


def _call(one: Json) -> Iterator[Row]:
    yield "call", terminal.text(one["tool"], "bold")


def _values(values: dict[str, Json]) -> Iterator[Row]:
    for name, value in values.items():
        yield f"  {name}", plain(value if isinstance(value, str) else terminal.compact(value), lines=True)


def _rest(one: Json) -> Iterator[Row]:
    """Yield who calls and why, without the reasons that are told in full beside the values."""
    yield "by", f"{one['agent']} for {one['requested_for'] or 'itself'}, in {one['task']}"
    told = {value["reason"] for value in one["questioned"]}
    yield from (("because", reason) for reason in one["reasons"] if reason not in told)


def _bounds(one: Json) -> Iterator[Row]:
    """Yield what an answer may permit beyond the call, or what is left of what it permits."""
    offer = one["offer"]
    if offer is None or not (one["state"] == "pending" or one["most"] > 1):
        return
    same = ", ".join(f"`{bare(plain(name))}`" for name in offer["same"])
    texts = ", ".join(f"`{bare(plain(name))}`" for name in offer["texts"])
    label = offer["label"]
    parts = (label["class"], *label["categories"], *(f"from {zone}" for zone in label["zones"]))
    carried = ", ".join([*parts, *(["untrusted"] if label["trust"] == "untrusted" else [])])
    kind = (
        f"The same {same}; other texts in {texts}, which you will not see. "
        f"The task holds {carried} data, and later calls pass on no more."
    )
    if one["state"] == "pending":
        ends = Text.assemble("until ", terminal.moment(offer["until"]), " at the latest")
        head = Text.assemble((f"--times {offer['most']}", "bold"), f": up to {offer['most']} calls like it")
        yield "or more", Text("\n").join([head, ends, Text(kind)])
    else:
        yield "permits", Text(f"{one['most']} calls, {one['used']} made. {kind}")


#: What may be written for an argument, by the way in which it can be narrowed.
_LESS = {"lower": "LESS", "fewer": "ONE", "below": "PATH/BELOW"}


def _less(one: Json) -> Iterator[Row]:
    """Yield how to permit less than was asked, or what was narrowed."""
    if one["state"] == "pending" and one["narrowable"]:
        ways = [f"--narrow {plain(name)}={_LESS[how]}" for name, how in one["narrowable"].items()]
        yield "or less", Text("\n").join([*(Text(way, "bold") for way in ways)])
    if one["overtaken"]:
        yield "withdrawn", _OVERTAKEN[one["overtaken"]]
    if one["instead"]:
        yield "permits", f"only the narrower call of {one['instead']}"
    if one["narrows"]:
        names = ", ".join(f"`{bare(plain(name))}`" for name in one["narrowed"])
        yield "narrows", f"{names} of the call that {one['narrows']} asked about"


_OVERTAKEN = {
    "rules": "by remit: the rules that ask are other ones now",
    "provenance": "by remit: other sources of its values are known now",
    "approvers": "by remit: not all who gave it may still give it",
    "agent": "by its agent, which does not want the call any more",
}


def _rules(one: Json) -> Iterator[Row]:
    yield "waives", ", ".join(f"{rule}" for rule, _ in one["rules"])


def progress(one: Json) -> str:
    """Say how many of the people who must approve have done so: `1 of 2`."""
    return f"{len(one['answers'])} of {one['needed']}"


def spoken_by(answer: Json) -> str:
    """Return who gave an answer, and in whose place."""
    by = str(answer["by"])
    return f"{by} for {answer['instead_of']}" if answer["instead_of"] else by


def demand(one: Json) -> str:
    """Return who must approve."""
    demands = tuple(ApproverDemand(each["group"], each["count"]) for each in one["approvers"])
    return in_words(demands, one["escalated"])


def _people(one: Json) -> Iterator[Row]:
    """Yield who must approve where that is more than one approver, and who has."""
    if one["broken_glass"]:
        yield "glass", f"broken by {one['decided_by']}, in place of {demand(one)}"
    elif one["approvers"] or one["needed"] > 1:
        given = f": {progress(one)}" if one["needed"] > 1 else ""
        yield "needs", Text(f"{demand(one)}{given}")
    elif one["escalated"]:
        yield "escalated", f"to group {', '.join(one['escalated'])}"
    if one["state"] != "pending" or one["broken_glass"]:
        return
    for answer in one["answers"]:
        said = plain(f": {answer['comment']}") if answer["comment"] else ""
        when = terminal.moment(answer["at"])
        yield "approved", Text.assemble(f"by {spoken_by(answer)}, ", when, said)
    if one["agreed_less"]:
        ways = [f"--narrow {plain(name)}={terminal.compact(to)}" for name, to in one["agreed_less"].items()]
        yield "only with", Text("\n").join(Text(way, "bold") for way in ways)
    elif one["agreed_most"] > 1:
        yield "only with", Text(f"--times {one['agreed_most']}", "bold")


def _about(one: Json) -> Iterator[Row]:
    """Yield what is known of the values in question; values with the same source share a row."""
    for value, texts in _by_source(one):
        short = (text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…" for text in texts)
        shown = ", ".join(f"`{bare(plain(text))}`" for text in short)
        yield "asks about", _told(value, shown)


def _about_alike(one: Json) -> Iterator[Row]:
    """Yield the same without the values."""
    for value, _ in _by_source(one):
        yield "asks about", _told(value, "")


def _by_source(one: Json) -> list[tuple[Json, list[str]]]:
    found: dict[str, tuple[Json, list[str]]] = {}
    for value in one["questioned"]:
        key = terminal.compact([value["argument"], value["stated"], value["source"]])
        texts = found.setdefault(key, (value, []))[1]
        texts += [value["value"]] if value["value"] else []
    return list(found.values())


def _told(value: Json, shown: str) -> Text:
    lines = told(msgspec.convert(value, QuestionedValue))
    head = Text.assemble((plain(value["argument"]), "bold"), f": {shown}" if shown else "")
    return Text("\n").join([head, *map(Text, lines)])
