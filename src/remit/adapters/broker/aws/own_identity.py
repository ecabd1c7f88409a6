# SPDX-License-Identifier: Apache-2.0
"""remit's own identity at AWS: an access key, or a role assumed with a workload token of the platform."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from remit.adapters.broker.aws.query_api import AwsQuery
from remit.core.errors import NothingDone
from remit.core.keys.sigv4 import AwsKeys
from remit.ports.runtime import Clock

#: remit's own session is replaced this long before it ends.
MARGIN: Final = timedelta(minutes=10)
SESSION: Final = "remit"


class WebIdentity:
    """Keys of a role that remit assumes with a token of another issuer (AssumeRoleWithWebIdentity)."""

    def __init__(self, role: str, token: Callable[[], str], *, sts: AwsQuery, clock: Clock) -> None:
        """Store the role; `token` is read each time the role is assumed."""
        self._role = role
        self._token = token
        self._sts = sts
        self._clock = clock
        self._entering = asyncio.Lock()
        self._keys: AwsKeys | None = None
        self._until: datetime | None = None

    async def keys(self) -> AwsKeys:
        """Return keys that remain valid for at least some minutes; raises `KeyUnavailable`."""
        async with self._entering:
            now = self._clock.now()
            if self._keys is not None and self._until is not None and now < self._until - MARGIN:
                return self._keys
            given = {
                "RoleArn": self._role,
                "RoleSessionName": SESSION,
                "WebIdentityToken": self._token(),
                "DurationSeconds": "3600",
            }
            said = await self._sts.ask("AssumeRoleWithWebIdentity", given, None)
            keys = AwsKeys(said.one("AccessKeyId"), said.one("SecretAccessKey"), said.one("SessionToken"))
            if not keys.id or not keys.secret or not keys.token:
                raise NothingDone(
                    "the answer of AWS to `AssumeRoleWithWebIdentity` contains no session",
                    code="source-refused",
                    remediation="check `sts_url`",
                )
            self._keys, self._until = keys, now + timedelta(seconds=3600)
            return keys
