# SPDX-License-Identifier: Apache-2.0
"""A real OpenBao server for tests: in memory, unsealed, on a free port, for as long as a test needs it."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.local_program import LocalProgram, installed

TOKEN = "root-of-the-tests"


def program() -> str:
    """Give the path of the `bao` program, empty where it is not installed."""
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
            lambda: self.ask("POST", "sys/mounts/transit", {"type": "transit"}),
            env={"HOME": str(self._folder), "PATH": "/usr/bin:/bin"},
        )

    def ask(self, method: str, path: str, body: object = None, token: str = TOKEN) -> object:
        """Ask it something as an administrator."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"X-Vault-Token": token},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def token_for(self, policy: str) -> str:
        """Give a token under a policy of its own."""
        name = f"policy-{abs(hash(policy))}"
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        told = self.ask("POST", "auth/token/create", {"policies": [name], "ttl": "1h"})
        assert isinstance(told, dict)
        return str(told["auth"]["client_token"])

    def approle_for(self, policy: str) -> dict[str, str]:
        """Give the login of an AppRole under a policy of its own."""
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
