# SPDX-License-Identifier: Apache-2.0
"""A link in a notification leads an approver to one open question, once, and grants nothing."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.notifier.apprise import AppriseService
from remit.adapters.notifier.webhook import Webhook
from remit.core.decisions.approval import ApprovalState
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.services.identity.directory import NewPerson
from remit.services.signals.notifications import NotificationTarget
from remit.services.signals.question_links import LINK_PATH, QUESTIONS_PATH
from tests.servers.hook_server import SECRET, HookServer, hook_server
from tests.servers.message_servers import MessageServer, message_server
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import WorldClock


@pytest.fixture
async def chat() -> AsyncIterator[MessageServer]:
    """A chat on this machine."""
    async with message_server() as made:
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[HookServer]:
    """A program that is notified."""
    async with hook_server() as made:
        yield made


@pytest.fixture
async def world(tmp_path: Path, chat: MessageServer, hook: HookServer) -> AsyncIterator[CallWorld]:
    """A desk whose questions are told to people and to a program."""
    kinds = (EventKind.APPROVAL_REQUESTED,)
    webhook = Webhook(hook.url, lambda: SECRET, deliver=GuardedFetch(plain_loopback=True), clock=WorldClock())
    people = AppriseService(lambda: f"json://{chat.place}/")
    told = {
        "chat": NotificationTarget(name="chat", notifier=people, kinds=kinds, person=True),
        "desk": NotificationTarget(name="desk", notifier=webhook, kinds=kinds),
    }
    async with call_world(tmp_path, addressees=told) as made:
        await made.services.signals.notifications.begin()
        yield made


async def told(world: CallWorld, chat: MessageServer) -> tuple[str, str]:
    """Ask a question; return it, and the code of the link that people got."""
    _, token = await world.open()
    question = await world.asked(token, amount=5000)
    await world.services.signals.notifications.turn()
    _, _, code = chat.taken[-1]["message"].rpartition(f"{LINK_PATH}/")
    return question, code


async def followed(world: CallWorld, code: str, who: str = "omar") -> str:
    """Return where a link leads a person."""
    return await world.services.signals.links.followed(code, await world.person(who))


async def test_a_link_leads_its_approver_to_the_question(world: CallWorld, chat: MessageServer) -> None:
    """As often as the same person opens it, and it answers nothing."""
    question, code = await told(world, chat)
    assert await followed(world, code) == f"{QUESTIONS_PATH}/{question}"
    assert await followed(world, code) == f"{QUESTIONS_PATH}/{question}"
    assert (await world.services.decisions.approvals.get(question)).state is ApprovalState.PENDING
    assert question not in chat.taken[-1]["message"]
    assert "5000" not in str(chat.taken)


async def test_people_who_cannot_approve_do_not_use_a_link_up(world: CallWorld, chat: MessageServer) -> None:
    """They see no more than before."""
    question, code = await told(world, chat)
    for who in ("lena", "root"):
        assert await followed(world, code, who) == QUESTIONS_PATH
    assert await followed(world, code) == f"{QUESTIONS_PATH}/{question}"


async def test_a_second_approver_is_led_to_the_list(world: CallWorld, chat: MessageServer) -> None:
    """One link is for one person; the question stands in the list for all."""
    _, code = await told(world, chat)
    await followed(world, code)
    new = NewPerson(name="nora", roles=(Role.APPROVER,))
    await world.services.identity.directory.add_person(new, by="root")
    assert await followed(world, code, "nora") == QUESTIONS_PATH


@pytest.mark.parametrize("end", ["answered", "over"])
async def test_a_link_is_dead_with_its_question(world: CallWorld, chat: MessageServer, end: str) -> None:
    """Whether it was used before or not."""
    question, code = await told(world, chat)
    await followed(world, code)
    if end == "answered":
        await world.approve(question)
    else:
        world.clock.advance(901)
    assert await followed(world, code) == QUESTIONS_PATH


async def test_a_forged_link_leads_to_the_list(world: CallWorld, chat: MessageServer) -> None:
    """Whatever is written into it, also another kind of code."""
    question, code = await told(world, chat)
    for forged in (
        "",
        code[:-1],
        code.upper(),
        secrets.token_hex(32),
        question,
        "../../evil",
        "//evil.example",
    ):
        assert await followed(world, forged) == QUESTIONS_PATH


async def test_an_answered_question_is_told_to_programs_alone(
    world: CallWorld, chat: MessageServer, hook: HookServer
) -> None:
    """People are not called to what is done; a program misses no event."""
    _, token = await world.open()
    await world.approve(await world.asked(token, amount=5000))
    await world.services.signals.notifications.turn()
    assert chat.taken == []
    assert [one["type"] for one in hook.taken] == ["approval.requested"]


async def test_a_service_that_is_down_delays_no_decision(world: CallWorld, chat: MessageServer) -> None:
    """The question is open at once, and told as soon as the service is back."""
    chat.answers = [503]
    _, token = await world.open()
    await world.asked(token, amount=5000)
    await world.services.signals.notifications.turn()
    assert list(world.services.signals.notifications.failing) == ["chat"]
    world.clock.advance(2)
    await world.services.signals.notifications.turn()
    assert len(chat.taken) == 1
    assert world.services.signals.notifications.failing == {}
