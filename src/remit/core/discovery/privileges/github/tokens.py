# SPDX-License-Identifier: Apache-2.0
"""Tokens, apps and keys of GitHub as its API lists them, and what their permissions lead to.

Source: GitHub, "Scopes for OAuth apps", "Permissions required for GitHub Apps".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.values import mapping, objects, quoted, text, texts
from remit.core.json_value import Json

#: Classic scopes that include every right of their kind.
ADMINISTERING: Final = {
    "admin:org": "administers organizations",
    "admin:enterprise": "administers the enterprise",
    "site_admin": "administers the GitHub server",
    "delete_repo": "may delete repositories",
    "admin:repo_hook": "may send what happens in repositories elsewhere",
    "admin:org_hook": "may send what happens in organizations elsewhere",
}
#: Permissions of apps and fine-grained tokens by which their holder gains more, when written.
GAINING: Final = {
    "administration": "add itself as an administrator of a repository, or remove its protection",
    "organization_administration": "change the settings of the organization",
    "members": "add a person to teams of the organization",
    "organization_self_hosted_runners": "register a runner and receive the jobs of the organization",
}


class TokenHolder(msgspec.Struct, frozen=True, kw_only=True):
    """A token, an app or a key.

    `writes` are permissions that may be written, `scopes` those of classic tokens. `endless` ones
    never expire.
    """

    kind: str
    name: str
    place: FilePlace
    owner: str = ""
    scopes: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    everywhere: bool = False
    expires: datetime | None = None
    endless: bool = False
    used: datetime | None = None

    @property
    def by(self) -> str:
        """What it holds, in words."""
        held = sorted(self.scopes) or [f"{name}: write" for name in sorted(self.writes)]
        return "it holds " + ", ".join(map(quoted, held[:20]))


def holders(item: dict[str, Json], place: FilePlace) -> Iterator[TokenHolder]:
    """Yield what an object of the API's lists describes, if it is a token, an app or a key."""
    login = text(item, "login") or text(item, "owner", "login")
    if text(item, "app_slug") or (text(item, "slug") and "permissions" in item):
        name = text(item, "app_slug") or text(item, "slug")
        writes = _writes(mapping(item, "permissions"))
        everywhere = text(item, "repository_selection") == "all"
        yield TokenHolder(kind="app", name=name, place=place, writes=writes, everywhere=everywhere)
    elif "token_expires_at" in item or "token_expired" in item:
        if item.get("token_expired") is True:
            return
        permissions = mapping(item, "permissions")
        writes = _writes({k: v for part in permissions.values() for k, v in mapping(part).items()})
        expires = _time(text(item, "token_expires_at"))
        yield TokenHolder(
            kind="token",
            name=f"{login}/{text(item, 'token_name') or item.get('token_id') or item.get('id') or 'token'}",
            place=place,
            owner=login,
            writes=writes,
            everywhere=text(item, "repository_selection") == "all",
            expires=expires,
            endless=expires is None,
            used=_time(text(item, "token_last_used_at")),
        )
    elif text(item, "credential_type") == "personal access token" or "X-OAuth-Scopes" in item:
        given = text(item, "X-OAuth-Scopes")
        scopes = set(texts(item, "scopes")) | {s.strip() for s in given.split(",") if s.strip()}
        expires = _time(text(item, "authorized_credential_expires_at"))
        yield TokenHolder(
            kind="classic token",
            name=f"{login}/{text(item, 'token_last_eight')[-4:]}",
            place=place,
            owner=login,
            scopes=frozenset(scopes),
            everywhere=True,
            expires=expires,
            endless=expires is None and "authorized_credential_expires_at" in item,
            used=_time(text(item, "credential_accessed_at")),
        )
    elif item.get("read_only") is False and text(item, "key").startswith(("ssh-", "ecdsa-", "sk-")):
        writes = frozenset({"contents", "workflows"})
        yield TokenHolder(
            kind="deploy key", name=text(item, "title") or "deploy key", place=place, writes=writes
        )


def trusts(item: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield the name and the subject of what a cloud trusts GitHub Actions with; `*` is every repository."""
    actions = "token.actions.githubusercontent.com"
    if actions in text(item, "issuer") and "subject" in item:
        yield text(item, "name") or "federated credential", text(item, "subject")
    elif actions in text(item, "oidc", "issuerUri"):
        condition = text(item, "attributeCondition")
        narrow = any(word in condition for word in ("repository", "sub", "job_workflow_ref"))
        yield text(item, "name") or "provider", "" if narrow else "*"


def listed(document: Json, depth: int = 0) -> Iterator[dict[str, Json]]:
    """Yield the objects of an answer of the API: a list, or an object that holds one."""
    if isinstance(document, list) and depth < 4:
        for member in objects(document):
            yield from listed(member, depth + 1)
    elif isinstance(document, dict):
        yield document
        for name in ("installations", "tokens", "keys", "repositories", "federatedCredentials", "value"):
            if isinstance(document.get(name), list):
                yield from listed(document[name], depth + 1)


def _writes(permissions: dict[str, Json]) -> frozenset[str]:
    return frozenset(str(name) for name, level in permissions.items() if level in ("write", "admin"))


def _time(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
