# SPDX-License-Identifier: Apache-2.0
"""The policy bundle in force: tools, task types and policies, applied as one atomic version with a digest.

A bundle is checked as a whole before it replaces the one in force. Every decision names the digest that it
was made under. The store remembers every bundle that was ever in force: where several processes serve the
store, a replaced bundle does not come back because a process starts with its files.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec

from remit.core.errors import Busy, ConfigInvalid, Conflict, Forbidden, NotFound
from remit.core.evidence.event import Event, timestamp
from remit.core.evidence.events.system import BundleApplied, BundleProposed
from remit.core.identity.principals import Agent, Memberships, Role
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.rule_exception import RuleException
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tools.tool import Tool
from remit.ports.policy import LoadedPolicy, PolicyEngine, Problem, RuleInForce, ServedPolicy
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.policy.versions import APPLIED_KEY, BundleProposal, InForce, Versions

log = logging.getLogger("remit")

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
    version: int = 0

    @property
    def digest(self) -> str:
        """The digest that decisions name."""
        return self.bundle.digest


async def _oneself(person: str) -> frozenset[str]:
    return frozenset({person})


class Policies:
    """Holds the version in force and replaces it atomically.

    Texts are checked and loaded in a thread, one after the other, so that calls continue during this.
    """

    def __init__(
        self,
        *,
        engine: PolicyEngine,
        store: PrincipalStore,
        clock: Clock,
        tenant: str,
        members: Memberships,
        second_person: bool = False,
        hands: Callable[[str], Awaitable[frozenset[str]]] = _oneself,
    ) -> None:
        """Begin with no bundle applied: until then nothing is permitted.

        With `second_person`, a bundle replaces another one only after a second administrator has confirmed
        it. `hands` gives the people who may be acting as a person; they count as one.
        """
        self.versions = Versions(store=store, tenant=tenant)
        self.second_person = second_person
        self._engine = engine
        self._members = members
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._applied: AppliedBundle | None = None
        self._loading, self._checking = asyncio.Lock(), asyncio.Lock()
        self._checks_of: Counter[str] = Counter()
        self._hands = hands
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

    def tools_of(self, bundle: Bundle) -> list[Tool]:
        """Return the tools that policies may refer to.

        They are the registered tools, and the operations that remit decides like tools.
        """
        return [*self._registered(bundle), PLAN_TOOL]

    async def check(self, bundle: Bundle, *, by: str = "") -> list[Problem]:
        """Return the problems of a bundle's policies, checked against the tools that are registered now.

        Raises `Busy` where too many checks are requested, or too many by one person (`by`) at once.
        """
        async with self._turn(by):
            tools, types = self.tools_of(bundle), list(bundle.task_types.values())
            agents = self._members_of(await self._store.agents(self._tenant))
            return await asyncio.to_thread(
                self._engine.check, bundle.policies, tools, types, agents, bundle.history
            )

    async def tried(self, bundle: Bundle, *, by: str = "") -> LoadedPolicy:
        """Check and load the policies of a bundle that does not come into force.

        It delays no bundle that does. Raises `ConfigInvalid` if it is not valid, and `Busy` like `check`.
        """
        async with self._turn(by):
            loaded = await self._load(bundle, await self._store.agents(self._tenant), aside=True)
        if loaded.served:
            raise ConfigInvalid(
                "a policy server decides here, and decisions made again are far more than a server answers",
                remediation="set `policy.kind: rego`: remit then evaluates the same policies itself",
            )
        return loaded

    def with_exception(
        self, bundle: Bundle, rule: RuleInForce, exception: RuleException
    ) -> tuple[PolicySource, ...]:
        """Return a bundle's policies with an exception in one rule; raises `Malformed`."""
        return self._engine.excepted(bundle.policies, rule, exception)

    @asynccontextmanager
    async def _turn(self, by: str) -> AsyncIterator[None]:
        """Wait for the turn of a requested check."""
        if self._checks_of.total() >= MAX_CHECKS:
            raise Busy(f"{MAX_CHECKS} policy checks are already waiting", remediation="try again in a minute")
        if by and self._checks_of[by] >= MAX_CHECKS_EACH:
            raise Busy(f"{MAX_CHECKS_EACH} of your checks are already waiting", remediation="wait for them")
        self._checks_of[by] += 1
        try:
            async with self._checking:
                yield
        finally:
            self._checks_of[by] -= 1
            if not self._checks_of[by]:
                del self._checks_of[by]

    async def schema(self) -> str:
        """Return the policy schema for the tools registered now."""
        bundle = self.applied.bundle
        tools, types = self.tools_of(bundle), list(bundle.task_types.values())
        return await asyncio.to_thread(self._engine.schema, tools, types, bundle.history)

    async def apply(
        self,
        bundle: Bundle,
        *,
        by: str,
        reason: str = "",
        second: str = "",
        back_to: int = 0,
        held: bool = False,
    ) -> AppliedBundle:
        """Check a bundle and put it in force.

        `second` is the administrator who confirmed it, `back_to` the earlier version that comes back. `held`:
        every replica takes it from the store. Raises `ConfigInvalid` and changes nothing if the bundle is not
        valid, and `Forbidden` if two administrators must agree and no second one has confirmed it.
        """
        async with self._loading:
            now = await self.versions.in_force()
            if self.second_person and not second and now.bundle not in ("", bundle.digest):
                raise Forbidden(
                    "two administrators must agree before a policy bundle replaces another",
                    code="second-person",
                    remediation="run `remit policy apply`; another administrator then runs "
                    "`remit policy confirm`",
                )
            agents = await self._store.agents(self._tenant)
            loaded = await self._load(bundle, agents)
            version = now.version + (now.bundle != bundle.digest)
            applied = BundleApplied(
                bundle=bundle.digest,
                previous=now.bundle,
                version=version,
                back_to=back_to,
                tools=len(bundle.tools),
                task_types=len(bundle.task_types),
                rules=len(await asyncio.to_thread(loaded.rules)),
                reason=reason,
                by=by,
                second=second,
            )
            event = Event.of(applied, at=self._clock.now(), tenant=self._tenant, subject=by)
            once = [
                PutValue(self._tenant, f"{ONCE_KEY}{one}", {"bundle": one})
                for one in dict.fromkeys((now.bundle, bundle.digest))
                if one
            ]
            value = msgspec.to_builtins(InForce(bundle=bundle.digest, version=version, held=held))
            changes = (
                PutValue(self._tenant, APPLIED_KEY, value),
                *once,
                *await self.versions.adding(version, bundle),
                self.versions.propose(None),
            )
            await self._store.commit(Unit(changes=changes, events=(event,)))
            self._applied = AppliedBundle(bundle, loaded, version)
            return self._applied

    async def propose(self, bundle: Bundle, *, by: str, reason: str = "", back_to: int = 0) -> BundleProposal:
        """Check a bundle and keep it until a second administrator confirms it; what is in force stays.

        A new proposal replaces the previous one. Raises `ConfigInvalid` if the bundle is not valid.
        """
        async with self._loading:
            await self._load(bundle, await self._store.agents(self._tenant))
            now = self._clock.now()
            before = await self.in_force()
            proposal = BundleProposal(
                bundle=bundle.digest,
                instead_of=before,
                by=by,
                reason=reason,
                at=timestamp(now),
                back_to=back_to,
                hands=tuple(sorted(await self._hands(by))),
            )
            proposed = BundleProposed(
                bundle=bundle.digest, instead_of=before, back_to=back_to, reason=reason, by=by
            )
            event = Event.of(proposed, at=now, tenant=self._tenant, subject=by)
            changes = (self.versions.keep(bundle), self.versions.propose(proposal))
            await self._store.commit(Unit(changes=changes, events=(event,)))
            return proposal

    async def confirm(self, digest: str, *, by: str) -> AppliedBundle:
        """Put a proposed bundle in force, as a second administrator.

        Raises `NotFound` if no such bundle waits, `Forbidden` for the administrator who proposed it, and
        `Conflict` if another bundle came into force since.
        """
        proposal = await self.versions.proposal()
        bundle = await self.versions.bundle(digest)
        if proposal is None or proposal.bundle != digest or bundle is None:
            raise NotFound(
                f"no policy bundle `{digest[:80]}` waits for confirmation",
                remediation="`remit policy history` shows the one that does",
            )
        await self._independent(proposal, by)
        if proposal.instead_of != await self.in_force():
            raise Conflict(
                "another policy bundle came into force after this one was proposed",
                remediation="run `remit policy apply` again, and have that confirmed",
            )
        return await self.apply(
            bundle, by=proposal.by, reason=proposal.reason, second=by, back_to=proposal.back_to, held=True
        )

    async def _independent(self, proposal: BundleProposal, by: str) -> None:
        """Raise `Forbidden` unless `by` is another person than the administrator who proposed a bundle."""
        if proposal.by == by:
            raise Forbidden(
                "you have proposed this policy bundle yourself",
                code="second-person",
                remediation="have another administrator confirm it",
            )
        if not (await self._hands(by)).isdisjoint(proposal.hands):
            raise Forbidden(
                "the administrator who proposed it may be the same person: one made a sign-in code for the "
                "other, or one administrator made the codes of both",
                code="code-maker",
                remediation="let another administrator confirm it, or remove what came of the code "
                "(`remit person ways`)",
            )
        first = await self._store.person(self._tenant, proposal.by)
        if first is None or not first.active or Role.ADMINISTRATOR not in first.roles:
            raise Forbidden(
                "who proposed this policy bundle is no administrator any more",
                code="second-person",
                remediation="propose it again with `remit policy apply`",
            )

    async def in_force(self) -> str:
        """Return the digest of the bundle applied last, by any process; empty before the first one."""
        return (await self.versions.in_force()).bundle

    async def replaced(self, bundle: Bundle) -> bool:
        """Return whether a bundle was in force once, and another one is now."""
        once = await self._store.values(self._tenant, f"{ONCE_KEY}{bundle.digest}")
        return bool(once) and await self.in_force() != bundle.digest

    async def begin(self, bundle: Bundle, *, by: str, go_back: bool, several: bool = True) -> None:
        """Start with the bundle of this process's files; with `several`, other processes may serve the store.

        Where others may serve, a bundle that is in force already is taken over, and one that was replaced is
        refused: raises `ConfigInvalid`, unless `go_back` permits a return to it. A bundle that was held (by a
        rollback, or as two administrators agreed on it) stays in force against files that it replaced.
        """
        now = await self.versions.in_force()
        if several and now.bundle == bundle.digest:
            await self.adopt(bundle)
            return
        replaced = not go_back and await self.replaced(bundle)
        unconfirmed = self.second_person and now.bundle not in ("", bundle.digest)
        if unconfirmed or (replaced and now.held):
            kept = await self.versions.bundle(now.bundle)
            if kept is not None:
                log.warning(
                    "the files here are not the policy bundle in force: %s stays in force, not %s",
                    now.bundle,
                    bundle.digest,
                )
                await self.adopt(kept)
                return
        if replaced and several:
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
            version = (await self.versions.in_force()).version
            self._applied = AppliedBundle(bundle, loaded, version)

    async def adopt_held(self, digest: str) -> bool:
        """Put in force what another replica has applied, if every replica takes it from the store."""
        now = await self.versions.in_force()
        kept = await self.versions.bundle(digest) if now.held and now.bundle == digest else None
        if kept is None:
            return False
        await self.adopt(kept)
        return True

    async def refresh(self) -> None:
        """Reload the policies in force after the registered tools or agents have changed."""
        # Under the lock: this must not undo a bundle that is applied at the same time.
        async with self._loading:
            if self._applied is None:
                return
            bundle = self._applied.bundle
            loaded = await self._load(bundle, await self._store.agents(self._tenant))
            self._applied = AppliedBundle(bundle, loaded, self._applied.version)

    async def _load(
        self, bundle: Bundle, agents: list[Agent], *, aside: bool = False
    ) -> LoadedPolicy | ServedPolicy:
        tools, types = self.tools_of(bundle), list(bundle.task_types.values())
        known = self._members_of(agents)
        load = partial(self._engine.load, bundle.policies, tools, types, known, bundle.history, aside=aside)
        return await asyncio.to_thread(load)

    def _members_of(self, agents: Iterable[Agent]) -> list[Agent]:
        return [self._members.of_agent(agent) for agent in agents]
