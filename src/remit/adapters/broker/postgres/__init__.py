# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as a source of credentials: a role for a task, dropped when it ends."""
