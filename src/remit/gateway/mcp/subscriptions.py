# SPDX-License-Identifier: Apache-2.0
"""Streams of what upstreams announce: changed lists and updated resources.

A stream carries only announcements that its task may know of, and nothing of an upstream's own making: the
announcement is written again. The fence is looked at before each of them, and at every sign of life.
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
#: The filter keys of `subscriptions/listen` (2026-07-28), and what each asks for.
FILTER: Final = {
    "toolsListChanged": TOOLS_CHANGED,
    "promptsListChanged": PROMPTS_CHANGED,
    "resourcesListChanged": RESOURCES_CHANGED,
}
LIST_CHANGES: Final = frozenset(FILTER.values())
#: What tells that one of an upstream's `LISTS` has changed.
CHANGED: Final = {"tools": TOOLS_CHANGED, "prompts": PROMPTS_CHANGED, "resources": RESOURCES_CHANGED}
#: Announcements that wait for one slow agent; one more ends its stream.
MAX_WAITING: Final = 256

Announcement = tuple[str, str, str]
"""Method, upstream, and the URI of an updated resource."""


class Listener:
    """One stream of a task. `uris` are the resources it follows, as (upstream, URI)."""

    __slots__ = ("_waiting", "_wake", "closed", "methods", "place", "still", "task", "uris")

    def __init__(
        self, task: str, place: Place, methods: frozenset[str], still: Callable[[str], None]
    ) -> None:
        """Take what is followed; `still(upstream)` raises once the task may hear nothing from there."""
        self.task = task
        self.place = place
        self.methods = methods
        self.still = still
        self.uris: set[tuple[str, str]] = set()
        self.closed = False
        self._waiting: deque[Announcement] = deque()
        self._wake = asyncio.Event()

    def offer(self, method: str, upstream: str, uri: str = "") -> None:
        """Take in an announcement, if it is one that the stream follows."""
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
        """Return the next announcement, None when nothing came for a while or the stream is closed.

        Raises the fault with which the task has lost its right to it.
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
    """All streams of one process, and who follows which resource. Used from one event loop."""

    def __init__(self, *, per_task: int, total: int) -> None:
        """Take the bounds on streams."""
        self._per_task = per_task
        self._total = total
        self._listeners: set[Listener] = set()
        self._followers: dict[tuple[str, str, str], int] = {}

    def __len__(self) -> int:
        """How many streams there are."""
        return len(self._listeners)

    def add(self, listener: Listener) -> None:
        """Let a stream hear; raises `busy` at a bound."""
        own = sum(1 for one in self._listeners if one.task == listener.task)
        if own >= self._per_task or len(self._listeners) >= self._total:
            raise busy("too many streams are open")
        self._listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        """Let a stream hear nothing more."""
        listener.closed = True
        self._listeners.discard(listener)

    def follow(self, task: str, upstream: str, uri: str) -> None:
        """Count one more follower of a resource in a task."""
        key = (task, upstream, uri)
        self._followers[key] = self._followers.get(key, 0) + 1

    def unfollow(self, task: str, upstream: str, uri: str) -> bool:
        """Count one less; say whether it was the last."""
        key = (task, upstream, uri)
        left = self._followers.get(key, 0) - 1
        if left > 0:
            self._followers[key] = left
            return False
        return self._followers.pop(key, None) is not None

    def announce(self, method: str, upstream: str, uri: str = "") -> None:
        """Tell every stream that follows it."""
        for listener in list(self._listeners):
            listener.offer(method, upstream, uri)

    def end_task(self, task_id: str) -> int:
        """Close the streams of a task; gives how many that were."""
        own = [listener for listener in self._listeners if listener.task == task_id]
        for listener in own:
            listener.close()
        for key in [key for key in self._followers if key[0] == task_id]:
            del self._followers[key]
        return len(own)
