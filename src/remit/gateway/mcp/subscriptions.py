# SPDX-License-Identifier: Apache-2.0
"""Streams of upstreams' announcements: changed lists and updated resources.

A stream carries only announcements that its task may see, and no content of an upstream: remit writes each
announcement itself. The fence is checked before each announcement and each keep-alive.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from remit.gateway.mcp.listing import Place
from remit.gateway.mcp.messages import busy

TOOLS_CHANGED: Final = "notifications/tools/list_changed"
PROMPTS_CHANGED: Final = "notifications/prompts/list_changed"
RESOURCES_CHANGED: Final = "notifications/resources/list_changed"
RESOURCE_UPDATED: Final = "notifications/resources/updated"
#: The filter keys of `subscriptions/listen` (2026-07-28), and the notification for each.
FILTER: Final = {
    "toolsListChanged": TOOLS_CHANGED,
    "promptsListChanged": PROMPTS_CHANGED,
    "resourcesListChanged": RESOURCES_CHANGED,
}
LIST_CHANGES: Final = frozenset(FILTER.values())
#: The notification of a change in each of an upstream's `LISTS`.
CHANGED: Final = {"tools": TOOLS_CHANGED, "prompts": PROMPTS_CHANGED, "resources": RESOURCES_CHANGED}
#: Maximum number of pending announcements for one slow agent; a further one ends its stream.
MAX_WAITING: Final = 256

Announcement = tuple[str, str, str]
"""Method, upstream, and the URI of an updated resource."""


class Listener:
    """One stream of a task. `uris` are the followed resources, as (upstream, URI)."""

    __slots__ = ("_waiting", "_wake", "closed", "methods", "place", "still", "task", "uris")

    def __init__(
        self, task: str, place: Place, methods: frozenset[str], still: Callable[[str], None]
    ) -> None:
        """Keep what is followed; `still(upstream)` raises once the task may no longer receive its
        announcements.
        """
        self.task = task
        self.place = place
        self.methods = methods
        self.still = still
        self.uris: set[tuple[str, str]] = set()
        self.closed = False
        self._waiting: deque[Announcement] = deque()
        self._wake = asyncio.Event()

    def offer(self, method: str, upstream: str, uri: str = "") -> None:
        """Queue an announcement, if the stream follows it."""
        if self.closed or upstream not in self.place.upstreams:
            return
        followed = (upstream, uri) in self.uris if method == RESOURCE_UPDATED else method in self.methods
        if not followed or (method, upstream, uri) in self._waiting:
            return
        if len(self._waiting) >= MAX_WAITING:
            self.close()
            return
        self._waiting.append((method, upstream, uri))
        self._wake.set()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self._wake.set()

    async def next(self, patience_s: float) -> Announcement | None:
        """Return the next announcement; None after a timeout or if the stream is closed.

        Raise the error by which the task has lost its right to the stream.
        """
        if not self._waiting and not self.closed:
            self._wake.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._wake.wait()
            except TimeoutError:
                self.still("")
                return None
        if self.closed or not self._waiting:
            return None
        found = self._waiting.popleft()
        self.still(found[1])
        return found


class Subscriptions:
    """All streams of one process, and the followers of each resource. Used from one event loop."""

    def __init__(self, *, per_task: int, total: int) -> None:
        """Keep the limits on streams."""
        self._per_task = per_task
        self._total = total
        self._listeners: set[Listener] = set()
        self._followers: dict[tuple[str, str, str], int] = {}

    def __len__(self) -> int:
        """Return the number of streams."""
        return len(self._listeners)

    def add(self, listener: Listener) -> None:
        """Add a stream; raise `busy` at a limit."""
        own = sum(1 for one in self._listeners if one.task == listener.task)
        if own >= self._per_task or len(self._listeners) >= self._total:
            raise busy("too many streams are open")
        self._listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        """Remove a stream."""
        listener.closed = True
        self._listeners.discard(listener)

    def follow(self, task: str, upstream: str, uri: str) -> None:
        """Count one more follower of a resource in a task."""
        key = (task, upstream, uri)
        self._followers[key] = self._followers.get(key, 0) + 1

    def unfollow(self, task: str, upstream: str, uri: str) -> bool:
        """Count one follower less; return whether it was the last."""
        key = (task, upstream, uri)
        left = self._followers.get(key, 0) - 1
        if left > 0:
            self._followers[key] = left
            return False
        return self._followers.pop(key, None) is not None

    def announce(self, method: str, upstream: str, uri: str = "") -> None:
        """Queue an announcement in every stream that follows it."""
        for listener in list(self._listeners):
            listener.offer(method, upstream, uri)

    def close(self) -> None:
        """Close all streams."""
        for listener in list(self._listeners):
            listener.close()

    def end_task(self, task_id: str) -> int:
        """Close the streams of a task; return their number."""
        own = [listener for listener in self._listeners if listener.task == task_id]
        for listener in own:
            listener.close()
        for key in [key for key in self._followers if key[0] == task_id]:
            del self._followers[key]
        return len(own)
