# SPDX-License-Identifier: Apache-2.0
"""Discovery: from a resource to its authorization server (RFC 9728), and that server's metadata (RFC 8414).

A document is trusted only for its own subject: a resource's document must name that resource, and a server's
document must name the issuer for which it was fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from remit_sdk.errors import AgentFault, GatewayUnreachable
from remit_sdk.oauth.web import OAuthHttp, checked_url

Json = Any

RESOURCE_METADATA: Final = "/.well-known/oauth-protected-resource"
SERVER_METADATA: Final = "/.well-known/oauth-authorization-server"
OPENID_METADATA: Final = "/.well-known/openid-configuration"
_PARAMETER: Final = re.compile(r'([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_CHALLENGE: Final = re.compile(r"(?:^|,\s*)(?=[A-Za-z0-9-]+\s+[A-Za-z_]+=)")


class Challenge(NamedTuple):
    """The challenge of a protected resource (RFC 6750 section 3, RFC 9728 section 5.1)."""

    error: str = ""
    scope: str = ""
    resource_metadata: str = ""


class Resource(NamedTuple):
    """A protected resource's metadata: the resource, its issuer, its scopes."""

    resource: str
    issuer: str
    scopes: tuple[str, ...]


class IssuerMetadata(NamedTuple):
    """An authorization server's metadata."""

    issuer: str
    facts: dict[str, Json]

    def url(self, name: str) -> str:
        """Return one of its endpoints; raise `AgentFault` for a missing or unsafe one."""
        value = self.facts.get(name)
        if not isinstance(value, str) or not value:
            raise AgentFault(f"the authorization server `{self.issuer}` has no `{name}`")
        return checked_url(value)

    def names(self, name: str) -> tuple[str, ...]:
        """Return a list of strings in the metadata; empty if it is missing."""
        value = self.facts.get(name)
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()

    def says(self, name: str) -> bool:
        """Return whether a flag in the metadata is true."""
        return self.facts.get(name) is True


def read_challenge(headers: Mapping[str, str]) -> Challenge:
    """Return the `Bearer` or `DPoP` challenge in `WWW-Authenticate`; the first value of each parameter
    counts.
    """
    given = headers.getall("WWW-Authenticate", []) if hasattr(headers, "getall") else []
    found: dict[str, str] = {}
    for line in given or [headers.get("WWW-Authenticate", "")]:
        for part in _CHALLENGE.split(line):
            scheme, _, rest = part.strip().partition(" ")
            if scheme.lower() not in ("bearer", "dpop"):
                continue
            for name, quoted, plain in _PARAMETER.findall(rest):
                found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
    return Challenge(*(found.get(name, "") for name in Challenge._fields))


async def find_resource(web: OAuthHttp, url: str, challenge: Challenge) -> Resource:
    """Return the metadata of the resource at `url`; raise `AgentFault` if it names another resource."""
    for place in _resource_places(url, challenge.resource_metadata):
        page = await web.get(place)
        facts = page.json() if page.status == 200 else {}
        if not facts:
            continue
        resource = facts.get("resource")
        if not isinstance(resource, str) or not covers(resource, url):
            # RFC 9728 section 3.3: metadata that names another resource must not be used.
            raise AgentFault(f"`{place}` describes another resource than `{url}`")
        servers = facts.get("authorization_servers")
        if not isinstance(servers, list) or not servers or not isinstance(servers[0], str):
            raise AgentFault(f"`{place}` names no authorization server")
        scopes = facts.get("scopes_supported")
        known = tuple(map(str, scopes)) if isinstance(scopes, list) else ()
        return Resource(resource, servers[0], known)
    raise GatewayUnreachable(f"`{url}` does not name its authorization server")


async def find_server(web: OAuthHttp, issuer: str) -> IssuerMetadata:
    """Return the metadata of an authorization server; raise `AgentFault` if it names another issuer."""
    for place in _server_places(checked_url(issuer)):
        page = await web.get(place)
        facts = page.json() if page.status == 200 else {}
        if not facts:
            continue
        if facts.get("issuer") != issuer:
            # RFC 8414 section 3.3: identical by simple string comparison.
            raise AgentFault(f"`{place}` has another issuer than `{issuer}`")
        return IssuerMetadata(issuer, facts)
    raise GatewayUnreachable(f"the authorization server `{issuer}` publishes no metadata")


def covers(resource: str, url: str) -> bool:
    """Return whether a resource includes a URL: the same URL, or a path above it at the same origin."""
    try:
        one, other = urlsplit(resource), urlsplit(url)
        same = (one.scheme.lower(), one.hostname, one.port) == (
            other.scheme.lower(),
            other.hostname,
            other.port,
        )
    except ValueError:
        return False
    above, path = one.path.rstrip("/"), other.path.rstrip("/")
    return same and not one.fragment and (path == above or path.startswith(above + "/"))


def _resource_places(url: str, told: str) -> Iterator[str]:
    if told:
        yield checked_url(told)
        return
    parts = urlsplit(checked_url(url))
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    if path:
        yield base + RESOURCE_METADATA + path
    yield base + RESOURCE_METADATA


def _server_places(issuer: str) -> Iterator[str]:
    # RFC 8414 section 3.1 puts the well-known part before the path, OpenID Connect Discovery after it.
    parts = urlsplit(issuer)
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    yield base + SERVER_METADATA + path
    yield base + OPENID_METADATA + path
    if path:
        yield base + path + OPENID_METADATA
