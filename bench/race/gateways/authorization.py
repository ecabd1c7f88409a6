# SPDX-License-Identifier: Apache-2.0
"""A small authorization server for gateways that bring none: `python authorization.py PORT`.

`POST /token` issues an opaque token, `/introspect` answers whether it is active (RFC 7662), `/revoke` ends it
(RFC 7009). Clients are not authenticated: it listens on the loopback interface, for one race.
"""

import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

_active: set[str] = set()


class Tokens(BaseHTTPRequestHandler):
    """The three endpoints."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        token = parse_qs(body).get("token", [""])[0]
        told: dict[str, object] = {}
        if self.path == "/token":
            token = secrets.token_urlsafe(32)
            _active.add(token)
            told = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        elif self.path == "/introspect":
            told = {"active": True, "client_id": "agent"} if token in _active else {"active": False}
        elif self.path == "/revoke":
            _active.discard(token)
        out = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Tokens).serve_forever()
