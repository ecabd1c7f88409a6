# SPDX-License-Identifier: Apache-2.0
"""What upstreams say outside of calls, for the endpoints whose agents want to hear it."""

from __future__ import annotations

from collections.abc import Callable

from remit.core.json_value import Json


class Announcements:
    """Passes it on to each endpoint that listens."""

    def __init__(self) -> None:
        """Begin with no endpoint listening."""
        self._changed: list[Callable[[str, frozenset[str]], None]] = []
        self._notified: list[Callable[[str, str, Json], None]] = []
        self._closed: list[Callable[[], None]] = []

    def listen(
        self,
        changed: Callable[[str, frozenset[str]], None],
        notified: Callable[[str, str, Json], None],
        closed: Callable[[], None],
    ) -> None:
        """Call `changed(upstream, lists)` and `notified(upstream, method, params)` from now on.

        `closed()` is called before this process starts again.
        """
        self._changed.append(changed)
        self._notified.append(notified)
        self._closed.append(closed)

    def close(self) -> None:
        """End the streams of all listeners, which only announce: their agents open them again."""
        for closed in self._closed:
            closed()

    def changed(self, upstream: str, lists: frozenset[str]) -> None:
        """Report that these `LISTS` of an upstream changed: in what it offers, or in what was accepted of
        that.
        """
        for told in self._changed:
            told(upstream, lists)

    def notified(self, upstream: str, method: str, params: Json) -> None:
        """Report a notification that an upstream sent outside of any call."""
        for told in self._notified:
            told(upstream, method, params)
