# SPDX-License-Identifier: Apache-2.0
"""Rules with obligations, the same ones in both policy languages."""

from __future__ import annotations

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.ports.policy import LoadedPolicy
from tests.samples.policy_requests import CLERK, SUMMARISE, TOOLS, source
from tests.servers import opa_server

CEDAR = """
@id("all") permit (principal, action, resource);
@id("redacted") @redact("iban, account.number") @notify("security")
permit (principal, action == Action::"contracts/read", resource);
@id("drafts") @require_reason @obligation("watermark")
permit (principal, action == Action::"changes/draft", resource);
@id("deploys") @step_up @approvers("3") @reason("`{tool}` changes production") @redact("token")
permit (principal, action == Action::"changes/deploy", resource);
@id("asks") @otherwise("approval") @approvers("2") @approver_group("owners")
forbid (principal, action, resource) when { context.label.untrusted };
@id("never") forbid (principal, action, resource) when { context.crossings > 3 };
"""

REGO = """
package remit

permit contains "all"

# METADATA
# custom:
#   redact: iban, account.number
#   notify: security
permit contains "redacted" if input.action.id == "contracts/read"

# METADATA
# custom:
#   require_reason: true
#   obligation: watermark
permit contains "drafts" if input.action.id == "changes/draft"

# METADATA
# custom:
#   step_up: true
#   approvers: 3
#   reason: "`{tool}` changes production"
#   redact: token
permit contains "deploys" if input.action.id == "changes/deploy"

# METADATA
# custom:
#   otherwise: approval
#   approvers: 2
#   approver_group: owners
forbid contains "asks" if input.context.label.untrusted

forbid contains "never" if input.context.crossings > 3
"""


def cedar() -> LoadedPolicy:
    """Return the rules in Cedar."""
    policy = CedarPolicies().load(source(CEDAR), TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy


def rego() -> LoadedPolicy:
    """Return the rules in Rego, in process."""
    engine = RegoPolicies(program=opa_server.program())
    policy = engine.load(source(REGO, "policies/test.rego"), TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy
