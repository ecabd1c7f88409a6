# SPDX-License-Identifier: Apache-2.0
"""The decision vectors: requests, what every engine answers to them, and the engines with the guardrails."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.label import Audience
from remit.ports.policy import LoadedPolicy, PolicyEngine, PolicySource
from tests.samples.decision_requests import Change, changed, changes
from tests.samples.policy_requests import CLERK, MEND, SUMMARISE, TOOLS, guardrails, rego_guardrails
from tests.servers import opa_server

FILE = Path(__file__).parents[1] / "vectors" / "remit_decisions" / "decisions.jsonl"
COUNT = 3000


class Vector(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request, as what differs from a quiet call; and what every engine answers."""

    change: dict[str, Any]
    outcome: Outcome
    permits: list[str] = []
    forbids: list[str] = []
    waivable: list[str] = []
    unpermitted: bool = False
    errors: list[str] = []
    obligations: list[str] = []
    most_calls: int = 0
    most_high_risk: int = 0


def load(engine: PolicyEngine, sources: list[PolicySource]) -> LoadedPolicy:
    """Load the guardrails."""
    policy = engine.load(sources, TOOLS, [SUMMARISE, MEND], [CLERK])
    assert not policy.served
    return policy


def cedar() -> LoadedPolicy:
    """Return the guardrails in Cedar."""
    return load(CedarPolicies(), guardrails())


def rego() -> LoadedPolicy:
    """Return the guardrails in Rego, in process."""
    return load(RegoPolicies(program=opa_server.program()), rego_guardrails())


def vector(change: Change, answer: PolicyAnswer) -> Vector:
    """Return a vector as it is written."""
    return Vector(
        {name: word(value) for name, value in change.items()},
        weigh(answer, frozenset())[0],
        [one.id for one in answer.permits],
        [one.id for one in answer.forbids],
        [one.id for one in answer.waivable],
        any(one.code == "no-permit" for one in answer.reasons),
        list(answer.errors),
        list(answer.obligations),
        answer.most_calls,
        answer.most_high_risk,
    )


def word(value: Any) -> Any:
    """Return a value of a fact as it is written."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, enum.IntEnum):
        return value.name.lower()
    return (
        value.name if isinstance(value, Audience) else value.value if isinstance(value, enum.Enum) else value
    )


def lines() -> Iterator[bytes]:
    """Return the lines of the file, with Cedar's answers."""
    policy = cedar()
    for change in changes(COUNT):
        yield msgspec.json.encode(vector(change, policy.evaluate(changed(change))))


def without_digests(answer: PolicyAnswer) -> PolicyAnswer:
    """Return an answer whose rules have no digests: those are of texts in two languages."""

    def bare(rules: Any) -> Any:
        return tuple(msgspec.structs.replace(rule, digest="") for rule in rules)

    return msgspec.structs.replace(
        answer,
        permits=bare(answer.permits),
        forbids=bare(answer.forbids),
        waivable=bare(answer.waivable),
        asking=bare(answer.asking),
    )
