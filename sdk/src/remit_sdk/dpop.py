# SPDX-License-Identifier: Apache-2.0
"""DPoP on the sender's side (RFC 9449): each request proves that its sender has the token's key.

A server may require a nonce in each proof; the newest nonce is used. A request that was refused for lack of a
nonce is signed and sent again. The server did not process it, so nothing is executed twice.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from remit_sdk.key import AgentKey

Json = Any

PROOF_TYPE: Final = "dpop+jwt"
HEADER: Final = "DPoP"
NONCE: Final = "DPoP-Nonce"
USE_NONCE: Final = "use_dpop_nonce"
INVALID_PROOF: Final = "invalid_dpop_proof"
#: A smaller clock difference to the server is not the reason why a proof was refused.
CLOCK_OFF_S: Final = 5.0
MAX_NONCE: Final = 1024
#: Maximum number of signatures of a request: the first, one for a nonce, one for the server's clock.
PROOF_TRIES: Final = 3
_ERROR: Final = re.compile(r'\berror="?([A-Za-z_]+)')


class DpopProver:
    """Signs proofs with one key, by default a new one for this process, and stores nonces by origin."""

    def __init__(self, key: AgentKey | None = None) -> None:
        """Keep the key, by default a new P-256 key. It never leaves this object."""
        self.key = key if key is not None else AgentKey.generate()
        self._nonces: dict[str, str] = {}
        self._ahead_s: dict[str, float] = {}

    def proof(self, method: str, url: str, token: str = "") -> str:
        """Sign a proof for one request; `token` is its access token, empty at a token endpoint."""
        origin = _origin(url)
        claims: dict[str, Json] = {
            "jti": secrets.token_urlsafe(18),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": int(time.time() + self._ahead_s.get(origin, 0.0)),
        }
        if token:
            digest = hashlib.sha256(token.encode("ascii", "replace")).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if nonce := self._nonces.get(origin):
            claims["nonce"] = nonce
        return self.key.sign(claims, {"typ": PROOF_TYPE, "jwk": self.key.public_jwk})

    def learn(self, url: str, headers: Mapping[str, str]) -> None:
        """Store the nonce of an answer (section 8.2); call this method for every answer."""
        nonce = headers.get(NONCE, "")
        if 0 < len(nonce) <= MAX_NONCE:
            self._nonces[_origin(url)] = nonce

    def again(self, url: str, status: int, headers: Mapping[str, str], error: str = "") -> bool:
        """Return whether to sign the same request and send it again; call this method after `learn`.

        It is so if a nonce was missing, or if the clocks disagree. `error` is the OAuth error in a token
        endpoint's answer; a protected resource returns it in `WWW-Authenticate`.
        """
        if status == 401 and not error:
            error = challenge_error(headers, "dpop")
        if error == USE_NONCE:
            return NONCE in headers
        return error == INVALID_PROOF and self._set_clock(_origin(url), headers.get("Date", ""))

    def _set_clock(self, origin: str, date: str) -> bool:
        try:
            ahead_s = parsedate_to_datetime(date).timestamp() - time.time()
        except (ValueError, TypeError):
            return False
        off = abs(ahead_s - self._ahead_s.get(origin, 0.0)) > CLOCK_OFF_S
        self._ahead_s[origin] = ahead_s
        return off


def challenge_error(headers: Mapping[str, str], scheme: str) -> str:
    """Return the `error` of a `WWW-Authenticate` challenge of one scheme; empty if there is none."""
    given = headers.getall("WWW-Authenticate", []) if hasattr(headers, "getall") else []
    for line in given or [headers.get("WWW-Authenticate", "")]:
        # One header may contain challenges of several schemes: each begins with a word and a space.
        for part in re.split(r"(?:^|,\s*)(?=[A-Za-z0-9-]+\s+[A-Za-z_]+=)", line):
            if part.lower().startswith(scheme + " ") and (found := _ERROR.search(part)):
                return found[1]
    return ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
