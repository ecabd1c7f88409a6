# SPDX-License-Identifier: Apache-2.0
"""A stand-in for GitHub's interface of apps: strict about what is sent, and about what a token may.

The JWT of the app is checked by hand with `cryptography`, and not by the library that made it.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Response, jsonify, request

from tests.servers.local_server import LocalServer, serving

Json = Any

APP, INSTALLATION, OWNER = "Iv23liTESTS", 4711, "acme"
REPOSITORIES = ("crm", "site", "secrets")
#: What the installation was granted.
PERMISSIONS = {"contents": "write", "issues": "write", "metadata": "read", "pull_requests": "read"}
_LEVELS = ("read", "write", "admin")


class GitHubServer(LocalServer):
    """The server. While `broken` is set it answers 503 everywhere; with `generous` it forgets to narrow."""

    def __init__(self) -> None:
        super().__init__("github")
        self.key = rsa.generate_private_key(65537, 2048)
        self.tokens: dict[str, Json] = {}
        self.asked: list[Json] = []
        self.broken = False
        self.generous = False
        #: Whether an intermediary in front of it refuses everything.
        self.fronted = False
        self._furnish()

    @property
    def pem(self) -> str:
        """The app's key, as GitHub gives it."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()

    def living(self) -> list[Json]:
        """Return the tokens that are good."""
        return [one for one in self.tokens.values() if not one["dead"]]

    def _furnish(self) -> None:
        app = self._app

        @app.before_request
        def look() -> Response | None:
            if self.broken:
                return _no(503, "unavailable")
            if self.fronted:
                return Response("<h1>Sign in</h1>", 401, content_type="text/html")
            if request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
                return _no(400, "no version")
            if request.headers.get("Accept") != "application/vnd.github+json":
                return _no(415, "no accept")
            return None

        @app.post("/app/installations/<int:installation>/access_tokens")
        def issue(installation: int) -> Response:
            if not self._is_app(_bearer()):
                return _no(401, "A JSON web token could not be decoded")
            if installation != INSTALLATION:
                return _no(404, "Not Found")
            return self._issue(request.get_json(force=True))

        @app.delete("/installation/token")
        def revoke() -> Response:
            found = self._token()
            if found is None:
                return _no(401, "Bad credentials")
            found["dead"] = True
            return Response(status=204)

        @app.get("/installation/repositories")
        def repositories() -> Response:
            found = self._token()
            if found is None:
                return _no(401, "Bad credentials")
            told = [{"name": one} for one in found["repositories"]]
            return jsonify({"total_count": len(told), "repositories": told})

        @app.get("/repos/<owner>/<name>/contents/<path:path>")
        def contents(owner: str, name: str, path: str) -> Response:
            found = self._token()
            if found is None:
                return _no(401, "Bad credentials")
            if owner != OWNER or name not in found["repositories"]:
                return _no(404, "Not Found")
            if "contents" not in found["permissions"]:
                return _no(403, "Resource not accessible by integration")
            return jsonify({"path": path})

    def _issue(self, asked: Json) -> Response:
        self.asked.append(asked)
        if not set(asked) <= {"repositories", "repository_ids", "permissions"}:
            return _no(422, "unknown key")
        # As GitHub does: nothing that is named means everything.
        names = asked.get("repositories") or list(REPOSITORIES)
        permissions = asked.get("permissions") or PERMISSIONS
        if not set(names) <= set(REPOSITORIES):
            return _no(422, "There is at least one repository that does not exist or is not accessible")
        for name, level in permissions.items():
            if name not in PERMISSIONS or _LEVELS.index(level) > _LEVELS.index(PERMISSIONS[name]):
                return _no(422, "The permissions requested are not granted to this installation.")
        if self.generous:
            names, permissions = list(REPOSITORIES), PERMISSIONS
        token = f"ghs_{secrets.token_hex(18)}"
        until = datetime.now(UTC) + timedelta(hours=1)
        given = {"metadata": "read", **permissions}
        self.tokens[token] = {"repositories": names, "permissions": given, "dead": False}
        told = {
            "token": token,
            "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "permissions": given,
            "repository_selection": "all" if self.generous else "selected",
            "repositories": [{"name": one, "full_name": f"{OWNER}/{one}"} for one in names],
        }
        return Response(json.dumps(told), 201, content_type="application/json")

    def _token(self) -> Json:
        found = self.tokens.get(_bearer())
        return None if found is None or (found["dead"] and not self.lags()) else found

    def _is_app(self, token: str) -> bool:
        parts = token.split(".")
        if len(parts) != 3:
            return False
        header, claims, signature = (base64.urlsafe_b64decode(one + "=" * (-len(one) % 4)) for one in parts)
        try:
            signed = f"{parts[0]}.{parts[1]}".encode()
            self.key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        told, now = json.loads(claims), time.time()
        return bool(
            json.loads(header)["alg"] == "RS256"
            and told["iss"] == APP
            and told["iat"] <= now < told["exp"] <= now + 600
        )


def _bearer() -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _no(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")


def github_server() -> AbstractContextManager[GitHubServer]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(GitHubServer())
