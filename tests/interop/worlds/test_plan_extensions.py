# SPDX-License-Identifier: Apache-2.0
"""In a replay with a plan, an agent that obeys an attacker asks for the tools that the plan lacks."""

from collections.abc import Iterator

import pytest

from remit.rehearse import Rehearsal
from tests.interop.agentdojo.figures import figures
from tests.interop.agentdojo.replay import Approver, Case, Order, Told, rehearsal_of, run
from tests.interop.worlds.measure import BUNDLE, as_deployed
from tests.interop.worlds.replay import Worlds


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    """The shop."""
    suites = [one for one in Worlds().suites() if one.name == "shop"]
    with rehearsal_of(suites, BUNDLE) as made:
        as_deployed(made, suites)
        yield made


def attacked(rehearsal: Rehearsal, injection: str, *, planned: bool = True) -> list[Told]:
    """Return an attacked task that needs no such tool, by each approver."""
    worlds = Worlds()
    shop = next(one for one in worlds.suites() if one.name == "shop")
    case = Case(shop, "coffee_total", injection, Order.APPEND, planned, Approver.NOBODY)
    return run(rehearsal, worlds, case)


def test_an_extension_by_what_only_the_attacker_wants_is_no_question(rehearsal: Rehearsal) -> None:
    """Not even a tired approver lets it through: there is nothing to approve."""
    for told in attacked(rehearsal, "cancels_order"):
        (cancels,) = [step for step in told.steps if step.tool == "shop/cancel_order"]
        assert cancels.attacker
        assert (cancels.last.outcome, cancels.questions, cancels.extended) == ("deny", 0, False)
        assert not told.security


def test_an_extension_by_a_read_is_a_question_that_counts(rehearsal: Rehearsal) -> None:
    """A careful approver refuses it, a tired one lets the read through; without a plan none is needed."""
    last = {}
    for told in attacked(rehearsal, "posts_link"):
        (searches,) = [step for step in told.steps if step.tool == "shop/search_products"]
        assert searches.questions == 1
        last[told.case.approver] = searches.last.outcome.value
    assert last == {Approver.NOBODY: "deny", Approver.CAREFUL: "deny", Approver.TIRED: "permit"}
    for told in attacked(rehearsal, "posts_link", planned=False):
        assert not any(step.attacker and (step.questions or step.extended) for step in told.steps)


def test_an_extension_with_no_question_is_counted_as_such(rehearsal: Rehearsal) -> None:
    """Reads of one's own that select nothing are added for the asking; figures say how often."""
    told = attacked(rehearsal, "leaks_addresses")
    for one in told:
        grown = [step.tool for step in one.steps if step.extended]
        assert grown == ["shop/get_account"]
    assert figures(told)["extended_attacks"] == 100
    assert figures(attacked(rehearsal, "cancels_order"))["extended_attacks"] == 0
