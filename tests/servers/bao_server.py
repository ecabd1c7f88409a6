# SPDX-License-Identifier: Apache-2.0
"""A real OpenBao server for tests: in memory, unsealed, on a free port, for as long as a test needs it."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.local_program import LocalProgram, installed

#: What remit needs of transit, and nothing else.
POLICY = """
path "transit/keys/remit-*" { capabilities = ["create", "update", "read"] }
path "transit/sign/remit-*" { capabilities = ["update"] }
path "transit/datakey/plaintext/remit-sealing" { capabilities = ["update"] }
path "transit/decrypt/remit-sealing" { capabilities = ["update"] }
"""

TOKEN = "root-of-the-tests"


def program() -> str:
    """Return the path of the `bao` program, empty where it is not installed."""
    return installed("bao")


class BaoServer(LocalProgram):
    """The server's address, and what tests do to it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "bao")
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, with an empty transit engine."""
        self.run(
            [
                program(),
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-root-token-id={TOKEN}",
                f"-dev-listen-address=127.0.0.1:{self.port}",
            ],
            self._ready,
            env={"HOME": str(self._folder), "PATH": "/usr/bin:/bin"},
        )

    def mount(self, place: str, kind: str, **options: str) -> bool:
        """Mount an engine at a place, unless something is there; gives whether nothing was."""
        mounts = self.ask("GET", "sys/mounts")
        assert isinstance(mounts, dict)
        if f"{place}/" in mounts["data"]:
            return False
        self.ask("POST", f"sys/mounts/{place}", {"type": kind, "options": options})
        if options.get("version") == "2":
            self._until_ready(place)
        return True

    def _until_ready(self, place: str) -> None:
        """Wait for a store of key-value pairs: for a moment after it was mounted it takes none."""
        deadline = time.monotonic() + 120
        while True:
            try:
                self.ask("GET", f"{place}/config")
                return
            except OSError:
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)

    def _ready(self) -> None:
        self.mount("transit", "transit")
        self.ask("GET", "secret/config")

    def ask(self, method: str, path: str, body: object = None, token: str = TOKEN) -> object:
        """Ask it something as an administrator."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"X-Vault-Token": token},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def token_for(self, policy: str) -> str:
        """Return a token under its own policy."""
        name = f"policy-{abs(hash(policy))}"
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        told = self.ask("POST", "auth/token/create", {"policies": [name], "ttl": "1h"})
        assert isinstance(told, dict)
        return str(told["auth"]["client_token"])

    def approle_for(self, policy: str) -> dict[str, str]:
        """Return the login of an AppRole under its own policy."""
        name = f"policy-{abs(hash(policy))}"
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        methods = self.ask("GET", "sys/auth")
        assert isinstance(methods, dict)
        if "approle/" not in methods["data"]:
            self.ask("POST", "sys/auth/approle", {"type": "approle"})
        self.ask("POST", f"auth/approle/role/{name}", {"token_policies": [name], "token_ttl": "1h"})
        role, secret = (
            self.ask("GET", f"auth/approle/role/{name}/role-id"),
            self.ask("POST", f"auth/approle/role/{name}/secret-id"),
        )
        assert isinstance(role, dict)
        assert isinstance(secret, dict)
        return {"role_id": role["data"]["role_id"], "secret_id": secret["data"]["secret_id"]}


@contextmanager
def bao_server(folder: Path) -> Iterator[BaoServer]:
    """Start a server, and stop it at the end."""
    server = BaoServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
