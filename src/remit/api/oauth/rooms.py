# SPDX-License-Identifier: Apache-2.0
"""The rooms that the endpoints of the authorization server work with."""

from __future__ import annotations

from dataclasses import dataclass

from remit.ports.keys import Keyring
from remit.ports.runtime import Clock
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.oauth.server import AuthorizationServer


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthRooms:
    """Those of the endpoints that programs use."""

    keys: Keyring
    clock: Clock
    findings: FindingServices
    identity: IdentityServices
    oauth: AuthorizationServer
