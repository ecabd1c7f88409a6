# SPDX-License-Identifier: Apache-2.0
# Flow: where the arguments of a call came from. Each step of a chain may be permitted although the chain is the
# attack, so the person's request decides, not the data that the task has read.
#
#   intent       the person stated it, as a parameter or in words
#   reached      it is in the intent, or the one candidate in a trusted field of a record that the intent names
#   pointed      it comes from one source that the intent points to, and is the only candidate there
#   to_self      the call reaches only the person behind the task; its audience is then `self`
#   exact        a read goes to addresses that the person wrote as a whole, and carries nothing else
#   anchored     at least one destination or selector is reached
#   asked        the person's words ask for the tool's action
#   delegated    they delegate to a text of another author ("follow the instructions in ...")
#   handed       and the text asks for the tool's action
#   closed       it is among records of which the intent selects others
#   free         it is only in prose of a source that the intent points to, and describes no one there
#   among        it is in a list, of which the intent leads to nothing
#   spent        it was stated for another purpose, and untrusted data contains it, too
#   tainted      the task has read data that others may have written
#   unseen       results went to the agent unseen, so a value may come from them
#   full         more was read than remit remembers, or its reader has ended: the unknown may be untrusted
#   participants `unread`: the call goes to those who take part in a stored thing, and the task has not read who they are
#   unheard      no words of a person are known, and the task type has it asked (`without_words: ask`)
#
# Calls that the person clearly did not request are refused. An approver is asked only if a person can decide.
package remit

import input.context.effect
import input.context.flow
import input.resource.described

# -- where to -----------------------------------------------------------------------------------------------------

# METADATA
# custom:
#   reason: "the destination of `{tool}` comes from untrusted data, or the person never stated it"
#   remediation: have the person state the destination, in the intent or in a later message
forbid contains "flow/destination" if {
	described
	misdirected
}

misdirected if flow.spent

misdirected if {
	flow.destination == "untrusted"
	not flow.destination_pointed
}

misdirected if {
	flow.destination == "untrusted"
	not flow.asked
	not flow.delegated
	flow.plan != "planned"
	not near_read
}

# In prose of a source that the person pointed to, without describing anyone there: the source is the attack.
misdirected if {
	flow.destination_free
	not near_read
}

# One of a list of places: what the task has read would go where no word of the person leads.
misdirected if {
	far_reaching
	flow.tainted
	not flow.unheard
	flow.destination_among
	not flow.content in {"none", "intent"}
}

misdirected if {
	far_reaching
	flow.tainted
	flow.closed
}

# From nowhere: the agent made it, and untrusted data may have told it how. No approver can know better.
misdirected if {
	far_reaching
	flow.tainted
	flow.destination == "unknown"
	not flow.unheard
	unaccounted
}

unaccounted if {
	not flow.unseen
	not flow.destination_clean
}

unaccounted if flow.full

unaccounted if {
	not flow.anchored
	not flow.asked
	flow.plan != "planned"
}

near_read if {
	effect == "none"
	flow.destination_near
}

# METADATA
# custom:
#   reason: "the person has not stated the destination of `{tool}`"
#   remediation: have this exact call approved, or have the person state the destination
#   otherwise: approval
#   bounded: 10
forbid contains "flow/ask-destination" if {
	described
	far_reaching
	unstated_destination
	not reads_on
}

unstated_destination if flow.destination in {"untrusted", "unknown"}

# Only trusted, or stated by the person for another purpose, as far as the person's words show.
unstated_destination if {
	flow.destination != "none"
	not flow.destination_reached
	flow.tainted
}

# Reading on from a source that the person named: a complete link in it carries no data out.
reads_on if {
	near_read
	flow.destination_pointed
	wanted
}

# Who takes part in the thing is known only after a look-up, which costs no one a question.
# METADATA
# custom:
#   reason: "`{tool}` goes to those who take part in a stored thing, and this task has not read who they are"
#   remediation: read it first with the tool that shows its participants
forbid contains "flow/unread-participants" if {
	described
	flow.participants == "unread"
}

# -- which one ----------------------------------------------------------------------------------------------------

# METADATA
# custom:
#   reason: "the object that `{tool}` would change was neither stated by the person nor found through the person's words"
#   remediation: have the person name the object, in the intent or in a later message
forbid contains "flow/selector" if {
	selects_tainted
	object_unasked
	not flow.selector_reached
	not flow.selector_pointed
	not object_unheard
}

selects_tainted if {
	changes
	described
	flow.tainted
	flow.selector != "none"
}

object_unasked if flow.selector == "untrusted"

object_unasked if {
	not wanted
	not delegated_change
}

delegated_change if {
	flow.delegated
	effect == "reversible"
}

# Without words no object can be reached. What untrusted data names is asked about only if it can be undone inside.
object_unheard if {
	flow.unheard
	flow.selector != "untrusted"
}

object_unheard if {
	flow.unheard
	undone_inside
}

undone_inside if {
	effect == "reversible"
	input.context.audience != "external"
}

# A reversible internal change of an object from a source that the person points to passes if it was requested.
# METADATA
# custom:
#   reason: "the object that `{tool}` would change was found in data that others may have written"
#   remediation: have this exact call approved, or have the person name the object
#   otherwise: approval
#   bounded: 10
forbid contains "flow/ask-selector" if {
	selects_tainted
	not flow.selector_reached
	not object_requested
}

object_requested if {
	object_pointed
	wanted
}

object_requested if {
	object_pointed
	flow.handed
}

object_pointed if {
	flow.selector_pointed
	not flow.doubtful
	undone_inside
}

# A person's record, reads included: the person's number alone, wherever it was read, gives no access.
# METADATA
# custom:
#   reason: "`{tool}` concerns a person that this task is not about"
#   remediation: have the person name the person concerned, or find the record through that person's data
forbid contains "flow/personal" if {
	described
	flow.personal != "none"
	not flow.personal_reached
}

# Where a parameter names the person, words open no other person's record.
# METADATA
# custom:
#   reason: "`{tool}` concerns a record that was named in words, and a parameter of this task names the person"
#   remediation: find the record through the parameter that names the person
forbid contains "flow/personal-words" if {
	described
	flow.personal != "none"
	flow.personal_reached
	flow.personal_given
	not flow.personal_parameter
}

# -- what ---------------------------------------------------------------------------------------------------------

# The recipient may be stated although the content serves another person's purpose.
# METADATA
# custom:
#   reason: "`{tool}` would send an address or link from untrusted data to a recipient named in untrusted data"
#   remediation: have the person state what to send, in a later message
forbid contains "flow/errand" if {
	sends_foreign
	flow.crossed
	not flow.content_near
}

# METADATA
# custom:
#   reason: "`{tool}` would send an address or link from untrusted data"
#   remediation: have this exact call approved, or have the person state what to send
#   otherwise: approval
forbid contains "flow/ask-errand" if sends_foreign

sends_foreign if {
	changes
	described
	input.context.audience != "self"
	flow.tainted
	flow.content_foreign
}

# -- how much -----------------------------------------------------------------------------------------------------

# METADATA
# custom:
#   reason: "`{tool}` would use an amount from untrusted data, and the person stated another amount"
#   remediation: have the person state the amount, in the intent or in a later message
forbid contains "flow/amount" if {
	changes
	described
	flow.tainted
	amount_of_others
	flow.amount_differs
	not flow.amount_computed
}

amount_of_others if flow.amount == "untrusted"

amount_of_others if {
	flow.amount == "unknown"
	not input.resource.financial
}

# METADATA
# custom:
#   reason: "`{tool}` would use an amount that the person has not stated"
#   remediation: have this exact call approved, or have the person state the amount
#   otherwise: approval
forbid contains "flow/ask-amount" if {
	changes
	described
	flow.tainted
	flow.amount != "none"
	not flow.amount_reached
	amount_unsure
}

amount_unsure if flow.amount == "untrusted"

# If the person stated no amount, untrusted data in other words must not move money.
amount_unsure if {
	flow.amount_differs
	not flow.amount_computed
}

amount_unsure if {
	input.resource.financial
	flow.amount == "unknown"
	not flow.amount_computed
}

# Untrusted data may ask for a second payment like the first.
# METADATA
# custom:
#   reason: "`{tool}` would repeat a payment that the person stated once"
#   remediation: have this exact call approved, or have the person state how often, in a later message
#   otherwise: approval
forbid contains "flow/ask-repeated" if {
	changes
	described
	flow.tainted
	flow.repeated
}

# -- what it runs -------------------------------------------------------------------------------------------------

# METADATA
# custom:
#   reason: "`{tool}` would run code that others may have written"
#   remediation: have the person state the code, or run it in an isolated environment
forbid contains "flow/code" if {
	described
	code_of_others
}

code_of_others if flow.code == "untrusted"

code_of_others if {
	flow.code == "unknown"
	flow.tainted
	flow.full
}

# METADATA
# custom:
#   reason: "this task has read untrusted data, and `{tool}` would run code that the person has not stated"
#   remediation: have this exact call approved
#   otherwise: approval
forbid contains "flow/ask-code" if {
	described
	flow.code == "unknown"
	flow.tainted
}

# An argument that is a secret: a password, a one-time code.
# METADATA
# custom:
#   reason: "a secret that the person did not state would go to `{tool}`"
#   remediation: have the person give the secret as a parameter of the task
forbid contains "flow/secret" if {
	described
	flow.secret != "none"
	not flow.secret_reached
	not code_for_call
}

# A one-time code that arrived for this call, where the person stated everything else of the call.
code_for_call if {
	flow.secret_code
	wanted
}

# If outsiders can have chosen the sender, the code may be theirs.
# METADATA
# custom:
#   reason: "`{tool}` would take a one-time code from a message whose sender no server has checked"
#   remediation: have this exact call approved, or have the person give the code
#   otherwise: approval
forbid contains "flow/ask-secret" if {
	described
	flow.secret_code
	not flow.secret_proven
}

# A code goes to the argument that it is for, and nowhere else.
# METADATA
# custom:
#   reason: "`{tool}` would pass on a one-time code"
#   remediation: have the person ask for the code to be sent, and name the recipient
forbid contains "flow/disclosed-code" if {
	described
	flow.discloses_code
}

# An argument whose value is a power (a role, a visibility), beyond the least.
# METADATA
# custom:
#   reason: "`{tool}` would give a power that only untrusted data mentions"
#   remediation: have the person state it where they ask for the call, in a later message
forbid contains "flow/choice" if {
	described
	flow.choice == "untrusted"
}

# METADATA
# custom:
#   reason: "`{tool}` would give a power that the person has not stated"
#   remediation: have this exact call approved, or use the least power
#   otherwise: approval
forbid contains "flow/ask-choice" if {
	described
	flow.choice != "none"
	not flow.choice_reached
}

# -- whether at all -----------------------------------------------------------------------------------------------

# METADATA
# custom:
#   reason: "this task has read untrusted data, and the person did not ask for the action of `{tool}`"
#   remediation: have the person ask for it in a later message, or declare it in the plan before anything is read
forbid contains "flow/unasked" if {
	unasked
	not handed_on
	not handed_to_field
	not exact_read
	not reversible_reached
	not pointed_read

	# No words of the person are known, so nothing shows whether they asked.
	not flow.unheard
}

unasked if {
	described
	far_reaching
	flow.tainted
	flow.plan == "none"
	not flow.asked
}

handed_on if {
	flow.handed
	flow.anchored
}

handed_on if {
	flow.handed
	flow.selector != "none"
	flow.selector_pointed
}

# What that author asks for goes to no address in prose: to a field of a record, the only one like it.
handed_to_field if {
	flow.handed
	flow.destination_structured
	not flow.doubtful
	not flow.closed
	known_destination
}

known_destination if flow.destination_pointed

known_destination if flow.destination == "trusted"

# An address that the person wrote as a whole: reading it discloses nothing that the person has not written.
exact_read if {
	effect == "none"
	flow.exact
}

# What can be undone inside, on objects that the person's words lead to, is worth a question.
reversible_reached if {
	undone_inside
	flow.anchored
	flow.destination_reached
	flow.selector_reached
}

pointed_read if {
	near_read
	flow.destination_pointed
}

# A request of an author that the person delegates to, on objects that the person names, needs no further request.
# METADATA
# custom:
#   reason: "this task has read untrusted data, and the person did not ask for the action of `{tool}`"
#   remediation: have this exact call approved, or have the person ask for it in a later message
#   otherwise: approval
#   bounded: 10
forbid contains "flow/ask-unasked" if {
	unasked
	not exact_read
	not handed_anchored
	not handed_inside
}

handed_anchored if {
	flow.handed
	flow.anchored
	effect == "reversible"
}

handed_anchored if {
	flow.handed
	flow.anchored
	flow.destination != "none"
}

handed_inside if {
	handed_on
	undone_inside
}

# Beyond the plan, only the person's words lead to a call: to its action, and to all that it concerns.
# METADATA
# custom:
#   reason: "this task has read untrusted data, its plan does not include this call of `{tool}`, nor do the person's words"
#   remediation: have the person ask for it in a later message, or have the plan extended
forbid contains "flow/unplanned" if {
	unplanned
	not led_to
	not exact_read
}

unplanned if {
	described
	far_reaching
	flow.tainted
	flow.plan == "unplanned"
}

led_to if {
	flow.asked
	flow.destination_reached
	flow.selector_reached
}

# METADATA
# custom:
#   reason: "this task has read untrusted data, and its plan does not include this call of `{tool}`"
#   remediation: have this exact call approved, or have the plan extended
#   otherwise: approval
#   bounded: 10
forbid contains "flow/ask-unplanned" if unplanned

# Reads beyond the plan are refused instead of asked about call by call: one plan extension covers all of them.
# METADATA
# custom:
#   reason: "this task has read untrusted data, and its plan does not include `{tool}`"
#   remediation: "have the plan extended: `remit task plan`, or `extend_plan` of the SDK"
forbid contains "flow/unplanned-read" if {
	described
	not far_reaching
	flow.tainted
	flow.plan == "unplanned"
}

# Each zone of the data's path adds people who could have changed it.
# METADATA
# custom:
#   reason: the data of this task has crossed more trust zones than it may
#   remediation: "use a separate task, or raise `max_crossings` in remit.yaml"
forbid contains "flow/crossings" if input.context.crossings > input.context.max_crossings
