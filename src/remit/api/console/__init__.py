# SPDX-License-Identifier: Apache-2.0
"""The console: pages on which people see what agents are and may do, answer questions, and end things."""
