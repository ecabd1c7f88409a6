# SPDX-License-Identifier: Apache-2.0
"""How fast exported evidence is verified, whole, and in how much memory."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.figure import Figure
from remit.core.canonical import encode_trusted
from remit.core.evidence.checkpoint import Checkpoint, VerifierKey, sign_checkpoint
from remit.core.evidence.export import checkpoint_line, event_line, header_line
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.evidence.verification import verify_export
from remit.core.sealing import conceal

VERIFIED = "evidence: events verified"
VERIFIED_BARE = "evidence: events verified without values"
HASHED = "evidence: their leaves hashed alone"
MEMORY = "evidence: peak memory of a verification"
ORIGIN = "remit/bench"
ROUNDS = 5


def export(place: Path, events: int) -> VerifierKey:
    """Write an export as calls make it: of three events one has no values. Give the log's key."""
    private = Ed25519PrivateKey.generate()
    key = VerifierKey(ORIGIN, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    tree, hashes, previous = Frontier(), list[bytes](), ""
    with place.open("wb") as out:
        out.write(header_line(ORIGIN, str(key), events))
        for index in range(events):
            kind = ("decision.made", "tool.called", "data.read")[index % 3]
            text = f"line {index} of something that is a little longer than that"
            values = {"arguments": {"text": text, "amount": index}}
            sealed, openings = ({}, None) if index % 3 == 1 else conceal(values, (bytes(16),))
            record = {
                "v": 1,
                "kind": kind,
                "at": "2026-03-02T09:00:00.000001Z",
                "tenant": "default",
                "writer": "writer_one",
                "seq": index,
                "prev": previous,
                "task": f"tsk_{index // 1_000}",
                "task_prev": previous if index % 1_000 else "",
                "agent": "clerk",
                "call": f"dec_{index // 3:016d}",
                "facts": {
                    "outcome": ("permit", "ok", "")[index % 3],
                    "tool": "desk/write",
                    "bundle": "sha256:462f7578de88825e10eb2fa31922779baf3c880eab21d13abcd290a4eca9eabb",
                    "flow": [{"argument": "text", "provenance": "unknown"}],
                    "rules": [["permit-granted", "sha256:462f7578de88825e10eb2fa31922779baf3c880eab21d13"]],
                },
                **({"sealed": sealed} if sealed else {}),
            }
            leaf = encode_trusted(record)
            hashes.append(leaf_hash(leaf))
            previous = hashes[-1].hex()
            out.write(event_line(index, leaf, openings, None))
        tree, _ = new_tile_nodes(tree, hashes)
        note = sign_checkpoint(Checkpoint(ORIGIN, events, tree.root()), key, private.sign)
        out.write(checkpoint_line(note.encode().decode()))
    return key


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
    leaves = [json.loads(line)["leaf"].encode() for line in place.read_bytes().splitlines()[1:-1]]
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for leaf in leaves:
            hashlib.sha256(b"\x00" + leaf).digest()
        best = min(best, time.process_time() - began)
    return len(leaves) / best


def evidence(quick: bool) -> list[Figure]:
    """Events verified for each second of CPU, with their values and without, and the peak of memory."""
    events = 10_000 if quick else 200_000
    with tempfile.TemporaryDirectory(prefix="bench-evidence-") as folder:
        place, bare = Path(folder) / "evidence.jsonl", Path(folder) / "bare.jsonl"
        key = export(place, events)
        without_values(place, bare)
        program = [sys.executable, "-m", "bench.evidence", str(place), str(key)]
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
    """Verify a file once, and print the peak of memory in MiB."""
    with Path(sys.argv[1]).open("rb") as lines:
        assert verify_export(lines, VerifierKey.parse(sys.argv[2])).complete
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
