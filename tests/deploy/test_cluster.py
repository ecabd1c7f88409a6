# SPDX-License-Identifier: Apache-2.0
"""What the chart renders runs: two replicas, on a real PostgreSQL, and a governed call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from pathlib import Path

import pytest

from tests.deploy.authority import Authority
from tests.deploy.chart import NAMESPACE, VALUES, rendered
from tests.deploy.cluster import AGENT_USER, Cluster, Pod
from tests.deploy.containers import Mount
from tests.deploy.image import built_image
from tests.deploy.networks import Network
from tests.servers.postgres_server import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.long]

TEMPLATES = Path(str(resources.files("remit"))) / "templates"
PARTS = ("policies/*.cedar", "tools/*.yaml", "tasks/*.yaml")
#: The sample's server, over HTTP.
NOTES = """
import runpy, sys
runpy.run_path(sys.argv[2])["server"].run("streamable-http", host=sys.argv[3])
"""
AGENT = """
import asyncio, os
from mcp import Client

async def main():
    async with Client(os.environ["REMIT_MCP_URL"] + "/notes") as notes:
        print((await notes.call_tool("read_note", {"name": "shopping"})).content[0].text)
        print((await notes.call_tool("read_note", {"name": "diary"})).is_error)

asyncio.run(main())
"""
CALL = """
import ssl, sys, urllib.request
trusted = ssl.create_default_context(cafile="/run/secrets/tls/ca.crt")
print(urllib.request.urlopen(sys.argv[1], context=trusted).status)
"""
REMIT_YAML = """
upstreams: {notes: {url: "http://notes:8000/mcp"}}
sign_in: {remote_codes: true}   # behind TLS
replica: {lease_ms: 30000}      # a machine that is busy with other tests renews leases late
"""


def bundle() -> dict[str, str]:
    """Return the sample's bundle, with its server elsewhere."""
    found = [one for part in PARTS for one in TEMPLATES.glob(part)]
    return {one.relative_to(TEMPLATES).as_posix(): one.read_text() for one in found} | {
        "remit.yaml": REMIT_YAML
    }


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A server that answers on every address of this machine."""
    server = PostgresServer()
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write("listen_addresses = '*'\n")
    with (server.data / "pg_hba.conf").open("a") as rights:
        rights.write("host all all 10.213.0.0/16 scram-sha-256\n")
    server.start()
    yield server
    server.remove()


def until(true: Callable[[], object], cluster: Cluster) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 180
    while not true():
        for pod in cluster.pods:
            assert pod.process is None or pod.process.poll() is None, pod.log.read_text()
        assert time.monotonic() < end, [pod.log.read_text() for pod in cluster.pods]
        time.sleep(0.2)


def probed(pods: list[Pod], name: str) -> bool:
    """Return whether all pods answer a probe."""
    return all(pod.probed(name) for pod in pods)


def _govern(cluster: Cluster, authority: Authority, public: str, code: str) -> None:
    """Sign the administrator in, register an agent, and let it call a tool in a task, from another pod."""
    home, trusted = cluster.folder / "home", cluster.folder / "ca.pem"
    home.mkdir(mode=0o700)
    os.chown(home, AGENT_USER, AGENT_USER)
    (home / "agent.py").write_text(AGENT)
    trusted.write_bytes(authority.pem)
    agent = cluster.client([Mount("/home", home, writable=True), Mount("/etc/remit-ca.pem", trusted)])
    agent.env |= {"REMIT_URL": public, "REMIT_CA_FILE": "/etc/remit-ca.pem", "HOME": "/home"}

    def said(*words: str, given: str = "") -> str:
        done = agent.run("remit", *words, given=given)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    said("login", "--code-stdin", given=code)
    key_file = ("--key", "/home/note-bot.key.json")
    said("agent", "register", "note-bot", "--owner", "admin", "--purpose", "tidies", *key_file)
    task = ("--agent", "note-bot", *key_file, "--task", "tidy-note", "-p", "note=shopping")
    told = said("run", *task, "--", "python3", "/home/agent.py")
    assert "milk" in told
    assert "True" in told
    assert len(json.loads(said("who", "--json"))["replicas"]) == 2


def test_two_replicas_of_the_chart_govern_a_call(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> None:
    """They start at the same moment on an empty database, are found ready by their probes, reach each other
    by name over TLS, and end in order.
    """
    image = built_image(tmp_path_factory)
    authority = Authority()
    public = "https://remit.example.com:8700"
    values = VALUES | {"replicas": 2, "publicUrl": public, "bundle": bundle()}
    with Network() as network:
        cluster = Cluster(tmp_path, image, network, NAMESPACE)
        names = ("remit.example.com", f"*.remit-replicas.{NAMESPACE}.svc")
        certificate, key = authority.issue(*names)
        cluster.secret("remit-tls", {"tls.crt": certificate, "tls.key": key, "ca.crt": authority.pem})
        address = postgres.url("remit").replace("127.0.0.1", network.address)
        postgres.ask("create database remit encoding 'UTF8' template template0")
        cluster.secret("remit", {"postgres": address})
        pods = cluster.replicas(rendered(tmp_path, values))
        cluster.name("remit.example.com", pods[0].address)
        place, reached = network.place()
        cluster.name("notes", reached)
        notes = (str(TEMPLATES / "notes"), str(TEMPLATES / "servers/notes.py"), reached)
        upstream = subprocess.Popen(["ip", "netns", "exec", place, sys.executable, "-c", NOTES, *notes])
        try:
            for pod in pods:
                pod.start()
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                until(partial(probed, pods, probe), cluster)
            _govern(cluster, authority, public, pods[0].told(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b"))
            # Each accepts the certificate of the other, under the name that it is called by.
            other = pods[1].container.env["REMIT_ADDRESS"]
            assert "200" in pods[0].run("python3", "-c", CALL, f"{other}/health/live")
            # Every line of its log is for a collector of logs; nothing is written but keys, head and memory.
            # The task's owner has the line of the call: the replica that was reached, or the other.
            assert any('"outcome"' in pod.log.read_text() for pod in pods)
            assert {one.name for one in (tmp_path / "remit-state").iterdir()} == {"keys", "head"}
            for pod in pods:
                assert pod.process is not None
                assert pod.container.stop(pod.process) == 0
        finally:
            cluster.end()
            upstream.kill()
            upstream.wait()
