# SPDX-License-Identifier: Apache-2.0
"""What narrowing promises: no sequence of attenuations ever permits what the parent refused."""

import math
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.core.canonical import encode
from remit.core.errors import ConfigInvalid
from remit.core.tasks.grant import Grant, GrantTemplate, narrow
from remit.core.tools.constraint import (
    KINDS,
    Constraint,
    NotUnderstood,
    Subset,
    Verdict,
    decode,
    is_subset,
    load,
)
from tests.samples.constraint_specs import (
    ARGUMENTS,
    CEILINGS,
    DOMAINS,
    GLOBS,
    HOSTS,
    LEAVES,
    NUMBERS,
    PATHS,
    SCALARS,
    SPECS,
    TEXTS,
    URLS,
    VALUES,
    _loads,
)

ODD = VALUES | st.text(max_size=6) | st.floats() | st.integers()


GRANTS = st.builds(
    Grant,
    st.just("files/read"),
    st.dictionaries(st.sampled_from(["p", "q"]), SPECS | st.just({"of_tomorrow": 1}), max_size=2),
    st.booleans(),
    CEILINGS,
)


@given(GRANTS, st.lists(GRANTS, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5), ARGUMENTS)
def test_no_sequence_of_attenuations_permits_what_an_ancestor_refused(
    first: Grant, wanted: list[Grant], simplify: list[bool], arguments: dict[str, Any]
) -> None:
    """A descendant permits exactly what it and all its ancestors permit, simplified on the way or not."""
    held = first
    expected = not first.permits(arguments)
    for want, simpler in zip(wanted, simplify, strict=False):
        held = held.attenuate(want)
        if simpler:
            held = held.simplified()
        expected = expected and not want.permits(arguments)
        assert (held.permits(arguments) == ()) is expected


@given(st.lists(GRANTS, min_size=1, max_size=4), ARGUMENTS)
def test_simplification_changes_no_verdict_and_no_ceiling(
    grants: list[Grant], arguments: dict[str, Any]
) -> None:
    """What is dropped from a conjunction is implied by what stays."""
    held = grants[0]
    for want in grants[1:]:
        held = held.attenuate(want)
    simple = held.simplified()
    assert (held.permits(arguments) == ()) is (simple.permits(arguments) == ())
    assert held.calls == simple.calls
    assert held.amounts == simple.amounts
    assert set(held.result_classes) == set(simple.result_classes)
    assert len(simple.layers) <= len(held.layers)
    assert simple.simplified() == simple


@given(GRANTS, GRANTS)
def test_a_child_has_no_larger_ceiling_than_its_parent(parent: Grant, want: Grant) -> None:
    """Ceilings only fall."""
    child = parent.attenuate(want)
    assert (child.calls if child.calls is not None else math.inf) <= (
        parent.calls if parent.calls is not None else math.inf
    )
    assert all(child.amounts[name] <= total for name, total in parent.amounts.items())
    assert set(parent.result_classes) <= set(child.result_classes)


@given(GRANTS, GRANTS, st.lists(ARGUMENTS, max_size=5))
def test_several_grants_narrow_each_for_itself(a: Grant, b: Grant, calls: list[dict[str, Any]]) -> None:
    """A child of two grants permits no more than one of them permits."""
    children, refusals = narrow([a, b], [Grant("files/read", other_arguments=True)])
    assert not refusals
    for arguments in calls:
        if any(child.permits(arguments) == () for child in children):
            assert a.permits(arguments) == () or b.permits(arguments) == ()


@given(SPECS, SPECS, ODD)
def test_a_proven_subset_holds_for_every_value(child: Any, parent: Any, value: Any) -> None:
    """`YES` means that whatever the child permits, absence included, the parent permits."""
    one, other = load(child), load(parent)
    if is_subset(one, other) is not Subset.YES:
        return
    assert other.may_be_absent or not one.may_be_absent
    if one.judge(value) is Verdict.YES:
        assert other.judge(value) is Verdict.YES


RELATED = (
    st.sampled_from(["path", "mail", "url", "number", "length"])
    .flatmap(
        lambda kind: {
            "path": st.tuples(
                *[PATHS.map(lambda v: {"path_under": v}) | GLOBS.map(lambda v: {"glob": v})] * 2, PATHS
            ),
            "mail": st.tuples(*[DOMAINS.map(lambda v: {"email_domain": v})] * 2, TEXTS),
            "url": st.tuples(*[HOSTS.map(lambda v: {"url_host": v})] * 2, URLS),
            "number": st.tuples(*[LEAVES.filter(lambda v: "range" in v)] * 2, NUMBERS),
            "length": st.tuples(*[LEAVES.filter(lambda v: "length" in v)] * 2, TEXTS),
        }[kind]
    )
    .filter(lambda case: _loads(case[0]) and _loads(case[1]))
)


@given(RELATED)
def test_a_proven_subset_holds_within_one_kind(case: tuple[Any, Any, Any]) -> None:
    """The same, where child and parent have much to do with each other."""
    child, parent, value = case
    one, other = load(child), load(parent)
    if is_subset(one, other) is Subset.YES and one.judge(value) is Verdict.YES:
        assert other.judge(value) is Verdict.YES


@given(SPECS)
def test_every_constraint_is_a_subset_of_itself_and_of_anything(spec: Any) -> None:
    """The test is reflexive, and `anything` is its top."""
    constraint = load(spec)
    assert is_subset(constraint, constraint) is Subset.YES
    assert is_subset(constraint, load({"anything": {}})) is Subset.YES


@given(SPECS, ODD)
def test_judging_is_total_and_a_negation_never_agrees(spec: Any, value: Any) -> None:
    """No JSON value makes a constraint raise, and no value is permitted by a constraint and its negation."""
    constraint = load(spec)
    verdict = constraint.judge(value)
    constraint.why(value)
    assert constraint.describe()
    inner = spec.get("optional", spec)
    negated = load({"not": inner}).judge(value)
    assert {verdict, negated} in ({Verdict.YES, Verdict.NO}, {Verdict.UNDECIDABLE})


@given(SPECS, ODD)
def test_the_written_form_round_trips(spec: Any, value: Any) -> None:
    """Written, as JSON, and read again a constraint is the same, to the byte, and judges the same."""
    constraint = load(spec)
    again = decode(msgspec.json.decode(encode(constraint.spec())))
    assert type(again) is type(constraint)
    assert again == constraint
    assert again.canonical() == constraint.canonical()
    assert again.judge(value) is constraint.judge(value)


@given(GRANTS, GRANTS)
def test_a_grant_round_trips_with_its_digest(parent: Grant, want: Grant) -> None:
    """Token and store hold the same grant."""
    held = parent.attenuate(want)
    for raw in (msgspec.json.encode(held), encode(msgspec.to_builtins(held))):
        again = msgspec.json.decode(raw, type=Grant)
        assert again == held
        assert again.digest == held.digest


JSON = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from([*KINDS, "x"]), v, max_size=2),
)


@given(JSON | st.dictionaries(st.sampled_from(KINDS), JSON, min_size=1, max_size=1), ODD)
def test_what_is_not_understood_is_refused(spec: Any, value: Any) -> None:
    """Any JSON either loads, or is a config error when written and refuses when decoded."""
    constraint: Constraint = decode(spec)
    if _loads(spec):
        assert not isinstance(constraint, NotUnderstood)
    elif isinstance(constraint, NotUnderstood):
        assert constraint.judge(value) is Verdict.UNDECIDABLE


@given(SPECS, ARGUMENTS)
def test_a_refusal_never_repeats_a_value(spec: Any, arguments: dict[str, Any]) -> None:
    """Reasons speak of the constraint; the refused value may be a secret."""
    secret = "hunter2-hunter2"
    for value in (secret, f"contracts/../{secret}", [secret], {"p": secret}, {"p": [secret]}):
        for refusal in Grant("x/y", {"p": spec}).permits({**arguments, "p": value}):
            assert secret not in f"{refusal.text} {refusal.rule} {refusal.argument}"


@given(st.text(max_size=8) | PATHS | st.integers(-5, 5))
def test_a_parameter_stands_for_itself_alone(value: str | int) -> None:
    """Whatever a parameter holds, the filled constraint permits that one text, or the task does not open."""
    kinds: dict[str, Any] = {
        "path_under": "c/{x}", "glob": "c/{x}", "pattern": "c/{x}", "exact": "c/{x}", "prefix": "c/{x}/",
    }  # fmt: skip
    for kind, text in kinds.items():
        template = GrantTemplate("x/y", {"p": {kind: text}})
        try:
            grant = template.instantiate({"x": value})
        except ConfigInvalid:
            continue
        assert grant.permits({"p": f"c/{value}" + ("/" if kind == "prefix" else "")}) == ()
        for other in ("c", "c/", "c/z", "c/../z", "c/a/b", "hr", f"d/{value}", f"c/{value}z"):
            inside = other.startswith(f"c/{value}/") and kind in ("path_under", "prefix")
            if other != f"c/{value}" and not inside:
                assert grant.permits({"p": other}), (kind, value, other)
