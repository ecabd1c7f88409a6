# SPDX-License-Identifier: Apache-2.0
"""What the log says of the rows of state: tasks, approvals, fences, people and others.

A leaf whose transaction changed such rows has `state`: for each row its table, its name and its digest after
the change, and a code that binds them to the index of the leaf and to all such leaves before. The digest is
empty where the row is gone, or permits nothing any longer.
"""

from __future__ import annotations

from typing import Final

import msgspec

from remit.core.errors import Conflict

#: Rows that one event says at most: some 100 bytes each; an entry has up to 65,535 (C2SP tlog-tiles).
MOST_ROWS: Final = 300

#: The tables that the log covers, by name; and whether a row that is missing there is noticed. A credential
#: that is missing only signs a person out.
STATE_TABLES: Final = {
    "agents": True,
    "people": True,
    "tasks": True,
    "fences": True,
    "approvals": True,
    "pins": True,
    "credentials": False,
    "delegations": True,
    "passkeys": True,
    "links": True,
}

RowChange = tuple[str, str, str]
"""Table, name of the row, digest after the change."""


class StateChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one leaf says of rows; `code` is what only remit's own key makes."""

    code: str
    rows: tuple[RowChange, ...]


class BrokenRow(msgspec.Struct, frozen=True):
    """A row that is not what the log says of it; `row` is its key, or its name in the log if it is gone."""

    table: str
    row: str
    why: str


class StateChanged(Conflict):
    """A row that a decision rests on was changed in the store, and not by remit."""

    code = "state-changed"

    def __init__(self, table: str) -> None:
        """Name the table; the row may be a secret's digest, and stands in the finding."""
        super().__init__(
            f"a row of `{table}` was changed in the database, and not by remit",
            remediation="an administrator finds the row in the finding `state-changed` and puts it back from "
            "a backup, or, once all rows are looked at and right, starts with `remit up --adopt-state`",
        )
