# SPDX-License-Identifier: Apache-2.0
"""Step 1 at every HTTP endpoint: a token, and the proof that its sender is its legitimate holder.

1. the token is remit's, valid, and for the requested resource (`Authenticator`)
2. a token under the scheme `DPoP` comes with a valid proof for this request and this token, and is bound to
   the proof's key (RFC 9449 section 7.1)
3. a token that is bound to a key is refused without that key's proof, under whichever scheme (RFC 9449
   section 7.2, RFC 8705 section 3)
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from remit.core.errors import ProofRefused, Unauthenticated
from remit.core.identity.workload import Confirmation
from remit.core.oauth.access_token import AccessClaims
from remit.services.identity.authenticator import NOTHING_PROVEN, Authenticator
from remit.services.oauth.dpop_replay import DpopReplay

#: RFC 9110 section 11.1: a scheme's name is case-insensitive.
BEARER: Final = "bearer"
DPOP: Final = "dpop"


class PresentedToken(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of its sender that a request carries.

    `authorization` is the header's value, or `None` where the header is missing or present twice; `proofs`
    are all values of the header `DPoP`; `url` is the requested address, under the public address and without
    query; `certificate` is the chain of the TLS client in DER, its own certificate first. `judged` is the key
    of a DPoP proof that another replica has checked, and used up, for this very request.
    """

    authorization: str | None
    method: str
    url: str
    proofs: Sequence[str] = ()
    certificate: Sequence[bytes] = ()
    judged: str = ""


class Identified(msgspec.Struct, frozen=True):
    """The sender of a request: the token, its claims, the proven keys, and the nonce for next time."""

    token: str
    claims: AccessClaims
    proven: Confirmation
    nonce: str = ""


class PresentedTokens:
    """Reads the evidence that requests carry. For one event loop; nothing is awaited."""

    def __init__(self, authenticator: Authenticator, proofs: DpopReplay) -> None:
        """Take the authenticator of tokens and the memory of proofs."""
        self._authenticator = authenticator
        self._proofs = proofs

    def identify(self, showing: PresentedToken, now: datetime, *, resource: str = "") -> Identified:
        """Return the sender of a request; raises `Unauthenticated` or `ProofRefused` with the reason code."""
        scheme, token = _scheme(showing.authorization)
        # 1
        claims = self._authenticator.unproven(token, now, resource=resource)
        proven = shown_key(showing.certificate)
        nonce = ""
        if scheme == DPOP:
            # 2
            jkt, nonce = self.proven(showing, token)
            proven = msgspec.structs.replace(proven, jkt=jkt)
            if not claims.confirmation.jkt:
                raise Unauthenticated(
                    "the token is not bound to a key of its sender",
                    code="token-unbound",
                    remediation="send it as `Bearer`, or ask for a token with a DPoP proof",
                    step=1,
                )
        # 3
        self._authenticator.check_proven(claims, proven)
        return Identified(token, claims, proven, nonce)

    def proven(self, showing: PresentedToken, secret: str) -> tuple[str, str]:
        """Return the key of the DPoP proof beside a token or a session, and the nonce for next time."""
        return (showing.judged, "") if showing.judged else self._proof(showing, secret)

    def _proof(self, showing: PresentedToken, token: str) -> tuple[str, str]:
        proof = _only(showing.proofs)
        held, used = self._proofs.check(proof, method=showing.method, url=showing.url, token=token)
        return held.jkt, self._proofs.fresher(used)


def shown_key(chain: Sequence[bytes]) -> Confirmation:
    """Return the key of a TLS client's certificate as RFC 8705 section 3.1 names it.

    Returns an empty confirmation without a certificate.
    """
    if not chain:
        return NOTHING_PROVEN
    digest = hashlib.sha256(chain[0]).digest()
    return Confirmation(x5t_s256=base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


def _scheme(authorization: str | None) -> tuple[str, str]:
    if authorization is None:
        raise Unauthenticated(
            "the request has no token",
            code="no-token",
            remediation="send one `Authorization` header with an access token",
            step=1,
        )
    scheme, _, token = authorization.partition(" ")
    scheme, token = scheme.lower(), token.strip()
    if scheme not in (BEARER, DPOP) or not token or " " in token:
        raise Unauthenticated(
            "the request has no usable token",
            code="bad-authorization",
            remediation="send one `Authorization: Bearer` or `Authorization: DPoP` header with an access "
            "token",
            step=1,
        )
    return scheme, token


def _only(proofs: Sequence[str]) -> str:
    # RFC 9449 section 4.3: at most one proof is permitted.
    if len(proofs) != 1:
        raise ProofRefused(
            "the request has no DPoP proof" if not proofs else "the request has more than one DPoP proof",
            code="proof-missing" if not proofs else "proof-malformed",
            remediation="send one proof in the header `DPoP`",
        )
    return proofs[0]
