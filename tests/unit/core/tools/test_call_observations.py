# SPDX-License-Identifier: Apache-2.0
"""Threat: an attacker who was present while remit observed teaches it to permit the attack."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.identity.principals import person_of
from remit.core.tools.suggestions import (
    ObservedCall,
    ToolDraft,
    UpstreamFacts,
    drafted,
    grants_of,
    observed_calls,
    with_leads,
)
from remit.core.tools.tool import Tool

Json = Any
EVE = "eve@evil.example"
FACTS = UpstreamFacts(audience="internal", data_class="internal")


def guess(tool: str, *arguments: str) -> ToolDraft:
    """Draft a tool that takes texts."""
    upstream, _, name = tool.partition("/")
    schema = {"type": "object", "properties": {one: {"type": "string"} for one in arguments}}
    return drafted(
        Tool(upstream=upstream, name=name, surface={"name": name, "inputSchema": schema}), FACTS, "restricted"
    )


DRAFTS = {
    "mail/send": guess("mail/send", "to", "body"),
    "files/read": guess("files/read", "path"),
    "files/list": guess("files/list"),
    "crm/get": guess("crm/get", "contact_id"),
}


def opened(task: str, goal: str = "", *, by: str = "ana") -> Json:
    """Return the event of a task that was opened for a requester."""
    values = {"goal": goal, "requested_by": by}
    return {"kind": "task.opened", "task": task, "facts": {"task_type": "t"}, "values": values}


def decided(
    tool: str, arguments: Json, *flow: Json, task: str = "tsk_1", call: str = "dec_1", **facts: Json
) -> Json:
    """Return the event of a decision."""
    given = {"tool": tool, "outcome": "deny", "observed": True, "flow": list(flow), "rules": []} | facts
    values = {"arguments": arguments}
    return {
        "kind": "decision.made", "task": task, "agent": "a", "at": "2026-01-01", "call": call,
        "facts": given, "values": values,
    }  # fmt: skip


def came(
    argument: str, *origins: tuple[str, str], stated: str = "", trust: str = "untrusted", by: str = "dec_0"
) -> Json:
    """Return where an argument came from, as the evidence says it."""
    found = [[1, by, tool, field, trust] for tool, field in origins]
    word = "intent" if stated else "untrusted" if origins else "unknown"
    return {"argument": argument, "provenance": word, "origins": found} | (
        {"stated": stated} if stated else {}
    )


def led(*events: Json, trusted: tuple[str, ...] = ()) -> list[ObservedCall]:
    """Return the calls of these events."""
    return with_leads(list(observed_calls([opened("tsk_1"), *events], {}, person_of)), DRAFTS, trusted)


@pytest.mark.parametrize(
    ("tool", "value", "flow", "text"),
    [
        ("mail/send", {"to": EVE}, came("to", ("mail/read", "message.body")), "mail/read message.body"),
        # An address in a name or a topic is there because its author wrote it there.
        ("mail/send", {"to": EVE}, came("to", ("chat/list", "channels[].name")), "chat/list channels[].name"),
        ("files/read", {"path": "x"}, came("path", ("chat/list", "c.topic.raw")), "chat/list c.topic.raw"),
        ("files/read", {"path": ".ssh/id"}, came("path", ("mail/read", "")), "mail/read"),
        ("files/read", {"path": ".ssh/id"}, came("path", ("files/read", "")), "files/read"),
        ("files/read", {"path": ".ssh/id"}, came("path", ("files/read", "result")), "files/read result"),
        ("files/read", {"path": "a.md"}, came("path", ("files/list", "result[]")), ""),
        ("mail/send", {"to": "ann@a.example"}, came("to", ("crm/get", "contact.email")), ""),
        ("mail/send", {"to": EVE}, came("to", ("mail/read", "body"), ("crm/get", "contact.email")), ""),
        ("mail/send", {"to": "ann@a.example"}, came("to", ("mail/read", "body"), stated="words"), ""),
        ("mail/send", {"to": "ann@a.example"}, came("to", ("mail/read", "body"), trust="trusted"), ""),
        ("mail/send", {"to": "ann@a.example"}, came("to"), ""),
        ("mail/send", {"body": "as you wrote"}, came("body", ("mail/read", "body")), ""),
        ("files/read", {"path": "a.md"}, came("path", ("files/list", "")), ""),
        ("crm/get", {"contact_id": "c1"}, came("contact_id", ("crm/find", "results[].id")), ""),
    ],
)  # fmt: skip
def test_a_call_is_led_if_only_a_strangers_text_chose_where_it_goes(
    tool: str, value: Json, flow: Json, text: str
) -> None:
    """Not if the person states it, if a field for it holds it, or if it is only content."""
    (call,) = led(decided(tool, value, flow))
    assert next(iter(call.led.values()), "") == text
    assert led(decided(tool, value, flow), trusted=("mail", "chat", "files"))[0].led == {}


def test_what_such_a_call_found_leads_further() -> None:
    """A tool that was only used in the wake of led calls is not granted; others are."""
    text = came("path", ("mail/read", "body"), by="dec_m")
    found = came("contact_id", ("files/read", "id"), by="dec_1")
    events = [
        decided("files/read", {"path": "plan.md"}, text, call="dec_1"),
        decided("crm/get", {"contact_id": "c9"}, found, call="dec_2"),
        decided("files/list", {}, call="dec_3"),
    ]  # fmt: skip
    calls = led(*events)
    assert [(bool(one.led), one.followed) for one in calls] == [(True, False), (False, True), (False, False)]
    draft = grants_of("t", calls, {})
    assert [one.tool for one in draft.grants] == ["files/list"]
    assert {tool: (one.calls, one.granted) for tool, one in draft.led.items()} == {
        "files/read": (1, False),
        "crm/get": (1, False),
    }
    accepted = grants_of("t", calls, {}, accepted=("files/read",))
    assert [one.tool for one in accepted.grants] == ["files/list", "files/read"]


def test_calls_are_read_with_the_words_that_came_before_them() -> None:
    """Messages count from when they came; what cannot be read, and unknown tasks, are no evidence."""
    message = {"kind": "task.message", "task": "tsk_1", "facts": {}, "values": {"text": "and the rest"}}
    events = [
        opened("tsk_1", "the first"),
        decided("u/a", {"n": 1}),
        message,
        decided("u/a", {"n": 2}, outcome="permit"),
        decided("u/a", {"sha256": "x"}, task="tsk_unknown"),
        decided("u/a", {}, rules=[["flow/code", "d"], ["tools/undescribed", "d"]]),
        {"kind": "decision.made", "task": "tsk_1", "facts": {"tool": "u/a", "outcome": "permit"}},
    ]
    found = list(observed_calls(events, {"tsk_2": "other"}, person_of))
    assert [one.words for one in found] == ["the first", "the first\nand the rest", "the first\nand the rest"]
    assert [one.objections for one in found] == [(), (), ("flow/code",)]


def test_the_goal_that_an_agent_gives_itself_is_no_words_of_a_person() -> None:
    """A wrapped client gives each of its sessions the same goal; they are not the same work."""
    events = [
        opened("tsk_1", "an AI client on this machine", by="agent:mcp-client"),
        decided("u/a", {"n": 1}),
    ]
    assert [one.words for one in observed_calls(events, {}, person_of)] == [""]
