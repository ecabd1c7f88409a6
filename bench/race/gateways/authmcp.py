# SPDX-License-Identifier: Apache-2.0
"""AuthMCP Gateway: an agent is a user with an access token; both documented ways to end it are raced."""

import secrets
from pathlib import Path
from typing import Any

import httpx2

from bench.race.gateway import Access, Environment, Program, ask, reachable, wait
from bench.target import free_port


class AuthMcpLogout:
    """The token is put on the gateway's list of revoked tokens, by who holds it."""

    name = "authmcp, logout"
    distribution = "authmcp-gateway==1.2.74"
    means = "`POST /auth/logout` with the agent's own token"
    settings = "SQLite, defaults; rate limits off"
    ends_all = False

    def __init__(self) -> None:
        """Start nothing yet."""
        self._place = Environment(self.distribution)
        self._program: Program | None = None
        self._base = ""
        self._admin = httpx2.Client()
        self._password = f"Aa1!{secrets.token_urlsafe(16)}"
        self._users: dict[str, int] = {}

    def start(self, upstream: str, folder: Path) -> None:
        """Start it, make the administrator as its wizard does, and add the upstream."""
        port = free_port()
        self._base = f"http://127.0.0.1:{port}"
        env = {"JWT_SECRET_KEY": secrets.token_urlsafe(48), "RATE_LIMIT_ENABLED": "false"}
        env |= {"MCP_PUBLIC_URL": self._base, "LOG_LEVEL": "ERROR"}
        argv = [self._place.program("authmcp-gateway"), "start", "--host", "127.0.0.1", "--port", str(port)]
        self._program = Program(argv, folder, env)
        wait(self._program, lambda: reachable(f"{self._base}/health"))
        admin = {"username": "admin", "email": "admin@example.com", "password": self._password}
        self._admin = httpx2.Client(base_url=self._base, timeout=60)
        self._admin.get("/setup")
        self._manage("POST", "/setup/create-admin", admin)
        self._manage("POST", "/admin/api/login", admin)
        self._admin.get("/admin")
        server = {"name": "race", "url": upstream, "routing_strategy": "auto"}
        self._manage("POST", "/admin/api/mcp-servers", server)

    def _manage(self, method: str, path: str, body: object) -> Any:
        token = self._admin.cookies.get("csrf_token") or ""
        answer = self._admin.request(method, path, json=body, headers={"x-csrf-token": token})
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json() if answer.content else None

    def admit(self) -> Access:
        """Create a user, and have it sign in."""
        name = f"agent-{secrets.token_hex(4)}"
        user = {"username": name, "email": f"{name}@example.com", "password": self._password}
        number = self._manage("POST", "/admin/api/users", user)["id"]
        token = ask("POST", f"{self._base}/auth/login", user)["access_token"]
        self._users[token] = number
        return Access(f"{self._base}/mcp", {"authorization": f"Bearer {token}"})

    def end(self, access: Access) -> None:
        """Have the token put on the list."""
        ask("POST", f"{self._base}/auth/logout", {"access_token": _token(access)})

    def stop(self) -> None:
        """Stop it."""
        if self._program is not None:
            self._program.stop()

    def version(self) -> str:
        """Return the installed version."""
        return self._place.version()


class AuthMcpDeactivated(AuthMcpLogout):
    """The user is deactivated by an administrator."""

    name = "authmcp, user deactivated"
    means = "`PATCH /admin/api/users/{id}/status` by an administrator"

    def end(self, access: Access) -> None:
        """Deactivate the user."""
        self._manage("PATCH", f"/admin/api/users/{self._users[_token(access)]}/status", {"is_active": False})


def _token(access: Access) -> str:
    return access.headers["authorization"].removeprefix("Bearer ")
