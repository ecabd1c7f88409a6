# SPDX-License-Identifier: Apache-2.0
"""What each of the nine steps takes: real calls through the real services, with a clock around each step.

The clocks are put around the steps from here: the product has none. One call at a time, so that
what a step waits for (the disk in 5, the upstream in 7) is in its figure and nobody else's work is.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.figure import Figure
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.measure import layout, running_upstream
from bench.serve_governed import open_task
from bench.target import confined
from remit.compose import open_services
from remit.config import load_config
from remit.core.decisions.mediation import Chunk
from remit.services.mediation.call_steps import CallSteps
from remit.services.mediation.mediator import RequestedCall

STEPS = {
    "identify": "1 identify",
    "bind": "2 bind",
    "describe": "3 describe",
    "decide": "4 decide",
    "record": "5 record",
    "lease": "6 lease",
    "forward": "7 forward, the write",
    "receive": "7 forward, the answer",
    "observe": "8 observe",
    "release": "8 observe, the release",
    "close": "9 close",
}
"""The methods of the steps, and how the budget calls them."""

Took = dict[str, list[float]]


class Nowhere:
    """A sink that lets everything go: what the endpoint's socket costs is in the figures of the whole."""

    async def release(self, chunk: Chunk) -> None:
        """Discard the chunk."""


@contextmanager
def clocks(took: Took) -> Iterator[None]:
    """Measure every step of every call that is made in the block, in microseconds."""

    def around(step: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
        async def timed(*given: object) -> object:
            start = time.perf_counter_ns()
            try:
                return await step(*given)
            finally:
                into.append((time.perf_counter_ns() - start) / 1e3)

        return timed

    plain = {step: getattr(CallSteps, step) for step in STEPS}
    for step, name in STEPS.items():
        setattr(CallSteps, step, around(plain[step], took.setdefault(name, [])))
    try:
        yield
    finally:
        for step, work in plain.items():
            setattr(CallSteps, step, work)


async def call(config_path: Path, rounds: int) -> Took:
    """Make calls one after another; gives what each step took, and the whole."""
    took: Took = {}
    async with open_services(load_config(config_path)) as services:
        token, sink = await open_task(services), Nowhere()

        async def one(number: int) -> None:
            text = f"call {number:08d} the quick brown fox jumps over the lazy dog and"
            await services.mediation.mediator.run(
                RequestedCall(token=token, upstream=UPSTREAM, name="echo", arguments={"text": text}), sink
            )

        for number in range(rounds // 10):
            await one(number)
        with clocks(took):
            whole = took["all nine"] = []
            for number in range(rounds):
                start = time.perf_counter_ns()
                await one(number)
                whole.append((time.perf_counter_ns() - start) / 1e3)
    return took


def stages(quick: bool) -> list[Figure]:
    """The budget of the nine steps, evidence durable and buffered."""
    cpus, rounds = layout(), 500 if quick else 3_000
    build = Path("build")
    build.mkdir(exist_ok=True)
    found: list[Figure] = []
    with running_upstream(cpus.others) as upstream, confined(cpus.target):
        for durability in ("buffered", "durable"):
            folder = Path(tempfile.mkdtemp(prefix="bench-stages-", dir=build))
            try:
                took = uvloop.run(call(write_bundle(folder, upstream.url, 8700, durability), rounds))
            finally:
                shutil.rmtree(folder)
            how = f"median of {rounds} calls, one at a time, without the endpoint; evidence {durability}"
            found += [
                Figure(name=f"stages-{durability}: {n}", value=statistics.median(v), unit="us", how=how)
                for n, v in took.items()
                if v
            ]
    return found
