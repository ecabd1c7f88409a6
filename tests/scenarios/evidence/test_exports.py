# SPDX-License-Identifier: Apache-2.0
"""A continuous export loses nothing, and a reader who has only its lines sees what was done to them."""

from __future__ import annotations

import json
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from remit.adapters.evidence_sinks.file import FileSink
from remit.adapters.evidence_sinks.http import HttpsSink, OtlpSink
from remit.adapters.evidence_sinks.syslog import SyslogSink
from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.core.decisions.decision import Outcome
from remit.core.errors import SourceUnavailable
from remit.core.evidence.event import EventKind
from remit.core.evidence.ocsf import ExportLine
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.services.evidence.exports import ExportTarget
from tests.samples.exported_lines import checked, indexes, lines_of, put_aside
from tests.servers.log_receivers import LogReceiver, http_receiver, syslog_receiver
from tests.servers.tls_server import tls_context
from tests.worlds.attestation import of_now
from tests.worlds.calls import CallWorld, call_world, lock

Json = Any


class Sink:
    """Keeps the lines; fails while `down`, before or after it has taken a batch."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.batches = 0
        self.down = False
        self.lost_answers = 0

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Take a batch, or not."""
        if self.down:
            raise SourceUnavailable("it is down")
        self.batches += 1
        self.lines += [one.text.decode() for one in lines]
        if self.lost_answers:
            self.lost_answers -= 1
            raise SourceUnavailable("the answer was lost")


@asynccontextmanager
async def exporting(folder: Path, sink: Any, seed: str = "house", **how: Json) -> AsyncIterator[CallWorld]:
    """Provide a desk whose evidence goes to a sink."""
    given: Json = {"people": True} | how
    target = ExportTarget(name="siem", sink=sink, **given)
    again = (folder / "remit.db").exists()
    outfit: Json = {"exports": {"siem": target}, "version": "0.1"}
    async with call_world(folder, seed=seed, settle=not again, **outfit) as made:
        if again:
            await made.reopen()
        yield made


def inside(folder: Path, name: str) -> Path:
    """Return a new folder inside another one."""
    made = folder / name
    made.mkdir()
    return made


async def exported(world: CallWorld) -> int:
    """Sign the log and export once."""
    await world.services.evidence.log.checkpoint()
    return await world.services.evidence.exports.turn_of("siem")


@pytest.fixture
async def story(tmp_path: Path) -> tuple[list[str], str]:
    """The lines of an export in three parts, each with its checkpoint, and the log's key."""
    sink = Sink()
    async with exporting(tmp_path, sink) as world:
        for number in range(3):
            _, token = await world.open()
            await world.call(token, "write", text=f"line {number}")
            await world.facts(EventKind.TOOL_CALLED)  # written after the answer
            await exported(world)
        return sink.lines, world.services.evidence.log.verifier


async def test_every_event_goes_out_once_and_holds(story: tuple[list[str], str]) -> None:
    """From the first one on, with the person and the agent of each."""
    lines, key = story
    events = indexes(lines)
    assert events == list(range(len(events)))
    assert checked(lines, key) == (
        0,
        f"{len(events)} events hold, 0 follow the last checkpoint, 0 lines came again",
    )
    told = [json.loads(one) for one in lines]
    calls = [one for one in told if one["metadata"]["event_code"] == "tool.called"]
    assert len(calls) == 3
    for one in calls:
        assert one["actor"]["app_name"] == "clerk"
        assert one["actor"]["user"]["name"] == "lena"


def _changed(line: str, change: Callable[[Json], object]) -> str:
    event = json.loads(line)
    change(event)
    return json.dumps(event)


def _without_leaf(event: Json) -> None:
    del event["unmapped"]["leaf"]
    event["unmapped"]["leaf_hash"] = "ab" * 32


TAMPERED: dict[str, Callable[[list[str], int], list[str]]] = {
    "an event is missing": lambda lines, at: lines[:at] + lines[at + 1 :],
    "the first event is missing": lambda lines, _: lines[1:],
    "two events change places": lambda lines, at: [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    "the text of a leaf": lambda lines, at: _edited(
        lines, at, lambda one: one["unmapped"].update(leaf=one["unmapped"]["leaf"].replace("20", "21"))
    ),
    "a hash without its leaf": lambda lines, at: _edited(lines, at, _without_leaf),
    "a fact beside the leaf": lambda lines, at: _edited(
        lines, at, lambda one: one["unmapped"]["facts"].update(tool="desk/other")
    ),
    "the kind beside the leaf": lambda lines, at: _edited(
        lines, at, lambda one: one["metadata"].update(event_code="data.read")
    ),
    "an index": lambda lines, at: _edited(lines, at, lambda one: one["unmapped"].update(index=10_000)),
    "a changed repetition": lambda lines, at: [
        *lines,
        _changed(lines[at], _without_leaf),
    ],
    "a checkpoint of another size": lambda lines, _: _edited(
        lines,
        len(lines) - 1,
        lambda one: one["unmapped"].update(index=one["unmapped"]["index"] - 1),
    ),
    "a forged checkpoint": lambda lines, _: _edited(
        lines,
        len(lines) - 1,
        lambda one: one["unmapped"].update(checkpoint=one["unmapped"]["checkpoint"].replace("\n\n", "x\n\n")),
    ),
}


def _edited(lines: list[str], at: int, change: Callable[[Json], object]) -> list[str]:
    return [*lines[:at], _changed(lines[at], change), *lines[at + 1 :]]


@pytest.mark.parametrize("how", TAMPERED)
async def test_the_checker_sees_what_was_changed(story: tuple[list[str], str], how: str) -> None:
    """From the lines alone."""
    lines, key = story
    at = next(
        number
        for number, one in enumerate(lines)
        if json.loads(one)["metadata"]["event_code"] == "tool.called"
    )
    assert TAMPERED[how](list(lines), at) != lines
    assert checked(TAMPERED[how](list(lines), at), key)[0] == 1


async def test_a_key_of_another_log_proves_nothing(story: tuple[list[str], str], tmp_path: Path) -> None:
    """Although the lines are whole."""
    lines, _ = story
    async with exporting(inside(tmp_path, "other"), Sink()) as world:
        assert checked(lines, world.services.evidence.log.verifier)[0] == 1


async def test_repetitions_are_counted_and_harmless(story: tuple[list[str], str]) -> None:
    """And events after the last checkpoint are said to be unproven."""
    lines, key = story
    code, said = checked([*lines[:9], *lines[4:]], key)
    assert (code, said.rpartition(", ")[2]) == (0, f"{len(indexes(lines[4:9]))} lines came again")
    code, said = checked(lines[:-1], key)
    assert code == 0
    assert " 0 follow" not in said


async def test_the_check_may_begin_at_any_checkpoint(story: tuple[list[str], str]) -> None:
    """As after a SIEM has deleted what is old."""
    lines, key = story
    whole = len(indexes(lines))
    starts = [at for at, one in enumerate(lines) if "checkpoint" in json.loads(one)["unmapped"]]
    assert len(starts) == 3
    for start in starts:
        assert checked(lines[start:], key)[1].startswith(f"{whole} events hold")
        if start != starts[-1]:
            assert checked([lines[start], *lines[start + 2 :]], key)[0] == 1


async def test_a_day_without_the_sink_loses_nothing(tmp_path: Path) -> None:
    """Calls go on, the lag is a finding, and everything arrives in order once the sink is back."""
    sink = Sink()
    sink.down = True
    async with exporting(tmp_path, sink) as world:
        exports, findings = world.services.evidence.exports, world.services.findings.findings
        for _ in range(24):
            _, token = await world.open()
            assert await world.outcome(token, "write", text="on") is Outcome.PERMIT
            await exported(world)
            world.clock.advance(3600)
        assert list(exports.failing) == ["siem"]
        assert exports.lags["siem"].events > 100
        (late,) = await findings.about(state=FindingState.OPEN, kinds=(FindingKind.EXPORT_LATE,))
        assert late.facts == {"export": "siem", "why": "it is down"}
        sink.down = False
        while await exported(world):
            pass
        world.clock.advance(60)
        await exported(world)
        assert not await findings.about(state=FindingState.OPEN, kinds=(FindingKind.EXPORT_LATE,))
        await exported(world)
        events = indexes(sink.lines)
        assert events == list(range(await world.services.evidence.log.size()))
        assert checked(sink.lines, world.services.evidence.log.verifier)[0] == 0


async def test_a_restart_continues_and_a_lost_answer_repeats(tmp_path: Path) -> None:
    """So each event arrives at least once, and the lines still hold."""
    sink, size, key = Sink(), 0, ""
    for run in range(3):
        async with exporting(tmp_path, sink, seed=f"run {run}") as world:
            await lock(world, f"person-{run}")
            sink.lost_answers = 1
            await exported(world)
            world.clock.advance(5)
            if run:  # the first run ends before it could send again
                await exported(world)
            size = await world.services.evidence.log.size()
            key = world.services.evidence.log.verifier
    assert sorted(set(indexes(sink.lines))) == list(range(size))
    assert len(indexes(sink.lines)) > size
    code, said = checked(sink.lines, key)
    assert code == 0
    assert not said.endswith(" 0 lines came again")


async def test_what_is_sealed_stays_here_unless_it_is_named(tmp_path: Path) -> None:
    """The person who acted is named where people are."""
    secret, named = "c-42 in full", cast("Json", {"values": frozenset({"arguments"})})
    for number, (how, told) in enumerate([({"people": False}, (False, False)), (named, (True, True))]):
        sink = Sink()
        async with exporting(inside(tmp_path, str(number)), sink, **how) as world:
            _, token = await world.open()
            await world.call(token, "write", text=secret)
            await exported(world)
        text = "\n".join(sink.lines)
        people = {json.loads(one).get("actor", {}).get("user", {}).get("name") for one in sink.lines}
        assert (secret in text, "lena" in people) == told
        assert "openings" in text or not told[0]


async def test_a_changed_row_goes_out_and_the_checkpoint_tells(tmp_path: Path) -> None:
    """The export follows the store, the signature does not."""
    sink = Sink()
    async with exporting(tmp_path, sink) as world:
        task, token = await world.open()
        await world.call(token, "write", text="x")
        await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
        await world.services.evidence.log.checkpoint()
        key = world.services.evidence.log.verifier
    with sqlite3.connect(tmp_path / "remit.db") as file:
        (leaf,) = file.execute("select leaf from events where kind = 'decision.made'").fetchone()
        changed = bytes(leaf).replace(b"desk/write", b"desk/wrote")
        file.execute("update events set leaf = ? where kind = 'decision.made'", (changed,))
    async with exporting(tmp_path, sink, seed="again") as world:
        await exported(world)
    assert "desk/wrote" in "\n".join(sink.lines)
    assert checked(sink.lines, key)[0] == 1


def over_http(receiver: LogReceiver) -> HttpsSink:
    """Return the sink of lines."""
    url = f"http://127.0.0.1:{receiver.port}/lines"
    return HttpsSink(url, lambda: {"Authorization": "Bearer held"}, deliver=GuardedFetch(plain_loopback=True))


def over_otlp(receiver: LogReceiver) -> OtlpSink:
    """Return the sink of OTLP logs."""
    url = f"http://127.0.0.1:{receiver.port}/v1/logs"
    return OtlpSink(url, lambda: {"Authorization": "Bearer held"}, deliver=GuardedFetch(plain_loopback=True))


@pytest.mark.parametrize("kind", [over_http, over_otlp])
async def test_lines_arrive_over_http_and_refusals_are_repeated(
    tmp_path: Path, kind: Callable[[LogReceiver], HttpsSink | OtlpSink]
) -> None:
    """With the header; nothing is skipped, whatever the receiver answers."""
    async with http_receiver() as receiver, exporting(tmp_path, kind(receiver)) as world:
        await lock(world, "lena")
        receiver.answers = [(500, b""), (400, b""), (413, b"")]
        if kind is over_otlp:
            receiver.answers += [(200, b'{"partialSuccess":{"rejectedLogRecords":"1"}}'), (200, b"[")]
        for _ in range(len(receiver.answers)):
            assert await exported(world) == 0
            world.clock.advance(61)
        assert await exported(world)
        assert checked(receiver.lines, world.services.evidence.log.verifier)[0] == 0
        assert indexes(receiver.lines) == list(range(await world.services.evidence.log.size()))
        assert set(receiver.authorizations) == {"Bearer held"}


async def test_lines_arrive_by_syslog(tmp_path: Path) -> None:
    """With counted octets; a receiver that breaks off has not taken the batch."""
    async with syslog_receiver() as receiver:
        sink = SyslogSink("127.0.0.1", receiver.port, tls=None, timeout_s=5, hostname="here")
        async with exporting(tmp_path, sink) as world:
            receiver.down = True
            assert await exported(world) == 0
            world.clock.advance(61)
            receiver.down = False
            assert await exported(world)
            assert checked(receiver.lines, world.services.evidence.log.verifier)[0] == 0
            assert len(receiver.heads) == len(receiver.lines)
            head = next(one for one in receiver.heads if "person.added" in one)
            assert head.startswith("<110>1 2026-")
            assert head.split(" ")[2:4] == ["here", "remit"]


async def test_lines_arrive_by_syslog_over_tls(tmp_path: Path) -> None:
    """From a receiver whose certificate the given authority has issued, and to no other one."""
    authority, other = of_now("siem.example"), of_now("else.example")
    tls = tls_context(*authority.svid_and_key(dns=("localhost",)))
    async with syslog_receiver(tls) as receiver:
        trusts = {"context": ssl.create_default_context(cadata=other.pem.decode())}
        sink = SyslogSink("localhost", receiver.port, tls=lambda: trusts["context"], timeout_s=5)
        async with exporting(tmp_path, sink) as world:
            assert await exported(world) == 0
            assert receiver.lines == []
            trusts["context"] = ssl.create_default_context(cadata=authority.pem.decode())
            world.clock.advance(61)
            receiver.down = True
            assert await exported(world) == 0
            receiver.down = False
            world.clock.advance(61)
            assert await exported(world)
            assert checked(receiver.lines, world.services.evidence.log.verifier)[0] == 0


async def test_a_file_is_put_aside_and_a_torn_line_is_mended(tmp_path: Path) -> None:
    """As after a crash in the middle of a write; all files together hold."""
    path = tmp_path / "audit.jsonl"
    async with exporting(tmp_path, FileSink(path, rotate=20_000, fsync=True)) as world:
        for number in range(4):
            if number == 2:
                with path.open("ab") as opened:
                    opened.write(b'{"unmapped":{"ind')
            _, token = await world.open()
            await world.call(token, "write", text="x")
            await exported(world)
        key = world.services.evidence.log.verifier
    assert put_aside(path)
    assert all(one.stat().st_mode & 0o077 == 0 for one in put_aside(path))
    lines = lines_of(path)
    assert checked(lines, key)[0] == 0
    assert indexes(lines) == list(range(len(indexes(lines))))


async def test_a_full_disk_leaves_no_half_batch(tmp_path: Path) -> None:
    """And the batch comes again."""
    sink = FileSink(tmp_path / "no-folder" / "audit.jsonl", rotate=10**6, fsync=True)
    async with exporting(tmp_path, sink) as world:
        assert await exported(world) == 0
        assert "cannot be written" in world.services.evidence.exports.failing["siem"]
        (tmp_path / "no-folder").mkdir()
        world.clock.advance(timedelta(minutes=2).total_seconds())
        assert await exported(world)
