# SPDX-License-Identifier: Apache-2.0
"""The policy bundle in force: tools, task types and policies, applied as one atomic version with a digest.

A bundle is checked as a whole before it replaces the one in force. Every decision names the digest that it
was made under. The store remembers every bundle that was ever in force: where several processes serve the
store, a replaced bundle does not come back because a process starts with its files.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from remit.core.errors import Busy, ConfigInvalid
from remit.core.evidence.event import Event
from remit.core.evidence.events.system import BundleApplied
from remit.core.identity.principals import Agent, Memberships
from remit.core.policy.bundle import Bundle
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tools.tool import Tool
from remit.ports.policy import LoadedPolicy, PolicyEngine, Problem, ServedPolicy
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit

APPLIED_KEY = "bundle.applied"
#: Prefix of the keys, each ending in a digest, of bundles that were ever in force.
ONCE_KEY = "bundle.once:"
#: Largest number of requested checks that wait for each other.
MAX_CHECKS: Final = 8
#: The same bound for one person, so that no person makes others wait for all their checks.
MAX_CHECKS_EACH: Final = 2


class AppliedBundle(msgspec.Struct, frozen=True):
    """The version in force: every call is decided under it until the next one is applied."""

    bundle: Bundle
    policy: LoadedPolicy | ServedPolicy

    @property
    def digest(self) -> str:
        """The digest that decisions name."""
        return self.bundle.digest


class Policies:
    """Holds the version in force and replaces it atomically.

    Texts are checked and loaded in a thread, one after the other, so that calls continue during this.
    """

    def __init__(
        self, *, engine: PolicyEngine, store: PrincipalStore, clock: Clock, tenant: str, members: Memberships
    ) -> None:
        """Begin with no bundle applied: until then nothing is permitted."""
        self._engine = engine
        self._members = members
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._applied: AppliedBundle | None = None
        self._loading, self._checking = asyncio.Lock(), asyncio.Lock()
        self._checks_of: Counter[str] = Counter()
        self._registered: Callable[[Bundle], Iterable[Tool]] = lambda bundle: bundle.tools.values()

    @property
    def applied(self) -> AppliedBundle:
        """The version in force; raises `ConfigInvalid` before the first one was applied."""
        if self._applied is None:
            raise ConfigInvalid("no bundle is applied", remediation="run `remit policy apply`")
        return self._applied

    def use_tools(self, tools: Callable[[Bundle], Iterable[Tool]]) -> None:
        """Set the source of the registered tools: descriptions joined with what upstreams offer."""
        self._registered = tools

    def _tools(self, bundle: Bundle) -> list[Tool]:
        """Return the tools that policies may refer to.

        They are the registered tools, and the operations that remit decides like tools.
        """
        return [*self._registered(bundle), PLAN_TOOL]

    async def check(self, bundle: Bundle, *, by: str = "") -> list[Problem]:
        """Return the problems of a bundle's policies, checked against the tools that are registered now.

        Raises `Busy` where too many checks are requested, or too many by one person (`by`) at once.
        """
        if self._checks_of.total() >= MAX_CHECKS:
            raise Busy(f"{MAX_CHECKS} policy checks are already waiting", remediation="try again in a minute")
        if by and self._checks_of[by] >= MAX_CHECKS_EACH:
            raise Busy(f"{MAX_CHECKS_EACH} of your checks are already waiting", remediation="wait for them")
        self._checks_of[by] += 1
        try:
            async with self._checking:
                tools, types = self._tools(bundle), list(bundle.task_types.values())
                return await asyncio.to_thread(self._engine.check, bundle.policies, tools, types)
        finally:
            self._checks_of[by] -= 1
            if not self._checks_of[by]:
                del self._checks_of[by]

    async def schema(self) -> str:
        """Return the policy schema for the tools registered now."""
        bundle = self.applied.bundle
        tools, types = self._tools(bundle), list(bundle.task_types.values())
        return await asyncio.to_thread(self._engine.schema, tools, types)

    async def apply(self, bundle: Bundle, *, by: str) -> AppliedBundle:
        """Check a bundle and put it in force.

        Raises `ConfigInvalid` and changes nothing if the bundle is not valid.
        """
        async with self._loading:
            agents = await self._store.agents(self._tenant)
            loaded = await self._load(bundle, agents)
            previous = await self.in_force()
            applied = BundleApplied(
                bundle=bundle.digest,
                previous=previous,
                tools=len(bundle.tools),
                task_types=len(bundle.task_types),
                rules=len(loaded.rules()),
                by=by,
            )
            event = Event.of(applied, at=self._clock.now(), tenant=self._tenant, subject=by)
            once = [
                PutValue(self._tenant, f"{ONCE_KEY}{one}", {"bundle": one})
                for one in dict.fromkeys((previous, bundle.digest))
                if one
            ]
            changes = (PutValue(self._tenant, APPLIED_KEY, event.facts), *once)
            await self._store.commit(Unit(changes=changes, events=(event,)))
            self._applied = AppliedBundle(bundle, loaded)
            return self._applied

    async def in_force(self) -> str:
        """Return the digest of the bundle applied last, by any process; empty before the first one."""
        found = await self._store.values(self._tenant, APPLIED_KEY)
        return str(found[0]["bundle"]) if found else ""

    async def replaced(self, bundle: Bundle) -> bool:
        """Return whether a bundle was in force once, and another one is now."""
        once = await self._store.values(self._tenant, f"{ONCE_KEY}{bundle.digest}")
        return bool(once) and await self.in_force() != bundle.digest

    async def begin(self, bundle: Bundle, *, by: str, go_back: bool) -> None:
        """Start with the bundle of this process's files, where other processes may serve the same store.

        A bundle that is in force already is taken over; a bundle that never was in force is put in force.
        Raises `ConfigInvalid` for a bundle that was replaced, unless `go_back` permits a return to it.
        """
        if await self.in_force() == bundle.digest:
            await self.adopt(bundle)
            return
        if not go_back and await self.replaced(bundle):
            raise ConfigInvalid(
                f"the files here are bundle `{bundle.digest}`, which was replaced; in force is "
                f"`{await self.in_force()}`",
                code="bundle-replaced",
                remediation="deploy the files of the bundle in force here. To roll back to this bundle, "
                "deploy it to a running replica and run `remit policy apply` there; if no replica runs, "
                "run `remit up --go-back`",
            )
        await self.apply(bundle, by=by)

    @property
    def digest(self) -> str:
        """The digest of the version in force; empty before the first one was applied."""
        return self._applied.digest if self._applied else ""

    async def adopt(self, bundle: Bundle) -> None:
        """Put in force what another replica has applied, which is on record already."""
        async with self._loading:
            loaded = await self._load(bundle, await self._store.agents(self._tenant))
            self._applied = AppliedBundle(bundle, loaded)

    async def refresh(self) -> None:
        """Reload the policies in force after the registered tools or agents have changed."""
        # Under the lock: this must not undo a bundle that is applied at the same time.
        async with self._loading:
            if self._applied is None:
                return
            bundle = self._applied.bundle
            loaded = await self._load(bundle, await self._store.agents(self._tenant))
            self._applied = AppliedBundle(bundle, loaded)

    async def _load(self, bundle: Bundle, agents: list[Agent]) -> LoadedPolicy | ServedPolicy:
        tools, types = self._tools(bundle), list(bundle.task_types.values())
        agents = [self._members.of_agent(agent) for agent in agents]
        return await asyncio.to_thread(self._engine.load, bundle.policies, tools, types, agents)
