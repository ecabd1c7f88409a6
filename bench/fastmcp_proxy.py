# SPDX-License-Identifier: Apache-2.0
"""A plain `fastmcp` proxy: `python -m bench.fastmcp_proxy UPSTREAM PORT`."""

import sys

from fastmcp.server import create_proxy

if __name__ == "__main__":
    upstream, port = sys.argv[1:]
    proxy = create_proxy(upstream, name="proxy")
    proxy.run(
        transport="http",
        host="127.0.0.1",
        port=int(port),
        path="/mcp",
        json_response=True,
        show_banner=False,
        log_level="ERROR",
        uvicorn_config={"access_log": False},
    )
