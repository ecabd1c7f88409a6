# SPDX-License-Identifier: Apache-2.0
# Tiers: the more a call can do, the more has to stand behind it. A call of tier `conversation` or `assistant` meets no
# rule here. remit itself asks for a token that is bound to its sender from tier `operator` on.
#
# Where a person requested the task, the person's words decide (25-flow.rego), and the person can be asked. Where no
# person did, these rules stand in for them. They concern the tier `autonomous`: what cannot be undone, leaves the
# organisation, moves money or touches production.
#
#   attended        a person requested the task, it is for a person, or its client talks to a person unheard
#   scoped          the grant constrains each argument that leads somewhere, counts or runs
#   high_risk       production, money, code, powers, stored data handed over, or destruction
#   preapproved     the task type is a runbook: its steps were approved in advance
#   ends_with_work  a lease, an idle time, a completing call or a budget ends the task before its deadline
package remit

# METADATA
# custom:
#   reason: "`{tool}` acts without a person, and the task type leaves open where it goes or what it concerns"
#   remediation: constrain its arguments in the grant, or have this exact call approved
#   otherwise: approval
forbid contains "tiers/unscoped" if {
	acts_alone
	not input.context.scoped
}

# METADATA
# custom:
#   reason: "`{tool}` acts without a person, and what it does is of high risk"
#   remediation: "have this exact call approved, or have the steps of the task type approved as its `runbook`"
#   otherwise: approval
forbid contains "tiers/high-risk" if {
	acts_alone
	input.context.high_risk
	not in_runbook
}

# Such authority ends with the work, not at the end of the day. An hour is short enough to need no more.
# METADATA
# custom:
#   reason: "`{tool}` acts without a person, and nothing ends this task when its work is done"
#   remediation: "give the task type `ends_after`, a budget of calls or a deadline of an hour, or open the task with a lease"
forbid contains "tiers/lasting" if {
	acts_alone
	not input.context.task.ends_with_work
	input.context.task.lasts_s > 3600
}

acts_alone if {
	changes
	input.resource.described
	input.context.tier_level >= 3
	not input.context.task.attended
}

in_runbook if {
	input.context.task.preapproved
	input.context.scoped
}
