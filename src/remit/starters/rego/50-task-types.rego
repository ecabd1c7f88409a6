# SPDX-License-Identifier: Apache-2.0
# What tasks of two types never do, whatever a later change grants them: a grant is a line in a file, a limit is a rule.
package remit

# METADATA
# custom:
#   reason: "an experiment has no audience outside, and `{tool}` would reach one"
#   remediation: publish the result in a task of another type, requested by a person who names the audience
forbid contains "task-types/experiment-inside" if {
	input.context.task.type == "experiment"
	input.context.audience == "external"
}

# METADATA
# custom:
#   reason: "retrieval only reads, and `{tool}` would change or send something"
#   remediation: do this in a task of another type, with what the retrieval has found
forbid contains "task-types/retrieve-reads" if {
	input.context.task.type == "retrieve"
	sinks
}

sinks if input.context.effect != "none"

sinks if input.context.audience != "self"
