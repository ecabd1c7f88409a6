# SPDX-License-Identifier: Apache-2.0
"""GitHub: workflows, tokens, apps and keys, and what their holders and outsiders could gain. Pure."""
