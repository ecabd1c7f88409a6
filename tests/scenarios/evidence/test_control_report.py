# SPDX-License-Identifier: Apache-2.0
"""`remit report` on a log that the gateway's own services wrote: every number can be counted by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.cli.exit_codes import UsageFault
from remit.cli.report.command import report
from remit.cli.report.measures import measured
from remit.core.controls.control_report import ControlReport
from remit.core.controls.status import ControlStatus
from remit.core.decisions.decision import Outcome
from remit.core.errors import VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.verification import verify_export
from remit.services.identity.directory import NewPerson
from tests.worlds.calls import CallWorld, call_world

Json = Any
MONTH_S = 30 * 86_400


async def story(world: CallWorld) -> None:
    """Two tasks that work and end, one careful and one careless approval, and an agent without an owner."""
    directory, ends = world.services.identity.directory, world.services.endings.revocations
    await directory.add_person(NewPerson(name="nils"), by="root")
    await directory.set_owner("other", "nils", by="root")
    await world.services.identity.personnel.deactivate("nils", by="root", reason="left")
    first, token = await world.open()
    assert await world.outcome(token, "write", text="a") is Outcome.PERMIT
    assert await world.outcome(token, "read", text="a") is Outcome.PERMIT
    for amount, seconds in ((1, 5), (2, 1)):
        approval = await world.asked(token, amount=amount)
        world.clock.advance(seconds)
        await world.approve(approval)
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
    await ends.end_task(first.id, reason="done", by="lena")
    second, token = await world.open()
    assert await world.outcome(token, "write", text="b") is Outcome.PERMIT
    await ends.end_task(second.id, reason="done", by="lena")
    await world.facts(EventKind.TASK_ENDED)


async def exported(world: CallWorld, folder: Path, **how: Json) -> tuple[Path, str]:
    """Write an export; gives it with the log's key."""
    file = folder / "evidence.jsonl"
    file.write_bytes(b"".join([line async for line in world.services.evidence.log.export(**how)]))
    return file, world.services.evidence.log.verifier


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk, after the story."""
    async with call_world(tmp_path) as made:
        await story(made)
        yield made


def numbers(made: ControlReport) -> dict[str, tuple[int, int, int]]:
    """Return what each measure counted: holding, total, unknown."""
    checks = [check for answer in made.answers for check in answer.checks]
    return {
        one.check.measure: (one.measured.count.holding, one.measured.count.total, one.measured.count.unknown)
        for one in checks
        if one.check.measure != "findings-closed"
    }


async def test_the_numbers_of_both_frameworks_are_those_of_the_story(
    world: CallWorld, tmp_path: Path
) -> None:
    """Four permitted calls, three with an effect; two refusals; two agents, one without an owner."""
    file, key = await exported(world, tmp_path)
    asi = measured("asi", place=file, key=key, window_s=MONTH_S)
    csf = measured("csf", place=file, key=key, window_s=MONTH_S)
    found = numbers(asi) | numbers(csf)
    assert {name: found[name] for name in found if found[name][1]} == {
        "agents-owned": (1, 2, 0),
        "approvals-by-others": (2, 2, 0),
        "approvals-read": (1, 2, 0),
        "calls-attributed": (4, 4, 0),
        "calls-before-end": (4, 4, 0),
        "calls-bound": (3, 3, 0),
        "calls-proven": (4, 4, 0),
        "calls-recorded": (4, 4, 0),
        "calls-under-policy": (6, 6, 0),
        "ends-complete": (4, 4, 0),
        "ends-explained": (4, 4, 0),
        "ends-fenced": (4, 4, 0),
        "intents-stated": (2, 2, 0),
        "outcomes-known": (3, 3, 0),
        "permissions-used": (4, 6, 0),
        "refusals-enforced": (2, 2, 0),
        "tasks-bounded": (2, 2, 0),
        "tokens-bound": (2, 2, 0),
        "tokens-short": (2, 2, 0),
        "tools-pinned": (3, 3, 0),
        "values-unled": (3, 3, 0),
    }
    status = {one.control.id: one.status for one in (*asi.answers, *csf.answers)}
    assert status["GV.RR-02"] is ControlStatus.NOT_MET
    assert status["PR.AA-04"] is ControlStatus.MET
    assert status["ASI06"] is ControlStatus.NOT_MEASURED
    assert status["PR.AA-06"] is ControlStatus.OUTSIDE
    owned = next(one for one in csf.answers if one.control.id == "GV.RR-02").checks[0]
    assert owned.says == "50 % of 2 agents that are not retired have an accountable owner; 1 exception"
    assert [name for _, name in owned.measured.exceptions] == ["other"]


async def test_a_report_is_proven_by_the_events_that_it_names(world: CallWorld, tmp_path: Path) -> None:
    """The proof verifies by itself and has each of them."""
    file, key = await exported(world, tmp_path)
    made = measured("asi", place=file, key=key, window_s=MONTH_S, proof=tmp_path / "proof.jsonl")
    lines = (tmp_path / "proof.jsonl").read_bytes().splitlines(keepends=True)
    checked = verify_export(lines, VerifierKey.parse(key))
    assert checked.holds
    assert checked.question == "remit report --framework asi"
    assert len(made.indexes) == len(lines) - 2 > 5


async def test_without_values_what_they_would_tell_is_unknown_and_not_met(
    world: CallWorld, tmp_path: Path
) -> None:
    """An auditor who may not see names gets no better figures by that."""
    file, key = await exported(world, tmp_path, values=False)
    found = numbers(measured("asi", place=file, key=key, window_s=MONTH_S))
    assert found["approvals-by-others"] == (0, 2, 2)
    assert found["intents-stated"] == (0, 2, 2)
    assert found["calls-bound"] == (3, 3, 0)


async def test_the_window_ends_with_the_last_event(world: CallWorld, tmp_path: Path) -> None:
    """Later work moves it: what was before is counted no more, but for what still stands."""
    world.clock.advance(40 * 86_400)
    _, token = await world.open()
    assert await world.outcome(token, "write", text="c") is Outcome.PERMIT
    await world.facts(EventKind.TOOL_CALLED)
    file, key = await exported(world, tmp_path)
    found = numbers(measured("asi", place=file, key=key, window_s=MONTH_S))
    assert found["calls-bound"] == (1, 1, 0)
    assert found["agents-owned"] == (1, 2, 0)
    assert found["ends-fenced"] == (0, 0, 0)


async def test_what_goes_through_in_observe_mode_is_an_exception(tmp_path: Path) -> None:
    """A refusal that refuses nothing is none."""
    async with call_world(tmp_path, observed=frozenset({"desk"})) as world:
        _, token = await world.open()
        await world.call(token, "pay", amount=1)
        await world.facts(EventKind.TOOL_CALLED)
        file, key = await exported(world, tmp_path)
    made = measured("asi", place=file, key=key, window_s=MONTH_S)
    assert numbers(made)["refusals-enforced"] == (0, 1, 0)
    assert {one.control.id: one.status for one in made.answers}["ASI05"] is ControlStatus.NOT_MET


async def test_a_pipeline_stops_by_the_exit_code(world: CallWorld, tmp_path: Path) -> None:
    """Four where a control fails, zero without the option; a file is for its owner alone."""
    file, key = await exported(world, tmp_path)
    page = tmp_path / "page.html"
    assert report(framework="csf", source=file, key=key, format="html", output=page, fail_on="not-met") == 4
    assert (page.stat().st_mode & 0o777) == 0o600
    assert report(framework="csf", source=file, key=key, format="html", output=page) == 0
    with pytest.raises(UsageFault):
        report(framework="csf", source=file, key=key, window="0d")


async def test_evidence_that_does_not_verify_is_not_measured(world: CallWorld, tmp_path: Path) -> None:
    """A report on a changed log would look as good as any."""
    file, key = await exported(world, tmp_path)
    file.write_bytes(file.read_bytes().replace(b"key-bound", b"attested!"))
    with pytest.raises(VerificationFailed):
        measured("asi", place=file, key=key, window_s=MONTH_S)
