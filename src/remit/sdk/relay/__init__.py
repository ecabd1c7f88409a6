# SPDX-License-Identifier: Apache-2.0
"""The relay of a task: local MCP and HTTP endpoints of a program, carried to the gateway with its token."""
