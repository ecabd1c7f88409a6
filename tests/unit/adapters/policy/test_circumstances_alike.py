# SPDX-License-Identifier: Apache-2.0
"""Circumstances mean the same in Cedar and in Rego, and what is not known refuses in both."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.core.circumstances.circumstances import BudgetUse, Circumstances
from remit.core.decisions.access_request import AccessRequest
from remit.core.identity.workload import AttestationMethod
from tests.samples.circumstances import DECLARED, cedar, rego
from tests.samples.decision_vectors import without_digests
from tests.samples.policy_requests import CLERK, SUMMARISE, TOOLS, request, source

loaded = functools.cache(lambda: (cedar(), rego()))
ALL = Circumstances(
    windows=("office",),
    network="lab",
    risk="low",
    findings=("shared-key",),
    budget=BudgetUse(calls=1, family_calls=100, calls_left=6),
)
CLAIMS = {"compliant": True, "patch": 7, "build": "release-1"}


def asked(
    circumstances: Circumstances = ALL,
    claims: dict[str, Any] = CLAIMS,
    method: AttestationMethod | None = AttestationMethod.OIDC,
) -> AccessRequest:
    """A request with these circumstances."""
    quiet = request(circumstances=circumstances)
    principal = msgspec.structs.replace(quiet.principal, method=method, posture=claims)
    return msgspec.structs.replace(quiet, principal=principal)


def forbidding(asked: AccessRequest) -> set[str]:
    """The rules that forbid, which are the same in both languages."""
    one, other = (without_digests(policy.evaluate(asked)) for policy in loaded())
    assert one == other
    assert not one.errors
    return {rule.id for rule in one.forbids}


def test_a_call_under_the_required_circumstances_is_permitted() -> None:
    """No rule forbids it."""
    assert not forbidding(asked())


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"windows": ()}, "window"),
        ({"windows": ("night",)}, "window"),
        ({"frozen": True}, "frozen"),
        ({"network": "office"}, "network"),
        ({"network": "unknown"}, "network"),
        ({"risk": "medium"}, "risk"),
        ({"risk": "unknown"}, "risk"),
        ({"findings": ("manifest-drift", "shared-key")}, "findings"),
        ({"budget": BudgetUse(family_calls=101, calls_left=6)}, "family"),
        ({"budget": BudgetUse(calls_left=5)}, "left"),
        ({"budget": BudgetUse()}, "left"),
    ],
)
def test_each_circumstance_counts(change: dict[str, Any], rule: str) -> None:
    """What is not known refuses as what is wrong does."""
    assert forbidding(asked(msgspec.structs.replace(ALL, **change))) == {rule}


@pytest.mark.parametrize(
    ("claims", "rules"),
    [
        ({}, {"compliant", "patch", "build"}),
        ({**CLAIMS, "compliant": False}, {"compliant"}),
        ({**CLAIMS, "patch": 6}, {"patch"}),
        ({**CLAIMS, "build": "nightly"}, {"build"}),
        ({**CLAIMS, "other": "is not read"}, set()),
    ],
)
def test_each_claim_counts(claims: dict[str, Any], rules: set[str]) -> None:
    """A claim that the token does not make is absent."""
    assert forbidding(asked(claims=claims)) == rules


def test_claims_count_when_another_rule_is_left_out() -> None:
    """As an explanation asks: what would be decided without a rule."""
    left = cedar().without(frozenset({"window"}))
    for claims, forbids in ((CLAIMS, set()), ({**CLAIMS, "patch": 6}, {"patch"})):
        answer = left.evaluate(asked(msgspec.structs.replace(ALL, windows=()), claims))
        assert ({rule.id for rule in answer.forbids}, answer.errors) == (forbids, ())


def test_an_agent_that_proved_nothing_has_a_word_for_it() -> None:
    """Not the absence of one."""
    assert forbidding(asked(method=None)) == {"attestation"}


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        ('context.environment.windows.contains("offce")', "office"),
        ('context.environment.network == "labs"', "lab"),
        ('context.environment.risk == "hihg"', "high"),
        ('context.posture.attestation == "oicd"', "oidc"),
        ('context.posture.findings.contains("manifest-drft")', "manifest-drift"),
    ],
)
def test_a_word_that_is_never_the_fact_is_found(condition: str, meant: str) -> None:
    """With the word that was probably meant."""
    text = f"forbid (principal, action, resource) when {{ {condition} }};"
    (problem,) = CedarPolicies(declared=DECLARED).check(source(text), TOOLS, [SUMMARISE], [CLERK])
    assert problem.severity == "error"
    assert f"did you mean `{meant}`?" in problem.remediation


@pytest.mark.parametrize("condition", ["context.posture.claims.compliant", "context.budget.calls_left > 5"])
def test_a_rule_must_ask_whether_a_fact_is_there(condition: str) -> None:
    """Cedar's check refuses a rule that reads an optional fact without `has`."""
    text = f"forbid (principal, action, resource) when {{ {condition} }};"
    found = CedarPolicies(declared=DECLARED).check(source(text), TOOLS, [SUMMARISE], [CLERK])
    assert [one.severity for one in found] == ["error"]


def test_a_claim_that_no_issuer_brings_cannot_be_read() -> None:
    """The configuration lists what comes in."""
    text = "forbid (principal, action, resource) when { context.posture.claims has jailbroken };"
    found = CedarPolicies(declared=DECLARED).check(source(text), TOOLS, [SUMMARISE], [CLERK])
    assert any("jailbroken" in one.text for one in found)
