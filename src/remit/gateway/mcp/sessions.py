# SPDX-License-Identifier: Apache-2.0
"""Sessions of the protocol revisions until 2025-11-25.

A session is a convenience of the protocol and proves nothing: each of its requests has a token, and a session
answers only to the agent, person and task that opened it. For any other caller it does not exist.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.gateway.mcp.listing import Place
from remit.gateway.mcp.messages import INVALID_REQUEST, ClientReply, RequestId, WireFault, busy
from remit.gateway.mcp.subscriptions import Listener
from remit.ports.runtime import Clock, Entropy


class Session:
    """One session: the agreed version and capabilities of its client, and its requests in progress."""

    __slots__ = (
        "_questions", "able", "agent", "asked", "dropped", "in_hand", "listener", "log_level",
        "on_behalf_of", "path", "task", "uris", "used_s", "version",
    )  # fmt: skip

    def __init__(self, claims: AccessClaims, place: Place, version: str, now_s: float) -> None:
        """Bind the session to the caller that opened it."""
        self.agent = claims.client_id
        self.on_behalf_of = claims.subject
        self.task = claims.task
        self.path = place.path
        self.version = version
        self.log_level = ""
        self.able: dict[str, Json] = {}
        self._questions = 0
        #: Requests of the server that wait for the client's answer, by their ID.
        self.asked: dict[RequestId, asyncio.Future[dict[str, Json] | None]] = {}
        self.in_hand: dict[RequestId, asyncio.Task[Any]] = {}
        self.dropped: set[RequestId] = set()
        self.listener: Listener | None = None
        self.uris: set[tuple[str, str]] = set()
        self.used_s = now_s

    @property
    def idle(self) -> bool:
        """Whether the session has no request in progress and no stream."""
        return not self.in_hand and self.listener is None

    def belongs_to(self, claims: AccessClaims, place: Place) -> bool:
        """Return whether the session belongs to this caller, at this endpoint path."""
        return (
            self.task == claims.task
            and self.agent == claims.client_id
            and self.on_behalf_of == claims.subject
            and self.path == place.path
        )

    def cancel(self, request_id: Json) -> None:
        """Cancel a request in progress, if there is one with this ID."""
        if isinstance(request_id, str | int) and (task := self.in_hand.get(request_id)) is not None:
            self.dropped.add(request_id)
            task.cancel()

    def next_question(self) -> str:
        """Return an ID for a request of the server, unique in this session."""
        self._questions += 1
        return f"remit-{self._questions}"

    def answered(self, reply: ClientReply) -> None:
        """Give an answer to the request that waits for it; drop an unexpected answer."""
        waiting = self.asked.get(reply.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply.result)


class Sessions:
    """All sessions of one process. Used from one event loop."""

    def __init__(self, clock: Clock, entropy: Entropy, *, per_task: int, total: int, idle_s: float) -> None:
        """Keep the limits; a session that is idle for `idle_s` seconds is closed."""
        self._clock = clock
        self._entropy = entropy
        self._per_task = per_task
        self._total = total
        self._idle_s = idle_s
        # Least recently used first.
        self._all: OrderedDict[str, Session] = OrderedDict()
        self._by_task: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self._all)

    def open(
        self, claims: AccessClaims, place: Place, version: str, able: dict[str, Json] | None = None
    ) -> str:
        """Open a session and return its ID; a task's oldest idle session makes room. Raise `busy` at the
        limit.

        `able` are the questions that its client can answer.
        """
        now_s = self._clock.boot_s()
        self._forget_idle(now_s)
        own = self._by_task.setdefault(claims.task, set())
        if len(own) >= self._per_task:
            self._make_room(own)
        if len(self._all) >= self._total:
            raise busy("too many sessions are open")
        session_id = self._entropy.bytes(20).hex()
        self._all[session_id] = session = Session(claims, place, version, now_s)
        session.able = able or {}
        self._by_task.setdefault(claims.task, set()).add(session_id)
        return session_id

    def find(self, session_id: bytes, claims: AccessClaims, place: Place) -> Session:
        """Return the caller's own session; raise a 404 for any other session, as for an unknown one."""
        if not session_id:
            raise WireFault(
                "header `mcp-session-id` is missing",
                INVALID_REQUEST,
                status=400,
                code="no-session",
                remediation="start with `initialize`",
            )
        name = session_id.decode("latin-1")
        session = self._all.get(name)
        now_s = self._clock.boot_s()
        if session is not None and session.idle and now_s - session.used_s > self._idle_s:
            self.close(name)
            session = None
        if session is None or not session.belongs_to(claims, place):
            raise WireFault(
                "the session does not exist",
                INVALID_REQUEST,
                status=404,
                code="no-session",
                remediation="start again with `initialize`",
            )
        session.used_s = now_s
        self._all.move_to_end(name)
        return session

    def close(self, session_id: str) -> None:
        """End a session: cancel its requests and close its stream."""
        session = self._all.pop(session_id, None)
        if session is None:
            return
        own = self._by_task.get(session.task)
        if own is not None:
            own.discard(session_id)
            if not own:
                del self._by_task[session.task]
        for request_id in list(session.in_hand):
            session.cancel(request_id)
        if session.listener is not None:
            session.listener.close()

    def end_task(self, task_id: str) -> int:
        """End all sessions of a task; return their number."""
        own = list(self._by_task.get(task_id, ()))
        for session_id in own:
            self.close(session_id)
        return len(own)

    def _make_room(self, own: set[str]) -> None:
        for session_id, session in self._all.items():
            if session_id in own and session.idle:
                self.close(session_id)
                return
        raise busy("this task has too many sessions")

    def _forget_idle(self, now_s: float) -> None:
        stale = []
        for session_id, session in self._all.items():
            if now_s - session.used_s <= self._idle_s:
                break
            if session.idle:
                stale.append(session_id)
        for session_id in stale:
            self.close(session_id)
