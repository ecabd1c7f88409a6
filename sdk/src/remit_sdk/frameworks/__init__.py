# SPDX-License-Identifier: Apache-2.0
"""Adapters for agent frameworks, each at the framework's own seam. Import the one that you use."""
