# SPDX-License-Identifier: Apache-2.0
"""What the log says of the rows of state, in memory: by it a row that others changed is told at each read.

It is read from the log at the start, kept by the writer, and carried on by what other writers append. Only
rows that permit something are in it, so it grows with what is live and not with what ever was.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.merkle_nodes import frontier
from remit.adapters.store.relational.sql import Sql, upsert
from remit.adapters.store.relational.state.changes import (
    DECISIONS,
    AdoptRows,
    ends,
    inserts,
    only_ends,
    places_of,
)
from remit.adapters.store.relational.state.rows import (
    NONE,
    SHAPES,
    Place,
    ReadRow,
    RestoredRow,
    chained,
    row_digest,
    row_name,
    rows_after,
    rows_at,
    rows_where,
    seen,
)
from remit.adapters.store.relational.subject_keys import STATE, SubjectKeys
from remit.core.errors import VerificationFailed
from remit.core.evidence.event import EventKind
from remit.core.evidence.events.state_rows import STATE_TABLES, RowChange, StateChange, StateChanged
from remit.core.evidence.export import read_leaf
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.evidence.pruning import PruneClaim, Span, add_span, claim_of, joined, without
from remit.core.scope import EVERYTHING, ScopeKind, scope
from remit.ports.store.changes import RaiseFence

log = logging.getLogger("remit.evidence")

#: Events that are read at a time.
PAGE: Final = 2_000

#: In place of the code of the last good event, where later ones cannot be checked.
_DOUBT: Final = "doubt"

_KEEP: Final = upsert("state_events", 3, "tenant, idx", "said")

#: What every leaf with changes of rows contains.
MARK: Final = b'"state":{'
_PRUNE: Final = b'"log.pruned"'


#: By kind of scope: where the names of its scopes are.
_SCOPES: Final = {
    ScopeKind.TASK: "select id from tasks where tenant = ?",
    ScopeKind.AGENT: "select name from agents where tenant = ?",
    ScopeKind.OWNER: "select name from people where tenant = ?",
    ScopeKind.PERSON: "select name from people where tenant = ?",
    ScopeKind.DELEGATION: "select id from delegations where tenant = ?",
    ScopeKind.TOOL: "select tool from pins where tenant = ?",
}


class _Facts(msgspec.Struct, frozen=True):
    adopted: object = ""
    more: object = False  # other kinds of events may have such a fact, too


class _Leaf(msgspec.Struct, frozen=True):
    kind: str
    facts: _Facts = _Facts()
    state: StateChange | None = None


_leaf = msgspec.json.Decoder(_Leaf).decode


def is_prune(leaf: bytes) -> bool:
    """Return whether an event says that others were pruned; raise `msgspec.MsgspecError` if unreadable."""
    leaf = bytes(leaf)
    return _PRUNE in leaf and _leaf(leaf).kind == EventKind.LOG_PRUNED


class SaidRows(msgspec.Struct, frozen=True):
    """What an event says of rows; `more` is what `more_to_adopt` returns for it."""

    code: str
    rows: tuple[RowChange, ...]
    more: bool | None


def said_by(leaf: bytes) -> SaidRows | None:
    """Return what an event says of rows, if anything; raise `msgspec.MsgspecError` if that is unreadable."""
    leaf = bytes(leaf)
    if MARK not in leaf or (state := (found := _leaf(leaf)).state) is None:
        return None
    return SaidRows(state.code, state.rows, more_to_adopt(found.kind, found.facts.adopted, found.facts.more))


class _Later(msgspec.Struct):
    """The events after the last good one: whether one says rows, differs from the tree, or shows that an
    earlier one is missing; and those whose text is gone.
    """

    said: bool = False
    differs: bool = False
    doubted: bool = False
    gone: list[Span] = msgspec.field(default_factory=list)


def _no_rows() -> dict[str, dict[bytes, bytes]]:
    return {table: {} for table in SHAPES}


class _Recorded:
    """One tenant's rows by table and name, and the end of the chain of events that say them."""

    def __init__(self) -> None:
        self.rows = _no_rows()
        self.code = ""
        #: Whether all rows are recorded: those of older versions, too.
        self.whole = False
        #: Whether rows are recorded from now on, although none is yet.
        self.fresh = False
        self.undo: list[tuple[str, bytes, bytes]] = []
        self.before = ("", False)

    def say(self, changes: Iterable[RowChange], code: str, more: bool | None) -> None:
        """Take what an event says; `more` if it adopts rows: whether others follow that do.

        INVARIANT: in doubt only an administrator's word says anything, and it continues the same code
        whatever was recorded meanwhile. So a later start reads what this one took.
        """
        if self.doubted and more is None:
            return
        self.whole = (self.whole or not self.code) if more is None else self.whole or not more
        self.code = code
        for table, name, digest in changes:
            key = bytes.fromhex(name)
            self.undo.append((table, key, self.rows[table].get(key, NONE)))
            self.put(table, key, bytes.fromhex(digest))

    @property
    def doubted(self) -> bool:
        """Whether an event may be missing, so that no row is trusted."""
        return self.code == _DOUBT

    def put(self, table: str, name: bytes, digest: bytes) -> None:
        """Set the digest of a row; `NONE` takes it out."""
        if digest:
            self.rows[table][name] = digest
        else:
            self.rows[table].pop(name, None)

    def settle(self) -> None:
        self.undo.clear()
        self.before = (self.code, self.whole)

    def restore(self) -> None:
        while self.undo:
            self.put(*self.undo.pop())
        self.code, self.whole = self.before


class Before(NamedTuple):
    """The rows that a unit may change: whether each was as the log says, and those that it ends."""

    sound: dict[Place, bool]
    over: set[Place]


#: A unit that changes no rows.
NO_ROWS: Final = Before({}, set())


class StateRecord:
    """The rows of state of all tenants as the log says them, with the pending batch."""

    def __init__(self, connection: Sql, subjects: SubjectKeys, hold: str = "") -> None:
        """Take the writing connection, and the keys.

        `hold` is how a query ends that keeps others from changing the rows that it reads, until the end of
        the transaction; empty where a transaction does so by itself.
        """
        self._sql = connection
        self._hold = hold
        self._subjects = subjects
        self._of: dict[str, _Recorded] = {}
        self._keys: dict[str, bytes] = {}
        self._unsaid: dict[str, list[RowChange]] = {}  # what a restore has changed
        self._gaps: dict[str, list[Span]] = {}  # events without text, while none says rows
        #: Rows that were met and are not as the log says, until they are taken.
        self.broken: dict[tuple[str, Place], None] = {}

    # What the log said until now.

    def load(self, tenant: str, tree: Frontier) -> None:
        """Read what the log says, at the start; `tree` is the stored one, which is compared with the head.

        The table `state_events` finds the events, and keeps what pruned ones said. It is not trusted: the
        codes show whether one is missing among them, and all events after the last good one are looked
        through. If one of those is gone, or not what was recorded, it may have said anything: then no row is
        as the log says. A prune leaves no such gap, because its own event is one of these, behind it. Raises
        `VerificationFailed` where no event says rows, although one must have.
        """
        told = self._of[tenant] = _Recorded()
        at = last = -1
        while rows := self._sql.execute(
            "select s.idx, s.said, e.leaf from state_events s left join events e on e.tenant = s.tenant"
            " and e.idx = s.idx where s.tenant = ? and s.idx > ? order by s.idx limit ?",
            (tenant, at, PAGE),
        ).fetchall():
            for at, kept, leaf in rows:
                if self.learn(tenant, at, leaf) if leaf is not None else self._remember(tenant, at, kept):
                    last = at
        self._judge(tenant, self._after(tenant, last, tree))
        told.fresh = not told.code and not tree.size and self._empty(tenant)
        told.settle()

    def _judge(self, tenant: str, found: _Later) -> None:
        """Refuse the start, or trust no row, where an event may be missing."""
        told = self._of[tenant]
        if not told.code and (found.said or (self._secret(tenant) is not None and not self._empty(tenant))):
            raise VerificationFailed(
                "what the log says of the rows of state cannot be checked: the key is gone, or another, or "
                "the events that say it are gone",
                code="state-key",
                remediation="restore the database from a backup",
            )
        if not told.code and found.differs:
            raise VerificationFailed(
                f"the events of tenant `{tenant}` differ from the recorded ones, and may have said any row",
                code="leaf-changed",
                remediation="restore the original store, and find out how this one was changed",
            )
        if told.code and (found.differs or found.gone or found.doubted):
            log.error("an event of `%s` is not the recorded one, and may have said any row", tenant)
            told.rows = _no_rows()
            told.whole = True
            # INVARIANT: what is committed from now on is no good continuation, so a later start doubts, too.
            told.code = _DOUBT
        self._gaps[tenant] = [] if told.code else found.gone

    def check_gaps(self, tenant: str, signed: int | None) -> None:
        """Refuse a log in which no event says rows, unless prunes among the first `signed` events name all
        whose text is gone: at the start of an upgrade.

        Otherwise who deletes the events that say rows could add a prune that names them, and the rows would
        look like those of an older version. Without a head nothing is known.
        """
        if signed is None or not (gaps := self._gaps.pop(tenant, [])):
            return
        claims: list[PruneClaim] = []
        for index, leaf in self._sql.execute(
            "select idx, leaf from events where tenant = ? and kind = ? and idx < ? order by idx",
            (tenant, EventKind.LOG_PRUNED.value, signed),
        ).fetchall():
            with contextlib.suppress(ValueError):  # it names nothing, then
                one, facts = read_leaf(bytes(leaf))
                if one.kind == EventKind.LOG_PRUNED:
                    claims.append(claim_of(index, one.at, facts))
        named: list[Span] = []
        with contextlib.suppress(ValueError):
            named = joined(claims)
        if without(gaps, named):
            raise VerificationFailed(
                f"events of tenant `{tenant}` are gone, and no signed prune names them: they may have said "
                "any row of state",
                code="state-key",
                remediation="restore the database from a backup; after a prune by an older version, start "
                "that version once more, so that it signs it",
            )

    def _after(self, tenant: str, last: int, tree: Frontier) -> _Later:
        """Learn from the events after `last`, and compare their hashes with the tree that the head signs."""
        later, grown = _Later(), frontier(self._sql, tenant, last + 1)
        while rows := self._sql.execute(
            "select idx, leaf, leaf_hash from events where tenant = ? and idx > ?"
            " union all select idx, null, leaf_hash from pruned_leaves where tenant = ? and idx > ?"
            " order by idx limit ?",
            (tenant, last, tenant, last, PAGE),
        ).fetchall():
            for index, leaf, hashed in rows:
                later.differs |= index != last + 1
                last = index
                if leaf is None:
                    add_span(later.gone, index, index + 1)
                    continue
                later.differs |= leaf_hash(bytes(leaf)) != bytes(hashed)
                made = self.learn(tenant, index, leaf)
                later.said |= made is not None
                later.doubted |= made is not True and self._suspect(tenant, index, leaf)
            grown, _ = new_tile_nodes(grown, [bytes(hashed) for _, _, hashed in rows])
        later.differs |= grown.size != tree.size or grown.root() != tree.root()
        return later

    def _suspect(self, tenant: str, index: int, leaf: bytes) -> bool:
        """Return whether an event that is no good continuation shows that an earlier one is missing: a prune,
        which always says rows, or what a start in doubt has recorded.
        """
        told, secret = self._recorded(tenant), self._secret(tenant)
        if not told.code or secret is None:
            return False
        with contextlib.suppress(msgspec.MsgspecError):
            if is_prune(leaf):
                return True
            if (found := said_by(leaf)) is not None:
                return chained(secret, _DOUBT, index, found.rows, found.more) == found.code
        return False

    def learn(self, tenant: str, index: int, leaf: bytes) -> bool | None:
        """Take in an event of the log; return whether remit has made it in this place, `None` if it says no
        rows.
        """
        try:
            found = said_by(leaf)
        except msgspec.MsgspecError:
            return False
        return None if found is None else self._take(tenant, index, found)

    def _remember(self, tenant: str, index: int, kept: str | None) -> bool:
        """Take in what a prune kept of an event; return whether remit has made that in this place."""
        try:
            return kept is not None and self._take(tenant, index, msgspec.json.decode(kept, type=SaidRows))
        except msgspec.MsgspecError:
            return False

    def _take(self, tenant: str, index: int, said: SaidRows) -> bool:
        secret, told = self._secret(tenant), self._recorded(tenant)
        if secret is None:
            return False
        if chained(secret, told.code, index, said.rows, said.more) != said.code:
            # After a doubt, only an administrator's word about the rows is a new beginning.
            doubted = chained(secret, _DOUBT, index, said.rows, said.more)
            if said.more is None or doubted != said.code:
                return False
            told.rows = _no_rows()
        told.say(said.rows, said.code, said.more)
        told.settle()
        return True

    def _recorded(self, tenant: str) -> _Recorded:
        told = self._of.get(tenant)
        if told is None:
            told = self._of[tenant] = _Recorded()
            told.fresh = self._empty(tenant)
        return told

    def _empty(self, tenant: str) -> bool:
        return not any(
            self._sql.execute(f"select 1 from {table} where tenant = ? limit 1", (tenant,)).fetchone()  # noqa: S608
            for table in SHAPES
        )

    def _secret(self, tenant: str) -> bytes | None:
        """Return the key if there is one; never make one."""
        known = tenant in self._keys or self._subjects.knows(tenant, STATE)
        return self._key(tenant) if known else None

    def _key(self, tenant: str) -> bytes:
        """Return the key; make one if there is none."""
        if tenant not in self._keys:
            self._keys[tenant] = self._subjects.state_key(tenant)
        return self._keys[tenant]

    # For readers, from any thread.

    def secret(self, tenant: str) -> bytes | None:
        """Return the key by which rows are compared; none while not all rows are recorded."""
        return self._keys.get(tenant) if self.covers(tenant) else None

    def covers(self, tenant: str) -> bool:
        """Return whether all rows are recorded, so that each must be as the log says."""
        told = self._of.get(tenant)
        return told is not None and bool(told.code) and told.whole

    def agrees(self, tenant: str, row: ReadRow) -> bool:
        """Return whether a row is as the log says; true while not all rows are recorded."""
        return not row.name or self.digest(tenant, row.place[0], row.name) == row.digest

    def digest(self, tenant: str, table: str, name: bytes) -> bytes:
        """Return the digest of a row by its name."""
        told = self._of.get(tenant)
        return told.rows[table].get(name, NONE) if told else NONE

    def names(self, tenant: str, table: str) -> dict[bytes, bytes]:
        """Return name and digest of each row of a table that permits something."""
        told = self._of.get(tenant)
        return dict(told.rows[table]) if told and self.covers(tenant) else {}

    def check_fences(self, memory: Memory, restored: Mapping[str, Iterable[RestoredRow]]) -> None:
        """Take what a restore has changed; lock what a fence that is not as the log says may have ended or
        locked: at the start.
        """
        for tenant, rows in restored.items():
            self._restored(tenant, rows)
        for tenant in self._of:
            secret = self.secret(tenant)
            lost = self.names(tenant, "fences")
            for one in rows_where(self._sql, secret, tenant, "fences", "1 = 1") if secret else ():
                lost.pop(one.name, None)
                if not self.agrees(tenant, one):
                    self.broken[tenant, one.place] = None
                    memory.distrust(tenant, one.place[1][0])
            if lost and secret:
                # Of a fence that is gone only its name in the log is known.
                of = {row_name(secret, ("fences", (scope,))): scope for scope in self._scopes(tenant)}
                for name in lost:
                    memory.distrust(tenant, of.get(name, EVERYTHING))

    def _scopes(self, tenant: str) -> Iterable[str]:
        for kind, query in _SCOPES.items():
            for (name,) in self._sql.execute(query, (tenant,)):
                yield scope(kind, name)

    # For the writer.

    def _restored(self, tenant: str, rows: Iterable[RestoredRow]) -> None:
        """Take the rows that a restore has changed, and that no backup has credentials.

        The next event of the tenant says it. A row that was not as the log says in the backup stays so.
        """
        told, secret = self._recorded(tenant), self._secret(tenant)
        if secret is None or not told.code or told.doubted:
            return  # a backup of an older version, whose rows are recorded later; or one in doubt
        left_out = [table for table, noticed in STATE_TABLES.items() if not noticed]
        said = [(table, name.hex(), "") for table in left_out for name in told.rows[table]]
        for table, before, after in rows:
            name = row_name(secret, seen(None, table, after).place)
            was = NONE if before is None else row_digest(secret, table, before)
            if was == told.rows[table].get(name, NONE):
                said.append((table, name.hex(), row_digest(secret, table, after).hex()))
        self._unsaid[tenant] = said
        for table, name_, digest in said:
            told.put(table, bytes.fromhex(name_), bytes.fromhex(digest))

    def before(self, tenant: str, changes: Sequence[object]) -> Before:
        """Return the rows that changes may change, and whether each is as the log says now.

        Raises `StateChanged` where it is not, and a change decides by it.
        """
        told = self._recorded(tenant)
        sound: dict[Place, bool] = {}
        if not (told.code or told.fresh):
            return Before(sound, set())  # rows of older versions are not recorded yet
        over: set[Place] = set()
        compared: dict[Place, None] = {}
        decided: set[Place] = set()
        changing: set[Place] = set()
        for change in changes:
            places = places_of(self._sql, change)
            if isinstance(change, RaiseFence):
                # Written whole, from memory, which the log has confirmed.
                if not only_ends(change) or self._known(tenant, places[0]):
                    sound.update(dict.fromkeys(places, True))
                    changing.update(places)
                continue
            if type(change) in DECISIONS:
                decided.update(places)
            if DECISIONS.get(type(change), True):
                changing.update(places)
            if inserts(change):
                sound.update((at, not self._known(tenant, at)) for at in places)
            else:
                compared.update(dict.fromkeys(places))
            if ends(change):
                over.update(places)
        if not told.code:
            return Before(sound | dict.fromkeys(compared, True), over)
        for at, holds in self._compared(tenant, [at for at in compared if at not in sound]):
            if told.whole and not holds and at in decided:
                self.broken[tenant, at] = None
                raise StateChanged(at[0])
            sound[at] = holds
        return Before({at: holds for at, holds in sound.items() if at in changing}, over)

    def _compared(self, tenant: str, places: Sequence[Place]) -> Iterable[tuple[Place, bool]]:
        """Return some rows, and whether each is as the log says."""
        secret, told = self._keys[tenant], self._of[tenant]
        there = {one.place: one.digest for one in rows_at(self._sql, secret, tenant, places, self._hold)}
        for at in places:
            yield at, there.get(at, NONE) == told.rows[at[0]].get(row_name(secret, at), NONE)

    def _known(self, tenant: str, place: Place) -> bool:
        secret = self._keys.get(tenant)
        return secret is not None and row_name(secret, place) in self._of[tenant].rows[place[0]]

    def changed(self, tenant: str, before: Before) -> list[RowChange]:
        """Return what the log records of the rows that changed since `before`.

        INVARIANT: a row that was not as the log says stays so, whatever remit writes into it, until it is
        gone. What others wrote into it never becomes what the log says.
        """
        unsaid = self._unsaid.get(tenant, [])
        if not before.sound:
            return list(unsaid)
        told = self._of[tenant]
        secret = self._key(tenant)
        places = [at for at in before.sound if at not in before.over]
        there = {one.place: one.digest for one in rows_at(self._sql, secret, tenant, places)}
        said = list(unsaid)
        for at, sound in before.sound.items():
            name, digest = row_name(secret, at), there.get(at, NONE)
            if digest != told.rows[at[0]].get(name, NONE) and (sound or not told.whole or not digest):
                said.append((at[0], name.hex(), digest.hex()))
        return said

    def adopted(self, tenant: str, change: AdoptRows) -> list[RowChange]:
        """Return the next rows of older versions, for the log."""
        told = self._recorded(tenant)
        secret = self._key(tenant)
        if not change.table:
            return []
        rows = rows_after(self._sql, secret, tenant, change.table, change.after, change.limit)
        change.reached = rows[-1].place[1] if len(rows) == change.limit else ()
        known = told.rows[change.table]
        found = {one.name: one.digest for one in rows if one.digest != known.get(one.name, NONE)}
        if change.vouched and not change.reached:
            every = {one.name for one in rows_where(self._sql, secret, tenant, change.table, "1 = 1")}
            found |= {name: NONE for name in known if name not in every}
        return [(change.table, name.hex(), digest.hex()) for name, digest in found.items()]

    def code(
        self, tenant: str, before: str | None, index: int, rows: Sequence[RowChange], more: bool | None
    ) -> str:
        """Return the code of an event that says rows; `before` is that of another one of the same unit."""
        before = self._of[tenant].code if before is None else before
        return chained(self._keys[tenant], before, index, rows, more)

    def begun(self, tenant: str) -> bool:
        """Return whether an event has said rows, so that a later one can bind them."""
        return bool(self._recorded(tenant).code)

    def in_doubt(self, tenant: str) -> bool:
        """Return whether an event may be missing, so that no row is trusted."""
        return self._recorded(tenant).doubted

    def keep(self, tenant: str, first: int, before: int) -> None:
        """Keep what events say of rows, which are about to be pruned: those from `first` until `before`.

        They are found by their text, and not by a table that others may have changed.
        """
        for index, leaf in self._sql.execute(
            "select idx, leaf from events where tenant = ? and idx >= ? and idx < ?", (tenant, first, before)
        ).fetchall():
            with contextlib.suppress(msgspec.MsgspecError):  # such an event is none of remit
                if (said := said_by(leaf)) is not None:
                    self._sql.execute(_KEEP, (tenant, index, msgspec.json.encode(said).decode()))

    def say(self, tenant: str, rows: Sequence[RowChange], code: str, more: bool | None) -> None:
        """Take what an event of the pending batch says; `more` as `more_to_adopt` returns it."""
        self._of[tenant].say(rows, code, more)

    def settle(self, tenants: Iterable[str]) -> None:
        """Take the batch as committed, with the tenants that it has events of."""
        for told in self._of.values():
            told.settle()
        for tenant in tenants:
            self._unsaid.pop(tenant, None)

    def restore(self) -> None:
        """Return to the state before the batch, which cannot be committed."""
        for tenant, told in self._of.items():
            told.restore()
            if not told.code:
                self._keys.pop(tenant, None)  # the batch may have made it


def more_to_adopt(kind: str, adopted: object, more: object) -> bool | None:
    """Return whether more rows of older versions follow; `None` if the event adopts none."""
    return bool(more) if kind == EventKind.STATE_RECORDED and adopted else None
