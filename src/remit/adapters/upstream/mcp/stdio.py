# SPDX-License-Identifier: Apache-2.0
"""An MCP server that is a process: started, used over its standard streams, and restarted when it ends.

One process serves all tasks, or one task alone (`task_processes`): a legacy server has one session, so its
session state is shared by every task that it serves. See docs/explanation/upstreams.md.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from remit.adapters.upstream.bounds import Backoff, BufferBound, OnState, Reachability
from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.catalogue import ask_for_all
from remit.adapters.upstream.mcp.jsonrpc import Message, RequestId
from remit.adapters.upstream.mcp.local_call import LocalExchange
from remit.adapters.upstream.mcp.stdio_call import ListenExchange, StdioExchange
from remit.adapters.upstream.mcp.stdio_session import MAX_UNWRITTEN_BYTES, StdioSession
from remit.adapters.upstream.processes.guard import CANNOT_START
from remit.adapters.upstream.processes.supervisor import Apart, Clean, as_it_is, end_user, own_environment
from remit.adapters.upstream.processes.user_ids import UserIds
from remit.core.errors import Busy, ConfigInvalid, RemitError, UpstreamUnreachable
from remit.core.json_value import Json
from remit.ports.runtime import Entropy
from remit.ports.upstream import Call, Catalogue, Exchange

log = logging.getLogger(__name__)

MAX_CALLS = 1024


class McpStdio:
    """`ports.upstream.Upstream` over a supervised process.

    The environment of the process is `env`, plus PATH, HOME and LANG. `on_state(name, up)` is called when the
    process is lost and when it answers again. With `probe=False` only the legacy handshake is tried. `clean`
    removes secrets from the process's log lines. `apart` is whether the process is kept apart from other
    programs of its user. Its separate user id comes from `users`; without `users` it runs as remit's user.

    Times in seconds:

    - `start_timeout_s`: for the handshake and each of remit's own requests.
    - `probe_timeout_s`: for a legacy server's silence to the modern request.
    - `grace_s`: between asking a process to end and killing it.
    - `patience_s`: for the process to end by itself after its input is closed (default: `grace_s`).
    - `lease_s`: after this time without a sign of life from remit, the guard ends the process (0: only when
      remit is gone).

    `counts` counts dropped messages by reason (`malformed`, `late`, `unattributed`, `dropped`), and
    `restarts`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        entropy: Entropy,
        bound: BufferBound,
        env: Mapping[str, str] | None = None,
        cwd: str = ".",
        max_result_bytes: int = 64 * 1024 * 1024,
        start_timeout_s: float = 60.0,
        probe_timeout_s: float = 10.0,
        grace_s: float = 2.0,
        patience_s: float | None = None,
        lease_s: float = 0.0,
        restart_base_s: float = 0.5,
        restart_max_s: float = 60.0,
        probe: bool = True,
        on_state: OnState | None = None,
        clean: Clean = as_it_is,
        apart: Apart = "where-possible",
        users: UserIds | None = None,
    ) -> None:
        """Start no process yet; raises `ConfigInvalid` for an unusable command."""
        if not command or not all(command) or any("\0" in part for part in command):
            raise ConfigInvalid(f"upstream `{name}` has no usable command", key="command")
        self.name = name
        self.counts: Counter[str] = Counter()
        #: The number of started processes that are not known to be gone completely.
        self._unseen = 0
        self._burying: asyncio.Task[int] | None = None
        self._command = tuple(command)
        self._env = own_environment(env or {}, own_home=users is not None)
        self._apart, self._users = apart, users
        self._cwd = cwd
        self.bound = bound
        self._max_result_bytes = max_result_bytes
        self._start_timeout_s = start_timeout_s
        self._probe_timeout_s = probe_timeout_s
        self._grace_s = grace_s
        self._patience_s = grace_s if patience_s is None else patience_s
        self._lease_s = lease_s
        self._backoff = Backoff(entropy, base_s=restart_base_s, max_s=restart_max_s)
        self._restart_max_s = restart_max_s
        self._clean = clean
        self._reachability = Reachability(name, on_state)
        self._session: StdioSession | None = None
        self._probe = self._may_probe = probe
        self._retry_at: float | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._up_since = 0.0
        self._first: asyncio.Future[None] | None = None
        self._kept: dict[tuple[str, str], RequestId] = {}
        self._on_change: Callable[[], None] = lambda: None
        self._on_notification: Callable[[str, Json], None] = lambda method, params: None

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Start the process and negotiate the protocol version.

        If this raises, the upstream is down, and remit restarts it with back-off until `stop`.
        """
        self._on_change, self._on_notification = on_change, on_notification
        self._first = asyncio.get_running_loop().create_future()
        self._supervision = asyncio.create_task(self._supervise(), name=f"upstream {self.name}")
        await asyncio.shield(self._first)

    async def catalogue(self) -> Catalogue:
        """Read every list now."""
        session = self._ready()
        assert session.handshake is not None
        asked = await ask_for_all(self._asker(session), session.handshake, self.name)
        return asked.catalogue

    async def prepare(self, call: Call, headers: dict[str, str]) -> Exchange:
        """Serialise a call for the process; a process takes no credential per call, so `headers` is empty.

        Raises `Busy` while the process does not keep up with its input.
        """
        session = self._ready()
        if headers:
            raise ConfigInvalid(
                f"upstream `{self.name}` is a process and cannot receive a credential with a call",
                remediation="give it in the upstream's `env`",
            )
        self.bound.admit()
        if len(session.calls) >= MAX_CALLS or session.child.unwritten_bytes > MAX_UNWRITTEN_BYTES:
            raise Busy(f"upstream `{self.name}` is overloaded with calls", remediation="try again")
        assert session.handshake is not None
        if session.handshake.modern:
            if call.method == protocol_versions.SUBSCRIBE:
                return ListenExchange(session, call, self._kept)
            if call.method == protocol_versions.UNSUBSCRIBE:
                key = (call.task, str(call.params.get("uri")))
                return LocalExchange(lambda: self._unlisten(key))
        return StdioExchange(session, call)

    async def end_task(self, task: str) -> None:
        """End the task's subscriptions at a modern process; a process keeps no other state per task."""
        for key in [key for key in self._kept if key[0] == task]:
            self._unlisten(key)

    async def stop(self) -> None:
        """End the process and everything that it started."""
        if (supervision := self._supervision) is not None:
            supervision.cancel()
            # Not awaited directly: the caller's own cancellation must not be confused with the task's.
            await asyncio.wait({supervision})
            if self._burying is not None:
                # The supervision may have been cancelled while it waited for the end.
                await asyncio.shield(self._burying)
            self._supervision = None
        if self._first is not None and not self._first.done():
            self._first.set_exception(self._down())

    # Helpers of the methods above.

    def _ready(self) -> StdioSession:
        session = self._session
        if session is None or not session.child.alive:
            raise self._down()
        return session

    def _down(self) -> UpstreamUnreachable:
        if self._supervision is None or self._supervision.done():
            remediation = "start it"
        elif self._retry_at is None:
            remediation = "it is starting; try again"
        else:
            left = max(0.0, self._retry_at - asyncio.get_running_loop().time()) + 0.5
            remediation = f"it restarts in {left:.0f} s"
        return UpstreamUnreachable(f"upstream `{self.name}` is not running", remediation=remediation)

    def _unlisten(self, key: tuple[str, str]) -> None:
        request_id = self._kept.pop(key, None)
        if request_id is not None and self._session is not None:
            self._session.unlisten(request_id)

    def _asker(self, session: StdioSession) -> protocol_versions.Ask:
        async def ask(method: str, params: dict[str, Json], version: str) -> Message:
            timeout_s = (
                self._probe_timeout_s if method == protocol_versions.DISCOVER else self._start_timeout_s
            )
            return await session.ask(method, params, version, timeout_s=timeout_s)

        return ask

    # The lifecycle of the process.

    @property
    def none_left(self) -> bool:
        """Whether every process that was started is known to be gone completely."""
        return not self._unseen

    @property
    def enclosed(self) -> str:
        """The first process of its PID namespace, whose end ends all of it; empty if it has no namespace."""
        return self._session.child.enclosed if self._session is not None else ""

    async def _supervise(self) -> None:
        """Start the process, wait for its end, wait with back-off, start it again."""
        loop = asyncio.get_running_loop()
        while True:
            self._retry_at = None
            fault = await self._one_life()
            self._reachability.tell(False, fault)
            self._settle_start(fault)
            if self._up_since and loop.time() - self._up_since > self._restart_max_s:
                # It ran long enough not to count as a process that fails repeatedly.
                self._backoff.reset()
            self._up_since = 0.0
            wait_s = self._backoff.next_s()
            self._retry_at = loop.time() + wait_s
            log.warning("upstream %s is lost, restarting in %.1f s: %s", self.name, wait_s, fault)
            await asyncio.sleep(wait_s)
            self.counts["restarts"] += 1

    async def _one_life(self) -> UpstreamUnreachable:
        """Run one process from its start to its end; return the fault that ended it."""
        session = StdioSession(
            self.name,
            max_result_bytes=self._max_result_bytes,
            bound=self.bound,
            counts=self.counts,
            on_change=self._on_change,
            on_notification=self._on_notification,
            clean=self._clean,
        )
        child = session.child
        fault: RemitError | None = None
        user = 0
        self._unseen += 1
        try:
            user = self._users.take() if self._users is not None else 0
            await child.start(
                self._command, self._env, self._cwd, self._grace_s, self._lease_s, self._apart, user
            )
            await self._begin(session)
            await child.ended.wait()
        except RemitError as failed:
            fault = failed
        finally:
            # INVARIANT: before another process starts, no call is pending and nothing of the old process is
            # left.
            self._session = None
            self._kept.clear()
            session.end()
            self._burying = asyncio.create_task(self._bury(session, user), name=f"end of {self.name}")
            status = await asyncio.shield(self._burying)
        if isinstance(fault, UpstreamUnreachable) and status != CANNOT_START and not child.ended.is_set():
            return fault
        words = " | ".join(child.last_words)
        # For the operator: only the program's own output shows why it ended.
        log.warning("upstream %s, last output: %s", self.name, words or "none")
        if status == CANNOT_START:
            return UpstreamUnreachable(
                f"the program `{self._command[0]}` of upstream `{self.name}` cannot be started",
                remediation="check its `command`, and its last output in remit's log",
                debug=words,
            )
        return UpstreamUnreachable(
            f"the process of upstream `{self.name}` ended with status {status}",
            remediation="check its last output in remit's log",
            debug=words,
        )

    async def _begin(self, session: StdioSession) -> None:
        """Make the handshake, and permit calls."""
        probed = self._probe
        # If the process ends at the modern request, the next one is not sent it; after that remit alternates.
        self._probe = self._may_probe and not probed
        known = await protocol_versions.negotiate(self._asker(session), self.name, probe=probed)
        self._probe = probed
        session.handshake = known
        session.stamp = protocol_versions.Stamp(known.version)
        if not known.modern:
            session.tell(protocol_versions.INITIALIZED, {})
        elif known.changes():
            session.listen(known.changes(), next(session.ids))
        self._session = session
        self._up_since = asyncio.get_running_loop().time()
        again = self._first is not None and self._first.done()
        self._reachability.tell(True)
        self._settle_start(None)
        if again:
            # The lists may have changed during the restart.
            self._on_change()

    async def _bury(self, session: StdioSession, user: int) -> int:
        status = await session.child.stop(self._patience_s)
        self._unseen -= session.child.none_left
        if user and self._users is not None:
            # Its guard has done this already, unless the guard was killed before.
            await asyncio.to_thread(end_user, user)
            self._users.free(user)
        return status

    def _settle_start(self, fault: UpstreamUnreachable | None) -> None:
        first = self._first
        if first is not None and not first.done():
            if fault is None:
                first.set_result(None)
            else:
                first.set_exception(fault)
