# SPDX-License-Identifier: Apache-2.0
"""The console of an office whose agents ask questions, for a person at a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remit.api import app
from remit.core.decisions.approval import Approval
from remit.core.identity.principals import Role
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewPerson
from tests.worlds.flow import FlowWorld, a_bundle, flow_world
from tests.worlds.pages import Browsing

Json = Any
MAIL = {"subject": "offsite", "from": "tom@ext.example", "body": "Who comes?"}
PEOPLE = {"vera": (Role.VIEWER,), "ada": (Role.APPROVER,), "root": (Role.ADMINISTRATOR,)}


@dataclass
class AskingOffice:
    """What `Browsing` needs of a gateway, with the office behind it."""

    office: FlowWorld
    asgi: Any

    @property
    def services(self) -> Services:
        """The services of the gateway."""
        return self.office.services

    async def browser(self, person: str) -> Browsing:
        """Return the browser of a person who has signed in with a code."""
        browser = Browsing(self)  # type: ignore[arg-type]
        await browser.sign_in(person)
        return browser

    async def asked(self, text: str = "Gladly", **more: Json) -> Approval:
        """Let the agent mail an address that only a mail of others holds, which is a question."""
        if not self.office.token:
            self.office.office.answers["read_mail"] = [MAIL]
            await self.office.open("Answer the offsite mail")
            await self.office.run("read_mail", folder="inbox")
        arguments = {"to": "tom@ext.example", "body": text} | more
        decision = await self.office.call("send_mail", **arguments)
        return await self.services.decisions.approvals.get(decision.approval)


@asynccontextmanager
async def asking_office(folder: Path) -> AsyncIterator[AskingOffice]:
    """Open the office, with people of several roles."""
    async with flow_world(folder) as office:
        for name, roles in PEOPLE.items():
            await office.services.identity.directory.add_person(NewPerson(name=name, roles=roles), by="remit")
        yield AskingOffice(office, app(office.services, reload=a_bundle, watch_s=0))
