# SPDX-License-Identifier: Apache-2.0
"""The protected resources of this service: the possible audiences of a token (RFC 8707, RFC 9728)."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

#: The path of each resource under the public address.
JOINED_PATH = "/mcp"
HTTP_PATH = "/http"
API_PATH = "/api/v1"
#: The scope required at the gateway: the token acts within a task. The task's grants define its permissions.
TASK_SCOPE = "remit:task"


class Resources:
    """The gateway with all upstreams, with one upstream, with one HTTP API, and the management interface.

    INVARIANT: each resource has exactly one name; a token is for exactly the text that was requested.
    """

    def __init__(self, base: str, upstreams: Collection[str], apis: Collection[str] = ()) -> None:
        """Take the public address, without a trailing slash, and the names of the upstreams.

        `apis` are the upstreams that are HTTP APIs.
        """
        self.base = base
        self._upstreams = tuple(upstreams)
        self._apis = tuple(apis)

    @property
    def joined(self) -> str:
        """The gateway with all upstreams."""
        return self.base + JOINED_PATH

    @property
    def api(self) -> str:
        """The management interface."""
        return self.base + API_PATH

    def of(self, upstream: str) -> str:
        """Return the gateway's resource for one upstream."""
        return f"{self.joined}/{upstream}"

    def api_of(self, upstream: str) -> str:
        """Return the gateway's resource for one upstream that is an HTTP API, called as an HTTP API."""
        return f"{self.base}{HTTP_PATH}/{upstream}"

    @cached_property
    def _served(self) -> dict[str, tuple[str, ...]]:
        return {
            self.joined: self._upstreams,
            self.api: (),
            **{self.of(name): (name,) for name in self._upstreams},
            **{self.api_of(name): (name,) for name in self._apis},
        }

    def __contains__(self, resource: object) -> bool:
        """Return whether a resource belongs to this service."""
        return resource in self._served

    def upstreams(self, resource: str) -> tuple[str, ...]:
        """Return the upstreams that a resource reaches; none for a text that is not a resource of the
        gateway.
        """
        return self._served.get(resource, ())

    def within(self, *bounds: Collection[str]) -> frozenset[str] | None:
        """Return the upstreams that lie within every bound; each bound is a set of resources.

        An empty bound, or one that includes the gateway with all upstreams, does not restrict. Returns `None`
        where no bound restricts.
        """
        reached = [
            frozenset(name for one in bound for name in self.upstreams(one))
            for bound in bounds
            if bound and self.joined not in bound
        ]
        return frozenset.intersection(*reached) if reached else None
