# SPDX-License-Identifier: Apache-2.0
"""What each store does with small values by key."""

from pathlib import Path

import pytest

from remit.core.errors import ChangedMeanwhile
from remit.ports.store.changes import CheckValue, PutValue
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import Open, each_store
from tests.worlds.values import TENANT


@each_store
async def test_a_value_is_kept_replaced_and_let_go(open_store: Open, tmp_path: Path) -> None:
    """By its key; `None` leaves nothing."""
    store = open_store(tmp_path)
    for given in ({"n": 1}, [2], None):
        await store.commit(Unit((PutValue(TENANT, "one", given),)))
        assert await store.value(TENANT, "one") == given
    await store.commit(Unit((PutValue(TENANT, "never", None),)))
    assert await store.values(TENANT, "") == []
    await store.close()


@each_store
async def test_values_are_found_by_how_their_keys_begin(open_store: Open, tmp_path: Path) -> None:
    """In the order of the keys, of one tenant alone, with neighbours left out."""
    store = open_store(tmp_path)
    for key in ("lease:b", "lease:a", "lease", "lease;", "leasf:", "lease:é"):
        await store.commit(Unit((PutValue(TENANT, key, key),)))
    await store.commit(Unit((PutValue("another", "lease:c", 1),)))
    assert await store.values(TENANT, "lease:") == ["lease:a", "lease:b", "lease:é"]
    assert await store.values("another", "lease:") == [1]
    await store.close()
    again = open_store(tmp_path, seed="second")
    assert await again.values(TENANT, "lease:") == ["lease:a", "lease:b", "lease:é"]
    await again.close()


@each_store
@pytest.mark.parametrize("before", [None, "one", {"digest": "sha256:d", "n": [1, 2.5, None]}])
async def test_of_those_who_have_seen_the_same_value_one_replaces_it(store: Store, before: object) -> None:
    """What another one was to change with it is refused whole, also where there was nothing yet."""
    await store.commit(Unit((PutValue(TENANT, "it", before), PutValue("another", "it", "else"))))
    first, second = (
        Unit((PutValue(TENANT, name, 1), CheckValue(TENANT, "it", before), PutValue(TENANT, "it", name)))
        for name in ("first", "second")
    )
    await store.commit(first)
    with pytest.raises(ChangedMeanwhile, match="`it`"):
        await store.commit(second)
    assert await store.values(TENANT, "") == [1, "first"]
    await store.commit(Unit((CheckValue(TENANT, "it", "first"),)))
