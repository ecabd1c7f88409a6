# SPDX-License-Identifier: Apache-2.0
"""A rotation of a standing secret that breaks off before or after any of its steps."""

from __future__ import annotations

from datetime import timedelta

from remit.core.errors import KeyUnavailable
from remit.ports.broker import Probe
from remit.ports.rotating import Keep, Rotating
from remit.services.credentials.secret_rotation import RotatedSecrets
from tests.worlds.calls import CallWorld
from tests.worlds.values import TENANT, WorldEntropy, WorldSealingKeys

DAY = timedelta(days=1)


class Crash(Exception):
    """The process ends here."""


class Breaking:
    """`ports.rotating.Rotating`: the real thing, of which `breaks` says where it breaks off."""

    def __init__(self, real: Rotating) -> None:
        self._real = real
        self.breaks = ""

    @property
    def sink(self) -> str:
        """Say what it opens."""
        return self._real.sink

    @property
    def first(self) -> str:
        """Return the configured one."""
        return self._real.first

    async def change(self, old: str, new: str, keep: Keep) -> str:
        """Change it, or not, or without living to hear of it."""
        if self.breaks == "before the change":
            raise Crash
        given = await self._real.change(old, new, keep)
        if self.breaks == "after the change":
            raise Crash
        if self.breaks == "the answer is lost":
            raise KeyUnavailable("no answer", code="source-lost", remediation="look at the network")
        return given

    async def known(self, current: str, keep: Keep) -> str:
        """Ask which one counts."""
        return await self._real.known(current, keep)

    async def works(self, secret: str) -> Probe:
        """Try it, or end before that."""
        if self.breaks == "before it is tried":
            raise Crash
        return Probe.UNREACHABLE if self.breaks == "it cannot be tried" else await self._real.works(secret)

    async def publish(self, secret: str) -> None:
        """Hand it on."""
        await self._real.publish(secret)


class Rotations:
    """What rotates the secret of `crm` every day; opened again as after a start of the process."""

    def __init__(self, world: CallWorld) -> None:
        self.world = world
        self.sealing = WorldSealingKeys()
        self._seeds = iter(range(1000))

    async def of(self, real: Rotating) -> tuple[RotatedSecrets, Breaking]:
        """Return what rotates, as a process that has just started has it."""
        one = Breaking(real)
        made = RotatedSecrets(
            rotating={"crm": one},
            every={"crm": DAY},
            store=self.world.services.store,
            clock=self.world.clock,
            entropy=WorldEntropy(f"rotation {next(self._seeds)}"),
            sealing=self.sealing,
            tenant=TENANT,
        )
        await made.load()
        return made, one
