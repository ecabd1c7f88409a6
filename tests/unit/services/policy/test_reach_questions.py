# SPDX-License-Identifier: Apache-2.0
"""A survey asks once about calls that policies cannot distinguish, and about each call that they can."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import product

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.core.label import Trust
from remit.core.policy.bundle import PolicySource
from remit.core.policy.reach import Guard, StaticCall
from remit.core.tasks.task import Runbook, TaskType
from remit.core.tools.tool import Effect, Tool, undescribed
from remit.ports.policy import LoadedPolicy
from remit.services.policy.reach import PolicyJudge
from tests.samples.reach import DEFAULT, LOOSE, acts, reads, task

#: Words of comments do not make a policy distinguish tools by name, nor do the facts of all tasks.
REMARKS = PolicySource(
    "policies/50.cedar",
    "// Nothing like it: neither resource.name nor resource.upstream is read here.\n"
    '@id("slow")\n'
    'forbid (principal, action in Action::"call", resource)\n'
    'when { context.task.lasts_s > 86400 && !context.task.attended && resource.effect == "none" };\n',
)


def kinds(number: int) -> list[Tool]:
    """Return tools of every kind; those of another number have other names."""
    return [
        *(reads(f"s{number}/{one}", one) for one in ("public", "internal", "restricted")),
        reads(f"s{number}/outside", untrusted=True),
        acts(f"s{number}/post", to="to"),
        acts(f"s{number}/wipe", "internal", Effect.IRREVERSIBLE),
        undescribed(f"s{number}", "unknown", LOOSE),
    ]


TYPES = [
    task("plain", "s0/post"),
    task("other", "s0/post"),
    msgspec.structs.replace(task("no-person", "s0/post"), requested_by=("agent:feed",)),
    msgspec.structs.replace(task("approved", "s0/post"), runbook=Runbook(("ana",), ("ana",))),
]


def under(*more: PolicySource) -> LoadedPolicy:
    """Return the default policies and more."""
    return CedarPolicies(classes=LOOSE).load((*DEFAULT, *more), [], TYPES, [], ())


def judge(*more: PolicySource) -> PolicyJudge:
    """Return a judge under the default policies and more."""
    return PolicyJudge(under(*more), LOOSE, {})


def key_of(one: PolicyJudge, tool: Tool, task_type: TaskType) -> Hashable:
    """Return what a survey distinguishes a call by."""
    return one.kind(tool), one.party(task_type, "bot", handed=False)


@pytest.mark.parametrize("more", [(), (REMARKS,)], ids=["defaults", "remarks"])
def test_calls_that_share_a_question_have_the_same_answer(more: Sequence[PolicySource]) -> None:
    """Also tools that nothing describes, and task types with another name."""
    policy = under(*more)
    one = PolicyJudge(policy, LOOSE, {})
    answers: dict[Hashable, Guard] = {}
    calls = 0
    for tool, task_type, trust, pinned in product([*kinds(0), *kinds(1)], TYPES, list(Trust), (False, True)):
        label = msgspec.structs.replace(tool.label, trust=trust)
        call = StaticCall(task_type, "bot", False, tool, label, pinned)
        # A fresh judge has nothing that stands in for this tool.
        answer = PolicyJudge(policy, LOOSE, {})(call)
        calls += 1
        assert answers.setdefault((key_of(one, tool, task_type), trust, pinned), answer) == answer
    assert len(answers) <= calls / 2


def test_a_rule_about_names_distinguishes_every_tool() -> None:
    """Two tools with equal properties may be decided differently."""
    named = PolicySource(
        "policies/50.cedar",
        '@id("named")\nforbid (principal, action in Action::"call", resource)\n'
        'when { resource.name like "wipe*" };\n',
    )
    one = judge(named)
    assert one.kind(reads("a/x")) != one.kind(reads("a/y"))
    assert judge().kind(reads("a/x")) == judge().kind(reads("a/y"))


def test_a_rule_about_task_types_distinguishes_every_one() -> None:
    """Two task types with equal facts may be decided differently."""
    named = PolicySource(
        "policies/50.cedar",
        '@id("typed")\nforbid (principal, action in Action::"call", resource)\n'
        'when { context.task.type == "other" };\n',
    )
    parties = [judge(*more).party for more in ((named,), ())]
    assert [party(TYPES[0], "bot", False) == party(TYPES[1], "bot", False) for party in parties] == [
        False,
        True,
    ]
