# SPDX-License-Identifier: Apache-2.0
"""Shared signals: received events about people, sessions and devices, and the reaction to each.

The standards define the events (CAEP 1.0, RISC 1.0, SSF 1.0). The reaction is policy. Its defaults remove
authority only where the event reports a change for the worse. An unknown value counts as worse.
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
    """The known events, by the last part of their URI; the first part belongs to their standard."""

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
#: SSF's own events had another base URI before version 1.0.
_BY_URI.update({one.uri.replace("/ssf/", "/sse/"): one for one in _OF_STREAMS})


class Reaction(enum.StrEnum):
    """The effect of an event on its subject.

    `end-tasks`: the tasks for the person end, or those of the agent. `sign-out`: the person's sessions here
    end, and their codes. `deactivate`: the person is deactivated. `suspend`: the agent is suspended.
    """

    END_TASKS = "end-tasks"
    SIGN_OUT = "sign-out"
    DEACTIVATE = "deactivate"
    SUSPEND = "suspend"


_BOTH: Final = (Reaction.END_TASKS, Reaction.SIGN_OUT)
#: The default reactions. An event that is not listed is only recorded.
USUAL: Final[Mapping[SignalKind, tuple[Reaction, ...]]] = {
    SignalKind.SESSION_REVOKED: _BOTH,
    SignalKind.SESSIONS_REVOKED: _BOTH,
    SignalKind.CREDENTIAL_CHANGE: _BOTH,
    SignalKind.CREDENTIAL_COMPROMISE: _BOTH,
    SignalKind.ASSURANCE_LEVEL_CHANGE: (Reaction.END_TASKS,),
    SignalKind.DEVICE_COMPLIANCE_CHANGE: _BOTH,
    SignalKind.RISK_LEVEL_CHANGE: (Reaction.END_TASKS,),
    # Otherwise an agent with a delegation record of the person could start again at once.
    SignalKind.ACCOUNT_DISABLED: (Reaction.DEACTIVATE, *_BOTH),
    SignalKind.ACCOUNT_PURGED: (Reaction.DEACTIVATE, *_BOTH),
}

#: By kind: the member that holds the current state, and its values that are no change for the worse.
_HARMLESS: Final[Mapping[SignalKind, tuple[str, frozenset[str]]]] = {
    SignalKind.CREDENTIAL_CHANGE: ("change_type", frozenset({"create", "update"})),
    SignalKind.ASSURANCE_LEVEL_CHANGE: ("change_direction", frozenset({"increase"})),
    SignalKind.DEVICE_COMPLIANCE_CHANGE: ("current_status", frozenset({"compliant"})),
    SignalKind.RISK_LEVEL_CHANGE: ("current_level", frozenset({"LOW", "MEDIUM"})),
}


def kind_of(uri: str) -> SignalKind | None:
    """Return the kind of an event by its URI; `None` for an unknown one."""
    return _BY_URI.get(uri)


def worsens(kind: SignalKind, payload: Mapping[str, Json]) -> bool:
    """Return whether an event reports a change for the worse."""
    if (told := _HARMLESS.get(kind)) is None:
        return True
    value = payload.get(told[0])
    return not isinstance(value, str) or value not in told[1]


def reactions(
    kind: SignalKind, payload: Mapping[str, Json], chosen: Mapping[SignalKind, tuple[Reaction, ...]]
) -> tuple[Reaction, ...]:
    """Return the reactions to an event: those in `chosen`, else the default ones; none where nothing got
    worse.
    """
    wanted = chosen.get(kind, USUAL.get(kind, ()))
    return wanted if worsens(kind, payload) else ()
