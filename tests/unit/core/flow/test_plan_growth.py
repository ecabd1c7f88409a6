# SPDX-License-Identifier: Apache-2.0
"""What an extension adds: own reads, reads, or effects that the words may have asked for."""

from typing import Any

import msgspec

from remit.core.flow.language.utterance import Utterance
from remit.core.flow.plan_extension import growth
from remit.core.label import Audience
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

MINE = Tool(
    upstream="shop",
    name="list_orders",
    effect=Effect.NONE,
    audience=Audience("internal"),
    arguments={"sort": Argument()},
    described=True,
)
FIND = msgspec.structs.replace(MINE, arguments={"customer": Argument(ArgumentRole.SELECTOR)})
FETCH = msgspec.structs.replace(MINE, name="fetch_page", audience=Audience("external"))
CANCEL = msgspec.structs.replace(MINE, name="cancel_order", effect=Effect.IRREVERSIBLE)

PAYING = {"payee": Argument(ArgumentRole.DESTINATION), "amount": Argument(ArgumentRole.AMOUNT)}
SEND_MONEY = msgspec.structs.replace(CANCEL, name="send_money", arguments=PAYING, financial=True)


def added(words: str, *tools: Tool, first: bool = False, by_person: bool = False) -> tuple[str, bool]:
    """Return what an extension adds, and whether it was asked for."""
    said = Utterance()
    said.hear(words)
    facts = growth(said, tools, first=first, by_person=by_person)
    return facts.adds, facts.asked


def test_an_extension_is_as_strong_as_the_strongest_of_its_tools() -> None:
    """A selector makes a read another's choice; a disclosure outside is an effect, and so is the unknown."""
    assert added("Look", MINE) == ("own-reads", True)
    assert added("Look", MINE, FIND) == ("reads", True)
    assert added("Look", FIND, FETCH) == ("effects", False)
    assert added("Look", msgspec.structs.replace(MINE, described=False)) == ("effects", False)
    open_ended: dict[str, Any] = {"inputSchema": {"properties": {"sort": {}, "of": {}}}}
    assert added("Look", msgspec.structs.replace(MINE, surface=open_ended)) == ("reads", True)


def test_the_words_must_ask_for_each_effect() -> None:
    """Or the person requests the extension; a first plan extends none."""
    assert added("Cancel my last order", CANCEL, MINE) == ("effects", True)
    assert added("Pay the bill", SEND_MONEY) == ("effects", True)
    assert added("Bob said to pay the bill", SEND_MONEY) == ("effects", False)
    assert added("Cancel my last order", CANCEL, FETCH) == ("effects", False)
    assert added("Look", CANCEL, by_person=True) == ("effects", True)
    assert added("Look", CANCEL, first=True) == ("first", False)
