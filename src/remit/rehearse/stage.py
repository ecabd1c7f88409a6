# SPDX-License-Identifier: Apache-2.0
"""The services of a rehearsal, with their people and agents: the basis of the synchronous interface."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from joserfc.jwk import ECKey

from remit.compose import open_records
from remit.config import Config, load_bundle
from remit.core.canonical import digest
from remit.core.errors import NotFound, RemitError
from remit.core.identity.principals import NO_PERSON, Person, Role
from remit.core.identity.workload import Assurance, AttestationMethod, Attested, Confirmation, KeyBinding
from remit.core.json_value import Json
from remit.core.keys.jwk import checked_public_jwk, thumbprint
from remit.core.policy.bundle import Bundle
from remit.core.tasks.task import Task, TaskType
from remit.ports.store.changes import Credential
from remit.ports.store.units import Unit
from remit.rehearse.folder import alone, config_of
from remit.rehearse.stand_in import CURRENT, CallRun, StandIn
from remit.services.assembly.services import Services
from remit.services.decisions.approvers import STRONG
from remit.services.evidence.log import readable
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_exchange import ExternalSteps
from remit.services.oauth.access_tokens import TokenQuestion
from remit.services.oauth.client_authentication import TokenClient
from remit.services.tasks.opening_rules import Opening

BY = "rehearsal"
#: The owner of agents without another owner.
OWNER = "rehearsal-owner"
#: Seconds before its expiry at which a token is replaced.
RENEW_S = 30
PAGE = 1000
GROUP = "group:"


class RehearsalClock:
    """`ports.runtime.Clock` that may be set, and moved forward."""

    def __init__(self) -> None:
        """Begin with the machine's time."""
        self._ahead_s = 0.0
        self._begun = datetime.now(UTC) - timedelta(seconds=time.monotonic())

    def now(self) -> datetime:
        """Return the date and the time of day in UTC."""
        return self._begun + timedelta(seconds=self.boot_s())

    def begin(self, moment: datetime) -> None:
        """Let it be `moment` now."""
        self._begun = moment - timedelta(seconds=self.boot_s())

    def boot_s(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic() + self._ahead_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += max(0.0, seconds)


class RehearsalStage:
    """The services with their bundle applied, for one event loop. Opened by `open`, closed by `close`."""

    def __init__(
        self, bundle: Path | None, task_types: Sequence[TaskType], *, own_policies: bool = False
    ) -> None:
        """Read the bundle; raises `ConfigInvalid`. With `own_policies`, its policies came with remit."""
        self._own_policies = own_policies
        self._kept = TemporaryDirectory(prefix="remit-rehearsal-", ignore_cleanup_errors=True)
        place = Path(self._kept.name)
        try:
            config = config_of(bundle, place / "bundle")
            self._read: Bundle = load_bundle(config)
        except RemitError:
            self._kept.cleanup()
            raise
        self._config: Config = alone(config, place)
        self._types = {one.name: one for one in task_types}
        self._open_types: set[str] = set()
        self._stack = AsyncExitStack()
        self._keys: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, tuple[str, Confirmation, int]] = {}
        self._runs: set[asyncio.Task[Any]] = set()
        self.clock = RehearsalClock()
        self.services: Services

    async def open(self) -> None:
        """Open the services and apply the bundle; raises `ConfigInvalid` if its policies are invalid."""
        upstreams = {name: StandIn(name) for name in self._config.governed}
        records = open_records(self._config, upstreams, own_policies=self._own_policies, clock=self.clock)
        self.services = await self._stack.enter_async_context(records)
        await self._apply()

    async def close(self) -> None:
        """Release pending calls, and everything that was stored."""
        for run in tuple(self._runs):
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        await self._stack.aclose()
        self._kept.cleanup()

    async def _apply(self) -> None:
        read = self._read
        if self._types:
            written = msgspec.to_builtins(tuple(self._types.values()), order="deterministic")
            name = digest({"bundle": read.digest, "task_types": written})
            read = msgspec.structs.replace(read, task_types={**read.task_types, **self._types}, digest=name)
        await self.services.policies.apply(read, by=BY)
        await self.services.tools.registry.described()

    # People, agents and task types.

    async def add_type(self, task_type: TaskType, *, open_to_all: bool) -> None:
        """Add a task type, or replace the one of that name."""
        before = dict(self._types)
        self._types[task_type.name] = task_type
        try:
            await self._apply()
        except RemitError:
            self._types = before
            raise
        if open_to_all:
            self._open_types.add(task_type.name)

    def type_of(self, name: str) -> TaskType | None:
        """Return a task type that is in force."""
        return self.services.policies.applied.bundle.task_types.get(name)

    async def add_person(self, name: str, groups: tuple[str, ...], roles: tuple[Role, ...]) -> Person:
        """Add a person."""
        return await self.services.identity.directory.add_person(
            NewPerson(name=name, roles=roles, groups=groups), by=BY
        )

    async def person(
        self, name: str, *, groups: tuple[str, ...] = (), roles: tuple[Role, ...] = ()
    ) -> Person:
        """Return a person; add an unknown one."""
        try:
            return await self.services.identity.directory.person(name)
        except NotFound:
            await self.add_person(name, groups, roles)
            return await self.services.identity.directory.person(name)

    def session_of(self, person: Person) -> Credential:
        """Return a session of a person who has just signed in with a passkey."""
        now = self.services.clock.now()
        return Credential(
            tenant=person.tenant,
            digest="",
            kind="session",
            person=person.name,
            created=now,
            expires=now,
            method=STRONG,
        )

    async def add_agent(self, name: str, owner: str, groups: tuple[str, ...], environment: str) -> None:
        """Register an agent with its own key."""
        owner = owner or OWNER
        if not owner.startswith(GROUP):
            await self.person(owner)
        public = _new_key()
        new = NewAgent(
            name=name,
            owner=owner,
            purpose="is rehearsed",
            bindings=(KeyBinding(public),),
            groups=groups,
            environment=environment,
        )
        await self.services.identity.directory.register(new, by=BY)
        self._keys[name] = public

    async def prepare(self, agent: str, task: str, person: str) -> None:
        """Add agent and person, if unknown, so that they may run and request the task type.

        Known ones stay unchanged: what a type refuses them, it refuses here too.
        """
        found = self.type_of(task)
        if person:
            await self.person(person, groups=_groups(found.requested_by if found else ()))
        if agent not in self._keys:
            await self.add_agent(agent, person, _groups(found.run_by if found else ()), "development")
        if found is not None and task in self._open_types:
            stated = person or f"{NO_PERSON[0]}{agent}"
            if agent not in found.run_by or stated not in found.requested_by:
                self._types[task] = msgspec.structs.replace(
                    found,
                    run_by=tuple(dict.fromkeys((*found.run_by, agent))),
                    requested_by=tuple(dict.fromkeys((*found.requested_by, stated))),
                )
                await self._apply()

    async def open_task(self, opening: Opening) -> Task:
        """Open a task requested by the person it is for, or by the agent if there is none."""
        await self.prepare(opening.agent, opening.task_type, opening.on_behalf_of)
        if opening.on_behalf_of:
            person = await self.person(opening.on_behalf_of)
            return await self.services.tasks.tasks.open(opening, person=person)
        agent = await self.services.identity.directory.agent(opening.agent)
        return await self.services.tasks.tasks.open(opening, agent=agent)

    # Calls.

    async def start(self, task: str, tool: str, arguments: dict[str, Json]) -> CallRun:
        """Take a call as far as possible: it is refused, or it waits at its upstream."""
        upstream, _, name = tool.partition("/")
        run = CallRun(upstream, name)
        token, proven = await self._token(task)
        asked = RequestedCall(token=token, proven=proven, upstream=upstream, name=name, arguments=arguments)

        async def drive() -> Any:
            CURRENT.set(run)
            return await self.services.mediation.mediator.run(
                asked, run.released, partial(ExternalSteps, run)
            )

        driven = asyncio.get_running_loop().create_task(drive())
        run.driven = driven
        self._runs.add(driven)
        driven.add_done_callback(lambda _: run.settle())
        driven.add_done_callback(self._over)
        await run.settled
        return run

    @property
    def busy(self) -> bool:
        """Whether a call is in progress."""
        return bool(self._runs)

    def _over(self, driven: asyncio.Task[Any]) -> None:
        self._runs.discard(driven)
        if not driven.cancelled():
            driven.exception()  # retrieved: a call that was cut may never be awaited

    async def _token(self, task: str) -> tuple[str, Confirmation]:
        """Return a token of a task, bound to the key of its agent, with the proof of possession.

        For a task that has ended, return the last token: the gateway refuses it.
        """
        kept = self._tokens.get(task)
        if kept is not None and kept[2] - self.services.clock.now().timestamp() > RENEW_S:
            return kept[:2]
        live = await self.services.tasks.live.load(task)
        if kept is not None and live.task.state.ended:
            return kept[:2]
        confirmation = Confirmation(jkt=thumbprint(self._keys[live.task.agent]))
        attested = Attested(
            workload=f"jkt:{confirmation.jkt}",
            method=AttestationMethod.PRIVATE_KEY,
            assurance=Assurance.KEY_BOUND,
        )
        client = TokenClient(agent=live.agent, client_id=live.agent.name, attested=attested)
        asking = TokenQuestion(how=BY, confirmation=confirmation)
        given = await self.services.oauth.tokens.for_task(client, live, asking)
        self._tokens[task] = given.text, confirmation, given.claims.expires
        return given.text, confirmation

    async def restore(self) -> None:
        """Delete what tasks have written, after pending events have been recorded."""
        await asyncio.sleep(0)
        await self.services.store.commit(Unit(tenant=self.services.tenant))
        await self.services.flow.stored_labels.forget()

    # Evidence.

    async def events(self, task: str, kinds: tuple[str, ...]) -> list[dict[str, Json]]:
        """Return the recorded events in order, after pending events have been recorded."""
        services = self.services
        await asyncio.sleep(0)
        await services.mediation.mediator.count_refusals()
        await services.mediation.mediator.retry_late()
        await services.store.commit(Unit(tenant=services.tenant))
        found: list[dict[str, Json]] = []
        start = 0
        while page := await services.evidence.log.pages(start=start, limit=PAGE, kinds=kinds, task=task):
            found += [readable(entry) for entry in page]
            start = page[-1].index + 1
        return found


def _groups(named: Sequence[str]) -> tuple[str, ...]:
    return tuple(one.removeprefix(GROUP) for one in named if one.startswith(GROUP))


def _new_key() -> dict[str, str]:
    """Return the public part of a new key; the private part is never used, because nothing is signed here."""
    public = ECKey.generate_key("P-256").as_dict(private=False)
    return checked_public_jwk({name: str(public[name]) for name in ("kty", "crv", "x", "y")})
