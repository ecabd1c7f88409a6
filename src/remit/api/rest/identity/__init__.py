# SPDX-License-Identifier: Apache-2.0
"""REST endpoints for agents, people, delegations, keys and sign-in."""
