# SPDX-License-Identifier: Apache-2.0
"""A grant scopes a call where it constrains each argument that leads somewhere, counts or runs."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.tasks.grant import Grant
from remit.core.tasks.grant_scope import scoped
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

MAIL = Tool(
    upstream="mail",
    name="send",
    effect=Effect.IRREVERSIBLE,
    described=True,
    arguments={
        "to": Argument(ArgumentRole.DESTINATION),
        "body": Argument(ArgumentRole.CONTENT),
        "attachments[].file": Argument(ArgumentRole.SELECTOR),
        "role": Argument(ArgumentRole.CONTENT, least=("reader",)),
    },
)
TO: dict[str, Any] = {"to": {"exact": "lena@example.org"}, "body": {"anything": {}}}
CALL = {"to": "lena@example.org", "body": "hello"}


@pytest.mark.parametrize(
    ("arguments", "call", "holds"),
    [
        (TO, CALL, True),
        ({**TO, "to": {"anything": {}}}, CALL, False),
        ({**TO, "to": {"optional": {"anything": {}}}}, CALL, False),
        ({**TO, "to": {"optional": {"exact": "lena@example.org"}}}, CALL, True),
        ({**TO, "attachments": {"anything": {}}}, {**CALL, "attachments": [{"file": "f-1"}]}, False),
        ({**TO, "attachments": {"length": {"max": 1}}}, {**CALL, "attachments": [{"file": "f-1"}]}, True),
        ({**TO, "role": {"anything": {}}}, {**CALL, "role": "owner"}, False),
        ({**TO, "role": {"exact": "reader"}}, {**CALL, "role": "reader"}, True),
        # A text may be anything: it leads nowhere.
        ({**TO, "body": {"anything": {}}}, CALL, True),
    ],
)
def test_what_scopes_a_call(arguments: dict[str, Any], call: dict[str, Any], holds: bool) -> None:
    """By the arguments that the call has."""
    assert scoped([Grant("mail/send", arguments)], MAIL, call) is holds


def test_other_arguments_leave_open_what_no_condition_names() -> None:
    """Unless the call does not use one that counts."""
    grant = Grant("mail/send", {"to": {"exact": "lena@example.org"}}, other_arguments=True)
    assert scoped([grant], MAIL, CALL)
    assert not scoped([grant], MAIL, {**CALL, "role": "owner"})


@pytest.mark.parametrize(
    ("grant", "holds"),
    [
        (Grant("mail/send", other_arguments=True), False),
        (Grant("mail/send", {"body": {"exact": "hello"}}, other_arguments=True), False),
        (Grant("mail/send", {"to": {"optional": {"anything": {}}}}), False),
        # These grants name where the call goes: by a condition, or because they take no other call.
        (Grant("mail/send", {"to": {"optional": {"exact": "lena@example.org"}}}, other_arguments=True), True),
        (Grant("mail/send", {"body": {"optional": {"anything": {}}}}), True),
    ],
)
def test_a_call_that_names_nothing_is_scoped_by_a_grant_that_does(grant: Grant, holds: bool) -> None:
    """What is left out is the upstream's choice."""
    arguments = {"body": "hello"} if grant.may_take("body") else {}
    assert scoped([grant], MAIL, arguments) is holds


def test_one_scoping_grant_of_those_that_permit_is_enough() -> None:
    """A grant that does not permit the call says nothing about it."""
    wide, narrow = Grant("mail/send", other_arguments=True), Grant("mail/send", TO)
    assert scoped([wide, narrow], MAIL, CALL)
    assert not scoped([wide, narrow], MAIL, {**CALL, "to": "eve@example.com"})
    assert scoped([], MAIL, CALL)


def test_a_ceiling_on_an_amount_bounds_it() -> None:
    """The sum limits each value."""
    pay = Tool(upstream="bank", name="pay", arguments={"amount": Argument(ArgumentRole.AMOUNT)})
    grant = Grant.load({"tool": "bank/pay", "other_arguments": True, "ceilings": {"amount": {"amount": 5}}})
    assert scoped([grant], pay, {"amount": 3})


def test_a_parent_that_scopes_also_scopes_its_child() -> None:
    """The conditions of every layer count."""
    child = Grant("mail/send", TO).attenuate(Grant("mail/send", other_arguments=True))
    assert scoped([child], MAIL, CALL)
