# SPDX-License-Identifier: Apache-2.0
"""Write the vectors of `remit_evidence/1`: `python -m tests.vectors.remit_evidence`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from remit.core.evidence.merkle import leaf_hash
from remit.core.evidence.selection import SignedLog, selection_lines
from tests.worlds.calls import call_world

Json = Any

FOLDER = Path(__file__).resolve().parents[3] / "docs/reference/evidence"


async def made(folder: Path) -> dict[str, bytes]:
    """Make a small log of two writers and two tasks, and export it in each way."""
    async with call_world(folder) as world:
        _, token = await world.open()
        await world.call(token, "write", text="one", amount=1.5)
    async with call_world(folder, seed="again", settle=False) as world:
        await world.reopen()
        task, token = await world.open("hello")
        await world.call(token, "write", text="ünwanted: \u2028 \U0001f512", amount=0.000001)
        closure = await world.services.endings.revocations.end_task(task.id, reason="done", by="root")
        evidence, receipts = world.services.evidence.log, world.services.evidence.receipts
        ways = {
            "whole": evidence.export(),
            "without-values": evidence.export(values=False),
            "task": evidence.export(task=task.id),
            "closure": receipts.lines(closure),
        }
        found = {name: b"".join([line async for line in lines]) for name, lines in ways.items()}
        found["question"] = answered(found["whole"], evidence.origin, evidence.verifier)
        return found | {"key": evidence.verifier.encode()}


def answered(whole: bytes, origin: str, verifier: str) -> bytes:
    """Return the export of an answer that rests on two events of a whole log."""
    _, *lines, last = (json.loads(one) for one in whole.splitlines())
    log = SignedLog(origin=origin, verifier=verifier, size=len(lines), note=last["checkpoint"])
    events = [(one["index"], one["leaf"].encode(), one.get("openings")) for one in lines]
    hashes = [leaf_hash(leaf) for _, leaf, _ in events]

    def some(start: int, count: int) -> list[bytes]:
        return hashes[start : start + count]

    return b"".join(selection_lines(log, "What was first, and what was third?", (events[0], events[2]), some))


def changed(name: str, text: bytes, what: str, old: str, new: str) -> Json:
    """Return a case that changes the first line that holds a text."""
    lines = text.decode().split("\n")
    line = next(number for number, one in enumerate(lines, 1) if old in one)
    return {"what": what, "file": f"{name}.jsonl", "line": line, "old": old, "new": new, "holds": False}


def cases(found: dict[str, bytes]) -> list[Json]:
    """Return the cases: each file as it is, and what must not be accepted."""
    whole, task = found["whole"], found["task"]
    path = json.loads(task.split(b"\n")[1])["path"]
    salt = next(
        json.loads(one)["openings"]["arguments"][0] for one in whole.split(b"\n") if b'"text":' in one
    )
    out = [{"what": "as it is", "file": f"{name}.jsonl", "holds": True} for name in found]
    out += [
        changed("whole", whole, "a fact was changed", "permit", "forbid"),
        changed("whole", whole, "a value was changed", '"text":"one"', '"text":"two"'),
        changed("whole", whole, "a member stands twice", '"leaf":', '"leaf":"FORGED","leaf":'),
        changed("whole", whole, "an index stands twice", '{"index":1,', '{"index":9,"index":1,'),
        changed("whole", whole, "a value stands twice", '"text":"one"', '"text":"two","text":"one"'),
        changed("whole", whole, "a member that nobody knows", '{"index":1,', '{"note":1,"index":1,'),
        changed("whole", whole, "an event of the place of another", '{"index":1,', '{"index":2,'),
        changed("whole", whole, "a member that is null", '"leaf":', '"closure":null,"leaf":'),
        changed("whole", whole, "openings that are null", '}","openings":{', '}","openings":null,"x":{'),
        changed("whole", whole, "another spelling of a number", '{"index":1,', '{"index":1.0,'),
        changed("whole", whole, "white space", '{"index":1,', '{"index": 1,'),
        changed("whole", whole, "another spelling of a text", '{"index":1,', '{"\\u0069ndex":1,'),
        changed("whole", whole, "another spelling of a value", '"amount":1.5', '"amount":1.50'),
        changed("whole", whole, "a salt with padding", salt, f"{salt}=="),
        changed("whole", whole, "a header without its task", ',"task":""', ""),
        changed("whole", whole, "a header with an empty closure", '{"origin"', '{"closure":"","origin"'),
        changed("whole", whole, "a header of another form", '"remit_evidence":1', '"remit_evidence":2'),
        changed("whole", whole, "openings of one name too many", '"openings":{', '"openings":{"x":["",1],'),
        changed("whole", whole, "the size of another log", "remit/default\\n", "remit/default\\n1"),
        changed("task", task, "a path of another event", path[0], path[-1]),
        changed("task", task, "no path", ',"path":', ',"paths":'),
        changed("closure", found["closure"], "a fact was changed", "closure.made", "closure.mode"),
        changed("question", found["question"], "a fact was changed", "tool.pinned", "tool.pinnet"),
        changed(
            "question", found["question"], "an empty question", '"question":"What', '"question":"","x":"What'
        ),
        changed("question", found["question"], "two parts at once", '"task":""', '"task":"tsk_one"'),
    ]
    return out


def main() -> None:
    """Write them all."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(made(Path(folder)))
    key = found.pop("key").decode()
    for name, text in found.items():
        (FOLDER / f"{name}.jsonl").write_bytes(text)
    said = json.dumps({"key": key, "cases": cases(found)}, indent=1, ensure_ascii=False)
    (FOLDER / "cases.json").write_text(said + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
