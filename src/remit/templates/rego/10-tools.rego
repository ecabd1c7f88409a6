# SPDX-License-Identifier: Apache-2.0
# Tools that are not reviewed, or that have changed since the review.
package remit

# The upstream changed the tool's description or schema, or no longer offers it.
# METADATA
# custom:
#   reason: "`{tool}` differs from the reviewed version: its upstream has changed or removed it"
#   remediation: "review it with `remit tool diff {tool}`, then run `remit tool accept {tool}`"
forbid contains "tools/changed" if input.resource.state in {"changed", "gone"}

# A tool without a file in tools/ counts as an untrusted source with an irreversible external effect. An approver may
# permit a single call; describing the tool ends the questions.
# METADATA
# custom:
#   reason: "`{tool}` has no description, so it counts as irreversible and external"
#   remediation: "describe `{tool}` in tools/, or have this call approved"
#   otherwise: approval
forbid contains "tools/undescribed" if not input.resource.described
