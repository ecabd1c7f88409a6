# SPDX-License-Identifier: Apache-2.0
"""The negotiated protocol of an upstream over HTTP, and a legacy server's sessions, one for each task."""

import asyncio
from typing import Any

import msgspec

from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.http_call import Headers, HttpSession
from remit.adapters.upstream.mcp.http_requests import HttpPosts
from remit.adapters.upstream.mcp.jsonrpc import Message, write_notification
from remit.core.errors import Busy, UpstreamFault, UpstreamUnreachable
from remit.core.json_value import Json

MAX_SESSIONS = 10_000
_NOT_KNOWN = msgspec.Raw(b'{"code":-32601,"message":"not known"}')


class HttpSessions(HttpPosts):
    """An endpoint with its handshakes."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Start without a handshake."""
        super().__init__(*args, **settings)
        self.probe = True
        self.known: protocol_versions.Handshake | None = None
        self.stamp = protocol_versions.Stamp("")
        self.own: HttpSession | None = None
        self.connecting: asyncio.Task[protocol_versions.Handshake] | None = None
        self.param_headers: dict[str, protocol_versions.ParamHeaders] | None = None
        self.sessions: dict[str, HttpSession] = {}
        self.opening: dict[str, asyncio.Task[HttpSession]] = {}
        self.stopped = False

    async def connected(self) -> protocol_versions.Handshake:
        """Return the handshake; make it if there is none yet, once for all waiting callers."""
        if self.known is not None:
            return self.known
        if self.stopped:
            raise UpstreamUnreachable(f"upstream `{self.name}` is no longer in use", remediation="restart it")
        if self.connecting is None or self.connecting.done():
            self.connecting = asyncio.create_task(self._connect())
            self.connecting.add_done_callback(_retrieve)
        return await asyncio.shield(self.connecting)

    async def _connect(self) -> protocol_versions.Handshake:
        known, own = await self._shake_hands(self.credential, probe=self.probe)
        self.stamp = protocol_versions.Stamp(known.version)
        self.own = None if known.modern else own
        self.param_headers = None
        self.known = known
        return known

    async def _shake_hands(
        self, lease: Headers, *, probe: bool
    ) -> tuple[protocol_versions.Handshake, HttpSession]:
        session_id: bytes | None = None

        async def ask(method: str, params: dict[str, Json], version: str) -> Message:
            nonlocal session_id
            try:
                message, head = await self.ask(method, params, version, None, lease)
            except UpstreamFault as fault:
                status = getattr(fault, "status", 0)
                if (
                    method == protocol_versions.DISCOVER
                    and 400 <= status < 500
                    and status not in (401, 403, 429)
                ):
                    # An older server rejects the unknown method by an HTTP status.
                    return Message("2.0", error=_NOT_KNOWN)
                raise
            if method == protocol_versions.INITIALIZE:
                session_id = head.get(protocol_versions.SESSION_HEADER)
            return message

        known = await protocol_versions.negotiate(ask, self.name, probe=probe)
        session = HttpSession(known.version, session_id, lease)
        if not known.modern:
            told = write_notification(protocol_versions.INITIALIZED, {})
            await self.post(told, [*session.headers(), *lease])
        return known, session

    async def session_of(self, task: str, lease: Headers) -> HttpSession:
        """Return the task's session; open it if needed, once for all waiting callers."""
        if self.own is not None and self.own.id is None:
            return self.own  # the server keeps no sessions
        if len(self.sessions) >= MAX_SESSIONS:
            raise Busy(f"upstream `{self.name}` has {MAX_SESSIONS} sessions open", remediation="end a task")
        opening = self.opening.get(task)
        if opening is None:
            opening = self.opening[task] = asyncio.create_task(self._open_session(task, lease))
            opening.add_done_callback(_retrieve)
            opening.add_done_callback(lambda _: self.opening.pop(task, None))
        return await asyncio.shield(opening)

    async def _open_session(self, task: str, lease: Headers) -> HttpSession:
        known, session = await self._shake_hands(lease, probe=False)
        if known.modern:
            self.known = None
            raise UpstreamFault(
                f"upstream `{self.name}` has changed its protocol version",
                remediation="call again",
                code="upstream-version",
            )
        self.sessions[task] = session
        return session

    def forget_session(self, session: HttpSession) -> None:
        """Make the next call of its task open another session."""
        for task, known in tuple(self.sessions.items()):
            if known is session:
                del self.sessions[task]
                self.unfollow((task, ""))

    async def delete(self, session: HttpSession) -> None:
        """Notify the server that a session has ended."""
        await self.post(b"", [*session.headers(), *session.credential], method=b"DELETE")

    async def ask_own(self, method: str, params: dict[str, Json], version: str) -> Message:
        """Send one of remit's own requests in remit's own session."""
        message, _ = await self.ask(method, params, version, self.own, self.credential)
        return message


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Mark a task's exception as retrieved, so that asyncio does not report it if no caller waits."""
    if not task.cancelled():
        task.exception()
