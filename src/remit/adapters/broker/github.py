# SPDX-License-Identifier: Apache-2.0
"""GitHub: one installation token of an app per task, narrowed by repository and permission.

1. remit proves that it is the app by a JWT signed with the app's key (RS256, at most ten minutes), and asks
   for a token of the installation for these repositories with these permissions. GitHub reads an empty list
   as "all", so remit never sends an empty one. An answer that grants more than was asked for is not used.
2. The token revokes itself (DELETE /installation/token).
3. The token is probed at GitHub, which is the sink (GET /installation/repositories).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from remit.adapters.broker.http import BrokerHttp, BrokerResponse, until_of
from remit.adapters.broker.injection import Injection
from remit.adapters.broker.narrowing import fill, texts_of
from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.json_value import Json
from remit.ports.broker import LeaseWanted, Probe, UnfitCredential, UpstreamCredential
from remit.ports.runtime import Clock

VERSION: Final = "2022-11-28"
#: GitHub's limit is ten minutes; its clock may be behind ours.
JWT_LIFE: Final = timedelta(minutes=9)
JWT_EARLY: Final = timedelta(seconds=60)
LEVELS: Final = ("read", "write", "admin")
_REPOSITORY: Final = re.compile(r"(?:([A-Za-z0-9-]{1,39})/)?([A-Za-z0-9._-]{1,100})")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,2000}")


class GitHubApp(msgspec.Struct, frozen=True, kw_only=True):
    """The app and installation, and the rights of a task's token.

    `repositories` are names, with task values in braces. `permissions` apply to every token, those of
    `tool_permissions` only where the task was granted the tool.
    """

    api: str
    app: str
    installation: int
    owner: str
    repositories: Sequence[str]
    permissions: Mapping[str, str] = {}
    tool_permissions: Mapping[str, Mapping[str, str]] = {}


class GitHubBroker:
    """`ports.broker.Broker` for one installation of a GitHub App."""

    kind = "github-token"
    standing = False
    #: Only the token itself identifies it: a token whose answer was lost expires within the hour.
    traceable = False

    def __init__(
        self,
        app: GitHubApp,
        private_key: Callable[[], str],
        *,
        web: BrokerHttp,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Store the app; `private_key` returns its key as PEM for each JWT."""
        self._app = app
        self._private_key = private_key
        self._web = web
        self._clock = clock
        self._injection = Injection.of_bearer(headers, env)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Implement step 1; raises `KeyUnavailable`."""
        repositories, permissions = self._repositories(wanted), self._permissions(wanted)
        path = f"/app/installations/{self._app.installation}/access_tokens"
        asked = {"repositories": repositories, "permissions": permissions}
        answer = await self._ask("POST", path, self._jwt(), asked)
        told = answer.object
        token = told.get("token")
        if answer.status != 201:
            kind = NothingDone if 400 <= answer.status < 500 else KeyUnavailable
            raise self._refused("a token", f"status {answer.status}", kind)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise self._refused("a token", "its answer contains none")
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        found = UpstreamCredential(
            lease=wanted.lease,
            sink=f"{self._app.owner}/{','.join(repositories)}",
            until=until_of(told.get("expires_at")),
            # The bare token is a secret in the basic form too: the basic form can be decoded.
            secrets=(token, basic) if self._injection.uses("basic") else (token,),
            handle={"token": token},
        )
        try:
            self._see_narrow(told, repositories, permissions)
            carried = self._injection.filled({"token": token, "basic": basic}, "GitHub")
        except KeyUnavailable as why:
            raise UnfitCredential(why, found) from None
        return msgspec.structs.replace(found, headers=carried.headers, env=carried.env)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Revoke the token (step 2). Raises `KeyUnavailable`. A token that GitHub no longer knows counts as
        revoked.
        """
        token = credential.handle.get("token", "")
        if not token:
            raise KeyUnavailable(
                f"the token of lease `{credential.lease}` can no longer be read",
                code="lease-unreadable",
                remediation="restore the sealing keys, or wait until it expires",
            )
        await self._take_back(token)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Do step 3."""
        token = credential.handle.get("token", "")
        if not token:
            return Probe.UNREACHABLE
        try:
            answer = await self._ask("GET", "/installation/repositories?per_page=1", token)
        except KeyUnavailable:
            return Probe.UNREACHABLE
        if _unknown(answer):
            return Probe.REFUSED
        # GitHub also answers 403 and 429 to a client that asks too often.
        return Probe.ACCEPTED if answer.status == 200 else Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    def _repositories(self, wanted: LeaseWanted) -> list[str]:
        names = []
        for text in fill(list(self._app.repositories), texts_of(wanted), _names_one):
            found = _REPOSITORY.fullmatch(text)
            if found is None or found[2] in (".", "..") or (found[1] or self._app.owner) != self._app.owner:
                raise NothingDone(
                    f"`{text[:80]}` is not a repository of `{self._app.owner}`",
                    code="lease-parameter",
                    remediation="constrain the parameter in the task type to names of its repositories",
                )
            names.append(found[2])
        return list(dict.fromkeys(names))

    def _permissions(self, wanted: LeaseWanted) -> dict[str, str]:
        found = dict(self._app.permissions)
        for tool in wanted.tools:
            for name, level in self._app.tool_permissions.get(tool, {}).items():
                found[name] = max(found.get(name, level), level, key=LEVELS.index)
        if not found:
            raise NothingDone(
                "no granted tool of the task has permissions for its token",
                code="lease-parameter",
                remediation="give `permissions`, or `tool_permissions` for the tool",
            )
        return found

    def _see_narrow(self, told: dict[str, Json], repositories: list[str], asked: dict[str, str]) -> None:
        """Implement step 1; raises `KeyUnavailable`."""
        given, known = told.get("permissions"), told.get("repositories")
        names = {one.get("name") for one in known or () if isinstance(one, dict)}
        # GitHub adds `metadata: read` to every other permission.
        allowed = {"metadata": "read"} | asked
        if (
            told.get("repository_selection") != "selected"
            or not isinstance(known, list)
            or not names <= set(repositories)
            or not isinstance(given, dict)
            or not all(_within(level, allowed.get(name)) for name, level in given.items())
        ):
            raise self._refused("a token", "it issued one with more permissions than requested")

    def _jwt(self) -> str:
        now = self._clock.now()
        claims = {
            "iss": self._app.app,
            "iat": int((now - JWT_EARLY).timestamp()),
            "exp": int((now + JWT_LIFE).timestamp()),
        }
        try:
            key = RSAKey.import_key(self._private_key())
            return jwt.encode({"alg": "RS256"}, claims, key)
        except (JoseError, ValueError):
            raise NothingDone(
                "the private key of the GitHub App cannot be used",
                code="source-refused",
                remediation="store the app's PEM file from GitHub",
            ) from None

    async def _take_back(self, token: str) -> None:
        answer = await self._ask("DELETE", "/installation/token", token)
        if answer.status != 204 and not _unknown(answer):
            raise self._refused("to revoke a token", f"status {answer.status}")

    async def _ask(self, method: str, path: str, token: str, body: Json = None) -> BrokerResponse:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": VERSION,
            "User-Agent": "remit",
        }
        return await self._web.ask(method, f"{self._app.api}{path}", headers=headers, json=body)

    def _refused(self, what: str, why: str, kind: type[KeyUnavailable] = KeyUnavailable) -> KeyUnavailable:
        return kind(
            f"GitHub refuses {what}: {why}",
            code="source-refused",
            remediation="check the app's permissions, the installation's repositories and the app's key",
        )


def _within(level: Json, allowed: str | None) -> bool:
    return level in LEVELS and allowed is not None and LEVELS.index(level) <= LEVELS.index(allowed)


def _names_one(text: str) -> bool:
    return _REPOSITORY.fullmatch(text) is not None


def _unknown(answer: BrokerResponse) -> bool:
    """Return whether GitHub itself no longer knows a token.

    A proxy before GitHub can answer 401 for a token that is alive.
    """
    return answer.status == 401 and answer.object.get("message") == "Bad credentials"
