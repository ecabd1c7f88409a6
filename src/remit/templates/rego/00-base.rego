# SPDX-License-Identifier: Apache-2.0
# The limits on everything. Policy and grant must both permit a call: this file states what is possible at all, a
# task's grants state what that task may do. A forbid, in any file, wins over every permit.
#
#   permit contains "id"    the rule's name in decisions, approvals and evidence; one alphabet, unique
#   reason                  what people read when the rule decides; {tool} becomes the tool's name
#   remediation             what would make the call permitted
#   otherwise               `approval` turns a forbid into a question to an approver
#   bounded                 10 lets one answer permit up to 10 calls that differ in their texts alone; without it, just the
#                           one
#   bounded_high_risk       the same for calls that move money, touch production, run code, give powers, or destroy
#
# Where one forbid needs several bodies, the later ones follow without annotations.
package remit

# METADATA
# custom:
#   reason: "`{tool}` is in the task's grants and no rule forbids it"
permit contains "base/granted-calls"

# A call that changes something: at the tier of an operator or above, or for an audience outside.
far_reaching if input.context.tier_level >= 2

far_reaching if input.context.audience == "external"

changes if input.resource.effect in {"reversible", "irreversible"}

# The person's words ask for the call, or the plan has it.
wanted if input.context.flow.plan == "planned"

wanted if {
	input.context.flow.plan == "none"
	input.context.flow.asked
}
