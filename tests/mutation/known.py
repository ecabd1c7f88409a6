# SPDX-License-Identifier: Apache-2.0
"""The mutants that no test can notice, each with its reason: `equivalents.json`."""

import json
from collections.abc import Collection
from pathlib import Path

LIST = Path(__file__).parent / "equivalents.json"


Key = tuple[str, str, str, str]


class Known:
    """What is listed: mutants by module, function and lines; where no lines are given, the whole function."""

    def __init__(self) -> None:
        """Read the list; each entry is there once, with its reason."""
        entries = json.loads(LIST.read_text(encoding="utf-8"))
        keys = [(one["module"], one["function"], one["before"], one["after"]) for one in entries]
        assert len(set(keys)) == len(keys), "a mutant is listed twice"
        assert all(one["reason"] for one in entries), "a mutant is listed without a reason"
        self._keys: frozenset[Key] = frozenset(keys)
        self._met: set[Key] = set()

    def holds(self, key: Key) -> bool:
        """Whether a mutant is listed."""
        met = {key, (*key[:2], "", "")} & self._keys
        self._met.update(met)
        return bool(met)

    def stale(self, modules: Collection[str]) -> list[Key]:
        """Return what is listed for some modules and was no mutant."""
        return sorted(one for one in self._keys - self._met if one[0] in modules)
