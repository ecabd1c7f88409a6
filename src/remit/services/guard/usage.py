# SPDX-License-Identifier: Apache-2.0
"""Model usage of guarded coding assistants, as their transcripts state it.

The transcript is the client's file: a program that can write it can change what it says.
"""

from __future__ import annotations

import asyncio

from remit.core.errors import RemitError
from remit.core.hooks.event import HookEvent, HookKind
from remit.ports.runtime import Transcripts
from remit.services.guard.sessions import GuardSession
from remit.services.tasks.model_usage import ModelUsage

#: Events after which the client may have called its model.
_AFTER_CALLS = (HookKind.CALL, HookKind.RESULT, HookKind.TURN_ENDS)


class GuardedUsage:
    """Counts the model calls of sessions. For one event loop."""

    def __init__(self, transcripts: Transcripts | None, usage: ModelUsage) -> None:
        """Take the dependencies; without `transcripts` nothing is counted."""
        self._transcripts = transcripts
        self._usage = usage

    async def take(self, session: GuardSession, event: HookEvent) -> None:
        """Count what the session's transcript has gained since the last event.

        What it held at the first event belongs to an earlier session, which the client has resumed.
        """
        if self._transcripts is None or not event.transcript or event.agent:
            return
        first = session.usage is None
        chain = session.chains.get("")
        if not first and (event.kind not in _AFTER_CALLS or chain is None):
            return
        found = await asyncio.to_thread(self._transcripts.usage, event.transcript)
        known = session.usage if session.usage is not None else set()
        new = [one for one in found if one.span not in known]
        session.usage = known | {one.span for one in new}
        if not first and chain is not None and new:
            try:
                await self._usage.report(chain.task, new)
            except RemitError:
                session.usage = known  # the task has ended, or the store is away: it is tried again
