# SPDX-License-Identifier: Apache-2.0
"""The authorization server of the tests as one at which people let clients act for them: codes with PKCE, and
refresh tokens of which each works once (made of Authlib's grants).
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter

from tests.servers.authorization_server import Authorities
from tests.servers.local_server import serving

Json = Any


class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    """A code that was given."""

    def __init__(self, text: str, request: Json) -> None:
        self.text = text
        self.user = request.user
        self.redirect_uri = request.payload.redirect_uri
        self.scope = request.payload.scope
        self.code_challenge = request.payload.data.get("code_challenge")
        self.code_challenge_method = request.payload.data.get("code_challenge_method")

    def get_redirect_uri(self) -> str:
        """Where it went."""
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        """What it is for."""
        return str(self.scope)


class Refresh:
    """A refresh token: its user, and whether it can still be used."""

    def __init__(self, user: str, scope: str) -> None:
        self.user = user
        self.scope = scope
        self.dead = False

    def check_client(self, client: Json) -> bool:
        """All are the one client's."""
        return True

    def get_scope(self) -> str:
        """What it may give."""
        return self.scope


class ConnectingAuthorities(Authorities):
    """Authorities at which every visitor is `user`, and agrees."""

    def __init__(self) -> None:
        self.user = "ana-at-crm"
        self.codes: dict[str, Code] = {}
        self.refreshes: dict[str, Refresh] = {}
        self.lag_of_answers_s = 0.0
        #: What it calls itself in its answers to browsers (RFC 9207); nothing unless set.
        self.called = ""
        super().__init__()

    def alive(self) -> list[str]:
        """Return the refresh tokens that are still of use."""
        return [text for text, one in self.refreshes.items() if not one.dead]

    def extend(self, server: AuthorizationServer) -> None:
        """Codes and refresh tokens."""
        world = self

        class WithCode(AuthorizationCodeGrant):  # type: ignore[misc]
            TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

            def save_authorization_code(self, code: str, request: Json) -> None:
                world.codes[code] = Code(code, request)

            def query_authorization_code(self, code: str, client: Json) -> Code | None:
                return world.codes.get(code)

            def delete_authorization_code(self, code: Code) -> None:
                world.codes.pop(code.text)

            def authenticate_user(self, code: Code) -> str:
                return str(code.user)

        class WithRefresh(RefreshTokenGrant):  # type: ignore[misc]
            INCLUDE_NEW_REFRESH_TOKEN = True

            def authenticate_refresh_token(self, text: str) -> Refresh | None:
                found = world.refreshes.get(text)
                return None if found is None or found.dead else found

            def authenticate_user(self, refresh: Refresh) -> str:
                return refresh.user

            def revoke_old_credential(self, refresh: Refresh) -> None:
                refresh.dead = True
                time.sleep(world.lag_of_answers_s)

        server.register_grant(WithCode, [CodeChallenge(required=True)])
        server.register_grant(WithRefresh)

        class Named(IssuerParameter):  # type: ignore[misc]
            def get_issuer(self) -> str:
                return world.called

        server.register_extension(Named())
        save = server._save_token

        def saving(told: dict[str, Json], asked: Json) -> None:
            save(told, asked)
            if "refresh_token" in told:
                world.refreshes[told["refresh_token"]] = Refresh(asked.user, told.get("scope", ""))

        server._save_token = saving

        @self._app.get("/authorize")
        def authorize() -> Json:
            return server.create_authorization_response(grant_user=world.user)

    def take_back(self, text: str) -> bool:
        """Have a refresh token be of no more use."""
        found = self.refreshes.get(text)
        if found is None:
            return False
        found.dead = True
        return True


def connecting() -> AbstractContextManager[ConnectingAuthorities]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(ConnectingAuthorities())
