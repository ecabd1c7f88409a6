# SPDX-License-Identifier: Apache-2.0
"""mutmut, with two changes more: `any` and `all`, and `min` and `max`, are taken for each other.

`python -m tests.mutation.operators` is mutmut's own command line with them.
"""

from collections.abc import Iterator
from typing import Final

import libcst
from mutmut.mutation.mutators import mutation_operators

_OTHER: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}

MAX_BYTES: Final = 4 << 30


def _other(node: libcst.Call) -> Iterator[libcst.Call]:
    if isinstance(node.func, libcst.Name) and node.func.value in _OTHER:
        yield node.with_changes(func=libcst.Name(_OTHER[node.func.value]))


def extend() -> None:
    """Let mutmut make these changes, too, in this process."""
    mutation_operators.append((libcst.Call, _other))


if __name__ == "__main__":
    import resource

    from mutmut.__main__ import cli

    extend()
    # A mutant that never ends may ask for ever more.
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    cli()
