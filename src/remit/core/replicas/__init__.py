# SPDX-License-Identifier: Apache-2.0
"""Messages between replicas of one store: leases, wake-ups and forwarded requests.

The store arbitrates; there is no election.
"""
