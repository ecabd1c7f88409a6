# SPDX-License-Identifier: Apache-2.0
"""Subject keys: created on demand, stored wrapped under the sealing key, forgotten on request."""

from __future__ import annotations

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.adapters.store.relational.memory import Key
from remit.adapters.store.relational.sql import Sql
from remit.core.errors import NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.merkle import leaf_hash
from remit.core.sealing import (
    KEY_SIZE,
    NONCE_SIZE,
    SALT_SIZE,
    Openings,
    cipher,
    conceal,
    reveal,
    seal,
    unseal,
    unwrap_key,
    wrap_key,
)
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Entropy

#: Unwrapped keys kept in memory; the oldest are dropped first and unwrapped again on demand.
MAX_KEYS = 10_000

#: The subject whose key digests the rows of state; no person and no agent has such a name.
STATE = "remit:state"

#: A key's id, and the key ready for sealing.
Held = tuple[int, AESGCM]


class SubjectKeys:
    """The keys under which this process seals. Every change can be undone until `settle`."""

    def __init__(self, connection: Sql, sealing: SealingKeys, entropy: Entropy) -> None:
        """Take the connection whose table stores the keys."""
        self._sql = connection
        self._sealing = sealing
        self._entropy = entropy
        self._keys: dict[Key, Held] = {}
        self._created: dict[Key, tuple[int, bytes, str]] = {}  # not yet in the table

    def conceal(self, event: Event) -> tuple[dict[str, str], Openings, bytes]:
        """Return the commitments for an event's leaf, their openings, and a nonce to encrypt the openings
        with.
        """
        count = len(event.sealed)
        fresh = self._entropy.bytes(NONCE_SIZE + SALT_SIZE * count)  # one system call
        salts = [fresh[at : at + SALT_SIZE] for at in range(NONCE_SIZE, len(fresh), SALT_SIZE)]
        commitments, openings = conceal(event.sealed, salts)
        return commitments, openings, fresh[:NONCE_SIZE]

    def seal(self, event: Event, openings: Openings, nonce: bytes, leaf_hash: bytes) -> tuple[int, bytes]:
        """Return the id of the subject's key, and an event's values encrypted under that key for this leaf
        only.
        """
        key_id, key = self._key((event.tenant, event.subject))
        return key_id, seal(key, nonce, openings, leaf_hash)

    def key_of(self, tenant: str, subject: str) -> tuple[int, AESGCM, bytes]:
        """Return a subject's key with its id, and a nonce for sealing."""
        return *self._key((tenant, subject)), self._entropy.bytes(NONCE_SIZE)

    def state_key(self, tenant: str) -> bytes:
        """Return the key under which the rows of a tenant's state are digested; the caller keeps it."""
        return self._unwrapped((tenant, STATE))[1]

    def knows(self, tenant: str, subject: str) -> bool:
        """Return whether a subject has a key; a subject whose key is gone was forgotten."""
        query = "select 1 from subject_keys where tenant = ? and subject = ?"
        name = (tenant, subject)
        return name in self._created or self._sql.execute(query, name).fetchone() is not None

    def has(self, tenant: str, key_id: int) -> bool:
        """Return whether a key with this id exists."""
        query = "select 1 from subject_keys where tenant = ? and id = ?"
        return (
            any(name[0] == tenant and made[0] == key_id for name, made in self._created.items())
            or self._sql.execute(query, (tenant, key_id)).fetchone() is not None
        )

    def holds(self, tenant: str, subject: str) -> bool:
        """Return whether a subject's key is both in memory and in the table."""
        name = (tenant, subject)
        return name in self._keys and name not in self._created

    def _key(self, name: Key) -> Held:
        held = self._keys.get(name)
        if held is None:
            key_id, key = self._unwrapped(name)
            held = (key_id, cipher(key))
            if len(self._keys) >= MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            self._keys[name] = held
        return held

    def _unwrapped(self, name: Key) -> tuple[int, bytes]:
        """Return a key with its id; create it if there is none."""
        row = (
            self._created.get(name)
            or self._sql.execute(
                "select id, wrapped, wrapped_by from subject_keys where tenant = ? and subject = ?", name
            ).fetchone()
        )
        if row:
            key_id, wrapped, by = row
            return key_id, unwrap_key(self._sealing.sealing_key(by), wrapped, wrapped_for(*name))
        # Random and of 63 bits, the range of SQLite's integers: never assigned twice, even after a key was
        # forgotten.
        key_id = int.from_bytes(self._entropy.bytes(8)) >> 1
        key = self._entropy.bytes(KEY_SIZE)
        nonce = self._entropy.bytes(NONCE_SIZE)
        by = self._sealing.current
        wrapped = wrap_key(self._sealing.sealing_key(by), nonce, key, wrapped_for(*name))
        self._created[name] = (key_id, wrapped, by)
        return key_id, key

    def created(self) -> list[tuple[str, int, str, bytes, str]]:
        """Return the rows of the keys that the pending batch creates."""
        return [
            (tenant, key_id, subject, wrapped, by)
            for (tenant, subject), (key_id, wrapped, by) in self._created.items()
        ]

    def rewrap(self, tenant: str, after: int, limit: int) -> int | None:
        """Rewrap a tenant's next keys, at most `limit`, under the current sealing key.

        Returns the id of the last key read, or `None` at the end. Keys of the pending batch are wrapped under
        it already. Another tenant of the database has its own sealing keys.
        """
        by = self._sealing.current
        rows = self._sql.execute(
            "select id, subject, wrapped, wrapped_by from subject_keys where tenant = ? and id > ?"
            " order by id limit ?",
            (tenant, after, limit),
        ).fetchall()
        for key_id, subject, wrapped, under in rows:
            if under == by:
                continue
            bound = wrapped_for(tenant, subject)
            key = unwrap_key(self._sealing.sealing_key(under), wrapped, bound)
            fresh = wrap_key(self._sealing.sealing_key(by), self._entropy.bytes(NONCE_SIZE), key, bound)
            self._sql.execute(
                "update subject_keys set wrapped = ?, wrapped_by = ? where tenant = ? and id = ?",
                (fresh, by, tenant, key_id),
            )
        return int(rows[-1][0]) if len(rows) == limit else None

    def forget(self, tenant: str, subject: str) -> int:
        """Delete a subject's key, and return its id; raises `NotFound` if there is none."""
        name = (tenant, subject)
        query = "delete from subject_keys where tenant = ? and subject = ? returning id"
        self._keys.pop(name, None)
        row = self._created.pop(name, None) or self._sql.execute(query, name).fetchone()
        if row is None:
            raise NotFound(f"no key of `{subject}` exists")
        return int(row[0])

    def let_go(self, tenant: str) -> None:
        """Drop all keys of a tenant from memory, because another writer has forgotten one of them."""
        for name in [name for name in self._keys if name[0] == tenant]:
            del self._keys[name]

    def settle(self) -> None:
        """Take the batch's state as committed."""
        self._created.clear()

    def restore(self) -> None:
        """Discard the keys created by the batch, which cannot be committed."""
        for name in self._created:
            self._keys.pop(name, None)
        self._created.clear()


class SealOpener:
    """Opens sealed values for readers. Safe to use from several threads at once."""

    def __init__(self, sealing: SealingKeys) -> None:
        """Take the sealing keys that unwrap subject keys."""
        self._sealing = sealing

    def __call__(
        self, tenant: str, subject: str, wrapped: bytes, by: str, leaf: bytes, sealed: bytes
    ) -> Openings:
        """Return the openings of one event; raise `VerificationFailed` if its leaf does not commit to them.

        `by` is the sealing key that wrapped the subject's key.
        """
        key = self.key(tenant, subject, wrapped, by)
        # If this opens, the values were sealed for exactly these bytes; only then are the bytes parsed.
        openings = unseal(key, sealed, leaf_hash(leaf))
        reveal(openings, orjson.loads(leaf).get("sealed", {}))
        return openings

    def key(self, tenant: str, subject: str, wrapped: bytes, by: str) -> bytes:
        """Return a subject's key."""
        return unwrap_key(self._sealing.sealing_key(by), wrapped, wrapped_for(tenant, subject))


def wrapped_for(tenant: str, subject: str) -> str:
    """Return the name that a wrapped key is bound to.

    The binding keeps the key from being moved to another subject or tenant.
    """
    return f"{tenant}\x00{subject}"
