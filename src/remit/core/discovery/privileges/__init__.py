# SPDX-License-Identifier: Apache-2.0
"""What identities of cloud providers and platforms may do, from exports of their permissions.

Each provider has a room. A room judges only what its export holds: what it does not hold is unknown, and a
finding says so.
"""
