# SPDX-License-Identifier: Apache-2.0
"""The world that tests live in: a clock they set, entropy that repeats, keys in memory, and sample things."""

import hashlib
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from remit.core.decisions.approval import Approval
from remit.core.decisions.decision import RuleRef
from remit.core.errors import KeyUnavailable
from remit.core.evidence.event import Event, EventKind
from remit.core.identity.principals import Agent, Person
from remit.core.ids import DEFAULT_TENANT
from remit.core.keys.own_keys import HeldKey, KeyKind, KeyStanding
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.task import Intent, Task

HOUR = timedelta(hours=1)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TENANT = DEFAULT_TENANT


class WorldClock:
    """`ports.runtime.Clock` that moves only when it is told to. The two clocks may be moved apart."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._boot_s = 1000.0

    def now(self) -> datetime:
        """Return the time of day."""
        return self._now

    def boot_s(self) -> float:
        """Return the seconds that have passed."""
        return self._boot_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._boot_s += seconds

    def jump(self, seconds: float) -> None:
        """Set the time of day forth or back, as an administrator does; no time passes."""
        self._now += timedelta(seconds=seconds)


class RunningClock(WorldClock):
    """A clock on which a millisecond passes at each look."""

    def boot_s(self) -> float:
        """Return the seconds that have passed."""
        self.advance(0.001)
        return super().boot_s()


class WorldEntropy:
    """`ports.runtime.Entropy` that gives the same bytes in each run, and never the same twice in one."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed.encode()
        self._count = 0

    def bytes(self, count: int) -> bytes:
        """Return the next bytes."""
        self._count += 1
        return hashlib.shake_256(self._seed + b"\x00" + str(self._count).encode()).digest(count)


class WorldSealingKeys:
    """`ports.keys.SealingKeys` with public keys, one for each number."""

    kind = KeyKind.SEALING

    def __init__(self) -> None:
        self._held = ["1"]

    @property
    def current(self) -> str:
        """The newest."""
        return self._held[-1]

    def sealing_key(self, id: str) -> bytes:
        """Return a key."""
        number = id or self._held[0]
        if number not in self._held:
            raise KeyUnavailable(f"sealing key `{number}` is gone")
        return hashlib.sha256(f"sealing key {number} of the tests".encode()).digest()

    def held(self) -> tuple[HeldKey, ...]:
        """Return the keys."""
        return tuple(
            HeldKey(
                kind=self.kind,
                id=one,
                standing=KeyStanding.CURRENT if one == self.current else KeyStanding.PREVIOUS,
                made=START,
            )
            for one in reversed(self._held)
        )

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Return at once: no other process has these keys."""
        return nullcontext()

    async def rotate(self, *, at_once: bool = False, seen: str = "") -> HeldKey:
        """Take the next number."""
        self._held.append(str(int(self.current) + 1))
        return self.held()[0]

    async def refresh(self) -> bool:
        """Return at once: no other process has these keys."""
        return False

    async def tidy(self) -> tuple[HeldKey, ...]:
        """Nothing."""
        return ()

    async def retire(self, id: str) -> None:
        """Lose a key."""
        self._held.remove(id)


def an_agent(name: str = "contract-bot", **changes: Any) -> Agent:
    """Return an agent of the legal team."""
    known: dict[str, Any] = {
        "tenant": TENANT,
        "name": name,
        "owner": "lena",
        "purpose": "summarises contracts",
        "created": START,
        "created_by": "root",
    }
    return Agent(**(known | changes))


def a_person(name: str = "lena", **changes: Any) -> Person:
    """Return a person."""
    known: dict[str, Any] = {"tenant": TENANT, "name": name, "created": START}
    return Person(**(known | changes))


def a_task(id: str = "task_one", **changes: Any) -> Task:
    """Return an active task without grants."""
    known: dict[str, Any] = {
        "tenant": TENANT,
        "id": id,
        "type": "summarise-contract",
        "agent": "contract-bot",
        "owner": "lena",
        "on_behalf_of": "lena",
        "intent": Intent(goal="summarise C-42", params={"id": "C-42"}, requested_by="lena", stated_at=START),
        "grants": (),
        "opened": START,
        "deadline": START + timedelta(minutes=30),
    }
    return Task(**(known | changes))


def an_approval(id: str = "approval_one", **changes: Any) -> Approval:
    """Return a pending approval."""
    known: dict[str, Any] = {
        "tenant": TENANT,
        "id": id,
        "task": "task_one",
        "agent": "contract-bot",
        "requested_for": "lena",
        "tool": "deploy/apply",
        "call": "sha256:one-call",
        "arguments": {"change": "CR-7"},
        "rules": (RuleRef("deploys-need-a-human", "sha256:rule"),),
        "requested": START,
        "expires": START + timedelta(minutes=15),
    }
    return Approval(**(known | changes))


def an_event(kind: EventKind = EventKind.TASK_MESSAGE, **changes: Any) -> Event:
    """Return an event without sealed values."""
    known: dict[str, Any] = {"kind": kind, "at": START, "tenant": TENANT, "facts": {"n": 1}}
    return Event(**(known | changes))


def a_permit(call: str, task: str = "task_one", **changes: Any) -> Event:
    """Return the decision that permits a call, with its arguments sealed."""
    known: dict[str, Any] = {
        "task": task,
        "agent": "contract-bot",
        "subject": "lena",
        "call": call,
        "facts": {"outcome": "permit", "tool": "files/read"},
        "sealed": {"arguments": {"path": "contracts/C-42.md"}, "amount": 1.5},
    }
    return an_event(EventKind.DECISION_MADE, **(known | changes))


def an_outcome(call: str, task: str = "task_one", **changes: Any) -> Event:
    """Return the outcome of a call."""
    known: dict[str, Any] = {
        "task": task,
        "agent": "contract-bot",
        "call": call,
        "facts": {"outcome": "ok", "tool": "files/read"},
    }
    return an_event(EventKind.TOOL_CALLED, **(known | changes))


def a_delegation(id: str = "dlg_one", **changes: Any) -> Delegation:
    """Return a record that lives for an hour."""
    known: dict[str, Any] = {
        "tenant": TENANT,
        "id": id,
        "person": "lena",
        "agent": "contract-bot",
        "task_type": "summarise",
        "made": START,
        "expires": START + HOUR,
    }
    return Delegation(**(known | changes))
