# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as a source of credentials: one role per task, dropped when the task ends."""
