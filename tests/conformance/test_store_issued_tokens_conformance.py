# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to about issued tokens: families, refresh tokens, and what was taken back."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.errors import Conflict
from remit.core.oauth.refresh_token import RefreshToken, TokenFamily
from remit.ports.store.changes import PutFamily, PutRefreshToken, UseRefreshToken, Withdraw
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import Open, each_store
from tests.worlds.values import START, TENANT, WorldClock

pytestmark = each_store

LATER = START + timedelta(hours=1)


def a_family(id: str = "fam_one") -> TokenFamily:
    """A family of tokens that runs out in an hour."""
    return TokenFamily(
        tenant=TENANT,
        id=id,
        client_id="bot",
        agent="bot",
        task="task_one",
        audience=("https://remit.test/mcp",),
        started=START,
        expires=LATER,
    )


def a_token(digest: str, expires: timedelta = timedelta(hours=1)) -> RefreshToken:
    """A refresh token of that family."""
    return RefreshToken(tenant=TENANT, digest=digest, family="fam_one", made=START, expires=START + expires)


async def test_a_family_is_kept_under_its_id(store: Store) -> None:
    """It is given back as it was, and its id belongs to it alone."""
    await store.commit(Unit((PutFamily(a_family()),)))
    assert await store.family(TENANT, "fam_one") == a_family()
    assert await store.family(TENANT, "fam_two") is None
    assert await store.family("other", "fam_one") is None
    with pytest.raises(Conflict):
        await store.commit(Unit((PutFamily(a_family()),)))


async def test_a_refresh_token_works_once(store: Store) -> None:
    """Of two uses at once one is refused; a used one is still known, and so is when it was used."""
    await store.commit(Unit((PutFamily(a_family()), PutRefreshToken(a_token("d1")))))
    assert await store.refresh_token(TENANT, "d1") == a_token("d1")
    use = Unit((UseRefreshToken(TENANT, "d1", START),))
    first, second = await asyncio.gather(store.commit(use), store.commit(use), return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert isinstance(second, Conflict)
    found = await store.refresh_token(TENANT, "d1")
    assert found is not None
    assert found.used == START


async def test_a_refresh_token_that_ran_out_is_not_used(store: Store) -> None:
    """Neither is one that was never given, nor one of another tenant."""
    await store.commit(Unit((PutRefreshToken(a_token("d1")),)))
    for use in (
        UseRefreshToken(TENANT, "d1", LATER),
        UseRefreshToken(TENANT, "d2", START),
        UseRefreshToken("other", "d1", START),
    ):
        with pytest.raises(Conflict):
            await store.commit(Unit((use,)))


async def test_a_refused_unit_takes_nothing_back(store: Store) -> None:
    """What is withdrawn in a unit that is refused stays valid, and no refresh token of it is there."""
    unit = Unit(
        (
            Withdraw(TENANT, "tok_one", LATER, START),
            PutRefreshToken(a_token("d1")),
            UseRefreshToken(TENANT, "none", START),
        )
    )
    with pytest.raises(Conflict):
        await store.commit(unit)
    assert "tok_one" not in store.withdrawn(TENANT)
    assert await store.refresh_token(TENANT, "d1") is None


async def test_what_was_taken_back_is_known_at_once_and_after_a_restart(
    open_store: Open, tmp_path: Path
) -> None:
    """It is in memory when the commit returns, twice is no error, and it is forgotten when it has run out."""
    clock = WorldClock()
    store = open_store(tmp_path, clock=clock)
    live = store.withdrawn(TENANT)
    for _ in range(2):
        await store.commit(Unit((Withdraw(TENANT, "tok_one", LATER, START),)))
    assert "tok_one" in live
    assert "tok_one" not in store.withdrawn("other")
    await store.close()
    store = open_store(tmp_path, seed="second", clock=clock)
    assert "tok_one" in store.withdrawn(TENANT)
    await store.close()
    clock.advance(3601)
    store = open_store(tmp_path, seed="third", clock=clock)
    assert "tok_one" not in store.withdrawn(TENANT)
    await store.close()


async def test_what_has_run_out_is_dropped(store: Store) -> None:
    """Rows that can never be used again make room as new ones come."""
    for n in range(3):
        await store.commit(Unit((PutRefreshToken(a_token(f"old{n}", timedelta(seconds=-1))),)))
    await store.commit(Unit((PutRefreshToken(a_token("new")),)))
    assert [await store.refresh_token(TENANT, f"old{n}") for n in range(3)] == [None] * 3
    assert await store.refresh_token(TENANT, "new") is not None


async def test_what_was_taken_back_is_forgotten_when_nothing_of_it_can_be_valid(store: Store) -> None:
    """Each new one makes room: memory is bounded by what is still in force."""
    for n in range(5):
        await store.commit(Unit((Withdraw(TENANT, f"old{n}", START, START),)))
    assert "old4" in store.withdrawn(TENANT)
    await store.commit(Unit((Withdraw(TENANT, "new", LATER + timedelta(hours=1), LATER),)))
    assert not [n for n in range(5) if f"old{n}" in store.withdrawn(TENANT)]
    assert "new" in store.withdrawn(TENANT)
