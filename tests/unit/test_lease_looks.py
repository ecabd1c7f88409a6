# SPDX-License-Identifier: Apache-2.0
"""What `remit doctor` says of the sources of leased credentials."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.cli.lease_checks import lease_looks
from remit.cli.look import Look
from remit.config.load import load_config


def looks(folder: Path, port: int) -> list[Look]:
    """Look at a lease of a GitHub App whose interface is at a port of this machine."""
    github = {
        "api_url": f"http://127.0.0.1:{port}",
        "app": "Iv23li",
        "installation": 1,
        "private_key": "file:app.pem",
        "owner": "acme",
        "repositories": ["crm"],
        "permissions": {"contents": "read"},
    }
    code = {"url": "https://code.example.com/mcp", "lease": {"github": github}}
    (folder / "remit.yaml").write_text(json.dumps({"upstreams": {"code": code}}))
    return list(lease_looks(load_config(folder)))


@pytest.fixture
def listening() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_source_that_can_be_asked_is_well(tmp_path: Path, listening: int) -> None:
    """Its address can be reached, and its key of many lines can be read."""
    key = tmp_path / "app.pem"
    key.write_text("-----BEGIN\nAAAA\n-----END\n")
    key.chmod(0o600)
    (look,) = looks(tmp_path, listening)
    assert (look.subject, look.state) == ("lease for code", "ok")


def test_what_is_missing_is_said(tmp_path: Path, listening: int) -> None:
    """A secret that cannot be read, one that others can read, and an address where nobody listens."""
    (look,) = looks(tmp_path, listening)
    assert look.state == "fail"
    assert "app.pem" in look.says
    key = tmp_path / "app.pem"
    key.write_text("hunter2")
    key.chmod(0o644)
    (look,) = looks(tmp_path, listening)
    assert "open to other users" in look.says
    assert "hunter2" not in f"{look}"
    key.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    (look,) = looks(tmp_path, port)
    assert f"`127.0.0.1:{port}` (`api_url`) is not reachable" in look.says
