# SPDX-License-Identifier: Apache-2.0
"""A withheld field does not leave in any known shape of records, and records without one lose nothing."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.cooperative_steps import finish
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.label import Label
from remit.core.tools.tool import FieldLabel, Tool, WithheldBy
from remit.services.flow.withheld_results import withholding

Json = Any
HIDDEN = FieldLabel("secret_code", Label("restricted"), {}, withheld=WithheldBy.TOOL)
TOOL = Tool(upstream="bank", name="list", label=Label("internal"), fields=(HIDDEN,))
WRITTEN = (
    "secret_code",
    "secretCode",
    "secret-code",
    "SECRET_CODE",
    "Secret code",
    "user.secret_code",
    "secretcode",
)
NAMES = ("login", "city", "temp", "owner", "when", "total")
VALUE = "zq7-xkw-41"

values = st.one_of(st.integers(), st.booleans(), st.none(), st.text("abcdefgh ", min_size=4, max_size=12))
rows = st.lists(st.lists(values, min_size=6, max_size=6), min_size=1, max_size=4)
columns = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)


def shaped(shape: int, names: list[str], table: list[list[Json]]) -> Json:
    """Return records with these columns in one of the known shapes."""
    table = [row[: len(names)] for row in table]
    numbered = [{str(at): one for at, one in enumerate(row)} for row in table]
    cells = [{"f": [{"v": one} for one in row]} for row in table]
    shapes: list[Json] = [
        [dict(zip(names, row, strict=True)) for row in table],
        {"columns": names, "rows": table},
        {"columns": names, "rows": numbered},
        {"result": {"header": names}, "data": {"table": table}},
        {"schema": {"fields": [{"name": one, "mode": "x"} for one in names]}, "rows": cells},
        {"names": names, "values": table[0]},
        {
            "records": [
                [{"name": name, "value": one} for name, one in zip(names, row, strict=True)] for row in table
            ]
        },
        {
            "entries": [
                {"field": {"key": name}, "is": [one]} for name, one in zip(names, table[0], strict=True)
            ]
        },
        {"columns": names, "first": numbered[0], "count": len(table)},
        {"index": dict(zip(names, zip(*table, strict=True), strict=True))},
    ]
    return shapes[shape]


SHAPES = 10
#: Shapes in which a text says that it is a name by its place alone: without a header, the rows have no names.
UNNAMED = (
    lambda names, row: [names, row],
    lambda names, row: [[name, one] for name, one in zip(names, row, strict=True)],
    lambda names, row: [part for pair in zip(names, row, strict=True) for part in pair],
    lambda names, row: {"a": names, "b": row},
    lambda names, row: {"a": names, "b": [[one] for one in row]},
)


def left(value: Json, *, as_text: bool) -> str:
    """Return what is left of a result, as text."""
    body = (
        {"content": [{"type": "text", "text": json.dumps(value)}]}
        if as_text
        else {"structuredContent": value}
    )
    found = finish(withholding(Chunk(ChunkKind.RESULT, json.dumps(body).encode(), ""), TOOL)).chunk
    return "" if found is None else found.body.decode()


@given(st.integers(0, SHAPES - 1), columns, rows, st.sampled_from(WRITTEN), st.integers(0, 5), st.booleans())
def test_a_withheld_value_leaves_in_no_known_shape(
    shape: int, names: list[str], table: list[list[Json]], written: str, at: int, as_text: bool
) -> None:
    """Wherever its name stands, and however it is written, the value stays."""
    at = min(at, len(names))
    table = [[*row[:at], f"{VALUE}{number}", *row[at:]] for number, row in enumerate(table)]
    assert VALUE not in left(shaped(shape, [*names[:at], written, *names[at:]], table), as_text=as_text)


@given(
    st.sampled_from(UNNAMED),
    columns,
    rows,
    st.sampled_from(WRITTEN),
    st.integers(0, 5),
    st.integers(10**6, 10**9),
)
def test_a_withheld_number_leaves_in_no_list_that_has_its_name(
    shape: Any, names: list[str], table: list[list[Json]], written: str, at: int, number: int
) -> None:
    """A name anywhere in the lists hides its row and its column."""
    at = min(at, len(names))
    row = [*table[0][:at], f"{number}.25", *table[0][at:]][: len(names) + 1]
    assert f"{number}.25" not in left(shape([*names[:at], written, *names[at:]], row), as_text=False)


@given(st.integers(0, SHAPES - 1), columns, rows, st.booleans())
def test_records_without_a_withheld_field_lose_nothing(
    shape: int, names: list[str], table: list[list[Json]], as_text: bool
) -> None:
    """What has a name that is not withheld is released, byte for byte in value."""
    value = shaped(shape, names, table)
    found = json.loads(left(value, as_text=as_text))
    same = json.loads(found["content"][0]["text"]) if as_text else found["structuredContent"]
    assert same == json.loads(json.dumps(value))


@given(st.lists(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()))))
def test_numbers_without_a_name_are_released(points: list[list[float]]) -> None:
    """Points, series and matrices are ordinary work."""
    assert json.loads(left({"points": points}, as_text=False)) == {"structuredContent": {"points": points}}
