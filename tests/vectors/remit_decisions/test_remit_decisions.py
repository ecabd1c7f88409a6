# SPDX-License-Identifier: Apache-2.0
"""The default guardrails decide the same calls alike in every engine: one file of requests and answers."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.adapters.policy.rego.server import OpaPolicies, OpaServer
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.label import Audience
from remit.ports.policy import LoadedPolicy, PolicyEngine, PolicySource
from tests.samples.decision_requests import CHOICES, Change, changed, changes
from tests.samples.policy_requests import CLERK, SUMMARISE, TOOLS, guardrails, rego_guardrails
from tests.servers import opa_server

FILE = Path(__file__).with_name("decisions.jsonl")
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


def load(engine: PolicyEngine, sources: list[PolicySource]) -> LoadedPolicy:
    """Load the guardrails."""
    policy = engine.load(sources, TOOLS, [SUMMARISE], [CLERK])
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
        {name: _word(value) for name, value in change.items()},
        weigh(answer, frozenset())[0],
        [one.id for one in answer.permits],
        [one.id for one in answer.forbids],
        [one.id for one in answer.waivable],
        any(one.code == "no-permit" for one in answer.reasons),
        list(answer.errors),
        list(answer.obligations),
    )


def _word(value: Any) -> Any:
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


async def test_a_policy_server_decides_as_in_the_vectors(tmp_path: Path) -> None:
    """A real OPA server answers a third of the requests as the engines in process do."""
    program, nowhere = opa_server.program(), OpaServer("http://127.0.0.1:1")
    bundle = OpaPolicies(nowhere, program=program).bundle(rego_guardrails(), TOOLS, [SUMMARISE])
    with opa_server.running(tmp_path, bundle) as running:
        server = OpaServer(running.url, timeout_s=60)
        try:
            policy = OpaPolicies(server, program=program).load([bundle], TOOLS, [SUMMARISE], [CLERK])
            assert policy.served
            known = list(zip(changes(COUNT), FILE.read_bytes().splitlines(), strict=True))
            for change, line in known[::3]:
                answer = await policy.ask(changed(change))
                assert vector(change, answer) == msgspec.json.decode(line, type=Vector)
        finally:
            await server.close()


def without_digests(answer: PolicyAnswer) -> PolicyAnswer:
    """Return an answer whose rules have no digests: those are of texts in two languages."""

    def bare(rules: Any) -> Any:
        return tuple(msgspec.structs.replace(rule, digest="") for rule in rules)

    return msgspec.structs.replace(
        answer, permits=bare(answer.permits), forbids=bare(answer.forbids), waivable=bare(answer.waivable)
    )


@pytest.mark.parametrize("engine", [cedar, rego])
def test_every_decision_is_as_in_the_vectors(engine: Callable[[], LoadedPolicy]) -> None:
    """Outcome, rules, errors and obligations of each request."""
    policy, known = engine(), FILE.read_bytes().splitlines()
    assert len(known) == COUNT
    for change, line in zip(changes(COUNT), known, strict=True):
        assert vector(change, policy.evaluate(changed(change))) == msgspec.json.decode(line, type=Vector)


def test_both_languages_answer_in_full_alike() -> None:
    """Also the sentences, the remediations and the facts of the flow that rules have read."""
    one, other = cedar(), rego()
    assert {rule.id: (rule.does, rule.reason) for rule in one.rules()} == {
        rule.id: (rule.does, rule.reason) for rule in other.rules()
    }
    for change in changes(COUNT // 4, seed=20):
        asked = changed(change)
        first, second = one.evaluate(asked), other.evaluate(asked)
        assert set(first.flow) == set(second.flow)
        first, second = (msgspec.structs.replace(answer, flow=()) for answer in (first, second))
        assert without_digests(first) == without_digests(second), change


def test_the_vectors_reach_every_rule_and_every_value() -> None:
    """Each guardrail decides somewhere, each value of each fact occurs, and so does each outcome."""
    known = [msgspec.json.decode(line, type=Vector) for line in FILE.read_bytes().splitlines()]
    spoken = Counter(rule for one in known for rule in (*one.permits, *one.forbids, *one.waivable))
    assert spoken.keys() == {rule.id for rule in cedar().rules()}
    values = {(name, str(value)) for one in known for name, value in one.change.items()}
    for name, choices in CHOICES.items():
        for value in choices:
            assert (name, str(_word(value))) in values
    outcomes = Counter(one.outcome for one in known)
    assert min(outcomes[one] for one in Outcome) >= COUNT // 50
    assert sum(bool(one.errors) for one in known) >= 20
