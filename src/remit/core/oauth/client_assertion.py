# SPDX-License-Identifier: Apache-2.0
"""Client assertions, by which a workload with a key proves its identity (RFC 7523 section 2.2,
`private_key_jwt`).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from joserfc import jws
from joserfc.errors import JoseError

from remit.core.errors import Malformed, Unauthenticated
from remit.core.keys.jwk import import_public
from remit.core.keys.jws import read_compact
from remit.core.oauth.access_token import ALGORITHMS

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: The longest permitted validity of an assertion.
MAX_LIFE_S = 300
MAX_SIZE = 16_384
#: `typ` may be absent; draft-ietf-oauth-rfc7523bis requires the second.
_TYPES = ("jwt", "client-authentication+jwt")


class ProvenAssertion(msgspec.Struct, frozen=True):
    """The result of a valid assertion: the subject, and the id that may not be reused before `expires`.

    `instance` is the running copy that the client names in the signed claims.
    """

    subject: str
    token_id: str
    expires: datetime
    instance: str = ""


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str | list[str]
    jti: str
    exp: int
    iat: int = 0
    instance: str = ""


def verify_assertion(
    assertion: str,
    public_jwk: dict[str, str],
    *,
    subject: str,
    issuer: str,
    now: datetime,
    leeway_s: int = 5,
) -> ProvenAssertion:
    """Check an assertion for `issuer` against a registered public key.

    Raises `Unauthenticated` (code `invalid_client`).
    """
    if len(assertion) > MAX_SIZE:
        raise _invalid("the client assertion is too large")
    try:
        read = read_compact(assertion, max_bytes=MAX_SIZE)
        claims = msgspec.convert(read.claims, _Claims)
        jws.deserialize_compact(assertion, import_public(public_jwk), algorithms=list(ALGORITHMS))
    except (Malformed, JoseError, ValueError, TypeError, KeyError) as error:
        raise _invalid("the client assertion does not verify", debug=repr(error)) from None
    # RFC 8725 section 3.11: a document that the same key signed for another purpose is not an assertion.
    if str(read.header.get("typ", "JWT")).lower().removeprefix("application/") not in _TYPES:
        raise _invalid("this token is not a client assertion")
    moment = now.astimezone(UTC).timestamp()
    if claims.iss != subject or claims.sub != subject:
        raise _invalid("the client assertion names another client")
    # draft-ietf-oauth-rfc7523bis section 4: the issuer as the only audience. A malicious server could have
    # claimed any other name of this server as its own.
    if claims.aud not in (issuer, [issuer]):
        raise _invalid("the client assertion is for another audience")
    if (
        moment >= claims.exp + leeway_s
        or claims.exp - moment > MAX_LIFE_S + leeway_s
        or claims.iat > moment + leeway_s
    ):
        raise _invalid("the client assertion is not valid now, or its lifetime is too long")
    if not claims.jti:
        raise _invalid("the client assertion has no `jti`")
    expires = datetime.fromtimestamp(claims.exp + leeway_s, UTC)
    return ProvenAssertion(subject, claims.jti, expires, claims.instance[:200])


def _invalid(message: str, debug: str = "") -> Unauthenticated:
    return Unauthenticated(
        message,
        code="invalid_client",
        remediation="sign a new assertion with the registered key",
        debug=debug,
        step=1,
    )
