# SPDX-License-Identifier: Apache-2.0
"""Policies in the console: what decides, what is proposed, and who may change it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from tests.gateways.console_gateway import HOSTILE, ConsoleGateway, console_gateway, written_out
from tests.worlds.calls import ASK, a_bundle
from tests.worlds.services import PERMIT

NO_WRITING = (
    '@id("no-writing")\n@reason("`{tool}` writes")\n'
    'forbid (principal, action == Action::"desk/write", resource);\n'
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console, where two administrators must agree."""
    async with console_gateway(tmp_path, second_person_for_policies=True) as made:
        yield made


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """The same, where one administrator is enough, in its second version."""
    async with console_gateway(tmp_path) as made:
        bundle = a_bundle(PERMIT + ASK + NO_WRITING, "sha256:second")
        await made.services.policies.apply(bundle, by="root", reason="no more writing")
        await made.services.tools.registry.described()
        yield made


async def test_rules_are_shown_with_how_often_they_decided(world: ConsoleGateway) -> None:
    """Each with its reason; its page has its text and the tools where it applies."""
    _, token = await world.open()
    await world.call(token, "read", text="a")
    await world.call(token, "read", text="b")
    await world.settled()
    vera = await world.browse("vera")
    page = await vera.get("/console/policies")
    assert "ask-for-money" in page.text
    assert "<b>2</b>" in page.text
    assert "ask-for-money" not in (await vera.get("/console/policies?q=granted")).text
    page = await vera.get("/console/policies/rules/ask-for-money")
    assert "resource.financial" in page.text
    assert ">desk/pay</a>" in page.text
    assert (await vera.get("/console/policies/rules/none")).status == 404


async def test_a_version_shows_what_it_changed(alone: ConsoleGateway) -> None:
    """Beside the version before it, and beside what is in force."""
    vera = await alone.browse("vera")
    page = await vera.get("/console/policies")
    assert "no more writing" in page.text
    page = await vera.get("/console/policies/versions/2?beside=previous")
    assert "no-writing" in page.text
    assert "permits nothing more" in page.text
    page = await vera.get("/console/policies/versions/1")
    assert "permits more" in page.text
    for name in ("0", "99", "x", "proposed", "%C2%B2"):
        assert (await vera.get(f"/console/policies/versions/{name}")).status == 404


async def test_an_administrator_goes_back_to_a_version(alone: ConsoleGateway) -> None:
    """To the one that was shown, from the one that was in force then, and once."""
    root = await alone.browse("root")
    page = await root.get("/console/policies/versions/1")
    done = await root.fill(page, "restore", reason="too strict")
    assert done.location == "/console/policies?done=saved"
    assert alone.services.policies.applied.digest == "sha256:desk"
    assert (await root.fill(page, "restore", reason="again")).status == 409
    await alone.settled()
    assert (await alone.facts(EventKind.BUNDLE_APPLIED))[-1]["back_to"] == 1


async def test_a_second_administrator_confirms(world: ConsoleGateway) -> None:
    """Who proposed it does not, nor does anyone without the role."""
    policies = world.services.policies
    await policies.propose(a_bundle(PERMIT, "sha256:wider"), by="root", reason=HOSTILE)
    page = await (await world.browse("vera")).get("/console/policies/versions/proposed")
    assert "permits more" in page.text
    assert "Put it in force" not in page.text
    assert written_out(page.text)
    root, rita, otto = [await world.browse(name) for name in ("root", "rita", "otto")]
    form = (await rita.get("/console/policies/versions/proposed")).form("confirm")
    assert "Put it in force" not in (await root.get("/console/policies/versions/proposed")).text
    for browser, told in ((otto, 403), (root, 403)):
        csrf = (await browser.get("/console/policies")).form("sign-out")["fields"]["csrf"]
        done = await browser.post("/console/policies/confirm", {"csrf": csrf, "bundle": "sha256:wider"})
        assert done.status == told
    assert (await rita.post("/console/policies/confirm", form["fields"] | {"csrf": "0" * 64})).status == 403
    assert policies.applied.digest == "sha256:desk"
    assert (await rita.post("/console/policies/confirm", form["fields"])).status == 303
    assert policies.applied.digest == "sha256:wider"
    assert (await rita.post("/console/policies/confirm", form["fields"])).status == 404


async def test_a_version_is_proposed_where_two_must_agree(world: ConsoleGateway) -> None:
    """What is in force stays."""
    policies = world.services.policies
    await policies.apply(a_bundle(PERMIT, "sha256:two"), by="root", second="rita")
    root = await world.browse("root")
    page = await root.get("/console/policies/versions/1")
    assert (await root.fill(page, "restore", reason="back")).status == 303
    assert policies.applied.digest == "sha256:two"
    proposal = await policies.versions.proposal()
    assert proposal is not None
    assert proposal.back_to == 1


async def test_a_bundle_is_tried_on_recorded_calls(alone: ConsoleGateway) -> None:
    """By auditors, with a bound, and with nothing changed."""
    _, token = await alone.open()
    await alone.call(token, "write", text="a")
    await alone.settled()
    audra = await alone.browse("audra")
    page = await audra.get("/console/policies")
    before = await alone.services.evidence.log.size()
    found = await audra.fill(page, "simulate", version="1", limit="500")
    assert found.status == 200
    assert "1 call</b> refused → permitted" in found.text
    assert "permits more" in found.text
    assert await alone.services.evidence.log.size() == before
    assert (await audra.fill(page, "simulate", version="1", limit="1000000000")).status == 400
    vera = await alone.browse("vera")
    csrf = (await vera.get("/console/policies")).form("sign-out")["fields"]["csrf"]
    fields = {"csrf": csrf, "version": "1", "limit": "500"}
    assert (await vera.post("/console/policies/simulate", fields)).status == 403


async def test_a_shadowed_candidate_is_shown_to_auditors_and_stopped(alone: ConsoleGateway) -> None:
    """With what it would have decided differently."""
    shadow = alone.services.decisions.shadow
    candidate: Any = a_bundle(PERMIT, "sha256:c")
    await shadow.start(candidate.policies, by="root", reason=HOSTILE)
    _, token = await alone.open()
    await alone.call(token, "write", text="a")
    await shadow.settled()
    root = await alone.browse("root")
    page = await root.get("/console/policies")
    assert "1 call</b> refused → permitted" in page.text
    assert written_out(page.text)
    assert "decides beside" not in (await (await alone.browse("vera")).get("/console/policies")).text
    assert (await root.fill(page, "shadow/stop")).status == 303
    assert await shadow.report() is None


async def test_changes_are_frozen_and_the_freeze_is_lifted(world: ConsoleGateway) -> None:
    """By an operator, and by an administrator; each says why."""
    otto, root = await world.browse("otto"), await world.browse("root")
    done = await otto.fill(
        await otto.get("/console/policies"), "policies/freeze", hours="4", reason="month end"
    )
    assert done.status == 303
    (freeze,) = await world.services.decisions.freezes.in_force()
    assert (freeze.reason, freeze.by) == ("month end", "otto")
    page = await root.get("/console/policies")
    assert "month end" in page.text
    fields = page.form("policies/lift")["fields"]
    csrf = (await otto.get("/console/policies")).form("sign-out")["fields"]["csrf"]
    refused = await otto.post("/console/policies/lift", fields | {"csrf": csrf, "reason": "no"})
    assert refused.status == 403
    assert (await root.post("/console/policies/lift", fields | {"reason": "over"})).status == 303
    assert not await world.services.decisions.freezes.in_force()
    wrong = await otto.fill(await otto.get("/console/policies"), "policies/freeze", hours="9999", reason="x")
    assert wrong.status == 400


async def test_people_without_a_role_see_no_policies(world: ConsoleGateway) -> None:
    """They are told which role they need."""
    lena = await world.browse("lena")
    for address in ("", "/rules/ask-for-money", "/versions/1"):
        assert (await lena.get(f"/console/policies{address}")).status == 403
