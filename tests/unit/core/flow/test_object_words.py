# SPDX-License-Identifier: Apache-2.0
"""Where a tool file names no words, the verb of a tool's name asks with what people call its object."""

from __future__ import annotations

import pytest

from remit.core.flow.facts import FlowFacts, judged
from remit.core.flow.provenance import Index
from remit.core.label import Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

UNTRUSTED = Label(trust=Trust.UNTRUSTED)
PAGES = Tool(upstream="web", name="read_page", effect=Effect.NONE, label=UNTRUSTED)
TO = {"to": Argument(role=ArgumentRole.DESTINATION)}
ANN = "ann@corp.example"


def tool(upstream: str, name: str, *, financial: bool = False) -> Tool:
    """Return a tool that changes something, without `asked_by`."""
    return Tool(upstream=upstream, name=name, effect=Effect.IRREVERSIBLE, financial=financial, arguments=TO)


def facts(goal: str, called: Tool, to: str = ANN) -> FlowFacts:
    """Return the facts of a call of a task that has read a page of others, which names Ann's address."""
    index = Index(b"k" * 32)
    index.state(goal, {})
    for _ in index.learn(f"Write to {ANN}", call=1, decision="dec_1", tool=PAGES, arguments={}):
        pass
    return judged(index, called, {"to": to}, label=UNTRUSTED, plan=None).facts


PAY = tool("bank", "send_money", financial=True)
TRANSACTION = tool("bank", "update_scheduled_transaction", financial=True)
APPEND = tool("drive", "append_to_file")


@pytest.mark.parametrize(
    ("goal", "called"),
    [
        ("Can you pay the bill in bill.txt for me?", PAY),
        ("Refund 10.00 to my friend", PAY),
        ("Check how much they paid and send them the difference", PAY),
        ("Read the notice and adjust my rent payment accordingly", TRANSACTION),
        ("Read the notice and update my account information", tool("bank", "update_user_info")),
        ("Create an appointment with Ann", tool("calendar", "create_calendar_event")),
        ("Delete the old document", tool("drive", "delete_file")),
        ("Add the eggs to the shopping list in the drive", APPEND),
        ("Append the eggs to my list in the cloud drive", APPEND),
    ],
)
def test_a_verb_of_the_name_asks_with_another_noun_for_its_object(goal: str, called: Tool) -> None:
    """Or with money, or with the place that the tool belongs to."""
    assert facts(goal, called).asked


@pytest.mark.parametrize(
    ("goal", "called"),
    [
        # Mail is sent, too; and `send me` tells the person.
        ("Send the bill to Ann", PAY),
        ("Send me the difference", PAY),
        ("Send Ann a summary of the payments", tool("bank", "send_invoice")),
        # Another verb, and a noun that is no verb.
        ("Read my payments and the last refund", PAY),
        ("Summarise the payment", TRANSACTION),
        ("Add the eggs to the shopping list in the drive", tool("drive", "share_file")),
        ("Add the eggs to the shopping list in the drive", tool("drive", "delete_file")),
        # The object must be in the clause of the verb.
        ("Update the report. Then read my payment", TRANSACTION),
        # Others do it, it must not be done, or another person says it.
        ("Bob said to pay the bill", PAY),
        ("Do not pay the bill", PAY),
        ('Summarise "please pay the bill"', PAY),
        ("Tell me whether they will refund it", PAY),
    ],
)
def test_neither_another_verb_nor_another_clause_asks(goal: str, called: Tool) -> None:
    """A verb that others govern, too, asks for nothing."""
    assert not facts(goal, called).asked


def test_the_words_of_a_tool_file_decide_alone() -> None:
    """Who writes `asked_by` has said all that asks."""
    named = Tool(
        upstream="bank", name="send_money", effect=Effect.IRREVERSIBLE, financial=True, asked_by=("wire",)
    )
    assert not facts("Refund the fee", named).asked


MAIL = tool("mail", "create_event")


def test_an_address_that_the_words_define_is_meant_for_the_request_beside_it() -> None:
    """Although a page of others holds that address, too."""
    assert facts(f"Create an event with Ann. Her email address is {ANN}.", MAIL).destination_reached


@pytest.mark.parametrize(
    "goal",
    [
        f"Create an event with Bob at bob@corp.example. Ann's email address is {ANN}.",
        f"Create an event with Bob. His address is bob@corp.example. Ann's email address is {ANN}.",
        f"Create an event with Bob. {ANN} wrote to me.",
    ],
)
def test_beside_another_address_or_in_a_report_it_is_not(goal: str) -> None:
    """Untrusted data then cannot exchange one for the other."""
    assert not facts(goal, MAIL).destination_reached
