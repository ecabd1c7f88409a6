# SPDX-License-Identifier: Apache-2.0
"""Sealing keys that OpenBao's transit engine creates and encrypts, and that only it can decrypt."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from remit.adapters.keys.file import sealing_id
from remit.adapters.keys.key_folder import KeyFolder, KeyFormat
from remit.adapters.keys.overlaps import SEALING_RULES
from remit.adapters.keys.rotation import RotatingSealing
from remit.adapters.keys.secret_files import check_folder, read_secret
from remit.adapters.keys.transit import SUFFIX, Reference, Remote, Transit, decode
from remit.core.errors import KeyUnavailable
from remit.core.keys.own_keys import HeldKey, KeyKind
from remit.ports.runtime import Clock


class BaoSealingKeys(RotatingSealing):
    """`ports.keys.SealingKeys`: random bytes that only OpenBao can decrypt; decrypted once, at opening."""

    kind = KeyKind.SEALING

    def __init__(self, folder: Path, clock: Clock, remote: Remote, opened: dict[Reference, bytes]) -> None:
        """Take a remote key and its decrypted sealing keys; see `open`."""
        self._folder = folder
        self._remote = remote
        self._opened = opened
        craft: KeyFormat[bytes] = KeyFormat(
            what="a sealing key that OpenBao has encrypted",
            suffix=SUFFIX,
            make=lambda _: msgspec.json.encode(remote.take()),
            read=self._known,
            name=sealing_id,
        )
        self._shelf = KeyFolder(folder, SEALING_RULES, craft, clock)

    @classmethod
    async def open(cls, folder: Path, clock: Clock, place: Transit) -> BaoSealingKeys:
        """Decrypt the keys, or create the first; raise `KeyUnavailable`."""
        remote = Remote(place, KeyKind.SEALING, "aes256-gcm96")
        check_folder(folder)
        async with contextlib.AsyncExitStack() as stack:
            if not _wrapped(folder):
                await stack.enter_async_context(remote.alone(folder))
            opened = {one: await remote.decrypt(one) for one in _wrapped(folder)}
            if not opened:
                reference, key = await remote.datakey()
                opened[reference] = key
                remote.keep(reference)
            return cls(folder, clock, remote, opened)

    async def refresh(self) -> bool:
        """Take over another process's changes; new keys are decrypted first."""
        if not self._shelf.changed:
            return False
        for one in _wrapped(self._folder):
            if one not in self._opened:
                self._opened[one] = await self._remote.decrypt(one)
        return self._shelf.refresh()

    def _known(self, data: bytes) -> bytes:
        reference = decode(data)
        if reference not in self._opened:
            raise KeyUnavailable(
                "another process has made a sealing key that is not decrypted here yet",
                remediation="try again in a second",
            )
        return self._opened[reference]

    async def rotate(self, *, at_once: bool = False, seen: str = "") -> HeldKey:
        """Create a new key for wrapping from now on."""
        async with self._remote.alone(self._folder):
            self._shelf.doubt()
            await self.refresh()
            self._shelf.expect(seen)
            reference, key = await self._remote.datakey()
            self._opened[reference] = key
            self._remote.keep(reference)
            return await self._shelf.rotate(at_once=at_once, seen=seen)

    async def retire(self, id: str) -> None:
        """Destroy a previous key."""
        async with self._remote.alone(self._folder):
            # The key folder takes over new keys of another process, which must be decrypted before.
            self._shelf.doubt()
            await self.refresh()
            await self._shelf.retire(id)


def _wrapped(folder: Path) -> list[Reference]:
    """Return the encrypted sealing keys in a folder."""
    found = []
    for file in sorted(folder.glob(f"{KeyKind.SEALING}-*.{SUFFIX}")):
        try:
            found.append(decode(read_secret(file)))
        except ValueError as fault:
            raise KeyUnavailable(
                f"`{file}` contains no sealing key",
                remediation="restore the file from a backup",
                debug=str(fault),
            ) from fault
    return found
