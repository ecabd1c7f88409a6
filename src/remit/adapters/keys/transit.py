# SPDX-License-Identifier: Apache-2.0
"""OpenBao's transit engine: versions of a key, signatures, and the local record of each version.

Beside each book, every version has a file. For a signing key it holds the version's number in transit and its
public half, so that checking needs no OpenBao and an exchanged key is noticed. For a sealing key it holds the
32 bytes as encrypted by transit.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from remit.adapters.keys.file import SEALING_BYTES
from remit.adapters.keys.key_folder import KeyFormat
from remit.adapters.keys.key_versions import Rules, read_book
from remit.adapters.keys.openbao_client import Bao
from remit.adapters.keys.secret_files import alone, check_folder
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json
from remit.core.keys.own_keys import KeyKind

SUFFIX = "bao"
#: Seconds that a change waits for another process's change, which makes some requests to OpenBao.
PATIENCE_S = 5.0


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file content of one version.

    `public` is the public half as transit shows it, `certificate` the authority's certificate in base64 DER,
    `wrapped` a sealing key encrypted by transit.
    """

    key: str
    version: int = 0
    public: str = ""
    certificate: str = ""
    wrapped: str = ""


@dataclass(frozen=True, slots=True)
class Transit:
    """The place of the keys in OpenBao: server, mount of the transit engine, prefix of key names."""

    bao: Bao
    mount: str = "transit"
    prefix: str = "remit"


class Remote:
    """One transit key of ours, whose versions are created before they enter a key folder."""

    def __init__(self, place: Transit, kind: KeyKind, type: str) -> None:
        """Set the key's name and its `type` in transit's terms."""
        self._place = place
        self.name = f"{place.prefix}-{kind}"
        self._type = type
        self._stock: list[Reference] = []
        self._newest = 0

    def alone(self, folder: Path) -> AbstractAsyncContextManager[None]:
        """Keep every other process with the same folder from changing this key during the block.

        INVARIANT: one process at a time changes the key. Otherwise another process could have versions
        destroyed that this one has created but not yet stored, and OpenBao refuses every later version of a
        key that is rotated while it is trimmed.
        """
        return alone(folder / f".{self.name}.lock", PATIENCE_S)

    async def stock(self, count: int, shelved: int = 0) -> None:
        """Ensure that `count` fresh versions newer than `shelved` are in stock; raise `KeyUnavailable`.

        Another process may have had older versions destroyed.
        """
        self._stock = [one for one in self._stock if one.version > shelved]
        while len(self._stock) < count:
            self._stock.append(await self._fresh())

    def take(self) -> Reference:
        """Remove and return the next fresh version."""
        if not self._stock:
            raise KeyUnavailable(f"no new version of `{self.name}` is available", remediation="restart remit")
        return self._stock.pop(0)

    def keep(self, reference: Reference) -> None:
        """Add a version to the stock."""
        self._stock.append(reference)

    @property
    def count(self) -> int:
        """The number of versions in stock."""
        return len(self._stock)

    async def _fresh(self) -> Reference:
        path = f"{self._place.mount}/keys/{self.name}"
        found = await self._place.bao.read(path)
        if found is None:
            found = await self._place.bao.write(path, type=self._type) or await self._place.bao.read(path)
        else:
            found = await self._place.bao.write(f"{path}/rotate") or await self._place.bao.read(path)
        return self._reference(found or {})

    def _reference(self, found: dict[str, Json]) -> Reference:
        try:
            version = int(found["latest_version"])
            if found["type"] != self._type or found.get("exportable") or found.get("derived"):
                raise ValueError("of another type, exportable or derived")
            public = str(found["keys"][str(version)]["public_key"])
        except (KeyError, TypeError, ValueError) as fault:
            raise KeyUnavailable(
                f"`{self.name}` in OpenBao is not a non-exportable {self._type} key",
                remediation="move it away; remit then creates one",
                debug=str(fault),
            ) from fault
        if version <= self._newest:
            # For example from a stale replica: the version to be replaced would keep signing.
            raise odd(self.name, f"version {version} is not new")
        self._newest = version
        return Reference(key=self.name, version=version, public=public)

    async def sign(self, version: int, data: bytes, *, jws: bool = False) -> bytes:
        """Return the signature over `data` under one version; raise `KeyUnavailable`."""
        ecdsa = self._type.startswith("ecdsa")
        path = f"{self._place.mount}/sign/{self.name}" + ("/sha2-256" if ecdsa else "")
        body: dict[str, Json] = {"input": base64.b64encode(data).decode(), "key_version": version}
        if ecdsa:
            body["marshaling_algorithm"] = "jws" if jws else "asn1"
        found = await self._place.bao.write(path, **body)
        try:
            _, number, signature = str(found["signature"]).split(":")
            if number != f"v{version}":
                raise ValueError(number)
            return base64.b64decode(signature + "=" * (-len(signature) % 4), b"-_" if jws else b"+/", True)
        except (KeyError, ValueError, binascii.Error) as fault:
            raise odd(self.name, str(fault)) from fault

    async def trim(self, lowest: int) -> None:
        """Let transit destroy the versions before `lowest`."""
        path = f"{self._place.mount}/keys/{self.name}"
        await self._place.bao.write(
            f"{path}/config", min_decryption_version=lowest, min_encryption_version=lowest
        )
        await self._place.bao.write(f"{path}/trim", min_available_version=lowest)

    async def datakey(self) -> tuple[Reference, bytes]:
        """Create 32 random bytes; return their reference, encrypted by transit, and the bytes."""
        path = f"{self._place.mount}/keys/{self.name}"
        if await self._place.bao.read(path) is None:
            await self._place.bao.write(path, type=self._type)
        found = await self._place.bao.write(
            f"{self._place.mount}/datakey/plaintext/{self.name}", bits=8 * SEALING_BYTES
        )
        reference = Reference(key=self.name, wrapped=str(found.get("ciphertext", "")))
        key = _plain(self.name, found)
        # INVARIANT: nothing is sealed under a key that could not be decrypted at the next start.
        if await self.decrypt(reference) != key:
            raise odd(self.name, "the encrypted key is another one")
        return reference, key

    async def decrypt(self, reference: Reference) -> bytes:
        """Return the bytes that `datakey` created."""
        found = await self._place.bao.write(
            f"{self._place.mount}/decrypt/{self.name}", ciphertext=reference.wrapped
        )
        return _plain(self.name, found)


def _plain(name: str, found: dict[str, Json]) -> bytes:
    try:
        key = base64.b64decode(str(found["plaintext"]), validate=True)
    except (KeyError, binascii.Error) as fault:
        raise odd(name, str(fault)) from fault
    if len(key) != SEALING_BYTES:
        raise odd(name, "not of 32 bytes")
    return key


def odd(name: str, debug: str = "") -> KeyUnavailable:
    """Return the error for an answer that does not match our key."""
    return KeyUnavailable(
        f"OpenBao's signature by `{name}` does not verify with the key that is known here",
        code="key-store-odd",
        remediation="find out who changed the key in OpenBao",
        debug=debug,
    )


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """One version in a key folder: its file content, and its public half in the form that its kind needs."""

    reference: Reference
    public: Any


@asynccontextmanager
async def first_versions(remote: Remote, folder: Path, rules: Rules) -> AsyncIterator[None]:
    """Put the first versions in stock if there is no book; the block creates the book."""
    check_folder(folder)
    if read_book(folder, rules.kind) is not None:
        yield
        return
    async with remote.alone(folder):
        if read_book(folder, rules.kind) is None:
            await remote.stock(2 if rules.ahead else 1)
        yield


def remote_craft(
    remote: Remote, read: Callable[[Reference], Any], name: Callable[[RemoteKey], str]
) -> KeyFormat[RemoteKey]:
    """Return the key format of keys in transit; `read` returns the public half, or raises `ValueError`."""

    def whole(data: bytes) -> RemoteKey:
        reference = decode(data)
        if reference.key != remote.name:
            raise ValueError(f"of `{reference.key}`")
        return RemoteKey(reference, read(reference))

    return KeyFormat(
        what=f"a version of `{remote.name}` in OpenBao",
        suffix=SUFFIX,
        make=lambda _: msgspec.json.encode(remote.take()),
        read=whole,
        name=name,
    )


def decode(data: bytes) -> Reference:
    """Decode a reference; raise `ValueError`."""
    return msgspec.json.decode(data, type=Reference)
