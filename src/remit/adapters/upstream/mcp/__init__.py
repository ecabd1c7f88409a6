# SPDX-License-Identifier: Apache-2.0
"""MCP servers as upstreams, over streamable HTTP and over standard streams."""
