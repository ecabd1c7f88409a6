# SPDX-License-Identifier: Apache-2.0
"""How a person's session is shown: with a proof of the key that it is bound to (RFC 9449).

Whoever is sent both can use neither for another request, nor at another time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from remit.cli.sessions import StoredSession, terminal_key

if TYPE_CHECKING:
    import httpx2 as httpx


class Shown:
    """A session, or nobody's."""

    def __init__(self, session: StoredSession | None) -> None:
        """Take it; raises `KeyUnusable` where the key that it is bound to is not here."""
        self._secret = session.secret if session else ""
        self._proven_at = session.proven_at if session else ""
        if self._proven_at:
            from remit.sdk.dpop import Prover

            self._prover = Prover(terminal_key())

    def proven(
        self, method: str, path: str, ask: Callable[[dict[str, str]], httpx.Response]
    ) -> httpx.Response:
        """Ask with the headers that show it; again where the server wants a proof with its nonce."""
        if not self._proven_at:
            return ask({"Authorization": f"Bearer {self._secret}"} if self._secret else {})
        from remit.sdk.dpop import HEADER, PROOF_TRIES

        url = self._proven_at + path
        for tries_left in reversed(range(PROOF_TRIES)):
            proof = self._prover.proof(method, url, self._secret)
            response = ask({"Authorization": f"DPoP {self._secret}", HEADER: proof})
            self._prover.learn(url, response.headers)
            if tries_left and self._prover.again(url, response.status_code, response.headers):
                response.close()
                continue
            return response
        raise AssertionError("the loop returns")
