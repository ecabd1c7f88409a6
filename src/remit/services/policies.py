# SPDX-License-Identifier: Apache-2.0
"""The bundle in force: tools, task types and policies, applied as one atomic version with a digest.

A bundle is checked whole before it replaces the one in force. Every decision names the digest that it was
made under.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from remit.core.bundle import Bundle
from remit.core.errors import ConfigInvalid
from remit.core.event import Event, EventKind
from remit.core.identity import Agent, Memberships
from remit.core.plan import PLAN_TOOL
from remit.core.tool import Tool
from remit.ports.policy import LoadedPolicy, PolicyEngine, Problem
from remit.ports.runtime import Clock
from remit.ports.store import PutValue, Store, Unit

APPLIED_KEY = "bundle.applied"


class Applied(msgspec.Struct, frozen=True):
    """The version in force: what every call is decided under until the next one is applied."""

    bundle: Bundle
    policy: LoadedPolicy

    @property
    def digest(self) -> str:
        """The digest that decisions name."""
        return self.bundle.digest


class Policies:
    """Holds the version in force and replaces it atomically."""

    def __init__(
        self, *, engine: PolicyEngine, store: Store, clock: Clock, tenant: str, members: Memberships
    ) -> None:
        """Begin with nothing applied: until then nothing is permitted."""
        self._engine = engine
        self._members = members
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._applied: Applied | None = None
        self._registered: Callable[[Bundle], Iterable[Tool]] = lambda bundle: bundle.tools.values()

    @property
    def applied(self) -> Applied:
        """The version in force; raises `ConfigInvalid` before the first one was applied."""
        if self._applied is None:
            raise ConfigInvalid("no bundle is applied", way_out="run `remit policy apply`")
        return self._applied

    def use_tools(self, tools: Callable[[Bundle], Iterable[Tool]]) -> None:
        """Say where the registered tools come from: descriptions joined with what upstreams offer."""
        self._registered = tools

    def _tools(self, bundle: Bundle) -> list[Tool]:
        """Give what policies may speak of: the registered tools, and what remit itself decides as one."""
        return [*self._registered(bundle), PLAN_TOOL]

    def check(self, bundle: Bundle) -> list[Problem]:
        """Give what is wrong with a bundle's policies, against the tools that are registered now."""
        tools = self._tools(bundle)
        return self._engine.check(bundle.policies, tools, list(bundle.task_types.values()))

    def schema(self) -> str:
        """Give the policy schema that goes with the tools registered now."""
        bundle = self.applied.bundle
        return self._engine.schema(self._tools(bundle), list(bundle.task_types.values()))

    async def apply(self, bundle: Bundle, *, by: str) -> Applied:
        """Check a bundle and put it in force; raises `ConfigInvalid` and changes nothing if it is not
        sound.
        """
        agents = await self._store.agents(self._tenant)
        loaded = self._load(bundle, agents)
        previous = self._applied.digest if self._applied else ""
        facts = {
            "bundle": bundle.digest,
            "previous": previous,
            "tools": len(bundle.tools),
            "task_types": len(bundle.task_types),
            "rules": len(loaded.rules()),
        }
        event = Event(
            kind=EventKind.BUNDLE_APPLIED,
            at=self._clock.now(),
            tenant=self._tenant,
            subject=by,
            facts=facts,
            sealed={"by": by},
        )
        await self._store.commit(Unit(changes=(PutValue(self._tenant, APPLIED_KEY, facts),), events=(event,)))
        self._applied = Applied(bundle, loaded)
        return self._applied

    @property
    def digest(self) -> str:
        """The digest of the version in force; empty before the first one was applied."""
        return self._applied.digest if self._applied else ""

    async def adopt(self, bundle: Bundle) -> None:
        """Put in force what another replica has applied: that is on record already."""
        self._applied = Applied(bundle, self._load(bundle, await self._store.agents(self._tenant)))

    async def refresh(self) -> None:
        """Load the policies in force anew, after the registered tools or agents have changed."""
        if self._applied is None:
            return
        agents = await self._store.agents(self._tenant)
        # Looked at only now: another bundle may have been applied meanwhile, and must not be undone by this.
        bundle = self._applied.bundle
        self._applied = Applied(bundle, self._load(bundle, agents))

    def _load(self, bundle: Bundle, agents: list[Agent]) -> LoadedPolicy:
        tools = self._tools(bundle)
        agents = [self._members.of_agent(agent) for agent in agents]
        return self._engine.load(bundle.policies, tools, list(bundle.task_types.values()), agents)
