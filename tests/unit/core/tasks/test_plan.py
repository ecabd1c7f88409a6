# SPDX-License-Identifier: Apache-2.0
"""Plans as values: what they say of a call, how they grow, and that a child's lies within its parent's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Forbidden, Malformed
from remit.core.tasks.plan import (
    MAX_PLAN,
    NO_PLAN,
    PLANNED,
    UNPLANNED,
    Plan,
    PlanEntry,
    departures,
    extended,
    narrowed,
    read_plan,
    standing,
    tools_of,
    within,
)
from remit.core.tools.tool import PROMPT_GET, RESOURCE_READ, Tool

SEND = Tool(upstream="mail", name="send")
HELD = ("mail/send", "files/read")
LENA = {"to": {"exact": "lena@example.com"}}


def plan_of(*wished: str | PlanEntry) -> Plan:
    """Return a plan of what is granted here."""
    return read_plan(wished, HELD)


@pytest.mark.parametrize(
    ("plan", "arguments", "expected"),
    [
        (None, {}, NO_PLAN),
        ((), {"to": "x"}, UNPLANNED),
        (("files/read",), {"to": "x"}, UNPLANNED),
        (("mail/send",), {"to": "x", "body": "y"}, PLANNED),
        ((PlanEntry("mail/send", LENA),), {"to": "lena@example.com", "body": "y"}, PLANNED),
        ((PlanEntry("mail/send", LENA),), {"to": "press@example.org"}, UNPLANNED),
        ((PlanEntry("mail/send", LENA),), {"body": "y"}, UNPLANNED),
        ((PlanEntry("mail/send", LENA),), {"to": "lena@example.com", "To": "press@example.org"}, UNPLANNED),
        (
            (PlanEntry("mail/send", LENA), PlanEntry("mail/send", {"to": {"exact": "omar@example.com"}})),
            {"to": "omar@example.com"},
            PLANNED,
        ),
    ],
)
def test_a_call_is_planned_where_an_entry_fits_it(
    plan: tuple[str | PlanEntry, ...] | None, arguments: dict[str, Any], expected: str
) -> None:
    """By tool and by every argument that the entry names; the others are free, look-alikes are not."""
    read = None if plan is None else plan_of(*plan)
    assert standing(read, SEND, arguments) == expected


@pytest.mark.parametrize("name", [RESOURCE_READ, PROMPT_GET])
def test_what_is_no_tool_is_planned_unless_the_plan_speaks_of_it(name: str) -> None:
    """A plan is of tools; one that names reading a resource means it, though."""
    reading = Tool(upstream="files", name=name)
    assert standing((), reading, {"uri": "a"}) == PLANNED
    named = read_plan([PlanEntry(reading.id, {"uri": {"exact": "a"}})], [reading.id])
    assert standing(named, reading, {"uri": "a"}) == PLANNED
    assert standing(named, reading, {"uri": "b"}) == UNPLANNED


def test_a_plan_names_nothing_that_is_not_granted() -> None:
    """The error names what is, and a constraint that is not understood is an error at once."""
    with pytest.raises(Forbidden, match=r"`mail/delete`.*it grants: files/read, mail/send"):
        plan_of("mail/delete")
    with pytest.raises(Malformed, match="plan"):
        plan_of(PlanEntry("mail/send", {"to": {"sounds_like": "lena"}}))
    with pytest.raises(Malformed, match="at most"):
        plan_of(*(PlanEntry("mail/send", {"to": {"exact": str(n)}}) for n in range(MAX_PLAN + 1)))


def test_a_departure_is_told_of_the_entry_that_comes_closest() -> None:
    """By argument; of a tool that the plan does not name there is nothing to tell."""
    plan = plan_of(
        PlanEntry("mail/send", LENA | {"subject": {"exact": "C-42"}}), PlanEntry("mail/send", LENA)
    )
    (only,) = departures(plan, "mail/send", {"to": "press@example.org"})
    assert (only.argument, only.remediation) == ("to", "`to` must be `lena@example.com`")
    assert departures(plan, "files/read", {}) == ()


def test_a_plan_grows_and_keeps_each_entry_once() -> None:
    """An entry that leaves the arguments free covers the narrower ones of its tool."""
    first = plan_of(PlanEntry("mail/send", LENA))
    assert extended(None, first) == first
    assert extended(first, first) == first
    both = extended(first, plan_of("files/read"))
    assert tools_of(both) == ("mail/send", "files/read")
    assert extended(both, plan_of("mail/send")) == plan_of("files/read", "mail/send")
    assert tools_of(None) is None


def test_a_childs_plan_lies_within_its_parents() -> None:
    """Entries are joined by and; what the parent did not plan is refused, with the remediation."""
    parent = plan_of(PlanEntry("mail/send", LENA))
    (entry,) = within(plan_of("mail/send"), parent)
    assert entry.permits({"to": "lena@example.com"}) == ()
    assert entry.permits({"to": "press@example.org"}) != ()
    with pytest.raises(Forbidden, match="the parent task's plan first"):
        within(plan_of("files/read"), parent)
    assert narrowed(parent, None) == parent
    assert narrowed(None, None) is None
    assert tools_of(narrowed(None, ("files/read",))) == ("files/read",)
    with pytest.raises(Forbidden):
        narrowed(parent, ("files/read",))


ENTRIES = st.one_of(
    st.sampled_from(HELD),
    st.builds(
        PlanEntry,
        st.sampled_from(HELD),
        st.dictionaries(
            st.sampled_from(("to", "path")),
            st.sampled_from("abc").map(lambda value: {"exact": value}),
            max_size=2,
        ),
    ),
)
PLANS = st.lists(ENTRIES, max_size=4).map(lambda wished: plan_of(*wished))
CALLS = st.dictionaries(st.sampled_from(("to", "path")), st.sampled_from("abc"), max_size=2)


@given(PLANS, PLANS, CALLS)
def test_what_was_planned_stays_planned(plan: Plan, more: Plan, arguments: dict[str, str]) -> None:
    """However a plan grows; and the whole foresees exactly what one of the two did."""
    whole = standing(extended(plan, more), SEND, arguments)
    either = PLANNED in (standing(plan, SEND, arguments), standing(more, SEND, arguments))
    assert (whole == PLANNED) is either


@given(PLANS, PLANS, CALLS)
def test_a_child_plans_nothing_that_its_parent_did_not(
    parent: Plan, child: Plan, arguments: dict[str, str]
) -> None:
    """Whatever it asks for."""
    try:
        kept = within(child, parent)
    except Forbidden:
        return
    if standing(kept, SEND, arguments) == PLANNED:
        assert standing(parent, SEND, arguments) == PLANNED
        assert standing(child, SEND, arguments) == PLANNED
