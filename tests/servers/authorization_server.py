# SPDX-License-Identifier: Apache-2.0
"""A real OAuth 2.0 authorization server for tests, made of parts that others wrote (Authlib, Flask), with a
resource beside it that takes its tokens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import pytest
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Response, jsonify, request

from tests.servers.local_server import LocalServer, serving

KNOWN_BY = ["client_secret_basic", "client_secret_post", "client_assertion_jwt"]
CLIENT, SECRET = "remit", "s3cret of remit: 100% & more"

Json = Any


class Registered(ClientMixin):  # type: ignore[misc]
    """The one client."""

    def get_client_id(self) -> str:
        """Return its id."""
        return CLIENT

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare its secret."""
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Basic and in the form, at every endpoint."""
        return method in KNOWN_BY

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Where remit's people come back."""
        return "/oauth/account/arrive/" in redirect_uri

    def check_response_type(self, response_type: str) -> bool:
        """Codes."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Whatever the server has."""
        return True

    def get_allowed_scope(self, scope: str) -> str:
        """Return what it may have of what it asks for."""
        return " ".join(one for one in (scope or "").split() if one.startswith("crm."))


class GivenToken(TokenMixin):  # type: ignore[misc]
    """A token that was given."""

    def __init__(self, told: dict[str, Json]) -> None:
        self.text: str = told["access_token"]
        self.told = told
        self.scope: str = told.get("scope", "")
        self.expires_at = time.time() + told["expires_in"]
        self.revoked_at: float | None = None

    def check_client(self, client: ClientMixin) -> bool:
        """All tokens are the one client's."""
        return True

    def get_scope(self) -> str:
        """Return its scope."""
        return self.scope

    def is_expired(self) -> bool:
        """Whether its time is over."""
        return bool(self.expires_at < time.time())

    def is_revoked(self) -> bool:
        """Whether it was taken back."""
        return self.revoked_at is not None


class Authorities(LocalServer):
    """The server. Its resource lags (`lag`); while `broken` is set it answers 503 everywhere."""

    #: How clients may be known at its endpoints beside that for tokens.
    known_by = KNOWN_BY

    def __init__(self) -> None:
        super().__init__("authorities")
        self.tokens: dict[str, GivenToken] = {}
        self.life_s = 3600
        self.broken = False
        #: The scopes that it gives whatever it was asked for, where it gives others.
        self.gives: str | None = None
        self.asked: list[str] = []
        #: Whether a proxy stands before `/guarded`.
        self.guarded = False
        #: Paths at which it answers 503.
        self.away: set[str] = set()
        #: What its answers of tokens say instead, and their status.
        self.twisted: Json = {}
        self.status = 200
        self._app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
        self._furnish()

    def client(self) -> Registered:
        """Return the one client."""
        return Registered()

    def oauth(self, **more: Json) -> Json:
        """Return what `lease.oauth` says of it: its secret is in the environment unless `more` says so."""
        return {
            "token_url": f"{self.url}/token",
            "revoke_url": f"{self.url}/revoke",
            "probe_url": f"{self.url}/me",
            "client_id": CLIENT,
            "client_secret": "env:CRM_CLIENT_SECRET",
            **more,
        }

    def take_back(self, text: str) -> bool:
        """Take back what is no access token."""
        return False

    def extend(self, server: AuthorizationServer) -> None:
        """Have further grants and ways to be known."""

    def _furnish(self) -> None:
        world, app = self, self._app

        class Revocation(RevocationEndpoint):  # type: ignore[misc]
            CLIENT_AUTH_METHODS = world.known_by

            def query_token(self, text: str, hint: str) -> GivenToken | None:
                world.take_back(text)
                return world.tokens.get(text)

            def revoke_token(self, token: GivenToken, request: Json) -> None:
                token.revoked_at = token.revoked_at or time.time()

        class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
            CLIENT_AUTH_METHODS = world.known_by

            def check_permission(self, token: GivenToken, client: Json, request: Json) -> bool:
                return True

            def query_token(self, text: str, hint: str) -> GivenToken | None:
                return world.tokens.get(text)

            def introspect_token(self, token: GivenToken) -> dict[str, Json]:
                return {"active": True, "client_id": CLIENT, "scope": token.scope}

        class Validator(BearerTokenValidator):  # type: ignore[misc]
            def authenticate_token(self, text: str) -> GivenToken | None:
                found = world.tokens.get(text)
                if found is None or found.revoked_at is None or not world.lags():
                    return found
                return GivenToken({"access_token": text, "scope": found.scope, "expires_in": 60})

        def save(told: dict[str, Json], asked: Json) -> None:
            told["expires_in"] = world.life_s
            if world.gives is not None:
                told["scope"] = world.gives
            world.tokens[told["access_token"]] = GivenToken(told)

        server = AuthorizationServer(app, query_client=lambda _: self.client(), save_token=save)
        server.register_grant(ClientCredentialsGrant)
        self.extend(server)
        server.register_endpoint(Revocation)
        server.register_endpoint(Introspection)
        protect = ResourceProtector()
        protect.register_token_validator(Validator())
        self._route(server, protect)

    def _route(self, server: AuthorizationServer, protect: ResourceProtector) -> None:
        world, app = self, self._app

        @app.before_request
        def look() -> tuple[str, int] | None:
            world.asked.append(request.path)
            return ("broken", 503) if world.broken or request.path in world.away else None

        @app.post("/token")
        def token() -> Json:
            answer = server.create_token_response()
            if answer.status_code != 200 or (not world.twisted and world.status == 200):
                return answer
            told = answer.get_json() | world.twisted
            given = world.tokens.pop(answer.get_json()["access_token"])
            world.tokens[told["access_token"]] = given
            return jsonify(told), world.status

        @app.post("/revoke")
        def revoke() -> Json:
            return server.create_endpoint_response("revocation")

        @app.post("/introspect")
        def introspect() -> Json:
            return server.create_endpoint_response("introspection")

        @app.get("/me")
        @protect()  # type: ignore[untyped-decorator]
        def me() -> Response:
            return jsonify({"ok": True})

        @app.get("/guarded")
        def guarded() -> Response:
            if world.guarded:
                return Response(status=401, headers={"WWW-Authenticate": 'Basic realm="the proxy"'})
            return protect()(lambda: jsonify({"ok": True}))()  # type: ignore[no-any-return]

        @app.get("/narrow")
        @protect(["nobody-has-it"])  # type: ignore[untyped-decorator]
        def narrow() -> Response:
            return jsonify({"ok": True})


def authorities() -> AbstractContextManager[Authorities]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(Authorities())


@pytest.fixture
def server() -> Iterator[Authorities]:
    """The authorization server."""
    with authorities() as made, mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}):
        yield made
