# SPDX-License-Identifier: Apache-2.0
"""The revocation race: what passes an MCP gateway after the end of an agent's access (see README.md)."""
