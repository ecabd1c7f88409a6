# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Vault with its AWS engine, which OpenBao does not have: the form of three requests."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, make_server

Json = Any

TOKEN = "hvs.of-the-tests"


class VaultServer:
    """The server. `leases` are those that live, with what they gave."""

    def __init__(self) -> None:
        self.leases: dict[str, Json] = {}
        self.port = 0
        self._app = Flask("vault")
        self._server: BaseWSGIServer | None = None
        self._furnish()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve; again on the same port after a `stop`."""
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True)
        self.port = self._server.port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _furnish(self) -> None:
        app = self._app

        @app.before_request
        def look() -> Response | None:
            known = request.headers.get("X-Vault-Token") == TOKEN
            marked = request.headers.get("X-Vault-Request") == "true"
            return None if known and marked else _told(403, {"errors": ["permission denied"]})

        @app.get("/v1/aws/creds/deploy")
        def creds() -> Response:
            lease = f"aws/creds/deploy/{secrets.token_hex(12)}"
            data = {
                "access_key": f"AKIA{secrets.token_hex(8).upper()}",
                "secret_key": secrets.token_urlsafe(30),
                "security_token": None,
            }
            self.leases[lease] = data
            return _told(200, {"lease_id": lease, "renewable": True, "lease_duration": 3600, "data": data})

        @app.put("/v1/sys/leases/revoke")
        def revoke() -> Response:
            asked = request.get_json(force=True)
            if asked.get("sync") is not True:
                return _told(400, {"errors": ["not told to wait"]})
            self.leases.pop(asked["lease_id"], None)
            return Response(status=204)

        @app.put("/v1/sys/leases/lookup")
        def lookup() -> Response:
            lease = request.get_json(force=True)["lease_id"]
            if lease not in self.leases:
                return _told(400, {"errors": ["invalid lease"]})
            return _told(200, {"data": {"id": lease, "ttl": 3600}})


def _told(status: int, what: Json) -> Response:
    return Response(json.dumps(what), status, content_type="application/json")


@contextmanager
def vault_server() -> Iterator[VaultServer]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    made = VaultServer()
    made.start()
    try:
        yield made
    finally:
        made.stop()
