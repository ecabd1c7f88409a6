# SPDX-License-Identifier: Apache-2.0
"""The sources of standing secrets that the conformance suite runs on, each a real one, and a hand on it. A
new source is one more class here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError
from keyrings.alt.file import PlaintextKeyring

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.openbao.client import BaoSource
from remit.adapters.broker.openbao.key_value_secrets import KvSecrets
from remit.adapters.broker.os_keyring import OsKeyring
from remit.adapters.runtime.system import SystemClock
from remit.ports.secret_source import SecretSource
from tests.conformance.bao_brokers import PATIENCE_S
from tests.servers.bao_server import BaoServer
from tests.servers.secret_service import SecretServiceServer


class SecretPlace(Protocol):
    """A source's surroundings."""

    name: str
    """What the secret is called there."""

    source: SecretSource

    def write(self, value: str) -> None:
        """Store a secret, as an administrator does."""
        ...

    def remove(self) -> None:
        """Remove it."""
        ...

    def cut(self) -> None:
        """Have the source say nothing, or not what is asked."""
        ...

    def mend(self) -> None:
        """Have it answer again."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class AtKv:
    """A key-value store of OpenBao, of either version."""

    def __init__(self, bao: BaoServer, version: int) -> None:
        self._bao = bao
        self._mount = f"kv{version}"
        self._below = f"{self._mount}/{'data/' if version == 2 else ''}crm/api"
        bao.mount(self._mount, "kv", version=str(version))
        self._versioned = version == 2
        self.name = f"{self._mount}/crm/api#password"
        self._web = BrokerHttp("OpenBao", timeout_s=PATIENCE_S)
        token = bao.token_for(f'path "{self._below}" {{ capabilities = ["read"] }}')
        self.source: SecretSource = KvSecrets(
            BaoSource(bao.address, lambda: token, web=self._web, clock=SystemClock())
        )

    def write(self, value: str) -> None:
        """Write a version."""
        data = {"password": value, "port": 5432}
        self._bao.ask("POST", self._below, {"data": data} if self._versioned else data)

    def remove(self) -> None:
        """Delete the newest version."""
        self._bao.ask("DELETE", self._below)

    def cut(self) -> None:
        """Stop the server where it is, and wait for it no longer than a test must."""
        self._bao.pause(True)
        self._web.timeout_s = 1.0

    def mend(self) -> None:
        """Let it go on."""
        self._bao.pause(False)
        self._web.timeout_s = PATIENCE_S

    async def close(self) -> None:
        """Close the connections."""
        self.remove()
        await self._web.close()


class NoKeyring(KeyringBackend):
    """What a machine without one has."""

    priority = 0.1  # type: ignore[assignment, unused-ignore]

    def get_password(self, service: str, username: str) -> str | None:
        """As `keyring` itself says it."""
        raise NoKeyringError("no recommended backend was available")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Do nothing: nothing is stored."""
        raise NoKeyringError("no recommended backend was available")


class AtKeyring:
    """A keyring that needs no person and no session, unless another is given: the file of `keyrings.alt`."""

    def __init__(self, folder: Path, backend: KeyringBackend | None = None) -> None:
        self._before: KeyringBackend = keyring.get_keyring()
        in_file = PlaintextKeyring()
        in_file.file_path = str(folder / "keyring.cfg")
        keyring.set_keyring(backend or in_file)
        self.name = "https://crm.example.com/api/remit"
        self.source: SecretSource = OsKeyring()

    def write(self, value: str) -> None:
        """Store it."""
        keyring.set_password("https://crm.example.com/api", "remit", value)

    def remove(self) -> None:
        """Delete it."""
        keyring.delete_password("https://crm.example.com/api", "remit")

    def cut(self) -> None:
        """Have no keyring at all."""
        self._kept = keyring.get_keyring()
        keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]

    def mend(self) -> None:
        """Have it again."""
        keyring.set_keyring(self._kept)

    async def close(self) -> None:
        """Have the machine's own again."""
        self.close_now()

    def close_now(self) -> None:
        """The same."""
        keyring.set_keyring(self._before)


class AtSecretService(AtKeyring):
    """A real Secret Service on a bus."""

    def __init__(self, folder: Path, server: SecretServiceServer) -> None:
        super().__init__(folder, server.backend)
        self._server = server

    def cut(self) -> None:
        """End it, as a session's end does."""
        self._server.stop_keyring()

    def mend(self) -> None:
        """Start it again, with what it had."""
        self._server.start_keyring()
