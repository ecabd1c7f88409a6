# SPDX-License-Identifier: Apache-2.0
"""Rules that read circumstances, in both policy languages: each forbids unless a fact is as it should be."""

from __future__ import annotations

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.core.policy.vocabulary import DeclaredNames
from remit.ports.policy import LoadedPolicy
from tests.samples.policy_requests import CLERK, SUMMARISE, TOOLS, source
from tests.servers import opa_server

DECLARED = DeclaredNames(
    windows=("office", "night"),
    networks=("lab", "office"),
    claims={"compliant": "boolean", "patch": "integer", "build": "string"},
)

CEDAR = """
@id("permit") permit (principal, action, resource);
@id("window") forbid (principal, action, resource)
unless { context.environment.windows.contains("office") };
@id("frozen") forbid (principal, action, resource) when { context.environment.frozen };
@id("network") forbid (principal, action, resource) unless { context.environment.network == "lab" };
@id("risk") forbid (principal, action, resource) unless { context.environment.risk == "low" };
@id("attestation") forbid (principal, action, resource) unless { context.posture.attestation == "oidc" };
@id("findings") forbid (principal, action, resource)
when { context.posture.findings.contains("manifest-drift") };
@id("compliant") forbid (principal, action, resource)
unless { context.posture.claims has compliant && context.posture.claims.compliant };
@id("patch") forbid (principal, action, resource)
unless { context.posture.claims has patch && context.posture.claims.patch >= 7 };
@id("build") forbid (principal, action, resource)
unless { context.posture.claims has build && context.posture.claims.build like "release-*" };
@id("family") forbid (principal, action, resource) when { context.budget.family_calls > 100 };
@id("left") forbid (principal, action, resource)
unless { context.budget has calls_left && context.budget.calls_left > 5 };
"""

REGO = """
package remit

environment := input.context.environment

posture := input.context.posture

budget := input.context.budget

permit contains "permit"

forbid contains "window" if not "office" in environment.windows

forbid contains "frozen" if environment.frozen

forbid contains "network" if environment.network != "lab"

forbid contains "risk" if environment.risk != "low"

forbid contains "attestation" if posture.attestation != "oidc"

forbid contains "findings" if "manifest-drift" in posture.findings

forbid contains "compliant" if not posture.claims.compliant

forbid contains "patch" if not patched

patched if posture.claims.patch >= 7

forbid contains "build" if not released

released if startswith(posture.claims.build, "release-")

forbid contains "family" if budget.family_calls > 100

forbid contains "left" if not enough_left

enough_left if budget.calls_left > 5
"""


def cedar() -> LoadedPolicy:
    """Return the rules in Cedar."""
    policy = CedarPolicies(declared=DECLARED).load(source(CEDAR), TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy


def rego() -> LoadedPolicy:
    """Return the rules in Rego, in process."""
    engine = RegoPolicies(program=opa_server.program(), declared=DECLARED)
    policy = engine.load(source(REGO, "policies/test.rego"), TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy
