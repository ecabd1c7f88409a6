# SPDX-License-Identifier: Apache-2.0
"""The examples for other gateways: their own validation, and calls through what they make of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.http_line import Line
from tests.deploy.authority import Authority
from tests.deploy.chart import program
from tests.gateways.remit_up import Remit, furnished
from tests.gateways.several_replicas import until
from tests.servers.envoy_gateway import (
    ITS_NAME,
    REMITS_NAME,
    example,
    for_upstreams,
    installed,
    static,
    translate,
)
from tests.servers.envoy_server import address, running
from tests.servers.ports import free_port

pytestmark = pytest.mark.slow

Json = Any
#: The server of `remit init` over HTTP: its folder, and its port.
SERVE = (
    "import sys, uvicorn; sys.path.insert(0, 'servers'); import notes;"
    "uvicorn.run(notes.server.streamable_http_app(), port=int(sys.argv[2]))"
)


def example_of(**changed: Json) -> list[Json]:
    """Return the example for the upstream `notes`, with other values of `extAuth`."""
    objects = for_upstreams(example("envoy-gateway.yaml"), ["notes"])
    (policy,) = [one for one in objects if one["kind"] == "SecurityPolicy"]
    policy["spec"]["extAuth"] |= changed
    return objects


def listening(folder: Path, authority: Authority, front: int, asked: int) -> str:
    """Write remit's certificate; return what `remit.yaml` says of the gateway."""
    for part, content in zip(("pem", "key"), authority.issue(REMITS_NAME), strict=True):
        (folder / f"asked.{part}").write_bytes(content)
    (folder / "asked.key").chmod(0o600)
    (folder / "ca.pem").write_bytes(authority.pem)
    ask = {
        "upstreams": ["notes"],
        "host": "127.0.0.1",
        "port": asked,
        "clients": [ITS_NAME],
        "certificate": str(folder / "asked.pem"),
        "key": str(folder / "asked.key"),
        "clients_ca": str(folder / "ca.pem"),
    }
    return "listen: " + json.dumps({"public_url": f"http://127.0.0.1:{front}", "ext_authz": ask}) + "\n"


@contextlib.contextmanager
def upstream(folder: Path, port: int) -> Iterator[Path]:
    """Serve the notes over HTTP; gives the file that has a line for each request."""
    log = folder.parent / "notes.log"
    with log.open("wb") as told:
        line = [sys.executable, "-c", SERVE, "notes", str(port)]
        serving = subprocess.Popen(line, cwd=folder, stdout=told, stderr=told)
        try:
            yield log
        finally:
            serving.kill()
            serving.wait()


@asynccontextmanager
async def gateway(folder: Path, objects: Json, front: int, ports: dict[str, int]) -> AsyncIterator[None]:
    """Run an Envoy with what the gateway makes of objects; TLS to the port that is asked is the gateway's."""
    config = static(folder, objects)
    (listener,) = config["static_resources"]["listeners"]
    listener["address"] = address(front)
    del listener["filter_chains"][0]["transport_socket"]
    for cluster in config["static_resources"]["clusters"]:
        place = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
        place["endpoint"]["address"] = address(ports[cluster["name"]])
        if cluster["name"] == "remit":  # without TLS here
            for tls in ("transport_socket", "transport_socket_matches", "typed_extension_protocol_options"):
                del cluster[tls]

    async def ready() -> bool:
        return await opened(front)

    async with running(folder, config, free_port(), ready):
        yield


async def opened(port: int) -> bool:
    """Return whether a port is open."""
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


async def unproven(front: int) -> int:
    """Send a call without a token through the gateway; gives its status."""
    line = await Line.to(front)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_notes"}}
    given = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    try:
        return (await line.ask("POST", "/mcp/notes", given, json.dumps(call).encode()))[0]
    finally:
        line.close()


async def test_gateways_own_translation_enforces_what_a_running_remit_decides(tmp_path: Path) -> None:
    """A permitted call reaches the upstream. A refused one does not, nor any while remit is away; with
    `failOpen` it would.
    """
    authority = Authority()
    front, own, asked, notes = (free_port() for _ in range(4))
    ports = {"remit": own, "ext_authz-notes": asked, "notes": notes}
    more, beside = listening(tmp_path, authority, front, asked), installed(authority)
    with contextlib.ExitStack() as stack:
        async with gateway(tmp_path, [*example_of(), *beside], front, ports):
            up = furnished(tmp_path, port=own, at=f"http://127.0.0.1:{own}", more=more)
            house = await asyncio.to_thread(stack.enter_context, up)
            log = stack.enter_context(upstream(house.folder, notes))
            await until(lambda: opened(notes))
            task = await asyncio.to_thread(opens, house)
            house.url = f"http://127.0.0.1:{front}"  # for the agent
            told = await asyncio.to_thread(house.call, task, "read_note", {"name": "shopping"})
            assert not told["result"].get("isError"), told
            assert log.read_text().count('"POST /mcp') == 1
            told = await asyncio.to_thread(house.call, task, "read_note", {"name": "meeting"})
            assert told["error"]["code"] == -32001
            assert await unproven(front) == 401
            made = await asyncio.to_thread(house.ask, "audit", "log", "--kind", "decision.made")
            assert [(one["facts"]["outcome"], one["facts"]["enforced_by"]) for one in made["items"]] == [
                ("permit", "envoy"),
                ("deny", "envoy"),
            ]
            await asyncio.to_thread(house.stop)
            assert await unproven(front) == 503
            assert log.read_text().count('"POST /mcp') == 1
        async with gateway(tmp_path, [*example_of(failOpen=True), *beside], front, ports):
            await unproven(front)
            assert log.read_text().count('"POST /mcp') == 2


def opens(house: Remit) -> str:
    """Open a task of the agent."""
    task: str = house.ask(
        "task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana"
    )["id"]
    return task


def test_gateway_takes_the_examples_and_no_field_that_it_does_not_know(tmp_path: Path) -> None:
    """Also the part of the example for Envoy AI Gateway that is of the same type."""
    beside = installed(Authority())
    (route,) = example("ai-gateway.yaml")
    changes: tuple[Json, ...] = ({}, route["spec"]["securityPolicy"]["extAuth"])
    for changed in changes:
        assert translate(tmp_path, [*example_of(**changed), *beside]).returncode == 0
    done = translate(tmp_path, [*example_of(failClosed=True), *beside])
    assert done.returncode != 0
    assert "failClosed" in done.stderr


def test_istio_takes_its_example_which_leaves_no_route_out(tmp_path: Path) -> None:
    """Its program knows the objects' fields. Each route to an upstream is asked about, and sent once."""
    objects = {one["kind"]: one["spec"] for one in example("istio.yaml")}
    file = tmp_path / "istio.yaml"
    line = [program("istioctl", "gateways"), "validate", "--filename", str(file)]

    def validated(text: str) -> int:
        file.write_text(text)
        return subprocess.run(line, capture_output=True, check=False).returncode

    text = yaml.safe_dump_all(example("istio.yaml"))
    assert validated(text) == 0
    for wrong in (text.replace("paths:", "pathes:"), text.replace("timeout: 5s", "timeout: soon")):
        assert validated(wrong) != 0
    (provider,) = objects["IstioOperator"]["meshConfig"]["extensionProviders"]
    policy, routes = objects["AuthorizationPolicy"], objects["VirtualService"]["http"]
    assert (policy["action"], policy["provider"]["name"]) == ("CUSTOM", provider["name"])
    assert provider["envoyExtAuthzGrpc"]["failOpen"] is False
    asked = policy["rules"][0]["to"][0]["operation"]["paths"]
    assert [one["match"][0]["uri"]["exact"] for one in routes if "match" in one] == asked
    assert all(one["retries"] == {"attempts": 0} for one in routes)


@pytest.mark.parametrize("name", ["ai-gateway.yaml", "agentgateway.yaml"])
def test_examples_that_cannot_be_run_fail_closed(name: str) -> None:
    """They send the whole body, wait as long as a decision may take, and let nothing pass without one."""
    text = json.dumps(example(name))
    closed = {"ai-gateway.yaml": '"failOpen": false', "agentgateway.yaml": '"failureMode": "deny"'}
    for part in (closed[name], '"timeout": "5s"', '"maxRequestBytes": 4194304'):
        assert part in text
