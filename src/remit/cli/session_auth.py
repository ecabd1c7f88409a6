# SPDX-License-Identifier: Apache-2.0
"""How a person's session is presented: with a proof of the key that it is bound to (RFC 9449).

A recipient of both can use neither for another request, nor at another time.
"""

from __future__ import annotations

from collections.abc import Generator

import httpx2 as httpx

from remit.cli.session_file import StoredSession, terminal_key


class SessionAuth(httpx.Auth):
    """Presents a session on each request: with a proof, or as a bearer token if it has none; without a
    session, nothing.
    """

    def __init__(self, session: StoredSession | None, base_path: str) -> None:
        """Keep the session, and the base path of remit; raises `KeyUnusable` if the session's key is not
        here.
        """
        self._secret = session.secret if session else ""
        self._proven_at = session.proven_at if session else ""
        self._base_path = base_path.encode()
        if self._proven_at:
            from remit_sdk.dpop import DpopProver

            self._prover = DpopProver(terminal_key())

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request; repeat it if the server demands a proof with its nonce."""
        if not self._proven_at:
            if self._secret:
                request.headers["Authorization"] = f"Bearer {self._secret}"
            yield request
            return
        from remit_sdk.dpop import HEADER, PROOF_TRIES

        url = self._proven_at + request.url.raw_path.removeprefix(self._base_path).decode("ascii")
        request.headers["Authorization"] = f"DPoP {self._secret}"
        for _ in range(PROOF_TRIES):
            request.headers[HEADER] = self._prover.proof(request.method, url, self._secret)
            response = yield request
            self._prover.learn(url, response.headers)
            if not self._prover.again(url, response.status_code, response.headers):
                return
