# SPDX-License-Identifier: Apache-2.0
"""`ports.replicas.wakeup.Waker` over NATS (core NATS, not JetStream: a wake that comes late is useless).

Subjects are `CHANNEL.all` and `CHANNEL.to.EAR`. A connection that is lost is made again, with secrets that
are read again.

- The server itself bounds what it hands over: each subscription is for `BURST` messages, and a new one is
  made once a second at most; where others use them up, less and less often.
- `tls://` means a handshake before anything is said. Without that a server, or who poses as one, could ask
  for the secrets in the clear.
- Once connected, a message of our own must come back over each subject before it counts as connected: a user
  who may not publish or subscribe is told by nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from remit.adapters.waker.credentials_file import Creds
from remit.core.errors import RemitError

log = logging.getLogger("remit.replicas")

#: Messages that are taken in at once, of each subject; then no more in this period.
BURST: Final = 1000
#: Seconds between two subscriptions; up to the second, where others use them up again and again.
PERIOD_S: Final = (1.0, 30.0)
#: Seconds before a new attempt, doubled up to the second.
AGAIN_S: Final = (0.25, 5.0)
#: Seconds for the connection, for an answer to what is sent, and between two signs of life.
PATIENCE_S: Final = 2
#: Bytes that wait to be sent, and to be looked at.
WAITING_BYTES: Final = 256 * 1024
#: How the messages begin by which a connection shows itself that it works.
_ECHO: Final = b"echo "


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown to the server; all of it secret."""

    user: str = ""
    password: str = ""
    token: str = ""
    credentials: str = ""

    def __repr__(self) -> str:
        """Tell nothing."""
        return "Login()"

    def shown(self) -> dict[str, Any]:
        """Return it as the library takes it; raises `KeyUnavailable`."""
        if self.credentials:
            creds = Creds(self.credentials)
            return {"user_jwt_cb": lambda: bytearray(creds.jwt.encode()), "signature_cb": creds.signed}
        given = {"user": self.user, "password": self.password, "token": self.token}
        return {name: value for name, value in given.items() if value}


class NatsWaker:
    """Wakes over NATS. `login` and `tls` are read for each connection."""

    def __init__(
        self,
        servers: Sequence[str],
        channel: str,
        *,
        login: Callable[[], Login] = Login,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        """Take the addresses, all `tls://` or all `nats://`, and the beginning of all subjects."""
        self._servers = list(servers)
        self._channel = channel
        self._login = login
        self._tls = tls
        self._ear = ""
        self._heard: Callable[[bytes], None] = lambda _: None
        self._through: Callable[[], None] = lambda: None
        self._client: Client | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._echo = b""
        self._unproven: set[str] = set()
        self._told = ""
        self._why = "not connected yet"

    @property
    def channel(self) -> str:
        """What all subjects begin with."""
        return self._channel

    @property
    def fault(self) -> str:
        """Why nothing comes through now."""
        return self._why

    async def begin(self, ear: str, heard: Callable[[bytes], None], through: Callable[[], None]) -> None:
        """Connect, and stay connected."""
        self._ear, self._heard, self._through = ear, heard, through
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def send(self, message: bytes, to: str = "") -> None:
        """Publish, where there is a connection."""
        client = self._client
        if client is None or not client.is_connected:
            return
        with contextlib.suppress(Error, OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await client.publish(self._subject(to), message)

    async def close(self) -> None:
        """Leave."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._why = "closed"

    def _subject(self, to: str = "") -> str:
        return f"{self._channel}.to.{to}" if to else f"{self._channel}.all"

    def _subjects(self) -> tuple[str, str]:
        return self._subject(), self._subject(self._ear)

    # Staying connected.

    async def _keep(self) -> None:
        pause_s = AGAIN_S[0]
        while True:
            self._told, why = "", "the connection was lost"
            try:
                await self._once()
            except (Error, OSError, TimeoutError, RemitError) as fault:
                why = str(fault) or type(fault).__name__
            except Exception as fault:
                log.exception("the library of NATS failed")
                why = repr(fault)
            if not self._why:
                pause_s = AGAIN_S[0]
            self._away(self._told or why)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, AGAIN_S[1])

    def _away(self, why: str) -> None:
        if why != self._why:
            log.warning("NATS wakes nobody, and replicas look with each renewal: %s", why)
        self._why = why

    async def _once(self) -> None:
        """Connect, and return once the connection is lost."""
        options = self._login().shown()
        if self._servers[0].startswith("tls://"):
            options |= {"tls": self._tls() or ssl.create_default_context(), "tls_handshake_first": True}
        client = Client()
        self._client = client
        try:
            await self._connect(client, options)
            await self._listen(client)
        finally:
            self._client = None
            with contextlib.suppress(Error, OSError, TimeoutError, RuntimeError, AssertionError):
                async with asyncio.timeout(PATIENCE_S):
                    await client.close()

    async def _connect(self, client: Client, options: dict[str, Any]) -> None:
        async with asyncio.timeout(PATIENCE_S * (2 + len(self._servers))):
            await client.connect(
                servers=self._servers,
                name="remit",
                error_cb=self._complained,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=PATIENCE_S,
                ping_interval=PATIENCE_S,
                max_outstanding_pings=2,
                pending_size=WAITING_BYTES,
                flush_timeout=PATIENCE_S,
                **options,
            )

    async def _complained(self, fault: Exception) -> None:
        """Keep what the library or the server says of what does not work."""
        self._told = str(fault) or type(fault).__name__

    async def _listen(self, client: Client) -> None:
        pause_s = PERIOD_S[0]
        self._unproven = set(self._subjects())
        while client.is_connected:
            subscriptions = [await self._subscribed(client, subject) for subject in self._subjects()]
            taken = await self._until_used_up(client, subscriptions)
            for one in subscriptions:
                with contextlib.suppress(Error):
                    await one.unsubscribe()
            if taken < BURST:
                pause_s = PERIOD_S[0]
                continue
            self._away(f"more is sent on `{self._channel}` than replicas send")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PERIOD_S[1])
            self._unproven = set(self._subjects())

    async def _until_used_up(self, client: Client, subscriptions: list[Subscription]) -> int:
        """Return once half of what a subscription is for has come, after a period at least; give how many."""
        taken = 0
        while client.is_connected and taken < BURST // 2:
            for subject in tuple(self._unproven):
                # What is said here must come back to us.
                self._echo = self._echo or _ECHO + client.new_inbox().encode()
                await client.publish(subject, self._echo)
            await asyncio.sleep(PERIOD_S[0])
            if self._unproven:
                self._away(self._told or f"what is sent on `{self._channel}` does not come back")
            taken = max(one.delivered for one in subscriptions)
        return taken

    async def _subscribed(self, client: Client, subject: str) -> Subscription:
        made = await client.subscribe(
            subject, cb=self._got, pending_msgs_limit=BURST, pending_bytes_limit=WAITING_BYTES
        )
        # INVARIANT: the server hands over no more than this, whoever sends how much.
        await made.unsubscribe(limit=BURST)
        return made

    async def _got(self, message: Msg) -> None:
        if not message.data.startswith(_ECHO):
            self._heard(message.data)
        elif message.data == self._echo:
            self._unproven.discard(message.subject)
            if not self._unproven and self._why:
                log.info("NATS wakes replicas on `%s`", self._channel)
                self._why = ""
                self._through()
