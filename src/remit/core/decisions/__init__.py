# SPDX-License-Identifier: Apache-2.0
"""Access requests, decisions, approvals, and the nine steps of a call as values.

A decision says permit, deny or ask, by which rule, and with what remediation. Nothing here evaluates a policy
(`services.policy`) or sends a call (`services.mediation`).
"""
