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

    def listen(
        self,
        changed: Callable[[str, frozenset[str]], None],
        notified: Callable[[str, str, Json], None],
    ) -> None:
        """Have `changed(upstream, lists)` and `notified(upstream, method, params)` called from now on."""
        self._changed.append(changed)
        self._notified.append(notified)

    def changed(self, upstream: str, lists: frozenset[str]) -> None:
        """What an upstream offers, or what of it was accepted, has changed in these of its `LISTS`."""
        for told in self._changed:
            told(upstream, lists)

    def notified(self, upstream: str, method: str, params: Json) -> None:
        """An upstream has sent a notification that belongs to no call."""
        for told in self._notified:
            told(upstream, method, params)
