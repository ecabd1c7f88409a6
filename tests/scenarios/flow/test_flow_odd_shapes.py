# SPDX-License-Identifier: Apache-2.0
"""Threat: results in an unexpected shape make a stranger's value count as the person's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.tasks.task import Parameter
from remit.rehearse import Rehearsal, RehearsedTask
from tests.worlds.rehearsed_tools import rehearsed

Json = Any
CONFIG = """
upstreams:
  shop: {command: [not, started]}
classes:
  order: [public, internal, confidential, restricted]
  clearance: {self: restricted, internal: restricted, external: internal}
"""
TOOLS = """
upstream: shop
tools:
  find_customer:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    fields: {note: {trust: untrusted}}
    arguments: {email: {role: selector, personal: true}, remark: {role: content}}
  list_all:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {page: {role: content}}
  list_orders:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {customer_id: {role: selector, personal: true}}
  read_order:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    fields: {note: {trust: untrusted}, state: {trust: trusted, fact: string}}
    arguments: {order_id: {role: selector, personal: true}}
  list_returns:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    fields: {state: {trust: trusted, fact: string}}
    arguments: {customer_id: {role: selector, personal: true}}
  cancel_order:
    effect: irreversible
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {order_id: {role: selector, personal: true}}
    asked_by: [cancel]
  my_profile:
    effect: none
    audience: internal
    labels: {class: internal, trust: untrusted}
    fields: {user.email: {trust: trusted, own: true}}
    arguments: {who: {role: selector}}
  send:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    arguments: {to: {role: destination}, body: {role: content}}
    asked_by: [mail]
"""
NAMES = "find_customer list_all list_orders read_order list_returns cancel_order my_profile send"
IDA = "ida@shop.example"
EVE = "eve@evil.example"


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """Provide a shop under the default policies, without the stored labels of other tests."""
    with rehearsed(tmp_path, CONFIG, TOOLS) as made:
        grants = [f"shop/{name}" for name in NAMES.split()]
        made.task_type("work", grants=grants)
        made.task_type("serve", grants=grants, parameters={"email": Parameter(description="The customer")})
        yield made


def serve(rehearsal: Rehearsal) -> RehearsedTask:
    """Open a task for one customer."""
    return rehearsal.open(task="serve", intent="Serve this customer.", params={"email": IDA})


def opens(task: RehearsedTask, tool: str, **arguments: Json) -> bool:
    """Return whether a call is permitted."""
    return task.call(f"shop/{tool}", arguments).permitted


@pytest.mark.parametrize(
    "note", ["B-2", ["B-2"], {"order_id": "B-2"}, [{"order_id": "B-2"}], {"blocks": [{"order_id": "B-2"}]}]
)
def test_an_untrusted_field_stays_untrusted_as_a_structure(rehearsal: Rehearsal, note: Json) -> None:
    """What a customer writes into a note leads to no order, and the customer's own order stays open."""
    task = serve(rehearsal)
    task.read("shop/find_customer", {"email": IDA}, {"customer_id": "C-1", "order_id": "A-1", "note": note})
    assert not opens(task, "read_order", order_id="B-2")
    assert opens(task, "list_orders", customer_id="C-1")
    assert opens(task, "read_order", order_id="A-1")


def test_what_the_agent_wrote_leads_nowhere_if_a_part_of_it_comes_back(rehearsal: Rehearsal) -> None:
    """A server that picks the number out of a remark does not make it the customer's."""
    task = serve(rehearsal)
    given = {"email": IDA, "remark": "it is about B-2, please"}
    task.read("shop/find_customer", given, {"customer_id": "C-1", "orders": ["A-1", "B-2"]})
    assert not opens(task, "read_order", order_id="B-2")


@pytest.mark.parametrize(
    "found",
    [
        [{"order_id": "B-2", "customer_id": "C-2", "recipient_email": IDA}],
        {"email": IDA, "customers": [{"customer_id": "C-2", "orders": [{"order_id": "B-2"}]}]},
        {"signed_in": {"email": IDA}, "customer_id": "C-2", "order_id": "B-2"},
    ],
)
def test_a_strangers_record_that_mentions_the_customer_stays_closed(
    rehearsal: Rehearsal, found: Json
) -> None:
    """Its key is the stranger's: the customer is the recipient, or stands around the list."""
    task = serve(rehearsal)
    task.read("shop/list_all", {"page": 1}, found)
    assert not opens(task, "read_order", order_id="B-2")
    assert not opens(task, "list_orders", customer_id="C-2")


def test_the_customers_own_record_in_a_list_of_all_opens(rehearsal: Rehearsal) -> None:
    """By the parameter, under the names that records use for it."""
    for name in ("email", "user_email", "primary_email"):
        task = serve(rehearsal)
        own = {name: IDA, "customer_id": "C-1", "orders": [{"order_id": "A-1", "customer_id": "C-1"}]}
        task.read("shop/list_all", {"page": 1}, [own, {name: EVE, "customer_id": "C-2"}])
        assert opens(task, "list_orders", customer_id="C-1"), name
        assert opens(task, "read_order", order_id="A-1"), name
        assert not opens(task, "list_orders", customer_id="C-2"), name


def facts(task: RehearsedTask, order: str) -> Json:
    """Return what policies read of an order."""
    return task.call("shop/cancel_order", {"order_id": order}).flow.record


def test_facts_of_a_record_that_mentions_an_order_are_not_the_orders(rehearsal: Rehearsal) -> None:
    """A return is open and its order is sent; an order with an own id names another order."""
    task = serve(rehearsal)
    task.user("Cancel A-1")
    task.read("shop/find_customer", {"email": IDA}, {"customer_id": "C-1", "order_ids": ["A-1", "A-2"]})
    back = [{"return_id": "R-1", "order_id": "A-1", "state": "open"}]
    task.read("shop/list_returns", {"customer_id": "C-1"}, back)
    assert facts(task, "A-1") == {}
    task.read("shop/read_order", {"order_id": "A-2"}, {"id": "A-2", "order_id": "A-1", "state": "open"})
    assert facts(task, "A-1") == {}
    note = {"order_id": "A-1", "note": {"order_id": "A-1", "state": "open"}}
    task.read("shop/read_order", {"order_id": "A-1"}, note)
    assert facts(task, "A-1") == {}
    task.read(
        "shop/read_order", {"order_id": "A-1"}, {"order_id": "A-1", "customer_id": "C-1", "state": "sent"}
    )
    assert facts(task, "A-1") == {"state": "sent"}


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({}, [{"user": {"email": IDA}}, {"user": {"email": EVE}}]),
        ({}, {"user": {"email": IDA}, "user.email": EVE}),
        ({"who": "eve"}, {"user": {"email": EVE}}),
    ],
)
def test_ones_own_address_is_the_only_one_and_was_not_selected(
    rehearsal: Rehearsal, arguments: Json, answer: Json
) -> None:
    """A profile that an argument selects, or one of two, is not the person's."""
    task = rehearsal.open(task="work", intent="Read my profile and mail it to myself")
    task.read("shop/my_profile", arguments, answer)
    assert not opens(task, "send", to=EVE, body="x")


def test_ones_own_address_needs_no_words(rehearsal: Rehearsal) -> None:
    """The ordinary work."""
    task = rehearsal.open(task="work", intent="Read my profile and mail it to myself")
    task.read("shop/my_profile", {}, {"user": {"email": IDA}})
    assert opens(task, "send", to=IDA, body="x")
