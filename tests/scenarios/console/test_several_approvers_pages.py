# SPDX-License-Identifier: Apache-2.0
"""Questions that several people answer, in the console: how far they are, substitutes, and broken glass."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.api import app
from remit.core.decisions.approval import ApprovalState
from remit.services.decisions.break_glass import GlassRule
from tests.worlds.approvers import TWO_OF_PAYMENTS, approver_world
from tests.worlds.calls import CallWorld, a_bundle
from tests.worlds.pages import Browsing, Page


class PagedDesk:
    """What `Browsing` needs of a desk with several approvers."""

    def __init__(self, desk: CallWorld) -> None:
        self.desk = desk
        self.services = desk.services
        self.asgi: Any = app(desk.services, reload=a_bundle, watch_s=0)

    async def browser(self, person: str) -> Browsing:
        """Return the browser of a person who has signed in with a code."""
        browser = Browsing(self)
        await browser.sign_in(person)
        return browser

    async def state(self, approval: str) -> ApprovalState:
        """Return where a question stands."""
        return (await self.services.decisions.approvals.get(approval)).state


@pytest.fixture
async def paged(tmp_path: Path) -> AsyncIterator[PagedDesk]:
    """A desk whose payments two people of group `payments` approve; `mona` breaks the glass."""
    async with approver_world(tmp_path, break_glass=GlassRule(group="payments", sign_in="none")) as desk:
        yield PagedDesk(desk)


async def send(browser: Browsing, page: Page, offered: str, **fields: str) -> Page:
    """Send one of the answers that a page offers."""
    form = next(one for one in page.forms if one["fields"].get("answer") == offered)
    return await browser.post(form["action"], form["fields"] | fields)


async def question(paged: PagedDesk) -> str:
    """Let the agent ask for a payment."""
    await paged.desk.services.policies.apply(a_bundle(TWO_OF_PAYMENTS, digest="sha256:two"), by="root")
    _, token = await paged.desk.open()
    return await paged.desk.asked(token, "pay", amount=3)


async def test_a_question_says_how_many_have_approved_it(paged: PagedDesk) -> None:
    """The first yes counts and permits nothing; the second one completes it."""
    asked = await question(paged)
    address = f"/console/approvals/{asked}"
    ada, mona = await paged.browser("ada"), await paged.browser("mona")
    page = await ada.get(address)
    assert "0 of 2 approved" in page.text
    done = await send(ada, page, "once", comment="the invoice is right")
    assert done.location.endswith("done=counted")
    assert await paged.state(asked) is ApprovalState.PENDING
    page = await mona.get(address)
    assert "1 of 2 approved" in page.text
    assert "the invoice is right" in page.text
    assert (await send(mona, page, "once")).location.endswith("done=approved")
    assert await paged.state(asked) is ApprovalState.APPROVED


async def test_a_substitute_answers_in_the_place_of_the_absent(paged: PagedDesk) -> None:
    """The page offers the absent approvers, and names the one in whose place the answer was."""
    asked = await question(paged)
    services = paged.services
    ada = await services.identity.directory.person("ada")
    ends = services.clock.now() + timedelta(days=1)
    await services.decisions.absences.begin(ada, "gil", ends)
    gil = await paged.browser("gil")
    page = await gil.get(f"/console/approvals/{asked}")
    assert "for ada" in page.text
    done = await send(gil, page, "once", **{"for": "ada"})
    assert done.location.endswith("done=counted"), done.text
    assert "gil</a> for ada approved" in (await gil.get(f"/console/approvals/{asked}")).text


async def test_broken_glass_is_approved_alone_and_reviewed_by_another(paged: PagedDesk) -> None:
    """The one who broke it cannot review it; the review resolves the finding."""
    asked = await question(paged)
    address = f"/console/approvals/{asked}"
    mona, omar = await paged.browser("mona"), await paged.browser("omar")
    page = await mona.get(address)
    short = await send(mona, page, "glass", comment="now")
    assert short.status == 400
    assert await paged.state(asked) is ApprovalState.PENDING
    await send(mona, page, "glass", comment="the supplier stops today")
    assert await paged.state(asked) is ApprovalState.APPROVED
    page = await mona.get(address)
    assert "One person approved in place of" in page.text
    assert not [one for one in page.forms if one["action"].endswith("/review")]
    page = await omar.get(address)
    assert (await omar.fill(page, "/review", comment="it was right, the invoice is due")).status == 303
    gil = await paged.browser("gil")
    assert "Break the glass" not in (await gil.get(address)).text
