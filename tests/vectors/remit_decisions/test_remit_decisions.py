# SPDX-License-Identifier: Apache-2.0
"""The default guardrails decide the same calls alike in every engine: one file of requests and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from remit.adapters.policy.rego.server import OpaPolicies, OpaServer
from remit.core.decisions.decision import Outcome
from remit.ports.policy import LoadedPolicy
from tests.samples.decision_requests import CHOICES, changed, changes
from tests.samples.decision_vectors import COUNT, FILE, Vector, cedar, rego, vector, without_digests, word
from tests.samples.policy_requests import CLERK, MEND, SUMMARISE, TOOLS, rego_guardrails
from tests.servers import opa_server


@pytest.mark.parametrize("engine", [cedar, rego])
def test_every_decision_is_as_in_the_vectors(engine: Callable[[], LoadedPolicy]) -> None:
    """Outcome, rules, errors and obligations of each request."""
    policy, known = engine(), FILE.read_bytes().splitlines()
    assert len(known) == COUNT
    for change, line in zip(changes(COUNT), known, strict=True):
        assert vector(change, policy.evaluate(changed(change))) == msgspec.json.decode(line, type=Vector)


async def test_a_policy_server_decides_as_in_the_vectors(tmp_path: Path) -> None:
    """A real OPA server answers a third of the requests as the engines in process do."""
    program, nowhere = opa_server.program(), OpaServer("http://127.0.0.1:1")
    bundle = OpaPolicies(nowhere, program=program).bundle(rego_guardrails(), TOOLS, [SUMMARISE, MEND])
    with opa_server.running(tmp_path, bundle) as running:
        server = OpaServer(running.url, timeout_s=60)
        try:
            policy = OpaPolicies(server, program=program).load([bundle], TOOLS, [SUMMARISE, MEND], [CLERK])
            assert policy.served
            known = list(zip(changes(COUNT), FILE.read_bytes().splitlines(), strict=True))
            for change, line in known[::3]:
                answer = await policy.ask(changed(change))
                assert vector(change, answer) == msgspec.json.decode(line, type=Vector)
        finally:
            await server.close()


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
            assert (name, str(word(value))) in values
    outcomes = Counter(one.outcome for one in known)
    assert min(outcomes[one] for one in Outcome) >= COUNT // 50
    assert sum(bool(one.errors) for one in known) >= 20
