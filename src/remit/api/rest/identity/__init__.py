# SPDX-License-Identifier: Apache-2.0
"""REST routes about agents, people, delegations, keys and sign-in."""
