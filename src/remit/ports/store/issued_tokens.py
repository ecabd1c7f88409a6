# SPDX-License-Identifier: Apache-2.0
"""What may be asked of the store about issued tokens."""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.oauth.refresh_token import RefreshToken, TokenFamily


class PutFamily(msgspec.Struct, frozen=True):
    """Keep a new family of tokens; `Conflict` if there is one with its id."""

    family: TokenFamily


class PutRefreshToken(msgspec.Struct, frozen=True):
    """Keep a new refresh token; those that ran out before it was made may be dropped, and families too."""

    token: RefreshToken


class UseRefreshToken(msgspec.Struct, frozen=True):
    """Use a refresh token up; `Conflict` unless it is there, unused, and not run out at `now`. A used one is
    remembered until it would have run out.
    """

    tenant: str
    digest: str
    now: datetime


class Withdraw(msgspec.Struct, frozen=True):
    """Take back what bears this id, an access token or a whole family. It is remembered until `expires`, when
    nothing of it can be valid any more; what ran out before `now` may be dropped. Taking back twice is no
    error.
    """

    tenant: str
    id: str
    expires: datetime
    now: datetime


IssuedChange = PutFamily | PutRefreshToken | UseRefreshToken | Withdraw
