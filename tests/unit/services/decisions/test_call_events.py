# SPDX-License-Identifier: Apache-2.0
"""What the evidence says of a call: who asked for what, by which rules, and what came of it."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from remit.core.errors import UpstreamUnreachable
from remit.core.evidence.event import CallOutcome, EventKind
from remit.core.tools.tool import Argument, ArgumentRole, Effect
from remit.services.decisions.call_events import MAX_SEALED_BYTES, kept, subject_of
from tests.worlds.calls import CallWorld, a_tool, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def test_a_read_is_a_call_and_a_record_read(world: CallWorld) -> None:
    """Which class, how trusted; no action."""
    _, token = await world.open()
    await world.call(token, "read")
    (called,) = await world.facts(EventKind.TOOL_CALLED)
    (read,) = await world.facts(EventKind.DATA_READ)
    assert (called["tool"], called["outcome"]) == ("desk/read", "ok")
    assert (read["class"], read["trust"]) == ("internal", "trusted")
    assert await world.facts(EventKind.ACTION_EXECUTED) == []
    (rose,) = await world.facts(EventKind.LABEL_RAISED)
    assert (rose["class"], rose["by"]) == ("internal", "desk/read")


async def test_a_change_is_a_call_and_an_action(world: CallWorld) -> None:
    """With its effect and audience; no record was read."""
    _, token = await world.open()
    await world.call(token, "write")
    (action,) = await world.facts(EventKind.ACTION_EXECUTED)
    assert (action["effect"], action["audience"], action["outcome"]) == ("reversible", "internal", "ok")
    assert await world.facts(EventKind.DATA_READ) == []


async def test_a_change_that_may_have_happened_is_told_as_such(world: CallWorld) -> None:
    """An upstream that was lost leaves an action whose outcome is unknown; a lost read reads nothing."""
    _, token = await world.open()
    world.desk.lost = True
    for name in ("write", "read"):
        with pytest.raises(UpstreamUnreachable):
            await world.call(token, name)
    (action,) = await world.facts(EventKind.ACTION_EXECUTED)
    assert action["outcome"] == CallOutcome.UNKNOWN
    assert await world.facts(EventKind.DATA_READ) == []


async def test_what_was_never_sent_did_nothing(world: CallWorld) -> None:
    """No connection, no action: the permit is closed as not sent."""
    _, token = await world.open()
    world.desk.refuses = True
    with pytest.raises(UpstreamUnreachable):
        await world.call(token, "write")
    (called,) = await world.facts(EventKind.TOOL_CALLED)
    assert called["outcome"] == "not-sent"
    assert await world.facts(EventKind.ACTION_EXECUTED) == []


async def test_a_refusal_is_one_event_with_its_reasons(world: CallWorld) -> None:
    """Codes and rules are readable for everyone; the messages are sealed."""
    _, token = await world.open("hello")
    await world.call(token, "write", text="a private word")
    (entry,) = await world.services.evidence.log.pages(kinds=(EventKind.DECISION_MADE.value,))
    record = msgspec.json.decode(entry.leaf)
    assert record["facts"]["outcome"] == "deny"
    assert record["facts"]["reasons"] == [
        {"code": "argument-refused", "rule": "grant of desk/write in task type hello"}
    ]
    assert b"a private word" not in entry.leaf
    assert entry.opened is not None
    assert entry.opened["arguments"] == {"text": "a private word"}
    assert await world.facts(EventKind.TOOL_CALLED) == []


async def test_every_event_of_a_call_carries_its_id(world: CallWorld) -> None:
    """So that they are found together."""
    _, token = await world.open()
    end = await world.call(token, "write")
    await world.facts(EventKind.TOOL_CALLED)
    entries = await world.services.evidence.log.pages(limit=1000)
    kinds = {
        entry.kind for entry in entries if msgspec.json.decode(entry.leaf).get("call") == end.decision.id
    }
    assert kinds == {"decision.made", "tool.called", "action.executed"}


def test_large_arguments_are_kept_by_digest() -> None:
    """Up to 64 KiB as they are; above, by what proves them."""
    small, large = {"text": "x" * 100}, {"text": "x" * MAX_SEALED_BYTES}
    assert kept(small) is small
    encoded = msgspec.json.encode(large)
    assert kept(large) == {"sha256": hashlib.sha256(encoded).hexdigest(), "size_bytes": len(encoded)}


def test_a_call_is_about_what_its_template_or_its_arguments_say() -> None:
    """The template first, then the arguments of the role, then the tool itself."""
    roles = {"to": Argument(ArgumentRole.DESTINATION), "text": Argument(ArgumentRole.CONTENT)}
    tool = a_tool("send", Effect.IRREVERSIBLE, arguments=roles)
    sent = {"to": "ann", "text": "hi"}
    role = ArgumentRole.DESTINATION
    assert subject_of(tool, "mail to {to}", role, sent) == "mail to ann"
    assert subject_of(tool, "", role, sent) == {"to": "ann"}
    assert subject_of(tool, "", role, {"text": "hi"}) == "desk/send"
