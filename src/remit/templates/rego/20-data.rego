# SPDX-License-Identifier: Apache-2.0
# Data and its audience. Every argument of every call is a disclosure to the tool's audience, reads included.
package remit

# Not waivable: clearance is a decision about data, not about one call.
# METADATA
# custom:
#   reason: "this task has seen data that the audience of `{tool}` is not cleared for"
#   remediation: >-
#     use a tool whose audience is cleared for it, or do this in a task that has not read that data
forbid contains "data/clearance" if not input.context.cleared

# Secrets go only to the tool's own caller, regardless of their class.
# METADATA
# custom:
#   reason: "this task has seen a secret, and `{tool}` would disclose it to others"
#   remediation: do this in a task that has not read a secret
forbid contains "data/secrets" if {
	"secret" in input.context.label.categories
	input.resource.audience != "self"
}
