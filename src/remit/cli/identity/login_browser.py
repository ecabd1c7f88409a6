# SPDX-License-Identifier: Apache-2.0
"""`remit login --browser`: the person agrees in a browser, and the answer comes to a port of this computer
(RFC 8252 section 7.3). An eavesdropper cannot use the answer (RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from remit.cli.rest_client import Client
from remit.core.errors import Forbidden, Unauthenticated
from remit.core.json_value import Json

#: How long the person may take, in seconds.
PATIENCE_S = 300.0
PATH = "/signed-in"
_DONE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>remit</title>'
    b"<p>You can close this page and go back to the terminal.</p></html>"
)


class LoginListener(HTTPServer):
    """Waits on a free port of this computer for the one answer with our state."""

    def __init__(self, state: str) -> None:
        """Listen."""
        self.state = state
        self.answer: dict[str, str] | None = None
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def address(self) -> str:
        """The address for the answer."""
        return f"http://127.0.0.1:{self.server_port}{PATH}"

    def wait(self, patience_s: float) -> dict[str, str]:
        """Return the answer; raises `Unauthenticated` if none comes in time."""
        until = time.monotonic() + patience_s
        while self.answer is None:
            self.timeout = until - time.monotonic()
            if self.timeout <= 0:
                raise Unauthenticated(
                    "the sign-in was not confirmed in the browser in time",
                    code="no-session",
                    remediation="run it again",
                )
            self.handle_request()
        return self.answer


class _Answer(BaseHTTPRequestHandler):
    server: LoginListener
    timeout = 5.0

    def do_GET(self) -> None:
        """Take the answer, if it has our state."""
        place = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(place.query).items() if len(values) == 1}
        known = hmac.compare_digest(given.get("state", "").encode(), self.server.state.encode())
        if place.path != PATH or not known or self.server.answer is not None:
            self.send_error(404)
            return
        self.server.answer = given
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(_DONE)))
        self.send_header("Cache-Control", "no-store")
        # The address holds the code: other pages must not receive it.
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(_DONE)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the address holds the code."""


def sign_in(
    client: Client, say: Callable[[str, str], None], jkt: str, *, look: Callable[[str], Any] = webbrowser.open
) -> Json:
    """Let the person agree in a browser; return the new session, bound to the key with thumbprint `jkt`.

    `say(address, word)` shows where to go and what the page must show; `look` opens the address.
    """
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with LoginListener(secrets.token_urlsafe(24)) as waiting:
        asked = {"redirect_uri": waiting.address, "code_challenge": challenge, "state": waiting.state}
        address = f"{client.base_url}/oauth/terminal?{urlencode(asked)}"
        say(address, hashlib.sha256(challenge.encode()).hexdigest()[:6].upper())
        look(address)
        answer = waiting.wait(PATIENCE_S)
        if "code" not in answer:
            raise Forbidden(
                "the sign-in was declined in the browser", remediation="run it again, or use a code"
            )
        return client.post(
            "sign-in",
            "browser",
            code=answer["code"],
            code_verifier=verifier,
            redirect_uri=waiting.address,
            dpop_jkt=jkt,
        )
