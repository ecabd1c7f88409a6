# SPDX-License-Identifier: Apache-2.0
"""Publishing a secret to OpenBao's versioned key-value store, from which others read it.

A new version is written under compare-and-swap, so that no other writer's version is overwritten. The older
versions are destroyed: they hold secrets that must no longer be accepted.
"""

from __future__ import annotations

from remit.adapters.broker.openbao.client import BaoSource, bao_refused
from remit.core.json_value import Json


class KvPath:
    """One field of one secret."""

    def __init__(self, bao: BaoSource, mount: str, path: str, field: str) -> None:
        """Store the location: the mount of a KV engine of version 2, and the path below it."""
        self._bao = bao
        self._mount = mount.strip("/")
        self._path = path.strip("/")
        self._field = field

    async def put(self, secret: str) -> None:
        """Write a secret as the newest version and destroy the others; raises `KeyUnavailable`.

        A secret that is already the newest version is not written again.
        """
        data, version = await self._now()
        if data.get(self._field) != secret:
            body = {"data": data | {self._field: secret}, "options": {"cas": version}}
            answer = await self._bao.ask("POST", f"{self._mount}/data/{self._path}", body)
            told = answer.object.get("data")
            if answer.status != 200 or not isinstance(told, dict) or type(told.get("version")) is not int:
                raise bao_refused(self._path, f"status {answer.status}")
            version = told["version"]
        if version > 1:
            older = {"versions": list(range(max(1, version - 100), version))}
            answer = await self._bao.ask("POST", f"{self._mount}/destroy/{self._path}", older)
            if answer.status not in (200, 204):
                raise bao_refused(self._path, f"status {answer.status} to destroying older versions")

    async def _now(self) -> tuple[dict[str, Json], int]:
        answer = await self._bao.ask("GET", f"{self._mount}/data/{self._path}")
        told = answer.object.get("data")
        if answer.status == 404 and not isinstance(told, dict):
            return {}, 0
        metadata = told.get("metadata") if isinstance(told, dict) else None
        version = metadata.get("version") if isinstance(metadata, dict) else None
        if answer.status not in (200, 404) or not isinstance(told, dict) or type(version) is not int:
            raise bao_refused(self._path, f"status {answer.status}")
        # A deleted version has a number, but no data.
        return told.get("data") or {}, version
