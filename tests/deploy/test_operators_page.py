# SPDX-License-Identifier: Apache-2.0
"""The operator's page works as it stands, but for ports, the database and the lease."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.deploy.wheels import built
from tests.servers.envoy_server import program, secured
from tests.servers.ports import free_port
from tests.servers.postgres_server import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.long]

PAGE = ROOT / "docs/howto/operate-from-nothing.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
NEEDS = ("openssl", "curl", "bash")


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A server of this test alone."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


def _ports() -> tuple[int, int]:
    """Return the first digits of three ports that end in 1, 2 and 3, and one more port."""
    while True:
        ten, rest = divmod(free_port(), 10)
        if rest == 1 and all(free_port() == ten * 10 + one for one in (2, 3)):
            return ten, free_port()


def test_the_page_from_an_empty_folder(tmp_path: Path, postgres: PostgresServer) -> None:
    """Three replicas behind Envoy govern a call, tell their figures, and restart one after the other."""
    for one in NEEDS:
        if shutil.which(one) is None:
            pytest.skip(f"no `{one}` here")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/envoy").symlink_to(program())
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    built(tmp_path)
    postgres.ask("create database remit encoding 'UTF8' template template0")
    ten, front = _ports()
    files = {name: str(tmp_path / "tls" / f"{name}.pem") for name in ("cert", "key", "ca")}
    replicas = [ten * 10 + one for one in (1, 2, 3)]
    (tmp_path / "envoy.yaml").write_text(json.dumps(secured(front, replicas, "localhost", files)))
    blocks = BLOCK.findall(PAGE.read_text())
    script = "\n".join(blocks)
    for old, new in {
        "postgresql://remit:...@db.example.com:5432/remit?sslmode=verify-full": postgres.url("remit"),
        "8443": str(front),
        "870$n": f"{ten}$n",
        # A machine that is busy with other tests renews leases late.
        "replica: {address": "replica: {lease_ms: 30000, address",
        "envoy --config-path": "envoy --disable-hot-restart --concurrency 1 --config-path",
    }.items():
        assert old in script, old
        script = script.replace(old, new)
    env = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    env |= {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    log = tmp_path / "walk.log"
    with log.open("wb") as out:
        walk = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            code = walk.wait(900)
        finally:
            os.killpg(walk.pid, signal.SIGKILL)
    told = log.read_text()
    assert code == 0, (told, *(one.read_text()[-2000:] for one in tmp_path.glob("*.log") if one != log))
    assert "- milk" in told
    # Of three replicas, one has served the call.
    assert re.findall(r'^remit_calls_total\{ended="ok"\} (\d+)$', told, re.MULTILINE) == ["1"]
    assert "nothing left open" in told
