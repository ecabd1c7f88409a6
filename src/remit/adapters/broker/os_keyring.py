# SPDX-License-Identifier: Apache-2.0
"""Standing secrets in the operating system's keyring, as found by `keyring`.

A keyring may ask a person to unlock it, and keep the reader waiting that long. So each secret is read in a
separate thread, which a shutdown does not wait for. While one read is waiting, no other is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Final

import keyring
from keyring.errors import KeyringError

from remit.core.errors import KeyUnavailable
from remit.ports.secret_source import GONE, ReadSecret

PATIENCE_S: Final = 10.0


class OsKeyring:
    """`ports.secret_source.SecretSource`: names are `SERVICE/NAME`, split at the last `/`."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        """Start without reading anything."""
        self._patience_s = patience_s
        self._turn = asyncio.Lock()
        self._asking: asyncio.Future[str | None] | None = None

    async def read(self, name: str) -> ReadSecret:
        """Read a secret. A keyring reports neither versions nor times."""
        service, _, user = name.rpartition("/")
        async with self._turn:
            if self._asking is not None and not self._asking.done():
                raise _silent()
            self._asking = asking = _asked(service, user)
            try:
                async with asyncio.timeout(self._patience_s):
                    found = await asyncio.shield(asking)
            except TimeoutError:
                raise _silent() from None
            except KeyringError as fault:
                raise KeyUnavailable(
                    "the system's keyring cannot be read",
                    code="source-refused",
                    remediation="unlock it for the user that remit runs as; `python -m keyring diagnose` "
                    "shows "
                    "which one is used",
                    debug=str(fault),
                ) from None
        if found is None:
            raise KeyUnavailable(
                f"the system's keyring has no secret of `{user}` for `{service}`",
                code=GONE,
                remediation=f"store it with `keyring set {service} {user}`, as the user that remit runs as",
            )
        return ReadSecret(value=found)


def _asked(service: str, user: str) -> asyncio.Future[str | None]:
    """Start a read in a thread; its result is dropped if no caller waits for it."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def tell(found: str | None, fault: str) -> None:
        if answer.done():
            return
        if fault:
            answer.set_exception(KeyringError(fault))
            answer.exception()  # mark the exception as retrieved, even if no caller waits
        else:
            answer.set_result(found)

    def ask() -> None:
        found: str | None = None
        fault = ""
        try:
            found = keyring.get_password(service, user)
        except Exception as error:  # noqa: BLE001 - its parts raise faults of their own
            # The exception itself references the connection on which it occurred.
            fault = type(error).__name__
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(tell, found, fault)

    threading.Thread(target=ask, name="keyring", daemon=True).start()
    return answer


def _silent() -> KeyUnavailable:
    return KeyUnavailable(
        "the system's keyring does not answer",
        code="source-lost",
        remediation="unlock it for the user that remit runs as",
    )
