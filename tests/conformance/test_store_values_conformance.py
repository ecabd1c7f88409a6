# SPDX-License-Identifier: Apache-2.0
"""What each store does with small values by key."""

from pathlib import Path

from remit.ports.store import PutValue, Unit
from tests.conformance.stores import Open, each_store
from tests.world import TENANT


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
