# SPDX-License-Identifier: Apache-2.0
"""What identities may do by the exports of their providers, and how they could gain more.

Each provider has its own room: its documents, its rules of permission, its steps of escalation. Pure.
"""
