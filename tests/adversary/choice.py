# SPDX-License-Identifier: Apache-2.0
"""What is made by choosing one of each of several things: it can be drawn, written down and made plainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import msgspec

from tests.adversary.scene import Scene

Json = Any


class Choice(msgspec.Struct, frozen=True):
    """One thing said, as the numbers of what was chosen: 0 is the plainest. What is named first is made
    plainer first.
    """

    #: What tells one finding from another, and is not changed.
    FIXED: ClassVar[frozenset[str]] = frozenset()

    @property
    def scene(self) -> Scene:
        """The scene of it."""
        raise NotImplementedError

    @property
    def right(self) -> Json:
        """What its call is made with as it was asked for; None where nothing was."""
        raise NotImplementedError

    @property
    def wrong(self) -> tuple[Json, ...]:
        """With what its call must not be made."""
        raise NotImplementedError

    @property
    def sound(self) -> bool:
        """Whether it can be said so."""
        return True

    def plainer(self, still: Callable[[Self], bool]) -> Self:
        """Give the plainest one that `still` holds for."""
        found = self
        while (less := next((one for one in found._less() if still(one)), None)) is not None:
            found = less
        return found

    def _less(self) -> Iterator[Self]:
        for name in self.__struct_fields__:
            for number in range(getattr(self, name) if name not in self.FIXED else 0):
                made = msgspec.structs.replace(self, **{name: number})
                if made.sound:
                    yield made
