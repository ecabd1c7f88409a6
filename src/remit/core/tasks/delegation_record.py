# SPDX-License-Identifier: Apache-2.0
"""Delegation records: a person's permission for an agent to act for them, for one kind of work and a limited
time.

Only that person creates, lists and revokes the record. The record holds the intent in the person's own words.
The agent's text, when it opens a task under the record, never becomes part of the intent.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.json_value import Json


class Delegation(msgspec.Struct, frozen=True, kw_only=True):
    """A person's delegation to one agent.

    `params` are the parameters that the person has fixed; `open` names those that the agent may choose,
    within the limits of the task type. A parameter in neither takes its default. Tasks opened under the
    record end with it. `coded_by` names the creators of sign-in codes for the person.
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
        """Return whether tasks may be opened under the record at `now`."""
        return self.revoked is None and now < self.expires

    def covers(self, *, person: str, agent: str, task_type: str) -> bool:
        """Return whether the record covers this person, this agent and this kind of work."""
        return (self.person, self.agent, self.task_type) == (person, agent, task_type)
