# SPDX-License-Identifier: Apache-2.0
"""Shared signals: the events that others tell of people, sessions and devices, and what follows from each.

What an event is called is the standards' (CAEP 1.0, RISC 1.0, SSF 1.0). What it does here is policy, with
defaults that take authority away where the event says that something got worse, and only then. A value that
is not known counts as worse.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from remit.core.json_value import Json

CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
SSF: Final = "https://schemas.openid.net/secevent/ssf/event-type/"


class SignalKind(enum.StrEnum):
    """The events that are known, by the last part of their URI; the first part is that of their standard."""

    SESSION_REVOKED = "session-revoked"
    TOKEN_CLAIMS_CHANGE = "token-claims-change"
    CREDENTIAL_CHANGE = "credential-change"
    ASSURANCE_LEVEL_CHANGE = "assurance-level-change"
    DEVICE_COMPLIANCE_CHANGE = "device-compliance-change"
    SESSION_ESTABLISHED = "session-established"
    SESSION_PRESENTED = "session-presented"
    RISK_LEVEL_CHANGE = "risk-level-change"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    ACCOUNT_PURGED = "account-purged"
    CREDENTIAL_COMPROMISE = "credential-compromise"
    SESSIONS_REVOKED = "sessions-revoked"
    VERIFICATION = "verification"
    STREAM_UPDATED = "stream-updated"

    @property
    def uri(self) -> str:
        """The event's URI."""
        return f"{_BASE[self]}{self.value}"


_RISC_KINDS: Final = (
    SignalKind.ACCOUNT_DISABLED,
    SignalKind.ACCOUNT_ENABLED,
    SignalKind.ACCOUNT_PURGED,
    SignalKind.CREDENTIAL_COMPROMISE,
    SignalKind.SESSIONS_REVOKED,
)
_OF_STREAMS: Final = (SignalKind.VERIFICATION, SignalKind.STREAM_UPDATED)
_BASE: Final = {
    kind: RISC if kind in _RISC_KINDS else SSF if kind in _OF_STREAMS else CAEP for kind in SignalKind
}
_BY_URI: Final = {kind.uri: kind for kind in SignalKind}
#: SSF's own events had another base before version 1.0.
_BY_URI.update({one.uri.replace("/ssf/", "/sse/"): one for one in _OF_STREAMS})


class Reaction(enum.StrEnum):
    """What an event does to whom it is about.

    `end-tasks`: what is done for the person ends, or what the agent does. `sign-out`: the person's sessions
    here end, and their codes. `deactivate`: the person is taken out of service. `suspend`: the agent is.
    """

    END_TASKS = "end-tasks"
    SIGN_OUT = "sign-out"
    DEACTIVATE = "deactivate"
    SUSPEND = "suspend"


_BOTH: Final = (Reaction.END_TASKS, Reaction.SIGN_OUT)
#: What follows unless the configuration says otherwise. An event that is not here is recorded alone.
USUAL: Final[Mapping[SignalKind, tuple[Reaction, ...]]] = {
    SignalKind.SESSION_REVOKED: _BOTH,
    SignalKind.SESSIONS_REVOKED: _BOTH,
    SignalKind.CREDENTIAL_CHANGE: _BOTH,
    SignalKind.CREDENTIAL_COMPROMISE: _BOTH,
    SignalKind.ASSURANCE_LEVEL_CHANGE: (Reaction.END_TASKS,),
    SignalKind.DEVICE_COMPLIANCE_CHANGE: _BOTH,
    SignalKind.RISK_LEVEL_CHANGE: (Reaction.END_TASKS,),
    # An agent with a delegation record of theirs could else begin again at once.
    SignalKind.ACCOUNT_DISABLED: (Reaction.DEACTIVATE, *_BOTH),
    SignalKind.ACCOUNT_PURGED: (Reaction.DEACTIVATE, *_BOTH),
}

#: By kind: the member that says how things stand now, and the values that are no change for the worse.
_HARMLESS: Final[Mapping[SignalKind, tuple[str, frozenset[str]]]] = {
    SignalKind.CREDENTIAL_CHANGE: ("change_type", frozenset({"create", "update"})),
    SignalKind.ASSURANCE_LEVEL_CHANGE: ("change_direction", frozenset({"increase"})),
    SignalKind.DEVICE_COMPLIANCE_CHANGE: ("current_status", frozenset({"compliant"})),
    SignalKind.RISK_LEVEL_CHANGE: ("current_level", frozenset({"LOW", "MEDIUM"})),
}


def kind_of(uri: str) -> SignalKind | None:
    """Return the kind of an event by its URI; `None` for one that is not known."""
    return _BY_URI.get(uri)


def worsens(kind: SignalKind, payload: Mapping[str, Json]) -> bool:
    """Return whether an event tells of something that got worse."""
    if (told := _HARMLESS.get(kind)) is None:
        return True
    value = payload.get(told[0])
    return not isinstance(value, str) or value not in told[1]


def reactions(
    kind: SignalKind, payload: Mapping[str, Json], chosen: Mapping[SignalKind, tuple[Reaction, ...]]
) -> tuple[Reaction, ...]:
    """Return what follows from an event: as `chosen`, else as usual; nothing where it got no worse."""
    wanted = chosen.get(kind, USUAL.get(kind, ()))
    return wanted if worsens(kind, payload) else ()
