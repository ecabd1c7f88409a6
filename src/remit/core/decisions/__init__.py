# SPDX-License-Identifier: Apache-2.0
"""Access requests, decisions, approvals, and the nine steps of a call as values.

A decision states the outcome (permit, deny or defer), the deciding rule and the remediation. Nothing here
evaluates a policy (`services.policy`) or sends a call (`services.mediation`).
"""
