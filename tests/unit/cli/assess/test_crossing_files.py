# SPDX-License-Identifier: Apache-2.0
"""What would cross is read from configurations, and a change that crosses stops a pipeline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from remit.cli.assess.boundary import read_configurations
from remit.cli.assess.command import assess, text_of
from remit.cli.report.control_files import framework, measures
from remit.core.controls.control import MeasuredCheck
from remit.core.controls.control_report import CheckAnswer, ControlAnswer, Measurement
from remit.core.controls.programme import (
    Crossing,
    Friction,
    Initiative,
    InitiativeAnswer,
    PermissionHours,
    ProgrammeReport,
)
from remit.core.controls.status import Count
from remit.core.discovery.boundary import BoundaryReport
from remit.core.tools.tool import Tier

HOSTILE = "<script>alert(1)</script>\x1b[31m[a](http://evil.example) \u202eeman| `x` @team"
CLIENT = {"mcpServers": {"tickets": {"command": "uvx", "args": ["tickets"], "env": {"TICKETS_URL": "x"}}}}
API = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {"/orders": {"get": {"operationId": "listOrders"}, "post": {"operationId": "addOrder"}}},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a configuration of remit and without agents."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("A chat without tools.\n", encoding="utf-8")
    return tmp_path


def test_a_change_that_crosses_stops_the_pipeline(project: Path) -> None:
    """Nothing at first; then a server is configured; then its sponsor knows."""
    assert assess(project, fail_on="crossing", format="json", output=project.parent / "a.json") == 0
    (project / ".mcp.json").write_text(json.dumps(CLIENT), encoding="utf-8")
    assert assess(project, fail_on="crossing", format="json", output=project.parent / "b.json") == 4
    assert assess(project, format="json", output=project.parent / "b.json") == 0
    (one,) = json.loads((project.parent / "b.json").read_text(encoding="utf-8"))["agents"]
    assert (one["agent"], one["crosses"], one["credentials"]) == ("claude-code", True, ["TICKETS_URL"])
    named = [Initiative(name="support", sponsor="lena", agents=("claude-code",))]
    assert read_configurations([project], named).unannounced
    acting = [Initiative(name="support", sponsor="lena", agents=("claude-code",), acts=True)]
    assert not read_configurations([project], acting).unannounced


def test_an_api_would_take_an_agent_across(project: Path) -> None:
    """Its reading operations are told from those that may change something."""
    (project / "orders.json").write_text(json.dumps(API), encoding="utf-8")
    (one,) = read_configurations([project], []).found
    assert (one.agent, one.framework) == ("Orders", "OpenAPI")
    assert {(each.says, each.reads) for each in one.means} == {
        ("operation listOrders", True),
        ("operation addOrder", False),
    }


def test_a_document_that_is_not_understood_is_not_good(project: Path) -> None:
    """It stops the pipeline as an unread file does."""
    (project / "orders.json").write_text('{"openapi": "9.9", "paths": {}}', encoding="utf-8")
    seen = read_configurations([project], [])
    assert (seen.complete, seen.unread) == (False, ("orders.json",))
    assert assess(project, fail_on="crossing", format="json", output=project.parent / "a.json") == 4


def a_programme(name: str = HOSTILE) -> ProgrammeReport:
    """Return a report in which every text comes from others."""
    known = measures()
    measured = Measurement(count=Count(total=40, holding=39), holding=(1, 2), exceptions=((7, name),))

    def answer(check: MeasuredCheck) -> CheckAnswer:
        return CheckAnswer(check=check, measure=known[check.measure], measured=measured)

    one = InitiativeAnswer(
        initiative=Initiative(name=name, sponsor=name, description=name, agents=(name,)),
        crossing=Crossing(index=5, at="2026-03-02 09:00:00", agent=name, tool=name, effect="none"),
        tier=Tier.OPERATOR,
        tier_index=6,
        controls=tuple(
            ControlAnswer(control=each, checks=tuple(map(answer, each.checks)))
            for each in framework("tiers").controls
        ),
        proven=answer(MeasuredCheck(measure="calls-proven")),
        justified=answer(MeasuredCheck(measure="permissions-used")),
        hours=(PermissionHours(day="2026-03-01", hours=8), PermissionHours(day="2026-03-02", hours=4)),
        friction=Friction(calls=40, questions=3, answered=1, waited_s=9.0, median_s=9.0, overturned=1),
    )
    return ProgrammeReport(
        origin=name, size=99, since="2026-02-01", until="2026-03-02 00:00:00", days=30, answers=(one,)
    )


def a_boundary(project: Path) -> BoundaryReport:
    """Return what a hostile configuration would cross."""
    (project / ".mcp.json").write_text(
        json.dumps({"mcpServers": {HOSTILE: {"command": "x"}}}), encoding="utf-8"
    )
    (project / "api.json").write_text(
        json.dumps(API | {"info": {"title": HOSTILE, "version": "1"}}), encoding="utf-8"
    )
    return read_configurations([project], [])


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_texts_of_others_stay_text(project: Path, form: str) -> None:
    """No escape sequence, reordered line, element or link of theirs is left in either report."""
    for made in (a_programme(), a_boundary(project)):
        text = text_of(made, form, everything=True)
        assert "alert" in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        if form == "html":
            assert "<script" not in text
        if form == "markdown":
            assert "](http" not in text
            assert not re.search(r"(?<!\\)[<>]", re.sub(r"`[^`]*`", "", text))


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_each_form_has_each_number(form: str) -> None:
    """The crossing with its event, the shares, the trend, friction, and a control with its exception."""
    text = " ".join(text_of(a_programme("desk"), form, everything=True).replace("\\", "").split())
    for part in ("97.5 %", "falling (-50 %", "desk"):
        assert part in text, part
    if form == "json":
        (one,) = json.loads(text)["initiatives"]
        assert (one["crossing"]["event"], one["friction"]["questions"]) == (5, 3)
        assert (one["controls"]["required"], one["controls"]["met"]) == (16, 0)
    else:
        assert "event 5" in text
        assert "7.5" in text
