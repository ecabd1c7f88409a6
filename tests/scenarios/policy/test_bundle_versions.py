# SPDX-License-Identifier: Apache-2.0
"""Versions of a bundle: history, rollback from the store, and confirmation by a second administrator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.config import load_bundle
from remit.core.errors import ConfigInvalid, Forbidden
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.policy.bundle import kept_form
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.rehearse.folder import config_of
from remit.services.identity.directory import NewPerson
from remit.services.policy.versions import MAX_KEPT
from tests.worlds.services import PERMIT, ServiceWorld, a_bundle, service_world

Json = Any
ROOT = Path(__file__).parents[3]
ONE, TWO, THREE = (a_bundle(f"sha256:{name}") for name in ("one", "two", "three"))
STRICT = a_bundle("sha256:strict", PERMIT + '@id("no") forbid (principal, action, resource);\n')


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with bundle `sha256:one` in force, as version 1, and `sha256:two` in its folder."""
    async with service_world(tmp_path) as made:
        yield made


@pytest.fixture
async def careful(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """The same, where two administrators must agree."""
    async with service_world(tmp_path, second_person_for_policies=True) as made:
        await made.services.identity.directory.add_person(
            NewPerson(name="ruth", roles=(Role.ADMINISTRATOR,)), by="root"
        )
        yield made


async def ask(world: ServiceWorld, method: str, path: str, body: Json = None, by: str = "root") -> Json:
    """What an endpoint of policies answers."""
    told = await world.ask(method, f"/api/v1/policies{path}", body, by=await world.session(by))
    return told.json | {"status": told.status}


async def history(world: ServiceWorld) -> list[tuple[int, str, str, str]]:
    """Number, digest, author and reason of each version, the newest first."""
    found = (await ask(world, "GET", "/history"))["items"]
    return [(one["version"], one["bundle"], one["by"], one["reason"]) for one in found]


async def test_the_history_says_who_put_what_in_force_and_why(world: ServiceWorld) -> None:
    """Each bundle gets the next number; applying the same one again is no new version."""
    await ask(world, "POST", "/apply", {"reason": "no exports"})
    world.on_disk = THREE
    await ask(world, "POST", "/apply", {"reason": "exports for legal"})
    again = await ask(world, "POST", "/apply", {"reason": "again"})
    assert again["version"] == 3
    assert await history(world) == [
        (3, "sha256:three", "root", "exports for legal"),
        (2, "sha256:two", "root", "no exports"),
        (1, "sha256:one", "remit", ""),
    ]


async def test_a_rollback_takes_the_bundle_from_the_store(world: ServiceWorld) -> None:
    """No file is read. It is a new version, which says what it brings back."""
    world.on_disk = STRICT
    await ask(world, "POST", "/apply", {"reason": "incident"})
    world.on_disk = ConfigInvalid("the folder is gone")
    seen = await ask(world, "POST", "/rollback/preview", {})
    assert (seen["version"], seen["bundle"]) == (1, "sha256:one")
    done = await ask(world, "POST", "/rollback", {"reason": "too strict", "bundle": seen["bundle"]})
    assert (done["digest"], done["version"], done["rules"]) == ("sha256:one", 3, 1)
    applied = world.services.policies.applied
    assert applied.bundle == ONE
    newest = (await ask(world, "GET", "/history"))["items"][0]
    assert (newest["back_to"], newest["in_force"], newest["reason"]) == (1, True, "too strict")


async def test_a_rollback_needs_a_version_that_is_kept_and_not_in_force(world: ServiceWorld) -> None:
    """Otherwise nothing changes."""
    assert (await ask(world, "POST", "/rollback", {"version": 9}))["status"] == 404
    assert (await ask(world, "POST", "/rollback", {"version": 1}))["status"] == 409
    await ask(world, "POST", "/apply")
    wrong = {"version": 1, "bundle": "sha256:three"}
    assert (await ask(world, "POST", "/rollback", wrong))["status"] == 409
    assert world.services.policies.digest == "sha256:two"


async def test_only_an_administrator_rolls_back(world: ServiceWorld) -> None:
    """An auditor sees the history."""
    await ask(world, "POST", "/apply")
    assert (await ask(world, "POST", "/rollback", {}, by="audra"))["status"] == 403
    assert len((await ask(world, "GET", "/history", by="audra"))["items"]) == 2


async def test_a_start_with_the_replaced_files_keeps_what_was_brought_back(world: ServiceWorld) -> None:
    """A machine that restarts in an incident must not bring the bad bundle back; new files count."""
    await ask(world, "POST", "/apply")
    await ask(world, "POST", "/rollback", {})
    policies = world.services.policies
    await policies.begin(TWO, by="remit", go_back=False, several=False)
    assert policies.applied.bundle == ONE
    await policies.begin(THREE, by="remit", go_back=False, several=False)
    assert policies.digest == "sha256:three"


async def test_another_replica_takes_what_was_brought_back_from_the_store(world: ServiceWorld) -> None:
    """What was applied from files it takes only if it has these files, too."""
    policies = world.services.policies
    await ask(world, "POST", "/apply")
    assert not await policies.adopt_held("sha256:two")
    await ask(world, "POST", "/rollback", {})
    await policies.adopt(TWO)  # as a replica that has not heard of it yet
    assert await policies.adopt_held("sha256:one")
    assert (policies.applied.bundle, policies.applied.version) == (ONE, 3)


async def test_the_bundles_of_the_last_versions_are_kept(world: ServiceWorld) -> None:
    """Older ones are dropped, and the store does not grow for ever."""
    policies = world.services.policies
    for number in range(MAX_KEPT):
        await policies.apply(a_bundle(f"sha256:{number}"), by="root")
    assert await policies.versions.bundle("sha256:one") is None
    assert await policies.versions.bundle("sha256:0") is not None
    assert len(await policies.versions.numbers()) == MAX_KEPT


@pytest.mark.parametrize("place", ["examples/rest/bundle", "tests/scenarios/flow/flow_corpus/clinic"])
async def test_a_bundle_comes_back_from_the_store_as_it_was(
    tmp_path: Path, world: ServiceWorld, place: str
) -> None:
    """Tools, task types, routes and classes: all that decisions depend on."""
    read = load_bundle(config_of(ROOT / place, tmp_path / "bundle"))
    assert read.tools
    versions = world.services.policies.versions
    await world.services.store.commit(Unit(changes=(versions.keep(read),)))
    kept = await versions.bundle(read.digest)
    assert kept is not None
    assert kept_form(kept) == kept_form(read)
    assert msgspec.structs.replace(kept, apis={}) == msgspec.structs.replace(read, apis={})
    for name, api in read.apis.items():
        assert kept.apis[name].routes == api.routes


async def test_a_second_administrator_confirms_by_digest(careful: ServiceWorld) -> None:
    """Until then nothing changes; the evidence names both."""
    told = await ask(careful, "POST", "/apply", {"reason": "no exports"})
    assert (told["digest"], told["proposed"]) == ("sha256:one", "sha256:two")
    assert (await ask(careful, "GET", "/history"))["proposed"]["by"] == "root"
    itself = await ask(careful, "POST", "/confirm", {"bundle": "sha256:two"})
    assert (itself["status"], itself["code"]) == (403, "second-person")
    assert (await ask(careful, "POST", "/confirm", {"bundle": "sha256:x"}, by="ruth"))["status"] == 404
    assert careful.services.policies.digest == "sha256:one"
    done = await ask(careful, "POST", "/confirm", {"bundle": "sha256:two"}, by="ruth")
    assert (done["digest"], done["version"]) == ("sha256:two", 2)
    found = await ask(careful, "GET", "/history")
    assert (found["items"][0]["by"], found["items"][0]["second"]) == ("root", "ruth")
    assert (found["items"][0]["reason"], found["proposed"]) == ("no exports", None)


async def test_two_accounts_of_one_person_are_not_two_administrators(careful: ServiceWorld) -> None:
    """An administrator who made the other's sign-in code may be both."""
    await ask(careful, "POST", "/apply")
    authenticator = careful.services.identity.authenticator
    code = await authenticator.make_code("ruth", by="root")
    session = (await authenticator.sign_in(code))[0]
    told = await careful.ask("POST", "/api/v1/policies/confirm", {"bundle": "sha256:two"}, by=session)
    assert (told.status, told.json["code"]) == (403, "code-maker")
    assert careful.services.policies.digest == "sha256:one"


async def test_a_proposal_of_a_former_administrator_is_void(careful: ServiceWorld) -> None:
    """The two must hold the role when it counts."""
    directory = careful.services.identity.directory
    await directory.add_person(NewPerson(name="rita", roles=(Role.ADMINISTRATOR,)), by="root")
    await ask(careful, "POST", "/apply", by="rita")
    person = await directory.person("rita")
    former = msgspec.structs.replace(person, roles=frozenset())
    await careful.services.store.commit(Unit(changes=(PutPerson(former),)))
    told = await ask(careful, "POST", "/confirm", {"bundle": "sha256:two"}, by="ruth")
    assert (told["status"], told["code"]) == (403, "second-person")


async def test_a_rollback_needs_the_second_administrator_too(careful: ServiceWorld) -> None:
    """Otherwise one person could return to a time with fewer rules."""
    await ask(careful, "POST", "/apply")
    await ask(careful, "POST", "/confirm", {"bundle": "sha256:two"}, by="ruth")
    told = await ask(careful, "POST", "/rollback", {}, by="ruth")
    assert (told["digest"], told["proposed"]) == ("sha256:two", "sha256:one")
    done = await ask(careful, "POST", "/confirm", {"bundle": "sha256:one"})
    assert done["digest"] == "sha256:one"
    assert (await ask(careful, "GET", "/history"))["items"][0]["back_to"] == 1


async def test_no_other_way_leads_past_the_second_administrator(careful: ServiceWorld) -> None:
    """A reload is refused, and a start with other files serves by what was agreed."""
    policies = careful.services.policies
    with pytest.raises(Forbidden) as refused:
        await policies.apply(TWO, by="root")
    assert refused.value.code == "second-person"
    await policies.begin(TWO, by="remit", go_back=True, several=False)
    assert policies.digest == "sha256:one"


async def test_a_proposal_ends_when_another_bundle_comes_into_force(careful: ServiceWorld) -> None:
    """What was reviewed was the change from a certain bundle."""
    policies = careful.services.policies
    await policies.propose(TWO, by="root")
    proposal = await policies.versions.proposal()
    assert proposal is not None
    old = msgspec.structs.replace(proposal, instead_of="sha256:before")
    await careful.services.store.commit(Unit(changes=(policies.versions.propose(old),)))
    assert (await ask(careful, "POST", "/confirm", {"bundle": "sha256:two"}, by="ruth"))["status"] == 409


async def test_a_proposal_is_on_record(careful: ServiceWorld) -> None:
    """Also one that is never confirmed."""
    await ask(careful, "POST", "/apply", {"reason": "no exports"})
    log = careful.services.evidence.log
    (event,) = await log.pages(limit=10, kinds=(EventKind.BUNDLE_PROPOSED,))
    assert msgspec.json.decode(event.leaf)["facts"] == {
        "bundle": "sha256:two",
        "instead_of": "sha256:one",
        "reason": "no exports",
    }
