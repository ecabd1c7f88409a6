# SPDX-License-Identifier: Apache-2.0
"""Old events are removed on record: every proof still holds, and nothing else can go missing with them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.cli.evidence.watch import WatchedLog
from remit.core.decisions.decision import Outcome
from remit.core.errors import ChangedMeanwhile, Malformed, NotFound, VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import Event, EventKind
from remit.core.evidence.events.system import LogRestored, LossAccepted, SubjectForgotten
from remit.core.evidence.export import event_line, header_line
from remit.core.evidence.merkle import TILE_WIDTH, verify_consistency
from remit.core.evidence.monitor import MonitorLimits, MonitorMemory, MonitorTurn
from remit.core.evidence.ocsf import ExportLine
from remit.core.evidence.restore import Loss
from remit.core.evidence.tile import ENTRIES, Tile, entry_bundle, read_bundle
from remit.core.evidence.trust_policy import TrustPolicy
from remit.core.evidence.verification import ExportReport, SeenRoot, verify_export
from remit.core.findings.kinds import FindingKind
from remit.ports.store.units import Unit
from remit.services.evidence import retention
from remit.services.evidence.exports import ExportTarget
from remit.services.evidence.log_audit import LogAudit
from remit.services.evidence.retention import RetentionRule
from tests.refusals import refused
from tests.samples.exported_lines import checked
from tests.samples.independent_verifier import independent_verifier
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.services import service_world
from tests.worlds.values import TENANT, an_event

Json = Any
DAY = 86_400
independent = independent_verifier().verify


class KeptLines:
    """A sink that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Keep them."""
        self.lines += [one.text.decode() for one in lines]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk with a task that ended forty days ago, and one that is still open."""
    async with call_world(tmp_path) as made:
        task, token = await made.open()
        await made.call(token, "write", text="of forty days ago")
        await made.services.endings.revocations.end_task(task.id, reason="done", by="lena")
        made.clock.advance(40 * DAY)
        await made.services.evidence.log.checkpoint()
        yield made


async def prune(world: CallWorld, days: int = 30, **how: Json) -> int:
    """Prune what is older, and return how many events went."""
    await world.services.evidence.log.checkpoint()
    before = world.clock.now() - timedelta(days=days)
    given: Json = {"by": "ana", "reason": "old", "exported": False} | how
    done = await world.services.evidence.retention.prune(before, **given)
    await world.services.evidence.log.checkpoint()
    return done.pruned


async def lines_of(world: CallWorld, **how: Json) -> list[bytes]:
    """Return an export."""
    return [line async for line in world.services.evidence.log.export(**how)]


def verified(world: CallWorld, lines: Iterable[bytes]) -> ExportReport:
    """Return what the verifier says of an export."""
    return verify_export(lines, VerifierKey.parse(world.services.evidence.log.verifier))


async def audited(world: CallWorld) -> str:
    """Return what a whole reading of the log comes to."""
    log = world.services.evidence.log
    audit = LogAudit(
        store=world.services.store, evidence=log, findings=world.services.findings.findings, tenant=TENANT
    )
    while audit.state == "reading":
        await audit.turn()
    return audit.state


def in_the_file(world: CallWorld, statement: str, *values: Json) -> int:
    """Change the store as an attacker with its file does; return the number of rows."""
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        return file.execute(statement, values).rowcount


async def test_everything_verifies_and_says_what_was_pruned_when_and_by_whom(world: CallWorld) -> None:
    """The export, the independent verifier, an older proof of growth, and the reading after a start."""
    old = await world.services.evidence.log.checkpoint()
    count = await prune(world)
    assert count > 5
    lines = await lines_of(world)
    report = verified(world, lines)
    assert (report.holds, report.complete, report.absent) == (True, True, count)
    (claim,) = report.pruned
    assert (claim.by, claim.reason, claim.events) == ("ana", "old", count)
    assert datetime.fromisoformat(claim.at) == world.clock.now()
    assert len(independent(b"".join(lines), world.services.evidence.log.verifier)) == report.events
    new, proof = await world.services.evidence.log.growth(old.size)
    verify_consistency(old.size, new.size, proof, old.root, new.root)
    assert await audited(world) == "holds"
    assert verified(world, await lines_of(world, values=False)).pruned[0].by == ""


async def test_what_was_pruned_is_in_no_file_of_the_store(world: CallWorld) -> None:
    """Neither text nor values, in the file nor its log; reading such an event says where to look."""
    task, _ = await world.open()
    text = (await world.services.evidence.log.pages(limit=1, task=task.id))[0].leaf
    await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
    world.clock.advance(40 * DAY)

    def found(what: bytes) -> bool:
        return any(what in place.read_bytes() for place in world.folder.glob("remit.db*"))

    assert found(text)
    await prune(world)
    assert not found(text)
    with refused("pruned", NotFound):
        await world.services.evidence.log.entry(1)
    with refused("pruned", NotFound):
        await world.services.evidence.log.prove(1)


async def test_an_older_export_still_verifies_and_fits_todays_log(world: CallWorld) -> None:
    """Its root is that of the same number of events today; so do the receipts that were made before."""
    lines = await lines_of(world)
    before = verified(world, lines)
    receipt = await world.services.evidence.log.prove(2)
    await prune(world)
    assert verified(world, lines).holds
    new, proof = await world.services.evidence.log.growth(before.size)
    verify_consistency(before.size, new.size, proof, bytes.fromhex(before.root), new.root)
    receipt.verify(receipt.extra, VerifierKey.parse(world.services.evidence.log.verifier))


async def test_a_remembered_size_is_compared_within_what_was_pruned(world: CallWorld) -> None:
    """A reader who saw five events sees that these are still the first five."""
    key = VerifierKey.parse(world.services.evidence.log.verifier)
    await prune(world)
    lines = await lines_of(world)
    assert verify_export(lines, key, seen=SeenRoot(5, bytes(32))).faults[0].code == "rewritten"


async def test_a_call_that_was_just_refused_cannot_be_pruned(world: CallWorld) -> None:
    """Not by a time that is too late, and not by a clock that was set back while it was refused."""
    task, token = await world.open()
    assert await world.outcome(token, "pay", amount=1) is not Outcome.PERMIT
    await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
    old = world.clock.now() - timedelta(days=100)
    await world.services.store.commit(Unit(events=(an_event(EventKind.DECISION_MADE, at=old),)))
    kinds = (EventKind.DECISION_MADE,)
    refusals = (await world.services.evidence.log.pages(limit=1000, kinds=kinds))[-2:]
    for days in (0, 29, -5):
        with refused("too-young", Malformed):
            await prune(world, days)
    assert await prune(world) > 0
    assert (await world.services.evidence.log.pages(limit=1000, kinds=kinds))[-2:] == refusals


async def test_an_open_task_and_what_an_open_finding_names_stay(world: CallWorld) -> None:
    """Until the task has ended for as long, and the finding is answered; then they go, too."""
    findings, evidence = world.services.findings.findings, world.services.evidence.log
    named, token = await world.open()
    await world.call(token, "write", text="what a finding names")
    await world.services.endings.revocations.end_task(named.id, reason="done", by="lena")
    (index,) = [one.index for one in await evidence.pages(limit=1000, kinds=("task.opened",), task=named.id)]
    running, _ = await world.open()
    await findings.see(FindingKind.NEW_TOOL, "agent:clerk", "x", {"events": [index]})
    await findings.flush()
    world.clock.advance(60 * DAY)
    await prune(world)
    for task in (named, running):
        assert await evidence.pages(limit=10, task=task.id)
    await findings.settle(FindingKind.NEW_TOOL, "agent:clerk", by="ana", resolution="looked at")
    assert await prune(world)
    assert not await evidence.pages(limit=10, task=named.id)
    assert await evidence.pages(limit=10, task=running.id)
    report = verified(world, await lines_of(world))
    assert report.holds
    assert len(report.pruned) == 2
    assert await audited(world) == "holds"


async def test_an_event_that_is_missing_elsewhere_is_tampering(world: CallWorld) -> None:
    """Whether its row is gone, or was moved to the hashes of what was pruned."""
    _, token = await world.open()
    await world.outcome(token, "pay", amount=1)
    await prune(world)
    victim = (await world.services.evidence.log.pages(limit=1000, kinds=(EventKind.DECISION_MADE,)))[-1].index
    move = "insert into pruned_leaves select tenant, idx, leaf_hash, task_before from events where idx = ?"
    assert in_the_file(world, move, victim) == 1
    assert in_the_file(world, "delete from events where idx = ?", victim) == 1
    lines = await lines_of(world)
    report = verified(world, lines)
    assert [(one.index, one.code) for one in report.faults] == [(victim, "events-missing")]
    with pytest.raises(ValueError, match="not those that were pruned"):
        independent(b"".join(lines), world.services.evidence.log.verifier)
    assert await audited(world) == "changed"
    with refused("log-changed", VerificationFailed):
        world.services.evidence.log_reading.state = "changed"
        await prune(world)
    assert in_the_file(world, "delete from pruned_leaves where idx = ?", victim) == 1
    assert not verified(world, await lines_of(world)).holds


async def test_an_export_that_leaves_out_more_than_was_pruned_does_not_hold(world: CallWorld) -> None:
    """A held event cannot be shown as pruned, and a pruned one cannot come back."""
    whole = await lines_of(world)
    await prune(world)
    lines = await lines_of(world)
    at = next(n for n, line in enumerate(lines) if b'"pruned"' in line)
    said = json.loads(lines[at])
    told = [line for line in lines[at + 1 :] if line.startswith(b'{"index"')]
    hidden = hashlib.sha256(b"\x00" + json.loads(told[0])["leaf"].encode()).digest()
    more = {**said, "pruned": [*said["pruned"], base64.b64encode(hidden).decode()]}
    forged = [*lines[:at], json.dumps(more, separators=(",", ":")).encode() + b"\n", *lines[at + 2 :]]
    assert "events-missing" in {one.code for one in verified(world, forged).faults}
    back = [
        *lines[:1],
        *whole[1:-1],
        *(line for line in lines if json.loads(line).get("index", -1) >= len(whole) - 2),
    ]
    assert "pruned-wrongly" in {one.code for one in verified(world, [*back, lines[-1]]).faults}


async def test_two_prunes_do_not_contradict_each_other(world: CallWorld) -> None:
    """The second finds nothing, and one that would name the same events again commits nothing."""
    await prune(world)
    assert await prune(world) == 0
    size = await world.services.evidence.log.size()
    with refused("changed-meanwhile", ChangedMeanwhile):
        await world.services.store.prune(TENANT, [(1, 3)])
    assert await world.services.evidence.log.size() == size
    assert verified(world, await lines_of(world)).holds


async def test_a_prune_of_a_changed_event_is_refused(world: CallWorld) -> None:
    """It would remove the traces."""
    in_the_file(world, "update events set leaf = cast(leaf || ' ' as blob) where idx = 2")
    with refused("event-changed", VerificationFailed):
        await prune(world)


async def test_an_event_from_the_future_does_not_stop_the_rest(tmp_path: Path) -> None:
    """It stays, and what is old goes."""
    async with call_world(tmp_path) as world:
        world.clock.jump(4000 * DAY)
        task, _ = await world.open()
        world.clock.jump(-4000 * DAY)
        await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
        world.clock.advance(40 * DAY)
        assert await prune(world) > 0


async def test_only_what_was_exported_is_pruned_and_a_new_sink_gets_the_hashes(tmp_path: Path) -> None:
    """Unless that is waived, on record; the lines still check, with the program of the documents."""
    sink = KeptLines()
    outfit: Json = {
        "exports": {"siem": ExportTarget(name="siem", sink=sink, people=True)},
        "retention": RetentionRule(keep=timedelta(days=35)),
    }
    async with call_world(tmp_path, **outfit) as world:
        task, token = await world.open()
        await world.call(token, "write", text="old")
        await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
        world.clock.advance(40 * DAY)
        evidence = world.services.evidence
        with refused("too-young", Malformed):
            await prune(world, 32)
        assert await prune(world, 36, exported=True) == 0
        assert await prune(world, 36, exported=False) > 0
        assert await evidence.exports.turn_of("siem") > 0
        world.clock.advance(2 * DAY)
        await evidence.log.checkpoint()
        await evidence.exports.turn_of("siem")
        key = evidence.log.verifier
        code, said = checked(sink.lines, key)
        assert code == 0, said
        bare = [one for one in sink.lines if '"pruned":true' in one]
        assert len(bare) > 3
        without = [one for one in sink.lines if '"event_code":"log.pruned"' not in one]
        assert checked(without, key)[0] == 1
        task, _ = await world.open()
        await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
        world.clock.advance(40 * DAY)
        await evidence.log.checkpoint()
        await evidence.exports.turn_of("siem")
        size = await evidence.log.size()
        await evidence.retention.turn()
        (last,) = await evidence.log.pages(start=size, limit=1)
        assert json.loads(last.leaf)["facts"]["exports"] == ["siem"]


async def test_nothing_is_pruned_where_nothing_is_exported(world: CallWorld) -> None:
    """Unless that is said."""
    with refused("not-exported", Malformed):
        await prune(world, exported=True)


async def test_a_monitor_that_begins_after_a_prune_follows_the_log(world: CallWorld) -> None:
    """A signed event accounts for each entry that is not served; one more that is missing is an alarm."""
    await prune(world)
    evidence = world.services.evidence
    head = await evidence.log.checkpoint()
    key = VerifierKey.parse(evidence.log.verifier)
    policy = TrustPolicy.parse(f"log {key}\nquorum none\n".encode())

    async def looked(drop: int = -1) -> MonitorMemory:
        turn = MonitorTurn(
            MonitorMemory(log=str(key)),
            head.note.encode(),
            policy=policy,
            log=key,
            now_s=int(world.clock.now().timestamp()),
            limits=MonitorLimits(),
        )
        for tile in turn.tiles():
            bundle = await evidence.tiles.tile(Tile(ENTRIES, tile.index, tile.width))
            if drop >= 0:
                entries = read_bundle(bundle, tile.width)
                entries[drop] = b""
                bundle = entry_bundle(entries)
            turn.take(tile, await evidence.tiles.tile(tile), bundle)
        return turn.remembered()

    assert (await looked()).size == head.size
    with refused("gap", VerificationFailed):
        await looked(head.size - 1)


class PrunedMeanwhile:
    """A log that is pruned after its checkpoint was read: gives its checkpoints in turn, the last one on."""

    def __init__(self, notes: list[bytes], tiles: dict[str, bytes]) -> None:
        self.notes = notes
        self.tiles = tiles

    def raw(self, *path: str, most: int) -> bytes:
        """Return a file of the log."""
        if path[-1] == "checkpoint":
            return self.notes.pop(0) if len(self.notes) > 1 else self.notes[0]
        return self.tiles[path[-1]]


async def test_a_prune_while_a_monitor_looks_is_no_alarm(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next checkpoint says that the events were pruned; where none does, it is an alarm all the same."""
    monkeypatch.setenv("XDG_STATE_HOME", str(world.folder / "elsewhere"))
    evidence = world.services.evidence
    before = await evidence.log.checkpoint()
    assert await prune(world)
    after = await evidence.log.checkpoint()
    tiles = {}
    for head in (before, after):
        for index in range((head.size - 1) // TILE_WIDTH + 1):
            width = min(TILE_WIDTH, head.size - index * TILE_WIDTH)
            for tile in (Tile(0, index, width), Tile(ENTRIES, index, width)):
                tiles[str(tile)] = await evidence.tiles.tile(tile)
    key = VerifierKey.parse(evidence.log.verifier)
    policy = TrustPolicy.parse(f"log {key}\nquorum none\n".encode())

    def looked(*notes: bytes) -> MonitorMemory:
        client: Json = PrunedMeanwhile(list(notes), tiles)
        now_s = int(world.clock.now().timestamp())
        watched = WatchedLog(client, policy, key, MonitorLimits())
        return watched.look(lambda: now_s, entries=True, pause=lambda _: None)

    with refused("gap", VerificationFailed):
        looked(before.note.encode())
    (alarm,) = (world.folder / "elsewhere").glob("**/*.alarm")
    alarm.unlink()
    assert looked(before.note.encode(), after.note.encode()).size == after.size
    assert not list((world.folder / "elsewhere").glob("**/*.alarm"))


async def test_what_a_restore_has_lost_and_that_a_person_was_forgotten_stays(tmp_path: Path) -> None:
    """Verifiers excuse a lost head, and a restore a missing key, by these events: none becomes a dead end."""
    async with call_world(tmp_path) as world:
        store = world.services.store
        root = (await store.root(TENANT))[1].hex()
        restored = LogRestored(
            backup="ab", made="", size=await store.size(TENANT), root=root, loss=Loss.UNKNOWN
        )
        accepted = LossAccepted(
            backup="ab", size=0, lost_size=0, administrators=2, start_codes=0, by="ana", second="ben"
        )
        for body in (restored, accepted, SubjectForgotten(by="ana")):
            event = Event.of(body, at=world.clock.now(), tenant=TENANT, subject="ana")
            await store.commit(Unit(events=(event, an_event())))
        world.clock.advance(40 * DAY)
        assert await prune(world) > 3
        kinds = {entry.kind for entry in await store.entries(TENANT, limit=100)}
        assert kinds > {EventKind.LOG_RESTORED, EventKind.LOSS_ACCEPTED, EventKind.SUBJECT_FORGOTTEN}
        report = verified(world, await lines_of(world))
        assert (report.faults, report.restores[0].accepted) == ((), True)


async def test_a_part_shows_no_pruned_events(world: CallWorld) -> None:
    """Only a whole export accounts for them."""
    await prune(world)
    lines = await lines_of(world)
    key = world.services.evidence.log.verifier
    header = header_line(
        world.services.evidence.log.origin,
        key,
        (await world.services.evidence.log.checkpoint()).size,
        "tsk_1",
    )
    pruned = next(line for line in lines if b'"pruned"' in line)
    report = verified(world, [header, pruned, event_line(9, b"{}", None, []), lines[-1]])
    assert "line-broken" in {one.code for one in report.faults}


async def test_a_prune_that_is_cut_off_leaves_a_log_that_holds(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice is one commit with its event; the next prune goes on."""
    monkeypatch.setattr(retention, "SLICE", 2)
    before = world.clock.now() - timedelta(days=30)
    cut = asyncio.ensure_future(world.services.evidence.retention.prune(before, by="ana", exported=False))
    while not await world.services.evidence.log.pages(limit=1, kinds=(EventKind.LOG_PRUNED,)):  # noqa: ASYNC110 - no event
        await asyncio.sleep(0)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    report = verified(world, await lines_of(world))
    assert report.holds
    assert 0 < report.absent < 5
    assert await prune(world) > 0
    assert verified(world, await lines_of(world)).absent > report.absent
    assert await audited(world) == "holds"


async def test_pruning_is_for_administrators(tmp_path: Path) -> None:
    """An auditor and an operator are refused; what an administrator prunes is on record under that name."""
    async with service_world(tmp_path) as world:
        order = {"before": "2020-01-01T00:00:00Z", "without_export": True, "reason": "old"}
        for name in ("audra", "lena"):
            refusal = await world.ask("POST", "/api/v1/events/prune", order, by=await world.session(name))
            assert refusal.status == 403
        done = await world.ask("POST", "/api/v1/events/prune", order, by=await world.session("root"))
        assert (done.status, done.json["pruned"]) == (200, 0)
        young = {**order, "before": world.clock.now().isoformat()}
        refusal = await world.ask("POST", "/api/v1/events/prune", young, by=await world.session("root"))
        assert (refusal.status, refusal.json["code"]) == (400, "too-young")
