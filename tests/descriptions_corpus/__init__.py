# SPDX-License-Identifier: Apache-2.0
"""Freely written descriptions of tools, poisoned and ordinary: see README.md."""
