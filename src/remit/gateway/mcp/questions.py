# SPDX-License-Identifier: Apache-2.0
"""Questions to an approver, in the forms in which MCP can tell a client of them.

- a handle of the tasks extension, for a client that knows it (2026-07-28): the call is parked
- a request to open the question's page (elicitation by URL), in a result of 2026-07-28 and over the stream of
  a session; the client's answer says only that its person has seen it, and decides nothing
- text for all others (`call_failures`)

INVARIANT: a client's answer is no approval, and nothing is decided by it. So no state is given along, and a
forged answer gains a wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from remit.core.decisions.approval import Approval
from remit.core.decisions.deferred_call import DeferredStatus, Status
from remit.core.evidence.event import timestamp
from remit.core.json_value import Json
from remit.gateway.mcp.input_rounds import InputRequest

#: The key of remit's own question among the questions to a client.
OWN_KEY: Final = "remit/approval"
#: Milliseconds between two looks at a parked call. A look with `Remit-Wait` hears the answer at once.
POLL_MS: Final = 1000
#: The most questions of which is known that a client's person has seen them.
MAX_SEEN: Final = 10_000

_write = msgspec.json.Encoder().encode


class SeenQuestions:
    """The questions that people at clients were asked to open: each once, however often its call is made.

    In this process alone, and the latest ones only: a person may be asked a second time after a restart.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: OrderedDict[str, None] = OrderedDict()

    def add(self, question: str) -> None:
        """Note that a client's person has seen a question, or does not want to."""
        self._seen[question] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    def __contains__(self, question: str) -> bool:
        """Return whether a question was seen."""
        return question in self._seen


def opens_pages(able: Mapping[str, Json]) -> bool:
    """Return whether a client can have its person open an address (elicitation by URL)."""
    elicitation = able.get("elicitation")
    return isinstance(elicitation, dict) and "url" in elicitation


def page_question(question: Approval, page: str, *, session: bool = False) -> InputRequest:
    """Return the request to open a question's page; revisions with sessions want an id of it."""
    params: dict[str, Json] = {"mode": "url", "message": _told(question), "url": page}
    if session:
        params["elicitationId"] = question.id
    return InputRequest("elicitation/create", params)


def page_wanted(question: Approval, page: str) -> bytes:
    """Return the result of 2026-07-28 that asks a client to have a question's page opened."""
    return _write({"resultType": "input_required", "inputRequests": _requests(question, page)})


def without_own(params: dict[str, Json]) -> tuple[dict[str, Json], str]:
    """Return a call's params without the answer to remit's own question, and what that answer says."""
    responses = params.get("inputResponses")
    if not isinstance(responses, dict) or OWN_KEY not in responses:
        return params, ""
    rest = {key: one for key, one in responses.items() if key != OWN_KEY}
    params = {key: one for key, one in params.items() if key != "inputResponses"}
    return (params | {"inputResponses": rest} if rest else params), action_of(responses[OWN_KEY])


def action_of(response: Json) -> str:
    """Return what a client's person did: `accept`, or else `decline`."""
    return "accept" if isinstance(response, dict) and response.get("action") == "accept" else "decline"


def parked(question: Approval, page: str, *, created: bool = False, asks: bool = False) -> bytes:
    """Return the state of a parked call that waits; `asks`: its client is to open the page.

    `created` makes this the answer to the call itself.
    """
    until = question.expires.isoformat(timespec="seconds")
    message = f"{_told(question)} Approver: `remit approve {question.id}`, or {page}, before {until}."
    status, brings = Status.WORKING, b""
    if asks:
        status, brings = Status.INPUT_REQUIRED, _write(_requests(question, page))
    return written(question, status, brings, message=message, created=created)


def written(
    question: Approval,
    status: Status,
    brings: bytes = b"",
    *,
    changed: datetime | None = None,
    message: str = "",
    created: bool = False,
) -> bytes:
    """Return the state of a parked call, under its question's id; `changed`: since when it stands so."""
    standing = DeferredStatus(
        id=question.id,
        status=status,
        brings=brings,
        message=message,
        created=timestamp(question.requested),
        updated=timestamp(changed or question.decided or question.requested),
    )
    life_ms = max(int((question.expires - question.requested).total_seconds() * 1000), 0)
    return standing.written(question.id, at="", ttl_ms=life_ms, poll_ms=POLL_MS, created=created)


def _requests(question: Approval, page: str) -> dict[str, Json]:
    asked = page_question(question, page)
    return {OWN_KEY: {"method": asked.method, "params": asked.params}}


def _told(question: Approval) -> str:
    """Return what waits, for people and models. INVARIANT: it repeats no words of the agent."""
    return (
        f"The call of `{question.tool}` by `{question.agent}` is not decided yet; it waits for an approver."
    )
