# SPDX-License-Identifier: Apache-2.0
"""The inline policies that deny a role's ended sessions: first one per lease, later merged into one for many.

AWS cannot revoke a session, but it honours a policy of the role that denies everything to sessions of a given
name. Each lease has a separate policy, so that no two writers change the same one. IAM limits the total size
of a role's inline policies (10,240 characters), so many policies are merged into one from time to time; the
merged policy is written before the others are deleted. A policy is deleted once its sessions have expired.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson

from remit.adapters.broker.aws.query_api import AwsQuery, Said
from remit.core.errors import KeyUnavailable
from remit.core.keys.sigv4 import AwsKeys
from remit.ports.runtime import Clock

log = logging.getLogger("remit.leases")

_ONE: Final = "remit-ended-"
_MANY: Final = "remit-ended-many-"
_NAMED: Final = re.compile(r"remit-ended-(lse_[a-z0-9]+|many-lse_[a-z0-9]+)-(\d{9,12})")
#: How often the policies are tidied: by time, and by the number of leases ended since then. And how long
#: after the end of its sessions a policy is deleted: AWS refuses a request whose time is more than a quarter
#: of an hour off, so a clock that is ahead deletes no policy too early.
TIDY_EVERY: Final = timedelta(minutes=10)
TIDY_AT: Final = 16
TIDY_AFTER: Final = timedelta(minutes=20)


class RoleDenials:
    """The denying policies of one role. For one event loop; other processes may work on the same role."""

    def __init__(
        self, role: str, iam: AwsQuery, keys: Callable[[], Awaitable[AwsKeys]], clock: Clock
    ) -> None:
        """Store the role's name."""
        self._role = role
        self._iam = iam
        self._keys = keys
        self._clock = clock
        self._tidied: datetime | None = None
        self._since = 0

    async def deny(self, lease: str, until: datetime) -> None:
        """Deny everything to the sessions of a lease, which expire at `until`; raises `KeyUnavailable`."""
        try:
            await self._put(f"{_ONE}{lease}-{int(until.timestamp())}", [lease])
        except KeyUnavailable as fault:
            if fault.code != "aws:LimitExceeded":
                raise
            await self._tidy()
            await self._put(f"{_ONE}{lease}-{int(until.timestamp())}", [lease])
        self._since += 1
        now = self._clock.now()
        if self._tidied is None or now - self._tidied >= TIDY_EVERY or self._since >= TIDY_AT:
            try:
                await self._tidy()
            except KeyUnavailable as fault:
                # The session is denied; the leftover policies are tidied later.
                log.warning("policies of ended sessions of role `%s` were not removed: %s", self._role, fault)

    async def denies(self, lease: str) -> bool:
        """Return whether a policy denies the sessions of a lease; raises `KeyUnavailable`."""
        names = await self._names()
        if any(name.startswith(f"{_ONE}{lease}-") for name in names):
            return True
        for name in names:
            if name.startswith(_MANY):
                said = await self._ask("GetRolePolicy", {"PolicyName": name})
                if lease in said.one("PolicyDocument"):
                    return True
        return False

    async def _tidy(self) -> None:
        """Delete policies that are no longer needed, and merge many into one."""
        self._tidied, self._since = self._clock.now(), 0
        before = (self._clock.now() - TIDY_AFTER).timestamp()
        single: dict[str, tuple[str, int]] = {}
        for name in await self._names():
            found = _NAMED.fullmatch(name)
            if found is None:
                continue
            if int(found[2]) < before:
                await self._delete(name)
            elif found[1].startswith("lse_"):
                single[name] = found[1], int(found[2])
        if len(single) >= TIDY_AT:
            leases = [lease for lease, _ in single.values()]
            await self._put(f"{_MANY}{leases[0]}-{max(until for _, until in single.values())}", leases)
            for name in single:
                await self._delete(name)

    async def _put(self, name: str, leases: Sequence[str]) -> None:
        # No condition on `aws:TokenIssueTime`: a clock that is behind would leave a young session alive. It
        # is not needed, since no other session has such a name.
        condition = {"StringLike": {"aws:userid": [f"*:{lease}@*" for lease in leases]}}
        statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
        document = orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
        await self._ask("PutRolePolicy", {"PolicyName": name, "PolicyDocument": document})

    async def _delete(self, name: str) -> None:
        try:
            await self._ask("DeleteRolePolicy", {"PolicyName": name})
        except KeyUnavailable as fault:
            if fault.code != "aws:NoSuchEntity":  # another process has deleted it already
                raise

    async def _names(self) -> list[str]:
        marker, names = "", []
        while True:
            said = await self._ask("ListRolePolicies", {"Marker": marker} if marker else {})
            names += said.all("member")
            marker = said.one("Marker") if said.one("IsTruncated") == "true" else ""
            if not marker:
                return names

    async def _ask(self, action: str, given: dict[str, str]) -> Said:
        return await self._iam.ask(action, {"RoleName": self._role, **given}, await self._keys())
