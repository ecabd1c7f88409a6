# SPDX-License-Identifier: Apache-2.0
"""mutmut, with two changes more: `any` and `all`, and `min` and `max`, are taken for each other. The files
of tests that take the least time run first.

`python -m tests.mutation.operators` is mutmut's own command line with them.
"""

from collections.abc import Iterator
from typing import Any, Final

import libcst
from mutmut.mutation.mutators import mutation_operators
from mutmut.state import state
from mutmut.workers.isolation import ForkServerRunner

_OTHER: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}

MAX_BYTES: Final = 4 << 30


def _other(node: libcst.Call) -> Iterator[libcst.Call]:
    if isinstance(node.func, libcst.Name) and node.func.value in _OTHER:
        yield node.with_changes(func=libcst.Name(_OTHER[node.func.value]))


class _FastestFirst(ForkServerRunner):  # type: ignore[misc]
    def submit(self, mutant_name: str, tests: list[str], *limits: Any) -> None:
        # A file stays together: what all of its tests share would be set up again for each of them.
        files: dict[str, float] = {}
        for test in tests:
            file = test.partition("::")[0]
            files[file] = files.get(file, 0.0) + state().duration_by_test[test]
        ordered = sorted(tests, key=lambda test: (files[test.partition("::")[0]], test))
        super().submit(mutant_name, ordered, *limits)


def extend() -> None:
    """Let mutmut make these changes, too, in this process."""
    mutation_operators.append((libcst.Call, _other))


if __name__ == "__main__":
    import resource

    from mutmut.__main__ import cli
    from mutmut.workers import isolation

    extend()
    isolation.ForkServerRunner = _FastestFirst
    # A mutant that never ends may ask for ever more.
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    cli()
