# SPDX-License-Identifier: Apache-2.0
"""The MCP endpoint: streamable HTTP in both protocol eras, at `/mcp/{upstream}` and `/mcp`."""

from remit.gateway.mcp.endpoint import McpEndpoint as McpEndpoint
from remit.gateway.mcp.endpoint import McpLimits as McpLimits
