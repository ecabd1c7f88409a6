# SPDX-License-Identifier: Apache-2.0
"""Tasks, task types, grants, plans, and the delegation of a task to another agent.

A task permits nothing by itself: each call needs its own decision (`core.decisions`).
"""
