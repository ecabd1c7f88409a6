# SPDX-License-Identifier: Apache-2.0
"""Facts of records: what policies read of the record that a call selects, and when a fact is missing."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from remit.core.flow.facts import judged
from remit.core.flow.provenance import Index
from remit.core.flow.records.facts import MAX_RECORDS, typed
from remit.core.label import Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, FieldLabel, Tool

KEY = b"k" * 32
PERSONAL = Argument(ArgumentRole.SELECTOR, personal=True)
TRUSTED, UNTRUSTED = Label(), Label(trust=Trust.UNTRUSTED)
FIELDS = (
    FieldLabel("state", TRUSTED, fact="string"),
    FieldLabel("placed", TRUSTED, fact="date"),
    FieldLabel("total", TRUSTED, fact="number"),
    FieldLabel("items", TRUSTED, fact="integer"),
    FieldLabel("refundable", TRUSTED, fact="boolean"),
)
ORDER = {
    "order_id": "A-1",
    "customer_id": "CU-1",
    "state": "delivered",
    "placed": "2026-08-01",
    "total": 40.5,
    "items": 2,
    "refundable": True,
}
FACTS = {
    "state": "delivered",
    "placed": datetime(2026, 8, 1, tzinfo=UTC),
    "total": 40.5,
    "items": 2,
    "refundable": True,
}


def tool(name: str, *fields: FieldLabel, effect: Effect = Effect.NONE, **arguments: Argument) -> Tool:
    """Return a tool of the shop."""
    return Tool(upstream="shop", name=name, effect=effect, label=TRUSTED, arguments=arguments, fields=fields)


READ = tool("read_order", *FIELDS, order_id=PERSONAL)
LIST = tool("list_orders", *FIELDS, customer_id=PERSONAL)
REFUND = tool("refund_order", effect=Effect.IRREVERSIBLE, order_id=PERSONAL)


class Shop:
    """A task that serves customer 1, who has placed an order."""

    def __init__(self) -> None:
        self.index = Index(KEY)
        self.index.state("Serve this customer.", {"customer_id": "CU-1"})
        self._calls = itertools.count(1)
        self.met(tool("customer", customer_id=PERSONAL), {"orders": ["A-1", "A-2"]}, customer_id="CU-1")

    def met(self, by: Tool, result: Any, **arguments: Any) -> "Shop":
        """Take in a result."""
        call = next(self._calls)
        for _ in self.index.learn(result, call=call, decision=f"dec_{call}", tool=by, arguments=arguments):
            pass
        return self

    def facts(self, by: Tool = REFUND, **arguments: Any) -> dict[str, Any]:
        """Return the facts of the record that a call selects."""
        return judged(self.index, by, arguments, label=TRUSTED, plan=None).record


def test_a_call_has_the_typed_facts_of_the_record_that_it_selects() -> None:
    """Text, date, number, whole number and boolean; a call about another record has none of them."""
    shop = Shop().met(READ, ORDER, order_id="A-1")
    assert shop.facts(order_id="A-1") == FACTS
    assert shop.facts(order_id="A-2") == {}


def test_a_row_of_a_list_has_its_own_facts() -> None:
    """Each row by its own key, and none by the key that all rows share."""
    rows = [ORDER, {**ORDER, "order_id": "A-2", "state": "open", "total": 7}]
    shop = Shop().met(LIST, {"orders": rows}, customer_id="CU-1")
    assert shop.facts(order_id="A-1")["state"] == "delivered"
    assert shop.facts(order_id="A-2")["state"] == "open"
    assert "state" not in shop.facts(LIST, customer_id="CU-1")


def test_the_latest_reading_counts() -> None:
    """A record that was read twice has the facts of the second reading."""
    shop = Shop().met(READ, ORDER, order_id="A-1").met(READ, {**ORDER, "state": "lost"}, order_id="A-1")
    assert shop.facts(order_id="A-1")["state"] == "lost"


def test_a_record_that_does_not_belong_to_the_person_has_no_facts() -> None:
    """Only reached records count, however they were read."""
    shop = Shop().met(tool("audit", *FIELDS), [{**ORDER, "order_id": "B-2", "customer_id": "CU-2"}])
    assert shop.facts(order_id="B-2") == {}


def test_a_record_that_mentions_another_does_not_lend_its_facts() -> None:
    """An order that was sent together with the selected one is not the selected one."""
    other = {**ORDER, "order_id": "A-2", "replaces_order": "A-1", "linked": ["A-1"], "state": "open"}
    shop = Shop().met(READ, other, order_id="A-2")
    assert shop.facts(order_id="A-1") == {}


@pytest.mark.parametrize("trust", [Trust.UNTRUSTED])
def test_a_field_that_others_write_is_no_fact(trust: Trust) -> None:
    """The fact is missing then, and a rule that needs it permits nothing."""
    read = tool("read_order", FieldLabel("state", Label(trust=trust), fact="string"), order_id=PERSONAL)
    assert Shop().met(read, ORDER, order_id="A-1").facts(order_id="A-1") == {}


def test_a_call_with_an_effect_makes_the_facts_unknown_until_they_are_read_again() -> None:
    """What it changed is not known; its own result may tell, but not what the agent wrote into it."""
    change = tool(
        "change_order",
        *FIELDS,
        effect=Effect.REVERSIBLE,
        order_id=PERSONAL,
        state=Argument(),
        items=Argument(),
    )
    shop = Shop().met(READ, ORDER, order_id="A-1")
    shop.met(change, {**ORDER, "state": "returnable"}, order_id="A-1", state="returnable")
    assert shop.facts(order_id="A-1") == {name: FACTS[name] for name in FACTS if name != "state"}
    shop.met(change, "done", order_id="A-1")
    assert shop.facts(order_id="A-1") == {}


def test_two_fields_of_one_name_in_a_record_are_no_fact() -> None:
    """It is not known which of them is meant."""
    shop = Shop().met(READ, {**ORDER, "shipment": {"state": "lost"}}, order_id="A-1")
    assert "state" not in shop.facts(order_id="A-1")


def test_the_number_of_records_is_bounded() -> None:
    """The oldest facts go first."""
    shop = Shop().met(READ, ORDER, order_id="A-1")
    rows = [{"order_id": f"A-{n}", "state": "open"} for n in range(10, 10 + MAX_RECORDS)]
    shop.met(LIST, rows, customer_id="CU-1")
    assert shop.facts(order_id="A-1") == {}


@pytest.mark.parametrize(
    ("kind", "value", "fact"),
    [
        ("string", "x" * 101, None),
        ("string", 5, None),
        ("integer", "12", 12),
        ("integer", 2**63, None),
        ("integer", True, None),
        ("number", 1.00001, None),
        ("number", "3.25", 3.25),
        ("number", 1e16, None),
        ("boolean", "true", True),
        ("boolean", 1, None),
        ("date", "2026-08-01T10:00:00+02:00", datetime(2026, 8, 1, 8, tzinfo=UTC)),
        ("date", "yesterday", None),
        ("date", 20260801, None),
        ("date", "9999-12-31T23:59:59-14:00", None),
    ],
)
def test_a_value_of_another_type_is_missing(kind: str, value: Any, fact: Any) -> None:
    """A fact has the declared type, or is no fact."""
    assert typed(kind, value) == fact
