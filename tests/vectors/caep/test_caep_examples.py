# SPDX-License-Identifier: Apache-2.0
"""The examples of RFC 9493, RFC 8417 and CAEP 1.0 are read as these say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from remit.core.errors import Malformed
from remit.core.signals.security_event_token import Subject, SubjectId, read_event, read_subject
from remit.core.signals.signal import SignalKind, kind_of

Json = Any

ISSUED = 1615305159
SESSION = {"format": "opaque", "id": "dMTlD|1600802906337.16|16008.16"}
USER = {
    "format": "iss_sub",
    "iss": "https://idp.example.com/123456789/",
    "sub": "99beb27c-c1c2-4955-882a-e0dc4996fcbc",
}
TENANT = {"format": "opaque", "id": "123456789"}


def read(claims: Json) -> Any:
    """Read claims when they were issued."""
    return read_event(
        claims,
        audience="https://sp.example.com/caep",
        now=datetime.fromtimestamp(ISSUED + 10, UTC),
        leeway_s=5,
        max_age_s=60,
    )


@pytest.mark.parametrize(
    "written",
    [
        {"format": "account", "uri": "acct:example.user@service.example.com"},
        {"format": "email", "email": "user@example.com"},
        {"format": "iss_sub", "iss": "https://issuer.example.com/", "sub": "145234573"},
        {"format": "opaque", "id": "11112222333344445555"},
        {"format": "phone_number", "phone_number": "+12065550100"},
        {"format": "did", "url": "did:example:123456/did/url/path?versionId=1"},
        {"format": "uri", "uri": "https://user.example.com/"},
        {
            "format": "aliases",
            "identifiers": [
                {"format": "email", "email": "user@example.com"},
                {"format": "phone_number", "phone_number": "+12065550100"},
                {"format": "email", "email": "user+qualifier@example.com"},
            ],
        },
    ],
)
def test_rfc_9493_section_3_2(written: Json) -> None:
    """Each format is read, and written as it was."""
    assert read_subject(written).wire() == written


def test_rfc_9493_aliases_hold_no_aliases() -> None:
    """Section 3.2.8: aliases are not nested; one is a subject of which nothing is known."""
    inner = {"format": "aliases", "identifiers": [{"format": "email", "email": "user@example.com"}]}
    found = read_subject({"format": "aliases", "identifiers": [inner]})
    assert found.parts[""] == (Subject("aliases", ()),)


@pytest.mark.parametrize("placed", ["token", "event", "both"])
def test_caep_session_revoked(placed: str) -> None:
    """A complex subject, in the token as of 1.0 or in the event as before it."""
    parts = {"session": SESSION, "user": USER, "tenant": TENANT}
    payload: Json = {
        "initiating_entity": "policy",
        "reason_admin": {"en": "Landspeed Policy Violation: C076E82F"},
        "event_timestamp": 1615304991,
    }
    claims: Json = {
        "iss": "https://idp.example.com/123456789/",
        "jti": "24c63fb56e5a2d77a6b512616ca9fa24",
        "iat": ISSUED,
        "aud": "https://sp.example.com/caep",
        "events": {SignalKind.SESSION_REVOKED.uri: payload},
    }
    if placed != "event":
        claims["sub_id"] = {"format": "complex", **parts}
    if placed != "token":
        payload["subject"] = {"format": "complex", **parts}
    told = read(claims)
    assert told.subject == SubjectId(
        {
            "session": (Subject("opaque", (SESSION["id"],)),),
            "user": (Subject("iss_sub", (USER["iss"], USER["sub"])),),
            "tenant": (Subject("opaque", ("123456789",)),),
        }
    )
    assert told.token_id == "24c63fb56e5a2d77a6b512616ca9fa24"
    assert [kind_of(uri) for uri in told.events] == [SignalKind.SESSION_REVOKED]


def test_two_subjects_are_none() -> None:
    """What the token and its event say of the subject must be the same."""
    claims = {
        "iss": "https://idp.example.com/123456789/",
        "jti": "1",
        "iat": ISSUED,
        "aud": ["https://sp.example.com/caep"],
        "sub_id": USER,
        "events": {SignalKind.SESSION_REVOKED.uri: {"subject": SESSION}},
    }
    with pytest.raises(Malformed):
        read(claims)


def test_event_types_are_those_of_their_standards() -> None:
    """CAEP 1.0, RISC 1.0, SSF 1.0."""
    base = "https://schemas.openid.net/secevent"
    assert SignalKind.SESSION_REVOKED.uri == f"{base}/caep/event-type/session-revoked"
    assert SignalKind.DEVICE_COMPLIANCE_CHANGE.uri == f"{base}/caep/event-type/device-compliance-change"
    assert SignalKind.ACCOUNT_DISABLED.uri == f"{base}/risc/event-type/account-disabled"
    assert SignalKind.VERIFICATION.uri == f"{base}/ssf/event-type/verification"
    assert all(kind_of(one.uri) is one for one in SignalKind)
