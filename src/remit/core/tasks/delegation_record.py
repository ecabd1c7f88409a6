# SPDX-License-Identifier: Apache-2.0
"""Delegation records: a person's word that an agent may act for them, for one kind of work and for a time.

Made, listed and revoked by that person alone. The record holds the intent in the person's own words; what an
agent says when it opens a task under the record never becomes part of it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.json_value import Json


class Delegation(msgspec.Struct, frozen=True, kw_only=True):
    """What a person lets one agent do for them.

    `params` are the parameters that the person has fixed; `open` names those that the agent may choose,
    within what the task type allows. A parameter that is in neither takes its default. Tasks opened under the
    record end with it. `coded_by` is who had made sign-in codes for the person.
    """

    tenant: str
    id: str
    person: str
    agent: str
    task_type: str
    goal: str = ""
    params: dict[str, Json] = {}
    open: tuple[str, ...] = ()
    made: datetime
    expires: datetime
    revoked: datetime | None = None
    coded_by: tuple[str, ...] = ()

    def live_at(self, now: datetime) -> bool:
        """Whether tasks may be opened under it at `now`."""
        return self.revoked is None and now < self.expires

    def covers(self, *, person: str, agent: str, task_type: str) -> bool:
        """Whether it speaks of this person, this agent and this kind of work."""
        return (self.person, self.agent, self.task_type) == (person, agent, task_type)
