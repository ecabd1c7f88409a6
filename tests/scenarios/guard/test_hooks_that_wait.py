# SPDX-License-Identifier: Apache-2.0
"""A hook of a coding assistant waits for an approver as long as it was installed to, and hears the answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.cli.guard.client_hooks import COMMAND_S, HTTP_S, HookConnection, hooks_of
from remit.core.evidence.event import EventKind
from remit.core.hooks.event import HookKind
from remit.core.hooks.forms import FORMS
from remit.core.identity.principals import Role
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from tests.worlds.guard import GuardWorld, guard_world

Json = Any
ASKS = """
@id("ask-push")
@reason("a push is seen by others")
@otherwise("approval")
forbid (principal, action, resource == Tool::"claude-code/shell.send");
"""
PUSH = {"command": "git push origin main"}


async def asked(world: GuardWorld) -> str:
    """Return the id of the open question, once there is one; the call waits for it."""
    approvals = world.services.decisions.approvals
    async with asyncio.timeout(60):
        while not (waiting := await approvals.listed()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    found: str = waiting[0].id
    return found


async def answer(world: GuardWorld, question: str, *, approve: bool = True) -> None:
    """Let the approver answer."""
    admin = await world.services.identity.directory.person("admin")
    await world.services.decisions.approvals.answer(question, admin, approve=approve)


@pytest.mark.parametrize("approve", [True, False])
async def test_the_hook_hears_the_answer(tmp_path: Path, approve: bool) -> None:
    """An approved call goes on, a denied one is refused; either way one question was asked."""
    async with guard_world(tmp_path, policy=ASKS, wait_s=300) as world:
        await world.say("Push it.")
        calling = asyncio.create_task(world.before("Bash", PUSH))
        question = await asked(world)
        assert not calling.done()
        await answer(world, question, approve=approve)
        _, said, text = await calling
        assert said == ("" if approve else "deny")
        assert approve or "a person has denied this call" in text
        found = await world.services.evidence.log.pages(kinds=(EventKind.APPROVAL_REQUESTED.value,))
        assert len(found) == 1


async def test_without_an_answer_it_is_not_decided_yet(tmp_path: Path) -> None:
    """After the wait the model reads what it reads without one."""
    async with guard_world(tmp_path, policy=ASKS, wait_s=1) as world:
        await world.say("Push it.")
        _, said, text = await world.before("Bash", PUSH)
        assert said == "deny"
        assert "not decided yet" in text


async def test_nothing_waits_for_an_approver_who_is_none(tmp_path: Path) -> None:
    """The person whose client it is may not approve, so that a wait would be in vain."""
    async with guard_world(tmp_path, policy=ASKS, wait_s=300) as world:
        for name, roles in (("admin", ()), ("mia", (Role.APPROVER,))):
            person = await world.services.identity.directory.person(name)
            changed = msgspec.structs.replace(person, roles=roles)
            await world.services.store.commit(Unit((PutPerson(changed),)))
        await world.say("Push it.")
        _, said, text = await world.before("Bash", PUSH)
        assert said == "deny"
        assert "not decided yet" in text


async def test_an_answer_after_the_client_gave_up_is_for_its_next_call(tmp_path: Path) -> None:
    """The approval is not used up by a call of which no client hears."""
    async with guard_world(tmp_path, policy=ASKS, wait_s=300) as world:
        await world.say("Push it.")
        calling = asyncio.create_task(world.before("Bash", PUSH))
        question = await asked(world)
        world.hung_up.set()
        await calling
        world.hung_up.clear()
        await answer(world, question)
        assert (await world.services.decisions.approvals.get(question)).state == "approved"
        _, said, _ = await world.before("Bash", PUSH)
        assert said == ""
        assert (await world.services.decisions.approvals.get(question)).state == "consumed"


async def test_in_the_mode_ask_the_client_asks_at_once(tmp_path: Path) -> None:
    """Its own prompt is there already; no approver is asked."""
    async with guard_world(tmp_path, "ask", policy=ASKS, wait_s=300) as world:
        await world.say("Push it.")
        _, said, _ = await world.before("Bash", PUSH)
        assert said == "ask"
        assert await world.services.decisions.approvals.listed() == []


@pytest.mark.parametrize("client", sorted(FORMS))
def test_a_client_is_patient_for_calls_alone(client: str) -> None:
    """Its time-out for a call is longer by the wait, and no other one."""
    connection = HookConnection(url="http://127.0.0.1:1/x", secret="s", place="p", words=("w",), wait_s=120)
    usual = HTTP_S if not FORMS[client].by_command else COMMAND_S
    for name, hook in hooks_of(client, connection).items():
        inner = hook["hooks"][0] if isinstance(hook, dict) and "hooks" in hook else hook
        given = inner.get("timeout", inner.get("timeoutSec"))
        given = given // 1000 if given > 10_000 else given
        waits = FORMS[client].kinds[name] is HookKind.CALL
        assert given == usual + (120 if waits else 0), name
        if FORMS[client].by_command:
            assert (" 120" in (inner.get("command") or inner.get("bash"))) == waits
