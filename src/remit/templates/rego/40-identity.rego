# SPDX-License-Identifier: Apache-2.0
# Required assurance: the more a call can do, the higher the assurance of its caller must be.
package remit

# Effects need more than a claimed name.
# METADATA
# custom:
#   reason: "`{tool}` changes something, and its caller's identity was only asserted"
#   remediation: "give the agent its own credential with `remit agent`"
forbid contains "identity/proven" if {
	changes
	input.context.tier_level >= 2
	input.context.assurance_level < 2
}

# METADATA
# custom:
#   reason: this agent is suspended or retired
#   remediation: "activate it with `remit agent`"
forbid contains "identity/agent-state" if input.principal.state in {"suspended", "retired"}

# Agents of other environments may read production, but not change it.
# METADATA
# custom:
#   reason: "`{tool}` acts on production, and this agent does not belong there"
#   remediation: "use an agent whose environment is `production`"
forbid contains "identity/environment" if {
	changes
	input.resource.production
	input.principal.environment != "production"
}
