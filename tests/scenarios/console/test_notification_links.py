# SPDX-License-Identifier: Apache-2.0
"""The link of a notification in a browser: it leads an approver to the question, after a sign-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.gateways.console_gateway import ConsoleGateway, console_gateway
from tests.worlds.pages import Browsing


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console."""
    async with console_gateway(tmp_path) as made:
        yield made


async def linked(world: ConsoleGateway) -> tuple[str, str]:
    """Return a question, and the path of a link to it."""
    _, token = await world.open()
    question = await world.asked(token, amount=5000)
    links = world.services.signals.links
    found = await links.open_question(question)
    assert found is not None
    return question, urlsplit(await links.link_to(found)).path


async def test_a_stranger_signs_in_first_and_uses_nothing_up(world: ConsoleGateway) -> None:
    """A program that looks at the links of messages has no session; the approver comes afterwards."""
    question, path = await linked(world)
    told = await Browsing(world).get(path)
    assert told.location == f"/oauth/sign-in?then={path.replace('/', '%2F')}"
    omar = await world.browse("omar")
    elsewhere = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert (await omar.get(path, **elsewhere)).location == f"/console/approvals/{question}"
    assert (await omar.get("/oauth/sign-in?then=" + path)).location == path


async def test_everything_else_leads_to_the_list(world: ConsoleGateway) -> None:
    """A forged code, a person who cannot approve, and a link of an answered question."""
    question, path = await linked(world)
    omar, vera = await world.browse("omar"), await world.browse("vera")
    assert (await vera.get(path)).location == "/console/approvals"
    for forged in ("0" * 64, "x", "..%2f..%2fevil", question):
        assert (await omar.get(f"/console/notified/{forged}")).location == "/console/approvals", forged
    await world.approve(question)
    assert (await omar.get(path)).location == "/console/approvals"
