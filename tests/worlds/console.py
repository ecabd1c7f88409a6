# SPDX-License-Identifier: Apache-2.0
"""The desk with the console before it, and people of every role at browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from remit.api import app
from remit.core.identity.principals import Role
from remit.services.identity.directory import NewPerson
from tests.worlds.calls import CallWorld, a_bundle
from tests.worlds.pages import Browsing, Page

Json = Any


class ConsoleWorld(CallWorld):
    """Beside the people of the desk: `otto` operates, `audra` audits, `vera` looks, `leo` has no role."""

    def __init__(self, folder: Path, **outfit: Json) -> None:
        super().__init__(folder, **outfit)
        self.asgi = app(self.services, reload=a_bundle, watch_s=0)

    async def settle_in(self) -> None:
        """Bring in those who are not at the desk, too."""
        await super().settle_in()
        for name, role in (("otto", Role.OPERATOR), ("audra", Role.AUDITOR), ("vera", Role.VIEWER)):
            await self.services.identity.directory.add_person(NewPerson(name=name, roles=(role,)), by="remit")
        await self.services.identity.directory.add_person(NewPerson(name="leo"), by="remit")

    async def browser(self, person: str) -> Browsing:
        """Return the browser of a person who has signed in."""
        browser = Browsing(self)
        await browser.sign_in(person)
        return browser


async def act(browser: Browsing, address: str, to: str = "", **fields: str) -> Page:
    """Send a form as a page has it: with the secret of the page at `address`, to that page or another one."""
    page = await browser.get(address)
    csrf = next(one["fields"]["csrf"] for one in page.forms if "csrf" in one["fields"])
    return await browser.post(to or address, {"csrf": csrf} | fields)


@asynccontextmanager
async def console_world(folder: Path, **outfit: Json) -> AsyncIterator[ConsoleWorld]:
    """Open the console, and close its store at the end."""
    world = ConsoleWorld(folder, **outfit)
    await world.settle_in()
    try:
        yield world
    finally:
        await world.services.store.close()
