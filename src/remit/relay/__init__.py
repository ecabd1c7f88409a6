# SPDX-License-Identifier: Apache-2.0
"""The relay of a task: local MCP and HTTP endpoints for a program, forwarded to the gateway with the task's
token.
"""
