# SPDX-License-Identifier: Apache-2.0
"""Laws of reach: more authority never means fewer paths, and a proposed change does what it says, no more."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach import Openness, ReachSurvey
from remit.core.policy.reach.remediation import RepairKind, remedies
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import HandDown
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool
from tests.examples import FEWER
from tests.samples.reach import FREE, Lenient, bundle, look, mended, task

LABELS = [Label(one, trust=trust) for one in ("public", "internal", "restricted") for trust in Trust]
TOOLS = [f"{upstream}/t{number}" for upstream in ("a", "b") for number in range(4)]
TYPES = ("x", "y", "z")

Reaches = dict[tuple[str, str, str, str], Openness]


@st.composite
def tools(draw: st.DrawFn) -> tuple[Tool, ...]:
    """Eight tools of two upstreams, of every kind."""
    made = []
    for name in TOOLS:
        upstream, _, tool = name.partition("/")
        arguments = {"text": Argument(ArgumentRole.CONTENT)}
        if draw(st.booleans()):
            arguments["to"] = Argument(ArgumentRole.DESTINATION)
        made.append(
            Tool(
                upstream=upstream,
                name=tool,
                effect=draw(st.sampled_from(list(Effect))),
                audience=Audience(draw(st.sampled_from(["self", "internal", "external"]))),
                label=draw(st.sampled_from(LABELS)),
                arguments=arguments,
                resource=draw(st.sampled_from(["", "", "shelf/{id}"])),
                described=True,
            )
        )
    return tuple(made)


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    """Up to three task types over eight tools, some of them handed down."""
    types = []
    for name in draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True)):
        granted = draw(st.lists(st.sampled_from(TOOLS), min_size=1, max_size=5, unique=True))
        heirs = ("helper",) if draw(st.booleans()) else ()
        kept = draw(st.sampled_from([FREE, FREE, {"email_domain": ["example.com"]}]))
        types.append(task(name, *granted, to=kept, heirs=heirs))
    return bundle(draw(tools()), *types)


def reaches(survey: ReachSurvey) -> Reaches:
    """Return which task type leads to which outlet in which way, and how open that is at most."""
    out: Reaches = {}
    for path in survey.paths:
        tool = path.outlet.tool
        key = (path.kind.value, path.runner.name, tool.id, tool.audience.name)
        out[key] = min(out.get(key, Openness.REFUSED), path.guard.openness)
    return out


@FEWER
@given(
    one=bundles(), tool=st.sampled_from(TOOLS), asked=st.sets(st.sampled_from([name[2:] for name in TOOLS]))
)
def test_adding_a_grant_never_removes_a_path_nor_closes_one(one: Bundle, tool: str, asked: set[str]) -> None:
    """Whatever could be reached can still be reached, as easily."""
    judge = Lenient(**dict.fromkeys(asked, Openness.ASKED))
    before = reaches(ReachSurvey(one, judge))
    name, old = next(iter(one.task_types.items()))
    grants = (*old.grants, GrantTemplate(tool, {"text": FREE, "id": FREE, "to": FREE}))
    wider = msgspec.structs.replace(
        one, task_types={**one.task_types, name: msgspec.structs.replace(old, grants=grants)}
    )
    after = reaches(ReachSurvey(wider, judge))
    assert before.keys() <= after.keys()
    assert all(after[key] <= openness for key, openness in before.items())


@FEWER
@given(one=bundles())
def test_handing_down_never_removes_a_path(one: Bundle) -> None:
    """What its own agents can reach stays within reach."""
    name, old = next(iter(one.task_types.items()))
    alone = {**one.task_types, name: msgspec.structs.replace(old, delegates=HandDown())}
    shared = {**one.task_types, name: msgspec.structs.replace(old, delegates=HandDown(("another",)))}
    before = reaches(ReachSurvey(msgspec.structs.replace(one, task_types=alone), Lenient()))
    after = reaches(ReachSurvey(msgspec.structs.replace(one, task_types=shared), Lenient()))
    assert before.keys() <= after.keys()


@FEWER
@given(one=bundles())
def test_the_proposed_changes_break_the_combination_and_open_nothing(one: Bundle) -> None:
    """With all changes of a remedy made, no path of the combination is as open as before, and none is new."""
    survey = look(one)
    before = reaches(survey)
    for toxic in survey.toxic:
        for remedy in remedies(survey, toxic):
            changed = one
            for repair in remedy.repairs:
                changed = mended(changed, repair)
            again = look(changed)
            left = [each for each in again.toxic if each.runner.name == toxic.runner.name]
            assert all(each.openness > toxic.openness for each in left)
            after = reaches(again)
            assert after.keys() <= before.keys()
            assert all(openness >= before[key] for key, openness in after.items())


@FEWER
@given(one=bundles())
def test_no_part_of_a_remedy_is_idle(one: Bundle) -> None:
    """With one of its changes left out, something of the combination stands as open as it was."""
    survey = look(one)
    for toxic in survey.toxic:
        for remedy in remedies(survey, toxic):
            for left_out in remedy.repairs:
                changed = one
                for repair in remedy.repairs:
                    if repair != left_out:
                        changed = mended(changed, repair)
                left = [each for each in look(changed).toxic if each.runner.name == toxic.runner.name]
                assert any(each.openness <= toxic.openness for each in left)


@FEWER
@given(one=bundles())
def test_a_change_in_one_task_type_leaves_what_shares_nothing_with_it(one: Bundle) -> None:
    """Asking, keeping a place or dropping a grant changes no path of a task type that nothing reaches."""
    survey = look(one)
    alone = {
        runner.name
        for place, runner in enumerate(survey.reach_graph.runners)
        if all(inflow.direct for inflow in survey.spread.inflows[place])
    }
    before = reaches(survey)
    for toxic in survey.toxic:
        for remedy in remedies(survey, toxic):
            for repair in remedy.repairs:
                if repair.kind is RepairKind.TRUST:
                    continue
                after = reaches(look(mended(one, repair)))
                for key, openness in before.items():
                    if key[1] in alone and key[1].partition(" ")[0] != repair.task_type:
                        assert after[key] == openness
