# SPDX-License-Identifier: Apache-2.0
"""Grants at their edges: each refusal with its code, place and rule; bounds; what narrowing leaves."""

import math
from typing import Any

import msgspec
import pytest

from remit.core.errors import ConfigInvalid, Malformed
from remit.core.tasks.grant import MAX_LAYERS, Ceilings, Grant, GrantTemplate, narrow
from remit.core.tasks.grant.conjunction import MAX_REFUSALS
from remit.core.tasks.grant.layer import Layer
from remit.core.tasks.grant.simplify import simplified
from tests.refusals import refused

UNDER_A: dict[str, Any] = {"path_under": "a"}
UNDER_B: dict[str, Any] = {"path_under": "a/b"}
ANY: dict[str, Any] = {"anything": {}}


def told(grant: Grant, arguments: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Return code, argument and layer of each refusal; each has a reason and a remediation."""
    found = grant.permits(arguments)
    assert all(len(one.reason) > 8 and len(one.remediation) > 8 for one in found)
    assert all("None" not in one.text for one in found)
    return [(one.code, one.argument, one.layer) for one in found]


def test_each_refusal_says_what_it_is_about() -> None:
    """Undeclared, look-alike, missing, refused, and amounts, each in its layer."""
    own = Grant(
        "x/y", {"a": {"exact": 1}, "b": {"optional": {"exact": 2}}}, ceilings=Ceilings(amount={"n": 5})
    )
    assert told(own, {"a": 1, "n": 5}) == []
    assert told(own, {"a": 1, "b": 2, "n": 0}) == []
    assert told(own, {"a": 1, "n": 5, "c": 1, "A": 1}) == [
        ("argument-undeclared", "A", 0),
        ("argument-undeclared", "c", 0),
    ]
    assert told(own, {"b": 3, "n": 6}) == [
        ("argument-missing", "a", 0),
        ("argument-refused", "b", 0),
        ("amount-refused", "n", 0),
    ]
    missing, wrong, amount = own.permits({"b": 3, "n": 6})
    assert (missing.rule, wrong.rule) == ('{"exact":1}', '{"optional":{"exact":2}}')
    assert amount.rule == "ceilings.amount.n: 5"
    assert missing.reason.endswith("is missing")
    assert wrong.reason.endswith("is not permitted")
    undeclared = own.permits({"a": 1, "n": 5, "c": 1})[0]
    assert "`a`, `b`, `n`" in undeclared.remediation
    assert Grant("x/y").permits({"c": 1})[0].remediation.endswith("none")
    child = Grant("x/y", {"a": {"exact": 1}}, other_arguments=True).attenuate(
        Grant("x/y", {"a": {"exact": 2}}, other_arguments=True)
    )
    assert told(child, {"a": 3}) == [("argument-refused", "a", 0), ("argument-refused", "a", 1)]


@pytest.mark.parametrize("name", ["A", "a_", "-a", "a.", " a", "\uff41", "a\u200b", "N"])
def test_a_name_that_could_be_taken_for_a_constrained_one_is_refused(name: str) -> None:
    """Where other arguments are let in: by case, width, blanks and marks that upstreams overlook."""
    grant = Grant("x/y", {"a": {"optional": {"exact": 1}}}, True, Ceilings(amount={"n": 5}))
    (refusal,) = grant.permits({name: 1, "n": 1})
    assert refusal.code == "argument-look-alike"
    assert grant.permits({"other": 1, "a": 1, "n": 1}) == ()
    assert grant.permits({"n": 1}) == ()


@pytest.mark.parametrize(
    ("amount", "fits"),
    [
        *((one, True) for one in (0, 5, 5.0, 4.9)),
        *((one, False) for one in (5.1, -0.1, True, "5", None, math.inf, math.nan, -math.inf)),
    ],
)
def test_an_amount_lies_between_nothing_and_its_ceiling(amount: Any, fits: bool) -> None:
    """Both ends fit."""
    grant = Grant("x/y", {"n": ANY}, ceilings=Ceilings(amount={"n": 5}))
    assert (grant.permits({"n": amount}) == ()) is fits


@pytest.mark.parametrize(
    ("ceilings", "key"),
    [
        ({"calls": -1}, "ceilings.calls"),
        ({"calls": True}, "ceilings.calls"),
        ({"calls": 1.0}, "ceilings.calls"),
        ({"amount": {"n": -1}}, "ceilings.amount.n"),
        ({"amount": {"n": True}}, "ceilings.amount.n"),
        ({"amount": {"n": math.inf}}, "ceilings.amount.n"),
        ({"amount": {"n": math.nan}}, "ceilings.amount.n"),
    ],
)
def test_a_ceiling_is_a_number_from_nothing_on(ceilings: dict[str, Any], key: str) -> None:
    """Its fault names its key; 0 is one."""
    with refused("config-invalid", ConfigInvalid) as caught:
        Ceilings(**ceilings)
    assert isinstance(caught.value, ConfigInvalid)
    assert caught.value.key == key
    assert Ceilings(calls=0, amount={"n": 0}).calls == 0


@pytest.mark.parametrize("count", [MAX_REFUSALS, MAX_REFUSALS + 1])
def test_no_more_refusals_are_told_than_the_bound(count: int) -> None:
    """A call with ever so many arguments is not answered with as many."""
    assert len(Grant("x/y").permits({f"a{n}": 1 for n in range(count)})) == MAX_REFUSALS


def chained(layers: int, ceiling: int | None = None) -> Grant:
    """Return a grant that was narrowed so often that it has so many layers, none of which goes."""
    grant = Grant("x/y", {"a": {"pattern": "a*|x0"}}, other_arguments=True, ceilings=Ceilings(calls=ceiling))
    for n in range(1, layers):
        grant = grant.attenuate(Grant("x/y", {"a": {"pattern": f"a*|x{n}"}}, other_arguments=True))
    return grant


def test_a_grant_is_narrowed_as_often_as_the_bound_says() -> None:
    """One layer more is refused, however it comes about."""
    most = chained(MAX_LAYERS)
    assert len(most.layers) == MAX_LAYERS
    assert most.other_arguments
    assert most.permits({"a": "aa", "b": 1}) == ()
    assert most.permits({"a": "x1"})
    with refused("malformed", Malformed):
        chained(MAX_LAYERS + 1)
    layer = Layer({"a": {"exact": 1}})
    assert Grant("x/y", ancestors=(layer,) * (MAX_LAYERS - 1)).layers
    with refused("malformed", Malformed):
        Grant("x/y", ancestors=(layer,) * MAX_LAYERS)
    # What collapses does not count, and keeps every condition.
    again = most.attenuate(Grant("x/y", other_arguments=True))
    assert len(again.layers) == MAX_LAYERS
    assert again.other_arguments
    assert again.permits({"a": "aa", "b": 1}) == ()
    assert again.permits({"a": "x1"})


def test_a_grant_of_another_tool_is_no_narrower_one() -> None:
    """It is refused, and `met` with it is nothing."""
    with refused("malformed", Malformed):
        Grant("x/y").attenuate(Grant("x/z"))
    assert Grant("x/y").met(Grant("x/z")) is None


def test_an_argument_may_be_taken_where_every_layer_lets_it_in() -> None:
    """By name, or with others."""
    closed, open_ = Grant("x/y", {"a": ANY}), Grant("x/y", {"b": ANY}, other_arguments=True)
    assert closed.may_take("a")
    assert not closed.may_take("b")
    assert open_.may_take("a")
    both = open_.attenuate(closed)
    assert both.may_take("a")
    assert not both.may_take("b")
    assert not closed.attenuate(open_).may_take("b")


@pytest.mark.parametrize(
    ("mine", "theirs", "met"),
    [
        (Grant("x/y", {"p": UNDER_A}), Grant("x/y", {"p": UNDER_B}), Grant("x/y", {"p": UNDER_B})),
        (Grant("x/y", {"p": UNDER_B}), Grant("x/y", {"p": UNDER_A}), Grant("x/y", {"p": UNDER_B})),
        (Grant("x/y", {"p": UNDER_A}), Grant("x/y", {"p": {"path_under": "c"}}), None),
        (Grant("x/y", {"p": UNDER_A}), Grant("x/y"), None),
        (Grant("x/y", {"p": {"optional": UNDER_A}}), Grant("x/y"), "some"),
        (Grant("x/y", {"p": UNDER_A}), Grant("x/y", other_arguments=True), "some"),
        (Grant("x/y", {"p": UNDER_A}), Grant("x/y", {"p": ANY}), "some"),
        (Grant("x/y", {"p": ANY}), Grant("x/y", {"p": ANY}), "some"),
        (Grant("x/y"), Grant("x/y"), Grant("x/y")),
    ],
)
def test_two_grants_meet_where_it_is_decided_which_is_the_narrower(
    mine: Grant, theirs: Grant, met: Grant | str | None
) -> None:
    """For each argument; and none that one needs is closed by the other."""
    found = mine.met(theirs)
    if met == "some":
        assert found is not None
    else:
        assert found == met


def test_a_grant_is_equal_to_what_says_the_same() -> None:
    """And to nothing that is no grant; as a key it is found by it."""
    one, same = Grant("x/y", {"a": {"exact": 1}}), Grant("x/y", {"a": {"exact": 1.0}})
    assert {one: "found"}[same] == "found"
    assert one != "x/y"
    assert len({hash(Grant("x/y", {"a": {"exact": n}})) for n in range(10)}) == 10
    assert one.digest == same.digest != Grant("x/y").digest


def test_a_fault_in_a_grant_that_was_written_has_its_whole_key() -> None:
    """From the place where the grant stands, down to the constraint."""
    for key, wanted in (("t", "t.arguments.a.exat"), ("grant", "grant.arguments.a.exat")):
        with refused("config-invalid", ConfigInvalid) as caught:
            Grant.load({"tool": "x/y", "arguments": {"a": {"exat": 1}}}, key)
        assert isinstance(caught.value, ConfigInvalid)
        assert caught.value.key == wanted
    written = {
        "tool": "x/y",
        "arguments": {"a": {"exact": 1}},
        "other_arguments": True,
        "ceilings": {"calls": 2},
    }
    assert Grant.load(written) == Grant("x/y", {"a": {"exact": 1}}, True, Ceilings(calls=2))
    assert GrantTemplate.load(written).instantiate({}) == Grant.load(written)
    assert Grant.load({"tool": "x/y"}) == Grant("x/y")


def test_words_of_a_grant_are_told_once() -> None:
    """What a call must satisfy."""
    parent = Grant("x/y", {"p": UNDER_A, "q": {"exact": 1}})
    child = parent.attenuate(Grant("x/y", {"p": UNDER_A, "q": ANY}))
    assert child.describe() == ("`p` must be under `a/`", "`q` must be `1`")


def test_a_child_gets_each_grant_that_it_may_have_once() -> None:
    """And is told of each tool that is not held, with those that are."""
    held = [Grant("x/y", {"p": UNDER_A}), Grant("x/y", {"p": UNDER_A}), Grant("u/v")]
    grants, refusals = narrow(
        held, [Grant("x/y", {"p": UNDER_B}), Grant("a/b"), Grant("x/y", {"p": UNDER_B})]
    )
    assert grants == (Grant("x/y", {"p": UNDER_B}),)
    assert [(one.code, one.argument) for one in refusals] == [("tool-not-granted", "")]
    assert "`a/b`" in refusals[0].reason
    assert refusals[0].remediation == "ask for one of: `u/v`, `x/y`"
    assert narrow([], [Grant("a/b")])[1][0].remediation == "ask for one of: none"


CALLS_1, CALLS_2 = Ceilings(calls=1), Ceilings(calls=2)
OF_ONE, OF_A_CLASS = Ceilings(amount={"n": 1}), Layer(ceilings=Ceilings(result_class="a"))


@pytest.mark.parametrize(
    ("layers", "kept"),
    [
        # Of two that say the same one goes; of two that bound differently the tighter stays.
        ([Layer({"p": UNDER_A}), Layer({"p": UNDER_A})], [1]),
        ([Layer(ceilings=CALLS_1), Layer(ceilings=CALLS_2)], [0]),
        ([Layer(ceilings=CALLS_2), Layer(ceilings=CALLS_1)], [1]),
        ([Layer(ceilings=CALLS_1), Layer(ceilings=CALLS_1)], [0]),
        ([Layer(ceilings=CALLS_1), Layer()], [0]),
        ([Layer(), Layer(ceilings=CALLS_1)], [1]),
        ([Layer(ceilings=Ceilings(result_class="a")), Layer(ceilings=Ceilings(result_class="b"))], [0, 1]),
        ([Layer(ceilings=Ceilings(result_class="a")), Layer(ceilings=Ceilings(result_class="a"))], [0]),
        ([Layer(ceilings=Ceilings(result_class="a")), Layer()], [0]),
        ([Layer(ceilings=Ceilings(amount={"n": 1})), Layer(ceilings=Ceilings(amount={"n": 1}))], [0]),
        ([Layer(ceilings=Ceilings(amount={"n": 2})), Layer(ceilings=Ceilings(amount={"n": 1}))], [1]),
        ([Layer(ceilings=Ceilings(amount={"n": 1})), Layer(ceilings=Ceilings(amount={"n": 2}))], [0]),
        ([Layer(ceilings=Ceilings(amount={"n": 1})), Layer(ceilings=Ceilings(amount={"m": 1}))], [0, 1]),
        ([Layer(ceilings=Ceilings(amount={"n": 1})), Layer()], [0]),
        # A layer that closes the names stays where no other closes at least those.
        ([Layer(), Layer(other_arguments=True)], [0]),
        ([Layer(other_arguments=True), Layer()], [1]),
        ([Layer({"p": ANY}), Layer({"q": ANY})], [0, 1]),
        ([Layer({"p": ANY}), Layer({"p": ANY, "q": ANY})], [0]),
        ([Layer({"p": ANY, "q": ANY}), Layer({"p": ANY})], [1]),
        # A name that wards off its look-alikes stays where other names are let in.
        ([Layer({"p": ANY}, True), Layer({}, True)], [0]),
        ([Layer({"p": ANY}, True), Layer({"p": ANY})], [1]),
        ([Layer({"p": ANY}, True), Layer({"q": ANY})], [0, 1]),
        ([Layer({}, True), Layer({}, True)], [0]),
        # Of several others one is enough.
        ([Layer({"p": ANY}, True), Layer({"p": ANY}), Layer({"q": ANY}, True)], [1, 2]),
        ([Layer({"p": ANY}), Layer({"p": ANY, "q": ANY}), Layer({"r": ANY}, True)], [0, 2]),
        ([Layer(ceilings=CALLS_1), Layer(ceilings=CALLS_2), OF_A_CLASS], [0, 2]),
        ([Layer(ceilings=OF_ONE), Layer(ceilings=Ceilings(amount={"n": 2})), OF_A_CLASS], [0, 2]),
    ],
)
def test_a_layer_goes_only_where_others_refuse_and_bound_as_much(
    layers: list[Layer], kept: list[int]
) -> None:
    """Nothing that one of them refused is permitted afterwards."""
    assert simplified(layers) in (
        [layers[n] for n in kept],
        [layers[1 - n] for n in kept if layers[0] == layers[1]],
    )


def test_of_two_constraints_the_one_that_is_implied_becomes_anything() -> None:
    """The narrower stays, in whichever layer; two that imply each other do not both go."""
    narrow_, wide = Layer({"p": UNDER_B, "q": {"exact": 1}}), Layer({"p": UNDER_A, "q": {"exact": 2}})
    for layers in ([narrow_, wide], [wide, narrow_]):
        found = simplified(layers)
        assert {str(one.arguments["p"]) for one in found} == {str(UNDER_B), str(ANY)}
        assert {str(one.arguments["q"]) for one in found} == {str({"exact": 1}), str({"exact": 2})}
    assert simplified([wide, wide]) in ([wide], [wide])
    assert simplified([wide]) == [wide]


def test_a_template_is_checked_before_anything_is_put_in() -> None:
    """Its tool, its constraints with samples in their places, and ceilings beside the placeholders."""
    for fault, key in (
        ({"tool": "x"}, "tool"),
        ({"tool": "x/y", "arguments": {"a": {"exat": "{b}"}}}, "arguments.a"),
        ({"tool": "x/y", "ceilings": {"calls": -1, "amount": {"n": "{b}"}}}, "ceilings"),
        ({"tool": "x/y", "ceilings": {"amount": {"n": -1, "m": "{b}"}}}, "ceilings"),
    ):
        with refused("config-invalid", ConfigInvalid) as caught:
            GrantTemplate.load(fault, "t")
        assert isinstance(caught.value, ConfigInvalid)
        assert caught.value.key.startswith(f"t.{key}")
    template = GrantTemplate(
        "x/y", {"a": {"exact": "{b}"}}, True, {"calls": "{c}", "amount": {"n": "{d}", "m": 3}}
    )
    assert template.placeholders == {"b", "c", "d"}
    template.check({"b", "c", "d"})
    for left in "bcd":
        with refused("config-invalid", ConfigInvalid):
            template.check({"b", "c", "d"} - {left})
        with refused("config-invalid", ConfigInvalid):
            template.instantiate({name: 1 for name in "bcd" if name != left})
    assert template.instantiate({"b": "x", "c": 2, "d": 1.5}) == Grant(
        "x/y", {"a": {"exact": "x"}}, True, Ceilings(calls=2, amount={"n": 1.5, "m": 3})
    )
    with refused("config-invalid", ConfigInvalid) as caught:
        template.instantiate({"b": "x", "c": -2, "d": 1})
    assert isinstance(caught.value, ConfigInvalid)
    assert caught.value.key.startswith("ceilings")


@pytest.mark.parametrize(
    ("arguments", "ceilings", "key"),
    [
        ({"a": {"range": {"min": 2, "max": "{p}"}}}, {}, "arguments.a.range"),
        ({"a": {"exact": "{q}"}}, {}, "arguments.a"),
        ({}, {"calls": "{q}"}, "ceilings"),
        ({}, {"amount": {"n": "{q}"}}, "ceilings"),
    ],
)
def test_a_parameter_that_does_not_fit_is_told_with_its_place(
    arguments: dict[str, Any], ceilings: dict[str, Any], key: str
) -> None:
    """Where it is put in, or where it is missing."""
    template = GrantTemplate("x/y", arguments, False, ceilings)
    with refused("config-invalid", ConfigInvalid) as caught:
        template.instantiate({"p": 1})
    assert isinstance(caught.value, ConfigInvalid)
    assert caught.value.key == key


def test_the_parameters_that_there_are_are_named() -> None:
    """The author of an unknown parameter sees which parameters could have been meant."""
    template = GrantTemplate("x/y", {"a": {"exact": "{b}"}})
    for known, words in (((), "declared are: none"), (("d", "c"), "declared are: `{c}`, `{d}`")):
        with refused("config-invalid", ConfigInvalid) as caught:
            template.check(known)
        assert str(caught.value).endswith(words)


def test_the_smallest_of_every_ceiling_counts() -> None:
    """Of calls, of each amount, and each class in the order of the layers."""
    grant = (
        Grant("x/y", ceilings=Ceilings(calls=3, amount={"n": 2, "m": 5}, result_class="a"))
        .attenuate(Grant("x/y", ceilings=Ceilings(calls=2, amount={"n": 3}, result_class="b")))
        .attenuate(Grant("x/y", ceilings=Ceilings(calls=4, amount={"m": 1}, result_class="a")))
    )
    assert (grant.calls, dict(grant.amounts), grant.result_classes) == (2, {"n": 2, "m": 1}, ("a", "b"))
    assert Grant("x/y").calls is None
    assert Grant("x/y", ceilings=Ceilings(calls=0)).attenuate(Grant("x/y")).calls == 0
    assert Grant("x/y").result_classes == ()


def test_a_decoded_grant_is_the_grant_that_was_encoded() -> None:
    """With all its layers."""
    grant = chained(3, ceiling=2)
    again = msgspec.json.decode(msgspec.json.encode(grant), type=Grant)
    assert again == grant
    assert again.calls == 2
