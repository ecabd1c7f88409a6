# SPDX-License-Identifier: Apache-2.0
"""Baselines, histories and merged findings."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from remit.core.discovery.baseline import Acceptance, Baseline, read_baseline, with_accepted, written
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.history import continued
from remit.core.discovery.judging import merged
from remit.core.discovery.scan import Standing
from remit.core.errors import ConfigInvalid
from remit.core.findings.kinds import Severity
from tests.samples.scan_reports import NOW, escalation, exposed, scanned

KEY = "ab" * 32


def test_an_acceptance_holds_until_its_end() -> None:
    """Afterwards the finding is open again."""
    finding = exposed()
    accepted = {finding.id: Acceptance(id=finding.id, because="known", until=NOW)}
    for now, standing in ((NOW - timedelta(seconds=1), Standing.ACCEPTED), (NOW, Standing.NEW)):
        history = continued([finding], {}, accepted, now, lambda file: True)
        assert history.found[0].standing is standing


def test_an_acceptance_does_not_cover_what_has_become_worse() -> None:
    """What was accepted as medium is open again as critical."""
    mild = msgspec.structs.replace(exposed(), severity=Severity.MEDIUM)
    made = with_accepted(Baseline(key=KEY), [scanned(mild)], "a test key", None, NOW)
    for severity, standing in ((Severity.MEDIUM, Standing.ACCEPTED), (Severity.CRITICAL, Standing.NEW)):
        now = msgspec.structs.replace(mild, severity=severity)
        history = continued([now], {}, made.by_id, NOW, lambda file: True)
        assert history.found[0].standing is standing


def test_a_baseline_that_is_written_again_keeps_reasons_and_drops_what_is_gone() -> None:
    """An acceptance that has ended takes the new reason."""
    first = with_accepted(Baseline(key=KEY), [scanned(exposed()), scanned(escalation())], "old", NOW, NOW)
    second = with_accepted(first, [scanned(exposed())], "new", None, NOW - timedelta(days=1))
    assert [one.because for one in second.accepted] == ["old"]
    third = with_accepted(first, [scanned(exposed())], "new", None, NOW)
    assert [(one.because, one.until) for one in third.accepted] == [("new", None)]
    assert read_baseline(written(third), "baseline.json") == third


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"baseline": 1, "key": "ab"}',
        '{"baseline": 2, "key": "' + KEY + '"}',
        '{"baseline": 1, "key": "' + KEY + '", "more": 1}',
        '{"baseline": 1, "key": "' + KEY + '", "accepted": [{"id": "x", "until": "2027-01-01T00:00:00"}]}',
    ],
)
def test_a_file_that_is_no_baseline_is_refused(text: str) -> None:
    """A baseline that was not understood must not accept anything."""
    with pytest.raises(ConfigInvalid):
        read_baseline(text.encode(), "baseline.json")


def test_equal_findings_are_one_with_the_places_of_both() -> None:
    """The more severe opinion counts."""
    place = FilePlace(file="z.txt")
    twice = merged([exposed(), escalation(), exposed(places=(place,), severity=Severity.CRITICAL)])
    assert [one.weight for one in twice] == [Severity.CRITICAL, Severity.CRITICAL]
    assert twice[1].places == (*exposed().places, place)


def test_a_finding_is_fixed_only_if_each_of_its_places_was_read() -> None:
    """A place that could not be read may still hold it."""
    seen = {one.finding.id: one for one in continued([exposed()], {}, {}, NOW, lambda file: True).remembered}
    later = NOW + timedelta(days=1)
    kept = continued([], seen, {}, later, lambda file: not file.startswith(".claude"))
    assert (kept.fixed, [one.fixed for one in kept.remembered]) == ((), [None])
    fixed = continued([], seen, {}, later, lambda file: True)
    assert ([one.standing for one in fixed.fixed], fixed.remembered[0].fixed) == ([Standing.FIXED], later)
