# SPDX-License-Identifier: Apache-2.0
"""People at their browsers: sign-in, passkeys, consent, delegations, connections, and erasure.

Roles and permissions are in `services.identity`.
"""
