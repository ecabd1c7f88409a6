# SPDX-License-Identifier: Apache-2.0
"""Verification fault by fault: each has its code, its event, and a sentence; nothing more is claimed."""

from typing import Any

import orjson
import pytest

from remit.core import sealing as seal
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.export import event_line, header_line
from remit.core.evidence.verification import MAX_FAULTS, ExportReport, SeenRoot, verify_export
from tests.samples.evidence_log import KEY, ORIGIN, WrittenLog, a_log, signer

Json = Any

PERMITTED = {"outcome": "permit"}


def codes(report: ExportReport) -> list[tuple[int, str]]:
    """Return what was found; each fault is a sentence."""
    for fault in report.faults:
        assert len(fault.text) > 20
        assert "None" not in fault.text
    assert report.holds is not bool(report.faults)
    return [(fault.index, fault.code) for fault in report.faults]


def test_a_log_that_holds_is_described() -> None:
    """Its size, its root, what is in it, and from when to when: by the times, and not by their order."""
    log = WrittenLog()
    log.add(EventKind.TASK_OPENED, at_s=5, writer="a")
    log.add(EventKind.TASK_OPENED, at_s=2, writer="b")
    log.add(EventKind.TASK_ENDED, at_s=9, writer="a")
    log.add(EventKind.TASK_ENDED, at_s=7, writer="b")
    report = verify_export(log.export(), KEY)
    assert codes(report) == []
    assert (report.origin, report.task, report.size, report.events, report.opened) == (ORIGIN, "", 4, 4, 0)
    assert report.root == log.tree().root().hex()
    assert report.kinds == {EventKind.TASK_ENDED.value: 2, EventKind.TASK_OPENED.value: 2}
    assert list(report.kinds) == sorted(report.kinds)
    assert (report.first[17:19], report.last[17:19]) == ("02", "09")
    assert report.complete
    assert report.successor == ""
    assert report.closure is None


@pytest.mark.parametrize(
    ("lies", "found"),
    [
        ({"prev": "0" * 64}, [(2, "chain-broken"), (4, "chain-broken")][:1]),
        ({"seq": 7}, [(2, "chain-broken"), (4, "chain-broken")]),
        ({"seq": 0}, [(2, "chain-broken"), (4, "chain-broken")]),
    ],
)
def test_an_event_that_does_not_follow_its_writers_last_breaks_the_chain(
    lies: dict[str, Json], found: list[tuple[int, str]]
) -> None:
    """By its number or by the hash before it; the next one is held against what it says itself."""
    log = WrittenLog()
    for number in range(2):
        log.add(writer=f"w{number}")
    log.add(writer="w0", **lies)
    log.add(writer="w1")
    log.add(writer="w0")
    report = verify_export(log.export(), KEY)
    assert codes(report) == found
    assert "event 0 of the same writer" in report.faults[0].text
    assert not report.complete


def test_a_writers_first_event_has_nothing_before_it() -> None:
    """One that says so was cut off from the others."""
    log = WrittenLog()
    log.add(prev="0" * 64)
    report = verify_export(log.export(), KEY)
    assert codes(report) == [(0, "chain-broken")]
    assert "an earlier event" in report.faults[0].text


def test_an_event_that_does_not_follow_its_tasks_last_breaks_the_chain() -> None:
    """In a whole export and in that of the task alike."""
    log = WrittenLog()
    log.add(task="tsk_1")
    log.add(task="tsk_2")
    log.add(task="tsk_1", task_prev="0" * 64)
    log.add(task="tsk_1")
    report = verify_export(log.export(), KEY)
    assert codes(report) == [(2, "task-chain-broken")]
    assert "event 0 of task `tsk_1`" in report.faults[0].text
    assert codes(verify_export(log.export([0, 2, 3], task="tsk_1"), KEY)) == [(2, "task-chain-broken")]
    # One left out breaks it, too.
    assert codes(verify_export(log.export([0, 3], task="tsk_1"), KEY)) == [(3, "task-chain-broken")]


def test_a_part_holds_only_what_is_of_its_task_in_order_and_in_the_log() -> None:
    """A stranger's event, one that stands twice or before another, and one that is not in the log."""
    log = a_log(7)
    part = [0, 3, 6]
    lines = log.export(part, task="tsk_1")
    report = verify_export(lines, KEY)
    assert codes(report) == []
    assert not report.complete
    assert (report.task, report.size, report.events) == ("tsk_1", 7, 3)
    assert codes(verify_export(log.export([0, 1, 3, 6], task="tsk_1"), KEY)) == [(1, "foreign-task")]
    twice = verify_export([*lines[:2], *lines[1:]], KEY)
    assert (0, "out-of-order") in codes(twice)
    moved = verify_export([lines[0], lines[2], lines[1], *lines[3:]], KEY)
    assert (0, "out-of-order") in codes(moved)
    other = WrittenLog()
    other.add(task="tsk_1", facts={"another": 1})
    forged = event_line(0, other.leaves[0], None, [])
    assert (0, "not-included") in codes(verify_export([lines[0], forged, *lines[2:]], KEY))


def test_a_part_has_paths_and_a_whole_has_none() -> None:
    """A line of the other kind cannot be read."""
    log = a_log()
    whole, part = log.export(), log.export([0, 3], task="tsk_1")
    mixed = [whole[0], part[1], *whole[2:]]
    assert codes(verify_export(mixed, KEY))[0] == (-1, "line-broken")
    assert codes(verify_export([part[0], whole[1], *part[2:]], KEY))[0] == (-1, "line-broken")
    report = verify_export([*whole[:3], whole[-1], whole[3]], KEY)
    assert (-1, "line-broken") in codes(report)
    assert "line 5 " in report.faults[0].text


@pytest.mark.parametrize("size", [255, 256, 257, 600])
def test_what_was_seen_before_is_the_beginning_at_any_size(size: int) -> None:
    """Within, at and beyond what is put into the tree together."""
    log = a_log(size)
    lines = log.export()
    for before in {1, 2, 255, 256, 257, size - 1, size} & set(range(size + 1)):
        assert codes(verify_export(lines, KEY, seen=log.seen(before))) == [], before
        other = verify_export(lines, KEY, seen=SeenRoot(before, bytes(32)))
        assert codes(other) == [(-1, "rewritten")], before
        assert not other.complete
    assert codes(verify_export(lines, KEY, seen=SeenRoot(size + 1, bytes(32)))) == [(-1, "rolled-back")]
    assert codes(verify_export(lines, KEY, at_least=size)) == []
    assert codes(verify_export(lines, KEY, at_least=size + 1)) == [(-1, "rolled-back")]
    both = verify_export(lines, KEY, at_least=size + 1, seen=log.seen(1))
    assert codes(both) == [(-1, "rolled-back")]


def test_of_a_part_nothing_is_held_against_a_beginning() -> None:
    """It does not have the leaves; only its size counts."""
    log = a_log()
    lines = log.export([0, 3], task="tsk_1")
    assert codes(verify_export(lines, KEY, seen=SeenRoot(2, bytes(32)))) == []
    assert codes(verify_export(lines, KEY, seen=SeenRoot(6, bytes(32)))) == [(-1, "rolled-back")]


@pytest.mark.parametrize("dropped", [1, 2])
def test_events_that_are_missing_at_the_end_are_named(dropped: int) -> None:
    """One, or several from the first on."""
    log = a_log()
    lines = log.export()
    report = verify_export([*lines[: -1 - dropped], lines[-1]], KEY)
    assert codes(report) == [(5 - dropped, "events-missing")]
    assert ("event 4 is missing" if dropped == 1 else "events 3 to 4 are missing") in report.faults[0].text
    assert (report.events, report.size, report.complete) == (5 - dropped, 5, False)


def test_events_after_the_checkpoint_are_not_signed() -> None:
    """A checkpoint of an earlier moment covers what was there then."""
    log = a_log()
    earlier = log.export()[-1]
    log.add()
    log.add()
    report = verify_export([*log.export(size=5)[:-1], earlier], KEY)
    assert codes(report) == [(5, "events-unsigned")]
    assert report.faults[0].text.startswith("2 events")


def test_the_last_event_of_a_writer_is_where_to_look_first() -> None:
    """Nothing after it holds it, so only the root tells."""
    log = a_log(4)
    lines = log.export()
    changed = [line.replace(b'\\"facts\\":{}', b'\\"facts\\":{\\"x\\":1}') for line in lines[-2:-1]]
    report = verify_export([*lines[:-2], *changed, lines[-1]], KEY)
    assert codes(report) == [(-1, "root-mismatch")]
    assert report.faults[0].text.endswith("check first event 2 and 3")


def test_an_earlier_event_that_changed_is_found_where_it_is() -> None:
    """By the one after it; the root then adds nothing to look at."""
    log = a_log(4)
    lines = log.export()
    changed = lines[1].replace(b'\\"facts\\":{}', b'\\"facts\\":{\\"x\\":1}')
    report = verify_export([lines[0], changed, *lines[2:]], KEY)
    assert codes(report) == [(2, "chain-broken"), (3, "task-chain-broken"), (-1, "root-mismatch")]
    assert "check first" not in report.faults[-1].text


def test_an_event_out_of_its_place_is_named_with_the_place() -> None:
    """In a whole export each event stands at its index."""
    log = a_log(4)
    lines = log.export()
    report = verify_export([lines[0], lines[1], lines[3], lines[2], *lines[4:]], KEY)
    found = codes(report)
    assert found[0] == (2, "out-of-order")
    assert "line 3 contains event 2, but event 1 is expected" in report.faults[0].text
    assert (1, "out-of-order") in found


@pytest.mark.parametrize("count", [MAX_FAULTS - 1, MAX_FAULTS, MAX_FAULTS + 5])
def test_no_more_faults_are_told_than_the_bound(count: int) -> None:
    """After the first ones the rest follows from them; the key's own stands before all."""
    log = WrittenLog()
    for _ in range(count):
        log.add(prev="1" * 64)
    lines = log.export()
    assert len(codes(verify_export(lines, KEY))) == min(count, MAX_FAULTS)
    other, _ = signer(2)
    head = header_line(ORIGIN, str(other), count)
    found = codes(verify_export([head, *lines[1:]], KEY))
    assert found[0] == (-1, "other-key")
    assert len(found) == min(count + 1, MAX_FAULTS)


def rotated(log: WrittenLog, old: VerifierKey, new: VerifierKey, kind: str = "checkpoint") -> None:
    """Write that a key gave way to another."""
    log.add(EventKind.KEY_ROTATED, facts={"kind": kind, "previous": str(old), "key": str(new)})


def test_a_log_says_which_key_came_after() -> None:
    """The newest one; what other kinds of keys did is nothing to it, and a circle ends."""
    second, third = signer(2)[0], signer(3)[0]
    log = a_log()
    rotated(log, KEY, second)
    rotated(log, second, third)
    rotated(log, third, KEY)
    lines = log.export()
    report = verify_export(lines, KEY)
    assert codes(report) == []
    assert report.successor == str(third)
    # The export may name the newer key, and still hold by the older one that signed it.
    head = header_line(ORIGIN, str(third), len(log.leaves))
    assert codes(verify_export([head, *lines[1:]], KEY)) == []
    # Where something does not hold, nothing is said of a key.
    broken = verify_export([*lines[:-2], lines[-1]], KEY)
    assert broken.faults
    assert broken.successor == ""
    other = a_log()
    rotated(other, KEY, second, kind="token")
    assert verify_export(other.export(), KEY).successor == ""


def test_a_checkpoint_must_be_there_signed_and_of_this_log() -> None:
    """Each by its code."""
    log = a_log()
    lines = log.export()
    cut = verify_export(lines[:-1], KEY)
    assert codes(cut) == [(-1, "no-checkpoint")]
    assert (cut.size, cut.root) == (0, "")
    forged = log.export(key=signer(2))
    report = verify_export(forged, KEY)
    assert [code for _, code in codes(report)] == ["other-key", "signature-missing"]
    assert (report.size, report.root) == (0, "")
    assert codes(verify_export(log.export(size=6), KEY)) == [(-1, "size-mismatch")]
    head = header_line("else.example/log", str(KEY), 5)
    assert codes(verify_export([head, *lines[1:]], KEY)) == [(-1, "origin-mismatch")]


def test_a_value_that_is_opened_must_be_the_one_that_was_sealed() -> None:
    """Each is counted; one that changed is named with its event."""
    salt = bytes(range(seal.SALT_SIZE))
    commitments, good = seal.conceal({"path": "a"}, [salt])
    bad = {"path": [good["path"][0], "b"]}
    log = WrittenLog()
    log.add(opened=good, sealed=commitments)
    log.add(sealed=commitments)
    report = verify_export(log.export(), KEY)
    assert codes(report) == []
    assert report.opened == 1
    log.openings[1] = bad
    changed = verify_export(log.export(), KEY)
    assert codes(changed) == [(1, "value-changed")]
    assert "event 1" in changed.faults[0].text
    assert changed.opened == 1
    log.openings[1] = {"path": []}
    assert codes(verify_export(log.export(), KEY)) == [(1, "value-changed")]


def test_a_call_is_unfinished_until_its_outcome_is_known() -> None:
    """Permitted, or let through while only watched; a refusal needs no outcome, an unknown one is none."""
    log = WrittenLog()
    decided, called = EventKind.DECISION_MADE, EventKind.TOOL_CALLED
    log.add(decided, call="d1", facts=PERMITTED)
    log.add(decided, call="d2", facts={"outcome": "deny"})
    log.add(decided, call="d3", facts={"outcome": "deny", "observed": True})
    log.add(decided, call="d4", facts={"outcome": "deny", "observed": 1})
    log.add(decided, call="d5", facts=PERMITTED)
    log.add(called, call="d5", facts={"outcome": "ok"})
    log.add(decided, call="d6", facts=PERMITTED)
    log.add(called, call="d6", facts={"outcome": "unknown"})
    log.add(decided, facts=PERMITTED)
    log.add(called, call="d7", facts={"outcome": "ok"})
    log.add(EventKind.TASK_OPENED, call="d8", facts=PERMITTED)
    report = verify_export(log.export(), KEY)
    assert codes(report) == []
    assert report.unfinished == ("d1", "d3", "d6")


def test_a_leaf_that_is_no_record_is_named_and_the_rest_is_read() -> None:
    """An unreadable leaf is in the tree all the same."""
    log = a_log(3)
    log.leaves.append(b"{}")
    log.openings.append(None)
    report = verify_export(log.export(), KEY)
    assert codes(report) == [(3, "not-an-event")]
    assert report.events == 4
    assert sum(report.kinds.values()) == 3


def test_what_is_no_export_has_one_fault() -> None:
    """And says nothing else."""
    for lines in ([], [b"x\n"], [header_line(ORIGIN, str(KEY), 0).replace(b":1,", b":2,")]):
        report = verify_export(lines, KEY)
        assert codes(report) == [(-1, "not-an-export")]
        assert (report.origin, report.size, report.root, report.events) == ("", 0, "", 0)


@pytest.mark.parametrize("old", [b"==", b"A", b""])
def test_a_path_that_is_no_base64_proves_nothing(old: bytes) -> None:
    """In the only spelling that it has."""
    log = a_log()
    line = orjson.loads(log.export([3], task="tsk_1")[1])
    line["path"][0] = line["path"][0].rstrip("=") + old.decode() * (old != b"")
    raw = orjson.dumps(line) + b"\n"
    lines = log.export([3], task="tsk_1")
    assert (3, "not-included") in codes(verify_export([lines[0], raw, lines[-1]], KEY))


def test_a_receipt_is_about_its_closure_and_the_leases_that_it_lists() -> None:
    """A closure that is not there is missed, and a lease of another one is a stranger."""
    log = WrittenLog()
    closing = ["lease", "crm", 10, 5, 1, "lse_1"]
    facts = {
        "closure": "clo_1",
        "scope": "task:tsk_1",
        "fence_us": 100,
        "tasks": 1,
        "closings": [closing],
        "indeterminate": [],
    }
    log.add(EventKind.CLOSURE_MADE, facts=facts)
    log.add(EventKind.LEASE_DEAD, facts={"lease": "lse_1", "after_us": 7, "attempts": 1})
    for number in range(2, 6):
        log.add(EventKind.LEASE_DEAD, facts={"lease": f"lse_{number}", "after_us": 7, "attempts": 1})
    report = verify_export(log.export([0, 1], closure="clo_1"), KEY)
    assert codes(report) == []
    assert report.closure is not None
    assert report.closure.id == "clo_1"
    strangers = verify_export(log.export([0, 1, 2, 3, 4, 5], closure="clo_1"), KEY)
    assert codes(strangers) == [(-1, "foreign-lease")] * 3
    assert [f"`lse_{n}`" in fault.text for n, fault in enumerate(strangers.faults, 2)] == [True] * 3
    missing = verify_export(log.export([1], closure="clo_1"), KEY)
    assert codes(missing) == [(-1, "no-closure"), (-1, "foreign-lease")]
    assert missing.closure is None


def test_a_line_with_two_readings_is_told_by_its_number() -> None:
    """A member that stands twice, or a space that no encoder writes."""
    lines = a_log().export()
    for changed in (lines[2].replace(b'"index":', b'"index": '), lines[2].replace(b"{", b'{"index":0,', 1)):
        report = verify_export([*lines[:2], changed, *lines[3:]], KEY)
        assert codes(report)[0] == (-1, "line-ambiguous")
        assert "line 3 " in report.faults[0].text
