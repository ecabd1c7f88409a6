# SPDX-License-Identifier: Apache-2.0
"""A FastMCP proxy that introspects tokens: `python fastmcp_introspecting.py UPSTREAM PORT INTROSPECTION`."""

import sys

import httpx2
from fastmcp.server import create_proxy
from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier

if __name__ == "__main__":
    upstream, port, introspection = sys.argv[1:]
    verifier = IntrospectionTokenVerifier(
        introspection_url=introspection,
        client_id="gateway",
        client_secret="unused",
        http_client=httpx2.AsyncClient(timeout=10),
    )
    proxy = create_proxy(upstream, name="proxy", auth=verifier)
    proxy.run(transport="http", host="127.0.0.1", port=int(port), path="/mcp", show_banner=False)
