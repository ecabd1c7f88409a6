# SPDX-License-Identifier: Apache-2.0
"""Labels part by part: what joins, what is lowered, and who may learn what."""

import msgspec
import pytest

from remit.core.errors import ConfigInvalid
from remit.core.label import (
    MAX_CROSSINGS,
    Audience,
    Classes,
    Label,
    Lowering,
    Trust,
    audience_fault,
    joined,
    worst,
)
from tests.refusals import refused

CLASSES = Classes()
LOW = Label("internal", frozenset({"pay"}), Trust.TRUSTED, frozenset({"lab"}))
HIGH = Label("restricted", frozenset({"health"}), Trust.UNTRUSTED, frozenset({"web"}))
BOTH = Label("restricted", frozenset({"pay", "health"}), Trust.UNTRUSTED, frozenset({"lab", "web"}))


@pytest.mark.parametrize(("one", "other"), [(LOW, HIGH), (HIGH, LOW)])
def test_a_join_has_the_worse_of_each_part(one: Label, other: Label) -> None:
    """Whichever comes first: class, categories, trust and zones."""
    assert one.join(other, CLASSES) == BOTH
    assert BOTH.covers(one, CLASSES)
    assert not one.covers(other, CLASSES)
    assert one.join(one, CLASSES) == one
    assert joined([one, None, other], CLASSES) == joined([None, other, one, one], CLASSES) == BOTH
    assert joined([None, one], CLASSES) == one
    assert joined([None], CLASSES) is None
    assert joined([], CLASSES) is None
    trusted = msgspec.structs.replace(HIGH, trust=Trust.TRUSTED)
    assert LOW.join(trusted, CLASSES).trust is Trust.TRUSTED


@pytest.mark.parametrize(
    ("label", "nothing"),
    [
        (Label(), True),
        (Label("internal"), False),
        (Label(trust=Trust.UNTRUSTED), False),
        (Label(categories=frozenset({"pay"})), False),
        (Label(zones=frozenset({"web"})), False),
        (LOW, False),
    ],
)
def test_a_label_says_nothing_where_each_part_says_nothing(label: Label, nothing: bool) -> None:
    """One part is enough to say something."""
    assert label.says_nothing(CLASSES) is nothing


@pytest.mark.parametrize(
    ("lowering", "label"),
    [
        (Lowering(), HIGH),
        (Lowering(to_class="public"), msgspec.structs.replace(HIGH, data_class="public")),
        (Lowering(to_class="restricted"), HIGH),
        (Lowering(trusted=True), msgspec.structs.replace(HIGH, trust=Trust.TRUSTED)),
        (Lowering(without=("health",)), msgspec.structs.replace(HIGH, categories=frozenset())),
        (Lowering(without=("web",)), msgspec.structs.replace(HIGH, zones=frozenset())),
        (Lowering(without=("other",)), HIGH),
        (Lowering(to_class="internal", trusted=True, without=("web", "health")), Label("internal")),
    ],
)
def test_whoever_lowers_a_label_lowers_what_they_say(lowering: Lowering, label: Label) -> None:
    """The other parts stay as they were."""
    assert lowering.of(HIGH, CLASSES) == label


def test_a_lowering_never_raises_anything() -> None:
    """A higher class is not taken, trust is not taken away; a class that there is none of is refused."""
    assert Lowering(to_class="restricted").of(LOW, CLASSES) == LOW
    assert Lowering(trusted=False).of(LOW, CLASSES).trust is Trust.TRUSTED
    with refused("config-invalid", ConfigInvalid):
        Lowering(to_class="secret").of(LOW, CLASSES)


def test_a_class_that_is_not_known_is_the_highest() -> None:
    """The other parts stay."""
    strange = msgspec.structs.replace(LOW, data_class="cosmic")
    assert strange.known_to(CLASSES) == msgspec.structs.replace(LOW, data_class="restricted")
    assert LOW.known_to(CLASSES) == LOW
    assert worst(CLASSES) == Label("restricted", trust=Trust.UNTRUSTED)
    with refused("config-invalid", ConfigInvalid):
        CLASSES.rank("cosmic")


def test_an_audience_may_learn_up_to_what_it_is_cleared_for() -> None:
    """One that is not listed, the lowest class alone."""
    learns = {
        name: [one for one in CLASSES.order if CLASSES.cleared(Audience(name), Label(one))]
        for name in ("self", "internal", "external", "group:legal")
    }
    assert learns == {
        "self": ["public", "internal", "confidential", "restricted"],
        "internal": ["public", "internal", "confidential"],
        "external": ["public"],
        "group:legal": ["public"],
    }


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("self", True),
        ("internal", True),
        ("external", True),
        ("group:legal", True),
        ("group:a" + "b" * 62, True),
        ("group:a" + "b" * 63, False),
        ("group:", False),
        ("group:Legal", False),
        ("everybody", False),
        ("", False),
    ],
)
def test_an_audience_is_one_of_three_or_a_group(name: str, fits: bool) -> None:
    """What is none is said to be none."""
    fault = audience_fault(name)
    assert (fault == "") is fits
    if not fits:
        assert fault == f"`{name}` is not an audience"


def test_each_zone_beyond_the_first_is_a_crossing() -> None:
    """With the zones that the next step would lead into."""
    assert Label().crossings() == 0
    assert LOW.crossings() == 0
    assert BOTH.crossings() == 1
    assert LOW.crossings(frozenset({"web"})) == 1
    assert LOW.crossings(frozenset({"lab"})) == 0
    assert Label().crossings(frozenset({"web"})) == 0


def test_a_chain_may_cross_as_often_as_the_strictest_zone_permits() -> None:
    """Of the zones that it leaves; where none says anything, as often as usual."""
    classes = Classes(crossings={"lab": 1, "web": 5})
    assert classes.max_crossings(frozenset()) == MAX_CROSSINGS
    assert classes.max_crossings(frozenset({"other"})) == MAX_CROSSINGS
    assert classes.max_crossings(frozenset({"web"})) == 5
    assert classes.max_crossings(frozenset({"web", "lab", "other"})) == 1


def test_an_audience_may_learn_the_categories_that_are_named_for_it() -> None:
    """Where none are named, all; a class is still needed."""
    classes = msgspec.structs.replace(CLASSES, categories={"internal": frozenset({"pii"})})
    internal = Audience("internal")
    assert classes.cleared(internal, Label("internal", frozenset({"pii"})))
    assert classes.cleared(internal, Label("internal"))
    assert not classes.cleared(internal, Label("internal", frozenset({"pii", "health"})))
    assert not classes.cleared(internal, Label("restricted", frozenset({"pii"})))
    assert classes.cleared(Audience("self"), Label("restricted", frozenset({"health"})))
