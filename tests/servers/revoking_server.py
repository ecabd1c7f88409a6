# SPDX-License-Identifier: Apache-2.0
"""The smallest gateway for the race: `python -m tests.servers.revoking_server UPSTREAM DELAY`.

It passes each POST on while the bearer's token lives. A DELETE is acknowledged at once and ends the token of
the request after DELAY seconds; with a negative DELAY it never does. Its first line is its port.
"""

import http.client
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

UPSTREAM, DELAY_S = urlsplit(sys.argv[1]), float(sys.argv[2])
_ended: dict[str, float] = {}


class Revoking(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Pass a message on, or refuse it."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if time.monotonic() >= _ended.get(self.headers["authorization"], float("inf")):
            self._answer(401, b"")
            return
        upstream = http.client.HTTPConnection(UPSTREAM.hostname or "", UPSTREAM.port, timeout=10)
        try:
            kind = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
            upstream.request("POST", UPSTREAM.path, body, kind)
            answer = upstream.getresponse()
            self._answer(answer.status, answer.read())
        except OSError:
            self._answer(502, b"")
        finally:
            upstream.close()

    def do_DELETE(self) -> None:
        """Acknowledge an end."""
        if DELAY_S >= 0:
            _ended[self.headers["authorization"]] = time.monotonic() + DELAY_S
        self._answer(204, b"")

    def do_GET(self) -> None:
        """Offer no stream."""
        self._answer(405, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Revoking)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
