# SPDX-License-Identifier: Apache-2.0
"""A person is erased: remit's copies lose the values, earlier exports keep them, and everything verifies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from remit.cli.evidence.questions import opened, write_tables
from remit.cli.evidence.replay import Wanted, read_decisions
from remit.core.decisions.decision import Outcome
from remit.core.evidence.checkpoint import LogProof, VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import verify_consistency
from remit.core.evidence.verification import ExportReport, verify_export
from remit.ports.evidence.log import Head
from remit.rehearse.folder import config_of
from remit.rehearse.replay import replay_stage
from remit.services.inspection.decision_replay import ReplayedDecision, ReplayVerdict
from tests.samples.independent_verifier import independent_verifier
from tests.worlds.calls import CallWorld, a_bundle, call_world

Json = Any
PERSON = b"lena"
SECRET = b"the words of lena"


class Told(NamedTuple):
    """What was made before the erasure and after it, the log's key, its head before, and its growth."""

    before: Path
    after: Path
    receipts: tuple[LogProof, LogProof]
    key: str
    head: Head
    grown: Head
    growth: list[bytes]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A task of lena's, exports and receipts of it, and the same after lena was forgotten."""
    folder = tmp_path_factory.mktemp("erased")

    async def tell() -> Told:
        async with call_world(folder) as world:
            _, token = await world.open()
            assert await world.outcome(token, "write", text=SECRET.decode()) is Outcome.PERMIT
            await world.facts(EventKind.TOOL_CALLED)
            log = world.services.evidence.log
            (index,) = [one.index for one in await log.pages(limit=100, kinds=(EventKind.TASK_OPENED,))]
            before, receipt = await _exported(world, "before"), await log.prove(index)
            head = await log.checkpoint()
            await world.services.people.forgetting.forget("lena", by="root", reason="left")
            after, again = await _exported(world, "after"), await log.prove(index)
            grown, growth = await log.growth(head.size)
            return Told(before, after, (receipt, again), log.verifier, head, grown, growth)

    return asyncio.run(tell())


async def _exported(world: CallWorld, name: str) -> Path:
    place = world.folder / f"{name}.jsonl"
    place.write_bytes(b"".join([line async for line in world.services.evidence.log.export()]))
    return place


def _verified(told: Told, place: Path) -> ExportReport:
    return verify_export(place.read_bytes().splitlines(keepends=True), VerifierKey.parse(told.key))


def test_both_exports_verify_and_only_the_older_one_has_the_values(told: Told) -> None:
    """With remit's verifier and another one; the log after is a continuation of the log before."""
    before, after = _verified(told, told.before), _verified(told, told.after)
    assert before.holds
    assert after.holds
    assert before.opened > 0
    for place in (told.before, told.after):
        independent_verifier().verify(place.read_bytes(), told.key)
    assert SECRET in told.before.read_bytes()
    assert SECRET not in told.after.read_bytes()
    verify_consistency(told.head.size, told.grown.size, told.growth, told.head.root, told.grown.root)


def test_a_receipt_proves_the_same_event_before_and_after(told: Told) -> None:
    """It never had the values: facts and commitments alone."""
    first, second = told.receipts
    assert first.extra == second.extra
    for one in (first, second):
        one.verify(one.extra, VerifierKey.parse(told.key))
        assert SECRET not in one.extra


def test_tables_made_after_it_have_no_values_and_the_same_events(told: Told, tmp_path: Path) -> None:
    """In Parquet files, too; those of an older export keep what they had."""
    found: dict[str, list[Json]] = {}
    for name, place in (("before", told.before), ("after", told.after)):
        write_tables(place, tmp_path / name, key=told.key)
        with opened(tmp_path / name, told.key) as (tables, _):
            rows = tables.ask(
                "SELECT index, tool, arguments::VARCHAR FROM decision_made ORDER BY index", {}, limit=100
            ).rows
        found[name] = list(rows)
    assert [row[:2] for row in found["before"]] == [row[:2] for row in found["after"]]
    assert any(SECRET.decode() in str(row[2]) for row in found["before"])
    assert not any(SECRET.decode() in str(row[2]) for row in found["after"])


async def test_a_replay_agrees_before_and_says_that_it_cannot_after(told: Told, tmp_path: Path) -> None:
    """It never guesses what was erased."""
    for place, verdict in (
        (told.before, ReplayVerdict.AGREES),
        (told.after, ReplayVerdict.CANNOT),
    ):
        found = read_decisions(place, told.key, Wanted()).decisions
        folder = tmp_path / place.stem
        folder.mkdir()
        async with replay_stage(config_of(None, folder), a_bundle()) as stage:
            again: list[ReplayedDecision] = [await stage.replayed(one) for one in found]
        assert {one.verdict for one in again} == {verdict}, again
