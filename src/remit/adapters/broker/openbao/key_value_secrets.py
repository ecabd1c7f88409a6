# SPDX-License-Identifier: Apache-2.0
"""Standing secrets in OpenBao's key-value stores, of either version.

1. OpenBao reports the engine and version of a path (`sys/internal/ui/mounts`). remit asks once for each path.
2. One field of the secret is read. A value that is not a text, or was deleted or destroyed, is not a secret.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from remit.adapters.broker.openbao.client import BaoSource
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json
from remit.ports.secret_source import GONE, ReadSecret


class _Mount(NamedTuple):
    path: str
    versioned: bool


class KvSecrets:
    """`ports.secret_source.SecretSource`: names are `MOUNT/PATH#FIELD`."""

    def __init__(self, bao: BaoSource) -> None:
        """Store the OpenBao source."""
        self._bao = bao
        self._mounts: dict[str, _Mount] = {}

    async def read(self, name: str) -> ReadSecret:
        """Do steps 1 and 2."""
        path, _, field = name.partition("#")
        mount = self._mounts.get(path) or await self._mount(path)
        below = path.removeprefix(mount.path)
        answer = await self._bao.ask("GET", f"{mount.path}data/{below}" if mount.versioned else path)
        told = answer.object.get("data")
        if answer.status in (403, 404):
            # The engine may have been mounted again.
            self._mounts.pop(path, None)
            why = "remit may not read it" if answer.status == 403 else "it does not exist"
            raise _no(path, why, GONE)
        if answer.status != 200 or not isinstance(told, dict):
            raise _no(path, f"status {answer.status}")
        if answer.object.get("lease_id"):
            raise _no(path, "it is leased and would need revocation", GONE)
        data, about = (told.get("data"), told.get("metadata")) if mount.versioned else (told, {})
        value = data.get(field) if isinstance(data, dict) else None
        if not isinstance(value, str) or not isinstance(about, dict):
            raise _no(path, f"it has no field `{field[:80]}` with a text", GONE)
        version = about.get("version")
        return ReadSecret(
            value=value,
            since=_when(about.get("created_time")),
            version=version if type(version) is int else 0,
            until=_when(about.get("deletion_time")),
        )

    async def _mount(self, path: str) -> _Mount:
        """Do step 1."""
        answer = await self._bao.ask("GET", f"sys/internal/ui/mounts/{path}")
        told = answer.object.get("data")
        if answer.status in (403, 404):
            raise _no(path, "remit may read nothing there", GONE)
        if answer.status != 200 or not isinstance(told, dict):
            raise _no(path, f"status {answer.status}")
        mount, kind, options = told.get("path"), told.get("type"), told.get("options")
        if kind not in ("kv", "generic") or not isinstance(mount, str) or not path.startswith(mount):
            raise _no(path, "it is in no key-value store", GONE)
        found = _Mount(mount, isinstance(options, dict) and options.get("version") == "2")
        self._mounts[path] = found
        return found


def _when(told: Json) -> datetime | None:
    try:
        found = datetime.fromisoformat(told)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def _no(path: str, why: str, code: str = "source-refused") -> KeyUnavailable:
    return KeyUnavailable(
        f"OpenBao returned no secret at `{path}`: {why}",
        code=code,
        remediation="check with `bao kv get`, and check the policy of remit's login there",
    )
