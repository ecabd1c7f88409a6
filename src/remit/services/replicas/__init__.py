# SPDX-License-Identifier: Apache-2.0
"""This process among the replicas of one store: membership, ownership of tasks, forwarding, wake-up.

Work that a lost replica leaves open is ended in `services.endings`.
"""
