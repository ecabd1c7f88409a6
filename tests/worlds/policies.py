# SPDX-License-Identifier: Apache-2.0
"""The real policy engine for worlds that load the same policies: each set of policies is checked once."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.cedar.engine import CedarLoaded, CedarPolicies
from remit.core.identity.principals import Agent
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool
from remit.ports.policy import PolicySource

_LOCK = threading.Lock()
_LOADED: RecentAnswers[bytes, CedarLoaded] = RecentAnswers(64)


class PoliciesLoadedOnce(CedarPolicies):
    """Cedar, which gives the same loaded policies for the same texts, tools, task types and agents.

    They are values: a gateway shares them between all its calls. What is refused is checked again.
    """

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
        counters: Sequence[HistoryCounter] = (),
        *,
        aside: bool = False,
    ) -> CedarLoaded:
        """Return what was loaded before from exactly this, or load it."""
        known = msgspec.msgpack.encode((sources, tools, task_types, agents, counters))
        with _LOCK:
            found = _LOADED.get(known)
        if found is None:
            found = super().load(sources, tools, task_types, agents, counters, aside=aside)
            with _LOCK:
                _LOADED.put(known, found)
        return found
