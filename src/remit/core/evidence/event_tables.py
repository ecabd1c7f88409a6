# SPDX-License-Identifier: Apache-2.0
"""The evidence as tables: one for each kind of event, a row for each event, a column for each field.

The columns come from `core.evidence.events`, so the reference of events is the reference of the tables. A
table is named after its kind (`decision.made`: `decision_made`). Each row begins with `index`, `time` (in
UTC), `task`, `agent` and `call`. A fact of one of these names is `of_task` and so on, and a name that is a
word of SQL has another one (`RENAMED`). The table `events` has one row for each event of any kind, with the
exact text of its leaf; `pruned_leaves` has index and leaf hash of each event that was pruned.
"""

from __future__ import annotations

import enum
import types
from typing import Annotated, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from remit.core.evidence.event import EventBody, EventKind, fields_of
from remit.core.evidence.events.kinds import BODIES

#: What each row begins with, and its type.
ROW: Final = {
    "index": "BIGINT",
    "time": "TIMESTAMP",
    "task": "VARCHAR",
    "agent": "VARCHAR",
    "call": "VARCHAR",
}

#: Fields that would have to be quoted in each question.
RENAMED: Final = {"by": "done_by", "class": "data_class", **{name: f"of_{name}" for name in ROW}}


class EventColumn(NamedTuple):
    """A column: `said_as` is the member of the leaf's `facts`, or of the openings if it is `sealed`."""

    name: str
    type: str
    said_as: str
    says: str
    sealed: bool


def table_of(kind: EventKind) -> str:
    """Return the name of a kind's table."""
    return kind.value.replace(".", "_")


def columns_of(kind: EventKind) -> tuple[EventColumn, ...]:
    """Return the columns that a kind's table has beside `ROW`.

    Types are `VARCHAR`, `BIGINT`, `BOOLEAN`, `VARCHAR[]`, and `JSON` for everything else.
    """
    body = BODIES[kind]
    types_by_name = _types(body)
    return tuple(
        EventColumn(
            name=RENAMED.get(one.name, one.name),
            type=_sql(types_by_name[one.name]),
            said_as=one.said_as,
            says=one.says,
            sealed=one.sealed,
        )
        for one in fields_of(body)
    )


def _types(body: type[EventBody]) -> dict[str, object]:
    hints = get_type_hints(body, include_extras=False)
    return {one.encode_name: hints[one.name] for one in msgspec.structs.fields(body)}


def _sql(hint: object) -> str:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in {Union, types.UnionType}:
        given = [one for one in get_args(hint) if one is not msgspec.UnsetType and one is not types.NoneType]
        return _sql(given[0]) if len(given) == 1 else "JSON"
    if get_origin(hint) is list:
        return "VARCHAR[]" if _sql(get_args(hint)[0]) == "VARCHAR" else "JSON"
    if not isinstance(hint, type):
        return "JSON"
    if issubclass(hint, bool):
        return "BOOLEAN"
    if issubclass(hint, int) and not issubclass(hint, enum.Enum):
        return "BIGINT"
    return "VARCHAR" if issubclass(hint, str) else "JSON"
