# SPDX-License-Identifier: Apache-2.0
"""Bounds that several packages share: rates, floods, request bodies, deadlines, time slices.

Budgets of tasks are in `services.tasks`.
"""
