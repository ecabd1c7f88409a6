# SPDX-License-Identifier: Apache-2.0
"""What a person is told of a deferred call: each value in question, and the source that it came from."""

from __future__ import annotations

import enum

import msgspec

from remit.core.flow.justification import bare
from remit.core.safe_text import plain


class Stood(enum.StrEnum):
    """How a value stood in its source: as a whole field, or in the middle of a text."""

    FIELD = "field"
    TEXT = "text"


class ValueSource(msgspec.Struct, frozen=True, kw_only=True):
    """The place from which a value came into the task.

    `call` is the number of the call, `decision` the id of its decision. `by_others`: outsiders can have
    written the field. `alike` counts the other values of that field, or those of the whole source if the
    value stood in a text; `elsewhere` counts the values of its kind outside of that field. None: not counted.
    `leads` is `named` if the person's words name the record, `pointed` if they lead to it, and otherwise
    empty; `words` are these words. `wrote` names the task that wrote the data, if remit saw that.
    """

    call: int
    decision: str
    tool: str
    field: str
    by_others: bool
    stood: Stood
    alike: int | None = None
    elsewhere: int | None = None
    leads: str = ""
    words: tuple[str, ...] = ()
    wrote: str = ""


class QuestionedValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a question is about: where it goes or what it selects, and its source.

    `value` is empty if the tool's description hides it. `stated`: the person's words hold the value, but for
    another purpose. `reason` is the reason of the decision that it explains.
    """

    argument: str
    role: str
    value: str
    stated: bool = False
    source: ValueSource | None = None
    reason: str = ""


def told(value: QuestionedValue) -> tuple[str, ...]:
    """Return in sentences whether the person's words name a value, where it stood, and who can write there.

    Names are in backticks. The value itself is in none of them.
    """
    source = value.source
    return (_words(value), *((_place(source), _trust(source)) if source is not None else ()))


def _words(value: QuestionedValue) -> str:
    source = value.source
    if value.stated:
        return "The person's words contain it, but not for this call."
    if source is None:
        return "Neither the person's words nor the data that this task has read contain it."
    if not source.leads:
        return "The person's words lead neither to it nor to its source."
    words = ", ".join(f"`{_name(one)}`" for one in source.words)
    verb = "name" if source.leads == "named" else "lead to"
    return f"The person's words {verb} its source{f' ({words})' if words else ''}, not the value itself."


def _place(source: ValueSource) -> str:
    """Return where the value stood, and how many others like it stood there."""
    where = f"Call {source.call}, `{_name(source.tool)}`"
    where += f", field `{_name(source.field)}`" if source.field else ""
    if source.stood is Stood.TEXT:
        beside = {None: "", 0: ", the only one like it"}.get(
            source.alike, f", with {source.alike} more like it in the source"
        )
        return f"{where}: in the middle of a text{beside}."
    beside = {None: "", 0: ", the only value there"}.get(
        source.alike, f", one of {(source.alike or 0) + 1} values there"
    )
    more = f"; {source.elsewhere} more like it elsewhere in the source" if source.elsewhere else ""
    return f"{where}: a field for itself{beside}{more}."


def _trust(source: ValueSource) -> str:
    wrote = f" That call read {plain(source.wrote)}." if source.wrote else ""
    return ("Others can have written it." if source.by_others else "Outsiders cannot write it.") + wrote


def _name(text: str) -> str:
    return bare(plain(text))
