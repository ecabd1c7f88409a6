# SPDX-License-Identifier: Apache-2.0
"""Applies each check and change of a unit.

The two checks that every call makes (`CheckFence`, `TakeBudget`) use memory alone. The others use SQL; a unit
that contains one of them runs inside a savepoint, so that a refusal half-way leaves no trace of the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from remit.adapters.store.relational import (
    issued_tokens,
    people,
    registry,
    stored_labels,
)
from remit.adapters.store.relational.memory import Counter, Memory
from remit.adapters.store.relational.sealed_values import SealedValues, parted
from remit.adapters.store.relational.sql import Sql, upsert
from remit.adapters.store.relational.state.changes import CREDENTIAL_GRACE, AdoptRows
from remit.adapters.store.relational.state.record import StateRecord
from remit.adapters.store.relational.subject_keys import STATE, SubjectKeys
from remit.adapters.store.relational.timestamps import micros, text
from remit.core.decisions.approval import Approval
from remit.core.endings.suspension import suspended, suspended_task
from remit.core.errors import BudgetExhausted, ChangedMeanwhile, Conflict, Fenced, NotFound
from remit.core.scope import risen
from remit.core.tasks.task import Task
from remit.ports.store.changes import (
    CheckFence,
    CheckUnlocked,
    CheckValue,
    CountHistory,
    PutApproval,
    PutClosure,
    PutCredential,
    PutDelegation,
    PutPin,
    PutTask,
    PutValue,
    RaiseFence,
    RaiseLabel,
    TakeBudget,
    TakeCredential,
    UseApproval,
    UseAssertion,
    Withdraw,
)
from remit.ports.store.replicas import HoldTask

#: A used assertion's id is kept this long past its expiry, longer than clocks ever differ.
ASSERTION_GRACE = timedelta(hours=1)

IN_MEMORY = frozenset({CheckFence, CheckUnlocked, TakeBudget, CountHistory, HoldTask})
"""Changes that need no SQL except to read a row that is not in memory yet."""


_PUT_FENCE = upsert("fences", 4, "tenant, scope", "epoch", "locked")
_PUT_CLOSURE = upsert("closures", 5, "tenant, id", "scope", "at", "body")
_PUT_PIN = upsert("pins", 3, "tenant, tool", "body")
_PUT_CREDENTIAL = upsert("credentials", 5, "tenant, digest", "expires", "body", "person")
_PUT_VALUE = upsert("kept_values", 3, "tenant, key", "body")

_APPLY = registry.APPLY | people.APPLY | issued_tokens.APPLY | stored_labels.APPLY


def _searched(task: Task) -> tuple[str, int, int]:
    """Return a task's search columns: person, deadline in seconds since 1970, whether disuse ends the
    task.
    """
    return task.on_behalf_of, micros(task.deadline) // 1_000_000, int(bool(task.lease_s or task.idle_s))


class RewrapKeys(msgspec.Struct):
    """Rewrap a tenant's subject keys after `after`, at most `limit`; `reached` is the last one, `None` at the
    end.

    Only the store itself makes this change (`Store.rewrap`).
    """

    tenant: str
    after: int
    limit: int
    reached: int | None = None


class ForgetSubject(msgspec.Struct):
    """Delete a subject's key; `key` is then its id.

    Only the store itself makes this change (`Store.forget`).
    """

    tenant: str
    subject: str
    key: int = 0


class PruneEvents(msgspec.Struct, frozen=True):
    """Delete events and keep their leaf hashes. Only the store itself makes this change (`Store.prune`)."""

    tenant: str
    spans: tuple[tuple[int, int], ...]


class Changes:
    """Applies changes, one after another, to the tables and to memory."""

    def __init__(self, connection: Sql, memory: Memory, subjects: SubjectKeys, record: StateRecord) -> None:
        """Build the table of the handlers for each kind of change."""
        self._sql = connection
        self._memory = memory
        self._subjects = subjects
        self._record = record
        self._words = SealedValues(connection, subjects)
        self._apply: dict[type, Callable[[str, Any, dict[str, int]], None]] = {
            CheckFence: self._check_fence,
            CheckUnlocked: self._check_unlocked,
            CheckValue: self._check_value,
            TakeBudget: self._take_budget,
            CountHistory: self._count_history,
            UseApproval: self._consume_approval,
            PutTask: self._put_task,
            PutDelegation: self._put_delegation,
            RaiseLabel: self._raise_label,
            RaiseFence: self._raise_fence,
            PutApproval: self._put_approval,
            PutClosure: self._put_closure,
            PutPin: self._put_pin,
            PutCredential: self._put_credential,
            TakeCredential: self._take_credential,
            PutValue: self._put_value,
            UseAssertion: self._use_assertion,
            Withdraw: self._withdraw,
            ForgetSubject: self._forget_subject,
            PruneEvents: self._prune_events,
            RewrapKeys: self._rewrap_keys,
            AdoptRows: self._adopt_rows,
        }

    def also(self, more: Mapping[type, Callable[[str, Any, dict[str, int]], None]]) -> None:
        """Register handlers for kinds of changes that only this database knows."""
        self._apply |= more

    def apply(self, tenant: str, change: object, epochs: dict[str, int]) -> None:
        """Apply one change, and put a raised scope's new epoch into `epochs`.

        Raises the error that the change documents.
        """
        registered = _APPLY.get(type(change))
        if registered is not None:
            registered(self._sql, change)
        else:
            self._apply[type(change)](tenant, change, epochs)

    def _withdraw(self, _: str, change: Withdraw, __: dict[str, int]) -> None:
        dropped = issued_tokens.withdraw(self._sql, change)
        self._memory.withdraw(change.tenant, change.id, dropped)

    def _check_fence(self, tenant: str, change: CheckFence, _: dict[str, int]) -> None:
        scope = risen(change.epochs, self._memory.epochs.get(tenant, {}), change.scopes)
        if scope:
            raise Fenced(f"`{scope}` has been ended", remediation="open a new task", step=5)

    def _check_unlocked(self, tenant: str, change: CheckUnlocked, _: dict[str, int]) -> None:
        for scope in change.scopes:
            if (tenant, scope) in self._memory.locks:
                if task := suspended_task(scope):
                    raise suspended(task)
                raise Fenced(
                    f"`{scope}` is locked",
                    code="locked",
                    remediation=f"an administrator opens it with `remit unlock {scope.removesuffix(':*')}`",
                )

    def _check_value(self, _: str, change: CheckValue, __: dict[str, int]) -> None:
        row = self._sql.execute(
            "select body from kept_values where tenant = ? and key = ?", (change.tenant, change.key)
        ).fetchone()
        if (msgspec.json.decode(row[0]) if row else None) != change.value:
            raise ChangedMeanwhile(
                f"`{change.key}` was changed by another person", remediation="review it again"
            )

    def _take_budget(self, tenant: str, change: TakeBudget, _: dict[str, int]) -> None:
        memory = self._memory
        calls, effectful, size = change.calls, change.effectful_calls, change.result_bytes
        taken = []
        for task, bound in change.bounds.items():
            key = (tenant, task)
            old = memory.counter(key)
            new = Counter(
                max(0, old.calls + calls),
                max(0, old.effectful_calls + effectful),
                max(0, old.result_bytes + size),
                old.last_event,
                old.last_hash,
            )
            if (
                (calls > 0 and bound.calls is not None and new.calls > bound.calls)
                or (
                    effectful > 0
                    and bound.effectful_calls is not None
                    and new.effectful_calls > bound.effectful_calls
                )
                or (size > 0 and bound.result_bytes is not None and new.result_bytes > bound.result_bytes)
            ):
                raise BudgetExhausted(
                    f"the budget of task `{task}` is used up",
                    remediation="open a new task, or ask for a task type with a larger budget",
                )
            taken.append((key, new))
        for key, new in taken:
            memory.put_counter(key, new)

    def _count_history(self, _: str, change: CountHistory, __: dict[str, int]) -> None:
        for one in change.entries:
            row = (change.tenant, change.family, *one[:4])
            self._memory.count_history(row, one.amount, one.at_ms)

    def _consume_approval(self, tenant: str, change: UseApproval, _: dict[str, int]) -> None:
        row = self._sql.execute(
            "select body from approvals where tenant = ? and id = ?", (tenant, change.id)
        ).fetchone()
        approval = msgspec.json.decode(row[0], type=Approval) if row else None
        usable = approval is not None and (
            approval.usable_within(change.scope, change.now) and approval.used == change.used
            if change.scope
            else approval.usable_for(change.call, change.now)
        )
        if approval is None or not usable:
            state = approval.state.value if approval else "unknown"
            raise Conflict(
                f"approval `{change.id}` ({state}) does not permit this call now",
                remediation="make the call again to request a new approval",
            )
        used = approval.consumed()
        self._sql.execute(
            "update approvals set state = ?, body = ? where tenant = ? and id = ?",
            (used.state.value, text(used), tenant, change.id),
        )

    def _put_task(self, _: str, change: PutTask, __: dict[str, int]) -> None:
        task = change.task
        if change.expected is None:
            body, said = self._words.kept(task)
            done = self._sql.execute(
                "insert into tasks values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " on conflict (tenant, id) do nothing",
                (
                    task.tenant,
                    task.id,
                    task.agent,
                    task.state.value,
                    micros(task.opened),
                    text(task.label),
                    body,
                    *_searched(task),
                    said,
                ),
            )
            if done.rowcount == 0:
                raise Conflict(f"task `{task.id}` exists already")
            for ancestor in task.ancestors:
                self._sql.execute("insert into lineage values (?, ?, ?)", (task.tenant, ancestor, task.id))
            return
        sealed: bytearray | None = None
        # An end changes no text of a person, and many tasks may end at once: the sealed parts stay unchanged.
        if task.state.ended:
            body = text(parted(task)[0])
        else:
            body, sealed = self._words.changed(task)
        done = self._sql.execute(
            "update tasks set agent = ?, state = ?, body = ?, person = ?, deadline = ?, watched = ?,"
            " sealed = coalesce(?, sealed) where tenant = ? and id = ? and state = ?",
            (
                task.agent,
                task.state.value,
                body,
                *_searched(task),
                sealed,
                task.tenant,
                task.id,
                change.expected.value,
            ),
        )
        if done.rowcount == 0:
            raise Conflict(f"task `{task.id}` is no longer {change.expected.value}")
        if task.state.ended and not task.lineage:
            self._sql.execute("delete from history where tenant = ? and family = ?", (task.tenant, task.id))

    def _raise_label(self, tenant: str, change: RaiseLabel, _: dict[str, int]) -> None:
        done = self._sql.execute(
            "update tasks set label = ? where tenant = ? and id = ?",
            (text(change.label), tenant, change.task),
        )
        if done.rowcount == 0:
            raise NotFound(f"task `{change.task}` does not exist")

    def _raise_fence(self, _: str, change: RaiseFence, epochs: dict[str, int]) -> None:
        memory, tenant, scope = self._memory, change.tenant, change.scope
        epoch = (
            memory.raise_epoch(tenant, scope)
            if change.raise_epoch
            else memory.epochs.get(tenant, {}).get(scope, 0)
        )
        if change.locked is not None:
            memory.set_lock((tenant, scope), change.locked)
        self._sql.execute(
            _PUT_FENCE,
            (tenant, scope, epoch, int((tenant, scope) in memory.locks)),
        )
        epochs[scope] = epoch

    def _put_approval(self, _: str, change: PutApproval, __: dict[str, int]) -> None:
        approval = change.approval
        if change.expected is None:
            body, sealed = self._words.kept(approval)
            done = self._sql.execute(
                "insert into approvals values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (tenant, id) do nothing",
                (
                    approval.tenant,
                    approval.id,
                    approval.task,
                    approval.call,
                    approval.state.value,
                    micros(approval.requested),
                    body,
                    sealed,
                ),
            )
            if done.rowcount == 0:
                raise Conflict(f"approval `{approval.id}` exists already")
            return
        if change.revision is not None:
            self._check_revision(approval, change.revision)
        body, sealed = self._words.changed(approval)
        done = self._sql.execute(
            "update approvals set state = ?, body = ?, sealed = ? where tenant = ? and id = ? and state = ?",
            (approval.state.value, body, sealed, approval.tenant, approval.id, change.expected.value),
        )
        if done.rowcount == 0:
            raise Conflict(f"approval `{approval.id}` is no longer {change.expected.value}")

    def _check_revision(self, approval: Approval, revision: int) -> None:
        row = self._sql.execute(
            "select body from approvals where tenant = ? and id = ?", (approval.tenant, approval.id)
        ).fetchone()
        stored = msgspec.json.decode(row[0], type=Approval).revision if row else None
        if stored != revision:
            raise ChangedMeanwhile(
                f"approval `{approval.id}` was answered in the meantime", remediation="look at it again"
            )

    def _put_delegation(self, _: str, change: PutDelegation, __: dict[str, int]) -> None:
        one = change.delegation
        new = change.expect_new
        body, sealed = self._words.kept(one) if new else self._words.changed(one)
        end = "nothing" if new else "update set body = excluded.body, sealed = excluded.sealed"
        done = self._sql.execute(
            f"insert into delegations values (?, ?, ?, ?, ?, ?, ?) on conflict (tenant, id) do {end}",  # noqa: S608
            (one.tenant, one.id, one.person, one.agent, micros(one.made), body, sealed),
        )
        if done.rowcount == 0:
            raise Conflict(f"delegation `{one.id}` exists already")

    def _put_closure(self, _: str, change: PutClosure, __: dict[str, int]) -> None:
        closure = change.closure
        self._sql.execute(
            _PUT_CLOSURE,
            (change.tenant, closure.id, closure.scope, micros(closure.at), text(closure)),
        )

    def _put_pin(self, _: str, change: PutPin, __: dict[str, int]) -> None:
        pin = change.pin
        self._sql.execute(_PUT_PIN, (pin.tenant, pin.tool, text(pin)))

    def _put_credential(self, _: str, change: PutCredential, __: dict[str, int]) -> None:
        credential = change.credential
        # Drop credentials that expired long before: for an hour, late use is distinguished from wrong use.
        self._sql.execute(
            "delete from credentials where tenant = ? and expires < ?",
            (credential.tenant, micros(credential.created - CREDENTIAL_GRACE)),
        )
        self._sql.execute(
            _PUT_CREDENTIAL,
            (
                credential.tenant,
                credential.digest,
                micros(credential.expires),
                text(credential),
                credential.person,
            ),
        )

    def _take_credential(self, _: str, change: TakeCredential, __: dict[str, int]) -> None:
        done = self._sql.execute(
            "delete from credentials where tenant = ? and digest = ?", (change.tenant, change.digest)
        )
        if done.rowcount == 0:
            raise Conflict("this code was already used or never issued", remediation="ask for a new one")

    def _put_value(self, _: str, change: PutValue, __: dict[str, int]) -> None:
        if change.value is None:
            key = (change.tenant, change.key)
            self._sql.execute("delete from kept_values where tenant = ? and key = ?", key)
            return
        self._sql.execute(
            _PUT_VALUE,
            (change.tenant, change.key, text(change.value)),
        )

    def _use_assertion(self, _: str, change: UseAssertion, __: dict[str, int]) -> None:
        done = self._sql.execute(
            "insert into assertions values (?, ?, ?) on conflict (tenant, digest) do nothing",
            (change.tenant, change.digest, micros(change.expires)),
        )
        if done.rowcount == 0:
            raise Conflict("this assertion was already used", remediation="sign a new one with another `jti`")

    def _rewrap_keys(self, _: str, change: RewrapKeys, __: dict[str, int]) -> None:
        change.reached = self._subjects.rewrap(change.tenant, change.after, change.limit)

    def _prune_events(self, _: str, change: PruneEvents, __: dict[str, int]) -> None:
        for first, before in change.spans:
            place = (change.tenant, first, before)
            where = "where tenant = ? and idx >= ? and idx < ?"
            self._record.keep(*place)
            kept = self._sql.execute(
                "insert into pruned_leaves select tenant, idx, leaf_hash, task_before"  # noqa: S608 - ours
                f" from events {where}",
                place,
            )
            # INVARIANT: the event of this change names exactly what it removes, also beside another prune.
            if kept.rowcount != before - first:
                raise ChangedMeanwhile(
                    f"not all of the events {first} to {before - 1} are in the store",
                    remediation="see `remit audit verify`, and prune again",
                )
            self._sql.execute(f"delete from events {where}", place)  # noqa: S608 - words of ours

    def _adopt_rows(self, tenant: str, change: AdoptRows, _: dict[str, int]) -> None:
        """Change nothing: the unit's event says the rows."""
        if self._record.covers(tenant) and not change.vouched:
            raise ChangedMeanwhile("another replica has recorded the rows")

    def _forget_subject(self, _: str, change: ForgetSubject, __: dict[str, int]) -> None:
        if change.subject == STATE:
            raise NotFound("the key of the rows of state is no subject's")
        change.key = self._subjects.forget(change.tenant, change.subject)
