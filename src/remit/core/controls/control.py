# SPDX-License-Identifier: Apache-2.0
"""The form of a control and of a measure, as their files state them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec

from remit.core.findings.kinds import FindingKind

Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]


class Mechanism(msgspec.Struct, frozen=True, kw_only=True):
    """What remit does about a control; `see` is a page of the documentation."""

    says: str
    see: str


class MeasuredCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A measure with the shares that it has to reach: `met`, or else `partly`, in percent.

    `kinds` are the kinds of findings that `findings-closed` counts.
    """

    measure: str
    met: Percent = 100
    partly: Percent = 90
    kinds: tuple[FindingKind, ...] = ()


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """A control: what it asks, which mechanisms answer, what is measured, and what to do next.

    `outside` states what of it remit cannot know. With `at_best: partly` that is the greater part, so that
    no measure makes it `met`. A control without checks is outside remit.
    """

    id: str
    title: str
    asks: str
    answered_by: tuple[Mechanism, ...] = ()
    checks: tuple[MeasuredCheck, ...] = ()
    outside: str
    next: str
    at_best: Literal["met", "partly"] = "met"


class Framework(msgspec.Struct, frozen=True, kw_only=True):
    """A framework with its controls: by the `order` of what their ids begin with, then by id."""

    name: str
    title: str
    says: str
    order: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure: what it counts, what is true of those that hold, and its SQL.

    The SQL is one `SELECT` with a row for each subject: `index` of an event, `name`, and `holds`, which is
    null where the export does not tell. Its parameters are `since`, `until` and `kinds`.
    """

    name: str
    subjects: str
    holding: str
    note: str = ""
    sql: str


def mistakes(control: Control, file: str, measures: Mapping[str, Measure]) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong in a control beyond its form: the key, the problem, and the remediation."""
    if control.id != file:
        yield "id", f"`{control.id[:40]}` is not the name of the file", f"write `{file}`"
    if control.checks and not control.answered_by:
        yield "checks", "measures what no mechanism answers", "name the mechanism under `answered_by`"
    for place, check in enumerate(control.checks):
        at = f"checks[{place}]"
        if check.measure not in measures:
            known = ", ".join(sorted(measures))
            yield f"{at}.measure", f"`{check.measure[:40]}` is not a measure", f"known are: {known}"
            continue
        if check.partly > check.met:
            yield f"{at}.partly", "is above `met`", "let `partly` be the lower share"
        if bool(check.kinds) != ("$kinds" in measures[check.measure].sql):
            yield at, "`kinds` and `findings-closed` belong together", "give both or neither"
