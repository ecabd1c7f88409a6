# SPDX-License-Identifier: Apache-2.0
"""How many recorded decisions one core decides again in a second under a candidate, each of them evaluated.

The calls are echoes beside a hundred rules. The candidate has one rule more, which speaks about every call,
so that none can be passed over. The figure counts processor time without the reading of the log.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from bench.figure import Figure
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.measure import layout, running_upstream
from bench.serve_governed import open_task
from bench.stages import Nowhere
from bench.target import confined
from remit.compose import open_services
from remit.config import load_config
from remit.core.policy.bundle import Bundle
from remit.ports.policy import PolicySource
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from remit.services.mediation.mediator import RequestedCall

DECISIONS: Final = "simulate: decisions evaluated"
RULE: Final = """
@id("bench/later")
@reason("`{tool}` is not for this text")
forbid (principal, action, resource)
when { context.args has text && context.args.text like "*7 the quick*" };
"""


@asynccontextmanager
async def _recorded(calls: int) -> AsyncIterator[Services]:
    """Yield a remit that has made so many calls."""
    cpus = layout()
    with (
        tempfile.TemporaryDirectory(prefix="bench-simulate-", dir="build") as folder,
        running_upstream(cpus.others) as upstream,
        confined(cpus.target),
    ):
        config = load_config(write_bundle(Path(folder), upstream.url, 8700, "buffered"))
        async with open_services(config) as services:
            token, sink = await open_task(services), Nowhere()
            for number in range(calls):
                text = f"call {number:08d} the quick brown fox jumps over the lazy dog"
                asked = RequestedCall(token=token, upstream=UPSTREAM, name="echo", arguments={"text": text})
                await services.mediation.mediator.run(asked, sink)
            await services.store.commit(Unit(tenant=services.tenant))
            yield services


async def _rate(calls: int) -> float:
    async with _recorded(calls) as services:
        bundle: Bundle = services.policies.applied.bundle
        policies = (*bundle.policies, PolicySource("later.cedar", RULE))
        candidate = msgspec.structs.replace(bundle, policies=policies, digest="candidate")
        found = await services.inspection.simulations.run(candidate, limit=calls)
        replay = found.replay
        refused = sum(one.calls for one in replay.flips.values())
        if replay.replayed != calls or not 0 < refused < calls:
            raise RuntimeError(f"a simulation is wrong: {replay}")
        return replay.read / found.deciding_s


def simulation(quick: bool) -> list[Figure]:
    """Measure how fast a candidate is simulated."""
    calls = 500 if quick else 4_000
    Path("build").mkdir(exist_ok=True)
    how = f"{calls} calls of a task beside a hundred rules, a tenth of them refused by the candidate"
    return [Figure(name=DECISIONS, value=uvloop.run(_rate(calls)), unit="decisions/s", how=how)]
