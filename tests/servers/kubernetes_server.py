# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the API server of Kubernetes: Secrets of one namespace, tokens that are bound to them, and
the two reviews; strict about what is sent.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import uuid
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, request

from tests.servers.local_server import LocalServer, serving

Json = Any

NAMESPACE, ACCOUNTS = "crm", ("reader", "reader-c-42")
OURS = "eyJhbGciOiJSUzI1NiJ9.b3Vycw.dG9rZW4tb2YtcmVtaXQ"
API_SERVER = "https://kubernetes.default.svc"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class KubernetesServer(LocalServer):
    """The server. While it lags it goes on knowing a token whose object is gone, as its cache does; while
    `broken` is set it answers 503 everywhere; `refusing` holds paths that answer 403.
    """

    def __init__(self) -> None:
        super().__init__("kubernetes")
        self.objects: dict[str, Json] = {}
        self.gone: set[str] = set()
        self.tokens: dict[str, Json] = {}
        self.broken = False
        self.refusing: set[str] = set()
        #: Objects with a finalizer: a deletion marks them, and they remain.
        self.finalized: set[str] = set()
        self.fronted = False
        self._furnish()

    def known(self, token: str, audience: str) -> str:
        """Say whose a token is; empty for one that is no good."""
        found = self.tokens.get(token)
        if found is None or audience not in found["audiences"] or time.time() >= found["until"]:
            return ""
        bound = self.objects.get(found["bound"]["name"])
        told = bound["metadata"] if bound is not None else {"uid": ""}
        alive = told["uid"] == found["bound"]["uid"]
        if alive and "deletionTimestamp" in told:
            return str(found["account"]) if self.lags() else ""
        return str(found["account"]) if alive or (found["bound"]["uid"] in self.gone and self.lags()) else ""

    def _furnish(self) -> None:
        app, place = self._app, f"/api/v1/namespaces/{NAMESPACE}"

        app.before_request(self._look)

        @app.post(f"{place}/secrets")
        def make() -> Response:
            asked = request.get_json()
            name = asked["metadata"]["name"]
            if (asked["apiVersion"], asked["kind"]) != ("v1", "Secret") or not _NAME.fullmatch(name):
                return _status(422, "Invalid")
            if name in self.objects:
                return _status(409, "AlreadyExists")
            asked["metadata"]["uid"] = str(uuid.uuid4())
            self.objects[name] = asked
            return _json(201, asked)

        @app.get(f"{place}/secrets/<name>")
        def look_up(name: str) -> Response:
            found = self.objects.get(name)
            return _status(404, "NotFound") if found is None else _json(200, found)

        @app.delete(f"{place}/secrets/<name>")
        def delete(name: str) -> Response:
            found = self.objects.get(name)
            if found is None:
                return _status(404, "NotFound")
            if name in self.finalized:
                found["metadata"]["deletionTimestamp"] = datetime.now(UTC).isoformat()
                return _json(200, found)
            del self.objects[name]
            self.gone.add(found["metadata"]["uid"])
            return _json(200, {"kind": "Status", "status": "Success"})

        @app.post(f"{place}/serviceaccounts/<account>/token")
        def issue(account: str) -> Response:
            return self._issue(account, request.get_json())

        @app.post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        def who() -> Response:
            return _json(201, {"status": {"userInfo": {"username": "somebody"}}})

        @app.post("/apis/authentication.k8s.io/v1/tokenreviews")
        def review() -> Response:
            asked = request.get_json()
            spec = asked["spec"]
            for audience in spec.get("audiences") or [API_SERVER]:
                if account := self.known(spec["token"], audience):
                    user = {"username": f"system:serviceaccount:{NAMESPACE}:{account}"}
                    told = {"authenticated": True, "user": user, "audiences": [audience]}
                    return _json(201, {**asked, "status": told})
            no = "[invalid bearer token, service account token has been invalidated]"
            return _json(201, {**asked, "status": {"user": {}, "error": no}})

    def _look(self) -> Response | None:
        if self.broken:
            return _status(503, "ServiceUnavailable")
        if self.fronted:
            return Response("<h1>Sign in</h1>", 401, content_type="text/html")
        if any(request.path.endswith(one) for one in self.refusing):
            return _status(403, "Forbidden")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        account = self.known(token, API_SERVER)
        if token != OURS and not account:
            return _status(401, "Unauthorized")
        if account and not request.path.endswith("/selfsubjectreviews"):
            return _status(403, "Forbidden")
        if request.method == "POST" and request.headers.get("Content-Type") != "application/json":
            return _status(415, "UnsupportedMediaType")
        return None

    def _issue(self, account: str, asked: Json) -> Response:
        if account not in ACCOUNTS:
            return _status(404, "NotFound")
        spec = asked["spec"]
        bound = spec["boundObjectRef"]
        held = self.objects.get(bound["name"], {"metadata": {"uid": ""}})
        if (
            (asked["apiVersion"], asked["kind"]) != ("authentication.k8s.io/v1", "TokenRequest")
            or not set(spec) <= {"audiences", "expirationSeconds", "boundObjectRef"}
            or not 600 <= spec["expirationSeconds"] <= 2**32
            or (bound["apiVersion"], bound["kind"]) != ("v1", "Secret")
        ):
            return _status(422, "Invalid")
        if held["metadata"]["uid"] != bound["uid"]:
            return _status(409, "Conflict")
        token = f"eyJhbGciOiJSUzI1NiJ9.{secrets.token_urlsafe(20)}.{secrets.token_urlsafe(20)}"
        until = datetime.now(UTC) + timedelta(seconds=spec["expirationSeconds"])
        self.tokens[token] = {
            "account": account,
            "audiences": spec["audiences"] or [API_SERVER],
            "bound": bound,
            "until": until.timestamp(),
        }
        told = {"token": token, "expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return _json(201, {**asked, "status": told})


def _json(status: int, told: Json) -> Response:
    return Response(json.dumps(told), status, content_type="application/json")


def _status(status: int, reason: str) -> Response:
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
    return _json(status, told)


def kubernetes_server() -> AbstractContextManager[KubernetesServer]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(KubernetesServer())
