# SPDX-License-Identifier: Apache-2.0
"""Memory bound for buffered answers of all upstreams together, and back-off between attempts."""

from collections import Counter
from collections.abc import Callable

from remit.core.errors import Busy, UpstreamFault
from remit.ports.runtime import Entropy


class BufferBound:
    """Counts the bytes of buffered answers, over all upstreams that share it. For one event loop.

    A call of a task that already holds another answer may hold more only while the task's total does not
    exceed the space that then remains free. So however slowly a task reads, space is left for the others.

    Answers smaller than `UNCOUNTED_BYTES` are not counted: their number is bounded by the number of
    connections and of calls.
    """

    UNCOUNTED_BYTES = 64 * 1024

    def __init__(self, max_buffered_bytes: int) -> None:
        """Start with nothing buffered."""
        self.max_buffered_bytes = max_buffered_bytes
        self.held_bytes = 0
        self.by_task: Counter[str] = Counter()

    def admit(self) -> None:
        """Raise `Busy` if no new request may be sent now."""
        if self.held_bytes >= self.max_buffered_bytes:
            raise Busy(
                f"{self.held_bytes} bytes of answers wait for their readers",
                remediation="try again, or raise `max_buffered_bytes`",
            )

    def takes(self, more: int, task: str, held: int) -> bool:
        """Return whether a call of a task may hold `more` bytes; `held` is what the call holds already."""
        left = self.max_buffered_bytes - self.held_bytes - more
        own = self.by_task[task]
        return left >= 0 and (not task or own == held or own + more <= left)

    def change(self, more: int, task: str) -> None:
        """Add to the count, or subtract with a negative number."""
        self.held_bytes += more
        if task:
            self.by_task[task] += more
            if not self.by_task[task]:
                del self.by_task[task]


class HeldBytes:
    """The bytes that one call holds of a `BufferBound`."""

    __slots__ = ("_bound", "_task", "size_bytes")

    def __init__(self, bound: BufferBound, task: str = "") -> None:
        """Start with no bytes held; without a task, they count only towards the total."""
        self._bound = bound
        self._task = task
        self.size_bytes = 0

    def resize(self, size_bytes: int) -> None:
        """Set the number of bytes held.

        Raises `UpstreamFault` if the total, or the task's share of it, would be too large.
        """
        counted = size_bytes if size_bytes > BufferBound.UNCOUNTED_BYTES else 0
        more = counted - self.size_bytes
        if more > 0 and not self._bound.takes(more, self._task, self.size_bytes):
            raise UpstreamFault(
                "answers of all upstreams together exceed the memory limit",
                sent=True,
                remediation="try again when other calls have ended, or raise `max_buffered_bytes`",
                code="upstream-too-large",
            )
        if more:
            self._bound.change(more, self._task)
            self.size_bytes = counted

    def release(self) -> None:
        """Set the number of bytes held to zero."""
        if self.size_bytes:
            self._bound.change(-self.size_bytes, self._task)
            self.size_bytes = 0


class Backoff:
    """Exponential waits with jitter: half of each wait is random, so that many clients do not retry at
    once.
    """

    def __init__(self, entropy: Entropy, *, base_s: float, max_s: float) -> None:
        """Start at the shortest wait."""
        self._entropy = entropy
        self._base_s = base_s
        self.max_s = max_s
        self.failures = 0

    def next_s(self) -> float:
        """Count a failure; return the seconds to wait after it."""
        longest = min(self.max_s, self._base_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        chance = int.from_bytes(self._entropy.bytes(4), "big") / 2**32
        return longest * (0.5 + chance / 2)

    def reset(self) -> None:
        """Reset the count of failures."""
        self.failures = 0


#: Receives the name of the upstream, whether it is reachable, and if not, why.
OnState = Callable[[str, bool, str], None]


class Reachability:
    """Reachability of an upstream, reported once for each change (`UPSTREAM_LOST`, `UPSTREAM_RESTORED`)."""

    def __init__(self, name: str, on_state: OnState | None) -> None:
        """Assume that the upstream is reachable until a failure is reported."""
        self._name = name
        self._on_state = on_state
        self.up = True

    def tell(self, up: bool, fault: Exception | None = None) -> None:
        """Report whether the upstream is reachable, and if not, by which fault."""
        if up != self.up:
            self.up = up
            if self._on_state is not None:
                self._on_state(self._name, up, getattr(fault, "message", ""))
