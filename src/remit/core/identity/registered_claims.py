# SPDX-License-Identifier: Apache-2.0
"""The registered claims of foreign tokens (RFC 7519 section 4.1): issuer, subject, audience and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from remit.core.errors import Unauthenticated
from remit.core.json_value import Json

#: The most characters accepted in a subject, an id or an audience.
MAX_TEXT: Final = 2048
MAX_AUDIENCES: Final = 32


class RegisteredClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The registered claims of a token that is valid now."""

    subject: str
    audience: tuple[str, ...]
    expires: datetime
    token_id: str = ""


class _Wire(msgspec.Struct, frozen=True):
    # RFC 7519 section 2: a NumericDate may have a fraction.
    exp: int | float
    aud: str | list[str]
    sub: str
    nbf: int | float = 0
    iat: int | float | None = None
    jti: str = ""


def check_registered(
    claims: Mapping[str, Json],
    *,
    audience: str | None,
    now: datetime,
    leeway_s: int = 30,
    max_life_s: int = 0,
) -> RegisteredClaims:
    """Check audience and times of a token; raise `Unauthenticated`. With `audience` `None` it has none.

    `leeway_s` is the permitted clock difference. `max_life_s`, where it is not 0, bounds the token's life
    after `iat` (or after now, without `iat`). Codes: `token-claims`, `token-audience`, `token-expired`,
    `token-not-yet-valid`.
    """
    if audience is None:
        if "aud" in claims:
            raise _refused("has an audience", "token-claims", "show one without `aud`")
        claims = {**claims, "aud": []}
    try:
        wire = msgspec.convert(claims, _Wire)
    except msgspec.ValidationError as fault:
        raise _refused("lacks a claim, or has a malformed one", "token-claims", debug=str(fault)) from None
    audiences = (wire.aud,) if isinstance(wire.aud, str) else tuple(wire.aud)
    texts = (wire.sub, wire.jti, *audiences)
    if not wire.sub or len(audiences) > MAX_AUDIENCES or any(len(text) > MAX_TEXT for text in texts):
        raise _refused("has a malformed claim", "token-claims")
    if audience is not None and (not audience or audience not in audiences):
        raise _refused("is for another audience", "token-audience", f"ask for one with `aud` `{audience}`")
    moment = now.astimezone(UTC).timestamp()
    # INVARIANT: written so that a NaN, for which every comparison is false, is refused.
    if not moment < wire.exp + leeway_s:
        raise _refused("has expired", "token-expired", "get a new one; check the clocks")
    issued = moment if wire.iat is None else wire.iat
    if not max(wire.nbf, issued) <= moment + leeway_s:
        raise _refused("is not yet valid", "token-not-yet-valid", "check the clocks")
    if max_life_s and not wire.exp - issued <= max_life_s + leeway_s:
        raise _refused(
            "is valid for too long", "token-claims", f"ask for one of at most {max_life_s} seconds"
        )
    try:
        expires = datetime.fromtimestamp(wire.exp, UTC)
    except (OverflowError, ValueError, OSError):
        raise _refused("has a malformed claim", "token-claims") from None
    return RegisteredClaims(subject=wire.sub, audience=audiences, expires=expires, token_id=wire.jti)


def _refused(what: str, code: str, remediation: str = "", debug: str = "") -> Unauthenticated:
    return Unauthenticated(f"the token {what}", code=code, remediation=remediation, debug=debug, step=1)
