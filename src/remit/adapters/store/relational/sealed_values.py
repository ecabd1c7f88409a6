# SPDX-License-Identifier: Apache-2.0
"""The texts of people, kept apart from the rest of a row: sealed under the author's or the subject's key.

The body of a row contains everything else. A part whose key was destroyed reads as empty, and stays so:
rewriting the row does not restore the part under another key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.subject_keys import SealOpener, SubjectKeys
from remit.adapters.store.relational.timestamps import text
from remit.core.decisions.approval import Approval
from remit.core.decisions.question import QuestionedValue
from remit.core.json_value import Json
from remit.core.sealing import seal, unseal
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.grant import Grant
from remit.core.tasks.plan import Plan
from remit.core.tasks.task import Task, UserMessage

Row = Task | Approval | Delegation
R = TypeVar("R", Task, Approval, Delegation)

#: The table of each kind of row.
TABLES: Final[Mapping[type[Row], str]] = {
    Task: "tasks",
    Approval: "approvals",
    Delegation: "delegations",
}


class _TaskSaid(msgspec.Struct, frozen=True):
    goal: str
    messages: tuple[UserMessage, ...]


class _TaskAsks(msgspec.Struct, frozen=True):
    params: dict[str, Json]
    grants: tuple[Grant, ...]
    plan: Plan | None


class _ApprovalAsks(msgspec.Struct, frozen=True):
    arguments: dict[str, Json]
    reasons: tuple[str, ...]
    questioned: tuple[QuestionedValue, ...] = ()
    agreed_less: dict[str, Json] = {}


class _ApprovalSaid(msgspec.Struct, frozen=True):
    comment: str


class _AnswerSaid(msgspec.Struct, frozen=True):
    """The comment of one of several approvers, with the moment of the answer."""

    by: str
    at: datetime
    comment: str


class _DelegationSaid(msgspec.Struct, frozen=True):
    goal: str
    params: dict[str, Json]


Part = _TaskSaid | _TaskAsks | _ApprovalAsks | _ApprovalSaid | _AnswerSaid | _DelegationSaid
#: The beginning of the names of the parts with the answers of several approvers.
ANSWER: Final = "answer."
#: By part name: the subject it belongs to, and its content.
Parts = dict[str, tuple[str, Part]]
#: By part name: the id of the key that seals it, and the sealed text.
Kept = dict[str, tuple[int, bytes]]

_NOTHING: Final[Kept] = {}
_kept = msgspec.msgpack.Decoder(Kept).decode


def parted(row: Row) -> tuple[Row, Parts]:
    """Split a row into the row without the texts of people, and those texts."""
    if isinstance(row, Task):
        intent = row.intent
        asks = _TaskAsks(intent.params, row.grants, row.plan)
        bare = msgspec.structs.replace(intent, goal="", params={}, messages=())
        return msgspec.structs.replace(row, intent=bare, grants=(), plan=None), {
            "said": (row.speaker or row.subject, _TaskSaid(intent.goal, intent.messages)),
            "asks": (row.subject, asks),
        }
    if isinstance(row, Approval):
        asked = _ApprovalAsks(row.arguments, row.reasons, row.questioned, row.agreed_less)
        parts: Parts = {"asks": (row.subject, asked)}
        if row.comment:
            parts["said"] = (row.decided_by, _ApprovalSaid(row.comment))
        for one in row.answers:
            if one.comment:
                parts[f"{ANSWER}{one.by}"] = (one.by, _AnswerSaid(one.by, one.at, one.comment))
        return msgspec.structs.replace(
            row,
            arguments={},
            reasons=(),
            questioned=(),
            agreed_less={},
            answers=tuple(msgspec.structs.replace(one, comment="") for one in row.answers),
            comment="",
        ), parts
    said = _DelegationSaid(row.goal, row.params)
    return msgspec.structs.replace(row, goal="", params={}), {"said": (row.person, said)}


#: The type of each part, by kind of row and part name.
_TYPES: Final[Mapping[tuple[type[Row], str], type[Part]]] = {
    (Task, "said"): _TaskSaid,
    (Task, "asks"): _TaskAsks,
    (Approval, "asks"): _ApprovalAsks,
    (Approval, "said"): _ApprovalSaid,
    (Delegation, "said"): _DelegationSaid,
}


def _type_of(row: Row, name: str) -> type[Part]:
    return _AnswerSaid if name.startswith(ANSWER) else _TYPES[type(row), name]


def _joined(row: R, part: Part) -> R:
    """Return a row with the content of a part; most of a task's parts belong to its intent."""
    if isinstance(part, _AnswerSaid):
        assert isinstance(row, Approval)
        spoken = (
            msgspec.structs.replace(one, comment=part.comment)
            if (one.by, one.at) == (part.by, part.at)
            else one
            for one in row.answers
        )
        return msgspec.structs.replace(row, answers=tuple(spoken))
    said = msgspec.structs.asdict(part)
    if isinstance(row, Task):
        own = {name: said.pop(name) for name in ("grants", "plan") if name in said}
        return msgspec.structs.replace(row, intent=msgspec.structs.replace(row.intent, **said), **own)
    return msgspec.structs.replace(row, **said)


class SealedValues:
    """Seals the texts of people for the writer."""

    def __init__(self, sql: Sql, subjects: SubjectKeys) -> None:
        """Take the subject keys to seal under, and the connection for looking up rows."""
        self._sql = sql
        self._subjects = subjects

    def kept(self, row: Row) -> tuple[str, bytearray]:
        """Return the body and the sealed parts of a new row."""
        bare, parts = parted(row)
        return text(bare), self.sealed(row, parts)

    def changed(self, row: Row) -> tuple[str, bytearray]:
        """Return the body and the sealed parts of an existing row whose texts may have changed.

        A forgotten part stays unchanged.
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
        """Return the parts of a row, each sealed under its subject's key; `lost` parts are copied
        unchanged.
        """
        sealed = dict(lost)
        for name, (subject, part) in parts.items():
            if name not in lost:
                key_id, key, nonce = self._subjects.key_of(row.tenant, subject)
                sealed[name] = key_id, seal(key, nonce, {"json": [text(part)]}, _place(row, name))
        return bytearray(msgspec.msgpack.encode(sealed))


class Opened:
    """Opens the sealed parts of rows within one read; each key is looked up once."""

    def __init__(self, sql: Sql, opener: SealOpener) -> None:
        """Take the connection for looking up keys."""
        self._sql = sql
        self._opener = opener
        self._keys: dict[tuple[str, int], bytes | None] = {}

    def whole(self, row: R, sealed: bytes | None) -> R:
        """Return a row with the texts of people, as far as their keys still exist."""
        for name, (key_id, blob) in (_kept(sealed) if sealed is not None else {}).items():
            key = self._key(row.tenant, key_id)
            if key is not None:
                (said,) = unseal(key, blob, _place(row, name))["json"]
                row = _joined(row, msgspec.json.decode(str(said), type=_type_of(row, name)))
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
    """Return the place that a sealed part is bound to; the part opens only there."""
    return f"{TABLES[type(row)]}\0{row.tenant}\0{row.id}\0{name}".encode()


def seal_old(sql: Sql, words: SealedValues, subjects: SubjectKeys) -> int:
    """Seal the plain texts in old rows, and return the number of rows; run it at start, inside a transaction.

    The texts of a person without a key are dropped, because the person was to be forgotten.
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
