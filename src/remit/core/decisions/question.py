# SPDX-License-Identifier: Apache-2.0
"""What a person is told of a deferred call: each value in question, and the source that it came from."""

from __future__ import annotations

import enum

import msgspec


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
