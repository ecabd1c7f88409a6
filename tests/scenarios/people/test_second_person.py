# SPDX-License-Identifier: Apache-2.0
"""One administrator who wants to act as another person: their code, what came of it, and their own
approval.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.provider.oidc import OidcProvider
from remit.core.decisions.approval import ApprovalState
from remit.core.errors import Forbidden
from remit.core.identity.admission import AdmissionRules
from remit.core.identity.passkey import Passkey
from remit.core.identity.principals import Role
from remit.core.label import Lowering
from remit.ports.store.changes import PutApproval, PutPasskey
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from remit.services.people.delegations import NewDelegation
from remit.services.people.sessions import Entrance
from remit.services.separation.sign_in_methods import AT_START
from remit.services.tasks.tasks import Opening
from tests.servers.lying_provider import ProviderWorld, provider
from tests.worlds.pages import Browsing, come, take, terminal_code
from tests.worlds.services import ServiceWorld, Told, service_world
from tests.worlds.values import WorldClock, an_approval

__all__ = ["provider"]
Json = Any


@pytest.fixture
async def world(tmp_path: Path, provider: ProviderWorld) -> AsyncIterator[ServiceWorld]:
    """A gateway that demands two; `mona` administers and approves, `rita` administers."""
    provider.now = int(WorldClock().now().timestamp())
    source = OidcProvider(provider.issuer, client_id="remit", clock=WorldClock())
    entrances = {"acme": Entrance(title="Acme", provider=source, rules=AdmissionRules())}
    async with service_world(tmp_path, second_person=True, entrances=entrances) as made:
        for name, roles in (
            ("mona", (Role.ADMINISTRATOR, Role.APPROVER)),
            ("rita", (Role.ADMINISTRATOR,)),
        ):
            await made.services.identity.directory.add_person(NewPerson(name=name, roles=roles), by="remit")
        yield made


async def code_for(world: ServiceWorld, person: str, *, by: str, second: str = "rita") -> str:
    """Have two administrators make a code; the first asks and gets it."""
    path = f"/api/v1/people/{person}/code"
    await world.ask("POST", path, {}, by=await world.session(second))
    told = await world.ask("POST", path, {}, by=await world.session(by))
    assert told.status == 201, told.content
    return str(told.json["code"])


async def approve(world: ServiceWorld, task: str, by: str) -> Told:
    """Have a person approve a question of a task that lena stated."""
    approval = msgspec.structs.replace(
        an_approval(f"apr_{world.services.entropy.bytes(8).hex()}", task=task),
        requested_for="lena",
        requested_by="lena",
        requested=world.clock.now(),
        expires=world.clock.now().replace(year=2030),
    )
    await world.services.store.commit(Unit((PutApproval(approval),)))
    path = f"/api/v1/approvals/{approval.id}"
    return await world.ask("POST", path, {"approve": True}, by=await world.session(by))


async def test_a_code_for_anybody_needs_two(world: ServiceWorld) -> None:
    """Also for a person without any role: a lone maker of the code could state that person's tasks."""
    told = await world.ask("POST", "/api/v1/people/lena/code", {}, by=await world.session("mona"))
    assert (told.status, told.json["code"]) == (403, "second-person")
    told = await world.ask("POST", "/api/v1/people/lena/code", {}, by=await world.session("mona"))
    assert (told.status, told.json["code"]) == (403, "second-person")
    assert (
        await world.ask("POST", "/api/v1/people/lena/code", {}, by=await world.session("rita"))
    ).status == 201


async def test_who_made_a_code_for_the_other_is_no_second_administrator(world: ServiceWorld) -> None:
    """Nor is a person let in by the same administrator: one human may be both, until what came of a code is
    gone.
    """
    services = world.services
    await services.identity.directory.add_person(
        NewPerson(name="dora", roles=(Role.ADMINISTRATOR,)), by="remit"
    )
    dora = (await services.identity.authenticator.sign_in(await code_for(world, "dora", by="mona")))[0]
    mona, rita = await world.session("mona"), await world.session("rita")
    path = "/api/v1/people/lena/code"
    assert (await world.ask("POST", path, {}, by=mona)).json["code"] == "second-person"
    for second in (dora, mona, dora):
        told = await world.ask("POST", path, {}, by=second)
        assert (told.status, told.json["code"]) == (403, "code-maker")
    # What was said through a code stays said through it: nor does a sign-out make two of them.
    await services.identity.personnel.sign_out("dora", by="mona")
    assert (await world.ask("POST", path, {}, by=mona)).json["code"] == "code-maker"
    assert (await world.ask("POST", path, {}, by=await world.session("dora"))).status == 201
    # The administrator who let two in is neither of these two, and could act as both.
    for name in ("dora", "mona"):
        code = await services.identity.authenticator.make_code(name, by="root")
        await services.identity.authenticator.sign_in(code)
    assert (await world.ask("POST", path, {}, by=mona)).json["code"] == "second-person"
    told = await world.ask("POST", path, {}, by=await world.session("dora"))
    assert (told.status, told.json["code"]) == (403, "code-maker")
    assert (await world.ask("POST", path, {}, by=rita)).status == 201


async def test_the_word_of_who_is_no_administrator_any_more_does_not_count(world: ServiceWorld) -> None:
    """Neither of one who was taken out of service, nor of one who has the role no longer."""
    services, path = world.services, "/api/v1/people/lena/code"
    for name in ("dora", "eve"):
        await services.identity.directory.add_person(
            NewPerson(name=name, roles=(Role.ADMINISTRATOR,)), by="remit"
        )
    assert (await world.ask("POST", path, {}, by=await world.session("eve"))).json["code"] == "second-person"
    await services.identity.personnel.deactivate("eve", by="root")
    assert (await world.ask("POST", path, {}, by=await world.session("dora"))).json["code"] == "second-person"
    await services.identity.personnel.change_roles("dora", frozenset(), by="root")
    assert (await world.ask("POST", path, {}, by=await world.session("rita"))).json["code"] == "second-person"


async def test_two_whom_the_same_one_let_in_are_not_two(world: ServiceWorld) -> None:
    """The maker of codes for both could state a task as one of them, so the other neither approves nor
    declassifies it; a third person does.
    """
    services = world.services
    lena = (await services.identity.authenticator.sign_in(await code_for(world, "lena", by="mona")))[0]
    task = await world.open(lena)
    await code_for(world, "ada", by="mona")
    told = await approve(world, task, "ada")
    assert (told.status, told.json["code"]) == (403, "code-maker")
    ada = await services.identity.directory.person("ada")
    with pytest.raises(Forbidden) as refused:
        await services.flow.declassifications.task(task, Lowering(), ada, reason="harmless", seen="")
    assert refused.value.code == "code-maker"
    await services.identity.personnel.sign_out("ada", by="root")
    assert (await approve(world, task, "ada")).status == 200


async def test_whom_the_asking_one_let_in_does_not_approve(world: ServiceWorld) -> None:
    """Who made a code for an approver may be that approver, and asks nothing of them."""
    await world.services.identity.authenticator.make_code("ada", by="lena")
    task = await world.open(await world.session("lena"))
    told = await approve(world, task, "ada")
    assert (told.status, told.json["code"]) == (403, "code-maker")


async def test_one_administrator_lets_two_in_where_one_is_enough(tmp_path: Path) -> None:
    """Without the demand for two, people let in by one administrator approve what others ask, but not their
    own requests.
    """
    async with service_world(tmp_path) as world:
        for name in ("lena", "ada"):
            await world.services.identity.authenticator.make_code(name, by="root")
        task = await world.open(await world.session("lena"))
        assert (await approve(world, task, "ada")).status == 200


async def test_the_person_is_told_of_a_code(world: ServiceWorld) -> None:
    """On their page and by their programs, with who made it; and auditors have a finding."""
    await code_for(world, "lena", by="mona")
    lena = Browsing(world)
    await lena.sign_in("lena")
    assert "mona and rita made a sign-in code for you" in (await lena.get("/oauth/account")).text
    me = (await world.ask("GET", "/api/v1/me", by=await world.session("lena"))).json
    assert (me["code_made"]["by"], me["code_made"]["times"]) == (["mona", "rita"], 1)
    found = (await world.ask("GET", "/api/v1/findings", by=await world.session("audra"))).json["items"]
    assert [(one["kind"], one["about"]) for one in found] == [("sign-in-code", "person:lena")]


async def test_who_made_a_code_approves_nothing_of_it(world: ServiceWorld) -> None:
    """Nothing of that person's while its session lives, and never what was stated meanwhile."""
    before = await world.open(await world.session("lena"))
    assert (await approve(world, before, "mona")).status == 200
    secret = (await world.services.identity.authenticator.sign_in(await code_for(world, "lena", by="mona")))[
        0
    ]
    task = await world.open(secret, "C-43")
    for asked in (before, task):
        told = await approve(world, asked, "mona")
        assert (told.status, told.json["code"]) == (403, "code-maker")
    assert (await approve(world, task, "ada")).status == 200
    # Signed out, nothing of the code lives but that task.
    await world.services.identity.personnel.sign_out("lena", by="root")
    later = await world.open(await world.session("lena"), "C-44")
    for asked in (before, later):
        assert (await approve(world, asked, "mona")).status == 200
    told = await approve(world, task, "mona")
    assert (told.status, told.json["code"]) == (403, "code-maker")


async def test_whoever_made_a_code_may_still_say_no(world: ServiceWorld) -> None:
    """A refusal takes nothing that a second person protects."""
    await code_for(world, "lena", by="mona")
    approval = msgspec.structs.replace(an_approval("apr_no"), requested_for="lena", requested_by="lena")
    now = world.clock.now()
    approval = msgspec.structs.replace(approval, requested=now, expires=now.replace(year=2030))
    await world.services.store.commit(Unit((PutApproval(approval),)))
    told = await world.ask(
        "POST", "/api/v1/approvals/apr_no", {"approve": False}, by=await world.session("mona")
    )
    assert (told.status, told.json["state"]) == (200, ApprovalState.DENIED.value)


async def test_a_code_is_remembered_over_every_step(world: ServiceWorld, provider: ProviderWorld) -> None:
    """A terminal's session, a passkey, an account at a provider, a code for oneself: all came of it."""
    lena = Browsing(world)
    page = await lena.get("/oauth/sign-in")
    await lena.fill(page, "sign-in", code=await code_for(world, "lena", by="mona"))
    assert (await take(world, await terminal_code(lena))).status == 200
    own = (await world.services.identity.personnel.make_code("lena", by="lena"))[1]
    assert (await come(lena, "acme", provider, preferred_username="lena")).status == 303
    store, tenant = world.services.store, world.services.tenant
    kept = [one.coded_by for one in await store.credentials(tenant, person="lena")]
    kept += [one.coded_by for one in await store.links(tenant, "lena")]
    # (Who let these two in is behind it, too.)
    assert kept == [("mona", AT_START, "rita")] * 4
    assert own
    # Signed out, the account is still a way in: what is stated through it is not mona's to approve.
    await world.services.identity.personnel.sign_out("lena", by="root")
    task = await world.open(await world.session("lena"))
    assert (await approve(world, task, "mona")).json["code"] == "code-maker"


async def test_administrators_remove_ways_in(world: ServiceWorld, provider: ProviderWorld) -> None:
    """Passkeys and accounts at providers are listed, and removed with every session; others hear nothing."""
    lena = Browsing(world)
    page = await lena.get("/oauth/sign-in")
    await lena.fill(page, "sign-in", code=await code_for(world, "lena", by="mona"))
    await come(lena, "acme", provider, preferred_username="lena")
    passkey = Passkey(
        tenant=world.services.tenant,
        id="key-1",
        person="lena",
        public_key="k",
        name="Not hers",
        made=world.clock.now(),
        coded_by=("mona",),
    )
    await world.services.store.commit(Unit((PutPasskey(passkey),)))
    root = await world.session("root")
    ways = (await world.ask("GET", "/api/v1/people/lena/ways", by=root)).json["items"]
    assert [(one["kind"], one["coded_by"]) for one in ways] == [
        ("passkey", ["mona"]),
        ("provider", ["mona", AT_START, "rita"]),
    ]
    own = await world.session("lena")
    assert (await world.ask("GET", "/api/v1/people/lena/ways", by=own)).status == 403
    for one in ways:
        path = f"/api/v1/people/lena/ways/{one['id']}/remove"
        assert (await world.ask("POST", path, by=await world.session("leo"))).status == 403
        assert (await world.ask("POST", path, by=root)).status == 200
        assert (await world.ask("POST", path, by=root)).status == 404
    assert (await world.ask("GET", "/api/v1/people/lena/ways", by=root)).json["items"] == []
    assert (await world.ask("GET", "/api/v1/me", by=own)).status == 401
    assert (await lena.get("/oauth/account")).status == 303
    told = await come(Browsing(world), "acme", provider, preferred_username="somebody")
    assert told.status == 403


async def test_a_word_that_stays_remembers_the_code(world: ServiceWorld) -> None:
    """What a delegation lets be opened later, and what is added to a task, is no more theirs to approve."""
    services, lena = world.services, await world.services.identity.directory.person("lena")
    task = await world.open(await world.session("lena"))
    await code_for(world, "lena", by="mona")
    await services.tasks.tasks.add_message(task, "and the annex", lena)
    new = NewDelegation(agent="contract-bot", task_type="summarise-contract", params={"id": "C-42"})
    await services.people.delegations.add(new, lena)
    await services.identity.personnel.sign_out("lena", by="root")
    opening = Opening(
        agent="contract-bot", task_type="summarise-contract", params={"id": "C-42"}, on_behalf_of="lena"
    )
    later = await services.tasks.tasks.open(
        opening, agent=await services.identity.directory.agent("contract-bot")
    )
    for asked in (task, later.id):
        assert (await approve(world, asked, "mona")).json["code"] == "code-maker"
        assert (await approve(world, asked, "ada")).status == 200
    mona = await services.identity.directory.person("mona")
    with pytest.raises(Forbidden) as refused:
        await services.flow.declassifications.task(task, Lowering(), mona, reason="harmless", seen="")
    assert refused.value.code == "code-maker"
