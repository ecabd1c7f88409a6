# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to about labels at rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import ChangedMeanwhile, Conflict
from remit.core.flow.stored_labels import StoredLabel
from remit.core.label import Classes, Label, Trust
from remit.ports.store.changes import (
    CheckFence,
    DropStoredLabel,
    JoinLabels,
    PutStoredLabel,
    PutTask,
    RaiseFence,
)
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import Open, each_store
from tests.worlds.values import START, TENANT, a_task

pytestmark = each_store

UNTRUSTED = Label(trust=Trust.UNTRUSTED)


def a_stored_label(resource: str = "ticket/7", **changes: Any) -> StoredLabel:
    """Return what is known of a ticket."""
    known: dict[str, Any] = {
        "tenant": TENANT,
        "upstream": "tickets",
        "resource": resource,
        "label": UNTRUSTED,
        "changed": START,
    }
    return StoredLabel(**(known | changes))


async def test_a_holding_is_found_by_its_upstream_and_resource(store: Store) -> None:
    """In its own tenant alone; those of which nothing is known are left out."""
    await store.commit(Unit((PutStoredLabel(a_stored_label()), PutStoredLabel(a_stored_label("")))))
    assert await store.stored_labels(TENANT, "tickets", ["ticket/7", "ticket/8"]) == [a_stored_label()]
    assert await store.stored_labels(TENANT, "tickets", [""]) == [a_stored_label("")]
    assert await store.stored_labels(TENANT, "mail", ["ticket/7"]) == []
    assert await store.stored_labels("else", "tickets", ["ticket/7"]) == []


async def test_holdings_are_listed_by_the_beginning_of_their_names(store: Store) -> None:
    """Of one upstream or all, in order, so many at most."""
    mail = a_stored_label("ada", upstream="mail")
    put = [a_stored_label("ticket/7"), a_stored_label("ticket/10"), a_stored_label("wiki/a"), mail]
    await store.commit(Unit(tuple(PutStoredLabel(one) for one in put)))
    found = await store.stored_labels_under(TENANT, upstream="tickets", prefix="ticket/")
    assert [one.resource for one in found] == ["ticket/10", "ticket/7"]
    found = await store.stored_labels_under(TENANT, limit=2)
    assert [(one.upstream, one.resource) for one in found] == [("mail", "ada"), ("tickets", "ticket/10")]
    assert await store.stored_label_counts(TENANT) == {"mail": 1, "tickets": 3}
    assert await store.stored_label_counts("else") == {}


async def test_a_holding_is_replaced_and_dropped(store: Store) -> None:
    """Dropping one that is not there changes nothing."""
    await store.commit(Unit((PutStoredLabel(a_stored_label()),)))
    higher = a_stored_label(label=Label("restricted", trust=Trust.UNTRUSTED))
    await store.commit(Unit((PutStoredLabel(higher),)))
    assert await store.stored_labels(TENANT, "tickets", ["ticket/7"]) == [higher]
    drop = DropStoredLabel(TENANT, "tickets", "ticket/7")
    await store.commit(Unit((drop, drop)))
    assert await store.stored_labels(TENANT, "tickets", ["ticket/7"]) == []


async def test_what_was_written_meanwhile_is_not_replaced(store: Store) -> None:
    """A replacement that says what it replaces is refused where that is not kept any more."""
    await store.commit(Unit((PutStoredLabel(a_stored_label()),)))
    lowered = a_stored_label(label=None)
    other = a_stored_label(label=Label("internal"))
    with pytest.raises(ChangedMeanwhile):
        await store.commit(Unit((PutStoredLabel(lowered, was=other),)))
    assert await store.stored_labels(TENANT, "tickets", ["ticket/7"]) == [a_stored_label()]
    await store.commit(Unit((PutStoredLabel(lowered, was=a_stored_label()),)))
    assert await store.stored_labels(TENANT, "tickets", ["ticket/7"]) == [lowered]


async def test_a_refused_unit_leaves_no_holding(store: Store) -> None:
    """The label at rest stands or falls with the call that writes."""
    await store.commit(Unit((RaiseFence(TENANT, "task:x"),)))
    with pytest.raises(Conflict):
        await store.commit(
            Unit((PutStoredLabel(a_stored_label()), CheckFence({}, ("task:x",))), tenant=TENANT),
        )
    assert await store.stored_labels(TENANT, "tickets", ["ticket/7"]) == []


async def test_a_label_is_joined_into_those_of_tasks(store: Store) -> None:
    """Each keeps what it had besides; a task that is not there is passed over."""
    one, two = a_task("one"), a_task("two", label=Label("restricted"))
    await store.commit(Unit((PutTask(one), PutTask(two))))
    join = JoinLabels(TENANT, ("one", "two", "none"), Label("internal", trust=Trust.UNTRUSTED), Classes())
    await store.commit(Unit((join,)))
    labels = [task.label for name in ("one", "two") if (task := await store.task(TENANT, name))]
    assert labels == [
        Label("internal", trust=Trust.UNTRUSTED),
        Label("restricted", trust=Trust.UNTRUSTED),
    ]


async def test_holdings_survive_a_restart(open_store: Open, tmp_path: Path) -> None:
    """They are in the store, not in memory."""
    first = open_store(tmp_path)
    await first.commit(Unit((PutStoredLabel(a_stored_label()),)))
    await first.close()
    second = open_store(tmp_path, seed="second")
    assert await second.stored_labels(TENANT, "tickets", ["ticket/7"]) == [a_stored_label()]
    await second.close()
