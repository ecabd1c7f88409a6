# SPDX-License-Identifier: Apache-2.0
"""remit as it leases credentials and takes them back: `python -m bench.serve_sinks remit.yaml TASKS`.

Opens one task after another, makes one governed call for it, which leases a credential, and ends it. Writes a
list of `Dead` to standard output: what the closures say.
"""

import sys
from pathlib import Path

import msgspec
import uvloop

from bench.governed_bundle import UPSTREAM
from bench.serve_governed import Desk
from bench.stages import Nowhere
from remit.compose import open_services
from remit.config import load_config
from remit.core.decisions.mediation import Answered
from remit.services.mediation.mediator import RequestedCall


class Dead(msgspec.Struct, frozen=True):
    """One credential: when its source had taken it back, when its sink refused it, in milliseconds from when
    the end was asked for; and how often it was tried. A negative time: never, while the end waited.
    """

    revoked_ms: float
    refused_ms: float
    attempts: int


async def measured(config_path: Path, tasks: int) -> list[Dead]:
    """End so many tasks that hold a credential."""
    found: list[Dead] = []
    text = "call 00000000 the quick brown fox jumps over the lazy dog and"
    async with open_services(load_config(config_path)) as services:
        desk = await Desk.arrange(services)
        for _ in range(tasks):
            task, token = await desk.open()
            asked = RequestedCall(token=token, upstream=UPSTREAM, name="echo", arguments={"text": text})
            end = await services.mediation.mediator.run(asked, Nowhere())
            if not isinstance(end, Answered):
                raise SystemExit(f"the call was not answered: {end}")
            closure = await services.endings.revocations.end_task(task, reason="bench", by="bench")
            for one in closure.closings:
                if one.lease:
                    revoked_ms, refused_ms = known(one.revoked_after_ms), known(one.refused_after_ms)
                    found.append(Dead(revoked_ms, refused_ms, one.attempts))
    return found


def known(ms: float | None) -> float:
    """Return a time, as `Dead` has it."""
    return -1.0 if ms is None else ms


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(measured(Path(sys.argv[1]), int(sys.argv[2])))))
