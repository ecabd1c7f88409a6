# SPDX-License-Identifier: Apache-2.0
"""The authorization server of the tests, extended so that clients may read and write their own record (RFC
7592, by Authlib): a client that writes its record without a secret receives another secret.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import AbstractContextManager
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc7592 import ClientConfigurationEndpoint
from flask import Response, request

from tests.servers.authorization_server import CLIENT, KNOWN_BY, SECRET, Authorities, Registered
from tests.servers.local_server import serving

Json = Any

OPENS = "registration-token-of-the-tests"


class Recorded(Registered):
    """The one client, whose secret changes."""

    def __init__(self, server: RegisteringAuthorities) -> None:
        self._of = server

    @property
    def client_info(self) -> dict[str, Json]:
        """What the server says of it."""
        return {"client_id": CLIENT, "client_secret": self._of.secrets[-1], "client_secret_expires_at": 0}

    @property
    def client_metadata(self) -> dict[str, Json]:
        """What it has said of itself."""
        return self._of.metadata

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare with what counts."""
        return client_secret in (self._of.secrets if self._of.lenient else self._of.secrets[-1:])


class Opening:
    """A registration access token."""

    def check_client(self, client: Json) -> bool:
        """There is one client."""
        return True


class RegisteringAuthorities(Authorities):
    """`opens` is the token that opens the record: another one after each answer, unless `keeps_opens`. While
    `stubborn` is set the server changes no secret, and while `lenient` is set it takes the old ones too. Of
    the methods in `loses` it loses the answers, once it has done what was asked; of those in `misses` it does
    nothing.
    """

    known_by = KNOWN_BY[:1]

    def __init__(self) -> None:
        self.secrets = [SECRET]
        self.metadata: dict[str, Json] = {"client_name": "remit", "grant_types": ["client_credentials"]}
        self.opens = OPENS
        self.stubborn = self.lenient = self.keeps_opens = False
        self.loses: set[str] = set()
        self.misses: set[str] = set()
        super().__init__()

    def client(self) -> Registered:
        """Return it."""
        return Recorded(self)

    def extend(self, server: AuthorizationServer) -> None:
        """Have records."""
        world = self

        class Configuration(ClientConfigurationEndpoint):  # type: ignore[misc]
            def authenticate_token(self, asked: Json) -> Opening | None:
                shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
                return Opening() if shown == world.opens else None

            def authenticate_client(self, asked: Json) -> Registered:
                return world.client()

            def check_permission(self, client: Json, asked: Json) -> bool:
                return True

            def generate_client_registration_info(self, client: Json, asked: Json) -> dict[str, Json]:
                if not world.keeps_opens:
                    world.opens = secrets.token_urlsafe(16)
                return {"registration_access_token": world.opens, "registration_client_uri": request.url}

            def update_client(self, client: Json, metadata: Json, asked: Json) -> Json:
                world.metadata = metadata
                if not world.stubborn:
                    world.secrets.append(secrets.token_urlsafe(24))
                return client

            def get_server_metadata(self) -> dict[str, Json]:
                return {}

        server.register_endpoint(Configuration)

        @self._app.route("/register/<client>", methods=["GET", "PUT"])
        def record(client: str) -> Response:
            if request.method in self.misses:
                cut_off()
                return Response()
            answer: Response = server.create_endpoint_response("client_configuration")
            if request.method in self.loses:
                cut_off()
            return answer


def cut_off() -> None:
    """Cut the connection of this request, so that whatever is answered does not arrive."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def registering() -> AbstractContextManager[RegisteringAuthorities]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(RegisteringAuthorities())
