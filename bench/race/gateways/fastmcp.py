# SPDX-License-Identifier: Apache-2.0
"""FastMCP's proxy: an agent's access is an opaque token, which an authorization server revokes."""

import sys
from pathlib import Path

from bench.race.gateway import Access, Environment, Program, ask, reachable, wait
from bench.target import free_port

HERE = Path(__file__).parent


class FastMcp:
    """The proxy with `IntrospectionTokenVerifier`, which its documentation names for real-time revocation."""

    name = "fastmcp"
    distribution = "fastmcp==4.1.6"
    means = "`POST /revoke` (RFC 7009) at the kit's authorization server, asked for each request"
    settings = "`create_proxy`, `IntrospectionTokenVerifier` without a cache (the default), kept connections"
    ends_all = False

    def __init__(self) -> None:
        """Start nothing yet."""
        self._place = Environment(self.distribution)
        self._programs: list[Program] = []
        self._url = self._tokens = ""

    def start(self, upstream: str, folder: Path) -> None:
        """Start an authorization server, and the proxy that asks it."""
        port, tokens = free_port(), free_port()
        self._url, self._tokens = f"http://127.0.0.1:{port}/mcp", f"http://127.0.0.1:{tokens}"
        server = Program([sys.executable, str(HERE / "authorization.py"), str(tokens)], folder)
        self._programs.append(server)
        wait(server, lambda: reachable(self._tokens))
        python, program = self._place.program("python"), str(HERE / "fastmcp_introspecting.py")
        proxy = Program([python, "-P", program, upstream, str(port), f"{self._tokens}/introspect"], folder)
        self._programs.append(proxy)
        wait(proxy, lambda: reachable(self._url))

    def admit(self) -> Access:
        """Issue a token."""
        token = ask("POST", f"{self._tokens}/token", form="grant_type=client_credentials")["access_token"]
        return Access(self._url, {"authorization": f"Bearer {token}"})

    def end(self, access: Access) -> None:
        """Revoke it."""
        token = access.headers["authorization"].removeprefix("Bearer ")
        ask("POST", f"{self._tokens}/revoke", form=f"token={token}")

    def stop(self) -> None:
        """Stop both."""
        for program in self._programs:
            program.stop()
        self._programs.clear()

    def version(self) -> str:
        """Return the installed version."""
        return self._place.version()
