# SPDX-License-Identifier: Apache-2.0
"""The authorization server of the tests as one that believes others: remit's word for a person, an identity
provider's assertion, and a client's key. It can be that identity provider, too.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from contextlib import AbstractContextManager
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tests.servers.authorization_server import Authorities, Registered
from tests.servers.local_server import serving

Json = Any

JWT = "urn:ietf:params:oauth:token-type:jwt"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


class TrustingAuthorities(Authorities):
    """`trusted` holds the address of the keys of each trusted issuer; `people` holds the known people. `said`
    keeps the claims of every accepted assertion.
    """

    def __init__(self) -> None:
        self.trusted: dict[str, str] = {}
        self.people = {"ana"}
        self.said: list[dict[str, Json]] = []
        self.seen: set[str] = set()
        self.key = ECKey.generate_key("P-256", {"kid": "idp"})
        self.client_key = ECKey.generate_key("P-256", {"kid": "remit-at-crm"})
        self.other_type = False
        #: What it calls itself, where that is not its address.
        self.called = ""
        super().__init__()
        self._app.add_url_rule(
            "/keys", view_func=lambda: {"keys": [self.key.as_dict(private=False)]}, endpoint="keys"
        )

    def keys_of(self, issuer: str) -> KeySet:
        """Fetch the keys of an issuer; raises `InvalidGrantError` for one that is not believed."""
        if issuer not in self.trusted:
            raise InvalidGrantError("who says so is not believed here")
        with urllib.request.urlopen(self.trusted[issuer], timeout=60) as answer:
            return KeySet.import_key_set(json.load(answer))

    def believed(self, text: str) -> dict[str, Json]:
        """Return the claims of an assertion for this server, once; raises `InvalidGrantError`."""
        unread = json.loads(_part(text, 1))
        token = jwt.decode(
            text, self.keys_of(unread.get("iss", "")), algorithms=["ES256", "EdDSA", "Ed25519"]
        )
        claims = token.claims
        if claims.get("aud") not in (self.url, f"{self.url}/token") or claims["exp"] < time.time():
            raise InvalidGrantError("the assertion is not for this server now")
        if claims["jti"] in self.seen:
            raise InvalidGrantError("the assertion was already used")
        self.seen.add(claims["jti"])
        self.said.append(dict(claims))
        return dict(claims)

    def extend(self, server: AuthorizationServer) -> None:
        """Exchange, bearer grants, and clients known by their key."""
        server.register_client_auth_method("client_assertion_jwt", known_by_key(self)())
        server.register_grant(bearer_grant(self))
        server.register_grant(exchange_grant(self))


def known_by_key(world: TrustingAuthorities) -> type[JWTBearerClientAssertion]:
    """Return what knows clients by their key."""

    class Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
        def get_audiences(self) -> list[str]:
            return [world.url, f"{world.url}/token"]

        def validate_jti(self, claims: Json, jti: str) -> bool:
            fresh = jti not in world.seen
            world.seen.add(jti)
            return fresh

        def resolve_client_public_key(self, client: Json) -> ECKey:
            return world.client_key

    return Assertion


def bearer_grant(world: TrustingAuthorities) -> type[JWTBearerGrant]:
    """Return what takes an issuer's assertion."""

    class Bearer(JWTBearerGrant):  # type: ignore[misc]
        def get_audiences(self) -> list[str]:
            return [world.url, f"{world.url}/token"]

        def resolve_issuer_client(self, issuer: str) -> Json:
            self.issuer = issuer
            return Registered() if issuer in world.trusted else None

        def resolve_client_public_key(self, client: Json) -> KeySet:
            return world.keys_of(self.issuer)

        def process_assertion_claims(self, assertion: str) -> Json:
            claims = super().process_assertion_claims(assertion)
            world.said.append(dict(claims))
            return claims

        def authenticate_user(self, subject: str) -> Json:
            return {"name": subject} if subject in world.people else None

        def has_granted_permission(self, client: Json, user: Json) -> bool:
            return True

    return Bearer


def exchange_grant(world: TrustingAuthorities) -> type[BaseGrant]:
    """Return what exchanges a subject and an actor."""

    class Exchange(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
        GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_assertion_jwt"]

        def validate_token_request(self) -> None:
            self.request.client = self.authenticate_token_endpoint_client()
            form = self.request.form
            if (form.get("subject_token_type"), form.get("actor_token_type")) != (JWT, JWT):
                raise InvalidGrantError("subject and actor are of another type")
            subject, actor = world.believed(form["subject_token"]), world.believed(form["actor_token"])
            if subject["act"]["sub"] != actor["sub"] or subject["sub"] not in world.people:
                raise InvalidGrantError("this actor does not act for this subject")
            self.request.user = {"name": subject["sub"], "actor": actor["sub"]}

        def create_token_response(self) -> Json:
            if self.request.form.get("requested_token_type") == ID_JAG:
                return 200, self.assertion(), self.TOKEN_RESPONSE_HEADER
            scope = self.request.payload.scope
            given = self.generate_token(user=self.request.user, scope=scope, include_refresh_token=False)
            self.save_token(given)
            return 200, given, self.TOKEN_RESPONSE_HEADER

        def assertion(self) -> Json:
            if not self.request.form.get("audience"):
                raise InvalidRequestError("it names no audience")
            now = int(time.time())
            claims = {
                "iss": world.called or world.url,
                "sub": self.request.user["name"],
                "aud": self.request.form["audience"],
                "client_id": "partner",
                "act": {"sub": self.request.user["actor"]},
                "jti": f"jag-{len(world.seen)}",
                "iat": now,
                "exp": now + 60,
            }
            text = jwt.encode({"alg": "ES256", "kid": "idp", "typ": "oauth-id-jag+jwt"}, claims, world.key)
            kind = JWT if world.other_type else ID_JAG
            return {"access_token": text, "issued_token_type": kind, "token_type": "N_A"}

    return Exchange


def _part(text: str, number: int) -> bytes:
    part = text.split(".")[number]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def trusting() -> AbstractContextManager[TrustingAuthorities]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(TrustingAuthorities())
