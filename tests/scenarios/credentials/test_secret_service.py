# SPDX-License-Identifier: Apache-2.0
"""Threat: the keyring of the system is locked, hangs or is gone. Nothing hangs with it or is made up."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.broker.os_keyring import OsKeyring
from remit.core.errors import KeyUnavailable
from tests.conformance.secret_sources import AtSecretService
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import SECRET, authorities
from tests.servers.secret_service import SecretServiceServer, secret_service

Json = Any


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SecretServiceServer]:
    """A real Secret Service."""
    with secret_service(tmp_path) as running:
        yield running


@pytest.fixture
async def place(tmp_path: Path, server: SecretServiceServer) -> AsyncIterator[AtSecretService]:
    """A secret in it."""
    made = AtSecretService(tmp_path, server)
    made.write(SECRET)
    yield made
    await made.close()


async def test_a_locked_keyring_gives_nothing_until_it_is_unlocked(
    server: SecretServiceServer, place: AtSecretService
) -> None:
    """No person sits there to be asked: that is no clear refusal, and the remediation states what to do."""
    server.lock()
    with pytest.raises(KeyUnavailable, match="cannot be read") as told:
        await place.source.read(place.name)
    assert (told.value.code, told.value.debug) == ("source-refused", "KeyringLocked")
    assert "unlock it" in told.value.remediation
    server.stop_keyring()
    server.start_keyring()
    assert (await place.source.read(place.name)).value == SECRET


async def test_a_keyring_that_hangs_is_waited_for_no_longer_than_patience(
    server: SecretServiceServer, place: AtSecretService
) -> None:
    """One thread waits; once it goes on, so does reading."""
    source = OsKeyring(patience_s=0.2)
    server.pause(True)
    try:
        for _ in range(2):
            with pytest.raises(KeyUnavailable, match="does not answer"):
                await source.read(place.name)
    finally:
        server.pause(False)
    patient = OsKeyring()
    assert (await patient.read(place.name)).value == SECRET
    async with asyncio.timeout(60):
        while True:
            try:
                assert (await source.read(place.name)).value == SECRET
                return
            except KeyUnavailable:
                await asyncio.sleep(0.05)


async def test_without_a_bus_there_is_nothing_to_read_and_no_thread_breaks(
    server: SecretServiceServer, place: AtSecretService
) -> None:
    """The libraries that speak to the bus raise their own errors: each becomes an error of remit."""
    server.stop()
    with pytest.raises(KeyUnavailable, match="cannot be read") as told:
        await place.source.read(place.name)
    assert told.value.code == "source-refused"
    server.start()
    assert (await place.source.read(place.name)).value == SECRET


def test_what_a_person_has_stored_is_what_remit_is_known_by(
    tmp_path: Path, server: SecretServiceServer
) -> None:
    """As the guide says it: `keyring set`, in a process that chooses its keyring by itself; then a call, and
    what `remit doctor` says of it, locked too.
    """
    name = "https://crm.example.com/api/remit"
    service, _, user = name.rpartition("/")
    stored = subprocess.run(
        [sys.executable, "-m", "keyring", "set", service, user],
        input=f"{SECRET}\n",
        text=True,
        capture_output=True,
        env={**os.environ, **server.env},
        check=False,
    )
    assert stored.returncode == 0, stored.stderr
    place = AtSecretService(tmp_path, server)
    folder = tmp_path / "house"
    folder.mkdir()
    try:
        with authorities() as authority:
            lease = {
                "oauth": authority.oauth(client_secret=f"keyring:{name}"),
            }
            with LeasingGateway(folder, lease) as gateway:
                task, token = gateway.open()
                gateway.call(token)
                (text,) = authority.tokens
                assert gateway.shown()[-1]["authorization"] == f"Bearer {text}"
                assert gateway.closed_up(task)["closed"]
                assert looked(gateway) == ["ok"]
                server.lock()
                assert looked(gateway) == ["fail"]
    finally:
        place.close_now()


def looked(gateway: LeasingGateway) -> list[str]:
    """Return how `remit doctor` finds the secrets."""
    said = gateway.remit("doctor", "--json")
    assert SECRET not in said.stdout + said.stderr
    return [one["state"] for one in json.loads(said.stdout)["findings"] if one["subject"] == "secrets"]
