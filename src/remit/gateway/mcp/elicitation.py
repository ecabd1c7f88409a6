# SPDX-License-Identifier: Apache-2.0
"""Questions to a session's client (until 2025-11-25), over the stream of the call to which they belong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import orjson

from remit.core.json_value import Json
from remit.gateway.mcp.input_rounds import InputRequest
from remit.gateway.mcp.messages import INTERNAL_ERROR, WireFault
from remit.gateway.mcp.response import Answer
from remit.gateway.mcp.sessions import Session

#: Seconds for all answers to one result together: people need time to read, think and type.
PATIENCE_S: Final = 900.0


async def ask_client(
    session: Session, answer: Answer, questions: Mapping[str, InputRequest]
) -> dict[str, dict[str, Json]]:
    """Ask all questions at once and return the answers by the keys of the questions; raise `WireFault`.

    INVARIANT: an answer is accepted only from the session that was asked, and only once.
    """
    loop = asyncio.get_running_loop()
    waiting: dict[str, asyncio.Future[dict[str, Json] | None]] = {}
    ids = []
    try:
        for key, question in questions.items():
            request_id = session.next_question()
            ids.append(request_id)
            waiting[key] = session.asked[request_id] = loop.create_future()
            request = {"jsonrpc": "2.0", "id": request_id, "method": question.method}
            await answer.ask(orjson.dumps({**request, "params": question.params or {}}))
        async with asyncio.timeout(PATIENCE_S):
            given = {key: await future for key, future in waiting.items()}
    except TimeoutError:
        raise _unanswered("in time") from None
    finally:
        for request_id in ids:
            del session.asked[request_id]
    found = {key: one for key, one in given.items() if one is not None}
    if len(found) != len(given):
        raise _unanswered("what the upstream asked")
    return found


def _unanswered(what: str) -> WireFault:
    return WireFault(
        f"the client did not answer {what}",
        INTERNAL_ERROR,
        code="not-answered",
        remediation="call again, and answer",
    )
