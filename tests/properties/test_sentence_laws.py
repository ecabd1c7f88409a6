# SPDX-License-Identifier: Apache-2.0
"""The sentences of a task are exact: every grant, condition, limit and cut is in one, whole, and constraints
that read alike decide alike.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.label import Unseen
from remit.core.tasks.ceiling import AuthorityCut, CutBy
from remit.core.tasks.grant import Ceilings, Grant, GrantTemplate, Layer
from remit.core.tasks.sentences import AuthoritySentence, SentenceKind, authority_sentences
from remit.core.tasks.task import Budgets, HandDown, Intent, Parameter, Runbook, Task, TaskType
from remit.core.tools.constraint import decode, load
from remit.core.tools.constraint.conditions import argument, condition, quoted
from remit.core.tools.tier_reasons import deed, discloses
from remit.core.tools.tool import Effect, Tool
from tests.samples.constraint_specs import SPECS, VALUES
from tests.worlds.values import START, a_task

NAMES = st.sampled_from(["path", "to", "a`b", "amount", "line\nbreak"])
COUNTS = st.none() | st.integers(0, 5)
CEILINGS = st.builds(
    Ceilings,
    calls=COUNTS,
    amount=st.dictionaries(st.just("amount"), st.integers(1, 9), max_size=1),
    result_class=st.none() | st.sampled_from(["public", "internal"]),
)
GRANTS = st.builds(
    Grant,
    tool=st.sampled_from(["desk/read", "desk/write", "bank/pay"]),
    arguments=st.dictionaries(NAMES, SPECS, max_size=3),
    other_arguments=st.booleans(),
    ceilings=CEILINGS,
)
NARROWED = st.tuples(GRANTS, GRANTS).map(
    lambda two: two[0].attenuate(msgspec.structs.replace(two[1], tool=two[0].tool))
)
CUTS = st.builds(
    AuthorityCut,
    bound=st.sampled_from(CutBy),
    name=st.sampled_from(["contract-bot", "lena", "group:legal"]),
    tool=st.sampled_from(["mail/send", "deploy/deploy"]),
    because=st.sampled_from(["its calls are of tier autonomous", "it is not named"]),
)
BUDGETS = st.builds(
    Budgets,
    tokens=st.none() | st.integers(1, 9),
    spend=st.none() | st.integers(1, 9),
    sent_bytes=st.none() | st.integers(1, 9),
    calls=COUNTS,
    effectful_calls=COUNTS,
    result_bytes=COUNTS,
)
TOOLS = {
    "desk/read": Tool(upstream="desk", name="read", effect=Effect.NONE, described=True),
    "desk/write": Tool(upstream="desk", name="write", effect=Effect.REVERSIBLE, production=True),
    "bank/pay": Tool(upstream="bank", name="pay", financial=True, described=True),
}


def told(task: Task, task_type: TaskType | None = None) -> tuple[AuthoritySentence, ...]:
    """Return the sentences of a task a moment after its opening."""
    return authority_sentences(task, task_type, TOOLS.__getitem__, now=START)


def texts(sentences: tuple[AuthoritySentence, ...], kind: SentenceKind, tool: str = "") -> list[str]:
    """Return the sentences of one kind, of one tool where it is given."""
    return [one.text for one in sentences if one.kind is kind and tool in ("", one.tool)]


@settings(max_examples=200)
@given(SPECS, SPECS, VALUES)
def test_constraints_that_read_alike_decide_alike(one: Any, other: Any, value: Any) -> None:
    """No two constraints with different verdicts share their words."""
    first, second = load(one), load(other)
    if condition(first) == condition(second):
        assert first.judge(value) is second.judge(value)
        assert first.may_be_absent == second.may_be_absent


@settings(max_examples=200)
@given(SPECS)
def test_every_value_of_a_constraint_is_in_its_words(spec: Any) -> None:
    """Texts, numbers and names of fields, however deep; nothing is shortened, and nothing is invisible."""
    words = condition(load(spec))
    assert words.isprintable()
    for leaf in leaves(load(spec).spec()):
        assert quoted(leaf) in words or (isinstance(leaf, str) and quoted(leaf)[1:-1].lstrip(".") in words)


def is_open(layer: Layer) -> bool:
    """Return whether a layer permits arguments that it does not name."""
    return layer.other_arguments


def leaves(spec: Any) -> list[Any]:
    """Return the values of a written constraint, without the names of kinds and bounds."""
    ((kind, given_),) = spec.items()
    if kind in ("all", "any"):
        return [leaf for part in given_ for leaf in leaves(part)]
    if kind in ("not", "each", "optional"):
        return leaves(given_)
    if kind == "fields":
        return [*given_, *(leaf for part in given_.values() for leaf in leaves(part))]
    if kind == "length":
        return [bound for key, bound in given_.items() if (key, bound) != ("min", 0)]
    if kind == "range":
        return list(given_.values())
    if kind == "url_host":
        return [*given_["hosts"], *given_["schemes"]] if isinstance(given_, dict) else given_
    if kind in ("one_of", "email_domain"):
        return list(given_)
    return [] if kind == "anything" else [given_]


@settings(max_examples=150, deadline=None)
@given(st.lists(GRANTS | NARROWED, max_size=3, unique=True))
def test_every_grant_and_condition_is_in_a_sentence_of_its_tool(grants: list[Grant]) -> None:
    """One sentence for each grant, with every condition of every layer, and each ceiling."""
    found = told(a_task(grants=tuple(grants)))
    for grant in grants:
        tool = TOOLS[grant.tool]
        mine = [
            text
            for text in texts(found, SentenceKind.MAY, grant.tool)
            if f"{deed(tool)} `{grant.tool}`" in text
            and all(
                argument(name, decode(written)) in text
                for layer in grant.layers
                for name, written in layer.arguments.items()
            )
            and discloses(tool) in text
            and ("other arguments may be anything" in text)
            == all(one.other_arguments for one in grant.layers)
        ]
        assert mine
        limits = " ".join(texts(found, SentenceKind.LIMIT, grant.tool))
        assert grant.calls is None or f"at most {'once' if grant.calls == 1 else grant.calls}" in limits
        assert all(f"add up to at most {quoted(total)}" in limits for total in grant.amounts.values())
        assert all(f"above the data class {top}" in limits for top in grant.result_classes)
    mays = texts(found, SentenceKind.MAY)
    assert mays == ["It may call nothing."] if not grants else len(mays) == len(grants)


@given(BUDGETS, st.booleans(), st.integers(1, 90_000), st.integers(0, 60), st.integers(0, 60))
def test_every_limit_and_end_is_in_a_sentence(
    budgets: Budgets, spent: bool, lasts_s: int, lease_s: int, idle_s: int
) -> None:
    """Budgets, deadline, lease, idle time, completing tools; and nothing that does not hold."""
    task = a_task(
        budgets=budgets,
        deadline=START + timedelta(seconds=lasts_s),
        lease_s=lease_s,
        idle_s=idle_s,
        ends_when_spent=spent,
        ends_after=("desk/write",) if lease_s % 2 else (),
        runbook=Runbook(("group:operations",), ("carol",)) if idle_s % 2 else None,
        delegates=(HandDown(("helper",), 2),) if lasts_s % 2 else (),
    )
    found = told(task)
    limits, ends = " ".join(texts(found, SentenceKind.LIMIT)), " ".join(texts(found, SentenceKind.END))
    for count, words in ((budgets.calls, "in all."), (budgets.effectful_calls, "change something.")):
        if count:
            assert f"at most {count} call{'s' if count != 1 else ''} " in limits
        assert (count is not None and count > 0) <= (words in limits)
    assert ("no call that changes something" in limits) == (budgets.effectful_calls == 0)
    assert (f"have {budgets.result_bytes} bytes" in limits) == (budgets.result_bytes is not None)
    assert (f"{budgets.tokens} model tokens" in limits) == (budgets.tokens is not None)
    assert (f"may have at most {budgets.sent_bytes} bytes" in limits) == (budgets.sent_bytes is not None)
    assert (f"have cost 0.00000{budgets.spend}, no" in limits) == (budgets.spend is not None)
    assert ("approved in advance by group:operations; afterwards carol" in limits) == bool(task.runbook)
    assert ("may hand work down to `helper`, at most 2 levels" in limits) == bool(task.delegates)
    assert f"{task.deadline:%H:%M:%S} UTC at the latest" in ends
    assert ("has not renewed it" in ends) == bool(lease_s)
    assert ("was not used for" in ends) == bool(idle_s)
    assert ("call of `desk/write` that succeeds, or may have" in ends) == bool(task.ends_after)
    assert ("budget is used up" in ends) == task.ends_spent


@given(st.lists(CUTS, max_size=3, unique=True), st.booleans())
def test_every_cut_is_said_with_the_bound_that_cut_it(cuts: list[AuthorityCut], person: bool) -> None:
    """Ceilings and requests, by name; and the parameters that narrow a grant, by who fixed them."""
    kind = TaskType(
        name="read-one",
        purpose="Read one",
        run_by=("contract-bot",),
        requested_by=("lena",),
        parameters={"contract": Parameter(constraint={"pattern": "C-[0-9]+"}), "unused": Parameter()},
        grants=(GrantTemplate("desk/read", {"path": {"exact": "{contract}"}}),),
        withhold=Unseen("internal", frozenset({"pii"})),
    )
    params = {"contract": "C-42", "unused": "x"}
    by = "lena" if person else "agent:contract-bot"
    task = a_task(
        agent="contract-bot",
        grants=tuple(one.instantiate(params) for one in kind.grants),
        intent=Intent(goal="read", params=params, requested_by=by, stated_at=START),
        cuts=tuple(cuts),
    )
    found = told(task, kind)
    said = [one for one in found if one.kind is SentenceKind.CUT]
    for cut in cuts:
        assert any(
            (one.tool, one.bound) == (cut.tool, cut.bound.value)
            and cut.because in one.text
            and (cut.bound is CutBy.REQUEST or f"`{cut.name}`" in one.text)
            for one in said
        )
    (fixed,) = [one for one in said if not one.tool]
    assert fixed.bound == ("person" if person else "agent")
    assert all(part in fixed.text for part in ('"C-42"', "C-[0-9]+", "`desk/read`"))
    never = " ".join(texts(found, SentenceKind.NEVER))
    assert "above the class internal" in never
    assert "the category pii" in never


def test_a_task_that_has_ended_may_do_nothing() -> None:
    """Also where its deadline has passed and no one has recorded that yet."""
    task = a_task(grants=(Grant("desk/read"),), deadline=START)
    assert [one.kind for one in told(task)] == [SentenceKind.WHO, SentenceKind.NEVER]


def test_an_observed_upstream_is_named_where_the_rest_is_refused() -> None:
    """There remit refuses nothing, so the sentence before it does not hold there."""
    found = authority_sentences(a_task(), None, TOOLS.__getitem__, now=START, observed={"desk"})
    assert "Except at `desk`" in texts(found, SentenceKind.NEVER)[-1]
