# SPDX-License-Identifier: Apache-2.0
"""The console over complete services, with calls at the desk, asked for without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from remit.api import app
from remit.core.identity.principals import Role
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from tests.worlds.calls import CallWorld, a_bundle
from tests.worlds.pages import Browsing

#: A text of an agent, tool or upstream that tries to leave its place in a page.
HOSTILE = "<script>alert(1)</script>\"'><b onclick=x>\u202egnp.exe\x1b[31m{{7*7}}</textarea>"


class ConsoleGateway(CallWorld):
    """A desk with a console. `audra` audits, `vera` looks, `otto` operates, `root` and `rita` administer."""

    async def serve(self) -> None:
        """Add people for each role, and the pages."""
        for name, role in (
            ("audra", Role.AUDITOR),
            ("vera", Role.VIEWER),
            ("otto", Role.OPERATOR),
            ("rita", Role.ADMINISTRATOR),
        ):
            await self.services.identity.directory.add_person(NewPerson(name=name, roles=(role,)), by="remit")
        self.asgi = app(self.services, reload=lambda: a_bundle(digest="sha256:next"), watch_s=0)

    async def browse(self, person: str) -> Browsing:
        """Return a browser in which a person is signed in."""
        browser = Browsing(self)
        await browser.sign_in(person)
        return browser

    async def settled(self) -> None:
        """Have what is under way written."""
        await self.services.store.commit(Unit(tenant=self.services.tenant))


@asynccontextmanager
async def console_gateway(folder: Path, **outfit: Any) -> AsyncIterator[ConsoleGateway]:
    """Provide the gateway, settled in, and close its store at the end."""
    world = ConsoleGateway(folder, **outfit)
    await world.settle_in()
    await world.serve()
    try:
        yield world
    finally:
        await world.services.store.close()


def written_out(text: str) -> bool:
    """Return whether a page has no part of `HOSTILE` as markup, and no hidden character of it."""
    return not any(part in text for part in ("<script>alert", "<b onclick", "\u202e", "\x1b", "</textarea>"))
