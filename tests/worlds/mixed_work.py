# SPDX-License-Identifier: Apache-2.0
"""Ordinary work of all kinds on one store, mixed by a seed: nothing of it may look like a change by others.

Run as a program, it works until it is killed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from remit.compose import open_records
from remit.core.decisions.approval import ApprovalState
from remit.core.errors import Forbidden, RemitError
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.verification import verify_export
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import AgentState, Person, Role
from remit.core.identity.workload import KeyBinding
from remit.core.keys.own_keys import KeyKind
from remit.core.scope import ScopeKind
from remit.core.tasks.task import Task, TaskState
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.identity.provisioning import IdentityProvider, ProposedAgent
from remit.services.mediation.mediator import RequestedCall
from remit.services.people.delegations import NewDelegation
from remit.services.separation.sign_in_methods import AT_START
from remit.services.tasks.opening_rules import DelegatedOpening
from remit.services.tasks.tasks import Opening
from tests.faults.crashed_folder import crashed
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import KEYS, TO_ALL, Desk, Heard, a_bundle, a_type
from tests.worlds.kept_store import KeptStore
from tests.worlds.values import TENANT

PROVIDER = IdentityProvider(
    name="okta", prefix="okta-", owner="lena", purpose="helps", token="a secret", groups=("helpers",)
)
PEOPLE = {
    "root": ((Role.ADMINISTRATOR, Role.OPERATOR), ()),
    "vera": ((Role.ADMINISTRATOR,), ()),
    "omar": ((Role.APPROVER,), ()),
    "lena": ((), ("staff",)),
    "leo": ((), ("staff",)),
}


class AheadClock:
    """The machine's clock, which can be set ahead: who waits on it is not held forever."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """Return the time of day."""
        return datetime.now(UTC) + timedelta(seconds=self._ahead_s)

    def boot_s(self) -> float:
        """Return the seconds that have passed."""
        return time.monotonic() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += seconds


class MixedWork:
    """A store that is opened again and again, and what is done in between."""

    def __init__(self, folder: Path, seed: str, database: str = "") -> None:
        self.kept = KeptStore(folder / "house", database)
        self.database = database
        self.folder = folder
        self.dice = random.Random(seed)
        self.clock = AheadClock()
        #: The days that pass before some prunes. A replica that lives reads each event long before it is old.
        self.aging_days = 40
        #: What was done, for a run that fails.
        self.done: list[str] = []
        self._number = 0
        self._looking = asyncio.Lock()
        #: Each with the log's key of then, which a restore must be given once it was replaced.
        self.backups: list[tuple[Path, str]] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Services]:
        """Open the store as a start does, with a desk."""
        desk = Desk()
        config = self.kept.config
        async with open_records(config, {"desk": desk}, own_policies=True, clock=self.clock) as services:
            bundle = a_bundle()
            bundle.task_types["work"] = a_type(delegates=TO_ALL)
            with contextlib.suppress(RemitError):
                await services.tools.registry.load()
                await services.policies.apply(bundle, by="remit")
                await services.tools.registry.learned("desk", await desk.catalogue())
            services.identity.provisioning.providers = {"okta": PROVIDER}
            await self._settle(services)
            yield services

    async def _settle(self, services: Services) -> None:
        """Bring in people and agents at the first start."""
        if await services.store.people(TENANT):
            return
        for name, (roles, groups) in PEOPLE.items():
            new = NewPerson(name=name, roles=roles, groups=groups)
            await services.identity.directory.add_person(new, by="remit")
        for name, key in KEYS.items():
            agent = NewAgent(
                name=name, owner="lena", purpose="works", bindings=(KeyBinding(key),), groups=("helpers",)
            )
            await services.identity.directory.register(agent, by="root")

    async def work(self, services: Services, steps: int) -> None:
        """Do some steps, now and then several at once. What remit refuses is refused."""
        for _ in range(steps):
            await services.identity.rotations.look()  # another replica may have replaced a key
            names = [self.dice.choice((*STEPS, *_OFTEN)) for _ in range(self.dice.choice((1, 1, 1, 2, 4)))]
            self.done.append(" + ".join(names))
            told = await asyncio.gather(
                *(self._step(services, name) for name in names), return_exceptions=True
            )
            for one in told:
                if isinstance(one, BaseException) and not isinstance(one, RemitError):
                    raise one
                code = getattr(one, "code", "")
                assert code not in ("state-changed", "state-key"), f"{one} after {self.done}"
            self.clock.advance(self.dice.choice((1, 1, 60, 1000)))

    async def _step(self, services: Services, name: str) -> None:
        await STEPS[name](self, services)

    async def check(self, services: Services) -> None:
        """Compare each row with the log, and verify the log as an auditor does."""
        await services.identity.rotations.look()
        reading, state, store = services.evidence.log_reading, services.evidence.state, services.store
        while reading.state == "reading":
            await reading.turn()
        assert reading.state == "holds", self.done
        until = state.passes + 2
        while state.passes < until:
            self.clock.advance(1)
            await state.turn()
        assert store.covers_rows(TENANT), self.done
        found = await services.findings.findings.about()
        wrong = [
            one.facts for one in found if one.kind in (FindingKind.STATE_CHANGED, FindingKind.LOG_CHANGED)
        ]
        assert not wrong, f"{wrong} after {self.done}"
        lines = [line async for line in services.evidence.log.export()]
        report = verify_export(lines, VerifierKey.parse(services.evidence.log.verifier))
        faults = [one for one in report.faults if one.code != "loss-not-accepted"]  # a restore's, if any
        assert not faults, f"{faults} after {self.done}"

    async def back_up(self) -> None:
        """Write a backup, while remit is stopped."""
        self.done.append("back up")
        self._number += 1
        file = self.folder / f"{self._number}.remit"
        async with self.opened() as services:
            self.backups.append((file, services.evidence.log.verifier))
        await self.kept.back_up(file)

    async def restore(self) -> None:
        """Restore a backup, mostly an older one; then two administrators accept what is lost."""
        file, key = self.dice.choice(self.backups)
        self.done.append(f"restore {file.name}")
        await self.kept.restore(file, accept=True, key=key)
        async with self.opened() as services:
            await self.check(services)
            if await services.endings.locks.loss() is not None:
                for name in ("root", "vera"):
                    person = await self.person(services, name)
                    with contextlib.suppress(Forbidden):  # the first one, who is not enough
                        await services.endings.locks.unlock(ScopeKind.EVERYTHING, "*", person=person)
            await self.check(services)

    def crash(self) -> None:
        """Go on from what a crash leaves now."""
        self.done.append("crash")
        self._number += 1
        house = crashed(self.kept.folder, self.folder / f"crashed-{self._number}")
        self.kept.folder = house

    def some_name(self) -> str:
        """Return a new name."""
        self._number += 1
        return f"one-{self._number}-{self.dice.randrange(10**6)}"

    async def person(self, services: Services, name: str = "") -> Person:
        """Return a person."""
        return await services.identity.directory.person(name or self.dice.choice(list(PEOPLE)))

    async def task(self, services: Services, *, live: bool = True) -> Task:
        """Return a task, opening one where there is none."""
        found = await services.store.tasks(TENANT, state=TaskState.ACTIVE if live else None, limit=20)
        if found and self.dice.random() < 0.8:
            return self.dice.choice(found)
        opening = Opening(agent=self.dice.choice(list(KEYS)), task_type="work", goal="words of lena")
        return await services.tasks.tasks.open(opening, person=await self.person(services, "lena"))

    async def open(self, services: Services) -> None:
        """Open a task."""
        name = self.dice.choice(("work", "twice", "until-written"))
        opening = Opening(agent=self.dice.choice(list(KEYS)), task_type=name, goal="some words")
        await services.tasks.tasks.open(opening, person=await self.person(services))

    async def hand_down(self, services: Services) -> None:
        """Hand a task down to an agent."""
        agent = await services.identity.directory.agent(self.dice.choice(list(KEYS)))
        await services.tasks.tasks.open_child((await self.task(services)).id, agent, DelegatedOpening())

    async def end(self, services: Services) -> None:
        """End a task."""
        task = await self.task(services, live=self.dice.random() < 0.8)
        state = self.dice.choice((TaskState.REVOKED, TaskState.COMPLETED))
        await services.endings.revocations.end_task(task.id, reason="done", by="lena", state=state)

    async def suspend(self, services: Services) -> None:
        """Suspend a task."""
        person = await self.person(services, "root")
        await services.endings.suspensions.suspend(
            await self.task(services), person, operates=True, reason="wait"
        )

    async def resume(self, services: Services) -> None:
        """Have a task go on."""
        person = await self.person(services, "root")
        await services.endings.suspensions.resume(
            await self.task(services), person, operates=True, reason="go on"
        )

    async def say(self, services: Services) -> None:
        """Extend an intent."""
        task = await self.task(services)
        await services.tasks.tasks.add_message(task.id, "more words", await self.person(services, "lena"))

    async def expire(self, services: Services) -> None:
        """End what is over."""
        self.clock.advance(self.dice.choice((1, 600, 4000)))
        await services.endings.revocations.expire()

    async def call(self, services: Services) -> None:
        """Call a tool; some ask a human."""
        task = await self.task(services)
        token = await task_token(services, task.id, confirmation=HELD)
        tool = self.dice.choice(("read", "write", "pay", "pay"))
        arguments: dict[str, Any] = {"amount": 5} if tool == "pay" else {"text": "hello"}
        asked = RequestedCall(token=token, proven=HELD, upstream="desk", name=tool, arguments=arguments)
        await services.mediation.mediator.run(asked, Heard())

    async def answer(self, services: Services) -> None:
        """Answer a question."""
        pending = await services.store.approvals(TENANT, state=ApprovalState.PENDING)
        if pending:
            omar = await self.person(services, "omar")
            approve = self.dice.random() < 0.7
            await services.decisions.approvals.answer(
                self.dice.choice(pending).id, omar, approve=approve, comment="words of omar"
            )

    async def withdraw(self, services: Services) -> None:
        """Withdraw an approval."""
        given = await services.store.approvals(TENANT, state=ApprovalState.APPROVED)
        if given:
            omar = await self.person(services, "omar")
            await services.decisions.approvals.withdraw(self.dice.choice(given).id, omar)

    async def add_person(self, services: Services) -> None:
        """Add a person."""
        roles = tuple(self.dice.sample([Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR], 1))
        new = NewPerson(name=self.some_name(), roles=roles, groups=("staff",))
        await services.identity.personnel.add(new, by="root")

    async def change_roles(self, services: Services) -> None:
        """Set a person's roles."""
        roles = frozenset(
            self.dice.sample([Role.APPROVER, Role.AUDITOR, Role.OPERATOR], self.dice.randrange(3))
        )
        others = [one.name for one in await services.store.people(TENANT) if one.name not in ("root", "vera")]
        name = self.dice.choice(others)
        await services.identity.personnel.change_roles(name, roles, by="vera")

    async def deactivate(self, services: Services) -> None:
        """Deactivate a person, and mostly activate them again."""
        name = self.dice.choice(("leo", "omar", "lena"))
        await services.identity.personnel.deactivate(name, by="root", reason="left")
        if self.dice.random() < 0.8:
            await services.identity.personnel.activate(name, by="root")

    async def sign_in(self, services: Services) -> None:
        """Sign in."""
        name = self.dice.choice(list(PEOPLE))
        code = await services.identity.authenticator.make_code(name, by=AT_START)
        await services.identity.authenticator.sign_in(code)

    async def sign_out(self, services: Services) -> None:
        """Sign a person out."""
        await services.identity.personnel.sign_out(self.dice.choice(list(PEOPLE)), by="root")

    async def register(self, services: Services) -> None:
        """Register an agent."""
        key = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64.urlsafe_b64encode(self.dice.randbytes(32)).decode()[:-1],
        }
        new = NewAgent(name=self.some_name(), owner="lena", purpose="new", bindings=(KeyBinding(key),))
        await services.identity.directory.register(new, by="root")

    async def provision(self, services: Services) -> None:
        """Create an agent as an identity provider does."""
        active = self.dice.choice((None, False))
        await services.identity.provisioning.create(
            PROVIDER, ProposedAgent(name=self.some_name(), active=active)
        )

    async def provisioned(self, services: Services) -> None:
        """Change or delete an agent of an identity provider."""
        provisioning = services.identity.provisioning
        found = await provisioning.agents(PROVIDER)
        if found:
            one = self.dice.choice(found)
            if self.dice.random() < 0.3:
                await provisioning.delete(PROVIDER, one.name)
                return
            said = ProposedAgent(
                name=PROVIDER.local_name(one),
                display_name=self.some_name(),
                active=self.dice.choice((None, True, False)),
            )
            await provisioning.update(PROVIDER, one.name, said)

    async def move_agent(self, services: Services) -> None:
        """Suspend or activate an agent."""
        agents = [one.name for one in await services.store.agents(TENANT)]
        state = self.dice.choice((AgentState.SUSPENDED, AgentState.ACTIVE, AgentState.ACTIVE))
        await services.identity.directory.move(self.dice.choice(agents), state, by="root", reason="so")

    async def end_scope(self, services: Services) -> None:
        """End or lock what an agent, a person or a tool does."""
        kind, name = self.dice.choice(
            ((ScopeKind.AGENT, "clerk"), (ScopeKind.PERSON, "leo"), (ScopeKind.TOOL, "desk/pay"))
        )
        lock = self.dice.random() < 0.5
        await services.endings.revocations.end_scope(kind, name, reason="so", by="root", lock=lock)

    async def unlock(self, services: Services) -> None:
        """Lift a lock."""
        locks = await services.endings.locks.all()
        if locks:
            kind, _, name = self.dice.choice(locks).scope.partition(":")
            vera = await self.person(services, "vera")
            await services.endings.locks.unlock(ScopeKind(kind), name, person=vera)

    async def delegate(self, services: Services) -> None:
        """Make a delegation."""
        new = NewDelegation(agent="clerk", task_type="work", valid_s=3600, goal="words of a delegation")
        await services.people.delegations.add(new, await self.person(services, "lena"))

    async def revoke_delegation(self, services: Services) -> None:
        """Revoke a delegation."""
        found = await services.store.delegations(TENANT)
        if found:
            one = self.dice.choice(found)
            await services.people.delegations.revoke(one.id, by="lena", reason="so")

    async def rotate(self, services: Services) -> None:
        """Replace a key of remit."""
        kind = self.dice.choice((KeyKind.SEALING, KeyKind.SEALING, KeyKind.CHECKPOINT))
        await services.identity.rotations.rotate(kind, by="root")

    async def erase(self, services: Services) -> None:
        """Forget a person or an agent."""
        subject = self.dice.choice(("leo", "lena", "omar", "clerk"))
        await services.people.forgetting.forget(subject, by="root", reason="asked")

    async def prune(self, services: Services) -> None:
        """Prune what is old."""
        self.clock.advance(self.dice.choice((0, 0, 0, self.aging_days)) * 86_400)
        await services.evidence.log.checkpoint()
        before = self.clock.now() - timedelta(days=30, seconds=1)
        await services.evidence.retention.prune(before, by="root", reason="old", exported=False)

    async def look(self, services: Services) -> None:
        """Compare rows with the log for a while."""
        async with self._looking:  # one loop of a process does it
            for _ in range(self.dice.randrange(1, 12)):
                self.clock.advance(1)
                await services.evidence.log_reading.turn()
                await services.evidence.state.turn()
        await services.evidence.log.checkpoint()

    async def learn(self, services: Services) -> None:
        """Look at what the desk offers."""
        desk = Desk()
        if self.dice.random() < 0.5:
            desk.surfaces["odd"]["description"] = self.some_name()
        await services.tools.registry.learned("desk", await desk.catalogue())


#: What is done more often than the rest.
_OFTEN = ("open", "call", "call", "call", "answer", "end", "look")

STEPS: dict[str, Callable[[MixedWork, Services], Awaitable[None]]] = {
    name: getattr(MixedWork, name)
    for name in (
        "open", "hand_down", "end", "suspend", "resume", "say", "expire", "call", "answer", "withdraw",
        "add_person", "change_roles", "deactivate", "sign_in", "sign_out", "register", "provision",
        "provisioned", "move_agent", "end_scope", "unlock", "delegate", "revoke_delegation", "rotate",
        "erase", "prune", "look", "learn",
    )
}  # fmt: skip
"""What is done, by name."""


async def _until_killed(folder: str, seed: str, database: str) -> None:
    work = MixedWork(Path(folder), seed, database)
    async with work.opened() as services:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            await work.work(services, 1)


if __name__ == "__main__":
    asyncio.run(_until_killed(*sys.argv[1:4]))
