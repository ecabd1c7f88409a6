# SPDX-License-Identifier: Apache-2.0
"""A gateway as people run it, with an HTTP API `records` of one operation behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from remit.core.decisions.mediation import Answered
from remit.services.mediation.mediator import RequestedCall
from remit.services.tasks.tasks import Opening
from tests.gateways.live_gateway import LiveGateway
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import Heard

Json = Any

API = {
    "openapi": "3.1.0",
    "info": {"title": "Records", "version": "1"},
    "paths": {
        "/crm/{key}": {
            "get": {
                "operationId": "getRecord",
                "parameters": [
                    {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "part", "in": "query", "schema": {"type": "string"}},
                    {"name": "x-amz-request-payer", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {"200": {"description": "ok", "content": {"text/xml": {}}}},
            }
        }
    },
}
TOOLS = """
upstream: records
tools:
  getRecord:
    effect: none
    audience: self
    labels: {class: internal, trust: trusted}
    arguments:
      key: {role: content}
      part: {role: content}
      x-amz-request-payer: {role: content}
"""
TASK = """
task: read-records
purpose: Read records
run_by: [note-bot]
requested_by: ["agent:note-bot"]
requires_person: false
grants:
  - tool: records/getRecord
    arguments: {key: {length: {max: 100}}}
    other_arguments: true
"""


class ApiGateway(LiveGateway):
    """The gateway; `records` is what `remit.yaml` says of the API, as JSON."""

    def __init__(self, folder: Path, records: Json) -> None:
        super().__init__(folder, tasks={"read-records": TASK})
        self._records = {"openapi": "records.json", "sender_constraint": "optional", **records}

    async def _begin(self) -> None:
        (self.folder / "records.json").write_text(json.dumps(API))
        written = (self.folder / "remit.yaml").read_text()
        (self.folder / "remit.yaml").write_text(
            written.replace("upstreams:\n", f"upstreams:\n  records: {json.dumps(self._records)}\n", 1)
        )
        (self.folder / "tools" / "records.yaml").write_text(TOOLS)
        await super()._begin()

    def open(self) -> tuple[str, str]:
        """Open a task; gives its id and a token."""

        async def opened() -> tuple[str, str]:
            agent = await self.services.identity.directory.agent("note-bot")
            opening = Opening(agent=agent.name, task_type="read-records")
            task = await self.services.tasks.tasks.open(opening, agent=agent)
            return task.id, await task_token(self.services, task.id, confirmation=HELD)

        return self.wait(opened())

    def get(self, token: str, **arguments: str) -> str:
        """Get a record; gives what the agent is given."""

        async def called() -> str:
            heard = Heard()
            asked = RequestedCall(
                token=token, proven=HELD, upstream="records", name="getRecord", arguments=dict(arguments)
            )
            end = await self.services.mediation.mediator.run(asked, heard)
            assert isinstance(end, Answered), end
            return heard.chunks[-1].body.decode()

        return self.wait(called())
