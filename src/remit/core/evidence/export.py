# SPDX-License-Identifier: Apache-2.0
"""Exported evidence: lines of JSON that verify offline, with only the log's public key.

    {"origin": ..., "remit_evidence": 1, "size": n, "task": "", "verifier": ...}
    {"index": 0, "leaf": "<the leaf's exact text>", "openings": {name: [salt, value]}, "path": [...]}
    ...
    {"index": n, "pruned": ["<leaf hash in base64>", ...]}
    ...
    {"checkpoint": "<C2SP signed note>"}

A whole export holds every event from the first on, and the verifier recomputes its root. An export of one
task holds only that task's events, each with its inclusion proof; its completeness rests on the chain of the
task's own records. A receipt (`core.evidence.receipt`) holds the events of the one closure that its first
line names, in the same way. The answer to a question (`question`) holds the events that it rests on, each
with its inclusion proof: they are in the log; whether others fit the question, it does not say. Openings may
be left out: a reader then sees that a value was recorded, when and by whom, but not the value.

Of pruned events (`core.evidence.pruning`) a whole export holds the leaf hashes.

An export cannot show that a log which was cut back to an older signed state is the newest. Against that, give
the size that you saw last (`at_least`), or a witness's cosignature.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec
import orjson

from remit.core.canonical import encode
from remit.core.errors import RemitError
from remit.core.evidence.event import FORMAT as LEAF_FORMAT
from remit.core.evidence.events.state_rows import StateChange
from remit.core.json_value import Json

FORMAT = 1


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `size` is the size of the signed log; `task`, `closure` or `question` names the
    part that is exported.
    """

    remit_evidence: int
    origin: str
    verifier: str
    size: int
    task: str
    closure: str | msgspec.UnsetType = msgspec.UNSET
    question: str | msgspec.UnsetType = msgspec.UNSET


class EventLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line of one event; `path` is its inclusion proof, in a partial export."""

    index: int
    leaf: str
    openings: dict[str, list[Json]] | msgspec.UnsetType = msgspec.UNSET
    path: list[str] | msgspec.UnsetType = msgspec.UNSET


class PrunedLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line of neighbouring events that were pruned, from `index` on: their leaf hashes."""

    index: int
    pruned: list[str]


class CheckpointLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: the signed note."""

    checkpoint: str


class FactsRead(msgspec.Struct, frozen=True):
    """The facts that verification itself reads; an event holds further facts, by its kind."""

    outcome: Json = None
    observed: Json = None
    kind: Json = None
    previous: Json = None
    key: Json = None


class LeafRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record."""

    v: int
    kind: str
    at: str
    tenant: str
    writer: str
    seq: int
    prev: str
    facts: FactsRead
    task: str = ""
    task_prev: str = ""
    agent: str = ""
    call: str = ""
    sealed: dict[str, str] = {}
    state: StateChange | None = None


class Ambiguous(ValueError):
    """A JSON text that is not in the only form permitted for its content."""


def header_line(
    origin: str, verifier: str, size: int, task: str = "", closure: str = "", question: str = ""
) -> bytes:
    """Return the first line of an export."""
    line = {"remit_evidence": FORMAT, "origin": origin, "verifier": verifier, "size": size, "task": task}
    part = {"closure": closure} if closure else {"question": question} if question else {}
    return encode({**line, **part}) + b"\n"


def event_line(
    index: int, leaf: bytes, openings: dict[str, list[Json]] | None, path: list[bytes] | None
) -> bytes:
    """Return the line of one event; `path` is its inclusion proof, for the export of one task or closure."""
    # A leaf that was altered into invalid text is exported, too, and fails verification.
    line: dict[str, Json] = {"index": index, "leaf": leaf.decode(errors="replace")}
    if openings is not None:
        line["openings"] = openings
    if path is not None:
        line["path"] = [base64.b64encode(node).decode() for node in path]
    return encode(line) + b"\n"


def pruned_line(index: int, hashes: Iterable[bytes]) -> bytes:
    """Return the line of pruned events from `index` on."""
    return encode({"index": index, "pruned": [base64.b64encode(one).decode() for one in hashes]}) + b"\n"


def checkpoint_line(note: str) -> bytes:
    """Return the last line of an export."""
    return encode({"checkpoint": note}) + b"\n"


def read_header(raw: bytes) -> Header | None:
    """Parse the first line; return None where it is not of this format."""
    try:
        header = msgspec.convert(_object(_line(raw)), Header)
    except ValueError:
        return None
    parts = [one for one in (header.closure, header.question) if one is not msgspec.UNSET]
    one_part = all(parts) and len(parts) + bool(header.task) <= 1
    return header if header.remit_evidence == FORMAT and one_part else None


def read_line(raw: bytes) -> EventLine | PrunedLine | CheckpointLine:
    """Parse any other line; raise `ValueError`, as `Ambiguous` where the line has more than one reading."""
    said = _object(_line(raw))
    form: type[EventLine | PrunedLine | CheckpointLine] = EventLine
    if "checkpoint" in said:
        form = CheckpointLine
    elif "pruned" in said:
        form = PrunedLine
    return msgspec.convert(said, form)


def read_leaf(data: bytes) -> tuple[LeafRead, dict[str, Json]]:
    """Parse a record and all its facts; raise `ValueError` where it is not of this format."""
    record = _object(data)
    leaf = msgspec.convert(record, LeafRead)
    if leaf.v != LEAF_FORMAT or ("task" in record) is not ("task_prev" in record):
        raise ValueError("a record of another format")
    return leaf, record["facts"]


def _line(raw: bytes) -> bytes:
    if not raw.endswith(b"\n"):
        raise ValueError("a truncated line")
    return raw[:-1]


def _object(text: bytes) -> dict[str, Json]:
    """Parse an object that equals its own RFC 8785 form, and so repeats no member."""
    said = orjson.loads(text)
    if not isinstance(said, dict):
        raise ValueError("not an object")
    try:
        again = encode(said)
    except RemitError:
        raise ValueError("a value of an unknown form") from None
    if again != text:
        raise Ambiguous
    return said
