# SPDX-License-Identifier: Apache-2.0
"""A gateway as people run it, with an upstream `crm` over HTTP whose credential is leased to each task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from remit.core.decisions.mediation import Answered
from remit.services.mediation.mediator import RequestedCall
from remit.services.tasks.tasks import Opening
from tests.gateways.live_gateway import LiveGateway
from tests.samples.tokens import HELD, task_token
from tests.servers.ports import free_port
from tests.servers.scripted_mcp import ScriptedHttp, scripted_http
from tests.worlds.calls import Heard

Json = Any

TOOLS = """
upstream: crm
tools:
  echo:
    effect: none
    audience: self
    labels: {class: internal, trust: trusted}
    arguments:
      word: {role: content}
"""
TASK = """
task: look-up
purpose: Look up a customer
run_by: [note-bot]
requested_by: ["agent:note-bot", ana]
requires_person: false
grants:
  - tool: crm/echo
    arguments: {word: {length: {max: 100}}}
"""


class LeasingGateway(LiveGateway):
    """The gateway; `lease` is what `remit.yaml` says of the credential, as JSON, `section` what else of the
    upstream.
    """

    sample = False

    def __init__(self, folder: Path, lease: Json, settings: str = "", **section: Json) -> None:
        super().__init__(folder, settings, tasks={"look-up": TASK})
        self._section = section | ({"lease": lease} if lease else {})
        self.crm: ScriptedHttp

    async def _begin(self) -> None:
        port = free_port()
        self.crm = await self._stack.enter_async_context(scripted_http("modern", port))
        crm = json.dumps({"url": self.crm.url, "sender_constraint": "optional"} | self._section)
        written = (self.folder / "remit.yaml").read_text()
        (self.folder / "remit.yaml").write_text(
            written.replace("upstreams:\n", f"upstreams:\n  crm: {crm}\n", 1)
        )
        (self.folder / "tools" / "crm.yaml").write_text(TOOLS)
        await super()._begin()

    def open(self, person: str = "") -> tuple[str, str]:
        """Open a task, at the word of a person where it is for one; gives its id and a token."""

        async def opened() -> tuple[str, str]:
            agent = await self.services.identity.directory.agent("note-bot")
            asked = Opening(agent=agent.name, task_type="look-up", on_behalf_of=person)
            if person:
                who = await self.services.identity.directory.person(person)
                task = await self.services.tasks.tasks.open(asked, person=who)
            else:
                task = await self.services.tasks.tasks.open(asked, agent=agent)
            return task.id, await task_token(self.services, task.id, confirmation=HELD)

        return self.wait(opened())

    def call(self, token: str, word: str = "hello", tool: str = "echo") -> str:
        """Call a tool of `crm`; gives what the agent is given."""

        async def called() -> str:
            heard = Heard()
            asked = RequestedCall(
                token=token, proven=HELD, upstream="crm", name=tool, arguments={"word": word}
            )
            end = await self.services.mediation.mediator.run(asked, heard)
            assert isinstance(end, Answered), end
            return heard.chunks[-1].body.decode()

        return self.wait(called())

    def shown(self) -> list[dict[str, str]]:
        """Return the headers of the calls that reached the upstream."""
        return [headers for _, headers in self.crm.requests if headers.get("mcp-method") == "tools/call"]
