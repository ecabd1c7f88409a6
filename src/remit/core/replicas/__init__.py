# SPDX-License-Identifier: Apache-2.0
"""What replicas of one store tell each other: leases, wake-ups and forwarded requests.

The store arbitrates; nothing here elects anybody.
"""
