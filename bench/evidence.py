# SPDX-License-Identifier: Apache-2.0
"""How fast exported evidence is verified, whole, and in how much memory.

`python -m bench.evidence --events 10000000` takes a larger log than `python -m bench --only evidence`.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure
from bench.signed_log import LogEvent, write_log
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.export import event_line
from remit.core.evidence.verification import verify_export

VERIFIED = "evidence: events verified"
VERIFIED_BARE = "evidence: events verified without values"
HASHED = "evidence: their leaves hashed alone"
MEMORY = "evidence: peak memory of a verification"
ROUNDS = 5
#: Leaves that are hashed alone, which stay in memory.
HASHED_LEAVES = 200_000


def calls(events: int) -> Iterator[LogEvent]:
    """Yield events as calls make them: of three one has no values."""
    for index in range(events):
        kind = ("decision.made", "tool.called", "data.read")[index % 3]
        text = f"line {index} of something that is a little longer than that"
        yield (
            kind,
            {"task": f"tsk_{index // 1_000}", "agent": "clerk", "call": f"dec_{index // 3:016d}"},
            {
                "outcome": ("permit", "ok", "")[index % 3],
                "tool": "desk/write",
                "bundle": "sha256:462f7578de88825e10eb2fa31922779baf3c880eab21d13abcd290a4eca9eabb",
                "flow": [{"argument": "text", "provenance": "unknown"}],
                "rules": [["permit-granted", "sha256:462f7578de88825e10eb2fa31922779baf3c880eab21d13"]],
            },
            {} if index % 3 == 1 else {"arguments": {"text": text, "amount": index}},
        )


def without_values(place: Path, other: Path) -> None:
    """Write the same export without its values."""
    with place.open("rb") as lines, other.open("wb") as out:
        for line in lines:
            said = json.loads(line)
            out.write(
                event_line(said["index"], said["leaf"].encode(), None, None) if "leaf" in said else line
            )


def per_second(place: Path, key: VerifierKey) -> float:
    """Verify a file some times; give the events for each second of CPU, of the best time."""
    best, events = float("inf"), 0
    for _ in range(ROUNDS):
        began = time.process_time()
        with place.open("rb") as lines:
            report = verify_export(lines, key)
        best = min(best, time.process_time() - began)
        assert report.complete, report.faults
        events = report.events
    return events / best


def hashed(place: Path) -> float:
    """Hash the leaves and nothing else; events for each second of CPU."""
    with place.open("rb") as lines:
        taken = [json.loads(line) for line in itertools.islice(lines, HASHED_LEAVES)]
    leaves = [line["leaf"].encode() for line in taken if "leaf" in line]
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for leaf in leaves:
            hashlib.sha256(b"\x00" + leaf).digest()
        best = min(best, time.process_time() - began)
    return len(leaves) / best


def evidence(quick: bool, events: int = 0) -> list[Figure]:
    """Events verified for each second of CPU, with their values and without, and the peak of memory."""
    events = events or (10_000 if quick else 200_000)
    with tempfile.TemporaryDirectory(prefix="bench-evidence-") as folder:
        place, bare = Path(folder) / "evidence.jsonl", Path(folder) / "bare.jsonl"
        key = write_log(place, calls(events), events)
        without_values(place, bare)
        program = [sys.executable, "-m", "bench.evidence", "--file", str(place), "--key", str(key)]
        told = subprocess.run(program, check=True, capture_output=True, text=True)
        how = f"{events} events, one core, the best of {ROUNDS}, with completeness and chains"
        return [
            Figure(
                name=VERIFIED,
                value=per_second(place, key),
                unit="1/s",
                how=f"{how}; two of three have values",
            ),
            Figure(name=VERIFIED_BARE, value=per_second(bare, key), unit="1/s", how=how),
            Figure(name=HASHED, value=hashed(bare), unit="1/s", how="SHA-256 of each leaf in a loop"),
            Figure(
                name=MEMORY, value=float(told.stdout), unit="MiB", how=f"a process that verifies {events}"
            ),
        ]


def main() -> None:
    """Verify a file once, and print the peak of memory in MiB; or measure a log of a size."""
    parser = argparse.ArgumentParser(prog="python -m bench.evidence")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--key", default="")
    asked = parser.parse_args()
    if asked.file is None:
        for one in evidence(quick=False, events=asked.events):
            print(f"{one.name}: {one.value:,.1f} {one.unit} ({one.how})")
        return
    with asked.file.open("rb") as lines:
        assert verify_export(lines, VerifierKey.parse(asked.key)).complete
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
