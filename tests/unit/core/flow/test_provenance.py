# SPDX-License-Identifier: Apache-2.0
"""Where a value came from: several origins, several values, and the bounds of what is read."""

from typing import Any

import pytest

from remit.core.flow.facts import judged
from remit.core.flow.justification import (
    MAX_MET,
    Encounter,
    Justification,
    Provenance,
    Reach,
    Stated,
    bare,
    leaves,
    worst,
)
from remit.core.flow.provenance import MAX_ARGUMENT_LEAVES, Index
from remit.core.label import Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

KEY = b"k" * 32
TRUSTED, UNTRUSTED = Trust.TRUSTED, Trust.UNTRUSTED
ADDRESS = "ops@rotor.example"
SEND = Tool(
    upstream="mail",
    name="send",
    effect=Effect.REVERSIBLE,
    arguments={"to": Argument(role=ArgumentRole.DESTINATION)},
)


def learn(index: Index, result: Any, *, call: int, trust: Trust) -> None:
    """Have a task read a result."""
    source = Tool(upstream="crm", name="find", label=Label(trust=trust))
    for _ in index.learn(result, call=call, decision=f"dec_{call}", tool=source, arguments={}):
        pass


@pytest.mark.parametrize("first", [TRUSTED, UNTRUSTED])
def test_a_value_of_a_trusted_field_and_of_untrusted_text_is_untrusted(first: Trust) -> None:
    """This holds in either order: one origin that an outsider may have written is enough."""
    index = Index(KEY)
    second = UNTRUSTED if first is TRUSTED else TRUSTED
    learn(index, {"mail": ADDRESS}, call=1, trust=first)
    assert index.judge(ADDRESS).provenance is Provenance(first.value)
    learn(index, {"mail": ADDRESS}, call=2, trust=second)
    judged = index.judge(ADDRESS)
    assert judged.provenance is Provenance.UNTRUSTED
    assert {one.trust for one in judged.origins} == {TRUSTED, UNTRUSTED}


@pytest.mark.parametrize("first", [TRUSTED, UNTRUSTED])
def test_a_web_address_below_a_host_of_both_origins_is_untrusted(first: Trust) -> None:
    """The address itself has no origin; of the host's origins, one is untrusted."""
    index = Index(KEY)
    second = UNTRUSTED if first is TRUSTED else TRUSTED
    learn(index, {"host": "files.rotor.example"}, call=1, trust=first)
    learn(index, {"host": "files.rotor.example"}, call=2, trust=second)
    assert index.judge("https://files.rotor.example/new").provenance is Provenance.UNTRUSTED


@pytest.mark.parametrize("first", [TRUSTED, UNTRUSTED])
def test_what_the_intent_states_is_crossed_where_one_of_its_origins_is_untrusted(first: Trust) -> None:
    """It stays the intent's, and policies can read that others hold it, too."""
    index = Index(KEY)
    index.state("write to the operators", {"to": ADDRESS})
    learn(index, {"mail": ADDRESS}, call=1, trust=TRUSTED)
    assert not index.judge(ADDRESS).crossed
    index = Index(KEY)
    index.state("write to the operators", {"to": ADDRESS})
    second = UNTRUSTED if first is TRUSTED else TRUSTED
    learn(index, {"mail": ADDRESS}, call=1, trust=first)
    learn(index, {"mail": ADDRESS}, call=2, trust=second)
    judged = index.judge(ADDRESS)
    assert judged.provenance is Provenance.INTENT
    assert judged.crossed


def test_no_more_values_are_judged_than_the_bound() -> None:
    """At the bound a list is what its values are; with one more it is unknown, whatever they are."""
    index = Index(KEY)
    several = [f"a{n}@rotor.example" for n in range(MAX_ARGUMENT_LEAVES + 1)]
    learn(index, several, call=1, trust=TRUSTED)
    assert not index.full
    at_most = index.judge(several[:MAX_ARGUMENT_LEAVES], SEND, "to")
    assert at_most.provenance is Provenance.TRUSTED
    assert at_most.origins
    one_more = index.judge(several, SEND, "to")
    assert one_more.provenance is Provenance.UNKNOWN
    assert not one_more.origins


def test_an_amount_beyond_the_bound_differs_from_what_was_stated() -> None:
    """An amount that was not read differs from every stated one."""
    pay = Tool(
        upstream="bank",
        name="pay",
        effect=Effect.REVERSIBLE,
        arguments={"amount": Argument(role=ArgumentRole.AMOUNT)},
    )
    index = Index(KEY)
    index.state("pay 10", {})
    assert index.judge(list(range(MAX_ARGUMENT_LEAVES + 1)), pay, "amount").differs
    assert not index.judge([10], pay, "amount").differs


def test_a_list_is_as_good_as_the_worst_of_it() -> None:
    """One value of a stranger's among trusted ones counts for all."""
    index = Index(KEY)
    learn(index, {"mail": ADDRESS}, call=1, trust=TRUSTED)
    learn(index, {"mail": "evil@else.example"}, call=2, trust=UNTRUSTED)
    for several in ([ADDRESS, "evil@else.example"], ["evil@else.example", ADDRESS]):
        assert index.judge(several, SEND, "to").provenance is Provenance.UNTRUSTED
        facts = judged(index, SEND, {"to": several}, label=Label(), plan=None).facts
        assert facts.destination == "untrusted"
    assert index.judge([ADDRESS], SEND, "to").provenance is Provenance.TRUSTED


def test_an_index_has_a_key_of_its_own() -> None:
    """A short key is refused: values could be guessed from what is remembered."""
    with pytest.raises(ValueError, match="32 bytes"):
        Index(b"k" * 31)


def met(call: int, trust: Trust = TRUSTED, field: str = "") -> Encounter:
    """Return a place."""
    return Encounter(call, f"dec_{call}", "crm/find", field, trust)


GOOD = Justification(Provenance.TRUSTED, None, (met(1),), Reach.NAMED, frozenset({1}), 1)
BAD = Justification(
    Provenance.UNTRUSTED,
    None,
    (met(2, UNTRUSTED), met(1)),
    Reach.POINTED,
    frozenset({2}),
    3,
    spent=True,
    closed=True,
    near=True,
    mentioned=True,
    elsewhere=True,
    differs=True,
    free=True,
)


@pytest.mark.parametrize(("one", "other"), [(GOOD, BAD), (BAD, GOOD)])
def test_of_two_values_the_worse_of_each_counts(one: Justification, other: Justification) -> None:
    """In either order: provenance, reach and source of the worse, and every doubt of either."""
    both = one.join(other)
    assert both == Justification(
        Provenance.UNTRUSTED,
        None,
        (met(2, UNTRUSTED), met(1)),
        Reach.POINTED,
        frozenset({2}),
        3,
        spent=True,
        closed=True,
        near=True,
        mentioned=True,
        elsewhere=True,
        differs=True,
        free=True,
    )


def test_two_values_without_doubts_have_none_together() -> None:
    """Nothing is doubtful that neither is; two values have the sources that both have."""
    four, five = frozenset({4}), frozenset({5})
    unknown = Justification(Provenance.UNKNOWN, sources=four, near=True)
    assert GOOD.join(GOOD) == GOOD
    assert unknown.join(unknown).sources == four
    assert unknown.join(Justification(Provenance.UNKNOWN, sources=four | five)).sources == four
    assert unknown.join(Justification(Provenance.UNKNOWN, sources=five, near=True)).sources == frozenset()
    assert unknown.join(Justification(Provenance.UNKNOWN, sources=four, near=False)).near is False
    assert Justification(Provenance.UNKNOWN, sources=four).join(unknown).near is False
    # What is of the intent, or reached, needs no source, and no name of one.
    stated = Justification(Provenance.INTENT, Stated("to"), reach=Reach.NAMED)
    assert unknown.join(stated) == unknown
    assert stated.join(unknown) == unknown


def test_of_two_alike_the_one_that_is_not_reached_is_the_worse() -> None:
    """Trusted and reached, with trusted and not reached, is not reached."""
    unled = Justification(Provenance.TRUSTED, None, (met(3),))
    assert GOOD.reached
    assert not unled.reached
    assert not GOOD.join(unled).reached
    assert not unled.join(GOOD).reached


def test_a_bound_number_of_places_is_kept_each_once() -> None:
    """Places of two values are kept without repeats, those of the worse first."""
    many = tuple(met(call) for call in range(1, MAX_MET + 1))
    left = Justification(Provenance.UNTRUSTED, None, many)
    both = left.join(Justification(Provenance.TRUSTED, None, (met(1), met(99))))
    assert both.origins == many
    few = Justification(Provenance.UNTRUSTED, None, many[:2])
    assert few.join(Justification(Provenance.TRUSTED, None, (met(1), met(99)))).origins == (
        *many[:2],
        met(99),
    )


@pytest.mark.parametrize(
    ("one", "reached", "justified", "pointed"),
    [
        (Justification(Provenance.INTENT), True, True, False),
        (Justification(Provenance.INTENT, spent=True), False, False, False),
        (Justification(Provenance.INTENT, elsewhere=True), False, True, False),
        (Justification(Provenance.TRUSTED, reach=Reach.NAMED), True, True, False),
        (Justification(Provenance.TRUSTED, reach=Reach.POINTED, sources=frozenset({1})), False, True, True),
        (Justification(Provenance.UNTRUSTED, reach=Reach.NAMED), False, False, False),
        (Justification(Provenance.UNKNOWN, reach=Reach.NAMED), False, False, False),
    ],
)
def test_what_is_reached_justified_and_pointed_follows_from_where_it_came_from(
    one: Justification, reached: bool, justified: bool, pointed: bool
) -> None:
    """Only of the intent, for what it was said for; or trusted, where the intent leads to it."""
    assert (one.reached, one.justified, one.pointed) == (reached, justified, pointed)


def test_the_worst_of_several_is_the_last_in_their_order_and_of_none_is_none() -> None:
    """Intent, trusted, unknown, untrusted."""
    order = (Provenance.INTENT, Provenance.TRUSTED, Provenance.UNKNOWN, Provenance.UNTRUSTED)
    assert tuple(Provenance) == order
    assert worst([]) is None
    for at in range(1, len(order) + 1):
        several = [Justification(one) for one in order[:at]]
        assert worst(several) is worst(several[::-1]) is order[at - 1]


def test_a_strangers_name_stays_within_its_quotes() -> None:
    """Back-quotes and what is not printed are replaced; a name ends after 120 characters."""
    assert bare("a`b\nc") == "a?b?c"
    assert bare("a" * 120) == "a" * 120
    assert bare("a" * 121) == "a" * 119 + "…"
    assert str(met(3, UNTRUSTED, "x`")) == "the result of call 3, `crm/find`, field `x?`, untrusted"
    assert str(met(3)) == "the result of call 3, `crm/find`, trusted"


def test_a_join_keeps_what_is_only_in_the_better_one() -> None:
    """Its places, after those of the worse; and where the worse was stated stays said, in either order."""
    worse = Justification(Provenance.INTENT, Stated("x"), (met(1),), Reach.NAMED, spent=True)
    better = Justification(Provenance.INTENT, Stated("y"), (met(2),), Reach.NAMED)
    for both in (worse.join(better), better.join(worse)):
        assert both.stated == Stated("x")
        assert both.origins == (met(1), met(2))


def test_the_leaves_of_a_value_are_its_texts_its_numbers_and_keys_that_are_no_names() -> None:
    """However deep; yes, no and nothing are none."""
    value = {"name": [1, True, None, "x", {"k": 2.5, "a b": {"c": "y"}}], "ann@rotor.example": False}
    assert list(leaves(value)) == ["1", "x", "2.5", "a b", "y", "ann@rotor.example"]


def test_what_is_severed_far_above_is_gone_for_all_below_it() -> None:
    """They trust nothing for being met from then on; what lies between stays where it is."""
    top, other = Index(KEY), Index(KEY)
    middle = Index(KEY, above=top)
    low = Index(KEY, above=middle)
    assert not low.sever(other)
    assert (low.full, middle.full, low.above, middle.above) == (False, False, middle, top)
    assert low.sever(top)
    assert (low.full, middle.full, top.full) == (True, True, False)
    assert (low.above, middle.above) == (middle, None)
    assert not low.sever(top)


@pytest.mark.parametrize(
    ("trust", "provenance"), [(TRUSTED, Provenance.TRUSTED), (UNTRUSTED, Provenance.UNTRUSTED)]
)
def test_what_a_parent_has_met_is_known_to_its_child(trust: Trust, provenance: Provenance) -> None:
    """And not the other way round; the child remembers as much."""
    parent = Index(KEY, capacity=10)
    child = parent.child(b"c" * 32)
    learn(parent, {"mail": ADDRESS}, call=1, trust=trust)
    learn(child, {"mail": "eve@evil.example"}, call=1, trust=trust)
    assert child.judge(ADDRESS).provenance is provenance
    assert parent.judge("eve@evil.example").provenance is Provenance.UNKNOWN
    assert child.kept.capacity == 10


@pytest.mark.parametrize(
    ("goal", "meetings", "reached", "candidates"),
    [
        ("Mail the guests of the Budget Review", 1, True, 1),
        ("Mail the guests of the Budget Review", 2, False, 2),
        ("Mail all guests of all meetings called Budget Review", 2, True, 2),
    ],
)
def test_a_field_of_a_record_that_the_intent_names_is_told_with_its_call_and_how_many_are_like_it(
    goal: str, meetings: int, reached: bool, candidates: int
) -> None:
    """Where several records match the name, only a request for all of them leaves no choice."""
    find = Tool(
        upstream="office",
        name="find_meetings",
        label=Label(trust=TRUSTED),
        arguments={"words": Argument(role=ArgumentRole.SELECTOR)},
    )
    send = Tool(upstream="office", name="send_mail", effect=Effect.IRREVERSIBLE, arguments=SEND.arguments)
    index = Index(KEY)
    index.state(goal, {})
    rows = [
        {"id": f"{at}", "title": "Budget Review", "guests": [f"g{at}@x.example"]} for at in range(meetings)
    ]
    for _ in index.learn(rows, call=3, decision="dec_3", tool=find, arguments={"words": "Budget Review"}):
        pass
    found = index.judge("g0@x.example", send, "to")
    told = (found.provenance, found.sources, found.candidates)
    assert told == (Provenance.TRUSTED, frozenset({3}), candidates)
    assert found.reached is reached
