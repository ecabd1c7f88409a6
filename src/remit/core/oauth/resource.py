# SPDX-License-Identifier: Apache-2.0
"""The protected resources of a gateway: what a token can be for (RFC 8707, RFC 9728)."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

#: Where each resource lies under the public address.
JOINED_PATH = "/mcp"
HTTP_PATH = "/http"
API_PATH = "/api/v1"
#: What a token needs at the gateway: it acts within a task. What the task may do stands in its grants.
TASK_SCOPE = "remit:task"


class Resources:
    """The gateway with all upstreams, with one upstream, with one HTTP API, and the management interface.

    INVARIANT: two names of one resource do not exist; a token is for exactly the text that was asked for.
    """

    def __init__(self, base: str, upstreams: Collection[str], apis: Collection[str] = ()) -> None:
        """Take the public address, without a slash at its end, and the names of the upstreams; `apis` are
        those of them that are HTTP APIs.
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
        """Return the gateway's resource for one upstream that is an HTTP API, called as such."""
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
        """Whether a resource is of this gateway."""
        return resource in self._served

    def upstreams(self, resource: str) -> tuple[str, ...]:
        """Return the upstreams that are reached at a resource; none for what is no resource of the
        gateway.
        """
        return self._served.get(resource, ())

    def within(self, *bounds: Collection[str]) -> frozenset[str] | None:
        """Return the upstreams that lie within every bound, each of which is resources; `None` where nothing
        is bounded. No resources are no bound, and neither is the gateway with all upstreams.
        """
        reached = [
            frozenset(name for one in bound for name in self.upstreams(one))
            for bound in bounds
            if bound and self.joined not in bound
        ]
        return frozenset.intersection(*reached) if reached else None
