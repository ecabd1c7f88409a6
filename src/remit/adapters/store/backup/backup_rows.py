# SPDX-License-Identifier: Apache-2.0
"""What of a tenant's rows goes into a backup and comes out of it, for every database.

Left out: what proves a sign-in (sessions, codes, refresh tokens), because what was revoked since the backup
would be valid again; and the inner nodes of the tree, which are computed again from the leaves.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from remit.adapters.store.backup.backup_file import (
    BackupReader,
    BackupWriter,
    Row,
    SealedKeys,
    SomeRows,
    TableBegins,
)
from remit.adapters.store.relational.state.rows import RestoredRow
from remit.adapters.store.relational.tables import MIGRATIONS, VERSION
from remit.core.errors import ConfigInvalid, VerificationFailed
from remit.core.evidence.backup_manifest import BackupManifest, changed
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import Frontier, TileNode, leaf_hash, new_tile_nodes
from remit.core.evidence.restore import UNSETTLED

#: Tables of sign-ins, of the schema itself, and of what is computed.
LEFT_OUT: Final = frozenset(
    {"credentials", "tickets", "token_families", "refresh_tokens", "nodes", "schema_version"}
)
#: The columns of fences.
FENCE: Final = ("tenant", "scope", "epoch", "locked")
#: The leaves of events whose text was pruned.
PRUNED: Final = "pruned_leaves"
#: Bytes of their hashes to hold in memory.
_SPOOL_BYTES: Final = 8 * 1024 * 1024
_HASH_BYTES: Final = 32
#: Keys of small values that are not restored: what a first administrator asked for a second one, and that an
#: earlier restore was not complete.
_FORGOTTEN_VALUES: Final = ("second:", UNSETTLED)
#: Leaves that are appended to the tree at a time.
_BATCH: Final = 512

Advance = Callable[[int], None]
#: Takes the rows of a table: its name, its columns, and some rows.
Take = Callable[[str, tuple[str, ...], list[list[Any]]], None]
#: Runs a query and yields its rows one by one.
Stream = Callable[[str, tuple[Any, ...]], Iterable[Row]]


def types_at(version: int) -> dict[str, dict[str, str]]:
    """Return the type of each column of each table, as SQLite names it, at a version of the schema."""
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        for steps in MIGRATIONS[:version]:
            made.executescript(steps)
        names = [name for (name,) in made.execute("select name from sqlite_master where type = 'table'")]
        return {
            name: {row[1]: row[2].lower() for row in made.execute(f"pragma table_info({name})")}
            for name in sorted(names)
        }


def columns_at(version: int) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table that a backup holds, at a version of the schema.

    The leaves of pruned events come first: the events are checked in one pass with them.
    """
    found = {name: tuple(types) for name, types in types_at(version).items() if name not in LEFT_OUT}
    return dict(sorted(found.items(), key=lambda one: (one[0] != PRUNED, one[0])))


class Copied(NamedTuple):
    """What was written: rows of each table, the tree, its root at the signed size, sealing keys in use."""

    tables: dict[str, int]
    tree: Frontier
    signed_root: bytes
    sealing: list[str]


class GrowingTree:
    """A tree of leaves, with its root at some sizes."""

    def __init__(self, sizes: Iterable[int] = ()) -> None:
        """Take the sizes at which the root is wanted."""
        self.tree = Frontier()
        self._wanted = sorted({size for size in sizes if size > 0}, reverse=True)
        self._waiting: list[bytes] = []
        self.roots: dict[int, bytes] = {0: Frontier().root()}

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self.tree.size + len(self._waiting)

    def add(self, hashed: bytes) -> list[TileNode]:
        """Append a leaf's hash; return the nodes that this completes."""
        self._waiting.append(hashed)
        if len(self._waiting) < _BATCH and not (self._wanted and self.size == self._wanted[-1]):
            return []
        return self.grow()

    def grow(self) -> list[TileNode]:
        """Append what waits; return the nodes that this completes."""
        self.tree, born = new_tile_nodes(self.tree, self._waiting)
        self._waiting.clear()
        if self._wanted and self.tree.size == self._wanted[-1]:
            self.roots[self._wanted.pop()] = self.tree.root()
        return born


class PrunedLeaves:
    """The leaves of pruned events, in order: all are put in before the first is taken out."""

    def __init__(self) -> None:
        """Begin without any; many are kept in a file without a name."""
        self._kept = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - `close` does
        self._taking = False

    def close(self) -> None:
        """Forget them."""
        self._kept.close()

    def put(self, columns: tuple[str, ...], row: Row) -> None:
        """Keep one row of the table."""
        hashed = bytes(row[columns.index("leaf_hash")])
        self._kept.write(
            int(row[columns.index("idx")]).to_bytes(8, "big") + hashed.ljust(_HASH_BYTES)[:_HASH_BYTES]
        )

    def fill(self, growing: GrowingTree, end: int | None = None) -> list[TileNode]:
        """Add the leaves up to `end`, or all that are left; raises `LookupError` where one is missing."""
        if not self._taking:
            self._taking = True
            self._kept.seek(0)
        born: list[TileNode] = []
        while end is None or growing.size < end:
            kept = self._kept.read(8 + _HASH_BYTES)
            if not kept and end is None:
                break
            if not kept or int.from_bytes(kept[:8], "big") != growing.size:
                raise LookupError
            born += growing.add(kept[8:])
        return born


def copy_out(
    stream: Stream, tenant: str, version: int, signed: int, out: BackupWriter, advance: Advance
) -> Copied:
    """Write a tenant's rows, as one moment of the database shows them.

    Raises `VerificationFailed` for a log that differs from the recorded one: its backup would be refused.
    """
    if not 0 < version <= VERSION:
        raise ConfigInvalid(
            f"the store has schema version {version}, but this program supports {VERSION}",
            remediation="use the remit that wrote it, or a newer one",
        )
    growing = GrowingTree((signed,))
    with contextlib.closing(PrunedLeaves()) as pruned:
        counts, sealing = _copied_rows(stream, tenant, version, growing, pruned, out, advance)
        _fill(growing, pruned)
    out.flush()
    growing.grow()
    return Copied(counts, growing.tree, growing.roots.get(signed, b""), sealing)


def _copied_rows(
    stream: Stream,
    tenant: str,
    version: int,
    growing: GrowingTree,
    pruned: PrunedLeaves,
    out: BackupWriter,
    advance: Advance,
) -> tuple[dict[str, int], list[str]]:
    counts: dict[str, int] = {}
    sealing: set[str] = set()
    for name, columns in columns_at(version).items():
        out.table(name, columns)
        order = " order by idx" if name in ("events", PRUNED) else ""
        query = f"select {', '.join(columns)} from {name} where tenant = ?{order}"  # noqa: S608 - names of ours
        number = 0
        check = _leaf_check(columns, growing, pruned) if name == "events" else None
        for row in stream(query, (tenant,)):
            if check is not None:
                check(row)
            elif name == PRUNED:
                pruned.put(columns, row)
            elif name == "subject_keys" and "wrapped_by" in columns:
                sealing.add(str(row[columns.index("wrapped_by")]))
            out.row(row)
            number += 1
            advance(1)
        counts[name] = number
    return counts, sorted(sealing)


def _leaf_check(
    columns: tuple[str, ...], growing: GrowingTree, pruned: PrunedLeaves
) -> Callable[[Row], list[TileNode]]:
    """Return what checks each row of `events` in order, and adds it and pruned ones before it."""
    at, leaf_at, hash_at = (columns.index(one) for one in ("idx", "leaf", "leaf_hash"))

    def check(row: Row) -> list[TileNode]:
        hashed = row[hash_at]
        born = _fill(growing, pruned, row[at])
        if row[at] != growing.size or leaf_hash(row[leaf_at]) != hashed:
            raise _differs(growing)
        return born + growing.add(hashed)

    return check


def _fill(growing: GrowingTree, pruned: PrunedLeaves, end: int | None = None) -> list[TileNode]:
    try:
        return pruned.fill(growing, end)
    except LookupError:
        raise _differs(growing) from None


def _differs(growing: GrowingTree) -> VerificationFailed:
    return VerificationFailed(
        f"event {growing.size} differs from the recorded one",
        code="leaf-changed",
        remediation="find out how the store was changed (`remit audit verify`)",
    )


class _Destroyed(msgspec.Struct):
    key: str = ""


class _Forgotten(msgspec.Struct, tag_field="kind", tag=EventKind.SUBJECT_FORGOTTEN.value):
    facts: _Destroyed


def forgotten_keys(leaves: Iterable[bytes]) -> Iterator[str]:
    """Yield the ids of the keys that these leaves say are destroyed. Leaves of other events say nothing.

    An id is empty where an older version recorded the event.
    """
    for leaf in leaves:
        with contextlib.suppress(msgspec.MsgspecError):
            yield msgspec.json.decode(leaf, type=_Forgotten).facts.key


class PresentPerson(msgspec.Struct, frozen=True):
    """What a person may do in a store that is replaced."""

    active: bool = True
    roles: frozenset[str] = frozenset()


class Newer(NamedTuple):
    """What a store that is replaced says beyond its backup, and what of it only takes away.

    Its log says that the keys of subjects that are `forgotten` were destroyed. Its fences are higher or
    locked, and its people were deactivated or lost a role.
    """

    forgotten: frozenset[str] = frozenset()
    fences: Mapping[str, tuple[int, int]] = {}
    people: Mapping[str, PresentPerson] = {}


class Restricted:
    """The rows of a backup as they are restored, and those that differ from the backup's."""

    def __init__(self, newer: Newer) -> None:
        """Take what the store that is replaced says."""
        self._newer = newer
        self._fences = dict(newer.fences)
        #: Rows of state that are not those of the backup.
        self.changed: list[RestoredRow] = []

    def row(self, table: str, columns: tuple[str, ...], row: list[Any]) -> list[Any] | None:
        """Return a row as it is restored; `None` for one that is not."""
        named = dict(zip(columns, row, strict=True))
        if table == "kept_values" and str(named["key"]).startswith(_FORGOTTEN_VALUES):
            return None
        if table == "subject_keys":
            return None if str(named["id"]) in self._newer.forgotten else row
        if table == "people" and (present := self._newer.people.get(named["name"])) is not None:
            body = msgspec.json.decode(named["body"])
            body["active"] = body.get("active", True) and present.active
            body["roles"] = [one for one in body.get("roles", ()) if one in present.roles]
            return self._instead(table, named, body=msgspec.json.encode(body).decode())
        if table == "fences":
            epoch, locked = self._fences.pop(named["scope"], (0, 0))
            higher = {"epoch": max(named["epoch"], epoch), "locked": max(named["locked"], locked)}
            return self._instead(table, named, **higher)
        return row

    def _instead(self, table: str, row: dict[str, Any], **changed: Any) -> list[Any]:
        after = row | changed
        if after != row:
            self.changed.append(RestoredRow.of(table, row, after))
        return list(after.values())

    def put_fences(self, tenant: str, take: Take) -> None:
        """Hand on the fences that only the present store has, at the end."""
        left = [[tenant, scope, *fence] for scope, fence in self._fences.items()]
        if left:
            take("fences", FENCE, left)
        self.changed += [RestoredRow.of("fences", None, dict(zip(FENCE, row, strict=True))) for row in left]


class BackupRead(NamedTuple):
    """The rows of a backup, read in order: what the reader found when it reached the end."""

    roots: Mapping[int, bytes]
    keys: bytes


def copy_in(
    reader: BackupReader,
    manifest: BackupManifest,
    take: Take,
    advance: Advance,
    sizes: Iterable[int] = (),
    restricted: Restricted | None = None,
) -> BackupRead:
    """Read a backup whose manifest is signed, and hand its rows on; raises `VerificationFailed`.

    INVARIANT (the caller's): what `take` got counts only after this has returned. `sizes` are those at which
    the root of the log is wanted. Without `restricted`, rows are handed on as they are.
    """
    tables = columns_at(manifest.schema) if 0 < manifest.schema <= VERSION else {}
    if not tables:
        raise VerificationFailed(
            f"the backup has schema version {manifest.schema}, but this program supports {VERSION}",
            code="backup-newer",
            remediation="use the remit that wrote it, or a newer one",
        )
    growing = GrowingTree((*sizes, manifest.log.size))
    with contextlib.closing(PrunedLeaves()) as pruned:
        counts, keys = _read_rows(reader, manifest, tables, growing, pruned, take, advance, restricted)
        _put_nodes(_fill(growing, pruned) + growing.grow(), take, manifest.tenant)
    if counts != manifest.tables or bool(keys) != manifest.keys:
        raise changed("its tables have other numbers of rows")
    if growing.tree.size != manifest.log.size or growing.tree.root().hex() != manifest.log.root:
        raise changed("its events do not have the signed root")
    return BackupRead(growing.roots, keys)


def _read_rows(
    reader: BackupReader,
    manifest: BackupManifest,
    tables: dict[str, tuple[str, ...]],
    growing: GrowingTree,
    pruned: PrunedLeaves,
    take: Take,
    advance: Advance,
    restricted: Restricted | None,
) -> tuple[dict[str, int], bytes]:
    name, keys = "", b""
    columns: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    for frame in reader.frames(manifest):
        if isinstance(frame, TableBegins):
            name, columns = frame
            if name in counts or tables.get(name) != columns:
                raise changed(f"table `{name[:40]}` is not one of schema version {manifest.schema}")
            counts[name] = 0
        elif isinstance(frame, SealedKeys):
            keys = frame.blob
        else:
            counts[name] = counts.get(name, 0) + len(frame.rows)
            _hand_on(name, columns, frame, manifest, growing, pruned, take, restricted)
            advance(len(frame.rows))
    return counts, keys


def _hand_on(
    name: str,
    columns: tuple[str, ...],
    frame: SomeRows,
    manifest: BackupManifest,
    growing: GrowingTree,
    pruned: PrunedLeaves,
    take: Take,
    restricted: Restricted | None,
) -> None:
    born: list[TileNode] = []
    check = _leaf_check(columns, growing, pruned) if name == "events" else None
    for row in frame.rows:
        if len(row) != len(columns) or row[0] != manifest.tenant:
            raise changed(f"a row of `{name[:40]}` is of another tenant, or has other columns")
        if check is not None:
            born += check(row)
        elif name == PRUNED:
            pruned.put(columns, tuple(row))
    rows = frame.rows
    if restricted is not None:
        rows = [one for row in rows if (one := restricted.row(name, columns, row)) is not None]
    if rows:
        take(name, columns, rows)
    _put_nodes(born, take, manifest.tenant)


def _put_nodes(born: list[TileNode], take: Take, tenant: str) -> None:
    if born:
        take(
            "nodes",
            ("tenant", "level", "idx", "hash"),
            [[tenant, node.level, node.index, node.hash] for node in born],
        )


def no_rows(name: str, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
    """Take rows and keep none: for a backup that is only verified."""


def rows_of(found: Iterable[Row]) -> Iterator[Row]:
    """Yield rows with their bytes as `bytes`."""
    for row in found:
        yield tuple(bytes(one) if isinstance(one, memoryview | bytearray) else one for one in row)
