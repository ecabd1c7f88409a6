# SPDX-License-Identifier: Apache-2.0
"""The paths from sources to effects under the bundle in force, as `remit paths` finds them from files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from remit.core.policy.bundle import Bundle
from remit.core.policy.reach import ReachPath, ReachSurvey
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tools.tool import Tool
from remit.ports.policy import LoadedPolicy
from remit.services.policy.bundle import AppliedBundle, Policies
from remit.services.policy.reach import PolicyJudge


class ReachSurveys:
    """Surveys the bundle in force; the last survey is kept while bundle, tools and modes are the same."""

    def __init__(
        self,
        *,
        policies: Policies,
        groups: Mapping[str, Sequence[str]],
        observed: Callable[[], frozenset[str]],
    ) -> None:
        """Take the dependencies: `groups` are those of the configuration, `observed` gives the upstreams."""
        self._policies = policies
        self._groups = groups
        self._observed = observed
        self._kept: tuple[AppliedBundle, tuple[Tool, ...], frozenset[str], tuple[ReachPath, ...]] | None = (
            None
        )
        self._turn = asyncio.Lock()

    async def paths(self, *, by: str = "") -> tuple[ReachPath, ...]:
        """Return all paths, the toxic ones first.

        Raises `ConfigInvalid` where a policy server decides, and `Busy` where too many checks wait.
        """
        async with self._turn:
            applied, observed = self._policies.applied, self._observed()
            every = self._policies.tools_of(applied.bundle)
            tools = tuple(tool for tool in every if tool is not PLAN_TOOL)
            kept = self._kept
            if kept is not None and kept[0] is applied and kept[1:3] == (tools, observed):
                return kept[3]
            bundle = msgspec.structs.replace(applied.bundle, tools={tool.id: tool for tool in tools})
            policy = await self._policies.tried(bundle, by=by)
            found = await asyncio.to_thread(self._found, bundle, policy, observed)
            self._kept = (applied, tools, observed, found)
            return found

    def _found(self, bundle: Bundle, policy: LoadedPolicy, observed: frozenset[str]) -> tuple[ReachPath, ...]:
        judge = PolicyJudge(policy, bundle.classes, self._groups, observed)
        return ReachSurvey(bundle, judge, observed=observed).paths
