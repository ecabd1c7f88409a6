# SPDX-License-Identifier: Apache-2.0
"""A receiver of security event tokens, as strict as the standards read, that fails when it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import KeySet

from remit.core.errors import SourceUnavailable
from remit.ports.fetch import Fetched

Json = Any

BASE = "https://schemas.openid.net/secevent/"


class StrictReceiver:
    """`ports.delivery.Deliver` to one receiver. It keeps what it took, in order, and takes nothing twice for
    new.
    """

    def __init__(self, issuer: str, audience: str, keys: Callable[[], Json]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self.taken: list[Json] = []
        self.again: list[str] = []
        self.shown: list[str] = []
        #: What it answers before it takes anything: a status, or an error code with status 400.
        self.answers: list[int | str] = []
        #: How many of its answers are lost after it has taken a token.
        self.lose = 0

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        media: str,
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
        max_bytes: int = 262_144,
        timeout_s: float = 10.0,
    ) -> Fetched:
        """Take a token as RFC 8935 section 2.2 says."""
        assert media == "application/secevent+jwt"
        assert "application/json" in accept
        self.shown.append((headers or {}).get("Authorization", ""))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, str):
                told = {"err": answer, "description": "no"}
                return Fetched(url=url, status=400, body=json.dumps(told).encode())
            return Fetched(url=url, status=answer)
        self.take(body.decode())
        if self.lose:
            self.lose -= 1
            raise SourceUnavailable("the answer is lost", code="fetch-failed")
        return Fetched(url=url, status=202)

    def take(self, token: str) -> Json:
        """Verify one token and keep what it says; gives its claims."""
        found = jws.deserialize_compact(token, KeySet.import_key_set(self._keys()), algorithms=["ES256"])
        assert found.headers()["typ"] == "secevent+jwt"
        claims = json.loads(found.payload)
        assert set(claims) == {"iss", "aud", "iat", "jti", "sub_id", "events"}
        assert (claims["iss"], claims["aud"]) == (self._issuer, self._audience)
        assert isinstance(claims["iat"], int)
        ((uri, payload),) = claims["events"].items()
        assert uri.startswith(BASE)
        assert isinstance(payload, dict)
        assert claims["sub_id"]["format"] in ("complex", "iss_sub", "opaque")
        if claims["jti"] in [one["jti"] for one in self.taken]:
            self.again.append(claims["jti"])
        else:
            self.taken.append(claims)
        return claims

    @property
    def told(self) -> list[tuple[str, str]]:
        """What it was told: the event's short name, and the session or the application."""
        out = []
        for claims in self.taken:
            ((uri, _),) = claims["events"].items()
            sub_id = claims["sub_id"]
            name = sub_id["session"]["id"] if "session" in sub_id else sub_id.get("sub", sub_id.get("id"))
            out.append((uri.rpartition("/")[2], name))
        return out
