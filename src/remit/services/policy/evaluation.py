# SPDX-License-Identifier: Apache-2.0
"""Policy evaluations that are requested in one turn of the event loop, made one right after another.

Each request is evaluated separately and afresh: nothing is shared and nothing is remembered. The gain is in
the processor: the engine's code and data stay in its caches from one request to the next. An evaluation
between two stretches of other work finds them evicted and takes twice as long.
"""

from __future__ import annotations

import asyncio

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer
from remit.ports.policy import LoadedPolicy, ServedPolicy

Waiting = tuple[LoadedPolicy, AccessRequest, "asyncio.Future[PolicyAnswer]"]


class Evaluations:
    """The evaluations of one process, for one event loop."""

    def __init__(self) -> None:
        """Begin with no evaluation waiting."""
        self._waiting: list[Waiting] = []
        #: How many calls are under way: beside one alone there is none to wait for.
        self.calls = 0

    async def of(self, policy: LoadedPolicy | ServedPolicy, request: AccessRequest) -> PolicyAnswer:
        """Evaluate `request` by `policy` before the event loop waits; raises what the policy raises.

        The loop waits only for a policy server.
        """
        if policy.served:
            return await policy.ask(request)
        if self.calls == 1:
            return policy.evaluate(request)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[PolicyAnswer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._evaluate)
        self._waiting.append((policy, request, future))
        return await future

    def _evaluate(self) -> None:
        waiting, self._waiting = self._waiting, []
        for policy, request, future in waiting:
            if future.done():
                continue  # its caller has gone
            try:
                answer = policy.evaluate(request)
            except Exception as fault:  # noqa: BLE001 - is the caller's, and must not stop the others
                future.set_exception(fault)
            else:
                future.set_result(answer)
