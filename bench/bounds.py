# SPDX-License-Identifier: Apache-2.0
"""What could be gained at most: CPU time of a call if some of its parts cost nothing.

    python -m bench.bounds [ROUNDS]

Calls through all nine steps in one process, sixteen at once. Variants take turns of some calls, so that a
machine that becomes slower does so for all; a figure is the median over the rounds of the ratio to the whole
call in the same round. `the same again` shows the noise. What the log and the engine say is wrong meanwhile:
nothing of it is served.
"""

import asyncio
import hashlib
import hmac
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import cedarpy
import orjson
import uvloop

from bench.governed_bundle import UPSTREAM, write_bundle
from bench.measure import layout, running_upstream
from bench.serve_governed import open_task
from bench.stages import Nowhere
from bench.target import confined
from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.store.relational import log_writer
from remit.adapters.store.relational.subject_keys import SubjectKeys
from remit.cli.serve.gc import settle_memory
from remit.compose import open_services
from remit.config import load_config
from remit.core.canonical import encode_trusted
from remit.core.sealing import cipher
from remit.services.mediation.mediator import RequestedCall

AT_ONCE, TURN = 16, 32
_BLOB, _NONCE, _SALT = bytes(200), bytes(12), bytes(16)
_POOL = {count: os.urandom(count) for count in range(512)}

Patch = Any


class _Heard:
    """A leaf of each kind of event, and an answer of the engine, as the call really makes them."""

    def __init__(self) -> None:
        self.leaves: dict[str, bytes] = {}
        self.answer: Any = None

    def listening(self) -> list[Patch]:
        encode, ask = encode_trusted, cedarpy.is_authorized

        def encoded(record: Any) -> bytes:
            self.leaves[record["kind"]] = leaf = encode(record)
            return leaf

        def asked(*given: Any) -> Any:
            self.answer = ask(*given)
            return self.answer

        return [
            mock.patch.object(log_writer, "encode_trusted", encoded),
            mock.patch.object(cedarpy, "is_authorized", asked),
        ]


def _events(encode: Callable[[str], bytes], hashed: Any, conceal: Any, seal: Any) -> list[Patch]:
    """Return events whose parts are replaced by these."""
    return [
        mock.patch.object(log_writer, "leaf_record", lambda event, **_: event.kind.value),
        mock.patch.object(log_writer, "encode_trusted", encode),
        mock.patch.object(log_writer, "leaf_hash", hashed),
        mock.patch.object(SubjectKeys, "conceal", conceal),
        mock.patch.object(SubjectKeys, "seal", seal),
    ]


def _free(heard: _Heard) -> list[Patch]:
    """Return events that cost nothing but their rows."""
    return _events(
        lambda kind: heard.leaves.get(kind, b"{}"),
        lambda _: bytes(32),
        lambda *_: ({}, {}, b""),
        lambda *_: (1, _BLOB),
    )


def _native(heard: _Heard) -> list[Patch]:
    """Return events that cost their primitives, once each on prepared input: the least of a native call."""
    records = {kind: orjson.loads(leaf) for kind, leaf in heard.leaves.items()}
    key, text = cipher(os.urandom(32)), os.urandom(110)

    def conceal(*_: Any) -> Any:
        hmac.digest(_SALT, text, "sha256")
        return {}, {}, b""

    def seal(_: Any, __: Any, ___: Any, ____: Any, hashed: bytes) -> Any:
        key.encrypt(_NONCE, text, hashed)
        return 1, _BLOB

    return _events(
        lambda kind: orjson.dumps(records.get(kind), option=orjson.OPT_SORT_KEYS),
        lambda leaf: hashlib.sha256(leaf).digest(),
        conceal,
        seal,
    )


def _engine(heard: _Heard) -> list[Patch]:
    def answer(*_: Any) -> Any:
        return heard.answer

    # A mock itself would cost as much as the engine.
    return [mock.patch.object(cedarpy, "is_authorized", answer)]


def _randomness(_: _Heard) -> list[Patch]:
    return [mock.patch.object(SystemEntropy, "bytes", staticmethod(_POOL.__getitem__))]


VARIANTS: dict[str, Callable[[_Heard], list[Patch]]] = {
    "the whole call": lambda _: [],
    "the same again": lambda _: [],
    "events cost nothing": _free,
    "events cost their primitives": _native,
    "the policy engine costs nothing": _engine,
    "randomness costs nothing": _randomness,
    "all three cost nothing": lambda heard: [*_free(heard), *_engine(heard), *_randomness(heard)],
}


async def _measured(config_path: Path, rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of a call, by variant."""
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    async with open_services(load_config(config_path)) as services:
        token, sink, numbers = await open_task(services), Nowhere(), iter(range(10**8))

        async def some(count: int) -> None:
            for _ in range(count // AT_ONCE):
                text = "call {:08d} the quick brown fox jumps over the lazy dog and"
                asked = [
                    RequestedCall(
                        token=token,
                        upstream=UPSTREAM,
                        name="echo",
                        arguments={"text": text.format(next(numbers))},
                    )
                    for _ in range(AT_ONCE)
                ]
                await asyncio.gather(*(services.mediation.mediator.run(one, sink) for one in asked))
            await asyncio.sleep(0.012)  # until the outcomes are in the store

        await some(20 * AT_ONCE)
        settle_memory()
        heard = _Heard()
        await _under(heard.listening(), some, 4 * AT_ONCE)
        names = list(VARIANTS)
        for number in range(rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                used = await _under(VARIANTS[name](heard), some, TURN)
                found[name].append(used / TURN * 1e6)
    return found


async def _under(patches: list[Patch], work: Callable[[int], Any], count: int) -> float:
    """Do some work under patches, warm; return the CPU seconds of this process."""
    for one in patches:
        one.start()
    try:
        await work(AT_ONCE)
        before = time.process_time()
        await work(count)
        return time.process_time() - before
    finally:
        for one in patches:
            one.stop()


def main() -> None:
    """Measure and print."""
    rounds, cpus = int(sys.argv[1]) if sys.argv[1:] else 100, layout()
    Path("build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-bounds-", dir="build"))
    try:
        with running_upstream(cpus.others) as upstream, confined(cpus.target):
            found = uvloop.run(_measured(write_bundle(folder, upstream.url, 8700, "durable"), rounds))
    finally:
        shutil.rmtree(folder)
    whole = found["the whole call"]
    for name, spent in found.items():
        ratio = statistics.median(one / other for one, other in zip(spent, whole, strict=True))
        print(f"{name:32} {statistics.median(spent):6.0f} us  {ratio:.3f}")


if __name__ == "__main__":
    main()
