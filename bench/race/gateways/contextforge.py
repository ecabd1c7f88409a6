# SPDX-License-Identifier: Apache-2.0
"""ContextForge (IBM): an agent's access is an API token of a virtual server, which can be revoked."""

import secrets
from pathlib import Path
from typing import Any

from bench.race.gateway import Access, Environment, Program, ask, reachable, wait
from bench.target import free_port

ADMIN = "admin@example.com"


class ContextForge:
    """One worker with SQLite, as `mcpgateway` starts."""

    name = "contextforge"
    distribution = "mcp-contextforge-gateway==1.0.7.post20260921"
    means = "`DELETE /tokens/{id}` for the agent's API token"
    settings = "SQLite, defaults; rate limits off, and upstreams on the loopback interface allowed"
    ends_all = False

    def __init__(self) -> None:
        """Start nothing yet."""
        self._place = Environment(self.distribution)
        self._program: Program | None = None
        self._base = self._server = ""
        self._admin: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    def start(self, upstream: str, folder: Path) -> None:
        """Start it, register the upstream, and make a virtual server of its tools."""
        port, password = free_port(), f"Aa1!{secrets.token_urlsafe(24)}"
        env = {
            "DATABASE_URL": f"sqlite:///{folder}/mcp.db",
            "JWT_SECRET_KEY": secrets.token_urlsafe(48),
            "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
            "BASIC_AUTH_PASSWORD": password,
            "PLATFORM_ADMIN_EMAIL": ADMIN,
            "PLATFORM_ADMIN_PASSWORD": password,
            "DEFAULT_USER_PASSWORD": f"Bb2!{secrets.token_urlsafe(24)}",
            "ADMIN_REQUIRE_PASSWORD_CHANGE_ON_BOOTSTRAP": "false",
            "SSRF_ALLOW_LOCALHOST": "true",
            "RATE_LIMITING_ENABLED": "false",
            "LOG_LEVEL": "ERROR",
        }
        argv = [self._place.program("mcpgateway"), "--host", "127.0.0.1", "--port", str(port)]
        self._program = Program(argv, folder, env)
        self._base = f"http://127.0.0.1:{port}"
        wait(self._program, lambda: reachable(f"{self._base}/health"))
        login = self._ask("POST", "/auth/email/login", {"email": ADMIN, "password": password})
        self._admin = {"authorization": f"Bearer {login['access_token']}"}
        self._ask("POST", "/gateways", {"name": "race", "url": upstream, "transport": "STREAMABLEHTTP"})
        tools = [tool["id"] for tool in self._ask("GET", "/tools")]
        server = {"name": "race", "associated_tools": tools}
        self._server = self._ask("POST", "/servers", {"server": server})["id"]

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return ask(method, self._base + path, body, self._admin)

    def admit(self) -> Access:
        """Issue an API token that is good for the virtual server alone."""
        scope = {"server_id": self._server, "permissions": ["servers.use", "tools.read", "tools.execute"]}
        wanted = {"name": f"agent-{secrets.token_hex(4)}", "expires_in_days": 1, "scope": scope}
        made = self._ask("POST", "/tokens", wanted)
        token = made["access_token"]
        self._ids[token] = made["token"]["id"]
        url = f"{self._base}/servers/{self._server}/mcp"
        return Access(url, {"authorization": f"Bearer {token}"}, "race-echo")

    def end(self, access: Access) -> None:
        """Revoke the token."""
        token = access.headers["authorization"].removeprefix("Bearer ")
        self._ask("DELETE", f"/tokens/{self._ids[token]}")

    def stop(self) -> None:
        """Stop it."""
        if self._program is not None:
            self._program.stop()

    def version(self) -> str:
        """Return the installed version."""
        return self._place.version()
