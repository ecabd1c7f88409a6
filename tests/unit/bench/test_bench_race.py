# SPDX-License-Identifier: Apache-2.0
"""The race sees what passes: real small gateways that end at once, late, never, or die."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.race.clients import BYSTANDER, Call
from bench.race.gateway import Access, Gateway, ask
from bench.race.gateways import GATEWAYS
from bench.race.gateways.remit import Remit
from bench.race.race import Effort, Result, Upstream, judged, race, run_round
from bench.race.report import Report, markdown

SHORT = Effort(rounds=1, sessions=2, bystanders=1, newcomers=1, quiet_s=1.0, limit_s=3.0)


class Small:
    """An adapter of the smallest gateway; `then` is done before an end is acknowledged."""

    name = "small"
    distribution = ""
    means = "`DELETE`"
    settings = "none"
    ends_all = False

    def __init__(self, delay_s: float, then: Callable[["Small"], None] = lambda _: None) -> None:
        """Take when it ends a token: after so many seconds, never if negative."""
        self._delay_s, self._then = delay_s, then
        self._numbers = itertools.count()
        self.process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def start(self, upstream: str, folder: Path) -> None:
        """Start it."""
        del folder
        argv = [sys.executable, "-m", "tests.servers.revoking_server", upstream, str(self._delay_s)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self._url = f"http://127.0.0.1:{self.process.stdout.readline().decode().strip()}/"

    def admit(self) -> Access:
        """Every token has access until it is ended."""
        return Access(self._url, {"authorization": f"Bearer {next(self._numbers)}"})

    def end(self, access: Access) -> None:
        """End the token."""
        ask("DELETE", self._url, headers=access.headers)
        self._then(self)

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def version(self) -> str:
        """It has none."""
        return "0"


def raced(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Result:
    """Run one short round, with state in the test's folder."""
    monkeypatch.setattr("bench.race.race.PLACE", tmp_path)
    return race(gateway, SHORT)


def test_an_end_at_once_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Attempts go on after it, and the bystander's calls pass."""
    result = raced(Small(0), monkeypatch, tmp_path)
    assert not result.fault
    (found,) = result.rounds
    # A call whose token was read before the end may arrive a moment after its acknowledgement.
    assert (found.late_open, found.late_new) == (0, 0)
    assert found.ended
    assert found.before > 0
    assert found.attempts > 0
    assert found.bystander > 0
    assert found.bystander_failed == 0


@pytest.mark.slow
def test_a_gateway_that_never_ends_is_seen_as_such(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Calls of open sessions and of new ones pass until the limit, and the table says never."""
    result = raced(Small(-1), monkeypatch, tmp_path)
    (found,) = result.rounds
    assert not found.ended
    assert found.late_open > 0
    assert found.late_new > 0
    page = markdown(Report(date="", machine="", effort=SHORT, results=[result]))
    assert "never within 3 s" in page


@pytest.mark.slow
def test_an_end_that_comes_late_has_a_time_and_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last call is after the acknowledgement, and the end is seen."""
    (found,) = raced(Small(0.5), monkeypatch, tmp_path).rounds
    assert found.ended
    assert found.late_open > 0
    assert found.last_ms > found.acknowledged_ms


@pytest.mark.slow
def test_a_gateway_that_dies_with_the_end_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It let nothing pass, and its bystander's calls neither."""

    def die(gateway: Small) -> None:
        assert gateway.process is not None
        gateway.process.kill()

    result = raced(Small(0, die), monkeypatch, tmp_path)
    assert not result.rounds
    assert "bystander" in result.fault


def test_an_upstream_that_dies_with_the_end_is_a_fault(tmp_path: Path) -> None:
    """Nothing arrives at it, and that is no round without calls."""
    upstream = Upstream()
    gateway = Small(0, lambda _: upstream.stop())
    try:
        gateway.start(upstream.url, tmp_path)
        with pytest.raises(OSError, match="refused"):
            run_round(gateway, upstream, SHORT)
    finally:
        gateway.stop()


def test_an_upstream_that_is_down_is_a_fault(tmp_path: Path) -> None:
    """Before anything is asked for."""
    upstream = Upstream()
    gateway = Small(0)
    try:
        gateway.start(upstream.url, tmp_path)
        upstream.stop()
        with pytest.raises(OSError, match="refused"):
            run_round(gateway, upstream, SHORT)
    finally:
        gateway.stop()


@pytest.mark.slow
def test_nothing_passes_remit_after_the_acknowledgement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As published, in one short round."""
    result = raced(Remit(), monkeypatch, tmp_path)
    assert not result.fault
    assert [one.late for one in result.rounds] == [0]


def test_calls_are_counted_by_when_they_were_sent_and_when_they_arrived() -> None:
    """Acknowledged at 200: one answered late, one in flight, one of an open session, one of a new one."""
    calls = [
        Call(1, "open", 50, 90, ""),
        Call(2, "open", 150, 250, ""),
        Call(3, "open", 190, 260, ""),
        Call(4, "open", 210, 270, ""),
        Call(5, "new", 220, 280, ""),
        Call(6, "new", 230, 290, "401"),
        Call(BYSTANDER, "bystander", 240, 300, ""),
        Call(BYSTANDER + 1, "bystander", 240, 300, "502"),
    ]
    arrived = {1: 60, 2: 180, 3: 230, 4: 240, 5: 250, BYSTANDER: 260}
    found = judged(calls, arrived, 100, 200, ended=True)
    assert (found.before, found.after_request) == (1, 4)
    assert (found.in_flight, found.late_in_flight, found.late_open, found.late_new) == (1, 1, 1, 1)
    assert (found.attempts, found.bystander, found.bystander_failed) == (3, 1, 1)


def test_the_published_page_is_the_published_json() -> None:
    """Every gateway is in it, measured or with its fault."""
    page = Path("docs/reference/race.md")
    found = msgspec.json.decode(page.with_suffix(".json").read_bytes(), type=Report)
    assert page.read_text("utf-8").endswith(markdown(found))
    assert [one.name for one in found.results] == [each.name for each in GATEWAYS]
    assert all(len(one.rounds) >= 5 for one in found.results)
