# SPDX-License-Identifier: Apache-2.0
"""`/metrics` of all workers of one machine: each metric once, with the label `worker`.

A scrape reaches one worker, and the next one another. With the others' figures, and a label that stays with a
worker over its restarts, each counter only grows.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from remit.api.metrics import family
from remit.core.errors import RemitError
from remit.core.replicas.replica import Replica, worker_of
from remit.services.replicas.forwarding import Forwarding

PATH: Final = "/metrics"
#: Seconds that another worker has to answer; a scrape has ten, by default.
ANSWER_S: Final = 3.0
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{?)")


async def with_workers(passing: Forwarding, text: str) -> str:
    """Return the metrics of this worker, and those that the others of its machine answer with.

    Without other workers, returns `text`. One that does not answer is missing, and `remit_worker_up` is 0.
    """
    told = {passing.worker(): text}
    if "" in told:
        return text
    others = passing.workers()
    answers = await asyncio.gather(*(_of(passing, one) for one in others))
    for one, answer in zip(others, answers, strict=True):
        # A worker that was started again is known twice for a while.
        number = worker_of(one.address)
        told[number] = told.get(number) or answer
    up = {f'{{worker="{number}"}}': int(bool(text)) for number, text in sorted(told.items())}
    lines = family("remit_worker_up", "gauge", "Whether a worker of this machine has answered.", up)
    return merged(told) + "\n".join(lines) + "\n"


async def _of(passing: Forwarding, worker: Replica) -> str:
    try:
        async with asyncio.timeout(ANSWER_S):
            answer = await passing.asked(worker, PATH, method="GET")
    except (RemitError, TimeoutError):
        return ""
    return answer.body.decode() if answer.status == 200 else ""


def merged(told: dict[str, str]) -> str:
    """Return the text of several workers, by their number, as one: each family together, under its name."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for number, text in sorted(told.items()):
        name, is_first = "", False
        # A label may hold what `splitlines` takes for the end of a line.
        for line in filter(None, text.split("\n")):
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                is_first = name not in heads
                heads.setdefault(name, [])
            if not line.startswith("#"):
                samples.setdefault(name, []).append(_labelled(line, number))
            elif is_first:
                heads[name].append(line)
    return "".join(f"{line}\n" for name in heads for line in (*heads[name], *samples.get(name, ())))


def _labelled(line: str, worker: str) -> str:
    found = _SAMPLE.match(line)
    assert found is not None
    end = "," if found[2] else "}"
    return f'{found[1]}{{worker="{worker}"{end}{line[found.end() :]}'
