# SPDX-License-Identifier: Apache-2.0
"""The receipt of an end: it verifies offline, reports what is still open, and cannot be made to report
more.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.endings.closure import Closure
from remit.core.errors import Busy
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.receipt import ClosureRead
from remit.core.evidence.verification import ExportReport, verify_export
from remit.services.evidence.receipts import AT_ONCE, PER_MINUTE
from remit.services.identity.directory import NewPerson
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import CLIENT, SECRET, Authorities, authorities
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld
from tests.worlds.credentials import desk_world

Json = Any


@pytest.fixture
def broker() -> ScriptedBroker:
    """What gives the desk's credentials."""
    return ScriptedBroker()


@pytest.fixture
async def world(tmp_path: Path, broker: ScriptedBroker) -> AsyncIterator[CallWorld]:
    """A desk that takes a credential."""
    async with desk_world(tmp_path, broker) as made:
        yield made


async def ended(world: CallWorld) -> Closure:
    """Open a task that gets a credential and asks a human, and end it."""
    task, token = await world.open()
    await world.call(token, "read")
    await world.asked(token, amount=3.25)
    return await world.services.endings.revocations.end_task(task.id, reason="enough", by="ana")


async def receipt(world: CallWorld, closure: Closure) -> list[bytes]:
    """Fetch the receipt of a closure."""
    return [line async for line in world.services.evidence.receipts.lines(closure)]


def verified(world: CallWorld, lines: list[bytes]) -> ExportReport:
    """Verify a receipt with the log's public key and nothing else."""
    return verify_export(lines, VerifierKey.parse(world.services.evidence.log.verifier))


def read(world: CallWorld, lines: list[bytes]) -> ClosureRead:
    """Return what a receipt says; it holds."""
    report = verified(world, lines)
    assert report.holds, report.faults
    assert report.closure is not None
    return report.closure


def codes(world: CallWorld, lines: list[bytes]) -> set[str]:
    """Return why a receipt does not hold."""
    return {fault.code for fault in verified(world, lines).faults}


async def test_a_receipt_says_what_the_closure_said(world: CallWorld) -> None:
    """Each permission with the same times, out of the signed log alone; nothing that was said is in it."""
    closure = await ended(world)
    lines = await receipt(world, closure)
    told = read(world, lines)
    assert (told.id, told.scope, told.closed) == (closure.id, closure.scope, True)
    assert told.fence_ms == closure.fence_ms
    assert [(one.kind, one.name, one.refused_after_ms) for one in told.closings] == [
        (one.kind, one.name, one.refused_after_ms) for one in closure.closings
    ]
    assert {"approval", "scripted"} <= {one.kind for one in told.closings}
    assert b"s3cret" not in b"".join(lines)
    assert not any("openings" in json.loads(line) for line in lines)


async def test_a_sink_that_stays_open_is_open_in_the_receipt_until_it_refuses(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """The closure's event does not change: what came later stands beside it, with its own proof."""
    broker.sink_down = True
    closure = await ended(world)
    early = await receipt(world, closure)
    told = read(world, early)
    assert not told.closed
    assert verified(world, early).kinds["lease.open"] == 1
    broker.sink_down = False
    world.clock.advance(5)
    await world.services.credentials.leases.sweep()
    await world.until(lambda: not world.services.credentials.leases.counts()["open"])
    late = await receipt(world, await world.services.evidence.receipts.closure(closure.id))
    told = read(world, late)
    assert told.closed
    (credential,) = [one for one in told.closings if one.lease]
    assert credential.refused_after_ms is not None
    assert credential.refused_after_ms >= 5_000
    assert read(world, early).closed is False


async def test_two_ends_are_not_mixed_up(world: CallWorld) -> None:
    """A receipt holds its own end's credentials alone, and refuses those of another."""
    first, second = await ended(world), await ended(world)
    one, other = await receipt(world, first), await receipt(world, second)
    assert read(world, one).id != read(world, other).id
    (dead,) = [line for line in other if b"lease.dead" in line]
    assert "foreign-lease" in codes(world, [*one[:-1], dead, *one[-1:]])
    # The other's closure under this one's name.
    assert "no-closure" in codes(world, [one[0], *other[1:]])


async def test_a_changed_receipt_does_not_hold(world: CallWorld) -> None:
    """A time made shorter, the closure left out, an event from elsewhere, another key, an end cut off."""
    closure = await ended(world)
    lines = await receipt(world, closure)
    (made,) = [number for number, line in enumerate(lines) if b"closure.made" in line]
    forged = [*lines]
    forged[made] = lines[made].replace(b'\\"epoch\\":1', b'\\"epoch\\":2')
    assert forged != lines
    assert "not-included" in codes(world, forged)
    assert "no-closure" in codes(world, [*lines[:made], *lines[made + 1 :]])
    assert "no-checkpoint" in codes(world, lines[:-1])
    assert "not-an-export" in codes(world, lines[1:])
    key = VerifierKey.parse(world.services.evidence.log.verifier)
    assert not verify_export(lines, VerifierKey(key.name, bytes(32))).holds


async def test_what_is_left_out_of_a_receipt_makes_nothing_better(world: CallWorld) -> None:
    """Without the record that a credential is dead it counts as open, where the closure did not know yet."""
    closure = await ended(world)
    lines = await receipt(world, closure)
    without = [line for line in lines if b"lease." not in line]
    assert read(world, without).closings == read(world, lines).closings


@pytest.fixture
def server() -> Iterator[Authorities]:
    """A real authorization server."""
    with authorities() as made:
        yield made


@pytest.fixture
def gateway(tmp_path: Path, server: Authorities, monkeypatch: pytest.MonkeyPatch) -> Iterator[LeasingGateway]:
    """A gateway whose tasks get a token there."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    oauth = {
        "token_url": f"{server.url}/token",
        "revoke_url": f"{server.url}/revoke",
        "probe_url": f"{server.url}/me",
        "client_id": CLIENT,
        "client_secret": "env:CRM_SECRET",
    }
    with LeasingGateway(tmp_path, {"oauth": oauth}) as made:
        yield made


def test_the_command_keeps_a_receipt_that_verifies_without_remit(
    gateway: LeasingGateway, tmp_path: Path
) -> None:
    """`remit end --receipt`, `remit audit verify` with the server stopped, and `remit audit prove` later."""
    task, token = gateway.open()
    gateway.call(token)
    session, place = gateway.session(), tmp_path / "receipt.jsonl"
    said = gateway.remit("end", task, "--receipt", str(place), session=session, env={"COLUMNS": "80"})
    assert said.returncode == 0, said.stderr
    assert all(len(line) <= 80 for line in said.stdout.splitlines() if "verify" not in line)
    assert "oauth-token" in said.stdout
    key = gateway.services.evidence.log.verifier
    nobody = {"REMIT_URL": "http://127.0.0.1:9", "COLUMNS": "80"}
    checked = gateway.remit("audit", "verify", str(place), "--key", key, env=nobody)
    assert checked.returncode == 0, checked.stderr
    assert "nothing left open" in checked.stdout
    closure = json.loads(gateway.remit("end", task, "--json", session=session).stdout)["id"]
    proven = gateway.remit("audit", "prove", closure, "--json", session=session)
    assert json.loads(proven.stdout)["closure"]["id"] == closure
    forged = place.read_text().replace("closure.made", "closure.mad3")
    place.write_text(forged)
    assert gateway.remit("audit", "verify", str(place), "--key", key).returncode == 4


def test_a_receipt_is_for_whose_task_it_was_and_for_roles(gateway: LeasingGateway) -> None:
    """For every other person no such closure exists."""
    task, _ = gateway.open()
    gateway.end(task)
    (closure, *_) = gateway.wait(gateway.services.store.closures(gateway.services.tenant))
    gateway.wait(gateway.services.identity.directory.add_person(NewPerson(name="bob"), by="ana"))
    bob = gateway.session("bob")
    for words in (("audit", "prove", closure.id), ("audit", "prove", "cls_nothing")):
        said = gateway.remit(*words, session=bob)
        assert said.returncode != 0
        assert "does not exist" in said.stderr or "is not among" in said.stderr
        assert task not in said.stdout + said.stderr
    assert gateway.remit("audit", "prove", closure.id, session=gateway.session()).returncode == 0


async def test_nobody_has_remit_read_its_log_without_end(world: CallWorld) -> None:
    """Each receipt reads much of it: one caller gets so many in a minute, and few are looked for at once."""
    closure = await ended(world)
    receipts = world.services.evidence.receipts
    for _ in range(PER_MINUTE):
        receipts.check_pace("lena")
    with pytest.raises(Busy) as refused:
        receipts.check_pace("lena")
    assert refused.value.code == "too-many-tries"
    receipts.check_pace("omar")
    world.clock.advance(60)
    receipts.check_pace("lena")
    looking = [receipts.lines(closure) for _ in range(AT_ONCE)]
    begun = [asyncio.ensure_future(anext(one)) for one in looking]
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="other receipts"):
        receipts.check_pace("omar")
    await asyncio.gather(*begun)
    receipts.check_pace("omar")
    assert read(world, await receipt(world, closure)).closed
