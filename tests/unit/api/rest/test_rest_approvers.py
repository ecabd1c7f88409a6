# SPDX-License-Identifier: Apache-2.0
"""Several approvers over the management endpoints: what they show, and who may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.approvers import ApproverDemand
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.decisions.break_glass import GlassRule
from tests.worlds.services import ServiceWorld, service_world
from tests.worlds.values import an_approval

Json = Any
PATH = "/api/v1/approvals/apr_one"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with a question to two people; its approvers are ada, mona and gil of group `leads`."""
    async with service_world(tmp_path, break_glass=GlassRule("leads", "any")) as opened:
        root = await opened.session("root")
        for name, groups in (("mona", []), ("gil", ["leads"])):
            body = {"name": name, "roles": ["approver"], "groups": groups}
            assert (await opened.ask("POST", "/api/v1/people", body, by=root)).status == 201
        task = await opened.open(await opened.session("lena"))
        asked = an_approval("apr_one", task=task, approvers=(ApproverDemand("", 2),))
        await opened.services.store.commit(Unit((PutApproval(asked),)))
        yield opened


async def test_a_question_shows_who_must_answer_and_who_has(world: ServiceWorld) -> None:
    """The demand, the number, and each answer with its author; never who may be behind a session."""
    ada = await world.session("ada")
    shown = (await world.ask("GET", PATH, by=ada)).json
    assert (shown["approvers"], shown["needed"], shown["answers"]) == ([{"group": "", "count": 2}], 2, [])
    first = (await world.ask("POST", PATH, {"approve": True, "comment": "fits"}, by=ada)).json
    assert (first["state"], first["decided_by"]) == ("pending", "")
    (answer,) = first["answers"]
    assert answer.keys() == {"by", "instead_of", "at", "comment", "until"}
    assert (answer["by"], answer["comment"]) == ("ada", "fits")
    again = await world.ask("POST", PATH, {"approve": True}, by=await world.session("ada"))
    assert (again.status, again.json["code"]) == (409, "already-answered")
    second = (await world.ask("POST", PATH, {"approve": True}, by=await world.session("mona"))).json
    assert (second["state"], len(second["answers"])) == ("approved", 2)


async def test_a_watcher_is_told_of_each_answer(world: ServiceWorld) -> None:
    """Also of one that leaves the question open."""
    ada, mona = await world.session("ada"), await world.session("mona")

    async def heard(part: bytes) -> None:
        if b'"pending"' in part and b'"by"' not in part:
            await world.ask("POST", PATH, {"approve": True}, by=ada)
        elif b'"pending"' in part:
            await world.ask("POST", PATH, {"approve": True}, by=mona)
        elif b'"approved"' in part:
            await world.services.identity.authenticator.sign_out(ada)

    told = await world.ask("GET", "/api/v1/approvals/watch", by=ada, heard=heard)
    events = [part for part in told.content.split(b"\n\n") if part.startswith(b"event: approval\ndata: ")]
    found = [json.loads(event.partition(b"data: ")[2]) for event in events]
    assert [(one["state"], len(one["answers"])) for one in found] == [
        ("pending", 0),
        ("pending", 1),
        ("approved", 2),
    ]


async def test_an_absence_is_begun_seen_and_ended(world: ServiceWorld) -> None:
    """By approvers, for themselves; people without a role neither see nor begin one."""
    ada, lena = await world.session("ada"), await world.session("lena")
    body = {"substitute": "mona", "ends": "2026-03-09T09:00:00Z"}
    for by, status in ((lena, 403), (ada, 201)):
        assert (await world.ask("POST", "/api/v1/absences", body, by=by)).status == status
    assert (await world.ask("GET", "/api/v1/absences", by=lena)).status == 403
    (seen,) = (await world.ask("GET", "/api/v1/absences", by=await world.session("mona"))).json["items"]
    assert (seen["person"], seen["substitute"]) == ("ada", "mona")
    answered = {"approve": True, "instead_of": "ada"}
    given = (await world.ask("POST", PATH, answered, by=await world.session("mona"))).json
    assert [(one["by"], one["instead_of"]) for one in given["answers"]] == [("mona", "ada")]
    assert (await world.ask("POST", "/api/v1/absences/end", by=ada)).json["substitute"] == "mona"
    assert (await world.ask("POST", "/api/v1/absences/end", by=ada)).status == 404


async def test_a_broken_glass_is_seen_and_reviewed(world: ServiceWorld) -> None:
    """By who may; its finding is resolved by the review alone."""
    ada, gil, root = [await world.session(name) for name in ("ada", "gil", "root")]
    body = {"reason": "the site is down, and no one else is here"}
    for by, status in ((ada, 403), (root, 403), (gil, 200), (gil, 409)):
        told = await world.ask("POST", f"{PATH}/break-glass", body, by=by)
        assert told.status == status
        assert status != 200 or told.json["broken_glass"]
    (finding,) = [
        one
        for one in (await world.ask("GET", "/api/v1/findings?about=person:gil", by=root)).json["items"]
        if one["kind"] == "broken-glass"
    ]
    resolve = f"/api/v1/findings/{finding['id']}/resolve"
    assert (await world.ask("POST", resolve, {"resolution": "fine"}, by=root)).status == 403
    review = {"comment": "the site was down indeed"}
    assert (await world.ask("POST", f"{PATH}/review", review, by=gil)).status == 403
    reviewed = (await world.ask("POST", f"{PATH}/review", review, by=ada)).json
    assert (reviewed["state"], reviewed["resolved_by"]) == ("resolved", "ada")
