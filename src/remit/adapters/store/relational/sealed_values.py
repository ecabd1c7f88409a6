# SPDX-License-Identifier: Apache-2.0
"""What people said, apart from the rest of a row: sealed under the key of who said it, or for whom it is.

The body of a row holds everything else. A part whose key was destroyed reads as nothing, and stays so: a row
that is written again does not bring it back under another key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.subject_keys import SealOpener, SubjectKeys
from remit.adapters.store.relational.timestamps import text
from remit.core.decisions.approval import Approval
from remit.core.json_value import Json
from remit.core.sealing import seal, unseal
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.grant import Grant
from remit.core.tasks.plan import Plan
from remit.core.tasks.task import Task, UserMessageRecord

Row = Task | Approval | Delegation
R = TypeVar("R", Task, Approval, Delegation)

#: Which table each kind of row stands in.
TABLES: Final[Mapping[type[Row], str]] = {
    Task: "tasks",
    Approval: "approvals",
    Delegation: "delegations",
}


class _TaskSaid(msgspec.Struct, frozen=True):
    goal: str
    turns: tuple[UserMessageRecord, ...]


class _TaskAsks(msgspec.Struct, frozen=True):
    params: dict[str, Json]
    grants: tuple[Grant, ...]
    plan: Plan | None


class _ApprovalAsks(msgspec.Struct, frozen=True):
    arguments: dict[str, Json]
    reasons: tuple[str, ...]


class _ApprovalSaid(msgspec.Struct, frozen=True):
    comment: str


class _DelegationSaid(msgspec.Struct, frozen=True):
    goal: str
    params: dict[str, Json]


Part = _TaskSaid | _TaskAsks | _ApprovalAsks | _ApprovalSaid | _DelegationSaid
#: By the name of a part: whose it is, and what it says.
Parts = dict[str, tuple[str, Part]]
#: By the name of a part: the id of the key that it is sealed under, and the sealed text.
Kept = dict[str, tuple[int, bytes]]

_NOTHING: Final[Kept] = {}
_kept = msgspec.msgpack.Decoder(Kept).decode


def parted(row: Row) -> tuple[Row, Parts]:
    """Return a row without what people said, and that."""
    if isinstance(row, Task):
        intent = row.intent
        asks = _TaskAsks(intent.params, row.grants, row.plan)
        bare = msgspec.structs.replace(intent, goal="", params={}, turns=())
        return msgspec.structs.replace(row, intent=bare, grants=(), plan=None), {
            "said": (row.speaker or row.subject, _TaskSaid(intent.goal, intent.turns)),
            "asks": (row.subject, asks),
        }
    if isinstance(row, Approval):
        parts: Parts = {"asks": (row.subject, _ApprovalAsks(row.arguments, row.reasons))}
        if row.comment:
            parts["said"] = (row.decided_by, _ApprovalSaid(row.comment))
        return msgspec.structs.replace(row, arguments={}, reasons=(), comment=""), parts
    said = _DelegationSaid(row.goal, row.params)
    return msgspec.structs.replace(row, goal="", params={}), {"said": (row.person, said)}


#: By kind of row and name of a part: its type.
_TYPES: Final[Mapping[tuple[type[Row], str], type[Part]]] = {
    (Task, "said"): _TaskSaid,
    (Task, "asks"): _TaskAsks,
    (Approval, "asks"): _ApprovalAsks,
    (Approval, "said"): _ApprovalSaid,
    (Delegation, "said"): _DelegationSaid,
}


def _joined(row: R, part: Part) -> R:
    """Return a row with what a part says; of a task most of it belongs to the intent."""
    said = msgspec.structs.asdict(part)
    if isinstance(row, Task):
        own = {name: said.pop(name) for name in ("grants", "plan") if name in said}
        return msgspec.structs.replace(row, intent=msgspec.structs.replace(row.intent, **said), **own)
    return msgspec.structs.replace(row, **said)


class SealedValues:
    """Seals what people said, for the one who writes."""

    def __init__(self, sql: Sql, subjects: SubjectKeys) -> None:
        """Seal under the keys of subjects; look at rows over `sql`."""
        self._sql = sql
        self._subjects = subjects

    def kept(self, row: Row) -> tuple[str, bytearray]:
        """Return the body of a new row, and what is sealed of it."""
        bare, parts = parted(row)
        return text(bare), self.sealed(row, parts)

    def changed(self, row: Row) -> tuple[str, bytearray]:
        """Return them of a row that is there and whose words may have changed; a part that was forgotten
        stays as it is.
        """
        bare, parts = parted(row)
        query = f"select sealed from {TABLES[type(row)]} where tenant = ? and id = ?"  # noqa: S608
        found = self._sql.execute(query, (row.tenant, row.id)).fetchone()
        before = _kept(found[0]) if found and found[0] is not None else {}
        lost = {
            name: one
            for name, one in before.items()
            if name not in parts or not self._subjects.has(row.tenant, one[0])
        }
        return text(bare), self.sealed(row, parts, lost)

    def sealed(self, row: Row, parts: Parts, lost: Mapping[str, tuple[int, bytes]] = _NOTHING) -> bytearray:
        """Return the parts of a row as they are kept, each under its subject's key; `lost` ones as they
        are.
        """
        sealed = dict(lost)
        for name, (subject, part) in parts.items():
            if name not in lost:
                key_id, key, nonce = self._subjects.key_of(row.tenant, subject)
                sealed[name] = key_id, seal(key, nonce, {"json": [text(part)]}, _place(row, name))
        return bytearray(msgspec.msgpack.encode(sealed))


class Opened:
    """Opens what was sealed of rows, within one read: each key is looked up once."""

    def __init__(self, sql: Sql, opener: SealOpener) -> None:
        """Look up keys over `sql`."""
        self._sql = sql
        self._opener = opener
        self._keys: dict[tuple[str, int], bytes | None] = {}

    def whole(self, row: R, sealed: bytes | None) -> R:
        """Return a row with what people said, as far as the keys of that are there."""
        for name, (key_id, blob) in (_kept(sealed) if sealed is not None else {}).items():
            key = self._key(row.tenant, key_id)
            if key is not None:
                (said,) = unseal(key, blob, _place(row, name))["json"]
                row = _joined(row, msgspec.json.decode(str(said), type=_TYPES[type(row), name]))
        return row

    def _key(self, tenant: str, key_id: int) -> bytes | None:
        name = (tenant, key_id)
        if name not in self._keys:
            found = self._sql.execute(
                "select subject, wrapped, wrapped_by from subject_keys where tenant = ? and id = ?", name
            ).fetchone()
            self._keys[name] = self._opener.key(tenant, *found) if found else None
        return self._keys[name]


def _place(row: Row, name: str) -> bytes:
    """What a sealed part is bound to: it opens at this place alone."""
    return f"{TABLES[type(row)]}\0{row.tenant}\0{row.id}\0{name}".encode()


def seal_old(sql: Sql, words: SealedValues, subjects: SubjectKeys) -> int:
    """Seal what stands in plain in rows from before, and give their number; for the start, inside a
    transaction.

    Of somebody who has no key any more the words are dropped: they were to be forgotten.
    """
    count = 0
    for kind, table in TABLES.items():
        query = f"select body from {table} where sealed is null"  # noqa: S608 - names of ours
        for (body,) in sql.execute(query).fetchall():
            row: Row = msgspec.json.decode(body, type=kind)
            bare, parts = parted(row)
            known = {name: one for name, one in parts.items() if subjects.knows(row.tenant, one[0])}
            sealed = words.sealed(row, known)
            sql.execute(
                f"update {table} set body = ?, sealed = ? where tenant = ? and id = ? and body = ?",  # noqa: S608
                (text(bare), sealed, row.tenant, row.id, body),
            )
            count += 1
    return count
