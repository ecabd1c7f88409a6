# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Vault with its AWS engine, which OpenBao does not have: the form of three requests."""

from __future__ import annotations

import json
import secrets
from contextlib import AbstractContextManager
from typing import Any

from flask import Response, request

from tests.servers.local_server import LocalServer, serving

Json = Any

TOKEN = "hvs.of-the-tests"


class VaultServer(LocalServer):
    """The server. `leases` are those that live, with what they gave."""

    def __init__(self) -> None:
        super().__init__("vault")
        self.leases: dict[str, Json] = {}
        self._furnish()

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


def vault_server() -> AbstractContextManager[VaultServer]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(VaultServer())
