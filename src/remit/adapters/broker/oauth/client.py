# SPDX-License-Identifier: Apache-2.0
"""remit as a client of an authorization server, authenticated by a secret or a key (`private_key_jwt`)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection
from typing import Final, Literal
from urllib.parse import quote

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from remit.adapters.broker.http import BrokerHttp, BrokerResponse
from remit.core.errors import KeyUnavailable
from remit.core.ids import ID_BYTES, make_id
from remit.core.oauth.client_assertion import ASSERTION_TYPE
from remit.ports.runtime import Clock, Entropy

Method = Literal["basic", "post", "private_key_jwt"]

ASSERTION_LIFE_S: Final = 60
#: The signature algorithm by key type and curve. PS256 alone would be better for RSA, but servers support
#: RS256.
_ALGORITHMS: Final = {
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("OKP", "Ed25519"): "EdDSA",
    ("RSA", ""): "RS256",
}


class SourceClient:
    """One client at one authorization server.

    `known_by` returns the secret, or the private key as a JWK, at each request. `audience` identifies the
    server in assertions.
    """

    def __init__(
        self,
        client_id: str,
        known_by: Callable[[], str],
        *,
        method: Method,
        audience: str,
        web: BrokerHttp,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Store remit's client id at the server."""
        self.client_id = client_id
        self._known_by = known_by
        self._method = method
        self.audience = audience
        self._web = web
        self._clock = clock
        self._entropy = entropy

    async def ask(self, url: str, form: dict[str, str]) -> BrokerResponse:
        """Send a request to an endpoint as this client; raises `KeyUnavailable` if no answer arrives."""
        headers: dict[str, str] = {}
        known_by = self._known_by()
        if self._method == "private_key_jwt":
            form = form | {
                "client_id": self.client_id,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self._assertion(known_by),
            }
        elif self._method == "basic":
            # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined. A space becomes
            # `%20`, not `+`: servers that only percent-decode can read it too.
            pair = f"{quote(self.client_id, safe='')}:{quote(known_by, safe='')}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        else:
            form = form | {"client_id": self.client_id, "client_secret": known_by}
        return await self._web.ask("POST", url, headers=headers, form=form)

    def _assertion(self, written: str) -> str:
        """Return a client assertion (RFC 7523 section 2.2): for this server, for one use, and short-lived."""
        key, algorithm = _key_of(written)
        now_s = int(self._clock.now().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "iat": now_s,
            "exp": now_s + ASSERTION_LIFE_S,
            "jti": make_id("ast", self._entropy.bytes(ID_BYTES)),
        }
        header = {"alg": algorithm, "typ": "JWT"} | ({"kid": key.kid} if key.kid else {})
        return jws.serialize_compact(header, orjson.dumps(claims), key, algorithms=[algorithm])


def refused(what: str, answer: BrokerResponse, why: str = "") -> KeyUnavailable:
    """Return the error for a refusal by the server, with its error code."""
    error = answer.object.get("error")
    # RFC 6749 section 5.2: an error is a short code. The code is reported, the description is not.
    word = error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,60}", error) else ""
    return KeyUnavailable(
        f"the authorization server refuses {what}: {why or word or f'status {answer.status}'}",
        code="source-refused",
        remediation="check the client, its scopes and its registration there",
        debug=word,
    )


def see_narrow(answer: BrokerResponse, allowed: Collection[str]) -> None:
    """Check that a token has no scopes beyond the permitted ones; raises `KeyUnavailable` otherwise.

    RFC 6749 section 5.1: a server that grants other scopes than requested reports which. With no `allowed`
    scopes, every scope is permitted.
    """
    given = answer.object.get("scope")
    if given is None or not allowed:
        return
    if not isinstance(given, str):
        raise refused("a token", answer, "its scopes cannot be read")
    if more := sorted(set(given.split()) - set(allowed)):
        shown = ", ".join(f"`{one[:40]}`" for one in more[:5] if one.isprintable())
        raise KeyUnavailable(
            f"the authorization server grants more than requested: {shown}",
            code="scope-wider",
            remediation="make it grant only the requested scopes; if it has its own name for a "
            "requested scope, allow that name in `may_give`",
        )


def _key_of(written: str) -> tuple[ECKey | OKPKey | RSAKey, str]:
    try:
        found = orjson.loads(written)
        key = import_key(found)
        algorithm = _ALGORITHMS.get((str(found["kty"]), str(found.get("crv", ""))))
    except (orjson.JSONDecodeError, JoseError, KeyError, TypeError, ValueError):
        key, algorithm = None, None
    if not isinstance(key, ECKey | OKPKey | RSAKey) or algorithm is None or not key.is_private:
        raise KeyUnavailable(
            "the client's key is not a private key in JSON (JWK) of P-256, P-384, Ed25519 or RSA",
            code="client-key",
            remediation="store the JWK on one line",
        )
    return key, algorithm
