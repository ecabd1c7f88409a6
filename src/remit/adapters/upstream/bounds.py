# SPDX-License-Identifier: Apache-2.0
"""How much of all upstreams together may wait in memory, and how long to wait before trying one again."""

from collections import Counter
from collections.abc import Callable

from remit.core.errors import Busy, UpstreamFault
from remit.ports.runtime import Entropy


class BufferBound:
    """Counts the bytes of answers in hand, over all upstreams that share it. For one event loop.

    A task that has one answer in hand may take as much for more as is left free after that: so however little
    it reads, something is left for the others.

    Answers smaller than `UNCOUNTED_BYTES` are not counted: how many of those there can be is bounded by the
    number of connections and of calls.
    """

    UNCOUNTED_BYTES = 64 * 1024

    def __init__(self, max_buffered_bytes: int) -> None:
        """Begin with nothing in hand."""
        self.max_buffered_bytes = max_buffered_bytes
        self.held_bytes = 0
        self.by_task: Counter[str] = Counter()

    def admit(self) -> None:
        """Raise `Busy` if nothing more may be asked for now."""
        if self.held_bytes >= self.max_buffered_bytes:
            raise Busy(
                f"{self.held_bytes} bytes of answers wait for their readers",
                remediation="try again, or raise `max_buffered_bytes`",
            )

    def takes(self, more: int, task: str, held: int) -> bool:
        """Return whether a call of a task may hold more; `held` is what it holds already."""
        left = self.max_buffered_bytes - self.held_bytes - more
        own = self.by_task[task]
        return left >= 0 and (not task or own == held or own + more <= left)

    def change(self, more: int, task: str) -> None:
        """Count more, or less."""
        self.held_bytes += more
        if task:
            self.by_task[task] += more
            if not self.by_task[task]:
                del self.by_task[task]


class HeldBytes:
    """The bytes that one call holds of a `BufferBound`."""

    __slots__ = ("_bound", "_task", "size_bytes")

    def __init__(self, bound: BufferBound, task: str = "") -> None:
        """Hold nothing yet; without a task it is nobody's."""
        self._bound = bound
        self._task = task
        self.size_bytes = 0

    def resize(self, size_bytes: int) -> None:
        """Hold this much from now on; raises `UpstreamFault` where all together, or the task's, would be too
        much.
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
        """Hold nothing."""
        if self.size_bytes:
            self._bound.change(-self.size_bytes, self._task)
            self.size_bytes = 0


class Backoff:
    """Exponential waits with jitter: half of each is chance, so that many do not come back at once."""

    def __init__(self, entropy: Entropy, *, base_s: float, max_s: float) -> None:
        """Begin at the shortest wait."""
        self._entropy = entropy
        self._base_s = base_s
        self.max_s = max_s
        self.failures = 0

    def next_s(self) -> float:
        """Count a failure; give the seconds to wait after it."""
        longest = min(self.max_s, self._base_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        chance = int.from_bytes(self._entropy.bytes(4), "big") / 2**32
        return longest * (0.5 + chance / 2)

    def reset(self) -> None:
        """Forget the failures."""
        self.failures = 0


#: Is told which upstream, whether it is there, and if not, why.
OnState = Callable[[str, bool, str], None]


class Reachability:
    """Whether an upstream is there, told once for each change (`UPSTREAM_LOST`, `UPSTREAM_RESTORED`)."""

    def __init__(self, name: str, on_state: OnState | None) -> None:
        """Take it to be there until it is found not to be."""
        self._name = name
        self._on_state = on_state
        self.up = True

    def tell(self, up: bool, fault: Exception | None = None) -> None:
        """Say what was found, and by which fault it is away."""
        if up != self.up:
            self.up = up
            if self._on_state is not None:
                self._on_state(self._name, up, getattr(fault, "message", ""))
