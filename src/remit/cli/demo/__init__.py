# SPDX-License-Identifier: Apache-2.0
"""`remit demo`: the story, end to end, on real MCP servers."""
