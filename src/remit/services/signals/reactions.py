# SPDX-License-Identifier: Apache-2.0
"""Reactions to signals: each reaction removes authority, through the services that do so for every caller.

A repeated reaction has no further effect: what has ended stays ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from remit.core.endings.closure import Cause
from remit.core.errors import Conflict, Forbidden, NotFound
from remit.core.identity.principals import AgentState
from remit.core.scope import ScopeKind
from remit.core.signals.signal import Reaction
from remit.services.endings.ending import Endings
from remit.services.identity.directory import Directory
from remit.services.identity.people import PersonAdministration
from remit.services.separation.last_administrators import LAST
from remit.services.signals.subjects import AffectedSubjects


class SignalReactions:
    """Removes authority from people, agents and tasks because of another party's signal."""

    def __init__(
        self, *, revocations: Endings, personnel: PersonAdministration, directory: Directory
    ) -> None:
        """Take the dependencies."""
        self._revocations = revocations
        self._personnel = personnel
        self._directory = directory

    async def react(
        self, wanted: Iterable[Reaction], found: AffectedSubjects, *, reason: str, by: str
    ) -> tuple[str, ...]:
        """Apply the wanted reactions to the subjects found; return the closures of what ended."""
        closures: list[str] = []
        # Deactivating and suspending also end tasks: they come first, so that the tasks end once.
        for reaction in sorted(wanted, key=_ORDER.index):
            match reaction:
                case Reaction.DEACTIVATE:
                    for name in sorted(found.people):
                        try:
                            await self._personnel.deactivate(name, by=by, reason=reason)
                        except Conflict as fault:
                            # The last administrator stays: no outside party may lock a deployment's people
                            # out.
                            if fault.code != LAST:
                                raise
                case Reaction.SUSPEND:
                    for name in sorted(found.agents):
                        with contextlib.suppress(Forbidden):
                            await self._directory.move(name, AgentState.SUSPENDED, by=by, reason=reason)
                case Reaction.SIGN_OUT:
                    for name in sorted(found.people):
                        await self._personnel.sign_out(name, by=by)
                case Reaction.END_TASKS:
                    closures += await self._end(found, reason, by)
        return tuple(closures)

    async def _end(self, found: AffectedSubjects, reason: str, by: str) -> list[str]:
        closures = []
        for kind, names in ((ScopeKind.PERSON, found.people), (ScopeKind.AGENT, found.agents)):
            for name in sorted(names):
                made = await self._revocations.end_scope(kind, name, reason=reason, by=by, cause=Cause.SIGNAL)
                closures.append(made.id)
        for name in sorted(found.tasks):
            with contextlib.suppress(NotFound):
                one = await self._revocations.end_task(name, reason=reason, by=by, cause=Cause.SIGNAL)
                closures.append(one.id)
        return closures


_ORDER = [Reaction.DEACTIVATE, Reaction.SUSPEND, Reaction.SIGN_OUT, Reaction.END_TASKS]
