# SPDX-License-Identifier: Apache-2.0
"""What `remit doctor` says of the sources of leased credentials."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from remit.cli.doctor.check import Check
from remit.cli.doctor.credentials import lease_looks
from remit.config.load import load_config
from tests.conformance.brokers import AtPostgres
from tests.servers.postgres_server import PostgresServer


def looks(folder: Path, port: int) -> list[Check]:
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
    """Provide a port at which a process listens."""
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
    """A secret that cannot be read, one that others can read, and an address where no process listens are
    reported.
    """
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


def looks_at(folder: Path, place: AtPostgres, *grants: str) -> list[Check]:
    """Look at a lease of a database's roles."""
    postgres = {"admin": "env:CRM_DATABASE", "grants": grants}
    crm = {
        "url": "https://crm.example.com/mcp",
        "lease": {"postgres": postgres, "headers": place.HEADERS},
    }
    (folder / "remit.yaml").write_text(json.dumps({"upstreams": {"crm": crm}}))
    with mock.patch.dict(os.environ, {"CRM_DATABASE": place.admin_url}):
        return list(lease_looks(load_config(folder)))


def test_what_a_tasks_role_could_leave_behind_is_told(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """A schema in which every role may create, as before PostgreSQL 15, is one note; and no role is left."""
    place = AtPostgres(postgres_server)
    postgres_server.ask("grant create on schema public to public", database=place.database)
    reached, *notes = looks_at(tmp_path, place, *place.GRANTS)
    assert reached.state == "ok"
    assert {one.state for one in notes} == {"note"}
    (told,) = [one for one in notes if "schema" in one.says]
    assert told.says == "a task's role may create in schema `public`"
    assert "revoke create on schema" in told.remediation
    assert place.roles() == set()


def test_a_role_that_no_end_would_find_all_of_fails(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """It could create roles; a grant that the database refuses is also reported."""
    place = AtPostgres(postgres_server)
    for grant, told in (
        ("alter role {role} createrole", "could create roles"),
        ("grant select on nothing to {role}", "refuses: 42P01"),
    ):
        _, look = looks_at(tmp_path, place, grant)
        assert look.state == "fail"
        assert told in look.says
    assert place.roles() == set()
