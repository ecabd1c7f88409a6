# SPDX-License-Identifier: Apache-2.0
"""Binds the rows of state to the log."""
