# SPDX-License-Identifier: Apache-2.0
"""`remit doctor` tells what is wrong with the port's certificate before a client does."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from remit.cli.doctor.certificate import certificate_looks, expiry_check
from remit.cli.serve.tls import RenewedContext
from remit.config import Config, load_config
from tests.servers.ports import free_port
from tests.worlds.tls_port import identity, serving

NOW = datetime(2026, 12, 2, tzinfo=UTC)


def written(folder: Path, port: int = 0, url: str = "") -> Config:
    """Return a configuration with the certificate `server` of a folder."""
    (folder / "server.key").chmod(0o600)
    (folder / "remit.yaml").write_text(
        f"listen: {{port: {port or free_port()}, public_url: '{url}', "
        "tls: {certificate: server.pem, key: server.key}}\n"
        "upstreams:\n  notes: {command: [notes]}\n"
    )
    return load_config(folder / "remit.yaml")


def looks(config: Config) -> list[tuple[str, str]]:
    """Return state and words of each check."""
    return [(one.state, one.says) for one in certificate_looks(config)]


def test_a_certificate_for_its_address_is_in_order(tmp_path: Path) -> None:
    """It is valid for an hour more, which is told; nothing else is."""
    identity(tmp_path, "server", host="127.0.0.1")
    ((state, says),) = looks(written(tmp_path))
    assert (state, "expires in 0.0 days" in says) == ("note", True)


@pytest.mark.parametrize(("left", "state"), [(-1, "fail"), (1, "note"), (13, "note"), (15, "ok")], ids=str)
def test_an_expiry_is_told_ahead(left: int, state: str) -> None:
    """From two weeks before on; after it the check fails."""
    assert expiry_check("server.pem", NOW + timedelta(days=left), NOW).state == state


def test_a_key_of_another_certificate_fails(tmp_path: Path) -> None:
    """What could not be served is told before the start."""
    identity(tmp_path, "server")
    identity(tmp_path, "other")[1].rename(tmp_path / "server.key")
    ((state, says),) = looks(written(tmp_path))
    assert (state, "not the certificate of this key" in says) == ("fail", True)


def test_names_and_modes_are_checked(tmp_path: Path) -> None:
    """A certificate for another name, and a key that every user can read."""
    identity(tmp_path, "server", host="127.0.0.1")
    config = written(tmp_path, url="https://remit.example")
    (tmp_path / "server.key").chmod(0o644)
    told = [says for state, says in looks(config) if state == "fail"]
    assert "is open to other users" in told[0]
    assert "is not for `remit.example`" in told[1]
    assert len(told) == 2


def test_a_port_that_shows_another_certificate_is_told(tmp_path: Path) -> None:
    """For example while remit serves the one before, because the renewed one is wrong."""
    identity(tmp_path, "server", host="127.0.0.1")
    (tmp_path / "before").mkdir()
    before = RenewedContext(*identity(tmp_path / "before", "server"))

    async def run() -> list[tuple[str, str]]:
        async with serving(before) as url:
            return await asyncio.to_thread(looks, written(tmp_path, int(url.rpartition(":")[2])))

    told = [says for state, says in asyncio.run(asyncio.wait_for(run(), 60)) if state == "fail"]
    assert len(told) == 1
    assert "the port shows another certificate" in told[0]
