# SPDX-License-Identifier: Apache-2.0
"""Tasks from opening to their last call: rules of opening, live state, budgets.

How a task ends is in `services.endings`.
"""
