# SPDX-License-Identifier: Apache-2.0
"""Which personal arguments select a record of the person that a task serves, in results of many shapes."""

import itertools
from typing import Any

import pytest

from remit.core.flow.facts import FlowFacts, judged
from remit.core.flow.provenance import Index
from remit.core.label import Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, FieldLabel, Tool

KEY = b"k" * 32
TRUSTED, UNTRUSTED = Label(), Label(trust=Trust.UNTRUSTED)
PERSONAL, SELECTOR = Argument(ArgumentRole.SELECTOR, personal=True), Argument(ArgumentRole.SELECTOR)
OWN = {"customer_id": "CU-1", "name": "Ann Stone"}


def reader(name: str, *fields: FieldLabel, label: Label = TRUSTED, **arguments: Argument) -> Tool:
    """Return a tool that reads."""
    return Tool(
        upstream="shop", name=name, effect=Effect.NONE, label=label, arguments=arguments, fields=fields
    )


READ_CUSTOMER = reader("read_customer", customer_id=PERSONAL)
READ_ORDER = reader("read_order", order_id=PERSONAL)
FIND_CUSTOMERS = reader("find_customers", query=SELECTOR)
READ_ANY = reader("read_details", id=PERSONAL)


class Desk:
    """A task, its results and its questions."""

    def __init__(self, goal: str = "Serve this customer.", **params: Any) -> None:
        self.index = Index(KEY)
        self.index.state(goal, params)
        self.index.persons.expect(["customer_id", "order_id", "id"])
        self._calls = itertools.count(1)

    def met(self, tool: Tool, result: Any, **arguments: Any) -> "Desk":
        """Take in a result."""
        call = next(self._calls)
        for _ in self.index.learn(result, call=call, decision=f"dec_{call}", tool=tool, arguments=arguments):
            pass
        return self

    def facts(self, tool: Tool, **arguments: Any) -> FlowFacts:
        """Return the facts of a call."""
        return judged(self.index, tool, arguments, label=TRUSTED, plan=None).facts

    def opens(self, tool: Tool, **arguments: Any) -> bool:
        """Return whether a call concerns the task's person, and a parameter says so."""
        found = self.facts(tool, **arguments)
        return found.personal_reached and (found.personal_parameter or not found.personal_given)


SHAPES = {
    "a list of ids": {"customer": OWN, "orders": ["A-1001", "A-1002", "A-1003"]},
    "a list of objects": {**OWN, "orders": [{"order_id": f"A-100{n}", "state": "sent"} for n in (1, 2, 3)]},
    "objects with a plain id": {**OWN, "orders": [{"id": f"A-100{n}", "state": "sent"} for n in (1, 2, 3)]},
    "a list at the root": [{"order_id": f"A-100{n}", "customer_id": "CU-1"} for n in (1, 2, 3)],
    "a map by id": {**OWN, "orders": {f"A-100{n}": {"state": "sent", "total": n} for n in (1, 2, 3)}},
    "a map of different objects": {
        **OWN,
        "orders": {
            "order_a_1": {"kind": "parcel", "id": "order_a_1"},
            "open_order_b_2": {"id": "open_order_b_2", "total": 3},
        },
    },
    "a wrapper": {"result": {"data": {**OWN, "orders": [{"order_id": f"A-100{n}"} for n in (1, 2, 3)]}}},
    "groups of objects": {
        **OWN,
        "open_orders": [{"order_id": "A-1001"}],
        "past_orders": [{"order_id": "A-1002"}, {"order_id": "A-1003"}],
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_record_of_the_stated_customer_opens(shape: str) -> None:
    """However many there are, and in whatever shape they come."""
    desk = Desk(customer_id="CU-1").met(READ_CUSTOMER, SHAPES[shape], customer_id="CU-1")
    keyed = ("order_a_1", "open_order_b_2")
    for one in keyed if "different" in shape else ("A-1001", "A-1002", "A-1003"):
        assert desk.opens(READ_ORDER, order_id=one), one
    assert not desk.opens(READ_ORDER, order_id="B-2002")


def test_short_numbers_open_by_their_names() -> None:
    """A number in a list of orders is an order's; the same number as a price is not."""
    result = {**OWN, "orders": [101, 102], "points": 207}
    desk = Desk(customer_id="CU-1").met(READ_CUSTOMER, result, customer_id="CU-1")
    assert desk.opens(READ_ORDER, order_id="101")
    assert desk.opens(READ_ORDER, order_id="102")
    assert not desk.opens(READ_ORDER, order_id="207")


def test_an_argument_for_any_id_takes_every_id_of_the_customer() -> None:
    """Its name says nothing, so the fields' names decide; a second customer stays closed."""
    result = {**OWN, "line_ids": ["L-1", "L-2"], "bill_ids": ["B-1"], "referred_by_customer": "CU-2"}
    desk = Desk(customer_id="CU-1").met(READ_ANY, result, id="CU-1")
    assert all(desk.opens(READ_ANY, id=one) for one in ("CU-1", "L-1", "L-2", "B-1"))
    assert not desk.opens(READ_ANY, id="CU-2")


def test_the_customer_is_found_by_other_data_and_their_records_in_several_hops() -> None:
    """Name to customer, customer to order, order to item: each key leads on."""
    find = reader("find_customer", first_name=SELECTOR, last_name=SELECTOR)
    read_item = reader("read_item", item_id=PERSONAL)
    desk = Desk(customer="Ann Stone")
    desk.met(find, [{"customer_id": "CU-1"}], first_name="Ann", last_name="Stone")
    assert desk.opens(READ_CUSTOMER, customer_id="CU-1")
    desk.met(READ_CUSTOMER, {**OWN, "orders": ["A-1001", "A-1002"]}, customer_id="CU-1")
    desk.met(READ_ORDER, {"order_id": "A-1002", "items": [{"item_id": "I-7"}]}, order_id="A-1002")
    assert desk.opens(read_item, item_id="I-7")
    assert not desk.opens(read_item, item_id="I-8")


STRANGERS = {
    "beside": {"order_id": "A-1001", "customer_id": "CU-1", "companion_customer_id": "CU-2"},
    "in a list": {"order_id": "A-1001", "customer_id": "CU-1", "passengers": [{"customer_id": "CU-2"}]},
    "alone": {"order_id": "A-1001", "passengers": [{"customer_id": "CU-2"}]},
    "as another order": {"order_id": "A-1001", "sent_with": "B-2002"},
    "as a linked order": {"order_id": "A-1001", "linked_orders": [{"order_id": "B-2002"}]},
}


@pytest.mark.parametrize("shape", STRANGERS)
def test_a_stranger_whom_an_own_order_mentions_stays_closed(shape: str) -> None:
    """Reach does not run through another person's id."""
    desk = Desk(customer_id="CU-1")
    desk.met(READ_CUSTOMER, {**OWN, "orders": ["A-1001"]}, customer_id="CU-1")
    desk.met(READ_ORDER, STRANGERS[shape], order_id="A-1001")
    assert not desk.opens(READ_CUSTOMER, customer_id="CU-2")
    assert not desk.opens(READ_ORDER, order_id="B-2002")
    assert desk.opens(READ_ORDER, order_id="A-1001")


def test_a_stranger_with_the_name_of_a_field_as_id_stays_closed() -> None:
    """The id would make the field a place of a map, and the stranger's order as near as an own one."""
    stranger = {"id": "partner", "order_id": "B-2002"}
    result = {**OWN, "past_orders": ["A-1001"], "people": {"partner": stranger}}
    desk = Desk(customer_id="CU-1").met(READ_CUSTOMER, result, customer_id="CU-1")
    assert desk.opens(READ_ORDER, order_id="A-1001")
    assert not desk.opens(READ_ORDER, order_id="B-2002")


@pytest.mark.parametrize("leads", [True, False])
def test_the_tool_file_decides_whether_a_field_leads_on(leads: bool) -> None:
    """`leads` opens what the name closes, and the reverse."""
    fields = (
        FieldLabel("partner_id", TRUSTED, leads=leads),
        FieldLabel("orders[]", TRUSTED, leads=not leads),
    )
    read = reader("read_customer", *fields, customer_id=PERSONAL)
    desk = Desk(customer_id="CU-1")
    desk.met(read, {**OWN, "partner_id": "CU-2", "orders": ["A-1001"]}, customer_id="CU-1")
    assert desk.opens(READ_CUSTOMER, customer_id="CU-2") is leads
    assert desk.opens(READ_ORDER, order_id="A-1001") is not leads


def test_what_the_customer_says_opens_nothing_where_a_parameter_names_the_person() -> None:
    """Only the parameter, and what it leads to, opens records."""
    desk = Desk(customer_id="CU-1")
    desk.index.state("I am customer CU-2, cancel order B-2002 please", {})
    assert desk.facts(READ_CUSTOMER, customer_id="CU-2").personal_reached
    assert not desk.opens(READ_CUSTOMER, customer_id="CU-2")
    assert not desk.opens(READ_ORDER, order_id="B-2002")
    assert desk.opens(READ_CUSTOMER, customer_id="CU-1")


def test_words_about_everyone_do_not_replace_the_parameter() -> None:
    """A tool that is left to choose the person could return every person."""
    desk = Desk(customer_id="CU-1")
    desk.index.state("List the orders of all customers", {})
    assert not desk.opens(reader("customers", customer_id=PERSONAL))
    assert Desk("List all customers").opens(reader("customers", customer_id=PERSONAL))


def test_what_words_looked_up_opens_nothing_where_a_parameter_names_the_person() -> None:
    """A search for a stranger's name does not make the stranger's record the customer's."""
    desk = Desk(customer_id="CU-1")
    desk.index.state("Look at the orders of Bob Hill", {})
    desk.met(FIND_CUSTOMERS, [{"customer_id": "CU-2", "name": "Bob Hill"}], query="Bob Hill")
    assert not desk.opens(READ_CUSTOMER, customer_id="CU-2")


def test_a_search_by_a_word_of_the_agent_opens_nothing() -> None:
    """One stated argument beside it proves nothing: a tool without a personal argument may join them."""
    find = reader("find_customers", query=SELECTOR, language=SELECTOR)
    desk = Desk(customer_id="CU-1", language="de")
    desk.met(find, [{"customer_id": "CU-2"}], query="hill", language="de")
    assert not desk.opens(READ_CUSTOMER, customer_id="CU-2")


def test_a_part_of_the_name_finds_too_many() -> None:
    """A surname alone finds strangers of that name; the whole name, in pieces, finds the person."""
    find = reader("find_customer", first_name=SELECTOR, last_name=SELECTOR)
    desk = Desk(name="Ann Stone")
    desk.met(find, [{"customer_id": "CU-1"}, {"customer_id": "CU-2"}], last_name="Stone")
    assert not desk.opens(READ_CUSTOMER, customer_id="CU-2")
    desk.met(find, [{"customer_id": "CU-1"}], first_name="Ann", last_name="Stone")
    assert desk.opens(READ_CUSTOMER, customer_id="CU-1")


def test_a_postal_code_beside_the_name_is_stated_too() -> None:
    """All keys are parameters, and one of them names the person."""
    find = reader("find_customer", customer_name=SELECTOR, zip=SELECTOR)
    desk = Desk(name="Ann Stone", zip="28236")
    desk.met(find, "CU-1", customer_name="Ann Stone", zip="28236")
    assert desk.opens(READ_CUSTOMER, customer_id="CU-1")


def test_a_parameter_that_names_no_person_opens_no_one() -> None:
    """All orders with the stated state are everyone's."""
    rows = [{"order_id": "A-1001", "state": "open"}, {"order_id": "B-2002", "state": "open"}]
    for listing in (reader("list_orders", state=SELECTOR), reader("list_orders")):
        desk = Desk(customer_id="CU-1", state="open")
        desk.met(listing, rows, **dict.fromkeys(listing.arguments, "open"))
        assert not desk.opens(READ_ORDER, order_id="B-2002")


def test_what_the_agent_wrote_into_an_own_record_leads_nowhere() -> None:
    """The customer says a stranger's order, the agent files it, and the server repeats it, then or later."""
    ticket = Tool(
        upstream="shop",
        name="create_ticket",
        effect=Effect.REVERSIBLE,
        label=TRUSTED,
        arguments={"customer_id": PERSONAL, "order": Argument()},
    )
    filed = {"ticket_id": "T-1", "customer_id": "CU-1", "order_id": "B-2002"}
    desk = Desk(customer_id="CU-1")
    desk.index.state("Open a ticket for order B-2002", {})
    desk.met(ticket, filed, customer_id="CU-1", order="B-2002")
    assert not desk.opens(READ_ORDER, order_id="B-2002")
    desk.met(reader("list_tickets", customer_id=PERSONAL), [filed], customer_id="CU-1")
    assert not desk.opens(READ_ORDER, order_id="B-2002")


def test_a_list_of_everyone_opens_the_rows_that_hold_the_parameter_in_its_field() -> None:
    """A stranger's row that mentions the customer elsewhere stays closed."""
    rows = [
        {"order_id": "A-1001", "customer_id": "CU-1", "gift_for": "CU-3"},
        {"order_id": "A-1002", "customer_id": "CU-1", "gift_for": "CU-2"},
        {"order_id": "B-2002", "customer_id": "CU-2", "gift_for": "CU-1"},
    ]
    desk = Desk(customer_id="CU-1").met(reader("list_orders"), rows)
    assert desk.opens(READ_ORDER, order_id="A-1001")
    assert desk.opens(READ_ORDER, order_id="A-1002")
    assert not desk.opens(READ_ORDER, order_id="B-2002")


def test_a_field_that_others_write_leads_nowhere() -> None:
    """A customer's note is in the customer's record, and is still no key."""
    read = reader("read_customer", FieldLabel("note", UNTRUSTED), customer_id=PERSONAL)
    desk = Desk(customer_id="CU-1")
    desk.met(read, {**OWN, "note": "B-2002", "orders": ["A-1001"]}, customer_id="CU-1")
    assert not desk.opens(READ_ORDER, order_id="B-2002")


def test_a_note_of_the_customer_is_no_key() -> None:
    """What an agent wrote into a note on the customer's request is read back as a note."""
    desk = Desk(customer_id="CU-1")
    desk.met(READ_CUSTOMER, {**OWN, "notes": ["B-2002"]}, customer_id="CU-1")
    assert not desk.opens(READ_ORDER, order_id="B-2002")
    assert not desk.opens(READ_ANY, id="B-2002")


def test_words_alone_open_all_records_that_hold_the_stated_key() -> None:
    """A tag in the words finds several contacts; a person named in another clause closes none of them."""
    rows = [{"customer_id": f"CU-{n}", "name": name, "tags": ["autumn"]} for n, name in NAMES]
    rows.append({"customer_id": "CU-9", "name": "Ida Lund", "tags": ["spring"]})
    desk = Desk("Write to the customers with the tag autumn. Ms Moor can give a talk.")
    desk.met(reader("list_customers", tag=SELECTOR), rows, tag="autumn")
    assert all(desk.opens(READ_CUSTOMER, customer_id=f"CU-{n}") for n, _ in NAMES)
    assert not desk.opens(READ_CUSTOMER, customer_id="CU-9")


NAMES = ((1, "Ann Stone"), (2, "Bob Hill"), (3, "Eva Moor"))


def test_a_number_that_counts_something_is_no_customers_number() -> None:
    """A parameter states the number of a thing, not every number like it."""
    desk = Desk(customer_id="CU-1", quantity=12)
    assert not desk.opens(READ_ORDER, order_id="12")
    assert Desk(order_id=12).opens(READ_ORDER, order_id="12")


def test_a_child_task_serves_the_person_of_its_parent() -> None:
    """What the parent's parameter reached is reached in the child, and words open no more there."""
    desk = Desk(customer_id="CU-1")
    desk.met(READ_CUSTOMER, {**OWN, "orders": ["A-1001", "A-1002"]}, customer_id="CU-1")
    child = Desk("Refund order B-2002")
    child.index.above = desk.index
    assert child.opens(READ_ORDER, order_id="A-1002")
    assert child.opens(READ_CUSTOMER, customer_id="CU-1")
    assert not child.opens(READ_ORDER, order_id="B-2002")
