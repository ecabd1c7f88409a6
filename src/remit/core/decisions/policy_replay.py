# SPDX-License-Identifier: Apache-2.0
"""Recorded decisions, decided again: which calls change under other policies, and for which people.

Only the policies' part of a decision is decided again. What else refused a call (its grants, its budget, its
token) still refuses it, and an approval that was given still counts for the rules that it waived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from remit.core.decisions.decision import Outcome, PolicyAnswer, RuleRef, weigh

#: Codes of reasons that policies give; every other reason of a refusal is one that policies cannot change.
POLICY_CODES: Final = frozenset(
    {
        *("permitted", "approval-needed", "forbidden", "no-permit", "policy-error", "flow", "plan"),
        *("obligation", "reason-required", "step-up"),
    }
)
#: What each code of a decision that cannot be replayed means.
MEANINGS: Final[Mapping[str, str]] = {
    "no-facts": "recorded by a version of remit that did not keep the facts",
    "agent-changed": "its agent has changed since, or is not registered any more",
    "tool-changed": "its tool is now described as another effect or audience, or is gone",
    "task-gone": "its task is not kept any more",
    "class-gone": "its data class does not exist any more",
    "values-forgotten": "its arguments are forgotten, or were too large to be kept",
    "values-hidden": "a rule reads an argument of which only a digest is kept",
    "too-many-arguments": "it had more arguments than the record names",
    "not-reproduced": "the policies in force, which decided it, now decide it differently",
    "history-unknown": "a rule reads a counter that did not count then, or counted something else",
    "changed-in-store": "its event is not as it was recorded",
}
#: Examples of each change.
MAX_EXAMPLES: Final = 5
#: Names that are counted one by one, for each kind of name.
MAX_NAMES: Final = 200
#: Outcomes by how much they permit.
RANK: Final = {Outcome.DENY: 0, Outcome.DEFER: 1, Outcome.PERMIT: 2}


class ReplayedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded call, with what was and what would be decided, and the rules behind both."""

    decision: str
    at: str
    tool: str
    agent: str
    person: str
    task: str
    task_type: str
    before: Outcome
    after: Outcome
    rules_before: tuple[str, ...]
    rules_after: tuple[str, ...]
    why: tuple[str, ...]

    @property
    def more_permissive(self) -> bool:
        """Whether the change permits more: a refusal becomes a question or a permit, a question a permit."""
        return RANK[self.after] > RANK[self.before]


class Flips(msgspec.Struct, kw_only=True):
    """The calls that change in one way, counted by what they have in common, with examples."""

    before: Outcome
    after: Outcome
    more_permissive: bool
    calls: int = 0
    agents: Counter[str] = msgspec.field(default_factory=Counter)
    task_types: Counter[str] = msgspec.field(default_factory=Counter)
    people: Counter[str] = msgspec.field(default_factory=Counter)
    tools: Counter[str] = msgspec.field(default_factory=Counter)
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    examples: list[ReplayedCall] = []


class PolicyReplay(msgspec.Struct, kw_only=True):
    """The result so far: how many decisions were read, replayed and skipped, and what changes.

    `unaffected`: no rule that could match the call differs, so its decision stays, whatever it was.
    """

    read: int = 0
    unaffected: int = 0
    replayed: int = 0
    refused_elsewhere: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    same: Counter[str] = msgspec.field(default_factory=Counter)
    flips: dict[str, Flips] = {}

    def stays(self, outcome: Outcome) -> None:
        """Count a replayed call whose outcome is the same."""
        self.replayed += 1
        self.same[outcome.value] += 1

    def count(self, call: ReplayedCall) -> None:
        """Count a replayed call whose outcome differs."""
        self.replayed += 1
        made = Flips(before=call.before, after=call.after, more_permissive=call.more_permissive)
        flips = self.flips.setdefault(f"{call.before.value}-{call.after.value}", made)
        flips.calls += 1
        rules = call.rules_after if call.after is not Outcome.PERMIT else call.rules_before
        for counter, names in (
            (flips.agents, (call.agent,)),
            (flips.task_types, (call.task_type,)),
            (flips.people, (call.person,) if call.person else ()),
            (flips.tools, (call.tool,)),
            (flips.rules, rules),
        ):
            for name in names:
                if name in counter or len(counter) < MAX_NAMES:
                    counter[name] += 1
        if len(flips.examples) < MAX_EXAMPLES:
            flips.examples.append(call)


def refused_elsewhere(facts: Mapping[str, Any]) -> bool:
    """Return whether anything but a policy refused a recorded call."""
    codes = {one["code"] for one in facts.get("reasons", ())}
    return facts["outcome"] == Outcome.DENY.value and not codes <= POLICY_CODES


def waived(facts: Mapping[str, Any], before: PolicyAnswer) -> frozenset[RuleRef]:
    """Return the rules that an approval had waived for a recorded call."""
    approved = facts["outcome"] == Outcome.PERMIT.value and facts.get("approval")
    return frozenset((*before.waivable, *before.asking)) if approved else frozenset()


def reproduced(facts: Mapping[str, Any], answer: PolicyAnswer) -> bool:
    """Return whether the policies that made a recorded decision decide it by the same rules again."""
    _, rules = weigh(answer, waived(facts, answer))
    return sorted([rule.id, rule.digest] for rule in rules) == sorted(facts["rules"])
