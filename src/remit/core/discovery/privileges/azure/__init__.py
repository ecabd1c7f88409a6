# SPDX-License-Identifier: Apache-2.0
"""Azure: role assignments, deny assignments, vaults and managed identities. Pure.

Entra roles and the membership of groups are not in these exports and are not looked at.
"""
