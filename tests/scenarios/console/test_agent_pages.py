# SPDX-License-Identifier: Apache-2.0
"""The register of agents and the page of one: what they show, to which person, and what each may do there."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from remit.core.evidence.event import EventKind
from remit.core.findings.kinds import FindingKind
from remit.core.identity.access_review import ReviewRule
from remit.core.identity.principals import AgentState, LastProof
from remit.core.identity.workload import Assurance, SpiffeBinding, workload_of
from remit.core.tasks.task import TaskState
from remit.ports.store.changes import PutAgent, PutLastProof
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewAgent
from tests.worlds.console import ConsoleWorld, act, console_world
from tests.worlds.values import TENANT

HOSTILE = '<script>alert("x")</script>\u202egnp\u0007'
CLERK = "/console/agents/clerk"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleWorld]:
    """The desk with the console before it."""
    async with console_world(tmp_path) as made:
        yield made


async def state_of(world: ConsoleWorld, name: str = "clerk") -> AgentState:
    """Return the state of an agent."""
    return (await world.services.identity.directory.agent(name)).state


async def proved(world: ConsoleWorld, name: str, days_ago: int) -> None:
    """Have an agent have proven its identity then."""
    agent = await world.services.identity.directory.agent(name)
    proof = LastProof(
        tenant=TENANT,
        agent=name,
        at=world.clock.now() - timedelta(days=days_ago),
        method="private-key",
        assurance=Assurance.KEY_BOUND,
        workload=workload_of(agent.bindings[0]),
        place="instance one",
    )
    await world.services.store.commit(Unit((PutLastProof(proof),)))


async def test_the_register_names_who_answers_for_each_agent(world: ConsoleWorld) -> None:
    """With state, last proof, the tier of its open tasks, and its findings."""
    await world.open()
    await proved(world, "clerk", 0)
    await world.services.findings.findings.see(FindingKind.OWNERLESS, "agent:clerk", "x", {})
    page = await (await world.browser("vera")).get("/console/agents")
    row = page.text.split("<tbody>")[1].split("</tr>")[0]
    for part in (CLERK, "/console/people/lena", "key-bound", "autonomous", "just now"):
        assert part in row, part
    assert '<span class="tag warn">1</span>' in row


async def test_idle_and_unused_agents_are_found(world: ConsoleWorld) -> None:
    """By when they last proved their identity, by state, by owner, and by a text."""
    await proved(world, "clerk", 31)
    await world.services.identity.directory.move("other", AgentState.SUSPENDED, by="root", reason="")
    vera = await world.browser("vera")
    for query, found in (
        ("use=never", {"other"}),
        ("use=idle", {"clerk"}),
        ("use=open", set()),
        ("state=suspended", {"other"}),
        ("owner=lena&q=CLERK", {"clerk"}),
        ("owner=root", set()),
        ("use=nonsense", {"clerk", "other"}),
    ):
        page = await vera.get(f"/console/agents?{query}")
        assert {name for name in ("clerk", "other") if f'/console/agents/{name}"' in page.text} == found, (
            query
        )
    assert "No agent matches" in (await vera.get("/console/agents?q=nothing-like-it")).text


async def test_thousands_of_agents_come_in_pages(world: ConsoleWorld) -> None:
    """Each page leads to the next one, and together they name each agent once."""
    clerk = await world.services.identity.directory.agent("clerk")
    many = (
        msgspec.structs.replace(
            clerk, name=f"bot-{number:04}", bindings=(SpiffeBinding(f"spiffe://x/{number}"),)
        )
        for number in range(2_000)
    )
    await world.services.store.commit(Unit(tuple(PutAgent(one, expect_new=True) for one in many)))
    vera, address, names, pages = await world.browser("vera"), "/console/agents?q=bot", list[str](), 0
    while address:
        page = await vera.get(address)
        rows = page.text.split('<a class="strong" href="/console/agents/')[1:]
        assert len(rows) <= 50
        names += [row.partition('"')[0] for row in rows]
        address = f"/console/agents?q=bot&after={names[-1]}" if 'rel="next"' in page.text else ""
        pages += 1
    assert (pages, len(names), len(set(names))) == (40, 2_000, 2_000)


async def test_an_empty_register_says_how_an_agent_is_registered(world: ConsoleWorld) -> None:
    """A person without a role sees the agents that they own, and `leo` owns none."""
    page = await (await world.browser("leo")).get("/console/agents")
    assert "You own no agent" in page.text
    assert "remit agent register" in page.text
    assert "clerk" not in page.text
    own = await (await world.browser("lena")).get("/console/agents")
    assert CLERK in own.text


async def test_the_page_of_an_agent_proves_who_it_is(world: ConsoleWorld) -> None:
    """And says what it may do now, with the tier and what lifts it there."""
    task, _ = await world.open()
    await proved(world, "clerk", 0)
    page = await (await world.browser("vera")).get(CLERK)
    for part in ("a private key with the thumbprint", "by private-key from instance one", "owned by lena"):
        assert part in page.text, part
    assert f"/console/tasks/{task.id}" in page.text
    assert "desk/pay</a>: what it does cannot be undone and it moves money" in page.text
    assert "Suspend" not in page.text
    assert "End everything" not in page.text


async def test_a_review_sees_what_is_granted_and_not_used(world: ConsoleWorld) -> None:
    """Counted from the evidence; what it asked for without a grant is named, too."""
    _, token = await world.open()
    await world.call(token, "read", text="a")
    await world.call(token, "read", text="b")
    await world.asked(token, "pay", amount=1)
    lena = await world.browser("lena")
    page = await lena.get(CLERK)
    assert "1 of 3 granted tools not used" in page.text
    unused = page.text.split("granted tools not used")[1].split("</li>")[0]
    assert "desk/write" in unused
    assert "desk/read" not in unused
    row = page.text.split('href="/console/tools/desk/read">desk/read</a>')
    assert any('<td class="number">2</td>' in part.split("</tr>")[0] for part in row[1:])


async def test_the_owner_suspends_and_only_an_administrator_activates(world: ConsoleWorld) -> None:
    """As over REST. Its tasks end, and a second click changes nothing."""
    task, _ = await world.open()
    lena = await world.browser("lena")
    done = await act(lena, CLERK, act="suspend", reason="odd calls")
    again = await act(lena, CLERK, act="suspend", reason="odd calls")
    assert (done.status, again.status) == (303, 303)
    assert (await lena.get(done.location)).text.count("Suspended.") == 1
    assert await state_of(world) is AgentState.SUSPENDED
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.REVOKED
    refused = await act(lena, CLERK, act="activate")
    assert refused.status == 403
    assert await state_of(world) is AgentState.SUSPENDED
    assert (await act(await world.browser("root"), CLERK, act="activate")).status == 303
    assert await state_of(world) is AgentState.ACTIVE


async def test_a_role_alone_changes_no_agent(world: ConsoleWorld) -> None:
    """Not of an approver, operator, auditor or viewer who does not own it."""
    before = await world.services.identity.directory.agent("clerk")
    key = workload_of(before.bindings[0])
    for person in ("omar", "otto", "audra", "vera"):
        browser = await world.browser(person)
        for asked in ("suspend", "activate", "retire", "unbind", "owner", "nonsense"):
            told = await act(browser, CLERK, act=asked, owner="leo", workload=key)
            assert told.status == 403, (person, asked)
    assert await world.services.identity.directory.agent("clerk") == before


async def test_others_do_not_learn_that_an_agent_exists(world: ConsoleWorld) -> None:
    """A person without a role who does not own it."""
    leo = await world.browser("leo")
    assert (await leo.get(CLERK)).status == 404
    told = await act(leo, "/console/agents", CLERK, act="suspend")
    assert told.status == 404
    assert await state_of(world) is AgentState.REGISTERED


async def test_a_forged_form_changes_nothing(world: ConsoleWorld) -> None:
    """Without the secret of the page, or with that of another session."""
    root, lena = await world.browser("root"), await world.browser("lena")
    page = await lena.get(CLERK)
    theirs = page.forms[0]["fields"]["csrf"]
    for csrf in ("", "0" * 64, theirs):
        told = await root.post(CLERK, {"csrf": csrf, "act": "retire"})
        assert told.status == 403
    assert await state_of(world) is AgentState.REGISTERED


async def test_ending_everything_leads_to_its_closure(world: ConsoleWorld) -> None:
    """The second stage, for an operator; the agent itself stays in service."""
    task, _ = await world.open()
    otto = await world.browser("otto")
    done = await act(otto, CLERK, "/console/stop", kind="agent", name="clerk", reason="stop")
    assert done.status == 303
    closure = await otto.get(done.location)
    assert "Agent clerk ended" in closure.text
    assert "1 task" in closure.text
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.REVOKED
    assert await state_of(world) is AgentState.ACTIVE


async def test_an_administrator_trims_an_agent(world: ConsoleWorld) -> None:
    """Removes a binding, gives it another owner, and retires it for good."""
    root = await world.browser("root")
    key = workload_of((await world.services.identity.directory.agent("clerk")).bindings[0])
    assert (await act(root, CLERK, act="owner", owner="nobody-here")).status == 400
    assert (await act(root, CLERK, act="owner", owner="omar")).status == 303
    assert (await act(root, CLERK, act="unbind", workload=key, reason="old")).status == 303
    agent = await world.services.identity.directory.agent("clerk")
    assert (agent.owner, agent.bindings) == ("omar", ())
    assert (await act(root, CLERK, act="unbind", workload=key)).status == 404
    assert (await act(root, CLERK, act="retire")).status == 303
    page = await root.get(CLERK)
    assert "retired" in page.text
    assert "Activate it" not in page.text
    assert (await act(root, CLERK, act="activate")).status == 403


async def test_nothing_that_others_wrote_is_markup(world: ConsoleWorld) -> None:
    """A purpose, an initiative and a reason with script, a bell and a reversed line are shown as they are."""
    await world.services.identity.directory.register(
        NewAgent(
            name="odd-bot",
            owner="lena",
            purpose=HOSTILE,
            initiative=HOSTILE,
            bindings=(SpiffeBinding("spiffe://example.org/odd"),),
        ),
        by="root",
    )
    root = await world.browser("root")
    await act(
        root,
        "/console/agents/odd-bot",
        "/console/stop",
        kind="agent",
        name="odd-bot",
        reason=HOSTILE,
        lock="on",
    )
    for address in ("/console/agents", "/console/agents/odd-bot", f"/console/agents?q={'%3Cscript%3E'}"):
        page = await root.get(address)
        assert page.status == 200
        assert "<script>" not in page.text
        assert "\u202e" not in page.text
        assert "\u0007" not in page.text
        assert "&lt;script&gt;" in page.text
    assert "\\u{202e}" in (await root.get("/console/agents/odd-bot")).text


async def test_a_name_that_no_agent_has(world: ConsoleWorld) -> None:
    """Is a page that says so."""
    root = await world.browser("root")
    for name in ("..", "%2e%2e", "no-such", "a" * 300, "%3Cb%3E", "clerk%00"):
        assert (await root.get(f"/console/agents/{name}")).status == 404, name


async def test_a_review_is_given_on_the_page_that_shows_what_is_used(tmp_path: Path) -> None:
    """What is ticked is trimmed; a form of other grants is stale; others see no form."""
    rule = ReviewRule(every=timedelta(days=30))
    async with console_world(tmp_path, reviews=rule) as world:
        world.clock.advance(31 * 86400)
        lena, vera = await world.browser("lena"), await world.browser("vera")
        assert "2 reviews due" in (await vera.get("/console/reviews")).text
        assert "Review it now" not in (await vera.get(CLERK)).text
        page = await lena.get(CLERK)
        assert "Never reviewed" in page.text
        assert "due since" in page.text
        (form,) = [one["fields"] for one in page.forms if "grants" in one["fields"]]
        types = [name for name in form if name.startswith("type")]
        work = next(name.removeprefix("type") for name in types if form[name] == "work")
        one_call = next(name.removeprefix("type") for name in types if form[name] == "one-call")
        ticked = {f"gone{work}-2": "desk/pay", f"answer{one_call}": "remove"}
        sent = {name: value for name, value in form.items() if not name.startswith("gone")} | ticked
        stale = await lena.post(f"{CLERK}/review", {**sent, "grants": "sha256:0"})
        assert "has changed since it was shown" in stale.text
        done = await lena.post(f"{CLERK}/review", sent)
        assert done.headers["location"].endswith("?done=agent-reviewed")
        after = await lena.get(CLERK)
        for part in ("Still granted by work: desk/pay", "Still named by one-call", "by lena"):
            assert part in after.text, part
        assert "1 review due" in (await vera.get("/console/reviews")).text
        (facts,) = await world.facts(EventKind.AGENT_REVIEWED)
        assert (facts["trimmed"], facts["removed"]) == ({"work": ["desk/pay"]}, ["one-call"])
