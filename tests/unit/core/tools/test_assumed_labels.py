# SPDX-License-Identifier: Apache-2.0
"""The algebra of assumed labels: a description replaces an assumption, and nothing else."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from remit.core.label import MAX_ASSUMED, Audience, Classes, Label, Trust, worst
from remit.core.tools.assumed_labels import as_described, said_by, tools_in, words_key, wrote_nothing
from remit.core.tools.tool import (
    Argument,
    ArgumentRole,
    Effect,
    FieldLabel,
    Tool,
    Variant,
    list_key,
    read_key,
    undescribed,
    with_surface,
    write_key,
)

CLASSES = Classes()
WORST = worst(CLASSES)
NAMES = ("a", "b", "c")
FIRM = st.builds(
    Label,
    st.sampled_from(CLASSES.order),
    st.frozensets(st.sampled_from(("health", "money"))),
    st.sampled_from(Trust),
    st.frozensets(st.sampled_from(("north", "south"))),
)
ASSUMED = st.sampled_from(NAMES).map(lambda one: WORST.assuming(Label(), frozenset({one})))
LABELS = st.lists(st.one_of(FIRM, ASSUMED), min_size=1, max_size=6).map(
    lambda found: reduce(lambda one, other: one.join(other, CLASSES), found)
)
SAID = st.dictionaries(st.sampled_from(NAMES), FIRM)


def all_of(parts: list[Label]) -> Label:
    """Return the least label that covers all parts."""
    return reduce(lambda one, other: one.join(other, CLASSES), parts)


@given(LABELS, LABELS, LABELS)
def test_labels_join_in_any_order_and_repetition(a: Label, b: Label, c: Label) -> None:
    """With their assumed parts, too; and a join covers both."""
    assert a.join(b, CLASSES) == b.join(a, CLASSES)
    assert a.join(b, CLASSES).join(c, CLASSES) == a.join(b.join(c, CLASSES), CLASSES)
    assert a.join(a, CLASSES) == a
    assert a.join(b, CLASSES).covers(a, CLASSES)


@given(
    st.lists(st.one_of(FIRM, st.sampled_from(NAMES)), min_size=1),
    st.fixed_dictionaries(dict.fromkeys(NAMES, FIRM)),
)
def test_described_later_is_described_from_the_beginning(
    history: list[Label | str], said: dict[str, Label]
) -> None:
    """In any order of described and undescribed calls: the class and the trust are the same, never less.

    Where what is known is the worst case already, an assumption adds nothing, and is not kept.
    """
    met = [WORST.assuming(Label(), frozenset({one})) if isinstance(one, str) else one for one in history]
    then = all_of([said[one] if isinstance(one, str) else one for one in history])
    read = as_described(all_of(met), said, CLASSES)
    assert (read.data_class, read.trust) == (then.data_class, then.trust)
    firm = [one for one in history if isinstance(one, Label)]
    assert not firm or read.known.covers(all_of(firm), CLASSES)
    if not firm or not all_of(firm).covers(WORST, CLASSES):
        assert read.known == then


@given(LABELS, SAID)
def test_without_all_descriptions_nothing_falls(label: Label, said: dict[str, Label]) -> None:
    """One tool without a description holds the class and the trust; and reading twice changes nothing."""
    read = as_described(label, said, CLASSES)
    assert read.known.covers(label.firm, CLASSES)
    if not label.assumed_tools <= said.keys():
        assert (read.data_class, read.trust) == (label.data_class, label.trust)
    assert as_described(read, said, CLASSES).known == read.known


def test_too_many_assumptions_count_as_known() -> None:
    """The label keeps its height."""
    label = all_of([WORST.assuming(Label(), frozenset({str(one)})) for one in range(MAX_ASSUMED + 1)])
    assert label == WORST


def test_data_of_the_person_alone_is_trusted_in_its_assumed_part_too() -> None:
    """A justified write stores no distrust, and a description brings none back."""
    label = WORST.assuming(Label("internal", trust=Trust.UNTRUSTED), frozenset({"a"})).trusted()
    read = as_described(label, {"a": Label("confidential", trust=Trust.UNTRUSTED)}, CLASSES)
    assert read.known == Label("confidential")


def test_a_class_that_does_not_exist_is_the_highest_and_known() -> None:
    """Also where only the firm part names it."""
    odd = WORST.assuming(Label("odd"), frozenset({"a"}))
    assert odd.known_to(CLASSES) == WORST
    assert Label("odd").assuming(Label(), frozenset({"a"})).known_to(CLASSES) == Label("restricted")


def a_tool(**changes: object) -> Tool:
    """Return a described tool with a surface."""
    known: dict[str, object] = {"upstream": "u", "name": "t", "label": Label(), "described": True}
    return with_surface(Tool(**(known | changes)), {}, "sha256:one", CLASSES)  # type: ignore[arg-type]


def test_a_description_speaks_for_all_fields_of_results() -> None:
    """Which of them a call returned is not known any more, and none was withheld then."""
    tool = a_tool(fields=(FieldLabel("body", Label("confidential", trust=Trust.UNTRUSTED)),))
    said = said_by([tool], {}, CLASSES)
    assert said[read_key(tool)] == Label("confidential", trust=Trust.UNTRUSTED)
    assert said[write_key(tool)] == Label()
    assert said[list_key(tool)] == Label()


def test_handing_data_over_by_id_stays_the_worst_case() -> None:
    """Which data an undescribed call handed over is not known."""
    tool = a_tool(arguments={"item": Argument(ArgumentRole.SELECTOR, hands_over=True)})
    assert said_by([tool], {}, CLASSES)[write_key(tool)] == WORST


def test_only_described_tools_speak_and_only_of_their_surface() -> None:
    """The keys of two surfaces of one tool differ."""
    bare = with_surface(undescribed("u", "t", CLASSES), {}, "sha256:one", CLASSES)
    assert said_by([bare], {}, CLASSES) == {}
    assert bare.label.assumed_tools == {read_key(a_tool())}
    other = with_surface(a_tool(), {}, "sha256:two", CLASSES)
    assert not said_by([other], {}, CLASSES).keys() & bare.label.assumed_tools


def test_only_what_is_described_as_a_read_has_written_nothing() -> None:
    """With the surface that it had, and in every case of its arguments."""
    read = a_tool(effect=Effect.NONE)
    assert wrote_nothing(read, "sha256:one")
    assert not wrote_nothing(read, "sha256:two")
    assert not wrote_nothing(None, "sha256:one")
    assert not wrote_nothing(a_tool(effect=Effect.REVERSIBLE), "sha256:one")
    assert not wrote_nothing(
        a_tool(effect=Effect.NONE, variants=(Variant({}, audience=Audience("external")),)), "sha256:one"
    )
    assert not wrote_nothing(with_surface(undescribed("u", "t", CLASSES), {}, "", CLASSES), "")


def test_a_reviewed_text_of_an_upstream_speaks_for_itself_alone() -> None:
    """One letter more, or another upstream, is another text."""
    said = said_by([], {"u": "Be kind."}, CLASSES)
    assert said == {words_key("u", "Be kind."): Label()}
    assert words_key("u", "Be kind") not in said
    assert words_key("w", "Be kind.") not in said
    assert tools_in(said) == ["u/instructions"]
