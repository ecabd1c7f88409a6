# SPDX-License-Identifier: Apache-2.0
# Effects. Reads and reversible internal changes pass without an approver: a question that is always answered with yes
# teaches people not to read it.
package remit

# METADATA
# custom:
#   reason: "`{tool}` changes production and cannot be undone"
#   remediation: have this exact call approved
#   otherwise: approval
forbid contains "effects/production" if {
	input.resource.effect == "irreversible"
	input.resource.described
	input.resource.production
}

# An approver would check the payee: if the person has stated the payee, the question is answered already. Except if
# untrusted data names the same payee and provides the text as well: then it may be an injected payment.
# METADATA
# custom:
#   reason: "`{tool}` moves money or commits to a payment, and the person has not stated the payee or the subject"
#   remediation: have this exact call approved, or have the person state it
#   otherwise: approval
forbid contains "effects/financial" if {
	changes
	input.resource.financial
	not payee_stated
	not subject_stated
}

payee_stated if {
	input.context.flow.destination != "none"
	input.context.flow.destination_reached
	not payee_injected
}

payee_injected if {
	input.context.flow.crossed
	input.context.flow.content == "untrusted"
}

subject_stated if {
	input.context.flow.destination == "none"
	input.context.flow.selector != "none"
	input.context.flow.selector_reached
}
