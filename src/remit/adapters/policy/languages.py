# SPDX-License-Identifier: Apache-2.0
"""Policies that are compared, simulated or shadowed may be in another language than those in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from remit.core.identity.principals import Agent
from remit.core.policy.rule_exception import RuleException
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool
from remit.ports.policy import LoadedPolicy, PolicyEngine, PolicySource, Problem, RuleInForce, ServedPolicy


class PolicyLanguages:
    """The engine in force, with others for policies that do not come into force (`PolicyEngine`)."""

    def __init__(self, engine: PolicyEngine, others: Mapping[str, Callable[[], PolicyEngine]]) -> None:
        """Take the engine in force, and how to make the others, by the endings of their files."""
        self._engine = engine
        self._others = others
        self._made: dict[str, PolicyEngine] = {}

    def schema(
        self,
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        counters: Sequence[HistoryCounter] = (),
    ) -> str:
        """Return the schema of the engine in force."""
        return self._engine.schema(tools, task_types, counters)

    def check(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent] = (),
        counters: Sequence[HistoryCounter] = (),
    ) -> list[Problem]:
        """Return the problems; see the port."""
        return self._engine.check(sources, tools, task_types, agents, counters)

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
        counters: Sequence[HistoryCounter] = (),
        *,
        aside: bool = False,
    ) -> LoadedPolicy | ServedPolicy:
        """Check and load policies; see the port. Aside, their files' ending names the language."""
        engine = self._by_ending(sources) if aside else self._engine
        return engine.load(sources, tools, task_types, agents, counters, aside=aside)

    def excepted(
        self, sources: Sequence[PolicySource], rule: RuleInForce, exception: RuleException
    ) -> tuple[PolicySource, ...]:
        """Return policies in force with an exception; see the port."""
        return self._engine.excepted(sources, rule, exception)

    def _by_ending(self, sources: Sequence[PolicySource]) -> PolicyEngine:
        for ending, make in self._others.items():
            if any(one.file.endswith(ending) for one in sources):
                if ending not in self._made:
                    self._made[ending] = make()
                return self._made[ending]
        return self._engine
