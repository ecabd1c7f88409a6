# SPDX-License-Identifier: Apache-2.0
"""remit's assertion of the person behind a task, signed with the key that signs its tokens."""

from __future__ import annotations

from remit.core.ids import ID_BYTES, make_id
from remit.core.oauth.upstream_assertion import VOUCHING_TYPE, vouched_agent, vouched_person
from remit.core.tasks.task import Task
from remit.ports.keys import TokenKeys
from remit.ports.runtime import Clock, Entropy


class UpstreamAssertions:
    """`ports.upstream_assertion.Voucher`."""

    def __init__(self, keys: TokenKeys, clock: Clock, entropy: Entropy, issuer: str) -> None:
        """Take the key, and remit's issuer name: the verification keys are at its `/oauth/jwks`."""
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._issuer = issuer

    async def for_person(self, task: Task, audience: str) -> str:
        """Return an assertion about the person of a task."""
        claims = vouched_person(
            task, issuer=self._issuer, audience=audience, now_s=self._now_s(), token_id=self._id()
        )
        return await self._keys.sign(claims, token_type=VOUCHING_TYPE)

    async def for_agent(self, task: Task, audience: str) -> str:
        """Return an assertion about the agent of a task."""
        claims = vouched_agent(
            task, issuer=self._issuer, audience=audience, now_s=self._now_s(), token_id=self._id()
        )
        return await self._keys.sign(claims, token_type=VOUCHING_TYPE)

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())

    def _id(self) -> str:
        return make_id("vch", self._entropy.bytes(ID_BYTES))
