# SPDX-License-Identifier: Apache-2.0
"""Security event tokens (RFC 8417) as SSF 1.0 uses them, and their subjects (RFC 9493).

Header and signature have been checked already; this module parses the claims, strictly and within bounds. A
SET is neither an access token nor an ID token, and must not pass for one: `exp` and `sub` are refused (SSF
1.0, RFC 8417 section 4.5 and 4.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from remit.core.errors import Malformed
from remit.core.json_value import Json

#: The header's `typ` (RFC 8417 section 2.3), and the media type of a delivery.
SET_TYPE: Final = "secevent+jwt"
SET_MEDIA: Final = f"application/{SET_TYPE}"
#: Delivery methods by their names (RFC 8935, RFC 8936).
PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"
#: The most events in one SET; SSF recommends one.
MAX_EVENTS: Final = 8
MAX_TEXT: Final = 1024
MAX_ALIASES: Final = 8

#: The members that identify a simple subject (RFC 9493 section 3.2, SSF 1.0 section 3.5).
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("uri",),
    "email": ("email",),
    "iss_sub": ("iss", "sub"),
    "opaque": ("id",),
    "phone_number": ("phone_number",),
    "did": ("url",),
    "uri": ("uri",),
    "jwt_id": ("iss", "jti"),
    "saml_assertion_id": ("issuer", "assertion_id"),
}
#: The permitted parts of a complex subject (SSF 1.0 section 3.3).
_PARTS: Final = frozenset({"user", "device", "session", "application", "tenant", "org_unit", "group"})


class Subject(msgspec.Struct, frozen=True):
    """A simple subject: its format, and the values of that format's members in their order."""

    format: str
    values: tuple[str, ...]

    def wire(self) -> dict[str, Json]:
        """Return the subject in wire form."""
        return {"format": self.format, **dict(zip(_MEMBERS.get(self.format, ()), self.values, strict=True))}


class SubjectId(msgspec.Struct, frozen=True):
    """The subject of an event: simple subjects by their role.

    Several under one role are aliases, names of one party. A simple subject by itself is under `""`.
    """

    parts: dict[str, tuple[Subject, ...]]

    def wire(self) -> dict[str, Json]:
        """Return the subject in wire form."""
        if set(self.parts) == {""}:
            return _wire(self.parts[""])
        return {"format": "complex", **{name: _wire(of) for name, of in self.parts.items()}}


class SecurityEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a SET: issuer, time, subject, and the event, by its URI."""

    issuer: str
    token_id: str
    issued: datetime
    subject: SubjectId
    events: dict[str, dict[str, Json]]


def _wire(names: tuple[Subject, ...]) -> dict[str, Json]:
    if len(names) == 1:
        return names[0].wire()
    return {"format": "aliases", "identifiers": [one.wire() for one in names]}


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    iat: int | float
    jti: str
    aud: str | list[str]
    events: dict[str, dict[str, Json]]
    sub_id: dict[str, Json] | None = None
    exp: Json = None
    sub: Json = None


def read_event(
    claims: Mapping[str, Json], *, audience: str, now: datetime, leeway_s: int, max_age_s: int
) -> SecurityEvent:
    """Parse the claims of a SET; raise `Malformed`, with the error code of RFC 8935 section 2.4.

    A SET does not expire. One that was issued more than `max_age_s` ago is refused nevertheless, because its
    `jti` is not remembered for longer.
    """
    try:
        read = msgspec.convert(claims, _Claims)
    except msgspec.ValidationError as fault:
        raise _bad("a claim is missing or malformed", debug=str(fault)) from None
    if read.exp is not None or read.sub is not None:
        raise _bad("a security event token has neither `exp` nor `sub`")
    audiences = [read.aud] if isinstance(read.aud, str) else read.aud
    if audience not in audiences:
        raise _bad("it has another audience", "invalid_audience")
    if not read.jti or len(read.jti) > MAX_TEXT:
        raise _bad("its `jti` is empty or too long")
    moment = now.timestamp()
    # INVARIANT: written so that a NaN, for which every comparison is false, is refused.
    if not moment - max_age_s - leeway_s <= read.iat <= moment + leeway_s:
        raise _bad("its `iat` is in the future, or too long ago")
    if not 1 <= len(read.events) <= MAX_EVENTS:
        raise _bad(f"it has no event, or more than {MAX_EVENTS}")
    return SecurityEvent(
        issuer=read.iss,
        token_id=read.jti,
        issued=datetime.fromtimestamp(read.iat, UTC),
        subject=read_subject(_subject_of(read)),
        events=read.events,
    )


def _subject_of(read: _Claims) -> dict[str, Json]:
    """Return the subject: SSF 1.0 has it in the token's `sub_id`, its drafts in the event's `subject`."""
    found = [one["subject"] for one in read.events.values() if "subject" in one]
    if read.sub_id is not None:
        found.append(read.sub_id)
    if not found or any(one != found[0] for one in found) or not isinstance(found[0], dict):
        raise _bad("it has no subject, or several")
    return found[0]


def read_subject(written: Mapping[str, Json]) -> SubjectId:
    """Parse a subject; raise `Malformed`. A subject of an unknown format is kept without its values."""
    form = written.get("format")
    if form == "complex" or (form is None and set(written) & _PARTS):
        parts = {name: _names(one) for name, one in written.items() if name in _PARTS}
        if not parts:
            raise _bad("its complex subject has no part")
        return SubjectId(parts)
    return SubjectId({"": _names(written)})


def _names(written: Json) -> tuple[Subject, ...]:
    """Parse one subject; a part of a complex one can have aliases, too (SSF 1.0 section 3.3)."""
    if not isinstance(written, Mapping) or written.get("format") != "aliases":
        return (_simple(written),)
    listed = written.get("identifiers")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_ALIASES:
        raise _bad("its aliases are malformed")
    return tuple(_simple(one) for one in listed)


def _simple(written: Json) -> Subject:
    if not isinstance(written, Mapping) or not isinstance(written.get("format"), str):
        raise _bad("a subject has no `format`")
    form = written["format"]
    members = _MEMBERS.get(form)
    if members is None:
        return Subject(form[:64], ())
    given = [written.get(name) for name in members]
    values = tuple(one for one in given if isinstance(one, str) and 0 < len(one) <= MAX_TEXT)
    if len(values) != len(members):
        raise _bad(f"a subject of format `{form}` lacks a member")
    return Subject(form, values)


def _bad(message: str, code: str = "invalid_request", debug: str = "") -> Malformed:
    return Malformed(message, code=code, debug=debug)
