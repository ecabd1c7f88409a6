# SPDX-License-Identifier: Apache-2.0
"""One history of several kinds of work becomes a few task types, each narrower than the whole."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from remit.core.tasks.grant import GrantTemplate
from remit.core.tools.suggestions import (
    ArgumentSource,
    ObservedCall,
    grants_of,
    kinds_of_work,
    split_type,
    with_parameters,
)
from tests.samples.planted import drafts
from tests.samples.work_history import Office, observed

EFFECTS = ("mail/send", "files/write", "tickets/comment", "bills/pay")


@pytest.mark.parametrize("seed", range(4))
def test_the_kinds_of_an_office_are_found(seed: int) -> None:
    """In any order of the calls; each task is in one kind."""
    history = Office(seed).history(4_000)
    found = kinds_of_work(history, EFFECTS)
    assert {one.name for one in found} == {
        "files-write", "mail-send", "tickets-comment", "web-fetch", "bills-pay",
    }  # fmt: skip
    assert sum(len(one.tasks) for one in found) == len({one.task for one in history})
    mixed = list(history)
    random.Random(seed).shuffle(mixed)
    assert kinds_of_work(mixed, EFFECTS) == found


def test_a_few_tasks_are_one_or_two_kinds() -> None:
    """A kind has at least three tasks: five tasks are never five types."""
    for seed in range(20):
        history = [one for one in Office(seed).history(200) if int(one.task[4:]) <= 5]
        assert 1 <= len(kinds_of_work(history, EFFECTS)) <= 2
    assert kinds_of_work([]) == []


def test_words_of_goals_tell_kinds_apart_that_use_the_same_tools() -> None:
    """They are shown as the reason, and never become the name."""
    calls = [
        observed(tool, {}, task=f"tsk_{what}_{number}", words=f"please {what} number {number}")
        for number in range(6)
        for what, tools in (("refund", ("shop/find", "shop/pay")), ("restock", ("shop/find", "shop/order")))
        for tool in tools
    ]
    found = kinds_of_work(calls, ("shop/pay", "shop/order"))
    assert [(one.name, one.words) for one in found] == [
        ("shop-pay", ("refund",)),
        ("shop-order", ("restock",)),
    ]


def tickets(count: int, *, stated: str = "words", twice: bool = False) -> list[ObservedCall]:
    """Tasks about one ticket each, which the goal names."""
    found = []
    for number in range(count):
        source = {"ticket": ArgumentSource("intent", stated)}
        said: dict[str, Any] = {"task": f"tsk_{number}", "words": f"answer T-{number}", "sources": source}
        found.append(observed("tickets/get", {"ticket": f"T-{number}"}, **said))
        found.append(observed("tickets/comment", {"ticket": f"T-{number}", "text": "done"}, **said))
        if twice:
            found.append(observed("tickets/get", {"ticket": f"T-{number + 1}"}, **said))
    return found


def test_a_value_that_each_goal_states_becomes_a_parameter() -> None:
    """The grants are bound to it, and load as a task type's."""
    calls = tickets(8)
    draft = with_parameters(grants_of("t", calls, {}, drafts=drafts()), calls, drafts())
    assert list(draft.parameters) == ["ticket"]
    assert draft.parameters["ticket"].arguments == ("tickets/comment ticket", "tickets/get ticket")
    specs = {one.tool: one.spec["arguments"]["ticket"] for one in draft.grants}
    assert all(one == {"optional": {"exact": "{ticket}"}} for one in specs.values())
    assert [GrantTemplate.load(one.spec).tool for one in draft.grants] == [one.tool for one in draft.grants]
    text = split_type("task: everyday # mine\npurpose: p\ngrants: []\n", "everyday-tickets", draft)
    named = msgspec.yaml.decode(text)
    assert named["task"] == "everyday-tickets"
    assert named["parameters"]["ticket"]["type"] == "string"
    assert len(named["grants"]) == 2


@pytest.mark.parametrize("calls", [tickets(3), tickets(8, stated=""), tickets(8, twice=True)])
def test_too_few_unstated_or_changing_values_are_no_parameter(calls: list[ObservedCall]) -> None:
    """A parameter would refuse such work."""
    draft = with_parameters(grants_of("t", calls, {}, drafts=drafts()), calls, drafts())
    assert draft.parameters == {}
