# SPDX-License-Identifier: Apache-2.0
"""Threat: what a scan reads was made to stop it, mislead it, or make it tell a secret.

Real files, processes and a real memory; the reader and the detector do what hostile files make real ones do.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from remit.adapters.discovery.examiner import ProcessExaminer
from remit.adapters.discovery.file_owners import CodeOwners
from remit.adapters.discovery.file_tree import OsFileTree
from remit.adapters.discovery.scan_memory import SqliteScanMemory
from remit.adapters.runtime.system import SystemClock
from remit.core.discovery.discovered import Discovered
from remit.core.discovery.judging import SeenThings
from remit.core.discovery.scan import ScanReport, SkipReason, Standing
from remit.core.findings.kinds import FindingKind
from remit.ports.discovery.scans import ScanBounds
from remit.services.discovery.scans import DiscoveryScans, ScanProgress, ScanRequest
from tests.samples import scan_examination as made
from tests.samples.scan_examination import EXAMINATION, KEY


def judge(seen: SeenThings) -> list[Discovered]:
    """Return a finding for each secret, and for each server."""
    exposed = [
        Discovered(
            kind=FindingKind.SECRET_EXPOSED,
            about=f"credential:{one.fingerprint}",
            which=one.place.file,
            says=f"A secret ....{one.tail} stands in a file.",
            places=(one.place,),
        )
        for one in seen.secrets
    ]
    return exposed + [
        Discovered(
            kind=FindingKind.UNGOVERNED_SERVER,
            about=f"server:{one.name}",
            which=one.place.file,
            says=" ".join(one.arguments),
            places=(one.place,),
        )
        for one in seen.servers
    ]


class Scans:
    """Scans one tree again and again, with one memory."""

    def __init__(self, tmp_path: Path) -> None:
        self.tree, self.state = tmp_path / "tree", tmp_path / "scans.db"
        self.tree.mkdir()
        self.bounds = ScanBounds(stall_s=1.0)
        self.judges: dict[str, Any] = {"all": judge}

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file of the tree."""
        place = self.tree / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return place

    def __call__(self, progress: Callable[[ScanProgress], None] | None = None, **more: Any) -> ScanReport:
        """Scan the tree once, as a new process would."""
        memory = SqliteScanMemory(self.state, "edition")
        try:
            service = DiscoveryScans(
                tree=OsFileTree(),
                examiner=ProcessExaminer(KEY, EXAMINATION, processes=2),
                memory=memory,
                owners=CodeOwners(),
                clock=SystemClock(),
                detectors=EXAMINATION.detectors(KEY),
                judges=self.judges,
            )
            root = str(self.tree)
            request = ScanRequest(base=root, roots=(root,), scope=root, bounds=self.bounds, **more)
            return service.scan(request, progress)
        finally:
            memory.close()


@pytest.fixture
def scans(tmp_path: Path) -> Scans:
    """Return scans of an empty tree."""
    return Scans(tmp_path)


def skipped(report: ScanReport) -> dict[str, SkipReason]:
    """Return what was not read."""
    return {one.file: one.why for one in report.skipped}


def says(report: ScanReport) -> list[str]:
    """Return what was found, in words."""
    return sorted(one.finding.says for one in report.found)


def test_a_file_that_kills_its_process_costs_that_file_alone(scans: Scans) -> None:
    """Each other file, before and after it in the same batch, is read."""
    for number in range(20):
        scans.write(f"f{number:02}.txt", f"demo-{number:08}")
    scans.write("f07x.txt", made.DIES)
    scans.write("f13x.txt", made.DIES)
    report = scans()
    assert report.counts.files == 20
    assert skipped(report) == {"f07x.txt": SkipReason.BROKEN, "f13x.txt": SkipReason.BROKEN}
    assert len(report.found) == 20
    assert not report.complete


def test_a_file_that_stalls_its_process_costs_that_file_alone(scans: Scans) -> None:
    """The process is ended after a moment, and another one reads on."""
    scans.write("a.txt", "demo-aaaaaaaa")
    scans.write("b.txt", made.HANGS)
    scans.write("c.txt", "demo-cccccccc")
    report = scans()
    assert skipped(report) == {"b.txt": SkipReason.SLOW}
    assert says(report) == ["A secret ....aaaa stands in a file.", "A secret ....cccc stands in a file."]


def test_a_file_that_needs_more_memory_than_there_is_is_left_out(scans: Scans) -> None:
    """The process goes on with the next file."""
    scans.write("a.txt", made.EATS)
    scans.write("b.txt", "demo-bbbbbbbb")
    report = scans()
    assert skipped(report) == {"a.txt": SkipReason.LARGE}
    assert len(report.found) == 1


def test_a_fault_of_a_reader_tells_nothing_of_the_file(
    scans: Scans, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the report nor a stream of any process shows the text that the exception held."""
    scans.write("a.txt", made.RAISES + b" demo-topsecret")
    report = scans()
    assert skipped(report) == {"a.txt": SkipReason.FAULTY}
    streams = capfd.readouterr()
    assert "topsecret" not in streams.out + streams.err
    assert "topsecret" not in repr(report)


def test_no_process_stays_behind(scans: Scans) -> None:
    """Processes that read, those that were ended and those that were not, are gone after the scan."""
    scans.write("a.txt", made.HANGS)
    scans.write("b.txt", made.DIES)
    scans()
    # A zombie of another test has no command line.
    alive = [
        one
        for one in psutil.Process().children(recursive=True)
        if one.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(one.cmdline())
    ]
    assert alive == []


def test_devices_pipes_sockets_and_links_are_not_opened(scans: Scans) -> None:
    """A pipe without a writer would wait for ever, and a loop of links would never end."""
    os.mkfifo(scans.tree / "pipe")
    (scans.tree / "loop").symlink_to(scans.tree)
    (scans.tree / "elsewhere.txt").symlink_to("/etc/passwd")
    scans.write("deep/a.txt", "demo-aaaaaaaa")
    (scans.tree / "deep" / "up").symlink_to("..")
    report = scans()
    assert report.counts.files == 1
    assert report.counts.skipped == {SkipReason.SPECIAL: 1, SkipReason.LINK: 3}
    assert report.complete


def test_a_file_that_becomes_a_pipe_after_the_walk_is_not_waited_for(scans: Scans) -> None:
    """What was a file when it was listed is looked at again when it is opened."""
    scans.write("a.txt", "text")
    victim = scans.write("b.txt", "text")

    class Exchanging(OsFileTree):
        def files(self, *told: Any) -> Any:
            for one in super().files(*told):
                if one.file == "b.txt":
                    victim.unlink()
                    os.mkfifo(victim)
                yield one

    service = DiscoveryScans(
        tree=Exchanging(),
        examiner=ProcessExaminer(KEY, EXAMINATION, processes=1),
        memory=None,
        owners=CodeOwners(),
        clock=SystemClock(),
        detectors=EXAMINATION.detectors(KEY),
        judges={"all": judge},
    )
    root = str(scans.tree)
    report = service.scan(ScanRequest(base=root, roots=(root,), bounds=scans.bounds))
    assert report.counts.skipped == {SkipReason.SPECIAL: 1}


def test_a_file_without_permission_is_counted_and_named(scans: Scans) -> None:
    """A scan that could not read everything says so."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    scans.write("a.txt", "demo-aaaaaaaa").chmod(0)
    report = scans()
    assert skipped(report) == {"a.txt": SkipReason.DENIED}
    assert not report.complete


def test_names_that_are_no_text_are_read_and_shown(scans: Scans) -> None:
    """A name in another encoding is a name."""
    place = os.fsencode(scans.tree) + b"/caf\xe9.txt"
    with open(place, "wb") as opened:
        opened.write(b"demo-aaaaaaaa")
    assert scans().found[0].finding.places[0].file == "caf\\xe9.txt"
    assert scans().counts.unchanged == 1


def test_half_a_surrogate_pair_does_not_hide_a_file(scans: Scans) -> None:
    """JSON can hold what UTF-8 cannot."""
    scans.write("a.txt", made.SURROGATE + b" demo-aaaaaaaa")
    assert {one.finding.about.partition(":")[0] for one in scans().found} == {"credential", "server"}


def test_a_second_scan_reads_only_what_has_changed(scans: Scans) -> None:
    """An unchanged file keeps its findings; a touched one is compared by its digest."""
    for number in range(5):
        scans.write(f"f{number}.txt", f"demo-{number:08}")
    first = scans()
    os.utime(scans.tree / "f1.txt", (1, 1))
    scans.write("f2.txt", "demo-changedone")
    second = scans()
    assert (first.counts.unchanged, second.counts.unchanged) == (0, 4)
    assert second.counts.read_bytes == len("demo-changedone")
    assert "A secret ....done stands in a file." in says(second)
    assert len(second.found) == 5
    assert scans().counts.unchanged == 5


def test_a_file_that_declares_something_is_read_again(scans: Scans) -> None:
    """Declarations are not remembered, so that no text of a file is kept."""
    scans.write("a.txt", "server: files --root /srv")
    assert says(scans()) == ["--root /srv"]
    again = scans()
    assert says(again) == ["--root /srv"]
    assert again.counts.unchanged == 0


def test_what_is_remembered_holds_no_secret(scans: Scans) -> None:
    """Neither a secret nor an argument that holds one is in the file, which no other user may read."""
    scans.write("a.txt", "server: files --token demo-verysecret --root /srv")
    report = scans()
    assert "--token [secret ...cret] --root /srv" in says(report)
    kept = scans.state.read_bytes()
    assert b"verysecret" not in kept
    assert scans.state.stat().st_mode & 0o777 == 0o600


def test_a_scan_that_is_stopped_goes_on_where_it_was(scans: Scans) -> None:
    """What was read before the stop is not read again."""
    for number in range(400):
        scans.write(f"f{number:03}.txt", f"demo-{number:08}")

    class Stop(Exception):
        pass

    def stop(progress: ScanProgress) -> None:
        if progress.files >= 150:
            raise Stop

    with pytest.raises(Stop):
        scans(stop)
    report = scans()
    assert report.counts.unchanged >= 150
    assert len(report.found) == 400


def test_a_fixed_finding_is_told_once_and_a_returning_one_is_new(scans: Scans) -> None:
    """The history of a scope goes on over its scans."""
    scans.write("a.txt", "demo-aaaaaaaa")
    assert [one.standing for one in scans().found] == [Standing.NEW]
    assert [one.standing for one in scans().found] == [Standing.KNOWN]
    scans.write("a.txt", "nothing")
    report = scans()
    assert (report.found, [one.standing for one in report.fixed]) == ((), [Standing.FIXED])
    assert scans().fixed == ()
    scans.write("a.txt", "demo-aaaaaaaa")
    assert [one.standing for one in scans().found] == [Standing.NEW]


def test_a_file_that_could_not_be_read_fixes_nothing(scans: Scans) -> None:
    """To stop the scan at a file is no way to close its findings."""
    scans.write("a.txt", "demo-aaaaaaaa")
    scans()
    scans.write("a.txt", made.DIES + b" demo-aaaaaaaa")
    assert scans().fixed == ()
    scans.write("a.txt", "demo-aaaaaaaa")
    assert [one.standing for one in scans().found] == [Standing.KNOWN]


def test_rules_that_fail_are_told_and_fix_nothing(scans: Scans) -> None:
    """The findings of other rules are there, without a word of what made the one fail."""
    scans.write("a.txt", "demo-aaaaaaaa")
    scans()

    def broken(seen: SeenThings) -> list[Discovered]:
        raise KeyError(seen.secrets)

    scans.judges = {"broken": broken}
    report = scans()
    assert (report.faults, report.fixed, report.complete) == (("broken: KeyError",), (), False)


def test_a_damaged_memory_is_begun_again(scans: Scans) -> None:
    """It holds nothing that a scan cannot find again."""
    scans.write("a.txt", "demo-aaaaaaaa")
    scans()
    scans.state.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert len(scans().found) == 1


def test_another_edition_of_the_rules_reads_everything_again(scans: Scans) -> None:
    """What an older detector did not find may be found now; the history stays."""
    scans.write("a.txt", "demo-aaaaaaaa")
    scans()
    with sqlite3.connect(scans.state) as base:
        base.execute("UPDATE about SET value = 'older'")
    base.close()
    report = scans()
    assert report.counts.unchanged == 0
    assert [one.standing for one in report.found] == [Standing.KNOWN]


def test_more_files_than_a_scan_may_read_are_told(scans: Scans) -> None:
    """A bound is never silent."""
    for number in range(5):
        scans.write(f"f{number}.txt", "text")
    scans.bounds = ScanBounds(files=3)
    report = scans()
    assert report.counts.files == 3
    assert set(skipped(report).values()) == {SkipReason.BOUND}


def test_a_line_without_an_end_is_read_in_parts(scans: Scans) -> None:
    """A secret stays whole where the line has any word's end, and the memory is bounded."""
    scans.bounds = ScanBounds(chunk_bytes=4096, whole_bytes=4096)
    scans.write("a.jsonl", "x " * 5000 + "demo-aaaaaaaa" + " y" * 5000)
    assert says(scans()) == ["A secret ....aaaa stands in a file."]
