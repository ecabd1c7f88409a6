# SPDX-License-Identifier: Apache-2.0
"""Verbs beside those of a description ask where their clause leads to where the call goes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from remit.core.flow.facts import FlowFacts, judged
from remit.core.flow.provenance import Index
from remit.core.label import Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

UNTRUSTED = Label(trust=Trust.UNTRUSTED)
TO, WHICH = Argument(role=ArgumentRole.DESTINATION), Argument(role=ArgumentRole.SELECTOR)
POST = Tool(
    upstream="chat",
    name="message_post",
    effect=Effect.IRREVERSIBLE,
    arguments={"channel": TO},
    asked_by=("post", "write", "tell", "let know"),
)
SET = Tool(
    upstream="chat",
    name="channel_update",
    effect=Effect.REVERSIBLE,
    arguments={"channel": WHICH},
    asked_by=("change", "update"),
)
SHARE = Tool(
    upstream="chat",
    name="file_share",
    effect=Effect.IRREVERSIBLE,
    arguments={"file": WHICH, "channel": TO},
    asked_by=("share", "give access"),
)
PAY = Tool(
    upstream="bank",
    name="transfer",
    effect=Effect.IRREVERSIBLE,
    financial=True,
    arguments={"iban": TO},
    asked_by=("pay", "transfer"),
)
CHANNELS = Tool(upstream="chat", name="channels", effect=Effect.NONE, label=Label(trust=Trust.TRUSTED))
LISTED = [
    {"id": "C1", "name": "tour-ghent"},
    {"id": "C2", "name": "finance"},
    {"id": "C3", "name": "general"},
]
IBAN = "DE89370400440532013000"


def facts(goal: str, tool: Tool, **arguments: Any) -> FlowFacts:
    """Return the facts of a call of a task that has listed the channels."""
    index = Index(b"k" * 32)
    index.state(goal, {})
    for _ in index.learn(LISTED, call=1, decision="dec_1", tool=CHANNELS, arguments={}):
        pass
    return judged(index, tool, arguments, label=UNTRUSTED, plan=None).facts


@pytest.mark.parametrize(
    ("goal", "tool", "arguments"),
    [
        ("Ask Leon in the finance channel to settle the bill", POST, {"channel": "C2"}),
        ("Forward the mail to finance", POST, {"channel": "C2"}),
        ("Correct the topic of tour-ghent", SET, {"channel": "C1"}),
        ("Put the new time into the topic of tour-ghent", SET, {"channel": "C1"}),
        ("Add the dates to tour-ghent", SET, {"channel": "C1"}),
        ("Give everybody in finance view rights to F-17", SHARE, {"file": "F-17", "channel": "C2"}),
        (f"Settle the bill, account {IBAN}", PAY, {"iban": IBAN}),
        (f"Send 20 EUR to {IBAN}", PAY, {"iban": IBAN}),
    ],
)
def test_a_verb_of_the_same_effect_asks(goal: str, tool: Tool, arguments: dict[str, str]) -> None:
    """Its clause names the place or the object."""
    assert facts(goal, tool, **arguments).asked


@pytest.mark.parametrize(
    ("goal", "tool", "arguments"),
    [
        # The clause leads elsewhere.
        ("What is new in finance? Ask Leon about it", POST, {"channel": "C2"}),
        ("DM me what Leon said in finance", POST, {"channel": "C2"}),
        (
            "Load-in moved, see the last message in finance. Correct the topic of tour-ghent",
            SET,
            {"channel": "C2"},
        ),
        # A noun is no verb.
        ("See Maarten's last message in finance", POST, {"channel": "C2"}),
        ("Read the mail and the text for finance", POST, {"channel": "C2"}),
        # Another effect.
        ("Forward the mail to finance", SHARE, {"file": "F-17", "channel": "C2"}),
        ("Invite Ann to finance", POST, {"channel": "C2"}),
        (f"Send a mail about {IBAN}", PAY, {"iban": IBAN}),
        # What is told to the person is told to no channel.
        ("Remind me what is in #general", POST, {"channel": "C3"}),
        # Others do it, or it must not be done.
        ("Bob said to forward it to finance", POST, {"channel": "C2"}),
        ("Do not forward it to finance", POST, {"channel": "C2"}),
        ('Summarise "please forward all of it to finance"', POST, {"channel": "C2"}),
    ],
)
def test_a_verb_asks_for_nothing_beside_its_clause(goal: str, tool: Tool, arguments: dict[str, str]) -> None:
    """Neither a noun, nor a verb of another effect, nor one that others govern."""
    assert not facts(goal, tool, **arguments).asked


def test_a_place_is_not_reached_by_a_clause_that_asks_for_something_else() -> None:
    """Words that name it for a topic lead to it as a topic."""
    goal = "Did we decide for ghent on Saturday? If yes write Ann the code"
    assert not facts(goal, POST, channel="C1").destination_reached
    assert facts("Write to the ghent channel that we come", POST, channel="C1").destination_reached


def test_every_destination_must_be_led_to() -> None:
    """A second one that nothing leads to makes the call one that was not asked for."""
    goal = "Forward the mail to finance. What is new in general?"
    assert facts(goal, POST, channel="C2").asked
    assert not facts(goal, POST, channel=["C2", "C3"]).asked


def test_the_channel_of_a_persons_message_is_not_that_person() -> None:
    """A place in a record counts for a name only below the object that holds the name."""
    messages = Tool(upstream="chat", name="history", effect=Effect.NONE, label=Label(trust=Trust.TRUSTED))
    index = Index(b"k" * 32)
    index.state("Read the last message and write Maarten the number directly, answer to Maarten", {})
    result = [
        {"ts": "17", "user": {"id": "U7", "name": "Maarten"}, "channel": {"id": "C9"}, "text": "Dock 2"},
        {"ts": "18", "user": {"id": "U8", "name": "Paulo"}, "channel": {"id": "C8"}, "text": "Dock 1"},
    ]
    for _ in index.learn(result, call=1, decision="dec_1", tool=messages, arguments={}):
        pass
    person = judged(index, POST, {"channel": "U7"}, label=UNTRUSTED, plan=None).facts
    place = judged(index, POST, {"channel": "C9"}, label=UNTRUSTED, plan=None).facts
    assert person.destination_reached
    assert not place.destination_reached


def test_an_answer_in_a_thread_goes_to_the_place_named_before() -> None:
    """`His thread` refers to it."""
    goal = "Leon linked a page in #finance. When is it due? Answer in his thread"
    assert facts(goal, POST, channel="C2").destination_reached
    assert not facts(goal.replace("in his thread", "Ann"), POST, channel="C2").destination_reached


EDIT = msgspec.structs.replace(SET, effect=Effect.IRREVERSIBLE)
SAVE = Tool(
    upstream="chat",
    name="write_file",
    effect=Effect.IRREVERSIBLE,
    arguments={"channel": TO, "file": WHICH},
)


@pytest.mark.parametrize(
    ("goal", "tool", "arguments"),
    [
        ("Add the dates to tour-ghent", EDIT, {"channel": "C1"}),
        ("Tick the box in tour-ghent", EDIT, {"channel": "C1"}),
        ("Copy the table to F-17 in finance", SAVE, {"channel": "C2", "file": "F-17"}),
        ("Put the dates into F-17 in finance", SAVE, {"channel": "C2", "file": "F-17"}),
    ],
)
def test_a_thing_is_changed_by_what_people_add_or_copy_to_it(
    goal: str, tool: Tool, arguments: dict[str, str]
) -> None:
    """Even where the change cannot be undone: its clause names the thing."""
    assert facts(goal, tool, **arguments).asked


@pytest.mark.parametrize(
    ("goal", "tool", "arguments"),
    [
        ("Add the dates to finance", EDIT, {"channel": "C1"}),
        ("Put the dates on the page of tour-ghent", EDIT, {"channel": "C1"}),
        ("Copy the table to F-17. What is new in finance?", SAVE, {"channel": "C2", "file": "F-17"}),
        ("Copy the table to finance", POST, {"channel": "C2"}),
        ("Tick the box in finance", POST, {"channel": "C2"}),
    ],
)
def test_what_is_added_to_a_thing_asks_for_no_message_and_no_other_thing(
    goal: str, tool: Tool, arguments: dict[str, str]
) -> None:
    """The clause leads to each place and changes nothing beside it."""
    assert not facts(goal, tool, **arguments).asked
