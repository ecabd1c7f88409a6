# SPDX-License-Identifier: Apache-2.0
"""A log for measurements: made-up events with real commitments, hashes, chains and a signed checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.core.canonical import encode_trusted
from remit.core.evidence.checkpoint import Checkpoint, VerifierKey, sign_checkpoint
from remit.core.evidence.export import checkpoint_line, event_line, header_line
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.json_value import Json
from remit.core.sealing import conceal

ORIGIN: Final = "remit/bench"
BEGAN: Final = datetime(2026, 2, 1, tzinfo=UTC)
#: The events are spread over this time.
MONTH_S: Final = 30 * 86_400
BATCH: Final = 1 << 16
#: Its kind, the ids beside its facts, its facts, and its values.
LogEvent = tuple[str, dict[str, str], dict[str, Json], dict[str, Json]]


def write_log(place: Path, events: Iterable[LogEvent], count: int) -> VerifierKey:
    """Write an export of `count` events. Give the log's key."""
    private = Ed25519PrivateKey.generate()
    key = VerifierKey(ORIGIN, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    tree, hashes, previous, tasks = Frontier(), list[bytes](), "", dict[str, str]()
    with place.open("wb") as out:
        out.write(header_line(ORIGIN, str(key), count))
        for index, (kind, ids, facts, values) in enumerate(events):
            sealed, openings = conceal(values, [os.urandom(16) for _ in values])
            record: dict[str, Json] = {
                **ids,
                "v": 1,
                "kind": kind,
                "at": (BEGAN + timedelta(seconds=index * MONTH_S / count)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "tenant": "default",
                "writer": "writer_one",
                "seq": index,
                "prev": previous,
                "facts": facts,
            }
            if task := ids.get("task"):
                record["task_prev"] = tasks.get(task, "")
            if sealed:
                record["sealed"] = sealed
            leaf = encode_trusted(record)
            hashes.append(leaf_hash(leaf))
            previous = hashes[-1].hex()
            if task:
                tasks[task] = previous
            if kind == "task.ended":
                del tasks[ids["task"]]
            out.write(event_line(index, leaf, openings or None, None))
            if len(hashes) == BATCH:
                tree, _ = new_tile_nodes(tree, hashes)
                hashes.clear()
        tree, _ = new_tile_nodes(tree, hashes)
        note = sign_checkpoint(Checkpoint(ORIGIN, count, tree.root()), key, private.sign)
        out.write(checkpoint_line(note.encode().decode()))
    return key
