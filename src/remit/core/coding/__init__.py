# SPDX-License-Identifier: Apache-2.0
"""Coding assistants: what their built-in tools do, in remit's terms.

A client's call (`Bash`, `Read`, `apply_patch` ...) becomes a call of one of a few tools that the file
`templates/coding/tools.yaml` describes, the same for every client. Shell commands are parsed into programs,
paths and hosts; nothing is executed. It is not about MCP servers, and not about transcripts.
"""
