# SPDX-License-Identifier: Apache-2.0
"""Exported evidence verifies offline; it says what it leaves out, and claims nothing that it cannot show."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.export import event_line, header_line
from remit.core.evidence.verification import SeenRoot, verify_export
from tests.worlds.calls import CallWorld, call_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway in which something has happened."""
    async with call_world(tmp_path) as made:
        await made.open()
        task, token = await made.open()
        for n in range(3):
            await made.call(token, "write", text=f"line {n}")
        await made.asked(token, amount=3.25)
        await made.facts(EventKind.TOOL_CALLED)
        made.task = task.id  # type: ignore[attr-defined]
        yield made


async def exported(world: CallWorld, **how: Json) -> tuple[list[bytes], VerifierKey]:
    """Export, and give the lines with the log's public key."""
    lines = [line async for line in world.services.evidence.log.export(**how)]
    return lines, VerifierKey.parse(world.services.evidence.log.verifier)


async def test_a_whole_export_holds_and_counts_what_is_in_it(world: CallWorld) -> None:
    """Every event from the first on, each by its kind; nothing unfinished; every value opened."""
    lines, key = await exported(world)
    report = verify_export(lines, key)
    assert report.holds
    assert report.complete
    assert report.events == report.size == len(lines) - 2
    assert report.kinds["decision.made"] == 4
    assert report.kinds["action.executed"] == 3
    assert report.unfinished == ()
    assert report.opened == sum("openings" in json.loads(line) for line in lines)


async def test_an_export_without_values_proves_the_same(world: CallWorld) -> None:
    """What was said may be left out; the root is the same, and the text of it is nowhere."""
    lines, key = await exported(world, values=False)
    report = verify_export(lines, key)
    assert report.holds
    assert report.complete
    assert report.opened == 0
    assert b"line 1" not in b"".join(lines)
    whole, _ = await exported(world)
    assert report.root == verify_export(whole, key).root


async def test_the_export_of_one_task_holds_alone(world: CallWorld) -> None:
    """It has that task's events with their proofs, and does not claim to be complete."""
    task = world.task  # type: ignore[attr-defined]
    lines, key = await exported(world, task=task)
    report = verify_export(lines, key)
    assert report.holds, report.faults
    assert not report.complete
    assert report.task == task
    assert 0 < report.events < report.size
    assert {json.loads(json.loads(line)["leaf"])["task"] for line in lines[1:-1]} == {task}


async def test_a_call_without_an_outcome_is_named(world: CallWorld) -> None:
    """A permit in the log whose outcome is not there is unfinished, and so is one that ended unknown."""
    _, token = await world.open()
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "write", text="hangs"))
    await world.until(lambda: len(world.desk.arrived) == 4)
    lines, key = await exported(world)
    report = verify_export(lines, key)
    assert report.holds
    assert len(report.unfinished) == 1
    world.desk.open.set()
    end = await call
    assert report.unfinished == (end.decision.id,)


async def test_a_forgotten_subject_leaves_the_proof_whole(world: CallWorld) -> None:
    """Once a person's key is destroyed their words are gone, and the export still holds."""
    assert await world.services.store.forget(world.services.tenant, "lena")
    lines, key = await exported(world)
    report = verify_export(lines, key)
    assert report.holds, report.faults
    assert report.complete
    assert b"line 1" not in b"".join(lines)


async def test_an_older_export_holds_unless_more_was_seen(world: CallWorld) -> None:
    """An older state with its own checkpoint verifies; who saw more says so and is told of the cut."""
    older, key = await exported(world)
    await world.open()
    newer, _ = await exported(world)
    size = verify_export(newer, key).size
    assert verify_export(older, key).holds
    assert verify_export(older, key, at_least=len(older) - 2).holds
    report = verify_export(older, key, at_least=size)
    assert [fault.code for fault in report.faults] == ["rolled-back"]
    assert verify_export(newer, key, at_least=size).holds


async def test_a_checkpoint_of_another_moment_does_not_fit(world: CallWorld) -> None:
    """The newer events with the older checkpoint, and the other way round, are told apart."""
    older, key = await exported(world)
    await world.open()
    newer, _ = await exported(world)
    codes = {fault.code for fault in verify_export([*newer[:-1], older[-1]], key).faults}
    assert "events-unsigned" in codes
    codes = {fault.code for fault in verify_export([*older[:-1], newer[-1]], key).faults}
    assert "events-missing" in codes


async def test_a_log_whose_beginning_was_rewritten_is_noticed(world: CallWorld) -> None:
    """What was seen before must be what the log begins with, even if the new tree is signed and sound."""
    older, key = await exported(world)
    report = verify_export(older, key)
    await world.open()
    newer, _ = await exported(world)
    seen = SeenRoot(report.size, bytes.fromhex(report.root))
    assert verify_export(newer, key, seen=seen).holds
    other = verify_export(newer, key, seen=SeenRoot(report.size, bytes(32)))
    assert [fault.code for fault in other.faults] == ["rewritten"]
    cut = verify_export(older, key, seen=SeenRoot(report.size + 1, bytes(32)))
    assert [fault.code for fault in cut.faults] == ["rolled-back"]
    task, _ = await exported(world, task=world.task)  # type: ignore[attr-defined]
    assert verify_export(task, key, seen=SeenRoot(report.size, bytes(32))).holds


async def test_an_inclusion_proof_is_held_against_the_size_that_was_signed(world: CallWorld) -> None:
    """The first line may claim another size: the checkpoint's counts, for the paths too."""
    task = world.task  # type: ignore[attr-defined]
    lines, key = await exported(world, task=task)
    header = json.loads(lines[0])
    told = header_line(header["origin"], header["verifier"], header["size"] + 1, task)
    assert [fault.code for fault in verify_export([told, *lines[1:]], key).faults] == ["size-mismatch"]


DOUBLED: dict[str, tuple[str, str]] = {
    "another leaf first": ('"leaf":', '"leaf":"FORGED","leaf":'),
    "another leaf last": (',"openings":', ',"leaf":"FORGED","openings":'),
    "another index": ('"index":', '"index":0,"index":'),
    "another value": ('"text":', '"text":"other","text":'),
    "an escape that need not be": ('"leaf":', '"le\\u0061f":'),
    "space": ('"leaf":', '"leaf": '),
}


@pytest.mark.parametrize("what", DOUBLED)
async def test_a_line_that_can_be_read_in_two_ways_does_not_hold(world: CallWorld, what: str) -> None:
    """A parser that takes the first of two members must not read a forgery that was verified."""
    lines, key = await exported(world)
    number = next(n for n, line in enumerate(lines) if b'"text":"line' in line)
    text = lines[number].decode()
    twice = text.replace(*DOUBLED[what], 1).encode()
    assert twice != lines[number]
    assert json.loads(twice) == json.loads(text) or what == "another leaf last"
    report = verify_export([*lines[:number], twice, *lines[number + 1 :]], key)
    assert report.faults[0].code == "line-ambiguous"


async def test_a_leaf_that_holds_a_member_twice_is_no_record(world: CallWorld) -> None:
    """Not even a log that signs it can show one event to one reader and another to the next."""
    lines, key = await exported(world)
    leaf = json.loads(lines[1])["leaf"].replace('"kind":', '"kind":"forged","kind":', 1)
    report = verify_export([lines[0], event_line(0, leaf.encode(), None, None), *lines[2:]], key)
    assert report.faults[0].code == "not-an-event"


async def test_nothing_stands_after_the_checkpoint(world: CallWorld) -> None:
    """Of two checkpoints none is the one that counts."""
    lines, key = await exported(world)
    for extra in (lines[-1], lines[-2]):
        report = verify_export([*lines, extra], key)
        assert [fault.code for fault in report.faults] == ["line-broken"]


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<evidence/>\n",
    "another format": b'{"remit_evidence":2,"origin":"x","verifier":"y","size":1}\n',
    "bytes that are no text": b'{"remit_evidence":1,"origin":"\xff","verifier":"y","size":1}\n',
    "deep nesting": b'{"remit_evidence":' + b"[" * 100_000 + b"\n",
    "an endless number": b'{"remit_evidence":1,"size":' + b"9" * 10_000 + b"}\n",
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_no_export_is_said_to_be_none(world: CallWorld, what: str) -> None:
    """Whatever the first line is, the answer is a report."""
    lines, key = await exported(world)
    report = verify_export([HOSTILE[what], *lines[1:]], key)
    assert report.faults[0].code == "not-an-export"


HOSTILE_LINES: dict[str, bytes] = {
    "nesting in openings": b'{"index":1,"leaf":"{}","openings":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}\n",
    "a leaf that is no record": b'{"index":1,"leaf":"[]"}\n',
    "a leaf with a lone surrogate": b'{"index":1,"leaf":"\\ud800"}\n',
    "openings that open nothing": b'{"index":1,"leaf":"{}","openings":{"a":[]}}\n',
    "a huge index": b'{"index":' + b"9" * 400 + b',"leaf":"{}"}\n',
    "an empty line": b"\n",
    "a name that it does not have": b'{"index":1,"leaf":"{}","opening":{}}\n',
    "two lines in one": b'{"index":1,"leaf":"{}"} {"index":2,"leaf":"{}"}\n',
}


@pytest.mark.parametrize("what", HOSTILE_LINES)
@pytest.mark.parametrize("of_task", [False, True])
async def test_a_hostile_line_is_a_fault_and_no_crash(world: CallWorld, what: str, of_task: bool) -> None:
    """Whatever stands in a line, the answer is a report with faults."""
    task = world.task if of_task else ""  # type: ignore[attr-defined]
    lines, key = await exported(world, task=task)
    assert verify_export(lines, key).holds
    assert not verify_export([*lines[:2], HOSTILE_LINES[what], *lines[3:]], key).holds


async def test_a_path_that_is_no_base64_is_a_fault(world: CallWorld) -> None:
    """Letters beyond ASCII in a proof do not stop the verifier."""
    lines, key = await exported(world, task=world.task)  # type: ignore[attr-defined]
    line = json.loads(lines[1])
    line["path"][0] = "é" + line["path"][0][1:]
    changed = event_line(line["index"], line["leaf"].encode(), line.get("openings"), [])
    changed = changed.replace(b'"path":[]', b'"path":' + orjson.dumps(line["path"]))
    report = verify_export([lines[0], changed, *lines[2:]], key)
    assert [fault.code for fault in report.faults] == ["not-included"]
