# SPDX-License-Identifier: Apache-2.0
"""Keys are replaced by hand and by age, each time on record, and a crash in between is mended."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from remit.adapters.keys.file import FileSealingKeys
from remit.core.errors import NotFound, StoreUnavailable, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.keys.own_keys import KeyKind, KeyStanding
from remit.ports.keys import Keyring
from remit.services.identity.keys import STEP, KeyRotations
from tests.worlds.keys import WEEK, Kept
from tests.worlds.values import TENANT, WorldClock, WorldEntropy


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept[WorldClock]]:
    """Fresh keys and a fresh store."""
    made = Kept(tmp_path, WorldClock())
    await made.open()
    yield made
    await made.store.close()


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("at_once", [False, True])
async def test_each_rotation_is_on_record(kept: Kept[WorldClock], kind: KeyKind, at_once: bool) -> None:
    """The record has the previous key, the current key, the reason, and, sealed, the person who rotated."""
    before = {one.kind: one.id for one in kept.rotations.held() if one.standing is KeyStanding.CURRENT}
    turned = await kept.rotations.rotate(kind, by="root", reason="as planned", at_once=at_once)
    (told,) = await kept.facts()
    expected = {"kind": kind.value, "key": turned.id, "previous": before[kind], "reason": "as planned"}
    assert told == (expected | {"at_once": True} if at_once else expected)
    (entry,) = await kept.store.entries(TENANT, kinds=(EventKind.KEY_ROTATED.value,), opened=True)
    assert entry.opened == {"by": "root"}
    await kept.rotations.keep()
    assert len(await kept.facts()) == 1


async def test_a_kind_that_is_not_here_is_said_to_be_so(tmp_path: Path) -> None:
    """Services without a trust domain have no authority to rotate."""
    kept = Kept(tmp_path, WorldClock())
    await kept.open()
    keys = Keyring(tokens=kept.keys.tokens, checkpoints=kept.keys.checkpoints, sealing=kept.keys.sealing)
    rotations = KeyRotations(keys=keys, store=kept.store, clock=kept.clock, tenant=TENANT)
    with pytest.raises(NotFound, match="workload_api"):
        await rotations.rotate(KeyKind.CA, by="root")
    await kept.store.close()


async def test_a_rotation_that_was_not_recorded_is_found(kept: Kept[WorldClock]) -> None:
    """It is found whether a crash came between, or an operator rotated without remit."""
    await kept.rotations.keep()
    assert await kept.facts() == []
    before = kept.keys.checkpoints.verifier
    turned = await kept.keys.checkpoints.rotate()
    await kept.open()
    await kept.rotations.keep()
    assert await kept.facts() == [{"kind": "checkpoint", "key": turned.id, "previous": before, "found": True}]
    await kept.rotations.keep()
    assert len(await kept.facts()) == 1


async def test_a_rotation_whose_record_failed_is_recorded_by_who_made_it(
    kept: Kept[WorldClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the store takes it again, with who wanted it and why."""
    await kept.rotations.keep()

    async def failing(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(kept.store, "commit", failing)
        with pytest.raises(StoreUnavailable):
            await kept.rotations.rotate(KeyKind.TOKEN, by="root", reason="as planned")
    for _ in range(2):
        await kept.rotations.keep()
    (entry,) = await kept.store.entries(TENANT, kinds=(EventKind.KEY_ROTATED.value,), opened=True)
    assert entry.opened == {"by": "root"}
    (told,) = await kept.facts()
    assert (told["reason"], told.get("found")) == ("as planned", None)
    # Another party's rotation is not taken for that one.
    await kept.keys.tokens.rotate()
    await kept.rotations.keep()
    assert [one.get("found") for one in await kept.facts()] == [None, True]


async def test_authorities_are_replaced_by_age(kept: Kept[WorldClock]) -> None:
    """Not before, once a period, and each is trusted until the last of what it signed has run out."""
    authority = kept.keys.authority
    assert authority is not None
    following, current = authority.certificates
    kept.clock.advance(WEEK.total_seconds() - 1)
    await kept.rotations.keep()
    assert authority.certificate == current
    kept.clock.advance(1)
    await kept.rotations.keep()
    assert authority.certificate == following
    assert current in authority.certificates
    assert {one["kind"] for one in await kept.facts()} == {"ca", "svid"}
    kept.clock.advance(3600)
    await kept.rotations.keep()
    assert current not in authority.certificates
    assert {one["kind"] for one in await kept.facts(EventKind.KEY_RETIRED)} == {"ca", "svid"}
    for _ in range(5):
        kept.clock.advance(WEEK.total_seconds())
        await kept.rotations.keep()
        certificate = x509.load_der_x509_certificate(authority.certificate)
        assert certificate.not_valid_after_utc - kept.clock.now() >= WEEK


async def test_a_key_whose_time_ended_while_remit_was_down_is_destroyed_on_record(
    kept: Kept[WorldClock],
) -> None:
    """It is not accepted from the start on, and its end is an event as any other."""
    await kept.rotations.keep()
    token = await kept.keys.tokens.sign({"sub": "x"}, token_type="at+jwt")
    old = kept.keys.tokens.held()[1].id
    await kept.rotations.rotate(KeyKind.TOKEN, by="root")
    kept.clock.advance(7200)
    await kept.open()
    with pytest.raises(Unauthenticated):
        kept.keys.tokens.verify(token)
    assert (kept.folder / "keys" / "token-1.pem").exists()
    await kept.rotations.keep()
    assert not (kept.folder / "keys" / "token-1.pem").exists()
    assert {"kind": "token", "key": old} in await kept.facts(EventKind.KEY_RETIRED)


async def test_after_a_long_absence_no_old_authority_signs(kept: Kept[WorldClock]) -> None:
    """Neither the current nor the next certificate lasted so long: both are made again."""
    kept.clock.advance(52 * WEEK.total_seconds())
    await kept.open()
    await kept.rotations.keep()
    assert kept.keys.authority is not None
    certificate = x509.load_der_x509_certificate(kept.keys.authority.certificate)
    assert certificate.not_valid_after_utc - kept.clock.now() >= WEEK
    assert [one.get("reason") for one in await kept.facts() if one["kind"] == "ca"] == ["age", "expired"]


async def test_whoever_follows_the_keys_is_told(kept: Kept[WorldClock]) -> None:
    """When one came, and when one went."""
    told: list[KeyKind] = []
    kept.rotations.events.changed.append(told.append)
    await kept.rotations.rotate(KeyKind.CA, by="root")
    assert told == [KeyKind.CA]
    kept.clock.advance(7200)
    await kept.rotations.keep()
    assert told == [KeyKind.CA, KeyKind.CA]


async def test_every_subject_is_wrapped_anew_and_the_old_key_destroyed(kept: Kept[WorldClock]) -> None:
    """More subjects than one step holds; all can be read before, meanwhile and afterwards."""
    names = [f"subject-{number}" for number in range(STEP + 30)]
    await kept.say(*names)
    old = kept.keys.sealing.current
    await kept.rotations.rotate(KeyKind.SEALING, by="root")
    await kept.say("after-the-rotation")
    assert len(await kept.said()) == len(names) + 1
    await kept.rotations.keep()
    assert [one.id for one in kept.keys.sealing.held()] == [kept.keys.sealing.current]
    assert await kept.facts(EventKind.KEY_RETIRED) == [{"kind": "sealing", "key": old}]
    assert list((kept.folder / "keys").glob("sealing-*.key")) == [kept.folder / "keys" / "sealing-2.key"]
    assert sorted(await kept.said()) == sorted([f"of {name}" for name in names] + ["of after-the-rotation"])
    await kept.open()
    assert len(await kept.said()) == len(names) + 1
    await kept.say("subject-0")


async def test_a_crash_while_wrapping_anew_loses_nothing(
    kept: Kept[WorldClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk begins again at the next start, and until it is done both keys are there."""
    names = [f"subject-{number}" for number in range(2 * STEP)]
    await kept.say(*names)
    await kept.rotations.rotate(KeyKind.SEALING, by="root")
    true_rewrap = kept.store.rewrap
    steps = 0

    async def failing(*arguments: Any, **named: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 2:
            raise StoreUnavailable("the disk is full")
        return await true_rewrap(*arguments, **named)

    monkeypatch.setattr(kept.store, "rewrap", failing)
    with pytest.raises(StoreUnavailable):
        await kept.rotations.keep()
    assert len(kept.keys.sealing.held()) == 2
    assert len(await kept.said()) == len(names)
    await kept.open()
    assert len(await kept.said()) == len(names)
    await kept.rotations.keep()
    assert len(kept.keys.sealing.held()) == 1
    assert len(await kept.said()) == len(names)


async def test_a_key_that_another_process_replaces_in_the_middle_of_the_walk_is_wrapped_under_no_more(
    kept: Kept[WorldClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That walk breaks off, the next one wraps everything under the newest, and only then the others go."""
    names = [f"subject-{number}" for number in range(3 * STEP)]
    await kept.say(*names)
    await kept.rotations.rotate(KeyKind.SEALING, by="root")
    another = FileSealingKeys(kept.folder / "keys", WorldEntropy("another"), kept.clock)
    true_rewrap, under = kept.store.rewrap, []

    async def watched(*arguments: Any, **named: Any) -> Any:
        under.append(kept.keys.sealing.current)
        if len(under) == 1:
            await another.rotate()
        return await true_rewrap(*arguments, **named)

    monkeypatch.setattr(kept.store, "rewrap", watched)
    await kept.rotations.keep()
    assert len(under) == 1
    assert len(kept.keys.sealing.held()) == 3
    await kept.rotations.keep()
    assert set(under[1:]) == {another.current}
    assert [one.id for one in kept.keys.sealing.held()] == [another.current]
    assert len(await kept.said()) == len(names)


async def test_who_was_forgotten_stays_forgotten_through_a_rotation(kept: Kept[WorldClock]) -> None:
    """A key that is gone is not wrapped again."""
    await kept.say("lena", "leo")
    assert await kept.store.forget(TENANT, "lena")
    await kept.rotations.rotate(KeyKind.SEALING, by="root")
    await kept.rotations.keep()
    assert await kept.said() == ["of leo"]


async def test_keys_wrapped_before_there_was_more_than_one_sealing_key_are_read(
    kept: Kept[WorldClock],
) -> None:
    """They name none, so they are the oldest one's; after a rotation they name the new one."""
    await kept.say("lena", "leo")
    await kept.store.close()
    with sqlite3.connect(kept.folder / "remit.db") as table:
        table.execute("update subject_keys set wrapped_by = ''")
    table.close()
    kept.store = None  # type: ignore[assignment]
    await kept.open()
    assert await kept.said() == ["of lena", "of leo"]
    await kept.say("lena")
    await kept.rotations.rotate(KeyKind.SEALING, by="root")
    await kept.rotations.keep()
    assert await kept.said() == ["of lena", "of leo", "of lena"]
    with sqlite3.connect(kept.folder / "remit.db") as table:
        named = {row[0] for row in table.execute("select wrapped_by from subject_keys")}
    table.close()
    assert named == {kept.keys.sealing.current}
