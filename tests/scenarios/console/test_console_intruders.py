# SPDX-License-Identifier: Apache-2.0
"""People and agents who attack the console: who looks for what is not theirs, who makes pages slow, and who
writes names that lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import pytest

from remit.api.console import live, page, routes
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.identity.principals import Role
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from remit.services.identity.permissions import ROLES, Duty
from tests.gateways.console_gateway import ConsoleGateway, console_gateway

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console, and `sue`, a person without a role who owns nothing."""
    async with console_gateway(tmp_path) as made:
        await made.services.identity.directory.add_person(NewPerson(name="sue"), by="remit")
        yield made


async def asked(world: ConsoleGateway, **arguments: Json) -> Approval:
    """Return a question about a payment, of a new task of lena."""
    _, token = await world.open(goal="pay the bill")
    found = await world.asked(token, amount=5, **arguments)
    await world.settled()
    return await world.services.decisions.approvals.get(found)


async def put(world: ConsoleGateway, one: Approval, **changes: Json) -> Approval:
    """Store a changed copy of a question."""
    made = msgspec.structs.replace(one, **changes)
    await world.services.store.commit(Unit((PutApproval(made),)))
    return made


# Who looks for what is not theirs.


async def test_what_belongs_to_others_reads_like_what_does_not_exist(world: ConsoleGateway) -> None:
    """Each page of one thing gives a stranger the same answer for both, in the form of an act, too."""
    question = await asked(world)
    (decision, *_) = await decisions(world)
    sue = await world.browse("sue")
    csrf = (await sue.get("/console")).form("sign-out")["fields"]
    pairs = {
        "/console/tasks/{}": (question.task, "tsk_aaaaaaaaaaaaaaaa"),
        "/console/tasks/{}/timeline": (question.task, "tsk_aaaaaaaaaaaaaaaa"),
        "/console/agents/{}": ("clerk", "cleric"),
        "/console/people/{}": ("lena", "lina"),
        "/console/approvals/{}": (question.id, "apr_aaaaaaaaaaaaaaaa"),
        "/console/approvals/{}/chain": (question.id, "apr_aaaaaaaaaaaaaaaa"),
        "/console/decisions/{}": (decision["call"], "dec_aaaaaaaaaaaaaaaa"),
        f"/console/decisions/{{}}?at={decision['index']}": (decision["call"], "dec_aaaaaaaaaaaaaaaa"),
        "/console/decisions/{}?at=99999": (decision["call"], "dec_aaaaaaaaaaaaaaaa"),
    }
    for address, (real, other) in pairs.items():
        for form in (None, {"act": "suspend"}):
            told = []
            for name in (real, other):
                place = address.format(name)
                answer = await (sue.get(place) if form is None else sue.post(place, csrf | form))
                told.append((answer.status, answer.text.replace(name, "it")))
            assert told[0] == told[1], address
            assert told[0][0] in (403, 404, 405), address


async def decisions(world: ConsoleGateway) -> list[dict[str, Json]]:
    """Return the recorded decisions, each with its index."""
    found = await world.services.evidence.log.pages(limit=1000)
    return [
        msgspec.json.decode(one.leaf) | {"index": one.index} for one in found if one.kind == "decision.made"
    ]


async def test_a_stranger_learns_nothing_of_others_from_any_page(world: ConsoleGateway) -> None:
    """No page of the table has a name, a goal, an argument or a count of theirs."""
    question = await asked(world, text="the secret words")
    (decision, *_) = await decisions(world)
    values = {"task": question.task, "name": "clerk", "approval": question.id, "decision": decision["call"]}
    sue = await world.browse("sue")
    for path, _, _, shows, _ in routes.PAGES:
        if shows is None:
            continue
        named = re.sub(r"\{([^}:]*)[^}]*\}", lambda found: values.get(found[1], "zz"), path)
        told = await sue.get(page.ROOT + named)
        for secret in ("pay the bill", "secret words", "desk/pay", "lena", "1 question", ">1<"):
            assert secret not in told.text, path


async def test_the_person_of_a_task_sees_no_calls_of_other_tasks(world: ConsoleGateway) -> None:
    """What led to a question may be the data of other tasks: approvers and auditors trace it."""
    question = await asked(world)
    address = f"/console/approvals/{question.id}"
    lena = await world.browse("lena")
    assert "/chain" not in (await lena.get(address)).text
    assert (await lena.get(f"{address}/chain")).status == 403
    for name in ("omar", "audra"):
        assert (await (await world.browse(name)).get(f"{address}/chain")).status == 200


async def test_the_stream_tells_people_without_a_role_nothing_of_what_others_do(
    world: ConsoleGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their beat is the same whether or not something happens; people with a role hear what has changed."""

    async def changes() -> AsyncIterator[tuple[str, ...]]:
        for topics in happened:
            yield topics

    monkeypatch.setattr(world.services.inspection.activity, "changes", changes)
    heard = {}
    for name in ("sue", "vera"):
        for happened in ([()] * 10, [("policies",)] * 10):
            heard[name, len(happened[0])] = (await (await world.browse(name)).get("/console/live")).text
    assert heard["sue", 0] == heard["sue", 1]
    assert heard["sue", 0].count("event: tasks\n") == 10 // live.BEAT
    assert heard["vera", 0].count("event:") == 0
    assert heard["vera", 1].count("event: policies\n") == 10


async def test_who_asked_does_not_use_up_the_link_for_approvers(world: ConsoleGateway) -> None:
    """Also not as an approver: the link stays open for one who can answer."""
    question = await asked(world)
    for name in ("ada", "ben"):
        await world.services.identity.directory.add_person(
            NewPerson(name=name, roles=(Role.APPROVER,)), by="remit"
        )
    own = await put(world, question, id="apr_own", requested_for="ada", requested_by="ada")
    link = urlsplit(await world.services.signals.links.link_to(own)).path
    for name, place in (("ada", "/apr_own"), ("ben", "/apr_own"), ("omar", "")):
        assert (await (await world.browse(name)).get(link)).location == f"/console/approvals{place}"


async def test_who_lost_a_role_while_a_form_arrived_does_nothing_with_it(world: ConsoleGateway) -> None:
    """The sender decides how long the body of a form takes: the duty counts when it has arrived."""
    directory = world.services.identity.directory
    for name, (path, _, duty, _, acts) in ((f"otto{at}", one) for at, one in enumerate(routes.PAGES)):
        if acts is None or duty is Duty.OWN:
            continue
        roles = tuple(sorted(ROLES[duty] - {Role.VIEWER}))[:1]
        await directory.add_person(NewPerson(name=name, roles=roles), by="remit")
        browser = await world.browse(name)
        form = (await browser.get("/console")).form("sign-out")["fields"]

        async def demoted(name: str = name) -> None:
            await world.services.identity.personnel.change_roles(name, frozenset(), by="root")

        browser.before_body = demoted
        told = await browser.post(page.ROOT + re.sub(r"\{[^}]*\}", "desk", path), form | {"reason": "x"})
        assert told.status in (401, 403), (path, told.text)


# Who makes pages slow.


async def test_long_arguments_are_read_on_their_own_page_alone(world: ConsoleGateway) -> None:
    """Lists and the count in the navigation leave them out, and do not take such questions for alike."""
    one = await asked(world)
    long = {"text": "A" * 100_000, "amount": 5}
    for name in ("apr_long1", "apr_long2"):
        await put(world, one, id=name, call=f"sha256:{name}", arguments=long)
    listed = world.services.decisions.approvals.newest
    assert {one.id: len(one.arguments) for one in await listed(ApprovalState.PENDING, length=16_384)} == {
        one.id: 1, "apr_long1": 0, "apr_long2": 0,
    }  # fmt: skip
    assert all(not one.arguments for one in await listed(ApprovalState.PENDING))
    omar = await world.browse("omar")
    told = (await omar.get("/console/approvals")).text
    assert told.count("with long arguments") == 2
    assert "alike" not in told
    assert told.index("apr_long") < told.index(one.id)
    assert "3 questions waiting" in told
    assert "100,000 characters in all" in (await omar.get("/console/approvals/apr_long1")).text


async def test_a_decision_that_does_not_exist_costs_a_stranger_a_short_search(
    world: ConsoleGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any person who is signed in can ask for any id, as often as they like."""
    looked: list[int] = []
    searches = world.services.evidence.searches
    search = searches.search

    async def counted(*wanted: Json, **place: Json) -> Json:
        looked.append(place.get("most", 100_000))
        return await search(*wanted, **place)

    monkeypatch.setattr(searches, "search", counted)
    sue = await world.browse("sue")
    for at in ("", "?at=3", "?at=999999999999999"):
        assert (await sue.get(f"/console/decisions/dec_x{at}")).status == 404
    assert looked == [10_000] * 3


# Who writes names that lead elsewhere.


@pytest.mark.parametrize("name", ["desk/../../stop", "desk//evil.example", "desk/./../policies", "../stop"])
async def test_the_link_of_a_tool_leads_to_its_page_whatever_its_name(
    world: ConsoleGateway, name: str
) -> None:
    """Dots and slashes in the name of a tool are no way to another page."""
    one = await put(world, await asked(world), id="apr_odd", tool=name, call="sha256:odd")
    shown = await (await world.browse("omar")).get(f"/console/approvals/{one.id}")
    links = re.findall(r'href="(/console/tools/[^"]*)"', shown.text)
    assert links
    for link in links:
        assert urljoin("http://localhost", link) == f"http://localhost{link}"


async def test_a_duration_that_was_not_offered_is_no_answer(world: ConsoleGateway) -> None:
    """It does not become the longest one."""
    one = await asked(world)
    omar = await world.browse("omar")
    form = next(
        found["fields"]
        for found in (await omar.get(f"/console/approvals/{one.id}")).forms
        if "call" in found["fields"]
    )
    for span in ("x", "-1", "301", "99999999999"):
        sent = form | {"answer": "bounded", "most": "1", "span": span}
        assert (await omar.post(f"/console/approvals/{one.id}", sent)).status == 400
