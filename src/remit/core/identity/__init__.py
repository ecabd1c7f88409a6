# SPDX-License-Identifier: Apache-2.0
"""Principals: agents, people and workloads, and the proof of identity of each.

Formats of proofs (SVIDs, platform tokens) are parsed and judged here. Tokens that remit issues are in
`core.oauth`.
"""
