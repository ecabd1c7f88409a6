# SPDX-License-Identifier: Apache-2.0
# Plans. An agent may declare its tools at the start. Data that it reads later cannot extend the plan unseen.
package remit

# Before the task has read untrusted data, asking is enough for reads: no data can have influenced the agent yet.
# METADATA
# custom:
#   reason: "the plan of this task does not include this call of `{tool}`"
#   remediation: "extend the plan first: `remit task plan`, or `extend_plan` of the SDK"
forbid contains "plan/first" if {
	input.context.flow.plan == "unplanned"
	not input.context.flow.tainted
}

# A plan holds: what changes or discloses something is added if the person's words ask for it, or after a question.
# METADATA
# custom:
#   reason: the plan would gain a tool that changes or discloses something, and the person did not ask for it
#   remediation: have this extension approved, or have the person ask for it in a later message
#   otherwise: approval
forbid contains "plan/unasked" if {
	input.action.id == "remit/plan"
	input.context.flow.adds == "effects"
	not input.context.flow.asked
}

# Once untrusted data was read, only the person's words lead to such a tool, or the text that they delegate to: without
# a plan its calls would be refused, too.
# METADATA
# custom:
#   reason: this task has read untrusted data, and the plan would gain a tool that changes or discloses something, unasked
#   remediation: "have the person ask for it in a later message, or have the person extend the plan: `remit task plan`"
forbid contains "plan/unasked-later" if {
	input.action.id == "remit/plan"
	input.context.flow.tainted
	not input.context.flow.asked
	input.context.flow.adds in {"effects", "first"}
	not input.context.flow.handed
	not input.context.flow.unheard
}

# Afterwards an approver reviews the added tools and the data that was read. Reads of one's own that select nothing
# leave nothing to choose.
# METADATA
# custom:
#   reason: this task has read untrusted data, which may have caused the request to extend the plan
#   remediation: have this extension approved, or open a task with the tools in its first plan
#   otherwise: approval
forbid contains "plan/later" if {
	input.action.id == "remit/plan"
	input.context.flow.tainted
	input.context.flow.adds != "own-reads"
}
