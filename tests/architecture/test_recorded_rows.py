# SPDX-License-Identifier: Apache-2.0
"""Each statement that writes a row which the log covers belongs to a change whose rows are recorded."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from remit.adapters.store.backup.backup_rows import LEFT_OUT
from remit.adapters.store.relational import changes
from remit.adapters.store.relational.state import changes as recorded
from remit.adapters.store.relational.state.rows import SHAPES
from remit.core.evidence.events.state_rows import STATE_TABLES
from tests.architecture.tree import ROOT

STORE = ROOT / "src" / "remit" / "adapters" / "store"
WRITES = re.compile(
    rf"(?:insert into|update|delete from|insert or \w+ into)\s+({'|'.join(STATE_TABLES)})\b", re.IGNORECASE
)

UNNAMED_TEXT = re.compile(r"(?:insert into|update|delete from|copy) \{", re.IGNORECASE)

#: Functions that write such rows outside of a change, and why the log need not say it.
OUTSIDE = {
    ("sqlite/schema.py", "migrate"): "a migration of old versions, before rows were recorded",
}


#: Functions that write to the table that a caller names, with a literal that is looked for at each call.
NAMED = {"upsert", "_put_named"}
#: The other functions whose statements name no table, and which tables they write.
UNNAMED = {
    ("relational/inserts.py", "__call__"): "events, counters, nodes, history, data blocks",
    ("relational/issued_tokens.py", "_sweep"): "refresh tokens and their families",
    ("relational/sealed_values.py", "seal_old"): "texts of old versions, before rows were recorded",
    ("postgres/arrays.py", "_statement"): "as `relational/inserts.py`",
    ("postgres/store_claim.py", "_query"): "as `relational/inserts.py`",
    ("postgres/placed_batch.py", "_query"): "as `relational/inserts.py`",
    ("sqlite/backup.py", "take"): "a restore, which compares the rows with the backup's log",
    ("postgres/backup.py", "take"): "the same",
}


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the SQL in a piece of code: its literals, and what `upsert` makes."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
        elif isinstance(one, ast.Call) and ast.unparse(one.func) in NAMED:
            for given in one.args:
                if isinstance(given, ast.Constant) and isinstance(given.value, str):
                    yield f"insert into {given.value}"


def tables_written(node: ast.AST, named: dict[str, set[str]]) -> set[str]:
    """Return the covered tables that a piece of code writes; `named` are those of the module's constants."""
    found = {name.lower() for text in texts(node) for name in WRITES.findall(text)}
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            found |= named.get(one.id, set())
    return found


def writers() -> dict[tuple[str, str], set[str]]:
    """Return the functions of the stores that write covered tables, by module and name."""
    found: dict[tuple[str, str], set[str]] = {}
    for place in sorted(STORE.rglob("*.py")):
        module = place.relative_to(STORE).as_posix()
        tree = ast.parse(place.read_text())
        named: dict[str, set[str]] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                named[ast.unparse(target)] = tables_written(node.value, {})
        functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
        used = set[str]()
        for function in functions:
            if tables := tables_written(function, named):
                found[module, function.name] = tables
            used |= {one.id for one in ast.walk(function) if isinstance(one, ast.Name)}
        for name, tables in named.items():
            if tables and name not in used:
                found[module, ""] = found.get((module, ""), set()) | tables
    return found


def handlers() -> dict[tuple[str, str], type]:
    """Return which function applies which kind of change."""
    nothing: Any = None
    made = changes.Changes(nothing, nothing, nothing, nothing)
    found = {}
    for kind, handler in {**changes._APPLY, **made._apply}.items():
        code: Any = getattr(handler, "__func__", handler).__code__
        place = code.co_filename.partition("adapters/store/")[2]
        found[place, code.co_name] = kind
    return found


def test_each_writer_of_a_covered_table_belongs_to_a_change_that_records_its_rows() -> None:
    """A new statement, handler or change fails here, until the rows that it changes are named."""
    known, said = handlers(), ast.parse((STORE / "relational" / "state" / "changes.py").read_text())
    places = {
        ast.unparse(key): value
        for node in said.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_PLACES"
        for table in [node.value]
        if isinstance(table, ast.Dict)
        for key, value in zip(table.keys, table.values, strict=True)
        if key is not None
    }
    sought = {one.name: one for one in ast.walk(said) if isinstance(one, ast.FunctionDef)}
    met = set()
    for place, tables in writers().items():
        if place in OUTSIDE:
            met.add(place)
            continue
        assert place in known, f"{place} writes {tables}: record the rows, or say why not in OUTSIDE"
        kind = known[place]
        assert kind in recorded._PLACES or kind in recorded._SOUGHT, f"{kind.__name__} writes {tables}"
        value = recorded._SOUGHT.get(kind)
        code = sought[value.__name__] if value is not None else places[kind.__name__]
        assert tables <= set(texts(code)), f"{kind.__name__} writes {tables}, and records other rows"
        met.add(place)
    assert set(OUTSIDE) <= met, "an exception is no longer needed"
    assert len(met) > len(STATE_TABLES), "the statements were found"


def test_statements_that_name_no_table_are_known() -> None:
    """They could write to any."""
    found = {
        (place.relative_to(STORE).as_posix(), function.name)
        for place in STORE.rglob("*.py")
        for function in ast.walk(ast.parse(place.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for text in ast.walk(function)
        if isinstance(text, ast.JoinedStr) and UNNAMED_TEXT.search(ast.unparse(text))
    }
    assert {one for one in found if one[1] not in NAMED} == set(UNNAMED)


def test_every_covered_table_has_a_shape_and_a_writer() -> None:
    """The core's list and the store's agree; what no backup holds is what may be missing unnoticed."""
    assert set(SHAPES) == set(STATE_TABLES)
    assert set().union(*writers().values()) == set(STATE_TABLES)
    assert {name for name, noticed in STATE_TABLES.items() if not noticed} == LEFT_OUT & set(STATE_TABLES)
